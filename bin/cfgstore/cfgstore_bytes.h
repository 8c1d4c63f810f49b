/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes that grow, and how a value comes in from the command line and goes
 * out into a file.  What cannot be done ends the program, and says why.
 */
#ifndef RK_CFGSTORE_BYTES_H
#define RK_CFGSTORE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed it is empty; the one behind the last is a NUL once there is any. */
struct cfgstore_bytes {
	char *at;
	size_t len, size;
};

void cfgstore_bytes_put(
    struct cfgstore_bytes *bytes, const void *from, size_t len);
void cfgstore_bytes_put_string(
    struct cfgstore_bytes *bytes, const char *string);
void cfgstore_bytes_put_u64(struct cfgstore_bytes *bytes, uint64_t value);
/* As the value of a record. */
void cfgstore_bytes_put_value(
    struct cfgstore_bytes *bytes, const void *from, size_t len);
void cfgstore_bytes_free(struct cfgstore_bytes *bytes);

/*
 * VALUE of the command line: "-" is standard input to its end, "@FILE" the
 * bytes of the file, all else, or with is_literal all, itself.
 */
void cfgstore_bytes_load(
    struct cfgstore_bytes *bytes, const char *value, bool is_literal);

/* One line feed less at the end, if there is one. */
void cfgstore_bytes_chomp(struct cfgstore_bytes *bytes);

/* All of a file, "-" is standard input; not more than that many. */
void cfgstore_bytes_read(
    struct cfgstore_bytes *bytes, const char *path, size_t max);

bool cfgstore_bytes_exists(const char *path);

/*
 * Puts the bytes in the place of the file: a new one beside it, with the mode
 * of the old one, fsync, then its name, then fsync of the folder.
 */
void cfgstore_bytes_save(const char *path, const void *from, size_t len);

#endif
