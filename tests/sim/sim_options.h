/* SPDX-License-Identifier: BSD-3-Clause */
/* What makes one run differ from another, all of it drawn from a seed. */
#ifndef RK_SIM_OPTIONS_H
#define RK_SIM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "bin/ringd/totem.h"

/* What can happen to a running cluster. */
enum sim_fault {
	SIM_FAULT_PARTITION,  /* two sides do not hear each other */
	SIM_FAULT_CUT_PAIR,   /* two nodes do not */
	SIM_FAULT_CUT_ONEWAY, /* one node does not hear another */
	SIM_FAULT_LOSS,       /* heavy loss on one direction of a pair */
	SIM_FAULT_KIND_LOSS,  /* packets of some kinds get lost */
	SIM_FAULT_KIND_DELAY, /* packets of one kind are slow */
	SIM_FAULT_MTU,        /* large packets of a pair vanish */
	SIM_FAULT_CRASH,
	SIM_FAULT_CRASH_MID, /* crash between two effects of one step */
	SIM_FAULT_PAUSE,
	SIM_FAULT_LEAVE,
	SIM_FAULT_VERDICT, /* suspicion of a node that may be well */
	SIM_FAULTS
};

/* Of quorum; see bin/quorumd/quorum.h. */
struct sim_rules {
	uint32_t votes[LIMIT_NODES];
	int wait_for_all; /* enum quorum_wait */
	int tie;          /* enum quorum_tie */
	bool is_last_man, is_tracking;
	bool has_requests; /* of operators: votes change */
	uint64_t last_man_ns;
};

struct sim_options {
	uint64_t seed;
	uint32_t node_count;
	struct totem_config config; /* self is set for each node */

	/* Network, each direction of each pair. */
	uint64_t delay_ns;  /* least */
	uint64_t jitter_ns; /* mean of what is added */
	uint64_t tail_ns;   /* mean of what a few packets wait more */
	uint32_t tail_ppm;
	uint32_t loss_ppm, dup_ppm, reorder_ppm;
	uint64_t bandwidth;   /* bytes a second of a node; 0: no bound */
	uint64_t wire_bytes;  /* a sender's queue before the wire */
	uint32_t socket_max;  /* datagrams a receiver queues */
	uint32_t corrupt_ppm; /* detected by the session: lost */

	/* Machines. */
	uint64_t cpu_ns;        /* one packet */
	uint64_t late_ns;       /* mean lateness of a timer */
	uint32_t clock_ppm;     /* largest error of a clock's rate */
	uint64_t persist_ns;    /* mean time to make durable */
	uint64_t restart_ns;    /* mean time a crashed node is down */
	uint32_t proof_ppm;     /* crashes that get proven */
	uint32_t disk_lost_ppm; /* restarts that find no disk */
	uint32_t reserve;       /* ring numbers reserved at a start */

	/* Faults: mean time between two of a kind, 0 for never. */
	uint64_t every_ns[SIM_FAULTS];
	uint64_t lasts_ns[SIM_FAULTS]; /* mean */
	uint32_t start_skew_ns;

	/* Load. */
	uint64_t burst_every_ns; /* mean, of each node; 0: no load */
	uint32_t burst_messages;
	uint32_t message_bytes; /* mostly up to here */
	uint32_t large_ppm;     /* messages up to message_bytes_max */
	uint32_t safe_ppm;
	uint32_t if_view_ppm;
	uint32_t worst_ppm; /* packets met by a submit just before */

	uint64_t chaos_ns;  /* length of the first phase */
	bool has_groups;    /* the group layer owns the gate */
	bool has_stack;     /* memberd and quorumd on it */
	bool has_store;     /* and cfgstored */
	bool has_elections; /* whose votes change */
	int store_tie;      /* enum kv_tie */
	bool has_veto;      /* quorumd forbids */
	bool is_in_memory;  /* durability = memory; then no disk forgets */
	bool has_full;      /* disks are full for a while */
	bool has_broken;    /* or fail; and cfgstored alone is killed */
	struct sim_rules rules;
	uint32_t check_every;
};

/* A well-behaved cluster of that many nodes with ids 1, 2, … */
void sim_options_default(struct sim_options *opt, uint32_t node_count);

/* Everything drawn from the seed. */
void sim_options_draw(struct sim_options *opt, uint64_t seed);

/* Prints one line an option group, for the head of a story. */
void sim_options_print(const struct sim_options *opt);

#endif
