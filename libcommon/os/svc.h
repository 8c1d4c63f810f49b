/* SPDX-License-Identifier: BSD-3-Clause */
/* The text service that all daemons share: clients, verbs, replies, queues.
 *
 * The daemon gives a table of verbs; this module accepts clients, cuts what
 * they send into requests, calls the verb's function, and writes out what was
 * queued, once a turn.  It answers ping, help, log-level and quit itself.  No
 * client can hold up another, or the daemon: see bin/ringd/DESIGN.md, "Limits
 * and slow readers".  Nothing is allocated after svc_create.
 */
#ifndef RK_SVC_H
#define RK_SVC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

struct arena;
struct loop;
struct svc;
struct svc_client;
struct svc_payload;
struct text;
struct unixsock_peer;
struct word;

/* What a client may do; a verb needs one of them. */
enum svc_right {
	SVC_RIGHT_READ = 1,
	SVC_RIGHT_WRITE = 2,
	SVC_RIGHT_ADMIN = 4,
	SVC_RIGHT_VOTE = 8, /* whoever may administer may vote, too */
	SVC_RIGHT_ALL = 15,
};

enum svc_result {
	SVC_DONE, /* answered, or the answer is under way (svc_client_hold) */
	SVC_WAIT, /* not now: the same request comes again after svc_resume */
};

/* Borrowed until the verb's function returns. */
struct svc_request {
	struct svc_client *client;
	const char *tag; /* NULL: none */
	struct word *word;
	const char *data; /* NULL: none came with it */
	size_t data_len;
	uint64_t now_ns;
};

typedef enum svc_result svc_verb_fn(void *arg, struct svc_request *req);

struct svc_verb {
	const char *name;
	svc_verb_fn *run;
	enum svc_right right;
	const char *usage; /* the words behind the verb */
	bool is_ordered;   /* puts its reply behind those that are under way
			      itself; others wait until there are none */
};

struct svc_config {
	const char *daemon; /* its name, for the greeting */
	const struct svc_verb *verbs;
	size_t verb_count;
	uint32_t clients_max;
	size_t pool_bytes; /* of queues, all clients together */
	/* Requests of a client that has not read so much wait; 0: an eighth
	 * of the pool.  For answers that are long themselves. */
	size_t unread_bytes;
	size_t data_max;   /* of one request */
	size_t data_told;  /* what the greeting says of it; 0: the same */
	uint32_t gathers;  /* requests too long for a client's buffer that
			      may come in at once */
	size_t user_bytes; /* of the daemon's own, per client, zeroed */
	void *arg;         /* of all functions */
	/* The greeting's own words, each after a blank. */
	void (*greet)(void *arg, struct text *out);
	/* What somebody may do (enum svc_right, or-ed). */
	uint32_t (*rights)(void *arg, const struct unixsock_peer *peer);
	/* Replies to it are under way. */
	bool (*is_busy)(void *arg, const struct svc_client *client);
	void (*opened)(void *arg, struct svc_client *client);
	/* The last moment at which the client may be touched. */
	void (*closed)(void *arg, struct svc_client *client);
	/* After a refused svc_offer: the queue is down to half of then. */
	void (*drained)(void *arg, struct svc_client *client);
};

/* cfg is copied.  NULL from a measuring arena. */
struct svc *svc_create(struct arena *arena, const struct svc_config *cfg);

/*
 * Serves listen_fd, which stays the caller's, in the loop; rights are the
 * most that its clients can have.  At most twice.
 */
RK_MUST_CHECK int svc_listen(
    struct svc *svc, struct loop *loop, int listen_fd, uint32_t rights);

/* Asks for the rights of all clients again: they may be others now. */
void svc_review(struct svc *svc);

/* Requests that answered SVC_WAIT come again in the next turn. */
void svc_resume(struct svc *svc);

/* For the daemon's last turn: says why to all clients, writes, closes. */
void svc_shut(struct svc *svc, const char *reason, uint64_t now_ns);

/* The next client after one; from NULL the first, NULL after the last. */
struct svc_client *svc_client_next(
    struct svc *svc, const struct svc_client *after);

/* ---- one client -------------------------------------------------------- */

/* 1, 2, … : never used twice. */
uint32_t svc_client_id(const struct svc_client *client);
void *svc_client_user(const struct svc_client *client);
const struct unixsock_peer *svc_client_peer(const struct svc_client *client);
bool svc_client_may(const struct svc_client *client, enum svc_right right);
size_t svc_client_queued(const struct svc_client *client);

/*
 * Something is under way to the client: an answer, a subscription.  While the
 * sum is not 0, a client that closed its sending side stays.
 */
void svc_client_hold(struct svc_client *client, int change);

/* Reads no more of it, writes what is queued, closes. */
void svc_client_close(struct svc_client *client);

/* ---- what goes to it --------------------------------------------------- */

/* Whole lines that must arrive; a client whose queue is full is closed. */
void svc_put(struct svc_client *client, const void *bytes, size_t len);

/* "#TAG " or nothing, into a line being built. */
void svc_put_tag(struct text *out, const char *tag);

/* [#TAG ]ok[ words] */
void svc_ok(struct svc_client *client, const char *tag, const char *format, ...)
    RK_PRINTF(3, 4);

/* [#TAG ]no code=CODE */
void svc_no(struct svc_client *client, const char *tag, const char *code);

/*
 * [#TAG ]err code=CODE n=N msg=TEXT, where CODE is one of the table in
 * DESIGN.md (ENSURE), which also gives N.  TEXT is quoted here.
 */
void svc_err(struct svc_client *client, const char *tag, const char *code,
    const char *format, ...) RK_PRINTF(4, 5);

/*
 * Whole lines that may be refused (false) when the client does not read fast
 * enough; then drained is called, once there is room again.
 */
bool svc_offer(struct svc_client *client, const void *bytes, size_t len);
bool svc_offer_data(struct svc_client *client, const void *line, size_t len,
    struct svc_payload *payload);

/* To be called after the last svc_offer_data of a payload. */
void svc_release(struct svc *svc, struct svc_payload *payload);

struct svc_stats {
	uint32_t clients;
	uint64_t accepted, refused; /* clients */
	uint64_t requests, failed;  /* failed: answered by err */
	uint64_t closed_slow;
	uint64_t bytes_in, bytes_out;
	size_t queued_bytes;
};
void svc_stats(const struct svc *svc, struct svc_stats *out);

#endif
