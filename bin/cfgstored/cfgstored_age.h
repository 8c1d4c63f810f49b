/* SPDX-License-Identifier: BSD-3-Clause */
/* How old revisions are, by this node's clock: history is kept for a time.
 *
 * Of what was there at the start nobody knows when it was made: its time
 * begins then.
 */
#ifndef RK_CFGSTORED_AGE_H
#define RK_CFGSTORED_AGE_H

#include <stddef.h>
#include <stdint.h>

enum { CFGSTORED_AGE_MARKS = 256 };

struct cfgstored_age {
	uint64_t keep_ns; /* 0: for ever */
	uint64_t next_ns; /* when to look again */
	size_t first, count;
	struct {
		uint64_t at_ns;
		uint64_t rev; /* of the store then */
	} mark[CFGSTORED_AGE_MARKS];
};

void cfgstored_age_init(struct cfgstored_age *age, uint64_t keep_ns);

/* UINT64_MAX: never. */
uint64_t cfgstored_age_deadline_ns(const struct cfgstored_age *age);

/*
 * The store is at rev now.  Answers the revision up to which all is older than
 * it is kept for; 0: nothing more than before.
 */
uint64_t cfgstored_age_look(
    struct cfgstored_age *age, uint64_t rev, uint64_t now_ns);

#endif
