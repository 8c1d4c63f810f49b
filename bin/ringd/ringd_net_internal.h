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
#include "bin/ringd/ringd_net.h"
#include "bin/ringd/session.h"
#include "bin/ringd/session_proof.h"

/* A peer; its place is that in cfg.nodes and in the session's. */
struct ringd_net_node {
	struct box_key key;           /* of the session that is believed */
	uint64_t log_ns[LIMIT_LINKS]; /* lines about it: a bucket */
	uint32_t unlogged[LIMIT_LINKS];
	uint64_t drop_in_until_ns, drop_out_until_ns;
	struct session_proof proof; /* that it is gone */
	struct ringd_net_counters links[LIMIT_LINKS];
};

/* Sealed datagrams for the same nodes, as long as the first but the last. */
struct ringd_net_batch {
	uint8_t *bytes; /* UDP_BATCH_BYTES */
	size_t len;
	size_t segment_bytes;
	uint32_t count;
	uint64_t to;     /* bits by place */
	bool is_control; /* goes over all links */
	bool is_closed;  /* the last one was shorter */
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
	bool is_pending;  /* some link was not drained */
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
	struct ringd_net_node nodes[LIMIT_NODES];
};

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

/* What the links want sent and told. */
void ringd_net_pull_links(struct ringd_net *net);

/* Whose session, for deriving a key. */
struct box_owner ringd_net_owner(
    const struct ringd_net *net, uint32_t node, uint64_t session);

/* Probes that are due, and when the next ones are. */
void ringd_net_probe(struct ringd_net *net);
uint64_t ringd_net_probe_ns(const struct ringd_net *net);

#endif
