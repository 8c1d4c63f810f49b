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
	{ "he knows less, and means the same", 0x0f, 8, 0x0f, 0, 0x07, 0, 0x0f,
	    8, true },
	{ "he knows less", 0x0f, 0, 0x0f, 0, 0x07, 0, 0x0f, 0, false },
	{ "a stranger gave up one I never had", 0x07, 0, 0x06, 0, 0x0f, 8, 0x07,
	    0, true },
	{ "a co-member gave up one I never had", 0x07, 0, 0x07, 0, 0x0f, 8,
	    0x0f, 8, true },
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

/* Silent to another, and heard by me: no reason to fail it. */
static void
test_totem_join_accuses_of_silence_only_who_is_silent(void)
{
	static const struct {
		const char *about;
		enum totem_reason why;
		uint64_t silent_ms;
		bool hears_me;
		uint64_t want_fail;
	} cases[] = {
		{ "heard just now", TOTEM_REASON_TIMEOUT, 1, true, 0 },
		{ "silent here, too", TOTEM_REASON_TIMEOUT, 60, true, 8 },
		{ "deaf for me", TOTEM_REASON_TIMEOUT, 1, false, 8 },
		{ "it left", TOTEM_REASON_LEAVE, 1, true, 8 },
		{ "it is proven", TOTEM_REASON_PROOF, 1, true, 8 },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		check_case(cases[i].about);
		ringlet_open(&r, NODES, NULL);
		ringlet_start(&r, ME);
		struct totem *t = core(ME);
		t->now_ns += 100 * RINGLET_MS;
		know_all(t);
		totem_ring_members(t, t->inst, 0x1f);
		for (uint32_t j = 0; j < NODES; j++)
			t->inst->incarnation[j] = 1;
		t->gather.proc = 0x1f;
		t->peer[3].heard_ns -= cases[i].silent_ms * RINGLET_MS;
		if (!cases[i].hears_me)
			t->peer[3].row.hears &= ~TOTEM_BIT(ME);
		struct totem_join join = { .proc = 0x1f,
			.fail = 8,
			.incarnation = { 1, 1, 1, 1, 1 } };
		join.why[3] = (uint8_t)cases[i].why;

		totem_join_process(t, 0, &join);

		CHECK_EQ(t->gather.fail, cases[i].want_fail);
		ringlet_close(&r);
	}
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
	{ "a newcomer that failed another", STRANGER, false, 1,
	    TOTEM_REASON_START, true, ALL, 7, false },
	{ "one who merges but failed another", STRANGER, false, 1,
	    TOTEM_REASON_MERGE, false, ALL, 7, false },
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

/*
 * Node 1 has noticed that 0 is silent, and I have not yet: that 1 does not
 * hear 0 says nothing about 1.
 */
static void
test_totem_row_of_who_noticed_first_excludes_nobody(void)
{
	ringlet_open(&r, NODES, NULL);
	ringlet_start(&r, ME);
	struct totem *t = core(ME);
	t->now_ns += 100 * RINGLET_MS;
	know_all(t);
	t->gather.proc = 0x1f;
	for (uint32_t i = 0; i < NODES; i++)
		t->peer[i].proc_since_ns = 0;
	t->peer[0].heard_ns -= 60 * RINGLET_MS;
	for (uint32_t i = 1; i < NODES; i++)
		if (i != ME)
			t->peer[i].row =
			    (struct totem_row){ .version = 1, .hears = 0x1e };

	totem_gather_check(t);
	CHECK_EQ(t->gather.fail, 0);
	/* The last resort does not take it out on who is there. */
	t->gather.cons = TOTEM_BIT(ME);
	totem_gather_consensus_timer(t);
	CHECK_EQ(t->gather.fail, 0x01);
	ringlet_close(&r);
}

/* By then it is heard of otherwise, and known to be alive. */
static void
test_totem_restart_is_not_learnt_from_a_group(void)
{
	static const uint8_t frame[40] = { TOTEM_PACKET_DATA };
	struct totem_input in = { .kind = TOTEM_IN_PACKET };

	ringlet_open(&r, 3, NULL);
	if (!CHECK(ringlet_form(&r)))
		return;
	in.packet.node = 3;
	in.packet.incarnation = 2;
	in.packet.bytes = frame;
	in.packet.len = sizeof frame;
	in.packet.is_shared = true;
	ringlet_step(&r, 0, &in);
	CHECK_EQ(core(0)->state, TOTEM_STATE_OPERATIONAL);
	CHECK_EQ(core(0)->peer[2].incarnation, 1);

	in.packet.is_shared = false;
	ringlet_step(&r, 0, &in);
	CHECK_EQ(core(0)->state, TOTEM_STATE_GATHER);
	CHECK_EQ(core(0)->gather.reason, TOTEM_REASON_RESTART);
	ringlet_close(&r);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_totem_join_in_gather_changes_the_sets),
		CHECK_TEST(test_totem_join_accuses_an_incarnation),
		CHECK_TEST(
		    test_totem_join_accuses_of_silence_only_who_is_silent),
		CHECK_TEST(test_totem_join_in_operational_is_heeded_or_not),
		CHECK_TEST(test_totem_join_a_second_time_is_ignored),
		CHECK_TEST(test_totem_join_in_commit_is_of_its_members),
		CHECK_TEST(test_totem_unknown_row_excludes_nobody),
		CHECK_TEST(test_totem_row_of_who_noticed_first_excludes_nobody),
		CHECK_TEST(test_totem_restart_is_not_learnt_from_a_group),
	};

	return CHECK_MAIN(argc, argv, tests);
}
