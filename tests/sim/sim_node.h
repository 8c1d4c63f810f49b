/* SPDX-License-Identifier: BSD-3-Clause */
/* One simulated machine: a core, the shell around it, a disk and a clock. */
#ifndef RK_SIM_NODE_H
#define RK_SIM_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/limits.h"

#include "bin/ringd/totem.h"
#include "tests/sim/sim_app.h"
#include "tests/sim/sim_load.h"

struct sim;

enum sim_power {
	SIM_OFF,
	SIM_ON,
	SIM_PAUSED, /* SIGSTOP: sockets fill, nothing runs */
};

/* What survives a crash. */
struct sim_disk {
	bool is_lost; /* nothing does */
	uint64_t ring_seq;
	uint64_t incarnation;
	struct sim_stack_disk stack;
};

enum { SIM_SOCKET_MAX = 4096 };

struct sim_node {
	uint32_t idx, id;
	enum sim_power power;
	bool is_leaving, has_left;
	struct totem *core;
	struct sim_app app;
	struct sim_load load;
	struct arena arena;
	void *memory;
	size_t memory_bytes;

	struct sim_disk disk;
	uint64_t incarnation;
	uint64_t incarnation_max;    /* of all starts */
	uint64_t life;               /* grows at every start and stop */
	uint64_t heard[LIMIT_NODES]; /* newest incarnation, by index */
	uint64_t started_ns, persist_busy_ns, leave_ns;

	/* local = local_base + (true - true_base) * rate / 2^20 */
	uint64_t rate, true_base_ns, local_base_ns;

	uint64_t timer_at_ns, timer_gen; /* the armed event */
	uint64_t busy_until_ns, wake_gen;
	bool is_waking;

	uint32_t socket[SIM_SOCKET_MAX]; /* packets not read yet */
	uint32_t socket_head, socket_count;

	bool has_sent_token; /* in this step */
	uint32_t crash_in;   /* datagrams until the crash, 0 for never */
	uint64_t steps, delivered, views; /* REGULAR ones; since the reset */
};

/* Power on with a fresh core; the disk decides what it remembers. */
void sim_node_start(struct sim *sim, struct sim_node *node);

/* What was not sent yet is never sent.  is_proven: the others are told. */
void sim_node_crash(struct sim *sim, struct sim_node *node, bool is_proven);

void sim_node_pause(struct sim *sim, struct sim_node *node);
void sim_node_resume(struct sim *sim, struct sim_node *node);
void sim_node_leave(struct sim *sim, struct sim_node *node);

/* One input; its time is the node's clock.  Runs all that follows from it. */
void sim_node_input(
    struct sim *sim, struct sim_node *node, struct totem_input *in);

/* Carries on what the layers above the core want of it. */
void sim_node_settle(struct sim *sim, struct sim_node *node);

/* The loop has come round: IDLE, if nothing waits in the socket. */
void sim_node_idle(struct sim *sim, struct sim_node *node);

/* Events of the agenda. */
void sim_node_on_arrive(
    struct sim *sim, struct sim_node *node, uint32_t packet);
void sim_node_on_wake(struct sim *sim, struct sim_node *node, uint64_t gen);
void sim_node_on_timer(struct sim *sim, struct sim_node *node, uint64_t gen);
void sim_node_on_verdict(struct sim *sim, struct sim_node *node, uint32_t about,
    enum totem_verdict verdict, uint64_t incarnation);

/* What the node's own clock shows. */
uint64_t sim_node_clock_ns(const struct sim *sim, const struct sim_node *node);

/* The installed view; seq 0 while there is none. */
bool sim_node_is_operational(const struct sim *sim, const struct sim_node *node,
    struct totem_status *out);

#endif
