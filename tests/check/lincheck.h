/* SPDX-License-Identifier: BSD-3-Clause */
/* Was a recorded history of the store linearizable, were its watches whole and
 * its locks exclusive?
 *
 * What makes it decidable in nearly linear time is the store's revision: each
 * operation that was answered says at which one it took place.  Those that
 * were not answered may have taken place at any revision that is left, or not
 * at all; which of them must have, and where, is searched for.
 */
#ifndef RK_LINCHECK_H
#define RK_LINCHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No revision, no time, no word: not known. */
#define LINCHECK_NONE    UINT64_MAX
#define LINCHECK_NO_WORD UINT32_MAX

struct lincheck;

struct lincheck *lincheck_create(void);
void lincheck_destroy(struct lincheck *check);

/* A key, a value, a name, as a number; equal bytes, equal numbers. */
uint32_t lincheck_word(struct lincheck *check, const void *bytes, size_t len);

/* ---- operations -------------------------------------------------------- */

/* What is said of a key; by a condition, or by an answer. */
enum lincheck_fact_kind {
	LINCHECK_REV,    /* it is there, changed last at rev */
	LINCHECK_VALUE,  /* it is there and this is its value */
	LINCHECK_EXISTS, /* it is there */
	LINCHECK_ABSENT, /* it is not there */
	LINCHECK_ONLY,   /* key is a prefix: no other is there than those this
			    operation has other facts about */
};

enum lincheck_when {
	LINCHECK_AT,     /* the operation's revision */
	LINCHECK_BEFORE, /* the revision before that */
};

struct lincheck_fact {
	enum lincheck_fact_kind kind;
	enum lincheck_when when;
	bool is_condition; /* of a conflict: one of these does not hold */
	uint32_t key;
	uint32_t value;
	uint64_t rev;
};

enum lincheck_change_kind {
	LINCHECK_PUT,
	LINCHECK_DEL,
	LINCHECK_DEL_PREFIX, /* key is the prefix */
};

struct lincheck_change {
	enum lincheck_change_kind kind;
	uint32_t key;
	uint32_t value;
};

enum lincheck_outcome {
	LINCHECK_DONE,
	LINCHECK_CONFLICT, /* a condition did not hold: changed nothing */
	LINCHECK_REFUSED,  /* changed nothing, says nothing */
	LINCHECK_UNKNOWN,  /* not answered, or with "unknown" */
	LINCHECK_ORDAINED, /* a change that the store made itself */
};

/*
 * One operation, of which the begin and the end were seen by its client: it
 * took place in between.  A change that changed nothing, as the deletion of
 * what is not there, has facts instead of changes.
 */
struct lincheck_op {
	uint32_t client;  /* a word */
	const char *path; /* where it stands; kept until the end */
	uint64_t line;
	uint64_t begin_ns;
	uint64_t end_ns; /* NONE: not answered */
	enum lincheck_outcome outcome;
	/* Of a change: that it made; of others: that they saw.  NONE: the
	 * answer does not say. */
	uint64_t rev;
	bool is_local; /* a read that may be of the past */
	/* A write under a lock is refused once there is a newer token. */
	uint32_t lock; /* a word, its slot with it; NO_WORD: none */
	uint64_t token;

	/* lincheck's own. */
	bool is_watch;
	size_t fact_first, fact_count;
	size_t change_first, change_count;
};

/* The next one, to be filled in until the one after it is begun. */
struct lincheck_op *lincheck_begin(struct lincheck *check);
/* More of the one that was begun last. */
void lincheck_fact(struct lincheck *check, struct lincheck_fact fact);
void lincheck_change(struct lincheck *check, struct lincheck_change change);

/* How many were begun. */
size_t lincheck_count(const struct lincheck *check);
/* What the n-th (from 0) was answered is of a past that was lost since. */
void lincheck_unsay(struct lincheck *check, size_t n);

/* ---- watches ----------------------------------------------------------- */

/* Who watches the keys of a prefix; answers his number. */
size_t lincheck_watcher(struct lincheck *check, uint32_t name, uint32_t prefix);

enum lincheck_event_kind {
	LINCHECK_EVENT_EXISTS,
	LINCHECK_EVENT_READY, /* the keys told of are all, as of rev */
	LINCHECK_EVENT_SINCE, /* asked for what is behind rev */
	LINCHECK_EVENT_PUT,
	LINCHECK_EVENT_DEL,
	LINCHECK_EVENT_GAP, /* something was left out; EXISTS, READY follow */
};

struct lincheck_event {
	enum lincheck_event_kind kind;
	size_t watcher;
	const char *path;
	uint64_t line;
	uint64_t at_ns;
	uint64_t rev;
	uint64_t prev; /* of the key, before; 0: it was not there */
	uint32_t key;
	uint32_t value;
	bool is_ordained; /* of a lease that ended: no client's operation */
};
void lincheck_event(struct lincheck *check, const struct lincheck_event *event);

/* ---- locks ------------------------------------------------------------- */

/* Somebody held it, at least from begin to end. */
struct lincheck_hold {
	uint32_t client;
	uint32_t lock; /* its slot with it */
	uint64_t token;
	const char *path;
	uint64_t line;
	uint64_t begin_ns, end_ns;
};
void lincheck_hold(struct lincheck *check, const struct lincheck_hold *hold);

/* ---- the verdict ------------------------------------------------------- */

enum { LINCHECK_TEXT_BYTES = 1024 };

struct lincheck_breach {
	const char *rule; /* NULL: there is none */
	const char *path;
	uint64_t line;
	char text[LINCHECK_TEXT_BYTES];
};

struct lincheck_tally {
	size_t operations;
	size_t unanswered;
	size_t found;  /* unanswered ones that took place all the same */
	size_t events; /* of watches */
	size_t holds;  /* of locks */
	size_t tried;  /* explanations */
};

/*
 * To be asked once, after everything was told.  Rules: order, revision,
 * value, refused, twice, phantom, condition, conflict, watch, lock, token;
 * and undecided, when so many explanations were tried in vain that the rest
 * were not.
 */
void lincheck_judge(struct lincheck *check, struct lincheck_breach *breach,
    struct lincheck_tally *tally);

#endif
