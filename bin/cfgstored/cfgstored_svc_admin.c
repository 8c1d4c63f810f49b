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
#include "bin/cfgstored/cfgstored_limit.h"

enum { VOTES_MAX = 65535 }; /* as in the file */

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
	struct cfgstored *d = arg;
	struct replica_input in = { .kind = REPLICA_IN_ADMIN,
		.admin = { .what = REPLICA_ADMIN_INIT } };

	if (!is_yes(req, "yes"))
		return cfgstored_svc_misused(req,
		    "expected yes=yes: what the nodes that are not here have "
		    "may be lost by it");
	/* Else it would be done whenever there is a quorum again. */
	if (!d->is_permitted) {
		svc_err(req->client, req->tag, "notquorate",
		    "nothing changed: quorumd forbids it, there is no quorum "
		    "here");
		return SVC_DONE;
	}
	return ask(d, req, &in, CFGSTORED_WANT_DONE);
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
	cfgstored_reload_put(d, &status.electorates.now, &out);
	text_put_char(&out, '\n');
	svc_put(req->client, out.bytes, out.len);
	return SVC_DONE;
}

/* Also of one that is in no file any more; false: it is no node. */
static bool
find_node(struct cfgstored *d, const struct word_pair *word, uint32_t *id)
{
	int idx = cluster_find(d->serve->conf, word->value);

	if (idx < 0)
		return parse_node_id(word->value, word->len, id) == 0;
	*id = d->serve->conf->nodes[idx].id;
	return true;
}

/* What is wrong with it; NULL: nothing. */
static const char *
get_change(
    struct cfgstored *d, struct svc_request *req, struct replica_input *in)
{
	const struct word_pair *gone = word_get(req->word, "remove");
	const struct word_pair *node = word_get(req->word, "node");
	const struct word_pair *votes = word_get(req->word, "votes");
	uint64_t count = 0;

	if ((gone != NULL) + (node != NULL) + is_yes(req, "shrink") != 1 ||
	    (node == NULL) != (votes == NULL))
		return "expected remove=, shrink=yes, or node= and votes=";
	in->admin.what = REPLICA_ADMIN_SHRINK;
	if (gone != NULL)
		in->admin.what = REPLICA_ADMIN_FORGET;
	if (node != NULL)
		in->admin.what = REPLICA_ADMIN_VOTES;
	if (gone == NULL)
		gone = node;
	if (gone != NULL && !find_node(d, gone, &in->admin.node))
		return "no [node] section has this name; an id may be given";
	if (votes != NULL &&
	    parse_u64(votes->value, votes->len, 1, VOTES_MAX, &count) != 0)
		return "votes: expected 1 to 65535";
	in->admin.votes = (uint32_t)count;
	return NULL;
}

enum svc_result
cfgstored_svc_electorate(void *arg, struct svc_request *req)
{
	struct replica_input in = { .kind = REPLICA_IN_ADMIN };
	struct cfgstored *d = arg;
	const char *mistake;

	if (req->word->pair_count == 0)
		return tell_electorate(d, req);
	if (!may_administer(req))
		return SVC_DONE;
	mistake = get_change(d, req, &in);
	if (mistake != NULL)
		return cfgstored_svc_misused(req, mistake);
	return ask(d, req, &in, CFGSTORED_WANT_DONE);
}

/* ---- limits ------------------------------------------------------------ */

static enum svc_result
tell_limits(struct cfgstored *d, struct svc_request *req)
{
	struct kv_limits now;

	cfgstored_limit_now(cfgstored_kv(d), &d->cfg.kv.room, &now);
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

static enum svc_result
tell_beyond(struct cfgstored *d, struct svc_request *req, enum kv_limit limit,
    const struct kv_limits *wanted)
{
	const struct kv_limits *room = &d->cfg.kv.room;
	char bytes[CFGSTORED_LIMIT_BYTES];
	struct text why;

	text_init(&why, bytes, sizeof bytes);
	cfgstored_limit_put(
	    limit, cfgstored_limit_of(wanted, limit), room, room, &why);
	return cfgstored_svc_misused(req, why.bytes);
}

enum svc_result
cfgstored_svc_limits(void *arg, struct svc_request *req)
{
	struct replica_input in = { .kind = REPLICA_IN_PROPOSE };
	struct kv_part part = { .kind = KV_LIMITS };
	struct cfgstored *d = arg;
	enum kv_limit beyond;
	struct wrbuf cmd;

	if (req->word->pair_count == 0)
		return tell_limits(d, req);
	if (!may_administer(req))
		return SVC_DONE;
	cfgstored_limit_now(cfgstored_kv(d), &d->cfg.kv.room, &part.limits);
	if (!take_limit(req, "keys", &part.limits.keys) ||
	    !take_limit(req, "bytes", &part.limits.bytes) ||
	    !take_limit(req, "value", &part.limits.value_bytes) ||
	    !take_limit(req, "leases", &part.limits.leases) ||
	    part.limits.value_bytes > KV_VALUE_BYTES_MAX)
		return cfgstored_svc_misused(
		    req, "expected keys=, bytes=, value= or leases=");
	/* More than there is memory for would leave this node behind. */
	beyond = cfgstored_limit_beyond(&part.limits, &d->cfg.kv.room);
	if (beyond != KV_LIMIT_NONE)
		return tell_beyond(d, req, beyond, &part.limits);
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
