/* SPDX-License-Identifier: BSD-3-Clause */
/* A small sorted set of node ids, as lists of records hold them.  Pure. */
#ifndef RK_HOOK_IDS_H
#define RK_HOOK_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/limits.h"

struct text;

/* What does not fit is left out: no cluster has so many nodes. */
struct hook_ids {
	uint32_t id[LIMIT_NODES];
	size_t count;
};

bool hook_ids_has(const struct hook_ids *ids, uint32_t id);
void hook_ids_add(struct hook_ids *ids, uint32_t id);

/* What is no node id is passed over.  value is that of a record: 1,2,3. */
void hook_ids_add_list(struct hook_ids *ids, const char *value, size_t len);

/* With the separator in between. */
void hook_ids_put(const struct hook_ids *ids, char separator, struct text *out);

#endif
