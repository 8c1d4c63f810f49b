/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the network says about datagrams that were sent.  The kernel keeps it
 * in a queue of the socket's, with the beginning of each datagram as the ICMP
 * message quoted it.
 */
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/os/udp.h"

/* The error, and who told it. */
struct udp_error_control {
	_Alignas(struct cmsghdr) uint8_t bytes[CMSG_SPACE(
	    sizeof(struct sock_extended_err) + sizeof(struct sockaddr_in6))];
};

static bool
udp_error_find(
    struct msghdr *header, struct sock_extended_err *out, union udp_addr *by)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(header);
	size_t len;

	for (; control != NULL; control = CMSG_NXTHDR(header, control)) {
		bool is_error = (control->cmsg_level == IPPROTO_IP &&
				    control->cmsg_type == IP_RECVERR) ||
		    (control->cmsg_level == IPPROTO_IPV6 &&
			control->cmsg_type == IPV6_RECVERR);

		if (!is_error || control->cmsg_len < CMSG_LEN(sizeof *out))
			continue;
		memcpy(out, CMSG_DATA(control), sizeof *out);
		len = control->cmsg_len - CMSG_LEN(sizeof *out);
		memcpy(by, CMSG_DATA(control) + sizeof *out,
		    num_min(len, sizeof *by));
		return true;
	}
	return false;
}

/* A router could say so as well, or a rule of a firewall here. */
static bool
udp_error_is_by(union udp_addr *by, const union udp_addr *to)
{
	if (by->any.sa_family == AF_INET)
		by->v4.sin_port = to->v4.sin_port;
	else if (by->any.sa_family == AF_INET6)
		by->v6.sin6_port = to->v6.sin6_port;
	return udp_addr_equal(by, to);
}

static enum udp_error_kind
udp_error_kind(const struct sock_extended_err *error)
{
	if (error->ee_errno == EMSGSIZE)
		return UDP_ERROR_TOO_LONG;
	if ((error->ee_origin == SO_EE_ORIGIN_ICMP &&
		error->ee_type == ICMP_DEST_UNREACH &&
		error->ee_code == ICMP_PORT_UNREACH) ||
	    (error->ee_origin == SO_EE_ORIGIN_ICMP6 &&
		error->ee_type == ICMP6_DST_UNREACH &&
		error->ee_code == ICMP6_DST_UNREACH_NOPORT))
		return UDP_ERROR_NO_PORT;
	return UDP_ERROR_OTHER;
}

bool
udp_next_error(struct udp *udp, struct udp_error *out)
{
	struct udp_error_control control;
	struct iovec piece = { out->quote, sizeof out->quote };
	struct msghdr header = {
		.msg_name = &out->to,
		.msg_namelen = sizeof out->to,
		.msg_iov = &piece,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control,
	};
	struct sock_extended_err error = { .ee_errno = 0 };
	union udp_addr by = { .any = { .sa_family = AF_UNSPEC } };
	ssize_t n = recvmsg(udp->fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT);

	if (n < 0)
		return false;
	out->kind = UDP_ERROR_OTHER;
	out->mtu = 0;
	out->quote_len = (size_t)n;
	udp->counters.errors++;
	if (!udp_error_find(&header, &error, &by))
		return true;
	out->kind = udp_error_kind(&error);
	if (out->kind == UDP_ERROR_NO_PORT && !udp_error_is_by(&by, &out->to))
		out->kind = UDP_ERROR_OTHER;
	if (out->kind == UDP_ERROR_TOO_LONG)
		out->mtu = error.ee_info;
	return true;
}
