/* SPDX-License-Identifier: BSD-3-Clause */
/* One node of the world of replicas: its effects, one after the other. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/cfgstored/replica_internal.h"
#include "tests/unit/replica_disk.h"
#include "tests/unit/replica_world_internal.h"

#define MS_NS UINT64_C(1000000)

#define w replica_w

enum { MORE_BYTES = 4096 };
static_assert(KV_FRAME_BYTES_MAX + MORE_BYTES <= REPLICA_CHUNK_BYTES_MAX,
    "what is lent fits one chunk");

static void
copy_state(struct world_node *n)
{
	struct kv_writer writer;
	size_t more;

	kv_writer_init(&writer, replica_kv(n->replica));
	n->lent_len = n->lent_at = 0;
	do {
		ENSURE(n->lent_len + 4 + REPLICA_CHUNK_BYTES_MAX <= LENT_BYTES);
		more = kv_writer_next(&writer, n->lent + n->lent_len + 4,
		    KV_FRAME_BYTES_MAX + replica_world_draw(MORE_BYTES));
		memcpy(n->lent + n->lent_len, &(uint32_t){ (uint32_t)more }, 4);
		n->lent_len += 4 + more;
	} while (more > 0);
	w.tally->lends++;
}

static void
publish(struct world_node *n, const struct replica_effect *effect)
{
	struct world_ring *ring = &w.ring[n->ring];
	struct world_message *m;

	if (effect->publish.if_view.seq != ring->view.seq)
		return;
	m = calloc(1, sizeof *m);
	ENSURE(m != NULL);
	m->bytes = malloc(effect->publish.len);
	ENSURE(m->bytes != NULL);
	memcpy(m->bytes, effect->publish.bytes, effect->publish.len);
	m->len = effect->publish.len;
	m->sender = n->id;
	if (n->out_last != NULL)
		n->out_last->next = m;
	else
		n->out_first = m;
	n->out_last = m;
}

void
replica_world_effect(struct world_node *n, const struct replica_effect *effect)
{
	if (replica_disk_take(n->disk, effect, replica_kv(n->replica))) {
		n->is_room_due = true;
		if (effect->kind == REPLICA_OUT_BEGIN)
			w.tally->fills++;
		if (effect->kind == REPLICA_OUT_SAVE)
			w.tally->saves++;
		return;
	}
	if (effect->kind == REPLICA_OUT_LEND)
		copy_state(n);
	else if (effect->kind == REPLICA_OUT_LEND_NEXT)
		n->is_lent_due = true;
	else if (effect->kind == REPLICA_OUT_ANSWER)
		replica_world_answered(n, effect);
	else if (effect->kind == REPLICA_OUT_RELOAD)
		n->is_reload_due = true;
	else if (effect->kind == REPLICA_OUT_LOG)
		replica_world_tell("n%u: %s", (unsigned)n->id, effect->log);
	else if (effect->kind == REPLICA_OUT_STATE)
		replica_world_tell("n%u: is %s", (unsigned)n->id,
		    replica_state_name(effect->state));
}

bool
replica_world_due(struct world_node *n, struct replica_input *in)
{
	uint32_t len;

	*in = (struct replica_input){ .kind = REPLICA_IN_ROOM };
	if (n->is_room_due) {
		n->is_room_due = false;
		in->room = replica_disk_room(n->disk);
		return true;
	}
	if (!n->is_lent_due)
		return false;
	n->is_lent_due = false;
	in->kind = REPLICA_IN_LENT;
	memcpy(&len, n->lent + n->lent_at, 4);
	in->lent.bytes = n->lent + n->lent_at + 4;
	in->lent.len = len;
	n->lent_at += 4 + len;
	return true;
}

void
replica_world_step(struct world_node *n, struct replica_input *in)
{
	struct replica_effect effect;
	struct replica_input due = *in;

	do {
		due.now_ns = w.now_ns + n->skew_ns;
		due.is_more = rng_below(&w.rng, 3) == 0;
		replica_step(n->replica, &due);
		while (replica_next(n->replica, &effect))
			if (effect.kind == REPLICA_OUT_PUBLISH)
				publish(n, &effect);
			else
				replica_world_effect(n, &effect);
		replica_check(n->replica);
		replica_world_look(n);
	} while (!n->is_reload_due && replica_world_due(n, &due));
}

void
replica_world_drop_out(struct world_node *n)
{
	while (n->out_first != NULL) {
		struct world_message *next = n->out_first->next;

		free(n->out_first->bytes);
		free(n->out_first);
		n->out_first = next;
	}
	n->out_last = NULL;
}

void
replica_world_make(struct world_node *n)
{
	struct replica_config cfg;
	struct arena arena;

	replica_config_init(&cfg);
	cfg.self = n->id;
	for (unsigned i = 0; i < w.rules.node_count; i++)
		if (w.votes[i] > 0)
			cfg.node[cfg.node_count++] =
			    (struct kv_voter){ w.id[i], w.votes[i] };
	cfg.tie = w.rules.tie;
	cfg.run = ++n->run;
	cfg.seed = w.rng.word[0];
	cfg.kv = (struct kv_config){ { 64, 16384, 4096, 8 }, 512, 65536 };
	if (w.rules.has_large)
		cfg.kv = (struct kv_config){ { 64, 2 << 20, LARGE_BYTES, 8 },
			64, 1 << 20 };
	cfg.message_bytes_max = 60 << 10;
	cfg.window_bytes = w.window_bytes;
	cfg.tail_bytes = w.rules.has_large ? 1 << 20 : 2048;
	cfg.queue_bytes = 4096;
	cfg.snapshot_bytes = 1024U << replica_world_draw(3);
	cfg.silence_ns = 200 * MS_NS;
	arena_init(&arena, NULL, 0);
	(void)replica_create(&arena, &cfg);
	if (n->memory == NULL)
		n->memory = aligned_alloc(
		    64, num_round_up(arena.used_bytes + (16 << 10), 64));
	ENSURE(n->memory != NULL);
	arena_init(&arena, n->memory, arena.used_bytes + (16 << 10));
	n->replica = replica_create(&arena, &cfg);
	n->applied = 0;
	n->held = replica_disk_tip(n->disk);
	n->is_room_due = true;
	n->is_lent_due = n->is_reload_due = false;
	replica_disk_load(n->disk, n->replica);
	replica_world_look(n);
}

/* Its disk has all of this epoch up to there; or it is beyond that. */
static bool
has_on_disk(
    const struct world_node *n, const struct kv_epoch *epoch, uint64_t index)
{
	struct kv_tip tip = replica_disk_tip(n->disk);
	int order = kv_epoch_compare(&tip.epoch, epoch);

	return n->is_sick || order > 0 || (order == 0 && tip.index >= index);
}

struct world_node *
replica_world_find(uint32_t id)
{
	for (unsigned i = 0; i < w.rules.node_count; i++)
		if (w.id[i] == id)
			return &w.node[i];
	return NULL;
}

static bool
is_on_disks(const struct world_node *n, const struct kv_electorate *e)
{
	unsigned sum = 0, good = 0;

	for (size_t i = 0; i < e->count; i++) {
		sum += e->voter[i].votes;
		if (has_on_disk(replica_world_find(e->voter[i].id),
			&n->elect_epoch, n->electing))
			good += e->voter[i].votes;
	}
	return 2 * good > sum;
}

static bool
is_on_disks_of_all(const struct world_node *n)
{
	const struct kv_nodes *members = &n->replica->era.members;

	for (size_t i = 0; i < members->count; i++)
		if (!has_on_disk(replica_world_find(members->id[i]),
			&n->elect_epoch, n->electing))
			return false;
	return true;
}

void
replica_world_look_at_cut(struct world_node *n)
{
	const struct replica_era *era = &n->replica->era;
	bool is_electing = era->is_open && era->e.next.count > 0;
	bool is_same = era->is_on && n->electing != 0 &&
	    kv_epoch_compare(&era->id, &n->elect_epoch) == 0;

	if (is_same && !is_electing && !is_on_disks_of_all(n) &&
	    !(is_on_disks(n, &n->elect.now) && is_on_disks(n, &n->elect.next)))
		replica_world_fail("node %u has a CUT, and its ELECT may get "
				   "lost",
		    (unsigned)n->id);
	if (!is_electing) {
		n->electing = 0;
	} else if (!is_same) {
		n->electing = era->end;
		n->elect_epoch = era->id;
		n->elect = era->e;
	}
}

/* Those that are as they were, without n, have more than half. */
static bool
is_majority(const struct kv_electorate *e, const struct world_node *n)
{
	unsigned sum = 0, good = 0;

	for (size_t i = 0; i < e->count; i++) {
		const struct world_node *voter =
		    replica_world_find(e->voter[i].id);

		sum += e->voter[i].votes;
		if (voter != n && !voter->is_sick)
			good += e->voter[i].votes;
	}
	return 2 * good > sum;
}

bool
replica_world_may_lose(const struct world_node *n)
{
	struct kv_electorate all = { .count = w.rules.node_count };

	/* Nobody can tell a lost disk from one that was never begun. */
	if (w.tally_begin == w.tally->oks)
		return false;
	for (unsigned i = 0; i < w.rules.node_count; i++)
		all.voter[i] = (struct kv_voter){ w.id[i], w.votes[i] };
	if (!is_majority(&all, n))
		return false;
	/* And of all that may count, by any log. */
	for (unsigned i = 0; i < w.rules.node_count; i++) {
		const struct kv_electorates *e;

		if (w.node[i].replica == NULL)
			continue;
		e = &w.node[i].replica->meta.e;
		if ((e->now.count > 0 && !is_majority(&e->now, n)) ||
		    (e->next.count > 0 && !is_majority(&e->next, n)))
			return false;
	}
	return true;
}
