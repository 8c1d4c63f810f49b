/* SPDX-License-Identifier: BSD-3-Clause */
/* The layout of group messages; no other file knows it.
 *
 *	PUB    1 conn cookie group id bytes...
 *	JOIN   2 conn group pid uid name
 *	LEAVE  3 conn group
 *	EXIT   4 conn
 *	SYNC   5 ring.seq:8 ring.rep:4 ring.nonce:4 last:1 part entry...
 *	entry  group conn pid uid name
 *
 * group, id and name are an octet of length and that many bytes; numbers
 * without a width are varints.  A decoder accepts exactly what an encoder
 * writes, so that every node judges a message alike.
 */
#include "bin/ringd/group_wire.h"

#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

int
group_wire_order(const struct group_name *a, const struct group_name *b)
{
	size_t len = (size_t)num_min(a->len, b->len);
	int order = len == 0 ? 0 : memcmp(a->bytes, b->bytes, len);

	if (order != 0 || a->len == b->len)
		return order;
	return a->len < b->len ? -1 : 1;
}

static uint32_t
read_u32(struct rdbuf *rd)
{
	uint64_t value = rdbuf_varint(rd);

	if (value > UINT32_MAX)
		rd->is_short = true;
	return (uint32_t)value;
}

static struct group_name
read_name(struct rdbuf *rd, size_t len_min, size_t len_max)
{
	struct group_name name = { .len = rdbuf_u8(rd) };

	if (name.len < len_min || name.len > len_max)
		rd->is_short = true;
	name.bytes = rdbuf_bytes(rd, name.len);
	if (name.bytes == NULL)
		name.len = 0;
	return name;
}

static struct group_name
read_group(struct rdbuf *rd)
{
	return read_name(rd, 1, LIMIT_GROUP_NAME_BYTES);
}

static void
read_rest(struct rdbuf *rd, struct group_wire *out)
{
	out->len = rdbuf_left(rd);
	out->bytes = rdbuf_bytes(rd, out->len);
}

static void
read_pub(struct rdbuf *rd, struct group_wire *out)
{
	out->conn = read_u32(rd);
	out->cookie = rdbuf_varint(rd);
	out->group = read_group(rd);
	out->name = read_name(rd, 0, GROUP_ID_BYTES_MAX);
	read_rest(rd, out);
}

static void
read_join(struct rdbuf *rd, struct group_wire *out)
{
	out->conn = read_u32(rd);
	out->group = read_group(rd);
	out->pid = read_u32(rd);
	out->uid = read_u32(rd);
	out->name = read_name(rd, 0, LIMIT_CLIENT_NAME_BYTES);
}

static bool
entries_ascend(const struct group_wire *sync)
{
	struct group_wire_entry before = { 0 };
	struct rdbuf rd;

	if (sync->bytes == NULL)
		return false;
	rdbuf_init(&rd, sync->bytes, sync->len);
	for (size_t i = 0; rdbuf_left(&rd) > 0; i++) {
		struct group_wire_entry entry;
		if (!group_wire_entry_decode(&rd, &entry))
			return false;
		int order = group_wire_order(&before.group, &entry.group);
		if (order > 0 || (order == 0 && before.conn >= entry.conn))
			return false;
		before = entry;
	}
	return true;
}

static void
read_sync(struct rdbuf *rd, struct group_wire *out)
{
	out->ring.seq = rdbuf_u64(rd);
	out->ring.rep = rdbuf_u32(rd);
	out->ring.nonce = rdbuf_u32(rd);
	uint8_t last = rdbuf_u8(rd);
	out->is_last = last == 1;
	out->part = read_u32(rd);
	read_rest(rd, out);
	if (last > 1 || !entries_ascend(out))
		rd->is_short = true;
}

bool
group_wire_decode(const uint8_t *bytes, size_t len, struct group_wire *out)
{
	struct rdbuf rd;

	rdbuf_init(&rd, bytes, len);
	*out = (struct group_wire){ .kind = rdbuf_u8(&rd) };
	switch (out->kind) {
	case GROUP_WIRE_PUB:
		read_pub(&rd, out);
		break;
	case GROUP_WIRE_JOIN:
		read_join(&rd, out);
		break;
	case GROUP_WIRE_LEAVE:
		out->conn = read_u32(&rd);
		out->group = read_group(&rd);
		break;
	case GROUP_WIRE_EXIT:
		out->conn = read_u32(&rd);
		break;
	case GROUP_WIRE_SYNC:
		read_sync(&rd, out);
		break;
	default:
		return false;
	}
	return rdbuf_is_done(&rd);
}

static void
write_name(struct wrbuf *out, const struct group_name *name)
{
	ENSURE(name->len <= UINT8_MAX);
	wrbuf_u8(out, (uint8_t)name->len);
	if (name->len > 0)
		wrbuf_bytes(out, name->bytes, name->len);
}

static void
write_sync(const struct group_wire *wire, struct wrbuf *out)
{
	wrbuf_u64(out, wire->ring.seq);
	wrbuf_u32(out, wire->ring.rep);
	wrbuf_u32(out, wire->ring.nonce);
	wrbuf_u8(out, wire->is_last);
	wrbuf_varint(out, wire->part);
}

void
group_wire_encode(const struct group_wire *wire, struct wrbuf *out)
{
	wrbuf_u8(out, (uint8_t)wire->kind);
	if (wire->kind == GROUP_WIRE_SYNC)
		write_sync(wire, out);
	else
		wrbuf_varint(out, wire->conn);
	if (wire->kind == GROUP_WIRE_PUB)
		wrbuf_varint(out, wire->cookie);
	if (wire->kind < GROUP_WIRE_EXIT)
		write_name(out, &wire->group);
	if (wire->kind == GROUP_WIRE_JOIN) {
		wrbuf_varint(out, wire->pid);
		wrbuf_varint(out, wire->uid);
	}
	if (wire->kind < GROUP_WIRE_LEAVE)
		write_name(out, &wire->name);
	ENSURE(!out->is_full);
}

bool
group_wire_entry_decode(struct rdbuf *rd, struct group_wire_entry *out)
{
	*out = (struct group_wire_entry){ .group = read_group(rd) };
	out->conn = read_u32(rd);
	out->pid = read_u32(rd);
	out->uid = read_u32(rd);
	out->name = read_name(rd, 0, LIMIT_CLIENT_NAME_BYTES);
	return !rd->is_short;
}

void
group_wire_entry_encode(const struct group_wire_entry *entry, struct wrbuf *out)
{
	write_name(out, &entry->group);
	wrbuf_varint(out, entry->conn);
	wrbuf_varint(out, entry->pid);
	wrbuf_varint(out, entry->uid);
	write_name(out, &entry->name);
	ENSURE(!out->is_full);
}

size_t
group_wire_entry_len(const struct group_wire_entry *entry)
{
	return 2 + entry->group.len + entry->name.len +
	    wrbuf_varint_len(entry->conn) + wrbuf_varint_len(entry->pid) +
	    wrbuf_varint_len(entry->uid);
}
