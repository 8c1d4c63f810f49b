/* SPDX-License-Identifier: BSD-3-Clause */
/* A daemon's connection to another daemon's socket, in its event loop.
 *
 * It connects as soon as there is a socket, and again whenever the connection
 * is lost: at once if it had lasted, then after 100 ms, growing to 1 s.  The
 * greeting is checked; then every line, with its data, goes to a callback, in
 * order.  In each turn that finds something to read, the socket is read until
 * it is empty.  Never blocks; all memory is taken by feed_create.
 */
#ifndef RK_FEED_H
#define RK_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

struct arena;
struct feed;
struct loop;
struct word;

enum {
	FEED_DATA_BYTES_DEFAULT = 1 << 20, /* of one line's data */
	FEED_OUT_BYTES_DEFAULT = 256 << 10 /* of requests not yet sent */
};

enum feed_kind { FEED_OK, FEED_NO, FEED_ERR, FEED_ITEM, FEED_EV };

/* Borrowed until the callback returns. */
struct feed_line {
	enum feed_kind kind;
	const char *tag;   /* NULL: none */
	uint32_t id;       /* FEED_EV: of the subscription */
	const char *event; /* FEED_EV: "msg", "ready"; else NULL */
	struct word *word; /* word_get and its kin give the values */
	const uint8_t *data;
	size_t len;
	bool has_data;
};

struct feed_config {
	const char *path; /* of the socket; copied */
	size_t data_max;  /* 0: FEED_DATA_BYTES_DEFAULT */
	size_t out_max;   /* 0: FEED_OUT_BYTES_DEFAULT */
	void *arg;        /* of all functions */
	/*
	 * Connected, and the greeting is good: the time to send requests.
	 * feed_greeting has what it said.
	 */
	void (*opened)(void *arg, struct feed *feed, uint64_t now_ns);
	/* A line.  It may send requests and call feed_drop. */
	void (*line)(void *arg, struct feed *feed, const struct feed_line *line,
	    uint64_t now_ns);
	/*
	 * What was opened is lost, with all answers that were still to come.
	 * why: "closed", "protocol", what feed_drop was given, or an error of
	 * the system; for the log, and a value when quoted.
	 */
	void (*closed)(
	    void *arg, struct feed *feed, const char *why, uint64_t now_ns);
};

/* cfg is copied.  NULL from a measuring arena. */
struct feed *feed_create(struct arena *arena, const struct feed_config *cfg);

/*
 * Takes part in the loop from now on: one descriptor at a time, one timer,
 * one flush.  Connects at once if it can; opened is called in the loop.  Once.
 */
void feed_start(struct feed *feed, struct loop *loop, uint64_t now_ns);

/* Closes for good, without a callback; for the daemon's end. */
void feed_stop(struct feed *feed);

/* Between opened and closed. */
bool feed_is_open(const struct feed *feed);

/*
 * Why it is not open: what feed.closed was told, "busy", or why connecting
 * failed; "" while it is open.
 */
const char *feed_trouble(const struct feed *feed);

/* A value of the greeting, "" when it has none: "node", "epoch". */
const char *feed_greeting(const struct feed *feed, const char *key);

/* ---- sending ----------------------------------------------------------- */

/*
 * Queues bytes of requests, all or nothing; they leave at the end of this
 * turn.  false: not open, or the queue is full, and nothing was queued.
 */
bool feed_put(struct feed *feed, const void *bytes, size_t len);

/* The same with a format; at most 8 KiB.  Values are quoted by the caller. */
bool feed_putf(struct feed *feed, const char *format, ...) RK_PRINTF(2, 3);

/* Bytes that feed_put would still take. */
size_t feed_room(const struct feed *feed);

/*
 * Closes this connection and makes another: for answers that one cannot live
 * with.  In a callback too; then no further line of it comes.  closed is
 * called, with why, a string literal.
 */
void feed_drop(struct feed *feed, const char *why, uint64_t now_ns);

/* ---- receiving --------------------------------------------------------- */

/*
 * Reads now, without waiting, what the other side has sent until now, and
 * hands it to the callbacks: whoever was stopped calls this before it answers
 * anything.  true: open, and nothing whole is left unread.  Not in a callback
 * of this feed (ENSURE).
 */
bool feed_drain(struct feed *feed, uint64_t now_ns);

/*
 * The last read found the socket empty, and the feed is open: what was
 * handed out is all that had been sent by then.
 */
bool feed_is_drained(const struct feed *feed);

/* A value as a string; "" when absent. */
const char *feed_value(const struct feed_line *line, const char *key);

/* A value as a number; otherwise when it is absent or none. */
uint64_t feed_u64(
    const struct feed_line *line, const char *key, uint64_t otherwise);

struct feed_stats {
	uint64_t opened, lost; /* connections */
	uint64_t lines, bytes_in, bytes_out;
	uint64_t refused; /* feed_put that answered false */
};
void feed_stats(const struct feed *feed, struct feed_stats *out);

#endif
