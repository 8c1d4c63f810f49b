/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstore/cfgstore_lock.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/parse.h"
#include "libcommon/base/word.h"
#include "libcommon/os/tool.h"

#include "bin/cfgstore/cfgstore_bytes.h"
#include "bin/cfgstore/cfgstore_link.h"
#include "bin/cfgstore/cfgstore_scope.h"
#include "bin/cfgstore/cfgstore_write.h"

/* A lock that somebody says to hold. */
struct held {
	const char *name;
	size_t name_len;
	uint64_t token;
};

static bool
read_token(const char *token, struct held *out)
{
	return token != NULL &&
	    parse_u64(token, strlen(token), 1, UINT64_MAX, &out->token) == 0;
}

/* The last colon is meant: names may have some. */
static bool
read_lock(const char *lock, struct held *out)
{
	const char *colon = strrchr(lock, ':');

	if (*lock == '\0') {
		out->name = getenv("RINGKIT_LOCK_NAME");
		out->name_len = out->name != NULL ? strlen(out->name) : 0;
		return out->name_len > 0 &&
		    read_token(getenv("RINGKIT_LOCK_TOKEN"), out);
	}
	if (colon == NULL || colon == lock)
		return false;
	out->name = lock;
	out->name_len = (size_t)(colon - lock);
	return read_token(colon + 1, out);
}

bool
cfgstore_lock_is_valid(const char *lock)
{
	struct held held;

	return read_lock(lock, &held);
}

void
cfgstore_lock_put_slots(
    struct cfgstore_bytes *prefix, const char *name, size_t name_len)
{
	cfgstore_bytes_put_string(prefix, "lock/");
	cfgstore_bytes_put(prefix, name, name_len);
	cfgstore_bytes_put_string(prefix, "/slot/");
}

/* ---- which slot -------------------------------------------------------- */

struct search {
	uint64_t token;
	struct cfgstore_bytes slot; /* empty: not found */
};

static void
take(void *arg, struct ask_line *item)
{
	struct search *search = arg;
	const struct word_pair *key = word_get(item->word, "key");

	if (key != NULL && search->slot.len == 0 &&
	    cfgstore_link_u64(item, "rev") == search->token)
		cfgstore_bytes_put(&search->slot, key->value, key->len);
}

static void
find_slot(struct cfgstore_link *link, const struct held *held,
    struct cfgstore_bytes *slot)
{
	struct cfgstore_bytes prefix = { .at = NULL };
	struct search search = { .token = held->token };
	const char *name;
	const struct cfgstore_scope scope = { &name, 1, true };
	const struct cfgstore_pages pages = { .scope = &scope,
		.is_keys_only = true,
		.take = take,
		.arg = &search };

	cfgstore_lock_put_slots(&prefix, held->name, held->name_len);
	name = prefix.at;
	(void)cfgstore_pages_read(link, &pages);
	cfgstore_bytes_free(&prefix);
	*slot = search.slot;
}

void
cfgstore_lock_put(
    struct cfgstore_write *write, struct cfgstore_link *link, const char *lock)
{
	struct cfgstore_bytes slot;
	struct held held;

	if (!read_lock(lock, &held))
		tool_fail(EXITCODE_USAGE, "--lock: no lock and token");
	find_slot(link, &held, &slot);
	if (slot.len == 0)
		tool_fail(EXITCODE_FALSE,
		    "lock %.*s: is not held with token %" PRIu64,
		    (int)held.name_len, held.name, held.token);
	cfgstore_write_if(write,
	    &(struct cfgstore_condition){ .kind = CFGSTORE_IF_LOCK,
		.rev = held.token,
		.key = slot.at,
		.key_len = slot.len },
	    NULL);
	cfgstore_bytes_free(&slot);
}
