/* SPDX-License-Identifier: BSD-3-Clause */
/* A peer with the key and a fault: whatever it sends, this node goes on. */
#include <string.h>

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

static bool
open_ring(uint32_t count)
{
	ringlet_open(&r, count, NULL);
	return CHECK(ringlet_form(&r));
}

/* The ring is whole again, turns, and orders the same everywhere. */
static void
check_goes_on(void)
{
	CHECK(ringlet_run_until(&r, ringlet_is_whole, 5000 * RINGLET_MS));
	ringlet_run(&r, 5 * RINGLET_MS);
	ringlet_forget(&r);
	for (uint32_t i = 0; i < r.count; i++)
		ringlet_submit(&r, i, TOTEM_SAFE, "go on", 5);
	ringlet_run(&r, 200 * RINGLET_MS);
	for (uint32_t i = 0; i < r.count; i++) {
		CHECK_EQ(ringlet_tally(&r, i, TOTEM_OUT_DELIVER), r.count);
		CHECK(ringlet_agree(&r, 0, i));
	}
	ringlet_close(&r);
}

/* ---- forged packets ---------------------------------------------------- */

static size_t
forge_frame(const struct totem *t, const struct totem_frame *frame)
{
	struct wrbuf wr;

	wrbuf_init(&wr, packet, sizeof packet);
	totem_wire_put_frame(&wr, &t->table, frame);
	return wr.len;
}

static struct totem_frame
a_frame(const struct totem *t, uint32_t sender, uint64_t seq)
{
	static const uint8_t body[] = { TOTEM_RECORD_FIRST | TOTEM_RECORD_LAST,
		1, 1, 'x' };

	return (struct totem_frame){ .sender = sender,
		.ring = t->inst->id,
		.seq = seq,
		.body = body,
		.body_len = sizeof body };
}

static void
inject_frame(
    uint32_t from, uint32_t to, uint32_t sender, uint64_t seq, size_t len)
{
	static uint8_t body[LIMIT_FRAME_BYTES_MAX];
	struct totem_frame frame = a_frame(core(to), sender, seq);

	if (len > 0) {
		frame.body = body;
		frame.body_len = len - TOTEM_WIRE_FRAME_HEADER;
	}
	ringlet_inject(&r, from, to, packet, forge_frame(core(to), &frame));
}

/* A token that the node would accept, to be bent. */
static struct totem_token
a_token(uint32_t to)
{
	const struct totem_ring *ring = core(to)->inst;

	return (struct totem_token){ .ring = ring->id,
		.token_seq = ring->token_seq + 100,
		.seq = ring->high,
		.aru = ring->aru,
		.window = 100 };
}

static void
inject_token(uint32_t to, const struct totem_token *token)
{
	struct wrbuf wr;

	wrbuf_init(&wr, packet, sizeof packet);
	totem_wire_put_token(&wr, &core(to)->table, token);
	ringlet_inject(&r, core(to)->inst->predecessor, to, packet, wr.len);
}

/* ---- frames ------------------------------------------------------------ */

static void
test_totem_frame_above_the_token_forms_a_new_ring(void)
{
	if (!open_ring(3))
		return;

	inject_frame(0, 1, 0, core(1)->inst->high + 1, 0);
	ringlet_submit(&r, 1, TOTEM_AGREED, "mine", 4);
	ringlet_run(&r, 100 * RINGLET_MS);

	CHECK(core(1)->gathers[TOTEM_REASON_PROTOCOL] > 0);
	check_goes_on();
}

/* The token waits already when the frame comes that it does not know. */
static void
test_totem_frame_above_a_waiting_token_forms_a_new_ring(void)
{
	if (!open_ring(3))
		return;
	struct totem_token token = a_token(1);

	inject_token(1, &token);
	CHECK(core(1)->has_pending);
	inject_frame(0, 1, 0, core(1)->inst->high + 1, 0);
	ringlet_submit(&r, 1, TOTEM_AGREED, "mine", 4);
	ringlet_run(&r, 100 * RINGLET_MS);

	CHECK(core(1)->gathers[TOTEM_REASON_PROTOCOL] > 0);
	check_goes_on();
}

static bool
is_resting(struct ringlet *ring)
{
	return ring->node[0].core->is_held;
}

/* The representative would number its own on top of it when it wakes. */
static void
test_totem_frame_above_a_held_token_forms_a_new_ring(void)
{
	if (!open_ring(3))
		return;
	CHECK(ringlet_run_until(&r, is_resting, 500 * RINGLET_MS));

	inject_frame(1, 0, 1, core(0)->inst->high + 1, 0);
	ringlet_submit(&r, 0, TOTEM_AGREED, "mine", 4);
	ringlet_run(&r, 100 * RINGLET_MS);

	CHECK(core(0)->gathers[TOTEM_REASON_PROTOCOL] > 0);
	check_goes_on();
}

static void
test_totem_frame_of_no_other_member_is_refused(void)
{
	ringlet_open(&r, 3, NULL);
	ringlet_start(&r, 0);
	ringlet_start(&r, 1);
	CHECK(ringlet_run_until(&r, ringlet_is_whole, 3000 * RINGLET_MS));
	ringlet_run(&r, 50 * RINGLET_MS);
	uint64_t high = core(0)->inst->high;

	inject_frame(1, 0, 2, high + 1, 0); /* numbered by a stranger */
	inject_frame(1, 0, 0, high + 1, 0); /* by me, who did not */
	inject_frame(2, 0, 1, high + 1, 0); /* passed on by a stranger */

	CHECK_EQ(core(0)->inst->high, high);
	CHECK_EQ(totem_count(core(0), TOTEM_COUNT_FRAMES_REFUSED), 2);
	CHECK_EQ(totem_count(core(0), TOTEM_COUNT_FRAMES_FOREIGN), 1);
	ringlet_close(&r);
}

static void
test_totem_frame_in_a_ring_of_one_is_refused(void)
{
	ringlet_open(&r, 2, NULL);
	ringlet_start(&r, 0);
	CHECK(ringlet_run_until(&r, ringlet_is_whole, 3000 * RINGLET_MS));

	r.node[1].incarnation = 1;
	inject_frame(1, 0, 1, core(0)->inst->high + 1, 0);
	inject_frame(1, 0, 0, core(0)->inst->high + 7, 0);
	ringlet_submit(&r, 0, TOTEM_SAFE, "alone", 5);
	ringlet_run(&r, 10 * RINGLET_MS);

	CHECK_EQ(ringlet_tally(&r, 0, TOTEM_OUT_DELIVER), 1);
	ringlet_close(&r);
}

/* Recovery could not put it into a frame of its own. */
static void
test_totem_frame_too_long_to_recover_is_refused(void)
{
	if (!open_ring(2))
		return;
	uint64_t high = core(0)->inst->high;
	size_t longest = r.config.frame_bytes - (size_t)TOTEM_WIRE_FRAME_HEADER;

	inject_frame(1, 0, 1, high + 1, longest + 1);
	CHECK_EQ(core(0)->inst->high, high);
	inject_frame(1, 0, 1, high + 1, longest);
	CHECK_EQ(core(0)->inst->high, high + 1);
	ringlet_close(&r);
}

static void
test_totem_frame_without_body_is_malformed(void)
{
	if (!open_ring(2))
		return;

	inject_frame(1, 0, 1, core(0)->inst->high + 1, TOTEM_WIRE_FRAME_HEADER);

	CHECK_EQ(totem_count(core(0), TOTEM_COUNT_PACKETS_MALFORMED), 1);
	ringlet_close(&r);
}

/* ---- tokens ------------------------------------------------------------ */

static void
test_totem_token_of_the_far_future_is_refused(void)
{
	static const uint64_t beyond[] = { LIMIT_STORE_FRAMES + 1,
		UINT64_C(1) << 62, UINT64_MAX / 2 };

	for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++) {
		if (!open_ring(3))
			return;
		struct totem_token token = a_token(1);
		token.seq = core(1)->inst->gc + beyond[i];

		inject_token(1, &token);

		CHECK_EQ(core(1)->gathers[TOTEM_REASON_PROTOCOL], 1);
		check_goes_on();
	}
}

static void
test_totem_token_that_forgot_frames_is_refused(void)
{
	if (!open_ring(3))
		return;
	ringlet_submit(&r, 0, TOTEM_AGREED, "one", 3);
	ringlet_run(&r, 5 * RINGLET_MS);
	struct totem_token token = a_token(1);
	token.seq--;
	token.aru = token.seq;

	inject_token(1, &token);

	CHECK_EQ(core(1)->gathers[TOTEM_REASON_PROTOCOL], 1);
	check_goes_on();
}

/* Its sender lost count of the large messages under way. */
static void
test_totem_token_with_any_count_of_large_messages_is_served(void)
{
	static const uint8_t large[] = { 0, 255 };
	static uint8_t message[100000];

	for (size_t i = 0; i < sizeof large; i++) {
		if (!open_ring(3))
			return;
		ringlet_submit(&r, 1, TOTEM_AGREED, message, sizeof message);
		for (int j = 0; j < 200; j++) {
			ringlet_turn(&r);
			if (core(1)->has_pending)
				core(1)->pending.large = large[i];
		}
		check_goes_on();
	}
}

/* ---- COMMIT ------------------------------------------------------------ */

/* Runs until node 1 is in Commit; its COMMIT of the second pass is not sent. */
static bool
is_in_commit(struct ringlet *ring)
{
	return ring->node[1].core->state == TOTEM_STATE_COMMIT;
}

static bool
lose_second_pass(struct ringlet *ring, struct ringlet_packet *p)
{
	(void)ring;
	return p->bytes[0] != TOTEM_PACKET_COMMIT || p->from == 0;
}

enum bend { BEND_MEMBERS, BEND_INCARNATION, BEND_ENTRY, BEND_OTHER, BENDS };

static void
bend_commit(struct totem_commit *commit, enum bend bend)
{
	if (bend == BEND_MEMBERS)
		commit->members &= ~TOTEM_BIT(2);
	else if (bend == BEND_INCARNATION)
		commit->incarnation[2]++;
	else if (bend == BEND_ENTRY)
		commit->entry[1].old.nonce++;
	else
		commit->entry[0].stable = commit->entry[0].high += 4000;
}

static void
inject_commit(uint32_t to, const struct totem_commit *commit)
{
	static uint8_t whole[TOTEM_WIRE_CONTROL_MAX];
	struct wrbuf wr, out;

	wrbuf_init(&wr, whole, sizeof whole);
	totem_wire_put_commit(&wr, &core(to)->table, commit);
	struct totem_part part = { .packet = TOTEM_PACKET_COMMIT,
		.parts = 1,
		.id = 99999,
		.bytes = whole,
		.len = wr.len };
	wrbuf_init(&out, packet, sizeof packet);
	totem_wire_put_part(&out, &part);
	ringlet_inject(&r, core(to)->form->predecessor, to, packet, out.len);
}

static void
test_totem_commit_that_changed_on_its_way_is_refused(void)
{
	for (int bend = 0; bend < BENDS; bend++) {
		if (!open_ring(3))
			return;
		r.filter = lose_second_pass;
		ringlet_start(&r, 2); /* again: all gather */
		CHECK(ringlet_run_until(&r, is_in_commit, 500 * RINGLET_MS));
		struct totem_commit commit = core(1)->commit;
		for (uint32_t i = 0; i < 3; i++)
			if (i != 1)
				commit.entry[i] = commit.entry[1];
		commit.entry[2].old.seq++;
		commit.filled = bend == BEND_MEMBERS ? 2 : 3;
		commit.token_seq += 3;
		bend_commit(&commit, (enum bend)bend);

		inject_commit(1, &commit);

		CHECK(core(1)->state != TOTEM_STATE_RECOVERY);
		r.filter = NULL;
		check_goes_on();
	}
}

/* ---- anything at all --------------------------------------------------- */

static void
check_malformed(const char *state)
{
	struct totem *t = core(1);

	check_case(state);
	for (uint32_t kind = 0; kind < TOTEM_PACKETS + 2; kind++) {
		const uint8_t bytes[] = { (uint8_t)kind, 0xff };
		uint64_t before = totem_count(t, TOTEM_COUNT_PACKETS_MALFORMED);
		enum totem_state state_before = t->state;
		ringlet_inject(&r, 0, 1, bytes, sizeof bytes);
		uint64_t more =
		    totem_count(t, TOTEM_COUNT_PACKETS_MALFORMED) - before;
		CHECK(more <= 1);
		if (kind == 0 || kind >= TOTEM_PACKETS ||
		    kind == TOTEM_PACKET_HEARTBEAT ||
		    kind == TOTEM_PACKET_LEAVE || kind == TOTEM_PACKET_JOIN)
			CHECK_EQ(more, 1);
		CHECK_EQ(t->state, state_before);
	}
	ringlet_inject(&r, 0, 1, "", 0);
	check_case(NULL);
}

static bool
is_in_recovery(struct ringlet *ring)
{
	return ring->node[1].core->state == TOTEM_STATE_RECOVERY;
}

static bool
lose_tokens(struct ringlet *ring, struct ringlet_packet *p)
{
	(void)ring;
	return p->bytes[0] != TOTEM_PACKET_TOKEN;
}

static bool
is_gathering(struct ringlet *ring)
{
	return ring->node[1].core->state == TOTEM_STATE_GATHER;
}

static void
test_totem_nonsense_is_counted_in_every_state(void)
{
	if (!open_ring(3))
		return;
	check_malformed("operational");
	r.filter = lose_tokens;
	CHECK(ringlet_run_until(&r, is_gathering, 500 * RINGLET_MS));
	check_malformed("gather");
	r.filter = lose_second_pass;
	CHECK(ringlet_run_until(&r, is_in_commit, 500 * RINGLET_MS));
	check_malformed("commit");
	r.filter = lose_tokens;
	CHECK(ringlet_run_until(&r, is_in_recovery, 1000 * RINGLET_MS));
	check_malformed("recovery");
	r.filter = NULL;
	check_goes_on();
}

static void
test_totem_packet_of_nobody_or_of_the_past_is_counted(void)
{
	static const uint8_t leave[] = { TOTEM_PACKET_LEAVE };
	struct totem_input in = { .kind = TOTEM_IN_PACKET };

	if (!open_ring(2))
		return;
	in.packet.bytes = leave;
	in.packet.len = sizeof leave;
	in.packet.incarnation = 1;
	in.packet.node = 99;
	ringlet_step(&r, 0, &in);
	in.packet.node = 1; /* itself */
	ringlet_step(&r, 0, &in);
	CHECK_EQ(totem_count(core(0), TOTEM_COUNT_PACKETS_UNKNOWN), 2);
	in.packet.node = 2;
	in.packet.incarnation = 0;
	ringlet_step(&r, 0, &in);
	CHECK_EQ(totem_count(core(0), TOTEM_COUNT_PACKETS_STALE), 1);
	check_goes_on();
}

/* Frames of a ring that is gone, or not Recovery's, while one forms. */
static void
test_totem_frame_of_no_recovery_is_refused_in_recovery(void)
{
	if (!open_ring(3))
		return;
	r.filter = lose_tokens;
	CHECK(ringlet_run_until(&r, is_in_recovery, 1000 * RINGLET_MS));
	struct totem *t = core(1);
	struct totem_frame frame = a_frame(t, 0, 9);

	ringlet_inject(&r, 0, 1, packet, forge_frame(t, &frame));
	CHECK_EQ(totem_count(t, TOTEM_COUNT_FRAMES_FOREIGN), 1);
	frame.ring = t->form->id;
	ringlet_inject(&r, 0, 1, packet, forge_frame(t, &frame));
	CHECK_EQ(totem_count(t, TOTEM_COUNT_FRAMES_REFUSED), 1);
	frame.flags = TOTEM_FRAME_RECOVERY; /* but what is inside is none */
	ringlet_inject(&r, 0, 1, packet, forge_frame(t, &frame));
	CHECK_EQ(totem_count(t, TOTEM_COUNT_PACKETS_MALFORMED), 1);
	r.filter = NULL;
	check_goes_on();
}

/* ---- ring numbers ------------------------------------------------------ */

static void
test_totem_ring_numbers_do_not_wrap(void)
{
	struct totem_merge merge = { .ring_seq = UINT64_MAX - 1,
		.members = TOTEM_BIT(0) };
	struct wrbuf wr;

	if (!open_ring(2))
		return;
	merge.ring = core(0)->inst->id;
	wrbuf_init(&wr, packet, sizeof packet);
	totem_wire_put_merge(&wr, &core(1)->table, &merge);
	ringlet_inject(&r, 0, 1, packet, wr.len);

	CHECK_EQ(totem_count(core(1), TOTEM_COUNT_PACKETS_MALFORMED), 1);
	ringlet_kill(&r, 0);
	CHECK(ringlet_run_until(&r, ringlet_is_whole, 2000 * RINGLET_MS));
	CHECK(core(1)->inst->id.seq < 1000);
	ringlet_close(&r);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_totem_frame_above_the_token_forms_a_new_ring),
		CHECK_TEST(
		    test_totem_frame_above_a_waiting_token_forms_a_new_ring),
		CHECK_TEST(
		    test_totem_frame_above_a_held_token_forms_a_new_ring),
		CHECK_TEST(test_totem_frame_of_no_other_member_is_refused),
		CHECK_TEST(test_totem_frame_in_a_ring_of_one_is_refused),
		CHECK_TEST(test_totem_frame_too_long_to_recover_is_refused),
		CHECK_TEST(test_totem_frame_without_body_is_malformed),
		CHECK_TEST(test_totem_token_of_the_far_future_is_refused),
		CHECK_TEST(test_totem_token_that_forgot_frames_is_refused),
		CHECK_TEST(
		    test_totem_token_with_any_count_of_large_messages_is_served),
		CHECK_TEST(
		    test_totem_commit_that_changed_on_its_way_is_refused),
		CHECK_TEST(test_totem_nonsense_is_counted_in_every_state),
		CHECK_TEST(
		    test_totem_packet_of_nobody_or_of_the_past_is_counted),
		CHECK_TEST(
		    test_totem_frame_of_no_recovery_is_refused_in_recovery),
		CHECK_TEST(test_totem_ring_numbers_do_not_wrap),
	};

	return CHECK_MAIN(argc, argv, tests);
}
