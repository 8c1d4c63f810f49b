/* SPDX-License-Identifier: BSD-3-Clause */
/* Watchers' places, in states that go on, shrink and become other ones. */
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/cfgstored/cfgstored_place.h"
#include "tests/unit/check.h"

enum { SNAPSHOT_BYTES = 1 << 20, CHUNK_BYTES = 64 << 10 };

/* One where the watcher is, and one that goes on without it. */
static struct kv *here, *there;
static struct cfgstored_place place;
static struct cfgstored_place_look look;
static uint64_t number;

static struct kv *
make(void)
{
	static const struct kv_config cfg = { { 64, 8192, 4096, 8 }, 512,
		1 << 16 };
	struct arena arena;
	void *memory;

	arena_init(&arena, NULL, 0);
	(void)kv_create(&arena, &cfg);
	memory = aligned_alloc(64, num_round_up(arena.used_bytes, 64));
	ENSURE(memory != NULL);
	arena_init(&arena, memory, arena.used_bytes);
	return kv_create(&arena, &cfg);
}

static void
begin(void)
{
	here = make();
	there = make();
	number = 0;
}

static void
end(void)
{
	free(here);
	free(there);
}

static void
put(struct kv *kv, const char *key, const char *other)
{
	const struct kv_author author = { 1, 1, number };
	struct kv_part part = {
		.kind = KV_PUT, .value = (const uint8_t *)"v", .value_len = 1
	};
	uint8_t bytes[256];
	struct kv_result result;
	struct wrbuf wr;

	wrbuf_init(&wr, bytes, sizeof bytes);
	kv_command_begin(&wr, 0, other != NULL ? 2 : 1);
	part.key = (const uint8_t *)key;
	part.key_len = strlen(key);
	kv_command_add(&wr, &part);
	part.key = (const uint8_t *)other;
	part.key_len = other != NULL ? strlen(other) : 0;
	if (other != NULL)
		kv_command_add(&wr, &part);
	kv_apply(kv, &author, bytes, wr.len, &result);
	CHECK_EQ(result.code, KV_DONE);
}

static void
put_both(unsigned count)
{
	while (count-- > 0) {
		number++;
		put(here, "a", NULL);
		put(there, "a", NULL);
	}
}

static void
put_there(const char *key, unsigned count)
{
	while (count-- > 0) {
		number++;
		put(there, key, NULL);
	}
}

/* The state here becomes the one there. */
static void
fetch(void)
{
	static uint8_t bytes[SNAPSHOT_BYTES];
	struct kv_writer writer;
	struct kv_reader reader;
	size_t len = 0, more;

	kv_writer_init(&writer, there);
	while ((more = kv_writer_next(&writer, bytes + len, CHUNK_BYTES)) > 0) {
		len += more;
		ENSURE(len + CHUNK_BYTES <= sizeof bytes);
	}
	kv_clear(here);
	kv_reader_init(&reader, here);
	CHECK_EQ(kv_reader_take(&reader, bytes, len), 0);
	CHECK(reader.is_done);
}

static void
stand(uint64_t rev)
{
	const struct cfgstored_place_state of = { 1, kv_generation(here) };

	cfgstored_place_begin(&place, &of, rev);
}

static enum cfgstored_place_verdict
follow(uint64_t safe_rev, bool is_complete)
{
	look = (struct cfgstored_place_look){ .kv = here,
		.of = { 1, kv_generation(here) },
		.safe_rev = safe_rev,
		.is_complete = is_complete };
	return cfgstored_place_follow(&place, &look);
}

/* How many come, up to the end; SIZE_MAX: the place is lost. */
static size_t
count_told(void)
{
	const struct kv_version *v;
	size_t count = 0;

	if (!cfgstored_place_next(&place, here, &v))
		return SIZE_MAX;
	for (; v != NULL; v = kv_newer(here, v), count++)
		cfgstored_place_pass(&place, here, v);
	cfgstored_place_end(&place, here);
	return count;
}

/* What it stood on is memory of another state, where nothing comes next. */
static void
test_place_hears_on_in_a_state_that_was_fetched(void)
{
	begin();
	put_both(100);
	stand(0);
	CHECK_EQ(count_told(), 100);
	kv_compact(here, 90);
	kv_compact(there, 90);
	put_there("b", 5);
	fetch();
	CHECK_EQ(follow(100, true), CFGSTORED_PLACE_MOVED);
	CHECK_EQ(count_told(), 5);
	CHECK_EQ(follow(105, true), CFGSTORED_PLACE_SAME);
	CHECK_EQ(count_told(), 0);
	end();
}

/* It was told what only memory had, and that may be gone. */
static void
test_place_is_lost_with_what_was_not_durable(void)
{
	begin();
	put_both(10);
	stand(0);
	CHECK_EQ(count_told(), 10);
	put_there("b", 5);
	fetch();
	CHECK_EQ(follow(9, true), CFGSTORED_PLACE_LOST);
	CHECK_EQ(follow(9, true), CFGSTORED_PLACE_SAME);
	end();
}

static void
test_place_waits_for_a_state_that_is_behind(void)
{
	begin();
	put_both(10);
	stand(0);
	CHECK_EQ(count_told(), 10);
	kv_clear(here);
	CHECK_EQ(follow(10, false), CFGSTORED_PLACE_WAITS);
	put_there("b", 5);
	fetch();
	CHECK_EQ(follow(10, true), CFGSTORED_PLACE_MOVED);
	CHECK_EQ(count_told(), 5);
	/* All is here, and it is less: somebody began without it. */
	kv_clear(here);
	CHECK_EQ(follow(15, true), CFGSTORED_PLACE_LOST);
	end();
}

/* Half of a revision cannot be told again, nor the other half be found. */
static void
test_place_within_a_revision_is_lost(void)
{
	const struct kv_version *v;

	begin();
	number++;
	put(here, "a", "b");
	put(there, "a", "b");
	stand(0);
	CHECK(cfgstored_place_next(&place, here, &v));
	cfgstored_place_pass(&place, here, v);
	CHECK_EQ(place.rev, 0);
	CHECK_EQ(follow(1, true), CFGSTORED_PLACE_SAME);
	CHECK(cfgstored_place_next(&place, here, &v));
	CHECK(v != NULL);
	fetch();
	CHECK_EQ(follow(1, true), CFGSTORED_PLACE_LOST);
	end();
}

/* Nothing was missed for its being forgotten. */
static void
test_place_outlives_what_it_stood_on(void)
{
	begin();
	put_both(10);
	stand(0);
	CHECK_EQ(count_told(), 10);
	number++;
	put(here, "b", NULL);
	CHECK_EQ(count_told(), 1);
	number++;
	put(here, "b", NULL);
	CHECK_EQ(count_told(), 1);
	kv_compact(here, kv_rev(here));
	number++;
	put(here, "b", NULL);
	kv_compact(here, kv_rev(here) - 1);
	CHECK(!kv_is_kept(place.at, place.at_rev));
	CHECK_EQ(count_told(), 1);
	/* Not so if it had not been told. */
	stand(2);
	CHECK_EQ(count_told(), SIZE_MAX);
	end();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_place_hears_on_in_a_state_that_was_fetched),
		CHECK_TEST(test_place_is_lost_with_what_was_not_durable),
		CHECK_TEST(test_place_waits_for_a_state_that_is_behind),
		CHECK_TEST(test_place_within_a_revision_is_lost),
		CHECK_TEST(test_place_outlives_what_it_stood_on),
	};

	return CHECK_MAIN(argc, argv, tests);
}
