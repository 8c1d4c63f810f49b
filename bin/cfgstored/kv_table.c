/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstored/kv_table.h"

#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

uint32_t
kv_table_idx(const struct kv *kv, const struct kv_version *version)
{
	ENSURE(version >= kv->versions);
	return (uint32_t)(version - kv->versions);
}

uint32_t
kv_table_sums_wanted(uint64_t keys)
{
	uint32_t count = 1;

	while (count < keys && count <= KV_NIL / 4)
		count *= 2;
	return count;
}

void
kv_table_init(struct kv *kv)
{
	/* What is never used is never touched, and takes no memory. */
	kv->cell_free = kv->version_free = KV_NIL;
	kv->cell_fresh = kv->version_fresh = 0;
	kv->cells_free = kv->cell_count;
	kv->versions_free = kv->version_count;
	for (size_t i = 0; i < KV_LEVELS; i++)
		kv->first[i] = KV_NIL;
	for (size_t i = 0; i <= kv->sums_mask; i++)
		kv->sums[i] = KV_NIL;
	kv->trail->key_len = 0;
	kv->oldest = kv->newest = KV_NIL;
	kv->key_count = kv->past_count = 0;
	kv->bytes = kv->past_bytes = 0;
	kv->floor = 0;
}

/* ---- cells ------------------------------------------------------------- */

static size_t
bytes_of(const struct kv_version *v)
{
	return (size_t)v->key_len + v->value_len;
}

static size_t
cells_for(size_t bytes)
{
	return bytes == 0 ? 1 : (bytes + KV_CELL_BYTES - 1) / KV_CELL_BYTES;
}

static uint32_t
cell_take(struct kv *kv)
{
	uint32_t cell = kv->cell_free;

	if (cell == KV_NIL)
		return kv->cell_fresh++;
	kv->cell_free = kv->cell_next[cell];
	return cell;
}

static uint32_t
chain_take(struct kv *kv, size_t count)
{
	uint32_t first = KV_NIL;

	ENSURE(count > 0 && count <= kv->cells_free);
	kv->cells_free -= (uint32_t)count;
	while (count-- > 0) {
		const uint32_t cell = cell_take(kv);

		kv->cell_next[cell] = first;
		first = cell;
	}
	return first;
}

static void
chain_give(struct kv *kv, uint32_t first)
{
	uint32_t last = first;

	kv->cells_free++;
	while (kv->cell_next[last] != KV_NIL) {
		last = kv->cell_next[last];
		kv->cells_free++;
	}
	kv->cell_next[last] = kv->cell_free;
	kv->cell_free = first;
}

/* A place in a chain; what lies there, up to the end of its cell. */
struct place {
	uint32_t cell;
	size_t at;
};

static struct place
place_of(const struct kv *kv, const struct kv_version *v, size_t from)
{
	struct place place = { v->cell, from };

	while (place.at >= KV_CELL_BYTES) {
		place.cell = kv->cell_next[place.cell];
		place.at -= KV_CELL_BYTES;
		ENSURE(place.cell != KV_NIL || place.at == 0);
	}
	return place;
}

static uint8_t *
place_piece(const struct kv *kv, struct place *place, size_t len, size_t *piece)
{
	uint8_t *bytes;

	ENSURE(place->cell < kv->cell_count);
	bytes = kv->cells + (size_t)place->cell * KV_CELL_BYTES + place->at;
	*piece = (size_t)num_min(len, KV_CELL_BYTES - place->at);
	place->cell = kv->cell_next[place->cell];
	place->at = 0;
	return bytes;
}

void
kv_table_write(
    struct kv *kv, uint32_t idx, size_t from, const uint8_t *bytes, size_t len)
{
	struct kv_version *v = &kv->versions[idx];
	struct place place = place_of(kv, v, from);

	ENSURE(from <= bytes_of(v) && len <= bytes_of(v) - from);
	while (len > 0) {
		size_t piece;
		uint8_t *to = place_piece(kv, &place, len, &piece);

		memcpy(to, bytes, piece);
		bytes += piece;
		len -= piece;
	}
}

void
kv_table_read(const struct kv *kv, const struct kv_version *v, size_t from,
    size_t len, uint8_t *out)
{
	struct place place = place_of(kv, v, from);

	ENSURE(from <= bytes_of(v) && len <= bytes_of(v) - from);
	while (len > 0) {
		size_t piece;
		const uint8_t *at = place_piece(kv, &place, len, &piece);

		memcpy(out, at, piece);
		out += piece;
		len -= piece;
	}
}

static int
compare_bytes(const struct kv *kv, const struct kv_version *v, size_t from,
    const uint8_t *bytes, size_t len)
{
	struct place place = place_of(kv, v, from);

	while (len > 0) {
		size_t piece;
		const uint8_t *at = place_piece(kv, &place, len, &piece);
		int order = memcmp(at, bytes, piece);

		if (order != 0)
			return order;
		bytes += piece;
		len -= piece;
	}
	return 0;
}

int
kv_table_compare(const struct kv *kv, const struct kv_version *v,
    const uint8_t *key, size_t key_len)
{
	int order =
	    compare_bytes(kv, v, 0, key, (size_t)num_min(v->key_len, key_len));

	if (order != 0)
		return order;
	return (v->key_len > key_len) - (v->key_len < key_len);
}

bool
kv_table_has_value(const struct kv *kv, const struct kv_version *v,
    const uint8_t *value, size_t len)
{
	return v->value_len == len &&
	    compare_bytes(kv, v, v->key_len, value, len) == 0;
}

/* ---- versions ---------------------------------------------------------- */

bool
kv_table_has_room(const struct kv *kv, size_t key_len, size_t value_len)
{
	return kv->versions_free > 0 &&
	    cells_for(key_len + value_len) <= kv->cells_free;
}

static uint32_t
version_take(struct kv *kv)
{
	uint32_t idx = kv->version_free;

	kv->versions_free--;
	if (idx == KV_NIL)
		return kv->version_fresh++;
	kv->version_free = kv->versions[idx].next[0];
	return idx;
}

uint32_t
kv_table_add(
    struct kv *kv, const uint8_t *key, size_t key_len, size_t value_len)
{
	uint32_t idx;
	struct kv_version *v;

	ENSURE(key_len > 0 && key_len <= KV_KEY_BYTES_MAX);
	ENSURE(value_len <= KV_VALUE_BYTES_MAX);
	while (!kv_table_has_room(kv, key_len, value_len))
		ENSURE(kv_table_forget(kv, kv->rev + 1));
	idx = version_take(kv);
	v = &kv->versions[idx];
	memset(v, 0, sizeof *v);
	v->key_len = (uint16_t)key_len;
	v->value_len = (uint32_t)value_len;
	v->cell = chain_take(kv, cells_for(key_len + value_len));
	v->older = v->newer = v->lease_prev = v->lease_next = KV_NIL;
	v->before = KV_NIL;
	kv_table_write(kv, idx, 0, key, key_len);
	return idx;
}

void
kv_table_free(struct kv *kv, uint32_t idx)
{
	struct kv_version *v = &kv->versions[idx];

	ENSURE(!v->is_current && !v->is_kept && !v->is_held);
	chain_give(kv, v->cell);
	v->next[0] = kv->version_free;
	kv->version_free = idx;
	kv->versions_free++;
}

/* ---- keys in order ----------------------------------------------------- */

/*
 * How many levels a key has is drawn from its sum, so that a new version has
 * as many as the one before.  A quarter goes one level up.
 */
static size_t
levels_of(uint32_t sum)
{
	size_t levels = 1;

	sum *= 0x9e3779b1U;
	while (levels < KV_LEVELS && (sum & 3U << 30) == 0) {
		sum <<= 2;
		levels++;
	}
	return levels;
}

static uint32_t *
link_of(struct kv *kv, uint32_t before, size_t level)
{
	return before == KV_NIL ? &kv->first[level]
				: &kv->versions[before].next[level];
}

static uint32_t
next_of(const struct kv *kv, uint32_t before, size_t level)
{
	return before == KV_NIL ? kv->first[level]
				: kv->versions[before].next[level];
}

/*
 * before[level]: the last one there that is before the key, or KV_NIL.  What
 * ended a level above, not_before, ends the one below it, too.
 */
static uint32_t
find_before(
    const struct kv *kv, const uint8_t *key, size_t len, uint32_t *before)
{
	uint32_t last = KV_NIL, not_before = KV_NIL;

	for (size_t level = KV_LEVELS; level-- > 0;) {
		uint32_t next = next_of(kv, last, level);

		while (next != not_before &&
		    kv_table_compare(kv, &kv->versions[next], key, len) < 0) {
			last = next;
			next = next_of(kv, last, level);
		}
		not_before = next;
		before[level] = last;
	}
	return not_before;
}

/* What a reader asks for may be longer than any key: that is not kept. */
static void
note_key(struct kv_trail *trail, const uint8_t *key, size_t len)
{
	trail->key_len = len <= sizeof trail->key ? len : 0;
	if (trail->key_len > 0)
		memcpy(trail->key, key, trail->key_len);
}

static struct kv_trail *
follow(const struct kv *kv, const uint8_t *key, size_t len)
{
	struct kv_trail *trail = kv->trail;

	if (len > 0 && trail->key_len == len &&
	    memcmp(trail->key, key, len) == 0)
		return trail;
	trail->next = find_before(kv, key, len, trail->before);
	note_key(trail, key, len);
	return trail;
}

/*
 * Most keys have one level, and there it is known what is before them: the
 * trail is not of more levels than its key.
 */
static struct kv_trail *
follow_current(
    const struct kv *kv, uint32_t idx, const uint8_t *key, size_t levels)
{
	const struct kv_version *v = &kv->versions[idx];
	struct kv_trail *trail = kv->trail;

	if (levels > 1)
		return follow(kv, key, v->key_len);
	trail->before[0] = v->prev;
	trail->next = idx;
	note_key(trail, key, v->key_len);
	return trail;
}

uint32_t
kv_table_seek(const struct kv *kv, const uint8_t *key, size_t len)
{
	return follow(kv, key, len)->next;
}

/* ---- keys by their sums ------------------------------------------------ */

/* By a secret: who may write must not choose keys of one sum, or one level. */
static uint32_t
sum_of(const struct kv *kv, const uint8_t *key, size_t len)
{
	return (uint32_t)siphash_of(&kv->secret, key, len);
}

uint32_t
kv_table_find(const struct kv *kv, const uint8_t *key, size_t len)
{
	uint32_t idx = kv->sums[sum_of(kv, key, len) & kv->sums_mask];

	while (idx != KV_NIL &&
	    (kv->versions[idx].key_len != len ||
		kv_table_compare(kv, &kv->versions[idx], key, len) != 0))
		idx = kv->versions[idx].same;
	return idx;
}

static void
sums_add(struct kv *kv, uint32_t idx, uint32_t sum)
{
	uint32_t *first = &kv->sums[sum & kv->sums_mask];

	kv->versions[idx].same = *first;
	*first = idx;
}

static void
sums_remove(struct kv *kv, uint32_t idx, uint32_t sum)
{
	uint32_t *link = &kv->sums[sum & kv->sums_mask];

	while (*link != idx) {
		ENSURE(*link != KV_NIL);
		link = &kv->versions[*link].same;
	}
	*link = kv->versions[idx].same;
}

/* ---- keys come and go -------------------------------------------------- */

/* What follows it is behind before now. */
static void
set_prev(struct kv *kv, uint32_t idx, uint32_t before)
{
	if (idx != KV_NIL)
		kv->versions[idx].prev = before;
}

/* The trail is still that of this key: what is before it has not changed. */
void
kv_table_link(struct kv *kv, uint32_t idx)
{
	struct kv_version *v = &kv->versions[idx];
	uint8_t key[KV_KEY_BYTES_MAX];
	struct kv_trail *trail;
	uint32_t sum;
	size_t levels;

	ENSURE(!v->is_current && !v->is_deletion);
	kv_table_read(kv, v, 0, v->key_len, key);
	sum = sum_of(kv, key, v->key_len);
	levels = levels_of(sum);
	trail = follow(kv, key, v->key_len);
	for (size_t level = 0; level < levels; level++) {
		uint32_t *link = link_of(kv, trail->before[level], level);

		v->next[level] = *link;
		*link = idx;
	}
	v->prev = trail->before[0];
	set_prev(kv, v->next[0], idx);
	sums_add(kv, idx, sum);
	trail->next = idx;
	v->is_current = true;
	kv->key_count++;
	kv->bytes += bytes_of(v);
}

static void
unlink_key(struct kv *kv, uint32_t idx)
{
	struct kv_version *v = &kv->versions[idx];
	uint8_t key[KV_KEY_BYTES_MAX];
	struct kv_trail *trail;
	uint32_t sum;
	size_t levels;

	ENSURE(v->is_current);
	kv_table_read(kv, v, 0, v->key_len, key);
	sum = sum_of(kv, key, v->key_len);
	levels = levels_of(sum);
	trail = follow_current(kv, idx, key, levels);
	ENSURE(trail->next == idx);
	for (size_t level = 0; level < levels; level++) {
		uint32_t *link = link_of(kv, trail->before[level], level);

		ENSURE(*link == idx);
		*link = v->next[level];
	}
	set_prev(kv, v->next[0], v->prev);
	sums_remove(kv, idx, sum);
	trail->next = v->next[0];
	v->is_current = false;
	kv->key_count--;
	kv->bytes -= bytes_of(v);
}

void
kv_table_drop(struct kv *kv, uint32_t old)
{
	unlink_key(kv, old);
	kv_table_free(kv, old);
}

/* ---- history ----------------------------------------------------------- */

static void
add_past(struct kv *kv, const struct kv_version *v)
{
	kv->past_count++;
	kv->past_bytes += bytes_of(v);
}

static void
free_past(struct kv *kv, uint32_t idx)
{
	kv->past_count--;
	kv->past_bytes -= bytes_of(&kv->versions[idx]);
	kv_table_free(kv, idx);
}

static bool
is_beyond_budget(const struct kv *kv)
{
	return kv->past_count > kv->cfg.history_versions ||
	    kv->past_bytes > kv->cfg.history_bytes;
}

void
kv_table_replace(struct kv *kv, uint32_t old, uint32_t by)
{
	struct kv_version *was = &kv->versions[old];
	struct kv_version *is = &kv->versions[by];

	ENSURE(!is->is_kept && was->rev <= is->rev);
	unlink_key(kv, old);
	is->prev_rev = was->rev;
	is->before = old;
	was->is_held = true;
	add_past(kv, was);
	while (is_beyond_budget(kv) && kv_table_forget(kv, kv->rev + 1))
		;
	if (was->is_kept || !is_beyond_budget(kv))
		return;
	/* One change may replace more than there is room for. */
	is->before = KV_NIL;
	was->is_held = false;
	kv->floor = num_max(kv->floor, is->rev);
	free_past(kv, old);
}

void
kv_table_keep(struct kv *kv, uint32_t idx)
{
	struct kv_version *v = &kv->versions[idx];

	ENSURE(!v->is_kept);
	v->is_kept = true;
	v->older = kv->newest;
	v->newer = KV_NIL;
	if (kv->newest == KV_NIL)
		kv->oldest = idx;
	else
		kv->versions[kv->newest].newer = idx;
	kv->newest = idx;
	if (!v->is_current)
		add_past(kv, v);
}

/* Nobody holds what it replaced any longer. */
static void
release_before(struct kv *kv, struct kv_version *v)
{
	const uint32_t before = v->before;

	if (before == KV_NIL)
		return;
	v->before = KV_NIL;
	kv->versions[before].is_held = false;
	if (!kv->versions[before].is_kept)
		free_past(kv, before);
}

bool
kv_table_forget(struct kv *kv, uint64_t last_rev)
{
	uint32_t idx = kv->oldest;
	struct kv_version *v;

	if (idx == KV_NIL || kv->versions[idx].rev >= last_rev)
		return false;
	v = &kv->versions[idx];
	kv->oldest = v->newer;
	if (v->newer == KV_NIL)
		kv->newest = KV_NIL;
	else
		kv->versions[v->newer].older = KV_NIL;
	v->is_kept = false;
	v->newer = KV_NIL;
	kv->compacted = v->rev;
	release_before(kv, v);
	if (!v->is_current && !v->is_held)
		free_past(kv, idx);
	return true;
}

void
kv_table_trim(struct kv *kv)
{
	while (is_beyond_budget(kv))
		if (!kv_table_forget(kv, kv->rev))
			break;
}
