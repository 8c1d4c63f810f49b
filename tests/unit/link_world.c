/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/link_world.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"

#include "tests/unit/check.h"

enum {
	WORLD_FLIGHTS = 1 << 15,
	WORLD_SEEN = 1 << 16,
	WORLD_SHORT = 100,
	WORLD_OVERHEAD = 48,
};

/* A datagram on its way. */
struct world_flight {
	uint64_t at_ns, incarnation, counter;
	uint32_t from, to, link, bytes;
	bool is_link, is_data;
	struct link_packet packet;
};

struct world world;
static struct world_flight *flights;
static uint32_t flight_count;
static uint8_t *seen[WORLD_NODES][WORLD_NODES];     /* counters that came */
static uint64_t believed[WORLD_NODES][WORLD_NODES]; /* incarnations */
static struct rng rng;
static struct world_flight recorded[WORLD_NODES][WORLD_NODES][WORLD_LINKS];
static uint64_t control_ns, data_ns, turn;

static uint64_t
clock_of(uint32_t i)
{
	return world.now_ns + world.nodes[i].clock_ns;
}

/* ---- the wires --------------------------------------------------------- */

static void
world_fly(struct world_flight flight)
{
	const struct world_wire *wire =
	    &world.wires[flight.from][flight.to][flight.link];

	if (wire->is_cut || rng_below(&rng, 1000) < wire->loss ||
	    (wire->mtu != 0 && flight.bytes > wire->mtu))
		return;
	flight.at_ns = world.now_ns + wire->delay_ns;
	if (wire->jitter_ns > 0)
		flight.at_ns += rng_below(&rng, wire->jitter_ns);
	if (CHECK(flight_count < WORLD_FLIGHTS))
		flights[flight_count++] = flight;
}

static void
world_pull(uint32_t i)
{
	struct world_node *node = &world.nodes[i];
	struct link_effect effect;

	while (link_next(node->links, clock_of(i), &effect)) {
		struct world_flight flight = {
			.from = i,
			.to = effect.peer,
			.link = effect.link,
			.is_link = true,
			.packet = effect.packet,
			.incarnation = node->incarnation,
		};
		uint8_t bytes[LINK_TEXT_BYTES];

		world.moves += effect.kind == LINK_OUT_MOVED;
		world.ups += effect.kind == LINK_OUT_UP;
		world.downs += effect.kind == LINK_OUT_DOWN;
		if (effect.kind != LINK_OUT_SEND)
			continue;
		link_packet_put(&effect.packet, bytes);
		CHECK(link_packet_get(bytes, sizeof bytes, &flight.packet));
		flight.counter = ++node->counter;
		flight.bytes = effect.bytes != 0
		    ? effect.bytes
		    : LINK_TEXT_BYTES + WORLD_OVERHEAD;
		node->sent_links[effect.peer][effect.link]++;
		world_fly(flight);
	}
	link_assert(node->links);
}

/* One datagram over a set of links. */
static void
world_send(uint32_t from, uint32_t to, uint8_t set, bool is_data)
{
	struct world_node *node = &world.nodes[from];
	uint64_t counter = ++node->counter;

	if (is_data)
		world.data[from][to].sent++;
	for (uint32_t link = 0; link < world.cfg.link_count; link++) {
		struct link_at at = { to, link, clock_of(from) };

		if (!(set >> link & 1))
			continue;
		link_sent(node->links, &at, 1);
		world_fly((struct world_flight){
		    .from = from,
		    .to = to,
		    .link = link,
		    .is_data = is_data,
		    .bytes = is_data ? world.data_bytes : WORLD_SHORT,
		    .counter = counter,
		    .incarnation = node->incarnation,
		});
	}
}

/* ---- what comes -------------------------------------------------------- */

static void
world_count_data(const struct world_flight *flight, bool is_first)
{
	struct world_data *data = &world.data[flight->from][flight->to];

	if (!is_first) {
		data->doubled++;
		return;
	}
	data->came++;
	data->by_link[flight->link]++;
	data->longest_gap_ns =
	    num_max(data->longest_gap_ns, world.now_ns - data->last_came_ns);
	data->last_came_ns = world.now_ns;
}

static void
world_take(const struct world_flight *flight)
{
	struct world_node *node = &world.nodes[flight->to];
	struct link_at at = { flight->from, flight->link,
		clock_of(flight->to) };
	uint8_t *was =
	    &seen[flight->from][flight->to][flight->counter % WORLD_SEEN];

	if (flight->incarnation != believed[flight->to][flight->from])
		return;
	if (flight->is_link) {
		recorded[flight->from][flight->to][flight->link] = *flight;
		if (link_hear(node->links, &at, &flight->packet, flight->bytes))
			link_heard(node->links, &at, flight->counter);
		world_pull(flight->to);
		return;
	}
	link_came(node->links, &at);
	if (!*was || link_wants(node->links, &at, flight->counter))
		link_heard(node->links, &at, flight->counter);
	if (flight->is_data)
		world_count_data(flight, !*was);
	*was = 1;
	seen[flight->from][flight->to]
	    [(flight->counter + WORLD_SEEN / 2) % WORLD_SEEN] = 0;
	world_pull(flight->to);
}

/* The first that may arrive; flight_count: none. */
static uint32_t
world_first(void)
{
	uint32_t first = flight_count;

	for (uint32_t i = 0; i < flight_count; i++)
		if (!world.nodes[flights[i].to].is_stopped &&
		    (first == flight_count ||
			flights[i].at_ns < flights[first].at_ns))
			first = i;
	return first;
}

/* ---- time -------------------------------------------------------------- */

static void
world_all_pairs(bool is_data)
{
	for (uint32_t i = 0; i < WORLD_NODES; i++) {
		if (world.nodes[i].is_stopped)
			continue;
		for (uint32_t j = 0; j < WORLD_NODES; j++) {
			struct links *links = world.nodes[i].links;

			if (i == j)
				continue;
			world_send(i, j,
			    is_data ? link_data(links, j, turn)
				    : link_control(links, j),
			    is_data);
		}
		world_pull(i);
	}
	turn++;
}

static uint64_t
world_next_ns(void)
{
	uint64_t next_ns = control_ns;
	uint32_t first = world_first();

	if (world.data_every_ns != 0)
		next_ns = num_min(next_ns, data_ns);
	if (first < flight_count)
		next_ns = num_min(next_ns, flights[first].at_ns);
	for (uint32_t i = 0; i < WORLD_NODES; i++) {
		uint64_t due_ns = link_deadline_ns(world.nodes[i].links);

		if (!world.nodes[i].is_stopped && due_ns != UINT64_MAX)
			next_ns = num_min(
			    next_ns, num_sub(due_ns, world.nodes[i].clock_ns));
	}
	return next_ns;
}

static void
world_step(void)
{
	uint32_t first;

	if (control_ns <= world.now_ns) {
		control_ns = world.now_ns + 25 * WORLD_MS;
		world_all_pairs(false);
	}
	if (world.data_every_ns != 0 && data_ns <= world.now_ns) {
		data_ns = world.now_ns + world.data_every_ns;
		world_all_pairs(true);
	}
	/* Timers first: what comes after a stop finds them run. */
	for (uint32_t i = 0; i < WORLD_NODES; i++) {
		if (world.nodes[i].is_stopped)
			continue;
		link_tick(world.nodes[i].links, clock_of(i));
		world_pull(i);
	}
	first = world_first();
	if (first < flight_count && flights[first].at_ns <= world.now_ns) {
		struct world_flight flight = flights[first];

		flights[first] = flights[--flight_count];
		world_take(&flight);
	}
}

void
world_run(uint64_t ms)
{
	uint64_t end_ns = world.now_ns + ms * WORLD_MS;

	while (world_next_ns() <= end_ns) {
		world.now_ns = num_max(world.now_ns, world_next_ns());
		world_step();
	}
	world.now_ns = end_ns;
}

/* ---- beginnings -------------------------------------------------------- */

static void
world_make(uint32_t i)
{
	struct world_node *node = &world.nodes[i];
	struct link_config cfg = world.cfg;
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
world_greet(uint32_t i, uint32_t j)
{
	struct world_node *node = &world.nodes[i];

	link_greet(node->links, j,
	    believed[i][j] != 0 && believed[i][j] != world.nodes[j].incarnation,
	    clock_of(i));
	believed[i][j] = world.nodes[j].incarnation;
	memset(seen[j][i], 0, WORLD_SEEN);
	world_pull(i);
}

void
world_begin(const struct link_config *cfg, uint64_t seed)
{
	world = (struct world){ .now_ns = 1000 * WORLD_MS,
		.data_bytes = WORLD_FRAME };
	world.cfg = *cfg;
	world.cfg.node_count = WORLD_NODES;
	world.cfg.datagram_bytes = WORLD_FRAME;
	rng_init(&rng, seed);
	flights = malloc(WORLD_FLIGHTS * sizeof *flights);
	flight_count = 0;
	control_ns = data_ns = world.now_ns;
	turn = 0;
	memset(believed, 0, sizeof believed);
	memset(recorded, 0, sizeof recorded);
	for (uint32_t i = 0; i < WORLD_NODES; i++) {
		world.nodes[i].clock_ns = i * 1000 * WORLD_MS;
		world_make(i);
		for (uint32_t j = 0; j < WORLD_NODES; j++)
			seen[i][j] = malloc(WORLD_SEEN);
	}
	for (uint32_t link = 0; link < WORLD_LINKS; link++)
		world_all(
		    link, (struct world_wire){ .delay_ns = WORLD_MS / 10 });
	for (uint32_t i = 0; i < WORLD_NODES; i++)
		for (uint32_t j = 0; j < WORLD_NODES; j++)
			if (i != j)
				world_greet(i, j);
}

void
world_restart(uint32_t i)
{
	world.nodes[i].counter = 0;
	world_make(i);
	for (uint32_t j = 0; j < WORLD_NODES; j++) {
		if (i == j)
			continue;
		believed[i][j] = 0;
		world_greet(i, j);
		world_greet(j, i);
	}
}

void
world_end(void)
{
	free(flights);
	for (uint32_t i = 0; i < WORLD_NODES; i++) {
		free(world.nodes[i].block);
		for (uint32_t j = 0; j < WORLD_NODES; j++)
			free(seen[i][j]);
	}
}

/* ---- small things ------------------------------------------------------ */

void
world_replay(uint32_t from, uint32_t to, uint32_t link)
{
	struct world_flight flight = recorded[from][to][link];
	struct link_at at = { from, link, clock_of(to) };

	CHECK(flight.packet.seq != 0);
	CHECK(!link_hear(
	    world.nodes[to].links, &at, &flight.packet, flight.bytes));
	CHECK(!link_wants(world.nodes[to].links, &at, flight.counter));
}

void
world_all(uint32_t link, struct world_wire wire)
{
	for (uint32_t i = 0; i < WORLD_NODES; i++)
		for (uint32_t j = 0; j < WORLD_NODES; j++)
			world.wires[i][j][link] = wire;
}

void
world_forget(void)
{
	for (uint32_t i = 0; i < WORLD_NODES; i++)
		for (uint32_t j = 0; j < WORLD_NODES; j++) {
			world.data[i][j] =
			    (struct world_data){ .last_came_ns = world.now_ns };
			memset(seen[i][j], 0, WORLD_SEEN);
		}
	world.moves = world.ups = world.downs = 0;
}

struct link_status
world_status(uint32_t at, uint32_t peer, uint32_t link)
{
	struct link_status status;

	link_status(world.nodes[at].links, peer, link, &status);
	return status;
}

bool
world_is_up(uint32_t at, uint32_t peer, uint32_t link)
{
	return world_status(at, peer, link).state == LINK_UP;
}

uint8_t
world_data_of(uint32_t at, uint32_t peer)
{
	return link_data(world.nodes[at].links, peer, 0);
}
