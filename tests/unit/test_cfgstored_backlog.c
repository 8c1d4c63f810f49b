/* SPDX-License-Identifier: BSD-3-Clause */
/* What the disk does not take at once comes to it later, in its order. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/text.h"

#include "bin/cfgstored/cfgstored_backlog.h"
#include "bin/cfgstored/cfgstored_disk_internal.h"
#include "tests/unit/check.h"

enum {
	RING_BYTES = 20000,
	RECORD_BYTES = 900,
	RECORDS_MAX = 1000,
	WAIT_MS = 60000,
};

static char dir[] = "/tmp/test_cfgstored_backlog.XXXXXX";
static struct cfgstored_disk *disk;
static struct cfgstored_backlog backlog;
static uint8_t ring[RING_BYTES], flat[RECORD_BYTES];
static uint64_t view; /* of the epoch of what is given */

/* ---- what is on disk --------------------------------------------------- */

static struct {
	uint64_t last;
	bool is_wrong;
} seen;

/* Each byte of a record is its index, and its length goes with that. */
static size_t
record_len(uint64_t index)
{
	return 1 + index * 37 % RECORD_BYTES;
}

static int
see_snapshot(void *arg, const struct kv_tip *tip, const void *words, size_t len)
{
	(void)arg, (void)tip, (void)words, (void)len;
	return 0;
}

static int
see_state(void *arg, const void *bytes, size_t len)
{
	(void)arg, (void)bytes, (void)len;
	return 0;
}

static int
see_record(void *arg, const struct kv_log_frame *record)
{
	const uint64_t index = record->tip.index;

	(void)arg;
	seen.is_wrong |= index != seen.last + 1 ||
	    record->len != record_len(index) ||
	    record->bytes[0] != (uint8_t)index ||
	    record->bytes[record->len - 1] != (uint8_t)index;
	seen.last = index;
	return 0;
}

static void
see_cut(void *arg, uint64_t index)
{
	(void)arg;
	seen.last = index - 1;
}

static void
open_disk(void)
{
	const struct cfgstored_disk_config config = {
		.folder = dir, .segment_bytes = 64 << 10, .ring_bytes = 16 << 10
	};
	const struct cfgstored_disk_reader reader = { NULL, see_snapshot,
		see_state, see_record, see_cut };
	struct cfgstored_disk_found found;
	char why[256];
	struct text text;

	seen.last = 0;
	seen.is_wrong = false;
	text_init(&text, why, sizeof why);
	if (cfgstored_disk_open(&disk, &config, &reader, &found, &text) != 0) {
		fprintf(stderr, "%s\n", why);
		exit(1);
	}
}

/* ---- giving ------------------------------------------------------------ */

static int
give(enum cfgstored_backlog_kind kind, uint64_t index)
{
	uint8_t bytes[RECORD_BYTES];
	const struct cfgstored_backlog_item item = { .kind = kind,
		.tip = { { view, 1, 1, 1 }, index },
		.bytes = bytes,
		.len =
		    kind == CFGSTORED_BACKLOG_APPEND ? record_len(index) : 0 };

	memset(bytes, (int)index, sizeof bytes);
	return cfgstored_backlog_give(&backlog, disk, &item);
}

static void
begin(void)
{
	const struct cfgstored_backlog_memory memory = { .ring = ring,
		.ring_bytes = sizeof ring,
		.flat = flat,
		.flat_bytes = sizeof flat };
	char command[64];

	snprintf(command, sizeof command, "rm -rf '%s/cfg'", dir);
	CHECK_EQ(system(command), 0);
	open_disk();
	view = 1;
	cfgstored_backlog_init(&backlog, &memory);
	CHECK_EQ(give(CFGSTORED_BACKLOG_FOUND, 0), 0);
}

/* With a writer that stands still, until even here is no more room. */
static uint64_t
fill(void)
{
	uint64_t index = 0;

	kill(disk->writer, SIGSTOP);
	while (index < RECORDS_MAX &&
	    give(CFGSTORED_BACKLOG_APPEND, index + 1) == 0)
		index++;
	CHECK_EQ(give(CFGSTORED_BACKLOG_APPEND, index + 1), -ENOSPC);
	CHECK(backlog.ring.len > 0);
	return index;
}

/* Until the disk has taken all. */
static void
run(void)
{
	struct pollfd ready = { .fd = cfgstored_disk_fd(disk),
		.events = POLLIN };
	struct cfgstored_disk_event event;

	while (backlog.ring.len > 0) {
		cfgstored_disk_flush(disk);
		if (!CHECK_EQ(poll(&ready, 1, WAIT_MS), 1))
			return;
		while (cfgstored_disk_next(disk, &event) == 1)
			CHECK(event.kind != CFGSTORED_DISK_FAILED);
		if (!CHECK_EQ(cfgstored_backlog_run(&backlog, disk), 0))
			return;
	}
}

static void
check_on_disk(uint64_t last)
{
	cfgstored_disk_close(disk);
	open_disk();
	CHECK_EQ(seen.last, last);
	CHECK(!seen.is_wrong);
	cfgstored_disk_close(disk);
}

/* ---- tests ------------------------------------------------------------- */

static void
test_backlog_takes_nothing_that_the_disk_takes(void)
{
	begin();
	for (uint64_t i = 1; i <= 3; i++)
		CHECK_EQ(give(CFGSTORED_BACKLOG_APPEND, i), 0);
	CHECK_EQ(backlog.ring.len, 0);
	CHECK_EQ(backlog.waited, 0);
	CHECK_EQ(cfgstored_backlog_run(&backlog, disk), 0);
	check_on_disk(3);
}

static void
test_backlog_keeps_the_order(void)
{
	uint64_t last;

	begin();
	last = fill();
	CHECK(last > 10);
	CHECK(backlog.waited > 0 && backlog.waited < last);
	kill(disk->writer, SIGCONT);
	run();
	/* Around the end of its memory, several times. */
	for (int round = 0; round < 5; round++) {
		kill(disk->writer, SIGSTOP);
		while (give(CFGSTORED_BACKLOG_APPEND, last + 1) == 0)
			last++;
		kill(disk->writer, SIGCONT);
		run();
	}
	check_on_disk(last);
}

/* All kinds wait behind what waits, also those that the disk would take. */
static void
test_backlog_keeps_the_order_of_all_kinds(void)
{
	uint64_t last;

	begin();
	last = fill();
	kill(disk->writer, SIGCONT);
	run();
	kill(disk->writer, SIGSTOP);
	while (backlog.ring.len == 0)
		CHECK_EQ(give(CFGSTORED_BACKLOG_APPEND, ++last), 0);
	/* That would not be known to follow, were it given first. */
	CHECK_EQ(give(CFGSTORED_BACKLOG_BEGIN, last), 0);
	view = 2;
	for (uint64_t i = 1; i <= 5; i++)
		CHECK_EQ(give(CFGSTORED_BACKLOG_APPEND, last + i), 0);
	CHECK_EQ(give(CFGSTORED_BACKLOG_ABORT, 0), 0);
	view = 1;
	CHECK_EQ(give(CFGSTORED_BACKLOG_BEGIN, last), 0);
	view = 3;
	CHECK_EQ(give(CFGSTORED_BACKLOG_APPEND, last + 1), 0);
	CHECK_EQ(give(CFGSTORED_BACKLOG_END, 0), 0);
	CHECK(backlog.ring.len > 0);
	kill(disk->writer, SIGCONT);
	run();
	check_on_disk(last + 1);
}

static void
test_backlog_tells_of_a_disk_that_failed(void)
{
	struct pollfd ready;
	struct cfgstored_disk_event event = { 0 };

	begin();
	(void)fill();
	kill(disk->writer, SIGKILL);
	ready =
	    (struct pollfd){ .fd = cfgstored_disk_fd(disk), .events = POLLIN };
	while (event.kind != CFGSTORED_DISK_FAILED) {
		CHECK_EQ(poll(&ready, 1, WAIT_MS), 1);
		while (event.kind != CFGSTORED_DISK_FAILED &&
		    cfgstored_disk_next(disk, &event) == 1)
			continue;
	}
	CHECK_EQ(cfgstored_backlog_run(&backlog, disk), -EPIPE);
	cfgstored_disk_close(disk);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_backlog_takes_nothing_that_the_disk_takes),
		CHECK_TEST(test_backlog_keeps_the_order),
		CHECK_TEST(test_backlog_keeps_the_order_of_all_kinds),
		CHECK_TEST(test_backlog_tells_of_a_disk_that_failed),
	};
	char command[64];
	int rc;

	if (mkdtemp(dir) == NULL)
		return 1;
	rc = CHECK_MAIN(argc, argv, tests);
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	return system(command) == 0 ? rc : 1;
}
