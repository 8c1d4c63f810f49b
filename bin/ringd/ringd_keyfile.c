/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs in the writer process, but for the text.  What lies beside the file is
 * never taken for it by anybody: a crash leaves it there, and the next start
 * removes it, while it has the state folder, so that no other writer lives.
 */
#include "bin/ringd/ringd_keyfile.h"

#include <sys/stat.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/text.h"
#include "libcommon/os/fd.h"

#include "bin/ringd/ringd_disk.h"

enum { FILE_BYTES = 8192, EXTRA_BYTES = 100 };

static_assert(sizeof(struct ringd_keyfile_job) <= RINGD_DISK_JOB_BYTES &&
	sizeof(struct ringd_keyfile_answer) <= RINGD_DISK_JOB_BYTES,
    "it is a job for the writer");

/* ---- the text ---------------------------------------------------------- */

void
ringd_keyfile_list(const struct box_keyring *keys, struct text *out)
{
	for (uint32_t i = 0; i < keys->count; i++) {
		if (i > 0)
			text_put_char(out, ',');
		text_put_u64(out, keys->id[i]);
		text_put_char(out, ':');
		text_put_hex(out, box_hash(keys->key[i], BOX_KEY_BYTES));
	}
}

/* The id of a key's line; 0: it is something else. */
static unsigned
line_id(const char *line, size_t len)
{
	unsigned id = 0;
	size_t i = 0;

	while (i < len && (line[i] == ' ' || line[i] == '\t'))
		i++;
	while (i < len && line[i] >= '0' && line[i] <= '9')
		id = 10 * id + (unsigned)(line[i++] - '0');
	return id;
}

static void
put_key(const struct ringd_keyfile_job *job, struct text *out)
{
	char hex[2 * BOX_KEY_BYTES + 1];

	sodium_bin2hex(hex, sizeof hex, job->key, sizeof job->key);
	text_put_u64(out, job->id);
	text_put_char(out, ' ');
	text_put(out, hex);
	text_put_char(out, '\n');
	sodium_memzero(hex, sizeof hex);
}

/* Where the last line of a key begins. */
static size_t
find_active(const char *bytes, size_t len)
{
	size_t active = 0;

	for (size_t at = 0; at < len;) {
		const char *lf = memchr(bytes + at, '\n', len - at);
		size_t end = lf != NULL ? (size_t)(lf - bytes) : len;

		if (line_id(bytes + at, end - at) != 0)
			active = at;
		at = end + 1;
	}
	return active;
}

static void
put_line(struct text *out, const char *line, size_t len)
{
	text_put_bytes(out, line, len);
	text_put_char(out, '\n');
}

void
ringd_keyfile_edit(const struct ringd_keyfile_job *job, const char *bytes,
    size_t len, struct text *out)
{
	const size_t active = find_active(bytes, len);
	const char *moved = NULL;
	size_t moved_len = 0;

	for (size_t at = 0; at < len;) {
		const char *lf = memchr(bytes + at, '\n', len - at);
		size_t end = lf != NULL ? (size_t)(lf - bytes) : len;
		unsigned id = line_id(bytes + at, end - at);

		if (job->change == RINGD_KEYS_INSTALL && at == active)
			put_key(job, out);
		if (job->change == RINGD_KEYS_SWITCH && id == job->id) {
			moved = bytes + at;
			moved_len = end - at;
		} else if (job->change != RINGD_KEYS_RETIRE || id == 0 ||
		    id == job->id) {
			put_line(out, bytes + at, end - at);
		}
		at = end + 1;
	}
	if (moved != NULL)
		put_line(out, moved, moved_len);
}

/* ---- what may be changed ----------------------------------------------- */

/* NULL, or why not; *is_there: nothing is left to do. */
static const char *
judge(const struct ringd_keyfile_job *job, const struct box_keyring *keys,
    bool *is_there)
{
	const uint8_t active = box_keyring_active(keys);
	const bool has = box_keyring_has(keys, job->id);

	*is_there = true;
	switch (job->change) {
	case RINGD_KEYS_INSTALL:
		*is_there = has;
		for (uint32_t i = 0; i < keys->count; i++)
			if (keys->id[i] == job->id &&
			    sodium_memcmp(
				keys->key[i], job->key, BOX_KEY_BYTES) != 0)
				return "it has another key of that number";
		if (!has && keys->count == BOX_KEYS_MAX)
			return "it holds 16 keys already";
		return NULL;
	case RINGD_KEYS_SWITCH:
		*is_there = active == job->id;
		return has ? NULL : "it does not have that key";
	case RINGD_KEYS_RETIRE:
		*is_there = keys->count == 1;
		if (!has)
			return "it does not have that key";
		return active == job->id ? NULL : "its last key is another";
	case RINGD_KEYS_SURVEY:
	case RINGD_KEYS_CHANGES:
		break;
	}
	return NULL;
}

/* ---- the disk ---------------------------------------------------------- */

struct paths {
	char file[PATH_MAX]; /* what a link leads to, not the link */
	char fresh[PATH_MAX];
};

static int
find_paths(const struct ringd_keyfile *file, struct paths *paths)
{
	int n;

	if (realpath(file->path, paths->file) == NULL)
		return -errno;
	n = snprintf(paths->fresh, sizeof paths->fresh, "%s.new.%u",
	    paths->file, file->node);
	return n < (int)sizeof paths->fresh ? 0 : -ENAMETOOLONG;
}

static long
read_all(const char *path, char *bytes, size_t size, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0 || fstat(fd, st) < 0)
		n = -1;
	while (n > 0 && len < size) {
		n = read(fd, bytes + len, size - len);
		len += n > 0 ? (size_t)n : 0;
	}
	n = n < 0 ? -errno : (ssize_t)len;
	fd_close(&fd);
	return n;
}

static int
write_fresh(const char *path, const struct text *text, const struct stat *st)
{
	int fd, rc = 0;

	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	fd = open(
	    path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
	if (fd < 0)
		return -errno;
	if ((st->st_uid != geteuid() || st->st_gid != getegid()) &&
	    fchown(fd, st->st_uid, st->st_gid) < 0)
		rc = -errno;
	if (rc == 0 && fchmod(fd, st->st_mode & 07777) < 0)
		rc = -errno;
	if (rc == 0)
		rc = fd_write_full(fd, text->bytes, text->len, UINT64_MAX);
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	fd_close(&fd);
	if (rc < 0)
		(void)unlink(path);
	return rc;
}

/* 0 or -E…. */
static int
rewrite(const struct ringd_keyfile_job *job, const struct paths *paths)
{
	char bytes[FILE_BYTES], edited[FILE_BYTES + EXTRA_BYTES];
	struct text text;
	struct stat st = { 0 };
	long len = read_all(paths->file, bytes, sizeof bytes, &st);
	int rc = (int)len;

	text_init(&text, edited, sizeof edited);
	if (len >= 0) {
		ringd_keyfile_edit(job, bytes, (size_t)len, &text);
		rc = text.is_full || text.len > FILE_BYTES
		    ? -EFBIG
		    : write_fresh(paths->fresh, &text, &st);
	}
	sodium_memzero(bytes, sizeof bytes);
	sodium_memzero(edited, sizeof edited);
	return rc;
}

static void
complain(const struct ringd_keyfile *file, const char *what, struct text *why)
{
	text_put(why, file->path);
	text_put(why, ": ");
	text_put(why, what);
}

static bool
prepare(struct ringd_keyfile *file, const struct ringd_keyfile_job *job,
    struct text *out)
{
	struct box_keyring keys;
	struct paths paths;
	const char *wrong = NULL;
	bool is_there = true;
	int rc = box_keyring_read(&keys, file->path, out);

	file->is_prepared = false;
	if (rc != 0)
		return false;
	if (job->change == RINGD_KEYS_SURVEY)
		ringd_keyfile_list(&keys, out);
	else
		wrong = judge(job, &keys, &is_there);
	box_keyring_fini(&keys);
	if (wrong != NULL)
		complain(file, wrong, out);
	if (wrong != NULL || is_there)
		return wrong == NULL;
	rc = find_paths(file, &paths);
	if (rc == 0)
		rc = rewrite(job, &paths);
	if (rc < 0) {
		complain(file, "cannot be rewritten by this ringd: ", out);
		text_put(out, strerror(-rc));
	}
	file->is_prepared = rc == 0;
	return rc == 0;
}

static int
sync_folder(char *path)
{
	int fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 || fsync(fd) < 0 ? -errno : 0;

	fd_close(&fd);
	return rc;
}

static bool
finish(struct ringd_keyfile *file, bool is_applied, struct text *out)
{
	struct paths paths;
	int rc;

	if (!file->is_prepared)
		return true;
	file->is_prepared = false;
	rc = find_paths(file, &paths);
	if (rc == 0 && is_applied && rename(paths.fresh, paths.file) < 0)
		rc = -errno;
	if (rc == 0 && is_applied)
		rc = sync_folder(paths.file);
	else if (rc == 0 && unlink(paths.fresh) < 0)
		rc = -errno;
	if (rc < 0)
		complain(file, strerror(-rc), out);
	return rc == 0;
}

/* What stays, for the folder is not ours to write in, is not ours either. */
void
ringd_keyfile_sweep(const struct ringd_keyfile *file)
{
	struct paths paths;

	if (find_paths(file, &paths) == 0)
		(void)unlink(paths.fresh);
}

size_t
ringd_keyfile_work(void *arg, void *bytes, size_t len)
{
	struct ringd_keyfile *file = arg;
	struct ringd_keyfile_job job;
	struct ringd_keyfile_answer answer;
	struct text out;

	ENSURE(len == sizeof job);
	memcpy(&job, bytes, sizeof job);
	answer = (struct ringd_keyfile_answer){ .number = job.number,
		.step = job.step };
	text_init(&out, answer.text, sizeof answer.text);
	answer.is_done = job.step == RINGD_KEYFILE_PREPARE
	    ? prepare(file, &job, &out)
	    : finish(file, job.step == RINGD_KEYFILE_APPLY, &out);
	sodium_memzero(&job, sizeof job);
	memcpy(bytes, &answer, sizeof answer);
	return sizeof answer;
}
