/* SPDX-License-Identifier: BSD-3-Clause */
/* Between the replica and its files: what is to be written, what was. */
#include <errno.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/exitcode.h"
#include "libcommon/os/log.h"
#include "libcommon/os/loop.h"

#include "bin/cfgstored/cfgstored.h"

#define AGAIN_NS CLOCK_S_NS

/* ---- to the disk ------------------------------------------------------- */

static void
fail(const char *what, int rc)
{
	log_line(LOG_LEVEL_ERROR, "disk-failed", "what=%s errno=%d", what, -rc);
}

/*
 * The disk and the replica are not of one mind of what comes next: with this
 * missing, nothing that follows may be written.  Told behind this step.
 */
static void
note_refusal(struct cfgstored *d, int rc)
{
	if (rc != -EINVAL || d->refusal != CFGSTORED_REFUSAL_NONE)
		return;
	fail("refused", rc);
	d->refusal = CFGSTORED_REFUSAL_DUE;
}

static void
give(struct cfgstored *d, const struct cfgstored_backlog_item *item)
{
	int rc;

	if (d->refusal != CFGSTORED_REFUSAL_NONE)
		return;
	rc = cfgstored_backlog_give(&d->backlog, d->disk, item);
	note_refusal(d, rc);
	/* Of a failed disk the replica hears by its event. */
	if (rc == -ENOSPC) {
		fail("backlog", rc);
		d->exit_code = EXITCODE_OS;
		loop_stop(d->loop, EXITCODE_OS);
	}
}

static void
append(struct cfgstored *d, const struct replica_effect *effect)
{
	const struct cfgstored_backlog_item item = {
		.kind = CFGSTORED_BACKLOG_APPEND,
		.tip = effect->append.tip,
		.acked = effect->append.acked,
		.bytes = effect->append.bytes,
		.len = effect->append.len,
	};

	d->stats.appended++;
	d->stats.appended_bytes += effect->append.len;
	cfgstored_lazy_add(
	    &d->lazy, effect->append.len, effect->append.is_awaited, d->now_ns);
	give(d, &item);
}

/* Told behind this step. */
static void
tell_unsaved(struct cfgstored *d, const struct kv_tip *tip)
{
	d->is_unsaved = true;
	d->unsaved = *tip;
}

/*
 * A takeover cannot go on without its snapshot, and a disk that was full may
 * have room soon.  The replica need not know that it is tried again.
 */
static void
note_save(struct cfgstored *d, const struct replica_effect *effect)
{
	struct cfgstored_again *again = &d->again;

	again->is_due = false;
	again->is_known =
	    effect->save.is_taken && effect->save.len <= sizeof again->words;
	if (!again->is_known)
		return;
	again->tip = effect->save.tip;
	again->len = effect->save.len;
	memcpy(again->words, effect->save.words, effect->save.len);
}

/* false: not this one. */
static bool
try_later(struct cfgstored *d, const struct kv_tip *tip)
{
	struct cfgstored_again *again = &d->again;

	if (!again->is_known || kv_tip_compare(&again->tip, tip) != 0)
		return false;
	again->is_due = true;
	again->at_ns = d->now_ns + AGAIN_NS;
	return true;
}

/* Something else is under way: now it has failed. */
static void
give_up(struct cfgstored *d)
{
	if (d->again.is_due)
		tell_unsaved(d, &d->again.tip);
	d->again.is_due = d->again.is_known = false;
}

uint64_t
cfgstored_files_deadline_ns(const struct cfgstored *d)
{
	return num_min(cfgstored_lazy_deadline_ns(&d->lazy),
	    d->again.is_due ? d->again.at_ns : UINT64_MAX);
}

void
cfgstored_files_on_time(struct cfgstored *d)
{
	struct cfgstored_again *again = &d->again;
	const struct cfgstored_disk_save order = {
		.purpose = CFGSTORED_DISK_TAKEN,
		.kv = replica_kv(d->replica),
		.tip = again->tip,
		.words = again->words,
		.len = again->len,
	};
	struct replica_status now;

	if (!again->is_due || d->now_ns < again->at_ns)
		return;
	replica_status(d->replica, &now);
	/* The state must still be the one that it says. */
	if (order.kv == NULL || now.applied != again->tip.index)
		give_up(d);
	else if (cfgstored_disk_save(d->disk, &order) < 0)
		again->at_ns = d->now_ns + AGAIN_NS;
	else
		again->is_due = false;
}

/* What cannot be begun now has failed, or is begun later. */
static void
save(struct cfgstored *d, const struct replica_effect *effect)
{
	const struct cfgstored_disk_save order = {
		.purpose = effect->save.is_taken ? CFGSTORED_DISK_TAKEN
						 : CFGSTORED_DISK_OWN,
		.kv = replica_kv(d->replica),
		.tip = effect->save.tip,
		.words = effect->save.words,
		.len = effect->save.len,
	};
	int rc =
	    order.kv != NULL ? cfgstored_disk_save(d->disk, &order) : -EINVAL;

	give_up(d);
	note_save(d, effect);
	if (rc == 0) {
		d->stats.snapshots++;
		return;
	}
	if (rc != -EBUSY)
		fail("snapshot", rc);
	if (!try_later(d, &effect->save.tip))
		tell_unsaved(d, &effect->save.tip);
}

/* ---- for another node -------------------------------------------------- */

/*
 * One is read for each that is asked for.  No less will do than not to watch
 * at all: that its child has ended would be told whatever is wanted.
 */
static void
unwatch_lend(struct cfgstored *d)
{
	if (d->lend_slot >= 0)
		loop_remove_fd(d->loop, d->lend_slot);
	d->lend_slot = -1;
}

static void
on_chunk(struct loop *loop, void *arg, uint32_t ready, uint64_t now_ns)
{
	static uint8_t bytes[REPLICA_CHUNK_BYTES_MAX];
	struct replica_input in = { .kind = REPLICA_IN_LENT,
		.lent = { .bytes = bytes } };
	struct cfgstored *d = arg;
	ssize_t n;

	(void)loop;
	(void)ready;
	cfgstored_tick(d, now_ns);
	n = cfgstored_lend_read(&d->lend, bytes, sizeof bytes);
	if (n == -EAGAIN)
		return;
	unwatch_lend(d);
	d->is_lend_asked = false;
	if (n < 0)
		fail("lend", (int)n);
	in.lent.len = n < 0 ? 0 : (size_t)n;
	cfgstored_step(d, &in);
}

static void
lend_end(struct cfgstored *d)
{
	unwatch_lend(d);
	cfgstored_lend_end(&d->lend);
	d->is_lend_asked = false;
}

static void
lend(struct cfgstored *d)
{
	const struct kv *kv = replica_kv(d->replica);
	int rc;

	lend_end(d);
	rc = kv != NULL ? cfgstored_lend_begin(&d->lend, kv) : -EINVAL;
	if (rc < 0)
		fail("lend", rc);
}

/* Where there is none it is answered at the end of the turn. */
static void
lend_next(struct cfgstored *d)
{
	d->is_lend_asked = true;
	if (d->lend.fd < 0 || d->lend_slot >= 0)
		return;
	d->lend_slot = loop_add_fd(d->loop, d->lend.fd, on_chunk, d);
	if (d->lend_slot >= 0)
		return;
	fail("lend", d->lend_slot);
	cfgstored_lend_end(&d->lend);
}

/* ---- all of it --------------------------------------------------------- */

void
cfgstored_files_do(struct cfgstored *d, const struct replica_effect *effect)
{
	struct cfgstored_backlog_item item = { 0 };

	d->is_room_due = true;
	if (effect->kind != REPLICA_OUT_APPEND)
		d->lazy.is_awaited = true;
	switch (effect->kind) {
	case REPLICA_OUT_FOUND:
		item.kind = CFGSTORED_BACKLOG_FOUND;
		give(d, &item);
		return;
	case REPLICA_OUT_APPEND:
		append(d, effect);
		return;
	case REPLICA_OUT_BEGIN:
		give_up(d);
		item.kind = CFGSTORED_BACKLOG_BEGIN;
		item.tip = effect->begin.after;
		item.is_on_snapshot = effect->begin.is_on_snapshot;
		give(d, &item);
		return;
	case REPLICA_OUT_END:
		item.kind = CFGSTORED_BACKLOG_END;
		item.acked = effect->end_acked;
		give(d, &item);
		return;
	case REPLICA_OUT_ABORT:
		give_up(d);
		item.kind = CFGSTORED_BACKLOG_ABORT;
		give(d, &item);
		return;
	case REPLICA_OUT_SAVE:
		save(d, effect);
		return;
	case REPLICA_OUT_LEND:
		lend(d);
		return;
	case REPLICA_OUT_LEND_NEXT:
		lend_next(d);
		return;
	case REPLICA_OUT_LEND_END:
		lend_end(d);
		return;
	case REPLICA_OUT_PUBLISH:
	case REPLICA_OUT_ANSWER:
	case REPLICA_OUT_REV:
	case REPLICA_OUT_STATE:
	case REPLICA_OUT_LOG:
	case REPLICA_OUT_RELOAD:
	case REPLICA_EFFECTS:
		return;
	}
}

/* ---- from the disk ----------------------------------------------------- */

static void
on_event(struct cfgstored *d, const struct cfgstored_disk_event *event)
{
	static const enum replica_input_kind kinds[] = {
		[CFGSTORED_DISK_SYNCED] = REPLICA_IN_SYNCED,
		[CFGSTORED_DISK_SAVED] = REPLICA_IN_SAVED,
		[CFGSTORED_DISK_UNSAVED] = REPLICA_IN_UNSAVED,
		[CFGSTORED_DISK_FULL] = REPLICA_IN_FULL,
		[CFGSTORED_DISK_SPACE] = REPLICA_IN_SPACE,
		[CFGSTORED_DISK_FAILED] = REPLICA_IN_FAILED,
	};
	struct replica_input in = { .kind = kinds[event->kind],
		.tip = event->tip };

	d->is_room_due = true;
	if (event->kind == CFGSTORED_DISK_WRITTEN)
		return;
	if (event->kind == CFGSTORED_DISK_FULL)
		log_line(LOG_LEVEL_ERROR, "disk-full", "%s", "");
	else if (event->kind == CFGSTORED_DISK_SPACE)
		log_line(LOG_LEVEL_NOTICE, "disk-room", "%s", "");
	else if (event->kind == CFGSTORED_DISK_FAILED ||
	    event->kind == CFGSTORED_DISK_UNSAVED)
		fail(event->what != NULL ? event->what : "snapshot",
		    event->error);
	if (event->kind == CFGSTORED_DISK_UNSAVED && try_later(d, &event->tip))
		return;
	cfgstored_step(d, &in);
}

static void
run_backlog(struct cfgstored *d)
{
	int rc = cfgstored_backlog_run(&d->backlog, d->disk);

	if (rc < 0 && !d->is_backlog_lost)
		fail("log", rc);
	d->is_backlog_lost = rc < 0;
	note_refusal(d, rc);
}

static void
on_disk(struct loop *loop, void *arg, uint32_t ready, uint64_t now_ns)
{
	struct cfgstored *d = arg;
	struct cfgstored_disk_event event;

	(void)loop;
	(void)ready;
	cfgstored_tick(d, now_ns);
	while (!d->is_reload_due && cfgstored_disk_next(d->disk, &event) == 1)
		on_event(d, &event);
	run_backlog(d);
	cfgstored_tell_room(d);
}

uint64_t
cfgstored_files_room(const struct cfgstored *d)
{
	return d->backlog.ring.len > 0 ? 0 : cfgstored_disk_room(d->disk);
}

void
cfgstored_files_turn(struct cfgstored *d)
{
	run_backlog(d);
	if (d->refusal == CFGSTORED_REFUSAL_DUE) {
		struct replica_input in = { .kind = REPLICA_IN_FAILED };

		d->refusal = CFGSTORED_REFUSAL_TOLD;
		cfgstored_step(d, &in);
	}
	if (d->is_unsaved) {
		struct replica_input in = { .kind = REPLICA_IN_UNSAVED,
			.tip = d->unsaved };

		d->is_unsaved = false;
		cfgstored_step(d, &in);
	}
	/* It was asked for, and there is no child to give it. */
	if (d->is_lend_asked && d->lend.fd < 0) {
		struct replica_input in = { .kind = REPLICA_IN_LENT };

		d->is_lend_asked = false;
		cfgstored_step(d, &in);
	}
	cfgstored_tell_room(d);
}

void
cfgstored_files_flush(struct cfgstored *d)
{
	/* A turn without records may have another word for the disk. */
	if (d->lazy.at_ns != 0 && !cfgstored_lazy_is_due(&d->lazy, d->now_ns))
		return;
	d->stats.flushes += d->lazy.at_ns != 0;
	d->lazy = (struct cfgstored_lazy){ 0 };
	cfgstored_disk_flush(d->disk);
}

void
cfgstored_files_watch(struct cfgstored *d)
{
	int slot = loop_add_fd(d->loop, cfgstored_disk_fd(d->disk), on_disk, d);

	if (slot < 0)
		loop_stop(d->loop, EXITCODE_OS);
	d->disk_slot = slot;
}

void
cfgstored_files_leave(struct cfgstored *d)
{
	lend_end(d);
	if (d->disk != NULL && d->disk_slot >= 0)
		loop_remove_fd(d->loop, d->disk_slot);
	d->disk_slot = -1;
}
