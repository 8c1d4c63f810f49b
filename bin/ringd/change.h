/* SPDX-License-Identifier: BSD-3-Clause */
/* A change that all ringds of a view make, or none of them: as a value.
 *
 * Pure, like the layers below.  One change at a time: a PROPOSE is ordered;
 * every member of the view prepares it, in its own time, and orders a VOTE;
 * the delivery of the last of the votes is where all commit, or, if one of
 * them says no, where all abort.  There is no message that says which: it
 * follows from what was delivered.  A configuration change before that place,
 * and a CANCEL of the proposer, abort it, too.
 *
 * The messages are SAFE and of the group CHANGE_GROUP.  Hence, when any node
 * commits, every member of its view has all votes; those that go on with it
 * deliver them in the same view or its transitional phase, which counts as
 * well, and commit.  Only who died, or was cut off at that moment, may not
 * have: so every change must be one that half of the nodes may have made and
 * the others not, and that can be made again.
 *
 * The host feeds views and the group's messages in their order, and after
 * every call pulls effects until change_next answers false; when the ring has
 * room it sends what change_message gives.
 */
#ifndef RK_CHANGE_H
#define RK_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/base/limits.h"

#include "bin/ringd/group.h"
#include "bin/ringd/totem.h"

struct arena;
struct change;

#define CHANGE_GROUP "ringkit/change"

enum {
	CHANGE_BODY_BYTES_MAX = 1024,
	CHANGE_TEXT_BYTES_MAX = 480,
};

/* One proposal; no two are ever alike. */
struct change_id {
	uint32_t node;
	uint64_t incarnation;
	uint64_t number;
};

enum change_outcome {
	CHANGE_COMMITTED,
	CHANGE_REFUSED,   /* all have voted, and not all for it */
	CHANGE_BUSY,      /* another one was under way */
	CHANGE_VIEW,      /* the view changed */
	CHANGE_CANCELLED, /* change_cancel */
	CHANGE_OUTCOMES
};
const char *change_outcome_name(enum change_outcome outcome); /* "view" */

/* NULL from a measuring arena. */
struct change *change_create(
    struct arena *arena, uint32_t self, uint64_t incarnation);

/* ---- inputs ------------------------------------------------------------ */

void change_view(struct change *c, const struct totem_view *view);

/* A message of CHANGE_GROUP that a ringd sent, not one of its clients. */
void change_hear(struct change *c, const struct group_message *message);

enum { CHANGE_E_BUSY = 1, CHANGE_E_VIEW = 2 };

/*
 * Proposes a change of a kind, from 1, with len bytes for those who make it.
 * 0: a RESULT will come.  CHANGE_E_BUSY: one is under way that is known of;
 * CHANGE_E_VIEW: this node is in no view.
 */
RK_MUST_CHECK int change_propose(
    struct change *c, uint8_t kind, const void *body, size_t len);

/*
 * What came of a PREPARE: text is words of its own for the proposer, or says
 * why not; what is too long of it is cut off.  Ignored when the change is over.
 */
void change_vote(struct change *c, const struct change_id *id, bool is_for,
    const char *text);

/* Ends this node's own proposal, if it has one; a RESULT will come. */
void change_cancel(struct change *c);

/* ---- effects ----------------------------------------------------------- */

enum change_effect_kind {
	CHANGE_OUT_PREPARE, /* answer with change_vote, when it is done */
	CHANGE_OUT_COMMIT,
	CHANGE_OUT_ABORT,  /* undo what a PREPARE, perhaps unanswered, did */
	CHANGE_OUT_RESULT, /* of this node's proposal; behind the others */
};

struct change_effect {
	enum change_effect_kind kind;
	struct change_id id;
	enum change_outcome outcome; /* ABORT, RESULT */
	/* PREPARE, COMMIT, ABORT: of the proposal; body is borrowed until the
	 * next input. */
	uint8_t change;
	const uint8_t *body;
	size_t len;
};
bool change_next(struct change *c, struct change_effect *out);

/* The oldest message to be ordered; false: none.  Borrowed until the next
 * call. */
bool change_message(struct change *c, const uint8_t **bytes, size_t *len);
/* It is with the ring. */
void change_sent(struct change *c);

/* ---- beside them ------------------------------------------------------- */

enum change_ballot { CHANGE_NO_VOTE, CHANGE_FOR, CHANGE_AGAINST };

/*
 * What member i (from 0) of the latest change said, in ascending order of the
 * nodes; false when there are no more.  text is borrowed until the next input.
 */
struct change_member {
	uint32_t node;
	enum change_ballot ballot;
	const char *text;
};
bool change_member(
    const struct change *c, uint32_t i, struct change_member *out);

/* The latest change is this node's last proposal: not when that was never
 * ordered, or came second. */
bool change_is_own(const struct change *c);

/* A change is under way, proposed by anybody. */
bool change_is_current(const struct change *c);

/* Messages that made no sense, since the start. */
uint64_t change_malformed(const struct change *c);

#endif
