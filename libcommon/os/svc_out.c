/* SPDX-License-Identifier: BSD-3-Clause */
/* A chunk is counted by the segments that refer to it and by the payload that
 * is being handed out.  Only the tail segment of a queue grows, and only while
 * nothing stands behind it in its chunk and nobody else refers to that.
 */
#include "libcommon/os/svc_out.h"

#include <sys/uio.h>

#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

/* Segments per chunk, on the average: payloads shared by many readers. */
enum { SEGMENTS_PER_CHUNK = 16 };

struct chunk {
	uint32_t refs;
	uint32_t used; /* bytes from the start */
	uint32_t next; /* free list, or the payload's chain */
};

struct segment {
	uint32_t chunk;
	uint32_t start;
	uint32_t len;
	uint32_t next;
};

struct svc_out {
	unsigned char *bytes;
	struct chunk *chunks;
	struct segment *segments;
	uint32_t chunk_count;
	uint32_t free_chunk, free_chunks;
	uint32_t free_segment, free_segments;
};

struct svc_out *
svc_out_create(struct arena *arena, size_t pool_bytes)
{
	struct svc_out *out = arena_take(arena, sizeof *out);
	uint32_t count =
	    (uint32_t)(num_round_up(pool_bytes, SVC_OUT_CHUNK_BYTES) /
		SVC_OUT_CHUNK_BYTES);
	uint32_t segments = count * SEGMENTS_PER_CHUNK;
	struct chunk *chunks = arena_take(arena, count * sizeof *chunks);
	struct segment *segs = arena_take(arena, segments * sizeof *segs);
	void *bytes = arena_take(arena, (size_t)count * SVC_OUT_CHUNK_BYTES);

	if (out == NULL)
		return NULL;
	*out = (struct svc_out){ .bytes = bytes,
		.chunks = chunks,
		.segments = segs,
		.chunk_count = count,
		.free_chunks = count,
		.free_segments = segments };
	for (uint32_t i = 0; i < count; i++)
		chunks[i].next = i + 1 < count ? i + 1 : SVC_OUT_NONE;
	for (uint32_t i = 0; i < segments; i++)
		segs[i].next = i + 1 < segments ? i + 1 : SVC_OUT_NONE;
	return out;
}

uint32_t
svc_out_free(const struct svc_out *out)
{
	return out->free_chunks;
}

void
svc_queue_init(struct svc_queue *queue)
{
	*queue = (struct svc_queue){ SVC_OUT_NONE, SVC_OUT_NONE, 0 };
}

static unsigned char *
chunk_bytes(const struct svc_out *out, uint32_t chunk)
{
	return out->bytes + (size_t)chunk * SVC_OUT_CHUNK_BYTES;
}

static uint32_t
take_chunk(struct svc_out *out)
{
	uint32_t i = out->free_chunk;

	ENSURE(out->free_chunks > 0);
	out->free_chunk = out->chunks[i].next;
	out->free_chunks--;
	out->chunks[i] = (struct chunk){ .next = SVC_OUT_NONE };
	return i;
}

static void
put_chunk(struct svc_out *out, uint32_t i)
{
	ENSURE(out->chunks[i].refs > 0);
	if (--out->chunks[i].refs > 0)
		return;
	out->chunks[i].next = out->free_chunk;
	out->free_chunk = i;
	out->free_chunks++;
}

/* A segment at the end of the queue, for bytes that are in the chunk. */
static void
append_segment(
    struct svc_out *out, struct svc_queue *queue, const struct segment *what)
{
	uint32_t i = out->free_segment;

	ENSURE(out->free_segments > 0);
	out->free_segment = out->segments[i].next;
	out->free_segments--;
	out->segments[i] = *what;
	out->segments[i].next = SVC_OUT_NONE;
	out->chunks[what->chunk].refs++;
	if (queue->tail == SVC_OUT_NONE)
		queue->head = i;
	else
		out->segments[queue->tail].next = i;
	queue->tail = i;
	queue->bytes += what->len;
}

static void
drop_segment(struct svc_out *out, struct svc_queue *queue)
{
	uint32_t i = queue->head;
	struct segment *segment = &out->segments[i];

	put_chunk(out, segment->chunk);
	queue->head = segment->next;
	if (queue->head == SVC_OUT_NONE)
		queue->tail = SVC_OUT_NONE;
	segment->next = out->free_segment;
	out->free_segment = i;
	out->free_segments++;
}

/* How many bytes the tail of the queue can still take. */
static size_t
tail_room(const struct svc_out *out, const struct svc_queue *queue)
{
	const struct segment *tail;
	const struct chunk *chunk;

	if (queue->tail == SVC_OUT_NONE)
		return 0;
	tail = &out->segments[queue->tail];
	chunk = &out->chunks[tail->chunk];
	if (chunk->refs != 1 || tail->start + tail->len != chunk->used)
		return 0;
	return SVC_OUT_CHUNK_BYTES - chunk->used;
}

/* Would len bytes, in pieces that are copied, fit? */
static bool
has_room(const struct svc_out *out, const struct svc_queue *queue, size_t len)
{
	size_t left = len - num_min(len, tail_room(out, queue));
	size_t chunks = (left + SVC_OUT_CHUNK_BYTES - 1) / SVC_OUT_CHUNK_BYTES;

	return chunks <= out->free_chunks && chunks <= out->free_segments;
}

/* The caller knows that there is room. */
static void
copy_in(
    struct svc_out *out, struct svc_queue *queue, const void *bytes, size_t len)
{
	const unsigned char *at = bytes;

	while (len > 0) {
		size_t n = num_min(len, tail_room(out, queue));

		if (n == 0) {
			append_segment(out, queue,
			    &(struct segment){ .chunk = take_chunk(out) });
			continue;
		}
		struct segment *tail = &out->segments[queue->tail];
		struct chunk *chunk = &out->chunks[tail->chunk];

		memcpy(chunk_bytes(out, tail->chunk) + chunk->used, at, n);
		chunk->used += (uint32_t)n;
		tail->len += (uint32_t)n;
		queue->bytes += n;
		at += n;
		len -= n;
	}
}

bool
svc_queue_put(
    struct svc_out *out, struct svc_queue *queue, const void *bytes, size_t len)
{
	if (!has_room(out, queue, len))
		return false;
	copy_in(out, queue, bytes, len);
	return true;
}

void
svc_payload_init(struct svc_payload *payload, const void *bytes, size_t len)
{
	*payload = (struct svc_payload){ bytes, len, SVC_OUT_NONE };
}

static size_t
payload_chunks(const struct svc_payload *payload)
{
	/* One byte for the LF. */
	return payload->len / SVC_OUT_CHUNK_BYTES + 1;
}

/* Copies the payload into a chain of chunks of its own. */
static void
fill_payload(struct svc_out *out, struct svc_payload *payload)
{
	const unsigned char *at = payload->bytes;
	size_t left = payload->len;
	uint32_t *link = &payload->first_chunk;

	for (size_t i = payload_chunks(payload); i > 0; i--) {
		uint32_t c = take_chunk(out);
		struct chunk *chunk = &out->chunks[c];
		size_t n = num_min(left, SVC_OUT_CHUNK_BYTES);

		memcpy(chunk_bytes(out, c), at, n);
		chunk->refs = 1;
		chunk->used = (uint32_t)n;
		at += n;
		left -= n;
		if (i == 1)
			chunk_bytes(out, c)[chunk->used++] = '\n';
		*link = c;
		link = &chunk->next;
	}
}

void
svc_payload_done(struct svc_out *out, struct svc_payload *payload)
{
	uint32_t next, i;

	for (i = payload->first_chunk; i != SVC_OUT_NONE; i = next) {
		next = out->chunks[i].next;
		put_chunk(out, i);
	}
	payload->first_chunk = SVC_OUT_NONE;
}

/* Refers to the payload's chunks; the caller knows that there is room. */
static void
share_payload(
    struct svc_out *out, struct svc_queue *queue, struct svc_payload *payload)
{
	uint32_t i;

	if (payload->first_chunk == SVC_OUT_NONE)
		fill_payload(out, payload);
	for (i = payload->first_chunk; i != SVC_OUT_NONE;
	     i = out->chunks[i].next)
		append_segment(out, queue,
		    &(struct segment){
			.chunk = i, .len = out->chunks[i].used });
}

bool
svc_queue_put_data(struct svc_out *out, struct svc_queue *queue,
    const void *line, size_t len, struct svc_payload *payload)
{
	ENSURE(len <= SVC_OUT_CHUNK_BYTES);
	if (payload->len < SVC_OUT_SHARED_BYTES) {
		if (!has_room(out, queue, len + payload->len + 1))
			return false;
		copy_in(out, queue, line, len);
		copy_in(out, queue, payload->bytes, payload->len);
		copy_in(out, queue, "\n", 1);
		return true;
	}
	/* Two more: the line may need a chunk and span into a second. */
	size_t chunks = payload_chunks(payload);
	size_t wanted = payload->first_chunk == SVC_OUT_NONE ? chunks + 2 : 2;

	if (out->free_chunks < wanted || out->free_segments < chunks + 2)
		return false;
	copy_in(out, queue, line, len);
	share_payload(out, queue, payload);
	return true;
}

int
svc_queue_peek(const struct svc_out *out, const struct svc_queue *queue,
    struct iovec *iov, int max)
{
	uint32_t i = queue->head;
	int n = 0;

	while (i != SVC_OUT_NONE && n < max) {
		const struct segment *segment = &out->segments[i];

		iov[n].iov_base =
		    chunk_bytes(out, segment->chunk) + segment->start;
		iov[n++].iov_len = segment->len;
		i = segment->next;
	}
	return n;
}

void
svc_queue_drop(struct svc_out *out, struct svc_queue *queue, size_t len)
{
	ENSURE(len <= queue->bytes);
	queue->bytes -= len;
	while (queue->head != SVC_OUT_NONE) {
		struct segment *segment = &out->segments[queue->head];

		if (len < segment->len) {
			segment->start += (uint32_t)len;
			segment->len -= (uint32_t)len;
			return;
		}
		len -= segment->len;
		drop_segment(out, queue);
	}
}

void
svc_queue_clear(struct svc_out *out, struct svc_queue *queue)
{
	svc_queue_drop(out, queue, queue->bytes);
	ENSURE(queue->head == SVC_OUT_NONE);
}
