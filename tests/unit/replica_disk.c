/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/replica_disk.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

enum { SNAPSHOT_BYTES = 4 << 20 };

struct blob {
	struct kv_tip tip;
	uint64_t acked;
	uint8_t *bytes;
	size_t len;
};

/* Records behind a snapshot, or from 1. */
struct log {
	struct blob words;
	struct blob state; /* frames with their lengths before them */
	struct blob *record;
	size_t count, size;
	uint64_t acked;
};

struct op {
	enum replica_effect_kind kind;
	struct blob blob; /* APPEND; BEGIN: tip */
	bool is_on_snapshot;
	uint64_t acked;
};

struct replica_disk {
	enum replica_health health;
	struct log log;
	bool is_taking;
	bool is_on_snapshot;
	struct kv_tip after;
	struct log taken; /* what comes behind after */
	struct op *op;    /* not durable */
	size_t op_count, op_size;
	bool is_news;
	uint64_t room;
	bool is_saving; /* under way */
	bool is_for_taking;
	struct log save;  /* a snapshot, no records */
	struct log saved; /* for a takeover */
};

/* ---- memory ------------------------------------------------------------ */

static void *
grow(void *array, size_t count, size_t *size, size_t each)
{
	void *bigger;

	if (count < *size)
		return array;
	*size = *size == 0 ? 16 : *size * 2;
	bigger = realloc(array, *size * each);
	ENSURE(bigger != NULL);
	return bigger;
}

static struct blob
blob_of(const struct kv_tip *tip, const void *bytes, size_t len)
{
	struct blob blob = { .tip = *tip, .len = len };

	blob.bytes = malloc(len + 1);
	ENSURE(blob.bytes != NULL);
	memcpy(blob.bytes, bytes, len);
	return blob;
}

static void
log_cut(struct log *log, size_t count)
{
	while (log->count > count)
		free(log->record[--log->count].bytes);
}

static void
log_drop(struct log *log)
{
	log_cut(log, 0);
	free(log->record);
	free(log->words.bytes);
	free(log->state.bytes);
	memset(log, 0, sizeof *log);
}

static void
log_add(struct log *log, struct blob record)
{
	log->record =
	    grow(log->record, log->count, &log->size, sizeof(struct blob));
	log->record[log->count++] = record;
}

static struct kv_tip
log_tip(const struct log *log)
{
	return log->count > 0 ? log->record[log->count - 1].tip
			      : log->words.tip;
}

struct replica_disk *
replica_disk_open(uint64_t room)
{
	struct replica_disk *d = calloc(1, sizeof *d);

	ENSURE(d != NULL);
	d->health = REPLICA_BLANK;
	d->room = room;
	return d;
}

static void
drop_ops(struct replica_disk *d, size_t from)
{
	while (d->op_count > from)
		free(d->op[--d->op_count].blob.bytes);
}

void
replica_disk_close(struct replica_disk *d)
{
	drop_ops(d, 0);
	free(d->op);
	log_drop(&d->log);
	log_drop(&d->taken);
	log_drop(&d->save);
	log_drop(&d->saved);
	free(d);
}

/* ---- what is given ----------------------------------------------------- */

static void
begin_save(struct replica_disk *d, const struct replica_effect *effect,
    const struct kv *kv)
{
	static uint8_t bytes[SNAPSHOT_BYTES];
	struct kv_writer writer;
	size_t len = 0, more;

	ENSURE(!d->is_saving);
	kv_writer_init(&writer, kv);
	do {
		ENSURE(len + 4 + KV_FRAME_BYTES_MAX <= sizeof bytes);
		more = kv_writer_next(
		    &writer, bytes + len + 4, KV_FRAME_BYTES_MAX);
		memcpy(bytes + len, &(uint32_t){ (uint32_t)more }, 4);
		len += 4 + more;
	} while (more > 0);
	d->is_saving = true;
	d->is_for_taking = effect->save.is_taken;
	d->save.words =
	    blob_of(&effect->save.tip, effect->save.words, effect->save.len);
	d->save.state = blob_of(&effect->save.tip, bytes, len);
}

static struct op *
add_op(struct replica_disk *d, enum replica_effect_kind kind)
{
	d->op = grow(d->op, d->op_count, &d->op_size, sizeof(struct op));
	d->op[d->op_count] = (struct op){ .kind = kind };
	return &d->op[d->op_count++];
}

bool
replica_disk_take(struct replica_disk *d, const struct replica_effect *effect,
    const struct kv *kv)
{
	struct op *op;

	if (effect->kind == REPLICA_OUT_SAVE) {
		begin_save(d, effect, kv);
		return true;
	}
	if (effect->kind < REPLICA_OUT_FOUND ||
	    effect->kind > REPLICA_OUT_ABORT)
		return false;
	op = add_op(d, effect->kind);
	if (effect->kind == REPLICA_OUT_APPEND) {
		op->blob = blob_of(&effect->append.tip, effect->append.bytes,
		    effect->append.len);
		op->blob.acked = effect->append.acked;
	} else if (effect->kind == REPLICA_OUT_BEGIN) {
		op->blob.tip = effect->begin.after;
		op->is_on_snapshot = effect->begin.is_on_snapshot;
	} else if (effect->kind == REPLICA_OUT_END) {
		op->acked = effect->end_acked;
	}
	return true;
}

/* ---- what becomes of it ------------------------------------------------ */

static void
do_begin(struct replica_disk *d, const struct op *op)
{
	log_cut(&d->taken, 0);
	d->is_taking = true;
	d->is_on_snapshot = op->is_on_snapshot;
	d->after = op->blob.tip;
}

/* Of the log, what is up to after stays; it must be there, and be that. */
static void
keep_common(struct replica_disk *d)
{
	struct log *log = &d->log;
	struct kv_tip tip;

	while (log->count > 0 &&
	    log->record[log->count - 1].tip.index > d->after.index)
		log_cut(log, log->count - 1);
	tip = log_tip(log);
	ENSURE(kv_tip_compare(&tip, &d->after) == 0);
}

static void
do_end(struct replica_disk *d, const struct op *op)
{
	struct kv_tip was = replica_disk_tip(d), is;

	ENSURE(d->is_taking);
	if (d->is_on_snapshot) {
		log_drop(&d->log);
		ENSURE(kv_tip_compare(&d->saved.words.tip, &d->after) == 0);
		d->log = d->saved;
		memset(&d->saved, 0, sizeof d->saved);
	} else {
		keep_common(d);
	}
	for (size_t i = 0; i < d->taken.count; i++)
		log_add(&d->log, d->taken.record[i]);
	is = log_tip(&d->log);
	ENSURE(kv_tip_compare(&is, &was) >= 0);
	d->taken.count = 0;
	d->is_taking = false;
	d->log.acked = num_max(d->log.acked, op->acked);
	d->health = REPLICA_GOOD;
}

static void
do_append(struct replica_disk *d, const struct op *op)
{
	struct log *log = d->is_taking ? &d->taken : &d->log;
	struct kv_tip tip = log_tip(log);

	if (d->is_taking && log->count == 0)
		tip = d->after;
	ENSURE(d->is_taking || d->health == REPLICA_GOOD);
	ENSURE(op->blob.tip.index == tip.index + 1);
	ENSURE(kv_epoch_compare(&op->blob.tip.epoch, &tip.epoch) >= 0);
	log_add(log, op->blob);
	if (!d->is_taking)
		d->log.acked = num_max(d->log.acked, op->blob.acked);
}

static void
do_op(struct replica_disk *d, const struct op *op)
{
	if (op->kind == REPLICA_OUT_FOUND) {
		ENSURE(d->health != REPLICA_GOOD);
		log_drop(&d->log);
		d->health = REPLICA_GOOD;
	} else if (op->kind == REPLICA_OUT_BEGIN) {
		do_begin(d, op);
	} else if (op->kind == REPLICA_OUT_END) {
		do_end(d, op);
	} else if (op->kind == REPLICA_OUT_ABORT) {
		log_cut(&d->taken, 0);
		d->is_taking = false;
	} else {
		do_append(d, op);
	}
}

void
replica_disk_sync(struct replica_disk *d, size_t count)
{
	count = (size_t)num_min(count, d->op_count);
	if (count == 0)
		return;
	for (size_t i = 0; i < count; i++)
		do_op(d, &d->op[i]);
	memmove(
	    d->op, d->op + count, (d->op_count - count) * sizeof(struct op));
	d->op_count -= count;
	d->is_news = true;
}

bool
replica_disk_synced(struct replica_disk *d, struct kv_tip *tip)
{
	bool is_news = d->is_news && d->health == REPLICA_GOOD;

	d->is_news = false;
	*tip = log_tip(&d->log);
	return is_news;
}

bool
replica_disk_save(struct replica_disk *d, struct kv_tip *tip)
{
	struct log *to = d->is_for_taking ? &d->saved : &d->log;
	struct log old = *to;
	size_t gone = 0;

	if (!d->is_saving)
		return false;
	d->is_saving = false;
	*tip = d->save.words.tip;
	if (d->is_for_taking) {
		log_drop(to);
		*to = d->save;
		memset(&d->save, 0, sizeof d->save);
		return true;
	}
	/* It may be that what it is of is not even written yet, or gone. */
	while (gone < old.count && old.record[gone].tip.index < tip->index)
		gone++;
	if (gone == old.count ||
	    kv_tip_compare(&old.record[gone].tip, tip) != 0) {
		log_drop(&d->save);
		return true;
	}
	to->words = d->save.words;
	to->state = d->save.state;
	memset(&d->save, 0, sizeof d->save);
	free(old.words.bytes);
	free(old.state.bytes);
	for (size_t i = 0; i <= gone; i++)
		free(to->record[i].bytes);
	to->count -= gone + 1;
	memmove(
	    to->record, to->record + gone + 1, to->count * sizeof(struct blob));
	return true;
}

size_t
replica_disk_waiting(const struct replica_disk *d)
{
	return d->op_count + d->is_saving;
}

uint64_t
replica_disk_room(const struct replica_disk *d)
{
	uint64_t used = 0;

	for (size_t i = 0; i < d->op_count; i++)
		used += d->op[i].blob.len;
	return num_sub(d->room, used);
}

void
replica_disk_crash(struct replica_disk *d, size_t count)
{
	replica_disk_sync(d, count);
	drop_ops(d, 0);
	log_drop(&d->save);
	log_drop(&d->saved);
	log_drop(&d->taken);
	d->is_taking = d->is_saving = d->is_news = false;
}

void
replica_disk_lose(struct replica_disk *d, bool is_bad)
{
	log_drop(&d->log);
	d->health = is_bad ? REPLICA_BAD_FILES : REPLICA_BLANK;
}

struct kv_tip
replica_disk_tip(const struct replica_disk *d)
{
	if (d->health != REPLICA_GOOD)
		return (struct kv_tip){ 0 };
	return log_tip(&d->log);
}

struct kv_tip
replica_disk_end(const struct replica_disk *d)
{
	struct kv_tip tip = replica_disk_tip(d), taken = d->after;
	bool is_taking = d->is_taking;

	if (d->taken.count > 0)
		taken = d->taken.record[d->taken.count - 1].tip;
	for (size_t i = 0; i < d->op_count; i++) {
		const struct op *op = &d->op[i];

		if (op->kind == REPLICA_OUT_BEGIN ||
		    (op->kind == REPLICA_OUT_APPEND && is_taking))
			taken = op->blob.tip;
		else if (op->kind == REPLICA_OUT_END)
			tip = taken;
		else if (op->kind == REPLICA_OUT_FOUND)
			tip = (struct kv_tip){ 0 };
		else if (op->kind == REPLICA_OUT_APPEND)
			tip = op->blob.tip;
		is_taking = op->kind == REPLICA_OUT_BEGIN ||
		    (is_taking && op->kind == REPLICA_OUT_APPEND);
	}
	return tip;
}

/* ---- reading ----------------------------------------------------------- */

static void
load_snapshot(const struct log *log, struct replica *r)
{
	size_t at = 0;
	uint32_t len;

	ENSURE(replica_load_snapshot(
		   r, &log->words.tip, log->words.bytes, log->words.len) == 0);
	while (at + 4 <= log->state.len) {
		memcpy(&len, log->state.bytes + at, 4);
		at += 4;
		if (len > 0)
			ENSURE(replica_load_state(
				   r, log->state.bytes + at, len) == 0);
		at += len;
	}
}

void
replica_disk_load(const struct replica_disk *d, struct replica *r)
{
	struct kv_tip tip = log_tip(&d->log);

	if (d->log.words.bytes != NULL)
		load_snapshot(&d->log, r);
	for (size_t i = 0; i < d->log.count; i++) {
		const struct blob *blob = &d->log.record[i];
		struct kv_log_frame frame = { .kind = KV_LOG_RECORD,
			.tip = blob->tip,
			.acked = blob->acked,
			.bytes = blob->bytes,
			.len = blob->len };

		ENSURE(replica_load_record(r, &frame) == 0);
	}
	replica_loaded(r, d->health, &tip, d->log.acked);
}
