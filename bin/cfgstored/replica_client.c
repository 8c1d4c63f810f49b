/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands of this node's clients, from their coming to their answers.
 *
 * Each has a number, and keeps it when it has to be sent again: state does
 * what a number asks for once.  They are sent in the order of their numbers.
 */
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/cfgstored/replica_internal.h"

void
replica_client_create(struct replica_client *c,
    const struct replica_config *cfg, struct arena *arena)
{
	c->pending = arena_take(
	    arena, REPLICA_PENDING_MAX * sizeof(struct replica_pending));
	c->reading = arena_take(
	    arena, REPLICA_READS_MAX * sizeof(struct replica_reading));
	c->recent =
	    arena_take(arena, REPLICA_RECENT * sizeof(struct replica_recent));
	c->queue_size =
	    (size_t)num_max(cfg->queue_bytes, 2 * KV_COMMAND_BYTES_MAX);
	c->queue = arena_take(arena, c->queue_size);
	c->staged = arena_take(arena, KV_LOG_RECORD_BYTES_MAX);
	c->first = c->next_sent = c->end = 1;
	c->deadline_ns = REPLICA_NEVER;
	if (c->recent != NULL)
		memset(c->recent, 0,
		    REPLICA_RECENT * sizeof(struct replica_recent));
}

static struct replica_pending *
pending_of(const struct replica *r, uint64_t number)
{
	return &r->client.pending[number % REPLICA_PENDING_MAX];
}

static bool
is_id_none(const struct replica_request_id *id)
{
	return id->word[0] == 0 && id->word[1] == 0;
}

static bool
is_id_same(
    const struct replica_request_id *a, const struct replica_request_id *b)
{
	return a->word[0] == b->word[0] && a->word[1] == b->word[1];
}

/* ---- the end of one ---------------------------------------------------- */

static void
forget_first(struct replica *r)
{
	struct replica_client *c = &r->client;

	while (c->first < c->end && pending_of(r, c->first)->is_done)
		c->first++;
	if (c->first == c->end)
		c->head = 0;
	c->next_sent = num_max(c->next_sent, c->first);
}

static void
settle(struct replica *r, struct replica_pending *p,
    const struct replica_effect *answer)
{
	struct replica_effect told = *answer;
	struct replica_client *c = &r->client;

	told.answer.cookie = p->cookie;
	replica_answer(r, &told);
	replica_pace_answered(r);
	if (!is_id_none(&p->id) && told.answer.code != REPLICA_UNKNOWN &&
	    told.answer.code <= REPLICA_BAD) {
		c->recent[c->recent_at] =
		    (struct replica_recent){ p->id, told };
		c->recent_at = (c->recent_at + 1) % REPLICA_RECENT;
	}
	c->held_count -= p->is_held;
	p->is_done = true;
	p->is_held = false;
	p->cookie = 0;
}

static void
settle_code(
    struct replica *r, struct replica_pending *p, enum replica_code code)
{
	struct replica_effect answer = { .answer = { .code = code,
					     .rev = kv_rev(r->kv) } };

	settle(r, p, &answer);
}

static void
give_up(struct replica *r, struct replica_pending *p, enum replica_code code)
{
	settle_code(r, p, p->is_sent ? REPLICA_UNKNOWN : code);
}

static enum replica_code
code_of(enum kv_code code)
{
	static const enum replica_code codes[KV_CODES] = {
		[KV_DONE] = REPLICA_OK,
		[KV_CONFLICT] = REPLICA_CONFLICT,
		[KV_NO_LEASE] = REPLICA_NO_LEASE,
		[KV_FULL] = REPLICA_LIMIT,
		[KV_ROOM] = REPLICA_ROOM,
		[KV_LACK] = REPLICA_UNKNOWN,
		[KV_BAD] = REPLICA_BAD,
		[KV_AGAIN] = REPLICA_UNKNOWN,
	};

	return codes[code];
}

static void
settle_result(struct replica *r, struct replica_pending *p,
    const struct kv_result *result)
{
	struct replica_effect answer = { .answer = {
					     .code = code_of(result->code),
					     .rev = result->rev,
					     .key_rev = result->key_rev,
					     .limit = result->limit,
					     .wanted = result->wanted,
					     .at = result->at,
					     .changed = result->changed } };

	settle(r, p, &answer);
}

void
replica_client_applied(
    struct replica *r, uint64_t number, const struct kv_result *result)
{
	struct replica_client *c = &r->client;
	struct replica_pending *p;

	if (number < c->first || number >= c->end)
		return;
	p = pending_of(r, number);
	if (p->is_done || p->is_held)
		return;
	if (r->applied > r->acked && !p->is_in_memory) {
		p->is_held = true;
		p->index = r->applied;
		p->result = *result;
		c->held_count++;
		return;
	}
	settle_result(r, p, result);
	forget_first(r);
}

void
replica_client_acked(struct replica *r)
{
	struct replica_client *c = &r->client;

	if (c->held_count == 0)
		return;
	for (uint64_t i = c->first; i < c->end; i++) {
		struct replica_pending *p = pending_of(r, i);

		if (!p->is_done && p->is_held && p->index <= r->acked)
			settle_result(r, p, &p->result);
	}
	forget_first(r);
}

void
replica_client_unhold(struct replica *r)
{
	struct replica_client *c = &r->client;

	for (uint64_t i = c->first; i < c->end; i++)
		pending_of(r, i)->is_held = false;
	c->held_count = 0;
}

/* ---- coming ------------------------------------------------------------ */

/* Where len bytes fit behind those that wait; false: nowhere. */
static bool
find_room(const struct replica *r, size_t len, size_t *at)
{
	const struct replica_client *c = &r->client;
	size_t tail;

	*at = c->head;
	if (c->first == c->end) {
		*at = 0;
		return len <= c->queue_size;
	}
	if (c->end - c->first == REPLICA_PENDING_MAX)
		return false;
	tail = pending_of(r, c->first)->at;
	if (c->head <= tail)
		return len < tail - c->head;
	if (len <= c->queue_size - c->head)
		return true;
	*at = 0;
	return len < tail;
}

static bool
add(struct replica *r, const struct replica_pending *about, const void *bytes)
{
	struct replica_client *c = &r->client;
	struct replica_pending *p;
	size_t at;

	if (about->len == 0 || !find_room(r, about->len, &at))
		return false;
	p = pending_of(r, c->end++);
	*p = *about;
	p->at = at;
	memcpy(c->queue + at, bytes, about->len);
	c->head = at + about->len;
	c->deadline_ns = num_min(c->deadline_ns, about->deadline_ns);
	replica_pace_waiting(r);
	return true;
}

uint64_t
replica_client_add(struct replica *r, const void *bytes, size_t len)
{
	struct replica_pending about = {
		.len = len,
		.deadline_ns = r->now_ns + 10 * r->cfg.silence_ns,
	};

	return add(r, &about, bytes) ? r->client.end - 1 : 0;
}

bool
replica_client_has(const struct replica *r, uint64_t number)
{
	const struct replica_client *c = &r->client;

	return number >= c->first && number < c->end &&
	    !pending_of(r, number)->is_done;
}

static bool
is_tail_full(const struct replica *r)
{
	return r->era.is_complete &&
	    replica_window_behind(&r->win, r->acked) > r->cfg.tail_bytes;
}

/* Why it is refused at once; OK: it is not. */
static enum replica_code
find_refusal(const struct replica *r, const struct replica_input *in)
{
	enum replica_state state = replica_state_now(r);
	struct kv_command command;

	if (in->propose.len > KV_COMMAND_BYTES_MAX)
		return REPLICA_LARGE;
	if (kv_command_open(&command, in->propose.bytes, in->propose.len) != 0)
		return REPLICA_BAD;
	if (state == REPLICA_BROKEN_DISK || r->is_lacking)
		return REPLICA_BROKEN;
	if (state == REPLICA_AWAY || state == REPLICA_CLOSED_VIEW)
		return REPLICA_CLOSED;
	if (!r->is_permitted)
		return REPLICA_QUORUM;
	if (r->is_disk_full)
		return REPLICA_FULL;
	if (in->deadline_ns <= r->now_ns)
		return REPLICA_LATE;
	return is_tail_full(r) ? REPLICA_BUSY : REPLICA_OK;
}

/* The same request came before; true: it is taken care of. */
static bool
is_repeated(struct replica *r, const struct replica_input *in)
{
	struct replica_client *c = &r->client;

	if (is_id_none(&in->propose.id))
		return false;
	for (uint64_t i = c->first; i < c->end; i++) {
		struct replica_pending *p = pending_of(r, i);

		if (p->is_done || !is_id_same(&p->id, &in->propose.id))
			continue;
		replica_answer_code(r, p->cookie, REPLICA_UNKNOWN);
		p->cookie = in->cookie;
		p->deadline_ns = num_max(p->deadline_ns, in->deadline_ns);
		return true;
	}
	for (size_t i = 0; i < REPLICA_RECENT; i++) {
		struct replica_effect answer = c->recent[i].answer;

		if (!is_id_same(&c->recent[i].id, &in->propose.id))
			continue;
		answer.answer.cookie = in->cookie;
		replica_answer(r, &answer);
		return true;
	}
	return false;
}

void
replica_client_propose(struct replica *r, const struct replica_input *in)
{
	struct replica_pending about = { .cookie = in->cookie,
		.deadline_ns = in->deadline_ns,
		.id = in->propose.id,
		.len = in->propose.len,
		.is_in_memory = in->propose.durability == REPLICA_IN_MEMORY };
	enum replica_code code;

	if (is_repeated(r, in))
		return;
	code = find_refusal(r, in);
	if (code == REPLICA_OK && !add(r, &about, in->propose.bytes))
		code = REPLICA_BUSY;
	if (code != REPLICA_OK)
		replica_answer_code(r, in->cookie, code);
}

void
replica_client_cancel(struct replica *r, uint64_t cookie)
{
	struct replica_client *c = &r->client;

	for (uint64_t i = c->first; i < c->end; i++) {
		struct replica_pending *p = pending_of(r, i);

		if (p->cookie != cookie || p->is_done)
			continue;
		p->cookie = 0;
		p->is_done = !p->is_sent && is_id_none(&p->id);
		forget_first(r);
		return;
	}
}

/* ---- sending ----------------------------------------------------------- */

static bool
may_send(const struct replica *r)
{
	const struct replica_client *c = &r->client;

	if (!r->era.is_open || r->is_failed || !r->is_permitted ||
	    c->flights >= REPLICA_FLIGHTS_MAX || is_tail_full(r))
		return false;
	/* One that is large goes alone. */
	if (c->flights > 0 && c->is_large_sent)
		return false;
	/* What of ours is in the log has to be known first. */
	return c->is_looked || c->next_sent == c->first;
}

static bool
is_enough(const struct replica *r)
{
	const struct replica_client *c = &r->client;
	uint64_t bytes = 0;

	if (c->flights == 0)
		return replica_pace_is_gathered(r, c->end - c->next_sent);
	for (uint64_t i = c->next_sent; i < c->end; i++) {
		bytes += pending_of(r, i)->len;
		if (bytes >= REPLICA_EAGER_BYTES)
			return true;
	}
	return false;
}

/* How many of those that wait go into the next RECORD. */
static uint64_t
find_batch(
    struct replica *r, struct replica_commands *commands, size_t *first_len)
{
	struct replica_client *c = &r->client;
	uint64_t number = c->next_sent;
	size_t bytes = 0;

	*first_len = 0;
	for (; number < c->end && commands->count < UINT16_MAX; number++) {
		const struct replica_pending *p = pending_of(r, number);

		if (p->is_done)
			continue;
		if (commands->count > 0 &&
		    (bytes + p->len > REPLICA_BATCH_BYTES ||
			p->is_in_memory != commands->is_in_memory))
			break;
		if (commands->count == 0)
			*first_len = p->len;
		bytes += p->len + REPLICA_COMMAND_HEAD;
		commands->is_in_memory = p->is_in_memory;
		commands->count++;
	}
	return number;
}

/* Those from next_sent up to end, as a record. */
static void
write_batch(struct replica *r, struct wrbuf *wr,
    const struct replica_commands *commands, uint64_t end)
{
	struct replica_client *c = &r->client;

	replica_wire_put_commands(wr, commands);
	for (uint64_t i = c->next_sent; i < end; i++) {
		struct replica_pending *p = pending_of(r, i);
		struct replica_command command = {
			.number = i, .bytes = c->queue + p->at, .len = p->len
		};

		if (p->is_done)
			continue;
		p->is_sent = true;
		replica_wire_put_command(wr, &command);
	}
	replica_pace_sent(r, end - c->next_sent);
	c->next_sent = end;
	/* These are not in question. */
	c->is_looked = true;
}

/* Its pieces go first, one after the other; what is left goes as a RECORD. */
static void
stage(struct replica *r, const struct replica_commands *commands, uint64_t end)
{
	struct replica_client *c = &r->client;
	struct wrbuf wr;

	wrbuf_init(&wr, c->staged, KV_LOG_RECORD_BYTES_MAX);
	write_batch(r, &wr, commands, end);
	ENSURE(!wr.is_full);
	c->staged_len = wr.len;
	c->staged_at = 0;
}

static size_t
piece_bytes(const struct replica *r)
{
	return r->cfg.message_bytes_max - REPLICA_HEAD_BYTES_MAX;
}

bool
replica_client_piece(struct replica *r, struct wrbuf *wr)
{
	struct replica_client *c = &r->client;

	if (c->staged_len - c->staged_at <= piece_bytes(r))
		return false;
	wrbuf_bytes(wr, c->staged + c->staged_at, piece_bytes(r));
	c->staged_at += piece_bytes(r);
	return true;
}

static bool
rest_of_staged(struct replica *r, struct wrbuf *wr)
{
	struct replica_client *c = &r->client;

	wrbuf_bytes(wr, c->staged + c->staged_at, c->staged_len - c->staged_at);
	c->staged_len = c->staged_at = 0;
	c->is_large_sent = true;
	c->flights++;
	return true;
}

bool
replica_client_record(struct replica *r, struct wrbuf *wr)
{
	struct replica_client *c = &r->client;
	struct replica_commands commands = { .node = r->cfg.self,
		.run = r->cfg.run };
	uint64_t end;
	size_t first_len;

	if (c->staged_len > 0)
		return rest_of_staged(r, wr);
	if (c->next_sent == c->end || !may_send(r) || !is_enough(r))
		return false;
	end = find_batch(r, &commands, &first_len);
	if (commands.count == 0) {
		c->next_sent = end;
		return false;
	}
	if (first_len > piece_bytes(r)) {
		stage(r, &commands, end);
		if (!replica_client_piece(r, wr))
			return rest_of_staged(r, wr);
		/* It is no RECORD yet. */
		wr->bytes[1] = REPLICA_WIRE_PIECE;
		return true;
	}
	write_batch(r, wr, &commands, end);
	c->is_large_sent = wr->len > 2 * REPLICA_BATCH_BYTES;
	c->flights++;
	return true;
}

void
replica_client_landed(struct replica *r)
{
	if (r->client.flights > 0)
		r->client.flights--;
}

/* ---- views ------------------------------------------------------------- */

void
replica_client_view_ended(struct replica *r)
{
	struct replica_client *c = &r->client;

	replica_pace_view_ended(r);
	c->flights = 0;
	c->staged_len = 0;
	c->is_looked = false;
	c->next_sent = c->first;
	while (c->next_sent < c->end && pending_of(r, c->next_sent)->is_sent)
		c->next_sent++;
}

/* The last number of ours in the log, applied or not. */
static uint64_t
find_last(const struct replica *r)
{
	struct kv_author last = kv_author_last(r->kv, r->cfg.self);
	uint64_t number = last.run == r->cfg.run ? last.number : 0;
	struct replica_record record;

	for (uint64_t i = r->applied + 1;
	     replica_window_get(&r->win, i, &record); i++) {
		struct replica_commands commands;
		struct replica_command command;

		if (!replica_wire_get_commands(
			record.bytes, record.len, &commands) ||
		    commands.node != r->cfg.self || commands.run != r->cfg.run)
			continue;
		for (size_t k = 0; k < commands.count; k++) {
			replica_wire_next_command(&commands.items, &command);
			number = num_max(number, command.number);
		}
	}
	return number;
}

/*
 * What is in the state already came there with somebody else's snapshot: what
 * it did is not known.  What is nowhere is sent again.
 */
void
replica_client_look(struct replica *r)
{
	struct replica_client *c = &r->client;
	struct kv_author last = kv_author_last(r->kv, r->cfg.self);
	uint64_t number = find_last(r);
	bool is_looked = c->is_looked;

	c->is_looked = true;
	if (last.run == r->cfg.run)
		for (uint64_t i = c->first; i < c->end && i <= last.number; i++)
			if (!pending_of(r, i)->is_done)
				settle_code(
				    r, pending_of(r, i), REPLICA_UNKNOWN);
	forget_first(r);
	if (is_looked)
		return;
	c->next_sent =
	    num_clamp(number + 1, c->first, num_max(c->next_sent, c->first));
}

static void
drop(struct replica *r, bool is_all, enum replica_code code)
{
	struct replica_client *c = &r->client;

	for (uint64_t i = c->first; i < c->end; i++) {
		struct replica_pending *p = pending_of(r, i);

		if (!p->is_done && (is_all || !p->is_sent))
			give_up(r, p, code);
	}
	forget_first(r);
}

void
replica_client_refuse(struct replica *r)
{
	if (r->client.first != r->client.end)
		drop(r, false, REPLICA_CLOSED);
	replica_read_refuse(r, REPLICA_CLOSED);
	replica_admin_refuse(r, REPLICA_CLOSED);
}

void
replica_client_end(struct replica *r)
{
	drop(r, true, REPLICA_CLOSED);
	replica_read_refuse(r, REPLICA_CLOSED);
	replica_admin_refuse(r, REPLICA_CLOSED);
}

/* ---- time -------------------------------------------------------------- */

uint64_t
replica_client_deadline_ns(const struct replica *r)
{
	return r->client.deadline_ns;
}

void
replica_client_on_time(struct replica *r)
{
	struct replica_client *c = &r->client;

	if (c->deadline_ns > r->now_ns)
		return;
	c->deadline_ns = REPLICA_NEVER;
	for (uint64_t i = c->first; i < c->end; i++) {
		struct replica_pending *p = pending_of(r, i);

		if (p->is_done)
			continue;
		if (p->deadline_ns <= r->now_ns)
			give_up(r, p, REPLICA_LATE);
		else
			c->deadline_ns =
			    num_min(c->deadline_ns, p->deadline_ns);
	}
	forget_first(r);
	for (size_t i = 0; i < c->reading_count; i++)
		c->deadline_ns =
		    num_min(c->deadline_ns, c->reading[i].deadline_ns);
}
