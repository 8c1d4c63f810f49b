/* SPDX-License-Identifier: BSD-3-Clause */
/* The log of an open epoch: what enters it, what is acknowledged, and when. */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/cfgstored/replica_internal.h"

/* Room on disk that a record takes beside its bytes. */
enum { FRAME_BYTES = KV_LOG_FRAME_HEAD_BYTES + KV_LOG_BLOCK };

/* Small records are more on disk: so much more, and a snapshot has to be. */
enum { DISK_SNAPSHOTS = 8, SAVE_AGAIN = 10 };

void
replica_log_follow(
    struct replica_meta *meta, uint64_t index, const void *bytes, size_t len)
{
	struct replica_open open;
	struct replica_elect elect;
	uint64_t cut;

	switch (replica_wire_record_kind(bytes, len)) {
	case REPLICA_RECORD_OPEN:
		if (replica_wire_get_open(bytes, len, &open))
			*meta = open.meta;
		return;
	case REPLICA_RECORD_ELECT:
		if (!replica_wire_get_elect(bytes, len, &elect))
			return;
		meta->e.next = elect.next;
		meta->elect_index = index;
		return;
	case REPLICA_RECORD_CUT:
		if (!replica_wire_get_cut(bytes, len, &cut))
			return;
		meta->e.now = meta->e.next;
		meta->e.next.count = 0;
		meta->elect_index = 0;
		return;
	case REPLICA_RECORD_COMMAND:
	case REPLICA_RECORD_NOTE:
		return;
	}
}

struct kv_tip
replica_log_tip_at(const struct replica *r, uint64_t index)
{
	struct replica_record record;

	if (replica_window_get(&r->win, index, &record))
		return record.tip;
	ENSURE(index == r->win.before.index);
	return r->win.before;
}

/* ---- what enters the log ----------------------------------------------- */

uint64_t
replica_log_may_go(const struct replica *r)
{
	uint64_t last = num_min(r->applied, num_sub(replica_give_pin(r), 1));

	/* What no disk will take is not kept for it. */
	return r->is_failed ? last : num_min(last, r->given);
}

static bool
push(struct replica *r, const struct kv_tip *tip, const void *bytes, size_t len)
{
	if (!replica_window_push(
		&r->win, tip, bytes, len, replica_log_may_go(r))) {
		/* Rather lose who fetches from us. */
		replica_give_reset(r);
		if (!replica_window_push(
			&r->win, tip, bytes, len, replica_log_may_go(r)))
			return false;
	}
	replica_log_follow(&r->meta, tip->index, bytes, len);
	return true;
}

void
replica_log_add(struct replica *r, const void *bytes, size_t len)
{
	struct replica_era *era = &r->era;
	struct kv_tip tip = { .epoch = era->id, .index = ++era->end };

	if (era->is_contiguous && push(r, &tip, bytes, len))
		return;
	/* The disk is far behind: what is missing has to be fetched. */
	if (era->is_contiguous) {
		struct kv_tip before = replica_window_tip(&r->win);

		era->is_contiguous = era->is_complete = false;
		replica_window_clear(&r->live, &before);
		replica_fill_begin(r);
	}
	if (!replica_window_push(&r->live, &tip, bytes, len, tip.index))
		replica_window_clear(&r->live, &tip);
}

static bool
is_elect_valid(const struct replica *r, const void *bytes, size_t len)
{
	struct replica_elect elect;
	const struct replica_era *era = &r->era;

	return replica_wire_get_elect(bytes, len, &elect) &&
	    era->e.next.count == 0 && era->acked >= era->change_index;
}

static bool
is_cut_valid(const struct replica *r, const void *bytes, size_t len)
{
	const struct replica_era *era = &r->era;
	uint64_t index;

	return replica_wire_get_cut(bytes, len, &index) &&
	    era->e.next.count > 0 && index == era->elect_index &&
	    era->acked >= era->change_index;
}

static void
change_electorate(struct replica *r, const void *bytes, size_t len)
{
	struct replica_era *era = &r->era;
	struct replica_meta meta = { 0 };
	struct replica_elect elect;

	era->e_before = era->e;
	era->change_index = era->end + 1;
	meta.e = era->e;
	meta.elect_index = era->elect_index;
	replica_log_follow(&meta, era->change_index, bytes, len);
	era->e = meta.e;
	era->elect_index = meta.elect_index;
	if (replica_wire_get_elect(bytes, len, &elect) && elect.leaver != 0)
		replica_add_node(&era->leavers, elect.leaver);
}

static bool
is_note_valid(const struct replica *r, size_t len)
{
	return len == 1 && r->era.is_virgin && r->era.note_index == 0 &&
	    r->era.acked >= r->era.open_index;
}

static void
enter(struct replica *r, uint32_t sender, const void *bytes, size_t len)
{
	struct replica_commands commands;

	switch (replica_wire_record_kind(bytes, len)) {
	case REPLICA_RECORD_COMMAND:
		if (!replica_wire_get_commands(bytes, len, &commands) ||
		    commands.node != sender)
			return;
		if (commands.is_in_memory)
			replica_pace_enters_memory(r, sender);
		break;
	case REPLICA_RECORD_ELECT:
		if (!is_elect_valid(r, bytes, len))
			return;
		change_electorate(r, bytes, len);
		break;
	case REPLICA_RECORD_CUT:
		if (!is_cut_valid(r, bytes, len))
			return;
		change_electorate(r, bytes, len);
		break;
	case REPLICA_RECORD_NOTE:
		if (!is_note_valid(r, len))
			return;
		r->era.note_index = r->era.end + 1;
		break;
	case REPLICA_RECORD_OPEN:
	default:
		return;
	}
	if (r->era.memory_index != r->era.end + 1)
		r->era.disk_index = r->era.end + 1;
	replica_log_add(r, bytes, len);
}

uint8_t *
replica_log_large(const struct replica *r, size_t place)
{
	return r->large + place * KV_LOG_RECORD_BYTES_MAX;
}

void
replica_log_piece(
    struct replica *r, size_t member, const void *bytes, size_t len)
{
	size_t *at = &r->large_len[member];

	/* One that is too long comes to nothing, at all members. */
	if (!r->era.is_open)
		return;
	if (len >
	    KV_LOG_RECORD_BYTES_MAX - num_min(*at, KV_LOG_RECORD_BYTES_MAX)) {
		*at = SIZE_MAX;
		return;
	}
	memcpy(replica_log_large(r, member) + *at, bytes, len);
	*at += len;
}

void
replica_log_deliver(
    struct replica *r, size_t member, const void *bytes, size_t len)
{
	uint32_t sender = r->era.members.id[member];

	if (!r->era.is_open)
		return;
	if (r->large_len[member] > 0) {
		replica_log_piece(r, member, bytes, len);
		bytes = replica_log_large(r, member);
		len = r->large_len[member];
		r->large_len[member] = 0;
	}
	if (len <= KV_LOG_RECORD_BYTES_MAX)
		enter(r, sender, bytes, len);
}

static void
complete(struct replica *r)
{
	r->era.is_complete = true;
	replica_client_look(r);
}

void
replica_log_go_on(struct replica *r)
{
	struct replica_era *era = &r->era;
	uint64_t acked = num_max(era->acked, r->fill.giver_acked);

	if (!era->is_ours)
		return;
	acked = num_max(acked, era->base_acked);
	r->acked = num_max(r->acked, num_min(acked, r->win.end - 1));
	if (era->is_contiguous && !era->is_complete)
		complete(r);
	replica_client_acked(r);
	replica_log_apply(r);
}

void
replica_log_own(struct replica *r)
{
	r->era.is_ours = true;
	r->is_verified = true;
	r->is_blank = false;
	r->lived = r->era.id;
	replica_log_go_on(r);
}

/* ---- the state --------------------------------------------------------- */

static const char unreadable[] = "a record of the log cannot be read by this "
				 "version of cfgstored: it serves no more";

/* The state of the others is another one from now on. */
static void
stop_following(struct replica *r, const char *why)
{
	if (r->is_lacking)
		return;
	r->is_lacking = true;
	replica_log(r, why);
}

static void
apply_command(struct replica *r, const struct replica_commands *commands,
    const struct replica_command *command)
{
	struct kv_author author = { .node = commands->node,
		.run = commands->run,
		.number = command->number };
	struct kv_result result = { .code = KV_LACK };

	if (!r->is_lacking)
		kv_apply(r->kv, &author, command->bytes, command->len, &result);
	if (result.code == KV_LACK)
		stop_following(r,
		    "the store's limits need more memory than "
		    "this node has: it serves no more");
	if (result.code == KV_BAD)
		stop_following(r, unreadable);
	if (author.node == r->cfg.self && author.run == r->cfg.run)
		replica_client_applied(r, author.number, &result);
}

static void
apply_record(struct replica *r, const struct replica_record *record)
{
	struct replica_commands commands;
	struct replica_command command;

	replica_log_follow(
	    &r->applied_meta, record->tip.index, record->bytes, record->len);
	r->unsaved_bytes += record->len;
	r->unsaved_disk_bytes += record->len + FRAME_BYTES;
	if (!replica_wire_get_commands(record->bytes, record->len, &commands))
		return;
	for (size_t i = 0; i < commands.count; i++) {
		replica_wire_next_command(&commands.items, &command);
		apply_command(r, &commands, &command);
	}
}

/*
 * The log is so many times too long; one that is very long may be why the disk
 * is full.
 */
static bool
is_too_long(const struct replica *r, uint64_t times)
{
	uint64_t used = kv_bytes_used(r->kv);

	if (r->unsaved_disk_bytes / times >=
	    num_max(DISK_SNAPSHOTS * r->cfg.snapshot_bytes, used))
		return true;
	return !r->is_disk_full &&
	    r->unsaved_bytes / times >=
	    num_max(r->cfg.snapshot_bytes, used / 2);
}

static bool
is_save_due(const struct replica *r)
{
	return is_too_long(r, 1);
}

/* If the state is one that may be. */
static bool
can_save(const struct replica *r)
{
	return !r->is_saving && !r->is_lacking && !r->is_failed &&
	    r->era.is_complete;
}

/* Of what is durable only: a log could still take the place of ours. */
static bool
may_save(const struct replica *r)
{
	return can_save(r) && r->applied <= r->acked &&
	    r->applied <= r->era.synced;
}

bool
replica_log_is_save_late(const struct replica *r)
{
	return can_save(r) && r->save_at_ns <= r->now_ns && is_too_long(r, 2);
}

/* The state stands still until it is taken, and while it fails. */
static bool
is_taken_save_due(const struct replica *r)
{
	return r->fill.is_save_due && !r->is_saving && !r->is_failed &&
	    !r->is_kv_void;
}

uint64_t
replica_log_deadline_ns(const struct replica *r)
{
	if (is_taken_save_due(r) && r->fill.save_at_ns > r->now_ns)
		return r->fill.save_at_ns;
	if (!may_save(r) || r->save_at_ns <= r->now_ns || !is_save_due(r))
		return REPLICA_NEVER;
	return r->save_at_ns;
}

void
replica_log_apply(struct replica *r)
{
	struct replica_record record;
	uint64_t target = r->acked;

	if (r->era.is_open && !r->era.is_ours)
		return;
	/* Who never asks the disk must not keep the log from an end. */
	if (r->era.is_complete && !replica_log_is_save_late(r))
		target = num_max(target, r->era.acked_in_memory);
	while (r->applied < target &&
	    replica_window_get(&r->win, r->applied + 1, &record)) {
		r->applied++;
		apply_record(r, &record);
	}
}

/* ---- rule 4 ------------------------------------------------------------ */

static uint64_t
told_synced(const struct replica_synced *told)
{
	return told->synced;
}

static uint64_t
told_held(const struct replica_synced *told)
{
	return told->held;
}

/*
 * Nothing but a first OPEN is acknowledged before the logs of all know that
 * something was: else a lost disk could pass for a start.
 */
static bool
is_virgin(const struct replica_era *era)
{
	return era->is_virgin &&
	    (era->note_index == 0 || era->acked < era->note_index);
}

static bool
are_all(const struct kv_electorate *e, const struct kv_nodes *nodes)
{
	for (size_t i = 0; i < e->count; i++)
		if (!replica_has_node(nodes, e->voter[i].id))
			return false;
	return true;
}

bool
replica_log_is_durable(const struct replica *r, uint64_t index,
    uint64_t (*told)(const struct replica_synced *), uint64_t value)
{
	const struct replica_era *era = &r->era;
	struct kv_nodes nodes = { 0 };

	for (size_t i = 0; i < era->members.count; i++)
		if (told(&era->peer[i].synced) >= value)
			nodes.id[nodes.count++] = era->members.id[i];
	if (is_virgin(era))
		return are_all(&era->e.now, &nodes) &&
		    are_all(&era->e.next, &nodes);
	return kv_rules_is_durable(
	    index >= era->change_index ? &era->e : &era->e_before,
	    &era->members, &nodes);
}

/* The highest index that enough of them told, or at. */
static uint64_t
find_acked(const struct replica *r, uint64_t at,
    uint64_t (*told)(const struct replica_synced *))
{
	const struct replica_era *era = &r->era;

	for (size_t i = 0; i < era->members.count; i++) {
		uint64_t index = told(&era->peer[i].synced);

		if (is_virgin(era) &&
		    (era->note_index == 0 || index < era->note_index))
			index = num_min(index, era->open_index);
		if (index > at && index >= era->open_index &&
		    replica_log_is_durable(r, index, told, index))
			at = index;
	}
	return at;
}

static bool
is_for_memory(const struct replica_record *record)
{
	struct replica_commands commands;

	return replica_wire_get_commands(
		   record->bytes, record->len, &commands) &&
	    commands.is_in_memory;
}

/* The last that asked for no more than memory, and all before it. */
static void
note_held(struct replica *r)
{
	struct replica_era *era = &r->era;
	struct replica_record record;
	uint64_t index;

	if (era->memory_index <= era->acked_in_memory)
		return;
	index = find_acked(r, era->acked_in_memory, told_held);
	while (index > era->acked_in_memory &&
	    replica_window_get(&r->win, index, &record)) {
		if (is_for_memory(&record)) {
			era->acked_in_memory = index;
			return;
		}
		index--;
	}
}

void
replica_log_on_synced(
    struct replica *r, size_t member, const struct replica_synced *synced)
{
	struct replica_era *era = &r->era;
	struct replica_synced *told = &era->peer[member].synced;

	if (!era->is_open)
		return;
	told->synced = num_max(told->synced, num_min(synced->synced, era->end));
	told->held = num_max(told->held, num_min(synced->held, era->end));
	told->marks = num_max(told->marks, num_min(synced->marks, era->marks));
	era->acked = find_acked(r, era->acked, told_synced);
	if (era->is_complete)
		note_held(r);
	replica_log_go_on(r);
	replica_admin_acked(r);
}

/* ---- the disk ---------------------------------------------------------- */

static void
on_synced(struct replica *r, const struct kv_tip *tip)
{
	struct replica_era *era = &r->era;

	if (r->is_founding && !r->is_found_due) {
		r->is_founding = r->is_blank = false;
		r->is_verified = true;
		r->is_state_due = era->is_on && !era->is_open;
	}
	if (era->is_on && era->is_open &&
	    kv_epoch_compare(&tip->epoch, &era->id) == 0 &&
	    tip->index <= era->end)
		era->synced = num_max(era->synced, tip->index);
}

static void
on_saved(struct replica *r, const struct replica_input *in)
{
	struct replica_fill *fill = &r->fill;
	bool is_good = in->kind == REPLICA_IN_SAVED;

	r->is_saving = false;
	if (is_good) {
		r->unsaved_bytes = num_sub(r->unsaved_bytes, r->saving_bytes);
		r->unsaved_disk_bytes =
		    num_sub(r->unsaved_disk_bytes, r->saving_disk_bytes);
	} else {
		replica_log(r, "a snapshot could not be written");
		r->save_at_ns = r->now_ns + SAVE_AGAIN * r->cfg.silence_ns;
	}
	if (!fill->is_unsaved || fill->is_save_due ||
	    kv_tip_compare(&in->tip, &fill->after) != 0)
		return;
	fill->is_unsaved = fill->is_save_due = !is_good;
	if (!is_good)
		fill->save_at_ns = r->now_ns + r->cfg.silence_ns;
}

void
replica_log_on_disk(struct replica *r, const struct replica_input *in)
{
	if (in->kind == REPLICA_IN_SYNCED) {
		on_synced(r, &in->tip);
	} else if (in->kind == REPLICA_IN_ROOM) {
		r->room = in->room;
	} else if (in->kind == REPLICA_IN_FULL) {
		r->is_disk_full = true;
		replica_log(r, "no space for the log: writes are refused");
	} else if (in->kind == REPLICA_IN_SPACE) {
		r->is_disk_full = false;
		replica_log(r, "there is space for the log again");
	} else if (in->kind == REPLICA_IN_FAILED) {
		r->is_failed = true;
		replica_log(r,
		    "the log cannot be written: until a new start "
		    "this node confirms nothing");
	} else {
		on_saved(r, in);
	}
}

static bool
next_append(struct replica *r, struct replica_effect *out, uint64_t last)
{
	struct replica_record record;

	if (r->given >= last ||
	    !replica_window_get(&r->win, r->given + 1, &record) ||
	    record.len + FRAME_BYTES > r->room)
		return false;
	r->room -= record.len + FRAME_BYTES;
	r->given++;
	out->kind = REPLICA_OUT_APPEND;
	out->append.tip = record.tip;
	out->append.acked = num_min(r->acked, record.tip.index);
	out->append.bytes = record.bytes;
	out->append.len = record.len;
	out->append.is_awaited = record.tip.index <= replica_pace_awaited(r);
	return true;
}

static bool
next_save(struct replica *r, struct replica_effect *out, bool is_taken)
{
	struct wrbuf wr;

	wrbuf_init(&wr, r->out, REPLICA_WORDS_BYTES_MAX);
	replica_wire_put_meta(&wr, &r->applied_meta);
	ENSURE(!wr.is_full);
	r->is_saving = true;
	r->saving_bytes = r->unsaved_bytes;
	r->saving_disk_bytes = r->unsaved_disk_bytes;
	out->kind = REPLICA_OUT_SAVE;
	out->save.is_taken = is_taken;
	out->save.tip = replica_log_tip_at(r, r->applied);
	out->save.words = r->out;
	out->save.len = wr.len;
	return true;
}

/* What replaces the log comes behind what of it stays. */
static bool
next_begin(struct replica *r, struct replica_effect *out)
{
	struct replica_fill *fill = &r->fill;

	if (!fill->is_on_snapshot && r->given < fill->after.index)
		return next_append(r, out, fill->after.index);
	fill->is_begin_due = false;
	fill->has_begun = true;
	r->given = fill->after.index;
	out->kind = REPLICA_OUT_BEGIN;
	out->begin.after = fill->after;
	out->begin.is_on_snapshot = fill->is_on_snapshot;
	return true;
}

/* When OPEN is there, too, and no less than the log on disk has. */
static bool
is_end_due(const struct replica *r)
{
	return r->fill.has_begun && !r->fill.is_unsaved &&
	    r->given >= num_max(r->era.open_index, r->fill.floor);
}

static bool
next_end(struct replica *r, struct replica_effect *out)
{
	r->fill.has_begun = false;
	r->fill.is_spoilt = false;
	replica_log_own(r);
	out->kind = REPLICA_OUT_END;
	out->end_acked = r->acked;
	return true;
}

bool
replica_log_next_effect(struct replica *r, struct replica_effect *out)
{
	if (r->is_abort_due) {
		r->is_abort_due = false;
		out->kind = REPLICA_OUT_ABORT;
		return true;
	}
	if (r->is_failed)
		return false;
	if (r->is_found_due) {
		r->is_found_due = false;
		out->kind = REPLICA_OUT_FOUND;
		return true;
	}
	if (r->fill.is_begin_due)
		return next_begin(r, out);
	if (is_taken_save_due(r) && r->fill.save_at_ns <= r->now_ns) {
		r->fill.is_save_due = false;
		return next_save(r, out, true);
	}
	if (next_append(r, out, UINT64_MAX))
		return true;
	if (is_end_due(r))
		return next_end(r, out);
	return may_save(r) && r->save_at_ns <= r->now_ns && is_save_due(r) &&
	    next_save(r, out, false);
}
