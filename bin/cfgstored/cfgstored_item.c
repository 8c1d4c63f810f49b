/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstored/cfgstored_item.h"

#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/text.h"

void
cfgstored_put(struct text *out, const char *key, const char *value)
{
	text_put_char(out, ' ');
	text_put(out, key);
	text_put_char(out, '=');
	text_put(out, value);
}

void
cfgstored_put_number(struct text *out, const char *key, uint64_t number)
{
	cfgstored_put(out, key, "");
	text_put_u64(out, number);
}

void
cfgstored_put_value(
    struct text *out, const char *key, const void *bytes, size_t len)
{
	cfgstored_put(out, key, "");
	text_put_value(out, bytes, len);
}

void
cfgstored_put_key(
    struct text *out, const struct kv *kv, const struct kv_version *version)
{
	uint8_t key[KV_KEY_BYTES_MAX];
	struct kv_about about;

	kv_about(version, &about);
	kv_key(kv, version, key);
	cfgstored_put_value(out, "key", key, about.key_len);
}

const char *
cfgstored_yes_no(bool is_so)
{
	return is_so ? "yes" : "no";
}

void
cfgstored_put_voters(
    struct text *out, const char *key, const struct kv_electorate *e)
{
	cfgstored_put(out, key, "");
	for (size_t i = 0; i < e->count; i++) {
		if (i > 0)
			text_put_char(out, ',');
		text_put_u64(out, e->voter[i].id);
		text_put_char(out, ':');
		text_put_u64(out, e->voter[i].votes);
	}
}

void
cfgstored_put_nodes(
    struct text *out, const char *key, const struct kv_nodes *nodes)
{
	cfgstored_put(out, key, "");
	for (size_t i = 0; i < nodes->count; i++) {
		if (i > 0)
			text_put_char(out, ',');
		text_put_u64(out, nodes->id[i]);
	}
}

void
cfgstored_put_bytes(
    struct text *out, const struct kv *kv, const struct kv_version *version)
{
	struct kv_about about;

	kv_about(version, &about);
	/* One more for the NUL. */
	ENSURE(out->size - out->len > about.value_len);
	kv_value(kv, version, 0, about.value_len, out->bytes + out->len);
	out->len += about.value_len;
	out->bytes[out->len] = '\0';
}
