/* SPDX-License-Identifier: BSD-3-Clause */
/* What ringd tells, in the format that was asked for. */
#ifndef RK_MSGCAT_PRINT_H
#define RK_MSGCAT_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/out.h"

struct ask_line;
struct word;

enum msgcat_format {
	MSGCAT_PAYLOAD, /* the message and what ends it */
	MSGCAT_RECORD,  /* one line of key=value words */
	MSGCAT_JSON,
	MSGCAT_FRAMED, /* len=N LF, N bytes, LF */
	MSGCAT_CUSTOM, /* as the pattern says, and what ends it */
};

struct msgcat_printer {
	enum msgcat_format format;
	const char *end; /* of a message in payload and custom form */
	size_t end_len;
	const char *pattern; /* of the custom form, valid */
	bool is_terminal;    /* control bytes are shown, not sent */
	uint64_t seq;        /* of the last record */
	char stamp[CLOCK_STAMP_BYTES];
	struct out out;
};

bool msgcat_pattern_is_valid(const char *pattern);

/* Records from now on bear this time. */
void msgcat_print_time(struct msgcat_printer *printer, uint64_t real_ns);

/* line is a msg event. */
void msgcat_print_message(
    struct msgcat_printer *printer, struct ask_line *line);

/*
 * An event that is no message.  false: this format cannot show it, and
 * nothing was printed.
 */
bool msgcat_print_event(
    struct msgcat_printer *printer, const char *event, struct word *word);

#endif
