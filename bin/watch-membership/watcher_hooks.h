/* SPDX-License-Identifier: BSD-3-Clause */
/* From records to hooks: what a hook is to know, and which hooks there are. */
#ifndef RK_WATCHER_HOOKS_H
#define RK_WATCHER_HOOKS_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/exitcode.h"
#include "libcommon/os/hook.h"

#include "bin/watch-membership/watcher_nodes.h"

struct watcher_hooks {
	/* Given: */
	struct hook_options runner; /* argv, or NULL with dir */
	const char *dir;            /* EVENT.d are in here, NULL: none */
	const char *other_dir;      /* and here, NULL: none */
	const struct watcher_filter *filter;

	/* Own: */
	struct hook *hook;
	char *cursor; /* of the state file; NULL: there was none */
	struct watcher_nodes now, told; /* told: to the hooks */
	bool is_told;                   /* told is valid */
	bool is_first_skipped;          /* no hook for the first state */
	char prev_view[WATCHER_VIEW_BYTES];
	char prev_quorate[WATCHER_WORD_BYTES];
	/* Of the last connection. */
	char self_id[WATCHER_WORD_BYTES], self_name[WATCHER_NAME_BYTES];
	char epoch[WATCHER_WORD_BYTES];
	uint64_t seq;
	uint32_t fired;   /* the class of the last quorum-… that was told */
	uint64_t lost_ns; /* when no verdict becomes a loss; UINT64_MAX */
	char why[WATCHER_WORD_BYTES];
};

/* Reads the state file and starts the runner; says what is wrong. */
RK_MUST_CHECK enum exitcode watcher_hooks_open(struct watcher_hooks *hooks);

/* The greeting's words, NULL: none; they are copied. */
void watcher_hooks_connected(struct watcher_hooks *hooks, const char *self_id,
    const char *self_name, const char *epoch);

/*
 * Every record there is, in order; passes: the filter lets it pass.  Uses the
 * lists of word up.
 */
void watcher_hooks_take(struct watcher_hooks *hooks, enum watcher_event event,
    struct word *word, bool passes);

uint64_t watcher_hooks_deadline_ns(const struct watcher_hooks *hooks);
/* 0, or -1 and the code to end with. */
RK_MUST_CHECK int watcher_hooks_turn(struct watcher_hooks *hooks, int *code);

#endif
