/* SPDX-License-Identifier: BSD-3-Clause */
/* Whole reformations: starts, departures, partitions, pauses. */
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/wrbuf.h"

#include "bin/ringd/totem_internal.h"
#include "tests/unit/check.h"
#include "tests/unit/ringlet.h"

static struct ringlet r;

static struct totem *
core(uint32_t idx)
{
	return r.node[idx].core;
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
	config.frame_bytes = totem_frame_bytes_min(LIMIT_NODES);
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

/* Of node 3; the reasons are those of the views of nodes 1 and 2. */
static void
check_departure_told(
    enum totem_reason reason, enum totem_reason other, uint64_t max_ns)
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
	CHECK_EQ(trans->reason, reason);
	trans = ringlet_find(&r, 1, TOTEM_OUT_VIEW, 0);
	if (CHECK(trans != NULL))
		CHECK_EQ(trans->reason, other);
	ringlet_close(&r);
}

/* Both say why, whichever packet told them first. */
static void
check_departure(enum totem_reason reason, uint64_t max_ns)
{
	check_departure_told(reason, reason, max_ns);
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

/* Node 1 is told something of node 3. */
static void
judge(enum totem_verdict verdict, uint64_t incarnation)
{
	struct totem_input in = { .kind = TOTEM_IN_PEER };

	in.peer.node = 3;
	in.peer.incarnation = incarnation;
	in.peer.verdict = verdict;
	ringlet_step(&r, 0, &in);
}

static void
test_totem_member_proved_dead_is_excluded_at_once(void)
{
	if (!open_three())
		return;
	ringlet_start(&r, 2);
	CHECK(ringlet_run_until(&r, ringlet_is_whole, 100 * RINGLET_MS));
	ringlet_forget(&r);
	judge(TOTEM_PEER_PROOF, 1); /* the life before this one: no matter */
	CHECK_EQ(core(0)->state, TOTEM_STATE_OPERATIONAL);

	ringlet_kill(&r, 2);
	judge(TOTEM_PEER_PROOF, 2);
	check_departure(TOTEM_REASON_PROOF, 10 * RINGLET_MS);
}

/* It was believed, and died before it said anything to the ring. */
static void
test_totem_member_whose_next_life_is_dead_goes(void)
{
	if (!open_three())
		return;
	ringlet_kill(&r, 2);
	judge(TOTEM_PEER_PROOF, 2);
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
		ringlet_forget(&r);
		judge(verdicts[i], 0);
		CHECK_EQ(r.node[0].sent[TOTEM_PACKET_HEARTBEAT], 1);
		CHECK_EQ(core(0)->state, TOTEM_STATE_OPERATIONAL);
	}
	ringlet_kill(&r, 2);
	judge(TOTEM_PEER_DEAD, 0);
	/* The other one has just heard it: the rows have to decide. */
	check_departure_told(
	    TOTEM_REASON_TIMEOUT, TOTEM_REASON_CONNECTIVITY, 50 * RINGLET_MS);
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

/* ---- recovery ---------------------------------------------------------- */

/* Node 2 gets no frame of the old ring, node 0 not the first; filter_arg
 * counts the old frames that were sent in Recovery. */
static struct totem_ring_id lost_ring;
static uint64_t lost_seq;

static bool
lose_the_first_to_one(struct ringlet *ring, struct ringlet_packet *p)
{
	struct totem_frame frame;

	if (p->bytes[0] > TOTEM_PACKET_DATA_RETX ||
	    !totem_wire_get_frame(
		&ring->node[p->from].core->table, p->bytes, p->len, &frame))
		return true;
	if (frame.flags & TOTEM_FRAME_RECOVERY)
		ring->filter_arg += p->to == 2;
	if (!totem_ring_equal(frame.ring, lost_ring))
		return true;
	return p->to != 2 && (p->to != 0 || frame.seq != lost_seq);
}

/* Beyond the bitmaps nobody knows who holds what: all who have a frame would
 * send it, and forget it when they see it sent. */
static void
test_totem_recovery_sends_a_frame_once_even_if_unsure(void)
{
	enum { FRAMES = 600 };
	static uint8_t message[1200];
	struct totem_config config;

	ringlet_config(&config);
	config.window = config.window_max = LIMIT_WINDOW_MAX;
	config.visit_frames = TOTEM_VISIT_FRAMES_MAX;
	ringlet_open(&r, 4, &config);
	if (!CHECK(ringlet_form(&r)))
		return;
	ringlet_forget(&r);
	lost_ring = core(1)->inst->id;
	lost_seq = core(1)->inst->high + 1;
	r.filter = lose_the_first_to_one;
	for (int i = 0; i < FRAMES; i++)
		ringlet_submit(&r, 1, TOTEM_AGREED, message, sizeof message);
	ringlet_run(&r, 300 * RINGLET_MS);
	uint64_t behind = core(1)->inst->high - core(2)->inst->aru;
	CHECK(behind > 8 * TOTEM_WIRE_HOLE_BYTES);
	CHECK_EQ(core(1)->inst->high - core(0)->inst->aru, behind);
	ringlet_kill(&r, 3);
	CHECK(ringlet_run_until(&r, ringlet_is_whole, 1000 * RINGLET_MS));
	ringlet_run(&r, 50 * RINGLET_MS);

	for (uint32_t i = 0; i < 3; i++) {
		CHECK_EQ(ringlet_tally(&r, i, TOTEM_OUT_DELIVER), FRAMES);
		CHECK(ringlet_agree(&r, 0, i));
	}
	CHECK_EQ(totem_count(core(2), TOTEM_COUNT_RECOVERED), behind);
	CHECK_EQ(totem_count(core(0), TOTEM_COUNT_RECOVERED), 1);
	CHECK(r.filter_arg < behind + behind / 4);
	ringlet_close(&r);
}

/* Two rings merge while each has 3,000 frames that one of its members lacks:
 * more than a store holds. */
static bool
cut_halves(struct ringlet *ring, struct ringlet_packet *p)
{
	return ring->filter_arg == 0 || p->from / 3 == p->to / 3;
}

static bool
lose_commits(struct ringlet *ring, struct ringlet_packet *p)
{
	(void)ring;
	return p->bytes[0] != TOTEM_PACKET_COMMIT;
}

/* Node idx + 2 sent so much, and only idx got it. */
static void
give_frames(uint32_t idx, uint32_t count)
{
	static uint8_t bytes[64] = { TOTEM_RECORD_FIRST | TOTEM_RECORD_LAST, 1,
		29 };
	static uint8_t packet[128];
	struct totem *t = core(idx);

	for (uint32_t i = 0; i < count; i++) {
		struct totem_frame frame = { .sender = idx + 2,
			.ring = t->inst->id,
			.seq = t->inst->high + 1,
			.body = bytes,
			.body_len = 32 };
		struct wrbuf wr;
		wrbuf_init(&wr, packet, sizeof packet);
		totem_wire_put_frame(&wr, &t->table, &frame);
		ringlet_inject(&r, idx + 2, idx, packet, wr.len);
	}
}

static void
test_totem_recovery_of_more_than_a_store_holds(void)
{
	enum { FRAMES = 3000 };

	ringlet_open(&r, 6, NULL);
	r.is_unchecked = true; /* it takes too long */
	r.filter = cut_halves;
	r.filter_arg = 1;
	ringlet_start_all(&r);
	ringlet_run(&r, 1500 * RINGLET_MS);
	CHECK_EQ(core(0)->inst->members, 0x07);
	CHECK_EQ(core(3)->inst->members, 0x38);
	ringlet_forget(&r);
	r.filter = lose_commits;
	give_frames(0, FRAMES);
	give_frames(3, FRAMES);
	ringlet_kill(&r, 2);
	ringlet_kill(&r, 5);
	ringlet_run(&r, 600 * RINGLET_MS);
	CHECK(core(0)->state != TOTEM_STATE_OPERATIONAL);
	r.filter = NULL;
	uint64_t gathers = totem_count(core(1), TOTEM_COUNT_GATHERS);
	CHECK(ringlet_run_until(&r, ringlet_is_whole, 3000 * RINGLET_MS));
	ringlet_run(&r, RINGLET_MS);

	CHECK(totem_count(core(1), TOTEM_COUNT_GATHERS) <= gathers + 3);
	CHECK_EQ(core(1)->gathers[TOTEM_REASON_PROTOCOL], 0);
	CHECK_EQ(totem_count(core(1), TOTEM_COUNT_RECOVERED), FRAMES);
	CHECK_EQ(totem_count(core(4), TOTEM_COUNT_RECOVERED), FRAMES);
	CHECK_EQ(ringlet_tally(&r, 1, TOTEM_OUT_DELIVER), FRAMES);
	CHECK(ringlet_agree(&r, 0, 1));
	CHECK(ringlet_agree(&r, 3, 4));
	for (uint32_t i = 0; i < 5; i++)
		if (i != 2)
			totem_check(core(i));
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
		CHECK_TEST(test_totem_start_of_any_number_forms_one_ring),
		CHECK_TEST(test_totem_start_of_sixty_four_forms_one_ring),
		CHECK_TEST(
		    test_totem_start_alone_waits_for_company_then_goes_on),
		CHECK_TEST(test_totem_silent_member_is_excluded),
		CHECK_TEST(test_totem_member_proved_dead_is_excluded_at_once),
		CHECK_TEST(test_totem_member_whose_next_life_is_dead_goes),
		CHECK_TEST(test_totem_verdicts_about_links_only_probe),
		CHECK_TEST(test_totem_leaver_is_let_go_at_once),
		CHECK_TEST(test_totem_leaver_answers_who_still_counts_on_it),
		CHECK_TEST(test_totem_restarted_member_comes_back_at_once),
		CHECK_TEST(test_totem_partition_makes_two_rings_that_merge),
		CHECK_TEST(test_totem_one_way_link_is_no_link),
		CHECK_TEST(test_totem_every_graph_of_four_settles_in_cliques),
		CHECK_TEST(test_totem_pause_is_told_once),
		CHECK_TEST(test_totem_pause_in_gather_accuses_nobody),
		CHECK_TEST(test_totem_rotation_is_not_the_time_between_rings),
		CHECK_TEST(
		    test_totem_ring_number_is_reserved_before_it_is_promised),
		CHECK_TEST(
		    test_totem_recovery_sends_a_frame_once_even_if_unsure),
		CHECK_TEST(test_totem_recovery_of_more_than_a_store_holds),
		CHECK_TEST(test_totem_ring_numbers_only_grow),
		CHECK_TEST(
		    test_totem_member_that_cannot_receive_is_put_out_for_long),
	};

	return CHECK_MAIN(argc, argv, tests);
}
