/* SPDX-License-Identifier: BSD-3-Clause */
/* The configuration: what follows from it, and what contradicts itself. */
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"

#include "bin/quorumd/quorum.h"
#include "bin/quorumd/quorum_internal.h"

#define SECOND_NS UINT64_C(1000000000)

void
quorum_config_init(struct quorum_config *cfg)
{
	memset(cfg, 0, sizeof *cfg);
	cfg->last_man_standing_window_ns = 10 * SECOND_NS;
	cfg->device_timeout_ns = 10 * SECOND_NS;
	cfg->device_sync_timeout_ns = 30 * SECOND_NS;
	cfg->settle_ns = 2 * SECOND_NS;
}

uint64_t
quorum_config_node_votes(const struct quorum_config *cfg)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < cfg->node_count; i++)
		sum += cfg->node[i].votes;
	return sum;
}

uint64_t
quorum_config_device_votes(const struct quorum_config *cfg)
{
	if (!cfg->has_device)
		return 0;
	if (cfg->device_votes != 0)
		return cfg->device_votes;
	return num_sub(cfg->node_count, 1);
}

size_t
quorum_config_place(const struct quorum_config *cfg, uint32_t id)
{
	for (size_t i = 0; i < cfg->node_count; i++)
		if (cfg->node[i].id == id)
			return i;
	return LIMIT_NODES;
}

uint64_t
quorum_config_set(
    const struct quorum_config *cfg, const uint32_t *id, size_t count)
{
	uint64_t set = 0;

	for (size_t i = 0; i < count; i++) {
		size_t place = quorum_config_place(cfg, id[i]);

		if (place < LIMIT_NODES)
			set |= QUORUM_BIT(place);
	}
	return set;
}

/* ---- mistakes ---------------------------------------------------------- */

static uint64_t
expected(const struct quorum_config *cfg)
{
	if (cfg->expected_votes != 0)
		return cfg->expected_votes;
	return quorum_config_node_votes(cfg) + quorum_config_device_votes(cfg);
}

static bool
is_any_other_than_1(const struct quorum_config *cfg)
{
	for (size_t i = 0; i < cfg->node_count; i++)
		if (cfg->node[i].votes != 1)
			return true;
	return false;
}

static bool
is_bad_nodes(const struct quorum_config *cfg)
{
	if (cfg->node_count == 0 || cfg->node_count > LIMIT_NODES)
		return true;
	for (size_t i = 1; i < cfg->node_count; i++)
		if (cfg->node[i].id <= cfg->node[i - 1].id)
			return true;
	return quorum_config_place(cfg, cfg->self) == LIMIT_NODES;
}

static bool
is_bad_sum(const struct quorum_config *cfg)
{
	uint64_t sum =
	    quorum_config_node_votes(cfg) + quorum_config_device_votes(cfg);

	return sum == 0 || sum > UINT32_MAX;
}

static bool
is_expected_low(const struct quorum_config *cfg)
{
	return expected(cfg) <
	    quorum_config_node_votes(cfg) + quorum_config_device_votes(cfg);
}

static bool
is_two_node_of_others(const struct quorum_config *cfg)
{
	return cfg->two_node && expected(cfg) != 2;
}

static bool
is_two_node_device(const struct quorum_config *cfg)
{
	return cfg->two_node && cfg->has_device;
}

static bool
is_two_node_tie(const struct quorum_config *cfg)
{
	return cfg->two_node && cfg->auto_tie_breaker != QUORUM_TIE_NO;
}

static bool
is_lms_votes(const struct quorum_config *cfg)
{
	return cfg->last_man_standing && is_any_other_than_1(cfg);
}

static bool
is_lms_device(const struct quorum_config *cfg)
{
	return cfg->last_man_standing && cfg->has_device;
}

static bool
is_tie_device(const struct quorum_config *cfg)
{
	return cfg->auto_tie_breaker != QUORUM_TIE_NO && cfg->has_device;
}

static bool
is_tie_odd(const struct quorum_config *cfg)
{
	return cfg->auto_tie_breaker != QUORUM_TIE_NO &&
	    expected(cfg) % 2 == 1 && cfg->wait_for_all != QUORUM_WAIT_ALWAYS;
}

static bool
is_tie_list_bad(const struct quorum_config *cfg)
{
	if (cfg->auto_tie_breaker != QUORUM_TIE_LIST)
		return false;
	for (size_t i = 0; i < cfg->tie_count; i++)
		if (quorum_config_place(cfg, cfg->tie_list[i]) == LIMIT_NODES)
			return true;
	return cfg->tie_count == 0;
}

static bool
is_device_votes_unclear(const struct quorum_config *cfg)
{
	return cfg->has_device && cfg->device_votes == 0 &&
	    (cfg->expected_votes != 0 || is_any_other_than_1(cfg));
}

static bool
is_device_too_heavy(const struct quorum_config *cfg)
{
	return cfg->has_device &&
	    expected(cfg) < quorum_config_device_votes(cfg) + 2;
}

static const struct {
	bool (*is_mistake)(const struct quorum_config *cfg);
	const char *text;
} mistakes[] = {
	{ is_bad_nodes, "the node itself is not among the nodes" },
	{ is_bad_sum, "all votes together are 0, or more than 4294967295" },
	{ is_expected_low,
	    "expected_votes is lower than all votes together: two sides could "
	    "have quorum" },
	{ is_two_node_of_others, "two_node needs exactly 2 votes" },
	{ is_two_node_device, "two_node and a device exclude each other" },
	{ is_two_node_tie, "two_node and auto_tie_breaker exclude each other" },
	{ is_lms_votes, "last_man_standing needs one vote for every node" },
	{ is_lms_device, "last_man_standing and a device exclude each other" },
	{ is_tie_device, "auto_tie_breaker and a device exclude each other" },
	{ is_tie_odd,
	    "auto_tie_breaker with an odd number of votes needs wait_for_all "
	    "= always" },
	{ is_tie_list_bad,
	    "auto_tie_breaker_node names no node, or one that is not there" },
	{ is_device_votes_unclear,
	    "device_votes must be given with expected_votes, or with votes "
	    "other than 1" },
	{ is_device_too_heavy,
	    "expected_votes less device_votes must be at least 2" },
};

bool
quorum_config_mistake(
    const struct quorum_config *cfg, size_t idx, struct text *out)
{
	for (size_t i = 0; i < ARRAY_COUNT(mistakes); i++) {
		if (!mistakes[i].is_mistake(cfg) || idx-- > 0)
			continue;
		text_put(out, mistakes[i].text);
		return true;
	}
	return false;
}

/* ---- what may follow what ---------------------------------------------- */

/* A minority of the configured votes may come to have quorum. */
static bool
is_dynamic(const struct quorum_config *cfg)
{
	return cfg->last_man_standing || cfg->allow_downscale ||
	    cfg->auto_tie_breaker != QUORUM_TIE_NO;
}

static bool
is_lms_other(const struct quorum_config *cfg, const struct quorum_config *next)
{
	return cfg->last_man_standing != next->last_man_standing;
}

static bool
is_tie_other(const struct quorum_config *cfg, const struct quorum_config *next)
{
	return cfg->auto_tie_breaker != next->auto_tie_breaker ||
	    (cfg->auto_tie_breaker == QUORUM_TIE_LIST &&
		(cfg->tie_count != next->tie_count ||
		    memcmp(cfg->tie_list, next->tie_list,
			cfg->tie_count * sizeof cfg->tie_list[0]) != 0));
}

static bool
is_downscale_other(
    const struct quorum_config *cfg, const struct quorum_config *next)
{
	return cfg->allow_downscale != next->allow_downscale;
}

static bool
is_tracking_other(
    const struct quorum_config *cfg, const struct quorum_config *next)
{
	return cfg->expected_votes_tracking != next->expected_votes_tracking;
}

static bool
is_device_other(
    const struct quorum_config *cfg, const struct quorum_config *next)
{
	return cfg->has_device != next->has_device ||
	    quorum_config_device_votes(cfg) !=
	    quorum_config_device_votes(next) ||
	    cfg->device_master_wins != next->device_master_wins;
}

/* Who waits, and for how long, is no matter where only majorities count. */
static bool
is_wait_other(const struct quorum_config *cfg, const struct quorum_config *next)
{
	return cfg->wait_for_all != next->wait_for_all &&
	    (is_dynamic(cfg) || cfg->wait_for_all == QUORUM_WAIT_ALWAYS ||
		next->wait_for_all == QUORUM_WAIT_ALWAYS);
}

static const struct {
	bool (*is_other)(
	    const struct quorum_config *cfg, const struct quorum_config *next);
	const char *text;
} clashes[] = {
	{ is_lms_other, "[quorum] last_man_standing" },
	{ is_tie_other, "[quorum] auto_tie_breaker" },
	{ is_downscale_other, "[quorum] allow_downscale" },
	{ is_tracking_other, "[quorum] expected_votes_tracking" },
	{ is_device_other,
	    "[quorum] device, device_votes (which follow the number of nodes, "
	    "if not given) or device_master_wins" },
	{ is_wait_other, "[quorum] wait_for_all, beside other rules" },
};

bool
quorum_config_clash(const struct quorum_config *cfg,
    const struct quorum_config *next, size_t idx, struct text *out)
{
	for (size_t i = 0; i < ARRAY_COUNT(clashes); i++) {
		if (!clashes[i].is_other(cfg, next) || idx-- > 0)
			continue;
		text_put(out, "needs a restart: ");
		text_put(out, clashes[i].text);
		return true;
	}
	return false;
}

/* FNV-1a, a number at a time. */
static void
mix(uint64_t *hash, uint64_t number)
{
	for (int i = 0; i < 8; i++) {
		*hash ^= number >> (8 * i) & 255;
		*hash *= UINT64_C(1099511628211);
	}
}

uint64_t
quorum_config_version(const struct quorum_config *cfg)
{
	const uint64_t rules[] = { expected(cfg), cfg->two_node,
		cfg->wait_for_all, cfg->last_man_standing,
		cfg->auto_tie_breaker, cfg->allow_downscale,
		cfg->expected_votes_tracking, quorum_config_device_votes(cfg),
		cfg->device_master_wins };
	uint64_t hash = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < cfg->node_count; i++) {
		mix(&hash, cfg->node[i].id);
		mix(&hash, cfg->node[i].votes);
	}
	for (size_t i = 0; i < ARRAY_COUNT(rules); i++)
		mix(&hash, rules[i]);
	for (size_t i = 0;
	     cfg->auto_tie_breaker == QUORUM_TIE_LIST && i < cfg->tie_count;
	     i++)
		mix(&hash, cfg->tie_list[i]);
	return hash != 0 ? hash : 1;
}
