/* SPDX-License-Identifier: BSD-3-Clause */
/* The shell's state: the replica, its disk, its sources, whom it serves. */
#ifndef RK_CFGSTORED_H
#define RK_CFGSTORED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/base/word.h"
#include "libcommon/os/reread.h"
#include "libcommon/os/svc.h"

#include "bin/cfgstored/cfgstored_age.h"
#include "bin/cfgstored/cfgstored_backlog.h"
#include "bin/cfgstored/cfgstored_disk.h"
#include "bin/cfgstored/cfgstored_lazy.h"
#include "bin/cfgstored/cfgstored_lend.h"
#include "bin/cfgstored/cfgstored_once.h"
#include "bin/cfgstored/replica.h"

struct arena;
struct cfgstored_watches;
struct feed;
struct loop;
struct serve;
struct text;

enum {
	CFGSTORED_KEYS_BYTES = 1024, /* of conditions' keys that are noted */
	CFGSTORED_MEMBERS = 2 * LIMIT_NODES,
};

/* The cookie of our own request to leave. */
#define CFGSTORED_LEAVE_COOKIE UINT64_MAX

enum cfgstored_want {
	CFGSTORED_WANT_REV,   /* of set, del, txn */
	CFGSTORED_WANT_LEASE, /* of lease: its id, too */
	CFGSTORED_WANT_RENEWAL,
	CFGSTORED_WANT_COUNT, /* of release: how many keys */
	CFGSTORED_WANT_SYNC,
	CFGSTORED_WANT_READ, /* a request waits to be served behind it */
	CFGSTORED_WANT_DONE, /* of admin: nothing but ok */
};

/* A request whose answer comes from the replica. */
struct cfgstored_request {
	uint64_t cookie;           /* 0: free */
	struct svc_client *client; /* NULL: gone meanwhile */
	enum cfgstored_want want;
	bool is_txn;
	bool is_del;
	bool has_grant;
	uint64_t lease;  /* that it is about */
	uint64_t ttl_ns; /* has_grant, or WANT_LEASE */
	struct cfgstored_once once;
	uint32_t next_free; /* while it is */
	char tag[WORD_TAG_BYTES + 1];
	/* Keys of conditions, as many as fit: {length 2, bytes}. */
	bool has_more_keys; /* than fit */
	size_t keys_len;
	uint8_t keys[CFGSTORED_KEYS_BYTES];
};

enum cfgstored_sync {
	CFGSTORED_SYNC_NO,
	CFGSTORED_SYNC_ASKED,
	CFGSTORED_SYNC_DONE
};

/* The snapshot that a takeover stands on: it is tried until it is there. */
struct cfgstored_again {
	bool is_known; /* what was ordered last */
	bool is_due;   /* it failed: once more at at_ns */
	uint64_t at_ns;
	struct kv_tip tip;
	size_t len;
	uint8_t words[REPLICA_WORDS_BYTES_MAX];
};

/* What svc keeps for us with each client. */
struct cfgstored_client {
	uint32_t pending; /* answers under way */
	/* Of the read that waits at the head of what it sent. */
	enum cfgstored_sync sync;
	enum replica_code sync_code;
};

/* A member of the group, by connection. */
struct cfgstored_member {
	uint32_t node;
	uint64_t conn;
};

/* What ring.sock told; nothing of it outlives the connection. */
struct cfgstored_stream {
	bool is_open;
	bool is_group_partial; /* the record of the group goes on */
	bool is_changing;      /* between two views */
	bool is_group_due;     /* it changed meanwhile: */
	struct parse_pos group_pos;
	struct parse_view view; /* rep 0: none yet */
	size_t member_count;    /* of the group */
	struct cfgstored_member member[CFGSTORED_MEMBERS];
};

struct cfgstored {
	struct serve *serve;
	struct loop *loop;
	struct reread reread;
	struct svc *svc;
	struct feed *ring_feed, *quorum_feed, *member_feed;
	struct cfgstored_stream ring;
	struct cfgstored_watches *watches;

	struct replica_config cfg;
	struct replica *replica;
	void *replica_memory; /* in which it is made anew */
	size_t replica_bytes;
	uint64_t run_last;     /* of this process's; as the disk has it */
	uint64_t ring_inc;     /* of the ringd that this replica goes with; 0 */
	bool is_permitted;     /* by quorumd */
	bool is_say_due;       /* at the end of the turn */
	const char *ring_drop; /* why it has to be, after this step; or NULL */
	enum replica_state state;
	bool is_reload_due; /* what is in memory is of no more use */
	uint64_t rev;       /* as the replica told last */

	struct cfgstored_disk *disk;
	struct cfgstored_disk_found found;
	struct cfgstored_backlog backlog; /* what the disk does not take yet */
	struct cfgstored_lazy lazy;
	struct cfgstored_lend lend;
	int disk_slot, lend_slot;
	bool is_lend_asked; /* for a chunk */
	bool is_backlog_lost;
	/* Of something that the log cannot do without. */
	enum cfgstored_refusal {
		CFGSTORED_REFUSAL_NONE,
		CFGSTORED_REFUSAL_DUE, /* to be told the replica */
		CFGSTORED_REFUSAL_TOLD,
	} refusal;
	bool is_room_due; /* the replica is to be told how much it has */
	bool is_unsaved;  /* a snapshot could not be begun: */
	struct kv_tip unsaved;
	struct cfgstored_again again;

	struct cfgstored_request *requests; /* REPLICA_PENDING_MAX */
	uint32_t request_free;
	uint64_t cookies; /* given so far */
	bool is_resume_due;
	uint8_t *command; /* being built; KV_COMMAND_BYTES_MAX */
	char *scratch;    /* a line with all its bytes */
	size_t scratch_bytes;

	uint64_t now_ns; /* of this turn; never decreases */
	uint64_t start_ns;
	struct cfgstored_age age;
	uint64_t leave_deadline_ns; /* leaving: when to end anyway; 0: not */
	int exit_code;
	size_t memory_bytes;
	struct cfgstored_stats {
		uint64_t published, published_bytes;
		uint64_t appended, appended_bytes;
		uint64_t writes, reads, syncs, refused, unknown;
		uint64_t flushes, snapshots, reloads, expired;
	} stats;
};

/* ---- cfgstored_make.c -------------------------------------------------- */

/*
 * Takes all memory there will ever be, and makes every part in it, by serve.
 * false: there is too little.
 */
RK_MUST_CHECK bool cfgstored_create(struct cfgstored *d);

/* ---- cfgstored_load.c -------------------------------------------------- */

/*
 * A new replica of what is on disk, which is opened, again if it was; its run
 * is above that of each before it, over this node's life: 0 or -E… with why.
 * What the one before has not answered is answered.
 */
RK_MUST_CHECK int cfgstored_load(struct cfgstored *d, struct text *why);

/* ---- cfgstored.c ------------------------------------------------------- */

/* Opens the loop and what takes part in it: 0 or -E…. */
RK_MUST_CHECK int cfgstored_open(struct cfgstored *d);

/* Feeds the replica, then carries out all that follows. */
void cfgstored_step(struct cfgstored *d, struct replica_input *in);

/* The disk may take more now: the replica is told, if it has not been. */
void cfgstored_tell_room(struct cfgstored *d);

/* The clock goes on; never back. */
void cfgstored_tick(struct cfgstored *d, uint64_t now_ns);

/* The replica has to be made anew, at the end of this turn. */
void cfgstored_want_reload(struct cfgstored *d);

/* What ringd has sent is read: before any answer. */
void cfgstored_look(struct cfgstored *d);

/* NULL: nothing can be read now. */
const struct kv *cfgstored_kv(const struct cfgstored *d);

/* Writes would be taken. */
bool cfgstored_is_open(const struct cfgstored *d);

void cfgstored_leave(struct cfgstored *d, uint64_t now_ns);
void cfgstored_close(struct cfgstored *d);

/* ---- cfgstored_files.c ------------------------------------------------- */

/* Of the replica, for the disk: what it is about is one of those kinds. */
void cfgstored_files_do(
    struct cfgstored *d, const struct replica_effect *effect);
/* Gives the disk what waits. */
void cfgstored_files_turn(struct cfgstored *d);
/* At the end of a turn: has it written, unless that may wait. */
void cfgstored_files_flush(struct cfgstored *d);
/* When it wants to be called; what is due then. */
uint64_t cfgstored_files_deadline_ns(const struct cfgstored *d);
void cfgstored_files_on_time(struct cfgstored *d);
/* Bytes of records that it takes now. */
uint64_t cfgstored_files_room(const struct cfgstored *d);
/* Takes part in the loop, and no more: before the disk is opened anew. */
void cfgstored_files_watch(struct cfgstored *d);
void cfgstored_files_leave(struct cfgstored *d);

/* ---- cfgstored_stream.c, cfgstored_member.c ------------------------------ */

struct feed *cfgstored_stream_create(struct cfgstored *d, struct arena *arena);
void cfgstored_stream_publish(
    struct cfgstored *d, const struct replica_effect *effect);

struct feed *cfgstored_quorum_create(struct cfgstored *d, struct arena *arena);
struct feed *cfgstored_member_create(struct cfgstored *d, struct arena *arena);

/* ---- cfgstored_request.c ----------------------------------------------- */

/* All are free. */
void cfgstored_request_init(struct cfgstored *d);

/* A free one for this client, or NULL, and it was told so. */
struct cfgstored_request *cfgstored_request_take(
    struct cfgstored *d, struct svc_request *req, enum cfgstored_want want);

/* The replica has answered. */
void cfgstored_request_answer(
    struct cfgstored *d, const struct replica_effect *effect);

/*
 * No replica will ever answer those that are left: they were sent, so nobody
 * knows.
 */
void cfgstored_request_end(struct cfgstored *d);

/* The client is gone. */
void cfgstored_request_forget(
    struct cfgstored *d, const struct svc_client *client);

/*
 * Before a read: true, go on; false: *result is the verb's.  With sync=yes the
 * request comes again when the state has all that was acknowledged.
 */
bool cfgstored_request_sync(
    struct cfgstored *d, struct svc_request *req, enum svc_result *result);

/*
 * The same for whatever wants it, true when it comes again; and whether that
 * is so and what came of it, which is to be asked once, whatever it was: it is
 * told of this request only.
 */
bool cfgstored_request_catch_up(
    struct cfgstored *d, struct svc_request *req, enum svc_result *result);
bool cfgstored_request_has_asked(
    const struct svc_request *req, enum replica_code *code);
void cfgstored_request_refuse(
    struct cfgstored *d, struct svc_request *req, enum replica_code code);

/* ---- cfgstored_svc.c --------------------------------------------------- */

struct svc *cfgstored_svc_create(struct cfgstored *d, struct arena *arena);

/* err code=usage, with these words. */
enum svc_result cfgstored_svc_misused(
    struct svc_request *req, const char *what);
enum svc_result cfgstored_svc_denied(struct svc_request *req, const char *what);

/* timeout=DUR, by default 30s; false: it is no duration. */
RK_MUST_CHECK bool cfgstored_svc_get_deadline(const struct cfgstored *d,
    const struct svc_request *req, uint64_t *deadline_ns);

/*
 * The request must wait for answers that are under way: without a tag nobody
 * could tell whose answer is whose.
 */
bool cfgstored_svc_must_wait(const struct svc_request *req);

/* ---- cfgstored_svc_write.c, _read.c, _admin.c, _status.c --------------- */

enum svc_result cfgstored_svc_set(void *arg, struct svc_request *req);
enum svc_result cfgstored_svc_del(void *arg, struct svc_request *req);
enum svc_result cfgstored_svc_txn(void *arg, struct svc_request *req);
enum svc_result cfgstored_svc_lease(void *arg, struct svc_request *req);
enum svc_result cfgstored_svc_renew(void *arg, struct svc_request *req);
enum svc_result cfgstored_svc_release(void *arg, struct svc_request *req);
enum svc_result cfgstored_svc_sync(void *arg, struct svc_request *req);

enum svc_result cfgstored_svc_get(void *arg, struct svc_request *req);
enum svc_result cfgstored_svc_list(void *arg, struct svc_request *req);
enum svc_result cfgstored_svc_history(void *arg, struct svc_request *req);
enum svc_result cfgstored_svc_leases(void *arg, struct svc_request *req);

enum svc_result cfgstored_svc_init(void *arg, struct svc_request *req);
enum svc_result cfgstored_svc_electorate(void *arg, struct svc_request *req);
enum svc_result cfgstored_svc_limits(void *arg, struct svc_request *req);
enum svc_result cfgstored_svc_compact(void *arg, struct svc_request *req);

enum svc_result cfgstored_svc_status(void *arg, struct svc_request *req);
enum svc_result cfgstored_svc_nodes(void *arg, struct svc_request *req);
enum svc_result cfgstored_svc_stats(void *arg, struct svc_request *req);

/* Why no writes are taken, for people: "1 of 3 votes of the store are here, 2
 * needed".
 */
void cfgstored_put_why(const struct cfgstored *d, struct text *out);

/* What status says to the log. */
void cfgstored_svc_dump(struct cfgstored *d);

/* ---- cfgstored_reload.c ------------------------------------------------ */

RK_MUST_CHECK int cfgstored_reload_open(struct cfgstored *d);
/* offered= and surplus=: in which nodes file and electorate differ. */
void cfgstored_reload_put(
    const struct cfgstored *d, const struct kv_electorate *e, struct text *out);

/* ---- cfgstored_watch.c ------------------------------------------------- */

struct cfgstored_watches *cfgstored_watch_create(struct arena *arena);
enum svc_result cfgstored_watch_run(void *arg, struct svc_request *req);
/* Tells all what there is to tell, as far as their queues take it. */
void cfgstored_watch_pump(struct cfgstored *d);
void cfgstored_watch_closed(
    struct cfgstored *d, const struct svc_client *client);
uint32_t cfgstored_watch_count(const struct cfgstored *d);
/* Rights are those of another file now. */
void cfgstored_watch_conf(struct cfgstored *d);

#endif
