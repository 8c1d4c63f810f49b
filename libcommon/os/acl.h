/* SPDX-License-Identifier: BSD-3-Clause */
/* [acl]: who may read, publish, vote, administer, and use the store. */
#ifndef RK_ACL_H
#define RK_ACL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf;
struct cluster_conf;
struct unixsock_peer;

/* One line of the section: "read = *", "pub drbd/r0 = user:joe,group:ops". */
void acl_add(struct conf *file, struct cluster_conf *conf, const char *key,
    const char *value);

/*
 * What a client may do (enum svc_right, or-ed), and in which groups: in those
 * below ringkit/, where the daemons agree, only who may administer.
 */
uint32_t acl_rights(
    const struct cluster_conf *conf, const struct unixsock_peer *peer);
bool acl_may_publish(const struct cluster_conf *conf,
    const struct unixsock_peer *peer, const void *group, size_t len);

/*
 * May it read, or change, the key; right is CLUSTER_RIGHT_CFG_READ or
 * CLUSTER_RIGHT_CFG_WRITE.  Those below ringkit/ only who may administer.
 */
bool acl_may_use_key(const struct cluster_conf *conf,
    const struct unixsock_peer *peer, uint32_t right, const void *key,
    size_t len);

/* It may do that with some key, whichever. */
bool acl_may_use_some(const struct cluster_conf *conf,
    const struct unixsock_peer *peer, uint32_t right);

/* The same for all keys that begin so. */
bool acl_may_use_prefix(const struct cluster_conf *conf,
    const struct unixsock_peer *peer, uint32_t right, const void *prefix,
    size_t len);

#endif
