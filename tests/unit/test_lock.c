/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A contender for a lock: what it asks and orders, step by step; then many of
 * them at random against the real state machine, with connections that are
 * lost, answers that are late or unknown, and contenders that are stopped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"
#include "libcommon/base/word.h"

#include "bin/ringlock/lock.h"
#include "tests/unit/check.h"
#include "tests/unit/fakestore.h"

#define MS LOCK_MS_NS
#define S  LOCK_S_NS

enum { CONTENDERS = 5 };

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

static uint64_t now_ns;

static struct lock_config
config(void)
{
	return (struct lock_config){ .name = "a",
		.value = "me",
		.value_len = 2,
		.slots = 1,
		.ttl_ns = 15 * S,
		.grace_ns = 10 * S,
		.wait_ns = UINT64_MAX,
		.answer_ns = 5 * S,
		.has_work = true };
}

static void
see(struct contender *c, const char *word)
{
	size_t len = strlen(c->seen);

	if (len + strlen(word) + 2 < sizeof c->seen)
		(void)snprintf(
		    c->seen + len, sizeof c->seen - len, "%s ", word);
}

static void
carry_out(struct contender *c, const struct lock_effect *e)
{
	static const char *const words[] = { "send", "reconnect", "held",
		"until", "stop", "signal", "lost", "stuck", "warn", "end" };

	if (e->kind == LOCK_SEND) {
		ENSURE(c->sent_len + e->len < sizeof c->sent);
		memcpy(c->sent + c->sent_len, e->bytes, e->len);
		c->sent_len += e->len;
		c->sent[c->sent_len] = '\0';
		return;
	}
	if (e->kind != LOCK_UNTIL)
		see(c, words[e->kind]);
	if (e->kind == LOCK_HELD) {
		c->is_held = c->works = true;
		c->token = e->token;
	}
	if (e->kind == LOCK_HELD || e->kind == LOCK_UNTIL) {
		c->stop_ns = e->stop_ns;
		c->kill_ns = e->kill_ns;
	}
	if (e->kind == LOCK_STOP && !c->must_end) {
		c->must_end = true;
		c->end_ns = now_ns + e->grace_ns;
	} else if (e->kind == LOCK_STOP) {
		c->end_ns = num_min(c->end_ns, now_ns + e->grace_ns);
	}
	if (e->kind == LOCK_RECONNECT)
		c->is_open = false;
	if (e->kind == LOCK_END) {
		c->is_over = true;
		c->code = e->code;
	}
}

static void
pull(struct contender *c)
{
	struct lock_effect effect;

	while (lock_next(c->lock, &effect))
		carry_out(c, &effect);
	lock_check(c->lock);
}

static void
create(struct contender *c, const struct lock_config *cfg)
{
	struct arena arena;

	memset(c, 0, sizeof *c);
	c->cfg = *cfg;
	arena_init(&arena, NULL, 0);
	ENSURE(lock_create(&arena, cfg, now_ns) == NULL);
	c->memory = aligned_alloc(64, num_round_up(arena.used_bytes, 64));
	ENSURE(c->memory != NULL);
	arena_init(&arena, c->memory, arena.used_bytes);
	c->lock = lock_create(&arena, cfg, now_ns);
}

static void
destroy(struct contender *c)
{
	free(c->memory);
	free(c->in.bytes);
}

/* A line of the store. */
static void
tell(struct contender *c, const char *text)
{
	static const char *const kinds[] = { "ok", "no", "err", "item", "ev" };
	char bytes[4096];
	struct word word;
	struct lock_line line = { .word = &word };
	const char *lf = strchr(text, '\n');
	size_t len = lf != NULL ? (size_t)(lf - text) : strlen(text);

	memcpy(bytes, text, len);
	bytes[len] = '\0';
	ENSURE(word_parse(&word, bytes, len) == 0);
	while (strcmp(kinds[line.kind], word.verb[0]) != 0)
		line.kind++;
	line.tag = word.tag;
	line.event = line.kind == LOCK_EV ? word.verb[2] : NULL;
	if (lf != NULL) {
		line.data = (const uint8_t *)lf + 1;
		line.len = strlen(lf + 1);
		if (line.len > 0 && lf[line.len] == '\n')
			line.len--;
	}
	lock_line(c->lock, &line, now_ns);
	pull(c);
}

static void
open_all(struct contender *c)
{
	lock_opened(c->lock, now_ns);
	pull(c);
}

static void
pass(struct contender *c, uint64_t span_ns)
{
	now_ns += span_ns;
	lock_pass(c->lock, now_ns);
	pull(c);
}

/* What was sent since the last time. */
static const char *
sent(struct contender *c)
{
	static char bytes[sizeof c->sent];

	memcpy(bytes, c->sent, c->sent_len);
	bytes[c->sent_len] = '\0';
	c->sent_len = 0;
	return bytes;
}

static const char *
seen(struct contender *c)
{
	static char bytes[sizeof c->seen];

	strcpy(bytes, c->seen);
	c->seen[0] = '\0';
	return bytes;
}

/* Until it holds the lock, by token 7. */
static void
hold(struct contender *c, const struct lock_config *cfg)
{
	create(c, cfg);
	open_all(c);
	tell(c, "#l ok lease=3 ttl_ms=15000");
	tell(c, "ev 1 ready rev=3");
	tell(c, "#t ok rev=7");
	(void)sent(c);
	CHECK_STR(seen(c), "held ");
}

/* ---- step by step ------------------------------------------------------ */

static void
test_lock_is_asked_for(void)
{
	struct lock_config cfg = config();
	struct contender c;

	create(&c, &cfg);
	open_all(&c);
	CHECK_STR(sent(&c),
	    "#w watch id=1 snapshot=yes prefix=lock/a/\n#s status\n"
	    "#l lease ttl=15000ms\n");
	tell(&c, "#w ok id=1");
	tell(&c, "#s ok view=1.7");
	tell(&c, "#l ok lease=3 ttl_ms=15000");
	CHECK_STR(sent(&c), "");
	tell(&c, "ev 1 ready rev=3");
	CHECK_STR(sent(&c),
	    "#t txn len=131\n"
	    "if key=lock/a/slot/0 absent=yes\n"
	    "if key=lock/a/slots absent=yes\n"
	    "put key=lock/a/slots len=1\n1\n"
	    "put key=lock/a/slot/0 lease=3 len=2\nme\n\n");
	CHECK(!c.is_held);
	tell(&c, "#t ok rev=7 n=2");
	CHECK_STR(seen(&c), "held ");
	CHECK_EQ(c.token, 7);
	/* From before the lease was asked for. */
	CHECK_EQ(c.stop_ns, now_ns + 5 * S);
	CHECK_EQ(c.kill_ns, now_ns + 14 * S);
	destroy(&c);
}

static void
test_lock_deadline_counts_from_before_the_renewal(void)
{
	struct lock_config cfg = config();
	struct contender c;
	uint64_t sent_ns;

	hold(&c, &cfg);
	CHECK_EQ(lock_deadline_ns(c.lock), now_ns + 5 * S / 3);
	pass(&c, 5 * S / 3);
	CHECK_STR(sent(&c), "#r0 renew lease=3\n");
	sent_ns = now_ns;
	now_ns += 2 * S;
	tell(&c, "#r0 ok renewals=1 ttl_ms=15000");
	CHECK_EQ(c.stop_ns, sent_ns + 5 * S);
	CHECK_EQ(c.kill_ns, sent_ns + 14 * S);
	destroy(&c);
}

static void
test_lock_is_lost_by_time(void)
{
	struct lock_config cfg = config();
	struct contender c;
	uint64_t start_ns = now_ns;

	hold(&c, &cfg);
	while (now_ns < start_ns + 5 * S - MS)
		pass(&c, MS);
	CHECK_STR(seen(&c), "");
	pass(&c, MS);
	/* By then the store has been silent for long enough, too. */
	CHECK_STR(seen(&c), "reconnect lost stop ");
	CHECK_EQ(c.end_ns, now_ns + 10 * S);
	/* It ended well: as fast as the store answers others may have it. */
	lock_work_ended(c.lock, 0, now_ns);
	pull(&c);
	(void)sent(&c);
	lock_work_empty(c.lock, false, now_ns);
	pull(&c);
	CHECK_STR(sent(&c), "#x release lease=3\n");
	tell(&c, "#x ok n=1");
	CHECK_STR(seen(&c), "end ");
	CHECK_EQ(c.code, 122);
	destroy(&c);
}

static void
test_lock_is_lost_when_the_store_says_so(void)
{
	static const struct {
		const char *line;
		uint64_t span_ns, grace_ns;
	} cases[] = {
		{ "ev 1 away why=x state=closed", 250 * MS, 10 * S },
		{ "ev 1 del key=lock/a/slot/0 rev=9 why=del", 0, 0 },
		{ "ev 1 put key=lock/a/slot/0 rev=9 lease=4 len=0\n\n", 0, 0 },
		{ "#r0 no code=nolease", 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct lock_config cfg = config();
		struct contender c;

		check_case(cases[i].line);
		hold(&c, &cfg);
		pass(&c, 2 * S); /* a renewal is under way */
		CHECK_STR(seen(&c), "");
		tell(&c, "ev 1 put key=lock/a/slot/0 rev=7 lease=3 len=0\n\n");
		tell(&c, cases[i].line);
		if (cases[i].span_ns > 0) {
			pass(&c, cases[i].span_ns - 1);
			CHECK_STR(seen(&c), "");
			pass(&c, 1);
		}
		CHECK_STR(seen(&c), "lost stop ");
		CHECK_EQ(c.end_ns, now_ns + cases[i].grace_ns);
		destroy(&c);
	}
	check_case(NULL);
}

static void
test_lock_is_not_lost_for_less(void)
{
	static const char *const lines[] = {
		"ev 1 away why=x state=joining",
		"ev 1 away why=x state=filling",
		"#r0 no code=unknown n=75",
		"#r0 err code=notquorate n=75 msg=x",
		"ev 1 del key=lock/a/b/slot/0 rev=9 why=del",
		"ev 1 del key=lock/a/slot/1 rev=9 why=del",
		"ev 1 del key=lock/ab/slot/0 rev=9 why=del",
		/* A replica that is behind. */
		"ev 1 del key=lock/a/wait/0/9 rev=6 why=del",
	};

	for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
		struct lock_config cfg = config();
		struct contender c;

		check_case(lines[i]);
		hold(&c, &cfg);
		if (i < ARRAY_COUNT(lines) - 1)
			tell(&c,
			    "ev 1 put key=lock/a/slot/0 rev=7 lease=3 "
			    "len=0\n\n");
		pass(&c, 2 * S);
		tell(&c, lines[i]);
		pass(&c, 2 * S);
		CHECK_STR(seen(&c), "");
		/* And it is renewed. */
		CHECK(strstr(sent(&c), "renew lease=3\n") != NULL);
		tell(&c, "#r0 ok");
		tell(&c, "#r1 ok");
		CHECK_EQ(c.kill_ns > now_ns + 10 * S, 1);
		destroy(&c);
	}
	check_case(NULL);
}

static void
test_lock_outlives_a_connection(void)
{
	struct lock_config cfg = config();
	struct contender c;

	hold(&c, &cfg);
	pass(&c, S);
	lock_closed(c.lock, "closed", now_ns);
	pull(&c);
	pass(&c, 2 * S);
	open_all(&c);
	CHECK(strstr(sent(&c), "#r0 renew lease=3\n") != NULL);
	/* The replica behind the new connection does not know us yet. */
	tell(&c, "ev 1 ready rev=5");
	CHECK_STR(seen(&c), "");
	tell(&c, "#r0 ok");
	tell(&c, "ev 1 put key=lock/a/slot/0 rev=7 lease=3 len=0\n\n");
	pass(&c, S);
	CHECK_STR(seen(&c), "");
	destroy(&c);
}

static void
test_lock_signal_before_it_starts_nothing(void)
{
	struct lock_config cfg = config();
	struct contender c;

	create(&c, &cfg);
	open_all(&c);
	tell(&c, "#l ok lease=3 ttl_ms=15000");
	tell(&c, "ev 1 ready rev=3");
	(void)sent(&c);
	/* While the slot is being granted. */
	lock_signal(c.lock, LOCK_SIGNAL_END, 15, now_ns);
	pull(&c);
	CHECK_STR(sent(&c), "#x release lease=3\n");
	tell(&c, "#t ok rev=7");
	tell(&c, "ev 1 put key=lock/a/slot/0 rev=7 lease=3 len=0\n\n");
	CHECK_STR(seen(&c), "");
	tell(&c, "#x ok");
	CHECK_STR(seen(&c), "end ");
	CHECK_EQ(c.code, 143);
	CHECK(!c.is_held);
	destroy(&c);
}

static void
test_lock_end_decides_what_is_given_back(void)
{
	static const struct {
		int told, code;
		bool is_released;
	} cases[] = { { 0, 0, true }, { 0, 3, true }, { 0, 128, true },
		{ 0, 137, false }, { 15, 0, true }, { 15, 143, true },
		{ 15, 70, false }, { 15, 137, false }, { 2, 143, false } };

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct lock_config cfg = config();
		struct contender c;
		bool is_released;

		hold(&c, &cfg);
		if (cases[i].told != 0)
			lock_signal(
			    c.lock, LOCK_SIGNAL_END, cases[i].told, now_ns);
		pull(&c);
		lock_work_ended(c.lock, cases[i].code, now_ns);
		pull(&c);
		/* Something is left. */
		CHECK_STR(sent(&c), "");
		lock_work_empty(c.lock, false, now_ns);
		pull(&c);
		is_released = strstr(sent(&c), "release") != NULL;
		CHECK_EQ(is_released, cases[i].is_released);
		CHECK_EQ(strstr(c.seen, "stuck") != NULL, !is_released);
		if (is_released)
			tell(&c, "#x ok");
		CHECK(c.is_over);
		CHECK_EQ(c.code, cases[i].code);
		destroy(&c);
	}
}

static void
test_lock_waits_its_turn(void)
{
	struct lock_config cfg = config();
	struct contender c;

	cfg.prio = 2;
	create(&c, &cfg);
	open_all(&c);
	tell(&c, "#l ok lease=30 ttl_ms=15000");
	tell(&c, "ev 1 exists key=lock/a/slot/0 rev=5 lease=2 len=0\n\n");
	tell(&c, "ev 1 exists key=lock/a/slots rev=5 len=1\n1\n");
	tell(&c, "ev 1 exists key=lock/a/wait/1/6 rev=6 created=6 len=0\n\n");
	tell(&c, "ev 1 exists key=lock/a/wait/2/7 rev=7 created=7 len=0\n\n");
	(void)sent(&c);
	tell(&c, "ev 1 ready rev=7");
	CHECK_STR(sent(&c),
	    "#q txn len=69\nif key=lock/a/slots rev=5\n"
	    "put key=lock/a/wait/2/30 lease=30 len=2\nme\n\n");
	tell(&c, "#q ok rev=31");
	tell(&c, "ev 1 put key=lock/a/wait/2/30 rev=31 lease=30 len=0\n\n");
	/* Two more, one before us, one behind. */
	tell(&c, "ev 1 put key=lock/a/wait/3/32 rev=32 len=0\n\n");
	tell(&c, "ev 1 put key=lock/a/wait/2/33 rev=33 len=0\n\n");
	tell(&c, "ev 1 del key=lock/a/slot/0 rev=40 why=released");
	CHECK_STR(sent(&c), "");
	tell(&c, "ev 1 del key=lock/a/wait/3/32 rev=41 why=expired");
	CHECK_STR(sent(&c), "");
	tell(&c, "ev 1 del key=lock/a/wait/2/7 rev=42 why=expired more=yes");
	CHECK_STR(sent(&c), "");
	tell(&c, "ev 1 put key=lock/a/slot/0 rev=42 lease=7 len=0\n\n");
	CHECK_STR(sent(&c), "");
	tell(&c, "ev 1 del key=lock/a/slot/0 rev=43 why=released");
	CHECK(strstr(sent(&c), "del key=lock/a/wait/2/30\n") != NULL);
	/* A conflict is not asked again before something changed. */
	tell(&c, "#t no code=conflict rev=44");
	pass(&c, S / 2);
	CHECK_STR(sent(&c), "");
	/* Unless the change was told before. */
	pass(&c, S / 2);
	CHECK(strstr(sent(&c), "#t txn") != NULL);
	destroy(&c);
}

/* ---- at random --------------------------------------------------------- */

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
	return c->works && now_ns < c->kill_ns &&
	    !(c->must_end && now_ns >= c->end_ns);
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
	lock_closed(c->lock, "closed", now_ns);
	pull(c);
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
			.now_ns = now_ns };

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
		tell(c, text);
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
		lock_work_ended(c->lock, 137, now_ns);
		pull(c);
		lock_work_empty(c->lock, false, now_ns);
		pull(c);
	} else if (rng_below(&w->rng, 60) == 0) {
		c->works = false;
		lock_work_ended(c->lock, 0, now_ns);
		pull(c);
		lock_work_empty(c->lock, false, now_ns);
		pull(c);
	}
}

static void
begin(struct world *w, struct contender *c)
{
	struct lock_config cfg = config();
	size_t idx = (size_t)(c - w->c);

	destroy(c);
	cfg.slots = w->slots;
	cfg.ttl_ns = 3 * S;
	cfg.grace_ns = 2 * S;
	cfg.prio = rng_below(&w->rng, 2);
	create(c, &cfg);
	c->node = (uint32_t)idx + 1;
}

/* One of them does something, or does not. */
static void
turn(struct world *w, struct contender *c)
{
	bool had = c->is_held;

	if (now_ns < c->stopped_ns)
		return;
	if (c->is_over) {
		if (rng_below(&w->rng, 20) == 0)
			begin(w, c);
		return;
	}
	if (!c->is_open && rng_below(&w->rng, 3) == 0) {
		c->is_open = true;
		open_all(c);
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
		lock_pass(c->lock, now_ns);
		pull(c);
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
		c->stopped_ns = now_ns + rng_below(&w->rng, 8) * S;
}

static unsigned
play(uint64_t seed)
{
	static struct world w;

	memset(&w, 0, sizeof w);
	now_ns = 1000 * S;
	rng_init(&w.rng, seed);
	w.store = fakestore_create();
	w.slots = 1 + seed % 2;
	w.count = 2 + rng_below(&w.rng, CONTENDERS - 1);
	for (size_t i = 0; i < w.count; i++)
		begin(&w, &w.c[i]);
	for (int i = 0; i < 6000; i++) {
		now_ns += rng_below(&w.rng, 20) * MS;
		fakestore_pass(w.store, now_ns);
		turn(&w, &w.c[rng_below(&w.rng, w.count)]);
		look_at_exclusion(&w);
	}
	for (size_t i = 0; i < w.count; i++)
		destroy(&w.c[i]);
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
		CHECK_TEST(test_lock_is_asked_for),
		CHECK_TEST(test_lock_deadline_counts_from_before_the_renewal),
		CHECK_TEST(test_lock_is_lost_by_time),
		CHECK_TEST(test_lock_is_lost_when_the_store_says_so),
		CHECK_TEST(test_lock_is_not_lost_for_less),
		CHECK_TEST(test_lock_outlives_a_connection),
		CHECK_TEST(test_lock_signal_before_it_starts_nothing),
		CHECK_TEST(test_lock_end_decides_what_is_given_back),
		CHECK_TEST(test_lock_waits_its_turn),
		CHECK_TEST(test_lock_at_random),
	};

	now_ns = 1000 * S;
	return CHECK_MAIN(argc, argv, tests);
}
