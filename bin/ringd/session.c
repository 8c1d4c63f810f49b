/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which sessions are believed, and when whom is greeted.
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
#include "bin/ringd/session.h"

#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/ringd/session_internal.h"

#define SESSION_MS ((uint64_t)1000000)

static const uint64_t session_never_ns = UINT64_MAX;
static const uint64_t session_gap_min_ns = 10 * SESSION_MS;
static const uint64_t session_gap_max_ns = 1000 * SESSION_MS;
/* After so long without a HELLO the gap is small again. */
static const uint64_t session_gap_forget_ns = 10000 * SESSION_MS;
static const uint64_t session_challenge_ns = 1000 * SESSION_MS;
static const uint64_t session_report_ns = 1000 * SESSION_MS;
static const uint64_t session_answer_ns = 5 * SESSION_MS;
static const uint64_t session_log_ns = 10000 * SESSION_MS;

enum {
	SESSION_ANSWERS = 8, /* at once, then one in session_answer_ns */
	/* So many replays in a row are reported to the sender: copies of other
	 * links come mixed with originals, a rolled-back sender's do not. */
	SESSION_REPLAYS_REPORTED = 4,
	SESSION_CIPHER_PLAIN = 1, /* what every machine has */
};

/* ---- peers ------------------------------------------------------------- */

static bool
session_is_self(const struct session *s, uint32_t peer)
{
	return s->cfg.nodes[peer] == s->cfg.self;
}

static struct session_peer *
session_peer(struct session *s, uint32_t peer)
{
	ENSURE(peer < s->cfg.node_count);
	ENSURE(!session_is_self(s, peer));
	return &s->peers[peer];
}

struct session *
session_create(struct arena *arena, const struct session_config *cfg,
    const struct session_boot *boot)
{
	struct session *s = arena_take(arena, sizeof *s);

	ENSURE(cfg->node_count >= 1 && cfg->node_count <= LIMIT_NODES);
	ENSURE(cfg->ciphers & SESSION_CIPHER_PLAIN);
	ENSURE(boot->session != 0 && boot->incarnation != 0);
	if (s == NULL)
		return NULL;
	memset(s, 0, sizeof *s);
	s->cfg = *cfg;
	s->session = boot->session;
	s->incarnation = boot->incarnation;
	s->cipher = cfg->ciphers & ~SESSION_CIPHER_PLAIN
	    ? cfg->ciphers & (uint8_t)~SESSION_CIPHER_PLAIN
	    : SESSION_CIPHER_PLAIN;
	if (s->cfg.rekey_after == 0)
		s->cfg.rekey_after = (uint64_t)1 << 40;
	for (uint32_t i = 0; i < cfg->node_count; i++) {
		struct session_peer *peer = &s->peers[i];

		ENSURE(i == 0 || cfg->nodes[i - 1] < cfg->nodes[i]);
		peer->node = cfg->nodes[i];
		peer->hello_at_ns = boot->now_ns;
		peer->hello_gap_ns = session_gap_min_ns;
		peer->report_at_ns = session_never_ns;
		peer->answers = SESSION_ANSWERS;
		peer->answers_ns = boot->now_ns;
	}
	return s;
}

/* By bisection. */
uint32_t
session_idx(const struct session *s, uint32_t node)
{
	uint32_t low = 0, high = s->cfg.node_count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (s->cfg.nodes[middle] < node)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < s->cfg.node_count && s->cfg.nodes[low] == node)
		return low;
	return SESSION_NO_PEER;
}

enum session_refusal
session_find(const struct session *s, const struct session_header *header,
    uint32_t *peer)
{
	*peer = SESSION_NO_PEER;
	if (header->cluster_tag != s->cfg.cluster_tag)
		return SESSION_REFUSED_CLUSTER;
	if (header->sender == s->cfg.self)
		return SESSION_REFUSED_NODE;
	*peer = session_idx(s, header->sender);
	if (*peer == SESSION_NO_PEER)
		return SESSION_REFUSED_NODE;
	if (header->dst != 0 && header->dst != s->cfg.self)
		return SESSION_REFUSED_DESTINATION;
	return SESSION_OK;
}

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
	    num_min(2 * peer->hello_gap_ns, session_gap_max_ns);
}

/* The peer speaks under a session that we do not believe: ask it, but no
 * sooner than the gap allows. */
static void
session_want(struct session_peer *peer, uint64_t now_ns)
{
	uint64_t at_ns;

	if (num_sub(now_ns, peer->hello_last_ns) >= session_gap_forget_ns)
		peer->hello_gap_ns = session_gap_min_ns;
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
	uint64_t deadline_ns = session_never_ns;

	for (uint32_t i = 0; i < s->cfg.node_count; i++) {
		const struct session_peer *peer = &s->peers[i];

		if (session_is_self(s, i))
			continue;
		deadline_ns = num_min(deadline_ns, peer->hello_at_ns);
		deadline_ns = num_min(deadline_ns, peer->report_at_ns);
	}
	return num_max(deadline_ns, 1);
}

/* ---- hearing ----------------------------------------------------------- */

static bool
session_is_believed(
    const struct session_peer *peer, const struct session_header *header)
{
	return peer->is_believed && header->session == peer->session &&
	    header->key_id == peer->key_id;
}

enum session_refusal
session_check(struct session *s, uint32_t idx,
    const struct session_header *header, uint64_t now_ns, bool *is_believed)
{
	struct session_peer *peer = session_peer(s, idx);

	*is_believed = session_is_believed(peer, header);
	if (!*is_believed) {
		if (header->kind == SESSION_HELLO)
			return SESSION_OK;
		session_want(peer, now_ns);
		return SESSION_REFUSED_SESSION;
	}
	if (!(header->cipher & s->cfg.ciphers))
		return SESSION_REFUSED_CIPHER;
	if (session_window_is_fresh(&peer->window, header->counter))
		return SESSION_OK;
	if (++peer->replays % SESSION_REPLAYS_REPORTED == 0)
		peer->report_at_ns = num_min(peer->report_at_ns,
		    num_max(now_ns, peer->greeted_ns + session_gap_min_ns));
	return SESSION_REFUSED_REPLAY;
}

uint64_t
session_pass(
    struct session *s, uint32_t idx, const struct session_header *header)
{
	struct session_peer *peer = session_peer(s, idx);

	ENSURE(session_is_believed(peer, header));
	session_window_take(&peer->window, header->counter);
	peer->replays = 0;
	return peer->incarnation;
}

/* The best cipher for DATA: one that every believed peer can open. */
static void
session_choose_cipher(struct session *s)
{
	uint8_t common = s->cfg.ciphers & (uint8_t)~SESSION_CIPHER_PLAIN;

	for (uint32_t i = 0; i < s->cfg.node_count; i++)
		if (s->peers[i].is_believed)
			common &= s->peers[i].ciphers;
	s->cipher = common != 0 ? common : SESSION_CIPHER_PLAIN;
}

static void
session_believe(struct session *s, struct session_peer *peer,
    const struct session_header *header, const struct session_hello *hello)
{
	ENSURE(!peer->is_believed || hello->incarnation >= peer->incarnation);
	peer->has_believed = true;
	peer->is_restart =
	    peer->is_believed && hello->incarnation != peer->incarnation;
	peer->is_believed = true;
	peer->session = header->session;
	peer->key_id = header->key_id;
	peer->incarnation = hello->incarnation;
	peer->ciphers = hello->ciphers;
	peer->replays = 0;
	peer->hello_gap_ns = session_gap_min_ns;
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
			peer->hello_gap_ns = session_gap_min_ns;
		session_want(peer, now->now_ns);
		if (is_answer || now->now_ns >= peer->hello_at_ns)
			session_greet_challenging(s, peer, now);
	} else if (is_answer) {
		(void)session_greet(s, peer, now->now_ns);
	}
	if (is_answer)
		peer->hello.echo = hello->challenge;
}

/* The peer has seen a counter that we have not reached: we were set back. */
static void
session_compare_counter(struct session *s, const struct session_hello *hello)
{
	if (hello->to_session == s->session && hello->highest > s->counter)
		s->has_rolled_back = true;
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
	if (!is_believed && peer->is_believed &&
	    hello->incarnation < peer->incarnation)
		return SESSION_REFUSED_INCARNATION;
	if (is_believed)
		(void)session_pass(s, idx, header);
	if (hello->echo != 0 && hello->echo == peer->challenge &&
	    now->now_ns < peer->challenge_until_ns) {
		if (!is_believed)
			session_believe(s, peer, header, hello);
		is_believed = true;
		peer->challenge = 0;
		peer->hello_at_ns = session_never_ns;
	}
	if (is_believed)
		peer->table_hash = hello->table_hash;
	session_answer(s, peer, hello, now, is_believed);
	return SESSION_OK;
}

/* ---- effects ----------------------------------------------------------- */

static bool
session_next_of(
    struct session_peer *peer, uint32_t idx, struct session_effect *out)
{
	if (peer->has_believed) {
		peer->has_believed = false;
		*out = (struct session_effect){
			.kind = SESSION_OUT_BELIEVED,
			.peer = idx,
			.is_restart = peer->is_restart,
		};
		return true;
	}
	if (!peer->has_hello)
		return false;
	peer->has_hello = false;
	*out = (struct session_effect){
		.kind = SESSION_OUT_HELLO,
		.peer = idx,
		.hello = peer->hello,
	};
	return true;
}

bool
session_next(struct session *s, struct session_effect *out)
{
	*out = (struct session_effect){ .peer = SESSION_NO_PEER };
	if (s->has_rolled_back) {
		s->has_rolled_back = false;
		out->kind = SESSION_OUT_ROLLED_BACK;
		return true;
	}
	if (s->has_rekey) {
		s->has_rekey = false;
		out->kind = SESSION_OUT_REKEY;
		return true;
	}
	for (uint32_t i = 0; i < s->cfg.node_count; i++)
		if (session_next_of(&s->peers[i], i, out))
			return true;
	return false;
}

void
session_stamp(struct session *s, enum session_kind kind, uint32_t dst,
    struct session_header *out)
{
	s->counter++;
	if (s->counter == s->cfg.rekey_after)
		s->has_rekey = true;
	*out = (struct session_header){
		.kind = kind,
		.cipher =
		    kind == SESSION_DATA ? s->cipher : SESSION_CIPHER_PLAIN,
		.key_id = s->cfg.key_id,
		.cluster_tag = s->cfg.cluster_tag,
		.sender = s->cfg.self,
		.dst = dst,
		.session = s->session,
		.counter = s->counter,
	};
}

void
session_rekey(struct session *s, uint64_t session, uint64_t now_ns)
{
	ENSURE(session != 0 && session != s->session);
	s->session = session;
	s->counter = 0;
	for (uint32_t i = 0; i < s->cfg.node_count; i++)
		if (!session_is_self(s, i))
			s->peers[i].report_at_ns = now_ns;
}

/* ---- counting ---------------------------------------------------------- */

bool
session_refuse(struct session *s, uint32_t idx, enum session_refusal refusal,
    uint64_t now_ns)
{
	ENSURE(refusal > SESSION_OK && refusal < SESSION_REFUSALS);
	s->refused[refusal]++;
	if (idx != SESSION_NO_PEER)
		session_peer(s, idx)->refused[refusal]++;
	/* Whoever starts is not believed for a moment: nothing to report. */
	if (refusal == SESSION_REFUSED_SESSION ||
	    now_ns < s->log_at_ns[refusal])
		return false;
	s->log_at_ns[refusal] = now_ns + session_log_ns;
	return true;
}

uint64_t
session_refused(
    const struct session *s, uint32_t idx, enum session_refusal refusal)
{
	ENSURE(idx < s->cfg.node_count && refusal < SESSION_REFUSALS);
	return s->peers[idx].refused[refusal];
}

uint64_t
session_refused_total(const struct session *s, enum session_refusal refusal)
{
	ENSURE(refusal < SESSION_REFUSALS);
	return s->refused[refusal];
}

uint64_t
session_self(const struct session *s)
{
	return s->session;
}

uint8_t
session_cipher(const struct session *s)
{
	return s->cipher;
}

void
session_peer_status(
    const struct session *s, uint32_t idx, struct session_peer_status *out)
{
	const struct session_peer *peer = &s->peers[idx];

	ENSURE(idx < s->cfg.node_count);
	*out = (struct session_peer_status){ .node = peer->node };
	if (!peer->is_believed)
		return;
	out->is_believed = true;
	out->session = peer->session;
	out->incarnation = peer->incarnation;
	out->ciphers = peer->ciphers;
	out->is_table_different = peer->table_hash != s->cfg.table_hash;
}

static void
session_assert_peer(const struct session *s, uint32_t i)
{
	const struct session_peer *peer = &s->peers[i];

	ENSURE(peer->node == s->cfg.nodes[i]);
	ENSURE(peer->answers <= SESSION_ANSWERS);
	ENSURE(peer->hello_gap_ns >= session_gap_min_ns);
	ENSURE(peer->hello_gap_ns <= session_gap_max_ns);
	if (session_is_self(s, i))
		ENSURE(!peer->is_believed && !peer->has_hello);
	if (!peer->is_believed)
		return;
	ENSURE(peer->session != 0 && peer->incarnation != 0);
	ENSURE(peer->window.highest != 0);
	/* Whoever is believed hears DATA in a cipher it has. */
	ENSURE(s->cipher & peer->ciphers);
}

void
session_assert(const struct session *s)
{
	uint64_t refused = 0;

	ENSURE(s->session != 0 && s->incarnation != 0);
	ENSURE(s->cipher & s->cfg.ciphers);
	for (uint32_t i = 0; i < s->cfg.node_count; i++) {
		session_assert_peer(s, i);
		/* Not believed and nobody asks: it would stay so for ever. */
		ENSURE(session_is_self(s, i) || s->peers[i].is_believed ||
		    s->peers[i].hello_at_ns != session_never_ns);
		refused += s->peers[i].refused[SESSION_REFUSED_REPLAY];
	}
	ENSURE(refused == s->refused[SESSION_REFUSED_REPLAY]);
}
