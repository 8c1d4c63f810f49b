/* SPDX-License-Identifier: BSD-3-Clause */
/* RFC 8259.  What is read need not be UTF-8: its bytes are passed on. */
#include "libcommon/base/json.h"

#include <stdint.h>
#include <string.h>

#include "libcommon/base/text.h"

/* ---- out --------------------------------------------------------------- */

static void
put_escaped(struct text *text, uint8_t byte)
{
	static const char hex[] = "0123456789abcdef";
	static const char plain[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	for (size_t i = 0; i + 1 < sizeof plain; i += 2)
		if (byte == (uint8_t)plain[i]) {
			text_put_char(text, '\\');
			text_put_char(text, plain[i + 1]);
			return;
		}
	text_put(text, "\\u00");
	text_put_char(text, hex[byte >> 4]);
	text_put_char(text, hex[byte & 15]);
}

static bool
is_plain(uint8_t byte)
{
	return byte >= ' ' && byte != '"' && byte != '\\' && byte != 0x7F;
}

void
json_put_string(struct text *text, const void *bytes, size_t len)
{
	const uint8_t *b = bytes;
	size_t at = 0;

	text_put_char(text, '"');
	while (at < len) {
		size_t end = at;

		while (end < len && is_plain(b[end]))
			end++;
		text_put_bytes(text, b + at, end - at);
		at = end;
		if (at < len)
			put_escaped(text, b[at++]);
	}
	text_put_char(text, '"');
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
json_put_base64(struct text *text, const void *bytes, size_t len)
{
	const uint8_t *b = bytes;

	text_put_char(text, '"');
	for (size_t at = 0; at < len; at += 3) {
		size_t left = len - at;
		uint32_t bits = (uint32_t)b[at] << 16 |
		    (left > 1 ? (uint32_t)b[at + 1] << 8 : 0) |
		    (left > 2 ? b[at + 2] : 0);
		char quad[4] = { base64_digits[bits >> 18],
			base64_digits[bits >> 12 & 63], '=', '=' };

		if (left > 1)
			quad[2] = base64_digits[bits >> 6 & 63];
		if (left > 2)
			quad[3] = base64_digits[bits & 63];
		text_put_bytes(text, quad, sizeof quad);
	}
	text_put_char(text, '"');
}

/* ---- in ---------------------------------------------------------------- */

struct json {
	const char *bytes;
	size_t len, at;
};

static int
peek(const struct json *json)
{
	return json->at < json->len ? (unsigned char)json->bytes[json->at] : -1;
}

static void
skip_blanks(struct json *json)
{
	while (json->at < json->len &&
	    memchr(" \t\r\n", json->bytes[json->at], 4) != NULL)
		json->at++;
}

static bool
take(struct json *json, char c)
{
	skip_blanks(json);
	if (peek(json) != c)
		return false;
	json->at++;
	return true;
}

static int
hex_value(int c)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	const char *found = c > 0 ? strchr(digits, c) : NULL;
	int value = found != NULL ? (int)(found - digits) : -1;

	return value > 15 ? value - 6 : value;
}

/* At a backslash: the length of the escape, or 0. */
static size_t
escape_len(const char *bytes, size_t left)
{
	if (left < 2 || strchr("\"\\/bfnrtu", bytes[1]) == NULL ||
	    bytes[1] == '\0')
		return 0;
	if (bytes[1] != 'u')
		return 2;
	if (left < 6)
		return 0;
	for (int i = 2; i < 6; i++)
		if (hex_value((unsigned char)bytes[i]) < 0)
			return 0;
	return 6;
}

static bool
take_string(struct json *json, struct json_value *out)
{
	size_t start;

	if (!take(json, '"'))
		return false;
	start = json->at;
	while (peek(json) != '"') {
		size_t step = 1;

		if (peek(json) < ' ')
			return false;
		if (peek(json) == '\\')
			step = escape_len(
			    json->bytes + json->at, json->len - json->at);
		if (step == 0)
			return false;
		json->at += step;
	}
	*out =
	    (struct json_value){ json->bytes + start, json->at - start, true };
	json->at++;
	return true;
}

/* A number, true, false or null; numbers are not looked at closely. */
static bool
take_scalar(struct json *json, struct json_value *out)
{
	static const char *const words[] = { "true", "false", "null" };
	size_t start = json->at, len;

	while (json->at < json->len &&
	    strchr(" \t\r\n,]}", json->bytes[json->at]) == NULL)
		json->at++;
	*out =
	    (struct json_value){ json->bytes + start, json->at - start, false };
	len = out->len;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (len == strlen(words[i]) &&
		    memcmp(out->bytes, words[i], len) == 0)
			return true;
	for (size_t i = 0; i < len; i++)
		if (strchr("0123456789+-.eE", out->bytes[i]) == NULL)
			return false;
	return len > 0;
}

/*
 * Skips nested arrays and objects without recursion: within them, it is
 * enough that brackets match and that strings and words are whole.
 */
static bool
take_nested(struct json *json, struct json_value *out)
{
	char closer[JSON_DEPTH_MAX];
	size_t depth = 0, start = json->at;
	struct json_value inner;

	do {
		int c;

		skip_blanks(json);
		c = peek(json);
		if (c == '[' || c == '{') {
			if (depth == JSON_DEPTH_MAX)
				return false;
			closer[depth++] = c == '[' ? ']' : '}';
			json->at++;
		} else if (depth > 0 && c == closer[depth - 1]) {
			depth--;
			json->at++;
		} else if (c == ',' || c == ':') {
			json->at++;
		} else if (!(c == '"' ? take_string(json, &inner)
				      : take_scalar(json, &inner))) {
			return false;
		}
	} while (depth > 0);
	*out =
	    (struct json_value){ json->bytes + start, json->at - start, false };
	return true;
}

static bool
take_value(struct json *json, struct json_value *out)
{
	skip_blanks(json);
	switch (peek(json)) {
	case '"':
		return take_string(json, out);
	case '[':
	case '{':
		return take_nested(json, out);
	default:
		return take_scalar(json, out);
	}
}

int
json_find(
    const char *object, size_t len, const char *key, struct json_value *out)
{
	struct json json = { object, len, 0 };
	struct json_value name, value;
	bool is_found = false;

	if (!take(&json, '{'))
		return JSON_E_SYNTAX;
	if (!take(&json, '}')) {
		do {
			if (!take_string(&json, &name) || !take(&json, ':') ||
			    !take_value(&json, &value))
				return JSON_E_SYNTAX;
			if (name.len != strlen(key) ||
			    memcmp(name.bytes, key, name.len) != 0)
				continue;
			*out = value;
			is_found = true;
		} while (take(&json, ','));
		if (!take(&json, '}'))
			return JSON_E_SYNTAX;
	}
	skip_blanks(&json);
	if (json.at != json.len)
		return JSON_E_SYNTAX;
	return is_found ? 0 : JSON_E_ABSENT;
}

static uint32_t
read_hex4(const char *bytes)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++)
		value =
		    value << 4 | (uint32_t)hex_value((unsigned char)bytes[i]);
	return value;
}

/* Writes code as UTF-8: its length. */
static size_t
put_utf8(char *to, uint32_t code)
{
	size_t len = code < 0x80 ? 1
	    : code < 0x800       ? 2
	    : code < 0x10000     ? 3
				 : 4;
	static const uint8_t lead[] = { 0, 0, 0xC0, 0xE0, 0xF0 };

	for (size_t i = len; --i > 0; code >>= 6)
		to[i] = (char)(0x80 | (code & 63));
	to[0] = (char)(lead[len] | code);
	return len;
}

/* A \uXXXX, or two that are one: its length, or 0. */
static size_t
undo_unicode(const char *bytes, size_t left, uint32_t *code)
{
	uint32_t low;

	*code = read_hex4(bytes + 2);
	if (*code < 0xD800 || *code > 0xDFFF)
		return 6;
	if (*code > 0xDBFF || left < 12 || bytes[6] != '\\' || bytes[7] != 'u')
		return 0;
	low = read_hex4(bytes + 8);
	if (low < 0xDC00 || low > 0xDFFF)
		return 0;
	*code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
	return 12;
}

bool
json_undo_string(char *bytes, size_t *len)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	size_t at = 0, end = 0;

	while (at < *len) {
		uint32_t code;
		size_t step;

		if (bytes[at] != '\\') {
			bytes[end++] = bytes[at++];
			continue;
		}
		if (bytes[at + 1] != 'u') {
			bytes[end++] = to[strchr(from, bytes[at + 1]) - from];
			at += 2;
			continue;
		}
		step = undo_unicode(bytes + at, *len - at, &code);
		if (step == 0)
			return false;
		end += put_utf8(bytes + end, code);
		at += step;
	}
	*len = end;
	return true;
}

/* Four digits, the last ones perhaps '=': how many bytes, 0 when bad. */
static size_t
undo_quad(const char *quad, char out[3])
{
	uint32_t bits = 0;
	size_t digits = 0;

	while (digits < 4 && quad[digits] != '=') {
		const char *found = quad[digits] != '\0'
		    ? strchr(base64_digits, quad[digits])
		    : NULL;

		if (found == NULL)
			return 0;
		bits = bits << 6 | (uint32_t)(found - base64_digits);
		digits++;
	}
	if (digits < 2 || (digits == 2 && quad[3] != '='))
		return 0;
	bits <<= 6 * (4 - digits);
	for (int i = 0; i < 3; i++)
		out[i] = (char)(bits >> (16 - 8 * i));
	return digits - 1;
}

bool
json_undo_base64(char *bytes, size_t *len)
{
	size_t end = 0;

	if (*len % 4 != 0)
		return false;
	for (size_t at = 0; at < *len; at += 4) {
		char out[3];
		size_t n = undo_quad(bytes + at, out);

		if (n == 0 || (n < 3 && at + 4 < *len))
			return false;
		memcpy(bytes + end, out, n);
		end += n;
	}
	*len = end;
	return true;
}
