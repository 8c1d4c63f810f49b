/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/diskgame.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/clock.h"

#include "bin/cfgstored/cfgstored_disk_internal.h"
#include "bin/cfgstored/kv.h"

enum { WAIT_MS = 60000, KV_BYTES = 8 << 20 };

static _Alignas(64) uint8_t kv_memory[KV_BYTES];

static struct kv_tip read_tips[DISKGAME_RECORDS];

/* ---- what is read ------------------------------------------------------ */

static int
see_snapshot(void *arg, const struct kv_tip *tip, const void *words, size_t len)
{
	struct diskgame *game = arg;
	struct kv_tip said;

	ENSURE(len == sizeof said);
	memcpy(&said, words, len);
	ENSURE(kv_tip_compare(&said, tip) == 0);
	game->read.floor = tip->index;
	read_tips[tip->index] = game->read.tip = *tip;
	return 0;
}

static int
see_state(void *arg, const void *bytes, size_t len)
{
	(void)arg;
	(void)bytes;
	ENSURE(len > 0);
	return 0;
}

static int
see_record(void *arg, const struct kv_log_frame *record)
{
	struct diskgame *game = arg;
	uint64_t index = record->tip.index;

	ENSURE(index == game->read.tip.index + 1 && index < DISKGAME_RECORDS);
	read_tips[index] = game->read.tip = record->tip;
	memcpy(&game->read.value[index], record->bytes, 4);
	return 0;
}

static void
see_cut(void *arg, uint64_t index)
{
	struct diskgame *game = arg;

	ENSURE(index > game->read.floor && index <= game->read.tip.index);
	game->read.tip = read_tips[index - 1];
}

struct cfgstored_disk_reader
diskgame_reader(struct diskgame *game)
{
	memset(&game->read, 0, sizeof game->read);
	read_tips[0] = game->read.tip;
	return (struct cfgstored_disk_reader){ game, see_snapshot, see_state,
		see_record, see_cut };
}

static bool
is_same(const struct diskgame_log *read, const struct diskgame_log *log)
{
	/* A log that is being filled is none yet. */
	if (log->health != CFGSTORED_DISK_GOOD)
		return read->health != CFGSTORED_DISK_GOOD;
	if (read->health != CFGSTORED_DISK_GOOD)
		return false;
	if (kv_tip_compare(&read->tip, &log->tip) != 0)
		return false;
	for (uint64_t i = read->floor + 1; i <= read->tip.index; i++)
		if (read->value[i] != log->value[i])
			return false;
	return true;
}

bool
diskgame_is_one_of(const struct diskgame *game, size_t first)
{
	for (size_t i = first; i < game->count; i++)
		if (is_same(&game->read, &game->logs[i]))
			return true;
	return false;
}

/* ---- open and close ---------------------------------------------------- */

static struct kv *
make_kv(void)
{
	static const struct kv_config cfg = { { 16, 65536, 4096, 4 }, 8, 8192 };
	struct arena arena;

	arena_init(&arena, kv_memory, sizeof kv_memory);
	return kv_create(&arena, &cfg);
}

void
diskgame_init(struct diskgame *game, const char *folder,
    struct diskworld *world, uint64_t seed)
{
	memset(game, 0, sizeof *game);
	game->config = (struct cfgstored_disk_config){ .folder = folder,
		.segment_bytes = 16 << 10,
		.keep_bytes = 32 << 10,
		.ring_bytes = 32 << 10,
		.retry_ns = 10 * CLOCK_MS_NS };
	if (world != NULL) {
		game->config.hook = diskworld_hook;
		game->config.hook_arg = world;
	}
	game->world = world;
	rng_init(&game->rng, seed);
	game->kv = make_kv();
	game->view = 1;
	game->count = 1;
	game->logs[0].health = CFGSTORED_DISK_BLANK;
}

bool
diskgame_open(struct diskgame *game)
{
	const struct cfgstored_disk_reader reader = diskgame_reader(game);
	struct text why;

	text_init(&why, game->why, sizeof game->why);
	game->disk = NULL;
	game->why[0] = '\0';
	if (cfgstored_disk_open(
		&game->disk, &game->config, &reader, &game->found, &why) != 0)
		return false;
	game->read.health = game->found.health;
	game->has_failed = false;
	game->is_taking = false;
	if (game->found.health == CFGSTORED_DISK_GOOD &&
	    (kv_tip_compare(&game->found.tip, &game->read.tip) != 0 ||
		game->found.acked < game->read.floor))
		return false;
	return diskgame_is_one_of(game, game->promised);
}

void
diskgame_close(struct diskgame *game)
{
	cfgstored_disk_close(game->disk);
	game->disk = NULL;
}

void
diskgame_settle(struct diskgame *game)
{
	struct diskgame_log *log;
	size_t i = game->promised;

	while (!is_same(&game->read, &game->logs[i]))
		i++;
	ENSURE(i < game->count);
	log = &game->logs[i];
	memmove(&game->logs[0], log, sizeof *log);
	game->count = 1;
	game->promised = game->promise_count = 0;
	game->acked = game->found.acked;
	game->view += 2;
	game->is_taking = false;
}

/* ---- what comes back --------------------------------------------------- */

static struct diskgame_log *
newest(struct diskgame *game)
{
	return &game->logs[game->count - 1];
}

/* The log has changed, as far as it was given. */
static void
remember(struct diskgame *game, const struct diskgame_log *log)
{
	ENSURE(game->count < DISKGAME_LOGS);
	game->logs[game->count++] = *log;
}

static void
note(struct diskgame *game)
{
	const struct cfgstored_disk_event *event = &game->last;

	if (event->kind == CFGSTORED_DISK_FAILED)
		game->has_failed = true;
	if (event->kind == CFGSTORED_DISK_FULL) {
		game->full_count++;
		/* Somebody makes room. */
		if (game->world != NULL)
			diskworld_fail(game->world, 0, 0, 0, false);
	}
	if (event->kind == CFGSTORED_DISK_SPACE)
		game->space_count++;
	if (event->kind == CFGSTORED_DISK_UNSAVED)
		game->unsaved_count++;
	if (event->kind != CFGSTORED_DISK_SYNCED)
		return;
	while (game->promised + 1 < game->count &&
	    (game->logs[game->promised].health != CFGSTORED_DISK_GOOD ||
		kv_tip_compare(&game->logs[game->promised].tip, &event->tip) !=
		    0))
		game->promised++;
	ENSURE(
	    kv_tip_compare(&game->logs[game->promised].tip, &event->tip) == 0);
}

enum cfgstored_disk_kind
diskgame_await(struct diskgame *game)
{
	struct pollfd poll_fd = { .fd = cfgstored_disk_fd(game->disk),
		.events = POLLIN };

	cfgstored_disk_flush(game->disk);
	while (!cfgstored_disk_next(game->disk, &game->last))
		if (poll(&poll_fd, 1, WAIT_MS) == 0) {
			fprintf(stderr, "the disk says nothing\n");
			abort();
		}
	note(game);
	return game->last.kind;
}

static void
promise(struct diskgame *game, pid_t pid)
{
	if (game->world == NULL)
		return;
	diskworld_returned(game->world, pid);
	game->promises[game->promise_count++] =
	    (struct diskgame_promise){ diskworld_count(game->world),
		    game->promised };
}

bool
diskgame_sync(struct diskgame *game)
{
	while (!game->has_failed && game->promised + 1 < game->count)
		(void)diskgame_await(game);
	if (!game->has_failed)
		promise(game, game->disk->writer);
	return !game->has_failed;
}

/* ---- moves ------------------------------------------------------------- */

/* When there is no room something has to come back first. */
static bool
is_given(struct diskgame *game, int rc)
{
	if (rc == -EAGAIN)
		(void)diskgame_await(game);
	if (rc < 0 && rc != -EAGAIN)
		ENSURE(game->has_failed || rc == game->disk->error);
	return rc == 0;
}

static bool
give_record(struct diskgame *game)
{
	static uint8_t bytes[1000];
	struct diskgame_log *log =
	    game->is_taking ? &game->staged : newest(game);
	const struct kv_tip tip = { { game->view, 1, 1, 1 },
		log->tip.index + 1 };
	uint32_t value = (uint32_t)rng_next(&game->rng);
	size_t len = 4 + rng_below(&game->rng, 300);
	struct diskgame_log next = *log;

	memcpy(bytes, &value, sizeof value);
	while (!game->has_failed &&
	    !is_given(game,
		cfgstored_disk_append(game->disk, &tip,
		    num_min(game->acked, tip.index), bytes, len)))
		continue;
	next.tip = tip;
	next.value[tip.index] = value;
	if (game->is_taking)
		game->staged = next;
	else if (!game->has_failed)
		remember(game, &next);
	return !game->has_failed;
}

bool
diskgame_append(struct diskgame *game, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!give_record(game))
			return false;
	return diskgame_sync(game);
}

static bool
save(struct diskgame *game, enum cfgstored_disk_purpose purpose,
    const struct kv_tip *tip)
{
	const struct cfgstored_disk_save request = { .purpose = purpose,
		.kv = game->kv,
		.tip = *tip,
		.words = tip,
		.len = sizeof *tip };

	if (cfgstored_disk_save(game->disk, &request) < 0)
		return false;
	do
		(void)diskgame_await(game);
	while (!game->has_failed && game->last.kind != CFGSTORED_DISK_SAVED &&
	    game->last.kind != CFGSTORED_DISK_UNSAVED);
	if (game->last.kind == CFGSTORED_DISK_SAVED)
		promise(game, game->disk->child);
	return game->last.kind == CFGSTORED_DISK_SAVED;
}

bool
diskgame_save(struct diskgame *game)
{
	const struct diskgame_log *log = newest(game);

	if (game->is_taking || log->tip.index == 0)
		return true;
	if (!diskgame_sync(game))
		return false;
	/* A snapshot is of what is acknowledged. */
	game->acked = log->tip.index;
	(void)save(game, CFGSTORED_DISK_OWN, &log->tip);
	return !game->has_failed;
}

static bool
begin(struct diskgame *game, uint64_t base, bool is_on_snapshot)
{
	struct kv_tip after = { { game->view, 0, 0, 0 }, base };

	game->staged = *newest(game);
	game->staged.tip = after;
	game->staged.health = CFGSTORED_DISK_GOOD;
	game->is_taking = true;
	game->view++;
	while (!game->has_failed &&
	    !is_given(
		game, cfgstored_disk_begin(game->disk, &after, is_on_snapshot)))
		continue;
	return !game->has_failed;
}

static bool
end(struct diskgame *game)
{
	while (!game->has_failed &&
	    !is_given(game, cfgstored_disk_end(game->disk, game->acked)))
		continue;
	game->is_taking = false;
	if (!game->has_failed)
		remember(game, &game->staged);
	return diskgame_sync(game);
}

bool
diskgame_take_over(
    struct diskgame *game, uint64_t base, bool is_on_snapshot, size_t length)
{
	struct kv_tip tip = { { game->view, 0, 0, 0 }, base };

	if (is_on_snapshot) {
		if (!save(game, CFGSTORED_DISK_TAKEN, &tip))
			return !game->has_failed;
		game->acked = base;
	}
	if (!begin(game, base, is_on_snapshot))
		return false;
	for (size_t i = 0; i < length; i++)
		if (!give_record(game))
			return false;
	return end(game);
}

/* A takeover that comes to nothing, or is left to be begun anew. */
static bool
play_abort(struct diskgame *game)
{
	uint64_t last = newest(game)->tip.index;

	if (!begin(game,
		game->acked + rng_below(&game->rng, last - game->acked + 1),
		false))
		return false;
	for (size_t i = rng_below(&game->rng, 30); i > 0; i--)
		if (!give_record(game))
			return false;
	if (rng_below(&game->rng, 2) == 0)
		return true;
	while (!game->has_failed &&
	    !is_given(game, cfgstored_disk_abort(game->disk)))
		continue;
	game->is_taking = false;
	return !game->has_failed;
}

static bool
play_take_over(struct diskgame *game)
{
	uint64_t last = newest(game)->tip.index;
	bool is_on_snapshot = rng_below(&game->rng, 3) == 0;
	uint64_t base = game->acked +
	    rng_below(&game->rng, is_on_snapshot ? 30 : last - game->acked + 1);

	if (is_on_snapshot && base == 0)
		base = 1;
	return diskgame_take_over(
	    game, base, is_on_snapshot, 1 + rng_below(&game->rng, 30));
}

static bool
play_first(struct diskgame *game)
{
	struct diskgame_log empty = { .health = CFGSTORED_DISK_GOOD };

	if (rng_below(&game->rng, 2) == 0)
		return play_take_over(game);
	if (cfgstored_disk_found_empty(game->disk) < 0)
		return false;
	remember(game, &empty);
	return diskgame_sync(game);
}

static bool
play_restart(struct diskgame *game)
{
	const struct kv_tip *read = &game->read.tip;
	const struct kv_tip *want = &game->logs[game->promised].tip;
	size_t failed = game->world == NULL ? 0 : diskworld_failed(game->world);

	diskgame_close(game);
	if (diskgame_open(game))
		return true;
	if (game->world != NULL && diskworld_failed(game->world) > failed)
		return false;
	fprintf(stderr, "read %d %llu.%llu, not %llu.%llu or later: %s\n",
	    (int)game->found.health, (unsigned long long)read->epoch.view_seq,
	    (unsigned long long)read->index,
	    (unsigned long long)want->epoch.view_seq,
	    (unsigned long long)want->index, game->why);
	abort();
}

bool
diskgame_play(struct diskgame *game)
{
	if (newest(game)->health != CFGSTORED_DISK_GOOD)
		return play_first(game);
	/* No move gives more than 100. */
	if (newest(game)->tip.index > DISKGAME_RECORDS - 100 ||
	    game->count > DISKGAME_LOGS - 100)
		return play_restart(game);
	switch (rng_below(&game->rng, 12)) {
	case 0:
		return play_abort(game);
	case 1:
		return play_take_over(game);
	case 2:
		return diskgame_save(game);
	case 3:
		return play_restart(game);
	default:
		break;
	}
	if (game->is_taking)
		return play_take_over(game);
	game->acked +=
	    rng_below(&game->rng, newest(game)->tip.index - game->acked + 1);
	return diskgame_append(game, 1 + rng_below(&game->rng, 12));
}
