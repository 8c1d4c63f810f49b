/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstored/cfgstored_limit.h"

#include "libcommon/base/text.h"

/* How each is called: what is counted, in requests, in the file. */
static const struct {
	const char *what, *word, *setting;
} names[] = {
	[KV_LIMIT_NONE] = { "of what there is none", "", "" },
	[KV_LIMIT_KEYS] = { "keys", "keys", "keys_max" },
	[KV_LIMIT_BYTES] = { "bytes of keys and values", "bytes", "bytes_max" },
	[KV_LIMIT_VALUE] = { "bytes of a value", "value", "value_max" },
	[KV_LIMIT_LEASES] = { "leases", "leases", "leases_max" },
};

void
cfgstored_limit_now(
    const struct kv *kv, const struct kv_limits *room, struct kv_limits *out)
{
	*out = *room;
	if (kv != NULL)
		kv_limits_now(kv, out);
}

uint64_t
cfgstored_limit_of(const struct kv_limits *limits, enum kv_limit limit)
{
	switch (limit) {
	case KV_LIMIT_KEYS:
		return limits->keys;
	case KV_LIMIT_BYTES:
		return limits->bytes;
	case KV_LIMIT_VALUE:
		return limits->value_bytes;
	case KV_LIMIT_LEASES:
		return limits->leases;
	case KV_LIMIT_NONE:
		break;
	}
	return 0;
}

enum kv_limit
cfgstored_limit_beyond(
    const struct kv_limits *wanted, const struct kv_limits *room)
{
	for (enum kv_limit i = KV_LIMIT_KEYS; i <= KV_LIMIT_LEASES; i++)
		if (cfgstored_limit_of(wanted, i) > cfgstored_limit_of(room, i))
			return i;
	return KV_LIMIT_NONE;
}

void
cfgstored_limit_put(enum kv_limit limit, uint64_t wanted,
    const struct kv_limits *now, const struct kv_limits *room, struct text *out)
{
	uint64_t most = cfgstored_limit_of(now, limit);

	text_put_u64(out, wanted);
	text_put_char(out, ' ');
	text_put(out, names[limit].what);
	text_put(out, ", over the limit of ");
	text_put_u64(out, most);
	text_put(out, " that ");
	if (most < cfgstored_limit_of(room, limit)) {
		text_put(out, "cfgstore limits ");
		text_put(out, names[limit].word);
		text_put(out, "= set");
		return;
	}
	text_put(out, "[store] ");
	text_put(out, names[limit].setting);
	text_put(out, " sets");
}
