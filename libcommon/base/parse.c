/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/base/parse.h"

#include <stdbool.h>
#include <string.h>

#include "libcommon/base/limits.h"
#include "libcommon/base/num.h"

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_word(const char *bytes, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(bytes, word, len) == 0;
}

/* The decimal number at *at, which moves behind it. */
static int
take_digits(const char *bytes, size_t len, size_t *at, uint64_t *out)
{
	uint64_t value = 0;
	bool is_large = false;
	size_t i = *at;

	for (; i < len && is_digit(bytes[i]); i++) {
		unsigned digit = (unsigned)(bytes[i] - '0');
		if (value > (UINT64_MAX - digit) / 10)
			is_large = true;
		else
			value = value * 10 + digit;
	}
	if (i == *at)
		return PARSE_E_SYNTAX;
	*at = i;
	*out = value;
	return is_large ? PARSE_E_RANGE : 0;
}

int
parse_u64(
    const char *bytes, size_t len, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;
	size_t at = 0;
	int rc = take_digits(bytes, len, &at, &value);

	if (rc == PARSE_E_SYNTAX || at != len)
		return PARSE_E_SYNTAX;
	if (rc != 0 || value < min || value > max)
		return PARSE_E_RANGE;
	*out = value;
	return 0;
}

int
parse_node_id(const char *bytes, size_t len, uint32_t *out)
{
	uint64_t value = 0;
	int rc = parse_u64(bytes, len, 1, LIMIT_NODE_ID_MAX, &value);

	if (rc == 0)
		*out = (uint32_t)value;
	return rc;
}

/* Decimals, read as billionths; those after the ninth are cut off. */
static int
take_billionths(const char *bytes, size_t len, size_t *at, uint64_t *out)
{
	uint64_t value = 0;
	size_t i = *at;

	for (; i < len && is_digit(bytes[i]); i++)
		if (i - *at < 9)
			value = value * 10 + (unsigned)(bytes[i] - '0');
	if (i == *at)
		return PARSE_E_SYNTAX;
	for (size_t digits = i - *at; digits < 9; digits++)
		value *= 10;
	*at = i;
	*out = value;
	return 0;
}

static const struct unit {
	const char *name;
	uint64_t factor;
} durations[] = {
	{ "", 1000000000 },
	{ "s", 1000000000 },
	{ "ms", 1000000 },
	{ "m", 60000000000 },
	{ "h", 3600000000000 },
}, sizes[] = {
	{ "", 1 },
	{ "KiB", (uint64_t)1 << 10 },
	{ "MiB", (uint64_t)1 << 20 },
	{ "GiB", (uint64_t)1 << 30 },
};

/* The factor of the unit that bytes are, or 0. */
static uint64_t
find_unit(const struct unit *units, size_t count, const char *bytes, size_t len)
{
	for (size_t i = 0; i < count; i++)
		if (is_word(bytes, len, units[i].name))
			return units[i].factor;
	return 0;
}

int
parse_duration(const char *bytes, size_t len, uint64_t *out_ns)
{
	uint64_t whole = 0, billionths = 0;
	size_t at = 0;

	if (is_word(bytes, len, "inf")) {
		*out_ns = PARSE_FOREVER;
		return 0;
	}
	int rc = take_digits(bytes, len, &at, &whole);
	if (rc == PARSE_E_SYNTAX)
		return rc;
	if (at < len && bytes[at] == '.') {
		at++;
		if (take_billionths(bytes, len, &at, &billionths) != 0)
			return PARSE_E_SYNTAX;
	}
	uint64_t factor =
	    find_unit(durations, ARRAY_COUNT(durations), bytes + at, len - at);
	if (factor == 0)
		return PARSE_E_SYNTAX;

	/* Two steps, since billionths of an hour would pass 64 bits. */
	uint64_t part_ns = billionths * (factor / 1000000) / 1000;
	if (rc != 0 || whole > (PARSE_FOREVER - 1 - part_ns) / factor)
		return PARSE_E_RANGE;
	*out_ns = whole * factor + part_ns;
	return 0;
}

int
parse_size(const char *bytes, size_t len, uint64_t *out_bytes)
{
	uint64_t whole = 0;
	size_t at = 0;
	int rc = take_digits(bytes, len, &at, &whole);

	if (rc == PARSE_E_SYNTAX)
		return rc;
	uint64_t factor =
	    find_unit(sizes, ARRAY_COUNT(sizes), bytes + at, len - at);
	if (factor == 0)
		return PARSE_E_SYNTAX;
	if (rc != 0 || whole > UINT64_MAX / factor)
		return PARSE_E_RANGE;
	*out_bytes = whole * factor;
	return 0;
}

int
parse_yes_no(const char *bytes, size_t len, int *out)
{
	bool is_yes = is_word(bytes, len, "yes");

	if (!is_yes && !is_word(bytes, len, "no"))
		return PARSE_E_SYNTAX;
	*out = is_yes;
	return 0;
}

/* Two numbers with a dot between; high bounds the first, low the second. */
static int
parse_pair(const char *bytes, size_t len, uint64_t high_max, uint64_t low_max,
    uint64_t out[2])
{
	const char *dot = len > 0 ? memchr(bytes, '.', len) : NULL;

	if (dot == NULL)
		return PARSE_E_SYNTAX;
	size_t high_len = (size_t)(dot - bytes);
	int rc = parse_u64(bytes, high_len, 0, high_max, &out[0]);
	int rc_low =
	    parse_u64(dot + 1, len - high_len - 1, 0, low_max, &out[1]);
	if (rc == PARSE_E_SYNTAX || rc_low == PARSE_E_SYNTAX)
		return PARSE_E_SYNTAX;
	return rc != 0 ? rc : rc_low;
}

int
parse_view(const char *bytes, size_t len, struct parse_view *out)
{
	uint64_t pair[2];
	int rc = parse_pair(bytes, len, UINT32_MAX, UINT64_MAX, pair);

	if (rc == 0)
		*out = (struct parse_view){ (uint32_t)pair[0], pair[1] };
	return rc;
}

int
parse_pos(const char *bytes, size_t len, struct parse_pos *out)
{
	struct parse_view view;
	uint64_t pair[2];
	const char *colon = len > 0 ? memchr(bytes, ':', len) : NULL;

	if (colon == NULL)
		return PARSE_E_SYNTAX;
	size_t view_len = (size_t)(colon - bytes);
	int rc = parse_view(bytes, view_len, &view);
	int rc_pair = parse_pair(
	    colon + 1, len - view_len - 1, UINT64_MAX, UINT32_MAX, pair);
	if (rc == PARSE_E_SYNTAX || rc_pair == PARSE_E_SYNTAX)
		return PARSE_E_SYNTAX;
	if (rc != 0 || rc_pair != 0)
		return PARSE_E_RANGE;
	*out = (struct parse_pos){ view, pair[0], (uint32_t)pair[1] };
	return 0;
}
