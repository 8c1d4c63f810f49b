/* SPDX-License-Identifier: BSD-3-Clause */
/* The verbs of quorum.sock that tell a verdict, and why it is so.
 */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/serve.h"
#include "libcommon/os/svc.h"

#include "bin/quorumd/quorum_roster.h"
#include "bin/quorumd/quorum_stream.h"
#include "bin/quorumd/quorumd.h"
#include "bin/quorumd/quorumd_item.h"

enum { WHY_BYTES = 256 };

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

	quorumd_put(out, "quorate",
	    is_so ? quorumd_yes_no(verdict->is_quorate) : "unknown");
	quorumd_put_number(out, "votes", verdict->votes);
	quorumd_put_number(out, "needed", verdict->needed);
	quorumd_put_number(out, "expected", verdict->expected);
	quorumd_put(out, "basis",
	    quorum_basis_name(is_so ? verdict->basis : QUORUM_BASIS_NONE));
	quorumd_put(out, "view", "");
	quorumd_put_view(out, verdict->view);
	quorumd_put(out, "pos", "");
	quorumd_put_view(out, verdict->pos.view);
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
	char now[WHY_BYTES], bytes[QUORUMD_LINE_BYTES];
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
	quorumd_put_ids(out, "waiting_for", id, count);
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
		quorumd_put_value(out, "why", bytes);
	} else if (quorum_rule_at(d->core, 0, &rule)) {
		quorumd_put_value(out, "why", rule.text);
	}
}

static void
put_age(struct quorumd *d, struct text *out)
{
	const uint64_t age_ns =
	    quorum_lease_age_ns(&d->lease, quorumd_clock_ns(d));

	quorumd_put(out, "age_ms", "");
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
	quorumd_put_ids(
	    out, "members", d->ring.members.id, d->ring.members.count);
	quorumd_put_number(out, "self", d->cfg.self);
	quorumd_put(out, "name", conf->nodes[conf->self].name);
	quorumd_put(out, "coordinator", "");
	if (coordinator != 0)
		text_put_u64(out, coordinator);
	quorumd_put(out, "settled", quorumd_yes_no(is_settled(d, &verdict)));
	put_age(d, out);
	put_waiting(d, out);
	put_why(d, &verdict, out);
}

enum svc_result
quorumd_svc_quorum(void *arg, struct svc_request *req)
{
	char bytes[QUORUMD_LINE_BYTES];
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
	quorumd_put(out, "rule", name);
	quorumd_put(out, "verdict", verdict);
	quorumd_put_value(out, "text", text);
}

enum svc_result
quorumd_svc_why(void *arg, struct svc_request *req)
{
	char bytes[QUORUMD_LINE_BYTES], why[WHY_BYTES];
	struct quorumd *d = arg;
	struct quorum_verdict verdict;
	struct quorum_rule rule;
	uint64_t items = 0;
	struct text out;

	quorumd_look(d);
	get_verdict(d, &verdict);
	if (!is_known(d, &verdict)) {
		say_unknown(d, why);
		quorumd_begin_item(req, &out, bytes);
		put_rule(&out, "lease", "unknown", why);
		quorumd_end_item(req, &out, &items);
	}
	for (size_t i = 0; d->core != NULL && quorum_rule_at(d->core, i, &rule);
	     i++) {
		quorumd_begin_item(req, &out, bytes);
		put_rule(&out, rule.name, rule.verdict, rule.text);
		quorumd_end_item(req, &out, &items);
	}
	return quorumd_end_items(req, items);
}

static void
put_node(
    const struct quorumd *d, const struct quorum_node *node, struct text *out)
{
	quorumd_put_number(out, "node", node->id);
	quorumd_put(out, "name", node->name);
	quorumd_put_number(out, "votes", node->votes);
	quorumd_put(out, "state", "");
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
	quorumd_put(out, "spoken", quorumd_yes_no(node->has_spoken));
	quorumd_put(out, "awaited", quorumd_yes_no(node->is_awaited));
	quorumd_put(out, "voter", quorumd_yes_no(node->is_voter));
}

enum svc_result
quorumd_svc_nodes(void *arg, struct svc_request *req)
{
	char bytes[QUORUMD_LINE_BYTES];
	struct quorumd *d = arg;
	struct quorum_node node;
	uint64_t items = 0;
	struct text out;

	quorumd_look(d);
	for (size_t i = 0; d->core != NULL && quorum_node_at(d->core, i, &node);
	     i++) {
		quorumd_begin_item(req, &out, bytes);
		put_node(d, &node, &out);
		quorumd_end_item(req, &out, &items);
	}
	return quorumd_end_items(req, items);
}
