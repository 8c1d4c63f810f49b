/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Making and opening the net, its administration and what it tells about
 * itself.  Receiving is in ringd_net_rx.c, sending in ringd_net_tx.c, another
 * configuration in ringd_net_configure.c.
 */
#include "bin/ringd/ringd_net.h"

#include <errno.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"

#include "bin/ringd/link_piece.h"
#include "bin/ringd/ringd_net_internal.h"
#include "bin/ringd/totem.h"

static_assert((int)SESSION_TAG_BYTES == (int)BOX_TAG_BYTES,
    "the layout of a datagram is that of the box");

struct box_owner
ringd_net_owner(const struct ringd_net *net, uint32_t node, uint64_t session)
{
	return (struct box_owner){ net->cfg.cluster, node, session };
}

static struct session *
ringd_net_create_session(
    struct arena *arena, const struct ringd_net_config *cfg, uint64_t now_ns)
{
	struct session_boot boot = {
		.now_ns = now_ns,
		.session = box_random_u64() | 1,
		.incarnation = cfg->incarnation,
	};
	struct session_config session = {
		.self = cfg->self,
		.node_count = cfg->node_count,
		.cluster_tag =
		    (uint32_t)box_hash(cfg->cluster, strlen(cfg->cluster)),
		.table_hash = ringd_net_table_hash(cfg),
		.key_id = box_keyring_active(cfg->keys),
		.ciphers = cfg->is_plain_cipher ? BOX_CHACHA20 : box_ciphers(),
		.rekey_after = cfg->rekey_after,
	};

	memcpy(session.nodes, cfg->nodes, sizeof session.nodes);
	return session_create(arena, &session, &boot);
}

static struct links *
ringd_net_create_links(
    struct arena *arena, const struct ringd_net_config *cfg, uint64_t now_ns)
{
	struct link_config links = {
		.node_count = cfg->node_count,
		.link_count = cfg->link_count,
		.mode = cfg->link_mode,
		.heartbeat_ns = cfg->heartbeat_ns,
		.datagram_bytes = cfg->frame_bytes + SESSION_OVERHEAD_BYTES,
	};

	while (cfg->nodes[links.self] != cfg->self)
		links.self++;
	memcpy(links.priority, cfg->link_priority, sizeof links.priority);
	return link_create(arena, &links, now_ns);
}

struct ringd_net *
ringd_net_create(
    struct arena *arena, const struct ringd_net_config *cfg, uint64_t now_ns)
{
	struct ringd_net *net = arena_take(arena, sizeof *net);
	uint8_t *batch = arena_take(arena, UDP_BATCH_BYTES);
	struct udp_rx *rx = udp_rx_create(arena);
	uint8_t *scratch = arena_take(arena, UDP_BATCH_BYTES);
	struct session *session = ringd_net_create_session(arena, cfg, now_ns);
	struct links *paths = ringd_net_create_links(arena, cfg, now_ns);
	struct mcast *ears = ringd_net_mcast_create(arena, cfg, now_ns);
	struct link_wholes *wholes =
	    link_wholes_create(arena, cfg->frame_bytes);
	struct box_owner owner;

	ENSURE(cfg->link_count >= 1 && cfg->link_count <= LIMIT_LINKS);
	ENSURE(cfg->frame_bytes <= LIMIT_FRAME_BYTES_MAX);
	if (net == NULL)
		return NULL;
	memset(net, 0, sizeof *net);
	net->cfg = *cfg;
	net->session = session;
	net->paths = paths;
	net->ears = ears;
	net->frame_bytes = cfg->frame_bytes;
	net->wholes = wholes;
	net->scratch = scratch;
	net->rx = rx;
	net->batch.bytes = batch;
	net->now_ns = now_ns;
	for (uint32_t link = 0; link < LIMIT_LINKS; link++)
		net->links[link].fd = net->old.links[link].fd =
		    net->groups[link].udp.fd = -1;
	owner = ringd_net_owner(net, cfg->self, session_self(session));
	box_key_init(
	    &net->own, cfg->keys, box_keyring_active(cfg->keys), &owner);
	return net;
}

static int
ringd_net_open_link(struct ringd_net *net, uint32_t link)
{
	const struct ringd_net_config *cfg = &net->cfg;
	const union udp_addr *addr =
	    &cfg->addr[session_idx(net->session, cfg->self)][link];
	int rc;

	for (uint32_t i = 0; i < cfg->node_count; i++)
		if (cfg->addr[i][link].any.sa_family != addr->any.sa_family)
			return -EAFNOSUPPORT;
	if (cfg->links != NULL) {
		net->links[link] = cfg->links[link];
		return 0;
	}
	rc = udp_open(&net->links[link], addr,
	    cfg->socket_buffer_bytes > 0 ? cfg->socket_buffer_bytes
					 : RINGD_NET_BUFFER_BYTES);
	if (rc == 0 && cfg->is_segment_off)
		net->links[link].has_segment = false;
	return rc;
}

int
ringd_net_open(struct ringd_net *net, struct text *why)
{
	uint32_t self = session_idx(net->session, net->cfg.self);

	for (uint32_t link = 0; link < net->cfg.link_count; link++) {
		int rc = ringd_net_open_link(net, link);

		if (rc == 0)
			continue;
		udp_addr_text(&net->cfg.addr[self][link], why);
		text_put(why, ": ");
		text_put(why, strerror(-rc));
		while (link > 0)
			udp_close(&net->links[--link]);
		return rc;
	}
	return ringd_net_mcast_open(net, why);
}

void
ringd_net_close(struct ringd_net *net)
{
	ringd_net_mcast_close(net);
	for (uint32_t link = 0; link < LIMIT_LINKS; link++) {
		udp_close(&net->links[link]);
		udp_close(&net->old.links[link]);
	}
	box_key_fini(&net->own);
	box_key_fini(&net->candidate);
	for (uint32_t i = 0; i < net->cfg.node_count; i++)
		box_key_fini(&net->nodes[i].key);
}

uint32_t
ringd_net_link_count(const struct ringd_net *net)
{
	return net->cfg.link_count;
}

int
ringd_net_fd(const struct ringd_net *net, uint32_t link)
{
	ENSURE(link < net->cfg.link_count);
	return net->links[link].fd;
}

uint64_t
ringd_net_deadline_ns(const struct ringd_net *net)
{
	if (net->is_rolled_back)
		return UINT64_MAX;
	return num_min(
	    num_min(session_deadline_ns(net->session), ringd_net_probe_ns(net)),
	    num_min(link_deadline_ns(net->paths),
		ringd_net_mcast_deadline_ns(net)));
}

void
ringd_net_deadline(struct ringd_net *net, uint64_t now_ns)
{
	struct session_now now = { now_ns, box_random_u64() };

	net->now_ns = now_ns;
	session_tick(net->session, &now);
	ringd_net_pull(net, now_ns);
	ringd_net_probe(net);
	link_tick(net->paths, now_ns);
	ringd_net_mcast_tick(net);
	ringd_net_pull_links(net);
}

void
ringd_net_hint(
    struct ringd_net *net, uint32_t link, bool is_usable, uint64_t now_ns)
{
	net->now_ns = now_ns;
	link_hint(net->paths, link, is_usable, now_ns);
	ringd_net_pull_links(net);
}

/* ---- administration ---------------------------------------------------- */

/* SESSION_NO_PEER: not a node, or this one. */
static uint32_t
ringd_net_peer_idx(const struct ringd_net *net, uint32_t node)
{
	if (node == net->cfg.self)
		return SESSION_NO_PEER;
	return session_idx(net->session, node);
}

int
ringd_net_drop(struct ringd_net *net, uint32_t node,
    enum ringd_net_direction direction, uint64_t until_ns)
{
	uint32_t peer = ringd_net_peer_idx(net, node);

	if (peer == SESSION_NO_PEER)
		return -ENOENT;
	if (direction & RINGD_NET_IN)
		net->nodes[peer].drop_in_until_ns = until_ns;
	if (direction & RINGD_NET_OUT)
		net->nodes[peer].drop_out_until_ns = until_ns;
	return 0;
}

/* ---- status ------------------------------------------------------------ */

bool
ringd_net_peer(const struct ringd_net *net, uint32_t node, uint64_t now_ns,
    struct ringd_net_peer *out)
{
	uint32_t peer = ringd_net_peer_idx(net, node);
	const struct ringd_net_node *own;

	if (peer == SESSION_NO_PEER)
		return false;
	own = &net->nodes[peer];
	*out = (struct ringd_net_peer){ 0 };
	session_peer_status(net->session, peer, &out->session);
	for (int i = SESSION_OK + 1; i < SESSION_REFUSALS; i++)
		out->refused[i] = session_refused(
		    net->session, peer, (enum session_refusal)i);
	if (own->drop_in_until_ns > now_ns)
		out->drop_in_until_ns = own->drop_in_until_ns;
	if (own->drop_out_until_ns > now_ns)
		out->drop_out_until_ns = own->drop_out_until_ns;
	for (uint32_t link = 0; link < net->cfg.link_count; link++)
		link_status(net->paths, peer, link, &out->state[link]);
	memcpy(out->links, own->links, sizeof out->links);
	ringd_net_mcast_peer(net, peer, out->mcast);
	return true;
}

void
ringd_net_status(const struct ringd_net *net, struct ringd_net_status *out)
{
	*out = (struct ringd_net_status){
		.session = session_self(net->session),
		.cipher = session_cipher(net->session) == BOX_AES256
		    ? "aes256gcm"
		    : "chacha20poly1305",
		.is_rolled_back = net->is_rolled_back,
	};
	for (int i = SESSION_OK + 1; i < SESSION_REFUSALS; i++)
		out->refused[i] = session_refused_total(
		    net->session, (enum session_refusal)i);
}

const struct udp *
ringd_net_udp(const struct ringd_net *net, uint32_t link)
{
	ENSURE(link < net->cfg.link_count);
	return &net->links[link];
}
