/* SPDX-License-Identifier: BSD-3-Clause */
/* One datagram that nobody may cut, not even this machine. */
#include <sys/socket.h>

#include <errno.h>
#include <netinet/ip.h>

#include "libcommon/base/ensure.h"
#include "libcommon/os/udp.h"

/* PROBE: do not fragment, whatever the path was known for. */
static void
udp_set_whole(int fd, sa_family_t family, bool is_whole)
{
	int value4 = is_whole ? IP_PMTUDISC_PROBE : IP_PMTUDISC_WANT;
	int value6 = is_whole ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_WANT;

	if (family == AF_INET)
		(void)setsockopt(
		    fd, IPPROTO_IP, IP_MTU_DISCOVER, &value4, sizeof value4);
	else
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &value6,
		    sizeof value6);
}

void
udp_send_whole(
    struct udp *udp, const uint8_t *bytes, size_t len, const union udp_addr *to)
{
	struct udp_batch batch = { bytes, len, len };
	struct udp_counters before = udp->counters;
	int last_error = udp->last_error;

	udp_set_whole(udp->fd, to->any.sa_family, true);
	udp_send(udp, &batch, &to, 1);
	udp_set_whole(udp->fd, to->any.sa_family, false);
	/* That it does not fit is an answer and no error. */
	if (udp->counters.dropped_error != before.dropped_error &&
	    udp->last_error == EMSGSIZE) {
		udp->counters.dropped_error = before.dropped_error;
		udp->last_error = last_error;
	}
}
