/* SPDX-License-Identifier: BSD-3-Clause */
/* Records that wait for a hook, in order, and what is common to several. */
#ifndef RK_HOOK_QUEUE_H
#define RK_HOOK_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/os/hook_ids.h"

enum { HOOK_QUEUE_MAX = 1000 }; /* records; older ones are dropped */

/* What happened, and what is true since then.  All strings are records of
 * version 1 without their line feed, but table, which is any lines. */
struct hook_record {
	const char *line;    /* what happened; its first word names it */
	const char *context; /* "now key=value…": see hook_env.c */
	const char *table;   /* the state after it, NULL: none */
	bool shows_table;    /* the table belongs to a hook's input */
	bool is_urgent;
	bool is_partial;  /* the rest of the change follows */
	uint32_t classes; /* bits: the jobs that are for it; not 0 */
	uint64_t at_ns;
};

/* A record that is kept; its strings are its own. */
struct hook_entry {
	struct hook_entry *next; /* newer */
	struct hook_record record;
	char *bytes, *table;
};

struct hook_queue {
	struct hook_entry *oldest, *newest;
	size_t count;
	uint64_t lost; /* dropped, before those that are here */
	/* What the dropped ones told. */
	struct hook_ids joined, left;
};

void hook_queue_init(struct hook_queue *queue);
void hook_queue_clear(struct hook_queue *queue);

/*
 * Copies the record to the end, or before all others.  With is_merged, only
 * the newest table is kept.  false: no memory, nothing was done.
 */
bool hook_queue_put(
    struct hook_queue *queue, const struct hook_record *record, bool is_merged);
bool hook_queue_put_first(
    struct hook_queue *queue, const struct hook_record *record);

/* Moves at most max entries, the oldest, and what was lost, to the end. */
void hook_queue_move(
    struct hook_queue *to, struct hook_queue *from, size_t max);

/*
 * The entries of from that are still for one of these classes, and for no
 * other from now on, come before those of to; the others are freed.
 */
void hook_queue_put_back(
    struct hook_queue *to, struct hook_queue *from, uint32_t classes);

const struct hook_record *hook_queue_first(const struct hook_queue *queue);
/* The newest that is for the classes; NULL: none. */
const struct hook_record *hook_queue_newest(
    const struct hook_queue *queue, uint32_t classes);
/* How many are for the classes. */
size_t hook_queue_count(const struct hook_queue *queue, uint32_t classes);
/* One of those wants the table, too. */
bool hook_queue_shows_table(const struct hook_queue *queue, uint32_t classes);
/* The newest state; NULL: none. */
const char *hook_queue_table(const struct hook_queue *queue);
uint32_t hook_queue_classes(const struct hook_queue *queue);
bool hook_queue_is_urgent(const struct hook_queue *queue);

/*
 * Who joined and who left in the records for the classes: those of joined=
 * and left=, and the node of join and leave.
 */
void hook_queue_changes(const struct hook_queue *queue, uint32_t classes,
    struct hook_ids *joined, struct hook_ids *left);

#endif
