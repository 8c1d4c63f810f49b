/* SPDX-License-Identifier: BSD-3-Clause */
/* Datagrams that no ring should believe, made from those that it did. */
#ifndef RK_HOSTILE_MAKE_H
#define RK_HOSTILE_MAKE_H

#include <stddef.h>
#include <stdint.h>

struct rng;

enum { HOSTILE_BYTES = 65000, HOSTILE_KEPT = 512 };

/* What was heard on one way from one node to another. */
struct hostile_heard {
	uint32_t count; /* kept */
	uint64_t total;
	struct hostile_datagram {
		uint32_t len;
		uint8_t *bytes;
	} kept[HOSTILE_KEPT];
};

/* A fair sample of all that was heard is kept. */
void hostile_hear(struct hostile_heard *heard, struct rng *rng,
    const uint8_t *bytes, size_t len);

/*
 * Writes one to out, which has HOSTILE_BYTES, and answers its length: noise,
 * noise behind a fitting header, or something heard: as it was, damaged in
 * one place or many, cut, lengthened, or with the head of another.
 */
size_t hostile_make(
    const struct hostile_heard *heard, struct rng *rng, uint8_t *out);

#endif
