/* SPDX-License-Identifier: BSD-3-Clause */
/* Every bound in the toolkit, and the arithmetic that relates them. */
#ifndef RK_LIMITS_H
#define RK_LIMITS_H

#include <assert.h>

enum {
	/* Membership. */
	LIMIT_NODES = 64, /* configured nodes; sets are 64-bit */
	LIMIT_NODE_ID_MAX = 65535,
	LIMIT_LINKS = 8, /* network paths to one peer */

	/* Datagrams: a frame is what the core sends, before it is sealed. */
	LIMIT_FRAME_BYTES_MIN = 548,
	LIMIT_FRAME_BYTES_MAX = 8960,
	LIMIT_FRAME_BYTES_DEFAULT = 1400,
	LIMIT_CONTROL_PARTS = 8, /* pieces of one control message */

	/* Ordering, in frames. */
	LIMIT_STORE_FRAMES = 4096, /* per ring; a power of two */
	LIMIT_GAP_MAX = 3072,      /* highest seq minus stable */
	LIMIT_WINDOW_MIN = 16,
	LIMIT_WINDOW_MAX = 512,
	LIMIT_WINDOW_DEFAULT = 160,
	LIMIT_VISIT_FRAMES = 32, /* new frames in one token visit */
	LIMIT_RTR_ENTRIES = 64,  /* 64 sequence numbers each */

	/* Messages. */
	LIMIT_MESSAGE_BYTES_DEFAULT = 1 << 20,
	LIMIT_MESSAGE_BYTES_MAX = 16 << 20,
	/* Beyond what the file says, for the daemons' own groups: what stands
	 * around a client's bytes of that length. */
	LIMIT_MESSAGE_BYTES_OWN = 2048,
	LIMIT_SYSTEM_BYTES = 65536, /* of one SYSTEM message */
	LIMIT_MESSAGES_LARGE = 4,   /* in progress on the ring at once */

	/* Groups. */
	LIMIT_GROUP_NAME_BYTES = 128,
	LIMIT_CLIENT_NAME_BYTES = 63,
	LIMIT_GROUPS = 1024,
	LIMIT_GROUP_MEMBERS = 4096, /* over all groups */

	/* Clients of a daemon. */
	LIMIT_CLIENTS = 64,
	LIMIT_REQUEST_BYTES = 8192,
	LIMIT_SERVER_LINE_BYTES = 65536,
};

static_assert((LIMIT_STORE_FRAMES & (LIMIT_STORE_FRAMES - 1)) == 0,
    "the store is indexed by masking");
static_assert(LIMIT_STORE_FRAMES >= LIMIT_GAP_MAX + 2 * LIMIT_WINDOW_MAX,
    "a neighbour may know a higher stable line one rotation before me");

#endif
