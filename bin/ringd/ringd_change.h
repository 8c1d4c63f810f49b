/* SPDX-License-Identifier: BSD-3-Clause */
/* What all ringds change together: the shell around change.[ch].
 *
 * Which change is whose is decided here, by its kind: those of the keys
 * (ringd_keys.h) and of the configuration (ringd_reload.h).
 */
#ifndef RK_RINGD_CHANGE_H
#define RK_RINGD_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/os/svc.h"

#include "bin/ringd/change.h"

struct arena;
struct ringd;
struct text;

/* Kinds of changes beside enum ringd_keys_change, and not below them. */
enum {
	RINGD_CHANGE_RELOAD = 16,
	RINGD_CHANGE_TRY, /* a reload that changes nothing */
};

struct ringd_change {
	struct change *core;
	/* This node's own proposal. */
	uint8_t asked;        /* its kind; 0: there was none */
	uint64_t cookie;      /* who is to be answered; 0: nobody */
	uint64_t deadline_ns; /* when to give it up */
	bool is_cancelled;    /* and it was */
	enum change_outcome outcome;
	const char *code; /* instead of an outcome; NULL: there is one */
	char words[CHANGE_TEXT_BYTES_MAX + 1];
	bool is_unsent; /* the groups had no room for a message */
};

/* NULL from a measuring arena. */
struct ringd_change *ringd_change_create(struct arena *arena, struct ringd *r);

/* ---- what happens, in its order ---------------------------------------- */

void ringd_change_view(struct ringd *r, const struct totem_view *view);

/* Is it a ringd's message about a change?  Then it is taken. */
bool ringd_change_message(struct ringd *r, const struct group_message *message);

/* At the end of a turn: sends what is to be sent. */
void ringd_change_turn(struct ringd *r);

/* ---- this node's part -------------------------------------------------- */

/* The vote on a change; text is words of a record. */
void ringd_change_vote(
    struct ringd *r, const struct change_id *id, bool is_for, const char *text);

/* No, and why: a sentence. */
void ringd_change_refuse(
    struct ringd *r, const struct change_id *id, const char *why);

/*
 * Why this node can propose nothing now: a code of svc_err with the words;
 * NULL: it can.
 */
const char *ringd_change_obstacle(const struct ringd *r, const char **words);

struct ringd_change_proposal {
	uint8_t kind;
	const void *body;
	size_t len;
	uint64_t cookie;      /* who waits; 0: nobody */
	uint64_t patience_ns; /* then it is given up; 0: after 40 s */
};

/*
 * Proposes; what comes of it goes to whoever waits, at most in a minute, and in
 * any case to the log.
 */
void ringd_change_propose(
    struct ringd *r, const struct ringd_change_proposal *p);

/* The same for what cannot even be proposed: a code of svc_err, and words. */
void ringd_change_fail(
    struct ringd *r, uint64_t cookie, const char *code, const char *words);

/* The answer to a request that waited, see ringd_client_pend. */
void ringd_change_answer(
    struct ringd *r, struct svc_client *client, const char *tag);

/* The name of a node; "" when it is not configured. */
const char *ringd_change_name(const struct ringd *r, uint32_t node);

#endif
