/* SPDX-License-Identifier: BSD-3-Clause */
/* What a configuration of the ring changes, and how that is told.
 *
 * ringd tells each change in two records: the transitional one says who did
 * not come along and why, the regular one who is there now.  Together they are
 * one change here: leave*, join*, and last the view.
 */
#include <string.h>

#include "libcommon/base/ensure.h"

#include "bin/memberd/member_internal.h"

static const char unseen[] = "unseen";

/* What ringd says of a node that went, in the words that matter to us. */
static enum member_state
state_for(const char *why)
{
	static const struct {
		const char *why;
		enum member_state state;
	} known[] = {
		{ "leave", MEMBER_LEFT },
		{ "restart", MEMBER_RESTARTED },
		{ "connectivity", MEMBER_PARTITION },
	};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (strcmp(known[i].why, why) == 0)
			return known[i].state;
	/* timeout, consensus, proof, failed-to-receive, …: a survivor cannot
	 * know whether that was a crash or a cut. */
	return MEMBER_LOST;
}

/* -1: not there. */
static int
find_id(const uint32_t *id, uint32_t count, uint32_t wanted)
{
	for (uint32_t i = 0; i < count; i++)
		if (id[i] == wanted)
			return (int)i;
	return -1;
}

/* ---- deciding ---------------------------------------------------------- */

/* Why ringd says that it went; unseen when it did not say. */
static const char *
why_left(const struct member *m, uint32_t id)
{
	int at =
	    m->has_trans ? find_id(m->trans.left, m->trans.left_count, id) : -1;

	return at < 0 ? unseen : m->trans.left_why[at];
}

static void
decide_leave(struct member *m, uint32_t i, const struct member_view *view,
    bool is_excused)
{
	const struct member_entry *entry = &m->entries[i];
	struct member_change *change = &m->changes[i];
	int at = find_id(view->id, view->count, entry->node.id);
	const char *why = why_left(m, entry->node.id);

	if (at >= 0 && view->inc[at] == entry->inc && why == unseen &&
	    find_id(view->joined, view->joined_count, entry->node.id) < 0)
		return;
	change->is_left = true;
	change->old_inc = entry->inc;
	memcpy(change->why, why, strlen(why) + 1);
	change->reason = state_for(why);
	if (at >= 0 && view->inc[at] != entry->inc)
		change->reason = MEMBER_RESTARTED;
	else if (at >= 0 || (change->reason == MEMBER_LOST && is_excused))
		change->reason = MEMBER_PARTITION; /* it lives, or may well */
}

/* How it had gone, for one that is back, or new. */
static const char *
was_state(const struct member_entry *entry, uint64_t inc)
{
	if (entry->inc == 0)
		return "new";
	if (entry->state == MEMBER_FENCED)
		return "fenced";
	if (entry->inc == inc)
		return "partition"; /* so it never stopped */
	if (entry->state == MEMBER_LEFT)
		return "left";
	return entry->state == MEMBER_LOST ? "lost" : "restarted";
}

static void
decide_join(struct member *m, uint32_t i, uint64_t inc)
{
	const struct member_entry *entry = &m->entries[i];
	struct member_change *change = &m->changes[i];
	const char *was;

	if (entry->state == MEMBER_PRESENT && !change->is_left)
		return;
	change->is_joined = true;
	was = change->is_left ? member_state_name(change->reason)
			      : was_state(entry, inc);
	ENSURE(strlen(was) < sizeof change->was);
	memcpy(change->was, was, strlen(was) + 1);
}

/*
 * This node was not listening, for it slept or was away: that others are
 * gone then says nothing about them.
 */
static bool
is_excused(const struct member *m, const struct member_view *view)
{
	int at = find_id(view->id, view->count, m->entries[m->self].node.id);

	if (at >= 0 && view->inc[at] != m->entries[m->self].inc)
		return true;
	return m->ring_pause_ns != 0 &&
	    m->now_ns - m->ring_pause_ns <= MEMBER_PAUSE_FRESH_NS;
}

static void
decide(struct member *m, const struct member_view *view)
{
	bool excused = is_excused(m, view);

	memset(m->changes, 0, sizeof m->changes);
	for (uint32_t i = 0; i < m->count; i++)
		if (m->entries[i].state == MEMBER_PRESENT)
			decide_leave(m, i, view, excused);
	for (uint32_t i = 0; i < view->count; i++) {
		struct member_entry *entry = member_entry(m, view->id[i]);

		if (entry == NULL)
			m->counters[MEMBER_COUNT_UNKNOWN]++;
		else
			decide_join(
			    m, (uint32_t)(entry - m->entries), view->inc[i]);
	}
}

/* ---- doing ------------------------------------------------------------- */

static void
enter(struct member *m, struct member_entry *entry, uint64_t inc)
{
	if (entry->inc != inc) {
		memset(entry->version, 0, sizeof entry->version);
		entry->pauses = entry->paused_ms = 0;
	}
	if (entry == member_self(m))
		memcpy(entry->version, m->version, sizeof entry->version);
	entry->inc = inc;
	entry->forgot_inc = 0;
	entry->fence = (struct member_fence){ 0 };
	member_set_state(m, entry, MEMBER_PRESENT);
}

static void
take_over(struct member *m, const struct member_view *view)
{
	for (uint32_t i = 0; i < m->count; i++)
		if (m->changes[i].is_left)
			member_set_state(
			    m, &m->entries[i], m->changes[i].reason);
	for (uint32_t i = 0; i < view->count; i++) {
		struct member_entry *entry = member_entry(m, view->id[i]);

		if (entry != NULL && m->changes[entry - m->entries].is_joined)
			enter(m, entry, view->inc[i]);
	}
}

/* ---- telling ----------------------------------------------------------- */

static void
tell_leave(struct member *m, uint32_t i)
{
	const struct member_change *change = &m->changes[i];
	struct text record;

	m->counters[MEMBER_COUNT_LEAVES]++;
	member_begin(m, &record, "leave");
	member_put_who(&record, &m->entries[i], false);
	member_put_number(&record, "inc", change->old_inc);
	member_put_word(&record, "reason", member_state_name(change->reason));
	member_put_word(&record, "why", change->why);
	member_tell(m, &record);
}

static void
tell_join(struct member *m, uint32_t i)
{
	struct text record;

	m->counters[MEMBER_COUNT_JOINS]++;
	member_begin(m, &record, "join");
	member_put_who(&record, &m->entries[i], true);
	member_put_number(&record, "inc", m->entries[i].inc);
	member_put_word(&record, "was", m->changes[i].was);
	member_tell(m, &record);
}

/* The nodes to which something happened; has_reason: why, too. */
static void
put_changed(struct member *m, struct text *out, bool is_left, bool has_reason)
{
	bool is_first = true;

	for (uint32_t i = 0; i < m->count; i++) {
		const struct member_change *change = &m->changes[i];

		if (is_left ? !change->is_left : !change->is_joined)
			continue;
		if (!is_first)
			text_put_char(out, ',');
		is_first = false;
		text_put_u64(out, m->entries[i].node.id);
		if (!has_reason)
			continue;
		text_put_char(out, ':');
		text_put(out, member_state_name(change->reason));
	}
}

/* members=… joined=… left=… reasons=…, the coordinator last. */
static void
tell_view(struct member *m, const struct member_view *view,
    const struct parse_view *prev)
{
	uint32_t coordinator;
	struct text record;

	m->counters[MEMBER_COUNT_VIEWS]++;
	member_begin(m, &record, "view");
	member_put_ring(&record, "view", &m->view);
	member_put_ring(&record, "prev", prev);
	coordinator = member_put_members(m, &record);
	member_put_key(&record, "joined");
	put_changed(m, &record, false, false);
	member_put_key(&record, "left");
	put_changed(m, &record, true, false);
	member_put_key(&record, "reasons");
	put_changed(m, &record, true, true);
	member_put_word(&record, "reason", view->reason);
	member_put_number(&record, "ms", view->ms);
	member_put_number(&record, "coordinator", coordinator);
	member_tell(m, &record);
}

static bool
has_changes(const struct member *m)
{
	for (uint32_t i = 0; i < m->count; i++)
		if (m->changes[i].is_left || m->changes[i].is_joined)
			return true;
	return false;
}

static void
install(struct member *m, const struct member_view *view)
{
	struct parse_view prev = m->view;
	bool is_first = !m->had_view;
	bool is_same = prev.rep == view->view.rep && prev.seq == view->view.seq;

	decide(m, view);
	take_over(m, view);
	m->view = view->view;
	m->last = *view;
	m->is_ready = m->had_view = true;
	m->has_trans = false;
	m->ring_pause_ns = 0;
	if (is_first || (is_same && !has_changes(m)))
		return;
	for (uint32_t i = 0; i < m->count; i++)
		if (m->changes[i].is_left)
			tell_leave(m, i);
	for (uint32_t i = 0; i < m->count; i++)
		if (m->changes[i].is_joined)
			tell_join(m, i);
	tell_view(m, view, &prev);
}

/* Without this node, or with nobody, it is no view of ours. */
static bool
is_sound(struct member *m, const struct member_view *view)
{
	if (find_id(view->id, view->count, m->entries[m->self].node.id) >= 0)
		return true;
	m->counters[MEMBER_COUNT_REFUSED]++;
	return false;
}

void
member_view_ready(struct member *m, const struct member_view *view)
{
	struct member_view now = *view;

	if (!is_sound(m, view))
		return;
	m->has_trans = false;
	memcpy(now.reason, unseen, sizeof unseen);
	install(m, &now);
}

void
member_view_again(struct member *m)
{
	static const char reload[] = "reload";
	struct member_view again = m->last;

	if (!m->is_ready)
		return;
	/* Who had joined in it has not done so again. */
	again.joined_count = 0;
	again.ms = 0;
	memcpy(again.reason, reload, sizeof reload);
	install(m, &again);
}

void
member_view_change(struct member *m, const struct member_view *view)
{
	if (!is_sound(m, view))
		return;
	if (!view->is_transitional) {
		install(m, view);
		return;
	}
	m->trans = *view;
	m->has_trans = m->is_ready;
}
