/* SPDX-License-Identifier: BSD-3-Clause */
/* A byte stream cut into lines with a length limit, and raw bytes between. */
#ifndef RK_LINE_H
#define RK_LINE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The reader asks where to put bytes (line_space), says how many came
 * (line_fill), then takes lines, or raw bytes after a line that announces
 * them, until there are none.  What was handed out is borrowed until the next
 * line_space, and may be changed in place.
 */
struct line {
	char *bytes; /* borrowed */
	size_t size;
	size_t limit;   /* of a line, its LF counted */
	size_t start;   /* of what was not handed out yet */
	size_t scanned; /* there is no LF between start and here */
	size_t end;
	bool is_skipping; /* the rest of a line that was too long */
};

enum line_result {
	LINE_NONE,     /* no whole line is here */
	LINE_READY,    /* one line, without CR LF, ended by a NUL */
	LINE_TOO_LONG, /* said once; the line is skipped up to its LF */
};

/* size > limit > 1: there is room for a NUL behind any line. */
void line_init(struct line *line, char *bytes, size_t size, size_t limit);

/*
 * Where the next bytes of the stream go, and how many fit.  It is never 0
 * after line_next answered LINE_NONE.
 */
char *line_space(struct line *line, size_t *room);
void line_fill(struct line *line, size_t len);

enum line_result line_next(struct line *line, char **bytes, size_t *len);

/* At most max raw bytes of those that follow the last line; 0: none here. */
size_t line_take(struct line *line, size_t max, char **bytes);

/*
 * For the end of the stream: what stands behind the last LF, as a line.
 * LINE_NONE when there is nothing.
 */
enum line_result line_last(struct line *line, char **bytes, size_t *len);

#endif
