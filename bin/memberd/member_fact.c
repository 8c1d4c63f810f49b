/* SPDX-License-Identifier: BSD-3-Clause */
/* What the nodes tell each other: lines of text, each a fact by itself.
 *
 *	self version=V pauses=N paused_ms=N	of its sender
 *	gone node=I inc=X state=S		how a node had gone
 *	fenced node=I inc=X by=J method=M stamp=P
 *	forgot node=I inc=X stamp=P
 *	tag node=I name=K value=V stamp=P	or unset=yes for the value
 *
 * A fact is taken over if it is news: facts may come in any order, twice, or
 * from somebody who knows less, and all who got the same facts know the same.
 * The last three without a stamp are requests, with req= for their sender, and
 * the place at which the ring ordered them becomes the stamp.
 */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/memberd/member_internal.h"

/* One line, with what is true of every kind. */
struct fact {
	const struct member_message *message;
	struct word *word;
	struct member_entry *entry; /* node=, or of the sender */
	struct parse_pos stamp;
	bool is_request;
	int answer; /* enum member_answer */
};

/* ---- reading ----------------------------------------------------------- */

static bool
read_u64(struct word *word, const char *key, uint64_t *out)
{
	const struct word_pair *pair = word_get(word, key);

	return pair != NULL &&
	    parse_u64(pair->value, pair->len, 0, UINT64_MAX, out) == 0;
}

static bool
read_node(struct word *word, const char *key, uint32_t *out)
{
	const struct word_pair *pair = word_get(word, key);

	return pair != NULL && parse_node_id(pair->value, pair->len, out) == 0;
}

/* A short value without a NUL in it, ended by one. */
static bool
read_string(struct word *word, const char *key, char *out, size_t size)
{
	const struct word_pair *pair = word_get(word, key);

	if (pair == NULL || pair->len >= size ||
	    memchr(pair->value, '\0', pair->len) != NULL)
		return false;
	memset(out, 0, size);
	memcpy(out, pair->value, pair->len);
	return true;
}

/* ---- one fact each: true when it changed something --------------------- */

static bool
take_self(struct member *m, struct fact *fact)
{
	struct member_entry *entry = fact->entry;
	char version[MEMBER_VERSION_BYTES], old[24], new[24];
	uint64_t pauses, paused_ms;
	bool is_news = false;
	struct text text;

	if (!read_string(fact->word, "version", version, sizeof version) ||
	    !read_u64(fact->word, "pauses", &pauses) ||
	    !read_u64(fact->word, "paused_ms", &paused_ms)) {
		m->counters[MEMBER_COUNT_REFUSED]++;
		return false;
	}
	/* What it says of itself counts for the one that is here. */
	if (entry == member_self(m) || entry->state != MEMBER_PRESENT ||
	    entry->inc != fact->message->inc)
		return false;
	if (strcmp(version, entry->version) != 0) {
		member_tell_update(m, entry, "version",
		    entry->version[0] == '\0' ? NULL : entry->version, version);
		memcpy(entry->version, version, sizeof version);
		is_news = true;
	}
	if (pauses <= entry->pauses)
		return is_news;
	text_init(&text, old, sizeof old);
	text_put_u64(&text, entry->paused_ms);
	text_init(&text, new, sizeof new);
	text_put_u64(&text, paused_ms);
	member_tell_update(
	    m, entry, "paused", entry->pauses == 0 ? NULL : old, new);
	entry->pauses = pauses;
	entry->paused_ms = paused_ms;
	return true;
}

/* A later incarnation was heard of than the one known here. */
static void
advance_inc(struct member *m, struct member_entry *entry, uint64_t inc)
{
	char old[24], new[24];
	struct text text;

	text_init(&text, old, sizeof old);
	text_put_u64(&text, entry->inc);
	text_init(&text, new, sizeof new);
	text_put_u64(&text, inc);
	member_tell_update(m, entry, "inc", entry->inc == 0 ? NULL : old, new);
	entry->inc = inc;
}

static bool
read_gone(struct word *word, enum member_state *out)
{
	const struct word_pair *state = word_get(word, "state");

	for (int i = MEMBER_LOST; state != NULL && i <= MEMBER_LEFT; i++) {
		*out = (enum member_state)i;
		if (strcmp(member_state_name(*out), state->value) == 0)
			return true;
	}
	return false;
}

static bool
take_gone(struct member *m, struct fact *fact)
{
	struct member_entry *entry = fact->entry;
	enum member_state state, old = entry->state;
	uint64_t inc;

	if (!read_u64(fact->word, "inc", &inc) || inc == 0 ||
	    !read_gone(fact->word, &state)) {
		m->counters[MEMBER_COUNT_REFUSED]++;
		return false;
	}
	if (entry->state == MEMBER_PRESENT || inc < entry->inc ||
	    inc <= entry->forgot_inc)
		return false;
	if (inc == entry->inc && state <= entry->state)
		return false;
	if (inc > entry->inc)
		advance_inc(m, entry, inc);
	member_set_state(m, entry, state);
	if (state != old)
		member_tell_update(m, entry, "state", member_state_name(old),
		    member_state_name(state));
	return true;
}

static void
tell_fenced(struct member *m, const struct member_entry *entry)
{
	struct text record;

	member_begin(m, &record, "fenced");
	member_put_number(&record, "node", entry->node.id);
	member_put_number(&record, "inc", entry->fence.inc);
	member_put_number(&record, "by", entry->fence.by);
	member_put_word(&record, "method", entry->fence.method);
	member_tell(m, &record);
}

static bool
read_fence(struct fact *fact, struct member_fence *out)
{
	out->stamp = fact->stamp;
	return read_u64(fact->word, "inc", &out->inc) && out->inc != 0 &&
	    read_node(fact->word, "by", &out->by) &&
	    read_string(fact->word, "method", out->method, sizeof out->method);
}

static bool
take_fenced(struct member *m, struct fact *fact)
{
	struct member_entry *entry = fact->entry;
	struct member_fence fence;

	if (!read_fence(fact, &fence)) {
		m->counters[MEMBER_COUNT_REFUSED]++;
		return false;
	}
	fact->answer = MEMBER_E_STALE;
	/* Whoever is here was not stopped, whatever somebody vouched for. */
	if (entry->state == MEMBER_PRESENT || fence.inc < entry->inc ||
	    fence.inc <= entry->forgot_inc)
		return false;
	fact->answer = MEMBER_DONE;
	if (fence.inc == entry->fence.inc &&
	    member_tag_order(&fence.stamp, &entry->fence.stamp) <= 0)
		return false;
	if (fence.inc > entry->inc)
		advance_inc(m, entry, fence.inc);
	entry->fence = fence;
	member_set_state(m, entry, MEMBER_FENCED);
	tell_fenced(m, entry);
	return true;
}

static bool
take_forgot(struct member *m, struct fact *fact)
{
	struct member_entry *entry = fact->entry;
	struct text record;
	uint64_t inc;

	if (!read_u64(fact->word, "inc", &inc)) {
		m->counters[MEMBER_COUNT_REFUSED]++;
		return false;
	}
	if (fact->is_request && entry->state == MEMBER_PRESENT) {
		fact->answer = MEMBER_E_MEMBER;
		return false;
	}
	if (member_tag_order(&fact->stamp, &entry->forgot) <= 0)
		return false;
	entry->forgot = fact->stamp;
	member_tag_forget(m, entry);
	if (entry->state == MEMBER_PRESENT)
		return true;
	entry->forgot_inc = num_max(entry->forgot_inc, inc);
	if (entry->inc > entry->forgot_inc)
		return true;
	entry->inc = 0;
	entry->fence = (struct member_fence){ 0 };
	memset(entry->version, 0, sizeof entry->version);
	entry->pauses = entry->paused_ms = 0;
	member_set_state(m, entry, MEMBER_ABSENT);
	member_begin(m, &record, "forget");
	member_put_who(&record, entry, false);
	member_tell(m, &record);
	return true;
}

static bool
read_tag(struct word *word, struct member_tag *out)
{
	const struct word_pair *name = word_get(word, "name");
	const struct word_pair *value = word_get(word, "value");
	const struct word_pair *unset = word_get(word, "unset");

	if (name == NULL || !member_tag_is_name(name->value, name->len) ||
	    (value == NULL) == (unset == NULL))
		return false;
	if (value != NULL && value->len > MEMBER_TAG_VALUE_MAX)
		return false;
	out->name_len = (uint8_t)name->len;
	memcpy(out->name, name->value, name->len);
	out->is_set = value != NULL;
	if (value != NULL) {
		out->value_len = (uint8_t)value->len;
		memcpy(out->value, value->value, value->len);
	}
	return true;
}

static bool
take_tag(struct member *m, struct fact *fact)
{
	struct member_tag tag = { .stamp = fact->stamp };

	if (!read_tag(fact->word, &tag)) {
		m->counters[MEMBER_COUNT_REFUSED]++;
		return false;
	}
	/* A node's configuration is what itself says of it. */
	if (member_tag_is_configured(&tag) &&
	    (fact->entry->node.id != fact->message->node ||
		fact->entry == member_self(m)))
		return false;
	return member_tag_merge(m, fact->entry, &tag);
}

/* ---- messages ---------------------------------------------------------- */

static const struct kind {
	const char *verb;
	bool (*take)(struct member *m, struct fact *fact);
	bool is_stamped;
} kinds[] = {
	{ "self", take_self, false },
	{ "gone", take_gone, false },
	{ "fenced", take_fenced, true },
	{ "forgot", take_forgot, true },
	{ "tag", take_tag, true },
};

static const struct kind *
find_kind(const struct word *word)
{
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
		if (word->verb_count == 1 &&
		    strcmp(kinds[i].verb, word->verb[0]) == 0)
			return &kinds[i];
	return NULL;
}

static bool
read_stamp(struct fact *fact)
{
	const struct word_pair *stamp = word_get(fact->word, "stamp");

	fact->is_request = stamp == NULL;
	fact->stamp = fact->message->pos;
	return stamp == NULL ||
	    parse_pos(stamp->value, stamp->len, &fact->stamp) == 0;
}

static bool
read_subject(struct member *m, struct fact *fact)
{
	uint32_t node = fact->message->node;

	if (strcmp(fact->word->verb[0], "self") != 0 &&
	    !read_node(fact->word, "node", &node))
		return false;
	fact->entry = member_entry(m, node);
	return fact->entry != NULL;
}

/* The request of this connection that the line answers; 0: none. */
static uint32_t
get_request(struct member *m, struct fact *fact)
{
	const struct member_message *message = fact->message;
	uint64_t req;

	if (message->node != member_self(m)->node.id ||
	    message->inc != member_self(m)->inc || message->conn != m->conn ||
	    !read_u64(fact->word, "req", &req) || req > UINT32_MAX)
		return 0;
	return (uint32_t)req;
}

static void
take_line(struct member *m, const struct member_message *message, char *line,
    size_t len)
{
	struct fact fact = { .message = message, .word = &m->word };
	const struct kind *kind;
	uint32_t req;

	if (len == 0)
		return;
	if (word_parse(&m->word, line, len) != 0) {
		m->counters[MEMBER_COUNT_REFUSED]++;
		return;
	}
	kind = find_kind(&m->word);
	if (kind == NULL)
		return; /* a later version's */
	if ((kind->is_stamped && !read_stamp(&fact)) ||
	    !read_subject(m, &fact)) {
		m->counters[MEMBER_COUNT_REFUSED]++;
		return;
	}
	m->counters[MEMBER_COUNT_FACTS] += kind->take(m, &fact);
	req = fact.is_request ? get_request(m, &fact) : 0;
	if (req != 0)
		m->sink.answer(m->sink.arg, req, fact.answer);
}

void
member_fact_message(struct member *m, const struct member_message *message)
{
	size_t start = 0;

	if (message->len > MEMBER_MESSAGE_BYTES) {
		m->counters[MEMBER_COUNT_REFUSED]++;
		return;
	}
	if (message->len > 0)
		memcpy(m->line, message->bytes, message->len);
	while (start < message->len) {
		char *end = memchr(m->line + start, '\n', message->len - start);
		size_t len = end == NULL ? message->len - start
					 : (size_t)(end - m->line) - start;

		take_line(m, message, m->line + start, len);
		start += len + 1;
	}
}

/* ---- publishing -------------------------------------------------------- */

void
member_fact_publish(struct member *m)
{
	m->is_publishing = true;
	m->publish_entry = m->publish_fact = 0;
}

static bool
put_self(
    const struct member *m, const struct member_entry *entry, struct text *out)
{
	if (entry != &m->entries[m->self])
		return false;
	text_put(out, "self");
	member_put_word(out, "version", m->version);
	member_put_number(out, "pauses", entry->pauses);
	member_put_number(out, "paused_ms", entry->paused_ms);
	return true;
}

static bool
put_gone(
    const struct member *m, const struct member_entry *entry, struct text *out)
{
	(void)m;
	if (entry->state < MEMBER_LOST || entry->state > MEMBER_LEFT)
		return false;
	text_put(out, "gone");
	member_put_number(out, "node", entry->node.id);
	member_put_number(out, "inc", entry->inc);
	member_put_word(out, "state", member_state_name(entry->state));
	return true;
}

static bool
put_fence(
    const struct member *m, const struct member_entry *entry, struct text *out)
{
	(void)m;
	if (entry->state != MEMBER_FENCED)
		return false;
	text_put(out, "fenced");
	member_put_number(out, "node", entry->node.id);
	member_put_number(out, "inc", entry->fence.inc);
	member_put_number(out, "by", entry->fence.by);
	member_put_word(out, "method", entry->fence.method);
	member_put_pos(out, "stamp", &entry->fence.stamp);
	return true;
}

static bool
put_forgot(
    const struct member *m, const struct member_entry *entry, struct text *out)
{
	static const struct parse_pos never;

	(void)m;
	if (member_tag_order(&entry->forgot, &never) == 0)
		return false;
	text_put(out, "forgot");
	member_put_number(out, "node", entry->node.id);
	member_put_number(out, "inc", entry->forgot_inc);
	member_put_pos(out, "stamp", &entry->forgot);
	return true;
}

static bool (*const putters[])(const struct member *m,
    const struct member_entry *entry,
    struct text *out) = { put_self, put_forgot, put_gone, put_fence };

static bool
put_tag(const struct member *m, const struct member_entry *entry,
    const struct member_tag *tag, struct text *out)
{
	if (member_tag_is_configured(tag) && entry != &m->entries[m->self])
		return false;
	text_put(out, "tag");
	member_put_number(out, "node", entry->node.id);
	member_put_key(out, "name");
	text_put_bytes(out, tag->name, tag->name_len);
	if (tag->is_set) {
		member_put_key(out, "value");
		text_put_value(out, tag->value, tag->value_len);
	} else
		member_put_word(out, "unset", "yes");
	member_put_pos(out, "stamp", &tag->stamp);
	return true;
}

/* The fact that is due, as a line without its end; false: there is none. */
static bool
put_fact(const struct member *m, struct text *out)
{
	const struct member_entry *entry = &m->entries[m->publish_entry];
	uint32_t fact = m->publish_fact;

	if (fact < ARRAY_COUNT(putters))
		return putters[fact](m, entry, out);
	return put_tag(
	    m, entry, &entry->tags[fact - ARRAY_COUNT(putters)], out);
}

static void
step_fact(struct member *m)
{
	const struct member_entry *entry = &m->entries[m->publish_entry];

	if (++m->publish_fact < ARRAY_COUNT(putters) + entry->tag_count)
		return;
	m->publish_fact = 0;
	if (++m->publish_entry == m->count)
		m->is_publishing = false;
}

bool
member_publish(struct member *m, struct text *out)
{
	char bytes[MEMBER_LINE_BYTES];
	struct text line;

	ENSURE(out->size > m->message_max);
	for (; m->is_publishing && m->is_ready; step_fact(m)) {
		text_init(&line, bytes, sizeof bytes);
		if (!put_fact(m, &line))
			continue;
		text_put_char(&line, '\n');
		ENSURE(!line.is_full);
		if (out->len + line.len <= m->message_max)
			text_put_bytes(out, line.bytes, line.len);
		else if (out->len > 0)
			break; /* else it never fits: nobody can be told */
	}
	return out->len > 0;
}
