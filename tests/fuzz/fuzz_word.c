/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stream of requests, as any client may send it: lines, words, data.  The
 * first byte says in how large pieces it arrives.
 */
#include <stdint.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/line.h"
#include "libcommon/base/num.h"
#include "libcommon/base/word.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { FUZZ_LIMIT = 64, FUZZ_SIZE = 80 };

static char fuzz_buffer[FUZZ_SIZE];

static void
use_words(char *bytes, size_t len)
{
	static struct word word;
	const struct word_pair *pair;
	int rc = word_parse(&word, bytes, len);

	ENSURE(word.tag == NULL || strlen(word.tag) <= WORD_TAG_BYTES);
	if (rc != 0) {
		ENSURE(strlen(word_error_text(rc)) > 0);
		ENSURE(strlen(word.about) <= len);
		return;
	}
	ENSURE(word.verb_count >= 1 && word.verb_count <= WORD_VERBS);
	for (size_t i = 0; i < word.pair_count; i++) {
		const char *key = word.pair[i].key;
		size_t raw_len = word_get_raw(&word, key)->len;
		pair = word_get(&word, key);
		ENSURE(pair == &word.pair[i]);
		ENSURE(pair->len <= raw_len);
		ENSURE(pair->value[pair->len] == '\0');
	}
}

/* Answers how many raw bytes are to follow. */
static uint64_t
use_line(char *bytes, size_t len)
{
	uint64_t data_len = 0;
	enum word_data data = word_data_len(bytes, len, &data_len);

	ENSURE(len < FUZZ_LIMIT);
	ENSURE(bytes[len] == '\0');
	use_words(bytes, len);
	return data == WORD_DATA_FOLLOWS ? data_len : 0;
}

static void
drain(struct line *line, uint64_t *data_left)
{
	char *bytes;
	size_t len;

	for (;;) {
		if (*data_left > 0) {
			len = line_take(
			    line, num_min(*data_left, SIZE_MAX), &bytes);
			*data_left -= len;
			if (*data_left > 0)
				return;
		}
		enum line_result result = line_next(line, &bytes, &len);
		if (result == LINE_NONE)
			return;
		if (result == LINE_READY)
			*data_left = use_line(bytes, len);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct line line;
	uint64_t data_left = 0;
	size_t piece = len > 0 ? bytes[0] % 100 + 1 : 1;

	line_init(&line, fuzz_buffer, sizeof fuzz_buffer, FUZZ_LIMIT);
	for (size_t at = 1, step; at < len; at += step) {
		size_t room;
		char *to = line_space(&line, &room);
		ENSURE(room > 0);
		step = num_min(num_min(piece, room), len - at);
		memcpy(to, bytes + at, step);
		line_fill(&line, step);
		drain(&line, &data_left);
	}
	char *rest;
	if (data_left == 0 && line_last(&line, &rest, &len) == LINE_READY &&
	    len < FUZZ_LIMIT)
		use_line(rest, len);
	return 0;
}
