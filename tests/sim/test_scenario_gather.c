/* SPDX-License-Identifier: BSD-3-Clause */
/* What went wrong elsewhere while rings were formed: each is told again. */
#include "libcommon/base/num.h"
#include "libcommon/base/wrbuf.h"

#include "bin/ringd/totem_wire.h"
#include "tests/sim/scenario.h"
#include "tests/sim/sim_inside.h"
#include "tests/sim/sim_watch.h"

#define MS UINT64_C(1000000)

/* Two stopped nodes take the representative's number with them; those that
 * come back must not draw the one that the survivor still gathers for. */
static void
scenario_01_ring_id_reuse(struct sim *sim)
{
	scenario_cluster(sim, 5);
	scenario_load(sim, 3000, 300);
	scenario_run_ms(sim, 30);
	scenario_crash(sim, "34");
	scenario_expect_state(sim, 5, TOTEM_STATE_RECOVERY, 3000);
	scenario_crash(sim, "12");
	scenario_start(sim, "1234");
	scenario_expect_ring(sim, "12345", 5000);
	scenario_end(sim);
}

static void
restart_quickly(struct sim *sim, bool is_disk_lost)
{
	scenario_cluster(sim, 3);
	scenario_load(sim, 2000, 500);
	for (int i = 0; i < 5 && !sim_has_failed(sim); i++) {
		scenario_run_ms(sim, 50);
		scenario_crash(sim, "1");
		scenario_node(sim, 1)->disk.is_lost = is_disk_lost;
		scenario_run_us(sim, 700);
		scenario_start(sim, "1");
		scenario_expect_ring(sim, "123", 100);
	}
	scenario_end(sim);
}

/* The representative is back before anybody missed it. */
static void
scenario_03_restart_before_timeout(struct sim *sim)
{
	restart_quickly(sim, false);
}

static void
scenario_03_restart_before_timeout_without_disk(struct sim *sim)
{
	restart_quickly(sim, true);
}

/* What was sent through a partition arrives, but late: JOINs that list the
 * receiver as failed, when all is well again. */
static void
scenario_04_stale_join(struct sim *sim)
{
	struct sim_options opt;

	scenario_options(&opt, 3);
	opt.config.merge_hold_down_ns = 1500 * MS;
	scenario_world_with(sim, &opt);
	scenario_start(sim, "123");
	scenario_expect_ring(sim, "123", 2000);
	for (uint32_t id = 2; id <= 3; id++) {
		scenario_rule(sim,
		    &(struct scenario_rule){ .action = SCENARIO_DELAY,
			.from = 1,
			.to = id,
			.delay_ns = 900 * MS });
		scenario_rule(sim,
		    &(struct scenario_rule){ .action = SCENARIO_DELAY,
			.from = id,
			.to = 1,
			.delay_ns = 900 * MS });
	}
	scenario_expect_ring(sim, "1", 850);
	scenario_expect_ring(sim, "23", 850);
	uint64_t views = scenario_views(sim, 2);
	scenario_rules_end(sim);
	scenario_expect_ring(sim, "123", 8000);
	scenario_run_ms(sim, 1500);
	scenario_expect(sim, scenario_views(sim, 2) == views + 1, "rings flap");
	scenario_end(sim);
}

/* An impossible token from node 2, for node 3 alone. */
static void
send_bad_token(struct sim *sim)
{
	const struct sim_node *two = scenario_node(sim, 2);
	struct totem_nodes table = { .count = 3, .id = { 1, 2, 3 } };
	struct totem_input in = { .kind = TOTEM_IN_PACKET };
	struct totem_status status;
	uint8_t bytes[200];
	struct wrbuf wr;

	(void)sim_node_is_operational(sim, two, &status);
	struct totem_token token = { .ring = status.ring,
		.token_seq = UINT64_C(1) << 40,
		.window = LIMIT_WINDOW_MIN };
	wrbuf_init(&wr, bytes, sizeof(bytes));
	totem_wire_put_token(&wr, &table, &token);
	in.packet.node = 2;
	in.packet.incarnation = two->incarnation;
	in.packet.bytes = bytes;
	in.packet.len = wr.len;
	sim_node_input(sim, scenario_node(sim, 3), &in);
}

/* A COMMIT of the ring that is already left comes to who gathers again for
 * the same members. */
static void
scenario_07_commit_of_the_last_attempt(struct sim *sim)
{
	scenario_world(sim, 3);
	scenario_rule(sim,
	    &(struct scenario_rule){ .action = SCENARIO_COPY,
		.kind = TOTEM_PACKET_COMMIT,
		.from = 1,
		.to = 2,
		.count = 1 });
	scenario_start(sim, "123");
	scenario_expect_ring(sim, "123", 1000);
	scenario_send(sim, "1", 3, 100, TOTEM_AGREED);
	scenario_expect_delivered(sim, "123", 3, 100);
	send_bad_token(sim);
	scenario_expect_state(sim, 2, TOTEM_STATE_GATHER, 100);
	uint64_t commits = scenario_count(sim, 2, TOTEM_COUNT_COMMITS);
	scenario_release(sim);
	scenario_expect_ring(sim, "123", 20);
	scenario_expect(sim,
	    scenario_count(sim, 2, TOTEM_COUNT_COMMITS) == commits + 2,
	    "node 2 took the COMMIT of the last attempt");
	scenario_end(sim);
}

/* One node gathers while the token of the others is fine: they must join it
 * at once, and not when their token is lost. */
static void
scenario_05_join_in_operational(struct sim *sim)
{
	struct totem_status status;

	scenario_cluster(sim, 3);
	scenario_send(sim, "1", 3, 100, TOTEM_AGREED);
	scenario_expect_delivered(sim, "123", 3, 100);
	send_bad_token(sim);
	scenario_expect(sim, scenario_state(sim, 3) == TOTEM_STATE_GATHER,
	    "node 3 should gather");
	scenario_expect_ring(sim, "123", 50);
	(void)sim_node_is_operational(sim, scenario_node(sim, 2), &status);
	scenario_expect(sim, status.gathers[TOTEM_REASON_TOKEN_LOSS] == 0,
	    "node 2 gathered for a lost token, not for the JOIN");
	scenario_end(sim);
}

/* Members come and go in an order that a bad comparison confuses. */
static void
scenario_09_members_are_sorted(struct sim *sim)
{
	scenario_world(sim, 3);
	scenario_start(sim, "1");
	scenario_expect_ring(sim, "1", 1000);
	scenario_start(sim, "2");
	scenario_expect_ring(sim, "12", 2000);
	scenario_start(sim, "3");
	scenario_expect_ring(sim, "123", 2000);
	scenario_leave(sim, "3");
	scenario_expect_ring(sim, "12", 2000);
	scenario_start(sim, "3");
	scenario_expect_ring(sim, "123", 2000);
	scenario_leave(sim, "2");
	scenario_expect_ring(sim, "13", 2000);
	scenario_start(sim, "2");
	scenario_expect_ring(sim, "123", 2000);
	scenario_leave(sim, "1");
	scenario_expect_ring(sim, "23", 2000);
	scenario_end(sim);
}

static void
scenario_10_leave_under_load(struct sim *sim)
{
	scenario_cluster(sim, 3);
	scenario_load(sim, 500, 500);
	scenario_run_ms(sim, 50);
	scenario_leave(sim, "2");
	scenario_expect_ring(sim, "13", 100);
	scenario_end(sim);
}

/* A LEAVE that lay in the socket of a stopped process counts. */
static void
scenario_10_leave_during_a_pause(struct sim *sim)
{
	scenario_cluster(sim, 3);
	scenario_run_ms(sim, 50);
	scenario_pause(sim, "3");
	scenario_leave(sim, "2");
	scenario_run_ms(sim, 1500);
	scenario_resume(sim, "3");
	scenario_expect_ring(sim, "13", 1500);
	scenario_end(sim);
}

static void
lose_large_frames_to(struct sim *sim, uint32_t id)
{
	static const uint32_t kinds[] = { TOTEM_PACKET_DATA,
		TOTEM_PACKET_DATA_RETX, SIM_KIND_POST };

	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
		scenario_rule(sim,
		    &(struct scenario_rule){
			.kind = kinds[i], .to = id, .longer_than = 500 });
}

/* A node that gets tokens but no large frames: excluded by the others, kept
 * out for a while, and the rest does not flap. */
static void
scenario_11_failed_to_receive(struct sim *sim)
{
	scenario_cluster(sim, 3);
	lose_large_frames_to(sim, 3);
	scenario_send(sim, "1", 5, 1200, TOTEM_SAFE);
	scenario_expect_ring(sim, "12", 15000);
	scenario_expect_delivered(sim, "12", 5, 1000);
	uint64_t views = scenario_views(sim, 1);
	scenario_run_ms(sim, 3000);
	scenario_expect(
	    sim, scenario_views(sim, 1) <= views + 1, "the ring flaps");
	scenario_end(sim);
}

/* Whoever is kept out does not know it: it must not try to merge in vain, and
 * wait longer each time, but be taken back when its time is over. */
static void
scenario_11_kept_out_waits_to_be_invited(struct sim *sim)
{
	scenario_cluster(sim, 3);
	lose_large_frames_to(sim, 1);
	scenario_send(sim, "2", 5, 1200, TOTEM_SAFE);
	scenario_expect_ring(sim, "23", 3000);
	scenario_rules_end(sim);
	scenario_expect_ring(sim, "1", 1000);
	scenario_run_ms(sim, 300);
	scenario_expect_calm(sim, 8000);
	scenario_expect_ring(sim, "123", 3000);
	scenario_end(sim);
}

/* Who comes later is told who is kept out, and until when. */
static void
scenario_11_kept_out_for_no_longer_than_told(struct sim *sim)
{
	scenario_world(sim, 3);
	scenario_start(sim, "23");
	scenario_expect_ring(sim, "23", 2000);
	lose_large_frames_to(sim, 2);
	scenario_send(sim, "3", 5, 1200, TOTEM_SAFE);
	scenario_expect_ring(sim, "3", 3000);
	scenario_rules_end(sim);
	scenario_run_ms(sim, 7000);
	scenario_cut(sim, "1", "2");
	scenario_start(sim, "1");
	scenario_expect_ring(sim, "13", 2000);
	scenario_join(sim, "1", "2");
	scenario_expect_ring(sim, "123", 5000);
	scenario_end(sim);
}

/* Two who start meet two of whom one keeps the other out: both choose alike. */
static void
choose_of_two(struct sim *sim, uint32_t deaf, const char *other)
{
	const char alone[] = { (char)('0' + deaf), '\0' };

	scenario_world(sim, 4);
	scenario_start(sim, "34");
	scenario_expect_ring(sim, "34", 2000);
	lose_large_frames_to(sim, deaf);
	scenario_send(sim, other, 5, 1200, TOTEM_SAFE);
	scenario_expect_ring(sim, other, 3000);
	scenario_rules_end(sim);
	scenario_expect_ring(sim, alone, 1000);
	scenario_start(sim, "12");
	scenario_expect_ring(sim, "123", 100);
	scenario_end(sim);
}

static void
scenario_11_the_one_keeps_the_other_out(struct sim *sim)
{
	choose_of_two(sim, 3, "4");
	choose_of_two(sim, 4, "3");
}

/* Who starts again comes back to the majority, not to whom it keeps out. */
static void
scenario_11_the_kept_out_wins_nobody(struct sim *sim)
{
	scenario_cluster(sim, 5);
	lose_large_frames_to(sim, 1);
	scenario_send(sim, "2", 5, 1200, TOTEM_SAFE);
	scenario_expect_ring(sim, "2345", 3000);
	scenario_rules_end(sim);
	scenario_expect_ring(sim, "1", 1000);
	scenario_run_ms(sim, 300);
	scenario_crash(sim, "5");
	scenario_expect_ring(sim, "234", 1000);
	scenario_start(sim, "5");
	scenario_expect_ring(sim, "2345", 200);
	scenario_expect_calm(sim, 3000);
	scenario_end(sim);
}

/* Two who merge leave a third alone that would refuse one of them. */
static void
scenario_11_who_keeps_out_is_left_alone(struct sim *sim)
{
	scenario_cluster(sim, 3);
	scenario_cut(sim, "1", "23");
	scenario_expect_ring(sim, "1", 1000);
	scenario_expect_ring(sim, "23", 1000);
	lose_large_frames_to(sim, 2);
	scenario_send(sim, "3", 5, 1200, TOTEM_SAFE);
	scenario_expect_ring(sim, "3", 3000);
	scenario_rules_end(sim);
	scenario_expect_ring(sim, "2", 1000);
	uint64_t gathers = scenario_count(sim, 3, TOTEM_COUNT_GATHERS);
	scenario_rule(sim,
	    &(struct scenario_rule){
		.kind = TOTEM_PACKET_MERGE_DETECT, .from = 3 });
	scenario_join(sim, "1", "23");
	scenario_expect_ring(sim, "12", 1000);
	scenario_expect(sim,
	    scenario_count(sim, 3, TOTEM_COUNT_GATHERS) == gathers,
	    "node 3 was disturbed");
	scenario_end(sim);
}

/* Two of three merge; the third, who flapped often, hears of it too late.  It
 * did not fail, so it is asked again soon. */
static void
scenario_merge_in_vain(struct sim *sim)
{
	scenario_cluster(sim, 3);
	for (int i = 0; i < 5; i++) {
		scenario_cut(sim, "1", "23");
		scenario_cut(sim, "2", "3");
		scenario_run_ms(sim, 400);
		scenario_expect_ring(sim, "1", 1000);
		scenario_join(sim, "1", "23");
		scenario_join(sim, "2", "3");
		scenario_run_ms(sim, 150);
	}
	scenario_rule(sim,
	    &(struct scenario_rule){
		.kind = TOTEM_PACKET_MERGE_DETECT, .to = 1 });
	scenario_rule(sim,
	    &(struct scenario_rule){ .action = SCENARIO_DELAY,
		.kind = TOTEM_PACKET_JOIN,
		.to = 1,
		.delay_ns = MS });
	scenario_expect_state(sim, 1, TOTEM_STATE_GATHER, 5000);
	scenario_expect_ring(sim, "1", 400);
	scenario_expect_ring(sim, "23", 400);
	scenario_rules_end(sim);
	scenario_expect_ring(sim, "123", 800);
	scenario_end(sim);
}

/* Merges that come to nothing, again and again, get rarer. */
static void
scenario_merge_always_in_vain(struct sim *sim)
{
	scenario_cluster(sim, 2);
	scenario_cut(sim, "1", "2");
	scenario_expect_ring(sim, "1", 1000);
	scenario_expect_ring(sim, "2", 1000);
	scenario_rule(sim,
	    &(struct scenario_rule){ .kind = TOTEM_PACKET_JOIN, .from = 2 });
	scenario_join(sim, "1", "2");
	scenario_run_ms(sim, 5000);
	uint64_t gathers = scenario_count(sim, 1, TOTEM_COUNT_GATHERS);
	scenario_run_ms(sim, 5000);
	scenario_expect(sim,
	    scenario_count(sim, 1, TOTEM_COUNT_GATHERS) <= gathers + 2,
	    "it tries too often");
	scenario_rules_end(sim);
	scenario_expect_ring(sim, "12", 15000);
	scenario_end(sim);
}

/* Two of five go deaf, and accuse three who hear each other. */
static void
scenario_the_deaf_accuse(struct sim *sim)
{
	scenario_cluster(sim, 5);
	uint64_t views = scenario_views(sim, 3);
	scenario_cut_oneway(sim, "345", "12");
	scenario_expect_ring(sim, "345", 400);
	scenario_expect(
	    sim, scenario_views(sim, 3) == views + 1, "the three part");
	scenario_expect(
	    sim, scenario_views(sim, 5) == views + 1, "the three part");
	scenario_end(sim);
}

/* A newcomer has given up one of two, for it never answered, and asks only
 * the other, again and again: the two stay together. */
static void
scenario_one_of_two_is_asked(struct sim *sim)
{
	scenario_world(sim, 3);
	scenario_start(sim, "12");
	scenario_expect_ring(sim, "12", 2000);
	scenario_rule(sim,
	    &(struct scenario_rule){
		.kind = TOTEM_PACKET_JOIN, .from = 2, .to = 3 });
	scenario_rule(sim,
	    &(struct scenario_rule){
		.kind = TOTEM_PACKET_JOIN, .from = 1, .to = 3, .skip = 1 });
	scenario_rule(sim,
	    &(struct scenario_rule){ .kind = TOTEM_PACKET_COMMIT, .to = 3 });
	scenario_start(sim, "3");
	scenario_expect_state(sim, 1, TOTEM_STATE_GATHER, 1000);
	scenario_expect_ring(sim, "12", 1000);
	uint64_t views = scenario_views(sim, 1);
	scenario_run_ms(sim, 400);
	scenario_expect(sim, scenario_views(sim, 1) == views, "the two part");
	scenario_rules_end(sim);
	scenario_end(sim);
}

/* JOINs that came while it stood still are of one who has gone on since, and
 * says so: it waits for no COMMIT. */
static void
scenario_36_joins_of_who_went_on(struct sim *sim)
{
	scenario_cluster(sim, 2);
	scenario_pause(sim, "2");
	scenario_expect_ring(sim, "1", 1000);
	scenario_run_ms(sim, 300);
	scenario_resume(sim, "2");
	scenario_expect_ring(sim, "2", 20);
	scenario_end(sim);
}

/* Who is given up while it agrees is told, and waits for no COMMIT. */
static void
scenario_given_up_is_told(struct sim *sim)
{
	scenario_cluster(sim, 2);
	scenario_rule(
	    sim, &(struct scenario_rule){ .kind = TOTEM_PACKET_TOKEN });
	scenario_rule(sim,
	    &(struct scenario_rule){ .kind = TOTEM_PACKET_JOIN, .from = 2 });
	scenario_expect_state(sim, 2, TOTEM_STATE_GATHER, 1000);
	scenario_expect_state(sim, 1, TOTEM_STATE_GATHER, 100);
	scenario_expect_ring(sim, "1", 400);
	scenario_expect_ring(sim, "2", 20);
	scenario_end(sim);
}

/* JOINs that exclude a node arrive when it lives again: they speak of its
 * former life, and it takes no offence. */
static void
scenario_accusation_of_the_former_life(struct sim *sim)
{
	struct sim_options opt;

	scenario_options(&opt, 3);
	opt.config.merge_hold_down_ns = 1500 * MS;
	scenario_world_with(sim, &opt);
	scenario_start(sim, "123");
	scenario_expect_ring(sim, "123", 2000);
	scenario_send(sim, "1", 3, 100, TOTEM_AGREED);
	scenario_expect_delivered(sim, "123", 3, 100);
	scenario_rule(sim,
	    &(struct scenario_rule){ .kind = TOTEM_PACKET_JOIN, .from = 3 });
	send_bad_token(sim);
	scenario_expect_state(sim, 1, TOTEM_STATE_GATHER, 1000);
	scenario_rule(sim,
	    &(struct scenario_rule){ .action = SCENARIO_COPY,
		.kind = TOTEM_PACKET_JOIN,
		.from = 1,
		.to = 3 });
	scenario_expect_ring(sim, "12", 400);
	scenario_rules_end(sim);
	scenario_crash(sim, "3");
	scenario_start(sim, "3");
	scenario_release(sim);
	scenario_expect_ring(sim, "123", 200);
	scenario_end(sim);
}

/* Two merges at once: of three pairs, the cuts heal within milliseconds. */
static void
scenario_34_merge_while_merging(struct sim *sim)
{
	for (uint64_t gap_us = 0; gap_us < 20000; gap_us += 1700) {
		scenario_cluster(sim, 6);
		scenario_cut(sim, "12", "3456");
		scenario_cut(sim, "34", "56");
		scenario_expect_ring(sim, "12", 4000);
		scenario_expect_ring(sim, "34", 4000);
		scenario_expect_ring(sim, "56", 4000);
		scenario_load(sim, 3000, 200);
		scenario_join(sim, "12", "3456");
		scenario_run_us(sim, gap_us);
		scenario_join(sim, "34", "56");
		scenario_expect_ring(sim, "123456", 8000);
		scenario_end(sim);
		if (sim_has_failed(sim))
			return;
	}
}

/* A ring that never rests finds the node that was cut off. */
static void
scenario_35_busy_ring_merges(struct sim *sim)
{
	scenario_cluster(sim, 3);
	scenario_load(sim, 300, 800);
	scenario_cut(sim, "3", "12");
	scenario_expect_ring(sim, "12", 3000);
	scenario_expect_ring(sim, "3", 3000);
	scenario_run_ms(sim, 300);
	scenario_join(sim, "3", "12");
	scenario_expect_ring(sim, "123", 3000);
	scenario_end(sim);
}

/* Stops of all lengths: the others go on, and it comes back. */
static void
scenario_36_process_pause(struct sim *sim)
{
	static const uint64_t spans_ms[] = { 1, 10, 30, 60, 100, 200, 350, 600,
		1000, 1500, 3000, 10000 };

	for (size_t i = 0; i < ARRAY_COUNT(spans_ms); i++) {
		scenario_cluster(sim, 3);
		scenario_load(sim, 5000, 500);
		scenario_run_ms(sim, 20);
		scenario_pause(sim, "2");
		scenario_run_ms(sim, spans_ms[i]);
		scenario_resume(sim, "2");
		scenario_expect_ring(sim, "123", 5000);
		scenario_end(sim);
		if (sim_has_failed(sim))
			return;
	}
}

/* The host of all of them stops, as a machine does that is moved. */
static void
scenario_36_common_pause_is_calm(struct sim *sim)
{
	scenario_cluster(sim, 3);
	scenario_run_ms(sim, 300);
	scenario_pause(sim, "123");
	scenario_expect_calm(sim, 230);
	scenario_resume(sim, "123");
	scenario_expect_calm(sim, 500);
	scenario_end(sim);
}

/* A short stop changes nothing. */
static void
scenario_36_short_pause_is_calm(struct sim *sim)
{
	scenario_cluster(sim, 3);
	scenario_load(sim, 5000, 500);
	scenario_run_ms(sim, 300);
	scenario_pause(sim, "2");
	scenario_expect_calm(sim, 20);
	scenario_resume(sim, "2");
	scenario_expect_calm(sim, 500);
	scenario_end(sim);
}

/* All start within 50 ms: one ring comes of it, not two that then merge. */
static void
scenario_43_start_up_race(struct sim *sim)
{
	struct sim_options opt;

	for (uint32_t seed = 1; seed <= 60; seed++) {
		scenario_options(&opt, 3);
		opt.seed = seed;
		opt.start_skew_ns = (uint32_t)(seed * MS);
		scenario_world_with(sim, &opt);
		scenario_start(sim, "1");
		scenario_run_us(sim, rng_below(&sim->rng, seed * 500));
		scenario_start(sim, "2");
		scenario_run_us(sim, rng_below(&sim->rng, seed * 500));
		scenario_start(sim, "3");
		scenario_expect_ring(sim, "123", 20);
		scenario_end(sim);
		if (sim_has_failed(sim))
			return;
	}
}

/* P17 as the design says it: the survivors are rid of a dead process within
 * 20 ms of proof, of a dead host 25 ms after its silence tells. */
static void
scenario_death_is_noticed_in_time(struct sim *sim)
{
	static const char *const nodes[] = { "1", "2", "3", "4", "5" };

	for (size_t i = 0; i < ARRAY_COUNT(nodes); i++) {
		const struct sim_node *other;
		for (int is_proven = 0; is_proven <= 1; is_proven++) {
			scenario_cluster(sim, 5);
			scenario_load(sim, 1000, 500);
			scenario_run_ms(sim, 500 + 3 * i);
			other = scenario_node(sim, i == 0 ? 2 : 1);
			sim_watch_miss_within(sim,
			    is_proven ? 20 * MS
				      : sim_inside_dead_after_ns(
					    other->core, (uint32_t)i) +
				    25 * MS);
			if (is_proven)
				scenario_crash_proven(sim, nodes[i]);
			else
				scenario_crash(sim, nodes[i]);
			scenario_end(sim);
		}
	}
}

/* Bytes that are no packet of ours are counted, and that is all. */
static void
scenario_44_another_version(struct sim *sim)
{
	static const uint8_t alien[] = { 200, 1, 2, 3, 4, 5, 6, 7 };
	struct totem_input in = { .kind = TOTEM_IN_PACKET };

	scenario_cluster(sim, 3);
	uint64_t before = scenario_count(sim, 1, TOTEM_COUNT_PACKETS_MALFORMED);
	in.packet.node = 2;
	in.packet.incarnation = scenario_node(sim, 2)->incarnation;
	in.packet.bytes = alien;
	for (in.packet.len = 0; in.packet.len <= sizeof(alien); in.packet.len++)
		sim_node_input(sim, scenario_node(sim, 1), &in);
	scenario_expect(sim,
	    scenario_count(sim, 1, TOTEM_COUNT_PACKETS_MALFORMED) ==
		before + sizeof(alien) + 1,
	    "malformed packets are not counted");
	scenario_expect_calm(sim, 300);
	scenario_end(sim);
}

int
main(int argc, char **argv)
{
	static const struct scenario list[] = {
		SCENARIO(scenario_01_ring_id_reuse),
		SCENARIO(scenario_03_restart_before_timeout),
		SCENARIO(scenario_03_restart_before_timeout_without_disk),
		SCENARIO(scenario_04_stale_join),
		SCENARIO(scenario_05_join_in_operational),
		SCENARIO(scenario_07_commit_of_the_last_attempt),
		SCENARIO(scenario_09_members_are_sorted),
		SCENARIO(scenario_10_leave_under_load),
		SCENARIO(scenario_10_leave_during_a_pause),
		SCENARIO(scenario_11_failed_to_receive),
		SCENARIO(scenario_11_kept_out_waits_to_be_invited),
		SCENARIO(scenario_11_kept_out_for_no_longer_than_told),
		SCENARIO(scenario_11_the_one_keeps_the_other_out),
		SCENARIO(scenario_11_the_kept_out_wins_nobody),
		SCENARIO(scenario_11_who_keeps_out_is_left_alone),
		SCENARIO(scenario_merge_in_vain),
		SCENARIO(scenario_merge_always_in_vain),
		SCENARIO(scenario_the_deaf_accuse),
		SCENARIO(scenario_one_of_two_is_asked),
		SCENARIO(scenario_36_joins_of_who_went_on),
		SCENARIO(scenario_given_up_is_told),
		SCENARIO(scenario_accusation_of_the_former_life),
		SCENARIO(scenario_34_merge_while_merging),
		SCENARIO(scenario_35_busy_ring_merges),
		SCENARIO(scenario_36_process_pause),
		SCENARIO(scenario_36_common_pause_is_calm),
		SCENARIO(scenario_36_short_pause_is_calm),
		SCENARIO(scenario_43_start_up_race),
		SCENARIO(scenario_death_is_noticed_in_time),
		SCENARIO(scenario_44_another_version),
	};

	(void)argc;
	return scenario_main(argv, list, ARRAY_COUNT(list));
}
