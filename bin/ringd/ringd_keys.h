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
struct text;

/* What is prepared here, for a change of anybody. */
struct ringd_keys_work {
	bool is_asked; /* the writer is at it; ends with its answer */
	bool is_written;
	struct change_id id;
	struct ringd_keyfile_job job;
	uint64_t until_ns; /* RETIRE: how long to wait for sessions */
};

struct ringd_keys {
	struct box_keyring *ring; /* the caller's */
	struct ringd_keys_work work;
	uint64_t number;                     /* of the last job */
	enum ringd_keys_change asked_change; /* of this node's proposal */
	uint8_t asked_id;
	bool is_rekey_due;
};

/* NULL from a measuring arena. */
struct ringd_keys *ringd_keys_create(
    struct arena *arena, struct box_keyring *ring);

/* ---- what happens, in its order (ringd_change.c) ----------------------- */

void ringd_keys_prepare(struct ringd *r, const struct change_effect *effect);
void ringd_keys_commit(struct ringd *r);
void ringd_keys_abort(struct ringd *r);

/* The writer did what it was asked (r->disk.answer). */
void ringd_keys_written(struct ringd *r);

/* At the end of a turn. */
void ringd_keys_turn(struct ringd *r);

/* ---- what clients see -------------------------------------------------- */

/* The verb rotate-key. */
enum svc_result ringd_keys_rotate(void *arg, struct svc_request *req);

/* The first words of an item of its answer. */
void ringd_keys_put(const struct ringd *r, struct text *out);

#endif
