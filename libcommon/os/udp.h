/* SPDX-License-Identifier: BSD-3-Clause */
/* UDP sockets in batches: one system call for many datagrams.
 *
 * Sending uses the kernel's segmentation (UDP_SEGMENT) where it works, and one
 * message a datagram where it does not, or not to that destination for its
 * path has become narrower than a datagram; receiving uses UDP_GRO.  Nothing
 * here blocks, and a datagram that cannot be sent is dropped and counted: the
 * ring's own retransmission is the remedy.
 */
#ifndef RK_UDP_H
#define RK_UDP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

struct arena;
struct text;

enum {
	UDP_BATCH_BYTES = 65000, /* of one send */
	UDP_BATCH_SEGMENTS = 64,
	UDP_RX_MESSAGES = 16, /* of one udp_receive */
	UDP_RX_BYTES = 65536, /* of one message */
	UDP_DESTINATIONS_MAX = 64,
	UDP_ADDR_TEXT_BYTES = 64,
	UDP_QUOTE_BYTES = 64, /* of a datagram that was refused */
};

/* An IPv4 or IPv6 address and port. */
union udp_addr {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

enum { UDP_E_ADDRESS = 1 };

/*
 * Reads ADDR, V4:PORT or [V6]:PORT; literals only, V6 may have a %SCOPE.
 * port is taken where the text has none.  UDP_E_ADDRESS: anything else.
 */
RK_MUST_CHECK int udp_addr_parse(
    union udp_addr *addr, const char *string, uint16_t port);

/* Same family, address, port and, where both have one, scope. */
bool udp_addr_equal(const union udp_addr *a, const union udp_addr *b);

/* V4:PORT or [V6]:PORT */
void udp_addr_text(const union udp_addr *addr, struct text *out);

struct udp_counters {
	uint64_t sent_datagrams, sent_bytes, send_calls;
	uint64_t received_datagrams, received_bytes, receive_calls;
	uint64_t dropped_full;  /* not sent: EAGAIN, ENOBUFS */
	uint64_t dropped_error; /* not sent: no route, too long, … */
	uint64_t truncated;     /* received and too long to be ours */
	uint64_t errors;        /* told by the network: udp_next_error */
};

struct udp {
	int fd;           /* -1 when closed */
	bool has_segment; /* UDP_SEGMENT has not been refused for good yet */
	bool has_gro;
	uint32_t refusals; /* of UDP_SEGMENT, perhaps for good, in a row */
	int rx_buffer_bytes, tx_buffer_bytes; /* what the kernel gave */
	int last_error; /* errno of the last dropped_error, 0 */
	struct udp_counters counters;
};

/*
 * Binds a non-blocking socket to addr with kernel buffers of buffer_bytes
 * each way (less when that is not allowed; see the struct), DSCP CS6 and
 * "do not fragment what fits".  The machine need not have the address yet:
 * until it does, nothing is sent or received.  Leaves udp closed on failure.
 */
RK_MUST_CHECK int udp_open(
    struct udp *udp, const union udp_addr *addr, int buffer_bytes);
/* The same, beside others of this machine who bind the address like this. */
RK_MUST_CHECK int udp_open_shared(
    struct udp *udp, const union udp_addr *addr, int buffer_bytes);
void udp_close(struct udp *udp);

/*
 * The two steps of udp_open, for who has privileges only at the first; but only
 * an address that this machine has is bound (-EADDRNOTAVAIL), once for good.
 * After a failure udp_bind may be tried again.
 */
RK_MUST_CHECK int udp_create(
    struct udp *udp, sa_family_t family, int buffer_bytes);
RK_MUST_CHECK int udp_bind(struct udp *udp, const union udp_addr *addr);

/* What it is bound to, with port 0 where it is not; false: it is closed. */
bool udp_local(const struct udp *udp, union udp_addr *out);

/* Datagrams the kernel threw away because the receive buffer was full. */
uint64_t udp_kernel_drops(const struct udp *udp);

/*
 * Datagrams that lie one behind the other, all of segment_bytes but the last,
 * which may be shorter: at most UDP_BATCH_SEGMENTS and UDP_BATCH_BYTES.
 */
struct udp_batch {
	const uint8_t *bytes; /* borrowed */
	size_t len;
	size_t segment_bytes;
};

/* Sends the batch to each address; drops and counts what does not go. */
void udp_send(struct udp *udp, const struct udp_batch *batch,
    const union udp_addr *const *to, size_t to_count);

/*
 * Sends one datagram unfragmented even where the path is known to be narrower:
 * to find out whether it is.  Too long for the link counts as no error.
 */
void udp_send_whole(struct udp *udp, const uint8_t *bytes, size_t len,
    const union udp_addr *to);

/* What one receive call brought: buffers are reused by the next. */
struct udp_rx;

/* NULL from a measuring arena. */
struct udp_rx *udp_rx_create(struct arena *arena);

/* Datagrams from one sender, laid out as in struct udp_batch. */
struct udp_message {
	const union udp_addr *from;
	const uint8_t *bytes;
	size_t len;
	size_t segment_bytes; /* >= 1 */
};

/*
 * Receives up to UDP_RX_MESSAGES messages; answers how many, 0 when there is
 * nothing (or nothing can be received now).
 */
uint32_t udp_receive(struct udp *udp, struct udp_rx *rx);

/* Throws away what waits, and the error that is told to whoever comes next. */
void udp_drain(const struct udp *udp);

/* Borrowed until the next udp_receive; i < what that answered (ENSURE). */
struct udp_message udp_rx_message(const struct udp_rx *rx, uint32_t i);

/* ---- what the network says about what was sent -------------------------- */

enum udp_error_kind {
	UDP_ERROR_NO_PORT,  /* says that machine: nobody has the port */
	UDP_ERROR_TOO_LONG, /* for the path: see mtu */
	UDP_ERROR_OTHER,
};

struct udp_error {
	enum udp_error_kind kind;
	uint32_t mtu;      /* of TOO_LONG: what would fit; else 0 */
	union udp_addr to; /* where the datagram was to go */
	size_t quote_len;  /* of its beginning, may be 0 */
	uint8_t quote[UDP_QUOTE_BYTES];
};

/*
 * The next one, until false: there is none.  None of it is authentic: anybody
 * on the path can say so, and anybody at all who can guess the quote.  The
 * socket is readable, or broken, as long as there are any, so that they must
 * be taken whether they are wanted or not.
 */
bool udp_next_error(struct udp *udp, struct udp_error *out);

#endif
