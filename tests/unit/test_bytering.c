/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "libcommon/base/bytering.h"
#include "libcommon/base/rng.h"

#include "tests/unit/check.h"

static uint8_t memory[8];
static struct bytering ring;

static void
check_content(const char *want, int want_spans)
{
	struct bytering_span span[2];
	char got[16];

	CHECK_EQ(bytering_peek(&ring, span), want_spans);
	memcpy(got, span[0].bytes, span[0].len);
	memcpy(got + span[0].len, span[1].bytes, span[1].len);
	CHECK_MEM(got, span[0].len + span[1].len, want, strlen(want));
}

static void
test_bytering_put_all_or_nothing(void)
{
	bytering_init(&ring, memory, sizeof memory);

	CHECK(bytering_put(&ring, "abcde", 5));
	CHECK(!bytering_put(&ring, "fghi", 4));
	check_content("abcde", 1);
	CHECK(bytering_put(&ring, "fgh", 3));
	CHECK_EQ(bytering_room(&ring), 0);
	CHECK(!bytering_put(&ring, "i", 1));
	CHECK(bytering_put(&ring, "", 0));

	check_content("abcdefgh", 1);
}

static void
test_bytering_goes_round_in_two_spans(void)
{
	bytering_init(&ring, memory, sizeof memory);
	bytering_put(&ring, "abcdef", 6);
	bytering_drop(&ring, 4);

	CHECK(bytering_put(&ring, "ghijkl", 6));

	check_content("efghijkl", 2);
	bytering_drop(&ring, 4);
	check_content("ijkl", 1);
}

static void
test_bytering_empty_begins_anew(void)
{
	bytering_init(&ring, memory, sizeof memory);
	bytering_put(&ring, "abcdef", 6);
	bytering_drop(&ring, 6);

	bytering_put(&ring, "12345678", 8);

	check_content("12345678", 1);
}

static void
drop_too_much(void)
{
	bytering_init(&ring, memory, sizeof memory);
	bytering_put(&ring, "a", 1);
	bytering_drop(&ring, 2);
}

static void
test_bytering_dropping_more_than_there_is_aborts(void)
{
	CHECK_ABORTS(drop_too_much);
}

/* Against a plain array that is shifted. */
static void
test_bytering_equals_a_simple_queue(void)
{
	uint8_t model[8], next = 0;
	size_t model_len = 0;
	struct rng rng;

	rng_init(&rng, 11);
	bytering_init(&ring, memory, sizeof memory);
	for (int round = 0; round < 20000; round++) {
		uint8_t bytes[10], got[8];
		size_t len = rng_below(&rng, sizeof bytes);
		for (size_t i = 0; i < len; i++)
			bytes[i] = next++;
		bool fits = len <= sizeof model - model_len;
		CHECK_EQ(bytering_put(&ring, bytes, len), fits);
		memcpy(model + model_len, bytes, fits ? len : 0);
		model_len += fits ? len : 0;

		struct bytering_span span[2];
		bytering_peek(&ring, span);
		memcpy(got, span[0].bytes, span[0].len);
		memcpy(got + span[0].len, span[1].bytes, span[1].len);
		if (!CHECK_MEM(
			got, span[0].len + span[1].len, model, model_len))
			return;

		size_t gone = rng_below(&rng, model_len + 1);
		bytering_drop(&ring, gone);
		model_len -= gone;
		memmove(model, model + gone, model_len);
	}
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_bytering_put_all_or_nothing),
		CHECK_TEST(test_bytering_goes_round_in_two_spans),
		CHECK_TEST(test_bytering_empty_begins_anew),
		CHECK_TEST(test_bytering_dropping_more_than_there_is_aborts),
		CHECK_TEST(test_bytering_equals_a_simple_queue),
	};
	return CHECK_MAIN(argc, argv, tests);
}
