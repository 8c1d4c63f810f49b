/* SPDX-License-Identifier: BSD-3-Clause */
/* Making the parts of ringd, all from one arena, out of the configuration. */

#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/daemon.h"
#include "libcommon/os/loop.h"

#include "bin/ringd/group.h"
#include "bin/ringd/ringd.h"
#include "bin/ringd/ringd_client.h"
#include "bin/ringd/ringd_conf.h"
#include "bin/ringd/ringd_net.h"
#include "bin/ringd/totem.h"

enum {
	LINK_FDS = 3,  /* of each: its socket, the one before, its group */
	FDS_EXTRA = 8, /* links and clients apart */
};

static uint8_t *
on_net_cell(void *arg)
{
	struct ringd *r = arg;

	return totem_rx_cell(r->totem);
}

static void
on_net_step(void *arg, const struct totem_input *in)
{
	ringd_step(arg, in);
}

static void
on_net_rolled_back(void *arg)
{
	struct ringd *r = arg;

	log_line(LOG_LEVEL_ERROR, "rolled-back",
	    "msg=this\\0040machine\\0040was\\0040set\\0040back");
	loop_stop(r->loop, EXITCODE_TRYAGAIN);
}

static void
log_outlived(uint64_t incarnation, const char *msg)
{
	log_line(LOG_LEVEL_ERROR, "outlived", "inc=%llu msg=%s",
	    (unsigned long long)incarnation, msg);
}

/*
 * The state folder is lost and the clock was set back.  Who never had company
 * may take a higher incarnation, and so may who is only told that its own life
 * is over.  Else, of who had company another process speaks in its name: one
 * of the two must be stopped, and they are not to outbid each other.
 */
static void
on_net_outlived(void *arg, uint64_t incarnation)
{
	struct ringd *r = arg;
	bool is_over = incarnation == r->disk.incarnation + 1;

	if (r->is_outlived)
		return;
	r->is_outlived = true;
	if (r->had_company && !is_over) {
		log_outlived(incarnation,
		    "another\\0040process\\0040is\\0040this\\0040node");
		return;
	}
	log_outlived(incarnation,
	    is_over ? "this\\0040life\\0040was\\0040told\\0040dead"
		    : "state\\0040lost\\0040and\\0040clock\\0040set\\0040back");
	r->outlived_by = incarnation;
	loop_stop(r->loop, EXITCODE_TRYAGAIN);
}

/* What the file gives, over the core's defaults. */
void
ringd_configure_totem(const struct ringd *r, struct totem_config *cfg)
{
	const struct cluster_ring *ring = &r->conf->ring;
	const struct {
		uint64_t given;
		uint64_t *to;
	} spans[] = {
		{ ring->idle_hold_ns, &cfg->idle_hold_ns },
		{ ring->join_ns, &cfg->join_ns },
		{ ring->consensus_ns, &cfg->consensus_ns },
		{ ring->merge_ns, &cfg->merge_ns },
		{ ring->token_loss_ns, &cfg->token_loss_ns },
	};

	totem_config_default(cfg);
	cfg->is_data_shared = ring->transport == CLUSTER_MULTICAST;
	totem_config_preset(cfg, (enum totem_preset)ring->preset);
	if (ring->heartbeat_ns != 0)
		totem_config_heartbeat(cfg, ring->heartbeat_ns);
	if (ring->dead_after_ns != 0)
		totem_config_dead_after(cfg, ring->dead_after_ns);
	for (size_t i = 0; i < ARRAY_COUNT(spans); i++)
		if (spans[i].given != 0)
			*spans[i].to = spans[i].given;
	cfg->config_hash = ringd_conf_hash(r->conf);
	cfg->self = r->conf->nodes[r->conf->self].id;
	cfg->node_count = r->conf->node_count;
	for (uint32_t i = 0; i < cfg->node_count; i++)
		cfg->nodes[i] = r->conf->nodes[i].id;
	cfg->frame_bytes = ring->frame_bytes;
	cfg->message_bytes_max = (uint32_t)ring->message_bytes_max +
	    LIMIT_MESSAGE_BYTES_OWN + GROUP_HEAD_BYTES_MAX;
	cfg->queue_bytes = (uint32_t)(ring->queue_bytes != 0
		? ring->queue_bytes
		: num_max(cfg->queue_bytes, cfg->message_bytes_max + 65536));
	if (ring->window != 0)
		cfg->window = ring->window;
	cfg->is_tracing = log_is_wanted(LOG_LEVEL_DEBUG);
}

static void
create_totem(
    struct ringd *r, struct arena *arena, const struct ringd_plan *plan)
{
	struct totem_config cfg;
	struct totem_boot boot = { .now_ns = plan->now_ns,
		.incarnation = r->disk.incarnation,
		.ring_seq = r->disk.ring_seq,
		.ring_seq_reserved = r->disk.reserved,
		.seed = plan->seed };
	size_t before = arena->used_bytes;

	ringd_configure_totem(r, &cfg);
	r->totem = totem_create(arena, &cfg, &boot);
	r->totem_place = before;
	r->totem_bytes = arena->used_bytes - before;
}

static void
create_groups(struct ringd *r, struct arena *arena)
{
	struct group_config cfg = {
		.self = r->conf->nodes[r->conf->self].id,
		.incarnation = r->disk.incarnation,
		.message_bytes_max = (size_t)r->conf->ring.message_bytes_max +
		    LIMIT_MESSAGE_BYTES_OWN + GROUP_HEAD_BYTES_MAX,
	};

	r->groups = group_create(arena, &cfg);
}

void
ringd_configure_net(struct ringd *r, struct ringd_net_config *cfg)
{
	const struct cluster_conf *conf = r->conf;
	struct totem_config core;

	ringd_configure_totem(r, &core);
	*cfg = (struct ringd_net_config){
		.self = conf->nodes[conf->self].id,
		.node_count = conf->node_count,
		.link_count = conf->link_count,
		.cluster = r->reload.cluster,
		.has_groups = conf->ring.transport == CLUSTER_MULTICAST,
		.incarnation = r->disk.incarnation,
		.frame_bytes = conf->ring.frame_bytes,
		.link_mode = (enum link_mode)conf->ring.link_mode,
		/* Of the preset, too. */
		.heartbeat_ns = core.heartbeat_ns,
		.socket_buffer_bytes = (int)conf->ring.socket_buffer_bytes,
		.host = { .arg = r,
		    .cell = on_net_cell,
		    .step = on_net_step,
		    .rolled_back = on_net_rolled_back,
		    .outlived = on_net_outlived },
	};
	memcpy(cfg->link_priority, conf->ring.link_priority,
	    sizeof cfg->link_priority);
	for (uint32_t link = 0; link < conf->link_count; link++)
		ringd_conf_group(conf, link, &cfg->groups[link]);
	for (uint32_t i = 0; i < conf->node_count; i++) {
		cfg->nodes[i] = conf->nodes[i].id;
		memcpy(cfg->addr[i], conf->nodes[i].link, sizeof cfg->addr[i]);
	}
}

static void
create_net(struct ringd *r, struct arena *arena, const struct ringd_plan *plan)
{
	static struct ringd_net_config cfg; /* too large for the stack */

	ringd_configure_net(r, &cfg);
	cfg.keys = plan->keys;
	cfg.links = plan->links;
	cfg.group_sockets = plan->groups;
	r->net = ringd_net_create(arena, &cfg, plan->now_ns);
}

/* Everything that needs memory; false when the arena only measures. */
static bool
create_parts(
    struct ringd *r, struct arena *arena, const struct ringd_plan *plan)
{
	r->now_ns = r->start_ns = r->tick_ns = plan->now_ns;
	ringd_age_begin(
	    &r->age, plan->now_ns, num_sub(clock_boot_ns(), clock_now_ns()));
	r->loop = loop_create(
	    arena, LINK_FDS * LIMIT_LINKS + LIMIT_CLIENTS + FDS_EXTRA);
	create_totem(r, arena, plan);
	create_groups(r, arena);
	create_net(r, arena, plan);
	r->change = ringd_change_create(arena, r);
	r->keys = ringd_keys_create(arena, plan->keys);
	r->clients = ringd_client_create(arena);
	r->svc = ringd_svc_create(r, arena);
	return r->loop != NULL;
}

bool
ringd_create(struct ringd *r, const struct ringd_plan *plan)
{
	struct ringd_plan now = *plan;
	struct arena measure, arena;
	unsigned char *base;

	ringd_reload_begin(r, plan->confs);
	r->sockets = plan->sockets;
	arena_init(&measure, NULL, 0);
	ENSURE(!create_parts(r, &measure, &now));
	base = daemon_map_memory(measure.used_bytes);
	if (base == NULL)
		return false;
	/* Locking takes its time: the core's begins afterwards. */
	r->is_locked =
	    daemon_lock_memory(base + r->totem_place, r->totem_bytes) == 0;
	now.now_ns = clock_now_ns();
	arena_init(&arena, base, measure.used_bytes);
	ENSURE(create_parts(r, &arena, &now));
	r->memory_bytes = arena.used_bytes;
	log_line(LOG_LEVEL_NOTICE, "memory",
	    "total_bytes=%zu core_bytes=%zu mlock=%s sched=%s", r->memory_bytes,
	    r->totem_bytes, r->is_locked ? "yes" : "no", r->scheduling);
	ringd_local_open(r);
	arena_seal(&arena);
	return true;
}
