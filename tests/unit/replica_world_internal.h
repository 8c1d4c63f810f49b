/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the world of replicas share. */
#ifndef RK_REPLICA_WORLD_INTERNAL_H
#define RK_REPLICA_WORLD_INTERNAL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/base/rng.h"

#include "bin/cfgstored/replica.h"
#include "tests/check/lincheck.h"
#include "tests/unit/replica_world.h"

enum {
	RINGS_MAX = 512,
	LENT_BYTES = 4 << 20,
	LARGE_BYTES = 256 << 10,
	INDEXES_MAX = 1 << 14,
	OPS_MAX = 1 << 13,
	EPOCHS_MAX = 1 << 12,
	LEASES_MAX = 256,
	WATCHERS = 3,
	CONTENDERS = 2,
};

/* Keys are 'k' and one of these. */
enum world_key {
	WORLD_KEYS = 6,
	WORLD_KEY_RENEWED = WORLD_KEYS, /* put with each renewal */
	WORLD_KEY_LOCK,
	WORLD_KEYS_ALL
};

struct world_message {
	struct world_message *next;
	uint32_t sender;
	struct parse_view view;
	uint8_t *bytes;
	size_t len;
};

struct world_entry {
	bool is_group;
	struct kv_nodes group;
	uint32_t sender;
	uint8_t *bytes;
	size_t len;
};

struct world_ring {
	struct parse_view view;
	struct kv_nodes members;
	uint64_t inc[REPLICA_WORLD_NODES];
	struct world_entry *entry;
	size_t count, size;
	bool has_exchange; /* first of all */
	uint32_t lone;     /* who ordered more when the others had left */
};

struct world_node {
	uint32_t id;
	bool is_up;
	bool is_sick; /* its disk was lost, and is not yet as it was */
	uint64_t inc, run;
	uint64_t skew_ns;
	struct replica *replica;
	void *memory;
	struct replica_disk *disk;
	bool is_room_due, is_lent_due, is_reload_due;
	uint8_t *lent;
	size_t lent_len, lent_at;

	unsigned ring;
	size_t pos; /* entries delivered */
	struct kv_nodes group;
	size_t group_at;
	struct world_message *out_first, *out_last;
	bool is_leaving;
	size_t last, regular; /* of the old ring, what is known and counts */
	size_t certain;       /* up to here somebody who goes along has it */
	uint64_t salt;        /* says what of the rest this side never got */
	unsigned next_ring, from;

	uint64_t applied;   /* that was looked at */
	struct kv_tip held; /* the end of its log, in memory or on disk */
	struct kv_epoch opened;
	/* An ELECT without its CUT: all before this index; 0: there is none. */
	uint64_t electing;
	struct kv_epoch elect_epoch;
	struct kv_electorates elect;
};

enum world_op_kind {
	WORLD_WRITE,
	WORLD_READ,
	WORLD_RENEW,
	WORLD_RELEASE,
	WORLD_ADMIN
};

enum world_if { WORLD_IF_NOTHING, WORLD_IF_REV, WORLD_IF_VALUE };

/* What a WRITE does, and a RENEW beside renewing. */
struct world_wish {
	uint8_t key;
	uint8_t other; /* put, too, with the same value; or key */
	bool is_deletion;
	enum world_if condition;
	uint8_t if_key;
	uint64_t if_rev;   /* 0: absent */
	uint32_t if_value; /* number of an op */
	uint64_t token;    /* under the lock; 0: not */
};

/* What a client asked for; its cookie is its place, from 1. */
struct world_op {
	enum world_op_kind kind;
	struct world_wish wish;
	unsigned contender; /* whose it is, from 1; 0: of none */
	bool is_in_memory;
	bool is_told; /* to the history */
	uint64_t begin_stamp;
	uint64_t begin_clock_ns; /* of its node */
	uint32_t node;
	bool is_open;       /* not yet answered */
	bool is_refused;    /* then it must not be done, ever */
	bool is_done;       /* it was applied */
	bool is_durable;    /* it was acknowledged, and not as held in memory */
	struct kv_tip tip;  /* of the record that it was done by */
	struct kv_tip seen; /* of the state that it was answered from */
	uint64_t rev;       /* that it was told */
	size_t said;        /* its place in the history, from 1; 0: none */
	uint64_t begin_ns;
	uint64_t rev_before; /* the highest that anybody had been told */
	uint64_t lease;
	uint64_t ttl_ns;
};

/* A record that was applied, and the state behind it. */
struct world_index {
	bool is_known;
	struct kv_tip tip;
	uint32_t sum;
	uint64_t rev;
	bool has_digest;
	uint32_t digest;
};

/* An epoch that was opened, and whose log it goes on from. */
struct world_epoch {
	struct kv_epoch id;
	struct kv_tip base;
};

struct world_lease {
	uint64_t id;
	uint64_t ttl_ns;
	uint64_t until_ns; /* its holder counts on it */
};

/* Reads on from what it was told last, at one node or another. */
struct world_watcher {
	size_t number; /* lincheck's */
	unsigned node; /* by place */
	bool has_begun;
	uint64_t rev;
};

/* Wants the lock, and writes under it while it has it. */
struct world_contender {
	unsigned node;  /* by place */
	size_t asked;   /* its op that is not answered, from 1; 0: none */
	uint64_t token; /* 0: it does not hold the lock */
	uint64_t ttl_ns;
	uint64_t until_ns; /* on its node's clock */
	uint64_t begin_stamp, seen_stamp;
};

struct replica_world_state {
	struct replica_world rules;
	struct replica_world_tally *tally;
	struct rng rng;
	/* How a node takes an input. */
	void (*step)(struct world_node *n, struct replica_input *in);
	char failure[256];
	unsigned step_no;
	uint64_t now_ns;
	unsigned window_bytes;
	unsigned calm;        /* the more, the fewer faults */
	uint64_t tally_begin; /* of oks */
	uint32_t id[REPLICA_WORLD_NODES];
	uint32_t votes[REPLICA_WORLD_NODES];
	struct world_node node[REPLICA_WORLD_NODES];
	struct world_ring ring[RINGS_MAX];
	unsigned ring_count;

	struct world_index *index;
	struct world_op *op;
	size_t op_count;
	uint64_t rev_told;
	struct world_lease lease[LEASES_MAX];
	size_t lease_count;

	struct world_epoch *epoch; /* ids ascend */
	size_t epoch_count;

	struct lincheck *history;
	uint64_t stamp;
	uint64_t scanned; /* up to there we know what the store deleted */
	bool is_blind;    /* some of that is not known */
	struct world_watcher watcher[WATCHERS];
	struct world_contender contender[CONTENDERS];
};

extern struct replica_world_state replica_w;

void replica_world_fail(const char *format, ...) RK_PRINTF(1, 2);
void replica_world_tell(const char *format, ...) RK_PRINTF(1, 2);
unsigned replica_world_draw(unsigned bound);

/* ---- replica_world_node.c ---------------------------------------------- */

/* NULL: there is no such node. */
struct world_node *replica_world_find(uint32_t id);
/* A replica begins with what is on disk. */
void replica_world_make(struct world_node *n);
/* Takes an input, and carries out what comes of it. */
void replica_world_step(struct world_node *n, struct replica_input *in);
/* Carries out an effect that is not a PUBLISH. */
void replica_world_effect(
    struct world_node *n, const struct replica_effect *effect);
/* What the node has to be told because of it; false: nothing. */
bool replica_world_due(struct world_node *n, struct replica_input *in);
/* Rule 1: its log has a CUT now; was that in time? */
void replica_world_look_at_cut(struct world_node *n);
/* More than half of the votes stay with disks that have all. */
bool replica_world_may_lose(const struct world_node *n);
/* What it published and was not ordered is gone. */
void replica_world_drop_out(struct world_node *n);

/* ---- replica_world_history.c ------------------------------------------- */

/* A moment of its own. */
uint64_t replica_world_stamp(void);
/* An op was answered; with what is answered. */
void replica_world_note_op(struct world_op *op, const struct world_node *n,
    const struct replica_effect *effect);
/* Something was applied: what the store itself deleted by it. */
void replica_world_note_applied(const struct kv *kv);
uint32_t replica_world_note_key(uint8_t key);
uint32_t replica_world_note_value(uint32_t op);
/* The key and op of a version; false: it is none of ours. */
bool replica_world_read(const struct kv *kv, const struct kv_version *version,
    uint8_t *key, uint32_t *op);
/* What everybody saw can be. */
void replica_world_judge(void);

/* ---- replica_world_lost.c ---------------------------------------------- */

/* What this node holds, and whether it saw an epoch open without that. */
void replica_world_lost_look(struct world_node *n);
/* The record is in no log that an epoch since then goes on from. */
bool replica_world_is_lost(const struct kv_tip *tip);
/* An op was answered by this node, from its state. */
void replica_world_lost_answered(
    struct world_op *op, const struct world_node *n, uint64_t rev);
/* What was acknowledged as durable is there. */
void replica_world_lost_end(void);

/* ---- replica_world_watch.c --------------------------------------------- */

/* One of the watchers hears more, or goes elsewhere. */
void replica_world_watch(void);
/* Each hears all there is. */
void replica_world_watch_all(void);

/* ---- replica_world_lock.c ---------------------------------------------- */

/* A contender that is at this node, or free to come, does the next thing. */
void replica_world_contend(struct world_node *n);
/* Its clock may have gone past what it counts on. */
void replica_world_lock_look(void);
void replica_world_lock_answered(
    const struct world_op *op, enum replica_code code, uint64_t rev);
void replica_world_lock_lost(const struct world_node *n);
void replica_world_lock_end(void);

/* ---- replica_world_clients.c ------------------------------------------- */

/* A client of this node asks for something. */
void replica_world_ask(struct world_node *n);
/* The next op, to be filled in; NULL: there were enough. */
struct world_op *replica_world_op(
    struct world_node *n, enum world_op_kind kind);
/* Asks for what the last op is, filled in. */
void replica_world_propose(struct world_node *n, struct world_op *op);
void replica_world_answered(
    struct world_node *n, const struct replica_effect *effect);
/* What was applied there since the last look. */
void replica_world_look(struct world_node *n);
/* All who wait at this node get no answer. */
void replica_world_lost(struct world_node *n);
/* All have applied as much. */
bool replica_world_is_even(void);
void replica_world_end(void);
void replica_world_forget(void);

#endif
