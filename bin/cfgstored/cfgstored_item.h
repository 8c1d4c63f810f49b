/* SPDX-License-Identifier: BSD-3-Clause */
/* Words of cfg.sock's lines. */
#ifndef RK_CFGSTORED_ITEM_H
#define RK_CFGSTORED_ITEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bin/cfgstored/kv.h"
#include "bin/cfgstored/kv_rules.h"

struct text;

enum { CFGSTORED_LINE_BYTES = 8192 }; /* of a line that is built */

/* KEY=VALUE, behind a blank. */
void cfgstored_put(struct text *out, const char *key, const char *value);
void cfgstored_put_number(struct text *out, const char *key, uint64_t number);
/* The value is quoted. */
void cfgstored_put_value(
    struct text *out, const char *key, const void *bytes, size_t len);
void cfgstored_put_key(
    struct text *out, const struct kv *kv, const struct kv_version *version);
const char *cfgstored_yes_no(bool is_so);

/* 1:1,2:1 */
void cfgstored_put_voters(
    struct text *out, const char *key, const struct kv_electorate *e);
void cfgstored_put_nodes(
    struct text *out, const char *key, const struct kv_nodes *nodes);

/* Bytes of the value, into a text that has room for them (ENSURE). */
void cfgstored_put_bytes(
    struct text *out, const struct kv *kv, const struct kv_version *version);

#endif
