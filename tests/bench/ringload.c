/* SPDX-License-Identifier: BSD-3-Clause */
/* Loads a running ringd and judges its order: see load.h for the run. */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libcommon/os/clock.h"

#include "tests/bench/load.h"

enum { BUFFER_BYTES = 4 << 20, HEAD_BYTES = 128 };

static int fd = -1;
static uint32_t node;
static char *in, *out;
static size_t in_len, out_at, out_len;

static void
ring_open(const char *place, size_t message_bytes)
{
	static const char listen[] = "listen id=1 group=load lossless=yes\n"
				     "views id=2\n";
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	in = malloc(BUFFER_BYTES + 1);
	out = malloc(BUFFER_BYTES);
	if (in == NULL || out == NULL ||
	    message_bytes + HEAD_BYTES > BUFFER_BYTES)
		load_die("memory");
	snprintf(addr.sun_path, sizeof addr.sun_path, "%s/ring.sock", place);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0)
		load_die(addr.sun_path);
	if (send(fd, listen, sizeof listen - 1, MSG_NOSIGNAL) < 0)
		load_die("send");
}

static bool
ring_put(const void *bytes, size_t len)
{
	char *at = out + out_len;
	int head;

	if (BUFFER_BYTES - out_len < len + HEAD_BYTES)
		return false;
	head = snprintf(
	    at, HEAD_BYTES, "pub group=load confirm=none len=%zu\n", len);
	memcpy(at + head, bytes, len);
	at[(size_t)head + len] = '\n';
	out_len += (size_t)head + len + 1;
	return true;
}

static void
flush(void)
{
	ssize_t n = send(
	    fd, out + out_at, out_len - out_at, MSG_DONTWAIT | MSG_NOSIGNAL);

	/* Why the daemon closed is in what it sent before. */
	if (n < 0 && errno == EPIPE)
		out_at = out_len;
	else if (n < 0 && errno != EAGAIN)
		load_die("send");
	if (n > 0)
		out_at += (size_t)n;
	if (out_at == out_len)
		out_at = out_len = 0;
}

static size_t
number_after(const char *line, const char *key)
{
	const char *found = strstr(line, key);

	return found == NULL ? 0 : strtoull(found + strlen(key), NULL, 10);
}

/* len= is the last word of a message's line. */
static size_t
get_len(const char *line, const char *end)
{
	while (end > line && end[-1] != '=')
		end--;
	return strtoull(end, NULL, 10);
}

/* Of a view, which comes after the group's own snapshot. */
static void
see(const char *line)
{
	const char *members = strstr(line, " members=");
	uint32_t nodes = 1;

	if (members == NULL || strstr(line, " phase=transitional") != NULL)
		return;
	for (members++; *members != ' ' && *members != '\0'; members++)
		nodes += *members == ',';
	load_see(node, nodes);
}

static void
take_reply(const char *line)
{
	if (strncmp(line, "ringkit ", 8) == 0) {
		node = (uint32_t)number_after(line, " node=");
	} else if (strncmp(line, "ev 2 ", 5) == 0) {
		see(line);
	} else if (strncmp(line, "err ", 4) == 0 ||
	    strncmp(line, "ev 1 gap", 8) == 0) {
		errno = 0;
		load_die(line);
	}
}

/* One line and its data from the front of the buffer; 0: not whole yet. */
static size_t
take_line(char *line, size_t len)
{
	char *end = memchr(line, '\n', len);
	size_t used, size;

	if (end == NULL)
		return 0;
	used = (size_t)(end - line) + 1;
	*end = '\0';
	if (strncmp(line, "ev 1 msg ", 9) != 0) {
		take_reply(line);
		return used;
	}
	size = get_len(line, end);
	if (len - used < size + 1) {
		*end = '\n';
		return 0;
	}
	load_take((uint32_t)number_after(line, " node="), end + 1, size);
	return used + size + 1;
}

static void
consume(void)
{
	ssize_t n = recv(fd, in + in_len, BUFFER_BYTES - in_len, MSG_DONTWAIT);
	size_t at = 0, used;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		load_die("the daemon went away");
	in_len += (size_t)n;
	while (!load_is_over() && (used = take_line(in + at, in_len - at)) > 0)
		at += used;
	memmove(in, in + at, in_len - at);
	in_len -= at;
}

static void
ring_turn(uint64_t wait_ns)
{
	struct timespec wait = { .tv_nsec = (long)wait_ns };
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	if (out_len > 0)
		flush();
	if (out_len > 0)
		ready.events |= POLLOUT;
	if (ppoll(&ready, 1, &wait, NULL) < 0 && errno != EINTR)
		load_die("poll");
	if (ready.revents & (POLLIN | POLLHUP | POLLERR))
		consume();
}

int
main(int argc, char **argv)
{
	static const struct load_carrier ring = { "ringload", "RUNDIR",
		ring_open, ring_put, ring_turn };

	return load_main(argc, argv, &ring);
}
