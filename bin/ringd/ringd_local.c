/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A socket stays bound to its address whatever becomes of that: nothing is
 * bound anew or elsewhere, so a node never speaks from where its peers do not
 * expect it.  All that follows from a lost address is that its link is not
 * used until the address is back.
 */
#include "bin/ringd/ringd_local.h"

#include <string.h>

#include "libcommon/base/text.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/log.h"
#include "libcommon/os/loop.h"

#include "bin/ringd/ringd.h"
#include "bin/ringd/ringd_net.h"

static void
on_change(void *arg, uint32_t link)
{
	struct ringd *r = arg;
	const struct netwatch_item *item = &r->local.item[link];
	char bytes[UDP_ADDR_TEXT_BYTES];
	struct text addr;

	text_init(&addr, bytes, sizeof bytes);
	udp_addr_text(&item->addr, &addr);
	log_line(
	    item->state == NETWATCH_UP ? LOG_LEVEL_NOTICE : LOG_LEVEL_WARNING,
	    "local-address", "link=%u addr=%s state=%s interface=%s", link,
	    addr.bytes, netwatch_state_name(item->state), item->ifname);
	ringd_net_hint(r->net, link,
	    item->state == NETWATCH_UP || item->state == NETWATCH_UNKNOWN,
	    r->now_ns);
}

static void
on_readable(struct loop *loop, void *arg, uint32_t ready, uint64_t now_ns)
{
	struct ringd *r = arg;

	(void)loop;
	(void)ready;
	ringd_set_now(r, now_ns);
	netwatch_readable(&r->local);
	for (uint32_t link = 0; link < r->local.count; link++) {
		const struct netwatch_item *item = &r->local.item[link];

		if (item->state != NETWATCH_UNKNOWN)
			ringd_net_place(r->net, link,
			    item->state == NETWATCH_UP ? (int)item->ifindex
						       : RINGD_NET_NOWHERE,
			    r->now_ns);
	}
}

static void
cannot(int error)
{
	log_line(LOG_LEVEL_WARNING, "local-unknown",
	    "msg=the\\0040kernel\\0040tells\\0040nothing\\0040of"
	    "\\0040interfaces errno=%d",
	    error);
}

void
ringd_local_open(struct ringd *r)
{
	const struct cluster_node *self = &r->conf->nodes[r->conf->self];
	int rc = netwatch_open(
	    &r->local, self->link, self->link_count, on_change, r);

	if (rc < 0)
		cannot(-rc);
}

/* Nobody knows where the addresses are: the kernel may find them. */
static void
place_somewhere(struct ringd *r)
{
	for (uint32_t link = 0; link < r->conf->link_count; link++)
		ringd_net_place(r->net, link, RINGD_NET_SOMEWHERE, r->now_ns);
}

void
ringd_local_watch(struct ringd *r)
{
	int rc;

	if (r->local.fd < 0) {
		place_somewhere(r);
		return;
	}
	rc = loop_add_fd(r->loop, r->local.fd, on_readable, r);
	if (rc >= 0)
		return;
	netwatch_close(&r->local);
	cannot(-rc);
	place_somewhere(r);
}

void
ringd_local_change(struct ringd *r)
{
	const struct cluster_node *self = &r->conf->nodes[r->conf->self];

	netwatch_set(&r->local, self->link, self->link_count);
}

void
ringd_local_close(struct ringd *r)
{
	netwatch_close(&r->local);
}
