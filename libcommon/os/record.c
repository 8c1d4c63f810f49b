/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/os/record.h"

#include <stdbool.h>
#include <string.h>

#include "libcommon/base/escape.h"
#include "libcommon/base/json.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"
#include "libcommon/os/out.h"

enum { ITEM_BYTES = 1024 };

void
record_put(struct out *out, const char *event, struct word *word)
{
	out_put_string(out, event);
	for (size_t i = 0; i < word->pair_count; i++) {
		const struct word_pair *pair = &word->pair[i];

		out_put(out, " ", 1);
		out_put_string(out, pair->key);
		out_put(out, "=", 1);
		if (pair->is_raw)
			out_put(out, pair->value, pair->len);
		else
			out_put_value(out, pair->value, pair->len);
	}
}

static bool
is_one_of(const char *key, const char *const *keys, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

static bool
is_number(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] < '0' || bytes[i] > '9')
			return false;
	/* No more digits than a reader's integers have. */
	return len > 0 && len < 20;
}

/* ,"KEY": or ,"KEY_b64": and the bytes as they can be shown. */
void
record_put_json_bytes(
    struct out *out, const char *key, const void *bytes, size_t len)
{
	bool is_utf8 = text_is_utf8(bytes, len);
	struct text text;

	out_put_string(out, ",\"");
	out_put_string(out, key);
	out_put_string(out, is_utf8 ? "\":" : "_b64\":");
	out_begin_text(out, &text, JSON_STRING_GROWTH * len + 8);
	(is_utf8 ? json_put_string : json_put_base64)(&text, bytes, len);
	out_end_text(out, &text);
}

/* An item of a list: a number, or its text; what is no text, escaped. */
static void
put_item(struct out *out, char *item, size_t len)
{
	char quoted[ITEM_BYTES];
	struct text text, quote;

	if (is_number(item, len)) {
		out_put(out, item, len);
		return;
	}
	if (escape_is_valid(item, len))
		len = escape_undo(item, len);
	text_init(&quote, quoted, sizeof quoted);
	if (!text_is_utf8(item, len)) {
		text_put_value(&quote, item, len);
		item = quoted;
		len = quote.len;
	}
	out_begin_text(out, &text, JSON_STRING_GROWTH * len + 2);
	json_put_string(&text, item, len);
	out_end_text(out, &text);
}

static void
put_list(struct out *out, const struct word_pair *pair)
{
	char *list = pair->value, *item;
	size_t left = pair->len, len;
	const char *between = "";

	out_put_string(out, ",\"");
	out_put_string(out, pair->key);
	out_put_string(out, "\":[");
	while (word_take_item(&list, &left, &item, &len)) {
		out_put_string(out, between);
		put_item(out, item, len);
		between = ",";
	}
	out_put_string(out, "]");
}

/* Keys whose value is a number; others may only look like one. */
static bool
is_counted(const char *key)
{
	static const char *const numbers[] = { "node", "inc", "conn", "mid",
		"len", "lost", "ms", "pid", "uid", "n", "link", "votes",
		"groups", "clients", "subs", "pending", "window", "aru", "high",
		"delivered", "stable", "value", "seq", "coordinator", "needed",
		"expected", "by", "self", "rev", "created", "lease", "prev",
		"store_rev", "compacted", "keys", "bytes", "index", "acked",
		"renewals", "differences", "reloads", "active", "mtu",
		"priority", "loss_in", "loss_out", "health", "supervisor",
		"leases", "past" };
	const char *unit = strrchr(key, '_');

	return is_one_of(key, numbers, ARRAY_COUNT(numbers)) ||
	    (unit != NULL &&
		(strcmp(unit, "_ms") == 0 || strcmp(unit, "_us") == 0 ||
		    strcmp(unit, "_ns") == 0 || strcmp(unit, "_max") == 0 ||
		    strcmp(unit, "_bytes") == 0));
}

/* It is this key, behind that one. */
static bool
is_behind(
    const struct word *word, size_t idx, const char *before, const char *key)
{
	return idx > 0 && strcmp(word->pair[idx].key, key) == 0 &&
	    strcmp(word->pair[idx - 1].key, before) == 0;
}

/* inc is one number of a node, or those of all members; keys are so many, or
 * those of a node with their fingerprints; members may be so many, too. */
static bool
is_list(const struct word *word, size_t idx)
{
	static const char *const lists[] = { "members", "joined", "left",
		"reasons", "tags", "waiting_for", "what", "absent" };

	if (is_behind(word, idx, "groups", "members"))
		return false;
	return is_one_of(word->pair[idx].key, lists, ARRAY_COUNT(lists)) ||
	    is_behind(word, idx, "members", "inc") ||
	    is_behind(word, idx, "active", "keys");
}

/* The id of a key is a number, that of a message text. */
static bool
is_count(const struct word *word, size_t idx)
{
	bool is_last = idx + 1 == word->pair_count;

	return is_counted(word->pair[idx].key) ||
	    is_behind(word, idx, "groups", "members") ||
	    is_behind(word, idx, "reloads", "nodes") ||
	    is_behind(word, idx, "stage", "id") ||
	    (!is_last && is_behind(word, idx + 1, "id", "active"));
}

static void
put_pair(struct out *out, struct word *word, size_t idx)
{
	const struct word_pair *pair = &word->pair[idx];

	if (is_list(word, idx) && pair->is_raw) {
		put_list(out, pair);
	} else if (is_count(word, idx) && is_number(pair->value, pair->len)) {
		out_put_string(out, ",\"");
		out_put_string(out, pair->key);
		out_put_string(out, "\":");
		out_put(out, pair->value, pair->len);
	} else {
		pair = word_at(word, idx);
		record_put_json_bytes(out, pair->key, pair->value, pair->len);
	}
}

void
record_put_json(struct out *out, const char *event_key, const char *event,
    struct word *word)
{
	out_put_string(out, "{\"v\":1,\"");
	out_put_string(out, event_key);
	out_put_string(out, "\":\"");
	out_put_string(out, event);
	out_put_string(out, "\"");
	record_put_json_more(out, word);
}

void
record_put_json_more(struct out *out, struct word *word)
{
	for (size_t i = 0; i < word->pair_count; i++)
		put_pair(out, word, i);
}
