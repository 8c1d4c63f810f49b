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

void
ringd_local_watch(struct ringd *r)
{
	int rc;

	if (r->local.fd < 0)
		return;
	rc = loop_add_fd(r->loop, r->local.fd, on_readable, r);
	if (rc >= 0)
		return;
	netwatch_close(&r->local);
	cannot(-rc);
}

void
ringd_local_close(struct ringd *r)
{
	netwatch_close(&r->local);
}
