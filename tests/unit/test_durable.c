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
#include "libcommon/os/durable.h"

#include "tests/unit/check.h"

static char dir[] = "/tmp/test_durable.XXXXXX";
static char why_bytes[256];

static int
open_it(struct durable *durable)
{
	char path[64];
	struct text why;

	text_init(&why, why_bytes, sizeof why_bytes);
	snprintf(path, sizeof path, "%s/state", dir);
	return durable_open(durable, path, "thing", &why);
}

static void
forget(void)
{
	char command[100];

	snprintf(command, sizeof command, "rm -rf '%s/state'", dir);
	CHECK_EQ(system(command), 0);
}

static void
check_file(const struct durable *durable, const char *want)
{
	char bytes[64];
	long len = durable_read(durable, bytes, sizeof bytes);

	CHECK_MEM(bytes, (size_t)len, want, strlen(want));
}

static int
wait_answer(struct durable *durable)
{
	struct pollfd poll_fd = { .fd = durable->fd, .events = POLLIN };

	CHECK_EQ(poll(&poll_fd, 1, 5000), 1);
	return durable_answer(durable);
}

static void
test_durable_replaces_the_file(void)
{
	struct durable durable;
	char bytes[8];

	forget();
	CHECK_EQ(open_it(&durable), 0);
	CHECK_EQ(durable_read(&durable, bytes, sizeof bytes), -ENOENT);
	CHECK_EQ(durable_write(&durable, "one, long", 9), 0);
	check_file(&durable, "one, long");
	CHECK_EQ(durable_write(&durable, "two", 3), 0);
	check_file(&durable, "two");
	durable_close(&durable);
	CHECK_EQ(open_it(&durable), 0);
	check_file(&durable, "two");
	durable_close(&durable);
}

static void
test_durable_writer_answers_each_request(void)
{
	struct durable durable;

	forget();
	CHECK_EQ(open_it(&durable), 0);
	CHECK_EQ(durable_start(&durable), 0);
	CHECK_EQ(durable_answer(&durable), 0);
	CHECK_EQ(durable_ask(&durable, "a", 1), 0);
	CHECK_EQ(wait_answer(&durable), 1);
	check_file(&durable, "a");
	CHECK_EQ(durable_ask(&durable, "b", 1), 0);
	CHECK_EQ(durable_ask(&durable, "c", 1), 0);
	CHECK_EQ(wait_answer(&durable), 1);
	CHECK_EQ(wait_answer(&durable), 1);
	check_file(&durable, "c");
	/* What was asked before the end is done. */
	CHECK_EQ(durable_ask(&durable, "d", 1), 0);
	durable_close(&durable);
	CHECK_EQ(open_it(&durable), 0);
	check_file(&durable, "d");
	durable_close(&durable);
}

static void
test_durable_has_one_owner(void)
{
	struct durable first, second;

	forget();
	CHECK_EQ(open_it(&first), 0);
	CHECK_EQ(open_it(&second), -EBUSY);
	CHECK(strstr(why_bytes, "another one uses it") != NULL);
	durable_close(&first);
	CHECK_EQ(open_it(&second), 0);
	durable_close(&second);
}

static void
test_durable_says_that_it_cannot(void)
{
	struct durable durable;
	struct text why;

	text_init(&why, why_bytes, sizeof why_bytes);
	CHECK_EQ(
	    durable_open(&durable, "/nowhere/at/all", "thing", &why), -ENOENT);
	CHECK_STR(why_bytes, "/nowhere/at/all: No such file or directory");

	forget();
	CHECK_EQ(open_it(&durable), 0);
	CHECK_EQ(mkdirat(durable.dir_fd, "thing.new", 0700), 0);
	CHECK_EQ(durable_start(&durable), 0);
	CHECK_EQ(durable_ask(&durable, "a", 1), 0);
	CHECK_EQ(wait_answer(&durable), -EISDIR);
	kill(durable.writer, SIGKILL);
	CHECK_EQ(wait_answer(&durable), -EPIPE);
	durable_close(&durable);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_durable_replaces_the_file),
		CHECK_TEST(test_durable_writer_answers_each_request),
		CHECK_TEST(test_durable_has_one_owner),
		CHECK_TEST(test_durable_says_that_it_cannot),
	};
	int rc;

	if (mkdtemp(dir) == NULL)
		return 1;
	rc = CHECK_MAIN(argc, argv, tests);
	forget();
	rmdir(dir);
	return rc;
}
