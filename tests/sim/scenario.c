/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/scenario.h"

#include <stdio.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "tests/sim/oracle.h"
#include "tests/sim/sim_catch.h"
#include "tests/sim/sim_draw.h"
#include "tests/sim/sim_fault.h"
#include "tests/sim/sim_run.h"
#include "tests/sim/sim_watch.h"

#define MS UINT64_C(1000000)
#define US UINT64_C(1000)

enum { SCENARIO_RULES = 16, SCENARIO_HELD = 64, SCENARIO_STEP_NS = 200000 };

static struct scenario_rule scenario_rules[SCENARIO_RULES];
static size_t scenario_rule_count;
static uint64_t scenario_hit_count;

static struct scenario_held {
	uint32_t packet, to;
} scenario_held[SCENARIO_HELD];
static size_t scenario_held_count;

/* ---- the stage --------------------------------------------------------- */

void
scenario_options(struct sim_options *opt, uint32_t count)
{
	sim_options_default(opt, count);
	opt->config.merge_hold_down_ns = 50 * MS;
}

void
scenario_world_with(struct sim *sim, const struct sim_options *opt)
{
	scenario_rule_count = 0;
	scenario_hit_count = 0;
	scenario_held_count = 0;
	sim_reset(sim, opt);
	sim_watch_fault(sim);
}

void
scenario_world(struct sim *sim, uint32_t count)
{
	struct sim_options opt;

	scenario_options(&opt, count);
	scenario_world_with(sim, &opt);
}

static void
start_first(struct sim *sim, uint32_t count)
{
	static const char all[] = "123456789";
	char nodes[sizeof(all)];

	memcpy(nodes, all, count);
	nodes[count] = '\0';
	scenario_start(sim, nodes);
	scenario_expect_ring(sim, nodes, 2000);
}

void
scenario_cluster(struct sim *sim, uint32_t count)
{
	scenario_world(sim, count);
	start_first(sim, count);
}

void
scenario_three_apart(struct sim *sim)
{
	scenario_cluster(sim, 3);
	scenario_cut(sim, "1", "23");
	scenario_cut(sim, "2", "3");
	scenario_expect_ring(sim, "1", 1000);
	scenario_expect_ring(sim, "2", 1000);
	scenario_expect_ring(sim, "3", 1000);
	scenario_rule(sim,
	    &(struct scenario_rule){
		.kind = TOTEM_PACKET_MERGE_DETECT, .from = 3 });
}

void
scenario_group_cluster(struct sim *sim, uint32_t count)
{
	struct sim_options opt;

	scenario_options(&opt, count);
	opt.has_groups = true;
	scenario_world_with(sim, &opt);
	start_first(sim, count);
}

struct sim_node *
scenario_node(struct sim *sim, uint32_t id)
{
	return &sim->node[sim_node_idx(sim, id)];
}

/* ---- what happens ------------------------------------------------------ */

static uint64_t
mask_of(struct sim *sim, const char *nodes)
{
	uint64_t mask = 0;

	for (; *nodes; nodes++)
		mask |= UINT64_C(1)
		    << sim_node_idx(sim, (uint32_t)(*nodes - '0'));
	return mask;
}

void
scenario_run_us(struct sim *sim, uint64_t span_us)
{
	sim_run_until(sim, sim->now_ns + span_us * US);
}

void
scenario_run_ms(struct sim *sim, uint64_t span_ms)
{
	sim_run_until(sim, sim->now_ns + span_ms * MS);
}

static void
each(struct sim *sim, const char *nodes,
    void (*act)(struct sim *, struct sim_node *))
{
	for (; *nodes && !sim_has_failed(sim); nodes++)
		act(sim, scenario_node(sim, (uint32_t)(*nodes - '0')));
}

void
scenario_start(struct sim *sim, const char *nodes)
{
	each(sim, nodes, sim_node_start);
}

static void
crash(struct sim *sim, struct sim_node *node)
{
	sim_node_crash(sim, node, false);
}

static void
crash_proven(struct sim *sim, struct sim_node *node)
{
	sim_node_crash(sim, node, true);
}

void
scenario_crash(struct sim *sim, const char *nodes)
{
	each(sim, nodes, crash);
}

void
scenario_crash_proven(struct sim *sim, const char *nodes)
{
	each(sim, nodes, crash_proven);
}

void
scenario_pause(struct sim *sim, const char *nodes)
{
	each(sim, nodes, sim_node_pause);
}

void
scenario_resume(struct sim *sim, const char *nodes)
{
	each(sim, nodes, sim_node_resume);
}

void
scenario_leave(struct sim *sim, const char *nodes)
{
	each(sim, nodes, sim_node_leave);
}

static void
set_cuts(struct sim *sim, const char *from, const char *to, bool is_cut)
{
	uint64_t senders = mask_of(sim, from), receivers = mask_of(sim, to);

	for (uint32_t i = 0; i < sim->opt.node_count; i++)
		for (uint32_t j = 0; j < sim->opt.node_count; j++)
			if (i != j && senders >> i & 1 && receivers >> j & 1)
				sim_net_cut(sim, i, j, is_cut);
}

void
scenario_cut(struct sim *sim, const char *some, const char *others)
{
	sim_tell(sim, NULL, "cut between %s and %s", some, others);
	set_cuts(sim, some, others, true);
	set_cuts(sim, others, some, true);
}

void
scenario_cut_oneway(struct sim *sim, const char *from, const char *to)
{
	sim_tell(sim, NULL, "cut from %s to %s", from, to);
	set_cuts(sim, from, to, true);
}

void
scenario_join(struct sim *sim, const char *some, const char *others)
{
	sim_tell(sim, NULL, "mended between %s and %s", some, others);
	set_cuts(sim, some, others, false);
	set_cuts(sim, others, some, false);
}

void
scenario_heal(struct sim *sim)
{
	if (sim_has_failed(sim))
		return;
	scenario_rules_end(sim);
	sim_fault_heal(sim);
}

/* One message, as soon as the node takes it; 20 s at most. */
static void
send_one(struct sim *sim, struct sim_node *node, size_t len,
    enum totem_service service)
{
	uint64_t end_ns = sim->now_ns + 20000 * MS;

	while (!sim_has_failed(sim)) {
		if (sim_load_submit(sim, node, len, service))
			return;
		sim_node_idle(sim, node);
		if (node->power != SIM_ON || sim->now_ns > end_ns)
			sim_fail(sim, "node %u takes no message",
			    (unsigned)node->id);
		else
			sim_run_until(sim, sim->now_ns + SCENARIO_STEP_NS);
	}
}

void
scenario_send(struct sim *sim, const char *nodes, uint32_t count, size_t len,
    enum totem_service service)
{
	for (; *nodes; nodes++) {
		struct sim_node *node =
		    scenario_node(sim, (uint32_t)(*nodes - '0'));
		for (uint32_t i = 0; i < count; i++)
			send_one(sim, node, len, service);
		sim_node_idle(sim, node);
	}
}

void
scenario_load(struct sim *sim, uint64_t every_us, uint32_t bytes)
{
	sim->is_load_on = true;
	sim->opt.burst_every_ns = every_us * US;
	sim->opt.message_bytes = bytes;
	for (uint32_t i = 0; i < sim->opt.node_count; i++)
		if (sim->node[i].power == SIM_ON)
			sim_load_on_up(sim, &sim->node[i]);
}

void
scenario_load_end(struct sim *sim)
{
	sim->is_load_on = false;
}

/* ---- rules of the network ---------------------------------------------- */

static bool
fits(struct sim *sim, const struct scenario_rule *rule, uint32_t to,
    const struct sim_packet *packet)
{
	if (rule->kind != 0 && rule->kind != packet->kind)
		return false;
	if (rule->from != 0 && sim->node[packet->from].id != rule->from)
		return false;
	if (rule->to != 0 && sim->node[to].id != rule->to)
		return false;
	return packet->len > rule->longer_than;
}

/* True when the rule hits this datagram; counts it. */
static bool
take(struct sim *sim, struct scenario_rule *rule)
{
	if (rule->skip > 0) {
		rule->skip--;
		return false;
	}
	if (rule->count == UINT32_MAX)
		return false;
	if (rule->ppm > 0 && !sim_draw_ppm(&sim->rng, rule->ppm))
		return false;
	if (rule->count > 0 && --rule->count == 0)
		rule->count = UINT32_MAX; /* used up */
	scenario_hit_count++;
	return true;
}

static void
hold(struct sim *sim, uint32_t packet, uint32_t to)
{
	ENSURE(scenario_held_count < SCENARIO_HELD);
	sim->net.packet[packet].refs++;
	scenario_held[scenario_held_count++] =
	    (struct scenario_held){ packet, to };
}

static bool
filter(struct sim *sim, uint32_t from, uint32_t to,
    const struct sim_packet *packet)
{
	(void)from;
	for (size_t i = 0; i < scenario_rule_count; i++) {
		struct scenario_rule *rule = &scenario_rules[i];
		if (!fits(sim, rule, to, packet) || !take(sim, rule))
			continue;
		uint32_t idx = (uint32_t)(packet - sim->net.packet);
		if (rule->action == SCENARIO_DROP)
			return false;
		if (rule->action == SCENARIO_DELAY) {
			sim_net_late(sim, idx, to, rule->delay_ns);
			return false;
		}
		if (rule->action == SCENARIO_HOLD ||
		    rule->action == SCENARIO_COPY) {
			hold(sim, idx, to);
			return rule->action == SCENARIO_COPY;
		}
		for (uint32_t copy = 0; copy < rule->times; copy++)
			sim_net_late(sim, idx, to, (copy + 1) * rule->delay_ns);
		return true;
	}
	return true;
}

void
scenario_rule(struct sim *sim, const struct scenario_rule *rule)
{
	ENSURE(scenario_rule_count < SCENARIO_RULES);
	scenario_rules[scenario_rule_count++] = *rule;
	sim->net.filter = filter;
}

void
scenario_rules_end(struct sim *sim)
{
	scenario_rule_count = 0;
	sim->net.filter = NULL;
}

void
scenario_release(struct sim *sim)
{
	for (size_t i = 0; i < scenario_held_count; i++) {
		const struct scenario_held *held = &scenario_held[i];
		sim_net_late(sim, held->packet, held->to, 0);
		sim_net_put(sim, held->packet);
	}
	scenario_held_count = 0;
}

uint64_t
scenario_hits(void)
{
	return scenario_hit_count;
}

/* ---- what must be ------------------------------------------------------ */

static bool
is_ring(struct sim *sim, uint64_t mask)
{
	struct totem_ring_id ring = { 0 };
	struct totem_status status;

	for (uint32_t i = 0; i < sim->opt.node_count; i++) {
		if ((mask >> i & 1) == 0)
			continue;
		if (!sim_node_is_operational(sim, &sim->node[i], &status))
			return false;
		if (ring.seq != 0 && !totem_ring_equal(ring, status.ring))
			return false;
		ring = status.ring;
		uint64_t members = 0;
		for (uint32_t j = 0; j < status.members.count; j++)
			members |= UINT64_C(1)
			    << sim_node_idx(sim, status.members.id[j]);
		if (members != mask)
			return false;
	}
	return true;
}

void
scenario_expect_ring(struct sim *sim, const char *nodes, uint64_t within_ms)
{
	uint64_t end_ns = sim->now_ns + within_ms * MS;
	uint64_t mask = mask_of(sim, nodes);

	while (!sim_has_failed(sim) && !is_ring(sim, mask)) {
		if (sim->now_ns >= end_ns) {
			sim_fail(sim, "no ring {%s} within %llu ms", nodes,
			    (unsigned long long)within_ms);
			return;
		}
		sim_run_until(sim, sim->now_ns + SCENARIO_STEP_NS);
	}
}

void
scenario_expect_calm(struct sim *sim, uint64_t span_ms)
{
	uint64_t views = sim->views;

	scenario_run_ms(sim, span_ms);
	if (sim->views != views)
		sim_fail(sim, "a view within %llu ms that should be calm",
		    (unsigned long long)span_ms);
}

void
scenario_expect_delivered(
    struct sim *sim, const char *nodes, uint64_t count, uint64_t within_ms)
{
	uint64_t end_ns = sim->now_ns + within_ms * MS;

	for (; *nodes; nodes++) {
		const struct sim_node *node =
		    scenario_node(sim, (uint32_t)(*nodes - '0'));
		while (!sim_has_failed(sim) && node->delivered < count) {
			if (sim->now_ns >= end_ns)
				sim_fail(sim,
				    "node %u got %llu of %llu messages "
				    "in %llu ms",
				    (unsigned)node->id,
				    (unsigned long long)node->delivered,
				    (unsigned long long)count,
				    (unsigned long long)within_ms);
			else
				sim_run_until(
				    sim, sim->now_ns + SCENARIO_STEP_NS);
		}
	}
}

enum totem_state
scenario_state(struct sim *sim, uint32_t id)
{
	const struct sim_node *node = scenario_node(sim, id);
	struct totem_status status;

	if (node->power == SIM_OFF)
		return TOTEM_STATE_LEFT;
	(void)sim_node_is_operational(sim, node, &status);
	return node->power == SIM_ON ? status.state : TOTEM_STATE_GATHER;
}

void
scenario_expect_state(
    struct sim *sim, uint32_t id, enum totem_state state, uint64_t within_ms)
{
	uint64_t end_ns = sim->now_ns + within_ms * MS;

	while (!sim_has_failed(sim) && scenario_state(sim, id) != state) {
		if (sim->now_ns >= end_ns || !sim_step(sim))
			sim_fail(sim, "node %u is not in %s within %llu ms",
			    (unsigned)id, totem_state_name(state),
			    (unsigned long long)within_ms);
	}
}

void
scenario_expect(struct sim *sim, bool is_true, const char *what)
{
	if (!is_true)
		sim_fail(sim, "%s", what);
}

void
scenario_end(struct sim *sim)
{
	if (sim_has_failed(sim))
		return;
	scenario_heal(sim);
	sim_run_healed(sim);
	sim_run_to_rest(sim);
}

uint64_t
scenario_count(struct sim *sim, uint32_t id, enum totem_counter counter)
{
	const struct sim_node *node = scenario_node(sim, id);

	return node->power == SIM_OFF ? 0 : totem_count(node->core, counter);
}

uint64_t
scenario_views(struct sim *sim, uint32_t id)
{
	return scenario_node(sim, id)->views;
}

/* ---- the program ------------------------------------------------------- */

static bool
is_named(char **argv, const char *name)
{
	bool is_any = true;

	for (argv++; *argv; argv++) {
		if (**argv == '-')
			continue;
		is_any = false;
		if (strcmp(*argv, name) == 0)
			return true;
	}
	return is_any;
}

static enum sim_story
story_of(char **argv)
{
	enum sim_story story = SIM_STORY_NONE;

	for (argv++; *argv; argv++) {
		if (strcmp(*argv, "--trace") == 0)
			story = SIM_STORY_EVENTS;
		else if (strcmp(*argv, "--packets") == 0)
			story = SIM_STORY_PACKETS;
	}
	return story;
}

int
scenario_main(char **argv, const struct scenario *list, size_t count)
{
	struct sim *sim = sim_create();
	unsigned passed = 0, failed = 0;

	sim->story = story_of(argv);
	for (size_t i = 0; i < count; i++) {
		if (!is_named(argv, list[i].name))
			continue;
		sim->failure[0] = '\0';
		sim_catch_run(sim, list[i].run);
		if (!sim_has_failed(sim)) {
			passed++;
			continue;
		}
		failed++;
		printf("%s failed at %llu.%06llu s: %s\n  %s --trace %s\n",
		    list[i].name,
		    (unsigned long long)(sim->now_ns / (1000 * MS)),
		    (unsigned long long)(sim->now_ns % (1000 * MS) / US),
		    sim->failure, argv[0], list[i].name);
	}
	printf("%u passed, %u failed\n", passed, failed);
	sim_destroy(sim);
	return failed == 0 && passed > 0 ? 0 : 1;
}
