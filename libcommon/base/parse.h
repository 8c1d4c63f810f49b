/* SPDX-License-Identifier: BSD-3-Clause */
/* Strict reading of numbers, durations, sizes and positions from text. */
#ifndef RK_PARSE_H
#define RK_PARSE_H

#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

/*
 * The whole text must be the value: no blanks, no sign, nothing after it.
 * On anything but 0 the result is left as it was.
 */
enum parse_error {
	PARSE_E_SYNTAX = 1, /* not written like one */
	PARSE_E_RANGE,      /* written well, but too small or too large */
};

/* Decimal; at least min, at most max. */
RK_MUST_CHECK int parse_u64(
    const char *bytes, size_t len, uint64_t min, uint64_t max, uint64_t *out);

/* The id of a configured node: 1 .. LIMIT_NODE_ID_MAX. */
RK_MUST_CHECK int parse_node_id(const char *bytes, size_t len, uint32_t *out);

#define PARSE_FOREVER UINT64_MAX

/*
 * A number with or without decimals and one of ms, s, m, h; s may be left
 * out.  "inf" is PARSE_FOREVER; what is finer than a nanosecond is cut off.
 */
RK_MUST_CHECK int parse_duration(
    const char *bytes, size_t len, uint64_t *out_ns);

/* Bytes: a whole number, with or without KiB, MiB or GiB. */
RK_MUST_CHECK int parse_size(
    const char *bytes, size_t len, uint64_t *out_bytes);

/* "yes" is 1, "no" is 0. */
RK_MUST_CHECK int parse_yes_no(const char *bytes, size_t len, int *out);

/* REP.SEQ, a view's name. */
struct parse_view {
	uint32_t rep;
	uint64_t seq;
};
RK_MUST_CHECK int parse_view(
    const char *bytes, size_t len, struct parse_view *out);

/* REP.SEQ:SEQ.IDX, a place in a view's order. */
struct parse_pos {
	struct parse_view view;
	uint64_t seq;
	uint32_t idx;
};
RK_MUST_CHECK int parse_pos(
    const char *bytes, size_t len, struct parse_pos *out);

#endif
