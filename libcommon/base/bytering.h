/* SPDX-License-Identifier: BSD-3-Clause */
/* A queue of bytes in fixed memory: what a client has not read yet. */
#ifndef RK_BYTERING_H
#define RK_BYTERING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytering {
	uint8_t *bytes; /* borrowed */
	size_t size;
	size_t start; /* of the oldest byte */
	size_t len;
};

struct bytering_span {
	const uint8_t *bytes;
	size_t len;
};

/* size is at least 1. */
void bytering_init(struct bytering *ring, void *bytes, size_t size);

size_t bytering_room(const struct bytering *ring);

/* All of it or, when it does not fit, nothing and false. */
bool bytering_put(struct bytering *ring, const void *bytes, size_t len);

/*
 * The bytes in order, as at most two spans; borrowed until the next put or
 * drop.  Answers how many spans are not empty.
 */
int bytering_peek(const struct bytering *ring, struct bytering_span span[2]);

/* Forgets the oldest bytes; there must be that many. */
void bytering_drop(struct bytering *ring, size_t len);

#endif
