/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/ringd/ringd_bind.h"

#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <time.h>

#include "libcommon/base/text.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/udp.h"

enum { BUFFER_BYTES = 8 << 20, DRAIN_MAX = 100000 };

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

int
ringd_bind(const struct cluster_conf *conf, struct udp *links, struct text *why)
{
	int buffer_bytes = (int)conf->ring.socket_buffer_bytes;

	if (buffer_bytes == 0)
		buffer_bytes = BUFFER_BYTES;
	for (uint32_t link = 0; link < conf->link_count; link++) {
		const union udp_addr *own = &conf->nodes[conf->self].link[link];
		int rc = check_family(conf, link);

		if (rc == 0)
			rc = open_patiently(&links[link], own, buffer_bytes);
		if (rc == 0)
			continue;
		udp_addr_text(own, why);
		text_put(why, ": ");
		text_put(why, strerror(-rc));
		while (link > 0)
			udp_close(&links[--link]);
		return rc;
	}
	return 0;
}

void
ringd_bind_drain(const struct cluster_conf *conf, const struct udp *links)
{
	char byte;

	for (uint32_t link = 0; link < conf->link_count; link++)
		for (int i = 0; i < DRAIN_MAX; i++)
			if (recv(links[link].fd, &byte, sizeof byte,
				MSG_DONTWAIT) < 0)
				break;
}
