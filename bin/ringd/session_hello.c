/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When a peer is greeted, and when it is believed.
 *
 * A peer is greeted with a challenge until its echo comes: at start, when it
 * speaks under a session we do not believe, and then with doubling gaps.
 * What an attacker can make us do without the key is bounded by those gaps,
 * and with recorded datagrams by the bucket of answers; both go to the address
 * the configuration has for the peer, never to where a datagram came from.
 *
 * Invariants: a challenge is echoed at most once (it is forgotten then); the
 * counter from which a session is believed is that of the datagram with the
 * echo, so nothing sealed before the challenge was drawn is ever taken; a
 * session once replaced is never believed again without a fresh echo, and
 * never if its incarnation is older.
 */
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/ringd/session.h"
#include "bin/ringd/session_internal.h"

#define SESSION_MS ((uint64_t)1000000)

/* After so long without a HELLO the gap is small again. */
static const uint64_t session_gap_forget_ns = 10000 * SESSION_MS;
static const uint64_t session_challenge_ns = 1000 * SESSION_MS;
static const uint64_t session_report_ns = 1000 * SESSION_MS;
static const uint64_t session_answer_ns = 5 * SESSION_MS;

/* ---- greeting ---------------------------------------------------------- */

/* Our outstanding challenge of a peer, drawn anew when there is none. */
static uint64_t
session_challenge(struct session_peer *peer, const struct session_now *now)
{
	if (peer->challenge == 0 || now->now_ns >= peer->challenge_until_ns) {
		peer->challenge = num_max(now->random, 1);
		peer->challenge_until_ns = now->now_ns + session_challenge_ns;
	}
	return peer->challenge;
}

/* The effect of a HELLO; its challenge and echo are 0 yet. */
static struct session_hello *
session_greet(struct session *s, struct session_peer *peer, uint64_t now_ns)
{
	peer->has_hello = true;
	peer->greeted_ns = now_ns;
	peer->report_at_ns = now_ns + session_report_ns;
	peer->hello = (struct session_hello){
		.incarnation = s->incarnation,
		.to_session = peer->is_believed ? peer->session : 0,
		.highest = peer->is_believed ? peer->window.highest : 0,
		.table_hash = s->cfg.table_hash,
		.ciphers = s->cfg.ciphers,
	};
	return &peer->hello;
}

static void
session_greet_challenging(
    struct session *s, struct session_peer *peer, const struct session_now *now)
{
	struct session_hello *hello = session_greet(s, peer, now->now_ns);

	hello->challenge = session_challenge(peer, now);
	peer->hello_last_ns = now->now_ns;
	peer->hello_at_ns = now->now_ns + peer->hello_gap_ns;
	peer->hello_gap_ns =
	    num_min(2 * peer->hello_gap_ns, SESSION_GAP_MAX_NS);
}

/* No sooner than the gap allows, and with a small gap after a long silence. */
void
session_want(struct session_peer *peer, uint64_t now_ns)
{
	uint64_t at_ns;

	if (num_sub(now_ns, peer->hello_last_ns) >= session_gap_forget_ns)
		peer->hello_gap_ns = SESSION_GAP_MIN_NS;
	at_ns = num_max(now_ns, peer->hello_last_ns + peer->hello_gap_ns);
	peer->hello_at_ns = num_min(peer->hello_at_ns, at_ns);
}

/*
 * May a HELLO of a session that is not believed be answered?  It may be a
 * recording, so these answers are rationed.  While they are used up a peer
 * still gets through: by the answer to our own HELLO, which is fresh.
 */
static bool
session_may_answer(struct session_peer *peer, uint64_t now_ns)
{
	uint64_t more = (now_ns - peer->answers_ns) / session_answer_ns;

	if (more > 0) {
		peer->answers =
		    (uint32_t)num_min(peer->answers + more, SESSION_ANSWERS);
		peer->answers_ns += more * session_answer_ns;
	}
	if (peer->answers == 0)
		return false;
	peer->answers--;
	return true;
}

void
session_tick(struct session *s, const struct session_now *now)
{
	for (uint32_t i = 0; i < s->cfg.node_count; i++) {
		struct session_peer *peer = &s->peers[i];

		if (session_is_self(s, i))
			continue;
		if (now->now_ns >= peer->hello_at_ns)
			session_greet_challenging(s, peer, now);
		else if (now->now_ns >= peer->report_at_ns)
			(void)session_greet(s, peer, now->now_ns);
	}
}

uint64_t
session_deadline_ns(const struct session *s)
{
	uint64_t deadline_ns = SESSION_NEVER_NS;

	for (uint32_t i = 0; i < s->cfg.node_count; i++) {
		const struct session_peer *peer = &s->peers[i];

		if (session_is_self(s, i))
			continue;
		deadline_ns = num_min(deadline_ns, peer->hello_at_ns);
		deadline_ns = num_min(deadline_ns, peer->report_at_ns);
	}
	return num_max(deadline_ns, 1);
}

/* ---- hearing ---------------------------------------------------------- */

static void
session_believe(struct session *s, struct session_peer *peer,
    const struct session_header *header, const struct session_hello *hello)
{
	ENSURE(!peer->is_believed || hello->incarnation >= peer->incarnation);
	peer->has_believed = true;
	peer->is_restart =
	    peer->incarnation != 0 && hello->incarnation != peer->incarnation;
	peer->is_believed = true;
	peer->session = header->session;
	peer->key_id = header->key_id;
	peer->incarnation = hello->incarnation;
	peer->ciphers = hello->ciphers;
	peer->replays = 0;
	peer->hello_gap_ns = SESSION_GAP_MIN_NS;
	session_window_init(&peer->window, header->counter);
	session_choose_cipher(s);
}

/* A HELLO of a session that is (now) believed, or not. */
static void
session_answer(struct session *s, struct session_peer *peer,
    const struct session_hello *hello, const struct session_now *now,
    bool is_believed)
{
	bool is_answer = hello->challenge != 0 &&
	    (is_believed || session_may_answer(peer, now->now_ns));

	if (!is_believed) {
		if (is_answer)
			peer->hello_gap_ns = SESSION_GAP_MIN_NS;
		session_want(peer, now->now_ns);
		if (is_answer || now->now_ns >= peer->hello_at_ns)
			session_greet_challenging(s, peer, now);
	} else if (is_answer) {
		(void)session_greet(s, peer, now->now_ns);
	}
	if (is_answer)
		peer->hello.echo = hello->challenge;
}

/* It is an older life of the peer: its state is lost and its clock was set
 * back; or one that is known to be dead: its machine was set back; or it is a
 * recording.  Only the first two can do anything with the answer.
 */
static void
session_tell_outlived(struct session *s, struct session_peer *peer,
    const struct session_hello *hello, uint64_t now_ns)
{
	if (hello->challenge == 0 || !session_may_answer(peer, now_ns))
		return;
	struct session_hello *answer = session_greet(s, peer, now_ns);
	answer->echo = hello->challenge;
	answer->outlived = num_max(peer->incarnation, peer->buried + 1);
}

/* Does the peer speak for a life that is known to be over? */
static bool
session_is_over(
    const struct session_peer *peer, const struct session_hello *hello)
{
	return hello->incarnation <= peer->buried ||
	    (peer->is_believed && hello->incarnation < peer->incarnation);
}

/* The peer has seen a counter that we have not reached: we were set back. */
static void
session_compare_counter(struct session *s, const struct session_hello *hello)
{
	if (hello->to_session == s->session && hello->highest > s->counter)
		s->has_rolled_back = true;
}

void
session_report(struct session *s, uint32_t idx, uint64_t now_ns)
{
	(void)session_greet(s, session_peer(s, idx), now_ns);
}

bool
session_bury(
    struct session *s, uint32_t idx, uint64_t incarnation, uint64_t now_ns)
{
	struct session_peer *peer = session_peer(s, idx);

	if (!peer->is_believed || peer->incarnation != incarnation)
		return false;
	peer->buried = incarnation;
	peer->is_believed = false;
	peer->challenge = 0; /* its echo may be on the way */
	session_want(peer, now_ns);
	session_choose_cipher(s);
	return true;
}

enum session_refusal
session_hear(struct session *s, uint32_t idx,
    const struct session_header *header, const struct session_hello *hello,
    const struct session_now *now)
{
	struct session_peer *peer = session_peer(s, idx);
	bool is_believed = session_is_believed(peer, header);

	ENSURE(header->kind == SESSION_HELLO);
	session_compare_counter(s, hello);
	if (!is_believed && session_is_over(peer, hello)) {
		session_tell_outlived(s, peer, hello, now->now_ns);
		return SESSION_REFUSED_INCARNATION;
	}
	if (is_believed)
		(void)session_pass(s, idx, header);
	if (hello->echo != 0 && hello->echo == peer->challenge &&
	    now->now_ns < peer->challenge_until_ns) {
		if (!is_believed)
			session_believe(s, peer, header, hello);
		is_believed = true;
		if (hello->outlived > s->incarnation)
			s->outlived = num_max(s->outlived, hello->outlived);
		peer->challenge = 0;
		peer->hello_at_ns = SESSION_NEVER_NS;
	}
	if (is_believed)
		peer->table_hash = hello->table_hash;
	session_answer(s, peer, hello, now, is_believed);
	return SESSION_OK;
}
