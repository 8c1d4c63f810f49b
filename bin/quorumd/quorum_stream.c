/* SPDX-License-Identifier: BSD-3-Clause */
/* Two queues and the last thing that was told.
 *
 * Records of memberd wait in a run of bytes, each behind a header; nearly
 * always there is none.  Verdicts wait in a small array, oldest first.  What
 * may leave is decided in quorum_stream_next alone:
 *
 * 1. A gate that was shut is told at once.
 * 2. A verdict on the view that was told last is told.
 * 3. A record that names no view leaves.
 * 4. A record that names a view leaves with the verdict on it.  When verdicts
 *    are already on later views, or none will come, it leaves as unknown; a
 *    verdict on a view that memberd left out is dropped.
 * 5. A gate that was opened is told when nothing waits.
 */
#include "bin/quorumd/quorum_stream.h"

#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"

/* A record that names a view must leave room for the verdict. */
enum { VIEW_BYTES = QUORUM_STREAM_LINE_BYTES - 512 };

struct entry {
	size_t len;      /* of the text behind this header */
	size_t head_len; /* where the verdict belongs, when it names a view */
	struct parse_view view;
	bool has_view;
};

struct waiting {
	struct quorum_stream_verdict verdict;
	uint64_t since_ns;
};

struct quorum_stream {
	unsigned char *queue;
	size_t queue_start, queue_end;
	struct waiting verdicts[QUORUM_STREAM_VERDICTS];
	size_t verdict_count;
	struct quorum_stream_verdict newest; /* of all that came */
	bool has_newest;
	bool is_attached; /* records of memberd have come */
	bool is_ring_lost;
	bool is_open;
	const char *gate_reason;
	bool is_ready; /* a view was told: */
	struct parse_view view;
	struct quorum_stream_verdict told;  /* with it, or since */
	struct quorum_stream_verdict known; /* on it, behind the gate */
	bool is_known;
	char line[QUORUM_STREAM_LINE_BYTES];
};

struct quorum_stream *
quorum_stream_create(struct arena *arena)
{
	struct quorum_stream *stream = arena_take(arena, sizeof *stream);
	unsigned char *queue = arena_take(arena, QUORUM_STREAM_QUEUE_BYTES);

	if (stream == NULL)
		return NULL;
	*stream = (struct quorum_stream){ .queue = queue,
		.gate_reason = "stale",
		.told = { .basis = "none", .reason = "stale" } };
	return stream;
}

const char *
quorum_stream_answer_name(enum quorum_stream_answer answer)
{
	switch (answer) {
	case QUORUM_STREAM_YES:
		return "yes";
	case QUORUM_STREAM_NO:
		return "no";
	case QUORUM_STREAM_UNKNOWN:
		break;
	}
	return "unknown";
}

static bool
is_same_view(struct parse_view a, struct parse_view b)
{
	return a.rep == b.rep && a.seq == b.seq;
}

/* ---- records come in --------------------------------------------------- */

static bool
is_dropped(const char *key)
{
	return strcmp(key, "seq") == 0 || strcmp(key, "ts") == 0 ||
	    strcmp(key, "cursor") == 0;
}

/* Values as they were written; where the verdict goes in entry->head_len. */
static void
rebuild(const struct word *word, struct entry *entry, struct text *out)
{
	text_put(out, word->verb[2]);
	for (size_t i = 0; i < word->pair_count; i++) {
		const struct word_pair *pair = &word->pair[i];

		ENSURE(pair->is_raw);
		if (is_dropped(pair->key))
			continue;
		text_put_char(out, ' ');
		text_put(out, pair->key);
		text_put_char(out, '=');
		text_put_bytes(out, pair->value, pair->len);
		if (strcmp(pair->key, "coordinator") == 0)
			entry->head_len = out->len;
	}
	entry->len = out->len;
	if (entry->head_len == 0)
		entry->head_len = out->len;
}

/* 0: it names no view, 1: it does, -1: it should, and cannot be read. */
static int
read_view(struct word *word, struct parse_view *view)
{
	const struct word_pair *pair;

	if (strcmp(word->verb[2], "view") != 0 &&
	    strcmp(word->verb[2], "ready") != 0)
		return 0;
	pair = word_get_raw(word, "view");
	if (pair == NULL || parse_view(pair->value, pair->len, view) != 0)
		return -1;
	return 1;
}

static bool
put_entry(struct quorum_stream *stream, const struct entry *entry)
{
	const size_t bytes = sizeof *entry + entry->len;

	if (stream->queue_start > 0) {
		memmove(stream->queue, stream->queue + stream->queue_start,
		    stream->queue_end - stream->queue_start);
		stream->queue_end -= stream->queue_start;
		stream->queue_start = 0;
	}
	if (bytes > QUORUM_STREAM_QUEUE_BYTES - stream->queue_end)
		return false;
	memcpy(stream->queue + stream->queue_end, entry, sizeof *entry);
	memcpy(stream->queue + stream->queue_end + sizeof *entry, stream->line,
	    entry->len);
	stream->queue_end += bytes;
	return true;
}

bool
quorum_stream_record(
    struct quorum_stream *stream, struct word *word, uint64_t now_ns)
{
	struct entry entry = { .len = 0 };
	struct text out;
	int rc;

	(void)now_ns;
	ENSURE(word->verb_count == 3);
	rc = read_view(word, &entry.view);
	if (rc < 0)
		return false;
	entry.has_view = rc > 0;
	stream->is_attached = true;
	text_init(&out, stream->line, sizeof stream->line);
	rebuild(word, &entry, &out);
	if (out.is_full || (entry.has_view && entry.len > VIEW_BYTES))
		return false;
	return put_entry(stream, &entry);
}

/* The oldest record that waits. */
static bool
peek_entry(const struct quorum_stream *stream, struct entry *entry)
{
	if (stream->queue_start == stream->queue_end)
		return false;
	memcpy(entry, stream->queue + stream->queue_start, sizeof *entry);
	return true;
}

static const char *
entry_text(const struct quorum_stream *stream)
{
	return (const char *)stream->queue + stream->queue_start +
	    sizeof(struct entry);
}

static void
drop_entry(struct quorum_stream *stream, const struct entry *entry)
{
	stream->queue_start += sizeof *entry + entry->len;
	ENSURE(stream->queue_start <= stream->queue_end);
}

/* ---- verdicts come in -------------------------------------------------- */

bool
quorum_stream_verdict(struct quorum_stream *stream,
    const struct quorum_stream_verdict *verdict, uint64_t now_ns)
{
	ENSURE(verdict->basis != NULL && verdict->reason != NULL);
	if (stream->has_newest && !stream->is_ring_lost)
		ENSURE(verdict->view.seq >= stream->newest.view.seq);
	stream->newest = *verdict;
	stream->has_newest = true;
	stream->is_ring_lost = false;
	/* A ringd that forgot its past; nothing can be put in order any more.
	 */
	if (stream->is_ready && verdict->view.seq < stream->view.seq)
		return false;
	if (!stream->is_attached)
		stream->verdict_count = 0;
	if (stream->verdict_count == QUORUM_STREAM_VERDICTS)
		return false;
	stream->verdicts[stream->verdict_count++] =
	    (struct waiting){ *verdict, now_ns };
	return true;
}

static void
drop_verdict(struct quorum_stream *stream)
{
	ENSURE(stream->verdict_count > 0);
	stream->verdict_count--;
	memmove(stream->verdicts, stream->verdicts + 1,
	    stream->verdict_count * sizeof stream->verdicts[0]);
}

/* ---- the rest of what comes in ----------------------------------------- */

void
quorum_stream_shut(struct quorum_stream *stream, const char *reason)
{
	stream->is_open = false;
	stream->gate_reason = reason;
}

void
quorum_stream_open(struct quorum_stream *stream, const char *reason)
{
	stream->is_open = true;
	stream->gate_reason = reason;
}

void
quorum_stream_lose_ring(struct quorum_stream *stream)
{
	stream->is_ring_lost = true;
}

void
quorum_stream_forget_members(struct quorum_stream *stream)
{
	stream->queue_start = stream->queue_end = 0;
	stream->is_attached = stream->is_ready = stream->is_known = false;
	stream->told.answer = QUORUM_STREAM_UNKNOWN;
	stream->verdict_count = 0;
	if (!stream->has_newest)
		return;
	stream->verdicts[0] = (struct waiting){ stream->newest, UINT64_MAX };
	stream->verdict_count = 1;
}

/* ---- what goes out ----------------------------------------------------- */

static void
put_number(struct text *out, const char *key, uint64_t value)
{
	text_put_char(out, ' ');
	text_put(out, key);
	text_put_char(out, '=');
	text_put_u64(out, value);
}

static void
put_view(struct text *out, const char *key, struct parse_view view)
{
	put_number(out, key, view.rep);
	text_put_char(out, '.');
	text_put_u64(out, view.seq);
}

static void
put_counts(struct text *out, const struct quorum_stream_verdict *verdict)
{
	put_number(out, "votes", verdict->votes);
	put_number(out, "needed", verdict->needed);
	put_number(out, "expected", verdict->expected);
	text_put(out, " basis=");
	text_put(out, verdict->basis);
}

void
quorum_stream_put_verdict(const struct quorum_stream *stream, struct text *out)
{
	text_put(out, "quorate=");
	text_put(out, quorum_stream_answer_name(stream->told.answer));
	put_counts(out, &stream->told);
}

/* What was told, with its answer taken back. */
static struct quorum_stream_verdict
unknown(const struct quorum_stream *stream)
{
	struct quorum_stream_verdict verdict = stream->told;

	verdict.answer = QUORUM_STREAM_UNKNOWN;
	verdict.basis = "none";
	return verdict;
}

/* A record of a change inside the view that was told last. */
static void
tell_change(struct quorum_stream *stream,
    const struct quorum_stream_verdict *verdict, const char *reason,
    struct text *out)
{
	const enum quorum_stream_answer prev = stream->told.answer;

	stream->told = *verdict;
	text_put(out, "quorum quorate=");
	text_put(out, quorum_stream_answer_name(verdict->answer));
	text_put(out, " prev=");
	text_put(out, quorum_stream_answer_name(prev));
	put_counts(out, verdict);
	put_view(out, "view", stream->view);
	put_view(out, "pos", verdict->pos.view);
	text_put_char(out, ':');
	text_put_u64(out, verdict->pos.seq);
	text_put_char(out, '.');
	text_put_u64(out, verdict->pos.idx);
	text_put(out, " reason=");
	text_put(out, reason);
}

static bool
is_same(const struct quorum_stream_verdict *a,
    const struct quorum_stream_verdict *b)
{
	return a->answer == b->answer && a->votes == b->votes &&
	    a->needed == b->needed && a->expected == b->expected &&
	    strcmp(a->basis, b->basis) == 0;
}

/* Verdicts on views after this one wait. */
static bool
has_later(const struct quorum_stream *stream, struct parse_view view)
{
	return stream->verdict_count > 0 &&
	    stream->verdicts[stream->verdict_count - 1].verdict.view.seq >
	    view.seq;
}

/*
 * May a verdict on that view be told?  Once unknown was said, only the newest
 * may end it: an older one, though true of its view, would be news of a past
 * that nobody watched.
 */
static bool
may_tell(const struct quorum_stream *stream, struct parse_view view)
{
	return stream->is_open &&
	    (stream->told.answer != QUORUM_STREAM_UNKNOWN ||
		!has_later(stream, view));
}

/* The oldest verdict is on the view that was told last: true, if told. */
static bool
tell_verdict(struct quorum_stream *stream, struct text *out)
{
	stream->known = stream->verdicts[0].verdict;
	stream->is_known = true;
	drop_verdict(stream);
	if (stream->told.answer == QUORUM_STREAM_UNKNOWN || !stream->is_open ||
	    is_same(&stream->known, &stream->told))
		return false;
	tell_change(stream, &stream->known, stream->known.reason, out);
	return true;
}

/* The oldest record names a view; verdict is that on it, or NULL. */
static void
tell_view(struct quorum_stream *stream, const struct entry *entry,
    const struct quorum_stream_verdict *verdict, struct text *out)
{
	const char *record = entry_text(stream);
	struct quorum_stream_verdict none = unknown(stream);

	stream->is_known = verdict != NULL;
	if (verdict != NULL)
		stream->known = *verdict;
	if (verdict == NULL || !may_tell(stream, entry->view))
		verdict = &none;
	stream->told = *verdict;
	stream->view = entry->view;
	stream->is_ready = true;
	text_put_bytes(out, record, entry->head_len);
	text_put_char(out, ' ');
	quorum_stream_put_verdict(stream, out);
	text_put_bytes(
	    out, record + entry->head_len, entry->len - entry->head_len);
	drop_entry(stream, entry);
}

/* Is there a verdict on the view, or will there be none?  false: wait. */
static bool
match(struct quorum_stream *stream, struct parse_view view,
    const struct quorum_stream_verdict **verdict)
{
	*verdict = NULL;
	if (stream->is_ready && view.seq <= stream->view.seq) {
		/* The state once more, after a gap. */
		if (is_same_view(view, stream->view) && stream->is_known)
			*verdict = &stream->known;
		return true;
	}
	while (stream->verdict_count > 0 &&
	    stream->verdicts[0].verdict.view.seq < view.seq)
		drop_verdict(stream);
	if (stream->verdict_count == 0)
		return stream->is_ring_lost;
	if (is_same_view(stream->verdicts[0].verdict.view, view))
		*verdict = &stream->verdicts[0].verdict;
	return true;
}

/* Rules 3 and 4: true, if something is told. */
static bool
tell_record(struct quorum_stream *stream, struct text *out)
{
	const struct quorum_stream_verdict *found;
	struct quorum_stream_verdict verdict;
	struct entry entry;

	if (!peek_entry(stream, &entry))
		return false;
	if (!entry.has_view) {
		text_put_bytes(out, entry_text(stream), entry.len);
		drop_entry(stream, &entry);
		return true;
	}
	if (!match(stream, entry.view, &found))
		return false;
	if (found != NULL)
		verdict = *found;
	if (found != NULL && found != &stream->known)
		drop_verdict(stream);
	tell_view(stream, &entry, found != NULL ? &verdict : NULL, out);
	return true;
}

/* Rule 5. */
static bool
tell_opened(struct quorum_stream *stream, struct text *out)
{
	if (!stream->is_ready || !stream->is_known || !stream->is_open ||
	    stream->verdict_count > 0 ||
	    stream->queue_start != stream->queue_end ||
	    stream->told.answer != QUORUM_STREAM_UNKNOWN ||
	    is_same(&stream->known, &stream->told))
		return false;
	tell_change(stream, &stream->known, stream->gate_reason, out);
	return true;
}

bool
quorum_stream_next(struct quorum_stream *stream, struct text *out)
{
	text_init(out, stream->line, sizeof stream->line);
	if (stream->is_ready && !stream->is_open &&
	    stream->told.answer != QUORUM_STREAM_UNKNOWN) {
		struct quorum_stream_verdict none = unknown(stream);

		tell_change(stream, &none, stream->gate_reason, out);
		return true;
	}
	while (stream->is_ready && stream->verdict_count > 0 &&
	    stream->verdicts[0].verdict.view.seq <= stream->view.seq) {
		if (!is_same_view(
			stream->verdicts[0].verdict.view, stream->view))
			drop_verdict(stream);
		else if (tell_verdict(stream, out))
			return true;
	}
	return tell_record(stream, out) || tell_opened(stream, out);
}

bool
quorum_stream_is_ready(const struct quorum_stream *stream)
{
	return stream->is_ready;
}

uint64_t
quorum_stream_owed_ns(const struct quorum_stream *stream)
{
	if (!stream->is_ready || !has_later(stream, stream->view))
		return UINT64_MAX;
	for (size_t i = 0; i < stream->verdict_count; i++)
		if (stream->verdicts[i].verdict.view.seq > stream->view.seq)
			return stream->verdicts[i].since_ns;
	return UINT64_MAX;
}
