/* SPDX-License-Identifier: BSD-3-Clause */
/* From the file to the replica, and all memory there will ever be. */
#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/os/box.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/daemon.h"
#include "libcommon/os/log.h"
#include "libcommon/os/loop.h"
#include "libcommon/os/serve.h"

#include "bin/cfgstored/cfgstored.h"

enum {
	FDS_EXTRA = 16,
	SCRATCH_LINE_BYTES = 16384,
	BACKLOG_BYTES = 16 << 20,
};

/* ---- the rules --------------------------------------------------------- */

static enum kv_tie
get_tie(int tie)
{
	switch ((enum cluster_store_tie)tie) {
	case CLUSTER_STORE_TIE_NODE:
		return KV_TIE_NODE;
	case CLUSTER_STORE_TIE_FENCE:
		return KV_TIE_FENCE;
	case CLUSTER_STORE_TIE_NONE:
		break;
	}
	return KV_TIE_NONE;
}

/* Who has no vote is no voter. */
static void
add_nodes(struct replica_config *cfg, const struct cluster_conf *conf)
{
	cfg->self = conf->nodes[conf->self].id;
	cfg->node_count = cfg->voteless_count = 0;
	for (uint32_t i = 0; i < conf->node_count; i++)
		if (conf->nodes[i].votes > 0)
			cfg->node[cfg->node_count++] =
			    (struct kv_voter){ conf->nodes[i].id,
				    conf->nodes[i].votes };
		else
			cfg->voteless_count++;
}

static void
fill_config(struct cfgstored *d)
{
	const struct cluster_conf *conf = d->serve->conf;
	const struct cluster_store *store = &conf->store;
	struct replica_config *cfg = &d->cfg;

	replica_config_init(cfg);
	add_nodes(cfg, conf);
	cfg->seed = box_random_u64();
	for (size_t i = 0; i < ARRAY_COUNT(cfg->kv_secret.word); i++)
		cfg->kv_secret.word[i] = box_random_u64();
	cfg->tie = get_tie(store->tie);
	cfg->kv.room.keys = store->keys_max;
	cfg->kv.room.bytes = store->bytes_max;
	cfg->kv.room.value_bytes = store->value_max;
	cfg->kv.room.leases = store->leases_max;
	cfg->kv.history_versions = store->history_versions;
	cfg->kv.history_bytes = store->history_bytes;
	cfg->message_bytes_max =
	    (size_t)conf->ring.message_bytes_max + LIMIT_MESSAGE_BYTES_OWN;
	cfg->tail_bytes = store->max_tail;
}

/* ---- memory ------------------------------------------------------------ */

static size_t
measure_replica(const struct cfgstored *d)
{
	struct arena measure;

	arena_init(&measure, NULL, 0);
	ENSURE(replica_create(&measure, &d->cfg) == NULL);
	return measure.used_bytes;
}

static void
create_backlog(struct cfgstored *d, struct arena *arena)
{
	struct cfgstored_backlog_memory memory = { .ring_bytes = BACKLOG_BYTES,
		.flat_bytes = KV_LOG_RECORD_BYTES_MAX };

	memory.ring = arena_take(arena, memory.ring_bytes);
	memory.flat = arena_take(arena, memory.flat_bytes);
	if (memory.ring != NULL)
		cfgstored_backlog_init(&d->backlog, &memory);
}

/* Everything that needs memory; false when the arena only measures. */
static bool
create_parts(struct cfgstored *d, struct arena *arena)
{
	d->loop = loop_create(arena, LIMIT_CLIENTS + FDS_EXTRA);
	d->replica_memory = arena_take(arena, d->replica_bytes);
	create_backlog(d, arena);
	d->requests =
	    arena_take(arena, REPLICA_PENDING_MAX * sizeof *d->requests);
	d->command = arena_take(arena, KV_COMMAND_BYTES_MAX);
	/* A version, and the one before it. */
	d->scratch_bytes = SCRATCH_LINE_BYTES + 2 * KV_VALUE_BYTES_MAX;
	d->scratch = arena_take(arena, d->scratch_bytes);
	d->watches = cfgstored_watch_create(arena);
	d->svc = cfgstored_svc_create(d, arena);
	d->ring_feed = cfgstored_stream_create(d, arena);
	d->quorum_feed = cfgstored_quorum_create(d, arena);
	d->member_feed = cfgstored_member_create(d, arena);
	return d->loop != NULL;
}

bool
cfgstored_create(struct cfgstored *d)
{
	struct arena measure, arena;
	void *base;

	fill_config(d);
	cfgstored_age_init(&d->age, d->serve->conf->store.history_time_ns);
	d->is_permitted = true;
	d->disk_slot = d->lend_slot = -1;
	cfgstored_lend_init(&d->lend);
	d->replica_bytes = measure_replica(d);
	arena_init(&measure, NULL, 0);
	ENSURE(!create_parts(d, &measure));
	base = daemon_map_memory(measure.used_bytes);
	if (base == NULL)
		return false;
	arena_init(&arena, base, measure.used_bytes);
	ENSURE(create_parts(d, &arena));
	cfgstored_request_init(d);
	d->memory_bytes = arena.used_bytes;
	log_line(
	    LOG_LEVEL_NOTICE, "memory", "total_bytes=%zu", d->memory_bytes);
	arena_seal(&arena);
	return true;
}
