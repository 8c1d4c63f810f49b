/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The store's rules as a game of chance: when may a view open, when may a
 * write be acknowledged.  No store is under test here but the rules that it
 * follows (bin/cfgstored/DESIGN.md), each of which is left out in turn: then
 * an acknowledged write must get lost, and as they are ruled none may.
 *
 * Logs are paths in one tree of records: a record knows the one before it and
 * the set of all writes up to it, so "is contained in" is a mask.  A record is
 * on the disk of a node if the node's tip is at or behind it.  Confirmations
 * are believed at the instant of the fsync, which is the earliest; they stay
 * believed when the node is gone, as one may be under way for long.  What is
 * acknowledged is the whole history up to a record: reading is acknowledging.
 */
#include "tests/unit/storegame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"

enum {
	NODES_MAX = 6,
	STEPS = 120,
	RECORDS_MAX = 2048,
	VIEWS_MAX = 1024,
	WRITES_MAX = 128,
	NONE = 0, /* the record before all others */
};

enum kind { KIND_OPEN, KIND_WRITE, KIND_ELECT, KIND_CUT };

typedef uint32_t nodes_t; /* a set; bit i is node i */

/* One byte of votes for each node; 0: it is not in the electorate. */
struct electorate {
	uint64_t votes;
};

struct record {
	uint16_t before;
	uint16_t after; /* in the stream of its view; NONE: not yet */
	uint16_t epoch;
	uint16_t length;
	uint8_t kind;
	nodes_t synced;
	uint64_t writes[WRITES_MAX / 64]; /* in the whole history */
	/* As the last OPEN that has the node says; 0: none has. */
	uint8_t runs[NODES_MAX];
	struct electorate now;
	struct electorate next; /* .votes 0: none is under way */
};

struct view {
	nodes_t members;
	nodes_t verified; /* when it began */
	nodes_t fenced;
	nodes_t lasting; /* were in the last epoch and did not restart */
	uint16_t open;   /* its OPEN; NONE: it is not open */
	uint16_t tip;
	uint16_t elect; /* whose acknowledgement permits the CUT */
	bool is_cut_allowed;
};

struct node {
	bool is_up;
	bool is_blank;
	uint8_t run;             /* its incarnation */
	uint8_t fenced;          /* the last of them that somebody saw to */
	uint8_t seen[NODES_MAX]; /* incarnations, since it started */
	uint16_t tip;            /* of what is on disk */
	uint16_t lived;          /* the epoch it was in, in this run of its */
	uint16_t view;
	bool is_behind; /* has not yet taken over the view's log */
};

struct world {
	struct rng rng;
	struct storegame rules;
	struct node nodes[NODES_MAX];
	struct view views[VIEWS_MAX];
	unsigned view_count;
	struct record records[RECORDS_MAX];
	unsigned record_count;
	unsigned write_count;
	uint64_t acknowledged[WRITES_MAX / 64];
	bool is_lost;
	struct storegame_tally *tally;
};

static struct world w;

static unsigned
draw(unsigned bound)
{
	return (unsigned)rng_below(&w.rng, bound);
}

static nodes_t
bit(unsigned node)
{
	return (nodes_t)1 << node;
}

static nodes_t
all(void)
{
	return bit(w.rules.node_count) - 1;
}

static unsigned
votes_of(struct electorate e, nodes_t set)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < NODES_MAX; i++)
		if (set & bit(i))
			sum += (unsigned)(e.votes >> 8 * i & 0xff);
	return sum;
}

static nodes_t
voters(struct electorate e)
{
	nodes_t set = 0;

	for (unsigned i = 0; i < NODES_MAX; i++)
		if (e.votes >> 8 * i & 0xff)
			set |= bit(i);
	return set;
}

static bool
is_majority(struct electorate e, nodes_t set)
{
	return 2 * votes_of(e, set) > votes_of(e, voters(e));
}

/* ---- rule 2: who may open ---------------------------------------------- */

static bool
decides_tie(const struct view *v, struct electorate e, nodes_t set)
{
	nodes_t absent = voters(e) & ~set;
	bool is_lasting = (v->lasting & voters(e)) != 0;
	bool is_fenced = (absent & ~v->fenced) == 0;

	if (w.rules.laxity == STOREGAME_LAX_HALF_OPENS)
		return true;
	if (w.rules.tie == STOREGAME_TIE_NODE) {
		nodes_t lowest = voters(e) & (~voters(e) + 1);

		return (set & lowest) != 0;
	}
	if (w.rules.laxity == STOREGAME_LAX_HALF_OPENS_RESTARTED)
		return is_fenced;
	if (w.rules.laxity == STOREGAME_LAX_HALF_OPENS_UNFENCED)
		return is_lasting;
	return is_lasting && is_fenced;
}

static bool
may_decide(const struct view *v, struct electorate e, nodes_t set)
{
	if (is_majority(e, set))
		return true;
	return (set & voters(e)) != 0 &&
	    2 * votes_of(e, set) == votes_of(e, voters(e)) &&
	    decides_tie(v, e, set);
}

/* Somebody else is told what the rules said. */
static void
tell(struct storegame_verdict verdict, const struct view *v,
    const struct record *r)
{
	if (w.rules.on_verdict == NULL)
		return;
	verdict.tie = w.rules.tie;
	verdict.members = v->members;
	verdict.verified = v->verified;
	verdict.lasting = v->lasting;
	verdict.fenced = v->fenced;
	verdict.synced = r->synced;
	verdict.now = r->now.votes;
	verdict.next = verdict.next ? verdict.next : r->next.votes;
	w.rules.on_verdict(&verdict);
}

static bool
may_open(const struct view *v, const struct record *base)
{
	bool by_now = may_decide(v, base->now, v->verified);
	bool by_next =
	    !base->next.votes || may_decide(v, base->next, v->verified);

	if (w.rules.laxity == STOREGAME_LAX_ANY_VIEW_OPENS)
		return true;
	if (w.rules.laxity == STOREGAME_LAX_NEW_ELECTORATE_ALONE &&
	    base->next.votes)
		return by_next;
	if (w.rules.laxity == STOREGAME_LAX_OLD_ELECTORATE_ALONE)
		return by_now;
	tell((struct storegame_verdict){ .kind = STOREGAME_OPEN,
		 .is_yes = by_now && by_next },
	    v, base);
	return by_now && by_next;
}

/* ---- rule 3: whose log ------------------------------------------------- */

static bool
is_higher(const struct record *a, const struct record *b)
{
	if (w.rules.laxity == STOREGAME_LAX_NEWEST_EPOCH)
		return a->epoch > b->epoch;
	if (w.rules.laxity != STOREGAME_LAX_LONGEST_LOG && a->epoch != b->epoch)
		return a->epoch > b->epoch;
	return a->length > b->length;
}

static uint16_t
highest_tip(nodes_t set)
{
	uint16_t best = NONE;

	for (unsigned i = 0; i < w.rules.node_count; i++)
		if ((set & bit(i)) &&
		    is_higher(&w.records[w.nodes[i].tip], &w.records[best]))
			best = w.nodes[i].tip;
	return best;
}

static uint16_t
record_add(uint16_t before, enum kind kind, uint16_t epoch)
{
	struct record *r = &w.records[w.record_count];

	ENSURE(w.record_count < RECORDS_MAX);
	*r = w.records[before];
	r->before = before;
	r->after = NONE;
	r->epoch = epoch;
	r->length++;
	r->kind = (uint8_t)kind;
	r->synced = 0;
	if (kind == KIND_WRITE) {
		ENSURE(w.write_count < WRITES_MAX);
		r->writes[w.write_count / 64] |= (uint64_t)1
		    << w.write_count % 64;
		w.write_count++;
	}
	return (uint16_t)w.record_count++;
}

static uint16_t
stream_add(struct view *v, enum kind kind)
{
	uint16_t at = record_add(v->tip, kind, w.records[v->tip].epoch);

	w.records[v->tip].after = at;
	v->tip = at;
	return at;
}

/* ---- rule 4: when to acknowledge --------------------------------------- */

static bool
has_all_acknowledged(const struct record *r)
{
	for (size_t i = 0; i < ARRAY_COUNT(w.acknowledged); i++)
		if (w.acknowledged[i] & ~r->writes[i])
			return false;
	return true;
}

static bool
is_durable(const struct view *v, const struct record *r)
{
	if (w.rules.laxity == STOREGAME_LAX_ONE_FSYNC)
		return r->synced != 0;
	if (w.rules.laxity == STOREGAME_LAX_MOST_OF_VIEW) {
		struct electorate e = r->now;

		return 2 * votes_of(e, r->synced) > votes_of(e, v->members);
	}
	if ((v->members & ~r->synced) == 0)
		return true;
	if (w.rules.laxity == STOREGAME_LAX_NEW_ELECTORATE_ALONE &&
	    r->next.votes)
		return is_majority(r->next, r->synced);
	if (!is_majority(r->now, r->synced))
		return false;
	return w.rules.laxity == STOREGAME_LAX_OLD_ELECTORATE_ALONE ||
	    !r->next.votes || is_majority(r->next, r->synced);
}

static bool
is_all_acknowledged(const struct record *r)
{
	for (size_t i = 0; i < ARRAY_COUNT(w.acknowledged); i++)
		if (r->writes[i] & ~w.acknowledged[i])
			return false;
	return true;
}

static void
acknowledge(const struct record *r)
{
	if (is_all_acknowledged(r))
		return; /* it tells nobody anything */
	if (!has_all_acknowledged(r))
		w.is_lost = true;
	for (size_t i = 0; i < ARRAY_COUNT(w.acknowledged); i++)
		w.acknowledged[i] |= r->writes[i];
	w.tally->acks++;
}

static void
sync_record(unsigned node, uint16_t at)
{
	struct view *v = &w.views[w.nodes[node].view];
	struct record *r = &w.records[at];
	bool is_enough;

	r->synced |= bit(node);
	w.nodes[node].tip = at;
	is_enough = is_durable(v, r);
	tell((struct storegame_verdict){ .kind = STOREGAME_DURABLE,
		 .is_yes = is_enough },
	    v, r);
	if (!is_enough)
		return;
	acknowledge(r);
	if (v->elect == at)
		v->is_cut_allowed = true;
}

/* The whole log of the view up to OPEN replaces what the node had. */
static void
take_over(unsigned node)
{
	struct node *n = &w.nodes[node];
	struct view *v = &w.views[n->view];
	struct record *base = &w.records[w.records[v->open].before];

	n->is_behind = false;
	n->is_blank = false;
	n->lived = w.records[v->open].epoch;
	if (w.rules.laxity == STOREGAME_LAX_OLD_BEFORE_OPEN &&
	    w.records[v->open].before) {
		base->synced |= bit(node);
		n->tip = w.records[v->open].before;
		if (is_durable(v, base))
			acknowledge(base);
		return;
	}
	sync_record(node, v->open);
}

static void
deliver(unsigned node)
{
	struct node *n = &w.nodes[node];
	struct view *v = &w.views[n->view];

	if (n->is_behind) {
		take_over(node);
		return;
	}
	if (n->tip == w.records[v->open].before)
		sync_record(node, v->open);
	else if (w.records[n->tip].after != NONE)
		sync_record(node, w.records[n->tip].after);
}

/* ---- views ------------------------------------------------------------- */

/*
 * A node that started again is not off, though nobody here may have seen it.
 * Then it has not lived in an epoch since: that is enough.  But who has seen
 * it, even in a view that never opened, has to remember.
 */
static bool
is_known_fenced(unsigned node, nodes_t members, const struct record *base)
{
	uint8_t run = base->runs[node];
	uint8_t fenced = w.nodes[node].fenced;

	if (w.rules.laxity != STOREGAME_LAX_FENCED_BY_LOG)
		for (unsigned i = 0; i < w.rules.node_count; i++)
			if ((members & bit(i)) && w.nodes[i].seen[node] > run)
				run = w.nodes[i].seen[node];
	if (w.rules.laxity == STOREGAME_LAX_FENCED_FOR_GOOD)
		run = 0;
	return fenced > 0 && fenced >= run;
}

static void
view_know(struct view *v, nodes_t members)
{
	const struct record *base;

	*v = (struct view){ .members = members };
	for (unsigned i = 0; i < w.rules.node_count; i++)
		if ((members & bit(i)) &&
		    (!w.nodes[i].is_blank ||
			w.rules.laxity == STOREGAME_LAX_BLANK_COUNTS))
			v->verified |= bit(i);
	base = &w.records[highest_tip(v->verified)];
	for (unsigned i = 0; i < w.rules.node_count; i++) {
		if ((v->verified & bit(i)) && w.nodes[i].lived == base->epoch)
			v->lasting |= bit(i);
		if (!(members & bit(i)) && is_known_fenced(i, members, base))
			v->fenced |= bit(i);
	}
}

static void
view_open(struct view *v, uint16_t base)
{
	bool is_counted = w.rules.laxity == STOREGAME_LAX_COUNTED_EPOCHS;
	uint16_t epoch = (uint16_t)(is_counted ? w.records[base].epoch + 1U
					       : (unsigned)(v - w.views) + 1U);

	if (!has_all_acknowledged(&w.records[base]))
		w.is_lost = true;
	w.tally->opens++;
	w.tally->halves += !is_majority(w.records[base].now, v->verified);
	v->open = record_add(base, KIND_OPEN, epoch);
	v->tip = v->open;
	for (unsigned i = 0; i < w.rules.node_count; i++)
		if (v->members & bit(i))
			w.records[v->open].runs[i] = w.nodes[i].run;
	if (w.records[base].next.votes)
		v->elect = v->open;
}

static void
view_begin(nodes_t members)
{
	struct view *v = &w.views[w.view_count];
	uint16_t base;

	ENSURE(w.view_count < VIEWS_MAX && members != 0);
	view_know(v, members);
	base = highest_tip(v->verified);
	/* The very first one has nothing to go by but that all are there. */
	if (w.view_count == 0 ||
	    (v->verified != 0 && may_open(v, &w.records[base])))
		view_open(v, base);
	for (unsigned i = 0; i < w.rules.node_count; i++) {
		if (!(members & bit(i)))
			continue;
		w.nodes[i].view = (uint16_t)w.view_count;
		w.nodes[i].is_behind = true;
		for (unsigned j = 0; j < w.rules.node_count; j++)
			if (members & bit(j))
				w.nodes[i].seen[j] = w.nodes[j].run;
	}
	w.view_count++;
}

/* Who goes on together from one open view takes its last messages along. */
static void
keep_transitional(nodes_t side)
{
	for (unsigned from = 0; from < w.view_count; from++) {
		struct view *v = &w.views[from];
		nodes_t along = 0;
		uint16_t at;

		for (unsigned i = 0; i < w.rules.node_count; i++)
			if ((side & bit(i)) && w.nodes[i].view == from &&
			    !w.nodes[i].is_behind)
				along |= bit(i);
		if (!v->open || !along || w.write_count == WRITES_MAX)
			continue;
		at = highest_tip(along);
		at = record_add(at, KIND_WRITE, w.records[at].epoch);
		for (unsigned i = 0; i < w.rules.node_count; i++)
			if (along & bit(i))
				sync_record(i, at);
	}
}

static void
power_off(unsigned node, bool is_fenced)
{
	w.nodes[node].is_up = false;
	memset(w.nodes[node].seen, 0, sizeof w.nodes[node].seen);
	if (is_fenced)
		w.nodes[node].fenced = w.nodes[node].run;
	w.nodes[node].lived = 0;
}

/* Under tie = fence a side may see to it that all others are off. */
static void
maybe_fence(nodes_t side)
{
	if (w.rules.tie != STOREGAME_TIE_FENCE || draw(3) != 0)
		return;
	for (unsigned i = 0; i < w.rules.node_count; i++)
		if (!(side & bit(i)))
			power_off(i, draw(8) != 0);
}

static void
change_views(void)
{
	unsigned sides = 1 + draw(w.rules.node_count);
	nodes_t side[NODES_MAX] = { 0 };

	for (unsigned i = 0; i < w.rules.node_count; i++)
		side[draw(sides)] |= bit(i);
	for (unsigned s = 0; s < sides; s++) {
		for (unsigned i = 0; i < w.rules.node_count; i++)
			if (!w.nodes[i].is_up)
				side[s] &= ~bit(i);
		if (!side[s])
			continue;
		if (w.rules.laxity == STOREGAME_LAX_TRANSITIONAL_KEPT)
			keep_transitional(side[s]);
		maybe_fence(side[s]);
		view_begin(side[s]);
	}
}

/* ---- what happens to nodes --------------------------------------------- */

static void
power_on(unsigned node)
{
	struct node *n = &w.nodes[node];

	n->is_up = true;
	n->lived = 0;
	n->run++;
	view_begin(bit(node));
}

/* A part of the file, or all of it, is gone: what remains counts nothing. */
static void
harm_disk(unsigned node)
{
	struct node *n = &w.nodes[node];

	if (w.rules.laxity == STOREGAME_LAX_SHORT_COUNTS && draw(2) == 0) {
		for (unsigned i = draw(4); i > 0 && n->tip != NONE; i--)
			n->tip = w.records[n->tip].before;
		return;
	}
	n->is_blank = true;
	n->tip = NONE;
}

static struct electorate
electorate_draw(const struct view *v, struct electorate e)
{
	unsigned node = draw(w.rules.node_count);
	uint64_t mask = (uint64_t)0xff << 8 * node;
	uint64_t votes = e.votes;

	switch (draw(4)) {
	case 0: /* those who are here */
		for (unsigned i = 0; i < w.rules.node_count; i++)
			if (!(v->members & bit(i)))
				votes &= ~((uint64_t)0xff << 8 * i);
		break;
	case 1: /* one leaves */
		votes &= ~mask;
		break;
	default: /* one comes, or has more or fewer votes */
		votes &= ~mask;
		votes |= (uint64_t)(1 + draw(3)) << 8 * node;
		break;
	}
	return (struct electorate){ votes };
}

static void
propose_electorate(struct view *v)
{
	struct electorate next = electorate_draw(v, w.records[v->tip].now);
	const struct record *tip = &w.records[v->tip];

	bool is_allowed;

	if (tip->next.votes || !next.votes || next.votes == tip->now.votes)
		return;
	is_allowed = may_decide(v, next, v->members);
	tell((struct storegame_verdict){ .kind = STOREGAME_ELECT,
		 .is_yes = is_allowed,
		 .next = next.votes },
	    v, tip);
	if (!is_allowed)
		return;
	v->elect = stream_add(v, KIND_ELECT);
	v->is_cut_allowed = false;
	w.records[v->elect].next = next;
	w.tally->elects++;
}

static void
propose_cut(struct view *v)
{
	struct record *r;

	if (!w.records[v->tip].next.votes)
		return;
	if (!v->is_cut_allowed &&
	    w.rules.laxity != STOREGAME_LAX_CUT_UNACKNOWLEDGED)
		return;
	r = &w.records[stream_add(v, KIND_CUT)];
	r->now = r->next;
	r->next.votes = 0;
	v->elect = NONE;
	v->is_cut_allowed = false;
	w.tally->cuts++;
}

static void
step_in_view(unsigned node, unsigned choice)
{
	struct node *n = &w.nodes[node];
	struct view *v = &w.views[n->view];

	if (!n->is_up || !v->open)
		return;
	if (choice >= 36)
		deliver(node);
	else if (n->is_behind)
		return;
	else if (choice < 28 && w.write_count < WRITES_MAX)
		stream_add(v, KIND_WRITE);
	else if (choice < 32)
		propose_electorate(v);
	else
		propose_cut(v);
}

static void
step(void)
{
	unsigned choice = draw(100);
	unsigned node = draw(w.rules.node_count);
	bool is_up = w.nodes[node].is_up;

	if (choice < 8)
		change_views();
	else if (choice < 12 && is_up)
		power_off(node, false);
	else if (choice < 12)
		power_on(node);
	else if (choice < 13 && !is_up)
		harm_disk(node);
	else if (choice >= 13)
		step_in_view(node, choice);
}

static void
begin(void)
{
	memset(w.acknowledged, 0, sizeof w.acknowledged);
	memset(w.nodes, 0, sizeof w.nodes);
	w.is_lost = false;
	w.write_count = 0;
	w.view_count = 0;
	w.record_count = 1;
	w.records[NONE] = (struct record){ .now = { w.rules.votes } };
	for (unsigned i = 0; i < w.rules.node_count; i++) {
		w.nodes[i].is_up = true;
		w.nodes[i].is_blank = true;
		w.nodes[i].run = 1;
	}
	view_begin(all());
}

bool
storegame_play(
    const struct storegame *game, uint64_t seed, struct storegame_tally *tally)
{
	ENSURE(game->node_count > 0 && game->node_count <= NODES_MAX);
	w.rules = *game;
	w.tally = tally;
	rng_init(&w.rng, seed);
	begin();
	for (unsigned i = 0; i < STEPS && !w.is_lost; i++)
		step();
	return w.is_lost;
}
