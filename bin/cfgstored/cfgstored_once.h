/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests that are done once, however often they are asked for.
 *
 * A client is named by a lease of its own and numbers what it asks for.  The
 * number of the last that was done is the value of a key that dies with the
 * lease, and is written by the command itself: so every node knows it, and
 * the same command is refused the second time, wherever it comes from.
 */
#ifndef RK_CFGSTORED_ONCE_H
#define RK_CFGSTORED_ONCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

#include "bin/cfgstored/kv_command.h"

struct kv;
struct kv_version;

enum { CFGSTORED_ONCE_BYTES = 48 };

struct cfgstored_once {
	uint64_t client; /* a lease; 0: it is no such request */
	uint64_t number; /* rises; not 0 */
	uint32_t uid;    /* whose client it is */
	/* Filled in by look. */
	uint64_t rev;
	size_t key_len, value_len;
	uint8_t key[CFGSTORED_ONCE_BYTES];
	uint8_t value[CFGSTORED_ONCE_BYTES];
};

enum cfgstored_once_found {
	CFGSTORED_ONCE_GOES,    /* new, or the last: the store will tell */
	CFGSTORED_ONCE_OLD,     /* a later one was done */
	CFGSTORED_ONCE_FOREIGN, /* another user's client */
};

/* By the state as it is here, which may be behind. */
RK_MUST_CHECK enum cfgstored_once_found cfgstored_once_look(
    const struct kv *kv, struct cfgstored_once *once);

/*
 * What its command has beside its own, of a looked-at one: the condition
 * stands first, the change last.  The bytes are once's.
 */
void cfgstored_once_parts(const struct cfgstored_once *once,
    struct kv_part *condition, struct kv_part *change);

/* The condition failed and the key has rev: because this was done then? */
bool cfgstored_once_is_done(
    const struct kv *kv, const struct cfgstored_once *once, uint64_t rev);

/* Keys that were changed under rev, but this one; false: forgotten. */
bool cfgstored_once_count(const struct kv *kv, uint64_t rev, size_t *count);

/* The key of this user's client. */
bool cfgstored_once_is_own(
    const struct kv *kv, const struct kv_version *version, uint32_t uid);

#endif
