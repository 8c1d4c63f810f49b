/* SPDX-License-Identifier: BSD-3-Clause */
/* How many lines each cause may have, so that what goes on for a week does not
 * fill a disk: pure.
 *
 * A cause may have RATION_SECOND lines in a second, and RATION_STORE in all;
 * then one in a minute.  What it has above that is held back: the caller keeps
 * the last such line of a cause at the place that it is told, and asks for it
 * again when it is due.  So the last word on a matter is always told, and with
 * it how many were not.
 */
#ifndef RK_RATION_H
#define RK_RATION_H

#include <stdbool.h>
#include <stdint.h>

enum {
	RATION_PLACES = 128, /* causes that are told apart */
	RATION_SECOND = 20,
	RATION_STORE = 256,
};

/* What one cause has left.  A cause that takes the place of another, which
 * had nothing for longest, takes over what that had left. */
struct ration_place {
	uint64_t name;
	uint64_t heard_ns;
	uint64_t second, used;
	uint64_t full_ns; /* then it may have RATION_STORE again */
	uint64_t held;    /* lines, since one was told */
};

/* All zero: nothing was said so far. */
struct ration {
	uint64_t due_ns; /* nothing that is held may be told before */
	uint32_t held;   /* places with a line that is held */
	uint32_t count;
	struct ration_place places[RATION_PLACES];
};

struct ration_line {
	uint32_t place;   /* below RATION_PLACES */
	uint64_t omitted; /* lines of this cause left out before this one */
};

/*
 * The cause has a line.  True: it may be told now, and what is held at its
 * place is not wanted any more.  False: it is to be held there.  name may be
 * any number that stands for the cause.
 */
bool ration_take(struct ration *ration, uint64_t name, uint64_t now_ns,
    struct ration_line *out);

/* A line that is held and may be told now; false when there is none. */
bool ration_next(
    struct ration *ration, uint64_t now_ns, struct ration_line *out);

/* Any line that is held, though it is not due; false when there is none. */
bool ration_rest(struct ration *ration, struct ration_line *out);

/* When to ask for the next one, UINT64_MAX: nothing is held. */
uint64_t ration_due_ns(const struct ration *ration);

#endif
