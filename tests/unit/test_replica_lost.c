/* SPDX-License-Identifier: BSD-3-Clause */
/* What could get lost: what was done in a state that is gone, pieces. */
#include <string.h>

#include "bin/cfgstored/replica_wire.h"
#include "tests/unit/check.h"
#include "tests/unit/storestep.h"

enum {
	ALL = 7,
	NODE_1 = 1,
	NODES_2_3 = 6,
	PASS_MS = 100,
	LATE_MS = 6000,
};

static enum replica_code
put(uint32_t node, const char *key)
{
	const enum replica_code code =
	    storestep_put(node, key, "v", REPLICA_ON_DISK).code;

	storestep_pass_ms(PASS_MS);
	return code;
}

/* What node 1 applied ahead of its disk is in no log any more. */
static void
lose_what_is_ahead(void)
{
	storestep_hold_disks(true);
	storestep_put(1, "disk", "v", REPLICA_ON_DISK);
	CHECK_EQ(storestep_put(1, "memory", "v", REPLICA_IN_MEMORY).code,
	    REPLICA_OK);
	CHECK(storestep_has_key(1, "disk"));
	CHECK_EQ(storestep_answer(storestep_asked() - 1).code, REPLICA_CODES);
	storestep_view(NODE_1);
	storestep_crash(2);
	storestep_crash(3);
	storestep_hold_disks(false);
	storestep_view(NODES_2_3);
	storestep_pass_ms(PASS_MS);
	CHECK(!storestep_has_key(2, "disk"));
}

/* It is done after all: not said before it was. */
static void
test_lost_write_is_done_again(void)
{
	uint64_t asked;

	storestep_begin(3);
	CHECK_EQ(put(1, "x"), REPLICA_OK);
	asked = storestep_asked() + 1;
	lose_what_is_ahead();
	/* Beyond the index that it had. */
	for (unsigned i = 0; i < 8; i++)
		CHECK_EQ(put(2, "y"), REPLICA_OK);
	CHECK_EQ(storestep_answer(asked).code, REPLICA_CODES);
	storestep_view(ALL);
	storestep_pass_ms(PASS_MS);
	CHECK_EQ(storestep_answer(asked).code, REPLICA_OK);
	for (uint32_t node = 1; node <= 3; node++) {
		CHECK(storestep_has_key(node, "disk"));
		CHECK(!storestep_has_key(node, "memory"));
	}
	storestep_end();
}

static enum replica_code
put_in_memory(const char *key)
{
	const uint64_t n = storestep_asked() + 1;

	(void)storestep_put(1, key, "v", REPLICA_IN_MEMORY);
	storestep_pass_ms(PASS_MS);
	return storestep_answer(n).code;
}

/* Memory holds what the disk has soon, and not what it has when somebody made
 * room on it. */
static void
test_lost_with_full_disks(void)
{
	uint64_t asked;

	storestep_begin(3);
	storestep_hold_disks(true);
	storestep_fill_disk(2, true);
	CHECK_EQ(put_in_memory("x"), REPLICA_OK);
	storestep_fill_disk(3, true);
	CHECK_EQ(put_in_memory("y"), REPLICA_CODES);
	asked = storestep_asked();
	storestep_fill_disk(2, false);
	storestep_pass_ms(PASS_MS);
	CHECK_EQ(storestep_answer(asked).code, REPLICA_OK);
	storestep_hold_disks(false);
	storestep_end();
}

/* Nobody waits for it in vain either. */
static void
test_lost_write_has_its_deadline(void)
{
	uint64_t asked;

	storestep_begin(3);
	asked = storestep_asked() + 1;
	lose_what_is_ahead();
	storestep_pass_ms(LATE_MS);
	CHECK_EQ(storestep_answer(asked).code, REPLICA_UNKNOWN);
	storestep_end();
}

/* ---- who has no vote --------------------------------------------------- */

/* What a record that begins amid the value would do. */
static size_t
write_forged(uint8_t *bytes, size_t size)
{
	static const struct kv_part part = { .kind = KV_PUT,
		.key = (const uint8_t *)"forged",
		.key_len = 6,
		.value = (const uint8_t *)"x",
		.value_len = 1 };
	const struct replica_commands commands = {
		.node = 3, .run = 99, .count = 1
	};
	uint8_t command_bytes[64];
	struct wrbuf command, wr;

	wrbuf_init(&command, command_bytes, sizeof command_bytes);
	kv_command_begin(&command, 0, 1);
	kv_command_add(&command, &part);
	wrbuf_init(&wr, bytes, size);
	replica_wire_put_commands(&wr, &commands);
	replica_wire_put_command(&wr,
	    &(struct replica_command){ .number = 1000000,
		.bytes = command.bytes,
		.len = command.len });
	CHECK(!command.is_full && !wr.is_full);
	return wr.len;
}

/* A value as long as a message, that has the rest where the next begins. */
static size_t
write_large(struct wrbuf *wr)
{
	static uint8_t value[STORESTEP_MESSAGE_BYTES_MAX + 64];
	/* Heads of the commands, of the first, of its change. */
	const size_t at =
	    STORESTEP_MESSAGE_BYTES_MAX - REPLICA_HEAD_BYTES_MAX - 16 - 12 - 11;
	/* The last byte is that of the command around it. */
	const size_t len = write_forged(value + at, sizeof value - at) - 1;
	const struct kv_part part = { .kind = KV_PUT,
		.key = (const uint8_t *)"big",
		.key_len = 3,
		.value = value,
		.value_len = at + len };

	kv_command_begin(wr, 0, 1);
	kv_command_add(wr, &part);
	return wr->is_full ? 0 : wr->len;
}

/* It is put together as anybody's; the rest of it is no record. */
static void
test_lost_pieces_of_who_has_no_vote(void)
{
	static uint8_t bytes[STORESTEP_MESSAGE_BYTES_MAX + 1024];
	struct wrbuf wr;

	storestep_begin_with_voters(3, 2);
	CHECK_EQ(put(1, "x"), REPLICA_OK);
	wrbuf_init(&wr, bytes, sizeof bytes);
	CHECK(write_large(&wr) > 0);
	CHECK_EQ(storestep_propose(3, wr.bytes, wr.len).code, REPLICA_OK);
	storestep_pass_ms(PASS_MS);
	for (uint32_t node = 1; node <= 3; node++) {
		CHECK(storestep_has_key(node, "big"));
		CHECK(!storestep_has_key(node, "forged"));
	}
	CHECK_EQ(put(3, "y"), REPLICA_OK);
	storestep_end();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_lost_write_is_done_again),
		CHECK_TEST(test_lost_with_full_disks),
		CHECK_TEST(test_lost_write_has_its_deadline),
		CHECK_TEST(test_lost_pieces_of_who_has_no_vote),
	};

	return CHECK_MAIN(argc, argv, tests);
}
