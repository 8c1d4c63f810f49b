/* SPDX-License-Identifier: BSD-3-Clause */
/* A frozen copy of the state, in chunks, while the state goes on. */
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bin/cfgstored/cfgstored_lend.h"
#include "bin/cfgstored/kv.h"
#include "bin/cfgstored/replica.h"
#include "tests/unit/check.h"
#include "tests/unit/statekeys.h"

enum { KEYS = 40, VALUE_BYTES = 50000, WAIT_MS = 60000 };

static const struct kv_config large = { { 64, 8 << 20, 65536, 8 }, 64,
	8 << 20 };

static struct kv *
begin(void)
{
	static uint8_t value[VALUE_BYTES];
	struct kv *kv = statekeys_begin(&large);
	char key[16];

	for (int i = 0; i < KEYS; i++) {
		memset(value, i, sizeof value);
		snprintf(key, sizeof key, "key/%d", i);
		statekeys_put(kv, key, value, sizeof value);
	}
	return kv;
}

/* The next chunk, when it is there. */
static ssize_t
next(struct cfgstored_lend *lend, uint8_t chunk[REPLICA_CHUNK_BYTES_MAX])
{
	struct pollfd ready = { .fd = lend->fd, .events = POLLIN };
	ssize_t n;

	while ((n = cfgstored_lend_read(
		    lend, chunk, REPLICA_CHUNK_BYTES_MAX)) == -EAGAIN)
		if (!CHECK_EQ(poll(&ready, 1, WAIT_MS), 1))
			return -ETIMEDOUT;
	return n;
}

/* Reads all of it; whether it is a state of this sum. */
static bool
is_whole(struct cfgstored_lend *lend, uint32_t digest, size_t *chunks)
{
	static uint8_t chunk[REPLICA_CHUNK_BYTES_MAX];
	struct kv *copy = statekeys_begin(&large);
	struct kv_reader reader;
	bool is_same = true;
	ssize_t n;

	kv_reader_init(&reader, copy);
	for (*chunks = 0; (n = next(lend, chunk)) > 0; ++*chunks)
		is_same =
		    kv_reader_take(&reader, chunk, (size_t)n) == 0 && is_same;
	is_same =
	    is_same && n == 0 && reader.is_done && kv_digest(copy) == digest;
	statekeys_end();
	return is_same;
}

static void
test_lend_gives_the_state_as_it_was(void)
{
	struct cfgstored_lend lend;
	struct kv *kv = begin();
	const uint32_t digest = kv_digest(kv);
	size_t chunks;

	cfgstored_lend_init(&lend);
	CHECK_EQ(cfgstored_lend_begin(&lend, kv), 0);
	/* More than a socket holds is still to come, of what was. */
	statekeys_put(kv, "key/0", "new", 3);
	statekeys_put(kv, "other", "new", 3);
	statekeys_end();
	CHECK(is_whole(&lend, digest, &chunks));
	CHECK(chunks >= KEYS * VALUE_BYTES / REPLICA_CHUNK_BYTES_MAX);
	cfgstored_lend_end(&lend);
	CHECK_EQ(lend.fd, -1);
}

/* The newer one is given, and of the older one nothing is left. */
static void
test_lend_is_replaced_by_the_next(void)
{
	static uint8_t chunk[REPLICA_CHUNK_BYTES_MAX];
	struct cfgstored_lend lend;
	struct kv *kv = begin();
	uint32_t digest;
	size_t chunks;
	pid_t first;

	cfgstored_lend_init(&lend);
	CHECK_EQ(cfgstored_lend_begin(&lend, kv), 0);
	first = lend.child;
	CHECK(next(&lend, chunk) > 0);
	statekeys_put(kv, "key/0", "new", 3);
	digest = kv_digest(kv);
	CHECK_EQ(cfgstored_lend_begin(&lend, kv), 0);
	CHECK_EQ(kill(first, 0), -1);
	CHECK_EQ(errno, ESRCH);
	statekeys_end();
	CHECK(is_whole(&lend, digest, &chunks));
	cfgstored_lend_end(&lend);
}

/* Nobody takes for a state what a child that was killed had given. */
static void
test_lend_cut_short_is_no_state(void)
{
	struct cfgstored_lend lend;
	struct kv *kv = begin();
	const uint32_t digest = kv_digest(kv);
	size_t chunks;

	cfgstored_lend_init(&lend);
	CHECK_EQ(cfgstored_lend_begin(&lend, kv), 0);
	statekeys_end();
	CHECK_EQ(kill(lend.child, SIGKILL), 0);
	CHECK(!is_whole(&lend, digest, &chunks));
	cfgstored_lend_end(&lend);
}

static void
test_lend_end_leaves_no_child(void)
{
	struct cfgstored_lend lend;
	struct kv *kv = begin();

	cfgstored_lend_init(&lend);
	cfgstored_lend_end(&lend);
	CHECK_EQ(cfgstored_lend_begin(&lend, kv), 0);
	cfgstored_lend_end(&lend);
	cfgstored_lend_end(&lend);
	CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
	CHECK_EQ(errno, ECHILD);
	statekeys_end();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_lend_gives_the_state_as_it_was),
		CHECK_TEST(test_lend_is_replaced_by_the_next),
		CHECK_TEST(test_lend_cut_short_is_no_state),
		CHECK_TEST(test_lend_end_leaves_no_child),
	};

	return CHECK_MAIN(argc, argv, tests);
}
