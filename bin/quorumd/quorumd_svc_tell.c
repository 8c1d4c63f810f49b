/* SPDX-License-Identifier: BSD-3-Clause */
/* The verbs of quorum.sock that only tell: quorum, why, nodes, status, stats.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/feed.h"
#include "libcommon/os/serve.h"
#include "libcommon/os/svc.h"
#include "libcommon/os/watch.h"

#include "bin/quorumd/quorum_roster.h"
#include "bin/quorumd/quorum_stream.h"
#include "bin/quorumd/quorumd.h"

enum { LINE_BYTES = 8192, WHY_BYTES = 256, STATS = 32 };

/* ---- words ------------------------------------------------------------- */

/* The first word of a line has no blank before it. */
static void
put(struct text *out, const char *key, const char *value)
{
	if (out->len > 0 && out->bytes[out->len - 1] != ' ')
		text_put_char(out, ' ');
	text_put(out, key);
	text_put_char(out, '=');
	text_put(out, value);
}

static void
put_number(struct text *out, const char *key, uint64_t number)
{
	put(out, key, "");
	text_put_u64(out, number);
}

static void
put_value(struct text *out, const char *key, const char *value)
{
	put(out, key, "");
	text_put_value(out, value, strlen(value));
}

static void
put_view(struct text *out, struct parse_view view)
{
	text_put_u64(out, view.rep);
	text_put_char(out, '.');
	text_put_u64(out, view.seq);
}

static const char *
yes_no(bool is_so)
{
	return is_so ? "yes" : "no";
}

static void
put_ids(struct text *out, const char *key, const uint32_t *id, size_t count)
{
	put(out, key, "");
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			text_put_char(out, ',');
		text_put_u64(out, id[i]);
	}
}

/* ---- items ------------------------------------------------------------- */

static void
begin_item(const struct svc_request *req, struct text *out, char *bytes)
{
	text_init(out, bytes, LINE_BYTES);
	svc_put_tag(out, req->tag);
	text_put(out, "item ");
}

static void
end_item(const struct svc_request *req, struct text *out, uint64_t *items)
{
	++*items;
	text_put_char(out, '\n');
	svc_put(req->client, out->bytes, out->len);
}

static enum svc_result
end_items(const struct svc_request *req, uint64_t items)
{
	svc_ok(req->client, req->tag, "n=%llu", (unsigned long long)items);
	return SVC_DONE;
}

/* ---- quorum ------------------------------------------------------------ */

/* What is known now, and not what was, when it cannot be believed. */
static void
get_verdict(const struct quorumd *d, struct quorum_verdict *verdict)
{
	*verdict = (struct quorum_verdict){ .is_known = false };
	if (d->core != NULL)
		quorum_verdict_now(d->core, verdict);
}

static bool
is_known(const struct quorumd *d, const struct quorum_verdict *verdict)
{
	return verdict->is_known && quorumd_is_fresh(d);
}

static void
put_verdict(const struct quorumd *d, const struct quorum_verdict *verdict,
    struct text *out)
{
	const bool is_so = is_known(d, verdict);

	put(out, "quorate", is_so ? yes_no(verdict->is_quorate) : "unknown");
	put_number(out, "votes", verdict->votes);
	put_number(out, "needed", verdict->needed);
	put_number(out, "expected", verdict->expected);
	put(out, "basis",
	    quorum_basis_name(is_so ? verdict->basis : QUORUM_BASIS_NONE));
	put(out, "view", "");
	put_view(out, verdict->view);
	put(out, "pos", "");
	put_view(out, verdict->pos.view);
	text_put_char(out, ':');
	text_put_u64(out, verdict->pos.seq);
	text_put_char(out, '.');
	text_put_u64(out, verdict->pos.idx);
}

static uint32_t
get_coordinator(const struct quorumd_nodes *members)
{
	uint32_t lowest = 0;

	for (size_t i = 0; i < members->count; i++)
		if (lowest == 0 || members->id[i] < lowest)
			lowest = members->id[i];
	return lowest;
}

/*
 * Quorate, and nobody who is away can still be at work: the core knows who
 * left in order, memberd who was fenced.
 */
static bool
is_settled(const struct quorumd *d, const struct quorum_verdict *verdict)
{
	char now[WHY_BYTES], bytes[LINE_BYTES];
	struct text out;

	if (!is_known(d, verdict) || !verdict->is_quorate)
		return false;
	if (quorum_is_settled(d->core, d->now_ns))
		return true;
	snprintf(now, sizeof now, "view=%u.%llu ", verdict->view.rep,
	    (unsigned long long)verdict->view.seq);
	text_init(&out, bytes, sizeof bytes);
	quorum_roster_put_view(d->roster, &out);
	return strncmp(bytes, now, strlen(now)) == 0 &&
	    quorum_stream_is_ready(d->stream) &&
	    quorum_roster_is_settled(d->roster);
}

static void
put_waiting(const struct quorumd *d, struct text *out)
{
	uint32_t id[LIMIT_NODES];
	struct quorum_node node;
	size_t count = 0;

	for (size_t i = 0; d->core != NULL && quorum_node_at(d->core, i, &node);
	     i++)
		if (node.is_awaited)
			id[count++] = node.id;
	put_ids(out, "waiting_for", id, count);
}

/* Why it is unknown: a sentence for a person. */
static void
say_unknown(struct quorumd *d, char *bytes)
{
	const uint64_t age_ns =
	    quorum_lease_age_ns(&d->lease, quorumd_clock_ns(d));

	if (!d->ring.is_open)
		snprintf(bytes, WHY_BYTES, "ringd is not there");
	else if (d->ring.view.rep == 0)
		snprintf(bytes, WHY_BYTES, "ringd has no view yet");
	else if (strcmp(quorum_lease_reason(&d->lease), "paused") == 0)
		snprintf(bytes, WHY_BYTES,
		    "this node was stopped, and ringd has said nothing since");
	else if (age_ns == UINT64_MAX)
		snprintf(bytes, WHY_BYTES, "ringd has said nothing yet");
	else if (age_ns > d->lease.lease_ns)
		snprintf(bytes, WHY_BYTES,
		    "what ringd said last is %llu ms old",
		    (unsigned long long)(age_ns / CLOCK_MS_NS));
	else
		snprintf(bytes, WHY_BYTES, "not all members have spoken yet");
}

static void
put_why(
    struct quorumd *d, const struct quorum_verdict *verdict, struct text *out)
{
	char bytes[WHY_BYTES];
	struct quorum_rule rule;

	if (!is_known(d, verdict)) {
		say_unknown(d, bytes);
		put_value(out, "why", bytes);
	} else if (quorum_rule_at(d->core, 0, &rule)) {
		put_value(out, "why", rule.text);
	}
}

static void
put_age(struct quorumd *d, struct text *out)
{
	const uint64_t age_ns =
	    quorum_lease_age_ns(&d->lease, quorumd_clock_ns(d));

	put(out, "age_ms", "");
	if (age_ns != UINT64_MAX)
		text_put_u64(out, age_ns / CLOCK_MS_NS);
}

void
quorumd_svc_put_quorum(struct quorumd *d, struct text *out)
{
	const struct cluster_conf *conf = d->serve->conf;
	const uint32_t coordinator = get_coordinator(&d->ring.members);
	struct quorum_verdict verdict;

	get_verdict(d, &verdict);
	put_verdict(d, &verdict, out);
	put_ids(out, "members", d->ring.members.id, d->ring.members.count);
	put_number(out, "self", d->cfg.self);
	put(out, "name", conf->nodes[conf->self].name);
	put(out, "coordinator", "");
	if (coordinator != 0)
		text_put_u64(out, coordinator);
	put(out, "settled", yes_no(is_settled(d, &verdict)));
	put_age(d, out);
	put_waiting(d, out);
	put_why(d, &verdict, out);
}

enum svc_result
quorumd_svc_quorum(void *arg, struct svc_request *req)
{
	char bytes[LINE_BYTES];
	struct quorumd *d = arg;
	struct text out;

	quorumd_look(d);
	text_init(&out, bytes, sizeof bytes);
	svc_put_tag(&out, req->tag);
	text_put(&out, "ok ");
	quorumd_svc_put_quorum(d, &out);
	text_put_char(&out, '\n');
	svc_put(req->client, out.bytes, out.len);
	return SVC_DONE;
}

/* ---- why, nodes -------------------------------------------------------- */

static void
put_rule(
    struct text *out, const char *name, const char *verdict, const char *text)
{
	put(out, "rule", name);
	put(out, "verdict", verdict);
	put_value(out, "text", text);
}

enum svc_result
quorumd_svc_why(void *arg, struct svc_request *req)
{
	char bytes[LINE_BYTES], why[WHY_BYTES];
	struct quorumd *d = arg;
	struct quorum_verdict verdict;
	struct quorum_rule rule;
	uint64_t items = 0;
	struct text out;

	quorumd_look(d);
	get_verdict(d, &verdict);
	if (!is_known(d, &verdict)) {
		say_unknown(d, why);
		begin_item(req, &out, bytes);
		put_rule(&out, "lease", "unknown", why);
		end_item(req, &out, &items);
	}
	for (size_t i = 0; d->core != NULL && quorum_rule_at(d->core, i, &rule);
	     i++) {
		begin_item(req, &out, bytes);
		put_rule(&out, rule.name, rule.verdict, rule.text);
		end_item(req, &out, &items);
	}
	return end_items(req, items);
}

static void
put_node(
    const struct quorumd *d, const struct quorum_node *node, struct text *out)
{
	put_number(out, "node", node->id);
	put(out, "name", node->name);
	put_number(out, "votes", node->votes);
	put(out, "state", "");
	if (node->is_member) {
		text_put(out, "member");
	} else {
		const size_t before = out->len;

		quorum_roster_put_value(d->roster, node->id, "state", out);
		/* memberd may be a view behind. */
		if (out->len == before ||
		    strcmp(out->bytes + before, "member") == 0) {
			out->len = before;
			text_put(out, "absent");
		}
	}
	put(out, "spoken", yes_no(node->has_spoken));
	put(out, "awaited", yes_no(node->is_awaited));
	put(out, "voter", yes_no(node->is_voter));
}

enum svc_result
quorumd_svc_nodes(void *arg, struct svc_request *req)
{
	char bytes[LINE_BYTES];
	struct quorumd *d = arg;
	struct quorum_node node;
	uint64_t items = 0;
	struct text out;

	quorumd_look(d);
	for (size_t i = 0; d->core != NULL && quorum_node_at(d->core, i, &node);
	     i++) {
		begin_item(req, &out, bytes);
		put_node(d, &node, &out);
		end_item(req, &out, &items);
	}
	return end_items(req, items);
}

/* ---- status, stats ----------------------------------------------------- */

static void
put_ring(const struct quorumd *d, struct text *out)
{
	put(out, "kind", "ring");
	put(out, "open", yes_no(d->ring.is_open));
	put(out, "fresh", yes_no(quorumd_is_fresh(d)));
	put(out, "synced", yes_no(d->ring.is_synced));
	put_number(out, "inc", d->ring.inc);
	put(out, "view", "");
	put_view(out, d->ring.view);
	put_ids(out, "group", d->ring.group.id, d->ring.group.count);
}

static void
put_members(const struct quorumd *d, struct text *out)
{
	put(out, "kind", "members");
	put(out, "open", yes_no(feed_is_open(d->member_feed)));
	put(out, "ready", yes_no(quorum_stream_is_ready(d->stream)));
	put_value(out, "epoch", d->member_epoch);
	put_number(out, "seq", d->member_seq);
	put(out, "cursor", "");
	watch_put_cursor(d->watch, out);
}

static void
put_process(const struct quorumd *d, struct text *out)
{
	put(out, "kind", "process");
	put_number(out, "memory_bytes", d->memory_bytes);
	put_number(out, "up_ms", (d->now_ns - d->start_ns) / CLOCK_MS_NS);
	put_number(out, "tracked", d->state.tracked);
	put_number(out, "kept_bytes", d->state.kept_len);
}

enum svc_result
quorumd_svc_status(void *arg, struct svc_request *req)
{
	static void (*const parts[])(const struct quorumd *d,
	    struct text *out) = { put_ring, put_members, put_process };
	char bytes[LINE_BYTES];
	struct quorumd *d = arg;
	uint64_t items = 0;
	struct text out;

	quorumd_look(d);
	begin_item(req, &out, bytes);
	put(&out, "kind", "quorum");
	quorumd_svc_put_quorum(d, &out);
	end_item(req, &out, &items);
	for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
		begin_item(req, &out, bytes);
		parts[i](d, &out);
		end_item(req, &out, &items);
	}
	return end_items(req, items);
}

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
	char bytes[LINE_BYTES];
	uint64_t items = 0;
	struct text out;

	for (size_t i = 0; i < count; i++) {
		begin_item(req, &out, bytes);
		put(&out, "name", stat[i].name);
		put_number(&out, "value", stat[i].value);
		end_item(req, &out, &items);
	}
	return end_items(req, items);
}
