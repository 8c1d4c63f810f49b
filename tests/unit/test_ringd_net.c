/* SPDX-License-Identifier: BSD-3-Clause */
/* What three nets carry: visits, filters, ciphers, sessions, links. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/text.h"

#include "bin/ringd/ringd_net.h"
#include "tests/unit/check.h"
#include "tests/unit/nets.h"

static void
test_ringd_net_three_nodes_believe_each_other_in_two_turns(void)
{
	nets_configure(1);
	for (uint32_t i = 0; i < NETS_NODES; i++)
		nets_start(i);
	nets_run(2);

	for (uint32_t i = 0; i < NETS_NODES; i++)
		for (uint32_t j = 0; j < NETS_NODES; j++)
			if (i != j)
				CHECK(nets_believes(i, j));
	nets_stop_all();
}

/* Frames of one visit: to all, the last one shorter. */
static void
check_a_visit(bool is_segment_off)
{
	nets_configure(1);
	nets_configs[0].is_segment_off = is_segment_off;
	nets_start_all();
	for (uint64_t no = 0; no < 100; no++)
		nets_send(0, 7, no, no == 99 ? 9 : NETS_FRAME);
	nets_settle();

	for (uint32_t i = 1; i < NETS_NODES; i++) {
		CHECK_EQ(nets_nodes[i].packet_count, 100);
		for (uint32_t at = 0; at < nets_nodes[i].packet_count; at++) {
			CHECK_EQ(nets_packet_no(i, at), at);
			CHECK_EQ(nets_nodes[i].packets[at].node, 10);
			CHECK_EQ(nets_nodes[i].packets[at].link, 0);
			CHECK_EQ(nets_nodes[i].packets[at].incarnation, 100);
			CHECK_EQ(nets_nodes[i].packets[at].len,
			    at == 99 ? 9 : NETS_FRAME);
		}
		CHECK(nets_nodes[i].idle_count >= 1);
	}
	CHECK_EQ(nets_nodes[0].packet_count, 0);
	nets_stop_all();
}

static void
test_ringd_net_visit_arrives_whole_and_in_order(void)
{
	check_a_visit(false);
}

static void
test_ringd_net_visit_arrives_without_segmentation(void)
{
	check_a_visit(true);
}

/* Until a socket is drained the core must not take what is missing for lost. */
static void
test_ringd_net_is_not_idle_while_a_socket_holds_more(void)
{
	struct nets_node *node = &nets_nodes[1];
	uint32_t idle, turns = 0;

	nets_configure(1);
	nets_configs[0].is_segment_off = true;
	nets_start_all();
	idle = node->idle_count;
	for (uint64_t no = 0; no < 200; no++)
		nets_send(0, 7, no, NETS_FRAME);
	ringd_net_flush(nets_nodes[0].net, nets_now_ns);
	while (node->packet_count < 200 && turns++ < 100) {
		CHECK_EQ(node->idle_count, idle);
		ringd_net_readable(node->net, 0, nets_now_ns);
		if (node->packet_count < 200) {
			/* A turn of the loop has two flushes. */
			ringd_net_flush(node->net, nets_now_ns);
			ringd_net_flush(node->net, nets_now_ns);
		}
	}
	CHECK(turns > 1);
	ringd_net_readable(node->net, 0, nets_now_ns);
	ringd_net_flush(node->net, nets_now_ns);
	CHECK_EQ(node->idle_count, idle + 1);
	nets_stop_all();
}

static void
test_ringd_net_visit_is_one_system_call(void)
{
	uint64_t before;

	nets_configure(1);
	nets_start_all();
	before = ringd_net_udp(nets_nodes[0].net, 0)->counters.send_calls;
	for (uint64_t no = 0; no < 32; no++)
		nets_send(0, 6, no, NETS_FRAME);
	ringd_net_flush(nets_nodes[0].net, nets_now_ns);

	CHECK_EQ(ringd_net_udp(nets_nodes[0].net, 0)->counters.send_calls,
	    before + 1);
	nets_settle();
	CHECK_EQ(nets_nodes[2].packet_count, 32);
	nets_stop_all();
}

static void
test_ringd_net_urgent_packet_is_sent_at_once(void)
{

	nets_configure(1);
	nets_start_all();
	nets_send_control(0, 2, true);
	nets_turn(1); /* and node 1 has had no turn */

	CHECK_EQ(nets_nodes[1].packet_count, 1);
	nets_stop_all();
}

static void
test_ringd_net_order_survives_changing_lengths_and_destinations(void)
{
	static const size_t lens[] = { 100, 100, 50, 50, 100, 8, 8, 1400 };
	uint32_t seen[NETS_NODES] = { 0 };

	nets_configure(1);
	nets_start_all();
	for (uint64_t no = 0; no < 400; no++)
		nets_send(0, no % 3 == 0 ? 2 : 6, no, lens[no % 8]);
	nets_settle();

	for (uint64_t no = 0; no < 400; no++) {
		CHECK_EQ(nets_packet_no(1, seen[1]++), no);
		if (no % 3 != 0)
			CHECK_EQ(nets_packet_no(2, seen[2]++), no);
	}
	CHECK_EQ(nets_nodes[1].packet_count, seen[1]);
	CHECK_EQ(nets_nodes[2].packet_count, seen[2]);
	nets_stop_all();
}

static void
test_ringd_net_drop_cuts_one_direction_until_its_time(void)
{
	struct ringd_net_peer peer;

	nets_configure(1);
	nets_start_all();
	CHECK_EQ(ringd_net_drop(nets_nodes[0].net, 20, RINGD_NET_OUT,
		     nets_now_ns + 50 * NETS_MS),
	    0);
	CHECK(ringd_net_drop(nets_nodes[0].net, 10, RINGD_NET_OUT, 1) < 0);
	CHECK(ringd_net_drop(nets_nodes[0].net, 11, RINGD_NET_OUT, 1) < 0);
	nets_send(0, 6, 1, 100);
	nets_send(1, 5, 2, 100);
	nets_settle();
	CHECK_EQ(nets_nodes[1].packet_count, 0);
	CHECK_EQ(nets_nodes[2].packet_count, 2);
	CHECK_EQ(nets_nodes[0].packet_count, 1);
	CHECK(ringd_net_peer(nets_nodes[0].net, 20, nets_now_ns, &peer));
	CHECK(peer.links[0].filtered_out >= 1);
	CHECK(peer.drop_out_until_ns > nets_now_ns);
	CHECK_EQ(peer.drop_in_until_ns, 0);

	nets_run(50);
	nets_send(0, 6, 3, 100);
	nets_settle();
	CHECK_EQ(nets_nodes[1].packet_count, 1);
	CHECK(ringd_net_peer(nets_nodes[0].net, 20, nets_now_ns, &peer));
	CHECK_EQ(peer.drop_out_until_ns, 0);

	CHECK_EQ(ringd_net_drop(nets_nodes[0].net, 20, RINGD_NET_BOTH,
		     nets_now_ns + 50 * NETS_MS),
	    0);
	CHECK_EQ(ringd_net_drop(nets_nodes[0].net, 20, RINGD_NET_OUT, 0), 0);
	nets_send(0, 6, 4, 100);
	nets_send(1, 5, 5, 100);
	nets_settle();
	CHECK_EQ(nets_nodes[1].packet_count, 2);
	CHECK_EQ(nets_nodes[0].packet_count, 1);
	CHECK(ringd_net_peer(nets_nodes[0].net, 20, nets_now_ns, &peer));
	CHECK_EQ(peer.links[0].filtered_in, 1);
	nets_stop_all();
}

/* ---- ciphers, sessions, links ------------------------------------------ */

static void
test_ringd_net_node_without_aes_is_spoken_to_without_it(void)
{
	struct ringd_net_status status;

	nets_configure(1);
	nets_configs[2].is_plain_cipher = true;
	nets_start_all();
	for (uint32_t i = 0; i < NETS_NODES; i++) {
		ringd_net_status(nets_nodes[i].net, &status);
		CHECK_STR(status.cipher, "chacha20poly1305");
	}
	nets_send(0, 6, 1, 100);
	nets_settle();
	CHECK_EQ(nets_nodes[2].packet_count, 1);
	nets_stop_all();

	nets_configure(1);
	nets_start_all();
	ringd_net_status(nets_nodes[0].net, &status);
	if (box_ciphers() & BOX_AES256)
		CHECK_STR(status.cipher, "aes256gcm");
	nets_stop_all();
}

static void
test_ringd_net_rekey_interrupts_for_a_moment_only(void)
{
	uint32_t before;

	nets_configure(1);
	nets_configs[0].rekey_after = 50;
	nets_start_all();
	for (uint64_t no = 0; no < 2000; no++) {
		nets_send(0, 6, no, 100);
		nets_run(1);
	}
	before = nets_nodes[1].packet_count;
	nets_settle();

	/* Forty sessions, each of which costs a few frames to begin. */
	CHECK(before > 1700);
	CHECK(nets_nodes[2].packet_count > 1700);
	CHECK_EQ(nets_refused(1, SESSION_REFUSED_TAG), 0);
	nets_stop_all();
}

static void
test_ringd_net_older_incarnation_is_told_the_later_one(void)
{
	nets_configure(1);
	nets_start_all();
	nets_stop(0);
	nets_configs[0].incarnation = 50;
	nets_start(0);
	nets_run(50);
	CHECK_EQ(nets_nodes[0].outlived_by, 100);
	CHECK_EQ(nets_nodes[1].outlived_by, 0);
	nets_stop_all();
}

static void
test_ringd_net_node_set_back_to_a_snapshot_falls_silent(void)
{
	unsigned char *snapshot = malloc(NETS_BLOCK_BYTES);
	uint32_t before;

	nets_configure(1);
	nets_start_all();
	memcpy(snapshot, nets_nodes[0].block, nets_nodes[0].block_bytes);
	for (uint64_t no = 0; no < 50; no++)
		nets_send(0, 6, no, 100);
	nets_run(20);
	memcpy(nets_nodes[0].block, snapshot, nets_nodes[0].block_bytes);
	for (uint64_t no = 0; no < 8; no++)
		nets_send(0, 6, no, 100);
	nets_run(30);

	CHECK(nets_nodes[0].is_rolled_back);
	CHECK(!nets_nodes[1].is_rolled_back);
	CHECK_EQ(nets_nodes[1].packet_count, 50);
	before = nets_nodes[1].packet_count;
	for (uint64_t no = 0; no < 100; no++)
		nets_send(0, 6, no, 100);
	nets_run(10);
	CHECK_EQ(nets_nodes[1].packet_count, before);

	/* As another incarnation it is welcome. */
	nets_stop(0);
	nets_configs[0].incarnation++;
	nets_start(0);
	nets_run(30);
	CHECK(nets_believes(1, 0) && nets_believes(0, 1));
	nets_send(0, 6, 7, 100);
	nets_settle();
	CHECK_EQ(nets_nodes[1].packet_count, before + 1);
	CHECK_EQ(nets_nodes[1].packets[before].incarnation,
	    nets_configs[0].incarnation);
	free(snapshot);
	nets_stop_all();
}

static void
test_ringd_net_control_takes_all_links_and_arrives_once(void)
{
	struct ringd_net_peer peer;
	uint64_t before[2], replays;

	nets_configure(2);
	nets_start_all();
	CHECK(ringd_net_peer(nets_nodes[0].net, 20, nets_now_ns, &peer));
	CHECK(peer.state[0].has_data && !peer.state[1].has_data);
	replays = nets_refused(1, SESSION_REFUSED_REPLAY);
	before[0] = peer.links[0].sent_packets;
	before[1] = peer.links[1].sent_packets;
	nets_send_control(0, 6, false);
	nets_send(0, 6, 1, 100);
	ringd_net_flush(nets_nodes[0].net, nets_now_ns);
	CHECK(ringd_net_peer(nets_nodes[0].net, 20, nets_now_ns, &peer));
	CHECK_EQ(peer.links[0].sent_packets, before[0] + 2);
	CHECK_EQ(peer.links[1].sent_packets, before[1] + 1);
	nets_settle();

	CHECK_EQ(nets_nodes[1].packet_count, 2);
	CHECK_EQ(nets_refused(1, SESSION_REFUSED_REPLAY), replays + 1);
	nets_stop_all();
}

static void
test_ringd_net_data_moves_to_the_link_that_is_heard(void)
{

	nets_configure(2);
	nets_start_all();
	nets_first_link = 1;
	for (int i = 0; i < 50; i++) {
		nets_send_control(0, 6, false);
		nets_send_control(1, 5, false);
		nets_run(10);
	}
	nets_nodes[1].packet_count = 0;
	nets_send(0, 2, 7, 100);
	nets_settle();

	if (CHECK_EQ(nets_nodes[1].packet_count, 1))
		CHECK_EQ(nets_nodes[1].packets[0].link, 1);
	nets_first_link = 0;
	nets_stop_all();
}

static void
test_ringd_net_open_names_the_address_that_fails(void)
{
	char bytes[128], want[128], addr[UDP_ADDR_TEXT_BYTES];
	struct text why, text;
	struct udp squatter;
	struct arena arena;

	nets_configure(2);
	CHECK_EQ(udp_open(&squatter, &nets_configs[0].addr[0][1], 1 << 16), 0);
	arena_init(&arena, nets_nodes[0].block, NETS_BLOCK_BYTES);
	nets_nodes[0].net =
	    ringd_net_create(&arena, &nets_configs[0], nets_now_ns);
	text_init(&why, bytes, sizeof bytes);
	CHECK(ringd_net_open(nets_nodes[0].net, &why) < 0);
	CHECK_EQ(ringd_net_fd(nets_nodes[0].net, 0), -1);

	text_init(&text, addr, sizeof addr);
	udp_addr_text(&nets_configs[0].addr[0][1], &text);
	snprintf(want, sizeof want, "%s: Address already in use", addr);
	CHECK_STR(bytes, want);
	udp_close(&squatter);
	nets_stop_all();
}

static void
test_ringd_net_difference_of_node_tables_is_seen(void)
{
	struct ringd_net_peer peer;

	nets_configure(1);
	nets_configs[1].addr[2][0].v4.sin_port ^= 1;
	nets_start_all();
	CHECK(ringd_net_peer(nets_nodes[0].net, 20, nets_now_ns, &peer));
	CHECK(peer.session.is_table_different);
	CHECK(ringd_net_peer(nets_nodes[0].net, 30, nets_now_ns, &peer));
	CHECK(!peer.session.is_table_different);
	nets_stop_all();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(
		    test_ringd_net_three_nodes_believe_each_other_in_two_turns),
		CHECK_TEST(test_ringd_net_visit_arrives_whole_and_in_order),
		CHECK_TEST(test_ringd_net_visit_arrives_without_segmentation),
		CHECK_TEST(
		    test_ringd_net_is_not_idle_while_a_socket_holds_more),
		CHECK_TEST(test_ringd_net_visit_is_one_system_call),
		CHECK_TEST(test_ringd_net_urgent_packet_is_sent_at_once),
		CHECK_TEST(
		    test_ringd_net_order_survives_changing_lengths_and_destinations),
		CHECK_TEST(
		    test_ringd_net_drop_cuts_one_direction_until_its_time),
		CHECK_TEST(
		    test_ringd_net_node_without_aes_is_spoken_to_without_it),
		CHECK_TEST(test_ringd_net_rekey_interrupts_for_a_moment_only),
		CHECK_TEST(
		    test_ringd_net_older_incarnation_is_told_the_later_one),
		CHECK_TEST(
		    test_ringd_net_node_set_back_to_a_snapshot_falls_silent),
		CHECK_TEST(
		    test_ringd_net_control_takes_all_links_and_arrives_once),
		CHECK_TEST(test_ringd_net_data_moves_to_the_link_that_is_heard),
		CHECK_TEST(test_ringd_net_open_names_the_address_that_fails),
		CHECK_TEST(test_ringd_net_difference_of_node_tables_is_seen),
	};

	if (!nets_init())
		return 1;
	return CHECK_MAIN(argc, argv, tests);
}
