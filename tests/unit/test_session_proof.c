/* SPDX-License-Identifier: BSD-3-Clause */
/* When refusals prove that a peer's ringd is gone, and when they do not. */
#include "bin/ringd/session_proof.h"
#include "tests/unit/check.h"

#define US ((uint64_t)1000)

enum { LINK_0 = 1, LINK_1 = 2 };

static struct session_proof proof;
static uint64_t now_ns, counter;

/* The first refusal has come. */
static void
begin(void)
{
	proof = (struct session_proof){ .is_asking = false };
	now_ns = 1000000 * US;
	counter = 100;
	CHECK(!session_proof_refused(&proof, 0, 90, LINK_0, now_ns));
}

/* Sends the probe that is due next, as soon as it is. */
static uint64_t
probe(void)
{
	uint64_t due_ns = session_proof_deadline_ns(&proof);

	if (!CHECK(due_ns != UINT64_MAX))
		return 0;
	now_ns = due_ns > now_ns ? due_ns : now_ns;
	CHECK(session_proof_is_due(&proof, now_ns));
	counter += 10; /* other datagrams go as well */
	session_proof_probed(&proof, counter, now_ns);
	return counter;
}

static bool
refuse(uint32_t link, uint64_t of, uint32_t links)
{
	now_ns += 50 * US;
	return session_proof_refused(&proof, link, of, links, now_ns);
}

static void
test_session_proof_takes_three_probes_a_millisecond_apart(void)
{
	uint64_t began_ns;

	begin();
	began_ns = now_ns;
	CHECK_EQ(session_proof_deadline_ns(&proof), now_ns); /* at once */
	CHECK(!refuse(0, probe(), LINK_0));
	CHECK(!session_proof_is_due(&proof, now_ns));
	CHECK(!refuse(0, probe(), LINK_0));
	CHECK(refuse(0, probe(), LINK_0));
	CHECK(now_ns - began_ns >= 2000 * US);
	CHECK(now_ns - began_ns < 5000 * US);
	CHECK_EQ(session_proof_deadline_ns(&proof), UINT64_MAX);

	/* Told once, whatever else is refused. */
	CHECK(!refuse(0, counter, LINK_0));
	CHECK(!refuse(0, counter + 1, LINK_0));
	CHECK_EQ(session_proof_deadline_ns(&proof), UINT64_MAX);
}

static void
test_session_proof_nothing_without_a_refusal(void)
{
	session_proof_heard(&proof);
	CHECK_EQ(session_proof_deadline_ns(&proof), UINT64_MAX);
	CHECK(!session_proof_is_due(&proof, 1000000 * US));
}

static void
test_session_proof_needs_an_answer_to_each(void)
{
	for (int missing = 0; missing < SESSION_PROOFS; missing++) {
		begin();
		for (int i = 0; i < SESSION_PROOFS; i++) {
			uint64_t of = probe();

			for (int copy = 0; copy < 5 && i != missing; copy++)
				CHECK(!refuse(0, of, LINK_0));
		}
		/* What was sent before the first one is no answer. */
		CHECK(!refuse(0, 109, LINK_0));
	}
}

static void
test_session_proof_other_datagrams_do_as_well(void)
{
	begin();
	CHECK(!refuse(0, probe() + 3, LINK_0));
	CHECK(!refuse(0, probe() + 9, LINK_0));
	CHECK(refuse(0, probe() + 1000, LINK_0));
}

static void
test_session_proof_is_void_when_something_is_heard(void)
{
	begin();
	CHECK(!refuse(0, probe(), LINK_0));
	CHECK(!refuse(0, probe(), LINK_0));
	session_proof_heard(&proof);
	CHECK(!refuse(0, counter, LINK_0)); /* a first one again */
	CHECK(!refuse(0, counter, LINK_0));
	CHECK(!refuse(0, probe(), LINK_0));
}

/* One link is refused, and it speaks on another: no storm comes of it. */
static void
test_session_proof_asks_who_speaks_now_and_then(void)
{
	uint32_t probes = 0;

	begin();
	for (uint64_t end_ns = now_ns + 1000000 * US; now_ns < end_ns;
	     now_ns += 100 * US) {
		if (session_proof_is_due(&proof, now_ns)) {
			session_proof_probed(&proof, ++counter, now_ns);
			probes++;
		}
		session_proof_heard(&proof);
		(void)session_proof_refused(
		    &proof, 0, counter, LINK_0 | LINK_1, now_ns);
	}
	CHECK(probes > 10 && probes <= 51);
	/* When it is dead at last, that is found out without a new delay. */
	CHECK(session_proof_deadline_ns(&proof) <=
	    now_ns + SESSION_PROOF_SPAN_NS);
	CHECK(!refuse(0, probe(), LINK_0));
	CHECK(!refuse(0, probe(), LINK_0));
	CHECK(refuse(0, probe(), LINK_0));
}

/* It may not even have the link. */
static void
test_session_proof_does_not_ask_for_a_link_that_was_never_heard(void)
{
	proof = (struct session_proof){ .is_asking = false };
	CHECK(!session_proof_refused(&proof, 1, 90, LINK_0, 1000000 * US));
	CHECK_EQ(session_proof_deadline_ns(&proof), UINT64_MAX);
}

static void
test_session_proof_is_void_when_it_takes_too_long(void)
{
	begin();
	CHECK(!refuse(0, probe(), LINK_0));
	CHECK(!refuse(0, probe(), LINK_0));
	(void)probe();
	now_ns += SESSION_PROOF_SPAN_NS;
	CHECK(!refuse(0, counter, LINK_0));
	CHECK(!refuse(0, probe(), LINK_0));
	CHECK(!refuse(0, probe(), LINK_0));
	CHECK(refuse(0, probe(), LINK_0));
}

static void
test_session_proof_needs_every_link_that_was_heard(void)
{
	uint64_t of[SESSION_PROOFS];

	begin();
	for (int i = 0; i < SESSION_PROOFS; i++) {
		of[i] = probe();
		CHECK(!refuse(0, of[i], LINK_0 | LINK_1));
	}
	CHECK(!refuse(1, of[0], LINK_0 | LINK_1));
	CHECK(!refuse(1, of[1], LINK_0 | LINK_1));
	CHECK(refuse(1, of[2], LINK_0 | LINK_1));

	/* A link that was silent before has nothing to say. */
	begin();
	CHECK(!refuse(0, probe(), LINK_0));
	CHECK(!refuse(0, probe(), LINK_0));
	CHECK(refuse(0, probe(), LINK_0));
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(
		    test_session_proof_takes_three_probes_a_millisecond_apart),
		CHECK_TEST(test_session_proof_nothing_without_a_refusal),
		CHECK_TEST(test_session_proof_needs_an_answer_to_each),
		CHECK_TEST(test_session_proof_other_datagrams_do_as_well),
		CHECK_TEST(test_session_proof_is_void_when_something_is_heard),
		CHECK_TEST(test_session_proof_asks_who_speaks_now_and_then),
		CHECK_TEST(
		    test_session_proof_does_not_ask_for_a_link_that_was_never_heard),
		CHECK_TEST(test_session_proof_is_void_when_it_takes_too_long),
		CHECK_TEST(test_session_proof_needs_every_link_that_was_heard),
	};

	return CHECK_MAIN(argc, argv, tests);
}
