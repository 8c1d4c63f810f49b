/* SPDX-License-Identifier: BSD-3-Clause */
/* The keys of the ring, and their rotation: the shell around change.[ch]. */
#ifndef RK_RINGD_KEYS_H
#define RK_RINGD_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/os/box.h"
#include "libcommon/os/svc.h"

#include "bin/ringd/change.h"
#include "bin/ringd/ringd_keyfile.h"

struct arena;
struct ringd;

/* What is prepared here, for a change of anybody. */
struct ringd_keys_work {
	bool is_asked; /* the writer is at it; ends with its answer */
	bool is_written;
	struct change_id id;
	struct ringd_keyfile_job job;
	uint64_t until_ns; /* RETIRE: how long to wait for sessions */
};

struct ringd_keys {
	struct change *change;
	struct box_keyring *ring; /* the caller's */
	struct ringd_keys_work work;
	uint64_t number;                     /* of the last job */
	enum ringd_keys_change asked_change; /* of this node's proposal */
	uint8_t asked_id;
	uint64_t cookie;      /* who is to be answered; 0: nobody */
	uint64_t deadline_ns; /* when to give up this node's proposal */
	bool is_cancelled;    /* and it was */
	enum change_outcome outcome;
	bool is_rekey_due;
	bool is_unsent; /* the groups had no room for a message */
};

/* NULL from a measuring arena. */
struct ringd_keys *ringd_keys_create(
    struct arena *arena, struct ringd *r, struct box_keyring *ring);

/* ---- what happens, in its order ---------------------------------------- */

void ringd_keys_view(struct ringd *r, const struct totem_view *view);

/* Is it a ringd's message about a change?  Then it is taken. */
bool ringd_keys_message(struct ringd *r, const struct group_message *message);

/* The writer did what it was asked (r->disk.answer). */
void ringd_keys_written(struct ringd *r);

/* At the end of a turn: sends what is to be sent. */
void ringd_keys_turn(struct ringd *r);

/* ---- what clients see -------------------------------------------------- */

/* The verb rotate-key. */
enum svc_result ringd_keys_rotate(void *arg, struct svc_request *req);

/* The answer to it, which is over. */
void ringd_keys_answer(
    struct ringd *r, struct svc_client *client, const char *tag);

#endif
