/* SPDX-License-Identifier: BSD-3-Clause */
/* The event loop: epoll with the next deadline, one signalfd.
 *
 * One iteration, always in this order: wait; sample the clock once; signals;
 * timers that are due; ready descriptors by slot (the lowest free slot is
 * given at registration, so what is registered first is served first);
 * flushes, in the order they were registered.
 */
#ifndef RK_LOOP_H
#define RK_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

struct arena;
struct loop;

enum {
	LOOP_READ = 1,  /* readable, or the other side has half-closed */
	LOOP_WRITE = 2, /* writable */
	LOOP_HUP = 4,   /* gone in both directions, or broken */
};

enum {
	LOOP_TIMERS = 8,
	LOOP_FLUSHES = 8,
	LOOP_SIGNALS = 8,
};

typedef void loop_fd_fn(
    struct loop *loop, void *arg, uint32_t ready, uint64_t now_ns);
typedef void loop_fn(struct loop *loop, void *arg, uint64_t now_ns);
/* Absolute; UINT64_MAX: none; 0: at once, without waiting. */
typedef uint64_t loop_deadline_fn(const void *arg);
typedef void loop_signal_fn(
    struct loop *loop, void *arg, int signo, uint64_t now_ns);

/*
 * Memory for fds_max descriptors, from the arena; NULL when it measures.
 * loop_open must follow.
 */
struct loop *loop_create(struct arena *arena, uint32_t fds_max);

/* Opens the three descriptors of the loop and ignores SIGPIPE. */
RK_MUST_CHECK int loop_open(struct loop *loop);
void loop_close(struct loop *loop);

/*
 * Watches fd, which stays the caller's, for reading: its slot, or -E….
 * -ENOSPC when all slots are taken.
 */
RK_MUST_CHECK int loop_add_fd(
    struct loop *loop, int fd, loop_fd_fn *fn, void *arg);

/* Changes what a slot waits for: LOOP_READ and LOOP_WRITE, or 0. */
void loop_want(struct loop *loop, int slot, uint32_t wanted);

/* Before the descriptor is closed.  No callback of it comes afterwards. */
void loop_remove_fd(struct loop *loop, int slot);

/* Timers are asked for their deadline before every wait. */
void loop_add_timer(
    struct loop *loop, loop_deadline_fn *deadline, loop_fn *fn, void *arg);

/* Called at the end of every iteration. */
void loop_add_flush(struct loop *loop, loop_fn *fn, void *arg);

/* After loop_open: blocks signo and delivers it in the loop. */
RK_MUST_CHECK int loop_add_signal(
    struct loop *loop, int signo, loop_signal_fn *fn, void *arg);

/*
 * Runs until loop_stop; answers its code, or -E… when waiting failed.  May
 * be called again.
 */
RK_MUST_CHECK int loop_run(struct loop *loop);

/* loop_run answers code at the end of this iteration; the first one counts. */
void loop_stop(struct loop *loop, int code);

struct loop_stats {
	uint64_t iterations;
	uint64_t busy_ns_max; /* the longest iteration, without its wait */
	uint64_t late_ns_max; /* the latest that a timer was served */
};
void loop_stats(const struct loop *loop, struct loop_stats *out);

#endif
