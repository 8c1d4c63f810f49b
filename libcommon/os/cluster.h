/* SPDX-License-Identifier: BSD-3-Clause */
/* What all daemons read from the one file: nodes, ring, quorum, store, rights.
 */
#ifndef RK_CLUSTER_H
#define RK_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/base/limits.h"
#include "libcommon/os/log.h"
#include "libcommon/os/udp.h"

struct conf;
struct text;

enum {
	CLUSTER_NAME_BYTES = 64, /* of a node, cluster or tag, with the NUL */
	CLUSTER_PATH_BYTES = 4096,
	CLUSTER_RULES = 64, /* of [acl] */
	CLUSTER_GLOB_BYTES = 160,
	CLUSTER_TAGS = 32, /* of a node */
	CLUSTER_TAG_TEXT_BYTES = 65536,
	CLUSTER_PORT = 5410,
};

struct cluster_node {
	uint32_t id;
	bool has_id; /* good or bad, one was given */
	uint32_t votes;
	char name[CLUSTER_NAME_BYTES];
	uint32_t link_count;
	union udp_addr link[LIMIT_LINKS];
	uint32_t tag_count;
	unsigned line; /* of its section */
};

/* A node's tag when its cluster starts. */
struct cluster_tag {
	uint32_t node; /* its id */
	const char *name;
	const char *value;
};

enum cluster_who { CLUSTER_ANYBODY, CLUSTER_USER, CLUSTER_GROUP };

/* Beside enum svc_right: of the keys that match the rule's glob. */
enum { CLUSTER_RIGHT_CFG_READ = 64, CLUSTER_RIGHT_CFG_WRITE = 128 };

/* One who that one line of [acl] names. */
struct cluster_rule {
	uint32_t right;                /* enum svc_right, or of the above */
	char glob[CLUSTER_GLOB_BYTES]; /* of groups or keys */
	enum cluster_who who;
	uint32_t id; /* uid or gid */
};

enum cluster_transport { CLUSTER_UNICAST, CLUSTER_MULTICAST };

struct cluster_ring {
	int transport; /* enum cluster_transport */
	/* Groups of the links, with ports; only for multicast. */
	union udp_addr link_mcast[LIMIT_LINKS];
	uint32_t link_ttl[LIMIT_LINKS]; /* of datagrams to these */
	uint32_t port;
	uint32_t frame_bytes;
	int link_mode;                       /* 0: passive, 1: active, 2: rr */
	uint32_t link_priority[LIMIT_LINKS]; /* the lowest first */
	uint32_t window;                     /* 0: adaptive from the default */
	int preset;                          /* 0: lan, 1: wan, 2: loaded-vm */
	uint64_t dead_after_ns;              /* 0: adaptive */
	uint64_t token_loss_ns;              /* 0: adaptive */
	uint64_t heartbeat_ns;               /* 0: the default, as all below */
	uint64_t idle_hold_ns;
	uint64_t join_ns;
	uint64_t consensus_ns;
	uint64_t merge_ns;
	uint64_t message_bytes_max; /* of a client's message */
	uint64_t queue_bytes;
	uint64_t socket_buffer_bytes;
	uint32_t rt_priority; /* 0: do not ask for it */
};

enum cluster_wait {
	CLUSTER_WAIT_NO,
	CLUSTER_WAIT_YES,    /* until all were seen once */
	CLUSTER_WAIT_ALWAYS, /* and again after each loss of quorum */
};

enum cluster_tie { CLUSTER_TIE_LOWEST, CLUSTER_TIE_HIGHEST, CLUSTER_TIE_LIST };

/* Legal, with what one setting implies for another put in. */
struct cluster_quorum {
	uint32_t expected_votes; /* of all nodes and the device, or more */
	uint32_t device_votes;   /* 0: there is no device */
	uint64_t device_timeout_ns;
	uint64_t device_sync_timeout_ns;
	uint64_t last_man_standing_window_ns;
	uint64_t lease_ns;
	uint64_t settle_ns;
	int wait_for_all; /* enum cluster_wait */
	enum cluster_tie tie;
	uint32_t tie_count;
	uint32_t tie_nodes[LIMIT_NODES]; /* CLUSTER_TIE_LIST: ids, in order */
	bool two_node;
	bool last_man_standing;
	bool auto_tie_breaker;
	bool allow_downscale;
	bool expected_votes_tracking;
	bool device_master_wins;
};

enum cluster_store_tie {
	CLUSTER_STORE_TIE_NONE,
	CLUSTER_STORE_TIE_NODE,  /* the half with the lowest id */
	CLUSTER_STORE_TIE_FENCE, /* the half whose other half is fenced */
};

/* The limits are what there is memory for. */
struct cluster_store {
	int tie;           /* enum cluster_store_tie */
	bool is_in_memory; /* acknowledged before it is on disk */
	uint32_t keys_max;
	uint64_t bytes_max; /* of keys and values */
	uint64_t value_max;
	uint32_t leases_max;
	uint64_t history_bytes; /* of versions that were replaced */
	uint32_t history_versions;
	uint64_t history_time_ns; /* 0: as long as there is room */
	uint64_t max_tail;        /* bytes that are not acknowledged yet */
};

struct cluster_conf {
	char cluster[CLUSTER_NAME_BYTES];
	char key_file[CLUSTER_PATH_BYTES];
	uint32_t node_count;
	uint32_t link_count;                    /* the same for all nodes */
	uint32_t self;                          /* index in nodes */
	struct cluster_node nodes[LIMIT_NODES]; /* ascending ids */
	struct cluster_ring ring;
	struct cluster_quorum quorum;
	struct cluster_store store;
	uint32_t rule_count;
	struct cluster_rule rules[CLUSTER_RULES];
	enum log_level log_level;
	uint32_t tag_count;
	struct cluster_tag tags[LIMIT_NODES * CLUSTER_TAGS]; /* as written */
	size_t tag_text_len;
	char tag_text[CLUSTER_TAG_TEXT_BYTES];
};

/* More mistakes of what was read, by conf_fail_at. */
typedef void cluster_check_fn(
    struct conf *file, const struct cluster_conf *conf);

struct cluster_source {
	const char *path;
	/* This node, by name or id; NULL: the one whose addresses are this
	 * machine's; "": it does not matter which. */
	const char *node;
	cluster_check_fn *check; /* NULL: none */
};

/*
 * Reads the file.  0; CONF_E_INVALID with every mistake in report; -E… when
 * the file cannot be read.  The report may hold warnings in any case.  conf
 * is not to be moved afterwards.
 */
RK_MUST_CHECK int cluster_read(struct cluster_conf *conf,
    const struct cluster_source *source, struct text *report);

/* The index of the node that has this name or id, -1: none. */
int cluster_find(const struct cluster_conf *conf, const char *name_or_id);
/* By id; the id must be configured (ENSURE). */
const struct cluster_node *cluster_node(
    const struct cluster_conf *conf, uint32_t id);

/* ---- cluster_compare.c: one configuration and the next ------------------- */

enum cluster_difference_kind {
	CLUSTER_SETTING_CHANGED,
	CLUSTER_LINKS_CHANGED, /* how many links there are */
	CLUSTER_NODE_ADDED,
	CLUSTER_NODE_REMOVED,
	CLUSTER_NODE_RENAMED,
	CLUSTER_NODE_MOVED, /* the address or port of a link */
	CLUSTER_NODE_VOTES,
	CLUSTER_NODE_TAGS,
};

struct cluster_difference {
	enum cluster_difference_kind kind;
	/* It can be changed while daemons run; of links, of a member's address,
	 * and of a member that is removed, only they know. */
	bool is_live;
	const char *setting; /* SETTING: "[ring] token" */
	/* NODE: as it was, as it is to be; NULL: it is not there. */
	const struct cluster_node *before, *after;
};
typedef void cluster_compare_fn(
    void *arg, const struct cluster_difference *difference);

/*
 * Calls fn (NULL: nobody) for all that differs between two configurations that
 * were read, effective values, not words.  How much that is.
 */
uint32_t cluster_compare(const struct cluster_conf *before,
    const struct cluster_conf *after, cluster_compare_fn *fn, void *arg);

/* "[ring] token", "[node delta] added" */
void cluster_difference_put(
    const struct cluster_difference *difference, struct text *out);

/*
 * Of what all nodes must have in common: everything but key_file, [acl] and
 * [log].  The same on every machine, for one version of this program.
 */
uint64_t cluster_digest(const struct cluster_conf *conf);

/* 1 to 63 of a-z 0-9 . _ -: the name of a tag. */
bool cluster_is_tag_name(const char *name);

#endif
