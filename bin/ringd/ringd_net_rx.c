/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Receiving.  Nothing of a datagram's content is looked at before it is
 * authentic; the cheap tests (header, sender, address, window) come before the
 * dear one (the tag).  DATA is opened straight into a cell of the core.
 */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/log.h"

#include "bin/ringd/link_piece.h"
#include "bin/ringd/ringd_net.h"
#include "bin/ringd/ringd_net_internal.h"
#include "bin/ringd/totem.h"

enum {
	RINGD_NET_TURN_MESSAGES = 64,
	RINGD_NET_TURN_DATAGRAMS = 512,
};

/* One received datagram and what is known of it so far. */
struct ringd_net_rx {
	uint32_t link;
	bool is_group; /* it came by the link's group */
	bool is_old;   /* from or to where the link was before */
	const union udp_addr *from;
	const uint8_t *bytes;
	size_t len;
	struct session_header header;
	uint32_t peer; /* or SESSION_NO_PEER */
	bool is_believed;
};

static void
ringd_net_refuse(struct ringd_net *net, const struct ringd_net_rx *rx,
    enum session_refusal refusal)
{
	char bytes[UDP_ADDR_TEXT_BYTES];
	struct text from;

	if (rx->peer != SESSION_NO_PEER && refusal != SESSION_REFUSED_ADDRESS)
		net->nodes[rx->peer].links[rx->link].refused++;
	if (!session_refuse(net->session, rx->peer, refusal, net->now_ns))
		return;
	/* Over several links every control packet comes as a replay, too, and
	 * DATA as a copy of what a group has brought after all. */
	if (refusal == SESSION_REFUSED_REPLAY &&
	    (net->cfg.link_count > 1 || net->ears != NULL))
		return;
	text_init(&from, bytes, sizeof bytes);
	udp_addr_text(rx->from, &from);
	log_line(LOG_LEVEL_WARNING, "datagram-refused",
	    "reason=%s from=%s link=%u total=%llu",
	    session_refusal_name(refusal), bytes, rx->link,
	    (unsigned long long)session_refused_total(net->session, refusal));
}

static bool
ringd_net_open_box(
    const struct box_key *key, const struct ringd_net_rx *rx, uint8_t *plain)
{
	struct box_frame frame = {
		.cipher = (enum box_cipher)rx->header.cipher,
		.counter = rx->header.counter,
		.salt = rx->header.salt,
		.ad = rx->bytes,
		.ad_len = SESSION_HEADER_BYTES,
	};

	return box_open(key, &frame, rx->bytes + SESSION_HEADER_BYTES,
	    rx->len - SESSION_HEADER_BYTES, plain);
}

/* What a group brings says nothing about the way between the two. */
static void
ringd_net_count_group(struct ringd_net *net, const struct ringd_net_rx *rx)
{
	struct ringd_net_counters *counters =
	    &net->nodes[rx->peer].links[rx->link];
	struct link_at at = { rx->peer, rx->link, net->now_ns };

	if (rx->header.kind != SESSION_REPORT)
		mcast_came(net->ears, &at);
	counters->mcast_packets++;
	counters->mcast_bytes += rx->len;
}

static void
ringd_net_count(struct ringd_net *net, const struct ringd_net_rx *rx)
{
	struct ringd_net_node *node = &net->nodes[rx->peer];
	struct link_at at = { rx->peer, rx->link, net->now_ns };

	session_proof_heard(&node->proof);
	if (rx->is_group) {
		ringd_net_count_group(net, rx);
	} else if (rx->header.kind != SESSION_LINK && !rx->is_old) {
		link_came(net->paths, &at);
		link_heard(net->paths, &at, rx->header.counter);
	}
	node->links[rx->link].received_packets++;
	node->links[rx->link].received_bytes += rx->len;
}

static enum session_refusal
ringd_net_data(struct ringd_net *net, const struct ringd_net_rx *rx)
{
	struct totem_input in = {
		.kind = TOTEM_IN_PACKET,
		.now_ns = net->now_ns,
		.packet.node = rx->header.sender,
		.packet.link = rx->link,
		.packet.is_shared = rx->is_group,
		.packet.len = rx->len - SESSION_OVERHEAD_BYTES,
	};
	uint8_t *cell;

	if (in.packet.len > net->cfg.frame_bytes)
		return SESSION_REFUSED_MALFORMED;
	cell = net->cfg.host.cell(net->cfg.host.arg);
	if (!ringd_net_open_box(&net->nodes[rx->peer].key, rx, cell))
		return SESSION_REFUSED_TAG;
	in.packet.bytes = cell;
	in.packet.incarnation =
	    session_pass(net->session, rx->peer, &rx->header);
	ringd_net_count(net, rx);
	net->has_arrived = true;
	net->cfg.host.step(net->cfg.host.arg, &in);
	return SESSION_OK;
}

/* The key of a session that is not believed; NULL: of a key we do not have. */
static const struct box_key *
ringd_net_candidate(struct ringd_net *net, const struct session_header *header)
{
	struct box_owner owner =
	    ringd_net_owner(net, header->sender, header->session);

	if (!box_keyring_has(net->cfg.keys, header->key_id))
		return NULL;
	box_key_init(&net->candidate, net->cfg.keys, header->key_id, &owner);
	return &net->candidate;
}

static enum session_refusal
ringd_net_piece(struct ringd_net *net, const struct ringd_net_rx *rx)
{
	struct totem_input in = { .kind = TOTEM_IN_PACKET,
		.now_ns = net->now_ns,
		.packet.node = rx->header.sender,
		.packet.link = rx->link };
	struct link_piece piece;
	const uint8_t *whole;
	uint8_t *cell;

	if (rx->len > UDP_BATCH_BYTES)
		return SESSION_REFUSED_MALFORMED;
	if (!ringd_net_open_box(&net->nodes[rx->peer].key, rx, net->scratch))
		return SESSION_REFUSED_TAG;
	if (!link_piece_get(net->scratch, rx->len - SESSION_OVERHEAD_BYTES,
		net->cfg.frame_bytes, &piece))
		return SESSION_REFUSED_MALFORMED;
	in.packet.incarnation =
	    session_pass(net->session, rx->peer, &rx->header);
	ringd_net_count(net, rx);
	whole = link_wholes_add(net->wholes, rx->header.session, &piece);
	if (whole == NULL)
		return SESSION_OK;
	cell = net->cfg.host.cell(net->cfg.host.arg);
	memcpy(cell, whole, piece.total);
	in.packet.bytes = cell;
	in.packet.len = piece.total;
	net->has_arrived = true;
	net->cfg.host.step(net->cfg.host.arg, &in);
	return SESSION_OK;
}

static enum session_refusal
ringd_net_hello(struct ringd_net *net, const struct ringd_net_rx *rx)
{
	const struct session_header *header = &rx->header;
	struct session_now now = { net->now_ns, box_random_u64() };
	const struct box_key *key = &net->nodes[rx->peer].key;
	uint8_t plain[SESSION_HELLO_BYTES];
	struct session_hello hello;
	enum session_refusal refusal;

	ENSURE(rx->len == SESSION_OVERHEAD_BYTES + sizeof plain);
	if (!rx->is_believed)
		key = ringd_net_candidate(net, header);
	if (key == NULL)
		return SESSION_REFUSED_KEY_ID;
	if (!ringd_net_open_box(key, rx, plain))
		return SESSION_REFUSED_TAG;
	if (!session_hello_get(plain, sizeof plain, &hello))
		return SESSION_REFUSED_MALFORMED;
	refusal = session_hear(net->session, rx->peer, header, &hello, &now);
	if (refusal == SESSION_OK)
		ringd_net_count(net, rx);
	ringd_net_pull(net, net->now_ns);
	return refusal;
}

/*
 * What a supervisor says of the ringd that it had.  It speaks under a session
 * of its own, which nobody needs to have believed before: that an incarnation
 * is dead stays true, so a recording tells no lie.
 */
static enum session_refusal
ringd_net_obituary(struct ringd_net *net, const struct ringd_net_rx *rx)
{
	uint8_t plain[SESSION_OBITUARY_BYTES];
	struct totem_input in = { .kind = TOTEM_IN_PEER,
		.now_ns = net->now_ns,
		.peer.node = rx->header.sender,
		.peer.verdict = TOTEM_PEER_PROOF };
	struct session_obituary obituary;
	struct session_peer_status status;
	const struct box_key *key;

	/* The copies of one that was heard cost no cryptography. */
	session_peer_status(net->session, rx->peer, &status);
	if (!status.is_believed)
		return SESSION_REFUSED_SESSION;
	key = ringd_net_candidate(net, &rx->header);
	if (key == NULL)
		return SESSION_REFUSED_KEY_ID;
	if (!ringd_net_open_box(key, rx, plain))
		return SESSION_REFUSED_TAG;
	if (!session_obituary_get(plain, sizeof plain, &obituary))
		return SESSION_REFUSED_MALFORMED;
	if (!session_bury(
		net->session, rx->peer, obituary.incarnation, net->now_ns))
		return SESSION_REFUSED_INCARNATION;
	log_line(LOG_LEVEL_NOTICE, "peer-died",
	    "node=%u incarnation=%llu by=%s number=%u", rx->header.sender,
	    (unsigned long long)obituary.incarnation,
	    session_death_name(obituary.death), obituary.number);
	in.peer.incarnation = obituary.incarnation;
	net->cfg.host.step(net->cfg.host.arg, &in);
	return SESSION_OK;
}

static enum session_refusal
ringd_net_hear_link(struct ringd_net *net, const struct ringd_net_rx *rx)
{
	struct link_at at = { rx->peer, rx->link, net->now_ns };
	struct link_packet packet;

	if (rx->len > UDP_BATCH_BYTES)
		return SESSION_REFUSED_MALFORMED;
	if (!ringd_net_open_box(&net->nodes[rx->peer].key, rx, net->scratch))
		return SESSION_REFUSED_TAG;
	if (!link_packet_get(
		net->scratch, rx->len - SESSION_OVERHEAD_BYTES, &packet))
		return SESSION_REFUSED_MALFORMED;
	if (!link_hear(net->paths, &at, &packet, (uint32_t)rx->len))
		return SESSION_REFUSED_REPLAY;
	link_heard(net->paths, &at, rx->header.counter);
	ringd_net_count(net, rx);
	ringd_net_pull_links(net);
	return SESSION_OK;
}

static enum session_refusal
ringd_net_hear_report(struct ringd_net *net, const struct ringd_net_rx *rx)
{
	struct link_at at = { rx->peer, rx->link, net->now_ns };
	uint8_t plain[MCAST_REPORT_BYTES];
	struct mcast_report report;

	ENSURE(rx->len == SESSION_OVERHEAD_BYTES + sizeof plain);
	if (!ringd_net_open_box(&net->nodes[rx->peer].key, rx, plain))
		return SESSION_REFUSED_TAG;
	(void)session_pass(net->session, rx->peer, &rx->header);
	if (!mcast_report_get(plain, sizeof plain, &report) ||
	    !mcast_hear(net->ears, &at, &report))
		return SESSION_REFUSED_MALFORMED;
	ringd_net_count(net, rx);
	ringd_net_mcast_settle(net);
	return SESSION_OK;
}

static bool
ringd_net_is_dropped(struct ringd_net *net, const struct ringd_net_rx *rx)
{
	struct ringd_net_node *node = &net->nodes[rx->peer];

	if (node->drop_in_until_ns <= net->now_ns)
		return false;
	node->links[rx->link].filtered_in++;
	return true;
}

/*
 * To a group goes what is for all, and can neither begin a session nor change
 * what is thought of a link.
 */
static bool
ringd_net_is_right_way(const struct ringd_net_rx *rx)
{
	if (rx->header.kind == SESSION_REPORT)
		return rx->is_group;
	return !rx->is_group ||
	    (rx->header.kind == SESSION_DATA && rx->header.dst == 0);
}

/* Does it come from where its link is, or was? */
static bool
ringd_net_is_from(const struct ringd_net *net, struct ringd_net_rx *rx)
{
	if (rx->link < net->cfg.link_count &&
	    udp_addr_equal(rx->from, &net->cfg.addr[rx->peer][rx->link]))
		return true;
	rx->is_old = net->old.is_there && rx->link < net->old.link_count &&
	    udp_addr_equal(rx->from, &net->old.addr[rx->peer][rx->link]);
	return rx->is_old;
}

/* Whose it claims to be, and whether it came from there. */
static enum session_refusal
ringd_net_identify(struct ringd_net *net, struct ringd_net_rx *rx)
{
	enum session_refusal refusal =
	    session_header_get(rx->bytes, rx->len, &rx->header);

	rx->peer = SESSION_NO_PEER;
	if (refusal == SESSION_OK)
		refusal = session_find(net->session, &rx->header, &rx->peer);
	if (refusal == SESSION_OK && !ringd_net_is_from(net, rx))
		refusal = SESSION_REFUSED_ADDRESS;
	if (refusal == SESSION_OK && !ringd_net_is_right_way(rx))
		refusal = SESSION_REFUSED_DESTINATION;
	return refusal;
}

/*
 * A copy of what came over another link already, or a repetition: opened only
 * where that may show that the link is alive.
 */
static void
ringd_net_copy(struct ringd_net *net, const struct ringd_net_rx *rx)
{
	struct link_at at = { rx->peer, rx->link, net->now_ns };

	if (!rx->is_believed || rx->is_old || rx->len > UDP_BATCH_BYTES)
		return;
	if (rx->is_group) {
		if (rx->header.kind == SESSION_DATA)
			mcast_copied(net->ears, &at);
		return;
	}
	link_came(net->paths, &at);
	if (link_wants(net->paths, &at, rx->header.counter) &&
	    ringd_net_open_box(&net->nodes[rx->peer].key, rx, net->scratch))
		link_heard(net->paths, &at, rx->header.counter);
}

static enum session_refusal
ringd_net_take(struct ringd_net *net, struct ringd_net_rx *rx)
{
	enum session_refusal refusal;

	if (rx->header.kind == SESSION_OBITUARY)
		return ringd_net_obituary(net, rx);
	/* What it says of its pair is of the one that was. */
	if (rx->header.kind == SESSION_LINK && rx->is_old)
		return SESSION_OK;
	refusal = session_check(
	    net->session, rx->peer, &rx->header, net->now_ns, &rx->is_believed);
	if (refusal == SESSION_REFUSED_REPLAY)
		ringd_net_copy(net, rx);
	if (refusal != SESSION_OK)
		return refusal;
	switch (rx->header.kind) {
	case SESSION_DATA:
		return ringd_net_data(net, rx);
	case SESSION_HELLO:
		return ringd_net_hello(net, rx);
	case SESSION_LINK:
		return ringd_net_hear_link(net, rx);
	case SESSION_PIECE:
		return ringd_net_piece(net, rx);
	case SESSION_REPORT:
		return ringd_net_hear_report(net, rx);
	case SESSION_OBITUARY:
		break;
	}
	return SESSION_REFUSED_MALFORMED;
}

static bool
ringd_net_is_own(const struct ringd_net *net, const struct ringd_net_rx *rx)
{
	return udp_addr_equal(rx->from, &net->cfg.groups[rx->link].own);
}

static void
ringd_net_datagram(struct ringd_net *net, struct ringd_net_rx *rx)
{
	enum session_refusal refusal;

	/* Of several nodes on one machine each hears itself, too. */
	if (rx->is_group && ringd_net_is_own(net, rx))
		return;
	refusal = ringd_net_identify(net, rx);
	if (refusal == SESSION_OK && ringd_net_is_dropped(net, rx))
		return;
	if (refusal == SESSION_OK)
		refusal = ringd_net_take(net, rx);
	if (refusal != SESSION_OK)
		ringd_net_refuse(net, rx, refusal);
}

/* The datagrams of one message; answers how many. */
static uint32_t
ringd_net_message(struct ringd_net *net, const struct ringd_net_rx *to,
    const struct udp_message *message)
{
	uint32_t count = 0;
	size_t at = 0;

	do { /* an empty datagram is one, too */
		struct ringd_net_rx rx = *to;

		rx.from = message->from;
		rx.bytes = message->bytes + at;
		rx.len = num_min(message->segment_bytes, message->len - at);
		ringd_net_datagram(net, &rx);
		count++;
		at += message->segment_bytes;
	} while (at < message->len);
	return count;
}

/* false: there may be more. */
static bool
ringd_net_drain(
    struct ringd_net *net, struct udp *udp, const struct ringd_net_rx *to)
{
	uint32_t messages = 0, datagrams = 0, got = UDP_RX_MESSAGES;

	while (got == UDP_RX_MESSAGES && messages < RINGD_NET_TURN_MESSAGES &&
	    datagrams < RINGD_NET_TURN_DATAGRAMS) {
		got = udp_receive(udp, net->rx);
		for (uint32_t i = 0; i < got; i++) {
			struct udp_message message = udp_rx_message(net->rx, i);

			datagrams += ringd_net_message(net, to, &message);
		}
		messages += got;
	}
	return got != UDP_RX_MESSAGES;
}

static void
ringd_net_drain_link(struct ringd_net *net, uint32_t link, bool is_group)
{
	struct udp *udp = is_group ? &net->groups[link].udp : &net->links[link];
	struct ringd_net_rx to = { .link = link, .is_group = is_group };
	uint32_t bit = 1U << (2 * link + is_group);

	if (ringd_net_drain(net, udp, &to))
		net->pending &= ~bit;
	else
		net->pending |= bit;
}

void
ringd_net_drain_old(struct ringd_net *net, uint32_t link)
{
	struct ringd_net_rx to = { .link = link, .is_old = true };

	(void)ringd_net_drain(net, &net->old.links[link], &to);
}

void
ringd_net_readable(struct ringd_net *net, uint32_t link, uint64_t now_ns)
{
	ENSURE(link < net->cfg.link_count);
	net->now_ns = now_ns;
	ringd_net_drain_link(net, link, false);
}

void
ringd_net_group_readable(struct ringd_net *net, uint32_t link, uint64_t now_ns)
{
	ENSURE(link < net->cfg.link_count && net->ears != NULL);
	net->now_ns = now_ns;
	ringd_net_drain_link(net, link, true);
}
