/* SPDX-License-Identifier: BSD-3-Clause */
/* Records on standard output, in the form that was asked for. */
#ifndef RK_WATCHER_PRINT_H
#define RK_WATCHER_PRINT_H

#include <stdbool.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/out.h"

struct word;

struct watcher_printer {
	bool is_json;
	const char *fields; /* event,node,…; NULL: whole records */
	bool is_null;       /* ends a record with NUL, not with LF */
	struct out out;
};

/* Names of keys, at least one. */
RK_MUST_CHECK bool watcher_fields_are_valid(const char *fields);

/* Uses word up. */
void watcher_print(
    struct watcher_printer *printer, const char *event, struct word *word);

#endif
