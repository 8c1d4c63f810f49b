/* SPDX-License-Identifier: BSD-3-Clause */
/* The last records of a log, in memory: indexes without holes. */
#ifndef RK_REPLICA_WINDOW_H
#define RK_REPLICA_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bin/cfgstored/kv_rules.h"

struct arena;

enum { REPLICA_WINDOW_RECORDS = 1 << 16 };

struct replica_record {
	struct kv_tip tip;
	uint64_t sum; /* bytes of all records up to this one, of this log */
	uint32_t len;
	const uint8_t *bytes; /* borrowed until the window changes */
};

/* Records lie in a ring, each in one piece. */
struct replica_window {
	uint8_t *ring;
	size_t size;
	size_t head; /* where the next one goes */
	struct replica_place {
		size_t at;
		struct kv_tip tip;
		uint64_t sum;
		uint32_t len;
	} * place;            /* by index */
	struct kv_tip before; /* of the record before the first */
	uint64_t before_sum;
	uint64_t first; /* index; before.index + 1 */
	uint64_t end;   /* index behind the last */
};

void replica_window_create(
    struct replica_window *w, struct arena *arena, size_t size);

/* Empty, behind this record. */
void replica_window_clear(
    struct replica_window *w, const struct kv_tip *before);

/*
 * Takes the next record; those with an index up to may_go make room.  false:
 * there is none.
 */
bool replica_window_push(struct replica_window *w, const struct kv_tip *tip,
    const void *bytes, size_t len, uint64_t may_go);

/* Forgets all behind index, which is not below that of before. */
void replica_window_cut(struct replica_window *w, uint64_t index);

/* false: it is not in the window. */
bool replica_window_get(
    const struct replica_window *w, uint64_t index, struct replica_record *out);

/* The epoch of the record at index is known, and is this one. */
bool replica_window_has(
    const struct replica_window *w, const struct kv_tip *tip);

/* The last record's; of an empty one: before. */
struct kv_tip replica_window_tip(const struct replica_window *w);

/* Bytes of records behind index. */
uint64_t replica_window_behind(const struct replica_window *w, uint64_t index);

#endif
