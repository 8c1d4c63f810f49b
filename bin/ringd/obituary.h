/* SPDX-License-Identifier: BSD-3-Clause */
/* Saying to all peers, on all links, that this node's ringd is dead. */
#ifndef RK_OBITUARY_H
#define RK_OBITUARY_H

#include <stdint.h>

#include "libcommon/os/box.h"

struct cluster_conf;
struct session_obituary;
struct udp;

enum { OBITUARY_COPIES = 3 }; /* of each, at once: one may be lost */

struct obituary {
	const struct cluster_conf *conf;
	struct udp *links; /* bound, conf's link_count of them */
	struct box_key key;
	uint8_t key_id;
	uint64_t session; /* of its own: no ringd ever seals under it */
	uint64_t counter;
};

/* conf and links are kept; box_init must have been called. */
void obituary_init(struct obituary *o, const struct cluster_conf *conf,
    const struct box_keyring *keys, struct udp *links);

/* Never waits: what does not go is lost, as on the way. */
void obituary_send(struct obituary *o, const struct session_obituary *what);

#endif
