/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DATA by groups (DESIGN.md, 6.6): the sockets that hear them, who gets a copy
 * of its own all the same, and what is told about it.
 */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/text.h"
#include "libcommon/os/log.h"

#include "bin/ringd/ringd_net.h"
#include "bin/ringd/ringd_net_internal.h"

static_assert((int)MCAST_REPORT_BYTES == (int)SESSION_REPORT_BYTES,
    "a REPORT has one length");

enum { RINGD_NET_HEARERS_MIN = 2 }; /* fewer: each gets its own */

/* ---- opening ----------------------------------------------------------- */

struct mcast *
ringd_net_mcast_create(
    struct arena *arena, const struct ringd_net_config *cfg, uint64_t now_ns)
{
	struct mcast_config ears = {
		.node_count = cfg->node_count,
		.links = (uint8_t)((1U << cfg->link_count) - 1),
		.heartbeat_ns = cfg->heartbeat_ns,
	};

	if (!cfg->has_groups)
		return NULL;
	while (cfg->nodes[ears.self] != cfg->self)
		ears.self++;
	return mcast_create(arena, &ears, now_ns);
}

static int
open_group(struct ringd_net *net, uint32_t link)
{
	struct ringd_net_group *group = &net->groups[link];

	group->ifindex = RINGD_NET_NOWHERE;
	mcast_hint(net->ears, link, false, net->now_ns);
	if (net->cfg.group_sockets != NULL) {
		group->udp = net->cfg.group_sockets[link];
		return 0;
	}
	return udp_group_open(&group->udp, &net->cfg.groups[link],
	    net->cfg.socket_buffer_bytes > 0 ? net->cfg.socket_buffer_bytes
					     : RINGD_NET_BUFFER_BYTES);
}

int
ringd_net_mcast_open(struct ringd_net *net, struct text *why)
{
	if (net->ears == NULL)
		return 0;
	for (uint32_t link = 0; link < net->cfg.link_count; link++) {
		int rc = open_group(net, link);

		if (rc == 0)
			continue;
		udp_addr_text(&net->cfg.groups[link].addr, why);
		text_put(why, ": ");
		text_put(why, strerror(-rc));
		ringd_net_close(net);
		return rc;
	}
	return 0;
}

void
ringd_net_mcast_close(struct ringd_net *net)
{
	for (uint32_t link = 0; link < net->cfg.link_count; link++)
		udp_close(&net->groups[link].udp);
}

int
ringd_net_group_fd(const struct ringd_net *net, uint32_t link)
{
	ENSURE(link < net->cfg.link_count);
	return net->groups[link].udp.fd;
}

/* ---- where ------------------------------------------------------------- */

static int
join(struct ringd_net *net, uint32_t link, int ifindex)
{
	const struct udp_group *what = &net->cfg.groups[link];
	int rc;

	rc = udp_group_aim(&net->links[link], what, (uint32_t)ifindex);
	if (rc < 0)
		return rc;
	return udp_group_join(&net->groups[link].udp, what, (uint32_t)ifindex);
}

static void
log_place(const struct ringd_net *net, uint32_t link)
{
	const struct ringd_net_group *group = &net->groups[link];
	char bytes[UDP_ADDR_TEXT_BYTES];
	struct text text;

	text_init(&text, bytes, sizeof bytes);
	udp_addr_text(&net->cfg.groups[link].addr, &text);
	log_line(group->is_joined ? LOG_LEVEL_NOTICE : LOG_LEVEL_WARNING,
	    "group", "link=%u group=%s joined=%s interface=%d errno=%d", link,
	    text.bytes, group->is_joined ? "yes" : "no", group->ifindex,
	    group->error);
}

void
ringd_net_place(
    struct ringd_net *net, uint32_t link, int ifindex, uint64_t now_ns)
{
	struct ringd_net_group *group = &net->groups[link];
	int rc = 0;

	ENSURE(link < net->cfg.link_count);
	net->now_ns = now_ns;
	if (net->ears == NULL || group->ifindex == ifindex)
		return;
	if (group->is_joined)
		udp_group_leave(&group->udp, &net->cfg.groups[link],
		    (uint32_t)group->ifindex);
	if (ifindex != RINGD_NET_NOWHERE)
		rc = join(net, link, ifindex);
	group->is_joined = ifindex != RINGD_NET_NOWHERE && rc == 0;
	group->error = -rc;
	/* What failed is tried again when the kernel tells more. */
	group->ifindex = rc == 0 ? ifindex : RINGD_NET_NOWHERE;
	log_place(net, link);
	mcast_hint(net->ears, link, group->is_joined, now_ns);
	ringd_net_mcast_settle(net);
}

/* ---- what goes to a group ----------------------------------------------- */

/* A firewall that keeps a datagram from one cannot let the group have it. */
static bool
is_filtered(const struct ringd_net *net)
{
	for (uint32_t i = 0; i < net->cfg.node_count; i++)
		if (net->nodes[i].drop_out_until_ns > net->now_ns)
			return true;
	return false;
}

static void
send_to_group(
    struct ringd_net *net, uint32_t link, const struct ringd_net_batch *batch)
{
	struct udp_batch bytes = { batch->bytes, batch->len,
		batch->segment_bytes };
	const union udp_addr *to = &net->cfg.groups[link].addr;

	net->groups[link].sent_packets += batch->count;
	net->groups[link].sent_bytes += batch->len;
	udp_send(&net->links[link], &bytes, &to, 1);
}

void
ringd_net_mcast_send(struct ringd_net *net, const struct ringd_net_batch *batch,
    uint32_t link, uint8_t links[LIMIT_NODES])
{
	uint64_t hearers = 0;

	if (net->ears == NULL || batch->way != RINGD_NET_SHARED ||
	    !net->groups[link].is_joined || is_filtered(net))
		return;
	for (uint32_t i = 0; i < net->cfg.node_count; i++)
		if ((links[i] & link_group(net->paths, i)) >> link & 1)
			hearers |= (uint64_t)1 << i;
	if (__builtin_popcountll(hearers) < RINGD_NET_HEARERS_MIN)
		return;
	mcast_sent(net->ears, link, batch->count);
	send_to_group(net, link, batch);
	for (uint32_t i = 0; i < net->cfg.node_count; i++)
		if (hearers >> i & 1)
			links[i] &= (uint8_t) ~(1U << link);
}

static void
send_report(struct ringd_net *net, const struct mcast_report *report)
{
	uint8_t plain[MCAST_REPORT_BYTES];
	uint8_t bytes[SESSION_OVERHEAD_BYTES + MCAST_REPORT_BYTES];
	struct ringd_net_batch batch = { .bytes = bytes,
		.len = sizeof bytes,
		.segment_bytes = sizeof bytes,
		.count = 1 };
	struct session_header header;

	if (net->is_rolled_back || is_filtered(net))
		return;
	mcast_report_put(report, plain);
	session_stamp(net->session, SESSION_REPORT, 0, &header);
	ringd_net_seal(net, &header, plain, sizeof plain, bytes);
	send_to_group(net, report->link, &batch);
}

/* ---- what is told ------------------------------------------------------ */

void
ringd_net_mcast_settle(struct ringd_net *net)
{
	for (uint32_t i = 0; i < net->cfg.node_count; i++)
		if (net->cfg.nodes[i] != net->cfg.self)
			link_set_group(
			    net->paths, i, mcast_hears(net->ears, i));
	ringd_net_pull_links(net);
}

/* Whether the peer hears us has changed. */
static void
log_hearer(struct ringd_net *net, uint32_t peer, uint32_t link, bool hears)
{
	struct ringd_net_lines *lines = &net->nodes[peer].group_lines[link];

	if (!ringd_net_may_log(net, lines))
		return;
	log_line(LOG_LEVEL_NOTICE, hears ? "group-heard" : "group-unheard",
	    "node=%u link=%u untold=%u", net->cfg.nodes[peer], link,
	    lines->untold);
	lines->untold = 0;
}

static void
log_hearers(struct ringd_net *net)
{
	for (uint32_t i = 0; i < net->cfg.node_count; i++) {
		uint8_t hears = link_group(net->paths, i);
		uint8_t changed = hears ^ net->nodes[i].hears;

		net->nodes[i].hears = hears;
		for (uint32_t link = 0; changed >> link != 0; link++)
			if (changed >> link & 1)
				log_hearer(
				    net, i, link, (hears >> link & 1) != 0);
	}
}

uint64_t
ringd_net_mcast_deadline_ns(const struct ringd_net *net)
{
	return net->ears != NULL ? mcast_deadline_ns(net->ears) : UINT64_MAX;
}

void
ringd_net_mcast_tick(struct ringd_net *net)
{
	struct mcast_report report;

	if (net->ears == NULL || net->now_ns < mcast_deadline_ns(net->ears))
		return;
	mcast_tick(net->ears, net->now_ns);
	while (mcast_next(net->ears, &report))
		send_report(net, &report);
	ringd_net_mcast_settle(net);
	log_hearers(net);
}

/* ---- status ------------------------------------------------------------ */

void
ringd_net_mcast_peer(const struct ringd_net *net, uint32_t peer,
    struct ringd_net_mcast_peer out[LIMIT_LINKS])
{
	memset(out, 0, LIMIT_LINKS * sizeof out[0]);
	if (net->ears == NULL)
		return;
	for (uint32_t link = 0; link < net->cfg.link_count; link++)
		out[link] = (struct ringd_net_mcast_peer){
			.hears_us = (link_group(net->paths, peer) >> link & 1),
			.is_heard = (mcast_hears(net->ears, peer) >> link & 1),
			.loss_in = mcast_loss(net->ears, peer, link),
		};
}

void
ringd_net_mcast(
    const struct ringd_net *net, uint32_t link, struct ringd_net_mcast *out)
{
	const struct ringd_net_group *group = &net->groups[link];

	ENSURE(link < net->cfg.link_count);
	*out = (struct ringd_net_mcast){
		.has_group = net->ears != NULL,
		.is_joined = group->is_joined,
		.error = group->error,
		.group = net->cfg.groups[link].addr,
		.sent_packets = group->sent_packets,
		.sent_bytes = group->sent_bytes,
	};
}
