/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstored/kv_rules.h"

#include "libcommon/base/ensure.h"

static int
compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

int
kv_epoch_compare(const struct kv_epoch *a, const struct kv_epoch *b)
{
	if (a->view_seq != b->view_seq)
		return compare(a->view_seq, b->view_seq);
	if (a->view_rep != b->view_rep)
		return compare(a->view_rep, b->view_rep);
	if (a->pos_seq != b->pos_seq)
		return compare(a->pos_seq, b->pos_seq);
	return compare(a->pos_idx, b->pos_idx);
}

int
kv_tip_compare(const struct kv_tip *a, const struct kv_tip *b)
{
	int order = kv_epoch_compare(&a->epoch, &b->epoch);

	return order != 0 ? order : compare(a->index, b->index);
}

static bool
has(const struct kv_nodes *nodes, uint32_t id)
{
	ENSURE(nodes->count <= LIMIT_NODES);
	for (size_t i = 0; i < nodes->count; i++)
		if (nodes->id[i] == id)
			return true;
	return false;
}

/* Votes that these have more than those who are not among them. */
static int64_t
margin(const struct kv_electorate *e, const struct kv_nodes *nodes)
{
	int64_t sum = 0;

	ENSURE(e->count <= LIMIT_NODES);
	for (size_t i = 0; i < e->count; i++) {
		int64_t votes = e->voter[i].votes;

		ENSURE(votes > 0);
		ENSURE(i == 0 || e->voter[i - 1].id < e->voter[i].id);
		sum += has(nodes, e->voter[i].id) ? votes : -votes;
	}
	return sum;
}

static bool
is_any(const struct kv_electorate *e, const struct kv_nodes *nodes)
{
	for (size_t i = 0; i < e->count; i++)
		if (has(nodes, e->voter[i].id))
			return true;
	return false;
}

static bool
are_absent_fenced(const struct kv_standing *standing,
    const struct kv_electorate *e, const struct kv_nodes *here)
{
	for (size_t i = 0; i < e->count; i++)
		if (!has(here, e->voter[i].id) &&
		    !has(&standing->fenced, e->voter[i].id))
			return false;
	return true;
}

static bool
may_decide(const struct kv_standing *standing, const struct kv_electorate *e,
    const struct kv_nodes *here)
{
	int64_t more = margin(e, here);

	if (more != 0 || e->count == 0)
		return more > 0;
	if (standing->tie == KV_TIE_NONE)
		return false;
	if (standing->tie == KV_TIE_NODE)
		return has(here, e->voter[0].id);
	return is_any(e, &standing->lasting) &&
	    are_absent_fenced(standing, e, here);
}

bool
kv_rules_may_open(
    const struct kv_standing *standing, const struct kv_electorates *e)
{
	const struct kv_nodes *here = &standing->verified;

	if (!may_decide(standing, &e->now, here))
		return false;
	return e->next.count == 0 || may_decide(standing, &e->next, here);
}

bool
kv_rules_may_elect(const struct kv_standing *standing,
    const struct kv_nodes *members, const struct kv_electorates *e,
    const struct kv_electorate *next)
{
	return e->next.count == 0 && may_decide(standing, next, members);
}

bool
kv_rules_is_durable(const struct kv_electorates *e,
    const struct kv_nodes *members, const struct kv_nodes *synced)
{
	bool is_everywhere = true;

	ENSURE(e->now.count > 0 && members->count > 0);
	for (size_t i = 0; i < members->count; i++)
		is_everywhere &= has(synced, members->id[i]);
	if (is_everywhere)
		return true;
	return margin(&e->now, synced) > 0 &&
	    (e->next.count == 0 || margin(&e->next, synced) > 0);
}
