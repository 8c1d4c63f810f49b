/* SPDX-License-Identifier: BSD-3-Clause */
/* The signals that end a holder, or are passed on. */
#ifndef RK_RINGLOCK_SIGNALS_H
#define RK_RINGLOCK_SIGNALS_H

#include <stdbool.h>

/*
 * Blocks them; a descriptor that is readable when one has come, or -E….  What
 * was ignored stays so: nohup, and shells' background.
 */
int ringlock_signals_open(bool passes_on);

/* The next one that has come; 0: none. */
int ringlock_signals_next(int fd);

/* It asks for an end. */
bool ringlock_signals_is_end(int signo);

/* Dies of it, as if it had not been caught. */
void ringlock_signals_die(int signo);

#endif
