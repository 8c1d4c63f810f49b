/* SPDX-License-Identifier: BSD-3-Clause */
/* A line's words as a record or as a JSON object, into an out. */
#ifndef RK_RECORD_H
#define RK_RECORD_H

#include <stddef.h>

struct out;
struct word;

/*
 * EVENT key=value…, all of the line's pairs in their order; no line feed, so
 * that more may follow.  Values that were not undone are passed on as they
 * are.
 */
void record_put(struct out *out, const char *event, struct word *word);

/*
 * {"v":1,"EVENT_KEY":"EVENT","key":value,… with the brace left open.  Numbers
 * are numbers, lists arrays; "key" is "key_b64" when its bytes are not UTF-8.
 * Takes lists apart: word is used up.
 */
void record_put_json(struct out *out, const char *event_key, const char *event,
    struct word *word);

/* The members of another line: ,"key":value,… */
void record_put_json_more(struct out *out, struct word *word);

/* One more member: ,"key":"bytes" or ,"key_b64":"…". */
void record_put_json_bytes(
    struct out *out, const char *key, const void *bytes, size_t len);

#endif
