/* SPDX-License-Identifier: BSD-3-Clause */
/* Which of several network paths to each peer are good for what, pure.
 *
 * A *pair* is one peer on one link.  Both ends send LINK datagrams over it,
 * which say what the sender hears and on which links; so each end knows of
 * both directions.
 *
 *      DOWN   nothing authentic was heard on it lately
 *      INIT   it is heard here
 *      UP     both ends hear it, and three echoes in a row came in time
 *
 * A pair that is up is *good* while it is not silent and does not lose much,
 * in either direction; what was bad must have been without fault for a while,
 * longer each time.  DATA takes good pairs.  Where there is none, it takes
 * what there is: nothing here ever makes a peer unreachable.
 *
 * No I/O here: the caller tells what it sent and received, and pulls effects
 * with link_next until that answers false, after every call that has an
 * uint64_t now_ns and no const first argument (but link_next itself and
 * link_sent), and after link_set_group.  DESIGN.md, 6.
 */
#ifndef RK_LINK_H
#define RK_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/limits.h"

struct arena;
struct idmap;
struct links;

enum {
	LINK_TEXT_BYTES = 56,     /* of a LINK datagram, sealed; then padding */
	LINK_PROBE_SIZES_MAX = 6, /* that path MTU is looked for at */
};

enum link_mode {
	LINK_PASSIVE, /* DATA over one link: by priority, then round trip */
	LINK_ACTIVE,  /* over all good ones */
	LINK_RR,      /* over the good ones in turn */
};
const char *link_mode_name(enum link_mode mode);

/* ---- datagrams --------------------------------------------------------- */

/* What a LINK datagram says. */
struct link_packet {
	uint32_t link;     /* that it was sent over */
	bool is_asking;    /* please answer at once */
	uint64_t seq;      /* of this pair, from 1, never again */
	uint64_t stamp_ns; /* the sender's clock */
	uint64_t
	    echo_ns; /* your latest stamp that came on this link; 0: none */
	uint64_t held_ns; /* since that came */
	uint64_t sent;   /* datagrams sent to you on this link, with this one */
	uint8_t heard;   /* links on which I hear you, as bits */
	uint8_t good;    /* and on which I am content with what I hear */
	uint8_t group;   /* and on which I hear your multicasts */
	uint16_t loss;   /* of what you sent on this link, in thousandths */
	uint16_t mtu;    /* that gets through to you, for all I know */
	uint16_t probed; /* this answers a datagram so long; 0: it does not */
};

void link_packet_put(
    const struct link_packet *packet, uint8_t out[LINK_TEXT_BYTES]);

/* False when it is malformed.  What follows the text is padding. */
bool link_packet_get(const uint8_t *bytes, size_t len, struct link_packet *out);

/* ---- the state machine ------------------------------------------------- */

struct link_config {
	uint32_t self; /* this node's place */
	uint32_t node_count;
	uint32_t link_count;
	enum link_mode mode;
	uint32_t priority[LIMIT_LINKS]; /* the lowest first */
	uint64_t heartbeat_ns;          /* 0: 25 ms */
	uint64_t timeout_ns;     /* of silence, then it is down; 0: 400 ms */
	uint32_t datagram_bytes; /* the longest that DATA needs */
};

/* From a measuring arena: NULL.  cfg is copied. */
struct links *link_create(
    struct arena *arena, const struct link_config *cfg, uint64_t now_ns);

/*
 * The peer's session is believed from now on; is_restart: it is another
 * incarnation, so what was known of its links is forgotten.
 */
void link_greet(
    struct links *l, uint32_t peer, bool is_restart, uint64_t now_ns);

/* Where and when something came or went. */
struct link_at {
	uint32_t peer; /* its place */
	uint32_t link;
	uint64_t now_ns;
};

/* Datagrams other than LINKs are about to be sent to the peer. */
void link_sent(struct links *l, const struct link_at *at, uint32_t count);

/*
 * A datagram other than a LINK came that the believed session of the peer may
 * have sealed: one that was authentic, or the copy of one that came over
 * another link.
 */
void link_came(struct links *l, const struct link_at *at);

/*
 * Is it worth while to open the copy with this counter, only to know whether
 * it is a sign of life?  (Never twice for one counter: else whoever recorded
 * a datagram of another link could keep this one alive.)
 */
bool link_wants(
    const struct links *l, const struct link_at *at, uint64_t counter);

/* An authentic datagram with this counter, of any kind, came: it is alive. */
void link_heard(struct links *l, const struct link_at *at, uint64_t counter);

/*
 * An authentic LINK came, in a datagram of bytes in all.  False: it belongs
 * to another link, or came before; then nothing happened.
 */
bool link_hear(struct links *l, const struct link_at *at,
    const struct link_packet *packet, uint32_t bytes);

/*
 * What the kernel says of a link as a whole: not usable, all its pairs are
 * down at once, and stay so; usable again: all are probed at once.
 */
void link_hint(struct links *l, uint32_t link, bool is_usable, uint64_t now_ns);

/*
 * From now on mode, priority and heartbeat_ns are those of cfg; the rest of it
 * is not looked at.
 */
void link_set_mode(
    struct links *l, const struct link_config *cfg, uint64_t now_ns);

/* Other links than before. */
struct link_change {
	uint32_t link_count;
	uint8_t own; /* those that this node has elsewhere now, as bits */
	/* Those of each peer's pairs that are elsewhere at either end, as bits.
	 * What link_count adds is new in any case. */
	uint8_t moved[LIMIT_NODES];
};

/*
 * Pairs that are added or moved are down, and greeted at once; all others stay
 * as they are.  What was sent over a pair, ever, is never believed anew: one
 * that is removed and comes again goes on with its numbers.
 */
void link_set_links(
    struct links *l, const struct link_change *change, uint64_t now_ns);

/*
 * Places move like this, this node's own too; of new ones nothing is known.
 * Their numbers go on behind those of all that were removed: who is removed and
 * added again may still know what it was sent.
 */
void link_set_nodes(struct links *l, const struct idmap *map, uint64_t now_ns);

/* The links on which the peer's multicasts are heard, for its next LINKs; what
 * changed is said at once. */
void link_set_group(struct links *l, uint32_t peer, uint8_t links);

uint64_t link_deadline_ns(const struct links *l);
void link_tick(struct links *l, uint64_t now_ns);

enum link_effect_kind {
	LINK_OUT_SEND,  /* seal and send packet over the pair, unfragmented */
	LINK_OUT_UP,    /* for the log */
	LINK_OUT_DOWN,  /* too */
	LINK_OUT_MOVED, /* DATA for the peer takes other links, .data */
	LINK_OUT_MTU,   /* the pair's path MTU is another, .mtu; 0: unknown */
};

struct link_effect {
	enum link_effect_kind kind;
	uint32_t peer, link;
	struct link_packet packet;
	uint32_t bytes; /* SEND: how long the datagram shall be; 0: as it is */
	uint8_t data;
	uint32_t mtu;
};
bool link_next(struct links *l, uint64_t now_ns, struct link_effect *out);

/* ---- answers ----------------------------------------------------------- */

/*
 * The links that DATA takes to the peer now, as bits; never none.  turn
 * counts what is sent: for LINK_RR each turn takes the next one.
 */
uint8_t link_data(const struct links *l, uint32_t peer, uint64_t turn);

/* Those that everything else takes: all that are up, or all there are. */
uint8_t link_control(const struct links *l, uint32_t peer);

/*
 * The longest datagram that gets through to the peer over all of the links
 * that DATA takes, or everything else; in octets of UDP payload; 0: unknown.
 */
uint32_t link_mtu(const struct links *l, uint32_t peer, bool is_control);

/* The links that are up on which the peer says that it hears our multicasts,
 * as bits. */
uint8_t link_group(const struct links *l, uint32_t peer);

/* Is any link to the peer up? */
bool link_is_reached(const struct links *l, uint32_t peer);

enum link_state { LINK_DOWN, LINK_INIT, LINK_UP };
const char *link_state_name(enum link_state state);

struct link_status {
	enum link_state state;
	bool is_good;
	bool is_unusable;  /* by link_hint */
	bool has_data;     /* DATA takes it */
	bool was_heard;    /* ever, in this life of the peer, where it is now */
	uint64_t heard_ns; /* 0: never */
	uint64_t rtt_ns, rtt_dev_ns; /* smoothed; 0: unknown */
	uint32_t loss_in, loss_out; /* thousandths, here and as the peer says */
	uint32_t mtu;               /* both ways; 0: unknown */
	uint32_t priority;
	uint64_t downs;      /* how often it went down */
	uint64_t sent, came; /* datagrams */
};
void link_status(const struct links *l, uint32_t peer, uint32_t link,
    struct link_status *out);

/* Every invariant of the whole state (ENSURE); for tests. */
void link_assert(const struct links *l);

#endif
