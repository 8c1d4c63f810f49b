/* SPDX-License-Identifier: BSD-3-Clause */
/* ringkit keygen: a new key file, never in the place of one that is there. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/os/box.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/opt.h"
#include "libcommon/os/tool.h"

#include "bin/ringkit/ringkit.h"
#include "bin/ringkit/ringkit_key.h"

enum { LINE_BYTES = 2 * BOX_KEY_BYTES + 8 };

static const char *output = "/etc/ringkit/key";
static uint64_t key_id = 1;

static const struct opt opts[] = {
	{ 'o', "output", OPT_STRING, &output, NULL, "FILE",
	    "the key file, - is stdout (default: /etc/ringkit/key)" },
	{ '\0', "id", OPT_COUNT, &key_id, NULL, "ID",
	    "the key's number, 1 to 255 (default: 1)" },
};

static const struct opt_program program = {
	.name = "ringkit keygen",
	.operands = "",
	.summary = "Make a key file, which all nodes of a cluster share.",
	.opts = opts,
	.opt_count = ARRAY_COUNT(opts),
};

/* ID HEX64 LF; the length. */
static size_t
make_line(char line[LINE_BYTES], uint32_t id)
{
	uint8_t key[BOX_KEY_BYTES];
	int rc = sodium_init();
	char hex[2 * BOX_KEY_BYTES + 1];
	int n;

	if (rc < 0)
		tool_fail(EXITCODE_INTERNAL, "libsodium does not start");
	randombytes_buf(key, sizeof key);
	sodium_bin2hex(hex, sizeof hex, key, sizeof key);
	n = snprintf(line, LINE_BYTES, "%u %s\n", id, hex);
	sodium_memzero(key, sizeof key);
	sodium_memzero(hex, sizeof hex);
	return (size_t)n;
}

/* A new file with that content, on the disk: 0 or -E…. */
static int
write_new(const char *path, const char *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	int rc;

	if (fd < 0)
		return -errno;
	rc = fd_write_full(fd, bytes, len, UINT64_MAX);
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	fd_close(&fd);
	return rc;
}

/* It appears whole or not at all; link, other than rename, never replaces. */
int
ringkit_key_write(const char *path, uint32_t id)
{
	char line[LINE_BYTES];
	size_t len = make_line(line, id);
	char *fresh;
	int rc;

	if (asprintf(&fresh, "%s.new.%ld", path, (long)getpid()) < 0)
		return -ENOMEM;
	rc = write_new(fresh, line, len);
	sodium_memzero(line, sizeof line);
	if (rc == 0 && link(fresh, path) < 0)
		rc = -errno;
	unlink(fresh);
	free(fresh);
	return rc;
}

static int
print_key(void)
{
	char line[LINE_BYTES];
	size_t len = make_line(line, (uint32_t)key_id);
	int rc = fd_write_full(STDOUT_FILENO, line, len, UINT64_MAX);

	if (rc < 0)
		tool_fail_output(rc);
	return EXITCODE_OK;
}

int
ringkit_keygen(int argc, char **argv)
{
	int first, rc = opt_parse(&program, argc, argv, &first);

	if (rc == 0 && first < argc)
		rc =
		    opt_usage(&program, "%s: no operand is taken", argv[first]);
	if (rc == 0 && (key_id < 1 || key_id > BOX_KEY_ID_MAX))
		rc = opt_usage(
		    &program, "--id: expected 1 to %d", BOX_KEY_ID_MAX);
	if (rc != 0)
		return tool_opt_exit(rc);
	if (strcmp(output, "-") == 0)
		return print_key();
	rc = ringkit_key_write(output, (uint32_t)key_id);
	if (rc == -EEXIST)
		tool_fail(EXITCODE_CANTCREATE,
		    "%s: is there already and is not replaced", output);
	if (rc < 0)
		tool_fail(EXITCODE_CANTCREATE, "%s: %s", output, strerror(-rc));
	return EXITCODE_OK;
}
