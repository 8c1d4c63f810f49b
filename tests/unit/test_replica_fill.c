/* SPDX-License-Identifier: BSD-3-Clause */
/* A member whose disk fell behind fetches the log of an epoch that it is in. */
#include "bin/cfgstored/replica_internal.h"
#include "tests/unit/check.h"
#include "tests/unit/storestep.h"

enum {
	SLOW = 3,
	VALUE_BYTES = 50000,
	LARGE_BYTES = 120000,
	/* Of records; more than a window or a disk takes. */
	LAG_BYTES = 3 << 20,
	AGAIN_MS = 2000,
	PASS_MS = 10000,
	/* One FETCH in some seconds, and what is told beside it. */
	MESSAGES_MAX = 200,
};

static enum replica_code
put(size_t len)
{
	static const uint8_t value[LARGE_BYTES];
	static uint8_t bytes[LARGE_BYTES + 64];
	const struct kv_part part = { .kind = KV_PUT,
		.key = (const uint8_t *)"key",
		.key_len = 3,
		.value = value,
		.value_len = len };
	struct wrbuf wr;

	wrbuf_init(&wr, bytes, sizeof bytes);
	kv_command_begin(&wr, 0, 1);
	kv_command_add(&wr, &part);
	return storestep_propose(1, bytes, wr.len).code;
}

static void
put_bytes(size_t bytes, size_t len)
{
	for (size_t i = 0; i < bytes; i += len)
		CHECK_EQ(put(len), REPLICA_OK);
}

static struct replica_status
status(void)
{
	struct replica_status out;

	replica_status(storestep_replica(SLOW), &out);
	return out;
}

/* It has all, and its disk has. */
static void
check_whole(void)
{
	const struct replica *r = storestep_replica(SLOW);

	CHECK_EQ(status().state, REPLICA_OPEN);
	CHECK(!r->fill.has_begun);
	CHECK_EQ(r->era.synced, r->era.end);
	CHECK(r->era.synced > r->era.open_index);
	/* And it counts: nobody else is there. */
	storestep_view(1 << 0 | 1 << (SLOW - 1));
	CHECK_EQ(put(1), REPLICA_OK);
	storestep_end();
}

/* What there is no room for is not asked for again and again. */
static void
check_fetching_ends(size_t len)
{
	uint64_t before;

	storestep_begin(3);
	storestep_hold_disk(SLOW, true);
	put_bytes(LAG_BYTES, len);
	CHECK_EQ(status().state, REPLICA_FILLING);
	before = storestep_messages();
	storestep_pass_ms(PASS_MS);
	CHECK(storestep_messages() - before < MESSAGES_MAX);
	storestep_hold_disk(SLOW, false);
	storestep_pass_ms(PASS_MS);
	check_whole();
}

static void
test_fill_waits_for_room(void)
{
	check_fetching_ends(VALUE_BYTES);
}

/* The disk takes more, but not what comes next. */
static void
test_fill_waits_for_room_for_large_ones(void)
{
	check_fetching_ends(LARGE_BYTES);
}

/* A snapshot of its own is under way when it needs the other one. */
static void
test_fill_by_a_state_that_is_saved_late(void)
{
	storestep_begin(3);
	storestep_hold_saves(true);
	put_bytes(LAG_BYTES / 8, VALUE_BYTES);
	CHECK_EQ(storestep_saves(SLOW), 1);
	storestep_hold_disk(SLOW, true);
	put_bytes(LAG_BYTES, VALUE_BYTES);
	storestep_hold_disk(SLOW, false);
	storestep_pass_ms(PASS_MS);
	CHECK(storestep_replica(SLOW)->fill.is_save_due);
	put_bytes(2 * VALUE_BYTES, VALUE_BYTES);
	storestep_hold_saves(false);
	CHECK(storestep_saves(SLOW) > 1);
	storestep_pass_ms(PASS_MS);
	check_whole();
}

static void
test_fill_by_a_state_that_cannot_be_saved(void)
{
	unsigned saves;

	storestep_begin(3);
	storestep_hold_disk(SLOW, true);
	put_bytes(LAG_BYTES, VALUE_BYTES);
	storestep_fail_saves(true);
	storestep_hold_disk(SLOW, false);
	storestep_pass_ms(PASS_MS);
	CHECK(storestep_replica(SLOW)->fill.is_unsaved);
	put_bytes(2 * VALUE_BYTES, VALUE_BYTES);
	storestep_fail_saves(false);
	saves = storestep_saves(SLOW);
	storestep_pass_ms(AGAIN_MS);
	CHECK(storestep_saves(SLOW) > saves);
	check_whole();
}

/* Its snapshot fails when another state has taken the place of what it has. */
static void
test_fill_by_a_second_state(void)
{
	struct replica_part part = { .kind = REPLICA_PART_CHUNK };
	struct replica *r;
	unsigned saves;

	storestep_begin(3);
	r = storestep_replica(SLOW);
	storestep_hold_disk(SLOW, true);
	put_bytes(LAG_BYTES, VALUE_BYTES);
	storestep_fail_saves(true);
	storestep_hold_disk(SLOW, false);
	storestep_pass_ms(PASS_MS);
	saves = storestep_saves(SLOW);
	storestep_hold_disk(SLOW, true);
	put_bytes(LAG_BYTES, VALUE_BYTES);
	storestep_pass_ms(AGAIN_MS);
	CHECK_EQ(storestep_saves(SLOW), saves + 1);
	CHECK(r->is_saving && r->fill.is_unsaved && !r->era.is_contiguous);
	part.number = r->fill.number;
	replica_fill_part(r, &part);
	CHECK(r->is_kv_void);
	r->fill.is_fetch_due = false; /* the rest of it takes its time */
	storestep_hold_disk(SLOW, false);
	CHECK(r->is_kv_void && !r->is_saving && !r->fill.is_save_due);
	storestep_fail_saves(false);
	storestep_pass_ms(2 * PASS_MS);
	check_whole();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_fill_waits_for_room),
		CHECK_TEST(test_fill_waits_for_room_for_large_ones),
		CHECK_TEST(test_fill_by_a_state_that_is_saved_late),
		CHECK_TEST(test_fill_by_a_state_that_cannot_be_saved),
		CHECK_TEST(test_fill_by_a_second_state),
	};

	return CHECK_MAIN(argc, argv, tests);
}
