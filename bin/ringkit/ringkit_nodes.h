/* SPDX-License-Identifier: BSD-3-Clause */
/* The daemons of a sandbox's nodes. */
#ifndef RK_RINGKIT_NODES_H
#define RK_RINGKIT_NODES_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/exitcode.h"

struct ringkit_layout;

struct ringkit_nodes {
	const struct ringkit_layout *layout;
	uint32_t first, last;
	bool dies_with_us;
};

/*
 * Exits with 75 when the ringd of one runs: what is there is not ours to start
 * over, or to end.
 */
void ringkit_nodes_check_stopped(const struct ringkit_nodes *nodes);

/*
 * Starts those of the layout's daemons that are installed and do not run, and
 * waits until each is ready.  What went wrong is said.
 */
RK_MUST_CHECK enum exitcode ringkit_nodes_start(
    const struct ringkit_nodes *nodes, uint64_t deadline_ns);

/* Asks all to leave, each before those it uses, waits for them, and
 * kills those that do not. */
void ringkit_nodes_stop(const struct ringkit_layout *layout);

#endif
