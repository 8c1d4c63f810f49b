/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/base/ensure.h"

#include "bin/cfgstored/replica_internal.h"

static void
check_log(const struct replica *r)
{
	uint64_t end = r->win.end - 1;

	ENSURE(r->win.first == r->win.before.index + 1);
	ENSURE(r->win.first <= r->win.end);
	ENSURE(r->applied >= r->win.before.index);
	ENSURE(r->given <= end);
	if (!r->is_kv_void)
		ENSURE(r->applied <= end);
	ENSURE(r->acked <= end || r->fill.has_begun || r->fill.is_begin_due ||
	    r->is_kv_void);
	ENSURE(!(r->is_verified && r->is_blank));
}

static void
check_era(const struct replica *r)
{
	const struct replica_era *era = &r->era;

	if (!era->is_on)
		return;
	ENSURE(r->is_in_view && era->self < era->members.count);
	ENSURE(era->members.id[era->self] == r->cfg.self);
	if (!era->is_open)
		return;
	ENSURE(era->e.now.count > 0);
	ENSURE(era->open_index > 0 && era->end >= era->open_index);
	ENSURE(era->acked <= era->end && era->synced <= era->end);
	if (era->is_contiguous)
		ENSURE(r->win.end == era->end + 1);
	ENSURE(era->is_complete == (era->is_ours && era->is_contiguous));
	if (!era->is_ours)
		return;
	ENSURE(r->is_verified && !r->is_blank);
	ENSURE(r->win.end > era->open_index);
	ENSURE(kv_epoch_compare(&r->lived, &era->id) == 0);
	if (era->is_complete)
		ENSURE(r->acked >= era->acked);
}

static void
check_client(const struct replica *r)
{
	const struct replica_client *c = &r->client;

	ENSURE(c->first <= c->next_sent && c->next_sent <= c->end);
	ENSURE(c->end - c->first <= REPLICA_PENDING_MAX);
	ENSURE(c->reading_count <= REPLICA_READS_MAX);
	for (uint64_t i = c->next_sent; i < c->end; i++)
		ENSURE(c->pending[i % REPLICA_PENDING_MAX].len > 0);
}

void
replica_check(const struct replica *r)
{
	if (r->is_dead || r->is_reload_due)
		return;
	check_log(r);
	check_era(r);
	check_client(r);
}
