/* SPDX-License-Identifier: BSD-3-Clause */
/* The layout of the core's datagrams; no other file knows it.
 *
 * Big-endian, explicit widths, the kind of packet first.  A decoder reads into
 * a validated struct and answers false for anything else: short, long, out
 * of bounds, out of order, about nodes that are not configured.  Sets travel as
 * lists of node ids; a bit set on the wire indexes a list in the same packet.
 * In memory a set is 64 bits over the configured nodes in ascending order.
 */
#ifndef RK_TOTEM_WIRE_H
#define RK_TOTEM_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bin/ringd/totem.h"

struct rdbuf;
struct wrbuf;

enum {
	TOTEM_WIRE_FRAME_HEADER = 32,
	TOTEM_WIRE_RECORD_MAX = 1 + 5 * 10, /* header of one record */
	TOTEM_WIRE_TOKEN_HEADER = 57,
	TOTEM_WIRE_RTR_ENTRY = 18,
	TOTEM_WIRE_PART_HEADER = 11,
	/* At most, the bitmaps of what is held apart: */
	TOTEM_WIRE_COMMIT_HEADER = 256,
	TOTEM_WIRE_COMMIT_ENTRY = 80,
	TOTEM_WIRE_HOLE_BYTES = 64, /* of the bitmap in a COMMIT entry */
	TOTEM_WIRE_CONTROL_MAX = LIMIT_CONTROL_PARTS * LIMIT_FRAME_BYTES_MAX,
};

/* No ring is numbered above; so a number and some more never wrap. */
#define TOTEM_WIRE_RING_SEQ_MAX (UINT64_C(1) << 62)

enum totem_frame_flag {
	TOTEM_FRAME_POST = 1, /* sent after the token of its visit */
	TOTEM_FRAME_SAFE = 2,
	TOTEM_FRAME_RECOVERY = 4, /* the body is a frame of an older ring */
};

/* Sequenced data (1.1). */
struct totem_frame {
	bool is_retransmit;
	uint8_t flags;
	uint32_t sender; /* index of the originator */
	uint32_t visit;  /* low bits of token_seq at its first sending */
	struct totem_ring_id ring;
	uint64_t seq;
	const uint8_t *body; /* borrowed */
	size_t body_len;
};

enum totem_record_flag {
	TOTEM_RECORD_FIRST = 1,
	TOTEM_RECORD_LAST = 2,
	TOTEM_RECORD_SYSTEM = 4,
};

/* A message, or a piece of one, inside a frame (5.3). */
struct totem_record {
	uint8_t flags;
	uint64_t msg_no;
	uint32_t len;
	uint32_t total;  /* of the whole message */
	uint32_t offset; /* of this piece */
	const uint8_t *bytes;
};

/* Requests for the 64 sequence numbers from base, a multiple of 64. */
struct totem_rtr {
	uint64_t base;
	uint64_t bits;
	uint32_t requester; /* index + 1; 0: more than one node */
};

/* The regular token (1.1). */
struct totem_token {
	struct totem_ring_id ring;
	uint64_t token_seq;
	uint64_t seq;
	uint64_t aru;
	uint32_t aru_node; /* index + 1; 0: aru equalled seq when last set */
	uint32_t fcc;
	uint32_t backlog;
	uint8_t idle_rounds;
	uint16_t window;
	bool is_retrans; /* Recovery: somebody has old frames to send */
	uint8_t large;   /* fragmented messages in progress */
	uint32_t rtr_count;
	struct totem_rtr rtr[LIMIT_RTR_ENTRIES];
};

/* TOKEN_ACK, HOLD_CANCEL: both name a token. */
struct totem_token_ref {
	struct totem_ring_id ring;
	uint64_t token_seq;
};

struct totem_heartbeat {
	bool wants_answer;
	bool is_answer;   /* to one that wanted it */
	uint32_t version; /* of hears; grows with every change */
	uint64_t hears;   /* whom the sender hears */
};

enum { TOTEM_WIRE_WITNESS_MAX = 32 };

/* What the sender knows of nodes that may be dead. */
struct totem_witness {
	bool wants_answer;
	uint32_t count; /* 1 .. TOTEM_WIRE_WITNESS_MAX */
	struct {
		uint32_t node; /* index */
		uint64_t incarnation;
		uint32_t silent_ms; /* since the sender heard it */
	} about[TOTEM_WIRE_WITNESS_MAX];
};

/* One row of the connectivity matrix. */
struct totem_row {
	uint32_t version; /* 0: not known */
	uint64_t hears;
};

struct totem_join {
	uint64_t config_hash;
	uint64_t ring_seq;
	struct totem_ring_id inst;
	enum totem_reason reason;
	bool is_fresh; /* has installed nothing but its first singleton */
	uint64_t proc;
	uint64_t fail;
	uint64_t incarnation[LIMIT_NODES];   /* of proc and rows, as known */
	uint8_t why[LIMIT_NODES];            /* enum totem_reason, of fail */
	uint32_t quarantine_ms[LIMIT_NODES]; /* left, where why is RECEIVE */
	struct totem_row row[LIMIT_NODES];
};

struct totem_commit_entry {
	struct totem_ring_id old;
	uint64_t aru, high, delivered, stable;
	uint64_t oblig;
	/* Bit i: aru + 1 + i is held; beyond the bitmap nothing is known. */
	uint8_t held_len;
	uint8_t held[TOTEM_WIRE_HOLE_BYTES];
};

struct totem_commit {
	struct totem_ring_id ring;
	uint64_t token_seq;
	uint64_t members;
	uint32_t filled; /* entries of the first members, ascending */
	uint64_t incarnation[LIMIT_NODES];
	uint8_t why[LIMIT_NODES]; /* enum totem_reason, of who is left out */
	struct totem_commit_entry entry[LIMIT_NODES]; /* by node index */
};

struct totem_merge {
	struct totem_ring_id ring;
	uint64_t ring_seq;
	uint64_t members;
};

/* Index of a node id among the configured nodes, or -1. */
int totem_wire_idx(const struct totem_nodes *table, uint32_t id);

/* Decoders.  bytes begin with the packet octet; what is borrowed lasts as
 * long as bytes. */
bool totem_wire_get_frame(const struct totem_nodes *table, const uint8_t *bytes,
    size_t len, struct totem_frame *out);
bool totem_wire_get_record(struct rdbuf *rd, struct totem_record *out);
bool totem_wire_get_token(const struct totem_nodes *table, const uint8_t *bytes,
    size_t len, struct totem_token *out);
bool totem_wire_get_ref(
    const uint8_t *bytes, size_t len, struct totem_token_ref *out);
bool totem_wire_get_heartbeat(const struct totem_nodes *table,
    const uint8_t *bytes, size_t len, struct totem_heartbeat *out);
bool totem_wire_get_witness(const struct totem_nodes *table,
    const uint8_t *bytes, size_t len, struct totem_witness *out);
bool totem_wire_get_leave(
    const uint8_t *bytes, size_t len, struct totem_ring_id *out);
bool totem_wire_get_merge(const struct totem_nodes *table, const uint8_t *bytes,
    size_t len, struct totem_merge *out);

/* JOIN and COMMIT may come in parts; these decode the whole, which has no
 * part header. */
bool totem_wire_get_join(const struct totem_nodes *table, const uint8_t *bytes,
    size_t len, struct totem_join *out);
bool totem_wire_get_commit(const struct totem_nodes *table,
    const uint8_t *bytes, size_t len, struct totem_commit *out);

/* The header of one part of a control message. */
struct totem_part {
	enum totem_packet packet;
	uint8_t part, parts; /* part < parts <= LIMIT_CONTROL_PARTS */
	uint64_t id;         /* larger for a later message of this kind */
	const uint8_t *bytes;
	size_t len;
};
bool totem_wire_get_part(
    const uint8_t *bytes, size_t len, struct totem_part *out);
void totem_wire_put_part(struct wrbuf *wr, const struct totem_part *part);

/* Encoders; the caller asks wr->is_full. */
void totem_wire_put_frame(struct wrbuf *wr, const struct totem_nodes *table,
    const struct totem_frame *frame);
/* The record's header; its len bytes are to follow. */
void totem_wire_put_record(struct wrbuf *wr, const struct totem_record *record);
void totem_wire_put_token(struct wrbuf *wr, const struct totem_nodes *table,
    const struct totem_token *token);
void totem_wire_put_ref(struct wrbuf *wr, enum totem_packet packet,
    const struct totem_token_ref *ref);
void totem_wire_put_heartbeat(struct wrbuf *wr, const struct totem_nodes *table,
    const struct totem_heartbeat *hb);
void totem_wire_put_witness(struct wrbuf *wr, const struct totem_nodes *table,
    const struct totem_witness *witness);
void totem_wire_put_leave(struct wrbuf *wr, const struct totem_ring_id *ring);
void totem_wire_put_merge(struct wrbuf *wr, const struct totem_nodes *table,
    const struct totem_merge *merge);
void totem_wire_put_join(struct wrbuf *wr, const struct totem_nodes *table,
    const struct totem_join *join);
void totem_wire_put_commit(struct wrbuf *wr, const struct totem_nodes *table,
    const struct totem_commit *commit);

#endif
