/* SPDX-License-Identifier: BSD-3-Clause */
/* The datagrams of ringd: sockets, sealing and opening around the core.
 *
 * In: receive a batch, find the sender, open straight into a cell of the
 * core, step the core.  Out: seal each SEND once, whatever the number of its
 * destinations, into one batch; send the batch when the next datagram does
 * not fit it.  The sessions' handshake runs in here and the shell sees
 * nothing of it.
 *
 * The shell: ringd_net_create, ringd_net_open, watch ringd_net_fd of every
 * link, then
 *   - a link is readable: ringd_net_readable;
 *   - ringd_net_deadline_ns has come: ringd_net_deadline;
 *   - a TOTEM_OUT_SEND was pulled: ringd_net_send;
 *   - at the end of every turn of the loop: ringd_net_flush;
 *   - the kernel says that an address or a carrier went: ringd_net_hint.
 * Nothing is allocated after create.
 */
#ifndef RK_RINGD_NET_H
#define RK_RINGD_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/base/limits.h"
#include "libcommon/os/udp.h"
#include "libcommon/os/udp_group.h"

#include "bin/ringd/link.h"
#include "bin/ringd/session.h"

struct arena;
struct box_keyring;
struct ringd_net;
struct text;
struct totem_effect;
struct totem_input;

/* The shell, as seen from here. */
struct ringd_net_host {
	void *arg;
	/* totem_rx_cell */
	uint8_t *(*cell)(void *arg);
	/* totem_step, then pull all effects; SENDs come to ringd_net_send */
	void (*step)(void *arg, const struct totem_input *in);
	/* This machine was set back to an older state: nothing more is sent.
	 * Leave the process, so that it starts as another incarnation. */
	void (*rolled_back)(void *arg);
	/* A peer refuses this node because it knows a later incarnation. */
	void (*outlived)(void *arg, uint64_t incarnation);
};

struct ringd_net_config {
	uint32_t self;
	uint32_t node_count;
	uint32_t nodes[LIMIT_NODES]; /* ids, strictly ascending, self too */
	uint32_t link_count;
	union udp_addr addr[LIMIT_NODES][LIMIT_LINKS]; /* as nodes[] */
	const char *cluster;            /* name; kept, must outlive the net */
	const struct box_keyring *keys; /* kept */
	uint64_t incarnation;
	uint32_t frame_bytes;    /* largest datagram of the core */
	int socket_buffer_bytes; /* 0: 8 MiB */
	/* Sockets of all links, bound, which become the net's at
	 * ringd_net_open; NULL: that binds them. */
	const struct udp *links;
	bool is_plain_cipher; /* ChaCha20 even where AES would do */
	bool is_segment_off;  /* never use UDP_SEGMENT (for tests) */
	uint64_t rekey_after; /* as in struct session_config; 0: 2^40 */
	enum link_mode link_mode;
	uint32_t link_priority[LIMIT_LINKS]; /* the lowest first */
	uint64_t heartbeat_ns;               /* of links; 0: 25 ms */
	bool has_groups; /* DATA goes to a group of each link, else to each */
	struct udp_group groups[LIMIT_LINKS];
	/* Their sockets, bound; given away and NULL as links. */
	const struct udp *group_sockets;
	struct ringd_net_host host;
};

/*
 * Takes all memory from the arena; NULL from a measuring arena.  cfg is
 * copied.  box_init must have been called.
 */
struct ringd_net *ringd_net_create(
    struct arena *arena, const struct ringd_net_config *cfg, uint64_t now_ns);

/*
 * Binds the sockets of all links.  On failure, -E… with the text of the
 * address in why ("127.0.0.1:5410: Address already in use"), all closed.
 */
RK_MUST_CHECK int ringd_net_open(struct ringd_net *net, struct text *why);

/* Closes the sockets and overwrites the keys. */
void ringd_net_close(struct ringd_net *net);

uint32_t ringd_net_link_count(const struct ringd_net *net);
int ringd_net_fd(const struct ringd_net *net, uint32_t link);

/* The socket of the link's group, -1: it has none. */
int ringd_net_group_fd(const struct ringd_net *net, uint32_t link);

/*
 * Receives until the link is drained or a bound is reached (64 messages, or
 * 512 datagrams and the rest of a batch), feeding the core with PACKETs.
 */
void ringd_net_readable(struct ringd_net *net, uint32_t link, uint64_t now_ns);

/* The same of the link's group. */
void ringd_net_group_readable(
    struct ringd_net *net, uint32_t link, uint64_t now_ns);

/*
 * The network said something about what was sent on the link (LOOP_HUP): takes
 * all of it.  A peer that is proven to be gone by it goes to the core.  After
 * ringd_net_readable: what it sent while it lived comes first.
 */
void ringd_net_errors(struct ringd_net *net, uint32_t link, uint64_t now_ns);

uint64_t ringd_net_deadline_ns(const struct ringd_net *net);
void ringd_net_deadline(struct ringd_net *net, uint64_t now_ns);

/* A TOTEM_OUT_SEND; everything borrowed in it is done with on return. */
void ringd_net_send(
    struct ringd_net *net, const struct totem_effect *effect, uint64_t now_ns);

/*
 * The end of a turn: feeds the core IDLE if datagrams came and all links that
 * were readable are drained, then sends what waits in the batch.
 */
void ringd_net_flush(struct ringd_net *net, uint64_t now_ns);

/*
 * The longest frame that gets through to all who hear this node, in one piece;
 * at most cfg.frame_bytes.
 */
uint32_t ringd_net_frame_bytes(const struct ringd_net *net);

/* What link_hint takes: this node can (or cannot) use the link at all. */
void ringd_net_hint(
    struct ringd_net *net, uint32_t link, bool is_usable, uint64_t now_ns);

enum { RINGD_NET_NOWHERE = -1, RINGD_NET_SOMEWHERE = 0 };

/*
 * The interface that has the link's address now, or NOWHERE: none has it, or
 * without a carrier; SOMEWHERE: nobody knows which.  Another one than before,
 * the link's group is joined there and spoken to from there.
 */
void ringd_net_place(
    struct ringd_net *net, uint32_t link, int ifindex, uint64_t now_ns);

/*
 * From now on nodes, their addresses, links, and mode, priorities and heartbeat
 * of links are those of cfg, self among the nodes; the rest of cfg is as it
 * was.  Not while it receives or sends, nor before ringd_net_end_old after one
 * that answered true (ENSURE).
 *
 * cfg.links: bound sockets of all links, those that stay being the same ones;
 * NULL: number of links and own addresses are as they were, and so they are
 * with groups in any case (ENSURE).
 *
 * true: links are other ones.  Until ringd_net_end_old datagrams are taken from
 * and at where they were, too; the shell watches ringd_net_old_fd of every
 * link, and calls ringd_net_old_readable.
 */
bool ringd_net_configure(
    struct ringd_net *net, const struct ringd_net_config *cfg, uint64_t now_ns);

/* The socket that the link had before; -1: the same as now, or none. */
int ringd_net_old_fd(const struct ringd_net *net, uint32_t link);
void ringd_net_old_readable(
    struct ringd_net *net, uint32_t link, uint64_t now_ns);

/* Old sockets are the caller's again, and watched no more before this. */
void ringd_net_end_old(struct ringd_net *net);

/* ---- administration ---------------------------------------------------- */

enum ringd_net_direction {
	RINGD_NET_IN = 1,
	RINGD_NET_OUT = 2,
	RINGD_NET_BOTH = 3,
};

/*
 * Throws away what comes from and/or goes to a node until until_ns (0: stop
 * doing so), as a firewall would.  -ENOENT: not a peer.
 */
RK_MUST_CHECK int ringd_net_drop(struct ringd_net *net, uint32_t node,
    enum ringd_net_direction direction, uint64_t until_ns);

/*
 * Goes on in a new session, under the key that is the active one now, and
 * greets all peers.  Keys may be added to the keyring at any time, and be taken
 * away once no session is under them.
 */
void ringd_net_rekey(struct ringd_net *net, uint64_t now_ns);

/* ---- for status and stats ---------------------------------------------- */

struct ringd_net_counters {
	uint64_t sent_packets, sent_bytes;
	uint64_t received_packets,
	    received_bytes;                  /* believed, the first copy */
	uint64_t refused;                    /* from that node's address */
	uint64_t filtered_in, filtered_out;  /* by ringd_net_drop */
	uint64_t mcast_packets, mcast_bytes; /* of those received: by a group */
};

/* Of a peer on one link. */
struct ringd_net_mcast_peer {
	bool hears_us; /* so DATA for it goes to the group */
	bool is_heard;
	uint32_t loss_in; /* thousandths */
};

struct ringd_net_peer {
	struct session_peer_status session;
	uint64_t refused[SESSION_REFUSALS];
	uint64_t drop_in_until_ns, drop_out_until_ns; /* 0: not dropping */
	struct link_status state[LIMIT_LINKS];
	struct ringd_net_counters links[LIMIT_LINKS];
	struct ringd_net_mcast_peer mcast[LIMIT_LINKS];
};

/* false when node is not a peer. */
bool ringd_net_peer(const struct ringd_net *net, uint32_t node, uint64_t now_ns,
    struct ringd_net_peer *out);

struct ringd_net_status {
	uint64_t session;
	const char *cipher; /* of DATA: "aes256gcm" or "chacha20poly1305" */
	bool is_rolled_back;
	uint64_t refused[SESSION_REFUSALS]; /* of all, strangers too */
};
void ringd_net_status(
    const struct ringd_net *net, struct ringd_net_status *out);

/* What goes to the group of a link. */
struct ringd_net_mcast {
	bool has_group;
	bool is_joined;
	int error; /* errno of the last attempt to join, 0 */
	union udp_addr group;
	uint64_t sent_packets, sent_bytes; /* reports, too */
};
void ringd_net_mcast(
    const struct ringd_net *net, uint32_t link, struct ringd_net_mcast *out);

/* Borrowed; has_segment, has_gro, buffers and counters for `stats`. */
const struct udp *ringd_net_udp(const struct ringd_net *net, uint32_t link);

#endif
