/* SPDX-License-Identifier: BSD-3-Clause */
/* Keys that somebody chose so that they would be slow to find. */
#include <string.h>

#include "libcommon/base/crc32c.h"
#include "libcommon/base/siphash.h"

#include "bin/cfgstored/kv_table.h"
#include "tests/unit/check.h"
#include "tests/unit/statekeys.h"

enum { CHOSEN = 4096 };

/* Its last four bytes make the CRC of all of them the same. */
static void
choose_key(uint32_t number, uint8_t key[8])
{
	uint32_t sum;

	memcpy(key, &number, 4);
	sum = ~crc32c_more(0, key, 4);
	for (unsigned i = 0; i < 4; i++)
		key[4 + i] = (uint8_t)(sum >> (8 * i));
}

static void
put_chosen(struct kv *kv, uint64_t secret)
{
	const struct siphash_key key = { { secret, 1 } };
	struct kv_author who = { 1, 1, 0 };
	struct kv_result result;
	uint8_t bytes[8], command[64];
	struct wrbuf wr;

	kv_set_secret(kv, &key);
	for (uint32_t i = 0; i < CHOSEN; i++) {
		struct kv_part part = {
			.kind = KV_PUT, .key = bytes, .key_len = sizeof bytes
		};

		choose_key(i, bytes);
		wrbuf_init(&wr, command, sizeof command);
		kv_command_begin(&wr, 0, 1);
		kv_command_add(&wr, &part);
		who.number++;
		kv_apply(kv, &who, wr.bytes, wr.len, &result);
		CHECK_EQ(result.code, KV_DONE);
	}
}

/* Keys of the place that has most. */
static size_t
longest(const struct kv *kv)
{
	size_t most = 0;

	for (size_t i = 0; i <= kv->sums_mask; i++) {
		size_t count = 0;

		for (uint32_t at = kv->sums[i]; at != KV_NIL;
		     at = kv->versions[at].same)
			count++;
		most = count > most ? count : most;
	}
	return most;
}

struct shape {
	size_t longest;
	uint32_t digest;
	uint32_t first, second; /* keys of one level or more, and of two */
	bool has_levels;
};

static struct shape
shape_by(uint64_t secret)
{
	static const struct kv_config cfg = { { CHOSEN, 1 << 20, 64, 1 }, 64,
		1 << 16 };
	struct kv *kv = statekeys_begin(&cfg);
	struct shape shape;

	put_chosen(kv, secret);
	kv_check(kv);
	shape = (struct shape){ .longest = longest(kv),
		.digest = kv_digest(kv),
		.first = kv->first[0],
		.second = kv->first[1],
		.has_levels = kv->first[4] != KV_NIL };
	statekeys_end();
	return shape;
}

/* Nobody can choose keys that lie in one place, or in a list of one level. */
static void
test_kv_sums_of_keys_that_were_chosen(void)
{
	const struct shape one = shape_by(1), other = shape_by(2);
	uint8_t key[8];

	choose_key(1, key);
	CHECK_EQ(crc32c_more(0, key, 8), UINT32_MAX);
	CHECK(one.longest < 16 && one.has_levels);
	CHECK(other.longest < 16 && other.has_levels);
	CHECK_EQ(one.first, other.first);
	CHECK(one.second != other.second);
	/* It is no part of the state. */
	CHECK_EQ(one.digest, other.digest);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_kv_sums_of_keys_that_were_chosen),
	};

	return CHECK_MAIN(argc, argv, tests);
}
