/* SPDX-License-Identifier: BSD-3-Clause */
/* The state behind ringd_net.h, for ringd_net*.c alone. */
#ifndef RK_RINGD_NET_INTERNAL_H
#define RK_RINGD_NET_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/os/box.h"
#include "libcommon/os/udp.h"

#include "bin/ringd/link.h"
#include "bin/ringd/mcast.h"
#include "bin/ringd/ringd_net.h"
#include "bin/ringd/session.h"
#include "bin/ringd/session_proof.h"

/* Lines in the log about one thing: some at once, then one every 10 s. */
struct ringd_net_lines {
	uint64_t log_ns;
	uint32_t untold; /* since the last one */
};

/* A peer; its place is that in cfg.nodes and in the session's. */
struct ringd_net_node {
	struct box_key key; /* of the session that is believed */
	struct ringd_net_lines lines[LIMIT_LINKS], group_lines[LIMIT_LINKS];
	uint8_t hears; /* the groups of these links, as told last */
	uint64_t drop_in_until_ns, drop_out_until_ns;
	struct session_proof proof; /* that it is gone */
	struct ringd_net_counters links[LIMIT_LINKS];
};

enum { RINGD_NET_BUFFER_BYTES = 8 << 20 }; /* of a socket, by default */

/* How a datagram travels. */
enum ringd_net_way {
	RINGD_NET_CONTROL, /* over all links */
	RINGD_NET_EACH,    /* as DATA, to each of its receivers */
	RINGD_NET_SHARED,  /* as DATA, and to a group where there is one */
};

/* Sealed datagrams for the same nodes, as long as the first but the last. */
struct ringd_net_batch {
	uint8_t *bytes; /* UDP_BATCH_BYTES */
	size_t len;
	size_t segment_bytes;
	uint32_t count;
	uint64_t to; /* bits by place */
	enum ringd_net_way way;
	bool is_closed; /* the last one was shorter */
};

/* The group of a link; of this node. */
struct ringd_net_group {
	struct udp udp; /* hears it */
	int ifindex;    /* see ringd_net_place */
	bool is_joined;
	int error;
	uint64_t sent_packets, sent_bytes;
};

/* The links before they were changed, from where datagrams may still come. */
struct ringd_net_old {
	bool is_there;
	uint32_t link_count;
	struct udp links[LIMIT_LINKS]; /* closed: as it is now */
	union udp_addr addr[LIMIT_NODES][LIMIT_LINKS]; /* by places of now */
};

struct ringd_net {
	struct ringd_net_config cfg;
	struct session *session;
	struct links *paths;
	struct box_key own;       /* what we seal with */
	struct box_key candidate; /* of a HELLO that is not believed yet */
	uint32_t salt;
	bool is_salted;   /* in this turn */
	bool has_arrived; /* since the last IDLE */
	/* Sockets that were not drained: a link's at 2 * link, its group's
	 * behind it. */
	uint32_t pending;
	bool is_rolled_back;
	uint64_t now_ns;      /* of the latest call */
	uint64_t turn;        /* of LINK_RR */
	uint32_t frame_bytes; /* see ringd_net_frame_bytes */
	uint32_t piece_id;    /* of the last datagram that was cut */
	struct link_wholes *wholes;
	uint8_t *scratch; /* UDP_BATCH_BYTES: LINKs, copies */
	struct ringd_net_batch batch;
	struct udp_rx *rx;
	struct udp links[LIMIT_LINKS];
	struct ringd_net_old old;
	struct mcast *ears; /* NULL: there are no groups */
	struct ringd_net_group groups[LIMIT_LINKS];
	struct ringd_net_node nodes[LIMIT_NODES];
};

/*
 * A fingerprint of the node table, the same wherever the tables are.
 */
uint64_t ringd_net_table_hash(const struct ringd_net_config *cfg);

/* What came to a link's socket of before. */
void ringd_net_drain_old(struct ringd_net *net, uint32_t link);

/* What waits in the batch goes out. */
void ringd_net_send_waiting(struct ringd_net *net);

/* The session's effects, carried out. */
void ringd_net_pull(struct ringd_net *net, uint64_t now_ns);

/* Seals len bytes of plain for dst as one datagram at out. */
void ringd_net_seal(struct ringd_net *net, struct session_header *header,
    const uint8_t *plain, size_t len, uint8_t *out);

/* Peers to whom long datagrams do not get through. */
struct ringd_net_narrow {
	uint64_t to;  /* bits by place */
	uint32_t mtu; /* what does, to all of them */
	bool is_control;
};

/* Those in to for whom a datagram of len octets, sealed, is too long. */
struct ringd_net_narrow ringd_net_narrow(
    const struct ringd_net *net, uint64_t to, size_t len, bool is_control);

/* A SEND to these, in pieces. */
void ringd_net_send_pieces(struct ringd_net *net,
    const struct totem_effect *effect, const struct ringd_net_narrow *narrow);

/* What lies in a batch, over the links that it takes. */
void ringd_net_transmit(
    struct ringd_net *net, const struct ringd_net_batch *batch);

/* May there be another line now?  What is not told is counted. */
bool ringd_net_may_log(
    const struct ringd_net *net, struct ringd_net_lines *lines);

/* What the links want sent and told. */
void ringd_net_pull_links(struct ringd_net *net);

/* ---- ringd_net_mcast.c: nothing happens where there are no groups ------- */

/* From a measuring arena, or without groups: NULL. */
struct mcast *ringd_net_mcast_create(
    struct arena *arena, const struct ringd_net_config *cfg, uint64_t now_ns);

/* As ringd_net_open. */
RK_MUST_CHECK int ringd_net_mcast_open(struct ringd_net *net, struct text *why);
void ringd_net_mcast_close(struct ringd_net *net);

/*
 * DATA that takes the link to some peers: if several of them hear the group it
 * goes there, and their bits are taken out of links.
 */
void ringd_net_mcast_send(struct ringd_net *net,
    const struct ringd_net_batch *batch, uint32_t link,
    uint8_t links[LIMIT_NODES]);

/* What is heard has changed, perhaps: the peers are told. */
void ringd_net_mcast_settle(struct ringd_net *net);

/* Reports that are due, and what is heard no more. */
void ringd_net_mcast_tick(struct ringd_net *net);
uint64_t ringd_net_mcast_deadline_ns(const struct ringd_net *net);

/* Of status: what is known of one peer. */
void ringd_net_mcast_peer(const struct ringd_net *net, uint32_t peer,
    struct ringd_net_mcast_peer out[LIMIT_LINKS]);

/* Whose session, for deriving a key. */
struct box_owner ringd_net_owner(
    const struct ringd_net *net, uint32_t node, uint64_t session);

/* Probes that are due, and when the next ones are. */
void ringd_net_probe(struct ringd_net *net);
uint64_t ringd_net_probe_ns(const struct ringd_net *net);

#endif
