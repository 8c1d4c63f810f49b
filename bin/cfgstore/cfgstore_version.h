/* SPDX-License-Identifier: BSD-3-Clause */
/* One key as it is, or was: for what is read before it is written. */
#ifndef RK_CFGSTORE_VERSION_H
#define RK_CFGSTORE_VERSION_H

#include <stdint.h>

#include "bin/cfgstore/cfgstore_bytes.h"

struct cfgstore_link;

struct cfgstore_version {
	uint64_t rev; /* 0: it is not there */
	struct cfgstore_bytes value;
};

/* at: a revision; UINT64_MAX: now. */
void cfgstore_version_read(struct cfgstore_link *link, const char *key,
    uint64_t at, struct cfgstore_version *out);

/*
 * Gives the key this value, NULL: deletes it, if its revision still is this.
 * Prints as cfgstore_write_show; the exit code.
 */
int cfgstore_version_replace(struct cfgstore_link *link, const char *key,
    uint64_t rev, const struct cfgstore_bytes *value);

/* Of cfgstore_version_replace. */
extern struct cfgstore_version_show {
	bool is_json;
	const char *fields;
} cfgstore_version_show;

#define CFGSTORE_OPT_VERSION_SHOW                                            \
	{ 'j', "json", OPT_FLAG, &cfgstore_version_show.is_json, NULL, NULL, \
		"print the outcome as a JSON object" },                      \
	{                                                                    \
		'o', "fields", OPT_STRING, &cfgstore_version_show.fields,    \
		    NULL, "LIST", "print these of the outcome: rev,…"      \
	}

#endif
