/* SPDX-License-Identifier: BSD-3-Clause */
/* The shell's replica, made anew in the same process and by the next one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/crc32c.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/log.h"
#include "libcommon/os/serve.h"

#include "bin/cfgstored/cfgstored.h"
#include "bin/cfgstored/replica_internal.h"
#include "tests/unit/check.h"

enum { WHY_BYTES = 512, RELOADS = 3 };

static char dir[] = "/tmp/test_cfgstored_load.XXXXXX";
static struct cluster_conf conf;
static struct serve serve = { .conf = &conf, .rundir = dir, .statedir = dir };
/* Two processes, one after the other. */
static struct cfgstored first, second;

static void
configure(void)
{
	conf.node_count = 1;
	conf.nodes[0].id = 1;
	conf.nodes[0].votes = 1;
	conf.ring.message_bytes_max = 256 << 10;
	conf.store.keys_max = 64;
	conf.store.bytes_max = 1 << 20;
	conf.store.value_max = 1 << 10;
	conf.store.leases_max = 8;
	conf.store.history_bytes = 1 << 20;
	conf.store.history_versions = 64;
	conf.store.max_tail = 1 << 20;
}

static bool
load(struct cfgstored *d)
{
	char bytes[WHY_BYTES];
	struct text why;

	text_init(&why, bytes, sizeof bytes);
	if (CHECK_EQ(cfgstored_load(d, &why), 0))
		return true;
	printf("%s\n", bytes);
	return false;
}

static bool
begin(struct cfgstored *d)
{
	*d = (struct cfgstored){ .serve = &serve };
	return CHECK(cfgstored_create(d)) && load(d);
}

static void
end(struct cfgstored *d)
{
	cfgstored_disk_close(d->disk);
}

/* As the process before left it, with the clock ahead. */
static void
put_run_file(unsigned long long run)
{
	char path[sizeof dir + 32];
	FILE *file;

	snprintf(path, sizeof path, "%s/cfgstored.run", dir);
	file = fopen(path, "w");
	if (!CHECK(file != NULL))
		return;
	fprintf(file, "ringkit-cfg 1\nrun=%llu\n", run);
	CHECK_EQ(fclose(file), 0);
}

/* Each numbers its requests from 1: none may pass for one of another. */
static void
test_load_counts_each_replica(void)
{
	uint64_t run = UINT64_C(1) << 60;

	put_run_file(run);
	if (!begin(&first))
		return;
	for (unsigned i = 0; i < RELOADS; i++) {
		CHECK(first.cfg.run > run);
		run = first.cfg.run;
		if (!load(&first))
			return;
	}
	CHECK(first.cfg.run > run);
	run = first.cfg.run;
	end(&first);
	if (!begin(&second))
		return;
	CHECK(second.cfg.run > run);
	end(&second);
}

/* ---- files ------------------------------------------------------------- */

/* What the disk will not have is missing for good: nobody may believe it. */
static void
test_load_breaks_when_files_refuse(void)
{
	const struct replica_effect stray = { .kind = REPLICA_OUT_APPEND,
		.append = { .tip = { .index = 7 }, .bytes = "x", .len = 1 } };
	const struct replica_effect found = { .kind = REPLICA_OUT_FOUND };

	if (!begin(&first))
		return;
	cfgstored_files_do(&first, &stray);
	CHECK(!first.replica->is_failed);
	/* Not a part of what was to be all of it. */
	cfgstored_files_do(&first, &found);
	CHECK_EQ(cfgstored_disk_found_empty(first.disk), 0);
	cfgstored_files_turn(&first);
	CHECK(first.replica->is_failed);
	end(&first);
}

static void
check_foreign(const char *file)
{
	char bytes[WHY_BYTES];
	struct text why;

	text_init(&why, bytes, sizeof bytes);
	second = (struct cfgstored){ .serve = &serve };
	CHECK(cfgstored_create(&second));
	CHECK_EQ(cfgstored_load(&second, &why), -EPROTONOSUPPORT);
	CHECK(strstr(bytes, file) != NULL);
	CHECK(strstr(bytes, "written by another version of cfgstored") != NULL);
}

/* Of a segment, with a right sum. */
static void
set_version(const char *name, uint8_t version)
{
	enum { SUMMED = 44 };
	char path[sizeof dir + 64];
	uint8_t bytes[64];
	struct wrbuf wr;
	FILE *file;

	snprintf(path, sizeof path, "%s/cfg/%s", dir, name);
	file = fopen(path, "r+");
	if (!CHECK(file != NULL))
		return;
	CHECK_EQ(fread(bytes, 1, SUMMED, file), SUMMED);
	bytes[19] = version; /* behind 16 of magic, of 4 the last */
	wrbuf_init(&wr, bytes + SUMMED, 4);
	wrbuf_u32(&wr, crc32c_more(0, bytes, SUMMED));
	rewind(file);
	CHECK_EQ(fwrite(bytes, 1, SUMMED + 4, file), SUMMED + 4);
	CHECK_EQ(fclose(file), 0);
}

/* One COMMAND, of a node's first run, that holds this. */
static size_t
put_record(uint8_t *out, size_t size, const void *bytes, size_t len)
{
	const struct replica_commands commands = {
		.node = 1, .run = 1, .count = 1
	};
	const struct replica_command command = {
		.number = 1, .bytes = bytes, .len = len
	};
	struct wrbuf wr;

	wrbuf_init(&wr, out, size);
	replica_wire_put_commands(&wr, &commands);
	replica_wire_put_command(&wr, &command);
	return wr.len;
}

static void
remove_files(void)
{
	char command[sizeof dir + 32];

	snprintf(command, sizeof command, "rm -rf '%s/cfg'", dir);
	CHECK_EQ(system(command), 0);
}

/* A log of one record, which is acknowledged. */
static bool
found_with(const void *bytes, size_t len)
{
	const struct kv_tip tip = { { 1, 1, 1, 1 }, 1 };
	uint8_t record[64];

	len = put_record(record, sizeof record, bytes, len);
	remove_files();
	if (!begin(&first))
		return false;
	CHECK_EQ(cfgstored_disk_found_empty(first.disk), 0);
	CHECK_EQ(cfgstored_disk_append(first.disk, &tip, 1, record, len), 0);
	end(&first);
	return true;
}

/* It is neither damaged nor nothing: who can read it may come back. */
static void
test_load_refuses_what_another_version_wrote(void)
{
	static const char name[] = "log-00000000000000000001";
	/* A grant as it once was, of no user. */
	static const uint8_t grant[] = { 1, 0, 1, 7, 100 };

	if (!found_with(grant, sizeof grant))
		return;
	check_foreign(name);
	set_version(name, 9);
	check_foreign(name);
	set_version(name, 1);
	check_foreign(name);
	remove_files();
}

/* What the others made of it is not known: nobody is told of this state. */
static void
test_load_follows_no_more_behind_what_cannot_be_read(void)
{
	static const uint8_t nonsense[] = { 2, 0, 1, 0 };

	if (!found_with(nonsense, sizeof nonsense) || !begin(&first))
		return;
	CHECK_EQ(first.found.health, CFGSTORED_DISK_GOOD);
	CHECK(first.replica->is_lacking);
	end(&first);
	remove_files();
}

/* ---- requests ---------------------------------------------------------- */

/* Of a client that is gone: all that is seen of it is whether it is free. */
static uint64_t
take_request(struct cfgstored *d)
{
	const uint32_t idx = d->request_free;
	struct cfgstored_request *request = &d->requests[idx];

	d->request_free = request->next_free;
	request->cookie = ++d->cookies * REPLICA_PENDING_MAX + idx;
	return request->cookie;
}

static size_t
count_used(const struct cfgstored *d)
{
	size_t used = 0;

	for (size_t i = 0; i < REPLICA_PENDING_MAX; i++)
		used += d->requests[i].cookie != 0;
	return used;
}

static void
test_load_leaves_nobody_waiting(void)
{
	if (!begin(&first))
		return;
	for (unsigned i = 0; i < 3; i++)
		(void)take_request(&first);
	CHECK_EQ(count_used(&first), 3);
	if (!load(&first))
		return;
	CHECK_EQ(count_used(&first), 0);
	end(&first);
}

/* From the time when it is due on. */
static void
test_load_refuses_until_it_is_made(void)
{
	static const enum replica_input_kind kinds[] = { REPLICA_IN_PROPOSE,
		REPLICA_IN_READ, REPLICA_IN_ADMIN };

	if (!begin(&first))
		return;
	cfgstored_want_reload(&first);
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
		struct replica_input in = { .kind = kinds[i],
			.deadline_ns = UINT64_MAX };

		in.cookie = take_request(&first);
		cfgstored_step(&first, &in);
		CHECK_EQ(count_used(&first), 0);
	}
	end(&first);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_load_counts_each_replica),
		CHECK_TEST(test_load_breaks_when_files_refuse),
		CHECK_TEST(test_load_leaves_nobody_waiting),
		CHECK_TEST(test_load_refuses_until_it_is_made),
		CHECK_TEST(test_load_refuses_what_another_version_wrote),
		CHECK_TEST(
		    test_load_follows_no_more_behind_what_cannot_be_read),
	};
	char command[100];
	int code;

	configure();
	log_open(STDERR_FILENO, LOG_LEVEL_ERROR);
	if (mkdtemp(dir) == NULL)
		return 1;
	code = CHECK_MAIN(argc, argv, tests);
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	return system(command) == 0 ? code : 1;
}
