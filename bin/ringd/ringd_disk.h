/* SPDX-License-Identifier: BSD-3-Clause */
/* What ringd must remember over a crash: ring sequences and incarnations.
 *
 * One small file, replaced whole: written beside, fsynced, renamed, the folder
 * fsynced.  At the start that is done here and now; afterwards a child process
 * does it, because an fsync may take seconds and the ring may not wait.
 */
#ifndef RK_RINGD_DISK_H
#define RK_RINGD_DISK_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

struct text;

enum { RINGD_DISK_BLOCK = 1024 }; /* ring sequences reserved at a start */

struct ringd_disk {
	int dir_fd;
	int lock_fd; /* held for life: one ringd a state folder */
	int fd;      /* to the writer; -1: not started */
	pid_t writer;
	uint64_t incarnation; /* of this start */
	uint64_t ring_seq;    /* the mark that was read */
	uint64_t reserved;    /* the mark that is durable now */
	bool is_first;        /* there was no readable file */
	bool is_damaged;      /* and yet there was something */
};

/*
 * Opens the folder (making it when only it is missing), reads the file, makes
 * a new incarnation and reservation durable.  Without a readable file both
 * come from the clock.  -E… with the reason in why.
 */
RK_MUST_CHECK int ringd_disk_open(
    struct ringd_disk *disk, const char *statedir, struct text *why);

/* Makes disk's incarnation and reserved mark durable, which takes its time. */
RK_MUST_CHECK int ringd_disk_write(const struct ringd_disk *disk);

/* Forks the writer: 0 or -E….  Before memory is locked. */
RK_MUST_CHECK int ringd_disk_start(struct ringd_disk *disk);

/* Asks for a larger mark to be made durable; never waits.  0 or -E…. */
RK_MUST_CHECK int ringd_disk_ask(struct ringd_disk *disk, uint64_t ring_seq);

/*
 * disk->fd is readable: 1 and the mark that became durable, 0 nothing yet,
 * -E… when the writer failed or died.
 */
RK_MUST_CHECK int ringd_disk_answer(
    struct ringd_disk *disk, uint64_t *ring_seq);

/*
 * Ends the writer, then makes it durable that this incarnation was reached, so
 * that the next start is above it.  0 or -E….
 */
RK_MUST_CHECK int ringd_disk_outlive(
    struct ringd_disk *disk, uint64_t incarnation);

/* Ends the writer after what it was asked. */
void ringd_disk_close(struct ringd_disk *disk);

#endif
