/* SPDX-License-Identifier: BSD-3-Clause */
/* What a contender knows, for lock*.c only. */
#ifndef RK_LOCK_INTERNAL_H
#define RK_LOCK_INTERNAL_H

#include "bin/ringlock/lock.h"

enum {
	LOCK_RENEWALS = 4, /* under way at once */
	LOCK_EFFECTS = 32,
	LOCK_BODY_BYTES = 96 << 10,
	LOCK_OUT_BYTES = 128 << 10,
	LOCK_VIEW_BYTES = 48,
	LOCK_WATCH_ID = 1,
};

enum lock_phase {
	LOCK_PHASE_SEEK,  /* has no slot, or not yet */
	LOCK_PHASE_HOLD,  /* has one; the work may run */
	LOCK_PHASE_STOP,  /* the work is ending */
	LOCK_PHASE_LEAVE, /* gives its lease back */
	LOCK_PHASE_OVER,
};

/* The keys of this lock, as the watch tells them. */
struct lock_keys {
	bool is_whole; /* the snapshot is */
	bool has_overflown;
	bool has_gone_on; /* in the middle of a revision */
	uint64_t rev;     /* of the store, as far as it was told */
	uint64_t slots_rev;
	uint64_t slots; /* 0: unknown */
	struct {
		uint64_t rev; /* 0: the key is not there */
		uint64_t lease;
	} slot[LOCK_SLOTS_MAX];
	uint64_t my_rev; /* of our place in the queue; 0: none */
	size_t waiter_count;
	struct lock_waiter {
		uint64_t prio;
		uint64_t id;
		uint64_t rev;
	} waiter[LOCK_WAITERS_MAX]; /* without us */
};

/* What may be asked and not answered yet. */
enum lock_asked {
	LOCK_ASKED_WATCH,
	LOCK_ASKED_LEASE,
	LOCK_ASKED_PLACE, /* in the queue */
	LOCK_ASKED_SLOT,
	LOCK_ASKED_RELEASE,
	LOCK_ASKED_RENEWAL, /* and those behind it */
	LOCK_ASKED_COUNT = LOCK_ASKED_RENEWAL + LOCK_RENEWALS,
};

struct lock {
	struct lock_config cfg;
	enum lock_phase phase;
	uint64_t now_ns;
	struct lock_keys keys;
	uint64_t asked_ns[LOCK_ASKED_COUNT]; /* when; 0: it is not */
	bool is_open;
	bool has_joined;   /* the daemon has once answered it all */
	uint64_t stale_ns; /* until then an event is awaited */
	uint64_t
	    closed_ns; /* the store is without quorum since; 0: it has it */
	uint64_t heard_ns;
	uint64_t start_ns;
	uint64_t retry_ns; /* no request before */
	uint64_t seen_ns;  /* a slot of ours, in the watch alone; 0: none */
	char view[LOCK_VIEW_BYTES];
	/* The lease; 0: none. */
	uint64_t lease;
	uint64_t until_ns; /* it cannot pass on before */
	uint64_t renew_ns; /* ask again at */
	/* The lock. */
	uint64_t token;
	uint64_t slot;
	bool has_started;
	/* The end. */
	bool is_lost;
	bool is_hurried; /* was told to end without grace */
	bool is_stuck;
	bool has_ended; /* the work has, with work_code */
	int work_code;
	uint64_t ending_ns; /* it is to end since */
	int told_signo;     /* it was told to end, by that signal */
	uint64_t leave_ns;
	int code;
	int signo;
	char why[LOCK_WHY_BYTES];
	/* Effects. */
	struct lock_effect effect[LOCK_EFFECTS];
	size_t effect_first, effect_count;
	char body[LOCK_BODY_BYTES];
	char out[LOCK_OUT_BYTES];
	size_t out_len;
};

/* ---- lock.c ------------------------------------------------------------ */

struct lock_effect *lock_put(struct lock *lock, enum lock_effect_kind kind);
/* Ends with code: gives the lease back first, if there is one. */
void lock_leave(struct lock *lock, int code, const char *text);
void lock_end(struct lock *lock);
/* To stop the work at, and to have ended it at. */
uint64_t lock_stop_ns(const struct lock *lock);
uint64_t lock_kill_ns(const struct lock *lock);

/* ---- lock_hold.c ------------------------------------------------------- */

/* The slot is ours. */
void lock_take(struct lock *lock, uint64_t slot, uint64_t token);
/* After every input while it is. */
void lock_look(struct lock *lock);
/* The lease is gone. */
void lock_lapse(struct lock *lock);
/* The work is to end. */
void lock_stop(struct lock *lock, uint64_t grace_ns);
/* When the lock will be lost, the work be stuck, if nothing happens. */
uint64_t lock_loss_ns(const struct lock *lock);
uint64_t lock_stuck_ns(const struct lock *lock);

/* ---- lock_seek.c ------------------------------------------------------- */

/* After every input while there is no slot: asks for what is to be next. */
void lock_seek(struct lock *lock);

/* ---- lock_ask.c -------------------------------------------------------- */

void lock_ask_all(struct lock *lock); /* of a new connection */
void lock_ask_lease(struct lock *lock);
void lock_ask_renewal(struct lock *lock);
void lock_ask_place(struct lock *lock);
void lock_ask_slot(struct lock *lock, uint64_t slot);
void lock_ask_release(struct lock *lock);
void lock_ask_view(struct lock *lock);
bool lock_is_asked(const struct lock *lock, enum lock_asked what);
/* The oldest that is not answered; UINT64_MAX: nothing is. */
uint64_t lock_ask_oldest_ns(const struct lock *lock);

/* ---- lock_answer.c ----------------------------------------------------- */

/* An answer to something that was asked. */
void lock_answer(struct lock *lock, const struct lock_line *line);

/* ---- lock_keys.c ------------------------------------------------------- */

void lock_keys_forget(struct lock_keys *keys);
/* An event of the watch; true: what is known may be judged. */
bool lock_keys_event(struct lock *lock, const struct lock_line *line);
/* Nobody stands before us. */
bool lock_keys_is_first(const struct lock *lock);
/* A number, or slots when none is free. */
uint64_t lock_keys_free(const struct lock *lock);
/* Somebody holds a slot or waits. */
bool lock_keys_are_used(const struct lock *lock);

#endif
