/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Transactions as text, as any client may send them: what is accepted makes a
 * command that reads back the same.
 */
#include <stdint.h>
#include <string.h>

#include "libcommon/base/ensure.h"

#include "bin/cfgstored/kv_txn.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static uint8_t command[KV_COMMAND_BYTES_MAX];
static struct kv_txn txn;

static bool
count_parts(const char *bytes, size_t len, size_t *conditions, size_t *changes)
{
	enum kv_txn_result result;
	struct kv_part part;

	*conditions = *changes = 0;
	kv_txn_init(&txn, bytes, len);
	while ((result = kv_txn_next(&txn, &part)) == KV_TXN_PART) {
		ENSURE(part.kind < KV_PUT ? *changes == 0 : true);
		*conditions += part.kind < KV_PUT;
		*changes += part.kind >= KV_PUT;
	}
	ENSURE((result == KV_TXN_MISTAKE) == (txn.mistake != NULL));
	return result == KV_TXN_END;
}

static void
compare(const char *bytes, size_t len, struct kv_command *read)
{
	struct kv_part part, again;

	kv_txn_init(&txn, bytes, len);
	while (kv_txn_next(&txn, &part) == KV_TXN_PART) {
		kv_command_next(
		    part.kind < KV_PUT ? &read->conditions : &read->changes,
		    &again);
		ENSURE(part.kind == again.kind);
		ENSURE(part.key_len == again.key_len);
		ENSURE(part.value_len == again.value_len);
		ENSURE(part.lease == again.lease);
		ENSURE(part.number == again.number);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *text = (const char *)bytes;
	size_t conditions, changes;
	struct kv_command read;
	struct kv_part part;
	struct wrbuf wr;

	if (!count_parts(text, len, &conditions, &changes))
		return 0;
	wrbuf_init(&wr, command, sizeof command);
	kv_command_begin(&wr, conditions, changes);
	kv_txn_init(&txn, text, len);
	while (kv_txn_next(&txn, &part) == KV_TXN_PART)
		kv_command_add(&wr, &part);
	if (!wr.is_full && kv_command_open(&read, wr.bytes, wr.len) == 0)
		compare(text, len, &read);
	return 0;
}
