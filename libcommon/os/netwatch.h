/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether this machine has certain addresses, and a carrier under them: told
 * by the kernel (rtnetlink) when it changes, not found out by silence.
 *
 * Nothing is ever bound anew or elsewhere because of what is told here: an
 * address that went away is waited for.
 */
#ifndef RK_NETWATCH_H
#define RK_NETWATCH_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/base/limits.h"
#include "libcommon/os/udp.h"

enum netwatch_state {
	NETWATCH_UNKNOWN,    /* not told yet */
	NETWATCH_UP,         /* an interface with a carrier has it */
	NETWATCH_NO_CARRIER, /* its interface is down, or has no carrier */
	NETWATCH_NO_ADDRESS, /* no interface has it, or not yet (IPv6 DAD) */
};
const char *netwatch_state_name(enum netwatch_state state); /* "no-carrier" */

struct netwatch_item {
	union udp_addr addr; /* the port does not matter */
	enum netwatch_state state;
	uint32_t ifindex;         /* 0: no interface has it */
	char ifname[IF_NAMESIZE]; /* of the last that had it, or "" */
};

/* State i is another one than before: read watch->item[i]. */
typedef void netwatch_fn(void *arg, uint32_t i);

/* Where an address was seen in the list being read. */
struct netwatch_found {
	uint32_t ifindex;
	bool has_carrier;
	char ifname[IF_NAMESIZE];
};

struct netwatch {
	int fd;       /* to be watched for reading; -1 when closed */
	void *socket; /* libmnl's */
	uint32_t port, seq;
	int listing;   /* the request that is being answered, 0: none */
	bool is_stale; /* list again when that is done */
	uint32_t count;
	struct netwatch_item item[LIMIT_LINKS];
	struct netwatch_found found[LIMIT_LINKS];
	netwatch_fn *changed;
	void *arg;
	uint64_t lists;    /* how often all was asked for */
	uint64_t overruns; /* of those: because the kernel dropped events */
};

/*
 * Watches the addresses, at most LIMIT_LINKS of them (ENSURE); they are
 * copied.  All states are UNKNOWN until netwatch_readable has read the first
 * list.  Allocates: nothing here does afterwards.  -E…, and closed, when the
 * kernel will not.
 */
RK_MUST_CHECK int netwatch_open(struct netwatch *watch,
    const union udp_addr *addrs, uint32_t count, netwatch_fn *changed,
    void *arg);
void netwatch_close(struct netwatch *watch);

/*
 * From now on it watches these, at most LIMIT_LINKS of them (ENSURE); places
 * that have another address are UNKNOWN until a new list was read.  Not from
 * within changed.  While it is closed nothing more is told of them.
 */
void netwatch_set(
    struct netwatch *watch, const union udp_addr *addrs, uint32_t count);

/*
 * Reads what there is, in bounds, and calls changed.  What was missed
 * (ENOBUFS) is made up for by a new list.
 */
void netwatch_readable(struct netwatch *watch);

#endif
