/* SPDX-License-Identifier: BSD-3-Clause */
/* The client's end of a daemon's socket, for every command line tool.
 *
 * Blocking, with deadlines.  While it waits to write it takes in what the
 * daemon sends, so neither side can lock up the other.  May allocate.
 */
#ifndef RK_ASK_H
#define RK_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/exitcode.h"

struct ask;
struct word;

/* Beside -E…: */
enum ask_error {
	ASK_E_PROTOCOL = 1, /* not a ringkit daemon, or of another version */
	ASK_E_CLOSED,       /* the daemon went away */
	ASK_E_BUSY,         /* it has no room for another client */
};

/* The exit code that a tool owes for an answer that is not 0. */
enum exitcode ask_exitcode(int rc);
/* "Connection refused", "the daemon went away". */
const char *ask_strerror(int rc);
/*
 * "RUNDIR/ring.sock: WHY", and what was expected when nobody is there; kept
 * until the next call.  The second takes what ask_strerror says for why.
 */
const char *ask_explain(
    const char *rundir, const char *daemon, const char *why);
const char *ask_explain_rc(const char *rundir, const char *daemon, int rc);

/*
 * Connects to RUNDIR/DAEMON.sock ("ring") and checks the greeting.  *out is
 * NULL unless 0 is answered; then it is the caller's, to ask_close.
 */
RK_MUST_CHECK int ask_open(struct ask **out, const char *rundir,
    const char *daemon, uint64_t deadline_ns);

/* What was not flushed is lost.  NULL does nothing. */
void ask_close(struct ask *ask);

/* deadline_ns for one request: $RINGKIT_TIMEOUT from now, or 5 s. */
uint64_t ask_deadline_ns(void);

/* A value of the greeting, NULL when it has none: "node", "max_data". */
const char *ask_greeting(const struct ask *ask, const char *key);

/* For poll; readable does not mean that a whole line is there. */
int ask_fd(const struct ask *ask);

/* ---- sending ----------------------------------------------------------- */

/*
 * Bytes of requests, sent when much has gathered or at ask_flush.  Waiting
 * for the daemon to take them has no deadline here: use ask_flush for that.
 */
RK_MUST_CHECK int ask_put(struct ask *ask, const void *bytes, size_t len);

/* A formatted piece of at most 8 KiB; values are quoted by the caller. */
RK_MUST_CHECK int ask_putf(struct ask *ask, const char *format, ...)
    RK_PRINTF(2, 3);

RK_MUST_CHECK int ask_flush(struct ask *ask, uint64_t deadline_ns);

/* Bytes put and not yet taken by the socket. */
size_t ask_unsent(const struct ask *ask);

/* ---- receiving --------------------------------------------------------- */

enum ask_kind { ASK_OK, ASK_NO, ASK_ERR, ASK_ITEM, ASK_EV };

/* Borrowed until the next ask_next, ask_put or ask_flush. */
struct ask_line {
	enum ask_kind kind;
	const char *tag;   /* NULL: none */
	uint32_t id;       /* ASK_EV: of the subscription */
	const char *event; /* ASK_EV: "msg", "ready" */
	struct word *word; /* word_get and its kin give the values */
	const uint8_t *data;
	size_t len;
	bool has_data;
};

/*
 * The next line, flushing first.  -ETIMEDOUT: none is whole by then (and it
 * may be asked for again); UINT64_MAX waits for ever, 0 not at all.
 */
RK_MUST_CHECK int ask_next(
    struct ask *ask, struct ask_line *out, uint64_t deadline_ns);

/* A whole line is here: ask_next will not wait. */
bool ask_has_line(struct ask *ask);

/* A value as a string; "" when absent. */
const char *ask_value(const struct ask_line *line, const char *key);

/* ok: 0; no: 1; err: its n. */
enum exitcode ask_line_exitcode(const struct ask_line *line);

#endif
