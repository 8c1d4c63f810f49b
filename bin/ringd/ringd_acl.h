/* SPDX-License-Identifier: BSD-3-Clause */
/* [acl]: who may read, publish and administer. */
#ifndef RK_RINGD_ACL_H
#define RK_RINGD_ACL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf;
struct ringd_conf;
struct unixsock_peer;

/* One line of the section: "read = *", "pub drbd/r0 = user:joe,group:ops". */
void ringd_acl_add(struct conf *file, struct ringd_conf *conf, const char *key,
    const char *value);

/* What a client may do (enum svc_right, or-ed), and in which groups. */
uint32_t ringd_acl_rights(
    const struct ringd_conf *conf, const struct unixsock_peer *peer);
bool ringd_acl_may_publish(const struct ringd_conf *conf,
    const struct unixsock_peer *peer, const void *group, size_t len);

#endif
