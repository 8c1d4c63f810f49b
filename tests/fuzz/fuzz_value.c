/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values: whatever the bytes, they must come back from their escaped form;
 * numbers, times, sizes, positions and patterns are read out of them.
 */
#include <stdint.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/escape.h"
#include "libcommon/base/glob.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { FUZZ_LEN_MAX = 256, FUZZ_ESCAPE_LEN = 5 };

static void
escape_and_back(const uint8_t *bytes, size_t len)
{
	char out[FUZZ_LEN_MAX * FUZZ_ESCAPE_LEN + 1];
	struct text text;

	text_init(&text, out, sizeof out);
	text_put_value(&text, bytes, len);
	ENSURE(!text.is_full);
	ENSURE(escape_is_valid(out, text.len));
	/* Escaped, it is also a pattern that describes just these bytes. */
	ENSURE(glob_is_valid(out, text.len));
	ENSURE(glob_match(out, text.len, bytes, len));
	size_t back = escape_undo(out, text.len);
	ENSURE(back == len && memcmp(out, bytes, len) == 0);
}

static void
read_numbers(const char *text, size_t len)
{
	struct parse_pos pos;
	struct parse_view view;
	uint64_t value = 0;
	uint32_t node = 1;
	int yes = 0;

	if (parse_u64(text, len, 3, 1000, &value) == 0)
		ENSURE(value >= 3 && value <= 1000);
	if (parse_node_id(text, len, &node) == 0)
		ENSURE(node >= 1 && node <= 65535);
	if (parse_yes_no(text, len, &yes) == 0)
		ENSURE(yes == 0 || yes == 1);
	if (parse_duration(text, len, &value) == 0 && value == PARSE_FOREVER)
		ENSURE(len == 3 && memcmp(text, "inf", len) == 0);
	if (parse_size(text, len, &value) == 0)
		ENSURE(len > 0 && text[0] >= '0' && text[0] <= '9');
	if (parse_view(text, len, &view) == 0)
		ENSURE(memchr(text, '.', len) != NULL);
	if (parse_pos(text, len, &pos) == 0)
		ENSURE(memchr(text, ':', len) != NULL);
}

/* The bytes up to the first 0 as a pattern, the others as a name. */
static void
match(const char *bytes, size_t len)
{
	const char *end = memchr(bytes, '\0', len);
	size_t pattern_len = end != NULL ? (size_t)(end - bytes) : len;
	bool is_match = glob_match(
	    bytes, pattern_len, bytes + pattern_len, len - pattern_len);

	if (is_match)
		ENSURE(glob_is_valid(bytes, pattern_len));
	ENSURE(glob_match("**", 2, bytes, len));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (len == 0 || len > FUZZ_LEN_MAX)
		return 0;
	escape_and_back(bytes, len);
	read_numbers((const char *)bytes, len);
	match((const char *)bytes, len);
	return 0;
}
