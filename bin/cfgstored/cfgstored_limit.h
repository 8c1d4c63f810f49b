/* SPDX-License-Identifier: BSD-3-Clause */
/* What the store may hold, told to who wants more. */
#ifndef RK_CFGSTORED_LIMIT_H
#define RK_CFGSTORED_LIMIT_H

#include <stdint.h>

#include "bin/cfgstored/kv.h"

struct text;

enum { CFGSTORED_LIMIT_BYTES = 160 };

/*
 * "17 keys, over the limit of 16 that [store] keys_max sets", from the limit
 * that is in force and what this node has room for.
 */
void cfgstored_limit_put(enum kv_limit limit, uint64_t wanted,
    const struct kv_limits *now, const struct kv_limits *room,
    struct text *out);

/* The first of what is wanted that there is no room for, or NONE. */
enum kv_limit cfgstored_limit_beyond(
    const struct kv_limits *wanted, const struct kv_limits *room);

/* Those in force; without a state (NULL) what there is room for. */
void cfgstored_limit_now(
    const struct kv *kv, const struct kv_limits *room, struct kv_limits *out);

/* How much that limit is. */
uint64_t cfgstored_limit_of(
    const struct kv_limits *limits, enum kv_limit limit);

#endif
