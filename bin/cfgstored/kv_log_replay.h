/* SPDX-License-Identifier: BSD-3-Clause */
/* The log that a row of segments comes to, and its records in order. */
#ifndef RK_KV_LOG_REPLAY_H
#define RK_KV_LOG_REPLAY_H

#include "bin/cfgstored/kv_log.h"

/* Of a file: what was found, under which serial it was found, its bytes. */
struct kv_log_file {
	struct kv_log_found found;
	uint64_t serial;
	const uint8_t *bytes; /* borrowed */
};

enum kv_log_health {
	KV_LOG_GOOD,
	KV_LOG_BLANK, /* nothing was ever written */
	KV_LOG_BAD,   /* not whole: why */
};

/*
 * Where a walk is; and, in one that tells, whether the frames are those of a
 * takeover that was never finished.
 */
struct kv_log_walk {
	size_t file;
	struct kv_log_cursor cursor;
	bool is_void;
};

struct kv_log_replay {
	const struct kv_log_file *files; /* borrowed */
	size_t count;
	enum kv_log_health health;
	const char *why;           /* of BAD; a literal */
	uint64_t why_serial;       /* 0: of no file */
	bool is_foreign;           /* BAD, as another version wrote it */
	size_t first;              /* the file where the log begins */
	size_t used;               /* files behind it were never used */
	struct kv_log_state state; /* at the end */
	/* A snapshot is needed of an index that is at least this; 0: none. */
	uint64_t floor;
	struct kv_log_walk start; /* of what to tell */
	struct kv_log_walk walk;
	uint64_t snapshot;
	uint64_t told; /* index of the last record */
};

/* Files have rising serials.  Checks every frame. */
void kv_log_replay_init(struct kv_log_replay *replay,
    const struct kv_log_file *files, size_t count);

/* Whether the log goes on from a snapshot of index. */
bool kv_log_replay_fits(const struct kv_log_replay *replay, uint64_t index);

/* Of a GOOD log: from the record behind snapshot on, which fits. */
void kv_log_replay_begin(struct kv_log_replay *replay, uint64_t snapshot);

/*
 * RECORD; or BEGIN: the records behind tip.index are replaced by what
 * follows.  false: that was all.
 */
bool kv_log_replay_next(struct kv_log_replay *replay, struct kv_log_frame *out);

#endif
