/* SPDX-License-Identifier: BSD-3-Clause */
/* Effects, which wait in the pairs as flags; names, status, invariants. */
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/ringd/link.h"
#include "bin/ringd/link_internal.h"

const char *
link_mode_name(enum link_mode mode)
{
	static const char *const names[] = { "passive", "active", "rr" };

	ENSURE((unsigned)mode < ARRAY_COUNT(names));
	return names[mode];
}

const char *
link_state_name(enum link_state state)
{
	static const char *const names[] = { "down", "init", "up" };

	ENSURE((unsigned)state < ARRAY_COUNT(names));
	return names[state];
}

/* The least of both ways, where both are known. */
static uint32_t
link_pair_mtu(const struct link_pair *pair)
{
	if (pair->mtu_in == 0)
		return pair->mtu_out;
	return (uint32_t)num_min(pair->mtu_in, pair->mtu_out);
}

/*
 * An answer that asks is answered at once, so that a pair is up after a few
 * round trips; but not when these take too long, or it would be so for ever.
 */
static bool
link_may_ask(const struct links *l, const struct link_pair *pair)
{
	bool is_quick = pair->rtts[0] <= l->timeout_ns; /* or unknown */

	return pair->state != LINK_UP && (!pair->is_asked || is_quick);
}

/* What the next LINK of the pair says, and that it was said. */
static void
link_make(struct links *l, struct link_at at, struct link_effect *out)
{
	struct link_peer *peer = &l->peers[at.peer];
	struct link_pair *pair = &peer->pairs[at.link];

	/* An answer to a probe is no probe itself. */
	if (pair->probed == 0)
		out->bytes = link_mtu_next(l, pair);
	pair->sent += out->bytes == 0;
	pair->sent_ns = pair->told_ns = at.now_ns;
	pair->told_sent = pair->sent;
	out->packet = (struct link_packet){
		.link = at.link,
		.is_asking = out->bytes != 0 || link_may_ask(l, pair),
		.seq = ++pair->seq,
		.stamp_ns = at.now_ns,
		.echo_ns = pair->stamp_ns,
		.held_ns = pair->stamp_ns != 0 ? at.now_ns - pair->stamp_at : 0,
		.sent = pair->sent,
		.heard = peer->told_heard,
		.good = peer->told_good,
		.group = peer->told_group,
		.loss = (uint16_t)pair->loss_in,
		.mtu = (uint16_t)pair->mtu_out,
		.probed = (uint16_t)pair->probed,
	};
	pair->is_due = pair->probes != 0;
	pair->is_asked = false;
	pair->probed = 0;
}

/* True: *flag was set, and *out is that effect. */
static bool
link_flag(bool *flag, enum link_effect_kind kind, struct link_effect *out)
{
	if (!*flag)
		return false;
	*flag = false;
	out->kind = kind;
	return true;
}

static bool
link_next_of_pair(struct links *l, struct link_at at, struct link_effect *out)
{
	struct link_pair *pair = &l->peers[at.peer].pairs[at.link];

	out->peer = at.peer;
	out->link = at.link;
	if (link_flag(&pair->has_up, LINK_OUT_UP, out) ||
	    link_flag(&pair->has_down, LINK_OUT_DOWN, out))
		return true;
	if (link_flag(&pair->has_mtu, LINK_OUT_MTU, out)) {
		out->mtu = link_pair_mtu(pair);
		return true;
	}
	if (!pair->is_due)
		return false;
	out->kind = LINK_OUT_SEND;
	link_make(l, at, out);
	return true;
}

static bool
link_next_of_peer(
    struct links *l, uint32_t i, uint64_t now_ns, struct link_effect *out)
{
	struct link_peer *peer = &l->peers[i];

	if (link_flag(&peer->has_moved, LINK_OUT_MOVED, out)) {
		out->peer = i;
		out->data = peer->data;
		return true;
	}
	for (uint32_t link = 0; link < l->cfg.link_count; link++) {
		struct link_at at = { i, link, now_ns };

		if (link_next_of_pair(l, at, out))
			return true;
	}
	return false;
}

bool
link_next(struct links *l, uint64_t now_ns, struct link_effect *out)
{
	*out = (struct link_effect){ .peer = l->cfg.self };
	if (!l->has_effects)
		return false;
	for (uint32_t i = 0; i < l->cfg.node_count; i++)
		if (link_next_of_peer(l, i, now_ns, out))
			return true;
	l->has_effects = false;
	return false;
}

/* ---- status ------------------------------------------------------------ */

uint32_t
link_mtu(const struct links *l, uint32_t peer, bool is_control)
{
	const struct link_peer *who = &l->peers[peer];
	uint8_t set = is_control ? link_control(l, peer) : who->data;
	uint32_t least = UINT32_MAX;

	for (uint32_t link = 0; link < l->cfg.link_count; link++)
		if (set >> link & 1)
			least = (uint32_t)num_min(
			    least, link_pair_mtu(&who->pairs[link]));
	return least;
}

void
link_status(const struct links *l, uint32_t peer, uint32_t link,
    struct link_status *out)
{
	const struct link_pair *pair = &l->peers[peer].pairs[link];

	ENSURE(peer < l->cfg.node_count && link < l->cfg.link_count);
	*out = (struct link_status){
		.state = pair->state,
		.is_good = pair->state == LINK_UP && pair->is_content &&
		    (l->peers[peer].good >> link & 1) != 0,
		.is_unusable = pair->is_unusable,
		.has_data = (l->peers[peer].data >> link & 1) != 0,
		.was_heard = pair->was_heard,
		.heard_ns = pair->heard_ns,
		.rtt_ns = pair->rtt_ns,
		.rtt_dev_ns = pair->rtt_dev_ns,
		.loss_in = pair->loss_in,
		.loss_out = pair->loss_out,
		.mtu = link_pair_mtu(pair),
		.priority = l->cfg.priority[link],
		.downs = pair->downs,
		.sent = pair->sent,
		.came = pair->came,
	};
}

static void
link_assert_pair(const struct links *l, const struct link_pair *pair)
{
	ENSURE(pair->state != LINK_UP || pair->echoes == LINK_ECHOES);
	ENSURE(pair->state == LINK_DOWN || !pair->is_unusable);
	ENSURE(!pair->is_content || pair->clean_ns != 0);
	ENSURE(pair->told_sent <= pair->sent);
	ENSURE(pair->count_count <= LINK_COUNTS);
	ENSURE(pair->loss_in <= 1000 && pair->loss_out <= 1000);
	ENSURE(pair->probes >> l->size_count == 0);
	ENSURE(l->has_effects ||
	    !(pair->is_due || pair->has_up || pair->has_down || pair->has_mtu));
}

void
link_assert(const struct links *l)
{
	uint32_t all = (1U << l->cfg.link_count) - 1;

	for (uint32_t i = 0; i < l->cfg.node_count; i++) {
		const struct link_peer *peer = &l->peers[i];

		if (i == l->cfg.self)
			continue;
		ENSURE(peer->data != 0 && (peer->data & ~all) == 0);
		ENSURE((peer->told_good & ~peer->told_heard) == 0);
		for (uint32_t link = 0; link < l->cfg.link_count; link++)
			link_assert_pair(l, &peer->pairs[link]);
	}
}
