/* SPDX-License-Identifier: BSD-3-Clause */
/* What a holder tells: records, and a service manager. */
#ifndef RK_RINGLOCK_SAY_H
#define RK_RINGLOCK_SAY_H

#include "bin/ringlock/ringlock.h"

struct out;

/*
 * The record "held" or "lost", unless there is a command; 0, or -E… when
 * nobody can read it.
 */
int ringlock_say_event(struct out *out, const struct ringlock_options *options,
    const char *event, const struct lock_effect *effect);

/* READY=1, and what is held. */
void ringlock_say_ready(const char *name, const struct lock_effect *effect);

/* STOPPING=1; in a process once. */
void ringlock_say_stopping(void);

#endif
