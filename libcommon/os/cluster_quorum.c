/* SPDX-License-Identifier: BSD-3-Clause */
/* [quorum]: its settings, and which of them go together.
 *
 * What Corosync turns off silently, or refuses when it starts, is a mistake
 * of the file here: nobody should believe in a rule that does not work.
 */
#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/cluster_internal.h"

#define VALUE(field) offsetof(struct cluster_quorum_text, values.field)
#define MS(n)        ((n)*CLOCK_MS_NS)

static const char *const waits[] = { "no", "yes", "always", NULL };

/* In the order of settings. */
enum key {
	TWO_NODE,
	WAIT_FOR_ALL,
	LAST_MAN_STANDING,
	LAST_MAN_STANDING_WINDOW,
	AUTO_TIE_BREAKER,
	AUTO_TIE_BREAKER_NODE,
	ALLOW_DOWNSCALE,
	EXPECTED_VOTES,
	EXPECTED_VOTES_TRACKING,
	LEASE,
	SETTLE,
	DEVICE_VOTES,
	DEVICE_TIMEOUT,
	DEVICE_SYNC_TIMEOUT,
	DEVICE_MASTER_WINS,
	KEYS
};
static_assert((int)KEYS == (int)CLUSTER_QUORUM_KEYS, "a line for each");

static const struct conf_setting settings[] = {
	{ "two_node", CONF_YES_NO, VALUE(two_node), 0, 0, NULL, false },
	{ "wait_for_all", CONF_WORD, VALUE(wait_for_all), 0, 0, waits, false },
	{ "last_man_standing", CONF_YES_NO, VALUE(last_man_standing), 0, 0,
	    NULL, false },
	{ "last_man_standing_window", CONF_DURATION,
	    VALUE(last_man_standing_window_ns), MS(100), MS(600000), NULL,
	    false },
	{ "auto_tie_breaker", CONF_YES_NO, VALUE(auto_tie_breaker), 0, 0, NULL,
	    false },
	{ "auto_tie_breaker_node", CONF_STRING,
	    offsetof(struct cluster_quorum_text, tie_list), 0, CONF_LINE_BYTES,
	    NULL, false },
	{ "allow_downscale", CONF_YES_NO, VALUE(allow_downscale), 0, 0, NULL,
	    false },
	{ "expected_votes", CONF_COUNT, VALUE(expected_votes), 1, 16777216,
	    NULL, true },
	{ "expected_votes_tracking", CONF_YES_NO,
	    VALUE(expected_votes_tracking), 0, 0, NULL, false },
	{ "lease", CONF_DURATION, VALUE(lease_ns), MS(300), MS(60000), NULL,
	    false },
	{ "settle", CONF_DURATION, VALUE(settle_ns), MS(300), MS(600000), NULL,
	    false },
	{ "device_votes", CONF_COUNT, VALUE(device_votes), 1, 4194304, NULL,
	    true },
	{ "device_timeout", CONF_DURATION, VALUE(device_timeout_ns), MS(100),
	    MS(600000), NULL, false },
	{ "device_sync_timeout", CONF_DURATION, VALUE(device_sync_timeout_ns),
	    MS(100), MS(600000), NULL, false },
	{ "device_master_wins", CONF_YES_NO, VALUE(device_master_wins), 0, 0,
	    NULL, false },
};
static_assert(ARRAY_COUNT(settings) == KEYS, "an enumerator for each");

void
cluster_quorum_begin(struct cluster_reading *reading)
{
	struct cluster_quorum_text *text = &reading->quorum_text;

	text->values.last_man_standing_window_ns = 10 * CLOCK_S_NS;
	text->values.lease_ns = CLOCK_S_NS;
	text->values.settle_ns = 2 * CLOCK_S_NS;
	text->values.device_timeout_ns = 10 * CLOCK_S_NS;
	text->values.device_sync_timeout_ns = 30 * CLOCK_S_NS;
	reading->quorum =
	    (struct conf_table){ settings, ARRAY_COUNT(settings), text, 0 };
}

void
cluster_quorum_set(struct conf *file, struct cluster_reading *reading,
    const char *key, const char *value)
{
	for (size_t i = 0; i < ARRAY_COUNT(settings); i++)
		if (strcmp(settings[i].key, key) == 0 &&
		    reading->quorum_text.line[i] == 0)
			reading->quorum_text.line[i] = file->line;
	conf_set(file, &reading->quorum, key, value);
}

/* ---- the whole --------------------------------------------------------- */

/* What the checks need to know of the nodes, and where mistakes go. */
struct whole {
	struct conf *file;
	const struct cluster_conf *conf;
	const struct cluster_quorum_text *text;
	struct cluster_quorum *q;
	uint32_t node_votes; /* of all */
	bool is_one_each;    /* every node has one vote */
	bool has_device;
};

/* "[quorum] KEY: …" where the key stands. */
static void
fail(const struct whole *whole, enum key key, const char *words)
{
	conf_fail_at(whole->file, whole->text->line[key], "[quorum] %s: %s",
	    settings[key].key, words);
}

static void
count_votes(struct whole *whole)
{
	whole->is_one_each = true;
	for (uint32_t i = 0; i < whole->conf->node_count; i++) {
		whole->node_votes += whole->conf->nodes[i].votes;
		if (whole->conf->nodes[i].votes != 1)
			whole->is_one_each = false;
	}
	if (whole->node_votes == 0)
		conf_fail_at(whole->file, 0,
		    "no node has a vote, expected one that has");
}

/* By default as many as let one node with the device outvote the others. */
static void
check_device(struct whole *whole)
{
	static const enum key parts[] = { DEVICE_TIMEOUT, DEVICE_SYNC_TIMEOUT,
		DEVICE_MASTER_WINS };
	const struct cluster_quorum_text *text = whole->text;
	struct cluster_quorum *q = whole->q;

	whole->has_device = text->line[DEVICE_VOTES] != 0;
	for (size_t i = 0; i < ARRAY_COUNT(parts); i++)
		if (!whole->has_device && text->line[parts[i]] != 0)
			fail(whole, parts[i], "expected device_votes, too");
	if (!whole->has_device)
		return;
	if (q->device_votes == 0) {
		if (!whole->is_one_each || q->expected_votes != 0)
			fail(whole, DEVICE_VOTES,
			    "auto, expected a number with expected_votes or "
			    "nodes that have not one vote each");
		q->device_votes = whole->conf->node_count - 1;
	}
	if (whole->node_votes < 2)
		fail(whole, DEVICE_VOTES,
		    "expected nodes with at least 2 votes in all");
}

static void
check_expected(struct whole *whole)
{
	uint32_t all = whole->node_votes + whole->q->device_votes;

	if (whole->q->expected_votes == 0)
		whole->q->expected_votes = all;
	if (whole->q->expected_votes < all)
		conf_fail_at(whole->file, whole->text->line[EXPECTED_VOTES],
		    "[quorum] expected_votes: %u, expected at least %u, what "
		    "all have; with less two sides could be quorate",
		    whole->q->expected_votes, all);
}

static void
check_two_node(const struct whole *whole)
{
	if (!whole->q->two_node)
		return;
	if (whole->conf->node_count != 2 || !whole->is_one_each ||
	    whole->q->expected_votes !=
		whole->node_votes + whole->q->device_votes)
		fail(whole, TWO_NODE, "expected two nodes with one vote each");
	if (whole->has_device)
		fail(whole, TWO_NODE, "expected no device_votes");
	if (whole->q->auto_tie_breaker)
		fail(whole, TWO_NODE, "expected no auto_tie_breaker");
	if (whole->text->line[WAIT_FOR_ALL] == 0)
		whole->q->wait_for_all = CLUSTER_WAIT_YES;
}

static void
check_last_man(const struct whole *whole)
{
	if (!whole->q->last_man_standing) {
		if (whole->text->line[LAST_MAN_STANDING_WINDOW] != 0)
			fail(whole, LAST_MAN_STANDING_WINDOW,
			    "expected last_man_standing, too");
		return;
	}
	if (!whole->is_one_each)
		fail(whole, LAST_MAN_STANDING,
		    "expected one vote for each node");
	if (whole->has_device)
		fail(whole, LAST_MAN_STANDING, "expected no device_votes");
}

static void
check_settle(const struct whole *whole)
{
	if (whole->q->settle_ns < whole->q->lease_ns)
		fail(whole, whole->text->line[SETTLE] != 0 ? SETTLE : LEASE,
		    "expected settle to be at least lease");
}

static void
check_downscale(const struct whole *whole)
{
	if (!whole->q->allow_downscale)
		return;
	if (whole->text->line[EXPECTED_VOTES_TRACKING] != 0 &&
	    !whole->q->expected_votes_tracking)
		fail(whole, EXPECTED_VOTES_TRACKING,
		    "expected yes with allow_downscale");
	whole->q->expected_votes_tracking = true;
}

/* ---- the tie ----------------------------------------------------------- */

static void
add_tie_node(const struct whole *whole, const char *name)
{
	struct cluster_quorum *q = whole->q;
	int found = cluster_find(whole->conf, name);
	uint32_t id;

	if (found < 0) {
		conf_fail_at(whole->file,
		    whole->text->line[AUTO_TIE_BREAKER_NODE],
		    "[quorum] auto_tie_breaker_node: %s: expected lowest, "
		    "highest or nodes of this file",
		    name);
		return;
	}
	id = whole->conf->nodes[found].id;
	for (uint32_t i = 0; i < q->tie_count; i++) {
		if (q->tie_nodes[i] == id) {
			conf_fail_at(whole->file,
			    whole->text->line[AUTO_TIE_BREAKER_NODE],
			    "[quorum] auto_tie_breaker_node: %s: given twice, "
			    "expected once",
			    name);
			return;
		}
	}
	q->tie_nodes[q->tie_count++] = id;
}

/* Names or ids, apart by commas or blanks. */
static void
read_tie_nodes(const struct whole *whole)
{
	char list[CONF_LINE_BYTES];
	char *rest = list, *name;

	memcpy(list, whole->text->tie_list, sizeof list);
	if (strcmp(list, "lowest") == 0 || *list == '\0')
		whole->q->tie = CLUSTER_TIE_LOWEST;
	else if (strcmp(list, "highest") == 0)
		whole->q->tie = CLUSTER_TIE_HIGHEST;
	else {
		whole->q->tie = CLUSTER_TIE_LIST;
		while ((name = strsep(&rest, ", \t")) != NULL)
			if (*name != '\0')
				add_tie_node(whole, name);
	}
	if (whole->q->tie == CLUSTER_TIE_LIST && whole->q->tie_count == 0)
		fail(whole, AUTO_TIE_BREAKER_NODE,
		    "expected lowest, highest or nodes of this file");
}

static void
check_tie(const struct whole *whole)
{
	if (whole->text->line[AUTO_TIE_BREAKER_NODE] != 0)
		read_tie_nodes(whole);
	if (!whole->q->auto_tie_breaker) {
		if (whole->text->line[AUTO_TIE_BREAKER_NODE] != 0)
			fail(whole, AUTO_TIE_BREAKER_NODE,
			    "expected auto_tie_breaker, too");
		return;
	}
	if (whole->has_device)
		fail(whole, AUTO_TIE_BREAKER, "expected no device_votes");
	/* Half of an odd number is rounded down: a minority. */
	if (whole->q->expected_votes % 2 == 1 &&
	    whole->q->wait_for_all != CLUSTER_WAIT_ALWAYS)
		fail(whole, AUTO_TIE_BREAKER,
		    "expected wait_for_all = always, or an even number of "
		    "votes");
}

/*
 * Whoever starts without memory counts all who are configured, and may be a
 * second side.
 */
static void
warn_of_starts(const struct whole *whole)
{
	const bool is_weak[KEYS] = {
		[LAST_MAN_STANDING] = whole->q->last_man_standing,
		[ALLOW_DOWNSCALE] = whole->q->allow_downscale,
	};

	if (whole->file->errors > 0 ||
	    whole->q->wait_for_all != CLUSTER_WAIT_NO)
		return;
	for (size_t i = 0; i < KEYS; i++)
		if (is_weak[i])
			conf_warn_at(whole->file, whole->text->line[i],
			    "[quorum] %s: without wait_for_all, nodes that "
			    "restart while cut off may act beside the others",
			    settings[i].key);
}

void
cluster_quorum_check(struct conf *file, struct cluster_reading *reading)
{
	struct cluster_conf *conf = reading->conf;
	struct whole whole = { .file = file,
		.conf = conf,
		.text = &reading->quorum_text,
		.q = &conf->quorum };

	conf->quorum = reading->quorum_text.values;
	if (!cluster_knows_nodes(reading) ||
	    (reading->flawed & 1U << CLUSTER_SECTION_QUORUM) != 0)
		return; /* what was refused would break rules, too */
	count_votes(&whole);
	check_device(&whole);
	check_expected(&whole);
	check_two_node(&whole);
	check_last_man(&whole);
	check_downscale(&whole);
	check_tie(&whole);
	check_settle(&whole);
	warn_of_starts(&whole);
}
