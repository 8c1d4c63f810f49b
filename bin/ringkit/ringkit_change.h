/* SPDX-License-Identifier: BSD-3-Clause */
/* What the commands have in common that change something on all nodes. */
#ifndef RK_RINGKIT_CHANGE_H
#define RK_RINGKIT_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

struct ask;
struct ask_line;
struct opt_program;
struct out;
struct word;

/* What each may be given, beside its own. */
struct ringkit_change_given {
	const char *rundir;
	bool is_json, is_record, is_dry;
};
extern struct ringkit_change_given ringkit_change_given;

/* Rows of a table of options; each is what a line is about. */
#define RINGKIT_CHANGE_OPT_DRY(help)                                          \
	{                                                                     \
		'n', "dry-run", OPT_FLAG, &ringkit_change_given.is_dry, NULL, \
		    NULL, help                                                \
	}
#define RINGKIT_CHANGE_OPT_SHOW(each)                                          \
	{ 'j', "json", OPT_FLAG, &ringkit_change_given.is_json, NULL, NULL,    \
		"print a JSON object " each },                                 \
	    { 'l', "records", OPT_FLAG, &ringkit_change_given.is_record, NULL, \
		    NULL, "print a record of key=value words " each },         \
	{                                                                      \
		'\0', "rundir", OPT_STRING, &ringkit_change_given.rundir,      \
		    NULL, "DIR", "where the sockets are"                       \
	}

/* Options, and no operands: 0, or what tool_opt_exit wants. */
RK_MUST_CHECK int ringkit_change_parse(
    const struct opt_program *program, int argc, char **argv);

/* Standard output, and ring.sock, or the process ends. */
struct ask *ringkit_change_open(struct out *out);

/* For people, without the end of the line. */
typedef void ringkit_change_human_fn(
    struct out *out, const char *kind, struct word *word);

/* One line, as it was asked for. */
void ringkit_change_show(struct out *out, const char *kind, struct word *word,
    ringkit_change_human_fn *human);

/* What was put to ask is sent; rc is what that answered. */
void ringkit_change_send(struct ask *ask, int rc);

/* The next line of the answer, or the process ends. */
void ringkit_change_get_line(
    struct ask *ask, struct ask_line *line, uint64_t deadline_ns);

/* The value, if there is one, behind its label: for a person. */
void ringkit_change_put_pair(
    struct out *out, struct word *word, const char *key, const char *label);

/* At once: what is next may take long, or fail. */
void ringkit_change_end_line(struct out *out);

#endif
