/* SPDX-License-Identifier: BSD-3-Clause */
/* Random histories of nodes, rings and clients in a world of group layers. */
#ifndef RK_GROUP_CHURN_H
#define RK_GROUP_CHURN_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/base/rng.h"
#include "libcommon/base/text.h"

#include "bin/ringd/group_wire.h"
#include "tests/unit/group_world.h"

enum { GROUP_CHURN_NODES = 5, GROUP_CHURN_GROUPS = 5, GROUP_CHURN_CONNS = 4 };

/* What a client asked for last; what is submitted meanwhile means that. */
struct group_churn_ask {
	enum group_wire_kind kind;
	uint32_t node;
	uint32_t conn;
	int group; /* its number */
};

struct group_churn {
	struct group_world *world;
	struct rng rng;
	struct group_churn_ask ask;
	uint64_t failures; /* FAILED effects; the watcher counts them */
	uint32_t next_conn[GROUP_CHURN_NODES + 1];
	/* Open connections; 0: none. */
	uint32_t conns[GROUP_CHURN_NODES + 1][GROUP_CHURN_CONNS];
	/* What each wants in the end. */
	bool wants[GROUP_CHURN_NODES + 1][GROUP_CHURN_CONNS]
		  [GROUP_CHURN_GROUPS];
	bool has_scarce_room; /* cores that are full now and then */
};

/* Makes the world, with its limits; seed decides everything that follows. */
void group_churn_begin(struct group_churn *churn, uint64_t seed,
    uint32_t groups_max, uint32_t members_max);

/* One thing happens. */
void group_churn_step(struct group_churn *churn);

/* All live nodes, one at least, come together and to rest. */
void group_churn_heal(struct group_churn *churn);

/* What all want, as group_world_groups writes it. */
void group_churn_wanted(const struct group_churn *churn, struct text *out);

const char *group_churn_name(int group);

#endif
