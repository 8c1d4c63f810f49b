/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/os/udp_group.h"

#include <sys/socket.h>

#include <errno.h>
#include <netinet/in.h>

/* Kernels know it longer than the headers of some libraries. */
#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

enum { SCOPE_LINK = 2 };

bool
udp_group_is_good(const union udp_addr *addr)
{
	const uint8_t *v6 = addr->v6.sin6_addr.s6_addr;
	in_addr_t v4 = ntohl(addr->v4.sin_addr.s_addr);

	if (addr->any.sa_family == AF_INET)
		return IN_MULTICAST(v4) && v4 > INADDR_MAX_LOCAL_GROUP;
	return addr->any.sa_family == AF_INET6 && v6[0] == 0xff &&
	    (v6[1] & 0x0f) > SCOPE_LINK;
}

static int
set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value) < 0 ? -errno
								     : 0;
}

static bool
is_v4(const struct udp_group *group)
{
	return group->addr.any.sa_family == AF_INET;
}

int
udp_group_open(struct udp *udp, const struct udp_group *group, int buffer_bytes)
{
	int rc = udp_open_shared(udp, &group->addr, buffer_bytes);

	if (rc < 0)
		return rc;
	/* Not what came to an interface on which somebody else joined it. */
	(void)(is_v4(group)
		? set(udp->fd, IPPROTO_IP, IP_MULTICAST_ALL, 0)
		: set(udp->fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0));
	return 0;
}

static int
change(struct udp *udp, const struct udp_group *group, uint32_t ifindex,
    bool is_join)
{
	struct ip_mreqn v4 = { .imr_multiaddr = group->addr.v4.sin_addr,
		.imr_address = group->own.v4.sin_addr,
		.imr_ifindex = (int)ifindex };
	struct ipv6_mreq v6 = { .ipv6mr_interface = ifindex };
	int rc;

	if (is_v4(group)) {
		rc = setsockopt(udp->fd, IPPROTO_IP,
		    is_join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, &v4,
		    sizeof v4);
	} else {
		v6.ipv6mr_multiaddr = group->addr.v6.sin6_addr;
		rc = setsockopt(udp->fd, IPPROTO_IPV6,
		    is_join ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, &v6,
		    sizeof v6);
	}
	return rc < 0 ? -errno : 0;
}

void
udp_group_leave(
    struct udp *udp, const struct udp_group *group, uint32_t ifindex)
{
	(void)change(udp, group, ifindex, false);
}

int
udp_group_join(struct udp *udp, const struct udp_group *group, uint32_t ifindex)
{
	udp_group_leave(udp, group, ifindex);
	return change(udp, group, ifindex, true);
}

int
udp_group_aim(struct udp *udp, const struct udp_group *group, uint32_t ifindex)
{
	struct ip_mreqn v4 = { .imr_address = group->own.v4.sin_addr,
		.imr_ifindex = (int)ifindex };
	int rc;

	if (!is_v4(group)) {
		rc =
		    set(udp->fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)ifindex);
		if (rc == 0)
			rc = set(udp->fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS,
			    (int)group->ttl);
		if (rc == 0)
			rc = set(udp->fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP,
			    group->is_looped);
		return rc;
	}
	rc = setsockopt(udp->fd, IPPROTO_IP, IP_MULTICAST_IF, &v4, sizeof v4);
	if (rc < 0)
		return -errno;
	rc = set(udp->fd, IPPROTO_IP, IP_MULTICAST_TTL, (int)group->ttl);
	if (rc == 0)
		rc = set(
		    udp->fd, IPPROTO_IP, IP_MULTICAST_LOOP, group->is_looped);
	return rc;
}
