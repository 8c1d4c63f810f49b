/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/fakestore.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/attr.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"

#include "bin/cfgstored/kv.h"

enum { LEASES = 512, LINE_BYTES = 9000 };

struct fakestore {
	struct kv *kv;
	void *memory;
	struct kv_author author;
	/* When a lease ends by this clock, beside its count of renewals. */
	struct {
		uint64_t id, due_ns;
	} lease[LEASES];
	size_t lease_count;
	uint8_t command[KV_COMMAND_BYTES_MAX];
};

/* ---- text -------------------------------------------------------------- */

void
fakestore_put(struct fakestore_text *text, const void *bytes, size_t len)
{
	if (text->len + len + 1 > text->size) {
		text->size = 2 * (text->len + len + 1);
		text->bytes = realloc(text->bytes, text->size);
		ENSURE(text->bytes != NULL);
	}
	memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
	text->bytes[text->len] = '\0';
}

void
fakestore_say(struct fakestore_text *text, const char *string)
{
	fakestore_put(text, string, strlen(string));
}

static void RK_PRINTF(2, 3)
    sayf(struct fakestore_text *text, const char *format, ...)
{
	char line[LINE_BYTES];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line, sizeof line, format, args);
	va_end(args);
	fakestore_say(text, line);
}

static void
answer(struct fakestore_text *out, const struct word *word)
{
	if (word->tag != NULL)
		sayf(out, "#%s ", word->tag);
}

/* ---- the store --------------------------------------------------------- */

struct fakestore *
fakestore_create(void)
{
	static const struct kv_config cfg = { { 4096, 8 << 20, 65536, 256 },
		65536, 8 << 20 };
	struct fakestore *store = calloc(1, sizeof *store);
	struct arena arena;

	ENSURE(store != NULL);
	arena_init(&arena, NULL, 0);
	kv_create(&arena, &cfg);
	store->memory = aligned_alloc(64, num_round_up(arena.used_bytes, 64));
	ENSURE(store->memory != NULL);
	arena_init(&arena, store->memory, arena.used_bytes);
	store->kv = kv_create(&arena, &cfg);
	store->author.run = 1;
	return store;
}

void
fakestore_destroy(struct fakestore *store)
{
	free(store->memory);
	free(store);
}

uint64_t
fakestore_rev(const struct fakestore *store)
{
	return kv_rev(store->kv);
}

uint64_t
fakestore_rev_of(const struct fakestore *store, const char *key)
{
	const struct kv_version *version = kv_get(store->kv, key, strlen(key));
	struct kv_about about;

	if (version == NULL)
		return 0;
	kv_about(version, &about);
	return about.rev;
}

/* ---- leases ------------------------------------------------------------ */

static void
forget_lease(struct fakestore *store, uint64_t id)
{
	for (size_t i = 0; i < store->lease_count; i++)
		if (store->lease[i].id == id)
			store->lease[i] = store->lease[--store->lease_count];
}

/* A little later than its owner counts. */
static void
set_lease(struct fakestore *store, uint64_t id, uint64_t now_ns)
{
	const struct kv_lease *lease = kv_lease_find(store->kv, id);

	forget_lease(store, id);
	if (lease == NULL)
		return;
	ENSURE(store->lease_count < LEASES);
	store->lease[store->lease_count].id = id;
	store->lease[store->lease_count++].due_ns =
	    now_ns + lease->ttl_ns / 16 * 17;
}

static void
apply(struct fakestore *store, uint32_t node, struct kv_result *out, size_t len)
{
	store->author.node = node;
	store->author.number++;
	kv_apply(store->kv, &store->author, store->command, len, out);
}

/* A command of one part. */
static void
apply_part(struct fakestore *store, uint32_t node, const struct kv_part *part,
    struct kv_result *out)
{
	struct wrbuf wr;

	wrbuf_init(&wr, store->command, sizeof store->command);
	kv_command_begin(&wr, 0, 1);
	kv_command_add(&wr, part);
	apply(store, node, out, wr.len);
}

static void
end_lease(struct fakestore *store, uint64_t id)
{
	struct kv_part part = { .kind = KV_RELEASE, .lease = id };
	struct kv_result result;

	apply_part(store, 1, &part, &result);
	forget_lease(store, id);
}

void
fakestore_pass(struct fakestore *store, uint64_t now_ns)
{
	for (size_t i = store->lease_count; i-- > 0;)
		if (store->lease[i].due_ns <= now_ns)
			end_lease(store, store->lease[i].id);
}

void
fakestore_lose(struct fakestore *store, uint64_t now_ns)
{
	(void)now_ns;
	while (store->lease_count > 0)
		end_lease(store, store->lease[0].id);
}

uint64_t
fakestore_deadline_ns(const struct fakestore *store)
{
	uint64_t due_ns = UINT64_MAX;

	for (size_t i = 0; i < store->lease_count; i++)
		due_ns = num_min(due_ns, store->lease[i].due_ns);
	return due_ns;
}

/* ---- events ------------------------------------------------------------ */

static bool
has_prefix(const char *key, size_t len, const char *prefix)
{
	return len >= strlen(prefix) &&
	    memcmp(key, prefix, strlen(prefix)) == 0;
}

/* The line, and its bytes; more: the revision goes on. */
static void
say_version(const struct fakestore *store, const struct kv_version *version,
    const char *verb, struct fakestore_text *out)
{
	char key[KV_KEY_BYTES_MAX], quoted[4 * KV_KEY_BYTES_MAX + 1];
	char value[65536];
	struct kv_about about;
	struct text text;

	kv_about(version, &about);
	kv_key(store->kv, version, key);
	text_init(&text, quoted, sizeof quoted);
	text_put_value(&text, key, about.key_len);
	sayf(out, "%s key=%s rev=%llu", verb, quoted,
	    (unsigned long long)about.rev);
	if (about.is_deletion) {
		fakestore_say(out, " why=del more=yes\n");
		return;
	}
	kv_value(store->kv, version, 0, about.value_len, value);
	sayf(out, " created=%llu by=%u", (unsigned long long)about.created,
	    about.node);
	if (about.lease != 0)
		sayf(out, " lease=%llu", (unsigned long long)about.lease);
	sayf(out, "%s len=%zu\n",
	    strncmp(verb, "ev 1 put", 8) == 0 ? " more=yes" : "",
	    about.value_len);
	fakestore_put(out, value, about.value_len);
	fakestore_say(out, "\n");
}

void
fakestore_snapshot(const struct fakestore *store, const char *prefix,
    struct fakestore_text *out)
{
	const struct kv_version *version =
	    kv_seek(store->kv, prefix, strlen(prefix));
	char key[KV_KEY_BYTES_MAX];
	struct kv_about about;

	for (; version != NULL; version = kv_after(store->kv, version)) {
		kv_about(version, &about);
		kv_key(store->kv, version, key);
		if (!has_prefix(key, about.key_len, prefix))
			break;
		say_version(store, version, "ev 1 exists", out);
	}
	sayf(out, "ev 1 ready rev=%llu\n",
	    (unsigned long long)kv_rev(store->kv));
}

/* The last event of a revision must not say that it goes on. */
static void
end_revision(struct fakestore_text *out, size_t line_at)
{
	static const char mark[] = " more=yes";
	char *line, *at;

	if (line_at == SIZE_MAX)
		return;
	line = out->bytes + line_at;
	at = strstr(line, mark);
	ENSURE(at != NULL);
	memmove(at, at + strlen(mark), strlen(at + strlen(mark)) + 1);
	out->len -= strlen(mark);
}

void
fakestore_events(const struct fakestore *store, const char *prefix,
    uint64_t rev, struct fakestore_text *out)
{
	const struct kv_version *version = kv_since(store->kv, rev);
	size_t last = SIZE_MAX;
	uint64_t last_rev = 0;

	for (; version != NULL; version = kv_newer(store->kv, version)) {
		char key[KV_KEY_BYTES_MAX];
		struct kv_about about;

		kv_about(version, &about);
		kv_key(store->kv, version, key);
		if (!has_prefix(key, about.key_len, prefix))
			continue;
		if (about.rev != last_rev)
			end_revision(out, last);
		last = out->len;
		last_rev = about.rev;
		say_version(store, version,
		    about.is_deletion ? "ev 1 del" : "ev 1 put", out);
	}
	end_revision(out, last);
}

/* ---- requests ---------------------------------------------------------- */

static uint64_t
number(struct word *word, const char *key)
{
	const struct word_pair *pair = word_get(word, key);
	uint64_t value = 0;

	if (pair != NULL)
		ENSURE(parse_u64(
			   pair->value, pair->len, 0, UINT64_MAX, &value) == 0);
	return value;
}

static void
refuse(struct fakestore_text *out, const struct kv_result *result)
{
	if (result->code == KV_CONFLICT)
		sayf(out, "no code=conflict at=%zu rev=%llu\n", result->at,
		    (unsigned long long)result->key_rev);
	else if (result->code == KV_NO_LEASE)
		fakestore_say(out, "no code=nolease\n");
	else if (result->code == KV_FULL)
		fakestore_say(out, "err code=full n=75 msg=full\n");
	else
		sayf(out, "err code=usage n=64 msg=code\\0040%d\n",
		    (int)result->code);
}

static void
do_lease(struct fakestore *store, struct fakestore_request *request,
    struct word *word, struct fakestore_text *out)
{
	const struct word_pair *ttl = word_get(word, "ttl");
	struct kv_part part = { .kind = KV_GRANT };
	struct kv_result result;

	ENSURE(ttl != NULL &&
	    parse_duration(ttl->value, ttl->len, &part.number) == 0);
	apply_part(store, request->node, &part, &result);
	if (result.code != KV_DONE) {
		refuse(out, &result);
		return;
	}
	set_lease(store, result.rev, request->now_ns);
	sayf(out, "ok lease=%llu ttl_ms=%llu\n", (unsigned long long)result.rev,
	    (unsigned long long)part.number / 1000000);
}

static void
do_with_lease(struct fakestore *store, struct fakestore_request *request,
    struct word *word, struct fakestore_text *out)
{
	bool is_renewal = strcmp(word->verb[0], "renew") == 0;
	struct kv_part part = { .kind = is_renewal ? KV_RENEW : KV_RELEASE,
		.lease = number(word, "lease") };
	struct kv_result result;

	apply_part(store, request->node, &part, &result);
	if (result.code != KV_DONE) {
		refuse(out, &result);
		return;
	}
	set_lease(store, part.lease, request->now_ns);
	fakestore_say(
	    out, is_renewal ? "ok renewals=1 ttl_ms=1\n" : "ok n=1\n");
}

/* One line of a transaction; answers how long it is with its bytes. */
static size_t
read_part(char *bytes, size_t left, struct word *word, struct kv_part *out)
{
	char *lf = memchr(bytes, '\n', left);
	size_t len;
	const struct word_pair *key;
	uint64_t data_len = 0;

	ENSURE(lf != NULL);
	len = (size_t)(lf - bytes);
	*out = (struct kv_part){ 0 };
	if (word_data_len(bytes, len, &data_len) == WORD_DATA_FOLLOWS) {
		ENSURE(len + 2 + data_len <= left);
		out->value = (const uint8_t *)lf + 1;
		out->value_len = (size_t)data_len;
	}
	*lf = '\0';
	ENSURE(word_parse(word, bytes, len) == 0);
	key = word_get(word, "key");
	ENSURE(key != NULL);
	out->key = (const uint8_t *)key->value;
	out->key_len = key->len;
	out->number = number(word, "rev");
	out->lease = number(word, "lease");
	if (strcmp(word->verb[0], "put") == 0)
		out->kind = KV_PUT;
	else if (strcmp(word->verb[0], "del") == 0)
		out->kind = KV_DEL;
	else
		out->kind = KV_IF_REV; /* absent is revision 0 */
	return len + 1 + (out->value != NULL ? data_len + 1 : 0);
}

static void
do_txn(struct fakestore *store, struct fakestore_request *request,
    size_t body_len, struct fakestore_text *out)
{
	static struct kv_part parts[256];
	char *body = malloc(body_len + 1);
	size_t count = 0, conditions = 0, at = 0;
	struct kv_result result;
	struct wrbuf wr;

	ENSURE(body != NULL);
	memcpy(body, request->body, body_len);
	while (at < body_len) {
		struct word word;

		ENSURE(count < ARRAY_COUNT(parts));
		at += read_part(body + at, body_len - at, &word, &parts[count]);
		conditions += parts[count++].kind == KV_IF_REV;
	}
	wrbuf_init(&wr, store->command, sizeof store->command);
	kv_command_begin(&wr, conditions, count - conditions);
	for (size_t i = 0; i < count; i++)
		kv_command_add(&wr, &parts[i]);
	apply(store, request->node, &result, wr.len);
	free(body);
	if (result.code != KV_DONE)
		refuse(out, &result);
	else
		sayf(out, "ok rev=%llu n=%zu\n", (unsigned long long)result.rev,
		    result.changed);
}

static void
do_list(struct fakestore *store, struct word *word, struct fakestore_text *out)
{
	const struct word_pair *prefix = word_get(word, "prefix");
	const struct kv_version *version =
	    kv_seek(store->kv, prefix->value, prefix->len);
	char key[KV_KEY_BYTES_MAX];
	struct kv_about about;
	unsigned n = 0;

	for (; version != NULL; version = kv_after(store->kv, version)) {
		kv_about(version, &about);
		kv_key(store->kv, version, key);
		if (!has_prefix(key, about.key_len, prefix->value))
			break;
		say_version(store, version, "item", out);
		n++;
	}
	sayf(out, "ok n=%u rev=%llu more=no\n", n,
	    (unsigned long long)kv_rev(store->kv));
}

/* Changes something, or would. */
static bool
is_write(const char *verb)
{
	return strcmp(verb, "txn") == 0 || strcmp(verb, "lease") == 0 ||
	    strcmp(verb, "renew") == 0 || strcmp(verb, "release") == 0;
}

static void
do_write(struct fakestore *store, struct fakestore_request *request,
    struct word *word, struct fakestore_text *out)
{
	const char *verb = word->verb[0];

	if (strcmp(verb, "txn") == 0)
		do_txn(store, request, (size_t)number(word, "len"), out);
	else if (strcmp(verb, "lease") == 0)
		do_lease(store, request, word, out);
	else
		do_with_lease(store, request, word, out);
}

static void
write_in_mood(struct fakestore *store, struct fakestore_request *request,
    struct word *word, struct fakestore_text *out)
{
	struct fakestore_text unsaid = { 0 };

	if (request->mood == FAKESTORE_REFUSES) {
		fakestore_say(
		    out, "err code=notquorate n=75 msg=not\\0040quorate\n");
		return;
	}
	if (request->mood == FAKESTORE_OPEN) {
		do_write(store, request, word, out);
		return;
	}
	if (request->mood == FAKESTORE_DONE_UNKNOWN)
		do_write(store, request, word, &unsaid);
	free(unsaid.bytes);
	fakestore_say(out, "no code=unknown n=75\n");
}

bool
fakestore_ask(struct fakestore *store, struct fakestore_request *request,
    struct fakestore_text *out)
{
	struct word word;
	const struct word_pair *prefix;

	if (word_parse(&word, request->line, request->len) != 0) {
		fakestore_say(out, "err code=usage n=64\n");
		return true;
	}
	answer(out, &word);
	if (is_write(word.verb[0])) {
		write_in_mood(store, request, &word, out);
	} else if (strcmp(word.verb[0], "list") == 0) {
		do_list(store, &word, out);
	} else if (strcmp(word.verb[0], "status") == 0) {
		fakestore_say(out, "ok state=open why= view=1.7 age_ms=0\n");
	} else if (strcmp(word.verb[0], "watch") == 0) {
		prefix = word_get(&word, "prefix");
		ENSURE(prefix != NULL && prefix->len < sizeof request->prefix);
		memcpy(request->prefix, prefix->value, prefix->len + 1);
		fakestore_say(out, "ok id=1\n");
		return false;
	} else {
		fakestore_say(out, "ok\n");
	}
	return true;
}
