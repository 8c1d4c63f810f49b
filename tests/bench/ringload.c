/* SPDX-License-Identifier: BSD-3-Clause */
/* A load generator and judge for a running ringd, one process a node.
 *
 *	ringload thr|lat RUNDIR [-s] [-c] [-b BYTES] [-o OWN] [-w MS] [-t MS]
 *	    [-k COUNT] [-i GAP_US]
 *
 * -s sends; -c (one of all) starts the run when a line comes on its standard
 * input.  Every process prints "ready" when it listens.  thr: each sender
 * keeps OWN of its messages undelivered from GO on; what is delivered in the
 * MS after the first MS is counted.  lat: each sender sends COUNT messages, one
 * every GAP_US.  All take the window from the GO message, which is ordered
 * with the rest, on CLOCK_MONOTONIC: the nodes share this machine.  At END
 * everybody prints one line of key=value words; badseq counts breaks in any
 * sender's sequence, and order is a hash over all that was delivered between
 * GO and END, the same at every node or the order was not.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/os/clock.h"

enum kind { KIND_DATA = 1, KIND_GO, KIND_END };

enum {
	IN_BYTES = 4 << 20,
	OUT_BYTES = 4 << 20,
	SAMPLES_MAX = 1 << 20,
	NODES_MAX = 65536,
	PAYLOAD_MIN = 40,
	LEAD_MS = 100, /* from GO to the first message */
};

struct payload {
	uint32_t magic, kind;
	uint64_t seq;
	uint64_t sent_ns;
	uint64_t first_ns, last_ns; /* GO: the window */
};
static_assert(sizeof(struct payload) == PAYLOAD_MIN, "no padding");
#define MAGIC 0x72696e67u

static struct load {
	bool is_latency, is_sending, is_coordinator;
	const char *rundir;
	uint64_t size, own_max, warm_ms, span_ms, count, gap_us;

	int fd;
	unsigned node;
	char *in, *out;
	size_t in_len, out_at, out_len;
	uint8_t *body;

	bool has_go, has_end, is_end_sent;
	uint64_t first_ns, last_ns, next_ns;
	uint64_t sent, own; /* own: delivered back */
	uint64_t counted, total, badseq, order;
	uint64_t next_seq[NODES_MAX];
	uint64_t *own_sample, *far_sample;
	size_t own_samples, far_samples;
} load = { .size = 1024,
	.own_max = 64,
	.warm_ms = 500,
	.span_ms = 2000,
	.count = 2000,
	.gap_us = 1000,
	.order = 1469598103934665603u };

static void
die(const char *what)
{
	fprintf(stderr, "ringload: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- sending ----------------------------------------------------------- */

static void
put(enum kind kind)
{
	struct payload payload = { .magic = MAGIC,
		.kind = kind,
		.seq = load.sent,
		.sent_ns = clock_now_ns(),
		.first_ns = load.first_ns,
		.last_ns = load.last_ns };
	uint64_t size = kind == KIND_DATA ? load.size : PAYLOAD_MIN;
	char *at = load.out + load.out_len;

	memcpy(load.body, &payload, sizeof payload);
	int head = snprintf(at, 128, "pub group=load confirm=none len=%llu\n",
	    (unsigned long long)size);
	memcpy(at + head, load.body, size);
	at[(size_t)head + size] = '\n';
	load.out_len += (size_t)head + size + 1;
	if (kind == KIND_DATA)
		load.sent++;
}

static bool
has_room(void)
{
	return OUT_BYTES - load.out_len > load.size + 256;
}

static void
flush(void)
{
	ssize_t n = send(load.fd, load.out + load.out_at,
	    load.out_len - load.out_at, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN)
		die("send");
	if (n > 0)
		load.out_at += (size_t)n;
	if (load.out_at == load.out_len)
		load.out_at = load.out_len = 0;
}

static void
produce(uint64_t now_ns)
{
	if (!load.is_sending || !load.has_go || now_ns < load.next_ns)
		return;
	if (load.is_latency) {
		if (load.sent == load.count || load.sent > load.own)
			return;
		put(KIND_DATA);
		load.next_ns = now_ns + load.gap_us * 1000;
		return;
	}
	while (now_ns < load.last_ns && load.sent - load.own < load.own_max &&
	    has_room())
		put(KIND_DATA);
}

/* ---- receiving --------------------------------------------------------- */

static void
mix(uint64_t value)
{
	load.order = (load.order ^ value) * 1099511628211u;
}

static void
sample(unsigned node, uint64_t span_ns)
{
	bool is_own = node == load.node;
	size_t *n = is_own ? &load.own_samples : &load.far_samples;

	if (*n < SAMPLES_MAX)
		(is_own ? load.own_sample : load.far_sample)[(*n)++] = span_ns;
}

static void
take_data(unsigned node, const struct payload *payload, uint64_t now_ns)
{
	if (payload->seq != load.next_seq[node])
		load.badseq++;
	load.next_seq[node] = payload->seq + 1;
	if (!load.has_go)
		return;
	mix(node);
	mix(payload->seq);
	load.total++;
	if (now_ns >= load.first_ns && now_ns < load.last_ns)
		load.counted++;
	if (node == load.node)
		load.own++;
	if (load.is_latency || load.size >= 65536 || load.total % 16 == 0)
		sample(node, now_ns - payload->sent_ns);
}

static void
take(unsigned node, const char *bytes, size_t len)
{
	struct payload payload;
	uint64_t now_ns = clock_now_ns();

	if (len < sizeof payload || node >= NODES_MAX)
		die("a strange message");
	memcpy(&payload, bytes, sizeof payload);
	if (payload.magic != MAGIC)
		die("a stranger's message");
	if (payload.kind == KIND_DATA) {
		take_data(node, &payload, now_ns);
	} else if (payload.kind == KIND_GO) {
		load.has_go = true;
		load.first_ns = payload.first_ns;
		load.last_ns = payload.last_ns;
		load.next_ns = payload.sent_ns + LEAD_MS * 1000000;
	} else {
		load.has_end = true;
	}
}

static uint64_t
number_after(const char *line, const char *key)
{
	const char *found = strstr(line, key);

	return found == NULL ? 0 : strtoull(found + strlen(key), NULL, 10);
}

/* One line and its data from the front of the buffer; 0: not whole yet. */
static size_t
take_line(char *line, size_t len)
{
	char *end = memchr(line, '\n', len);

	if (end == NULL)
		return 0;
	*end = '\0';
	size_t used = (size_t)(end - line) + 1;
	if (strncmp(line, "ev 1 msg ", 9) != 0) {
		if (strncmp(line, "err ", 4) == 0 || strstr(line, " gap "))
			die(line);
		if (strncmp(line, "ringkit ", 8) == 0)
			load.node = (unsigned)number_after(line, " node=");
		if (strncmp(line, "ev 1 ready", 10) == 0) {
			puts("ready");
			fflush(stdout);
		}
		return used;
	}
	size_t size = number_after(line, " len=");
	if (len - used < size + 1) {
		*end = '\n';
		return 0;
	}
	take((unsigned)number_after(line, " node="), end + 1, size);
	return used + size + 1;
}

static void
consume(void)
{
	ssize_t n = recv(load.fd, load.in + load.in_len, IN_BYTES - load.in_len,
	    MSG_DONTWAIT);
	size_t at = 0, used;

	if (n == 0 || (n < 0 && errno != EAGAIN))
		die("the daemon went away");
	if (n > 0)
		load.in_len += (size_t)n;
	while (!load.has_end &&
	    (used = take_line(load.in + at, load.in_len - at)) > 0)
		at += used;
	memmove(load.in, load.in + at, load.in_len - at);
	load.in_len -= at;
}

/* ---- the run ----------------------------------------------------------- */

/* The coordinator: GO when told so, END when all must have arrived. */
static void
conduct(uint64_t now_ns)
{
	char line[16];
	struct pollfd in = { .fd = 0, .events = POLLIN };

	if (!load.is_coordinator)
		return;
	if (load.first_ns == 0 && poll(&in, 1, 0) == 1 &&
	    read(0, line, sizeof line) >= 0) {
		load.first_ns = now_ns + (LEAD_MS + load.warm_ms) * 1000000;
		load.last_ns = load.first_ns + load.span_ms * 1000000;
		put(KIND_GO);
	}
	bool is_over = load.has_go && load.sent == load.own &&
	    (load.is_latency ? !load.is_sending || load.sent == load.count
			     : now_ns > load.last_ns);
	if (is_over && !load.is_end_sent) {
		load.is_end_sent = true;
		put(KIND_END);
	}
}

static int
wait_ms(uint64_t now_ns)
{
	if (!load.is_sending || !load.has_go || load.next_ns <= now_ns)
		return 5;
	return (int)num_min(5, (load.next_ns - now_ns) / 1000000);
}

static void
run(void)
{
	while (!load.has_end) {
		uint64_t now_ns = clock_now_ns();
		bool is_waiting = load.is_coordinator && load.first_ns == 0;
		struct pollfd wait[2] = {
			{ .fd = load.fd, .events = POLLIN },
			{ .fd = is_waiting ? 0 : -1, .events = POLLIN },
		};
		conduct(now_ns);
		produce(now_ns);
		if (load.out_len > 0)
			flush();
		if (load.out_len > 0)
			wait[0].events |= POLLOUT;
		if (poll(wait, 2, wait_ms(now_ns)) < 0 && errno != EINTR)
			die("poll");
		consume();
	}
}

static int
by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
print_samples(const char *name, uint64_t *samples, size_t n)
{
	qsort(samples, n, sizeof *samples, by_size);
	if (n > 0)
		printf(" %s_p50_us=%.1f %s_p99_us=%.1f %s_max_us=%.1f", name,
		    (double)samples[n / 2] / 1e3, name,
		    (double)samples[n * 99 / 100] / 1e3, name,
		    (double)samples[n - 1] / 1e3);
}

static void
report(void)
{
	double seconds = (double)load.span_ms / 1e3;
	double rate = (double)load.counted / seconds;

	printf("node=%u rate=%.0f mb=%.2f total=%llu badseq=%llu order=%016llx",
	    load.node, rate, rate * (double)load.size / 1e6,
	    (unsigned long long)load.total, (unsigned long long)load.badseq,
	    (unsigned long long)load.order);
	print_samples("own", load.own_sample, load.own_samples);
	print_samples("far", load.far_sample, load.far_samples);
	putchar('\n');
}

static void
set_option(int c, uint64_t value)
{
	switch (c) {
	case 's':
		load.is_sending = true;
		break;
	case 'c':
		load.is_coordinator = true;
		break;
	case 'b':
		load.size = num_max(value, PAYLOAD_MIN);
		break;
	case 'o':
		load.own_max = value;
		break;
	case 'w':
		load.warm_ms = value;
		break;
	case 't':
		load.span_ms = value;
		break;
	case 'k':
		load.count = value;
		break;
	case 'i':
		load.gap_us = value;
		break;
	default:
		exit(64);
	}
}

static void
options(int argc, char **argv)
{
	int c;

	if (argc < 3) {
		fputs("usage: ringload thr|lat RUNDIR [-sc] [-b BYTES] "
		      "[-o OWN] [-w MS] [-t MS] [-k COUNT] [-i GAP_US]\n",
		    stderr);
		exit(64);
	}
	load.is_latency = strcmp(argv[1], "lat") == 0;
	load.rundir = argv[2];
	optind = 3;
	while ((c = getopt(argc, argv, "scb:o:w:t:k:i:")) != -1)
		set_option(c, optarg == NULL ? 0 : strtoull(optarg, NULL, 10));
}

static void
open_socket(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	static const char hello[] = "listen id=1 group=load lossless=yes\n";

	snprintf(
	    addr.sun_path, sizeof addr.sun_path, "%s/ring.sock", load.rundir);
	load.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (load.fd < 0 ||
	    connect(load.fd, (struct sockaddr *)&addr, sizeof addr) < 0)
		die(addr.sun_path);
	if (send(load.fd, hello, sizeof hello - 1, MSG_NOSIGNAL) < 0)
		die("send");
}

int
main(int argc, char **argv)
{
	options(argc, argv);
	load.in = malloc(IN_BYTES);
	load.out = malloc(OUT_BYTES);
	load.body = calloc(1, load.size);
	load.own_sample = malloc(SAMPLES_MAX * sizeof(uint64_t));
	load.far_sample = malloc(SAMPLES_MAX * sizeof(uint64_t));
	if (load.in == NULL || load.out == NULL || load.body == NULL ||
	    load.own_sample == NULL || load.far_sample == NULL)
		die("memory");
	open_socket();
	run();
	report();
	return 0;
}
