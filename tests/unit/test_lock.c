/* SPDX-License-Identifier: BSD-3-Clause */
/* A contender for a lock: what it asks and orders, step by step. */
#include <string.h>

#include "libcommon/base/num.h"

#include "bin/ringlock/lock.h"
#include "tests/unit/check.h"
#include "tests/unit/lockworld.h"

#define MS LOCK_MS_NS
#define S  LOCK_S_NS

/* Until it holds the lock, by token 7. */
static void
hold(struct contender *c, const struct lock_config *cfg)
{
	lockworld_create(c, cfg);
	lockworld_open_all(c);
	lockworld_tell(c, "#l ok lease=3 ttl_ms=15000");
	lockworld_tell(c, "ev 1 ready rev=3");
	lockworld_tell(c, "#t ok rev=7");
	(void)lockworld_sent(c);
	CHECK_STR(lockworld_seen(c), "held ");
}

/* ---- step by step ------------------------------------------------------ */

static void
test_lock_is_asked_for(void)
{
	struct lock_config cfg = lockworld_config();
	struct contender c;

	lockworld_create(&c, &cfg);
	lockworld_open_all(&c);
	CHECK_STR(lockworld_sent(&c),
	    "#w watch id=1 snapshot=yes prefix=lock/a/\n#s status\n"
	    "#l lease ttl=15000ms durability=disk\n");
	lockworld_tell(&c, "#w ok id=1");
	lockworld_tell(&c, "#s ok view=1.7");
	lockworld_tell(&c, "#l ok lease=3 ttl_ms=15000");
	CHECK_STR(lockworld_sent(&c), "");
	lockworld_tell(&c, "ev 1 ready rev=3");
	CHECK_STR(lockworld_sent(&c),
	    "#t txn durability=disk len=131\n"
	    "if key=lock/a/slot/0 absent=yes\n"
	    "if key=lock/a/slots absent=yes\n"
	    "put key=lock/a/slots len=1\n1\n"
	    "put key=lock/a/slot/0 lease=3 len=2\nme\n\n");
	CHECK(!c.is_held);
	lockworld_tell(&c, "#t ok rev=7 n=2");
	CHECK_STR(lockworld_seen(&c), "held ");
	CHECK_EQ(c.token, 7);
	/* From before the lease was asked for. */
	CHECK_EQ(c.stop_ns, lockworld_now_ns + 5 * S);
	CHECK_EQ(c.kill_ns, lockworld_now_ns + 14 * S);
	lockworld_destroy(&c);
}

static void
test_lock_deadline_counts_from_before_the_renewal(void)
{
	struct lock_config cfg = lockworld_config();
	struct contender c;
	uint64_t sent_ns;

	hold(&c, &cfg);
	CHECK_EQ(lock_deadline_ns(c.lock), lockworld_now_ns + 5 * S / 3);
	lockworld_pass(&c, 5 * S / 3);
	CHECK_STR(lockworld_sent(&c), "#r0 renew lease=3 durability=disk\n");
	sent_ns = lockworld_now_ns;
	lockworld_now_ns += 2 * S;
	lockworld_tell(&c, "#r0 ok renewals=1 ttl_ms=15000");
	CHECK_EQ(c.stop_ns, sent_ns + 5 * S);
	CHECK_EQ(c.kill_ns, sent_ns + 14 * S);
	lockworld_destroy(&c);
}

static void
test_lock_is_lost_by_time(void)
{
	struct lock_config cfg = lockworld_config();
	struct contender c;
	uint64_t start_ns = lockworld_now_ns;

	hold(&c, &cfg);
	while (lockworld_now_ns < start_ns + 5 * S - MS)
		lockworld_pass(&c, MS);
	CHECK_STR(lockworld_seen(&c), "");
	lockworld_pass(&c, MS);
	/* By then the store has been silent for long enough, too. */
	CHECK_STR(lockworld_seen(&c), "reconnect lost stop ");
	CHECK_EQ(c.end_ns, lockworld_now_ns + 10 * S);
	/* It ended well: as fast as the store answers others may have it. */
	lock_work_ended(c.lock, 0, lockworld_now_ns);
	lockworld_pull(&c);
	(void)lockworld_sent(&c);
	lock_work_empty(c.lock, false, lockworld_now_ns);
	lockworld_pull(&c);
	CHECK_STR(lockworld_sent(&c), "#x release lease=3 durability=disk\n");
	lockworld_tell(&c, "#x ok n=1");
	CHECK_STR(lockworld_seen(&c), "end ");
	CHECK_EQ(c.code, 122);
	lockworld_destroy(&c);
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
		struct lock_config cfg = lockworld_config();
		struct contender c;

		check_case(cases[i].line);
		hold(&c, &cfg);
		lockworld_pass(&c, 2 * S); /* a renewal is under way */
		CHECK_STR(lockworld_seen(&c), "");
		lockworld_tell(
		    &c, "ev 1 put key=lock/a/slot/0 rev=7 lease=3 len=0\n\n");
		lockworld_tell(&c, cases[i].line);
		if (cases[i].span_ns > 0) {
			CHECK(lock_deadline_ns(c.lock) <=
			    lockworld_now_ns + cases[i].span_ns);
			lockworld_pass(&c, cases[i].span_ns - 1);
			CHECK_STR(lockworld_seen(&c), "");
			lockworld_pass(&c, 1);
		}
		CHECK_STR(lockworld_seen(&c), "lost stop ");
		CHECK_EQ(c.end_ns, lockworld_now_ns + cases[i].grace_ns);
		lockworld_destroy(&c);
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
		struct lock_config cfg = lockworld_config();
		struct contender c;

		check_case(lines[i]);
		hold(&c, &cfg);
		if (i < ARRAY_COUNT(lines) - 1)
			lockworld_tell(&c,
			    "ev 1 put key=lock/a/slot/0 rev=7 lease=3 "
			    "len=0\n\n");
		lockworld_pass(&c, 2 * S);
		lockworld_tell(&c, lines[i]);
		lockworld_pass(&c, 2 * S);
		CHECK_STR(lockworld_seen(&c), "");
		/* And it is renewed. */
		CHECK(strstr(lockworld_sent(&c),
			  "renew lease=3 durability=disk\n") != NULL);
		lockworld_tell(&c, "#r0 ok");
		lockworld_tell(&c, "#r1 ok");
		CHECK_EQ(c.kill_ns > lockworld_now_ns + 10 * S, 1);
		lockworld_destroy(&c);
	}
	check_case(NULL);
}

static void
test_lock_outlives_a_connection(void)
{
	struct lock_config cfg = lockworld_config();
	struct contender c;

	hold(&c, &cfg);
	lockworld_pass(&c, S);
	lock_closed(c.lock, "closed", lockworld_now_ns);
	lockworld_pull(&c);
	lockworld_pass(&c, 2 * S);
	lockworld_open_all(&c);
	CHECK(strstr(lockworld_sent(&c),
		  "#r0 renew lease=3 durability=disk\n") != NULL);
	/* The replica behind the new connection does not know us yet. */
	lockworld_tell(&c, "ev 1 ready rev=5");
	CHECK_STR(lockworld_seen(&c), "");
	lockworld_tell(&c, "#r0 ok");
	lockworld_tell(
	    &c, "ev 1 put key=lock/a/slot/0 rev=7 lease=3 len=0\n\n");
	lockworld_pass(&c, S);
	CHECK_STR(lockworld_seen(&c), "");
	lockworld_destroy(&c);
}

/* The daemon answers everything but that the slot was asked for. */
static void
test_lock_answer_that_is_forgotten_is_asked_for_anew(void)
{
	struct lock_config cfg = lockworld_config();
	struct contender c;
	uint64_t start_ns = lockworld_now_ns;

	lockworld_create(&c, &cfg);
	lockworld_open_all(&c);
	lockworld_tell(&c, "#w ok id=1");
	lockworld_tell(&c, "#l ok lease=3 ttl_ms=15000");
	lockworld_tell(&c, "ev 1 ready rev=3");
	CHECK(strstr(lockworld_sent(&c), "#t txn ") != NULL);
	while (lockworld_now_ns < start_ns + 35 * S - MS) {
		uint64_t due_ns =
		    num_min(lock_deadline_ns(c.lock), start_ns + 35 * S - MS);

		lockworld_pass(&c, due_ns - lockworld_now_ns);
		lockworld_tell(&c, "#r0 ok renewals=1 ttl_ms=15000");
	}
	CHECK_STR(lockworld_seen(&c), "");
	CHECK(strstr(lockworld_sent(&c), "#t ") == NULL);
	lockworld_now_ns += MS;
	lockworld_tell(&c, "ev 1 put key=lock/a/wait/0/9 rev=9 len=0\n\n");
	CHECK_STR(lockworld_seen(&c), "reconnect ");
	lock_closed(c.lock, "dropped", lockworld_now_ns);
	lockworld_pull(&c);
	lockworld_open_all(&c);
	lockworld_tell(&c, "ev 1 ready rev=9");
	CHECK(strstr(lockworld_sent(&c), "#t txn ") != NULL);
	lockworld_tell(&c, "#t ok rev=10");
	CHECK_STR(lockworld_seen(&c), "held ");
	lockworld_destroy(&c);
}

static void
test_lock_signal_before_it_starts_nothing(void)
{
	struct lock_config cfg = lockworld_config();
	struct contender c;

	lockworld_create(&c, &cfg);
	lockworld_open_all(&c);
	lockworld_tell(&c, "#l ok lease=3 ttl_ms=15000");
	lockworld_tell(&c, "ev 1 ready rev=3");
	(void)lockworld_sent(&c);
	/* While the slot is being granted. */
	lock_signal(c.lock, LOCK_SIGNAL_END, 15, lockworld_now_ns);
	lockworld_pull(&c);
	CHECK_STR(lockworld_sent(&c), "#x release lease=3 durability=disk\n");
	lockworld_tell(&c, "#t ok rev=7");
	lockworld_tell(
	    &c, "ev 1 put key=lock/a/slot/0 rev=7 lease=3 len=0\n\n");
	CHECK_STR(lockworld_seen(&c), "");
	lockworld_tell(&c, "#x ok");
	CHECK_STR(lockworld_seen(&c), "end ");
	CHECK_EQ(c.code, 143);
	CHECK(!c.is_held);
	lockworld_destroy(&c);
}

/* What the watch tells may not be on disk; what a renewal follows is. */
static void
test_lock_slot_that_was_only_seen_is_confirmed(void)
{
	struct lock_config cfg = lockworld_config();
	struct contender c;
	uint64_t sent_ns;

	lockworld_create(&c, &cfg);
	lockworld_open_all(&c);
	lockworld_tell(&c, "#l ok lease=3 ttl_ms=15000");
	lockworld_tell(&c, "ev 1 ready rev=3");
	lockworld_pass(&c, 5 * S / 3);
	(void)lockworld_sent(&c); /* a first renewal, too */
	lockworld_pass(&c, MS);
	lockworld_tell(
	    &c, "ev 1 put key=lock/a/slot/0 rev=7 lease=3 len=0\n\n");
	lockworld_tell(&c, "#t no code=unknown n=75");
	CHECK_STR(lockworld_sent(&c), "#r1 renew lease=3 durability=disk\n");
	sent_ns = lockworld_now_ns;
	lockworld_pass(&c, MS);
	/* That one was asked for before. */
	lockworld_tell(&c, "#r0 ok renewals=1 ttl_ms=15000");
	CHECK(!c.is_held);
	lockworld_tell(&c, "#r1 ok renewals=1 ttl_ms=15000");
	CHECK(c.is_held);
	CHECK_EQ(c.token, 7);
	CHECK_EQ(c.kill_ns, sent_ns + 14 * S);
	CHECK_STR(lockworld_sent(&c), "");
	lockworld_destroy(&c);
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
		struct lock_config cfg = lockworld_config();
		struct contender c;
		bool is_released;

		hold(&c, &cfg);
		if (cases[i].told != 0)
			lock_signal(c.lock, LOCK_SIGNAL_END, cases[i].told,
			    lockworld_now_ns);
		lockworld_pull(&c);
		lock_work_ended(c.lock, cases[i].code, lockworld_now_ns);
		lockworld_pull(&c);
		/* Something is left. */
		CHECK_STR(lockworld_sent(&c), "");
		lock_work_empty(c.lock, false, lockworld_now_ns);
		lockworld_pull(&c);
		is_released = strstr(lockworld_sent(&c), "release") != NULL;
		CHECK_EQ(is_released, cases[i].is_released);
		CHECK_EQ(strstr(c.seen, "stuck") != NULL, !is_released);
		if (is_released)
			lockworld_tell(&c, "#x ok");
		CHECK(c.is_over);
		CHECK_EQ(c.code, cases[i].code);
		lockworld_destroy(&c);
	}
}

/* The guard ended it in time; we, who stood still, hear of that first. */
static void
test_lock_that_was_late_is_lost_however_it_ended(void)
{
	static const int codes[] = { 0, 137, 143 };

	for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
		struct lock_config cfg = lockworld_config();
		struct contender c;

		hold(&c, &cfg);
		lockworld_now_ns += 6 * S;
		lock_work_ended(c.lock, codes[i], lockworld_now_ns);
		lockworld_pull(&c);
		CHECK(strstr(lockworld_seen(&c), "lost ") != NULL);
		lock_work_empty(c.lock, false, lockworld_now_ns);
		lockworld_pull(&c);
		lockworld_pass(&c, 15 * S);
		CHECK(c.is_over);
		CHECK_EQ(c.code, 122);
		lockworld_destroy(&c);
	}
}

/* It lapses by then. */
static void
test_lock_release_is_awaited_for_the_lease_at_most(void)
{
	struct lock_config cfg = lockworld_config();
	struct contender c;

	cfg.answer_ns = 30 * S;
	hold(&c, &cfg);
	lock_work_ended(c.lock, 0, lockworld_now_ns);
	lockworld_pull(&c);
	lock_work_empty(c.lock, false, lockworld_now_ns);
	lockworld_pull(&c);
	CHECK_STR(lockworld_sent(&c), "#x release lease=3 durability=disk\n");
	lockworld_pass(&c, 14 * S);
	CHECK(!c.is_over);
	lockworld_pass(&c, S);
	CHECK(c.is_over);
	lockworld_destroy(&c);
}

static void
test_lock_waits_its_turn(void)
{
	struct lock_config cfg = lockworld_config();
	struct contender c;

	cfg.prio = 2;
	lockworld_create(&c, &cfg);
	lockworld_open_all(&c);
	lockworld_tell(&c, "#l ok lease=30 ttl_ms=15000");
	lockworld_tell(
	    &c, "ev 1 exists key=lock/a/slot/0 rev=5 lease=2 len=0\n\n");
	lockworld_tell(&c, "ev 1 exists key=lock/a/slots rev=5 len=1\n1\n");
	lockworld_tell(
	    &c, "ev 1 exists key=lock/a/wait/1/6 rev=6 created=6 len=0\n\n");
	lockworld_tell(
	    &c, "ev 1 exists key=lock/a/wait/2/7 rev=7 created=7 len=0\n\n");
	(void)lockworld_sent(&c);
	lockworld_tell(&c, "ev 1 ready rev=7");
	CHECK_STR(lockworld_sent(&c),
	    "#q txn durability=disk len=104\n"
	    "if key=lock/a/wait/2/30 absent=yes\n"
	    "if key=lock/a/slots rev=5\n"
	    "put key=lock/a/wait/2/30 lease=30 len=2\nme\n\n");
	lockworld_tell(&c, "#q ok rev=31");
	lockworld_tell(
	    &c, "ev 1 put key=lock/a/wait/2/30 rev=31 lease=30 len=0\n\n");
	/* Two more, one before us, one behind. */
	lockworld_tell(&c, "ev 1 put key=lock/a/wait/3/32 rev=32 len=0\n\n");
	lockworld_tell(&c, "ev 1 put key=lock/a/wait/2/33 rev=33 len=0\n\n");
	lockworld_tell(&c, "ev 1 del key=lock/a/slot/0 rev=40 why=released");
	CHECK_STR(lockworld_sent(&c), "");
	lockworld_tell(&c, "ev 1 del key=lock/a/wait/3/32 rev=41 why=expired");
	CHECK_STR(lockworld_sent(&c), "");
	lockworld_tell(
	    &c, "ev 1 del key=lock/a/wait/2/7 rev=42 why=expired more=yes");
	CHECK_STR(lockworld_sent(&c), "");
	lockworld_tell(
	    &c, "ev 1 put key=lock/a/slot/0 rev=42 lease=7 len=0\n\n");
	CHECK_STR(lockworld_sent(&c), "");
	lockworld_tell(&c, "ev 1 del key=lock/a/slot/0 rev=43 why=released");
	CHECK(strstr(lockworld_sent(&c), "del key=lock/a/wait/2/30\n") != NULL);
	/* A conflict is not asked again before something changed. */
	lockworld_tell(&c, "#t no code=conflict rev=44");
	lockworld_pass(&c, S / 2);
	CHECK_STR(lockworld_sent(&c), "");
	/* Unless the change was told before. */
	lockworld_pass(&c, S / 2);
	CHECK(strstr(lockworld_sent(&c), "#t txn") != NULL);
	lockworld_destroy(&c);
}

/* Its revision is that of its creation, also when that went unanswered. */
static void
test_lock_place_is_put_once(void)
{
	struct lock_config cfg = lockworld_config();
	struct contender c;

	lockworld_create(&c, &cfg);
	lockworld_open_all(&c);
	lockworld_tell(&c, "#l ok lease=30 ttl_ms=15000");
	lockworld_tell(
	    &c, "ev 1 exists key=lock/a/slot/0 rev=5 lease=2 len=0\n\n");
	lockworld_tell(&c, "ev 1 exists key=lock/a/slots rev=5 len=1\n1\n");
	lockworld_tell(&c, "ev 1 ready rev=5");
	(void)lockworld_sent(&c);
	lockworld_tell(&c, "#q no code=unknown n=75");
	lockworld_pass(&c, S / 10);
	CHECK(strstr(lockworld_sent(&c),
		  "if key=lock/a/wait/0/30 absent=yes\n") != NULL);
	lockworld_tell(&c, "#q no code=conflict at=1 rev=31");
	lockworld_tell(
	    &c, "ev 1 put key=lock/a/wait/0/30 rev=31 lease=30 len=0\n\n");
	/* It came between the two. */
	lockworld_tell(&c, "ev 1 put key=lock/a/wait/0/32 rev=32 len=0\n\n");
	lockworld_tell(&c, "ev 1 del key=lock/a/slot/0 rev=40 why=released");
	CHECK(strstr(lockworld_sent(&c), "#t txn ") != NULL);
	lockworld_destroy(&c);
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
		CHECK_TEST(
		    test_lock_answer_that_is_forgotten_is_asked_for_anew),
		CHECK_TEST(test_lock_signal_before_it_starts_nothing),
		CHECK_TEST(test_lock_slot_that_was_only_seen_is_confirmed),
		CHECK_TEST(test_lock_end_decides_what_is_given_back),
		CHECK_TEST(test_lock_that_was_late_is_lost_however_it_ended),
		CHECK_TEST(test_lock_release_is_awaited_for_the_lease_at_most),
		CHECK_TEST(test_lock_waits_its_turn),
		CHECK_TEST(test_lock_place_is_put_once),
	};

	lockworld_now_ns = 1000 * S;
	return CHECK_MAIN(argc, argv, tests);
}
