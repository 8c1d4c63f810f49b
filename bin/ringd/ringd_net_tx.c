/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sending.  The core's bytes are sealed straight into the batch (encryption
 * is the copy), once for all destinations; a batch ends where the kernel could
 * not cut it any more, or where the next datagram goes elsewhere.
 *
 * link.h says which links a packet takes; control packets take all that are up.
 * The receiver's replay window drops the copies.
 */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/os/log.h"

#include "bin/ringd/ringd_net.h"
#include "bin/ringd/ringd_net_internal.h"
#include "bin/ringd/totem.h"

static_assert((int)UDP_DESTINATIONS_MAX >= (int)LIMIT_NODES,
    "a batch goes to all peers by one call");
static_assert((int)LIMIT_FRAME_BYTES_MAX + (int)SESSION_OVERHEAD_BYTES <=
	(int)UDP_BATCH_BYTES,
    "any one datagram fits the batch");

/*
 * The salt is drawn
 * anew in every turn of the loop: a machine that is set back to a snapshot
 * uses counters again, and must not use them with the same salt.
 */
void
ringd_net_seal(struct ringd_net *net, struct session_header *header,
    const uint8_t *plain, size_t len, uint8_t *out)
{
	struct box_frame frame;

	if (!net->is_salted)
		box_random(&net->salt, sizeof net->salt);
	net->is_salted = true;
	header->salt = net->salt;
	session_header_put(header, out);
	frame = (struct box_frame){
		.cipher = (enum box_cipher)header->cipher,
		.counter = header->counter,
		.salt = header->salt,
		.ad = out,
		.ad_len = SESSION_HEADER_BYTES,
	};
	box_seal(&net->own, &frame, plain, len, out + SESSION_HEADER_BYTES);
}

/* ---- the batch --------------------------------------------------------- */

/* The links that it takes to each peer, as bits. */
static void
ringd_net_route(struct ringd_net *net, const struct ringd_net_batch *batch,
    uint8_t links[LIMIT_NODES])
{
	for (uint32_t i = 0; i < net->cfg.node_count; i++) {
		if (batch->to >> i & 1)
			links[i] = batch->way == RINGD_NET_CONTROL
			    ? link_control(net->paths, i)
			    : link_data(net->paths, i, net->turn);
	}
	net->turn++;
}

static void
ringd_net_send_batch(struct ringd_net *net, const struct ringd_net_batch *batch,
    uint32_t link, uint8_t links[LIMIT_NODES])
{
	const union udp_addr *to[UDP_DESTINATIONS_MAX];
	struct udp_batch bytes = { batch->bytes, batch->len,
		batch->segment_bytes };
	size_t count = 0;

	ringd_net_mcast_send(net, batch, link, links);
	for (uint32_t i = 0; i < net->cfg.node_count; i++) {
		struct ringd_net_counters *counters =
		    &net->nodes[i].links[link];
		struct link_at at = { i, link, net->now_ns };

		if (!(links[i] >> link & 1))
			continue;
		link_sent(net->paths, &at, batch->count);
		if (net->nodes[i].drop_out_until_ns > net->now_ns) {
			counters->filtered_out += batch->count;
			continue;
		}
		counters->sent_packets += batch->count;
		counters->sent_bytes += batch->len;
		to[count++] = &net->cfg.addr[i][link];
	}
	if (count > 0)
		udp_send(&net->links[link], &bytes, to, count);
}

void
ringd_net_transmit(struct ringd_net *net, const struct ringd_net_batch *batch)
{
	uint8_t links[LIMIT_NODES] = { 0 };

	ringd_net_route(net, batch, links);
	for (uint32_t link = 0; link < net->cfg.link_count; link++)
		ringd_net_send_batch(net, batch, link, links);
}

void
ringd_net_send_waiting(struct ringd_net *net)
{
	struct ringd_net_batch *batch = &net->batch;

	if (batch->count == 0)
		return;
	ringd_net_transmit(net, batch);
	*batch = (struct ringd_net_batch){ .bytes = batch->bytes };
}

/* May a datagram of len bytes join what waits? */
static bool
ringd_net_fits(const struct ringd_net_batch *batch, size_t len, uint64_t to,
    enum ringd_net_way way)
{
	return batch->count == 0 ||
	    (batch->to == to && batch->way == way && !batch->is_closed &&
		len <= batch->segment_bytes &&
		batch->count < UDP_BATCH_SEGMENTS &&
		batch->len + len <= UDP_BATCH_BYTES);
}

static void
ringd_net_append(struct ringd_net *net, const struct totem_effect *effect,
    uint64_t to, enum ringd_net_way way)
{
	struct ringd_net_batch *batch = &net->batch;
	const struct totem_nodes *nodes = effect->send.to;
	size_t len = effect->send.len + SESSION_OVERHEAD_BYTES;
	struct session_header header;

	ENSURE(batch->len + len <= UDP_BATCH_BYTES);
	session_stamp(net->session, SESSION_DATA,
	    nodes->count == 1 ? nodes->id[0] : 0, &header);
	ringd_net_seal(net, &header, effect->send.bytes, effect->send.len,
	    batch->bytes + batch->len);
	if (batch->count == 0)
		batch->segment_bytes = len;
	batch->is_closed = len < batch->segment_bytes;
	batch->to = to;
	batch->way = way;
	batch->len += len;
	batch->count++;
}

/* The places of nodes, as bits; both lists ascend. */
static uint64_t
ringd_net_places(const struct ringd_net *net, const struct totem_nodes *nodes)
{
	uint64_t places = 0;
	uint32_t place = 0;

	for (uint32_t i = 0; i < nodes->count; i++) {
		while (place < net->cfg.node_count &&
		    net->cfg.nodes[place] < nodes->id[i])
			place++;
		if (place < net->cfg.node_count &&
		    net->cfg.nodes[place] == nodes->id[i] &&
		    nodes->id[i] != net->cfg.self)
			places |= (uint64_t)1 << place;
	}
	return places;
}

/* What is sent again was lost perhaps because a group is not heard. */
static enum ringd_net_way
ringd_net_way(enum totem_packet packet)
{
	if (packet == TOTEM_PACKET_DATA)
		return RINGD_NET_SHARED;
	return packet == TOTEM_PACKET_DATA_RETX ? RINGD_NET_EACH
						: RINGD_NET_CONTROL;
}

void
ringd_net_send(
    struct ringd_net *net, const struct totem_effect *effect, uint64_t now_ns)
{
	uint64_t to = ringd_net_places(net, effect->send.to);
	size_t len = effect->send.len + SESSION_OVERHEAD_BYTES;
	enum ringd_net_way way = ringd_net_way(effect->send.packet);
	struct ringd_net_narrow narrow;

	ENSURE(effect->kind == TOTEM_OUT_SEND);
	ENSURE(
	    effect->send.len > 0 && effect->send.len <= net->cfg.frame_bytes);
	net->now_ns = now_ns;
	if (net->is_rolled_back)
		return;
	narrow = ringd_net_narrow(net, to, len, way == RINGD_NET_CONTROL);
	if (narrow.to != 0)
		ringd_net_send_pieces(net, effect, &narrow);
	to &= ~narrow.to;
	if (to == 0)
		return;
	if (!ringd_net_fits(&net->batch, len, to, way))
		ringd_net_send_waiting(net);
	ringd_net_append(net, effect, to, way);
	if (effect->send.is_urgent)
		ringd_net_send_waiting(net);
}

void
ringd_net_flush(struct ringd_net *net, uint64_t now_ns)
{
	struct totem_input idle = { .kind = TOTEM_IN_IDLE, .now_ns = now_ns };

	net->now_ns = now_ns;
	if (net->has_arrived && net->pending == 0) {
		net->has_arrived = false;
		net->cfg.host.step(net->cfg.host.arg, &idle);
	}
	ringd_net_send_waiting(net);
	ringd_net_pull_links(net);
	net->is_salted = false;
}

/* ---- the session's effects --------------------------------------------- */

/* A HELLO is alone in its datagram and goes over every link. */
static void
ringd_net_send_hello(
    struct ringd_net *net, uint32_t peer, const struct session_hello *hello)
{
	uint8_t plain[SESSION_HELLO_BYTES];
	uint8_t bytes[SESSION_OVERHEAD_BYTES + SESSION_HELLO_BYTES];
	struct udp_batch batch = { bytes, sizeof bytes, sizeof bytes };
	struct session_header header;

	session_hello_put(hello, plain);
	session_stamp(
	    net->session, SESSION_HELLO, net->cfg.nodes[peer], &header);
	ringd_net_seal(net, &header, plain, sizeof plain, bytes);
	for (uint32_t link = 0; link < net->cfg.link_count; link++) {
		const union udp_addr *to = &net->cfg.addr[peer][link];
		struct ringd_net_counters *counters =
		    &net->nodes[peer].links[link];
		struct link_at at = { peer, link, net->now_ns };

		link_sent(net->paths, &at, 1);
		if (net->nodes[peer].drop_out_until_ns > net->now_ns) {
			counters->filtered_out++;
			continue;
		}
		counters->sent_packets++;
		counters->sent_bytes += sizeof bytes;
		udp_send(&net->links[link], &batch, &to, 1);
	}
}

/* The peer's session is that of the HELLO just heard. */
static void
ringd_net_believe(struct ringd_net *net, const struct session_effect *effect)
{
	struct session_peer_status status;

	net->nodes[effect->peer].key = net->candidate;
	link_greet(net->paths, effect->peer, effect->is_restart, net->now_ns);
	if (net->ears != NULL && effect->is_restart)
		mcast_greet(net->ears, effect->peer, net->now_ns);
	session_peer_status(net->session, effect->peer, &status);
	log_line(LOG_LEVEL_INFO, "peer-session",
	    "node=%u incarnation=%llu restart=%s same_table=%s", status.node,
	    (unsigned long long)status.incarnation,
	    effect->is_restart ? "yes" : "no",
	    status.is_table_different ? "no" : "yes");
	if (status.is_table_different)
		log_line(LOG_LEVEL_WARNING, "table-differs",
		    "node=%u msg=give\\0040it\\0040the\\0040same\\0040file,"
		    "\\0040then\\0040ringkit\\0040reload",
		    status.node);
}

void
ringd_net_rekey(struct ringd_net *net, uint64_t now_ns)
{
	struct box_owner owner;
	uint64_t session = box_random_u64() | 1;

	/* What waits is sealed under the old one and still good. */
	ringd_net_send_waiting(net);
	session_set_key(net->session, box_keyring_active(net->cfg.keys));
	session_rekey(net->session, session, now_ns);
	owner = ringd_net_owner(net, net->cfg.self, session);
	box_key_init(&net->own, net->cfg.keys,
	    box_keyring_active(net->cfg.keys), &owner);
	log_line(LOG_LEVEL_INFO, "session-rekeyed", "key_id=%u",
	    (unsigned)box_keyring_active(net->cfg.keys));
}

static void
ringd_net_roll_back(struct ringd_net *net)
{
	if (net->is_rolled_back)
		return;
	net->is_rolled_back = true;
	log_line(LOG_LEVEL_ERROR, "rolled-back",
	    "text=\"a peer has seen more than this node ever sent\"");
	net->cfg.host.rolled_back(net->cfg.host.arg);
}

void
ringd_net_pull(struct ringd_net *net, uint64_t now_ns)
{
	struct session_effect effect;

	while (session_next(net->session, &effect)) {
		switch (effect.kind) {
		case SESSION_OUT_HELLO:
			if (!net->is_rolled_back)
				ringd_net_send_hello(
				    net, effect.peer, &effect.hello);
			break;
		case SESSION_OUT_BELIEVED:
			ringd_net_believe(net, &effect);
			break;
		case SESSION_OUT_ROLLED_BACK:
			ringd_net_roll_back(net);
			break;
		case SESSION_OUT_OUTLIVED:
			net->cfg.host.outlived(
			    net->cfg.host.arg, effect.outlived);
			break;
		case SESSION_OUT_REKEY:
			ringd_net_rekey(net, now_ns);
			break;
		}
	}
}
