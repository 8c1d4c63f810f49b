/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Contenders for a lock at random against the real state machine, with
 * connections that are lost, answers that are late or unknown, and contenders
 * that are stopped.
 */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/rng.h"
#include "libcommon/base/word.h"

#include "bin/ringlock/lock.h"
#include "tests/unit/check.h"
#include "tests/unit/lockworld.h"

#define MS LOCK_MS_NS
#define S  LOCK_S_NS

enum { CONTENDERS = 5 };

struct world {
	struct fakestore *store;
	struct rng rng;
	struct contender c[CONTENDERS];
	size_t count;
	uint64_t slots;
	uint64_t last_token;
	unsigned grants;
};

/* The work lives as long as its guard lets it. */
static bool
is_alive(const struct contender *c)
{
	return c->works && lockworld_now_ns < c->kill_ns &&
	    !(c->must_end && lockworld_now_ns >= c->end_ns);
}

static void
look_at_exclusion(struct world *w)
{
	uint64_t alive = 0;

	for (size_t i = 0; i < w->count; i++)
		alive += is_alive(&w->c[i]);
	CHECK_EQ(alive <= w->slots, 1);
}

static void
lose_connection(struct contender *c)
{
	c->in.len = c->in_at = c->sent_len = 0;
	c->watches = false;
	c->is_open = false;
	lock_closed(c->lock, "closed", lockworld_now_ns);
	lockworld_pull(c);
}

/* All that was sent goes to the store, in the mood of the moment. */
static void
deliver_requests(struct world *w, struct contender *c)
{
	char bytes[sizeof c->sent + 1];
	size_t len = c->sent_len, at = 0;

	memcpy(bytes, c->sent, len);
	c->sent_len = 0;
	while (at < len) {
		char *line = bytes + at, *lf = memchr(line, '\n', len - at);
		size_t line_len = (size_t)(lf - line);
		uint64_t data_len = 0, mood = rng_below(&w->rng, 12);
		struct fakestore_request req = { .line = line,
			.len = line_len,
			.body = lf + 1,
			.node = c->node,
			.mood = mood < 4 ? (enum fakestore_mood)mood
					 : FAKESTORE_OPEN,
			.now_ns = lockworld_now_ns };

		at += line_len + 1;
		if (word_data_len(line, line_len, &data_len) ==
		    WORD_DATA_FOLLOWS)
			at += (size_t)data_len + 1;
		*lf = '\0';
		if (!fakestore_ask(w->store, &req, &c->in)) {
			strcpy(c->prefix, req.prefix);
			fakestore_snapshot(w->store, c->prefix, &c->in);
			c->rev = fakestore_rev(w->store);
			c->watches = true;
		}
	}
}

/* Some of what is on its way arrives. */
static void
deliver_answers(struct world *w, struct contender *c)
{
	while (
	    c->in_at < c->in.len && c->is_open && rng_below(&w->rng, 6) != 0) {
		char *line = c->in.bytes + c->in_at;
		char text[4096];
		size_t len = strcspn(line, "\n"), used = len + 1;
		uint64_t data_len = 0;

		if (word_data_len(line, len, &data_len) == WORD_DATA_FOLLOWS)
			used += (size_t)data_len + 1;
		memcpy(text, line, used);
		text[used] = '\0';
		if (used == len + 1)
			text[len] = '\0';
		c->in_at += used;
		lockworld_tell(c, text);
	}
	if (c->in_at == c->in.len)
		c->in_at = c->in.len = 0;
}

static void
work(struct world *w, struct contender *c)
{
	if (!c->works || c->is_over)
		return;
	if (!is_alive(c)) {
		c->works = false;
		lock_work_ended(c->lock, 137, lockworld_now_ns);
		lockworld_pull(c);
		lock_work_empty(c->lock, false, lockworld_now_ns);
		lockworld_pull(c);
	} else if (rng_below(&w->rng, 60) == 0) {
		c->works = false;
		lock_work_ended(c->lock, 0, lockworld_now_ns);
		lockworld_pull(c);
		lock_work_empty(c->lock, false, lockworld_now_ns);
		lockworld_pull(c);
	}
}

static void
begin(struct world *w, struct contender *c)
{
	struct lock_config cfg = lockworld_config();
	size_t idx = (size_t)(c - w->c);

	lockworld_destroy(c);
	cfg.slots = w->slots;
	cfg.ttl_ns = 3 * S;
	cfg.grace_ns = 2 * S;
	cfg.prio = rng_below(&w->rng, 2);
	lockworld_create(c, &cfg);
	c->node = (uint32_t)idx + 1;
}

/* One of them does something, or does not. */
static void
turn(struct world *w, struct contender *c)
{
	bool had = c->is_held;

	if (lockworld_now_ns < c->stopped_ns)
		return;
	if (c->is_over) {
		if (rng_below(&w->rng, 20) == 0)
			begin(w, c);
		return;
	}
	if (!c->is_open && rng_below(&w->rng, 3) == 0) {
		c->is_open = true;
		lockworld_open_all(c);
	}
	if (c->is_open && rng_below(&w->rng, 80) == 0)
		lose_connection(c);
	if (c->is_open && c->watches) {
		fakestore_events(w->store, c->prefix, c->rev, &c->in);
		c->rev = fakestore_rev(w->store);
	}
	if (c->is_open)
		deliver_requests(w, c);
	deliver_answers(w, c);
	work(w, c);
	if (!c->is_over) {
		lock_pass(c->lock, lockworld_now_ns);
		lockworld_pull(c);
	}
	if (!c->is_open && !c->is_over)
		lose_connection(c);
	if (!had && c->is_held) {
		CHECK_EQ(c->token != 0, 1);
		if (w->slots == 1) {
			CHECK_EQ(c->token > w->last_token, 1);
			w->last_token = c->token;
		}
		w->grants++;
	}
	if (rng_below(&w->rng, 400) == 0)
		c->stopped_ns = lockworld_now_ns + rng_below(&w->rng, 8) * S;
}

static unsigned
play(uint64_t seed)
{
	static struct world w;

	memset(&w, 0, sizeof w);
	lockworld_now_ns = 1000 * S;
	rng_init(&w.rng, seed);
	w.store = fakestore_create();
	w.slots = 1 + seed % 2;
	w.count = 2 + rng_below(&w.rng, CONTENDERS - 1);
	for (size_t i = 0; i < w.count; i++)
		begin(&w, &w.c[i]);
	for (int i = 0; i < 6000; i++) {
		lockworld_now_ns += rng_below(&w.rng, 20) * MS;
		fakestore_pass(w.store, lockworld_now_ns);
		turn(&w, &w.c[rng_below(&w.rng, w.count)]);
		look_at_exclusion(&w);
	}
	for (size_t i = 0; i < w.count; i++)
		lockworld_destroy(&w.c[i]);
	fakestore_destroy(w.store);
	return w.grants;
}

/* Never two at once, tokens grow, and everybody gets on. */
static void
test_lock_at_random(void)
{
	unsigned grants = 0;

	for (uint64_t seed = 1; seed <= 150; seed++) {
		char about[32];

		(void)snprintf(
		    about, sizeof about, "seed %llu", (unsigned long long)seed);
		check_case(about);
		grants += play(seed);
	}
	check_case(NULL);
	CHECK(grants > 1000);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_lock_at_random),
	};

	return CHECK_MAIN(argc, argv, tests);
}
