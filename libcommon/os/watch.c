/* SPDX-License-Identifier: BSD-3-Clause */
/* A subscription is a number: the next event that it gets.  Whoever reads in
 * time has that of the event to come.  Who does not stays behind, within the
 * history, and goes on from there when its queue has room; only who is behind
 * the oldest event that is kept has lost something.
 */
#include "libcommon/os/watch.h"

#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"
#include "libcommon/os/clock.h"

enum {
	PREFIX_BYTES = 16, /* "ev 4294967295 " */
	EPOCH_DIGITS = 8,
	SUB_ID_MAX = 0x7FFFFFFF,
};

struct entry {
	uint64_t start; /* of its text, in all bytes ever kept */
	uint32_t len;
};

struct watch_sink {
	struct watch *watch;
	struct svc_client *client; /* NULL: free */
	uint32_t id;
	uint64_t next_seq;
	bool is_lost;      /* it needs a gap and the state */
	bool is_unknown;   /* nobody can say how much it lost */
	bool is_ready_due; /* it needs the end of a snapshot */
	bool is_torn;      /* a line of this snapshot was refused */
};

struct watch {
	struct watch_config cfg;
	struct entry *entries; /* of event seq: seq % history_events */
	char *bytes;
	uint64_t first_seq, seq; /* kept: first_seq … seq */
	uint64_t end;            /* of the text of event seq */
	uint64_t gaps;
	struct watch_sink subs[WATCH_SUBS_ALL];
	char line[LIMIT_SERVER_LINE_BYTES];
};

struct watch *
watch_create(struct arena *arena, const struct watch_config *cfg)
{
	struct watch *watch = arena_take(arena, sizeof *watch);
	struct entry *entries =
	    arena_take(arena, cfg->history_events * sizeof *entries);
	char *bytes = arena_take(arena, cfg->history_bytes);

	ENSURE(cfg->history_events > 0);
	ENSURE(cfg->history_bytes >= LIMIT_SERVER_LINE_BYTES);
	if (watch == NULL)
		return NULL;
	*watch = (struct watch){
		.cfg = *cfg, .entries = entries, .bytes = bytes, .first_seq = 1
	};
	for (uint32_t i = 0; i < WATCH_SUBS_ALL; i++)
		watch->subs[i].watch = watch;
	return watch;
}

/* ---- the history ------------------------------------------------------- */

static struct entry *
entry_of(const struct watch *watch, uint64_t seq)
{
	return &watch->entries[seq % watch->cfg.history_events];
}

static void
copy_in(struct watch *watch, const char *bytes, size_t len)
{
	size_t size = watch->cfg.history_bytes;
	size_t at = (size_t)(watch->end % size);
	size_t first = (size_t)num_min(len, size - at);

	memcpy(watch->bytes + at, bytes, first);
	memcpy(watch->bytes, bytes + first, len - first);
	watch->end += len;
}

static void
copy_out(const struct watch *watch, const struct entry *entry, char *bytes)
{
	size_t size = watch->cfg.history_bytes;
	size_t at = (size_t)(entry->start % size);
	size_t first = (size_t)num_min(entry->len, size - at);

	memcpy(bytes, watch->bytes + at, first);
	memcpy(bytes + first, watch->bytes, entry->len - first);
}

static bool
has_room(const struct watch *watch, size_t len)
{
	if (watch->first_seq > watch->seq)
		return true;
	return watch->seq + 1 - watch->first_seq < watch->cfg.history_events &&
	    watch->end - entry_of(watch, watch->first_seq)->start + len <=
	    watch->cfg.history_bytes;
}

static void
keep(struct watch *watch, const struct text *line)
{
	while (!has_room(watch, line->len))
		watch->first_seq++;
	watch->seq++;
	*entry_of(watch, watch->seq) =
	    (struct entry){ watch->end, (uint32_t)line->len };
	copy_in(watch, line->bytes, line->len);
}

/* ---- lines ------------------------------------------------------------- */

void
watch_put_epoch(const struct watch *watch, struct text *out)
{
	static const char digits[] = "0123456789abcdef";

	for (int i = EPOCH_DIGITS; i-- > 0;)
		text_put_char(out, digits[watch->cfg.epoch >> 4 * i & 15]);
}

void
watch_put_cursor(const struct watch *watch, struct text *out)
{
	watch_put_epoch(watch, out);
	text_put_char(out, ':');
	text_put_u64(out, watch->seq);
}

/* A line of which only "ev ID" is missing, with room in front for that. */
static void
begin_line(struct watch *watch, struct text *out, const struct text *record)
{
	ENSURE(!record->is_full);
	ENSURE(record->len <= WATCH_RECORD_BYTES);
	text_init(
	    out, watch->line + PREFIX_BYTES, sizeof watch->line - PREFIX_BYTES);
	text_put_char(out, ' ');
	text_put_bytes(out, record->bytes, record->len);
}

static void
end_line(struct text *out, uint64_t seq)
{
	char stamp[CLOCK_STAMP_BYTES];

	clock_stamp(clock_real_ns(), stamp);
	text_put(out, " seq=");
	text_put_u64(out, seq);
	text_put(out, " ts=");
	text_put(out, stamp);
	text_put_char(out, '\n');
	ENSURE(!out->is_full);
}

/* The line stands in watch->line behind the room for its prefix. */
static bool
offer(struct watch_sink *sub, size_t len)
{
	char bytes[PREFIX_BYTES + 1];
	char *start = sub->watch->line + PREFIX_BYTES;
	struct text prefix;

	text_init(&prefix, bytes, sizeof bytes);
	text_put(&prefix, "ev ");
	text_put_u64(&prefix, sub->id);
	ENSURE(!prefix.is_full);
	memcpy(start - prefix.len, prefix.bytes, prefix.len);
	return svc_offer(sub->client, start - prefix.len, prefix.len + len);
}

static bool
offer_kept(struct watch_sink *sub, uint64_t seq)
{
	const struct entry *entry = entry_of(sub->watch, seq);

	copy_out(sub->watch, entry, sub->watch->line + PREFIX_BYTES);
	return offer(sub, entry->len);
}

/* ---- the state --------------------------------------------------------- */

static void
offer_state(struct watch_sink *sub, struct text *line)
{
	end_line(line, sub->watch->seq);
	if (!sub->is_torn && !offer(sub, line->len))
		sub->is_torn = true;
}

void
watch_state(struct watch_sink *sink, const struct text *record)
{
	struct text line;

	begin_line(sink->watch, &line, record);
	offer_state(sink, &line);
}

void
watch_ready(struct watch_sink *sink, const struct text *record)
{
	struct text line;

	begin_line(sink->watch, &line, record);
	text_put(&line, " cursor=");
	watch_put_cursor(sink->watch, &line);
	offer_state(sink, &line);
}

/* What was refused a part of it gets all of it later, behind a gap. */
static void
tell_state(struct watch_sink *sub, bool has_exists)
{
	const struct watch_config *cfg = &sub->watch->cfg;

	sub->is_torn = false;
	if (has_exists)
		cfg->exists(cfg->arg, sub);
	cfg->ready(cfg->arg, sub);
	sub->is_lost = sub->is_torn;
	sub->is_ready_due = false;
}

static bool
tell_gap(struct watch_sink *sub)
{
	struct watch *watch = sub->watch;
	char bytes[64];
	struct text record, line;

	text_init(&record, bytes, sizeof bytes);
	text_put(&record, "gap lost=");
	if (sub->is_unknown)
		text_put(&record, "unknown");
	else
		text_put_u64(&record, watch->seq + 1 - sub->next_seq);
	begin_line(watch, &line, &record);
	end_line(&line, watch->seq);
	if (!offer(sub, line.len))
		return false;
	watch->gaps++;
	sub->is_unknown = false;
	sub->next_seq = watch->seq + 1;
	return true;
}

/* ---- subscriptions ----------------------------------------------------- */

static bool
is_behind(const struct watch_sink *sub)
{
	return sub->next_seq < sub->watch->first_seq;
}

/* Tells what there is and the client takes. */
static void
advance(struct watch_sink *sub)
{
	if (sub->is_lost || is_behind(sub)) {
		sub->is_lost = true;
		if (tell_gap(sub))
			tell_state(sub, true);
		return;
	}
	while (sub->next_seq <= sub->watch->seq) {
		if (!offer_kept(sub, sub->next_seq))
			return;
		sub->next_seq++;
	}
	if (sub->is_ready_due)
		tell_state(sub, false);
}

uint64_t
watch_tell(struct watch *watch, const struct text *record)
{
	struct text line;

	begin_line(watch, &line, record);
	end_line(&line, watch->seq + 1);
	keep(watch, &line);
	return watch->seq;
}

void
watch_flush(struct watch *watch)
{
	for (uint32_t i = 0; i < WATCH_SUBS_ALL; i++)
		if (watch->subs[i].client != NULL)
			advance(&watch->subs[i]);
}

void
watch_drained(struct watch *watch, struct svc_client *client)
{
	for (uint32_t i = 0; i < WATCH_SUBS_ALL; i++)
		if (watch->subs[i].client == client)
			advance(&watch->subs[i]);
}

void
watch_closed(struct watch *watch, struct svc_client *client)
{
	for (uint32_t i = 0; i < WATCH_SUBS_ALL; i++)
		if (watch->subs[i].client == client)
			watch->subs[i].client = NULL;
}

void
watch_shut(struct watch *watch, const char *code, const char *reason)
{
	for (uint32_t i = 0; i < WATCH_SUBS_ALL; i++) {
		struct svc_client *client = watch->subs[i].client;

		if (client == NULL)
			continue;
		watch_closed(watch, client);
		svc_err(client, NULL, code, "%s", reason);
		svc_client_close(client);
	}
}

/* ---- the verb ---------------------------------------------------------- */

struct wish {
	uint32_t id; /* 0: any */
	bool has_snapshot;
	bool has_since;
	uint32_t epoch;
	uint64_t seq;
};

static bool
read_hex(const char *bytes, uint32_t *out)
{
	uint32_t value = 0;

	for (int i = 0; i < EPOCH_DIGITS; i++) {
		const char *digits = "0123456789abcdef";
		const char *at = memchr(digits, bytes[i], 16);

		if (at == NULL)
			return false;
		value = value << 4 | (uint32_t)(at - digits);
	}
	*out = value;
	return true;
}

static bool
read_cursor(const struct word_pair *word, struct wish *wish)
{
	wish->has_since = true;
	return word->len > EPOCH_DIGITS + 1 &&
	    read_hex(word->value, &wish->epoch) &&
	    word->value[EPOCH_DIGITS] == ':' &&
	    parse_u64(word->value + EPOCH_DIGITS + 1,
		word->len - EPOCH_DIGITS - 1, 0, UINT64_MAX - 1,
		&wish->seq) == 0;
}

/* What is wrong with the request, or NULL. */
static const char *
read_wish(struct word *word, struct wish *wish)
{
	const struct word_pair *id = word_get(word, "id");
	const struct word_pair *snapshot = word_get(word, "snapshot");
	const struct word_pair *since = word_get(word, "since");
	uint64_t number = 0;
	int has_snapshot = 1;

	if (id != NULL &&
	    parse_u64(id->value, id->len, 1, SUB_ID_MAX, &number) != 0)
		return "id: expected 1 to 2147483647";
	if (snapshot != NULL &&
	    parse_yes_no(snapshot->value, snapshot->len, &has_snapshot) != 0)
		return "snapshot: expected yes or no";
	if (since != NULL && !read_cursor(since, wish))
		return "since: expected a cursor, EPOCH:SEQ";
	wish->id = (uint32_t)number;
	wish->has_snapshot = has_snapshot != 0;
	return NULL;
}

static bool
is_taken(
    const struct watch *watch, const struct svc_client *client, uint32_t id)
{
	for (uint32_t i = 0; i < WATCH_SUBS_ALL; i++)
		if (watch->subs[i].client == client && watch->subs[i].id == id)
			return true;
	return false;
}

/* NULL: no room. */
static struct watch_sink *
take_sub(struct watch *watch, struct svc_client *client)
{
	struct watch_sink *found = NULL;
	uint32_t count = 0;

	for (uint32_t i = 0; i < WATCH_SUBS_ALL; i++) {
		count += watch->subs[i].client == client;
		if (found == NULL && watch->subs[i].client == NULL)
			found = &watch->subs[i];
	}
	return count < WATCH_SUBS ? found : NULL;
}

static void
begin_sub(struct watch_sink *sub, const struct wish *wish)
{
	struct watch *watch = sub->watch;

	sub->next_seq = watch->seq + 1;
	sub->is_lost = sub->is_unknown = sub->is_ready_due = false;
	if (!wish->has_since) {
		tell_state(sub, wish->has_snapshot);
		return;
	}
	if (wish->epoch != watch->cfg.epoch || wish->seq > watch->seq)
		sub->is_lost = sub->is_unknown = true;
	else
		sub->next_seq = wish->seq + 1;
	sub->is_ready_due = true;
	advance(sub);
}

enum svc_result
watch_request(struct watch *watch, struct svc_request *req)
{
	struct wish wish = { 0 };
	const char *wrong = read_wish(req->word, &wish);
	struct watch_sink *sub = take_sub(watch, req->client);
	uint32_t id = wish.id != 0 ? wish.id : 1;

	if (wrong == NULL && wish.id != 0 &&
	    is_taken(watch, req->client, wish.id))
		wrong = "id: taken by another subscription";
	if (wrong != NULL) {
		svc_err(req->client, req->tag, "usage", "%s", wrong);
		return SVC_DONE;
	}
	if (sub == NULL) {
		svc_err(req->client, req->tag, "busy",
		    "no room for a subscription");
		return SVC_DONE;
	}
	while (wish.id == 0 && is_taken(watch, req->client, id))
		id++;
	sub->client = req->client;
	sub->id = id;
	svc_client_hold(req->client, 1);
	svc_ok(req->client, req->tag, "id=%u", id);
	begin_sub(sub, &wish);
	return SVC_DONE;
}

void
watch_stats(const struct watch *watch, struct watch_stats *out)
{
	*out = (struct watch_stats){ .seq = watch->seq,
		.kept = (uint32_t)(watch->seq + 1 - watch->first_seq),
		.gaps = watch->gaps };
	for (uint32_t i = 0; i < WATCH_SUBS_ALL; i++)
		out->subs += watch->subs[i].client != NULL;
}
