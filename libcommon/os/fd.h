/* SPDX-License-Identifier: BSD-3-Clause */
/* File descriptors: flags, and reads and writes that are finished. */
#ifndef RK_FD_H
#define RK_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

/* 0 or -E…. */
RK_MUST_CHECK int fd_set_nonblock(int fd, bool is_nonblock);
RK_MUST_CHECK int fd_set_cloexec(int fd, bool is_cloexec);

/* All descriptors from first on.  Where the kernel cannot, they stay open. */
void fd_close_on_exec_from(int first);

/*
 * Writes all of it, waiting when it must, for at most until deadline_ns
 * (UINT64_MAX: for ever; -ETIMEDOUT after it).  0 or -E….
 */
RK_MUST_CHECK int fd_write_full(
    int fd, const void *bytes, size_t len, uint64_t deadline_ns);

/* Waits for poll events until deadline_ns: revents > 0, 0 on time, -E…. */
RK_MUST_CHECK int fd_wait(int fd, short events, uint64_t deadline_ns);

/*
 * Reads a whole file of at most size bytes: the length, -EFBIG when it is
 * longer, or another -E….
 */
RK_MUST_CHECK long fd_read_file(const char *path, void *bytes, size_t size);

/* Closes *fd if it is open and sets it to -1. */
void fd_close(int *fd);

#endif
