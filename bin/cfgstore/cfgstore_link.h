/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests to the store's daemon, each with a deadline.
 *
 * What goes wrong ends the program with the code that is owed for it, so
 * callers see only answers that they have to judge.
 */
#ifndef RK_CFGSTORE_LINK_H
#define RK_CFGSTORE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/ask.h"
#include "libcommon/os/opt.h"

struct text;

/* What every verb may be given. */
struct cfgstore_given {
	const char *rundir;
	uint64_t timeout_ns; /* UINT64_MAX: not given */
};
extern struct cfgstore_given cfgstore_given;

/* Rows of a table of options. */
#define CFGSTORE_OPT_TIMEOUT                                              \
	{                                                                 \
		't', "timeout", OPT_DURATION, &cfgstore_given.timeout_ns, \
		    NULL, "DUR",                                          \
		    "how long the daemon may take, then end with 124"     \
	}
#define CFGSTORE_OPT_RUNDIR                                               \
	{                                                                 \
		'\0', "rundir", OPT_STRING, &cfgstore_given.rundir, NULL, \
		    "DIR", "where cfg.sock is"                            \
	}

struct cfgstore_link {
	struct ask *ask;
	uint64_t deadline_ns; /* of the request at hand */
	bool is_write;        /* its effect is not known without an answer */
	bool takes_long;      /* err code=toolong is the caller's to judge */
};

void cfgstore_link_open(struct cfgstore_link *link);
void cfgstore_link_close(struct cfgstore_link *link);

/* A new request, and time for it. */
void cfgstore_link_begin(struct cfgstore_link *link, bool is_write);
/* Some of its bytes. */
void cfgstore_link_put(
    struct cfgstore_link *link, const void *bytes, size_t len);
/* A line that was built, without its line feed; 65 when it did not fit. */
void cfgstore_link_put_line(
    struct cfgstore_link *link, const struct text *line);

/*
 * The next line of the answer: ok, item, or no with one of the codes absent,
 * compacted, conflict and nolease.  All else ends the program.
 */
enum ask_kind cfgstore_link_next(
    struct cfgstore_link *link, struct ask_line *out);

/* no, and its code is this. */
bool cfgstore_link_is_no(const struct ask_line *line, const char *code);
/* The same of err. */
bool cfgstore_link_is_err(const struct ask_line *line, const char *code);

/* The answer is not one that a daemon of ours gives. */
RK_NORETURN void cfgstore_link_fail_protocol(void);

/* A number in an answer; without it, it is none of ours. */
uint64_t cfgstore_link_u64(const struct ask_line *line, const char *key);

/* The bytes of data that one request may have. */
uint64_t cfgstore_link_max_data(const struct cfgstore_link *link);

/* How long the rest of the request may take, for its timeout=. */
void cfgstore_link_put_timeout(
    const struct cfgstore_link *link, struct text *line);

#endif
