/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether this view opens, and with whose log: rules 2, 3 and 6. */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/cfgstored/replica_internal.h"

/* ---- what the members said --------------------------------------------- */

static const struct replica_said *
said_of(const struct replica *r, uint32_t node)
{
	const struct replica_era *era = &r->era;
	size_t i = replica_place(&era->members, node);

	if (i == era->members.count || !era->peer[i].has_spoken)
		return NULL;
	return &era->peer[i].said;
}

static void
find_spoken(const struct replica *r, struct kv_nodes *out)
{
	out->count = 0;
	for (size_t i = 0; i < r->era.members.count; i++)
		if (r->era.peer[i].has_spoken)
			replica_add_node(out, r->era.members.id[i]);
}

/* Better to take the log from. */
static bool
is_better(const struct replica_said *said, const struct replica_said *base)
{
	int order = kv_tip_compare(&said->tip, &base->tip);

	return order > 0 || (order == 0 && base->is_silent && !said->is_silent);
}

/* Of those with the highest log; NULL: nobody has a record. */
static const struct replica_said *
find_base(
    const struct replica *r, const struct kv_nodes *counted, uint32_t *giver)
{
	const struct replica_said *base = NULL;

	for (size_t i = 0; i < counted->count; i++) {
		const struct replica_said *said = said_of(r, counted->id[i]);

		if (!said->is_verified || said->tip.index == 0)
			continue;
		if (base == NULL || is_better(said, base)) {
			base = said;
			*giver = counted->id[i];
		}
	}
	return base;
}

static void
merge_runs(struct replica_runs *out, const struct replica *r,
    const struct kv_nodes *counted)
{
	for (size_t i = 0; i < counted->count; i++) {
		const struct replica_said *said = said_of(r, counted->id[i]);

		for (size_t j = 0; j < said->meta.runs.count; j++)
			replica_note_run(out, said->meta.runs.of[j].node,
			    said->meta.runs.of[j].inc,
			    said->meta.runs.of[j].run);
		replica_note_run(out, counted->id[i], said->inc, said->run);
	}
}

/* Nodes that are not here and off in the latest incarnation known. */
static void
find_fenced(const struct replica *r, const struct kv_nodes *counted,
    const struct replica_runs *known, struct kv_nodes *out)
{
	out->count = 0;
	for (size_t i = 0; i < counted->count; i++) {
		const struct replica_runs *fenced =
		    &said_of(r, counted->id[i])->fenced;

		for (size_t j = 0; j < fenced->count; j++) {
			const struct replica_run *run =
			    replica_find_run(known, fenced->of[j].node);

			if (replica_has_node(
				&r->era.members, fenced->of[j].node))
				continue;
			if (run == NULL || fenced->of[j].inc >= run->inc)
				replica_add_node(out, fenced->of[j].node);
		}
	}
}

static void
find_standing(const struct replica *r, const struct kv_nodes *counted,
    const struct replica_open *open, struct kv_standing *out)
{
	*out = (struct kv_standing){ .tie = r->cfg.tie };
	for (size_t i = 0; i < counted->count; i++) {
		const struct replica_said *said = said_of(r, counted->id[i]);

		if (!said->is_verified)
			continue;
		replica_add_node(&out->verified, counted->id[i]);
		if (kv_epoch_compare(&said->lived, &open->base.epoch) == 0)
			replica_add_node(&out->lasting, counted->id[i]);
	}
	find_fenced(r, counted, &open->meta.runs, &out->fenced);
}

/* Rule 6: all configured nodes are here, and agree on who that is. */
static bool
are_all_here(const struct replica *r, const struct kv_nodes *counted)
{
	uint64_t configured = replica_view_configured(&r->cfg);

	for (size_t i = 0; i < r->cfg.node_count; i++)
		if (!replica_has_node(counted, r->cfg.node[i].id))
			return false;
	for (size_t i = 0; i < counted->count; i++)
		if (said_of(r, counted->id[i])->configured != configured)
			return false;
	return true;
}

/* Blank, or founded and empty; an operator's word makes damaged blank. */
static bool
is_beginning(const struct replica *r, const struct kv_nodes *counted)
{
	for (size_t i = 0; i < counted->count; i++) {
		const struct replica_said *said = said_of(r, counted->id[i]);

		if (said->is_verified && said->tip.index > 0)
			return false;
		if (!said->is_verified && !said->is_blank && !r->era.is_init)
			return false;
	}
	return counted->count > 0 &&
	    (r->era.is_init || are_all_here(r, counted));
}

static bool
are_founded(const struct replica *r, const struct kv_nodes *counted)
{
	for (size_t i = 0; i < counted->count; i++)
		if (!said_of(r, counted->id[i])->is_verified)
			return false;
	return true;
}

static bool
has_all(const struct kv_electorate *e, const struct kv_nodes *nodes)
{
	for (size_t i = 0; i < e->count; i++)
		if (!replica_has_node(nodes, e->voter[i].id))
			return false;
	return true;
}

/* No log here knows of anything that was acknowledged. */
static bool
is_virgin(const struct replica *r, const struct kv_nodes *counted)
{
	for (size_t i = 0; i < counted->count; i++) {
		const struct replica_said *said = said_of(r, counted->id[i]);

		if (said->is_verified && said->acked > 0)
			return false;
	}
	return !r->era.is_init;
}

/* ---- the rules --------------------------------------------------------- */

static const char *
check_logs(const struct replica *r, const struct kv_nodes *counted,
    const struct replica_said *base)
{
	for (size_t i = 0; i < counted->count; i++) {
		const struct replica_said *said = said_of(r, counted->id[i]);

		if (!said->is_verified || said->tip.index == 0)
			continue;
		if (said->meta.store != base->meta.store)
			return "stores";
		if (kv_epoch_compare(&said->tip.epoch, &r->era.id) >= 0)
			return "epoch";
	}
	return NULL;
}

/* A new store is of all configured nodes; by init, of those who are here. */
static const char *
found(const struct replica *r, struct replica_open *out)
{
	struct kv_electorate *e = &out->meta.e.now;

	if (!are_founded(r, &out->counted))
		return "founding";
	for (size_t i = 0; i < r->cfg.node_count; i++)
		if (replica_has_node(&out->counted, r->cfg.node[i].id))
			e->voter[e->count++] = r->cfg.node[i];
	if (e->count == 0)
		return "strangers";
	out->is_first = true;
	out->giver = out->counted.id[0];
	out->meta.store = r->cfg.seed | 1;
	merge_runs(&out->meta.runs, r, &out->counted);
	return NULL;
}

/*
 * What the OPEN that counts these has to be, but for the name of a new store;
 * a word: it may not be.
 */
static const char *
judge(const struct replica *r, struct replica_open *out)
{
	const struct replica_said *base;
	struct kv_standing standing;
	const char *why;
	bool may_open;

	out->is_init = r->era.is_init;
	if (is_beginning(r, &out->counted))
		return found(r, out);
	base = find_base(r, &out->counted, &out->giver);
	if (base == NULL)
		return "blank";
	why = check_logs(r, &out->counted, base);
	if (why != NULL)
		return why;
	out->base = base->tip;
	out->meta = base->meta;
	merge_runs(&out->meta.runs, r, &out->counted);
	find_standing(r, &out->counted, out, &standing);
	if (is_virgin(r, &out->counted))
		may_open = has_all(&out->meta.e.now, &standing.verified) &&
		    has_all(&out->meta.e.next, &standing.verified);
	else
		may_open = kv_rules_may_open(&standing, &out->meta.e);
	return may_open || out->is_init ? NULL : "electorate";
}

/* Rule 6: an empty log, before it is said that there is one. */
void
replica_open_found(struct replica *r)
{
	struct kv_nodes spoken;

	find_spoken(r, &spoken);
	if (r->is_verified || r->is_founding || r->is_failed ||
	    spoken.count < r->era.members.count || !is_beginning(r, &spoken))
		return;
	r->is_founding = r->is_found_due = true;
	replica_log(r, "founds an empty log");
}

/* ---- proposing --------------------------------------------------------- */

/* Its turn among those who have spoken; false: it has none. */
static bool
find_rank(
    const struct replica *r, const struct kv_nodes *spoken, uint64_t *rank)
{
	*rank = 0;
	for (size_t i = 0; i < spoken->count; i++) {
		const struct replica_said *said = said_of(r, spoken->id[i]);

		if (spoken->id[i] == r->cfg.self)
			return !said->is_silent;
		*rank += !said->is_silent;
	}
	return false;
}

/* When nobody is waited for any longer. */
static uint64_t
settled_ns(const struct replica *r)
{
	const struct replica_era *era = &r->era;

	return era->spoken_ns != 0 ? era->spoken_ns
				   : era->begin_ns + r->cfg.silence_ns;
}

uint64_t
replica_open_deadline_ns(const struct replica *r)
{
	const struct replica_era *era = &r->era;
	struct kv_nodes spoken;
	uint64_t rank;

	if (!era->is_on || era->is_open || era->is_open_sent)
		return REPLICA_NEVER;
	if (!era->is_judged)
		return settled_ns(r);
	find_spoken(r, &spoken);
	if (era->why != NULL || !find_rank(r, &spoken, &rank))
		return REPLICA_NEVER;
	return settled_ns(r) + rank * r->cfg.silence_ns;
}

bool
replica_open_propose(struct replica *r, struct replica_open *out)
{
	struct replica_era *era = &r->era;

	if (replica_open_deadline_ns(r) > r->now_ns)
		return false;
	memset(out, 0, sizeof *out);
	find_spoken(r, &out->counted);
	era->why = judge(r, out);
	if (era->why == NULL && !r->is_permitted)
		era->why = "quorum";
	era->is_judged = true;
	/* Is it our turn? */
	if (replica_open_deadline_ns(r) > r->now_ns)
		return false;
	era->is_open_sent = true;
	return true;
}

/* ---- deciding ---------------------------------------------------------- */

static bool
is_same_electorate(const struct kv_electorate *a, const struct kv_electorate *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->voter[i].id != b->voter[i].id ||
		    a->voter[i].votes != b->voter[i].votes)
			return false;
	return true;
}

static bool
is_valid(
    const struct replica *r, uint32_t sender, const struct replica_open *open)
{
	struct replica_open must = { .counted = open->counted };

	if (said_of(r, sender) == NULL || open->counted.count == 0)
		return false;
	for (size_t i = 0; i < open->counted.count; i++)
		if (said_of(r, open->counted.id[i]) == NULL)
			return false;
	if (judge(r, &must) != NULL)
		return false;
	return kv_tip_compare(&must.base, &open->base) == 0 &&
	    must.giver == open->giver && must.is_first == open->is_first &&
	    is_same_electorate(&must.meta.e.now, &open->meta.e.now) &&
	    is_same_electorate(&must.meta.e.next, &open->meta.e.next) &&
	    (must.is_first || must.meta.store == open->meta.store);
}

static void
begin(struct replica *r, const struct replica_open *open)
{
	struct replica_era *era = &r->era;

	era->is_open = true;
	era->why = NULL;
	era->giver = open->giver;
	era->open_index = open->base.index + 1;
	era->end = open->base.index;
	era->e = era->e_before = open->meta.e;
	era->elect_index = open->meta.elect_index;
	era->change_index = era->disk_index = era->open_index;
	era->is_virgin = is_virgin(r, &open->counted);
	for (size_t i = 0; i < open->counted.count; i++)
		era->base_acked = num_max(
		    era->base_acked, said_of(r, open->counted.id[i])->acked);
	era->base_acked = num_min(era->base_acked, open->base.index);
	replica_window_clear(&r->live, &open->base);
}

/* Its log is what the epoch goes on from. */
static bool
has_base(const struct replica *r, const struct replica_open *open)
{
	struct kv_tip tip = replica_window_tip(&r->win);

	return r->is_verified && kv_tip_compare(&tip, &open->base) == 0;
}

void
replica_open_deliver(
    struct replica *r, uint32_t sender, const void *bytes, size_t len)
{
	struct replica_era *era = &r->era;
	struct replica_open open;

	if (sender == r->cfg.self)
		era->is_open_sent = false;
	if (era->is_open || !replica_wire_get_open(bytes, len, &open) ||
	    !is_valid(r, sender, &open))
		return;
	begin(r, &open);
	era->is_contiguous = has_base(r, &open);
	replica_log_add(r, bytes, len);
	if (era->is_contiguous)
		replica_log_own(r);
	else
		replica_fill_begin(r);
}
