/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/replica_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"

#include "bin/cfgstored/replica.h"
#include "tests/unit/replica_disk.h"
#include "tests/unit/replica_world_internal.h"

#define MS_NS UINT64_C(1000000)

enum { QUIET = 4000 };

struct replica_world_state replica_w;

#define w replica_w

void
replica_world_fail(const char *format, ...)
{
	va_list args;

	if (w.failure[0] != '\0')
		return;
	va_start(args, format);
	vsnprintf(w.failure, sizeof w.failure, format, args);
	va_end(args);
}

void
replica_world_tell(const char *format, ...)
{
	va_list args;

	if (!w.rules.is_telling)
		return;
	printf("%6u %8llu ", w.step_no, (unsigned long long)(w.now_ns / MS_NS));
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

unsigned
replica_world_draw(unsigned bound)
{
	return (unsigned)rng_below(&w.rng, bound);
}

static unsigned
draw(unsigned bound)
{
	return replica_world_draw(bound);
}

/* What of ringd's stream it missed is told it anew. */
static void
tell_view(struct world_node *n)
{
	struct world_ring *ring = &w.ring[n->ring];
	struct replica_input in = { .kind = REPLICA_IN_VIEW };
	uint64_t inc[REPLICA_WORLD_NODES];

	for (size_t i = 0; i < ring->members.count; i++)
		inc[i] = ring->inc[i];
	in.view.id = ring->view;
	in.view.member = ring->members.id;
	in.view.inc = inc;
	in.view.member_count = ring->members.count;
	replica_world_step(n, &in);
}

static void
tell_group(struct world_node *n, const struct kv_nodes *nodes, size_t at)
{
	struct replica_input in = { .kind = REPLICA_IN_GROUP };

	n->group = *nodes;
	in.group.node = nodes->id;
	in.group.node_count = nodes->count;
	in.group.pos.view = w.ring[n->ring].view;
	in.group.pos.seq = at;
	replica_world_step(n, &in);
}

static struct world_entry *add_entry(struct world_ring *ring);

/* Reads its files again, and comes into the group anew. */
static void
reload(struct world_node *n)
{
	struct world_ring *ring = &w.ring[n->ring];
	struct world_entry *entry;

	w.tally->reloads++;
	replica_world_tell("n%u: reloads", (unsigned)n->id);
	replica_disk_crash(n->disk, SIZE_MAX);
	replica_world_drop_out(n);
	replica_world_make(n);
	n->group.count = 0;
	tell_view(n);
	entry = add_entry(ring);
	entry->is_group = true;
	for (size_t i = 0; i < ring->members.count; i++)
		if (ring->members.id[i] != n->id)
			entry->group.id[entry->group.count++] =
			    ring->members.id[i];
	entry = add_entry(ring);
	entry->is_group = true;
	entry->group = ring->members;
}

/* ---- rings ------------------------------------------------------------- */

static struct world_entry *
add_entry(struct world_ring *ring)
{
	if (ring->count == ring->size) {
		ring->size = ring->size == 0 ? 64 : 2 * ring->size;
		ring->entry = realloc(
		    ring->entry, ring->size * sizeof(struct world_entry));
		ENSURE(ring->entry != NULL);
	}
	ring->entry[ring->count] = (struct world_entry){ 0 };
	return &ring->entry[ring->count++];
}

static struct world_ring *
make_ring(const struct kv_nodes *members)
{
	struct world_ring *ring;

	ENSURE(w.ring_count < RINGS_MAX);
	ring = &w.ring[w.ring_count++];
	*ring = (struct world_ring){ .members = *members };
	ring->view.rep = members->id[0];
	ring->view.seq = 10 + w.ring_count;
	for (size_t i = 0; i < members->count; i++)
		ring->inc[i] = w.node[members->id[i] - 1].inc;
	return ring;
}

/* All of the ring say who is in the group: only then messages are ordered. */
static void
add_exchange(struct world_ring *ring, bool is_merge)
{
	struct world_entry *entry;

	if (!is_merge)
		return;
	entry = add_entry(ring);
	entry->is_group = true;
	entry->group = ring->members;
	ring->has_exchange = true;
}

static void
enter(struct world_node *n)
{
	struct kv_nodes along = { 0 };
	const struct world_ring *ring;

	n->ring = n->next_ring;
	ring = &w.ring[n->ring];
	n->is_leaving = false;
	n->pos = 0;
	replica_world_drop_out(n);
	for (size_t i = 0; i < n->group.count; i++)
		for (size_t j = 0; j < ring->members.count; j++)
			if (n->group.id[i] == ring->members.id[j] &&
			    w.node[n->group.id[i] - 1].from == n->from)
				along.id[along.count++] = n->group.id[i];
	n->group = along;
	n->group_at = 0;
	tell_view(n);
}

/* A message that nobody of this side has got, though later ones are there. */
static bool
is_missed(const struct world_node *n, size_t pos)
{
	return n->is_leaving && pos > n->certain &&
	    (pos * 7 + n->salt + n->next_ring) % 3 == 0;
}

/* Nobody goes from this ring to the next with it. */
static bool
goes_alone(const struct world_node *n)
{
	for (unsigned i = 0; i < w.rules.node_count; i++) {
		const struct world_node *other = &w.node[i];

		if (other != n && other->next_ring == n->next_ring &&
		    other->from == n->from)
			return false;
	}
	return true;
}

/*
 * Who has not heard yet that the others are gone, and has all that they sent,
 * may still order messages, which nobody else will ever get.
 */
static bool
order_alone(struct world_node *n)
{
	struct replica_input in = { .kind = REPLICA_IN_MESSAGE };
	struct world_ring *ring = &w.ring[n->ring];
	struct world_message *m = n->out_first;

	if (m == NULL || n->regular < n->last || !goes_alone(n) || draw(8) == 0)
		return false;
	if (ring->lone == 0 && n->pos == ring->count)
		ring->lone = n->id;
	if (ring->lone != n->id)
		return false;
	n->out_first = m->next;
	if (n->out_first == NULL)
		n->out_last = NULL;
	in.message.sender = n->id;
	in.message.pos.view = ring->view;
	in.message.pos.seq = ++n->pos;
	n->last = n->regular = n->pos;
	in.message.bytes = m->bytes;
	in.message.len = m->len;
	replica_world_step(n, &in);
	free(m->bytes);
	free(m);
	return true;
}

static void
deliver(struct world_node *n)
{
	struct world_ring *ring = &w.ring[n->ring];
	struct replica_input in = { .kind = REPLICA_IN_MESSAGE };
	const struct world_entry *entry;

	if (n->is_leaving && n->pos >= n->last) {
		if (order_alone(n))
			return;
		in.kind = REPLICA_IN_TRANSITIONAL;
		replica_world_step(n, &in);
		enter(n);
		return;
	}
	if (n->pos == ring->count)
		return;
	entry = &ring->entry[n->pos++];
	if (entry->is_group) {
		n->group_at = n->pos;
		tell_group(n, &entry->group, n->pos);
		return;
	}
	if (is_missed(n, n->pos))
		return;
	in.message.sender = entry->sender;
	in.message.pos.view = ring->view;
	in.message.pos.seq = n->pos;
	in.message.is_transitional = n->is_leaving && n->pos > n->regular;
	in.message.bytes = entry->bytes;
	in.message.len = entry->len;
	replica_world_step(n, &in);
}

/* The next of its messages gets its place. */
static void
order(struct world_node *n)
{
	struct world_ring *ring = &w.ring[n->ring];
	struct world_message *m = n->out_first;
	struct world_entry *entry;

	if (m == NULL || n->is_leaving)
		return;
	/* Nothing is ordered before all are there and have exchanged. */
	for (size_t i = 0; i < ring->members.count; i++)
		if (w.node[ring->members.id[i] - 1].ring != n->ring)
			return;
	n->out_first = m->next;
	if (n->out_first == NULL)
		n->out_last = NULL;
	entry = add_entry(ring);
	entry->sender = m->sender;
	entry->bytes = m->bytes;
	entry->len = m->len;
	free(m);
}

/* ---- faults ------------------------------------------------------------ */

/* Those who go together saw the same, however late each hears of the end. */
static void
leave_together(const struct kv_nodes *side, unsigned from)
{
	size_t seen = 0, known;

	for (size_t i = 0; i < side->count; i++) {
		const struct world_node *n = &w.node[side->id[i] - 1];

		if (n->ring == from)
			seen = num_max(seen, n->pos);
	}
	known = seen + draw((unsigned)(w.ring[from].count - seen + 1));
	for (size_t i = 0; i < side->count; i++) {
		struct world_node *n = &w.node[side->id[i] - 1];

		if (n->ring != from)
			continue;
		n->last = known;
		n->regular = n->pos + draw((unsigned)(known - n->pos + 1));
		seen = num_max(seen, n->regular);
	}
	for (size_t i = 0; i < side->count; i++) {
		struct world_node *n = &w.node[side->id[i] - 1];

		if (n->ring != from)
			continue;
		n->certain = seen;
		n->salt = known;
	}
}

static bool
is_settled(void)
{
	for (unsigned i = 0; i < w.rules.node_count; i++)
		if (w.node[i].is_up && w.node[i].is_leaving)
			return false;
	return true;
}

static void
form(const struct kv_nodes *side)
{
	bool is_merge = false;
	unsigned ring_no = w.ring_count;
	struct world_ring *ring;

	for (size_t i = 0; i < side->count; i++) {
		struct world_node *n = &w.node[side->id[i] - 1];

		leave_together(side, n->ring);
		/* Also when the exchange of the old ring was cut off. */
		is_merge |= n->ring != w.node[side->id[0] - 1].ring ||
		    (w.ring[n->ring].has_exchange && n->last == 0);
	}
	for (size_t i = 0; i < side->count; i++) {
		struct world_node *n = &w.node[side->id[i] - 1];

		n->from = n->ring;
	}
	ring = make_ring(side);
	add_exchange(ring, is_merge);
	for (size_t i = 0; i < side->count; i++) {
		struct world_node *n = &w.node[side->id[i] - 1];

		n->is_leaving = true;
		n->next_ring = ring_no;
	}
	replica_world_tell("view %llu of %u nodes from %u",
	    (unsigned long long)ring->view.seq, (unsigned)side->count,
	    (unsigned)side->id[0]);
}

static void
split(unsigned sides)
{
	struct kv_nodes side[REPLICA_WORLD_NODES] = { 0 };

	if (!is_settled())
		return;
	for (unsigned i = 0; i < w.rules.node_count; i++) {
		unsigned s = draw(sides);

		if (w.node[i].is_up)
			side[s].id[side[s].count++] = w.node[i].id;
	}
	for (unsigned s = 0; s < sides; s++)
		if (side[s].count > 0)
			form(&side[s]);
}

/* How much of what the disk was given it has when the power fails. */
static size_t
kept_of(size_t waiting)
{
	if (w.rules.may_lose && draw(4) != 0)
		return 0;
	if (w.rules.is_in_memory && !w.rules.may_lose)
		return SIZE_MAX;
	return draw((unsigned)waiting + 1);
}

static void
power_off(struct world_node *n)
{
	size_t waiting = replica_disk_waiting(n->disk);

	replica_world_tell("n%u: dies", (unsigned)n->id);
	n->is_up = false;
	replica_world_drop_out(n);
	replica_world_lost(n);
	replica_disk_crash(n->disk, kept_of(waiting));
}

static void
power_on(struct world_node *n)
{
	struct kv_nodes alone = { .count = 1, .id = { n->id } };

	if (w.rules.has_losses && draw(4) == 0 && replica_world_may_lose(n)) {
		n->is_sick = true;
		replica_world_tell("n%u: loses its disk", (unsigned)n->id);
		replica_disk_lose(n->disk, draw(2) == 0);
	}
	n->is_up = true;
	n->inc++;
	replica_world_make(n);
	n->next_ring = w.ring_count;
	n->group.count = 0;
	n->from = UINT_MAX;
	add_exchange(make_ring(&alone), true);
	replica_world_tell("n%u: starts, tip %llu", (unsigned)n->id,
	    (unsigned long long)replica_disk_tip(n->disk).index);
	enter(n);
}

/* Somebody saw to it that this one is off. */
static void
fence(const struct world_node *off)
{
	struct replica_input in = { .kind = REPLICA_IN_FENCED };

	for (unsigned i = 0; i < w.rules.node_count; i++) {
		if (!w.node[i].is_up)
			continue;
		in.fenced.node = off->id;
		in.fenced.inc = off->inc;
		replica_world_step(&w.node[i], &in);
	}
}

static void
turn_power(struct world_node *n)
{
	if (!is_settled())
		return;
	if (n->is_up) {
		power_off(n);
		if (w.rules.tie == KV_TIE_FENCE && draw(2) == 0)
			fence(n);
	} else {
		power_on(n);
	}
}

/* ---- the disk ---------------------------------------------------------- */

static void
work_disk(struct world_node *n, size_t count)
{
	struct replica_input in = { .kind = REPLICA_IN_SYNCED };

	replica_disk_sync(n->disk, count);
	in.kind = REPLICA_IN_ROOM;
	in.room = replica_disk_room(n->disk);
	replica_world_step(n, &in);
	in.kind = REPLICA_IN_SYNCED;
	if (replica_disk_synced(n->disk, &in.tip))
		replica_world_step(n, &in);
	in.kind = REPLICA_IN_SAVED;
	if (draw(4) == 0 && replica_disk_save(n->disk, &in.tip))
		replica_world_step(n, &in);
}

/* ---- a game ------------------------------------------------------------ */

static void
pass_time(unsigned ms)
{
	struct replica_input in = { .kind = REPLICA_IN_TIME };

	replica_world_lock_look();
	w.now_ns += ms * MS_NS;
	for (unsigned i = 0; i < w.rules.node_count; i++) {
		struct world_node *n = &w.node[i];

		if (n->is_up &&
		    replica_deadline_ns(n->replica) <= w.now_ns + n->skew_ns)
			replica_world_step(n, &in);
	}
}

static void
step_node(struct world_node *n, unsigned choice)
{
	if (!n->is_up)
		return;
	if (n->is_reload_due && !n->is_leaving)
		reload(n);
	else if (choice < 45)
		deliver(n);
	else if (choice < 75)
		order(n);
	else if (choice < 85)
		work_disk(n, draw(w.rules.may_lose ? 2 : 4));
	else if (choice < 97)
		replica_world_ask(n);
	else
		replica_world_watch();
}

static void
step(void)
{
	struct world_node *n = &w.node[draw(w.rules.node_count)];
	unsigned choice = draw(w.calm);

	w.step_no++;
	if (draw(100) < 6)
		replica_world_contend(n);
	if (choice < 2)
		split(1 + draw(w.rules.node_count));
	else if (choice < 6)
		split(1 + draw(2));
	else if (choice < (n->is_up ? 8U : 20U))
		turn_power(n);
	else if (choice < w.calm / 16)
		pass_time(draw(30));
	else
		step_node(n, draw(100));
}

static void
begin(uint64_t seed)
{
	rng_init(&w.rng, seed);
	for (unsigned i = 0; i < w.rules.node_count; i++) {
		struct world_node *n = &w.node[i];

		w.votes[i] = 1 + (draw(4) == 0);
		if (w.rules.has_voteless && i + 1 == w.rules.node_count)
			w.votes[i] = 0;
		n->id = w.id[i] = i + 1;
		n->inc = 1;
		n->disk = replica_disk_open(w.rules.has_large ? 1 << 20 : 8192);
		n->lent = malloc(LENT_BYTES);
		n->skew_ns = draw(1000) * MS_NS;
		ENSURE(n->lent != NULL);
	}
	w.now_ns = 1000 * MS_NS;
	w.calm = 500U << draw(5);
	w.window_bytes = 16384U << draw(2);
	if (w.rules.has_large)
		w.window_bytes = 4U << 20;
	for (unsigned i = 0; i < w.rules.node_count; i++)
		power_on(&w.node[i]);
	split(1);
}

static void
end(void)
{
	for (unsigned i = 0; i < w.rules.node_count; i++) {
		struct world_node *n = &w.node[i];

		replica_world_drop_out(n);
		replica_disk_close(n->disk);
		free(n->lent);
		free(n->memory);
	}
	for (unsigned i = 0; i < w.ring_count; i++) {
		for (size_t k = 0; k < w.ring[i].count; k++)
			free(w.ring[i].entry[k].bytes);
		free(w.ring[i].entry);
	}
	replica_world_forget();
}

static void
be_quiet(unsigned steps, unsigned choices)
{
	for (unsigned i = 0; i < steps && w.failure[0] == '\0'; i++) {
		w.step_no++;
		if (draw(10) == 0)
			pass_time(draw(30));
		else
			step_node(
			    &w.node[draw(w.rules.node_count)], draw(choices));
	}
}

/* Everybody is there, and nothing more happens but what has to. */
static void
heal(void)
{
	be_quiet(QUIET, 84);
	for (unsigned i = 0; i < w.rules.node_count; i++)
		if (!w.node[i].is_up)
			power_on(&w.node[i]);
	split(1);
	be_quiet(3 * QUIET, 84);
	for (unsigned i = 0; i < 8 && !replica_world_is_even(); i++)
		be_quiet(QUIET, 84);
	if (w.failure[0] == '\0')
		replica_world_end();
	if (w.failure[0] == '\0')
		replica_world_judge();
}

const char *
replica_world_play(const struct replica_world *world, uint64_t seed,
    struct replica_world_tally *tally)
{
	memset(&w, 0, sizeof w);
	w.rules = *world;
	w.tally = tally;
	w.step = replica_world_step;
	w.tally_begin = tally->oks;
	begin(seed);
	if (draw(4) != 0)
		be_quiet(QUIET, 100);
	while (w.step_no < w.rules.steps && w.failure[0] == '\0' &&
	    w.ring_count < RINGS_MAX - 16)
		step();
	if (w.failure[0] == '\0')
		heal();
	end();
	return w.failure[0] == '\0' ? NULL : w.failure;
}
