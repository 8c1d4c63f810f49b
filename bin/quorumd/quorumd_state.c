/* SPDX-License-Identifier: BSD-3-Clause */
/* The file of the run directory has two slots of fixed size, written in turn,
 * so that one is whole whenever the process dies:
 *
 *	magic 8, sum 8, generation 8, incarnation 8, boot id 40, length 4,
 *	the bytes kept
 *
 * The slot with the larger generation whose sum is right counts.  Its whole
 * size is written at the start: there is no want of room later.
 */
#include "bin/quorumd/quorumd_state.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/rdbuf.h"
#include "libcommon/base/text.h"
#include "libcommon/base/wrbuf.h"
#include "libcommon/os/box.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/unixsock.h"

#define MAGIC UINT64_C(0x726b71756f720001)

enum {
	SUM_AT = 8,
	BODY_AT = 16, /* what the sum is over, from here on */
	HEAD_BYTES = BODY_AT + 8 + 8 + QUORUMD_STATE_BOOT_BYTES + 4,
	SLOT_BYTES = 12288,
	TRACK_BYTES = 128,
};

enum { PAGE_BYTES = QUORUMD_STATE_RECORD_BYTES + 128 };

static_assert((int)PAGE_BYTES <= (int)DURABLE_BYTES, "a record fits its file");
static_assert(HEAD_BYTES + QUORUMD_STATE_KEPT_BYTES <= SLOT_BYTES,
    "what is kept fits a slot");

/* ---- the run directory ------------------------------------------------- */

static int
write_slot(const struct quorumd_state *state)
{
	static uint8_t slot[SLOT_BYTES];
	const size_t len = HEAD_BYTES + state->kept_len;
	struct wrbuf out;
	ssize_t n;

	wrbuf_init(&out, slot + BODY_AT, sizeof slot - BODY_AT);
	wrbuf_u64(&out, state->generation);
	wrbuf_u64(&out, state->inc);
	wrbuf_bytes(&out, state->boot, sizeof state->boot);
	wrbuf_u32(&out, (uint32_t)state->kept_len);
	wrbuf_bytes(&out, state->kept, state->kept_len);
	wrbuf_init(&out, slot, BODY_AT);
	wrbuf_u64(&out, MAGIC);
	wrbuf_u64(&out, box_hash(slot + BODY_AT, len - BODY_AT));
	n = pwrite(state->fd, slot, sizeof slot,
	    (off_t)(state->generation % 2 * SLOT_BYTES));
	if (n < 0)
		return -errno;
	return n == sizeof slot ? 0 : -ENOSPC;
}

/* Takes the slot if it is whole, of this boot, and newer than what there is. */
static void
read_slot(struct quorumd_state *state, int number)
{
	static uint8_t slot[SLOT_BYTES];
	uint64_t sum, generation, inc;
	const uint8_t *boot;
	struct rdbuf in;
	uint32_t len;

	if (pread(state->fd, slot, sizeof slot, (off_t)number * SLOT_BYTES) !=
	    sizeof slot)
		return;
	rdbuf_init(&in, slot, sizeof slot);
	if (rdbuf_u64(&in) != MAGIC)
		return;
	sum = rdbuf_u64(&in);
	generation = rdbuf_u64(&in);
	inc = rdbuf_u64(&in);
	boot = rdbuf_bytes(&in, sizeof state->boot);
	len = rdbuf_u32(&in);
	if (len > QUORUMD_STATE_KEPT_BYTES ||
	    sum != box_hash(slot + BODY_AT, HEAD_BYTES - BODY_AT + len) ||
	    generation <= state->generation)
		return;
	state->generation = generation;
	state->inc = inc;
	state->kept_len = 0;
	if (memcmp(boot, state->boot, sizeof state->boot) != 0)
		return;
	state->kept_len = len;
	memcpy(state->kept, rdbuf_bytes(&in, len), len);
}

/* Both slots take their room now. */
static int
fill(int fd)
{
	static const uint8_t nothing[SLOT_BYTES];
	const off_t size = lseek(fd, 0, SEEK_END);

	if (size == 2 * (off_t)SLOT_BYTES)
		return 0;
	for (int i = 0; i < 2; i++)
		if (pwrite(fd, nothing, sizeof nothing,
			(off_t)i * SLOT_BYTES) != sizeof nothing)
			return errno != 0 ? -errno : -ENOSPC;
	return 0;
}

static int
fail(struct text *why, const char *path, int rc)
{
	text_put(why, path);
	text_put(why, ": ");
	text_put(why, strerror(-rc));
	return rc;
}

static int
read_boot(struct quorumd_state *state, struct text *why)
{
	static const char path[] = "/proc/sys/kernel/random/boot_id";
	long n = fd_read_file(path, state->boot, sizeof state->boot - 1);

	return n < 0 ? fail(why, path, (int)n) : 0;
}

int
quorumd_state_open(
    struct quorumd_state *state, const char *rundir, struct text *why)
{
	char path[UNIXSOCK_PATH_BYTES];
	int rc;

	*state = (struct quorumd_state){ .fd = -1,
		.track = { .dir_fd = -1, .lock_fd = -1, .fd = -1 },
		.record = { .dir_fd = -1, .lock_fd = -1, .fd = -1 } };
	rc = read_boot(state, why);
	if (rc < 0)
		return rc;
	if (snprintf(path, sizeof path, "%s/quorumd.state", rundir) >=
	    (int)sizeof path)
		return fail(why, rundir, -ENAMETOOLONG);
	state->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (state->fd < 0)
		return fail(why, path, -errno);
	rc = fill(state->fd);
	if (rc < 0)
		return fail(why, path, rc);
	read_slot(state, 0);
	read_slot(state, 1);
	return 0;
}

size_t
quorumd_state_kept(
    const struct quorumd_state *state, uint64_t inc, const void **bytes)
{
	*bytes = state->kept;
	return state->inc == inc ? state->kept_len : 0;
}

int
quorumd_state_keep(
    struct quorumd_state *state, uint64_t inc, const void *bytes, size_t len)
{
	ENSURE(len <= sizeof state->kept);
	state->generation++;
	state->inc = inc;
	state->kept_len = len;
	memcpy(state->kept, bytes, len);
	state->kept_total++;
	return write_slot(state);
}

/* ---- the state directory ----------------------------------------------- */

/* As text, so that a person can read it in need; sum is over all before it. */
static size_t
encode(uint32_t number, char *bytes)
{
	struct text out;

	text_init(&out, bytes, TRACK_BYTES);
	text_put(&out, "ringkit-quorum 1\nexpected=");
	text_put_u64(&out, number);
	text_put(&out, "\nsum=");
	text_put_hex(&out, box_hash(out.bytes, out.len));
	text_put_char(&out, '\n');
	ENSURE(!out.is_full);
	return out.len;
}

/* Believed only if writing what it says gives the same bytes; 0: nothing. */
static uint32_t
decode(const char *bytes)
{
	char again[TRACK_BYTES];
	unsigned number;

	if (sscanf(bytes, "ringkit-quorum 1 expected=%u", &number) != 1)
		return 0;
	encode(number, again);
	return strcmp(bytes, again) == 0 ? number : 0;
}

int
quorumd_state_open_track(
    struct quorumd_state *state, const char *statedir, struct text *why)
{
	char bytes[TRACK_BYTES];
	long len;
	int rc = durable_open(&state->track, statedir, "quorumd.track", why);

	if (rc < 0)
		return rc;
	len = durable_read(&state->track, bytes, sizeof bytes - 1);
	bytes[len < 0 ? 0 : len] = '\0';
	state->tracked = decode(bytes);
	if (state->tracked == 0 && len != -ENOENT) {
		/* To forget a barrier is for a person to decide. */
		text_put(why, statedir);
		text_put(why, "/quorumd.track: damaged");
		return -EBADMSG;
	}
	rc = durable_start(&state->track);
	return rc < 0 ? fail(why, "fork", rc) : 0;
}

int
quorumd_state_track(struct quorumd_state *state, uint32_t number)
{
	char bytes[TRACK_BYTES];
	const size_t len = encode(number, bytes);

	state->tracked = number;
	state->tracked_total++;
	return durable_ask(&state->track, bytes, len);
}

/* ---- the record -------------------------------------------------------- */

/* As the number above: the line of the core, and a sum. */
static size_t
encode_record(const char *bytes, size_t len, char *page)
{
	struct text out;

	text_init(&out, page, PAGE_BYTES);
	text_put(&out, "ringkit-quorum 1\n");
	text_put_bytes(&out, bytes, len);
	text_put(&out, "\nsum=");
	text_put_hex(&out, box_hash(out.bytes, out.len));
	text_put_char(&out, '\n');
	ENSURE(!out.is_full);
	return out.len;
}

static bool
decode_record(const char *page, size_t len, struct quorumd_state_record *out)
{
	static char again[PAGE_BYTES];
	const char *line = memchr(page, '\n', len);
	const char *end = line != NULL
	    ? memchr(line + 1, '\n', len - (size_t)(line + 1 - page))
	    : NULL;

	if (end == NULL || (size_t)(end - line) > sizeof out->bytes)
		return false;
	out->len = (size_t)(end - line - 1);
	memcpy(out->bytes, line + 1, out->len);
	return out->len > 0 &&
	    encode_record(out->bytes, out->len, again) == len &&
	    memcmp(page, again, len) == 0;
}

int
quorumd_state_open_record(
    struct quorumd_state *state, const char *statedir, struct text *why)
{
	static char page[PAGE_BYTES];
	long len;
	int rc = durable_open(&state->record, statedir, "quorumd.record", why);

	if (rc < 0)
		return rc;
	len = durable_read(&state->record, page, sizeof page);
	if (len != -ENOENT &&
	    (len < 0 || !decode_record(page, (size_t)len, &state->recorded))) {
		text_put(why, statedir);
		text_put(why, "/quorumd.record: damaged");
		return -EBADMSG;
	}
	rc = durable_start(&state->record);
	return rc < 0 ? fail(why, "fork", rc) : 0;
}

static void
fill_record(struct quorumd_state_record *record, uint64_t no, const void *bytes,
    size_t len)
{
	ENSURE(len > 0 && len <= sizeof record->bytes);
	record->no = no;
	record->len = len;
	memcpy(record->bytes, bytes, len);
}

int
quorumd_state_begin_record(
    struct quorumd_state *state, const char *bytes, size_t len)
{
	static char page[PAGE_BYTES];

	fill_record(&state->recorded, 1, bytes, len);
	state->recorded_total++;
	return durable_write(
	    &state->record, page, encode_record(bytes, len, page));
}

/* What waits, if nothing is being written. */
static int
write_record(struct quorumd_state *state)
{
	static char page[PAGE_BYTES];
	const struct quorumd_state_record *next = &state->waiting;

	if (state->writing.len > 0 || next->len == 0)
		return 0;
	state->writing = *next;
	state->waiting.len = 0;
	return durable_ask(&state->record, page,
	    encode_record(state->writing.bytes, state->writing.len, page));
}

int
quorumd_state_record(
    struct quorumd_state *state, uint64_t no, const void *bytes, size_t len)
{
	fill_record(&state->waiting, no, bytes, len);
	return write_record(state);
}

int
quorumd_state_recorded(struct quorumd_state *state, uint64_t *no)
{
	int rc = durable_answer(&state->record);

	if (rc <= 0)
		return rc;
	state->recorded = state->writing;
	state->writing.len = 0;
	state->recorded_total++;
	*no = state->recorded.no;
	rc = write_record(state);
	return rc < 0 ? rc : 1;
}

const struct quorumd_state_record *
quorumd_state_newest(struct quorumd_state *state, bool *is_durable)
{
	struct quorumd_state_record *newest = &state->waiting;

	*is_durable = false;
	state->writing.no = 0;
	if (newest->len == 0)
		newest = &state->writing;
	*is_durable = newest->len == 0;
	if (newest->len == 0)
		newest = &state->recorded;
	newest->no = *is_durable ? 1 : 2;
	return newest;
}

void
quorumd_state_close(struct quorumd_state *state)
{
	fd_close(&state->fd);
	durable_close(&state->track);
	durable_close(&state->record);
}
