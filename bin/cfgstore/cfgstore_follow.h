/* SPDX-License-Identifier: BSD-3-Clause */
/* Following the store: the state, then every change, over connections.
 *
 * Lossless: after a connection was lost the next one goes on behind the last
 * revision that was told whole.  Only when the daemon does not have that any
 * more there is a gap, and the state anew.
 */
#ifndef RK_CFGSTORE_FOLLOW_H
#define RK_CFGSTORE_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/exitcode.h"

#include "bin/cfgstore/cfgstore_print.h"

struct ask;
struct ask_line;
struct cfgstore_scope;
struct hook;

enum cfgstore_event {
	CFGSTORE_EXISTS,
	CFGSTORE_READY,
	CFGSTORE_PUT,
	CFGSTORE_DEL,
	CFGSTORE_GAP,
	CFGSTORE_AWAY,
	CFGSTORE_HERE,
	CFGSTORE_DOWN,
	CFGSTORE_UP,
	CFGSTORE_OTHER, /* of a later version; must be last */
};

enum cfgstore_step {
	CFGSTORE_ON,
	CFGSTORE_END,  /* the exit code is in code */
	CFGSTORE_LOST, /* the connection, by rc */
};

/* What is told. */
struct cfgstore_news {
	enum cfgstore_event event;
	struct cfgstore_record record; /* borrowed */
	bool is_snapshot;              /* EXISTS, and READY behind them */
	bool is_partial;               /* the rest of the revision follows */
	uint64_t rev;                  /* of the last that was whole */
};

struct cfgstore_follow;
typedef enum cfgstore_step cfgstore_take_fn(
    struct cfgstore_follow *follow, struct cfgstore_news *news);

struct cfgstore_follow {
	/* Given: */
	const struct cfgstore_scope *scope;
	cfgstore_take_fn *take;
	void *arg;         /* for take */
	bool is_sync;      /* the first state is not older than now */
	bool is_live_only; /* without the first state */
	bool stays_away;   /* a connection that was lost is the end */
	bool has_since;    /* in place of the state: behind since */
	uint64_t since;
	uint64_t timeout_ns; /* from ready on; UINT64_MAX: none */
	uint64_t wait_daemon_ns;
	int ready_fd;      /* -1: none */
	struct out *out;   /* flushed before waiting */
	struct hook *hook; /* NULL: none */

	/* Own: */
	struct ask *ask;
	enum exitcode code;
	int rc;
	bool is_subscribed; /* had its ready, on this connection */
	bool is_ready;      /* it was, once */
	bool is_filling;    /* the state is being told */
	bool is_down;       /* and said so */
	bool is_pinging;
	bool is_finishing; /* only hooks have still to do something */
	bool has_rev;
	uint64_t rev; /* of the last that was whole */
	/* How many of a revision's changes came over this connection, how many
	 * were told, over whichever: those are not told again. */
	uint64_t part_rev, part_count;
	uint64_t told_rev, told_count;
	uint64_t seq;
	uint64_t line_count; /* since the clock was read */
	uint64_t backoff_ns, deadline_ns;
	uint64_t answer_ns; /* by when the daemon must have spoken */
	uint64_t ping_ns;   /* when it is asked whether it is there */
};

/* Follows until take ends it, or something else: the exit code. */
enum exitcode cfgstore_follow_run(struct cfgstore_follow *follow);

enum cfgstore_step cfgstore_follow_end(
    struct cfgstore_follow *follow, enum exitcode code);

/* ---- between its files ------------------------------------------------- */

/* Later than any time when it would be. */
uint64_t cfgstore_follow_later(uint64_t now_ns, uint64_t span_ns);
enum cfgstore_step cfgstore_follow_lose(struct cfgstore_follow *follow, int rc);
/* Connects and subscribes. */
enum cfgstore_step cfgstore_follow_connect(struct cfgstore_follow *follow);
/* Reads the clock, does what is due. */
enum cfgstore_step cfgstore_follow_look(struct cfgstore_follow *follow);
/*
 * Waits for fd (-1: none), for hooks, for the reader to go, for time; first
 * writes what there is.
 */
enum cfgstore_step cfgstore_follow_wait(
    struct cfgstore_follow *follow, int fd, uint64_t until_ns);

#endif
