/* SPDX-License-Identifier: BSD-3-Clause */
/* Which counters of a session were taken: a sliding window (RFC 6479). */
#ifndef RK_SESSION_WINDOW_H
#define RK_SESSION_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "bin/ringd/session.h"

/* One block more than the window, so that it slides by whole blocks. */
enum { SESSION_WINDOW_BLOCKS = SESSION_WINDOW_BITS / 64 + 1 };

/*
 * Bit c % 64 of block c / 64 % BLOCKS says that counter c was taken, for the
 * SESSION_WINDOW_BITS counters up to highest; older ones count as taken.
 */
struct session_window {
	uint64_t highest;
	uint64_t block[SESSION_WINDOW_BLOCKS];
};

/* Everything up to and including counter counts as taken. */
void session_window_init(struct session_window *window, uint64_t counter);

bool session_window_is_fresh(
    const struct session_window *window, uint64_t counter);

/* counter must be fresh (ENSURE). */
void session_window_take(struct session_window *window, uint64_t counter);

#endif
