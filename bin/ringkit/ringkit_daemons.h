/* SPDX-License-Identifier: BSD-3-Clause */
/* The daemons of a node, in the order in which they are started. */
#ifndef RK_RINGKIT_DAEMONS_H
#define RK_RINGKIT_DAEMONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

struct text;

/* Each uses those before it. */
enum {
	RINGKIT_DAEMON_RING,
	RINGKIT_DAEMON_MEMBER,
	RINGKIT_DAEMON_QUORUM,
	RINGKIT_DAEMON_STORE,
	RINGKIT_DAEMONS
};

/* "ringd", "memberd", "quorumd", "cfgstored" */
const char *ringkit_daemon_name(uint32_t daemon);

/* Sets of them have bit N for daemon N. */
#define RINGKIT_DAEMONS_ALL ((UINT32_C(1) << RINGKIT_DAEMONS) - 1)

/* Those of a set that are installed; ringd, which all need, is kept. */
uint32_t ringkit_daemons_installed(uint32_t set);

/* "ringd,memberd": a set with ringd in it; false when it is none. */
RK_MUST_CHECK bool ringkit_daemons_parse(
    const char *list, size_t len, uint32_t *set);
void ringkit_daemons_put(struct text *out, uint32_t set);

#endif
