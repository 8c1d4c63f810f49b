/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A way that nobody has gone yet is not trusted: what two members say to each
 * other is carried, while their links change, by one that works and stays as
 * it is at both ends.  So a mistake in an address costs a link, and no ring.
 */
#include <errno.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/cluster.h"

#include "bin/ringd/ringd.h"
#include "bin/ringd/ringd_bind.h"
#include "bin/ringd/ringd_links.h"
#include "bin/ringd/ringd_net.h"
#include "bin/ringd/totem.h"

static const struct cluster_node *
find_node(const struct cluster_conf *conf, uint32_t id)
{
	for (uint32_t i = 0; i < conf->node_count; i++)
		if (conf->nodes[i].id == id)
			return &conf->nodes[i];
	return NULL;
}

/* Those that are where they were, as bits. */
static uint32_t
kept_links(const struct cluster_node *before, const struct cluster_node *after)
{
	uint32_t count =
	    (uint32_t)num_min(before->link_count, after->link_count);
	uint32_t links = 0;

	for (uint32_t i = 0; i < count; i++)
		if (udp_addr_equal(&before->link[i], &after->link[i]))
			links |= 1U << i;
	return links;
}

/* Is there a link to the member that works and is not touched? */
static bool
is_carried(struct ringd *r, const struct cluster_conf *next, uint32_t member)
{
	const struct cluster_conf *conf = r->conf;
	const struct cluster_node *peer = find_node(conf, member);
	const struct cluster_node *then = find_node(next, member);
	struct ringd_net_peer state;
	uint32_t kept;

	if (peer == NULL || then == NULL ||
	    !ringd_net_peer(r->net, member, r->now_ns, &state))
		return true;
	kept = kept_links(peer, then) &
	    kept_links(&conf->nodes[conf->self], &next->nodes[next->self]);
	if (kept == (1U << conf->link_count) - 1)
		return true;
	for (uint32_t i = 0; i < conf->link_count; i++)
		if (kept >> i & 1 && state.state[i].state == LINK_UP)
			return true;
	return false;
}

static void
judge_ways(struct ringd *r, const struct ringd_links_case *c, struct text *why)
{
	for (uint32_t i = 0; i < c->members->count && why->len == 0; i++) {
		const struct cluster_node *node =
		    find_node(r->conf, c->members->id[i]);

		if (is_carried(r, c->next, c->members->id[i]))
			continue;
		text_put(why, "no link to ");
		text_put(why, node->name);
		text_put(why,
		    " that is up stays as it is: add another by one reload, "
		    "then change or remove this one by the next");
	}
}

/* ---- own addresses ----------------------------------------------------- */

static void
put_reason(struct text *why, uint32_t link, const union udp_addr *addr)
{
	text_put(why, "link");
	text_put_u64(why, link);
	text_put(why, " = ");
	udp_addr_text(addr, why);
	text_put(why, ": ");
}

static void
put_error(struct text *why, int rc)
{
	if (rc == -EADDRNOTAVAIL)
		text_put(why, "this machine does not have the address");
	else if (rc == -ENOSPC)
		text_put(why, "needs a restart: no socket is left");
	else
		text_put(why, strerror(-rc));
}

/* Another link of this node's has it now, and its socket. */
static bool
is_taken(
    const struct cluster_node *self, uint32_t link, const union udp_addr *addr)
{
	for (uint32_t i = 0; i < self->link_count; i++)
		if (i != link && udp_addr_equal(&self->link[i], addr))
			return true;
	return false;
}

static void
judge_own(struct ringd_sockets *sockets, const struct ringd *r,
    const struct ringd_links_case *c, uint32_t link, struct text *why)
{
	const struct cluster_node *self = &r->conf->nodes[r->conf->self];
	const struct cluster_node *then = &c->next->nodes[c->next->self];
	const union udp_addr *addr = &then->link[link];
	int rc;

	if (link < self->link_count && udp_addr_equal(&self->link[link], addr))
		return;
	if (is_taken(self, link, addr)) {
		put_reason(why, link, addr);
		text_put(why, "is another link's now: give it another port");
		return;
	}
	if (sockets == NULL)
		rc = -ENOSPC;
	else if (c->is_try)
		rc = ringd_bind_try(sockets, addr);
	else
		rc = ringd_bind_spare(sockets, addr);
	if (rc == 0)
		return;
	put_reason(why, link, addr);
	put_error(why, rc);
}

void
ringd_links_judge(
    struct ringd *r, const struct ringd_links_case *c, struct text *why)
{
	static struct ringd_sockets copy; /* too large for the stack */
	struct ringd_sockets *sockets = r->sockets;

	if (c->is_try && sockets != NULL) {
		copy = *sockets;
		sockets = &copy;
	}
	judge_ways(r, c, why);
	for (uint32_t i = 0; i < c->next->link_count && why->len == 0; i++)
		judge_own(sockets, r, c, i, why);
}
