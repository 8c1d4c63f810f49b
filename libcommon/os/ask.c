/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/os/ask.h"

#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/limits.h"
#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/word.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/unixsock.h"

enum {
	OUT_BYTES = 65536,
	READ_BYTES = 262144,
	/* Of a line and its data: more is not the daemon we know. */
	DATA_BYTES_MAX = LIMIT_MESSAGE_BYTES_MAX,
};

#define DEFAULT_TIMEOUT_NS (5 * CLOCK_S_NS)

struct ask {
	int fd;
	bool is_eof;
	struct word word;
	struct word greeting;
	char greeting_line[1024];
	size_t out_start, out_len;
	char *in; /* in_size bytes */
	size_t in_size, in_start, in_end;
	char out[OUT_BYTES];
};

enum exitcode
ask_exitcode(int rc)
{
	switch (rc) {
	case 0:
		return EXITCODE_OK;
	case ASK_E_PROTOCOL:
		return EXITCODE_PROTOCOL;
	case ASK_E_BUSY:
		return EXITCODE_TRYAGAIN;
	case -EACCES:
	case -EPERM:
		return EXITCODE_DENIED;
	default:
		return EXITCODE_UNAVAILABLE;
	}
}

const char *
ask_strerror(int rc)
{
	switch (rc) {
	case ASK_E_PROTOCOL:
		return "does not speak proto 1";
	case ASK_E_CLOSED:
		return "the daemon went away";
	case ASK_E_BUSY:
		return "the daemon has no room for another client";
	case -ETIMEDOUT:
		return "the daemon does not answer";
	default:
		return strerror(-rc);
	}
}

/* Whose socket it is. */
static const char *
name_of(const char *daemon)
{
	static const char *const names[][2] = { { "ring", "ringd" },
		{ "member", "memberd" }, { "quorum", "quorumd" },
		{ "cfg", "cfgstored" } };

	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (strcmp(names[i][0], daemon) == 0)
			return names[i][1];
	return daemon;
}

const char *
ask_explain(const char *rundir, const char *daemon, const char *why)
{
	static char words[UNIXSOCK_PATH_BYTES + 256];
	const char *name = name_of(daemon);

	if (access(rundir, F_OK) < 0)
		snprintf(words, sizeof words,
		    "%s: %s, expected the --rundir of a running %s", rundir,
		    strerror(errno), name);
	else if (strcmp(why, strerror(ENOENT)) == 0 ||
	    strcmp(why, strerror(ECONNREFUSED)) == 0)
		snprintf(words, sizeof words,
		    "%s/%s.sock: %s, expected a running %s", rundir, daemon,
		    why, name);
	else
		snprintf(
		    words, sizeof words, "%s/%s.sock: %s", rundir, daemon, why);
	return words;
}

const char *
ask_explain_rc(const char *rundir, const char *daemon, int rc)
{
	return ask_explain(rundir, daemon, ask_strerror(rc));
}

uint64_t
ask_deadline_ns(void)
{
	const char *env = getenv("RINGKIT_TIMEOUT");
	uint64_t span_ns = DEFAULT_TIMEOUT_NS, now_ns = clock_now_ns();

	if (env != NULL && parse_duration(env, strlen(env), &span_ns) != 0)
		span_ns = DEFAULT_TIMEOUT_NS;
	return span_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + span_ns;
}

int
ask_fd(const struct ask *ask)
{
	return ask->fd;
}

const char *
ask_greeting(const struct ask *ask, const char *key)
{
	for (size_t i = 0; i < ask->greeting.pair_count; i++)
		if (strcmp(ask->greeting.pair[i].key, key) == 0)
			return ask->greeting.pair[i].value;
	return NULL;
}

/* ---- bytes ------------------------------------------------------------- */

/* Room for at least one large read behind what is there: 0 or -ENOMEM. */
static int
make_room(struct ask *ask)
{
	size_t kept = ask->in_end - ask->in_start;
	char *grown;

	if (ask->in_size - ask->in_end >= READ_BYTES / 2)
		return 0;
	memmove(ask->in, ask->in + ask->in_start, kept);
	ask->in_start = 0;
	ask->in_end = kept;
	if (ask->in_size - kept >= READ_BYTES / 2)
		return 0;
	grown = realloc(ask->in, 2 * ask->in_size);
	if (grown == NULL)
		return -ENOMEM;
	ask->in = grown;
	ask->in_size *= 2;
	return 0;
}

/* Reads what is there, without waiting: 0, -EAGAIN, ASK_E_CLOSED, -E…. */
static int
read_some(struct ask *ask)
{
	int rc = make_room(ask);
	ssize_t n;

	if (rc < 0)
		return rc;
	/* One byte less: a line's parser ends it with a NUL. */
	n = read(
	    ask->fd, ask->in + ask->in_end, ask->in_size - ask->in_end - 1);
	if (n > 0) {
		ask->in_end += (size_t)n;
		return 0;
	}
	if (n < 0 && errno == EINTR)
		return 0;
	if (n < 0 && errno != ECONNRESET)
		return -errno;
	ask->is_eof = true;
	return ASK_E_CLOSED;
}

/* Writes what the socket takes: 0 all, -EAGAIN not all, or worse. */
static int
write_some(struct ask *ask)
{
	while (ask->out_len > 0) {
		ssize_t n = send(ask->fd, ask->out + ask->out_start,
		    ask->out_len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return ASK_E_CLOSED;
		if (n < 0)
			return -errno;
		ask->out_start += (size_t)n;
		ask->out_len -= (size_t)n;
	}
	ask->out_start = 0;
	return 0;
}

/*
 * Waits for the socket once, and takes in what there is: a daemon that
 * cannot get rid of its answers stops reading.
 */
static int
wait_some(struct ask *ask, short events, uint64_t deadline_ns)
{
	int rc = fd_wait(ask->fd, events, deadline_ns);

	if (rc == 0)
		return -ETIMEDOUT;
	if (rc < 0)
		return rc;
	if (rc & (POLLIN | POLLHUP | POLLERR))
		return read_some(ask);
	return 0;
}

int
ask_flush(struct ask *ask, uint64_t deadline_ns)
{
	for (;;) {
		int rc = write_some(ask);

		if (rc != -EAGAIN)
			return rc;
		rc = wait_some(ask, POLLIN | POLLOUT, deadline_ns);
		if (rc != 0 && rc != -EAGAIN)
			return rc;
	}
}

size_t
ask_unsent(const struct ask *ask)
{
	return ask->out_len;
}

int
ask_put(struct ask *ask, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len > 0) {
		size_t room = OUT_BYTES - ask->out_start - ask->out_len;
		size_t n = len < room ? len : room;

		memcpy(ask->out + ask->out_start + ask->out_len, at, n);
		ask->out_len += n;
		at += n;
		len -= n;
		if (n == room) {
			int rc = ask_flush(ask, UINT64_MAX);

			if (rc != 0)
				return rc;
		}
	}
	return 0;
}

int
ask_putf(struct ask *ask, const char *format, ...)
{
	char piece[LIMIT_REQUEST_BYTES];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(piece, sizeof piece, format, args);
	va_end(args);
	ENSURE(n >= 0 && n < (int)sizeof piece);
	return ask_put(ask, piece, (size_t)n);
}

/* ---- lines ------------------------------------------------------------- */

/* A line that is whole, with its data: its place and lengths. */
struct found {
	char *line;
	size_t line_len, used;
	bool has_data;
	uint64_t data_len;
};

/* 0, -EAGAIN when it is not whole yet, ASK_E_PROTOCOL. */
static int
find_line(const struct ask *ask, struct found *out)
{
	size_t have = ask->in_end - ask->in_start;
	char *line = ask->in + ask->in_start;
	char *lf = have > 0 ? memchr(line, '\n', have) : NULL;

	if (lf == NULL)
		return have > LIMIT_SERVER_LINE_BYTES ? ASK_E_PROTOCOL
						      : -EAGAIN;
	*out = (struct found){ .line = line,
		.line_len = (size_t)(lf - line),
		.used = (size_t)(lf - line) + 1 };
	switch (word_data_len(line, out->line_len, &out->data_len)) {
	case WORD_DATA_NONE:
		return 0;
	case WORD_DATA_BAD:
		return ASK_E_PROTOCOL;
	case WORD_DATA_FOLLOWS:
		break;
	}
	if (out->data_len > DATA_BYTES_MAX)
		return ASK_E_PROTOCOL;
	if (have < out->used + out->data_len + 1)
		return -EAGAIN;
	out->has_data = true;
	if (line[out->used + out->data_len] != '\n')
		return ASK_E_PROTOCOL;
	out->used += out->data_len + 1;
	return 0;
}

bool
ask_has_line(struct ask *ask)
{
	struct found found;

	return find_line(ask, &found) == 0;
}

static int
classify(struct ask_line *out)
{
	static const char *const kinds[] = {
		[ASK_OK] = "ok",
		[ASK_NO] = "no",
		[ASK_ERR] = "err",
		[ASK_ITEM] = "item",
		[ASK_EV] = "ev",
	};
	const struct word *word = out->word;
	size_t kind = 0;
	uint64_t id;

	while (strcmp(word->verb[0], kinds[kind]) != 0)
		if (++kind > ASK_EV)
			return ASK_E_PROTOCOL;
	out->kind = (enum ask_kind)kind;
	if (kind != ASK_EV)
		return 0;
	if (word->verb_count != 3 ||
	    parse_u64(
		word->verb[1], strlen(word->verb[1]), 0, INT32_MAX, &id) != 0)
		return ASK_E_PROTOCOL;
	out->id = (uint32_t)id;
	out->event = word->verb[2];
	return 0;
}

static int
take_line(struct ask *ask, const struct found *found, struct ask_line *out)
{
	const char *line_end = found->line + found->line_len + 1;

	ask->in_start += found->used;
	*out = (struct ask_line){ .word = &ask->word,
		.has_data = found->has_data,
		.data = found->has_data ? (const uint8_t *)line_end : NULL,
		.len = (size_t)found->data_len };
	if (word_parse(&ask->word, found->line, found->line_len) != 0)
		return ASK_E_PROTOCOL;
	out->tag = ask->word.tag;
	return classify(out);
}

/* Until a line is whole in the buffer. */
static int
wait_line(struct ask *ask, struct found *out, uint64_t deadline_ns)
{
	for (;;) {
		int rc = find_line(ask, out);

		if (rc != -EAGAIN)
			return rc;
		if (ask->is_eof)
			return ASK_E_CLOSED;
		rc = write_some(ask);
		if (rc != 0 && rc != -EAGAIN)
			/* What it sent before it went still counts. */
			rc = read_some(ask);
		else
			rc = wait_some(ask,
			    (short)(rc == 0 ? POLLIN : POLLIN | POLLOUT),
			    deadline_ns);
		if (rc != 0 && rc != -EAGAIN && !ask->is_eof)
			return rc;
	}
}

int
ask_next(struct ask *ask, struct ask_line *out, uint64_t deadline_ns)
{
	struct found found;
	int rc = wait_line(ask, &found, deadline_ns);

	return rc == 0 ? take_line(ask, &found, out) : rc;
}

const char *
ask_value(const struct ask_line *line, const char *key)
{
	const struct word_pair *pair = word_get(line->word, key);

	return pair != NULL ? pair->value : "";
}

enum exitcode
ask_line_exitcode(const struct ask_line *line)
{
	const char *n = ask_value(line, "n");
	uint64_t code;

	if (line->kind == ASK_NO)
		return EXITCODE_FALSE;
	if (line->kind != ASK_ERR)
		return EXITCODE_OK;
	if (parse_u64(n, strlen(n), 1, 255, &code) != 0)
		return EXITCODE_PROTOCOL;
	return (enum exitcode)code;
}

/* ---- connecting -------------------------------------------------------- */

/* min <= 1 <= proto */
static int
check_greeting(struct ask *ask)
{
	const char *proto = ask_greeting(ask, "proto");
	const char *min = ask_greeting(ask, "min");
	uint64_t number;

	if (strcmp(ask->greeting.verb[0], "ringkit") != 0 || proto == NULL ||
	    min == NULL ||
	    parse_u64(proto, strlen(proto), 1, UINT64_MAX, &number) != 0 ||
	    parse_u64(min, strlen(min), 0, 1, &number) != 0)
		return ASK_E_PROTOCOL;
	return 0;
}

static int
read_greeting(struct ask *ask, uint64_t deadline_ns)
{
	struct found found;
	int rc = wait_line(ask, &found, deadline_ns);

	if (rc != 0)
		return rc;
	if (found.line_len >= sizeof ask->greeting_line || found.has_data)
		return ASK_E_PROTOCOL;
	/* Kept: the buffer moves on. */
	memcpy(ask->greeting_line, found.line, found.line_len);
	ask->in_start += found.used;
	if (word_parse(&ask->greeting, ask->greeting_line, found.line_len) != 0)
		return ASK_E_PROTOCOL;
	if (strcmp(ask->greeting.verb[0], "err") == 0)
		return ASK_E_BUSY;
	return check_greeting(ask);
}

int
ask_open(struct ask **out, const char *rundir, const char *daemon,
    uint64_t deadline_ns)
{
	char path[UNIXSOCK_PATH_BYTES];
	int n = snprintf(path, sizeof path, "%s/%s.sock", rundir, daemon);
	struct ask *ask;
	int fd, rc;

	*out = NULL;
	if (n >= (int)sizeof path)
		return -ENAMETOOLONG;
	fd = unixsock_connect(path, deadline_ns);
	if (fd < 0)
		return fd;
	ask = calloc(1, sizeof *ask);
	if (ask != NULL)
		ask->in = malloc(READ_BYTES);
	if (ask == NULL || ask->in == NULL) {
		free(ask);
		fd_close(&fd);
		return -ENOMEM;
	}
	ask->in_size = READ_BYTES;
	ask->fd = fd;
	rc = read_greeting(ask, deadline_ns);
	if (rc != 0)
		ask_close(ask);
	else
		*out = ask;
	return rc;
}

void
ask_close(struct ask *ask)
{
	if (ask == NULL)
		return;
	fd_close(&ask->fd);
	free(ask->in);
	free(ask);
}
