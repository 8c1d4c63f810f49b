/* SPDX-License-Identifier: BSD-3-Clause */
/* How long what ringd said last may be believed.
 *
 * A node that is cut off, or whose daemons stand still, must stop saying yes
 * before the others may say it.  ringd's ticks tell when they were sent and
 * how old the token was then; when neither is younger than the lease, nothing
 * is known.  A process that stood still finds ticks in its socket that look
 * new enough: so one that notices that it was late believes only ticks that
 * were sent after it woke.
 *
 * All times are of one clock, the same for ringd and us.
 */
#ifndef RK_QUORUM_LEASE_H
#define RK_QUORUM_LEASE_H

#include <stdbool.h>
#include <stdint.h>

struct quorum_lease {
	uint64_t lease_ns;
	uint64_t turn_ns;  /* the last time that we were seen running */
	uint64_t floor_ns; /* only ticks sent after this count */
	uint64_t at_ns;    /* when the newest that counts was sent; 0: none */
	uint64_t token_ns; /* when the token had been seen by then */
	bool is_paused;    /* and no tick has counted since */
};

void quorum_lease_init(struct quorum_lease *lease, uint64_t lease_ns);

/*
 * We run: at the beginning of each turn, and before each answer.  0, or how
 * long we did not, when that was longer than the lease.
 */
uint64_t quorum_lease_run(struct quorum_lease *lease, uint64_t now_ns);

/* A tick that was sent at at_ns, when the token was that old. */
void quorum_lease_tick(struct quorum_lease *lease, uint64_t at_ns,
    uint64_t token_age_ns, uint64_t now_ns);

/* There is no connection that ticks could come by. */
void quorum_lease_lose(struct quorum_lease *lease);

/* What ringd said last may be believed now. */
bool quorum_lease_is_fresh(const struct quorum_lease *lease, uint64_t now_ns);

/* The age of what is known, token and all; UINT64_MAX: nothing is known. */
uint64_t quorum_lease_age_ns(const struct quorum_lease *lease, uint64_t now_ns);

/* "paused" or "stale": why it is not fresh. */
const char *quorum_lease_reason(const struct quorum_lease *lease);

/*
 * When to look again: when it would end, and often enough to notice that we
 * did not run.
 */
uint64_t quorum_lease_deadline_ns(const struct quorum_lease *lease);

#endif
