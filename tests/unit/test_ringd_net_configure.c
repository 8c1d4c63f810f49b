/* SPDX-License-Identifier: BSD-3-Clause */
/* Nodes come to and go from nets that run; links change their ways. */
#include <string.h>

#include "tests/unit/check.h"
#include "tests/unit/nets.h"

/* The nodes of these places, as nets_configs has all of them. */
static void
set_nodes(uint32_t i, unsigned places)
{
	static struct ringd_net_config cfg;
	const struct ringd_net_config *all = &nets_configs[i];

	cfg = *all;
	cfg.node_count = 0;
	for (uint32_t k = 0; k < NETS_NODES; k++) {
		if (!(places >> k & 1))
			continue;
		cfg.nodes[cfg.node_count] = all->nodes[k];
		memcpy(cfg.addr[cfg.node_count++], all->addr[k],
		    sizeof cfg.addr[0]);
	}
	ringd_net_configure(nets_nodes[i].net, &cfg, nets_now_ns);
}

/* How many frames of from came to node i since the last call. */
static uint32_t
came(uint32_t i, uint32_t from)
{
	struct nets_node *node = &nets_nodes[i];
	uint32_t count = 0;

	for (uint32_t k = 0; k < node->packet_count; k++)
		count += node->packets[k].node == nets_configs[from].self;
	node->packet_count = 0;
	return count;
}

static void
begin(uint32_t link_count)
{
	nets_configure(link_count);
	nets_start_all();
	nets_run(300);
	for (uint32_t i = 0; i < NETS_NODES; i++)
		(void)came(i, i);
}

static void
test_ringd_net_configure_removes_and_adds(void)
{
	struct ringd_net_peer peer;

	begin(2);
	nets_stop(1);
	set_nodes(0, 5);
	CHECK(!ringd_net_peer(
	    nets_nodes[0].net, nets_configs[1].self, nets_now_ns, &peer));
	/* One has done so and the other not: they go on. */
	nets_send(0, 4, 1, 900);
	nets_send(2, 1, 2, 900);
	nets_settle();
	CHECK_EQ(came(2, 0), 1);
	CHECK_EQ(came(0, 2), 1);
	CHECK(ringd_net_peer(
	    nets_nodes[0].net, nets_configs[2].self, nets_now_ns, &peer));
	CHECK(peer.session.is_table_different);
	set_nodes(2, 5);
	nets_run(100);
	CHECK(nets_believes(0, 2));
	CHECK(nets_believes(2, 0));
	CHECK(ringd_net_peer(
	    nets_nodes[0].net, nets_configs[2].self, nets_now_ns, &peer));
	CHECK(!peer.session.is_table_different);
	CHECK_EQ(peer.state[0].state, LINK_UP);
	/* Who is not in the table is nobody. */
	nets_start(1);
	nets_run(300);
	CHECK(nets_refused(0, SESSION_REFUSED_NODE) > 0);
	CHECK(!nets_believes(1, 0));
	/* It is put in, between the others. */
	set_nodes(0, 7);
	set_nodes(2, 7);
	nets_run(1500);
	for (uint32_t i = 0; i < NETS_NODES; i++)
		for (uint32_t k = 0; k < NETS_NODES; k++)
			if (i != k)
				CHECK(nets_believes(i, k));
	for (uint32_t i = 0; i < NETS_NODES; i++)
		(void)came(i, i);
	nets_send(1, 5, 3, 900);
	nets_send(0, 6, 4, 900);
	nets_settle();
	CHECK_EQ(came(0, 1), 1);
	CHECK_EQ(came(1, 0), 1);
	nets_stop_all();
}

static void
test_ringd_net_configure_changes_links(void)
{
	struct ringd_net_config cfg;
	struct ringd_net_peer peer;

	begin(2);
	CHECK(ringd_net_peer(
	    nets_nodes[0].net, nets_configs[2].self, nets_now_ns, &peer));
	CHECK(peer.state[0].has_data && !peer.state[1].has_data);
	cfg = nets_configs[0];
	cfg.link_priority[0] = 9;
	ringd_net_configure(nets_nodes[0].net, &cfg, nets_now_ns);
	nets_run(50);
	CHECK(ringd_net_peer(
	    nets_nodes[0].net, nets_configs[2].self, nets_now_ns, &peer));
	CHECK(!peer.state[0].has_data && peer.state[1].has_data);
	CHECK_EQ(peer.state[0].priority, 9);
	cfg.link_mode = LINK_ACTIVE;
	ringd_net_configure(nets_nodes[0].net, &cfg, nets_now_ns);
	nets_run(50);
	CHECK(ringd_net_peer(
	    nets_nodes[0].net, nets_configs[2].self, nets_now_ns, &peer));
	CHECK(peer.state[0].has_data && peer.state[1].has_data);
	nets_stop_all();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_ringd_net_configure_removes_and_adds),
		CHECK_TEST(test_ringd_net_configure_changes_links),
	};

	if (!nets_init())
		return 1;
	return CHECK_MAIN(argc, argv, tests);
}
