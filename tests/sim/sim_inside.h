/* SPDX-License-Identifier: BSD-3-Clause */
/* What only a look inside a core can tell. */
#ifndef RK_SIM_INSIDE_H
#define RK_SIM_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct totem;

/*
 * The datagram carries messages of the ring that the core is still forming.
 * That must never happen: before the first who installed sends any, all have
 * installed (DESIGN.md, Recovery).
 */
bool sim_inside_is_early(
    const struct totem *t, const uint8_t *bytes, size_t len);

/* In Recovery, and the next visit of the token installs the ring. */
bool sim_inside_is_installing(const struct totem *t);

/* Visits of the token in Recovery since nobody had more to send. */
uint32_t sim_inside_quiet_visits(const struct totem *t);

/* The longest that a core may still have to wait, by its own clock. */
struct sim_inside_waits {
	uint64_t notice_ns;    /* until a silent peer is dead, a token lost */
	uint64_t consensus_ns; /* two timeouts of Gather */
	uint64_t merge_ns;     /* until it may merge with any peer */
};
void sim_inside_waits(const struct totem *t, struct sim_inside_waits *out);

/* Silence until the peer, by its place in the table, counts as dead, even if
 * nobody else says so. */
uint64_t sim_inside_dead_after_ns(const struct totem *t, uint32_t peer);

/* What must be at the same level whenever a core is at rest. */
struct sim_inside_level {
	uint64_t cells; /* of the store that are taken */
	uint64_t slots; /* messages that came in part */
	uint64_t queue_bytes;
	uint64_t rounds; /* of Gather without agreement */
	uint64_t health;
	uint64_t reserve; /* ring numbers promised to it */
	uint64_t hop_ns, rotation_ns, patience_ns, deadline_ns;
};
void sim_inside_level(const struct totem *t, struct sim_inside_level *out);

/* How ill it thinks it is, 0 to 8. */
uint32_t sim_inside_health(const struct totem *t);

#endif
