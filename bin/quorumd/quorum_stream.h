/* SPDX-License-Identifier: BSD-3-Clause */
/* One stream out of two: memberd's records, and our verdicts on views.
 *
 * Both sides see the views of one ringd, each on its own connection, so one
 * of them may be ahead.  A record that names a view waits here for the verdict
 * on that view and carries it; a change of the verdict inside a view becomes a
 * record of its own, behind that view and before the next.  Views are told
 * apart, and put in order, by their sequence, which never goes back.
 *
 * A gate stands before it all: while it is closed nothing is said but unknown,
 * and it opens only with the newest verdict there is.
 */
#ifndef RK_QUORUM_STREAM_H
#define RK_QUORUM_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/base/limits.h"
#include "libcommon/base/parse.h"

struct arena;
struct quorum_stream;
struct text;
struct word;

enum {
	QUORUM_STREAM_LINE_BYTES = LIMIT_SERVER_LINE_BYTES,
	QUORUM_STREAM_QUEUE_BYTES = 1 << 20, /* of records that wait */
	QUORUM_STREAM_VERDICTS = 64,         /* that wait */
};

enum quorum_stream_answer {
	QUORUM_STREAM_UNKNOWN,
	QUORUM_STREAM_NO,
	QUORUM_STREAM_YES,
};

struct quorum_stream_verdict {
	struct parse_view view;
	struct parse_pos pos;
	enum quorum_stream_answer answer;
	uint32_t votes, needed, expected;
	const char *basis;  /* kept: a word that lives for ever */
	const char *reason; /* the same: why it changed inside the view */
};

/* NULL from a measuring arena. */
struct quorum_stream *quorum_stream_create(struct arena *arena);

/* "yes", "no" or "unknown". */
const char *quorum_stream_answer_name(enum quorum_stream_answer answer);

/* ---- what comes in ----------------------------------------------------- */

/*
 * A record of memberd's, as its line was parsed: `ev N EVENT words`, values
 * not touched yet.  seq, ts and cursor are dropped: the stream that leaves has
 * its own.  false: it cannot be read, or the queue is full; then memberd must
 * be asked anew (quorum_stream_forget_members).
 */
RK_MUST_CHECK bool quorum_stream_record(
    struct quorum_stream *stream, struct word *word, uint64_t now_ns);

/*
 * The verdict on a view, or a change of it inside that view; views never go
 * back.  false: too many wait, as above.
 */
RK_MUST_CHECK bool quorum_stream_verdict(struct quorum_stream *stream,
    const struct quorum_stream_verdict *verdict, uint64_t now_ns);

/* Nothing but unknown is said from now on, and why (kept). */
void quorum_stream_shut(struct quorum_stream *stream, const char *reason);

/* The newest verdict may be said again; why is the reason of its record. */
void quorum_stream_open(struct quorum_stream *stream, const char *reason);

/* No verdict comes for views that wait for one: they leave as unknown. */
void quorum_stream_lose_ring(struct quorum_stream *stream);

/*
 * memberd is gone, or lost us: what waits of it is dropped, and only the
 * newest verdict is kept for its next snapshot.
 */
void quorum_stream_forget_members(struct quorum_stream *stream);

/* ---- what goes out ----------------------------------------------------- */

/*
 * The next record, without `ev N` and without LF: true and its text, borrowed
 * until the next call of any of these functions; false: nothing may leave now.
 */
bool quorum_stream_next(struct quorum_stream *stream, struct text *out);

/* A snapshot of memberd's has been told to its end. */
bool quorum_stream_is_ready(const struct quorum_stream *stream);

/*
 * quorate=, votes=, needed=, expected= and basis= of the last record that had
 * them.
 */
void quorum_stream_put_verdict(
    const struct quorum_stream *stream, struct text *out);

/*
 * Since when memberd owes a view on which there is a verdict; UINT64_MAX: it
 * does not.
 */
uint64_t quorum_stream_owed_ns(const struct quorum_stream *stream);

#endif
