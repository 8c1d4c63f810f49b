/* SPDX-License-Identifier: BSD-3-Clause */
/* What went wrong elsewhere between two rings: each is told again. */
#include "libcommon/base/num.h"

#include "tests/sim/scenario.h"
#include "tests/sim/sim_inside.h"

#define MS UINT64_C(1000000)
#define US UINT64_C(1000)

/* Every kind that carries frames to a node, lost with that probability. */
static void
starve(struct sim *sim, uint32_t to, uint32_t ppm)
{
	static const uint32_t kinds[] = { TOTEM_PACKET_DATA, SIM_KIND_POST,
		TOTEM_PACKET_DATA_RETX };

	for (size_t k = 0; k < ARRAY_COUNT(kinds); k++)
		scenario_rule(sim,
		    &(struct scenario_rule){
			.kind = kinds[k], .to = to, .ppm = ppm });
}

/* Two links deliver each COMMIT and token twice: one first token only. */
static void
scenario_06_duplicate_commit_token(struct sim *sim)
{
	scenario_world(sim, 3);
	scenario_rule(sim,
	    &(struct scenario_rule){ .action = SCENARIO_DUPLICATE,
		.kind = TOTEM_PACKET_COMMIT,
		.times = 3,
		.delay_ns = 90 * US });
	scenario_rule(sim,
	    &(struct scenario_rule){ .action = SCENARIO_DUPLICATE,
		.kind = TOTEM_PACKET_TOKEN,
		.times = 2,
		.delay_ns = 70 * US });
	scenario_start(sim, "123");
	scenario_expect_ring(sim, "123", 2000);
	scenario_load(sim, 1000, 300);
	scenario_crash(sim, "2");
	scenario_expect_ring(sim, "13", 2000);
	scenario_start(sim, "2");
	scenario_expect_ring(sim, "123", 3000);
	scenario_expect_calm(sim, 500);
	scenario_end(sim);
}

/* COMMITs of every earlier attempt with the same members come again. */
static void
scenario_07_commit_of_an_older_attempt(struct sim *sim)
{
	scenario_cluster(sim, 3);
	scenario_rule(sim,
	    &(struct scenario_rule){ .action = SCENARIO_DUPLICATE,
		.kind = TOTEM_PACKET_COMMIT,
		.times = 5,
		.delay_ns = 211 * MS });
	scenario_load(sim, 2000, 300);
	for (int i = 0; i < 6 && !sim_has_failed(sim); i++) {
		scenario_cut(sim, "3", "12");
		scenario_run_ms(sim, 350);
		scenario_join(sim, "3", "12");
		scenario_expect_ring(sim, "123", 8000);
	}
	scenario_end(sim);
}

/* A frame as large as can be is recovered inside a frame. */
static void
scenario_17_largest_frames_are_recovered(struct sim *sim)
{
	struct sim_options opt;

	for (uint32_t size = 0; size <= 48; size++) {
		scenario_options(&opt, 3);
		opt.seed = size + 60;
		scenario_world_with(sim, &opt);
		scenario_start(sim, "123");
		scenario_expect_ring(sim, "123", 2000);
		starve(sim, 3, 0);
		scenario_send(sim, "1", 4, opt.config.frame_bytes - 40 + size,
		    TOTEM_SAFE);
		scenario_run_ms(sim, 5);
		scenario_rules_end(sim);
		scenario_crash_proven(sim, "2");
		scenario_expect_ring(sim, "13", 3000);
		scenario_expect_delivered(sim, "13", 4, 1000);
		scenario_end(sim);
		if (sim_has_failed(sim))
			return;
	}
}

/* Many changes under load: nothing piles up. */
static void
scenario_18_many_changes(struct sim *sim)
{
	scenario_cluster(sim, 3);
	scenario_load(sim, 3000, 600);
	for (int i = 0; i < 300 && !sim_has_failed(sim); i++) {
		const char *who = i % 3 == 0 ? "1" : i % 3 == 1 ? "2" : "3";
		scenario_crash_proven(sim, who);
		scenario_run_ms(sim, 20);
		scenario_start(sim, who);
		scenario_expect_ring(sim, "123", 5000);
	}
	uint64_t before = scenario_count(sim, 1, TOTEM_COUNT_RETRANSMITS_ASKED);
	scenario_run_ms(sim, 1000);
	scenario_expect(sim,
	    scenario_count(sim, 1, TOTEM_COUNT_RETRANSMITS_ASKED) - before < 20,
	    "a quiet ring asks for frames");
	scenario_end(sim);
}

/* The token says that frames exist which died with their sender. */
static void
scenario_19_crash_between_token_and_frames(struct sim *sim)
{
	struct sim_options opt;

	for (uint32_t datagram = 1; datagram <= 40; datagram++) {
		scenario_options(&opt, 3);
		opt.seed = datagram;
		opt.config.accelerated_frames = 8;
		opt.config.visit_frames = 16;
		scenario_world_with(sim, &opt);
		scenario_start(sim, "123");
		scenario_expect_ring(sim, "123", 2000);
		scenario_send(sim, "12", 10, 900, TOTEM_AGREED);
		scenario_send(sim, "3", 10, 900, TOTEM_SAFE);
		scenario_node(sim, 2)->crash_in = datagram;
		scenario_send(sim, "13", 10, 900, TOTEM_SAFE);
		scenario_expect_ring(sim, "13", 3000);
		scenario_end(sim);
		if (sim_has_failed(sim))
			return;
	}
}

/* Two frames are missing, and thousands after it wait to be recovered. */
static void
scenario_20_many_frames_to_recover(struct sim *sim)
{
	struct sim_options opt;

	scenario_options(&opt, 3);
	opt.config.frame_bytes = LIMIT_FRAME_BYTES_MIN;
	opt.config.queue_bytes = 1 << 20;
	scenario_world_with(sim, &opt);
	scenario_start(sim, "123");
	scenario_expect_ring(sim, "123", 2000);
	scenario_rule(sim,
	    &(struct scenario_rule){
		.kind = SIM_KIND_POST, .to = 3, .skip = 20, .count = 1 });
	scenario_rule(sim,
	    &(struct scenario_rule){
		.kind = SIM_KIND_POST, .to = 3, .skip = 900, .count = 1 });
	scenario_rule(sim,
	    &(struct scenario_rule){ .kind = TOTEM_PACKET_DATA_RETX, .to = 3 });
	scenario_send(sim, "12", 1100, 450, TOTEM_AGREED);
	scenario_expect_delivered(sim, "12", 2200, 900);
	scenario_expect(sim, scenario_node(sim, 3)->delivered < 100,
	    "node 3 should lack a frame");
	scenario_crash_proven(sim, "2");
	scenario_expect_state(sim, 3, TOTEM_STATE_COMMIT, 1000);
	scenario_rules_end(sim);
	scenario_expect_ring(sim, "13", 10000);
	scenario_expect_delivered(sim, "3", 2200, 1000);
	scenario_end(sim);
}

/*
 * Whoever installs first dies at once, and the token with it: the others
 * owe what it delivered.
 */
static void
first_installer_dies(struct sim *sim, uint64_t seed)
{
	struct sim_options opt;

	scenario_options(&opt, 4);
	opt.seed = seed;
	scenario_world_with(sim, &opt);
	scenario_start(sim, "1234");
	scenario_expect_ring(sim, "1234", 2000);
	starve(sim, 1 + (uint32_t)seed % 3, 600000);
	scenario_send(sim, "1234", 6, 700, TOTEM_SAFE);
	scenario_run_us(sim, 100 + 37 * (seed % 60));
	scenario_rules_end(sim);
	scenario_crash_proven(sim, "4");
	uint64_t views = sim->views;
	while (sim->views < views + 2 && sim_step(sim))
		;
	for (uint32_t id = 1; id <= 3 && !sim_has_failed(sim); id++) {
		const char name[] = { (char)('0' + id), '\0' };
		if (scenario_state(sim, id) != TOTEM_STATE_OPERATIONAL)
			continue;
		scenario_cut(sim, name, "1234");
		scenario_crash(sim, name);
		break;
	}
	scenario_end(sim);
}

static void
scenario_21_first_installer_dies(struct sim *sim)
{
	for (uint64_t seed = 1; seed <= 120; seed++) {
		first_installer_dies(sim, seed);
		if (sim_has_failed(sim))
			return;
	}
}

/* From a node to the others: nothing of that kind any more. */
static void
mute(struct sim *sim, uint32_t kind, uint32_t from)
{
	scenario_rule(
	    sim, &(struct scenario_rule){ .kind = kind, .from = from });
}

/* One message from a node, and the visit of the token that orders it. */
static void
order_one(struct sim *sim, uint32_t id, enum totem_service service)
{
	const char name[] = { (char)('0' + id), '\0' };
	uint64_t sent = scenario_count(sim, id, TOTEM_COUNT_FRAMES_SENT);

	scenario_send(sim, name, 1, 300, service);
	while (scenario_count(sim, id, TOTEM_COUNT_FRAMES_SENT) == sent &&
	    sim_step(sim))
		;
}

/* Recovery itself loses a third of what it sends: nobody may go on before
 * all are through. */
static void
scenario_21_recovery_under_loss(struct sim *sim)
{
	struct sim_options opt;

	for (uint64_t seed = 1; seed <= 600; seed++) {
		scenario_options(&opt, 4);
		opt.seed = seed;
		opt.reorder_ppm = 300000;
		opt.jitter_ns = 200 * US;
		opt.config.frame_bytes = LIMIT_FRAME_BYTES_MIN;
		scenario_world_with(sim, &opt);
		scenario_start(sim, "1234");
		scenario_expect_ring(sim, "1234", 5000);
		scenario_send(sim, "1234", 8, 400, TOTEM_SAFE);
		scenario_run_us(sim, 300 + 50 * (seed % 60));
		scenario_rule(sim, &(struct scenario_rule){ .ppm = 300000 });
		scenario_crash_proven(sim, "4");
		scenario_load(sim, 300, 200);
		scenario_run_ms(sim, 40);
		scenario_load_end(sim);
		scenario_end(sim);
		if (sim_has_failed(sim))
			return;
	}
}

/*
 * Node 4 dies with a frame that nobody has; behind this gap node 1 orders a
 * SAFE message, which nobody else gets before Recovery.  Node 1 installs first,
 * delivers its message, and dies with the token.  The two that are left have
 * the message only from the attempt that failed, and its author is gone: they
 * must deliver it all the same.
 */
static void
scenario_21_who_acked_owes_delivery(struct sim *sim)
{
	scenario_cluster(sim, 4);
	scenario_run_ms(sim, 100);
	for (uint32_t id = 1; id <= 4; id += 3) {
		mute(sim, SIM_KIND_POST, id);
		mute(sim, TOTEM_PACKET_DATA, id);
		mute(sim, TOTEM_PACKET_DATA_RETX, id);
	}
	order_one(sim, 4, TOTEM_AGREED);
	scenario_crash(sim, "4");
	order_one(sim, 1, TOTEM_SAFE);
	scenario_run_us(sim, 300);
	scenario_rules_end(sim);

	const struct sim_node *first = scenario_node(sim, 1);
	scenario_expect_state(sim, 1, TOTEM_STATE_RECOVERY, 3000);
	while (!sim_inside_is_installing(first->core) && sim_step(sim))
		;
	mute(sim, 0, 1);
	scenario_expect_state(sim, 1, TOTEM_STATE_OPERATIONAL, 100);
	scenario_expect(sim, first->delivered == 1, "1 did not deliver");
	scenario_expect(sim,
	    scenario_state(sim, 2) == TOTEM_STATE_RECOVERY &&
		scenario_state(sim, 3) == TOTEM_STATE_RECOVERY,
	    "1 should be the first to install");
	scenario_crash(sim, "1");
	scenario_expect_ring(sim, "23", 3000);
	scenario_expect_delivered(sim, "23", 1, 100);
	scenario_end(sim);
}

/*
 * Of two frames of node 1 the others have the second only, and Recovery does
 * not bring them the first before node 1 dies: they owe nothing of it, for
 * they never had all.
 */
static void
scenario_21_who_lacks_frames_owes_nothing(struct sim *sim)
{
	scenario_cluster(sim, 4);
	scenario_run_ms(sim, 100);
	scenario_rule(sim,
	    &(struct scenario_rule){
		.kind = SIM_KIND_POST, .from = 1, .count = 3 });
	mute(sim, TOTEM_PACKET_DATA_RETX, 1);
	scenario_send(sim, "1", 1, 1200, TOTEM_AGREED);
	order_one(sim, 1, TOTEM_AGREED);
	scenario_run_us(sim, 80);
	scenario_expect(sim, scenario_hits() == 3, "no frame was lost");
	mute(sim, TOTEM_PACKET_DATA, 1);
	scenario_crash_proven(sim, "4");
	const struct sim_node *third = scenario_node(sim, 3);
	while (sim_inside_quiet_visits(third->core) < 3 && sim_step(sim))
		;
	scenario_crash(sim, "1");
	scenario_expect_ring(sim, "23", 3000);
	scenario_end(sim);
}

/* A frame of a dead node, which nobody had when the ring was committed, comes
 * to one of two members in Recovery: it is too late. */
static void
scenario_45_late_frame_of_a_dead_node(struct sim *sim)
{
	static const uint32_t kinds[] = { TOTEM_PACKET_DATA, SIM_KIND_POST };

	scenario_cluster(sim, 3);
	scenario_run_ms(sim, 100);
	for (size_t k = 0; k < ARRAY_COUNT(kinds); k++) {
		scenario_rule(sim,
		    &(struct scenario_rule){ .action = SCENARIO_HOLD,
			.kind = kinds[k],
			.from = 3,
			.to = 1 });
		mute(sim, kinds[k], 3);
	}
	order_one(sim, 3, TOTEM_AGREED);
	scenario_run_us(sim, 30);
	scenario_crash(sim, "3");
	scenario_expect_state(sim, 1, TOTEM_STATE_RECOVERY, 3000);
	scenario_expect(sim, scenario_hits() >= 2, "nothing was held back");
	scenario_rules_end(sim);
	scenario_release(sim);
	scenario_expect_ring(sim, "12", 1000);
	scenario_end(sim);
}

/* Old frames that arrive in Commit and Recovery change nothing there. */
static void
scenario_45_late_frames_of_the_old_ring(struct sim *sim)
{
	struct sim_options opt;

	for (uint64_t seed = 1; seed <= 40; seed++) {
		scenario_options(&opt, 4);
		opt.seed = seed;
		scenario_world_with(sim, &opt);
		scenario_start(sim, "1234");
		scenario_expect_ring(sim, "1234", 2000);
		scenario_rule(sim,
		    &(struct scenario_rule){ .action = SCENARIO_DELAY,
			.kind = seed % 2 ? TOTEM_PACKET_DATA : SIM_KIND_POST,
			.ppm = 500000,
			.delay_ns = seed * 150 * US });
		scenario_load(sim, 500, 500);
		scenario_run_ms(sim, 20);
		scenario_crash_proven(sim, seed % 3 ? "2" : "1");
		scenario_run_ms(sim, 30);
		scenario_load_end(sim);
		scenario_end(sim);
		if (sim_has_failed(sim))
			return;
	}
}

int
main(int argc, char **argv)
{
	static const struct scenario list[] = {
		SCENARIO(scenario_06_duplicate_commit_token),
		SCENARIO(scenario_07_commit_of_an_older_attempt),
		SCENARIO(scenario_17_largest_frames_are_recovered),
		SCENARIO(scenario_18_many_changes),
		SCENARIO(scenario_19_crash_between_token_and_frames),
		SCENARIO(scenario_20_many_frames_to_recover),
		SCENARIO(scenario_21_first_installer_dies),
		SCENARIO(scenario_21_recovery_under_loss),
		SCENARIO(scenario_21_who_acked_owes_delivery),
		SCENARIO(scenario_21_who_lacks_frames_owes_nothing),
		SCENARIO(scenario_45_late_frame_of_a_dead_node),
		SCENARIO(scenario_45_late_frames_of_the_old_ring),
	};

	(void)argc;
	return scenario_main(argv, list, ARRAY_COUNT(list));
}
