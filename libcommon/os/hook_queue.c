/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/os/hook_queue.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/base/word.h"

static struct hook_entry *
entry_of(struct list *link)
{
	return LIST_ENTRY(link, struct hook_entry, link);
}

void
hook_queue_init(struct hook_queue *queue)
{
	*queue = (struct hook_queue){ .count = 0 };
	list_init(&queue->entries);
}

static void
drop_table(struct hook_entry *entry)
{
	free(entry->table);
	entry->table = NULL;
	entry->record.table = NULL;
}

static void
drop(struct hook_queue *queue, struct hook_entry *entry)
{
	list_remove(&entry->link);
	queue->count--;
	free(entry->table);
	free(entry->bytes);
	free(entry);
}

void
hook_queue_clear(struct hook_queue *queue)
{
	while (!list_is_empty(&queue->entries))
		drop(queue, entry_of(list_first(&queue->entries)));
	hook_queue_init(queue);
}

/* ---- who joined and left ----------------------------------------------- */

static void
add_changes(const char *record, struct hook_ids *joined, struct hook_ids *left)
{
	const struct word_pair *pair;
	struct word word;
	size_t len = strlen(record);
	char *copy = strdup(record);

	if (copy == NULL || word_parse(&word, copy, len) != 0) {
		free(copy);
		return;
	}
	pair = word_get_raw(&word, "joined");
	if (pair != NULL)
		hook_ids_add_list(joined, pair->value, pair->len);
	pair = word_get_raw(&word, "left");
	if (pair != NULL)
		hook_ids_add_list(left, pair->value, pair->len);
	pair = word_get_raw(&word, "node");
	if (pair != NULL && strcmp(word.verb[0], "join") == 0)
		hook_ids_add_list(joined, pair->value, pair->len);
	if (pair != NULL && strcmp(word.verb[0], "leave") == 0)
		hook_ids_add_list(left, pair->value, pair->len);
	free(copy);
}

void
hook_queue_changes(const struct hook_queue *queue, uint32_t classes,
    struct hook_ids *joined, struct hook_ids *left)
{
	struct list *at;

	*joined = queue->joined;
	*left = queue->left;
	LIST_FOREACH(at, &queue->entries) {
		const struct hook_record *record = &entry_of(at)->record;

		if ((record->classes & classes) == 0)
			continue;
		add_changes(record->line, joined, left);
		add_changes(record->context, joined, left);
	}
}

/* ---- in and out -------------------------------------------------------- */

static struct hook_entry *
copy(const struct hook_record *record)
{
	size_t line = strlen(record->line) + 1;
	size_t context = strlen(record->context) + 1;
	struct hook_entry *entry = calloc(1, sizeof *entry);

	if (entry == NULL)
		return NULL;
	entry->record = *record;
	entry->bytes = malloc(line + context);
	if (record->table != NULL)
		entry->table = strdup(record->table);
	if (entry->bytes == NULL ||
	    (record->table != NULL && entry->table == NULL)) {
		free(entry->bytes);
		free(entry->table);
		free(entry);
		return NULL;
	}
	memcpy(entry->bytes, record->line, line);
	memcpy(entry->bytes + line, record->context, context);
	entry->record.line = entry->bytes;
	entry->record.context = entry->bytes + line;
	entry->record.table = entry->table;
	return entry;
}

/* The oldest make room. */
static void
shorten(struct hook_queue *queue)
{
	while (queue->count > HOOK_QUEUE_MAX) {
		struct hook_entry *entry =
		    entry_of(list_first(&queue->entries));

		add_changes(entry->record.line, &queue->joined, &queue->left);
		drop(queue, entry);
		queue->lost++;
	}
}

bool
hook_queue_put(
    struct hook_queue *queue, const struct hook_record *record, bool is_merged)
{
	struct hook_entry *entry = copy(record);

	if (entry == NULL)
		return false;
	if (is_merged && queue->count > 0)
		drop_table(entry_of(queue->entries.prev));
	list_put_last(&queue->entries, &entry->link);
	queue->count++;
	shorten(queue);
	return true;
}

bool
hook_queue_put_first(struct hook_queue *queue, const struct hook_record *record)
{
	struct hook_entry *entry = copy(record);

	if (entry == NULL)
		return false;
	list_put_first(&queue->entries, &entry->link);
	queue->count++;
	return true;
}

static void
move_lost(struct hook_queue *to, struct hook_queue *from)
{
	to->lost += from->lost;
	for (size_t i = 0; i < from->joined.count; i++)
		hook_ids_add(&to->joined, from->joined.id[i]);
	for (size_t i = 0; i < from->left.count; i++)
		hook_ids_add(&to->left, from->left.id[i]);
	from->lost = 0;
	from->joined.count = from->left.count = 0;
}

void
hook_queue_move(struct hook_queue *to, struct hook_queue *from, size_t max)
{
	move_lost(to, from);
	for (; max > 0 && from->count > 0; max--) {
		struct list *link = list_first(&from->entries);

		list_remove(link);
		list_put_last(&to->entries, link);
		from->count--;
		to->count++;
	}
}

void
hook_queue_put_back(
    struct hook_queue *to, struct hook_queue *from, uint32_t classes)
{
	if (classes != 0)
		move_lost(to, from);
	while (from->count > 0) {
		struct hook_entry *entry = entry_of(from->entries.prev);

		entry->record.classes &= classes;
		if (entry->record.classes == 0) {
			drop(from, entry);
			continue;
		}
		list_remove(&entry->link);
		list_put_first(&to->entries, &entry->link);
		from->count--;
		to->count++;
	}
	hook_queue_clear(from);
	shorten(to);
}

/* ---- looking ----------------------------------------------------------- */

const struct hook_record *
hook_queue_first(const struct hook_queue *queue)
{
	struct list *link = list_first(&queue->entries);

	return link != NULL ? &entry_of(link)->record : NULL;
}

const struct hook_record *
hook_queue_newest(const struct hook_queue *queue, uint32_t classes)
{
	const struct hook_record *newest = NULL;
	struct list *at;

	LIST_FOREACH(at, &queue->entries)
		if ((entry_of(at)->record.classes & classes) != 0)
			newest = &entry_of(at)->record;
	return newest;
}

size_t
hook_queue_count(const struct hook_queue *queue, uint32_t classes)
{
	size_t count = 0;
	struct list *at;

	LIST_FOREACH(at, &queue->entries)
		count += (entry_of(at)->record.classes & classes) != 0;
	return count;
}

bool
hook_queue_shows_table(const struct hook_queue *queue, uint32_t classes)
{
	struct list *at;

	LIST_FOREACH(at, &queue->entries)
		if ((entry_of(at)->record.classes & classes) != 0 &&
		    entry_of(at)->record.shows_table)
			return true;
	return false;
}

const char *
hook_queue_table(const struct hook_queue *queue)
{
	const char *table = NULL;
	struct list *at;

	LIST_FOREACH(at, &queue->entries)
		if (entry_of(at)->table != NULL)
			table = entry_of(at)->table;
	return table;
}

uint32_t
hook_queue_classes(const struct hook_queue *queue)
{
	uint32_t classes = 0;
	struct list *at;

	LIST_FOREACH(at, &queue->entries)
		classes |= entry_of(at)->record.classes;
	return classes;
}

bool
hook_queue_is_urgent(const struct hook_queue *queue)
{
	struct list *at;

	LIST_FOREACH(at, &queue->entries)
		if (entry_of(at)->record.is_urgent)
			return true;
	return false;
}
