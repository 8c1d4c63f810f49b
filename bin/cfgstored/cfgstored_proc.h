/* SPDX-License-Identifier: BSD-3-Clause */
/* The processes beside the loop: what each does first. */
#ifndef RK_CFGSTORED_PROC_H
#define RK_CFGSTORED_PROC_H

#include <stddef.h>

/*
 * Lives until its parent has gone or has no more to do, not until somebody
 * signals the process group; keeps 0 to 2 and these descriptors alone, since
 * what was inherited would be held open after the parent's death.
 */
void cfgstored_proc_become(const char *name, const int *keep, size_t count);

#endif
