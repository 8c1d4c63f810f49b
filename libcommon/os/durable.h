/* SPDX-License-Identifier: BSD-3-Clause */
/* One small file that survives a crash, replaced whole by a child process.
 *
 * Written beside, fsynced, renamed, the folder fsynced.  An fsync may take
 * seconds, so a process of its own does it, and says when it is done.
 */
#ifndef RK_DURABLE_H
#define RK_DURABLE_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

struct text;

enum {
	DURABLE_NAME_BYTES = 32,
	DURABLE_BYTES = 12288, /* of the file, at most */
};

struct durable {
	char name[DURABLE_NAME_BYTES];
	int dir_fd;
	int lock_fd; /* held for life: one owner of the file */
	int fd;      /* to the writer, for the loop; -1: not started */
	pid_t writer;
};

/*
 * Opens the folder (making it when only it is missing) and takes NAME.lock,
 * waiting for the writer of an owner that just died.  -E… with the reason in
 * why; then there is nothing to close.
 */
RK_MUST_CHECK int durable_open(struct durable *durable, const char *folder,
    const char *name, struct text *why);

/* The file: how many bytes of size, or -E….  -ENOENT: there is none yet. */
RK_MUST_CHECK long durable_read(
    const struct durable *durable, void *bytes, size_t size);

/* Makes bytes the file, here and now, which takes its time: 0 or -E…. */
RK_MUST_CHECK int durable_write(
    const struct durable *durable, const void *bytes, size_t len);

/* Forks the writer: 0 or -E….  Before memory is taken. */
RK_MUST_CHECK int durable_start(struct durable *durable);

/*
 * Asks for bytes, 1 to DURABLE_BYTES, to become the file; never waits.  0, or
 * -E…: -EAGAIN when too much is under way.
 */
RK_MUST_CHECK int durable_ask(
    struct durable *durable, const void *bytes, size_t len);

/*
 * fd is readable: 1 when the oldest request is durable, 0 nothing yet, -E…
 * when it could not be, or the writer died.
 */
RK_MUST_CHECK int durable_answer(struct durable *durable);

/* Ends the writer, after all that it was asked. */
void durable_close(struct durable *durable);

#endif
