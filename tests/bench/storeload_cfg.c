/* SPDX-License-Identifier: BSD-3-Clause */
/* cfg.sock. */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/storeload.h"

static int
open_unix(const char *place)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	snprintf(addr.sun_path, sizeof addr.sun_path, "%s", place);
	if (connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0) {
		int rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

/* The tag of each is its number on its connection. */
static bool
ask(struct storeload_client *client, const struct storeload_request *request)
{
	struct storeload_conn *conn = client->conn;
	const bool is_put = request->verb == STORELOAD_PUT ||
	    request->verb == STORELOAD_PUT_MEMORY;
	char line[128];
	int len = 0;
	if (conn->is_shared)
		len = snprintf(line, sizeof line, "#%u ", client->stream);
	if (request->verb == STORELOAD_WATCH)
		len += snprintf(
		    line + len, sizeof line - (size_t)len, "watch prefix=k\n");
	else if (is_put)
		len += snprintf(line + len, sizeof line - (size_t)len,
		    "set key=%s%s len=%zu\n", request->key,
		    request->verb == STORELOAD_PUT ? "" : " durability=memory",
		    request->value_len);
	else
		len += snprintf(line + len, sizeof line - (size_t)len,
		    "get key=%s%s\n", request->key,
		    request->verb == STORELOAD_GET ? "" : " sync=yes");
	storeload_put(conn, line, (size_t)len);
	if (is_put) {
		storeload_put(conn, request->value, request->value_len);
		storeload_put(conn, "\n", 1);
	}
	return true;
}

/* The data that follow the line, with their LF. */
static size_t
data_len(const char *line, size_t len)
{
	size_t at = len;
	while (at > 0 && line[at - 1] != ' ')
		at--;
	if (len - at < 5 || memcmp(line + at, "len=", 4) != 0)
		return 0;
	return strtoul(line + at + 4, NULL, 10) + 1;
}

static bool
is(const char *line, const char *word)
{
	return strncmp(line, word, strlen(word)) == 0;
}

static void
take_line(struct storeload_conn *conn, char *line, size_t all)
{
	struct storeload_client *client = conn->client;
	if (!conn->is_greeted) {
		conn->is_greeted = true;
		return;
	}
	if (is(line, "ev ")) {
		storeload_event(line, all);
		return;
	}
	if (*line == '#') {
		client = storeload_find(
		    conn, (uint32_t)strtoul(line + 1, &line, 10));
		line += *line == ' ';
	}
	if (client == NULL)
		storeload_die("cfg", "an answer to nothing");
	storeload_answer(client, is(line, "ok") ? NULL : line);
}

static size_t
take(struct storeload_conn *conn)
{
	char *line = conn->in + conn->in_at;
	size_t have = conn->in_len - conn->in_at;
	char *lf = memchr(line, '\n', have);
	if (lf == NULL)
		return 0;
	size_t len = (size_t)(lf - line);
	size_t all = len + 1 + data_len(line, len);
	if (all > have)
		return 0;
	*lf = '\0';
	take_line(conn, line, all);
	return all;
}

const struct storeload_store storeload_cfg = {
	.name = "cfg",
	.open = open_unix,
	.ask = ask,
	.take = take,
};
