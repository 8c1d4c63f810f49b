/* SPDX-License-Identifier: BSD-3-Clause */
/* The links' sockets in the loop: at the start, and when links change. */
#ifndef RK_RINGD_LINKS_H
#define RK_RINGD_LINKS_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/base/limits.h"
#include "libcommon/os/clock.h"

struct cluster_conf;
struct ringd;
struct ringd_net_config;
struct text;
struct totem_nodes;

/*
 * How long datagrams are taken that were sent as the links were before: all
 * members change them within a rotation of the token.
 */
#define RINGD_LINKS_OLD_NS (5 * CLOCK_S_NS)

/*
 * How long other links may be under way from proposal to commit: a vote says
 * which links work, and that has to be so when they change.
 */
#define RINGD_LINKS_VOTE_NS (5 * CLOCK_S_NS)

/* What a link's callback gets. */
struct ringd_link {
	struct ringd *r;
	uint32_t index;
	int slot, old_slot; /* in the loop; -1: none */
};

struct ringd_links {
	struct ringd_link link[LIMIT_LINKS];
	uint64_t old_until_ns; /* 0: nothing is as before */
};

/* Opens the net and watches it: 0, or -E… with the reason. */
RK_MUST_CHECK int ringd_links_open(struct ringd *r, struct text *why);

/*
 * ringd_net_configure, and what follows from it for the loop.  What cannot be
 * watched is logged, and ends this ringd with 75.
 */
void ringd_links_change(struct ringd *r, struct ringd_net_config *cfg);

/* What a proposal is judged by. */
struct ringd_links_case {
	const struct cluster_conf *next;
	const struct totem_nodes *members;
	bool is_try; /* nothing is bound for it */
};

/*
 * Can the links be those of next?  Where this node has other addresses then,
 * sockets are bound to them.  Nothing is put into why: they can.
 */
void ringd_links_judge(
    struct ringd *r, const struct ringd_links_case *c, struct text *why);

#endif
