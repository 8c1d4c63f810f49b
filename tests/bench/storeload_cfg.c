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

static bool
ask(struct storeload_client *client, const struct storeload_request *request)
{
	char line[128];
	int len = 0;
	switch (request->verb) {
	case STORELOAD_PUT:
	case STORELOAD_PUT_MEMORY:
		len = snprintf(line, sizeof line, "set key=%s%s len=%zu\n",
		    request->key,
		    request->verb == STORELOAD_PUT_MEMORY ? " durability=memory"
							  : "",
		    request->value_len);
		break;
	case STORELOAD_GET:
		len = snprintf(line, sizeof line, "get key=%s\n", request->key);
		break;
	case STORELOAD_GET_SYNC:
		len = snprintf(
		    line, sizeof line, "get key=%s sync=yes\n", request->key);
		break;
	case STORELOAD_WATCH:
		len = snprintf(line, sizeof line, "watch prefix=k\n");
		break;
	}
	storeload_put(client, line, (size_t)len);
	if (request->verb == STORELOAD_PUT ||
	    request->verb == STORELOAD_PUT_MEMORY) {
		storeload_put(client, request->value, request->value_len);
		storeload_put(client, "\n", 1);
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
is(const char *line, size_t len, const char *word)
{
	size_t word_len = strlen(word);
	return len >= word_len && memcmp(line, word, word_len) == 0;
}

static size_t
take(struct storeload_client *client)
{
	const char *lf = memchr(client->in, '\n', client->in_len);
	if (lf == NULL)
		return 0;
	size_t len = (size_t)(lf - client->in);
	size_t all = len + 1 + data_len(client->in, len);
	if (all > client->in_len)
		return 0;
	if (!client->is_greeted) {
		client->is_greeted = true;
	} else if (is(client->in, len, "ev ")) {
		storeload_event(client->in, all);
	} else if (is(client->in, len, "ok")) {
		storeload_answer(client, NULL);
	} else {
		client->in[len] = '\0';
		storeload_answer(client, client->in);
	}
	return all;
}

const struct storeload_store storeload_cfg = {
	.name = "cfg",
	.open = open_unix,
	.ask = ask,
	.take = take,
};
