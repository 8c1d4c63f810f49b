/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the watcher share. */
#ifndef RK_WATCHER_INTERNAL_H
#define RK_WATCHER_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "bin/watch-membership/watcher_run.h"

struct ask;
struct ask_line;

enum { WATCHER_SUB_ID = 1 };

enum watcher_step {
	WATCHER_ON,
	WATCHER_END,  /* the exit code is in code */
	WATCHER_LOST, /* the connection, by rc */
};

struct watcher {
	struct watcher_options *options;
	struct watcher_printer *printer;
	struct ask *ask;
	bool is_subscribed; /* and had its ready, on this connection */
	bool is_ready;      /* it was, once */
	bool is_closing;    /* enough was told; the hooks finish */
	bool is_down;       /* and said so */
	bool is_pinging;
	uint64_t count;
	uint64_t line_count; /* since the clock was read */
	uint64_t seq;        /* of the last event */
	uint64_t backoff_ns; /* before the next attempt */
	uint64_t subscribe_ns;
	uint64_t tick_ns;     /* when to ask for a heartbeat */
	uint64_t ping_end_ns; /* when it should have come */
	uint64_t deadline_ns;
	enum exitcode code;
	int rc;
	char refusal[96]; /* why the daemon closed last, if it said so */
};

/* Later than any time when it would be. */
uint64_t watcher_later(uint64_t now_ns, uint64_t span_ns);
enum watcher_step watcher_end(struct watcher *w, enum exitcode code);
enum watcher_step watcher_lose(struct watcher *w, int rc);

/* Connects, resolves the nodes of the filter and subscribes. */
enum watcher_step watcher_connect(struct watcher *w);

/* Reads the clock; does what is due. */
enum watcher_step watcher_look(struct watcher *w);
/* Starts and ends hooks, if there are any. */
enum watcher_step watcher_turn_hooks(struct watcher *w);

/*
 * Waits for fd (-1: none), for the reader to go, for hooks, for time to pass;
 * first writes what there is.
 */
enum watcher_step watcher_wait(struct watcher *w, int fd, uint64_t until_ns);

/* An answer that is not ok, to whatever. */
enum watcher_step watcher_refused(
    struct watcher *w, const struct ask_line *line);

#endif
