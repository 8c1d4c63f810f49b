/* SPDX-License-Identifier: BSD-3-Clause */
/* What quorumd remembers: over its own restart, and for good.
 *
 * The first is a file of the run directory, worth something only in the same
 * boot and to the same incarnation of ringd: it is written at once, and never
 * synced.  The others, one number and what it counts by, are in the state
 * directory, each made durable by a process of its own.
 */
#ifndef RK_QUORUMD_STATE_H
#define RK_QUORUMD_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/durable.h"

struct text;

enum {
	QUORUMD_STATE_KEPT_BYTES = 8192,
	QUORUMD_STATE_RECORD_BYTES = 8192,
	QUORUMD_STATE_BOOT_BYTES = 40, /* with the NUL */
};

struct quorumd_state_record {
	uint64_t no; /* the core's; 0: nobody waits for it */
	size_t len;  /* 0: there is none */
	char bytes[QUORUMD_STATE_RECORD_BYTES];
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
	struct durable record;
	/* What is durable, what is being written, what comes after that. */
	struct quorumd_state_record recorded, writing, waiting;
	uint64_t kept_total, tracked_total, recorded_total;
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

/*
 * Opens STATEDIR/quorumd.record, reads it into recorded (len 0: there is none)
 * and starts its writer: 0 or -E… with why.
 */
RK_MUST_CHECK int quorumd_state_open_record(
    struct quorumd_state *state, const char *statedir, struct text *why);

/* Writes the first record, here and now: 0 or -E…. */
RK_MUST_CHECK int quorumd_state_begin_record(
    struct quorumd_state *state, const char *bytes, size_t len);

/* Asks for it to be made durable, and not for what waits: 0 or -E…. */
RK_MUST_CHECK int quorumd_state_record(
    struct quorumd_state *state, uint64_t no, const void *bytes, size_t len);

/*
 * The writer has something to say: 1, and the number of what is durable now
 * (0: nobody waits for it); 0: nothing yet; or -E….
 */
RK_MUST_CHECK int quorumd_state_recorded(
    struct quorumd_state *state, uint64_t *no);

/*
 * The newest record, for a core that begins; is it durable?  If not its number
 * is 2 from here on, and nobody waits for another.
 */
const struct quorumd_state_record *quorumd_state_newest(
    struct quorumd_state *state, bool *is_durable);

void quorumd_state_close(struct quorumd_state *state);

#endif
