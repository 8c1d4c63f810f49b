/* SPDX-License-Identifier: BSD-3-Clause */
/* Which keys somebody asked for, and may see. */
#ifndef RK_CFGSTORED_FILTER_H
#define RK_CFGSTORED_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/unixsock.h"

#include "bin/cfgstored/kv.h"

struct cluster_conf;
struct word;

enum { CFGSTORED_GLOBS_BYTES = 2048 };

struct cfgstored_filter {
	const struct cluster_conf *conf;
	struct unixsock_peer peer;
	size_t prefix_len;
	uint8_t prefix[KV_KEY_BYTES_MAX];
	size_t globs_len;                  /* 0: all */
	char globs[CFGSTORED_GLOBS_BYTES]; /* as written, apart by commas */
};

/*
 * From glob= and prefix= of a request, whose rights count; conf is the
 * caller's to set.  What is wrong with them, or NULL.
 */
RK_MUST_CHECK const char *cfgstored_filter_take(struct cfgstored_filter *filter,
    struct word *word, const struct unixsock_peer *peer);

bool cfgstored_filter_has(const struct cfgstored_filter *filter,
    const struct kv *kv, const struct kv_version *version);

/* The same, as struct kv_past_query has it. */
bool cfgstored_filter_is_wanted(
    void *filter, const struct kv *kv, const struct kv_version *version);

#endif
