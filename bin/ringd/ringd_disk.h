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

enum {
	RINGD_DISK_BLOCK = 1024, /* ring sequences reserved at a start */
	/* Of another job for the writer, and of its answer. */
	RINGD_DISK_JOB_BYTES = 1024,
};

/*
 * Does a job, in the writer process: len bytes at bytes, which has
 * RINGD_DISK_JOB_BYTES.  Leaves the answer there and returns its length; both
 * are longer than 8.
 */
typedef size_t ringd_disk_fn(void *arg, void *bytes, size_t len);

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
	/* Set between open and start; NULL: there are no other jobs. */
	ringd_disk_fn *work;
	void *work_arg;
	size_t answer_len; /* of a job, below */
	uint8_t answer[RINGD_DISK_JOB_BYTES];
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

/* Asks for another job to be done, after those before; never waits. */
RK_MUST_CHECK int ringd_disk_ask_job(
    struct ringd_disk *disk, const void *bytes, size_t len);

/* What the first four octets of a job, and of its answer, say. */
enum ringd_job { RINGD_JOB_KEYS, RINGD_JOB_RELOAD };

enum { RINGD_DISK_MARK = 1, RINGD_DISK_JOB = 2 };

/*
 * disk->fd is readable: RINGD_DISK_MARK and the mark that became durable,
 * RINGD_DISK_JOB when that is done (disk->answer), 0 nothing yet, -E… when
 * the writer failed or died.
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
