/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/base/line.h"

#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

void
line_init(struct line *line, char *bytes, size_t size, size_t limit)
{
	ENSURE(bytes != NULL);
	ENSURE(limit > 1);
	ENSURE(size > limit);
	*line = (struct line){ .bytes = bytes, .size = size, .limit = limit };
}

char *
line_space(struct line *line, size_t *room)
{
	size_t kept = line->end - line->start;

	if (line->start > 0) {
		memmove(line->bytes, line->bytes + line->start, kept);
		line->scanned -= line->start;
		line->start = 0;
		line->end = kept;
	}
	*room = line->size - 1 - line->end;
	return line->bytes + line->end;
}

void
line_fill(struct line *line, size_t len)
{
	ENSURE(len <= line->size - 1 - line->end);
	line->end += len;
}

/* Hands out bytes up to end, which the caller has found to be a line. */
static void
hand_out(struct line *line, size_t end, char **bytes, size_t *len)
{
	size_t found = end - line->start;

	*bytes = line->bytes + line->start;
	if (found > 0 && (*bytes)[found - 1] == '\r')
		found--;
	(*bytes)[found] = '\0';
	*len = found;
}

static void
drop_to(struct line *line, size_t at)
{
	line->start = line->scanned = at;
}

/* Where the next LF is, or end. */
static size_t
find_lf(struct line *line)
{
	size_t left = line->end - line->scanned;
	char *from = line->bytes + line->scanned;
	char *lf = left > 0 ? memchr(from, '\n', left) : NULL;

	line->scanned = lf != NULL ? (size_t)(lf - line->bytes) : line->end;
	return line->scanned;
}

enum line_result
line_next(struct line *line, char **bytes, size_t *len)
{
	size_t lf = find_lf(line);

	if (line->is_skipping) {
		bool is_over = lf < line->end;
		drop_to(line, is_over ? lf + 1 : line->end);
		if (!is_over)
			return LINE_NONE;
		line->is_skipping = false;
		lf = find_lf(line);
	}
	bool is_whole = lf < line->end;
	if (lf - line->start >= line->limit) {
		line->is_skipping = !is_whole;
		drop_to(line, is_whole ? lf + 1 : line->end);
		return LINE_TOO_LONG;
	}
	if (!is_whole)
		return LINE_NONE;
	hand_out(line, lf, bytes, len);
	drop_to(line, lf + 1);
	return LINE_READY;
}

size_t
line_take(struct line *line, size_t max, char **bytes)
{
	size_t len = num_min(max, line->end - line->start);

	ENSURE(!line->is_skipping);
	*bytes = line->bytes + line->start;
	drop_to(line, line->start + len);
	return len;
}

enum line_result
line_last(struct line *line, char **bytes, size_t *len)
{
	bool is_empty = line->start == line->end || line->is_skipping;

	if (!is_empty)
		hand_out(line, line->end, bytes, len);
	drop_to(line, line->end);
	line->is_skipping = false;
	return is_empty ? LINE_NONE : LINE_READY;
}
