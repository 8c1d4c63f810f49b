/* SPDX-License-Identifier: BSD-3-Clause */
/* The clear header, the HELLO and the window: the edges of each. */
#include <string.h>

#include "libcommon/base/rng.h"

#include "bin/ringd/session.h"
#include "bin/ringd/session_window.h"
#include "tests/unit/check.h"

static const struct session_header a_header = {
	.kind = SESSION_DATA,
	.cipher = 2,
	.key_id = 3,
	.cluster_tag = 0x01020304,
	.sender = 1,
	.dst = 65535,
	.session = 0x1112131415161718,
	.counter = 0x2122232425262728,
	.salt = 0x31323334,
};

static uint8_t bytes[256];

static enum session_refusal
get(size_t len)
{
	struct session_header header;

	return session_header_get(bytes, len, &header);
}

static void
test_session_header_layout_is_as_written_down(void)
{
	static const uint8_t want[SESSION_HEADER_BYTES] = { 1, 1, 2, 3, 1, 2, 3,
		4, 0, 1, 0xff, 0xff, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
		0x18, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x31,
		0x32, 0x33, 0x34 };
	struct session_header header;
	uint8_t again[SESSION_HEADER_BYTES];

	session_header_put(&a_header, bytes);
	CHECK_MEM(bytes, SESSION_HEADER_BYTES, want, sizeof want);

	CHECK_EQ(session_header_get(bytes, 100, &header), SESSION_OK);
	session_header_put(&header, again);
	CHECK_MEM(again, sizeof again, want, sizeof want);
}

static void
test_session_header_refuses_what_it_never_sends(void)
{
	static const struct {
		size_t at;
		uint8_t value;
		enum session_refusal want;
	} cases[] = {
		{ 0, 0, SESSION_REFUSED_VERSION },
		{ 0, 2, SESSION_REFUSED_VERSION },
		{ 1, 0, SESSION_REFUSED_MALFORMED },
		{ 1, 2, SESSION_REFUSED_MALFORMED }, /* HELLO of another len */
		{ 1, 3, SESSION_REFUSED_MALFORMED }, /* LINK in any cipher */
		{ 1, 255, SESSION_REFUSED_MALFORMED },
		{ 2, 0, SESSION_REFUSED_MALFORMED },
		{ 2, 3, SESSION_REFUSED_MALFORMED },
		{ 2, 4, SESSION_REFUSED_MALFORMED },
		{ 3, 0, SESSION_REFUSED_MALFORMED },
		{ 9, 0, SESSION_REFUSED_MALFORMED }, /* sender 0 */
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		session_header_put(&a_header, bytes);
		bytes[cases[i].at] = cases[i].value;
		CHECK_EQ(get(100), cases[i].want);
	}
	session_header_put(&a_header, bytes);
	memset(bytes + 12, 0, 8); /* session 0 */
	CHECK_EQ(get(100), SESSION_REFUSED_MALFORMED);
	session_header_put(&a_header, bytes);
	memset(bytes + 20, 0, 8); /* counter 0 */
	CHECK_EQ(get(100), SESSION_REFUSED_MALFORMED);
}

static void
test_session_header_needs_room_for_a_tag_and_an_octet(void)
{
	session_header_put(&a_header, bytes);

	for (size_t len = 0; len <= SESSION_OVERHEAD_BYTES; len++)
		CHECK_EQ(get(len), SESSION_REFUSED_MALFORMED);
	CHECK_EQ(get(SESSION_OVERHEAD_BYTES + 1), SESSION_OK);
}

static void
test_session_header_hello_has_one_length_and_one_receiver(void)
{
	struct session_header header = a_header;
	size_t len = SESSION_OVERHEAD_BYTES + SESSION_HELLO_BYTES;

	header.kind = SESSION_HELLO;
	header.cipher = 1;
	session_header_put(&header, bytes);
	CHECK_EQ(get(len - 1), SESSION_REFUSED_MALFORMED);
	CHECK_EQ(get(len), SESSION_OK);
	CHECK_EQ(get(len + 1), SESSION_REFUSED_MALFORMED);
	bytes[2] = 2; /* the cipher that not all have */
	CHECK_EQ(get(len), SESSION_REFUSED_MALFORMED);
	bytes[2] = 1;
	bytes[10] = bytes[11] = 0; /* for all */
	CHECK_EQ(get(len), SESSION_REFUSED_MALFORMED);
}

static void
put_a_header_of_node_0(void)
{
	struct session_header header = a_header;

	header.sender = 0;
	session_header_put(&header, bytes);
}

static void
test_session_header_put_of_nonsense_aborts(void)
{
	CHECK_ABORTS(put_a_header_of_node_0);
}

static void
test_session_hello_comes_back_as_it_went(void)
{
	static const struct session_hello hello = { 1, 2, 3, 4, 5, 6, 7, 9 };
	struct session_hello got;
	uint8_t again[SESSION_HELLO_BYTES];

	session_hello_put(&hello, bytes);
	CHECK(session_hello_get(bytes, SESSION_HELLO_BYTES, &got));
	session_hello_put(&got, again);
	CHECK_MEM(again, sizeof again, bytes, SESSION_HELLO_BYTES);
	CHECK_EQ(got.incarnation, 1);
	CHECK_EQ(got.outlived, 6);
	CHECK_EQ(got.table_hash, 7);

	CHECK(!session_hello_get(bytes, SESSION_HELLO_BYTES - 1, &got));
	CHECK(!session_hello_get(bytes, SESSION_HELLO_BYTES + 1, &got));
	bytes[SESSION_HELLO_BYTES - 1] = 2; /* not even the plain cipher */
	CHECK(!session_hello_get(bytes, SESSION_HELLO_BYTES, &got));
	bytes[SESSION_HELLO_BYTES - 1] = 1;
	memset(bytes, 0, 8); /* incarnation 0 */
	CHECK(!session_hello_get(bytes, SESSION_HELLO_BYTES, &got));
}

static void
test_session_header_obituary_has_one_length_and_is_for_all(void)
{
	struct session_header header = a_header;
	size_t len = SESSION_OVERHEAD_BYTES + SESSION_OBITUARY_BYTES;

	header.kind = SESSION_OBITUARY;
	header.cipher = 1;
	header.dst = 0;
	session_header_put(&header, bytes);
	CHECK_EQ(get(len - 1), SESSION_REFUSED_MALFORMED);
	CHECK_EQ(get(len), SESSION_OK);
	CHECK_EQ(get(len + 1), SESSION_REFUSED_MALFORMED);
	bytes[2] = 2;
	CHECK_EQ(get(len), SESSION_REFUSED_MALFORMED);
	bytes[2] = 1;
	bytes[11] = 1; /* for one */
	CHECK_EQ(get(len), SESSION_REFUSED_MALFORMED);
}

static void
test_session_header_report_has_one_length_and_is_for_all(void)
{
	struct session_header header = a_header;
	size_t len = SESSION_OVERHEAD_BYTES + SESSION_REPORT_BYTES;

	header.kind = SESSION_REPORT;
	header.cipher = 1;
	header.dst = 0;
	session_header_put(&header, bytes);
	CHECK_EQ(get(len - 1), SESSION_REFUSED_MALFORMED);
	CHECK_EQ(get(len), SESSION_OK);
	CHECK_EQ(get(len + 1), SESSION_REFUSED_MALFORMED);
	bytes[2] = 2;
	CHECK_EQ(get(len), SESSION_REFUSED_MALFORMED);
	bytes[2] = 1;
	bytes[11] = 1; /* for one */
	CHECK_EQ(get(len), SESSION_REFUSED_MALFORMED);
}

static void
test_session_obituary_layout_is_as_written_down(void)
{
	static const struct session_obituary obituary = { 0x0102030405060708,
		SESSION_DEATH_HANG, 9 };
	static const uint8_t want[SESSION_OBITUARY_BYTES] = { 1, 2, 3, 4, 5, 6,
		7, 8, 2, 9 };
	struct session_obituary got;

	session_obituary_put(&obituary, bytes);
	CHECK_MEM(bytes, sizeof want, want, sizeof want);
	CHECK(session_obituary_get(bytes, sizeof want, &got));
	CHECK_EQ(got.incarnation, obituary.incarnation);
	CHECK_EQ(got.death, SESSION_DEATH_HANG);
	CHECK_EQ(got.number, 9);

	CHECK(!session_obituary_get(bytes, sizeof want - 1, &got));
	CHECK(!session_obituary_get(bytes, sizeof want + 1, &got));
	bytes[8] = 0;
	CHECK(!session_obituary_get(bytes, sizeof want, &got));
	bytes[8] = 4;
	CHECK(!session_obituary_get(bytes, sizeof want, &got));
	bytes[8] = 3;
	memset(bytes, 0, 8); /* incarnation 0 */
	CHECK(!session_obituary_get(bytes, sizeof want, &got));
}

/* ---- window ------------------------------------------------------------ */

static struct session_window window;

static bool
take(uint64_t counter)
{
	if (!session_window_is_fresh(&window, counter))
		return false;
	session_window_take(&window, counter);
	return true;
}

static void
test_session_window_takes_nothing_up_to_its_start(void)
{
	static const uint64_t starts[] = { 1, 62, 63, 64, 65, 127, 2047, 2048,
		2049, 1000000 };

	for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
		session_window_init(&window, starts[i]);
		for (uint64_t c = 1; c <= starts[i] && c < 5000; c++)
			CHECK(!take(c) && !take(starts[i] - c + 1));
		CHECK(take(starts[i] + 2));
		CHECK(take(starts[i] + 1)); /* late, in the same block */
		CHECK(!take(starts[i] + 1));
		CHECK(!take(starts[i] + 2));
		CHECK(!take(starts[i]));
	}
}

static void
test_session_window_edge_is_2048_counters_back(void)
{
	for (uint64_t top = 5000; top < 5000 + 130; top++) {
		session_window_init(&window, 1);
		CHECK(take(top));
		CHECK(!take(top - 2048));
		CHECK(take(top - 2047));
		CHECK(!take(top - 2047));
	}
}

static void
test_session_window_jump_forgets_no_replay(void)
{
	static const uint64_t jumps[] = { 1, 63, 64, 65, 2047, 2048, 2049, 2111,
		2112, 2113, 100000, (uint64_t)1 << 40 };

	for (size_t i = 0; i < sizeof jumps / sizeof jumps[0]; i++) {
		session_window_init(&window, 100);
		for (uint64_t c = 101; c <= 300; c++)
			CHECK(take(c));
		CHECK(take(300 + jumps[i]));
		for (uint64_t c = 1; c <= 300; c++)
			CHECK(!take(c));
		CHECK(!take(300 + jumps[i]));
		CHECK(take(301 + jumps[i]));
	}
}

/* Against the plainest possible model: a list of everything taken. */
static void
test_session_window_agrees_with_a_list(void)
{
	enum { SPAN = 20000 };
	static bool taken[SPAN];
	struct rng rng;
	uint64_t highest = 1, low;

	memset(taken, 0, sizeof taken);
	rng_init(&rng, 5);
	session_window_init(&window, 1);
	taken[0] = taken[1] = true;
	for (int i = 0; i < 60000; i++) {
		uint64_t c = highest + 40 - rng_below(&rng, 2200);
		bool is_fresh;

		if (c == 0 || c > highest + 40 || c >= SPAN)
			continue;
		low = highest >= 2048 ? highest - 2048 : 0;
		is_fresh = c > highest || (c > low && !taken[c]);
		if (!CHECK_EQ(take(c), is_fresh))
			return;
		taken[c] = true;
		if (c > highest)
			highest = c;
	}
	CHECK(highest > SPAN / 2);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_session_header_layout_is_as_written_down),
		CHECK_TEST(test_session_header_refuses_what_it_never_sends),
		CHECK_TEST(
		    test_session_header_needs_room_for_a_tag_and_an_octet),
		CHECK_TEST(
		    test_session_header_hello_has_one_length_and_one_receiver),
		CHECK_TEST(test_session_header_put_of_nonsense_aborts),
		CHECK_TEST(test_session_hello_comes_back_as_it_went),
		CHECK_TEST(
		    test_session_header_obituary_has_one_length_and_is_for_all),
		CHECK_TEST(
		    test_session_header_report_has_one_length_and_is_for_all),
		CHECK_TEST(test_session_obituary_layout_is_as_written_down),
		CHECK_TEST(test_session_window_takes_nothing_up_to_its_start),
		CHECK_TEST(test_session_window_edge_is_2048_counters_back),
		CHECK_TEST(test_session_window_jump_forgets_no_replay),
		CHECK_TEST(test_session_window_agrees_with_a_list),
	};

	return CHECK_MAIN(argc, argv, tests);
}
