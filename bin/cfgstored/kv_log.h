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
#include "libcommon/base/rdbuf.h"

#include "bin/cfgstored/kv_command.h"
#include "bin/cfgstored/kv_rules.h"

enum {
	KV_LOG_BLOCK = 512, /* no block is ever written by two batches */
	KV_LOG_HEADER_BYTES = 4096,
	KV_LOG_BATCH_HEAD_BYTES = 32,
	KV_LOG_FRAME_HEAD_BYTES = 128, /* at most */
	/* Of one record; of one batch's frames. */
	KV_LOG_RECORD_BYTES_MAX = KV_COMMAND_BYTES_MAX + 4096,
	KV_LOG_BATCH_BYTES_MAX = 2 << 20,
	KV_LOG_SEGMENT_BYTES = 16 << 20,
};

/* ---- frames ------------------------------------------------------------ */

enum kv_log_kind {
	/* How the log stood: first of each segment, and there only. */
	KV_LOG_LINK = 1,
	/* The next one; in a takeover, of what is to be the log. */
	KV_LOG_RECORD,
	/* What follows will replace the log behind tip. */
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
	bool is_taking;
	/* Nothing of the old log stays: the state at base is a snapshot. */
	bool is_on_snapshot;
	struct kv_tip tip;
	uint64_t acked;     /* an index that is known to be acknowledged */
	struct kv_tip base; /* of the takeover: the end of what stays */
	struct kv_tip next;
};

/* What of it counts depends on the kind; bytes are borrowed. */
struct kv_log_frame {
	enum kv_log_kind kind;
	bool is_first;             /* LINK: nothing before it counts */
	bool is_on_snapshot;       /* BEGIN */
	struct kv_tip tip;         /* RECORD, BEGIN */
	uint64_t acked;            /* RECORD, END */
	struct kv_log_state state; /* LINK */
	const uint8_t *bytes;      /* RECORD */
	size_t len;
};

/* All but RECORD's bytes, which follow.  Answers the length. */
size_t kv_log_frame_head(
    const struct kv_log_frame *frame, uint8_t out[KV_LOG_FRAME_HEAD_BYTES]);

/* The next frame; false: there is none, or (is_short) it is none. */
bool kv_log_frame_take(struct rdbuf *rd, struct kv_log_frame *out);

/* false: this frame cannot come here; state is as it was. */
RK_MUST_CHECK bool kv_log_follow(
    struct kv_log_state *state, const struct kv_log_frame *frame);

/* ---- segments ---------------------------------------------------------- */

struct kv_log_segment {
	uint64_t serial; /* from 1 without holes, in the order of use */
	uint64_t salt;   /* of this use of the blocks */
	uint64_t bytes;  /* of the file; a multiple of KV_LOG_BLOCK */
};
void kv_log_header(
    const struct kv_log_segment *segment, uint8_t out[KV_LOG_HEADER_BYTES]);

/* Frames of KV_LOG_BATCH_BYTES_MAX bytes at most, perhaps none, in pieces. */
struct kv_log_piece {
	const uint8_t *bytes;
	size_t len;
};
void kv_log_batch_head(const struct kv_log_segment *segment, uint64_t offset,
    const struct kv_log_piece *pieces, size_t count,
    uint8_t out[KV_LOG_BATCH_HEAD_BYTES]);

/* What a batch with so many bytes of frames takes. */
uint64_t kv_log_batch_bytes(size_t len);

/* ---- reading ----------------------------------------------------------- */

enum kv_log_finding {
	KV_LOG_WHOLE,
	KV_LOG_TORN,    /* and a write behind the end was cut short */
	KV_LOG_HEADER,  /* the header is bad; serial is 0 */
	KV_LOG_LENGTH,  /* the file is not as long as its header says */
	KV_LOG_DAMAGED, /* something whole stands behind what is bad */
	KV_LOG_VERSION, /* another version wrote it; serial is 0 */
};
/*
 * end is where the log goes on, and begins to be bad.  A segment that ends
 * early is sound only if no later one was used: see kv_log_replay.h.
 */
struct kv_log_found {
	struct kv_log_segment segment;
	enum kv_log_finding finding;
	uint64_t end;
	uint64_t batches; /* whole ones; 0: it has never been used */
};
void kv_log_look(struct kv_log_found *out, const void *bytes, size_t len);

/* The frames of a segment that was looked at, up to its end. */
struct kv_log_cursor {
	const uint8_t *bytes;
	uint64_t next; /* offset of the next batch */
	uint64_t end;
	struct rdbuf batch;
};
void kv_log_cursor_init(struct kv_log_cursor *cursor,
    const struct kv_log_found *found, const void *bytes);
/* false: behind the last, or (batch.is_short) no writer wrote this. */
bool kv_log_next(struct kv_log_cursor *cursor, struct kv_log_frame *out);

#endif
