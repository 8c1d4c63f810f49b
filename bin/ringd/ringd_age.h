/* SPDX-License-Identifier: BSD-3-Clause */
/* How old the token is, the sleep of the machine included: the clock of the
 * loop stands still while it is suspended.
 */
#ifndef RK_RINGD_AGE_H
#define RK_RINGD_AGE_H

#include <stdint.h>

/* sleep: how far the clock that goes on is ahead of the loop's. */
struct ringd_age {
	uint64_t told_ns;        /* when it was asked last */
	uint64_t told_sleep_ns;  /* the sleep then */
	uint64_t token_sleep_ns; /* that of the question before the token */
};

void ringd_age_begin(struct ringd_age *age, uint64_t now_ns, uint64_t sleep_ns);

/*
 * The age of a token that came age_ns ago by the loop's clock.  Sleep before
 * the token, but after the last question, counts, too: nobody saw which came
 * first.
 */
uint64_t ringd_age_whole_ns(
    struct ringd_age *age, uint64_t now_ns, uint64_t age_ns, uint64_t sleep_ns);

#endif
