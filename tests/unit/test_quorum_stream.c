/* SPDX-License-Identifier: BSD-3-Clause */
/* Two streams, each in order, in every order of the one to the other. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"

#include "bin/quorumd/quorum_stream.h"
#include "tests/unit/check.h"

enum { YES = QUORUM_STREAM_YES, NO = QUORUM_STREAM_NO };

static void *block;
static struct arena arena;
static struct quorum_stream *stream;

static void
begin(void)
{
	struct arena measure;

	arena_init(&measure, NULL, 0);
	CHECK(quorum_stream_create(&measure) == NULL);
	if (block == NULL)
		block = aligned_alloc(64, num_round_up(measure.used_bytes, 64));
	arena_init(&arena, block, measure.used_bytes);
	stream = quorum_stream_create(&arena);
}

static bool
record(const char *text)
{
	char line[512];
	struct word word;

	snprintf(
	    line, sizeof line, "ev 7 %s seq=99 ts=2026-11-22T03:04:05Z", text);
	CHECK_EQ(word_parse(&word, line, strlen(line)), 0);
	return quorum_stream_record(stream, &word, 0);
}

static bool
view_record(uint64_t seq)
{
	char text[128];

	snprintf(text, sizeof text,
	    "view view=1.%llu members=1,2 coordinator=1",
	    (unsigned long long)seq);
	return record(text);
}

static bool
verdict_at(uint64_t seq, int answer, uint32_t votes, uint64_t now_ns)
{
	struct quorum_stream_verdict verdict = { .view = { 1, seq },
		.pos = { { 1, seq }, 4, 0 },
		.answer = (enum quorum_stream_answer)answer,
		.votes = votes,
		.needed = 2,
		.expected = 3,
		.basis = answer == YES ? "majority" : "none",
		.reason = "spoken" };

	return quorum_stream_verdict(stream, &verdict, now_ns);
}

static bool
verdict(uint64_t seq, int answer, uint32_t votes)
{
	return verdict_at(seq, answer, votes, 0);
}

/* The next record begins like this; NULL: there is none. */
static void
next(const char *want)
{
	struct text out;
	bool is_there = quorum_stream_next(stream, &out);
	char got[200] = "";

	if (want == NULL) {
		CHECK_STR(is_there ? out.bytes : "", "");
		return;
	}
	if (is_there)
		snprintf(got, num_min(sizeof got, strlen(want) + 1), "%s",
		    out.bytes);
	CHECK_STR(got, want);
}

static void
next_whole(const char *want)
{
	struct text out;

	if (CHECK(quorum_stream_next(stream, &out)))
		CHECK_STR(out.bytes, want);
}

/* A stream that has told view 1.10, quorate by 2 votes. */
static void
begin_told(void)
{
	begin();
	quorum_stream_open(stream, "fresh");
	CHECK(record("ready view=1.10 members=1,2 coordinator=1"));
	CHECK(verdict(10, YES, 2));
	next("ready view=1.10 members=1,2 coordinator=1 quorate=yes");
	next(NULL);
}

/* ---- one thing at a time ----------------------------------------------- */

static void
test_stream_puts_verdict_behind_coordinator(void)
{
	begin();
	quorum_stream_open(stream, "fresh");
	CHECK(!quorum_stream_is_ready(stream));

	CHECK(record("exists node=1 name=a\\0040b tags=x:1,y:\\0054"));
	CHECK(record("ready view=1.10 members=1,2 coordinator=1 more=x "
		     "cursor=abc:7"));
	next_whole("exists node=1 name=a\\0040b tags=x:1,y:\\0054");
	next(NULL);
	CHECK(!quorum_stream_is_ready(stream));
	CHECK(verdict(10, YES, 2));

	next_whole("ready view=1.10 members=1,2 coordinator=1 quorate=yes "
		   "votes=2 needed=2 expected=3 basis=majority more=x");
	next(NULL);
	CHECK(quorum_stream_is_ready(stream));
}

static void
test_stream_view_waits_for_verdict(void)
{
	begin_told();
	CHECK(record("leave node=2 name=b inc=4 reason=lost why=timeout"));
	CHECK(view_record(14));
	CHECK(record("update node=1 key=version new=2"));

	next_whole("leave node=2 name=b inc=4 reason=lost why=timeout");
	next(NULL);
	CHECK(verdict(14, NO, 1));
	next_whole("view view=1.14 members=1,2 coordinator=1 quorate=no "
		   "votes=1 needed=2 expected=3 basis=none");
	next_whole("update node=1 key=version new=2");
	next(NULL);
}

static void
test_stream_verdict_waits_for_view(void)
{
	begin_told();
	CHECK(verdict_at(14, NO, 1, 500));
	CHECK(verdict_at(14, YES, 2, 600));
	next(NULL);
	CHECK_EQ(quorum_stream_owed_ns(stream), 500);

	CHECK(view_record(14));
	next("view view=1.14 members=1,2 coordinator=1 quorate=no");
	next_whole("quorum quorate=yes prev=no votes=2 needed=2 expected=3 "
		   "basis=majority view=1.14 pos=1.14:4.0 reason=spoken");
	next(NULL);
	CHECK_EQ(quorum_stream_owed_ns(stream), UINT64_MAX);
}

static void
test_stream_change_stands_before_next_view(void)
{
	begin_told();
	CHECK(view_record(14));
	CHECK(verdict(10, NO, 1));
	CHECK(verdict(14, YES, 3));

	next("quorum quorate=no prev=yes votes=1 needed=2 expected=3 "
	     "basis=none view=1.10");
	next("view view=1.14 members=1,2 coordinator=1 quorate=yes votes=3");
	next(NULL);
}

static void
test_stream_tells_only_changes(void)
{
	begin_told();
	CHECK(verdict(10, YES, 2));
	next(NULL);
	CHECK(verdict(10, YES, 3));
	next("quorum quorate=yes prev=yes votes=3");
	next(NULL);
}

/* ---- views that one of the two never saw ------------------------------- */

static void
test_stream_view_that_we_missed_is_unknown(void)
{
	begin_told();
	CHECK(view_record(14));
	CHECK(view_record(18));
	CHECK(verdict(18, YES, 3));

	next("view view=1.14 members=1,2 coordinator=1 quorate=unknown");
	next("view view=1.18 members=1,2 coordinator=1 quorate=yes");
	next(NULL);
}

static void
test_stream_view_that_memberd_missed_is_dropped(void)
{
	begin_told();
	CHECK(verdict(14, NO, 1));
	CHECK(verdict(14, NO, 0));
	CHECK(verdict(18, YES, 2));
	CHECK(view_record(18));

	next("view view=1.18 members=1,2 coordinator=1 quorate=yes");
	next(NULL);
}

static void
test_stream_start_with_memberd_behind(void)
{
	begin();
	quorum_stream_open(stream, "fresh");
	CHECK(verdict(10, YES, 2));
	CHECK(verdict(14, YES, 3));
	CHECK(record("ready view=1.10 members=1,2 coordinator=1"));

	next("ready view=1.10 members=1,2 coordinator=1 quorate=unknown");
	next(NULL);
	CHECK(view_record(14));
	next("view view=1.14 members=1,2 coordinator=1 quorate=yes votes=3");
	next(NULL);
}

static void
test_stream_start_with_memberd_ahead(void)
{
	begin();
	quorum_stream_open(stream, "fresh");
	CHECK(verdict(10, YES, 2));
	CHECK(record("ready view=1.14 members=1 coordinator=1"));
	next(NULL);
	CHECK(verdict(14, NO, 1));
	next("ready view=1.14 members=1 coordinator=1 quorate=no");
	next(NULL);
}

static void
test_stream_same_state_after_gap(void)
{
	begin_told();
	CHECK(record("gap lost=3"));
	CHECK(record("exists node=1"));
	CHECK(record("ready view=1.10 members=1,2 coordinator=1"));

	next("gap lost=3");
	next("exists node=1");
	next("ready view=1.10 members=1,2 coordinator=1 quorate=yes votes=2");
	next(NULL);
}

/* ---- the gate ---------------------------------------------------------- */

static void
test_stream_says_unknown_until_opened(void)
{
	begin();
	CHECK(verdict(10, YES, 2));
	CHECK(record("ready view=1.10 members=1,2 coordinator=1"));
	next("ready view=1.10 members=1,2 coordinator=1 quorate=unknown "
	     "votes=0 needed=0 expected=0 basis=none");
	next(NULL);
	quorum_stream_open(stream, "fresh");
	next_whole("quorum quorate=yes prev=unknown votes=2 needed=2 "
		   "expected=3 basis=majority view=1.10 pos=1.10:4.0 "
		   "reason=fresh");
	next(NULL);
}

static void
test_stream_shut_is_told_at_once_and_once(void)
{
	begin_told();
	CHECK(verdict(14, YES, 3));
	quorum_stream_shut(stream, "paused");
	next_whole("quorum quorate=unknown prev=yes votes=2 needed=2 "
		   "expected=3 basis=none view=1.10 pos=1.10:4.0 "
		   "reason=paused");
	next(NULL);
	quorum_stream_shut(stream, "stale");
	next(NULL);
	/* A change behind the gate is told when that opens. */
	CHECK(view_record(14));
	next("view view=1.14 members=1,2 coordinator=1 quorate=unknown "
	     "votes=2");
	CHECK(verdict(14, NO, 1));
	next(NULL);
	quorum_stream_open(stream, "fresh");
	next("quorum quorate=no prev=unknown votes=1");
	next(NULL);
}

static void
test_stream_opens_with_newest_verdict_only(void)
{
	begin_told();
	quorum_stream_shut(stream, "paused");
	next("quorum quorate=unknown prev=yes");
	CHECK(verdict(14, YES, 3));
	CHECK(verdict(18, NO, 1));
	quorum_stream_open(stream, "fresh");

	/* Not what was true of 1.10, nor of 1.14. */
	next(NULL);
	CHECK(view_record(14));
	next("view view=1.14 members=1,2 coordinator=1 quorate=unknown");
	next(NULL);
	CHECK(view_record(18));
	next("view view=1.18 members=1,2 coordinator=1 quorate=no");
	next(NULL);
}

static void
test_stream_does_not_open_on_a_view_that_is_over(void)
{
	begin_told();
	quorum_stream_shut(stream, "paused");
	next("quorum quorate=unknown prev=yes");
	/* memberd knows the next view already. */
	CHECK(view_record(14));
	quorum_stream_open(stream, "fresh");
	next(NULL);
	CHECK(verdict(14, NO, 1));
	next("view view=1.14 members=1,2 coordinator=1 quorate=no votes=1");
	next(NULL);
}

/* ---- one of the two goes ----------------------------------------------- */

static void
test_stream_lost_ring_lets_views_go(void)
{
	begin_told();
	CHECK(view_record(14));
	next(NULL);
	quorum_stream_shut(stream, "stale");
	quorum_stream_lose_ring(stream);
	next("quorum quorate=unknown prev=yes");
	next("view view=1.14 members=1,2 coordinator=1 quorate=unknown");
	CHECK(view_record(18));
	next("view view=1.18 members=1,2 coordinator=1 quorate=unknown");

	/* It is back, and was in that view. */
	CHECK(verdict(18, YES, 2));
	next(NULL);
	quorum_stream_open(stream, "fresh");
	next("quorum quorate=yes prev=unknown votes=2 needed=2 expected=3 "
	     "basis=majority view=1.18");
	next(NULL);
	CHECK(view_record(22));
	next(NULL);
}

static void
test_stream_forgotten_members_meet_newest_verdict(void)
{
	begin_told();
	CHECK(view_record(14));
	CHECK(verdict(10, NO, 1));
	quorum_stream_forget_members(stream);
	CHECK(!quorum_stream_is_ready(stream));
	next(NULL);
	for (uint64_t seq = 14; seq < 2000; seq += 4)
		CHECK(verdict(seq, NO, 1));
	CHECK_EQ(quorum_stream_owed_ns(stream), UINT64_MAX);
	CHECK(verdict(2000, YES, 3));
	next(NULL);

	CHECK(record("exists node=1"));
	CHECK(record("ready view=1.2000 members=1,2 coordinator=1"));
	next("exists node=1");
	next("ready view=1.2000 members=1,2 coordinator=1 quorate=yes votes=3");
	next(NULL);
}

static void
test_stream_ring_that_goes_back_is_refused(void)
{
	begin_told();
	quorum_stream_lose_ring(stream);
	CHECK(!verdict(2, YES, 2));
	quorum_stream_forget_members(stream);
	CHECK(record("ready view=1.2 members=1,2 coordinator=1"));
	next("ready view=1.2 members=1,2 coordinator=1 quorate=yes");
}

/* ---- limits ------------------------------------------------------------ */

static void
test_stream_queues_are_bounded(void)
{
	char long_text[400];
	size_t count = 0;

	begin_told();
	for (size_t i = 0; i < QUORUM_STREAM_VERDICTS; i++)
		CHECK(verdict(14 + i, NO, 1));
	CHECK(!verdict(1000, NO, 1));

	begin_told();
	CHECK(view_record(14));
	snprintf(long_text, sizeof long_text, "update x=%0300d", 0);
	while (count < 10000 && record(long_text))
		count++;
	CHECK(count > 2000 && count < 4000);
	quorum_stream_forget_members(stream);
	CHECK(record(long_text));
	next("update x=000");
	next(NULL);
}

static void
test_stream_refuses_views_that_cannot_be_read(void)
{
	begin_told();
	CHECK(!record("view members=1"));
	CHECK(!record("view view=1 members=1"));
	CHECK(!record("ready view=x.y members=1"));
}

/* ---- all orders -------------------------------------------------------- */

/*
 * One past of views and of changes in them.  Its two tellers are at any
 * place of it, independently, and miss some views.
 */
enum { PAST_VIEWS = 12 };

struct reader {
	uint64_t view; /* told last */
	uint64_t marks;
	int answer;
};

static int
answer_of(uint64_t seq, uint32_t votes)
{
	return (seq / 4 + votes) % 2 == 0 ? YES : NO;
}

static uint64_t
number_after(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at != NULL ? strtoull(at + strlen(key), NULL, 10) : 0;
}

/* Votes are seq * 8 + step: what was true of a view names it. */
static void
check_told(struct reader *reader, const char *text)
{
	const bool is_change = strncmp(text, "quorum ", 7) == 0;
	const uint64_t seq = number_after(text, " view=1.");
	const uint32_t votes = (uint32_t)number_after(text, " votes=");
	const char *answer = strstr(text, "quorate=") + 8;

	if (strncmp(text, "mark ", 5) == 0) {
		CHECK_EQ(number_after(text, "mark n="), reader->marks);
		reader->marks++;
		return;
	}
	if (is_change)
		CHECK_EQ(seq, reader->view);
	else
		CHECK(seq > reader->view);
	reader->view = seq;
	reader->answer = *answer == 'y' ? YES
	    : *answer == 'n'            ? NO
					: QUORUM_STREAM_UNKNOWN;
	if (reader->answer == QUORUM_STREAM_UNKNOWN)
		return;
	CHECK_EQ(votes / 8, seq);
	CHECK_EQ(reader->answer, answer_of(seq, votes));
}

static void
read_all(struct reader *reader)
{
	struct text out;

	while (quorum_stream_next(stream, &out))
		check_told(reader, out.bytes);
}

struct past {
	struct rng rng;
	uint64_t member_at, ring_at; /* the next view of each */
	uint64_t marks;
	uint64_t seen; /* the last view that memberd was in */
	bool is_open;
};

static void
step_gate(struct past *past)
{
	past->is_open = !past->is_open;
	if (past->is_open)
		quorum_stream_open(stream, "fresh");
	else
		quorum_stream_shut(stream, "stale");
}

/* Both are in the last view; of the others each misses some. */
static void
step_member(struct past *past)
{
	char text[64];

	snprintf(text, sizeof text, "mark n=%llu",
	    (unsigned long long)past->marks++);
	CHECK(record(text));
	if (past->member_at == PAST_VIEWS ||
	    (past->member_at < PAST_VIEWS && rng_below(&past->rng, 4) > 0)) {
		past->seen = past->member_at * 4;
		CHECK(view_record(past->seen));
	}
	past->member_at++;
}

static void
step_ring(struct past *past)
{
	const uint64_t seq = past->ring_at * 4;
	const bool is_last = past->ring_at == PAST_VIEWS;

	for (uint32_t i = 0; past->ring_at <= PAST_VIEWS && i < 3 &&
	     (is_last || rng_below(&past->rng, 3) > 0);
	     i++) {
		const uint32_t votes = (uint32_t)(seq * 8 + i);

		CHECK(verdict(seq, answer_of(seq, votes), votes));
	}
	past->ring_at++;
}

static void
run_past(uint64_t seed)
{
	struct past past = { .member_at = 1, .ring_at = 1 };
	struct reader reader = { .view = 0 };

	rng_init(&past.rng, seed);
	begin();
	while (past.member_at <= PAST_VIEWS || past.ring_at <= PAST_VIEWS) {
		const uint64_t draw = rng_below(&past.rng, 6);

		if (draw == 0)
			step_gate(&past);
		else if (draw < 3)
			step_member(&past);
		else
			step_ring(&past);
		if (rng_below(&past.rng, 2) == 0)
			read_all(&reader);
	}
	quorum_stream_open(stream, "fresh");
	read_all(&reader);
	CHECK_EQ(reader.marks, past.marks);
	CHECK_EQ(reader.view, past.seen);
	CHECK_EQ(reader.answer, answer_of(PAST_VIEWS * 4, PAST_VIEWS * 32 + 2));
}

static void
test_stream_all_orders(void)
{
	for (uint64_t seed = 1; seed <= 3000; seed++) {
		char about[32];

		snprintf(
		    about, sizeof about, "seed %llu", (unsigned long long)seed);
		check_case(about);
		run_past(seed);
	}
	check_case(NULL);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_stream_puts_verdict_behind_coordinator),
		CHECK_TEST(test_stream_view_waits_for_verdict),
		CHECK_TEST(test_stream_verdict_waits_for_view),
		CHECK_TEST(test_stream_change_stands_before_next_view),
		CHECK_TEST(test_stream_tells_only_changes),
		CHECK_TEST(test_stream_view_that_we_missed_is_unknown),
		CHECK_TEST(test_stream_view_that_memberd_missed_is_dropped),
		CHECK_TEST(test_stream_start_with_memberd_behind),
		CHECK_TEST(test_stream_start_with_memberd_ahead),
		CHECK_TEST(test_stream_same_state_after_gap),
		CHECK_TEST(test_stream_says_unknown_until_opened),
		CHECK_TEST(test_stream_shut_is_told_at_once_and_once),
		CHECK_TEST(test_stream_opens_with_newest_verdict_only),
		CHECK_TEST(test_stream_does_not_open_on_a_view_that_is_over),
		CHECK_TEST(test_stream_lost_ring_lets_views_go),
		CHECK_TEST(test_stream_forgotten_members_meet_newest_verdict),
		CHECK_TEST(test_stream_ring_that_goes_back_is_refused),
		CHECK_TEST(test_stream_queues_are_bounded),
		CHECK_TEST(test_stream_refuses_views_that_cannot_be_read),
		CHECK_TEST(test_stream_all_orders),
	};
	return CHECK_MAIN(argc, argv, tests);
}
