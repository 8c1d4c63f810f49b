/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of clients, for ringd_client*.c only. */
#ifndef RK_RINGD_CLIENT_INTERNAL_H
#define RK_RINGD_CLIENT_INTERNAL_H

#include "bin/ringd/ringd_client.h"

enum { RINGD_CLIENT_ORPHAN = 255 };

#define RINGD_PENDING_NONE UINT32_MAX

enum ringd_pending_state {
	RINGD_PENDING_WAITING,
	RINGD_PENDING_DONE,
	RINGD_PENDING_FAILED,
};

enum {
	RINGD_STEMS = 16,
	RINGD_STEM_BYTES = 1024,
};

/*
 * The words of a message's record that are the same for one sender, group and
 * ring: those before its number, and those behind it.
 */
struct ringd_stem {
	struct totem_ring_id ring;
	uint64_t incarnation;
	uint32_t node, conn;
	enum totem_service service;
	enum totem_phase phase;
	uint32_t group_len, head_len, tail_len;
	uint8_t group[LIMIT_GROUP_NAME_BYTES];
	char bytes[RINGD_STEM_BYTES];
};

struct ringd_client_table {
	struct ringd_client *clients[LIMIT_CLIENTS]; /* NULL: free */
	uint32_t clients_end; /* all places from here on are free */
	struct ringd_stem stems[RINGD_STEMS];
	struct ringd_pending pending[RINGD_CLIENT_PENDING_ALL];
	uint32_t pending_free;
	struct totem_view view; /* the last regular one */
	bool has_view;
	char line[RINGD_CLIENT_LINE_BYTES]; /* being built */
};

#endif
