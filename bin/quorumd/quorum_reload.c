/* SPDX-License-Identifier: BSD-3-Clause */
/* A new configuration: read by each quorumd in its own time, and in force for
 * all at once, by an agreement like any other.
 *
 * What it says about votes counts for nobody before that is ordered.  So it is
 * no matter how long a node takes to read it, or whether it reads it at all.
 */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"

#include "bin/quorumd/quorum_internal.h"

enum { NOWHERE = LIMIT_NODES };

/* ---- places ------------------------------------------------------------ */

/* A row of nodes, and where those of the present one are in it. */
struct row {
	struct quorum_config_node node[LIMIT_NODES];
	size_t count;
	size_t to[LIMIT_NODES];
};

static uint64_t
move_set(const struct row *row, uint64_t set)
{
	uint64_t moved = 0;

	for (; set != 0; set &= set - 1) {
		size_t to = row->to[__builtin_ctzll(set)];

		if (to != NOWHERE)
			moved |= QUORUM_BIT(to);
	}
	return moved;
}

static void
move_epoch(const struct row *row, struct quorum_epoch *e)
{
	const struct quorum_epoch old = *e;

	e->voters = move_set(row, old.voters);
	e->quorate = move_set(row, old.quorate);
	memset(e->votes, 0, sizeof e->votes);
	for (size_t i = 0; i < LIMIT_NODES; i++)
		if (row->to[i] != NOWHERE)
			e->votes[row->to[i]] = old.votes[i];
}

static void
move_sets(struct quorum *q, const struct row *row)
{
	uint64_t *const sets[] = { &q->configured, &q->members, &q->group,
		&q->spoken, &q->leaving, &q->agreed, &q->gone, &q->lost,
		&q->sure_members, &q->vouched };

	for (size_t i = 0; i < ARRAY_COUNT(sets); i++)
		*sets[i] = move_set(row, *sets[i]);
	move_epoch(row, &q->held);
	for (size_t i = 0; i < q->promised_count; i++)
		move_epoch(row, &q->promised[i].epoch);
	move_epoch(row, &q->memory.now);
	for (size_t i = 0; i < q->memory.maybe_count; i++)
		move_epoch(row, &q->memory.maybe[i]);
}

static void
move_arrays(struct quorum *q, const struct row *row)
{
	struct quorum_said said[LIMIT_NODES];
	struct quorum_device device[LIMIT_NODES];
	uint64_t since[LIMIT_NODES];

	memcpy(said, q->said, sizeof said);
	memcpy(device, q->device, sizeof device);
	memcpy(since, q->since, sizeof since);
	memset(q->said, 0, sizeof q->said);
	memset(q->device, 0, sizeof q->device);
	/* With who is new here nobody has gone together yet. */
	for (size_t i = 0; i < LIMIT_NODES; i++)
		q->since[i] = q->view.seq;
	for (size_t i = 0; i < LIMIT_NODES; i++) {
		if (row->to[i] == NOWHERE)
			continue;
		q->said[row->to[i]] = said[i];
		q->device[row->to[i]] = device[i];
		q->since[row->to[i]] = since[i];
	}
}

static void
move(struct quorum *q, struct row *row)
{
	for (size_t i = 0; i < LIMIT_NODES; i++) {
		row->to[i] = NOWHERE;
		for (size_t k = 0; i < q->cfg.node_count && k < row->count; k++)
			if (row->node[k].id == q->cfg.node[i].id)
				row->to[i] = k;
	}
	move_sets(q, row);
	move_arrays(q, row);
	memcpy(q->cfg.node, row->node, sizeof row->node);
	q->cfg.node_count = row->count;
	q->all = 0;
	for (size_t i = 0; i < row->count; i++)
		q->all |= QUORUM_BIT(i);
	q->self = quorum_config_place(&q->cfg, q->cfg.self);
	ENSURE(q->self < LIMIT_NODES);
}

/* Those who are of any matter now. */
static uint64_t
needed(const struct quorum *q)
{
	uint64_t set = q->configured | q->members | q->sure_members |
	    QUORUM_BIT(q->self) | q->memory.now.voters | q->memory.now.quorate |
	    q->held.voters | q->held.quorate;

	for (size_t i = 0; i < q->promised_count; i++)
		set |= q->promised[i].epoch.voters;
	for (size_t i = 0; i < q->memory.maybe_count; i++)
		set |= q->memory.maybe[i].voters | q->memory.maybe[i].quorate;
	for (size_t i = 0; q->is_pending && i < q->next.node_count; i++)
		set |= quorum_config_set(&q->cfg, &q->next.node[i].id, 1);
	return set;
}

static void
fill_row(const struct quorum *q, uint64_t set, struct row *row)
{
	memset(row, 0, sizeof *row);
	for (size_t i = 0; i < q->cfg.node_count; i++)
		if (set & QUORUM_BIT(i))
			row->node[row->count++] = q->cfg.node[i];
}

/* A node in its place; one that is there already gets the name. */
static bool
put_node(struct row *row, uint32_t id, const char *name)
{
	size_t i = 0;

	while (i < row->count && row->node[i].id < id)
		i++;
	if (i == row->count || row->node[i].id != id) {
		if (row->count == LIMIT_NODES)
			return false;
		memmove(&row->node[i + 1], &row->node[i],
		    (row->count - i) * sizeof row->node[0]);
		row->count++;
		row->node[i] = (struct quorum_config_node){ .id = id };
	}
	memset(row->node[i].name, 0, sizeof row->node[i].name);
	memcpy(row->node[i].name, name, strlen(name));
	return true;
}

void
quorum_reload_learn(struct quorum *q, const uint32_t *id, size_t count)
{
	char bytes[QUORUM_NAME_BYTES + 1];
	struct row row;
	bool is_news = false;

	fill_row(q, q->all, &row);
	for (size_t i = 0; i < count; i++) {
		if (quorum_config_place(&q->cfg, id[i]) < LIMIT_NODES ||
		    id[i] == 0)
			continue;
		if (row.count == LIMIT_NODES && !is_news)
			fill_row(q, needed(q), &row);
		struct text name;

		text_init(&name, bytes, sizeof bytes);
		text_put(&name, "node-");
		text_put_u64(&name, id[i]);
		is_news |= put_node(&row, id[i], bytes);
	}
	if (is_news)
		move(q, &row);
}

/* ---- taking ------------------------------------------------------------ */

void
quorum_reload_derive(struct quorum *q)
{
	struct quorum_config *cfg = &q->cfg;

	q->self = quorum_config_place(cfg, cfg->self);
	q->device_votes = (uint32_t)quorum_config_device_votes(cfg);
	cfg->device_votes = q->device_votes;
	q->base_expected =
	    num_max(quorum_config_node_votes(cfg) + q->device_votes,
		cfg->expected_votes);
	q->version = quorum_config_version(cfg);
}

/* All its nodes have places, and the names that it gives them. */
static void
seat(struct quorum *q)
{
	struct row row;

	fill_row(q, needed(q), &row);
	for (size_t i = 0; i < q->next.node_count; i++)
		(void)put_node(&row, q->next.node[i].id, q->next.node[i].name);
	move(q, &row);
}

/* The rules of next, and its votes; the nodes stay in their places. */
static void
put_in_force(struct quorum *q)
{
	const struct quorum_config old = q->cfg;
	struct quorum_config *cfg = &q->cfg;

	*cfg = q->next;
	cfg->self = old.self;
	cfg->tracked = old.tracked;
	quorum_reload_derive(q); /* of the nodes as they are configured */
	memcpy(cfg->node, old.node, sizeof old.node);
	cfg->node_count = old.node_count;
	q->self = quorum_config_place(cfg, cfg->self);
	q->configured = 0;
	for (size_t i = 0; i < cfg->node_count; i++) {
		size_t from = quorum_config_place(&q->next, cfg->node[i].id);

		cfg->node[i].votes = 0;
		if (from == LIMIT_NODES)
			continue;
		cfg->node[i].votes = q->next.node[from].votes;
		q->configured |= QUORUM_BIT(i);
	}
	q->is_pending = false;
}

void
quorum_reload_take(struct quorum *q, const struct quorum_config *next)
{
	char bytes[QUORUM_TEXT_BYTES];
	struct text why;

	text_init(&why, bytes, sizeof bytes);
	ENSURE(!quorum_config_mistake(next, 0, &why));
	q->next = *next;
	q->next.self = q->cfg.self;
	q->next_version = quorum_config_version(next);
	q->is_pending = true;
	seat(q);
	if (q->next_version == q->version)
		put_in_force(q);
	q->is_owed |= q->said[q->self].config != q->next_version;
	q->said[q->self].config = q->next_version;
	q->is_from_record = q->is_pending && !q->is_in_view;
	quorum_record_wish(q);
}

void
quorum_reload_install(struct quorum *q)
{
	const struct quorum_epoch *now = &q->memory.now;
	struct quorum_said *own = &q->said[q->self];

	put_in_force(q);
	quorum_record_installed(q);
	own->votes = now->voters & QUORUM_BIT(q->self)
	    ? now->votes[q->self]
	    : q->cfg.node[q->self].votes;
	/* The file that a start would read expects fewer, too.  Who waits has
	   it on another's word, and may have counted by more since. */
	if (now->expected < q->tracked && !own->is_waiting) {
		q->tracked = own->tracked = now->expected;
		q->is_track_due = true;
	}
	q->is_owed = true;
	q->is_keep_due = true;
}

/* ---- agreeing ---------------------------------------------------------- */

uint64_t
quorum_reload_behind(const struct quorum *q)
{
	uint64_t set = 0;

	for (size_t i = 0; i < q->cfg.node_count; i++)
		if (q->said[i].config != q->next_version)
			set |= quorum_judge_side(q) & QUORUM_BIT(i);
	return q->is_pending ? set : 0;
}

static uint64_t
next_nodes(const struct quorum *q)
{
	uint64_t set = 0;

	for (size_t i = 0; i < q->next.node_count; i++)
		set |= quorum_config_set(&q->cfg, &q->next.node[i].id, 1);
	return set;
}

uint64_t
quorum_reload_unpromised(const struct quorum *q)
{
	uint64_t set = 0;

	for (size_t i = 0; i < q->cfg.node_count; i++)
		if (!q->said[i].is_promised)
			set |= quorum_judge_side(q) & QUORUM_BIT(i);
	return set;
}

static bool
is_ready(const struct quorum *q)
{
	uint64_t nodes = next_nodes(q);

	return q->is_pending && quorum_reload_behind(q) == 0 &&
	    (size_t)__builtin_popcountll(nodes) == q->next.node_count &&
	    (q->members & q->configured & ~nodes) == 0;
}

/* The votes that place i has in next. */
static uint32_t
next_votes(const struct quorum *q, size_t i)
{
	size_t from = quorum_config_place(&q->next, q->cfg.node[i].id);

	return from < LIMIT_NODES ? q->next.node[from].votes : 0;
}

/* What is expected beyond the votes of all nodes. */
static uint64_t
next_base(const struct quorum *q)
{
	return num_max(quorum_config_node_votes(&q->next) + q->device_votes,
	    q->next.expected_votes);
}

/*
 * Votes that the file leaves alone stay as they were set while nodes ran, and
 * so does what is expected beyond them; nobody is a voter again who was taken
 * out.  false: too many, or none.
 */
static bool
make(const struct quorum *q, struct quorum_epoch *e)
{
	const uint64_t spare_before = q->base_expected -
	    quorum_config_node_votes(&q->cfg) - q->device_votes;
	const uint64_t base = next_base(q);
	/* One of no single file expects what the largest of them does. */
	const uint64_t spare = e->config == 0
	    ? num_sub(e->expected, num_max(q->base_expected, base)) +
		spare_before
	    : num_sub(e->expected, quorum_epoch_votes(e) + q->device_votes);
	const uint64_t spare_after =
	    base - quorum_config_node_votes(&q->next) - q->device_votes;
	const uint64_t nodes = next_nodes(q);
	/* It goes by one that was agreed on and that we never took. */
	const bool is_strange = e->config != 0 && e->config != q->version;
	uint64_t expected;

	/* Who is in no file and not here is in no file that counts. */
	e->voters &= nodes | quorum_judge_side(q);
	e->voters |= nodes & ~q->configured;
	for (size_t i = 0; i < q->cfg.node_count; i++)
		if (!(e->voters & QUORUM_BIT(i)))
			e->votes[i] = 0;
		else if ((nodes & QUORUM_BIT(i)) &&
		    (is_strange || !(q->configured & QUORUM_BIT(i)) ||
			next_votes(q, i) != q->cfg.node[i].votes))
			e->votes[i] = next_votes(q, i);
	expected = quorum_epoch_votes(e) + q->device_votes +
	    num_sub(spare + spare_after, spare_before);
	if (expected == 0 || expected > UINT32_MAX)
		return false;
	e->expected = (uint32_t)expected;
	if (expected >= base)
		e->cause = QUORUM_CAUSE_START;
	else if (e->cause == QUORUM_CAUSE_START)
		e->cause = QUORUM_CAUSE_FORCED;
	e->config = q->next_version;
	return true;
}

/* One of two is enough without waiting: also who is away, by what he knows. */
static bool
is_one_enough(const struct quorum *q)
{
	return q->cfg.two_node && q->cfg.wait_for_all == QUORUM_WAIT_NO &&
	    (q->memory.now.voters & ~quorum_judge_side(q)) != 0;
}

/*
 * Who is away may come back with the file of before, or with this one, and
 * judge by the most that either gives to anybody.  All of them are to be fewer
 * than who is here; and nobody's votes are lowered behind its back.  By what is
 * in force now they are not to be enough with the device, either.
 */
static bool
outweighs(const struct quorum *q, const struct quorum_epoch *e)
{
	const uint64_t side = quorum_judge_side(q);
	const uint64_t nodes = next_nodes(q);
	uint64_t here = 0, away = 0;

	if (is_one_enough(q) || !quorum_judge_is_beyond_device(q))
		return false;
	for (size_t i = 0; i < q->cfg.node_count; i++) {
		uint64_t before =
		    num_max(q->cfg.node[i].votes, q->memory.now.votes[i]);

		if (side & QUORUM_BIT(i))
			here += e->votes[i];
		else if ((nodes & QUORUM_BIT(i)) && next_votes(q, i) < before)
			return false; /* it would not know */
		else
			away += num_max(before, next_votes(q, i));
	}
	return here > away;
}

bool
quorum_reload_is_clash(const struct quorum *q)
{
	char bytes[QUORUM_TEXT_BYTES];
	struct text why;

	text_init(&why, bytes, sizeof bytes);
	return q->is_pending && quorum_config_clash(&q->cfg, &q->next, 0, &why);
}

static bool
is_everyone_here(const struct quorum *q)
{
	uint64_t all = q->configured | next_nodes(q) | q->memory.now.voters;

	for (size_t i = 0; i < q->memory.maybe_count; i++)
		all |= q->memory.maybe[i].voters;
	return (all & ~quorum_judge_side(q)) == 0 && !q->memory.is_crowded;
}

bool
quorum_reload_is_whole(const struct quorum *q)
{
	return quorum_reload_is_clash(q) && is_everyone_here(q);
}

/*
 * Of other rules: as it is written.  All its nodes are here, so that nobody
 * goes by the rules of before but who is in it no more.
 */
static bool
want_clash(struct quorum *q, bool is_forced, struct quorum_epoch *e)
{
	struct quorum_epoch to = { .config = q->next_version };
	const uint64_t nodes = next_nodes(q);

	to.voters = nodes;
	for (size_t i = 0; i < q->cfg.node_count; i++)
		to.votes[i] = next_votes(q, i);
	to.expected = (uint32_t)num_max(quorum_config_node_votes(&q->next) +
		quorum_config_device_votes(&q->next),
	    q->next.expected_votes);
	if (!is_forced && !is_everyone_here(q) &&
	    ((nodes & ~quorum_judge_side(q)) != 0 || !outweighs(q, &to)))
		return false;
	*e = to;
	return true;
}

static bool
is_about_votes(const struct quorum_epoch *a, const struct quorum_epoch *b)
{
	return a->expected != b->expected || a->voters != b->voters ||
	    memcmp(a->votes, b->votes, sizeof a->votes) != 0;
}

/* This side would have quorum, by the rules that are in force then. */
static bool
is_kept(struct quorum *q, const struct quorum_epoch *e)
{
	const bool is_two_node = q->cfg.two_node;

	q->cfg.two_node = q->next.two_node;
	bool is_enough = quorum_change_is_kept(q, e);
	q->cfg.two_node = is_two_node;
	return is_enough;
}

bool
quorum_reload_want(struct quorum *q, bool is_forced, struct quorum_epoch *e)
{
	struct quorum_epoch to = *e;

	if (!is_ready(q) || (!is_forced && quorum_reload_unpromised(q) != 0))
		return false;
	if (quorum_reload_is_clash(q))
		return want_clash(q, is_forced, e);
	if (!make(q, &to))
		return false;
	if (!is_forced &&
	    (is_about_votes(e, &to) || q->next.two_node != q->cfg.two_node) &&
	    (!is_kept(q, &to) || !outweighs(q, &to)))
		return false;
	*e = to;
	return true;
}

bool
quorum_reload_is_due(struct quorum *q)
{
	struct quorum_said said[LIMIT_NODES];
	struct quorum_epoch e;

	if (!q->finding.is_quorate && !quorum_reload_is_whole(q))
		return false;
	memcpy(said, q->said, sizeof said);
	for (size_t i = 0; i < LIMIT_NODES; i++) {
		q->said[i].config = q->next_version;
		q->said[i].is_promised = true;
	}
	quorum_change_grown(q, &e);
	bool is_due = quorum_reload_want(q, false, &e);
	memcpy(q->said, said, sizeof said);
	return is_due;
}

/* What is in force stays, and nothing else may be. */
static void
ask_to_stay(struct quorum *q, const struct quorum_input *in)
{
	struct quorum_wire wire = { .reason = QUORUM_REASON_RELOADED };

	if (!in->reload.is_forced ||
	    (q->memory.maybe_count == 0 && !q->memory.is_crowded)) {
		quorum_effect_answer(q, in->cookie, QUORUM_ANSWER_OK, "");
		return;
	}
	quorum_change_grown(q, &wire.epoch);
	quorum_change_ask(q, in, true, &wire);
}

void
quorum_reload_ask(struct quorum *q, const struct quorum_input *in)
{
	struct quorum_wire wire = { .reason = QUORUM_REASON_RELOADED };
	const bool is_forced = in->reload.is_forced;

	if (!q->is_pending) {
		ask_to_stay(q, in);
		return;
	}
	quorum_change_grown(q, &wire.epoch);
	if (!is_ready(q))
		quorum_effect_answer(q, in->cookie, QUORUM_ANSWER_AGAIN,
		    "a member has not read the new configuration, or is not "
		    "in it");
	else if (!is_forced && quorum_reload_unpromised(q) != 0 &&
	    quorum_reload_is_due(q))
		quorum_effect_answer(q, in->cookie, QUORUM_ANSWER_AGAIN,
		    "a member has not recorded the new configuration yet");
	else if (!quorum_reload_want(
		     q, is_forced || !q->finding.is_quorate, &wire.epoch))
		quorum_effect_answer(q, in->cookie, QUORUM_ANSWER_QUORUM,
		    "that would cost quorum, or those who are away could have "
		    "it, too");
	else
		quorum_change_ask(q, in, is_forced, &wire);
}

/* ---- asked ------------------------------------------------------------- */

bool
quorum_is_pending(const struct quorum *q)
{
	return q->is_pending;
}

/* Why it can be wanted by nobody. */
static void
put_mistake(const struct quorum *q, struct text *out)
{
	uint64_t gone = q->members & q->configured & ~next_nodes(q);

	if (gone == 0) {
		text_put(out, "too many nodes or votes, or no votes at all");
		return;
	}
	text_put(out, "not in the new configuration, but members: ");
	quorum_words_names(q, gone, out);
}

/* What it would come to, or why it must not. */
static enum quorum_answer
try(struct quorum *q, struct text *out)
{
	struct quorum_epoch e;
	uint64_t votes;

	quorum_change_grown(q, &e);
	if (quorum_reload_want(q, false, &e))
		return QUORUM_ANSWER_OK;
	if (!quorum_reload_want(q, true, &e)) {
		put_mistake(q, out);
		return QUORUM_ANSWER_BAD;
	}
	votes = quorum_judge_votes(q, &e, quorum_judge_side(q));
	text_put(out, "it would cost quorum: ");
	text_put_u64(out, votes);
	text_put(out, " of ");
	text_put_u64(out, e.expected);
	text_put(out,
	    votes > e.expected / 2
		? " votes here, and those who are away could be as many by "
		  "the file that they have"
		: " votes here");
	return QUORUM_ANSWER_QUORUM;
}

enum quorum_answer
quorum_would(
    const struct quorum *q, const struct quorum_config *cfg, struct text *out)
{
	struct quorum *trial = q->trial;
	/* One that we were started with is only waited for. */
	const bool is_wished =
	    q->is_pending && quorum_config_version(cfg) == q->next_version;

	if (quorum_config_mistake(cfg, 0, out) ||
	    (!is_wished && quorum_config_clash(&q->cfg, cfg, 0, out)))
		return QUORUM_ANSWER_BAD;
	*trial = *q;
	quorum_reload_take(trial, cfg);
	if (!trial->is_pending)
		return QUORUM_ANSWER_OK;
	if (!q->finding.is_quorate) {
		text_put(out, "there is no quorum here");
		return QUORUM_ANSWER_QUORUM;
	}
	for (size_t i = 0; i < LIMIT_NODES; i++) {
		trial->said[i].config = trial->next_version;
		trial->said[i].is_promised = true;
	}
	return try(trial, out);
}
