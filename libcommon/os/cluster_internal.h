/* SPDX-License-Identifier: BSD-3-Clause */
/* Between the files of cluster: what is known while the file is read. */
#ifndef RK_CLUSTER_INTERNAL_H
#define RK_CLUSTER_INTERNAL_H

#include "libcommon/os/cluster.h"
#include "libcommon/os/conf.h"

enum cluster_section {
	CLUSTER_SECTION_NONE, /* one that is not ours, or was refused */
	CLUSTER_SECTION_CLUSTER,
	CLUSTER_SECTION_NODE,
	CLUSTER_SECTION_RING,
	CLUSTER_SECTION_QUORUM,
	CLUSTER_SECTION_STORE,
	CLUSTER_SECTION_ACL,
	CLUSTER_SECTION_LOG,
};

enum { CLUSTER_QUORUM_KEYS = 15 };

/* [quorum] as it is written, before it is checked as a whole. */
struct cluster_quorum_text {
	struct cluster_quorum values;
	char tie_list[CONF_LINE_BYTES];
	unsigned line[CLUSTER_QUORUM_KEYS]; /* 0: not given */
};

/* [store] as it is written. */
struct cluster_store_text {
	struct cluster_store values;
	int durability;
	unsigned line; /* of the section; 0: there is none */
};

struct cluster_reading {
	struct cluster_conf *conf;
	enum cluster_section section;
	unsigned errors; /* before this section */
	uint32_t flawed; /* a bit for each section that has some */
	struct conf_table cluster, ring, log, node, quorum, store;
	struct cluster_node *at; /* the node at hand */
	struct cluster_quorum_text quorum_text;
	struct cluster_store_text store_text;
	unsigned mcast_line[LIMIT_LINKS]; /* of linkN_mcast; 0: not given */
};

/* Where an address keeps its port, in network order. */
uint16_t *cluster_port(union udp_addr *addr);

/*
 * An address, with port 0 when it names none: [ring] port may stand further
 * down.
 */
bool cluster_parse_address(union udp_addr *addr, const char *value);

/* Is the key "linkN_mcast", whatever N is?  Then its value; all of them. */
bool cluster_mcast_is(const char *key);
void cluster_mcast_set(struct conf *file, struct cluster_reading *reading,
    const char *key, const char *value);
void cluster_mcast_check(struct conf *file, struct cluster_reading *reading);

/* [quorum]: the defaults, one value, all of it when the nodes are known. */
void cluster_quorum_begin(struct cluster_reading *reading);
void cluster_quorum_set(struct conf *file, struct cluster_reading *reading,
    const char *key, const char *value);
void cluster_quorum_check(struct conf *file, struct cluster_reading *reading);

/* [store]: the defaults, the whole. */
void cluster_store_begin(struct cluster_reading *reading);
void cluster_store_check(struct conf *file, struct cluster_reading *reading);

/* One "tag.NAME = VALUE" of the node at hand. */
void cluster_tag_add(struct conf *file, struct cluster_reading *reading,
    const char *key, const char *value);

/* All that was written of the nodes is known. */
bool cluster_knows_nodes(const struct cluster_reading *reading);

/* Completes and checks what was read, all but [quorum] and [store]. */
void cluster_check(struct conf *file, struct cluster_reading *reading);

/* Which of the nodes is this one: by source->node. */
void cluster_find_self(
    struct conf *file, struct cluster_conf *conf, const char *name);

#endif
