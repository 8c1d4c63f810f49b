/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/ringd/ringd_bind.h"

#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <time.h>

#include "libcommon/base/text.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/udp_group.h"

#include "bin/ringd/ringd_conf.h"

enum { BUFFER_BYTES = 8 << 20 };

static int
open_patiently(struct udp *udp, const union udp_addr *addr, int buffer_bytes)
{
	const struct timespec pause = { .tv_nsec = 5 * (long)CLOCK_MS_NS };
	const uint64_t deadline_ns = clock_now_ns() + RINGD_LINGER_NS;

	for (;;) {
		int rc = udp_open(udp, addr, buffer_bytes);

		if (rc != -EADDRINUSE || clock_now_ns() >= deadline_ns)
			return rc;
		nanosleep(&pause, NULL);
	}
}

/* All nodes have the link in one family of addresses. */
static int
check_family(const struct cluster_conf *conf, uint32_t link)
{
	const union udp_addr *own = &conf->nodes[conf->self].link[link];

	for (uint32_t i = 0; i < conf->node_count; i++)
		if (conf->nodes[i].link[link].any.sa_family !=
		    own->any.sa_family)
			return -EAFNOSUPPORT;
	return 0;
}

static int
buffer_of(const struct cluster_conf *conf)
{
	int bytes = (int)conf->ring.socket_buffer_bytes;

	return bytes > 0 ? bytes : BUFFER_BYTES;
}

/* Tells which one cannot be bound, and closes those before it. */
static void
give_up(struct udp *sockets, uint32_t count, const union udp_addr *addr, int rc,
    struct text *why)
{
	udp_addr_text(addr, why);
	text_put(why, ": ");
	text_put(why, strerror(-rc));
	while (count > 0)
		udp_close(&sockets[--count]);
}

int
ringd_bind(const struct cluster_conf *conf, struct udp *links, struct text *why)
{
	for (uint32_t link = 0; link < conf->link_count; link++) {
		const union udp_addr *own = &conf->nodes[conf->self].link[link];
		int rc = check_family(conf, link);

		if (rc == 0)
			rc = open_patiently(&links[link], own, buffer_of(conf));
		if (rc == 0)
			continue;
		give_up(links, link, own, rc, why);
		return rc;
	}
	return 0;
}

/* ---- groups ------------------------------------------------------------- */

int
ringd_bind_groups(
    const struct cluster_conf *conf, struct udp *groups, struct text *why)
{
	for (uint32_t link = 0; link < LIMIT_LINKS; link++)
		groups[link].fd = -1;
	if (conf->ring.transport != CLUSTER_MULTICAST)
		return 0;
	for (uint32_t link = 0; link < conf->link_count; link++) {
		struct udp_group group;
		int rc;

		ringd_conf_group(conf, link, &group);
		rc = udp_group_open(&groups[link], &group, buffer_of(conf));
		if (rc == 0)
			continue;
		give_up(groups, link, &group.addr, rc, why);
		return rc;
	}
	return 0;
}

/* ---- spares ------------------------------------------------------------- */

void
ringd_bind_spares(const struct cluster_conf *conf, const struct udp *links,
    struct ringd_sockets *out)
{
	for (uint32_t i = 0; i < LIMIT_LINKS; i++)
		out->first[i] =
		    i < conf->link_count ? links[i] : (struct udp){ .fd = -1 };
	for (uint32_t i = 0; i < 2 * RINGD_SPARES; i++)
		if (udp_create(&out->spare[i],
			i < RINGD_SPARES ? AF_INET : AF_INET6,
			buffer_of(conf)) < 0)
			out->spare[i].fd = -1;
}

static bool
is_bound_to(const struct udp *udp, const union udp_addr *addr)
{
	union udp_addr local;

	return udp_local(udp, &local) && udp_addr_equal(&local, addr);
}

/* NULL: none is. */
static const struct udp *
find_bound(const struct ringd_sockets *sockets, const union udp_addr *addr)
{
	for (uint32_t i = 0; i < LIMIT_LINKS; i++)
		if (is_bound_to(&sockets->first[i], addr))
			return &sockets->first[i];
	for (uint32_t i = 0; i < 2 * RINGD_SPARES; i++)
		if (is_bound_to(&sockets->spare[i], addr))
			return &sockets->spare[i];
	return NULL;
}

/* The first that is not bound yet; NULL: there is none. */
static struct udp *
find_free(struct ringd_sockets *sockets, sa_family_t family)
{
	union udp_addr local;

	for (uint32_t i = 0; i < 2 * RINGD_SPARES; i++)
		if (udp_local(&sockets->spare[i], &local) &&
		    local.any.sa_family == family &&
		    (family == AF_INET ? local.v4.sin_port
				       : local.v6.sin6_port) == 0)
			return &sockets->spare[i];
	return NULL;
}

int
ringd_bind_spare(struct ringd_sockets *sockets, const union udp_addr *addr)
{
	struct udp *udp;

	if (find_bound(sockets, addr) != NULL)
		return 0;
	udp = find_free(sockets, addr->any.sa_family);
	return udp != NULL ? udp_bind(udp, addr) : -ENOSPC;
}

int
ringd_bind_try(struct ringd_sockets *copy, const union udp_addr *addr)
{
	struct udp udp, *spare;
	int rc;

	if (find_bound(copy, addr) != NULL)
		return 0;
	spare = find_free(copy, addr->any.sa_family);
	if (spare == NULL)
		return -ENOSPC;
	rc = udp_create(&udp, addr->any.sa_family, BUFFER_BYTES);
	if (rc == 0)
		rc = udp_bind(&udp, addr);
	udp_close(&udp);
	if (rc == 0)
		spare->fd = -1;
	return rc;
}

void
ringd_bind_pick(const struct ringd_sockets *sockets,
    const struct cluster_conf *conf, struct udp links[LIMIT_LINKS])
{
	const struct cluster_node *self = &conf->nodes[conf->self];

	for (uint32_t i = 0; i < LIMIT_LINKS; i++) {
		const struct udp *udp = i < conf->link_count
		    ? find_bound(sockets, &self->link[i])
		    : NULL;

		links[i] = udp != NULL ? *udp : (struct udp){ .fd = -1 };
	}
}

/* ---- what nobody took ---------------------------------------------------- */

void
ringd_bind_drain(const struct cluster_conf *conf, const struct udp *links)
{
	for (uint32_t link = 0; link < conf->link_count; link++)
		udp_drain(&links[link]);
}
