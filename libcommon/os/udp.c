/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening and sending.  A batch goes to all its destinations by one sendmmsg
 * of one message each, which the kernel cuts (UDP_SEGMENT, Linux 4.18).
 * Where that is refused for a destination whose path has become narrower than
 * a datagram (EMSGSIZE, or EINVAL before Linux 6.15 or so), that one gets a
 * message a datagram, which are fragmented.  Where it is refused altogether -
 * no checksum offload (EIO), an old kernel (ENOPROTOOPT), EINVAL whatever is
 * sent - the socket falls back to that for good.
 */
#include "libcommon/os/udp.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

enum {
	UDP_TOS_CS6 = 0xc0, /* network control */
	UDP_PRIORITY = 6,   /* the highest that needs no privilege */
	UDP_REFUSALS = 8,   /* in a row: no matter of the path */
};

/* ---- opening ----------------------------------------------------------- */

static void
udp_set(int fd, int level, int name, int value)
{
	/* Best effort: a socket without this is slower, not wrong. */
	(void)setsockopt(fd, level, name, &value, sizeof value);
}

/* The size the kernel gave, in its own accounting. */
static int
udp_set_buffer(int fd, int name_force, int name, int bytes)
{
	socklen_t len = sizeof bytes;

	if (setsockopt(fd, SOL_SOCKET, name_force, &bytes, sizeof bytes) < 0)
		udp_set(fd, SOL_SOCKET, name, bytes);
	if (getsockopt(fd, SOL_SOCKET, name, &bytes, &len) < 0)
		return 0;
	return bytes;
}

/*
 * WANT, not DO: what fits the path is sent unfragmentable, and where the path
 * is known to be narrower a frame still gets through, in fragments.
 */
static void
udp_set_network(int fd, sa_family_t family)
{
	if (family == AF_INET) {
		udp_set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_WANT);
		udp_set(fd, IPPROTO_IP, IP_TOS, UDP_TOS_CS6);
		udp_set(fd, IPPROTO_IP, IP_RECVERR, 1);
	} else {
		udp_set(
		    fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_WANT);
		udp_set(fd, IPPROTO_IPV6, IPV6_TCLASS, UDP_TOS_CS6);
		udp_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
		udp_set(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
	}
	udp_set(fd, SOL_SOCKET, SO_PRIORITY, UDP_PRIORITY);
}

static socklen_t
udp_addr_len(const union udp_addr *addr)
{
	return addr->any.sa_family == AF_INET ? sizeof addr->v4
					      : sizeof addr->v6;
}

int
udp_create(struct udp *udp, sa_family_t family, int buffer_bytes)
{
	int one = 1;

	*udp = (struct udp){ .fd = -1 };
	udp->fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (udp->fd < 0)
		return -errno;
	udp_set_network(udp->fd, family);
	udp->rx_buffer_bytes =
	    udp_set_buffer(udp->fd, SO_RCVBUFFORCE, SO_RCVBUF, buffer_bytes);
	udp->tx_buffer_bytes =
	    udp_set_buffer(udp->fd, SO_SNDBUFFORCE, SO_SNDBUF, buffer_bytes);
	udp->has_gro =
	    setsockopt(udp->fd, SOL_UDP, UDP_GRO, &one, sizeof one) == 0;
	udp->has_segment = true;
	return 0;
}

int
udp_bind(struct udp *udp, const union udp_addr *addr)
{
	return bind(udp->fd, &addr->any, udp_addr_len(addr)) < 0 ? -errno : 0;
}

bool
udp_local(const struct udp *udp, union udp_addr *out)
{
	socklen_t len = sizeof *out;

	memset(out, 0, sizeof *out);
	return udp->fd >= 0 && getsockname(udp->fd, &out->any, &len) == 0;
}

static int
udp_open_as(struct udp *udp, const union udp_addr *addr, int buffer_bytes,
    bool is_shared)
{
	int rc = udp_create(udp, addr->any.sa_family, buffer_bytes);

	if (rc < 0)
		return rc;
	/* An address that this machine does not have yet is waited for. */
	udp_set(udp->fd, IPPROTO_IP, IP_FREEBIND, 1);
	if (is_shared)
		udp_set(udp->fd, SOL_SOCKET, SO_REUSEADDR, 1);
	rc = udp_bind(udp, addr);
	if (rc < 0)
		udp_close(udp);
	return rc;
}

int
udp_open(struct udp *udp, const union udp_addr *addr, int buffer_bytes)
{
	return udp_open_as(udp, addr, buffer_bytes, false);
}

int
udp_open_shared(struct udp *udp, const union udp_addr *addr, int buffer_bytes)
{
	return udp_open_as(udp, addr, buffer_bytes, true);
}

void
udp_close(struct udp *udp)
{
	if (udp->fd >= 0)
		close(udp->fd);
	udp->fd = -1;
}

uint64_t
udp_kernel_drops(const struct udp *udp)
{
	uint32_t info[SK_MEMINFO_VARS] = { 0 };
	socklen_t len = sizeof info;

	if (getsockopt(udp->fd, SOL_SOCKET, SO_MEMINFO, info, &len) < 0)
		return 0;
	return info[SK_MEMINFO_DROPS];
}

/* ---- sending ----------------------------------------------------------- */

/* The one control message that we send, aligned as the kernel wants it. */
union udp_segment_control {
	struct cmsghdr header;
	uint8_t bytes[CMSG_SPACE(sizeof(uint16_t))];
};

/* One system call's worth of messages. */
struct udp_tx {
	struct mmsghdr messages[UDP_DESTINATIONS_MAX];
	struct iovec pieces[UDP_DESTINATIONS_MAX];
	uint32_t count;
	uint32_t datagrams; /* in each message */
};

static void
udp_count_error(struct udp *udp, int error, uint32_t datagrams)
{
	if (error == EAGAIN || error == ENOBUFS || error == ENOMEM) {
		udp->counters.dropped_full += datagrams;
	} else {
		udp->counters.dropped_error += datagrams;
		udp->last_error = error;
	}
}

static bool
udp_is_segment_refusal(int error)
{
	return error == EMSGSIZE || error == EINVAL || error == EIO ||
	    error == ENOPROTOOPT || error == EOPNOTSUPP;
}

/* Is it the path's matter, or will it be refused for ever? */
static void
udp_note_refusal(struct udp *udp, int error)
{
	if (error == EMSGSIZE)
		return;
	udp->refusals++;
	if (error != EINVAL || udp->refusals == UDP_REFUSALS)
		udp->has_segment = false;
}

/*
 * Sends messages from *at on; a message that fails is dropped and the next one
 * tried, but not at the first failure: that may be of a datagram sent long ago,
 * and is told once, to whoever comes next.  A refusal of segmentation stops
 * it, with *at at the message that was refused, and answers false; errno says
 * why.
 */
static bool
udp_transmit(struct udp *udp, struct udp_tx *tx, uint32_t *at)
{
	bool is_again = false;

	while (*at < tx->count) {
		int sent =
		    sendmmsg(udp->fd, tx->messages + *at, tx->count - *at, 0);

		udp->counters.send_calls++;
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && !is_again && errno != EAGAIN) {
			is_again = true;
			continue;
		}
		is_again = false;
		if (sent < 0 && tx->datagrams > 1 &&
		    udp_is_segment_refusal(errno))
			return false;
		if (sent < 0) {
			udp_count_error(udp, errno, tx->datagrams);
			++*at;
			continue;
		}
		if (tx->datagrams > 1)
			udp->refusals = 0;
		for (; sent > 0; sent--, ++*at) {
			udp->counters.sent_datagrams += tx->datagrams;
			udp->counters.sent_bytes += tx->pieces[*at].iov_len;
		}
	}
	return true;
}

static void
udp_tx_add(struct udp_tx *tx, const union udp_addr *to, const uint8_t *bytes,
    size_t len)
{
	union {
		const void *in;
		void *out;
	} unqualified = { .in = bytes }, name = { .in = to };
	struct iovec *piece = &tx->pieces[tx->count];

	ENSURE(tx->count < UDP_DESTINATIONS_MAX);
	*piece = (struct iovec){ unqualified.out, len };
	tx->messages[tx->count++] = (struct mmsghdr){
		.msg_hdr.msg_name = name.out,
		.msg_hdr.msg_namelen = udp_addr_len(to),
		.msg_hdr.msg_iov = piece,
		.msg_hdr.msg_iovlen = 1,
	};
}

/* All of the batch to each destination, cut by the kernel.  Answers how many
 * destinations are done with. */
static uint32_t
udp_send_cut(struct udp *udp, const struct udp_batch *batch,
    const union udp_addr *const *to, uint32_t to_count)
{
	union udp_segment_control control = { .bytes = { 0 } };
	uint16_t segment = (uint16_t)batch->segment_bytes;
	struct udp_tx tx;
	uint32_t done = 0;

	tx.count = 0;
	tx.datagrams = (uint32_t)((batch->len + segment - 1) / segment);
	control.header.cmsg_level = SOL_UDP;
	control.header.cmsg_type = UDP_SEGMENT;
	control.header.cmsg_len = CMSG_LEN(sizeof segment);
	memcpy(CMSG_DATA(&control.header), &segment, sizeof segment);
	for (uint32_t i = 0; i < to_count; i++) {
		udp_tx_add(&tx, to[i], batch->bytes, batch->len);
		if (tx.datagrams == 1)
			continue;
		tx.messages[i].msg_hdr.msg_control = control.bytes;
		tx.messages[i].msg_hdr.msg_controllen = sizeof control.bytes;
	}
	if (!udp_transmit(udp, &tx, &done))
		udp_note_refusal(udp, errno);
	return done;
}

/* The batch to one destination, a message for each datagram. */
static void
udp_send_apart(
    struct udp *udp, const struct udp_batch *batch, const union udp_addr *to)
{
	struct udp_tx tx;
	uint32_t done = 0;

	tx.count = 0;
	tx.datagrams = 1;
	for (size_t at = 0; at < batch->len; at += batch->segment_bytes)
		udp_tx_add(&tx, to, batch->bytes + at,
		    num_min(batch->segment_bytes, batch->len - at));
	ENSURE(udp_transmit(udp, &tx, &done));
}

void
udp_send(struct udp *udp, const struct udp_batch *batch,
    const union udp_addr *const *to, size_t to_count)
{
	uint32_t count = (uint32_t)to_count, done = 0;

	ENSURE(batch->segment_bytes > 0 && batch->len > 0);
	ENSURE(batch->segment_bytes <= UDP_BATCH_BYTES);
	ENSURE(batch->len <= UDP_BATCH_BYTES);
	ENSURE(batch->len <= batch->segment_bytes * UDP_BATCH_SEGMENTS);
	ENSURE(to_count <= UDP_DESTINATIONS_MAX);
	while (done < count) {
		if (udp->has_segment || batch->len <= batch->segment_bytes)
			done +=
			    udp_send_cut(udp, batch, to + done, count - done);
		if (done < count)
			udp_send_apart(udp, batch, to[done++]);
	}
}
