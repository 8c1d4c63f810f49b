/* SPDX-License-Identifier: BSD-3-Clause */
/* One contender for one lock: when it may hold it, and when it must let go.
 *
 * Pure: no system call, no clock, no allocation after lock_create.  The shell
 * feeds inputs, each with the time by a clock that goes on while the machine
 * sleeps, and after EVERY input pulls effects until lock_next answers false;
 * then it asks lock_deadline_ns.  DESIGN.md tells the rules.
 *
 * What runs under the lock, a command or another process, is the work.
 */
#ifndef RK_LOCK_H
#define RK_LOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

struct arena;
struct lock;
struct word;

enum {
	LOCK_NAME_BYTES_MAX = 128,
	LOCK_VALUE_BYTES_MAX = 4096,
	LOCK_SLOTS_MAX = 64,
	LOCK_PRIO_MAX = 999,
	LOCK_WAITERS_MAX = 1024, /* that are remembered */
	LOCK_WHY_BYTES = 200,
};

#define LOCK_MS_NS UINT64_C(1000000)
#define LOCK_S_NS  UINT64_C(1000000000)
/* So long before its lease can pass on, nothing of the work is alive. */
#define LOCK_MARGIN_NS LOCK_S_NS

struct lock_config {
	const char *name; /* borrowed, as long as the lock lives */
	const char *value;
	size_t value_len;
	uint64_t slots;
	uint64_t prio;
	uint64_t ttl_ns;
	uint64_t grace_ns;  /* LOCK_MARGIN_NS <= grace_ns < ttl_ns */
	uint64_t wait_ns;   /* give up at; UINT64_MAX: never */
	uint64_t answer_ns; /* a daemon that is silent for so long is away */
	bool is_try;        /* give up instead of waiting */
	bool has_work;
	bool ignores_loss; /* the work goes on when the lock is lost */
};

/* What is wrong with a name, or NULL. */
const char *lock_name_is_wrong(const char *name);

/* cfg is copied.  NULL from a measuring arena. */
struct lock *lock_create(
    struct arena *arena, const struct lock_config *cfg, uint64_t now_ns);

/* ---- inputs ------------------------------------------------------------ */

enum lock_line_kind { LOCK_OK, LOCK_NO, LOCK_ERR, LOCK_ITEM, LOCK_EV };

/* Borrowed until the call returns. */
struct lock_line {
	enum lock_line_kind kind;
	const char *tag;   /* NULL: none */
	const char *event; /* LOCK_EV */
	struct word *word;
	const uint8_t *data;
	size_t len;
};

/* A connection to the store: open, a line of it, closed. */
void lock_opened(struct lock *lock, uint64_t now_ns);
void lock_line(
    struct lock *lock, const struct lock_line *line, uint64_t now_ns);
void lock_closed(struct lock *lock, const char *why, uint64_t now_ns);
/* It could not even be opened. */
void lock_unreachable(struct lock *lock, const char *why, uint64_t now_ns);

/* A signal that the shell was sent. */
enum lock_signal { LOCK_SIGNAL_END, LOCK_SIGNAL_OTHER };
void lock_signal(
    struct lock *lock, enum lock_signal kind, int signo, uint64_t now_ns);

/* The work ended, with that exit code; then, or without: nothing is left. */
void lock_work_ended(struct lock *lock, int code, uint64_t now_ns);
void lock_work_empty(struct lock *lock, bool is_guard_lost, uint64_t now_ns);

/* Nothing happened until now. */
void lock_pass(struct lock *lock, uint64_t now_ns);

/* When lock_pass is due at the latest; UINT64_MAX: never. */
uint64_t lock_deadline_ns(const struct lock *lock);

/* ---- effects ----------------------------------------------------------- */

enum lock_effect_kind {
	LOCK_SEND,      /* bytes, len: requests */
	LOCK_RECONNECT, /* text: why; the connection is of no use */
	LOCK_HELD,      /* token, slot, view; the work is to be started */
	LOCK_UNTIL,     /* stop_ns, kill_ns: the work's time has moved */
	LOCK_STOP,      /* grace_ns: TERM, and KILL then; 0: KILL */
	LOCK_SIGNAL,    /* signo: for the work */
	LOCK_LOST,      /* text: why */
	LOCK_STUCK,     /* text: the work is not, or not cleanly, at its end */
	LOCK_WARN,      /* text */
	LOCK_END,       /* code, signo: all is over; the last effect */
};

/* Borrowed until the next input. */
struct lock_effect {
	enum lock_effect_kind kind;
	const char *bytes;
	size_t len;
	const char *text;
	const char *view; /* may be "" */
	uint64_t token;
	uint64_t slot;
	uint64_t stop_ns;
	uint64_t kill_ns;
	uint64_t grace_ns;
	int code;
	int signo; /* END: 0, or what ended it */
};

bool lock_next(struct lock *lock, struct lock_effect *out);

/* Every invariant (ENSURE); for tests. */
void lock_check(const struct lock *lock);

#endif
