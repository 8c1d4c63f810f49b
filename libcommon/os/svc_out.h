/* SPDX-License-Identifier: BSD-3-Clause */
/* What clients have not read yet: queues that share one pool of chunks.
 *
 * A queue is a list of segments, each a part of a chunk.  Short lines are
 * copied behind each other into a chunk of the queue's own.  A long payload
 * is copied once, into chunks that the queues of all its readers refer to.
 */
#ifndef RK_SVC_OUT_H
#define RK_SVC_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct iovec;
struct svc_out;

enum {
	SVC_OUT_CHUNK_BYTES = 16384,
	SVC_OUT_SHARED_BYTES = 2048, /* payloads from here on are shared */
};

#define SVC_OUT_NONE UINT32_MAX

/* Zeroed is not empty: svc_queue_init. */
struct svc_queue {
	uint32_t head, tail; /* segments, or SVC_OUT_NONE */
	size_t bytes;        /* queued */
};

/*
 * A payload on its way to several queues: its bytes and one LF.  It takes
 * chunks when the first queue wants it, and keeps them until the last reader
 * has it and svc_payload_done was called.
 */
struct svc_payload {
	const void *bytes; /* borrowed until svc_payload_done */
	size_t len;
	uint32_t first_chunk; /* SVC_OUT_NONE: not copied yet */
};

/* pool_bytes is rounded up to whole chunks.  NULL from a measuring arena. */
struct svc_out *svc_out_create(struct arena *arena, size_t pool_bytes);

/* Chunks that nobody holds. */
uint32_t svc_out_free(const struct svc_out *out);

void svc_queue_init(struct svc_queue *queue);

/* Copies all of it to the end, or nothing (false) when the pool is full. */
bool svc_queue_put(struct svc_out *out, struct svc_queue *queue,
    const void *bytes, size_t len);

/*
 * The same for a line, ended by LF and at most a chunk, and the payload that
 * it announces.
 */
bool svc_queue_put_data(struct svc_out *out, struct svc_queue *queue,
    const void *line, size_t len, struct svc_payload *payload);

void svc_payload_init(
    struct svc_payload *payload, const void *bytes, size_t len);
void svc_payload_done(struct svc_out *out, struct svc_payload *payload);

/* The first bytes of the queue, for writev: how many of max were filled. */
int svc_queue_peek(const struct svc_out *out, const struct svc_queue *queue,
    struct iovec *iov, int max);

/* Forgets the first len bytes, which must be there. */
void svc_queue_drop(struct svc_out *out, struct svc_queue *queue, size_t len);

void svc_queue_clear(struct svc_out *out, struct svc_queue *queue);

#endif
