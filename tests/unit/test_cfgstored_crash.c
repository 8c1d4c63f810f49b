/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What was said to be durable is read back: after a power loss at any call,
 * with any part of what was not fsynced; after a kill at any call; and after
 * any call that failed.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/text.h"

#include "bin/cfgstored/cfgstored_disk_internal.h"
#include "tests/unit/check.h"
#include "tests/unit/diskgame.h"

enum {
	MOVES = 40,
	POWER_SEEDS = 6,
	POWER_CUTS = 400,
	KILL_RUNS = 75,
	FAULT_RUNS = 120,
};

#define ALL_CALLS (~0U)

static char dir[64];
static struct diskworld *world;
static struct diskgame *game; /* shared with those who are killed */

static void
about(const char *what, uint64_t seed, size_t at)
{
	static char text[80];

	snprintf(text, sizeof text, "%s, seed %llu, at %zu", what,
	    (unsigned long long)seed, at);
	check_case(text);
}

static void
forget(void)
{
	char command[100];

	snprintf(command, sizeof command, "rm -rf '%s/cfg'", dir);
	CHECK_EQ(system(command), 0);
}

static void
begin(uint64_t seed)
{
	forget();
	diskworld_clear(world);
	diskworld_fail(world, 0, 0, 0, false);
	diskgame_init(game, dir, world, seed);
}

/* CRASH_FACTOR=10: ten times as long. */
static size_t
times(size_t runs)
{
	const char *factor = getenv("CRASH_FACTOR");

	return factor == NULL ? runs : runs * (size_t)atoi(factor);
}

/* ---- power loss -------------------------------------------------------- */

/* Of the laid out folder; without the processes. */
static void
recover(int fd)
{
	static struct cfgstored_writer writer;
	const struct cfgstored_disk_reader reader = diskgame_reader(game);
	struct text why;

	memset(&writer, 0, sizeof writer);
	writer.folder.fd = fd;
	game->found = (struct cfgstored_disk_found){ 0 };
	text_init(&why, game->why, sizeof game->why);
	CHECK_EQ(
	    cfgstored_disk_recover(&writer, &reader, &game->found, &why), 0);
	game->read.health = game->found.health;
}

static size_t
promised_at(size_t calls)
{
	size_t log = 0;

	for (size_t i = 0; i < game->promise_count; i++)
		if (game->promises[i].calls <= calls)
			log = game->promises[i].log;
	return log;
}

static void
lose_power(size_t calls, enum diskworld_loss loss, struct rng *rng)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY);

	diskworld_lay_out(world, calls, loss, rng, fd);
	recover(fd);
	if (!CHECK(diskgame_is_one_of(game, promised_at(calls))))
		fprintf(stderr, "read: health %d index %llu: %s\n",
		    (int)game->found.health,
		    (unsigned long long)game->read.tip.index, game->why);
	/* What was repaired is sound, and the same. */
	recover(fd);
	CHECK(diskgame_is_one_of(game, promised_at(calls)));
	close(fd);
}

static void
test_crash_power_loss(void)
{
	for (uint64_t seed = 1; seed <= times(POWER_SEEDS); seed++) {
		struct rng rng;

		begin(seed);
		CHECK(diskgame_open(game));
		for (size_t i = 0; i < MOVES; i++)
			CHECK(diskgame_play(game));
		diskgame_close(game);
		forget();
		rng_init(&rng, seed);
		for (size_t i = 0; i < POWER_CUTS; i++) {
			size_t calls =
			    rng_below(&rng, diskworld_count(world) + 1);

			about("power", seed, calls);
			lose_power(calls,
			    (enum diskworld_loss)(i % 4 > 2 ? 2 : i % 4), &rng);
		}
		(void)unlink("lock");
	}
}

/* ---- kill -9 ----------------------------------------------------------- */

/* A process group of its own, which a call of any of its processes ends. */
static void
run_until_killed(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)setpgid(0, 0);
		if (diskgame_open(game))
			for (;;)
				if (!diskgame_play(game))
					break;
		_exit(3);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	/* The others of the group are ours now, and may die a little later. */
	while (waitpid(-pid, NULL, 0) > 0)
		continue;
}

static void
test_crash_kill_at_any_call(void)
{
	for (uint64_t seed = 1; seed <= times(KILL_RUNS); seed++) {
		begin(seed);
		for (size_t life = 0; life < 4; life++) {
			size_t at = 1 + (size_t)(seed * 7 + life * 31) % 120;

			about("kill", seed, at);
			diskworld_clear(world);
			diskworld_fail(world, ALL_CALLS, at, 0, false);
			run_until_killed();
			diskworld_clear(world);
			diskworld_fail(world, 0, 0, 0, false);
			if (!CHECK(diskgame_open(game)))
				return;
			/* The log that was found is the only one now. */
			diskgame_settle(game);
			diskgame_close(game);
		}
	}
}

/* ---- calls that fail --------------------------------------------------- */

static void
test_crash_calls_that_fail(void)
{
	static const int errors[] = { -EIO, -ENOSPC, -EDQUOT, -EROFS };

	size_t fulls = 0, unsaveds = 0;

	for (uint64_t seed = 1; seed <= times(FAULT_RUNS); seed++) {
		size_t at = 1 + (size_t)(seed * 13) % 150;
		bool is_open;

		begin(seed);
		about("fault", seed, at);
		diskworld_fail(
		    world, ALL_CALLS, at, errors[seed % 4], seed % 3 == 0);
		is_open = diskgame_open(game);
		for (size_t i = 0; is_open && i < MOVES; i++)
			is_open = diskgame_play(game);
		if (game->disk != NULL)
			diskgame_close(game);
		diskworld_fail(world, 0, 0, 0, false);
		if (CHECK(diskgame_open(game)))
			diskgame_close(game);
		fulls += game->full_count;
		unsaveds += game->unsaved_count;
	}
	CHECK(fulls > 0);
	CHECK(unsaveds > 0);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_crash_power_loss),
		CHECK_TEST(test_crash_kill_at_any_call),
		CHECK_TEST(test_crash_calls_that_fail),
	};
	char command[100];
	int rc;

	/* No test here is about the disk itself. */
	snprintf(dir, sizeof dir, "%s/test_cfgstored_crash.XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	world = diskworld_create();
	game = mmap(NULL, sizeof *game, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (mkdtemp(dir) == NULL || game == MAP_FAILED ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return 1;
	rc = CHECK_MAIN(argc, argv, tests);
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	CHECK_EQ(system(command), 0);
	return rc;
}
