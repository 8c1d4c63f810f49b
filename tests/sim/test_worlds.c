/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is alive and who hears whom: each rule of the detector, then samples of
 * the worlds of which worlds.c lives all. */
#include "libcommon/base/num.h"

#include "tests/sim/scenario.h"
#include "tests/sim/sim_calm.h"
#include "tests/sim/sim_flap.h"
#include "tests/sim/sim_graph.h"
#include "tests/sim/sim_inside.h"

#define MS UINT64_C(1000000)

enum {
	WORLDS_SMALL = (1 << 3) + (1 << 6), /* graphs of 3 and 4 nodes */
	WORLDS_STRIDE = 907,                /* through those of 5 and 6 */
	WORLDS_WAYS = 50,
	WORLDS_CALM = 60, /* of ten minutes: 10 hours */
	WORLDS_CALM_MINUTES = 10,
	WORLDS_FLAP_HOURS = 3, /* one at each pace */
};

/* ---- connectivity graphs (P19) ------------------------------------------ */

static void
live_numbered(struct sim *sim, uint64_t number)
{
	struct sim_graph graph = sim_graph_numbered(number);

	for (uint64_t is_cut = 0; is_cut < 2 && !sim_has_failed(sim); is_cut++)
		(void)sim_graph_run(sim, &graph,
		    &(struct sim_graph_life){
			.seed = number, .is_cut = is_cut });
}

static void
scenario_33_all_graphs_of_3_and_4(struct sim *sim)
{
	for (uint64_t i = 0; i < WORLDS_SMALL && !sim_has_failed(sim); i++)
		live_numbered(sim, i);
}

static void
scenario_33_graphs_of_5_and_6(struct sim *sim)
{
	for (uint64_t i = WORLDS_SMALL; i < SIM_GRAPHS && !sim_has_failed(sim);
	     i += WORLDS_STRIDE)
		live_numbered(sim, i);
}

static void
scenario_33_graphs_that_change(struct sim *sim)
{
	for (uint64_t seed = 0; seed < WORLDS_WAYS && !sim_has_failed(sim);
	     seed++) {
		struct sim_graph_life life;
		struct sim_graph graph = sim_graph_draw(seed, &life);
		(void)sim_graph_run(sim, &graph, &life);
	}
}

/* ---- no false alarm (P16) ----------------------------------------------- */

static void
scenario_calm_for_ten_hours(struct sim *sim)
{
	for (uint64_t seed = 0; seed < WORLDS_CALM && !sim_has_failed(sim);
	     seed++)
		(void)sim_calm_run(sim, seed, WORLDS_CALM_MINUTES);
}

/* ---- what flaps for hours ------------------------------------------------ */

static void
scenario_way_that_flaps_for_hours(struct sim *sim)
{
	(void)sim_flap_run(sim,
	    &(struct sim_flap_life){
		.kind = SIM_FLAP_WAY, .seed = 1, .hours = WORLDS_FLAP_HOURS });
}

static void
scenario_node_that_flaps_for_hours(struct sim *sim)
{
	(void)sim_flap_run(sim,
	    &(struct sim_flap_life){
		.kind = SIM_FLAP_NODE, .seed = 2, .hours = WORLDS_FLAP_HOURS });
}

/* ---- the rules, one by one ---------------------------------------------- */

/* Of two that lost each other, one hears the other again, who does not hear
 * it: that is no life for a ring, nor is it to come and go. */
static void
scenario_half_a_pair_is_no_pair(struct sim *sim)
{
	struct totem_peer_status peer;

	scenario_cluster(sim, 2);
	scenario_cut(sim, "1", "2");
	scenario_expect_ring(sim, "1", 1000);
	scenario_expect_ring(sim, "2", 1000);
	scenario_heal(sim);
	scenario_cut_oneway(sim, "1", "2");
	for (int i = 0; i < 100; i++) {
		const struct sim_node *one = scenario_node(sim, 1);
		scenario_run_ms(sim, 37);
		(void)totem_peer_status(
		    one->core, 2, sim_node_clock_ns(sim, one), &peer);
		scenario_expect(sim, !peer.is_alive, "node 2 seems alive");
	}
	scenario_heal(sim);
	scenario_expect_ring(sim, "12", 1000);
	scenario_end(sim);
}

/* The way between 2 and 3 comes and goes; 1, who hears both and decides on
 * merges, waits longer each time. */
static void
scenario_pair_that_flaps(struct sim *sim)
{
	scenario_cluster(sim, 3);
	uint64_t views = scenario_views(sim, 1);
	for (int i = 0; i < 60; i++) {
		scenario_cut(sim, "2", "3");
		scenario_run_ms(sim, 500);
		scenario_join(sim, "2", "3");
		scenario_run_ms(sim, 500);
	}
	scenario_expect(
	    sim, scenario_views(sim, 1) <= views + 16, "the ring flaps");
	scenario_end(sim);
}

/* The way between 2 and 3 comes back for a moment only, less than 1, who
 * hears both all the time, must wait. */
static void
scenario_merge_waits_for_every_pair(struct sim *sim)
{
	struct sim_options opt;

	scenario_options(&opt, 3);
	opt.config.merge_hold_down_ns = 500 * MS;
	scenario_world_with(sim, &opt);
	scenario_start(sim, "123");
	scenario_expect_ring(sim, "123", 2000);
	scenario_cut(sim, "2", "3");
	scenario_expect_ring(sim, "12", 1000);
	scenario_run_ms(sim, 5000);
	uint64_t views = scenario_views(sim, 1);
	scenario_join(sim, "2", "3");
	scenario_run_ms(sim, 700);
	scenario_expect(
	    sim, scenario_views(sim, 1) == views, "they merge too early");
	scenario_expect_ring(sim, "123", 3000);
	scenario_end(sim);
}

/* 1 hears 2 and 3, who do not hear each other, and merges with one of them: the
 * other is not disturbed. */
static void
scenario_33_who_would_not_fit_is_left_alone(struct sim *sim)
{
	scenario_three_apart(sim);
	uint64_t views = scenario_views(sim, 3);
	scenario_join(sim, "1", "23");
	scenario_expect_ring(sim, "12", 3000);
	scenario_run_ms(sim, 2000);
	scenario_expect(
	    sim, scenario_views(sim, 3) == views, "node 3 is disturbed");
	scenario_end(sim);
}

/* Silent for longer than the dead are, but another hears it: a view less. */
static void
scenario_silent_here_heard_there(struct sim *sim)
{
	scenario_cluster(sim, 4);
	scenario_run_ms(sim, 500);
	scenario_rule(sim, &(struct scenario_rule){ .from = 4, .to = 2 });
	scenario_expect_calm(sim, 190);
	scenario_rules_end(sim);
	scenario_expect_calm(sim, 500);
	scenario_expect(sim,
	    scenario_count(sim, 2, TOTEM_COUNT_SUSPICIONS_REFUTED) > 0,
	    "node 2 suspected nobody");
	scenario_end(sim);
}

/* For good: that is a cut, not a death, and the ring goes on without one. */
static void
scenario_cut_is_no_death(struct sim *sim)
{
	scenario_cluster(sim, 4);
	scenario_run_ms(sim, 500);
	scenario_cut(sim, "2", "4");
	scenario_expect_ring(sim, "123", 500);
	scenario_expect(sim,
	    scenario_count(sim, 2, TOTEM_COUNT_DEATHS) +
		    scenario_count(sim, 1, TOTEM_COUNT_DEATHS) ==
		0,
	    "somebody died");
	scenario_expect(
	    sim, scenario_count(sim, 2, TOTEM_COUNT_CUTS) > 0, "no cut");
	scenario_end(sim);
}

/* Nobody bears witness: the suspect has a little longer. */
static void
scenario_no_second_accuser(struct sim *sim)
{
	scenario_cluster(sim, 3);
	scenario_run_ms(sim, 500);
	uint64_t span_ms =
	    sim_inside_dead_after_ns(scenario_node(sim, 2)->core, 2) / MS;
	scenario_rule(
	    sim, &(struct scenario_rule){ .kind = TOTEM_PACKET_WITNESS });
	scenario_rule(sim, &(struct scenario_rule){ .from = 3, .to = 2 });
	scenario_expect_calm(sim, span_ms - 25);
	scenario_rules_end(sim);
	scenario_expect_calm(sim, 500);
	scenario_end(sim);
}

static void
stand_still(struct sim *sim, const char *nodes, int times, uint64_t span_ms)
{
	for (int i = 0; i < times; i++) {
		scenario_pause(sim, nodes);
		scenario_run_ms(sim, span_ms);
		scenario_resume(sim, nodes);
		scenario_run_ms(sim, 37);
	}
}

/* What 2 sends does not reach 1, and that costs no view. */
static void
bear_silence(struct sim *sim, uint64_t span_ms)
{
	scenario_rule(sim, &(struct scenario_rule){ .from = 2, .to = 1 });
	scenario_expect_calm(sim, span_ms);
	scenario_rules_end(sim);
	scenario_expect_calm(sim, 20);
}

/* Who stood still a few times is patient with others for a while. */
static void
scenario_who_stood_still_is_patient(struct sim *sim)
{
	scenario_cluster(sim, 2);
	scenario_run_ms(sim, 500);
	stand_still(sim, "1", 2, 90);
	bear_silence(sim, 240);
	scenario_end(sim);
}

/* And so is who was only a little late. */
static void
scenario_who_is_late_is_patient(struct sim *sim)
{
	scenario_cluster(sim, 2);
	scenario_run_ms(sim, 500);
	stand_still(sim, "1", 6, 45);
	bear_silence(sim, 240);
	scenario_end(sim);
}

/* And who suspected somebody who then spoke. */
static void
scenario_who_was_refuted_is_patient(struct sim *sim)
{
	scenario_cluster(sim, 2);
	scenario_run_ms(sim, 500);
	bear_silence(sim, 120);
	bear_silence(sim, 180);
	scenario_end(sim);
}

/* Who is ill itself accuses nobody; the token's loss tells in the end. */
static void
scenario_the_ill_do_not_accuse(struct sim *sim)
{
	scenario_cluster(sim, 2);
	scenario_run_ms(sim, 500);
	stand_still(sim, "1", 5, 90);
	scenario_crash(sim, "2");
	scenario_expect_calm(sim, 1500);
	scenario_expect_ring(sim, "1", 3000);
	scenario_end(sim);
}

/* Who stays ill and does not hear another, though the token goes round, must
 * not keep the ring for ever. */
static void
scenario_the_ill_are_deaf_on_one_side(struct sim *sim)
{
	scenario_cluster(sim, 3);
	scenario_rule(
	    sim, &(struct scenario_rule){ .kind = TOTEM_PACKET_WITNESS });
	stand_still(sim, "2", 5, 60);
	scenario_cut_oneway(sim, "3", "2");
	uint64_t views = scenario_views(sim, 1);
	for (int i = 0; i < 200; i++)
		stand_still(sim, "2", 1, 60);
	scenario_expect(sim, scenario_views(sim, 1) > views, "the ring stays");
	scenario_end(sim);
}

/* How long 1 bears the silence of 2. */
static uint64_t
patience_ms(struct sim *sim)
{
	const struct sim_node *one = scenario_node(sim, 1);

	return sim_inside_dead_after_ns(one->core, 1) /
	    (1 + sim_inside_health(one->core)) / MS;
}

/* Where beats get lost now and then, longer silences are usual; where they do
 * not any more, they are not. */
static void
scenario_lateness_is_learnt(struct sim *sim)
{
	const uint64_t windows = 30;
	uint64_t sum_ms = 0;

	scenario_cluster(sim, 2);
	scenario_run_ms(sim, 5000);
	scenario_expect(sim, patience_ms(sim) < 170, "it is too patient");
	scenario_rule(
	    sim, &(struct scenario_rule){ .from = 2, .to = 1, .ppm = 300000 });
	for (uint64_t i = 0; i < windows; i++) {
		scenario_expect_calm(sim, 2000);
		sum_ms += patience_ms(sim);
	}
	scenario_expect(sim, sum_ms > windows * 180, "it has not learnt");
	scenario_rules_end(sim);
	scenario_run_ms(sim, 10000);
	scenario_expect(sim, patience_ms(sim) < 170, "it has not forgotten");
	scenario_end(sim);
}

static void
begin_shared(struct sim *sim, uint32_t count, const char *nodes)
{
	struct sim_options opt;

	scenario_options(&opt, count);
	opt.config.is_data_shared = true;
	scenario_world_with(sim, &opt);
	scenario_start(sim, nodes);
	scenario_expect_ring(sim, nodes, 2000);
	scenario_load(sim, 2000, 300);
	scenario_run_ms(sim, 500);
}

/*
 * DATA goes to a group that all hear; but nothing else comes from 1 to 3.  No
 * token takes that way, so the ring would turn, until 2 dies and two are lost
 * for one.  It is to be noticed now, and who is left out hears the ring's
 * frames without coming back for it.
 */
static void
scenario_shared_frames_are_no_sign_of_life(struct sim *sim)
{
	begin_shared(sim, 4, "1234");
	for (uint32_t kind = TOTEM_PACKET_DATA + 1; kind < TOTEM_PACKETS;
	     kind++)
		scenario_rule(sim,
		    &(struct scenario_rule){
			.kind = kind, .from = 1, .to = 3 });
	scenario_expect_ring(sim, "124", 2000);
	scenario_run_ms(sim, 2000);
	scenario_expect_calm(sim, 10000);
	scenario_rules_end(sim);
	scenario_load_end(sim);
	scenario_end(sim);
}

/* The same DATA is no reason to be silent otherwise. */
static void
scenario_who_shares_frames_beats_all_the_same(struct sim *sim)
{
	begin_shared(sim, 5, "12345");
	scenario_expect_calm(sim, 2000);
	for (uint32_t id = 1; id <= 5; id++)
		scenario_expect(sim,
		    scenario_count(sim, id, TOTEM_COUNT_SUSPICIONS) == 0,
		    "somebody seemed silent");
	scenario_load_end(sim);
	scenario_end(sim);
}

int
main(int argc, char **argv)
{
	static const struct scenario list[] = {
		SCENARIO(scenario_33_all_graphs_of_3_and_4),
		SCENARIO(scenario_33_graphs_of_5_and_6),
		SCENARIO(scenario_33_graphs_that_change),
		SCENARIO(scenario_calm_for_ten_hours),
		SCENARIO(scenario_way_that_flaps_for_hours),
		SCENARIO(scenario_node_that_flaps_for_hours),
		SCENARIO(scenario_half_a_pair_is_no_pair),
		SCENARIO(scenario_pair_that_flaps),
		SCENARIO(scenario_merge_waits_for_every_pair),
		SCENARIO(scenario_33_who_would_not_fit_is_left_alone),
		SCENARIO(scenario_silent_here_heard_there),
		SCENARIO(scenario_cut_is_no_death),
		SCENARIO(scenario_no_second_accuser),
		SCENARIO(scenario_who_stood_still_is_patient),
		SCENARIO(scenario_who_is_late_is_patient),
		SCENARIO(scenario_who_was_refuted_is_patient),
		SCENARIO(scenario_the_ill_do_not_accuse),
		SCENARIO(scenario_the_ill_are_deaf_on_one_side),
		SCENARIO(scenario_lateness_is_learnt),
		SCENARIO(scenario_shared_frames_are_no_sign_of_life),
		SCENARIO(scenario_who_shares_frames_beats_all_the_same),
	};

	(void)argc;
	return scenario_main(argv, list, ARRAY_COUNT(list));
}
