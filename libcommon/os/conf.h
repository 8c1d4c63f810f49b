/* SPDX-License-Identifier: BSD-3-Clause */
/* The configuration file: sections of typed settings, all mistakes at once.
 *
 * Each mistake is a line "FILE:LINE: what, expected what" of a report.
 * libinih does the splitting, fed line by line, so that a line it would
 * silently cut, join or misread is refused with its number instead.
 */
#ifndef RK_CONF_H
#define RK_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

struct text;

enum {
	CONF_LINE_BYTES = 199,   /* of one line, with what ends it */
	CONF_SECTION_BYTES = 96, /* of its name, with the NUL */
};

struct conf;

/*
 * A section begins.  Borrowed until the next call; "": one whose name cannot be
 * read, which is told after the call.
 */
typedef void conf_section_fn(struct conf *conf, void *arg, const char *section);
typedef void conf_value_fn(
    struct conf *conf, void *arg, const char *key, const char *value);

struct conf_handler {
	conf_section_fn *section;
	conf_value_fn *value;
	void *arg; /* of both */
};

/* While a file is read; the fields are for conf.c. */
struct conf {
	const char *path;
	unsigned line;   /* the one at hand, from 1 */
	unsigned errors; /* so far */
	struct text *report;
	const struct conf_handler *handler;
	void *file;
	bool has_section;
};

enum { CONF_E_INVALID = 1 };

/*
 * Reads a file, calling back for every section and value.  0; CONF_E_INVALID
 * when conf_fail was called (report has the lines); -E… when the file cannot
 * be read.  conf need not be initialised.
 */
RK_MUST_CHECK int conf_read(struct conf *conf, const char *path,
    const struct conf_handler *handler, struct text *report);

/* Adds a mistake in the line at hand to the report. */
void conf_fail(struct conf *conf, const char *format, ...) RK_PRINTF(2, 3);

/* The same for a line passed before, or 0: the file as a whole. */
void conf_fail_at(struct conf *conf, unsigned line, const char *format, ...)
    RK_PRINTF(3, 4);

/* A line of the report that is no mistake: "FILE:LINE: warning: …". */
void conf_warn(struct conf *conf, const char *format, ...) RK_PRINTF(2, 3);
void conf_warn_at(struct conf *conf, unsigned line, const char *format, ...)
    RK_PRINTF(3, 4);

enum conf_kind {
	CONF_YES_NO,   /* bool */
	CONF_COUNT,    /* uint32_t, min .. max */
	CONF_DURATION, /* uint64_t ns, min .. max */
	CONF_SIZE,     /* uint64_t bytes, min .. max */
	CONF_WORD,     /* int: index of the value in words */
	CONF_STRING,   /* char[max], not empty */
};

struct conf_setting {
	const char *key;
	enum conf_kind kind;
	size_t offset; /* in the struct that conf_set fills */
	uint64_t min, max;
	const char *const *words; /* CONF_WORD: ended by NULL */
	bool has_auto;            /* "auto" is 0 */
};

/* A section's settings and where they go. */
struct conf_table {
	const struct conf_setting *settings;
	size_t count; /* at most 64 */
	void *base;
	uint64_t seen; /* a bit for each setting that was set */
};

/*
 * Sets key by the table; complains about a bad value, a key that was set
 * before, and an unknown one (a warning: a newer version may know it).
 */
void conf_set(struct conf *conf, struct conf_table *table, const char *key,
    const char *value);

#endif
