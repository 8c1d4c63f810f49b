/* SPDX-License-Identifier: BSD-3-Clause */
/* Who becomes a member: the rules of JOIN as tables, then whole reformations.
 */
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/wrbuf.h"

#include "bin/ringd/totem_internal.h"
#include "tests/unit/check.h"
#include "tests/unit/ringlet.h"

static struct ringlet r;
static uint8_t packet[LIMIT_FRAME_BYTES_MAX];

static struct totem *
core(uint32_t idx)
{
	return r.node[idx].core;
}

/* ---- JOIN in Gather (3.4) ---------------------------------------------- */

enum { ME = 2, NODES = 5 };

/* Sets of nodes 0 .. 4; this is node 2, which 0 and 1 would have to lead. */
static const struct {
	const char *about;
	uint64_t proc, fail, co_members;
	uint32_t from;
	uint64_t join_proc, join_fail;
	uint64_t want_proc, want_fail;
	bool is_agreed;
} process_cases[] = {
	{ "the same sets", 0x07, 0, 0, 0, 0x07, 0, 0x07, 0, true },
	{ "the same sets with a fault", 0x0f, 8, 0, 0, 0x0f, 8, 0x0f, 8, true },
	{ "he knows less", 0x0f, 8, 0x0f, 0, 0x07, 0, 0x0f, 8, false },
	{ "he has not failed whom I failed", 0x0f, 8, 0x0f, 0, 0x0f, 0, 0x0f, 8,
	    false },
	{ "he knows one more", 0x07, 0, 0, 0, 0x0f, 0, 0x0f, 0, true },
	{ "each knows one more", 0x0f, 0, 0, 0, 0x17, 0, 0x1f, 0, false },
	{ "a co-member failed one", 0x0f, 0, 0x0f, 0, 0x0f, 8, 0x0f, 8, true },
	{ "a stranger failed one", 0x0f, 0, 0x0e, 0, 0x0f, 8, 0x0f, 0, false },
	{ "a stranger adds one and fails one", 0x0f, 0, 0x0e, 0, 0x1f, 8, 0x1f,
	    0, false },
	{ "he failed me", 0x07, 0, 0x07, 1, 0x07, 4, 0x07, 2, false },
	{ "a stranger failed me", 0x07, 0, 0x04, 1, 0x07, 4, 0x07, 2, false },
	{ "whom I failed, with more", 0x07, 1, 0x07, 0, 0x1f, 0, 0x07, 1,
	    false },
	{ "whom I failed, failing me", 0x07, 1, 0x07, 0, 0x07, 4, 0x07, 1,
	    false },
	{ "he failed himself", 0x0f, 0, 0x0f, 3, 0x0f, 8, 0x0f, 8, true },
};

/* All others are alive, and everybody hears everybody. */
static void
know_all(struct totem *t)
{
	uint64_t all = TOTEM_BIT(NODES) - 1;

	t->hears = all;
	for (uint32_t i = 0; i < NODES; i++) {
		t->peer[i].incarnation = 1;
		t->peer[i].is_alive = true;
		t->peer[i].heard_ns = t->now_ns;
		t->peer[i].row =
		    (struct totem_row){ .version = 1, .hears = all };
		t->peer[i].proc_since_ns = t->now_ns;
	}
}

static void
test_totem_join_in_gather_changes_the_sets(void)
{
	for (size_t i = 0; i < ARRAY_COUNT(process_cases); i++) {
		check_case(process_cases[i].about);
		ringlet_open(&r, NODES, NULL);
		ringlet_start(&r, ME);
		struct totem *t = core(ME);
		know_all(t);
		totem_ring_members(
		    t, t->inst, process_cases[i].co_members | TOTEM_BIT(ME));
		for (uint32_t j = 0; j < NODES; j++)
			t->inst->incarnation[j] = 1;
		t->gather.proc = process_cases[i].proc;
		t->gather.fail = process_cases[i].fail;
		t->gather.cons = TOTEM_BIT(ME);
		struct totem_join join = {
			.proc = process_cases[i].join_proc,
			.fail = process_cases[i].join_fail,
			.incarnation = { 1, 1, 1, 1, 1 },
		};

		totem_join_process(t, process_cases[i].from, &join);

		CHECK_EQ(t->gather.proc, process_cases[i].want_proc);
		CHECK_EQ(t->gather.fail, process_cases[i].want_fail);
		CHECK_EQ(t->gather.cons >> process_cases[i].from & 1,
		    process_cases[i].is_agreed);
		CHECK_EQ(t->state, TOTEM_STATE_GATHER);
		CHECK(totem_timer_is_set(t, TOTEM_TIMER_JOIN));
		CHECK(totem_timer_is_set(t, TOTEM_TIMER_CONSENSUS));
		ringlet_close(&r);
	}
}

/* An accusation is of an incarnation; the next one is innocent. */
static void
test_totem_join_accuses_an_incarnation(void)
{
	ringlet_open(&r, NODES, NULL);
	ringlet_start(&r, ME);
	struct totem *t = core(ME);
	know_all(t);
	totem_ring_members(t, t->inst, 0x1f);
	for (uint32_t j = 0; j < NODES; j++)
		t->inst->incarnation[j] = 1;
	t->gather.proc = 0x1f;
	t->peer[3].incarnation = 2;
	struct totem_join join = {
		.proc = 0x1f, .fail = 0x18, .incarnation = { 1, 1, 1, 1, 1 }
	};

	totem_join_process(t, 0, &join);

	CHECK_EQ(t->gather.fail, 0x10);
	ringlet_close(&r);
}

/* ---- JOIN in the other states ------------------------------------------ */

static size_t
forge_join(const struct totem *t, uint64_t id, const struct totem_join *join)
{
	static uint8_t whole[TOTEM_WIRE_CONTROL_MAX];
	struct wrbuf wr, out;

	wrbuf_init(&wr, whole, sizeof whole);
	totem_wire_put_join(&wr, &t->table, join);
	struct totem_part part = { .packet = TOTEM_PACKET_JOIN,
		.parts = 1,
		.id = id,
		.bytes = whole,
		.len = wr.len };
	wrbuf_init(&out, packet, sizeof packet);
	totem_wire_put_part(&out, &part);
	return out.len;
}

static void
inject_heartbeat(uint32_t from, uint32_t to, uint64_t hears)
{
	struct totem_heartbeat hb = { .version = 1000, .hears = hears };
	struct wrbuf wr;

	wrbuf_init(&wr, packet, sizeof packet);
	totem_wire_put_heartbeat(&wr, &core(to)->table, &hb);
	ringlet_inject(&r, from, to, packet, wr.len);
}

enum { STRANGER = 3, ALL = 0x0f };

/* Nodes 0 to 2 form a ring, 3 only sends one JOIN to node 1. */
static const struct {
	const char *about;
	uint32_t from;
	bool is_stale; /* ring_seq below that of the ring */
	uint64_t fail;
	enum totem_reason reason;
	bool is_fresh;
	uint64_t stranger_hears;
	uint64_t config_hash;
	bool is_heeded;
} operational_cases[] = {
	{ "a member", 0, false, 0, TOTEM_REASON_TOKEN_LOSS, false, ALL, 7,
	    true },
	{ "a member, long ago", 0, true, 0, TOTEM_REASON_TOKEN_LOSS, false, ALL,
	    7, false },
	{ "a member that failed me", 0, false, 2, TOTEM_REASON_TOKEN_LOSS,
	    false, ALL, 7, false },
	{ "a member that failed another", 0, false, 4, TOTEM_REASON_TIMEOUT,
	    false, ALL, 7, true },
	{ "a member of another configuration", 0, false, 0,
	    TOTEM_REASON_TOKEN_LOSS, false, ALL, 8, false },
	{ "a newcomer", STRANGER, true, 0, TOTEM_REASON_START, true, ALL, 7,
	    true },
	{ "a newcomer that failed me", STRANGER, false, 2, TOTEM_REASON_START,
	    true, ALL, 7, false },
	{ "a newcomer that does not hear all", STRANGER, false, 0,
	    TOTEM_REASON_START, true, ALL & ~4, 7, false },
	{ "a newcomer that does not hear me", STRANGER, false, 0,
	    TOTEM_REASON_START, true, ALL & ~2, 7, false },
	{ "one who lost his ring", STRANGER, false, 0, TOTEM_REASON_TOKEN_LOSS,
	    false, ALL, 7, false },
	{ "one who merges", STRANGER, false, 0, TOTEM_REASON_MERGE, false, ALL,
	    7, true },
	{ "one who merges but does not hear all", STRANGER, false, 0,
	    TOTEM_REASON_MERGE, false, ALL & ~1, 7, false },
};

static bool
form_three_of_four(void)
{
	ringlet_open(&r, 4, NULL);
	for (uint32_t i = 0; i < 3; i++)
		ringlet_start(&r, i);
	if (!CHECK(ringlet_run_until(&r, ringlet_is_whole, 3000 * RINGLET_MS)))
		return false;
	ringlet_run(&r, 10 * RINGLET_MS);
	return true;
}

static void
test_totem_join_in_operational_is_heeded_or_not(void)
{
	for (size_t i = 0; i < ARRAY_COUNT(operational_cases); i++) {
		check_case(operational_cases[i].about);
		if (!form_three_of_four())
			return;
		r.node[STRANGER].incarnation = 1;
		for (uint32_t to = 0; to < 3; to++)
			inject_heartbeat(
			    STRANGER, to, operational_cases[i].stranger_hears);
		ringlet_run(&r, RINGLET_MS);
		struct totem *t = core(1);
		struct totem_join join = {
			.config_hash = operational_cases[i].config_hash,
			.ring_seq = t->inst->id.seq -
			    (operational_cases[i].is_stale ? 1 : 0),
			.reason = operational_cases[i].reason,
			.is_fresh = operational_cases[i].is_fresh,
			.proc = ALL,
			.fail = operational_cases[i].fail,
			.incarnation = { 1, 1, 1, 1 },
		};

		ringlet_inject(&r, operational_cases[i].from, 1, packet,
		    forge_join(t, UINT64_C(1) << 40, &join));

		CHECK_EQ(t->state == TOTEM_STATE_GATHER,
		    operational_cases[i].is_heeded);
		ringlet_close(&r);
	}
}

static void
test_totem_join_a_second_time_is_ignored(void)
{
	if (!form_three_of_four())
		return;
	struct totem_join join = { .config_hash = 7,
		.ring_seq = core(1)->inst->id.seq,
		.proc = 7,
		.incarnation = { 1, 1, 1 } };
	size_t len = forge_join(core(1), 1 << 20, &join);

	ringlet_inject(&r, 0, 1, packet, len);
	CHECK_EQ(core(1)->state, TOTEM_STATE_GATHER);
	CHECK(ringlet_run_until(&r, ringlet_is_whole, 1000 * RINGLET_MS));
	join.ring_seq = core(1)->inst->id.seq;
	len = forge_join(core(1), 1 << 20, &join);
	ringlet_inject(&r, 0, 1, packet, len);
	CHECK_EQ(core(1)->state, TOTEM_STATE_OPERATIONAL);
	ringlet_close(&r);
}

static bool
is_forming(struct ringlet *ring)
{
	return ring->node[1].core->state == TOTEM_STATE_COMMIT;
}

static bool
lose_commit_of_one(struct ringlet *ring, struct ringlet_packet *p)
{
	(void)ring;
	return p->bytes[0] != TOTEM_PACKET_COMMIT || p->from != 1;
}

/* Only a member of the forming ring that has seen its number may break it. */
static void
test_totem_join_in_commit_is_of_its_members(void)
{
	static const struct {
		const char *about;
		uint32_t from;
		uint64_t below;
		bool is_heeded;
	} cases[] = {
		{ "a member that gave up", 0, 0, true },
		{ "a member that had not begun", 0, 1, false },
		{ "a stranger", STRANGER, 0, false },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		check_case(cases[i].about);
		if (!form_three_of_four())
			return;
		r.filter = lose_commit_of_one;
		ringlet_start(&r, 2);
		CHECK(ringlet_run_until(&r, is_forming, 500 * RINGLET_MS));
		struct totem *t = core(1);
		r.node[STRANGER].incarnation = 1;
		inject_heartbeat(STRANGER, 1, ALL);
		struct totem_join join = { .config_hash = 7,
			.ring_seq = t->form->id.seq - cases[i].below,
			.proc = ALL,
			.incarnation = { 1, 1, 2, 1 } };

		ringlet_inject(&r, cases[i].from, 1, packet,
		    forge_join(t, UINT64_C(1) << 40, &join));

		CHECK_EQ(t->state,
		    cases[i].is_heeded ? TOTEM_STATE_GATHER
				       : TOTEM_STATE_COMMIT);
		ringlet_close(&r);
	}
}

/* ---- starting ---------------------------------------------------------- */

static void
check_one_view(uint64_t all)
{
	for (uint32_t i = 0; i < r.count; i++) {
		if (core(i) == NULL)
			continue;
		size_t views = ringlet_tally(&r, i, TOTEM_OUT_VIEW);
		const struct ringlet_note *last =
		    ringlet_find(&r, i, TOTEM_OUT_VIEW, views - 1);
		if (!CHECK(views > 0))
			return;
		CHECK_EQ(last->phase, TOTEM_PHASE_REGULAR);
		CHECK_EQ(last->members, all);
		CHECK(totem_ring_equal(last->ring, core(i)->inst->id));
	}
}

static void
test_totem_start_of_any_number_forms_one_ring(void)
{
	for (uint32_t count = 1; count <= 9; count++) {
		ringlet_open(&r, count, NULL);
		for (uint32_t i = 0; i < count; i++) {
			ringlet_start(&r, i);
			ringlet_run(&r, i * 7 % 5 * RINGLET_MS);
		}
		CHECK(
		    ringlet_run_until(&r, ringlet_is_whole, 2000 * RINGLET_MS));
		check_one_view((UINT64_C(1) << count) - 1);
		const struct ringlet_note *first =
		    ringlet_find(&r, 0, TOTEM_OUT_VIEW, 1);
		if (CHECK(first != NULL) && count > 1)
			CHECK(first->members != 1); /* nobody was alone */
		ringlet_close(&r);
	}
}

static void
test_totem_start_of_sixty_four_forms_one_ring(void)
{
	struct totem_config config;

	ringlet_config(&config);
	config.message_bytes_max = 4096;
	config.queue_bytes = 8192;
	ringlet_open(&r, LIMIT_NODES, &config);
	r.is_unchecked = true; /* it takes too long */
	CHECK(ringlet_form(&r));
	ringlet_forget(&r);
	for (uint32_t i = 0; i < r.count; i++)
		ringlet_submit(&r, i, TOTEM_SAFE, "all of us", 9);
	ringlet_run(&r, 200 * RINGLET_MS);
	for (uint32_t i = 0; i < r.count; i++) {
		CHECK_EQ(ringlet_tally(&r, i, TOTEM_OUT_DELIVER), r.count);
		CHECK(ringlet_agree(&r, 0, i));
		totem_check(core(i));
	}
	ringlet_kill(&r, 63);
	ringlet_kill(&r, 0);
	CHECK(ringlet_run_until(&r, ringlet_is_whole, 3000 * RINGLET_MS));
	ringlet_close(&r);
}

static void
test_totem_start_alone_waits_for_company_then_goes_on(void)
{
	ringlet_open(&r, 3, NULL);
	ringlet_start(&r, 1);
	ringlet_run(&r, 200 * RINGLET_MS);
	CHECK_EQ(core(1)->state, TOTEM_STATE_GATHER);
	ringlet_run(&r, 100 * RINGLET_MS);
	CHECK_EQ(core(1)->state, TOTEM_STATE_OPERATIONAL);

	ringlet_start(&r, 0); /* a newcomer need not wait for a merge */
	CHECK(ringlet_run_until(&r, ringlet_is_whole, 60 * RINGLET_MS));
	ringlet_close(&r);
}

/* ---- going ------------------------------------------------------------- */

static void
check_departure(enum totem_reason reason, uint64_t max_ns)
{
	CHECK(ringlet_run_until(&r, ringlet_is_whole, max_ns));
	const struct ringlet_note *trans =
	    ringlet_find(&r, 0, TOTEM_OUT_VIEW, 0);
	if (!CHECK(trans != NULL))
		return;
	CHECK_EQ(trans->phase, TOTEM_PHASE_TRANSITIONAL);
	CHECK_EQ(trans->left, 4);
	CHECK_EQ(trans->left_reason, reason);
	CHECK_EQ(trans->members, 3);
	CHECK(ringlet_agree(&r, 0, 1));
	ringlet_close(&r);
}

static bool
open_three(void)
{
	ringlet_open(&r, 3, NULL);
	if (!CHECK(ringlet_form(&r)))
		return false;
	ringlet_forget(&r);
	return true;
}

static void
test_totem_silent_member_is_excluded(void)
{
	if (!open_three())
		return;
	ringlet_kill(&r, 2);
	check_departure(TOTEM_REASON_TIMEOUT, 250 * RINGLET_MS);
}

static void
test_totem_member_proved_dead_is_excluded_at_once(void)
{
	if (!open_three())
		return;
	struct totem_input in = { .kind = TOTEM_IN_PEER };
	in.peer.node = 3;
	in.peer.incarnation = 9; /* another incarnation: no matter */
	in.peer.verdict = TOTEM_PEER_PROOF;
	ringlet_step(&r, 0, &in);
	CHECK_EQ(core(0)->state, TOTEM_STATE_OPERATIONAL);

	ringlet_kill(&r, 2);
	in.peer.incarnation = 1;
	ringlet_step(&r, 0, &in);
	check_departure(TOTEM_REASON_PROOF, 10 * RINGLET_MS);
}

static void
test_totem_verdicts_about_links_only_probe(void)
{
	static const enum totem_verdict verdicts[] = { TOTEM_PEER_SUSPECT,
		TOTEM_PEER_LINK_DOWN, TOTEM_PEER_LINK_UP };

	if (!open_three())
		return;
	for (size_t i = 0; i < ARRAY_COUNT(verdicts); i++) {
		struct totem_input in = { .kind = TOTEM_IN_PEER };
		in.peer.node = 3;
		in.peer.verdict = verdicts[i];
		ringlet_forget(&r);
		ringlet_step(&r, 0, &in);
		CHECK_EQ(r.node[0].sent[TOTEM_PACKET_HEARTBEAT], 1);
		CHECK_EQ(core(0)->state, TOTEM_STATE_OPERATIONAL);
	}
	struct totem_input dead = { .kind = TOTEM_IN_PEER };
	dead.peer.node = 3;
	dead.peer.verdict = TOTEM_PEER_DEAD;
	ringlet_kill(&r, 2);
	ringlet_step(&r, 0, &dead);
	check_departure(TOTEM_REASON_TIMEOUT, 10 * RINGLET_MS);
}

static void
test_totem_leaver_is_let_go_at_once(void)
{
	if (!open_three())
		return;
	ringlet_step(&r, 2, &(struct totem_input){ .kind = TOTEM_IN_LEAVE });
	CHECK_EQ(ringlet_tally(&r, 2, TOTEM_OUT_LEFT), 1);
	ringlet_submit(&r, 0, TOTEM_AGREED, "without it", 10);
	ringlet_run(&r, RINGLET_MS);
	ringlet_kill(&r, 2);
	check_departure(TOTEM_REASON_LEAVE, 10 * RINGLET_MS);
}

static bool
lose_leaves(struct ringlet *ring, struct ringlet_packet *p)
{
	return p->bytes[0] != TOTEM_PACKET_LEAVE || ring->filter_arg++ >= 6;
}

/* All LEAVEs are lost: the first token that comes is answered with another. */
static void
test_totem_leaver_answers_who_still_counts_on_it(void)
{
	if (!open_three())
		return;
	r.filter = lose_leaves;
	ringlet_step(&r, 2, &(struct totem_input){ .kind = TOTEM_IN_LEAVE });
	ringlet_submit(&r, 0, TOTEM_AGREED, "go round", 8);
	ringlet_run(&r, 10 * RINGLET_MS);
	ringlet_kill(&r, 2);
	check_departure(TOTEM_REASON_LEAVE, 40 * RINGLET_MS);
}

/* Faster than anybody could notice: it comes back with the next ring. */
static void
test_totem_restarted_member_comes_back_at_once(void)
{
	for (uint32_t who = 0; who < 3; who++) {
		if (!open_three())
			return;
		ringlet_start(&r, who);
		CHECK(
		    ringlet_run_until(&r, ringlet_is_whole, 100 * RINGLET_MS));
		uint32_t other = (who + 1) % 3;
		const struct ringlet_note *trans =
		    ringlet_find(&r, other, TOTEM_OUT_VIEW, 0);
		const struct ringlet_note *regular =
		    ringlet_find(&r, other, TOTEM_OUT_VIEW, 1);
		if (CHECK(trans != NULL && regular != NULL)) {
			CHECK_EQ(trans->left, TOTEM_BIT(who));
			CHECK_EQ(trans->left_reason, TOTEM_REASON_RESTART);
			CHECK_EQ(regular->joined, TOTEM_BIT(who));
		}
		CHECK_EQ(ringlet_tally(&r, other, TOTEM_OUT_VIEW), 2);
		ringlet_close(&r);
	}
}

/* ---- graphs ------------------------------------------------------------ */

/* filter_arg: bit 8 * from + to: the datagrams of that pair are lost. */
static bool
cut_pairs(struct ringlet *ring, struct ringlet_packet *p)
{
	return !(ring->filter_arg >> (8 * p->from + p->to) & 1);
}

static uint64_t
cut_both(uint32_t a, uint32_t b)
{
	return TOTEM_BIT(8 * a + b) | TOTEM_BIT(8 * b + a);
}

static void
test_totem_partition_makes_two_rings_that_merge(void)
{
	ringlet_open(&r, 5, NULL);
	if (!CHECK(ringlet_form(&r)))
		return;
	r.filter = cut_pairs;
	for (uint32_t a = 0; a < 2; a++)
		for (uint32_t b = 2; b < 5; b++)
			r.filter_arg |= cut_both(a, b);
	ringlet_run(&r, 1000 * RINGLET_MS);
	CHECK_EQ(core(0)->inst->members, 0x03);
	CHECK_EQ(core(4)->inst->members, 0x1c);
	CHECK_EQ(core(4)->state, TOTEM_STATE_OPERATIONAL);

	r.filter_arg = 0;
	ringlet_forget(&r);
	CHECK(ringlet_run_until(&r, ringlet_is_whole, 2000 * RINGLET_MS));
	const struct ringlet_note *trans =
	    ringlet_find(&r, 3, TOTEM_OUT_VIEW, 0);
	CHECK_EQ(trans->members, 0x1c);
	CHECK_EQ(trans->left, 0);
	CHECK_EQ(trans->reason, TOTEM_REASON_MERGE);
	CHECK_EQ(ringlet_find(&r, 3, TOTEM_OUT_VIEW, 1)->joined, 0x03);
	ringlet_close(&r);
}

/* A bidirectional path is what counts: half a link is none. */
static void
test_totem_one_way_link_is_no_link(void)
{
	if (!open_three())
		return;
	r.filter = cut_pairs;
	r.filter_arg = TOTEM_BIT(8 * 0 + 2);
	ringlet_run(&r, 1500 * RINGLET_MS);
	ringlet_forget(&r);
	ringlet_run(&r, 5000 * RINGLET_MS);

	CHECK(core(0)->inst->members != 0x01 || core(2)->inst->members != 0x04);
	for (uint32_t i = 0; i < 3; i++) {
		CHECK((core(i)->inst->members & 0x05) != 0x05);
		CHECK_EQ(ringlet_tally(&r, i, TOTEM_OUT_VIEW), 0);
	}
	ringlet_close(&r);
}

/* Every graph of four nodes settles, and every ring is a clique of it. */
static void
test_totem_every_graph_of_four_settles_in_cliques(void)
{
	static const uint8_t pairs[6][2] = { { 0, 1 }, { 0, 2 }, { 0, 3 },
		{ 1, 2 }, { 1, 3 }, { 2, 3 } };

	for (uint32_t graph = 0; graph < 64; graph++) {
		ringlet_open(&r, 4, NULL);
		r.is_unchecked = true; /* it takes too long */
		r.filter = cut_pairs;
		for (uint32_t i = 0; i < 6; i++)
			if (!(graph >> i & 1))
				r.filter_arg |=
				    cut_both(pairs[i][0], pairs[i][1]);
		ringlet_start_all(&r);
		ringlet_run(&r, 4000 * RINGLET_MS);
		ringlet_forget(&r);
		ringlet_run(&r, 3000 * RINGLET_MS);
		for (uint32_t i = 0; i < 4; i++) {
			uint64_t members = core(i)->inst->members;
			CHECK_EQ(core(i)->state, TOTEM_STATE_OPERATIONAL);
			CHECK_EQ(ringlet_tally(&r, i, TOTEM_OUT_VIEW), 0);
			for (uint32_t j = 0; j < 4; j++)
				if (members >> j & 1)
					CHECK(
					    !(r.filter_arg >> (8 * i + j) & 1));
		}
		ringlet_close(&r);
	}
}

/* What is not known of a node is no reason to exclude another. */
static void
test_totem_unknown_row_excludes_nobody(void)
{
	ringlet_open(&r, NODES, NULL);
	ringlet_start(&r, ME);
	struct totem *t = core(ME);
	know_all(t);
	t->gather.proc = 0x1f;
	t->peer[0].row = (struct totem_row){ 0 };
	for (uint32_t i = 0; i < NODES; i++)
		t->peer[i].proc_since_ns = 0;

	totem_gather_check(t);
	CHECK_EQ(t->gather.fail, 0);
	t->peer[0].row = (struct totem_row){ .version = 1, .hears = 0x17 };
	totem_gather_check(t);
	CHECK_EQ(t->gather.fail, 0x08);
	ringlet_close(&r);
}

/* ---- time -------------------------------------------------------------- */

/* The process stands still while packets queue up for it. */
static void
pause_node(uint32_t idx, uint64_t span_ns)
{
	r.node[idx].paused_until_ns = r.now_ns + span_ns;
	for (struct ringlet_packet *p = r.first; p != NULL; p = p->next)
		if (p->to == idx)
			p->at_ns =
			    num_max(p->at_ns, r.node[idx].paused_until_ns);
}

static void
test_totem_pause_is_told_once(void)
{
	static const uint64_t spans_ms[] = { 90, 300, 1500, 5000 };

	for (size_t i = 0; i < ARRAY_COUNT(spans_ms); i++) {
		if (!open_three())
			return;
		ringlet_submit(&r, 0, TOTEM_SAFE, "before", 6);
		pause_node(1, spans_ms[i] * RINGLET_MS);
		ringlet_run(&r, spans_ms[i] * RINGLET_MS);
		ringlet_run(&r, 2 * RINGLET_MS);

		CHECK_EQ(ringlet_tally(&r, 1, TOTEM_OUT_PAUSED), 1);
		CHECK_EQ(totem_count(core(1), TOTEM_COUNT_PAUSES), 1);
		CHECK(core(1)->health <= 1);
		CHECK(
		    ringlet_run_until(&r, ringlet_is_whole, 3000 * RINGLET_MS));
		if (spans_ms[i] < 100)
			CHECK_EQ(ringlet_tally(&r, 1, TOTEM_OUT_VIEW), 0);
		ringlet_close(&r);
	}
}

/* Who slept through the end of a round does not accuse those who did not. */
static void
test_totem_pause_in_gather_accuses_nobody(void)
{
	ringlet_open(&r, 3, NULL);
	ringlet_start(&r, 0);
	ringlet_run(&r, 100 * RINGLET_MS);
	ringlet_start(&r, 1);
	ringlet_start(&r, 2);
	ringlet_run(&r, 200000);
	CHECK_EQ(core(0)->state, TOTEM_STATE_GATHER);
	pause_node(0, 300 * RINGLET_MS);
	ringlet_run(&r, 301 * RINGLET_MS);

	CHECK_EQ(core(0)->gather.fail, 0);
	CHECK(ringlet_run_until(&r, ringlet_is_whole, 1500 * RINGLET_MS));
	ringlet_close(&r);
}

static void
test_totem_rotation_is_not_the_time_between_rings(void)
{
	struct totem_status status;

	if (!open_three())
		return;
	ringlet_kill(&r, 1);
	ringlet_kill(&r, 2);
	CHECK(ringlet_run_until(&r, ringlet_is_whole, 1000 * RINGLET_MS));
	ringlet_run(&r, 60000 * RINGLET_MS);
	ringlet_start(&r, 1);
	CHECK(ringlet_run_until(&r, ringlet_is_whole, 1000 * RINGLET_MS));

	totem_status(core(0), r.now_ns, &status);
	CHECK(status.rotation_ns < 50 * RINGLET_MS);
	ringlet_close(&r);
}

/* ---- ring numbers ------------------------------------------------------ */

static void
test_totem_ring_number_is_reserved_before_it_is_promised(void)
{
	ringlet_open(&r, 2, NULL);
	r.is_persist_manual = true;
	r.node[1].ring_seq = 5000; /* it has seen much more */
	ringlet_start_all(&r);
	ringlet_run(&r, 100 * RINGLET_MS);
	CHECK_EQ(core(0)->state, TOTEM_STATE_GATHER);
	const struct ringlet_note *asked =
	    ringlet_find(&r, 0, TOTEM_OUT_PERSIST, 0);
	if (!CHECK(asked != NULL))
		return;
	CHECK(asked->value > 5001);
	CHECK_EQ(ringlet_tally(&r, 0, TOTEM_OUT_PERSIST), 1);

	struct totem_input in = { .kind = TOTEM_IN_PERSISTED,
		.persisted_ring_seq = asked->value };
	ringlet_step(&r, 0, &in);
	ringlet_run(&r, 150 * RINGLET_MS);
	CHECK(ringlet_is_whole(&r));
	CHECK(core(0)->inst->id.seq > 5001);
	CHECK(core(0)->inst->id.seq <= asked->value);
	ringlet_close(&r);
}

static void
test_totem_ring_numbers_only_grow(void)
{
	uint64_t last = 0;

	ringlet_open(&r, 2, NULL);
	CHECK(ringlet_form(&r));
	for (int i = 0; i < 40; i++) {
		ringlet_start(&r, (uint32_t)i % 2);
		CHECK(
		    ringlet_run_until(&r, ringlet_is_whole, 1000 * RINGLET_MS));
		CHECK(core(0)->inst->id.seq > last);
		last = core(0)->inst->id.seq;
	}
	ringlet_close(&r);
}

/* ---- failed to receive ------------------------------------------------- */

static bool
lose_data_to_two(struct ringlet *ring, struct ringlet_packet *p)
{
	(void)ring;
	return p->to != 2 || p->len < 500 || p->bytes[0] > 2;
}

/* Node 2 gets every token and no large frame: the others put it out, and
 * none of them takes it back for a while. */
static void
test_totem_member_that_cannot_receive_is_put_out_for_long(void)
{
	static uint8_t message[1000];

	ringlet_open(&r, 4, NULL);
	if (!CHECK(ringlet_form(&r)))
		return;
	ringlet_forget(&r);
	r.filter = lose_data_to_two;
	ringlet_submit(&r, 0, TOTEM_SAFE, message, sizeof message);
	ringlet_run(&r, 900 * RINGLET_MS);
	CHECK_EQ(ringlet_tally(&r, 0, TOTEM_OUT_VIEW), 0); /* not before */
	ringlet_run(&r, 1500 * RINGLET_MS);

	for (uint32_t i = 0; i < 4; i++) {
		if (i == 2)
			continue;
		CHECK_EQ(core(i)->inst->members, 0x0b);
		const struct ringlet_note *trans =
		    ringlet_find(&r, i, TOTEM_OUT_VIEW, 0);
		if (CHECK(trans != NULL))
			CHECK_EQ(trans->left_reason, TOTEM_REASON_RECEIVE);
		CHECK_EQ(ringlet_tally(&r, i, TOTEM_OUT_DELIVER), 1);
		CHECK(core(i)->peer[2].quarantine_until_ns > r.now_ns);
	}
	ringlet_forget(&r);
	ringlet_run(&r, 7000 * RINGLET_MS);
	for (uint32_t i = 0; i < 4; i++)
		if (i != 2)
			CHECK_EQ(ringlet_tally(&r, i, TOTEM_OUT_VIEW), 0);
	r.filter = NULL;
	CHECK(ringlet_run_until(&r, ringlet_is_whole, 40000 * RINGLET_MS));
	ringlet_close(&r);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_totem_join_in_gather_changes_the_sets),
		CHECK_TEST(test_totem_join_accuses_an_incarnation),
		CHECK_TEST(test_totem_join_in_operational_is_heeded_or_not),
		CHECK_TEST(test_totem_join_a_second_time_is_ignored),
		CHECK_TEST(test_totem_join_in_commit_is_of_its_members),
		CHECK_TEST(test_totem_start_of_any_number_forms_one_ring),
		CHECK_TEST(test_totem_start_of_sixty_four_forms_one_ring),
		CHECK_TEST(
		    test_totem_start_alone_waits_for_company_then_goes_on),
		CHECK_TEST(test_totem_silent_member_is_excluded),
		CHECK_TEST(test_totem_member_proved_dead_is_excluded_at_once),
		CHECK_TEST(test_totem_verdicts_about_links_only_probe),
		CHECK_TEST(test_totem_leaver_is_let_go_at_once),
		CHECK_TEST(test_totem_leaver_answers_who_still_counts_on_it),
		CHECK_TEST(test_totem_restarted_member_comes_back_at_once),
		CHECK_TEST(test_totem_partition_makes_two_rings_that_merge),
		CHECK_TEST(test_totem_one_way_link_is_no_link),
		CHECK_TEST(test_totem_every_graph_of_four_settles_in_cliques),
		CHECK_TEST(test_totem_unknown_row_excludes_nobody),
		CHECK_TEST(test_totem_pause_is_told_once),
		CHECK_TEST(test_totem_pause_in_gather_accuses_nobody),
		CHECK_TEST(test_totem_rotation_is_not_the_time_between_rings),
		CHECK_TEST(
		    test_totem_ring_number_is_reserved_before_it_is_promised),
		CHECK_TEST(test_totem_ring_numbers_only_grow),
		CHECK_TEST(
		    test_totem_member_that_cannot_receive_is_put_out_for_long),
	};

	return CHECK_MAIN(argc, argv, tests);
}
