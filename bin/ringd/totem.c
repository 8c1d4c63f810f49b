/* SPDX-License-Identifier: BSD-3-Clause */
/* The core's calls, the table of states and packets, timers.
 *
 * Every datagram finds its handler in one table, every cell of which is
 * filled: what a state ignores it ignores by name.  Handlers decide, change the
 * state and queue effects; nothing here waits, allocates or looks at a clock.
 */
#include "bin/ringd/totem.h"

#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/wrbuf.h"

#include "bin/ringd/totem_internal.h"

enum { CTL_PACKETS = 96, SEQ_BLOCK = 1024, SEQ_MARGIN = 64, STUCK_SPANS = 2 };

/* ---- timers ------------------------------------------------------------ */

void
totem_timer_set(struct totem *t, enum totem_timer timer, uint64_t deadline_ns)
{
	t->deadline[timer] = deadline_ns;
}

void
totem_timer_stop(struct totem *t, enum totem_timer timer)
{
	t->deadline[timer] = TOTEM_NEVER;
}

bool
totem_timer_is_set(const struct totem *t, enum totem_timer timer)
{
	return t->deadline[timer] != TOTEM_NEVER;
}

uint64_t
totem_deadline_ns(const struct totem *t)
{
	uint64_t first = TOTEM_NEVER;

	for (int i = 0; i < TOTEM_TIMERS; i++)
		first = num_min(first, t->deadline[i]);
	return num_max(first, 1);
}

/* The token waits no longer; in a ring of one it is always here. */
static void
pending_timer(struct totem *t)
{
	if (t->has_pending)
		totem_operational_run_token(t);
	else if (t->state == TOTEM_STATE_OPERATIONAL && t->inst->count == 1)
		totem_alone_visit(t);
}

static void
token_loss_timer(struct totem *t)
{
	t->count[TOTEM_COUNT_TOKEN_LOSSES]++;
	totem_trace(t, TOTEM_TRACE_TOKEN_LOST, t->token.token_seq, 0, 0);
	totem_gather_enter(t, TOTEM_REASON_TOKEN_LOSS);
}

static void
leave_timer(struct totem *t)
{
	/* Left due: totem_leave_check finds it overdue at the step's end. */
	t->deadline[TOTEM_TIMER_LEAVE] = t->now_ns;
}

static void (*const timer_handler[TOTEM_TIMERS])(struct totem *) = {
	[TOTEM_TIMER_PENDING] = pending_timer,
	[TOTEM_TIMER_TOKEN_LOSS] = token_loss_timer,
	[TOTEM_TIMER_HOP] = totem_hop_expired,
	[TOTEM_TIMER_HOLD] = totem_hold_release,
	[TOTEM_TIMER_HOLD_CANCEL] = totem_hold_ask,
	[TOTEM_TIMER_JOIN] = totem_gather_join_timer,
	[TOTEM_TIMER_CONSENSUS] = totem_gather_consensus_timer,
	[TOTEM_TIMER_MERGE] = totem_merge_timer,
	[TOTEM_TIMER_DETECT] = totem_detect_timer,
	[TOTEM_TIMER_LEAVE] = leave_timer,
};

/* Runs what is due; an install ends the turn, its deliveries come first. */
static void
run_timers(struct totem *t)
{
	for (int i = 0; i < TOTEM_TIMERS; i++) {
		if (t->deadline[i] > t->now_ns)
			continue;
		t->deadline[i] = TOTEM_NEVER;
		timer_handler[i](t);
		if (t->install.step != TOTEM_INSTALL_NONE)
			return;
	}
}

/* ---- ring sequences, reserved ahead of need (3.5) ---------------------- */

static uint64_t
next_seq(const struct totem *t)
{
	return num_max(
	    num_max(t->max_seq, t->promised_seq) + 1, t->gather.awaited_seq);
}

void
totem_need_seq(struct totem *t)
{
	uint64_t next = next_seq(t);

	/* One at a time: they would wait for each other. */
	if (next + SEQ_MARGIN <= t->reserved_seq ||
	    t->persist_asked > t->reserved_seq)
		return;
	t->persist_asked = next + SEQ_BLOCK;
	t->persist_asked_ns = t->now_ns;
	totem_emit(t, TOTEM_OUT_PERSIST, t->persist_asked);
}

bool
totem_is_short(const struct totem *t)
{
	return next_seq(t) > t->reserved_seq;
}

bool
totem_is_stuck(const struct totem *t)
{
	return totem_is_short(t) &&
	    t->now_ns - t->persist_asked_ns >=
	    STUCK_SPANS * t->cfg.consensus_ns;
}

static void
persisted(struct totem *t, uint64_t ring_seq)
{
	t->reserved_seq = num_max(t->reserved_seq, ring_seq);
	totem_need_seq(t);
	if (t->state == TOTEM_STATE_GATHER)
		totem_gather_hurry(t);
	totem_gather_check(t);
}

/* ---- datagrams --------------------------------------------------------- */

static void
ignore(struct totem *t, const struct totem_rx *rx)
{
	(void)t;
	(void)rx;
}

static void
foreign_data(struct totem *t, const struct totem_rx *rx)
{
	(void)rx;
	t->count[TOTEM_COUNT_FRAMES_FOREIGN]++;
}

static void
on_ack(struct totem *t, const struct totem_rx *rx)
{
	struct totem_token_ref ref;
	bool is_forming = t->state != TOTEM_STATE_OPERATIONAL;
	const struct totem_ring *ring = is_forming ? t->form : t->inst;

	if (!totem_wire_get_ref(rx->bytes, rx->len, &ref))
		t->count[TOTEM_COUNT_PACKETS_MALFORMED]++;
	else if (totem_ring_equal(ref.ring, ring->id) &&
	    rx->from == ring->successor)
		totem_hop_acked(t, ref.token_seq);
}

static void
on_heartbeat(struct totem *t, const struct totem_rx *rx)
{
	struct totem_heartbeat hb;

	if (!totem_wire_get_heartbeat(&t->table, rx->bytes, rx->len, &hb)) {
		t->count[TOTEM_COUNT_PACKETS_MALFORMED]++;
		return;
	}
	if (hb.wants_answer)
		totem_heartbeat_send(
		    t, TOTEM_BIT(rx->from), TOTEM_BEAT_ANSWERS);
	if (hb.is_answer)
		totem_detect_answered(t, rx->from);
	struct totem_row row = { .version = hb.version, .hears = hb.hears };
	totem_detect_row(t, rx->from, &row);
}

static void
on_leave(struct totem *t, const struct totem_rx *rx)
{
	struct totem_ring_id ring;

	if (!totem_wire_get_leave(rx->bytes, rx->len, &ring)) {
		t->count[TOTEM_COUNT_PACKETS_MALFORMED]++;
		return;
	}
	totem_trace_peer(t, TOTEM_TRACE_LEAVE_RECEIVED, rx->from, ring.seq);
	totem_detect_verdict(t, rx->from, TOTEM_REASON_LEAVE);
}

/* Whoever still counts on me is told again that I have left. */
static void
left_answer(struct totem *t, const struct totem_rx *rx)
{
	totem_leave_send(t, TOTEM_BIT(rx->from));
}

static totem_rx_fn *const handler[TOTEM_STATES][TOTEM_PACKETS] = {
	[TOTEM_STATE_OPERATIONAL] = {
		[TOTEM_PACKET_DATA] = totem_operational_on_data,
		[TOTEM_PACKET_DATA_RETX] = totem_operational_on_data,
		[TOTEM_PACKET_TOKEN] = totem_operational_on_token,
		[TOTEM_PACKET_TOKEN_ACK] = on_ack,
		[TOTEM_PACKET_HOLD_CANCEL] = totem_operational_on_hold_cancel,
		[TOTEM_PACKET_HEARTBEAT] = on_heartbeat,
		[TOTEM_PACKET_JOIN] = totem_operational_on_join,
		[TOTEM_PACKET_COMMIT] = totem_operational_on_commit,
		[TOTEM_PACKET_LEAVE] = on_leave,
		[TOTEM_PACKET_MERGE_DETECT] = totem_operational_on_merge,
		[TOTEM_PACKET_WITNESS] = totem_witness_receive,
	},
	[TOTEM_STATE_GATHER] = {
		[TOTEM_PACKET_DATA] = totem_gather_on_data,
		[TOTEM_PACKET_DATA_RETX] = totem_gather_on_data,
		[TOTEM_PACKET_TOKEN] = totem_refuse_token,
		[TOTEM_PACKET_TOKEN_ACK] = ignore,
		[TOTEM_PACKET_HOLD_CANCEL] = ignore,
		[TOTEM_PACKET_HEARTBEAT] = on_heartbeat,
		[TOTEM_PACKET_JOIN] = totem_gather_on_join,
		[TOTEM_PACKET_COMMIT] = totem_gather_on_commit,
		[TOTEM_PACKET_LEAVE] = on_leave,
		[TOTEM_PACKET_MERGE_DETECT] = totem_gather_on_merge,
		[TOTEM_PACKET_WITNESS] = totem_witness_receive,
	},
	[TOTEM_STATE_COMMIT] = {
		[TOTEM_PACKET_DATA] = foreign_data, /* the store is frozen */
		[TOTEM_PACKET_DATA_RETX] = foreign_data,
		[TOTEM_PACKET_TOKEN] = totem_refuse_token,
		[TOTEM_PACKET_TOKEN_ACK] = on_ack,
		[TOTEM_PACKET_HOLD_CANCEL] = ignore,
		[TOTEM_PACKET_HEARTBEAT] = on_heartbeat,
		[TOTEM_PACKET_JOIN] = totem_commit_on_join,
		[TOTEM_PACKET_COMMIT] = totem_commit_on_commit,
		[TOTEM_PACKET_LEAVE] = on_leave,
		[TOTEM_PACKET_MERGE_DETECT] = ignore,
		[TOTEM_PACKET_WITNESS] = totem_witness_receive,
	},
	[TOTEM_STATE_RECOVERY] = {
		[TOTEM_PACKET_DATA] = totem_recovery_on_data,
		[TOTEM_PACKET_DATA_RETX] = totem_recovery_on_data,
		[TOTEM_PACKET_TOKEN] = totem_recovery_on_token,
		[TOTEM_PACKET_TOKEN_ACK] = on_ack,
		[TOTEM_PACKET_HOLD_CANCEL] = ignore,
		[TOTEM_PACKET_HEARTBEAT] = on_heartbeat,
		[TOTEM_PACKET_JOIN] = totem_commit_on_join,
		[TOTEM_PACKET_COMMIT] = totem_recovery_on_commit,
		[TOTEM_PACKET_LEAVE] = on_leave,
		[TOTEM_PACKET_MERGE_DETECT] = ignore,
		[TOTEM_PACKET_WITNESS] = totem_witness_receive,
	},
	[TOTEM_STATE_LEFT] = {
		[TOTEM_PACKET_DATA] = ignore,
		[TOTEM_PACKET_DATA_RETX] = ignore,
		[TOTEM_PACKET_TOKEN] = left_answer,
		[TOTEM_PACKET_TOKEN_ACK] = ignore,
		[TOTEM_PACKET_HOLD_CANCEL] = ignore,
		[TOTEM_PACKET_HEARTBEAT] = ignore,
		[TOTEM_PACKET_JOIN] = left_answer,
		[TOTEM_PACKET_COMMIT] = left_answer,
		[TOTEM_PACKET_LEAVE] = ignore,
		[TOTEM_PACKET_MERGE_DETECT] = ignore,
		[TOTEM_PACKET_WITNESS] = ignore,
	},
};

/* Whom I failed was another life, or one that I never heard. */
static bool
forgive(struct totem *t, uint64_t bit)
{
	if (!(t->gather.fail & bit))
		return false;
	t->gather.fail &= ~bit;
	if (t->state == TOTEM_STATE_GATHER)
		totem_gather_hurry(t);
	return true;
}

/* A newer incarnation of a node speaks: the old one is dead. */
static void
note_restart(struct totem *t, uint32_t node, uint64_t incarnation)
{
	struct totem_peer *peer = &t->peer[node];
	bool is_first = peer->incarnation == 0;
	uint64_t bit = TOTEM_BIT(node);

	peer->incarnation = incarnation;
	/* What others relayed may be of an older one. */
	peer->row = (struct totem_row){ 0 };
	if (!forgive(t, bit) && is_first)
		return;
	t->gather.cons &= TOTEM_BIT(t->self);
	peer->proc_since_ns = t->now_ns; /* its rows are still to come */
	if (is_first)
		return;
	totem_trace_peer(t, TOTEM_TRACE_PEER_RESTARTED, node, incarnation);
	peer->join_seen = 0;
	peer->part_have = 0;
	peer->is_alive = false;
	peer->is_on_trial = false; /* this life has failed nobody */
	peer->is_mismatched = false;
	peer->company = 0;
	t->hears &= ~bit; /* until totem_detect_heard puts it back */
	totem_reach_note(t, node);
}

/* The ring that node was in, or was to be in, is broken: it is another now. */
static bool
is_ring_broken(const struct totem *t, uint32_t node)
{
	if (t->state == TOTEM_STATE_OPERATIONAL)
		return t->inst->members >> node & 1;
	if (t->state == TOTEM_STATE_COMMIT || t->state == TOTEM_STATE_RECOVERY)
		return t->form->members >> node & 1;
	return false;
}

/* Who speaks, and for the how manieth time it was started; is it a sign that
 * it lives and gets through? */
static void
hear(struct totem *t, uint32_t node, uint64_t incarnation, bool is_life)
{
	uint64_t known = t->peer[node].incarnation;

	if (incarnation > known)
		note_restart(t, node, incarnation);
	if (is_life)
		totem_detect_heard(t, node);
	if (incarnation > known && known != 0 && is_ring_broken(t, node))
		totem_gather_enter(t, TOTEM_REASON_RESTART);
}

static void
receive(struct totem *t, const struct totem_input *in)
{
	int from = totem_wire_idx(&t->table, in->packet.node);

	if (from < 0 || (uint32_t)from == t->self) {
		t->count[TOTEM_COUNT_PACKETS_UNKNOWN]++;
		return;
	}
	struct totem_rx rx = { .from = (uint32_t)from,
		.bytes = in->packet.bytes,
		.len = in->packet.len };
	struct totem_peer *peer = &t->peer[from];
	if (in->packet.incarnation < peer->incarnation) {
		t->count[TOTEM_COUNT_PACKETS_STALE]++;
		return;
	}
	/* It is in no ring of ours yet, and may not get through to us. */
	if (in->packet.is_shared &&
	    in->packet.incarnation > peer->incarnation) {
		t->count[TOTEM_COUNT_PACKETS_UNKNOWN]++;
		return;
	}
	if (rx.len == 0 || rx.len > t->cfg.frame_bytes || rx.bytes[0] == 0 ||
	    rx.bytes[0] >= TOTEM_PACKETS) {
		t->count[TOTEM_COUNT_PACKETS_MALFORMED]++;
		return;
	}
	if (t->state != TOTEM_STATE_LEFT)
		hear(t, rx.from, in->packet.incarnation,
		    rx.bytes[0] != TOTEM_PACKET_LEAVE && !in->packet.is_shared);
	handler[t->state][rx.bytes[0]](t, &rx);
}

/* ---- the other inputs -------------------------------------------------- */

static void
sockets_idle(struct totem *t)
{
	if (t->state != TOTEM_STATE_OPERATIONAL)
		return;
	if (t->has_pending)
		totem_operational_run_token(t);
	else if (t->inst->count == 1)
		totem_alone_visit(t);
}

static void
submit(struct totem *t, const struct totem_input *in)
{
	totem_submit(t, in);
	if (totem_backlog(t) > 0 &&
	    !totem_timer_is_set(t, TOTEM_TIMER_HOLD_CANCEL))
		totem_hold_ask(t);
}

static void
open_gate(struct totem *t, struct totem_ring_id ring)
{
	if (t->state == TOTEM_STATE_LEFT ||
	    !totem_ring_equal(ring, t->inst->id) || t->is_gate_open)
		return;
	t->is_gate_open = true;
	totem_trace(t, TOTEM_TRACE_GATE_OPENED, ring.seq, 0, 0);
	if (totem_backlog(t) > 0)
		totem_hold_ask(t);
}

static void
hear_verdict(struct totem *t, const struct totem_input *in)
{
	int node = totem_wire_idx(&t->table, in->peer.node);
	enum totem_verdict verdict = in->peer.verdict;

	if (node < 0 || (uint32_t)node == t->self ||
	    t->state == TOTEM_STATE_LEFT)
		return;
	/* A verdict on a later life than is known here is one on this, too. */
	if (in->peer.incarnation != 0 &&
	    in->peer.incarnation < t->peer[node].incarnation)
		return;
	if (verdict == TOTEM_PEER_DEAD)
		totem_detect_verdict(t, (uint32_t)node, TOTEM_REASON_TIMEOUT);
	else if (verdict == TOTEM_PEER_PROOF)
		totem_detect_verdict(t, (uint32_t)node, TOTEM_REASON_PROOF);
	else if (t->peer[node].is_alive)
		totem_witness_ask(t, TOTEM_BIT(node));
}

/* This process was not run for so long that its timers mean nothing. */
static void
check_late(struct totem *t)
{
	uint64_t late = num_sub(t->now_ns, totem_deadline_ns(t));

	if (t->state == TOTEM_STATE_LEFT)
		return;
	if (late >= t->cfg.suspect_min_ns / 2)
		totem_detect_late(t, late);
	else if (late >= t->cfg.suspect_min_ns / 4)
		totem_detect_stressed(t, TOTEM_HEALTH_MAX);
}

static void
dispatch(struct totem *t, const struct totem_input *in)
{
	switch (in->kind) {
	case TOTEM_IN_PACKET:
		receive(t, in);
		break;
	case TOTEM_IN_IDLE:
		sockets_idle(t);
		break;
	case TOTEM_IN_DEADLINE:
		run_timers(t);
		break;
	case TOTEM_IN_SUBMIT:
		submit(t, in);
		break;
	case TOTEM_IN_GATE:
		open_gate(t, in->gate);
		break;
	case TOTEM_IN_PEER:
		hear_verdict(t, in);
		break;
	case TOTEM_IN_PERSISTED:
		persisted(t, in->persisted_ring_seq);
		break;
	case TOTEM_IN_LEAVE:
		totem_leave_begin(t);
		break;
	case TOTEM_INPUTS:
		break;
	}
}

void
totem_step(struct totem *t, const struct totem_input *in)
{
	ENSURE(in->now_ns >= t->now_ns);
	ENSURE(t->out_first == t->out_count);
	ENSURE(t->install.step == TOTEM_INSTALL_NONE);
	t->now_ns = in->now_ns;
	t->out_first = t->out_count = 0;
	t->ctl_used = 0;
	check_late(t);
	dispatch(t, in);
	if (t->install.step != TOTEM_INSTALL_NONE)
		return; /* first its deliveries */
	if (t->state == TOTEM_STATE_GATHER &&
	    t->deadline[TOTEM_TIMER_JOIN] <= t->now_ns)
		totem_gather_join_timer(t);
	totem_leave_check(t);
}

/* ---- creation ---------------------------------------------------------- */

void
totem_config_default(struct totem_config *cfg)
{
	*cfg = (struct totem_config){
		.frame_bytes = LIMIT_FRAME_BYTES_DEFAULT,
		.message_bytes_max = LIMIT_MESSAGE_BYTES_DEFAULT,
		.queue_bytes = 2 * LIMIT_MESSAGE_BYTES_DEFAULT,
		.window = LIMIT_WINDOW_DEFAULT,
		.window_max = LIMIT_WINDOW_MAX,
		.visit_frames = LIMIT_VISIT_FRAMES,
		.accelerated_frames = LIMIT_VISIT_FRAMES / 2,
	};
	totem_config_preset(cfg, TOTEM_PRESET_LAN);
}

uint32_t
totem_frame_bytes_min(uint32_t node_count)
{
	uint32_t whole =
	    TOTEM_WIRE_COMMIT_HEADER + node_count * TOTEM_WIRE_COMMIT_ENTRY;
	uint32_t part = whole / LIMIT_CONTROL_PARTS + 1;

	return (uint32_t)num_max(
	    LIMIT_FRAME_BYTES_MIN, part + TOTEM_WIRE_PART_HEADER);
}

static void
check_config(const struct totem_config *cfg)
{
	ENSURE(cfg->node_count >= 1 && cfg->node_count <= LIMIT_NODES);
	for (uint32_t i = 0; i < cfg->node_count; i++) {
		ENSURE(cfg->nodes[i] >= 1);
		ENSURE(cfg->nodes[i] <= LIMIT_NODE_ID_MAX);
		ENSURE(i == 0 || cfg->nodes[i] > cfg->nodes[i - 1]);
	}
	ENSURE(cfg->frame_bytes >= totem_frame_bytes_min(cfg->node_count));
	ENSURE(cfg->frame_bytes <= LIMIT_FRAME_BYTES_MAX);
	ENSURE(cfg->message_bytes_max <= LIMIT_MESSAGE_BYTES_MAX);
	ENSURE(cfg->window >= LIMIT_WINDOW_MIN);
	ENSURE(cfg->window <= cfg->window_max);
	ENSURE(cfg->window_max <= LIMIT_WINDOW_MAX);
	ENSURE(cfg->visit_frames >= 1);
	ENSURE(cfg->visit_frames <= TOTEM_VISIT_FRAMES_MAX);
	ENSURE(cfg->heartbeat_ns > 0 && cfg->idle_hold_ns > 0);
	ENSURE(cfg->suspect_min_ns > 0 && cfg->confirm_min_ns > 0);
	ENSURE(cfg->suspect_max_ns >= cfg->suspect_min_ns);
	ENSURE(cfg->confirm_max_ns >= cfg->confirm_min_ns);
	ENSURE(cfg->hop_max_ns >= TOTEM_MS);
	ENSURE(cfg->token_loss_max_ns >= cfg->token_loss_min_ns);
}

static void
take_memory(struct totem *t, struct arena *arena)
{
	size_t control = (size_t)LIMIT_CONTROL_PARTS * t->cfg.frame_bytes;
	bool is_measuring = arena->base == NULL;

	totem_store_init(t, arena);
	totem_pack_init(t, arena);
	for (uint32_t i = 0; i < LIMIT_MESSAGES_LARGE; i++) {
		uint8_t *bytes = arena_take(arena, t->cfg.message_bytes_max);
		if (!is_measuring)
			t->slot[i].bytes = bytes;
	}
	/* Nodes may be added. */
	for (uint32_t i = 0; i < LIMIT_NODES; i++) {
		uint8_t *bytes = arena_take(arena, control);
		if (!is_measuring)
			t->peer[i].part_bytes = bytes;
	}
	size_t ctl_size = (size_t)CTL_PACKETS * t->cfg.frame_bytes;
	uint8_t *ctl = arena_take(arena, ctl_size);
	uint8_t *whole = arena_take(arena, TOTEM_WIRE_CONTROL_MAX);
	if (is_measuring)
		return;
	t->ctl = ctl;
	t->ctl_size = ctl_size;
	t->whole = whole;
}

/* The ring that this incarnation alone is in before it joins any. */
static void
begin_alone(struct totem *t, const struct totem_boot *boot)
{
	struct totem_ring *ring = t->inst;

	t->max_seq = boot->ring_seq + 1;
	t->reserved_seq = boot->ring_seq_reserved;
	t->promised_seq = t->max_seq;
	ring->id = (struct totem_ring_id){ .seq = t->max_seq,
		.rep = t->cfg.self,
		.nonce = (uint32_t)rng_next(&t->rng) | 1 };
	totem_ring_members(t, ring, TOTEM_BIT(t->self));
	ring->incarnation[t->self] = t->incarnation;
	t->oblig = TOTEM_BIT(t->self);
	t->is_fresh = true;
	t->state = TOTEM_STATE_OPERATIONAL;
	totem_gather_enter(t, TOTEM_REASON_START);
	t->gather.may_be_alone = t->cfg.node_count == 1;
}

struct totem *
totem_create(struct arena *arena, const struct totem_config *cfg,
    const struct totem_boot *boot)
{
	struct totem measured = { .cfg = *cfg };
	struct totem *t = arena_take(arena, sizeof *t);

	check_config(cfg);
	if (arena->base == NULL) {
		take_memory(&measured, arena);
		return NULL;
	}
	memset(t, 0, sizeof *t);
	t->cfg = *cfg;
	t->now_ns = boot->now_ns;
	t->incarnation = boot->incarnation;
	rng_init(&t->rng, boot->seed);
	t->table.count = cfg->node_count;
	memcpy(t->table.id, cfg->nodes, sizeof t->table.id);
	int self = totem_wire_idx(&t->table, cfg->self);
	ENSURE(self >= 0);
	t->self = (uint32_t)self;
	t->peer[self].incarnation = boot->incarnation;
	memset(t->slot_of, TOTEM_NO_SLOT, sizeof t->slot_of);
	for (int i = 0; i < TOTEM_TIMERS; i++)
		t->deadline[i] = TOTEM_NEVER;
	take_memory(t, arena);
	totem_detect_init(t);
	begin_alone(t, boot);
	totem_need_seq(t);
	return t;
}

uint64_t
totem_others(const struct totem *t)
{
	uint64_t all = t->table.count == LIMIT_NODES
	    ? UINT64_MAX
	    : TOTEM_BIT(t->table.count) - 1;

	return all & ~TOTEM_BIT(t->self);
}
