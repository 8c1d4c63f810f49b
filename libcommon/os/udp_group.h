/* SPDX-License-Identifier: BSD-3-Clause */
/* Multicast: sockets that hear a group, and sockets that speak to one.
 *
 * A socket bound to an address of this machine hears no group, so there are
 * two: the one that hears is bound to the group itself; who speaks does so
 * from the socket of its own address, and is known by that.
 */
#ifndef RK_UDP_GROUP_H
#define RK_UDP_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/udp.h"

/*
 * Is it a group that a socket can be bound to, and that a bridge may keep from
 * who did not join?  Not 224.0.0.x, and of IPv6 none whose scope is the
 * interface or the link.
 */
bool udp_group_is_good(const union udp_addr *addr);

struct udp_group {
	union udp_addr addr; /* and the port */
	union udp_addr own;  /* of this machine, in the same family */
	uint32_t ttl;        /* routers that it passes, and one more */
	bool is_looped;      /* others of this machine hear it as well */
};

/*
 * Binds a non-blocking socket to the group, with kernel buffers as for
 * udp_open.  It hears nothing until it has joined.  Leaves udp closed on
 * failure, -E….
 */
RK_MUST_CHECK int udp_group_open(
    struct udp *udp, const struct udp_group *group, int buffer_bytes);

/*
 * Joins the group on an interface; 0: the one that has the group's own address,
 * or, of IPv6, to which the kernel would send it.  Joined already, it leaves
 * and joins again, so that the network is told anew.  -E….
 */
RK_MUST_CHECK int udp_group_join(
    struct udp *udp, const struct udp_group *group, uint32_t ifindex);

/* Does no harm where it has not joined, nor where that interface is gone. */
void udp_group_leave(
    struct udp *udp, const struct udp_group *group, uint32_t ifindex);

/* What udp, bound to the own address, sends to the group goes out there. */
RK_MUST_CHECK int udp_group_aim(
    struct udp *udp, const struct udp_group *group, uint32_t ifindex);

#endif
