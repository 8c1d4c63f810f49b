/* SPDX-License-Identifier: BSD-3-Clause */
/* A daemon's process, from its plan. */
#ifndef RK_RINGKIT_SPAWN_H
#define RK_RINGKIT_SPAWN_H

#include <sys/types.h>

struct ringkit_plan;

/*
 * Runs the program at path in a session of its own, with nothing open but its
 * log and ready_fd.  Its pid, or -1 and errno.
 */
pid_t ringkit_spawn(
    const struct ringkit_plan *plan, const char *path, int ready_fd);

#endif
