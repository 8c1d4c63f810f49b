/* SPDX-License-Identifier: BSD-3-Clause */
/* The state behind session.h, for session*.c alone. */
#ifndef RK_SESSION_INTERNAL_H
#define RK_SESSION_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "bin/ringd/session.h"
#include "bin/ringd/session_window.h"

struct session_peer {
	uint32_t node;

	bool is_believed; /* then: whose session it is */
	uint64_t session, incarnation;
	uint8_t key_id, ciphers;
	uint64_t table_hash;
	struct session_window window;
	uint32_t replays; /* refused since the last one taken */

	uint64_t challenge; /* of ours, outstanding; 0 none */
	uint64_t challenge_until_ns;

	uint64_t hello_at_ns; /* next HELLO with a challenge */
	uint64_t hello_last_ns, hello_gap_ns;
	uint64_t report_at_ns; /* next HELLO without, when believed */
	uint64_t greeted_ns;   /* last HELLO of either kind */
	uint32_t answers;      /* that may be given now, a token bucket */
	uint64_t answers_ns;   /* when it was last filled */

	bool has_hello; /* effects */
	bool has_believed, is_restart;
	struct session_hello hello;

	uint64_t refused[SESSION_REFUSALS];
};

struct session {
	struct session_config cfg;
	uint64_t session, incarnation;
	uint64_t counter;                /* of the last datagram stamped */
	uint8_t cipher;                  /* of DATA */
	bool has_rolled_back, has_rekey; /* effects */

	struct session_peer peers[LIMIT_NODES]; /* as cfg.nodes, self unused */

	uint64_t refused[SESSION_REFUSALS]; /* of all, strangers too */
	uint64_t log_at_ns[SESSION_REFUSALS];
};

#endif
