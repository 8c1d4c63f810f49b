/* SPDX-License-Identifier: BSD-3-Clause */
/* The sockets of this node's links, bound before privileges are given up. */
#ifndef RK_RINGD_BIND_H
#define RK_RINGD_BIND_H

#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/clock.h"

struct cluster_conf;
struct text;
struct udp;

/* How long a ringd that was just killed may take to be gone. */
#define RINGD_LINGER_NS (2 * CLOCK_S_NS)

/*
 * Binds all links, which is tried until RINGD_LINGER_NS have passed where an
 * address is in use.  -E… with the text of the address in why; none is open
 * then.
 */
RK_MUST_CHECK int ringd_bind(
    const struct cluster_conf *conf, struct udp *links, struct text *why);

/*
 * Binds the groups of all links where the transport is multicast, else none:
 * all are closed then.  -E… as ringd_bind.
 */
RK_MUST_CHECK int ringd_bind_groups(
    const struct cluster_conf *conf, struct udp *groups, struct text *why);

/*
 * Throws away what waits in the links or groups: it was meant for a ringd that
 * is dead.
 */
void ringd_bind_drain(const struct cluster_conf *conf, const struct udp *links);

#endif
