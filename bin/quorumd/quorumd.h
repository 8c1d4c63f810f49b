/* SPDX-License-Identifier: BSD-3-Clause */
/* The shell's state: the core, its two sources, what it tells, to whom. */
#ifndef RK_QUORUMD_H
#define RK_QUORUMD_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/base/limits.h"
#include "libcommon/base/word.h"
#include "libcommon/os/reread.h"
#include "libcommon/os/svc.h"

#include "bin/quorumd/quorum.h"
#include "bin/quorumd/quorum_lease.h"
#include "bin/quorumd/quorumd_state.h"

struct arena;
struct cluster_conf;
struct feed;
struct loop;
struct quorum_roster;
struct quorum_stream;
struct serve;
struct text;
struct watch;

/* So long somebody who asks waits for a memberd that is on its way. */
#define QUORUMD_PATIENCE_NS UINT64_C(1000000000)

/* A request whose answer comes from the core. */
struct quorumd_request {
	uint64_t cookie;           /* 0: free */
	struct svc_client *client; /* NULL: gone meanwhile */
	char tag[WORD_TAG_BYTES + 1];
};

/* Node ids as a list of the ring's records gives them. */
struct quorumd_nodes {
	uint32_t id[LIMIT_NODES];
	size_t count;
};

/* What ring.sock told; nothing of it outlives the connection. */
struct quorumd_ring {
	bool is_open;
	bool is_joined;        /* our entry into the group was ordered */
	bool is_synced;        /* and whoever was there has spoken */
	bool is_group_partial; /* the record of the group goes on */
	bool is_changing;      /* between two views */
	bool is_group_due;     /* it changed meanwhile: */
	struct parse_pos group_pos;
	uint64_t inc; /* of ringd */
	uint64_t open_ns;
	struct parse_view view; /* rep 0: none yet */
	struct quorumd_nodes members;
	struct quorumd_nodes along, leavers; /* of the change under way */
	struct quorumd_nodes group;
};

struct quorumd {
	struct serve *serve;
	struct quorum_config cfg;  /* in force */
	struct quorum_config next; /* is_pending: read, and wished for */
	bool is_pending;
	struct reread reread;
	struct quorumd_request asker; /* of `would`; cookie 0: nobody */
	struct quorumd_state state;
	struct loop *loop;
	struct svc *svc;
	struct watch *watch;
	struct feed *ring_feed, *member_feed;
	struct quorum_stream *stream;
	struct quorum_roster *roster;
	struct quorum *core; /* NULL: ringd was not there yet */
	void *core_memory;   /* in which it is made anew */
	size_t core_bytes;
	struct quorum_lease lease;
	struct quorumd_ring ring;
	struct quorumd_request requests[QUORUM_REQUESTS_MAX];
	uint64_t cookies; /* given so far */
	uint64_t now_ns;  /* of this turn; never decreases */
	uint64_t boot_ns; /* what the clock of the lease is ahead of now_ns */
	uint64_t start_ns;
	uint64_t pauses;          /* noticed */
	uint64_t member_seq;      /* memberd's last record */
	uint64_t patience_end_ns; /* with a memberd that is not there */
	char member_epoch[WORD_TAG_BYTES + 1];
	bool is_told;         /* a first snapshot is complete */
	bool is_partial;      /* a later one of memberd's is not */
	bool is_changing;     /* leave or join was told, its view is to come */
	bool is_awaited;      /* somebody waits for that to end */
	bool is_behind;       /* memberd cannot be merged any more: drop it */
	bool is_member_heard; /* a record came by this connection */
	bool is_fresh;        /* the gate, as it was set last */
	uint64_t view_ns;     /* when the view began, or was seen */
	uint64_t leave_deadline_ns; /* leaving: when to end anyway; 0: not */
	int exit_code;
	size_t memory_bytes;
};

/* ---- quorumd_make.c ---------------------------------------------------- */

/* The rules, from the file. */
void quorumd_make_config(
    struct quorum_config *cfg, const struct cluster_conf *conf);

/*
 * What the record says counts; the file is wished for if it says otherwise.
 * NULL, or what is wrong with the record.
 */
const char *quorumd_make_recorded(struct quorumd *d);

/*
 * Takes all memory there will ever be, and makes every part in it, by serve,
 * cfg and state, which must be there.  false: there is too little.
 */
RK_MUST_CHECK bool quorumd_create(struct quorumd *d);

/* The core, as new, with what was kept for this incarnation of ringd. */
void quorumd_make_core(struct quorumd *d, uint64_t inc);

/* ---- quorumd.c --------------------------------------------------------- */

/* Opens the loop and what takes part in it: 0 or -E…. */
RK_MUST_CHECK int quorumd_open(struct quorumd *d);

/* Feeds the core, then carries out all its effects. */
void quorumd_step(struct quorumd *d, struct quorum_input *in);

/* Reads what ringd has sent, and knows how late it is: before any answer. */
void quorumd_look(struct quorumd *d);

/* What ringd said last may be believed, and somebody has said it. */
bool quorumd_is_fresh(const struct quorumd *d);

/* The clock of the lease; ringd's, too. */
uint64_t quorumd_clock_ns(struct quorumd *d);

/* Tells what may leave. */
void quorumd_relay(struct quorumd *d);
/* Of memberd's: who came to watch meanwhile may have his snapshot. */
void quorumd_end_change(struct quorumd *d);

void quorumd_leave(struct quorumd *d, uint64_t now_ns);
void quorumd_close(struct quorumd *d);

/* ---- quorumd_ring.c, quorumd_member.c ---------------------------------- */

struct feed *quorumd_ring_create(struct quorumd *d, struct arena *arena);
void quorumd_ring_publish(
    struct quorumd *d, const struct quorum_effect *effect);

struct feed *quorumd_member_create(struct quorumd *d, struct arena *arena);

/* ---- quorumd_reload.c -------------------------------------------------- */

RK_MUST_CHECK int quorumd_reload_open(struct quorumd *d);
/* A core that was made anew is told what is wished for. */
void quorumd_reload_wish(struct quorumd *d);
/* After every step of the core: it may be in force now. */
void quorumd_reload_stepped(struct quorumd *d);
enum svc_result quorumd_reload_would(void *arg, struct svc_request *req);
void quorumd_reload_put(const struct quorumd *d, struct text *out);

/* ---- quorumd_svc.c ----------------------------------------------------- */

/* The service of quorum.sock; NULL from a measuring arena. */
struct svc *quorumd_svc_create(struct quorumd *d, struct arena *arena);
struct watch *quorumd_svc_watch(struct quorumd *d, struct arena *arena);

/* The core has answered the request with that cookie. */
void quorumd_svc_answer(struct quorumd *d, const struct quorum_effect *effect);
/* No answer will come to any of them. */
void quorumd_svc_fail(struct quorumd *d);

/* ---- quorumd_svc_tell.c ------------------------------------------------ */

enum svc_result quorumd_svc_quorum(void *arg, struct svc_request *req);
enum svc_result quorumd_svc_why(void *arg, struct svc_request *req);
enum svc_result quorumd_svc_nodes(void *arg, struct svc_request *req);

/* The line that `quorum` answers, without ok; drains nothing. */
void quorumd_svc_put_quorum(struct quorumd *d, struct text *out);

/* ---- quorumd_svc_status.c ---------------------------------------------- */

enum svc_result quorumd_svc_status(void *arg, struct svc_request *req);
enum svc_result quorumd_svc_stats(void *arg, struct svc_request *req);

/* What status says, line by line, to the log. */
void quorumd_svc_dump(struct quorumd *d);

#endif
