/* SPDX-License-Identifier: BSD-3-Clause */
/* The little JSON the tools need: strings out, members of an object in. */
#ifndef RK_JSON_H
#define RK_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "libcommon/base/attr.h"

struct text;

enum {
	JSON_STRING_GROWTH = 6, /* bytes that one byte may become */
	JSON_DEPTH_MAX = 32,    /* of nested values that are read */
};

/* "…": with its quotes.  bytes must be UTF-8 (text_is_utf8). */
void json_put_string(struct text *text, const void *bytes, size_t len);

/* The same for any bytes, as base64. */
void json_put_base64(struct text *text, const void *bytes, size_t len);

/* Borrowed from the object; a string's quotes are not part of it. */
struct json_value {
	const char *bytes;
	size_t len;
	bool is_string;
};

enum json_error {
	JSON_E_SYNTAX = 1, /* not one whole object */
	JSON_E_ABSENT,     /* it has no such member */
};

/* The member key of an object, which must be well formed as a whole. */
RK_MUST_CHECK int json_find(
    const char *object, size_t len, const char *key, struct json_value *out);

/*
 * Undoes a string's escapes, or base64, in place.  false: half a surrogate
 * pair; not base64.
 */
RK_MUST_CHECK bool json_undo_string(char *bytes, size_t *len);
RK_MUST_CHECK bool json_undo_base64(char *bytes, size_t *len);

#endif
