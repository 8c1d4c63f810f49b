/* SPDX-License-Identifier: BSD-3-Clause */
/* This node's own addresses: whether it has them, as the kernel tells. */
#ifndef RK_RINGD_LOCAL_H
#define RK_RINGD_LOCAL_H

#include "libcommon/os/netwatch.h"

struct ringd;

/*
 * Asks the kernel; to be called before memory is sealed.  Where it will not
 * tell (no netlink in this sandbox) that is logged, and links are found out
 * about by silence alone.
 */
void ringd_local_open(struct ringd *r);

/* In r's loop: what changes is logged ("local-address"). */
void ringd_local_watch(struct ringd *r);

/* These are conf's now. */
void ringd_local_change(struct ringd *r);

void ringd_local_close(struct ringd *r);

#endif
