/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Other nodes and other links while the ring turns.  Not all do so in the same
 * moment: for a while datagrams are taken that were sent as it was before.
 */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/idmap.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/base/wrbuf.h"

#include "bin/ringd/ringd_net.h"
#include "bin/ringd/ringd_net_internal.h"

enum { OLD_ERRORS_MAX = 256 };

/* Each entry is hashed together with the hash of those before it. */
uint64_t
ringd_net_table_hash(const struct ringd_net_config *cfg)
{
	uint64_t hash = 0;

	for (uint32_t i = 0; i < cfg->node_count; i++) {
		for (uint32_t link = 0; link < cfg->link_count; link++) {
			uint8_t bytes[16 + UDP_ADDR_TEXT_BYTES];
			char string[UDP_ADDR_TEXT_BYTES];
			struct wrbuf wr;
			struct text text;

			text_init(&text, string, sizeof string);
			udp_addr_text(&cfg->addr[i][link], &text);
			wrbuf_init(&wr, bytes, sizeof bytes);
			wrbuf_u64(&wr, hash);
			wrbuf_u32(&wr, cfg->nodes[i]);
			wrbuf_bytes(&wr, string, text.len);
			hash = box_hash(bytes, wr.len);
		}
	}
	return hash;
}

/* ---- nodes ------------------------------------------------------------- */

static void
ringd_net_set_nodes(struct ringd_net *net, const struct ringd_net_config *cfg)
{
	struct session_config session = { .node_count = cfg->node_count,
		.table_hash = ringd_net_table_hash(cfg) };
	struct idmap map;

	idmap_make(&map, net->cfg.nodes, net->cfg.node_count, cfg->nodes,
	    cfg->node_count);
	for (uint32_t i = 0; i < map.before; i++)
		if (map.to[i] == IDMAP_NONE)
			box_key_fini(&net->nodes[i].key);
	idmap_array(&map, net->nodes, sizeof net->nodes[0]);
	idmap_array(&map, net->old.addr, sizeof net->old.addr[0]);
	memcpy(session.nodes, cfg->nodes, sizeof session.nodes);
	session_set_nodes(net->session, &session, net->now_ns);
	link_set_nodes(net->paths, &map, net->now_ns);
	if (net->ears != NULL)
		mcast_set_nodes(net->ears, &map);
	net->cfg.node_count = cfg->node_count;
	memcpy(net->cfg.nodes, cfg->nodes, sizeof net->cfg.nodes);
	memcpy(net->cfg.addr, cfg->addr, sizeof net->cfg.addr);
}

/* ---- links ------------------------------------------------------------- */

/* The links that the node of this place has elsewhere now, as bits. */
static uint8_t
moved_links(const struct ringd_net *net, uint32_t place, uint32_t count)
{
	const union udp_addr *was = net->old.addr[place];
	const union udp_addr *is = net->cfg.addr[place];
	uint8_t links = 0;

	/* A node that is new has never been anywhere. */
	for (uint32_t link = 0; link < count; link++)
		if (was[link].any.sa_family != 0 &&
		    !udp_addr_equal(&was[link], &is[link]))
			links |= (uint8_t)(1U << link);
	return links;
}

/* false: all links are what they were. */
static bool
find_change(
    const struct ringd_net *net, uint32_t link_count, struct link_change *out)
{
	uint32_t count = (uint32_t)num_min(net->old.link_count, link_count);
	uint8_t any = 0;

	*out = (struct link_change){ .link_count = link_count };
	for (uint32_t i = 0; i < net->cfg.node_count; i++) {
		uint8_t moved = moved_links(net, i, count);

		if (net->cfg.nodes[i] == net->cfg.self)
			out->own = moved;
		else
			out->moved[i] = moved;
		any |= moved;
	}
	return any != 0 || net->old.link_count != link_count;
}

/*
 * The sockets of links that came, went, or are bound elsewhere now.  One that
 * had another use before may be full of what came since that was over.
 */
static void
set_sockets(struct ringd_net *net, const struct udp *links, uint32_t count)
{
	for (uint32_t link = 0; link < LIMIT_LINKS; link++) {
		struct udp *udp = &net->links[link];
		const int fd = link < count ? links[link].fd : -1;

		if (udp->fd == fd)
			continue;
		net->old.links[link] = *udp;
		*udp = link < count ? links[link] : (struct udp){ .fd = -1 };
		if (fd >= 0)
			udp_drain(udp);
		net->pending &= ~(3U << 2 * link);
	}
}

static bool
ringd_net_set_links(struct ringd_net *net, const struct ringd_net_config *cfg)
{
	struct link_change change;

	if (!find_change(net, cfg->link_count, &change))
		return false;
	ENSURE((cfg->links != NULL && net->ears == NULL) ||
	    (change.own == 0 && cfg->link_count == net->cfg.link_count));
	if (cfg->links != NULL)
		set_sockets(net, cfg->links, cfg->link_count);
	net->cfg.link_count = cfg->link_count;
	net->old.is_there = true;
	link_set_links(net->paths, &change, net->now_ns);
	return true;
}

bool
ringd_net_configure(
    struct ringd_net *net, const struct ringd_net_config *cfg, uint64_t now_ns)
{
	struct link_config links = { .mode = cfg->link_mode,
		.heartbeat_ns = cfg->heartbeat_ns };
	bool is_other;

	ENSURE(!net->old.is_there);
	net->now_ns = num_max(net->now_ns, now_ns);
	ringd_net_send_waiting(net);
	ringd_net_pull_links(net);
	memcpy(net->old.addr, net->cfg.addr, sizeof net->old.addr);
	net->old.link_count = net->cfg.link_count;
	ringd_net_set_nodes(net, cfg);
	memcpy(links.priority, cfg->link_priority, sizeof links.priority);
	link_set_mode(net->paths, &links, net->now_ns);
	is_other = ringd_net_set_links(net, cfg);
	if (net->ears != NULL)
		mcast_set_heartbeat(net->ears, cfg->heartbeat_ns, net->now_ns);
	ringd_net_pull(net, net->now_ns);
	ringd_net_pull_links(net);
	return is_other;
}

/* ---- as it was --------------------------------------------------------- */

int
ringd_net_old_fd(const struct ringd_net *net, uint32_t link)
{
	ENSURE(link < LIMIT_LINKS);
	return net->old.links[link].fd;
}

void
ringd_net_old_readable(struct ringd_net *net, uint32_t link, uint64_t now_ns)
{
	struct udp_error error;

	ENSURE(link < LIMIT_LINKS);
	net->now_ns = now_ns;
	ringd_net_drain_old(net, link);
	/* The network's words are of what nobody speaks from any more. */
	for (int i = 0; i < OLD_ERRORS_MAX; i++)
		if (!udp_next_error(&net->old.links[link], &error))
			break;
}

void
ringd_net_end_old(struct ringd_net *net)
{
	net->old.is_there = false;
	for (uint32_t link = 0; link < LIMIT_LINKS; link++)
		net->old.links[link].fd = -1;
}
