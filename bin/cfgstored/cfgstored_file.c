/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstored/cfgstored_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/fd.h"

enum { DIGITS = 20 };

#define PAUSE_NS_MAX (5 * CLOCK_MS_NS)

static int
ask(const struct cfgstored_folder *folder, const struct cfgstored_file_act *act)
{
	return folder->hook == NULL ? 0 : folder->hook(folder->arg, act);
}

/* ---- files ------------------------------------------------------------- */

static int
open_as(struct cfgstored_file *file, const struct cfgstored_folder *folder,
    const struct cfgstored_file_act *act)
{
	int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
	int rc = ask(folder, act);

	if (rc < 0)
		return rc;
	if (act->call == CFGSTORED_FILE_CREATE)
		flags |= O_CREAT | O_TRUNC;
	ENSURE(strlen(act->name) < sizeof file->name);
	*file = (struct cfgstored_file){ .folder = folder };
	memcpy(file->name, act->name, strlen(act->name) + 1);
	file->fd = openat(folder->fd, act->name, flags, 0600);
	return file->fd < 0 ? -errno : 0;
}

int
cfgstored_file_create(struct cfgstored_file *file,
    const struct cfgstored_folder *folder, const char *name)
{
	return open_as(file, folder,
	    &(struct cfgstored_file_act){
		.call = CFGSTORED_FILE_CREATE, .name = name });
}

int
cfgstored_file_open(struct cfgstored_file *file,
    const struct cfgstored_folder *folder, const char *name)
{
	return open_as(file, folder,
	    &(struct cfgstored_file_act){
		.call = CFGSTORED_FILE_OPEN, .name = name });
}

int
cfgstored_file_allocate(struct cfgstored_file *file, uint64_t len)
{
	int rc = ask(file->folder,
	    &(struct cfgstored_file_act){ .call = CFGSTORED_FILE_ALLOCATE,
		.name = file->name,
		.len = len });

	return rc < 0 ? rc : -posix_fallocate(file->fd, 0, (off_t)len);
}

/* Forgets what was written. */
static void
advance(struct iovec **pieces, size_t *count, size_t len)
{
	while (*count > 0 && len >= (*pieces)->iov_len) {
		len -= (*pieces)->iov_len;
		(*pieces)++;
		(*count)--;
	}
	if (len > 0) {
		(*pieces)->iov_base = (char *)(*pieces)->iov_base + len;
		(*pieces)->iov_len -= len;
	}
}

int
cfgstored_file_write(struct cfgstored_file *file, uint64_t offset,
    struct iovec *pieces, size_t count)
{
	int rc = ask(file->folder,
	    &(struct cfgstored_file_act){ .call = CFGSTORED_FILE_WRITE,
		.name = file->name,
		.offset = offset,
		.pieces = pieces,
		.count = count });

	if (rc < 0)
		return rc;
	/* Nothing at all is written at once. */
	advance(&pieces, &count, 0);
	while (count > 0) {
		ssize_t n =
		    pwritev(file->fd, pieces, (int)count, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		offset += (uint64_t)n;
		advance(&pieces, &count, (size_t)n);
	}
	return 0;
}

int
cfgstored_file_sync(struct cfgstored_file *file)
{
	int rc = ask(file->folder,
	    &(struct cfgstored_file_act){
		.call = CFGSTORED_FILE_SYNC, .name = file->name });

	if (rc < 0)
		return rc;
	return fdatasync(file->fd) < 0 ? -errno : 0;
}

int
cfgstored_file_sync_slowly(struct cfgstored_file *file)
{
	const uint64_t from_ns = clock_now_ns();
	const int rc = cfgstored_file_sync(file);
	const struct timespec pause = {
		.tv_nsec = (long)num_min(clock_now_ns() - from_ns, PAUSE_NS_MAX)
	};

	(void)nanosleep(&pause, NULL);
	return rc;
}

void
cfgstored_file_close(struct cfgstored_file *file)
{
	fd_close(&file->fd);
}

/* ---- the folder -------------------------------------------------------- */

int
cfgstored_folder_rename(
    const struct cfgstored_folder *folder, const char *from, const char *to)
{
	int rc = ask(folder,
	    &(struct cfgstored_file_act){
		.call = CFGSTORED_FILE_RENAME, .name = from, .to = to });

	if (rc < 0)
		return rc;
	return renameat(folder->fd, from, folder->fd, to) < 0 ? -errno : 0;
}

int
cfgstored_folder_remove(const struct cfgstored_folder *folder, const char *name)
{
	int rc = ask(folder,
	    &(struct cfgstored_file_act){
		.call = CFGSTORED_FILE_REMOVE, .name = name });

	if (rc < 0)
		return rc;
	return unlinkat(folder->fd, name, 0) < 0 && errno != ENOENT ? -errno
								    : 0;
}

int
cfgstored_folder_sync(const struct cfgstored_folder *folder)
{
	int rc = ask(folder,
	    &(struct cfgstored_file_act){
		.call = CFGSTORED_FILE_SYNC_FOLDER, .name = "." });

	if (rc < 0)
		return rc;
	return fsync(folder->fd) < 0 ? -errno : 0;
}

/* ---- names ------------------------------------------------------------- */

void
cfgstored_file_name(char out[CFGSTORED_FILE_NAME_BYTES], const char *prefix,
    uint64_t number, const char *suffix)
{
	int n = snprintf(out, CFGSTORED_FILE_NAME_BYTES, "%s%020" PRIu64 "%s",
	    prefix, number, suffix);

	ENSURE(n > 0 && n < CFGSTORED_FILE_NAME_BYTES);
}

static bool
is_named(
    const char *name, const char *prefix, const char *suffix, uint64_t *number)
{
	size_t len = strlen(prefix);

	if (strncmp(name, prefix, len) != 0 ||
	    strspn(name + len, "0123456789") != DIGITS ||
	    strcmp(name + len + DIGITS, suffix) != 0)
		return false;
	*number = strtoull(name + len, NULL, 10);
	return true;
}

/* A walk over the names, without malloc: a sealed process may begin anew. */
struct names {
	int fd;
	int rc; /* -E… when it could not go on */
	size_t at;
	size_t len;
	_Alignas(struct dirent64) char bytes[4096];
};

static int
names_open(struct names *names, const struct cfgstored_folder *folder)
{
	names->rc = 0;
	names->at = names->len = 0;
	names->fd = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return names->fd < 0 ? -errno : 0;
}

static const char *
names_next(struct names *names)
{
	const struct dirent64 *entry;

	if (names->at == names->len) {
		ssize_t n =
		    getdents64(names->fd, names->bytes, sizeof names->bytes);

		names->rc = n < 0 ? -errno : 0;
		if (n <= 0)
			return NULL;
		names->at = 0;
		names->len = (size_t)n;
	}
	entry = (const void *)(names->bytes + names->at);
	names->at += entry->d_reclen;
	return entry->d_name;
}

static void
insert(uint64_t *numbers, size_t count, uint64_t number)
{
	for (; count > 0 && numbers[count - 1] > number; count--)
		numbers[count] = numbers[count - 1];
	numbers[count] = number;
}

long
cfgstored_folder_list(const struct cfgstored_folder *folder, const char *prefix,
    const char *suffix, uint64_t *numbers, size_t max)
{
	struct names names;
	size_t count = 0;
	const char *name;
	uint64_t number;
	int rc = names_open(&names, folder);

	if (rc < 0)
		return rc;
	while (rc == 0 && (name = names_next(&names)) != NULL) {
		if (!is_named(name, prefix, suffix, &number))
			continue;
		if (count == max)
			rc = -E2BIG;
		else
			insert(numbers, count++, number);
	}
	fd_close(&names.fd);
	if (rc == 0)
		rc = names.rc;
	return rc < 0 ? rc : (long)count;
}

int
cfgstored_folder_remove_all(
    const struct cfgstored_folder *folder, const char *suffix)
{
	struct names names;
	size_t len = strlen(suffix);
	const char *name;
	int rc = names_open(&names, folder);

	if (rc < 0)
		return rc;
	while (rc == 0 && (name = names_next(&names)) != NULL) {
		size_t name_len = strlen(name);

		if (name_len > len &&
		    strcmp(name + name_len - len, suffix) == 0)
			rc = cfgstored_folder_remove(folder, name);
	}
	fd_close(&names.fd);
	return rc < 0 ? rc : names.rc;
}
