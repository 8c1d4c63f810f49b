/* SPDX-License-Identifier: BSD-3-Clause */
/* A bounded builder of text, with the toolkit's one way to quote a value. */
#ifndef RK_TEXT_H
#define RK_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What does not fit is cut off and sets is_full.  The text is always ended
 * by a NUL that len does not count; size is at least 1.
 */
struct text {
	char *bytes; /* borrowed */
	size_t size;
	size_t len;
	bool is_full;
};

void text_init(struct text *text, char *bytes, size_t size);

void text_put(struct text *text, const char *string);
void text_put_char(struct text *text, char c);
void text_put_bytes(struct text *text, const void *bytes, size_t len);
void text_put_u64(struct text *text, uint64_t value);
void text_put_hex(struct text *text, uint64_t value);

/*
 * Bytes as the value of a record (2-interface 3.2): blanks, controls, DEL,
 * backslash, * ? [ ] and bytes that are not valid UTF-8 become \\ \n \t \r
 * or \0ooo.
 */
void text_put_value(struct text *text, const void *bytes, size_t len);

/* All of it is valid UTF-8 (RFC 3629). */
bool text_is_utf8(const void *bytes, size_t len);

#endif
