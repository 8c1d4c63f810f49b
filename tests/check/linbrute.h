/* SPDX-License-Identifier: BSD-3-Clause */
/* The same verdict by trying every order: for a handful of operations. */
#ifndef RK_LINBRUTE_H
#define RK_LINBRUTE_H

#include <stdbool.h>

struct lincheck;

enum { LINBRUTE_OPS = 12, LINBRUTE_KEYS = 8 };

/* Of operations without local reads, watches and locks, not yet judged. */
bool linbrute_is_linearizable(const struct lincheck *check);

#endif
