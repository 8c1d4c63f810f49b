/* SPDX-License-Identifier: BSD-3-Clause */
/* What quorumd remembers: over its own restart, and for good.
 *
 * The first is a file of the run directory, worth something only in the same
 * boot and to the same incarnation of ringd: it is written at once, and never
 * synced.  The second is one number in the state directory, made durable by a
 * process of its own.
 */
#ifndef RK_QUORUMD_STATE_H
#define RK_QUORUMD_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/durable.h"

struct text;

enum {
	QUORUMD_STATE_KEPT_BYTES = 8192,
	QUORUMD_STATE_BOOT_BYTES = 40, /* with the NUL */
};

struct quorumd_state {
	int fd; /* of the file in the run directory */
	char boot[QUORUMD_STATE_BOOT_BYTES];
	uint64_t generation; /* of what was kept last */
	uint64_t inc;        /* the incarnation it is worth something to */
	size_t kept_len;     /* 0: nothing */
	uint8_t kept[QUORUMD_STATE_KEPT_BYTES];
	struct durable track;
	uint32_t tracked; /* 0: never */
	uint64_t kept_total, tracked_total;
};

/* Opens RUNDIR/quorumd.state, before privileges go: 0 or -E… with why. */
RK_MUST_CHECK int quorumd_state_open(
    struct quorumd_state *state, const char *rundir, struct text *why);

/* Opens STATEDIR/quorumd.track, and starts its writer: 0 or -E… with why. */
RK_MUST_CHECK int quorumd_state_open_track(
    struct quorumd_state *state, const char *statedir, struct text *why);

/*
 * What was kept for this incarnation of ringd: its length, 0 when there is
 * nothing.  Borrowed until the next call.
 */
size_t quorumd_state_kept(
    const struct quorumd_state *state, uint64_t inc, const void **bytes);

/* Keeps bytes for that incarnation; they are written now: 0 or -E…. */
RK_MUST_CHECK int quorumd_state_keep(
    struct quorumd_state *state, uint64_t inc, const void *bytes, size_t len);

/* Asks for the number to be made durable: 0 or -E…. */
RK_MUST_CHECK int quorumd_state_track(
    struct quorumd_state *state, uint32_t number);

void quorumd_state_close(struct quorumd_state *state);

#endif
