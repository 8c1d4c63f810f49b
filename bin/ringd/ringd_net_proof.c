/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the network says about datagrams of ours.  Only a refusal that quotes
 * our session and a late counter counts, and only as a reason to ask: the rules
 * are in session_proof.h.  A machine tells few refusals a second, but of the
 * first handful none is held back.
 */
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/os/log.h"

#include "bin/ringd/link.h"
#include "bin/ringd/ringd_net.h"
#include "bin/ringd/ringd_net_internal.h"
#include "bin/ringd/session_proof.h"
#include "bin/ringd/totem.h"

enum {
	ERRORS_MAX = 256,   /* taken in one turn */
	QUOTE_LATE = 65536, /* counters back */
};

/*
 * Links on which the peer was ever heard.  One that is silent may be slow, or
 * cut, and nobody there is gone: what it does not refuse proves nothing.
 */
static uint32_t
heard_links(const struct ringd_net *net, uint32_t peer)
{
	struct link_status status;
	uint32_t links = 0;

	for (uint32_t link = 0; link < net->cfg.link_count; link++) {
		link_status(net->paths, peer, link, &status);
		if (status.was_heard)
			links |= 1U << link;
	}
	return links;
}

static uint32_t
peer_at(const struct ringd_net *net, uint32_t link, const union udp_addr *to)
{
	for (uint32_t i = 0; i < net->cfg.node_count; i++)
		if (net->cfg.nodes[i] != net->cfg.self &&
		    udp_addr_equal(to, &net->cfg.addr[i][link]))
			return i;
	return SESSION_NO_PEER;
}

/* Is it a datagram that we sent lately, to that peer or to all? */
static bool
is_ours(const struct ringd_net *net, uint32_t peer,
    const struct udp_error *error, struct session_header *header)
{
	uint64_t counter = session_counter(net->session);

	return session_header_peek(error->quote, error->quote_len, header) &&
	    header->sender == net->cfg.self &&
	    header->session == session_self(net->session) &&
	    (header->dst == 0 || header->dst == net->cfg.nodes[peer]) &&
	    header->counter <= counter &&
	    counter - header->counter < QUOTE_LATE;
}

static void
prove(struct ringd_net *net, uint32_t peer, uint64_t incarnation)
{
	struct totem_input in = { .kind = TOTEM_IN_PEER,
		.now_ns = net->now_ns,
		.peer.node = net->cfg.nodes[peer],
		.peer.incarnation = incarnation,
		.peer.verdict = TOTEM_PEER_PROOF };

	log_line(LOG_LEVEL_NOTICE, "peer-gone", "node=%u incarnation=%llu",
	    in.peer.node, (unsigned long long)incarnation);
	net->cfg.host.step(net->cfg.host.arg, &in);
}

static void
take(struct ringd_net *net, uint32_t link, const struct udp_error *error)
{
	uint32_t peer = peer_at(net, link, &error->to);
	struct session_peer_status status;
	struct session_header header;

	if (error->kind != UDP_ERROR_NO_PORT || peer == SESSION_NO_PEER)
		return;
	session_peer_status(net->session, peer, &status);
	if (!status.is_believed ||
	    net->nodes[peer].drop_in_until_ns > net->now_ns ||
	    !is_ours(net, peer, error, &header))
		return;
	if (session_proof_refused(&net->nodes[peer].proof, link, header.counter,
		heard_links(net, peer), net->now_ns))
		prove(net, peer, status.incarnation);
}

void
ringd_net_errors(struct ringd_net *net, uint32_t link, uint64_t now_ns)
{
	struct udp_error error;

	net->now_ns = now_ns;
	for (int i = 0; i < ERRORS_MAX; i++) {
		if (!udp_next_error(&net->links[link], &error))
			break;
		take(net, link, &error);
	}
	ringd_net_probe(net);
}

void
ringd_net_probe(struct ringd_net *net)
{
	for (uint32_t i = 0; i < net->cfg.node_count; i++) {
		struct session_proof *proof = &net->nodes[i].proof;

		if (!session_proof_is_due(proof, net->now_ns))
			continue;
		/* From this one on: others may be sent along. */
		session_proof_probed(
		    proof, session_counter(net->session) + 1, net->now_ns);
		session_report(net->session, i, net->now_ns);
		ringd_net_pull(net, net->now_ns);
	}
}

uint64_t
ringd_net_probe_ns(const struct ringd_net *net)
{
	uint64_t deadline_ns = UINT64_MAX;

	for (uint32_t i = 0; i < net->cfg.node_count; i++)
		deadline_ns = num_min(deadline_ns,
		    session_proof_deadline_ns(&net->nodes[i].proof));
	return deadline_ns;
}
