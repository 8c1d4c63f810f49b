/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/os/opt.h"

#include "tests/unit/check.h"

static struct {
	bool is_json;
	const char *rundir;
	uint64_t count, timeout_ns, size;
	uint32_t node;
	int fd;
	char calls[16];
} given;

static bool
on_mode(const char *arg)
{
	given.calls[strlen(given.calls)] = arg[0];
	return strcmp(arg, "bad") != 0;
}

static const struct opt opts[] = {
	{ 'j', "json", OPT_FLAG, &given.is_json, NULL, NULL, "print JSON" },
	{ '\0', "rundir", OPT_STRING, &given.rundir, NULL, "DIR",
	    "where the sockets are" },
	{ 'n', "count", OPT_COUNT, &given.count, NULL, "COUNT", "how many" },
	{ 't', "timeout", OPT_DURATION, &given.timeout_ns, NULL, "DUR",
	    "how long" },
	{ 's', NULL, OPT_SIZE, &given.size, NULL, "SIZE", "how big" },
	{ 'N', "node", OPT_NODE, &given.node, NULL, "NODE", "which" },
	{ '\0', "ready-fd", OPT_FD, &given.fd, NULL, "FD", "say when ready" },
	{ 'm', "mode", OPT_CALL, NULL, on_mode, "MODE", "how" },
};

static struct opt_program program = {
	.name = "testprog",
	.operands = "GROUP [-- CMD]",
	.summary = "Tests the options.",
	.opts = opts,
	.opt_count = ARRAY_COUNT(opts),
};

/* What --rundir is taken for a list of; NULL: it is none. */
static const char *known;

/* What the program printed. */
static char out[8192];

/* Runs opt_parse on a line cut at blanks, standard output and error kept. */
static int
parse(const char *line, int *first)
{
	static char words[256], name[] = "testprog";
	char *argv[16] = { name };
	int argc = 1, rc, saved_out = dup(1), saved_err = dup(2);
	FILE *file = tmpfile();

	memset(&given, 0, sizeof given);
	snprintf(words, sizeof words, "%s", line);
	for (char *at = strtok(words, " "); at != NULL; at = strtok(NULL, " "))
		argv[argc++] = at;
	fflush(stdout);
	dup2(fileno(file), 1);
	dup2(fileno(file), 2);
	rc = opt_parse(&program, argc, argv, first);
	if (rc == 0 && known != NULL)
		rc = opt_check_fields(&program, given.rundir, known);
	fflush(stdout);
	dup2(saved_out, 1);
	dup2(saved_err, 2);
	close(saved_out);
	close(saved_err);
	rewind(file);
	out[fread(out, 1, sizeof out - 1, file)] = '\0';
	fclose(file);
	return rc;
}

static void
test_opt_values_go_where_the_table_says(void)
{
	int first;

	CHECK_EQ(parse("-j -n 7 --timeout=1.5s -s 2KiB --node 9 --ready-fd=3 "
		       "--rundir /x -m a --mode=b group",
		     &first),
	    0);
	CHECK(given.is_json);
	CHECK_EQ(given.count, 7);
	CHECK_EQ(given.timeout_ns, UINT64_C(1500000000));
	CHECK_EQ(given.size, 2048);
	CHECK_EQ(given.node, 9);
	CHECK_EQ(given.fd, 3);
	CHECK_STR(given.rundir, "/x");
	CHECK_STR(given.calls, "ab");
	CHECK_EQ(first, 15);
	CHECK_STR(out, "");
}

static void
test_opt_stops_at_the_first_operand(void)
{
	int first;

	CHECK_EQ(parse("-n 1 group -j -v", &first), 0);
	CHECK_EQ(first, 3);
	CHECK(!given.is_json);
	CHECK_EQ(opt_verbosity(), 0);

	CHECK_EQ(parse("-- -j", &first), 0);
	CHECK_EQ(first, 2);
	CHECK(!given.is_json);
}

static void
test_opt_hands_operands_over_as_they_come(void)
{
	int first = 0;

	program.operand = on_mode;
	CHECK_EQ(parse("x -j y -t 2 z -- cmd -n 7", &first), 0);
	CHECK_STR(given.calls, "xyz");
	CHECK(given.is_json);
	CHECK_EQ(given.timeout_ns, UINT64_C(2000000000));
	CHECK_EQ(given.count, 0);
	CHECK_EQ(first, 8);
	CHECK_EQ(parse("x -j", &first), 0);
	CHECK_EQ(first, 3);
	CHECK_EQ(parse("bad -j", &first), OPT_E_USAGE);
	CHECK(strstr(out, "bad: not expected") != NULL);
	program.operand = NULL;
}

static void
test_opt_verbosity_counts(void)
{
	int first;

	CHECK_EQ(parse("-vv --verbose -q", &first), 0);
	CHECK_EQ(opt_verbosity(), 2);
}

static void
test_opt_mistakes_are_usage_errors_that_name_the_option(void)
{
	static const char *const cases[][2] = {
		{ "--nope", "testprog: --nope: " },
		{ "-x", "testprog: -x: " },
		{ "--json=1", "testprog: " },
		{ "-n", "testprog: -n: an argument is missing" },
		{ "-n -1", "testprog: --count: -1: expected a number" },
		{ "--timeout=5x", "testprog: --timeout: 5x: expected a dur" },
		{ "-s 1kb", "testprog: -s: 1kb: expected a size" },
		{ "--node=0", "testprog: --node: 0: expected a node id" },
		{ "-m bad", "testprog: --mode: bad: expected " },
	};
	int first;

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		check_case(cases[i][0]);
		CHECK_EQ(parse(cases[i][0], &first), OPT_E_USAGE);
		if (!CHECK(strncmp(out, cases[i][1], strlen(cases[i][1])) == 0))
			printf("%s", out);
		CHECK(strstr(out, "\nusage: testprog [OPTION…] GROUP") != NULL);
	}
	check_case(NULL);
}

static void
test_opt_fields_are_those_that_are_known(void)
{
	static const struct {
		const char *line, *wrong; /* NULL: nothing */
	} cases[] = {
		{ "--rundir=event", NULL },
		{ "--rundir=id,event", NULL },
		{ "--rundir=event,even", "even" },
		{ "--rundir=events", "events" },
		{ "--rundir=", "" },
		{ "--rundir=id,", "" },
		{ "--rundir=id,,event", "" },
	};
	char want[200];
	int first;

	known = "event,id";
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		int rc = parse(cases[i].line, &first);

		check_case(cases[i].line);
		CHECK_EQ(rc, cases[i].wrong != NULL ? OPT_E_USAGE : 0);
		if (cases[i].wrong == NULL)
			continue;
		snprintf(want, sizeof want,
		    "testprog: --fields: %s: no such field, expected some of "
		    "event,id\nusage: testprog ",
		    cases[i].wrong);
		CHECK(strncmp(out, want, strlen(want)) == 0);
	}
	check_case(NULL);
	known = NULL;
}

static void
test_opt_help_lists_every_option(void)
{
	int first;

	CHECK_EQ(parse("--help", &first), OPT_DONE);
	for (size_t i = 0; i < ARRAY_COUNT(opts); i++)
		CHECK(strstr(out, opts[i].help) != NULL);
	CHECK(strstr(out, "  -t, --timeout=DUR") != NULL);
	CHECK(strstr(out, "      --rundir=DIR") != NULL);
	CHECK(strstr(out, "  -s SIZE ") != NULL);
	CHECK(strstr(out, "  -V, --version") != NULL);

	CHECK_EQ(parse("-V", &first), OPT_DONE);
	CHECK_STR(
	    out, "testprog (ringkit) " RINGKIT_VERSION " proto=1 fmt=1\n");
}

static void
test_opt_rundir_prefers_the_option(void)
{
	unsetenv("RINGKIT_RUNDIR");
	CHECK_STR(opt_rundir(NULL), "/run/ringkit");
	setenv("RINGKIT_RUNDIR", "/env", 1);
	CHECK_STR(opt_rundir(NULL), "/env");
	CHECK_STR(opt_rundir("/given"), "/given");
	setenv("RINGKIT_RUNDIR", "", 1);
	CHECK_STR(opt_rundir(NULL), "/run/ringkit");
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_opt_values_go_where_the_table_says),
		CHECK_TEST(test_opt_stops_at_the_first_operand),
		CHECK_TEST(test_opt_hands_operands_over_as_they_come),
		CHECK_TEST(test_opt_verbosity_counts),
		CHECK_TEST(
		    test_opt_mistakes_are_usage_errors_that_name_the_option),
		CHECK_TEST(test_opt_fields_are_those_that_are_known),
		CHECK_TEST(test_opt_help_lists_every_option),
		CHECK_TEST(test_opt_rundir_prefers_the_option),
	};

	return CHECK_MAIN(argc, argv, tests);
}
