/* SPDX-License-Identifier: BSD-3-Clause */
/* What a command is told of changes: records, and what is true since then. */
#ifndef RK_CFGSTORE_HOOKS_H
#define RK_CFGSTORE_HOOKS_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/exitcode.h"
#include "libcommon/os/hook.h"
#include "libcommon/os/out.h"

#include "bin/cfgstore/cfgstore_bytes.h"

struct cfgstore_follow;
struct cfgstore_news;

struct cfgstore_hooks {
	/* Given: */
	struct hook_options runner;
	bool is_first_skipped; /* no run for the first state */
	/* Own: */
	struct hook *hook;
	struct out line; /* a record being made; never written */
	struct cfgstore_bytes table;
};

/* Reads the state file into since, starts the runner; says what is wrong. */
RK_MUST_CHECK enum exitcode cfgstore_hooks_open(
    struct cfgstore_hooks *hooks, struct cfgstore_follow *follow);
void cfgstore_hooks_close(struct cfgstore_hooks *hooks);

/* All news there are, in order. */
void cfgstore_hooks_take(struct cfgstore_hooks *hooks,
    const struct cfgstore_follow *follow, struct cfgstore_news *news);

#endif
