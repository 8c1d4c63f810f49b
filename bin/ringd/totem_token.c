/* SPDX-License-Identifier: BSD-3-Clause */
/* Custody of the token: the visit, forwarding, hop retransmission, idle hold
 * (1.2, 1.3, 1.8, 1.9, 2).
 *
 * The visit follows the papers' order exactly; its steps are numbered V1 to V15
 * as in DESIGN.md.  We differ: the token goes out before the last frames of
 * the visit (Accelerated Ring); a forwarded token is resent by its sender
 * within milliseconds until the successor shows that it has it; an idle ring's
 * token rests at the representative, and whoever wants it asks until it comes.
 *
 * Why stable = min of two forwarded arus is safe: let a node forward aru a and,
 * one rotation later, b, and s <= min(a, b).  Had some member lacked s when the
 * token passed it in between, it would have lowered aru below s and become
 * aru_node; only it may raise it again, on a later visit; so b < s.
 */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/wrbuf.h"

#include "bin/ringd/totem_internal.h"

enum {
	HOP_RTO_MIN_MS = 1,
	HOLD_CANCEL_MS = 2,
	HOLD_CANCEL_MAX_MS = 20, /* when nobody seems to listen */
	HOT_MS = 10,             /* after a message the ring keeps turning */
};

/* What one visit built, in order of sequence numbers. */
struct visit {
	struct totem_ring *ring;
	struct totem_token *token;
	uint64_t seq_in, aru_in;
	uint32_t answered;
	uint32_t built;
	bool is_recovery;
	uint16_t cell[LIMIT_WINDOW_MAX];
};

/* ---- timers of the token ----------------------------------------------- */

uint64_t
totem_token_loss_span(const struct totem *t)
{
	uint64_t span = t->cfg.token_loss_ns;

	if (span == 0) {
		span = 3 * (t->rotation_ns + 4 * t->rotation_dev_ns) +
		    TOTEM_HOP_TRIES * t->cfg.hop_max_ns;
		span = num_clamp(
		    span, t->cfg.token_loss_min_ns, t->cfg.token_loss_max_ns);
	}
	span = num_min(span * (1 + t->health),
	    num_max(span, 2 * t->cfg.token_loss_max_ns));
	return span + 2 * t->cfg.idle_hold_ns;
}

void
totem_token_loss_restart(struct totem *t)
{
	totem_timer_set(
	    t, TOTEM_TIMER_TOKEN_LOSS, t->now_ns + totem_token_loss_span(t));
}

void
totem_token_stop(struct totem *t)
{
	t->has_pending = false;
	t->is_held = false;
	t->is_turning = false;
	totem_timer_stop(t, TOTEM_TIMER_PENDING);
	totem_timer_stop(t, TOTEM_TIMER_TOKEN_LOSS);
	totem_timer_stop(t, TOTEM_TIMER_HOP);
	totem_timer_stop(t, TOTEM_TIMER_HOLD);
	totem_timer_stop(t, TOTEM_TIMER_HOLD_CANCEL);
}

/* ---- forwarding and hop retransmission (1.9) --------------------------- */

static struct totem_ring *
token_ring(struct totem *t)
{
	return t->state == TOTEM_STATE_RECOVERY ? t->form : t->inst;
}

/* Sends the token this node keeps, whether for the first time or again. */
static void
send_token(struct totem *t, struct totem_ring *ring)
{
	struct wrbuf wr;

	wrbuf_init(&wr, totem_ctl(t), t->cfg.frame_bytes);
	totem_wire_put_token(&wr, &t->table, &t->token);
	totem_send_ctl(t, TOTEM_BIT(ring->successor), &wr);
}

void
totem_token_forward(struct totem *t, struct totem_ring *ring)
{
	ENSURE(ring->count > 1);
	totem_trace(t, TOTEM_TRACE_TOKEN_SENT, t->token.token_seq, t->token.seq,
	    t->token.aru);
	send_token(t, ring);
	totem_hop_start(t, false);
}

void
totem_hop_start(struct totem *t, bool is_commit)
{
	t->is_hop_commit = is_commit;
	t->hop_tries = 0;
	t->hop_sent_ns = t->now_ns;
	t->hop_rto_ns = num_clamp(
	    4 * t->hop_rtt_ns, HOP_RTO_MIN_MS * TOTEM_MS, t->cfg.hop_max_ns);
	totem_timer_set(t, TOTEM_TIMER_HOP, t->now_ns + t->hop_rto_ns);
}

/* Somebody has shown that the token got as far as token_seq. */
void
totem_hop_acked(struct totem *t, uint64_t token_seq)
{
	uint64_t mine =
	    t->is_hop_commit ? t->commit.token_seq : t->token.token_seq;

	if (token_seq < mine || !totem_timer_is_set(t, TOTEM_TIMER_HOP))
		return;
	totem_timer_stop(t, TOTEM_TIMER_HOP);
	/* After a retry it is not known which was answered.  Without such
	 * samples a slow path would never be learnt: they count as the longest
	 * they can have been, within what the timer can become anyway. */
	uint64_t rtt = num_min(t->now_ns - t->hop_sent_ns, t->cfg.hop_max_ns);
	if (t->hop_rtt_ns == 0)
		t->hop_rtt_ns = rtt;
	t->hop_rtt_ns += rtt / 8;
	t->hop_rtt_ns -= t->hop_rtt_ns / 8;
}

void
totem_hop_expired(struct totem *t)
{
	/* Goes on at the slowest pace until the loss timer decides: a token
	 * that arrives late costs less than a new ring. */
	t->hop_tries++;
	t->count[TOTEM_COUNT_TOKEN_RETRANSMITS]++;
	totem_trace(t, TOTEM_TRACE_TOKEN_RESENT,
	    t->is_hop_commit ? t->commit.token_seq : t->token.token_seq,
	    t->hop_tries, 0);
	t->hop_rto_ns = num_min(2 * t->hop_rto_ns, t->cfg.hop_max_ns);
	totem_timer_set(t, TOTEM_TIMER_HOP, t->now_ns + t->hop_rto_ns);
	if (t->is_hop_commit)
		totem_commit_send(t);
	else
		send_token(t, token_ring(t));
}

void
totem_ack_token(struct totem *t, struct totem_ring *ring, uint64_t seq)
{
	struct totem_token_ref ref = { .ring = ring->id, .token_seq = seq };
	struct wrbuf wr;

	wrbuf_init(&wr, totem_ctl(t), t->cfg.frame_bytes);
	totem_wire_put_ref(&wr, TOTEM_PACKET_TOKEN_ACK, &ref);
	totem_send_ctl(t, TOTEM_BIT(ring->predecessor), &wr);
}

/* ---- idle hold (1.8) --------------------------------------------------- */

/* Asks the representative to let the idle ring turn; repeats until it does. */
void
totem_hold_ask(struct totem *t)
{
	struct totem_ring *ring = t->inst;
	struct totem_token_ref ref = { .ring = ring->id,
		.token_seq = ring->token_seq };
	struct wrbuf wr;

	if (t->state != TOTEM_STATE_OPERATIONAL || !t->was_idle ||
	    t->has_pending || ring->count == 1)
		return;
	if (ring->order[0] == t->self) {
		totem_hold_release(t);
		return;
	}
	wrbuf_init(&wr, totem_ctl(t), t->cfg.frame_bytes);
	totem_wire_put_ref(&wr, TOTEM_PACKET_HOLD_CANCEL, &ref);
	totem_send_ctl(t, TOTEM_BIT(ring->order[0]), &wr);
	totem_trace(t, TOTEM_TRACE_HOLD_CANCEL_SENT, ring->token_seq, 0, 0);
	t->count[TOTEM_COUNT_HOLD_CANCELS]++;
	totem_timer_set(
	    t, TOTEM_TIMER_HOLD_CANCEL, t->now_ns + HOLD_CANCEL_MS * TOTEM_MS);
}

/* Counts rotations that only repeat frames which do not arrive, whoever
 * answers them. */
static bool
is_stuck(struct totem *t, const struct totem_ring *ring,
    const struct totem_token *token)
{
	if (token->aru == token->seq || token->seq != ring->sent_seq ||
	    token->aru != t->stuck_aru) {
		t->stuck_aru = token->aru;
		t->stuck_rounds = 0;
		return false;
	}
	if (t->stuck_rounds < TOTEM_FAST_ROUNDS)
		t->stuck_rounds++;
	return t->stuck_rounds == TOTEM_FAST_ROUNDS;
}

/* V10: whether the ring is at rest, and whether to keep its token a while. */
static bool
decide_hold(struct totem *t, const struct visit *v, bool has_work)
{
	struct totem_token *token = v->token;
	bool is_rep = v->ring->order[0] == t->self;

	if (has_work)
		token->idle_rounds = 0;
	else if (is_rep && token->seq == v->ring->sent_seq &&
	    token->aru == token->seq && token->backlog == 0 &&
	    token->idle_rounds < UINT8_MAX)
		token->idle_rounds++;
	t->was_idle = token->idle_rounds >= TOTEM_IDLE_ROUNDS - 1;
	if (!is_rep)
		return false;
	bool is_slow = is_stuck(t, v->ring, token);
	bool is_hot = t->now_ns - t->app_frame_ns < HOT_MS * TOTEM_MS;
	bool may_hold = !t->no_hold_next;
	t->no_hold_next = false;
	return is_slow ||
	    (may_hold && !is_hot && token->idle_rounds >= TOTEM_IDLE_ROUNDS);
}

static void
hold(struct totem *t, struct totem_ring *ring)
{
	t->is_held = true;
	t->count[TOTEM_COUNT_HOLDS]++;
	totem_trace(t, TOTEM_TRACE_TOKEN_HELD, t->token.token_seq, 0, 0);
	totem_timer_set(t, TOTEM_TIMER_HOLD, t->now_ns + t->cfg.idle_hold_ns);
	totem_ack_token(t, ring, ring->token_seq);
}

/* ---- the visit (1.3) --------------------------------------------------- */

/* V1: how long a rotation takes, with its deviation (Jacobson). */
static void
sample_rotation(struct totem *t)
{
	uint64_t sample = t->now_ns - t->visit_ns;
	bool has_sample = t->is_turning;

	t->visit_ns = t->now_ns;
	t->is_turning = true;
	if (!has_sample)
		return;
	uint64_t mean = t->rotation_ns;
	uint64_t off = sample > mean ? sample - mean : mean - sample;
	t->rotation_ns = mean - mean / 8 + sample / 8;
	t->rotation_dev_ns =
	    t->rotation_dev_ns - t->rotation_dev_ns / 4 + off / 4;
}

/* One new frame: of messages, or in Recovery an old frame inside a new. */
static uint32_t
build_frame(struct totem *t, struct visit *v, struct totem_frame *frame)
{
	uint32_t cell = totem_cell_get(t);

	if (cell == TOTEM_NO_CELL) {
		t->count[TOTEM_COUNT_NO_CELL]++;
		return cell;
	}
	uint8_t *body = totem_cell_bytes(t, cell) + TOTEM_WIRE_FRAME_HEADER;
	if (v->is_recovery) {
		uint64_t seq = totem_recovery_take(t);
		if (seq != 0) {
			uint32_t old = totem_cell_at(t->inst, seq);
			frame->flags = TOTEM_FRAME_RECOVERY;
			frame->body_len = t->cell[old].len;
			memcpy(body, totem_cell_bytes(t, old), frame->body_len);
		}
	} else {
		frame->body_len = totem_pack(t, v->token, body,
		    t->cfg.frame_bytes - (size_t)TOTEM_WIRE_FRAME_HEADER,
		    &frame->flags);
	}
	if (frame->body_len > 0)
		return cell;
	totem_cell_put(t, cell);
	return TOTEM_NO_CELL;
}

/* Writes the header in front of a body that is in place, and keeps it. */
static void
keep_built(struct totem *t, struct totem_ring *ring, uint32_t cell,
    struct totem_frame *frame)
{
	size_t body_len = frame->body_len;
	struct wrbuf wr;

	frame->body_len = 0;
	wrbuf_init(&wr, totem_cell_bytes(t, cell), TOTEM_WIRE_FRAME_HEADER);
	totem_wire_put_frame(&wr, &t->table, frame);
	ENSURE(!wr.is_full && wr.len == TOTEM_WIRE_FRAME_HEADER);
	totem_keep(t, ring, cell, frame, wr.len + body_len);
}

/* V4: numbers and keeps up to `allowed` new frames. */
static void
build_frames(struct totem *t, struct visit *v, uint32_t allowed)
{
	t->has_finished_large = false;
	while (v->built < allowed) {
		struct totem_frame frame = { .sender = t->self,
			.visit = (uint32_t)v->ring->token_seq,
			.ring = v->ring->id,
			.seq = v->token->seq + 1 };
		if (!totem_fits(v->ring, frame.seq))
			return;
		uint32_t cell = build_frame(t, v, &frame);
		if (cell == TOTEM_NO_CELL)
			return;
		v->token->seq++;
		if (!v->is_recovery)
			t->own_seq = frame.seq;
		keep_built(t, v->ring, cell, &frame);
		v->cell[v->built++] = (uint16_t)cell;
	}
}

/* V6: who may raise and who must lower aru. */
static void
update_aru(struct totem *t, struct visit *v)
{
	struct totem_token *token = v->token;
	uint64_t mine = v->ring->aru;

	if (mine >= token->aru && token->aru_node != t->self + 1 &&
	    token->aru_node != 0)
		return;
	token->aru = mine;
	token->aru_node = mine == token->seq ? 0 : t->self + 1;
}

/* V8: what this node adds to the counts of the rotation. */
static void
update_counts(struct totem *t, struct visit *v)
{
	struct totem_ring *ring = v->ring;
	struct totem_token *token = v->token;
	uint32_t sent = v->answered + v->built;
	uint32_t backlog =
	    v->is_recovery ? t->recovery.queue_count : totem_backlog(t);

	token->fcc =
	    (uint32_t)num_sub((uint64_t)token->fcc + sent, ring->sent_count);
	token->backlog = (uint32_t)num_sub(
	    (uint64_t)token->backlog + backlog, ring->prev_backlog);
	ring->sent_count = sent;
	ring->prev_backlog = backlog;
}

static void
send_frames(struct totem *t, struct visit *v, uint32_t first, uint32_t end)
{
	uint64_t to = v->ring->members & ~TOTEM_BIT(t->self);

	for (uint32_t i = first; i < end; i++)
		totem_send(t, to, totem_cell_bytes(t, v->cell[i]),
		    t->cell[v->cell[i]].len);
	t->count[TOTEM_COUNT_FRAMES_SENT] += end - first;
}

static void
mark_post(struct totem *t, struct visit *v, uint32_t first)
{
	for (uint32_t i = first; i < v->built; i++) {
		t->cell[v->cell[i]].flags |= TOTEM_FRAME_POST;
		totem_cell_bytes(t, v->cell[i])[1] |= TOTEM_FRAME_POST;
	}
}

/*
 * Nothing else shows the predecessor soon that its token arrived: in a ring of
 * two the token itself does, and where a rotation is short against the wait for
 * it and nobody will hold the token yet.
 */
static bool
is_ack_needed(const struct totem *t, const struct totem_ring *ring)
{
	uint64_t rest_ns = t->now_ns - t->app_frame_ns;
	bool is_turning = 2 * rest_ns < HOT_MS * TOTEM_MS &&
	    2 * t->rotation_ns < HOP_RTO_MIN_MS * TOTEM_MS;

	return ring->count > 2 && !is_turning;
}

/* V12: the frames before the token, the token, the frames after it. */
static void
send_visit(struct totem *t, struct visit *v, bool is_holding)
{
	uint32_t after = 0;

	if (!v->is_recovery && !is_holding)
		after = (uint32_t)num_min(v->built, t->cfg.accelerated_frames);
	uint32_t before = v->built - after;
	mark_post(t, v, before);
	send_frames(t, v, 0, before);
	if (is_holding)
		hold(t, v->ring);
	else
		totem_token_forward(t, v->ring);
	send_frames(t, v, before, v->built);
	if (v->built == 0 && !is_holding && is_ack_needed(t, v->ring))
		totem_ack_token(t, v->ring, v->ring->token_seq);
}

/* V13 and the freeing of V14. */
static void
update_stable(struct totem *t, struct visit *v)
{
	struct totem_ring *ring = v->ring;
	uint64_t both = num_min(ring->sent_aru, v->token->aru);

	ring->stable = num_max(ring->stable, both);
	ring->sent_aru = v->token->aru;
	ring->sent_seq = v->token->seq;
	/* In Recovery nothing waits to be delivered; what is old and inside
	 * lies in the old store. */
	totem_free_to(t, ring,
	    v->is_recovery ? ring->stable
			   : num_min(ring->stable, ring->delivered));
}

static bool
has_work(const struct visit *v)
{
	return v->built > 0 || v->answered > 0 || v->token->rtr_count > 0 ||
	    v->ring->prev_backlog > 0;
}

void
totem_token_visit(
    struct totem *t, struct totem_ring *ring, struct totem_token *token)
{
	struct visit v = { .ring = ring,
		.token = token,
		.seq_in = token->seq,
		.aru_in = token->aru,
		.is_recovery = ring == t->form };
	bool is_install = false;

	sample_rotation(t);
	ring->token_seq = token->token_seq;
	ring->high = num_max(ring->high, token->seq);
	v.answered = totem_rtr_answer(t, ring, token);
	uint32_t backlog =
	    v.is_recovery ? t->recovery.queue_count : totem_backlog(t);
	build_frames(t, &v,
	    (uint32_t)num_sub(
		totem_allowed(t, ring, token, backlog), v.answered));
	update_aru(t, &v);
	if (v.is_recovery)
		totem_recovery_visit(t, token, &is_install);
	totem_rtr_add(
	    t, ring, token, v.is_recovery ? v.seq_in : ring->sent_seq);
	update_counts(t, &v);
	if (!v.is_recovery && totem_ftr_check(t, token, v.aru_in, v.answered))
		return;
	totem_window_adapt(t, ring, token, v.answered);
	bool is_holding = decide_hold(t, &v, has_work(&v)) && !v.is_recovery;
	if (v.built > 0)
		t->app_frame_ns = t->now_ns;

	token->token_seq++;
	t->token = *token;
	send_visit(t, &v, is_holding);
	update_stable(t, &v);
	totem_timer_stop(t, TOTEM_TIMER_HOLD_CANCEL);
	t->hold_asks = 0;
	totem_token_loss_restart(t);
	if (t->was_idle)
		totem_detect_put_off(t);
	totem_pack_writable(t);
	if (is_install)
		totem_install(t);
}

/* ---- the end of a hold (1.8) ------------------------------------------- */

/*
 * We differ from the papers: the visit lasts for as long as the token is held,
 * so what the representative itself has to say by now goes out with it and does
 * not wait for a rotation.  All was at rest: nothing is asked for and nothing
 * counted.  stable has to wait for the token's return, as after any visit.
 */
static void
extend_visit(struct totem *t)
{
	struct totem_ring *ring = t->inst;
	struct visit v = { .ring = ring, .token = &t->token };

	if (t->token.aru == t->token.seq)
		build_frames(
		    t, &v, totem_allowed(t, ring, &t->token, totem_backlog(t)));
	if (v.built == 0) {
		totem_token_forward(t, ring);
		return;
	}
	update_aru(t, &v);
	update_counts(t, &v);
	t->token.idle_rounds = 0;
	t->was_idle = false;
	t->app_frame_ns = t->now_ns;
	send_visit(t, &v, false);
	ring->sent_aru = t->token.aru;
	ring->sent_seq = t->token.seq;
	totem_pack_writable(t);
}

void
totem_hold_release(struct totem *t)
{
	if (!t->is_held) {
		t->no_hold_next = true; /* the request overtook the token */
		return;
	}
	t->is_held = false;
	totem_timer_stop(t, TOTEM_TIMER_HOLD);
	totem_trace(t, TOTEM_TRACE_HOLD_RELEASED, t->token.token_seq, 0, 0);
	if (t->inst->high > t->token.seq) { /* numbered while I had it */
		t->count[TOTEM_COUNT_TOKEN_REFUSED]++;
		totem_gather_enter(t, TOTEM_REASON_PROTOCOL);
		return;
	}
	extend_visit(t);
}

/* ---- a ring of one (1.11) ---------------------------------------------- */

/* The virtual visit: what is packed is received, stable and delivered. */
void
totem_alone_visit(struct totem *t)
{
	struct totem_ring *ring = t->inst;
	bool is_amid_large = t->queue[TOTEM_CLASS_CLIENT].offset > 0 ||
	    t->queue[TOTEM_CLASS_SYSTEM].offset > 0;
	struct totem_token token = { .ring = ring->id,
		.seq = ring->high,
		.window = LIMIT_WINDOW_MIN,
		.large = is_amid_large };
	struct visit v = { .ring = ring, .token = &token };

	ENSURE(ring->count == 1);
	totem_free_to(t, ring, num_min(ring->stable, ring->delivered));
	ring->token_seq++;
	build_frames(t, &v, t->cfg.visit_frames);
	ring->high = token.seq;
	ENSURE(ring->aru == ring->high);
	ring->stable = ring->high;
	ring->sent_aru = ring->sent_seq = ring->high;
	totem_pack_writable(t);
	if (totem_backlog(t) > 0)
		totem_timer_set(t, TOTEM_TIMER_PENDING, t->now_ns);
}
