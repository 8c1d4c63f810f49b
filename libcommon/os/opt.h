/* SPDX-License-Identifier: BSD-3-Clause */
/* Options of a program: one table that is parsed and printed by --help. */
#ifndef RK_OPT_H
#define RK_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

enum opt_kind {
	OPT_FLAG,     /* bool *: becomes true */
	OPT_STRING,   /* const char **: borrowed from argv */
	OPT_COUNT,    /* uint64_t *: a decimal number */
	OPT_NODE,     /* uint32_t *: a node id */
	OPT_FD,       /* int *: an open descriptor's number */
	OPT_DURATION, /* uint64_t *: ns; "inf" is PARSE_FOREVER */
	OPT_SIZE,     /* uint64_t *: bytes */
	OPT_CALL,     /* opt_fn *: every time the option is given */
};

/* arg: the option's argument, "" when it takes none.  false: malformed. */
typedef bool opt_fn(const char *arg);

struct opt {
	char letter;      /* '\0': no short form */
	const char *name; /* long form, NULL: none */
	enum opt_kind kind;
	void *target; /* where the value goes; not for OPT_CALL */
	opt_fn *call; /* OPT_CALL only */
	/* "DUR": its name in --help; NULL: takes none.  "[DUR]", only for
	 * OPT_CALL with a long form alone: may be left out, then "". */
	const char *arg;
	const char *help;
};

struct opt_program {
	const char *name;
	const char *operands; /* "GROUP [MESSAGE]", may be "" */
	const char *summary;  /* one line */
	const struct opt *opts;
	size_t opt_count;
	/*
	 * Takes each operand before "--", and options may follow it; what
	 * stands behind "--" is left.  NULL: the first operand ends them.
	 */
	opt_fn *operand;
};

enum opt_result {
	OPT_DONE = 1, /* --help or --version was printed: exit 0 */
	OPT_E_USAGE,  /* the reason was printed: exit 64 */
};

/*
 * Parses up to the first operand or "--"; *first is then the index of the
 * first operand that is left.  Beside the table, every program has -h --help,
 * -V
 * --version, -q --quiet and -v --verbose.
 */
RK_MUST_CHECK int opt_parse(
    const struct opt_program *program, int argc, char **argv, int *first);

/* -v counted up, -q down; 0 without either. */
int opt_verbosity(void);

/* Says why the operands are wrong: OPT_E_USAGE, to be returned. */
int opt_usage(const struct opt_program *program, const char *format, ...)
    RK_PRINTF(2, 3);

/*
 * Is each name of a list "a,b" among the known "a,b,c"?  0, or OPT_E_USAGE
 * after saying which is not, as of --fields.
 */
RK_MUST_CHECK int opt_check_fields(
    const struct opt_program *program, const char *list, const char *known);

/* --rundir if given, else $RINGKIT_RUNDIR, else /run/ringkit. */
const char *opt_rundir(const char *given);

#endif
