/* SPDX-License-Identifier: BSD-3-Clause */
/* Where locks are in the store, and writing only as long as one is held. */
#ifndef RK_CFGSTORE_LOCK_H
#define RK_CFGSTORE_LOCK_H

#include <stdbool.h>
#include <stddef.h>

#include "libcommon/base/attr.h"

struct cfgstore_bytes;
struct cfgstore_link;
struct cfgstore_write;

/* NAME:TOKEN, or "" for RINGKIT_LOCK_NAME and _TOKEN of the environment. */
RK_MUST_CHECK bool cfgstore_lock_is_valid(const char *lock);

/* lock/NAME/slot/, before the number of the slot. */
void cfgstore_lock_put_slots(
    struct cfgstore_bytes *prefix, const char *name, size_t name_len);

/*
 * The condition that the lock is held with that token.  Ends the program with
 * 1 when no slot of it is.
 */
void cfgstore_lock_put(
    struct cfgstore_write *write, struct cfgstore_link *link, const char *lock);

#endif
