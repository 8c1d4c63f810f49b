/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Earlier states: random commands, all states remembered beside, and what
 * history tells of each compared; before and after a snapshot.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"

#include "bin/cfgstored/kv_past.h"
#include "tests/unit/check.h"

enum { KEYS = 12, STEPS = 120, STATES = STEPS + 1, SNAPSHOT_BYTES = 1 << 20 };

static void *blocks[2];
static uint8_t bytes[65536];
static uint8_t snapshot[SNAPSHOT_BYTES];

static struct kv *
make(size_t slot, const struct kv_config *cfg)
{
	struct arena arena;
	size_t size;

	arena_init(&arena, NULL, 0);
	kv_create(&arena, cfg);
	size = arena.used_bytes;
	free(blocks[slot]);
	blocks[slot] = aligned_alloc(64, num_round_up(size, 64));
	ENSURE(blocks[slot] != NULL);
	arena_init(&arena, blocks[slot], size);
	return kv_create(&arena, cfg);
}

/* The plain model: of every revision which keys there were, and since when. */
struct plain {
	uint64_t rev[STATES][KEYS]; /* of the key then; 0: absent */
	uint64_t now;
};

static size_t
key_of(unsigned i, char *key)
{
	/* Two groups of keys, for prefixes. */
	return (size_t)sprintf(key, "%c/%u", i % 3 == 0 ? 'a' : 'b', i);
}

static void
run_one(struct kv *kv, const struct kv_part *part)
{
	static struct kv_author author = { 1, 1, 0 };
	struct kv_result result;
	struct wrbuf wr;

	wrbuf_init(&wr, bytes, sizeof bytes);
	kv_command_begin(&wr, 0, 1);
	kv_command_add(&wr, part);
	author.number++;
	kv_apply(kv, &author, wr.bytes, wr.len, &result);
	CHECK_EQ(result.code, KV_DONE);
	kv_check(kv);
}

static void
step(struct rng *rng, struct kv *kv, struct plain *plain)
{
	static const uint8_t value[700];
	const unsigned i = (unsigned)rng_below(rng, KEYS);
	const uint64_t what = rng_below(rng, 12);
	char key[16];
	struct kv_part part = { .kind = what < 8 ? KV_PUT
		    : what < 11                  ? KV_DEL
						 : KV_DEL_PREFIX,
		.key = (const uint8_t *)key,
		.key_len = key_of(i, key),
		.value = value,
		.value_len = (size_t)rng_below(rng, sizeof value) };
	const uint64_t rev = plain->now + 1;

	memcpy(plain->rev[rev], plain->rev[rev - 1], sizeof plain->rev[0]);
	if (part.kind == KV_DEL_PREFIX) {
		part.key_len = 2;
		for (unsigned k = 0; k < KEYS; k++)
			if ((k % 3 == 0) == (i % 3 == 0))
				plain->rev[rev][k] = 0;
	} else
		plain->rev[rev][i] = part.kind == KV_PUT ? rev : 0;
	run_one(kv, &part);
	plain->now = kv_rev(kv);
}

static bool
has_a(void *arg, const struct kv *kv, const struct kv_version *version)
{
	char key[KV_KEY_BYTES_MAX];

	(void)arg;
	kv_key(kv, version, key);
	return key[0] == 'a';
}

/* All keys in pages of so many; the sum over what there was. */
static void
compare_pages(const struct kv *kv, const struct plain *plain, uint64_t rev,
    size_t page_size)
{
	const struct kv_version *page[KV_PAST_PAGE_MAX];
	char last[KV_KEY_BYTES_MAX] = "";
	struct kv_past_query query = { .rev = rev };
	size_t found = 0, count, want = 0;

	for (unsigned i = 0; i < KEYS; i++)
		want += plain->rev[rev][i] != 0;
	do {
		count = kv_past_page(kv, &query, page, page_size);
		for (size_t i = 0; i < count; i++) {
			char key[KV_KEY_BYTES_MAX + 1];
			struct kv_about about;

			kv_about(page[i], &about);
			kv_key(kv, page[i], key);
			key[about.key_len] = '\0';
			CHECK(strcmp(key, last) > 0);
			memcpy(last, key, about.key_len + 1);
			CHECK_EQ(about.rev,
			    plain->rev[rev][strtoul(key + 2, NULL, 10)]);
			found++;
		}
		query.after = (const uint8_t *)last;
		query.after_len = strlen(last);
	} while (count == page_size);
	CHECK_EQ(found, want);
}

static void
compare_wanted(const struct kv *kv, const struct plain *plain, uint64_t rev)
{
	const struct kv_version *page[KV_PAST_PAGE_MAX];
	const struct kv_past_query wanted = { .rev = rev, .is_wanted = has_a };
	const struct kv_past_query prefixed = {
		.rev = rev, .prefix = (const uint8_t *)"a/", .prefix_len = 2
	};
	size_t want = 0;

	for (unsigned i = 0; i < KEYS; i += 3)
		want += plain->rev[rev][i] != 0;
	CHECK_EQ(kv_past_page(kv, &wanted, page, KEYS), want);
	CHECK_EQ(kv_past_page(kv, &prefixed, page, KEYS), want);
}

static void
compare(const struct kv *kv, const struct plain *plain)
{
	for (uint64_t rev = kv_past_from(kv); rev <= plain->now; rev++) {
		compare_pages(kv, plain, rev, 1 + rev % 5);
		compare_wanted(kv, plain, rev);
		for (unsigned i = 0; i < KEYS; i++) {
			char key[16];
			const struct kv_version *v =
			    kv_past_get(kv, key, key_of(i, key), rev);
			struct kv_about about = { 0 };

			if (v != NULL)
				kv_about(v, &about);
			CHECK_EQ(about.rev, plain->rev[rev][i]);
		}
	}
}

/* Every change that is in the history knows what it replaced. */
static void
compare_changes(const struct kv *kv, const struct plain *plain)
{
	const struct kv_version *v = kv_since(kv, kv_compacted(kv));

	for (; v != NULL; v = kv_newer(kv, v)) {
		const struct kv_version *before = kv_before(kv, v);
		char key[KV_KEY_BYTES_MAX + 1];
		struct kv_about about, old = { 0 };
		unsigned long i;

		kv_about(v, &about);
		kv_key(kv, v, key);
		key[about.key_len] = '\0';
		i = strtoul(key + 2, NULL, 10);
		CHECK_EQ(about.prev, plain->rev[about.rev - 1][i]);
		if (before != NULL)
			kv_about(before, &old);
		if (about.rev > kv_past_from(kv))
			CHECK_EQ(old.rev, about.prev);
	}
}

static void
copy_over(const struct kv *kv, struct kv *copy)
{
	struct kv_writer writer;
	struct kv_reader reader;
	size_t len;

	kv_clear(copy);
	kv_writer_init(&writer, kv);
	kv_reader_init(&reader, copy);
	while (
	    (len = kv_writer_next(&writer, snapshot, KV_FRAME_BYTES_MAX)) > 0)
		CHECK_EQ(kv_reader_take(&reader, snapshot, len), 0);
	CHECK(reader.is_done);
	kv_check(copy);
	CHECK_EQ(kv_digest(copy), kv_digest(kv));
}

static void
run_random(uint64_t seed)
{
	/* From no history at all to all of it. */
	const struct kv_config cfg = { { 16, 65536, 4096, 4 },
		(uint32_t)(seed * 4), seed * 3000 };
	const struct kv_config less = { { 16, 65536, 4096, 4 }, 6, 2000 };
	struct kv *kv = make(0, &cfg), *copy;
	struct plain *plain = calloc(1, sizeof *plain);
	struct rng rng;

	rng_init(&rng, seed);
	for (unsigned i = 0; i < STEPS; i++) {
		step(&rng, kv, plain);
		if (i % 40 != 39)
			continue;
		compare(kv, plain);
		compare_changes(kv, plain);
	}
	copy = make(1, &cfg);
	copy_over(kv, copy);
	CHECK_EQ(kv_past_from(copy), kv_past_from(kv));
	compare(copy, plain);
	compare_changes(copy, plain);
	copy = make(1, &less);
	copy_over(kv, copy);
	compare(copy, plain);
	compare_changes(copy, plain);
	/* And it goes on from there. */
	for (unsigned i = 0; i < 10 && plain->now + 1 < STATES; i++)
		step(&rng, copy, plain);
	compare(copy, plain);
	free(plain);
}

static void
test_kv_past_is_what_there_was(void)
{
	for (uint64_t seed = 0; seed < 40; seed++)
		run_random(seed);
}

/* What one command replaces beyond all room is lost, and that is known. */
static void
test_kv_past_has_a_floor(void)
{
	const struct kv_config cfg = { { 64, 65536, 4096, 4 }, 8, 65536 };
	struct kv *kv = make(0, &cfg);
	struct kv_part part = { .kind = KV_PUT, .value_len = 0 };
	const struct kv_version *v;
	size_t known = 0;

	for (unsigned i = 0; i < 40; i++) {
		char key[16];

		part.key = (const uint8_t *)key;
		part.key_len = (size_t)sprintf(key, "k%u", i);
		run_one(kv, &part);
	}
	part.kind = KV_DEL_PREFIX;
	part.key = (const uint8_t *)"k";
	part.key_len = 1;
	run_one(kv, &part);
	CHECK_EQ(kv_key_count(kv), 0);
	CHECK_EQ(kv_compacted(kv), 40);
	CHECK_EQ(kv_past_from(kv), 41);
	/* All that happened is there all the same. */
	for (v = kv_since(kv, 40); v != NULL; v = kv_newer(kv, v))
		known++;
	CHECK_EQ(known, 40);
}

static void
test_kv_past_tells_why(void)
{
	static const enum kv_part_kind kinds[] = { KV_DEL, KV_EXPIRE,
		KV_RELEASE };
	static const enum kv_why whys[] = { KV_WHY_DEL, KV_WHY_EXPIRED,
		KV_WHY_RELEASED };
	const struct kv_config cfg = { { 64, 65536, 4096, 4 }, 99, 65536 };
	struct kv *kv = make(0, &cfg), *copy = make(1, &cfg);

	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
		struct kv_part part = { .kind = KV_GRANT, .number = 1 };
		const struct kv_version *v;
		struct kv_about about;
		uint64_t lease;

		run_one(kv, &part);
		lease = kv_rev(kv);
		part = (struct kv_part){ .kind = KV_PUT,
			.key = (const uint8_t *)"k",
			.key_len = 1,
			.lease = lease };
		run_one(kv, &part);
		CHECK(kv_lease_key(kv, lease) == kv_get(kv, "k", 1));
		CHECK(kv_lease_key_after(kv, kv_get(kv, "k", 1)) == NULL);
		part.kind = kinds[i];
		part.number = 0;
		run_one(kv, &part);
		CHECK(kv_get(kv, "k", 1) == NULL);
		copy_over(kv, copy);
		v = kv_last_below(copy, "k", 1, UINT64_MAX);
		kv_about(v, &about);
		CHECK(about.is_deletion);
		CHECK_EQ(about.why, whys[i]);
		CHECK_EQ(about.prev, about.rev - 1);
		CHECK(kv_is_kept(v, about.rev));
	}
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_kv_past_is_what_there_was),
		CHECK_TEST(test_kv_past_has_a_floor),
		CHECK_TEST(test_kv_past_tells_why),
	};
	int rc = CHECK_MAIN(argc, argv, tests);

	free(blocks[0]);
	free(blocks[1]);
	return rc;
}
