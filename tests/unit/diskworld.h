/* SPDX-License-Identifier: BSD-3-Clause */
/* All that is done to the store's folder, and what a power loss leaves of it.
 *
 * As a hook it keeps every call of every process, in order.  Later it plays
 * them up to some point and lays out what a disk may then hold: of what was
 * not fsynced any 512 bytes of any write, and any of the names that changed.
 */
#ifndef RK_DISKWORLD_H
#define RK_DISKWORLD_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/rng.h"

#include "bin/cfgstored/cfgstored_file.h"

struct diskworld;

/* In shared memory, before any process of the disk; arg for the hook. */
struct diskworld *diskworld_create(void);
int diskworld_hook(void *arg, const struct cfgstored_file_act *act);

/* Forgets what was kept. */
void diskworld_clear(struct diskworld *world);

/* How many calls there are. */
size_t diskworld_count(const struct diskworld *world);

/* All calls of this process up to now have come back. */
void diskworld_returned(struct diskworld *world, pid_t pid);

enum diskworld_loss {
	DISKWORLD_KEEP_ALL,  /* a kill -9: the machine lives on */
	DISKWORLD_KEEP_NONE, /* but for what was fsynced */
	DISKWORLD_KEEP_SOME,
};
/* Empties dir_fd and lays out what is left behind the first count calls. */
void diskworld_lay_out(const struct diskworld *world, size_t count,
    enum diskworld_loss loss, struct rng *rng, int dir_fd);

/* ---- faults ------------------------------------------------------------ */

/*
 * From now on the call-th call (from 1) of those in calls (bits) fails with
 * error, and with is_for_good all of them behind it; error 0: the process
 * group is killed instead.
 */
void diskworld_fail(struct diskworld *world, unsigned calls, size_t call,
    int error, bool is_for_good);
/* Calls that failed since then. */
size_t diskworld_failed(const struct diskworld *world);

#endif
