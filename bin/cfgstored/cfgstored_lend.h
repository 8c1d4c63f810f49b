/* SPDX-License-Identifier: BSD-3-Clause */
/* The state as it was at one moment, in chunks, for another node.
 *
 * A forked child has it, frozen, and writes chunks to a socket: whoever reads
 * them slowly holds up nobody, and the state goes on.
 */
#ifndef RK_CFGSTORED_LEND_H
#define RK_CFGSTORED_LEND_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

#include "libcommon/base/attr.h"

struct kv;

struct cfgstored_lend {
	int fd; /* for the loop: readable when there is a chunk; -1: none */
	pid_t child;
};

void cfgstored_lend_init(struct cfgstored_lend *lend);

/* Freezes the state, in place of the last one: 0 or -E…. */
RK_MUST_CHECK int cfgstored_lend_begin(
    struct cfgstored_lend *lend, const struct kv *kv);

/*
 * The next chunk, whole frames: its length, 0 behind the last, -EAGAIN when
 * it is not there yet, or another -E….
 */
RK_MUST_CHECK ssize_t cfgstored_lend_read(
    struct cfgstored_lend *lend, void *bytes, size_t size);

void cfgstored_lend_end(struct cfgstored_lend *lend);

#endif
