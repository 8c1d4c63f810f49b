/* SPDX-License-Identifier: BSD-3-Clause */
/* A process on which others' safety hangs, where memory is short. */
#ifndef RK_VITAL_H
#define RK_VITAL_H

/*
 * As far as that is permitted, this process is not killed for want of memory
 * and does not wait for its own pages.  Children that it forks from now on
 * inherit the first of that: who is not vital is to be started before.
 */
void vital_become(void);

#endif
