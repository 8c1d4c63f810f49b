/* SPDX-License-Identifier: BSD-3-Clause */
/* What went wrong elsewhere with process groups over changing rings: each is
 * told again, with the real core below and the oracle beside. */
#include "libcommon/base/num.h"

#include "tests/sim/scenario.h"

/* Client 0 of each node joins group 0. */
static void
join_all(struct sim *sim, const char *nodes)
{
	for (; *nodes && !sim_has_failed(sim); nodes++)
		sim_group_join(
		    sim, scenario_node(sim, (uint32_t)(*nodes - '0')), 0, 0);
	scenario_run_ms(sim, 20);
}

static uint64_t
group_views(struct sim *sim, uint32_t id)
{
	return scenario_node(sim, id)->app.group.views;
}

/* Messages queued by a node that slept are ordered after the exchange. */
static void
scenario_26_messages_queued_before_the_exchange(struct sim *sim)
{
	scenario_group_cluster(sim, 3);
	join_all(sim, "123");
	for (int i = 0; i < 5 && !sim_has_failed(sim); i++) {
		scenario_pause(sim, "2");
		scenario_expect_ring(sim, "13", 2000);
		scenario_send(sim, "13", 3, 100, TOTEM_AGREED);
		scenario_resume(sim, "2");
		scenario_send(sim, "2", 5, 100, TOTEM_AGREED);
		scenario_expect_state(sim, 1, TOTEM_STATE_GATHER, 3000);
		scenario_send(sim, "13", 3, 100, TOTEM_AGREED);
		scenario_expect_ring(sim, "123", 5000);
	}
	scenario_end(sim);
}

/* A newcomer dies at each datagram of its first exchange: no ghost stays. */
static void
scenario_27_death_within_an_exchange(struct sim *sim)
{
	for (uint32_t datagram = 1; datagram <= 60; datagram++) {
		scenario_group_cluster(sim, 3);
		join_all(sim, "123");
		scenario_leave(sim, "3");
		scenario_expect_ring(sim, "12", 2000);
		scenario_start(sim, "3");
		scenario_node(sim, 3)->crash_in = datagram;
		scenario_send(sim, "12", 2, 100, TOTEM_AGREED);
		scenario_run_ms(sim, 5);
		join_all(sim, "3");
		scenario_end(sim);
		if (sim_has_failed(sim))
			return;
	}
}

/* The ring breaks again at any moment while its groups come in step; the
 * word of the last node is long on its way. */
static void
scenario_27_exchange_is_cut_short(struct sim *sim)
{
	for (uint64_t us = 0; us < 5000; us += 90) {
		scenario_group_cluster(sim, 4);
		join_all(sim, "1234");
		scenario_cut(sim, "12", "34");
		scenario_expect_ring(sim, "12", 2000);
		scenario_expect_ring(sim, "34", 2000);
		sim_group_exit(sim, scenario_node(sim, 4), 0);
		scenario_join(sim, "12", "34");
		scenario_expect_state(sim, 3, TOTEM_STATE_RECOVERY, 2000);
		for (uint32_t kind = 1; kind < SIM_KINDS; kind++)
			if (kind == SIM_KIND_POST || kind == TOTEM_PACKET_DATA)
				scenario_rule(sim,
				    &(struct scenario_rule){
					.action = SCENARIO_DELAY,
					.kind = kind,
					.from = 4,
					.delay_ns = 3000000 });
		scenario_run_us(sim, us);
		scenario_crash_proven(sim, us % 180 ? "3" : "2");
		scenario_end(sim);
		if (sim_has_failed(sim))
			return;
	}
}

/* The word of one node is known and the other's never comes; then the first
 * is gone too.  What it said must not turn up when it is back. */
static void
scenario_27_exchange_is_never_complete(struct sim *sim)
{
	scenario_group_cluster(sim, 4);
	join_all(sim, "1234");
	scenario_cut(sim, "12", "34");
	scenario_expect_ring(sim, "12", 2000);
	scenario_expect_ring(sim, "34", 2000);
	scenario_join(sim, "12", "34");
	scenario_expect_state(sim, 4, TOTEM_STATE_RECOVERY, 2000);
	scenario_expect_state(sim, 4, TOTEM_STATE_OPERATIONAL, 100);
	scenario_pause(sim, "4");
	scenario_run_ms(sim, 2);
	scenario_crash(sim, "3");
	scenario_expect_ring(sim, "12", 2000);
	scenario_start(sim, "3");
	scenario_resume(sim, "4");
	scenario_expect_ring(sim, "1234", 5000);
	scenario_end(sim);
}

/* A node with something left to say is told to leave while a ring forms in
 * which the groups come in step: nobody waits for its word in vain. */
static void
scenario_27_leave_before_an_exchange(struct sim *sim)
{
	scenario_group_cluster(sim, 4);
	join_all(sim, "1234");
	scenario_cut(sim, "12", "34");
	scenario_expect_ring(sim, "12", 2000);
	scenario_expect_ring(sim, "34", 2000);
	scenario_join(sim, "12", "34");
	scenario_expect_state(sim, 2, TOTEM_STATE_RECOVERY, 2000);
	scenario_send(sim, "1234", 2, 100, TOTEM_SAFE);
	scenario_leave(sim, "2");
	scenario_expect_ring(sim, "134", 100);
	scenario_expect_delivered(sim, "134", 8, 20);
	scenario_end(sim);
}

/* The first node stops for longer than the others wait, and some of its
 * clients exit meanwhile. */
static void
scenario_29_pause_with_exits(struct sim *sim)
{
	for (uint64_t ms = 150; ms <= 2000; ms += 370) {
		scenario_group_cluster(sim, 3);
		join_all(sim, "123");
		sim_group_join(sim, scenario_node(sim, 1), 1, 1);
		scenario_load(sim, 5000, 100);
		scenario_run_ms(sim, 10);
		scenario_pause(sim, "1");
		sim_group_exit(sim, scenario_node(sim, 2), 0);
		scenario_run_ms(sim, ms);
		scenario_resume(sim, "1");
		sim_group_exit(sim, scenario_node(sim, 1), 0);
		scenario_expect_ring(sim, "123", 5000);
		scenario_end(sim);
		if (sim_has_failed(sim))
			return;
	}
}

/* Two nodes go at once: one view of the group tells both. */
static void
scenario_30_one_view_a_change(struct sim *sim)
{
	scenario_group_cluster(sim, 5);
	join_all(sim, "12345");
	uint64_t views = group_views(sim, 1);
	scenario_cut(sim, "45", "123");
	scenario_expect_ring(sim, "123", 2000);
	scenario_run_ms(sim, 20);
	scenario_expect(sim, group_views(sim, 1) == views + 1,
	    "a change of two nodes is not one view");
	scenario_end(sim);
}

/* Everybody talks from the first rotation after a merge on. */
static void
scenario_31_traffic_right_after_a_merge(struct sim *sim)
{
	scenario_group_cluster(sim, 4);
	join_all(sim, "1234");
	scenario_load(sim, 400, 200);
	for (int i = 0; i < 4 && !sim_has_failed(sim); i++) {
		scenario_cut(sim, "12", "34");
		scenario_expect_ring(sim, "12", 2000);
		scenario_expect_ring(sim, "34", 2000);
		scenario_join(sim, "12", "34");
		scenario_expect_ring(sim, "1234", 10000);
	}
	scenario_load_end(sim);
	scenario_end(sim);
}

/* Join, leave, join and exit in one batch, while rings change. */
static void
scenario_32_joins_and_leaves_in_a_batch(struct sim *sim)
{
	scenario_group_cluster(sim, 3);
	for (uint32_t i = 0; i < 30 && !sim_has_failed(sim); i++) {
		struct sim_node *node = scenario_node(sim, 1 + i % 3);
		sim_group_join(sim, node, 0, 0);
		sim_group_leave(sim, node, 0, 0);
		sim_group_join(sim, node, 0, 0);
		sim_group_join(sim, node, 1, 0);
		sim_group_exit(sim, node, 1);
		if (i % 7 == 3) {
			scenario_crash_proven(sim, "2");
			scenario_run_us(sim, 300 * (uint64_t)i);
			scenario_start(sim, "2");
			scenario_expect_ring(sim, "123", 3000);
		}
		scenario_run_us(sim, 137 * (uint64_t)i);
	}
	scenario_end(sim);
}

int
main(int argc, char **argv)
{
	static const struct scenario list[] = {
		SCENARIO(scenario_26_messages_queued_before_the_exchange),
		SCENARIO(scenario_27_death_within_an_exchange),
		SCENARIO(scenario_27_exchange_is_cut_short),
		SCENARIO(scenario_27_exchange_is_never_complete),
		SCENARIO(scenario_27_leave_before_an_exchange),
		SCENARIO(scenario_29_pause_with_exits),
		SCENARIO(scenario_30_one_view_a_change),
		SCENARIO(scenario_31_traffic_right_after_a_merge),
		SCENARIO(scenario_32_joins_and_leaves_in_a_batch),
	};

	(void)argc;
	return scenario_main(argv, list, ARRAY_COUNT(list));
}
