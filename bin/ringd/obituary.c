/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/ringd/obituary.h"

#include <string.h>

#include "libcommon/os/cluster.h"
#include "libcommon/os/udp.h"

#include "bin/ringd/session.h"

enum { DATAGRAM_BYTES = SESSION_OVERHEAD_BYTES + SESSION_OBITUARY_BYTES };

void
obituary_init(struct obituary *o, const struct cluster_conf *conf,
    const struct box_keyring *keys, struct udp *links)
{
	struct box_owner owner = { conf->cluster, conf->nodes[conf->self].id,
		box_random_u64() | 1 };

	*o = (struct obituary){ .conf = conf,
		.links = links,
		.key_id = box_keyring_active(keys),
		.session = owner.session };
	box_key_init(&o->key, keys, o->key_id, &owner);
}

static void
seal(struct obituary *o, const struct session_obituary *what,
    uint8_t out[DATAGRAM_BYTES])
{
	const char *cluster = o->conf->cluster;
	struct session_header header = { .kind = SESSION_OBITUARY,
		.cipher = BOX_CHACHA20,
		.key_id = o->key_id,
		.cluster_tag = (uint32_t)box_hash(cluster, strlen(cluster)),
		.sender = o->conf->nodes[o->conf->self].id,
		.session = o->session,
		.counter = ++o->counter };
	struct box_frame frame = { .cipher = BOX_CHACHA20,
		.counter = header.counter,
		.ad = out,
		.ad_len = SESSION_HEADER_BYTES };
	uint8_t plain[SESSION_OBITUARY_BYTES];

	box_random(&header.salt, sizeof header.salt);
	frame.salt = header.salt;
	session_header_put(&header, out);
	session_obituary_put(what, plain);
	box_seal(
	    &o->key, &frame, plain, sizeof plain, out + SESSION_HEADER_BYTES);
}

static void
send_on(struct obituary *o, uint32_t link, const struct udp_batch *batch)
{
	const union udp_addr *to[LIMIT_NODES];
	size_t count = 0;

	for (uint32_t i = 0; i < o->conf->node_count; i++)
		if (i != o->conf->self)
			to[count++] = &o->conf->nodes[i].link[link];
	if (count > 0)
		udp_send(&o->links[link], batch, to, count);
}

void
obituary_send(struct obituary *o, const struct session_obituary *what)
{
	uint8_t bytes[DATAGRAM_BYTES];
	struct udp_batch batch = { bytes, sizeof bytes, sizeof bytes };

	seal(o, what, bytes);
	for (int copy = 0; copy < OBITUARY_COPIES; copy++)
		for (uint32_t link = 0; link < o->conf->link_count; link++)
			send_on(o, link, &batch);
}
