/* SPDX-License-Identifier: BSD-3-Clause */
/* What a replica's clients are told when a state or a log was thrown away. */
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

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_lost_write_is_done_again),
		CHECK_TEST(test_lost_write_has_its_deadline),
	};

	return CHECK_MAIN(argc, argv, tests);
}
