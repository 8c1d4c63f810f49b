/* SPDX-License-Identifier: BSD-3-Clause */
/* Who votes: ELECT, and CUT when that is acknowledged; and what asks for it. */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/cfgstored/replica_internal.h"

/* ---- electorates ------------------------------------------------------- */

/* 0: it has none. */
static uint32_t
votes_of(const struct kv_electorate *e, uint32_t node)
{
	for (size_t i = 0; i < e->count; i++)
		if (e->voter[i].id == node)
			return e->voter[i].votes;
	return 0;
}

static void
remove_voter(struct kv_electorate *e, uint32_t node)
{
	size_t kept = 0;

	for (size_t i = 0; i < e->count; i++)
		if (e->voter[i].id != node)
			e->voter[kept++] = e->voter[i];
	e->count = kept;
}

static void
put_voter(struct kv_electorate *e, const struct kv_voter *voter)
{
	size_t i;

	remove_voter(e, voter->id);
	if (e->count == LIMIT_NODES)
		return;
	for (i = e->count; i > 0 && e->voter[i - 1].id > voter->id; i--)
		e->voter[i] = e->voter[i - 1];
	e->voter[i] = *voter;
	e->count++;
}

static bool
is_complete(const struct replica *r, uint32_t node)
{
	const struct replica_era *era = &r->era;
	size_t i = replica_place(&era->members, node);

	return i < era->members.count &&
	    era->peer[i].synced.synced >= era->open_index;
}

/* Nothing about the electorate is under way. */
static bool
is_quiet(const struct replica *r)
{
	return r->era.is_complete && r->era.e.next.count == 0 &&
	    r->era.acked >= r->era.change_index && !r->era.is_change_sent;
}

/* Those who stay could go on. */
static bool
is_allowed(
    const struct replica *r, const struct kv_electorate *next, uint32_t leaver)
{
	struct kv_standing standing = { .tie = r->cfg.tie };
	struct kv_nodes members = { 0 };

	for (size_t i = 0; i < r->era.members.count; i++)
		if (r->era.members.id[i] != leaver)
			replica_add_node(&members, r->era.members.id[i]);
	return next->count > 0 &&
	    kv_rules_may_elect(&standing, &members, &r->era.e, next);
}

/* ---- requests ---------------------------------------------------------- */

/* What is asked for; false: it is so already. */
static bool
find_goal(const struct replica *r, const struct replica_admin_request *request,
    struct kv_electorate *next)
{
	const struct kv_electorate *now = &r->era.e.now;

	*next = *now;
	if (request->what == REPLICA_ADMIN_LEAVE)
		remove_voter(next, r->cfg.self);
	else if (request->what == REPLICA_ADMIN_FORGET)
		remove_voter(next, request->node);
	else if (request->what == REPLICA_ADMIN_SHRINK)
		for (size_t i = 0; i < now->count; i++)
			if (!replica_has_node(
				&r->era.members, now->voter[i].id))
				remove_voter(next, now->voter[i].id);
	if (request->what != REPLICA_ADMIN_VOTES)
		return next->count != now->count;
	put_voter(next, &(struct kv_voter){ request->node, request->votes });
	return votes_of(now, request->node) != request->votes;
}

/* Whose log is not complete would be waited for, by all. */
static bool
may_have(const struct replica *r, const struct replica_admin_request *request)
{
	return request->what != REPLICA_ADMIN_VOTES ||
	    request->votes <= votes_of(&r->era.e.now, request->node) ||
	    is_complete(r, request->node);
}

void
replica_admin_ask(struct replica *r, const struct replica_input *in)
{
	struct replica_admin_request request = { .cookie = in->cookie,
		.deadline_ns = in->deadline_ns,
		.what = in->admin.what,
		.node = in->admin.node,
		.votes = in->admin.votes };
	enum replica_state state = replica_state_now(r);
	bool is_init = request.what == REPLICA_ADMIN_INIT;
	size_t i = 0;

	while (i < REPLICA_ADMINS_MAX && r->admin[i].cookie != 0)
		i++;
	if (i == REPLICA_ADMINS_MAX) {
		replica_answer_code(r, in->cookie, REPLICA_BUSY);
		return;
	}
	if (request.what == REPLICA_ADMIN_VOTES && request.votes == 0) {
		replica_answer_code(r, in->cookie, REPLICA_BAD);
		return;
	}
	if (state == REPLICA_AWAY ||
	    (!is_init && state != REPLICA_OPEN && state != REPLICA_FILLING)) {
		replica_answer_code(r, in->cookie, REPLICA_CLOSED);
		return;
	}
	r->admin[i] = request;
	if (is_init && !r->era.is_open)
		r->is_init_due = true;
	replica_admin_acked(r);
}

static void
answer(struct replica *r, struct replica_admin_request *request,
    enum replica_code code)
{
	replica_answer_code(r, request->cookie, code);
	request->cookie = 0;
}

void
replica_admin_acked(struct replica *r)
{
	const struct replica_era *era = &r->era;
	struct kv_electorate next;

	if (!era->is_complete || era->acked < era->change_index)
		return;
	for (size_t i = 0; i < REPLICA_ADMINS_MAX; i++) {
		struct replica_admin_request *request = &r->admin[i];

		if (request->cookie == 0)
			continue;
		if (request->what == REPLICA_ADMIN_INIT ||
		    (era->e.next.count == 0 && !find_goal(r, request, &next)))
			answer(r, request, REPLICA_OK);
	}
}

/* The first that wants a change, and may have it; others are refused. */
static bool
find_wanted(struct replica *r, struct replica_elect *out)
{
	for (size_t i = 0; i < REPLICA_ADMINS_MAX; i++) {
		struct replica_admin_request *request = &r->admin[i];

		if (request->cookie == 0 ||
		    request->what == REPLICA_ADMIN_INIT ||
		    !find_goal(r, request, &out->next))
			continue;
		out->leaver = request->what == REPLICA_ADMIN_LEAVE ? r->cfg.self
		    : request->what == REPLICA_ADMIN_VOTES         ? 0
							   : request->node;
		if (may_have(r, request) &&
		    is_allowed(r, &out->next, out->leaver))
			return true;
		answer(r, request, REPLICA_REFUSED);
	}
	return false;
}

void
replica_admin_view_ended(struct replica *r)
{
	r->era.is_change_sent = false;
}

void
replica_admin_refuse(struct replica *r, enum replica_code code)
{
	for (size_t i = 0; i < REPLICA_ADMINS_MAX; i++)
		if (r->admin[i].cookie != 0 &&
		    r->admin[i].what != REPLICA_ADMIN_INIT)
			answer(r, &r->admin[i], code);
}

void
replica_admin_cancel(struct replica *r, uint64_t cookie)
{
	for (size_t i = 0; i < REPLICA_ADMINS_MAX; i++)
		if (r->admin[i].cookie == cookie)
			r->admin[i].cookie = 0;
}

uint64_t
replica_admin_deadline_ns(const struct replica *r)
{
	uint64_t due = REPLICA_NEVER;

	for (size_t i = 0; i < REPLICA_ADMINS_MAX; i++)
		if (r->admin[i].cookie != 0)
			due = num_min(due, r->admin[i].deadline_ns);
	return due;
}

/* What was asked for may come all the same. */
void
replica_admin_on_time(struct replica *r)
{
	for (size_t i = 0; i < REPLICA_ADMINS_MAX; i++)
		if (r->admin[i].cookie != 0 &&
		    r->admin[i].deadline_ns <= r->now_ns)
			answer(r, &r->admin[i], REPLICA_UNKNOWN);
}

/* ---- records ----------------------------------------------------------- */

/* The first of those who have all: it does what one of them has to do. */
static bool
is_first(const struct replica *r)
{
	for (size_t i = 0; i < r->era.members.count; i++)
		if (is_complete(r, r->era.members.id[i]))
			return r->era.members.id[i] == r->cfg.self;
	return false;
}

/* Somebody who has come back. */
static bool
find_returned(const struct replica *r, struct replica_elect *out)
{
	const struct kv_electorate *now = &r->era.e.now;

	out->leaver = 0;
	for (size_t i = 0; i < r->cfg.node_count; i++) {
		const struct kv_voter *voter = &r->cfg.node[i];

		out->next = *now;
		if (votes_of(now, voter->id) > 0 ||
		    !is_complete(r, voter->id) ||
		    replica_has_node(&r->era.leavers, voter->id))
			continue;
		put_voter(&out->next, voter);
		if (is_allowed(r, &out->next, 0))
			return true;
	}
	return false;
}

bool
replica_admin_record(struct replica *r, struct wrbuf *wr)
{
	struct replica_elect elect;
	const struct replica_era *era = &r->era;
	bool is_due;

	if (!era->is_complete || era->acked < era->change_index ||
	    era->is_change_sent || r->is_failed)
		return false;
	if (era->is_virgin && era->note_index == 0) {
		if (!is_first(r))
			return false;
		replica_wire_put_note(wr);
		r->era.is_change_sent = true;
		return true;
	}
	if (era->e.next.count > 0) {
		if (!is_first(r))
			return false;
		replica_wire_put_cut(wr, era->elect_index);
		r->era.is_change_sent = true;
		return true;
	}
	is_due = is_quiet(r) &&
	    (find_wanted(r, &elect) ||
		(is_first(r) && find_returned(r, &elect)));
	if (!is_due)
		return false;
	replica_wire_put_elect(wr, &elect);
	r->era.is_change_sent = true;
	return true;
}
