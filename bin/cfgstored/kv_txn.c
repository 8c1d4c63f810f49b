/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstored/kv_txn.h"

#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/word.h"

void
kv_txn_init(struct kv_txn *txn, const char *bytes, size_t len)
{
	txn->bytes = bytes;
	txn->len = len;
	txn->at = 0;
	txn->line = 0;
	txn->has_change = false;
	txn->mistake = NULL;
}

bool
kv_txn_get_ttl(const char *bytes, size_t len, uint64_t *ttl_ns)
{
	return parse_duration(bytes, len, ttl_ns) == 0 &&
	    *ttl_ns >= KV_TXN_TTL_NS_MIN && *ttl_ns <= KV_TXN_TTL_NS_MAX;
}

/* A line, split, and what stands behind it. */
struct item {
	struct word word;
	const char *data; /* NULL: none was announced */
	size_t data_len;
};

/* What is wrong with it, or NULL. */
static const char *
take_line(struct kv_txn *txn, struct item *item)
{
	const char *line = txn->bytes + txn->at;
	const size_t left = txn->len - txn->at;
	const char *lf = memchr(line, '\n', left);
	size_t len = lf != NULL ? (size_t)(lf - line) : left;
	uint64_t data_len = 0;
	enum word_data has_data;

	if (len >= sizeof txn->text)
		return "longer than 8191 bytes";
	txn->line++;
	txn->at += len + (lf != NULL);
	item->data = NULL;
	has_data = word_data_len(line, len, &data_len);
	if (has_data == WORD_DATA_BAD)
		return "len: expected a number";
	if (has_data == WORD_DATA_FOLLOWS) {
		if (data_len >= txn->len - txn->at ||
		    txn->bytes[txn->at + data_len] != '\n')
			return "no line end behind the data";
		item->data = txn->bytes + txn->at;
		item->data_len = (size_t)data_len;
		txn->at += (size_t)data_len + 1;
	}
	memcpy(txn->text, line, len);
	if (word_parse(&item->word, txn->text, len) != 0)
		return "expected if, put, del or grant, then key=value";
	if (item->word.verb_count != 1 || item->word.tag != NULL)
		return "expected key=value";
	return NULL;
}

/* ---- parts ------------------------------------------------------------- */

static bool
get_key(struct item *item, const char *name, struct kv_part *out)
{
	const struct word_pair *pair = word_get(&item->word, name);

	if (pair == NULL || pair->len == 0 || pair->len > KV_KEY_BYTES_MAX)
		return false;
	out->key = (const uint8_t *)pair->value;
	out->key_len = pair->len;
	return true;
}

static bool
is_yes(struct item *item, const char *name)
{
	const struct word_pair *pair = word_get(&item->word, name);

	return pair != NULL && strcmp(pair->value, "yes") == 0;
}

static const char *
take_if(struct item *item, struct kv_part *out)
{
	const struct word_pair *rev = word_get(&item->word, "rev");

	if (!get_key(item, "key", out))
		return "key: expected 1 to 512 bytes";
	if (item->word.pair_count != 2)
		return "expected one of rev=, absent=yes, exists=yes or len=";
	if (item->data != NULL) {
		out->kind = KV_IF_VALUE;
		out->value = (const uint8_t *)item->data;
		out->value_len = item->data_len;
		return NULL;
	}
	out->kind = is_yes(item, "exists") ? KV_IF_EXISTS : KV_IF_REV;
	if (out->kind == KV_IF_EXISTS || is_yes(item, "absent"))
		return NULL;
	if (rev == NULL ||
	    parse_u64(rev->value, rev->len, 0, UINT64_MAX, &out->number) != 0)
		return "expected one of rev=N, absent=yes, exists=yes or len=N";
	return NULL;
}

static const char *
take_put(struct item *item, struct kv_part *out)
{
	const struct word_pair *lease = word_get(&item->word, "lease");

	out->kind = KV_PUT;
	if (!get_key(item, "key", out))
		return "key: expected 1 to 512 bytes";
	if (item->data == NULL)
		return "expected len=";
	out->value = (const uint8_t *)item->data;
	out->value_len = item->data_len;
	if (item->word.pair_count != (lease != NULL ? 3U : 2U))
		return "expected key=, lease= and len=";
	if (lease == NULL)
		return NULL;
	if (strcmp(lease->value, "new") == 0) {
		out->lease = KV_LEASE_GRANTED;
		return NULL;
	}
	return parse_u64(lease->value, lease->len, 1, UINT64_MAX - 1,
		   &out->lease) == 0
	    ? NULL
	    : "lease: expected a number or new";
}

static const char *
take_del(struct item *item, struct kv_part *out)
{
	out->kind = KV_DEL;
	if (item->word.pair_count == 1 && get_key(item, "key", out))
		return NULL;
	out->kind = KV_DEL_PREFIX;
	if (item->word.pair_count == 1 && get_key(item, "prefix", out))
		return NULL;
	return "expected key= or prefix=";
}

static const char *
take_grant(struct item *item, struct kv_part *out)
{
	const struct word_pair *ttl = word_get(&item->word, "ttl");

	out->kind = KV_GRANT;
	if (item->word.pair_count != 1 || ttl == NULL ||
	    !kv_txn_get_ttl(ttl->value, ttl->len, &out->number))
		return "expected ttl=, 100ms to a year";
	return NULL;
}

static const char *
take_part(struct kv_txn *txn, struct item *item, struct kv_part *out)
{
	static const struct {
		const char *verb;
		const char *(*take)(struct item *, struct kv_part *);
	} takers[] = {
		{ "if", take_if },
		{ "put", take_put },
		{ "del", take_del },
		{ "grant", take_grant },
	};

	memset(out, 0, sizeof *out);
	for (size_t i = 0; i < ARRAY_COUNT(takers); i++) {
		if (strcmp(takers[i].verb, item->word.verb[0]) != 0)
			continue;
		if (i == 0 && txn->has_change)
			return "if: expected before the changes";
		txn->has_change = i != 0;
		return takers[i].take(item, out);
	}
	return "expected if, put, del or grant";
}

enum kv_txn_result
kv_txn_next(struct kv_txn *txn, struct kv_part *out)
{
	struct item item;

	if (txn->at == txn->len)
		return KV_TXN_END;
	txn->mistake = take_line(txn, &item);
	if (txn->mistake == NULL)
		txn->mistake = take_part(txn, &item, out);
	return txn->mistake != NULL ? KV_TXN_MISTAKE : KV_TXN_PART;
}
