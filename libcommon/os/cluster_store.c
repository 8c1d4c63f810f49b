/* SPDX-License-Identifier: BSD-3-Clause */
/* [store]: its settings, what they are by default, and what goes together.
 *
 * All memory is taken when the daemon starts, so the limits say how much; what
 * has never been used costs nothing.
 */
#include <stddef.h>

#include "libcommon/base/num.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/cluster_internal.h"

#define VALUE(field) offsetof(struct cluster_store_text, values.field)
#define MIB(n)       ((uint64_t)(n) << 20)
#define GIB(n)       ((uint64_t)(n) << 30)

static const char *const ties[] = { "none", "node", "fence", NULL };
static const char *const durabilities[] = { "disk", "memory", NULL };

static const struct conf_setting settings[] = {
	{ "tie", CONF_WORD, VALUE(tie), 0, 0, ties, false },
	{ "durability", CONF_WORD,
	    offsetof(struct cluster_store_text, durability), 0, 0, durabilities,
	    false },
	{ "keys_max", CONF_COUNT, VALUE(keys_max), 16, 16 << 20, NULL, false },
	{ "bytes_max", CONF_SIZE, VALUE(bytes_max), MIB(1), GIB(64), NULL,
	    false },
	{ "value_max", CONF_SIZE, VALUE(value_max), 64, MIB(1), NULL, true },
	{ "leases_max", CONF_COUNT, VALUE(leases_max), 1, 1 << 20, NULL,
	    false },
	{ "history_bytes", CONF_SIZE, VALUE(history_bytes), MIB(1), GIB(64),
	    NULL, false },
	{ "history_versions", CONF_COUNT, VALUE(history_versions), 16, 16 << 20,
	    NULL, false },
	{ "history_time", CONF_DURATION, VALUE(history_time_ns), CLOCK_S_NS,
	    8760 * 3600 * CLOCK_S_NS, NULL, true },
	{ "max_tail", CONF_SIZE, VALUE(max_tail), MIB(4), MIB(256), NULL,
	    false },
};

void
cluster_store_begin(struct cluster_reading *reading)
{
	struct cluster_store_text *text = &reading->store_text;

	text->values = (struct cluster_store){ .keys_max = 131072,
		.bytes_max = MIB(128),
		.leases_max = 4096,
		.history_bytes = MIB(16),
		.history_versions = 65536,
		.max_tail = MIB(16) };
	reading->store =
	    (struct conf_table){ settings, ARRAY_COUNT(settings), text, 0 };
}

void
cluster_store_check(struct conf *file, struct cluster_reading *reading)
{
	const struct cluster_store_text *text = &reading->store_text;
	struct cluster_store *store = &reading->conf->store;
	const uint64_t message_max = reading->conf->ring.message_bytes_max;
	const uint64_t value_max = num_min(MIB(1), message_max);

	*store = text->values;
	store->is_in_memory = text->durability == 1;
	if (store->value_max == 0)
		store->value_max = value_max;
	if (store->value_max > value_max)
		conf_fail_at(file, text->line,
		    "[store] value_max: expected at most %llu, [ring] "
		    "message_bytes_max",
		    (unsigned long long)value_max);
	if (store->bytes_max < store->value_max)
		conf_fail_at(file, text->line,
		    "[store] bytes_max: expected at least value_max");
}
