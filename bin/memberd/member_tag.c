/* SPDX-License-Identifier: BSD-3-Clause */
/* Tags of nodes: which of two is the later, and which to forget.
 *
 * A tag's stamp is the place in the ring's order at which it was set: the same
 * at all nodes, and later in a later view.  So after a merge of two rings the
 * later of two values wins everywhere, whoever tells it first.  An unset tag
 * is remembered too, or the other ring would bring it back.
 */
#include <string.h>

#include "libcommon/base/ensure.h"

#include "bin/memberd/member_internal.h"

bool
member_tag_is_name(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (strchr("abcdefghijklmnopqrstuvwxyz0123456789._-",
			name[i]) == NULL ||
		    name[i] == '\0')
			return false;
	return len > 0 && len <= MEMBER_TAG_NAME_MAX;
}

static int
order(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

int
member_tag_order(const struct parse_pos *a, const struct parse_pos *b)
{
	int rc = order(a->view.seq, b->view.seq);

	if (rc == 0)
		rc = order(a->view.rep, b->view.rep);
	if (rc == 0)
		rc = order(a->seq, b->seq);
	return rc != 0 ? rc : order(a->idx, b->idx);
}

bool
member_tag_is_configured(const struct member_tag *tag)
{
	static const struct parse_pos never;

	return member_tag_order(&tag->stamp, &never) == 0;
}

const struct member_tag *
member_tag_find(const struct member_entry *entry, const char *name, size_t len)
{
	for (uint32_t i = 0; i < entry->tag_count; i++)
		if (entry->tags[i].name_len == len &&
		    memcmp(entry->tags[i].name, name, len) == 0)
			return &entry->tags[i];
	return NULL;
}

uint32_t
member_tag_set_count(const struct member_entry *entry)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < entry->tag_count; i++)
		count += entry->tags[i].is_set;
	return count;
}

/* ---- telling ----------------------------------------------------------- */

static bool
is_same(const struct member_tag *a, const struct member_tag *b)
{
	return a->is_set == b->is_set && a->value_len == b->value_len &&
	    memcmp(a->value, b->value, a->value_len) == 0;
}

/* NULL, or not set: there was, or is, none. */
static void
tell(struct member *m, const struct member_entry *entry,
    const struct member_tag *old, const struct member_tag *new)
{
	const struct member_tag *named = new != NULL ? new : old;
	bool has_old = old != NULL && old->is_set;
	bool has_new = new != NULL &&new->is_set;
	struct text record;

	if (!has_old && !has_new)
		return;
	if (has_old && has_new && is_same(old, new))
		return;
	member_begin(m, &record, "update");
	member_put_number(&record, "node", entry->node.id);
	text_put(&record, " key=tag.");
	text_put_bytes(&record, named->name, named->name_len);
	if (has_old) {
		member_put_key(&record, "old");
		text_put_value(&record, old->value, old->value_len);
	}
	if (has_new) {
		member_put_key(&record, "new");
		text_put_value(&record, new->value, new->value_len);
	}
	member_tell(m, &record);
}

static void
put_item(struct text *out, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		n = 0;
		while (
		    i + n < len && bytes[i + n] != ',' && bytes[i + n] != ':')
			n++;
		text_put_value(out, bytes + i, n);
		if (i + n < len)
			text_put(
			    out, bytes[i + n++] == ',' ? "\\0054" : "\\0072");
	}
}

/* The first set tag whose name is behind that of `after`; NULL: none is. */
static const struct member_tag *
next_by_name(const struct member_entry *entry, const struct member_tag *after)
{
	const struct member_tag *next = NULL;

	for (uint32_t i = 0; i < entry->tag_count; i++) {
		const struct member_tag *tag = &entry->tags[i];

		if (tag->is_set &&
		    (after == NULL || strcmp(tag->name, after->name) > 0) &&
		    (next == NULL || strcmp(tag->name, next->name) < 0))
			next = tag;
	}
	return next;
}

void
member_tag_put_list(const struct member_entry *entry, struct text *out)
{
	const struct member_tag *tag = NULL;

	while ((tag = next_by_name(entry, tag)) != NULL) {
		if (tag != next_by_name(entry, NULL))
			text_put_char(out, ',');
		text_put_bytes(out, tag->name, tag->name_len);
		text_put_char(out, ':');
		put_item(out, tag->value, tag->value_len);
	}
}

/* ---- merging ----------------------------------------------------------- */

static void
drop(struct member *m, struct member_entry *entry, uint32_t idx)
{
	entry->tags[idx] = entry->tags[--entry->tag_count];
	if (m->is_publishing)
		member_fact_publish(m); /* the places changed */
}

/* The one of its kind that was stamped first; -1: there is none. */
static int
find_oldest(const struct member_entry *entry, bool is_set)
{
	int oldest = -1;

	for (uint32_t i = 0; i < entry->tag_count; i++) {
		if (entry->tags[i].is_set != is_set)
			continue;
		if (oldest < 0 ||
		    member_tag_order(
			&entry->tags[i].stamp, &entry->tags[oldest].stamp) < 0)
			oldest = (int)i;
	}
	return oldest;
}

/* Drops the oldest of its kind for a newer one; false: that is the oldest. */
static bool
make_room(struct member *m, struct member_entry *entry,
    const struct member_tag *tag, bool is_set)
{
	int oldest = find_oldest(entry, is_set);
	const struct member_tag *old = &entry->tags[oldest];

	ENSURE(oldest >= 0);
	if (member_tag_order(&old->stamp, &tag->stamp) > 0)
		return false;
	tell(m, entry, old, NULL);
	drop(m, entry, (uint32_t)oldest);
	return true;
}

/* old NULL: there is none of that name. */
static bool
is_news(const struct member_entry *entry, const struct member_tag *old,
    const struct member_tag *tag)
{
	int rc;

	if (member_tag_is_configured(tag))
		return old == NULL ||
		    (member_tag_is_configured(old) && !is_same(old, tag));
	if (member_tag_order(&tag->stamp, &entry->forgot) <= 0)
		return false;
	rc = old == NULL ? 1 : member_tag_order(&tag->stamp, &old->stamp);
	return rc > 0;
}

static struct member_tag *
take_place(struct member *m, struct member_entry *entry,
    const struct member_tag *old, const struct member_tag *tag)
{
	bool is_more = tag->is_set && (old == NULL || !old->is_set);

	if (is_more && member_tag_set_count(entry) == MEMBER_TAGS &&
	    !make_room(m, entry, tag, true))
		return NULL;
	/* Making room may have moved it. */
	old = member_tag_find(entry, tag->name, tag->name_len);
	if (old != NULL)
		return &entry->tags[old - entry->tags];
	if (entry->tag_count == MEMBER_ENTRIES &&
	    !make_room(m, entry, tag, false))
		return NULL;
	return &entry->tags[entry->tag_count++];
}

bool
member_tag_merge(
    struct member *m, struct member_entry *entry, const struct member_tag *tag)
{
	const struct member_tag *old =
	    member_tag_find(entry, tag->name, tag->name_len);
	bool had_old = old != NULL;
	struct member_tag before = { 0 };
	struct member_tag *place;

	ENSURE(tag->is_set || tag->value_len == 0);
	if (!is_news(entry, old, tag))
		return false;
	if (had_old)
		before = *old;
	place = take_place(m, entry, old, tag);
	if (place == NULL)
		return false;
	*place = *tag;
	tell(m, entry, had_old ? &before : NULL, tag);
	return true;
}

void
member_tag_forget(struct member *m, struct member_entry *entry)
{
	for (uint32_t i = entry->tag_count; i-- > 0;) {
		const struct member_tag *tag = &entry->tags[i];
		/* A member's configuration holds while it is here. */
		bool is_kept = member_tag_is_configured(tag)
		    ? entry->state == MEMBER_PRESENT
		    : member_tag_order(&tag->stamp, &entry->forgot) > 0;

		if (!is_kept)
			drop(m, entry, i);
	}
}

/* ---- the configuration ------------------------------------------------- */

static const char *
find_value(
    const struct member_table *table, uint32_t node, const struct member_tag *t)
{
	for (uint32_t i = 0; i < table->tag_count; i++)
		if (table->tags[i].node == node &&
		    strlen(table->tags[i].name) == t->name_len &&
		    memcmp(table->tags[i].name, t->name, t->name_len) == 0)
			return table->tags[i].value;
	return NULL;
}

/* Those that the table has no more. */
static void
drop_configured(struct member *m, struct member_entry *entry,
    const struct member_table *table)
{
	for (uint32_t i = entry->tag_count; i-- > 0;) {
		const struct member_tag old = entry->tags[i];

		if (!member_tag_is_configured(&old) ||
		    find_value(table, entry->node.id, &old) != NULL)
			continue;
		drop(m, entry, i);
		tell(m, entry, &old, NULL);
	}
}

/* One that was set, or unset, while nodes ran stays as it was. */
static void
put_configured(struct member *m, struct member_entry *entry,
    const struct member_tag *tag, bool is_told)
{
	const struct member_tag *old =
	    member_tag_find(entry, tag->name, tag->name_len);
	struct member_tag before = { 0 };

	if (old != NULL && !member_tag_is_configured(old))
		return;
	if (old == NULL &&
	    (member_tag_set_count(entry) == MEMBER_TAGS ||
		entry->tag_count == MEMBER_ENTRIES))
		return;
	if (old != NULL)
		before = *old;
	else
		entry->tag_count++;
	entry->tags[old != NULL ? old - entry->tags : entry->tag_count - 1] =
	    *tag;
	if (is_told)
		tell(m, entry, old != NULL ? &before : NULL, tag);
}

void
member_tag_configure(struct member *m, struct member_entry *entry,
    const struct member_table *table, bool is_told)
{
	drop_configured(m, entry, table);
	for (uint32_t i = 0; i < table->tag_count; i++) {
		struct member_tag tag = { .is_set = true };
		size_t name_len = strlen(table->tags[i].name);
		size_t value_len = strlen(table->tags[i].value);

		if (table->tags[i].node != entry->node.id ||
		    !member_tag_is_name(table->tags[i].name, name_len) ||
		    value_len > MEMBER_TAG_VALUE_MAX)
			continue;
		tag.name_len = (uint8_t)name_len;
		tag.value_len = (uint8_t)value_len;
		memcpy(tag.name, table->tags[i].name, name_len);
		memcpy(tag.value, table->tags[i].value, value_len);
		put_configured(m, entry, &tag, is_told);
	}
}
