/* SPDX-License-Identifier: BSD-3-Clause */
/* From the file to the rules, and all memory there will ever be. */
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/daemon.h"
#include "libcommon/os/log.h"
#include "libcommon/os/loop.h"
#include "libcommon/os/serve.h"

#include "bin/quorumd/quorum_roster.h"
#include "bin/quorumd/quorum_stream.h"
#include "bin/quorumd/quorumd.h"

enum { FDS_EXTRA = 16 };

static_assert(QUORUM_NAME_BYTES + 1 >= CLUSTER_NAME_BYTES, "names fit");

/* ---- the rules --------------------------------------------------------- */

static enum quorum_wait
get_wait(int wait)
{
	switch ((enum cluster_wait)wait) {
	case CLUSTER_WAIT_YES:
		return QUORUM_WAIT_YES;
	case CLUSTER_WAIT_ALWAYS:
		return QUORUM_WAIT_ALWAYS;
	case CLUSTER_WAIT_NO:
		break;
	}
	return QUORUM_WAIT_NO;
}

static enum quorum_tie
get_tie(const struct cluster_quorum *quorum)
{
	if (!quorum->auto_tie_breaker)
		return QUORUM_TIE_NO;
	switch (quorum->tie) {
	case CLUSTER_TIE_HIGHEST:
		return QUORUM_TIE_HIGHEST;
	case CLUSTER_TIE_LIST:
		return QUORUM_TIE_LIST;
	case CLUSTER_TIE_LOWEST:
		break;
	}
	return QUORUM_TIE_LOWEST;
}

static void
add_nodes(struct quorum_config *cfg, const struct cluster_conf *conf)
{
	memcpy(cfg->cluster, conf->cluster, sizeof conf->cluster);
	cfg->self = conf->nodes[conf->self].id;
	cfg->node_count = conf->node_count;
	for (uint32_t i = 0; i < conf->node_count; i++) {
		struct quorum_config_node *node = &cfg->node[i];

		node->id = conf->nodes[i].id;
		node->votes = conf->nodes[i].votes;
		memcpy(node->name, conf->nodes[i].name, CLUSTER_NAME_BYTES);
	}
}

void
quorumd_make_config(struct quorum_config *cfg, const struct cluster_conf *conf)
{
	const struct cluster_quorum *quorum = &conf->quorum;

	quorum_config_init(cfg);
	add_nodes(cfg, conf);
	cfg->expected_votes = quorum->expected_votes;
	cfg->two_node = quorum->two_node;
	cfg->wait_for_all = get_wait(quorum->wait_for_all);
	cfg->last_man_standing = quorum->last_man_standing;
	cfg->last_man_standing_window_ns = quorum->last_man_standing_window_ns;
	cfg->auto_tie_breaker = get_tie(quorum);
	cfg->tie_count = quorum->tie_count;
	memcpy(cfg->tie_list, quorum->tie_nodes, sizeof cfg->tie_list);
	cfg->allow_downscale = quorum->allow_downscale;
	cfg->expected_votes_tracking =
	    quorum->expected_votes_tracking || quorum->allow_downscale;
	cfg->has_device = quorum->device_votes > 0;
	cfg->device_votes = quorum->device_votes;
	cfg->device_timeout_ns = quorum->device_timeout_ns;
	cfg->device_sync_timeout_ns = quorum->device_sync_timeout_ns;
	cfg->device_master_wins = quorum->device_master_wins;
	cfg->settle_ns = quorum->settle_ns;
}

/* ---- the record -------------------------------------------------------- */

/* Names are not recorded: the file knows most of them. */
static void
take_names(struct quorum_config *cfg, const struct quorum_config *file)
{
	for (size_t i = 0; i < cfg->node_count; i++)
		for (size_t k = 0; k < file->node_count; k++)
			if (cfg->node[i].id == file->node[k].id)
				memcpy(cfg->node[i].name, file->node[k].name,
				    sizeof cfg->node[i].name);
}

const char *
quorumd_make_recorded(struct quorumd *d)
{
	const struct quorumd_state_record *record = &d->state.recorded;
	const struct quorum_config file = d->cfg;

	if (!quorum_record_read(&d->cfg, record->bytes, record->len))
		return "makes no sense";
	if (strcmp(d->cfg.cluster, file.cluster) != 0)
		return "is of another cluster";
	if (d->cfg.self != file.self)
		return "is of another node";
	take_names(&d->cfg, &file);
	if (quorum_config_version(&d->cfg) == quorum_config_version(&file)) {
		d->cfg = file;
		return NULL;
	}
	d->next = file;
	d->is_pending = true;
	log_line(LOG_LEVEL_WARNING, "file-not-agreed-on",
	    "nodes=%zu recorded=%zu", file.node_count, d->cfg.node_count);
	return NULL;
}

/* ---- memory ------------------------------------------------------------ */

/* The core is made anew in the same place for every connection to ringd. */
static size_t
measure_core(const struct quorumd *d)
{
	struct arena measure;

	arena_init(&measure, NULL, 0);
	ENSURE(quorum_create(&measure, &d->cfg, NULL, 0) == NULL);
	return measure.used_bytes;
}

void
quorumd_make_core(struct quorumd *d, uint64_t inc)
{
	const void *kept;
	const size_t kept_len = quorumd_state_kept(&d->state, inc, &kept);
	const struct quorumd_state_record *record;
	struct arena arena;
	bool is_durable;

	d->cfg.tracked = d->state.tracked;
	arena_init(&arena, d->core_memory, d->core_bytes);
	d->core = quorum_create(
	    &arena, &d->cfg, kept_len > 0 ? kept : NULL, kept_len);
	ENSURE(d->core != NULL);
	record = quorumd_state_newest(&d->state, &is_durable);
	quorum_record_recall(d->core, record->bytes, record->len, is_durable);
	log_line(LOG_LEVEL_INFO, "kept", "bytes=%zu tracked=%u", kept_len,
	    d->state.tracked);
}

/* Everything that needs memory; false when the arena only measures. */
static bool
create_parts(struct quorumd *d, struct arena *arena)
{
	d->loop = loop_create(arena, LIMIT_CLIENTS + FDS_EXTRA);
	d->core_memory = arena_take(arena, d->core_bytes);
	d->stream = quorum_stream_create(arena);
	d->roster = quorum_roster_create(arena);
	d->watch = quorumd_svc_watch(d, arena);
	d->svc = quorumd_svc_create(d, arena);
	d->ring_feed = quorumd_ring_create(d, arena);
	d->member_feed = quorumd_member_create(d, arena);
	return d->loop != NULL;
}

bool
quorumd_create(struct quorumd *d)
{
	struct arena measure, arena;
	void *base;

	d->core_bytes = measure_core(d);
	quorum_lease_init(&d->lease, d->serve->conf->quorum.lease_ns);
	arena_init(&measure, NULL, 0);
	ENSURE(!create_parts(d, &measure));
	base = daemon_map_memory(measure.used_bytes);
	if (base == NULL)
		return false;
	arena_init(&arena, base, measure.used_bytes);
	ENSURE(create_parts(d, &arena));
	d->memory_bytes = arena.used_bytes;
	log_line(
	    LOG_LEVEL_NOTICE, "memory", "total_bytes=%zu", d->memory_bytes);
	arena_seal(&arena);
	return true;
}
