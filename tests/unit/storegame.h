/* SPDX-License-Identifier: BSD-3-Clause */
/* The store's rules as a game of chance, each of which can be left out. */
#ifndef RK_STOREGAME_H
#define RK_STOREGAME_H

#include <stdbool.h>
#include <stdint.h>

enum storegame_tie { STOREGAME_TIE_NODE, STOREGAME_TIE_FENCE };

/* What is not kept of the rules. */
enum storegame_laxity {
	STOREGAME_LAX_NOT,
	STOREGAME_LAX_ANY_VIEW_OPENS,
	STOREGAME_LAX_HALF_OPENS,
	STOREGAME_LAX_HALF_OPENS_RESTARTED,
	STOREGAME_LAX_HALF_OPENS_UNFENCED,
	STOREGAME_LAX_FENCED_FOR_GOOD,
	STOREGAME_LAX_FENCED_BY_LOG,
	STOREGAME_LAX_BLANK_COUNTS,
	STOREGAME_LAX_SHORT_COUNTS,
	STOREGAME_LAX_LONGEST_LOG,
	STOREGAME_LAX_NEWEST_EPOCH,
	STOREGAME_LAX_COUNTED_EPOCHS,
	STOREGAME_LAX_OLD_BEFORE_OPEN,
	STOREGAME_LAX_ONE_FSYNC,
	STOREGAME_LAX_MOST_OF_VIEW,
	STOREGAME_LAX_NEW_ELECTORATE_ALONE,
	STOREGAME_LAX_OLD_ELECTORATE_ALONE,
	STOREGAME_LAX_CUT_UNACKNOWLEDGED,
	STOREGAME_LAX_TRANSITIONAL_KEPT,
	STOREGAME_LAXITIES
};

/* What the rules were asked, of sets: bit i is node i. */
enum storegame_question { STOREGAME_OPEN, STOREGAME_ELECT, STOREGAME_DURABLE };

struct storegame_verdict {
	enum storegame_question kind;
	bool is_yes;
	enum storegame_tie tie;
	uint32_t members, verified, lasting, fenced;
	uint32_t synced;    /* of DURABLE */
	uint64_t now, next; /* electorates; of ELECT: next is proposed */
};

struct storegame {
	unsigned node_count; /* at most 6 */
	enum storegame_tie tie;
	enum storegame_laxity laxity;
	uint64_t votes; /* at first: a byte for each node, the first lowest */
	/* Is told each verdict; NULL: nobody is. */
	void (*on_verdict)(const struct storegame_verdict *verdict);
};

/* What happened, over many games. */
struct storegame_tally {
	uint64_t opens;
	uint64_t halves; /* of these, by half of the votes */
	uint64_t acks;   /* of something that was not acknowledged before */
	uint64_t elects;
	uint64_t cuts;
};

/*
 * Plays one game, the same for the same seed, and adds to the tally.  true:
 * an acknowledged write was lost.
 */
bool storegame_play(
    const struct storegame *game, uint64_t seed, struct storegame_tally *tally);

#endif
