/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * {version 2, conditions, changes} and the parts; each {kind 1, fields}.
 * Numbers are base 128, bytes have a length before them.  How many conditions
 * there are does not say where the changes begin: that is found in reading.
 */
#include "bin/cfgstored/kv_command.h"

#include <stdbool.h>
#include <string.h>

#include "libcommon/base/crc32c.h"
#include "libcommon/base/ensure.h"

enum { VERSION = 2 };

/* Which fields a part of this kind has, in this order. */
enum {
	HAS_KEY = 1,
	HAS_VALUE = 2,
	HAS_LEASE = 4,
	HAS_NUMBER = 8,
	HAS_LIMITS = 16,
	HAS_UID = 32,
};

static const uint8_t fields[KV_PART_KINDS] = {
	[KV_IF_REV] = HAS_KEY | HAS_NUMBER,
	[KV_IF_VALUE] = HAS_KEY | HAS_VALUE,
	[KV_IF_EXISTS] = HAS_KEY,
	[KV_PUT] = HAS_KEY | HAS_VALUE | HAS_LEASE,
	[KV_DEL] = HAS_KEY,
	[KV_DEL_PREFIX] = HAS_KEY,
	[KV_GRANT] = HAS_NUMBER | HAS_UID,
	[KV_RENEW] = HAS_LEASE,
	[KV_RELEASE] = HAS_LEASE,
	[KV_EXPIRE] = HAS_LEASE | HAS_NUMBER,
	[KV_LIMITS] = HAS_LIMITS,
};

static const uint8_t *
read_bytes(struct rdbuf *rd, size_t *len)
{
	uint64_t want = rdbuf_varint(rd);

	*len = want > rdbuf_left(rd) ? rdbuf_left(rd) + 1 : (size_t)want;
	return rdbuf_bytes(rd, *len);
}

static void
read_limits(struct rdbuf *rd, struct kv_limits *out)
{
	out->keys = rdbuf_varint(rd);
	out->bytes = rdbuf_varint(rd);
	out->value_bytes = rdbuf_varint(rd);
	out->leases = rdbuf_varint(rd);
}

/* A kind that there is not reads as short. */
static void
read_part(struct rdbuf *rd, struct kv_part *out)
{
	uint8_t kind = rdbuf_u8(rd);

	memset(out, 0, sizeof *out);
	if (kind == 0 || kind >= KV_PART_KINDS) {
		rd->is_short = true;
		return;
	}
	out->kind = (enum kv_part_kind)kind;
	if (fields[kind] & HAS_KEY)
		out->key = read_bytes(rd, &out->key_len);
	if (fields[kind] & HAS_VALUE)
		out->value = read_bytes(rd, &out->value_len);
	if (fields[kind] & HAS_LEASE)
		out->lease = rdbuf_varint(rd);
	if (fields[kind] & HAS_NUMBER)
		out->number = rdbuf_varint(rd);
	if (fields[kind] & HAS_UID)
		out->uid = rdbuf_varint(rd);
	if (fields[kind] & HAS_LIMITS)
		read_limits(rd, &out->limits);
}

static bool
is_change(enum kv_part_kind kind)
{
	return kind >= KV_PUT;
}

static bool
is_within_limits(const struct kv_part *part)
{
	const struct kv_limits *limits = &part->limits;
	uint8_t has = fields[part->kind];

	if ((has & HAS_KEY) &&
	    (part->key_len == 0 || part->key_len > KV_KEY_BYTES_MAX))
		return false;
	if ((has & HAS_LIMITS) &&
	    (!limits->keys || !limits->bytes || !limits->value_bytes ||
		!limits->leases || limits->value_bytes > KV_VALUE_BYTES_MAX))
		return false;
	if (part->kind == KV_GRANT &&
	    (part->number == 0 || part->uid > UINT32_MAX))
		return false;
	return part->value_len <= KV_VALUE_BYTES_MAX;
}

/* What changes may stand together; the keys seen so far, by their sums. */
struct together {
	size_t count;
	uint32_t sum[KV_PARTS_MAX];
	const uint8_t *key[KV_PARTS_MAX];
	size_t key_len[KV_PARTS_MAX];
	size_t loner_count; /* of each there is one, and no other change */
	size_t lease_count; /* at most one change of a lease */
	bool has_grant;
};

static bool
is_new_key(struct together *t, const struct kv_part *part)
{
	uint32_t sum = crc32c_more(0, part->key, part->key_len);

	for (size_t i = 0; i < t->count; i++)
		if (t->sum[i] == sum && t->key_len[i] == part->key_len &&
		    memcmp(t->key[i], part->key, part->key_len) == 0)
			return false;
	t->sum[t->count] = sum;
	t->key[t->count] = part->key;
	t->key_len[t->count++] = part->key_len;
	return true;
}

static bool
fits_together(struct together *t, const struct kv_part *part)
{
	switch (part->kind) {
	case KV_PUT:
		if (part->lease == KV_LEASE_GRANTED && !t->has_grant)
			return false;
		return is_new_key(t, part);
	case KV_DEL:
		return is_new_key(t, part);
	case KV_GRANT:
		t->has_grant = true;
		return t->lease_count++ == 0;
	case KV_RENEW:
		return t->lease_count++ == 0;
	case KV_DEL_PREFIX:
	case KV_RELEASE:
	case KV_EXPIRE:
	case KV_LIMITS:
		t->loner_count++;
		return true;
	case KV_IF_REV:
	case KV_IF_VALUE:
	case KV_IF_EXISTS:
	case KV_PART_KINDS:
		break;
	}
	return true;
}

static int
read_all(
    struct rdbuf *rd, size_t count, bool wants_change, struct together *seen)
{
	for (size_t i = 0; i < count; i++) {
		struct kv_part part;

		read_part(rd, &part);
		if (rd->is_short || is_change(part.kind) != wants_change)
			return KV_COMMAND_E_SYNTAX;
		if (!is_within_limits(&part))
			return KV_COMMAND_E_LIMIT;
		if (!fits_together(seen, &part))
			return KV_COMMAND_E_TWICE;
	}
	if (seen->loner_count > 0 && count != 1)
		return KV_COMMAND_E_TWICE;
	return 0;
}

bool
kv_command_is_foreign(const void *bytes, size_t len)
{
	const uint8_t *version = bytes;

	return len > 0 && *version != VERSION;
}

int
kv_command_open(struct kv_command *command, const void *bytes, size_t len)
{
	struct together seen;
	struct rdbuf rd;
	uint64_t conditions, changes;
	int error;

	if (len > KV_COMMAND_BYTES_MAX)
		return KV_COMMAND_E_LIMIT;
	seen.count = seen.loner_count = seen.lease_count = 0;
	seen.has_grant = false;
	if (kv_command_is_foreign(bytes, len))
		return KV_COMMAND_E_VERSION;
	rdbuf_init(&rd, bytes, len);
	(void)rdbuf_u8(&rd);
	conditions = rdbuf_varint(&rd);
	changes = rdbuf_varint(&rd);
	if (rd.is_short)
		return KV_COMMAND_E_SYNTAX;
	if (conditions > KV_PARTS_MAX || changes > KV_PARTS_MAX)
		return KV_COMMAND_E_LIMIT;
	command->condition_count = (size_t)conditions;
	command->change_count = (size_t)changes;
	command->conditions = rd;
	error = read_all(&rd, command->condition_count, false, &seen);
	command->changes = rd;
	if (error == 0)
		error = read_all(&rd, command->change_count, true, &seen);
	if (error == 0 && !rdbuf_is_done(&rd))
		error = KV_COMMAND_E_SYNTAX;
	return error;
}

void
kv_command_next(struct rdbuf *parts, struct kv_part *out)
{
	read_part(parts, out);
	ENSURE(!parts->is_short);
}

void
kv_command_begin(struct wrbuf *wr, size_t condition_count, size_t change_count)
{
	wrbuf_u8(wr, VERSION);
	wrbuf_varint(wr, condition_count);
	wrbuf_varint(wr, change_count);
}

static void
write_bytes(struct wrbuf *wr, const void *bytes, size_t len)
{
	wrbuf_varint(wr, len);
	wrbuf_bytes(wr, bytes, len);
}

void
kv_command_add(struct wrbuf *wr, const struct kv_part *part)
{
	uint8_t has;

	ENSURE(part->kind > 0 && part->kind < KV_PART_KINDS);
	has = fields[part->kind];
	wrbuf_u8(wr, (uint8_t)part->kind);
	if (has & HAS_KEY)
		write_bytes(wr, part->key, part->key_len);
	if (has & HAS_VALUE)
		write_bytes(wr, part->value, part->value_len);
	if (has & HAS_LEASE)
		wrbuf_varint(wr, part->lease);
	if (has & HAS_NUMBER)
		wrbuf_varint(wr, part->number);
	if (has & HAS_UID)
		wrbuf_varint(wr, part->uid);
	if (!(has & HAS_LIMITS))
		return;
	wrbuf_varint(wr, part->limits.keys);
	wrbuf_varint(wr, part->limits.bytes);
	wrbuf_varint(wr, part->limits.value_bytes);
	wrbuf_varint(wr, part->limits.leases);
}
