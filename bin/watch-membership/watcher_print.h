/* SPDX-License-Identifier: BSD-3-Clause */
/* Records on standard output, in the form that was asked for. */
#ifndef RK_WATCHER_PRINT_H
#define RK_WATCHER_PRINT_H

#include <stdbool.h>

#include "libcommon/os/out.h"

struct word;

struct watcher_printer {
	bool is_json;
	const char *fields; /* event,node,…; NULL: whole records */
	bool is_null;       /* ends a record with NUL, not with LF */
	struct out out;
};

/* The keys of all records, "event" first. */
extern const char watcher_fields[];

/* Uses word up. */
void watcher_print(
    struct watcher_printer *printer, const char *event, struct word *word);

#endif
