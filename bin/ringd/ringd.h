/* SPDX-License-Identifier: BSD-3-Clause */
/* The shell's state: the core, the groups, datagrams, clients, the disk. */
#ifndef RK_RINGD_H
#define RK_RINGD_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/base/limits.h"
#include "libcommon/os/svc.h"
#include "libcommon/os/unixsock.h"

#include "bin/ringd/ringd_age.h"
#include "bin/ringd/ringd_change.h"
#include "bin/ringd/ringd_disk.h"
#include "bin/ringd/ringd_keys.h"
#include "bin/ringd/ringd_links.h"
#include "bin/ringd/ringd_local.h"
#include "bin/ringd/ringd_reload.h"

struct arena;
struct box_keyring;
struct group_input;
struct group_layer;
struct loop;
struct ringd_client_table;
struct cluster_conf;
struct ringd_net;
struct ringd_net_config;
struct ringd_sockets;
struct supervisor_page;
struct text;
struct totem;
struct totem_config;
struct totem_input;
struct udp;

/* What is decided before memory is taken. */
struct ringd_plan {
	struct box_keyring *keys; /* kept, and changed when they are rotated */
	const struct udp *links;  /* bound, and given away */
	struct ringd_sockets *sockets; /* kept; NULL: links never change */
	const struct udp *groups;  /* too, for multicast; NULL: bound later */
	struct ringd_confs *confs; /* NULL: nothing is ever reloaded */
	uint64_t now_ns;
	uint64_t seed;
};

struct ringd {
	const struct cluster_conf *conf;
	struct loop *loop;
	struct totem *totem;
	struct group_layer *groups;
	struct ringd_net *net;
	struct ringd_change *change;
	struct ringd_keys *keys;
	struct ringd_reload reload;
	struct svc *svc;
	struct ringd_client_table *clients;
	struct ringd_disk disk;
	struct unixsock sock;
	struct supervisor_page *page; /* NULL: there is no supervisor */
	pid_t supervisor;             /* 0: none */
	struct ringd_links links;
	struct ringd_sockets *sockets; /* NULL: links stay as they are */
	struct netwatch local;         /* own addresses, one a link */
	int disk_slot;
	uint64_t start_ns;
	uint64_t now_ns;            /* of this turn; never decreases */
	uint64_t leave_deadline_ns; /* leaving: when to end anyway; 0: not */
	uint64_t tick_ns;           /* when views get their next tick */
	struct ringd_age age;       /* of the token, for ticks */
	uint32_t tick_wants;        /* subscriptions and drops that need it */
	uint64_t view_ns;           /* when the present view came */
	bool had_company;           /* was in a ring of several */
	bool is_outlived;           /* refused for a later incarnation, */
	uint64_t outlived_by;       /* to be started above it; 0: not */
	bool is_alone;              /* in a ring of one no token comes */
	bool is_fed;                /* messages were submitted in this turn */
	bool is_resumed;            /* requests that wait may go on */
	bool is_leave_wanted;       /* at the end of this turn */
	bool is_left;
	int exit_code;
	uint64_t drop_until_ns[LIMIT_NODES]; /* as conf's nodes; 0: not */
	uint64_t mismatches;                 /* JOINs refused, as told */
	uint64_t mismatched[LIMIT_NODES];    /* incarnations told of */
	size_t memory_bytes;
	size_t totem_place, totem_bytes; /* of the core: worth locking */
	const char *scheduling;          /* "rr", "nice" or "other" */
	bool is_locked;                  /* the store is locked in memory */
};

/* ---- ringd_make.c ------------------------------------------------------ */

/*
 * Takes all memory there will ever be, and makes every part in it, by conf,
 * disk and scheduling, which must be there.  false: there is too little.
 */
RK_MUST_CHECK bool ringd_create(struct ringd *r, const struct ringd_plan *plan);

/* What the configuration says, for the core and for the net: of the latter all
 * but keys and sockets. */
void ringd_configure_totem(const struct ringd *r, struct totem_config *cfg);
void ringd_configure_net(struct ringd *r, struct ringd_net_config *cfg);

/* ---- ringd.c ----------------------------------------------------------- */

/* Opens loop, links and the disk's answers: 0 or -E… with the reason. */
RK_MUST_CHECK int ringd_open(struct ringd *r, struct text *why);

/* Feeds the core or the groups, then carries out all effects of both. */
void ringd_step(struct ringd *r, const struct totem_input *in);
void ringd_group_step(struct ringd *r, const struct group_input *in);

/* The time that a callback was given. */
void ringd_set_now(struct ringd *r, uint64_t now_ns);

/* Leaves the ring; the loop ends when that is done, or a second later. */
void ringd_leave(struct ringd *r, uint64_t now_ns);

void ringd_close(struct ringd *r);

/* ---- ringd_svc.c ------------------------------------------------------- */

/* The service of ring.sock; NULL from a measuring arena. */
struct svc *ringd_svc_create(struct ringd *r, struct arena *arena);

/* ---- ringd_svc_status.c ------------------------------------------------ */

enum svc_result ringd_svc_status(void *arg, struct svc_request *req);
enum svc_result ringd_svc_stats(void *arg, struct svc_request *req);

/* What status says, line by line, to the log. */
void ringd_svc_dump(struct ringd *r);

#endif
