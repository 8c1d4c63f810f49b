/* SPDX-License-Identifier: BSD-3-Clause */
/* Random histories of a store that keeps its promises, or breaks one. */
#ifndef RK_LINGAME_H
#define RK_LINGAME_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum lingame_lie {
	LINGAME_HONEST,
	LINGAME_LOST,         /* a write is answered but not made */
	LINGAME_TWICE,        /* a write is made twice */
	LINGAME_REFUSED,      /* a write is refused but made */
	LINGAME_REORDERED,    /* a write is told a revision of the past */
	LINGAME_SAME,         /* two writes are told one revision */
	LINGAME_CARELESS,     /* a write is made against its condition */
	LINGAME_STRICT,       /* a write is refused though it may be made */
	LINGAME_STALE,        /* a read is answered from the past */
	LINGAME_STALE_STRICT, /* a write is refused for what was */
	LINGAME_FUTURE,       /* a write is seen before it was asked for */
	LINGAME_GARBLED,      /* a read gives another value */
	LINGAME_VANISHED,     /* a key is gone that nobody deleted */
	LINGAME_DEAF,         /* a watcher is not told of a change */
	LINGAME_STAMMER,      /* or twice */
	LINGAME_SHUFFLED,     /* or of two in the wrong order */
	LINGAME_FORGETFUL,    /* or not of a key that is there */
	LINGAME_SHARED,       /* a lock is held twice at once */
	LINGAME_OLD_TOKEN,    /* a lock's token does not grow */
	LINGAME_LATE,         /* a write with an old token is made */
	LINGAME_LIES,
};

struct lingame {
	uint64_t seed;
	unsigned clients, steps, keys;
	unsigned values; /* so many different ones; 0: all differ */
	bool is_plain;   /* no watches, no locks, no local reads */
	bool is_vague;   /* many answers do not say their revision */
	enum lingame_lie lie;
};

/* Writes the history; answers how often it lied. */
unsigned lingame_play(const struct lingame *game, FILE *to);

const char *lingame_name(enum lingame_lie lie);

#endif
