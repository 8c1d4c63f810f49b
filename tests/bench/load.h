/* SPDX-License-Identifier: BSD-3-Clause */
/* Loading an ordering service and judging its order, whatever carries it.
 *
 * One process a node.  Each prints "ready" when it hears the group; a line on
 * the standard input of the coordinator starts the run.  All take the window
 * from the GO message, which is ordered with the rest, on CLOCK_MONOTONIC: the
 * nodes share this machine.  At END everybody prints one line of key=value
 * words; badseq counts breaks in any sender's sequence, and order is a hash
 * over all that was delivered between GO and END, the same at every node or
 * the order was not.
 */
#ifndef RK_LOAD_H
#define RK_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

/* What carries messages; functions get the load's own view of time. */
struct load_carrier {
	const char *name;
	const char *place_name; /* the operand behind the mode */
	/* Joins the group at that place; ends the process when it cannot. */
	void (*open)(const char *place, size_t message_bytes);
	/* Hands over one message; false: not now. */
	bool (*put)(const void *bytes, size_t len);
	/* Passes on what was put, waits for at most wait_ns, and calls
	 * load_take for what came. */
	void (*turn)(uint64_t wait_ns);
};

/* The whole program. */
int load_main(int argc, char **argv, const struct load_carrier *carrier);

/*
 * The carrier hears the group as node self, and sees so many nodes there: says
 * "ready" when that is all of them, and counts every later change.
 */
void load_see(uint32_t self, uint32_t nodes);

/* One message that was delivered. */
void load_take(uint32_t node, const void *bytes, size_t len);

/* END was delivered: nothing more is wanted. */
bool load_is_over(void);

RK_NORETURN void load_die(const char *what);

#endif
