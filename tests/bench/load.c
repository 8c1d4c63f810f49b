/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * thr: each sender keeps a number of its messages undelivered from GO on; what
 * is delivered in the window is counted.  lat: each sender sends a number of
 * messages, one at a time, with a pause after each.
 */
#include "tests/bench/load.h"

#include <sys/resource.h>
#include <sys/types.h>

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/os/clock.h"

enum kind { KIND_DATA = 1, KIND_GO, KIND_END };

enum {
	SAMPLES_MAX = 1 << 20,
	SAMPLE_EVERY = 16, /* of small messages */
	NODES_MAX = 65536,
	PAYLOAD_MIN = 40,
	LEAD_MS = 100, /* from GO to the first message */
	WAIT_MS = 5,
	GIVE_UP_S = 20, /* nothing came since GO */
};

#define MAGIC 0x72696e67u

struct payload {
	uint32_t magic, kind;
	uint64_t seq;
	uint64_t sent_ns;
	uint64_t first_ns, last_ns; /* GO: the window */
};
static_assert(sizeof(struct payload) == PAYLOAD_MIN, "no padding");

struct samples {
	uint64_t *span_ns;
	size_t count;
};

static struct load {
	const struct load_carrier *carrier;
	bool is_latency, is_sending, is_coordinator;
	uint64_t nodes, size, own_max, warm_ms, span_ms, count, gap_us, daemon;

	uint32_t node;
	uint8_t *body;
	bool is_ready;
	bool is_told; /* the coordinator: to begin */
	bool has_go, has_end, is_end_sent;
	uint64_t first_ns, last_ns, next_ns;
	uint64_t heard_ns;  /* since GO */
	uint64_t sent, own; /* own: delivered back */
	uint64_t counted, total, badseq, order, changes;
	uint64_t next_seq[NODES_MAX];
	uint64_t cpu_first_ns, cpu_last_ns; /* of the daemon */
	struct samples own_sample, far_sample;
} load = { .nodes = 1,
	.size = 1024,
	.own_max = 64,
	.warm_ms = 500,
	.span_ms = 2000,
	.count = 2000,
	.gap_us = 1000,
	.order = 1469598103934665603u };

void
load_die(const char *what)
{
	fprintf(
	    stderr, "%s: %s: %s\n", load.carrier->name, what, strerror(errno));
	exit(1);
}

bool
load_is_over(void)
{
	return load.has_end;
}

void
load_see(uint32_t self, uint32_t nodes)
{
	load.node = self;
	load.changes += load.is_ready;
	if (load.is_ready || nodes != load.nodes)
		return;
	load.is_ready = true;
	puts("ready");
	fflush(stdout);
}

/* ---- the daemon's time ------------------------------------------------- */

static uint64_t
thread_cpu_ns(const char *task)
{
	char path[320];
	unsigned long long ns = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%llu/task/%s/schedstat",
	    (unsigned long long)load.daemon, task);
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	if (fscanf(file, "%llu", &ns) != 1)
		ns = 0;
	fclose(file);
	return ns;
}

/* What all its threads have used so far. */
static uint64_t
daemon_cpu_ns(void)
{
	char path[64];
	uint64_t sum_ns = 0;
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof path, "/proc/%llu/task",
	    (unsigned long long)load.daemon);
	dir = load.daemon != 0 ? opendir(path) : NULL;
	if (dir == NULL)
		return 0;
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			sum_ns += thread_cpu_ns(entry->d_name);
	closedir(dir);
	return sum_ns;
}

static double
own_cpu_s(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
	    (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static void
note_cpu(uint64_t now_ns)
{
	if (!load.has_go || now_ns < load.first_ns)
		return;
	if (load.cpu_first_ns == 0)
		load.cpu_first_ns = daemon_cpu_ns();
	if (load.cpu_last_ns == 0 && now_ns >= load.last_ns)
		load.cpu_last_ns = daemon_cpu_ns();
}

/* ---- sending ----------------------------------------------------------- */

static bool
put(enum kind kind)
{
	struct payload payload = { .magic = MAGIC,
		.kind = kind,
		.seq = load.sent,
		.sent_ns = clock_now_ns(),
		.first_ns = load.first_ns,
		.last_ns = load.last_ns };

	memcpy(load.body, &payload, sizeof payload);
	if (!load.carrier->put(
		load.body, kind == KIND_DATA ? load.size : PAYLOAD_MIN))
		return false;
	if (kind == KIND_DATA)
		load.sent++;
	return true;
}

static void
produce(uint64_t now_ns)
{
	if (!load.is_sending || !load.has_go || now_ns < load.next_ns)
		return;
	if (load.is_latency) {
		if (load.sent < load.count && load.sent == load.own)
			(void)put(KIND_DATA);
		return;
	}
	while (now_ns < load.last_ns && load.sent - load.own < load.own_max)
		if (!put(KIND_DATA))
			return;
}

/* ---- receiving --------------------------------------------------------- */

static void
mix(uint64_t value)
{
	load.order = (load.order ^ value) * 1099511628211u;
}

static void
take_data(uint32_t node, const struct payload *payload, uint64_t now_ns)
{
	struct samples *samples =
	    node == load.node ? &load.own_sample : &load.far_sample;
	bool is_inside = now_ns >= load.first_ns && now_ns < load.last_ns;

	if (payload->seq != load.next_seq[node])
		load.badseq++;
	load.next_seq[node] = payload->seq + 1;
	mix(node);
	mix(payload->seq);
	load.total++;
	load.counted += is_inside;
	if (node == load.node) {
		load.own++;
		if (load.is_latency)
			load.next_ns = now_ns + load.gap_us * 1000;
	}
	if ((load.is_latency ||
		(is_inside &&
		    (load.size >= 65536 || load.total % SAMPLE_EVERY == 0))) &&
	    samples->count < SAMPLES_MAX)
		samples->span_ns[samples->count++] = now_ns - payload->sent_ns;
}

void
load_take(uint32_t node, const void *bytes, size_t len)
{
	struct payload payload;
	uint64_t now_ns = clock_now_ns();

	if (len < sizeof payload || node >= NODES_MAX)
		load_die("a strange message");
	memcpy(&payload, bytes, sizeof payload);
	if (payload.magic != MAGIC)
		load_die("a stranger's message");
	load.heard_ns = now_ns;
	if (payload.kind == KIND_DATA && load.has_go) {
		take_data(node, &payload, now_ns);
	} else if (payload.kind == KIND_GO) {
		load.has_go = true;
		load.first_ns = payload.first_ns;
		load.last_ns = payload.last_ns;
		load.next_ns = payload.sent_ns + LEAD_MS * CLOCK_MS_NS;
	} else if (payload.kind == KIND_END) {
		load.has_end = true;
	}
}

/* ---- the run ----------------------------------------------------------- */

/* The coordinator: GO when told so, END when all of its own have arrived. */
static void
conduct(uint64_t now_ns)
{
	struct pollfd in = { .fd = 0, .events = POLLIN };
	char line[16];

	if (!load.is_coordinator)
		return;
	if (!load.is_told && poll(&in, 1, 0) == 1 &&
	    read(0, line, sizeof line) >= 0) {
		load.is_told = true;
		load.first_ns = now_ns + (LEAD_MS + load.warm_ms) * CLOCK_MS_NS;
		load.last_ns = load.first_ns + load.span_ms * CLOCK_MS_NS;
		while (!put(KIND_GO))
			load.carrier->turn(CLOCK_MS_NS);
	}
	bool is_over = load.has_go && load.sent == load.own &&
	    (load.is_latency ? !load.is_sending || load.sent == load.count
			     : now_ns > load.last_ns);
	if (is_over && !load.is_end_sent)
		load.is_end_sent = put(KIND_END);
}

static uint64_t
get_wait_ns(uint64_t now_ns)
{
	uint64_t until_ns = num_sub(load.next_ns, now_ns);

	if (!load.is_sending || !load.has_go || until_ns == 0)
		return WAIT_MS * CLOCK_MS_NS;
	return num_min(WAIT_MS * CLOCK_MS_NS, until_ns);
}

static int
by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double
us_at(const struct samples *samples, size_t percent)
{
	size_t i = num_min(samples->count * percent / 100, samples->count - 1);

	return (double)samples->span_ns[i] / 1e3;
}

static void
print_samples(const char *name, struct samples *samples)
{
	qsort(samples->span_ns, samples->count, sizeof *samples->span_ns,
	    by_size);
	if (samples->count > 0)
		printf("\t%s_p50_us=%.1f\t%s_p99_us=%.1f\t%s_max_us=%.1f", name,
		    us_at(samples, 50), name, us_at(samples, 99), name,
		    us_at(samples, 100));
}

static void
report(void)
{
	double seconds = (double)load.span_ms / 1e3;

	printf("node=%u\trate=%.1f\ttotal=%llu\tbadseq=%llu\torder=%016llx"
	       "\tchanges=%llu\tcpu=%.4f\tself=%.4f",
	    load.node, (double)load.counted / seconds,
	    (unsigned long long)load.total, (unsigned long long)load.badseq,
	    (unsigned long long)load.order, (unsigned long long)load.changes,
	    (double)num_sub(load.cpu_last_ns, load.cpu_first_ns) / 1e9,
	    own_cpu_s());
	print_samples("own", &load.own_sample);
	print_samples("far", &load.far_sample);
	putchar('\n');
}

static void
set_option(int c, uint64_t value)
{
	const struct {
		char c;
		uint64_t *to;
	} numbers[] = {
		{ 'n', &load.nodes },
		{ 'b', &load.size },
		{ 'o', &load.own_max },
		{ 'w', &load.warm_ms },
		{ 't', &load.span_ms },
		{ 'k', &load.count },
		{ 'i', &load.gap_us },
		{ 'd', &load.daemon },
	};

	if (c == '?')
		exit(64);
	load.is_sending |= c == 's';
	load.is_coordinator |= c == 'c';
	for (size_t i = 0; i < ARRAY_COUNT(numbers); i++)
		if (numbers[i].c == c)
			*numbers[i].to = value;
}

static void
options(int argc, char **argv)
{
	int c;

	if (argc < 3 ||
	    (strcmp(argv[1], "lat") != 0 && strcmp(argv[1], "thr") != 0)) {
		fprintf(stderr,
		    "usage: %s thr|lat %s [-sc] [-n NODES] [-b BYTES] [-o OWN] "
		    "[-w MS] [-t MS] [-k COUNT] [-i GAP_US] "
		    "[-d DAEMON_PID]\n",
		    load.carrier->name, load.carrier->place_name);
		exit(64);
	}
	load.is_latency = strcmp(argv[1], "lat") == 0;
	optind = 3;
	while ((c = getopt(argc, argv, "scn:b:o:w:t:k:i:d:")) != -1)
		set_option(c, optarg == NULL ? 0 : strtoull(optarg, NULL, 10));
	load.size = num_max(load.size, PAYLOAD_MIN);
}

int
load_main(int argc, char **argv, const struct load_carrier *carrier)
{
	load.carrier = carrier;
	options(argc, argv);
	load.body = calloc(1, load.size);
	load.own_sample.span_ns = malloc(SAMPLES_MAX * sizeof(uint64_t));
	load.far_sample.span_ns = malloc(SAMPLES_MAX * sizeof(uint64_t));
	if (load.body == NULL || load.own_sample.span_ns == NULL ||
	    load.far_sample.span_ns == NULL)
		load_die("memory");
	carrier->open(argv[2], load.size);
	while (!load.has_end) {
		uint64_t now_ns = clock_now_ns();

		if (load.has_go &&
		    now_ns - load.heard_ns > GIVE_UP_S * CLOCK_S_NS)
			load_die("nothing comes any more");
		note_cpu(now_ns);
		conduct(now_ns);
		produce(now_ns);
		carrier->turn(get_wait_ns(now_ns));
	}
	note_cpu(clock_now_ns());
	report();
	return 0;
}
