/* SPDX-License-Identifier: BSD-3-Clause */
/* getopt_long does the walking; its tables are made from ours.  The '+' stops
 * it at the first operand, so that the options of a command to be run are not
 * taken for our own; the '-' hands operands over as they come.
 */
#include "libcommon/os/opt.h"

#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"

enum { OPTS_MAX = 40, OPERAND = 1, VALUE_BASE = 256, HELP_COLUMN = 28 };

/* The long option's val when it has no letter: VALUE_BASE + its index. */

static int verbosity;

static const struct opt common_opts[] = {
	{ 'h', "help", OPT_FLAG, NULL, NULL, NULL, "print this and exit" },
	{ 'V', "version", OPT_FLAG, NULL, NULL, NULL,
	    "print the version and exit" },
	{ 'q', "quiet", OPT_FLAG, NULL, NULL, NULL, "say less" },
	{ 'v', "verbose", OPT_FLAG, NULL, NULL, NULL, "say more" },
};

int
opt_verbosity(void)
{
	return verbosity;
}

const char *
opt_rundir(const char *given)
{
	const char *env = getenv("RINGKIT_RUNDIR");

	if (given != NULL)
		return given;
	return env != NULL && *env != '\0' ? env : "/run/ringkit";
}

static void
print_usage(const struct opt_program *program, FILE *to)
{
	fprintf(to, "usage: %s [OPTION…]%s%s\n", program->name,
	    program->operands[0] != '\0' ? " " : "", program->operands);
}

static bool
is_optional(const struct opt *opt)
{
	return opt->arg != NULL && opt->arg[0] == '[';
}

static void
print_opt(const struct opt *opt)
{
	char left[80];
	int n = 0;

	n += snprintf(left, sizeof left, opt->letter != '\0' ? "  -%c" : "    ",
	    opt->letter);
	if (opt->name != NULL)
		n += snprintf(left + n, sizeof left - (size_t)n, "%s--%s",
		    opt->letter != '\0' ? ", " : "  ", opt->name);
	if (is_optional(opt))
		n += snprintf(
		    left + n, sizeof left - (size_t)n, "[=%s", opt->arg + 1);
	else if (opt->arg != NULL)
		n += snprintf(left + n, sizeof left - (size_t)n, "%s%s",
		    opt->name != NULL ? "=" : " ", opt->arg);
	ENSURE(n < (int)sizeof left);
	if (n >= HELP_COLUMN)
		printf("%s\n%*s%s\n", left, HELP_COLUMN, "", opt->help);
	else
		printf("%-*s%s\n", HELP_COLUMN, left, opt->help);
}

static int
print_help(const struct opt_program *program)
{
	print_usage(program, stdout);
	printf("%s\n\n", program->summary);
	for (size_t i = 0; i < program->opt_count; i++)
		print_opt(&program->opts[i]);
	for (size_t i = 0; i < ARRAY_COUNT(common_opts); i++)
		print_opt(&common_opts[i]);
	return OPT_DONE;
}

static int
print_version(const struct opt_program *program)
{
	printf(
	    "%s (ringkit) %s proto=1 fmt=1\n", program->name, RINGKIT_VERSION);
	return OPT_DONE;
}

int
opt_usage(const struct opt_program *program, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	print_usage(program, stderr);
	return OPT_E_USAGE;
}

static bool
is_listed(const char *list, const char *name, size_t len)
{
	for (;;) {
		size_t at = strcspn(list, ",");

		if (at == len && memcmp(list, name, len) == 0)
			return true;
		if (list[at] == '\0')
			return false;
		list += at + 1;
	}
}

int
opt_check_fields(
    const struct opt_program *program, const char *list, const char *known)
{
	for (;;) {
		size_t len = strcspn(list, ",");

		if (!is_listed(known, list, len))
			return opt_usage(program,
			    "--fields: %.*s: no such field, expected some of "
			    "%s",
			    (int)len, list, known);
		if (list[len] == '\0')
			return 0;
		list += len + 1;
	}
}

/* What the argument should have been, for a message. */
static const char *
expected(enum opt_kind kind)
{
	switch (kind) {
	case OPT_COUNT:
		return "a number";
	case OPT_NODE:
		return "a node id";
	case OPT_FD:
		return "a file descriptor";
	case OPT_DURATION:
		return "a duration such as 500ms, 5, 2m or inf";
	case OPT_SIZE:
		return "a size such as 4096 or 1MiB";
	case OPT_FLAG:
	case OPT_STRING:
	case OPT_CALL:
		break;
	}
	return "another value";
}

static bool
set_fd(int *target, const char *arg)
{
	uint64_t fd;

	if (parse_u64(arg, strlen(arg), 0, INT_MAX, &fd) != 0)
		return false;
	*target = (int)fd;
	return true;
}

/* false: arg is malformed. */
static bool
set(const struct opt *opt, const char *arg)
{
	switch (opt->kind) {
	case OPT_FLAG:
		*(bool *)opt->target = true;
		return true;
	case OPT_STRING:
		*(const char **)opt->target = arg;
		return true;
	case OPT_COUNT:
		return parse_u64(
			   arg, strlen(arg), 0, UINT64_MAX, opt->target) == 0;
	case OPT_NODE:
		return parse_node_id(arg, strlen(arg), opt->target) == 0;
	case OPT_FD:
		return set_fd(opt->target, arg);
	case OPT_DURATION:
		return parse_duration(arg, strlen(arg), opt->target) == 0;
	case OPT_SIZE:
		return parse_size(arg, strlen(arg), opt->target) == 0;
	case OPT_CALL:
		return opt->call(arg);
	}
	return false;
}

/* getopt's tables, made from the program's and the common ones. */
struct tables {
	char letters[2 * OPTS_MAX + 3];
	struct option longs[OPTS_MAX + 1];
	size_t letter_len, long_count;
};

static void
add(struct tables *tables, const struct opt *opt, int value)
{
	int has_arg = opt->arg != NULL ? required_argument : no_argument;

	if (is_optional(opt))
		has_arg = optional_argument;
	if (opt->letter != '\0') {
		tables->letters[tables->letter_len++] = opt->letter;
		if (has_arg != no_argument)
			tables->letters[tables->letter_len++] = ':';
	}
	if (opt->name != NULL)
		tables->longs[tables->long_count++] =
		    (struct option){ .name = opt->name,
			    .has_arg = has_arg,
			    .val = opt->letter != '\0' ? opt->letter : value };
}

static void
make_tables(const struct opt_program *program, struct tables *tables)
{
	ENSURE(program->opt_count + ARRAY_COUNT(common_opts) <= OPTS_MAX);
	memset(tables, 0, sizeof *tables);
	memcpy(tables->letters, program->operand != NULL ? "-:" : "+:", 2);
	tables->letter_len = 2;
	for (size_t i = 0; i < program->opt_count; i++)
		add(tables, &program->opts[i], VALUE_BASE + (int)i);
	for (size_t i = 0; i < ARRAY_COUNT(common_opts); i++)
		add(tables, &common_opts[i], 0);
}

static const struct opt *
find(const struct opt_program *program, int value)
{
	if (value >= VALUE_BASE)
		return &program->opts[value - VALUE_BASE];
	for (size_t i = 0; i < program->opt_count; i++)
		if (program->opts[i].letter == value)
			return &program->opts[i];
	return NULL;
}

/* An option of the program's own table. */
static int
take(const struct opt_program *program, int value, const char *arg)
{
	const struct opt *opt = find(program, value);

	ENSURE(opt != NULL);
	if (set(opt, arg))
		return 0;
	if (opt->kind == OPT_CALL && opt->name != NULL)
		return opt_usage(program, "--%s: %s: expected %s: %s",
		    opt->name, arg, opt->arg, opt->help);
	if (opt->name != NULL)
		return opt_usage(program, "--%s: %s: expected %s", opt->name,
		    arg, expected(opt->kind));
	return opt_usage(program, "-%c: %s: expected %s", opt->letter, arg,
	    expected(opt->kind));
}

static int
take_any(const struct opt_program *program, int value, char **argv)
{
	switch (value) {
	case OPERAND:
		return program->operand(optarg)
		    ? 0
		    : opt_usage(program, "%s: not expected", optarg);
	case 'h':
		return print_help(program);
	case 'V':
		return print_version(program);
	case 'q':
		verbosity--;
		return 0;
	case 'v':
		verbosity++;
		return 0;
	case '?':
		return opt_usage(program,
		    "%s: not an option, or it takes no value",
		    optopt > 0 && optopt < VALUE_BASE
			? (char[]){ '-', (char)optopt, '\0' }
			: argv[optind - 1]);
	case ':':
		return opt_usage(
		    program, "%s: an argument is missing", argv[optind - 1]);
	default:
		return take(program, value, optarg != NULL ? optarg : "");
	}
}

int
opt_parse(const struct opt_program *program, int argc, char **argv, int *first)
{
	struct tables tables;
	int value;

	make_tables(program, &tables);
	verbosity = 0;
	optind = 0; /* 0, not 1: glibc then forgets an earlier scan */
	while ((value = getopt_long(
		    argc, argv, tables.letters, tables.longs, NULL)) != -1) {
		int rc = take_any(program, value, argv);

		if (rc != 0)
			return rc;
	}
	*first = optind;
	return 0;
}
