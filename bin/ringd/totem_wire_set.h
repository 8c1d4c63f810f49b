/* SPDX-License-Identifier: BSD-3-Clause */
/* Rings and sets of nodes on the wire; shared by the totem_wire files. */
#ifndef RK_TOTEM_WIRE_SET_H
#define RK_TOTEM_WIRE_SET_H

#include <stdbool.h>
#include <stdint.h>

struct rdbuf;
struct totem_nodes;
struct totem_ring_id;
struct wrbuf;

/* How many nodes a set holds. */
static inline uint32_t
totem_wire_count(uint64_t set)
{
	return (uint32_t)__builtin_popcountll(set);
}

void totem_wire_put_ring(struct wrbuf *wr, const struct totem_ring_id *ring);
void totem_wire_get_ring(struct rdbuf *rd, struct totem_ring_id *out);

/* A count and that many ascending ids; unknown ids are refused. */
void totem_wire_put_ids(
    struct wrbuf *wr, const struct totem_nodes *table, uint64_t set);
bool totem_wire_get_ids(
    struct rdbuf *rd, const struct totem_nodes *table, uint64_t *out);

#endif
