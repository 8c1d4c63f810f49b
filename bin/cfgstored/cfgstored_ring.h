/* SPDX-License-Identifier: BSD-3-Clause */
/* A queue of bytes between two processes, in memory that both have.
 *
 * One puts, one takes.  The bytes are mapped twice in a row, so that what is
 * waiting is always one piece.
 */
#ifndef RK_CFGSTORED_RING_H
#define RK_CFGSTORED_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

struct cfgstored_ring_marks;

struct cfgstored_ring {
	struct cfgstored_ring_marks *marks; /* shared */
	uint8_t *bytes;                     /* shared */
	size_t size;                        /* a multiple of a page */
	uint64_t put;                       /* by the putter, unpublished */
};

/* Before the fork.  0 or -E…; then there is nothing to close. */
RK_MUST_CHECK int cfgstored_ring_open(struct cfgstored_ring *ring, size_t size);
void cfgstored_ring_close(struct cfgstored_ring *ring);

/* The putter. */
size_t cfgstored_ring_room(const struct cfgstored_ring *ring);
/* There must be room. */
void cfgstored_ring_put(
    struct cfgstored_ring *ring, const void *bytes, size_t len);
/* All that was put can be taken now: whether the taker has to be woken. */
bool cfgstored_ring_publish(struct cfgstored_ring *ring);

/* The taker: all that waits, borrowed until it is dropped. */
size_t cfgstored_ring_peek(
    const struct cfgstored_ring *ring, const uint8_t **bytes);
void cfgstored_ring_drop(struct cfgstored_ring *ring, size_t len);
/* Before it waits; true: there is nothing, and it will be woken. */
bool cfgstored_ring_sleep(struct cfgstored_ring *ring);
void cfgstored_ring_wake(struct cfgstored_ring *ring);

#endif
