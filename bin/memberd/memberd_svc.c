/* SPDX-License-Identifier: BSD-3-Clause */
/* member.sock: its verbs, and requests that the ring has to order first. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/os/acl.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/feed.h"
#include "libcommon/os/log.h"
#include "libcommon/os/svc.h"
#include "libcommon/os/watch.h"

#include "bin/memberd/memberd.h"

enum {
	POOL_BYTES = 8 << 20,
	LINE_BYTES = 1024, /* of status and stats */
};

static const char away[] = "ringd is not there";

/* ---- answers that are under way ---------------------------------------- */

static struct memberd_pending *
find_pending(struct memberd *d, uint32_t req)
{
	for (size_t i = 0; i < ARRAY_COUNT(d->pending); i++)
		if (d->pending[i].req == req)
			return &d->pending[i];
	return NULL;
}

static struct svc_client *
find_client(struct memberd *d, uint32_t id)
{
	struct svc_client *client = NULL;

	while ((client = svc_client_next(d->svc, client)) != NULL)
		if (svc_client_id(client) == id)
			return client;
	return NULL;
}

/* Frees the pending request: its client and tag; NULL: it is gone. */
static struct svc_client *
take_pending(struct memberd *d, uint32_t req, char tag[WORD_TAG_BYTES + 1])
{
	struct memberd_pending *pending = find_pending(d, req);
	struct svc_client *client;

	if (pending == NULL)
		return NULL;
	client = find_client(d, pending->client);
	memcpy(tag, pending->tag, sizeof pending->tag);
	pending->req = 0;
	svc_resume(d->svc);
	if (client != NULL)
		svc_client_hold(client, -1);
	return client;
}

static void
put_answer(struct svc_client *client, const char *tag, int answer)
{
	switch ((enum member_answer)answer) {
	case MEMBER_DONE:
		svc_ok(client, tag, "%s", "");
		break;
	case MEMBER_E_NODE:
		svc_err(client, tag, "usage", "node: no such node");
		break;
	case MEMBER_E_STALE:
		svc_no(client, tag, "stale");
		break;
	case MEMBER_E_MEMBER:
		svc_no(client, tag, "member");
		break;
	case MEMBER_E_FULL:
		svc_err(client, tag, "busy", "a node has at most %d tags",
		    MEMBER_TAGS);
		break;
	case MEMBER_E_LONG:
		svc_err(client, tag, "toolong",
		    "value: at most %d bytes, method: %d", MEMBER_TAG_VALUE_MAX,
		    MEMBER_METHOD_BYTES - 1);
		break;
	case MEMBER_E_NAME:
		svc_err(client, tag, "usage",
		    "name: expected 1 to %d of a-z 0-9 . _ -",
		    MEMBER_TAG_NAME_MAX);
		break;
	}
}

void
memberd_svc_answer(struct memberd *d, uint32_t req, int answer)
{
	char tag[WORD_TAG_BYTES + 1];
	struct svc_client *client = take_pending(d, req, tag);

	if (client != NULL)
		put_answer(client, tag[0] == '\0' ? NULL : tag, answer);
}

void
memberd_svc_fail(
    struct memberd *d, uint32_t req, const char *code, const char *why)
{
	char tag[WORD_TAG_BYTES + 1];
	struct svc_client *client = take_pending(d, req, tag);

	if (client != NULL)
		svc_err(client, tag[0] == '\0' ? NULL : tag, code, "%s", why);
}

void
memberd_svc_fail_all(struct memberd *d)
{
	for (size_t i = 0; i < ARRAY_COUNT(d->pending); i++)
		if (d->pending[i].req != 0)
			memberd_svc_fail(d, d->pending[i].req, "away",
			    "ringd is gone; it may have been done");
}

/* ---- requests that the ring orders ------------------------------------- */

static enum svc_result
misused(struct svc_request *req, const char *why)
{
	svc_err(req->client, req->tag, "usage", "%s", why);
	return SVC_DONE;
}

static enum svc_result
be_away(struct svc_request *req)
{
	svc_err(req->client, req->tag, "away", "%s", away);
	return SVC_DONE;
}

/* A node's id, by name or id; 0: there is no such word, or node. */
static uint32_t
get_node(struct memberd *d, struct svc_request *req, const char *key)
{
	const struct word_pair *pair = word_get(req->word, key);
	int idx = pair == NULL ? -1 : member_find(d->core, pair->value);

	return idx < 0 ? 0 : member_node_id(d->core, (uint32_t)idx);
}

static void
begin_pending(
    struct svc_request *req, struct memberd_pending *pending, uint32_t number)
{
	pending->req = number;
	pending->client = svc_client_id(req->client);
	memset(pending->tag, 0, sizeof pending->tag);
	if (req->tag != NULL)
		memcpy(pending->tag, req->tag, strlen(req->tag));
	svc_client_hold(req->client, 1);
}

static enum svc_result
order(
    struct memberd *d, struct svc_request *req, struct member_request *request)
{
	struct memberd_pending *pending = find_pending(d, 0);
	int rc;

	if (!member_is_ready(d->core))
		return be_away(req);
	/* One a client, and as many places as clients; but those of clients
	 * that went count until their answers come. */
	if (pending == NULL)
		return SVC_WAIT;
	d->last_req = d->last_req == UINT32_MAX ? 1 : d->last_req + 1;
	request->req = d->last_req;
	text_init(&d->message, d->message_bytes, sizeof d->message_bytes);
	rc = member_request(d->core, request, &d->message);
	if (rc != MEMBER_DONE) {
		put_answer(req->client, req->tag, rc);
		return SVC_DONE;
	}
	if (!memberd_ring_request(d, request->req))
		return SVC_WAIT;
	begin_pending(req, pending, request->req);
	return SVC_DONE;
}

static enum svc_result
run_tag(void *arg, struct svc_request *req)
{
	struct memberd *d = arg;
	const struct word_pair *name = word_get(req->word, "name");
	const struct word_pair *value = word_get(req->word, "value");
	const struct word_pair *unset = word_get(req->word, "unset");
	struct member_request request = { .kind = MEMBER_TAG };

	if (name == NULL)
		return misused(req, "name: missing");
	if ((value == NULL) == (unset == NULL) ||
	    (unset != NULL && strcmp(unset->value, "yes") != 0))
		return misused(req, "expected value=V or unset=yes");
	if (word_get(req->word, "node") == NULL)
		request.node = d->conf->nodes[d->conf->self].id;
	else
		request.node = get_node(d, req, "node");
	request.name = name->value;
	if (value != NULL) {
		request.value = value->value;
		request.value_len = value->len;
	}
	return order(d, req, &request);
}

static enum svc_result
run_fenced(void *arg, struct svc_request *req)
{
	struct memberd *d = arg;
	const struct word_pair *inc = word_get(req->word, "inc");
	const struct word_pair *method = word_get(req->word, "method");
	struct member_request request = { .kind = MEMBER_FENCE,
		.node = get_node(d, req, "node"),
		.by = get_node(d, req, "by"),
		.method = method == NULL ? "manual" : method->value };

	if (inc == NULL ||
	    parse_u64(inc->value, inc->len, 1, UINT64_MAX, &request.inc) != 0)
		return misused(req, "inc: expected a number");
	if (request.by == 0)
		return misused(req, "by: no such node");
	return order(d, req, &request);
}

static enum svc_result
run_forget(void *arg, struct svc_request *req)
{
	struct memberd *d = arg;
	struct member_request request = { .kind = MEMBER_FORGET,
		.node = get_node(d, req, "node") };

	return order(d, req, &request);
}

/* ---- what is known ----------------------------------------------------- */

static enum svc_result
run_watch(void *arg, struct svc_request *req)
{
	struct memberd *d = arg;

	if (!member_is_ready(d->core))
		return be_away(req);
	return watch_request(d->watch, req);
}

static void
begin_item(struct memberd *d, struct svc_request *req, struct text *out)
{
	text_init(out, d->record, sizeof d->record);
	svc_put_tag(out, req->tag);
	text_put(out, "item");
}

static void
put_item(struct svc_request *req, struct text *out)
{
	text_put_char(out, '\n');
	ENSURE(!out->is_full);
	svc_put(req->client, out->bytes, out->len);
}

static enum svc_result
run_nodes(void *arg, struct svc_request *req)
{
	struct memberd *d = arg;
	uint32_t count = member_node_count(d->core);
	char bytes[LINE_BYTES];
	struct text out;

	if (!member_is_ready(d->core))
		return be_away(req);
	for (uint32_t i = 0; i < count; i++) {
		begin_item(d, req, &out);
		member_put_node(d->core, i, req->now_ns, &out);
		put_item(req, &out);
	}
	text_init(&out, bytes, sizeof bytes);
	member_put_view(d->core, &out);
	text_put(&out, " cursor=");
	watch_put_cursor(d->watch, &out);
	svc_ok(req->client, req->tag, "n=%u%s", count, out.bytes);
	return SVC_DONE;
}

static void
put_number(struct text *out, const char *key, uint64_t number)
{
	text_put_char(out, ' ');
	text_put(out, key);
	text_put_char(out, '=');
	text_put_u64(out, number);
}

static void
put_ring(struct memberd *d, uint64_t now_ns, struct text *out)
{
	bool is_ready = member_is_ready(d->core);

	text_put(out, " kind=member ready=");
	text_put(out, is_ready ? "yes" : "no");
	if (is_ready)
		member_put_view(d->core, out);
	else
		put_number(out, "away_ms",
		    num_sub(now_ns, d->ring_lost_ns) / CLOCK_MS_NS);
}

static void
put_history(struct memberd *d, struct text *out)
{
	struct watch_stats stats;

	watch_stats(d->watch, &stats);
	text_put(out, " kind=history cursor=");
	watch_put_cursor(d->watch, out);
	put_number(out, "kept", stats.kept);
	put_number(out, "subs", stats.subs);
	put_number(out, "gaps", stats.gaps);
}

static void
put_process(struct memberd *d, uint64_t now_ns, struct text *out)
{
	struct svc_stats stats;

	svc_stats(d->svc, &stats);
	text_put(out, " kind=process version=" RINGKIT_VERSION);
	put_number(out, "pid", (uint64_t)getpid());
	put_number(
	    out, "uptime_ms", num_sub(now_ns, d->start_ns) / CLOCK_MS_NS);
	put_number(out, "memory_bytes", d->memory_bytes);
	put_number(out, "clients", stats.clients);
	put_number(out, "queue_bytes", stats.queued_bytes);
}

static enum svc_result
run_status(void *arg, struct svc_request *req)
{
	struct memberd *d = arg;
	struct text out;

	begin_item(d, req, &out);
	put_ring(d, req->now_ns, &out);
	put_item(req, &out);
	begin_item(d, req, &out);
	put_history(d, &out);
	put_item(req, &out);
	begin_item(d, req, &out);
	put_process(d, req->now_ns, &out);
	put_item(req, &out);
	begin_item(d, req, &out);
	text_put_char(&out, ' ');
	reread_put(&d->reread, &out);
	put_item(req, &out);
	svc_ok(req->client, req->tag, "n=4");
	return SVC_DONE;
}

static void
put_stat(struct memberd *d, struct svc_request *req, const char *name,
    uint64_t value)
{
	struct text out;

	begin_item(d, req, &out);
	text_put(&out, " name=");
	text_put(&out, name);
	put_number(&out, "value", value);
	put_item(req, &out);
}

static enum svc_result
run_stats(void *arg, struct svc_request *req)
{
	struct memberd *d = arg;
	struct svc_stats stats;
	struct feed_stats feed;
	struct watch_stats watch;

	svc_stats(d->svc, &stats);
	feed_stats(d->feed, &feed);
	watch_stats(d->watch, &watch);
	const struct {
		const char *name;
		uint64_t value;
	} more[] = {
		{ "events", watch.seq },
		{ "gaps", watch.gaps },
		{ "ring_connections", feed.opened },
		{ "ring_lines", feed.lines },
		{ "clients_accepted", stats.accepted },
		{ "clients_refused", stats.refused },
		{ "clients_closed_slow", stats.closed_slow },
		{ "requests", stats.requests },
		{ "requests_failed", stats.failed },
	};

	for (int i = 0; i < MEMBER_COUNTERS; i++)
		put_stat(d, req, member_counter_name((enum member_counter)i),
		    member_count(d->core, (enum member_counter)i));
	for (size_t i = 0; i < ARRAY_COUNT(more); i++)
		put_stat(d, req, more[i].name, more[i].value);
	svc_ok(req->client, req->tag, "n=%zu",
	    MEMBER_COUNTERS + ARRAY_COUNT(more));
	return SVC_DONE;
}

void
memberd_svc_dump(struct memberd *d)
{
	struct text out;

	text_init(&out, d->record, sizeof d->record);
	put_ring(d, clock_now_ns(), &out);
	put_history(d, &out);
	put_process(d, clock_now_ns(), &out);
	text_put_char(&out, ' ');
	reread_put(&d->reread, &out);
	log_line(LOG_LEVEL_NOTICE, "status", "%s", out.bytes + 1);
}

/* ---- the service ------------------------------------------------------- */

static const struct svc_verb verbs[] = {
	{ "watch", run_watch, SVC_RIGHT_READ,
	    "[id=N] [snapshot=yes|no] [since=CURSOR]", false },
	{ "nodes", run_nodes, SVC_RIGHT_READ, "", false },
	{ "tag", run_tag, SVC_RIGHT_ADMIN,
	    "name=K (value=V|unset=yes) [node=NODE]", false },
	{ "fenced", run_fenced, SVC_RIGHT_ADMIN,
	    "node=NODE inc=N by=NODE [method=M]", false },
	{ "forget", run_forget, SVC_RIGHT_ADMIN, "node=NODE", false },
	{ "status", run_status, SVC_RIGHT_READ, "", false },
	{ "stats", run_stats, SVC_RIGHT_READ, "", false },
};

static void
greet(void *arg, struct text *out)
{
	const struct memberd *d = arg;
	const struct cluster_node *self = &d->conf->nodes[d->conf->self];

	put_number(out, "node", self->id);
	text_put(out, " name=");
	text_put(out, self->name);
	text_put(out, " epoch=");
	watch_put_epoch(d->watch, out);
}

static uint32_t
get_rights(void *arg, const struct unixsock_peer *peer)
{
	const struct memberd *d = arg;

	return acl_rights(d->conf, peer);
}

static bool
is_busy(void *arg, const struct svc_client *client)
{
	const struct memberd *d = arg;

	for (size_t i = 0; i < ARRAY_COUNT(d->pending); i++)
		if (d->pending[i].req != 0 &&
		    d->pending[i].client == svc_client_id(client))
			return true;
	return false;
}

static void
on_opened(void *arg, struct svc_client *client)
{
	(void)arg;
	(void)client;
}

static void
on_closed(void *arg, struct svc_client *client)
{
	struct memberd *d = arg;

	watch_closed(d->watch, client);
}

static void
on_drained(void *arg, struct svc_client *client)
{
	struct memberd *d = arg;

	watch_drained(d->watch, client);
}

struct svc *
memberd_svc_create(struct memberd *d, struct arena *arena)
{
	const struct svc_config cfg = { .daemon = "memberd",
		.verbs = verbs,
		.verb_count = ARRAY_COUNT(verbs),
		.clients_max = LIMIT_CLIENTS,
		.pool_bytes = POOL_BYTES,
		.gathers = 1,
		.arg = d,
		.greet = greet,
		.rights = get_rights,
		.is_busy = is_busy,
		.opened = on_opened,
		.closed = on_closed,
		.drained = on_drained };

	return svc_create(arena, &cfg);
}
