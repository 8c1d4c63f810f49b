/* SPDX-License-Identifier: BSD-3-Clause */
/* The state is the process's, as standard error is: the one module here with
 * a global.
 */
#include "libcommon/os/log.h"

#include <sys/stat.h>

#include <assert.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/text.h"
#include "libcommon/os/clock.h"

enum { LIMITED_EVENTS = 64, TAIL_BYTES = 160 };

/* What one event word has used of its allowance. */
struct allowance {
	const char *event; /* compared by address: literals */
	uint64_t second;
	uint32_t used;
	uint64_t suppressed;
};

static struct {
	int fd;
	enum log_level level;
	bool has_priority;
	uint64_t lost;
	struct allowance limited[LIMITED_EVENTS];
} state = { .fd = STDERR_FILENO, .level = LOG_LEVEL_INFO };

static const char *const level_names[LOG_LEVELS] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_NOTICE] = "notice",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

/* JOURNAL_STREAM is DEVICE:INODE of the stream that the journal reads. */
static bool
is_journal(int fd)
{
	const char *want = getenv("JOURNAL_STREAM");
	char have[64];
	struct stat st;

	if (want == NULL || fstat(fd, &st) < 0)
		return false;
	snprintf(have, sizeof have, "%llu:%llu", (unsigned long long)st.st_dev,
	    (unsigned long long)st.st_ino);
	return strcmp(want, have) == 0;
}

void
log_open(int fd, enum log_level level)
{
	state.fd = fd;
	state.level = level;
	state.has_priority = is_journal(fd);
}

void
log_set_level(enum log_level level)
{
	state.level = level;
}

enum log_level
log_get_level(void)
{
	return state.level;
}

bool
log_is_wanted(enum log_level level)
{
	return level <= state.level;
}

const char *
log_level_name(enum log_level level)
{
	ENSURE(level < LOG_LEVELS);
	return level_names[level];
}

bool
log_level_from_name(const char *name, enum log_level *out)
{
	for (int i = 0; i < LOG_LEVELS; i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*out = (enum log_level)i;
			return true;
		}
	}
	return false;
}

/* The event's entry; when all are taken, the last one is shared. */
static struct allowance *
find_allowance(const char *event)
{
	struct allowance *a = state.limited;

	while (a->event != NULL && a->event != event &&
	    a < &state.limited[LIMITED_EVENTS - 1])
		a++;
	if (a->event == NULL)
		a->event = event;
	return a;
}

/* May be written now; if so *suppressed says how many before it were not. */
static bool
is_allowed(const char *event, uint64_t *suppressed)
{
	struct allowance *a = find_allowance(event);
	uint64_t second = clock_now_ns() / CLOCK_S_NS;

	if (a->second != second) {
		a->second = second;
		a->used = 0;
	}
	if (a->used >= LOG_BURST) {
		a->suppressed++;
		return false;
	}
	a->used++;
	*suppressed = a->suppressed;
	a->suppressed = 0;
	return true;
}

/* Control bytes would let a value forge lines or drive a terminal. */
static void
put_printable(struct text *out, const char *words)
{
	for (; *words != '\0'; words++) {
		if ((unsigned char)*words >= ' ' && *words != 0x7f)
			text_put_char(out, *words);
		else
			text_put_value(out, words, 1);
	}
}

/*
 * poll says that a pipe has PIPE_BUF bytes of room, more than any line has,
 * so the write that follows does not wait even on a blocking descriptor.
 */
static void
write_line(const char *bytes, size_t len)
{
	struct pollfd pfd = { .fd = state.fd, .events = POLLOUT };

	static_assert(LOG_LINE_BYTES <= 4096, "a line fits a pipe's room");
	if (poll(&pfd, 1, 0) != 1 || !(pfd.revents & POLLOUT) ||
	    write(state.fd, bytes, len) != (ssize_t)len)
		state.lost++;
	else
		state.lost = 0;
}

static void
put_tail(struct text *out, enum log_level level, uint64_t suppressed)
{
	char stamp[CLOCK_STAMP_BYTES];

	if (suppressed > 0) {
		text_put(out, " suppressed=");
		text_put_u64(out, suppressed);
	}
	if (state.lost > 0) {
		text_put(out, " lost_lines=");
		text_put_u64(out, state.lost);
	}
	text_put(out, " level=");
	text_put(out, log_level_name(level));
	text_put(out, " ts=");
	clock_stamp(clock_real_ns(), stamp);
	text_put(out, stamp);
	text_put_char(out, '\n');
}

/* words may be what a format made of anything: they are cut, the tail not. */
static void
build_line(enum log_level level, const char *event, const char *words,
    uint64_t suppressed)
{
	static const char priority[LOG_LEVELS] = { '3', '4', '5', '6', '7' };
	char line[LOG_LINE_BYTES];
	struct text out;

	text_init(&out, line, sizeof line - TAIL_BYTES);
	if (state.has_priority) {
		text_put_char(&out, '<');
		text_put_char(&out, priority[level]);
		text_put_char(&out, '>');
	}
	text_put(&out, event);
	if (words[0] != '\0') {
		text_put_char(&out, ' ');
		put_printable(&out, words);
	}
	out.size = sizeof line;
	put_tail(&out, level, suppressed);
	write_line(out.bytes, out.len);
}

void
log_line(enum log_level level, const char *event, const char *format, ...)
{
	char words[LOG_LINE_BYTES];
	uint64_t suppressed = 0;
	va_list args;

	if (!log_is_wanted(level))
		return;
	if (level <= LOG_LEVEL_NOTICE && !is_allowed(event, &suppressed))
		return;
	va_start(args, format);
	vsnprintf(words, sizeof words, format, args);
	va_end(args);
	build_line(level, event, words, suppressed);
}

void
log_always(const char *event, const char *format, ...)
{
	char words[LOG_LINE_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof words, format, args);
	va_end(args);
	build_line(LOG_LEVEL_INFO, event, words, 0);
}
