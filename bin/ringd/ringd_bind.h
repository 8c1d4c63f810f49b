/* SPDX-License-Identifier: BSD-3-Clause */
/* The sockets of this node's links, bound before privileges are given up. */
#ifndef RK_RINGD_BIND_H
#define RK_RINGD_BIND_H

#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/base/limits.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/udp.h"

struct cluster_conf;
struct text;

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

/* ---- sockets for addresses to come -------------------------------------- */

enum { RINGD_SPARES = 8 }; /* of each family */

/*
 * All sockets that a ringd ever has for its links, made while there are
 * privileges, and before any process is forked: so one that a child binds is
 * bound in its supervisor as well, which speaks from it when the child is dead,
 * and gives it to the next one.  Which is bound to what, the kernel knows.
 */
struct ringd_sockets {
	struct udp first[LIMIT_LINKS]; /* as ringd_bind made them */
	struct udp spare[2 * RINGD_SPARES];
};

/* links: what ringd_bind made.  What cannot be made is not there. */
void ringd_bind_spares(const struct cluster_conf *conf, const struct udp *links,
    struct ringd_sockets *out);

/*
 * A socket is bound to this address from now on, for good; one that already is
 * will do.  -EADDRNOTAVAIL: this machine does not have the address; -ENOSPC:
 * all of the family are used up; or another -E….
 */
RK_MUST_CHECK int ringd_bind_spare(
    struct ringd_sockets *sockets, const union udp_addr *addr);

/*
 * What ringd_bind_spare would say.  It takes a copy of the sockets, in which is
 * used up what would be; nothing is bound.
 */
RK_MUST_CHECK int ringd_bind_try(
    struct ringd_sockets *copy, const union udp_addr *addr);

/* Those that are bound to this node's addresses in conf; others are closed. */
void ringd_bind_pick(const struct ringd_sockets *sockets,
    const struct cluster_conf *conf, struct udp links[LIMIT_LINKS]);

/*
 * Throws away what waits in the links or groups: it was meant for a ringd that
 * is dead.
 */
void ringd_bind_drain(const struct cluster_conf *conf, const struct udp *links);

#endif
