/* SPDX-License-Identifier: BSD-3-Clause */
/* Whose datagrams are believed: the handshake and the replay window, pure.
 *
 * A sender seals under its SESSION, a random number drawn at each start, and
 * counts its datagrams.  A receiver believes a session only after the sender
 * has echoed, under that session, a challenge this receiver drew a moment ago;
 * so a recording of an old session convinces nobody, not even a receiver that
 * has just been started and remembers nothing.  Only datagrams counted after
 * that echo are taken, each once.
 *
 *      A                                  B
 *      HELLO challenge=a        ------->
 *                              <-------   HELLO challenge=b echo=a
 *      (A believes B)
 *      HELLO echo=b             ------->
 *                                         (B believes A)
 *
 * There is one kind of handshake datagram, of one length: a HELLO with a
 * challenge is answered by one with its echo, and nothing else is answered.
 * What is kept about a peer is one believed session and one outstanding
 * challenge of ours; a stranger's datagrams, or recorded ones, change neither.
 *
 * No crypto and no I/O here: the caller opens and seals.  For a datagram it
 * received, in this order: session_header_get, session_find, session_check,
 * opens it, then session_pass (DATA) or session_hear (HELLO); an OBITUARY goes
 * without session_check to session_bury.  Whenever one says why not,
 * session_refuse.  After session_hear and session_tick it pulls
 * effects until session_next answers false.
 */
#ifndef RK_SESSION_H
#define RK_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/base/limits.h"

struct arena;
struct session;

enum {
	SESSION_VERSION = 1,
	SESSION_HEADER_BYTES = 32, /* in clear, authenticated */
	SESSION_TAG_BYTES = 16,
	SESSION_OVERHEAD_BYTES = SESSION_HEADER_BYTES + SESSION_TAG_BYTES,
	SESSION_HELLO_BYTES = 57, /* the sealed text of a HELLO */
	SESSION_OBITUARY_BYTES = 10,
	SESSION_REPORT_BYTES = 16,
	SESSION_WINDOW_BITS = 2048,
};

/* ---- datagrams --------------------------------------------------------- */

enum session_kind {
	SESSION_DATA = 1,
	SESSION_HELLO = 2,
	SESSION_LINK = 3,     /* of one link: link.h */
	SESSION_OBITUARY = 4, /* of the sender's ringd, by its supervisor */
	SESSION_PIECE = 5,    /* of DATA: link_piece.h */
	SESSION_REPORT = 6,   /* of a group, to it: mcast.h */
};

/*
 * The clear header.  The cluster tag is only a hint for a good refusal: what
 * binds a datagram to its cluster is that the name goes into the key.
 */
struct session_header {
	enum session_kind kind;
	uint8_t cipher; /* one bit, as the announced set */
	uint8_t key_id;
	uint32_t cluster_tag;
	uint32_t sender;
	uint32_t dst; /* a node, or 0: all */
	uint64_t session;
	uint64_t counter; /* from 1 */
	uint32_t salt;
};

struct session_hello {
	uint64_t incarnation;
	uint64_t challenge;  /* please echo this; 0: none */
	uint64_t echo;       /* of your challenge; 0: none */
	uint64_t to_session; /* the session of yours I believe; 0: none */
	uint64_t highest;    /* highest counter I took from it */
	uint64_t outlived;   /* a later incarnation of yours that I believed,
				or yours + 1: it is known to be dead; with the
				echo only; 0: none */
	uint64_t table_hash; /* of my node table */
	uint8_t ciphers;     /* that I can open */
};

enum session_death {
	SESSION_DEATH_SIGNAL = 1, /* number: of the signal */
	SESSION_DEATH_HANG = 2,   /* its supervisor killed it */
	SESSION_DEATH_EXIT = 3,   /* number: the code it ended with */
};

/* That incarnation of the sender is dead, and did not say LEAVE. */
struct session_obituary {
	uint64_t incarnation;
	enum session_death death;
	uint8_t number;
};

/* Why a datagram is not believed. */
enum session_refusal {
	SESSION_OK,
	SESSION_REFUSED_MALFORMED,
	SESSION_REFUSED_VERSION,
	SESSION_REFUSED_CLUSTER,
	SESSION_REFUSED_KEY_ID,      /* sealed with a key we do not have */
	SESSION_REFUSED_NODE,        /* from a node we do not know */
	SESSION_REFUSED_ADDRESS,     /* not from that node's address */
	SESSION_REFUSED_DESTINATION, /* for another node */
	SESSION_REFUSED_CIPHER,      /* one this machine cannot open */
	SESSION_REFUSED_TAG,         /* not authentic: wrong key, or damaged */
	SESSION_REFUSED_SESSION,     /* not (yet, any more) believed */
	SESSION_REFUSED_REPLAY,      /* had it, or too old to tell */
	SESSION_REFUSED_INCARNATION, /* older than the one we believe */
	SESSION_REFUSALS
};
const char *session_refusal_name(enum session_refusal refusal); /* "tag" */

/* header must be valid (ENSURE). */
void session_header_put(
    const struct session_header *header, uint8_t out[SESSION_HEADER_BYTES]);

/*
 * Decodes and validates the header of a datagram of len bytes in all: OK,
 * MALFORMED or VERSION.  Says nothing about authenticity.
 */
enum session_refusal session_header_get(
    const uint8_t *bytes, size_t len, struct session_header *out);

/*
 * The same of the beginning of a datagram, as a refusal quotes it: its length
 * is not looked at.  false: it is not one of ours.
 */
bool session_header_peek(
    const uint8_t *bytes, size_t len, struct session_header *out);

void session_hello_put(
    const struct session_hello *hello, uint8_t out[SESSION_HELLO_BYTES]);
bool session_hello_get(
    const uint8_t *bytes, size_t len, struct session_hello *out);

void session_obituary_put(const struct session_obituary *obituary,
    uint8_t out[SESSION_OBITUARY_BYTES]);
bool session_obituary_get(
    const uint8_t *bytes, size_t len, struct session_obituary *out);
const char *session_death_name(enum session_death death); /* "signal" */

/* ---- the state machine ------------------------------------------------- */

struct session_config {
	uint32_t self;
	uint32_t node_count;
	uint32_t nodes[LIMIT_NODES]; /* ids, strictly ascending, self too */
	uint32_t cluster_tag;
	uint64_t table_hash;
	uint8_t key_id;       /* of the key that seals */
	uint8_t ciphers;      /* that this machine has, bits; 1 always */
	uint64_t rekey_after; /* datagrams in one session; 0: 2^40 */
};

struct session_boot {
	uint64_t now_ns;
	uint64_t session;     /* random, not 0 */
	uint64_t incarnation; /* not 0 */
};

/* From a measuring arena: NULL.  HELLOs to all peers are due at once. */
struct session *session_create(struct arena *arena,
    const struct session_config *cfg, const struct session_boot *boot);

/* A peer is its place in nodes[], idx; this stands for "none of them". */
enum { SESSION_NO_PEER = LIMIT_NODES };

uint32_t session_idx(const struct session *s, uint32_t node);

/*
 * What needs no memory of the past: OK with the sender's place in *idx, or
 * CLUSTER, NODE, DESTINATION.
 */
enum session_refusal session_find(const struct session *s,
    const struct session_header *header, uint32_t *idx);

/*
 * Before opening: OK (then open it: with the key of the peer's believed
 * session if *is_believed, else with one derived for the header), or CIPHER,
 * SESSION, REPLAY.  (A LINK is never a REPLAY: its link may be so slow that the
 * window has passed it, and it has a number of its own.)  The header is NOT
 * authentic yet: all that a forged one can do is to bring forward a
 * rate-limited HELLO to the real peer.
 */
enum session_refusal session_check(struct session *s, uint32_t idx,
    const struct session_header *header, uint64_t now_ns, bool *is_believed);

/*
 * An authentic DATA, PIECE or REPORT that session_check let through: records
 * it. Answers the incarnation of the sender.
 */
uint64_t session_pass(
    struct session *s, uint32_t idx, const struct session_header *header);

/*
 * random must be fresh from the kernel for every call: it becomes the
 * challenge of whatever HELLO this call makes.  Challenges travel sealed and
 * need only never repeat; but not even after this machine was rolled back,
 * and that is why they are fed in, not drawn from a generator in memory.
 */
struct session_now {
	uint64_t now_ns;
	uint64_t random;
};

/* An authentic HELLO that session_check let through: OK or INCARNATION. */
enum session_refusal session_hear(struct session *s, uint32_t idx,
    const struct session_header *header, const struct session_hello *hello,
    const struct session_now *now);

/*
 * An authentic obituary says that this incarnation of the peer is dead.  true:
 * it is the one that is believed; nothing of it is believed from now on.
 * Nothing happens otherwise: whoever is meant was replaced already, so that an
 * old obituary does no harm, however often it comes.
 */
RK_MUST_CHECK bool session_bury(
    struct session *s, uint32_t idx, uint64_t incarnation, uint64_t now_ns);

/* Makes a HELLO that asks for nothing: a believed peer need not answer it. */
void session_report(struct session *s, uint32_t idx, uint64_t now_ns);

/* The deadline has come (or not: then nothing happens). */
void session_tick(struct session *s, const struct session_now *now);

/* When to call session_tick; never 0. */
uint64_t session_deadline_ns(const struct session *s);

/*
 * Counts a refusal; idx may be SESSION_NO_PEER.  true: log it, now, with
 * session_refused_total (at most one line a reason in 10 s).
 */
bool session_refuse(struct session *s, uint32_t idx,
    enum session_refusal refusal, uint64_t now_ns);

enum session_effect_kind {
	SESSION_OUT_HELLO,       /* seal hello for peer, on every link */
	SESSION_OUT_BELIEVED,    /* the session just heard is now the peer's:
				    keep the key it was opened with */
	SESSION_OUT_ROLLED_BACK, /* a peer has seen more than we sent: be
				    silent, leave the ring, start anew */
	SESSION_OUT_OUTLIVED,    /* a peer knows a later incarnation of this
				    node: it refuses this one */
	SESSION_OUT_REKEY,       /* call session_rekey */
};

struct session_effect {
	enum session_effect_kind kind;
	uint32_t peer;
	bool is_restart;   /* BELIEVED: with another incarnation than before */
	uint64_t outlived; /* OUTLIVED: that incarnation */
	struct session_hello hello;
};
bool session_next(struct session *s, struct session_effect *out);

/*
 * The header of the next datagram to seal for dst (a node, or 0: all); uses
 * up a counter.  The salt is the caller's to add.  HELLOs are in the cipher
 * that every machine has, DATA in the best that all believed peers can open.
 */
void session_stamp(struct session *s, enum session_kind kind, uint32_t dst,
    struct session_header *out);

/* Another key seals, from the session_rekey on that has to follow at once. */
void session_set_key(struct session *s, uint8_t key_id);

/* Goes on under another session (random, not 0) and greets all peers. */
void session_rekey(struct session *s, uint64_t session, uint64_t now_ns);

/*
 * From now on the nodes and table_hash are those of cfg, self among them; the
 * rest of cfg is not looked at.  Who stays is believed as before, and is told
 * the new hash; others are greeted.  No effect may wait.
 */
void session_set_nodes(
    struct session *s, const struct session_config *cfg, uint64_t now_ns);

/* ---- for status and stats ---------------------------------------------- */

uint64_t session_self(const struct session *s);  /* the session we seal under */
uint8_t session_cipher(const struct session *s); /* of DATA, one bit */
uint64_t session_counter(const struct session *s); /* stamped last; 0: none */

struct session_peer_status {
	uint32_t node;
	bool is_believed;
	uint64_t session, incarnation; /* 0 unless believed */
	uint8_t ciphers;
	uint8_t key_id;          /* of the key its session is sealed under */
	bool is_table_different; /* its node table is not ours */
};
void session_peer_status(
    const struct session *s, uint32_t idx, struct session_peer_status *out);

uint64_t session_refused(
    const struct session *s, uint32_t idx, enum session_refusal refusal);
uint64_t session_refused_total(
    const struct session *s, enum session_refusal refusal);

/* Every invariant of the whole state (ENSURE); for tests. */
void session_assert(const struct session *s);

#endif
