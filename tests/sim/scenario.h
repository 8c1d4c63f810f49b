/* SPDX-License-Identifier: BSD-3-Clause */
/* Scenarios: a cluster told what befalls it, in few lines.
 *
 * Nodes are named by id, 1 to 9; a set of them is a string of digits: "123".
 * A step that cannot be made, an expectation that is not met and a predicate
 * that breaks end the scenario: every later step does nothing.
 */
#ifndef RK_SCENARIO_H
#define RK_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/sim/sim.h"

/* ---- the stage --------------------------------------------------------- */

/* A fresh world of count quick, faultless machines, all off. */
void scenario_world(struct sim *sim, uint32_t count);

/* The same, after options were changed. */
void scenario_options(struct sim_options *opt, uint32_t count);
void scenario_world_with(struct sim *sim, const struct sim_options *opt);

/* A world whose nodes have formed one ring. */
void scenario_cluster(struct sim *sim, uint32_t count);

/* Three nodes, each alone; node 3 does not say that it is there. */
void scenario_three_apart(struct sim *sim);

/* A cluster with the group layer on every node. */
void scenario_group_cluster(struct sim *sim, uint32_t count);

struct sim_node *scenario_node(struct sim *sim, uint32_t id);

/* ---- what happens ------------------------------------------------------ */

void scenario_run_ms(struct sim *sim, uint64_t span_ms);
void scenario_run_us(struct sim *sim, uint64_t span_us);
void scenario_start(struct sim *sim, const char *nodes);
void scenario_crash(struct sim *sim, const char *nodes);
void scenario_crash_proven(struct sim *sim, const char *nodes);
void scenario_pause(struct sim *sim, const char *nodes);
void scenario_resume(struct sim *sim, const char *nodes);
void scenario_leave(struct sim *sim, const char *nodes);

/* Both ways between the two sets; heal mends everything, rules too. */
void scenario_cut(struct sim *sim, const char *some, const char *others);
void scenario_cut_oneway(struct sim *sim, const char *from, const char *to);
void scenario_join(struct sim *sim, const char *some, const char *others);
void scenario_heal(struct sim *sim);

/* From each node count messages; those that find no room wait for it. */
void scenario_send(struct sim *sim, const char *nodes, uint32_t count,
    size_t len, enum totem_service service);

/* Messages by themselves, from every node, every span on average. */
void scenario_load(struct sim *sim, uint64_t every_us, uint32_t bytes);
void scenario_load_end(struct sim *sim);

/* ---- rules of the network ---------------------------------------------- */

enum scenario_action {
	SCENARIO_DROP,
	SCENARIO_DUPLICATE,
	SCENARIO_DELAY,
	SCENARIO_HOLD, /* until scenario_release */
	SCENARIO_COPY, /* passes, and a copy is held */
};

/* Zero means any; the first rule that fits a datagram is applied. */
struct scenario_rule {
	enum scenario_action action;
	uint32_t kind; /* enum totem_packet or SIM_KIND_POST */
	uint32_t from, to;
	uint32_t longer_than;
	uint32_t skip;  /* so many pass first */
	uint32_t count; /* then so many are hit; 0: all */
	uint32_t ppm;   /* 0: every one */
	uint32_t times; /* DUPLICATE: copies */
	uint64_t delay_ns;
};
void scenario_rule(struct sim *sim, const struct scenario_rule *rule);
void scenario_rules_end(struct sim *sim);

/* What was held back arrives now. */
void scenario_release(struct sim *sim);

/* How many datagrams the rules have hit. */
uint64_t scenario_hits(void);

/* ---- what must be ------------------------------------------------------ */

/* They install one ring of exactly them in time, and are operational. */
void scenario_expect_ring(
    struct sim *sim, const char *nodes, uint64_t within_ms);

/* No view anywhere for that long. */
void scenario_expect_calm(struct sim *sim, uint64_t span_ms);

/* Each of the nodes has got that many messages by then. */
void scenario_expect_delivered(
    struct sim *sim, const char *nodes, uint64_t count, uint64_t within_ms);

/* The node is in that state by then. */
void scenario_expect_state(
    struct sim *sim, uint32_t id, enum totem_state state, uint64_t within_ms);

void scenario_expect(struct sim *sim, bool is_true, const char *what);

/* Healed, one ring, all delivered, quiet: the end of every scenario. */
void scenario_end(struct sim *sim);

/* What a node counted; views counts REGULAR ones since the world began. */
uint64_t scenario_count(
    struct sim *sim, uint32_t id, enum totem_counter counter);
uint64_t scenario_views(struct sim *sim, uint32_t id);
enum totem_state scenario_state(struct sim *sim, uint32_t id);

/* ---- the program ------------------------------------------------------- */

struct scenario {
	const char *name;
	void (*run)(struct sim *sim);
};
#define SCENARIO(function)          \
	{                           \
#function, function \
	}

/*
 * Runs all, or those named; --trace and --packets tell the story.  Prints
 * each failure with the command that tells it, and "N passed, N failed".
 */
int scenario_main(char **argv, const struct scenario *list, size_t count);

#endif
