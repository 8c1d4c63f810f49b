/* SPDX-License-Identifier: BSD-3-Clause */
/* What a command under the lock finds in its environment. */
#ifndef RK_RINGLOCK_ENV_H
#define RK_RINGLOCK_ENV_H

#include "bin/ringlock/lock.h"

/*
 * Ours, and RINGKIT_LOCK_NAME, _TOKEN, _SLOT, _TTL and _VIEW, of which none
 * that we were given is left.  Allocated; NULL without memory.
 */
char **ringlock_env_make(
    const struct lock_config *cfg, const struct lock_effect *held);

#endif
