/* SPDX-License-Identifier: BSD-3-Clause */
/* The environment of a hook, built from nothing. */
#ifndef RK_HOOK_ENV_H
#define RK_HOOK_ENV_H

#include <stdint.h>

#include "libcommon/base/attr.h"

struct hook_queue;

enum {
	HOOK_ENV_MAX = 64,
	HOOK_ENV_VALUE_BYTES = 32768, /* longer values are left out */
};

struct hook_env {
	char *names[HOOK_ENV_MAX + 1]; /* ended by NULL, for execve */
	unsigned count;
};

struct hook_env_run {
	const struct hook_queue *batch; /* not empty */
	uint32_t classes;  /* of the job: which records it is about */
	const char *event; /* NULL: that of the newest record */
	uint32_t attempt;  /* from 1 on */
	uint64_t now_ns;
	const char *rundir; /* NULL: none */
};

/* 0 or -ENOMEM; to be cleared in any case. */
RK_MUST_CHECK int hook_env_build(
    struct hook_env *env, const struct hook_env_run *run);
void hook_env_clear(struct hook_env *env);

/* NULL when it is not there: for tests. */
const char *hook_env_get(const struct hook_env *env, const char *name);

/* Seconds since 1970 of a stamp like 2026-11-22T16:20:01.123Z; 0: bad. */
uint64_t hook_env_epoch(const char *stamp);

#endif
