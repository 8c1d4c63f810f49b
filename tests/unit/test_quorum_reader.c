/* SPDX-License-Identifier: BSD-3-Clause */
/* Quorumds that are slow, die with things unread and begin anew, on a ring
 * that is cut at random, under random rules and requests: two sides never both
 * say yes, and all together say the same.
 *
 *	test_quorum_reader [TEST...]     SEEDS=n FIRST=s choose the runs
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/rng.h"
#include "libcommon/base/text.h"

#include "tests/unit/check.h"
#include "tests/unit/quorum_world.h"

#define MS     UINT64_C(1000000)
#define BIT(i) ((uint64_t)1 << (i))

struct chaos {
	struct rng rng;
	struct quorum_config cfg;
	struct quorum_world *w;
	uint64_t seed;
	bool may_crash;          /* machines forget */
	bool may_request;        /* votes change */
	bool is_quick;           /* views end before all is said */
	struct parse_view voter; /* the arbiter is for this one */
	char why[256];
};

static uint64_t
below(struct chaos *c, uint64_t bound)
{
	return rng_below(&c->rng, bound);
}

/* ---- the rules --------------------------------------------------------- */

static bool
is_dynamic(const struct quorum_config *cfg)
{
	return cfg->last_man_standing || cfg->allow_downscale ||
	    cfg->auto_tie_breaker != QUORUM_TIE_NO;
}

static void
draw_config(struct chaos *c)
{
	struct quorum_config *cfg = &c->cfg;
	bool is_weighted = below(c, 3) == 0;
	char bytes[QUORUM_TEXT_BYTES];
	struct text why;

	do {
		quorum_config_init(cfg);
		cfg->node_count = 2 + below(c, 6);
		cfg->self = 1;
		for (size_t i = 0; i < cfg->node_count; i++) {
			cfg->node[i].id = (uint32_t)i + 1;
			cfg->node[i].votes =
			    is_weighted ? 1 + (uint32_t)below(c, 3) : 1;
			snprintf(cfg->node[i].name, sizeof cfg->node[i].name,
			    "n%zu", i + 1);
		}
		cfg->wait_for_all = (enum quorum_wait)below(c, 3);
		cfg->auto_tie_breaker =
		    below(c, 2) ? QUORUM_TIE_NO : (enum quorum_tie)below(c, 3);
		cfg->last_man_standing = below(c, 3) == 0;
		cfg->last_man_standing_window_ns = 100 * MS;
		cfg->allow_downscale = below(c, 4) == 0;
		cfg->expected_votes_tracking = below(c, 4) == 0;
		if (below(c, 5) == 0) {
			cfg->has_device = true;
			cfg->device_votes = 1 + (uint32_t)below(c, 3);
			cfg->device_master_wins = below(c, 3) == 0;
		}
		text_init(&why, bytes, sizeof bytes);
	} while (quorum_config_mistake(cfg, 0, &why));
	c->may_request = below(c, 2);
	/* Whoever waits for nobody believes its file after a crash; and of
	 * votes that were set only tracking tells. */
	c->may_crash = cfg->wait_for_all != QUORUM_WAIT_NO
	    ? !c->may_request || is_dynamic(cfg) || cfg->expected_votes_tracking
	    : !is_dynamic(cfg) && !c->may_request;
	c->is_quick = below(c, 3) != 0;
}

static void
print_config(const struct chaos *c)
{
	const struct quorum_config *cfg = &c->cfg;

	printf("seed %llu: votes", (unsigned long long)c->seed);
	for (size_t i = 0; i < cfg->node_count; i++)
		printf(" %u", (unsigned)cfg->node[i].votes);
	printf(" wait %d tie %d lms %d downscale %d tracking %d device %u "
	       "master %d requests %d\n",
	    (int)cfg->wait_for_all, (int)cfg->auto_tie_breaker,
	    cfg->last_man_standing, cfg->allow_downscale,
	    cfg->expected_votes_tracking,
	    cfg->has_device ? (unsigned)cfg->device_votes : 0,
	    cfg->device_master_wins, c->may_request);
}

/* ---- what happens ------------------------------------------------------ */

static bool is_telling;

static void
say(const struct chaos *c, const char *what, size_t node)
{
	if (!is_telling)
		return;
	printf("%s %zu:", what, node + 1);
	for (size_t i = 0; i < c->cfg.node_count; i++) {
		struct quorum_verdict v;
		struct quorum *core = quorum_world_core(c->w, i);

		if (core == NULL) {
			printf("  %s",
			    quorum_world_is_on(c->w, i) ? "dead" : "off");
			continue;
		}
		quorum_verdict_now(core, &v);
		printf("  %#llx%s%u/%u/%u",
		    (unsigned long long)quorum_world_members(c->w, i),
		    v.is_quorate ? "+" : "-", (unsigned)v.votes,
		    (unsigned)v.needed, (unsigned)v.expected);
	}
	putchar('\n');
}

static void
part(struct chaos *c)
{
	unsigned side[LIMIT_NODES];
	unsigned sides = 1 + (unsigned)below(c, 3);

	for (size_t i = 0; i < c->cfg.node_count; i++)
		side[i] = (unsigned)below(c, sides);
	quorum_world_part(c->w, side);
}

static void
request(struct chaos *c, size_t node)
{
	struct quorum_input in = { .kind = QUORUM_IN_SET_EXPECTED };

	if (!c->may_request || quorum_world_core(c->w, node) == NULL)
		return;
	if (below(c, 2)) {
		in.set_expected.expected = 1 + (uint32_t)below(c, 12);
	} else {
		in.kind = QUORUM_IN_SET_VOTES;
		in.set_votes.node = c->cfg.node[below(c, c->cfg.node_count)].id;
		in.set_votes.votes = (uint32_t)below(c, 5);
	}
	quorum_world_ask(c->w, node, &in);
	say(c, in.kind == QUORUM_IN_SET_VOTES ? "votes" : "expected", node);
}

/* An arbiter that knows what it does is for one of the views there are. */
static void
vote(struct chaos *c, size_t node)
{
	struct quorum_input in = { .kind = QUORUM_IN_VOTE };
	struct parse_view view;
	bool is_there = false;

	if (!c->cfg.has_device || quorum_world_core(c->w, node) == NULL)
		return;
	for (size_t i = 0; i < c->cfg.node_count; i++)
		is_there = is_there ||
		    (quorum_world_is_on(c->w, i) &&
			quorum_world_view(c->w, i).seq == c->voter.seq);
	view = quorum_world_view(c->w, node);
	if (!is_there)
		c->voter = view;
	in.vote.view = view;
	in.vote.is_yes = view.seq == c->voter.seq;
	in.vote.ttl_ns = (1 + below(c, 2000)) * MS;
	in.vote.name = "arbiter";
	quorum_world_ask(c->w, node, &in);
}

static void
disturb(struct chaos *c)
{
	size_t node = below(c, c->cfg.node_count);
	bool is_on = quorum_world_is_on(c->w, node);

	switch (below(c, 6)) {
	case 0:
		if (!is_on)
			quorum_world_start(c->w, node);
		else if (c->may_crash)
			quorum_world_crash(c->w, node);
		say(c, "power", node);
		break;
	case 1:
		if (is_on)
			quorum_world_restart(c->w, node);
		say(c, "restart", node);
		break;
	case 2:
		if (is_on)
			quorum_world_kill(c->w, node);
		say(c, "kill", node);
		break;
	case 3:
		if (c->may_crash)
			quorum_world_leave(c->w, node);
		say(c, "leave", node);
		break;
	default:
		part(c);
		say(c, "part", node);
	}
}

static void
small_step(struct chaos *c)
{
	size_t node = below(c, c->cfg.node_count);

	switch (below(c, 24)) {
	case 0:
		request(c, node);
		break;
	case 1:
		vote(c, node);
		break;
	case 2:
		quorum_world_sleep(c->w, below(c, 60) * MS);
		break;
	case 3:
	case 4:
		(void)quorum_world_time(c->w, node);
		break;
	case 5:
	case 6:
	case 7:
	case 8:
		(void)quorum_world_order(c->w, node);
		break;
	default:
		/* Who is slow is slow in everything. */
		while (below(c, 8) > 0)
			if (!quorum_world_receive(c->w, node) &&
			    !quorum_world_deliver(c->w, node) &&
			    !quorum_world_read(c->w, node))
				break;
	}
}

/* ---- one run ----------------------------------------------------------- */

static bool
is_good(struct chaos *c)
{
	return !quorum_world_is_split(c->w, c->why, sizeof c->why);
}

static bool
churn(struct chaos *c)
{
	for (int epoch = 0; epoch < 24; epoch++) {
		size_t steps = c->is_quick ? below(c, 120) : 400;

		for (size_t k = 0; k < steps; k++) {
			small_step(c);
			if (!is_good(c))
				return false;
		}
		if (below(c, 3) == 0) {
			quorum_world_run(
			    c->w, below(c, 2) ? 1500 * MS : 200 * MS);
			say(c, "rest", 0);
			if (!is_good(c))
				return false;
		}
		for (size_t k = 1 + below(c, 2); k > 0; k--) {
			disturb(c);
			if (!is_good(c))
				return false;
		}
	}
	return true;
}

/* Everybody on, one ring, time enough. */
static bool
gather(struct chaos *c)
{
	static const unsigned together[LIMIT_NODES];
	struct quorum_verdict first, other;

	/* Whoever was about to leave has gone. */
	quorum_world_run(c->w, 2000 * MS);
	for (size_t i = 0; i < c->cfg.node_count; i++) {
		if (!quorum_world_is_on(c->w, i))
			quorum_world_start(c->w, i);
		else if (!quorum_world_has_core(c->w, i))
			quorum_world_restart(c->w, i);
	}
	quorum_world_run(c->w, 100 * MS);
	quorum_world_part(c->w, together);
	/* A storm of quorumds that come and go. */
	for (int i = 0; i < 400; i++) {
		size_t node = below(c, c->cfg.node_count);

		if (below(c, 40) == 0)
			quorum_world_restart(c->w, node);
		small_step(c);
	}
	quorum_world_run(c->w, 5000 * MS);
	say(c, "end", 0);
	quorum_verdict_now(quorum_world_core(c->w, 0), &first);
	for (size_t i = 0; i < c->cfg.node_count; i++) {
		quorum_verdict_now(quorum_world_core(c->w, i), &other);
		if (other.is_quorate != first.is_quorate ||
		    other.votes != first.votes ||
		    other.needed != first.needed ||
		    other.expected != first.expected) {
			snprintf(c->why, sizeof c->why,
			    "nodes 1 and %zu differ", i + 1);
			return false;
		}
	}
	if (!first.is_quorate && !c->cfg.has_device && !c->may_request) {
		snprintf(c->why, sizeof c->why, "all are here: no quorum");
		return false;
	}
	return is_good(c);
}

static bool
run_seed(uint64_t seed)
{
	static const unsigned together[LIMIT_NODES];
	struct chaos c = { .seed = seed };
	bool is_so;

	rng_init(&c.rng, seed);
	draw_config(&c);
	if (is_telling)
		print_config(&c);
	c.w = quorum_world_open(&c.cfg);
	for (size_t i = 0; i < c.cfg.node_count; i++)
		quorum_world_start(c.w, i);
	quorum_world_part(c.w, together);
	quorum_world_run(c.w, 2000 * MS);
	is_so = is_good(&c) && churn(&c) && gather(&c);
	if (!is_so) {
		print_config(&c);
		printf("seed %llu: %s\n", (unsigned long long)seed, c.why);
	}
	quorum_world_close(c.w);
	return is_so;
}

/* ---- stories ----------------------------------------------------------- */

/* So many nodes in one quiet ring. */
static struct quorum_world *
cluster(struct quorum_config *cfg, size_t count, const char *sides)
{
	struct quorum_world *w;

	cfg->node_count = count;
	cfg->self = 1;
	for (size_t i = 0; i < count; i++) {
		cfg->node[i].id = (uint32_t)i + 1;
		if (cfg->node[i].votes == 0)
			cfg->node[i].votes = 1;
		snprintf(
		    cfg->node[i].name, sizeof cfg->node[i].name, "n%zu", i + 1);
	}
	w = quorum_world_open(cfg);
	for (size_t i = 0; i < count; i++)
		quorum_world_start(w, i);
	quorum_world_sides(w, sides);
	quorum_world_run(w, 2000 * MS);
	return w;
}

static bool
is_any_quorate(const struct quorum_world *w, uint64_t set)
{
	for (size_t i = 0; i < LIMIT_NODES; i++)
		if ((set & BIT(i)) && quorum_world_is_quorate(w, i))
			return true;
	return false;
}

/* Node 2 has most votes; they are agreed to be node 1's, and it dies deaf. */
static struct quorum_world *
miss_an_agreement(void)
{
	struct quorum_input in = { .kind = QUORUM_IN_SET_VOTES };
	struct quorum_config cfg;
	struct quorum_world *w;

	quorum_config_init(&cfg);
	cfg.node[1].votes = 3;
	w = cluster(&cfg, 3, "123");
	in.set_votes.node = 1;
	in.set_votes.votes = 4;
	quorum_world_ask(w, 0, &in);
	for (int i = 0; i < 20; i++) {
		while (quorum_world_receive(w, 1) || quorum_world_deliver(w, 1))
			;
		quorum_world_settle(w, BIT(0) | BIT(2));
	}
	CHECK_EQ(quorum_world_answer(w, 0), QUORUM_ANSWER_OK);
	quorum_world_kill(w, 1);
	return w;
}

static void
test_quorum_reader_dies_with_an_agreement_unread(void)
{
	struct quorum_world *w = miss_an_agreement();

	quorum_world_settle(w, UINT64_MAX);
	quorum_world_sides(w, "13|2");
	quorum_world_restart(w, 1);
	quorum_world_run(w, 5000 * MS);
	CHECK(quorum_world_is_quorate(w, 0));
	CHECK(!quorum_world_is_quorate(w, 1));
	quorum_world_sides(w, "1|23");
	quorum_world_run(w, 5000 * MS);
	CHECK(!is_any_quorate(w, BIT(1) | BIT(2)));
	quorum_world_sides(w, "123");
	quorum_world_run(w, 5000 * MS);
	CHECK(quorum_world_is_quorate(w, 1));
	quorum_world_close(w);
}

/*
 * Two ask for more votes at once.  The second comes too late for all but one,
 * whose quorumd began anew between the two.
 */
static void
test_quorum_reader_begins_between_two_agreements(void)
{
	struct quorum_input in = { .kind = QUORUM_IN_SET_VOTES };
	struct quorum_config cfg;
	struct quorum_world *w;
	char why[256];

	quorum_config_init(&cfg);
	w = cluster(&cfg, 3, "123");
	in.set_votes.votes = 3;
	in.set_votes.node = 3;
	quorum_world_ask(w, 0, &in);
	in.set_votes.node = 2;
	quorum_world_ask(w, 1, &in);
	CHECK(quorum_world_order(w, 0) && quorum_world_order(w, 1));
	for (size_t i = 0; i < 3; i++)
		while (quorum_world_receive(w, i))
			;
	CHECK(quorum_world_deliver(w, 1)); /* the first */
	quorum_world_settle(w, BIT(0) | BIT(2));
	CHECK_EQ(quorum_world_answer(w, 0), QUORUM_ANSWER_OK);
	quorum_world_restart(w, 1);
	quorum_world_settle(w, BIT(1));
	quorum_world_sides(w, "12|3");
	quorum_world_run(w, 5000 * MS);
	CHECK(quorum_world_is_quorate(w, 2));
	CHECK(!quorum_world_is_split(w, why, sizeof why));
	quorum_world_close(w);
}

/* Whoever went with it meanwhile knows that nothing was missed. */
static void
test_quorum_reader_is_vouched_for(void)
{
	struct quorum_config cfg;
	struct quorum_world *w;

	quorum_config_init(&cfg);
	w = cluster(&cfg, 3, "123");
	quorum_world_kill(w, 1);
	quorum_world_run(w, 1000 * MS);
	quorum_world_sides(w, "12|3");
	quorum_world_run(w, 1000 * MS);
	CHECK(!is_any_quorate(w, 7));
	quorum_world_restart(w, 1);
	quorum_world_run(w, 100 * MS);
	CHECK(quorum_world_is_quorate(w, 0));
	CHECK(quorum_world_is_quorate(w, 1));
	quorum_world_close(w);
}

static void
test_quorum_reader_all_begin_anew_at_once(void)
{
	struct quorum_config cfg;
	struct quorum_world *w;

	quorum_config_init(&cfg);
	cfg.last_man_standing = true;
	cfg.wait_for_all = QUORUM_WAIT_YES;
	w = cluster(&cfg, 5, "12345");
	quorum_world_sides(w, "123");
	quorum_world_run(w, 12000 * MS);
	quorum_world_sides(w, "12");
	quorum_world_run(w, 12000 * MS);
	CHECK(is_any_quorate(w, 1));
	quorum_world_kill(w, 0);
	quorum_world_kill(w, 1);
	quorum_world_restart(w, 1);
	quorum_world_run(w, 1000 * MS);
	CHECK(!is_any_quorate(w, 3));
	quorum_world_restart(w, 0);
	quorum_world_run(w, 100 * MS);
	CHECK(quorum_world_is_quorate(w, 0));
	CHECK(quorum_world_is_quorate(w, 1));
	quorum_world_close(w);
}

/* Alone, and nobody went since: it is the one who knows. */
static void
test_quorum_reader_last_man_begins_anew(void)
{
	struct quorum_config cfg;
	struct quorum_world *w;

	quorum_config_init(&cfg);
	cfg.auto_tie_breaker = QUORUM_TIE_LOWEST;
	w = cluster(&cfg, 2, "12");
	quorum_world_sides(w, "1|2");
	quorum_world_run(w, 1000 * MS);
	quorum_world_restart(w, 0);
	quorum_world_restart(w, 1);
	quorum_world_run(w, 1000 * MS);
	CHECK(quorum_world_is_quorate(w, 0));
	CHECK(!quorum_world_is_quorate(w, 1));
	quorum_world_close(w);
}

/* A newcomer's machine without quorumd keeps nobody from agreeing. */
static void
test_quorum_reader_silent_newcomer_blocks_nothing(void)
{
	struct quorum_input in = { .kind = QUORUM_IN_SET_VOTES };
	struct quorum_config cfg;
	struct quorum_world *w;

	quorum_config_init(&cfg);
	cfg.auto_tie_breaker = QUORUM_TIE_LOWEST;
	w = cluster(&cfg, 4, "123|4");
	quorum_world_kill(w, 3);
	quorum_world_sides(w, "1234");
	quorum_world_run(w, 2000 * MS);
	in.set_votes.node = 2;
	in.set_votes.votes = 2;
	quorum_world_ask(w, 0, &in);
	quorum_world_run(w, 100 * MS);
	CHECK_EQ(quorum_world_answer(w, 0), QUORUM_ANSWER_OK);
	quorum_world_close(w);
}

/*
 * wait_for_all = always: 1 and 4 lose quorum when 2 comes for 3; 4 is slow to
 * say that it waits again, and 1 must not count on its silence.
 */
static void
test_quorum_reader_slow_to_say_that_it_waits(void)
{
	struct quorum_config cfg;
	struct quorum_world *w;

	quorum_config_init(&cfg);
	cfg.wait_for_all = QUORUM_WAIT_ALWAYS;
	w = cluster(&cfg, 4, "1234");
	quorum_world_sides(w, "134|2");
	quorum_world_run(w, 2000 * MS);
	quorum_world_sides(w, "124|3");
	for (int i = 0; i < 20; i++) {
		while (quorum_world_receive(w, 3))
			;
		quorum_world_settle(w, BIT(0) | BIT(1));
		if (!CHECK(!is_any_quorate(w, BIT(0) | BIT(1))))
			break;
	}
	quorum_world_run(w, 2000 * MS);
	CHECK(!is_any_quorate(w, 15));
	quorum_world_close(w);
}

/* The hole of ties: 4 has seen more than 1, and 1's memory decides nothing. */
static void
test_quorum_reader_older_memory_breaks_no_tie(void)
{
	struct quorum_config cfg;
	struct quorum_world *w;

	quorum_config_init(&cfg);
	cfg.auto_tie_breaker = QUORUM_TIE_LOWEST;
	w = cluster(&cfg, 4, "1234");
	quorum_world_sides(w, "1|234");
	quorum_world_run(w, 2000 * MS);
	CHECK(is_any_quorate(w, BIT(1)));
	quorum_world_sides(w, "14|23");
	quorum_world_run(w, 2000 * MS);
	CHECK(quorum_world_is_quorate(w, 1));
	CHECK(quorum_world_is_quorate(w, 2));
	CHECK(!is_any_quorate(w, BIT(0) | BIT(3)));
	quorum_world_close(w);
}

/* Whoever was lost stays lost, whatever the next view is about. */
static void
test_quorum_reader_settles_after_the_last_loss(void)
{
	struct quorum_config cfg;
	struct quorum_world *w;

	quorum_config_init(&cfg);
	cfg.settle_ns = 2000 * MS;
	w = cluster(&cfg, 5, "1234|5");
	CHECK(quorum_world_is_settled(w, 0));
	quorum_world_crash(w, 3);
	quorum_world_sides(w, "123|5");
	quorum_world_run(w, 500 * MS);
	CHECK(!quorum_world_is_settled(w, 0));
	quorum_world_sides(w, "1235");
	quorum_world_run(w, 500 * MS);
	CHECK(quorum_world_is_quorate(w, 0));
	CHECK(!quorum_world_is_settled(w, 0));
	quorum_world_restart(w, 0);
	quorum_world_run(w, 500 * MS);
	CHECK(quorum_world_is_quorate(w, 0));
	CHECK(!quorum_world_is_settled(w, 0));
	quorum_world_run(w, 600 * MS);
	CHECK(!quorum_world_is_settled(w, 0));
	CHECK(quorum_world_is_settled(w, 1));
	quorum_world_run(w, 1000 * MS);
	CHECK(quorum_world_is_settled(w, 0));
	quorum_world_close(w);
}

static uint64_t
env(const char *name, uint64_t otherwise)
{
	const char *value = getenv(name);

	return value != NULL ? strtoull(value, NULL, 0) : otherwise;
}

static void
test_quorum_reader_never_splits(void)
{
	uint64_t first = env("FIRST", 1);

	is_telling = getenv("TELL") != NULL;
	for (uint64_t i = 0; i < env("SEEDS", 300); i++)
		CHECK(run_seed(first + i));
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_quorum_reader_dies_with_an_agreement_unread),
		CHECK_TEST(test_quorum_reader_begins_between_two_agreements),
		CHECK_TEST(test_quorum_reader_is_vouched_for),
		CHECK_TEST(test_quorum_reader_all_begin_anew_at_once),
		CHECK_TEST(test_quorum_reader_last_man_begins_anew),
		CHECK_TEST(test_quorum_reader_silent_newcomer_blocks_nothing),
		CHECK_TEST(test_quorum_reader_slow_to_say_that_it_waits),
		CHECK_TEST(test_quorum_reader_older_memory_breaks_no_tie),
		CHECK_TEST(test_quorum_reader_settles_after_the_last_loss),
		CHECK_TEST(test_quorum_reader_never_splits),
	};

	return CHECK_MAIN(argc, argv, tests);
}
