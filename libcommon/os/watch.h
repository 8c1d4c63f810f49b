/* SPDX-License-Identifier: BSD-3-Clause */
/* The verb `watch`: a snapshot, then live events, resumable by a cursor.
 *
 * The daemon tells events as text.  Each gets the next number, a time, and a
 * place in a history of bounded size; every subscription reads that history
 * at its own pace.  One that falls out of it, or asks for what is not in it,
 * gets `gap` and the state as it is now.  Nothing is allocated after
 * watch_create, and no reader holds up another, or the daemon.
 *
 *	ev ID exists … seq=S ts=T	the snapshot: seq is that of the last
 *	ev ID ready … cursor=E:S seq=S ts=T	event that is in it
 *	ev ID KIND … seq=S+1 ts=T	what happened since
 *	ev ID gap lost=N|unknown seq=S ts=T	then exists … ready again
 */
#ifndef RK_WATCH_H
#define RK_WATCH_H

#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/limits.h"
#include "libcommon/os/svc.h"

struct arena;
struct text;
struct watch;
struct watch_sink; /* one subscription, while it is told the state */

enum {
	WATCH_SUBS = 8,                 /* of one client */
	WATCH_SUBS_ALL = LIMIT_CLIENTS, /* of all clients together */
	/* A record of the daemon's, without what is put on here. */
	WATCH_RECORD_BYTES = LIMIT_SERVER_LINE_BYTES - 256,
};

/* Calls watch_state or watch_ready with sink. */
typedef void watch_state_fn(void *arg, struct watch_sink *sink);

struct watch_config {
	uint32_t epoch;          /* random, another one in every run */
	size_t history_bytes;    /* of the text of events */
	uint32_t history_events; /* that are kept at most */
	/* The state now: watch_state for each line of the snapshot … */
	watch_state_fn *exists;
	/* … and watch_ready, exactly once, for its end. */
	watch_state_fn *ready;
	void *arg; /* of both */
};

/* cfg is copied.  NULL from a measuring arena. */
struct watch *watch_create(struct arena *arena, const struct watch_config *cfg);

/*
 * An event: "KIND key=value …", without line end, seq and ts.  It is kept, and
 * told by watch_flush.  Answers its number: 1, 2, ….
 */
uint64_t watch_tell(struct watch *watch, const struct text *record);

/*
 * To be called behind the last event of a change, before requests are served
 * again: tells all subscriptions.  Whoever gets a gap then gets the state, in
 * which all events told so far must be: else it would learn things twice.
 */
void watch_flush(struct watch *watch);

/* From the callbacks: one line of the snapshot, in the form of an event. */
void watch_state(struct watch_sink *sink, const struct text *record);

/* From the callback ready: its words; cursor= is put behind them. */
void watch_ready(struct watch_sink *sink, const struct text *record);

/* ---- to be called by the daemon's functions for svc -------------------- */

/* watch [id=N] [snapshot=yes|no] [since=CURSOR], answered. */
enum svc_result watch_request(struct watch *watch, struct svc_request *req);

/* In `closed` and `drained` of svc_config. */
void watch_closed(struct watch *watch, struct svc_client *client);
void watch_drained(struct watch *watch, struct svc_client *client);

/*
 * What the events are about is gone: all clients that watch get err with this
 * code (see svc_err) and reason, and are closed.  They may come again with
 * their cursors; the history stays.
 */
void watch_shut(struct watch *watch, const char *code, const char *reason);

/* ---- what there is ----------------------------------------------------- */

/* EPOCH, as 8 hexadecimal digits, for the greeting. */
void watch_put_epoch(const struct watch *watch, struct text *out);
/* EPOCH:SEQ of the last event. */
void watch_put_cursor(const struct watch *watch, struct text *out);

struct watch_stats {
	uint64_t seq;  /* of the last event; 0: there was none */
	uint32_t subs; /* now */
	uint32_t kept; /* events in the history */
	uint64_t gaps; /* told so far */
};
void watch_stats(const struct watch *watch, struct watch_stats *out);

#endif
