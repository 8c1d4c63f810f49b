/* SPDX-License-Identifier: BSD-3-Clause */
/* Which keys are meant, and reading all of them in one state. */
#ifndef RK_CFGSTORE_SCOPE_H
#define RK_CFGSTORE_SCOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

struct ask_line;
struct cfgstore_link;
struct opt_program;
struct text;

struct cfgstore_scope {
	const char *const *names; /* none: all keys */
	size_t count;
	bool is_prefix; /* the names are the beginnings of keys, not globs */
};

/* Every glob can be one: 0 or OPT_E_USAGE. */
RK_MUST_CHECK int cfgstore_scope_check(
    const struct cfgstore_scope *scope, const struct opt_program *program);

/* " glob=…" or " prefix=…", or nothing, for a request. */
void cfgstore_scope_put(const struct cfgstore_scope *scope, struct text *line);

bool cfgstore_scope_has(
    const struct cfgstore_scope *scope, const void *key, size_t len);

/* " key=…" for a request. */
void cfgstore_scope_put_key(struct text *line, const void *key, size_t len);

struct cfgstore_pages {
	const struct cfgstore_scope *scope;
	bool is_keys_only;
	bool is_sync;
	/* Each item; borrowed. */
	void (*take)(void *arg, struct ask_line *item);
	void *arg;
};

/*
 * All keys of the scope, in order, as they were at one revision, which is
 * answered.
 */
uint64_t cfgstore_pages_read(
    struct cfgstore_link *link, const struct cfgstore_pages *pages);

#endif
