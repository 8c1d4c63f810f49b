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

struct ringd_client_table {
	struct ringd_client *clients[LIMIT_CLIENTS]; /* NULL: free */
	struct ringd_pending pending[RINGD_CLIENT_PENDING_ALL];
	uint32_t pending_free;
	struct totem_view view; /* the last regular one */
	bool has_view;
	char line[RINGD_CLIENT_LINE_BYTES]; /* being built */
};

#endif
