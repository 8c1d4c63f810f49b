/* SPDX-License-Identifier: BSD-3-Clause */
/* What check-quorum prints of an answer. */
#ifndef RK_CHECKQ_SHOW_H
#define RK_CHECKQ_SHOW_H

#include "bin/check-quorum/checkq.h"

struct ask_line;
struct out;

/* Makes the answer to "quorum" say that it is too old to be one. */
void checkq_show_stale(struct ask_line *line);

/* The answer to "quorum". */
void checkq_show_answer(struct out *out, const struct checkq_options *options,
    struct ask_line *line, const struct known *known);

/* One item of "why". */
void checkq_show_rule(
    struct out *out, enum checkq_show show, struct ask_line *line);

/* For a plugin's caller: there was no answer; 3. */
int checkq_show_nagios_unknown(struct out *out, const char *why);

/* 0, 1, 2 or 3. */
int checkq_show_nagios(
    struct out *out, struct ask_line *line, const struct known *known);

#endif
