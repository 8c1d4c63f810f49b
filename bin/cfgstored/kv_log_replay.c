/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segments are used one after the other, each only when all of the one before
 * it was fsynced.  So any but the last must be whole, and its LINK must find
 * the log as the frames before it left it.  The last may be torn.
 *
 * The log begins with the last LINK that is first, or with the oldest segment
 * of the unbroken row that is there: those before were removed.
 */
#include "bin/cfgstored/kv_log_replay.h"

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

static void
walk_to(struct kv_log_walk *walk, const struct kv_log_file *files, size_t file)
{
	*walk = (struct kv_log_walk){ .file = file };
	kv_log_cursor_init(
	    &walk->cursor, &files[file].found, files[file].bytes);
}

static bool
walk_next(const struct kv_log_replay *replay, struct kv_log_walk *walk,
    struct kv_log_frame *out)
{
	while (!kv_log_next(&walk->cursor, out)) {
		bool is_void = walk->is_void;

		if (walk->cursor.batch.is_short ||
		    walk->file + 1 >= replay->used)
			return false;
		walk_to(walk, replay->files, walk->file + 1);
		walk->is_void = is_void;
	}
	return true;
}

/* ---- which files ------------------------------------------------------- */

static bool
is_bad(struct kv_log_replay *replay, uint64_t serial, const char *why)
{
	replay->health = KV_LOG_BAD;
	replay->why = why;
	replay->why_serial = serial;
	return true;
}

/* By itself: not yet by what follows it. */
static bool
is_bad_file(struct kv_log_replay *replay, const struct kv_log_file *file)
{
	switch (file->found.finding) {
	case KV_LOG_WHOLE:
	case KV_LOG_TORN:
		break;
	case KV_LOG_HEADER:
		return is_bad(replay, file->serial, "its header is damaged");
	case KV_LOG_LENGTH:
		return is_bad(replay, file->serial, "it has another length");
	case KV_LOG_DAMAGED:
		return is_bad(replay, file->serial, "it is damaged");
	case KV_LOG_VERSION:
		replay->is_foreign = true;
		return is_bad(replay, file->serial, "another version wrote it");
	}
	if (file->found.segment.serial != file->serial)
		return is_bad(replay, file->serial, "it is another's");
	return false;
}

static bool
is_chain_start(const struct kv_log_file *file)
{
	struct kv_log_cursor cursor;
	struct kv_log_frame frame;

	kv_log_cursor_init(&cursor, &file->found, file->bytes);
	return kv_log_next(&cursor, &frame) && frame.kind == KV_LOG_LINK &&
	    frame.is_first;
}

/* One is made only when the one before it is about to be used. */
static bool
is_any_missing(struct kv_log_replay *replay)
{
	for (size_t i = replay->used; i < replay->count; i++)
		if (replay->files[i].serial != replay->files[i - 1].serial + 1)
			return is_bad(replay, replay->files[i].serial,
			    "the one before it is missing");
	return false;
}

/* Behind the last that was used there may be some that never were. */
static bool
find_used(struct kv_log_replay *replay)
{
	replay->used = replay->count;
	while (replay->used > 0) {
		const struct kv_log_file *file =
		    &replay->files[replay->used - 1];

		if (is_bad_file(replay, file))
			return false;
		if (file->found.batches > 0)
			return !is_any_missing(replay);
		replay->used--;
	}
	if (replay->count == 0 || replay->files[0].serial == 1)
		replay->health = KV_LOG_BLANK;
	else
		(void)is_bad(replay, 0, "its used segments are missing");
	return false;
}

static bool
find_first(struct kv_log_replay *replay)
{
	size_t i = replay->used - 1;

	while (!is_chain_start(&replay->files[i])) {
		const struct kv_log_file *file = &replay->files[i];

		if (i == 0 || file[-1].serial + 1 != file->serial)
			break;
		if (is_bad_file(replay, &file[-1]))
			return false;
		if (file[-1].found.finding != KV_LOG_WHOLE ||
		    file[-1].found.batches == 0)
			return !is_bad(
			    replay, file[-1].serial, "it is damaged");
		i--;
	}
	replay->first = i;
	return true;
}

/* ---- what they come to ------------------------------------------------- */

/* The check of all frames: where it is, and where a takeover began. */
struct check {
	struct kv_log_walk walk, before, begin;
	/* In a takeover that began in a segment that is gone: */
	bool is_headless;
	uint64_t missing; /* up to here its records are, too */
};

/*
 * A takeover that ends decides what is needed beside these segments, and
 * where telling begins: behind all that a snapshot took the place of.
 */
static void
note_mark(struct kv_log_replay *replay, struct check *check,
    const struct kv_log_frame *frame)
{
	uint64_t base = replay->state.base.index;

	if (frame->kind == KV_LOG_RECORD || frame->kind == KV_LOG_LINK)
		return;
	if (frame->kind == KV_LOG_BEGIN)
		check->begin = check->before;
	if (frame->kind != KV_LOG_END)
		replay->start.is_void |= check->is_headless;
	else if (check->is_headless)
		replay->floor = check->missing;
	else if (!replay->state.is_on_snapshot)
		replay->floor = num_min(replay->floor, base);
	else {
		replay->start = check->begin;
		replay->floor = base;
	}
	check->is_headless = false;
}

/* The oldest that is there may have followed others. */
static bool
begin_at_first(struct kv_log_replay *replay, struct check *check)
{
	struct kv_log_frame frame;

	walk_to(&check->walk, replay->files, replay->first);
	if (!kv_log_next(&check->walk.cursor, &frame) ||
	    frame.kind != KV_LOG_LINK)
		return false;
	replay->state = frame.state;
	replay->floor = frame.state.tip.index;
	replay->start = check->begin = check->before = check->walk;
	check->is_headless = frame.state.is_taking;
	check->missing = frame.state.next.index;
	return !frame.is_first || kv_log_follow(&replay->state, &frame);
}

static bool
check_frames(struct kv_log_replay *replay)
{
	struct check check;
	struct kv_log_frame frame;

	if (!begin_at_first(replay, &check))
		return false;
	while (walk_next(replay, &check.walk, &frame)) {
		if ((frame.kind == KV_LOG_LINK) !=
		    (check.before.file != check.walk.file))
			return false;
		note_mark(replay, &check, &frame);
		if (!kv_log_follow(&replay->state, &frame))
			return false;
		check.before = check.walk;
	}
	replay->start.is_void |= check.is_headless;
	return !check.walk.cursor.batch.is_short;
}

void
kv_log_replay_init(
    struct kv_log_replay *replay, const struct kv_log_file *files, size_t count)
{
	*replay = (struct kv_log_replay){ .files = files, .count = count };
	for (size_t i = 1; i < count; i++)
		ENSURE(files[i - 1].serial < files[i].serial);
	if (!find_used(replay) || !find_first(replay))
		return;
	if (!check_frames(replay))
		(void)is_bad(replay, 0, "its records are out of order");
	else if (!replay->state.is_verified)
		(void)is_bad(replay, 0, "it was never filled");
	else
		replay->health = KV_LOG_GOOD;
}

/* ---- telling ----------------------------------------------------------- */

bool
kv_log_replay_fits(const struct kv_log_replay *replay, uint64_t index)
{
	return index >= replay->floor && index <= replay->state.tip.index;
}

void
kv_log_replay_begin(struct kv_log_replay *replay, uint64_t snapshot)
{
	ENSURE(replay->health == KV_LOG_GOOD);
	ENSURE(kv_log_replay_fits(replay, snapshot));
	replay->walk = replay->start;
	replay->snapshot = replay->told = snapshot;
}

/* Looks ahead for the mark that decides. */
static bool
is_finished(const struct kv_log_replay *replay)
{
	struct kv_log_walk walk = replay->walk;
	struct kv_log_frame frame;

	while (walk_next(replay, &walk, &frame))
		if (frame.kind != KV_LOG_RECORD && frame.kind != KV_LOG_LINK)
			return frame.kind == KV_LOG_END;
	return false;
}

static bool
is_told(struct kv_log_replay *replay, struct kv_log_frame *frame)
{
	switch (frame->kind) {
	case KV_LOG_LINK:
	case KV_LOG_KINDS:
		break;
	case KV_LOG_RECORD:
		if (replay->walk.is_void ||
		    frame->tip.index != replay->told + 1)
			break;
		replay->told = frame->tip.index;
		return true;
	case KV_LOG_BEGIN:
		replay->walk.is_void = !is_finished(replay);
		frame->tip.index = num_max(frame->tip.index, replay->snapshot);
		if (replay->walk.is_void || frame->tip.index >= replay->told)
			break;
		replay->told = frame->tip.index;
		return true;
	case KV_LOG_END:
	case KV_LOG_ABORT:
		replay->walk.is_void = false;
		break;
	}
	return false;
}

bool
kv_log_replay_next(struct kv_log_replay *replay, struct kv_log_frame *out)
{
	while (walk_next(replay, &replay->walk, out))
		if (is_told(replay, out))
			return true;
	ENSURE(replay->told == replay->state.tip.index);
	return false;
}
