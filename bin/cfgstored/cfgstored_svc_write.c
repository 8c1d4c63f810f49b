/* SPDX-License-Identifier: BSD-3-Clause */
/* The verbs of cfg.sock that change something: each becomes one command. */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/os/acl.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/serve.h"

#include "bin/cfgstored/cfgstored.h"
#include "bin/cfgstored/cfgstored_limit.h"
#include "bin/cfgstored/kv_txn.h"

/* A write in the making; cmd is written when its parts are known. */
struct write {
	struct cfgstored *d;
	struct svc_request *req;
	struct wrbuf cmd;
	enum replica_durability durability;
	uint64_t deadline_ns;
	const char *mistake; /* of the request; NULL: none yet */
	struct kv_part condition, change, grant;
	bool has_condition, has_grant;
	uint64_t lease; /* that it may attach keys to, as was found; 0 */
	/* All that was acknowledged was asked for, and so it came. */
	bool has_asked;
	enum replica_code sync_code;
	bool is_lease_unknown;
	struct cfgstored_once once;
};

/* ---- words ------------------------------------------------------------- */

static void
misuse(struct write *w, const char *what)
{
	if (w->mistake == NULL)
		w->mistake = what;
}

static bool
is_yes(struct write *w, const char *name)
{
	const struct word_pair *pair = word_get(w->req->word, name);

	if (pair != NULL && strcmp(pair->value, "yes") != 0)
		misuse(w, "if_absent, if_exists: expected yes");
	return pair != NULL;
}

/* false: absent. */
static bool
get_number(
    struct write *w, const char *name, uint64_t *out, const char *mistake)
{
	const struct word_pair *pair = word_get(w->req->word, name);

	if (pair != NULL &&
	    parse_u64(pair->value, pair->len, 0, UINT64_MAX - 1, out) != 0)
		misuse(w, mistake);
	return pair != NULL;
}

static void
get_once(struct write *w)
{
	struct cfgstored_once *once = &w->once;
	const bool has_client =
	    get_number(w, "client", &once->client, "client: expected a lease");

	once->uid = svc_client_peer(w->req->client)->uid;
	if (has_client !=
		get_number(w, "seq", &once->number, "seq: expected a number") ||
	    (has_client && (once->client == 0 || once->number == 0)))
		misuse(w, "client and seq: expected both, from 1");
}

static void
begin(struct write *w, struct cfgstored *d, struct svc_request *req)
{
	const struct word_pair *kind = word_get(req->word, "durability");

	*w = (struct write){ .d = d, .req = req };
	w->has_asked = cfgstored_request_has_asked(req, &w->sync_code);
	wrbuf_init(&w->cmd, d->command, KV_COMMAND_BYTES_MAX);
	w->durability = d->serve->conf->store.is_in_memory ? REPLICA_IN_MEMORY
							   : REPLICA_ON_DISK;
	if (kind != NULL && strcmp(kind->value, "memory") == 0)
		w->durability = REPLICA_IN_MEMORY;
	else if (kind != NULL && strcmp(kind->value, "disk") == 0)
		w->durability = REPLICA_ON_DISK;
	else if (kind != NULL)
		misuse(w, "durability: expected disk or memory");
	if (!cfgstored_svc_get_deadline(d, req, &w->deadline_ns))
		misuse(w, "timeout: expected a duration");
	get_once(w);
}

static void
get_key(struct write *w, const char *name, struct kv_part *part)
{
	const struct word_pair *pair = word_get(w->req->word, name);

	if (pair == NULL || pair->len == 0 || pair->len > KV_KEY_BYTES_MAX) {
		misuse(w, "key: expected 1 to 512 bytes");
		return;
	}
	part->key = (const uint8_t *)pair->value;
	part->key_len = pair->len;
}

/* ---- rights ------------------------------------------------------------ */

/*
 * Who may change all keys that die with it.  As long as there are none: who
 * was granted it, or others could be the first, and keep him from his own.
 */
static bool
may_use_lease(struct write *w, uint64_t id)
{
	const struct cluster_conf *conf = w->d->serve->conf;
	const struct unixsock_peer *peer = svc_client_peer(w->req->client);
	const struct kv *kv = cfgstored_kv(w->d);
	const struct kv_lease *lease =
	    kv != NULL ? kv_lease_find(kv, id) : NULL;
	const struct kv_version *v;

	/* All there is: no need to look at each. */
	if (acl_may_use_prefix(conf, peer, CLUSTER_RIGHT_CFG_WRITE, "", 0))
		return true;
	if (lease == NULL) {
		w->is_lease_unknown = true;
		return false;
	}
	v = kv_lease_key(kv, id);
	if (v == NULL && lease->uid != peer->uid)
		return false;
	for (; v != NULL; v = kv_lease_key_after(kv, v)) {
		uint8_t key[KV_KEY_BYTES_MAX];
		struct kv_about about;

		kv_about(v, &about);
		kv_key(kv, v, key);
		if (!acl_may_use_key(conf, peer, CLUSTER_RIGHT_CFG_WRITE, key,
			about.key_len) &&
		    !cfgstored_once_is_own(kv, v, peer->uid))
			return false;
	}
	return acl_may_use_some(conf, peer, CLUSTER_RIGHT_CFG_WRITE);
}

/*
 * A key that others may not change would keep them from renewing, and it would
 * end with what is theirs: so only who could do that himself.
 */
static bool
may_attach(struct write *w, uint64_t id)
{
	if (id == 0 || id == KV_LEASE_GRANTED || id == w->lease)
		return true;
	if (!may_use_lease(w, id))
		return false;
	w->lease = id;
	return true;
}

/* A condition tells of what is there, so it needs the right to read. */
static bool
may(struct write *w, const struct kv_part *part)
{
	const struct cluster_conf *conf = w->d->serve->conf;
	const struct unixsock_peer *peer = svc_client_peer(w->req->client);

	switch (part->kind) {
	case KV_IF_REV:
	case KV_IF_VALUE:
	case KV_IF_EXISTS:
		return acl_may_use_key(conf, peer, CLUSTER_RIGHT_CFG_READ,
		    part->key, part->key_len);
	case KV_PUT:
	case KV_DEL:
		return may_attach(w, part->lease) &&
		    acl_may_use_key(conf, peer, CLUSTER_RIGHT_CFG_WRITE,
			part->key, part->key_len);
	case KV_DEL_PREFIX:
		return acl_may_use_prefix(conf, peer, CLUSTER_RIGHT_CFG_WRITE,
		    part->key, part->key_len);
	case KV_GRANT:
		return acl_may_use_some(conf, peer, CLUSTER_RIGHT_CFG_WRITE);
	case KV_RENEW:
	case KV_RELEASE:
		return may_use_lease(w, part->lease);
	case KV_EXPIRE:
	case KV_LIMITS:
	case KV_PART_KINDS:
		break;
	}
	return false;
}

/*
 * Others may know the lease already: it is looked at again when the state has
 * all there is.  If it is not there, it is not asked of the others, who may
 * come to have one of this number.
 */
static enum svc_result
deny(struct write *w, const char *what)
{
	enum svc_result result = SVC_DONE;

	if (!w->is_lease_unknown)
		return cfgstored_svc_denied(w->req, what);
	if (!w->has_asked)
		cfgstored_request_catch_up(w->d, w->req, &result);
	else if (w->sync_code == REPLICA_OK)
		svc_no(w->req->client, w->req->tag, "nolease");
	else
		cfgstored_request_refuse(w->d, w->req, w->sync_code);
	return result;
}

/* ---- off it goes ------------------------------------------------------- */

static void
note_key(struct cfgstored_request *request, const struct kv_part *part)
{
	uint8_t *at = request->keys + request->keys_len;

	/* They go by their place: none may be left out between others. */
	if (sizeof request->keys - request->keys_len < 2 + part->key_len)
		request->has_more_keys = true;
	if (request->has_more_keys)
		return;
	at[0] = (uint8_t)(part->key_len >> 8);
	at[1] = (uint8_t)part->key_len;
	memcpy(at + 2, part->key, part->key_len);
	request->keys_len += 2 + part->key_len;
}

static void
propose(struct write *w, const struct cfgstored_request *request)
{
	struct replica_input in = { .kind = REPLICA_IN_PROPOSE,
		.cookie = request->cookie,
		.deadline_ns = w->deadline_ns };

	w->d->stats.writes++;
	in.propose.durability = w->durability;
	in.propose.bytes = w->cmd.bytes;
	in.propose.len = w->cmd.len;
	cfgstored_step(w->d, &in);
}

static bool
is_value_too_long(const struct write *w, const struct kv_part *part)
{
	struct kv_limits limits;

	cfgstored_limit_now(cfgstored_kv(w->d), &w->d->cfg.kv.room, &limits);
	return part->value_len > limits.value_bytes;
}

static enum svc_result
tell_value(const struct write *w, size_t value_len)
{
	const struct kv_limits *room = &w->d->cfg.kv.room;
	char bytes[CFGSTORED_LIMIT_BYTES];
	struct kv_limits limits;
	struct text why;

	cfgstored_limit_now(cfgstored_kv(w->d), room, &limits);
	text_init(&why, bytes, sizeof bytes);
	cfgstored_limit_put(KV_LIMIT_VALUE, value_len, &limits, room, &why);
	svc_err(w->req->client, w->req->tag, "toolong", "%s", why.bytes);
	return SVC_DONE;
}

static enum svc_result
tell_too_long(const struct write *w)
{
	svc_err(w->req->client, w->req->tag, "toolong",
	    "more than %d bytes, or %d conditions or changes, at once",
	    KV_COMMAND_BYTES_MAX, KV_PARTS_MAX);
	return SVC_DONE;
}

/* false: it cannot be done once; it was told why, unless it comes again. */
static bool
look_at_once(struct write *w, enum svc_result *result)
{
	const struct kv *kv = cfgstored_kv(w->d);
	struct svc_request *req = w->req;

	*result = SVC_DONE;
	if (w->once.client == 0)
		return true;
	if (kv == NULL) {
		svc_err(req->client, req->tag, "notquorate",
		    "nothing changed: the state is not complete here");
		return false;
	}
	switch (cfgstored_once_look(kv, &w->once)) {
	case CFGSTORED_ONCE_GOES:
		if (may_attach(w, w->once.client))
			return true;
		*result = deny(w, "this client");
		return false;
	case CFGSTORED_ONCE_OLD:
		cfgstored_svc_misused(req, "seq: a later one was done");
		return false;
	case CFGSTORED_ONCE_FOREIGN:
		cfgstored_svc_denied(req, "this client");
		return false;
	}
	return false;
}

/* The conditions come next, then the changes, then end_command. */
static void
begin_command(struct write *w, size_t conditions, size_t changes)
{
	const bool is_once = w->once.client != 0;
	struct kv_part condition, change;

	kv_command_begin(&w->cmd, conditions + is_once, changes + is_once);
	if (!is_once)
		return;
	cfgstored_once_parts(&w->once, &condition, &change);
	kv_command_add(&w->cmd, &condition);
}

static void
end_command(struct write *w)
{
	struct kv_part condition, change;

	if (w->once.client == 0)
		return;
	cfgstored_once_parts(&w->once, &condition, &change);
	kv_command_add(&w->cmd, &change);
}

static void
add_parts(struct write *w)
{
	begin_command(w, w->has_condition, 1U + w->has_grant);
	if (w->has_condition)
		kv_command_add(&w->cmd, &w->condition);
	if (w->has_grant)
		kv_command_add(&w->cmd, &w->grant);
	kv_command_add(&w->cmd, &w->change);
	end_command(w);
}

/* What is simpler than a transaction. */
static enum svc_result
finish(struct write *w, enum cfgstored_want want)
{
	struct cfgstored_request *request;
	enum svc_result result;

	if (cfgstored_svc_must_wait(w->req))
		return SVC_WAIT;
	if (w->mistake != NULL)
		return cfgstored_svc_misused(w->req, w->mistake);
	if (!may(w, &w->change) || (w->has_condition && !may(w, &w->condition)))
		return deny(w, "this key");
	if (is_value_too_long(w, &w->change))
		return tell_value(w, w->change.value_len);
	if (!look_at_once(w, &result))
		return result;
	add_parts(w);
	if (w->cmd.is_full)
		return tell_too_long(w);
	request = cfgstored_request_take(w->d, w->req, want);
	if (request == NULL)
		return SVC_DONE;
	request->once = w->once;
	request->lease = w->change.lease;
	request->has_grant = w->has_grant || w->change.kind == KV_GRANT;
	request->ttl_ns = w->change.kind == KV_GRANT ? w->change.number : 0;
	request->is_del =
	    w->change.kind == KV_DEL || w->change.kind == KV_DEL_PREFIX;
	if (w->has_condition)
		note_key(request, &w->condition);
	propose(w, request);
	return SVC_DONE;
}

/* ---- set and del ------------------------------------------------------- */

static void
take_condition(struct write *w)
{
	struct kv_part *part = &w->condition;
	unsigned count = 0;

	part->key = w->change.key;
	part->key_len = w->change.key_len;
	part->kind = KV_IF_REV;
	count += get_number(
	    w, "if_rev", &part->number, "if_rev: expected a revision");
	if (is_yes(w, "if_absent")) {
		part->number = 0;
		count++;
	}
	if (is_yes(w, "if_exists")) {
		part->kind = KV_IF_EXISTS;
		count++;
	}
	if (part->value != NULL) {
		part->kind = KV_IF_VALUE;
		count++;
	}
	if (count > 1)
		misuse(w, "expected one condition; txn takes more");
	w->has_condition = count > 0;
}

/* The bytes: what has to be there first, if if_len= says so, then the new. */
static void
take_value(struct write *w)
{
	const uint8_t *data = (const uint8_t *)w->req->data;
	uint64_t old_len = 0;

	if (data == NULL) {
		misuse(w, "expected len=");
		return;
	}
	if (get_number(w, "if_len", &old_len, "if_len: expected a number")) {
		if (old_len > w->req->data_len) {
			misuse(w, "if_len: expected at most len");
			return;
		}
		w->condition.value = data;
		w->condition.value_len = (size_t)old_len;
	}
	w->change.value = data + old_len;
	w->change.value_len = w->req->data_len - (size_t)old_len;
}

static void
take_lease(struct write *w)
{
	const struct word_pair *ttl = word_get(w->req->word, "ttl");
	const bool has_lease = get_number(
	    w, "lease", &w->change.lease, "lease: expected the number of one");

	if (has_lease && w->change.lease == 0)
		misuse(w, "lease: expected the number of one");
	if (ttl == NULL)
		return;
	if (has_lease)
		misuse(w, "expected lease= or ttl=");
	w->has_grant = true;
	w->grant.kind = KV_GRANT;
	w->grant.uid = w->once.uid;
	w->change.lease = KV_LEASE_GRANTED;
	if (!kv_txn_get_ttl(ttl->value, ttl->len, &w->grant.number))
		misuse(w, "ttl: expected 100ms to a year");
}

enum svc_result
cfgstored_svc_set(void *arg, struct svc_request *req)
{
	struct write w;

	begin(&w, arg, req);
	w.change.kind = KV_PUT;
	get_key(&w, "key", &w.change);
	take_value(&w);
	take_condition(&w);
	take_lease(&w);
	return finish(&w, CFGSTORED_WANT_REV);
}

enum svc_result
cfgstored_svc_del(void *arg, struct svc_request *req)
{
	const bool is_prefix = word_get(req->word, "prefix") != NULL;
	struct write w;

	begin(&w, arg, req);
	w.change.kind = is_prefix ? KV_DEL_PREFIX : KV_DEL;
	get_key(&w, is_prefix ? "prefix" : "key", &w.change);
	if (is_prefix && word_get(req->word, "key") != NULL)
		misuse(&w, "expected key= or prefix=");
	take_condition(&w);
	if (is_prefix && w.has_condition)
		misuse(&w, "prefix: expected no condition; txn takes some");
	if (is_prefix && w.once.client != 0)
		misuse(&w, "prefix: expected no client");
	return finish(&w, CFGSTORED_WANT_REV);
}

/* ---- leases ------------------------------------------------------------ */

enum svc_result
cfgstored_svc_lease(void *arg, struct svc_request *req)
{
	const struct word_pair *ttl = word_get(req->word, "ttl");
	struct write w;

	begin(&w, arg, req);
	w.change.kind = KV_GRANT;
	w.change.uid = w.once.uid;
	if (ttl == NULL ||
	    !kv_txn_get_ttl(ttl->value, ttl->len, &w.change.number))
		misuse(&w, "ttl: expected 100ms to a year");
	return finish(&w, CFGSTORED_WANT_LEASE);
}

static enum svc_result
use_lease(void *arg, struct svc_request *req, enum kv_part_kind kind,
    enum cfgstored_want want)
{
	struct write w;

	begin(&w, arg, req);
	w.change.kind = kind;
	if (!get_number(&w, "lease", &w.change.lease,
		"lease: expected the number of one"))
		misuse(&w, "lease: expected the number of one");
	if (w.once.client != 0)
		misuse(&w, "expected no client: it may be repeated as it is");
	return finish(&w, want);
}

enum svc_result
cfgstored_svc_renew(void *arg, struct svc_request *req)
{
	return use_lease(arg, req, KV_RENEW, CFGSTORED_WANT_RENEWAL);
}

enum svc_result
cfgstored_svc_release(void *arg, struct svc_request *req)
{
	return use_lease(arg, req, KV_RELEASE, CFGSTORED_WANT_COUNT);
}

enum svc_result
cfgstored_svc_sync(void *arg, struct svc_request *req)
{
	struct replica_input in = { .kind = REPLICA_IN_READ };
	struct cfgstored_request *request;
	struct write w;

	begin(&w, arg, req);
	if (cfgstored_svc_must_wait(req))
		return SVC_WAIT;
	if (w.mistake != NULL)
		return cfgstored_svc_misused(req, w.mistake);
	request = cfgstored_request_take(w.d, req, CFGSTORED_WANT_SYNC);
	if (request == NULL)
		return SVC_DONE;
	w.d->stats.syncs++;
	in.cookie = request->cookie;
	in.deadline_ns = w.deadline_ns;
	cfgstored_step(w.d, &in);
	return SVC_DONE;
}

/* ---- txn --------------------------------------------------------------- */

struct txn_sum {
	size_t conditions, changes;
	size_t long_len; /* of a value that is too long; 0: none */
	bool is_denied, has_grant;
};

static enum kv_txn_result
look_at_txn(struct write *w, struct kv_txn *txn, struct txn_sum *sum)
{
	enum kv_txn_result result;
	struct kv_part part;

	*sum = (struct txn_sum){ 0 };
	kv_txn_init(txn, w->req->data, w->req->data_len);
	while ((result = kv_txn_next(txn, &part)) == KV_TXN_PART) {
		const bool is_change = part.kind >= KV_PUT;

		sum->conditions += !is_change;
		sum->changes += is_change;
		sum->has_grant = sum->has_grant || part.kind == KV_GRANT;
		sum->is_denied = sum->is_denied || !may(w, &part);
		if (is_value_too_long(w, &part))
			sum->long_len = part.value_len;
	}
	return result;
}

/* The same again, into bytes, and the conditions' keys. */
static void
write_txn(struct write *w, struct kv_txn *txn,
    struct cfgstored_request *request, const struct txn_sum *sum)
{
	struct kv_part part;

	begin_command(w, sum->conditions, sum->changes);
	kv_txn_init(txn, w->req->data, w->req->data_len);
	while (kv_txn_next(txn, &part) == KV_TXN_PART) {
		part.uid = w->once.uid;
		kv_command_add(&w->cmd, &part);
		if (part.kind < KV_PUT)
			note_key(request, &part);
	}
	end_command(w);
}

static enum svc_result
tell_txn(struct write *w, const struct kv_txn *txn)
{
	svc_err(w->req->client, w->req->tag, "usage", "line %u: %s", txn->line,
	    txn->mistake);
	return SVC_DONE;
}

static enum svc_result
tell_bad(struct write *w, int error)
{
	if (error == KV_COMMAND_E_LIMIT)
		return tell_too_long(w);
	return cfgstored_svc_misused(w->req,
	    error == KV_COMMAND_E_TWICE
		? "a key is changed twice, or prefix stands not alone, or "
		  "lease=new has no grant before it"
		: "no transaction");
}

/* As one that is never asked again: the request is made when all is well. */
static enum svc_result
send_txn(struct write *w, struct kv_txn *txn, const struct txn_sum *sum)
{
	struct cfgstored_request *request, draft;
	struct kv_command command;
	int error;

	draft.keys_len = 0;
	draft.has_more_keys = false;
	write_txn(w, txn, &draft, sum);
	error = w->cmd.is_full
	    ? KV_COMMAND_E_LIMIT
	    : kv_command_open(&command, w->cmd.bytes, w->cmd.len);
	if (error != 0)
		return tell_bad(w, error);
	request = cfgstored_request_take(w->d, w->req, CFGSTORED_WANT_REV);
	if (request == NULL)
		return SVC_DONE;
	request->once = w->once;
	request->is_txn = true;
	request->has_grant = sum->has_grant;
	request->keys_len = draft.keys_len;
	memcpy(request->keys, draft.keys, draft.keys_len);
	propose(w, request);
	return SVC_DONE;
}

enum svc_result
cfgstored_svc_txn(void *arg, struct svc_request *req)
{
	static struct kv_txn txn;
	enum svc_result result;
	struct txn_sum sum;
	struct write w;

	begin(&w, arg, req);
	if (cfgstored_svc_must_wait(req))
		return SVC_WAIT;
	if (req->data == NULL)
		misuse(&w, "expected len=");
	if (w.mistake != NULL)
		return cfgstored_svc_misused(req, w.mistake);
	if (look_at_txn(&w, &txn, &sum) == KV_TXN_MISTAKE)
		return tell_txn(&w, &txn);
	if (sum.is_denied)
		return deny(&w, "one of the keys");
	if (sum.long_len > 0)
		return tell_value(&w, sum.long_len);
	if (sum.conditions > KV_PARTS_MAX || sum.changes > KV_PARTS_MAX)
		return tell_too_long(&w);
	if (!look_at_once(&w, &result))
		return result;
	return send_txn(&w, &txn, &sum);
}
