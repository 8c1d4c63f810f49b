/* SPDX-License-Identifier: BSD-3-Clause */
/* A line of msgsend --json, as anybody may pipe it in. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/json.h"
#include "libcommon/base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Undone, quoted and undone again, a string is the same. */
static void
use_string(const char *bytes, size_t len)
{
	size_t size = JSON_STRING_GROWTH * len + 3, again_len;
	char *plain = malloc(len + 1), *again = malloc(size);
	struct text text;

	ENSURE(plain != NULL && again != NULL);
	memcpy(plain, bytes, len);
	if (json_undo_string(plain, &len) && text_is_utf8(plain, len)) {
		text_init(&text, again, size);
		json_put_string(&text, plain, len);
		ENSURE(!text.is_full && text.len >= 2);
		again_len = text.len - 2;
		ENSURE(json_undo_string(again + 1, &again_len));
		ENSURE(again_len == len);
		ENSURE(memcmp(again + 1, plain, len) == 0);
	}
	free(plain);
	free(again);
}

static void
use_base64(const char *bytes, size_t len)
{
	char *plain = malloc(len + 1), *again = malloc(2 * len + 8);
	size_t plain_len = len;
	struct text text;

	ENSURE(plain != NULL && again != NULL);
	memcpy(plain, bytes, len);
	if (json_undo_base64(plain, &plain_len)) {
		ENSURE(plain_len <= len / 4 * 3);
		text_init(&text, again, 2 * len + 8);
		json_put_base64(&text, plain, plain_len);
		ENSURE(text.len == len + 2);
	}
	free(plain);
	free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct json_value value;

	if (json_find((const char *)bytes, len, "data", &value) != 0)
		return 0;
	ENSURE(value.bytes >= (const char *)bytes &&
	    value.bytes + value.len <= (const char *)bytes + len);
	if (value.is_string) {
		use_string(value.bytes, value.len);
		use_base64(value.bytes, value.len);
	}
	return 0;
}
