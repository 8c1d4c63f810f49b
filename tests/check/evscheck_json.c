/* SPDX-License-Identifier: BSD-3-Clause */
/* One line of JSON into fields, decoded in place: nothing that is read gets
 * longer.  Names, strings, numbers, true, false and null become text; a list
 * becomes its items joined with commas.
 */
#include <string.h>

#include "tests/check/evscheck_read.h"

enum { DEPTH = 8 };

struct json {
	char *at;
	const char *why;
};

static bool
bad(struct json *json, const char *why)
{
	if (json->why == NULL)
		json->why = why;
	return false;
}

static void
blanks(struct json *json)
{
	while (*json->at == ' ' || *json->at == '\t')
		json->at++;
}

static bool
expect(struct json *json, char c, const char *why)
{
	blanks(json);
	if (*json->at != c)
		return bad(json, why);
	json->at++;
	return true;
}

static bool
hex4(struct json *json, uint32_t *value)
{
	*value = 0;
	for (int i = 0; i < 4; i++, json->at++) {
		char c = *json->at;
		uint32_t digit;
		if (c >= '0' && c <= '9')
			digit = (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			digit = (uint32_t)(c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			digit = (uint32_t)(c - 'A' + 10);
		else
			return bad(json, "\\u without four hex digits");
		*value = *value << 4 | digit;
	}
	return true;
}

static char *
put_utf8(char *to, uint32_t c)
{
	if (c < 0x80) {
		*to++ = (char)c;
		return to;
	}
	if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*to++ = (char)(0xe0 | c >> 12);
		} else {
			*to++ = (char)(0xf0 | c >> 18);
			*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		}
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*to++ = (char)(0x80 | (c & 0x3f));
	return to;
}

/* After "\u". */
static bool
unicode(struct json *json, char **to)
{
	uint32_t c, low;
	if (!hex4(json, &c))
		return false;
	if (c >= 0xdc00 && c < 0xe000)
		return bad(json, "half a surrogate pair");
	if (c >= 0xd800 && c < 0xdc00) {
		if (json->at[0] != '\\' || json->at[1] != 'u')
			return bad(json, "half a surrogate pair");
		json->at += 2;
		if (!hex4(json, &low))
			return false;
		if (low < 0xdc00 || low >= 0xe000)
			return bad(json, "half a surrogate pair");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	*to = put_utf8(*to, c);
	return true;
}

/* After a backslash. */
static bool
escape(struct json *json, char **to)
{
	static const char from[] = "\"\\/bfnrt";
	static const char into[] = "\"\\/\b\f\n\r\t";
	char c = *json->at++;
	if (c == 'u')
		return unicode(json, to);
	const char *found = c == '\0' ? NULL : strchr(from, c);
	if (found == NULL)
		return bad(json, "an unknown escape");
	*(*to)++ = into[found - from];
	return true;
}

/* Writes the string's bytes at *to, which is not after what is read. */
static bool
string(struct json *json, char **to)
{
	if (!expect(json, '"', "expected a string"))
		return false;
	for (;;) {
		char c = *json->at++;
		if (c == '"')
			return true;
		if (c == '\\') {
			if (!escape(json, to))
				return false;
			continue;
		}
		if ((unsigned char)c < 0x20)
			return bad(json, "a control character in a string");
		*(*to)++ = c;
	}
}

/* A number, true, false or null; as it stands. */
static bool
plain(struct json *json, char **to)
{
	const char *from = json->at;
	size_t len = strcspn(from, " \t,]}");
	size_t digits = strspn(from, "-+.eE0123456789");
	bool is_word = (len == 4 && memcmp(from, "true", 4) == 0) ||
	    (len == 5 && memcmp(from, "false", 5) == 0) ||
	    (len == 4 && memcmp(from, "null", 4) == 0);
	if (len == 0 || (digits != len && !is_word))
		return bad(json, "expected a value");
	memmove(*to, from, len);
	*to += len;
	json->at += len;
	return true;
}

/* Passes over any value; its strings are checked like others. */
static bool
skip(struct json *json)
{
	char close[DEPTH];
	int depth = 0;
	do {
		char *to = json->at;
		blanks(json);
		if (*json->at == '{' || *json->at == '[') {
			if (depth == DEPTH)
				return bad(json, "nested too deeply");
			close[depth++] = *json->at++ == '{' ? '}' : ']';
		} else if (*json->at == '}' || *json->at == ']') {
			if (*json->at++ != close[--depth])
				return bad(json, "brackets do not match");
		} else if (*json->at == ',' || *json->at == ':') {
			json->at++;
		} else if (*json->at == '"') {
			if (!string(json, &to))
				return false;
		} else if (!plain(json, &to)) {
			return false;
		}
	} while (depth > 0);
	return true;
}

static bool
scalar(struct json *json, char **to)
{
	blanks(json);
	if (*json->at == '"')
		return string(json, to);
	if (*json->at == '{' || *json->at == '[')
		return skip(json);
	return plain(json, to);
}

static bool
list(struct json *json, char **to)
{
	json->at++;
	blanks(json);
	if (*json->at == ']') {
		json->at++;
		return true;
	}
	for (;;) {
		if (!scalar(json, to))
			return false;
		blanks(json);
		if (*json->at == ']') {
			json->at++;
			return true;
		}
		if (!expect(json, ',', "expected , or ] in a list"))
			return false;
		*(*to)++ = ',';
	}
}

static bool
member(struct json *json, struct evscheck_record *record)
{
	if (record->count == EVSCHECK_FIELDS)
		return bad(json, "too many fields");
	struct evscheck_field *field = &record->field[record->count];
	blanks(json);
	char *key = json->at;
	char *to = key;
	if (!string(json, &to))
		return false;
	*to = '\0';
	if (evscheck_read_field(record, key) != NULL)
		return bad(json, "a field twice");
	if (!expect(json, ':', "expected :"))
		return false;
	/* The value is at least as long as what it becomes, the colon
	 * before it makes room for the NUL of the key. */
	blanks(json);
	char *value = json->at;
	to = value;
	bool is_read = *value == '[' ? list(json, &to) : scalar(json, &to);
	if (!is_read)
		return false;
	field->key = key;
	field->value = value;
	field->len = (size_t)(to - value);
	record->count++;
	return true;
}

/* Ends the values with NUL, once nothing is to be read after them. */
static void
terminate(struct evscheck_record *record)
{
	for (size_t i = 0; i < record->count; i++) {
		const struct evscheck_field *field = &record->field[i];
		char *value = (char *)(uintptr_t)field->value;
		value[field->len] = '\0';
	}
}

const char *
evscheck_json(char *line, struct evscheck_record *record)
{
	struct json json = { .at = line };
	record->count = 0;
	record->event = "";
	if (!expect(&json, '{', "expected {"))
		return json.why;
	blanks(&json);
	bool is_empty = *json.at == '}';
	while (!is_empty && member(&json, record)) {
		blanks(&json);
		if (*json.at != ',')
			break;
		json.at++;
	}
	if (json.why != NULL || !expect(&json, '}', "expected , or }"))
		return json.why;
	blanks(&json);
	if (*json.at != '\0')
		return "something after the object";
	terminate(record);
	record->event = evscheck_read_text(record, "event");
	return NULL;
}
