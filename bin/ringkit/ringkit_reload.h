/* SPDX-License-Identifier: BSD-3-Clause */
/* What quorumd has to say to a reload; ringd knows nothing of votes. */
#ifndef RK_RINGKIT_RELOAD_H
#define RK_RINGKIT_RELOAD_H

#include <stdbool.h>
#include <stdint.h>

struct ask;

/*
 * Ends the process when quorumd of this node says that votes and rules of the
 * file cannot be, or, unless forced, that they would cost the quorum, or that
 * it cannot say.  -E… as of ask_open: there is nobody to ask.
 */
int ringkit_reload_would(const char *rundir, bool is_forced);

/*
 * Nobody could be asked, which is why: warns, and unless forced ends the
 * process when there are quorumds elsewhere in the ring.
 */
void ringkit_reload_unasked(struct ask *ring, int why, bool is_forced);

/*
 * Answers when that is in force for quorumd, too, which if forced is to take
 * it in any case.  Ends the process when that takes too long: whoever starts
 * before it is counts by a file that others do not go by.
 */
void ringkit_reload_await(const char *rundir, uint64_t digest, bool is_forced);

#endif
