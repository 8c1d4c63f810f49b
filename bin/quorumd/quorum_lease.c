/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/quorumd/quorum_lease.h"

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

/* In a lease we say this often that we run. */
enum { RUNS = 4 };

void
quorum_lease_init(struct quorum_lease *lease, uint64_t lease_ns)
{
	ENSURE(lease_ns > 0);
	*lease = (struct quorum_lease){ .lease_ns = lease_ns };
}

uint64_t
quorum_lease_run(struct quorum_lease *lease, uint64_t now_ns)
{
	const uint64_t gap_ns =
	    lease->turn_ns == 0 ? 0 : num_sub(now_ns, lease->turn_ns);

	lease->turn_ns = num_max(lease->turn_ns, now_ns);
	if (gap_ns <= lease->lease_ns)
		return 0;
	lease->floor_ns = now_ns;
	lease->at_ns = lease->token_ns = 0;
	lease->is_paused = true;
	return gap_ns;
}

void
quorum_lease_tick(struct quorum_lease *lease, uint64_t at_ns,
    uint64_t token_age_ns, uint64_t now_ns)
{
	/* Not from the future: a clock that is not ours proves nothing. */
	if (at_ns > now_ns || at_ns <= lease->floor_ns || at_ns < lease->at_ns)
		return;
	lease->at_ns = at_ns;
	lease->token_ns = num_sub(at_ns, token_age_ns);
	if (quorum_lease_is_fresh(lease, now_ns))
		lease->is_paused = false;
}

void
quorum_lease_lose(struct quorum_lease *lease)
{
	lease->at_ns = lease->token_ns = 0;
}

uint64_t
quorum_lease_age_ns(const struct quorum_lease *lease, uint64_t now_ns)
{
	if (lease->at_ns == 0)
		return UINT64_MAX;
	return num_sub(now_ns, lease->token_ns);
}

bool
quorum_lease_is_fresh(const struct quorum_lease *lease, uint64_t now_ns)
{
	return quorum_lease_age_ns(lease, now_ns) <= lease->lease_ns;
}

const char *
quorum_lease_reason(const struct quorum_lease *lease)
{
	return lease->is_paused ? "paused" : "stale";
}

uint64_t
quorum_lease_deadline_ns(const struct quorum_lease *lease)
{
	const uint64_t run_ns = lease->turn_ns + lease->lease_ns / RUNS;
	const uint64_t end_ns = lease->token_ns + lease->lease_ns + 1;

	/* An end that was seen is no reason to look again. */
	if (lease->at_ns == 0 || end_ns <= lease->turn_ns)
		return run_ns;
	return num_min(run_ns, end_ns);
}
