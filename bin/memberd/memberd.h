/* SPDX-License-Identifier: BSD-3-Clause */
/* The shell of memberd: its core, its place in the ring, its clients. */
#ifndef RK_MEMBERD_H
#define RK_MEMBERD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/limits.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"
#include "libcommon/os/reread.h"
#include "libcommon/os/unixsock.h"

#include "bin/memberd/member.h"

struct arena;
struct cluster_conf;
struct feed;
struct feed_line;
struct loop;
struct serve;
struct svc;
struct svc_client;
struct watch;

/* A request that is answered when the ring has ordered it. */
struct memberd_pending {
	uint32_t req;    /* 0: free */
	uint32_t client; /* svc_client_id; it may be gone */
	char tag[WORD_TAG_BYTES + 1];
};

struct memberd {
	struct serve *serve;
	const struct cluster_conf *conf; /* that of serve */
	struct reread reread;
	struct unixsock sock;
	const char *ring_path;
	struct loop *loop;
	struct feed *feed;
	struct svc *svc;
	struct watch *watch;
	struct member *core;
	uint64_t start_ns;
	size_t memory_bytes;
	/* The ring. */
	uint32_t published;    /* messages with facts, not yet ordered */
	uint64_t ring_at_ms;   /* when ringd said something last */
	uint64_t ring_lost_ns; /* when it went; 0: it is here */
	/* Whether we were stopped: when we last looked at the clock. */
	uint64_t looked_ns, look_next_ns;
	/* Requests under way. */
	uint32_t last_req;
	struct memberd_pending pending[LIMIT_CLIENTS];
	struct text message; /* being built */
	char message_bytes[MEMBER_MESSAGE_BYTES + 256];
	char record[MEMBER_NODE_BYTES]; /* being built */
};

/* ---- memberd.c --------------------------------------------------------- */

/* Memory for all parts, from conf; false: there is not enough. */
bool memberd_create(struct memberd *d, uint64_t now_ns);
/* Into the loop; the socket is open.  -E…. */
int memberd_open(struct memberd *d, uint64_t now_ns);
void memberd_close(struct memberd *d);

/* An input for the core, and all that follows from it. */
void memberd_step(struct memberd *d, struct member_input *in, uint64_t now_ns);

/*
 * Whether this process stood still since it looked last: then watchers are
 * told at once.  Must come before anything of ringd's is believed.
 */
void memberd_look(struct memberd *d, uint64_t now_ns);

/* ---- memberd_ring.c ---------------------------------------------------- */

struct feed *memberd_ring_create(struct memberd *d, struct arena *arena);

/* Sends what the core has to tell the others, as far as there is room. */
void memberd_ring_publish(struct memberd *d);

/* Has d->message ordered; false: not now. */
bool memberd_ring_request(struct memberd *d, uint32_t req);

/* ---- memberd_reload.c -------------------------------------------------- */

/* The nodes of a file; borrowed until the next call, and from conf. */
void memberd_reload_table(
    const struct cluster_conf *conf, struct member_table *table);
RK_MUST_CHECK int memberd_reload_open(struct memberd *d);

/* ---- memberd_svc.c ----------------------------------------------------- */

struct svc *memberd_svc_create(struct memberd *d, struct arena *arena);

/* The answer to request req: enum member_answer. */
void memberd_svc_answer(struct memberd *d, uint32_t req, int answer);
/* It came to nothing: as ringd said, or away. */
void memberd_svc_fail(
    struct memberd *d, uint32_t req, const char *code, const char *why);
void memberd_svc_fail_all(struct memberd *d);

/* The state into the log. */
void memberd_svc_dump(struct memberd *d);

#endif
