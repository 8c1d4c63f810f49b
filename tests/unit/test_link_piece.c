/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/num.h"

#include "bin/ringd/link_piece.h"
#include "tests/unit/check.h"

enum { TOTAL = 1400, MOST = 600 };

static _Alignas(64) unsigned char block[LINK_WHOLES * TOTAL + 8192];
static uint8_t datagram[TOTAL];
static struct link_wholes *wholes;

static void
begin(void)
{
	struct arena arena;

	arena_init(&arena, NULL, 0);
	CHECK(link_wholes_create(&arena, TOTAL) == NULL);
	CHECK(arena.used_bytes <= sizeof block);
	arena_init(&arena, block, sizeof block);
	wholes = link_wholes_create(&arena, TOTAL);
	for (size_t i = 0; i < TOTAL; i++)
		datagram[i] = (uint8_t)(i * 7 + i / 256);
}

/* A piece goes over the wire and is added; answers what that completed. */
static const uint8_t *
add(uint64_t session, uint32_t id, size_t offset, size_t total)
{
	uint8_t bytes[MOST + LINK_PIECE_HEAD_BYTES];
	struct link_piece piece = {
		.id = id,
		.offset = (uint16_t)offset,
		.total = (uint16_t)total,
		.bytes = datagram + offset,
		.len = num_min(MOST, total - offset),
	};
	size_t len = link_piece_put(&piece, bytes);
	struct link_piece got;

	CHECK(link_piece_get(bytes, len, TOTAL, &got));
	CHECK_EQ(got.id, id);
	CHECK_EQ(got.len, piece.len);
	return link_wholes_add(wholes, session, &got);
}

static void
test_link_piece_datagram_comes_together_in_any_order(void)
{
	static const size_t orders[][3] = { { 0, 600, 1200 }, { 1200, 600, 0 },
		{ 600, 1200, 0 }, { 1200, 0, 600 } };

	begin();
	for (uint32_t i = 0; i < ARRAY_COUNT(orders); i++) {
		const uint8_t *whole;

		CHECK(add(1, i, orders[i][0], TOTAL) == NULL);
		CHECK(add(1, i, orders[i][1], TOTAL) == NULL);
		whole = add(1, i, orders[i][2], TOTAL);
		if (CHECK(whole != NULL))
			CHECK_MEM(whole, TOTAL, datagram, TOTAL);
	}
}

static void
test_link_piece_datagrams_are_kept_apart(void)
{
	begin();
	CHECK(add(1, 5, 0, 1000) == NULL);
	CHECK(add(2, 5, 600, 1000) == NULL); /* of another session */
	CHECK(add(1, 6, 600, 1000) == NULL);
	CHECK(add(1, 5, 600, 1100) == NULL); /* of another length */
	CHECK(add(1, 5, 600, 1000) != NULL);
	CHECK(add(2, 5, 0, 1000) != NULL);
	CHECK(add(1, 6, 0, 1000) != NULL);
}

static void
test_link_piece_incomplete_ones_give_way(void)
{
	begin();
	for (uint32_t id = 0; id < 10 * LINK_WHOLES; id++)
		CHECK(add(1, id, 0, TOTAL) == NULL);
	CHECK(add(1, 10 * LINK_WHOLES, 0, 1000) == NULL);
	CHECK(add(1, 10 * LINK_WHOLES, 600, 1000) != NULL);
	/* The first are gone, the last are not. */
	CHECK(add(1, 0, 600, TOTAL) == NULL);
	CHECK(add(1, 0, 1200, TOTAL) == NULL);
	CHECK(add(1, 10 * LINK_WHOLES - 1, 600, TOTAL) == NULL);
	CHECK(add(1, 10 * LINK_WHOLES - 1, 1200, TOTAL) != NULL);
}

static void
test_link_piece_that_does_not_fit_is_refused(void)
{
	uint8_t bytes[TOTAL + LINK_PIECE_HEAD_BYTES] = { 0, 0, 0, 1 };
	struct link_piece got;

	bytes[5] = 100; /* offset */
	bytes[7] = 200; /* total */
	CHECK(link_piece_get(bytes, 8 + 100, TOTAL, &got));
	CHECK(!link_piece_get(bytes, 8 + 101, TOTAL, &got));
	CHECK(!link_piece_get(bytes, 8, TOTAL, &got));
	CHECK(!link_piece_get(bytes, 3, TOTAL, &got));
	CHECK(!link_piece_get(bytes, 8 + 100, 199, &got));
	bytes[4] = bytes[6] = 0xff;
	CHECK(!link_piece_get(bytes, 8 + 100, TOTAL, &got));
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(
		    test_link_piece_datagram_comes_together_in_any_order),
		CHECK_TEST(test_link_piece_datagrams_are_kept_apart),
		CHECK_TEST(test_link_piece_incomplete_ones_give_way),
		CHECK_TEST(test_link_piece_that_does_not_fit_is_refused),
	};

	return CHECK_MAIN(argc, argv, tests);
}
