/* SPDX-License-Identifier: BSD-3-Clause */
/* The verbs of cfg.sock that read.
 *
 * All of an answer is made at once, from one state.  It is bounded: a list
 * ends after about a MiB and says that there is more, and nobody is answered
 * who has not read what he was told before.
 */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/os/acl.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/serve.h"

#include "bin/cfgstored/cfgstored.h"
#include "bin/cfgstored/cfgstored_filter.h"
#include "bin/cfgstored/cfgstored_item.h"
#include "bin/cfgstored/kv_past.h"

enum {
	PAGE = 64,
	ANSWER_BYTES = 1 << 20, /* of a list; the last value may go beyond */
	HISTORY_MAX = 10000,
};

/* ---- words ------------------------------------------------------------- */

/* A number, or otherwise; false: it is none, and was told so. */
static bool
get_number(
    struct svc_request *req, const char *key, uint64_t otherwise, uint64_t *out)
{
	const struct word_pair *pair = word_get(req->word, key);

	*out = otherwise;
	if (pair == NULL ||
	    parse_u64(pair->value, pair->len, 0, UINT64_MAX, out) == 0)
		return true;
	svc_err(req->client, req->tag, "usage", "%s: expected a number", key);
	return false;
}

static const struct word_pair *
get_key(struct svc_request *req)
{
	const struct word_pair *key = word_get(req->word, "key");

	if (key != NULL && key->len > 0 && key->len <= KV_KEY_BYTES_MAX)
		return key;
	cfgstored_svc_misused(req, "key: expected 1 to 512 bytes");
	return NULL;
}

/* NULL, and it was told so. */
static const struct kv *
get_state(struct cfgstored *d, struct svc_request *req)
{
	const struct kv *kv = cfgstored_kv(d);

	if (kv == NULL)
		svc_err(req->client, req->tag, "away",
		    "the state is not complete here");
	return kv;
}

static bool
may_read(
    struct cfgstored *d, struct svc_request *req, const struct word_pair *key)
{
	if (acl_may_use_key(d->serve->conf, svc_client_peer(req->client),
		CLUSTER_RIGHT_CFG_READ, key->value, key->len))
		return true;
	cfgstored_svc_denied(req, "this key");
	return false;
}

static void
put_age(struct cfgstored *d, struct text *out)
{
	const uint64_t age_ns = replica_staleness_ns(d->replica, d->now_ns);

	if (age_ns == UINT64_MAX)
		cfgstored_put(out, "age_ms", "unknown");
	else
		cfgstored_put_number(out, "age_ms", age_ns / CLOCK_MS_NS);
}

static void
begin_line(struct cfgstored *d, const struct svc_request *req, struct text *out,
    const char *word)
{
	text_init(out, d->scratch, d->scratch_bytes);
	svc_put_tag(out, req->tag);
	text_put(out, word);
}

static void
end_line(const struct svc_request *req, struct text *out)
{
	text_put_char(out, '\n');
	svc_put(req->client, out->bytes, out->len);
}

/* What a version is, but for its key and its bytes. */
static void
put_about(struct text *out, const struct kv_about *about)
{
	cfgstored_put_number(out, "rev", about->rev);
	cfgstored_put_number(out, "created", about->created);
	cfgstored_put_number(out, "by", about->node);
	if (about->lease != 0)
		cfgstored_put_number(out, "lease", about->lease);
}

/* " len=N", LF, the bytes. */
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

/* false: the state at that revision is not known here, and it was told so. */
static bool
is_known(struct svc_request *req, const struct kv *kv, uint64_t rev)
{
	static const char yet[] = "there is no such revision here yet";
	const uint64_t from = kv_past_from(kv), to = kv_rev(kv);
	char words[192];
	struct text out;

	if (rev >= from && rev <= to)
		return true;
	text_init(&out, words, sizeof words);
	text_put(&out, rev < from ? "compacted" : "ahead n=75");
	cfgstored_put_number(&out, "rev", rev < from ? from : to);
	if (rev > to) {
		text_put(&out, " msg=");
		text_put_value(&out, yet, strlen(yet));
	}
	svc_no(req->client, req->tag, words);
	return false;
}

/* ---- get --------------------------------------------------------------- */

static void
tell_absent(struct cfgstored *d, const struct svc_request *req, uint64_t rev)
{
	struct text out;

	begin_line(d, req, &out, "no code=absent");
	cfgstored_put_number(&out, "store_rev", rev);
	put_age(d, &out);
	end_line(req, &out);
}

enum svc_result
cfgstored_svc_get(void *arg, struct svc_request *req)
{
	struct cfgstored *d = arg;
	const struct word_pair *key;
	const struct kv_version *v;
	const struct kv *kv;
	struct kv_about about;
	enum svc_result result;
	struct text out;
	uint64_t rev;

	if (!cfgstored_request_sync(d, req, &result))
		return result;
	key = get_key(req);
	if (key == NULL || !may_read(d, req, key))
		return SVC_DONE;
	kv = get_state(d, req);
	if (kv == NULL || !get_number(req, "rev", kv_rev(kv), &rev))
		return SVC_DONE;
	d->stats.reads++;
	if (!is_known(req, kv, rev))
		return SVC_DONE;
	v = kv_past_get(kv, key->value, key->len, rev);
	if (v == NULL) {
		tell_absent(d, req, rev);
		return SVC_DONE;
	}
	kv_about(v, &about);
	begin_line(d, req, &out, "ok");
	cfgstored_put_key(&out, kv, v);
	put_about(&out, &about);
	cfgstored_put_number(&out, "store_rev", kv_rev(kv));
	put_age(d, &out);
	put_value(&out, kv, v);
	end_line(req, &out);
	return SVC_DONE;
}

/* ---- list -------------------------------------------------------------- */

struct list {
	struct cfgstored *d;
	struct svc_request *req;
	const struct kv *kv;
	struct kv_past_query query;
	bool has_values;
	uint64_t items;
	size_t bytes;
	uint8_t after[KV_KEY_BYTES_MAX];
};

static void
put_item(struct list *list, const struct kv_version *v)
{
	struct kv_about about;
	struct text out;

	kv_about(v, &about);
	begin_line(list->d, list->req, &out, "item");
	cfgstored_put_key(&out, list->kv, v);
	put_about(&out, &about);
	if (list->has_values)
		put_value(&out, list->kv, v);
	end_line(list->req, &out);
	list->items++;
	list->bytes += out.len;
	kv_key(list->kv, v, list->after);
	list->query.after = list->after;
	list->query.after_len = about.key_len;
}

/* true: there is more. */
static bool
put_items(struct list *list)
{
	const struct kv_version *page[PAGE];
	size_t count;

	do {
		count = kv_past_page(list->kv, &list->query, page, PAGE);
		for (size_t i = 0; i < count; i++) {
			if (list->bytes >= ANSWER_BYTES)
				return true;
			put_item(list, page[i]);
		}
	} while (count == PAGE);
	return false;
}

/* false: something is wrong, and it was told so. */
static bool
take_list(struct list *list, struct cfgstored_filter *filter)
{
	struct svc_request *req = list->req;
	const struct word_pair *after, *keys;
	const char *mistake = cfgstored_filter_take(
	    filter, req->word, svc_client_peer(req->client));
	int keys_only = 0;

	filter->conf = list->d->serve->conf;
	after = word_get(req->word, "after");
	keys = word_get(req->word, "keys");
	if (after != NULL && after->len > KV_KEY_BYTES_MAX)
		mistake = "after: expected at most 512 bytes";
	if (keys != NULL &&
	    parse_yes_no(keys->value, keys->len, &keys_only) != 0)
		mistake = "keys: expected yes or no";
	if (mistake != NULL) {
		cfgstored_svc_misused(req, mistake);
		return false;
	}
	list->has_values = !keys_only;
	list->query.prefix = filter->prefix;
	list->query.prefix_len = filter->prefix_len;
	list->query.is_wanted = cfgstored_filter_is_wanted;
	list->query.arg = filter;
	if (after != NULL) {
		list->query.after = (const uint8_t *)after->value;
		list->query.after_len = after->len;
	}
	return get_number(req, "at", kv_rev(list->kv), &list->query.rev);
}

enum svc_result
cfgstored_svc_list(void *arg, struct svc_request *req)
{
	static struct cfgstored_filter filter;
	struct list list = { .d = arg, .req = req };
	enum svc_result result;
	bool has_more;

	if (!cfgstored_request_sync(arg, req, &result))
		return result;
	list.kv = get_state(arg, req);
	if (list.kv == NULL || !take_list(&list, &filter))
		return SVC_DONE;
	list.d->stats.reads++;
	if (!is_known(req, list.kv, list.query.rev))
		return SVC_DONE;
	has_more = put_items(&list);
	svc_ok(req->client, req->tag, "n=%llu rev=%llu more=%s",
	    (unsigned long long)list.items, (unsigned long long)list.query.rev,
	    cfgstored_yes_no(has_more));
	return SVC_DONE;
}

/* ---- history ----------------------------------------------------------- */

/* The newest version of the key below rev that history has, deletions too. */
static const struct kv_version *
find_older(const struct kv *kv, const struct word_pair *key,
    const struct kv_version *last, uint64_t rev)
{
	const struct kv_version *v = last != NULL
	    ? kv_before(kv, last)
	    : kv_get(kv, key->value, key->len);

	while (v != NULL) {
		struct kv_about about;

		kv_about(v, &about);
		if (about.rev < rev)
			return v;
		v = kv_before(kv, v);
	}
	return kv_last_below(kv, key->value, key->len, rev);
}

static void
put_version(struct cfgstored *d, const struct svc_request *req,
    const struct kv *kv, const struct kv_version *v)
{
	struct kv_about about;
	struct text out;

	kv_about(v, &about);
	begin_line(d, req, &out, "item");
	cfgstored_put_number(&out, "rev", about.rev);
	cfgstored_put_number(&out, "by", about.node);
	cfgstored_put(&out, "deleted", cfgstored_yes_no(about.is_deletion));
	put_value(&out, kv, v);
	end_line(req, &out);
}

enum svc_result
cfgstored_svc_history(void *arg, struct svc_request *req)
{
	struct cfgstored *d = arg;
	const struct word_pair *key = get_key(req);
	const struct kv_version *v;
	const struct kv *kv;
	uint64_t max, before, items = 0;
	size_t bytes = 0;

	if (key == NULL || !may_read(d, req, key) ||
	    !get_number(req, "n", HISTORY_MAX, &max) ||
	    !get_number(req, "before", UINT64_MAX, &before))
		return SVC_DONE;
	kv = get_state(d, req);
	if (kv == NULL)
		return SVC_DONE;
	d->stats.reads++;
	v = find_older(kv, key, NULL, before);
	for (; v != NULL && items < max && bytes < ANSWER_BYTES; items++) {
		struct kv_about about;

		put_version(d, req, kv, v);
		kv_about(v, &about);
		bytes += about.value_len + KV_KEY_BYTES_MAX;
		v = find_older(kv, key, v, about.rev);
	}
	svc_ok(req->client, req->tag, "n=%llu more=%s compacted=%llu",
	    (unsigned long long)items, cfgstored_yes_no(v != NULL),
	    (unsigned long long)kv_compacted(kv));
	return SVC_DONE;
}

/* ---- leases ------------------------------------------------------------ */

static uint64_t
count_keys(const struct kv *kv, uint64_t id)
{
	const struct kv_version *v = kv_lease_key(kv, id);
	uint64_t count = 0;

	for (; v != NULL; v = kv_lease_key_after(kv, v))
		count++;
	return count;
}

/* Known to nobody: as if it had just been renewed. */
static uint64_t
get_left_ms(struct cfgstored *d, const struct kv_lease *lease)
{
	const uint64_t left_ns =
	    replica_lease_left_ns(d->replica, lease->id, d->now_ns);

	return num_min(left_ns, lease->ttl_ns) / CLOCK_MS_NS;
}

enum svc_result
cfgstored_svc_leases(void *arg, struct svc_request *req)
{
	struct cfgstored *d = arg;
	const struct kv *kv = get_state(d, req);
	const struct kv_lease *lease;
	size_t i;

	if (kv == NULL)
		return SVC_DONE;
	for (i = 0; (lease = kv_lease_at(kv, i)) != NULL; i++) {
		struct text out;

		begin_line(d, req, &out, "item");
		cfgstored_put_number(&out, "lease", lease->id);
		cfgstored_put_number(
		    &out, "ttl_ms", lease->ttl_ns / CLOCK_MS_NS);
		cfgstored_put_number(&out, "left_ms", get_left_ms(d, lease));
		cfgstored_put_number(&out, "by", lease->node);
		cfgstored_put_number(&out, "renewals", lease->renewals);
		cfgstored_put_number(&out, "keys", count_keys(kv, lease->id));
		end_line(req, &out);
	}
	svc_ok(req->client, req->tag, "n=%zu", i);
	return SVC_DONE;
}
