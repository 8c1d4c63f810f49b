/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages on their way to ringd: many unanswered at once, none forgotten. */
#ifndef RK_MSGSEND_SEND_H
#define RK_MSGSEND_SEND_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/exitcode.h"

struct msgsend_input;

struct msgsend_options {
	const char *rundir;
	const char *group;
	const char *confirm; /* "agreed", "safe" or "none" */
	bool requires_quorum;
	int tee_fd; /* what was confirmed is copied there; -1: nowhere */
	bool is_retrying;
	const char *client;  /* names this process, for is_retrying */
	uint64_t retry_ns;   /* how long to try again, UINT64_MAX: for ever */
	uint64_t rate;       /* messages a second, 0: no limit */
	uint64_t timeout_ns; /* for any answer, UINT64_MAX: none */
};

/*
 * Connects, sends all of the input and waits for the answers.  Says what
 * went wrong; the exit code.  max of the input is set here.
 */
RK_MUST_CHECK enum exitcode msgsend_send(
    const struct msgsend_options *options, struct msgsend_input *input);

#endif
