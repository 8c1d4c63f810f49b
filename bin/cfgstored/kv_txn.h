/* SPDX-License-Identifier: BSD-3-Clause */
/* A transaction as text: lines, framed as requests are, and their bytes.
 *
 *	if key=K rev=N | absent=yes | exists=yes | len=N
 *	put key=K [lease=L|new] len=N
 *	del key=K | prefix=P
 *	grant ttl=DUR
 *
 * Conditions stand before changes; behind len=N there are N bytes and an LF.
 */
#ifndef RK_KV_TXN_H
#define RK_KV_TXN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/base/limits.h"

#include "bin/cfgstored/kv_command.h"

#define KV_TXN_TTL_NS_MIN UINT64_C(100000000)
#define KV_TXN_TTL_NS_MAX UINT64_C(31536000000000000)

struct kv_txn {
	const char *bytes; /* borrowed */
	size_t len, at;
	unsigned line; /* of what next gave last; from 1 */
	bool has_change;
	const char *mistake; /* after KV_TXN_MISTAKE: for a person */
	char text[LIMIT_REQUEST_BYTES];
};

void kv_txn_init(struct kv_txn *txn, const char *bytes, size_t len);

enum kv_txn_result { KV_TXN_END, KV_TXN_PART, KV_TXN_MISTAKE };

/* The next part; its key is borrowed until the next call. */
RK_MUST_CHECK enum kv_txn_result kv_txn_next(
    struct kv_txn *txn, struct kv_part *out);

/* 100ms to a year. */
RK_MUST_CHECK bool kv_txn_get_ttl(
    const char *bytes, size_t len, uint64_t *ttl_ns);

#endif
