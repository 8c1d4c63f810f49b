/* SPDX-License-Identifier: BSD-3-Clause */
/* A state of the store with the keys that a test wants. */
#ifndef RK_STATEKEYS_H
#define RK_STATEKEYS_H

#include "bin/cfgstored/kv.h"

/* Empty; one at a time. */
struct kv *statekeys_begin(const struct kv_config *cfg);
void statekeys_end(void);

void statekeys_put(
    struct kv *kv, const char *key, const void *value, size_t len);

#endif
