/* SPDX-License-Identifier: BSD-3-Clause */
/* quorumfake SOCKET: a quorumd that says what it is told to.
 *
 * Lines of standard input, each confirmed by a line on standard output:
 *	answer WORDS…	what "quorum" is answered from now on
 *	why WORDS…	one more item for "why"
 *	node WORDS…	one more line of the snapshot
 *	ready WORDS…	its last
 *	ev EVENT WORDS…	an event for all who watch
 *	mute, speak	answer nothing any more; again
 *	part		close all connections
 *	clients		wait until somebody watches
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CLIENTS = 16, LINES = 80, BYTES = 1024 };

static struct client {
	int fd;
	bool is_watching;
	char line[BYTES];
	size_t len;
} clients[CLIENTS];

static char answer[BYTES], ready[BYTES];
static char why[LINES][BYTES], node[LINES][BYTES];
static size_t why_count, node_count;
static bool is_mute, is_awaited;

static void
say(const char *text)
{
	(void)!write(STDOUT_FILENO, text, strlen(text));
}

static void
tell(const struct client *client, const char *before, const char *text)
{
	char line[2 * BYTES];
	int n = snprintf(line, sizeof line, "%s%s\n", before, text);

	(void)!send(client->fd, line, (size_t)n, MSG_NOSIGNAL);
}

/* An event, with the words that end every one. */
static void
tell_event(const struct client *client, const char *before, const char *text)
{
	static unsigned seq;
	char line[BYTES];

	(void)snprintf(line, sizeof line,
	    "%.960s seq=%u ts=2026-11-22T03:04:05.678Z", text, ++seq);
	tell(client, before, line);
}

static void
greet(int listen_fd)
{
	int fd = accept(listen_fd, NULL, NULL);

	for (size_t i = 0; i < CLIENTS; i++) {
		if (clients[i].fd >= 0)
			continue;
		clients[i] = (struct client){ .fd = fd };
		if (!is_mute)
			tell(&clients[i], "",
			    "ringkit proto=1 min=1 daemon=quorumd "
			    "version=0 node=1 name=alpha epoch=00c0ffee "
			    "max_line=8192 max_data=0");
		return;
	}
	close(fd);
}

static void
serve_watch(struct client *client, const char *tag)
{
	tell(client, tag, "ok id=1");
	for (size_t i = 0; i < node_count; i++)
		tell_event(client, "ev 1 exists ", node[i]);
	tell_event(client, "ev 1 ready ", ready);
	client->is_watching = true;
	if (is_awaited)
		say("ok\n");
	is_awaited = false;
}

static void
serve(struct client *client, char *line)
{
	char tag[32] = "", *verb = line;

	if (is_mute)
		return;
	if (*line == '#') {
		verb = strchr(line, ' ');
		*verb++ = '\0';
		(void)snprintf(tag, sizeof tag, "%.20s ", line);
	}
	if (strcmp(verb, "quorum") == 0) {
		tell(client, tag, answer);
	} else if (strcmp(verb, "why") == 0) {
		for (size_t i = 0; i < why_count; i++) {
			char item[40];

			(void)snprintf(item, sizeof item, "%sitem ", tag);
			tell(client, item, why[i]);
		}
		tell(client, tag, "ok");
	} else if (strncmp(verb, "watch", 5) == 0) {
		serve_watch(client, tag);
	} else {
		tell(client, tag, "err code=unknown n=64 msg=verb");
	}
}

static void
hear(struct client *client)
{
	char *lf;
	ssize_t n = read(client->fd, client->line + client->len,
	    sizeof client->line - client->len - 1);

	if (n <= 0) {
		close(client->fd);
		client->fd = -1;
		return;
	}
	client->len += (size_t)n;
	while ((lf = memchr(client->line, '\n', client->len)) != NULL) {
		size_t used = (size_t)(lf + 1 - client->line);

		*lf = '\0';
		serve(client, client->line);
		client->len -= used;
		memmove(client->line, client->line + used, client->len);
	}
}

static void
tell_all(const char *event)
{
	for (size_t i = 0; i < CLIENTS; i++)
		if (clients[i].fd >= 0 && clients[i].is_watching)
			tell_event(&clients[i], "ev 1 ", event);
}

static bool
is_watched(void)
{
	for (size_t i = 0; i < CLIENTS; i++)
		if (clients[i].fd >= 0 && clients[i].is_watching)
			return true;
	return false;
}

static void
part(void)
{
	for (size_t i = 0; i < CLIENTS; i++) {
		if (clients[i].fd >= 0)
			close(clients[i].fd);
		clients[i].fd = -1;
	}
}

/* An order from standard input. */
static void
obey(char *line)
{
	char *rest = strchr(line, ' ');

	if (rest != NULL)
		*rest++ = '\0';
	else
		rest = line + strlen(line);
	if (strcmp(line, "answer") == 0)
		(void)snprintf(answer, sizeof answer, "%.1000s", rest);
	else if (strcmp(line, "ready") == 0)
		(void)snprintf(ready, sizeof ready, "%.1000s", rest);
	else if (strcmp(line, "why") == 0 && why_count < LINES)
		(void)snprintf(why[why_count++], BYTES, "%.1000s", rest);
	else if (strcmp(line, "node") == 0 && node_count < LINES)
		(void)snprintf(node[node_count++], BYTES, "%.1000s", rest);
	else if (strcmp(line, "nobody") == 0)
		node_count = 0;
	else if (strcmp(line, "ev") == 0)
		tell_all(rest);
	else if (strcmp(line, "mute") == 0 || strcmp(line, "speak") == 0)
		is_mute = *line == 'm';
	else if (strcmp(line, "part") == 0)
		part();
	else if (strcmp(line, "clients") == 0 && !is_watched()) {
		is_awaited = true;
		return;
	}
	say("ok\n");
}

/* false: nobody gives orders any more. */
static bool
take_orders(void)
{
	static char orders[8 * BYTES];
	static size_t len;
	char *lf;
	ssize_t n = read(STDIN_FILENO, orders + len, sizeof orders - len - 1);

	if (n <= 0)
		return false;
	len += (size_t)n;
	while ((lf = memchr(orders, '\n', len)) != NULL) {
		size_t used = (size_t)(lf + 1 - orders);

		*lf = '\0';
		obey(orders);
		len -= used;
		memmove(orders, orders + used, len);
	}
	return true;
}

static int
listen_at(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0 || strlen(path) >= sizeof addr.sun_path)
		return -1;
	strcpy(addr.sun_path, path);
	unlink(path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0 ||
	    listen(fd, 16) < 0)
		return -1;
	return fd;
}

int
main(int argc, char **argv)
{
	struct pollfd fds[CLIENTS + 2];
	int listen_fd = argc == 2 ? listen_at(argv[1]) : -1;

	if (listen_fd < 0)
		return 1;
	for (size_t i = 0; i < CLIENTS; i++)
		clients[i].fd = -1;
	for (;;) {
		fds[0] = (struct pollfd){ STDIN_FILENO, POLLIN, 0 };
		fds[1] = (struct pollfd){ listen_fd, POLLIN, 0 };
		for (size_t i = 0; i < CLIENTS; i++)
			fds[i + 2] =
			    (struct pollfd){ clients[i].fd, POLLIN, 0 };
		if (poll(fds, CLIENTS + 2, -1) < 0)
			return 1;
		if (fds[0].revents != 0 && !take_orders())
			return 0;
		if (fds[1].revents != 0)
			greet(listen_fd);
		for (size_t i = 0; i < CLIENTS; i++)
			if (fds[i + 2].revents != 0 && clients[i].fd >= 0)
				hear(&clients[i]);
	}
}
