/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a watcher is in the history of a state, which may become another one.
 *
 * Pure.  What was told is counted in whole revisions; within one, the version
 * told last is remembered.  A version is borrowed from one state: when the
 * state was thrown away and made anew, only revisions are still known, and of
 * these only what was durable is surely the same.
 */
#ifndef RK_CFGSTORED_PLACE_H
#define RK_CFGSTORED_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bin/cfgstored/kv.h"

/* Which state: of which replica, and how often that one began anew. */
struct cfgstored_place_state {
	uint64_t run;
	uint64_t generation;
};

struct cfgstored_place {
	struct cfgstored_place_state of;
	uint64_t rev; /* all told up to here */
	/* The version that was told last; NULL: none is remembered. */
	const struct kv_version *at;
	uint64_t at_rev;
	size_t key_len; /* of at */
	uint8_t key[KV_KEY_BYTES_MAX];
};

/* Behind this revision of that state. */
void cfgstored_place_begin(struct cfgstored_place *place,
    const struct cfgstored_place_state *of, uint64_t rev);

/*
 * The version that comes next, NULL: none; false: it is not known what was
 * missed.  Of the state that the place is of.
 */
bool cfgstored_place_next(const struct cfgstored_place *place,
    const struct kv *kv, const struct kv_version **out);

/* This one was told, or is nothing for this watcher. */
void cfgstored_place_pass(struct cfgstored_place *place, const struct kv *kv,
    const struct kv_version *version);

/* All that there is was told. */
void cfgstored_place_end(struct cfgstored_place *place, const struct kv *kv);

struct cfgstored_place_look {
	const struct kv *kv;
	struct cfgstored_place_state of;
	uint64_t safe_rev; /* so much was durable, of any state that was here */
	bool is_complete;  /* the state has all that ever was durable */
};

enum cfgstored_place_verdict {
	CFGSTORED_PLACE_SAME,  /* go on */
	CFGSTORED_PLACE_MOVED, /* told once: go on, in another state */
	CFGSTORED_PLACE_WAITS, /* for the state to be as far as the other was */
	CFGSTORED_PLACE_LOST,  /* told once: all has to be told anew */
};

/*
 * Before anything is told: is the state still the one that the place is of, or
 * one that goes on from there?
 */
enum cfgstored_place_verdict cfgstored_place_follow(
    struct cfgstored_place *place, const struct cfgstored_place_look *look);

#endif
