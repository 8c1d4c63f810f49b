/* SPDX-License-Identifier: BSD-3-Clause */
/* RUNDIR/PROGRAM.pid: which process a daemon is. */
#ifndef RK_RINGKIT_PIDFILE_H
#define RK_RINGKIT_PIDFILE_H

#include <sys/types.h>

#include "libcommon/base/attr.h"

/* 0 or -E…. */
RK_MUST_CHECK int ringkit_pidfile_write(
    const char *rundir, const char *program, pid_t pid);

/*
 * The process that is named there and still runs, as a pidfd; -ENOENT: none
 * does.  Never another process with a used number.
 */
RK_MUST_CHECK int ringkit_pidfile_open(const char *rundir, const char *program);

#endif
