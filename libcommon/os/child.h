/* SPDX-License-Identifier: BSD-3-Clause */
/* Processes by descriptor: a number may be another's by now, this may not. */
#ifndef RK_CHILD_H
#define RK_CHILD_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

/* A descriptor of the process, close-on-exec; -ENOENT: there is none. */
RK_MUST_CHECK int child_open(pid_t pid);

/* 0, also if it is gone already; -errno, as EPERM: it is another user's. */
int child_signal(int pidfd, int signo);

/* It has ended by deadline_ns, whether or not anybody has reaped it. */
bool child_ends_by(int pidfd, uint64_t deadline_ns);

#endif
