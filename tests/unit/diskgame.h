/* SPDX-License-Identifier: BSD-3-Clause */
/* A replica's part against the store's files: gives, waits, restarts.
 *
 * Remembers what the log was after each thing it gave, and which of these logs
 * the disk has promised; so what is read later can be judged.
 */
#ifndef RK_DISKGAME_H
#define RK_DISKGAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/rng.h"

#include "bin/cfgstored/cfgstored_disk.h"
#include "tests/unit/diskworld.h"

enum {
	DISKGAME_RECORDS = 1024,
	DISKGAME_LOGS = 2048,
	DISKGAME_WHY_BYTES = 256,
};

/* A log: the value of each index; of what was read, from floor + 1 on. */
struct diskgame_log {
	enum cfgstored_disk_health health;
	struct kv_tip tip;
	uint64_t floor;
	uint32_t value[DISKGAME_RECORDS];
};

struct diskgame {
	struct cfgstored_disk_config config;
	struct diskworld *world; /* NULL: the hook is not used */
	struct cfgstored_disk *disk;
	struct rng rng;
	struct kv *kv;
	uint64_t view;
	uint64_t acked;
	struct diskgame_log logs[DISKGAME_LOGS];
	size_t count;
	size_t promised; /* index in logs */
	/* When logs were promised: how many calls there had been. */
	size_t promise_count;
	struct diskgame_promise {
		size_t calls;
		size_t log;
	} promises[DISKGAME_LOGS];
	bool is_taking;
	struct diskgame_log staged;
	struct cfgstored_disk_event last; /* what came back last */
	bool has_failed;
	size_t full_count, space_count, unsaved_count;
	/* What was read last. */
	struct cfgstored_disk_found found;
	struct diskgame_log read;
	char why[DISKGAME_WHY_BYTES];
};

/* folder is borrowed; a log is founded, or begun by taking one over. */
void diskgame_init(struct diskgame *game, const char *folder,
    struct diskworld *world, uint64_t seed);

/* Opens: whether it could, and what was read is a log that it may be. */
bool diskgame_open(struct diskgame *game);
void diskgame_close(struct diskgame *game);

/* What was read is the log now, and has been promised. */
void diskgame_settle(struct diskgame *game);

/* The reader that fills game->read, for those who recover by themselves. */
struct cfgstored_disk_reader diskgame_reader(struct diskgame *game);

/* What was read is one of the logs from this one on. */
bool diskgame_is_one_of(const struct diskgame *game, size_t first);

/* A random move, and all that comes back of it.  false: the disk failed. */
bool diskgame_play(struct diskgame *game);

/* Appends count records and waits.  false: the disk failed. */
bool diskgame_append(struct diskgame *game, size_t count);

/* Waits until all that was given is durable.  false: the disk failed. */
bool diskgame_sync(struct diskgame *game);

/* Waits for what comes back next. */
enum cfgstored_disk_kind diskgame_await(struct diskgame *game);

/* A takeover of length records behind base, and its end. */
bool diskgame_take_over(
    struct diskgame *game, uint64_t base, bool is_on_snapshot, size_t length);

/* A snapshot of the end of the log. */
bool diskgame_save(struct diskgame *game);

#endif
