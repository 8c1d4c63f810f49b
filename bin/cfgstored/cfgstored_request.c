/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests that the replica answers: who asked, and what the answer says. */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/os/clock.h"

#include "bin/cfgstored/cfgstored.h"
#include "bin/cfgstored/cfgstored_limit.h"

enum { LINE_BYTES = 4096 };

#define NO_REQUEST UINT32_MAX

/* ---- the table --------------------------------------------------------- */

void
cfgstored_request_init(struct cfgstored *d)
{
	for (uint32_t i = 0; i < REPLICA_PENDING_MAX; i++)
		d->requests[i].next_free =
		    i + 1 < REPLICA_PENDING_MAX ? i + 1 : NO_REQUEST;
	d->request_free = 0;
}

static struct cfgstored_client *
get_user(struct svc_client *client)
{
	return svc_client_user(client);
}

struct cfgstored_request *
cfgstored_request_take(
    struct cfgstored *d, struct svc_request *req, enum cfgstored_want want)
{
	struct cfgstored_request *request;
	const uint32_t idx = d->request_free;

	if (idx == NO_REQUEST) {
		svc_err(req->client, req->tag, "busy", "too many requests");
		return NULL;
	}
	request = &d->requests[idx];
	d->request_free = request->next_free;
	request->cookie = ++d->cookies * REPLICA_PENDING_MAX + idx;
	request->client = req->client;
	request->want = want;
	request->is_txn = request->is_del = request->has_grant = false;
	request->lease = request->ttl_ns = 0;
	request->once.client = 0;
	request->has_more_keys = false;
	request->keys_len = 0;
	request->tag[0] = '\0';
	if (req->tag != NULL)
		memcpy(request->tag, req->tag, strlen(req->tag) + 1);
	svc_client_hold(req->client, 1);
	if (want != CFGSTORED_WANT_READ)
		get_user(req->client)->pending++;
	return request;
}

static void
give_back(struct cfgstored *d, struct cfgstored_request *request)
{
	request->cookie = 0;
	request->next_free = d->request_free;
	d->request_free = (uint32_t)(request - d->requests);
	if (request->client == NULL)
		return;
	svc_client_hold(request->client, -1);
	if (request->want != CFGSTORED_WANT_READ &&
	    --get_user(request->client)->pending == 0)
		d->is_resume_due = true;
}

void
cfgstored_request_forget(struct cfgstored *d, const struct svc_client *client)
{
	const struct cfgstored_client *user = svc_client_user(client);

	if (user->pending == 0 && user->sync != CFGSTORED_SYNC_ASKED)
		return;
	for (uint32_t i = 0; i < REPLICA_PENDING_MAX; i++)
		if (d->requests[i].cookie != 0 &&
		    d->requests[i].client == client)
			d->requests[i].client = NULL;
}

/* ---- answers ----------------------------------------------------------- */

static const char *
get_tag(const struct cfgstored_request *request)
{
	return request->tag[0] != '\0' ? request->tag : NULL;
}

static void
put_key(const struct cfgstored_request *request, size_t at, struct text *out)
{
	const uint8_t *key = request->keys;
	size_t left = request->keys_len;

	while (left >= 2) {
		const size_t len = (size_t)key[0] << 8 | key[1];

		if (at-- == 0) {
			text_put(out, " key=");
			text_put_value(out, key + 2, len);
			return;
		}
		key += 2 + len;
		left -= 2 + len;
	}
}

static void
put_number(struct text *out, const char *key, uint64_t number)
{
	text_put_char(out, ' ');
	text_put(out, key);
	text_put_char(out, '=');
	text_put_u64(out, number);
}

/* In a transaction the conditions stand first, so they have their lines. */
static void
tell_conflict(const struct cfgstored_request *request,
    const struct replica_effect *effect)
{
	/* The first is not the client's. */
	const size_t at = effect->answer.at - (request->once.client != 0);
	char bytes[LINE_BYTES];
	struct text out;

	text_init(&out, bytes, sizeof bytes);
	svc_put_tag(&out, get_tag(request));
	text_put(&out, "no code=conflict");
	if (request->is_txn)
		put_number(&out, "at", at + 1);
	put_key(request, at, &out);
	put_number(&out, "rev", effect->answer.key_rev);
	put_number(&out, "store_rev", effect->answer.rev);
	text_put_char(&out, '\n');
	ENSURE(!out.is_full);
	svc_put(request->client, out.bytes, out.len);
}

static void
put_renewal(struct cfgstored *d, const struct cfgstored_request *request,
    struct text *out)
{
	const struct kv *kv = cfgstored_kv(d);
	const struct kv_lease *lease =
	    kv != NULL ? kv_lease_find(kv, request->lease) : NULL;

	put_number(out, "renewals", lease != NULL ? lease->renewals : 0);
	put_number(
	    out, "ttl_ms", lease != NULL ? lease->ttl_ns / CLOCK_MS_NS : 0);
}

static void
tell_done(struct cfgstored *d, const struct cfgstored_request *request,
    const struct replica_effect *effect)
{
	const uint64_t rev = effect->answer.rev;
	char bytes[LINE_BYTES];
	struct text out;

	text_init(&out, bytes, sizeof bytes);
	svc_put_tag(&out, get_tag(request));
	text_put(&out, "ok");
	switch (request->want) {
	case CFGSTORED_WANT_REV:
		put_number(&out, "rev", rev);
		if (effect->answer.changed != SIZE_MAX)
			put_number(&out, "n", effect->answer.changed);
		if (request->has_grant || request->lease != 0)
			put_number(&out, "lease",
			    request->has_grant ? rev : request->lease);
		break;
	case CFGSTORED_WANT_LEASE:
		put_number(&out, "lease", rev);
		put_number(&out, "ttl_ms", request->ttl_ns / CLOCK_MS_NS);
		break;
	case CFGSTORED_WANT_RENEWAL:
		put_renewal(d, request, &out);
		break;
	case CFGSTORED_WANT_COUNT:
		put_number(&out, "n", effect->answer.changed);
		put_number(&out, "rev", rev);
		break;
	case CFGSTORED_WANT_SYNC:
		put_number(&out, "rev", rev);
		break;
	case CFGSTORED_WANT_READ:
	case CFGSTORED_WANT_DONE:
		break;
	}
	text_put_char(&out, '\n');
	svc_put(request->client, out.bytes, out.len);
}

/* What nobody was there to delete. */
static bool
is_nothing(const struct cfgstored_request *request,
    const struct replica_effect *effect)
{
	return request->is_del && effect->answer.changed == 0;
}

/* Told as what is missing, and not as a name of ours for it. */
static void
refuse_closed(struct cfgstored *d, struct svc_client *client, const char *tag)
{
	char bytes[100];
	struct text why;

	text_init(&why, bytes, sizeof bytes);
	cfgstored_put_why(d, &why);
	d->stats.refused++;
	svc_err(client, tag, "notquorate", "nothing changed: %.*s",
	    (int)why.len, bytes);
}

static void
refuse(struct cfgstored *d, struct svc_client *client, const char *tag,
    enum replica_code code)
{
	static const struct {
		const char *code; /* NULL: it is told elsewhere */
		const char *msg;
	} words[REPLICA_CODES] = {
		[REPLICA_BAD] = { "usage", "no command, or no such node" },
		[REPLICA_BUSY] = { "busy",
		    "nothing changed: too much is under way" },
		[REPLICA_LATE] = { "busy", "nothing changed: not in time" },
		[REPLICA_FULL] = { "full",
		    "nothing changed: no space on this node's disk" },
		[REPLICA_BROKEN] = { "broken",
		    "nothing changed: this node's files cannot be written" },
		[REPLICA_QUORUM] = { "notquorate",
		    "nothing changed: quorumd forbids it" },
		[REPLICA_LARGE] = { "toolong",
		    "longer than a message of the ring, [ring] "
		    "message_bytes_max" },
	};

	if (code == REPLICA_CLOSED) {
		refuse_closed(d, client, tag);
		return;
	}
	if (words[code].code != NULL) {
		d->stats.refused++;
		svc_err(client, tag, words[code].code, "%s", words[code].msg);
		return;
	}
	if (code == REPLICA_UNKNOWN)
		d->stats.unknown++;
	svc_no(client, tag,
	    code == REPLICA_UNKNOWN        ? "unknown n=75"
		: code == REPLICA_NO_LEASE ? "nolease"
		: code == REPLICA_ROOM     ? "room"
					   : "refused");
}

static void
refuse_more(struct cfgstored *d, const struct cfgstored_request *request,
    const struct replica_effect *effect)
{
	const struct kv_limits *room = &d->cfg.kv.room;
	char bytes[CFGSTORED_LIMIT_BYTES];
	struct kv_limits now;
	struct text why;

	cfgstored_limit_now(cfgstored_kv(d), room, &now);
	text_init(&why, bytes, sizeof bytes);
	cfgstored_limit_put(
	    effect->answer.limit, effect->answer.wanted, &now, room, &why);
	d->stats.refused++;
	svc_err(request->client, get_tag(request), "full",
	    "nothing changed: %s", why.bytes);
}

/* It has been done before, or another one of the same client has. */
static void
tell_again(struct cfgstored *d, const struct cfgstored_request *request,
    const struct replica_effect *effect)
{
	const struct kv *kv = cfgstored_kv(d);
	struct replica_effect then = *effect;

	if (kv == NULL ||
	    !cfgstored_once_is_done(
		kv, &request->once, effect->answer.key_rev)) {
		d->stats.refused++;
		svc_err(request->client, get_tag(request), "busy",
		    "nothing changed: another request of this client "
		    "came first");
		return;
	}
	then.answer.code = REPLICA_OK;
	then.answer.rev = effect->answer.key_rev;
	if (!cfgstored_once_count(kv, then.answer.rev, &then.answer.changed))
		then.answer.changed = SIZE_MAX;
	if (is_nothing(request, &then))
		svc_no(request->client, get_tag(request), "absent");
	else
		tell_done(d, request, &then);
}

static bool
has_lease(const struct cfgstored *d, uint64_t id)
{
	const struct kv *kv = cfgstored_kv(d);

	return kv != NULL && kv_lease_find(kv, id) != NULL;
}

static void
tell(struct cfgstored *d, const struct cfgstored_request *request,
    const struct replica_effect *effect)
{
	if (effect->answer.code == REPLICA_CONFLICT)
		tell_conflict(request, effect);
	else if (effect->answer.code == REPLICA_LIMIT)
		refuse_more(d, request, effect);
	else if (effect->answer.code != REPLICA_OK)
		refuse(
		    d, request->client, get_tag(request), effect->answer.code);
	else if (is_nothing(request, effect))
		svc_no(request->client, get_tag(request), "absent");
	else
		tell_done(d, request, effect);
}

/*
 * Of a client with a name.  Without its lease nobody knows what was done; the
 * first condition is that this was not; one of the keys is not the client's.
 */
static void
tell_once(struct cfgstored *d, const struct cfgstored_request *request,
    const struct replica_effect *effect)
{
	struct replica_effect own = *effect;

	if (own.answer.code == REPLICA_CONFLICT &&
	    !has_lease(d, request->once.client)) {
		own.answer.code = REPLICA_NO_LEASE;
	} else if (own.answer.code == REPLICA_CONFLICT && own.answer.at == 0) {
		tell_again(d, request, effect);
		return;
	}
	if (own.answer.code == REPLICA_OK)
		own.answer.changed--;
	tell(d, request, &own);
}

void
cfgstored_request_answer(
    struct cfgstored *d, const struct replica_effect *effect)
{
	struct cfgstored_request *request =
	    &d->requests[effect->answer.cookie % REPLICA_PENDING_MAX];

	if (request->cookie != effect->answer.cookie)
		return;
	if (request->client == NULL) {
		give_back(d, request);
		return;
	}
	if (request->want == CFGSTORED_WANT_READ) {
		get_user(request->client)->sync = CFGSTORED_SYNC_DONE;
		get_user(request->client)->sync_code = effect->answer.code;
		d->is_resume_due = true;
	} else if (request->once.client != 0) {
		tell_once(d, request, effect);
	} else {
		tell(d, request, effect);
	}
	give_back(d, request);
}

void
cfgstored_request_end(struct cfgstored *d)
{
	struct replica_effect effect = { .kind = REPLICA_OUT_ANSWER,
		.answer = { .code = REPLICA_UNKNOWN } };

	for (uint32_t i = 0; i < REPLICA_PENDING_MAX; i++) {
		effect.answer.cookie = d->requests[i].cookie;
		if (effect.answer.cookie != 0)
			cfgstored_request_answer(d, &effect);
	}
}

/* ---- reads that are ordered --------------------------------------------- */

static void
ask_read(struct cfgstored *d, struct svc_request *req)
{
	struct replica_input in = { .kind = REPLICA_IN_READ };
	struct cfgstored_request *request;

	if (!cfgstored_svc_get_deadline(d, req, &in.deadline_ns)) {
		cfgstored_svc_misused(req, "timeout: expected a duration");
		return;
	}
	request = cfgstored_request_take(d, req, CFGSTORED_WANT_READ);
	if (request == NULL)
		return;
	d->stats.syncs++;
	get_user(req->client)->sync = CFGSTORED_SYNC_ASKED;
	in.cookie = request->cookie;
	cfgstored_step(d, &in);
}

bool
cfgstored_request_catch_up(
    struct cfgstored *d, struct svc_request *req, enum svc_result *result)
{
	struct cfgstored_client *user = get_user(req->client);

	*result = SVC_DONE;
	if (user->sync == CFGSTORED_SYNC_NO) {
		ask_read(d, req);
		if (user->sync == CFGSTORED_SYNC_NO)
			return false; /* it was told why */
	}
	if (user->sync == CFGSTORED_SYNC_ASKED) {
		*result = SVC_WAIT;
		return false;
	}
	user->sync = CFGSTORED_SYNC_NO;
	if (user->sync_code != REPLICA_OK)
		refuse(d, req->client, req->tag, user->sync_code);
	return user->sync_code == REPLICA_OK;
}

bool
cfgstored_request_sync(
    struct cfgstored *d, struct svc_request *req, enum svc_result *result)
{
	const struct word_pair *word = word_get(req->word, "sync");
	int is_sync = 0;

	*result = SVC_DONE;
	if (word != NULL &&
	    parse_yes_no(word->value, word->len, &is_sync) != 0) {
		cfgstored_svc_misused(req, "sync: expected yes or no");
		return false;
	}
	return !is_sync || cfgstored_request_catch_up(d, req, result);
}

bool
cfgstored_request_has_asked(
    const struct svc_request *req, enum replica_code *code)
{
	struct cfgstored_client *user = get_user(req->client);

	if (user->sync != CFGSTORED_SYNC_DONE)
		return false;
	user->sync = CFGSTORED_SYNC_NO;
	*code = user->sync_code;
	return true;
}

void
cfgstored_request_refuse(
    struct cfgstored *d, struct svc_request *req, enum replica_code code)
{
	refuse(d, req->client, req->tag, code);
}
