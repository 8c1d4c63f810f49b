/* SPDX-License-Identifier: BSD-3-Clause */
/* What sealing and opening one frame costs, with each cipher. */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/os/box.h"
#include "libcommon/os/clock.h"

#include "bin/ringd/session.h"

enum { ROUNDS = 20000, TRIES = 5, FRAME_MAX = 8960 };

static uint8_t plain[FRAME_MAX], sealed[FRAME_MAX + BOX_TAG_BYTES];
static uint8_t header[SESSION_HEADER_BYTES];
static struct box_key key;

/* ns for each of ROUNDS rounds; is_open: opening, else sealing. */
static uint64_t
once(enum box_cipher cipher, size_t len, bool is_open)
{
	struct box_frame frame = { cipher, 1, 2, header, sizeof header };
	uint64_t begin_ns, bad = 0;

	box_seal(&key, &frame, plain, len, sealed);
	begin_ns = clock_now_ns();
	for (uint32_t i = 0; i < ROUNDS; i++) {
		if (!is_open)
			box_seal(&key, &frame, plain, len, sealed);
		else
			bad += !box_open(
			    &key, &frame, sealed, len + BOX_TAG_BYTES, plain);
	}
	return bad > 0 ? UINT64_MAX : (clock_now_ns() - begin_ns) / ROUNDS;
}

/* The best of a few tries: the others measure the machine's other work. */
static void
measure(const char *name, enum box_cipher cipher, size_t len, bool is_open)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < TRIES; i++)
		best = num_min(best, once(cipher, len, is_open));
	printf("%s_%s\t%zu\t%llu\tns\n", is_open ? "open" : "seal", name, len,
	    (unsigned long long)best);
}

static void
measure_derive(void)
{
	struct box_keyring keys = { .count = 1, .id = { 1 } };
	struct box_owner owner = { "bench", 1, 1 };
	uint64_t begin_ns = clock_now_ns();

	for (uint32_t i = 0; i < ROUNDS; i++) {
		owner.session = i;
		box_key_init(&key, &keys, 1, &owner);
	}
	printf("derive\t%d\t%llu\tns\n", BOX_KEY_BYTES,
	    (unsigned long long)((clock_now_ns() - begin_ns) / ROUNDS));
}

int
main(void)
{
	static const size_t lens[] = { 64, 1400, FRAME_MAX };

	if (box_init() != 0)
		return 1;
	measure_derive();
	for (size_t i = 0; i < ARRAY_COUNT(lens); i++) {
		measure("chacha20", BOX_CHACHA20, lens[i], false);
		measure("chacha20", BOX_CHACHA20, lens[i], true);
		if (!(box_ciphers() & BOX_AES256))
			continue;
		measure("aes256gcm", BOX_AES256, lens[i], false);
		measure("aes256gcm", BOX_AES256, lens[i], true);
	}
	return 0;
}
