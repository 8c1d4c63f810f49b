/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/linkworld.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/idmap.h"
#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"

#include "tests/unit/check.h"

enum {
	LINKWORLD_FLIGHTS = 1 << 15,
	LINKWORLD_SEEN = 1 << 16,
	LINKWORLD_SHORT = 100,
	LINKWORLD_OVERHEAD = 48,
};

/* A datagram on its way. */
struct linkworld_flight {
	uint64_t at_ns, incarnation, counter;
	uint32_t from, to, link, bytes;
	bool is_link, is_data;
	struct link_packet packet;
};

struct linkworld linkworld_now;
static struct linkworld_flight *flights;
static uint32_t flight_count;
static uint8_t *seen[LINKWORLD_NODES][LINKWORLD_NODES]; /* counters that came */
static uint64_t believed[LINKWORLD_NODES][LINKWORLD_NODES]; /* incarnations */
static struct rng rng;
static struct linkworld_flight recorded[LINKWORLD_NODES][LINKWORLD_NODES]
				       [LINKWORLD_LINKS];
static uint64_t control_ns, data_ns, turn;

static uint64_t
clock_of(uint32_t i)
{
	return linkworld_now.now_ns + linkworld_now.nodes[i].clock_ns;
}

/* ---- the wires --------------------------------------------------------- */

static void
linkworld_fly(struct linkworld_flight flight)
{
	const struct linkworld_wire *wire =
	    &linkworld_now.wires[flight.from][flight.to][flight.link];

	if (wire->is_cut || rng_below(&rng, 1000) < wire->loss ||
	    (wire->mtu != 0 && flight.bytes > wire->mtu))
		return;
	flight.at_ns = linkworld_now.now_ns + wire->delay_ns;
	if (wire->jitter_ns > 0)
		flight.at_ns += rng_below(&rng, wire->jitter_ns);
	if (CHECK(flight_count < LINKWORLD_FLIGHTS))
		flights[flight_count++] = flight;
}

static void
linkworld_pull(uint32_t i)
{
	struct linkworld_node *node = &linkworld_now.nodes[i];
	struct link_effect effect;

	while (link_next(node->links, clock_of(i), &effect)) {
		struct linkworld_flight flight = {
			.from = i,
			.to = effect.peer,
			.link = effect.link,
			.is_link = true,
			.packet = effect.packet,
			.incarnation = node->incarnation,
		};
		uint8_t bytes[LINK_TEXT_BYTES];

		linkworld_now.moves += effect.kind == LINK_OUT_MOVED;
		linkworld_now.ups += effect.kind == LINK_OUT_UP;
		linkworld_now.downs += effect.kind == LINK_OUT_DOWN;
		if (effect.kind != LINK_OUT_SEND)
			continue;
		link_packet_put(&effect.packet, bytes);
		CHECK(link_packet_get(bytes, sizeof bytes, &flight.packet));
		flight.counter = ++node->counter;
		flight.bytes = effect.bytes != 0
		    ? effect.bytes
		    : LINK_TEXT_BYTES + LINKWORLD_OVERHEAD;
		node->sent_links[effect.peer][effect.link]++;
		linkworld_fly(flight);
	}
	link_assert(node->links);
}

/* One datagram over a set of links. */
static void
linkworld_send(uint32_t from, uint32_t to, uint8_t set, bool is_data)
{
	struct linkworld_node *node = &linkworld_now.nodes[from];
	uint64_t counter = ++node->counter;

	if (is_data)
		linkworld_now.data[from][to].sent++;
	for (uint32_t link = 0; link < linkworld_now.cfg.link_count; link++) {
		struct link_at at = { to, link, clock_of(from) };

		if (!(set >> link & 1))
			continue;
		link_sent(node->links, &at, 1);
		linkworld_fly((struct linkworld_flight){
		    .from = from,
		    .to = to,
		    .link = link,
		    .is_data = is_data,
		    .bytes =
			is_data ? linkworld_now.data_bytes : LINKWORLD_SHORT,
		    .counter = counter,
		    .incarnation = node->incarnation,
		});
	}
}

/* ---- what comes -------------------------------------------------------- */

static void
linkworld_count_data(const struct linkworld_flight *flight, bool is_first)
{
	struct linkworld_data *data =
	    &linkworld_now.data[flight->from][flight->to];

	if (!is_first) {
		data->doubled++;
		return;
	}
	data->came++;
	data->by_link[flight->link]++;
	data->longest_gap_ns = num_max(
	    data->longest_gap_ns, linkworld_now.now_ns - data->last_came_ns);
	data->last_came_ns = linkworld_now.now_ns;
}

static void
linkworld_take(const struct linkworld_flight *flight)
{
	struct linkworld_node *node = &linkworld_now.nodes[flight->to];
	struct link_at at = { flight->from, flight->link,
		clock_of(flight->to) };
	uint8_t *was =
	    &seen[flight->from][flight->to][flight->counter % LINKWORLD_SEEN];

	if (flight->incarnation != believed[flight->to][flight->from])
		return;
	/* The link is gone, and what came over it came all the same. */
	if (flight->link >= linkworld_now.cfg.link_count) {
		if (flight->is_data)
			linkworld_count_data(flight, !*was);
		*was = 1;
		return;
	}
	if (flight->is_link) {
		recorded[flight->from][flight->to][flight->link] = *flight;
		if (link_hear(node->links, &at, &flight->packet, flight->bytes))
			link_heard(node->links, &at, flight->counter);
		linkworld_pull(flight->to);
		return;
	}
	link_came(node->links, &at);
	if (!*was || link_wants(node->links, &at, flight->counter))
		link_heard(node->links, &at, flight->counter);
	if (flight->is_data)
		linkworld_count_data(flight, !*was);
	*was = 1;
	seen[flight->from][flight->to]
	    [(flight->counter + LINKWORLD_SEEN / 2) % LINKWORLD_SEEN] = 0;
	linkworld_pull(flight->to);
}

/* The first that may arrive; flight_count: none. */
static uint32_t
linkworld_first(void)
{
	uint32_t first = flight_count;

	for (uint32_t i = 0; i < flight_count; i++)
		if (!linkworld_now.nodes[flights[i].to].is_stopped &&
		    (first == flight_count ||
			flights[i].at_ns < flights[first].at_ns))
			first = i;
	return first;
}

/* ---- time -------------------------------------------------------------- */

static void
linkworld_all_pairs(bool is_data)
{
	for (uint32_t i = 0; i < LINKWORLD_NODES; i++) {
		if (linkworld_now.nodes[i].is_stopped)
			continue;
		for (uint32_t j = 0; j < LINKWORLD_NODES; j++) {
			struct links *links = linkworld_now.nodes[i].links;

			if (i == j)
				continue;
			linkworld_send(i, j,
			    is_data ? link_data(links, j, turn)
				    : link_control(links, j),
			    is_data);
		}
		linkworld_pull(i);
	}
	turn++;
}

static uint64_t
linkworld_next_ns(void)
{
	uint64_t next_ns = control_ns;
	uint32_t first = linkworld_first();

	if (linkworld_now.data_every_ns != 0)
		next_ns = num_min(next_ns, data_ns);
	if (first < flight_count)
		next_ns = num_min(next_ns, flights[first].at_ns);
	for (uint32_t i = 0; i < LINKWORLD_NODES; i++) {
		uint64_t due_ns =
		    link_deadline_ns(linkworld_now.nodes[i].links);

		if (!linkworld_now.nodes[i].is_stopped && due_ns != UINT64_MAX)
			next_ns = num_min(next_ns,
			    num_sub(due_ns, linkworld_now.nodes[i].clock_ns));
	}
	return next_ns;
}

static void
linkworld_step(void)
{
	uint32_t first;

	if (control_ns <= linkworld_now.now_ns) {
		control_ns = linkworld_now.now_ns + 25 * LINKWORLD_MS;
		linkworld_all_pairs(false);
	}
	if (linkworld_now.data_every_ns != 0 &&
	    data_ns <= linkworld_now.now_ns) {
		data_ns = linkworld_now.now_ns + linkworld_now.data_every_ns;
		linkworld_all_pairs(true);
	}
	/* Timers first: what comes after a stop finds them run. */
	for (uint32_t i = 0; i < LINKWORLD_NODES; i++) {
		if (linkworld_now.nodes[i].is_stopped)
			continue;
		link_tick(linkworld_now.nodes[i].links, clock_of(i));
		linkworld_pull(i);
	}
	first = linkworld_first();
	if (first < flight_count &&
	    flights[first].at_ns <= linkworld_now.now_ns) {
		struct linkworld_flight flight = flights[first];

		flights[first] = flights[--flight_count];
		linkworld_take(&flight);
	}
}

void
linkworld_run(uint64_t ms)
{
	uint64_t end_ns = linkworld_now.now_ns + ms * LINKWORLD_MS;

	while (linkworld_next_ns() <= end_ns) {
		linkworld_now.now_ns =
		    num_max(linkworld_now.now_ns, linkworld_next_ns());
		linkworld_step();
	}
	linkworld_now.now_ns = end_ns;
}

/* ---- beginnings -------------------------------------------------------- */

static void
linkworld_make(uint32_t i)
{
	struct linkworld_node *node = &linkworld_now.nodes[i];
	struct link_config cfg = linkworld_now.cfg;
	struct arena arena;

	cfg.self = i;
	arena_init(&arena, NULL, 0);
	CHECK(link_create(&arena, &cfg, 1) == NULL);
	free(node->block);
	node->block = aligned_alloc(64, num_round_up(arena.used_bytes, 64));
	arena_init(&arena, node->block, arena.used_bytes);
	node->links = link_create(&arena, &cfg, clock_of(i));
	node->incarnation++;
}

static void
linkworld_greet(uint32_t i, uint32_t j)
{
	struct linkworld_node *node = &linkworld_now.nodes[i];

	link_greet(node->links, j,
	    believed[i][j] != 0 &&
		believed[i][j] != linkworld_now.nodes[j].incarnation,
	    clock_of(i));
	believed[i][j] = linkworld_now.nodes[j].incarnation;
	memset(seen[j][i], 0, LINKWORLD_SEEN);
	linkworld_pull(i);
}

void
linkworld_begin(const struct link_config *cfg, uint64_t seed)
{
	linkworld_now = (struct linkworld){ .now_ns = 1000 * LINKWORLD_MS,
		.data_bytes = LINKWORLD_FRAME };
	linkworld_now.cfg = *cfg;
	linkworld_now.cfg.node_count = LINKWORLD_NODES;
	linkworld_now.cfg.datagram_bytes = LINKWORLD_FRAME;
	rng_init(&rng, seed);
	flights = malloc(LINKWORLD_FLIGHTS * sizeof *flights);
	flight_count = 0;
	control_ns = data_ns = linkworld_now.now_ns;
	turn = 0;
	memset(believed, 0, sizeof believed);
	memset(recorded, 0, sizeof recorded);
	for (uint32_t i = 0; i < LINKWORLD_NODES; i++) {
		linkworld_now.nodes[i].clock_ns = i * 1000 * LINKWORLD_MS;
		linkworld_make(i);
		for (uint32_t j = 0; j < LINKWORLD_NODES; j++)
			seen[i][j] = malloc(LINKWORLD_SEEN);
	}
	for (uint32_t link = 0; link < LINKWORLD_LINKS; link++)
		linkworld_all(link,
		    (struct linkworld_wire){ .delay_ns = LINKWORLD_MS / 10 });
	for (uint32_t i = 0; i < LINKWORLD_NODES; i++)
		for (uint32_t j = 0; j < LINKWORLD_NODES; j++)
			if (i != j)
				linkworld_greet(i, j);
}

void
linkworld_change(const struct link_change *change)
{
	linkworld_now.cfg.link_count = change->link_count;
	for (uint32_t i = 0; i < LINKWORLD_NODES; i++) {
		struct link_change own = *change;

		own.own = change->moved[i];
		own.moved[i] = 0;
		link_set_links(linkworld_now.nodes[i].links, &own, clock_of(i));
		linkworld_pull(i);
	}
}

void
linkworld_restart(uint32_t i)
{
	linkworld_now.nodes[i].counter = 0;
	linkworld_make(i);
	for (uint32_t j = 0; j < LINKWORLD_NODES; j++) {
		if (i == j)
			continue;
		believed[i][j] = 0;
		linkworld_greet(i, j);
		linkworld_greet(j, i);
	}
}

void
linkworld_readmit(uint32_t i)
{
	static const uint32_t ids[LINKWORLD_NODES] = { 1, 2, 3 };
	struct links *links = linkworld_now.nodes[i].links;
	const uint32_t last = LINKWORLD_NODES - 1;
	struct idmap map;

	ENSURE(i != last);
	idmap_make(&map, ids, last + 1, ids, last);
	link_set_nodes(links, &map, clock_of(i));
	linkworld_pull(i);
	idmap_make(&map, ids, last, ids, last + 1);
	link_set_nodes(links, &map, clock_of(i));
	linkworld_pull(i);
	linkworld_greet(i, last);
}

void
linkworld_end(void)
{
	free(flights);
	for (uint32_t i = 0; i < LINKWORLD_NODES; i++) {
		free(linkworld_now.nodes[i].block);
		for (uint32_t j = 0; j < LINKWORLD_NODES; j++)
			free(seen[i][j]);
	}
}

/* ---- small things ------------------------------------------------------ */

void
linkworld_replay(uint32_t from, uint32_t to, uint32_t link)
{
	struct linkworld_flight flight = recorded[from][to][link];
	struct link_at at = { from, link, clock_of(to) };

	CHECK(flight.packet.seq != 0);
	CHECK(!link_hear(
	    linkworld_now.nodes[to].links, &at, &flight.packet, flight.bytes));
	CHECK(!link_wants(linkworld_now.nodes[to].links, &at, flight.counter));
}

void
linkworld_all(uint32_t link, struct linkworld_wire wire)
{
	for (uint32_t i = 0; i < LINKWORLD_NODES; i++)
		for (uint32_t j = 0; j < LINKWORLD_NODES; j++)
			linkworld_now.wires[i][j][link] = wire;
}

void
linkworld_forget(void)
{
	for (uint32_t i = 0; i < LINKWORLD_NODES; i++)
		for (uint32_t j = 0; j < LINKWORLD_NODES; j++) {
			linkworld_now.data[i][j] =
			    (struct linkworld_data){ .last_came_ns =
							 linkworld_now.now_ns };
			memset(seen[i][j], 0, LINKWORLD_SEEN);
		}
	linkworld_now.moves = linkworld_now.ups = linkworld_now.downs = 0;
}

struct link_status
linkworld_status(uint32_t at, uint32_t peer, uint32_t link)
{
	struct link_status status;

	link_status(linkworld_now.nodes[at].links, peer, link, &status);
	return status;
}

bool
linkworld_is_up(uint32_t at, uint32_t peer, uint32_t link)
{
	return linkworld_status(at, peer, link).state == LINK_UP;
}

uint8_t
linkworld_data_of(uint32_t at, uint32_t peer)
{
	return link_data(linkworld_now.nodes[at].links, peer, 0);
}
