/* SPDX-License-Identifier: BSD-3-Clause */
/* lockfake DIR N: the store for locks, DIR/1/cfg.sock … DIR/N/cfg.sock.
 *
 * All sockets are of one store; each may misbehave on its own.  An order a
 * line on standard input, answered by a line when it is carried out:
 *
 *	open|refuse|done-unknown|lost-unknown NODE [COUNT]
 *		how writes are answered, the next COUNT of them
 *	away NODE STATE / here NODE	watchers are told
 *	slow NODE MS	answers and events are late
 *	deaf NODE / hear NODE	requests are not read
 *	blind NODE / see NODE	events are not told
 *	vanish NODE / appear NODE	the socket is gone / is there again
 *	cut NODE	connections are closed
 *	drop NODE COUNT	do COUNT writes, closing instead of answering
 *	lose	all leases end
 *	del KEY	as an operator would
 *	rev KEY	answers its revision, 0: there is none
 */
#include <sys/stat.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/word.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/unixsock.h"

#include "tests/unit/fakestore.h"

enum { NODES = 8, CLIENTS = 64, CHUNK = 1 << 16 };

struct node {
	struct unixsock sock;
	bool is_there, is_deaf, is_blind;
	enum fakestore_mood mood;
	unsigned mood_count; /* 0: for ever */
	unsigned drop_count;
	uint64_t slow_ns;
	char away[32]; /* "": it is here */
};

/* What is to be written when its time has come. */
struct late {
	struct late *next;
	uint64_t due_ns;
	size_t len;
	char bytes[];
};

struct client {
	int fd; /* -1: free */
	unsigned node;
	bool watches, is_ending;
	uint64_t rev;
	char prefix[600];
	struct late *first, **end;
	struct fakestore_text in;
};

static const char *folder;
static unsigned node_count;
static struct node nodes[NODES];
static struct client clients[CLIENTS];
static struct fakestore *store;

/* ---- clients ----------------------------------------------------------- */

static void
drop(struct client *client)
{
	fd_close(&client->fd);
	while (client->first != NULL) {
		struct late *late = client->first;

		client->first = late->next;
		free(late);
	}
	client->end = &client->first;
	client->in.len = 0;
	client->watches = client->is_ending = false;
}

static void
say(struct client *client, const char *bytes, size_t len)
{
	struct late *late = malloc(sizeof *late + len);

	ENSURE(late != NULL);
	late->next = NULL;
	late->due_ns = clock_boot_ns() + nodes[client->node].slow_ns;
	late->len = len;
	memcpy(late->bytes, bytes, len);
	*client->end = late;
	client->end = &late->next;
}

static void
flush(struct client *client)
{
	while (client->fd >= 0 && client->first != NULL &&
	    client->first->due_ns <= clock_boot_ns()) {
		struct late *late = client->first;

		client->first = late->next;
		if (client->first == NULL)
			client->end = &client->first;
		if (fd_write_full(client->fd, late->bytes, late->len,
			clock_now_ns() + CLOCK_S_NS) < 0)
			client->is_ending = true;
		free(late);
	}
	if (client->is_ending)
		drop(client);
}

/* Tells what has happened to all who watch and may hear of it. */
static void
tell_all(void)
{
	for (struct client *c = clients; c < clients + CLIENTS; c++) {
		struct fakestore_text out = { 0 };

		if (c->fd < 0 || !c->watches || nodes[c->node].is_blind)
			continue;
		fakestore_events(store, c->prefix, c->rev, &out);
		c->rev = fakestore_rev(store);
		if (out.len > 0)
			say(c, out.bytes, out.len);
		free(out.bytes);
	}
}

static void
tell_away(struct client *client)
{
	const struct node *node = &nodes[client->node];
	char line[80];
	int n = node->away[0] != '\0'
	    ? snprintf(
		  line, sizeof line, "ev 1 away why=x state=%s\n", node->away)
	    : snprintf(line, sizeof line, "ev 1 here rev=%llu\n",
		  (unsigned long long)fakestore_rev(store));

	say(client, line, (size_t)n);
}

static enum fakestore_mood
mood_of(struct node *node, bool is_write)
{
	enum fakestore_mood mood = node->mood;

	if (is_write && node->mood_count > 0 && --node->mood_count == 0)
		node->mood = FAKESTORE_OPEN;
	return mood;
}

static bool
is_write(const char *line)
{
	return strstr(line, "txn ") != NULL || strstr(line, "lease") != NULL;
}

static void
request(struct client *client, char *line, size_t len, const char *body)
{
	struct node *node = &nodes[client->node];
	bool writes = is_write(line);
	struct fakestore_request req = { .line = line,
		.len = len,
		.body = body,
		.node = client->node,
		.mood = mood_of(node, writes),
		.now_ns = clock_boot_ns() };
	struct fakestore_text out = { 0 };

	if (!fakestore_ask(store, &req, &out)) {
		client->watches = true;
		strcpy(client->prefix, req.prefix);
		client->rev = fakestore_rev(store);
		fakestore_snapshot(store, client->prefix, &out);
	}
	if (writes && node->drop_count > 0) {
		node->drop_count--;
		client->is_ending = true;
	} else {
		say(client, out.bytes, out.len);
	}
	free(out.bytes);
	if (strncmp(line, "#w", 2) == 0 && node->away[0] != '\0')
		tell_away(client);
	tell_all();
}

/* All requests that are whole. */
static void
take_requests(struct client *client)
{
	size_t at = 0;

	while (client->fd >= 0 && !client->is_ending) {
		char *line = client->in.bytes + at;
		size_t left = client->in.len - at, len, used;
		char *lf = left > 0 ? memchr(line, '\n', left) : NULL;
		uint64_t data_len = 0;

		if (lf == NULL)
			break;
		len = (size_t)(lf - line);
		used = len + 1;
		if (word_data_len(line, len, &data_len) == WORD_DATA_FOLLOWS)
			used += (size_t)data_len + 1;
		if (used > left)
			break;
		*lf = '\0';
		request(client, line, len, lf + 1);
		at += used;
	}
	if (client->in.len > 0) {
		memmove(client->in.bytes, client->in.bytes + at,
		    client->in.len - at);
		client->in.len -= at;
	}
}

static void
take(struct client *client)
{
	char bytes[CHUNK];
	ssize_t n = read(client->fd, bytes, sizeof bytes);

	if (n <= 0) {
		drop(client);
		return;
	}
	fakestore_put(&client->in, bytes, (size_t)n);
	take_requests(client);
}

static void
greet(unsigned idx)
{
	char line[200];
	int n, fd = unixsock_accept(nodes[idx].sock.fd);
	struct client *client = clients;

	if (fd < 0)
		return;
	while (client < clients + CLIENTS && client->fd >= 0)
		client++;
	ENSURE(client < clients + CLIENTS);
	client->fd = fd;
	client->node = idx;
	n = snprintf(line, sizeof line,
	    "ringkit proto=1 min=1 daemon=cfgstored version=0.1.0 node=%u "
	    "name=n%u epoch=00000001 max_line=8192 max_data=1048576\n",
	    idx, idx);
	say(client, line, (size_t)n);
}

/* ---- orders ------------------------------------------------------------ */

static void
appear(unsigned idx)
{
	char path[UNIXSOCK_PATH_BYTES];

	(void)snprintf(path, sizeof path, "%s/%u", folder, idx);
	(void)mkdir(path, 0700);
	(void)snprintf(path, sizeof path, "%s/%u/cfg.sock", folder, idx);
	ENSURE(unixsock_listen(&nodes[idx].sock, path, 0600, NULL) == 0);
	nodes[idx].is_there = true;
}

static void
cut(unsigned idx)
{
	for (struct client *c = clients; c < clients + CLIENTS; c++)
		if (c->fd >= 0 && c->node == idx)
			drop(c);
}

static void
set_away(unsigned idx, const char *why)
{
	(void)snprintf(nodes[idx].away, sizeof nodes[idx].away, "%s", why);
	for (struct client *c = clients; c < clients + CLIENTS; c++)
		if (c->fd >= 0 && c->node == idx && c->watches)
			tell_away(c);
}

static bool
set_mood(struct node *node, const char *verb, const char *count)
{
	static const struct {
		const char *word;
		enum fakestore_mood mood;
	} moods[] = {
		{ "open", FAKESTORE_OPEN },
		{ "refuse", FAKESTORE_REFUSES },
		{ "done-unknown", FAKESTORE_DONE_UNKNOWN },
		{ "lost-unknown", FAKESTORE_LOST_UNKNOWN },
	};

	for (size_t i = 0; i < ARRAY_COUNT(moods); i++) {
		if (strcmp(verb, moods[i].word) != 0)
			continue;
		node->mood = moods[i].mood;
		node->mood_count = (unsigned)strtoul(count, NULL, 10);
		return true;
	}
	return false;
}

static void
delete_key(const char *key)
{
	char line[64], body[700];
	int n = snprintf(body, sizeof body, "del key=%s\n", key);
	struct fakestore_request req = { .line = line,
		.len = (size_t)snprintf(line, sizeof line, "txn len=%d", n),
		.body = body,
		.node = 1,
		.now_ns = clock_boot_ns() };
	struct fakestore_text out = { 0 };

	(void)fakestore_ask(store, &req, &out);
	free(out.bytes);
}

static void
order_node(const char *verb, unsigned idx, const char *arg)
{
	struct node *node = &nodes[idx];

	ENSURE(idx >= 1 && idx <= node_count);
	if (set_mood(node, verb, arg))
		return;
	if (strcmp(verb, "away") == 0) {
		set_away(idx, arg);
	} else if (strcmp(verb, "here") == 0) {
		set_away(idx, "");
	} else if (strcmp(verb, "slow") == 0) {
		node->slow_ns = strtoul(arg, NULL, 10) * CLOCK_MS_NS;
	} else if (strcmp(verb, "deaf") == 0 || strcmp(verb, "hear") == 0) {
		node->is_deaf = verb[0] == 'd';
	} else if (strcmp(verb, "blind") == 0 || strcmp(verb, "see") == 0) {
		node->is_blind = verb[0] == 'b';
	} else if (strcmp(verb, "vanish") == 0) {
		cut(idx);
		unixsock_close(&node->sock);
		node->is_there = false;
	} else if (strcmp(verb, "appear") == 0) {
		appear(idx);
	} else if (strcmp(verb, "cut") == 0) {
		cut(idx);
	} else {
		ENSURE(strcmp(verb, "drop") == 0);
		node->drop_count = (unsigned)strtoul(arg, NULL, 10);
	}
}

static void
order(char *line)
{
	char verb[32] = "", first[600] = "", second[64] = "";
	uint64_t rev;

	(void)sscanf(line, "%31s %599s %63s", verb, first, second);
	if (strcmp(verb, "lose") == 0) {
		fakestore_lose(store, clock_boot_ns());
	} else if (strcmp(verb, "del") == 0) {
		delete_key(first);
	} else if (strcmp(verb, "rev") == 0) {
		rev = fakestore_rev_of(store, first);
		printf("%llu\n", (unsigned long long)rev);
		return;
	} else {
		order_node(verb, (unsigned)strtoul(first, NULL, 10), second);
	}
	tell_all();
	printf("done\n");
}

/* false: there is no more. */
static bool
take_orders(void)
{
	static struct fakestore_text in;
	char bytes[4096], *lf;
	ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);

	if (n <= 0)
		return false;
	fakestore_put(&in, bytes, (size_t)n);
	while ((lf = strchr(in.bytes, '\n')) != NULL) {
		*lf = '\0';
		order(in.bytes);
		in.len -= (size_t)(lf + 1 - in.bytes);
		memmove(in.bytes, lf + 1, in.len + 1);
	}
	return true;
}

/* ---- the loop ---------------------------------------------------------- */

static int
wait_ms(void)
{
	uint64_t due_ns = fakestore_deadline_ns(store),
		 now_ns = clock_boot_ns();

	for (struct client *c = clients; c < clients + CLIENTS; c++)
		if (c->fd >= 0 && c->first != NULL)
			due_ns = num_min(due_ns, c->first->due_ns);
	if (due_ns == UINT64_MAX)
		return -1;
	return (int)num_min(
	    (num_sub(due_ns, now_ns) + CLOCK_MS_NS - 1) / CLOCK_MS_NS, 60000);
}

static void
list_fds(struct pollfd fds[CLIENTS + NODES + 1])
{
	for (int i = 0; i < CLIENTS; i++) {
		bool is_heard = !nodes[clients[i].node].is_deaf;

		fds[i] =
		    (struct pollfd){ is_heard ? clients[i].fd : -1, POLLIN, 0 };
	}
	for (unsigned i = 0; i < NODES; i++) {
		bool is_heard = nodes[i].is_there && !nodes[i].is_deaf;

		fds[CLIENTS + i] =
		    (struct pollfd){ is_heard ? nodes[i].sock.fd : -1, POLLIN,
			    0 };
	}
	fds[CLIENTS + NODES] = (struct pollfd){ STDIN_FILENO, POLLIN, 0 };
}

/* What came for clients, and who is new. */
static void
take_all(const struct pollfd *fds)
{
	for (unsigned i = 0; i < NODES; i++)
		if (fds[CLIENTS + i].revents != 0)
			greet(i);
	for (int i = 0; i < CLIENTS; i++)
		if (fds[i].revents != 0 && clients[i].fd == fds[i].fd)
			take(&clients[i]);
}

static void
serve(void)
{
	struct pollfd fds[CLIENTS + NODES + 1];

	for (;;) {
		list_fds(fds);
		if (poll(fds, CLIENTS + NODES + 1, wait_ms()) < 0)
			continue;
		fakestore_pass(store, clock_boot_ns());
		tell_all();
		take_all(fds);
		if (fds[CLIENTS + NODES].revents != 0 && !take_orders())
			return;
		for (int i = 0; i < CLIENTS; i++)
			flush(&clients[i]);
	}
}

int
main(int argc, char **argv)
{
	if (argc != 3)
		return 64;
	folder = argv[1];
	node_count = (unsigned)strtoul(argv[2], NULL, 10);
	ENSURE(node_count >= 1 && node_count < NODES);
	store = fakestore_create();
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 0; i < CLIENTS; i++) {
		clients[i].fd = -1;
		clients[i].end = &clients[i].first;
	}
	for (unsigned i = 1; i <= node_count; i++)
		appear(i);
	printf("ready\n");
	serve();
	for (unsigned i = 1; i <= node_count; i++)
		if (nodes[i].is_there)
			unixsock_close(&nodes[i].sock);
	fakestore_destroy(store);
	return 0;
}
