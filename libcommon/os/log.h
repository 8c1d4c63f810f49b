/* SPDX-License-Identifier: BSD-3-Clause */
/* One line an event on standard error: a record whose first word is stable.
 *
 *     view-installed view=1.18 members=1,2,3 level=notice ts=2026-11-22T…
 *
 * A line never blocks the caller: what standard error cannot take at once is
 * dropped, counted, and confessed by the next line that gets through.
 *
 * Below debug, each cause (an event, with the reason, node and link that it
 * begins with) has a ration, see ration.h: some hundred lines, then one in a
 * minute.  The last line above that is held back and told when its time comes,
 * with the time when it happened and the number of those left out before it
 * (suppressed=N).
 */
#ifndef RK_LOG_H
#define RK_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
	LOG_LEVELS
};

enum {
	LOG_LINE_BYTES = 2048, /* longer lines are cut */
	LOG_HELD_BYTES = 512,  /* of the words of a line that is held back */
};

/*
 * Writes to fd from now on (standard error before that).  When it is the
 * journal (JOURNAL_STREAM names it), lines get a <N> priority.
 */
void log_open(int fd, enum log_level level);

void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* Worth preparing arguments for. */
bool log_is_wanted(enum log_level level);

/*
 * event: a string literal, lower case and dashes.  format: the key=value
 * words, or "".  Control bytes are escaped here; a value that came from
 * outside must have been quoted by text_put_value.
 */
void log_line(enum log_level level, const char *event, const char *format, ...)
    RK_PRINTF(3, 4);

/* Tells what was held back and is due; all that was held back. */
void log_tell(uint64_t now_ns);
void log_tell_all(void);

/* When log_tell has something to do; UINT64_MAX: never. */
uint64_t log_due_ns(void);

/* A line that somebody asked for: whatever the level, however many. */
void log_always(const char *event, const char *format, ...) RK_PRINTF(2, 3);

const char *log_level_name(enum log_level level);
/* false when name is none. */
bool log_level_from_name(const char *name, enum log_level *out);

#endif
