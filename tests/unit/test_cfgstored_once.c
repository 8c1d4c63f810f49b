/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests that are done once: what a state says of them. */
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/cfgstored/cfgstored_once.h"
#include "bin/cfgstored/kv.h"
#include "tests/unit/check.h"

static struct kv *kv;
static void *memory;
static uint64_t number;

static void
begin(void)
{
	static const struct kv_config cfg = { { 64, 8192, 4096, 8 }, 8, 8192 };
	struct arena arena;
	size_t bytes;

	arena_init(&arena, NULL, 0);
	(void)kv_create(&arena, &cfg);
	bytes = arena.used_bytes;
	memory = aligned_alloc(64, num_round_up(bytes, 64));
	ENSURE(memory != NULL);
	arena_init(&arena, memory, bytes);
	kv = kv_create(&arena, &cfg);
}

static void
end(void)
{
	free(memory);
}

static struct kv_result
apply(const struct wrbuf *wr)
{
	const struct kv_author author = { 1, 1, ++number };
	struct kv_result result;

	ENSURE(!wr->is_full);
	kv_apply(kv, &author, wr->bytes, wr->len, &result);
	return result;
}

static uint64_t
grant(void)
{
	const struct kv_part part = { .kind = KV_GRANT, .number = 1000 };
	uint8_t bytes[64];
	struct wrbuf wr;

	wrbuf_init(&wr, bytes, sizeof bytes);
	kv_command_begin(&wr, 0, 1);
	kv_command_add(&wr, &part);
	return apply(&wr).rev;
}

static void
put_key(struct wrbuf *wr, const char *key)
{
	const struct kv_part part = { .kind = KV_PUT,
		.key = (const uint8_t *)key,
		.key_len = strlen(key),
		.value = (const uint8_t *)"v",
		.value_len = 1 };

	kv_command_add(wr, &part);
}

/* Two keys are put, with what makes it once. */
static struct kv_result
put_two(const struct cfgstored_once *once)
{
	struct kv_part condition, change;
	uint8_t bytes[512];
	struct wrbuf wr;

	cfgstored_once_parts(once, &condition, &change);
	wrbuf_init(&wr, bytes, sizeof bytes);
	kv_command_begin(&wr, 1, 3);
	kv_command_add(&wr, &condition);
	put_key(&wr, "a");
	put_key(&wr, "b");
	kv_command_add(&wr, &change);
	return apply(&wr);
}

static void
test_once_is_done_once(void)
{
	struct cfgstored_once once = { .number = 1, .uid = 7 };
	struct kv_result result;
	uint64_t rev;
	size_t count;

	begin();
	once.client = grant();
	CHECK_EQ(cfgstored_once_look(kv, &once), CFGSTORED_ONCE_GOES);
	result = put_two(&once);
	rev = result.rev;
	CHECK_EQ(result.code, KV_DONE);
	CHECK_EQ(result.changed, 3);

	/* From a node that knows of it, and from one that does not yet. */
	CHECK_EQ(put_two(&once).code, KV_CONFLICT);
	CHECK_EQ(cfgstored_once_look(kv, &once), CFGSTORED_ONCE_GOES);
	result = put_two(&once);
	CHECK_EQ(result.code, KV_CONFLICT);
	CHECK_EQ(result.at, 0);
	CHECK_EQ(result.key_rev, rev);
	CHECK(cfgstored_once_is_done(kv, &once, rev));
	CHECK(!cfgstored_once_is_done(kv, &once, rev + 1));
	CHECK(cfgstored_once_count(kv, rev, &count));
	CHECK_EQ(count, 2);

	once.number = 2;
	CHECK(!cfgstored_once_is_done(kv, &once, rev));
	CHECK_EQ(cfgstored_once_look(kv, &once), CFGSTORED_ONCE_GOES);
	CHECK_EQ(put_two(&once).code, KV_DONE);
	once.number = 1;
	CHECK_EQ(cfgstored_once_look(kv, &once), CFGSTORED_ONCE_OLD);
	CHECK(!cfgstored_once_is_done(kv, &once, rev));
	end();
}

/* Of two that were made of the same state one is done. */
static void
test_once_of_two_under_way_one_is_done(void)
{
	struct cfgstored_once first = { .number = 1 }, second = { .number = 2 };

	begin();
	first.client = second.client = grant();
	CHECK_EQ(cfgstored_once_look(kv, &first), CFGSTORED_ONCE_GOES);
	CHECK_EQ(cfgstored_once_look(kv, &second), CFGSTORED_ONCE_GOES);
	CHECK_EQ(put_two(&second).code, KV_DONE);
	CHECK_EQ(put_two(&first).code, KV_CONFLICT);
	CHECK(!cfgstored_once_is_done(kv, &first, kv_rev(kv)));
	end();
}

static void
test_once_ends_with_its_lease(void)
{
	struct cfgstored_once once = { .number = 1 };
	struct kv_part release = { .kind = KV_RELEASE };
	uint8_t bytes[64];
	struct wrbuf wr;

	begin();
	once.client = release.lease = grant();
	CHECK_EQ(cfgstored_once_look(kv, &once), CFGSTORED_ONCE_GOES);
	CHECK_EQ(put_two(&once).code, KV_DONE);
	wrbuf_init(&wr, bytes, sizeof bytes);
	kv_command_begin(&wr, 0, 1);
	kv_command_add(&wr, &release);
	CHECK_EQ(apply(&wr).code, KV_DONE);
	/* Nothing of it is kept, and it is not done again either. */
	CHECK_EQ(kv_key_count(kv), 2);
	CHECK_EQ(cfgstored_once_look(kv, &once), CFGSTORED_ONCE_GOES);
	CHECK_EQ(put_two(&once).code, KV_NO_LEASE);
	end();
}

static void
test_once_is_of_one_user(void)
{
	struct cfgstored_once once = { .number = 1, .uid = 7 };
	const struct kv_version *version;
	size_t count;

	begin();
	once.client = grant();
	CHECK_EQ(cfgstored_once_look(kv, &once), CFGSTORED_ONCE_GOES);
	CHECK_EQ(put_two(&once).code, KV_DONE);
	version = kv_lease_key(kv, once.client);
	CHECK(cfgstored_once_is_own(kv, version, 7));
	CHECK(!cfgstored_once_is_own(kv, version, 8));
	CHECK(!cfgstored_once_is_own(kv, kv_get(kv, "a", 1), 7));
	once.uid = 8;
	CHECK_EQ(cfgstored_once_look(kv, &once), CFGSTORED_ONCE_FOREIGN);
	kv_compact(kv, kv_rev(kv));
	CHECK(!cfgstored_once_count(kv, kv_rev(kv), &count));
	CHECK(!cfgstored_once_count(kv, 0, &count));
	end();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_once_is_done_once),
		CHECK_TEST(test_once_of_two_under_way_one_is_done),
		CHECK_TEST(test_once_ends_with_its_lease),
		CHECK_TEST(test_once_is_of_one_user),
	};

	return CHECK_MAIN(argc, argv, tests);
}
