/* SPDX-License-Identifier: BSD-3-Clause */
/* Votes as a value: who is here, what was agreed, and whether it is enough.
 *
 * Pure: no system call, no clock, no allocation after quorum_create.  The
 * shell feeds inputs and after EVERY input pulls effects until quorum_next
 * answers false; then it asks quorum_deadline_ns.  DESIGN.md tells the rules.
 *
 * Whether the view is fresh enough to be believed is not asked here:
 * quorum_lease stands before these verdicts.
 *
 * The shell owes the core three things:
 *  - every message of the group ringkit/quorum in order, with its phase, and
 *    views and changes of the group at their places among them (one stream);
 *  - PUBLISH: into that group, with if_view and confirm=safe.  Only what every
 *    member of the view holds may change who has quorum;
 *  - RECORD becomes durable in its own time, the newest instead of any before
 *    it, and RECORDED says so;
 *  - KEEP is written (not synced) before later effects are carried out: a
 *    process that dies must not have told what it then forgets.
 */
#ifndef RK_QUORUM_H
#define RK_QUORUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/base/limits.h"
#include "libcommon/base/parse.h"

struct arena;
struct text;
struct quorum;

enum {
	QUORUM_MESSAGE_BYTES_MAX = 8192, /* and of what is kept */
	QUORUM_NAME_BYTES = 63,
	QUORUM_TEXT_BYTES = 512,
	QUORUM_REQUESTS_MAX = 64, /* not yet answered */
};

enum quorum_wait { QUORUM_WAIT_NO, QUORUM_WAIT_YES, QUORUM_WAIT_ALWAYS };
enum quorum_tie {
	QUORUM_TIE_NO,
	QUORUM_TIE_LOWEST,
	QUORUM_TIE_HIGHEST,
	QUORUM_TIE_LIST,
};

struct quorum_config {
	char cluster[QUORUM_NAME_BYTES + 1]; /* decides nothing; for records */
	uint32_t self;                       /* a node's id */
	struct quorum_config_node {
		uint32_t id;
		uint32_t votes;
		char name[QUORUM_NAME_BYTES + 1];
	} node[LIMIT_NODES]; /* ids ascend */
	size_t node_count;
	uint32_t expected_votes; /* 0: the sum of all votes */
	bool two_node;           /* see quorum_config_init */
	enum quorum_wait wait_for_all;
	bool last_man_standing;
	uint64_t last_man_standing_window_ns;
	enum quorum_tie auto_tie_breaker;
	uint32_t tie_list[LIMIT_NODES]; /* of QUORUM_TIE_LIST */
	size_t tie_count;
	bool allow_downscale;
	bool expected_votes_tracking; /* allow_downscale implies it */
	uint32_t tracked;             /* as TRACK told it once; 0: never */
	bool has_device;              /* somebody outside has votes */
	uint32_t device_votes;        /* 0: one less than all nodes together */
	uint64_t device_timeout_ns;
	uint64_t device_sync_timeout_ns;
	bool device_master_wins;
	uint64_t settle_ns;
};

/* No nodes, no rules, every time as the manual page says. */
void quorum_config_init(struct quorum_config *cfg);

/*
 * Mistakes that make rules contradict each other: writes a sentence for a
 * person about mistake number idx, from 0; false: there is no such.
 */
bool quorum_config_mistake(
    const struct quorum_config *cfg, size_t idx, struct text *out);

/*
 * Why the second cannot follow the first while nodes run: a sentence about
 * reason number idx; false: there is no such.
 */
bool quorum_config_clash(const struct quorum_config *cfg,
    const struct quorum_config *next, size_t idx, struct text *out);

/* Of all that decides about quorum; not of names and times. */
uint64_t quorum_config_version(const struct quorum_config *cfg);

/* ---- inputs ------------------------------------------------------------ */

enum quorum_input_kind {
	QUORUM_IN_VIEW,     /* a regular view */
	QUORUM_IN_GROUP,    /* whose quorumd is in the group now */
	QUORUM_IN_MESSAGE,  /* of the group */
	QUORUM_IN_TIME,     /* the deadline was reached */
	QUORUM_IN_CONFIG,   /* another configuration is to be in force */
	QUORUM_IN_RECORDED, /* a record is durable */
	/* Answered by one ANSWER: */
	QUORUM_IN_SET_EXPECTED,
	QUORUM_IN_SET_VOTES,
	QUORUM_IN_CANCEL_WAIT,
	QUORUM_IN_RELOAD, /* agree on that configuration now */
	QUORUM_IN_VOTE,   /* of somebody outside */
	QUORUM_IN_LEAVE,  /* this quorumd is about to end, and its node with
			     it; after the ANSWER, at most a second later */
	QUORUM_INPUTS
};

enum quorum_left { QUORUM_LEFT_LOST, QUORUM_LEFT_LEAVE };

struct quorum_input {
	enum quorum_input_kind kind;
	uint64_t now_ns;
	uint64_t cookie; /* of requests: comes back with the ANSWER */
	union {
		struct {
			struct parse_view id;
			const uint32_t *member; /* with this node; any order */
			size_t member_count;
			/* Members that came from the same view together with
			   this node, itself included: the transitional view. */
			const uint32_t *along;
			size_t along_count;
			/* Members of the view before that are gone cleanly:
			   ringd's reason is leave. */
			const uint32_t *leaver;
			size_t leaver_count;
		} view;
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
		/* Copied.  It has no mistakes (ENSURE).  One that clashes with
		 * that in force waits until all nodes of it are here. */
		const struct quorum_config *config;
		uint64_t recorded; /* its number */
		struct {
			bool is_forced;
		} reload;
		struct {
			uint32_t expected;
			bool is_forced;
		} set_expected;
		struct {
			uint32_t node;
			uint32_t votes;
			bool is_forced;
		} set_votes;
		struct {
			struct parse_view view;
			bool is_yes;
			uint64_t ttl_ns; /* 0: device_timeout */
			const char *name;
		} vote;
	};
};

/* ---- effects ----------------------------------------------------------- */

enum quorum_effect_kind {
	QUORUM_OUT_PUBLISH, /* refused for its view: no matter */
	QUORUM_OUT_KEEP,    /* in rundir, for the same boot and incarnation */
	QUORUM_OUT_TRACK,   /* on disk, for good */
	QUORUM_OUT_RECORD,  /* the same; instead of any before it */
	QUORUM_OUT_VERDICT, /* one a view, then one a change */
	QUORUM_OUT_ANSWER,
	QUORUM_EFFECTS
};

enum quorum_answer {
	QUORUM_ANSWER_OK,     /* it is so, here and in order */
	QUORUM_ANSWER_QUORUM, /* would cost or make quorum, and is not forced */
	QUORUM_ANSWER_VIEW,   /* the vote is for another view */
	QUORUM_ANSWER_AGAIN,  /* the view changed meanwhile, or no room */
	QUORUM_ANSWER_BAD,    /* never: the text says why */
	QUORUM_ANSWERS
};

/* What changed the verdict inside a view: the word of its record. */
enum quorum_reason {
	QUORUM_REASON_VIEW,
	QUORUM_REASON_SPOKEN, /* a member spoke, or its quorumd ended */
	QUORUM_REASON_VOTES_CHANGED,
	QUORUM_REASON_EXPECTED_CHANGED,
	QUORUM_REASON_RELOADED,
	QUORUM_REASON_WAIT_CANCELLED,
	QUORUM_REASON_LMS_WINDOW,
	QUORUM_REASON_DOWNSCALE,
	QUORUM_REASON_DEVICE,
	QUORUM_REASON_VOTE_EXPIRED,
	QUORUM_REASONS
};

enum quorum_basis {
	QUORUM_BASIS_NONE,
	QUORUM_BASIS_MAJORITY,
	QUORUM_BASIS_TWO_NODE,
	QUORUM_BASIS_TIE,
	QUORUM_BASIS_LMS,
	QUORUM_BASIS_DOWNSCALE,
	QUORUM_BASIS_DEVICE,
	QUORUM_BASIS_FORCED,
	QUORUM_BASES
};

/* Until the first view: all zero. */
struct quorum_verdict {
	bool is_known; /* there was a view */
	bool is_quorate;
	enum quorum_basis basis;
	enum quorum_reason reason;
	struct parse_view view;
	struct parse_pos pos;
	uint32_t votes; /* of members that have spoken, and of the device */
	uint32_t needed;
	uint32_t expected;
};

/* Everything pointed to is borrowed until the next call. */
struct quorum_effect {
	enum quorum_effect_kind kind;
	union {
		struct {
			struct parse_view if_view;
			const void *bytes;
			size_t len;
		} publish;
		struct {
			const void *bytes;
			size_t len;
		} keep;
		uint32_t track;
		struct {
			uint64_t no; /* RECORDED gives it back when durable */
			const void *bytes;
			size_t len;
		} record;
		struct quorum_verdict verdict;
		struct {
			uint64_t cookie;
			enum quorum_answer code;
			const char *text; /* for a person; "" with OK */
		} answer;
	};
};

/* ---- the calls --------------------------------------------------------- */

/*
 * cfg is copied; it has no mistakes (ENSURE).  kept is what KEEP gave last to
 * an earlier quorumd of the same boot and incarnation, or NULL; what makes no
 * sense counts as nothing.  A measuring arena gets NULL.
 */
struct quorum *quorum_create(struct arena *arena,
    const struct quorum_config *cfg, const void *kept, size_t kept_len);

/*
 * What a node counts by is recorded on its disk, so that one that starts with
 * another file does not count by that before it is agreed on.
 *
 * The record of a node that has none yet, and counts by cfg.
 */
void quorum_record_begin(const struct quorum_config *cfg, struct text *out);

/*
 * The cluster (empty: it does not say), the node, the votes and the rules of a
 * record, into cfg; the rest of it is left alone, but for names.  false: it
 * makes no sense.
 */
RK_MUST_CHECK bool quorum_record_read(
    struct quorum_config *cfg, const char *bytes, size_t len);

/*
 * After quorum_create with the configuration of that record: what else it
 * knows.  Its number is 1 when it is durable, and 2 when it will be.
 */
void quorum_record_recall(
    struct quorum *q, const char *bytes, size_t len, bool is_durable);

void quorum_step(struct quorum *q, const struct quorum_input *in);

/* The next effect of the last step; false when there is none left. */
bool quorum_next(struct quorum *q, struct quorum_effect *out);

/* When TIME is wanted at the latest; UINT64_MAX: never. */
uint64_t quorum_deadline_ns(const struct quorum *q);

/* ---- to be asked any time ---------------------------------------------- */

void quorum_verdict_now(const struct quorum *q, struct quorum_verdict *out);

/*
 * What IN_CONFIG with this configuration, and then RELOAD, would be answered
 * now; with a sentence unless it is OK.
 */
enum quorum_answer quorum_would(
    const struct quorum *q, const struct quorum_config *cfg, struct text *out);

/* A configuration was read that is not in force yet. */
bool quorum_is_pending(const struct quorum *q);

/*
 * Quorate, and nobody was lost, other than cleanly, for settle_ns: by now none
 * of them can still be at work.
 */
bool quorum_is_settled(const struct quorum *q, uint64_t now_ns);

/*
 * Rule number idx as it stands, the deciding one first: a word, what it says
 * and a sentence that names nodes.  false: there are no more.
 */
struct quorum_rule {
	const char *name;    /* wait_for_all; kept for ever */
	const char *verdict; /* yes, no, or off: says nothing now */
	char text[QUORUM_TEXT_BYTES];
};
bool quorum_rule_at(
    const struct quorum *q, size_t idx, struct quorum_rule *out);

/* A node that is configured, or here, or votes; idx counts them by id. */
struct quorum_node {
	uint32_t id;
	const char *name;
	uint32_t votes;  /* as they count now, or would */
	bool is_member;  /* of the view */
	bool has_spoken; /* and so its votes count */
	bool is_waiting; /* has not seen all nodes since its start */
	bool is_awaited; /* wait_for_all waits for it */
	bool is_voter;   /* false: taken out until it joins a quorate view */
};
bool quorum_node_at(
    const struct quorum *q, size_t idx, struct quorum_node *out);

const char *quorum_basis_name(enum quorum_basis basis);
const char *quorum_reason_name(enum quorum_reason reason);
const char *quorum_answer_name(enum quorum_answer answer);

/* Every invariant of the whole state (ENSURE); for tests, after each step. */
void quorum_check(const struct quorum *q);

#endif
