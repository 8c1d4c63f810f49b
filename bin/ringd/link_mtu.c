/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Path MTU.  A round is one padded LINK of each length, each answered at once.
 * A length that worked and is not answered any more is dead when the shortest
 * one was answered three times since: so mere loss does not shorten a path.
 * (DESIGN.md, 6.4)
 */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/ringd/link_internal.h"

static const uint64_t link_round_ns = 5000 * LINK_MS;
static const uint64_t link_round_quick_ns = 20 * LINK_MS;
static const uint64_t link_round_gap_ns = 1000 * LINK_MS;

void
link_mtu_begin(const struct links *l, struct link_pair *pair, uint64_t now_ns)
{
	for (uint32_t i = 0; i < l->size_count; i++)
		pair->sizes[i].tries = pair->sizes[i].others = 0;
	pair->probes = 0;
	pair->probe_ns = l->size_count > 0 ? now_ns : LINK_NEVER;
}

void
link_mtu_hurry(struct link_pair *pair, uint64_t now_ns)
{
	if (pair->probe_ns != LINK_NEVER)
		pair->probe_ns = num_min(pair->probe_ns,
		    num_max(now_ns, pair->probe_begun_ns + link_round_gap_ns));
}

/* Longer and longer, as far as all is alive. */
static void
link_mtu_note(const struct links *l, struct link_pair *pair)
{
	uint32_t mtu = 0;

	for (uint32_t i = 0; i < l->size_count && pair->sizes[i].is_alive; i++)
		mtu = l->sizes[i];
	if (mtu == pair->mtu_out)
		return;
	pair->mtu_out = mtu;
	pair->has_mtu = true;
	pair->is_due = !pair->is_unusable; /* the peer is to know */
}

static bool
link_mtu_is_dead(const struct link_size *size)
{
	return size->tries >= LINK_PROBES && size->others >= LINK_PROBES;
}

/* A length that may have died wants the next round soon. */
static bool
link_mtu_is_doubtful(const struct links *l, const struct link_pair *pair)
{
	for (uint32_t i = 0; i < l->size_count; i++)
		if (pair->sizes[i].is_alive && pair->sizes[i].tries > 0)
			return true;
	return false;
}

void
link_mtu_tick(const struct links *l, struct link_pair *pair, uint64_t now_ns)
{
	uint64_t quick_ns =
	    num_max(link_round_quick_ns, pair->rtt_ns + 4 * pair->rtt_dev_ns);

	if (now_ns < pair->probe_ns)
		return;
	for (uint32_t i = 0; i < l->size_count; i++) {
		struct link_size *size = &pair->sizes[i];

		if (link_mtu_is_dead(size))
			size->is_alive = false;
	}
	link_mtu_note(l, pair);
	/* Was the round before this one answered in full? */
	if (now_ns < pair->probe_begun_ns + link_round_gap_ns &&
	    !link_mtu_is_doubtful(l, pair)) {
		pair->probe_ns = pair->probe_begun_ns + link_round_ns;
		return;
	}
	pair->probes = (1U << l->size_count) - 1;
	pair->probe_begun_ns = now_ns;
	pair->probe_ns = now_ns + quick_ns;
}

uint32_t
link_mtu_next(const struct links *l, struct link_pair *pair)
{
	uint32_t i;

	if (pair->probes == 0)
		return 0;
	i = (uint32_t)__builtin_ctz(pair->probes);
	ENSURE(i < l->size_count);
	pair->probes &= pair->probes - 1;
	pair->sizes[i].tries += pair->sizes[i].tries < LINK_PROBES;
	return l->sizes[i];
}

void
link_mtu_answered(const struct links *l, struct link_pair *pair, uint32_t bytes)
{
	for (uint32_t i = 0; i < l->size_count; i++) {
		struct link_size *size = &pair->sizes[i];

		if (l->sizes[i] == bytes) {
			size->is_alive = true;
			size->tries = size->others = 0;
		} else if (bytes == l->sizes[0]) {
			size->others += size->others < LINK_PROBES;
		}
	}
	link_mtu_note(l, pair);
}
