/* SPDX-License-Identifier: BSD-3-Clause */
/* When the work cannot be ended: the machine has to end. */
#ifndef RK_RINGLOCK_STUCK_H
#define RK_RINGLOCK_STUCK_H

#include <stdint.h>

#include "libcommon/base/attr.h"

/*
 * Opens the watchdog device and has it reset the machine at until_ns, by
 * clock_boot_ns, unless it is fed or disarmed: 0 or -E….  A file that is no
 * device is written to, which is a rehearsal.
 */
RK_MUST_CHECK int ringlock_stuck_arm(
    int *fd, const char *path, uint64_t until_ns);

/* Not before until_ns, then.  -1: there is none. */
void ringlock_stuck_feed(int fd, uint64_t until_ns);

/* All is well.  -1: there is none, or it is to bite. */
void ringlock_stuck_disarm(int *fd);

/* At once, without a farewell to anything.  Returns when it may not. */
void ringlock_stuck_reboot(void);

#endif
