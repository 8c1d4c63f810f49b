/* SPDX-License-Identifier: BSD-3-Clause */
/* Ordering: the store, requests, flow control, and the way of the token. */
#include <string.h>

#include "libcommon/base/num.h"

#include "bin/ringd/totem_internal.h"
#include "tests/unit/check.h"
#include "tests/unit/ringlet.h"

static struct ringlet r;

static struct totem *
core(uint32_t idx)
{
	return r.node[idx].core;
}

static bool
open_ring(uint32_t count, const struct totem_config *config)
{
	ringlet_open(&r, count, config);
	if (!CHECK(ringlet_form(&r)))
		return false;
	ringlet_forget(&r);
	return true;
}

/* ---- the store --------------------------------------------------------- */

/* A frame of node 1 for node 0's forming ring, which is empty. */
static bool
store(uint64_t seq)
{
	uint8_t bytes[40] = { TOTEM_PACKET_DATA };
	struct totem *t = core(0);
	struct totem_frame frame = { .sender = 1, .seq = seq };

	return totem_store(t, t->form, &frame, bytes, sizeof bytes);
}

static void
test_totem_store_keeps_what_its_window_can_tell_apart(void)
{
	if (!open_ring(2, NULL))
		return;
	struct totem *t = core(0);
	struct totem_ring *ring = t->form;
	totem_ring_members(t, ring, 3);

	CHECK(store(2));
	CHECK_EQ(ring->aru, 0);
	CHECK_EQ(ring->high, 2);
	CHECK(!store(2)); /* twice */
	CHECK(store(1));
	CHECK_EQ(ring->aru, 2);
	CHECK(store(LIMIT_STORE_FRAMES));
	CHECK(!store(LIMIT_STORE_FRAMES + 1));
	CHECK(!store(UINT64_MAX));
	CHECK_EQ(totem_count(t, TOTEM_COUNT_FRAMES_REFUSED), 2);
	CHECK_EQ(totem_count(t, TOTEM_COUNT_FRAMES_DUPLICATE), 1);

	totem_free_to(t, ring, 1);
	CHECK_EQ(ring->gc, 1);
	CHECK(!totem_has(ring, 1));
	CHECK(totem_has(ring, 2));
	CHECK(!store(1)); /* freed: everybody has it */
	CHECK(store(LIMIT_STORE_FRAMES + 1));
	totem_free_to(t, ring, 0);
	CHECK_EQ(ring->gc, 1);
	totem_drop_ring(t, ring);
	CHECK_EQ(ring->high, 0);
	totem_check(t);
	ringlet_close(&r);
}

static void
test_totem_store_reuses_its_cells(void)
{
	if (!open_ring(2, NULL))
		return;
	struct totem *t = core(0);
	totem_ring_members(t, t->form, 3);

	for (int round = 0; round < 3; round++) {
		for (uint64_t seq = 1; seq <= LIMIT_STORE_FRAMES; seq++)
			CHECK(store(seq));
		CHECK_EQ(t->form->aru, LIMIT_STORE_FRAMES);
		totem_drop_ring(t, t->form);
		totem_ring_members(t, t->form, 3);
	}
	CHECK(t->cells_touched <= LIMIT_STORE_FRAMES + 64);
	totem_drop_ring(t, t->form);
	ringlet_close(&r);
}

/* ---- requests (1.4) ---------------------------------------------------- */

/* Entry j of the token is the wanted one; without bits there is none. */
static void
check_rtr(
    const struct totem_token *token, uint32_t j, const struct totem_rtr *want)
{
	if (want->bits == 0) {
		CHECK(token->rtr_count <= j);
		return;
	}
	CHECK(token->rtr_count > j);
	CHECK_EQ(token->rtr[j].base, want->base);
	CHECK_EQ(token->rtr[j].bits, want->bits);
	CHECK_EQ(token->rtr[j].requester, want->requester);
}

static void
test_totem_rtr_asks_for_gaps_up_to_the_limit(void)
{
	static const struct {
		uint64_t have[6], limit;
		struct totem_rtr want[2];
	} cases[] = {
		{ { 1, 2, 3 }, 3, { { 0 } } },
		{ { 1, 3 }, 3, { { 0, 1 << 2, 1 } } },
		{ { 1, 3 }, 5, { { 0, 1 << 2 | 3 << 4, 1 } } },
		{ { 1, 3, 5 }, 3, { { 0, 1 << 2, 1 } } },
		{ { 3 }, 3, { { 0, 3 << 1, 1 } } },
		{ { 3 }, 0, { { 0 } } },
		{ { 1, 2, 66 }, 66,
		    { { 0, UINT64_MAX << 3, 1 }, { 64, 3, 1 } } },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct totem_token token = { .window = 100 };
		if (!open_ring(2, NULL))
			return;
		struct totem *t = core(0);
		totem_ring_members(t, t->form, 3);
		for (size_t j = 0; j < 6; j++)
			if (cases[i].have[j] > 0)
				store(cases[i].have[j]);

		totem_rtr_add(t, t->form, &token, cases[i].limit);

		for (uint32_t j = 0; j < 2; j++)
			check_rtr(&token, j, &cases[i].want[j]);
		totem_drop_ring(t, t->form);
		ringlet_close(&r);
	}
}

static void
test_totem_rtr_of_two_nodes_is_answered_to_all(void)
{
	struct totem_token token = { .window = 100,
		.rtr_count = 1,
		.rtr = { { .base = 0, .bits = 1 << 2, .requester = 2 } } };

	if (!open_ring(3, NULL))
		return;
	struct totem *t = core(0);
	totem_ring_members(t, t->form, 7);
	store(3);
	totem_rtr_add(t, t->form, &token, 2);
	CHECK_EQ(token.rtr_count, 1);
	CHECK_EQ(token.rtr[0].bits, 3 << 1);
	CHECK_EQ(token.rtr[0].requester, 0);
	totem_drop_ring(t, t->form);
	ringlet_close(&r);
}

static void
test_totem_rtr_fills_no_more_than_the_token_holds(void)
{
	struct totem_config config;
	struct totem_token token = { .window = 100 };

	ringlet_config(&config);
	config.frame_bytes = LIMIT_FRAME_BYTES_MIN;
	if (!open_ring(2, &config))
		return;
	struct totem *t = core(0);
	totem_ring_members(t, t->form, 3);
	store(4000);
	totem_rtr_add(t, t->form, &token, 3999);
	CHECK_EQ(token.rtr_count,
	    (LIMIT_FRAME_BYTES_MIN - TOTEM_WIRE_TOKEN_HEADER) /
		TOTEM_WIRE_RTR_ENTRY);
	totem_drop_ring(t, t->form);
	ringlet_close(&r);
}

/* What all have needs no answer; the budget bounds the others. */
static void
test_totem_rtr_answers_within_its_budget(void)
{
	struct totem_token token = { .window = 16, .rtr_count = 1 };
	struct totem_effect effect;
	uint32_t sent = 0;

	if (!open_ring(2, NULL))
		return;
	struct totem *t = core(0);
	totem_drop_ring(t, t->form);
	struct totem_ring *inst = t->inst, *form = t->form;
	totem_ring_members(t, form, 3);
	for (uint64_t seq = 1; seq < 60; seq++)
		store(seq);
	form->stable = 10;
	t->inst = form; /* as if it were installed */
	t->form = inst;
	token.rtr[0] = (struct totem_rtr){
		.base = 0, .bits = UINT64_MAX << 1, .requester = 2
	};

	CHECK_EQ(totem_rtr_answer(t, form, &token), 16);
	CHECK_EQ(token.rtr_count, 1);
	CHECK_EQ(token.rtr[0].bits, UINT64_MAX << 27);
	CHECK_EQ(totem_rtr_answer(t, form, &token), 16);
	CHECK_EQ(totem_rtr_answer(t, form, &token), 16);
	CHECK_EQ(totem_rtr_answer(t, form, &token), 1);
	CHECK_EQ(token.rtr[0].bits, UINT64_C(15) << 60); /* not here */
	while (totem_next(t, &effect))
		sent += effect.kind == TOTEM_OUT_SEND &&
		    effect.send.packet == TOTEM_PACKET_DATA_RETX;
	CHECK_EQ(sent, 49);
	ringlet_close(&r);
}

/* ---- flow control (1.5) ------------------------------------------------ */

static void
test_totem_allowed_is_the_least_of_all_bounds(void)
{
	static const struct {
		const char *about;
		uint16_t window;
		uint32_t fcc, backlog_all, backlog_before, backlog, gap, want;
	} cases[] = {
		{ "a visit's frames", 160, 0, 100, 0, 100, 0, 32 },
		{ "what is left of the window", 160, 150, 100, 0, 100, 0, 10 },
		{ "nothing left", 160, 160, 100, 0, 100, 0, 0 },
		{ "less than nothing left", 160, 1000, 9, 0, 9, 0, 0 },
		{ "a fair share", 40, 0, 300, 0, 100, 0, 10 },
		{ "a share, my old backlog replaced", 40, 0, 400, 100, 100, 0,
		    10 },
		{ "at least one", 40, 0, 4000000, 0, 1, 0, 1 },
		{ "a backlog that does not add up", 40, 0, 0, 100, 4, 0, 32 },
		{ "nobody waits", 40, 0, 0, 0, 0, 0, 32 },
		{ "room before the gap is too wide", 160, 0, 0, 0, 100,
		    LIMIT_GAP_MAX - 5, 5 },
		{ "no room", 160, 0, 0, 0, 100, LIMIT_GAP_MAX, 0 },
		{ "past all room", 160, 0, 0, 0, 100, LIMIT_GAP_MAX + 100, 0 },
	};

	if (!open_ring(2, NULL))
		return;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct totem_ring ring = { .stable = 1000,
			.prev_backlog = cases[i].backlog_before };
		struct totem_token token = { .window = cases[i].window,
			.fcc = cases[i].fcc,
			.backlog = cases[i].backlog_all,
			.seq = 1000 + cases[i].gap };
		check_case(cases[i].about);
		CHECK_EQ(
		    totem_allowed(core(0), &ring, &token, cases[i].backlog),
		    cases[i].want);
	}
	check_case(NULL);
	ringlet_close(&r);
}

static bool
lose_every_third_frame(struct ringlet *ring, struct ringlet_packet *p)
{
	return p->bytes[0] != TOTEM_PACKET_DATA || ring->filter_arg++ % 3 != 0;
}

static uint32_t
window_of(uint32_t idx)
{
	struct totem_status status;

	totem_status(core(idx), r.now_ns, &status);
	return status.window;
}

static void
load_all(uint32_t count)
{
	static uint8_t message[1200];

	for (uint32_t i = 0; i < count; i++)
		for (uint32_t node = 0; node < r.count; node++)
			if (core(node) != NULL &&
			    totem_room_bytes(core(node), TOTEM_CLASS_CLIENT) >
				sizeof message)
				ringlet_submit(&r, node, TOTEM_AGREED, message,
				    sizeof message);
}

static void
test_totem_window_grows_and_shrinks_with_loss(void)
{
	if (!open_ring(3, NULL))
		return;
	load_all(1200);
	ringlet_run(&r, 30 * RINGLET_MS);
	uint32_t grown = window_of(0);
	CHECK(grown > LIMIT_WINDOW_DEFAULT);
	CHECK(grown <= LIMIT_WINDOW_MAX);

	r.filter = lose_every_third_frame;
	load_all(1200);
	ringlet_run(&r, 50 * RINGLET_MS);
	CHECK(window_of(0) < LIMIT_WINDOW_DEFAULT / 2);
	CHECK(window_of(0) >= LIMIT_WINDOW_MIN);
	r.filter = NULL;
	ringlet_run(&r, 500 * RINGLET_MS);
	for (uint32_t i = 1; i < 3; i++)
		CHECK(ringlet_agree(&r, 0, i));
	ringlet_close(&r);
}

/* ---- the accelerated ring (2) ------------------------------------------ */

enum { FRAME_NS = 12000 };

static uint64_t line_free_ns[LIMIT_NODES];

/* Each node's line carries one datagram after the other. */
static bool
take_time(struct ringlet *ring, struct ringlet_packet *p)
{
	uint64_t *free_ns = &line_free_ns[p->from];
	uint64_t span_ns =
	    p->bytes[0] == TOTEM_PACKET_DATA ? FRAME_NS : FRAME_NS / 10;

	*free_ns = num_max(*free_ns, ring->now_ns) + span_ns;
	p->at_ns = num_max(p->at_ns, *free_ns + ring->latency_ns);
	return true;
}

static uint64_t
frames_in_time(uint32_t accelerated)
{
	struct totem_config config;

	ringlet_config(&config);
	config.accelerated_frames = accelerated;
	config.window = config.window_max = 96;
	memset(line_free_ns, 0, sizeof line_free_ns);
	if (!open_ring(3, &config))
		return 0;
	r.filter = take_time;
	load_all(1500);
	ringlet_run(&r, 50 * RINGLET_MS);
	uint64_t delivered = ringlet_tally(&r, 0, TOTEM_OUT_DELIVER);
	ringlet_close(&r);
	return delivered;
}

static void
test_totem_token_before_the_data_is_faster(void)
{
	uint64_t slow = frames_in_time(0), fast = frames_in_time(16);

	CHECK(fast > slow + slow / 5);
}

static char sent_order[64];

static bool
write_order(struct ringlet *ring, struct ringlet_packet *p)
{
	size_t at = strlen(sent_order);

	(void)ring;
	if (p->from != 0 || p->to != 1 || at + 1 >= sizeof sent_order)
		return true;
	if (p->bytes[0] == TOTEM_PACKET_TOKEN)
		sent_order[at] = 'T';
	else if (p->bytes[0] == TOTEM_PACKET_DATA)
		sent_order[at] = p->bytes[1] & TOTEM_FRAME_POST ? 'p' : 'd';
	return true;
}

static void
test_totem_token_leaves_before_the_last_frames(void)
{
	static const struct {
		uint32_t accelerated;
		const char *want;
	} cases[] = { { 0, "ddddddT" }, { 2, "ddddTpp" }, { 6, "Tpppppp" },
		{ 16, "Tpppppp" } };
	static uint8_t message[7000];
	struct totem_config config;

	ringlet_config(&config);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		config.accelerated_frames = cases[i].accelerated;
		if (!open_ring(2, &config))
			return;
		memset(sent_order, 0, sizeof sent_order);
		ringlet_submit(&r, 0, TOTEM_AGREED, message, sizeof message);
		r.filter = write_order;
		while (core(0)->own_seq == 0 && ringlet_turn(&r))
			;
		const char *from = strpbrk(sent_order, "dp");
		if (from != NULL && from > sent_order &&
		    cases[i].want[0] == 'T')
			from--;
		CHECK_STR(from, cases[i].want);
		ringlet_close(&r);
	}
}

/* ---- idle hold (1.8) --------------------------------------------------- */

static uint64_t
tokens_sent(void)
{
	uint64_t sent = 0;

	for (uint32_t i = 0; i < r.count; i++)
		sent += r.node[i].sent[TOTEM_PACKET_TOKEN];
	return sent;
}

static void
test_totem_idle_ring_rests_and_wakes_at_once(void)
{
	for (uint32_t who = 0; who < 3; who++) {
		if (!open_ring(3, NULL))
			return;
		ringlet_run(&r, 200 * RINGLET_MS);
		ringlet_forget(&r);
		ringlet_run(&r, 1000 * RINGLET_MS);
		CHECK(tokens_sent() <= 3 * 50);
		CHECK(tokens_sent() >= 3 * 30);

		uint64_t before = r.now_ns;
		ringlet_submit(&r, who, TOTEM_AGREED, "now", 3);
		while (ringlet_tally(&r, 2 - who % 2, TOTEM_OUT_DELIVER) == 0 &&
		    ringlet_turn(&r))
			;
		CHECK(r.now_ns - before < 2 * RINGLET_MS);
		ringlet_close(&r);
	}
}

static bool
is_resting(struct ringlet *ring)
{
	return ring->node[0].core->is_held;
}

static bool
is_away(struct ringlet *ring)
{
	return !is_resting(ring);
}

static bool
lose_first_cancels(struct ringlet *ring, struct ringlet_packet *p)
{
	return p->bytes[0] != TOTEM_PACKET_HOLD_CANCEL ||
	    ring->filter_arg++ >= 2;
}

static void
test_totem_idle_ring_is_asked_until_it_wakes(void)
{
	if (!open_ring(3, NULL))
		return;
	ringlet_run(&r, 200 * RINGLET_MS);
	CHECK(ringlet_run_until(&r, is_resting, 100 * RINGLET_MS));
	r.filter = lose_first_cancels;
	uint64_t before = r.now_ns;
	ringlet_submit(&r, 1, TOTEM_AGREED, "now", 3);
	while (ringlet_tally(&r, 2, TOTEM_OUT_DELIVER) == 0 && ringlet_turn(&r))
		;
	CHECK(r.now_ns - before < 8 * RINGLET_MS);
	CHECK_EQ(totem_count(core(1), TOTEM_COUNT_HOLD_CANCELS), 3);
	ringlet_close(&r);
}

/* The request comes before the token that it is about. */
static void
test_totem_hold_cancel_may_overtake_the_token(void)
{
	if (!open_ring(3, NULL))
		return;
	ringlet_run(&r, 200 * RINGLET_MS);
	CHECK(ringlet_run_until(&r, is_resting, 100 * RINGLET_MS));
	CHECK(ringlet_run_until(&r, is_away, 100 * RINGLET_MS));
	ringlet_submit(&r, 2, TOTEM_AGREED, "now", 3);
	uint64_t before = r.now_ns;
	while (ringlet_tally(&r, 1, TOTEM_OUT_DELIVER) == 0 && ringlet_turn(&r))
		;
	CHECK(r.now_ns - before < 2 * RINGLET_MS);
	ringlet_close(&r);
}

/* ---- hop retransmission (1.9) ------------------------------------------ */

static bool
lose_one_token(struct ringlet *ring, struct ringlet_packet *p)
{
	return p->bytes[0] != TOTEM_PACKET_TOKEN || p->from != 1 ||
	    ring->filter_arg++ != 0;
}

static void
test_totem_lost_token_costs_milliseconds(void)
{
	if (!open_ring(3, NULL))
		return;
	ringlet_run(&r, 200 * RINGLET_MS);
	r.filter = lose_one_token;
	uint64_t before = r.now_ns;
	ringlet_submit(&r, 0, TOTEM_SAFE, "now", 3);
	while (ringlet_tally(&r, 2, TOTEM_OUT_DELIVER) == 0 && ringlet_turn(&r))
		;
	CHECK(r.filter_arg > 1);
	CHECK(r.now_ns - before < 5 * RINGLET_MS);
	CHECK_EQ(ringlet_tally(&r, 0, TOTEM_OUT_VIEW), 0);
	CHECK_EQ(totem_count(core(1), TOTEM_COUNT_TOKEN_RETRANSMITS), 1);
	ringlet_close(&r);
}

/* Keeps a copy of each token to node 1 for the test to send again. */
static uint8_t copied[LIMIT_FRAME_BYTES_DEFAULT];
static size_t copied_len;

static bool
copy_tokens(struct ringlet *ring, struct ringlet_packet *p)
{
	(void)ring;
	if (p->bytes[0] == TOTEM_PACKET_TOKEN && p->to == 1) {
		memcpy(copied, p->bytes, p->len);
		copied_len = p->len;
	}
	return true;
}

/* The same token twice: answered, and nothing more. */
static void
test_totem_token_twice_is_only_acknowledged(void)
{
	if (!open_ring(3, NULL))
		return;
	r.filter = copy_tokens;
	load_all(20);
	for (int i = 0; i < 300; i++) {
		(void)ringlet_turn(&r);
		if (copied_len > 0)
			ringlet_inject(&r, 0, 1, copied, copied_len);
	}
	ringlet_run(&r, 300 * RINGLET_MS);
	CHECK(totem_count(core(1), TOTEM_COUNT_TOKEN_DUPLICATES) > 0);
	CHECK_EQ(ringlet_tally(&r, 1, TOTEM_OUT_VIEW), 0);
	CHECK_EQ(ringlet_tally(&r, 1, TOTEM_OUT_DELIVER), 60);
	for (uint32_t i = 0; i < 3; i++)
		CHECK(ringlet_agree(&r, 0, i));
	ringlet_close(&r);
}

/* Where a hop takes longer than the first guess, that is learnt. */
static void
test_totem_slow_hops_are_learnt(void)
{
	ringlet_open(&r, 4, NULL);
	r.latency_ns = 3 * RINGLET_MS;
	if (!CHECK(ringlet_form(&r)))
		return;
	ringlet_run(&r, 1000 * RINGLET_MS);
	uint64_t resent = 0;
	for (uint32_t i = 0; i < 4; i++)
		resent -= totem_count(core(i), TOTEM_COUNT_TOKEN_RETRANSMITS);
	ringlet_run(&r, 1000 * RINGLET_MS);
	for (uint32_t i = 0; i < 4; i++)
		resent += totem_count(core(i), TOTEM_COUNT_TOKEN_RETRANSMITS);
	CHECK(resent < 5);
	ringlet_close(&r);
}

static bool
lose_tokens(struct ringlet *ring, struct ringlet_packet *p)
{
	(void)ring;
	return p->bytes[0] != TOTEM_PACKET_TOKEN;
}

static void
test_totem_token_lost_for_good_forms_a_new_ring(void)
{
	if (!open_ring(3, NULL))
		return;
	r.filter = lose_tokens;
	ringlet_run(&r, 280 * RINGLET_MS);
	r.filter = NULL;
	CHECK(totem_count(core(0), TOTEM_COUNT_TOKEN_LOSSES) +
		totem_count(core(1), TOTEM_COUNT_TOKEN_LOSSES) +
		totem_count(core(2), TOTEM_COUNT_TOKEN_LOSSES) >
	    0);
	CHECK(ringlet_run_until(&r, ringlet_is_whole, 500 * RINGLET_MS));
	CHECK_EQ(ringlet_find(&r, 1, TOTEM_OUT_VIEW, 1)->members, 7);
	ringlet_close(&r);
}

/* ---- delivery (1.6) ---------------------------------------------------- */

/* Node 0's frames do not reach node 2: SAFE waits for them, agreed does not. */
static bool
lose_data_to_two(struct ringlet *ring, struct ringlet_packet *p)
{
	(void)ring;
	return p->to != 2 || p->bytes[0] > TOTEM_PACKET_DATA_RETX;
}

static void
test_totem_safe_waits_for_all_and_holds_up_what_follows(void)
{
	if (!open_ring(3, NULL))
		return;
	r.filter = lose_data_to_two;
	ringlet_submit(&r, 0, TOTEM_AGREED, "first", 5);
	ringlet_submit(&r, 0, TOTEM_SAFE, "second", 6);
	ringlet_submit(&r, 0, TOTEM_AGREED, "third", 5);
	ringlet_run(&r, 60 * RINGLET_MS);
	CHECK_EQ(ringlet_tally(&r, 1, TOTEM_OUT_DELIVER), 1);
	CHECK_EQ(ringlet_tally(&r, 2, TOTEM_OUT_DELIVER), 0);

	r.filter = NULL;
	ringlet_run(&r, 200 * RINGLET_MS);
	for (uint32_t i = 0; i < 3; i++) {
		CHECK_EQ(ringlet_tally(&r, i, TOTEM_OUT_DELIVER), 3);
		CHECK(ringlet_agree(&r, 0, i));
	}
	CHECK_EQ(ringlet_tally(&r, 0, TOTEM_OUT_VIEW), 0);
	ringlet_close(&r);
}

/* Counted from just below where narrower counters would wrap. */
static void
test_totem_counts_past_every_narrower_width(void)
{
	static const uint64_t first[] = { (UINT64_C(1) << 32) - 10,
		(UINT64_C(1) << 31) - 10, (UINT64_C(1) << 63) - 10,
		LIMIT_STORE_FRAMES - 10 };
	struct totem_config config;

	ringlet_config(&config);
	for (size_t i = 0; i < ARRAY_COUNT(first); i++) {
		config.first_seq = first[i];
		if (!open_ring(3, &config))
			return;
		load_all(20);
		ringlet_run(&r, 50 * RINGLET_MS);
		ringlet_kill(&r, 2);
		CHECK(
		    ringlet_run_until(&r, ringlet_is_whole, 1000 * RINGLET_MS));
		load_all(20);
		ringlet_run(&r, 50 * RINGLET_MS);
		CHECK_EQ(ringlet_tally(&r, 0, TOTEM_OUT_DELIVER), 100);
		CHECK(ringlet_agree(&r, 0, 1));
		ringlet_close(&r);
	}
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(
		    test_totem_store_keeps_what_its_window_can_tell_apart),
		CHECK_TEST(test_totem_store_reuses_its_cells),
		CHECK_TEST(test_totem_rtr_asks_for_gaps_up_to_the_limit),
		CHECK_TEST(test_totem_rtr_of_two_nodes_is_answered_to_all),
		CHECK_TEST(test_totem_rtr_fills_no_more_than_the_token_holds),
		CHECK_TEST(test_totem_rtr_answers_within_its_budget),
		CHECK_TEST(test_totem_allowed_is_the_least_of_all_bounds),
		CHECK_TEST(test_totem_window_grows_and_shrinks_with_loss),
		CHECK_TEST(test_totem_token_before_the_data_is_faster),
		CHECK_TEST(test_totem_token_leaves_before_the_last_frames),
		CHECK_TEST(test_totem_idle_ring_rests_and_wakes_at_once),
		CHECK_TEST(test_totem_idle_ring_is_asked_until_it_wakes),
		CHECK_TEST(test_totem_hold_cancel_may_overtake_the_token),
		CHECK_TEST(test_totem_lost_token_costs_milliseconds),
		CHECK_TEST(test_totem_token_twice_is_only_acknowledged),
		CHECK_TEST(test_totem_slow_hops_are_learnt),
		CHECK_TEST(test_totem_token_lost_for_good_forms_a_new_ring),
		CHECK_TEST(
		    test_totem_safe_waits_for_all_and_holds_up_what_follows),
		CHECK_TEST(test_totem_counts_past_every_narrower_width),
	};

	return CHECK_MAIN(argc, argv, tests);
}
