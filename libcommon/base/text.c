/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/base/text.h"

#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

void
text_init(struct text *text, char *bytes, size_t size)
{
	ENSURE(size > 0);
	*text = (struct text){ .bytes = bytes, .size = size };
	bytes[0] = '\0';
}

void
text_put_bytes(struct text *text, const void *bytes, size_t len)
{
	size_t room = text->size - text->len - 1;

	if (len > room)
		text->is_full = true;
	len = num_min(len, room);
	if (len > 0)
		memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
	text->bytes[text->len] = '\0';
}

void
text_put(struct text *text, const char *string)
{
	text_put_bytes(text, string, strlen(string));
}

void
text_put_char(struct text *text, char c)
{
	text_put_bytes(text, &c, 1);
}

void
text_put_u64(struct text *text, uint64_t value)
{
	char digits[20];
	size_t at = sizeof digits;

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	text_put_bytes(text, digits + at, sizeof digits - at);
}

void
text_put_hex(struct text *text, uint64_t value)
{
	char digits[16];
	size_t at = sizeof digits;

	do {
		digits[--at] = "0123456789abcdef"[value % 16];
		value /= 16;
	} while (value > 0);
	text_put_bytes(text, digits + at, sizeof digits - at);
}

/* Length of the valid UTF-8 sequence at b, or 0 (RFC 3629, section 4). */
static size_t
utf8_len(const uint8_t *b, size_t left)
{
	static const struct {
		uint8_t first_low, first_high, second_low, second_high, len;
	} form[] = {
		{ 0xC2, 0xDF, 0x80, 0xBF, 2 },
		{ 0xE0, 0xE0, 0xA0, 0xBF, 3 },
		{ 0xE1, 0xEC, 0x80, 0xBF, 3 },
		{ 0xED, 0xED, 0x80, 0x9F, 3 },
		{ 0xEE, 0xEF, 0x80, 0xBF, 3 },
		{ 0xF0, 0xF0, 0x90, 0xBF, 4 },
		{ 0xF1, 0xF3, 0x80, 0xBF, 4 },
		{ 0xF4, 0xF4, 0x80, 0x8F, 4 },
	};

	for (size_t i = 0; i < ARRAY_COUNT(form); i++) {
		if (b[0] < form[i].first_low || b[0] > form[i].first_high)
			continue;
		if (left < form[i].len || b[1] < form[i].second_low ||
		    b[1] > form[i].second_high)
			return 0;
		for (size_t j = 2; j < form[i].len; j++)
			if ((b[j] & 0xC0) != 0x80)
				return 0;
		return form[i].len;
	}
	return 0;
}

static void
put_escaped(struct text *text, uint8_t byte)
{
	static const char special[] = "\\\\\nn\tt\rr";

	for (size_t i = 0; i + 1 < sizeof special; i += 2)
		if (byte == (uint8_t)special[i]) {
			text_put_char(text, '\\');
			text_put_char(text, special[i + 1]);
			return;
		}
	char octal[5] = { '\\', '0', (char)('0' + (byte >> 6)),
		(char)('0' + (byte >> 3 & 7)), (char)('0' + (byte & 7)) };
	text_put_bytes(text, octal, sizeof octal);
}

void
text_put_value(struct text *text, const void *bytes, size_t len)
{
	const uint8_t *b = bytes;
	size_t at = 0;

	while (at < len) {
		size_t run = 1;
		if (b[at] >= 0x80)
			run = utf8_len(b + at, len - at);
		bool is_plain = run > 0 && b[at] > ' ' && b[at] != 0x7F &&
		    b[at] != '\\' && b[at] != '*' && b[at] != '?' &&
		    b[at] != '[' && b[at] != ']';
		if (is_plain)
			text_put_bytes(text, b + at, run);
		else
			put_escaped(text, b[at]);
		at += is_plain ? run : 1;
	}
}

bool
text_is_utf8(const void *bytes, size_t len)
{
	const uint8_t *b = bytes;
	size_t at = 0;

	while (at < len) {
		size_t run = b[at] < 0x80 ? 1 : utf8_len(b + at, len - at);

		if (run == 0)
			return false;
		at += run;
	}
	return true;
}
