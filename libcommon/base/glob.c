/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/base/glob.h"

#include <stdint.h>

#include "libcommon/base/escape.h"

enum glob_kind { GLOB_BYTE, GLOB_ANY, GLOB_STAR, GLOB_STARS, GLOB_BAD };

struct glob_token {
	enum glob_kind kind;
	uint8_t byte;
	size_t len; /* in the pattern */
};

static struct glob_token
read_token(const char *pattern, size_t left)
{
	struct glob_token token = { GLOB_BYTE, (uint8_t)pattern[0], 1 };

	if (pattern[0] == '?')
		token.kind = GLOB_ANY;
	if (pattern[0] == '*')
		token.kind = GLOB_STAR;
	if (pattern[0] == '*' && left > 1 && pattern[1] == '*')
		token = (struct glob_token){ GLOB_STARS, 0, 2 };
	if (pattern[0] == '\\') {
		token.len = escape_read(pattern, left, &token.byte);
		token.kind = token.len > 0 ? GLOB_BYTE : GLOB_BAD;
	}
	return token;
}

/* Where to go on when a byte does not match: one byte more for the star. */
struct glob_resume {
	bool is_set;
	size_t pattern_at; /* behind the star */
	size_t name_at;    /* behind what the star stands for */
};

struct glob_walk {
	size_t pattern_at;
	size_t name_at;
	struct glob_resume star;  /* the last * after the last ** */
	struct glob_resume stars; /* the last ** */
};

static bool
resume(struct glob_walk *walk, struct glob_resume *from)
{
	from->name_at++;
	walk->pattern_at = from->pattern_at;
	walk->name_at = from->name_at;
	return true;
}

/*
 * Only the last * and the last ** ever need another try: whatever an earlier
 * one could leave to them, they can take themselves.  (A literal between two
 * stars of one level sits at its first place; one with a '/' in it has only
 * one place.)
 */
static bool
give_way(struct glob_walk *walk, const uint8_t *name, size_t name_len)
{
	if (walk->star.is_set && walk->star.name_at < name_len &&
	    name[walk->star.name_at] != '/')
		return resume(walk, &walk->star);
	walk->star.is_set = false;
	if (walk->stars.is_set && walk->stars.name_at < name_len)
		return resume(walk, &walk->stars);
	return false;
}

/* Goes over one token of the pattern; false when it does not match here. */
static bool
advance(struct glob_walk *walk, struct glob_token token, const uint8_t *name,
    size_t name_len)
{
	bool is_star = token.kind == GLOB_STAR || token.kind == GLOB_STARS;
	bool is_end = walk->name_at == name_len;

	if (!is_star && (is_end || token.kind == GLOB_BAD))
		return false;
	if (token.kind == GLOB_ANY && name[walk->name_at] == '/')
		return false;
	if (token.kind == GLOB_BYTE && name[walk->name_at] != token.byte)
		return false;
	walk->pattern_at += token.len;
	if (!is_star) {
		walk->name_at++;
		return true;
	}
	struct glob_resume here = { true, walk->pattern_at, walk->name_at };
	if (token.kind == GLOB_STARS)
		walk->stars = here;
	walk->star = here;
	walk->star.is_set = token.kind == GLOB_STAR;
	return true;
}

bool
glob_match(
    const char *pattern, size_t pattern_len, const void *name, size_t name_len)
{
	const uint8_t *bytes = name;
	struct glob_walk walk = { 0 };

	for (;;) {
		bool is_over = walk.pattern_at == pattern_len;
		if (is_over && walk.name_at == name_len)
			return true;
		if (!is_over &&
		    advance(&walk,
			read_token(pattern + walk.pattern_at,
			    pattern_len - walk.pattern_at),
			bytes, name_len))
			continue;
		if (!give_way(&walk, bytes, name_len))
			return false;
	}
}

bool
glob_is_valid(const char *pattern, size_t len)
{
	for (size_t at = 0; at < len;) {
		struct glob_token token = read_token(pattern + at, len - at);
		if (token.kind == GLOB_BAD)
			return false;
		at += token.len;
	}
	return true;
}
