/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The log as bytes: whatever a crash leaves of it, what was fsynced is read
 * back, and of what was not a whole batch or nothing; whatever decays, a
 * different log is never read.
 */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/num.h"

#include "tests/unit/check.h"
#include "tests/unit/logworld.h"

enum { SEEDS = 30, BATCHES = 60 };

static struct logworld world;
static struct logworld_log got, before;

static void
about(uint64_t seed, size_t batch, size_t at)
{
	static char text[80];

	snprintf(text, sizeof text, "seed %llu, batch %zu, at %zu",
	    (unsigned long long)seed, batch, at);
	check_case(text);
}

static void
play_batch(void)
{
	before = world.log;
	logworld_play(&world);
	logworld_write(&world);
}

/* ---- what is whole ----------------------------------------------------- */

static void
test_log_frames_go_round(void)
{
	static const uint8_t bytes[] = "what a client wrote";
	const struct kv_tip one = { { 1, 2, 3, 4 }, 5 };
	const struct kv_tip two = { { 6, 7, 8, 9 }, 10 };
	const struct kv_log_frame frames[] = {
		{ .kind = KV_LOG_LINK,
		    .is_first = true,
		    .state = { true, true, true, one, 4, two, two } },
		{ .kind = KV_LOG_LINK, .state = { .tip = two } },
		{ .kind = KV_LOG_RECORD,
		    .tip = two,
		    .acked = 3,
		    .bytes = bytes,
		    .len = sizeof bytes },
		{ .kind = KV_LOG_RECORD, .tip = one },
		{ .kind = KV_LOG_BEGIN, .tip = one, .is_on_snapshot = true },
		{ .kind = KV_LOG_BEGIN, .tip = two },
		{ .kind = KV_LOG_END, .acked = 7 },
		{ .kind = KV_LOG_ABORT },
	};

	for (size_t i = 0; i < ARRAY_COUNT(frames); i++) {
		uint8_t first[512], again[KV_LOG_FRAME_HEAD_BYTES];
		size_t len = kv_log_frame_head(&frames[i], first);
		struct kv_log_frame frame;
		struct rdbuf rd;

		about(0, i, 0);
		memcpy(first + len, bytes, frames[i].len);
		rdbuf_init(&rd, first, len + frames[i].len);
		if (!CHECK(kv_log_frame_take(&rd, &frame)))
			continue;
		CHECK(rdbuf_is_done(&rd));
		CHECK_EQ(frame.kind, frames[i].kind);
		CHECK_MEM(frame.bytes, frame.len, bytes, frames[i].len);
		CHECK_EQ(kv_log_frame_head(&frame, again), len);
		CHECK_MEM(again, len, first, len);
		for (size_t cut = 1; cut < len + frames[i].len; cut++) {
			rdbuf_init(&rd, first, cut);
			CHECK(!kv_log_frame_take(&rd, &frame) && rd.is_short);
		}
	}
}

static void
test_log_is_read_as_written(void)
{
	for (uint64_t seed = 1; seed <= 10 * SEEDS; seed++) {
		logworld_init(&world, seed, seed % 4 != 0);
		for (size_t i = 0; i < BATCHES; i++) {
			play_batch();
			logworld_read(&world, &got);
			about(seed, i, 0);
			if (!CHECK(logworld_is_equal(&got, &world.log)))
				return;
		}
		logworld_spare(&world);
		logworld_read(&world, &got);
		CHECK(logworld_is_equal(&got, &world.log));
	}
}

static void
test_log_blank_is_told_from_missing(void)
{
	struct kv_log_found found;
	struct kv_log_file file;
	struct kv_log_replay replay;

	kv_log_replay_init(&replay, NULL, 0);
	CHECK_EQ(replay.health, KV_LOG_BLANK);
	logworld_init(&world, 1, true);
	memset(world.bytes[0] + KV_LOG_HEADER_BYTES, 0,
	    LOGWORLD_SEGMENT_BYTES - KV_LOG_HEADER_BYTES);
	kv_log_look(&found, world.bytes[0], LOGWORLD_SEGMENT_BYTES);
	file = (struct kv_log_file){ found, 1, world.bytes[0] };
	kv_log_replay_init(&replay, &file, 1);
	CHECK_EQ(replay.health, KV_LOG_BLANK);
	/* Under another serial it is another's, or others are missing. */
	file.serial = 2;
	kv_log_replay_init(&replay, &file, 1);
	CHECK_EQ(replay.health, KV_LOG_BAD);
	file.found.segment.serial = 2;
	kv_log_replay_init(&replay, &file, 1);
	CHECK_EQ(replay.health, KV_LOG_BAD);
}

/* ---- power loss -------------------------------------------------------- */

/* Of the last batch only the blocks in kept have reached the disk. */
static void
lose_blocks(uint64_t kept)
{
	uint8_t *bytes = world.bytes[world.last_segment];

	for (uint64_t at = 0; at < world.last_len; at += KV_LOG_BLOCK)
		if (!(kept >> at / KV_LOG_BLOCK & 1))
			memcpy(bytes + world.last_offset + at,
			    world.before + world.last_offset + at,
			    KV_LOG_BLOCK);
}

static void
check_power_loss(uint64_t seed, size_t batch)
{
	static struct logworld whole;
	uint64_t blocks = world.last_len / KV_LOG_BLOCK;

	whole = world;
	for (uint64_t kept = 0; kept < UINT64_C(1) << blocks; kept++) {
		bool is_all = kept + 1 == UINT64_C(1) << blocks;

		world = whole;
		lose_blocks(kept);
		logworld_read(&world, &got);
		about(seed, batch, (size_t)kept);
		CHECK(logworld_is_equal(&got, &world.log) ||
		    (!is_all && logworld_is_equal(&got, &before)));
	}
	world = whole;
}

/*
 * At every batch, with every subset of its blocks; also behind a write that
 * an earlier crash had cut short, over whose rest the log went on.
 */
static void
test_log_unsynced_blocks_get_lost(void)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		logworld_init(&world, seed, seed % 4 != 0);
		for (size_t i = 0; i < BATCHES; i++) {
			struct kv_log_state state = world.state;
			uint64_t offset = world.offset;
			size_t count = world.count;

			play_batch();
			check_power_loss(seed, i);
			if (world.last_segment != count - 1 ||
			    rng_below(&world.rng, 2) == 0)
				continue;
			/* Torn, and begun anew with something else. */
			lose_blocks(rng_next(&world.rng) &
			    ((UINT64_C(1) << world.last_len / KV_LOG_BLOCK) -
				2));
			world.state = state;
			world.offset = offset;
			world.log = before;
			world.staged = before;
			if (state.is_taking)
				break;
		}
	}
}

/* ---- damage ------------------------------------------------------------ */

static bool
is_in_last_batch(size_t segment, size_t at)
{
	return segment == world.last_segment && at >= world.last_offset;
}

/*
 * Every byte of every segment: what comes out is the log, or it is bad.  The
 * last batch alone may pass for one that a crash cut short.
 */
static void
spoil_each_byte(uint64_t seed, bool is_marked)
{
	for (size_t i = 0; i < world.count; i++) {
		for (size_t at = 0; at < LOGWORLD_SEGMENT_BYTES; at++) {
			uint8_t bit = (uint8_t)(1U << rng_below(&world.rng, 8));
			bool is_last = is_in_last_batch(i, at);

			world.bytes[i][at] ^= bit;
			logworld_read(&world, &got);
			world.bytes[i][at] ^= bit;
			about(seed, i, at);
			if (got.health == KV_LOG_GOOD &&
			    !logworld_is_equal(&got, &world.log))
				CHECK(is_last && !is_marked &&
				    logworld_is_equal(&got, &before));
			if (is_last && is_marked)
				CHECK_EQ(got.health, KV_LOG_GOOD);
		}
	}
}

static void
test_log_no_spoilt_byte_passes(void)
{
	for (uint64_t seed = 1; seed <= 2; seed++) {
		logworld_init(&world, seed, true);
		for (size_t i = 0; i < 20; i++)
			play_batch();
		spoil_each_byte(seed, false);
		/* The mark that the last batch was fsynced. */
		logworld_write(&world);
		spoil_each_byte(seed, true);
	}
}

/* A block that was fsynced holds something older, or something else. */
static void
test_log_no_stale_block_passes(void)
{
	static uint8_t block[KV_LOG_BLOCK];

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		logworld_init(&world, seed, true);
		for (size_t i = 0; i < 20; i++)
			play_batch();
		logworld_write(&world);
		for (size_t i = 0; i < 2000; i++) {
			size_t from = rng_below(&world.rng, world.count);
			size_t to = rng_below(&world.rng, world.count);
			size_t at = KV_LOG_BLOCK *
			    rng_below(&world.rng,
				LOGWORLD_SEGMENT_BYTES / KV_LOG_BLOCK);
			size_t source = KV_LOG_BLOCK *
			    rng_below(&world.rng,
				LOGWORLD_SEGMENT_BYTES / KV_LOG_BLOCK);

			if (is_in_last_batch(to, at))
				continue;
			memcpy(block, world.bytes[to] + at, sizeof block);
			memmove(world.bytes[to] + at,
			    world.bytes[from] + source, sizeof block);
			logworld_read(&world, &got);
			memcpy(world.bytes[to] + at, block, sizeof block);
			about(seed, to, at);
			CHECK(got.health == KV_LOG_BAD ||
			    logworld_is_equal(&got, &world.log));
		}
	}
}

static enum kv_log_health
health_without(size_t missing, size_t cut)
{
	struct kv_log_file files[LOGWORLD_SEGMENTS];
	struct kv_log_replay replay;
	size_t count = 0;

	for (size_t i = 0; i < world.count; i++) {
		if (i == missing && cut == 0)
			continue;
		files[count].serial = i + 1;
		files[count].bytes = world.bytes[i];
		kv_log_look(&files[count].found, world.bytes[i],
		    i == missing ? cut : LOGWORLD_SEGMENT_BYTES);
		count++;
	}
	kv_log_replay_init(&replay, files, count);
	/* Without a snapshot there is no log from the middle on. */
	if (replay.health == KV_LOG_GOOD && !kv_log_replay_fits(&replay, 0))
		return KV_LOG_BAD;
	return replay.health;
}

static void
test_log_short_and_missing_files_are_bad(void)
{
	logworld_init(&world, 3, true);
	while (world.count < 3) {
		struct kv_log_frame frame = { .kind = KV_LOG_RECORD,
			.tip = { { 1, 1, 1, 1 }, world.state.tip.index + 1 },
			.bytes = world.before,
			.len = 400 };

		CHECK(logworld_put(&world, &frame));
		logworld_write(&world);
	}
	CHECK_EQ(health_without(SIZE_MAX, 0), KV_LOG_GOOD);
	for (size_t i = 0; i < 3; i++)
		for (size_t cut = 0; cut < LOGWORLD_SEGMENT_BYTES; cut += 7) {
			about(3, i, cut);
			/* Behind the last nobody misses it. */
			if (i == 2 && cut == 0)
				continue;
			CHECK_EQ(health_without(i, cut), KV_LOG_BAD);
		}
}

/* There is a spare only of who had taken the one before it into use. */
static void
test_log_lost_newest_is_missed_by_the_spare(void)
{
	logworld_init(&world, 4, true);
	while (world.count < 3) {
		logworld_play(&world);
		logworld_write(&world);
	}
	logworld_spare(&world);
	CHECK_EQ(world.count, 4);
	CHECK_EQ(health_without(3, 0), KV_LOG_GOOD);
	CHECK_EQ(health_without(2, 0), KV_LOG_BAD);
}

/* ---- order ------------------------------------------------------------- */

static void
test_log_order_is_checked(void)
{
	const struct kv_log_state start = {
		.is_verified = true, .tip = { { 5, 1, 1, 1 }, 10 }, .acked = 7
	};
	const struct kv_log_state taking = { .is_verified = true,
		.is_taking = true,
		.tip = { { 5, 1, 1, 1 }, 10 },
		.acked = 7,
		.base = { { 5, 1, 1, 1 }, 8 },
		.next = { { 5, 1, 1, 1 }, 8 } };
	const struct {
		const char *what;
		struct kv_log_frame frame;
		bool after_start, after_taking;
	} cases[] = {
		{ "next", { KV_LOG_RECORD, .tip = { { 5, 1, 1, 1 }, 11 } },
		    true, false },
		{ "next of takeover",
		    { KV_LOG_RECORD, .tip = { { 6, 1, 1, 1 }, 9 } }, false,
		    true },
		{ "hole", { KV_LOG_RECORD, .tip = { { 5, 1, 1, 1 }, 12 } },
		    false, false },
		{ "older epoch",
		    { KV_LOG_RECORD, .tip = { { 4, 9, 9, 9 }, 11 } }, false,
		    false },
		{ "acknowledged before it is there",
		    { KV_LOG_RECORD, .tip = { { 5, 1, 1, 1 }, 11 },
			.acked = 12 },
		    false, false },
		{ "behind the acknowledged",
		    { KV_LOG_BEGIN, .tip = { { 5, 1, 1, 1 }, 7 } }, true,
		    true },
		{ "of the acknowledged",
		    { KV_LOG_BEGIN, .tip = { { 5, 1, 1, 1 }, 6 } }, false,
		    false },
		{ "behind what is there",
		    { KV_LOG_BEGIN, .tip = { { 5, 1, 1, 1 }, 11 } }, false,
		    false },
		{ "on a snapshot",
		    { KV_LOG_BEGIN, .is_on_snapshot = true,
			.tip = { { 5, 1, 1, 1 }, 11 } },
		    true, true },
		{ "a lower log", { .kind = KV_LOG_END }, false, false },
		{ "abort", { .kind = KV_LOG_ABORT }, false, true },
		{ "another link", { KV_LOG_LINK, .state = { 0 } }, false,
		    false },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct kv_log_state state = start;

		check_case(cases[i].what);
		CHECK_EQ(kv_log_follow(&state, &cases[i].frame),
		    cases[i].after_start);
		state = taking;
		CHECK_EQ(kv_log_follow(&state, &cases[i].frame),
		    cases[i].after_taking);
		if (!cases[i].after_taking) {
			CHECK(kv_tip_compare(&state.next, &taking.next) == 0);
			CHECK(state.is_taking);
		}
	}
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_log_frames_go_round),
		CHECK_TEST(test_log_is_read_as_written),
		CHECK_TEST(test_log_blank_is_told_from_missing),
		CHECK_TEST(test_log_unsynced_blocks_get_lost),
		CHECK_TEST(test_log_no_spoilt_byte_passes),
		CHECK_TEST(test_log_no_stale_block_passes),
		CHECK_TEST(test_log_short_and_missing_files_are_bad),
		CHECK_TEST(test_log_lost_newest_is_missed_by_the_spare),
		CHECK_TEST(test_log_order_is_checked),
	};

	return CHECK_MAIN(argc, argv, tests);
}
