/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the hook runner share. */
#ifndef RK_HOOK_INTERNAL_H
#define RK_HOOK_INTERNAL_H

#include <signal.h>

#include "libcommon/base/text.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/hook.h"
#include "libcommon/os/hook_out.h"
#include "libcommon/os/tree.h"

enum hook_result {
	HOOK_NOT_RUN,
	HOOK_DONE,      /* 0 */
	HOOK_REFUSED,   /* 75 */
	HOOK_FAILED,    /* anything else, or late */
	HOOK_PREEMPTED, /* ended for something urgent */
};

struct hook_end {
	enum hook_result result;
	int code;
	bool is_absent; /* it could not be executed */
};

struct hook {
	const struct hook_options *options;
	struct hook_queue pending, batch;
	uint64_t first_ns, last_ns; /* of what is pending */
	bool is_due;                /* pending is to be run */
	bool is_urgent;             /* and soon */
	bool is_partial;            /* of the last change more will come */

	struct hook_job jobs[HOOK_JOBS];
	enum hook_result results[HOOK_JOBS];
	size_t job_count, job_at;
	uint32_t attempt;
	uint64_t retry_ns; /* UINT64_MAX: no wait */
	uint64_t backoff_ns;

	bool is_running;
	struct tree tree;
	struct hook_out out;
	uint64_t begin_ns, end_ns; /* end_ns: it is late, or given up */
	bool is_late, is_preempted;

	bool was_there; /* a command was executed, once */

	int signal_fd;
	sigset_t signals; /* that it is for */
};

/* ---- one command: hook_run.c ------------------------------------------- */

/* Starts job_at; when that fails, hook_run_turn tells. */
void hook_run_start(struct hook *hook, uint64_t now_ns);
void hook_run_preempt(struct hook *hook, uint64_t now_ns);
/* true: it is over. */
bool hook_run_turn(struct hook *hook, uint64_t now_ns, struct hook_end *end);
uint64_t hook_run_deadline_ns(const struct hook *hook);
/* Ends what runs, and waits for that. */
void hook_run_end(struct hook *hook);

/* ---- signals: hook_run.c ----------------------------------------------- */

RK_MUST_CHECK int hook_signals(struct hook *hook);
/* Does not return when one came that ends us. */
void hook_signals_turn(struct hook *hook);

#endif
