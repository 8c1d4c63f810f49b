/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of lincheck share. */
#ifndef RK_LINCHECK_INTERNAL_H
#define RK_LINCHECK_INTERNAL_H

#include "libcommon/base/text.h"

#include "tests/check/lincheck.h"

/* An array that grows. */
struct lincheck_list {
	void *at;
	size_t count, room;
};
/* Room for one more of so many bytes, zeroed. */
void *lincheck_list_add(struct lincheck_list *list, size_t item_bytes);

struct lincheck_name {
	const char *bytes; /* ended by a NUL that len does not count */
	size_t len;
	uint32_t next; /* of the same hash */
	bool is_key;
	struct lincheck_list versions; /* of the key, by revision */
};

struct lincheck_version {
	uint64_t rev;
	uint32_t value; /* NO_WORD: deleted */
	size_t op;
};

/* Which operation made a revision. */
struct lincheck_made {
	uint64_t rev;
	size_t op;
};

/* What is known of an operation while it is judged. */
struct lincheck_place {
	uint64_t rev;   /* where it took place; NONE: nowhere known */
	uint64_t low;   /* of what was answered before it began */
	size_t low_op;  /* who says so */
	uint64_t high;  /* what it may at most be, for what began later */
	bool is_placed; /* found, not told */
};

/* The write at rev must do this to key. */
struct lincheck_demand {
	uint64_t rev;
	uint32_t key;
	enum {
		LINCHECK_DEMAND_PUT,
		LINCHECK_DEMAND_VALUE,
		LINCHECK_DEMAND_DEL,
	} kind;
	uint32_t value;
	size_t op; /* who says so */
};

struct lincheck_watch {
	uint32_t name, prefix;
	bool is_since; /* goes on from a revision, without a snapshot */
	struct lincheck_list events; /* struct lincheck_event */
};

/* Who might explain what is wrong: places for the unanswered. */
struct lincheck_option {
	size_t op;
	uint64_t rev;
};

struct lincheck_trouble {
	struct lincheck_breach breach;
	struct lincheck_list options;
};

#define LINCHECK_NO_OP SIZE_MAX

struct lincheck {
	struct lincheck_list names; /* struct lincheck_name */
	uint32_t *hash;             /* of the first of each hash */
	struct lincheck_list keys;  /* uint32_t: the names that are keys */
	struct lincheck_list ops;
	struct lincheck_list facts;
	struct lincheck_list changes;
	struct lincheck_list watches;
	struct lincheck_list holds;
	struct lincheck_list demands; /* by rev */
	struct lincheck_list unknown; /* size_t: those that may be placed */
	struct lincheck_list made;    /* by rev */
	struct lincheck_place *place; /* of each operation */
	size_t *by_rev;               /* those that were told their revision */
	size_t told;                  /* how many */
	size_t *by_begin, *by_end;
	size_t timed;      /* how many are in by_begin */
	uint64_t top;      /* the highest revision that is worth a thought */
	bool has_floating; /* some answers do not say their revision */
	size_t events;
	size_t tried;
};

static inline struct lincheck_op *
lincheck_op_at(const struct lincheck *check, size_t i)
{
	return (struct lincheck_op *)check->ops.at + i;
}

static inline const struct lincheck_fact *
lincheck_fact_at(
    const struct lincheck *check, const struct lincheck_op *op, size_t i)
{
	return (const struct lincheck_fact *)check->facts.at + op->fact_first +
	    i;
}

static inline const struct lincheck_change *
lincheck_change_at(
    const struct lincheck *check, const struct lincheck_op *op, size_t i)
{
	return (const struct lincheck_change *)check->changes.at +
	    op->change_first + i;
}

static inline struct lincheck_name *
lincheck_name_at(const struct lincheck *check, uint32_t word)
{
	return (struct lincheck_name *)check->names.at + word;
}

void lincheck_mark_key(struct lincheck *check, uint32_t word);
bool lincheck_has_prefix(
    const struct lincheck *check, uint32_t key, uint32_t prefix);
/* It changes something, if it takes place. */
bool lincheck_is_write(const struct lincheck_op *op);
/* Not done yet, and may be at any revision. */
bool lincheck_may_be(const struct lincheck_op *op);

/* ---- lincheck_words.c -------------------------------------------------- */

/* Fills in the rule and where op stands, and gives the text to write on. */
struct text lincheck_say(const struct lincheck *check,
    struct lincheck_breach *breach, const char *rule, size_t op);
/* "FILE:LINE (client 3: put a)"; who is said first is not told again where. */
void lincheck_say_op(
    const struct lincheck *check, struct text *text, size_t op);
/* "client 3: get a" */
void lincheck_say_who(
    const struct lincheck *check, struct text *text, size_t op);
void lincheck_say_word(
    const struct lincheck *check, struct text *text, uint32_t word);

/* ---- lincheck_state.c -------------------------------------------------- */

/* Its changes are made at rev, and taken back. */
void lincheck_make(struct lincheck *check, size_t op, uint64_t rev);
void lincheck_unmake(struct lincheck *check, size_t op);
/* How many before it are made. */
size_t lincheck_made_before(const struct lincheck *check, uint64_t rev);
/* Who made it; NO_OP: nobody yet. */
size_t lincheck_maker(const struct lincheck *check, uint64_t rev);
/* The last at or before rev; NULL: there was none. */
const struct lincheck_version *lincheck_version(
    const struct lincheck *check, uint32_t key, uint64_t rev);
/* Does it hold at this revision?  For ONLY, key is who is too many. */
bool lincheck_holds(const struct lincheck *check, const struct lincheck_op *op,
    const struct lincheck_fact *fact, uint64_t rev, uint32_t *key);
/* All conditions hold. */
bool lincheck_conditions_hold(
    const struct lincheck *check, const struct lincheck_op *op, uint64_t rev);
/* All other facts do. */
bool lincheck_answers_hold(
    const struct lincheck *check, const struct lincheck_op *op, uint64_t rev);
/* Would it put (delete) key, and with this value?  NO_WORD: any. */
bool lincheck_puts(const struct lincheck *check, const struct lincheck_op *op,
    uint32_t key, uint32_t value);
bool lincheck_deletes(
    const struct lincheck *check, const struct lincheck_op *op, uint32_t key);

/* ---- lincheck_order.c -------------------------------------------------- */

void lincheck_order_prepare(struct lincheck *check);
/*
 * Nobody took place before what had been answered when he began.  With
 * floating: and a place is found for those whose answer says none.
 */
bool lincheck_order_is_kept(struct lincheck *check, bool with_floating,
    struct lincheck_trouble *trouble);

/* ---- lincheck_search.c ------------------------------------------------- */

/* All free places behind from, up to to, for op. */
void lincheck_offer(struct lincheck *check, struct lincheck_trouble *trouble,
    size_t op, uint64_t from, uint64_t to);
/* Places the unanswered so that all is explained, or says what cannot be. */
bool lincheck_search(struct lincheck *check, struct lincheck_breach *breach);

/* ---- lincheck_facts.c -------------------------------------------------- */

void lincheck_facts_demand(struct lincheck *check);
/* Demands of revisions whose maker is known are met. */
bool lincheck_demands_agree(
    const struct lincheck *check, struct lincheck_breach *breach);
/* The first from there on whose revision nobody has made yet; or count. */
size_t lincheck_demand_next(const struct lincheck *check, size_t from);
/* Who may have made it. */
void lincheck_demand_offer(
    struct lincheck *check, size_t first, struct lincheck_trouble *trouble);
/* And that nobody did. */
void lincheck_demand_say(
    const struct lincheck *check, size_t first, struct lincheck_breach *breach);
/* What was said of the states from one revision to before another. */
bool lincheck_facts_hold(struct lincheck *check, uint64_t from, uint64_t to,
    struct lincheck_trouble *trouble);

/* ---- lincheck_watch.c -------------------------------------------------- */

/* Makes operations of the events; false: a watch is wrong by itself. */
bool lincheck_watch_prepare(
    struct lincheck *check, struct lincheck_breach *breach);
/* No watcher would have had to tell of it, had op made this revision. */
bool lincheck_watch_allows(
    const struct lincheck *check, size_t op, uint64_t rev);
/* Everybody was told of all that was made while he watched. */
bool lincheck_watch_is_whole(
    struct lincheck *check, struct lincheck_trouble *trouble);

/* ---- lincheck_lock.c --------------------------------------------------- */

bool lincheck_locks_hold(
    struct lincheck *check, struct lincheck_breach *breach);

#endif
