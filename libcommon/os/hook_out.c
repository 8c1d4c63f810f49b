/* SPDX-License-Identifier: BSD-3-Clause */
/* A standard error that nobody reads must not hold up the next hook: what it
 * does not take at once is dropped.
 */
#include "libcommon/os/hook_out.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/tool.h"

int
hook_out_open(struct hook_out *out, const char *name, int *write_end)
{
	const char *slash = strrchr(name, '/');
	int ends[2];

	*out = (struct hook_out){ .fd = -1 };
	out->name = slash != NULL ? slash + 1 : name;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	out->fd = ends[0];
	*write_end = ends[1];
	return fd_set_nonblock(out->fd, true);
}

static bool
has_room(void)
{
	struct pollfd pfd = { STDERR_FILENO, POLLOUT, 0 };

	return poll(&pfd, 1, 0) > 0;
}

static void
say(struct hook_out *out)
{
	if (out->len > 0 && has_room())
		tool_warn("%s: %.*s", out->name, (int)out->len, out->line);
	out->len = 0;
}

static void
take_byte(struct hook_out *out, char byte)
{
	if (byte == '\n') {
		say(out);
		return;
	}
	out->line[out->len++] = (char)(byte != '\0' ? byte : '?');
	if (out->len == sizeof out->line)
		say(out);
}

static void
take(struct hook_out *out, const char *bytes, size_t len)
{
	size_t kept = (size_t)num_min(len, HOOK_OUT_BYTES - out->total);

	for (size_t i = 0; i < kept; i++)
		take_byte(out, bytes[i]);
	out->total += kept;
	if (kept == len || out->is_cut)
		return;
	out->is_cut = true;
	say(out);
	if (has_room())
		tool_warn("%s: more output is dropped", out->name);
}

void
hook_out_turn(struct hook_out *out)
{
	char bytes[4096];
	ssize_t n = 1;

	/* Bounded: a hook that only prints must not hold us up, either. */
	for (int i = 0; i < 16 && n > 0; i++) {
		n = out->fd >= 0 ? read(out->fd, bytes, sizeof bytes) : 0;
		if (n > 0)
			take(out, bytes, (size_t)n);
	}
	if (n == 0)
		fd_close(&out->fd);
}

void
hook_out_close(struct hook_out *out)
{
	hook_out_turn(out);
	say(out);
	fd_close(&out->fd);
}
