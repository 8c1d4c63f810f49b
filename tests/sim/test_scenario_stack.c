/* SPDX-License-Identifier: BSD-3-Clause */
/* Sequences of partitions in which two sides could have quorum, were what one
 * of them remembers believed: memberd and quorumd on real rings. */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/num.h"

#include "bin/quorumd/quorum.h"
#include "tests/sim/scenario.h"

#define MS UINT64_C(1000000)

/* A ring of so many nodes of one vote each, by these rules. */
static void
cluster(struct sim *sim, uint32_t count, const struct sim_rules *rules)
{
	struct sim_options opt;
	char all[10] = "";

	scenario_options(&opt, count);
	opt.has_groups = opt.has_stack = true;
	opt.rules = *rules;
	for (uint32_t i = 0; i < count; i++) {
		if (opt.rules.votes[i] == 0)
			opt.rules.votes[i] = 1;
		all[i] = (char)('1' + i);
	}
	scenario_world_with(sim, &opt);
	scenario_start(sim, all);
	scenario_expect_ring(sim, all, 5000);
	scenario_run_ms(sim, 1500);
}

/* What the nodes say: all yes, or all no. */
static void
expect(struct sim *sim, const char *nodes, bool is_quorate)
{
	for (const char *at = nodes; *at && !sim_has_failed(sim); at++) {
		const struct sim_node *node =
		    scenario_node(sim, (uint32_t)(*at - '0'));
		char what[64];

		snprintf(what, sizeof what, "node %c says %s", *at,
		    is_quorate ? "yes" : "no");
		scenario_expect(
		    sim, node->app.stack.is_quorate == is_quorate, what);
	}
}

/* Two rings, and time to agree. */
static void
part(struct sim *sim, const char *some, const char *others)
{
	scenario_heal(sim);
	scenario_cut(sim, some, others);
	scenario_expect_ring(sim, some, 5000);
	scenario_expect_ring(sim, others, 5000);
	scenario_run_ms(sim, 1500);
}

static void
restart(struct sim *sim, const char *nodes)
{
	for (; *nodes && !sim_has_failed(sim); nodes++)
		sim_group_restart_quorumd(
		    sim, scenario_node(sim, (uint32_t)(*nodes - '0')));
}

/* {1,2,3,4} -> {1}|{2,3,4} -> {2,3} by a tie, while {1,4} meet. */
static void
scenario_stack_older_memory_breaks_no_tie(struct sim *sim)
{
	cluster(sim, 4, &(struct sim_rules){ .tie = QUORUM_TIE_LOWEST });
	expect(sim, "1234", true);
	part(sim, "1", "234");
	expect(sim, "1", false);
	expect(sim, "234", true);
	part(sim, "14", "23");
	expect(sim, "14", false);
	expect(sim, "23", true);
	scenario_end(sim);
	expect(sim, "1234", true);
}

/* The same, and all quorumds begin anew between one cut and the next. */
static void
scenario_stack_restarts_between_two_ties(struct sim *sim)
{
	cluster(sim, 4, &(struct sim_rules){ .tie = QUORUM_TIE_LOWEST });
	part(sim, "1", "234");
	restart(sim, "1234");
	scenario_run_ms(sim, 500);
	expect(sim, "234", true);
	part(sim, "14", "23");
	restart(sim, "2");
	restart(sim, "4");
	scenario_run_ms(sim, 500);
	expect(sim, "14", false);
	expect(sim, "23", true);
	scenario_end(sim);
}

/* {1,2,3} of five are all there is after the window; then 3 meets 4 and 5. */
static void
scenario_stack_last_men_are_found_by_the_lost(struct sim *sim)
{
	cluster(sim, 5,
	    &(struct sim_rules){ .wait_for_all = QUORUM_WAIT_YES,
		.is_last_man = true,
		.last_man_ns = 300 * MS });
	part(sim, "123", "45");
	expect(sim, "123", true);
	part(sim, "12", "345");
	expect(sim, "12", true);
	expect(sim, "345", false);
	scenario_end(sim);
	expect(sim, "12345", true);
}

/* One that comes back without memory tips nothing for those who lost. */
static void
scenario_stack_reborn_node_tips_nothing(struct sim *sim)
{
	cluster(sim, 5,
	    &(struct sim_rules){ .wait_for_all = QUORUM_WAIT_YES,
		.is_last_man = true,
		.last_man_ns = 300 * MS });
	part(sim, "123", "45");
	scenario_crash(sim, "3");
	scenario_expect_ring(sim, "12", 5000);
	scenario_run_ms(sim, 1500);
	scenario_cut(sim, "3", "12");
	scenario_join(sim, "3", "45");
	scenario_start(sim, "3");
	scenario_expect_ring(sim, "345", 5000);
	scenario_run_ms(sim, 1500);
	expect(sim, "12", true);
	expect(sim, "345", false);
	scenario_end(sim);
	expect(sim, "12345", true);
}

/* wait_for_all = always: whoever was outside waits, whoever it meets. */
static void
scenario_stack_odd_ties_and_those_who_wait(struct sim *sim)
{
	cluster(sim, 5,
	    &(struct sim_rules){
		.wait_for_all = QUORUM_WAIT_ALWAYS, .tie = QUORUM_TIE_LOWEST });
	part(sim, "123", "45");
	part(sim, "12", "345");
	expect(sim, "12", true);
	expect(sim, "345", false);
	scenario_end(sim);
	expect(sim, "12345", true);
}

/* All at once, and one machine alone without quorumd is no hindrance. */
static void
scenario_stack_all_quorumds_begin_anew(struct sim *sim)
{
	cluster(sim, 3, &(struct sim_rules){ 0 });
	part(sim, "12", "3");
	for (int i = 0; i < 5; i++) {
		restart(sim, "123");
		scenario_run_ms(sim, 300);
		expect(sim, "12", true);
		expect(sim, "3", false);
	}
	scenario_crash(sim, "2");
	restart(sim, "1");
	scenario_start(sim, "2");
	scenario_expect_ring(sim, "12", 5000);
	scenario_run_ms(sim, 500);
	expect(sim, "12", true);
	scenario_end(sim);
}

int
main(int argc, char **argv)
{
	static const struct scenario list[] = {
		SCENARIO(scenario_stack_older_memory_breaks_no_tie),
		SCENARIO(scenario_stack_restarts_between_two_ties),
		SCENARIO(scenario_stack_last_men_are_found_by_the_lost),
		SCENARIO(scenario_stack_reborn_node_tips_nothing),
		SCENARIO(scenario_stack_odd_ties_and_those_who_wait),
		SCENARIO(scenario_stack_all_quorumds_begin_anew),
	};

	(void)argc;
	return scenario_main(argv, list, ARRAY_COUNT(list));
}
