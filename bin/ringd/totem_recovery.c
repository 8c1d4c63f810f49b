/* SPDX-License-Identifier: BSD-3-Clause */
/* Recovery: the members of the old ring even out what they hold of it, then
 * install the new one (3.6, 3.7, 3.8).
 *
 * Two full rotations after nobody has more to send end it: the first proves
 * that all have the frames, the second that all know so.  Hence, when anybody
 * has installed, every member has taken on the obligation to deliver.
 *
 * We differ from the papers: each missing frame is sent by one holder, chosen
 * from the bitmaps of the COMMIT token; what was recovered is kept when this
 * attempt fails; obligations are unions and only grow until an install.
 */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/ringd/totem_internal.h"

/* ---- what to send (3.6) ------------------------------------------------ */

enum holds { HOLDS_NO, HOLDS_YES, HOLDS_UNKNOWN };

static enum holds
holds(const struct totem_commit_entry *entry, uint64_t seq)
{
	if (seq <= entry->aru)
		return HOLDS_YES;
	if (seq > entry->high)
		return HOLDS_NO;
	uint64_t bit = seq - entry->aru - 1;
	if (bit / 8 < entry->held_len)
		return entry->held[bit / 8] >> (bit % 8) & 1 ? HOLDS_YES
							     : HOLDS_NO;
	return HOLDS_UNKNOWN;
}

/* Somebody may lack it, and no lower member surely has it. */
static bool
is_mine_to_send(const struct totem *t, uint64_t seq)
{
	bool is_needed = false;

	for (uint32_t i = 0; i < t->table.count; i++) {
		if (!(t->recovery.trans >> i & 1))
			continue;
		enum holds has = holds(&t->commit.entry[i], seq);
		if (has == HOLDS_YES && i < t->self)
			return false;
		is_needed |= has != HOLDS_YES;
	}
	return is_needed;
}

static void
queue_frames(struct totem *t)
{
	struct totem_recovery *recovery = &t->recovery;

	recovery->queue_next = recovery->low_aru + 1;
	for (uint64_t seq = recovery->low_aru + 1; seq <= recovery->top;
	     seq++) {
		if (!totem_has(t->inst, seq) || !is_mine_to_send(t, seq))
			continue;
		uint64_t at = seq & TOTEM_STORE_MASK;
		recovery->queue[at / 64] |= UINT64_C(1) << (at % 64);
		recovery->queue_count++;
	}
}

uint64_t
totem_recovery_take(struct totem *t)
{
	struct totem_recovery *recovery = &t->recovery;

	while (recovery->queue_count > 0) {
		uint64_t seq = recovery->queue_next++;
		uint64_t at = seq & TOTEM_STORE_MASK;
		uint64_t bit = UINT64_C(1) << (at % 64);
		ENSURE(seq <= recovery->top);
		if (!(recovery->queue[at / 64] & bit))
			continue;
		recovery->queue[at / 64] &= ~bit;
		recovery->queue_count--;
		return seq;
	}
	return 0;
}

/* Somebody has sent this old frame: I need not. */
static void
unqueue(struct totem *t, uint64_t seq)
{
	struct totem_recovery *recovery = &t->recovery;
	uint64_t at = seq & TOTEM_STORE_MASK;
	uint64_t bit = UINT64_C(1) << (at % 64);

	if (seq < recovery->queue_next || seq > recovery->top ||
	    !(recovery->queue[at / 64] & bit))
		return;
	recovery->queue[at / 64] &= ~bit;
	recovery->queue_count--;
}

/* Who came with me from my old ring, and the bounds over their entries. */
void
totem_recovery_prepare(struct totem *t)
{
	struct totem_recovery *recovery = &t->recovery;

	memset(recovery, 0, sizeof *recovery);
	recovery->low_aru = UINT64_MAX;
	recovery->install_seq = t->form->high;
	for (uint32_t i = 0; i < t->table.count; i++) {
		const struct totem_commit_entry *entry = &t->commit.entry[i];
		if (!(t->form->members >> i & 1) ||
		    !totem_ring_equal(entry->old, t->inst->id) ||
		    t->form->incarnation[i] != t->inst->incarnation[i])
			continue;
		recovery->trans |= TOTEM_BIT(i);
		recovery->new_oblig |= TOTEM_BIT(i) | entry->oblig;
		recovery->max_stable =
		    num_max(recovery->max_stable, entry->stable);
		recovery->max_delivered =
		    num_max(recovery->max_delivered, entry->delivered);
		recovery->low_aru = num_min(recovery->low_aru, entry->aru);
		recovery->top = num_max(recovery->top, entry->high);
	}
	ENSURE(recovery->trans & TOTEM_BIT(t->self));
}

/* Nobody lacks what is stable, and all of it has a place in one store. */
static bool
is_consistent(const struct totem_recovery *recovery)
{
	return recovery->max_stable <= recovery->low_aru &&
	    recovery->top - recovery->low_aru <= LIMIT_STORE_FRAMES;
}

void
totem_recovery_enter(struct totem *t)
{
	t->state = TOTEM_STATE_RECOVERY;
	totem_recovery_prepare(t);
	if (!is_consistent(&t->recovery)) {
		totem_gather_enter(t, TOTEM_REASON_PROTOCOL);
		return;
	}
	if (t->recovery.trans != TOTEM_BIT(t->self))
		queue_frames(t);
	totem_trace(t, TOTEM_TRACE_RECOVERY, t->form->id.seq, t->recovery.trans,
	    t->recovery.queue_count);
	t->commit.token_seq++;
	totem_token_loss_restart(t);
	totem_commit_send(t);
	totem_hop_start(t, true);
}

/* ---- the representative makes the first token of the ring -------------- */

static void
originate(struct totem *t)
{
	struct totem_token token = { .ring = t->form->id,
		.token_seq = t->form->token_seq,
		.seq = t->form->high,
		.aru = t->form->high,
		.aru_node = t->self + 1,
		.window = (uint16_t)t->cfg.window };

	t->recovery.is_originated = true;
	totem_token_visit(t, t->form, &token);
}

/* Back at the representative: all have read all entries. */
void
totem_recovery_on_commit(struct totem *t, const struct totem_rx *rx)
{
	uint32_t position;
	const struct totem_commit *commit = totem_commit_read(t, rx, &position);

	if (commit == NULL || totem_commit_follow(t, rx, commit, position) ||
	    !totem_ring_equal(commit->ring, t->form->id))
		return;
	totem_ack_token(t, t->form, commit->token_seq);
	if (t->form->order[0] != t->self || t->recovery.is_originated ||
	    commit->filled != t->form->count ||
	    commit->token_seq <= t->commit.token_seq)
		return;
	totem_hop_acked(t, commit->token_seq);
	t->form->token_seq = commit->token_seq;
	originate(t);
}

/* ---- frames and tokens of the forming ring ----------------------------- */

/* The old frame inside goes into the old store at once, and stays there. */
static void
take_old_frame(struct totem *t, const struct totem_frame *outer)
{
	struct totem_frame old;

	if (!totem_wire_get_frame(
		&t->table, outer->body, outer->body_len, &old)) {
		t->count[TOTEM_COUNT_PACKETS_MALFORMED]++;
		return;
	}
	if (!totem_ring_equal(old.ring, t->inst->id))
		return; /* of another old ring: only to be passed on */
	unqueue(t, old.seq);
	if (totem_has(t->inst, old.seq) || old.seq <= t->inst->gc)
		return;
	if (totem_store(t, t->inst, &old, outer->body, outer->body_len))
		t->count[TOTEM_COUNT_RECOVERED]++;
}

void
totem_recovery_on_data(struct totem *t, const struct totem_rx *rx)
{
	struct totem_frame frame;

	if (!totem_wire_get_frame(&t->table, rx->bytes, rx->len, &frame)) {
		t->count[TOTEM_COUNT_PACKETS_MALFORMED]++;
		return;
	}
	if (!totem_ring_equal(frame.ring, t->form->id) ||
	    !(t->form->members >> rx->from & 1)) {
		t->count[TOTEM_COUNT_FRAMES_FOREIGN]++;
		return;
	}
	t->count[TOTEM_COUNT_FRAMES_RECEIVED]++;
	if (!(frame.flags & TOTEM_FRAME_RECOVERY)) {
		t->count[TOTEM_COUNT_FRAMES_REFUSED]++;
		return;
	}
	if (t->is_turning)
		totem_frame_progress(t, &frame);
	/* The outer frame may stay where it lies; the inner is copied. */
	take_old_frame(t, &frame);
	(void)totem_store(t, t->form, &frame, rx->bytes, rx->len);
}

void
totem_recovery_on_token(struct totem *t, const struct totem_rx *rx)
{
	struct totem_token token;

	if (!totem_accept_token(t, t->form, rx, &token))
		return;
	if (t->form->order[0] == t->self && !t->recovery.is_originated)
		return;
	if (++t->recovery.rounds > TOTEM_RECOVERY_ROUNDS) {
		totem_gather_enter(t, TOTEM_REASON_PROTOCOL);
		return;
	}
	totem_token_visit(t, t->form, &token);
}

/* R1 to R5 of 3.7. */
void
totem_recovery_visit(
    struct totem *t, struct totem_token *token, bool *is_install)
{
	struct totem_recovery *recovery = &t->recovery;

	if (recovery->queue_count > 0) {
		if (!token->is_retrans)
			recovery->is_flag_mine = token->is_retrans = true;
	} else if (token->is_retrans && recovery->is_flag_mine) {
		recovery->is_flag_mine = token->is_retrans = false;
	}
	recovery->quiet_visits =
	    token->is_retrans ? 0 : recovery->quiet_visits + 1;
	if (recovery->quiet_visits == 2)
		recovery->install_seq = token->seq;
	if (recovery->quiet_visits >= 2 && !recovery->is_acked &&
	    t->form->aru >= recovery->install_seq) {
		recovery->is_acked = true;
		t->oblig = recovery->new_oblig;
		totem_trace(t, TOTEM_TRACE_RECOVERY_ACKED,
		    recovery->install_seq, t->oblig, 0);
	}
	bool is_ready =
	    recovery->quiet_visits >= 3 && token->aru >= recovery->install_seq;
	recovery->ready_visits = is_ready ? recovery->ready_visits + 1 : 0;
	*is_install = recovery->ready_visits == 2;
}

/* ---- INSTALL (3.8) ----------------------------------------------------- */

/* I1 and I4: where the regular phase ends, and the first gap behind it. */
static void
find_cut(struct totem *t, struct totem_install *install)
{
	const struct totem_recovery *recovery = &t->recovery;
	const struct totem_ring *old = t->inst;
	uint64_t seq = old->delivered + 1;

	install->top = recovery->top;
	for (; seq <= install->top; seq++) {
		uint32_t cell = totem_cell_at(old, seq);
		if (cell == TOTEM_NO_CELL)
			break;
		if ((t->cell[cell].flags & TOTEM_FRAME_SAFE) &&
		    seq > recovery->max_stable && seq > recovery->max_delivered)
			break;
	}
	install->cut = seq;
	while (seq <= install->top && totem_has(old, seq))
		seq++;
	install->gap = seq;
}

/* Who did not come along in a merge is asked again later, and then later
 * still. */
static void
count_vain(struct totem *t)
{
	uint64_t missing = t->gather.reason == TOTEM_REASON_MERGE
	    ? t->gather.proc & ~t->inst->members
	    : 0;

	for (uint32_t i = 0; i < t->table.count; i++) {
		struct totem_peer *peer = &t->peer[i];

		if (t->inst->members >> i & 1)
			peer->vain = 0;
		if (!(missing >> i & 1))
			continue;
		peer->vain = (uint32_t)num_min(peer->vain + 1, TOTEM_FLAPS_MAX);
		peer->vain_ns = t->now_ns;
	}
}

/* Who was lost counts as one that flaps at everybody who lost it, not only at
 * those who did not hear it: all of them decide on merges. */
static void
count_flaps(struct totem *t, uint64_t left)
{
	for (uint32_t i = 0; i < t->table.count; i++) {
		uint8_t why = t->gather.why[i];
		bool is_lost = why == TOTEM_REASON_TIMEOUT ||
		    why == TOTEM_REASON_CONNECTIVITY ||
		    why == TOTEM_REASON_CONSENSUS;

		if ((left >> i & 1) && is_lost &&
		    t->peer[i].flap_ns < t->gather.began_ns)
			totem_detect_flap(t, i);
	}
}

static void
become_operational(struct totem *t)
{
	struct totem_ring *ring = t->inst;

	t->state = TOTEM_STATE_OPERATIONAL;
	count_vain(t);
	t->oblig = TOTEM_BIT(t->self);
	t->is_gate_open = false;
	t->own_seq = 0;
	t->was_idle = false;
	t->no_hold_next = false;
	t->stuck_rounds = 0;
	t->ftr = (struct totem_ftr){ 0 };
	t->gather.rounds = 0;
	t->gather.may_be_alone = true;
	if (ring->count > 1)
		t->is_fresh = false;
	t->app_frame_ns = t->now_ns;
	totem_timer_set(t, TOTEM_TIMER_MERGE, t->now_ns + t->cfg.merge_ns / 2);
	if (ring->count == 1)
		totem_timer_set(t, TOTEM_TIMER_PENDING, t->now_ns);
	t->count[TOTEM_COUNT_VIEWS]++;
}

void
totem_install(struct totem *t)
{
	struct totem_install *install = &t->install;
	struct totem_ring *old = t->inst, *new = t->form;
	uint64_t install_seq = t->recovery.install_seq;

	ENSURE(install->step == TOTEM_INSTALL_NONE);
	ENSURE(!t->cursor.is_open);
	ENSURE(new->aru >= install_seq);
	*install = (struct totem_install){ .step = TOTEM_INSTALL_REGULAR,
		.oblig = t->recovery.new_oblig,
		.trans = t->recovery.trans,
		.old_members = old->members };
	find_cut(t, install);
	totem_trace(t, TOTEM_TRACE_INSTALL_CUT, install->cut, install->gap,
	    install->top);
	t->inst = new;
	t->form = old;
	new->delivered = install_seq;
	new->stable = num_max(new->stable, install_seq);
	totem_free_to(t, new, install_seq);
	become_operational(t);
	count_flaps(t, install->old_members & ~new->members);
	totem_trace(
	    t, TOTEM_TRACE_INSTALL, new->id.seq, new->members, install_seq);
}
