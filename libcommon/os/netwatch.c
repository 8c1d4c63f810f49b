/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A list is two dumps, of all addresses and then of all interfaces, read into
 * found[]; at its end the items are what was found.  An event about one of our
 * interfaces acts at once; one about an address, or one that came while a
 * list was read and may contradict it, asks for a new list.  So no order of
 * events and replies has to be reasoned about.
 */
#include "libcommon/os/netwatch.h"

#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdalign.h>
#include <string.h>

#include "libcommon/base/ensure.h"

enum {
	NETWATCH_BYTES = 32768, /* what the kernel puts into one reply */
	NETWATCH_READS = 64,    /* of one call */
};

const char *
netwatch_state_name(enum netwatch_state state)
{
	static const char *const names[] = { "unknown", "up", "no-carrier",
		"no-address" };

	return names[state];
}

/* ---- states ------------------------------------------------------------ */

static void
set_state(struct netwatch *w, uint32_t i, enum netwatch_state state)
{
	if (w->item[i].state == state)
		return;
	w->item[i].state = state;
	w->changed(w->arg, i);
}

static void
set_carrier(struct netwatch *w, uint32_t i, bool has_carrier)
{
	set_state(w, i, has_carrier ? NETWATCH_UP : NETWATCH_NO_CARRIER);
}

/* ---- asking ------------------------------------------------------------ */

static int
ask(struct netwatch *w, int type)
{
	struct {
		struct nlmsghdr header;
		struct rtgenmsg body;
	} request = {
		.header = { .nlmsg_len = sizeof request,
		    .nlmsg_type = (uint16_t)type,
		    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		    .nlmsg_seq = ++w->seq },
		.body = { .rtgen_family = AF_UNSPEC },
	};

	w->listing = type;
	return mnl_socket_sendto(w->socket, &request, sizeof request) < 0
	    ? -errno
	    : 0;
}

/* What cannot be asked now is asked when the next event comes. */
static void
begin_list(struct netwatch *w)
{
	w->is_stale = false;
	w->lists++;
	memset(w->found, 0, sizeof w->found);
	if (ask(w, RTM_GETADDR) < 0) {
		w->listing = 0;
		w->is_stale = true;
	}
}

static void
take_list(struct netwatch *w)
{
	w->listing = 0;
	for (uint32_t i = 0; i < w->count; i++) {
		const struct netwatch_found *found = &w->found[i];
		struct netwatch_item *item = &w->item[i];

		item->ifindex = found->ifindex;
		if (found->ifindex == 0) {
			set_state(w, i, NETWATCH_NO_ADDRESS);
			continue;
		}
		memcpy(item->ifname, found->ifname, sizeof item->ifname);
		set_carrier(w, i, found->has_carrier);
	}
}

static void
end_dump(struct netwatch *w)
{
	if (w->is_stale) {
		w->listing = 0;
		return;
	}
	if (w->listing == RTM_GETLINK)
		take_list(w);
	else if (ask(w, RTM_GETLINK) < 0) {
		w->listing = 0;
		w->is_stale = true;
	}
}

/* ---- addresses --------------------------------------------------------- */

/* What a message says of one address of one interface. */
struct assigned {
	const struct ifaddrmsg *header;
	const void *local;   /* in network order; NULL: none told */
	const void *address; /* the same, or the other end's */
	uint32_t flags;
};

static int
on_addr_attr(const struct nlattr *attr, void *arg)
{
	struct assigned *a = arg;
	size_t bytes = a->header->ifa_family == AF_INET ? 4 : 16;

	if (mnl_attr_get_type(attr) == IFA_FLAGS &&
	    mnl_attr_get_payload_len(attr) >= sizeof(uint32_t))
		a->flags = mnl_attr_get_u32(attr);
	if (mnl_attr_get_payload_len(attr) != bytes)
		return MNL_CB_OK;
	if (mnl_attr_get_type(attr) == IFA_LOCAL)
		a->local = mnl_attr_get_payload(attr);
	if (mnl_attr_get_type(attr) == IFA_ADDRESS)
		a->address = mnl_attr_get_payload(attr);
	return MNL_CB_OK;
}

static bool
get_assigned(const struct nlmsghdr *message, struct assigned *out)
{
	*out = (struct assigned){ .header = mnl_nlmsg_get_payload(message) };
	if (mnl_nlmsg_get_payload_len(message) < sizeof *out->header ||
	    (out->header->ifa_family != AF_INET &&
		out->header->ifa_family != AF_INET6))
		return false;
	out->flags = out->header->ifa_flags;
	(void)mnl_attr_parse(message, sizeof *out->header, on_addr_attr, out);
	if (out->local == NULL)
		out->local = out->address;
	return out->local != NULL;
}

/* All of 127.0.0.0/8 is here as soon as 127.0.0.1/8 is. */
static bool
is_loopback_of(const struct assigned *a, uint32_t address)
{
	uint32_t local;

	memcpy(&local, a->local, sizeof local);
	return ntohl(local) >> 24 == IN_LOOPBACKNET &&
	    ntohl(address) >> 24 == IN_LOOPBACKNET;
}

static bool
is_item(const struct netwatch_item *item, const struct assigned *a)
{
	const union udp_addr *addr = &item->addr;

	if (addr->any.sa_family != a->header->ifa_family)
		return false;
	if (addr->any.sa_family == AF_INET)
		return memcmp(a->local, &addr->v4.sin_addr, 4) == 0 ||
		    is_loopback_of(a, addr->v4.sin_addr.s_addr);
	return memcmp(a->local, &addr->v6.sin6_addr, 16) == 0 &&
	    (addr->v6.sin6_scope_id == 0 ||
		addr->v6.sin6_scope_id == a->header->ifa_index);
}

static void
find_address(struct netwatch *w, const struct assigned *a)
{
	if (a->flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED))
		return;
	for (uint32_t i = 0; i < w->count; i++)
		if (w->found[i].ifindex == 0 && is_item(&w->item[i], a))
			w->found[i].ifindex = a->header->ifa_index;
}

/* Gone is gone now; whether another interface has it, the list will say. */
static void
hear_address(struct netwatch *w, const struct assigned *a, bool is_gone)
{
	for (uint32_t i = 0; i < w->count; i++) {
		if (!is_item(&w->item[i], a))
			continue;
		w->is_stale = true;
		if (is_gone && w->item[i].ifindex == a->header->ifa_index)
			set_state(w, i, NETWATCH_NO_ADDRESS);
	}
}

static void
on_address(struct netwatch *w, const struct nlmsghdr *message, bool is_reply)
{
	struct assigned a;

	if (!get_assigned(message, &a))
		return;
	if (is_reply)
		find_address(w, &a);
	else
		hear_address(w, &a, message->nlmsg_type == RTM_DELADDR);
}

/* ---- interfaces -------------------------------------------------------- */

static int
on_link_attr(const struct nlattr *attr, void *arg)
{
	char *name = arg;
	size_t len = mnl_attr_get_payload_len(attr);

	if (mnl_attr_get_type(attr) != IFLA_IFNAME || len > IF_NAMESIZE)
		return MNL_CB_OK;
	memset(name, 0, IF_NAMESIZE);
	memcpy(name, mnl_attr_get_payload(attr), len);
	name[IF_NAMESIZE - 1] = '\0';
	return MNL_CB_OK;
}

static void
find_interface(struct netwatch *w, const struct nlmsghdr *message,
    uint32_t ifindex, bool has_carrier)
{
	for (uint32_t i = 0; i < w->count; i++) {
		struct netwatch_found *found = &w->found[i];

		if (found->ifindex != ifindex)
			continue;
		found->has_carrier = has_carrier;
		(void)mnl_attr_parse(message, sizeof(struct ifinfomsg),
		    on_link_attr, found->ifname);
	}
}

static void
hear_interface(struct netwatch *w, uint32_t ifindex, bool has_carrier)
{
	for (uint32_t i = 0; i < w->count; i++) {
		struct netwatch_item *item = &w->item[i];

		if (item->ifindex == ifindex &&
		    item->state != NETWATCH_NO_ADDRESS)
			set_carrier(w, i, has_carrier);
	}
	if (w->listing != 0)
		w->is_stale = true;
}

static void
on_interface(struct netwatch *w, const struct nlmsghdr *message, bool is_reply)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	bool has_carrier;

	/* Of a bridge's ports the kernel tells twice, once as AF_BRIDGE. */
	if (mnl_nlmsg_get_payload_len(message) < sizeof *info ||
	    info->ifi_family != AF_UNSPEC || info->ifi_index <= 0)
		return;
	has_carrier = message->nlmsg_type == RTM_NEWLINK &&
	    (info->ifi_flags & IFF_UP) && (info->ifi_flags & IFF_RUNNING);
	if (is_reply)
		find_interface(
		    w, message, (uint32_t)info->ifi_index, has_carrier);
	else
		hear_interface(w, (uint32_t)info->ifi_index, has_carrier);
}

/* ---- reading ----------------------------------------------------------- */

static void
on_message(struct netwatch *w, const struct nlmsghdr *message)
{
	bool is_reply = message->nlmsg_pid == w->port &&
	    message->nlmsg_seq == w->seq && w->listing != 0;

	if (is_reply && (message->nlmsg_flags & NLM_F_DUMP_INTR))
		w->is_stale = true;
	switch (message->nlmsg_type) {
	case RTM_NEWADDR:
	case RTM_DELADDR:
		on_address(w, message, is_reply);
		break;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		on_interface(w, message, is_reply);
		break;
	case NLMSG_ERROR: /* the kernel refused the dump, or is short */
	case NLMSG_DONE:
		w->is_stale = w->is_stale ||
		    (is_reply && message->nlmsg_type == NLMSG_ERROR);
		if (is_reply)
			end_dump(w);
		break;
	default:
		break;
	}
}

static bool
read_once(struct netwatch *w)
{
	static alignas(struct nlmsghdr) uint8_t bytes[NETWATCH_BYTES];
	ssize_t got = mnl_socket_recvfrom(w->socket, bytes, sizeof bytes);
	const struct nlmsghdr *message = (const void *)bytes;
	int left = (int)got;

	if (got < 0) {
		if (errno == ENOBUFS) {
			w->overruns++;
			w->is_stale = true;
		}
		return errno != EAGAIN;
	}
	for (; mnl_nlmsg_ok(message, left);
	     message = mnl_nlmsg_next(message, &left))
		on_message(w, message);
	return true;
}

void
netwatch_readable(struct netwatch *watch)
{
	for (int i = 0; i < NETWATCH_READS && read_once(watch); i++)
		continue;
	if (watch->is_stale && watch->listing == 0)
		begin_list(watch);
}

/* ---- opening ----------------------------------------------------------- */

static int
open_socket(struct netwatch *w)
{
	static const int groups[] = { RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
		RTNLGRP_IPV6_IFADDR };

	w->socket =
	    mnl_socket_open2(NETLINK_ROUTE, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (w->socket == NULL ||
	    mnl_socket_bind(w->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
		int group = groups[i];

		if (mnl_socket_setsockopt(w->socket, NETLINK_ADD_MEMBERSHIP,
			&group, sizeof group) < 0)
			return -errno;
	}
	w->fd = mnl_socket_get_fd(w->socket);
	w->port = mnl_socket_get_portid(w->socket);
	return ask(w, RTM_GETADDR);
}

/* Of those that stay what they are all is known already. */
static void
set_items(struct netwatch *w, const union udp_addr *addrs, uint32_t count)
{
	ENSURE(count <= LIMIT_LINKS);
	for (uint32_t i = 0; i < count; i++)
		if (i >= w->count ||
		    !udp_addr_equal(&w->item[i].addr, &addrs[i]))
			w->item[i] = (struct netwatch_item){ .addr = addrs[i] };
	w->count = count;
}

/* What is being listed was looked at for the others. */
void
netwatch_set(
    struct netwatch *watch, const union udp_addr *addrs, uint32_t count)
{
	set_items(watch, addrs, count);
	if (watch->fd < 0)
		return;
	watch->is_stale = true;
	if (watch->listing == 0)
		begin_list(watch);
}

int
netwatch_open(struct netwatch *watch, const union udp_addr *addrs,
    uint32_t count, netwatch_fn *changed, void *arg)
{
	int rc;

	*watch = (struct netwatch){
		.fd = -1, .changed = changed, .arg = arg, .lists = 1
	};
	set_items(watch, addrs, count);
	rc = open_socket(watch);
	if (rc < 0)
		netwatch_close(watch);
	return rc;
}

void
netwatch_close(struct netwatch *watch)
{
	if (watch->socket != NULL)
		(void)mnl_socket_close(watch->socket);
	watch->socket = NULL;
	watch->fd = -1;
}
