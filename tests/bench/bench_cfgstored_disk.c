/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The store's files: records a second, one at a time and as many as there is
 * room for; a snapshot of 100,000 keys of 1 KiB, what its fork costs the loop,
 * and a start from it.  Below the working directory, or argv's.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/text.h"
#include "libcommon/os/clock.h"

#include "bin/cfgstored/cfgstored_disk.h"
#include "bin/cfgstored/kv.h"

enum { ALONE = 2000, KEYS = 100000, VALUE_BYTES = 1024, RECORD_BYTES = 100 };

static char dir[256];
static struct kv *kv;
static struct kv_reader state_reader;
static uint64_t times_ns[ALONE];

static int
take_snapshot(
    void *arg, const struct kv_tip *tip, const void *words, size_t len)
{
	(void)arg;
	(void)tip;
	(void)words;
	(void)len;
	kv_clear(kv);
	kv_reader_init(&state_reader, kv);
	return 0;
}

static int
take_state(void *arg, const void *bytes, size_t len)
{
	(void)arg;
	return kv_reader_take(&state_reader, bytes, len);
}

static int
take_record(void *arg, const struct kv_log_frame *record)
{
	(void)arg;
	(void)record;
	return 0;
}

static void
take_cut(void *arg, uint64_t index)
{
	(void)arg;
	(void)index;
}

static struct cfgstored_disk *
open_it(struct cfgstored_disk_found *found)
{
	const struct cfgstored_disk_config config = { .folder = dir,
		.keep_bytes = 64 << 20 };
	const struct cfgstored_disk_reader reader = { NULL, take_snapshot,
		take_state, take_record, take_cut };
	struct cfgstored_disk *disk;
	char why_bytes[256];
	struct text why;

	text_init(&why, why_bytes, sizeof why_bytes);
	ENSURE(cfgstored_disk_open(&disk, &config, &reader, found, &why) == 0);
	return disk;
}

static struct cfgstored_disk_event
next(struct cfgstored_disk *disk)
{
	struct pollfd poll_fd = { .fd = cfgstored_disk_fd(disk),
		.events = POLLIN };
	struct cfgstored_disk_event event;

	while (!cfgstored_disk_next(disk, &event))
		(void)poll(&poll_fd, 1, -1);
	if (event.error < 0)
		fprintf(stderr, "%s: %s\n", event.what, strerror(-event.error));
	ENSURE(event.kind != CFGSTORED_DISK_FAILED &&
	    event.kind != CFGSTORED_DISK_UNSAVED);
	return event;
}

static int
append(struct cfgstored_disk *disk, uint64_t index)
{
	static const uint8_t bytes[RECORD_BYTES];
	const struct kv_tip tip = { { 1, 1, 1, 1 }, index };

	return cfgstored_disk_append(
	    disk, &tip, index - 1, bytes, sizeof bytes);
}

static void
sync_to(struct cfgstored_disk *disk, uint64_t index)
{
	cfgstored_disk_flush(disk);
	while (next(disk).tip.index < index)
		continue;
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void
measure_alone(struct cfgstored_disk *disk, uint64_t *index)
{
	for (size_t i = 0; i < ALONE; i++) {
		uint64_t begin_ns = clock_now_ns();

		ENSURE(append(disk, ++*index) == 0);
		sync_to(disk, *index);
		times_ns[i] = clock_now_ns() - begin_ns;
	}
	qsort(times_ns, ALONE, sizeof times_ns[0], compare);
	printf("cfg_append_p50\t%d\t%llu\tns\n", RECORD_BYTES,
	    (unsigned long long)times_ns[ALONE / 2]);
	printf("cfg_append_p99\t%d\t%llu\tns\n", RECORD_BYTES,
	    (unsigned long long)times_ns[ALONE - ALONE / 100]);
}

/* So many that wait at once: as from so many clients. */
static void
measure_rate(struct cfgstored_disk *disk, uint64_t *index, uint64_t waiting,
    uint64_t count)
{
	uint64_t begin_ns = clock_now_ns();
	uint64_t first = *index, synced = *index;

	while (synced < first + count) {
		while (*index < synced + waiting && *index < first + count &&
		    append(disk, *index + 1) == 0)
			++*index;
		cfgstored_disk_flush(disk);
		synced = next(disk).tip.index;
	}
	printf("cfg_append_rate_%llu\t%d\t%llu\t/s\n",
	    (unsigned long long)waiting, RECORD_BYTES,
	    (unsigned long long)(count * CLOCK_S_NS /
		(clock_now_ns() - begin_ns)));
}

static void
fill_kv(void)
{
	static uint8_t bytes[VALUE_BYTES + 1024], value[VALUE_BYTES];
	struct kv_author author = { 1, 1, 0 };
	struct kv_result result;
	struct wrbuf wr;
	char key[32];

	for (size_t i = 0; i < KEYS; i++) {
		int len = snprintf(key, sizeof key, "bench/key-%06zu", i);
		struct kv_part put = { .kind = KV_PUT,
			.key = (const uint8_t *)key,
			.key_len = (size_t)len,
			.value = value,
			.value_len = sizeof value };

		wrbuf_init(&wr, bytes, sizeof bytes);
		kv_command_begin(&wr, 0, 1);
		kv_command_add(&wr, &put);
		author.number++;
		kv_apply(kv, &author, bytes, wr.len, &result);
		ENSURE(result.code == KV_DONE);
	}
}

static void
measure_snapshot(struct cfgstored_disk *disk, uint64_t index)
{
	const struct cfgstored_disk_save save = { .kv = kv,
		.tip = { { 1, 1, 1, 1 }, index },
		.words = "",
		.len = 0 };
	uint64_t begin_ns = clock_now_ns();

	ENSURE(cfgstored_disk_save(disk, &save) == 0);
	printf("cfg_snapshot_fork\t%d\t%llu\tns\n", KEYS,
	    (unsigned long long)(clock_now_ns() - begin_ns));
	while (next(disk).kind != CFGSTORED_DISK_SAVED)
		continue;
	printf("cfg_snapshot\t%d\t%llu\tns\n", KEYS,
	    (unsigned long long)(clock_now_ns() - begin_ns));
}

static void
make_kv(void)
{
	static const struct kv_config cfg = {
		{ 120000, 130 << 20, 1 << 20, 16 }, 1000, 1 << 20
	};
	struct arena arena;
	void *memory;

	arena_init(&arena, NULL, 0);
	kv_create(&arena, &cfg);
	memory = aligned_alloc(64, (arena.used_bytes + 63) / 64 * 64);
	ENSURE(memory != NULL);
	arena_init(&arena, memory, arena.used_bytes);
	kv = kv_create(&arena, &cfg);
}

int
main(int argc, char **argv)
{
	struct cfgstored_disk_found found;
	struct cfgstored_disk *disk;
	char command[300];
	uint64_t index = 0, begin_ns, cpu_ns;

	snprintf(dir, sizeof dir, "%s/bench.XXXXXX", argc > 1 ? argv[1] : ".");
	if (mkdtemp(dir) == NULL)
		return 1;
	make_kv();
	disk = open_it(&found);
	ENSURE(cfgstored_disk_found_empty(disk) == 0);
	sync_to(disk, 0);
	measure_alone(disk, &index);
	measure_rate(disk, &index, 16, 50000);
	measure_rate(disk, &index, 64, 100000);
	measure_rate(disk, &index, UINT32_MAX, 500000);
	fill_kv();
	measure_snapshot(disk, index);
	measure_rate(disk, &index, UINT32_MAX, 100000);
	cfgstored_disk_close(disk);
	begin_ns = clock_now_ns();
	cpu_ns = clock_cpu_ns();
	disk = open_it(&found);
	printf("cfg_start\t%d\t%llu\tns\n", KEYS,
	    (unsigned long long)(clock_now_ns() - begin_ns));
	printf("cfg_start_cpu\t%d\t%llu\tns\n", KEYS,
	    (unsigned long long)(clock_cpu_ns() - cpu_ns));
	ENSURE(found.tip.index == index && kv_key_count(kv) == KEYS);
	cfgstored_disk_close(disk);
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	return system(command) == 0 ? 0 : 1;
}
