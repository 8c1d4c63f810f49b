/* SPDX-License-Identifier: BSD-3-Clause */
/* The verbs of cfg.sock that an administrator has. */
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/log.h"
#include "libcommon/os/serve.h"

#include "bin/cfgstored/cfgstored.h"
#include "bin/cfgstored/cfgstored_item.h"

#define TIMEOUT_NS (30 * CLOCK_S_NS)

static void
log_request(const struct svc_request *req)
{
	const struct unixsock_peer *peer = svc_client_peer(req->client);

	log_line(LOG_LEVEL_NOTICE, "request", "verb=%s pid=%d uid=%u",
	    req->word->verb[0], (int)peer->pid, (unsigned)peer->uid);
}

static bool
may_administer(struct svc_request *req)
{
	if (svc_client_may(req->client, SVC_RIGHT_ADMIN))
		return true;
	cfgstored_svc_denied(req, "change");
	return false;
}

static bool
is_yes(struct svc_request *req, const char *key)
{
	const struct word_pair *pair = word_get(req->word, key);

	return pair != NULL && strcmp(pair->value, "yes") == 0;
}

static enum svc_result
ask(struct cfgstored *d, struct svc_request *req, struct replica_input *in,
    enum cfgstored_want want)
{
	struct cfgstored_request *request;

	request = cfgstored_request_take(d, req, want);
	if (request == NULL)
		return SVC_DONE;
	log_request(req);
	in->cookie = request->cookie;
	in->deadline_ns = d->now_ns + TIMEOUT_NS;
	cfgstored_step(d, in);
	return SVC_DONE;
}

/* ---- init -------------------------------------------------------------- */

enum svc_result
cfgstored_svc_init(void *arg, struct svc_request *req)
{
	struct replica_input in = { .kind = REPLICA_IN_ADMIN,
		.admin = { .what = REPLICA_ADMIN_INIT } };

	if (!is_yes(req, "yes"))
		return cfgstored_svc_misused(req,
		    "expected yes=yes: what the nodes that are not here have "
		    "may be lost by it");
	return ask(arg, req, &in, CFGSTORED_WANT_DONE);
}

/* ---- electorate -------------------------------------------------------- */

static enum svc_result
tell_electorate(struct cfgstored *d, struct svc_request *req)
{
	char bytes[CFGSTORED_LINE_BYTES];
	struct replica_status status;
	struct text out;

	replica_status(d->replica, &status);
	text_init(&out, bytes, sizeof bytes);
	svc_put_tag(&out, req->tag);
	text_put(&out, "ok");
	cfgstored_put_voters(&out, "electorate", &status.electorates.now);
	if (status.electorates.next.count > 0)
		cfgstored_put_voters(&out, "next", &status.electorates.next);
	text_put_char(&out, '\n');
	svc_put(req->client, out.bytes, out.len);
	return SVC_DONE;
}

enum svc_result
cfgstored_svc_electorate(void *arg, struct svc_request *req)
{
	struct replica_input in = { .kind = REPLICA_IN_ADMIN };
	const struct word_pair *node = word_get(req->word, "remove");
	struct cfgstored *d = arg;
	uint32_t id = 0;
	int idx;

	in.admin.what = REPLICA_ADMIN_SHRINK;
	if (node == NULL && !is_yes(req, "shrink"))
		return tell_electorate(d, req);
	if (!may_administer(req))
		return SVC_DONE;
	if (node != NULL) {
		/* One that is in no file any more has its number. */
		idx = cluster_find(d->serve->conf, node->value);
		if (idx >= 0)
			id = d->serve->conf->nodes[idx].id;
		else if (parse_node_id(node->value, node->len, &id) != 0)
			return cfgstored_svc_misused(
			    req, "remove: expected a node");
		in.admin.what = REPLICA_ADMIN_FORGET;
		in.admin.node = id;
	}
	return ask(d, req, &in, CFGSTORED_WANT_DONE);
}

/* ---- limits ------------------------------------------------------------ */

static enum svc_result
tell_limits(struct cfgstored *d, struct svc_request *req)
{
	const struct kv *kv = cfgstored_kv(d);
	struct kv_limits now = d->cfg.kv.room;

	if (kv != NULL)
		kv_limits_now(kv, &now);
	svc_ok(req->client, req->tag,
	    "keys=%llu bytes=%llu value=%llu leases=%llu",
	    (unsigned long long)now.keys, (unsigned long long)now.bytes,
	    (unsigned long long)now.value_bytes,
	    (unsigned long long)now.leases);
	return SVC_DONE;
}

/* What is not named stays; false: no number. */
static bool
take_limit(struct svc_request *req, const char *key, uint64_t *out)
{
	const struct word_pair *pair = word_get(req->word, key);

	return pair == NULL ||
	    (parse_size(pair->value, pair->len, out) == 0 && *out > 0);
}

enum svc_result
cfgstored_svc_limits(void *arg, struct svc_request *req)
{
	struct replica_input in = { .kind = REPLICA_IN_PROPOSE };
	struct kv_part part = { .kind = KV_LIMITS };
	struct cfgstored *d = arg;
	const struct kv *kv = cfgstored_kv(d);
	struct wrbuf cmd;

	if (req->word->pair_count == 0)
		return tell_limits(d, req);
	if (!may_administer(req))
		return SVC_DONE;
	part.limits = d->cfg.kv.room;
	if (kv != NULL)
		kv_limits_now(kv, &part.limits);
	if (!take_limit(req, "keys", &part.limits.keys) ||
	    !take_limit(req, "bytes", &part.limits.bytes) ||
	    !take_limit(req, "value", &part.limits.value_bytes) ||
	    !take_limit(req, "leases", &part.limits.leases) ||
	    part.limits.value_bytes > KV_VALUE_BYTES_MAX)
		return cfgstored_svc_misused(
		    req, "expected keys=, bytes=, value= or leases=");
	/* More than there is memory for would leave this node behind. */
	if (part.limits.keys > d->cfg.kv.room.keys ||
	    part.limits.bytes > d->cfg.kv.room.bytes ||
	    part.limits.value_bytes > d->cfg.kv.room.value_bytes ||
	    part.limits.leases > d->cfg.kv.room.leases)
		return cfgstored_svc_misused(
		    req, "beyond what [store] of the configuration allows");
	wrbuf_init(&cmd, d->command, KV_COMMAND_BYTES_MAX);
	kv_command_begin(&cmd, 0, 1);
	kv_command_add(&cmd, &part);
	in.propose.bytes = cmd.bytes;
	in.propose.len = cmd.len;
	return ask(d, req, &in, CFGSTORED_WANT_REV);
}

/* ---- compact ----------------------------------------------------------- */

/* Here only: history is each node's own. */
enum svc_result
cfgstored_svc_compact(void *arg, struct svc_request *req)
{
	const struct word_pair *rev = word_get(req->word, "rev");
	struct cfgstored *d = arg;
	uint64_t number;

	if (rev == NULL ||
	    parse_u64(rev->value, rev->len, 0, UINT64_MAX, &number) != 0)
		return cfgstored_svc_misused(req, "rev: expected a revision");
	if (cfgstored_kv(d) == NULL) {
		svc_err(req->client, req->tag, "away",
		    "the state is not complete here");
		return SVC_DONE;
	}
	log_request(req);
	replica_compact(d->replica, number);
	svc_ok(req->client, req->tag, "compacted=%llu",
	    (unsigned long long)kv_compacted(cfgstored_kv(d)));
	return SVC_DONE;
}
