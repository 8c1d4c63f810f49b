/* SPDX-License-Identifier: BSD-3-Clause */
/* Nodes come to and go from nets that run; links change their ways. */
#include <string.h>
#include <unistd.h>

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

/* ---- links ----------------------------------------------------------------
 */

/*
 * Node i goes by cfg from now on: sockets of links that it has are kept, others
 * are bound.
 */
static bool
set_links(uint32_t i, const struct ringd_net_config *cfg)
{
	struct udp sockets[LIMIT_LINKS];
	struct ringd_net_config next = *cfg;
	struct ringd_net *net = nets_nodes[i].net;

	for (uint32_t l = 0; l < cfg->link_count; l++) {
		union udp_addr local;

		if (l < ringd_net_link_count(net)) {
			sockets[l] = *ringd_net_udp(net, l);
			CHECK(udp_local(&sockets[l], &local));
			if (udp_addr_equal(&local, &cfg->addr[i][l]))
				continue;
		}
		CHECK_EQ(udp_open(&sockets[l], &cfg->addr[i][l], 1 << 20), 0);
	}
	next.links = sockets;
	return ringd_net_configure(net, &next, nets_now_ns);
}

static void
end_old(uint32_t i)
{
	int fds[LIMIT_LINKS];

	for (uint32_t l = 0; l < LIMIT_LINKS; l++)
		fds[l] = ringd_net_old_fd(nets_nodes[i].net, l);
	ringd_net_end_old(nets_nodes[i].net);
	for (uint32_t l = 0; l < LIMIT_LINKS; l++)
		if (fds[l] >= 0)
			close(fds[l]);
}

static struct link_status
state_of(uint32_t i, uint32_t j, uint32_t link)
{
	struct ringd_net_peer peer;

	CHECK(ringd_net_peer(
	    nets_nodes[i].net, nets_configs[j].self, nets_now_ns, &peer));
	return peer.state[link];
}

static void
test_ringd_net_configure_adds_and_removes_a_link(void)
{
	nets_configure(2);
	for (uint32_t i = 0; i < NETS_NODES; i++)
		nets_configs[i].link_count = 1;
	nets_start_all();
	nets_run(300);
	for (uint32_t i = 0; i < NETS_NODES; i++) {
		nets_configs[i].link_count = 2;
		CHECK(set_links(i, &nets_configs[i]));
		/* Who is first waits for the others. */
		nets_run(20);
	}
	nets_run(300);
	for (uint32_t i = 0; i < NETS_NODES; i++) {
		end_old(i);
		for (uint32_t j = 0; j < NETS_NODES; j++)
			if (i != j)
				CHECK_EQ(state_of(i, j, 1).state, LINK_UP);
		(void)came(i, i);
	}
	/* Without the first one it does as well. */
	nets_first_link = 1;
	nets_run(600);
	nets_send(0, 6, 1, 900);
	nets_settle();
	CHECK_EQ(came(1, 0), 1);
	CHECK_EQ(came(2, 0), 1);
	nets_first_link = 0;
	nets_run(1500);
	/* What is sent over one that another has removed arrives. */
	nets_configs[0].link_count = 1;
	CHECK(set_links(0, &nets_configs[0]));
	CHECK_EQ(ringd_net_link_count(nets_nodes[0].net), 1);
	CHECK_EQ(nets_refused(0, SESSION_REFUSED_ADDRESS), 0);
	nets_run(50);
	CHECK(ringd_net_old_fd(nets_nodes[0].net, 1) >= 0);
	ringd_net_old_readable(nets_nodes[0].net, 1, nets_now_ns);
	CHECK_EQ(nets_refused(0, SESSION_REFUSED_ADDRESS), 0);
	end_old(0);
	nets_send(1, 1, 2, 900);
	nets_settle();
	CHECK_EQ(came(0, 1), 1);
	nets_stop_all();
}

/* Its socket stays bound while nobody reads from it. */
static void
test_ringd_net_configure_takes_nothing_of_an_earlier_use(void)
{
	struct ringd_net_config cfg;
	struct udp sockets[LIMIT_LINKS] = { { 0 } };
	struct ringd_net *net;

	begin(2);
	net = nets_nodes[0].net;
	cfg = nets_configs[0];
	for (uint32_t l = 0; l < 2; l++)
		sockets[l] = *ringd_net_udp(net, l);
	cfg.links = sockets;
	cfg.link_count = 1;
	CHECK(ringd_net_configure(net, &cfg, nets_now_ns));
	ringd_net_end_old(net);
	nets_run(1000); /* the others know nothing of it */
	cfg.link_count = 2;
	CHECK(ringd_net_configure(net, &cfg, nets_now_ns));
	ringd_net_end_old(net);
	ringd_net_readable(net, 1, nets_now_ns);
	CHECK_EQ(state_of(0, 1, 1).heard_ns, 0);
	CHECK_EQ(state_of(0, 2, 1).heard_ns, 0);
	nets_run(300);
	CHECK_EQ(state_of(0, 1, 1).state, LINK_UP);
	nets_stop_all();
}

static void
test_ringd_net_configure_moves_a_link(void)
{
	static struct ringd_net_config moved[NETS_NODES];

	begin(2);
	for (uint32_t i = 0; i < NETS_NODES; i++) {
		moved[i] = nets_configs[i];
		moved[i].addr[0][0].v4.sin_port = htons(5777);
	}
	/* Node 1 knows it, and what comes was sent from where node 0 was. */
	nets_send(0, 2, 1, 900);
	ringd_net_flush(nets_nodes[0].net, nets_now_ns);
	CHECK(set_links(1, &moved[1]));
	nets_settle();
	CHECK_EQ(came(1, 0), 1);
	CHECK_EQ(state_of(1, 0, 0).state, LINK_DOWN);
	/* Node 2 does not know it yet, and node 0 goes meanwhile. */
	nets_send(2, 1, 2, 900);
	ringd_net_flush(nets_nodes[2].net, nets_now_ns);
	CHECK(set_links(0, &moved[0]));
	nets_settle();
	CHECK_EQ(came(0, 2), 0);
	ringd_net_old_readable(nets_nodes[0].net, 0, nets_now_ns);
	CHECK_EQ(came(0, 2), 1);
	CHECK(set_links(2, &moved[2]));
	nets_run(1000);
	for (uint32_t i = 0; i < NETS_NODES; i++)
		end_old(i);
	CHECK_EQ(state_of(0, 1, 0).state, LINK_UP);
	CHECK_EQ(state_of(2, 0, 0).state, LINK_UP);
	CHECK(state_of(2, 0, 0).has_data && !state_of(2, 0, 1).has_data);
	CHECK_EQ(state_of(1, 2, 0).downs, 0);
	nets_send(2, 1, 3, 900);
	nets_settle();
	CHECK_EQ(came(0, 2), 1);
	nets_stop_all();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_ringd_net_configure_removes_and_adds),
		CHECK_TEST(test_ringd_net_configure_changes_links),
		CHECK_TEST(test_ringd_net_configure_adds_and_removes_a_link),
		CHECK_TEST(
		    test_ringd_net_configure_takes_nothing_of_an_earlier_use),
		CHECK_TEST(test_ringd_net_configure_moves_a_link),
	};

	if (!nets_init())
		return 1;
	return CHECK_MAIN(argc, argv, tests);
}
