/* SPDX-License-Identifier: BSD-3-Clause */
/* ringd's stream: views, the group, its messages, in their order.
 *
 * One connection, so one order.  The group's members are those that joined
 * under our name; a message of anybody else in it does not count, whatever
 * node it is from.
 */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/feed.h"
#include "libcommon/os/log.h"
#include "libcommon/os/serve.h"

#include "bin/cfgstored/cfgstored.h"

#define GROUP "ringkit/cfg"
#define NAME  "cfgstored"

enum {
	VIEWS = 1, /* subscriptions */
	GROUPS = 2,
	HEAD_BYTES = 256,
	/* Of messages that ringd has not taken yet. */
	OUT_BYTES_EXTRA = 4 << 20,
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

/* A list of numbers: how many, or LIMIT_NODES + 1 when it is none. */
static size_t
get_numbers(
    const struct feed_line *line, const char *key, uint64_t out[LIMIT_NODES])
{
	const struct word_pair *pair = word_get_raw(line->word, key);
	char *list = pair != NULL ? pair->value : NULL, *item;
	size_t left = pair != NULL ? pair->len : 0, len, count = 0;

	while (word_take_item(&list, &left, &item, &len))
		if (count == LIMIT_NODES ||
		    parse_u64(item, len, 0, UINT64_MAX, &out[count++]) != 0)
			return LIMIT_NODES + 1;
	return count;
}

/* ---- views ------------------------------------------------------------- */

static void tell_group(struct cfgstored *d);

static void
on_view(struct cfgstored *d, const struct feed_line *line)
{
	struct replica_input in = { .kind = REPLICA_IN_VIEW };
	uint64_t inc[LIMIT_NODES], number[LIMIT_NODES];
	uint32_t member[LIMIT_NODES];
	size_t count;
	bool has_self = false;

	/* Of no view at all before the first. */
	if (!get_view(line, &in.view.id) || in.view.id.rep == 0)
		return;
	count = get_numbers(line, "members", number);
	for (size_t i = 0; i < count && count <= LIMIT_NODES; i++) {
		member[i] = (uint32_t)number[i];
		has_self = has_self || member[i] == d->cfg.self;
	}
	if (count > LIMIT_NODES || !has_self ||
	    get_numbers(line, "inc", inc) != count) {
		feed_drop(d->ring_feed, "bad-view", d->now_ns);
		return;
	}
	d->ring.view = in.view.id;
	d->ring.is_changing = false;
	in.view.member = member;
	in.view.inc = inc;
	in.view.member_count = count;
	cfgstored_step(d, &in);
	if (d->ring.is_group_due)
		tell_group(d);
}

static void
on_transitional(struct cfgstored *d)
{
	struct replica_input in = { .kind = REPLICA_IN_TRANSITIONAL };

	d->ring.is_changing = true;
	cfgstored_step(d, &in);
}

static void
on_views_event(struct cfgstored *d, const struct feed_line *line)
{
	const bool is_view = is_event(line, VIEWS, "view");

	if (is_event(line, VIEWS, "config"))
		reread_on_config(&d->reread, line, d->now_ns);
	else if (is_event(line, VIEWS, "ready"))
		reread_on_ready(&d->reread, line, d->now_ns);

	if (is_event(line, VIEWS, "ready") ||
	    (is_view && strcmp(feed_value(line, "phase"), "regular") == 0))
		on_view(d, line);
	else if (is_view)
		on_transitional(d);
	else if (is_event(line, VIEWS, "gap"))
		/* What was lost may have been a message, too. */
		feed_drop(d->ring_feed, "gap", d->now_ns);
}

/* ---- the group --------------------------------------------------------- */

/* What changes between two views is told behind the next. */
static void
tell_group(struct cfgstored *d)
{
	struct replica_input in = { .kind = REPLICA_IN_GROUP };
	uint32_t node[CFGSTORED_MEMBERS];
	size_t count = 0;

	d->ring.is_group_due = d->ring.is_changing || d->ring.view.rep == 0;
	if (d->ring.is_group_due)
		return;
	for (size_t i = 0; i < d->ring.member_count; i++) {
		size_t k = 0;

		while (k < count && node[k] != d->ring.member[i].node)
			k++;
		if (k == count)
			node[count++] = d->ring.member[i].node;
	}
	in.group.node = node;
	in.group.node_count = num_min(count, LIMIT_NODES);
	in.group.pos = d->ring.group_pos;
	cfgstored_step(d, &in);
}

static void
add_member(struct cfgstored *d, uint64_t node, uint64_t conn)
{
	struct cfgstored_stream *ring = &d->ring;

	if (node == 0 || node > LIMIT_NODE_ID_MAX ||
	    ring->member_count == CFGSTORED_MEMBERS)
		return;
	ring->member[ring->member_count++] =
	    (struct cfgstored_member){ (uint32_t)node, conn };
}

static bool
has_member(const struct cfgstored *d, uint64_t node, uint64_t conn)
{
	for (size_t i = 0; i < d->ring.member_count; i++)
		if (d->ring.member[i].node == node &&
		    d->ring.member[i].conn == conn)
			return true;
	return false;
}

/* NODE.CONN:PID:UID:NAME; another name is none of us. */
static void
add_item(struct cfgstored *d, const char *item, size_t len)
{
	static const char ending[] = ":" NAME;
	const size_t ending_len = sizeof ending - 1;
	const char *colon = memchr(item, ':', len);
	const char *dot =
	    colon != NULL ? memchr(item, '.', (size_t)(colon - item)) : NULL;
	uint64_t node, conn;

	if (dot == NULL || len < ending_len ||
	    memcmp(item + len - ending_len, ending, ending_len) != 0 ||
	    parse_u64(
		item, (size_t)(dot - item), 1, LIMIT_NODE_ID_MAX, &node) != 0 ||
	    parse_u64(
		dot + 1, (size_t)(colon - dot) - 1, 0, UINT64_MAX, &conn) != 0)
		return;
	add_member(d, node, conn);
}

static void
on_group(struct cfgstored *d, const struct feed_line *line)
{
	const struct word_pair *pair = word_get_raw(line->word, "members");
	char *list = pair != NULL ? pair->value : NULL, *item;
	size_t left = pair != NULL ? pair->len : 0, len;

	if (!d->ring.is_group_partial)
		d->ring.member_count = 0;
	while (word_take_item(&list, &left, &item, &len))
		add_item(d, item, len);
	d->ring.is_group_partial = strcmp(feed_value(line, "more"), "yes") == 0;
	if (!d->ring.is_group_partial && get_pos(line, &d->ring.group_pos))
		tell_group(d);
}

static void
on_group_exists(struct cfgstored *d, const struct feed_line *line)
{
	if (strcmp(feed_value(line, "name"), NAME) == 0)
		add_member(
		    d, feed_u64(line, "node", 0), feed_u64(line, "conn", 0));
}

static void
on_group_ready(struct cfgstored *d)
{
	d->ring.group_pos = (struct parse_pos){ .view = d->ring.view };
	tell_group(d);
}

static void
on_message(struct cfgstored *d, const struct feed_line *line)
{
	struct replica_input in = { .kind = REPLICA_IN_MESSAGE };
	const uint64_t node = feed_u64(line, "node", 0);

	if (d->ring.view.rep == 0 || !line->has_data ||
	    !has_member(d, node, feed_u64(line, "conn", 0)) ||
	    !get_pos(line, &in.message.pos))
		return;
	in.message.sender = (uint32_t)node;
	in.message.is_transitional =
	    strcmp(feed_value(line, "phase"), "transitional") == 0;
	in.message.bytes = line->data;
	in.message.len = line->len;
	cfgstored_step(d, &in);
}

static void
on_group_event(struct cfgstored *d, const struct feed_line *line)
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

/* ---- replies, and publishing ------------------------------------------- */

/* Refused for its view: the replica says it again in the next, or not. */
static void
on_reply(struct cfgstored *d, const struct feed_line *line)
{
	const char *code = feed_value(line, "code");

	if (line->kind == FEED_OK || line->kind == FEED_ITEM ||
	    (line->kind == FEED_NO && strcmp(code, "view") == 0))
		return;
	log_line(LOG_LEVEL_ERROR, "ringd-refused", "request=%s code=%s",
	    line->tag != NULL ? line->tag : "", code);
	feed_drop(d->ring_feed, "refused", d->now_ns);
}

void
cfgstored_stream_publish(
    struct cfgstored *d, const struct replica_effect *effect)
{
	const struct parse_view view = effect->publish.if_view;
	char head[HEAD_BYTES];
	int n;

	if (!d->ring.is_open)
		return;
	d->stats.published++;
	d->stats.published_bytes += effect->publish.len;
	n = snprintf(head, sizeof head,
	    "#pub pub group=" GROUP " confirm=agreed if_view=%u.%llu len=%zu\n",
	    view.rep, (unsigned long long)view.seq, effect->publish.len);
	/* All of it, or what follows would be read as something else. */
	if (feed_room(d->ring_feed) <
		(size_t)n + effect->publish.len + sizeof "\n" ||
	    !feed_put(d->ring_feed, head, (size_t)n) ||
	    !feed_put(
		d->ring_feed, effect->publish.bytes, effect->publish.len) ||
	    !feed_put(d->ring_feed, "\n", 1))
		/* Not now: that would be an input amid the effects. */
		d->ring_drop = "full";
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
	struct cfgstored *d = arg;
	const uint64_t inc = get_greeting(feed, "inc");

	cfgstored_tick(d, now_ns);
	if (inc == 0 || get_greeting(feed, "node") != d->cfg.self) {
		log_line(LOG_LEVEL_ERROR, "ring-foreign", "node=%s",
		    feed_greeting(feed, "node"));
		feed_drop(feed, "foreign", d->now_ns);
		return;
	}
	if (d->ring_inc != 0 && d->ring_inc != inc)
		cfgstored_want_reload(d);
	if (d->is_reload_due) {
		/* Once it is made, this comes again. */
		feed_drop(feed, "reload", d->now_ns);
		return;
	}
	d->ring_inc = inc;
	d->ring = (struct cfgstored_stream){ .is_open = true };
	log_line(
	    LOG_LEVEL_NOTICE, "ring-open", "inc=%llu", (unsigned long long)inc);
	if (!feed_putf(feed,
		"#hello hello name=" NAME "\n"
		"#views views id=%d\n"
		"#listen listen id=%d group=" GROUP
		" members=yes lossless=yes\n"
		"#join join group=" GROUP " name=" NAME "\n",
		VIEWS, GROUPS))
		feed_drop(feed, "slow", d->now_ns);
}

static void
on_closed(void *arg, struct feed *feed, const char *why, uint64_t now_ns)
{
	struct replica_input in = { .kind = REPLICA_IN_LOST };
	struct cfgstored *d = arg;

	(void)feed;
	cfgstored_tick(d, now_ns);
	if (!d->ring.is_open)
		return;
	log_line(LOG_LEVEL_WARNING, "ring-lost", "why=%s", why);
	d->ring.is_open = false;
	cfgstored_step(d, &in);
}

static void
on_line(
    void *arg, struct feed *feed, const struct feed_line *line, uint64_t now_ns)
{
	struct cfgstored *d = arg;

	(void)feed;
	cfgstored_tick(d, now_ns);
	if (line->kind != FEED_EV)
		on_reply(d, line);
	else if (line->id == VIEWS)
		on_views_event(d, line);
	else if (line->id == GROUPS)
		on_group_event(d, line);
}

struct feed *
cfgstored_stream_create(struct cfgstored *d, struct arena *arena)
{
	char path[UNIXSOCK_PATH_BYTES];
	const uint64_t message_max =
	    d->serve->conf->ring.message_bytes_max + LIMIT_MESSAGE_BYTES_OWN;
	struct feed_config cfg = { .path = path,
		.data_max = (size_t)message_max,
		.out_max = (size_t)(d->serve->conf->store.max_tail +
		    message_max + OUT_BYTES_EXTRA),
		.arg = d,
		.opened = on_opened,
		.line = on_line,
		.closed = on_closed };

	serve_path(d->serve, "ring", path, sizeof path);
	return feed_create(arena, &cfg);
}
