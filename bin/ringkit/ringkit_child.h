/* SPDX-License-Identifier: BSD-3-Clause */
/* A command in the foreground, whose exit code becomes ours. */
#ifndef RK_RINGKIT_CHILD_H
#define RK_RINGKIT_CHILD_H

/*
 * Call first, before any child is started: from here on signals wait for
 * ringkit_child_run.
 */
void ringkit_child_prepare(void);

/*
 * Runs argv without a shell, with the environment as it is, and passes INT,
 * TERM, HUP and QUIT on to it.  Its exit code; 128 + the signal that ended
 * it; 126 or 127 when it could not be run.  Other children that end are
 * reaped.
 */
int ringkit_child_run(char *const *argv);

#endif
