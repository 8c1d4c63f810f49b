/* SPDX-License-Identifier: BSD-3-Clause */
/* What quorumd and memberd say: one may forbid, the other knows who is off.
 *
 * Neither is needed.  A verdict that is not known forbids nothing, since the
 * log itself says who may open a view.
 */
#include <string.h>

#include "libcommon/base/parse.h"
#include "libcommon/os/feed.h"
#include "libcommon/os/log.h"
#include "libcommon/os/serve.h"

#include "bin/cfgstored/cfgstored.h"

/* ---- quorumd ----------------------------------------------------------- */

static void
set_permitted(struct cfgstored *d, bool is_permitted)
{
	struct replica_input in = { .kind = REPLICA_IN_QUORUM,
		.is_permitted = is_permitted };

	if (d->is_permitted == is_permitted)
		return;
	d->is_permitted = is_permitted;
	log_line(LOG_LEVEL_NOTICE, is_permitted ? "permitted" : "forbidden",
	    "by=quorumd");
	cfgstored_step(d, &in);
}

static void
on_quorum_opened(void *arg, struct feed *feed, uint64_t now_ns)
{
	struct cfgstored *d = arg;

	cfgstored_tick(d, now_ns);
	if (!feed_putf(feed, "watch\n"))
		feed_drop(feed, "full", d->now_ns);
}

static void
on_quorum_closed(void *arg, struct feed *feed, const char *why, uint64_t now_ns)
{
	struct cfgstored *d = arg;

	(void)feed;
	(void)why;
	cfgstored_tick(d, now_ns);
	set_permitted(d, true);
}

static void
on_quorum_line(
    void *arg, struct feed *feed, const struct feed_line *line, uint64_t now_ns)
{
	struct cfgstored *d = arg;
	const char *quorate;

	cfgstored_tick(d, now_ns);
	if (line->kind == FEED_OK)
		return;
	if (line->kind != FEED_EV) {
		/* It is there, and knows nothing yet: again soon. */
		feed_drop(feed, "refused", d->now_ns);
		return;
	}
	quorate = feed_value(line, "quorate");
	if (*quorate != '\0')
		set_permitted(d, strcmp(quorate, "no") != 0);
}

struct feed *
cfgstored_quorum_create(struct cfgstored *d, struct arena *arena)
{
	char path[UNIXSOCK_PATH_BYTES];
	const struct feed_config cfg = { .path = path,
		.data_max = 1,
		.arg = d,
		.opened = on_quorum_opened,
		.line = on_quorum_line,
		.closed = on_quorum_closed };

	serve_path(d->serve, "quorum", path, sizeof path);
	return feed_create(arena, &cfg);
}

/* ---- memberd ----------------------------------------------------------- */

static void
on_member_opened(void *arg, struct feed *feed, uint64_t now_ns)
{
	struct cfgstored *d = arg;

	cfgstored_tick(d, now_ns);
	if (!feed_putf(feed, "watch\n"))
		feed_drop(feed, "full", d->now_ns);
}

static void
on_member_closed(void *arg, struct feed *feed, const char *why, uint64_t now_ns)
{
	(void)feed;
	(void)why;
	cfgstored_tick(arg, now_ns);
}

/* exists … state=fenced inc=N, or fenced … inc=N */
static void
on_member_line(
    void *arg, struct feed *feed, const struct feed_line *line, uint64_t now_ns)
{
	struct replica_input in = { .kind = REPLICA_IN_FENCED };
	struct cfgstored *d = arg;
	uint64_t node;

	cfgstored_tick(d, now_ns);
	if (line->kind == FEED_OK)
		return;
	if (line->kind != FEED_EV) {
		feed_drop(feed, "refused", d->now_ns);
		return;
	}
	if (strcmp(line->event, "fenced") != 0 &&
	    (strcmp(line->event, "exists") != 0 ||
		strcmp(feed_value(line, "state"), "fenced") != 0))
		return;
	node = feed_u64(line, "node", 0);
	in.fenced.inc = feed_u64(line, "inc", 0);
	if (node == 0 || node > LIMIT_NODE_ID_MAX || in.fenced.inc == 0)
		return;
	in.fenced.node = (uint32_t)node;
	log_line(LOG_LEVEL_NOTICE, "fenced", "node=%u inc=%llu", in.fenced.node,
	    (unsigned long long)in.fenced.inc);
	cfgstored_step(d, &in);
}

struct feed *
cfgstored_member_create(struct cfgstored *d, struct arena *arena)
{
	char path[UNIXSOCK_PATH_BYTES];
	const struct feed_config cfg = { .path = path,
		.data_max = 1,
		.arg = d,
		.opened = on_member_opened,
		.line = on_member_line,
		.closed = on_member_closed };

	serve_path(d->serve, "member", path, sizeof path);
	return feed_create(arena, &cfg);
}
