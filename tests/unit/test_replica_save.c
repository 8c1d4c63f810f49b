/* SPDX-License-Identifier: BSD-3-Clause */
/* When a replica asks for a snapshot: the log must not grow for ever. */
#include "tests/unit/check.h"
#include "tests/unit/storestep.h"

enum {
	VALUE_BYTES = 1000,
	/* So many fill what a snapshot is made for, and some more. */
	PUTS = STORESTEP_SNAPSHOT_BYTES / VALUE_BYTES + 2,
	AGAIN_MS = 10000,
};

static enum replica_code
put(uint32_t node, size_t value_len)
{
	static const uint8_t value[VALUE_BYTES];
	const struct kv_part part = { .kind = KV_PUT,
		.key = (const uint8_t *)"key",
		.key_len = 3,
		.value = value,
		.value_len = value_len };
	uint8_t bytes[VALUE_BYTES + 64];
	struct wrbuf wr;

	wrbuf_init(&wr, bytes, sizeof bytes);
	kv_command_begin(&wr, 0, 1);
	kv_command_add(&wr, &part);
	return storestep_propose(node, bytes, wr.len).code;
}

static void
put_many(unsigned count, size_t value_len)
{
	for (unsigned i = 0; i < count; i++)
		CHECK_EQ(put(1, value_len), REPLICA_OK);
}

static void
test_save_when_the_log_is_long(void)
{
	storestep_begin(3);
	put_many(PUTS / 2, VALUE_BYTES);
	CHECK_EQ(storestep_saves(1), 0);
	put_many(PUTS, VALUE_BYTES);
	CHECK_EQ(storestep_saves(1), 1);
	CHECK_EQ(storestep_saves(3), 1);
	storestep_end();
}

/* Small records are small, but not on disk. */
static void
test_save_when_the_log_is_long_on_disk(void)
{
	storestep_begin(3);
	put_many(8 * STORESTEP_SNAPSHOT_BYTES / 640, 1);
	CHECK_EQ(storestep_saves(1), 1);
	storestep_end();
}

static void
test_save_that_failed_is_tried_again_later(void)
{
	storestep_begin(1);
	storestep_fail_saves(true);
	put_many(PUTS, VALUE_BYTES);
	CHECK_EQ(storestep_saves(1), 1);
	put_many(PUTS, VALUE_BYTES);
	CHECK_EQ(storestep_saves(1), 1);
	/* Whether something happens meanwhile or not. */
	storestep_pass_ms(AGAIN_MS - 10);
	CHECK_EQ(storestep_saves(1), 1);
	storestep_pass_ms(20);
	CHECK_EQ(storestep_saves(1), 2);
	storestep_fail_saves(false);
	storestep_pass_ms(AGAIN_MS);
	CHECK_EQ(storestep_saves(1), 3);
	storestep_pass_ms(3 * AGAIN_MS);
	CHECK_EQ(storestep_saves(1), 3);
	storestep_end();
}

/* A log that is too long may be why there is no space. */
static void
test_save_on_a_full_disk_only_if_the_log_is_very_long(void)
{
	storestep_begin(3);
	put_many(PUTS - 4, VALUE_BYTES);
	storestep_fill_disk(1, true);
	CHECK_EQ(put(1, 1), REPLICA_FULL);
	for (unsigned i = 0; i < 4; i++)
		CHECK_EQ(put(2, VALUE_BYTES), REPLICA_OK);
	CHECK_EQ(storestep_saves(1), 0);
	CHECK_EQ(storestep_saves(2), 1);
	for (unsigned i = 0; i < 4 * PUTS; i++)
		CHECK_EQ(put(2, VALUE_BYTES), REPLICA_OK);
	CHECK_EQ(storestep_saves(1), 1);
	storestep_fill_disk(1, false);
	CHECK_EQ(put(1, 1), REPLICA_OK);
	storestep_end();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_save_when_the_log_is_long),
		CHECK_TEST(test_save_when_the_log_is_long_on_disk),
		CHECK_TEST(test_save_that_failed_is_tried_again_later),
		CHECK_TEST(
		    test_save_on_a_full_disk_only_if_the_log_is_very_long),
	};

	return CHECK_MAIN(argc, argv, tests);
}
