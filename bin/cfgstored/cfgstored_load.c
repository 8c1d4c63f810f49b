/* SPDX-License-Identifier: BSD-3-Clause */
/* A replica of what is on disk, and its number. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/box.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/durable.h"
#include "libcommon/os/log.h"
#include "libcommon/os/serve.h"

#include "bin/cfgstored/cfgstored.h"

enum {
	RUN_BYTES = 128,
	QUOTED_BYTES = 1024,
	LOG_BYTES = 1 << 30,
	/* Of one process: so many replicas are made without asking the disk,
	   which may be full. */
	RUNS = 1000,
};

/* ---- this replica ------------------------------------------------------ */

/*
 * The number of this replica over the node's life: what it proposes begins at
 * 1, so none may have the number of one before it.  Those of earlier starts
 * are never used again, also when the file is lost: it never is less than the
 * time in microseconds.
 */
static int
count_run(struct cfgstored *d, struct text *why)
{
	struct durable file;
	char bytes[RUN_BYTES];
	unsigned long long last = 0;
	long len;
	int rc;

	if (d->cfg.run < d->run_last) {
		d->cfg.run++;
		return 0;
	}
	rc = durable_open(&file, d->serve->statedir, "cfgstored.run", why);
	if (rc < 0)
		return rc;
	len = durable_read(&file, bytes, sizeof bytes - 1);
	bytes[len < 0 ? 0 : len] = '\0';
	if (sscanf(bytes, "ringkit-cfg 1 run=%llu", &last) != 1 &&
	    len != -ENOENT)
		log_line(LOG_LEVEL_WARNING, "run-lost", "%s", "");
	d->cfg.run = num_max(last + 1, clock_real_ns() / 1000);
	d->run_last = d->cfg.run + RUNS - 1;
	len = snprintf(bytes, sizeof bytes, "ringkit-cfg 1\nrun=%llu\n",
	    (unsigned long long)d->run_last);
	rc = durable_write(&file, bytes, (size_t)len);
	if (rc < 0) {
		text_put(why, d->serve->statedir);
		text_put(why, "/cfgstored.run: ");
		text_put(why, strerror(-rc));
	}
	durable_close(&file);
	return rc;
}

/* ---- from the disk ----------------------------------------------------- */

static int
on_snapshot(void *arg, const struct kv_tip *tip, const void *words, size_t len)
{
	struct cfgstored *d = arg;

	return replica_load_snapshot(d->replica, tip, words, len);
}

static int
on_state(void *arg, const void *bytes, size_t len)
{
	struct cfgstored *d = arg;

	return replica_load_state(d->replica, bytes, len);
}

static int
on_record(void *arg, const struct kv_log_frame *record)
{
	struct cfgstored *d = arg;

	return replica_load_record(d->replica, record);
}

static void
on_cut(void *arg, uint64_t index)
{
	struct cfgstored *d = arg;

	replica_load_cut(d->replica, index);
}

static enum replica_health
get_health(enum cfgstored_disk_health health)
{
	switch (health) {
	case CFGSTORED_DISK_GOOD:
		return REPLICA_GOOD;
	case CFGSTORED_DISK_BLANK:
		return REPLICA_BLANK;
	case CFGSTORED_DISK_BAD:
		break;
	}
	return REPLICA_BAD_FILES;
}

static void
make_replica(struct cfgstored *d)
{
	struct arena arena;

	arena_init(&arena, d->replica_memory, d->replica_bytes);
	d->replica = replica_create(&arena, &d->cfg);
	ENSURE(d->replica != NULL);
	d->state = REPLICA_AWAY;
	d->is_reload_due = d->is_unsaved = false;
	d->again.is_due = d->again.is_known = false;
	d->refusal = CFGSTORED_REFUSAL_NONE;
	d->is_backlog_lost = false;
	d->is_room_due = true;
	d->ring_inc = 0;
}

static void
log_found(const struct cfgstored_disk_found *found, const struct text *why)
{
	static const char *const words[] = { [CFGSTORED_DISK_GOOD] = "good",
		[CFGSTORED_DISK_BLANK] = "blank",
		[CFGSTORED_DISK_BAD] = "bad" };
	char quoted[QUOTED_BYTES];
	struct text out;

	text_init(&out, quoted, sizeof quoted);
	text_put_value(&out, why->bytes, why->len);
	log_line(found->health == CFGSTORED_DISK_BAD ? LOG_LEVEL_ERROR
						     : LOG_LEVEL_NOTICE,
	    "files",
	    "health=%s index=%llu acked=%llu snapshot=%llu "
	    "torn=%s why=%s",
	    words[found->health], (unsigned long long)found->tip.index,
	    (unsigned long long)found->acked,
	    (unsigned long long)found->snapshot, found->is_torn ? "yes" : "no",
	    quoted);
}

/* A start reads all of them: no more than it may take. */
static size_t
get_segments_max(const struct cfgstored *d)
{
	return (size_t)((LOG_BYTES + 2 * d->cfg.kv.room.bytes) /
	    KV_LOG_SEGMENT_BYTES);
}

int
cfgstored_load(struct cfgstored *d, struct text *why)
{
	const struct cfgstored_disk_config config = {
		.folder = d->serve->statedir,
		.memory = d->replica_memory,
		.memory_bytes = d->replica_bytes,
		.segments_max = get_segments_max(d),
	};
	const struct cfgstored_disk_reader reader = { .arg = d,
		.snapshot = on_snapshot,
		.state = on_state,
		.record = on_record,
		.cut = on_cut };
	int rc = count_run(d, why);

	if (rc < 0)
		return rc;
	cfgstored_request_end(d);
	if (d->disk != NULL)
		cfgstored_disk_close(d->disk);
	d->disk = NULL;
	bytering_drop(&d->backlog.ring, d->backlog.ring.len);
	d->cfg.seed = box_random_u64();
	make_replica(d);
	rc = cfgstored_disk_open(&d->disk, &config, &reader, &d->found, why);
	if (rc < 0)
		return rc;
	log_found(&d->found, why);
	replica_loaded(d->replica, get_health(d->found.health), &d->found.tip,
	    d->found.acked);
	return 0;
}
