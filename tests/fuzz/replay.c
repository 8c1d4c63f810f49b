/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A main for fuzz targets without libFuzzer: feeds each file named, and some
 * deterministic damage of it, to LLVMFuzzerTestOneInput.  `make check` runs
 * every fuzzer this way over its committed corpus.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/rng.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { REPLAY_BYTES_MAX = 1 << 20, REPLAY_DAMAGES = 200 };

/* An allocation of exactly len bytes, so that a sanitizer sees its end. */
static void
feed(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	if (copy == NULL)
		abort();
	if (len > 0)
		memcpy(copy, bytes, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

static void
feed_damaged(uint8_t *bytes, size_t len, struct rng *rng)
{
	for (int round = 0; len > 0 && round < REPLAY_DAMAGES; round++) {
		size_t at = rng_below(rng, len);
		uint8_t kept = bytes[at];
		bytes[at] = (uint8_t)rng_next(rng);
		feed(bytes, len);
		feed(bytes, at);
		if (rng_below(rng, 2) == 0)
			bytes[at] = kept;
	}
}

int
main(int argc, char **argv)
{
	static uint8_t bytes[REPLAY_BYTES_MAX];
	struct rng rng;

	rng_init(&rng, 1);
	for (int i = 0; i < 256; i++) {
		for (size_t j = 0; j < 64; j++)
			bytes[j] = (uint8_t)rng_next(&rng);
		feed(bytes, (size_t)i % 65);
	}
	for (int i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "rb");
		if (file == NULL) {
			perror(argv[i]);
			return 1;
		}
		size_t len = fread(bytes, 1, sizeof bytes, file);
		fclose(file);
		feed(bytes, len);
		feed_damaged(bytes, len, &rng);
	}
	printf("%d passed, 0 failed\n", argc);
	return 0;
}
