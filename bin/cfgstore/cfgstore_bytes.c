/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstore/cfgstore_bytes.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/limits.h"
#include "libcommon/base/text.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/tool.h"

enum { FIRST_BYTES = 256, READ_BYTES = 65536, VALUE_GROWTH = 5 };

/* Room for len more, and a NUL. */
static void
reserve(struct cfgstore_bytes *bytes, size_t len)
{
	size_t size = bytes->size > 0 ? bytes->size : FIRST_BYTES;

	while (size - bytes->len <= len)
		size *= 2;
	if (size == bytes->size)
		return;
	bytes->at = realloc(bytes->at, size);
	if (bytes->at == NULL)
		tool_fail(EXITCODE_OS, "out of memory");
	bytes->size = size;
}

void
cfgstore_bytes_put(struct cfgstore_bytes *bytes, const void *from, size_t len)
{
	reserve(bytes, len);
	if (len > 0)
		memcpy(bytes->at + bytes->len, from, len);
	bytes->len += len;
	bytes->at[bytes->len] = '\0';
}

void
cfgstore_bytes_put_string(struct cfgstore_bytes *bytes, const char *string)
{
	cfgstore_bytes_put(bytes, string, strlen(string));
}

void
cfgstore_bytes_put_u64(struct cfgstore_bytes *bytes, uint64_t value)
{
	char digits[24];
	struct text text;

	text_init(&text, digits, sizeof digits);
	text_put_u64(&text, value);
	cfgstore_bytes_put(bytes, digits, text.len);
}

void
cfgstore_bytes_put_value(
    struct cfgstore_bytes *bytes, const void *from, size_t len)
{
	struct text text;

	reserve(bytes, VALUE_GROWTH * len);
	text_init(&text, bytes->at + bytes->len, VALUE_GROWTH * len + 1);
	text_put_value(&text, from, len);
	bytes->len += text.len;
}

void
cfgstore_bytes_free(struct cfgstore_bytes *bytes)
{
	free(bytes->at);
	*bytes = (struct cfgstore_bytes){ .at = NULL };
}

/* ---- in ---------------------------------------------------------------- */

static void
read_all(struct cfgstore_bytes *bytes, int fd, const char *name, size_t max)
{
	for (;;) {
		ssize_t n;

		reserve(bytes, READ_BYTES);
		n = read(fd, bytes->at + bytes->len, READ_BYTES);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			tool_fail(
			    EXITCODE_NOINPUT, "%s: %s", name, strerror(errno));
		bytes->len += (size_t)n;
		bytes->at[bytes->len] = '\0';
		if (bytes->len > max)
			tool_fail(EXITCODE_DATA, "%s: longer than %zu bytes",
			    name, max);
		if (n == 0)
			return;
	}
}

void
cfgstore_bytes_read(struct cfgstore_bytes *bytes, const char *path, size_t max)
{
	int fd;

	if (strcmp(path, "-") == 0) {
		read_all(bytes, STDIN_FILENO, "standard input", max);
		return;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		tool_fail(EXITCODE_NOINPUT, "%s: %s", path, strerror(errno));
	read_all(bytes, fd, path, max);
	fd_close(&fd);
}

void
cfgstore_bytes_load(
    struct cfgstore_bytes *bytes, const char *value, bool is_literal)
{
	if (is_literal || (strcmp(value, "-") != 0 && value[0] != '@'))
		cfgstore_bytes_put_string(bytes, value);
	else if (value[0] == '@' && strcmp(value + 1, "-") == 0)
		/* A file of that name, not the standard input. */
		cfgstore_bytes_read(bytes, "./-", LIMIT_MESSAGE_BYTES_MAX);
	else
		cfgstore_bytes_read(bytes, value[0] == '@' ? value + 1 : value,
		    LIMIT_MESSAGE_BYTES_MAX);
}

void
cfgstore_bytes_chomp(struct cfgstore_bytes *bytes)
{
	if (bytes->len > 0 && bytes->at[bytes->len - 1] == '\n')
		bytes->at[--bytes->len] = '\0';
}

bool
cfgstore_bytes_exists(const char *path)
{
	return access(path, F_OK) == 0 || errno != ENOENT;
}

/* ---- out --------------------------------------------------------------- */

/* That of the file that is there, else what umask leaves. */
static mode_t
mode_for(const char *path)
{
	struct stat st;
	mode_t mask;

	if (stat(path, &st) == 0)
		return st.st_mode & 0777;
	mask = umask(022);
	umask(mask);
	return 0666 & ~mask;
}

/* 0 or -E…; the name of the new file is there to be removed. */
static int
write_beside(int fd, const char *path, const void *from, size_t len)
{
	int rc = fd_write_full(fd, from, len, UINT64_MAX);

	if (rc == 0 && fchmod(fd, mode_for(path)) < 0)
		rc = -errno;
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	return rc;
}

static void
sync_folder(const char *path)
{
	char *copy = strdup(path);
	int fd = -1;

	if (copy != NULL)
		fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && fsync(fd) < 0)
		tool_warn("%s: %s", path, strerror(errno));
	fd_close(&fd);
	free(copy);
}

/* A device or a pipe takes the bytes: no file may come in its place. */
static bool
save_to_special(const char *path, const void *from, size_t len)
{
	struct stat st;
	int fd, rc;

	if (stat(path, &st) < 0 || S_ISREG(st.st_mode))
		return false;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	rc = fd < 0 ? -errno : fd_write_full(fd, from, len, UINT64_MAX);
	fd_close(&fd);
	if (rc < 0)
		tool_fail(EXITCODE_IO, "%s: %s", path, strerror(-rc));
	return true;
}

void
cfgstore_bytes_save(const char *path, const void *from, size_t len)
{
	char *beside;
	int fd, rc;

	if (save_to_special(path, from, len))
		return;
	if (asprintf(&beside, "%s.XXXXXX", path) < 0)
		tool_fail(EXITCODE_OS, "out of memory");
	fd = mkostemp(beside, O_CLOEXEC);
	if (fd < 0)
		tool_fail(EXITCODE_CANTCREATE, "%s: %s", path, strerror(errno));
	rc = write_beside(fd, path, from, len);
	fd_close(&fd);
	if (rc == 0 && rename(beside, path) < 0)
		rc = -errno;
	if (rc < 0) {
		unlink(beside);
		tool_fail(EXITCODE_IO, "%s: %s", path, strerror(-rc));
	}
	free(beside);
	sync_folder(path);
}
