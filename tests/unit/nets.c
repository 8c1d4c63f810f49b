/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/nets.h"

#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/text.h"
#include "libcommon/os/log.h"

#include "bin/ringd/totem.h"
#include "tests/unit/check.h"

struct nets_node nets_nodes[NETS_NODES];
struct ringd_net_config nets_configs[NETS_NODES];
struct box_keyring nets_keys[NETS_NODES];
uint64_t nets_now_ns;
uint32_t nets_first_link;
int nets_nowhere;

bool
nets_init(void)
{
	if (box_init() != 0)
		return false;
	nets_nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	log_open(nets_nowhere, LOG_LEVEL_ERROR);
	nets_now_ns = 1000 * NETS_MS;
	for (uint32_t i = 0; i < NETS_NODES; i++) {
		nets_nodes[i].block = aligned_alloc(64, NETS_BLOCK_BYTES);
		if (nets_nodes[i].block == NULL)
			return false;
	}
	return true;
}

static uint8_t *
host_cell(void *arg)
{
	return ((struct nets_node *)arg)->cell;
}

static void
host_step(void *arg, const struct totem_input *in)
{
	struct nets_node *node = arg;
	struct nets_packet *packet;

	if (in->kind == TOTEM_IN_IDLE) {
		node->idle_count++;
		return;
	}
	if (in->kind == TOTEM_IN_PEER) {
		node->verdict = in->peer.verdict;
		node->proof_count++;
		node->proof_node = in->peer.node;
		node->proof_incarnation = in->peer.incarnation;
		return;
	}
	CHECK_EQ(in->kind, TOTEM_IN_PACKET);
	CHECK(in->packet.bytes == node->cell);
	if (!CHECK(node->packet_count < NETS_PACKETS_MAX))
		return;
	packet = &node->packets[node->packet_count++];
	*packet = (struct nets_packet){ in->packet.node, in->packet.link,
		in->packet.is_shared, in->packet.incarnation, in->packet.len,
		{ 0 } };
	memcpy(
	    packet->first, node->cell, in->packet.len < 8 ? in->packet.len : 8);
}

static void
host_rolled_back(void *arg)
{
	((struct nets_node *)arg)->is_rolled_back = true;
}

static void
host_outlived(void *arg, uint64_t incarnation)
{
	((struct nets_node *)arg)->outlived_by = incarnation;
}

/* 127.A.B.1 to .3, where A and B are this process's own; link 1 is .101 on. */
static void
configure(uint32_t i, uint32_t link_count)
{
	struct ringd_net_config *cfg = &nets_configs[i];
	uint32_t pid = (uint32_t)getpid();
	char string[32];

	*cfg = (struct ringd_net_config){
		.self = 10 * (i + 1),
		.node_count = NETS_NODES,
		.link_count = link_count,
		.cluster = "test",
		.keys = &nets_keys[i],
		.incarnation = 100 + i,
		.frame_bytes = NETS_FRAME,
		.link_priority = { 0, 1 },
		.host = { &nets_nodes[i], host_cell, host_step,
		    host_rolled_back, host_outlived },
	};
	for (uint32_t j = 0; j < NETS_NODES; j++) {
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
	nets_keys[i] = (struct box_keyring){ .count = 1, .id = { 1 } };
	memset(nets_keys[i].key[0], 0x5a, BOX_KEY_BYTES);
}

void
nets_start(uint32_t i)
{
	struct nets_node *node = &nets_nodes[i];
	struct arena arena;
	struct text why;
	char bytes[128];

	arena_init(&arena, node->block, NETS_BLOCK_BYTES);
	node->net = ringd_net_create(&arena, &nets_configs[i], nets_now_ns);
	node->block_bytes = arena.used_bytes;
	node->packet_count = node->idle_count = node->proof_count = 0;
	node->is_rolled_back = false;
	node->outlived_by = 0;
	text_init(&why, bytes, sizeof bytes);
	if (!CHECK_EQ(ringd_net_open(node->net, &why), 0))
		printf("%s\n", bytes);
	for (uint32_t l = 0; l < ringd_net_link_count(node->net); l++)
		ringd_net_place(
		    node->net, l, (int)if_nametoindex("lo"), nets_now_ns);
}

void
nets_turn(uint32_t i)
{
	struct ringd_net *net = nets_nodes[i].net;

	for (uint32_t l = 0; l < ringd_net_link_count(net); l++)
		if (ringd_net_group_fd(net, l) >= 0)
			ringd_net_group_readable(net, l, nets_now_ns);
	for (uint32_t l = nets_first_link; l < ringd_net_link_count(net); l++)
		ringd_net_readable(net, l, nets_now_ns);
	for (uint32_t l = 0; l < ringd_net_link_count(net); l++)
		ringd_net_errors(net, l, nets_now_ns);
	if (ringd_net_deadline_ns(net) <= nets_now_ns)
		ringd_net_deadline(net, nets_now_ns);
	ringd_net_flush(net, nets_now_ns);
}

void
nets_run(uint32_t turns)
{
	for (; turns > 0; turns--) {
		nets_now_ns += NETS_MS;
		for (uint32_t i = 0; i < NETS_NODES; i++)
			if (nets_nodes[i].net != NULL)
				nets_turn(i);
	}
}

void
nets_settle(void)
{
	nets_run(10);
}

void
nets_stop(uint32_t i)
{
	if (nets_nodes[i].net != NULL)
		ringd_net_close(nets_nodes[i].net);
	nets_nodes[i].net = NULL;
}

void
nets_stop_all(void)
{
	for (uint32_t i = 0; i < NETS_NODES; i++)
		nets_stop(i);
}

void
nets_configure(uint32_t link_count)
{
	for (uint32_t i = 0; i < NETS_NODES; i++)
		configure(i, link_count);
}

void
nets_configure_groups(void)
{
	uint32_t pid = (uint32_t)getpid();
	char string[32];

	for (uint32_t i = 0; i < NETS_NODES; i++) {
		struct ringd_net_config *cfg = &nets_configs[i];

		cfg->has_groups = true;
		for (uint32_t link = 0; link < cfg->link_count; link++) {
			struct udp_group *group = &cfg->groups[link];

			snprintf(string, sizeof string, "239.194.%u.%u",
			    pid / 254 % 254 + 1, pid % 254 + 1);
			CHECK_EQ(udp_addr_parse(&group->addr, string,
				     (uint16_t)(5410 + link)),
			    0);
			group->own = cfg->addr[i][link];
			group->ttl = 1;
			group->is_looped = true;
		}
	}
}

void
nets_start_all(void)
{
	for (uint32_t i = 0; i < NETS_NODES; i++)
		nets_start(i);
	nets_run(10);
}

/* ---- sending and looking ----------------------------------------------- */

static uint8_t frame[NETS_FRAME];

static void
send_packet(uint32_t i, unsigned places, struct totem_effect effect)
{
	struct totem_nodes to = { 0 };

	for (uint32_t j = 0; j < NETS_NODES; j++)
		if (places >> j & 1)
			to.id[to.count++] = nets_configs[i].nodes[j];
	effect.kind = TOTEM_OUT_SEND;
	effect.send.to = &to;
	effect.send.bytes = frame;
	ringd_net_send(nets_nodes[i].net, &effect, nets_now_ns);
	memset(frame, 0xee, 8); /* borrowed no longer */
}

void
nets_send(uint32_t i, unsigned places, uint64_t no, size_t len)
{
	struct totem_effect effect = { .send.packet = TOTEM_PACKET_DATA };

	memcpy(frame, &no, sizeof no);
	effect.send.len = len;
	send_packet(i, places, effect);
}

void
nets_send_again(uint32_t i, unsigned places, uint64_t no, size_t len)
{
	struct totem_effect effect = { .send.packet = TOTEM_PACKET_DATA_RETX };

	memcpy(frame, &no, sizeof no);
	effect.send.len = len;
	send_packet(i, places, effect);
}

void
nets_send_control(uint32_t i, unsigned places, bool is_urgent)
{
	struct totem_effect effect = { .send.packet = TOTEM_PACKET_TOKEN };

	effect.send.len = 60;
	effect.send.is_urgent = is_urgent;
	send_packet(i, places, effect);
}

uint64_t
nets_packet_no(uint32_t i, uint32_t at)
{
	uint64_t no;

	memcpy(&no, nets_nodes[i].packets[at].first, sizeof no);
	return no;
}

uint64_t
nets_refused(uint32_t i, enum session_refusal refusal)
{
	struct ringd_net_status status;

	ringd_net_status(nets_nodes[i].net, &status);
	return status.refused[refusal];
}

bool
nets_believes(uint32_t i, uint32_t j)
{
	struct ringd_net_peer peer;

	CHECK(ringd_net_peer(
	    nets_nodes[i].net, 10 * (j + 1), nets_now_ns, &peer));
	return peer.session.is_believed;
}
