/* SPDX-License-Identifier: BSD-3-Clause */
#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/text.h"
#include "libcommon/os/box.h"

#include "tests/unit/check.h"

#define HEX32                              \
	"00112233445566778899aabbccddeeff" \
	"00112233445566778899AABBCCDDEEFF"
#define OTHER32                            \
	"10112233445566778899aabbccddeeff" \
	"00112233445566778899aabbccddeeff"

static char path[64];
static char why[256];

/* A file of that content and mode; its reading's answer, why in why[]. */
static int
read_keys(struct box_keyring *keys, const char *content, mode_t mode)
{
	struct text text;
	int fd;

	*keys = (struct box_keyring){ 0 };
	text_init(&text, why, sizeof why);
	snprintf(path, sizeof path, "/tmp/test_box.XXXXXX");
	fd = mkstemp(path);
	if (!CHECK(fd >= 0))
		return -1;
	CHECK_EQ(write(fd, content, strlen(content)), strlen(content));
	CHECK_EQ(fchmod(fd, mode), 0);
	close(fd);
	int rc = box_keyring_read(keys, path, &text);
	unlink(path);
	return rc;
}

static void
test_box_key_file_last_line_is_active(void)
{
	struct box_keyring keys;

	CHECK_EQ(read_keys(&keys,
		     "# keys\n\n 7\t" OTHER32 " \r\n255   " HEX32 "\n", 0400),
	    0);
	CHECK_STR(why, "");
	CHECK_EQ(keys.count, 2);
	CHECK_EQ(box_keyring_active(&keys), 255);
	CHECK(box_keyring_has(&keys, 7));
	CHECK(!box_keyring_has(&keys, 8));
	CHECK_EQ(keys.key[0][0], 0x10);
	CHECK_EQ(keys.key[1][31], 0xff);
	box_keyring_fini(&keys);
	CHECK_EQ(keys.count, 0);
}

static void
test_box_key_file_without_last_newline_is_read(void)
{
	struct box_keyring keys;

	CHECK_EQ(read_keys(&keys, "1 " HEX32, 0440), 0);
	CHECK_EQ(keys.count, 1);
}

static void
test_box_key_file_mistakes_name_the_line(void)
{
	static const struct {
		const char *content, *want;
	} cases[] = {
		{ "", ": no key, expected `ID HEX64`" },
		{ "# nothing\n", ": no key, expected `ID HEX64`" },
		{ "0 " HEX32 "\n", ":1: bad key id, expected 1 to 255" },
		{ "\n256 " HEX32, ":2: bad key id, expected 1 to 255" },
		{ "01 " HEX32, ":1: bad key id, expected 1 to 255" },
		{ "x " HEX32, ":1: bad key id, expected 1 to 255" },
		{ "1", ":1: bad key, expected 64 hex digits" },
		{ "1 " HEX32 "0", ":1: bad key, expected 64 hex digits" },
		{ "1 g" HEX32, ":1: bad key, expected 64 hex digits" },
		{ "1 " HEX32 " 2", ":1: bad key, expected 64 hex digits" },
		{ "1 " HEX32 "\n1 " OTHER32,
		    ":2: key id used before, expected another" },
	};
	struct box_keyring keys;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_case(cases[i].content);
		CHECK_EQ(read_keys(&keys, cases[i].content, 0400), BOX_E_KEYS);
		CHECK_STR(why + strlen(path), cases[i].want);
		CHECK_EQ(keys.count, 0);
	}
	check_case(NULL);
}

static void
test_box_key_file_with_seventeen_keys_is_refused(void)
{
	struct box_keyring keys;
	static char content[17 * 80];
	size_t len = 0;

	for (int i = 1; i <= 17; i++)
		len += (size_t)snprintf(
		    content + len, sizeof content - len, "%d %s\n", i, HEX32);
	CHECK_EQ(read_keys(&keys, content, 0400), BOX_E_KEYS);
	CHECK_STR(
	    why + strlen(path), ":17: too many keys, expected at most 16");
}

static void
test_box_key_file_that_others_can_reach_is_refused(void)
{
	static const mode_t bad[] = { 0600, 0444, 0404, 0460, 0640, 0500 };
	struct box_keyring keys;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		CHECK_EQ(read_keys(&keys, "1 " HEX32, bad[i]), BOX_E_KEYS);
		CHECK_STR(why + strlen(path),
		    ": mode is too open, expected 0400 or 0440 (chmod 0400)");
	}
}

static void
test_box_key_file_that_is_none_is_refused(void)
{
	struct box_keyring keys;
	struct text text;

	text_init(&text, why, sizeof why);
	CHECK_EQ(
	    box_keyring_read(&keys, "/nonexistent/key", &text), BOX_E_KEYS);
	CHECK_STR(
	    why, "/nonexistent/key: cannot open: No such file or directory");
	text_init(&text, why, sizeof why);
	CHECK_EQ(box_keyring_read(&keys, "/dev/null", &text), BOX_E_KEYS);
	CHECK_STR(why, "/dev/null: not a regular file");
}

static void
test_box_key_file_of_another_user_is_refused(void)
{
	struct box_keyring keys;
	struct text text;
	int fd;

	if (geteuid() != 0) {
		printf("skipped: only root can give a file away\n");
		return;
	}
	text_init(&text, why, sizeof why);
	snprintf(path, sizeof path, "/tmp/test_box.XXXXXX");
	fd = mkstemp(path);
	CHECK_EQ(fchown(fd, 65534, 65534), 0);
	CHECK_EQ(fchmod(fd, 0400), 0);
	close(fd);
	CHECK_EQ(box_keyring_read(&keys, path, &text), BOX_E_KEYS);
	unlink(path);
	CHECK_STR(why + strlen(path),
	    ": owned by another user, expected root or the daemon's");
}

/* ---- sealing ----------------------------------------------------------- */

static struct box_keyring ring;

static struct box_key
key_of(const char *cluster, uint32_t node, uint64_t session)
{
	struct box_owner owner = { cluster, node, session };
	struct box_key key;

	memset(&key, 0, sizeof key);
	box_key_init(&key, &ring, 1, &owner);
	return key;
}

static const enum box_cipher ciphers[] = { BOX_CHACHA20, BOX_AES256 };

static void
test_box_opens_what_was_sealed_and_nothing_else(void)
{
	struct box_key key = key_of("prod", 1, 2);
	uint8_t plain[100], sealed[100 + BOX_TAG_BYTES], opened[100];
	uint8_t ad[32] = { 1, 2, 3 };

	for (size_t i = 0; i < sizeof plain; i++)
		plain[i] = (uint8_t)i;
	for (size_t c = 0; c < 2; c++) {
		struct box_frame frame = { ciphers[c], 9, 8, ad, sizeof ad };

		if (!(box_ciphers() & ciphers[c]))
			continue;
		box_seal(&key, &frame, plain, sizeof plain, sealed);
		CHECK(memcmp(plain, sealed, sizeof plain) != 0);
		CHECK(box_open(&key, &frame, sealed, sizeof sealed, opened));
		CHECK_MEM(opened, sizeof opened, plain, sizeof plain);
		for (size_t i = 0; i < sizeof sealed; i++) {
			sealed[i] ^= 0x10;
			CHECK(!box_open(
			    &key, &frame, sealed, sizeof sealed, opened));
			sealed[i] ^= 0x10;
		}
		for (size_t len = 0; len < sizeof sealed; len++)
			CHECK(!box_open(&key, &frame, sealed, len, opened));
		for (size_t i = 0; i < sizeof ad; i++) {
			ad[i] ^= 1;
			CHECK(!box_open(
			    &key, &frame, sealed, sizeof sealed, opened));
			ad[i] ^= 1;
		}
		frame.counter++;
		CHECK(!box_open(&key, &frame, sealed, sizeof sealed, opened));
		frame.counter--;
		frame.salt++;
		CHECK(!box_open(&key, &frame, sealed, sizeof sealed, opened));
	}
}

static void
test_box_every_owner_has_another_key(void)
{
	struct box_key key = key_of("prod", 1, 2);
	struct box_key others[] = { key_of("prot", 1, 2), key_of("pro", 1, 2),
		key_of("prod", 2, 2), key_of("prod", 1, 3) };

	for (size_t c = 0; c < 2; c++) {
		struct box_frame frame = { .cipher = ciphers[c], .counter = 1 };
		uint8_t sealed[4 + BOX_TAG_BYTES], opened[4];

		if (!(box_ciphers() & ciphers[c]))
			continue;
		box_seal(&key, &frame, (const uint8_t *)"text", 4, sealed);
		for (size_t i = 0; i < 4; i++)
			CHECK(!box_open(
			    &others[i], &frame, sealed, sizeof sealed, opened));
		frame.cipher ^= BOX_CHACHA20 | BOX_AES256;
		CHECK(!box_open(&key, &frame, sealed, sizeof sealed, opened));
	}
}

static void
test_box_key_is_the_same_on_every_machine(void)
{
	/* blake2b-256, key 00112233..., of "ringkit box 1", 01, 01, 00000001,
	 * 0000000000000002, "prod": as Python's hashlib says. */
	static const uint8_t want[BOX_KEY_BYTES] = { 0x01, 0xe1, 0xea, 0xc3,
		0xef, 0xd6, 0xfe, 0x50, 0x49, 0x97, 0xc6, 0x66, 0xbd, 0x2f,
		0x86, 0x7b, 0x46, 0xc4, 0x59, 0xcc, 0xba, 0x39, 0xbf, 0x99,
		0xe6, 0x24, 0x4e, 0x1b, 0xa9, 0x4a, 0xc8, 0xd5 };
	struct box_key key = key_of("prod", 1, 2);

	CHECK_MEM(key.chacha, sizeof key.chacha, want, sizeof want);
	CHECK_EQ(box_hash("prod", 4), 0x0b4a892705db6abd);
}

static void
test_box_random_is_not_the_same_twice(void)
{
	CHECK(box_random_u64() != box_random_u64());
}

static void
test_box_key_fini_leaves_nothing(void)
{
	static const struct box_key none;
	struct box_key key = key_of("prod", 1, 2);

	box_key_fini(&key);
	CHECK_MEM(&key, sizeof key, &none, sizeof none);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_box_key_file_last_line_is_active),
		CHECK_TEST(test_box_key_file_without_last_newline_is_read),
		CHECK_TEST(test_box_key_file_mistakes_name_the_line),
		CHECK_TEST(test_box_key_file_with_seventeen_keys_is_refused),
		CHECK_TEST(test_box_key_file_that_others_can_reach_is_refused),
		CHECK_TEST(test_box_key_file_that_is_none_is_refused),
		CHECK_TEST(test_box_key_file_of_another_user_is_refused),
		CHECK_TEST(test_box_opens_what_was_sealed_and_nothing_else),
		CHECK_TEST(test_box_every_owner_has_another_key),
		CHECK_TEST(test_box_key_is_the_same_on_every_machine),
		CHECK_TEST(test_box_random_is_not_the_same_twice),
		CHECK_TEST(test_box_key_fini_leaves_nothing),
	};

	if (box_init() != 0 || read_keys(&ring, "1 " HEX32, 0400) != 0)
		return 1;
	return CHECK_MAIN(argc, argv, tests);
}
