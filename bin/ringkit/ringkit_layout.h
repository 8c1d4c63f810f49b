/* SPDX-License-Identifier: BSD-3-Clause */
/* A sandbox's directory: ringkit.conf, key, and DIR/I for node I, which is
 * its rundir, with its logs and its state/; DIR/daemons, when not all are
 * wanted.
 */
#ifndef RK_RINGKIT_LAYOUT_H
#define RK_RINGKIT_LAYOUT_H

#include <stdint.h>

#include "libcommon/base/attr.h"

#include "bin/ringkit/ringkit_find.h"
#include "bin/ringkit/ringkit_process.h"

struct ringkit_layout {
	char dir[RINGKIT_PATH_BYTES]; /* absolute */
	uint32_t nodes;
	uint32_t port;
	uint32_t daemons;  /* a set (ringkit_daemons.h), of those wanted */
	const char *extra; /* a file whose lines end ringkit.conf, or NULL */
};

/*
 * A directory of our own when dir is NULL, else dir, which must be absent,
 * empty, or already hold a sandbox of as many nodes, which is then kept.
 * 0 or -E…; -EEXIST: something else is there.
 */
RK_MUST_CHECK int ringkit_layout_make(
    struct ringkit_layout *layout, const char *dir);

/* Reads what is there: 0, or -ENOENT when it is no sandbox. */
RK_MUST_CHECK int ringkit_layout_open(
    struct ringkit_layout *layout, const char *dir);

/* Removes all of it. */
void ringkit_layout_remove(const struct ringkit_layout *layout);

/* DIR/I */
void ringkit_layout_rundir(const struct ringkit_layout *layout, uint32_t node,
    char out[RINGKIT_PATH_BYTES]);

/* Keeps which daemons are wanted for when it is opened again: 0 or -E…. */
RK_MUST_CHECK int ringkit_layout_keep_daemons(
    const struct ringkit_layout *layout);

/* How to start a daemon of a node; the strings live in it. */
struct ringkit_layout_plan {
	struct ringkit_plan plan;
	char config[RINGKIT_PATH_BYTES], rundir[RINGKIT_PATH_BYTES];
	char statedir[RINGKIT_PATH_BYTES], log[RINGKIT_PATH_BYTES];
	char node[16];
};
void ringkit_layout_plan(const struct ringkit_layout *layout, uint32_t node,
    uint32_t daemon, struct ringkit_layout_plan *out);

#endif
