/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages into frames and back: whole, in order, exactly once. */
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/rdbuf.h"
#include "libcommon/base/rng.h"

#include "bin/ringd/totem_internal.h"
#include "tests/unit/check.h"
#include "tests/unit/ringlet.h"

enum { MIB = 1 << 20 };

static struct ringlet r;
static uint8_t bytes[MIB];

static struct totem *
core(uint32_t idx)
{
	return r.node[idx].core;
}

static void
fill_bytes(uint64_t seed)
{
	struct rng rng;

	rng_init(&rng, seed);
	for (size_t i = 0; i < sizeof bytes; i += 8) {
		uint64_t word = rng_next(&rng);
		memcpy(bytes + i, &word, 8);
	}
}

static bool
open_ring(uint32_t count)
{
	ringlet_open(&r, count, NULL);
	fill_bytes(count);
	if (!CHECK(ringlet_form(&r)))
		return false;
	ringlet_forget(&r);
	return true;
}

/* The room of a frame for records. */
static size_t
body_room(void)
{
	return r.config.frame_bytes - 2 * (size_t)TOTEM_WIRE_FRAME_HEADER;
}

/* ---- what went over the network, frame by frame ------------------------ */

struct seen {
	uint64_t seq;
	uint32_t sender;
	uint8_t flags;
	uint32_t records, pieces;
	size_t body_len;
	bool has_system;
};

static struct seen seen[4096];
static size_t seen_count;

static bool
see(struct ringlet *ring, struct ringlet_packet *packet)
{
	struct totem_frame frame;
	struct totem_record record;
	struct rdbuf rd;

	if (packet->bytes[0] != TOTEM_PACKET_DATA ||
	    packet->to != (packet->from + 1) % ring->count)
		return true;
	if (!CHECK(totem_wire_get_frame(&ring->node[packet->from].core->table,
		packet->bytes, packet->len, &frame)) ||
	    (frame.flags & TOTEM_FRAME_RECOVERY) || seen_count == 4096)
		return true;
	struct seen *now = &seen[seen_count++];
	*now = (struct seen){ .seq = frame.seq,
		.sender = frame.sender,
		.flags = frame.flags,
		.body_len = frame.body_len };
	rdbuf_init(&rd, frame.body, frame.body_len);
	while (rdbuf_left(&rd) > 0 && totem_wire_get_record(&rd, &record)) {
		now->records++;
		now->pieces += record.len < record.total;
		now->has_system |= (record.flags & TOTEM_RECORD_SYSTEM) != 0;
	}
	CHECK(rdbuf_is_done(&rd));
	return true;
}

static void
start_seeing(void)
{
	seen_count = 0;
	r.filter = see;
}

/* ---- sizes ------------------------------------------------------------- */

static void
check_delivered(uint32_t idx, size_t nth, uint32_t sender, size_t len)
{
	const struct ringlet_note *note =
	    ringlet_find(&r, idx, TOTEM_OUT_DELIVER, nth);

	if (!CHECK(note != NULL))
		return;
	CHECK_EQ(note->deliver.node, sender + 1);
	CHECK_EQ(note->deliver.len, len);
	CHECK_EQ(note->deliver.incarnation, 1);
	CHECK_EQ(note->sum, ringlet_sum(bytes, len));
}

/* A ring of one and one of three take the same way. */
static void
send_sizes(uint32_t count, const size_t *sizes, size_t size_count)
{
	if (!open_ring(count))
		return;

	for (size_t i = 0; i < size_count; i++)
		ringlet_submit(&r, 0, i % 2 == 0 ? TOTEM_AGREED : TOTEM_SAFE,
		    bytes, sizes[i]);
	ringlet_run(&r, 2000 * RINGLET_MS);

	for (uint32_t node = 0; node < count; node++) {
		CHECK_EQ(
		    ringlet_tally(&r, node, TOTEM_OUT_DELIVER), size_count);
		for (size_t i = 0; i < size_count; i++)
			check_delivered(node, i, 0, sizes[i]);
		CHECK(ringlet_agree(&r, 0, node));
	}
	ringlet_close(&r);
}

static void
test_totem_pack_sizes_around_the_frame_boundary_arrive(void)
{
	size_t sizes[64], count = 0;

	ringlet_config(&r.config);
	for (size_t times = 1; times <= 3; times++)
		for (size_t off = 0; off <= 16; off++)
			sizes[count++] = times * body_room() - 8 + off;
	send_sizes(1, sizes, count);
	send_sizes(3, sizes, count);
}

/* One record of that many bytes fills the frame; one byte more needs two. */
static void
test_totem_pack_splits_only_what_does_not_fit(void)
{
	for (size_t off = 0; off <= 16; off++) {
		if (!open_ring(2))
			return;
		/* flags, a number below 128, a length of two bytes */
		size_t whole = body_room() - 4;
		size_t len = whole - 8 + off;
		start_seeing();

		ringlet_submit(&r, 0, TOTEM_AGREED, bytes, len);
		ringlet_run(&r, 20 * RINGLET_MS);

		check_delivered(1, 0, 0, len);
		CHECK_EQ(seen_count, len <= whole ? 1 : 2);
		CHECK_EQ(seen[0].pieces, len <= whole ? 0 : 1);
		CHECK(seen[0].body_len <= body_room());
		ringlet_close(&r);
	}
}

static void
test_totem_pack_empty_and_largest_messages_arrive(void)
{
	const size_t sizes[] = { 0, 0, 1, MIB - 212, 0, MIB, 1 };
	const size_t all_sizes = sizeof sizes / sizeof sizes[0];

	for (size_t i = 0; i < all_sizes; i++) {
		send_sizes(1, sizes + i, 1);
		send_sizes(3, sizes + i, 1);
	}
	send_sizes(3, sizes, 5);
}

static void
test_totem_pack_random_messages_of_all_nodes_arrive_alike(void)
{
	struct rng rng;
	size_t total = 0;

	if (!open_ring(3))
		return;
	rng_init(&rng, 22);
	for (int i = 0; i < 600; i++) {
		uint32_t node = (uint32_t)rng_below(&rng, 3);
		size_t len =
		    rng_below(&rng, UINT64_C(1) << rng_below(&rng, 17));
		if (totem_room_bytes(core(node), TOTEM_CLASS_CLIENT) >= len) {
			ringlet_submit(&r, node,
			    rng_below(&rng, 4) == 0 ? TOTEM_SAFE : TOTEM_AGREED,
			    bytes + rng_below(&rng, 1000), len);
			total++;
		}
		if (rng_below(&rng, 3) == 0)
			ringlet_run(&r, rng_below(&rng, RINGLET_MS));
	}
	ringlet_run(&r, 500 * RINGLET_MS);

	for (uint32_t node = 0; node < 3; node++) {
		CHECK_EQ(ringlet_tally(&r, node, TOTEM_OUT_DELIVER), total);
		CHECK(ringlet_agree(&r, 0, node));
	}
	ringlet_close(&r);
}

/* Shorter and longer again, in the midst of a message; nothing is lost. */
static void
test_totem_pack_frames_are_as_long_as_gets_through(void)
{
	const size_t sizes[] = { 1200, MIB, 1200, 100, 300000 };
	const size_t size_count = sizeof sizes / sizeof sizes[0];
	const size_t lengths[] = { 600, 1400, 548, 900, 0, 9000 };
	size_t shorter = 600 - 2 * (size_t)TOTEM_WIRE_FRAME_HEADER;

	if (!open_ring(3))
		return;
	totem_set_frame(core(0), 600);
	start_seeing();
	for (size_t i = 0; i < size_count; i++)
		ringlet_submit(&r, 0, TOTEM_AGREED, bytes, sizes[i]);
	ringlet_run(&r, 5 * RINGLET_MS);
	CHECK(seen_count > 10);
	for (size_t i = 0; i < seen_count; i++)
		CHECK(seen[i].body_len <= shorter);
	CHECK_EQ(seen[0].pieces, 1); /* 1200 would fit a whole frame */

	for (size_t i = 0; i < 600; i++) {
		totem_set_frame(core(0), (uint32_t)lengths[i % 6]);
		ringlet_run(&r, RINGLET_MS);
	}
	for (uint32_t node = 0; node < 3; node++) {
		CHECK_EQ(
		    ringlet_tally(&r, node, TOTEM_OUT_DELIVER), size_count);
		for (size_t i = 0; i < size_count; i++)
			check_delivered(node, i, 0, sizes[i]);
		CHECK(ringlet_agree(&r, 0, node));
	}
	ringlet_close(&r);
}

/* ---- who shares a frame ------------------------------------------------ */

static void
test_totem_pack_small_messages_share_a_frame(void)
{
	if (!open_ring(2))
		return;
	start_seeing();

	for (int i = 0; i < 40; i++)
		ringlet_submit(&r, 0, TOTEM_AGREED, "small", 5);
	ringlet_run(&r, 20 * RINGLET_MS);

	CHECK_EQ(ringlet_tally(&r, 1, TOTEM_OUT_DELIVER), 40);
	CHECK_EQ(seen_count, 1);
	CHECK_EQ(seen[0].records, 40);
	for (size_t i = 0; i < 40; i++)
		CHECK_EQ(
		    ringlet_find(&r, 1, TOTEM_OUT_DELIVER, i)->deliver.idx, i);
	ringlet_close(&r);
}

static void
test_totem_pack_safe_and_agreed_never_share_a_frame(void)
{
	if (!open_ring(2))
		return;
	start_seeing();

	for (int i = 0; i < 12; i++)
		ringlet_submit(&r, 0, i % 4 < 2 ? TOTEM_AGREED : TOTEM_SAFE,
		    bytes, i == 6 ? 3000 : 10);
	ringlet_run(&r, 20 * RINGLET_MS);

	/* 0 1 | 2 3 | 4 5 | 6 6 6 7 | 8 9 | 10 11 */
	CHECK_EQ(seen_count, 8);
	for (size_t i = 0; i < 12; i++)
		CHECK_EQ(
		    ringlet_find(&r, 1, TOTEM_OUT_DELIVER, i)->deliver.service,
		    i % 4 < 2 ? TOTEM_AGREED : TOTEM_SAFE);
	CHECK_EQ(seen[3].flags & TOTEM_FRAME_SAFE, TOTEM_FRAME_SAFE);
	CHECK_EQ(seen[4].flags & TOTEM_FRAME_SAFE, TOTEM_FRAME_SAFE);
	CHECK_EQ(seen[5].flags & TOTEM_FRAME_SAFE, TOTEM_FRAME_SAFE);
	CHECK_EQ(seen[5].records, 2); /* the last piece, and a small one */
	CHECK_EQ(seen[6].flags & TOTEM_FRAME_SAFE, 0);
	ringlet_close(&r);
}

static void
test_totem_pack_system_messages_go_first_and_pass_the_gate(void)
{
	ringlet_open(&r, 2, NULL);
	r.is_gate_manual = true;
	if (!CHECK(ringlet_form(&r)))
		return;
	ringlet_forget(&r);
	start_seeing();

	ringlet_submit(&r, 0, TOTEM_AGREED, "client", 6);
	ringlet_submit_as(&r, 0, TOTEM_CLASS_SYSTEM, TOTEM_AGREED, "system");
	ringlet_run(&r, 50 * RINGLET_MS);
	CHECK_EQ(ringlet_tally(&r, 1, TOTEM_OUT_DELIVER), 1);
	CHECK_EQ(ringlet_find(&r, 1, TOTEM_OUT_DELIVER, 0)->deliver.class,
	    TOTEM_CLASS_SYSTEM);
	CHECK(seen[0].has_system);

	struct totem_input gate = { .kind = TOTEM_IN_GATE,
		.gate = core(0)->inst->id };
	gate.gate.nonce++;
	ringlet_step(&r, 0, &gate); /* of another ring: nothing */
	ringlet_run(&r, 50 * RINGLET_MS);
	CHECK_EQ(ringlet_tally(&r, 1, TOTEM_OUT_DELIVER), 1);
	gate.gate = core(0)->inst->id;
	ringlet_step(&r, 0, &gate);
	ringlet_run(&r, 50 * RINGLET_MS);
	CHECK_EQ(ringlet_tally(&r, 1, TOTEM_OUT_DELIVER), 2);
	ringlet_close(&r);
}

/* ---- large messages of many -------------------------------------------- */

/* With more senders than places to put messages together, they take turns. */
static void
test_totem_pack_never_has_more_large_messages_than_places(void)
{
	enum { NODES = LIMIT_MESSAGES_LARGE + 3 };
	uint32_t most = 0;

	if (!open_ring(NODES))
		return;
	for (uint32_t node = 0; node < NODES; node++)
		for (int i = 0; i < 3; i++)
			ringlet_submit(&r, node, TOTEM_AGREED, bytes, 60000);
	for (int i = 0; i < 4000; i++) {
		ringlet_turn(&r);
		for (uint32_t node = 0; node < NODES; node++)
			most = (uint32_t)num_max(
			    most, totem_slots_used(core(node)));
	}
	ringlet_run(&r, 500 * RINGLET_MS);

	CHECK_EQ(most, LIMIT_MESSAGES_LARGE);
	for (uint32_t node = 0; node < NODES; node++) {
		CHECK_EQ(ringlet_tally(&r, node, TOTEM_OUT_DELIVER), NODES * 3);
		CHECK(ringlet_agree(&r, 0, node));
		CHECK_EQ(totem_slots_used(core(node)), 0);
	}
	ringlet_close(&r);
}

/* ---- a configuration change -------------------------------------------- */

/* Half of a message is on the ring when it ends: it is sent again, whole, and
 * every node that delivers it does so once. */
static void
test_totem_pack_restarts_a_message_at_a_configuration_change(void)
{
	for (int turns = 1; turns < 120; turns += 7) {
		if (!open_ring(3))
			return;
		ringlet_submit(&r, 0, TOTEM_AGREED, bytes, 200000);
		ringlet_submit(&r, 0, TOTEM_AGREED, "after", 5);
		for (int i = 0; i < turns; i++)
			ringlet_turn(&r);
		ringlet_kill(&r, 2);
		CHECK(
		    ringlet_run_until(&r, ringlet_is_whole, 3000 * RINGLET_MS));
		ringlet_run(&r, 300 * RINGLET_MS);

		for (uint32_t node = 0; node < 2; node++) {
			CHECK_EQ(ringlet_tally(&r, node, TOTEM_OUT_DELIVER), 2);
			check_delivered(node, 0, 0, 200000);
			CHECK_EQ(totem_slots_used(core(node)), 0);
		}
		CHECK(ringlet_agree(&r, 0, 1));
		ringlet_close(&r);
	}
}

static void
submit_if_view(uint32_t idx, struct totem_ring_id view, const char *word)
{
	struct totem_input in = { .kind = TOTEM_IN_SUBMIT };

	in.submit.class = TOTEM_CLASS_CLIENT;
	in.submit.head = (const uint8_t *)word;
	in.submit.head_len = strlen(word);
	in.submit.has_if_view = true;
	in.submit.if_view = view;
	ringlet_step(&r, idx, &in);
}

static void
test_totem_pack_drops_what_was_meant_for_another_view(void)
{
	if (!open_ring(2))
		return;
	struct totem_ring_id view = core(0)->inst->id, any = view;
	any.nonce = 0;
	static const struct {
		int64_t seq;
		uint32_t rep, nonce;
	} wrong[] = { { 1, 0, 0 }, { -1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 } };

	submit_if_view(0, view, "this one");
	submit_if_view(0, any, "by its number");
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		submit_if_view(0,
		    (struct totem_ring_id){
			.seq = view.seq + (uint64_t)wrong[i].seq,
			.rep = view.rep + wrong[i].rep,
			.nonce = view.nonce + wrong[i].nonce },
		    "another");
	ringlet_run(&r, 50 * RINGLET_MS);

	CHECK_EQ(ringlet_tally(&r, 1, TOTEM_OUT_DELIVER), 2);
	CHECK_EQ(ringlet_tally(&r, 0, TOTEM_OUT_DROPPED), 4);
	for (size_t i = 0; i < 4; i++)
		CHECK_EQ(
		    ringlet_find(&r, 0, TOTEM_OUT_DROPPED, i)->value, i + 3);
	ringlet_close(&r);
}

/* Partly ordered when the view ends: nobody delivers it, it is dropped. */
static void
test_totem_pack_drops_half_a_message_with_its_view(void)
{
	if (!open_ring(2))
		return;
	struct totem_input in = { .kind = TOTEM_IN_SUBMIT };
	in.submit.class = TOTEM_CLASS_CLIENT;
	in.submit.body = bytes;
	in.submit.body_len = 500000;
	in.submit.has_if_view = true;
	in.submit.if_view = core(0)->inst->id;

	ringlet_step(&r, 0, &in);
	for (int i = 0; i < 12; i++)
		ringlet_turn(&r);
	CHECK(core(0)->queue[TOTEM_CLASS_CLIENT].offset > 0);
	ringlet_kill(&r, 1);
	ringlet_run(&r, 1000 * RINGLET_MS);

	CHECK_EQ(ringlet_tally(&r, 0, TOTEM_OUT_DELIVER), 0);
	CHECK_EQ(ringlet_tally(&r, 0, TOTEM_OUT_DROPPED), 1);
	ringlet_close(&r);
}

/* However many are to be dropped, alone or not, none is forgotten. */
static void
test_totem_pack_drops_thousands(void)
{
	enum { MANY = 3000 };

	for (uint32_t count = 1; count <= 2; count++) {
		if (!open_ring(count))
			return;
		struct totem_ring_id gone = core(0)->inst->id;
		gone.seq--;
		for (int i = 0; i < MANY; i++)
			submit_if_view(0, gone, "late");
		submit_if_view(0, core(0)->inst->id, "in time");
		ringlet_run(&r, 100 * RINGLET_MS);

		CHECK_EQ(ringlet_tally(&r, 0, TOTEM_OUT_DROPPED), MANY);
		CHECK_EQ(ringlet_tally(&r, 0, TOTEM_OUT_DELIVER), 1);
		ringlet_close(&r);
	}
}

/* ---- room -------------------------------------------------------------- */

static void
test_totem_pack_tells_when_there_is_room_again(void)
{
	if (!open_ring(2))
		return;
	size_t room;

	while ((room = totem_room_bytes(core(0), TOTEM_CLASS_CLIENT)) == MIB)
		ringlet_submit(&r, 0, TOTEM_AGREED, bytes, MIB / 4);
	CHECK(room < MIB);
	CHECK_EQ(ringlet_tally(&r, 0, TOTEM_OUT_WRITABLE), 0);
	ringlet_submit(&r, 0, TOTEM_AGREED, bytes, room);
	ringlet_run(&r, 1000 * RINGLET_MS);

	CHECK_EQ(ringlet_tally(&r, 0, TOTEM_OUT_WRITABLE), 1);
	CHECK_EQ(totem_room_bytes(core(0), TOTEM_CLASS_CLIENT), MIB);
	ringlet_close(&r);
}

static void
submit_too_much(void)
{
	ringlet_submit(&r, 0, TOTEM_AGREED, bytes, MIB + 1);
}

static void
test_totem_pack_more_than_there_is_room_for_is_an_error(void)
{
	if (!open_ring(1))
		return;

	CHECK_ABORTS(submit_too_much);
	ringlet_close(&r);
}

/* ---- leaving with much unsaid ------------------------------------------ */

static void
test_totem_leave_drops_all_that_waits_then_leaves(void)
{
	enum { MANY = 2500 };

	ringlet_open(&r, 2, NULL);
	r.is_gate_manual = true; /* so that nothing of it can be ordered */
	if (!CHECK(ringlet_form(&r)))
		return;
	ringlet_forget(&r);
	for (int i = 0; i < MANY; i++)
		ringlet_submit(&r, 0, TOTEM_AGREED, "waits", 5);
	ringlet_step(&r, 0, &(struct totem_input){ .kind = TOTEM_IN_LEAVE });
	CHECK_EQ(totem_room_bytes(core(0), TOTEM_CLASS_CLIENT), 0);
	ringlet_run(&r, 3000 * RINGLET_MS);

	CHECK_EQ(ringlet_tally(&r, 0, TOTEM_OUT_DROPPED), MANY);
	CHECK_EQ(ringlet_tally(&r, 0, TOTEM_OUT_LEFT), 1);
	CHECK_EQ(
	    r.node[0].notes[r.node[0].note_count - 1].kind, TOTEM_OUT_LEFT);
	ringlet_close(&r);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(
		    test_totem_pack_sizes_around_the_frame_boundary_arrive),
		CHECK_TEST(test_totem_pack_splits_only_what_does_not_fit),
		CHECK_TEST(test_totem_pack_empty_and_largest_messages_arrive),
		CHECK_TEST(
		    test_totem_pack_random_messages_of_all_nodes_arrive_alike),
		CHECK_TEST(test_totem_pack_frames_are_as_long_as_gets_through),
		CHECK_TEST(test_totem_pack_small_messages_share_a_frame),
		CHECK_TEST(test_totem_pack_safe_and_agreed_never_share_a_frame),
		CHECK_TEST(
		    test_totem_pack_system_messages_go_first_and_pass_the_gate),
		CHECK_TEST(
		    test_totem_pack_never_has_more_large_messages_than_places),
		CHECK_TEST(
		    test_totem_pack_restarts_a_message_at_a_configuration_change),
		CHECK_TEST(
		    test_totem_pack_drops_what_was_meant_for_another_view),
		CHECK_TEST(test_totem_pack_drops_half_a_message_with_its_view),
		CHECK_TEST(test_totem_pack_drops_thousands),
		CHECK_TEST(test_totem_pack_tells_when_there_is_room_again),
		CHECK_TEST(
		    test_totem_pack_more_than_there_is_room_for_is_an_error),
		CHECK_TEST(test_totem_leave_drops_all_that_waits_then_leaves),
	};

	return CHECK_MAIN(argc, argv, tests);
}
