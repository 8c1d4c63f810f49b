/* SPDX-License-Identifier: BSD-3-Clause */
/* The store's log as bytes: segments, batches, frames, and what a crash left.
 *
 * A segment is a file that has its full size from the beginning: a header,
 * then batches.  A batch is what one write brings: a head, frames, zeroes up
 * to the next block.  It is written when all before it was fsynced, so what is
 * bad is damaged if anything whole follows, and otherwise torn by a crash.
 */
#ifndef RK_KV_LOG_H
#define RK_KV_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

#include "bin/cfgstored/kv_command.h"
#include "bin/cfgstored/kv_rules.h"

enum {
	KV_LOG_BLOCK = 512, /* no block is ever written by two batches */
	KV_LOG_HEADER_BYTES = 4096,
	KV_LOG_BATCH_HEAD_BYTES = 32,
	KV_LOG_FRAME_HEAD_BYTES = 64, /* at most */
	/* Of one record; of one batch's frames. */
	KV_LOG_RECORD_BYTES_MAX = KV_COMMAND_BYTES_MAX + 4096,
	KV_LOG_BATCH_BYTES_MAX = 2 << 20,
	KV_LOG_SEGMENT_BYTES = 16 << 20,
};

/* ---- frames ------------------------------------------------------------ */

enum kv_log_kind {
	/* How the log stood: first of each segment, there only. */
	KV_LOG_LINK = 1,
	/* The next one; in a takeover, of what is to be the log. */
	KV_LOG_RECORD,
	/* What follows will replace the log from index on. */
	KV_LOG_BEGIN,
	/* And now it has.  Without it nothing behind BEGIN is there. */
	KV_LOG_END,
	/* And never will. */
	KV_LOG_ABORT,
	KV_LOG_KINDS
};

/*
 * What a log comes to, frame by frame.  While is_taking, next is the end of
 * what will be the log, and tip and acked are still what counts.
 */
struct kv_log_state {
	bool is_verified; /* it is whole: tip says what was confirmed */
	struct kv_tip tip;
	uint64_t acked; /* index; what was known when it was written */
	bool is_taking;
	uint64_t from; /* index of its first record */
	/* Nothing of the old log stays: state after from - 1 is a snapshot. */
	bool is_on_snapshot;
	struct kv_tip next;
};

/* What of it counts depends on the kind; bytes are borrowed. */
struct kv_log_frame {
	enum kv_log_kind kind;
	struct kv_tip tip;   /* RECORD: its own; BEGIN: of the one before */
	uint64_t acked;      /* RECORD, END: the highest index known to be */
	bool is_on_snapshot; /* BEGIN */
	struct kv_log_state state; /* LINK */
	const uint8_t *bytes;      /* RECORD */
	size_t len;
};

/* All but RECORD's bytes, which follow.  Answers the length. */
size_t kv_log_frame_head(
    const struct kv_log_frame *frame, uint8_t out[KV_LOG_FRAME_HEAD_BYTES]);

/*
 * Goes on by one frame.  KV_LOG_E_ORDER: this frame cannot come here; state
 * is as it was.
 */
enum { KV_LOG_E_ORDER = 1 };
RK_MUST_CHECK int kv_log_follow(
    struct kv_log_state *state, const struct kv_log_frame *frame);

/* ---- segments ---------------------------------------------------------- */

struct kv_log_segment {
	uint64_t serial; /* from 1 without holes, in the order of use */
	uint64_t salt;   /* new at each use of the blocks; never 0 */
	uint64_t bytes;  /* of the file; a multiple of KV_LOG_BLOCK */
};
void kv_log_header(
    const struct kv_log_segment *segment, uint8_t out[KV_LOG_HEADER_BYTES]);

/* Frames in order of at most KV_LOG_BATCH_BYTES_MAX bytes, in spans. */
struct kv_log_span {
	const uint8_t *bytes;
	size_t len;
};
void kv_log_batch_head(const struct kv_log_segment *segment, uint64_t offset,
    const struct kv_log_span spans[2], uint8_t out[KV_LOG_BATCH_HEAD_BYTES]);

/* ---- reading ----------------------------------------------------------- */

enum kv_log_finding {
	KV_LOG_WHOLE,
	KV_LOG_TORN,    /* behind end there was an unfinished write */
	KV_LOG_SHORT,   /* the file is not as long as it says */
	KV_LOG_DAMAGED, /* what had been fsynced is bad; the log ends */
};
struct kv_log_found {
	struct kv_log_segment segment; /* serial 0: its header is bad */
	enum kv_log_finding finding;
	uint64_t end;     /* offset behind the last whole batch */
	uint64_t batches; /* 0: it has never been used */
};

/*
 * Looks at a whole segment.  Whether torn is damaged, too, because a later
 * segment was used, the caller has to see: that one's first batch was written
 * when this one was fsynced.
 */
void kv_log_look(struct kv_log_found *out, const void *bytes, size_t len);

/*
 * The frames up to end of a segment that was looked at: false behind the last,
 * or where a frame is none (is_bad), which only a writer gone mad can bring.
 */
struct kv_log_cursor {
	const uint8_t *bytes;
	uint64_t end;
	uint64_t batch_end; /* of the frames of the batch it is in */
	uint64_t next_batch;
	uint64_t at;
	bool is_bad;
};
void kv_log_cursor_init(struct kv_log_cursor *cursor,
    const struct kv_log_found *found, const void *bytes);
bool kv_log_next(struct kv_log_cursor *cursor, struct kv_log_frame *out);

#endif
