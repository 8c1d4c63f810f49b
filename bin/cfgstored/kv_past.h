/* SPDX-License-Identifier: BSD-3-Clause */
/* The state as it was at an earlier revision, as far as history goes.
 *
 * rev is at least kv_past_from, and at most kv_rev.
 */
#ifndef RK_KV_PAST_H
#define RK_KV_PAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bin/cfgstored/kv.h"

enum { KV_PAST_PAGE_MAX = 256 };

/* The version that was current then; NULL: there was no such key. */
const struct kv_version *kv_past_get(
    const struct kv *kv, const void *key, size_t key_len, uint64_t rev);

/* Which keys: those that begin so, come after one, and are wanted. */
struct kv_past_query {
	uint64_t rev;
	const uint8_t *prefix;
	size_t prefix_len;
	const uint8_t *after; /* NULL: from the first */
	size_t after_len;
	bool (*is_wanted)(
	    void *arg, const struct kv *kv, const struct kv_version *version);
	void *arg;
};

/* The first of them by key, at most max (KV_PAST_PAGE_MAX): how many. */
size_t kv_past_page(const struct kv *kv, const struct kv_past_query *query,
    const struct kv_version **out, size_t max);

/* As memcmp of the keys of two versions. */
int kv_past_compare(const struct kv *kv, const struct kv_version *a,
    const struct kv_version *b);

#endif
