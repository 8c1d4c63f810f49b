/* SPDX-License-Identifier: BSD-3-Clause */
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/text.h"
#include "libcommon/os/box.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/fd.h"

#include "bin/ringd/ringd_disk.h"
#include "tests/unit/check.h"

static char dir[] = "/tmp/test_ringd_disk.XXXXXX";
static char why_bytes[256];

static void
path_of(char *path, size_t size, const char *name)
{
	snprintf(path, size, "%s/state/%s", dir, name);
}

static int
open_disk(struct ringd_disk *disk)
{
	char path[300];
	struct text why;

	text_init(&why, why_bytes, sizeof why_bytes);
	path_of(path, sizeof path, "");
	return ringd_disk_open(disk, path, &why);
}

static void
forget(void)
{
	char command[300];

	snprintf(command, sizeof command, "rm -rf '%s/state'", dir);
	CHECK_EQ(system(command), 0);
}

static void
test_ringd_disk_without_file_begins_from_the_clock(void)
{
	uint64_t now_s = clock_real_ns() / CLOCK_S_NS;
	struct ringd_disk disk;

	forget();
	CHECK_EQ(open_disk(&disk), 0);

	CHECK(disk.is_first && !disk.is_damaged);
	CHECK(disk.ring_seq >= now_s << 20);
	CHECK(disk.ring_seq < (now_s + 60) << 20);
	CHECK_EQ(disk.reserved, disk.ring_seq + RINGD_DISK_BLOCK);
	CHECK(disk.incarnation >= now_s * 1000);
	ringd_disk_close(&disk);
}

static void
test_ringd_disk_marks_only_grow_over_restarts(void)
{
	struct ringd_disk before, after;

	forget();
	CHECK_EQ(open_disk(&before), 0);
	ringd_disk_close(&before);
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(open_disk(&after), 0);
		ringd_disk_close(&after);
		CHECK(!after.is_first && !after.is_damaged);
		CHECK(after.incarnation > before.incarnation);
		/* What may have been used is what was reserved. */
		CHECK_EQ(after.ring_seq, before.reserved);
		before = after;
	}
}

/* Every way to cut or change the file is noticed. */
static void
test_ringd_disk_damaged_file_is_none(void)
{
	char path[300], good[256];
	struct ringd_disk disk;
	long len;

	forget();
	CHECK_EQ(open_disk(&disk), 0);
	ringd_disk_close(&disk);
	path_of(path, sizeof path, "ringd.state");
	len = fd_read_file(path, good, sizeof good);
	CHECK(len > 40);
	for (long i = 0; i < len; i += 7) {
		for (int is_cut = 0; is_cut < 2; is_cut++) {
			FILE *file = fopen(path, "w");
			char bad[256];

			memcpy(bad, good, (size_t)len);
			bad[i] ^= 1;
			fwrite(bad, 1, (size_t)(is_cut ? i : len), file);
			fclose(file);
			CHECK_EQ(open_disk(&disk), 0);
			CHECK(disk.is_first && disk.is_damaged);
			ringd_disk_close(&disk);
		}
	}
}

/* Told of a later incarnation, the next start is above it; what was reserved
 * stays so. */
static void
test_ringd_disk_outlive_raises_the_next_start(void)
{
	struct ringd_disk disk, after;
	uint64_t told;

	forget();
	CHECK_EQ(open_disk(&disk), 0);
	CHECK_EQ(ringd_disk_start(&disk), 0);
	told = disk.incarnation + UINT64_C(1000000000);
	CHECK_EQ(ringd_disk_outlive(&disk, told), 0);
	ringd_disk_close(&disk);

	CHECK_EQ(open_disk(&after), 0);
	CHECK_EQ(after.incarnation, told + 1);
	CHECK_EQ(after.ring_seq, disk.reserved);
	ringd_disk_close(&after);
}

static void
test_ringd_disk_one_daemon_a_folder(void)
{
	struct ringd_disk first, second;

	forget();
	CHECK_EQ(open_disk(&first), 0);
	CHECK_EQ(open_disk(&second), -EBUSY);
	CHECK(strstr(why_bytes, "another ringd uses it") != NULL);
	ringd_disk_close(&first);
	CHECK_EQ(open_disk(&second), 0);
	ringd_disk_close(&second);
}

static void
test_ringd_disk_writer_answers_when_it_is_durable(void)
{
	struct ringd_disk disk, after;
	uint64_t asked, answered = 0;

	forget();
	CHECK_EQ(open_disk(&disk), 0);
	CHECK_EQ(ringd_disk_start(&disk), 0);
	CHECK_EQ(ringd_disk_answer(&disk, &answered), 0);

	asked = disk.reserved + 5000;
	CHECK_EQ(ringd_disk_ask(&disk, asked), 0);
	CHECK(fd_wait(disk.fd, POLLIN, clock_now_ns() + 5 * CLOCK_S_NS) > 0);
	CHECK_EQ(ringd_disk_answer(&disk, &answered), 1);
	CHECK_EQ(answered, asked);
	CHECK_EQ(disk.reserved, asked);
	ringd_disk_close(&disk);

	CHECK_EQ(open_disk(&after), 0);
	CHECK_EQ(after.ring_seq, asked);
	ringd_disk_close(&after);
}

static void
test_ringd_disk_failing_or_dead_writer_is_noticed(void)
{
	struct ringd_disk disk;
	uint64_t answered;
	char path[300];

	forget();
	CHECK_EQ(open_disk(&disk), 0);
	CHECK_EQ(ringd_disk_start(&disk), 0);
	path_of(path, sizeof path, "ringd.state.new");
	CHECK_EQ(mkdir(path, 0700), 0);
	CHECK_EQ(ringd_disk_ask(&disk, disk.reserved + 1), 0);
	CHECK(fd_wait(disk.fd, POLLIN, clock_now_ns() + 5 * CLOCK_S_NS) > 0);
	CHECK_EQ(ringd_disk_answer(&disk, &answered), -EIO);

	CHECK_EQ(kill(disk.writer, SIGKILL), 0);
	CHECK(fd_wait(disk.fd, POLLIN, clock_now_ns() + 5 * CLOCK_S_NS) > 0);
	CHECK(ringd_disk_answer(&disk, &answered) < 0);
	ringd_disk_close(&disk);
}

/* kill -9 of the daemon, right after it asked. */
static void
test_ringd_disk_writer_outlives_its_daemon(void)
{
	struct ringd_disk disk, after;
	pid_t pid;

	forget();
	CHECK_EQ(open_disk(&disk), 0);
	ringd_disk_close(&disk);
	pid = fork();
	if (pid == 0) {
		if (open_disk(&disk) < 0 || ringd_disk_start(&disk) < 0 ||
		    ringd_disk_ask(&disk, disk.reserved + 777) < 0)
			_exit(1);
		raise(SIGKILL);
	}
	CHECK_EQ(waitpid(pid, NULL, 0), pid);

	/* Opening waits for the writer's lock. */
	CHECK_EQ(open_disk(&after), 0);
	CHECK_EQ(after.ring_seq, disk.reserved + RINGD_DISK_BLOCK + 777);
	ringd_disk_close(&after);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_ringd_disk_without_file_begins_from_the_clock),
		CHECK_TEST(test_ringd_disk_marks_only_grow_over_restarts),
		CHECK_TEST(test_ringd_disk_damaged_file_is_none),
		CHECK_TEST(test_ringd_disk_outlive_raises_the_next_start),
		CHECK_TEST(test_ringd_disk_one_daemon_a_folder),
		CHECK_TEST(test_ringd_disk_writer_answers_when_it_is_durable),
		CHECK_TEST(test_ringd_disk_failing_or_dead_writer_is_noticed),
		CHECK_TEST(test_ringd_disk_writer_outlives_its_daemon),
	};
	char command[300];
	int rc;

	if (mkdtemp(dir) == NULL || box_init() < 0)
		return 1;
	rc = CHECK_MAIN(argc, argv, tests);
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	return system(command) == 0 ? rc : 1;
}
