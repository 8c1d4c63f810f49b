/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/text.h"

#include "bin/cfgstored/cfgstored_disk.h"
#include "tests/unit/check.h"

enum { RECORDS = 4096, WAIT_MS = 60000 };

static char dir[] = "/tmp/test_cfgstored_disk.XXXXXX";
static char why_bytes[256];

/* What was read: the sizes and first bytes of records. */
static struct seen {
	uint64_t first, last; /* index */
	uint64_t snapshot;
	size_t state_bytes;
	uint32_t value[RECORDS];
} seen;

static int
see_snapshot(void *arg, const struct kv_tip *tip, const void *words, size_t len)
{
	(void)arg;
	(void)words;
	(void)len;
	seen.snapshot = seen.last = tip->index;
	return 0;
}

static int
see_state(void *arg, const void *bytes, size_t len)
{
	(void)arg;
	(void)bytes;
	seen.state_bytes += len;
	return 0;
}

static int
see_record(void *arg, const struct kv_log_frame *record)
{
	(void)arg;
	if (seen.last != 0)
		CHECK_EQ(record->tip.index, seen.last + 1);
	else
		seen.first = record->tip.index;
	seen.last = record->tip.index;
	memcpy(&seen.value[seen.last % RECORDS], record->bytes, 4);
	return 0;
}

static void
see_cut(void *arg, uint64_t index)
{
	(void)arg;
	seen.last = index - 1;
}

static const struct cfgstored_disk_reader reader = { NULL, see_snapshot,
	see_state, see_record, see_cut };

static struct cfgstored_disk *
open_with(const struct cfgstored_disk_config *config,
    struct cfgstored_disk_found *out)
{
	struct cfgstored_disk *disk = NULL;
	struct text why;

	memset(&seen, 0, sizeof seen);
	text_init(&why, why_bytes, sizeof why_bytes);
	CHECK_EQ(cfgstored_disk_open(&disk, config, &reader, out, &why), 0);
	return disk;
}

static struct cfgstored_disk *
open_it(struct cfgstored_disk_found *out)
{
	const struct cfgstored_disk_config config = {
		.folder = dir, .segment_bytes = 64 << 10, .ring_bytes = 64 << 10
	};

	return open_with(&config, out);
}

static void
forget(void)
{
	char command[100];

	snprintf(command, sizeof command, "rm -rf '%s/cfg'", dir);
	CHECK_EQ(system(command), 0);
}

static enum cfgstored_disk_kind
next(struct cfgstored_disk *disk, struct cfgstored_disk_event *event)
{
	struct pollfd poll_fd = { .fd = cfgstored_disk_fd(disk),
		.events = POLLIN };

	while (!cfgstored_disk_next(disk, event))
		if (!CHECK_EQ(poll(&poll_fd, 1, WAIT_MS), 1))
			exit(1);
	return event->kind;
}

static void
sync_to(struct cfgstored_disk *disk, uint64_t index)
{
	struct cfgstored_disk_event event;

	cfgstored_disk_flush(disk);
	do
		CHECK_EQ(next(disk, &event), CFGSTORED_DISK_SYNCED);
	while (event.tip.index < index);
	CHECK_EQ(event.tip.index, index);
}

static int
append(
    struct cfgstored_disk *disk, uint64_t view, uint64_t index, uint32_t value)
{
	const struct kv_tip tip = { { view, 1, 1, 0 }, index };

	return cfgstored_disk_append(disk, &tip, 0, &value, sizeof value);
}

static void
test_disk_keeps_what_was_synced(void)
{
	struct cfgstored_disk_found found;
	struct cfgstored_disk *disk;

	forget();
	disk = open_it(&found);
	CHECK_EQ(found.health, CFGSTORED_DISK_BLANK);
	CHECK_EQ(cfgstored_disk_found_empty(disk), 0);
	sync_to(disk, 0);
	for (uint32_t i = 1; i <= 100; i++)
		CHECK_EQ(append(disk, 1, i, i * 7), 0);
	sync_to(disk, 100);
	cfgstored_disk_close(disk);

	disk = open_it(&found);
	CHECK_EQ(found.health, CFGSTORED_DISK_GOOD);
	CHECK_EQ(found.tip.index, 100);
	CHECK_EQ(found.tip.epoch.view_seq, 1);
	CHECK_EQ(seen.first, 1);
	CHECK_EQ(seen.last, 100);
	for (uint32_t i = 1; i <= 100; i++)
		CHECK_EQ(seen.value[i], i * 7);
	cfgstored_disk_close(disk);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_disk_keeps_what_was_synced),
	};
	int rc;

	if (mkdtemp(dir) == NULL)
		return 1;
	rc = CHECK_MAIN(argc, argv, tests);
	forget();
	rmdir(dir);
	return rc;
}
