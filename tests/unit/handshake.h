/* SPDX-License-Identifier: BSD-3-Clause */
/* A few nodes' sessions and the datagrams between them, without crypto. */
#ifndef RK_HANDSHAKE_H
#define RK_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/rng.h"
#include "libcommon/base/text.h"

#include "bin/ringd/session.h"

enum {
	HANDSHAKE_NODES = 3,
	HANDSHAKE_FLIGHT_MAX = 1024,
	HANDSHAKE_SESSION_BYTES = 65536,
	HANDSHAKE_STORY_BYTES = 4096,
};

struct handshake_packet {
	uint32_t from, to; /* places, from 0 */
	struct session_header header;
	struct session_hello hello;
	uint64_t sent_no; /* grows with every datagram of the world */
};

struct handshake_node {
	_Alignas(64) unsigned char block[HANDSHAKE_SESSION_BYTES];
	struct session *s;
	uint64_t incarnation;
	uint64_t boot_no; /* sent_no when it was started */
	uint32_t restarts_seen;
	bool is_rolled_back;
	uint64_t outlived_by; /* the incarnation it was told of; 0: none */
};

struct handshake {
	uint64_t now_ns;
	struct rng rng;
	uint64_t sent_no;
	uint64_t rekey_after;
	uint8_t ciphers[HANDSHAKE_NODES];
	struct handshake_node nodes[HANDSHAKE_NODES];
	struct handshake_packet flight[HANDSHAKE_FLIGHT_MAX];
	uint32_t flight_count;
	struct text story;
	char story_bytes[HANDSHAKE_STORY_BYTES];
};

/* Nobody is started yet. */
void handshake_init(struct handshake *h, uint64_t seed);

/* Starts node i, or starts it again as a new incarnation. */
void handshake_boot(struct handshake *h, uint32_t i);

/* Node i's time has come, if its deadline has; HELLOs go into flight. */
void handshake_tick(struct handshake *h, uint32_t i);

/* Node i sends DATA to node j; answers the datagram, also put into flight. */
struct handshake_packet handshake_data(
    struct handshake *h, uint32_t i, uint32_t j);

/* Takes flight[at] out of flight. */
struct handshake_packet handshake_take(struct handshake *h, uint32_t at);

/* The datagram arrives; its effects go into flight. */
enum session_refusal handshake_arrive(
    struct handshake *h, const struct handshake_packet *packet);

/* For span_ns: everything arrives 100 us after it was sent, in order. */
void handshake_run(struct handshake *h, uint64_t span_ns);

/* Node i believes the session that node j has now. */
bool handshake_believes(const struct handshake *h, uint32_t i, uint32_t j);

#endif
