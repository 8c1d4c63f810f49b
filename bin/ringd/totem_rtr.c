/* SPDX-License-Identifier: BSD-3-Clause */
/* Retransmission requests, flow control, and members that fail to receive
 * (1.4, 1.5, 3.9).
 *
 * We differ from the papers: a request is 64 sequence numbers wide; the window
 * adapts; a member that cannot receive is put out by the others, after its
 * frame was resent eight times over a second, and never puts out itself.
 */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/ringd/totem_internal.h"
#include "bin/ringd/totem_wire_set.h"

enum { FTR_ANSWERS = 8, QUARANTINE_STEPS_MAX = 6, WINDOW_MANY = 4 };
#define FTR_SPAN_NS    (1000 * TOTEM_MS)
#define QUARANTINE_NS  (10000 * TOTEM_MS)
#define HEARSAY_MIN_NS (1000 * TOTEM_MS)

/* ---- answering --------------------------------------------------------- */

static void
resend(struct totem *t, struct totem_ring *ring, uint64_t seq,
    const struct totem_rtr *rtr)
{
	uint32_t cell = totem_cell_at(ring, seq);
	uint8_t *bytes = totem_cell_bytes(t, cell);
	uint64_t to = ring->members & ~TOTEM_BIT(t->self);

	if (rtr->requester > 0 && rtr->requester - 1 != t->self)
		to &= TOTEM_BIT(rtr->requester - 1);
	if (to == 0)
		return; /* its requester is no longer a member */
	bytes[0] = TOTEM_PACKET_DATA_RETX;
	totem_send(t, to, bytes, t->cell[cell].len);
	t->count[TOTEM_COUNT_RETRANSMITS_SENT]++;
}

/* Answers what it can of one entry; answers how many frames were sent. */
static uint32_t
answer_entry(struct totem *t, struct totem_ring *ring, struct totem_rtr *rtr,
    uint32_t budget)
{
	uint32_t sent = 0;

	for (uint32_t i = 0; i < 64; i++) {
		uint64_t seq = rtr->base + i;
		if (!(rtr->bits >> i & 1))
			continue;
		if (seq <= ring->stable) {
			rtr->bits &= ~(UINT64_C(1) << i);
			continue;
		}
		if (sent == budget || !totem_has(ring, seq))
			continue;
		resend(t, ring, seq, rtr);
		rtr->bits &= ~(UINT64_C(1) << i);
		sent++;
	}
	return sent;
}

uint32_t
totem_rtr_answer(
    struct totem *t, struct totem_ring *ring, struct totem_token *token)
{
	uint32_t budget = (uint32_t)num_max(16, token->window / 4);
	uint32_t sent = 0, kept = 0;

	for (uint32_t i = 0; i < token->rtr_count; i++) {
		struct totem_rtr *rtr = &token->rtr[i];
		sent += answer_entry(t, ring, rtr, budget - sent);
		if (rtr->bits != 0)
			token->rtr[kept++] = *rtr;
	}
	token->rtr_count = kept;
	ENSURE(sent <= budget);
	if (sent > 0)
		totem_trace(t, TOTEM_TRACE_RETRANSMITTED, sent, kept, 0);
	return sent;
}

/* ---- asking ------------------------------------------------------------ */

static uint32_t
rtr_room(const struct totem *t)
{
	uint32_t fit = (t->cfg.frame_bytes - TOTEM_WIRE_TOKEN_HEADER) /
	    TOTEM_WIRE_RTR_ENTRY;

	return (uint32_t)num_min(fit, LIMIT_RTR_ENTRIES);
}

static struct totem_rtr *
entry_for(struct totem *t, struct totem_token *token, uint64_t base)
{
	for (uint32_t i = 0; i < token->rtr_count; i++)
		if (token->rtr[i].base == base)
			return &token->rtr[i];
	if (token->rtr_count == rtr_room(t))
		return NULL;
	struct totem_rtr *rtr = &token->rtr[token->rtr_count++];
	*rtr = (struct totem_rtr){ .base = base, .requester = t->self + 1 };
	return rtr;
}

/* What of base .. base + 63 is missing in (aru, limit]. */
static uint64_t
missing_bits(const struct totem_ring *ring, uint64_t base, uint64_t limit)
{
	uint64_t bits = 0;

	for (uint32_t i = 0; i < 64; i++) {
		uint64_t seq = base + i;
		if (seq > ring->aru && seq <= limit && totem_fits(ring, seq) &&
		    !totem_has(ring, seq))
			bits |= UINT64_C(1) << i;
	}
	return bits;
}

void
totem_rtr_add(struct totem *t, struct totem_ring *ring,
    struct totem_token *token, uint64_t limit)
{
	uint64_t base = (ring->aru + 1) & ~UINT64_C(63);

	for (; base <= limit && base <= ring->gc + LIMIT_STORE_FRAMES;
	     base += 64) {
		uint64_t bits = missing_bits(ring, base, limit);
		if (bits == 0)
			continue;
		struct totem_rtr *rtr = entry_for(t, token, base);
		if (rtr == NULL)
			return;
		if (rtr->requester != t->self + 1)
			rtr->requester = 0;
		t->count[TOTEM_COUNT_RETRANSMITS_ASKED] +=
		    totem_wire_count(bits & ~rtr->bits);
		rtr->bits |= bits;
	}
}

/* ---- flow control (1.5) ------------------------------------------------ */

uint32_t
totem_allowed(struct totem *t, const struct totem_ring *ring,
    const struct totem_token *token, uint32_t backlog)
{
	uint64_t window = token->window;
	uint64_t allowed =
	    num_min(t->cfg.visit_frames, num_sub(window, token->fcc));
	uint64_t all = num_sub(token->backlog, ring->prev_backlog) + backlog;

	if (all > 0 && backlog > 0) {
		uint64_t share = (window * backlog + all - 1) / all;
		allowed = num_min(allowed, num_max(1, share));
	}
	uint64_t room = num_sub(ring->stable + LIMIT_GAP_MAX, token->seq);
	return (uint32_t)num_min(allowed, room);
}

/*
 * The representative adds one while nothing is lost.  Requests are answered
 * before it sees them, so whoever had to answer many takes a quarter away, but
 * once in a rotation.  Single losses, as of a bad cable, are not many: only a
 * receiver that is swamped loses an eighth.
 */
void
totem_window_adapt(struct totem *t, const struct totem_ring *ring,
    struct totem_token *token, uint32_t answered)
{
	uint64_t window = token->window;
	bool is_rep = ring->order[0] == t->self;
	bool is_lossless = answered == 0 && token->rtr_count == 0;
	bool is_swamped =
	    answered >= WINDOW_MANY && (uint64_t)answered * 8 > token->fcc;

	if (window >= t->window_seen) { /* nobody has taken any */
		if (is_swamped)
			window = window * 3 / 4;
		else if (is_rep && is_lossless && token->fcc > 0)
			window++;
	}
	window = num_clamp(window, LIMIT_WINDOW_MIN, t->cfg.window_max);
	token->window = t->window_seen = (uint16_t)window;
}

/* ---- failed to receive (3.9) ------------------------------------------- */

static bool
asks_for(const struct totem_token *token, uint64_t seq)
{
	for (uint32_t i = 0; i < token->rtr_count; i++)
		if (seq >= token->rtr[i].base &&
		    seq - token->rtr[i].base < 64 &&
		    token->rtr[i].bits >> (seq - token->rtr[i].base) & 1)
			return true;
	return false;
}

void
totem_quarantine(struct totem *t, uint32_t node)
{
	struct totem_peer *peer = &t->peer[node];
	uint64_t steps = num_min(peer->quarantines, QUARANTINE_STEPS_MAX);

	if (t->now_ns < peer->quarantine_until_ns)
		return; /* others accuse it of the same */
	peer->quarantines++;
	peer->quarantine_until_ns = t->now_ns + (QUARANTINE_NS << steps);
}

/* Hearsay begins a quarantine that ends with its teller's, but prolongs none,
 * and what is nearly over is not taken up: members would renew it for each
 * other, by a hop's time at each telling. */
void
totem_quarantine_hear(struct totem *t, uint32_t node, uint64_t left_ns)
{
	struct totem_peer *peer = &t->peer[node];

	if (t->now_ns < peer->quarantine_until_ns || left_ns < HEARSAY_MIN_NS)
		return;
	peer->quarantines++;
	peer->quarantine_until_ns =
	    t->now_ns + num_min(left_ns, QUARANTINE_NS << QUARANTINE_STEPS_MAX);
}

bool
totem_ftr_check(struct totem *t, const struct totem_token *token,
    uint64_t aru_in, uint32_t answered)
{
	struct totem_ftr *ftr = &t->ftr;

	if (token->aru_node == 0 || token->aru_node == t->self + 1 ||
	    token->aru_node != ftr->node || aru_in != ftr->aru) {
		*ftr = (struct totem_ftr){ .aru = token->aru,
			.node = token->aru_node,
			.since_ns = t->now_ns };
		return false;
	}
	if (answered > 0 || asks_for(token, aru_in + 1))
		ftr->answered++;
	if (ftr->answered < FTR_ANSWERS ||
	    t->now_ns - ftr->since_ns < FTR_SPAN_NS)
		return false;
	uint32_t node = ftr->node - 1;
	totem_trace_peer(t, TOTEM_TRACE_FAILED_TO_RECEIVE, node, aru_in);
	*ftr = (struct totem_ftr){ 0 };
	totem_quarantine(t, node);
	totem_gather_fail(t, TOTEM_BIT(node), TOTEM_REASON_RECEIVE);
	return true;
}
