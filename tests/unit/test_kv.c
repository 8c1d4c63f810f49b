/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The store's state: what commands do, one by one and against a plain array;
 * history; snapshots, whole, cut and decayed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"

#include "bin/cfgstored/kv.h"
#include "tests/unit/check.h"

enum { COMMAND_BYTES = 1 << 16, SNAPSHOT_BYTES = 8 << 20, UID = 4001 };

static const struct kv_config small = { { 64, 8192, 4096, 8 }, 32, 8192 };

/* Freed at the end of a test, all at once. */
static void *blocks[8];
static size_t block_count;

static struct kv *
make(const struct kv_config *cfg)
{
	struct arena arena;
	size_t bytes;

	arena_init(&arena, NULL, 0);
	kv_create(&arena, cfg);
	bytes = arena.used_bytes;
	ENSURE(block_count < ARRAY_COUNT(blocks));
	blocks[block_count] = aligned_alloc(64, num_round_up(bytes, 64));
	ENSURE(blocks[block_count] != NULL);
	arena_init(&arena, blocks[block_count++], bytes);
	return kv_create(&arena, cfg);
}

static void
free_all(void)
{
	while (block_count > 0)
		free(blocks[--block_count]);
}

/* A command under way: parts are added, then it is applied. */
static uint8_t command_bytes[COMMAND_BYTES];
static struct wrbuf command;
static struct kv_author author;
static struct kv_result result;

static void
begin(size_t conditions, size_t changes)
{
	wrbuf_init(&command, command_bytes, sizeof command_bytes);
	kv_command_begin(&command, conditions, changes);
}

static void
add(enum kv_part_kind kind, const char *key, const char *value, uint64_t lease,
    uint64_t number)
{
	struct kv_part part = { .kind = kind,
		.key = (const uint8_t *)key,
		.key_len = key == NULL ? 0 : strlen(key),
		.value = (const uint8_t *)value,
		.value_len = value == NULL ? 0 : strlen(value),
		.lease = lease,
		.number = number,
		.uid = UID };

	kv_command_add(&command, &part);
}

static enum kv_code
apply(struct kv *kv)
{
	ENSURE(!command.is_full);
	author.node = 1;
	author.run = 1;
	author.number++;
	kv_apply(kv, &author, command.bytes, command.len, &result);
	kv_check(kv);
	return result.code;
}

static enum kv_code
one(struct kv *kv, enum kv_part_kind kind, const char *key, const char *value)
{
	begin(0, 1);
	add(kind, key, value, 0, 0);
	return apply(kv);
}

/* The value of a key as a string; "-" when there is none. */
static const char *
value_of(const struct kv *kv, const char *key)
{
	static char out[256];
	const struct kv_version *v = kv_get(kv, key, strlen(key));
	struct kv_about about;

	if (v == NULL)
		return "-";
	kv_about(v, &about);
	ENSURE(about.value_len < sizeof out);
	kv_value(kv, v, 0, about.value_len, out);
	out[about.value_len] = '\0';
	return out;
}

static void
test_kv_put_and_del(void)
{
	struct kv *kv = make(&small);
	struct kv_about about;

	author.number = 0;
	CHECK_EQ(one(kv, KV_PUT, "a", "1"), KV_DONE);
	CHECK_EQ(result.rev, 1);
	CHECK_EQ(one(kv, KV_PUT, "a", ""), KV_DONE);
	CHECK_STR(value_of(kv, "a"), "");
	CHECK_STR(value_of(kv, "b"), "-");
	kv_about(kv_get(kv, "a", 1), &about);
	CHECK_EQ(about.rev, 2);
	CHECK_EQ(about.created, 1);
	CHECK_EQ(about.node, 1);
	CHECK_EQ(one(kv, KV_DEL, "b", NULL), KV_DONE);
	CHECK_EQ(result.rev, 2);
	CHECK_EQ(result.changed, 0);
	CHECK_EQ(one(kv, KV_DEL, "a", NULL), KV_DONE);
	CHECK_EQ(result.rev, 3);
	CHECK_STR(value_of(kv, "a"), "-");
	CHECK_EQ(kv_bytes_used(kv), 0);
	free_all();
}

static void
test_kv_conditions(void)
{
	struct kv *kv = make(&small);

	author.number = 0;
	CHECK_EQ(one(kv, KV_PUT, "a", "1"), KV_DONE);
	begin(3, 2);
	add(KV_IF_REV, "a", NULL, 0, 1);
	add(KV_IF_VALUE, "a", "1", 0, 0);
	add(KV_IF_REV, "b", NULL, 0, 0);
	add(KV_PUT, "a", "2", 0, 0);
	add(KV_PUT, "b", "3", 0, 0);
	CHECK_EQ(apply(kv), KV_DONE);
	CHECK_EQ(result.rev, 2);
	CHECK_EQ(result.changed, 2);
	/* The same bytes again: the first condition does not hold any more. */
	CHECK_EQ(apply(kv), KV_CONFLICT);
	CHECK_EQ(result.at, 0);
	CHECK_EQ(result.key_rev, 2);
	CHECK_EQ(result.rev, 2);
	begin(2, 1);
	add(KV_IF_EXISTS, "a", NULL, 0, 0);
	add(KV_IF_VALUE, "b", "33", 0, 0);
	add(KV_DEL, "a", NULL, 0, 0);
	CHECK_EQ(apply(kv), KV_CONFLICT);
	CHECK_EQ(result.at, 1);
	CHECK_STR(value_of(kv, "a"), "2");
	begin(1, 0);
	add(KV_IF_EXISTS, "c", NULL, 0, 0);
	CHECK_EQ(apply(kv), KV_CONFLICT);
	free_all();
}

static void
test_kv_order_and_prefix(void)
{
	static const char *const keys[] = { "b/2", "a", "b/10", "b", "c/1",
		"b/1", "b0" };
	static const char *const want[] = { "a", "b", "b/1", "b/10", "b/2",
		"b0", "c/1" };
	struct kv *kv = make(&small);
	const struct kv_version *v;
	size_t count = 0;

	author.number = 0;
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++)
		CHECK_EQ(one(kv, KV_PUT, keys[i], "x"), KV_DONE);
	for (v = kv_seek(kv, "", 0); v != NULL; v = kv_after(kv, v)) {
		char key[KV_KEY_BYTES_MAX];
		struct kv_about about;

		kv_about(v, &about);
		kv_key(kv, v, key);
		CHECK_MEM(key, about.key_len, want[count], strlen(want[count]));
		count++;
	}
	CHECK_EQ(count, ARRAY_COUNT(want));
	CHECK_EQ(one(kv, KV_DEL_PREFIX, "b/", NULL), KV_DONE);
	CHECK_EQ(result.changed, 3);
	CHECK_EQ(kv_key_count(kv), 4);
	CHECK_STR(value_of(kv, "b0"), "x");
	free_all();
}

static void
test_kv_leases(void)
{
	struct kv *kv = make(&small);
	uint64_t lease;

	author.number = 0;
	begin(1, 2);
	add(KV_IF_REV, "lock", NULL, 0, 0);
	add(KV_GRANT, NULL, NULL, 0, 15);
	add(KV_PUT, "lock", "me", KV_LEASE_GRANTED, 0);
	CHECK_EQ(apply(kv), KV_DONE);
	lease = result.rev;
	CHECK_EQ(kv_lease_find(kv, lease)->ttl_ns, 15);
	CHECK_EQ(kv_lease_find(kv, lease)->uid, UID);
	begin(0, 1);
	add(KV_RENEW, NULL, NULL, lease, 0);
	CHECK_EQ(apply(kv), KV_DONE);
	CHECK_EQ(result.rev, lease);
	/* Who saw no renewal is late. */
	begin(0, 1);
	add(KV_EXPIRE, NULL, NULL, lease, 0);
	CHECK_EQ(apply(kv), KV_NO_LEASE);
	CHECK_STR(value_of(kv, "lock"), "me");
	begin(0, 1);
	add(KV_PUT, "more", "x", lease, 0);
	CHECK_EQ(apply(kv), KV_DONE);
	/* A key that is put without a lease outlives it. */
	CHECK_EQ(one(kv, KV_PUT, "more", "y"), KV_DONE);
	begin(0, 1);
	add(KV_EXPIRE, NULL, NULL, lease, 1);
	CHECK_EQ(apply(kv), KV_DONE);
	CHECK_EQ(result.changed, 1);
	CHECK_STR(value_of(kv, "lock"), "-");
	CHECK_STR(value_of(kv, "more"), "y");
	CHECK(kv_lease_find(kv, lease) == NULL);
	begin(0, 1);
	add(KV_PUT, "more", "z", lease, 0);
	CHECK_EQ(apply(kv), KV_NO_LEASE);
	for (size_t i = 0; i < 8; i++) {
		begin(0, 1);
		add(KV_GRANT, NULL, NULL, 0, 1);
		CHECK_EQ(apply(kv), KV_DONE);
	}
	begin(0, 1);
	add(KV_GRANT, NULL, NULL, 0, 1);
	CHECK_EQ(apply(kv), KV_FULL);
	free_all();
}

static void
test_kv_limits(void)
{
	static const struct kv_config cfg = { { 2, 10, 6, 1 }, 4, 64 };
	struct kv *kv = make(&cfg);
	struct kv_part part = { .kind = KV_LIMITS, .limits = { 1, 10, 6, 1 } };

	author.number = 0;
	CHECK_EQ(one(kv, KV_PUT, "a", "1234567"), KV_FULL);
	CHECK_EQ(result.limit, KV_LIMIT_VALUE);
	CHECK_EQ(result.wanted, 7);
	CHECK_EQ(one(kv, KV_PUT, "a", "123456"), KV_DONE);
	CHECK_EQ(one(kv, KV_PUT, "b", "123"), KV_FULL);
	CHECK_EQ(result.limit, KV_LIMIT_BYTES);
	CHECK_EQ(result.wanted, 11);
	CHECK_EQ(one(kv, KV_PUT, "b", "12"), KV_DONE);
	CHECK_EQ(one(kv, KV_PUT, "c", ""), KV_FULL);
	CHECK_EQ(result.limit, KV_LIMIT_KEYS);
	CHECK_EQ(result.wanted, 3);
	/* Full, but this makes no more. */
	begin(0, 2);
	add(KV_PUT, "c", "123456", 0, 0);
	add(KV_DEL, "a", NULL, 0, 0);
	CHECK_EQ(apply(kv), KV_DONE);
	begin(0, 1);
	kv_command_add(&command, &part);
	CHECK_EQ(apply(kv), KV_ROOM);
	CHECK_EQ(one(kv, KV_DEL, "b", NULL), KV_DONE);
	begin(0, 1);
	kv_command_add(&command, &part);
	CHECK_EQ(apply(kv), KV_DONE);
	CHECK_EQ(one(kv, KV_PUT, "b", ""), KV_FULL);
	part.limits.keys = 3;
	begin(0, 1);
	kv_command_add(&command, &part);
	CHECK_EQ(apply(kv), KV_LACK);
	free_all();
}

static void
test_kv_once(void)
{
	struct kv *kv = make(&small);
	struct kv_author who = { 7, 3, 5 };

	begin(0, 1);
	add(KV_PUT, "a", "1", 0, 0);
	kv_apply(kv, &who, command.bytes, command.len, &result);
	CHECK_EQ(result.code, KV_DONE);
	kv_apply(kv, &who, command.bytes, command.len, &result);
	CHECK_EQ(result.code, KV_AGAIN);
	who.number = 4;
	kv_apply(kv, &who, command.bytes, command.len, &result);
	CHECK_EQ(result.code, KV_AGAIN);
	who.run = 2;
	who.number = 9;
	kv_apply(kv, &who, command.bytes, command.len, &result);
	CHECK_EQ(result.code, KV_AGAIN);
	CHECK_EQ(result.rev, 1);
	who.run = 4;
	who.number = 1;
	kv_apply(kv, &who, command.bytes, command.len, &result);
	CHECK_EQ(result.code, KV_DONE);
	CHECK_EQ(kv_author_last(kv, 7).run, 4);
	CHECK_EQ(kv_author_last(kv, 8).run, 0);
	/* More nodes than are remembered: the longest silent is forgotten. */
	for (uint32_t i = 0; i < KV_AUTHORS_MAX; i++) {
		who.node = 100 + i;
		kv_apply(kv, &who, command.bytes, command.len, &result);
		CHECK_EQ(result.code, KV_DONE);
		kv_check(kv);
	}
	CHECK_EQ(kv_author_last(kv, 7).run, 0);
	CHECK_EQ(kv_author_last(kv, 100).run, 4);
	free_all();
}

static void
test_kv_history(void)
{
	struct kv *kv = make(&small);
	const struct kv_version *v;
	uint64_t rev = 0;

	author.number = 0;
	for (unsigned i = 0; i < 20; i++)
		CHECK_EQ(one(kv, KV_PUT, i % 2 ? "a" : "b", "x"), KV_DONE);
	CHECK_EQ(one(kv, KV_DEL, "a", NULL), KV_DONE);
	CHECK_EQ(kv_compacted(kv), 0);
	for (v = kv_since(kv, 5); v != NULL; v = kv_newer(kv, v)) {
		struct kv_about about;

		kv_about(v, &about);
		CHECK_EQ(about.rev, rev == 0 ? 6 : rev + 1);
		CHECK_EQ(about.is_deletion, about.rev == 21);
		rev = about.rev;
	}
	CHECK_EQ(rev, 21);
	CHECK(kv_since(kv, 21) == NULL);
	kv_compact(kv, 10);
	kv_check(kv);
	CHECK_EQ(kv_compacted(kv), 10);
	for (unsigned i = 0; i < 200; i++)
		CHECK_EQ(one(kv, KV_PUT, "b", "yy"), KV_DONE);
	/* What is kept is all but 32 versions and the current one. */
	CHECK_EQ(kv_compacted(kv), kv_rev(kv) - 32);
	kv_compact(kv, UINT64_MAX);
	kv_check(kv);
	CHECK_STR(value_of(kv, "b"), "yy");
	CHECK(kv_since(kv, 0) == NULL);
	free_all();
}

static void
test_kv_refuses(void)
{
	static const struct {
		const char *about;
		const char *bytes;
		size_t len;
		int want;
	} cases[] = {
		{ "nothing", "", 0, KV_COMMAND_E_SYNTAX },
		{ "version", "\1\0\0", 3, KV_COMMAND_E_VERSION },
		{ "no parts", "\2\0\0", 3, 0 },
		{ "behind it", "\2\0\0\0", 4, KV_COMMAND_E_SYNTAX },
		{ "kind 0", "\2\0\1\0", 4, KV_COMMAND_E_SYNTAX },
		{ "kind", "\2\0\1\177", 4, KV_COMMAND_E_SYNTAX },
		{ "too many", "\2\0\201\10", 4, KV_COMMAND_E_LIMIT },
		{ "cut", "\2\0\1\5\2a", 6, KV_COMMAND_E_SYNTAX },
		{ "length", "\2\0\1\5\377\377\377\377\377\377\377\377\177a", 14,
		    KV_COMMAND_E_SYNTAX },
		{ "del", "\2\0\1\5\1a", 6, 0 },
		{ "empty key", "\2\0\1\5\0", 5, KV_COMMAND_E_LIMIT },
		{ "twice", "\2\0\2\5\1a\5\1a", 9, KV_COMMAND_E_TWICE },
		{ "a change as condition", "\2\1\0\5\1a", 6,
		    KV_COMMAND_E_SYNTAX },
		{ "prefix and more", "\2\0\2\6\1a\5\1b", 9,
		    KV_COMMAND_E_TWICE },
		{ "no grant before",
		    "\2\0\1\4\1a\0\377\377\377\377\377\377"
		    "\377\377\377\1",
		    17, KV_COMMAND_E_TWICE },
	};
	struct kv_command out;

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		check_case(cases[i].about);
		CHECK_EQ(kv_command_open(&out, cases[i].bytes, cases[i].len),
		    cases[i].want);
	}
	check_case(NULL);
}

/* ---- at random, beside a plain array ----------------------------------- */

enum { PLAIN_KEYS = 40 };
struct plain {
	uint64_t rev[PLAIN_KEYS]; /* 0: absent */
	uint32_t len[PLAIN_KEYS];
	uint8_t fill[PLAIN_KEYS];
	uint64_t now;
};

static size_t
plain_key(unsigned i, char *key)
{
	/* Some longer than a cell. */
	size_t len = i % 5 == 0 ? 300 + i : 2;

	memset(key, 'k', len);
	key[0] = (char)('A' + i);
	return len;
}

static void
random_step(struct rng *rng, struct kv *kv, struct plain *plain)
{
	static uint8_t value[3000];
	unsigned i = (unsigned)rng_below(rng, PLAIN_KEYS);
	char key[KV_KEY_BYTES_MAX];
	uint64_t guess = rng_below(rng, 3) ? plain->rev[i] : plain->now;
	struct kv_part part = { .key = (const uint8_t *)key,
		.key_len = plain_key(i, key),
		.number = guess,
		.value = value,
		.value_len = (size_t)rng_below(rng, sizeof value) };
	bool is_del = rng_below(rng, 4) == 0;
	enum kv_code code;

	memset(value, (int)(i + plain->now), sizeof value);
	begin(1, 1);
	part.kind = KV_IF_REV;
	kv_command_add(&command, &part);
	part.kind = is_del ? KV_DEL : KV_PUT;
	kv_command_add(&command, &part);
	code = apply(kv);
	CHECK_EQ(code == KV_CONFLICT, guess != plain->rev[i]);
	if (code != KV_DONE || (is_del && plain->rev[i] == 0))
		return;
	plain->rev[i] = is_del ? 0 : plain->now + 1;
	plain->len[i] = (uint32_t)part.value_len;
	plain->fill[i] = value[0];
	plain->now++;
}

static void
compare(const struct kv *kv, const struct plain *plain)
{
	size_t count = 0;

	CHECK_EQ(kv_rev(kv), plain->now);
	for (unsigned i = 0; i < PLAIN_KEYS; i++) {
		char key[KV_KEY_BYTES_MAX];
		const struct kv_version *v = kv_get(kv, key, plain_key(i, key));
		struct kv_about about;
		uint8_t byte;

		if (!CHECK_EQ(v != NULL, plain->rev[i] != 0) || v == NULL)
			continue;
		kv_about(v, &about);
		CHECK_EQ(about.rev, plain->rev[i]);
		CHECK_EQ(about.value_len, plain->len[i]);
		for (size_t at = 0; at < about.value_len; at += 97) {
			kv_value(kv, v, at, 1, &byte);
			CHECK_EQ(byte, plain->fill[i]);
		}
		count++;
	}
	CHECK_EQ(kv_key_count(kv), count);
}

/* ---- snapshots --------------------------------------------------------- */

static uint8_t snapshot[SNAPSHOT_BYTES];

static size_t
save(const struct kv *kv, size_t size)
{
	struct kv_writer writer;
	size_t len = 0, more;

	kv_writer_init(&writer, kv);
	do {
		ENSURE(len + size <= sizeof snapshot);
		more = kv_writer_next(&writer, snapshot + len, size);
		len += more;
	} while (more > 0);
	return len;
}

static int
load(struct kv *kv, size_t len, bool *is_done)
{
	struct kv_reader reader;
	int error;

	kv_clear(kv);
	kv_reader_init(&reader, kv);
	error = kv_reader_take(&reader, snapshot, len);
	*is_done = reader.is_done;
	return error;
}

static void
check_copy(const struct kv *kv, struct kv *copy)
{
	bool is_done;
	size_t len = save(kv, KV_FRAME_BYTES_MAX + kv_rev(kv) % 5000);

	CHECK_EQ(load(copy, len, &is_done), 0);
	CHECK(is_done);
	kv_check(copy);
	CHECK_EQ(kv_digest(copy), kv_digest(kv));
	CHECK_EQ(kv_compacted(copy), kv_compacted(kv));
}

static void
run_random(uint64_t seed)
{
	struct kv_config cfg = { { 64, 65536, 4096, 8 }, (uint32_t)(seed * 5),
		seed * 4096 };
	struct kv *kv = make(&cfg), *copy = make(&cfg);
	struct plain plain = { 0 };
	struct rng rng;

	author.number = 0;
	rng_init(&rng, seed);
	for (unsigned i = 0; i < 500; i++) {
		random_step(&rng, kv, &plain);
		if (rng_below(&rng, 50) != 0)
			continue;
		compare(kv, &plain);
		check_copy(kv, copy);
	}
	compare(kv, &plain);
	free_all();
}

static void
test_kv_random(void)
{
	for (uint64_t seed = 1; seed <= 20; seed++)
		run_random(seed);
}

static void
fill_for_snapshot(struct kv *kv)
{
	author.number = 0;
	begin(0, 2);
	add(KV_GRANT, NULL, NULL, 0, 5);
	add(KV_PUT, "leased", "x", KV_LEASE_GRANTED, 0);
	CHECK_EQ(apply(kv), KV_DONE);
	CHECK_EQ(one(kv, KV_PUT, "a", "1"), KV_DONE);
	CHECK_EQ(one(kv, KV_PUT, "a", "2"), KV_DONE);
	CHECK_EQ(one(kv, KV_PUT, "gone", ""), KV_DONE);
	CHECK_EQ(one(kv, KV_DEL, "gone", NULL), KV_DONE);
}

/* Every cut and every decayed octet is found; what is found is never taken. */
static void
test_kv_snapshot_decayed(void)
{
	struct kv *kv = make(&small), *copy = make(&small);
	size_t len;
	bool is_done;

	fill_for_snapshot(kv);
	len = save(kv, KV_FRAME_BYTES_MAX);
	for (size_t cut = 0; cut < len; cut++) {
		int error = load(copy, cut, &is_done);

		CHECK(error != 0 || !is_done);
	}
	for (size_t at = 0; at < len; at++) {
		int error;

		snapshot[at] ^= 0x10;
		error = load(copy, len, &is_done);
		CHECK(error != 0);
		snapshot[at] ^= 0x10;
	}
	CHECK_EQ(load(copy, len, &is_done), 0);
	CHECK(is_done);
	kv_check(copy);
	CHECK_EQ(kv_digest(copy), kv_digest(kv));
	free_all();
}

static void
test_kv_snapshot_goes_on(void)
{
	struct kv *kv = make(&small), *copy = make(&small);
	bool is_done;

	fill_for_snapshot(kv);
	CHECK_EQ(load(copy, save(kv, KV_FRAME_BYTES_MAX), &is_done), 0);
	/* The lease and its key came along, and both still die together. */
	begin(0, 1);
	add(KV_RELEASE, NULL, NULL, 1, 0);
	CHECK_EQ(apply(kv), KV_DONE);
	kv_apply(copy, &author, command.bytes, command.len, &result);
	CHECK_EQ(result.code, KV_DONE);
	kv_check(copy);
	CHECK_STR(value_of(copy, "leased"), "-");
	CHECK_EQ(kv_digest(copy), kv_digest(kv));
	kv_apply(copy, &author, command.bytes, command.len, &result);
	CHECK_EQ(result.code, KV_AGAIN);
	free_all();
}

static void
test_kv_snapshot_room(void)
{
	static const struct kv_config less = { { 1, 8192, 4096, 8 }, 32, 8192 };
	static const struct kv_config no_past = { { 64, 8192, 4096, 8 }, 0, 0 };
	struct kv *kv = make(&small), *copy = make(&less);
	struct kv *bare = make(&no_past);
	bool is_done;
	size_t len;

	fill_for_snapshot(kv);
	len = save(kv, KV_FRAME_BYTES_MAX);
	CHECK_EQ(load(copy, len, &is_done), KV_READER_E_ROOM);
	CHECK_EQ(load(bare, len, &is_done), 0);
	kv_check(bare);
	CHECK_EQ(kv_digest(bare), kv_digest(kv));
	CHECK(kv_compacted(bare) > kv_compacted(kv));
	free_all();
}

/* The largest values, as many as there may be, replaced in one command each. */
static void
test_kv_large(void)
{
	static const struct kv_config cfg = { { 4, 3 << 20, 1 << 20, 1 }, 2,
		1 << 20 };
	static uint8_t bytes[KV_COMMAND_BYTES_MAX], value[1 << 20];
	struct kv *kv = make(&cfg), *copy = make(&cfg);
	struct kv_author who = { 1, 1, 0 };

	for (unsigned i = 0; i < 12; i++) {
		char key[2] = { (char)('a' + i % 2), '\0' };
		struct kv_part part = { .kind = KV_PUT,
			.key = (const uint8_t *)key,
			.key_len = 1,
			.value = value,
			.value_len = sizeof value };

		memset(value, (int)i, sizeof value);
		wrbuf_init(&command, bytes, sizeof bytes);
		kv_command_begin(&command, 0, 1);
		kv_command_add(&command, &part);
		who.number++;
		kv_apply(kv, &who, command.bytes, command.len, &result);
		CHECK_EQ(result.code, KV_DONE);
		kv_check(kv);
	}
	check_copy(kv, copy);
	free_all();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_kv_put_and_del),
		CHECK_TEST(test_kv_conditions),
		CHECK_TEST(test_kv_order_and_prefix),
		CHECK_TEST(test_kv_leases),
		CHECK_TEST(test_kv_limits),
		CHECK_TEST(test_kv_once),
		CHECK_TEST(test_kv_history),
		CHECK_TEST(test_kv_refuses),
		CHECK_TEST(test_kv_random),
		CHECK_TEST(test_kv_snapshot_decayed),
		CHECK_TEST(test_kv_snapshot_goes_on),
		CHECK_TEST(test_kv_snapshot_room),
		CHECK_TEST(test_kv_large),
	};

	return CHECK_MAIN(argc, argv, tests);
}
