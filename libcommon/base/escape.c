/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/base/escape.h"

#include <string.h>

#include "libcommon/base/ensure.h"

enum { OCTAL_LEN = 5 }; /* \0ooo */

static size_t
read_octal(const char *bytes, size_t left, uint8_t *byte)
{
	unsigned value = 0;

	if (left < OCTAL_LEN)
		return 0;
	for (int i = 2; i < OCTAL_LEN; i++) {
		if (bytes[i] < '0' || bytes[i] > '7')
			return 0;
		value = value << 3 | (unsigned)(bytes[i] - '0');
	}
	if (value > UINT8_MAX)
		return 0;
	*byte = (uint8_t)value;
	return OCTAL_LEN;
}

size_t
escape_read(const char *bytes, size_t left, uint8_t *byte)
{
	if (left < 2)
		return 0;
	switch (bytes[1]) {
	case '\\':
		*byte = '\\';
		return 2;
	case 'n':
		*byte = '\n';
		return 2;
	case 't':
		*byte = '\t';
		return 2;
	case 'r':
		*byte = '\r';
		return 2;
	case '0':
		return read_octal(bytes, left, byte);
	default:
		return 0;
	}
}

/* The next backslash from at on, or len. */
static size_t
find_escape(const char *bytes, size_t at, size_t len)
{
	const char *found =
	    at < len ? memchr(bytes + at, '\\', len - at) : NULL;

	return found != NULL ? (size_t)(found - bytes) : len;
}

bool
escape_is_valid(const char *bytes, size_t len)
{
	size_t at = find_escape(bytes, 0, len);

	while (at < len) {
		uint8_t byte;
		size_t step = escape_read(bytes + at, len - at, &byte);
		if (step == 0)
			return false;
		at = find_escape(bytes, at + step, len);
	}
	return true;
}

size_t
escape_undo(char *bytes, size_t len)
{
	size_t from = find_escape(bytes, 0, len);
	size_t to = from;

	while (from < len) {
		uint8_t byte = 0;
		size_t step = escape_read(bytes + from, len - from, &byte);
		ENSURE(step > 0);
		bytes[to++] = (char)byte;
		from += step;
		size_t next = find_escape(bytes, from, len);
		memmove(bytes + to, bytes + from, next - from);
		to += next - from;
		from = next;
	}
	return to;
}
