/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/ringd/ringd_links.h"

#include "libcommon/base/text.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/exitcode.h"
#include "libcommon/os/log.h"
#include "libcommon/os/loop.h"

#include "bin/ringd/ringd.h"
#include "bin/ringd/ringd_bind.h"
#include "bin/ringd/ringd_net.h"

/* ---- datagrams --------------------------------------------------------- */

static void
on_link(struct loop *loop, void *arg, uint32_t ready, uint64_t now_ns)
{
	struct ringd_link *link = arg;
	struct ringd *r = link->r;

	(void)loop;
	ringd_set_now(r, now_ns);
	ringd_net_readable(r->net, link->index, r->now_ns);
	if (ready & LOOP_HUP)
		ringd_net_errors(r->net, link->index, r->now_ns);
}

static void
on_group(struct loop *loop, void *arg, uint32_t ready, uint64_t now_ns)
{
	struct ringd_link *link = arg;

	(void)loop;
	(void)ready;
	ringd_set_now(link->r, now_ns);
	ringd_net_group_readable(link->r->net, link->index, link->r->now_ns);
}

static void
on_old(struct loop *loop, void *arg, uint32_t ready, uint64_t now_ns)
{
	struct ringd_link *link = arg;

	(void)loop;
	(void)ready;
	ringd_set_now(link->r, now_ns);
	ringd_net_old_readable(link->r->net, link->index, link->r->now_ns);
}

/* ---- as they were ------------------------------------------------------ */

static void
unwatch(struct ringd *r, int *slot)
{
	if (*slot >= 0)
		loop_remove_fd(r->loop, *slot);
	*slot = -1;
}

static void
end_old(struct ringd *r)
{
	for (uint32_t i = 0; i < LIMIT_LINKS; i++)
		unwatch(r, &r->links.link[i].old_slot);
	ringd_net_end_old(r->net);
	r->links.old_until_ns = 0;
	log_line(LOG_LEVEL_NOTICE, "links-settled", "%s", "");
}

static uint64_t
get_old_ns(const void *arg)
{
	const struct ringd *r = arg;

	return r->links.old_until_ns != 0 ? r->links.old_until_ns : UINT64_MAX;
}

static void
on_old_over(struct loop *loop, void *arg, uint64_t now_ns)
{
	struct ringd *r = arg;

	(void)loop;
	ringd_set_now(r, now_ns);
	end_old(r);
}

/* ---- opening ----------------------------------------------------------- */

/* Frames come before the token that was sent with them: groups first. */
static int
watch_links(struct ringd *r, bool is_group)
{
	int rc = 0;

	for (uint32_t i = 0; rc >= 0 && i < r->conf->link_count; i++) {
		int fd = is_group ? ringd_net_group_fd(r->net, i)
				  : ringd_net_fd(r->net, i);

		if (fd < 0)
			continue;
		rc = loop_add_fd(r->loop, fd, is_group ? on_group : on_link,
		    &r->links.link[i]);
		if (!is_group)
			r->links.link[i].slot = rc;
	}
	return rc < 0 ? rc : 0;
}

int
ringd_links_open(struct ringd *r, struct text *why)
{
	int rc = ringd_net_open(r->net, why);

	for (uint32_t i = 0; i < LIMIT_LINKS; i++)
		r->links.link[i] = (struct ringd_link){ r, i, -1, -1 };
	loop_add_timer(r->loop, get_old_ns, on_old_over, r);
	if (rc == 0)
		rc = watch_links(r, true);
	return rc == 0 ? watch_links(r, false) : rc;
}

/* ---- changing ---------------------------------------------------------- */

static int
fd_of(const struct ringd *r, uint32_t link)
{
	return link < ringd_net_link_count(r->net) ? ringd_net_fd(r->net, link)
						   : -1;
}

static void
log_change(const struct ringd *r, uint32_t link)
{
	char bytes[UDP_ADDR_TEXT_BYTES];
	struct text addr;

	text_init(&addr, bytes, sizeof bytes);
	if (link < r->conf->link_count)
		udp_addr_text(&r->conf->nodes[r->conf->self].link[link], &addr);
	log_line(LOG_LEVEL_NOTICE, "link-changed", "link=%u addr=%s", link,
	    addr.bytes);
}

/* The link's socket was another one. */
static int
watch_anew(struct ringd *r, uint32_t i)
{
	struct ringd_link *link = &r->links.link[i];
	int fd = fd_of(r, i), old_fd = ringd_net_old_fd(r->net, i);

	unwatch(r, &link->slot);
	log_change(r, i);
	if (fd >= 0)
		link->slot = loop_add_fd(r->loop, fd, on_link, link);
	if (old_fd >= 0)
		link->old_slot = loop_add_fd(r->loop, old_fd, on_old, link);
	if (fd >= 0 && link->slot < 0)
		return link->slot;
	return old_fd >= 0 && link->old_slot < 0 ? link->old_slot : 0;
}

void
ringd_links_change(struct ringd *r, struct ringd_net_config *cfg)
{
	static struct udp sockets[LIMIT_LINKS]; /* cfg has it longer */
	int before[LIMIT_LINKS];

	if (r->links.old_until_ns != 0)
		end_old(r);
	if (r->sockets != NULL) {
		ringd_bind_pick(r->sockets, r->conf, sockets);
		cfg->links = sockets;
	}
	for (uint32_t i = 0; i < LIMIT_LINKS; i++)
		before[i] = fd_of(r, i);
	if (!ringd_net_configure(r->net, cfg, r->now_ns))
		return;
	r->links.old_until_ns = r->now_ns + RINGD_LINKS_OLD_NS;
	for (uint32_t i = 0; i < LIMIT_LINKS; i++) {
		int rc = fd_of(r, i) == before[i] ? 0 : watch_anew(r, i);

		if (rc == 0)
			continue;
		log_line(LOG_LEVEL_ERROR, "link-unwatched", "link=%u errno=%d",
		    i, -rc);
		loop_stop(r->loop, EXITCODE_TRYAGAIN);
	}
}
