/* SPDX-License-Identifier: BSD-3-Clause */
/* The state behind link.h, for link*.c alone. */
#ifndef RK_LINK_INTERNAL_H
#define RK_LINK_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bin/ringd/link.h"

#define LINK_MS    ((uint64_t)1000000)
#define LINK_NEVER UINT64_MAX

enum {
	LINK_ECHOES = 3,       /* in a row, then a pair is up */
	LINK_RTTS = 3,         /* of which the least counts */
	LINK_COUNTS = 8,       /* LINKs over which loss is counted */
	LINK_COUNTED_MIN = 20, /* datagrams that it takes */
	LINK_LOST_MIN = 4,     /* and how many of them must be missing */
	LINK_LOSS_BAD = 150,   /* thousandths */
	LINK_LOSS_GOOD = 50,
	LINK_BUSY = 8,        /* datagrams since the last LINK */
	LINK_BUSY_ALONE = 64, /* with one link */
	LINK_PROBES = 3,      /* without an answer, then a length is dead */
};

/* What was sent and what came until one LINK. */
struct link_count {
	uint64_t sent, came;
};

/* Datagrams of one length, as far as the path MTU goes. */
struct link_size {
	bool is_alive;
	uint32_t tries;  /* since the last answer */
	uint32_t others; /* answers to the shortest since then */
};

struct link_pair {
	enum link_state state;
	bool is_unusable, was_heard;
	uint64_t begun_ns; /* it is coming up since */

	/* What we send. */
	uint64_t seq, sent;
	uint64_t sent_ns;      /* the last datagram of any kind */
	uint64_t told_ns;      /* the last LINK */
	uint64_t told_sent;    /* sent, then */
	bool is_due, is_asked; /* a LINK: now; soon, as an answer */
	uint32_t probed;       /* answer to a datagram so long, 0 none */

	/* What comes. */
	uint64_t came;
	uint64_t heard_ns, heard_counter;
	uint64_t high, window;       /* LINKs that came, by seq */
	uint64_t stamp_ns, stamp_at; /* the latest stamp, and when it came */

	/* Round trips. */
	uint32_t echoes;
	uint64_t echo_ns; /* the latest */
	uint64_t rtt_ns, rtt_dev_ns;
	uint64_t rtts[LINK_RTTS];

	/* Loss. */
	struct link_count counts[LINK_COUNTS];
	uint32_t count_count;
	uint32_t loss_in, loss_out;
	bool is_lossy;

	/* Am I content with it? */
	bool is_content;
	uint64_t clean_ns; /* without fault since; 0: it has one */
	uint64_t bad_ns, penalty_ns;

	/* Path MTU. */
	struct link_size sizes[LINK_PROBE_SIZES_MAX];
	uint64_t probe_ns;        /* next round */
	uint64_t probe_begun_ns;  /* of the last round */
	uint32_t probes;          /* lengths to send now, as bits */
	uint32_t mtu_out, mtu_in; /* 0: unknown */

	uint64_t downs;
	bool has_up, has_down, has_mtu; /* effects */
};

struct link_peer {
	bool is_known;
	uint64_t news_ns;              /* stamp of the latest word */
	uint8_t heard, good, group;    /* that word */
	uint8_t told_heard, told_good; /* ours */
	uint8_t told_group;
	uint8_t data;
	bool is_turning; /* LINK_RR has a choice */
	bool has_moved;  /* effect */
	struct link_pair pairs[LIMIT_LINKS];
};

struct links {
	struct link_config cfg;
	uint64_t beat_ns;    /* 25 ms, more with many nodes */
	uint64_t timeout_ns; /* cfg's, or what follows from all that */
	uint8_t unusable;    /* links, by link_hint, as bits */
	uint64_t used_seq;   /* the highest told to a peer that was removed */
	uint64_t due_ns;
	bool has_effects; /* perhaps */
	uint32_t size_count;
	uint32_t sizes[LINK_PROBE_SIZES_MAX]; /* ascending */
	struct link_peer peers[LIMIT_NODES];
};

/* A peer's place, not this node's own (ENSURE). */
struct link_peer *link_peer(struct links *l, uint32_t peer);

/* The next thing to do may be then; never in the past, or it would be late. */
void link_hurry(struct links *l, uint64_t at_ns);

/* What follows from how many nodes and links there are, and how often they
 * beat. */
void link_set_beat(struct links *l);

/* Everything about the pair but our own counts and what the kernel says. */
void link_forget(struct link_pair *pair);

/* The pair greets the other end. */
void link_begin(struct links *l, struct link_pair *pair, uint64_t now_ns);

/* Heard within the timeout? */
bool link_is_heard(
    const struct links *l, const struct link_pair *pair, uint64_t now_ns);
/* No sign of life for three heartbeats? */
bool link_is_silent(
    const struct links *l, const struct link_pair *pair, uint64_t now_ns);

/* All that follows from what is known of the peer now. */
void link_settle(struct links *l, uint32_t peer, uint64_t now_ns);

/* DATA takes what is best now. */
void link_choose(struct links *l, uint32_t peer, uint64_t now_ns);

/* The newest LINK of a pair: what was lost of all that was sent? */
void link_measure(struct link_pair *pair, const struct link_packet *packet);

/* Path MTU: begins anew; a round is due; an answer came; the next deadline;
 * the next length to send, 0 none. */
void link_mtu_begin(
    const struct links *l, struct link_pair *pair, uint64_t now_ns);
void link_mtu_tick(
    const struct links *l, struct link_pair *pair, uint64_t now_ns);
void link_mtu_answered(
    const struct links *l, struct link_pair *pair, uint32_t bytes);
/* Much is lost: look at once whether it is the long ones. */
void link_mtu_hurry(struct link_pair *pair, uint64_t now_ns);
uint32_t link_mtu_next(const struct links *l, struct link_pair *pair);

#endif
