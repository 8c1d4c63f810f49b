/* SPDX-License-Identifier: BSD-3-Clause */
/* What a test program needs: checks that print both sides, a table, a sum. */
#ifndef RK_CHECK_H
#define RK_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A check that fails prints file:line and the values, marks the running test
 * as failed and goes on; each answers whether it held, so a test can stop:
 *	if (!CHECK(p != NULL)) return;
 */
#define CHECK(x) check_true(CHECK_HERE(x), (x))
/* Integers of any kind, sign and width. */
#define CHECK_EQ(got, want) \
	check_equal(CHECK_HERE(got), (uint64_t)(got), (uint64_t)(want))
#define CHECK_STR(got, want) check_string(CHECK_HERE(got), (got), (want))
#define CHECK_MEM(got, got_len, want, want_len) \
	check_bytes(CHECK_HERE(got), (got), (got_len), (want), (want_len))
/* The function ends in abort(), as ENSURE does. */
#define CHECK_ABORTS(run) check_aborts(CHECK_HERE(run), (run))

struct check_test {
	const char *name;
	void (*run)(void);
};
#define CHECK_TEST(run)   \
	{                 \
#run, run \
	}

/* In a table of cases: what the following checks are about; NULL: nothing. */
void check_case(const char *about);

/*
 * Runs the tests (those named in argv, when there are names), prints those
 * that fail and, last, "N passed, N failed".  The value for main to return.
 */
int check_main(
    int argc, char **argv, const struct check_test *tests, size_t count);
#define CHECK_MAIN(argc, argv, tests) \
	check_main((argc), (argv), (tests), sizeof(tests) / sizeof((tests)[0]))

struct check_place {
	const char *file;
	int line;
	const char *what;
};
#define CHECK_HERE(x)                  \
	&(struct check_place)          \
	{                              \
		__FILE__, __LINE__, #x \
	}

bool check_true(const struct check_place *place, bool holds);
bool check_equal(const struct check_place *place, uint64_t got, uint64_t want);
bool check_string(
    const struct check_place *place, const char *got, const char *want);
bool check_bytes(const struct check_place *place, const void *got,
    size_t got_len, const void *want, size_t want_len);
bool check_aborts(const struct check_place *place, void (*run)(void));

#endif
