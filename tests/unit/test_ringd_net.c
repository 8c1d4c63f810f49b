/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Three nets in one process, on loopback addresses of their own, with a fake
 * core that records what it is fed.  Time is the test's; the sockets are real.
 */
#include <sys/socket.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/rng.h"
#include "libcommon/base/text.h"
#include "libcommon/os/box.h"
#include "libcommon/os/log.h"

#include "bin/ringd/ringd_net.h"
#include "bin/ringd/totem.h"
#include "tests/unit/check.h"

#define MS ((uint64_t)1000000)

enum {
	NODES = 3,
	FRAME = 1400,
	PACKETS_MAX = 2048,
	BLOCK_BYTES = 4 << 20,
};

struct packet {
	uint32_t node, link;
	uint64_t incarnation;
	size_t len;
	uint8_t first[8];
};

struct node {
	unsigned char *block;
	size_t block_bytes; /* used */
	struct ringd_net *net;
	uint8_t cell[FRAME];
	struct packet packets[PACKETS_MAX];
	uint32_t packet_count, idle_count;
	bool is_rolled_back;
};

static struct node nodes[NODES];
static struct ringd_net_config configs[NODES];
static struct box_keyring keys[NODES];
static uint64_t now_ns;
static int nowhere;         /* for the log */
static uint32_t first_link; /* those before it are cut */

/* ---- a world of three -------------------------------------------------- */

static uint8_t *
host_cell(void *arg)
{
	return ((struct node *)arg)->cell;
}

static void
host_step(void *arg, const struct totem_input *in)
{
	struct node *node = arg;
	struct packet *packet;

	if (in->kind == TOTEM_IN_IDLE) {
		node->idle_count++;
		return;
	}
	CHECK_EQ(in->kind, TOTEM_IN_PACKET);
	CHECK(in->packet.bytes == node->cell);
	if (!CHECK(node->packet_count < PACKETS_MAX))
		return;
	packet = &node->packets[node->packet_count++];
	*packet = (struct packet){ in->packet.node, in->packet.link,
		in->packet.incarnation, in->packet.len, { 0 } };
	memcpy(
	    packet->first, node->cell, in->packet.len < 8 ? in->packet.len : 8);
}

static void
host_rolled_back(void *arg)
{
	((struct node *)arg)->is_rolled_back = true;
}

/* 127.A.B.1 to .3, where A and B are this process's own; link 1 is .101 on. */
static void
configure(uint32_t i, uint32_t link_count)
{
	struct ringd_net_config *cfg = &configs[i];
	uint32_t pid = (uint32_t)getpid();
	char string[32];

	*cfg = (struct ringd_net_config){
		.self = 10 * (i + 1),
		.node_count = NODES,
		.link_count = link_count,
		.cluster = "test",
		.keys = &keys[i],
		.incarnation = 100 + i,
		.frame_bytes = FRAME,
		.host = { &nodes[i], host_cell, host_step, host_rolled_back },
	};
	for (uint32_t j = 0; j < NODES; j++) {
		cfg->nodes[j] = 10 * (j + 1);
		for (uint32_t link = 0; link < link_count; link++) {
			snprintf(string, sizeof string, "127.%u.%u.%u",
			    pid / 254 % 254 + 1, pid % 254 + 1,
			    j + 1 + 100 * link);
			CHECK_EQ(udp_addr_parse(&cfg->addr[j][link], string,
				     (uint16_t)(5410 + link)),
			    0);
		}
	}
	keys[i] = (struct box_keyring){ .count = 1, .id = { 1 } };
	memset(keys[i].key[0], 0x5a, BOX_KEY_BYTES);
}

static void
start(uint32_t i)
{
	struct node *node = &nodes[i];
	struct arena arena;
	struct text why;
	char bytes[128];

	arena_init(&arena, node->block, BLOCK_BYTES);
	node->net = ringd_net_create(&arena, &configs[i], now_ns);
	node->block_bytes = arena.used_bytes;
	node->packet_count = node->idle_count = 0;
	node->is_rolled_back = false;
	text_init(&why, bytes, sizeof bytes);
	if (!CHECK_EQ(ringd_net_open(node->net, &why), 0))
		printf("%s\n", bytes);
}

static void
turn(uint32_t i)
{
	struct ringd_net *net = nodes[i].net;

	for (uint32_t l = first_link; l < ringd_net_link_count(net); l++)
		ringd_net_readable(net, l, now_ns);
	if (ringd_net_deadline_ns(net) <= now_ns)
		ringd_net_deadline(net, now_ns);
	ringd_net_flush(net, now_ns);
}

/* Turns of a millisecond for all. */
static void
run(uint32_t turns)
{
	for (; turns > 0; turns--) {
		now_ns += MS;
		for (uint32_t i = 0; i < NODES; i++)
			if (nodes[i].net != NULL)
				turn(i);
	}
}

/* Until all that was sent has been read, a bounded batch a turn. */
static void
settle(void)
{
	run(10);
}

static void
stop(uint32_t i)
{
	if (nodes[i].net != NULL)
		ringd_net_close(nodes[i].net);
	nodes[i].net = NULL;
}

static void
stop_all(void)
{
	for (uint32_t i = 0; i < NODES; i++)
		stop(i);
}

static void
configure_all(uint32_t link_count)
{
	for (uint32_t i = 0; i < NODES; i++)
		configure(i, link_count);
}

static void
start_all(void)
{
	for (uint32_t i = 0; i < NODES; i++)
		start(i);
	run(10);
}

/* ---- sending and looking ----------------------------------------------- */

static uint8_t frame[FRAME];

/* Node i's core sends a frame of len octets numbered no to a set of places. */
static void
send_frame(uint32_t i, unsigned places, uint64_t no, size_t len)
{
	struct totem_nodes to = { 0 };
	struct totem_effect effect = { .kind = TOTEM_OUT_SEND };

	for (uint32_t j = 0; j < NODES; j++)
		if (places >> j & 1)
			to.id[to.count++] = configs[i].nodes[j];
	memcpy(frame, &no, sizeof no);
	effect.send.to = &to;
	effect.send.packet = TOTEM_PACKET_DATA;
	effect.send.bytes = frame;
	effect.send.len = len;
	ringd_net_send(nodes[i].net, &effect, now_ns);
	memset(frame, 0xee, sizeof no); /* borrowed no longer */
}

static uint64_t
packet_no(uint32_t i, uint32_t at)
{
	uint64_t no;

	memcpy(&no, nodes[i].packets[at].first, sizeof no);
	return no;
}

static uint64_t
refused(uint32_t i, enum session_refusal refusal)
{
	struct ringd_net_status status;

	ringd_net_status(nodes[i].net, &status);
	return status.refused[refusal];
}

static bool
believes(uint32_t i, uint32_t j)
{
	struct ringd_net_peer peer;

	CHECK(ringd_net_peer(nodes[i].net, 10 * (j + 1), now_ns, &peer));
	return peer.session.is_believed;
}

static void
test_ringd_net_three_nodes_believe_each_other_in_two_turns(void)
{
	configure_all(1);
	for (uint32_t i = 0; i < NODES; i++)
		start(i);
	run(2);

	for (uint32_t i = 0; i < NODES; i++)
		for (uint32_t j = 0; j < NODES; j++)
			if (i != j)
				CHECK(believes(i, j));
	stop_all();
}

/* Frames of one visit: to all, the last one shorter. */
static void
check_a_visit(bool is_segment_off)
{
	configure_all(1);
	configs[0].is_segment_off = is_segment_off;
	start_all();
	for (uint64_t no = 0; no < 100; no++)
		send_frame(0, 7, no, no == 99 ? 9 : FRAME);
	settle();

	for (uint32_t i = 1; i < NODES; i++) {
		CHECK_EQ(nodes[i].packet_count, 100);
		for (uint32_t at = 0; at < nodes[i].packet_count; at++) {
			CHECK_EQ(packet_no(i, at), at);
			CHECK_EQ(nodes[i].packets[at].node, 10);
			CHECK_EQ(nodes[i].packets[at].link, 0);
			CHECK_EQ(nodes[i].packets[at].incarnation, 100);
			CHECK_EQ(
			    nodes[i].packets[at].len, at == 99 ? 9 : FRAME);
		}
		CHECK(nodes[i].idle_count >= 1);
	}
	CHECK_EQ(nodes[0].packet_count, 0);
	stop_all();
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

static void
test_ringd_net_visit_is_one_system_call(void)
{
	uint64_t before;

	configure_all(1);
	start_all();
	before = ringd_net_udp(nodes[0].net, 0)->counters.send_calls;
	for (uint64_t no = 0; no < 32; no++)
		send_frame(0, 6, no, FRAME);
	settle();

	CHECK_EQ(
	    ringd_net_udp(nodes[0].net, 0)->counters.send_calls, before + 1);
	CHECK_EQ(nodes[2].packet_count, 32);
	stop_all();
}

static void
test_ringd_net_urgent_packet_is_sent_at_once(void)
{
	struct totem_nodes to = { .count = 1, .id = { 20 } };
	struct totem_effect effect = { .kind = TOTEM_OUT_SEND };

	configure_all(1);
	start_all();
	effect.send.to = &to;
	effect.send.packet = TOTEM_PACKET_TOKEN;
	effect.send.bytes = frame;
	effect.send.len = 60;
	effect.send.is_urgent = true;
	ringd_net_send(nodes[0].net, &effect, now_ns);
	turn(1); /* and node 1 has had no turn */

	CHECK_EQ(nodes[1].packet_count, 1);
	stop_all();
}

static void
test_ringd_net_order_survives_changing_lengths_and_destinations(void)
{
	static const size_t lens[] = { 100, 100, 50, 50, 100, 8, 8, 1400 };
	uint32_t seen[NODES] = { 0 };

	configure_all(1);
	start_all();
	for (uint64_t no = 0; no < 400; no++)
		send_frame(0, no % 3 == 0 ? 2 : 6, no, lens[no % 8]);
	settle();

	for (uint64_t no = 0; no < 400; no++) {
		CHECK_EQ(packet_no(1, seen[1]++), no);
		if (no % 3 != 0)
			CHECK_EQ(packet_no(2, seen[2]++), no);
	}
	CHECK_EQ(nodes[1].packet_count, seen[1]);
	CHECK_EQ(nodes[2].packet_count, seen[2]);
	stop_all();
}

static void
test_ringd_net_drop_cuts_one_direction_until_its_time(void)
{
	struct ringd_net_peer peer;

	configure_all(1);
	start_all();
	CHECK_EQ(
	    ringd_net_drop(nodes[0].net, 20, RINGD_NET_OUT, now_ns + 50 * MS),
	    0);
	CHECK(ringd_net_drop(nodes[0].net, 10, RINGD_NET_OUT, 1) < 0);
	CHECK(ringd_net_drop(nodes[0].net, 11, RINGD_NET_OUT, 1) < 0);
	send_frame(0, 6, 1, 100);
	send_frame(1, 5, 2, 100);
	settle();
	CHECK_EQ(nodes[1].packet_count, 0);
	CHECK_EQ(nodes[2].packet_count, 2);
	CHECK_EQ(nodes[0].packet_count, 1);
	CHECK(ringd_net_peer(nodes[0].net, 20, now_ns, &peer));
	CHECK_EQ(peer.links[0].filtered_out, 1);
	CHECK(peer.drop_out_until_ns > now_ns);
	CHECK_EQ(peer.drop_in_until_ns, 0);

	run(50);
	send_frame(0, 6, 3, 100);
	settle();
	CHECK_EQ(nodes[1].packet_count, 1);
	CHECK(ringd_net_peer(nodes[0].net, 20, now_ns, &peer));
	CHECK_EQ(peer.drop_out_until_ns, 0);

	CHECK_EQ(
	    ringd_net_drop(nodes[0].net, 20, RINGD_NET_BOTH, now_ns + 50 * MS),
	    0);
	CHECK_EQ(ringd_net_drop(nodes[0].net, 20, RINGD_NET_OUT, 0), 0);
	send_frame(0, 6, 4, 100);
	send_frame(1, 5, 5, 100);
	settle();
	CHECK_EQ(nodes[1].packet_count, 2);
	CHECK_EQ(nodes[0].packet_count, 1);
	CHECK(ringd_net_peer(nodes[0].net, 20, now_ns, &peer));
	CHECK_EQ(peer.links[0].filtered_in, 1);
	stop_all();
}

/* ---- who is refused ---------------------------------------------------- */

/* Node 1 is configured wrongly: nobody believes it, it believes nobody. */
static void
check_outcast(enum session_refusal at_others, enum session_refusal at_itself)
{
	start_all();
	send_frame(0, 6, 1, 100);
	settle();

	CHECK(!believes(0, 1));
	CHECK(!believes(1, 0));
	CHECK(believes(0, 2));
	CHECK(refused(0, at_others) > 0);
	CHECK(refused(1, at_itself) > 0);
	CHECK_EQ(nodes[1].packet_count, 0);
	CHECK_EQ(nodes[2].packet_count, 1);
	stop_all();
}

static void
test_ringd_net_other_cluster_is_refused(void)
{
	configure_all(1);
	configs[1].cluster = "other";
	check_outcast(SESSION_REFUSED_CLUSTER, SESSION_REFUSED_CLUSTER);
}

static void
test_ringd_net_other_key_is_refused(void)
{
	configure_all(1);
	keys[1].key[0][31] ^= 1;
	check_outcast(SESSION_REFUSED_TAG, SESSION_REFUSED_TAG);
}

static void
test_ringd_net_other_key_id_is_refused(void)
{
	configure_all(1);
	keys[1].id[0] = 2;
	check_outcast(SESSION_REFUSED_KEY_ID, SESSION_REFUSED_KEY_ID);
}

static void
test_ringd_net_refusal_is_logged_with_its_address(void)
{
	char line[1024] = "", want[128], addr[UDP_ADDR_TEXT_BYTES];
	struct text text;
	int pipes[2];
	ssize_t n;

	configure_all(1);
	keys[1].id[0] = 2;
	if (!CHECK_EQ(pipe(pipes), 0))
		return;
	log_open(pipes[1], LOG_LEVEL_WARNING);
	start(0);
	start(1);
	run(30);
	log_open(nowhere, LOG_LEVEL_ERROR);
	close(pipes[1]);
	n = read(pipes[0], line, sizeof line - 1);
	CHECK(n > 0);
	close(pipes[0]);

	text_init(&text, addr, sizeof addr);
	udp_addr_text(&configs[0].addr[1][0], &text);
	snprintf(want, sizeof want,
	    "datagram-refused reason=key-id from=%s link=0 total=1 ", addr);
	if (CHECK(strstr(line, want) != NULL)) /* and then not again */
		CHECK(strstr(strstr(line, want) + 1, want) == NULL);
	CHECK(refused(0, SESSION_REFUSED_KEY_ID) > 1);
	stop_all();
}

static void
test_ringd_net_new_key_works_where_the_old_one_is_still_active(void)
{
	configure_all(1);
	for (uint32_t i = 0; i < NODES; i++) {
		keys[i].count = 2;
		keys[i].id[1] = 2;
		memset(keys[i].key[1], 0xa5, BOX_KEY_BYTES);
	}
	keys[1].id[0] = 2; /* node 1 still seals with key 1 */
	keys[1].id[1] = 1;
	memset(keys[1].key[0], 0xa5, BOX_KEY_BYTES);
	memset(keys[1].key[1], 0x5a, BOX_KEY_BYTES);
	start_all();

	send_frame(0, 6, 1, 100);
	send_frame(1, 5, 2, 100);
	settle();

	for (uint32_t i = 0; i < NODES; i++)
		CHECK_EQ(nodes[i].packet_count, i == 2 ? 2 : 1);
	stop_all();
}

/* A datagram that node 0 sends to all, as node 2's place hears it. */
static size_t
capture(uint8_t *bytes, size_t size)
{
	struct udp ear;
	ssize_t n = 0;

	stop(2);
	CHECK_EQ(udp_open(&ear, &configs[0].addr[2][0], 1 << 16), 0);
	send_frame(0, 6, 77, 100);
	settle();
	while (n != SESSION_OVERHEAD_BYTES + 100) { /* not a HELLO */
		n = recv(ear.fd, bytes, size, MSG_DONTWAIT);
		if (!CHECK(n > 0))
			break;
	}
	udp_close(&ear);
	return n > 0 ? (size_t)n : 0;
}

static void
throw_at(uint32_t from, uint32_t at, const uint8_t *bytes, size_t len)
{
	const union udp_addr *to = &configs[0].addr[at][0];

	CHECK_EQ(sendto(ringd_net_fd(nodes[from].net, 0), bytes, len, 0,
		     &to->any, sizeof to->v4),
	    len);
}

static void
test_ringd_net_captured_datagram_is_taken_once_and_only_from_its_sender(void)
{
	uint8_t bytes[2048];
	size_t len;

	configure_all(1);
	start_all();
	len = capture(bytes, sizeof bytes);
	CHECK_EQ(nodes[1].packet_count, 1);
	CHECK_EQ(packet_no(1, 0), 77);

	throw_at(0, 1, bytes, len);
	settle();
	CHECK_EQ(refused(1, SESSION_REFUSED_REPLAY), 1);

	/* Node 1's own address is not node 0's. */
	throw_at(1, 1, bytes, len);
	settle();
	CHECK_EQ(refused(1, SESSION_REFUSED_ADDRESS), 1);

	/* Every octet is authenticated. */
	for (size_t at = 0; at < len; at++) {
		bytes[at] ^= 1;
		throw_at(0, 1, bytes, len);
		bytes[at] ^= 1;
		turn(1);
	}
	CHECK_EQ(nodes[1].packet_count, 1);

	/* A later life of node 1 does not take it either. */
	stop(1);
	configs[1].incarnation++;
	start(1);
	throw_at(0, 1, bytes, len);
	run(3);
	CHECK(believes(1, 0));
	throw_at(0, 1, bytes, len);
	settle();
	CHECK_EQ(nodes[1].packet_count, 0);
	stop_all();
}

/* Damaged and random datagrams from a known address: every one is counted,
 * none is taken, the ring's own go on. */
static void
test_ringd_net_flood_of_damage_is_counted_and_harmless(void)
{
	enum { FLOOD = 3000 };
	uint8_t bytes[2048];
	struct rng rng;
	size_t len;
	uint64_t before = 0, after = 0;

	configure_all(1);
	start_all();
	rng_init(&rng, 4);
	len = capture(bytes, sizeof bytes);
	for (int i = SESSION_OK + 1; i < SESSION_REFUSALS; i++)
		before += refused(1, (enum session_refusal)i);
	for (uint32_t i = 0; i < FLOOD; i++) {
		uint8_t damaged[2048];
		size_t cut = rng_below(&rng, 4) ? len : rng_below(&rng, len);

		memcpy(damaged, bytes, len);
		for (uint64_t n = rng_below(&rng, 4); n > 0; n--)
			damaged[rng_below(&rng, len)] = (uint8_t)rng_next(&rng);
		if (i % 5 == 0)
			for (size_t at = 1; at < len; at++)
				damaged[at] = (uint8_t)rng_next(&rng);
		throw_at(0, 1, damaged, cut);
		if (i % 64 == 0) {
			send_frame(0, 2, i, 200);
			run(2);
		}
	}
	settle();
	for (int i = SESSION_OK + 1; i < SESSION_REFUSALS; i++)
		after += refused(1, (enum session_refusal)i);

	CHECK_EQ(after - before, FLOOD);
	CHECK_EQ(nodes[1].packet_count, 1 + FLOOD / 64 + 1);
	CHECK(believes(1, 0));
	CHECK(believes(0, 1));
	stop_all();
}

static void
test_ringd_net_frame_longer_than_the_core_takes_is_refused(void)
{
	configure_all(1);
	configs[1].frame_bytes = 600;
	start_all();
	send_frame(0, 6, 1, 601);
	send_frame(0, 6, 2, 600);
	settle();

	CHECK_EQ(nodes[1].packet_count, 1);
	CHECK_EQ(refused(1, SESSION_REFUSED_MALFORMED), 1);
	CHECK_EQ(nodes[2].packet_count, 2);
	stop_all();
}

/* ---- ciphers, sessions, links ------------------------------------------ */

static void
test_ringd_net_node_without_aes_is_spoken_to_without_it(void)
{
	struct ringd_net_status status;

	configure_all(1);
	configs[2].is_plain_cipher = true;
	start_all();
	for (uint32_t i = 0; i < NODES; i++) {
		ringd_net_status(nodes[i].net, &status);
		CHECK_STR(status.cipher, "chacha20poly1305");
	}
	send_frame(0, 6, 1, 100);
	settle();
	CHECK_EQ(nodes[2].packet_count, 1);
	stop_all();

	configure_all(1);
	start_all();
	ringd_net_status(nodes[0].net, &status);
	if (box_ciphers() & BOX_AES256)
		CHECK_STR(status.cipher, "aes256gcm");
	stop_all();
}

static void
test_ringd_net_rekey_interrupts_for_a_moment_only(void)
{
	uint32_t before;

	configure_all(1);
	configs[0].rekey_after = 50;
	start_all();
	for (uint64_t no = 0; no < 2000; no++) {
		send_frame(0, 6, no, 100);
		run(1);
	}
	before = nodes[1].packet_count;
	settle();

	/* Forty sessions, each of which costs a few frames to begin. */
	CHECK(before > 1700);
	CHECK_EQ(nodes[1].packet_count, nodes[2].packet_count);
	CHECK_EQ(refused(1, SESSION_REFUSED_TAG), 0);
	stop_all();
}

static void
test_ringd_net_node_set_back_to_a_snapshot_falls_silent(void)
{
	unsigned char *snapshot = malloc(BLOCK_BYTES);
	uint32_t before;

	configure_all(1);
	start_all();
	memcpy(snapshot, nodes[0].block, nodes[0].block_bytes);
	for (uint64_t no = 0; no < 50; no++)
		send_frame(0, 6, no, 100);
	run(20);
	memcpy(nodes[0].block, snapshot, nodes[0].block_bytes);
	for (uint64_t no = 0; no < 8; no++)
		send_frame(0, 6, no, 100);
	run(30);

	CHECK(nodes[0].is_rolled_back);
	CHECK(!nodes[1].is_rolled_back);
	CHECK_EQ(nodes[1].packet_count, 50);
	before = nodes[1].packet_count;
	for (uint64_t no = 0; no < 100; no++)
		send_frame(0, 6, no, 100);
	run(10);
	CHECK_EQ(nodes[1].packet_count, before);
	free(snapshot);
	stop_all();
}

static void
test_ringd_net_control_takes_all_links_and_arrives_once(void)
{
	struct totem_nodes to = { .count = 2, .id = { 20, 30 } };
	struct totem_effect effect = { .kind = TOTEM_OUT_SEND };
	struct ringd_net_peer peer;
	uint64_t before[2], replays;

	configure_all(2);
	start_all();
	CHECK(ringd_net_peer(nodes[0].net, 20, now_ns, &peer));
	CHECK_EQ(peer.link, 0);
	replays = refused(1, SESSION_REFUSED_REPLAY);
	before[0] = peer.links[0].sent_packets;
	before[1] = peer.links[1].sent_packets;
	effect.send.to = &to;
	effect.send.packet = TOTEM_PACKET_HEARTBEAT;
	effect.send.bytes = frame;
	effect.send.len = 20;
	ringd_net_send(nodes[0].net, &effect, now_ns);
	send_frame(0, 6, 1, 100);
	settle();

	CHECK_EQ(nodes[1].packet_count, 2);
	CHECK_EQ(refused(1, SESSION_REFUSED_REPLAY), replays + 1);
	CHECK(ringd_net_peer(nodes[0].net, 20, now_ns, &peer));
	CHECK_EQ(peer.links[0].sent_packets, before[0] + 2);
	CHECK_EQ(peer.links[1].sent_packets, before[1] + 1);
	stop_all();
}

static void
test_ringd_net_data_moves_to_the_link_that_is_heard(void)
{
	struct totem_nodes to = { .count = 2, .id = { 20, 30 } };
	struct totem_effect effect = { .kind = TOTEM_OUT_SEND };

	configure_all(2);
	start_all();
	effect.send.to = &to;
	effect.send.packet = TOTEM_PACKET_HEARTBEAT;
	effect.send.bytes = frame;
	effect.send.len = 20;
	first_link = 1;
	for (int i = 0; i < 50; i++) {
		to.id[0] = 20;
		ringd_net_send(nodes[0].net, &effect, now_ns);
		to.id[0] = 10;
		ringd_net_send(nodes[1].net, &effect, now_ns);
		run(10);
	}
	nodes[1].packet_count = 0;
	send_frame(0, 2, 7, 100);
	settle();

	if (CHECK_EQ(nodes[1].packet_count, 1))
		CHECK_EQ(nodes[1].packets[0].link, 1);
	first_link = 0;
	stop_all();
}

static void
test_ringd_net_open_names_the_address_that_fails(void)
{
	char bytes[128], want[128], addr[UDP_ADDR_TEXT_BYTES];
	struct text why, text;
	struct udp squatter;
	struct arena arena;

	configure_all(2);
	CHECK_EQ(udp_open(&squatter, &configs[0].addr[0][1], 1 << 16), 0);
	arena_init(&arena, nodes[0].block, BLOCK_BYTES);
	nodes[0].net = ringd_net_create(&arena, &configs[0], now_ns);
	text_init(&why, bytes, sizeof bytes);
	CHECK(ringd_net_open(nodes[0].net, &why) < 0);
	CHECK_EQ(ringd_net_fd(nodes[0].net, 0), -1);

	text_init(&text, addr, sizeof addr);
	udp_addr_text(&configs[0].addr[0][1], &text);
	snprintf(want, sizeof want, "%s: Address already in use", addr);
	CHECK_STR(bytes, want);
	udp_close(&squatter);
	stop_all();
}

static void
test_ringd_net_difference_of_node_tables_is_seen(void)
{
	struct ringd_net_peer peer;

	configure_all(1);
	configs[1].addr[2][0].v4.sin_port ^= 1;
	start_all();
	CHECK(ringd_net_peer(nodes[0].net, 20, now_ns, &peer));
	CHECK(peer.session.is_table_different);
	CHECK(ringd_net_peer(nodes[0].net, 30, now_ns, &peer));
	CHECK(!peer.session.is_table_different);
	stop_all();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(
		    test_ringd_net_three_nodes_believe_each_other_in_two_turns),
		CHECK_TEST(test_ringd_net_visit_arrives_whole_and_in_order),
		CHECK_TEST(test_ringd_net_visit_arrives_without_segmentation),
		CHECK_TEST(test_ringd_net_visit_is_one_system_call),
		CHECK_TEST(test_ringd_net_urgent_packet_is_sent_at_once),
		CHECK_TEST(
		    test_ringd_net_order_survives_changing_lengths_and_destinations),
		CHECK_TEST(
		    test_ringd_net_drop_cuts_one_direction_until_its_time),
		CHECK_TEST(test_ringd_net_other_cluster_is_refused),
		CHECK_TEST(test_ringd_net_other_key_is_refused),
		CHECK_TEST(test_ringd_net_other_key_id_is_refused),
		CHECK_TEST(test_ringd_net_refusal_is_logged_with_its_address),
		CHECK_TEST(
		    test_ringd_net_new_key_works_where_the_old_one_is_still_active),
		CHECK_TEST(
		    test_ringd_net_captured_datagram_is_taken_once_and_only_from_its_sender),
		CHECK_TEST(
		    test_ringd_net_flood_of_damage_is_counted_and_harmless),
		CHECK_TEST(
		    test_ringd_net_frame_longer_than_the_core_takes_is_refused),
		CHECK_TEST(
		    test_ringd_net_node_without_aes_is_spoken_to_without_it),
		CHECK_TEST(test_ringd_net_rekey_interrupts_for_a_moment_only),
		CHECK_TEST(
		    test_ringd_net_node_set_back_to_a_snapshot_falls_silent),
		CHECK_TEST(
		    test_ringd_net_control_takes_all_links_and_arrives_once),
		CHECK_TEST(test_ringd_net_data_moves_to_the_link_that_is_heard),
		CHECK_TEST(test_ringd_net_open_names_the_address_that_fails),
		CHECK_TEST(test_ringd_net_difference_of_node_tables_is_seen),
	};

	if (box_init() != 0)
		return 1;
	nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	log_open(nowhere, LOG_LEVEL_ERROR);
	now_ns = 1000 * MS;
	for (uint32_t i = 0; i < NODES; i++) {
		nodes[i].block = aligned_alloc(64, BLOCK_BYTES);
		if (nodes[i].block == NULL)
			return 1;
	}
	return CHECK_MAIN(argc, argv, tests);
}
