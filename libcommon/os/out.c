/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/os/out.h"

#include <sys/stat.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/text.h"
#include "libcommon/os/fd.h"

enum {
	FIRST_BYTES = 131072,
	FILE_BATCH_BYTES = 65536,
	VALUE_GROWTH = 5, /* a byte may become \0ooo */
};

int
out_open(struct out *out, int fd)
{
	struct stat st;
	bool is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);

	*out = (struct out){ .fd = fd,
		.deadline_ns = UINT64_MAX,
		.bytes = malloc(FIRST_BYTES),
		.size = FIRST_BYTES,
		.batch = is_file ? FILE_BATCH_BYTES : PIPE_BUF };
	return out->bytes != NULL ? 0 : -ENOMEM;
}

void
out_close(struct out *out)
{
	free(out->bytes);
	*out = (struct out){ .fd = -1 };
}

static void
fail(struct out *out, int rc)
{
	if (out->rc == 0)
		out->rc = rc;
	out->len = out->end = 0;
}

/* Room for max more bytes, or the failure sticks. */
static bool
reserve(struct out *out, size_t max)
{
	size_t size = out->size;
	char *grown;

	if (out->rc != 0)
		return false;
	if (max <= size - out->len)
		return true;
	while (max > size - out->len)
		size *= 2;
	grown = realloc(out->bytes, size);
	if (grown == NULL) {
		fail(out, -ENOMEM);
		return false;
	}
	out->bytes = grown;
	out->size = size;
	return true;
}

void
out_put(struct out *out, const void *bytes, size_t len)
{
	if (!reserve(out, len) || len == 0)
		return;
	memcpy(out->bytes + out->len, bytes, len);
	out->len += len;
}

void
out_put_string(struct out *out, const char *string)
{
	out_put(out, string, strlen(string));
}

void
out_begin_text(struct out *out, struct text *text, size_t max)
{
	static char nowhere[1];

	if (reserve(out, max + 1))
		text_init(text, out->bytes + out->len, max + 1);
	else
		text_init(text, nowhere, sizeof nowhere);
}

void
out_end_text(struct out *out, const struct text *text)
{
	if (out->rc != 0)
		return;
	ENSURE(text->bytes == out->bytes + out->len && !text->is_full);
	out->len += text->len;
}

void
out_put_u64(struct out *out, uint64_t value)
{
	struct text text;

	out_begin_text(out, &text, 20);
	text_put_u64(&text, value);
	out_end_text(out, &text);
}

void
out_put_value(struct out *out, const void *bytes, size_t len)
{
	struct text text;

	out_begin_text(out, &text, VALUE_GROWTH * len);
	text_put_value(&text, bytes, len);
	out_end_text(out, &text);
}

void
out_put_plain(struct out *out, const void *bytes, size_t len)
{
	const unsigned char *b = bytes;

	for (size_t i = 0; i < len; i++)
		out_put(out,
		    b[i] < ' ' || b[i] == 0x7F ? (const void *)"?" : &b[i], 1);
}

/* The first len bytes, which end a record. */
static void
write_out(struct out *out, size_t len)
{
	int rc;

	if (out->deadline_ns != UINT64_MAX) {
		/* A blocking descriptor would not heed the deadline. */
		rc = fd_wait(out->fd, POLLOUT, out->deadline_ns);
		if (rc <= 0) {
			fail(out, rc == 0 ? -ETIMEDOUT : rc);
			return;
		}
	}
	rc = fd_write_full(out->fd, out->bytes, len, out->deadline_ns);
	if (rc < 0) {
		fail(out, rc);
		return;
	}
	memmove(out->bytes, out->bytes + len, out->len - len);
	out->len -= len;
	out->end = 0;
}

void
out_end(struct out *out)
{
	if (out->len > out->batch && out->end > 0)
		write_out(out, out->end);
	out->end = out->len;
	if (out->len >= out->batch)
		write_out(out, out->len);
}

int
out_flush(struct out *out)
{
	if (out->rc == 0 && out->end > 0)
		write_out(out, out->end);
	return out->rc;
}

bool
out_is_deserted(const struct out *out)
{
	struct pollfd pfd = { .fd = out->fd };

	return poll(&pfd, 1, 0) > 0 && (pfd.revents & (POLLERR | POLLHUP)) != 0;
}
