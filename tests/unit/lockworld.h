/* SPDX-License-Identifier: BSD-3-Clause */
/* A contender for a lock with its shell, and the time that all of them have. */
#ifndef RK_LOCKWORLD_H
#define RK_LOCKWORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bin/ringlock/lock.h"
#include "tests/unit/fakestore.h"

/* A lock with its shell: what was ordered, and the work that follows. */
struct contender {
	struct lock *lock;
	void *memory;
	struct lock_config cfg;
	char sent[8192]; /* requests, all of them */
	size_t sent_len;
	char seen[512]; /* other effects, by a word each */
	uint64_t token, stop_ns, kill_ns;
	bool is_held, is_over, works, must_end;
	uint64_t end_ns; /* of the work, when it was told to stop */
	int code;
	/* The wire. */
	bool is_open;
	uint32_t node;
	uint64_t rev;
	bool watches;
	char prefix[600];
	struct fakestore_text in; /* answers, on their way */
	size_t in_at;
	uint64_t stopped_ns; /* it is, until then */
};

extern uint64_t lockworld_now_ns;

/* For one slot of "a", with 15 s and a grace of 10 s. */
struct lock_config lockworld_config(void);
void lockworld_create(struct contender *c, const struct lock_config *cfg);
void lockworld_destroy(struct contender *c);
/* Carries out what the core orders. */
void lockworld_pull(struct contender *c);
/* A line of the store, with the bytes behind it; a connection; time. */
void lockworld_tell(struct contender *c, const char *text);
void lockworld_open_all(struct contender *c);
void lockworld_pass(struct contender *c, uint64_t span_ns);
/* Since the last call: requests; other effects, a word and a blank each. */
const char *lockworld_sent(struct contender *c);
const char *lockworld_seen(struct contender *c);

#endif
