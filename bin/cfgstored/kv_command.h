/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands to the store as bytes: conditions, then changes, all or none. */
#ifndef RK_KV_COMMAND_H
#define RK_KV_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/base/rdbuf.h"
#include "libcommon/base/wrbuf.h"

enum {
	KV_KEY_BYTES_MAX = 512, /* at least 1; any bytes */
	KV_VALUE_BYTES_MAX = 1 << 20,
	KV_PARTS_MAX = 1024, /* conditions, and changes */
	KV_COMMAND_BYTES_MAX = KV_VALUE_BYTES_MAX + (256 << 10),
};

enum kv_part_kind {
	/* Conditions. */
	KV_IF_REV = 1, /* the key's revision is number; 0: there is no key */
	KV_IF_VALUE,   /* the key is there and its value is this */
	KV_IF_EXISTS,
	/* Changes. */
	KV_PUT,        /* lease: 0, or the one that the key dies with */
	KV_DEL,        /* nothing if there is no key */
	KV_DEL_PREFIX, /* all keys that begin so; the only change */
	/* A lease, to this user; at most one.  number: its ttl_ns */
	KV_GRANT,
	KV_RENEW,
	KV_RELEASE, /* deletes the lease and its keys */
	KV_EXPIRE,  /* the same, if it was renewed number times */
	KV_LIMITS,  /* at least one of each */
	KV_PART_KINDS
};

/* As the lease of PUT: the one of this command's GRANT, which stands before. */
#define KV_LEASE_GRANTED UINT64_MAX

struct kv_limits {
	uint64_t keys;
	uint64_t bytes; /* of keys and values together */
	uint64_t value_bytes;
	uint64_t leases;
};

/* What of it counts depends on the kind; bytes are borrowed. */
struct kv_part {
	enum kv_part_kind kind;
	const uint8_t *key;
	size_t key_len;
	const uint8_t *value;
	size_t value_len;
	uint64_t lease;
	uint64_t number;
	uint64_t uid;
	struct kv_limits limits;
};

/* Bytes that kv_command_open found to be a command; borrowed. */
struct kv_command {
	struct rdbuf conditions; /* copies of these are read, part by part */
	struct rdbuf changes;
	size_t condition_count;
	size_t change_count;
};

enum kv_command_error {
	KV_COMMAND_E_SYNTAX = 1,
	KV_COMMAND_E_LIMIT, /* too long, too many, or empty where it must not */
	KV_COMMAND_E_TWICE, /* a key is changed twice, or a kind not alone */
	KV_COMMAND_E_VERSION, /* another version of this program wrote it */
};
RK_MUST_CHECK int kv_command_open(
    struct kv_command *command, const void *bytes, size_t len);
/* All of E_VERSION, at no cost. */
bool kv_command_is_foreign(const void *bytes, size_t len);

/* The next part of what was opened; count of them times. */
void kv_command_next(struct rdbuf *parts, struct kv_part *out);

/*
 * Writes the beginning; then exactly so many conditions, then exactly so many
 * changes have to be added.
 */
void kv_command_begin(
    struct wrbuf *wr, size_t condition_count, size_t change_count);
void kv_command_add(struct wrbuf *wr, const struct kv_part *part);

#endif
