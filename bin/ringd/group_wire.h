/* SPDX-License-Identifier: BSD-3-Clause */
/* What a group message looks like in the bytes the ring orders. */
#ifndef RK_GROUP_WIRE_H
#define RK_GROUP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/rdbuf.h"
#include "libcommon/base/wrbuf.h"

#include "bin/ringd/group.h"

/* The first octet. */
enum group_wire_kind {
	GROUP_WIRE_PUB = 1,
	GROUP_WIRE_JOIN,
	GROUP_WIRE_LEAVE,
	GROUP_WIRE_EXIT, /* of one connection, from all its groups */
	GROUP_WIRE_SYNC, /* a part of the processes of its node */
};

enum {
	GROUP_WIRE_ENTRY_BYTES_MAX =
	    1 + LIMIT_GROUP_NAME_BYTES + 3 * 5 + 1 + LIMIT_CLIENT_NAME_BYTES,
};

struct group_wire {
	enum group_wire_kind kind;
	uint32_t conn;           /* all but SYNC */
	uint64_t cookie;         /* PUB */
	struct group_name group; /* PUB, JOIN, LEAVE */
	struct group_name name;  /* PUB: the message's id; JOIN: the member's */
	uint32_t pid;            /* JOIN */
	uint32_t uid;
	struct totem_ring_id ring; /* SYNC: the ring it is for */
	uint32_t part;             /* from 0 */
	bool is_last;
	const uint8_t *bytes; /* PUB: the client's; SYNC: entries */
	size_t len;
};

/* One membership in a SYNC. */
struct group_wire_entry {
	struct group_name group;
	struct group_name name;
	uint32_t conn;
	uint32_t pid;
	uint32_t uid;
};

/*
 * Borrows bytes.  false when any of it is out of bounds, over a limit, or
 * followed by something; the entries of a SYNC are checked too: whole, and
 * ascending by group, then conn.
 */
bool group_wire_decode(
    const uint8_t *bytes, size_t len, struct group_wire *out);

/* All but bytes, at most GROUP_HEAD_BYTES_MAX. */
void group_wire_encode(const struct group_wire *wire, struct wrbuf *out);

bool group_wire_entry_decode(struct rdbuf *rd, struct group_wire_entry *out);
void group_wire_entry_encode(
    const struct group_wire_entry *entry, struct wrbuf *out);

/* How many bytes group_wire_entry_encode writes. */
size_t group_wire_entry_len(const struct group_wire_entry *entry);

/* Below 0, 0 or above 0: by bytes, a prefix before what it begins. */
int group_wire_order(const struct group_name *a, const struct group_name *b);

#endif
