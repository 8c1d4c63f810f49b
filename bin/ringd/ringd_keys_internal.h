/* SPDX-License-Identifier: BSD-3-Clause */
/* What ringd_keys*.c share. */
#ifndef RK_RINGD_KEYS_INTERNAL_H
#define RK_RINGD_KEYS_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bin/ringd/ringd_keys.h"

struct cluster_node;

/* The keyring has that key under that id. */
bool ringd_keys_is_same(const struct box_keyring *ring, uint8_t id,
    const uint8_t key[BOX_KEY_BYTES]);

/* What a committed change makes of the keyring. */
void ringd_keys_apply(
    struct box_keyring *ring, const struct ringd_keyfile_job *job);

/*
 * A change to be proposed, as it travels: a new key is sealed under a key that
 * is derived from the active one for this purpose alone.  The length.
 */
size_t ringd_keys_close_body(const struct ringd *r,
    const struct ringd_keyfile_job *job, uint8_t out[CHANGE_BODY_BYTES_MAX]);

/* NULL and the change, id and key of *out; or what is wrong with it. */
const char *ringd_keys_open_body(const struct ringd *r,
    const struct change_effect *effect, struct ringd_keyfile_job *out);

/* The first configured node that is not in the view; NULL: all are. */
const struct cluster_node *ringd_keys_absent(const struct ringd *r);

#endif
