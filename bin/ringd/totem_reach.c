/* SPDX-License-Identifier: BSD-3-Clause */
/* Who hears whom: the connectivity matrix (3.4, 7.2).
 *
 * Each node tells its row, whom it hears; rows travel in heartbeats, and those
 * of others in JOINs.  Two nodes are connected, have an edge, when each is in
 * the other's row; and since when they have is remembered, for rings merge
 * only when all of both have been connected for a while.
 */
#include "libcommon/base/num.h"

#include "bin/ringd/totem_internal.h"

static struct totem_row
row_of(const struct totem *t, uint32_t node)
{
	if (node != t->self)
		return t->peer[node].row;
	return (
	    struct totem_row){ .version = t->row_version, .hears = t->hears };
}

/* A row that is not known excludes nobody. */
bool
totem_has_edge(const struct totem *t, uint32_t a, uint32_t b)
{
	struct totem_row row_a = row_of(t, a), row_b = row_of(t, b);

	if (a == b)
		return true;
	return (row_a.version == 0 || row_a.hears >> b & 1) &&
	    (row_b.version == 0 || row_b.hears >> a & 1);
}

bool
totem_is_complete(const struct totem *t, uint64_t nodes)
{
	for (uint32_t i = 0; i < t->table.count; i++) {
		struct totem_row row = row_of(t, i);
		if (!(nodes >> i & 1))
			continue;
		if (row.version == 0 ||
		    (nodes & ~row.hears & ~TOTEM_BIT(i)) != 0)
			return false;
	}
	return true;
}

bool
totem_is_split(const struct totem *t, uint64_t nodes)
{
	for (uint32_t i = 0; i < t->table.count; i++) {
		struct totem_row row = row_of(t, i);
		if ((nodes >> i & 1) && row.version > 0 &&
		    (nodes & ~row.hears & ~TOTEM_BIT(i)) != 0)
			return true;
	}
	return false;
}

bool
totem_is_both_ways(const struct totem *t, uint32_t peer)
{
	return (t->hears >> peer & 1) && t->peer[peer].row.version > 0 &&
	    (t->peer[peer].row.hears >> t->self & 1);
}

/* ---- since when --------------------------------------------------------- */

static uint64_t *
edge(struct totem *t, uint32_t a, uint32_t b)
{
	return &t->edge_ns[num_min(a, b)][num_max(a, b)];
}

void
totem_reach_init(struct totem *t)
{
	for (uint32_t i = 0; i < t->table.count; i++)
		for (uint32_t j = 0; j < t->table.count; j++)
			t->edge_ns[i][j] = TOTEM_NEVER;
}

void
totem_reach_note(struct totem *t, uint32_t node)
{
	struct totem_row row = row_of(t, node);

	for (uint32_t i = 0; i < t->table.count; i++) {
		struct totem_row other = row_of(t, i);
		bool is_edge = row.version > 0 && other.version > 0 &&
		    (row.hears >> i & 1) && (other.hears >> node & 1);
		uint64_t *since_ns = edge(t, node, i);
		if (i == node)
			continue;
		if (!is_edge)
			*since_ns = TOTEM_NEVER;
		else if (*since_ns == TOTEM_NEVER)
			*since_ns = t->now_ns;
	}
}

uint64_t
totem_reach_since(const struct totem *t, uint64_t nodes)
{
	uint64_t since_ns = 0;

	for (uint32_t a = 0; a < t->table.count; a++)
		for (uint32_t b = a + 1; b < t->table.count; b++)
			if ((nodes >> a & 1) && (nodes >> b & 1))
				since_ns = num_max(since_ns, t->edge_ns[a][b]);
	return since_ns;
}
