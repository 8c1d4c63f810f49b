/* SPDX-License-Identifier: BSD-3-Clause */
/* Conditions: read from text, judged by what is known; pure. */
#ifndef RK_COND_H
#define RK_COND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

#include "bin/check-quorum/known.h"

enum cond_kind {
	COND_QUORATE,
	COND_COORDINATOR, /* this node, of a quorate view */
	COND_ALONE,       /* this node is the only member */
	COND_ALL,         /* every node of the table is a member */
	COND_MEMBERS,     /* at least count members */
	COND_MEMBER,
	COND_LOST,      /* it went, and did not say goodbye */
	COND_RESTARTED, /* since known_arm: it is a member anew */
	COND_FENCED,    /* as it was when it was lost */
	COND_DAEMON,    /* the daemon answers and knows; never unknown */
	COND_SETTLED,
};

struct cond {
	enum cond_kind kind;
	bool is_negated;
	uint64_t count;   /* COND_MEMBERS */
	const char *node; /* borrowed from the text; NULL: takes none */
	const char *text; /* borrowed */
};

enum cond_error {
	COND_E_WORD = 1, /* no such condition */
	COND_E_NODE,     /* its NODE is missing or has a byte no name has */
	COND_E_COUNT,    /* its N is not a number */
};

/* [!]WORD, [!]WORD:NODE or [!]members>=N. */
RK_MUST_CHECK int cond_parse(struct cond *cond, const char *text);

/* "no such condition" */
const char *cond_error_text(int error);

/* The table of nodes must be known to judge it. */
bool cond_needs_nodes(const struct cond *cond);

/*
 * All of them together: no as soon as one is false, else unknown as soon as
 * one is.  A NODE that is not in the table makes its condition unknown.
 */
enum known_answer cond_judge(
    const struct cond *conds, size_t count, const struct known *known);

/* The first that is not true; NULL: all are. */
const struct cond *cond_missing(
    const struct cond *conds, size_t count, const struct known *known);

#endif
