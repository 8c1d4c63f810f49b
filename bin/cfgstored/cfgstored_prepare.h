/* SPDX-License-Identifier: BSD-3-Clause */
/* A process that makes segments ahead of need.
 *
 * All of a segment is written once, with zeroes, before it has its name: then
 * space cannot run out in it, and an fsync of what is written into it later
 * has no more to do than to write that.
 */
#ifndef RK_CFGSTORED_PREPARE_H
#define RK_CFGSTORED_PREPARE_H

#include <sys/types.h>

#include "bin/cfgstored/cfgstored_file.h"
#include "bin/cfgstored/kv_log.h"

struct cfgstored_prepare {
	int fd; /* to it: requests out, answers in */
	pid_t pid;
};

struct cfgstored_prepare_answer {
	int rc;
	struct kv_log_segment segment;
};

/* Forks it; keep_fd stays open in it.  0 or -E…. */
RK_MUST_CHECK int cfgstored_prepare_start(struct cfgstored_prepare *prepare,
    const struct cfgstored_folder *folder, int keep_fd);

/* One at a time: the serial and the length count, the salt is made there. */
RK_MUST_CHECK int cfgstored_prepare_ask(
    struct cfgstored_prepare *prepare, const struct kv_log_segment *wanted);
/* Waits for it.  0 or -E…: it died. */
RK_MUST_CHECK int cfgstored_prepare_answer(
    struct cfgstored_prepare *prepare, struct cfgstored_prepare_answer *out);

#endif
