/* SPDX-License-Identifier: BSD-3-Clause */
/* What makes the store what a file says: a list of changes, sorted by key. */
#ifndef RK_CFGSTORE_PLAN_H
#define RK_CFGSTORE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

#include "bin/cfgstore/cfgstore_bytes.h"

struct cfgstore_link;
struct cfgstore_printer;
struct cfgstore_scope;

/* A key of the file, or one that is only in the store. */
struct cfgstore_entry {
	char *key;
	const char *value; /* of the file; NULL: the key is to go */
	size_t key_len, value_len;
	uint64_t rev; /* in the store; 0: it is not there */
	struct cfgstore_bytes old;
	size_t line;
	bool is_same;  /* nothing is to be done */
	bool is_extra; /* not of the file; its key is its own */
};

struct cfgstore_plan {
	/* Given: */
	const char *path;
	const struct cfgstore_scope *scope; /* what the file is about */
	bool is_replace; /* what is not in the file goes, within scope */
	bool is_sync;
	/* Own: */
	struct cfgstore_bytes bytes; /* of the file */
	struct cfgstore_entry *entry;
	size_t count, size;
	size_t file_count; /* of them are of the file */
	size_t change_count;
};

/* Keys that belong to the toolkit are no configuration. */
bool cfgstore_plan_is_own(const char *key, size_t len);

/* Reads the file; ends the program when it is none. */
void cfgstore_plan_load(struct cfgstore_plan *plan);

/* Reads the store and decides what is to be done, once or again. */
void cfgstore_plan_compare(
    struct cfgstore_plan *plan, struct cfgstore_link *link);

/* put and del records, with the old values. */
void cfgstore_plan_show(
    const struct cfgstore_plan *plan, struct cfgstore_printer *printer);

#endif
