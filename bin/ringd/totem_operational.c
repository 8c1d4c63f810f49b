/* SPDX-License-Identifier: BSD-3-Clause */
/* Operational: the ring is whole and the token turns (1.2, 1.3, 2.2).
 *
 * A token that arrives waits until the sockets are drained, or until a frame
 * that its sender sent after it shows that everything before it is here
 * (Accelerated Ring), so that it does not ask again for frames in flight.
 *
 * We differ from the papers: a JOIN that lists me as failed, or that is older
 * than my ring, is ignored; a stranger's JOIN counts only when it comes from
 * one that never had company, or as the outcome of merge detection, and when it
 * can hear every member, and they it; of a merge, all whom it asks.
 */
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/ringd/totem_internal.h"

enum { PENDING_MS = 1, PENDING_FRAMES = 512 };

/* ---- data -------------------------------------------------------------- */

void
totem_frame_progress(struct totem *t, const struct totem_frame *frame)
{
	uint32_t lag = frame->visit - (uint32_t)t->token.token_seq;

	/* Its sender was visited after I forwarded the token. */
	if (lag < UINT32_MAX / 2 && !frame->is_retransmit)
		totem_hop_acked(t, t->token.token_seq);
}

static bool
is_after_pending(
    struct totem *t, const struct totem_rx *rx, const struct totem_frame *frame)
{
	return t->has_pending && (frame->flags & TOTEM_FRAME_POST) &&
	    rx->from == t->inst->predecessor && frame->sender == rx->from &&
	    frame->visit + 1 == (uint32_t)t->pending.token_seq;
}

/* Stores a frame of the installed ring; false when it is of another. */
static bool
take_frame(
    struct totem *t, const struct totem_rx *rx, struct totem_frame *frame)
{
	if (!totem_wire_get_frame(&t->table, rx->bytes, rx->len, frame)) {
		t->count[TOTEM_COUNT_PACKETS_MALFORMED]++;
		return false;
	}
	if (!totem_ring_equal(frame->ring, t->inst->id) ||
	    !(t->inst->members >> rx->from & 1) ||
	    (frame->flags & TOTEM_FRAME_RECOVERY)) {
		t->count[TOTEM_COUNT_FRAMES_FOREIGN]++;
		return false;
	}
	t->count[TOTEM_COUNT_FRAMES_RECEIVED]++;
	(void)totem_store(t, t->inst, frame, rx->bytes, rx->len);
	return true;
}

void
totem_operational_on_data(struct totem *t, const struct totem_rx *rx)
{
	struct totem_frame frame;

	if (!take_frame(t, rx, &frame))
		return;
	t->app_frame_ns = t->now_ns;
	totem_frame_progress(t, &frame);
	if (!t->has_pending)
		return;
	if (is_after_pending(t, rx, &frame) ||
	    ++t->pending_frames >= PENDING_FRAMES)
		totem_operational_run_token(t);
}

/* The ring no longer turns, but what it had still counts. */
void
totem_gather_on_data(struct totem *t, const struct totem_rx *rx)
{
	struct totem_frame frame;

	(void)take_frame(t, rx, &frame);
}

/* ---- the token --------------------------------------------------------- */

void
totem_refuse_token(struct totem *t, const struct totem_rx *rx)
{
	t->count[TOTEM_COUNT_TOKEN_REFUSED]++;
	totem_trace_peer(t, TOTEM_TRACE_TOKEN_REFUSED, rx->from, 0);
}

/* A token knows of every frame that I know of, and of none that I could have
 * no place for. */
static bool
is_plausible(const struct totem_ring *ring, const struct totem_token *token)
{
	return token->seq >= ring->high &&
	    token->seq - ring->gc <= LIMIT_STORE_FRAMES;
}

static void
condemn_token(struct totem *t, uint32_t from)
{
	t->count[TOTEM_COUNT_TOKEN_REFUSED]++;
	totem_trace_peer(t, TOTEM_TRACE_TOKEN_REFUSED, from, 0);
	totem_gather_enter(t, TOTEM_REASON_PROTOCOL);
}

bool
totem_accept_token(struct totem *t, struct totem_ring *ring,
    const struct totem_rx *rx, struct totem_token *token)
{
	uint64_t seen = ring->token_seq;

	if (!totem_wire_get_token(&t->table, rx->bytes, rx->len, token)) {
		t->count[TOTEM_COUNT_PACKETS_MALFORMED]++;
		return false;
	}
	if (!totem_ring_equal(token->ring, ring->id) ||
	    rx->from != ring->predecessor) {
		totem_refuse_token(t, rx);
		return false;
	}
	if (t->has_pending)
		seen = t->pending.token_seq;
	if (token->token_seq <= seen) {
		t->count[TOTEM_COUNT_TOKEN_DUPLICATES]++;
		totem_trace(
		    t, TOTEM_TRACE_TOKEN_DUPLICATE, token->token_seq, seen, 0);
		totem_ack_token(t, ring, seen);
		return false;
	}
	if (!is_plausible(ring, token)) {
		condemn_token(t, rx->from);
		return false;
	}
	t->count[TOTEM_COUNT_TOKENS]++;
	totem_trace(t, TOTEM_TRACE_TOKEN_RECEIVED, token->token_seq, token->seq,
	    token->aru);
	totem_hop_acked(t, token->token_seq);
	return true;
}

void
totem_operational_on_token(struct totem *t, const struct totem_rx *rx)
{
	struct totem_token token;

	if (!totem_accept_token(t, t->inst, rx, &token))
		return;
	t->pending = token;
	t->has_pending = true;
	t->pending_frames = 0;
	totem_token_loss_restart(t);
	totem_timer_set(
	    t, TOTEM_TIMER_PENDING, t->now_ns + PENDING_MS * TOTEM_MS);
}

void
totem_operational_run_token(struct totem *t)
{
	ENSURE(t->has_pending);
	t->has_pending = false;
	totem_timer_stop(t, TOTEM_TIMER_PENDING);
	if (is_plausible(
		t->inst, &t->pending)) /* still, with what came since */
		totem_token_visit(t, t->inst, &t->pending);
	else
		condemn_token(t, t->inst->predecessor);
}

void
totem_operational_on_hold_cancel(struct totem *t, const struct totem_rx *rx)
{
	struct totem_token_ref ref;

	if (!totem_wire_get_ref(rx->bytes, rx->len, &ref)) {
		t->count[TOTEM_COUNT_PACKETS_MALFORMED]++;
		return;
	}
	if (totem_ring_equal(ref.ring, t->inst->id) &&
	    t->inst->order[0] == t->self && t->inst->count > 1)
		totem_hold_release(t);
}

/* ---- JOIN (3.4) -------------------------------------------------------- */

static bool
is_co_member(const struct totem *t, uint32_t node)
{
	return (t->inst->members >> node & 1) &&
	    t->inst->incarnation[node] == t->peer[node].incarnation;
}

static bool
is_welcome(struct totem *t, uint32_t from, const struct totem_join *join)
{
	if (totem_join_accuses_me(t, join))
		return false; /* it has given me up: let it go its way */
	if (is_co_member(t, from))
		return join->ring_seq >= t->inst->id.seq;
	if (join->fail & t->inst->members)
		return false; /* nor would it go with all of mine */
	if (join->proc & ~join->fail & totem_refused(t))
		return false; /* I would not go with all of them */
	if (!join->is_fresh && join->reason != TOTEM_REASON_MERGE)
		return false; /* let it form its ring; then we merge */
	if (!join->is_fresh && join->ring_seq < t->inst->id.seq)
		return false; /* it set out before my ring was there */
	uint64_t all = t->inst->members | (join->proc & ~join->fail);
	if (join->reason == TOTEM_REASON_MERGE && totem_is_split(t, all))
		return false; /* they and mine could not be one ring */
	return totem_is_complete(t, t->inst->members | TOTEM_BIT(from));
}

void
totem_operational_on_join(struct totem *t, const struct totem_rx *rx)
{
	if (!totem_join_read(t, rx))
		return;
	if (!is_welcome(t, rx->from, &t->join)) {
		t->count[TOTEM_COUNT_JOINS_IGNORED]++;
		totem_trace_peer(
		    t, TOTEM_TRACE_JOIN_IGNORED, rx->from, t->join.ring_seq);
		return;
	}
	totem_gather_enter(t,
	    t->join.reason == TOTEM_REASON_MERGE ? TOTEM_REASON_MERGE
						 : TOTEM_REASON_JOIN);
	totem_join_process(t, rx->from, &t->join);
}
