/* SPDX-License-Identifier: BSD-3-Clause */
/* A cluster in one process: production cores over a faulty world.
 *
 * A run is a pure function of struct sim_options and the calls made: no
 * clock, no thread, no I/O but printing.  Nodes are named by index, 0 to
 * node_count - 1, in these interfaces; the story and the cores use ids.
 */
#ifndef RK_SIM_H
#define RK_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/base/rng.h"

#include "bin/ringd/totem.h"
#include "tests/sim/sim_heap.h"
#include "tests/sim/sim_net.h"
#include "tests/sim/sim_node.h"
#include "tests/sim/sim_options.h"

enum sim_event_kind {
	SIM_EVENT_ARRIVE,    /* a: packet */
	SIM_EVENT_WAKE,      /* a: generation */
	SIM_EVENT_TIMER,     /* a: generation */
	SIM_EVENT_PERSISTED, /* a: ring_seq, b: life */
	SIM_EVENT_LOAD,      /* a: life */
	SIM_EVENT_START,     /* a: life */
	SIM_EVENT_RESUME,    /* a: life */
	SIM_EVENT_VERDICT,   /* a: node << 8 | verdict, b: incarnation */
	SIM_EVENT_FAULT,     /* a: enum sim_fault, b: epoch */
	SIM_EVENT_FAULT_END, /* a: what to undo, b: epoch */
	SIM_EVENT_CALL,      /* a: index of a scenario's step */
	SIM_EVENT_STORE,     /* a: life */
};

enum sim_story {
	SIM_STORY_NONE,
	SIM_STORY_EVENTS, /* faults, views, deliveries, the cores' traces */
	SIM_STORY_PACKETS /* every datagram too */
};

enum { SIM_FAILURE_BYTES = 400 };

struct sim_watch;

struct sim {
	struct sim_options opt;
	struct rng rng;
	uint64_t now_ns;
	uint64_t events;     /* handled */
	uint64_t events_max; /* more is a livelock */
	struct sim_heap heap;
	struct sim_net net;
	struct sim_node node[LIMIT_NODES];
	struct sim_watch *watch;

	uint32_t check_every; /* totem_check after every step */
	bool is_hashing;      /* all outputs go into hash */
	bool is_tracing;      /* cores narrate even when nobody listens */
	bool is_load_on;      /* clients submit by themselves */
	bool is_proof_given;  /* a crash is proven to the others */
	enum sim_story story;
	uint64_t hash;
	uint64_t epoch; /* faults of an older one are over */

	/* A scenario's own events. */
	void (*call)(struct sim *sim, uint64_t what);

	bool has_requests;               /* an operator asked for other votes */
	char failure[SIM_FAILURE_BYTES]; /* empty while all is well */
	uint64_t steps, submitted, delivered, views;
};

/* Takes memory on first use and keeps it over runs; never fails. */
struct sim *sim_create(void);
void sim_destroy(struct sim *sim);

/* A new world at time 0 with all nodes off. */
void sim_reset(struct sim *sim, const struct sim_options *opt);

/* Handles one event; false when none is left or the run has failed. */
bool sim_step(struct sim *sim);

/* Runs until then, or until the run has failed. */
void sim_run_until(struct sim *sim, uint64_t time_ns);

void sim_push(struct sim *sim, struct sim_event event);

/* Ends the run as failed; the first failure counts. */
void sim_fail(struct sim *sim, const char *format, ...) RK_PRINTF(2, 3);
bool sim_has_failed(const struct sim *sim);

/* One line of the story, when told at that level. */
void sim_tell(struct sim *sim, const struct sim_node *node, const char *format,
    ...) RK_PRINTF(3, 4);

/* Folds bytes into the run's hash. */
void sim_hash(struct sim *sim, const void *bytes, size_t len);

/* Now and then: the invariants of a whole state are costly to walk. */
bool sim_is_check_due(struct sim *sim);

uint32_t sim_node_idx(const struct sim *sim, uint32_t id);

#endif
