/* SPDX-License-Identifier: BSD-3-Clause */
/* What may wait for company.  A message costs every node a turn, however
 * little it says: so commands wait for those that are likely to come at once,
 * and what nobody waits for is confirmed with what somebody does.
 *
 * When it is said is nobody's promise; nothing here changes what.
 */
#include "libcommon/base/num.h"

#include "bin/cfgstored/replica_internal.h"

/* Longer than clients take who ask again as soon as they are answered. */
#define PATIENCE_NS UINT64_C(200000)
/* For what nobody waits for. */
#define IDLE_NS UINT64_C(5000000)
/* For what others confirm as well, in case they do not. */
#define HELD_NS UINT64_C(500000)

/* ---- commands ---------------------------------------------------------- */

/* Who was answered has asked again, or as many others have. */
static bool
are_all(const struct replica_pace *pace, uint64_t count)
{
	return count >= pace->answered;
}

void
replica_pace_answered(struct replica *r)
{
	r->pace.answered++;
}

void
replica_pace_waiting(struct replica *r)
{
	struct replica_pace *pace = &r->pace;

	if (pace->gather_ns == 0)
		pace->gather_ns = r->now_ns + (PATIENCE_NS >> pace->hurry);
}

bool
replica_pace_is_gathered(const struct replica *r, uint64_t count)
{
	const struct replica_pace *pace = &r->pace;

	return are_all(pace, count) || r->now_ns >= pace->gather_ns;
}

void
replica_pace_sent(struct replica *r, uint64_t count)
{
	struct replica_pace *pace = &r->pace;

	/* Who waited in vain waits half as long the next time. */
	if (r->client.flights == 0 && !are_all(pace, count))
		pace->hurry += pace->hurry < REPLICA_HURRY_MAX;
	else if (r->client.flights == 0 && pace->answered > 1)
		pace->hurry -= pace->hurry > 0;
	pace->answered = pace->gather_ns = 0;
}

void
replica_pace_view_ended(struct replica *r)
{
	r->pace.answered = r->pace.gather_ns = r->pace.idle_ns = 0;
}

uint64_t
replica_pace_deadline_ns(const struct replica *r)
{
	const struct replica_client *c = &r->client;
	const struct replica_pace *pace = &r->pace;
	uint64_t due = REPLICA_NEVER;

	if (pace->idle_ns != 0 && r->era.is_open && !r->era.is_synced_sent)
		due = pace->idle_ns;
	if (pace->gather_ns > r->now_ns && c->flights == 0)
		due = num_min(due, pace->gather_ns);
	return due;
}

/* ---- confirmations ----------------------------------------------------- */

uint64_t
replica_pace_awaited(const struct replica *r)
{
	const struct replica_era *era = &r->era;

	if (!era->is_open)
		return UINT64_MAX;
	return replica_log_is_save_late(r) ? era->end : era->disk_index;
}

/*
 * Could all others acknowledge a record without this node?  Who is still
 * fetching what was before OPEN confirms nothing.
 */
static bool
are_others_enough(const struct replica *r)
{
	const struct replica_era *era = &r->era;
	struct kv_nodes others = { 0 };

	for (size_t i = 0; i < era->members.count; i++)
		if (i != era->self &&
		    era->peer[i].synced.synced >= era->open_index)
			others.id[others.count++] = era->members.id[i];
	return kv_rules_is_durable(&era->e, &era->members, &others);
}

void
replica_pace_enters_memory(struct replica *r, uint32_t sender)
{
	struct replica_era *era = &r->era;

	era->memory_index = era->end + 1;
	if (sender != r->cfg.self || !are_others_enough(r))
		era->prompt_index = era->memory_index;
}

bool
replica_pace_is_synced_due(struct replica *r, const struct replica_synced *now)
{
	const struct replica_era *era = &r->era;
	const struct replica_synced *told = &era->told;
	struct replica_pace *pace = &r->pace;
	bool is_due = now->marks != told->marks ||
	    told->held < num_min(now->held, era->prompt_index) ||
	    told->synced < num_min(now->synced, replica_pace_awaited(r));
	bool is_held = now->held != told->held;

	if (!is_due && (is_held || now->synced != told->synced)) {
		uint64_t due_ns = r->now_ns + (is_held ? HELD_NS : IDLE_NS);

		if (pace->idle_ns == 0 || pace->idle_ns > due_ns)
			pace->idle_ns = due_ns;
		if (r->now_ns < pace->idle_ns)
			return false;
		is_due = true;
	}
	pace->idle_ns = 0;
	return is_due;
}
