/* SPDX-License-Identifier: BSD-3-Clause */
/* What ringd reads from the configuration file: nodes, ring, rights. */
#ifndef RK_RINGD_CONF_H
#define RK_RINGD_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/base/limits.h"
#include "libcommon/os/log.h"
#include "libcommon/os/udp.h"

struct text;

enum {
	RINGD_CONF_NAME_BYTES = 64, /* of a node or cluster, with the NUL */
	RINGD_CONF_PATH_BYTES = 4096,
	RINGD_CONF_RULES = 64, /* of [acl] */
	RINGD_CONF_GLOB_BYTES = 160,
	RINGD_CONF_PORT = 5410,
};

struct ringd_conf_node {
	uint32_t id;
	uint32_t votes;
	char name[RINGD_CONF_NAME_BYTES];
	uint32_t link_count;
	union udp_addr link[LIMIT_LINKS];
	unsigned line; /* of its section */
};

enum ringd_conf_who { RINGD_CONF_ANYBODY, RINGD_CONF_USER, RINGD_CONF_GROUP };

/* One who that one line of [acl] names. */
struct ringd_conf_rule {
	uint32_t right;                   /* enum svc_right */
	char glob[RINGD_CONF_GLOB_BYTES]; /* pub: of groups */
	enum ringd_conf_who who;
	uint32_t id; /* uid or gid */
};

struct ringd_conf_ring {
	int transport; /* 0: unicast */
	uint32_t port;
	uint32_t frame_bytes;
	uint32_t window;        /* 0: adaptive from the default */
	uint64_t token_loss_ns; /* 0: adaptive */
	uint64_t heartbeat_ns;  /* 0: the default, as all below */
	uint64_t idle_hold_ns;
	uint64_t join_ns;
	uint64_t consensus_ns;
	uint64_t merge_ns;
	uint64_t message_bytes_max; /* of a client's message */
	uint64_t queue_bytes;
	uint64_t socket_buffer_bytes;
	uint32_t rt_priority; /* 0: do not ask for it */
};

struct ringd_conf {
	char cluster[RINGD_CONF_NAME_BYTES];
	char key_file[RINGD_CONF_PATH_BYTES];
	uint32_t node_count;
	uint32_t link_count;                       /* the same for all nodes */
	uint32_t self;                             /* index in nodes */
	struct ringd_conf_node nodes[LIMIT_NODES]; /* ascending ids */
	struct ringd_conf_ring ring;
	uint32_t rule_count;
	struct ringd_conf_rule rules[RINGD_CONF_RULES];
	enum log_level log_level;
};

/*
 * Reads the file.  node names this node, by name or id; NULL: the one whose
 * addresses are this machine's; "": it does not matter which.  0;
 * CONF_E_INVALID with every mistake in report; -E… when the file cannot be
 * read.  The report may hold warnings in any case.
 */
RK_MUST_CHECK int ringd_conf_read(struct ringd_conf *conf, const char *path,
    const char *node, struct text *report);

/* The index of the node that has this name or id, -1: none. */
int ringd_conf_find(const struct ringd_conf *conf, const char *name_or_id);
/* By id; the id must be configured (ENSURE). */
const struct ringd_conf_node *ringd_conf_node(
    const struct ringd_conf *conf, uint32_t id);

/* What all nodes of a ring must have in common. */
uint64_t ringd_conf_hash(const struct ringd_conf *conf);

/* ---- between the files of this module ---------------------------------- */

struct conf;

/* Where an address keeps its port, in network order. */
uint16_t *ringd_conf_port(union udp_addr *addr);

/* Completes and checks what was read. */
void ringd_conf_check(
    struct ringd_conf *conf, struct conf *file, const char *name);

#endif
