/* SPDX-License-Identifier: BSD-3-Clause */
/* The verbs of cfg.sock that tell how the store is. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/feed.h"
#include "libcommon/os/log.h"
#include "libcommon/os/serve.h"

#include "bin/cfgstored/cfgstored.h"
#include "bin/cfgstored/cfgstored_item.h"

enum { STATS = 40 };

/* ---- words ------------------------------------------------------------- */

static const char *
get_state(const struct cfgstored *d)
{
	switch (d->state) {
	case REPLICA_AWAY:
		return "away";
	case REPLICA_JOINING:
		return "joining";
	case REPLICA_CLOSED_VIEW:
		return "closed";
	case REPLICA_FILLING:
		return "filling";
	case REPLICA_OPEN:
		return "open";
	case REPLICA_BROKEN_DISK:
		return "broken";
	case REPLICA_STATES:
		break;
	}
	return "unknown";
}

static uint64_t
count_votes(const struct kv_electorate *e, const struct kv_nodes *nodes)
{
	uint64_t votes = 0;

	for (size_t i = 0; i < e->count; i++)
		for (size_t k = 0; nodes == NULL ? k < 1 : k < nodes->count;
		     k++)
			if (nodes == NULL || nodes->id[k] == e->voter[i].id)
				votes += e->voter[i].votes;
	return votes;
}

/* "1 of 3 votes of the store are here, 2 needed": of the electorate that lacks
 * some, the present one or the one to come.
 */
static void
put_votes(const struct replica_status *status, struct text *out)
{
	const struct kv_electorates *both = &status->electorates;
	const char *whose = " votes of the store are here, ";
	uint64_t here = count_votes(&both->now, &status->members);
	uint64_t all = count_votes(&both->now, NULL);

	if (here > all / 2 && both->next.count > 0) {
		whose = " votes of the electorate to come are here, ";
		here = count_votes(&both->next, &status->members);
		all = count_votes(&both->next, NULL);
	}
	if (here > all / 2) {
		text_put(out, "too few voters of the store have all of it");
		return;
	}
	text_put_u64(out, here);
	text_put(out, " of ");
	text_put_u64(out, all);
	text_put(out, whose);
	text_put_u64(out, all / 2 + 1);
	text_put(out, " needed");
}

void
cfgstored_put_why(const struct cfgstored *d, struct text *out)
{
	static const struct {
		const char *why, *words;
	} known[] = {
		{ "quorum", "quorumd forbids it, there is no quorum here" },
		{ "founding", "a new store waits for all nodes to be ready" },
		{ "strangers", "no node here has a vote in the store" },
		{ "blank", "a new store waits for all nodes, or for init" },
		{ "stores", "the nodes here have stores of different names" },
		{ "epoch", "the numbers of ringd went backwards" },
	};
	struct replica_status status;

	replica_status(d->replica, &status);
	if (d->state == REPLICA_AWAY) {
		text_put(out, "ringd is away, or refuses cfgstored");
		return;
	}
	if (strcmp(status.why, "electorate") == 0) {
		put_votes(&status, out);
		return;
	}
	for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
		if (strcmp(status.why, known[i].why) == 0) {
			text_put(out, known[i].words);
			return;
		}
	}
	text_put(out, "the nodes here are not ready yet");
}

static void
put_epoch(struct text *out, const struct kv_epoch *epoch)
{
	cfgstored_put_number(out, "epoch", epoch->view_rep);
	text_put_char(out, '.');
	text_put_u64(out, epoch->view_seq);
	text_put_char(out, ':');
	text_put_u64(out, epoch->pos_seq);
	text_put_char(out, '.');
	text_put_u64(out, epoch->pos_idx);
}

static void
put_rule(const struct cfgstored *d, const struct replica_status *status,
    struct text *out)
{
	static const char *const ties[] = {
		[CLUSTER_STORE_TIE_NONE] = "none",
		[CLUSTER_STORE_TIE_NODE] = "node",
		[CLUSTER_STORE_TIE_FENCE] = "fence",
	};
	const struct cluster_store *store = &d->serve->conf->store;
	const struct kv_electorate *e = &status->electorates.now;

	cfgstored_put_number(out, "view", d->ring.view.rep);
	text_put_char(out, '.');
	text_put_u64(out, d->ring.view.seq);
	cfgstored_put_nodes(out, "members", &status->members);
	cfgstored_put_voters(out, "electorate", e);
	if (status->electorates.next.count > 0)
		cfgstored_put_voters(out, "next", &status->electorates.next);
	cfgstored_put_number(out, "votes", count_votes(e, &status->members));
	cfgstored_put_number(out, "needed", count_votes(e, NULL) / 2 + 1);
	cfgstored_put(out, "tie", ties[store->tie]);
	cfgstored_put(
	    out, "durability", store->is_in_memory ? "memory" : "disk");
	cfgstored_put(out, "permitted", cfgstored_yes_no(d->is_permitted));
	cfgstored_reload_put(d, e, out);
}

/* How much of what may be, each beside its limit. */
static void
put_use(const struct cfgstored *d, const struct replica_status *status,
    struct text *out)
{
	const struct kv_config *cfg = &d->cfg.kv;
	const struct kv *kv = cfgstored_kv(d);
	struct kv_limits limits = cfg->room;

	if (kv != NULL)
		kv_limits_now(kv, &limits);
	cfgstored_put_number(out, "keys", kv != NULL ? kv_key_count(kv) : 0);
	cfgstored_put_number(out, "keys_max", limits.keys);
	cfgstored_put_number(out, "bytes", kv != NULL ? kv_bytes_used(kv) : 0);
	cfgstored_put_number(out, "bytes_max", limits.bytes);
	cfgstored_put_number(
	    out, "leases", kv != NULL ? kv_lease_count(kv) : 0);
	cfgstored_put_number(out, "leases_max", limits.leases);
	cfgstored_put_number(
	    out, "past", kv != NULL ? kv_past_versions(kv) : 0);
	cfgstored_put_number(out, "past_max", cfg->history_versions);
	cfgstored_put_number(
	    out, "past_bytes", kv != NULL ? kv_past_bytes(kv) : 0);
	cfgstored_put_number(out, "past_bytes_max", cfg->history_bytes);
	cfgstored_put_number(out, "tail_bytes", status->tail_bytes);
	cfgstored_put_number(out, "tail_bytes_max", d->cfg.tail_bytes);
	cfgstored_put_number(out, "pending", status->pending);
	cfgstored_put_number(out, "pending_max", REPLICA_PENDING_MAX);
}

static void
put_state(const struct cfgstored *d, struct text *out)
{
	const struct kv *kv = cfgstored_kv(d);
	const uint64_t age_ns = replica_staleness_ns(d->replica, d->now_ns);
	struct replica_status status;

	replica_status(d->replica, &status);
	cfgstored_put(out, "state", get_state(d));
	cfgstored_put_value(out, "why", status.why, strlen(status.why));
	if (!cfgstored_is_open(d)) {
		char bytes[100];
		struct text words;

		text_init(&words, bytes, sizeof bytes);
		cfgstored_put_why(d, &words);
		cfgstored_put_value(out, "text", bytes, words.len);
	}
	put_epoch(out, &status.epoch);
	cfgstored_put_number(out, "index", status.tip.index);
	cfgstored_put_number(out, "acked", status.acked);
	cfgstored_put_number(out, "rev", kv != NULL ? kv_rev(kv) : 0);
	cfgstored_put_number(
	    out, "compacted", kv != NULL ? kv_compacted(kv) : 0);
	put_use(d, &status, out);
	put_rule(d, &status, out);
	if (status.filled_bytes > 0)
		cfgstored_put_number(out, "filled_bytes", status.filled_bytes);
	cfgstored_put(out, "disk_full", cfgstored_yes_no(status.is_disk_full));
	cfgstored_put(out, "lacking", cfgstored_yes_no(status.is_lacking));
	if (age_ns == UINT64_MAX)
		cfgstored_put(out, "age_ms", "unknown");
	else
		cfgstored_put_number(out, "age_ms", age_ns / CLOCK_MS_NS);
	cfgstored_put_number(
	    out, "up_ms", (d->now_ns - d->start_ns) / CLOCK_MS_NS);
	cfgstored_put_number(out, "memory_bytes", d->memory_bytes);
	text_put(out,
	    reread_is_current(&d->reread) ? " config=current"
					  : " config=stale");
	if (!reread_is_current(&d->reread))
		cfgstored_put_value(
		    out, "config_why", d->reread.why, strlen(d->reread.why));
}

enum svc_result
cfgstored_svc_status(void *arg, struct svc_request *req)
{
	char bytes[CFGSTORED_LINE_BYTES];
	struct text out;

	text_init(&out, bytes, sizeof bytes);
	svc_put_tag(&out, req->tag);
	text_put(&out, "ok");
	put_state(arg, &out);
	text_put_char(&out, '\n');
	svc_put(req->client, out.bytes, out.len);
	return SVC_DONE;
}

void
cfgstored_svc_dump(struct cfgstored *d)
{
	char bytes[CFGSTORED_LINE_BYTES];
	struct text out;

	text_init(&out, bytes, sizeof bytes);
	put_state(d, &out);
	log_always("status", "%s", bytes + 1);
}

/* ---- nodes ------------------------------------------------------------- */

static bool
has_node(const struct kv_nodes *nodes, uint32_t id)
{
	for (size_t i = 0; i < nodes->count; i++)
		if (nodes->id[i] == id)
			return true;
	return false;
}

static uint32_t
get_votes(const struct kv_electorate *e, uint32_t id)
{
	for (size_t i = 0; i < e->count; i++)
		if (e->voter[i].id == id)
			return e->voter[i].votes;
	return 0;
}

enum svc_result
cfgstored_svc_nodes(void *arg, struct svc_request *req)
{
	struct cfgstored *d = arg;
	const struct cluster_conf *conf = d->serve->conf;
	struct replica_status status;

	replica_status(d->replica, &status);
	for (uint32_t i = 0; i < conf->node_count; i++) {
		const struct cluster_node *node = &conf->nodes[i];
		char bytes[CFGSTORED_LINE_BYTES];
		struct text out;

		text_init(&out, bytes, sizeof bytes);
		svc_put_tag(&out, req->tag);
		text_put(&out, "item");
		cfgstored_put_number(&out, "node", node->id);
		cfgstored_put(&out, "name", node->name);
		cfgstored_put_number(&out, "votes",
		    get_votes(&status.electorates.now, node->id));
		cfgstored_put(&out, "member",
		    cfgstored_yes_no(has_node(&status.members, node->id)));
		cfgstored_put(&out, "complete",
		    cfgstored_yes_no(has_node(&status.complete, node->id)));
		cfgstored_put(
		    &out, "self", cfgstored_yes_no(node->id == d->cfg.self));
		text_put_char(&out, '\n');
		svc_put(req->client, out.bytes, out.len);
	}
	svc_ok(req->client, req->tag, "n=%u", conf->node_count);
	return SVC_DONE;
}

/* ---- stats ------------------------------------------------------------- */

struct stat {
	const char *name;
	uint64_t value;
};

static size_t
fill_stats(const struct cfgstored *d, struct stat *stat)
{
	const struct cfgstored_stats *own = &d->stats;
	struct feed_stats ring;
	struct svc_stats svc;

	feed_stats(d->ring_feed, &ring);
	svc_stats(d->svc, &svc);
	const struct stat all[] = { { "ring_opened", ring.opened },
		{ "ring_lost", ring.lost }, { "ring_lines", ring.lines },
		{ "published", own->published },
		{ "published_bytes", own->published_bytes },
		{ "appended", own->appended },
		{ "appended_bytes", own->appended_bytes },
		{ "flushes", own->flushes },
		{ "backlogged", d->backlog.waited }, { "writes", own->writes },
		{ "reads", own->reads }, { "syncs", own->syncs },
		{ "refused", own->refused }, { "unknown", own->unknown },
		{ "snapshots", own->snapshots }, { "reloads", own->reloads },
		{ "watchers", cfgstored_watch_count(d) },
		{ "clients", svc.clients }, { "requests", svc.requests },
		{ "requests_failed", svc.failed },
		{ "closed_slow", svc.closed_slow },
		{ "queued_bytes", svc.queued_bytes } };

	static_assert(ARRAY_COUNT(all) <= STATS, "they fit");
	memcpy(stat, all, sizeof all);
	return ARRAY_COUNT(all);
}

enum svc_result
cfgstored_svc_stats(void *arg, struct svc_request *req)
{
	struct stat stat[STATS];
	const size_t count = fill_stats(arg, stat);

	for (size_t i = 0; i < count; i++) {
		char bytes[CFGSTORED_LINE_BYTES];
		struct text out;

		text_init(&out, bytes, sizeof bytes);
		svc_put_tag(&out, req->tag);
		text_put(&out, "item");
		cfgstored_put(&out, "name", stat[i].name);
		cfgstored_put_number(&out, "value", stat[i].value);
		text_put_char(&out, '\n');
		svc_put(req->client, out.bytes, out.len);
	}
	svc_ok(req->client, req->tag, "n=%zu", count);
	return SVC_DONE;
}
