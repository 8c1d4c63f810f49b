/* SPDX-License-Identifier: BSD-3-Clause */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/text.h"
#include "libcommon/os/box.h"

#include "bin/quorumd/quorumd_state.h"
#include "tests/unit/check.h"

enum { INC = 1700, FILE_BYTES = 64 * 1024 };

static char dir[] = "/tmp/test_quorumd_state.XXXXXX";
static char why_bytes[256];
static struct quorumd_state state;

static void
path_of(char *path, size_t size, const char *name)
{
	snprintf(path, size, "%s/%s", dir, name);
}

static void
forget(const char *name)
{
	char path[64];

	path_of(path, sizeof path, name);
	unlink(path);
}

static void
open_state(void)
{
	struct text why;

	text_init(&why, why_bytes, sizeof why_bytes);
	if (!CHECK_EQ(quorumd_state_open(&state, dir, &why), 0))
		puts(why_bytes);
}

/* What a quorumd that starts now finds for that incarnation of ringd. */
static void
check_kept(uint64_t inc, const char *want)
{
	const void *kept;
	size_t len;

	open_state();
	len = quorumd_state_kept(&state, inc, &kept);
	CHECK_MEM(kept, len, want, strlen(want));
	quorumd_state_close(&state);
}

static void
keep(uint64_t inc, const char *text)
{
	open_state();
	CHECK_EQ(quorumd_state_keep(&state, inc, text, strlen(text)), 0);
	quorumd_state_close(&state);
}

static void
test_quorumd_state_keeps_the_last(void)
{
	forget("quorumd.state");
	check_kept(INC, "");
	keep(INC, "a first one that is long");
	check_kept(INC, "a first one that is long");
	keep(INC, "second");
	keep(INC, "third");
	check_kept(INC, "third");
	keep(INC, "");
	check_kept(INC, "");
}

static void
test_quorumd_state_is_for_one_incarnation(void)
{
	forget("quorumd.state");
	keep(INC, "mine");
	check_kept(INC + 1, "");
	check_kept(INC, "mine");
	keep(INC + 1, "next");
	check_kept(INC, "");
}

static void
test_quorumd_state_is_for_one_boot(void)
{
	forget("quorumd.state");
	open_state();
	state.boot[0] ^= 1;
	CHECK_EQ(quorumd_state_keep(&state, INC, "old", 3), 0);
	quorumd_state_close(&state);
	check_kept(INC, "");
	/* It does not come back, either. */
	keep(INC, "new");
	check_kept(INC, "new");
}

/* Whatever byte of the last one is spoiled, the one before counts. */
static void
test_quorumd_state_torn_slot_is_none(void)
{
	char path[64];
	int fd;

	path_of(path, sizeof path, "quorumd.state");
	for (off_t at = 0; at < 90; at += 3) {
		char byte = 0;

		forget("quorumd.state");
		keep(INC, "first");
		keep(INC, "second");
		fd = open(path, O_RDWR);
		CHECK_EQ(pread(fd, &byte, 1, at), 1);
		byte ^= 4;
		/* Number 2 is in the first slot. */
		CHECK_EQ(pwrite(fd, &byte, 1, at), 1);
		close(fd);
		check_kept(INC, at < 82 ? "first" : "second");
		if (at >= 82)
			continue;
		keep(INC, "third");
		check_kept(INC, "third");
	}
}

static int
open_track(void)
{
	struct text why;

	text_init(&why, why_bytes, sizeof why_bytes);
	return quorumd_state_open_track(&state, dir, &why);
}

static void
test_quorumd_state_tracks_for_good(void)
{
	struct pollfd poll_fd = { .events = POLLIN };

	forget("quorumd.track");
	open_state();
	CHECK_EQ(open_track(), 0);
	CHECK_EQ(state.tracked, 0);
	CHECK_EQ(quorumd_state_track(&state, 5), 0);
	poll_fd.fd = state.track.fd;
	CHECK_EQ(poll(&poll_fd, 1, 5000), 1);
	CHECK_EQ(durable_answer(&state.track), 1);
	CHECK_EQ(quorumd_state_track(&state, 4000000000U), 0);
	quorumd_state_close(&state);

	open_state();
	CHECK_EQ(open_track(), 0);
	CHECK_EQ(state.tracked, 4000000000U);
	quorumd_state_close(&state);
}

static void
test_quorumd_state_damaged_track_is_refused(void)
{
	static const char *const bad[] = { "", "5\n",
		"ringkit-quorum 1\nexpected=5\n",
		"ringkit-quorum 1\nexpected=5\nsum=0000000000000000\n" };
	char path[64];

	path_of(path, sizeof path, "quorumd.track");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		FILE *file = fopen(path, "w");

		fputs(bad[i], file);
		fclose(file);
		open_state();
		CHECK(open_track() < 0);
		CHECK(strstr(why_bytes, "/quorumd.track: damaged") != NULL);
		quorumd_state_close(&state);
	}
	forget("quorumd.track");
}

static int
open_record(void)
{
	struct text why;

	text_init(&why, why_bytes, sizeof why_bytes);
	open_state();
	return quorumd_state_open_record(&state, dir, &why);
}

/* The number that becomes durable next. */
static uint64_t
next_recorded(void)
{
	struct pollfd poll_fd = { .fd = state.record.fd, .events = POLLIN };
	uint64_t no = 0;

	CHECK_EQ(poll(&poll_fd, 1, 60000), 1);
	CHECK_EQ(quorumd_state_recorded(&state, &no), 1);
	return no;
}

static void
check_recorded(const char *want)
{
	CHECK_EQ(open_record(), 0);
	CHECK_MEM(state.recorded.bytes, state.recorded.len, want, strlen(want));
	quorumd_state_close(&state);
}

static void
test_quorumd_state_records_the_newest(void)
{
	const struct quorumd_state_record *newest;
	bool is_durable;

	check_recorded("");
	CHECK_EQ(open_record(), 0);
	CHECK_EQ(quorumd_state_begin_record(&state, "first", 5), 0);
	newest = quorumd_state_newest(&state, &is_durable);
	CHECK(is_durable && newest->no == 1);
	CHECK_EQ(quorumd_state_record(&state, 2, "second", 6), 0);
	CHECK_EQ(quorumd_state_record(&state, 3, "third", 5), 0);
	CHECK_EQ(quorumd_state_record(&state, 4, "fourth", 6), 0);
	CHECK_EQ(next_recorded(), 2);
	CHECK_EQ(next_recorded(), 4);
	quorumd_state_close(&state);
	check_recorded("fourth");
	/* A core that begins waits for what was under way, as its second. */
	CHECK_EQ(open_record(), 0);
	CHECK_EQ(quorumd_state_record(&state, 8, "fifth", 5), 0);
	CHECK_EQ(quorumd_state_record(&state, 9, "sixth", 5), 0);
	newest = quorumd_state_newest(&state, &is_durable);
	CHECK(!is_durable && newest->no == 2);
	CHECK_MEM(newest->bytes, newest->len, "sixth", 5);
	CHECK_EQ(next_recorded(), 0);
	CHECK_EQ(next_recorded(), 2);
	quorumd_state_close(&state);
	check_recorded("sixth");
	forget("quorumd.record");
}

static void
test_quorumd_state_damaged_record_is_refused(void)
{
	static const char *const bad[] = { "", "\n\n", "ringkit-quorum 1\n",
		"ringkit-quorum 1\nrecord\nsum=0000000000000000\n" };
	char path[64];

	path_of(path, sizeof path, "quorumd.record");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		FILE *file = fopen(path, "w");

		fputs(bad[i], file);
		fclose(file);
		CHECK(open_record() < 0);
		CHECK(strstr(why_bytes, "/quorumd.record: damaged") != NULL);
		quorumd_state_close(&state);
	}
	forget("quorumd.record");
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_quorumd_state_keeps_the_last),
		CHECK_TEST(test_quorumd_state_is_for_one_incarnation),
		CHECK_TEST(test_quorumd_state_is_for_one_boot),
		CHECK_TEST(test_quorumd_state_torn_slot_is_none),
		CHECK_TEST(test_quorumd_state_tracks_for_good),
		CHECK_TEST(test_quorumd_state_damaged_track_is_refused),
		CHECK_TEST(test_quorumd_state_records_the_newest),
		CHECK_TEST(test_quorumd_state_damaged_record_is_refused),
	};
	int rc;

	if (box_init() < 0 || mkdtemp(dir) == NULL)
		return 1;
	rc = CHECK_MAIN(argc, argv, tests);
	forget("quorumd.state");
	forget("quorumd.track");
	forget("quorumd.track.lock");
	forget("quorumd.record.lock");
	rmdir(dir);
	return rc;
}
