/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/os/hook_queue.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/base/word.h"

void
hook_queue_init(struct hook_queue *queue)
{
	*queue = (struct hook_queue){ .count = 0 };
}

static void
drop_table(struct hook_entry *entry)
{
	free(entry->table);
	entry->table = NULL;
	entry->record.table = NULL;
}

static void
drop(struct hook_entry *entry)
{
	free(entry->table);
	free(entry->bytes);
	free(entry);
}

/* The oldest, which must be there. */
static struct hook_entry *
take(struct hook_queue *queue)
{
	struct hook_entry *entry = queue->oldest;

	queue->oldest = entry->next;
	if (queue->oldest == NULL)
		queue->newest = NULL;
	queue->count--;
	entry->next = NULL;
	return entry;
}

static void
append(struct hook_queue *queue, struct hook_entry *entry)
{
	if (queue->newest != NULL)
		queue->newest->next = entry;
	else
		queue->oldest = entry;
	queue->newest = entry;
	queue->count++;
}

void
hook_queue_clear(struct hook_queue *queue)
{
	while (queue->oldest != NULL)
		drop(take(queue));
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
	const struct hook_entry *at;

	*joined = queue->joined;
	*left = queue->left;
	for (at = queue->oldest; at != NULL; at = at->next) {
		if ((at->record.classes & classes) == 0)
			continue;
		add_changes(at->record.line, joined, left);
		add_changes(at->record.context, joined, left);
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
		struct hook_entry *entry = take(queue);

		add_changes(entry->record.line, &queue->joined, &queue->left);
		drop(entry);
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
	if (is_merged && queue->newest != NULL)
		drop_table(queue->newest);
	append(queue, entry);
	shorten(queue);
	return true;
}

bool
hook_queue_put_first(struct hook_queue *queue, const struct hook_record *record)
{
	struct hook_entry *entry = copy(record);

	if (entry == NULL)
		return false;
	entry->next = queue->oldest;
	queue->oldest = entry;
	if (queue->newest == NULL)
		queue->newest = entry;
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
	for (; max > 0 && from->oldest != NULL; max--)
		append(to, take(from));
}

void
hook_queue_put_back(
    struct hook_queue *to, struct hook_queue *from, uint32_t classes)
{
	struct hook_queue kept;

	hook_queue_init(&kept);
	if (classes != 0)
		move_lost(&kept, from);
	while (from->oldest != NULL) {
		struct hook_entry *entry = take(from);

		entry->record.classes &= classes;
		if (entry->record.classes != 0)
			append(&kept, entry);
		else
			drop(entry);
	}
	hook_queue_init(from);
	hook_queue_move(&kept, to, SIZE_MAX);
	*to = kept;
	shorten(to);
}

/* ---- looking ----------------------------------------------------------- */

const struct hook_record *
hook_queue_first(const struct hook_queue *queue)
{
	return queue->oldest != NULL ? &queue->oldest->record : NULL;
}

const struct hook_record *
hook_queue_newest(const struct hook_queue *queue, uint32_t classes)
{
	const struct hook_record *newest = NULL;
	const struct hook_entry *at;

	for (at = queue->oldest; at != NULL; at = at->next)
		if ((at->record.classes & classes) != 0)
			newest = &at->record;
	return newest;
}

size_t
hook_queue_count(const struct hook_queue *queue, uint32_t classes)
{
	const struct hook_entry *at;
	size_t count = 0;

	for (at = queue->oldest; at != NULL; at = at->next)
		count += (at->record.classes & classes) != 0;
	return count;
}

bool
hook_queue_shows_table(const struct hook_queue *queue, uint32_t classes)
{
	const struct hook_entry *at;

	for (at = queue->oldest; at != NULL; at = at->next)
		if ((at->record.classes & classes) != 0 &&
		    at->record.shows_table)
			return true;
	return false;
}

const char *
hook_queue_table(const struct hook_queue *queue)
{
	const struct hook_entry *at;
	const char *table = NULL;

	for (at = queue->oldest; at != NULL; at = at->next)
		if (at->table != NULL)
			table = at->table;
	return table;
}

uint32_t
hook_queue_classes(const struct hook_queue *queue)
{
	const struct hook_entry *at;
	uint32_t classes = 0;

	for (at = queue->oldest; at != NULL; at = at->next)
		classes |= at->record.classes;
	return classes;
}

bool
hook_queue_is_urgent(const struct hook_queue *queue)
{
	const struct hook_entry *at;

	for (at = queue->oldest; at != NULL; at = at->next)
		if (at->record.is_urgent)
			return true;
	return false;
}
