/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A version that was current at a revision is current still, or was replaced
 * later: then it is found by going back from the current one, or from a
 * deletion since.  Going back ends where the key was created, so only one of
 * these ways leads to it.
 */
#include "bin/cfgstored/kv_past.h"

#include <string.h>

#include "libcommon/base/ensure.h"

#include "bin/cfgstored/kv_table.h"

/* From a version back to the one of that time; NULL: there was none. */
static const struct kv_version *
go_back(const struct kv *kv, const struct kv_version *v, uint64_t rev)
{
	while (v != NULL && v->rev > rev)
		v = kv_before(kv, v);
	return v != NULL && v->is_deletion ? NULL : v;
}

const struct kv_version *
kv_past_get(const struct kv *kv, const void *key, size_t key_len, uint64_t rev)
{
	const struct kv_version *v = go_back(kv, kv_get(kv, key, key_len), rev);

	if (v != NULL)
		return v;
	for (const struct kv_version *at = kv_since(kv, rev); at != NULL;
	     at = kv_newer(kv, at))
		if (at->is_deletion &&
		    kv_table_compare(kv, at, key, key_len) == 0)
			return go_back(kv, at, rev);
	return NULL;
}

int
kv_past_compare(
    const struct kv *kv, const struct kv_version *a, const struct kv_version *b)
{
	uint8_t key[KV_KEY_BYTES_MAX];

	kv_key(kv, b, key);
	return kv_table_compare(kv, a, key, b->key_len);
}

/* ---- pages ------------------------------------------------------------- */

struct page {
	const struct kv *kv;
	const struct kv_past_query *query;
	const struct kv_version **at;
	size_t count, max;
};

static bool
begins_with(const struct page *page, const struct kv_version *v)
{
	uint8_t key[KV_KEY_BYTES_MAX];
	const struct kv_past_query *query = page->query;

	if (v->key_len < query->prefix_len)
		return false;
	if (query->prefix_len == 0)
		return true;
	kv_table_read(page->kv, v, 0, query->prefix_len, key);
	return memcmp(key, query->prefix, query->prefix_len) == 0;
}

static bool
is_after(const struct page *page, const struct kv_version *v)
{
	const struct kv_past_query *query = page->query;

	return query->after == NULL ||
	    kv_table_compare(page->kv, v, query->after, query->after_len) > 0;
}

static bool
is_wanted(const struct page *page, const struct kv_version *v)
{
	const struct kv_past_query *query = page->query;

	return query->is_wanted == NULL ||
	    query->is_wanted(query->arg, page->kv, v);
}

/* The first current key that may be one of them. */
static const struct kv_version *
get_first(const struct page *page)
{
	const struct kv_past_query *query = page->query;
	const struct kv_version *v;

	if (query->after == NULL || query->prefix_len > query->after_len ||
	    (query->prefix_len > 0 &&
		memcmp(query->after, query->prefix, query->prefix_len) < 0))
		v = kv_seek(page->kv, query->prefix, query->prefix_len);
	else
		v = kv_seek(page->kv, query->after, query->after_len);
	while (v != NULL && !is_after(page, v))
		v = kv_after(page->kv, v);
	return v;
}

static void
add_current(struct page *page)
{
	const struct kv_version *v = get_first(page);

	for (; v != NULL && page->count < page->max;
	     v = kv_after(page->kv, v)) {
		const struct kv_version *then =
		    go_back(page->kv, v, page->query->rev);

		if (!begins_with(page, v))
			return;
		if (then != NULL && is_wanted(page, then))
			page->at[page->count++] = then;
	}
}

/* In its place among those that are there; of too many the last falls off. */
static void
insert(struct page *page, const struct kv_version *v)
{
	size_t at = page->count;

	while (at > 0 && kv_past_compare(page->kv, page->at[at - 1], v) > 0)
		at--;
	if (at == page->max)
		return;
	if (page->count < page->max)
		page->count++;
	memmove(&page->at[at + 1], &page->at[at],
	    (page->count - at - 1) * sizeof *page->at);
	page->at[at] = v;
}

/* Those that were deleted since. */
static void
add_deleted(struct page *page)
{
	const struct kv_version *v = kv_since(page->kv, page->query->rev);

	for (; v != NULL; v = kv_newer(page->kv, v)) {
		const struct kv_version *then;

		if (!v->is_deletion || !begins_with(page, v) ||
		    !is_after(page, v))
			continue;
		then = go_back(page->kv, v, page->query->rev);
		if (then != NULL && is_wanted(page, then))
			insert(page, then);
	}
}

size_t
kv_past_page(const struct kv *kv, const struct kv_past_query *query,
    const struct kv_version **out, size_t max)
{
	struct page page = { kv, query, out, 0, max };

	ENSURE(max > 0 && max <= KV_PAST_PAGE_MAX);
	add_current(&page);
	add_deleted(&page);
	return page.count;
}
