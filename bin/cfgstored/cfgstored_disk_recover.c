/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Nothing counts here that is only in the kernel's memory: all is fsynced, and
 * then read from the disk itself.  A writer may have been killed between a
 * write and its fsync, or an fsync may have failed.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"

#include "bin/cfgstored/cfgstored_disk_internal.h"
#include "bin/cfgstored/cfgstored_snap.h"
#include "bin/cfgstored/kv_log_replay.h"

enum { SNAPSHOTS = 64 };

#define FILE_BYTES_MAX (UINT64_C(1) << 30)

struct recovery {
	struct cfgstored_writer *writer;
	const struct cfgstored_disk_reader *reader;
	struct cfgstored_disk_found *found;
	struct text *why;
	struct kv_log_replay replay;
	size_t count;
	struct mapped {
		uint8_t *bytes;
		size_t len;
	} mapped[CFGSTORED_WRITER_FILES];
	struct kv_log_file files[CFGSTORED_WRITER_FILES];
};

static bool
is_bad(struct recovery *r, const char *name, const char *why)
{
	r->found->health = CFGSTORED_DISK_BAD;
	text_put(r->why, name);
	text_put(r->why, name[0] != '\0' ? ": " : "");
	text_put(r->why, why);
	return true;
}

/* It may be as good as any: nothing here may take its place. */
static int
refuse(struct recovery *r, const char *name)
{
	(void)is_bad(r, name, "written by another version of cfgstored");
	return -EPROTONOSUPPORT;
}

/* ---- segments ---------------------------------------------------------- */

static int
read_into(int fd, uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = read(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

/* An error of the disk here is as bad as a damaged file; of memory is not. */
static int
read_segment(
    struct cfgstored_file *file, struct kv_log_file *out, struct mapped *mapped)
{
	struct stat status;
	void *bytes;
	int rc = cfgstored_file_sync(file);

	out->found.finding = KV_LOG_HEADER;
	if (rc < 0 || fstat(file->fd, &status) < 0 || status.st_size <= 0)
		return 0;
	out->found.finding = KV_LOG_LENGTH;
	if ((uint64_t)status.st_size > FILE_BYTES_MAX)
		return 0;
	(void)posix_fadvise(file->fd, 0, 0, POSIX_FADV_DONTNEED);
	bytes = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (bytes == MAP_FAILED)
		return -errno;
	mapped->bytes = bytes;
	mapped->len = (size_t)status.st_size;
	out->bytes = bytes;
	out->found.finding = KV_LOG_HEADER;
	if (read_into(file->fd, bytes, mapped->len) == 0)
		kv_log_look(&out->found, bytes, mapped->len);
	return 0;
}

static int
read_segments(struct recovery *r)
{
	const struct cfgstored_folder *folder = &r->writer->folder;
	uint64_t serials[CFGSTORED_WRITER_FILES];
	char name[CFGSTORED_FILE_NAME_BYTES];
	struct cfgstored_file file;
	long count = cfgstored_folder_list(
	    folder, "log-", "", serials, ARRAY_COUNT(serials));

	if (count < 0)
		return (int)count;
	for (long i = 0; i < count; i++) {
		struct kv_log_file *out = &r->files[r->count];
		int rc;

		out->serial = serials[i];
		cfgstored_file_name(name, "log-", serials[i], "");
		rc = cfgstored_file_open(&file, folder, name);
		if (rc < 0)
			return rc;
		rc = read_segment(&file, out, &r->mapped[r->count++]);
		cfgstored_file_close(&file);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void
forget_segments(struct recovery *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->mapped[i].len > 0)
			(void)munmap(r->mapped[i].bytes, r->mapped[i].len);
}

/* ---- what is told ------------------------------------------------------ */

/* The snapshot that a takeover was made on may not have its name yet. */
static int
finish_takeover(struct recovery *r)
{
	const struct cfgstored_folder *folder = &r->writer->folder;
	char from[CFGSTORED_FILE_NAME_BYTES], to[CFGSTORED_FILE_NAME_BYTES];
	int rc;

	if (r->replay.health != KV_LOG_GOOD || r->replay.floor == 0)
		return 0;
	cfgstored_file_name(from, "snap-", r->replay.floor, ".in");
	cfgstored_file_name(to, "snap-", r->replay.floor, "");
	if (faccessat(folder->fd, from, F_OK, 0) < 0)
		return 0;
	rc = cfgstored_folder_rename(folder, from, to);
	return rc == 0 ? cfgstored_folder_sync(folder) : rc;
}

/* The newest, which must fit: logs that it has may be gone. */
static int
read_snapshot(struct recovery *r)
{
	const struct cfgstored_folder *folder = &r->writer->folder;
	uint64_t numbers[SNAPSHOTS];
	char name[CFGSTORED_FILE_NAME_BYTES];
	long count = cfgstored_folder_list(
	    folder, "snap-", "", numbers, ARRAY_COUNT(numbers));
	int rc;

	if (count < 0)
		return (int)count;
	r->found->snapshot = count == 0 ? 0 : numbers[count - 1];
	cfgstored_file_name(name, "snap-", r->found->snapshot, "");
	if (!kv_log_replay_fits(&r->replay, r->found->snapshot)) {
		(void)is_bad(r, count == 0 ? "snapshot" : name,
		    count == 0 ? "it is missing" : "the log does not fit it");
		return 0;
	}
	if (count == 0)
		return 0;
	rc = cfgstored_snap_read(folder, r->found->snapshot, "", r->reader);
	if (rc == -EPROTONOSUPPORT)
		return refuse(r, name);
	if (rc != 0)
		(void)is_bad(r, name, "it is damaged");
	return 0;
}

static int
refuse_segment(struct recovery *r, uint64_t serial)
{
	char name[CFGSTORED_FILE_NAME_BYTES];

	cfgstored_file_name(name, "log-", serial, "");
	return refuse(r, name);
}

static int
read_records(struct recovery *r)
{
	const struct cfgstored_disk_reader *reader = r->reader;
	struct kv_log_frame frame;
	int rc = 0;

	kv_log_replay_begin(&r->replay, r->found->snapshot);
	while (rc == 0 && kv_log_replay_next(&r->replay, &frame)) {
		if (frame.kind == KV_LOG_BEGIN)
			reader->cut(reader->arg, frame.tip.index + 1);
		else
			rc = reader->record(reader->arg, &frame);
	}
	if (rc == -EPROTONOSUPPORT)
		return refuse_segment(r, r->files[r->replay.walk.file].serial);
	if (rc != 0) {
		(void)is_bad(r, "log", "a record makes no sense");
		return 0;
	}
	r->found->tip = r->replay.state.tip;
	r->found->acked = num_max(r->replay.state.acked, r->found->snapshot);
	return 0;
}

static int
tell_good(struct recovery *r)
{
	const struct kv_log_file *last = &r->files[r->replay.used - 1];
	int rc;

	r->found->health = CFGSTORED_DISK_GOOD;
	r->found->is_torn = last->found.finding == KV_LOG_TORN;
	rc = read_snapshot(r);
	if (rc == 0 && r->found->health == CFGSTORED_DISK_GOOD)
		rc = read_records(r);
	return rc;
}

static int
tell_blank(struct recovery *r)
{
	uint64_t numbers[1];
	long count = cfgstored_folder_list(
	    &r->writer->folder, "snap-", "", numbers, ARRAY_COUNT(numbers));

	r->found->health = CFGSTORED_DISK_BLANK;
	if (count != 0 && count != -E2BIG && count < 0)
		return (int)count;
	if (count != 0)
		(void)is_bad(r, "log", "it is missing");
	return 0;
}

static int
tell(struct recovery *r)
{
	char name[CFGSTORED_FILE_NAME_BYTES] = "log";

	switch (r->replay.health) {
	case KV_LOG_GOOD:
		return tell_good(r);
	case KV_LOG_BLANK:
		return tell_blank(r);
	case KV_LOG_BAD:
		break;
	}
	if (r->replay.is_foreign)
		return refuse_segment(r, r->replay.why_serial);
	if (r->replay.why_serial != 0)
		cfgstored_file_name(name, "log-", r->replay.why_serial, "");
	(void)is_bad(r, name, r->replay.why);
	return 0;
}

/* ---- what the writer goes on with -------------------------------------- */

static void
add_row(struct recovery *r, const struct kv_log_file *file)
{
	struct cfgstored_writer *w = r->writer;
	struct cfgstored_writer_row *row = &w->rows[w->count++];
	struct kv_log_cursor cursor;
	struct kv_log_frame frame;

	*row = (struct cfgstored_writer_row){ .serial = file->serial };
	if (r->found->health != CFGSTORED_DISK_GOOD)
		return;
	kv_log_cursor_init(&cursor, &file->found, file->bytes);
	if (!kv_log_next(&cursor, &frame))
		return;
	row->index = frame.state.tip.index;
	row->is_taking = frame.state.is_taking;
}

static void
remove_segment(struct recovery *r, const struct kv_log_file *file)
{
	char name[CFGSTORED_FILE_NAME_BYTES];

	cfgstored_file_name(name, "log-", file->serial, "");
	(void)cfgstored_folder_remove(&r->writer->folder, name);
}

/* What was not used is the spare; all but one of it is too much. */
static void
set_spare(struct recovery *r, size_t used)
{
	struct cfgstored_writer *w = r->writer;

	w->next_serial = used == 0 ? 1 : r->files[used - 1].serial + 1;
	if (used < r->count && r->files[used].serial == w->next_serial) {
		w->spare = r->files[used++].found.segment;
		w->next_serial++;
	}
	while (used < r->count)
		remove_segment(r, &r->files[used++]);
}

/* Whatever is bad stays until a new log is whole. */
static void
set_writer(struct recovery *r)
{
	struct cfgstored_writer *w = r->writer;
	const struct kv_log_replay *replay = &r->replay;
	const struct kv_log_file *last;

	if (r->found->health != CFGSTORED_DISK_GOOD) {
		size_t used =
		    r->found->health == CFGSTORED_DISK_BLANK ? 0 : r->count;

		for (size_t i = 0; i < used; i++)
			add_row(r, &r->files[i]);
		set_spare(r, used);
		return;
	}
	last = &r->files[replay->used - 1];
	for (size_t i = 0; i < replay->first; i++)
		remove_segment(r, &r->files[i]);
	for (size_t i = replay->first; i < replay->used; i++)
		add_row(r, &r->files[i]);
	w->state = replay->state;
	w->active = last->found.segment;
	w->offset = last->found.end;
	w->chain_serial = w->begin_serial = r->files[replay->first].serial;
	set_spare(r, replay->used);
}

/* ---- in order ---------------------------------------------------------- */

static int
recover(struct recovery *r)
{
	const struct cfgstored_folder *folder = &r->writer->folder;
	int rc = cfgstored_folder_remove_all(folder, ".new");

	if (rc == 0)
		rc = cfgstored_folder_sync(folder);
	if (rc == 0)
		rc = read_segments(r);
	if (rc < 0)
		return rc;
	kv_log_replay_init(&r->replay, r->files, r->count);
	rc = finish_takeover(r);
	if (rc == 0)
		rc = tell(r);
	/* What is bad now may be read another time. */
	if (rc == 0 && r->found->health == CFGSTORED_DISK_GOOD)
		rc = cfgstored_folder_remove_all(folder, ".in");
	if (rc == 0)
		set_writer(r);
	return rc;
}

int
cfgstored_disk_recover(struct cfgstored_writer *writer,
    const struct cfgstored_disk_reader *reader,
    struct cfgstored_disk_found *found, struct text *why)
{
	static struct recovery r;
	int rc;

	memset(&r, 0, sizeof r);
	r.writer = writer;
	r.reader = reader;
	r.found = found;
	r.why = why;
	rc = recover(&r);
	if (rc < 0 && rc != -EPROTONOSUPPORT)
		text_put(why, strerror(-rc));
	forget_segments(&r);
	return rc;
}
