/* SPDX-License-Identifier: BSD-3-Clause */
/* Whom a net refuses, and what that costs the others: nothing. */
#include <sys/socket.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/rng.h"
#include "libcommon/base/text.h"
#include "libcommon/os/log.h"

#include "bin/ringd/ringd_net.h"
#include "tests/unit/check.h"
#include "tests/unit/nets.h"

/* Node 1 is configured wrongly: nobody believes it, it believes nobody. */
static void
check_outcast(enum session_refusal at_others, enum session_refusal at_itself)
{
	nets_start_all();
	nets_send(0, 6, 1, 100);
	nets_settle();

	CHECK(!nets_believes(0, 1));
	CHECK(!nets_believes(1, 0));
	CHECK(nets_believes(0, 2));
	CHECK(nets_refused(0, at_others) > 0);
	CHECK(nets_refused(1, at_itself) > 0);
	CHECK_EQ(nets_nodes[1].packet_count, 0);
	CHECK_EQ(nets_nodes[2].packet_count, 1);
	nets_stop_all();
}

static void
test_ringd_net_other_cluster_is_refused(void)
{
	nets_configure(1);
	nets_configs[1].cluster = "other";
	check_outcast(SESSION_REFUSED_CLUSTER, SESSION_REFUSED_CLUSTER);
}

static void
test_ringd_net_other_key_is_refused(void)
{
	nets_configure(1);
	nets_keys[1].key[0][31] ^= 1;
	check_outcast(SESSION_REFUSED_TAG, SESSION_REFUSED_TAG);
}

static void
test_ringd_net_other_key_id_is_refused(void)
{
	nets_configure(1);
	nets_keys[1].id[0] = 2;
	check_outcast(SESSION_REFUSED_KEY_ID, SESSION_REFUSED_KEY_ID);
}

static void
test_ringd_net_refusal_is_logged_with_its_address(void)
{
	char line[1024] = "", want[128], addr[UDP_ADDR_TEXT_BYTES];
	struct text text;
	int pipes[2];
	ssize_t n;

	nets_configure(1);
	nets_keys[1].id[0] = 2;
	if (!CHECK_EQ(pipe(pipes), 0))
		return;
	log_open(pipes[1], LOG_LEVEL_WARNING);
	nets_start(0);
	nets_start(1);
	nets_run(30);
	log_open(nets_nowhere, LOG_LEVEL_ERROR);
	close(pipes[1]);
	n = read(pipes[0], line, sizeof line - 1);
	CHECK(n > 0);
	close(pipes[0]);

	text_init(&text, addr, sizeof addr);
	udp_addr_text(&nets_configs[0].addr[1][0], &text);
	snprintf(want, sizeof want,
	    "datagram-refused reason=key-id from=%s link=0 total=1 ", addr);
	if (CHECK(strstr(line, want) != NULL)) /* and then not again */
		CHECK(strstr(strstr(line, want) + 1, want) == NULL);
	CHECK(nets_refused(0, SESSION_REFUSED_KEY_ID) > 1);
	nets_stop_all();
}

static void
test_ringd_net_new_key_works_where_the_old_one_is_still_active(void)
{
	nets_configure(1);
	for (uint32_t i = 0; i < NETS_NODES; i++) {
		nets_keys[i].count = 2;
		nets_keys[i].id[1] = 2;
		memset(nets_keys[i].key[1], 0xa5, BOX_KEY_BYTES);
	}
	nets_keys[1].id[0] = 2; /* node 1 still seals with key 1 */
	nets_keys[1].id[1] = 1;
	memset(nets_keys[1].key[0], 0xa5, BOX_KEY_BYTES);
	memset(nets_keys[1].key[1], 0x5a, BOX_KEY_BYTES);
	nets_start_all();

	nets_send(0, 6, 1, 100);
	nets_send(1, 5, 2, 100);
	nets_settle();

	for (uint32_t i = 0; i < NETS_NODES; i++)
		CHECK_EQ(nets_nodes[i].packet_count, i == 2 ? 2 : 1);
	nets_stop_all();
}

/* A datagram that node 0 sends to all, as node 2's place hears it. */
static size_t
capture(uint8_t *bytes, size_t size)
{
	struct udp ear;
	ssize_t n = 0;

	nets_stop(2);
	CHECK_EQ(udp_open(&ear, &nets_configs[0].addr[2][0], 1 << 16), 0);
	nets_send(0, 6, 77, 100);
	nets_settle();
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
	const union udp_addr *to = &nets_configs[0].addr[at][0];

	CHECK_EQ(sendto(ringd_net_fd(nets_nodes[from].net, 0), bytes, len, 0,
		     &to->any, sizeof to->v4),
	    len);
}

static void
test_ringd_net_captured_datagram_is_taken_once_and_only_from_its_sender(void)
{
	uint8_t bytes[2048];
	size_t len;

	nets_configure(1);
	nets_start_all();
	len = capture(bytes, sizeof bytes);
	CHECK_EQ(nets_nodes[1].packet_count, 1);
	CHECK_EQ(nets_packet_no(1, 0), 77);

	throw_at(0, 1, bytes, len);
	nets_settle();
	CHECK_EQ(nets_refused(1, SESSION_REFUSED_REPLAY), 1);

	/* Node 1's own address is not node 0's. */
	throw_at(1, 1, bytes, len);
	nets_settle();
	CHECK_EQ(nets_refused(1, SESSION_REFUSED_ADDRESS), 1);

	/* Every octet is authenticated. */
	for (size_t at = 0; at < len; at++) {
		bytes[at] ^= 1;
		throw_at(0, 1, bytes, len);
		bytes[at] ^= 1;
		nets_turn(1);
	}
	CHECK_EQ(nets_nodes[1].packet_count, 1);

	/* A later life of node 1 does not take it either. */
	nets_stop(1);
	nets_configs[1].incarnation++;
	nets_start(1);
	throw_at(0, 1, bytes, len);
	nets_run(3);
	CHECK(nets_believes(1, 0));
	throw_at(0, 1, bytes, len);
	nets_settle();
	CHECK_EQ(nets_nodes[1].packet_count, 0);
	nets_stop_all();
}

/* Key 2 beside key 1, sealing or not, as an install and a switch leave it. */
static void
give_second_key(uint32_t i, bool is_active)
{
	struct box_keyring *keys = &nets_keys[i];
	uint32_t at = is_active ? 1 : 0;

	keys->count = 2;
	keys->id[at] = 2;
	keys->id[1 - at] = 1;
	memset(keys->key[at], 0xa5, BOX_KEY_BYTES);
	memset(keys->key[1 - at], 0x5a, BOX_KEY_BYTES);
}

/* All keep believing each other; what was recorded before is worth nothing,
 * also for who remembers nothing. */
static void
test_ringd_net_rotation_ends_what_was_recorded(void)
{
	struct box_keyring first;
	struct ringd_net_peer peer;
	uint8_t bytes[2048];
	size_t len;

	nets_configure(1);
	first = nets_keys[1];
	nets_start_all();
	len = capture(bytes, sizeof bytes);
	nets_configs[2].incarnation++;
	nets_start(2);
	nets_run(5);
	for (uint32_t i = 0; i < NETS_NODES; i++)
		give_second_key(i, false);
	for (uint32_t i = 0; i < NETS_NODES; i++) {
		give_second_key(i, true);
		ringd_net_rekey(nets_nodes[i].net, nets_now_ns);
		nets_run(5);
	}
	for (uint32_t i = 1; i < NETS_NODES; i++) {
		CHECK(ringd_net_peer(nets_nodes[0].net,
		    nets_configs[0].nodes[i], nets_now_ns, &peer));
		CHECK(peer.session.is_believed);
		CHECK_EQ(peer.session.key_id, 2);
	}
	for (uint32_t i = 0; i < NETS_NODES; i++) {
		nets_keys[i].count = 1;
		nets_keys[i].id[0] = 2;
		memset(nets_keys[i].key[0], 0xa5, BOX_KEY_BYTES);
	}
	uint64_t refused = nets_refused(1, SESSION_REFUSED_SESSION);
	throw_at(0, 1, bytes, len);
	nets_run(3);
	CHECK_EQ(nets_refused(1, SESSION_REFUSED_SESSION), refused + 1);
	CHECK(nets_believes(1, 0));
	nets_send(0, 6, 5, 100);
	nets_settle();
	CHECK_EQ(nets_nodes[1].packet_count, 2); /* 77, and this */
	CHECK_EQ(nets_packet_no(1, 1), 5);

	nets_stop(1);
	nets_configs[1].incarnation++;
	nets_start(1);
	throw_at(0, 1, bytes, len);
	nets_run(5);
	throw_at(0, 1, bytes, len);
	nets_run(5);
	CHECK_EQ(nets_nodes[1].packet_count, 0);
	CHECK(nets_believes(1, 0) && nets_believes(0, 1));

	/* Who still comes with the old key only is nobody. */
	nets_stop(2);
	nets_keys[2] = first;
	nets_configs[2].incarnation++;
	nets_start(2);
	nets_run(30);
	CHECK(nets_refused(0, SESSION_REFUSED_KEY_ID) > 0);
	CHECK_EQ(nets_nodes[2].packet_count, 0);
	nets_stop_all();
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

	nets_configure(1);
	nets_start_all();
	rng_init(&rng, 4);
	len = capture(bytes, sizeof bytes);
	for (int i = SESSION_OK + 1; i < SESSION_REFUSALS; i++)
		before += nets_refused(1, (enum session_refusal)i);
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
			nets_send(0, 2, i, 200);
			nets_run(2);
		}
	}
	nets_settle();
	for (int i = SESSION_OK + 1; i < SESSION_REFUSALS; i++)
		after += nets_refused(1, (enum session_refusal)i);

	CHECK_EQ(after - before, FLOOD);
	CHECK_EQ(nets_nodes[1].packet_count, 1 + FLOOD / 64 + 1);
	CHECK(nets_believes(1, 0));
	CHECK(nets_believes(0, 1));
	nets_stop_all();
}

static void
test_ringd_net_frame_longer_than_the_core_takes_is_refused(void)
{
	nets_configure(1);
	nets_configs[1].frame_bytes = 600;
	nets_start_all();
	nets_send(0, 6, 1, 601);
	nets_send(0, 6, 2, 600);
	nets_settle();

	CHECK_EQ(nets_nodes[1].packet_count, 1);
	CHECK_EQ(nets_refused(1, SESSION_REFUSED_MALFORMED), 1);
	CHECK_EQ(nets_nodes[2].packet_count, 2);
	nets_stop_all();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_ringd_net_other_cluster_is_refused),
		CHECK_TEST(test_ringd_net_other_key_is_refused),
		CHECK_TEST(test_ringd_net_other_key_id_is_refused),
		CHECK_TEST(test_ringd_net_refusal_is_logged_with_its_address),
		CHECK_TEST(
		    test_ringd_net_new_key_works_where_the_old_one_is_still_active),
		CHECK_TEST(test_ringd_net_rotation_ends_what_was_recorded),
		CHECK_TEST(
		    test_ringd_net_captured_datagram_is_taken_once_and_only_from_its_sender),
		CHECK_TEST(
		    test_ringd_net_flood_of_damage_is_counted_and_harmless),
		CHECK_TEST(
		    test_ringd_net_frame_longer_than_the_core_takes_is_refused),
	};

	if (!nets_init())
		return 1;
	return CHECK_MAIN(argc, argv, tests);
}
