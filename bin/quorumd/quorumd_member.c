/* SPDX-License-Identifier: BSD-3-Clause */
/* memberd's stream, record by record.
 *
 * After a connection was lost the next begins where it ended, by memberd's
 * cursor; when memberd cannot go on from there it says so with `gap` and its
 * state, which those who watch us are told like anything else.
 */
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/feed.h"
#include "libcommon/os/log.h"
#include "libcommon/os/serve.h"
#include "libcommon/os/unixsock.h"
#include "libcommon/os/watch.h"

#include "bin/quorumd/quorum_stream.h"
#include "bin/quorumd/quorumd.h"

static void
on_opened(void *arg, struct feed *feed, uint64_t now_ns)
{
	struct quorumd *d = arg;
	const char *epoch = feed_greeting(feed, "epoch");
	bool is_asked;

	d->is_member_heard = false;
	d->now_ns = num_max(d->now_ns, now_ns);
	if (!d->is_told)
		is_asked = feed_putf(feed, "watch\n");
	else if (d->is_partial)
		/* A cursor that nobody has: gap, and the state. */
		is_asked = feed_putf(feed, "watch since=00000000:0\n");
	else
		is_asked = feed_putf(feed, "watch since=%s:%llu\n",
		    d->member_epoch, (unsigned long long)d->member_seq);
	if (!is_asked || strlen(epoch) >= sizeof d->member_epoch) {
		feed_drop(feed, "greeting", d->now_ns);
		return;
	}
	memcpy(d->member_epoch, epoch, strlen(epoch) + 1);
}

static void
on_closed(void *arg, struct feed *feed, const char *why, uint64_t now_ns)
{
	struct quorumd *d = arg;

	(void)feed;
	d->now_ns = num_max(d->now_ns, now_ns);
	if (!d->is_member_heard)
		return;
	d->patience_end_ns = d->now_ns + QUORUMD_PATIENCE_NS;
	log_line(LOG_LEVEL_WARNING, "members-lost", "why=%s", why);
	/* If ringd went, too, that is told first. */
	quorumd_look(d);
	quorum_stream_forget_members(d->stream);
	quorumd_end_change(d);
	watch_shut(d->watch, "away", "memberd is not there");
}

static void
on_line(
    void *arg, struct feed *feed, const struct feed_line *line, uint64_t now_ns)
{
	struct quorumd *d = arg;

	d->now_ns = num_max(d->now_ns, now_ns);
	if (line->kind == FEED_OK)
		return;
	if (line->kind != FEED_EV) {
		/* It is there, and knows no ring yet: again soon. */
		feed_drop(feed, "refused", d->now_ns);
		return;
	}
	if (!d->is_member_heard)
		log_line(LOG_LEVEL_NOTICE, "members-open", "epoch=%s",
		    d->member_epoch);
	d->is_member_heard = true;
	if (!quorum_stream_record(d->stream, line->word, d->now_ns)) {
		feed_drop(feed, "behind", d->now_ns);
		return;
	}
	if (strcmp(line->event, "gap") == 0)
		d->is_partial = true;
	else if (strcmp(line->event, "ready") == 0)
		d->is_partial = false;
	/* The values have been taken as they were written. */
	d->member_seq = feed_u64(line, "seq", d->member_seq);
	quorumd_relay(d);
}

struct feed *
quorumd_member_create(struct quorumd *d, struct arena *arena)
{
	char path[UNIXSOCK_PATH_BYTES];
	struct feed_config cfg = {
		.path = path,
		.data_max = 1,
		.arg = d,
		.opened = on_opened,
		.line = on_line,
		.closed = on_closed,
	};

	serve_path(d->serve, "member", path, sizeof path);
	return feed_create(arena, &cfg);
}
