/* SPDX-License-Identifier: BSD-3-Clause */
/* The handshake and its attackers, told as stories of two or three nodes. */
#include <string.h>

#include "bin/ringd/session.h"
#include "tests/unit/check.h"
#include "tests/unit/handshake.h"

#define MS ((uint64_t)1000000)

static struct handshake h;

/* Nodes 1 and 2 believe each other; node 3 was never started. */
static void
two_nodes_that_believe_each_other(void)
{
	handshake_init(&h, 1);
	handshake_boot(&h, 0);
	handshake_boot(&h, 1);
	handshake_run(&h, 2 * MS);
	CHECK(handshake_believes(&h, 0, 1));
	CHECK(handshake_believes(&h, 1, 0));
	handshake_run(&h, 20 * MS);
	text_init(&h.story, h.story_bytes, sizeof h.story_bytes);
}

static struct handshake_packet
first_flight_to(uint32_t to)
{
	for (uint32_t i = 0; i < h.flight_count; i++)
		if (h.flight[i].to == to)
			return handshake_take(&h, i);
	CHECK(to == HANDSHAKE_NODES); /* nothing is in flight */
	return (struct handshake_packet){ .to = to };
}

static void
land_all(void)
{
	h.flight_count = 0;
}

static void
test_session_handshake_is_three_datagrams(void)
{
	handshake_init(&h, 1);
	handshake_boot(&h, 1);
	handshake_run(&h, 5 * MS); /* greets those who are not there */
	land_all();
	text_init(&h.story, h.story_bytes, sizeof h.story_bytes);

	handshake_boot(&h, 0);
	handshake_run(&h, 1 * MS);

	CHECK_STR(h.story_bytes,
	    "1>2 challenge\n"
	    "1>3 challenge\n"
	    "2>1 challenge echo\n"
	    "1 believes 2\n"
	    "1>2 echo\n"
	    "2 believes 1\n");
}

static void
test_session_two_that_start_at_once_believe_in_a_millisecond(void)
{
	handshake_init(&h, 1);
	handshake_boot(&h, 0);
	handshake_boot(&h, 1);

	handshake_run(&h, 1 * MS);

	CHECK(handshake_believes(&h, 0, 1));
	CHECK(handshake_believes(&h, 1, 0));
}

static void
test_session_absent_peer_is_greeted_with_growing_gaps(void)
{
	static const uint64_t at_ms[] = { 0, 10, 30, 70, 150, 310, 630, 1270,
		2270, 3270 };
	uint64_t start_ns;
	size_t seen = 0;

	handshake_init(&h, 1);
	start_ns = h.now_ns;
	handshake_boot(&h, 0);
	for (; h.now_ns < start_ns + 4000 * MS; h.now_ns += MS) {
		handshake_tick(&h, 0);
		if (h.flight_count == 0)
			continue;
		CHECK_EQ(h.flight_count, 2); /* peers 2 and 3 */
		if (CHECK(seen < sizeof at_ms / sizeof at_ms[0]))
			CHECK_EQ((h.now_ns - start_ns) / MS, at_ms[seen]);
		seen++;
		land_all();
	}

	CHECK_EQ(seen, sizeof at_ms / sizeof at_ms[0]);
}

static void
test_session_data_is_taken_once(void)
{
	struct handshake_packet packet;

	two_nodes_that_believe_each_other();
	packet = handshake_data(&h, 0, 1);

	CHECK_EQ(handshake_arrive(&h, &packet), SESSION_OK);
	CHECK_EQ(handshake_arrive(&h, &packet), SESSION_REFUSED_REPLAY);
	CHECK_EQ(session_refused(h.nodes[1].s, 0, SESSION_REFUSED_REPLAY), 1);
}

static void
test_session_data_before_belief_brings_a_hello(void)
{
	struct handshake_packet packet;

	two_nodes_that_believe_each_other();
	handshake_boot(&h, 1); /* forgets node 1 */
	handshake_tick(&h, 1);
	land_all(); /* its greeting is lost */
	h.now_ns += 500 * MS;
	handshake_tick(&h, 1);
	land_all();
	packet = handshake_data(&h, 0, 1);
	land_all();

	CHECK_EQ(handshake_arrive(&h, &packet), SESSION_REFUSED_SESSION);
	handshake_run(&h, 25 * MS);

	CHECK(handshake_believes(&h, 1, 0));
	CHECK(handshake_believes(&h, 0, 1));
}

static void
test_session_data_sent_right_after_the_echo_is_taken(void)
{
	struct handshake_packet hello, data;

	handshake_init(&h, 1);
	handshake_boot(&h, 1);
	handshake_tick(&h, 1);
	land_all();
	handshake_boot(&h, 0);
	handshake_tick(&h, 0);
	hello = first_flight_to(1);
	(void)handshake_arrive(&h, &hello);
	hello = first_flight_to(0);
	(void)handshake_arrive(&h, &hello);
	hello = first_flight_to(1); /* the echo */
	data = handshake_data(&h, 0, 1);

	CHECK_EQ(handshake_arrive(&h, &hello), SESSION_OK);
	CHECK_EQ(handshake_arrive(&h, &data), SESSION_OK);
}

static void
test_session_restarted_peer_replaces_the_old_after_its_echo(void)
{
	struct handshake_packet old;

	two_nodes_that_believe_each_other();
	old = handshake_data(&h, 0, 1);
	land_all();
	handshake_boot(&h, 0);
	handshake_tick(&h, 0);
	first_flight_to(1);

	/* Its greeting alone changes nothing. */
	CHECK(!handshake_believes(&h, 1, 0));
	handshake_run(&h, 15 * MS);

	CHECK(handshake_believes(&h, 1, 0));
	CHECK_EQ(h.nodes[1].restarts_seen, 1);
	CHECK_EQ(handshake_arrive(&h, &old), SESSION_REFUSED_SESSION);
}

/* An attacker has everything that was ever sent and plays it again. */
static void
test_session_recording_convinces_no_rebooted_receiver(void)
{
	static struct handshake_packet recorded[HANDSHAKE_FLIGHT_MAX];
	uint32_t count = 0;

	handshake_init(&h, 1);
	handshake_boot(&h, 0);
	handshake_boot(&h, 1);
	for (uint32_t i = 0; i < 100; i++) {
		(void)handshake_data(&h, 0, 1);
		handshake_tick(&h, 0);
		handshake_tick(&h, 1);
		for (uint32_t n = h.flight_count; n > 0; n--) {
			recorded[count] = handshake_take(&h, 0);
			(void)handshake_arrive(&h, &recorded[count++]);
		}
		h.now_ns += MS;
	}
	CHECK(handshake_believes(&h, 1, 0));

	handshake_boot(&h, 1);
	h.nodes[0].s = NULL; /* node 1 is gone; only its recording speaks */
	for (uint32_t round = 0; round < 3; round++)
		for (uint32_t i = 0; i < count; i++) {
			struct session_peer_status status;

			if (recorded[i].to == 1)
				(void)handshake_arrive(&h, &recorded[i]);
			session_peer_status(h.nodes[1].s, 0, &status);
			CHECK(!status.is_believed);
			h.now_ns += MS;
			handshake_tick(&h, 1);
		}
}

static void
test_session_old_data_is_refused_by_a_rebooted_receiver(void)
{
	struct handshake_packet old, young;

	two_nodes_that_believe_each_other();
	old = handshake_data(&h, 0, 1);
	land_all();
	handshake_boot(&h, 1);
	handshake_run(&h, 5 * MS);
	CHECK(handshake_believes(&h, 1, 0)); /* the same session as before */
	young = handshake_data(&h, 0, 1);

	CHECK_EQ(handshake_arrive(&h, &old), SESSION_REFUSED_REPLAY);
	CHECK_EQ(handshake_arrive(&h, &young), SESSION_OK);
}

static void
test_session_late_echo_is_not_an_echo(void)
{
	struct handshake_packet hello, echo;

	handshake_init(&h, 1);
	handshake_boot(&h, 0);
	handshake_boot(&h, 1);
	handshake_tick(&h, 1);
	hello = first_flight_to(0);
	(void)handshake_arrive(&h, &hello);
	echo = first_flight_to(1);
	CHECK(echo.hello.echo != 0);

	h.now_ns += 1000 * MS; /* somebody held it back */
	CHECK_EQ(handshake_arrive(&h, &echo), SESSION_OK);

	CHECK(!handshake_believes(&h, 1, 0));
}

/* Runs until node 1 believes node 0; answers the HELLO that convinced it. */
static struct handshake_packet
convincing_hello(void)
{
	struct handshake_packet packet = { .to = HANDSHAKE_NODES };

	for (int i = 0; i < 1000 && !handshake_believes(&h, 1, 0); i++) {
		if (h.flight_count == 0) {
			h.now_ns += MS;
			handshake_tick(&h, 0);
			handshake_tick(&h, 1);
			continue;
		}
		packet = handshake_take(&h, 0);
		(void)handshake_arrive(&h, &packet);
	}
	CHECK(handshake_believes(&h, 1, 0));
	CHECK_EQ(packet.to, 1);
	CHECK(packet.hello.echo != 0);
	return packet;
}

/* A session that was replaced comes back with the echo it once had, while a
 * challenge of that time would not have expired. */
static void
test_session_echo_serves_once(void)
{
	struct handshake_packet old;

	handshake_init(&h, 1);
	handshake_boot(&h, 0);
	handshake_boot(&h, 1);
	old = convincing_hello();
	land_all();
	h.nodes[0].incarnation--; /* the same, under another session */
	handshake_boot(&h, 0);
	(void)convincing_hello();

	CHECK_EQ(handshake_arrive(&h, &old), SESSION_OK);
	CHECK(handshake_believes(&h, 1, 0));
}

static void
test_session_older_incarnation_is_refused(void)
{
	struct handshake_packet hello;

	two_nodes_that_believe_each_other();
	h.nodes[0].incarnation = 0;
	handshake_boot(&h, 0); /* the first incarnation again */
	handshake_run(&h, 5 * MS);
	CHECK(handshake_believes(&h, 1, 0)); /* equal: another session of it */

	h.nodes[0].incarnation = 6;
	handshake_boot(&h, 0);
	handshake_run(&h, 5 * MS);
	h.nodes[0].incarnation = 2;
	handshake_boot(&h, 0); /* incarnation 3 after 7 */
	land_all();
	handshake_tick(&h, 0);
	hello = first_flight_to(1);

	CHECK_EQ(handshake_arrive(&h, &hello), SESSION_REFUSED_INCARNATION);
	handshake_run(&h, 50 * MS);
	CHECK(!handshake_believes(&h, 1, 0));

	/* It learns what to be above. */
	CHECK_EQ(h.nodes[0].outlived_by, 7);
	h.nodes[0].incarnation = 7;
	handshake_boot(&h, 0);
	handshake_run(&h, 50 * MS);
	CHECK(handshake_believes(&h, 1, 0));
	CHECK_EQ(h.nodes[0].outlived_by, 0);
}

/* Recordings of a former life do not tell the present one to end, and what
 * that was told once is of no use later. */
static void
test_session_outlived_needs_a_fresh_echo(void)
{
	struct handshake_packet hello, told;

	two_nodes_that_believe_each_other();
	h.nodes[0].incarnation = 6;
	handshake_boot(&h, 0);
	handshake_run(&h, 5 * MS);
	h.nodes[0].incarnation = 2;
	handshake_boot(&h, 0);
	land_all();
	handshake_tick(&h, 0);
	hello = first_flight_to(1);
	CHECK_EQ(handshake_arrive(&h, &hello), SESSION_REFUSED_INCARNATION);
	told = first_flight_to(0);
	CHECK_EQ(told.hello.outlived, 7);
	CHECK_EQ(told.hello.echo, hello.hello.challenge);

	h.nodes[0].incarnation = 4;
	handshake_boot(&h, 0); /* another that is too old */
	handshake_tick(&h, 0);
	(void)handshake_arrive(&h, &told);
	CHECK_EQ(h.nodes[0].outlived_by, 0);

	h.nodes[0].incarnation = 7;
	handshake_boot(&h, 0);
	handshake_run(&h, 50 * MS);
	CHECK_EQ(handshake_arrive(&h, &hello), SESSION_REFUSED_INCARNATION);
	handshake_run(&h, 50 * MS);
	CHECK_EQ(h.nodes[0].outlived_by, 0);
	CHECK(handshake_believes(&h, 1, 0));
}

static void
test_session_sender_set_back_to_a_snapshot_learns_it(void)
{
	static struct handshake_node snapshot;

	two_nodes_that_believe_each_other();
	snapshot = h.nodes[0];
	for (int i = 0; i < 50; i++)
		(void)handshake_data(&h, 0, 1);
	handshake_run(&h, 2 * MS);
	CHECK(!h.nodes[0].is_rolled_back);

	memcpy(h.nodes[0].block, snapshot.block, sizeof snapshot.block);
	for (int i = 0; i < 8; i++)
		(void)handshake_data(&h, 0, 1);
	handshake_run(&h, 20 * MS);

	CHECK(h.nodes[0].is_rolled_back);
	CHECK(!h.nodes[1].is_rolled_back);
}

static void
test_session_silent_sender_set_back_learns_it_from_the_report(void)
{
	static struct handshake_node snapshot;

	two_nodes_that_believe_each_other();
	snapshot = h.nodes[0];
	for (int i = 0; i < 50; i++)
		(void)handshake_data(&h, 0, 1);
	handshake_run(&h, 2 * MS);
	memcpy(h.nodes[0].block, snapshot.block, sizeof snapshot.block);

	handshake_run(&h, 1100 * MS);

	CHECK(h.nodes[0].is_rolled_back);
}

static void
test_session_rekey_goes_on_under_another_session(void)
{
	uint64_t before;

	handshake_init(&h, 1);
	h.rekey_after = 40;
	handshake_boot(&h, 0);
	handshake_boot(&h, 1);
	handshake_run(&h, 5 * MS);
	before = session_self(h.nodes[0].s);
	for (int i = 0; i < 40; i++)
		(void)handshake_data(&h, 0, 1);
	handshake_run(&h, 1 * MS);

	handshake_run(&h, 5 * MS);

	CHECK(session_self(h.nodes[0].s) != before);
	CHECK(handshake_believes(&h, 1, 0));
	CHECK_EQ(h.nodes[1].restarts_seen, 0);
}

static void
test_session_cipher_is_one_that_all_believed_peers_have(void)
{
	handshake_init(&h, 1);
	h.ciphers[2] = 1;
	handshake_boot(&h, 0);
	handshake_boot(&h, 1);
	handshake_run(&h, 5 * MS);
	CHECK_EQ(handshake_data(&h, 0, 1).header.cipher, 2);

	handshake_boot(&h, 2);
	handshake_run(&h, 5 * MS);

	CHECK_EQ(handshake_data(&h, 0, 1).header.cipher, 1);
	CHECK_EQ(handshake_data(&h, 2, 1).header.cipher, 1);
}

/* What a flood brings about is bounded by time, not by the flood. */
static void
test_session_forged_data_brings_few_hellos(void)
{
	struct handshake_packet forged;
	uint32_t hellos = 0;

	two_nodes_that_believe_each_other();
	forged = handshake_data(&h, 0, 1);
	forged.header.session ^= 1;
	land_all();
	h.now_ns += 20000 * MS;
	handshake_tick(&h, 1);
	land_all();
	for (int i = 0; i < 10000; i++) {
		CHECK_EQ(
		    handshake_arrive(&h, &forged), SESSION_REFUSED_SESSION);
		handshake_tick(&h, 1);
		h.now_ns += MS / 10;
		for (; h.flight_count > 0; land_all())
			hellos++;
	}

	CHECK(hellos >= 2);
	CHECK(hellos <= 12); /* in one second */
}

static void
test_session_recorded_hellos_bring_few_answers(void)
{
	struct handshake_packet old;
	uint32_t answers = 0;

	two_nodes_that_believe_each_other();
	handshake_boot(&h, 0);
	handshake_tick(&h, 0);
	old = first_flight_to(1);
	handshake_boot(&h, 0);
	handshake_run(&h, 50 * MS);
	land_all();
	old.hello.incarnation = h.nodes[0].incarnation;
	for (int i = 0; i < 10000; i++) {
		(void)handshake_arrive(&h, &old);
		h.now_ns += MS / 10;
		answers += h.flight_count;
		land_all();
	}

	CHECK(answers >= 8);
	CHECK(answers <= 8 + 200 + 2); /* in one second */
}

/* While recordings eat up the answers, a restarted peer is let in. */
static void
test_session_restart_succeeds_under_a_replay_attack(void)
{
	struct handshake_packet old;

	two_nodes_that_believe_each_other();
	handshake_boot(&h, 0);
	handshake_tick(&h, 0);
	old = first_flight_to(1);
	handshake_boot(&h, 0);
	old.hello.incarnation = h.nodes[0].incarnation;
	for (int i = 0; i < 400; i++) {
		for (int j = 0; j < 20; j++)
			(void)handshake_arrive(&h, &old);
		handshake_run(&h, MS / 10);
	}

	CHECK(handshake_believes(&h, 0, 1));
	CHECK(handshake_believes(&h, 1, 0));
}

static void
test_session_find_tells_strangers_apart(void)
{
	struct session_header header;
	uint32_t peer;

	two_nodes_that_believe_each_other();
	header = handshake_data(&h, 0, 1).header;
	CHECK_EQ(session_find(h.nodes[1].s, &header, &peer), SESSION_OK);
	CHECK_EQ(peer, 0);
	header.dst = 2;
	CHECK_EQ(session_find(h.nodes[1].s, &header, &peer), SESSION_OK);
	header.dst = 3;
	CHECK_EQ(session_find(h.nodes[1].s, &header, &peer),
	    SESSION_REFUSED_DESTINATION);
	CHECK_EQ(peer, 0);
	header.sender = 4;
	CHECK_EQ(
	    session_find(h.nodes[1].s, &header, &peer), SESSION_REFUSED_NODE);
	CHECK_EQ(peer, SESSION_NO_PEER);
	header.sender = 2; /* itself */
	CHECK_EQ(
	    session_find(h.nodes[1].s, &header, &peer), SESSION_REFUSED_NODE);
	header.cluster_tag++;
	CHECK_EQ(session_find(h.nodes[1].s, &header, &peer),
	    SESSION_REFUSED_CLUSTER);
}

static void
test_session_cipher_this_machine_lacks_is_refused(void)
{
	struct handshake_packet packet;

	handshake_init(&h, 1);
	h.ciphers[1] = 1;
	handshake_boot(&h, 0);
	handshake_boot(&h, 1);
	handshake_run(&h, 5 * MS);
	packet = handshake_data(&h, 0, 1);
	packet.header.cipher = 2;

	CHECK_EQ(handshake_arrive(&h, &packet), SESSION_REFUSED_CIPHER);
}

static void
test_session_refusals_are_logged_once_in_a_while(void)
{
	struct session *s;

	two_nodes_that_believe_each_other();
	s = h.nodes[0].s;

	CHECK(session_refuse(s, 1, SESSION_REFUSED_TAG, h.now_ns));
	CHECK(!session_refuse(s, 1, SESSION_REFUSED_TAG, h.now_ns + MS));
	CHECK(session_refuse(
	    s, SESSION_NO_PEER, SESSION_REFUSED_CLUSTER, h.now_ns + MS));
	CHECK(session_refuse(
	    s, SESSION_NO_PEER, SESSION_REFUSED_TAG, h.now_ns + 10000 * MS));
	CHECK(!session_refuse(s, 1, SESSION_REFUSED_SESSION, h.now_ns));
	CHECK_EQ(session_refused(s, 1, SESSION_REFUSED_TAG), 2);
	CHECK_EQ(session_refused_total(s, SESSION_REFUSED_TAG), 3);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_session_handshake_is_three_datagrams),
		CHECK_TEST(
		    test_session_two_that_start_at_once_believe_in_a_millisecond),
		CHECK_TEST(
		    test_session_absent_peer_is_greeted_with_growing_gaps),
		CHECK_TEST(test_session_data_is_taken_once),
		CHECK_TEST(test_session_data_before_belief_brings_a_hello),
		CHECK_TEST(
		    test_session_data_sent_right_after_the_echo_is_taken),
		CHECK_TEST(
		    test_session_restarted_peer_replaces_the_old_after_its_echo),
		CHECK_TEST(
		    test_session_recording_convinces_no_rebooted_receiver),
		CHECK_TEST(
		    test_session_old_data_is_refused_by_a_rebooted_receiver),
		CHECK_TEST(test_session_late_echo_is_not_an_echo),
		CHECK_TEST(test_session_echo_serves_once),
		CHECK_TEST(test_session_older_incarnation_is_refused),
		CHECK_TEST(test_session_outlived_needs_a_fresh_echo),
		CHECK_TEST(
		    test_session_sender_set_back_to_a_snapshot_learns_it),
		CHECK_TEST(
		    test_session_silent_sender_set_back_learns_it_from_the_report),
		CHECK_TEST(test_session_rekey_goes_on_under_another_session),
		CHECK_TEST(
		    test_session_cipher_is_one_that_all_believed_peers_have),
		CHECK_TEST(test_session_forged_data_brings_few_hellos),
		CHECK_TEST(test_session_recorded_hellos_bring_few_answers),
		CHECK_TEST(test_session_restart_succeeds_under_a_replay_attack),
		CHECK_TEST(test_session_find_tells_strangers_apart),
		CHECK_TEST(test_session_cipher_this_machine_lacks_is_refused),
		CHECK_TEST(test_session_refusals_are_logged_once_in_a_while),
	};

	return CHECK_MAIN(argc, argv, tests);
}
