/* SPDX-License-Identifier: BSD-3-Clause */
/* What quorumd tells about itself: status, stats, and the dump in the log. */
#include <assert.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/feed.h"
#include "libcommon/os/log.h"
#include "libcommon/os/svc.h"
#include "libcommon/os/watch.h"

#include "bin/quorumd/quorum_stream.h"
#include "bin/quorumd/quorumd.h"
#include "bin/quorumd/quorumd_item.h"

enum { STATS = 32 };

/* ---- status ------------------------------------------------------------ */

static void
put_ring(const struct quorumd *d, struct text *out)
{
	quorumd_put(out, "kind", "ring");
	quorumd_put(out, "open", quorumd_yes_no(d->ring.is_open));
	quorumd_put(out, "fresh", quorumd_yes_no(quorumd_is_fresh(d)));
	quorumd_put(out, "synced", quorumd_yes_no(d->ring.is_synced));
	quorumd_put_number(out, "inc", d->ring.inc);
	quorumd_put(out, "view", "");
	quorumd_put_view(out, d->ring.view);
	quorumd_put_ids(out, "group", d->ring.group.id, d->ring.group.count);
}

static void
put_members(const struct quorumd *d, struct text *out)
{
	quorumd_put(out, "kind", "members");
	quorumd_put(out, "open", quorumd_yes_no(feed_is_open(d->member_feed)));
	quorumd_put(
	    out, "ready", quorumd_yes_no(quorum_stream_is_ready(d->stream)));
	quorumd_put_value(out, "epoch", d->member_epoch);
	quorumd_put_number(out, "seq", d->member_seq);
	quorumd_put(out, "cursor", "");
	watch_put_cursor(d->watch, out);
}

static void
put_process(const struct quorumd *d, struct text *out)
{
	quorumd_put(out, "kind", "process");
	quorumd_put_number(out, "memory_bytes", d->memory_bytes);
	quorumd_put_number(
	    out, "up_ms", (d->now_ns - d->start_ns) / CLOCK_MS_NS);
	quorumd_put_number(out, "tracked", d->state.tracked);
	quorumd_put_number(out, "kept_bytes", d->state.kept_len);
}

static void (*const parts[])(const struct quorumd *d, struct text *out) = {
	put_ring, put_members, put_process, quorumd_reload_put
};

enum svc_result
quorumd_svc_status(void *arg, struct svc_request *req)
{
	char bytes[QUORUMD_LINE_BYTES];
	struct quorumd *d = arg;
	uint64_t items = 0;
	struct text out;

	quorumd_look(d);
	quorumd_begin_item(req, &out, bytes);
	quorumd_put(&out, "kind", "quorum");
	quorumd_svc_put_quorum(d, &out);
	quorumd_end_item(req, &out, &items);
	for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
		quorumd_begin_item(req, &out, bytes);
		parts[i](d, &out);
		quorumd_end_item(req, &out, &items);
	}
	return quorumd_end_items(req, items);
}

void
quorumd_svc_dump(struct quorumd *d)
{
	char bytes[QUORUMD_LINE_BYTES];
	struct text out;

	text_init(&out, bytes, sizeof bytes);
	quorumd_put(&out, "kind", "quorum");
	quorumd_svc_put_quorum(d, &out);
	log_always("status", "%s", bytes);
	for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
		text_init(&out, bytes, sizeof bytes);
		parts[i](d, &out);
		log_always("status", "%s", bytes);
	}
}

/* ---- stats ------------------------------------------------------------- */

struct stat {
	const char *name;
	uint64_t value;
};

static size_t
fill_stats(const struct quorumd *d, struct stat *stat)
{
	struct feed_stats ring, member;
	struct watch_stats watch;
	struct svc_stats svc;

	feed_stats(d->ring_feed, &ring);
	feed_stats(d->member_feed, &member);
	watch_stats(d->watch, &watch);
	svc_stats(d->svc, &svc);
	const struct stat all[] = { { "ring_opened", ring.opened },
		{ "ring_lost", ring.lost }, { "ring_lines", ring.lines },
		{ "members_opened", member.opened },
		{ "members_lost", member.lost },
		{ "members_lines", member.lines }, { "events", watch.seq },
		{ "watchers", watch.subs }, { "gaps", watch.gaps },
		{ "pauses", d->pauses }, { "kept", d->state.kept_total },
		{ "tracked", d->state.tracked_total },
		{ "clients", svc.clients }, { "requests", svc.requests },
		{ "requests_failed", svc.failed },
		{ "closed_slow", svc.closed_slow } };

	static_assert(ARRAY_COUNT(all) <= STATS, "they fit");
	memcpy(stat, all, sizeof all);
	return ARRAY_COUNT(all);
}

enum svc_result
quorumd_svc_stats(void *arg, struct svc_request *req)
{
	struct quorumd *d = arg;
	struct stat stat[STATS];
	const size_t count = fill_stats(d, stat);
	char bytes[QUORUMD_LINE_BYTES];
	uint64_t items = 0;
	struct text out;

	for (size_t i = 0; i < count; i++) {
		quorumd_begin_item(req, &out, bytes);
		quorumd_put(&out, "name", stat[i].name);
		quorumd_put_number(&out, "value", stat[i].value);
		quorumd_end_item(req, &out, &items);
	}
	return quorumd_end_items(req, items);
}
