/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/check.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *check_about;
static unsigned check_misses; /* in the running test */

void
check_case(const char *about)
{
	check_about = about;
}

/* Starts a line about a check that failed, unless there were many. */
static bool
is_worth_a_line(const struct check_place *place)
{
	enum { LINES_MAX = 20 };

	if (++check_misses > LINES_MAX)
		return false;
	printf("%s:%d: %s", place->file, place->line, place->what);
	if (check_about != NULL)
		printf(" [%s]", check_about);
	return true;
}

bool
check_true(const struct check_place *place, bool holds)
{
	if (holds)
		return true;
	if (is_worth_a_line(place))
		printf(" does not hold\n");
	return false;
}

static void
print_integer(uint64_t value)
{
	if (value > INT64_MAX)
		printf("%" PRIu64 " (%" PRId64 ")", value, (int64_t)value);
	else
		printf("%" PRIu64, value);
}

bool
check_equal(const struct check_place *place, uint64_t got, uint64_t want)
{
	if (got == want)
		return true;
	if (!is_worth_a_line(place))
		return false;
	printf(" is ");
	print_integer(got);
	printf(", not ");
	print_integer(want);
	printf("\n");
	return false;
}

bool
check_string(const struct check_place *place, const char *got, const char *want)
{
	if (got == want || (got && want && strcmp(got, want) == 0))
		return true;
	if (!is_worth_a_line(place))
		return false;
	printf(" is \"%s\", not \"%s\"\n", got != NULL ? got : "(null)",
	    want != NULL ? want : "(null)");
	return false;
}

static void
print_bytes(const unsigned char *bytes, size_t len)
{
	enum { SHOWN = 64 };

	printf("%zu:", len);
	for (size_t i = 0; i < len && i < SHOWN; i++)
		printf(" %02x", bytes[i]);
	printf(len > SHOWN ? " ..." : "");
}

bool
check_bytes(const struct check_place *place, const void *got, size_t got_len,
    const void *want, size_t want_len)
{
	if (got_len == want_len &&
	    (got_len == 0 || memcmp(got, want, got_len) == 0))
		return true;
	if (!is_worth_a_line(place))
		return false;
	printf(" is ");
	print_bytes(got, got_len);
	printf(", not ");
	print_bytes(want, want_len);
	printf("\n");
	return false;
}

bool
check_aborts(const struct check_place *place, void (*run)(void))
{
	int status = 0;

	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		struct rlimit no_core = { 0, 0 };
		(void)setrlimit(RLIMIT_CORE, &no_core); /* at worst a file */
		close(STDERR_FILENO);
		run();
		_exit(0);
	}
	bool is_aborted = child > 0 && waitpid(child, &status, 0) == child &&
	    WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
	if (is_aborted)
		return true;
	if (is_worth_a_line(place))
		printf(" did not abort\n");
	return false;
}

static bool
is_named(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(name, argv[i]) == 0)
			return true;
	return argc < 2;
}

int
check_main(int argc, char **argv, const struct check_test *tests, size_t count)
{
	static char buffer[BUFSIZ];
	unsigned passed = 0, failed = 0;

	setvbuf(stdout, buffer, _IOLBF, sizeof buffer);
	for (size_t i = 0; i < count; i++) {
		if (!is_named(tests[i].name, argc, argv))
			continue;
		check_misses = 0;
		check_case(NULL);
		tests[i].run();
		if (check_misses > 0)
			printf("FAILED %s: %u checks\n", tests[i].name,
			    check_misses);
		failed += check_misses > 0;
		passed += check_misses == 0;
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed > 0 || passed == 0;
}
