/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/os/hook_file.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/os/fd.h"

static int
sync_folder(const char *path)
{
	char *copy = strdup(path);
	int fd, rc = 0;

	if (copy == NULL)
		return -ENOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0)
		rc = -errno;
	fd_close(&fd);
	return rc;
}

static int
write_new(const char *path, const char *bytes, size_t len)
{
	int fd = open(
	    path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	int rc;

	if (fd < 0)
		return -errno;
	rc = fd_write_full(fd, bytes, len, UINT64_MAX);
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	fd_close(&fd);
	return rc;
}

int
hook_file_write(const char *path, const char *bytes, size_t len)
{
	struct stat st;
	char *beside;
	int rc;

	/* Not in the place of a device. */
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return -EINVAL;
	if (asprintf(&beside, "%s.new", path) < 0)
		return -ENOMEM;
	rc = write_new(beside, bytes, len);
	if (rc == 0 && rename(beside, path) < 0)
		rc = -errno;
	free(beside);
	return rc == 0 ? sync_folder(path) : rc;
}

int
hook_file_read(const char *path, char **bytes)
{
	char *room = malloc(HOOK_FILE_BYTES);
	long len;

	*bytes = NULL;
	if (room == NULL)
		return -ENOMEM;
	len = fd_read_file(path, room, HOOK_FILE_BYTES - 1);
	if (len < 0) {
		free(room);
		return len == -ENOENT ? 0 : (int)len;
	}
	room[len] = '\0';
	*bytes = room;
	return 0;
}
