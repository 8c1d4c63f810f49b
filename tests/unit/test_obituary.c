/* SPDX-License-Identifier: BSD-3-Clause */
/* What a supervisor says, to three nets that believe each other. */
#include <sys/socket.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/os/cluster.h"

#include "bin/ringd/obituary.h"
#include "bin/ringd/ringd_net.h"
#include "tests/unit/check.h"
#include "tests/unit/nets.h"

static struct cluster_conf conf;
static struct udp links[LIMIT_LINKS];
static struct obituary obituary;

/* The supervisor of node 0, which has that node's sockets. */
static void
supervise(void)
{
	const struct ringd_net_config *cfg = &nets_configs[0];

	conf.self = 0;
	snprintf(conf.cluster, sizeof conf.cluster, "%s", cfg->cluster);
	conf.node_count = cfg->node_count;
	conf.link_count = cfg->link_count;
	for (uint32_t i = 0; i < cfg->node_count; i++) {
		conf.nodes[i].id = cfg->nodes[i];
		memcpy(conf.nodes[i].link, cfg->addr[i], sizeof cfg->addr[i]);
	}
	for (uint32_t link = 0; link < cfg->link_count; link++)
		links[link] = *ringd_net_udp(nets_nodes[0].net, link);
	obituary_init(&obituary, &conf, &nets_keys[0], links);
}

static void
say_dead(uint64_t incarnation)
{
	struct session_obituary what = { incarnation, SESSION_DEATH_SIGNAL, 9 };

	obituary_send(&obituary, &what);
	nets_turn(1);
	nets_turn(2);
}

static void
test_obituary_is_believed_at_once_and_once(void)
{
	nets_configure(2);
	nets_start_all();
	supervise();
	say_dead(100);

	for (uint32_t i = 1; i < NETS_NODES; i++) {
		CHECK(!nets_believes(i, 0));
		CHECK_EQ(nets_nodes[i].proof_count, 1);
		CHECK_EQ(nets_nodes[i].proof_node, 10);
		CHECK_EQ(nets_nodes[i].proof_incarnation, 100);
		CHECK_EQ(nets_nodes[i].verdict, TOTEM_PEER_PROOF);
		/* Three copies on two links, one was believed. */
		CHECK_EQ(nets_refused(i, SESSION_REFUSED_SESSION), 5);
	}
	CHECK(nets_believes(1, 2));
	nets_stop_all();
}

static void
test_obituary_comes_through_when_one_link_works(void)
{
	nets_configure(2);
	nets_start_all();
	supervise();
	nets_first_link = 1;
	say_dead(100);
	nets_first_link = 0;

	CHECK_EQ(nets_nodes[1].proof_count, 1);
	CHECK_EQ(nets_nodes[2].proof_count, 1);
	nets_stop_all();
}

static void
test_obituary_of_another_life_does_nothing(void)
{
	nets_configure(1);
	nets_start_all();
	supervise();
	say_dead(99);
	say_dead(101);

	CHECK_EQ(nets_nodes[1].proof_count, 0);
	CHECK(nets_believes(1, 0));
	CHECK(nets_refused(1, SESSION_REFUSED_INCARNATION) > 0);
	nets_stop_all();
}

static void
test_obituary_does_not_reach_the_next_life(void)
{
	nets_configure(1);
	nets_start_all();
	supervise();
	say_dead(100);
	nets_stop(0);
	nets_configs[0].incarnation = 200;
	nets_start(0);
	nets_run(20);
	CHECK(nets_believes(1, 0));

	links[0] = *ringd_net_udp(nets_nodes[0].net, 0);
	say_dead(100); /* it is still true, and still of the old one */
	CHECK(nets_believes(1, 0));
	CHECK_EQ(nets_nodes[1].proof_count, 1);
	nets_stop_all();
}

static bool
is_up(uint32_t i, uint32_t node, uint32_t link)
{
	struct ringd_net_peer peer;

	return ringd_net_peer(nets_nodes[i].net, node, nets_now_ns, &peer) &&
	    peer.state[link].state == LINK_UP;
}

/* Nothing of a dead life's links is held against the next one. */
static void
test_obituary_lets_the_next_life_have_its_links(void)
{
	nets_configure(2);
	nets_start_all();
	nets_run(5000); /* so that its LINKs are numbered high */
	supervise();
	say_dead(100);
	nets_stop(0);
	nets_configs[0].incarnation = 200;
	nets_run(100);
	nets_start(0);
	nets_run(200);

	for (uint32_t link = 0; link < 2; link++) {
		CHECK(is_up(1, 10, link));
		CHECK(is_up(0, 20, link));
	}
	nets_stop_all();
}

static void
test_obituary_under_another_key_is_refused(void)
{
	nets_configure(1);
	nets_start_all();
	nets_keys[0].key[0][0] ^= 1;
	supervise();
	say_dead(100);

	CHECK_EQ(nets_nodes[1].proof_count, 0);
	CHECK(nets_believes(1, 0));
	CHECK_EQ(nets_refused(1, SESSION_REFUSED_TAG), OBITUARY_COPIES);
	nets_stop_all();
}

static void
test_obituary_of_a_third_node_is_refused(void)
{
	nets_configure(1);
	nets_start_all();
	supervise();
	conf.self = 2; /* from node 0's address */
	obituary_init(&obituary, &conf, &nets_keys[0], links);
	say_dead(102);

	CHECK(nets_believes(1, 2));
	CHECK_EQ(nets_refused(1, SESSION_REFUSED_ADDRESS), OBITUARY_COPIES);
	nets_stop_all();
}

static void
test_obituary_is_dropped_as_all_else(void)
{
	nets_configure(1);
	nets_start_all();
	supervise();
	CHECK_EQ(ringd_net_drop(nets_nodes[1].net, 10, RINGD_NET_IN,
		     nets_now_ns + 1000 * NETS_MS),
	    0);
	say_dead(100);

	CHECK_EQ(nets_nodes[1].proof_count, 0);
	CHECK_EQ(nets_nodes[2].proof_count, 1);
	nets_stop_all();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_obituary_is_believed_at_once_and_once),
		CHECK_TEST(test_obituary_comes_through_when_one_link_works),
		CHECK_TEST(test_obituary_of_another_life_does_nothing),
		CHECK_TEST(test_obituary_does_not_reach_the_next_life),
		CHECK_TEST(test_obituary_lets_the_next_life_have_its_links),
		CHECK_TEST(test_obituary_under_another_key_is_refused),
		CHECK_TEST(test_obituary_of_a_third_node_is_refused),
		CHECK_TEST(test_obituary_is_dropped_as_all_else),
	};

	if (!nets_init())
		return 1;
	return CHECK_MAIN(argc, argv, tests);
}
