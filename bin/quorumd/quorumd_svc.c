/* SPDX-License-Identifier: BSD-3-Clause */
/* The verbs of quorum.sock that ask for something to change, and the service.
 *
 * A request that the core must order is answered when it was; the client's
 * next ones wait so long.
 */
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/acl.h"
#include "libcommon/os/box.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/feed.h"
#include "libcommon/os/log.h"
#include "libcommon/os/serve.h"
#include "libcommon/os/watch.h"

#include "bin/quorumd/quorum_roster.h"
#include "bin/quorumd/quorum_stream.h"
#include "bin/quorumd/quorumd.h"

enum {
	POOL_BYTES = 8 << 20,
	HISTORY_BYTES = 1 << 20,
	HISTORY_EVENTS = 4096,
	LINE_BYTES = 2048,
	VOTES_MAX = 1 << 24,
};

#define TTL_NS_MAX (3600 * CLOCK_S_NS)

/* ---- requests that wait for the core ----------------------------------- */

static struct quorumd_request *
find_request(struct quorumd *d, uint64_t cookie)
{
	for (size_t i = 0; i < ARRAY_COUNT(d->requests); i++)
		if (d->requests[i].cookie == cookie)
			return &d->requests[i];
	return NULL;
}

/* Hands the request to the core; true, or it was answered here. */
static void
ask_core(struct quorumd *d, struct svc_request *req, struct quorum_input *in)
{
	struct quorumd_request *request = find_request(d, 0);

	if (!d->ring.is_open || d->core == NULL || d->ring.view.rep == 0) {
		svc_err(req->client, req->tag, "away", "ringd is not there");
		return;
	}
	if (request == NULL) {
		svc_err(req->client, req->tag, "busy", "too many requests");
		return;
	}
	request->cookie = in->cookie = ++d->cookies;
	request->client = req->client;
	request->tag[0] = '\0';
	if (req->tag != NULL)
		memcpy(request->tag, req->tag, strlen(req->tag) + 1);
	svc_client_hold(req->client, 1);
	quorumd_step(d, in);
}

static void
put_no(struct svc_client *client, const char *tag, const char *words)
{
	char bytes[LINE_BYTES];
	struct text out;

	text_init(&out, bytes, sizeof bytes);
	svc_put_tag(&out, tag);
	text_put(&out, "no code=");
	text_put(&out, words);
	text_put_char(&out, '\n');
	svc_put(client, out.bytes, out.len);
}

static void
refuse(struct quorumd *d, struct quorumd_request *request,
    const struct quorum_effect *effect)
{
	const char *tag = request->tag[0] != '\0' ? request->tag : NULL;
	char bytes[QUORUM_TEXT_BYTES * 2];
	struct text out;

	text_init(&out, bytes, sizeof bytes);
	text_put(&out, quorum_answer_name(effect->answer.code));
	if (effect->answer.code == QUORUM_ANSWER_VIEW) {
		text_put(&out, " view=");
		text_put_u64(&out, d->ring.view.rep);
		text_put_char(&out, '.');
		text_put_u64(&out, d->ring.view.seq);
	}
	text_put(&out, " msg=");
	text_put_value(&out, effect->answer.text, strlen(effect->answer.text));
	put_no(request->client, tag, bytes);
}

void
quorumd_svc_answer(struct quorumd *d, const struct quorum_effect *effect)
{
	struct quorumd_request *request =
	    find_request(d, effect->answer.cookie);
	const char *tag, *text = effect->answer.text;

	if (request == NULL || effect->answer.cookie == 0)
		return;
	tag = request->tag[0] != '\0' ? request->tag : NULL;
	request->cookie = 0;
	if (request->client == NULL)
		return;
	/* What was changed is told before it is confirmed. */
	quorumd_relay(d);
	switch (effect->answer.code) {
	case QUORUM_ANSWER_OK:
		svc_ok(request->client, tag, "%s", "");
		break;
	case QUORUM_ANSWER_QUORUM:
	case QUORUM_ANSWER_VIEW:
		refuse(d, request, effect);
		break;
	case QUORUM_ANSWER_AGAIN:
		svc_err(request->client, tag, "full", "%s", text);
		break;
	case QUORUM_ANSWER_BAD:
	case QUORUM_ANSWERS:
		svc_err(request->client, tag, "usage", "%s", text);
		break;
	}
	svc_client_hold(request->client, -1);
	svc_resume(d->svc);
}

void
quorumd_svc_fail(struct quorumd *d)
{
	for (size_t i = 0; i < ARRAY_COUNT(d->requests); i++) {
		struct quorumd_request *request = &d->requests[i];

		if (request->cookie != 0 && request->client != NULL) {
			svc_err(request->client,
			    request->tag[0] != '\0' ? request->tag : NULL,
			    "away", "ringd is gone");
			svc_client_hold(request->client, -1);
		}
		request->cookie = 0;
	}
	svc_resume(d->svc);
}

/* ---- arguments --------------------------------------------------------- */

static bool
get_number(struct svc_request *req, const char *key, uint32_t *out)
{
	const struct word_pair *pair = word_get(req->word, key);
	uint64_t number;

	if (pair == NULL ||
	    parse_u64(pair->value, pair->len, 0, VOTES_MAX, &number) != 0)
		return false;
	*out = (uint32_t)number;
	return true;
}

/* yes, no or absent, which is no; false: something else. */
static bool
get_yes_no(struct svc_request *req, const char *key, bool *out)
{
	const struct word_pair *pair = word_get(req->word, key);
	int yes = 0;

	if (pair != NULL && parse_yes_no(pair->value, pair->len, &yes) != 0)
		return false;
	*out = yes != 0;
	return true;
}

static enum svc_result
misused(struct svc_request *req, const char *what)
{
	svc_err(req->client, req->tag, "usage", "%s", what);
	return SVC_DONE;
}

static void
log_request(const struct svc_request *req, const char *verb)
{
	const struct unixsock_peer *peer = svc_client_peer(req->client);

	log_line(LOG_LEVEL_NOTICE, "request", "verb=%s pid=%d uid=%u", verb,
	    (int)peer->pid, (unsigned)peer->uid);
}

/* ---- set, cancel-wait, vote -------------------------------------------- */

static enum svc_result
set_votes(struct quorumd *d, struct svc_request *req, bool is_forced)
{
	const struct word_pair *node = word_get(req->word, "node");
	struct quorum_input in = { .kind = QUORUM_IN_SET_VOTES };
	int idx = cluster_find(d->serve->conf, node->value);

	if (idx < 0)
		return misused(req, "node: expected one of the file");
	if (!get_number(req, "votes", &in.set_votes.votes))
		return misused(req, "votes: expected a number");
	in.set_votes.node = d->serve->conf->nodes[idx].id;
	in.set_votes.is_forced = is_forced;
	log_request(req, "set-votes");
	ask_core(d, req, &in);
	return SVC_DONE;
}

static enum svc_result
run_set(void *arg, struct svc_request *req)
{
	struct quorum_input in = { .kind = QUORUM_IN_SET_EXPECTED };
	bool is_forced;

	if (!get_yes_no(req, "force", &is_forced))
		return misused(req, "force: expected yes or no");
	if (word_get(req->word, "node") != NULL)
		return set_votes(arg, req, is_forced);
	if (!get_number(req, "expected", &in.set_expected.expected))
		return misused(req,
		    "expected a number as expected=, or "
		    "node= and votes=");
	in.set_expected.is_forced = is_forced;
	log_request(req, "set-expected");
	ask_core(arg, req, &in);
	return SVC_DONE;
}

static enum svc_result
run_cancel_wait(void *arg, struct svc_request *req)
{
	struct quorum_input in = { .kind = QUORUM_IN_CANCEL_WAIT };

	log_request(req, "cancel-wait");
	ask_core(arg, req, &in);
	return SVC_DONE;
}

static enum svc_result
run_reload(void *arg, struct svc_request *req)
{
	struct quorum_input in = { .kind = QUORUM_IN_RELOAD };

	if (!get_yes_no(req, "force", &in.reload.is_forced))
		return misused(req, "force: expected yes or no");
	log_request(req, "reload");
	ask_core(arg, req, &in);
	return SVC_DONE;
}

static bool
get_ttl(struct svc_request *req, uint64_t *ttl_ns)
{
	const struct word_pair *pair = word_get(req->word, "ttl");

	*ttl_ns = 0;
	if (pair == NULL)
		return true;
	return parse_duration(pair->value, pair->len, ttl_ns) == 0 &&
	    *ttl_ns > 0 && *ttl_ns <= TTL_NS_MAX;
}

static enum svc_result
run_vote(void *arg, struct svc_request *req)
{
	const struct word_pair *view = word_get(req->word, "view");
	const struct word_pair *cast = word_get(req->word, "cast");
	const struct word_pair *name = word_get(req->word, "name");
	struct quorum_input in = { .kind = QUORUM_IN_VOTE };
	struct quorumd *d = arg;
	int yes;

	if (view == NULL ||
	    parse_view(view->value, view->len, &in.vote.view) != 0)
		return misused(req, "view: expected a view's name");
	if (cast == NULL || parse_yes_no(cast->value, cast->len, &yes) != 0)
		return misused(req, "cast: expected yes or no");
	if (!get_ttl(req, &in.vote.ttl_ns))
		return misused(req, "ttl: expected a duration, at most 1h");
	if (name != NULL && (name->len == 0 || name->len > QUORUM_NAME_BYTES))
		return misused(req, "name: expected 1 to 63 bytes");
	in.vote.is_yes = yes != 0;
	in.vote.name = name != NULL ? name->value : "voter";
	/* The view must be the one that ringd is in now. */
	quorumd_look(d);
	ask_core(d, req, &in);
	return SVC_DONE;
}

/* ---- watch ------------------------------------------------------------- */

static void
put_exists(void *arg, struct watch_sink *sink)
{
	static char bytes[LIMIT_SERVER_LINE_BYTES];
	struct quorumd *d = arg;

	for (size_t i = 0; i < quorum_roster_count(d->roster); i++) {
		struct text out;

		text_init(&out, bytes, sizeof bytes);
		quorum_roster_put(d->roster, i, d->now_ns, &out);
		watch_state(sink, &out);
	}
}

static void
put_ready(void *arg, struct watch_sink *sink)
{
	char bytes[2 * LINE_BYTES];
	struct quorumd *d = arg;
	struct text out;

	text_init(&out, bytes, sizeof bytes);
	text_put(&out, "ready ");
	quorum_roster_put_view(d->roster, &out);
	text_put_char(&out, ' ');
	quorum_stream_put_verdict(d->stream, &out);
	watch_ready(sink, &out);
}

struct watch *
quorumd_svc_watch(struct quorumd *d, struct arena *arena)
{
	const struct watch_config cfg = { .epoch = (uint32_t)box_random_u64(),
		.history_bytes = HISTORY_BYTES,
		.history_events = HISTORY_EVENTS,
		.exists = put_exists,
		.ready = put_ready,
		.arg = d };

	return watch_create(arena, &cfg);
}

/* Whoever asks while memberd is on its way waits a little, and for the end of a
 * change that is being told. */
static enum svc_result
run_watch(void *arg, struct svc_request *req)
{
	struct quorumd *d = arg;

	quorumd_look(d);
	if (quorum_stream_is_ready(d->stream))
		return d->is_changing ? SVC_WAIT : watch_request(d->watch, req);
	if (d->now_ns < d->patience_end_ns) {
		d->is_awaited = true;
		return SVC_WAIT;
	}
	svc_err(req->client, req->tag, "away", "memberd is not there");
	return SVC_DONE;
}

/* ---- the service ------------------------------------------------------- */

static const struct svc_verb verbs[] = {
	{ "quorum", quorumd_svc_quorum, SVC_RIGHT_READ, "", false },
	{ "why", quorumd_svc_why, SVC_RIGHT_READ, "", false },
	{ "nodes", quorumd_svc_nodes, SVC_RIGHT_READ, "", false },
	{ "watch", run_watch, SVC_RIGHT_READ,
	    "[id=N] [snapshot=yes|no] [since=CURSOR]", false },
	{ "set", run_set, SVC_RIGHT_ADMIN,
	    "(expected=N | node=NODE votes=N) [force=yes|no]", false },
	{ "cancel-wait", run_cancel_wait, SVC_RIGHT_ADMIN, "", false },
	{ "would", quorumd_reload_would, SVC_RIGHT_ADMIN, "", false },
	{ "reload", run_reload, SVC_RIGHT_ADMIN, "[force=yes|no]", false },
	{ "vote", run_vote, SVC_RIGHT_VOTE,
	    "view=REP.SEQ cast=yes|no [ttl=DUR] [name=NAME]", false },
	{ "status", quorumd_svc_status, SVC_RIGHT_READ, "", false },
	{ "stats", quorumd_svc_stats, SVC_RIGHT_READ, "", false },
};

static void
greet(void *arg, struct text *out)
{
	const struct quorumd *d = arg;
	const struct cluster_conf *conf = d->serve->conf;

	text_put(out, " node=");
	text_put_u64(out, conf->nodes[conf->self].id);
	text_put(out, " name=");
	text_put(out, conf->nodes[conf->self].name);
	text_put(out, " epoch=");
	watch_put_epoch(d->watch, out);
}

static uint32_t
get_rights(void *arg, const struct unixsock_peer *peer)
{
	const struct quorumd *d = arg;

	return acl_rights(d->serve->conf, peer);
}

static bool
is_busy(void *arg, const struct svc_client *client)
{
	const struct quorumd *d = arg;

	for (size_t i = 0; i < ARRAY_COUNT(d->requests); i++)
		if (d->requests[i].cookie != 0 &&
		    d->requests[i].client == client)
			return true;
	return d->asker.cookie != 0 && d->asker.client == client;
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
	struct quorumd *d = arg;

	for (size_t i = 0; i < ARRAY_COUNT(d->requests); i++)
		if (d->requests[i].client == client)
			d->requests[i].client = NULL;
	if (d->asker.client == client)
		d->asker.client = NULL;
	watch_closed(d->watch, client);
}

static void
on_drained(void *arg, struct svc_client *client)
{
	struct quorumd *d = arg;

	watch_drained(d->watch, client);
}

struct svc *
quorumd_svc_create(struct quorumd *d, struct arena *arena)
{
	const struct svc_config cfg = { .daemon = "quorumd",
		.verbs = verbs,
		.verb_count = ARRAY_COUNT(verbs),
		.clients_max = LIMIT_CLIENTS,
		.pool_bytes = POOL_BYTES,
		.data_max = 0,
		.gathers = 1,
		.user_bytes = 1,
		.arg = d,
		.greet = greet,
		.rights = get_rights,
		.is_busy = is_busy,
		.opened = on_opened,
		.closed = on_closed,
		.drained = on_drained };

	return svc_create(arena, &cfg);
}
