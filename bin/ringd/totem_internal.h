/* SPDX-License-Identifier: BSD-3-Clause */
/* struct totem and the functions its files share; for totem*.c only.
 *
 * Nodes are indexes into the configured table here; a set of nodes is 64
 * bits.  Section numbers refer to the protocol notes in DESIGN.md.
 */
#ifndef RK_TOTEM_INTERNAL_H
#define RK_TOTEM_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/rdbuf.h"
#include "libcommon/base/rng.h"

#include "bin/ringd/totem.h"
#include "bin/ringd/totem_trace_id.h"
#include "bin/ringd/totem_wire.h"

#define TOTEM_NEVER          UINT64_MAX
#define TOTEM_MS             UINT64_C(1000000)
#define TOTEM_BIT(idx)       (UINT64_C(1) << (idx))
#define TOTEM_FLAP_MEMORY_NS (600 * 1000 * TOTEM_MS)

enum {
	TOTEM_STORE_MASK = LIMIT_STORE_FRAMES - 1,
	TOTEM_CELLS = 2 * LIMIT_STORE_FRAMES + 64,
	TOTEM_NO_CELL = 0xFFFF,
	TOTEM_OUTS = 1024, /* a half for DROPPED and traces, see push_trace */
	TOTEM_VISIT_FRAMES_MAX = 256, /* and these and what is resent fit */
	TOTEM_NO_SLOT = 0xFF,
	TOTEM_HOP_TRIES = 6,
	TOTEM_IDLE_ROUNDS = 3,  /* SAFE and GC need two visits at rest */
	TOTEM_FAST_ROUNDS = 50, /* at full speed without progress */
	TOTEM_RECOVERY_ROUNDS = 2000,
	TOTEM_FLAPS_MAX = 16,
	TOTEM_HEALTH_MAX = 8,
};
static_assert(TOTEM_CELLS < TOTEM_NO_CELL, "a cell number fits 16 bits");
static_assert(TOTEM_OUTS / 2 >=
	TOTEM_VISIT_FRAMES_MAX + LIMIT_WINDOW_MAX / 4 + LIMIT_NODES + 32,
    "the effects of the largest visit, and a word about every peer");

enum totem_timer {
	TOTEM_TIMER_PENDING, /* a token waits for its frames */
	TOTEM_TIMER_TOKEN_LOSS,
	TOTEM_TIMER_HOP,         /* the forwarded token is not acknowledged */
	TOTEM_TIMER_HOLD,        /* the representative keeps an idle token */
	TOTEM_TIMER_HOLD_CANCEL, /* asked for the token, not yet seen */
	TOTEM_TIMER_JOIN,
	TOTEM_TIMER_CONSENSUS,
	TOTEM_TIMER_MERGE,
	TOTEM_TIMER_DETECT, /* earliest of the peers' deadlines */
	TOTEM_TIMER_LEAVE,
	TOTEM_TIMERS
};

/* The ordering state of one ring (1.1); two exist: installed and forming. */
struct totem_ring {
	struct totem_ring_id id;
	uint64_t members;
	uint32_t count;
	uint8_t order[LIMIT_NODES]; /* members ascending: the token's way */
	uint32_t successor, predecessor;
	uint64_t incarnation[LIMIT_NODES];
	uint64_t token_seq; /* highest accepted */
	uint64_t aru;       /* everything up to here is stored */
	uint64_t high;      /* highest seq known to exist */
	uint64_t delivered;
	uint64_t stable;             /* every member has it: the SAFE line */
	uint64_t gc;                 /* freed up to here */
	uint64_t sent_aru, sent_seq; /* of the token as I forwarded it */
	uint32_t sent_count;         /* frames I sent in that visit */
	uint32_t prev_backlog;
	uint16_t *cell_of; /* by seq & TOTEM_STORE_MASK */
};

/* What is known of a stored frame without decoding it again. */
struct totem_cell {
	uint16_t len;
	uint8_t flags;
	uint8_t sender;
};

/* A message that came in pieces, put together (5.3). */
struct totem_slot {
	bool is_used;
	uint64_t msg_no;
	uint32_t total;
	uint32_t len; /* so far */
	uint8_t *bytes;
};

/* Where delivery stands inside the frame delivered + 1. */
struct totem_cursor {
	bool is_open;
	struct totem_ring *ring;
	uint64_t seq;
	uint32_t sender;
	uint8_t flags;
	uint32_t idx;
	enum totem_phase phase;
	struct rdbuf rd;
	uint8_t slot_done; /* to be released at the next call */
};

/* One message waiting to be ordered, followed by its bytes. */
struct totem_entry {
	uint64_t msg_no;
	uint32_t len;
	uint8_t service;
	bool has_if_view;
	struct totem_ring_id if_view;
};

/* A byte ring of entries; head and tail only grow. */
struct totem_queue {
	uint8_t *bytes;
	uint32_t size;    /* a power of two */
	uint32_t longest; /* message that it takes */
	uint64_t head, tail;
	bool has_entry; /* entry is the decoded head */
	struct totem_entry entry;
	uint32_t offset;  /* of the head message, bytes already on the ring */
	bool was_refused; /* owes a WRITABLE */
};

/* An effect that waits to be pulled. */
struct totem_out {
	enum totem_effect_kind kind;
	bool is_urgent;
	uint32_t len;
	uint64_t to; /* set */
	const uint8_t *bytes;
	uint64_t value;
	struct totem_trace trace;
};

struct totem_peer {
	uint64_t incarnation; /* newest seen */
	uint64_t heard_ns;    /* last packet */
	bool is_alive;
	bool is_suspect;
	bool is_cut;          /* not alive here, but another hears it */
	bool is_on_trial;     /* was dead: alive again when it has answered */
	uint32_t answers;     /* ... so often */
	uint64_t asked_ns;    /* ... and since then */
	uint64_t accusers;    /* who else misses it, of a suspect */
	uint64_t seen_ns;     /* when it was last heard elsewhere; 0: never */
	bool is_mismatched;   /* its last JOIN was of another configuration */
	uint64_t rtt_ns;      /* of a question and its answer: estimate; 0 */
	uint64_t ping_ns;     /* when it was asked; 0: it has answered */
	uint64_t gap_from_ns; /* the present span of beats began */
	uint64_t gap_max_ns;  /* the longest silence in it */
	uint64_t gap_late_ns; /* by how much such are too long: estimate */
	uint64_t alive_since_ns;
	uint64_t sent_ns;       /* last packet to it */
	uint64_t row_asked_ns;  /* last heartbeat that wanted an answer */
	uint64_t probe_ns;      /* next direct probe of a suspect */
	uint64_t proc_since_ns; /* in proc since */
	uint64_t quarantine_until_ns;
	uint64_t company; /* members of its ring, by its last MERGE_DETECT */
	uint32_t quarantines;
	uint32_t flaps;
	uint64_t flap_ns;
	uint32_t vain; /* merges with it that came to nothing, in a row */
	uint64_t vain_ns;
	uint64_t packets;
	struct totem_row row;
	/* A control message that comes in parts. */
	uint64_t part_id;
	uint8_t part_kind, part_count;
	uint32_t part_have;
	uint16_t part_len[LIMIT_CONTROL_PARTS];
	uint8_t *part_bytes;
	uint64_t join_seen; /* highest id of a JOIN processed */
	/* The highest ring_seq that it told in this Gather, or of the ring
	   that we had together; 0: none. */
	uint64_t join_seq;
};

struct totem_gather {
	uint64_t proc, fail, cons;
	uint8_t why[LIMIT_NODES];
	enum totem_reason reason; /* of this episode's first entry */
	uint64_t began_ns;
	uint64_t entered_ns;
	uint32_t rounds;   /* consensus timeouts since the last install */
	bool may_be_alone; /* not while a start looks for company */
	uint64_t join_id;
	uint64_t join_sent_ns;
	uint64_t awaited_seq; /* refused, because it is not reserved yet */
};

/* Commit and Recovery of `form` (3.6, 3.7). */
struct totem_recovery {
	bool is_acked;
	bool is_originated;    /* the representative made the first token */
	bool is_flag_mine;     /* I set retrans in the token */
	uint32_t quiet_visits; /* flg_count */
	uint32_t ready_visits; /* rot */
	uint32_t rounds;
	uint64_t install_seq;
	uint64_t trans;
	uint64_t new_oblig;
	uint64_t max_stable, max_delivered, low_aru, top;
	uint64_t queue[LIMIT_STORE_FRAMES / 64]; /* to send, by seq & mask */
	uint32_t queue_count;
	uint64_t queue_next; /* no bit below this seq */
};

/* An install being delivered: steps I2 to I7 of 3.8. */
enum totem_install_step {
	TOTEM_INSTALL_NONE,
	TOTEM_INSTALL_REGULAR,
	TOTEM_INSTALL_TRANS_VIEW,
	TOTEM_INSTALL_TRANSITIONAL,
	TOTEM_INSTALL_REGULAR_VIEW,
};

struct totem_install {
	enum totem_install_step step;
	uint64_t cut, gap, top;
	uint64_t oblig, trans;
	uint64_t old_members;
	uint64_t next_seq; /* TRANSITIONAL: next to look at */
};

struct totem_ftr {
	uint64_t aru, since_ns;
	uint32_t node; /* index + 1 */
	uint32_t answered;
};

struct totem {
	struct totem_config cfg;
	uint32_t frame_bytes;     /* of new frames, at most cfg's */
	struct totem_nodes table; /* configured ids */
	uint32_t self;            /* my index */
	uint64_t incarnation;
	uint64_t now_ns;
	struct rng rng;
	enum totem_state state;
	bool is_fresh; /* nothing installed but the first singleton */

	struct totem_ring rings[2];
	struct totem_ring *inst, *form;
	uint64_t oblig;
	uint64_t max_seq;      /* highest ring_seq told or promised */
	uint64_t promised_seq; /* highest I put a COMMIT entry into */
	uint64_t reserved_seq;
	uint64_t persist_asked, persist_asked_ns;
	struct totem_gather gather;
	struct totem_commit commit;
	struct totem_recovery recovery;
	struct totem_install install;
	struct totem_view view;

	uint8_t *cells;
	size_t cell_bytes;
	struct totem_cell *cell;
	uint16_t *cell_free;
	uint32_t cells_free, cells_touched;
	uint32_t rx_cell;

	struct totem_slot slot[LIMIT_MESSAGES_LARGE];
	uint8_t slot_of[LIMIT_NODES];
	struct totem_cursor cursor;
	struct totem_queue queue[2]; /* by enum totem_class */
	uint64_t msg_no;
	bool is_gate_open;

	/* Token custody. */
	bool has_pending;
	struct totem_token pending;
	uint32_t pending_frames;  /* handled since it came */
	struct totem_token token; /* as I last forwarded it */
	bool is_held;             /* ... or keep it, being representative */
	bool is_hop_commit;       /* the hop timer guards a COMMIT */
	uint32_t hop_tries;
	uint64_t hop_sent_ns, hop_rtt_ns;
	uint64_t hop_rto_ns;
	bool is_turning; /* visit_ns was in this turning of the token */
	uint64_t visit_ns, rotation_ns, rotation_dev_ns;
	uint64_t app_frame_ns; /* last frame with messages */
	bool no_hold_next;
	uint32_t hold_asks;      /* since the last visit */
	bool has_finished_large; /* in this visit: let others begin theirs */
	uint16_t window_seen;    /* of the token as I forwarded it */
	uint32_t stuck_rounds;
	uint64_t stuck_aru;
	bool was_idle; /* the token may be held: ask for it when submitting */
	struct totem_ftr ftr;

	/* Detection. */
	struct totem_peer peer[LIMIT_NODES];
	uint32_t row_version;
	uint64_t hears; /* my row, me included */
	/* [a][b], a < b: hear each other since; NEVER when they do not. */
	uint64_t edge_ns[LIMIT_NODES][LIMIT_NODES];
	uint32_t health; /* LH, 0 .. 8 */
	uint64_t health_ns;

	/* Leaving. */
	bool is_leaving;
	bool is_abandoning; /* what still waits is not ordered any more */
	bool owes_left;     /* LEFT, after all DROPPED */
	uint64_t own_seq;   /* of my last frame in inst */

	uint64_t deadline[TOTEM_TIMERS];

	/* Effects of the current step. */
	struct totem_out out[TOTEM_OUTS];
	uint32_t out_first, out_count;
	struct totem_nodes out_nodes;
	uint64_t out_nodes_set;
	uint8_t *ctl; /* bytes of control packets */
	size_t ctl_size, ctl_used;
	uint8_t *whole;         /* a control message before it is cut */
	struct totem_join join; /* the one being read or written */
	struct totem_commit rx_commit;

	uint64_t count[TOTEM_COUNTERS];
	uint64_t gathers[TOTEM_REASONS];
};

/* ---- totem_effect.c, totem.c: effects and timers ----------------------- */

void totem_emit(struct totem *t, enum totem_effect_kind kind, uint64_t value);
/* Borrows bytes until the end of the step's effects. */
void totem_send(struct totem *t, uint64_t to, const uint8_t *bytes, size_t len);
/* Room for one control datagram, cfg.frame_bytes long. */
uint8_t *totem_ctl(struct totem *t);
/* Sends wr, which was begun over totem_ctl(). */
void totem_send_ctl(struct totem *t, uint64_t to, const struct wrbuf *wr);
void totem_timer_set(
    struct totem *t, enum totem_timer timer, uint64_t deadline_ns);
void totem_timer_stop(struct totem *t, enum totem_timer timer);
bool totem_timer_is_set(const struct totem *t, enum totem_timer timer);
void totem_trace(struct totem *t, enum totem_trace_id id, uint64_t a,
    uint64_t b, uint64_t c);
void totem_trace_peer(
    struct totem *t, enum totem_trace_id id, uint32_t peer, uint64_t a);
uint64_t totem_others(const struct totem *t); /* configured nodes but me */
void totem_need_seq(struct totem *t); /* reserves ring_seqs ahead of need */
bool totem_is_short(const struct totem *t); /* of ring_seqs for the next ring */
/* And the disk takes so long that the others had better do without me. */
bool totem_is_stuck(const struct totem *t);

/* ---- totem_store.c: frames --------------------------------------------- */

void totem_store_init(struct totem *t, struct arena *arena);
void totem_ring_init(struct totem *t, struct totem_ring *ring);
/* Members, order, neighbours of a ring; me is among them. */
void totem_ring_members(
    struct totem *t, struct totem_ring *ring, uint64_t members);
uint32_t totem_cell_get(struct totem *t); /* TOTEM_NO_CELL when none */
void totem_cell_put(struct totem *t, uint32_t cell);
uint8_t *totem_cell_bytes(struct totem *t, uint32_t cell);
bool totem_has(const struct totem_ring *ring, uint64_t seq);
uint32_t totem_cell_at(const struct totem_ring *ring, uint64_t seq);
bool totem_fits(const struct totem_ring *ring, uint64_t seq);
/* Keeps cell, which holds that frame, at seq; aru and high follow. */
void totem_keep(struct totem *t, struct totem_ring *ring, uint32_t cell,
    const struct totem_frame *frame, size_t len);
/* Stores the datagram at bytes; false when it is not new or has no room. */
bool totem_store(struct totem *t, struct totem_ring *ring,
    const struct totem_frame *frame, const uint8_t *bytes, size_t len);
void totem_free_to(struct totem *t, struct totem_ring *ring, uint64_t seq);
void totem_drop_ring(struct totem *t, struct totem_ring *ring);

/* ---- totem_deliver.c --------------------------------------------------- */

bool totem_deliver_next(struct totem *t, struct totem_effect *out);
void totem_deliver_reset(struct totem *t); /* drops partial messages */
bool totem_install_next(struct totem *t, struct totem_effect *out);
/* How many fragmented messages are in progress; what slots hold. */
uint32_t totem_slots_used(const struct totem *t);

/* ---- totem_pack.c: messages into frames -------------------------------- */

void totem_pack_init(struct totem *t, struct arena *arena);
void totem_submit(struct totem *t, const struct totem_input *in);
/*
 * Packs what waits into a frame body of at most room bytes; 0 when nothing
 * may be sent.  Decides the frame's service; counts fragmented messages in
 * token->large.
 */
size_t totem_pack(struct totem *t, struct totem_token *token, uint8_t *body,
    size_t room, uint8_t *flags);
uint32_t totem_backlog(struct totem *t); /* in frames */
bool totem_pack_is_empty(const struct totem *t);
void totem_pack_restart(struct totem *t); /* at a configuration change */
void totem_pack_writable(struct totem *t);
/* Takes out one message that waits; false when there is none left. */
bool totem_pack_abandon(struct totem *t, uint64_t *msg_no);

/* ---- totem_token.c ----------------------------------------------------- */

void totem_token_visit(
    struct totem *t, struct totem_ring *ring, struct totem_token *token);
void totem_token_send(struct totem *t, uint64_t token_seq);
void totem_token_forward(struct totem *t, struct totem_ring *ring);
void totem_hop_start(struct totem *t, bool is_commit);
void totem_hop_acked(struct totem *t, uint64_t token_seq);
void totem_hop_expired(struct totem *t);
void totem_ack_token(struct totem *t, struct totem_ring *ring, uint64_t seq);
void totem_token_loss_restart(struct totem *t);
uint64_t totem_token_loss_span(const struct totem *t);
void totem_hold_release(struct totem *t);
void totem_hold_ask(struct totem *t);
void totem_token_stop(struct totem *t); /* forgets token and its timers */
void totem_alone_visit(struct totem *t);

/* ---- totem_rtr.c: retransmission and flow control ---------------------- */

uint32_t totem_rtr_answer(
    struct totem *t, struct totem_ring *ring, struct totem_token *token);
void totem_rtr_add(struct totem *t, struct totem_ring *ring,
    struct totem_token *token, uint64_t limit);
uint32_t totem_allowed(struct totem *t, const struct totem_ring *ring,
    const struct totem_token *token, uint32_t backlog);
void totem_window_adapt(struct totem *t, const struct totem_ring *ring,
    struct totem_token *token, uint32_t answered);
/* Keeps a node that failed to receive out for a while, that doubles. */
void totem_quarantine(struct totem *t, uint32_t node);
/* Another member has put it out, for that span from now on. */
void totem_quarantine_hear(struct totem *t, uint32_t node, uint64_t left_ns);
bool totem_ftr_check(struct totem *t, const struct totem_token *token,
    uint64_t aru_in, uint32_t answered);

/* ---- the states -------------------------------------------------------- */

/* A datagram on its way to a handler. */
struct totem_rx {
	uint32_t from; /* index of the sender */
	const uint8_t *bytes;
	size_t len;
};
typedef void totem_rx_fn(struct totem *t, const struct totem_rx *rx);

totem_rx_fn totem_operational_on_data, totem_operational_on_token,
    totem_operational_on_hold_cancel, totem_operational_on_join,
    totem_operational_on_merge, totem_operational_on_commit,
    totem_gather_on_merge;
totem_rx_fn totem_gather_on_data, totem_gather_on_join, totem_gather_on_commit;
totem_rx_fn totem_commit_on_commit, totem_commit_on_join;
totem_rx_fn totem_recovery_on_data, totem_recovery_on_token,
    totem_recovery_on_commit;

/* totem_operational.c */
void totem_operational_run_token(struct totem *t);
void totem_refuse_token(struct totem *t, const struct totem_rx *rx);
/* A frame of the ring that turns may show that the token was received. */
void totem_frame_progress(struct totem *t, const struct totem_frame *frame);
/* Whether to accept; answers duplicates.  rx is decoded into token. */
bool totem_accept_token(struct totem *t, struct totem_ring *ring,
    const struct totem_rx *rx, struct totem_token *token);

/* totem_gather.c */
void totem_gather_enter(struct totem *t, enum totem_reason reason);
/* Excludes nodes; enters Gather first where need be. */
void totem_gather_fail(
    struct totem *t, uint64_t nodes, enum totem_reason reason);
void totem_gather_add(struct totem *t, uint64_t nodes); /* to proc */
void totem_gather_hurry(struct totem *t);               /* the next JOIN soon */
void totem_gather_join_timer(struct totem *t);
void totem_gather_consensus_timer(struct totem *t);
void totem_gather_check(struct totem *t); /* connectivity and consensus */
/* totem_join.c */
void totem_join_send(struct totem *t);
void totem_join_process(
    struct totem *t, uint32_t from, const struct totem_join *join);
/* It excludes this node, in this life. */
bool totem_join_accuses_me(
    const struct totem *t, const struct totem_join *join);
/* Reads a JOIN into t->join; false when it says nothing new or is not for
 * this node to act on. */
bool totem_join_read(struct totem *t, const struct totem_rx *rx);
/* Whole control message of rx, or NULL while parts are missing. */
const uint8_t *totem_control_whole(
    struct totem *t, const struct totem_rx *rx, size_t *len, uint64_t *id);
void totem_control_send(struct totem *t, uint64_t to, enum totem_packet packet,
    uint64_t id, const struct wrbuf *whole);

/* totem_commit.c */
void totem_commit_create(struct totem *t, uint64_t members);
void totem_commit_send(struct totem *t);
/* Decodes into t->rx_commit and says how many members are before me; NULL for
 * what is not from my predecessor in it. */
const struct totem_commit *totem_commit_read(
    struct totem *t, const struct totem_rx *rx, uint32_t *position);
/* Leaves the ring, formed or forming, for a later one of the same maker; false
 * when this is none. */
bool totem_commit_follow(struct totem *t, const struct totem_rx *rx,
    const struct totem_commit *commit, uint32_t position);

/* totem_recovery.c */
void totem_recovery_enter(struct totem *t);
void totem_recovery_prepare(struct totem *t);
void totem_recovery_visit(
    struct totem *t, struct totem_token *token, bool *is_install);
uint64_t totem_recovery_take(struct totem *t); /* next seq to send, 0: none */
void totem_install(struct totem *t);

/* ---- totem_detect.c ---------------------------------------------------- */

void totem_detect_init(struct totem *t);
void totem_detect_heard(struct totem *t, uint32_t node);
void totem_detect_row(
    struct totem *t, uint32_t node, const struct totem_row *row);
void totem_detect_timer(struct totem *t);
void totem_detect_put_off(struct totem *t); /* all that is due was just sent */
void totem_detect_late(struct totem *t, uint64_t late_ns);
/* The spans have changed: all silences begin now. */
void totem_detect_rebase(struct totem *t);
void totem_detect_sent(struct totem *t, uint64_t to);
void totem_detect_verdict(
    struct totem *t, uint32_t node, enum totem_reason reason);
void totem_detect_stressed(struct totem *t, uint32_t most);
void totem_detect_flap(struct totem *t, uint32_t node);
/* An answer to what a peer on trial was asked. */
void totem_detect_answered(struct totem *t, uint32_t node);
enum totem_beat { TOTEM_BEAT, TOTEM_BEAT_ASKS, TOTEM_BEAT_ANSWERS };
void totem_heartbeat_send(struct totem *t, uint64_t to, enum totem_beat beat);
/* What goes to each peer goes more slowly above eight nodes, so that the sum
 * stays. */
uint64_t totem_slowed(const struct totem *t, uint64_t span_ns);
uint64_t totem_beat_span(const struct totem *t);
uint64_t totem_suspect_after(const struct totem *t, uint32_t peer);
uint64_t totem_dead_after(const struct totem *t, uint32_t peer);
/* Of whom nobody else says that it misses it, or hears it. */
uint64_t totem_lone_after(const struct totem *t, uint32_t peer);
/* The longest silence that is borne of whom others hear. */
uint64_t totem_cut_after(const struct totem *t, uint32_t peer);
uint64_t totem_confirm_span(const struct totem *t);

/* ---- totem_witness.c: what others know of a silent peer ---------------- */

/* Looks closer at silent peers: probes them, asks two others. */
void totem_witness_ask(struct totem *t, uint64_t suspects);
totem_rx_fn totem_witness_receive;
/* Somebody else has heard the suspect lately. */
bool totem_witness_is_seen(const struct totem *t, uint32_t node);
/* There is nobody left who could say whether it lives. */
bool totem_witness_is_alone(const struct totem *t, uint32_t node);

/* ---- totem_reach.c: who hears whom ------------------------------------- */

void totem_reach_init(struct totem *t);
/* The row of the node, or mine, is another now. */
void totem_reach_note(struct totem *t, uint32_t node);
/* Every two of the nodes hear each other, and have since then; NEVER when
 * some two do not. */
uint64_t totem_reach_since(const struct totem *t, uint64_t nodes);
bool totem_is_both_ways(const struct totem *t, uint32_t peer);
/* Every two of the nodes hear each other, as far as is known. */
bool totem_is_complete(const struct totem *t, uint64_t nodes);
/* Of some two of the nodes it is known that one does not hear the other. */
bool totem_is_split(const struct totem *t, uint64_t nodes);
bool totem_has_edge(const struct totem *t, uint32_t a, uint32_t b);

/* ---- totem_merge.c: merge detection and leaving ------------------------ */

void totem_merge_timer(struct totem *t);
/* Nodes that are kept out, or of another configuration. */
uint64_t totem_refused(const struct totem *t);
void totem_leave_begin(struct totem *t);
void totem_leave_check(struct totem *t);
void totem_leave_send(struct totem *t, uint64_t to);

#endif
