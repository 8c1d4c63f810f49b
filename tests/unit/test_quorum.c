/* SPDX-License-Identifier: BSD-3-Clause */
/* Each rule of quorum and each trap, told as a story. */
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"

#include "bin/quorumd/quorum.h"
#include "bin/quorumd/quorum_internal.h"
#include "bin/quorumd/quorumd_simulate_world.h"
#include "tests/unit/check.h"

#define SECOND UINT64_C(1000000000)

static struct quorum_config cfg;
static struct quorumd_simulate_world *world;

/* ---- telling ----------------------------------------------------------- */

static void
nodes(uint32_t count)
{
	quorum_config_init(&cfg);
	cfg.self = 1;
	cfg.node_count = count;
	for (uint32_t i = 0; i < count; i++) {
		cfg.node[i].id = i + 1;
		cfg.node[i].votes = 1;
		cfg.node[i].name[0] = (char)('a' + i);
	}
}

static void
begin(void)
{
	world = quorumd_simulate_open(&cfg);
	if (world == NULL)
		abort();
}

static void
finish(void)
{
	quorumd_simulate_close(world);
}

/* "12|3": digits are nodes. */
static size_t
sides_of(const char *cut, uint64_t *side)
{
	size_t count = 1;

	side[0] = 0;
	for (; *cut != '\0'; cut++)
		if (*cut == '|')
			side[count++] = 0;
		else
			side[count - 1] |= QUORUM_BIT(*cut - '1');
	return count;
}

static void
cut(const char *sides)
{
	uint64_t side[LIMIT_NODES];

	quorumd_simulate_cut(world, side, sides_of(sides, side));
}

static void
start(const char *set)
{
	uint64_t side[LIMIT_NODES];

	(void)sides_of(set, side); /* one */
	quorumd_simulate_start(world, side[0]);
}

static void
stop(const char *set, bool is_clean)
{
	uint64_t side[LIMIT_NODES];

	(void)sides_of(set, side); /* one */
	quorumd_simulate_stop(world, side[0], is_clean);
}

static void
whole(void)
{
	quorumd_simulate_start(world, UINT64_MAX);
	cut(cfg.node_count == 2       ? "12"
		: cfg.node_count == 3 ? "123"
		: cfg.node_count == 4 ? "1234"
				      : "12345");
}

static struct quorum_verdict
at(uint32_t node)
{
	struct quorum_verdict v;

	quorum_verdict_now(quorumd_simulate_core(world, node - 1), &v);
	return v;
}

static bool
is_yes(uint32_t node)
{
	return at(node).is_quorate;
}

static enum quorum_answer
set_expected(uint32_t node, uint32_t expected, bool is_forced)
{
	struct quorum_input in = { .kind = QUORUM_IN_SET_EXPECTED };
	const char *text;

	in.set_expected.expected = expected;
	in.set_expected.is_forced = is_forced;
	return quorumd_simulate_ask(world, node - 1, &in, &text);
}

static enum quorum_answer
set_votes(uint32_t node, uint32_t whose, uint32_t votes, bool is_forced)
{
	struct quorum_input in = { .kind = QUORUM_IN_SET_VOTES };
	const char *text;

	in.set_votes.node = whose;
	in.set_votes.votes = votes;
	in.set_votes.is_forced = is_forced;
	return quorumd_simulate_ask(world, node - 1, &in, &text);
}

static enum quorum_answer
cast(uint32_t node, bool is_yes_vote, uint64_t ttl_ns)
{
	struct quorum_input in = { .kind = QUORUM_IN_VOTE };
	const char *text;

	in.vote.is_yes = is_yes_vote;
	in.vote.ttl_ns = ttl_ns;
	in.vote.name = "arbiter";
	return quorumd_simulate_ask(world, node - 1, &in, &text);
}

/* ---- majority, votes ---------------------------------------------------- */

static void
majority(void)
{
	nodes(5);
	begin();
	whole();
	CHECK_EQ(at(1).basis, QUORUM_BASIS_MAJORITY);
	cut("123|45");
	CHECK(is_yes(1) && is_yes(3) && !is_yes(4));
	CHECK_EQ(at(1).needed, 3);
	cut("12|345");
	CHECK(!is_yes(1) && is_yes(3));
	finish();
	nodes(4);
	begin();
	whole();
	cut("12|34");
	CHECK(!is_yes(1) && !is_yes(3)); /* half is not more than half */
	finish();
}

/* T-46: 3 x 300 votes wrapped in eight bits. */
static void
votes_are_wide(void)
{
	nodes(3);
	for (size_t i = 0; i < 3; i++)
		cfg.node[i].votes = 300;
	begin();
	whole();
	CHECK_EQ(at(1).needed, 451);
	cut("1|23");
	CHECK(!is_yes(1) && is_yes(2));
	finish();
	for (size_t i = 0; i < 3; i++)
		cfg.node[i].votes = UINT32_MAX / 3;
	begin();
	whole();
	cut("1|23");
	CHECK_EQ(at(2).votes, UINT32_MAX / 3 * 2);
	CHECK(!is_yes(1) && is_yes(2));
	finish();
}

/* T-56: raising is accepted, lowering needs force. */
static void
votes_ratchet(void)
{
	nodes(3);
	begin();
	whole();
	CHECK_EQ(set_votes(1, 2, 3, false), QUORUM_ANSWER_OK);
	CHECK_EQ(at(3).expected, 5);
	CHECK_EQ(set_votes(1, 2, 1, false), QUORUM_ANSWER_QUORUM);
	CHECK_EQ(at(1).expected, 5);
	CHECK_EQ(set_votes(1, 2, 1, true), QUORUM_ANSWER_OK);
	CHECK_EQ(at(2).expected, 3);
	CHECK_EQ(set_votes(1, 9, 1, true), QUORUM_ANSWER_BAD);
	CHECK_EQ(set_votes(1, 2, UINT32_MAX, false), QUORUM_ANSWER_BAD);
	cut("12|3");
	/* Votes for one who is away that would cost quorum. */
	CHECK_EQ(set_votes(1, 3, 9, false), QUORUM_ANSWER_QUORUM);
	CHECK(is_yes(1));
	finish();
}

/* T-37. */
static void
expected_changes(void)
{
	nodes(3);
	begin();
	whole();
	CHECK_EQ(set_expected(1, 2, false), QUORUM_ANSWER_BAD);
	CHECK_EQ(set_expected(1, 2, true), QUORUM_ANSWER_BAD);
	CHECK_EQ(set_expected(1, 0, true), QUORUM_ANSWER_BAD);
	CHECK_EQ(set_expected(1, 6, false), QUORUM_ANSWER_QUORUM);
	CHECK_EQ(set_expected(1, 5, false), QUORUM_ANSWER_OK);
	CHECK_EQ(at(3).needed, 3);
	cut("1|23");
	CHECK(!is_yes(2)); /* of five */
	CHECK_EQ(set_expected(2, 2, false), QUORUM_ANSWER_QUORUM);
	CHECK_EQ(set_expected(2, 2, true), QUORUM_ANSWER_OK);
	CHECK(is_yes(2));
	CHECK_EQ(at(2).basis, QUORUM_BASIS_MAJORITY); /* as configured */
	cut("123"); /* one comes back and is counted in */
	CHECK_EQ(at(1).expected, 3);
	CHECK_EQ(at(1).votes, 3);
	finish();
}

/* Lowered by a side, expected binds those that it met later. */
static void
lowered_is_not_undone_elsewhere(void)
{
	nodes(5);
	begin();
	whole();
	cut("123|45");
	CHECK_EQ(set_expected(1, 3, false), QUORUM_ANSWER_OK);
	cut("12|345");
	CHECK(is_yes(1));
	CHECK(!is_yes(3)); /* by the formula alone: 3 of 5 */
	CHECK_EQ(at(1).basis, QUORUM_BASIS_FORCED);
	finish();
}

/* ---- two_node, wait_for_all --------------------------------------------- */

static void
two_node(void)
{
	nodes(2);
	cfg.two_node = true;
	cfg.wait_for_all = QUORUM_WAIT_YES;
	begin();
	start("1");
	CHECK(!is_yes(1)); /* no fence loop at power-on */
	start("2");
	cut("12");
	CHECK(is_yes(1));
	CHECK_EQ(at(1).needed, 1);
	CHECK_EQ(at(1).basis, QUORUM_BASIS_MAJORITY);
	stop("2", false);
	CHECK(is_yes(1));
	CHECK_EQ(at(1).basis, QUORUM_BASIS_TWO_NODE);
	start("2");
	CHECK(is_yes(1) && !is_yes(2));
	cut("12");
	CHECK(is_yes(2));
	finish();
}

/* T-36: armed at the start only; always is the opt-in. */
static void
wait_for_all(void)
{
	nodes(3);
	cfg.wait_for_all = QUORUM_WAIT_YES;
	begin();
	start("12");
	cut("12");
	CHECK(!is_yes(1));
	start("3");
	cut("123");
	CHECK(is_yes(1));
	cut("12|3");
	CHECK(is_yes(1) && !is_yes(3));
	cut("1|2|3"); /* the link between two flaps */
	cut("12|3");
	CHECK(is_yes(1));
	finish();
	cfg.wait_for_all = QUORUM_WAIT_ALWAYS;
	begin();
	whole();
	cut("12|3");
	CHECK(is_yes(1));
	cut("1|2|3");
	cut("12|3");
	CHECK(!is_yes(1));
	cut("123");
	CHECK(is_yes(1));
	finish();
}

static void
cancel_wait(void)
{
	struct quorum_input in = { .kind = QUORUM_IN_CANCEL_WAIT };
	struct quorum_rule rule;
	const char *text;

	nodes(3);
	cfg.wait_for_all = QUORUM_WAIT_YES;
	begin();
	start("12");
	cut("12");
	CHECK(quorum_rule_at(quorumd_simulate_core(world, 0), 0, &rule));
	CHECK_STR(rule.name, "wait_for_all");
	CHECK_STR(rule.text, "waiting for c");
	CHECK_EQ(quorumd_simulate_ask(world, 0, &in, &text), QUORUM_ANSWER_OK);
	CHECK(is_yes(1) && is_yes(2));
	CHECK_EQ(at(2).reason, QUORUM_REASON_WAIT_CANCELLED);
	finish();
}

/* One who woke is taken in by those who have quorum without it. */
static void
waiting_ends_with_a_quorate_partner(void)
{
	nodes(3);
	cfg.wait_for_all = QUORUM_WAIT_YES;
	begin();
	whole();
	stop("3", false);
	start("3");
	cut("13|2");
	CHECK(is_yes(1) && is_yes(3)); /* 1 has seen all */
	finish();
	/* Where a minority may have quorum, that is not enough. */
	cfg.last_man_standing = true;
	begin();
	whole();
	stop("3", false);
	quorumd_simulate_wait(world, 11 * SECOND);
	start("3");
	cut("1|2|3");
	cut("13|2");
	CHECK(!is_yes(1) && !is_yes(3));
	finish();
}

/* ---- last_man_standing -------------------------------------------------- */

static void
last_man_standing(void)
{
	nodes(5);
	cfg.last_man_standing = true;
	begin();
	whole();
	stop("5", false);
	quorumd_simulate_wait(world, 6 * SECOND);
	stop("4", false); /* the window begins anew */
	quorumd_simulate_wait(world, 9 * SECOND);
	CHECK_EQ(at(1).expected, 5);
	quorumd_simulate_wait(world, 2 * SECOND);
	CHECK_EQ(at(1).expected, 3);
	CHECK_EQ(at(1).reason, QUORUM_REASON_LMS_WINDOW);
	stop("3", false);
	CHECK(is_yes(1));
	CHECK_EQ(at(1).basis, QUORUM_BASIS_LMS);
	quorumd_simulate_wait(world, 11 * SECOND);
	CHECK_EQ(at(1).expected, 2);
	stop("2", false);
	CHECK(!is_yes(1)); /* without a tie breaker two is the end */
	finish();
}

/* By the formula, {3,4,5} had 3 of 5 while {1,2} had 2 of 3. */
static void
last_men_do_not_vote_twice(void)
{
	nodes(5);
	cfg.last_man_standing = true;
	begin();
	whole();
	cut("123|45");
	quorumd_simulate_wait(world, 11 * SECOND);
	cut("12|345");
	CHECK(is_yes(1) && !is_yes(3) && !is_yes(4));
	cut("124|35");
	CHECK(is_yes(4)); /* counted in again */
	CHECK_EQ(at(4).expected, 4);
	finish();
}

/* The window ends while there is no quorum: nothing happens. */
static void
window_needs_quorum(void)
{
	nodes(5);
	cfg.last_man_standing = true;
	begin();
	whole();
	cut("123|4|5");
	quorumd_simulate_wait(world, 5 * SECOND);
	cut("1|2|3|4|5");
	quorumd_simulate_wait(world, 6 * SECOND);
	cut("123|45"); /* nobody was lost */
	quorumd_simulate_wait(world, 11 * SECOND);
	CHECK_EQ(at(1).expected, 5);
	finish();
}

static void
down_to_one_by_ties(void)
{
	nodes(4);
	cfg.last_man_standing = true;
	cfg.auto_tie_breaker = QUORUM_TIE_LOWEST;
	begin();
	whole();
	stop("34", false);
	CHECK(is_yes(1));
	quorumd_simulate_wait(world, 11 * SECOND);
	CHECK_EQ(at(1).expected, 2);
	stop("2", false);
	CHECK(is_yes(1));
	CHECK_EQ(at(1).basis, QUORUM_BASIS_TIE);
	quorumd_simulate_wait(world, 11 * SECOND);
	CHECK_EQ(at(1).expected, 1);
	CHECK(is_yes(1));
	finish();
}

/* ---- auto_tie_breaker --------------------------------------------------- */

/* The ruling's hole: 1 was the lowest once, 4 knows that it no longer is. */
static void
an_older_memory_never_decides_a_tie(void)
{
	nodes(4);
	cfg.auto_tie_breaker = QUORUM_TIE_LOWEST;
	begin();
	whole();
	cut("1|234");
	cut("23|14");
	CHECK(is_yes(2));
	CHECK_EQ(at(2).basis, QUORUM_BASIS_TIE);
	CHECK(!is_yes(1) && !is_yes(4));
	finish();
}

static void
ties(void)
{
	nodes(4);
	cfg.auto_tie_breaker = QUORUM_TIE_HIGHEST;
	begin();
	start("1234");
	cut("12|34");
	CHECK(!is_yes(3)); /* nobody was quorate before */
	cut("1234");
	cut("12|34");
	CHECK(!is_yes(1) && is_yes(3));
	finish();
	cfg.auto_tie_breaker = QUORUM_TIE_LIST;
	cfg.tie_list[0] = 3;
	cfg.tie_list[1] = 2;
	cfg.tie_count = 2;
	begin();
	whole();
	cut("12|34");
	CHECK(!is_yes(1) && is_yes(4));
	cut("1234");
	cut("124|3");
	cut("12|4|3"); /* 3 was not among them: 2 decides */
	CHECK(is_yes(1));
	finish();
}

/* One that restarted may have been where the tie was decided otherwise. */
static void
who_remembers_nothing_breaks_no_tie(void)
{
	nodes(4);
	cfg.auto_tie_breaker = QUORUM_TIE_LOWEST;
	begin();
	whole();
	cut("1|234");
	stop("4", false);
	CHECK(is_yes(2));
	start("4");
	cut("14|23");
	CHECK(is_yes(2) && !is_yes(1));
	finish();
}

/* T-35: with five, {1,2} of {1,2,3,4} wins only if 5 waits for all. */
static void
ties_of_odd_clusters(void)
{
	struct text text;
	char why[QUORUM_TEXT_BYTES];

	nodes(5);
	cfg.auto_tie_breaker = QUORUM_TIE_LOWEST;
	cfg.wait_for_all = QUORUM_WAIT_YES;
	text_init(&text, why, sizeof why);
	CHECK(quorum_config_mistake(&cfg, 0, &text));
	cfg.wait_for_all = QUORUM_WAIT_ALWAYS;
	CHECK(!quorum_config_mistake(&cfg, 0, &text));
	begin();
	whole();
	cut("12|345"); /* the other three could be whole */
	CHECK(!is_yes(1) && is_yes(3));
	cut("12345");
	cut("1234|5");
	cut("12|345");
	CHECK(is_yes(1) && !is_yes(3) && !is_yes(5));
	finish();
}

/* ---- leaving, tracking --------------------------------------------------- */

static void
downscale(void)
{
	nodes(3);
	cfg.allow_downscale = true;
	begin();
	whole();
	stop("3", true);
	CHECK_EQ(at(1).expected, 2);
	stop("2", true);
	CHECK(is_yes(1));
	CHECK_EQ(at(1).basis, QUORUM_BASIS_DOWNSCALE);
	start("2");
	cut("12");
	CHECK_EQ(at(2).expected, 2);
	stop("2", false); /* a crash is no leaving */
	CHECK_EQ(at(1).expected, 2);
	CHECK(!is_yes(1));
	finish();
	cfg.allow_downscale = false;
	begin();
	whole();
	stop("3", true);
	CHECK_EQ(at(1).expected, 3);
	finish();
}

/* T-38: what was counted once is needed after a restart. */
static void
tracking(void)
{
	nodes(3);
	cfg.expected_votes_tracking = true;
	begin();
	whole();
	CHECK_EQ(set_expected(1, 5, false), QUORUM_ANSWER_OK);
	stop("123", false);
	start("12");
	cut("12");
	CHECK_EQ(at(1).expected, 5);
	CHECK(!is_yes(1));
	start("3");
	cut("123");
	CHECK(is_yes(1));
	finish();
	cfg.expected_votes_tracking = false;
	begin();
	whole();
	CHECK_EQ(set_expected(1, 5, false), QUORUM_ANSWER_OK);
	stop("123", false);
	start("12");
	cut("12");
	CHECK(is_yes(1));
	finish();
}

/* ---- the device -----------------------------------------------------------
 */

/* T-33: a vote is for one view; and it ends. */
static void
device(void)
{
	nodes(2);
	cfg.has_device = true;
	begin();
	whole();
	CHECK(is_yes(1));
	CHECK_EQ(at(1).expected, 3);
	cut("1|2");
	CHECK(!is_yes(1) && !is_yes(2));
	CHECK_EQ(cast(1, true, 5 * SECOND), QUORUM_ANSWER_OK);
	CHECK(is_yes(1) && !is_yes(2));
	CHECK_EQ(at(1).basis, QUORUM_BASIS_DEVICE);
	quorumd_simulate_wait(world, 4 * SECOND);
	CHECK_EQ(cast(1, true, 5 * SECOND), QUORUM_ANSWER_OK);
	quorumd_simulate_wait(world, 4 * SECOND);
	CHECK(is_yes(1)); /* renewed */
	quorumd_simulate_wait(world, 2 * SECOND);
	CHECK(!is_yes(1));
	CHECK_EQ(at(1).reason, QUORUM_REASON_VOTE_EXPIRED);
	CHECK_EQ(cast(1, true, 0), QUORUM_ANSWER_OK);
	CHECK_EQ(cast(1, false, 0), QUORUM_ANSWER_OK);
	CHECK(!is_yes(1));
	CHECK_EQ(cast(1, true, 0), QUORUM_ANSWER_OK);
	cut("12");
	cut("1|2"); /* the vote was for a view that is no more */
	CHECK(!is_yes(1));
	finish();
}

static void
device_of_another_view(void)
{
	struct quorum_input in = { .kind = QUORUM_IN_VOTE };
	struct quorum_effect effect;
	struct quorum *core;

	nodes(2);
	cfg.has_device = true;
	begin();
	whole();
	cut("1|2");
	core = (struct quorum *)(uintptr_t)quorumd_simulate_core(world, 0);
	in.cookie = 7;
	in.vote.view = at(1).view;
	in.vote.view.seq--;
	in.vote.is_yes = true;
	quorum_step(core, &in);
	CHECK(quorum_next(core, &effect));
	CHECK_EQ(effect.kind, QUORUM_OUT_ANSWER);
	CHECK_EQ(effect.answer.code, QUORUM_ANSWER_VIEW);
	CHECK_EQ(effect.answer.cookie, 7);
	CHECK(!quorum_next(core, &effect));
	finish();
}

static void
device_is_master(void)
{
	nodes(5);
	cfg.has_device = true;
	cfg.device_votes = 1;
	cfg.device_master_wins = true;
	begin();
	whole();
	cut("12|345");
	CHECK(!is_yes(3)); /* 3 of 6 */
	CHECK_EQ(cast(1, true, 0), QUORUM_ANSWER_OK);
	CHECK(is_yes(1));
	cut("1|2345");
	CHECK_EQ(cast(1, true, 0), QUORUM_ANSWER_OK);
	CHECK(!is_yes(1) && is_yes(2)); /* the four have quorum alone */
	finish();
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

	nodes(1);
	arena_init(&arena, NULL, 0);
	CHECK(quorum_create(&arena, &cfg, NULL, 0) == NULL);
	void *memory = aligned_alloc(64, num_round_up(arena.used_bytes, 64));

	arena_init(&arena, memory, arena.used_bytes);
	struct quorum *q = quorum_create(&arena, &cfg, NULL, 0);

	in.view.id = (struct parse_view){ 1, 4 };
	in.view.member = in.view.along = member;
	in.view.member_count = in.view.along_count = 1;
	quorum_step(q, &in);
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
		.now_ns = 2 * SECOND };
	struct quorum_effect effect;

	quorum_step(q, &in);
	while (quorum_next(q, &effect)) {
		if (effect.kind != QUORUM_OUT_PUBLISH)
			continue;
		memcpy(line, effect.publish.bytes, effect.publish.len);
		if (quorum_wire_get(&cfg, line, effect.publish.len, wire) &&
		    wire->kind == QUORUM_WIRE_EPOCH)
			return true;
	}
	return false;
}

/* One of the view that has not spoken may have been quorate before. */
static void
silent_members_are_no_outsiders(void)
{
	static const char word[] = "state own=1 waiting=no fresh=no "
				   "now=0.0:0.0/5/start/1:1,2:1,3:1,4:1,5:1/";
	uint32_t id[] = { 1, 2, 3, 4, 5 };
	struct quorum_input in = { .kind = QUORUM_IN_VIEW };
	struct quorum_effect effect;
	struct quorum_wire wire;
	struct quorum *q;

	nodes(5);
	cfg.auto_tie_breaker = QUORUM_TIE_LOWEST;
	cfg.wait_for_all = QUORUM_WAIT_ALWAYS;
	begin();
	quorumd_simulate_start(world, 1);
	q = (struct quorum *)(uintptr_t)quorumd_simulate_core(world, 0);
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
	finish();
}

/* The end of a vote that was renewed meanwhile ends nothing. */
static void
late_end_of_a_renewed_vote(void)
{
	struct quorum *q;
	struct parse_pos first;
	char line[128];
	struct text text;

	nodes(2);
	cfg.has_device = true;
	begin();
	whole();
	cut("1|2");
	CHECK_EQ(cast(1, true, 0), QUORUM_ANSWER_OK);
	q = (struct quorum *)(uintptr_t)quorumd_simulate_core(world, 0);
	first = q->device[0].at;
	CHECK_EQ(cast(1, true, 0), QUORUM_ANSWER_OK);
	text_init(&text, line, sizeof line);
	text_put(&text, "expire node=1 at=");
	quorum_wire_put_pos(&first, &text);
	hear(q, 1, 9, line);
	CHECK(is_yes(1));
	text_init(&text, line, sizeof line);
	text_put(&text, "expire node=1 at=");
	quorum_wire_put_pos(&q->device[0].at, &text);
	hear(q, 1, 10, line);
	CHECK(!is_yes(1));
	finish();
}

/* quorumd ends and comes back with what it kept. */
static void
memory_survives_respawn(void)
{
	nodes(4);
	cfg.auto_tie_breaker = QUORUM_TIE_LOWEST;
	begin();
	whole();
	cut("12|34");
	CHECK(is_yes(1));
	quorumd_simulate_respawn(world, 0);
	CHECK(is_yes(1));
	quorumd_simulate_respawn(world, 1);
	CHECK(is_yes(2));
	cut("1|2|34");
	CHECK(!is_yes(1));
	finish();
}

/* What a peer says is read as what anybody could have written. */
static void
hostile_messages(void)
{
	static const char *const lines[] = {
		"",
		"state",
		"state own=x waiting=no fresh=no now=1.1:1.0/3/lms/1:1/1",
		"state own=1 waiting=no fresh=no now=1.1:1.0/0/lms/1:1/1",
		"state own=1 waiting=no fresh=no now=1.1:1.0/3/lms/1:4/1",
		"state own=1 waiting=no fresh=no now=1.1:1.0/3/no/1:1/1",
		"state own=1 waiting=no fresh=no now=1.1:1.0/3/lms/a:1/1",
		"state own=1 waiting=no fresh=no now=1.1:1.0/3/lms/1:1",
		"epoch base=1.1:1.0 reason=0",
		"epoch base=0.0:0.0 to=0.0:0.0/3/lms/1:1/ reason=99",
		"vote cast=perhaps ttl=1",
		"expire node=1",
		"else",
		"state own=1 own=1 waiting=no fresh=no now=0.0:0.0/3/start/1:1/",
	};
	struct quorum_wire wire;
	char line[256];

	nodes(3);
	for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
		size_t len = strlen(lines[i]);

		memcpy(line, lines[i], len + 1);
		check_case(lines[i]);
		/* Missing last parts of an agreement are empty ones. */
		CHECK_EQ(quorum_wire_get(&cfg, line, len, &wire), i == 7);
	}
}

static void
mistakes(void)
{
	char why[QUORUM_TEXT_BYTES];
	struct text text;

	text_init(&text, why, sizeof why);
	nodes(3);
	CHECK(!quorum_config_mistake(&cfg, 0, &text));
	cfg.two_node = true;
	cfg.has_device = true;
	cfg.auto_tie_breaker = QUORUM_TIE_LIST;
	cfg.last_man_standing = true;
	cfg.node[1].votes = 2;
	for (size_t i = 0; i < 10; i++)
		CHECK_EQ(quorum_config_mistake(&cfg, i, &text), i < 8);
	nodes(3);
	cfg.expected_votes = 2;
	CHECK(quorum_config_mistake(&cfg, 0, &text));
	nodes(3);
	cfg.self = 4;
	CHECK(quorum_config_mistake(&cfg, 0, &text));
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(majority),
		CHECK_TEST(votes_are_wide),
		CHECK_TEST(votes_ratchet),
		CHECK_TEST(expected_changes),
		CHECK_TEST(lowered_is_not_undone_elsewhere),
		CHECK_TEST(two_node),
		CHECK_TEST(wait_for_all),
		CHECK_TEST(cancel_wait),
		CHECK_TEST(waiting_ends_with_a_quorate_partner),
		CHECK_TEST(last_man_standing),
		CHECK_TEST(last_men_do_not_vote_twice),
		CHECK_TEST(window_needs_quorum),
		CHECK_TEST(down_to_one_by_ties),
		CHECK_TEST(an_older_memory_never_decides_a_tie),
		CHECK_TEST(ties),
		CHECK_TEST(who_remembers_nothing_breaks_no_tie),
		CHECK_TEST(ties_of_odd_clusters),
		CHECK_TEST(downscale),
		CHECK_TEST(tracking),
		CHECK_TEST(device),
		CHECK_TEST(device_of_another_view),
		CHECK_TEST(device_is_master),
		CHECK_TEST(one_verdict_a_view),
		CHECK_TEST(silent_members_are_no_outsiders),
		CHECK_TEST(late_end_of_a_renewed_vote),
		CHECK_TEST(memory_survives_respawn),
		CHECK_TEST(hostile_messages),
		CHECK_TEST(mistakes),
	};
	return CHECK_MAIN(argc, argv, tests);
}
