/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstored/cfgstored_once.h"

#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"

#include "bin/cfgstored/kv.h"

/* Keys are this and the lease, values the number, a blank and the uid. */
static const char prefix[] = "ringkit/client/";

enum { PREFIX_BYTES = sizeof prefix - 1 };

/* A revision that no key has. */
#define NO_REV UINT64_MAX

static size_t
put_numbers(uint8_t bytes[CFGSTORED_ONCE_BYTES], const char *before,
    uint64_t number, const uint32_t *uid)
{
	char line[CFGSTORED_ONCE_BYTES];
	struct text text;

	text_init(&text, line, sizeof line);
	text_put(&text, before);
	text_put_u64(&text, number);
	if (uid != NULL) {
		text_put_char(&text, ' ');
		text_put_u64(&text, *uid);
	}
	ENSURE(!text.is_full);
	memcpy(bytes, line, text.len);
	return text.len;
}

/* false: it is none of ours. */
static bool
read_value(const struct kv *kv, const struct kv_version *version,
    uint64_t *number, uint64_t *uid)
{
	char bytes[CFGSTORED_ONCE_BYTES];
	struct kv_about about;
	const char *blank;
	size_t len;

	kv_about(version, &about);
	if (about.value_len > sizeof bytes)
		return false;
	kv_value(kv, version, 0, about.value_len, bytes);
	blank = memchr(bytes, ' ', about.value_len);
	if (blank == NULL)
		return false;
	len = (size_t)(blank - bytes);
	return parse_u64(bytes, len, 0, UINT64_MAX, number) == 0 &&
	    parse_u64(
		blank + 1, about.value_len - len - 1, 0, UINT32_MAX, uid) == 0;
}

enum cfgstored_once_found
cfgstored_once_look(const struct kv *kv, struct cfgstored_once *once)
{
	const struct kv_version *version;
	uint64_t number = 0, uid = 0;
	struct kv_about about;

	once->key_len = put_numbers(once->key, prefix, once->client, NULL);
	once->value_len =
	    put_numbers(once->value, "", once->number, &once->uid);
	once->rev = 0;
	version = kv_get(kv, once->key, once->key_len);
	if (version == NULL)
		return CFGSTORED_ONCE_GOES;
	if (!read_value(kv, version, &number, &uid) || uid != once->uid)
		return CFGSTORED_ONCE_FOREIGN;
	if (number > once->number)
		return CFGSTORED_ONCE_OLD;
	kv_about(version, &about);
	/* That it was done has to be as durable as if it were done now. */
	once->rev = number == once->number ? NO_REV : about.rev;
	return CFGSTORED_ONCE_GOES;
}

void
cfgstored_once_parts(const struct cfgstored_once *once,
    struct kv_part *condition, struct kv_part *change)
{
	*condition = (struct kv_part){ .kind = KV_IF_REV,
		.key = once->key,
		.key_len = once->key_len,
		.number = once->rev };
	*change = (struct kv_part){ .kind = KV_PUT,
		.key = once->key,
		.key_len = once->key_len,
		.value = once->value,
		.value_len = once->value_len,
		.lease = once->client };
}

bool
cfgstored_once_is_done(
    const struct kv *kv, const struct cfgstored_once *once, uint64_t rev)
{
	struct cfgstored_once now = *once;
	const struct kv_version *version;
	struct kv_about about;

	if (cfgstored_once_look(kv, &now) != CFGSTORED_ONCE_GOES ||
	    now.rev != NO_REV)
		return false;
	version = kv_get(kv, now.key, now.key_len);
	ENSURE(version != NULL);
	kv_about(version, &about);
	return about.rev == rev;
}

bool
cfgstored_once_count(const struct kv *kv, uint64_t rev, size_t *count)
{
	const struct kv_version *version;
	struct kv_about about;

	*count = 0;
	if (rev == 0 || kv_compacted(kv) > rev - 1)
		return false;
	for (version = kv_since(kv, rev - 1); version != NULL;
	     version = kv_newer(kv, version)) {
		kv_about(version, &about);
		if (about.rev != rev)
			break;
		++*count;
	}
	if (*count == 0)
		return false;
	--*count;
	return true;
}

bool
cfgstored_once_is_own(
    const struct kv *kv, const struct kv_version *version, uint32_t uid)
{
	uint8_t key[KV_KEY_BYTES_MAX];
	uint64_t number, owner;
	struct kv_about about;

	kv_about(version, &about);
	kv_key(kv, version, key);
	return about.key_len > PREFIX_BYTES &&
	    memcmp(key, prefix, PREFIX_BYTES) == 0 &&
	    read_value(kv, version, &number, &owner) && owner == uid;
}
