/* SPDX-License-Identifier: BSD-3-Clause */
/* The three ways to ask: once, until it is so, and as long as it is so. */
#ifndef RK_CHECKQ_H
#define RK_CHECKQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/os/exitcode.h"

#include "bin/check-quorum/cond.h"

struct ask;

enum checkq_show {
	CHECKQ_SILENT,
	CHECKQ_HUMAN,
	CHECKQ_JSON,
	CHECKQ_FIELDS,
	CHECKQ_NAGIOS,
	CHECKQ_WHY,
	CHECKQ_WHY_JSON,
};

struct checkq_options {
	const char *rundir;
	struct cond *conds; /* at least one */
	size_t cond_count;
	enum checkq_show show;
	const char *fields;  /* CHECKQ_FIELDS: good names, joined by commas */
	uint64_t fresh_ns;   /* UINT64_MAX: not given */
	uint64_t for_ns;     /* true without a break for so long */
	uint64_t timeout_ns; /* UINT64_MAX: not given, or for ever */
	uint64_t kill_after_ns;
	bool is_hold;         /* else wait */
	bool ignores_child;   /* wait: how the command ends does not matter */
	char *const *command; /* NULL: none */
};

/* Asks once and prints: what main returns. */
int checkq_once(const struct checkq_options *options);

/* Waits, or holds: what main returns. */
int checkq_stand(const struct checkq_options *options);

/* What quorumd answers to "quorum", and so what -o may ask for. */
extern const char checkq_fields[];

/* The first condition that names a node which is not there; NULL: none. */
const struct cond *checkq_stranger(
    const struct checkq_options *options, const struct known *known);

/* By when the daemon must have answered a request made now. */
uint64_t checkq_deadline_ns(const struct checkq_options *options);

#endif
