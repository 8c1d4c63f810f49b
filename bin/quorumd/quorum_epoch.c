/* SPDX-License-Identifier: BSD-3-Clause */
/* Agreements on who votes: which is newer, and what two nodes know together.
 */
#include <string.h>

#include "libcommon/base/num.h"

#include "bin/quorumd/quorum_internal.h"

static int
order(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

int
quorum_epoch_order(const struct parse_pos *a, const struct parse_pos *b)
{
	int by = order(a->view.seq, b->view.seq);

	if (by == 0)
		by = order(a->view.rep, b->view.rep);
	if (by == 0)
		by = order(a->seq, b->seq);
	return by != 0 ? by : order(a->idx, b->idx);
}

uint64_t
quorum_epoch_votes(const struct quorum_epoch *e)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < LIMIT_NODES; i++)
		sum += e->votes[i];
	return sum;
}

/* Something is certain that was agreed on later. */
static bool
is_over(const struct quorum_memory *memory, const struct quorum_epoch *e)
{
	return quorum_epoch_order(&e->stamp, &memory->now.stamp) <= 0 ||
	    (!memory->is_tried &&
		quorum_epoch_order(&e->stamp, &memory->since) < 0);
}

void
quorum_epoch_prune(struct quorum_memory *memory)
{
	size_t kept = 0;

	for (size_t i = 0; i < memory->maybe_count; i++)
		if (!is_over(memory, &memory->maybe[i]))
			memory->maybe[kept++] = memory->maybe[i];
	memory->maybe_count = kept;
}

void
quorum_epoch_adopt(struct quorum_memory *memory, const struct quorum_epoch *e)
{
	memory->now = *e;
	memory->since = (struct parse_pos){ .seq = 0 };
	memory->is_tried = false;
	quorum_epoch_prune(memory);
}

bool
quorum_epoch_is_promised(const struct quorum_epoch *e)
{
	return e->stamp.view.rep == UINT32_MAX;
}

/* What several promised is one, until the last of these places. */
static bool
is_known(struct quorum_epoch *mine, const struct quorum_epoch *theirs)
{
	int by = quorum_epoch_order(&theirs->stamp, &mine->stamp);
	bool is_same = quorum_epoch_is_promised(mine) &&
	    quorum_epoch_is_promised(theirs) && mine->config == theirs->config;

	if (is_same && by > 0)
		mine->stamp = theirs->stamp;
	return is_same || by == 0;
}

void
quorum_epoch_suspect(struct quorum_memory *memory, const struct quorum_epoch *e)
{
	if (is_over(memory, e))
		return;
	for (size_t i = 0; i < memory->maybe_count; i++)
		if (is_known(&memory->maybe[i], e))
			return;
	if (memory->maybe_count == QUORUM_MAYBES)
		memory->is_crowded = true;
	else
		memory->maybe[memory->maybe_count++] = *e;
}

bool
quorum_epoch_is_mixed(const struct quorum_epoch *e)
{
	return e->config == 0;
}

/*
 * One may remember that more votes were expected.  Where the configurations
 * differ, whoever is enough is to be so by each of them, and by any that is
 * met later: somebody else may know but one.
 */
static void
join_configured(struct quorum_epoch *mine, const struct quorum_epoch *theirs)
{
	mine->voters |= theirs->voters;
	mine->expected = (uint32_t)num_max(mine->expected, theirs->expected);
	if (mine->config == theirs->config && mine->config != 0)
		return;
	mine->config = 0;
	for (size_t i = 0; i < LIMIT_NODES; i++)
		mine->votes[i] =
		    (uint32_t)num_min(mine->votes[i], theirs->votes[i]);
}

/*
 * Both were only begun with.  One that was agreed on after the other was is
 * the one in force, unless the other has given quorum meanwhile.
 */
static void
join_begun(struct quorum_memory *mine, const struct quorum_memory *theirs)
{
	const int by = quorum_epoch_order(&theirs->since, &mine->since);
	const struct quorum_memory *older = by > 0 ? mine : theirs;
	const bool is_same =
	    mine->now.config == theirs->now.config && mine->now.config != 0;

	if (is_same || by == 0 || older->is_tried)
		join_configured(&mine->now, &theirs->now);
	else if (by > 0)
		mine->now = theirs->now;
	mine->is_tried |= theirs->is_tried;
	if (by > 0)
		mine->since = theirs->since;
	quorum_epoch_prune(mine);
}

bool
quorum_epoch_merge(
    struct quorum_memory *mine, const struct quorum_memory *theirs)
{
	struct quorum_memory before = *mine;
	int by = quorum_epoch_order(&theirs->now.stamp, &mine->now.stamp);

	if (by > 0)
		quorum_epoch_adopt(mine, &theirs->now);
	else if (by == 0 && mine->now.stamp.view.seq == 0)
		join_begun(mine, theirs);
	for (size_t i = 0; i < theirs->maybe_count; i++)
		quorum_epoch_suspect(mine, &theirs->maybe[i]);
	mine->is_crowded |= theirs->is_crowded;
	return by > 0 || before.is_tried != mine->is_tried ||
	    quorum_epoch_order(&before.since, &mine->since) != 0 ||
	    before.now.expected != mine->now.expected ||
	    before.now.voters != mine->now.voters ||
	    before.now.config != mine->now.config ||
	    memcmp(before.now.votes, mine->now.votes, sizeof mine->now.votes) !=
	    0 ||
	    before.maybe_count != mine->maybe_count ||
	    before.is_crowded != mine->is_crowded;
}
