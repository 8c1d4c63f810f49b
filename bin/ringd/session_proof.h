/* SPDX-License-Identifier: BSD-3-Clause */
/* Is a peer's ringd gone, although its machine is there?  Pure.
 *
 * A machine that runs refuses a datagram to a port that nobody has, and quotes
 * it: our session, which cannot be guessed, and the datagram's counter.  One
 * such refusal makes us ask: SESSION_PROOFS probes, SESSION_PROOF_GAP_NS
 * apart, over all links.  When datagrams sent after each of the probes were
 * refused too, on every link that the peer was ever heard on, and nothing
 * authentic came from it meanwhile, there is no ringd.  Who speaks and is
 * refused on one of its links is asked at most every SESSION_PROOF_SPAN_NS.
 */
#ifndef RK_SESSION_PROOF_H
#define RK_SESSION_PROOF_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/base/limits.h"

enum { SESSION_PROOFS = 3 };

#define SESSION_PROOF_GAP_NS  ((uint64_t)1000000)
#define SESSION_PROOF_SPAN_NS ((uint64_t)20000000) /* for all of it */

struct session_proof {
	bool is_asking;
	bool is_proven; /* until something is heard */
	uint32_t count; /* probes sent */
	uint64_t began_ns;
	uint64_t next_ns;               /* not to ask again before */
	uint64_t probe[SESSION_PROOFS]; /* the counter of each */
	uint64_t at_ns[SESSION_PROOFS]; /* when it was sent */
	uint8_t refused[LIMIT_LINKS];   /* bits of probes */
};

/*
 * Our datagram of that counter, under our present session, was refused on a
 * link.  true: the proof is complete, told once.  links: bits of those that
 * the peer was ever heard on, of which alone refusals count; when there are
 * none, one link is enough.
 */
bool session_proof_refused(struct session_proof *p, uint32_t link,
    uint64_t counter, uint32_t links, uint64_t now_ns);

/* Something authentic came from the peer: it lives. */
void session_proof_heard(struct session_proof *p);

/* When the next probe is due; UINT64_MAX: none is. */
uint64_t session_proof_deadline_ns(const struct session_proof *p);

/* That has come: true: send a probe, and tell session_proof_probed. */
bool session_proof_is_due(struct session_proof *p, uint64_t now_ns);
void session_proof_probed(
    struct session_proof *p, uint64_t counter, uint64_t now_ns);

#endif
