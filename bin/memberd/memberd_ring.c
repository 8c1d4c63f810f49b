/* SPDX-License-Identifier: BSD-3-Clause */
/* memberd as a client of ringd: one connection, one order.
 *
 * Views and the group ringkit/member come by the same connection, so that what
 * was said in a view stands behind it.  Nothing is lost on it without the
 * connection being lost, too; then everything begins again from the state that
 * ringd tells.
 */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/feed.h"
#include "libcommon/os/log.h"
#include "libcommon/os/svc.h"
#include "libcommon/os/watch.h"

#include "bin/memberd/memberd.h"

enum {
	SUB_VIEWS = 1,
	SUB_GROUP = 2,
	PUBLISHED_MAX = 8, /* messages with facts under way */
	HEAD_BYTES = 128,
};

/* ringd says something every 100 ms. */
#define SILENCE_MS 1000

#define GROUP "ringkit/member"

/* ---- sending ----------------------------------------------------------- */

/* d->message as one request, whose answer has this tag. */
static bool
send_message(struct memberd *d, const char *tag)
{
	char head[HEAD_BYTES];
	int n = snprintf(head, sizeof head, "#%s pub group=" GROUP " len=%zu\n",
	    tag, d->message.len);

	ENSURE(n > 0 && (size_t)n < sizeof head);
	if (feed_room(d->feed) < (size_t)n + d->message.len + 1)
		return false;
	return feed_put(d->feed, head, (size_t)n) &&
	    feed_put(d->feed, d->message.bytes, d->message.len) &&
	    feed_put(d->feed, "\n", 1);
}

void
memberd_ring_publish(struct memberd *d)
{
	while (d->published < PUBLISHED_MAX && feed_is_open(d->feed) &&
	    feed_room(d->feed) > MEMBER_MESSAGE_BYTES + HEAD_BYTES) {
		text_init(
		    &d->message, d->message_bytes, sizeof d->message_bytes);
		if (!member_publish(d->core, &d->message))
			return;
		ENSURE(send_message(d, "facts"));
		d->published++;
	}
}

bool
memberd_ring_request(struct memberd *d, uint32_t req)
{
	char tag[16];

	snprintf(tag, sizeof tag, "r%u", req);
	return feed_is_open(d->feed) && send_message(d, tag);
}

/* ---- what ringd tells -------------------------------------------------- */

/* It stood still for a while, and said nothing in between. */
static void
look_at_ring(struct memberd *d, const struct feed_line *line, uint64_t now_ns)
{
	uint64_t at_ms = feed_u64(line, "at_ms", 0);
	struct member_input in = { .kind = MEMBER_IN_PAUSE, .is_ring = true };

	if (at_ms == 0)
		return;
	if (d->ring_at_ms != 0 && at_ms > d->ring_at_ms + SILENCE_MS) {
		in.ms = at_ms - d->ring_at_ms;
		log_line(LOG_LEVEL_WARNING, "ring-paused", "ms=%llu",
		    (unsigned long long)in.ms);
		memberd_step(d, &in, now_ns);
	}
	d->ring_at_ms = at_ms;
}

static void
take_view(struct memberd *d, struct feed *feed, const struct feed_line *line,
    uint64_t now_ns)
{
	static struct member_view view;
	struct member_input in = { .view = &view };
	bool was_ready = member_is_ready(d->core);

	if (!member_read_view(line->word, &view)) {
		log_line(LOG_LEVEL_ERROR, "ring-unreadable", "event=%s",
		    line->event);
		feed_drop(feed, "protocol", now_ns);
		return;
	}
	in.kind = strcmp(line->event, "ready") == 0 ? MEMBER_IN_READY
						    : MEMBER_IN_VIEW;
	memberd_step(d, &in, now_ns);
	if (was_ready || !member_is_ready(d->core))
		return;
	d->ring_lost_ns = 0;
	log_line(LOG_LEVEL_NOTICE, "ring", "state=here view=%u.%llu",
	    view.view.rep, (unsigned long long)view.view.seq);
}

static void
take_heard(struct memberd *d, const struct feed_line *line, uint64_t now_ns)
{
	struct member_input in = { .kind = MEMBER_IN_HEARD,
		.node = (uint32_t)feed_u64(line, "node", 0),
		.inc = feed_u64(line, "inc", 0) };

	memberd_step(d, &in, now_ns);
}

static void
take_views_event(struct memberd *d, struct feed *feed,
    const struct feed_line *line, uint64_t now_ns)
{
	look_at_ring(d, line, now_ns);
	if (strcmp(line->event, "config") == 0)
		reread_on_config(&d->reread, line, now_ns);
	else if (strcmp(line->event, "ready") == 0)
		reread_on_ready(&d->reread, line, now_ns);
	if (strcmp(line->event, "exists") == 0)
		take_heard(d, line, now_ns);
	else if (strcmp(line->event, "ready") == 0 ||
	    strcmp(line->event, "view") == 0)
		take_view(d, feed, line, now_ns);
}

static bool
read_pos(const struct feed_line *line, struct parse_pos *out)
{
	const char *pos = feed_value(line, "pos");

	return parse_pos(pos, strlen(pos), out) == 0;
}

static void
take_message(struct memberd *d, const struct feed_line *line, uint64_t now_ns)
{
	struct member_message message = {
		.node = (uint32_t)feed_u64(line, "node", 0),
		.inc = feed_u64(line, "inc", 0),
		.conn = (uint32_t)feed_u64(line, "conn", 0),
		.bytes = line->data,
		.len = line->len,
	};
	struct member_input in = { .kind = MEMBER_IN_MESSAGE,
		.message = &message };

	if (read_pos(line, &message.pos))
		memberd_step(d, &in, now_ns);
}

static void
take_group_event(
    struct memberd *d, const struct feed_line *line, uint64_t now_ns)
{
	struct member_input in = { .kind = MEMBER_IN_GROUP };

	if (strcmp(line->event, "msg") == 0)
		take_message(d, line, now_ns);
	else if (strcmp(line->event, "group") == 0 &&
	    feed_value(line, "joined")[0] != '\0')
		memberd_step(d, &in, now_ns);
}

/* ---- what it answers --------------------------------------------------- */

static void
take_request_answer(struct memberd *d, const struct feed_line *line)
{
	uint64_t req;

	if (parse_u64(
		line->tag + 1, strlen(line->tag + 1), 1, UINT32_MAX, &req) != 0)
		return;
	/* The message itself came before this, and answered. */
	if (line->kind == FEED_OK)
		memberd_svc_fail(
		    d, (uint32_t)req, "internal", "ordered, but not seen");
	else
		memberd_svc_fail(
		    d, (uint32_t)req, "busy", "the ring did not take it");
}

/* Without its answers there is no being a member: begin again.  What has no
 * tag ends the connection: ringd leaves, say. */
static void
refuse(struct feed *feed, const char *tag, const struct feed_line *line,
    uint64_t now_ns)
{
	const char *code = feed_value(line, "code");

	if (tag[0] != '\0')
		log_line(LOG_LEVEL_ERROR, "ring-refused", "what=%s code=%s",
		    tag, code);
	feed_drop(
	    feed, strcmp(code, "leaving") == 0 ? "leaving" : "refused", now_ns);
}

static void
take_answer(struct memberd *d, struct feed *feed, const struct feed_line *line,
    uint64_t now_ns)
{
	struct member_input in = { .kind = MEMBER_IN_CONN };
	const char *tag = line->tag == NULL ? "" : line->tag;

	svc_resume(d->svc); /* who waited for room may try again */
	if (tag[0] == 'r') {
		take_request_answer(d, line);
		return;
	}
	if (line->kind != FEED_OK) {
		refuse(feed, tag, line, now_ns);
		return;
	}
	if (strcmp(tag, "hello") == 0) {
		in.conn = (uint32_t)feed_u64(line, "conn", 0);
		memberd_step(d, &in, now_ns);
	} else if (strcmp(tag, "facts") == 0 && d->published > 0) {
		d->published--;
		memberd_ring_publish(d);
	}
}

/* ---- the connection ---------------------------------------------------- */

static void
on_opened(void *arg, struct feed *feed, uint64_t now_ns)
{
	struct memberd *d = arg;
	const struct cluster_node *self = &d->conf->nodes[d->conf->self];

	d->published = 0;
	d->ring_at_ms = 0;
	if (strcmp(feed_greeting(feed, "name"), self->name) != 0) {
		log_line(LOG_LEVEL_ERROR, "ring-foreign", "name=%s expected=%s",
		    feed_greeting(feed, "name"), self->name);
		feed_drop(feed, "foreign", now_ns);
		return;
	}
	ENSURE(feed_putf(feed,
	    "#hello hello name=memberd\n"
	    "#views views id=%d tick=yes\n"
	    "#listen listen id=%d group=" GROUP " members=yes lossless=yes\n"
	    "#join join group=" GROUP " name=memberd\n",
	    SUB_VIEWS, SUB_GROUP));
}

static void
on_line(
    void *arg, struct feed *feed, const struct feed_line *line, uint64_t now_ns)
{
	struct memberd *d = arg;

	memberd_look(d, now_ns);
	if (line->kind != FEED_EV)
		take_answer(d, feed, line, now_ns);
	else if (line->id == SUB_VIEWS)
		take_views_event(d, feed, line, now_ns);
	else
		take_group_event(d, line, now_ns);
}

static void
on_closed(void *arg, struct feed *feed, const char *why, uint64_t now_ns)
{
	struct memberd *d = arg;
	struct member_input in = { .kind = MEMBER_IN_LOST };

	(void)feed;
	if (d->ring_lost_ns == 0)
		d->ring_lost_ns = now_ns;
	log_line(LOG_LEVEL_WARNING, "ring", "state=away why=%s", why);
	memberd_step(d, &in, now_ns);
	memberd_svc_fail_all(d);
	watch_shut(d->watch, "away", "ringd is gone");
}

struct feed *
memberd_ring_create(struct memberd *d, struct arena *arena)
{
	const struct feed_config cfg = { .path = d->ring_path,
		.data_max = (size_t)d->conf->ring.message_bytes_max,
		.arg = d,
		.opened = on_opened,
		.line = on_line,
		.closed = on_closed };

	return feed_create(arena, &cfg);
}
