/* SPDX-License-Identifier: BSD-3-Clause */
/* A store's log in memory: what a writer writes, and what must be read back.
 *
 * Keeps the segments as bytes beside the records that they come to, so that a
 * test can spoil the bytes and compare.
 */
#ifndef RK_LOGWORLD_H
#define RK_LOGWORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/rng.h"

#include "bin/cfgstored/kv_log_replay.h"

enum {
	LOGWORLD_SEGMENTS = 24,
	LOGWORLD_SEGMENT_BYTES = KV_LOG_HEADER_BYTES + 12 * KV_LOG_BLOCK,
	LOGWORLD_RECORDS = 1024,
	LOGWORLD_BATCH_BYTES = 4 * KV_LOG_BLOCK,
};

/* A log as its owner sees it: what the record of each index holds. */
struct logworld_log {
	enum kv_log_health health;
	struct kv_tip tip;
	uint64_t acked;
	uint64_t floor; /* records up to it are in a snapshot */
	uint32_t value[LOGWORLD_RECORDS];
	uint64_t view[LOGWORLD_RECORDS]; /* of their epochs */
};

struct logworld {
	struct rng rng;
	size_t count; /* of segments; the last is the active */
	struct kv_log_segment segment[LOGWORLD_SEGMENTS];
	uint8_t bytes[LOGWORLD_SEGMENTS][LOGWORLD_SEGMENT_BYTES];
	uint64_t offset; /* in the last */
	struct kv_log_state state;
	struct logworld_log log;    /* as of all batches */
	struct logworld_log staged; /* in a takeover */
	uint64_t view;
	/* Frames that are not in a batch yet. */
	uint8_t pending[LOGWORLD_BATCH_BYTES];
	size_t pending_len;
	/* The last batch: where, and what stood there. */
	size_t last_segment;
	uint64_t last_offset, last_len;
	uint8_t before[LOGWORLD_SEGMENT_BYTES];
	bool is_new_segment; /* the last batch was its first */
};

/* An empty log that was founded, or, unless is_verified, begun blank. */
void logworld_init(struct logworld *world, uint64_t seed, bool is_verified);

/* Puts a frame: false, with nothing put, when it is not for this batch. */
bool logworld_put(struct logworld *world, const struct kv_log_frame *frame);

/* A few random frames that a replica could give. */
void logworld_play(struct logworld *world);

/* Writes what was put as one batch, perhaps in the next segment. */
void logworld_write(struct logworld *world);

/* A segment without batches behind the active, as the preparer leaves it. */
void logworld_spare(struct logworld *world);

/* What all the segments come to. */
void logworld_read(const struct logworld *world, struct logworld_log *out);

bool logworld_is_equal(
    const struct logworld_log *a, const struct logworld_log *b);

#endif
