/* SPDX-License-Identifier: BSD-3-Clause */
/* A net that closes its sockets is gone, and its machine says so. */
#include <sys/socket.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bin/ringd/ringd_net_internal.h"
#include "tests/unit/check.h"
#include "tests/unit/nets.h"

/* Node 1 says something to node 0 every millisecond. */
static void
talk(uint32_t turns)
{
	for (; turns > 0; turns--) {
		nets_send_control(1, 1, true);
		nets_run(1);
	}
}

static void
test_ringd_net_closed_port_is_a_proof(void)
{
	nets_configure(2);
	nets_start_all();
	nets_stop(0);
	talk(2);
	CHECK_EQ(nets_nodes[1].proof_count, 0); /* nothing is that certain */
	talk(8);

	CHECK_EQ(nets_nodes[1].proof_count, 1);
	CHECK_EQ(nets_nodes[1].proof_node, 10);
	CHECK_EQ(nets_nodes[1].proof_incarnation, 100);
	CHECK_EQ(nets_nodes[1].verdict, TOTEM_PEER_PROOF);
	CHECK(nets_believes(1, 2));
	nets_stop_all();
}

static void
test_ringd_net_probes_itself_when_one_datagram_was_refused(void)
{
	nets_configure(1);
	nets_start_all();
	nets_stop(0);
	talk(1);
	nets_run(9);

	CHECK_EQ(nets_nodes[1].proof_count, 1);
	nets_stop_all();
}

static void
test_ringd_net_one_closed_link_is_no_proof(void)
{
	nets_configure(2);
	nets_start_all();
	/* The socket of link 0 is gone, as if its address had moved. */
	CHECK(dup2(nets_nowhere, ringd_net_udp(nets_nodes[0].net, 0)->fd) >= 0);
	talk(50);

	CHECK(ringd_net_udp(nets_nodes[1].net, 0)->counters.errors > 0);
	CHECK_EQ(nets_nodes[1].proof_count, 0);
	nets_stop_all();
}

/* It has not taken the configuration yet in which there are two. */
static void
test_ringd_net_link_that_a_peer_does_not_have_asks_nothing(void)
{
	nets_configure(2);
	nets_configs[0].link_count = 1;
	nets_start_all();
	talk(50);

	CHECK(nets_believes(1, 0));
	CHECK(ringd_net_udp(nets_nodes[1].net, 1)->counters.errors > 0);
	CHECK_EQ(nets_nodes[1].net->nodes[0].proof.next_ns, 0);
	nets_stop_all();
}

/* Node 1's loop runs, and nothing comes from node 0. */
static void
stop_for(uint32_t turns)
{
	struct ringd_net *net = nets_nodes[0].net;

	nets_nodes[0].net = NULL;
	nets_run(turns);
	nets_nodes[0].net = net;
}

/* With slow heartbeats, and many nodes, every link is silent that long. */
static void
test_ringd_net_closed_link_beside_a_silent_one_is_no_proof(void)
{
	struct ringd_net *net;

	nets_configure(2);
	nets_start_all();
	nets_run(50);
	net = nets_nodes[0].net;
	stop_for(1500);
	CHECK(dup2(nets_nowhere, ringd_net_udp(net, 0)->fd) >= 0);
	nets_nodes[0].net = NULL;
	talk(50);
	CHECK(ringd_net_udp(nets_nodes[1].net, 0)->counters.errors > 0);
	CHECK_EQ(nets_nodes[1].proof_count, 0);
	/* It is one when nobody has the other either. */
	CHECK(dup2(nets_nowhere, ringd_net_udp(net, 1)->fd) >= 0);
	talk(50);
	CHECK_EQ(nets_nodes[1].proof_count, 1);
	nets_nodes[0].net = net;
	nets_stop_all();
}

/* What was known of the life before is not asked of the next one. */
static void
test_ringd_net_link_of_an_earlier_life_is_not_asked_for(void)
{
	int fd, hole;

	nets_configure(2);
	nets_start_all();
	nets_run(50);
	nets_stop(0);
	talk(10);
	CHECK_EQ(nets_nodes[1].proof_count, 1);
	/* It comes back, and what goes to its second link is swallowed. */
	nets_configs[0].incarnation = 200;
	nets_start(0);
	fd = ringd_net_udp(nets_nodes[0].net, 1)->fd;
	hole = dup(fd);
	CHECK(hole >= 0 && dup2(nets_nowhere, fd) >= 0);
	nets_run(50);
	CHECK(nets_believes(1, 0));
	nets_stop(0);
	talk(50);
	CHECK_EQ(nets_nodes[1].proof_count, 2);
	close(hole);
	nets_stop_all();
}

static void
test_ringd_net_restarted_peer_is_proven_gone_again(void)
{
	nets_configure(1);
	nets_start_all();
	nets_stop(0);
	talk(10);
	nets_configs[0].incarnation = 200;
	nets_start(0);
	nets_run(20);
	CHECK(nets_believes(1, 0));
	nets_stop(0);
	talk(10);

	CHECK_EQ(nets_nodes[1].proof_count, 2);
	CHECK_EQ(nets_nodes[1].proof_incarnation, 200);
	nets_stop_all();
}

/* What a stranger can make the machine refuse quotes another session. */
static void
test_ringd_net_refusal_that_quotes_another_session_is_nothing(void)
{
	struct session_header header = { .kind = SESSION_DATA,
		.cipher = 1,
		.key_id = 1,
		.sender = 20,
		.dst = 10,
		.session = 4711 };
	const union udp_addr *to = &nets_configs[1].addr[0][0];
	uint8_t bytes[100] = { 0 };
	struct ringd_net_status status;

	nets_configure(1);
	nets_start_all();
	nets_stop(0);
	/* Nothing goes to node 0 but what is sent past the net. */
	CHECK_EQ(ringd_net_drop(nets_nodes[1].net, 10, RINGD_NET_OUT,
		     nets_now_ns + 1000 * NETS_MS),
	    0);
	ringd_net_status(nets_nodes[1].net, &status);
	for (uint64_t i = 1; i <= 50; i++) {
		/* The last ones have our session, and counters to come. */
		if (i > 40)
			header.session = status.session;
		header.counter = i > 40 ? 1000000 + i : i;
		session_header_put(&header, bytes);
		(void)sendto(ringd_net_udp(nets_nodes[1].net, 0)->fd, bytes,
		    sizeof bytes, 0, &to->any, sizeof to->v4);
		nets_run(1);
	}

	CHECK(ringd_net_udp(nets_nodes[1].net, 0)->counters.errors >= 25);
	CHECK_EQ(nets_nodes[1].proof_count, 0);
	nets_stop_all();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_ringd_net_closed_port_is_a_proof),
		CHECK_TEST(
		    test_ringd_net_probes_itself_when_one_datagram_was_refused),
		CHECK_TEST(test_ringd_net_one_closed_link_is_no_proof),
		CHECK_TEST(
		    test_ringd_net_link_that_a_peer_does_not_have_asks_nothing),
		CHECK_TEST(
		    test_ringd_net_closed_link_beside_a_silent_one_is_no_proof),
		CHECK_TEST(
		    test_ringd_net_link_of_an_earlier_life_is_not_asked_for),
		CHECK_TEST(test_ringd_net_restarted_peer_is_proven_gone_again),
		CHECK_TEST(
		    test_ringd_net_refusal_that_quotes_another_session_is_nothing),
	};

	if (!nets_init())
		return 1;
	return CHECK_MAIN(argc, argv, tests);
}
