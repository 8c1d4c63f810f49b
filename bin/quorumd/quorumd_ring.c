/* SPDX-License-Identifier: BSD-3-Clause */
/* ringd's stream: views, ticks, the group, its messages, in their order.
 *
 * One connection, so one order.  The group's members are those that joined
 * under our name; a message counts by the node that ringd says it is from.
 */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/feed.h"
#include "libcommon/os/log.h"
#include "libcommon/os/serve.h"

#include "bin/quorumd/quorum_stream.h"
#include "bin/quorumd/quorumd.h"

#define GROUP "ringkit/quorum"
#define NAME  "quorumd"

enum {
	VIEWS = 1, /* subscriptions */
	GROUPS = 2,
	REQUEST_BYTES = QUORUM_MESSAGE_BYTES_MAX + 256,
};

/* ---- values ------------------------------------------------------------ */

static bool
is_event(const struct feed_line *line, uint32_t id, const char *event)
{
	return line->id == id && strcmp(line->event, event) == 0;
}

static bool
get_view(const struct feed_line *line, struct parse_view *out)
{
	const struct word_pair *pair = word_get(line->word, "view");

	return pair != NULL && parse_view(pair->value, pair->len, out) == 0;
}

static bool
get_pos(const struct feed_line *line, struct parse_pos *out)
{
	const struct word_pair *pair = word_get(line->word, "pos");

	return pair != NULL && parse_pos(pair->value, pair->len, out) == 0;
}

static bool
has_node(const struct quorumd_nodes *nodes, uint32_t id)
{
	for (size_t i = 0; i < nodes->count; i++)
		if (nodes->id[i] == id)
			return true;
	return false;
}

static void
add_node(struct quorumd_nodes *nodes, uint32_t id)
{
	if (nodes->count < LIMIT_NODES && !has_node(nodes, id))
		nodes->id[nodes->count++] = id;
}

/* The id that an item begins with, up to the byte end; 0: none. */
static uint32_t
take_id(const char *item, size_t len, char end)
{
	const char *at = memchr(item, end, len);
	uint32_t id = 0;

	if (parse_node_id(item, at != NULL ? (size_t)(at - item) : len, &id) !=
	    0)
		return 0;
	return id;
}

/* members=1,2 */
static void
get_members(const struct feed_line *line, struct quorumd_nodes *out)
{
	const struct word_pair *pair = word_get_raw(line->word, "members");
	char *list = pair != NULL ? pair->value : NULL, *item;
	size_t left = pair != NULL ? pair->len : 0, len;

	out->count = 0;
	while (word_take_item(&list, &left, &item, &len)) {
		uint32_t id = take_id(item, len, ',');

		if (id != 0)
			add_node(out, id);
	}
}

static bool
ends_in(const char *item, size_t len, const char *suffix)
{
	const size_t suffix_len = strlen(suffix);

	return len >= suffix_len &&
	    memcmp(item + len - suffix_len, suffix, suffix_len) == 0;
}

/* left=3:timeout,4:leave: those that left in order. */
static void
get_leavers(const struct feed_line *line, struct quorumd_nodes *out)
{
	const struct word_pair *pair = word_get_raw(line->word, "left");
	char *list = pair != NULL ? pair->value : NULL, *item;
	size_t left = pair != NULL ? pair->len : 0, len;

	out->count = 0;
	while (word_take_item(&list, &left, &item, &len)) {
		uint32_t id = take_id(item, len, ':');

		if (id != 0 && ends_in(item, len, ":leave"))
			add_node(out, id);
	}
}

/* ---- views ------------------------------------------------------------- */

static void tell_group(struct quorumd *d);

static void
forget_change(struct quorumd *d)
{
	d->ring.along.count = d->ring.leavers.count = 0;
	d->ring.is_changing = false;
}

static void
on_view(struct quorumd *d, const struct feed_line *line)
{
	struct quorumd_ring *ring = &d->ring;
	struct quorum_input in = { .kind = QUORUM_IN_VIEW };
	struct parse_view view;

	/* Of no view at all before the first. */
	if (!get_view(line, &view) || view.rep == 0)
		return;
	get_members(line, &ring->members);
	if (!has_node(&ring->members, d->cfg.self)) {
		feed_drop(d->ring_feed, "view-without-us", d->now_ns);
		return;
	}
	ring->view = view;
	d->view_ns = d->now_ns;
	add_node(&ring->along, d->cfg.self);
	in.view.id = view;
	in.view.member = ring->members.id;
	in.view.member_count = ring->members.count;
	in.view.along = ring->along.id;
	in.view.along_count = ring->along.count;
	in.view.leaver = ring->leavers.id;
	in.view.leaver_count = ring->leavers.count;
	quorumd_step(d, &in);
	forget_change(d);
	if (ring->is_group_due)
		tell_group(d);
}

static void
on_transitional(struct quorumd *d, const struct feed_line *line)
{
	d->ring.is_changing = true;
	get_leavers(line, &d->ring.leavers);
	get_members(line, &d->ring.along);
}

static void
on_tick(struct quorumd *d, const struct feed_line *line)
{
	const uint64_t at_ms = feed_u64(line, "at_ms", 0);
	const uint64_t age_ms = feed_u64(line, "token_age_ms", UINT32_MAX);
	const uint64_t now_ns = quorumd_clock_ns(d);

	if (at_ms == 0 || at_ms > now_ns / CLOCK_MS_NS)
		return;
	quorum_lease_tick(&d->lease, at_ms * CLOCK_MS_NS,
	    num_min(age_ms, UINT32_MAX) * CLOCK_MS_NS, now_ns);
}

static void
on_views_event(struct quorumd *d, const struct feed_line *line)
{
	if (is_event(line, VIEWS, "tick")) {
		on_tick(d, line);
	} else if (is_event(line, VIEWS, "config")) {
		reread_on_config(&d->reread, line, d->now_ns);
	} else if (is_event(line, VIEWS, "ready")) {
		reread_on_ready(&d->reread, line, d->now_ns);
		forget_change(d);
		on_view(d, line);
	} else if (is_event(line, VIEWS, "view")) {
		if (strcmp(feed_value(line, "phase"), "regular") == 0)
			on_view(d, line);
		else
			on_transitional(d, line);
	} else if (is_event(line, VIEWS, "gap")) {
		/* What was lost may have been a message, too. */
		feed_drop(d->ring_feed, "gap", d->now_ns);
	}
}

/* ---- the group --------------------------------------------------------- */

/*
 * Between two views ringd takes out of the group whoever leaves the ring. The
 * next view says that better, so it goes first.
 */
static void
tell_group(struct quorumd *d)
{
	struct quorum_input in = { .kind = QUORUM_IN_GROUP };

	d->ring.is_group_due = d->ring.is_changing || d->ring.view.rep == 0;
	if (d->ring.is_group_due)
		return;
	in.group.node = d->ring.group.id;
	in.group.node_count = d->ring.group.count;
	in.group.pos = d->ring.group_pos;
	if (has_node(&d->ring.group, d->cfg.self))
		d->ring.is_joined = true;
	quorumd_step(d, &in);
}

/* members=NODE.CONN:PID:UID:NAME,… */
static void
add_group(struct quorumd *d, const struct feed_line *line)
{
	const struct word_pair *pair = word_get_raw(line->word, "members");
	char *list = pair != NULL ? pair->value : NULL, *item;
	size_t left = pair != NULL ? pair->len : 0, len;

	while (word_take_item(&list, &left, &item, &len)) {
		uint32_t id = take_id(item, len, '.');

		if (id != 0 && ends_in(item, len, ":" NAME))
			add_node(&d->ring.group, id);
	}
}

static void
on_group(struct quorumd *d, const struct feed_line *line)
{
	if (!d->ring.is_group_partial)
		d->ring.group.count = 0;
	add_group(d, line);
	d->ring.is_group_partial = strcmp(feed_value(line, "more"), "yes") == 0;
	if (!d->ring.is_group_partial && get_pos(line, &d->ring.group_pos))
		tell_group(d);
}

static void
on_group_exists(struct quorumd *d, const struct feed_line *line)
{
	const uint64_t node = feed_u64(line, "node", 0);

	if (node > 0 && node <= LIMIT_NODE_ID_MAX &&
	    strcmp(feed_value(line, "name"), NAME) == 0)
		add_node(&d->ring.group, (uint32_t)node);
}

static void
on_group_ready(struct quorumd *d)
{
	d->ring.group_pos = (struct parse_pos){ .view = d->ring.view };
	tell_group(d);
}

static void
on_message(struct quorumd *d, const struct feed_line *line)
{
	struct quorum_input in = { .kind = QUORUM_IN_MESSAGE };
	const uint64_t node = feed_u64(line, "node", 0);

	if (d->ring.view.rep == 0 || node == 0 || node > LIMIT_NODE_ID_MAX ||
	    !get_pos(line, &in.message.pos) || !line->has_data)
		return;
	in.message.sender = (uint32_t)node;
	in.message.is_transitional =
	    strcmp(feed_value(line, "phase"), "transitional") == 0;
	in.message.bytes = line->data;
	in.message.len = line->len;
	quorumd_step(d, &in);
}

static void
on_group_event(struct quorumd *d, const struct feed_line *line)
{
	if (is_event(line, GROUPS, "msg"))
		on_message(d, line);
	else if (is_event(line, GROUPS, "group"))
		on_group(d, line);
	else if (is_event(line, GROUPS, "exists"))
		on_group_exists(d, line);
	else if (is_event(line, GROUPS, "ready"))
		on_group_ready(d);
	else if (is_event(line, GROUPS, "gap"))
		feed_drop(d->ring_feed, "gap", d->now_ns);
}

/* ---- replies ----------------------------------------------------------- */

/* Refused for its view: the next view asks anew, so that is no matter. */
static void
on_reply(struct quorumd *d, const struct feed_line *line)
{
	const char *code = feed_value(line, "code");

	if (line->kind == FEED_OK || line->kind == FEED_ITEM ||
	    (line->kind == FEED_NO && strcmp(code, "view") == 0))
		return;
	log_line(LOG_LEVEL_ERROR, "ringd-refused", "request=%s code=%s",
	    line->tag != NULL ? line->tag : "", code);
	feed_drop(d->ring_feed, "refused", d->now_ns);
}

/* ---- publishing -------------------------------------------------------- */

void
quorumd_ring_publish(struct quorumd *d, const struct quorum_effect *effect)
{
	static char bytes[REQUEST_BYTES];
	struct text out;

	text_init(&out, bytes, sizeof bytes);
	text_put(&out, "#pub pub group=" GROUP " confirm=safe if_view=");
	text_put_u64(&out, effect->publish.if_view.rep);
	text_put_char(&out, '.');
	text_put_u64(&out, effect->publish.if_view.seq);
	text_put(&out, " len=");
	text_put_u64(&out, effect->publish.len);
	text_put_char(&out, '\n');
	text_put_bytes(&out, effect->publish.bytes, effect->publish.len);
	text_put_char(&out, '\n');
	ENSURE(!out.is_full);
	/* The core counts on it, and would wait for it for ever. */
	if (!feed_put(d->ring_feed, out.bytes, out.len))
		feed_drop(d->ring_feed, "full", d->now_ns);
}

/* ---- the connection ---------------------------------------------------- */

static uint64_t
get_greeting(const struct feed *feed, const char *key)
{
	const char *text = feed_greeting(feed, key);
	uint64_t number = 0;

	if (parse_u64(text, strlen(text), 1, UINT64_MAX, &number) != 0)
		return 0;
	return number;
}

static void
on_opened(void *arg, struct feed *feed, uint64_t now_ns)
{
	struct quorumd *d = arg;
	struct quorumd_ring *ring = &d->ring;
	const uint64_t inc = get_greeting(feed, "inc");
	const uint64_t node = get_greeting(feed, "node");

	d->now_ns = num_max(d->now_ns, now_ns);
	if (inc == 0 || node != d->cfg.self) {
		log_line(LOG_LEVEL_ERROR, "ring-foreign", "node=%llu",
		    (unsigned long long)node);
		feed_drop(feed, "foreign", d->now_ns);
		return;
	}
	*ring = (struct quorumd_ring){
		.is_open = true, .inc = inc, .open_ns = d->now_ns
	};
	log_line(
	    LOG_LEVEL_NOTICE, "ring-open", "inc=%llu", (unsigned long long)inc);
	quorumd_make_core(d, inc);
	quorumd_reload_wish(d);
	if (!feed_putf(feed,
		"#hello hello name=" NAME "\n"
		"#views views id=%d tick=yes\n"
		"#listen listen id=%d group=" GROUP
		" members=yes lossless=yes\n"
		"#join join group=" GROUP " name=" NAME "\n",
		VIEWS, GROUPS))
		feed_drop(feed, "slow", d->now_ns);
}

static void
on_closed(void *arg, struct feed *feed, const char *why, uint64_t now_ns)
{
	struct quorumd *d = arg;

	(void)feed;
	d->now_ns = num_max(d->now_ns, now_ns);
	if (!d->ring.is_open)
		return;
	log_line(LOG_LEVEL_WARNING, "ring-lost", "why=%s", why);
	d->ring.is_open = d->ring.is_synced = false;
	quorum_lease_lose(&d->lease);
	quorum_stream_lose_ring(d->stream);
	quorumd_svc_fail(d);
}

static void
on_line(
    void *arg, struct feed *feed, const struct feed_line *line, uint64_t now_ns)
{
	struct quorumd *d = arg;

	(void)feed;
	d->now_ns = num_max(d->now_ns, now_ns);
	if (line->kind != FEED_EV)
		on_reply(d, line);
	else if (line->id == VIEWS)
		on_views_event(d, line);
	else if (line->id == GROUPS)
		on_group_event(d, line);
}

struct feed *
quorumd_ring_create(struct quorumd *d, struct arena *arena)
{
	char path[UNIXSOCK_PATH_BYTES];
	struct feed_config cfg = { .path = path,
		.data_max = QUORUM_MESSAGE_BYTES_MAX,
		.arg = d,
		.opened = on_opened,
		.line = on_line,
		.closed = on_closed };

	serve_path(d->serve, "ring", path, sizeof path);
	return feed_create(arena, &cfg);
}
