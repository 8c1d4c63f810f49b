/* SPDX-License-Identifier: BSD-3-Clause */
/* Which links DATA takes.  (DESIGN.md, 6.3) */
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/ringd/link_internal.h"

static const uint64_t link_better_ns = LINK_MS / 2;

/* How fit a pair is for DATA, best first. */
enum link_class {
	LINK_GOOD,     /* up, and both ends are content */
	LINK_SPEAKING, /* up, and not silent */
	LINK_STANDING, /* up */
	LINK_COMING,   /* heard */
	LINK_USABLE,
	LINK_USELESS,
	LINK_CLASSES
};

static enum link_class
link_class_of(const struct links *l, const struct link_peer *peer,
    uint32_t link, uint64_t now_ns)
{
	const struct link_pair *pair = &peer->pairs[link];

	if (pair->is_unusable)
		return LINK_USELESS;
	if (pair->state == LINK_DOWN)
		return LINK_USABLE;
	if (pair->state == LINK_INIT)
		return LINK_COMING;
	if (link_is_silent(l, pair, now_ns))
		return LINK_STANDING;
	if (pair->is_content && (peer->good >> link & 1) != 0)
		return LINK_GOOD;
	return LINK_SPEAKING;
}

/* The least of the last round trips: what the path needs, not the hosts. */
static uint64_t
link_cost_ns(const struct link_pair *pair)
{
	uint64_t least = LINK_NEVER;

	for (size_t i = 0; i < LINK_RTTS; i++)
		if (pair->rtts[i] != 0)
			least = num_min(least, pair->rtts[i]);
	return least == LINK_NEVER ? 0 : least;
}

static bool
link_is_faster(const struct link_pair *a, const struct link_pair *b)
{
	uint64_t a_ns = link_cost_ns(a), b_ns = link_cost_ns(b);

	return a_ns + link_better_ns < b_ns && a_ns < b_ns / 5 * 4;
}

static bool
link_is_better(const struct links *l, const struct link_peer *peer,
    uint32_t one, uint32_t other)
{
	if (l->cfg.priority[one] != l->cfg.priority[other])
		return l->cfg.priority[one] < l->cfg.priority[other];
	return link_is_faster(&peer->pairs[one], &peer->pairs[other]);
}

/* The best of a set; of equals the one that has DATA now, or the lowest. */
static uint32_t
link_best(const struct links *l, const struct link_peer *peer, uint8_t set)
{
	uint8_t kept = peer->data & set;
	uint32_t best = (uint32_t)__builtin_ctz(kept != 0 ? kept : set);

	for (uint32_t link = 0; link < l->cfg.link_count; link++)
		if (set >> link & 1 && link_is_better(l, peer, link, best))
			best = link;
	return best;
}

/* Those that are as good as the best. */
static uint8_t
link_equals(const struct links *l, const struct link_peer *peer, uint8_t set)
{
	uint32_t best = link_best(l, peer, set);
	uint8_t equals = 0;

	for (uint32_t link = 0; link < l->cfg.link_count; link++)
		if (set >> link & 1 && !link_is_better(l, peer, best, link))
			equals |= (uint8_t)(1U << link);
	return equals;
}

static uint8_t
link_of_mode(const struct links *l, const struct link_peer *peer, uint8_t set)
{
	switch (l->cfg.mode) {
	case LINK_ACTIVE:
		return set;
	case LINK_RR:
		return link_equals(l, peer, set);
	case LINK_PASSIVE:
		break;
	}
	return (uint8_t)(1U << link_best(l, peer, set));
}

void
link_choose(struct links *l, uint32_t peer, uint64_t now_ns)
{
	struct link_peer *who = link_peer(l, peer);
	uint8_t classes[LINK_CLASSES] = { 0 }, data;
	unsigned class = LINK_GOOD;

	for (uint32_t link = 0; link < l->cfg.link_count; link++)
		classes[link_class_of(l, who, link, now_ns)] |=
		    (uint8_t)(1U << link);
	while (classes[class] == 0)
		class ++;
	data = classes[class];
	if (class <= LINK_SPEAKING)
		data = link_of_mode(l, who, data);
	who->is_turning = l->cfg.mode == LINK_RR && class <= LINK_SPEAKING;
	if (data == who->data)
		return;
	who->data = data;
	who->has_moved = l->has_effects = true;
}

uint8_t
link_data(const struct links *l, uint32_t peer, uint64_t turn)
{
	const struct link_peer *who = &l->peers[peer];
	uint8_t set = who->data;

	if (!who->is_turning)
		return set;
	turn %= (uint64_t)__builtin_popcount(set);
	while (turn-- > 0)
		set &= (uint8_t)(set - 1);
	return set & (uint8_t)-set;
}

uint8_t
link_group(const struct links *l, uint32_t peer)
{
	const struct link_peer *who = &l->peers[peer];
	uint8_t links = 0;

	for (uint32_t link = 0; link < l->cfg.link_count; link++)
		if (who->pairs[link].state == LINK_UP &&
		    (who->group >> link & 1) != 0)
			links |= (uint8_t)(1U << link);
	return links;
}

bool
link_is_reached(const struct links *l, uint32_t peer)
{
	for (uint32_t link = 0; link < l->cfg.link_count; link++)
		if (l->peers[peer].pairs[link].state == LINK_UP)
			return true;
	return false;
}

uint8_t
link_control(const struct links *l, uint32_t peer)
{
	const struct link_peer *who = &l->peers[peer];
	uint8_t up = 0, usable = 0;

	for (uint32_t link = 0; link < l->cfg.link_count; link++) {
		const struct link_pair *pair = &who->pairs[link];

		if (pair->state == LINK_UP)
			up |= (uint8_t)(1U << link);
		if (!pair->is_unusable)
			usable |= (uint8_t)(1U << link);
	}
	if (up == 0)
		up = usable;
	if (up == 0)
		up = (uint8_t)((1U << l->cfg.link_count) - 1);
	return up;
}
