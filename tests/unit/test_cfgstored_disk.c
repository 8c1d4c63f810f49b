/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The store's files on a real disk: restarts, takeovers, snapshots, damage.
 * What a crash leaves of them is test_cfgstored_crash.c's.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bin/cfgstored/cfgstored_disk_internal.h"
#include "tests/unit/check.h"
#include "tests/unit/diskgame.h"

static char dir[] = "/tmp/test_cfgstored_disk.XXXXXX";
static struct diskgame game;

static void
forget(void)
{
	char command[100];

	snprintf(command, sizeof command, "rm -rf '%s/cfg'", dir);
	CHECK_EQ(system(command), 0);
}

static void
begin(void)
{
	forget();
	diskgame_init(&game, dir, NULL, 1);
	CHECK(diskgame_open(&game));
}

static void
found(void)
{
	begin();
	CHECK_EQ(game.found.health, CFGSTORED_DISK_BLANK);
	CHECK_EQ(cfgstored_disk_found_empty(game.disk), 0);
	game.logs[game.count++].health = CFGSTORED_DISK_GOOD;
	CHECK(diskgame_sync(&game));
}

static void
reopen(enum cfgstored_disk_health health)
{
	diskgame_close(&game);
	CHECK(diskgame_open(&game) == (health == CFGSTORED_DISK_GOOD));
	CHECK_EQ(game.found.health, health);
}

/* How many files there are whose names begin so. */
static long
files_as(const char *prefix, const char *suffix)
{
	struct cfgstored_folder folder = { .fd = -1 };
	uint64_t numbers[64];
	char path[64];
	long count;

	snprintf(path, sizeof path, "%s/cfg", dir);
	folder.fd = open(path, O_RDONLY | O_DIRECTORY);
	count = cfgstored_folder_list(&folder, prefix, suffix, numbers, 64);
	close(folder.fd);
	return count;
}

static long
files(const char *prefix)
{
	return files_as(prefix, "");
}

static int
append(uint64_t view, uint64_t index, size_t len)
{
	static const uint8_t bytes[100000];
	const struct kv_tip tip = { { view, 1, 1, 1 }, index };

	return cfgstored_disk_append(game.disk, &tip, 0, bytes, len);
}

/* ---- what is there after a restart ------------------------------------- */

static void
test_disk_blank_stays_blank(void)
{
	begin();
	diskgame_close(&game);
	CHECK(diskgame_open(&game));
	CHECK_EQ(game.found.health, CFGSTORED_DISK_BLANK);
	diskgame_close(&game);
}

static void
test_disk_founded_is_good_and_empty(void)
{
	found();
	reopen(CFGSTORED_DISK_GOOD);
	CHECK_EQ(game.found.tip.index, 0);
	CHECK(!game.found.is_torn);
	CHECK_EQ(cfgstored_disk_found_empty(game.disk), -EINVAL);
	diskgame_close(&game);
}

static void
test_disk_keeps_what_was_synced(void)
{
	found();
	CHECK(diskgame_append(&game, 200));
	reopen(CFGSTORED_DISK_GOOD);
	CHECK_EQ(game.found.tip.index, 200);
	CHECK(diskgame_append(&game, 50));
	reopen(CFGSTORED_DISK_GOOD);
	CHECK_EQ(game.found.tip.index, 250);
	diskgame_close(&game);
}

static void
test_disk_close_writes_what_was_given(void)
{
	found();
	for (uint64_t i = 1; i <= 20; i++)
		CHECK_EQ(append(1, i, 100), 0);
	diskgame_close(&game);
	game.promised = 0;
	(void)diskgame_open(&game);
	CHECK_EQ(game.found.tip.index, 20);
	diskgame_close(&game);
}

static void
test_disk_takes_over(void)
{
	found();
	CHECK(diskgame_append(&game, 100));
	CHECK(diskgame_take_over(&game, 40, false, 10));
	reopen(CFGSTORED_DISK_GOOD);
	CHECK_EQ(game.found.tip.index, 50);
	CHECK(diskgame_append(&game, 10));
	CHECK(diskgame_take_over(&game, 300, true, 5));
	/* The snapshot has its name, what it replaced has gone. */
	CHECK_EQ(files("snap-"), 1);
	CHECK(files("log-") <= 3);
	reopen(CFGSTORED_DISK_GOOD);
	CHECK_EQ(game.found.tip.index, 305);
	CHECK_EQ(game.found.snapshot, 300);
	CHECK_EQ(game.found.acked, 300);
	diskgame_close(&game);
}

static void
test_disk_unfinished_takeover_is_not_there(void)
{
	const struct kv_tip base = { { 1, 1, 1, 1 }, 40 };

	found();
	CHECK(diskgame_append(&game, 100));
	CHECK_EQ(cfgstored_disk_begin(game.disk, &base, false), 0);
	for (uint64_t i = 41; i < 60; i++)
		CHECK_EQ(append(9, i, 10), 0);
	reopen(CFGSTORED_DISK_GOOD);
	CHECK_EQ(game.found.tip.index, 100);
	/* And the log goes on where it was. */
	CHECK(diskgame_append(&game, 10));
	reopen(CFGSTORED_DISK_GOOD);
	CHECK_EQ(game.found.tip.index, 110);
	diskgame_close(&game);
}

/* Snapshots for takeovers that came to nothing do not pile up. */
static void
test_disk_keeps_one_snapshot_to_take_over_on(void)
{
	struct kv_tip tip = { { 7, 1, 1, 1 }, 300 };
	struct cfgstored_disk_save save = { .purpose = CFGSTORED_DISK_TAKEN };

	found();
	CHECK(diskgame_append(&game, 10));
	for (; tip.index < 305; tip.index++) {
		save.kv = game.kv;
		save.tip = tip;
		save.words = &tip;
		save.len = sizeof tip;
		CHECK_EQ(cfgstored_disk_save(game.disk, &save), 0);
		while (diskgame_await(&game) != CFGSTORED_DISK_SAVED)
			CHECK_EQ(game.last.kind, CFGSTORED_DISK_WRITTEN);
		CHECK_EQ(files_as("snap-", ".in"), 1);
		CHECK_EQ(cfgstored_disk_begin(game.disk, &tip, true), 0);
	}
	CHECK(diskgame_take_over(&game, 310, true, 1));
	CHECK_EQ(files_as("snap-", ".in"), 0);
	reopen(CFGSTORED_DISK_GOOD);
	diskgame_close(&game);
}

static void
test_disk_snapshot_lets_old_log_go(void)
{
	found();
	CHECK(diskgame_append(&game, 400));
	CHECK(files("log-") > 5);
	CHECK(diskgame_save(&game));
	CHECK(diskgame_append(&game, 1));
	/* Two are kept; the active one, perhaps a new one, and the next. */
	CHECK(files("log-") <= 5);
	CHECK_EQ(files("snap-"), 1);
	reopen(CFGSTORED_DISK_GOOD);
	CHECK_EQ(game.found.tip.index, 401);
	CHECK_EQ(game.found.snapshot, 400);
	CHECK(diskgame_append(&game, 5));
	CHECK(diskgame_save(&game));
	CHECK(diskgame_append(&game, 1));
	CHECK_EQ(files("snap-"), 1);
	diskgame_close(&game);
}

/* ---- what is bad ------------------------------------------------------- */

static void
spoil(const char *name, off_t at)
{
	char path[100];
	uint8_t byte = 0;
	int fd;

	snprintf(path, sizeof path, "%s/cfg/%s", dir, name);
	fd = open(path, O_RDWR);
	CHECK_EQ(pread(fd, &byte, 1, at), 1);
	byte ^= 1;
	CHECK_EQ(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static void
cut(const char *name, off_t len)
{
	char path[100];

	snprintf(path, sizeof path, "%s/cfg/%s", dir, name);
	CHECK_EQ(truncate(path, len), 0);
}

/* A node whose files are bad takes the log over from the others. */
static void
refill(const char *why)
{
	CHECK_EQ(game.found.health, CFGSTORED_DISK_BAD);
	CHECK_STR(game.why, why);
	game.count = 1;
	game.promised = 0;
	game.acked = 0;
	CHECK_EQ(append(5, 1, 10), -EINVAL);
	CHECK(diskgame_take_over(&game, 0, false, 30));
	CHECK_EQ(files("snap-"), 0);
	reopen(CFGSTORED_DISK_GOOD);
	CHECK_EQ(game.found.tip.index, 30);
	CHECK(diskgame_append(&game, 10));
	reopen(CFGSTORED_DISK_GOOD);
	CHECK_EQ(game.found.tip.index, 40);
	diskgame_close(&game);
}

static void
fill(void)
{
	found();
	CHECK(diskgame_append(&game, 150));
	CHECK(diskgame_save(&game));
	CHECK(diskgame_append(&game, 50));
	diskgame_close(&game);
}

static void
test_disk_damaged_is_refilled(void)
{
	fill();
	spoil("log-00000000000000000003", 4096 + 40);
	(void)diskgame_open(&game);
	refill("log-00000000000000000003: it is damaged");
}

static void
test_disk_truncated_is_refilled(void)
{
	fill();
	cut("log-00000000000000000002", 16000);
	(void)diskgame_open(&game);
	refill("log-00000000000000000002: it has another length");
}

static void
test_disk_bad_snapshot_is_refilled(void)
{
	fill();
	spoil("snap-00000000000000000150", 30);
	(void)diskgame_open(&game);
	refill("snap-00000000000000000150: it is damaged");
}

static void
test_disk_missing_log_is_refilled(void)
{
	char command[100];

	fill();
	snprintf(command, sizeof command, "rm '%s'/cfg/log-*", dir);
	CHECK_EQ(system(command), 0);
	(void)diskgame_open(&game);
	refill("log: it is missing");
}

static void
test_disk_bad_is_founded_anew(void)
{
	fill();
	cut("log-00000000000000000002", 100);
	(void)diskgame_open(&game);
	CHECK_EQ(game.found.health, CFGSTORED_DISK_BAD);
	game.count = 1;
	game.promised = 0;
	CHECK_EQ(cfgstored_disk_found_empty(game.disk), 0);
	game.logs[game.count].tip = (struct kv_tip){ 0 };
	game.logs[game.count++].health = CFGSTORED_DISK_GOOD;
	CHECK(diskgame_sync(&game));
	reopen(CFGSTORED_DISK_GOOD);
	CHECK_EQ(game.found.tip.index, 0);
	diskgame_close(&game);
}

/* Until it is full a node that was refilled in vain is none. */
static void
test_disk_half_filled_is_bad(void)
{
	const struct kv_tip base = { { 0 }, 0 };

	begin();
	CHECK_EQ(cfgstored_disk_begin(game.disk, &base, false), 0);
	for (uint64_t i = 1; i < 10; i++)
		CHECK_EQ(append(3, i, 10), 0);
	diskgame_close(&game);
	CHECK(diskgame_open(&game));
	CHECK_EQ(game.found.health, CFGSTORED_DISK_BAD);
	CHECK_STR(game.why, "log: it was never filled");
	CHECK(diskgame_take_over(&game, 0, false, 5));
	reopen(CFGSTORED_DISK_GOOD);
	diskgame_close(&game);
}

/* ---- limits ------------------------------------------------------------ */

static void
test_disk_refuses_what_cannot_come(void)
{
	const struct kv_tip behind = { { 1, 1, 1, 1 }, 99 };
	const struct kv_tip snapshot = { { 7, 1, 1, 1 }, 50 };

	begin();
	CHECK_EQ(append(1, 1, 10), -EINVAL);
	CHECK_EQ(cfgstored_disk_end(game.disk, 0), -EINVAL);
	CHECK_EQ(cfgstored_disk_abort(game.disk), -EINVAL);
	diskgame_close(&game);

	found();
	CHECK_EQ(append(1, 2, 10), -EINVAL);
	CHECK_EQ(append(1, 1, 15000), -EINVAL);
	CHECK_EQ(cfgstored_disk_begin(game.disk, &behind, false), -EINVAL);
	CHECK_EQ(append(1, 1, 10), 0);
	CHECK_EQ(append(0, 2, 10), -EINVAL);
	/* Its snapshot was not saved. */
	CHECK_EQ(cfgstored_disk_begin(game.disk, &snapshot, true), 0);
	CHECK_EQ(append(8, 51, 10), 0);
	CHECK_EQ(cfgstored_disk_end(game.disk, 50), -EINVAL);
	diskgame_close(&game);
}

/* What comes back next, of records that the game knows nothing of. */
static enum cfgstored_disk_kind
hear(void)
{
	struct pollfd poll_fd = { .fd = cfgstored_disk_fd(game.disk),
		.events = POLLIN };

	cfgstored_disk_flush(game.disk);
	while (!cfgstored_disk_next(game.disk, &game.last))
		if (!CHECK_EQ(poll(&poll_fd, 1, 60000), 1))
			exit(1);
	return game.last.kind;
}

/* Appends until it is full; the index of the last that it took. */
static uint64_t
append_until_full(void)
{
	uint64_t i = game.found.tip.index;

	do {
		while (append(1, i + 1, 1000) == 0)
			i++;
		cfgstored_disk_flush(game.disk);
	} while (hear() != CFGSTORED_DISK_FULL);
	return i;
}

static void
save_at(const struct kv_tip *tip)
{
	const struct cfgstored_disk_save save = {
		.kv = game.kv, .tip = *tip, .words = tip, .len = sizeof *tip
	};

	CHECK_EQ(cfgstored_disk_save(game.disk, &save), 0);
	while (hear() != CFGSTORED_DISK_SAVED)
		CHECK(game.last.kind != CFGSTORED_DISK_UNSAVED);
}

/* A snapshot lets it go on, though what waits stands before that word. */
static void
test_disk_has_no_more_segments_than_may_be(void)
{
	struct kv_tip synced;
	uint64_t last;

	found();
	diskgame_close(&game);
	game.config.segments_max = 40;
	CHECK(diskgame_open(&game));
	last = append_until_full();
	CHECK(last > 400);
	CHECK_EQ(files("log-"), 41);
	synced = game.disk->synced;
	CHECK(synced.index > 400 && synced.index < last);
	save_at(&synced);
	while (game.last.tip.index < last)
		(void)hear();
	CHECK(files("log-") < 20);
	diskgame_close(&game);
	game.promised = 0;
	(void)diskgame_open(&game);
	CHECK_EQ(game.found.health, CFGSTORED_DISK_GOOD);
	CHECK_EQ(game.found.tip.index, last);
	diskgame_close(&game);
}

/* Who was full starts, and has some more; so a snapshot can be made. */
static void
test_disk_with_too_many_segments_starts(void)
{
	struct kv_tip synced;
	uint64_t last;

	found();
	diskgame_close(&game);
	game.config.segments_max = 40;
	CHECK(diskgame_open(&game));
	(void)append_until_full();
	diskgame_close(&game);
	game.promised = 0;
	game.config.segments_max = 20;
	(void)diskgame_open(&game);
	CHECK_EQ(game.found.health, CFGSTORED_DISK_GOOD);
	last = game.found.tip.index;
	for (int i = 0; i < 50; i++, last++)
		while (append(1, last + 1, 1000) == -EAGAIN)
			CHECK(hear() != CFGSTORED_DISK_FULL);
	cfgstored_disk_flush(game.disk);
	while (hear() != CFGSTORED_DISK_SYNCED || game.last.tip.index < last)
		CHECK(game.last.kind != CFGSTORED_DISK_FULL);
	synced = game.disk->synced;
	save_at(&synced);
	CHECK_EQ(append(1, last + 1, 1000), 0);
	cfgstored_disk_flush(game.disk);
	while (game.last.tip.index < last + 1)
		(void)hear();
	CHECK(files("log-") <= 5);
	diskgame_close(&game);
}

static void
test_disk_takes_no_more_than_there_is_room(void)
{
	uint64_t i = 1;
	size_t given = 0, room;

	found();
	kill(game.disk->writer, SIGSTOP);
	room = cfgstored_disk_room(game.disk);
	while (append(1, i, 1000) == 0) {
		i++;
		given += 1000;
	}
	CHECK_EQ(append(1, i, 1000), -EAGAIN);
	CHECK(given >= room);
	kill(game.disk->writer, SIGCONT);
	cfgstored_disk_flush(game.disk);
	diskgame_close(&game);
	game.promised = 0;
	(void)diskgame_open(&game);
	CHECK_EQ(game.found.tip.index, i - 1);
	diskgame_close(&game);
}

/* In MiB, what is shared included. */
static long
resident(pid_t pid)
{
	char path[64];
	long size, pages = -1;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
	file = fopen(path, "r");
	if (file == NULL)
		return -1;
	CHECK_EQ(fscanf(file, "%ld %ld", &size, &pages), 2);
	fclose(file);
	return pages * sysconf(_SC_PAGESIZE) >> 20;
}

static void
test_disk_writer_has_no_copy_of_the_state(void)
{
	const size_t len = 128 << 20;
	char *memory = malloc(len);

	memset(memory, 1, len);
	forget();
	diskgame_init(&game, dir, NULL, 1);
	game.config.memory = memory;
	game.config.memory_bytes = len;
	CHECK(diskgame_open(&game));
	CHECK(resident(getpid()) >= 128);
	CHECK(resident(game.disk->writer) < 64);
	CHECK(resident(game.disk->preparer) < 64);
	diskgame_close(&game);
	free(memory);
}

static void
test_disk_tells_of_its_writer(void)
{
	found();
	kill(game.disk->writer, SIGKILL);
	CHECK(!diskgame_append(&game, 1));
	CHECK_EQ(game.last.kind, CFGSTORED_DISK_FAILED);
	CHECK_EQ(game.last.error, -EPIPE);
	CHECK_STR(game.last.what, "the writer ended");
	CHECK_EQ(append(1, 2, 10), -EPIPE);
	CHECK_EQ(cfgstored_disk_room(game.disk), 0);
	diskgame_close(&game);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_disk_blank_stays_blank),
		CHECK_TEST(test_disk_founded_is_good_and_empty),
		CHECK_TEST(test_disk_keeps_what_was_synced),
		CHECK_TEST(test_disk_close_writes_what_was_given),
		CHECK_TEST(test_disk_takes_over),
		CHECK_TEST(test_disk_unfinished_takeover_is_not_there),
		CHECK_TEST(test_disk_keeps_one_snapshot_to_take_over_on),
		CHECK_TEST(test_disk_snapshot_lets_old_log_go),
		CHECK_TEST(test_disk_damaged_is_refilled),
		CHECK_TEST(test_disk_truncated_is_refilled),
		CHECK_TEST(test_disk_bad_snapshot_is_refilled),
		CHECK_TEST(test_disk_missing_log_is_refilled),
		CHECK_TEST(test_disk_bad_is_founded_anew),
		CHECK_TEST(test_disk_half_filled_is_bad),
		CHECK_TEST(test_disk_refuses_what_cannot_come),
		CHECK_TEST(test_disk_has_no_more_segments_than_may_be),
		CHECK_TEST(test_disk_with_too_many_segments_starts),
		CHECK_TEST(test_disk_takes_no_more_than_there_is_room),
		CHECK_TEST(test_disk_writer_has_no_copy_of_the_state),
		CHECK_TEST(test_disk_tells_of_its_writer),
	};
	int rc;

	if (mkdtemp(dir) == NULL)
		return 1;
	rc = CHECK_MAIN(argc, argv, tests);
	forget();
	rmdir(dir);
	return rc;
}
