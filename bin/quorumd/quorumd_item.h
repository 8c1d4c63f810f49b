/* SPDX-License-Identifier: BSD-3-Clause */
/* Items and words of quorum.sock's replies. */
#ifndef RK_QUORUMD_ITEM_H
#define RK_QUORUMD_ITEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/parse.h"
#include "libcommon/os/svc.h"

struct text;

enum { QUORUMD_LINE_BYTES = 8192 }; /* of a line that is built */

/* KEY=VALUE, after a blank unless the line begins with it. */
void quorumd_put(struct text *out, const char *key, const char *value);
void quorumd_put_number(struct text *out, const char *key, uint64_t number);
/* The value is quoted. */
void quorumd_put_value(struct text *out, const char *key, const char *value);
void quorumd_put_ids(
    struct text *out, const char *key, const uint32_t *id, size_t count);

/* REP.SEQ */
void quorumd_put_view(struct text *out, struct parse_view view);
const char *quorumd_yes_no(bool is_so);

/* One item: bytes has QUORUMD_LINE_BYTES. */
void quorumd_begin_item(
    const struct svc_request *req, struct text *out, char *bytes);
void quorumd_end_item(
    const struct svc_request *req, struct text *out, uint64_t *items);
/* ok n=ITEMS */
enum svc_result quorumd_end_items(
    const struct svc_request *req, uint64_t items);

#endif
