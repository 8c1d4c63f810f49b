/* SPDX-License-Identifier: BSD-3-Clause */
/* One copy of the store, as a value: which part of ringd's order counts.
 *
 * Pure: no system call, no clock, no allocation after replica_create.  The
 * shell feeds inputs and after EVERY input pulls effects until replica_next
 * answers false; then it asks replica_deadline_ns.  DESIGN.md tells the rules
 * and why they hold.
 *
 * The shell owes the core:
 *  - one stream of ringd's: views, and of the group ringkit/cfg its members
 *    and messages, in their order and with their phase.  Only messages of
 *    members of the group (by connection) are given in;
 *  - PUBLISH: into that group, agreed, with if_view, in this order, without
 *    waiting for the answers;
 *  - what is for the disk (FOUND to SAVE) is taken in this order.  APPENDs
 *    never have more bytes together than the last ROOM said; what
 *    cfgstored_disk refuses all the same for now waits in the shell, in order.
 *    ROOM is given in when the effects of a step were carried out, if there
 *    were any for the disk, and whenever it may have grown;
 *  - an incarnation of ringd and a replica end together: after LOST there may
 *    come a VIEW of the same incarnation only, else a new replica is made;
 *  - each new replica has a run of its own: it numbers its commands from 1,
 *    and the state does what a number asks for once in each run.
 */
#ifndef RK_REPLICA_H
#define RK_REPLICA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/base/limits.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/siphash.h"

#include "bin/cfgstored/kv.h"
#include "bin/cfgstored/kv_log.h"
#include "bin/cfgstored/kv_rules.h"

struct arena;
struct text;
struct replica;

enum {
	REPLICA_WORDS_BYTES_MAX = 8192,     /* of SAVE */
	REPLICA_CHUNK_BYTES_MAX = 48 << 10, /* of LENT */
	REPLICA_PENDING_MAX = 4096,         /* requests not yet answered */
	REPLICA_TEXT_BYTES = 256,
	/* What a PUBLISH has beside one command, at most. */
	REPLICA_HEAD_BYTES_MAX = 256,
};

struct replica_config {
	uint32_t self;
	size_t node_count;
	struct kv_voter node[LIMIT_NODES]; /* that have votes; ids ascend */
	size_t voteless_count; /* of other nodes that may be in the group */
	enum kv_tie tie;
	/* Above that of every replica of this node before, over its life. */
	uint64_t run;
	/* A random number, for the name of a store that is founded here. */
	uint64_t seed;
	struct kv_config kv;
	struct siphash_key kv_secret; /* random, and told to nobody */
	/* Of one PUBLISH: ringd's message_bytes_max. */
	size_t message_bytes_max;
	uint64_t tail_bytes; /* not acknowledged, before writes are busy */
	/* Of records kept in memory; 0: what is surely enough for the tail and
	   for what all nodes may have under way beside it. */
	uint64_t window_bytes;
	uint64_t queue_bytes;    /* of commands not yet answered */
	uint64_t snapshot_bytes; /* of records since the last, at least */
	uint64_t silence_ns;     /* of a member, before others go on */
};

/* No nodes; every number as DESIGN.md says. */
void replica_config_init(struct replica_config *cfg);

/* ---- inputs ------------------------------------------------------------ */

enum replica_input_kind {
	REPLICA_IN_VIEW,         /* a regular view */
	REPLICA_IN_TRANSITIONAL, /* its regular phase is over */
	REPLICA_IN_GROUP,        /* whose cfgstored is in the group now */
	REPLICA_IN_MESSAGE,      /* of the group */
	REPLICA_IN_LOST,         /* ringd's stream broke off */
	REPLICA_IN_TIME,         /* the deadline was reached */
	REPLICA_IN_QUORUM,       /* quorumd's verdict; it can only forbid */
	REPLICA_IN_FENCED,       /* of memberd: this incarnation is off */
	/* Of the disk. */
	REPLICA_IN_SYNCED,  /* all of the log up to tip would survive */
	REPLICA_IN_SAVED,   /* the snapshot at tip */
	REPLICA_IN_UNSAVED, /* it failed */
	REPLICA_IN_ROOM,    /* so many bytes of records may be given now */
	REPLICA_IN_FULL,    /* what was given waits for space */
	REPLICA_IN_SPACE,   /* and has it now */
	REPLICA_IN_FAILED,  /* for good: until a new start */
	/* What LEND_NEXT asked for; len 0: that was all. */
	REPLICA_IN_LENT,
	/* Requests; each is answered by one ANSWER. */
	REPLICA_IN_PROPOSE, /* a command */
	REPLICA_IN_READ,    /* then the state has all that was acknowledged */
	REPLICA_IN_ADMIN,
	REPLICA_IN_CANCEL, /* nobody waits for it: no ANSWER, done or not */
	REPLICA_INPUTS
};

enum replica_durability {
	REPLICA_ON_DISK,   /* as rule 4 says */
	REPLICA_IN_MEMORY, /* the same, with held instead of fsynced */
};

enum replica_admin {
	REPLICA_ADMIN_INIT,   /* open without what rule 2 asks; node: 0 */
	REPLICA_ADMIN_SHRINK, /* who is not here votes no longer */
	REPLICA_ADMIN_FORGET, /* node votes no longer */
	REPLICA_ADMIN_LEAVE,  /* this node, which is about to end */
	/*
	 * node has votes of them (at least 1) from now on, until it is taken
	 * away; more than before only if its log is complete.
	 */
	REPLICA_ADMIN_VOTES,
};

/* What a client calls its request, for ever; all 0: nothing. */
struct replica_request_id {
	uint64_t word[2];
};

struct replica_input {
	enum replica_input_kind kind;
	uint64_t now_ns;
	uint64_t cookie; /* of requests: comes back with the ANSWER; not 0 */
	uint64_t deadline_ns; /* of requests: then they are answered anyhow */
	/* Another input comes before anything is waited for: what is to be
	   published gathers until one comes that has this not. */
	bool is_more;
	union {
		struct {
			struct parse_view id;
			const uint32_t *member; /* with this node; any order */
			const uint64_t *inc;    /* of each */
			size_t member_count;
		} view;
		/*
		 * Also what is known when the stream begins, with pos.view
		 * the view, seq and idx 0.  What changes between
		 * TRANSITIONAL and VIEW is told behind VIEW.
		 */
		struct {
			const uint32_t *node; /* all of them */
			size_t node_count;
			struct parse_pos pos;
		} group;
		struct {
			uint32_t sender; /* its node */
			struct parse_pos pos;
			bool is_transitional; /* phase=transitional */
			const void *bytes;
			size_t len;
		} message;
		bool is_permitted; /* QUORUM */
		struct {
			uint32_t node;
			uint64_t inc;
		} fenced;
		struct kv_tip tip; /* SYNCED, SAVED, UNSAVED */
		uint64_t room;     /* as cfgstored_disk_room */
		struct {
			const void *bytes; /* REPLICA_CHUNK_BYTES_MAX */
			size_t len;
		} lent;
		struct {
			struct replica_request_id id;
			enum replica_durability durability;
			const void *bytes; /* a command (kv_command.h) */
			size_t len;
		} propose;
		struct {
			enum replica_admin what;
			uint32_t node;
			uint32_t votes;
		} admin;
	};
};

/* ---- effects ----------------------------------------------------------- */

enum replica_effect_kind {
	REPLICA_OUT_PUBLISH, /* refused for its view: no matter */
	/* For the disk, as cfgstored_disk_… has them. */
	REPLICA_OUT_FOUND,  /* found_empty */
	REPLICA_OUT_APPEND, /* append; durable soon, at once if awaited */
	REPLICA_OUT_BEGIN,  /* begin: takes over a log */
	REPLICA_OUT_END,
	REPLICA_OUT_ABORT,
	REPLICA_OUT_SAVE, /* save: the state as it is now, with words */
	/* For another node: the state as it is now, in chunks. */
	REPLICA_OUT_LEND,      /* a frozen copy; the next LEND replaces it */
	REPLICA_OUT_LEND_NEXT, /* answered by one LENT */
	REPLICA_OUT_LEND_END,
	/* For clients. */
	REPLICA_OUT_ANSWER,
	REPLICA_OUT_REV, /* the state has this revision now */
	REPLICA_OUT_STATE,
	REPLICA_OUT_LOG, /* for a person */
	/*
	 * What is in memory is of no more use: the shell makes a new replica
	 * of what is on disk, as at a start, leaves the group and joins it
	 * anew.  All requests have been answered.  (Not so when the shell
	 * makes one by itself, for another incarnation of ringd: after LOST
	 * those are left that were sent.)
	 */
	REPLICA_OUT_RELOAD,
	REPLICA_EFFECTS
};

enum replica_code {
	REPLICA_OK,
	/* Of a command that was applied, and did nothing: as kv_code. */
	REPLICA_CONFLICT,
	REPLICA_NO_LEASE,
	REPLICA_LIMIT, /* of keys, bytes or leases */
	REPLICA_ROOM,  /* LIMITS: below what is used */
	REPLICA_BAD,   /* no command, or no such node */
	/* Refused: nothing changed, and nothing will. */
	REPLICA_CLOSED,  /* no open view here (75) */
	REPLICA_BUSY,    /* too much is under way (75) */
	REPLICA_LATE,    /* its deadline came first (75) */
	REPLICA_FULL,    /* no space on this node's disk (75) */
	REPLICA_BROKEN,  /* this node's files or memory (75) */
	REPLICA_QUORUM,  /* quorumd forbids it (75) */
	REPLICA_LARGE,   /* too long to be sent */
	REPLICA_REFUSED, /* ADMIN: would leave nobody who can go on, or votes
			    to one who has not all of the log */
	/* It may have been done, or be done yet (75). */
	REPLICA_UNKNOWN,
	REPLICA_CODES
};

enum replica_state {
	REPLICA_AWAY,
	REPLICA_JOINING,
	REPLICA_CLOSED_VIEW,
	REPLICA_FILLING,
	REPLICA_OPEN,
	REPLICA_BROKEN_DISK,
	REPLICA_STATES
};

/* Everything pointed to is borrowed until the next call. */
struct replica_effect {
	enum replica_effect_kind kind;
	union {
		struct {
			struct parse_view if_view;
			const void *bytes;
			size_t len;
		} publish;
		struct {
			struct kv_tip tip;
			uint64_t acked;
			const void *bytes;
			size_t len;
			bool is_awaited; /* somebody waits for its fsync */
		} append;
		struct {
			struct kv_tip after;
			bool is_on_snapshot;
		} begin;
		uint64_t end_acked;
		struct {
			bool is_taken; /* CFGSTORED_DISK_TAKEN, else OWN */
			struct kv_tip tip;
			const void *words;
			size_t len;
		} save;
		struct {
			uint64_t cookie;
			enum replica_code code;
			uint64_t rev;     /* the store's afterwards; OK, and of
					     what was applied */
			uint64_t key_rev; /* CONFLICT */
			enum kv_limit limit; /* LIMIT, with wanted */
			uint64_t wanted;     /* as kv_result */
			size_t at;           /* as kv_result */
			size_t changed;
		} answer;
		uint64_t rev;
		enum replica_state state;
		const char *log;
	};
};

/* ---- the start --------------------------------------------------------- */

/*
 * cfg is copied; a measuring arena gets NULL.  Before the first input: what
 * is on disk, by these in the order of cfgstored_disk_reader; then loaded.
 */
struct replica *replica_create(
    struct arena *arena, const struct replica_config *cfg);

/* 0; or not: what was read makes no sense, and the disk is BAD. */
RK_MUST_CHECK int replica_load_snapshot(
    struct replica *r, const struct kv_tip *tip, const void *words, size_t len);
RK_MUST_CHECK int replica_load_state(
    struct replica *r, const void *bytes, size_t len);
RK_MUST_CHECK int replica_load_record(
    struct replica *r, const struct kv_log_frame *record);
void replica_load_cut(struct replica *r, uint64_t index);

enum replica_health { REPLICA_GOOD, REPLICA_BLANK, REPLICA_BAD_FILES };
/* tip and acked count if GOOD. */
void replica_loaded(struct replica *r, enum replica_health health,
    const struct kv_tip *tip, uint64_t acked);

/* ---- the calls --------------------------------------------------------- */

void replica_step(struct replica *r, const struct replica_input *in);

/* The next effect of the last step; false when there is none left. */
bool replica_next(struct replica *r, struct replica_effect *out);

/* When TIME is wanted at the latest; UINT64_MAX: never. */
uint64_t replica_deadline_ns(const struct replica *r);

/* ---- to be asked any time ---------------------------------------------- */

/* The state as applied, for reading; NULL: there is none to be read now. */
const struct kv *replica_kv(const struct replica *r);

/* All that was applied is acknowledged on disk: in every later state, too. */
bool replica_is_durable(const struct replica *r);

/* Forgets history up to rev, here only; while there is a state to be read. */
void replica_compact(struct replica *r, uint64_t rev);

struct replica_status {
	enum replica_state state;
	const char *why; /* a word: why it is not open */
	struct kv_epoch epoch;
	struct kv_tip tip;
	uint64_t acked;        /* index */
	uint64_t applied;      /* index */
	uint64_t store;        /* its name; 0: none yet */
	uint64_t filled_bytes; /* FILLING: so far */
	uint64_t tail_bytes;   /* not acknowledged */
	bool is_disk_full;
	bool is_lacking; /* memory, or words: its state follows no more */
	size_t pending;
	struct kv_electorates electorates;
	struct kv_nodes members;
	struct kv_nodes complete; /* have all of the log */
};
void replica_status(const struct replica *r, struct replica_status *out);

/*
 * How old the state may be: 0 in an open view whose log is all applied; else
 * since when that was last so; UINT64_MAX: not since the start.
 */
uint64_t replica_staleness_ns(const struct replica *r, uint64_t now_ns);

/* Of open time, until we may expire it; UINT64_MAX: not known. */
uint64_t replica_lease_left_ns(
    const struct replica *r, uint64_t id, uint64_t now_ns);

const char *replica_code_name(enum replica_code code);
const char *replica_state_name(enum replica_state state);

/* Every invariant of the whole state (ENSURE); for tests, after each step. */
void replica_check(const struct replica *r);

#endif
