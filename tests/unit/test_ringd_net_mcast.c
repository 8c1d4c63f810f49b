/* SPDX-License-Identifier: BSD-3-Clause */
/* DATA by a group: sent once, refused where it does not belong, and copied for
 * who does not hear it. */
#include <sys/socket.h>

#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/os/udp_group.h"

#include "bin/ringd/ringd_net.h"
#include "tests/unit/check.h"
#include "tests/unit/nets.h"

enum { SECOND = 1000 }; /* turns of a millisecond */

static bool
hears(uint32_t hearer, uint32_t speaker)
{
	struct ringd_net_peer peer;

	CHECK(ringd_net_peer(
	    nets_nodes[speaker].net, 10 * (hearer + 1), nets_now_ns, &peer));
	return peer.mcast[0].hears_us;
}

static void
begin(void)
{
	nets_configure(1);
	nets_configure_groups();
	nets_start_all();
	nets_run(SECOND);
	for (uint32_t i = 0; i < NETS_NODES; i++)
		for (uint32_t j = 0; j < NETS_NODES; j++)
			CHECK_EQ(
			    hears(i, j == i ? (i + 1) % NETS_NODES : j), true);
	for (uint32_t i = 0; i < NETS_NODES; i++)
		nets_nodes[i].packet_count = 0;
}

/* Node i no longer hears its group, and knows nothing of it. */
static void
deafen(uint32_t i, bool is_deaf)
{
	struct udp ear = { .fd = ringd_net_group_fd(nets_nodes[i].net, 0) };
	const struct udp_group *group = &nets_configs[i].groups[0];
	uint32_t lo = if_nametoindex("lo");

	if (is_deaf)
		udp_group_leave(&ear, group, lo);
	else
		CHECK_EQ(udp_group_join(&ear, group, lo), 0);
}

static uint64_t
sent_datagrams(uint32_t i)
{
	return ringd_net_udp(nets_nodes[i].net, 0)->counters.sent_datagrams;
}

static void
test_ringd_net_mcast_frames_are_sent_once_for_all(void)
{
	uint64_t before;

	begin();
	before = sent_datagrams(0);
	for (uint64_t no = 0; no < 32; no++)
		nets_send(0, 7, no, NETS_FRAME);
	ringd_net_flush(nets_nodes[0].net, nets_now_ns);
	CHECK_EQ(sent_datagrams(0), before + 32);
	nets_settle();
	for (uint32_t i = 1; i < NETS_NODES; i++) {
		CHECK_EQ(nets_nodes[i].packet_count, 32);
		for (uint32_t at = 0; at < 32; at++) {
			CHECK_EQ(nets_packet_no(i, at), at);
			CHECK(nets_nodes[i].packets[at].is_shared);
			CHECK_EQ(nets_nodes[i].packets[at].node, 10);
		}
		CHECK(nets_nodes[i].idle_count >= 1);
	}
	/* It hears itself, which nobody is to hear of. */
	CHECK_EQ(nets_nodes[0].packet_count, 0);
	CHECK_EQ(nets_refused(0, SESSION_REFUSED_NODE), 0);
	nets_stop_all();
}

static void
test_ringd_net_mcast_all_else_goes_to_each(void)
{
	uint64_t before;

	begin();
	before = sent_datagrams(0);
	nets_send_again(0, 6, 1, 100);
	nets_send_control(0, 6, true);
	nets_send(0, 2, 2, 100); /* one receiver */
	ringd_net_flush(nets_nodes[0].net, nets_now_ns);
	CHECK_EQ(sent_datagrams(0), before + 5);
	nets_settle();
	CHECK_EQ(nets_nodes[1].packet_count, 3);
	CHECK_EQ(nets_nodes[2].packet_count, 2);
	for (uint32_t at = 0; at < 3; at++)
		CHECK(!nets_nodes[1].packets[at].is_shared);
	nets_stop_all();
}

static void
test_ringd_net_mcast_who_is_deaf_gets_copies(void)
{
	begin();
	deafen(1, true);
	nets_send(0, 6, 1, 100);
	nets_settle();
	CHECK_EQ(nets_nodes[1].packet_count, 0);
	CHECK_EQ(nets_nodes[2].packet_count, 1);

	nets_run(SECOND / 2);
	CHECK(!hears(1, 0));
	CHECK(hears(2, 0));
	nets_send(0, 6, 2, 100);
	nets_settle();
	CHECK_EQ(nets_nodes[1].packet_count, 1);
	CHECK_EQ(nets_packet_no(1, 0), 2);
	CHECK_EQ(nets_nodes[2].packet_count, 2);

	deafen(1, false);
	nets_run(SECOND);
	CHECK(hears(1, 0));
	nets_send(0, 6, 3, 100);
	nets_settle();
	CHECK(nets_nodes[1].packets[1].is_shared);
	CHECK_EQ(nets_nodes[1].packet_count, 2);
	CHECK_EQ(nets_nodes[2].packet_count, 3);
	nets_stop_all();
}

/* Each datagram goes to both groups: what comes second was not lost. */
static void
test_ringd_net_mcast_over_all_links_loses_nothing(void)
{
	struct ringd_net_peer peer;

	nets_configure(2);
	nets_configure_groups();
	for (uint32_t i = 0; i < NETS_NODES; i++)
		nets_configs[i].link_mode = LINK_ACTIVE;
	nets_start_all();
	nets_run(SECOND);
	for (uint64_t no = 0; no < 2 * SECOND; no++) {
		nets_send(0, 6, no, 100);
		nets_run(1);
		nets_nodes[1].packet_count = nets_nodes[2].packet_count = 0;
	}
	CHECK(ringd_net_peer(nets_nodes[1].net, 10, nets_now_ns, &peer));
	for (uint32_t link = 0; link < 2; link++) {
		CHECK(peer.mcast[link].is_heard);
		CHECK_EQ(peer.mcast[link].loss_in, 0);
	}
	CHECK(nets_refused(1, SESSION_REFUSED_REPLAY) > SECOND);
	nets_stop_all();
}

/* One node has another transport: it gets and sends copies. */
static void
test_ringd_net_mcast_works_with_who_has_no_groups(void)
{
	nets_configure(1);
	nets_configure_groups();
	nets_configs[1].has_groups = false;
	nets_start_all();
	nets_run(SECOND);
	CHECK(!hears(1, 0));
	CHECK(hears(2, 0));
	CHECK_EQ(ringd_net_group_fd(nets_nodes[1].net, 0), -1);
	nets_send(0, 6, 1, 100);
	nets_send(1, 5, 2, 100);
	nets_settle();
	CHECK_EQ(nets_nodes[0].packet_count, 1);
	CHECK_EQ(nets_nodes[1].packet_count, 1);
	CHECK_EQ(nets_nodes[2].packet_count, 2);
	nets_stop_all();
}

/* What a firewall keeps from one, the group does not get. */
static void
test_ringd_net_mcast_drop_keeps_the_group_from_it(void)
{
	begin();
	CHECK_EQ(ringd_net_drop(nets_nodes[0].net, 20, RINGD_NET_OUT,
		     nets_now_ns + 100 * NETS_MS),
	    0);
	nets_send(0, 6, 1, 100);
	nets_settle();
	CHECK_EQ(nets_nodes[1].packet_count, 0);
	CHECK_EQ(nets_nodes[2].packet_count, 1);
	CHECK_EQ(
	    ringd_net_drop(nets_nodes[2].net, 10, RINGD_NET_IN, UINT64_MAX), 0);
	nets_run(100);
	nets_send(0, 6, 2, 100);
	nets_settle();
	CHECK_EQ(nets_nodes[1].packet_count, 1);
	CHECK_EQ(nets_nodes[2].packet_count, 1);
	nets_stop_all();
}

static void
test_ringd_net_mcast_place_decides_whether_it_is_heard(void)
{
	struct ringd_net_mcast group;

	begin();
	ringd_net_place(nets_nodes[1].net, 0, RINGD_NET_NOWHERE, nets_now_ns);
	ringd_net_mcast(nets_nodes[1].net, 0, &group);
	CHECK(group.has_group && !group.is_joined);
	nets_run(20); /* said at once */
	CHECK(!hears(1, 0));
	CHECK(hears(2, 0));
	nets_run(SECOND / 2);
	CHECK(!hears(0, 1)); /* nor does it report */
	ringd_net_place(
	    nets_nodes[1].net, 0, (int)if_nametoindex("lo"), nets_now_ns);
	ringd_net_mcast(nets_nodes[1].net, 0, &group);
	CHECK(group.is_joined);
	nets_run(SECOND);
	CHECK(hears(1, 0) && hears(0, 1));
	nets_stop_all();
}

/* ---- what is refused ---------------------------------------------------- */

static void
throw_at(const union udp_addr *to, const uint8_t *bytes, size_t len)
{
	CHECK_EQ(sendto(ringd_net_fd(nets_nodes[0].net, 0), bytes, len, 0,
		     &to->any, sizeof to->v4),
	    len);
}

/* What node 0 sends to its group, as another hears it: of that length. */
static size_t
capture(uint8_t *bytes, size_t size, size_t want)
{
	const struct udp_group *group = &nets_configs[0].groups[0];
	struct udp ear;
	ssize_t n = 0;

	CHECK_EQ(udp_group_open(&ear, group, 1 << 16), 0);
	CHECK_EQ(udp_group_join(&ear, group, if_nametoindex("lo")), 0);
	nets_send(0, 6, 77, 100);
	nets_run(100);
	while ((size_t)n != want) {
		struct session_header header;

		n = recv(ear.fd, bytes, size, MSG_DONTWAIT);
		if (!CHECK(n > 0))
			break;
		if (session_header_get(bytes, (size_t)n, &header) !=
			SESSION_OK ||
		    header.sender != 10)
			n = 0;
	}
	udp_close(&ear);
	return n > 0 ? (size_t)n : 0;
}

static void
test_ringd_net_mcast_recording_is_refused_however_it_comes(void)
{
	const union udp_addr *group = &nets_configs[0].groups[0].addr;
	const union udp_addr *node = &nets_configs[0].addr[1][0];
	uint8_t bytes[2048];
	uint64_t before;
	size_t len;

	begin();
	len = capture(bytes, sizeof bytes, SESSION_OVERHEAD_BYTES + 100);
	CHECK_EQ(nets_nodes[1].packet_count, 1);
	before = nets_refused(1, SESSION_REFUSED_REPLAY);
	throw_at(group, bytes, len);
	nets_settle();
	CHECK_EQ(nets_refused(1, SESSION_REFUSED_REPLAY), before + 1);
	throw_at(node, bytes, len);
	nets_settle();
	CHECK_EQ(nets_refused(1, SESSION_REFUSED_REPLAY), before + 2);
	CHECK_EQ(nets_nodes[1].packet_count, 1);
	CHECK_EQ(nets_nodes[2].packet_count, 1);

	/* A later life of node 1 does not take it either. */
	nets_stop(1);
	nets_configs[1].incarnation++;
	nets_start(1);
	throw_at(group, bytes, len);
	nets_run(10);
	CHECK(nets_believes(1, 0));
	throw_at(group, bytes, len);
	nets_settle();
	CHECK_EQ(nets_nodes[1].packet_count, 0);
	nets_stop_all();
}

static void
test_ringd_net_mcast_damage_is_refused(void)
{
	const union udp_addr *group = &nets_configs[0].groups[0].addr;
	uint8_t bytes[2048];
	size_t len;

	begin();
	len = capture(bytes, sizeof bytes, SESSION_OVERHEAD_BYTES + 100);
	for (size_t at = 0; at < len; at++) {
		bytes[at] ^= 1;
		throw_at(group, bytes, len);
		bytes[at] ^= 1;
		nets_turn(1);
	}
	CHECK(nets_refused(1, SESSION_REFUSED_TAG) > 0);
	CHECK_EQ(nets_nodes[1].packet_count, 1);
	nets_stop_all();
}

/* Sealed as node 0 does it, with a counter far ahead. */
static size_t
forge(enum session_kind kind, uint32_t dst, size_t len, uint8_t *out)
{
	static uint64_t counter = 1000000;
	struct ringd_net_status status;
	struct box_owner owner = { "test", 10, 0 };
	struct session_header header = { .kind = kind,
		.cipher = BOX_CHACHA20,
		.key_id = 1,
		.cluster_tag = (uint32_t)box_hash("test", 4),
		.sender = 10,
		.dst = dst,
		.counter = ++counter };
	struct box_frame frame = { .cipher = BOX_CHACHA20,
		.counter = counter,
		.ad = out,
		.ad_len = SESSION_HEADER_BYTES };
	uint8_t plain[256] = { 0, 0, 0, 0, 0, 0, 0, 100, 1 };
	struct box_key key;

	ringd_net_status(nets_nodes[0].net, &status);
	owner.session = header.session = status.session;
	box_key_init(&key, &nets_keys[0], 1, &owner);
	session_header_put(&header, out);
	box_seal(&key, &frame, plain, len, out + SESSION_HEADER_BYTES);
	return len + SESSION_OVERHEAD_BYTES;
}

static void
test_ringd_net_mcast_takes_nothing_but_what_is_for_all(void)
{
	const union udp_addr *group = &nets_configs[0].groups[0].addr;
	static const struct {
		const char *name;
		enum session_kind kind;
		uint32_t dst;
		size_t len;
	} cases[] = {
		{ "data", SESSION_DATA, 20, 50 },
		{ "hello", SESSION_HELLO, 20, SESSION_HELLO_BYTES },
		{ "link", SESSION_LINK, 20, LINK_TEXT_BYTES },
		{ "piece", SESSION_PIECE, 0, 50 },
		/* Of the incarnation that node 0 has: it would be believed. */
		{ "obituary", SESSION_OBITUARY, 0, SESSION_OBITUARY_BYTES },
	};
	uint8_t bytes[512];

	begin();
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint64_t before = nets_refused(1, SESSION_REFUSED_DESTINATION);
		size_t len =
		    forge(cases[i].kind, cases[i].dst, cases[i].len, bytes);

		check_case(cases[i].name);
		throw_at(group, bytes, len);
		nets_turn(1);
		CHECK_EQ(
		    nets_refused(1, SESSION_REFUSED_DESTINATION), before + 1);
	}
	check_case(NULL);
	CHECK_EQ(nets_nodes[1].packet_count, 0);
	CHECK_EQ(nets_nodes[1].proof_count, 0);
	CHECK(nets_believes(1, 0));

	/* A REPORT goes to a group alone. */
	uint64_t before = nets_refused(1, SESSION_REFUSED_DESTINATION);
	size_t len = forge(SESSION_REPORT, 0, SESSION_REPORT_BYTES, bytes);
	throw_at(&nets_configs[0].addr[1][0], bytes, len);
	nets_turn(1);
	CHECK_EQ(nets_refused(1, SESSION_REFUSED_DESTINATION), before + 1);

	/* The same obituary is believed where it belongs. */
	len = forge(SESSION_OBITUARY, 0, SESSION_OBITUARY_BYTES, bytes);
	throw_at(&nets_configs[0].addr[1][0], bytes, len);
	nets_turn(1);
	CHECK_EQ(nets_nodes[1].proof_count, 1);
	nets_stop_all();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_ringd_net_mcast_frames_are_sent_once_for_all),
		CHECK_TEST(test_ringd_net_mcast_all_else_goes_to_each),
		CHECK_TEST(test_ringd_net_mcast_who_is_deaf_gets_copies),
		CHECK_TEST(test_ringd_net_mcast_over_all_links_loses_nothing),
		CHECK_TEST(test_ringd_net_mcast_works_with_who_has_no_groups),
		CHECK_TEST(test_ringd_net_mcast_drop_keeps_the_group_from_it),
		CHECK_TEST(
		    test_ringd_net_mcast_place_decides_whether_it_is_heard),
		CHECK_TEST(
		    test_ringd_net_mcast_recording_is_refused_however_it_comes),
		CHECK_TEST(test_ringd_net_mcast_damage_is_refused),
		CHECK_TEST(
		    test_ringd_net_mcast_takes_nothing_but_what_is_for_all),
	};

	if (!nets_init())
		return 1;
	return CHECK_MAIN(argc, argv, tests);
}
