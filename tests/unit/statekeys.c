/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/statekeys.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

static void *memory;
static uint64_t number;

struct kv *
statekeys_begin(const struct kv_config *cfg)
{
	struct arena arena;
	size_t bytes;

	arena_init(&arena, NULL, 0);
	(void)kv_create(&arena, cfg);
	bytes = arena.used_bytes;
	memory = aligned_alloc(64, num_round_up(bytes, 64));
	ENSURE(memory != NULL);
	arena_init(&arena, memory, bytes);
	number = 0;
	return kv_create(&arena, cfg);
}

void
statekeys_end(void)
{
	free(memory);
}

void
statekeys_put(struct kv *kv, const char *key, const void *value, size_t len)
{
	static uint8_t bytes[KV_COMMAND_BYTES_MAX];
	const struct kv_author author = { 1, 1, ++number };
	const struct kv_part part = { .kind = KV_PUT,
		.key = (const uint8_t *)key,
		.key_len = strlen(key),
		.value = value,
		.value_len = len };
	struct kv_result result;
	struct wrbuf wr;

	wrbuf_init(&wr, bytes, sizeof bytes);
	kv_command_begin(&wr, 0, 1);
	kv_command_add(&wr, &part);
	ENSURE(!wr.is_full);
	kv_apply(kv, &author, wr.bytes, wr.len, &result);
	ENSURE(result.code == KV_DONE);
}
