/* SPDX-License-Identifier: BSD-3-Clause */
/* The holder's state, for ringlock.c and ringlock_effects.c only. */
#ifndef RK_RINGLOCK_INTERNAL_H
#define RK_RINGLOCK_INTERNAL_H

#include "libcommon/os/out.h"

#include "bin/ringlock/ringlock.h"
#include "bin/ringlock/ringlock_work.h"

struct feed;
struct loop;

enum {
	RINGLOCK_FDS = 8,
	RINGLOCK_VALUE_BYTES = 256,
	RINGLOCK_PATH_BYTES = 4096, /* as feeds take it */
};

struct ringlock {
	const struct ringlock_options *options;
	struct loop *loop;
	struct feed *feed;
	struct lock *lock;
	struct ringlock_work work;
	struct out out;
	int out_slot;     /* of what reads our records; -1: not watched */
	int unheard_code; /* nobody reads them: how we end; 0: somebody does */
	int signal_fd;
	int timer_fd;
	int work_slot; /* of the guard's descriptor; -1: none */
	int report_fd;
	bool is_over;
	const char *drop_why; /* the connection is to be made anew */
	int failed_code;      /* of work that could not begin; 0: none */
	int watchdog_fd;
	char value[RINGLOCK_VALUE_BYTES];
};

/* After every input: does what the core orders. */
void ringlock_carry_out(struct ringlock *h);

/* What was printed, or will be, reaches nobody: -E….  We must end. */
void ringlock_unheard(struct ringlock *h, int rc);

/* What the work has come to; told to the core once each. */
void ringlock_look_at_work(struct ringlock *h);

/* Once, to who waits: the lock is held, or will not be. */
void ringlock_report(struct ringlock *h, int code);

#endif
