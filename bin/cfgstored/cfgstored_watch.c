/* SPDX-License-Identifier: BSD-3-Clause */
/* The verb `watch`: the state, then every change, in order and without loss.
 *
 * Nothing is queued for a watcher beyond what it can soon read: it reads on
 * from the store's history as its socket drains.  Only when that has been
 * forgotten it gets `gap`, and the state again.
 */
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/os/serve.h"

#include "bin/cfgstored/cfgstored.h"
#include "bin/cfgstored/cfgstored_filter.h"
#include "bin/cfgstored/cfgstored_item.h"
#include "bin/cfgstored/cfgstored_place.h"
#include "bin/cfgstored/kv_past.h"

enum {
	SUBS = 256,
	SUBS_CLIENT = 32,
	QUEUE_BYTES = 256 << 10, /* of a client, before it has to read */
	SCAN_MAX = 4096,         /* versions looked at in one go */
	PAGE = 32,
};

enum stage {
	STAGE_SNAPSHOT,
	STAGE_READY, /* to be told when rev has been reached */
	STAGE_LIVE,
};

struct sub {
	struct svc_client *client; /* NULL: free */
	uint32_t id;
	enum stage stage;
	bool is_shut_told;       /* the last of away and here */
	enum replica_state told; /* the state of the last away */
	bool is_resumed;         /* READY comes behind what was missed */
	bool is_gap_due;         /* what it was told is not what is here */
	bool is_waiting;         /* until the state is as far as it was */
	/* SNAPSHOT: of the state that is told; else: told up to here. */
	struct cfgstored_place place;
	/* SNAPSHOT: the last key told. */
	size_t key_len;
	uint8_t key[KV_KEY_BYTES_MAX];
	struct cfgstored_filter filter;
};

struct cfgstored_watches {
	struct sub subs[SUBS];
	uint32_t top; /* all in use are below */
	uint32_t count;
	uint64_t safe_rev; /* seen, and durable: in every later state */
};

struct cfgstored_watches *
cfgstored_watch_create(struct arena *arena)
{
	return arena_take(arena, sizeof(struct cfgstored_watches));
}

uint32_t
cfgstored_watch_count(const struct cfgstored *d)
{
	return d->watches->count;
}

static void
drop(struct cfgstored_watches *watches, struct sub *sub)
{
	sub->client = NULL;
	watches->count--;
	while (
	    watches->top > 0 && watches->subs[watches->top - 1].client == NULL)
		watches->top--;
}

void
cfgstored_watch_closed(struct cfgstored *d, const struct svc_client *client)
{
	for (uint32_t i = d->watches->top; i-- > 0;)
		if (d->watches->subs[i].client == client)
			drop(d->watches, &d->watches->subs[i]);
}

void
cfgstored_watch_conf(struct cfgstored *d)
{
	for (uint32_t i = 0; i < d->watches->top; i++)
		d->watches->subs[i].filter.conf = d->serve->conf;
}

/* ---- lines ------------------------------------------------------------- */

static void
begin(struct cfgstored *d, const struct sub *sub, struct text *out,
    const char *event)
{
	text_init(out, d->scratch, d->scratch_bytes);
	text_put(out, "ev ");
	text_put_u64(out, sub->id);
	text_put_char(out, ' ');
	text_put(out, event);
}

static bool
offer(const struct sub *sub, struct text *out)
{
	text_put_char(out, '\n');
	return svc_offer(sub->client, out->bytes, out->len);
}

static bool
has_queue(const struct sub *sub)
{
	return svc_client_queued(sub->client) < QUEUE_BYTES;
}

static void
put_value(
    struct text *out, const struct kv *kv, const struct kv_version *version)
{
	struct kv_about about;

	kv_about(version, &about);
	cfgstored_put_number(out, "len", about.value_len);
	text_put_char(out, '\n');
	cfgstored_put_bytes(out, kv, version);
}

/* ---- the state --------------------------------------------------------- */

static bool
send_exists(struct cfgstored *d, const struct sub *sub, const struct kv *kv,
    const struct kv_version *v)
{
	struct kv_about about;
	struct text out;

	kv_about(v, &about);
	begin(d, sub, &out, "exists");
	cfgstored_put_key(&out, kv, v);
	cfgstored_put_number(&out, "rev", about.rev);
	cfgstored_put_number(&out, "created", about.created);
	cfgstored_put_number(&out, "by", about.node);
	if (about.lease != 0)
		cfgstored_put_number(&out, "lease", about.lease);
	put_value(&out, kv, v);
	return offer(sub, &out);
}

static void
begin_snapshot(struct sub *sub, const struct kv *kv)
{
	sub->stage = STAGE_SNAPSHOT;
	sub->key_len = 0;
	cfgstored_place_begin(&sub->place, &sub->place.of, kv_rev(kv));
}

static bool
send_gap(struct cfgstored *d, struct sub *sub, const struct kv *kv)
{
	struct text out;

	begin(d, sub, &out, "gap");
	cfgstored_put_number(&out, "compacted", kv_past_from(kv));
	if (!offer(sub, &out))
		return false;
	sub->is_gap_due = false;
	begin_snapshot(sub, kv);
	return true;
}

static bool
pump_snapshot(struct cfgstored *d, struct sub *sub, const struct kv *kv)
{
	const struct kv_version *page[PAGE];
	const struct kv_past_query query = { .rev = sub->place.rev,
		.prefix = sub->filter.prefix,
		.prefix_len = sub->filter.prefix_len,
		.after = sub->key_len > 0 ? sub->key : NULL,
		.after_len = sub->key_len,
		.is_wanted = cfgstored_filter_is_wanted,
		.arg = &sub->filter };
	const size_t count = kv_past_page(kv, &query, page, PAGE);

	for (size_t i = 0; i < count; i++) {
		struct kv_about about;

		if (!has_queue(sub) || !send_exists(d, sub, kv, page[i]))
			return false;
		kv_about(page[i], &about);
		kv_key(kv, page[i], sub->key);
		sub->key_len = about.key_len;
	}
	if (count < PAGE)
		sub->stage = STAGE_READY;
	return true;
}

static bool
pump_ready(struct cfgstored *d, struct sub *sub)
{
	struct text out;

	begin(d, sub, &out, "ready");
	cfgstored_put_number(&out, "rev", sub->place.rev);
	if (!offer(sub, &out))
		return false;
	sub->stage = STAGE_LIVE;
	return true;
}

/* ---- changes ----------------------------------------------------------- */

/* The next one behind v that the watcher wants; NULL: there is none. */
static const struct kv_version *
find_next(
    const struct sub *sub, const struct kv *kv, const struct kv_version *v)
{
	do
		v = kv_newer(kv, v);
	while (v != NULL && !cfgstored_filter_has(&sub->filter, kv, v));
	return v;
}

static bool
goes_on(const struct sub *sub, const struct kv *kv, const struct kv_version *v)
{
	const struct kv_version *next = find_next(sub, kv, v);
	struct kv_about about, other;

	if (next == NULL)
		return false;
	kv_about(v, &about);
	kv_about(next, &other);
	return about.rev == other.rev;
}

static void
put_change(struct text *out, const struct sub *sub, const struct kv *kv,
    const struct kv_version *v)
{
	static const char *const whys[] = { [KV_WHY_DEL] = "del",
		[KV_WHY_EXPIRED] = "expired",
		[KV_WHY_RELEASED] = "released" };
	struct kv_about about;

	kv_about(v, &about);
	cfgstored_put_key(out, kv, v);
	cfgstored_put_number(out, "rev", about.rev);
	cfgstored_put_number(out, "prev", about.prev);
	cfgstored_put_number(out, "by", about.node);
	if (about.is_deletion)
		cfgstored_put(out, "why", whys[about.why]);
	else if (about.lease != 0)
		cfgstored_put_number(out, "lease", about.lease);
	if (goes_on(sub, kv, v))
		cfgstored_put(out, "more", "yes");
}

static bool
send_change(struct cfgstored *d, const struct sub *sub, const struct kv *kv,
    const struct kv_version *v)
{
	const struct kv_version *before = kv_before(kv, v);
	struct kv_about about, old = { 0 };
	struct text out;

	kv_about(v, &about);
	if (before != NULL)
		kv_about(before, &old);
	begin(d, sub, &out, about.is_deletion ? "del" : "put");
	put_change(&out, sub, kv, v);
	if (before != NULL)
		cfgstored_put_number(&out, "old_len", old.value_len);
	cfgstored_put_number(&out, "len", about.value_len + old.value_len);
	text_put_char(&out, '\n');
	cfgstored_put_bytes(&out, kv, v);
	if (before != NULL)
		cfgstored_put_bytes(&out, kv, before);
	return offer(sub, &out);
}

static bool
pump_live(struct cfgstored *d, struct sub *sub, const struct kv *kv)
{
	const struct kv_version *v;
	uint64_t looked = 0;

	if (sub->place.rev >= kv_rev(kv))
		return false;
	if (!cfgstored_place_next(&sub->place, kv, &v))
		return send_gap(d, sub, kv);
	for (; v != NULL && looked < SCAN_MAX; looked++) {
		if (!has_queue(sub))
			return false;
		if (cfgstored_filter_has(&sub->filter, kv, v) &&
		    !send_change(d, sub, kv, v))
			return false;
		cfgstored_place_pass(&sub->place, kv, v);
		v = kv_newer(kv, v);
	}
	if (v == NULL)
		cfgstored_place_end(&sub->place, kv);
	return true;
}

/* ---- all of them ------------------------------------------------------- */

/* Whether writes would be taken. */
static void
tell_openness(struct cfgstored *d, struct sub *sub, const struct kv *kv)
{
	const bool is_shut = !cfgstored_is_open(d);
	struct replica_status status;
	struct text out;

	if (sub->stage != STAGE_LIVE ||
	    (sub->is_shut_told == is_shut &&
		(!is_shut || sub->told == d->state)))
		return;
	begin(d, sub, &out, is_shut ? "away" : "here");
	if (is_shut) {
		replica_status(d->replica, &status);
		cfgstored_put_value(
		    &out, "why", status.why, strlen(status.why));
		cfgstored_put(&out, "state", replica_state_name(d->state));
	} else
		cfgstored_put_number(&out, "rev", kv_rev(kv));
	if (!offer(sub, &out))
		return;
	sub->is_shut_told = is_shut;
	sub->told = d->state;
}

/* false: nothing more can be told now. */
static bool
pump_once(struct cfgstored *d, struct sub *sub, const struct kv *kv)
{
	if (!has_queue(sub) || sub->is_waiting)
		return false;
	if (sub->is_gap_due)
		return send_gap(d, sub, kv);
	switch (sub->stage) {
	case STAGE_SNAPSHOT:
		if (sub->place.rev < kv_past_from(kv))
			return send_gap(d, sub, kv);
		return pump_snapshot(d, sub, kv);
	case STAGE_READY:
		if (sub->is_resumed && sub->place.rev < kv_rev(kv))
			return pump_live(d, sub, kv);
		return pump_ready(d, sub);
	case STAGE_LIVE:
		return pump_live(d, sub, kv);
	}
	return false;
}

static struct cfgstored_place_state
get_state(const struct cfgstored *d, const struct kv *kv)
{
	return (struct cfgstored_place_state){ .run = d->cfg.run,
		.generation = kv_generation(kv) };
}

/* Is what it was told still what is here?  A key of the snapshot is not. */
static void
follow(struct sub *sub, const struct cfgstored_place_look *look)
{
	const enum cfgstored_place_verdict verdict =
	    cfgstored_place_follow(&sub->place, look);

	sub->is_waiting = verdict == CFGSTORED_PLACE_WAITS;
	if (verdict == CFGSTORED_PLACE_LOST ||
	    (verdict == CFGSTORED_PLACE_MOVED && sub->stage == STAGE_SNAPSHOT))
		sub->is_gap_due = true;
}

void
cfgstored_watch_pump(struct cfgstored *d)
{
	const struct kv *kv = cfgstored_kv(d);
	struct cfgstored_place_look look = { .kv = kv,
		.safe_rev = d->watches->safe_rev };

	if (kv == NULL)
		return;
	look.of = get_state(d, kv);
	look.is_complete = replica_staleness_ns(d->replica, d->now_ns) == 0;
	for (uint32_t i = 0; i < d->watches->top; i++) {
		struct sub *sub = &d->watches->subs[i];

		if (sub->client == NULL)
			continue;
		follow(sub, &look);
		while (pump_once(d, sub, kv))
			;
		tell_openness(d, sub, kv);
	}
	/* Only now: those above were told of what was here before. */
	if (replica_is_durable(d->replica))
		d->watches->safe_rev =
		    num_max(d->watches->safe_rev, kv_rev(kv));
}

/* ---- the verb ---------------------------------------------------------- */

struct wish {
	uint64_t id; /* 0: any */
	bool has_snapshot;
	bool has_since;
	uint64_t since;
};

static const char *
take_wish(const struct svc_request *req, struct wish *wish)
{
	const struct word_pair *id = word_get(req->word, "id");
	const struct word_pair *snapshot = word_get(req->word, "snapshot");
	const struct word_pair *since = word_get(req->word, "since");
	int has_snapshot = 1;

	*wish = (struct wish){ .has_since = since != NULL };
	if (id != NULL &&
	    parse_u64(id->value, id->len, 1, INT32_MAX, &wish->id) != 0)
		return "id: expected 1 to 2147483647";
	if (snapshot != NULL &&
	    parse_yes_no(snapshot->value, snapshot->len, &has_snapshot) != 0)
		return "snapshot: expected yes or no";
	if (since != NULL &&
	    parse_u64(since->value, since->len, 0, UINT64_MAX, &wish->since) !=
		0)
		return "since: expected a revision";
	wish->has_snapshot = has_snapshot != 0;
	return NULL;
}

static struct sub *
find_free(struct cfgstored_watches *watches, const struct svc_client *client)
{
	struct sub *found = NULL;
	uint32_t count = 0;

	for (uint32_t i = 0; i < SUBS; i++) {
		struct sub *sub = &watches->subs[i];

		count += sub->client == client;
		if (found == NULL && sub->client == NULL)
			found = sub;
		/* All above are free. */
		if (found != NULL && i >= watches->top)
			break;
	}
	return count < SUBS_CLIENT ? found : NULL;
}

static bool
is_taken(const struct cfgstored_watches *watches,
    const struct svc_client *client, uint64_t id)
{
	for (uint32_t i = 0; i < watches->top; i++)
		if (watches->subs[i].client == client &&
		    watches->subs[i].id == id)
			return true;
	return false;
}

static void
begin_sub(struct cfgstored *d, struct sub *sub, const struct wish *wish)
{
	const struct kv *kv = cfgstored_kv(d);
	const struct cfgstored_place_state of = get_state(d, kv);

	sub->stage = STAGE_SNAPSHOT;
	sub->key_len = 0;
	sub->is_shut_told = sub->is_gap_due = sub->is_waiting = false;
	sub->is_resumed = wish->has_since;
	cfgstored_place_begin(
	    &sub->place, &of, wish->has_since ? wish->since : kv_rev(kv));
	if (wish->has_since || !wish->has_snapshot)
		sub->stage = STAGE_READY;
}

static enum svc_result
start(struct cfgstored *d, struct svc_request *req, struct wish *wish,
    struct sub *sub)
{
	struct cfgstored_watches *watches = d->watches;

	while (wish->id == 0 || is_taken(watches, req->client, wish->id))
		wish->id++;
	sub->client = req->client;
	sub->id = (uint32_t)wish->id;
	watches->count++;
	watches->top = (uint32_t)num_max(
	    watches->top, (uint64_t)(sub - watches->subs) + 1);
	svc_client_hold(req->client, 1);
	begin_sub(d, sub, wish);
	svc_ok(req->client, req->tag, "id=%u", sub->id);
	return SVC_DONE;
}

enum svc_result
cfgstored_watch_run(void *arg, struct svc_request *req)
{
	struct cfgstored *d = arg;
	struct wish wish;
	struct sub *sub = find_free(d->watches, req->client);
	const char *mistake = take_wish(req, &wish);

	if (mistake == NULL && wish.id != 0 &&
	    is_taken(d->watches, req->client, wish.id))
		mistake = "id: taken by another subscription";
	if (mistake == NULL && sub != NULL) {
		sub->filter.conf = d->serve->conf;
		mistake = cfgstored_filter_take(
		    &sub->filter, req->word, svc_client_peer(req->client));
	}
	if (mistake != NULL)
		return cfgstored_svc_misused(req, mistake);
	if (sub == NULL) {
		svc_err(req->client, req->tag, "busy", "too many watches");
		return SVC_DONE;
	}
	if (cfgstored_kv(d) == NULL) {
		svc_err(req->client, req->tag, "away",
		    "the state is not complete here");
		return SVC_DONE;
	}
	return start(d, req, &wish, sub);
}
