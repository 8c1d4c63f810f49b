/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parts of the state, and reading it.  Room: what is current has cells for
 * all its bytes and, for each key, one more that is not full; so has history.
 * A command may need as much again before what it replaces is forgotten.
 */
#include "bin/cfgstored/kv.h"

#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/crc32c.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/cfgstored/kv_table.h"

static uint32_t
cells_wanted(const struct kv_config *cfg)
{
	uint64_t past = num_max(cfg->history_bytes, KV_COMMAND_BYTES_MAX);
	uint64_t count = (cfg->room.bytes + past) / KV_CELL_BYTES +
	    cfg->room.keys + cfg->history_versions + 4 * KV_PARTS_MAX;

	ENSURE(count < KV_NIL);
	return (uint32_t)count;
}

static uint32_t
versions_wanted(const struct kv_config *cfg)
{
	uint64_t count =
	    cfg->room.keys + cfg->history_versions + 2 * KV_PARTS_MAX;

	ENSURE(count < KV_NIL);
	return (uint32_t)count;
}

struct kv *
kv_create(struct arena *arena, const struct kv_config *cfg)
{
	uint32_t cells = cells_wanted(cfg), versions = versions_wanted(cfg);
	struct kv *kv = arena_take(arena, sizeof *kv);
	uint32_t *cell_next = arena_take(arena, cells * sizeof *cell_next);
	uint8_t *bytes = arena_take(arena, (size_t)cells * KV_CELL_BYTES);
	struct kv_version *version =
	    arena_take(arena, versions * sizeof *version);
	struct kv_lease *leases =
	    arena_take(arena, (size_t)cfg->room.leases * sizeof *leases);
	struct kv_author_row *authors =
	    arena_take(arena, KV_AUTHORS_MAX * sizeof *authors);
	struct kv_trail *trail = arena_take(arena, sizeof *trail);
	uint32_t sums_count = kv_table_sums_wanted(cfg->room.keys);
	uint32_t *sums = arena_take(arena, sums_count * sizeof *sums);

	ENSURE(cfg->room.keys && cfg->room.bytes && cfg->room.leases);
	ENSURE(cfg->room.value_bytes <= KV_VALUE_BYTES_MAX);
	if (kv == NULL)
		return NULL;
	*kv = (struct kv){ .cfg = *cfg,
		.cell_next = cell_next,
		.cells = bytes,
		.cell_count = cells,
		.versions = version,
		.version_count = versions,
		.trail = trail,
		.sums = sums,
		.sums_mask = sums_count - 1,
		.leases = leases,
		.authors = authors };
	kv_clear(kv);
	return kv;
}

void
kv_set_secret(struct kv *kv, const struct siphash_key *secret)
{
	ENSURE(kv->key_count == 0);
	kv->secret = *secret;
}

void
kv_clear(struct kv *kv)
{
	kv_table_init(kv);
	kv->generation++;
	kv->limits = kv->cfg.room;
	kv->rev = kv->compacted = kv->turn = 0;
	kv->lease_count = kv->author_count = 0;
}

/* ---- reading ----------------------------------------------------------- */

static const struct kv_version *
version_at(const struct kv *kv, uint32_t idx)
{
	return idx == KV_NIL ? NULL : &kv->versions[idx];
}

void
kv_about(const struct kv_version *version, struct kv_about *out)
{
	*out = (struct kv_about){ .key_len = version->key_len,
		.value_len = version->value_len,
		.rev = version->rev,
		.created = version->created,
		.lease = version->lease,
		.prev = version->prev_rev,
		.node = version->node,
		.why = (enum kv_why)version->why,
		.is_deletion = version->is_deletion,
		.is_current = version->is_current };
}

void
kv_key(const struct kv *kv, const struct kv_version *version, void *out)
{
	kv_table_read(kv, version, 0, version->key_len, out);
}

void
kv_value(const struct kv *kv, const struct kv_version *version, size_t from,
    size_t len, void *out)
{
	kv_table_read(kv, version, version->key_len + from, len, out);
}

const struct kv_version *
kv_get(const struct kv *kv, const void *key, size_t key_len)
{
	return version_at(kv, kv_table_find(kv, key, key_len));
}

const struct kv_version *
kv_seek(const struct kv *kv, const void *key, size_t key_len)
{
	return version_at(kv, kv_table_seek(kv, key, key_len));
}

const struct kv_version *
kv_after(const struct kv *kv, const struct kv_version *version)
{
	ENSURE(version->is_current);
	return version_at(kv, version->next[0]);
}

const struct kv_version *
kv_since(const struct kv *kv, uint64_t rev)
{
	uint32_t idx = kv->newest, found = KV_NIL;

	/* From the end: watchers are seldom far behind. */
	while (idx != KV_NIL && kv->versions[idx].rev > rev) {
		found = idx;
		idx = kv->versions[idx].older;
	}
	return version_at(kv, found);
}

const struct kv_version *
kv_newer(const struct kv *kv, const struct kv_version *version)
{
	ENSURE(version->is_kept);
	return version_at(kv, version->newer);
}

const struct kv_version *
kv_older(const struct kv *kv, const struct kv_version *version)
{
	ENSURE(version->is_kept);
	return version_at(kv, version->older);
}

const struct kv_version *
kv_before(const struct kv *kv, const struct kv_version *version)
{
	return version_at(kv, version->before);
}

bool
kv_is_kept(const struct kv_version *version, uint64_t rev)
{
	return version->is_kept && version->rev == rev;
}

const struct kv_version *
kv_last_below(
    const struct kv *kv, const void *key, size_t key_len, uint64_t rev)
{
	uint32_t idx = kv->newest;

	while (idx != KV_NIL &&
	    (kv->versions[idx].rev >= rev ||
		kv_table_compare(kv, &kv->versions[idx], key, key_len) != 0))
		idx = kv->versions[idx].older;
	return version_at(kv, idx);
}

uint64_t
kv_generation(const struct kv *kv)
{
	return kv->generation;
}

uint64_t
kv_rev(const struct kv *kv)
{
	return kv->rev;
}

uint64_t
kv_compacted(const struct kv *kv)
{
	return kv->compacted;
}

uint64_t
kv_past_from(const struct kv *kv)
{
	return num_max(kv->compacted, kv->floor);
}

size_t
kv_key_count(const struct kv *kv)
{
	return kv->key_count;
}

uint64_t
kv_bytes_used(const struct kv *kv)
{
	return kv->bytes;
}

size_t
kv_lease_count(const struct kv *kv)
{
	return kv->lease_count;
}

size_t
kv_past_versions(const struct kv *kv)
{
	return kv->past_count;
}

uint64_t
kv_past_bytes(const struct kv *kv)
{
	return kv->past_bytes;
}

void
kv_limits_now(const struct kv *kv, struct kv_limits *out)
{
	*out = kv->limits;
}

void
kv_compact(struct kv *kv, uint64_t rev)
{
	uint64_t last = num_min(kv->rev, rev);

	while (kv_table_forget(kv, last + 1))
		;
}

const struct kv_lease *
kv_lease_at(const struct kv *kv, size_t idx)
{
	return idx < kv->lease_count ? &kv->leases[idx] : NULL;
}

const struct kv_lease *
kv_lease_find(const struct kv *kv, uint64_t id)
{
	size_t low = 0, high = kv->lease_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (kv->leases[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < kv->lease_count && kv->leases[low].id == id
	    ? &kv->leases[low]
	    : NULL;
}

const struct kv_version *
kv_lease_key(const struct kv *kv, uint64_t id)
{
	const struct kv_lease *lease = kv_lease_find(kv, id);

	return lease != NULL ? version_at(kv, lease->first) : NULL;
}

const struct kv_version *
kv_lease_key_after(const struct kv *kv, const struct kv_version *version)
{
	return version_at(kv, version->lease_next);
}

struct kv_author
kv_author_last(const struct kv *kv, uint32_t node)
{
	for (size_t i = 0; i < kv->author_count; i++)
		if (kv->authors[i].last.node == node)
			return kv->authors[i].last;
	return (struct kv_author){ 0 };
}

/* ---- the sum ----------------------------------------------------------- */

static uint32_t
add_number(uint32_t sum, uint64_t number)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(number >> 8 * i);
	return crc32c_more(sum, bytes, sizeof bytes);
}

static uint32_t
add_version(const struct kv *kv, uint32_t sum, const struct kv_version *v)
{
	size_t len = (size_t)v->key_len + v->value_len;

	sum = add_number(sum, v->key_len);
	sum = add_number(sum, len);
	for (size_t from = 0; from < len; from += KV_CELL_BYTES) {
		uint8_t bytes[KV_CELL_BYTES];
		size_t piece = (size_t)num_min(sizeof bytes, len - from);

		kv_table_read(kv, v, from, piece, bytes);
		sum = crc32c_more(sum, bytes, piece);
	}
	sum = add_number(sum, v->rev);
	sum = add_number(sum, v->created);
	sum = add_number(sum, v->lease);
	return add_number(sum, v->node);
}

uint32_t
kv_digest(const struct kv *kv)
{
	uint32_t sum = add_number(0, kv->rev);

	sum = add_number(sum, kv->limits.keys);
	sum = add_number(sum, kv->limits.bytes);
	sum = add_number(sum, kv->limits.value_bytes);
	sum = add_number(sum, kv->limits.leases);
	for (uint32_t i = kv->first[0]; i != KV_NIL;
	     i = kv->versions[i].next[0])
		sum = add_version(kv, sum, &kv->versions[i]);
	for (size_t i = 0; i < kv->lease_count; i++) {
		sum = add_number(sum, kv->leases[i].id);
		sum = add_number(sum, kv->leases[i].ttl_ns);
		sum = add_number(sum, kv->leases[i].renewals);
		sum = add_number(sum, kv->leases[i].node);
		sum = add_number(sum, kv->leases[i].uid);
		sum = add_number(sum, kv->leases[i].run);
	}
	for (size_t i = 0; i < kv->author_count; i++) {
		sum = add_number(sum, kv->authors[i].last.node);
		sum = add_number(sum, kv->authors[i].last.run);
		sum = add_number(sum, kv->authors[i].last.number);
		sum = add_number(sum, kv->authors[i].turn);
	}
	return add_number(sum, kv->turn);
}
