/* SPDX-License-Identifier: BSD-3-Clause */
/* fakequorum SOCKET STATE EPOCH [FD]: a daemon that tells what its input says.
 *
 * STATE is a file of records: exists lines and one ready, as they stand when
 * somebody asks; while there is none, who would watch is told "away".  Every
 * line of standard input is told to all who watch, with the next seq, a ts,
 * and is kept for cursors.  Requests go to standard output.  FD gets a line
 * feed when it listens.  Ends with its input.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/line.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/unixsock.h"

enum { CLIENTS = 64, KEPT = 8192, LINE_BYTES = 4096 };

struct client {
	int fd; /* -1: free */
	bool watches;
	struct line line;
	char in[2 * LINE_BYTES];
};

static const char away[] = "err code=away n=69 msg=not-yet\n";
static const char *state_path, *epoch;
static struct client clients[CLIENTS];
static char *kept[KEPT];
static uint64_t seq;

static void
drop(struct client *client)
{
	fd_close(&client->fd);
}

static void
say(struct client *client, const char *bytes, size_t len)
{
	if (client->fd >= 0 &&
	    fd_write_full(client->fd, bytes, len, UINT64_MAX) < 0)
		drop(client);
}

/* "ev 1 RECORD seq=S ts=T" */
static void
tell(struct client *client, const char *record, uint64_t number)
{
	char bytes[LINE_BYTES + 128], stamp[CLOCK_STAMP_BYTES];
	struct text text;

	clock_stamp(clock_real_ns(), stamp);
	text_init(&text, bytes, sizeof bytes);
	text_put(&text, "ev 1 ");
	text_put(&text, record);
	if (strncmp(record, "ready", strlen("ready")) == 0) {
		text_put(&text, " cursor=");
		text_put(&text, epoch);
		text_put_char(&text, ':');
		text_put_u64(&text, number);
	}
	text_put(&text, " seq=");
	text_put_u64(&text, number);
	text_put(&text, " ts=");
	text_put(&text, stamp);
	text_put_char(&text, '\n');
	say(client, text.bytes, text.len);
}

/* The lines of the state that begin so. */
static void
tell_state(struct client *client, const char *first, bool is_item)
{
	char line[LINE_BYTES], item[LINE_BYTES + 8];
	FILE *file = fopen(state_path, "r");

	ENSURE(file != NULL);
	while (fgets(line, sizeof line, file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, first, strlen(first)) != 0)
			continue;
		if (is_item) {
			int n = snprintf(item, sizeof item, "item%s\n",
			    line + strlen(first));
			say(client, item, (size_t)n);
		} else {
			tell(client, line, seq);
		}
	}
	fclose(file);
}

static void
watch(struct client *client, struct word *word)
{
	const struct word_pair *since = word_get(word, "since");
	const char *colon = since != NULL ? strchr(since->value, ':') : NULL;
	bool has_from = false;
	uint64_t from = 0;

	if (access(state_path, F_OK) < 0) {
		say(client, away, strlen(away));
		return;
	}
	say(client, "ok id=1\n", strlen("ok id=1\n"));
	client->watches = true;
	if (colon != NULL &&
	    strncmp(since->value, epoch, (size_t)(colon - since->value)) == 0) {
		has_from = true;
		from = strtoull(colon + 1, NULL, 10);
	}
	if (since != NULL && !has_from)
		tell(client, "gap lost=unknown", seq);
	if (!has_from)
		tell_state(client, "exists", false);
	while (has_from && ++from <= seq)
		tell(client, kept[from], from);
	tell_state(client, "ready", false);
}

static void
request(struct client *client, char *line, size_t len)
{
	struct word word;
	char answer[64] = "ok\n";

	printf("%s\n", line);
	if (word_parse(&word, line, len) != 0)
		return;
	if (strcmp(word.verb[0], "watch") == 0) {
		watch(client, &word);
		return;
	}
	if (strcmp(word.verb[0], "nodes") == 0)
		tell_state(client, "exists", true);
	if (word.tag != NULL)
		snprintf(answer, sizeof answer, "#%s ok\n", word.tag);
	say(client, answer, strlen(answer));
}

static void
take(struct client *client)
{
	size_t room, len;
	char *space = line_space(&client->line, &room), *line;
	ssize_t n = read(client->fd, space, room);

	if (n <= 0) {
		drop(client);
		return;
	}
	line_fill(&client->line, (size_t)n);
	while (client->fd >= 0 &&
	    line_next(&client->line, &line, &len) == LINE_READY)
		request(client, line, len);
}

static void
greet(int listen_fd)
{
	char bytes[160];
	int n, fd = unixsock_accept(listen_fd);
	struct client *client = clients;

	if (fd < 0)
		return;
	while (client < clients + CLIENTS && client->fd >= 0)
		client++;
	ENSURE(client < clients + CLIENTS);
	client->fd = fd;
	client->watches = false;
	line_init(&client->line, client->in, sizeof client->in, LINE_BYTES);
	n = snprintf(bytes, sizeof bytes,
	    "ringkit proto=1 min=1 daemon=quorumd version=0.1.0 node=1 "
	    "name=alpha epoch=%s max_line=8192 max_data=0\n",
	    epoch);
	say(client, bytes, (size_t)n);
}

/* false: there is no more. */
static bool
control(struct line *in)
{
	size_t room, len;
	char *space = line_space(in, &room), *line;
	ssize_t n = read(STDIN_FILENO, space, room);

	if (n <= 0)
		return false;
	line_fill(in, (size_t)n);
	while (line_next(in, &line, &len) == LINE_READY) {
		ENSURE(seq + 1 < KEPT);
		kept[++seq] = strdup(line);
		for (int i = 0; i < CLIENTS; i++)
			if (clients[i].watches)
				tell(&clients[i], line, seq);
	}
	return true;
}

static void
serve(int listen_fd)
{
	static char bytes[2 * LINE_BYTES];
	struct pollfd fds[CLIENTS + 2];
	struct line in;

	line_init(&in, bytes, sizeof bytes, LINE_BYTES);
	for (;;) {
		for (int i = 0; i < CLIENTS; i++)
			fds[i] = (struct pollfd){ clients[i].fd, POLLIN, 0 };
		fds[CLIENTS] = (struct pollfd){ listen_fd, POLLIN, 0 };
		fds[CLIENTS + 1] = (struct pollfd){ STDIN_FILENO, POLLIN, 0 };
		if (poll(fds, CLIENTS + 2, -1) < 0)
			continue;
		for (int i = 0; i < CLIENTS; i++)
			if (fds[i].revents != 0)
				take(&clients[i]);
		if (fds[CLIENTS].revents != 0)
			greet(listen_fd);
		if (fds[CLIENTS + 1].revents != 0 && !control(&in))
			return;
	}
}

int
main(int argc, char **argv)
{
	struct unixsock sock;

	if (argc != 4 && argc != 5)
		return 64;
	state_path = argv[2];
	epoch = argv[3];
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 0; i < CLIENTS; i++)
		clients[i].fd = -1;
	if (unixsock_listen(&sock, argv[1], 0600, NULL) != 0)
		return 1;
	if (argc == 5 && write(atoi(argv[4]), "\n", 1) != 1)
		return 1;
	serve(sock.fd);
	unixsock_close(&sock);
	return 0;
}
