/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Receiving.  With UDP_GRO (Linux 5.0) one message may be many datagrams of
 * one sender, all as long as the control message says but the last.  Buffers
 * are as long as any UDP payload, so nothing of ours is ever cut off.
 */
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/os/udp.h"

enum { UDP_RX_TRIES = 8, UDP_DRAIN_MAX = 100000, UDP_DRAIN_ERRORS = 8 };

struct udp_rx_control {
	_Alignas(struct cmsghdr) uint8_t bytes[CMSG_SPACE(sizeof(int))];
};

struct udp_rx {
	struct mmsghdr messages[UDP_RX_MESSAGES];
	struct iovec pieces[UDP_RX_MESSAGES];
	union udp_addr from[UDP_RX_MESSAGES];
	struct udp_rx_control control[UDP_RX_MESSAGES];
	uint32_t count;
	uint8_t *bytes; /* UDP_RX_MESSAGES buffers */
};

struct udp_rx *
udp_rx_create(struct arena *arena)
{
	struct udp_rx *rx = arena_take(arena, sizeof *rx);
	uint8_t *bytes =
	    arena_take(arena, (size_t)UDP_RX_MESSAGES * UDP_RX_BYTES);

	if (rx == NULL)
		return NULL;
	memset(rx, 0, sizeof *rx);
	rx->bytes = bytes;
	for (uint32_t i = 0; i < UDP_RX_MESSAGES; i++) {
		rx->pieces[i] =
		    (struct iovec){ bytes + (size_t)i * UDP_RX_BYTES,
			    UDP_RX_BYTES };
		rx->messages[i].msg_hdr.msg_name = &rx->from[i];
		rx->messages[i].msg_hdr.msg_iov = &rx->pieces[i];
		rx->messages[i].msg_hdr.msg_iovlen = 1;
		rx->messages[i].msg_hdr.msg_control = &rx->control[i];
	}
	return rx;
}

/* What the kernel overwrote in the first count messages. */
static void
udp_rx_rearm(struct udp_rx *rx, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		rx->messages[i].msg_hdr.msg_namelen = sizeof rx->from[i];
		rx->messages[i].msg_hdr.msg_controllen = sizeof rx->control[i];
		rx->messages[i].msg_hdr.msg_flags = 0;
	}
}

uint32_t
udp_receive(struct udp *udp, struct udp_rx *rx)
{
	int got, tries = 0;

	rx->count = 0;
	udp_rx_rearm(rx, UDP_RX_MESSAGES);
	/* An error is of what was sent; what was received lies behind it. */
	do
		got = recvmmsg(
		    udp->fd, rx->messages, UDP_RX_MESSAGES, MSG_DONTWAIT, NULL);
	while (got < 0 && errno != EAGAIN && ++tries < UDP_RX_TRIES);
	udp->counters.receive_calls++;
	if (got <= 0)
		return 0;
	rx->count = (uint32_t)got;
	for (uint32_t i = 0; i < rx->count; i++) {
		struct udp_message message = udp_rx_message(rx, i);

		udp->counters.received_bytes += message.len;
		/* An empty datagram is one, too. */
		udp->counters.received_datagrams += message.len == 0
		    ? 1
		    : (message.len + message.segment_bytes - 1) /
			message.segment_bytes;
		udp->counters.truncated +=
		    (rx->messages[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
	}
	return rx->count;
}

/* An error is of what was sent; what was received lies behind it. */
void
udp_drain(const struct udp *udp)
{
	int errors = 0;
	char byte;

	for (int i = 0; i < UDP_DRAIN_MAX && errors < UDP_DRAIN_ERRORS; i++) {
		if (recv(udp->fd, &byte, sizeof byte, MSG_DONTWAIT) >= 0)
			continue;
		if (errno == EAGAIN)
			return;
		errors++;
	}
}

/* What UDP_GRO says the datagrams' length is; 0 when it says nothing. */
static size_t
udp_rx_segment(struct msghdr *header)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(header);
	int segment = 0;

	for (; control != NULL; control = CMSG_NXTHDR(header, control))
		if (control->cmsg_level == SOL_UDP &&
		    control->cmsg_type == UDP_GRO &&
		    control->cmsg_len >= CMSG_LEN(sizeof segment))
			memcpy(&segment, CMSG_DATA(control), sizeof segment);
	return segment > 0 ? (size_t)segment : 0;
}

struct udp_message
udp_rx_message(const struct udp_rx *rx, uint32_t i)
{
	struct msghdr header;
	struct udp_message message;

	ENSURE(i < rx->count);
	header = rx->messages[i].msg_hdr;
	message = (struct udp_message){
		.from = &rx->from[i],
		.bytes = rx->bytes + (size_t)i * UDP_RX_BYTES,
		.len = rx->messages[i].msg_len,
		.segment_bytes = udp_rx_segment(&header),
	};
	if (message.segment_bytes == 0)
		message.segment_bytes = message.len > 0 ? message.len : 1;
	return message;
}
