/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the quorum core share. */
#ifndef RK_QUORUM_INTERNAL_H
#define RK_QUORUM_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/word.h"

#include "bin/quorumd/quorum.h"

/* Sets of nodes: bit i is the node at place i of the configuration. */
#define QUORUM_BIT(i) ((uint64_t)1 << (i))

#define QUORUM_NEVER UINT64_MAX

enum quorum_cause {
	QUORUM_CAUSE_START, /* as configured, or grown from it */
	QUORUM_CAUSE_LMS,
	QUORUM_CAUSE_DOWNSCALE,
	QUORUM_CAUSE_FORCED, /* an operator's */
	QUORUM_CAUSES
};

/*
 * An agreement on who votes.  A newer one is made only by a side that has
 * quorum under the older: so it always meets somebody who knows of it.
 */
struct quorum_epoch {
	struct parse_pos stamp; /* where it was ordered; all 0: configured */
	enum quorum_cause cause;
	uint32_t expected;           /* at least the votes of all voters */
	uint64_t voters;             /* a set */
	uint32_t votes[LIMIT_NODES]; /* of voters; others 0 */
	uint64_t quorate; /* the last quorate membership; {}: none known.
			     Kept only for auto_tie_breaker */
	uint64_t config;  /* the version of the configuration it goes by; 0:
			     of no single one */
};

enum {
	QUORUM_MAYBES = 3,
	QUORUM_PROMISES = 2,
	QUORUM_OUT_BYTES = 4 * QUORUM_MESSAGE_BYTES_MAX,
	QUORUM_LATE_MAX = 3 * LIMIT_NODES + QUORUM_REQUESTS_MAX,
};

/* What a node knows, beyond its configuration. */
struct quorum_memory {
	struct quorum_epoch now; /* the newest that is certain */
	/*
	 * Newer ones, which were ordered while their view ended: others may
	 * hold them for certain.  Quorum is had under all or not at all.
	 */
	struct quorum_epoch maybe[QUORUM_MAYBES];
	size_t maybe_count;
	bool is_crowded; /* there were more */
	/*
	 * While the stamp of now is all 0: where its configuration was agreed
	 * on, as somebody's record tells; all 0: nobody knows that it was.
	 */
	struct parse_pos since;
	bool is_tried; /* now is more than recalled: it has given quorum */
};

/* What a node says of itself. */
struct quorum_said {
	uint32_t votes;
	bool is_waiting;  /* wait_for_all is in force there */
	bool is_fresh;    /* since its start it took part in no agreement */
	bool is_unsure;   /* its quorumd began anew, and may have missed one */
	uint32_t tracked; /* so many votes were expected before its start */
	uint64_t config;  /* the version that it has read; 0: it did not say */
	bool is_promised; /* and its record has it */
};

/* A configuration that others may have agreed on, if we forget it. */
struct quorum_promise {
	struct quorum_epoch epoch; /* as configured; see quorum_record.c */
	uint64_t no;               /* of the first record that has it */
};

struct quorum_device {
	bool is_yes;
	struct parse_pos at;
	uint64_t until_ns;
};

enum quorum_request_kind {
	QUORUM_REQUEST_NONE,
	QUORUM_REQUEST_EPOCH,
	QUORUM_REQUEST_CANCEL,
	QUORUM_REQUEST_VOTE,
	QUORUM_REQUEST_LEAVE,
};

struct quorum_request {
	enum quorum_request_kind kind;
	uint64_t no; /* travels with its message */
	uint64_t cookie;
	uint64_t deadline_ns;
	uint64_t since_ns;
};

/* The deciding rule; also the order in which quorum_rule_at lists them. */
enum quorum_rule_no {
	QUORUM_RULE_MAJORITY,
	QUORUM_RULE_TWO_NODE,
	QUORUM_RULE_WAIT,
	QUORUM_RULE_TIE,
	QUORUM_RULE_LMS,
	QUORUM_RULE_DOWNSCALE,
	QUORUM_RULE_TRACKING,
	QUORUM_RULE_DEVICE,
	QUORUM_RULE_EXPECTED,
	QUORUM_RULE_UNFINISHED,
	QUORUM_RULE_RELOAD,
	QUORUM_RULES
};

struct quorum_finding {
	bool is_quorate;
	enum quorum_basis basis;
	enum quorum_rule_no rule;
	uint64_t votes;
	uint64_t needed;
	uint64_t expected;
};

struct quorum {
	/*
	 * What is in force; but its nodes are all that were ever heard of, with
	 * 0 votes unless they are configured: their places are those of sets.
	 */
	struct quorum_config cfg;
	uint64_t version;
	struct quorum_config next; /* is_pending: read, and not in force yet */
	uint64_t next_version;
	bool is_pending;
	bool is_from_record;  /* pending: the file that we were started with */
	struct quorum *trial; /* in which others are tried */
	size_t self;
	uint64_t all;           /* nodes heard of */
	uint64_t configured;    /* of these, in cfg */
	uint64_t base_expected; /* of the configuration alone */
	uint32_t device_votes;
	uint32_t tracked;

	/* What outlives the machine beside the rules: quorum_record.c. */
	struct quorum_epoch held; /* the newest agreement on a configuration;
				     stamp 0: none, we were started with it */
	bool is_held_over;        /* an agreement has ended it */
	struct quorum_promise promised[QUORUM_PROMISES];
	size_t promised_count;
	bool is_promise_crowded; /* there were more */
	uint64_t promise_no;     /* of the record that we wait for; 0: none */
	uint64_t record_no;      /* of the newest record */
	uint64_t recorded_no;    /* of the newest that is durable */
	uint64_t told_config;    /* which one our last word had ... */
	struct parse_pos told;   /* ... and where it had it first */
	bool is_doubted;         /* somebody came with what he promised */

	struct quorum_memory memory;
	struct quorum_said said[LIMIT_NODES]; /* our own, and who spoke */

	/* The view. */
	bool is_in_view;
	struct parse_view view;
	uint64_t view_ns;
	struct parse_pos pos;
	uint64_t members;
	uint64_t group;   /* members whose quorumd is in the group */
	uint64_t spoken;  /* of group */
	uint64_t leaving; /* of group: about to end */
	uint64_t agreed;  /* of group: took part in what common names */
	uint64_t gone;    /* went cleanly, while we had quorum */
	uint64_t lost;    /* went otherwise, and are not back */
	uint64_t lost_ns; /* when the last of them went */
	/*
	 * The newest agreement that anybody told in this view, and in those
	 * before it since which nobody came: all who go together see the same.
	 */
	struct parse_pos common;
	struct parse_pos common_end; /* with what the view's end brought */

	/*
	 * A quorumd that begins anew inside a view has not heard what all the
	 * others have.  Its first word begins a round: what was said before
	 * counts no more, and all speak again.
	 */
	bool is_synced;
	struct parse_pos round; /* where it began; all 0: with the view */

	/*
	 * An agreement may have been ordered, and lie unread, when a quorumd
	 * ended.  Until which view it is sure to have read all, and with whom:
	 */
	bool is_unsure; /* as said[self], from the place where we say it */
	struct parse_view sure_view;
	uint64_t sure_members;
	uint64_t vouched; /* unsure; we have read all that they have not */
	uint64_t since[LIMIT_NODES]; /* sequence of the first view from which
					on we went together with it */

	bool is_taken_in;  /* by an agreement of this view */
	bool is_owed;      /* we have something new to say */
	bool is_in_flight; /* said, not yet delivered */

	uint64_t want_ns; /* since when a new agreement is wanted */
	uint64_t lms_ns;  /* the window ends */
	bool is_lms_owed; /* a loss; counts if there is quorum */
	bool is_lms_due;
	struct quorum_device device[LIMIT_NODES]; /* by who relayed */
	char device_name[QUORUM_NAME_BYTES + 1];
	struct quorum_request request[QUORUM_REQUESTS_MAX];
	uint64_t request_no;
	uint64_t run; /* which quorumd of this machine we are: from 1 */
	uint64_t now_ns;

	struct quorum_finding finding;
	struct quorum_verdict verdict;
	enum quorum_reason reason; /* of a change in this step */
	bool is_told;              /* this view has had its verdict */

	/* Effects of the last step. */
	bool is_keep_due;
	bool is_track_due;
	bool is_record_due;
	bool is_verdict_due;
	struct quorum_effect late[QUORUM_LATE_MAX];
	size_t late_count;
	size_t late_at;
	char out[QUORUM_OUT_BYTES];
	size_t out_len;
	char kept[QUORUM_MESSAGE_BYTES_MAX];
	size_t kept_len;
	char record[QUORUM_MESSAGE_BYTES_MAX];
	size_t record_len;
	char scratch[QUORUM_MESSAGE_BYTES_MAX + 1];
};

/* ---- quorum_config.c --------------------------------------------------- */

uint64_t quorum_config_node_votes(const struct quorum_config *cfg);
uint64_t quorum_config_device_votes(const struct quorum_config *cfg);
/* The set of these ids; ids of no configured node are left out. */
uint64_t quorum_config_set(
    const struct quorum_config *cfg, const uint32_t *id, size_t count);
/* The place of id, or LIMIT_NODES. */
size_t quorum_config_place(const struct quorum_config *cfg, uint32_t id);

/* ---- quorum_words.c ---------------------------------------------------- */

/* "alpha, beta and gamma", or "nobody". */
void quorum_words_names(const struct quorum *q, uint64_t set, struct text *out);

/* ---- quorum_judge.c ---------------------------------------------------- */

/* Who counts: has spoken, and is not about to end. */
uint64_t quorum_judge_side(const struct quorum *q);
/* The votes of set under an agreement, without the device's. */
uint64_t quorum_judge_votes(
    const struct quorum *q, const struct quorum_epoch *e, uint64_t set);
/* Whose quorumd began anew, and may have missed an agreement. */
uint64_t quorum_judge_unsure(const struct quorum *q);
bool quorum_judge_has_device(const struct quorum *q);
/*
 * Is there no device, or would it not be enough for those who are not on this
 * side, by anything that may be in force?  It knows of no agreement: where it
 * helped to make one it may help them next, who go by the older.
 */
bool quorum_judge_is_beyond_device(const struct quorum *q);
/* Would this side have quorum, were this the only agreement? */
bool quorum_judge_under(
    const struct quorum *q, const struct quorum_epoch *e, uint64_t side);
void quorum_judge(
    const struct quorum *q, uint64_t side, struct quorum_finding *out);
/* The node that decides a tie; LIMIT_NODES: none. */
size_t quorum_judge_decider(
    const struct quorum *q, const struct quorum_epoch *e);
bool quorum_judge_is_quorate(const struct quorum *q);

/* ---- quorum_epoch.c ---------------------------------------------------- */

/* Below 0, 0 or above 0: older, the same, newer. */
int quorum_epoch_order(const struct parse_pos *a, const struct parse_pos *b);
/* The votes of all voters. */
uint64_t quorum_epoch_votes(const struct quorum_epoch *e);
/* Nodes have met whose configurations differ, and have agreed on neither: votes
 * are the fewest that any of them gives, expected the most. */
bool quorum_epoch_is_mixed(const struct quorum_epoch *e);
/* A promise: its place is no more than the last where it can have been agreed
 * on. */
bool quorum_epoch_is_promised(const struct quorum_epoch *e);
/* Takes in what another node knows; true when that was news. */
bool quorum_epoch_merge(
    struct quorum_memory *mine, const struct quorum_memory *theirs);
/* A new one, for certain. */
void quorum_epoch_adopt(
    struct quorum_memory *memory, const struct quorum_epoch *e);
/* Drops what may be in force no more, for something later is certain. */
void quorum_epoch_prune(struct quorum_memory *memory);
/* A new one of which it is not known whether others hold it. */
void quorum_epoch_suspect(
    struct quorum_memory *memory, const struct quorum_epoch *e);

/* ---- quorum_wire.c ----------------------------------------------------- */

enum quorum_wire_kind {
	QUORUM_WIRE_STATE,
	QUORUM_WIRE_EPOCH,
	QUORUM_WIRE_CANCEL,
	QUORUM_WIRE_VOTE,
	QUORUM_WIRE_EXPIRE,
	QUORUM_WIRES
};

struct quorum_wire {
	enum quorum_wire_kind kind;
	struct quorum_said said; /* STATE */
	struct quorum_memory memory;
	bool is_new;            /* STATE: the first one since its start */
	struct parse_view view; /* STATE: see sure_view */
	uint64_t members;       /* of that view */
	uint64_t vouched;       /* STATE */
	struct parse_pos round; /* STATE, EPOCH */
	struct parse_pos base;  /* EPOCH: what it changes */
	struct quorum_epoch epoch;
	enum quorum_reason reason;
	uint64_t side;    /* EPOCH: who agrees, and so waits no longer */
	uint32_t leaver;  /* EPOCH: an id, or 0 */
	uint64_t no;      /* EPOCH, CANCEL, VOTE: of the request, or 0 */
	uint64_t run;     /* which quorumd of its machine says so */
	bool is_yes;      /* VOTE */
	uint64_t ttl_ms;  /* VOTE */
	const char *name; /* VOTE: of the voter; borrowed */
	uint32_t stranger[LIMIT_NODES]; /* read, and in no place of ours */
	size_t stranger_count;
	uint32_t node;       /* EXPIRE: who relayed the vote */
	struct parse_pos at; /* EXPIRE: where the vote was ordered */
};

void quorum_wire_put(const struct quorum_config *cfg,
    const struct quorum_wire *wire, struct text *out);
/* line[len] must be writable; name points into it. */
bool quorum_wire_get(const struct quorum_config *cfg, char *line, size_t len,
    struct quorum_wire *out);
void quorum_wire_put_pos(const struct parse_pos *pos, struct text *out);
void quorum_wire_put_set(
    const struct quorum_config *cfg, uint64_t set, struct text *out);
void quorum_wire_put_epoch(const struct quorum_config *cfg,
    const struct quorum_epoch *e, struct text *out);
/* Takes what stands before the next sep off a list. */
struct word_pair quorum_wire_take(struct word_pair *list, char sep);
bool quorum_wire_get_number(
    struct word *word, const char *key, uint64_t max, uint64_t *out);
bool quorum_wire_get_set(
    const struct quorum_config *cfg, struct word_pair list, uint64_t *set);
/* Whoever has no place is noted as a stranger. */
bool quorum_wire_get_epoch(const struct quorum_config *cfg,
    struct word_pair word, struct quorum_wire *out, struct quorum_epoch *e);

/* ---- quorum_reload.c --------------------------------------------------- */

/* What goes by the configuration in force: sets and sums. */
void quorum_reload_derive(struct quorum *q);
/* Nodes that no configuration here knows are given places. */
void quorum_reload_learn(struct quorum *q, const uint32_t *id, size_t count);
void quorum_reload_take(struct quorum *q, const struct quorum_config *next);
/* The newest agreement goes by what is pending: that is in force. */
void quorum_reload_install(struct quorum *q);
/* Makes e what the pending configuration says; false: not now, or not at all;
 * is_forced: though it costs quorum. */
bool quorum_reload_want(
    struct quorum *q, bool is_forced, struct quorum_epoch *e);
/* Members that have spoken, and have not read what is pending. */
uint64_t quorum_reload_behind(const struct quorum *q);
/* Members that have spoken, and would not know of it if they began anew. */
uint64_t quorum_reload_unpromised(const struct quorum *q);
/* Had all who are here promised it, it would be proposed. */
bool quorum_reload_is_due(struct quorum *q);
/* Nobody who votes, by whatever is known here, is elsewhere, and what is
 * pending has other rules: no quorum is needed to agree on it. */
bool quorum_reload_is_whole(const struct quorum *q);
/* What is pending has rules that only nodes which start may take. */
bool quorum_reload_is_clash(const struct quorum *q);
void quorum_reload_ask(struct quorum *q, const struct quorum_input *in);

/* ---- quorum_record.c --------------------------------------------------- */

/* After each input, when it is known who has quorum. */
void quorum_record_follow(struct quorum *q);
/* What was pending is in force. */
void quorum_record_installed(struct quorum *q);
/* Another configuration is pending, or none. */
void quorum_record_wish(struct quorum *q);
/* Something is promised that nobody wishes any more: an agreement ends that. */
bool quorum_record_is_stale(const struct quorum *q);
/* The first view that the core is told of has that sequence. */
void quorum_record_date(struct quorum *q, uint64_t seq);
/* Takes what was promised out of what another node says, where that is not to
 * be feared. */
void quorum_record_hear(struct quorum *q, struct quorum_wire *wire);
/* Into q->record. */
void quorum_record_write(struct quorum *q);

/* ---- quorum_effect.c --------------------------------------------------- */

void quorum_effect_publish(struct quorum *q, const struct quorum_wire *wire);
void quorum_effect_answer(struct quorum *q, uint64_t cookie,
    enum quorum_answer code, const char *text);

/* ---- quorum_change.c --------------------------------------------------- */

/* Publishes the agreement that is wanted now, if it is ours to. */
void quorum_change_propose(struct quorum *q);
uint64_t quorum_change_deadline_ns(const struct quorum *q);
/* An EPOCH was delivered: true when it holds. */
bool quorum_change_apply(struct quorum *q, size_t sender,
    const struct quorum_wire *wire, bool is_transitional);
void quorum_change_set_expected(
    struct quorum *q, const struct quorum_input *in);
void quorum_change_set_votes(struct quorum *q, const struct quorum_input *in);
/* Would those who stay have quorum, once this holds and all do as it says? */
bool quorum_change_is_kept(struct quorum *q, const struct quorum_epoch *e);
/* The present agreement, with whoever is here. */
void quorum_change_grown(const struct quorum *q, struct quorum_epoch *e);
/* Publishes what is asked for, unless it must not be. */
void quorum_change_ask(struct quorum *q, const struct quorum_input *in,
    bool is_forced, struct quorum_wire *wire);
void quorum_change_leave(struct quorum *q, const struct quorum_input *in);

/* ---- quorum_request.c -------------------------------------------------- */

/* NULL, after an answer, when there is no room or no view to ask in. */
struct quorum_request *quorum_request_open(struct quorum *q,
    enum quorum_request_kind kind, const struct quorum_input *in);
/* The request of that number, or NULL. */
struct quorum_request *quorum_request_find(struct quorum *q, uint64_t no);
void quorum_request_answer(struct quorum *q, struct quorum_request *request,
    enum quorum_answer code, const char *text);
/* The view ended: what was not delivered must be asked again. */
void quorum_request_drop(struct quorum *q);
void quorum_request_expire(struct quorum *q);
uint64_t quorum_request_deadline_ns(const struct quorum *q);

/* ---- quorum_device.c --------------------------------------------------- */

void quorum_device_ask(struct quorum *q, const struct quorum_input *in);
void quorum_device_cast(struct quorum *q, size_t sender,
    const struct quorum_wire *wire, const struct quorum_input *in);
void quorum_device_expire(struct quorum *q, const struct quorum_wire *wire);
void quorum_device_repeat(struct quorum *q);
void quorum_device_time(struct quorum *q);
/* Only the votes that these relayed are still good. */
void quorum_device_keep(struct quorum *q, uint64_t set);
uint64_t quorum_device_deadline_ns(const struct quorum *q);

#endif
