/* SPDX-License-Identifier: BSD-3-Clause */
/* What is true of the core after every step. */
#include "libcommon/base/ensure.h"

#include "bin/quorumd/quorum_internal.h"

static void
check_epoch(const struct quorum *q, const struct quorum_epoch *e)
{
	ENSURE(e->expected > 0 && e->cause < QUORUM_CAUSES);
	ENSURE((e->voters & ~q->all) == 0 && (e->quorate & ~q->all) == 0);
	ENSURE(quorum_epoch_votes(e) <= e->expected);
	for (size_t i = 0; i < LIMIT_NODES; i++)
		ENSURE(e->votes[i] == 0 || (e->voters & QUORUM_BIT(i)));
}

void
quorum_check(const struct quorum *q)
{
	const struct quorum_memory *memory = &q->memory;
	struct quorum_finding found;

	ENSURE((q->members & ~q->all) == 0);
	ENSURE((q->configured & ~q->all) == 0);
	ENSURE(q->cfg.node[q->self].id == q->cfg.self);
	ENSURE(!q->is_pending || q->next_version != q->version);
	for (size_t i = 0; i < q->cfg.node_count; i++)
		ENSURE(i == 0 || q->cfg.node[i - 1].id < q->cfg.node[i].id);
	ENSURE((q->group & ~q->members) == 0);
	ENSURE((q->spoken & ~q->group) == 0);
	ENSURE((q->leaving & ~q->group) == 0);
	ENSURE(q->is_in_view == ((q->members & QUORUM_BIT(q->self)) != 0));
	check_epoch(q, &memory->now);
	ENSURE(memory->maybe_count <= QUORUM_MAYBES);
	for (size_t i = 0; i < memory->maybe_count; i++) {
		check_epoch(q, &memory->maybe[i]);
		ENSURE(quorum_epoch_order(
			   &memory->maybe[i].stamp, &memory->now.stamp) > 0);
	}
	ENSURE(quorum_epoch_order(&q->common, &memory->now.stamp) <= 0);
	if (!q->is_in_view)
		return;
	quorum_judge(q, quorum_judge_side(q), &found);
	ENSURE(found.is_quorate == q->finding.is_quorate);
	ENSURE(found.votes <= found.expected);
	ENSURE(!found.is_quorate || (q->spoken & QUORUM_BIT(q->self)));
	ENSURE(!q->verdict.is_known || q->is_told);
	ENSURE(!q->is_told || q->verdict.is_quorate == found.is_quorate);
}
