/* SPDX-License-Identifier: BSD-3-Clause */
/* Each seed first draws what can go wrong at all, then how often: leaving
 * things out finds more than doing everything always. */
#include "tests/sim/sim_options.h"

#include <stdio.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"

#include "tests/sim/sim_draw.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)

void
sim_options_default(struct sim_options *opt, uint32_t node_count)
{
	ENSURE(node_count >= 1 && node_count <= LIMIT_NODES);
	memset(opt, 0, sizeof(*opt));
	opt->node_count = node_count;
	totem_config_default(&opt->config);
	opt->config.node_count = node_count;
	for (uint32_t i = 0; i < node_count; i++)
		opt->config.nodes[i] = i + 1;
	opt->config.frame_bytes = LIMIT_FRAME_BYTES_DEFAULT;
	opt->config.message_bytes_max = 1 << 16;
	opt->config.queue_bytes = 1 << 18;
	opt->seed = 1;
	opt->delay_ns = 50 * US;
	opt->jitter_ns = 10 * US;
	opt->socket_max = 1024;
	opt->cpu_ns = 1 * US;
	opt->persist_ns = 5 * MS;
	opt->reserve = 1024;
	opt->burst_messages = 1;
	opt->message_bytes = 1000;
	opt->safe_ppm = 300000;
	opt->check_every = 64;
	for (uint32_t i = 0; i < node_count; i++)
		opt->rules.votes[i] = 1;
	opt->rules.last_man_ns = 1000 * MS;
}

/* A rate in ppm, log-uniform, in half of the runs. */
static uint32_t
maybe(struct rng *rng, uint64_t low, uint64_t high)
{
	if (rng_below(rng, 2))
		return 0;
	return (uint32_t)sim_draw_log(rng, low, high);
}

static void
draw_nodes(struct sim_options *opt, struct rng *rng)
{
	static const uint8_t counts[] = { 1, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 5, 5,
		5, 6, 7, 8, 9 };
	uint32_t id = 0;

	opt->node_count = counts[rng_below(rng, ARRAY_COUNT(counts))];
	opt->config.node_count = opt->node_count;
	bool is_sparse = rng_below(rng, 4) == 0;
	for (uint32_t i = 0; i < opt->node_count; i++) {
		id += 1 + (is_sparse ? (uint32_t)rng_below(rng, 7000) : 0);
		opt->config.nodes[i] = id;
	}
}

static void
draw_config(struct sim_options *opt, struct rng *rng)
{
	static const uint32_t frames[] = { 548, 700, 1232, 1400, 1400, 8960 };
	static const uint64_t firsts[] = { 0, 0, 0, (1ULL << 32) - 10,
		(1ULL << 63) - 10 };
	struct totem_config *cfg = &opt->config;

	cfg->frame_bytes = frames[rng_below(rng, ARRAY_COUNT(frames))];
	cfg->message_bytes_max = 1u << 16;
	cfg->window =
	    (uint32_t)sim_draw_log(rng, LIMIT_WINDOW_MIN, LIMIT_WINDOW_DEFAULT);
	cfg->visit_frames = (uint32_t)sim_draw_log(rng, 1, LIMIT_VISIT_FRAMES);
	/* What is queued must drain in a while. */
	cfg->queue_bytes = 1u
	    << sim_draw_range(rng, 17, cfg->visit_frames < 8 ? 17 : 19);
	cfg->accelerated_frames =
	    (uint32_t)rng_below(rng, (uint64_t)cfg->visit_frames + 1);
	cfg->first_seq = firsts[rng_below(rng, ARRAY_COUNT(firsts))];
	cfg->merge_hold_down_ns = sim_draw_log(rng, 10 * MS, 250 * MS);
}

static void
draw_net(struct sim_options *opt, struct rng *rng)
{
	opt->delay_ns = sim_draw_log(rng, 100 * US, 3 * MS);
	opt->jitter_ns = rng_below(rng, 2) ? opt->delay_ns / 2 : opt->delay_ns;
	opt->tail_ppm = maybe(rng, 10, 10000);
	opt->tail_ns = sim_draw_log(rng, 2 * MS, 200 * MS);
	opt->loss_ppm = maybe(rng, 100, 100000);
	opt->dup_ppm = maybe(rng, 100, 100000);
	opt->reorder_ppm = maybe(rng, 1000, 300000);
	opt->corrupt_ppm = maybe(rng, 10, 1000);
	if (rng_below(rng, 4) == 0)
		opt->bandwidth = sim_draw_log(rng, 1000000, 100000000);
	opt->wire_bytes = (uint32_t)sim_draw_log(rng, 30000, 1000000);
	opt->socket_max = (uint32_t)sim_draw_log(rng, 16, 2048);
}

static void
draw_machines(struct sim_options *opt, struct rng *rng)
{
	opt->cpu_ns = sim_draw_log(rng, 500, 20 * US);
	opt->late_ns = rng_below(rng, 2) ? 0 : sim_draw_log(rng, US, 5 * MS);
	opt->clock_ppm = maybe(rng, 10, 20000);
	opt->persist_ns = sim_draw_log(rng, 100 * US, 100 * MS);
	opt->restart_ns = sim_draw_log(rng, 5 * MS, 3000 * MS);
	opt->proof_ppm = maybe(rng, 100000, 1000000);
	opt->disk_lost_ppm = maybe(rng, 10000, 300000);
	opt->reserve = (uint32_t)sim_draw_log(rng, 66, 1024);
	opt->start_skew_ns = (uint32_t)sim_draw_log(rng, US, 50 * MS);
}

static void
draw_faults(struct sim_options *opt, struct rng *rng)
{
	for (int i = 0; i < SIM_FAULTS; i++) {
		if (rng_below(rng, 2))
			continue;
		opt->every_ns[i] = sim_draw_log(rng, 200 * MS, 8000 * MS);
		opt->lasts_ns[i] = sim_draw_log(rng, MS, 2000 * MS);
	}
}

static void
draw_load(struct sim_options *opt, struct rng *rng)
{
	opt->burst_every_ns = sim_draw_log(rng, 20 * MS, 1000 * MS);
	opt->burst_messages = (uint32_t)sim_draw_log(rng, 1, 40);
	opt->message_bytes = (uint32_t)sim_draw_log(rng, 16, 4000);
	opt->large_ppm = maybe(rng, 1000, 100000);
	opt->safe_ppm = maybe(rng, 10000, 1000000);
	opt->if_view_ppm = maybe(rng, 1000, 300000);
	opt->worst_ppm = maybe(rng, 1000, 50000);
}

/* Nodes lose what quorumd remembers: DESIGN.md, "What is left open". */
static bool
is_forgetting(const struct sim_options *opt)
{
	return (opt->every_ns[SIM_FAULT_CRASH] |
		   opt->every_ns[SIM_FAULT_CRASH_MID] |
		   opt->every_ns[SIM_FAULT_LEAVE]) != 0;
}

static void
draw_store(struct sim_options *opt, struct rng *rng)
{
	opt->store_tie = (int)rng_below(rng, 3); /* none, node, fence */
	opt->has_veto = rng_below(rng, 3) == 0;
	opt->is_in_memory = rng_below(rng, 4) == 0;
	opt->has_full = rng_below(rng, 3) == 0;
	opt->has_broken = rng_below(rng, 2);
	/* What only memory has does not outlive a disk that was lost. */
	if (opt->has_store && opt->is_in_memory)
		opt->disk_lost_ppm = 0;
}

/* Drawn last, so that earlier seeds mean what they meant. */
static void
draw_rules(struct sim_options *opt, struct rng *rng)
{
	struct sim_rules *rules = &opt->rules;
	bool is_weighted = rng_below(rng, 3) == 0;

	opt->has_stack = opt->has_groups && rng_below(rng, 2);
	for (uint32_t i = 0; i < opt->node_count; i++)
		rules->votes[i] =
		    is_weighted ? 1 + (uint32_t)rng_below(rng, 3) : 1;
	rules->wait_for_all = (int)rng_below(rng, 3);
	rules->tie = (int)rng_below(rng, 3); /* none, lowest, highest */
	if (opt->node_count % 2 && !rules->wait_for_all)
		rules->tie = 0;
	/* Who waits for nobody believes its file when it comes back. */
	bool is_safe = rules->wait_for_all || !is_forgetting(opt);
	rules->is_last_man = !is_weighted && rng_below(rng, 4) == 0 && is_safe;
	rules->last_man_ns = sim_draw_log(rng, 200 * MS, 3000 * MS);
	rules->is_tracking = rng_below(rng, 4) == 0;
	/* What was set is remembered by nothing but tracking. */
	rules->has_requests = rng_below(rng, 3) == 0 && is_safe &&
	    (rules->is_tracking || !is_forgetting(opt));
	opt->has_store = opt->has_stack && rng_below(rng, 2);
	opt->has_elections = rng_below(rng, 3) == 0;
	draw_store(opt, rng);
}

void
sim_options_draw(struct sim_options *opt, uint64_t seed)
{
	struct rng rng;

	rng_init(&rng, seed);
	sim_options_default(opt, 1);
	opt->seed = rng_next(&rng);
	draw_nodes(opt, &rng);
	draw_config(opt, &rng);
	draw_net(opt, &rng);
	draw_machines(opt, &rng);
	draw_faults(opt, &rng);
	draw_load(opt, &rng);
	opt->chaos_ns = 8000 * MS;
	opt->has_groups = rng_below(&rng, 2);
	opt->check_every = rng_below(&rng, 50) ? 2048 : 32;
	draw_rules(opt, &rng);
}

static void
print_store(const struct sim_options *opt)
{
	static const char *const ties[] = { "none", "node", "fence" };

	if (opt->has_store)
		printf("store tie=%s elections=%d veto=%d memory=%d full=%d "
		       "broken=%d\n",
		    ties[opt->store_tie], opt->has_elections, opt->has_veto,
		    opt->is_in_memory, opt->has_full, opt->has_broken);
}

static void
print_faults(const struct sim_options *opt)
{
	static const char *const names[SIM_FAULTS] = {
		[SIM_FAULT_PARTITION] = "partition",
		[SIM_FAULT_CUT_PAIR] = "cut_pair",
		[SIM_FAULT_CUT_ONEWAY] = "cut_oneway",
		[SIM_FAULT_LOSS] = "loss",
		[SIM_FAULT_KIND_LOSS] = "kind_loss",
		[SIM_FAULT_KIND_DELAY] = "kind_delay",
		[SIM_FAULT_MTU] = "mtu",
		[SIM_FAULT_CRASH] = "crash",
		[SIM_FAULT_CRASH_MID] = "crash_mid",
		[SIM_FAULT_PAUSE] = "pause",
		[SIM_FAULT_LEAVE] = "leave",
		[SIM_FAULT_VERDICT] = "verdict",
	};

	printf("faults");
	for (int i = 0; i < SIM_FAULTS; i++)
		if (opt->every_ns[i])
			printf(" %s=%llums/%llums", names[i],
			    (unsigned long long)(opt->every_ns[i] / MS),
			    (unsigned long long)(opt->lasts_ns[i] / MS));
	putchar('\n');
}

void
sim_options_print(const struct sim_options *opt)
{
	const struct totem_config *cfg = &opt->config;

	printf("nodes=%u frame_bytes=%u window=%u visit=%u accelerated=%u "
	       "first_seq=%llu hold_down_ms=%llu queue_bytes=%u\n",
	    (unsigned)opt->node_count, (unsigned)cfg->frame_bytes,
	    (unsigned)cfg->window, (unsigned)cfg->visit_frames,
	    (unsigned)cfg->accelerated_frames,
	    (unsigned long long)cfg->first_seq,
	    (unsigned long long)(cfg->merge_hold_down_ns / MS),
	    (unsigned)cfg->queue_bytes);
	printf("net delay_us=%llu jitter_us=%llu tail_ms=%llu tail_ppm=%u "
	       "loss_ppm=%u dup_ppm=%u reorder_ppm=%u bandwidth=%llu "
	       "wire_bytes=%llu socket_max=%u\n",
	    (unsigned long long)(opt->delay_ns / US),
	    (unsigned long long)(opt->jitter_ns / US),
	    (unsigned long long)(opt->tail_ns / MS), (unsigned)opt->tail_ppm,
	    (unsigned)opt->loss_ppm, (unsigned)opt->dup_ppm,
	    (unsigned)opt->reorder_ppm, (unsigned long long)opt->bandwidth,
	    (unsigned long long)opt->wire_bytes, (unsigned)opt->socket_max);
	printf("machine cpu_ns=%llu late_us=%llu clock_ppm=%u persist_us=%llu "
	       "restart_ms=%llu proof_ppm=%u disk_lost_ppm=%u reserve=%u\n",
	    (unsigned long long)opt->cpu_ns,
	    (unsigned long long)(opt->late_ns / US), (unsigned)opt->clock_ppm,
	    (unsigned long long)(opt->persist_ns / US),
	    (unsigned long long)(opt->restart_ns / MS),
	    (unsigned)opt->proof_ppm, (unsigned)opt->disk_lost_ppm,
	    (unsigned)opt->reserve);
	printf(
	    "load groups=%d every_ms=%llu burst=%u bytes=%u large_ppm=%u safe_ppm=%u "
	    "if_view_ppm=%u worst_ppm=%u\n",
	    opt->has_groups, (unsigned long long)(opt->burst_every_ns / MS),
	    (unsigned)opt->burst_messages, (unsigned)opt->message_bytes,
	    (unsigned)opt->large_ppm, (unsigned)opt->safe_ppm,
	    (unsigned)opt->if_view_ppm, (unsigned)opt->worst_ppm);
	print_store(opt);
	print_faults(opt);
}
