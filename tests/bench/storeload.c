/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * storeload: how many requests a store answers in a second, and how long each
 * takes.  Prints one row of key=value words.
 */
#include "tests/bench/storeload.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"
#include "libcommon/os/clock.h"

enum {
	CLIENTS_MAX = 256,
	PLACES_MAX = 16,
	SAMPLES_MAX = 1 << 22,
	MAGIC_BYTES = 16,
	GIVE_UP_S = 30,
	MS_NS = 1000000,
};

static const char usage[] =
    "usage: storeload cfg|etcd put|memory|get|sync|watch|fill [-c CLIENTS]\n"
    "           [-n CONNECTIONS] [-b BYTES] [-k KEYS] [-w WARM_MS] [-t MS]\n"
    "           [-g GAP_US] PLACE...\n"
    "A place is the path of a cfg.sock, or HOST:PORT of an etcd; connections\n"
    "are spread over all of them, and clients over connections: one for each\n"
    "if there is no -n.  fill puts each of the keys once.  watch: the first\n"
    "client puts, GAP_US apart, and the others are told of it.\n";

static const char magic[MAGIC_BYTES + 1] = "storeload-sample";

static struct {
	const struct storeload_store *store;
	enum storeload_verb verb;
	bool is_fill, is_watch;
	uint64_t clients, conns, bytes, keys, warm_ms, span_ms, gap_us;
	const char *place[PLACES_MAX];
	size_t places;
	struct storeload_client *client;
	struct storeload_conn *conn;
	char *value;
	struct rng rng;
	uint64_t filled;
	uint64_t first_ns, last_ns, next_ns; /* next_ns: of a paced put */
	uint64_t *sample;
	size_t samples;
	uint64_t answers, refusals, heard_ns;
	char refusal[200];
} load = {
	.clients = 1,
	.bytes = 256,
	.keys = 1000,
	.warm_ms = 500,
	.span_ms = 3000,
	.gap_us = 5000,
};

void
storeload_die(const char *what, const char *why)
{
	fprintf(stderr, "storeload: %s: %s\n", what, why);
	exit(1);
}

void
storeload_put(struct storeload_conn *conn, const void *bytes, size_t len)
{
	if (len > sizeof conn->out - conn->out_len)
		storeload_die("a request", "too long");
	memcpy(conn->out + conn->out_len, bytes, len);
	conn->out_len += len;
}

struct storeload_client *
storeload_find(const struct storeload_conn *conn, uint32_t stream)
{
	struct storeload_client *client = conn->client;
	while (client != NULL && client->stream != stream)
		client = client->next;
	return client;
}

/* ---- samples ----------------------------------------------------------- */

static void
sample(uint64_t from_ns, uint64_t now_ns)
{
	if (from_ns < load.first_ns || now_ns > load.last_ns)
		return;
	if (load.samples == SAMPLES_MAX)
		storeload_die("samples", "too many");
	load.sample[load.samples++] = now_ns - from_ns;
}

void
storeload_answer(struct storeload_client *client, const char *refusal)
{
	uint64_t now_ns = clock_now_ns();
	if (client->sent_ns == 0)
		return; /* a watch has begun */
	if (refusal != NULL) {
		load.refusals++;
		snprintf(load.refusal, sizeof load.refusal, "%s", refusal);
	} else {
		load.answers++;
		if (!load.is_watch)
			sample(client->sent_ns, now_ns);
	}
	load.heard_ns = now_ns;
	client->sent_ns = 0;
}

void
storeload_event(const char *bytes, size_t len)
{
	uint64_t sent_ns;
	const char *at =
	    load.is_watch ? memmem(bytes, len, magic, MAGIC_BYTES) : NULL;
	if (at == NULL || len - (size_t)(at - bytes) < MAGIC_BYTES + 8)
		return;
	memcpy(&sent_ns, at + MAGIC_BYTES, sizeof sent_ns);
	load.heard_ns = clock_now_ns();
	sample(sent_ns, load.heard_ns);
}

static int
by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static double
us_at(uint64_t per_mille)
{
	size_t i =
	    num_min(load.samples * per_mille / 1000, num_sub(load.samples, 1));
	return load.samples == 0 ? 0 : (double)load.sample[i] / 1e3;
}

static void
report(const char *verb, uint64_t span_ns)
{
	qsort(load.sample, load.samples, sizeof *load.sample, by_size);
	printf("bench=store\timpl=%s\top=%s\tclients=%" PRIu64
	       "\tconns=%" PRIu64 "\tplaces=%zu\tbytes=%" PRIu64
	       "\trate=%.0f\tp50_us=%.0f"
	       "\tp99_us=%.0f\tmax_us=%.0f\tsamples=%zu\trefused=%" PRIu64 "\n",
	    load.store->name, verb, load.clients, load.conns, load.places,
	    load.bytes, (double)load.samples * 1e9 / (double)span_ns,
	    us_at(500), us_at(990), us_at(1000), load.samples, load.refusals);
	if (load.refusals > 0)
		fprintf(stderr, "storeload: %s\n", load.refusal);
}

/* ---- clients ----------------------------------------------------------- */

static void
flush(struct storeload_conn *conn)
{
	size_t at = 0;
	while (at < conn->out_len) {
		ssize_t n = send(
		    conn->fd, conn->out + at, conn->out_len - at, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			storeload_die("send", strerror(errno));
		at += n < 0 ? 0 : (size_t)n;
	}
	conn->out_len = 0;
}

static uint64_t
draw_key(void)
{
	return load.is_fill ? load.filled++ : rng_below(&load.rng, load.keys);
}

static void
ask(struct storeload_client *client, enum storeload_verb verb)
{
	struct storeload_request request = {
		.verb = verb,
		.value = load.value,
		.value_len = load.bytes,
	};
	client->sent_ns = verb == STORELOAD_WATCH ? 0 : clock_now_ns();
	memcpy(
	    load.value + MAGIC_BYTES, &client->sent_ns, sizeof client->sent_ns);
	client->key = draw_key();
	snprintf(request.key, sizeof request.key, "k%08" PRIu64, client->key);
	if (!load.store->ask(client, &request))
		storeload_die(load.store->name, "no such request");
}

/* Whoever is free asks the next. */
static void
go_on(struct storeload_client *client, uint64_t now_ns)
{
	bool is_over =
	    load.is_fill ? load.filled >= load.keys : now_ns > load.last_ns;
	if (client->sent_ns != 0 || is_over ||
	    (load.store->greet == NULL && !client->conn->is_greeted))
		return;
	if (!load.is_watch) {
		ask(client, load.verb);
	} else if (client == load.client && now_ns >= load.next_ns) {
		load.next_ns = now_ns + load.gap_us * 1000;
		ask(client, STORELOAD_PUT);
	}
}

static void
hear(struct storeload_conn *conn)
{
	ssize_t n = recv(conn->fd, conn->in + conn->in_len,
	    sizeof conn->in - conn->in_len, MSG_DONTWAIT);
	size_t taken;
	if (n == 0)
		storeload_die("recv", "the end");
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		storeload_die("recv", strerror(errno));
	conn->in_len += n < 0 ? 0 : (size_t)n;
	while ((taken = load.store->take(conn)) > 0)
		conn->in_at += taken;
	conn->in_len -= conn->in_at;
	memmove(conn->in, conn->in + conn->in_at, conn->in_len);
	conn->in_at = 0;
	if (conn->in_len == sizeof conn->in)
		storeload_die("recv", "a record that is too long");
}

static void
add_clients(void)
{
	for (size_t i = load.clients; i-- > 0;) {
		struct storeload_client *client = &load.client[i];
		struct storeload_conn *conn = &load.conn[i % load.conns];
		client->conn = conn;
		client->stream = (uint32_t)i;
		client->next = conn->client;
		conn->client = client;
		conn->is_shared = client->next != NULL;
	}
}

static void
open_all(int epoll)
{
	add_clients();
	for (size_t i = 0; i < load.conns; i++) {
		struct storeload_conn *conn = &load.conn[i];
		const char *place = load.place[i % load.places];
		struct epoll_event event = { .events = EPOLLIN,
			.data.ptr = conn };
		conn->fd = load.store->open(place);
		if (conn->fd < 0)
			storeload_die(place, strerror(-conn->fd));
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, conn->fd, &event) < 0)
			storeload_die("epoll_ctl", strerror(errno));
		if (load.store->greet != NULL)
			load.store->greet(conn);
		if (load.is_watch && i > 0)
			ask(conn->client, STORELOAD_WATCH);
		flush(conn);
	}
}

static bool
is_over(uint64_t now_ns)
{
	if (load.is_fill ? load.filled < load.keys : now_ns <= load.last_ns)
		return false;
	for (size_t i = 0; i < load.clients; i++)
		if (load.client[i].sent_ns != 0)
			return false;
	return true;
}

static void
run(int epoll)
{
	struct epoll_event event[CLIENTS_MAX];
	uint64_t now_ns;
	load.heard_ns = clock_now_ns();
	while (!is_over(now_ns = clock_now_ns())) {
		if (now_ns - load.heard_ns > GIVE_UP_S * 1000ULL * MS_NS)
			storeload_die("no answer", "any more");
		for (size_t i = 0; i < load.clients; i++)
			go_on(&load.client[i], now_ns);
		for (size_t i = 0; i < load.conns; i++)
			flush(&load.conn[i]);
		int n = epoll_wait(
		    epoll, event, CLIENTS_MAX, load.is_watch ? 1 : 100);
		for (int i = 0; i < n; i++)
			hear(event[i].data.ptr);
	}
}

/* ---- arguments --------------------------------------------------------- */

static bool
set_verb(const char *name)
{
	static const struct {
		const char *name;
		enum storeload_verb verb;
	} verbs[] = {
		{ "put", STORELOAD_PUT },
		{ "memory", STORELOAD_PUT_MEMORY },
		{ "get", STORELOAD_GET },
		{ "sync", STORELOAD_GET_SYNC },
		{ "watch", STORELOAD_PUT },
		{ "fill", STORELOAD_PUT },
	};
	load.is_fill = strcmp(name, "fill") == 0;
	load.is_watch = strcmp(name, "watch") == 0;
	for (size_t i = 0; i < ARRAY_COUNT(verbs); i++)
		if (strcmp(name, verbs[i].name) == 0) {
			load.verb = verbs[i].verb;
			return true;
		}
	return false;
}

static bool
set_option(int option, uint64_t value)
{
	const struct {
		int option;
		uint64_t *to;
	} numbers[] = {
		{ 'c', &load.clients },
		{ 'n', &load.conns },
		{ 'b', &load.bytes },
		{ 'k', &load.keys },
		{ 'w', &load.warm_ms },
		{ 't', &load.span_ms },
		{ 'g', &load.gap_us },
	};
	for (size_t i = 0; i < ARRAY_COUNT(numbers); i++)
		if (numbers[i].option == option) {
			*numbers[i].to = value;
			return true;
		}
	return false;
}

static bool
parse(int argc, char **argv)
{
	int option;
	if (argc < 4 || !set_verb(argv[2]))
		return false;
	load.store =
	    strcmp(argv[1], "etcd") == 0 ? &storeload_etcd : &storeload_cfg;
	optind = 3;
	while ((option = getopt(argc, argv, "c:n:b:k:w:t:g:")) != -1)
		if (!set_option(option,
			optarg == NULL ? 0 : strtoull(optarg, NULL, 10)))
			return false;
	while (optind < argc && load.places < PLACES_MAX)
		load.place[load.places++] = argv[optind++];
	load.bytes =
	    num_clamp(load.bytes, MAGIC_BYTES + 8, STORELOAD_VALUE_BYTES_MAX);
	if (load.conns == 0 || load.is_watch)
		load.conns = load.clients;
	return load.places > 0 && load.clients >= 1 &&
	    load.clients <= CLIENTS_MAX && load.conns <= load.clients &&
	    load.keys > 0;
}

int
main(int argc, char **argv)
{
	if (!parse(argc, argv)) {
		fputs(usage, stderr);
		return 64;
	}
	load.client = calloc(load.clients, sizeof *load.client);
	load.conn = calloc(load.conns, sizeof *load.conn);
	load.value = malloc(load.bytes);
	load.sample = malloc(SAMPLES_MAX * sizeof *load.sample);
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	if (load.client == NULL || load.conn == NULL || load.value == NULL ||
	    load.sample == NULL || epoll < 0)
		storeload_die("start", "memory");
	memset(load.value, 'v', load.bytes);
	memcpy(load.value, magic, MAGIC_BYTES);
	rng_init(&load.rng, clock_now_ns());
	open_all(epoll);
	uint64_t began_ns = clock_now_ns();
	load.first_ns = began_ns + (load.is_fill ? 0 : load.warm_ms) * MS_NS;
	load.last_ns =
	    load.is_fill ? UINT64_MAX : load.first_ns + load.span_ms * MS_NS;
	run(epoll);
	report(argv[2],
	    load.is_fill ? clock_now_ns() - began_ns : load.span_ms * MS_NS);
	return load.refusals > 0 ? 1 : 0;
}
