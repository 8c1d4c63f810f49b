/* SPDX-License-Identifier: BSD-3-Clause */
/* The state behind session.h, for session*.c alone. */
#ifndef RK_SESSION_INTERNAL_H
#define RK_SESSION_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "bin/ringd/session.h"
#include "bin/ringd/session_window.h"

#define SESSION_NEVER_NS   UINT64_MAX
#define SESSION_GAP_MIN_NS ((uint64_t)10000000) /* between HELLOs */
#define SESSION_GAP_MAX_NS ((uint64_t)1000000000)

enum {
	SESSION_ANSWERS = 8,      /* at once, then one in 5 ms */
	SESSION_CIPHER_PLAIN = 1, /* what every machine has */
};

struct session_peer {
	uint32_t node;

	bool is_believed; /* then: whose session it is */
	uint64_t session, incarnation;
	uint64_t buried; /* the latest one that is known to be dead; 0 none */
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
	bool has_rolled_back, has_rekey; /* effects, */
	uint64_t outlived;               /* and 0: none */

	struct session_peer peers[LIMIT_NODES]; /* as cfg.nodes, self unused */

	uint64_t refused[SESSION_REFUSALS]; /* of all, strangers too */
	uint64_t log_at_ns[SESSION_REFUSALS];
};

bool session_is_self(const struct session *s, uint32_t idx);

/* idx is a peer's, not this node's (ENSURE). */
struct session_peer *session_peer(struct session *s, uint32_t idx);

/* Is it under the session that is believed? */
bool session_is_believed(
    const struct session_peer *peer, const struct session_header *header);

/* The peer speaks under a session that is not believed: ask it. */
void session_want(struct session_peer *peer, uint64_t now_ns);

/* The best cipher for DATA: one that every believed peer can open. */
void session_choose_cipher(struct session *s);

#endif
