/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/ringd/ringd_bind.h"

#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <time.h>

#include "libcommon/base/text.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/udp.h"
#include "libcommon/os/udp_group.h"

#include "bin/ringd/ringd_conf.h"

enum { BUFFER_BYTES = 8 << 20, DRAIN_MAX = 100000, ERRORS_MAX = 8 };

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

/* An error is of what was sent; what was received lies behind it. */
static void
drain(int fd)
{
	int errors = 0;
	char byte;

	for (int i = 0; i < DRAIN_MAX && errors < ERRORS_MAX; i++) {
		if (recv(fd, &byte, sizeof byte, MSG_DONTWAIT) >= 0)
			continue;
		if (errno == EAGAIN)
			return;
		errors++;
	}
}

void
ringd_bind_drain(const struct cluster_conf *conf, const struct udp *links)
{
	for (uint32_t link = 0; link < conf->link_count; link++)
		drain(links[link].fd);
}
