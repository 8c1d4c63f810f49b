/* SPDX-License-Identifier: BSD-3-Clause */
/* Links come, go, or are elsewhere now, while the others carry everything. */
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/ringd/link.h"
#include "bin/ringd/link_internal.h"

/*
 * Nothing of how the pair was remains but what keeps a recording from being
 * believed: the numbers that came, and those that were used.
 */
static void
link_renew(struct link_pair *pair)
{
	struct link_pair was = *pair;

	link_forget(pair);
	pair->high = was.high;
	pair->window = was.window;
	pair->heard_counter = was.heard_counter;
}

static void
link_renew_peer(
    struct links *l, struct link_peer *who, uint8_t links, uint64_t now_ns)
{
	who->heard &= (uint8_t)~links;
	who->good &= (uint8_t)~links;
	who->group &= (uint8_t)~links;
	for (uint32_t link = 0; link < LIMIT_LINKS; link++) {
		if (!(links >> link & 1))
			continue;
		link_renew(&who->pairs[link]);
		if (link < l->cfg.link_count && who->is_known)
			link_begin(l, &who->pairs[link], now_ns);
	}
}

/* With one link there were few heartbeats: all silences count from now. */
static void
link_excuse_peer(struct links *l, struct link_peer *who, uint64_t now_ns)
{
	for (uint32_t link = 0; link < l->cfg.link_count; link++)
		if (who->pairs[link].state != LINK_DOWN)
			who->pairs[link].heard_ns = now_ns;
}

/* What the kernel says was said of another address. */
static void
link_set_usable(struct links *l, uint8_t links)
{
	l->unusable &= (uint8_t)~links;
	for (uint32_t i = 0; i < l->cfg.node_count; i++)
		for (uint32_t link = 0; link < LIMIT_LINKS; link++)
			if (links >> link & 1)
				l->peers[i].pairs[link].is_unusable = false;
}

void
link_set_links(
    struct links *l, const struct link_change *change, uint64_t now_ns)
{
	const uint32_t was = (1U << l->cfg.link_count) - 1;
	const uint32_t is = (1U << change->link_count) - 1;
	const uint8_t other = (uint8_t)(was ^ is); /* they came, or went */

	ENSURE(change->link_count >= 1 && change->link_count <= LIMIT_LINKS);
	l->cfg.link_count = change->link_count;
	link_set_beat(l);
	link_set_usable(l, change->own | other);
	for (uint32_t i = 0; i < l->cfg.node_count; i++) {
		struct link_peer *who = &l->peers[i];

		if (i == l->cfg.self)
			continue;
		link_renew_peer(
		    l, who, change->moved[i] | change->own | other, now_ns);
		if (other != 0)
			link_excuse_peer(l, who, now_ns);
		link_settle(l, i, now_ns);
	}
	l->has_effects = true;
	link_hurry(l, now_ns);
}
