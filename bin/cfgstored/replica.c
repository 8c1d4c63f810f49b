/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstored/replica.h"

#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"

#include "bin/cfgstored/replica_internal.h"

enum { MIB = 1 << 20 };
#define SECOND_NS UINT64_C(1000000000)

/* ---- sets -------------------------------------------------------------- */

size_t
replica_place(const struct kv_nodes *nodes, uint32_t id)
{
	size_t i = 0;

	while (i < nodes->count && nodes->id[i] != id)
		i++;
	return i;
}

bool
replica_has_node(const struct kv_nodes *nodes, uint32_t id)
{
	return replica_place(nodes, id) < nodes->count;
}

void
replica_add_node(struct kv_nodes *nodes, uint32_t id)
{
	size_t i = nodes->count;

	if (replica_has_node(nodes, id) || nodes->count == LIMIT_NODES)
		return;
	for (; i > 0 && nodes->id[i - 1] > id; i--)
		nodes->id[i] = nodes->id[i - 1];
	nodes->id[i] = id;
	nodes->count++;
}

const struct replica_run *
replica_find_run(const struct replica_runs *runs, uint32_t node)
{
	for (size_t i = 0; i < runs->count; i++)
		if (runs->of[i].node == node)
			return &runs->of[i];
	return NULL;
}

static void
newer_run(struct replica_run *at, uint64_t inc, uint64_t run)
{
	if (inc > at->inc)
		at->inc = inc;
	if (run > at->run)
		at->run = run;
}

void
replica_note_run(
    struct replica_runs *runs, uint32_t node, uint64_t inc, uint64_t run)
{
	size_t i = runs->count;

	for (size_t j = 0; j < runs->count; j++) {
		if (runs->of[j].node == node) {
			newer_run(&runs->of[j], inc, run);
			return;
		}
	}
	if (runs->count == LIMIT_NODES)
		return;
	for (; i > 0 && runs->of[i - 1].node > node; i--)
		runs->of[i] = runs->of[i - 1];
	runs->of[i] = (struct replica_run){ node, inc, run };
	runs->count++;
}

/* ---- the start --------------------------------------------------------- */

void
replica_config_init(struct replica_config *cfg)
{
	*cfg = (struct replica_config){
		.kv = { .room = { .keys = 200000,
			    .bytes = 256 * MIB,
			    .value_bytes = KV_VALUE_BYTES_MAX,
			    .leases = 4096 },
		    .history_versions = 100000,
		    .history_bytes = 64 * MIB },
		.message_bytes_max = LIMIT_MESSAGE_BYTES_DEFAULT,
		.tail_bytes = 16 * MIB,
		.queue_bytes = 8 * MIB,
		.snapshot_bytes = 32 * MIB,
		.silence_ns = SECOND_NS,
	};
}

void
replica_forget_log(struct replica *r)
{
	const struct kv_tip none = { 0 };

	replica_window_clear(&r->win, &none);
	kv_clear(r->kv);
	kv_reader_init(&r->reader, r->kv);
	replica_lease_forget(r);
	replica_client_unhold(r);
	r->meta = r->applied_meta = (struct replica_meta){ 0 };
	r->acked = r->applied = r->given = 0;
	r->is_kv_void = false;
	r->unsaved_bytes = r->unsaved_disk_bytes = 0;
}

static void
take_memory(struct replica_memory *m, const struct replica_config *cfg,
    struct arena *arena)
{
	size_t size = (size_t)cfg->window_bytes;

	if (size == 0)
		size = (size_t)cfg->tail_bytes + 8 * MIB +
		    (cfg->node_count + cfg->voteless_count) *
			(cfg->message_bytes_max + MIB / 2);
	m->kv = kv_create(arena, &cfg->kv);
	replica_window_create(&m->win, arena, size);
	replica_window_create(&m->live, arena, size / 4);
	m->answer = arena_take(
	    arena, REPLICA_ANSWERS_MAX * sizeof(struct replica_effect));
	m->out_size = (size_t)num_max(
	    cfg->message_bytes_max, 2 * REPLICA_WORDS_BYTES_MAX);
	m->out = arena_take(arena, m->out_size);
	m->chunk = arena_take(arena, REPLICA_CHUNK_BYTES_MAX);
	/* Who has no vote speaks, too; memory that nobody uses is no cost. */
	m->large = arena_take(
	    arena, (size_t)REPLICA_LARGE_PLACES * KV_LOG_RECORD_BYTES_MAX);
	replica_client_create(&m->client, cfg, arena);
	replica_lease_create(&m->leases, cfg, arena);
}

struct replica *
replica_create(struct arena *arena, const struct replica_config *cfg)
{
	struct replica *r = arena_take(arena, sizeof *r);
	struct replica_memory memory = { 0 };

	ENSURE(cfg->node_count > 0 && cfg->node_count <= LIMIT_NODES);
	ENSURE(cfg->message_bytes_max >= REPLICA_CHUNK_BYTES_MAX + 4096);
	take_memory(&memory, cfg, arena);
	if (r == NULL)
		return NULL;
	memset(r, 0, sizeof *r);
	r->cfg = *cfg;
	r->kv = memory.kv;
	r->win = memory.win;
	r->live = memory.live;
	r->client = memory.client;
	r->leases = memory.leases;
	r->answer = memory.answer;
	r->out = memory.out;
	r->out_size = memory.out_size;
	r->chunk = memory.chunk;
	r->large = memory.large;
	replica_forget_log(r);
	kv_set_secret(r->kv, &cfg->kv_secret);
	r->is_permitted = true;
	r->state_told = REPLICA_AWAY;
	return r;
}

/* ---- effects ----------------------------------------------------------- */

void
replica_log(struct replica *r, const char *words)
{
	struct text text;

	if (r->log_count == REPLICA_LOGS)
		return;
	text_init(&text, r->log[r->log_count++], REPLICA_TEXT_BYTES);
	text_put(&text, words);
}

void
replica_log_numbers(struct replica *r, const char *words, uint64_t first,
    const char *between, uint64_t second)
{
	char line[REPLICA_TEXT_BYTES];
	struct text text;

	text_init(&text, line, sizeof line);
	text_put(&text, words);
	text_put_u64(&text, first);
	text_put(&text, between);
	text_put_u64(&text, second);
	replica_log(r, line);
}

void
replica_answer(struct replica *r, const struct replica_effect *answer)
{
	if (answer->answer.cookie == 0)
		return;
	ENSURE(r->answer_count < REPLICA_ANSWERS_MAX);
	r->answer[r->answer_count] = *answer;
	r->answer[r->answer_count++].kind = REPLICA_OUT_ANSWER;
}

void
replica_answer_code(struct replica *r, uint64_t cookie, enum replica_code code)
{
	struct replica_effect answer = { .answer = { .cookie = cookie,
					     .code = code,
					     .rev = kv_rev(r->kv) } };

	replica_answer(r, &answer);
}

enum replica_state
replica_state_now(const struct replica *r)
{
	if (!r->is_in_view || !replica_has_node(&r->group, r->cfg.self))
		return REPLICA_AWAY;
	if (r->is_failed)
		return REPLICA_BROKEN_DISK;
	if (!r->era.is_on)
		return REPLICA_JOINING;
	if (!r->era.is_open)
		return r->era.why == NULL ? REPLICA_JOINING
					  : REPLICA_CLOSED_VIEW;
	return r->era.is_complete ? REPLICA_OPEN : REPLICA_FILLING;
}

static bool
next_told(struct replica *r, struct replica_effect *out)
{
	enum replica_state state = replica_state_now(r);

	if (r->log_at < r->log_count) {
		out->kind = REPLICA_OUT_LOG;
		out->log = r->log[r->log_at++];
		return true;
	}
	if (state != r->state_told) {
		out->kind = REPLICA_OUT_STATE;
		out->state = r->state_told = state;
		return true;
	}
	if (replica_kv(r) != NULL && kv_rev(r->kv) != r->rev_told) {
		out->kind = REPLICA_OUT_REV;
		out->rev = r->rev_told = kv_rev(r->kv);
		return true;
	}
	if (r->answer_at == r->answer_count)
		return false;
	*out = r->answer[r->answer_at++];
	return true;
}

bool
replica_next(struct replica *r, struct replica_effect *out)
{
	memset(out, 0, sizeof *out);
	if (next_told(r, out))
		return true;
	if (r->is_reload_due) {
		r->is_reload_due = false;
		r->is_dead = true;
		out->kind = REPLICA_OUT_RELOAD;
		return true;
	}
	if (r->is_dead)
		return false;
	/* What these do may be told, too. */
	return replica_log_next_effect(r, out) ||
	    replica_give_next_effect(r, out) ||
	    (!r->is_more && replica_say_next(r, out)) || next_told(r, out);
}

/* ---- inputs ------------------------------------------------------------ */

static void
on_time(struct replica *r)
{
	replica_client_on_time(r);
	replica_read_on_time(r);
	replica_admin_on_time(r);
	replica_fill_on_time(r);
	replica_lease_on_time(r);
}

static void
on_lost(struct replica *r)
{
	replica_view_end(r);
	r->is_in_view = false;
	r->group.count = 0;
	replica_client_refuse(r);
}

static void
on_request(struct replica *r, const struct replica_input *in)
{
	if (in->kind == REPLICA_IN_PROPOSE) {
		replica_client_propose(r, in);
	} else if (in->kind == REPLICA_IN_READ) {
		replica_read_ask(r, in);
	} else if (in->kind == REPLICA_IN_ADMIN) {
		replica_admin_ask(r, in);
	} else {
		replica_client_cancel(r, in->cookie);
		replica_read_cancel(r, in->cookie);
		replica_admin_cancel(r, in->cookie);
	}
}

static void
take(struct replica *r, const struct replica_input *in)
{
	switch (in->kind) {
	case REPLICA_IN_VIEW:
		replica_view_on_view(r, in);
		return;
	case REPLICA_IN_TRANSITIONAL:
		replica_view_end(r);
		return;
	case REPLICA_IN_GROUP:
		replica_view_on_group(r, in);
		return;
	case REPLICA_IN_MESSAGE:
		replica_say_hear(r, in);
		return;
	case REPLICA_IN_LOST:
		on_lost(r);
		return;
	case REPLICA_IN_QUORUM:
		r->is_permitted = in->is_permitted;
		r->era.is_judged = false;
		return;
	case REPLICA_IN_FENCED:
		replica_view_on_fenced(r, in);
		return;
	case REPLICA_IN_LENT:
		replica_give_lent(r, in);
		return;
	case REPLICA_IN_SYNCED:
	case REPLICA_IN_SAVED:
	case REPLICA_IN_UNSAVED:
	case REPLICA_IN_ROOM:
	case REPLICA_IN_FULL:
	case REPLICA_IN_SPACE:
	case REPLICA_IN_FAILED:
		replica_log_on_disk(r, in);
		return;
	case REPLICA_IN_PROPOSE:
	case REPLICA_IN_READ:
	case REPLICA_IN_ADMIN:
	case REPLICA_IN_CANCEL:
		on_request(r, in);
		return;
	case REPLICA_IN_TIME:
	case REPLICA_INPUTS:
		break;
	}
	ENSURE(in->kind == REPLICA_IN_TIME);
}

void
replica_step(struct replica *r, const struct replica_input *in)
{
	ENSURE(r->answer_at == r->answer_count);
	r->answer_at = r->answer_count = 0;
	/* What the start had to say is still to be told. */
	if (r->log_at == r->log_count)
		r->log_at = r->log_count = 0;
	r->now_ns = num_max(r->now_ns, in->now_ns);
	r->is_more = in->is_more;
	if (r->is_dead) {
		if (in->kind == REPLICA_IN_PROPOSE ||
		    in->kind == REPLICA_IN_READ || in->kind == REPLICA_IN_ADMIN)
			replica_answer_code(r, in->cookie, REPLICA_CLOSED);
		return;
	}
	take(r, in);
	on_time(r);
	replica_read_answer(r);
	if (replica_state_now(r) == REPLICA_CLOSED_VIEW)
		replica_client_refuse(r);
	if (r->is_reload_due)
		replica_client_end(r);
}

uint64_t
replica_deadline_ns(const struct replica *r)
{
	uint64_t due;

	if (r->is_dead)
		return REPLICA_NEVER;
	if (r->is_more)
		return 0;
	due = num_min(
	    replica_client_deadline_ns(r), replica_admin_deadline_ns(r));
	due = num_min(due, replica_open_deadline_ns(r));
	due = num_min(due, replica_fill_deadline_ns(r));
	due = num_min(due, replica_log_deadline_ns(r));
	due = num_min(due, replica_pace_deadline_ns(r));
	due = num_min(due, replica_give_deadline_ns(r));
	return num_min(due, replica_lease_deadline_ns(r));
}

/* ---- to be asked ------------------------------------------------------- */

const struct kv *
replica_kv(const struct replica *r)
{
	if (r->is_kv_void || r->is_lacking || r->applied == 0)
		return NULL;
	return r->kv;
}

bool
replica_is_durable(const struct replica *r)
{
	return r->applied <= r->acked;
}

void
replica_status(const struct replica *r, struct replica_status *out)
{
	const struct replica_era *era = &r->era;

	*out = (struct replica_status){ .state = replica_state_now(r),
		.why = era->why != NULL ? era->why : "",
		.epoch = era->id,
		.tip = replica_window_tip(&r->win),
		.acked = r->acked,
		.applied = r->applied,
		.store = r->meta.store,
		.filled_bytes = r->fill.bytes,
		.tail_bytes = replica_window_behind(&r->win, r->acked),
		.is_disk_full = r->is_disk_full,
		.is_lacking = r->is_lacking,
		.pending = (size_t)(r->client.end - r->client.first) };
	out->electorates = era->is_open ? era->e : r->meta.e;
	if (!era->is_on)
		return;
	out->members = era->members;
	for (size_t i = 0; i < era->members.count; i++)
		if (era->is_open &&
		    era->peer[i].synced.synced >= era->open_index)
			replica_add_node(&out->complete, era->members.id[i]);
}

uint64_t
replica_staleness_ns(const struct replica *r, uint64_t now_ns)
{
	if (replica_state_now(r) == REPLICA_OPEN && r->applied >= r->acked &&
	    r->era.acked >= r->era.open_index)
		return 0;
	return r->fresh_ns == 0 ? UINT64_MAX : num_sub(now_ns, r->fresh_ns);
}

const char *
replica_code_name(enum replica_code code)
{
	static const char *const names[REPLICA_CODES] = {
		[REPLICA_OK] = "ok",
		[REPLICA_CONFLICT] = "conflict",
		[REPLICA_NO_LEASE] = "no-lease",
		[REPLICA_LIMIT] = "limit",
		[REPLICA_ROOM] = "used",
		[REPLICA_BAD] = "bad",
		[REPLICA_CLOSED] = "closed",
		[REPLICA_BUSY] = "busy",
		[REPLICA_LATE] = "late",
		[REPLICA_FULL] = "full",
		[REPLICA_BROKEN] = "broken",
		[REPLICA_QUORUM] = "quorum",
		[REPLICA_LARGE] = "large",
		[REPLICA_REFUSED] = "refused",
		[REPLICA_UNKNOWN] = "unknown",
	};

	return names[code];
}

const char *
replica_state_name(enum replica_state state)
{
	static const char *const names[REPLICA_STATES] = {
		[REPLICA_AWAY] = "away",
		[REPLICA_JOINING] = "joining",
		[REPLICA_CLOSED_VIEW] = "closed",
		[REPLICA_FILLING] = "filling",
		[REPLICA_OPEN] = "open",
		[REPLICA_BROKEN_DISK] = "broken",
	};

	return names[state];
}
