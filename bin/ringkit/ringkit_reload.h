/* SPDX-License-Identifier: BSD-3-Clause */
/* What quorumd has to say to a reload; ringd knows nothing of votes. */
#ifndef RK_RINGKIT_RELOAD_H
#define RK_RINGKIT_RELOAD_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Ends the process when quorumd of this node says that votes and rules of the
 * file cannot be, or, unless forced, that they would cost the quorum.  Without
 * a quorumd, or a verdict, nothing: it watches over itself alone then.
 */
void ringkit_reload_would(const char *rundir, bool is_forced);

/* Once quorumd has read what has that digest, it is to take it in any case. */
void ringkit_reload_force(const char *rundir, uint64_t digest);

#endif
