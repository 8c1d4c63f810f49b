/* SPDX-License-Identifier: BSD-3-Clause */
/* A change of the store: conditions and changes, all or none.
 *
 * Built part by part and sent as one txn.  A condition that did not hold is
 * told in words, so that whoever calls needs only the outcome.
 */
#ifndef RK_CFGSTORE_WRITE_H
#define RK_CFGSTORE_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

#include "bin/cfgstore/cfgstore_bytes.h"

struct ask_line;
struct cfgstore_link;

enum { CFGSTORE_KEY_BYTES_MAX = 512 };

/* A duration that a lease may have, 100ms to a year. */
RK_MUST_CHECK bool cfgstore_write_is_ttl(const char *arg, size_t len);

/* What the verbs that write may be given. */
struct cfgstore_how {
	bool is_memory; /* acknowledged before it is on disk */
	bool has_lock;
	const char *lock; /* NAME:TOKEN; "": from the environment */
};
extern struct cfgstore_how cfgstore_how;
bool cfgstore_how_durability(const char *arg);
bool cfgstore_how_lock(const char *arg);

#define CFGSTORE_OPT_DURABILITY                                              \
	{                                                                    \
		'\0', "durability", OPT_CALL, NULL, cfgstore_how_durability, \
		    "HOW", "disk, or memory: it may be lost in a power cut"  \
	}
#define CFGSTORE_OPT_LOCK                                            \
	{                                                            \
		'\0', "lock", OPT_CALL, NULL, cfgstore_how_lock,     \
		    "[NAME:TOKEN]",                                  \
		    "only while that lock is held; without: our own" \
	}

enum cfgstore_if {
	CFGSTORE_IF_REV, /* 0: absent */
	CFGSTORE_IF_EXISTS,
	CFGSTORE_IF_VALUE,
	CFGSTORE_IF_LOCK, /* as IF_REV, of a key of a lock */
};

/* A condition, kept for what is said when it does not hold. */
struct cfgstore_condition {
	enum cfgstore_if kind;
	uint64_t rev;
	size_t line; /* of the input; 0: none */
	char *key;
	size_t key_len;
};

struct cfgstore_write {
	struct cfgstore_bytes conditions, grant, changes; /* their lines */
	struct cfgstore_condition *condition;
	size_t condition_count, change_count;
	bool is_silent;  /* a condition that did not hold is not told */
	bool takes_long; /* too much for one transaction sets … */
	bool is_long;    /* … this, in place of ending the program */
};

void cfgstore_write_clear(struct cfgstore_write *write);

/* key_len bytes of key; value: only of IF_VALUE, else NULL. */
void cfgstore_write_if(struct cfgstore_write *write,
    const struct cfgstore_condition *condition,
    const struct cfgstore_bytes *value);
void cfgstore_write_grant(struct cfgstore_write *write, const char *ttl);
/* lease: its number, "new" for the one that is granted here, NULL: none. */
void cfgstore_write_put(struct cfgstore_write *write,
    const struct cfgstore_bytes *key, const struct cfgstore_bytes *value,
    const char *lease);
void cfgstore_write_del(
    struct cfgstore_write *write, const struct cfgstore_bytes *key);
void cfgstore_write_del_prefix(
    struct cfgstore_write *write, const struct cfgstore_bytes *prefix);

/* What would be sent. */
size_t cfgstore_write_bytes(const struct cfgstore_write *write);

/*
 * Sends it, with the condition of --lock: true, and *line is the answer, or
 * false after a condition that did not hold, which was said; then *line has
 * key and rev.
 */
RK_MUST_CHECK bool cfgstore_write_send(struct cfgstore_write *write,
    struct cfgstore_link *link, struct ask_line *line);

/*
 * Prints the words of the answer; without -j and -o its revision with -v,
 * else nothing.
 */
void cfgstore_write_show(
    struct ask_line *line, bool is_done, bool is_json, const char *fields);

#endif
