/* SPDX-License-Identifier: BSD-3-Clause */
/* What came, what went, and when the next LINK is due.  Judging the pairs is
 * in link_settle.c, choosing among them in link_choose.c. */
#include "bin/ringd/link.h"

#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/idmap.h"
#include "libcommon/base/num.h"

#include "bin/ringd/link_internal.h"

enum {
	LINK_WINDOW_BITS = 64,
	LINK_SLOW_NODES = 8, /* more of them: fewer heartbeats */
};

static const uint64_t link_beat_ns = 25 * LINK_MS;
static const uint64_t link_timeout_ns = 400 * LINK_MS;
/* Nothing follows from it with one link, but a line in the log. */
static const uint64_t link_timeout_one_ns = 2000 * LINK_MS;
static const uint64_t link_gap_ns = LINK_MS; /* between two LINKs of a pair */
static const uint64_t link_quick_ns = 1000 * LINK_MS;
static const uint64_t link_given_up_ns = 10000 * LINK_MS;

struct link_peer *
link_peer(struct links *l, uint32_t peer)
{
	ENSURE(peer < l->cfg.node_count && peer != l->cfg.self);
	return &l->peers[peer];
}

static struct link_pair *
link_pair(struct links *l, const struct link_at *at)
{
	ENSURE(at->link < l->cfg.link_count);
	return &link_peer(l, at->peer)->pairs[at->link];
}

/* The lengths at which paths usually end, and what DATA needs. */
static void
link_create_sizes(struct links *l)
{
	static const uint32_t usual[] = { 596, 1232, 1452, 4000, 8952 };

	for (size_t i = 0; i < ARRAY_COUNT(usual); i++)
		if (usual[i] < l->cfg.datagram_bytes)
			l->sizes[l->size_count++] = usual[i];
	if (l->cfg.datagram_bytes > 0)
		l->sizes[l->size_count++] = l->cfg.datagram_bytes;
}

void
link_set_beat(struct links *l)
{
	const struct link_config *cfg = &l->cfg;
	uint64_t slowness = 1;

	if (cfg->node_count > LINK_SLOW_NODES)
		slowness =
		    (cfg->node_count + LINK_SLOW_NODES - 1) / LINK_SLOW_NODES;
	l->beat_ns = slowness *
	    (cfg->heartbeat_ns != 0 ? cfg->heartbeat_ns : link_beat_ns);
	l->timeout_ns = cfg->timeout_ns;
	if (l->timeout_ns == 0)
		l->timeout_ns =
		    cfg->link_count > 1 ? link_timeout_ns : link_timeout_one_ns;
	l->timeout_ns = num_max(l->timeout_ns, 8 * l->beat_ns);
}

/* The first choice is no move. */
static void
link_choose_first(struct links *l, uint32_t peer, uint64_t now_ns)
{
	const bool had_effects = l->has_effects;

	link_choose(l, peer, now_ns);
	l->peers[peer].has_moved = false;
	l->has_effects = had_effects;
}

struct links *
link_create(struct arena *arena, const struct link_config *cfg, uint64_t now_ns)
{
	struct links *l = arena_take(arena, sizeof *l);

	ENSURE(cfg->link_count >= 1 && cfg->link_count <= LIMIT_LINKS);
	ENSURE(cfg->node_count >= 1 && cfg->node_count <= LIMIT_NODES);
	ENSURE(cfg->self < cfg->node_count);
	if (l == NULL)
		return NULL;
	memset(l, 0, sizeof *l);
	l->cfg = *cfg;
	link_set_beat(l);
	l->due_ns = LINK_NEVER;
	link_create_sizes(l);
	for (uint32_t i = 0; i < cfg->node_count; i++)
		if (i != cfg->self)
			link_choose_first(l, i, now_ns);
	return l;
}

void
link_set_mode(struct links *l, const struct link_config *cfg, uint64_t now_ns)
{
	l->cfg.mode = cfg->mode;
	l->cfg.heartbeat_ns = cfg->heartbeat_ns;
	memcpy(l->cfg.priority, cfg->priority, sizeof l->cfg.priority);
	link_set_beat(l);
	for (uint32_t i = 0; i < l->cfg.node_count; i++)
		if (i != l->cfg.self)
			link_choose(l, i, now_ns);
	/* What is due sooner now. */
	if (l->due_ns != LINK_NEVER)
		l->due_ns = num_min(l->due_ns, now_ns);
}

/* Who is removed may run on, and be added again with all it remembers. */
static void
link_note_used(struct links *l, const struct link_peer *who)
{
	for (uint32_t link = 0; link < LIMIT_LINKS; link++)
		l->used_seq = num_max(l->used_seq, who->pairs[link].seq);
}

static void
link_add_peer(struct links *l, uint32_t peer, uint64_t now_ns)
{
	for (uint32_t link = 0; link < LIMIT_LINKS; link++) {
		struct link_pair *pair = &l->peers[peer].pairs[link];

		pair->seq = l->used_seq;
		pair->is_unusable = l->unusable >> link & 1;
	}
	link_choose_first(l, peer, now_ns);
}

void
link_set_nodes(struct links *l, const struct idmap *map, uint64_t now_ns)
{
	ENSURE(map->before == l->cfg.node_count);
	ENSURE(map->to[l->cfg.self] != IDMAP_NONE);
	for (uint32_t i = 0; i < map->before; i++)
		if (map->to[i] == IDMAP_NONE)
			link_note_used(l, &l->peers[i]);
	idmap_array(map, l->peers, sizeof l->peers[0]);
	l->cfg.node_count = map->after;
	l->cfg.self = map->to[l->cfg.self];
	link_set_beat(l);
	for (uint32_t i = 0; i < map->after; i++)
		if (map->from[i] == IDMAP_NONE)
			link_add_peer(l, i, now_ns);
}

/* ---- beginnings -------------------------------------------------------- */

void
link_hurry(struct links *l, uint64_t at_ns)
{
	l->due_ns = num_min(l->due_ns, at_ns);
}

void
link_forget(struct link_pair *pair)
{
	*pair = (struct link_pair){
		.is_unusable = pair->is_unusable,
		.seq = pair->seq,
		.sent = pair->sent,
		.sent_ns = pair->sent_ns,
		.told_ns = pair->told_ns,
		.told_sent = pair->told_sent,
		.downs = pair->downs,
	};
}

void
link_begin(struct links *l, struct link_pair *pair, uint64_t now_ns)
{
	pair->begun_ns = now_ns;
	pair->is_due = !pair->is_unusable;
	link_mtu_begin(l, pair, now_ns);
}

void
link_greet(struct links *l, uint32_t peer, bool is_restart, uint64_t now_ns)
{
	struct link_peer *who = link_peer(l, peer);
	bool is_new = is_restart || !who->is_known;

	who->is_known = true;
	/* Of links that are gone, too: they may come back. */
	for (uint32_t link = 0; link < LIMIT_LINKS; link++) {
		struct link_pair *pair = &who->pairs[link];

		pair->heard_counter = 0;
		if (is_new)
			link_forget(pair);
	}
	if (!is_new)
		return;
	for (uint32_t link = 0; link < l->cfg.link_count; link++)
		link_begin(l, &who->pairs[link], now_ns);
	who->news_ns = 0;
	who->heard = who->good = who->group = 0;
	l->has_effects = true;
	link_settle(l, peer, now_ns);
	link_hurry(l, now_ns);
}

static void
link_hint_peer(
    struct links *l, uint32_t peer, const struct link_at *at, bool is_usable)
{
	struct link_peer *who = link_peer(l, peer);
	struct link_pair *pair = &who->pairs[at->link];

	if (pair->is_unusable == !is_usable)
		return;
	pair->is_unusable = !is_usable;
	pair->begun_ns = at->now_ns;
	pair->is_due = is_usable && who->is_known;
	if (!is_usable)
		pair->heard_ns = 0;
	l->has_effects = true;
	link_settle(l, peer, at->now_ns);
}

void
link_hint(struct links *l, uint32_t link, bool is_usable, uint64_t now_ns)
{
	struct link_at at = { 0, link, now_ns };

	ENSURE(link < l->cfg.link_count);
	l->unusable &= (uint8_t) ~(1U << link);
	l->unusable |= (uint8_t)(is_usable ? 0 : 1U << link);
	for (uint32_t i = 0; i < l->cfg.node_count; i++)
		if (i != l->cfg.self)
			link_hint_peer(l, i, &at, is_usable);
	link_hurry(l, now_ns);
}

/* ---- what went and came ------------------------------------------------ */

/* Is it worth while to count again what is lost? */
static bool
link_is_busy(const struct links *l, const struct link_pair *pair)
{
	return pair->sent - pair->told_sent >=
	    (l->cfg.link_count == 1 ? LINK_BUSY_ALONE : LINK_BUSY);
}

void
link_sent(struct links *l, const struct link_at *at, uint32_t count)
{
	struct link_pair *pair = link_pair(l, at);

	pair->sent += count;
	pair->sent_ns = at->now_ns;
	if (link_is_busy(l, pair))
		link_hurry(l, num_max(at->now_ns, pair->told_ns + l->beat_ns));
}

void
link_came(struct links *l, const struct link_at *at)
{
	link_pair(l, at)->came++;
}

bool
link_wants(const struct links *l, const struct link_at *at, uint64_t counter)
{
	const struct link_pair *pair = &l->peers[at->peer].pairs[at->link];

	return l->cfg.link_count > 1 && counter > pair->heard_counter &&
	    num_sub(at->now_ns, pair->heard_ns) >= l->beat_ns / 2;
}

void
link_heard(struct links *l, const struct link_at *at, uint64_t counter)
{
	struct link_pair *pair = link_pair(l, at);
	bool was_heard = link_is_heard(l, pair, at->now_ns) &&
	    !link_is_silent(l, pair, at->now_ns);

	pair->heard_counter = num_max(pair->heard_counter, counter);
	if (pair->is_unusable || !link_peer(l, at->peer)->is_known)
		return;
	pair->heard_ns = at->now_ns;
	if (!was_heard)
		link_settle(l, at->peer, at->now_ns);
}

/* Is it new?  Notes that it came. */
static bool
link_take(struct link_pair *pair, uint64_t seq)
{
	uint64_t bit;

	if (seq > pair->high) {
		uint64_t ahead = seq - pair->high;

		pair->window =
		    ahead < LINK_WINDOW_BITS ? pair->window << ahead : 0;
		pair->window |= 1;
		pair->high = seq;
		return true;
	}
	if (pair->high - seq >= LINK_WINDOW_BITS)
		return false;
	bit = (uint64_t)1 << (pair->high - seq);
	if (pair->window & bit)
		return false;
	pair->window |= bit;
	return true;
}

/* As in RFC 6298, and the least of the last ones. */
static void
link_round_trip(struct link_pair *pair, uint64_t rtt_ns)
{
	uint64_t off_ns;

	memmove(&pair->rtts[1], &pair->rtts[0],
	    sizeof pair->rtts - sizeof pair->rtts[0]);
	pair->rtts[0] = rtt_ns;
	if (pair->rtt_ns == 0) {
		pair->rtt_ns = rtt_ns;
		pair->rtt_dev_ns = rtt_ns / 2;
		return;
	}
	off_ns = rtt_ns > pair->rtt_ns ? rtt_ns - pair->rtt_ns
				       : pair->rtt_ns - rtt_ns;
	pair->rtt_dev_ns = (3 * pair->rtt_dev_ns + off_ns) / 4;
	pair->rtt_ns = (7 * pair->rtt_ns + rtt_ns) / 8;
}

static void
link_hear_echo(struct links *l, struct link_pair *pair,
    const struct link_packet *packet, uint64_t now_ns)
{
	uint64_t rtt_ns;

	if (packet->echo_ns <= pair->echo_ns || packet->echo_ns > now_ns ||
	    packet->held_ns > now_ns - packet->echo_ns)
		return;
	pair->echo_ns = packet->echo_ns;
	rtt_ns = num_max(now_ns - packet->echo_ns - packet->held_ns, 1);
	link_round_trip(pair, rtt_ns);
	if (rtt_ns > l->timeout_ns)
		pair->echoes = 0;
	else
		pair->echoes += pair->echoes < LINK_ECHOES;
}

/* The newest word about all links, whichever it came on. */
static void
link_hear_news(struct link_peer *peer, const struct link_packet *packet)
{
	if (packet->stamp_ns <= peer->news_ns)
		return;
	peer->news_ns = packet->stamp_ns;
	peer->heard = packet->heard;
	peer->good = packet->good;
	peer->group = packet->group;
}

/* What the latest LINK of the pair says about it. */
static void
link_hear_latest(struct links *l, struct link_pair *pair,
    const struct link_packet *packet, uint64_t now_ns)
{
	bool was_lossy = pair->loss_out >= LINK_LOSS_BAD;

	pair->stamp_ns = packet->stamp_ns;
	pair->stamp_at = now_ns;
	link_measure(pair, packet);
	pair->loss_out = packet->loss;
	if (!was_lossy && pair->loss_out >= LINK_LOSS_BAD)
		link_mtu_hurry(pair, now_ns);
	if (pair->mtu_in != packet->mtu)
		pair->has_mtu = l->has_effects = true;
	pair->mtu_in = packet->mtu;
}

static void
link_answer(struct links *l, struct link_pair *pair,
    const struct link_packet *packet, const struct link_at *at, uint32_t bytes)
{
	bool is_probe = l->size_count > 0 && bytes >= l->sizes[0];

	pair->came += !is_probe;
	if (!packet->is_asking || pair->is_unusable)
		return;
	if (is_probe) {
		pair->probed = bytes;
		pair->is_due = l->has_effects = true;
		return;
	}
	pair->is_asked = true;
	link_hurry(l, num_max(at->now_ns, pair->told_ns + link_gap_ns));
	if (at->now_ns >= pair->told_ns + link_gap_ns)
		pair->is_due = l->has_effects = true;
}

bool
link_hear(struct links *l, const struct link_at *at,
    const struct link_packet *packet, uint32_t bytes)
{
	struct link_peer *peer = link_peer(l, at->peer);
	struct link_pair *pair = link_pair(l, at);
	uint64_t high = pair->high;

	if (packet->link != at->link || !peer->is_known ||
	    !link_take(pair, packet->seq))
		return false;
	if (!pair->is_unusable)
		pair->heard_ns = at->now_ns;
	link_hear_news(peer, packet);
	link_hear_echo(l, pair, packet, at->now_ns);
	link_answer(l, pair, packet, at, bytes);
	if (packet->seq > high)
		link_hear_latest(l, pair, packet, at->now_ns);
	if (packet->probed != 0) {
		link_mtu_answered(l, pair, packet->probed);
		l->has_effects = true;
	}
	link_settle(l, at->peer, at->now_ns);
	link_hurry(l, at->now_ns + l->beat_ns);
	return true;
}

/* ---- time -------------------------------------------------------------- */

static uint64_t
link_next_up_ns(const struct links *l, const struct link_pair *pair)
{
	uint64_t due_ns = pair->told_ns + 4 * l->beat_ns;

	if (l->cfg.link_count == 1)
		return pair->told_ns +
		    (link_is_busy(l, pair) ? 2 : 40) * l->beat_ns;
	if (link_is_busy(l, pair))
		due_ns = pair->told_ns + l->beat_ns;
	return num_min(due_ns, pair->sent_ns + l->beat_ns * 5 / 4);
}

/* When the next LINK of the pair is due. */
static uint64_t
link_next_ns(const struct links *l, const struct link_peer *peer,
    const struct link_pair *pair, uint64_t now_ns)
{
	if (!peer->is_known || pair->is_unusable)
		return LINK_NEVER;
	if (pair->is_asked)
		return pair->told_ns + link_gap_ns;
	if (pair->state == LINK_UP)
		return num_min(link_next_up_ns(l, pair), pair->probe_ns);
	if (now_ns < pair->begun_ns + link_quick_ns)
		return pair->told_ns + l->beat_ns * 2 / 5;
	if (now_ns < num_max(pair->heard_ns, pair->begun_ns) + link_given_up_ns)
		return pair->told_ns + 4 * l->beat_ns;
	return pair->told_ns + 40 * l->beat_ns;
}

/* When the pair has been silent for too long, or without fault for enough. */
static uint64_t
link_turn_ns(const struct links *l, const struct link_pair *pair)
{
	uint64_t at_ns = LINK_NEVER;

	if (pair->state != LINK_DOWN)
		at_ns = pair->heard_ns + l->timeout_ns;
	if (l->cfg.link_count > 1 && pair->clean_ns != 0)
		at_ns = num_min(at_ns, pair->heard_ns + l->beat_ns * 16 / 5);
	if (pair->clean_ns != 0 && !pair->is_content)
		at_ns = num_min(at_ns, pair->clean_ns + pair->penalty_ns);
	return at_ns;
}

static void
link_tick_peer(struct links *l, uint32_t i, uint64_t now_ns)
{
	struct link_peer *peer = &l->peers[i];

	link_settle(l, i, now_ns);
	for (uint32_t link = 0; link < l->cfg.link_count; link++) {
		struct link_pair *pair = &peer->pairs[link];

		if (pair->state == LINK_UP)
			link_mtu_tick(l, pair, now_ns);
		if (link_next_ns(l, peer, pair, now_ns) <= now_ns ||
		    pair->probes != 0)
			pair->is_due = true;
		if (pair->is_due || pair->has_mtu)
			l->has_effects = true;
	}
}

/* This process was not run: nobody is to blame for the silence. */
static void
link_excuse(struct links *l, uint64_t late_ns, uint64_t now_ns)
{
	for (uint32_t i = 0; i < l->cfg.node_count; i++)
		for (uint32_t link = 0; link < l->cfg.link_count; link++) {
			struct link_pair *pair = &l->peers[i].pairs[link];

			if (pair->heard_ns != 0)
				pair->heard_ns =
				    num_min(now_ns, pair->heard_ns + late_ns);
		}
}

/* A LINK that is due is about to be pulled, and counts as sent. */
static uint64_t
link_later_ns(const struct links *l, const struct link_peer *peer,
    const struct link_pair *pair, uint64_t now_ns)
{
	struct link_pair then = *pair;

	if (pair->is_due) {
		then.told_ns = then.sent_ns = now_ns;
		then.told_sent = then.sent;
		then.is_asked = false;
	}
	return num_min(
	    link_next_ns(l, peer, &then, now_ns), link_turn_ns(l, pair));
}

void
link_tick(struct links *l, uint64_t now_ns)
{
	uint64_t due_ns = LINK_NEVER;

	if (now_ns < l->due_ns)
		return;
	if (now_ns - l->due_ns >= l->beat_ns)
		link_excuse(l, now_ns - l->due_ns, now_ns);
	for (uint32_t i = 0; i < l->cfg.node_count; i++) {
		if (!l->peers[i].is_known)
			continue;
		link_tick_peer(l, i, now_ns);
		for (uint32_t link = 0; link < l->cfg.link_count; link++)
			due_ns = num_min(due_ns,
			    link_later_ns(l, &l->peers[i],
				&l->peers[i].pairs[link], now_ns));
	}
	if (due_ns != LINK_NEVER)
		due_ns = num_max(due_ns, now_ns + l->beat_ns / 5);
	l->due_ns = due_ns;
}

uint64_t
link_deadline_ns(const struct links *l)
{
	return l->due_ns;
}
