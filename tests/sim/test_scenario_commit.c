/* SPDX-License-Identifier: BSD-3-Clause */
/* COMMITs that come to nothing, and disks that keep a ring waiting. */
#include "libcommon/base/num.h"

#include "bin/ringd/totem_wire.h"
#include "tests/sim/scenario.h"

#define MS UINT64_C(1000000)

/* The token of a formation is lost three times running. */
static void
scenario_02_old_ring_survives_failed_commits(struct sim *sim)
{
	scenario_cluster(sim, 3);
	scenario_rule(sim,
	    &(struct scenario_rule){
		.kind = SIM_KIND_POST, .to = 3, .count = 3 });
	scenario_rule(sim,
	    &(struct scenario_rule){
		.kind = TOTEM_PACKET_DATA, .to = 3, .count = 3 });
	scenario_send(sim, "12", 3, 200, TOTEM_SAFE);
	scenario_rule(sim,
	    &(struct scenario_rule){
		.kind = TOTEM_PACKET_COMMIT, .from = 2, .count = 24 });
	scenario_cut(sim, "3", "12");
	scenario_run_ms(sim, 400);
	scenario_join(sim, "3", "12");
	scenario_expect_ring(sim, "123", 10000);
	scenario_expect_delivered(sim, "12", 6, 1000);
	scenario_end(sim);
}

/* The COMMIT of two comes to who has heard a third: all go on at once. */
static void
scenario_commit_that_a_member_outgrew(struct sim *sim)
{
	scenario_three_apart(sim);
	scenario_rule(sim,
	    &(struct scenario_rule){ .action = SCENARIO_DELAY,
		.kind = TOTEM_PACKET_JOIN,
		.from = 3,
		.to = 1,
		.delay_ns = MS });
	scenario_join(sim, "1", "23");
	scenario_join(sim, "2", "3");
	scenario_expect_state(sim, 1, TOTEM_STATE_COMMIT, 3000);
	scenario_expect_ring(sim, "123", 30);
	scenario_end(sim);
}

/* These nodes have had numbers far above those of the others. */
static void
raise_numbers(struct sim *sim, const char *nodes)
{
	for (int i = 0; i < 3; i++) {
		scenario_start(sim, nodes);
		scenario_crash(sim, nodes);
	}
}

/* Node 1's numbers are beyond what the others have reserved, and their disks
 * are slow: the COMMIT that they may not take yet comes again, and nobody is
 * called back from it meanwhile. */
static void
scenario_commit_before_it_may_be_promised(struct sim *sim)
{
	struct sim_options opt;

	for (uint32_t seed = 1; seed <= 60 && !sim_has_failed(sim); seed++) {
		scenario_options(&opt, 3);
		opt.seed = seed;
		opt.persist_ns = 20 * MS;
		opt.config.token_loss_ns = 3000 * MS;
		scenario_world_with(sim, &opt);
		raise_numbers(sim, "1");
		scenario_start(sim, "23");
		scenario_expect_ring(sim, "23", 2000);
		scenario_start(sim, "1");
		scenario_expect_ring(sim, "123", 300);
		scenario_expect(sim,
		    scenario_count(sim, 1, TOTEM_COUNT_GATHERS) == 1,
		    "node 1 was called back");
		scenario_end(sim);
	}
}

/* Node 2 fails one whom it has never heard; when that one comes, it is another
 * life, as for all who knew the one before. */
static void
scenario_accusation_of_an_unknown_life(struct sim *sim)
{
	scenario_world(sim, 3);
	scenario_rule(sim,
	    &(struct scenario_rule){
		.kind = TOTEM_PACKET_JOIN, .from = 3, .skip = 2 });
	scenario_rule(sim,
	    &(struct scenario_rule){ .kind = TOTEM_PACKET_JOIN, .from = 2 });
	scenario_cut(sim, "2", "3");
	scenario_start(sim, "13");
	scenario_run_ms(sim, 20);
	scenario_start(sim, "2");
	scenario_run_ms(sim, 10);
	scenario_crash(sim, "3");
	scenario_run_ms(sim, 180);
	scenario_expect_state(sim, 1, TOTEM_STATE_GATHER, 0);
	scenario_expect_state(sim, 2, TOTEM_STATE_GATHER, 0);
	scenario_join(sim, "2", "3");
	scenario_rules_end(sim);
	scenario_start(sim, "3");
	scenario_expect_ring(sim, "123", 50);
	scenario_end(sim);
}

/* Nodes 1 and 2 are about to form a ring; node 2 hears of a higher number, and
 * its JOINs that tell it are held back. */
static void
hold_joins_of_a_higher_number(struct sim *sim, enum scenario_action commit)
{
	struct sim_options opt;

	scenario_options(&opt, 3);
	opt.persist_ns = MS / 100;
	opt.config.token_loss_ns = 3000 * MS;
	scenario_world_with(sim, &opt);
	raise_numbers(sim, "3");
	scenario_cut(sim, "12", "3");
	scenario_start(sim, "3");
	scenario_expect_ring(sim, "3", 1000);
	scenario_rule(sim,
	    &(struct scenario_rule){
		.action = commit, .kind = TOTEM_PACKET_COMMIT, .count = 1 });
	scenario_rule(
	    sim, &(struct scenario_rule){ .kind = TOTEM_PACKET_COMMIT });
	scenario_start(sim, "12");
	scenario_expect_state(sim, 1, TOTEM_STATE_COMMIT, 1000);
	scenario_rule(sim,
	    &(struct scenario_rule){ .action = SCENARIO_HOLD,
		.kind = TOTEM_PACKET_JOIN,
		.from = 2,
		.to = 1 });
	scenario_rule(
	    sim, &(struct scenario_rule){ .kind = TOTEM_PACKET_JOIN });
	scenario_join(sim, "2", "3");
	scenario_run_ms(sim, 220);
	scenario_expect_state(sim, 2, TOTEM_STATE_GATHER, 0);
	scenario_cut(sim, "2", "3");
	scenario_rules_end(sim);
}

/* Node 1 is called back by them, and makes the next COMMIT without a JOIN. */
static void
expect_next_ring(struct sim *sim)
{
	scenario_rules_end(sim);
	scenario_rule(sim,
	    &(struct scenario_rule){ .kind = TOTEM_PACKET_JOIN, .from = 1 });
	uint64_t views = scenario_views(sim, 1);
	scenario_release(sim);
	scenario_run_ms(sim, 1);
	scenario_expect_ring(sim, "12", 100);
	scenario_expect(
	    sim, scenario_views(sim, 1) == views + 1, "another ring is made");
	scenario_end(sim);
}

/* Node 2 takes the COMMIT, and its maker has left it: it goes after him. */
static void
scenario_commit_that_its_maker_left(struct sim *sim)
{
	hold_joins_of_a_higher_number(sim, SCENARIO_HOLD);
	expect_next_ring(sim);
}

static void
scenario_recovery_that_its_maker_left(struct sim *sim)
{
	hold_joins_of_a_higher_number(sim, SCENARIO_DROP);
	scenario_rule(
	    sim, &(struct scenario_rule){ .kind = TOTEM_PACKET_JOIN });
	scenario_rule(sim,
	    &(struct scenario_rule){ .kind = TOTEM_PACKET_TOKEN, .from = 1 });
	scenario_expect_state(sim, 2, TOTEM_STATE_RECOVERY, 100);
	expect_next_ring(sim);
}

static void
scenario_ring_that_its_maker_left(struct sim *sim)
{
	hold_joins_of_a_higher_number(sim, SCENARIO_DROP);
	scenario_rule(
	    sim, &(struct scenario_rule){ .kind = TOTEM_PACKET_JOIN });
	scenario_expect_ring(sim, "12", 100);
	expect_next_ring(sim);
}

/* From here on, for how long is node 1 in no ring? */
static uint64_t
count_ms_away(struct sim *sim, uint64_t span_ms)
{
	uint64_t away_ms = 0;

	for (uint64_t i = 0; i < span_ms && !sim_has_failed(sim); i++) {
		scenario_run_ms(sim, 1);
		away_ms += scenario_state(sim, 1) != TOTEM_STATE_OPERATIONAL;
	}
	return away_ms;
}

/* A disk that stands still keeps its own node out of rings, and no other. */
static void
join_with_slow_disk(
    struct sim *sim, const char *ring, const char *other, uint64_t away_ms)
{
	struct sim_options opt;

	scenario_options(&opt, 4);
	opt.persist_ns = MS;
	scenario_world_with(sim, &opt);
	raise_numbers(sim, ring);
	scenario_cut(sim, ring, other);
	scenario_start(sim, ring);
	scenario_expect_ring(sim, ring, 2000);
	if (other[1] != '\0') { /* a ring, too */
		scenario_start(sim, other);
		scenario_expect_ring(sim, other, 2000);
	}
	sim->opt.persist_ns = 60000 * MS;
	scenario_join(sim, ring, other);
	scenario_start(sim, other[1] != '\0' ? "" : other);
	scenario_expect(sim, count_ms_away(sim, 5000) <= away_ms,
	    "node 1 was kept waiting");
	scenario_expect_ring(sim, ring, 0);
}

static void
scenario_slow_disk_of_a_newcomer(struct sim *sim)
{
	join_with_slow_disk(sim, "12", "3", 300);
}

static void
scenario_slow_disk_of_one_of_two(struct sim *sim)
{
	join_with_slow_disk(sim, "1", "2", 300);
}

static void
scenario_slow_disks_of_a_ring(struct sim *sim)
{
	join_with_slow_disk(sim, "12", "34", 1300);
}

/* Three have tried for long to form a ring, for other reasons; then one comes
 * with higher numbers. */
static void
scenario_slow_disk_after_failed_commits(struct sim *sim)
{
	struct sim_options opt;

	scenario_options(&opt, 4);
	opt.persist_ns = 20 * MS;
	scenario_world_with(sim, &opt);
	raise_numbers(sim, "4");
	scenario_start(sim, "123");
	scenario_expect_ring(sim, "123", 2000);
	scenario_rule(
	    sim, &(struct scenario_rule){ .kind = TOTEM_PACKET_COMMIT });
	scenario_rule(
	    sim, &(struct scenario_rule){ .kind = TOTEM_PACKET_TOKEN });
	scenario_run_ms(sim, 3000);
	scenario_rules_end(sim);
	uint64_t views = scenario_views(sim, 1);
	scenario_start(sim, "4");
	scenario_expect_ring(sim, "1234", 300);
	scenario_expect(sim, scenario_views(sim, 1) <= views + 2,
	    "the ring of three fell apart");
	scenario_end(sim);
}

/* Each hears of eight higher numbers, one after the other. */
static void
scenario_slow_disks_of_nine(struct sim *sim)
{
	struct sim_options opt;
	char raised[] = "123456789";

	scenario_options(&opt, 9);
	opt.persist_ns = 100 * MS;
	scenario_world_with(sim, &opt);
	for (char *at = raised; *at != '\0'; at++)
		raise_numbers(sim, at);
	scenario_start(sim, "123456789");
	scenario_expect_ring(sim, "123456789", 1500);
	scenario_end(sim);
}

int
main(int argc, char **argv)
{
	static const struct scenario list[] = {
		SCENARIO(scenario_02_old_ring_survives_failed_commits),
		SCENARIO(scenario_commit_that_a_member_outgrew),
		SCENARIO(scenario_commit_before_it_may_be_promised),
		SCENARIO(scenario_accusation_of_an_unknown_life),
		SCENARIO(scenario_commit_that_its_maker_left),
		SCENARIO(scenario_recovery_that_its_maker_left),
		SCENARIO(scenario_ring_that_its_maker_left),
		SCENARIO(scenario_slow_disk_of_a_newcomer),
		SCENARIO(scenario_slow_disk_of_one_of_two),
		SCENARIO(scenario_slow_disks_of_a_ring),
		SCENARIO(scenario_slow_disk_after_failed_commits),
		SCENARIO(scenario_slow_disks_of_nine),
	};

	(void)argc;
	return scenario_main(argv, list, ARRAY_COUNT(list));
}
