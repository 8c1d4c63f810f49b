/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is heard by which group: two nodes of a small world, of which the first
 * listens to the second. */
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/idmap.h"

#include "bin/ringd/mcast.h"
#include "tests/unit/check.h"

#define MS ((uint64_t)1000000)

enum { BEAT_MS = 50, BLOCK = 1 << 20 };

static unsigned char *blocks[2];
static struct mcast *ear, *mouth;
static uint64_t now_ns;
static bool is_cut;
static uint32_t loss_every; /* of so many datagrams one is lost; 0: none */
static uint64_t flown;

static struct mcast *
make(uint32_t self, uint32_t nodes)
{
	struct mcast_config cfg = {
		.self = self, .node_count = nodes, .links = 3
	};
	struct arena arena;

	arena_init(&arena, blocks[self], BLOCK);
	return mcast_create(&arena, &cfg, now_ns);
}

static void
begin(uint32_t nodes)
{
	now_ns = 1000 * MS;
	is_cut = false;
	loss_every = 0;
	flown = 0;
	ear = make(0, nodes);
	mouth = make(1, nodes);
}

static bool
is_lost(void)
{
	flown++;
	return is_cut || (loss_every != 0 && flown % loss_every == 0);
}

/* All over link 1. */
static void
pull(void)
{
	struct mcast_report report, same;
	uint8_t bytes[MCAST_REPORT_BYTES];

	while (mcast_next(mouth, &report)) {
		struct link_at at = { 1, 1, now_ns };

		if (report.link != 1 || is_lost())
			continue;
		mcast_report_put(&report, bytes);
		CHECK(mcast_report_get(bytes, sizeof bytes, &same));
		CHECK(mcast_hear(ear, &at, &same));
	}
}

static void
say(uint32_t count)
{
	struct link_at at = { 1, 1, now_ns };

	mcast_sent(mouth, 1, count);
	for (; count > 0; count--)
		if (!is_lost())
			mcast_came(ear, &at);
}

static void
run(uint32_t ms, uint32_t datagrams_each)
{
	for (; ms > 0; ms--) {
		now_ns += MS;
		if (datagrams_each > 0)
			say(datagrams_each);
		if (mcast_deadline_ns(mouth) <= now_ns)
			mcast_tick(mouth, now_ns);
		pull();
		if (mcast_deadline_ns(ear) <= now_ns)
			mcast_tick(ear, now_ns);
		mcast_assert(ear);
		mcast_assert(mouth);
	}
}

static void
test_mcast_is_heard_after_a_few_reports(void)
{
	begin(3);
	CHECK_EQ(mcast_hears(ear, 1), 0);
	run(4 * BEAT_MS, 0);
	CHECK_EQ(mcast_hears(ear, 1), 2);
	CHECK_EQ(mcast_hears(ear, 2), 0);
	CHECK_EQ(mcast_hears(mouth, 0), 0);
}

static void
test_mcast_silence_is_noticed_in_a_quarter_of_a_second(void)
{
	begin(3);
	run(1000, 0);
	is_cut = true;
	run(3 * BEAT_MS, 0);
	CHECK_EQ(mcast_hears(ear, 1), 2);
	run(3 * BEAT_MS, 0);
	CHECK_EQ(mcast_hears(ear, 1), 0);
}

/* As when every datagram comes by another group first. */
static void
test_mcast_copies_are_not_lost_and_no_sign_of_life(void)
{
	struct link_at at = { 1, 1, 0 };

	begin(3);
	run(1000, 0);
	for (int i = 0; i < 1000; i++) {
		mcast_sent(mouth, 1, 2);
		at.now_ns = now_ns;
		mcast_copied(ear, &at);
		mcast_copied(ear, &at);
		run(1, 0);
	}
	CHECK_EQ(mcast_hears(ear, 1), 2);
	CHECK_EQ(mcast_loss(ear, 1, 1), 0);
	is_cut = true; /* but for recordings */
	for (int i = 0; i < 6 * BEAT_MS; i++) {
		at.now_ns = now_ns;
		mcast_copied(ear, &at);
		run(1, 0);
	}
	CHECK_EQ(mcast_hears(ear, 1), 0);
}

static void
test_mcast_loss_under_load_is_noticed(void)
{
	begin(3);
	run(1000, 2);
	CHECK_EQ(mcast_hears(ear, 1), 2);
	CHECK_EQ(mcast_loss(ear, 1, 1), 0);
	loss_every = 4;
	run(3 * BEAT_MS, 2);
	CHECK_EQ(mcast_hears(ear, 1), 0);
	CHECK(mcast_loss(ear, 1, 1) >= 150);
	loss_every = 0;
	run(2000, 0); /* who loses gets no more of them */
	CHECK_EQ(mcast_hears(ear, 1), 2);
	CHECK_EQ(mcast_loss(ear, 1, 1), 0);
}

static void
test_mcast_little_loss_does_not_matter(void)
{
	begin(3);
	run(1000, 2);
	loss_every = 20;
	for (int i = 0; i < 100; i++) {
		run(BEAT_MS, 2);
		CHECK_EQ(mcast_hears(ear, 1), 2);
	}
}

/* Each relapse doubles the time that it must be without fault. */
static void
test_mcast_that_comes_and_goes_is_left_alone(void)
{
	uint32_t moments = 0;

	begin(3);
	run(1000, 0);
	for (int i = 0; i < 30; i++) {
		is_cut = true;
		run(500, 0);
		is_cut = false;
		run(500, 0);
		moments += mcast_hears(ear, 1) != 0;
	}
	CHECK(moments <= 2);
	run(11000, 0);
	CHECK_EQ(mcast_hears(ear, 1), 2);
}

/* Who did not run has heard nobody, and blames nobody. */
static void
test_mcast_pause_of_the_hearer_blames_nobody(void)
{
	begin(3);
	run(1000, 0);
	for (uint32_t ms = 0; ms < 3000; ms++) {
		now_ns += MS;
		if (mcast_deadline_ns(mouth) <= now_ns)
			mcast_tick(mouth, now_ns);
	}
	mcast_tick(ear, now_ns);
	CHECK_EQ(mcast_hears(ear, 1), 2);
	is_cut = true;
	run(300, 0);
	CHECK_EQ(mcast_hears(ear, 1), 0);
}

static void
test_mcast_another_life_begins_anew(void)
{
	begin(3);
	run(1000, 0);
	mcast_greet(ear, 1, now_ns);
	CHECK_EQ(mcast_hears(ear, 1), 0);
	mouth = make(1, 3); /* it counts from 1 again */
	run(1000, 2);
	CHECK_EQ(mcast_hears(ear, 1), 2);
	CHECK_EQ(mcast_loss(ear, 1, 1), 0);
}

/* A node comes before all and one goes: who was heard is heard. */
static void
test_mcast_hearing_follows_places(void)
{
	static const uint32_t before[] = { 2, 3, 4 }, after[] = { 1, 2, 3 };
	struct idmap map;

	begin(3);
	run(1000, 0);
	idmap_make(&map, before, 3, after, 3);
	mcast_set_nodes(ear, &map);
	CHECK_EQ(mcast_hears(ear, 0), 0);
	CHECK_EQ(mcast_hears(ear, 1), 0); /* itself, now */
	CHECK_EQ(mcast_hears(ear, 2), 2);
	mcast_assert(ear);
	for (int i = 0; i < 20; i++) {
		now_ns += BEAT_MS * MS;
		mcast_tick(ear, now_ns);
	}
	CHECK_EQ(mcast_hears(ear, 2), 0);
}

/* How many reports are sent in that time. */
static uint32_t
reports_in(uint64_t span_ms)
{
	struct mcast_report report;
	uint32_t count = 0;

	for (uint64_t ms = 0; ms < span_ms; ms++) {
		now_ns += MS;
		mcast_tick(mouth, now_ns);
		while (mcast_next(mouth, &report))
			count++;
	}
	return count;
}

static void
test_mcast_reports_follow_the_heartbeat(void)
{
	uint32_t before;

	begin(3);
	run(1000, 0);
	before = reports_in(1000);
	mcast_set_heartbeat(mouth, 250 * MS, now_ns);
	(void)reports_in(600);
	CHECK(reports_in(5000) <= before);
	mcast_set_heartbeat(mouth, 0, now_ns);
	(void)reports_in(100);
	CHECK_EQ(reports_in(1000), before);
	mcast_assert(mouth);
}

static void
test_mcast_unusable_link_neither_hears_nor_speaks(void)
{
	struct mcast_report report;

	begin(3);
	run(1000, 0);
	mcast_hint(ear, 1, false, now_ns);
	CHECK_EQ(mcast_hears(ear, 1), 0);
	mcast_hint(mouth, 1, false, now_ns);
	now_ns += 1000 * MS;
	mcast_tick(mouth, now_ns);
	CHECK(mcast_next(mouth, &report));
	CHECK_EQ(report.link, 0);
	CHECK(!mcast_next(mouth, &report));
	mcast_hint(ear, 1, true, now_ns);
	mcast_hint(mouth, 1, true, now_ns);
	run(1000, 0);
	CHECK_EQ(mcast_hears(ear, 1), 2);
}

static void
test_mcast_report_of_another_link_is_refused(void)
{
	struct mcast_report report = { 0, 9 };
	struct link_at at = { 1, 1, 0 };

	begin(3);
	at.now_ns = now_ns;
	CHECK(!mcast_hear(ear, &at, &report));
	run(20 * BEAT_MS, 0);
	CHECK_EQ(mcast_hears(ear, 1), 2);
}

static void
test_mcast_many_nodes_report_less_often(void)
{
	struct mcast_report report;
	uint32_t reports = 0;

	begin(32);
	for (uint32_t ms = 0; ms < 2000; ms++) {
		now_ns += MS;
		if (mcast_deadline_ns(mouth) <= now_ns)
			mcast_tick(mouth, now_ns);
		while (mcast_next(mouth, &report))
			reports += report.link == 0;
	}
	CHECK(reports >= 9 && reports <= 11);
}

static void
test_mcast_report_layout_is_as_written_down(void)
{
	static const struct mcast_report report = { 5, 0x0102030405060708 };
	static const uint8_t want[MCAST_REPORT_BYTES] = { 5, 0, 0, 0, 0, 0, 0,
		0, 1, 2, 3, 4, 5, 6, 7, 8 };
	uint8_t bytes[MCAST_REPORT_BYTES + 1] = { 0 };
	struct mcast_report got;

	mcast_report_put(&report, bytes);
	CHECK_MEM(bytes, sizeof want, want, sizeof want);
	CHECK(mcast_report_get(bytes, sizeof want, &got));
	CHECK_EQ(got.link, 5);
	CHECK_EQ(got.sent, report.sent);
	CHECK(!mcast_report_get(bytes, sizeof want - 1, &got));
	CHECK(!mcast_report_get(bytes, sizeof want + 1, &got));
	bytes[0] = LIMIT_LINKS;
	CHECK(!mcast_report_get(bytes, sizeof want, &got));
	bytes[0] = 5;
	memset(bytes + 8, 0, 8);
	CHECK(!mcast_report_get(bytes, sizeof want, &got));
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_mcast_is_heard_after_a_few_reports),
		CHECK_TEST(
		    test_mcast_silence_is_noticed_in_a_quarter_of_a_second),
		CHECK_TEST(test_mcast_copies_are_not_lost_and_no_sign_of_life),
		CHECK_TEST(test_mcast_loss_under_load_is_noticed),
		CHECK_TEST(test_mcast_little_loss_does_not_matter),
		CHECK_TEST(test_mcast_that_comes_and_goes_is_left_alone),
		CHECK_TEST(test_mcast_pause_of_the_hearer_blames_nobody),
		CHECK_TEST(test_mcast_another_life_begins_anew),
		CHECK_TEST(test_mcast_hearing_follows_places),
		CHECK_TEST(test_mcast_reports_follow_the_heartbeat),
		CHECK_TEST(test_mcast_unusable_link_neither_hears_nor_speaks),
		CHECK_TEST(test_mcast_report_of_another_link_is_refused),
		CHECK_TEST(test_mcast_many_nodes_report_less_often),
		CHECK_TEST(test_mcast_report_layout_is_as_written_down),
	};

	for (int i = 0; i < 2; i++) {
		blocks[i] = aligned_alloc(64, BLOCK);
		if (blocks[i] == NULL)
			return 1;
	}
	return CHECK_MAIN(argc, argv, tests);
}
