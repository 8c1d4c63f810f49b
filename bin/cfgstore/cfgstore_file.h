/* SPDX-License-Identifier: BSD-3-Clause */
/* Files of records: "put key=… value=…", as export prints and txn takes. */
#ifndef RK_CFGSTORE_FILE_H
#define RK_CFGSTORE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "libcommon/base/attr.h"

struct cfgstore_bytes;
struct word;

struct cfgstore_file {
	const char *name; /* for what is said of it */
	char *at;         /* what is left of the bytes, which it changes */
	size_t left;
	size_t line; /* of the record that was taken last, from 1 on */
};

/* Reads it whole, "-" is standard input; *bytes must be kept meanwhile. */
void cfgstore_file_open(
    struct cfgstore_file *file, const char *path, struct cfgstore_bytes *bytes);

/*
 * The next record; blank lines are passed over.  false: there is none.  One
 * that cannot be read ends the program with 65.
 */
RK_MUST_CHECK bool cfgstore_file_next(
    struct cfgstore_file *file, struct word *word);

/* Ends the program: FILE:LINE: what. */
RK_NORETURN void cfgstore_file_fail(
    const struct cfgstore_file *file, const char *what);

/* The value of a key that must be there. */
void cfgstore_file_value(const struct cfgstore_file *file, struct word *word,
    const char *key, struct cfgstore_bytes *out);

/* The same, 1 to 512 bytes. */
void cfgstore_file_key(const struct cfgstore_file *file, struct word *word,
    const char *key, struct cfgstore_bytes *out);

#endif
