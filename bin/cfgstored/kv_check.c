/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/base/ensure.h"

#include "bin/cfgstored/kv.h"
#include "bin/cfgstored/kv_table.h"

static void
check_version(const struct kv *kv, const struct kv_version *v)
{
	ENSURE(v->key_len > 0 && v->key_len <= KV_KEY_BYTES_MAX);
	ENSURE(v->value_len <= KV_VALUE_BYTES_MAX);
	ENSURE(v->rev > 0 && v->rev <= kv->rev);
	ENSURE(v->created <= v->rev);
	ENSURE(v->is_deletion == (v->created == 0));
	ENSURE(v->is_kept || v->rev <= kv->compacted);
	ENSURE(v->prev_rev < v->rev);
	ENSURE(v->is_kept || v->before == KV_NIL);
	ENSURE(!v->is_held || !v->is_current);
}

static size_t
chain_len(const struct kv *kv, uint32_t cell)
{
	size_t len = 0;

	for (; cell != KV_NIL; cell = kv->cell_next[cell])
		ENSURE(++len <= kv->cell_count);
	return len;
}

/* What was found last is still what would be found. */
static void
check_trail(const struct kv *kv)
{
	const struct kv_trail *trail = kv->trail;
	const struct kv_version *next;

	if (trail->key_len == 0 || trail->next == KV_NIL)
		return;
	next = &kv->versions[trail->next];
	ENSURE(next->is_current);
	ENSURE(kv_table_compare(kv, next, trail->key, trail->key_len) >= 0);
}

/* No more are found than there are. */
static void
check_sums(const struct kv *kv)
{
	size_t count = 0;

	for (size_t i = 0; i <= kv->sums_mask; i++)
		for (uint32_t at = kv->sums[i]; at != KV_NIL;
		     at = kv->versions[at].same)
			ENSURE(++count <= kv->key_count);
	ENSURE(count == kv->key_count);
}

/* Cells of all versions that are in use, and those that are free, are all. */
static size_t
check_keys(const struct kv *kv, size_t *cells)
{
	size_t count = 0, leased = 0;
	uint64_t bytes = 0;
	const struct kv_version *last = NULL;

	check_sums(kv);
	for (uint32_t i = kv->first[0]; i != KV_NIL;
	     i = kv->versions[i].next[0]) {
		const struct kv_version *v = &kv->versions[i];
		uint8_t key[KV_KEY_BYTES_MAX];

		check_version(kv, v);
		ENSURE(v->is_current && !v->is_deletion);
		kv_key(kv, v, key);
		ENSURE(last == NULL ||
		    kv_table_compare(kv, last, key, v->key_len) < 0);
		ENSURE(kv_table_find(kv, key, v->key_len) == i);
		ENSURE(kv_table_seek(kv, key, v->key_len) == i);
		ENSURE(v->prev ==
		    (last == NULL ? KV_NIL : kv_table_idx(kv, last)));
		last = v;
		count++;
		leased += v->lease != 0;
		bytes += (uint64_t)v->key_len + v->value_len;
		*cells += chain_len(kv, v->cell);
	}
	ENSURE(count == kv->key_count && bytes == kv->bytes);
	return leased;
}

/* What it replaced is held for it alone. */
static const struct kv_version *
check_before(const struct kv *kv, const struct kv_version *v)
{
	const struct kv_version *before = kv_before(kv, v);
	uint8_t key[KV_KEY_BYTES_MAX];

	if (before == NULL) {
		ENSURE(v->prev_rev == 0 || v->rev <= kv->floor);
		return NULL;
	}
	check_version(kv, before);
	ENSURE(before->is_held && before->rev == v->prev_rev);
	kv_key(kv, before, key);
	ENSURE(kv_table_compare(kv, v, key, before->key_len) == 0);
	return before->is_kept ? NULL : before;
}

static void
check_history(const struct kv *kv, size_t *cells)
{
	size_t past = 0;
	uint64_t bytes = 0, rev = 0;
	uint32_t last = KV_NIL;

	for (uint32_t i = kv->oldest; i != KV_NIL; i = kv->versions[i].newer) {
		const struct kv_version *v = &kv->versions[i], *before;

		check_version(kv, v);
		ENSURE(v->is_kept && v->older == last && v->rev >= rev);
		last = i;
		rev = v->rev;
		before = check_before(kv, v);
		if (before != NULL) {
			past++;
			bytes += (uint64_t)before->key_len + before->value_len;
			*cells += chain_len(kv, before->cell);
		}
		if (v->is_current)
			continue;
		past++;
		bytes += (uint64_t)v->key_len + v->value_len;
		*cells += chain_len(kv, v->cell);
	}
	ENSURE(last == kv->newest);
	ENSURE(past == kv->past_count && bytes == kv->past_bytes);
}

static void
check_leases(const struct kv *kv, size_t leased)
{
	size_t count = 0;

	for (size_t i = 0; i < kv->lease_count; i++) {
		const struct kv_lease *lease = &kv->leases[i];
		uint32_t last = KV_NIL;

		ENSURE(lease->id > 0 && lease->id <= kv->rev);
		ENSURE(i == 0 || lease->id > lease[-1].id);
		for (uint32_t at = lease->first; at != KV_NIL;
		     at = kv->versions[at].lease_next) {
			const struct kv_version *v = &kv->versions[at];

			ENSURE(v->is_current && v->lease == lease->id);
			ENSURE(v->lease_prev == last);
			last = at;
			count++;
		}
	}
	ENSURE(count == leased);
}

void
kv_check(const struct kv *kv)
{
	size_t cells = 0, free = kv->version_count - kv->version_fresh;
	size_t fresh = kv->cell_count - kv->cell_fresh;
	size_t leased;

	check_trail(kv);
	leased = check_keys(kv, &cells);
	check_history(kv, &cells);
	check_leases(kv, leased);
	ENSURE(chain_len(kv, kv->cell_free) + fresh == kv->cells_free);
	ENSURE(cells + kv->cells_free == kv->cell_count);
	for (uint32_t i = kv->version_free; i != KV_NIL;
	     i = kv->versions[i].next[0])
		ENSURE(++free <= kv->version_count);
	ENSURE(free == kv->versions_free);
	ENSURE(kv->compacted <= kv->rev);
	ENSURE(kv->author_count <= KV_AUTHORS_MAX);
	for (size_t i = 1; i < kv->author_count; i++)
		ENSURE(kv->authors[i - 1].last.node < kv->authors[i].last.node);
}
