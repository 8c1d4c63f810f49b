/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads that see all that was acknowledged before they were asked.
 *
 * A MARK is ordered behind the asking.  When members whose confirmation would
 * make a write durable have confirmed it, nobody can have opened another view
 * before, and what this one acknowledged before it is known here.
 */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/cfgstored/replica_internal.h"

#define MARK_SENT UINT64_MAX

void
replica_read_ask(struct replica *r, const struct replica_input *in)
{
	struct replica_client *c = &r->client;
	enum replica_state state = replica_state_now(r);
	enum replica_code code = REPLICA_OK;

	if (r->is_lacking)
		code = REPLICA_BROKEN;
	else if (state == REPLICA_AWAY || state == REPLICA_CLOSED_VIEW)
		code = REPLICA_CLOSED;
	else if (in->deadline_ns <= r->now_ns)
		code = REPLICA_LATE;
	else if (c->reading_count == REPLICA_READS_MAX)
		code = REPLICA_BUSY;
	if (code != REPLICA_OK) {
		replica_answer_code(r, in->cookie, code);
		return;
	}
	c->reading[c->reading_count++] =
	    (struct replica_reading){ .cookie = in->cookie,
		    .deadline_ns = in->deadline_ns };
	c->deadline_ns = num_min(c->deadline_ns, in->deadline_ns);
}

bool
replica_read_mark(struct replica *r)
{
	struct replica_client *c = &r->client;
	bool is_due = false;

	if (!r->era.is_complete || c->is_mark_sent)
		return false;
	for (size_t i = 0; i < c->reading_count; i++) {
		if (c->reading[i].mark != 0)
			continue;
		c->reading[i].mark = MARK_SENT;
		is_due = true;
	}
	c->is_mark_sent = is_due;
	return is_due;
}

void
replica_read_marked(struct replica *r, bool is_own)
{
	struct replica_client *c = &r->client;

	if (!r->era.is_open)
		return;
	r->era.marks++;
	if (!is_own)
		return;
	c->is_mark_sent = false;
	for (size_t i = 0; i < c->reading_count; i++)
		if (c->reading[i].mark == MARK_SENT)
			c->reading[i].mark = r->era.marks;
}

static uint64_t
told_marks(const struct replica_synced *told)
{
	return told->marks;
}

static void
drop_reading(struct replica_client *c, size_t i)
{
	c->reading_count--;
	memmove(&c->reading[i], &c->reading[i + 1],
	    (c->reading_count - i) * sizeof(struct replica_reading));
}

/* The marks that are confirmed; 0: none is. */
static uint64_t
find_confirmed(const struct replica *r)
{
	const struct replica_era *era = &r->era;
	uint64_t most = 0;

	for (size_t i = 0; i < era->members.count; i++) {
		uint64_t marks = era->peer[i].synced.marks;

		if (marks > most &&
		    replica_log_is_durable(r, era->end, told_marks, marks))
			most = marks;
	}
	return most;
}

void
replica_read_answer(struct replica *r)
{
	struct replica_client *c = &r->client;
	const struct replica_era *era = &r->era;
	uint64_t confirmed;
	size_t kept = 0;

	if (c->reading_count == 0 || !era->is_complete || r->is_lacking ||
	    era->acked < era->open_index || r->applied < r->acked ||
	    r->applied < era->acked_in_memory)
		return;
	confirmed = find_confirmed(r);
	for (size_t i = 0; i < c->reading_count; i++) {
		struct replica_reading *reading = &c->reading[i];

		if (reading->mark == 0 || reading->mark > confirmed)
			c->reading[kept++] = *reading;
		else
			replica_answer_code(r, reading->cookie, REPLICA_OK);
	}
	c->reading_count = kept;
}

void
replica_read_cancel(struct replica *r, uint64_t cookie)
{
	struct replica_client *c = &r->client;

	for (size_t i = 0; i < c->reading_count; i++) {
		if (c->reading[i].cookie == cookie) {
			drop_reading(c, i);
			return;
		}
	}
}

void
replica_read_view_ended(struct replica *r)
{
	struct replica_client *c = &r->client;

	c->is_mark_sent = false;
	for (size_t i = 0; i < c->reading_count; i++)
		c->reading[i].mark = 0;
}

void
replica_read_refuse(struct replica *r, enum replica_code code)
{
	struct replica_client *c = &r->client;

	for (size_t i = 0; i < c->reading_count; i++)
		replica_answer_code(r, c->reading[i].cookie, code);
	c->reading_count = 0;
}

void
replica_read_on_time(struct replica *r)
{
	struct replica_client *c = &r->client;
	size_t kept = 0;

	for (size_t i = 0; i < c->reading_count; i++) {
		if (c->reading[i].deadline_ns <= r->now_ns)
			replica_answer_code(
			    r, c->reading[i].cookie, REPLICA_LATE);
		else
			c->reading[kept++] = c->reading[i];
	}
	c->reading_count = kept;
}

void
replica_compact(struct replica *r, uint64_t rev)
{
	kv_compact(r->kv, rev);
}
