/* SPDX-License-Identifier: BSD-3-Clause */
/* The simulator's agenda: events in the order of their time. */
#ifndef RK_SIM_HEAP_H
#define RK_SIM_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* tie decides between events of one time; it comes from the run's rng. */
struct sim_event {
	uint64_t time_ns;
	uint32_t tie;
	uint16_t kind;
	uint16_t node; /* index, not id */
	uint64_t a, b;
};

/* Zeroed is empty; memory grows as needed and is kept by clear. */
struct sim_heap {
	struct sim_event *slot;
	size_t count, size;
};

void sim_heap_clear(struct sim_heap *heap);
void sim_heap_fini(struct sim_heap *heap);
void sim_heap_push(struct sim_heap *heap, const struct sim_event *event);

/* Takes the earliest event; false when there is none. */
bool sim_heap_pop(struct sim_heap *heap, struct sim_event *out);

#endif
