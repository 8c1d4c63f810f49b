/* SPDX-License-Identifier: BSD-3-Clause */
/* What a hook prints, passed on to standard error line by line. */
#ifndef RK_HOOK_OUT_H
#define RK_HOOK_OUT_H

#include <stdbool.h>
#include <stddef.h>

#include "libcommon/base/attr.h"

enum {
	HOOK_OUT_BYTES = 65536, /* of one run; the rest is dropped */
	HOOK_OUT_LINE = 900,    /* longer lines are told in pieces */
};

struct hook_out {
	int fd; /* -1: closed */
	const char *name;
	size_t total, len;
	bool is_cut;
	char line[HOOK_OUT_LINE];
};

/*
 * Opens a pipe; *write_end is the caller's, for the hook.  Its lines will
 * begin with "PROGRAM: NAME: "; name is kept.  0 or -E….
 */
RK_MUST_CHECK int hook_out_open(
    struct hook_out *out, const char *name, int *write_end);

/* Passes on what is there.  Never waits, neither to read nor to write. */
void hook_out_turn(struct hook_out *out);

/* The last of it, then closes. */
void hook_out_close(struct hook_out *out);

#endif
