/* SPDX-License-Identifier: BSD-3-Clause */
/* Keys, changes and answers on standard output, in the form asked for. */
#ifndef RK_CFGSTORE_PRINT_H
#define RK_CFGSTORE_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/out.h"

struct ask_line;
struct opt_program;
struct word;

enum cfgstore_format {
	CFGSTORE_VALUE, /* its bytes and a line feed */
	CFGSTORE_EXACT, /* its bytes */
	CFGSTORE_PAIR,  /* KEY VALUE, both quoted */
	CFGSTORE_KEY,   /* quoted; exact with is_null */
	CFGSTORE_RECORD,
	CFGSTORE_JSON,
	CFGSTORE_FIELDS,
};

struct cfgstore_printer {
	enum cfgstore_format format;
	const char *fields; /* CFGSTORE_FIELDS: event,key,… */
	bool is_null;       /* ends each with NUL */
	struct out out;
};

/* One of them; what is not there is NULL. */
struct cfgstore_record {
	const char *event;
	struct word *word; /* without the words about data */
	const void *key;   /* when word has none */
	size_t key_len;
	const void *value, *old; /* NULL with a length: not told */
	size_t len, old_len;
	uint64_t seq;      /* 0: none */
	const char *stamp; /* with seq */
};

/* Opens it on standard output, with -j or -o as they were given. */
void cfgstore_printer_open(
    struct cfgstore_printer *printer, bool is_json, const char *fields);
/* Ends the program when it cannot be written. */
void cfgstore_printer_flush(struct cfgstore_printer *printer);
void cfgstore_printer_close(struct cfgstore_printer *printer);

/*
 * -j and -o exclude each other, -o names fields that are known (NULL: those
 * that the daemon tells, whichever): 0 or OPT_E_USAGE.
 */
RK_MUST_CHECK int cfgstore_printer_check(const struct opt_program *program,
    bool is_json, const char *fields, const char *known);

/* The fields that the outcome of a write may have. */
extern const char cfgstore_outcome[];

/*
 * A line of the daemon as a record: data apart, the words about data taken
 * out.  Borrows from the line, and changes it.
 */
void cfgstore_record_of(
    struct ask_line *line, const char *event, struct cfgstore_record *out);

/* Takes the pair out of the words, if it is there. */
void cfgstore_record_drop(struct word *word, const char *key);

/* As CFGSTORE_RECORD, without its end. */
void cfgstore_print_record(
    struct out *out, const struct cfgstore_record *record);

void cfgstore_print(
    struct cfgstore_printer *printer, const struct cfgstore_record *record);

#endif
