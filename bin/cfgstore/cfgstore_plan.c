/* SPDX-License-Identifier: BSD-3-Clause */
/* The file's keys are sorted once; the store's come sorted, too, and are
 * looked up as they come.
 */
#include "bin/cfgstore/cfgstore_plan.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/word.h"
#include "libcommon/os/tool.h"

#include "bin/cfgstore/cfgstore_file.h"
#include "bin/cfgstore/cfgstore_link.h"
#include "bin/cfgstore/cfgstore_print.h"
#include "bin/cfgstore/cfgstore_scope.h"

bool
cfgstore_plan_is_own(const char *key, size_t len)
{
	static const char own[] = "ringkit/";

	return len >= sizeof own - 1 && memcmp(key, own, sizeof own - 1) == 0;
}

static struct cfgstore_entry *
add(struct cfgstore_plan *plan)
{
	if (plan->count == plan->size) {
		plan->size = plan->size > 0 ? 2 * plan->size : 64;
		plan->entry =
		    realloc(plan->entry, plan->size * sizeof *plan->entry);
		if (plan->entry == NULL)
			tool_fail(EXITCODE_OS, "out of memory");
	}
	plan->entry[plan->count] = (struct cfgstore_entry){ .key = NULL };
	return &plan->entry[plan->count++];
}

static int
compare_keys(const void *a, size_t a_len, const void *b, size_t b_len)
{
	int order = memcmp(a, b, num_min(a_len, b_len));

	return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static int
compare(const void *a, const void *b)
{
	const struct cfgstore_entry *x = a, *y = b;

	return compare_keys(x->key, x->key_len, y->key, y->key_len);
}

static void
sort(struct cfgstore_plan *plan)
{
	if (plan->count > 0)
		qsort(plan->entry, plan->count, sizeof *plan->entry, compare);
}

/* ---- the file ---------------------------------------------------------- */

static void
take_record(struct cfgstore_plan *plan, const struct cfgstore_file *file,
    struct word *word)
{
	bool is_put = strcmp(word->verb[0], "put") == 0;
	struct cfgstore_entry *entry = add(plan);
	struct cfgstore_bytes bytes;

	if (!is_put && strcmp(word->verb[0], "del") != 0)
		cfgstore_file_fail(file, "expected put or del");
	cfgstore_file_key(file, word, "key", &bytes);
	if (cfgstore_plan_is_own(bytes.at, bytes.len))
		cfgstore_file_fail(file, "a key of the toolkit's own");
	if (!cfgstore_scope_has(plan->scope, bytes.at, bytes.len))
		cfgstore_file_fail(file, "the key is not one of --glob");
	entry->key = bytes.at;
	entry->key_len = bytes.len;
	entry->line = file->line;
	if (!is_put)
		return;
	cfgstore_file_value(file, word, "value", &bytes);
	entry->value = bytes.at;
	entry->value_len = bytes.len;
}

void
cfgstore_plan_load(struct cfgstore_plan *plan)
{
	struct cfgstore_file file;
	struct word word;

	cfgstore_file_open(&file, plan->path, &plan->bytes);
	while (cfgstore_file_next(&file, &word))
		take_record(plan, &file, &word);
	sort(plan);
	for (size_t i = 1; i < plan->count; i++)
		if (compare(&plan->entry[i - 1], &plan->entry[i]) == 0) {
			file.line = num_max(
			    plan->entry[i - 1].line, plan->entry[i].line);
			cfgstore_file_fail(&file, "the key was there before");
		}
}

/* ---- the store --------------------------------------------------------- */

/* What was learnt of the store is forgotten. */
static void
forget_store(struct cfgstore_plan *plan)
{
	size_t kept = 0;

	for (size_t i = 0; i < plan->count; i++) {
		struct cfgstore_entry *entry = &plan->entry[i];

		cfgstore_bytes_free(&entry->old);
		if (entry->is_extra) {
			free(entry->key);
			continue;
		}
		entry->rev = 0;
		plan->entry[kept++] = *entry;
	}
	plan->count = kept;
}

static void
add_extra(struct cfgstore_plan *plan, const struct word_pair *key,
    const struct ask_line *item, uint64_t rev)
{
	struct cfgstore_bytes copy = { .at = NULL };
	struct cfgstore_entry *entry = add(plan);

	cfgstore_bytes_put(&copy, key->value, key->len);
	entry->key = copy.at;
	entry->key_len = copy.len;
	entry->is_extra = true;
	entry->rev = rev;
	cfgstore_bytes_put(&entry->old, item->data, item->len);
}

static void
take_item(void *arg, struct ask_line *item)
{
	struct cfgstore_plan *plan = arg;
	const struct word_pair *key = word_get(item->word, "key");
	bool is_leased = *ask_value(item, "lease") != '\0';
	uint64_t rev = cfgstore_link_u64(item, "rev");
	struct cfgstore_entry *entry = NULL, sought;

	if (key == NULL || !item->has_data)
		cfgstore_link_fail_protocol();
	sought.key = key->value;
	sought.key_len = key->len;
	/* Of those of the file, which are sorted; the others lie behind. */
	if (plan->file_count > 0)
		entry = bsearch(&sought, plan->entry, plan->file_count,
		    sizeof *plan->entry, compare);
	if (entry != NULL) {
		entry->rev = rev;
		cfgstore_bytes_put(&entry->old, item->data, item->len);
	} else if (plan->is_replace && !is_leased &&
	    !cfgstore_plan_is_own(key->value, key->len)) {
		add_extra(plan, key, item, rev);
	}
}

/* How the keys of the file begin, all of them: less is to be read then. */
static char *
common_prefix(const struct cfgstore_plan *plan)
{
	const struct cfgstore_entry *first = plan->entry;
	const struct cfgstore_entry *last = plan->entry + plan->count - 1;
	size_t len = 0;

	while (len < first->key_len && len < last->key_len &&
	    first->key[len] == last->key[len] && first->key[len] != '\0')
		len++;
	return strndup(first->key, len);
}

static void
read_store(struct cfgstore_plan *plan, struct cfgstore_link *link)
{
	char *prefix = NULL;
	const char *name;
	struct cfgstore_scope scope = { &name, 1, true };
	const struct cfgstore_pages pages = {
		.scope = plan->is_replace ? plan->scope : &scope,
		.is_sync = plan->is_sync,
		.take = take_item,
		.arg = plan,
	};

	if (!plan->is_replace) {
		if (plan->count == 0)
			return;
		prefix = common_prefix(plan);
		if (prefix == NULL)
			tool_fail(EXITCODE_OS, "out of memory");
		name = prefix;
	}
	if (prefix != NULL && *prefix == '\0')
		scope.count = 0;
	(void)cfgstore_pages_read(link, &pages);
	free(prefix);
}

static bool
is_same(const struct cfgstore_entry *entry)
{
	if (entry->value == NULL || entry->rev == 0)
		return entry->value == NULL && entry->rev == 0;
	return entry->value_len == entry->old.len &&
	    memcmp(entry->value, entry->old.at, entry->old.len) == 0;
}

void
cfgstore_plan_compare(struct cfgstore_plan *plan, struct cfgstore_link *link)
{
	forget_store(plan);
	plan->file_count = plan->count;
	read_store(plan, link);
	plan->change_count = 0;
	for (size_t i = 0; i < plan->count; i++) {
		plan->entry[i].is_same = is_same(&plan->entry[i]);
		plan->change_count += !plan->entry[i].is_same;
	}
	sort(plan);
}

void
cfgstore_plan_show(
    const struct cfgstore_plan *plan, struct cfgstore_printer *printer)
{
	static struct word none;

	for (size_t i = 0; i < plan->count; i++) {
		const struct cfgstore_entry *entry = &plan->entry[i];
		struct cfgstore_record record = {
			.event = entry->value != NULL ? "put" : "del",
			.word = &none,
			.key = entry->key,
			.key_len = entry->key_len,
			.value = entry->value,
			.len = entry->value_len,
		};

		if (entry->rev > 0) {
			record.old = entry->old.at;
			record.old_len = entry->old.len;
		}
		if (!entry->is_same)
			cfgstore_print(printer, &record);
	}
}
