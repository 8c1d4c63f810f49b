/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/ringd/ringd_conf.h"

#include "libcommon/base/ensure.h"
#include "libcommon/base/text.h"
#include "libcommon/os/box.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/conf.h"
#include "libcommon/os/udp_group.h"

#include "bin/ringd/session.h"
#include "bin/ringd/totem.h"

void
ringd_conf_check(struct conf *file, const struct cluster_conf *conf)
{
	uint32_t least = totem_frame_bytes_min(conf->node_count);

	if (conf->ring.frame_bytes < least)
		conf_fail_at(file, 0,
		    "[ring] frame_bytes: %u, expected at least %u for %u nodes",
		    conf->ring.frame_bytes, least, conf->node_count);
}

uint64_t
ringd_conf_hash(const struct cluster_conf *conf)
{
	char bytes[2 * CLUSTER_NAME_BYTES + 64];
	struct text text;

	text_init(&text, bytes, sizeof bytes);
	text_put(&text, conf->cluster);
	text_put(&text, " wire ");
	text_put_u64(&text, SESSION_VERSION);
	text_put(&text, " message ");
	text_put_u64(&text, conf->ring.message_bytes_max);
	text_put(&text, " frame ");
	text_put_u64(&text, conf->ring.frame_bytes);
	text_put(&text, " ring accelerated");
	ENSURE(!text.is_full);
	return box_hash(text.bytes, text.len);
}

static bool
is_loopback(const union udp_addr *addr)
{
	if (addr->any.sa_family == AF_INET)
		return ntohl(addr->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(&addr->v6.sin6_addr);
}

static bool
has_same_host(const union udp_addr *a, const union udp_addr *b)
{
	union udp_addr other = *b;

	if (a->any.sa_family == AF_INET)
		other.v4.sin_port = a->v4.sin_port;
	else
		other.v6.sin6_port = a->v6.sin6_port;
	return udp_addr_equal(a, &other);
}

/* Does another node run on this machine, as far as its address tells? */
static bool
is_shared_machine(const struct cluster_conf *conf, uint32_t link)
{
	const union udp_addr *own = &conf->nodes[conf->self].link[link];

	for (uint32_t i = 0; i < conf->node_count; i++)
		if (i != conf->self &&
		    has_same_host(own, &conf->nodes[i].link[link]))
			return true;
	return is_loopback(own);
}

void
ringd_conf_group(
    const struct cluster_conf *conf, uint32_t link, struct udp_group *out)
{
	*out = (struct udp_group){
		.addr = conf->ring.link_mcast[link],
		.own = conf->nodes[conf->self].link[link],
		.ttl = conf->ring.link_ttl[link],
		.is_looped = is_shared_machine(conf, link),
	};
}
