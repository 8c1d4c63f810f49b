/* SPDX-License-Identifier: BSD-3-Clause */
/* The Totem single-ring protocol with extended virtual synchrony, as a value.
 *
 * Pure: no system call, no clock, no allocation after totem_create, nothing
 * random that does not come from the seed.  The caller (ringd's shell, or
 * the simulator) feeds inputs, each with the time, and after EVERY input pulls
 * effects until totem_next answers false.  Only then may the next input come.
 *
 * Words are those of the Totem papers: ring, token, aru, gather, commit,
 * recovery, operational, regular and transitional configuration, agreed, safe.
 */
#ifndef RK_TOTEM_H
#define RK_TOTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/limits.h"

struct arena;
struct text;
struct totem;

/*
 * A ring's identity.  Equal only when all three are; the text form is
 * REP.SEQ.  The nonce is drawn by the representative for each ring, so that
 * a lost state directory cannot make two rings alias.
 */
struct totem_ring_id {
	uint64_t seq;
	uint32_t rep;
	uint32_t nonce;
};

enum totem_state {
	TOTEM_STATE_OPERATIONAL,
	TOTEM_STATE_GATHER,
	TOTEM_STATE_COMMIT,
	TOTEM_STATE_RECOVERY,
	TOTEM_STATE_LEFT, /* after LEAVE: answers tokens and JOINs with LEAVE */
	TOTEM_STATES
};

enum totem_service { TOTEM_AGREED, TOTEM_SAFE };

/* SYSTEM messages go before all others and pass a closed gate. */
enum totem_class { TOTEM_CLASS_CLIENT, TOTEM_CLASS_SYSTEM };

enum totem_phase { TOTEM_PHASE_REGULAR, TOTEM_PHASE_TRANSITIONAL };

/* Why a node is absent from a view, or why this node began to gather. */
enum totem_reason {
	TOTEM_REASON_NONE,
	TOTEM_REASON_START,
	TOTEM_REASON_TIMEOUT,      /* silent longer than the detector allows */
	TOTEM_REASON_CONSENSUS,    /* silent or disagreeing in Gather */
	TOTEM_REASON_PROOF,        /* somebody proved that its ringd died */
	TOTEM_REASON_LEAVE,        /* it said so */
	TOTEM_REASON_RESTART,      /* a newer incarnation of it spoke */
	TOTEM_REASON_CONNECTIVITY, /* it cannot hear all of the others */
	TOTEM_REASON_RECEIVE,      /* failed to receive */
	TOTEM_REASON_TOKEN_LOSS,
	TOTEM_REASON_JOIN, /* a JOIN from another node */
	TOTEM_REASON_MERGE,
	TOTEM_REASON_PAUSE,    /* this process did not run for too long */
	TOTEM_REASON_PROTOCOL, /* an impossible token */
	TOTEM_REASONS
};

struct totem_config {
	uint64_t config_hash;        /* JOINs with another are refused */
	uint32_t self;               /* node id of this node */
	uint32_t node_count;         /* 1 .. LIMIT_NODES */
	uint32_t nodes[LIMIT_NODES]; /* ids, strictly ascending, self too */

	uint32_t frame_bytes;       /* largest datagram the core emits */
	uint32_t message_bytes_max; /* refused above; same on all nodes */
	uint32_t queue_bytes;       /* messages not yet on the ring */

	uint32_t window; /* frames a rotation, where it starts */
	uint32_t window_max;
	uint32_t visit_frames;       /* new frames in one visit */
	uint32_t accelerated_frames; /* of those, sent after the token */

	uint64_t heartbeat_ns;
	/* Silence until a peer is suspect, and from there until it is dead:
	 * adaptive between these, see 7.2 of DESIGN.md. */
	uint64_t suspect_min_ns, suspect_max_ns;
	uint64_t confirm_min_ns, confirm_max_ns;
	uint64_t idle_hold_ns;
	uint64_t join_ns;
	uint64_t consensus_ns;
	uint64_t merge_ns;
	uint64_t merge_hold_down_ns; /* doubles with every flap */
	uint64_t merge_hold_down_max_ns;
	uint64_t hop_max_ns;    /* between two sendings of a token */
	uint64_t token_loss_ns; /* 0: adaptive, between these: */
	uint64_t token_loss_min_ns, token_loss_max_ns;
	uint64_t first_seq;  /* test hook: seq of a ring's start, 0 */
	bool is_data_shared; /* what others hear of DATA tells them nothing of
				the way to them: they are beaten all the same */
	bool is_tracing;     /* emit TOTEM_OUT_TRACE */
};

/* What a start needs beside the configuration. */
struct totem_boot {
	uint64_t now_ns;
	uint64_t incarnation; /* strictly larger at every start of this node */
	uint64_t ring_seq;    /* durable high-water mark read at start */
	uint64_t ring_seq_reserved; /* the mark made durable before starting:
				       ring_seq < it; the next reservation is
				       asked for by TOTEM_OUT_PERSIST */
	uint64_t seed;
};

/* ---- inputs ------------------------------------------------------------ */

enum totem_input_kind {
	TOTEM_IN_PACKET,    /* one authenticated datagram */
	TOTEM_IN_IDLE,      /* the sockets are drained for now */
	TOTEM_IN_DEADLINE,  /* totem_deadline_ns has come */
	TOTEM_IN_SUBMIT,    /* order a message */
	TOTEM_IN_GATE,      /* client messages may be ordered in this ring */
	TOTEM_IN_PEER,      /* a verdict from outside the core */
	TOTEM_IN_PERSISTED, /* TOTEM_OUT_PERSIST is durable */
	TOTEM_IN_LEAVE,     /* leave the ring for good */
	TOTEM_INPUTS
};

enum totem_verdict {
	TOTEM_PEER_SUSPECT, /* look closer: probe, accuse nobody yet */
	TOTEM_PEER_DEAD,    /* silent on every link: exclude it */
	TOTEM_PEER_PROOF,   /* that incarnation is certainly dead */
	TOTEM_PEER_LINK_DOWN,
	TOTEM_PEER_LINK_UP,
};

struct totem_input {
	enum totem_input_kind kind;
	uint64_t now_ns; /* monotonic, never decreases */
	union {
		/*
		 * bytes are borrowed, except when they lie at totem_rx_cell():
		 * then the core may keep the cell, and the caller asks for a
		 * new one before the next datagram.  incarnation is that of
		 * the sender's session.
		 */
		struct {
			uint32_t node;
			uint64_t incarnation;
			uint32_t link;
			bool is_shared; /* came on a way for all, and so is no
					   sign that the sender gets through */
			const uint8_t *bytes;
			size_t len;
		} packet;
		/*
		 * head then body are copied.  head_len + body_len must be at
		 * most totem_room_bytes (ENSURE).  if_view: ordered in that
		 * ring only, else TOTEM_OUT_DROPPED.
		 */
		struct {
			enum totem_service service;
			enum totem_class class;
			const uint8_t *head;
			size_t head_len;
			const uint8_t *body;
			size_t body_len;
			bool has_if_view;
			struct totem_ring_id if_view; /* nonce 0: any */
		} submit;
		struct totem_ring_id gate; /* ignored unless installed */
		struct {
			uint32_t node;
			uint64_t incarnation; /* of the accused; 0: current;
						 an older one: no matter */
			uint32_t link;
			enum totem_verdict verdict;
		} peer;
		uint64_t persisted_ring_seq;
	};
};

/* ---- effects ----------------------------------------------------------- */

enum totem_effect_kind {
	TOTEM_OUT_SEND,
	TOTEM_OUT_DELIVER,
	TOTEM_OUT_VIEW,
	TOTEM_OUT_PERSIST,
	TOTEM_OUT_DROPPED,  /* if_view no longer holds; never ordered */
	TOTEM_OUT_WRITABLE, /* totem_room_bytes grew after it was too small */
	TOTEM_OUT_PAUSED,   /* this process did not run for pause_ns */
	TOTEM_OUT_LEFT,     /* the leave is complete: the process may end */
	TOTEM_OUT_TRACE,
};

/* What a datagram carries; the first octet of every datagram. */
enum totem_packet {
	TOTEM_PACKET_DATA = 1,
	TOTEM_PACKET_DATA_RETX, /* the same frame, sent again */
	TOTEM_PACKET_TOKEN,
	TOTEM_PACKET_TOKEN_ACK,
	TOTEM_PACKET_HOLD_CANCEL,
	TOTEM_PACKET_HEARTBEAT,
	TOTEM_PACKET_JOIN,
	TOTEM_PACKET_COMMIT,
	TOTEM_PACKET_LEAVE,
	TOTEM_PACKET_MERGE_DETECT,
	TOTEM_PACKET_WITNESS, /* who is silent; do you hear him? */
	TOTEM_PACKETS
};

/* Ids of at most LIMIT_NODES nodes, ascending. */
struct totem_nodes {
	uint32_t count;
	uint32_t id[LIMIT_NODES];
};

struct totem_view {
	enum totem_phase phase;    /* TRANSITIONAL comes before REGULAR */
	struct totem_ring_id ring; /* the configuration this view is, or, of
				      a transitional view, is left */
	struct totem_ring_id next; /* TRANSITIONAL: the ring that follows */
	struct totem_nodes members;
	uint64_t incarnation[LIMIT_NODES]; /* of each member */
	struct totem_nodes joined; /* REGULAR: not in the transitional view */
	struct totem_nodes left;   /* TRANSITIONAL: gone from the old ring */
	enum totem_reason left_reason[LIMIT_NODES];
	enum totem_reason reason; /* what began this reformation */
	uint64_t began_ns;        /* when Gather was entered */
};

struct totem_delivery {
	uint32_t node;        /* who submitted it */
	uint64_t incarnation; /* of that node */
	uint64_t msg_no;      /* its number there, from 1, ascending */
	enum totem_service service;
	enum totem_class class;
	enum totem_phase phase;
	struct totem_ring_id ring;
	uint64_t seq;         /* place in the ring's order: of its last frame */
	uint32_t idx;         /* place among the messages of that frame */
	const uint8_t *bytes; /* borrowed until the next call */
	size_t len;
};

/* One line of narration; totem_trace_text puts it into words. */
struct totem_trace {
	uint16_t id;
	uint16_t state; /* enum totem_state when it happened */
	uint32_t node;  /* the peer it is about, 0 when none */
	uint64_t arg[4];
	const struct totem_nodes *table; /* what the bits of a set stand for */
};

struct totem_effect {
	enum totem_effect_kind kind;
	union {
		/*
		 * One datagram for every node of to.  Borrowed until the next
		 * call of totem_step.  Consecutive DATA of one length to the
		 * same nodes may share a system call.
		 */
		struct {
			const struct totem_nodes *to;
			enum totem_packet packet;
			const uint8_t *bytes;
			size_t len;
			bool is_urgent; /* flush before anything that follows */
		} send;
		struct totem_delivery deliver;
		const struct totem_view *view;
		uint64_t persist_ring_seq;
		uint64_t dropped_msg_no;
		uint64_t pause_ns;
		struct totem_trace trace;
	};
};

/* ---- the four calls ---------------------------------------------------- */

/* The least frame_bytes for so many nodes: a COMMIT of all must fit its parts.
 */
uint32_t totem_frame_bytes_min(uint32_t node_count);

/* Fills in the defaults of a LAN; self and nodes remain to be set. */
void totem_config_default(struct totem_config *cfg);

/* All spans of one kind of network or machine. */
enum totem_preset {
	TOTEM_PRESET_LAN,
	TOTEM_PRESET_WAN,
	TOTEM_PRESET_LOADED_VM, /* guests that have to wait for a processor */
	TOTEM_PRESETS
};
void totem_config_preset(struct totem_config *cfg, enum totem_preset preset);

/* Another heartbeat, and as much more silence as it makes usual. */
void totem_config_heartbeat(struct totem_config *cfg, uint64_t heartbeat_ns);

/* A fixed silence until a peer is dead that another misses as well. */
void totem_config_dead_after(struct totem_config *cfg, uint64_t dead_after_ns);

/*
 * Takes all memory from the arena: with a measuring arena, answers NULL and
 * the arena knows the size.  cfg is copied.  The node starts in Gather.
 */
struct totem *totem_create(struct arena *arena, const struct totem_config *cfg,
    const struct totem_boot *boot);

void totem_step(struct totem *t, const struct totem_input *in);

/* The next effect of the last step; false when there is none left. */
bool totem_next(struct totem *t, struct totem_effect *out);

/* When to come back with DEADLINE if nothing else happens; never 0. */
uint64_t totem_deadline_ns(const struct totem *t);

/* ---- beside them ------------------------------------------------------- */

/*
 * From now on this node's new frames are at most so long, but never longer
 * than cfg.frame_bytes: what gets through to all others.  Those of others, and
 * what is sent again, are as they are.
 */
void totem_set_frame(struct totem *t, uint32_t bytes);

/*
 * From now on the spans (all that end in _ns) are those of cfg, as if created
 * with them; the rest of cfg is not looked at.  A step may have no effects
 * left.
 */
void totem_set_spans(struct totem *t, const struct totem_config *cfg);

/*
 * From now on these are the nodes, this one among them (ENSURE); frame_bytes
 * must do for so many.  Who stays is known as before; the ring goes on.  false:
 * not now, nothing has happened: this node is not Operational, or a member is
 * not among them.  A step may have no effects left.
 */
bool totem_set_nodes(struct totem *t, const struct totem_nodes *nodes);

/* A free cell of cfg.frame_bytes to receive the next datagram into. */
uint8_t *totem_rx_cell(struct totem *t);

/*
 * The longest message a SUBMIT of that class may carry now; 0 when the queue
 * is full or the node is leaving (SYSTEM: has given up to leave in good order,
 * or has left).  CLIENT messages may have message_bytes_max,
 * SYSTEM messages LIMIT_SYSTEM_BYTES at most; answering less than that
 * promises a TOTEM_OUT_WRITABLE.
 */
size_t totem_room_bytes(struct totem *t, enum totem_class class);

/* Emit TOTEM_OUT_TRACE from now on, or no more. */
void totem_set_tracing(struct totem *t, bool is_tracing);

/* msg_no of the last SUBMIT. */
uint64_t totem_last_msg_no(const struct totem *t);

/* Monotonic counters since the start. */
enum totem_counter {
	TOTEM_COUNT_TOKENS, /* accepted regular tokens */
	TOTEM_COUNT_TOKEN_DUPLICATES,
	TOTEM_COUNT_TOKEN_RETRANSMITS, /* hop ARQ */
	TOTEM_COUNT_TOKEN_LOSSES,
	TOTEM_COUNT_TOKEN_REFUSED, /* wrong ring, sender or contents */
	TOTEM_COUNT_FRAMES_SENT,
	TOTEM_COUNT_FRAMES_RECEIVED,
	TOTEM_COUNT_FRAMES_DUPLICATE,
	TOTEM_COUNT_FRAMES_FOREIGN, /* of another ring */
	TOTEM_COUNT_FRAMES_REFUSED, /* outside the store, malformed */
	TOTEM_COUNT_RETRANSMITS_SENT,
	TOTEM_COUNT_RETRANSMITS_ASKED,
	TOTEM_COUNT_MESSAGES_SENT,
	TOTEM_COUNT_MESSAGES_DELIVERED,
	TOTEM_COUNT_BYTES_DELIVERED,
	TOTEM_COUNT_HOLDS,
	TOTEM_COUNT_HOLD_CANCELS,
	TOTEM_COUNT_JOINS_SENT,
	TOTEM_COUNT_JOINS_RECEIVED,
	TOTEM_COUNT_JOINS_IGNORED,
	TOTEM_COUNT_COMMITS,
	TOTEM_COUNT_GATHERS,
	TOTEM_COUNT_VIEWS,
	TOTEM_COUNT_RECOVERED, /* old frames received in Recovery */
	TOTEM_COUNT_PAUSES,
	TOTEM_COUNT_SUSPICIONS,
	TOTEM_COUNT_SUSPICIONS_REFUTED, /* it spoke again in time */
	TOTEM_COUNT_DEATHS,             /* by silence */
	TOTEM_COUNT_CUTS,               /* silent here, heard elsewhere */
	TOTEM_COUNT_PACKETS_MALFORMED,
	TOTEM_COUNT_PACKETS_STALE,   /* of an old incarnation */
	TOTEM_COUNT_PACKETS_UNKNOWN, /* of an unknown node, or life of one */
	TOTEM_COUNT_CONFIG_MISMATCH,
	TOTEM_COUNT_NO_CELL, /* dropped for want of memory */
	TOTEM_COUNTERS
};

uint64_t totem_count(const struct totem *t, enum totem_counter counter);
const char *totem_counter_name(enum totem_counter counter); /* "token_losses" */

/* What it was created with; spans that adapt have their bounds there. */
const struct totem_config *totem_config(const struct totem *t);

/* A snapshot for `status`; all spans in ns. */
struct totem_status {
	enum totem_state state;
	struct totem_ring_id ring;  /* installed */
	struct totem_nodes members; /* of it */
	uint64_t aru, high, delivered, stable;
	uint64_t queue_bytes_used;
	uint64_t rotation_ns, rotation_dev_ns;
	uint64_t token_age_ns; /* since the last accepted token */
	uint32_t window;
	bool is_gate_open;
	uint32_t health;        /* 0, well, to 8: this node runs late itself */
	uint64_t token_loss_ns; /* effective */
	enum totem_reason gather_reason; /* of the last Gather */
	uint64_t gathers[TOTEM_REASONS]; /* how often each began one */
};
void totem_status(
    const struct totem *t, uint64_t now_ns, struct totem_status *out);

struct totem_peer_status {
	uint64_t incarnation; /* 0: never heard */
	bool is_alive;        /* the detector's verdict */
	bool is_bidirectional;
	bool is_mismatched; /* another config_hash: no ring with it */
	uint64_t silent_ns; /* since the last packet */
	uint64_t suspect_after_ns, dead_after_ns; /* of silence, now */
	uint64_t rtt_ns, late_ns; /* that they follow, see 7.2 */
	uint64_t packets_received;
};
/* false when node is not configured. */
bool totem_peer_status(const struct totem *t, uint32_t node, uint64_t now_ns,
    struct totem_peer_status *out);

/* ---- words ------------------------------------------------------------- */

const char *totem_state_name(enum totem_state state);
const char *totem_reason_name(enum totem_reason reason);
const char *totem_packet_name(enum totem_packet packet);
bool totem_ring_equal(struct totem_ring_id a, struct totem_ring_id b);
/* REP.SEQ */
void totem_ring_text(struct totem_ring_id ring, struct text *out);
/* One line, without time or node, without LF. */
void totem_trace_text(const struct totem_trace *trace, struct text *out);
/* What a datagram is, for a log: "token ring=1.7 seq=40 aru=38 …". */
void totem_packet_text(const uint8_t *bytes, size_t len, struct text *out);

/* Every invariant of the whole state (ENSURE); for tests, after each step. */
void totem_check(const struct totem *t);

#endif
