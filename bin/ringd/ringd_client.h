/* SPDX-License-Identifier: BSD-3-Clause */
/* The clients of ring.sock: what they asked for and have not been told yet. */
#ifndef RK_RINGD_CLIENT_H
#define RK_RINGD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/limits.h"
#include "libcommon/base/word.h"

#include "bin/ringd/group.h"
#include "bin/ringd/totem.h"

struct arena;
struct ringd;
struct svc_client;
struct svc_request;
struct text;

enum {
	RINGD_CLIENT_SUBS = 8,
	RINGD_CLIENT_GLOB_BYTES = 512, /* of one subscription */
	RINGD_CLIENT_PENDING = 2048,   /* of one client */
	RINGD_CLIENT_PENDING_ALL = 8192,
	RINGD_CLIENT_LINE_BYTES = 65536,
	RINGD_CLIENT_LIST_BYTES = 61440, /* a record is cut here */
};

enum ringd_sub_kind { RINGD_SUB_NONE, RINGD_SUB_LISTEN, RINGD_SUB_VIEWS };

struct ringd_sub {
	enum ringd_sub_kind kind;
	uint32_t id;
	bool has_members; /* listen: group changes, too */
	bool is_lossless;
	bool has_tick; /* views */
	uint64_t lost; /* since the last gap record */
	uint64_t lost_total;
	size_t glob_len;                     /* 0: all groups */
	char globs[RINGD_CLIENT_GLOB_BYTES]; /* joined by commas, as written */
};

/* A request that is answered when the ring has ordered it. */
struct ringd_pending {
	uint32_t next;   /* of the client, or of the free ones */
	uint8_t client;  /* place in the table; RINGD_CLIENT_ORPHAN */
	uint8_t kind;    /* enum ringd_pending_kind */
	uint8_t state;   /* enum ringd_pending_state */
	uint8_t failure; /* enum group_failure */
	char tag[WORD_TAG_BYTES + 1];
	struct group_pos pos;
};

enum ringd_pending_kind {
	RINGD_PENDING_PUB,
	RINGD_PENDING_PUB_NONE, /* confirm=none: accepted, but not told yet */
	RINGD_PENDING_CHANGE,   /* join, leave */
	RINGD_PENDING_NODES,    /* rotate-key, reload: an answer of all nodes */
};

/* What svc keeps for us with each client. */
struct ringd_client {
	struct svc_client *svc;
	uint32_t conn;
	uint32_t speaks_for; /* conn, or the one it is attached to */
	uint32_t index;
	uint8_t name_len;
	char name[LIMIT_CLIENT_NAME_BYTES];
	uint32_t pending_first, pending_last, pending_count;
	struct ringd_sub subs[RINGD_CLIENT_SUBS];
};

struct ringd_client_table;

/* NULL from a measuring arena. */
struct ringd_client_table *ringd_client_create(struct arena *arena);

/* ---- coming and going -------------------------------------------------- */

void ringd_client_opened(struct ringd *r, struct svc_client *client);
void ringd_client_closed(struct ringd *r, struct svc_client *client);

/* The ringd_client of a svc_client. */
struct ringd_client *ringd_client_of(const struct svc_client *client);

/* The client whose conn is that, or NULL. */
struct ringd_client *ringd_client_find(struct ringd *r, uint32_t conn);

/* In how many groups it is. */
uint32_t ringd_client_groups(struct ringd *r, const struct ringd_client *c);

/* ---- replies under way ------------------------------------------------- */

bool ringd_client_is_busy(const struct ringd_client *c);

/* A cookie for the groups; 0: no room, the request has to wait. */
uint64_t ringd_client_pend(struct ringd *r, struct ringd_client *c,
    const char *tag, enum ringd_pending_kind kind);

/* It came to nothing before it was under way. */
void ringd_client_unpend(struct ringd *r, uint64_t cookie);

/* It was accepted and needs no confirmation. */
void ringd_client_accepted(struct ringd *r, uint64_t cookie);

void ringd_client_done(
    struct ringd *r, uint64_t cookie, const struct group_pos *pos);
void ringd_client_failed(
    struct ringd *r, uint64_t cookie, enum group_failure failure);

/* no or err for a failure of the groups. */
void ringd_client_refuse(struct ringd *r, struct ringd_client *c,
    const char *tag, enum group_failure failure);

/* ---- subscriptions ----------------------------------------------------- */

/* A free place, with its id set to the one asked for (0: any); NULL: none, or
 * the id is taken. */
struct ringd_sub *ringd_client_sub(struct ringd_client *c, uint32_t id);

/* The state now: exists … ready. */
void ringd_client_snapshot(
    struct ringd *r, struct ringd_client *c, struct ringd_sub *sub);

void ringd_client_message(struct ringd *r, const struct group_message *message);
void ringd_client_change(struct ringd *r, const struct group_view *view);
void ringd_client_view(
    struct ringd *r, const struct totem_view *view, uint64_t now_ns);
void ringd_client_tick(struct ringd *r);

/* Another configuration is in force, from this place of the order on. */
struct ringd_client_config {
	struct group_pos pos;
	uint32_t by; /* the node where somebody asked for it */
	uint64_t digest;
};
void ringd_client_reloaded(
    struct ringd *r, const struct ringd_client_config *config);

/* The queue has room again: tells of gaps. */
void ringd_client_drained(struct ringd *r, struct ringd_client *c);

/* ---- words ------------------------------------------------------------- */

/* REP.SEQ:SEQ.IDX */
void ringd_client_put_pos(struct text *out, const struct group_pos *pos);
/* 1,2,3 */
void ringd_client_put_nodes(struct text *out, const struct totem_nodes *nodes);
/* NODE.CONN:PID:UID:NAME, or with reason behind CONN. */
void ringd_client_put_member(
    struct text *out, const struct group_member *member, const char *reason);
const char *ringd_client_phase(enum totem_phase phase);

/* One of the globs, joined by commas, matches; len 0: all do. */
bool ringd_client_matches(
    const char *globs, size_t len, const struct group_name *group);

#endif
