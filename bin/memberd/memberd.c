/* SPDX-License-Identifier: BSD-3-Clause */
/* The parts of memberd, and how they meet: one input, what the core says to
 * it, and then the watchers.
 */
#include "bin/memberd/memberd.h"

#include <sys/random.h>

#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/daemon.h"
#include "libcommon/os/feed.h"
#include "libcommon/os/log.h"
#include "libcommon/os/loop.h"
#include "libcommon/os/svc.h"
#include "libcommon/os/watch.h"

enum {
	FDS_EXTRA = 8,
	HISTORY_BYTES = 1 << 20,
	HISTORY_EVENTS = 8192,
};

/* A process that is not stopped looks at the clock so often. */
#define LOOK_NS (250 * CLOCK_MS_NS)
/* Later than that by so much, it was stopped. */
#define PAUSE_NS CLOCK_S_NS

/* ---- what the core says ------------------------------------------------ */

static void
on_event(void *arg, const struct text *record)
{
	struct memberd *d = arg;

	(void)watch_tell(d->watch, record);
	log_line(LOG_LEVEL_DEBUG, "event", "%s", record->bytes);
}

static void
on_answer(void *arg, uint32_t req, int answer)
{
	memberd_svc_answer(arg, req, answer);
}

void
memberd_step(struct memberd *d, struct member_input *in, uint64_t now_ns)
{
	in->now_ns = now_ns;
	member_step(d->core, in);
	watch_flush(d->watch);
	memberd_ring_publish(d);
}

/* ---- what watchers are told first -------------------------------------- */

static void
tell_exists(void *arg, struct watch_sink *sink)
{
	struct memberd *d = arg;

	for (uint32_t i = 0; i < member_node_count(d->core); i++) {
		struct text record;

		text_init(&record, d->record, sizeof d->record);
		text_put(&record, "exists");
		member_put_node(d->core, i, clock_now_ns(), &record);
		watch_state(sink, &record);
	}
}

static void
tell_ready(void *arg, struct watch_sink *sink)
{
	struct memberd *d = arg;
	struct text record;

	text_init(&record, d->record, sizeof d->record);
	text_put(&record, "ready");
	member_put_view(d->core, &record);
	watch_ready(sink, &record);
}

/* ---- whether we were stopped ------------------------------------------- */

void
memberd_look(struct memberd *d, uint64_t now_ns)
{
	uint64_t boot_ns = clock_boot_ns();
	uint64_t gone_ns = boot_ns - d->looked_ns;
	struct member_input in = { .kind = MEMBER_IN_PAUSE,
		.ms = gone_ns / CLOCK_MS_NS };

	d->looked_ns = boot_ns;
	d->look_next_ns = now_ns + LOOK_NS;
	if (gone_ns <= LOOK_NS + PAUSE_NS)
		return;
	log_line(
	    LOG_LEVEL_WARNING, "paused", "ms=%llu", (unsigned long long)in.ms);
	memberd_step(d, &in, now_ns);
}

static uint64_t
get_look_ns(const void *arg)
{
	const struct memberd *d = arg;

	return d->look_next_ns;
}

static void
on_look(struct loop *loop, void *arg, uint64_t now_ns)
{
	(void)loop;
	memberd_look(arg, now_ns);
}

/* ---- making ------------------------------------------------------------ */

static void
create_core(struct memberd *d, struct arena *arena)
{
	const struct cluster_conf *conf = d->conf;
	struct member_config cfg = { .self = conf->nodes[conf->self].id,
		.version = RINGKIT_VERSION,
		.message_max = (size_t)conf->ring.message_bytes_max,
		.sink = { on_event, on_answer, d } };
	struct member_table table;

	memberd_reload_table(conf, &table);
	cfg.nodes = table.nodes;
	cfg.node_count = table.node_count;
	d->core = member_create(arena, &cfg);
	for (uint32_t i = 0; d->core != NULL && i < table.tag_count; i++)
		member_first_tag(d->core, table.tags[i].node,
		    table.tags[i].name, table.tags[i].value,
		    strlen(table.tags[i].value));
}

static void
create_watch(struct memberd *d, struct arena *arena)
{
	struct watch_config cfg = { .history_bytes = HISTORY_BYTES,
		.history_events = HISTORY_EVENTS,
		.exists = tell_exists,
		.ready = tell_ready,
		.arg = d };

	if (getrandom(&cfg.epoch, sizeof cfg.epoch, 0) !=
	    (ssize_t)sizeof cfg.epoch)
		cfg.epoch = (uint32_t)(clock_real_ns() / CLOCK_MS_NS);
	d->watch = watch_create(arena, &cfg);
}

static bool
create_parts(struct memberd *d, struct arena *arena)
{
	d->loop = loop_create(arena, LIMIT_CLIENTS + FDS_EXTRA);
	create_core(d, arena);
	create_watch(d, arena);
	d->feed = memberd_ring_create(d, arena);
	d->svc = memberd_svc_create(d, arena);
	return d->loop != NULL;
}

bool
memberd_create(struct memberd *d, uint64_t now_ns)
{
	struct arena measure, arena;
	unsigned char *base;

	d->start_ns = d->ring_lost_ns = now_ns;
	arena_init(&measure, NULL, 0);
	ENSURE(!create_parts(d, &measure));
	base = daemon_map_memory(measure.used_bytes);
	if (base == NULL)
		return false;
	arena_init(&arena, base, measure.used_bytes);
	ENSURE(create_parts(d, &arena));
	d->memory_bytes = arena.used_bytes;
	log_line(
	    LOG_LEVEL_NOTICE, "memory", "total_bytes=%zu", d->memory_bytes);
	arena_seal(&arena);
	return true;
}

int
memberd_open(struct memberd *d, uint64_t now_ns)
{
	int rc = loop_open(d->loop);

	if (rc < 0)
		return rc;
	d->looked_ns = clock_boot_ns();
	d->look_next_ns = now_ns + LOOK_NS;
	/* Before all others: what follows is then told behind a pause. */
	loop_add_timer(d->loop, get_look_ns, on_look, d);
	rc = memberd_reload_open(d);
	if (rc < 0)
		return rc;
	feed_start(d->feed, d->loop, now_ns);
	return svc_listen(d->svc, d->loop, d->sock.fd, SVC_RIGHT_ALL);
}

void
memberd_close(struct memberd *d)
{
	svc_shut(d->svc, "memberd is leaving", clock_now_ns());
	feed_stop(d->feed);
	reread_close(&d->reread);
	unixsock_close(&d->sock);
	loop_close(d->loop);
}
