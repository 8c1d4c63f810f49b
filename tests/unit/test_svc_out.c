/* SPDX-License-Identifier: BSD-3-Clause */
#include <sys/uio.h>

#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/rng.h"
#include "libcommon/os/svc_out.h"

#include "tests/unit/check.h"

enum { CHUNKS = 8, POOL = CHUNKS * SVC_OUT_CHUNK_BYTES };

static unsigned char *block;
static char big[3 * SVC_OUT_CHUNK_BYTES];

static struct svc_out *
make_out(void)
{
	struct arena measure, arena;

	arena_init(&measure, NULL, 0);
	CHECK(svc_out_create(&measure, POOL) == NULL);
	free(block);
	block = calloc(1, measure.used_bytes + 64);
	arena_init(&arena, block, measure.used_bytes);
	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (char)('a' + i % 26);
	return svc_out_create(&arena, POOL);
}

/* Takes up to max bytes off the queue, as a writev of few spans would. */
static size_t
take(struct svc_out *out, struct svc_queue *queue, char *to, size_t max)
{
	struct iovec iov[3];
	int n = svc_queue_peek(out, queue, iov, 3);
	size_t len = 0;

	for (int i = 0; i < n && len < max; i++) {
		size_t part = iov[i].iov_len;

		if (part > max - len)
			part = max - len;
		memcpy(to + len, iov[i].iov_base, part);
		len += part;
	}
	svc_queue_drop(out, queue, len);
	return len;
}

static void
test_svc_out_short_lines_share_a_chunk(void)
{
	struct svc_out *out = make_out();
	struct svc_queue queue;
	struct iovec iov[4];

	svc_queue_init(&queue);
	CHECK(svc_queue_put(out, &queue, "one\n", 4));
	CHECK(svc_queue_put(out, &queue, "two\n", 4));

	CHECK_EQ(svc_queue_peek(out, &queue, iov, 4), 1);
	CHECK_MEM(iov[0].iov_base, iov[0].iov_len, "one\ntwo\n", 8);
	CHECK_EQ(svc_out_free(out), CHUNKS - 1);
	svc_queue_drop(out, &queue, 5);
	CHECK_EQ(svc_queue_peek(out, &queue, iov, 4), 1);
	CHECK_MEM(iov[0].iov_base, iov[0].iov_len, "wo\n", 3);
	svc_queue_clear(out, &queue);
	CHECK_EQ(svc_out_free(out), CHUNKS);
}

static void
test_svc_out_long_payload_is_held_once_by_all_readers(void)
{
	struct svc_out *out = make_out();
	struct svc_payload payload;
	struct svc_queue queues[3];
	static char got[sizeof big + 64];

	svc_payload_init(&payload, big, sizeof big);
	for (int i = 0; i < 3; i++) {
		svc_queue_init(&queues[i]);
		CHECK(svc_queue_put_data(out, &queues[i], "ev\n", 3, &payload));
	}
	svc_payload_done(out, &payload);

	/* Three bodies of 3 chunks + LF = 4 chunks once, 3 lines. */
	CHECK_EQ(svc_out_free(out), CHUNKS - 4 - 3);
	for (int i = 0; i < 3; i++) {
		size_t len = 0, n;

		while ((n = take(out, &queues[i], got + len, 1000)) > 0)
			len += n;
		CHECK_EQ(len, 3 + sizeof big + 1);
		CHECK(memcmp(got, "ev\n", 3) == 0);
		CHECK(memcmp(got + 3, big, sizeof big) == 0);
		CHECK_EQ(got[len - 1], '\n');
	}
	CHECK_EQ(svc_out_free(out), CHUNKS);
}

static void
test_svc_out_full_pool_takes_all_or_nothing(void)
{
	struct svc_out *out = make_out();
	struct svc_queue a, b;
	struct svc_payload payload;

	svc_queue_init(&a);
	svc_queue_init(&b);
	CHECK(svc_queue_put(out, &a, big, sizeof big));
	CHECK(svc_queue_put(out, &a, big, sizeof big));
	CHECK_EQ(svc_out_free(out), 2);

	CHECK(!svc_queue_put(out, &b, big, sizeof big));
	CHECK_EQ(b.bytes, 0);
	svc_payload_init(&payload, big, sizeof big);
	CHECK(!svc_queue_put_data(out, &b, "ev\n", 3, &payload));
	svc_payload_done(out, &payload);
	CHECK_EQ(b.bytes, 0);
	CHECK_EQ(svc_out_free(out), 2);
	CHECK(svc_queue_put(out, &b, "ok\n", 3));
	svc_queue_clear(out, &a);
	CHECK(svc_queue_put(out, &b, big, sizeof big));
	svc_queue_clear(out, &b);
	CHECK_EQ(svc_out_free(out), CHUNKS);
}

/* What goes in comes out, byte for byte, whatever the sizes. */
static void
test_svc_out_random_traffic_keeps_every_byte(void)
{
	struct svc_out *out = make_out();
	struct svc_queue queue;
	struct svc_payload payload;
	struct rng rng;
	static char want[POOL], got[POOL];
	size_t want_len = 0, refused = 0;

	rng_init(&rng, 7);
	svc_queue_init(&queue);
	for (int i = 0; i < 20000; i++) {
		size_t len = rng_below(&rng, i % 10 == 0 ? 20000 : 300);
		const char *from = big + rng_below(&rng, 26);
		size_t n;

		svc_payload_init(&payload, from, len);
		if (svc_queue_put_data(out, &queue, "ev\n", 3, &payload)) {
			memcpy(want + want_len, "ev\n", 3);
			memcpy(want + want_len + 3, from, len);
			want_len += len + 4;
			want[want_len - 1] = '\n';
		} else {
			refused++;
		}
		svc_payload_done(out, &payload);
		n = take(out, &queue, got, rng_below(&rng, 2200));
		if (!CHECK(memcmp(got, want, n) == 0))
			return;
		want_len -= n;
		memmove(want, want + n, want_len);
	}
	/* It ran full, and it went on. */
	CHECK(refused > 0 && refused < 10000);
	svc_queue_clear(out, &queue);
	CHECK_EQ(svc_out_free(out), CHUNKS);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_svc_out_short_lines_share_a_chunk),
		CHECK_TEST(
		    test_svc_out_long_payload_is_held_once_by_all_readers),
		CHECK_TEST(test_svc_out_full_pool_takes_all_or_nothing),
		CHECK_TEST(test_svc_out_random_traffic_keeps_every_byte),
	};

	return CHECK_MAIN(argc, argv, tests);
}
