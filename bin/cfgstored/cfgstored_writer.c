/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One batch at a time: what waits in the ring is written and fsynced while
 * more gathers there.  Nothing is written behind a batch before its fsync has
 * come back; the whole meaning of the files rests on that.
 */
#include "bin/cfgstored/cfgstored_writer.h"

#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/rdbuf.h"
#include "libcommon/base/wrbuf.h"
#include "libcommon/os/clock.h"

enum { KIND_AT = 4, PIECES = 4 };

#define MARK_NS (50 * CLOCK_MS_NS)

void
cfgstored_writer_put_trim(
    uint64_t index, uint8_t out[CFGSTORED_WRITER_TRIM_BYTES])
{
	struct wrbuf wr;

	wrbuf_init(&wr, out, CFGSTORED_WRITER_TRIM_BYTES);
	wrbuf_u32(&wr, sizeof index);
	wrbuf_u8(&wr, CFGSTORED_WRITER_TRIM);
	wrbuf_u64(&wr, index);
}

/* ---- words to the parent ----------------------------------------------- */

static void
say(struct cfgstored_writer *w, const struct cfgstored_writer_word *word)
{
	ssize_t n;

	do
		n = send(w->fd, word, sizeof *word, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	/* What it gave before it went is still to be written. */
	if (n < 0)
		w->is_orphan = true;
}

static void
say_kind(struct cfgstored_writer *w, enum cfgstored_disk_kind kind)
{
	say(w, &(struct cfgstored_writer_word){ .kind = kind });
}

RK_NORETURN static void
fail(struct cfgstored_writer *w, int error, enum cfgstored_file_call call)
{
	say(w,
	    &(struct cfgstored_writer_word){
		.kind = CFGSTORED_DISK_FAILED, .error = error, .call = call });
	_exit(1);
}

static bool
is_full(int rc)
{
	return rc == -ENOSPC || rc == -EDQUOT;
}

static void
note_full(struct cfgstored_writer *w)
{
	w->look_ns =
	    clock_now_ns() + (w->retry_ns > 0 ? w->retry_ns : CLOCK_S_NS);
	if (!w->is_full)
		say_kind(w, CFGSTORED_DISK_FULL);
	w->is_full = true;
}

static void
note_space(struct cfgstored_writer *w)
{
	if (w->is_full)
		say_kind(w, CFGSTORED_DISK_SPACE);
	w->is_full = false;
}

/* ---- segments ---------------------------------------------------------- */

static void
want_spare(struct cfgstored_writer *w)
{
	struct kv_log_segment wanted = { .serial = w->next_serial,
		.bytes = w->segment_bytes };
	int rc;

	if (w->spare.serial != 0 || w->is_preparing ||
	    (w->is_orphan && !w->is_stuck) ||
	    (w->is_full && clock_now_ns() < w->look_ns))
		return;
	rc = cfgstored_prepare_ask(&w->prepare, &wanted);
	if (rc < 0)
		fail(w, rc, CFGSTORED_FILE_CREATE);
	w->is_preparing = true;
}

static void
take_spare(struct cfgstored_writer *w)
{
	struct cfgstored_prepare_answer answer;
	int rc = cfgstored_prepare_answer(&w->prepare, &answer);

	w->is_preparing = false;
	if (rc == 0)
		rc = answer.rc;
	if (is_full(rc))
		note_full(w);
	else if (rc < 0)
		fail(w, rc, CFGSTORED_FILE_ALLOCATE);
	else {
		w->spare = answer.segment;
		w->next_serial++;
		note_space(w);
	}
}

static void
open_active(struct cfgstored_writer *w)
{
	char name[CFGSTORED_FILE_NAME_BYTES];
	int rc;

	cfgstored_file_name(name, "log-", w->active.serial, "");
	rc = cfgstored_file_open(&w->file, &w->folder, name);
	if (rc < 0)
		fail(w, rc, CFGSTORED_FILE_OPEN);
}

/* Oldest first, so that what is left is a row whatever happens. */
static void
remove_before(struct cfgstored_writer *w, uint64_t serial)
{
	char name[CFGSTORED_FILE_NAME_BYTES];
	size_t gone = 0;

	while (gone < w->count && w->rows[gone].serial < serial) {
		cfgstored_file_name(name, "log-", w->rows[gone++].serial, "");
		(void)cfgstored_folder_remove(&w->folder, name);
	}
	w->count -= gone;
	memmove(w->rows, w->rows + gone, w->count * sizeof w->rows[0]);
}

static void
remove_snapshots_but(struct cfgstored_writer *w, uint64_t index)
{
	uint64_t numbers[64];
	char name[CFGSTORED_FILE_NAME_BYTES];
	long count = cfgstored_folder_list(
	    &w->folder, "snap-", "", numbers, ARRAY_COUNT(numbers));

	for (long i = 0; i < count; i++) {
		if (numbers[i] == index)
			continue;
		cfgstored_file_name(name, "snap-", numbers[i], "");
		(void)cfgstored_folder_remove(&w->folder, name);
	}
}

/*
 * A segment may go when the one behind it begins at or before the snapshot,
 * and not within a takeover.  Some are kept for those who lag.
 */
static void
trim(struct cfgstored_writer *w, uint64_t index)
{
	uint64_t kept = 0;
	size_t i = w->count;

	while (i > 1) {
		const struct cfgstored_writer_row *behind = &w->rows[--i];

		if (behind->is_taking || behind->index > index)
			continue;
		kept += w->segment_bytes;
		if (kept > w->keep_bytes) {
			remove_before(w, behind->serial);
			break;
		}
	}
	remove_snapshots_but(w, index);
}

/*
 * The log may have too many segments, and what waits for another one stands
 * before the word that some may go.  That word may be taken first if there are
 * only records in between: no log is replaced by these.
 */
static bool
trim_early(struct cfgstored_writer *w)
{
	const uint8_t *bytes;
	size_t len = cfgstored_ring_peek(&w->ring, &bytes);
	struct rdbuf rd;

	rdbuf_init(&rd, bytes, len);
	while (rdbuf_left(&rd) > 0 && !w->state.is_taking) {
		struct kv_log_frame frame;

		if (bytes[rd.at + KIND_AT] == CFGSTORED_WRITER_TRIM) {
			(void)rdbuf_bytes(&rd, KIND_AT + 1);
			trim(w, rdbuf_u64(&rd));
			return w->count < w->count_max;
		}
		ENSURE(kv_log_frame_take(&rd, &frame));
		if (frame.kind != KV_LOG_RECORD)
			break;
	}
	return false;
}

/* false: the next segment is not there yet, or may not be. */
static bool
go_to_spare(struct cfgstored_writer *w)
{
	if (w->spare.serial == 0)
		return false;
	if (w->count >= w->count_max && !trim_early(w)) {
		note_full(w);
		return false;
	}
	if (w->active.serial != 0)
		cfgstored_file_close(&w->file);
	w->active = w->spare;
	w->spare.serial = 0;
	w->offset = KV_LOG_HEADER_BYTES;
	w->rows[w->count++] =
	    (struct cfgstored_writer_row){ .serial = w->active.serial,
		    .index = w->state.tip.index,
		    .is_taking = w->state.is_taking };
	open_active(w);
	want_spare(w);
	return true;
}

/* ---- batches ----------------------------------------------------------- */

/* Some of what waits in the ring: frames that are written together. */
struct batch {
	const uint8_t *bytes;
	size_t len;
	struct kv_log_state state; /* behind it */
	struct kv_log_frame last;
	struct kv_log_state before_last;
	bool is_begun; /* a takeover begins in it */
};

/* A mark that others wait for is the last of its batch. */
static bool
is_last(const struct kv_log_frame *frame)
{
	return frame->kind == KV_LOG_LINK || frame->kind == KV_LOG_END;
}

static void
gather(const struct cfgstored_writer *w, struct batch *batch, size_t max)
{
	const uint8_t *bytes;
	size_t len = cfgstored_ring_peek(&w->ring, &bytes);
	struct rdbuf rd;

	*batch = (struct batch){ .bytes = bytes, .state = w->state };
	rdbuf_init(&rd, bytes, len);
	while (rdbuf_left(&rd) > 0 &&
	    bytes[rd.at + KIND_AT] != CFGSTORED_WRITER_TRIM) {
		struct kv_log_frame frame;

		ENSURE(kv_log_frame_take(&rd, &frame));
		if (rd.at > max ||
		    (frame.kind == KV_LOG_LINK && batch->len > 0))
			break;
		batch->before_last = batch->state;
		ENSURE(kv_log_follow(&batch->state, &frame));
		batch->len = rd.at;
		batch->last = frame;
		batch->is_begun |= frame.kind == KV_LOG_BEGIN;
		if (is_last(&frame))
			break;
	}
}

/* false: no space; it is to be tried again. */
static bool
write_batch(
    struct cfgstored_writer *w, const struct kv_log_piece *frames, size_t count)
{
	static uint8_t zeroes[KV_LOG_BLOCK];
	uint8_t head[KV_LOG_BATCH_HEAD_BYTES];
	struct iovec pieces[PIECES + 1];
	size_t n = 0, len = 0;
	int rc;

	kv_log_batch_head(&w->active, w->offset, frames, count, head);
	pieces[n++] = (struct iovec){ head, sizeof head };
	for (size_t i = 0; i < count; i++) {
		/* Only read; writev's type does not say so. */
		memcpy(&pieces[n].iov_base, &frames[i].bytes, sizeof(void *));
		pieces[n++].iov_len = frames[i].len;
		len += frames[i].len;
	}
	pieces[n++] = (struct iovec){ zeroes,
		kv_log_batch_bytes(len) - len - sizeof head };
	rc = cfgstored_file_write(&w->file, w->offset, pieces, n);
	if (is_full(rc)) {
		note_full(w);
		return false;
	}
	if (rc < 0)
		fail(w, rc, CFGSTORED_FILE_WRITE);
	rc = cfgstored_file_sync(&w->file);
	if (rc < 0)
		fail(w, rc, CFGSTORED_FILE_SYNC);
	w->offset += kv_log_batch_bytes(len);
	w->is_marked = count == 0;
	w->mark_ns = clock_now_ns() + MARK_NS;
	return true;
}

/*
 * A log that begins counts alone: snapshots of another one must not be there
 * when it is whole.
 */
static void
finish_link(struct cfgstored_writer *w)
{
	int rc;

	remove_snapshots_but(w, 0);
	rc = cfgstored_folder_sync(&w->folder);
	if (rc < 0)
		fail(w, rc, CFGSTORED_FILE_SYNC_FOLDER);
	w->chain_serial = w->active.serial;
	if (w->state.is_verified)
		remove_before(w, w->chain_serial);
}

static void
finish_end(struct cfgstored_writer *w, const struct kv_log_state *taking)
{
	char from[CFGSTORED_FILE_NAME_BYTES], to[CFGSTORED_FILE_NAME_BYTES];
	int rc;

	if (!taking->is_on_snapshot) {
		remove_before(w, w->chain_serial);
		return;
	}
	cfgstored_file_name(from, "snap-", taking->base.index, ".in");
	cfgstored_file_name(to, "snap-", taking->base.index, "");
	rc = cfgstored_folder_rename(&w->folder, from, to);
	if (rc == 0)
		rc = cfgstored_folder_sync(&w->folder);
	if (rc < 0)
		fail(w, rc, CFGSTORED_FILE_RENAME);
	remove_before(w, w->begin_serial);
	remove_snapshots_but(w, taking->base.index);
}

static void
finish(struct cfgstored_writer *w, const struct batch *batch)
{
	const struct kv_tip before = w->state.tip;
	bool is_told;

	w->state = batch->state;
	if (batch->is_begun)
		w->begin_serial = w->active.serial;
	if (batch->last.kind == KV_LOG_LINK)
		finish_link(w);
	if (batch->last.kind == KV_LOG_END)
		finish_end(w, &batch->before_last);
	cfgstored_ring_drop(&w->ring, batch->len);
	if (w->spare.serial != 0)
		note_space(w);
	is_told = w->state.is_verified &&
	    (is_last(&batch->last) ||
		kv_tip_compare(&before, &w->state.tip) != 0);
	say(w,
	    &(struct cfgstored_writer_word){ .kind = is_told
		    ? CFGSTORED_DISK_SYNCED
		    : CFGSTORED_DISK_WRITTEN,
		.tip = w->state.tip });
}

/* How many bytes of frames the active segment still takes in one batch. */
static size_t
room(const struct cfgstored_writer *w)
{
	uint64_t left = w->active.serial == 0 ? 0 : w->active.bytes - w->offset;

	left = num_sub(left, KV_LOG_BATCH_HEAD_BYTES);
	if (w->offset == KV_LOG_HEADER_BYTES)
		left = num_sub(left, KV_LOG_FRAME_HEAD_BYTES);
	return (size_t)num_min(
	    left, KV_LOG_BATCH_BYTES_MAX - KV_LOG_FRAME_HEAD_BYTES);
}

static bool
is_fresh(const struct cfgstored_writer *w)
{
	return w->active.serial != 0 && w->offset == KV_LOG_HEADER_BYTES;
}

/* false: it has to wait for space, or for the next segment. */
static bool
write_frames(struct cfgstored_writer *w)
{
	const struct kv_log_frame link = { .kind = KV_LOG_LINK,
		.state = w->state };
	uint8_t bytes[KV_LOG_FRAME_HEAD_BYTES];
	struct kv_log_piece pieces[2];
	struct batch batch;
	size_t count = 0;

	gather(w, &batch, room(w));
	if (batch.len == 0 ||
	    (batch.last.kind == KV_LOG_LINK && !is_fresh(w))) {
		ENSURE(!is_fresh(w));
		if (!go_to_spare(w))
			return false;
		gather(w, &batch, room(w));
		ENSURE(batch.len > 0);
	}
	if (is_fresh(w) && batch.last.kind != KV_LOG_LINK) {
		pieces[count].bytes = bytes;
		pieces[count++].len = kv_log_frame_head(&link, bytes);
	}
	pieces[count].bytes = batch.bytes;
	pieces[count++].len = batch.len;
	if (!write_batch(w, pieces, count))
		return false;
	finish(w, &batch);
	return true;
}

/* ---- the process ------------------------------------------------------- */

/* false: nothing to do now. */
static bool
work(struct cfgstored_writer *w)
{
	const uint8_t *bytes;
	size_t len = cfgstored_ring_peek(&w->ring, &bytes);
	struct rdbuf rd;

	w->is_stuck = false;
	if (len == 0)
		return false;
	if (bytes[KIND_AT] != CFGSTORED_WRITER_TRIM) {
		w->is_stuck = !write_frames(w);
		return !w->is_stuck;
	}
	rdbuf_init(&rd, bytes + KIND_AT + 1, sizeof(uint64_t));
	trim(w, rdbuf_u64(&rd));
	cfgstored_ring_drop(&w->ring, CFGSTORED_WRITER_TRIM_BYTES);
	return true;
}

/*
 * An fsynced batch that is the last cannot be told from one that was not, so
 * an empty one is put behind it when there is time.
 */
static void
mark(struct cfgstored_writer *w)
{
	if (w->is_marked || w->active.serial == 0 ||
	    clock_now_ns() < w->mark_ns)
		return;
	w->is_marked = true;
	if (w->active.bytes - w->offset >= KV_LOG_BLOCK)
		(void)write_batch(w, NULL, 0); /* later, if there is no space */
}

static int
timeout_ms(const struct cfgstored_writer *w, bool is_idle)
{
	uint64_t until_ns = UINT64_MAX;
	uint64_t now_ns = clock_now_ns();

	if (is_idle && !w->is_marked && w->active.serial != 0)
		until_ns = w->mark_ns;
	if (w->is_full && !w->is_preparing)
		until_ns = num_min(until_ns, w->look_ns);
	if (until_ns == UINT64_MAX)
		return -1;
	return (int)(num_sub(until_ns, now_ns) / CLOCK_MS_NS + 1);
}

static void
drain(struct cfgstored_writer *w)
{
	char bytes[64];
	ssize_t n;

	do
		n = recv(w->fd, bytes, sizeof bytes, MSG_DONTWAIT);
	while (n > 0);
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		w->is_orphan = true;
}

static void
wait_for_work(struct cfgstored_writer *w)
{
	bool is_idle = cfgstored_ring_sleep(&w->ring);
	struct pollfd fds[] = {
		{ .fd = w->is_orphan ? -1 : w->fd, .events = POLLIN },
		{ .fd = w->is_preparing ? w->prepare.fd : -1,
		    .events = POLLIN },
	};

	if (is_idle || w->is_stuck)
		(void)poll(fds, ARRAY_COUNT(fds), timeout_ms(w, is_idle));
	cfgstored_ring_wake(&w->ring);
	if (fds[0].revents != 0)
		drain(w);
	if (fds[1].revents != 0)
		take_spare(w);
}

/* The parent has gone, and what it gave is done, or cannot be. */
static bool
is_over(const struct cfgstored_writer *w)
{
	const uint8_t *bytes;

	return w->is_orphan &&
	    (w->is_full || cfgstored_ring_peek(&w->ring, &bytes) == 0);
}

void
cfgstored_writer_run(struct cfgstored_writer *w)
{
	if (w->active.serial != 0)
		open_active(w);
	while (!is_over(w)) {
		if (work(w))
			continue;
		want_spare(w);
		mark(w);
		wait_for_work(w);
	}
	w->mark_ns = 0;
	mark(w);
	_exit(0);
}
