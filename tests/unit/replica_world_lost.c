/* SPDX-License-Identifier: BSD-3-Clause */
/* What each node of the world of replicas holds, and what may be lost: what
 * was in memory only, when all who had it were killed, and nothing else. */
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/cfgstored/replica_internal.h"
#include "tests/unit/replica_world_internal.h"

#define w replica_w

/* It is of an earlier epoch, and behind the log that this one has. */
static bool
is_beyond(const struct kv_tip *tip, const struct world_epoch *epoch)
{
	return kv_epoch_compare(&tip->epoch, &epoch->id) < 0 &&
	    kv_tip_compare(tip, &epoch->base) > 0;
}

bool
replica_world_is_lost(const struct kv_tip *tip)
{
	for (size_t i = w.epoch_count; w.rules.may_lose && i-- > 0;)
		if (is_beyond(tip, &w.epoch[i]))
			return true;
	return false;
}

/* ---- an epoch opens ---------------------------------------------------- */

/* false: OPEN is not to be seen here, or is of another epoch. */
static bool
find_open(const struct replica *r, struct replica_open *out)
{
	const struct replica_era *era = &r->era;
	struct replica_record record;

	if (!replica_window_get(&r->win, era->open_index, &record) ||
	    kv_epoch_compare(&record.tip.epoch, &era->id) != 0)
		if (!replica_window_get(&r->live, era->open_index, &record))
			return false;
	return kv_epoch_compare(&record.tip.epoch, &era->id) == 0 &&
	    replica_wire_get_open(record.bytes, record.len, out);
}

/* NULL: it was seen before. */
static const struct world_epoch *
add_epoch(const struct kv_epoch *id, const struct kv_tip *base)
{
	size_t at = w.epoch_count;
	int order = 1;

	while (at > 0) {
		order = kv_epoch_compare(&w.epoch[at - 1].id, id);
		if (order <= 0)
			break;
		at--;
	}
	if (at > 0 && order == 0)
		return NULL;
	ENSURE(w.epoch_count < EPOCHS_MAX);
	memmove(&w.epoch[at + 1], &w.epoch[at],
	    (w.epoch_count++ - at) * sizeof *w.epoch);
	w.epoch[at] = (struct world_epoch){ .id = *id, .base = *base };
	return &w.epoch[at];
}

static void
check_held(const struct world_epoch *epoch, const struct kv_nodes *counted)
{
	for (size_t i = 0; i < counted->count; i++) {
		const struct world_node *n = replica_world_find(counted->id[i]);

		if (n->is_up && is_beyond(&n->held, epoch))
			replica_world_fail("an epoch has the log up to %llu, "
					   "and node %u, who counts, holds "
					   "%llu",
			    (unsigned long long)epoch->base.index,
			    (unsigned)n->id, (unsigned long long)n->held.index);
	}
}

/* ---- what is lost by that ---------------------------------------------- */

static void
lose_op(struct world_op *op, const struct world_epoch *epoch)
{
	bool is_gone = op->is_done && is_beyond(&op->tip, epoch);
	const struct kv_tip *seen = op->is_done ? &op->tip : &op->seen;
	bool is_unsaid = op->said != 0 && is_beyond(seen, epoch);

	if (is_gone && op->is_durable)
		replica_world_fail(
		    "op %u was acknowledged on disk, and is lost",
		    (unsigned)(op - w.op) + 1);
	if (is_unsaid) {
		lincheck_unsay(w.history, op->said - 1);
		op->said = 0;
		op->rev = 0;
	}
	w.tally->lost += is_gone;
	op->is_done = op->is_done && !is_gone;
}

static void
lose(const struct world_epoch *epoch)
{
	uint64_t told = 0;

	for (uint64_t i = epoch->base.index + 1; i < INDEXES_MAX; i++)
		if (w.index[i].is_known && is_beyond(&w.index[i].tip, epoch))
			memset(&w.index[i], 0, sizeof w.index[i]);
	for (size_t i = 0; i < w.op_count; i++) {
		lose_op(&w.op[i], epoch);
		told = num_max(told, w.op[i].rev);
	}
	w.rev_told = told;
	for (size_t i = 0; i < w.op_count; i++)
		w.op[i].rev_before = num_min(w.op[i].rev_before, told);
}

/* ---- seen from a node -------------------------------------------------- */

static void
look_at_epoch(struct world_node *n)
{
	const struct world_epoch *epoch;
	struct replica_open open;

	n->opened = n->replica->era.id;
	if (w.epoch == NULL)
		w.epoch = calloc(EPOCHS_MAX, sizeof *w.epoch);
	ENSURE(w.epoch != NULL);
	if (!find_open(n->replica, &open))
		return;
	epoch = add_epoch(&n->replica->era.id, &open.base);
	if (epoch == NULL)
		return;
	check_held(epoch, &open.counted);
	if (w.rules.may_lose)
		lose(epoch);
}

void
replica_world_lost_look(struct world_node *n)
{
	const struct replica_era *era = &n->replica->era;

	if (era->is_complete)
		n->held = replica_window_tip(&n->replica->win);
	if (era->is_on && era->is_open &&
	    kv_epoch_compare(&n->opened, &era->id) != 0)
		look_at_epoch(n);
}

/* ---- answers ----------------------------------------------------------- */

void
replica_world_lost_answered(
    struct world_op *op, const struct world_node *n, uint64_t rev)
{
	const struct replica *r = n->replica;

	op->seen = replica_log_tip_at(r, r->applied);
	op->is_durable = op->kind == WORLD_WRITE && !op->is_in_memory;
	op->rev = rev;
}

void
replica_world_lost_end(void)
{
	for (size_t i = 0; i < w.op_count; i++)
		if (w.op[i].is_durable && !w.op[i].is_done &&
		    !w.op[i].wish.is_deletion)
			replica_world_fail(
			    "op %u was acknowledged on disk, and is in no log",
			    (unsigned)i + 1);
}
