/* SPDX-License-Identifier: BSD-3-Clause */
/* Waiting until several nodes have the same view of all of them. */
#ifndef RK_RINGKIT_VIEWS_H
#define RK_RINGKIT_VIEWS_H

#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/exitcode.h"

struct ringkit_layout;

enum { RINGKIT_VIEW_BYTES = 64 };

/*
 * Until all nodes report one regular view with as many members as there are
 * nodes, whose name is given, and know, where quorumd runs, whether it is
 * quorate.  By streams of events: nothing is polled.
 */
RK_MUST_CHECK enum exitcode ringkit_views_wait(
    const struct ringkit_layout *layout, uint64_t deadline_ns,
    char view[RINGKIT_VIEW_BYTES]);

#endif
