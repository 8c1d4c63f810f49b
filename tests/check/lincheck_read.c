/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/check/lincheck_read.h"

#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include "libcommon/base/escape.h"
#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"

enum { WORDS_MAX = 4096 };

struct pair {
	const char *key;
	char *value;
	size_t len;
};

/* A line, taken to pieces. */
struct line {
	uint32_t client;
	uint64_t begin_ns, end_ns;
	const char *verb;
	const char *outcome; /* NULL: none */
	struct pair asked[WORDS_MAX];
	size_t asked_count;
	struct pair told[WORDS_MAX];
	size_t told_count;
};

/* ---- words ------------------------------------------------------------- */

static const char *
split_pair(char *word, struct pair *pair)
{
	char *value = strchr(word, '=');
	if (value == NULL)
		return "a word without '='";
	*value++ = '\0';
	if (!escape_is_valid(value, strlen(value)))
		return "an unknown escape";
	*pair = (struct pair){ word, value, 0 };
	pair->len = escape_undo(value, strlen(value));
	return NULL;
}

static const char *
split_pairs(char **rest, struct pair *pair, size_t *count)
{
	char *word;
	*count = 0;
	while ((word = strtok_r(NULL, " ", rest)) != NULL) {
		if (strcmp(word, "->") == 0)
			return NULL;
		if (*count == WORDS_MAX)
			return "too many words";
		const char *why = split_pair(word, &pair[*count]);
		if (why != NULL)
			return why;
		(*count)++;
	}
	return NULL;
}

static bool
read_time(const char *word, uint64_t *ns)
{
	*ns = LINCHECK_NONE;
	if (word == NULL || strcmp(word, "-") == 0)
		return word != NULL;
	return parse_duration(word, strlen(word), ns) == 0;
}

static const char *
split(struct lincheck_reader *reader, char *text, struct line *line)
{
	char *rest = NULL;
	char *client = strtok_r(text, " ", &rest);
	char *begin = strtok_r(NULL, " ", &rest);
	char *end = strtok_r(NULL, " ", &rest);
	line->verb = strtok_r(NULL, " ", &rest);
	if (line->verb == NULL)
		return "fewer than four words";
	line->client = lincheck_word(reader->check, client, strlen(client));
	if (!read_time(begin, &line->begin_ns) ||
	    line->begin_ns == LINCHECK_NONE || !read_time(end, &line->end_ns))
		return "no time";
	if (line->end_ns < line->begin_ns)
		return "ends before it begins";
	const char *why = split_pairs(&rest, line->asked, &line->asked_count);
	if (why != NULL)
		return why;
	line->outcome = strtok_r(NULL, " ", &rest);
	return split_pairs(&rest, line->told, &line->told_count);
}

static const struct pair *
find(const struct pair *pair, size_t count, const char *key)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(pair[i].key, key) == 0)
			return &pair[i];
	return NULL;
}

static const struct pair *
asked(const struct line *line, const char *key)
{
	return find(line->asked, line->asked_count, key);
}

static const struct pair *
told(const struct line *line, const char *key)
{
	return find(line->told, line->told_count, key);
}

/* NONE when it is not there; false when it is no number. */
static bool
number(const struct pair *pair, uint64_t *out)
{
	*out = LINCHECK_NONE;
	return pair == NULL ||
	    parse_u64(pair->value, pair->len, 0, LINCHECK_NONE - 1, out) == 0;
}

static uint32_t
word(struct lincheck_reader *reader, const struct pair *pair)
{
	return pair == NULL
	    ? lincheck_word(reader->check, "", 0)
	    : lincheck_word(reader->check, pair->value, pair->len);
}

static bool
is(const char *text, const char *other)
{
	return text != NULL && strcmp(text, other) == 0;
}

/* ---- operations -------------------------------------------------------- */

static struct lincheck_op *
begin(struct lincheck_reader *reader, const struct line *line,
    enum lincheck_outcome outcome, uint64_t rev)
{
	struct lincheck_op *op = lincheck_begin(reader->check);
	op->client = line->client;
	op->path = reader->path;
	op->line = reader->line;
	op->begin_ns = line->begin_ns;
	op->end_ns = line->end_ns;
	op->outcome = outcome;
	op->rev = rev;
	return op;
}

static void
fact(struct lincheck_reader *reader, enum lincheck_fact_kind kind, uint32_t key,
    uint64_t rev, uint32_t value)
{
	lincheck_fact(reader->check,
	    (struct lincheck_fact){
		.kind = kind, .key = key, .rev = rev, .value = value });
}

/* "rev=… value=…" behind a key. */
static const char *
see(struct lincheck_reader *reader, uint32_t key, const struct pair *pair)
{
	uint64_t rev;
	if (strcmp(pair->key, "value") == 0) {
		fact(reader, LINCHECK_VALUE, key, 0, word(reader, pair));
	} else if (strcmp(pair->key, "rev") == 0) {
		if (!number(pair, &rev) || rev == 0)
			return "rev= is no revision";
		fact(reader, LINCHECK_REV, key, rev, LINCHECK_NO_WORD);
	}
	return NULL;
}

static bool
is_answered(const struct line *line)
{
	return line->end_ns != LINCHECK_NONE && line->outcome != NULL &&
	    !is(line->outcome, "unknown");
}

static const char *
read_get(struct lincheck_reader *reader, const struct line *line)
{
	const struct pair *key = asked(line, "key");
	uint64_t store_rev;
	const char *why = NULL;
	if (key == NULL)
		return "get without key=";
	if (!is_answered(line) || is(line->outcome, "refused"))
		return NULL; /* a question changes nothing */
	if (!number(told(line, "store_rev"), &store_rev))
		return "store_rev= is no revision";
	struct lincheck_op *op = begin(reader, line, LINCHECK_DONE, store_rev);
	op->is_local = asked(line, "sync") == NULL;
	if (is(line->outcome, "absent")) {
		fact(reader, LINCHECK_ABSENT, word(reader, key), 0, 0);
		return NULL;
	}
	if (!is(line->outcome, "ok"))
		return "no such answer";
	for (size_t i = 0; why == NULL && i < line->told_count; i++)
		why = see(reader, word(reader, key), &line->told[i]);
	return why;
}

static const char *
read_list(struct lincheck_reader *reader, const struct line *line)
{
	uint32_t key = LINCHECK_NO_WORD;
	uint64_t rev;
	const char *why = NULL;
	if (!is_answered(line) || is(line->outcome, "refused"))
		return NULL;
	if (!is(line->outcome, "ok") || !number(told(line, "rev"), &rev) ||
	    rev == LINCHECK_NONE)
		return "list without rev=";
	struct lincheck_op *op = begin(reader, line, LINCHECK_DONE, rev);
	op->is_local = asked(line, "sync") == NULL;
	fact(reader, LINCHECK_ONLY, word(reader, asked(line, "prefix")), 0, 0);
	for (size_t i = 0; why == NULL && i < line->told_count; i++) {
		const struct pair *pair = &line->told[i];
		if (strcmp(pair->key, "key") == 0)
			key = word(reader, pair);
		else if (key != LINCHECK_NO_WORD)
			why = see(reader, key, pair);
	}
	return why;
}

/* ---- changes ----------------------------------------------------------- */

/* A change that took place was there at the revision before it. */
struct change {
	struct lincheck_reader *reader;
	const struct line *line;
	bool is_done; /* and has changed something */
	bool is_void; /* done, and nothing was there to change */
};

static const char *
condition(const struct change *change, uint32_t key, const struct pair *pair)
{
	struct lincheck_fact next = {
		.key = key,
		.when = change->is_void ||
			(is_answered(change->line) && !change->is_done)
		    ? LINCHECK_AT
		    : LINCHECK_BEFORE,
		.is_condition = true,
	};
	const char *name = pair->key;
	if (strncmp(name, "if_", 3) == 0)
		name += 3;
	if (strcmp(name, "rev") == 0) {
		next.kind = LINCHECK_REV;
		if (!number(pair, &next.rev))
			return "rev= is no revision";
		if (next.rev == 0)
			next.kind = LINCHECK_ABSENT;
	} else if (strcmp(name, "value") == 0) {
		next.kind = LINCHECK_VALUE;
		next.value = word(change->reader, pair);
	} else if (strcmp(name, "absent") == 0) {
		next.kind = LINCHECK_ABSENT;
	} else if (strcmp(name, "exists") == 0) {
		next.kind = LINCHECK_EXISTS;
	} else {
		return "no such condition";
	}
	lincheck_fact(change->reader->check, next);
	return NULL;
}

static void delete (
    const struct change *change, const struct pair *pair, bool is_prefix)
{
	uint32_t key = word(change->reader, pair);
	if (change->is_void) {
		fact(change->reader,
		    is_prefix ? LINCHECK_ONLY : LINCHECK_ABSENT, key, 0, 0);
		return;
	}
	lincheck_change(change->reader->check,
	    (struct lincheck_change){
		.kind = is_prefix ? LINCHECK_DEL_PREFIX : LINCHECK_DEL,
		.key = key });
}

static void
put(const struct change *change, uint32_t key, const struct pair *value)
{
	lincheck_change(change->reader->check,
	    (struct lincheck_change){ .kind = LINCHECK_PUT,
		.key = key,
		.value = word(change->reader, value) });
}

static const char *
ask_set(const struct change *change)
{
	const struct line *line = change->line;
	const struct pair *key = asked(line, "key");
	const struct pair *prefix = asked(line, "prefix");
	bool is_set = is(line->verb, "set");
	const char *why = NULL;
	if (is_set && (key == NULL || asked(line, "value") == NULL))
		return "set without key= and value=";
	if (key == NULL && prefix == NULL)
		return "del without key= or prefix=";
	for (size_t i = 0; why == NULL && i < line->asked_count; i++)
		if (strncmp(line->asked[i].key, "if_", 3) == 0)
			why = condition(
			    change, word(change->reader, key), &line->asked[i]);
	if (is_set)
		put(change, word(change->reader, key), asked(line, "value"));
	else
		delete (change, key != NULL ? key : prefix, key == NULL);
	return why;
}

static const char *
ask_txn(const struct change *change)
{
	const struct line *line = change->line;
	uint32_t key = LINCHECK_NO_WORD;
	bool is_put = false;
	for (size_t i = 0; i < line->asked_count; i++) {
		const struct pair *pair = &line->asked[i];
		const char *why = NULL;
		if (is(pair->key, "if") || is(pair->key, "put")) {
			key = word(change->reader, pair);
			is_put = is(pair->key, "put");
		} else if (is(pair->key, "del") || is(pair->key, "delprefix")) {
			delete (change, pair, is(pair->key, "delprefix"));
		} else if (is(pair->key, "lock") || is(pair->key, "token")) {
			continue;
		} else if (key == LINCHECK_NO_WORD) {
			why = "nothing before it says of which key";
		} else if (is_put) {
			put(change, key, pair);
		} else {
			why = condition(change, key, pair);
		}
		if (why != NULL)
			return why;
	}
	return NULL;
}

/* The key that an answer is about, and what revision it had. */
static const char *
see_conflict(struct lincheck_reader *reader, const struct line *line)
{
	const struct pair *key = told(line, "key");
	uint64_t rev;
	if (key == NULL)
		key = asked(line, "key");
	if (!number(told(line, "rev"), &rev))
		return "rev= is no revision";
	if (key == NULL || rev == LINCHECK_NONE)
		return NULL;
	fact(reader, rev == 0 ? LINCHECK_ABSENT : LINCHECK_REV,
	    word(reader, key), rev, 0);
	return NULL;
}

static const char *
outcome_of(const struct line *line, enum lincheck_outcome *outcome)
{
	static const struct {
		const char *word;
		enum lincheck_outcome outcome;
	} outcomes[] = {
		{ "ok", LINCHECK_DONE },
		{ "absent", LINCHECK_DONE },
		{ "conflict", LINCHECK_CONFLICT },
		{ "refused", LINCHECK_REFUSED },
	};
	*outcome = LINCHECK_UNKNOWN;
	if (!is_answered(line))
		return NULL;
	for (size_t i = 0; i < ARRAY_COUNT(outcomes); i++)
		if (is(line->outcome, outcomes[i].word)) {
			*outcome = outcomes[i].outcome;
			return NULL;
		}
	return "no such answer";
}

static const char *
read_change(struct lincheck_reader *reader, const struct line *line)
{
	const struct pair *lock = asked(line, "lock");
	enum lincheck_outcome outcome;
	uint64_t rev, n, token;
	const char *why = outcome_of(line, &outcome);
	if (why != NULL)
		return why;
	bool is_void = outcome == LINCHECK_DONE && is(line->outcome, "absent");
	bool is_ok = outcome == LINCHECK_DONE && !is_void;
	if (!number(told(line, is_ok ? "rev" : "store_rev"), &rev) ||
	    !number(told(line, "n"), &n) ||
	    !number(asked(line, "token"), &token))
		return "no number";
	if (is_ok && (rev == LINCHECK_NONE || (rev == 0 && n != 0)))
		return "ok without rev=";
	struct lincheck_op *op = begin(reader, line, outcome, rev);
	op->lock = lock == NULL ? LINCHECK_NO_WORD : word(reader, lock);
	op->token = token;
	struct change change = {
		.reader = reader,
		.line = line,
		.is_void = is_void || (is_ok && n == 0),
		.is_done = is_ok && n != 0,
	};
	why = is(line->verb, "txn") ? ask_txn(&change) : ask_set(&change);
	if (why == NULL && outcome == LINCHECK_CONFLICT)
		why = see_conflict(reader, line);
	return why;
}

/* ---- watches and locks ------------------------------------------------- */

static const char *
watch_begins(struct lincheck_reader *reader, const struct line *line)
{
	struct lincheck_event event = {
		.kind = LINCHECK_EVENT_SINCE,
		.path = reader->path,
		.line = reader->line,
		.at_ns = line->begin_ns,
	};
	event.watcher = lincheck_watcher(
	    reader->check, line->client, word(reader, asked(line, "prefix")));
	if (!number(asked(line, "since"), &event.rev))
		return "since= is no revision";
	reader->watcher = event.watcher;
	reader->watched_by = line->client;
	reader->is_watching = true;
	if (event.rev != LINCHECK_NONE)
		lincheck_event(reader->check, &event);
	return NULL;
}

static const char *
read_event(struct lincheck_reader *reader, const struct line *line,
    enum lincheck_event_kind kind)
{
	struct lincheck_event event = {
		.kind = kind,
		.watcher = reader->watcher,
		.path = reader->path,
		.line = reader->line,
		.at_ns = line->begin_ns,
		.key = word(reader, asked(line, "key")),
		.value = word(reader, asked(line, "value")),
		.is_ordained = asked(line, "why") != NULL &&
		    !is(asked(line, "why")->value, "del"),
	};
	if (!reader->is_watching || reader->watched_by != line->client)
		return "an event before its watch";
	if (!number(asked(line, "rev"), &event.rev) ||
	    !number(asked(line, "prev"), &event.prev))
		return "no revision";
	if (event.rev == LINCHECK_NONE && kind != LINCHECK_EVENT_GAP)
		return "an event without rev=";
	lincheck_event(reader->check, &event);
	return NULL;
}

static const char *
read_hold(struct lincheck_reader *reader, const struct line *line)
{
	const struct pair *lock = asked(line, "lock");
	struct lincheck_hold hold = {
		.client = line->client,
		.path = reader->path,
		.line = reader->line,
		.begin_ns = line->begin_ns,
		.end_ns = line->end_ns,
	};
	if (lock == NULL || !number(asked(line, "token"), &hold.token) ||
	    hold.token == LINCHECK_NONE)
		return "hold without lock= and token=";
	/* Killed, and nobody knows when. */
	if (hold.end_ns == LINCHECK_NONE)
		hold.end_ns = hold.begin_ns;
	hold.lock = word(reader, lock);
	lincheck_hold(reader->check, &hold);
	return NULL;
}

/* ---- lines ------------------------------------------------------------- */

static const char *
read_verb(struct lincheck_reader *reader, const struct line *line)
{
	static const struct {
		const char *verb;
		enum lincheck_event_kind kind;
	} events[] = {
		{ "exists", LINCHECK_EVENT_EXISTS },
		{ "ready", LINCHECK_EVENT_READY },
		{ "put", LINCHECK_EVENT_PUT },
		{ "gap", LINCHECK_EVENT_GAP },
	};
	static const struct {
		const char *verb;
		const char *(*read)(
		    struct lincheck_reader *, const struct line *);
	} verbs[] = {
		{ "get", read_get },
		{ "list", read_list },
		{ "set", read_change },
		{ "del", read_change },
		{ "txn", read_change },
		{ "watch", watch_begins },
		{ "hold", read_hold },
	};
	/* An event has a revision, a request to delete has none. */
	if (is(line->verb, "del") && asked(line, "rev") != NULL)
		return read_event(reader, line, LINCHECK_EVENT_DEL);
	for (size_t i = 0; i < ARRAY_COUNT(events); i++)
		if (is(line->verb, events[i].verb))
			return read_event(reader, line, events[i].kind);
	for (size_t i = 0; i < ARRAY_COUNT(verbs); i++)
		if (is(line->verb, verbs[i].verb))
			return verbs[i].read(reader, line);
	return "no such verb";
}

static const char *
read_line(struct lincheck_reader *reader, char *text, struct line *line)
{
	if (*text == '\0' || *text == '#')
		return NULL;
	const char *why = split(reader, text, line);
	return why != NULL ? why : read_verb(reader, line);
}

bool
lincheck_read(struct lincheck_reader *reader, FILE *file)
{
	static struct line line;
	char *text = NULL;
	size_t room = 0;
	ssize_t len;
	reader->why = NULL;
	reader->is_watching = false;
	while (
	    reader->why == NULL && (len = getline(&text, &room, file)) >= 0) {
		if (text[len - 1] != '\n')
			break;
		text[len - 1] = '\0';
		reader->line++;
		if (strlen(text) != (size_t)len - 1)
			reader->why = "a NUL in a line";
		else
			reader->why = read_line(reader, text, &line);
	}
	free(text);
	return reader->why == NULL;
}
