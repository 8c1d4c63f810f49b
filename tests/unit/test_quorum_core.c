/* SPDX-License-Identifier: BSD-3-Clause */
/* The device, what is told when, and messages of any kind. */
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"

#include "bin/quorumd/quorum.h"
#include "bin/quorumd/quorum_internal.h"
#include "tests/unit/check.h"
#include "tests/unit/story.h"

/* ---- the device -----------------------------------------------------------
 */

/* T-33: a vote is for one view; and it ends. */
static void
device(void)
{
	story_nodes(2);
	story_cfg.has_device = true;
	story_begin();
	story_whole();
	CHECK(story_is_yes(1));
	CHECK_EQ(story_at(1).expected, 3);
	story_cut("1|2");
	CHECK(!story_is_yes(1) && !story_is_yes(2));
	CHECK_EQ(story_cast(1, true, 5 * STORY_SECOND), QUORUM_ANSWER_OK);
	CHECK(story_is_yes(1) && !story_is_yes(2));
	CHECK_EQ(story_at(1).basis, QUORUM_BASIS_DEVICE);
	quorumd_simulate_wait(story_world, 4 * STORY_SECOND);
	CHECK_EQ(story_cast(1, true, 5 * STORY_SECOND), QUORUM_ANSWER_OK);
	quorumd_simulate_wait(story_world, 4 * STORY_SECOND);
	CHECK(story_is_yes(1)); /* renewed */
	quorumd_simulate_wait(story_world, 2 * STORY_SECOND);
	CHECK(!story_is_yes(1));
	CHECK_EQ(story_at(1).reason, QUORUM_REASON_VOTE_EXPIRED);
	CHECK_EQ(story_cast(1, true, 0), QUORUM_ANSWER_OK);
	CHECK_EQ(story_cast(1, false, 0), QUORUM_ANSWER_OK);
	CHECK(!story_is_yes(1));
	CHECK_EQ(story_cast(1, true, 0), QUORUM_ANSWER_OK);
	story_cut("12");
	story_cut("1|2"); /* the vote was for a view that is no more */
	CHECK(!story_is_yes(1));
	story_finish();
}

static void
device_of_another_view(void)
{
	struct quorum_input in = { .kind = QUORUM_IN_VOTE };
	struct quorum_effect effect;
	struct quorum *core;

	story_nodes(2);
	story_cfg.has_device = true;
	story_begin();
	story_whole();
	story_cut("1|2");
	core =
	    (struct quorum *)(uintptr_t)quorumd_simulate_core(story_world, 0);
	in.cookie = 7;
	in.vote.view = story_at(1).view;
	in.vote.view.seq--;
	in.vote.is_yes = true;
	quorum_step(core, &in);
	CHECK(quorum_next(core, &effect));
	CHECK_EQ(effect.kind, QUORUM_OUT_ANSWER);
	CHECK_EQ(effect.answer.code, QUORUM_ANSWER_VIEW);
	CHECK_EQ(effect.answer.cookie, 7);
	CHECK(!quorum_next(core, &effect));
	story_finish();
}

static void
device_is_master(void)
{
	story_nodes(5);
	story_cfg.has_device = true;
	story_cfg.device_votes = 1;
	story_cfg.device_master_wins = true;
	story_begin();
	story_whole();
	story_cut("12|345");
	CHECK(!story_is_yes(3)); /* 3 of 6 */
	CHECK_EQ(story_cast(1, true, 0), QUORUM_ANSWER_OK);
	CHECK(story_is_yes(1));
	story_cut("1|2345");
	CHECK_EQ(story_cast(1, true, 0), QUORUM_ANSWER_OK);
	CHECK(!story_is_yes(1) &&
	    story_is_yes(2)); /* the four have quorum alone */
	story_finish();
}

/* ---- the core's own ways --------------------------------------------------
 */

/* T-34: one verdict a view, and no more unless something changes. */
static void
one_verdict_a_view(void)
{
	struct arena arena;
	struct quorum_input in = { .kind = QUORUM_IN_VIEW };
	struct quorum_effect effect;
	uint32_t member[] = { 1 };
	unsigned verdicts = 0;

	story_nodes(1);
	arena_init(&arena, NULL, 0);
	CHECK(quorum_create(&arena, &story_cfg, NULL, 0) == NULL);
	void *memory = aligned_alloc(64, num_round_up(arena.used_bytes, 64));

	arena_init(&arena, memory, arena.used_bytes);
	struct quorum *q = quorum_create(&arena, &story_cfg, NULL, 0);

	in.view.id = (struct parse_view){ 1, 4 };
	in.view.member = in.view.along = member;
	in.view.member_count = in.view.along_count = 1;
	quorum_step(q, &in);
	CHECK(quorum_next(q, &effect));
	CHECK_EQ(effect.kind, QUORUM_OUT_KEEP);
	CHECK(!quorum_next(q, &effect)); /* it has not spoken */
	in = (struct quorum_input){ .kind = QUORUM_IN_GROUP };
	in.group.node = member;
	in.group.node_count = 1;
	quorum_step(q, &in);
	CHECK(quorum_next(q, &effect));
	CHECK_EQ(effect.kind, QUORUM_OUT_PUBLISH);
	CHECK_EQ(effect.publish.if_view.seq, 4);
	in = (struct quorum_input){ .kind = QUORUM_IN_MESSAGE };
	in.message.sender = 1;
	in.message.bytes = effect.publish.bytes;
	in.message.len = effect.publish.len;
	CHECK(!quorum_next(q, &effect));
	for (int i = 0; i < 3; i++) {
		quorum_step(q, &in); /* again and again the same */
		while (quorum_next(q, &effect))
			verdicts += effect.kind == QUORUM_OUT_VERDICT;
	}
	CHECK_EQ(verdicts, 1);
	free(memory);
}

#define PLACE \
	" unsure=no new=no view=1.4 members=1 vouched= round=0.0:0.0 run=1"

static void
hear(struct quorum *q, uint32_t sender, uint64_t seq, const char *line)
{
	struct quorum_input in = { .kind = QUORUM_IN_MESSAGE };
	struct quorum_effect effect;

	in.message.sender = sender;
	in.message.pos = (struct parse_pos){ { 1, 4 }, seq, 0 };
	in.message.bytes = line;
	in.message.len = strlen(line);
	quorum_step(q, &in);
	while (quorum_next(q, &effect))
		;
	quorum_check(q);
}

/* The agreement that is proposed within a second; false: none. */
static bool
proposal(struct quorum *q, struct quorum_wire *wire)
{
	static char line[QUORUM_MESSAGE_BYTES_MAX + 1];
	struct quorum_input in = { .kind = QUORUM_IN_TIME,
		.now_ns = 2 * STORY_SECOND };
	struct quorum_effect effect;

	quorum_step(q, &in);
	while (quorum_next(q, &effect)) {
		if (effect.kind != QUORUM_OUT_PUBLISH)
			continue;
		memcpy(line, effect.publish.bytes, effect.publish.len);
		if (quorum_wire_get(
			&story_cfg, line, effect.publish.len, wire) &&
		    wire->kind == QUORUM_WIRE_EPOCH)
			return true;
	}
	return false;
}

/* One of the view that has not spoken may have been quorate before. */
static void
silent_members_are_no_outsiders(void)
{
	static const char word[] = "state own=1 waiting=no fresh=no" PLACE
				   " now=0.0:0.0/5/start/1:1,2:1,3:1,4:1,5:1/";
	uint32_t id[] = { 1, 2, 3, 4, 5 };
	struct quorum_input in = { .kind = QUORUM_IN_VIEW };
	struct quorum_effect effect;
	struct quorum_wire wire;
	struct quorum *q;

	story_nodes(5);
	story_cfg.auto_tie_breaker = QUORUM_TIE_LOWEST;
	story_cfg.wait_for_all = QUORUM_WAIT_ALWAYS;
	story_begin();
	quorumd_simulate_start(story_world, 1);
	q = (struct quorum *)(uintptr_t)quorumd_simulate_core(story_world, 0);
	in.view.id = (struct parse_view){ 1, 4 };
	in.view.member = id;
	in.view.member_count = 5;
	in.view.along = id;
	in.view.along_count = 1;
	quorum_step(q, &in);
	while (quorum_next(q, &effect))
		;
	in = (struct quorum_input){ .kind = QUORUM_IN_GROUP };
	in.group.node = id;
	in.group.node_count = 4; /* the quorumd of 5 is not up yet */
	quorum_step(q, &in);
	while (quorum_next(q, &effect))
		;
	for (uint32_t i = 1; i <= 4; i++)
		hear(q, i, i, word);
	CHECK(q->finding.is_quorate);
	if (CHECK(proposal(q, &wire))) {
		CHECK_EQ(wire.side, 0xf);
		CHECK_EQ(wire.epoch.quorate, 0x1f);
	}
	story_finish();
}

/* The end of a vote that was renewed meanwhile ends nothing. */
static void
late_end_of_a_renewed_vote(void)
{
	struct quorum *q;
	struct parse_pos first;
	char line[128];
	struct text text;

	story_nodes(2);
	story_cfg.has_device = true;
	story_begin();
	story_whole();
	story_cut("1|2");
	CHECK_EQ(story_cast(1, true, 0), QUORUM_ANSWER_OK);
	q = (struct quorum *)(uintptr_t)quorumd_simulate_core(story_world, 0);
	first = q->device[0].at;
	CHECK_EQ(story_cast(1, true, 0), QUORUM_ANSWER_OK);
	text_init(&text, line, sizeof line);
	text_put(&text, "expire node=1 at=");
	quorum_wire_put_pos(&first, &text);
	hear(q, 1, 9, line);
	CHECK(story_is_yes(1));
	text_init(&text, line, sizeof line);
	text_put(&text, "expire node=1 at=");
	quorum_wire_put_pos(&q->device[0].at, &text);
	hear(q, 1, 10, line);
	CHECK(!story_is_yes(1));
	story_finish();
}

/* quorumd ends and comes back with what it kept. */
static void
memory_survives_respawn(void)
{
	story_nodes(4);
	story_cfg.auto_tie_breaker = QUORUM_TIE_LOWEST;
	story_begin();
	story_whole();
	story_cut("12|34");
	CHECK(story_is_yes(1));
	quorumd_simulate_respawn(story_world, 0);
	CHECK(story_is_yes(1));
	quorumd_simulate_respawn(story_world, 1);
	CHECK(story_is_yes(2));
	story_cut("1|2|34");
	CHECK(!story_is_yes(1));
	story_finish();
}

/* What stands in for a world: a view of 1 and 2, and both in the group. */
static struct quorum *
pair(const char *kept, void **memory)
{
	struct quorum_input in = { .kind = QUORUM_IN_VIEW };
	struct quorum_effect effect;
	uint32_t id[] = { 1, 2 };
	struct arena arena;
	struct quorum *q;

	story_nodes(2);
	arena_init(&arena, NULL, 0);
	(void)quorum_create(&arena, &story_cfg, NULL, 0);
	*memory = aligned_alloc(64, num_round_up(arena.used_bytes, 64));
	arena_init(&arena, *memory, arena.used_bytes);
	q = quorum_create(&arena, &story_cfg, kept, strlen(kept));
	in.view.id = (struct parse_view){ 1, 4 };
	in.view.member = in.view.along = id;
	in.view.member_count = 2;
	quorum_step(q, &in);
	while (quorum_next(q, &effect))
		;
	in = (struct quorum_input){ .kind = QUORUM_IN_GROUP };
	in.group.node = id;
	in.group.node_count = 2;
	quorum_step(q, &in);
	while (quorum_next(q, &effect))
		;
	return q;
}

#define SAME " view=1.4 members=1,2 vouched= now=0.0:0.0/2/start/1:1,2:1/"
#define OWN(unsure, new, run)                                             \
	"state own=1 waiting=no fresh=no unsure=" unsure " new=" new SAME \
	    " round=0.0:0.0 run=" run

/* Ordered when it died, and read by the one that came after it. */
static void
words_of_the_one_before(void)
{
	struct quorum_input in = { .kind = QUORUM_IN_SET_EXPECTED };
	struct quorum_verdict verdict;
	struct quorum_effect effect;
	void *memory;
	struct quorum *q = pair(OWN("no", "no", "6"), &memory);

	hear(q, 1, 1, OWN("no", "no", "6"));
	hear(q, 1, 2, OWN("no", "yes", "6"));
	quorum_verdict_now(q, &verdict);
	CHECK(!verdict.is_known); /* it has said nothing yet */
	hear(q, 1, 3, OWN("yes", "yes", "7"));
	hear(q, 2, 4,
	    "state own=1 waiting=no fresh=no unsure=no new=no view=1.4"
	    " members=1,2 vouched=1 now=0.0:0.0/2/start/1:1,2:1/"
	    " round=1.4:3.0 run=1");
	quorum_verdict_now(q, &verdict);
	CHECK(verdict.is_quorate);
	in.set_expected.expected = 3;
	in.set_expected.is_forced = true;
	in.cookie = 5;
	quorum_step(q, &in);
	CHECK(quorum_next(q, &effect));
	CHECK_EQ(effect.kind, QUORUM_OUT_PUBLISH);
	CHECK(!quorum_next(q, &effect));
	hear(q, 1, 5,
	    "epoch base=0.0:0.0 to=0.0:0.0/9/start/1:1,2:1/ reason=3"
	    " round=0.0:0.0 no=1 run=6");
	CHECK(quorum_request_find(q, 1) != NULL); /* still waiting */
	free(memory);
}

/* What a peer says is read as what anybody could have written. */
static void
hostile_messages(void)
{
	static const char *const lines[] = {
		"",
		"state",
		"state own=x waiting=no fresh=no" PLACE
		" now=1.1:1.0/3/lms/1:1/1",
		"state own=1 waiting=no fresh=no" PLACE
		" now=1.1:1.0/0/lms/1:1/1",
		"state own=1 waiting=no fresh=no" PLACE
		" now=1.1:1.0/3/lms/1:4/1",
		"state own=1 waiting=no fresh=no" PLACE
		" now=1.1:1.0/3/no/1:1/1",
		"state own=1 waiting=no fresh=no" PLACE
		" now=1.1:1.0/3/lms/a:1/1",
		"state own=1 waiting=no fresh=no" PLACE
		" now=1.1:1.0/3/lms/1:1",
		"state own=1 waiting=no fresh=no now=1.1:1.0/3/lms/1:1",
		"epoch base=1.1:1.0 reason=0",
		"epoch base=0.0:0.0 to=0.0:0.0/3/lms/1:1/ reason=99 "
		"round=0.0:0.0",
		"vote cast=perhaps ttl=1",
		"expire node=1",
		"else",
		"state own=1 own=1 waiting=no fresh=no" PLACE
		" now=0.0:0.0/3/start/1:1/",
	};
	struct quorum_wire wire;
	char line[256];

	story_nodes(3);
	for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
		size_t len = strlen(lines[i]);

		memcpy(line, lines[i], len + 1);
		check_case(lines[i]);
		/* Missing last parts of an agreement are empty ones. */
		CHECK_EQ(quorum_wire_get(&story_cfg, line, len, &wire), i == 7);
	}
}

/* As many nodes, and numbers as long, as there can be: it fits a message. */
static void
longest_message(void)
{
	static char line[QUORUM_MESSAGE_BYTES_MAX + 1];
	struct quorum_wire wire = { .kind = QUORUM_WIRE_STATE }, read;
	const struct parse_pos far = { { LIMIT_NODE_ID_MAX, UINT64_MAX / 2 },
		UINT64_MAX / 2, 999999999 };
	struct quorum_epoch *e = &wire.memory.now;
	struct text out;

	story_nodes(1);
	story_cfg.node_count = LIMIT_NODES;
	for (size_t i = 0; i < LIMIT_NODES; i++) {
		story_cfg.node[i].id =
		    (uint32_t)(LIMIT_NODE_ID_MAX - LIMIT_NODES + 1 + i);
	}
	*e = (struct quorum_epoch){ .stamp = far,
		.cause = QUORUM_CAUSE_DOWNSCALE,
		.expected = UINT32_MAX,
		.voters = UINT64_MAX,
		.quorate = UINT64_MAX };
	for (size_t i = 0; i < LIMIT_NODES; i++)
		e->votes[i] = 1 << 24;
	for (size_t i = 0; i < QUORUM_MAYBES; i++) {
		wire.memory.maybe[i] = *e;
		wire.memory.maybe[i].stamp.seq += i + 1;
	}
	wire.memory.maybe_count = QUORUM_MAYBES;
	wire.memory.is_crowded = true;
	wire.said.votes = wire.said.tracked = UINT32_MAX;
	wire.view = far.view;
	wire.round = far;
	wire.members = wire.vouched = UINT64_MAX;
	wire.no = UINT64_MAX;
	wire.run = UINT64_MAX - 1;
	text_init(&out, line, sizeof line);
	quorum_wire_put(&story_cfg, &wire, &out);
	CHECK(!out.is_full && out.len <= QUORUM_MESSAGE_BYTES_MAX);
	if (!CHECK(quorum_wire_get(&story_cfg, line, out.len, &read)))
		return;
	CHECK_EQ(read.memory.maybe_count, QUORUM_MAYBES);
	CHECK_EQ(read.memory.now.votes[LIMIT_NODES - 1], 1 << 24);
	CHECK_EQ(read.vouched, UINT64_MAX);
}

static void
mistakes(void)
{
	char why[QUORUM_TEXT_BYTES];
	struct text text;

	text_init(&text, why, sizeof why);
	story_nodes(3);
	CHECK(!quorum_config_mistake(&story_cfg, 0, &text));
	story_cfg.two_node = true;
	story_cfg.has_device = true;
	story_cfg.auto_tie_breaker = QUORUM_TIE_LIST;
	story_cfg.last_man_standing = true;
	story_cfg.node[1].votes = 2;
	for (size_t i = 0; i < 10; i++)
		CHECK_EQ(quorum_config_mistake(&story_cfg, i, &text), i < 8);
	story_nodes(3);
	story_cfg.expected_votes = 2;
	CHECK(quorum_config_mistake(&story_cfg, 0, &text));
	story_nodes(3);
	story_cfg.self = 4;
	CHECK(quorum_config_mistake(&story_cfg, 0, &text));
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(device),
		CHECK_TEST(device_of_another_view),
		CHECK_TEST(device_is_master),
		CHECK_TEST(one_verdict_a_view),
		CHECK_TEST(silent_members_are_no_outsiders),
		CHECK_TEST(late_end_of_a_renewed_vote),
		CHECK_TEST(memory_survives_respawn),
		CHECK_TEST(words_of_the_one_before),
		CHECK_TEST(hostile_messages),
		CHECK_TEST(longest_message),
		CHECK_TEST(mistakes),
	};
	return CHECK_MAIN(argc, argv, tests);
}
