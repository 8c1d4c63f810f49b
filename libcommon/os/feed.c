/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/os/feed.h"

#include <sys/socket.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/limits.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/word.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/loop.h"
#include "libcommon/os/unixsock.h"

enum {
	CHUNK_BYTES = 65536, /* of one read, at least */
	GREETING_BYTES = 1024,
	/* Others in the loop have their turn, too. */
	TURN_BYTES = 4 << 20,
	DRAIN_BYTES = 64 << 20,
};

#define BACKOFF_MIN_NS (100 * CLOCK_MS_NS)
#define BACKOFF_MAX_NS CLOCK_S_NS

enum state {
	FEED_STOPPED,
	FEED_APART,     /* until retry_ns */
	FEED_UNGREETED, /* connected */
	FEED_OPEN,
};

struct feed {
	struct feed_config cfg;
	char path[UNIXSOCK_PATH_BYTES];
	struct loop *loop;
	enum state state;
	int fd, slot;
	uint64_t retry_ns, backoff_ns, opened_ns;
	const char *drop_why; /* feed_drop was called within a callback */
	const char *trouble;
	bool is_calling;
	bool is_drained;
	bool is_blocked; /* the socket takes no more for now */
	struct word word;
	struct word greeting;
	char greeting_line[GREETING_BYTES];
	char *in;
	size_t in_size, in_start, in_end;
	char *out; /* cfg.out_max bytes */
	size_t out_start, out_len;
	struct feed_stats stats;
};

struct feed *
feed_create(struct arena *arena, const struct feed_config *cfg)
{
	size_t data_max =
	    cfg->data_max != 0 ? cfg->data_max : FEED_DATA_BYTES_DEFAULT;
	size_t out_max =
	    cfg->out_max != 0 ? cfg->out_max : FEED_OUT_BYTES_DEFAULT;
	/* A line, its data, both LF, and what comes with the last read. */
	size_t in_size = LIMIT_SERVER_LINE_BYTES + data_max + 2 + CHUNK_BYTES;
	struct feed *feed = arena_take(arena, sizeof *feed);
	char *in = arena_take(arena, in_size);
	char *out = arena_take(arena, out_max);
	size_t len = strlen(cfg->path);

	if (feed == NULL || in == NULL || out == NULL)
		return NULL;
	*feed = (struct feed){ .cfg = *cfg,
		.fd = -1,
		.slot = -1,
		.trouble = "",
		.in = in,
		.in_size = in_size,
		.out = out };
	ENSURE(len < sizeof feed->path);
	memcpy(feed->path, cfg->path, len + 1);
	feed->cfg.path = feed->path;
	feed->cfg.data_max = data_max;
	feed->cfg.out_max = out_max;
	return feed;
}

/* ---- connections ------------------------------------------------------- */

static void on_ready(
    struct loop *loop, void *arg, uint32_t ready, uint64_t now_ns);

/* Once more, later each time: 100 ms, 200 ms, … 1 s. */
static void
wait_longer(struct feed *feed, uint64_t now_ns)
{
	feed->state = FEED_APART;
	feed->retry_ns = now_ns + feed->backoff_ns;
	feed->backoff_ns *= 2;
	if (feed->backoff_ns < BACKOFF_MIN_NS)
		feed->backoff_ns = BACKOFF_MIN_NS;
	if (feed->backoff_ns > BACKOFF_MAX_NS)
		feed->backoff_ns = BACKOFF_MAX_NS;
}

static void
connect_now(struct feed *feed, uint64_t now_ns)
{
	int fd = unixsock_connect(feed->path, 0);

	if (feed->backoff_ns == 0)
		feed->backoff_ns = BACKOFF_MIN_NS;
	if (fd < 0) {
		/* A full backlog, which is no reason to wait here. */
		feed->trouble =
		    fd == -ETIMEDOUT ? strerror(EAGAIN) : strerror(-fd);
		wait_longer(feed, now_ns);
		return;
	}
	feed->slot = loop_add_fd(feed->loop, fd, on_ready, feed);
	if (feed->slot < 0) {
		feed->trouble = strerror(-feed->slot);
		fd_close(&fd);
		wait_longer(feed, now_ns);
		return;
	}
	feed->fd = fd;
	feed->state = FEED_UNGREETED;
	feed->is_drained = feed->is_blocked = false;
	feed->in_start = feed->in_end = 0;
	feed->out_start = feed->out_len = 0;
}

static void
close_fd(struct feed *feed)
{
	if (feed->fd >= 0)
		loop_remove_fd(feed->loop, feed->slot);
	fd_close(&feed->fd);
	feed->slot = -1;
	feed->is_drained = false;
}

/* A connection that lasted is made anew at once. */
static void
lose(struct feed *feed, const char *why, uint64_t now_ns)
{
	bool was_open = feed->state == FEED_OPEN;

	close_fd(feed);
	feed->drop_why = NULL;
	feed->trouble = why;
	if (was_open && now_ns >= feed->opened_ns + BACKOFF_MAX_NS)
		feed->backoff_ns = 0;
	wait_longer(feed, now_ns);
	if (!was_open)
		return;
	feed->stats.lost++;
	feed->cfg.closed(feed->cfg.arg, feed, why, now_ns);
}

static bool
has_to_write(const struct feed *feed)
{
	return feed->fd >= 0 && feed->out_len > 0 && !feed->is_blocked;
}

/* At once if this turn's flush had been before there was something to write. */
static uint64_t
get_deadline_ns(const void *arg)
{
	const struct feed *feed = arg;

	if (has_to_write(feed))
		return 0;
	return feed->state == FEED_APART ? feed->retry_ns : UINT64_MAX;
}

static void
on_deadline(struct loop *loop, void *arg, uint64_t now_ns)
{
	struct feed *feed = arg;

	(void)loop;
	if (feed->state == FEED_APART)
		connect_now(feed, now_ns);
}

bool
feed_is_open(const struct feed *feed)
{
	return feed->state == FEED_OPEN && feed->drop_why == NULL;
}

const char *
feed_trouble(const struct feed *feed)
{
	return feed_is_open(feed) ? "" : feed->trouble;
}

void
feed_drop(struct feed *feed, const char *why, uint64_t now_ns)
{
	if (!feed_is_open(feed))
		return;
	if (feed->is_calling)
		feed->drop_why = why;
	else
		lose(feed, why, now_ns);
}

void
feed_stop(struct feed *feed)
{
	close_fd(feed);
	feed->state = FEED_STOPPED;
}

/* ---- sending ----------------------------------------------------------- */

static void
write_some(struct feed *feed)
{
	feed->is_blocked = false;
	while (feed->out_len > 0) {
		ssize_t n = send(feed->fd, feed->out + feed->out_start,
		    feed->out_len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			feed->is_blocked = true;
			break;
		}
		if (n < 0) {
			/* What it sent before it went is read first. */
			feed->out_len = 0;
			break;
		}
		feed->stats.bytes_out += (uint64_t)n;
		feed->out_start += (size_t)n;
		feed->out_len -= (size_t)n;
	}
	if (feed->out_len == 0)
		feed->out_start = 0;
	loop_want(feed->loop, feed->slot,
	    feed->is_blocked ? LOOP_READ | LOOP_WRITE : LOOP_READ);
}

static void
on_flush(struct loop *loop, void *arg, uint64_t now_ns)
{
	struct feed *feed = arg;

	(void)loop;
	(void)now_ns;
	if (has_to_write(feed))
		write_some(feed);
}

size_t
feed_room(const struct feed *feed)
{
	return feed_is_open(feed) ? feed->cfg.out_max - feed->out_len : 0;
}

bool
feed_put(struct feed *feed, const void *bytes, size_t len)
{
	if (len > feed_room(feed)) {
		feed->stats.refused++;
		return false;
	}
	if (feed->out_start + feed->out_len + len > feed->cfg.out_max) {
		memmove(feed->out, feed->out + feed->out_start, feed->out_len);
		feed->out_start = 0;
	}
	memcpy(feed->out + feed->out_start + feed->out_len, bytes, len);
	feed->out_len += len;
	return true;
}

bool
feed_putf(struct feed *feed, const char *format, ...)
{
	char piece[LIMIT_REQUEST_BYTES];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(piece, sizeof piece, format, args);
	va_end(args);
	ENSURE(n >= 0 && n < (int)sizeof piece);
	return feed_put(feed, piece, (size_t)n);
}

/* ---- lines ------------------------------------------------------------- */

/* A line that is whole, with its data: its place and lengths. */
struct found {
	char *line;
	size_t line_len, used;
	bool has_data;
	uint64_t data_len;
};

/* 0, -EAGAIN when it is not whole yet, -EPROTO. */
static int
find_line(const struct feed *feed, struct found *out)
{
	size_t have = feed->in_end - feed->in_start;
	char *line = feed->in + feed->in_start;
	char *lf = have > 0 ? memchr(line, '\n', have) : NULL;

	if (lf == NULL)
		return have > LIMIT_SERVER_LINE_BYTES ? -EPROTO : -EAGAIN;
	*out = (struct found){ .line = line,
		.line_len = (size_t)(lf - line),
		.used = (size_t)(lf - line) + 1 };
	if (out->line_len > LIMIT_SERVER_LINE_BYTES)
		return -EPROTO;
	switch (word_data_len(line, out->line_len, &out->data_len)) {
	case WORD_DATA_NONE:
		return 0;
	case WORD_DATA_BAD:
		return -EPROTO;
	case WORD_DATA_FOLLOWS:
		break;
	}
	if (out->data_len > feed->cfg.data_max)
		return -EPROTO;
	if (have < out->used + out->data_len + 1)
		return -EAGAIN;
	out->has_data = true;
	if (line[out->used + out->data_len] != '\n')
		return -EPROTO;
	out->used += out->data_len + 1;
	return 0;
}

static int
classify(struct feed_line *out)
{
	static const char *const kinds[] = {
		[FEED_OK] = "ok",
		[FEED_NO] = "no",
		[FEED_ERR] = "err",
		[FEED_ITEM] = "item",
		[FEED_EV] = "ev",
	};
	const struct word *word = out->word;
	size_t kind = 0;
	uint64_t id;

	while (strcmp(word->verb[0], kinds[kind]) != 0)
		if (++kind > FEED_EV)
			return -EPROTO;
	out->kind = (enum feed_kind)kind;
	if (kind != FEED_EV)
		return 0;
	if (word->verb_count != 3 ||
	    parse_u64(
		word->verb[1], strlen(word->verb[1]), 0, INT32_MAX, &id) != 0)
		return -EPROTO;
	out->id = (uint32_t)id;
	out->event = word->verb[2];
	return 0;
}

/* min <= 1 <= proto */
static int
check_greeting(const struct feed *feed)
{
	const char *proto = feed_greeting(feed, "proto");
	const char *min = feed_greeting(feed, "min");
	uint64_t number;

	if (strcmp(feed->greeting.verb[0], "ringkit") != 0 ||
	    parse_u64(proto, strlen(proto), 1, UINT64_MAX, &number) != 0 ||
	    parse_u64(min, strlen(min), 0, 1, &number) != 0)
		return -EPROTO;
	return 0;
}

/* An "err code=busy" is no greeting either: there is no room for us. */
static int
take_greeting(struct feed *feed, const struct found *found, uint64_t now_ns)
{
	if (found->line_len >= sizeof feed->greeting_line || found->has_data)
		return -EPROTO;
	/* Kept: the buffer moves on. */
	memcpy(feed->greeting_line, found->line, found->line_len);
	if (word_parse(&feed->greeting, feed->greeting_line, found->line_len) !=
	    0)
		return -EPROTO;
	if (strcmp(feed->greeting.verb[0], "err") == 0)
		return -EBUSY;
	if (check_greeting(feed) != 0)
		return -EPROTO;
	feed->state = FEED_OPEN;
	feed->opened_ns = now_ns;
	feed->stats.opened++;
	feed->cfg.opened(feed->cfg.arg, feed, now_ns);
	return 0;
}

static int
take_line(struct feed *feed, const struct found *found, uint64_t now_ns)
{
	struct feed_line line = { .word = &feed->word,
		.has_data = found->has_data,
		.len = (size_t)found->data_len };

	if (feed->state == FEED_UNGREETED)
		return take_greeting(feed, found, now_ns);
	if (found->has_data)
		line.data = (const uint8_t *)found->line + found->line_len + 1;
	if (word_parse(&feed->word, found->line, found->line_len) != 0)
		return -EPROTO;
	line.tag = feed->word.tag;
	if (classify(&line) != 0)
		return -EPROTO;
	feed->stats.lines++;
	feed->cfg.line(feed->cfg.arg, feed, &line, now_ns);
	return 0;
}

/* All lines that are whole; false: the connection is lost. */
static bool
take_lines(struct feed *feed, uint64_t now_ns)
{
	struct found found;
	int rc = 0;

	while (rc == 0 && feed->fd >= 0 && feed->drop_why == NULL) {
		rc = find_line(feed, &found);
		if (rc != 0)
			break;
		feed->in_start += found.used;
		feed->is_calling = true;
		rc = take_line(feed, &found, now_ns);
		feed->is_calling = false;
	}
	if (feed->fd < 0) /* stopped */
		return false;
	if (feed->drop_why != NULL)
		lose(feed, feed->drop_why, now_ns);
	else if (rc == -EBUSY || rc == -EPROTO)
		lose(feed, rc == -EBUSY ? "busy" : "protocol", now_ns);
	return feed->fd >= 0;
}

/* Room for a chunk: what is kept is less than a line and its data. */
static size_t
make_room(struct feed *feed)
{
	size_t kept = feed->in_end - feed->in_start;

	if (kept == 0 || feed->in_size - feed->in_end < CHUNK_BYTES) {
		memmove(feed->in, feed->in + feed->in_start, kept);
		feed->in_start = 0;
		feed->in_end = kept;
	}
	ENSURE(feed->in_end < feed->in_size);
	return feed->in_size - feed->in_end;
}

/* One read: bytes, 0 when there are none, -E… when it is over. */
static ssize_t
read_some(struct feed *feed)
{
	size_t room = make_room(feed);
	ssize_t n;

	do
		n = read(feed->fd, feed->in + feed->in_end, room);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		feed->in_end += (size_t)n;
		feed->stats.bytes_in += (uint64_t)n;
		return n;
	}
	if (n < 0 && errno == EAGAIN)
		return 0;
	return n < 0 && errno != ECONNRESET ? -errno : -EPIPE;
}

/* Until the socket is empty, or so many bytes came. */
static void
read_all(struct feed *feed, size_t bytes_max, uint64_t now_ns)
{
	size_t sum = 0;

	feed->is_drained = false;
	while (sum < bytes_max) {
		ssize_t n = read_some(feed);

		if (n < 0) {
			lose(feed, n == -EPIPE ? "closed" : strerror((int)-n),
			    now_ns);
			return;
		}
		if (n == 0) {
			feed->is_drained = feed->state == FEED_OPEN;
			return;
		}
		sum += (size_t)n;
		if (!take_lines(feed, now_ns))
			return;
	}
}

static void
on_ready(struct loop *loop, void *arg, uint32_t ready, uint64_t now_ns)
{
	struct feed *feed = arg;

	(void)loop;
	if (ready & LOOP_WRITE)
		write_some(feed);
	if (ready & (LOOP_READ | LOOP_HUP))
		read_all(feed, TURN_BYTES, now_ns);
}

bool
feed_drain(struct feed *feed, uint64_t now_ns)
{
	ENSURE(!feed->is_calling);
	if (feed->fd >= 0)
		read_all(feed, DRAIN_BYTES, now_ns);
	return feed_is_drained(feed);
}

bool
feed_is_drained(const struct feed *feed)
{
	return feed_is_open(feed) && feed->is_drained;
}

/* ---- what there is to know --------------------------------------------- */

void
feed_start(struct feed *feed, struct loop *loop, uint64_t now_ns)
{
	ENSURE(feed->state == FEED_STOPPED && feed->loop == NULL);
	feed->loop = loop;
	loop_add_timer(loop, get_deadline_ns, on_deadline, feed);
	loop_add_flush(loop, on_flush, feed);
	connect_now(feed, now_ns);
}

const char *
feed_greeting(const struct feed *feed, const char *key)
{
	for (size_t i = 0; i < feed->greeting.pair_count; i++)
		if (strcmp(feed->greeting.pair[i].key, key) == 0)
			return feed->greeting.pair[i].value;
	return "";
}

const char *
feed_value(const struct feed_line *line, const char *key)
{
	const struct word_pair *pair = word_get(line->word, key);

	return pair != NULL ? pair->value : "";
}

uint64_t
feed_u64(const struct feed_line *line, const char *key, uint64_t otherwise)
{
	const char *value = feed_value(line, key);
	uint64_t number;

	if (parse_u64(value, strlen(value), 0, UINT64_MAX, &number) != 0)
		return otherwise;
	return number;
}

void
feed_stats(const struct feed *feed, struct feed_stats *out)
{
	*out = feed->stats;
}
