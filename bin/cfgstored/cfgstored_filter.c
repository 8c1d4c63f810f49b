/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstored/cfgstored_filter.h"

#include <string.h>

#include "libcommon/base/glob.h"
#include "libcommon/base/word.h"
#include "libcommon/os/acl.h"
#include "libcommon/os/cluster.h"

static const char *
take_globs(struct cfgstored_filter *filter, const struct word_pair *pair)
{
	char *list = pair->value, *item;
	size_t left = pair->len, len;

	if (pair->len > sizeof filter->globs)
		return "glob: expected at most 2048 bytes";
	memcpy(filter->globs, pair->value, pair->len);
	filter->globs_len = pair->len;
	while (word_take_item(&list, &left, &item, &len))
		if (len == 0 || !glob_is_valid(item, len))
			return "glob: expected patterns, apart by commas";
	return filter->globs_len > 0 ? NULL : "glob: expected a pattern";
}

const char *
cfgstored_filter_take(struct cfgstored_filter *filter, struct word *word,
    const struct unixsock_peer *peer)
{
	/* As written: escapes in a glob are a part of it. */
	const struct word_pair *globs = word_get_raw(word, "glob");
	const struct word_pair *prefix;

	filter->globs_len = filter->prefix_len = 0;
	filter->peer = *peer;
	if (globs != NULL) {
		const char *mistake = take_globs(filter, globs);

		if (mistake != NULL)
			return mistake;
	}
	prefix = word_get(word, "prefix");
	if (prefix == NULL)
		return NULL;
	if (prefix->len > sizeof filter->prefix)
		return "prefix: expected at most 512 bytes";
	memcpy(filter->prefix, prefix->value, prefix->len);
	filter->prefix_len = prefix->len;
	return NULL;
}

static bool
has_glob(const struct cfgstored_filter *filter, const uint8_t *key, size_t len)
{
	const char *at = filter->globs;
	const char *end = at + filter->globs_len;

	while (at < end) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		const size_t glob_len =
		    (size_t)((comma != NULL ? comma : end) - at);

		if (glob_match(at, glob_len, key, len))
			return true;
		at += glob_len + 1;
	}
	return filter->globs_len == 0;
}

bool
cfgstored_filter_has(const struct cfgstored_filter *filter, const struct kv *kv,
    const struct kv_version *version)
{
	uint8_t key[KV_KEY_BYTES_MAX];
	struct kv_about about;

	kv_about(version, &about);
	if (about.key_len < filter->prefix_len)
		return false;
	kv_key(kv, version, key);
	return memcmp(key, filter->prefix, filter->prefix_len) == 0 &&
	    has_glob(filter, key, about.key_len) &&
	    acl_may_use_key(filter->conf, &filter->peer, CLUSTER_RIGHT_CFG_READ,
		key, about.key_len);
}

bool
cfgstored_filter_is_wanted(
    void *filter, const struct kv *kv, const struct kv_version *version)
{
	return cfgstored_filter_has(filter, kv, version);
}
