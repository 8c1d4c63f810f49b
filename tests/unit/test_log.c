/* SPDX-License-Identifier: BSD-3-Clause */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/ration.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/log.h"

#include "tests/unit/check.h"

static int ends[2];
static char got[1 << 17];

static void
open_pipe(enum log_level level)
{
	CHECK(pipe(ends) == 0);
	CHECK_EQ(fd_set_nonblock(ends[0], true), 0);
	log_open(ends[1], level);
}

static const char *
read_lines(void)
{
	ssize_t n = read(ends[0], got, sizeof got - 1);

	got[n > 0 ? n : 0] = '\0';
	return got;
}

static void
close_pipe(void)
{
	fd_close(&ends[0]);
	fd_close(&ends[1]);
}

static size_t
count_lines(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

static void
test_log_line_is_a_record_with_level_and_time(void)
{
	open_pipe(LOG_LEVEL_INFO);

	log_line(LOG_LEVEL_INFO, "view-installed", "view=%d.%d", 1, 18);

	CHECK(strncmp(read_lines(), "view-installed view=1.18 level=info ts=20",
		  41) == 0);
	CHECK_EQ(count_lines(got), 1);
	close_pipe();
}

static void
test_log_level_below_threshold_is_silent(void)
{
	enum log_level level;

	open_pipe(LOG_LEVEL_WARNING);

	log_line(LOG_LEVEL_NOTICE, "quiet", "%s", "");
	CHECK_STR(read_lines(), "");
	CHECK(log_level_from_name("debug", &level));
	log_set_level(level);
	log_line(LOG_LEVEL_DEBUG, "loud", "%s", "");
	CHECK_EQ(count_lines(read_lines()), 1);
	CHECK(!log_level_from_name("chatty", &level));
	close_pipe();
}

static void
test_log_value_cannot_forge_a_line(void)
{
	open_pipe(LOG_LEVEL_INFO);

	log_line(
	    LOG_LEVEL_INFO, "evil", "msg=%s", "a\nroot-login uid=0\033[2J");

	CHECK_EQ(count_lines(read_lines()), 1);
	CHECK(strstr(got, "a\\nroot-login uid=0\\0033[2J") != NULL);
	close_pipe();
}

/* What is held back now is due within the second. */
static void
tell_the_rest(void)
{
	CHECK(log_due_ns() != UINT64_MAX);
	log_tell(log_due_ns());
	CHECK(log_due_ns() == UINT64_MAX);
}

static void
test_log_flood_is_limited_and_says_so(void)
{
	open_pipe(LOG_LEVEL_INFO);

	for (int i = 0; i < 3 * RATION_SECOND; i++)
		log_line(LOG_LEVEL_WARNING, "flood", "i=%d", i);
	log_line(LOG_LEVEL_WARNING, "other", "%s", "");
	tell_the_rest();

	/* The second may have turned once. */
	CHECK(count_lines(read_lines()) <= 2 * RATION_SECOND + 2);
	CHECK(strstr(got, "other") != NULL);
	CHECK(strstr(got, "flood i=59 suppressed=") != NULL);
	close_pipe();
}

static void
test_log_causes_are_told_apart(void)
{
	open_pipe(LOG_LEVEL_INFO);

	for (int i = 0; i < 3 * RATION_SECOND; i++)
		log_line(LOG_LEVEL_INFO, "pair", "node=2 link=1 i=%d", i);
	CHECK(count_lines(read_lines()) <= 2 * RATION_SECOND);
	log_line(LOG_LEVEL_INFO, "pair", "node=2 link=0 state=up");
	CHECK(strstr(read_lines(), "pair node=2 link=0 state=up") != NULL);
	log_line(LOG_LEVEL_INFO, "pair", "node=3 link=1 state=up");
	CHECK(strstr(read_lines(), "pair node=3 link=1 state=up") != NULL);
	log_tell_all();
	CHECK(strstr(read_lines(), "pair node=2 link=1 i=59 ") != NULL);
	close_pipe();
}

static void
test_log_what_was_asked_for_is_never_left_out(void)
{
	open_pipe(LOG_LEVEL_ERROR);

	for (int i = 0; i < 3 * RATION_SECOND; i++)
		log_always("dump", "i=%d", i);

	CHECK_EQ(count_lines(read_lines()), 3 * RATION_SECOND);
	close_pipe();
}

static void
test_log_full_pipe_does_not_block_and_is_confessed(void)
{
	open_pipe(LOG_LEVEL_DEBUG);

	/* A pipe holds 64 KiB; nobody reads. */
	for (int i = 0; i < 3000; i++)
		log_line(LOG_LEVEL_DEBUG, "fill", "i=%d padding=%0100d", i, 0);
	while (*read_lines() != '\0')
		;
	log_line(LOG_LEVEL_DEBUG, "after", "%s", "");

	CHECK(strstr(read_lines(), "after lost_lines=") != NULL);
	close_pipe();
}

static void
test_log_long_line_is_cut_but_whole(void)
{
	open_pipe(LOG_LEVEL_INFO);

	log_line(LOG_LEVEL_INFO, "long", "x=%05000d", 0);

	CHECK_EQ(count_lines(read_lines()), 1);
	CHECK(strlen(got) <= LOG_LINE_BYTES);
	CHECK(strstr(got, " level=info ts=") != NULL);
	close_pipe();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_log_line_is_a_record_with_level_and_time),
		CHECK_TEST(test_log_level_below_threshold_is_silent),
		CHECK_TEST(test_log_value_cannot_forge_a_line),
		CHECK_TEST(test_log_flood_is_limited_and_says_so),
		CHECK_TEST(test_log_causes_are_told_apart),
		CHECK_TEST(test_log_what_was_asked_for_is_never_left_out),
		CHECK_TEST(test_log_full_pipe_does_not_block_and_is_confessed),
		CHECK_TEST(test_log_long_line_is_cut_but_whole),
	};

	return CHECK_MAIN(argc, argv, tests);
}
