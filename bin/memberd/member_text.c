/* SPDX-License-Identifier: BSD-3-Clause */
/* Records: how the membership is written, and how ringd's are read. */
#include <string.h>

#include "libcommon/base/ensure.h"

#include "bin/memberd/member_internal.h"

#define MS_NS UINT64_C(1000000)

/* ---- events ------------------------------------------------------------ */

void
member_begin(struct member *m, struct text *out, const char *kind)
{
	text_init(out, m->record, sizeof m->record);
	text_put(out, kind);
}

void
member_tell(struct member *m, const struct text *out)
{
	ENSURE(!out->is_full);
	m->sink.event(m->sink.arg, out);
}

void
member_put_key(struct text *out, const char *key)
{
	text_put_char(out, ' ');
	text_put(out, key);
	text_put_char(out, '=');
}

void
member_put_word(struct text *out, const char *key, const char *value)
{
	member_put_key(out, key);
	text_put_value(out, value, strlen(value));
}

void
member_put_number(struct text *out, const char *key, uint64_t number)
{
	member_put_key(out, key);
	text_put_u64(out, number);
}

void
member_put_ring(
    struct text *out, const char *key, const struct parse_view *view)
{
	member_put_number(out, key, view->rep);
	text_put_char(out, '.');
	text_put_u64(out, view->seq);
}

void
member_put_pos(struct text *out, const char *key, const struct parse_pos *pos)
{
	member_put_ring(out, key, &pos->view);
	text_put_char(out, ':');
	text_put_u64(out, pos->seq);
	text_put_char(out, '.');
	text_put_u64(out, pos->idx);
}

void
member_put_who(
    struct text *out, const struct member_entry *entry, bool has_addr)
{
	member_put_number(out, "node", entry->node.id);
	member_put_word(out, "name", entry->node.name);
	if (has_addr)
		member_put_word(out, "addr", entry->node.addr);
}

void
member_tell_update(struct member *m, const struct member_entry *entry,
    const char *key, const char *old, const char *new)
{
	struct text record;

	member_begin(m, &record, "update");
	member_put_number(&record, "node", entry->node.id);
	member_put_word(&record, "key", key);
	if (old != NULL)
		member_put_word(&record, "old", old);
	if (new != NULL)
		member_put_word(&record, "new", new);
	member_tell(m, &record);
}

/* ---- the state --------------------------------------------------------- */

void
member_put_node(
    const struct member *m, uint32_t idx, uint64_t now_ns, struct text *out)
{
	const struct member_entry *entry = &m->entries[idx];

	ENSURE(idx < m->count);
	ENSURE(now_ns >= entry->since_ns);
	member_put_who(out, entry, true);
	member_put_word(out, "state", member_state_name(entry->state));
	member_put_number(out, "inc", entry->inc);
	member_put_word(out, "local", idx == m->self ? "yes" : "no");
	member_put_word(out, "version", entry->version);
	member_put_number(out, "since_ms", (now_ns - entry->since_ns) / MS_NS);
	member_put_key(out, "tags");
	member_tag_put_list(entry, out);
}

uint32_t
member_put_members(const struct member *m, struct text *out)
{
	uint32_t lowest = 0;

	member_put_key(out, "members");
	for (uint32_t i = 0; i < m->count; i++) {
		if (m->entries[i].state != MEMBER_PRESENT)
			continue;
		if (lowest != 0)
			text_put_char(out, ',');
		else
			lowest = m->entries[i].node.id;
		text_put_u64(out, m->entries[i].node.id);
	}
	return lowest;
}

void
member_put_view(const struct member *m, struct text *out)
{
	member_put_ring(out, "view", &m->view);
	member_put_number(out, "coordinator", member_put_members(m, out));
}

/* ---- ringd's records --------------------------------------------------- */

/* A reason: what is not written as one is one of which we know nothing. */
static void
read_reason(char out[MEMBER_WORD_BYTES], const char *bytes, size_t len)
{
	static const char other[] = "protocol";
	bool is_good = len > 0 && len < MEMBER_WORD_BYTES;

	for (size_t i = 0; is_good && i < len; i++)
		is_good =
		    (bytes[i] >= 'a' && bytes[i] <= 'z') || bytes[i] == '-';
	memset(out, 0, MEMBER_WORD_BYTES);
	memcpy(out, is_good ? bytes : other, is_good ? len : sizeof other);
}

static bool
read_ids(struct word *word, const char *key, uint32_t *id, uint32_t *count)
{
	const struct word_pair *pair = word_get_raw(word, key);
	char *list, *item;
	size_t left, len;

	*count = 0;
	if (pair == NULL)
		return true;
	for (list = pair->value, left = pair->len;
	     word_take_item(&list, &left, &item, &len); (*count)++) {
		if (*count == LIMIT_NODES ||
		    parse_node_id(item, len, &id[*count]) != 0)
			return false;
		if (*count > 0 && id[*count] <= id[*count - 1])
			return false;
	}
	return true;
}

static bool
read_incs(struct word *word, struct member_view *out)
{
	const struct word_pair *pair = word_get_raw(word, "inc");
	char *list, *item;
	size_t left, len;
	uint32_t count = 0;

	if (pair == NULL)
		return false;
	for (list = pair->value, left = pair->len;
	     word_take_item(&list, &left, &item, &len); count++)
		if (count == out->count ||
		    parse_u64(item, len, 1, UINT64_MAX, &out->inc[count]) != 0)
			return false;
	return count == out->count;
}

/* Items NODE:REASON. */
static bool
read_left(struct word *word, struct member_view *out)
{
	const struct word_pair *pair = word_get_raw(word, "left");
	char *list, *item;
	size_t left, len;

	for (list = pair == NULL ? NULL : pair->value,
	    left = pair == NULL ? 0 : pair->len;
	     word_take_item(&list, &left, &item, &len); out->left_count++) {
		char *colon = memchr(item, ':', len);
		uint32_t at = out->left_count;
		size_t id_len;

		if (colon == NULL || at == LIMIT_NODES)
			return false;
		id_len = (size_t)(colon - item);
		if (parse_node_id(item, id_len, &out->left[at]) != 0)
			return false;
		read_reason(out->left_why[at], colon + 1, len - id_len - 1);
	}
	return true;
}

bool
member_read_view(struct word *word, struct member_view *out)
{
	const struct word_pair *view = word_get(word, "view");
	const struct word_pair *phase = word_get(word, "phase");
	const struct word_pair *reason = word_get(word, "reason");
	const struct word_pair *ms = word_get(word, "ms");

	out->left_count = out->joined_count = 0;
	out->ms = 0;
	out->is_transitional =
	    phase != NULL && strcmp(phase->value, "transitional") == 0;
	read_reason(out->reason, reason == NULL ? "" : reason->value,
	    reason == NULL ? 0 : reason->len);
	if (view == NULL || parse_view(view->value, view->len, &out->view) != 0)
		return false;
	if (ms != NULL &&
	    parse_u64(ms->value, ms->len, 0, UINT64_MAX, &out->ms) != 0)
		return false;
	return read_ids(word, "members", out->id, &out->count) &&
	    read_ids(word, "joined", out->joined, &out->joined_count) &&
	    read_incs(word, out) && read_left(word, out);
}
