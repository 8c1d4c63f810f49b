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
#include "libcommon/base/num.h"
#include "libcommon/base/ration.h"
#include "libcommon/base/text.h"
#include "libcommon/os/clock.h"

enum { TAIL_BYTES = 160 };

/* The last line of a cause that was held back. */
struct held {
	const char *event;
	enum log_level level;
	uint64_t real_ns;
	char words[LOG_HELD_BYTES];
};

static struct {
	int fd;
	enum log_level level;
	bool has_priority;
	uint64_t lost;
	struct ration ration;
	struct held held[RATION_PLACES];
} state = { .fd = STDERR_FILENO, .level = LOG_LEVEL_INFO };

/* What happened, when, and how many like it were left out before. */
struct line {
	enum log_level level;
	const char *event, *words;
	uint64_t real_ns;
	uint64_t omitted;
};

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

/* FNV-1a. */
static uint64_t
add_hash(uint64_t hash, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3;
	return hash;
}

/* The event, and the words at its beginning that say of what. */
static uint64_t
name_cause(const char *event, const char *words)
{
	static const char *const of[] = { "reason=", "node=", "link=" };
	uint64_t hash = add_hash(0xcbf29ce484222325, event, strlen(event));
	size_t i = 0;

	while (i < ARRAY_COUNT(of)) {
		size_t len = strcspn(words, " ");

		if (strncmp(words, of[i], strlen(of[i])) != 0) {
			i++;
			continue;
		}
		hash = add_hash(hash, words, len);
		words += len + (words[len] != '\0');
		i = 0;
	}
	return hash;
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
put_tail(struct text *out, const struct line *line)
{
	char stamp[CLOCK_STAMP_BYTES];

	if (line->omitted > 0) {
		text_put(out, " suppressed=");
		text_put_u64(out, line->omitted);
	}
	if (state.lost > 0) {
		text_put(out, " lost_lines=");
		text_put_u64(out, state.lost);
	}
	text_put(out, " level=");
	text_put(out, log_level_name(line->level));
	text_put(out, " ts=");
	clock_stamp(line->real_ns, stamp);
	text_put(out, stamp);
	text_put_char(out, '\n');
}

/* Its words may be what a format made of anything: they are cut, the tail not.
 */
static void
build_line(const struct line *line)
{
	static const char priority[LOG_LEVELS] = { '3', '4', '5', '6', '7' };
	char bytes[LOG_LINE_BYTES];
	struct text out;

	text_init(&out, bytes, sizeof bytes - TAIL_BYTES);
	if (state.has_priority) {
		text_put_char(&out, '<');
		text_put_char(&out, priority[line->level]);
		text_put_char(&out, '>');
	}
	text_put(&out, line->event);
	if (line->words[0] != '\0') {
		text_put_char(&out, ' ');
		put_printable(&out, line->words);
	}
	out.size = sizeof bytes;
	put_tail(&out, line);
	write_line(out.bytes, out.len);
}

static void
hold(const struct line *line, uint32_t place)
{
	struct held *held = &state.held[place];
	size_t len = num_min(strlen(line->words), sizeof held->words - 1);

	held->event = line->event;
	held->level = line->level;
	held->real_ns = line->real_ns;
	memcpy(held->words, line->words, len);
	held->words[len] = '\0';
}

static void
tell(const struct ration_line *due)
{
	const struct held *held = &state.held[due->place];

	build_line(&(struct line){ .level = held->level,
	    .event = held->event,
	    .words = held->words,
	    .real_ns = held->real_ns,
	    .omitted = due->omitted });
}

void
log_tell(uint64_t now_ns)
{
	struct ration_line due;

	while (ration_next(&state.ration, now_ns, &due))
		tell(&due);
}

void
log_tell_all(void)
{
	struct ration_line due;

	while (ration_rest(&state.ration, &due))
		tell(&due);
}

uint64_t
log_due_ns(void)
{
	return ration_due_ns(&state.ration);
}

void
log_line(enum log_level level, const char *event, const char *format, ...)
{
	char words[LOG_LINE_BYTES];
	struct line line = { .level = level, .event = event, .words = words };
	struct ration_line due = { 0 };
	va_list args;

	if (!log_is_wanted(level))
		return;
	va_start(args, format);
	vsnprintf(words, sizeof words, format, args);
	va_end(args);
	line.real_ns = clock_real_ns();
	if (level < LOG_LEVEL_DEBUG &&
	    !ration_take(&state.ration, name_cause(event, words),
		clock_now_ns(), &due)) {
		hold(&line, due.place);
		return;
	}
	line.omitted = due.omitted;
	build_line(&line);
}

void
log_always(const char *event, const char *format, ...)
{
	char words[LOG_LINE_BYTES];
	struct line line = {
		.level = LOG_LEVEL_INFO, .event = event, .words = words
	};
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof words, format, args);
	va_end(args);
	line.real_ns = clock_real_ns();
	build_line(&line);
}
