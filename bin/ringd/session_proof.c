/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/ringd/session_proof.h"

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

static const uint8_t all_proofs = (1U << SESSION_PROOFS) - 1;

void
session_proof_heard(struct session_proof *p)
{
	*p = (struct session_proof){ .next_ns = p->next_ns };
}

/* It took too long: what is missing was lost, or is withheld. */
static void
expire(struct session_proof *p, uint64_t now_ns)
{
	if (p->is_asking &&
	    num_sub(now_ns, p->began_ns) > SESSION_PROOF_SPAN_NS)
		session_proof_heard(p);
}

/* What was sent between a probe and the next is as good as the probe. */
static uint8_t
probe_of(const struct session_proof *p, uint64_t counter)
{
	for (uint32_t i = p->count; i > 0; i--)
		if (counter >= p->probe[i - 1])
			return (uint8_t)(1U << (i - 1));
	return 0;
}

static bool
is_complete(const struct session_proof *p, uint32_t links)
{
	bool is_any = false;

	for (uint32_t link = 0; link < LIMIT_LINKS; link++) {
		if (p->refused[link] == all_proofs)
			is_any = true;
		else if (links >> link & 1)
			return false;
	}
	return is_any;
}

bool
session_proof_refused(struct session_proof *p, uint32_t link, uint64_t counter,
    uint32_t links, uint64_t now_ns)
{
	ENSURE(link < LIMIT_LINKS);
	expire(p, now_ns);
	if (p->is_proven || (links != 0 && !(links >> link & 1)))
		return false;
	if (!p->is_asking) {
		p->is_asking = true;
		p->began_ns = num_max(now_ns, p->next_ns);
		return false;
	}
	p->refused[link] |= probe_of(p, counter);
	if (!is_complete(p, links))
		return false;
	p->is_asking = false;
	p->is_proven = true;
	return true;
}

uint64_t
session_proof_deadline_ns(const struct session_proof *p)
{
	if (!p->is_asking || p->count == SESSION_PROOFS)
		return UINT64_MAX;
	return p->count == 0 ? p->began_ns
			     : p->at_ns[p->count - 1] + SESSION_PROOF_GAP_NS;
}

bool
session_proof_is_due(struct session_proof *p, uint64_t now_ns)
{
	expire(p, now_ns);
	return now_ns >= session_proof_deadline_ns(p);
}

void
session_proof_probed(struct session_proof *p, uint64_t counter, uint64_t now_ns)
{
	ENSURE(p->is_asking && p->count < SESSION_PROOFS);
	p->next_ns = p->began_ns + SESSION_PROOF_SPAN_NS;
	p->at_ns[p->count] = now_ns;
	p->probe[p->count++] = counter;
}
