/* SPDX-License-Identifier: BSD-3-Clause */
/* JOIN and COMMIT: the packets that carry lists of nodes and sets over them.
 *
 * Each begins with a list of node ids; every set behind it is a bitmap over
 * that list, so two nodes whose configurations list other nodes still mean
 * the same.
 */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/rdbuf.h"
#include "libcommon/base/wrbuf.h"

#include "bin/ringd/totem_wire.h"
#include "bin/ringd/totem_wire_set.h"

enum { JOIN_PROC = 1, JOIN_FAIL = 2, JOIN_FRESH = 1 };

/* The list a packet begins with: what bit i of its bitmaps stands for. */
struct list {
	uint32_t count;
	uint8_t idx[LIMIT_NODES]; /* index among the configured nodes */
	uint64_t all;
};

static void
list_of(uint64_t set, struct list *out)
{
	*out = (struct list){ .all = set };
	for (uint32_t i = 0; i < LIMIT_NODES; i++)
		if (set >> i & 1)
			out->idx[out->count++] = (uint8_t)i;
}

static bool
get_list(struct rdbuf *rd, const struct totem_nodes *table, struct list *out)
{
	uint64_t set;

	if (!totem_wire_get_ids(rd, table, &set) || set == 0)
		return false;
	list_of(set, out);
	return true;
}

static void
put_bitmap(struct wrbuf *wr, const struct list *list, uint64_t set)
{
	uint64_t bits = 0;

	for (uint32_t i = 0; i < list->count; i++)
		bits |= (set >> list->idx[i] & 1) << i;
	for (uint32_t i = 0; i < list->count; i += 8)
		wrbuf_u8(wr, (uint8_t)(bits >> i));
}

static bool
get_bitmap(struct rdbuf *rd, const struct list *list, uint64_t *out)
{
	uint64_t bits = 0;

	for (uint32_t i = 0; i < list->count; i += 8)
		bits |= (uint64_t)rdbuf_u8(rd) << i;
	*out = 0;
	for (uint32_t i = 0; i < list->count; i++)
		*out |= (bits >> i & 1) << list->idx[i];
	return list->count == LIMIT_NODES || bits >> list->count == 0;
}

/* ---- JOIN -------------------------------------------------------------- */

static void
put_failed(struct wrbuf *wr, const struct totem_join *join, uint32_t node)
{
	wrbuf_u8(wr, join->why[node]);
	if (join->why[node] == TOTEM_REASON_RECEIVE)
		wrbuf_u32(wr, join->quarantine_ms[node]);
}

static bool
get_failed(struct rdbuf *rd, uint32_t node, struct totem_join *out)
{
	out->why[node] = rdbuf_u8(rd);
	if (out->why[node] == TOTEM_REASON_RECEIVE)
		out->quarantine_ms[node] = rdbuf_u32(rd);
	return out->why[node] < TOTEM_REASONS;
}

void
totem_wire_put_join(struct wrbuf *wr, const struct totem_nodes *table,
    const struct totem_join *join)
{
	struct list list;
	uint64_t rows = 0;

	for (uint32_t i = 0; i < table->count; i++)
		if (join->row[i].version > 0)
			rows |= UINT64_C(1) << i;
	uint64_t named = join->proc | rows;
	for (uint32_t i = 0; i < table->count; i++)
		if (rows >> i & 1)
			named |= join->row[i].hears;
	list_of(named, &list);

	wrbuf_u64(wr, join->config_hash);
	wrbuf_u64(wr, join->ring_seq);
	totem_wire_put_ring(wr, &join->inst);
	wrbuf_u8(wr, (uint8_t)join->reason);
	wrbuf_u8(wr, join->is_fresh ? JOIN_FRESH : 0);
	totem_wire_put_ids(wr, table, named);
	put_bitmap(wr, &list, join->proc);
	put_bitmap(wr, &list, join->fail);
	put_bitmap(wr, &list, rows);
	for (uint32_t i = 0; i < list.count; i++) {
		uint32_t node = list.idx[i];
		if ((join->proc | rows) >> node & 1)
			wrbuf_u64(wr, join->incarnation[node]);
		if (join->fail >> node & 1)
			put_failed(wr, join, node);
		if (!(rows >> node & 1))
			continue;
		wrbuf_u32(wr, join->row[node].version);
		put_bitmap(wr, &list, join->row[node].hears);
	}
}

static bool
get_join_node(struct rdbuf *rd, const struct list *list, uint64_t rows,
    uint32_t node, struct totem_join *out)
{
	if ((out->proc | rows) >> node & 1)
		out->incarnation[node] = rdbuf_u64(rd);
	if ((out->fail >> node & 1) && !get_failed(rd, node, out))
		return false;
	if (!(rows >> node & 1))
		return true;
	out->row[node].version = rdbuf_u32(rd);
	return get_bitmap(rd, list, &out->row[node].hears) &&
	    out->row[node].version > 0;
}

bool
totem_wire_get_join(const struct totem_nodes *table, const uint8_t *bytes,
    size_t len, struct totem_join *out)
{
	struct rdbuf rd;
	struct list list;
	uint64_t rows;

	memset(out, 0, sizeof *out);
	rdbuf_init(&rd, bytes, len);
	out->config_hash = rdbuf_u64(&rd);
	out->ring_seq = rdbuf_u64(&rd);
	totem_wire_get_ring(&rd, &out->inst);
	uint8_t reason = rdbuf_u8(&rd), flags = rdbuf_u8(&rd);
	if (reason >= TOTEM_REASONS || flags > JOIN_FRESH ||
	    out->ring_seq > TOTEM_WIRE_RING_SEQ_MAX ||
	    !get_list(&rd, table, &list))
		return false;
	out->reason = (enum totem_reason)reason;
	out->is_fresh = flags == JOIN_FRESH;
	if (!get_bitmap(&rd, &list, &out->proc) ||
	    !get_bitmap(&rd, &list, &out->fail) ||
	    !get_bitmap(&rd, &list, &rows) || (out->fail & ~out->proc) != 0)
		return false;
	for (uint32_t i = 0; i < list.count; i++)
		if (!get_join_node(&rd, &list, rows, list.idx[i], out))
			return false;
	return rdbuf_is_done(&rd);
}

/* ---- COMMIT ------------------------------------------------------------ */

static void
put_entry(struct wrbuf *wr, const struct list *list,
    const struct totem_commit_entry *entry)
{
	ENSURE(entry->held_len <= TOTEM_WIRE_HOLE_BYTES);
	totem_wire_put_ring(wr, &entry->old);
	wrbuf_u64(wr, entry->aru);
	wrbuf_u64(wr, entry->high);
	wrbuf_u64(wr, entry->delivered);
	wrbuf_u64(wr, entry->stable);
	put_bitmap(wr, list, entry->oblig);
	wrbuf_u8(wr, entry->held_len);
	wrbuf_bytes(wr, entry->held, entry->held_len);
}

static bool
get_entry(
    struct rdbuf *rd, const struct list *list, struct totem_commit_entry *out)
{
	totem_wire_get_ring(rd, &out->old);
	out->aru = rdbuf_u64(rd);
	out->high = rdbuf_u64(rd);
	out->delivered = rdbuf_u64(rd);
	out->stable = rdbuf_u64(rd);
	bool is_set = get_bitmap(rd, list, &out->oblig);
	out->held_len = rdbuf_u8(rd);
	if (out->held_len > TOTEM_WIRE_HOLE_BYTES)
		return false;
	const uint8_t *held = rdbuf_bytes(rd, out->held_len);
	if (held == NULL)
		return false;
	memcpy(out->held, held, out->held_len);
	return is_set && out->aru <= out->high && out->delivered <= out->aru &&
	    out->stable <= out->high &&
	    out->high - out->stable <= LIMIT_STORE_FRAMES;
}

void
totem_wire_put_commit(struct wrbuf *wr, const struct totem_nodes *table,
    const struct totem_commit *commit)
{
	struct list members, list;
	uint64_t named = commit->members;

	list_of(commit->members, &members);
	ENSURE(commit->filled <= members.count);
	for (uint32_t i = 0; i < commit->filled; i++)
		named |= commit->entry[members.idx[i]].oblig;
	for (uint32_t i = 0; i < table->count; i++)
		if (commit->why[i] != TOTEM_REASON_NONE)
			named |= UINT64_C(1) << i;
	list_of(named, &list);

	totem_wire_put_ring(wr, &commit->ring);
	wrbuf_u64(wr, commit->token_seq);
	totem_wire_put_ids(wr, table, named);
	put_bitmap(wr, &list, commit->members);
	wrbuf_u8(wr, (uint8_t)commit->filled);
	for (uint32_t i = 0; i < list.count; i++)
		wrbuf_u8(wr, commit->why[list.idx[i]]);
	for (uint32_t i = 0; i < members.count; i++)
		wrbuf_u64(wr, commit->incarnation[members.idx[i]]);
	for (uint32_t i = 0; i < commit->filled; i++)
		put_entry(wr, &list, &commit->entry[members.idx[i]]);
}

static bool
get_commit_lists(struct rdbuf *rd, const struct list *list,
    struct list *members, struct totem_commit *out)
{
	if (!get_bitmap(rd, list, &out->members))
		return false;
	list_of(out->members, members);
	out->filled = rdbuf_u8(rd);
	if (members->count == 0 || out->filled > members->count)
		return false;
	for (uint32_t i = 0; i < list->count; i++) {
		uint8_t why = rdbuf_u8(rd);
		if (why >= TOTEM_REASONS)
			return false;
		out->why[list->idx[i]] = why;
	}
	for (uint32_t i = 0; i < members->count; i++)
		out->incarnation[members->idx[i]] = rdbuf_u64(rd);
	return !rd->is_short;
}

bool
totem_wire_get_commit(const struct totem_nodes *table, const uint8_t *bytes,
    size_t len, struct totem_commit *out)
{
	struct rdbuf rd;
	struct list list, members;

	memset(out->why, 0, sizeof out->why);
	rdbuf_init(&rd, bytes, len);
	totem_wire_get_ring(&rd, &out->ring);
	out->token_seq = rdbuf_u64(&rd);
	if (out->ring.seq > TOTEM_WIRE_RING_SEQ_MAX ||
	    !get_list(&rd, table, &list) ||
	    !get_commit_lists(&rd, &list, &members, out))
		return false;
	for (uint32_t i = 0; i < out->filled; i++)
		if (!get_entry(&rd, &list, &out->entry[members.idx[i]]))
			return false;
	return rdbuf_is_done(&rd);
}
