/* SPDX-License-Identifier: BSD-3-Clause */
/* [store]: what is read, what it is by default, every mistake. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/text.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/conf.h"
#include "libcommon/os/fd.h"

#include "tests/unit/check.h"

static char path[] = "/tmp/test_cluster_store.XXXXXX";
static struct cluster_conf conf;
static char report[8192];

/* What follows begins in line 6. */
#define TOP   "[cluster]\nname = prod\n[node a]\nid = 1\nlink0 = 192.0.2.1\n"
#define STORE TOP "[store]\n"

/* Reads a file of that text; the report is without the file's name. */
static int
read_conf(const char *text)
{
	static char full[8192];
	FILE *file = fopen(path, "w");
	struct cluster_source source = { path, "", NULL };
	struct text out;
	int rc;

	CHECK_EQ(fputs(text, file) >= 0, true);
	fclose(file);
	text_init(&out, full, sizeof full);
	rc = cluster_read(&conf, &source, &out);
	report[0] = '\0';
	for (char *line = strtok(full, "\n"); line != NULL;
	     line = strtok(NULL, "\n"))
		strcat(strcat(report, line + strlen(path)), "\n");
	return rc;
}

static void
test_cluster_store_defaults(void)
{
	const struct cluster_store *store = &conf.store;

	CHECK_EQ(read_conf(TOP), 0);
	CHECK_STR(report, "");
	CHECK_EQ(store->tie, CLUSTER_STORE_TIE_NONE);
	CHECK(!store->is_in_memory);
	CHECK_EQ(store->keys_max, 131072);
	CHECK_EQ(store->bytes_max, 128 << 20);
	CHECK_EQ(store->value_max, 1 << 20);
	CHECK_EQ(store->leases_max, 4096);
	CHECK_EQ(store->history_bytes, 16 << 20);
	CHECK_EQ(store->history_versions, 65536);
	CHECK_EQ(store->history_time_ns, 0);
	CHECK_EQ(store->max_tail, 16 << 20);
}

static void
test_cluster_store_reads_every_key(void)
{
	const struct cluster_store *store = &conf.store;

	CHECK_EQ(read_conf(STORE "tie = fence\n"
				 "durability = memory\n"
				 "keys_max = 1000\n"
				 "bytes_max = 2MiB\n"
				 "value_max = 64KiB\n"
				 "leases_max = 10\n"
				 "history_bytes = 3MiB\n"
				 "history_versions = 77\n"
				 "history_time = 2h\n"
				 "max_tail = 4MiB\n"),
	    0);
	CHECK_STR(report, "");
	CHECK_EQ(store->tie, CLUSTER_STORE_TIE_FENCE);
	CHECK(store->is_in_memory);
	CHECK_EQ(store->keys_max, 1000);
	CHECK_EQ(store->bytes_max, 2 << 20);
	CHECK_EQ(store->value_max, 64 << 10);
	CHECK_EQ(store->leases_max, 10);
	CHECK_EQ(store->history_bytes, 3 << 20);
	CHECK_EQ(store->history_versions, 77);
	CHECK_EQ(store->history_time_ns, 7200 * CLOCK_S_NS);
	CHECK_EQ(store->max_tail, 4 << 20);
}

/* A longer message of the ring has room for the longest value there can be. */
static void
test_cluster_store_value_fits_a_message(void)
{
	CHECK_EQ(read_conf(TOP "[ring]\nmessage_bytes_max = 2MiB\n"), 0);
	CHECK_EQ(conf.store.value_max, 1 << 20);
	CHECK_EQ(read_conf(TOP "[ring]\nmessage_bytes_max = 8192\n"), 0);
	CHECK_EQ(conf.store.value_max, 8192);
	CHECK_EQ(read_conf(STORE "value_max = 1MiB\n"
				 "[ring]\nmessage_bytes_max = 8192\n"),
	    CONF_E_INVALID);
	CHECK_STR(report,
	    ":6: [store] value_max: expected at most 8192, [ring] "
	    "message_bytes_max\n");
}

static void
test_cluster_store_tells_bad_values(void)
{
	CHECK_EQ(read_conf(STORE "tie = lowest\n"
				 "durability = yes\n"
				 "keys_max = 0\n"
				 "value_max = 2MiB\n"
				 "history_time = 10ms\n"),
	    CONF_E_INVALID);
	CHECK_STR(report,
	    ":7: tie = lowest: expected none or node or fence\n"
	    ":8: durability = yes: expected disk or memory\n"
	    ":9: keys_max = 0: expected a number from 16 to 16777216\n"
	    ":10: value_max = 2MiB: expected a size from 64 to 1048576 or "
	    "auto\n"
	    ":11: history_time = 10ms: expected a duration from 1000ms to "
	    "31536000000ms or auto\n");
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_cluster_store_defaults),
		CHECK_TEST(test_cluster_store_reads_every_key),
		CHECK_TEST(test_cluster_store_value_fits_a_message),
		CHECK_TEST(test_cluster_store_tells_bad_values),
	};
	int fd = mkstemp(path), rc;

	if (fd < 0)
		return 1;
	fd_close(&fd);
	rc = CHECK_MAIN(argc, argv, tests);
	unlink(path);
	return rc;
}
