/* SPDX-License-Identifier: BSD-3-Clause */
/* Loading a store with clients that each wait for their answer, whatever the
 * store: cfgstored, or etcd beside it.
 *
 * One process.  Each client has a connection of its own, or so many share one,
 * as clients of one program do.  Each value begins with the moment it was sent,
 * so that whoever is told of it knows how long that took.
 */
#ifndef RK_STORELOAD_H
#define RK_STORELOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

enum {
	STORELOAD_IN_BYTES = 1 << 18,
	STORELOAD_OUT_BYTES = 1 << 18,
	STORELOAD_VALUE_BYTES_MAX = 1 << 15,
	STORELOAD_KEY_BYTES = 32,
};

struct storeload_conn {
	int fd;
	char in[STORELOAD_IN_BYTES];
	size_t in_at, in_len; /* what was taken ends, what came ends */
	char out[STORELOAD_OUT_BYTES];
	size_t out_len;
	struct storeload_client *client; /* who shares it, chained */
	bool is_shared;
	/* The store's own. */
	bool is_greeted;
	uint32_t stream; /* the next */
};

struct storeload_client {
	struct storeload_conn *conn;
	struct storeload_client *next; /* on its connection */
	uint64_t sent_ns;              /* 0: nothing is asked */
	uint64_t key;                  /* of what is asked */
	/* The store's own. */
	bool has_answer;
	uint32_t stream; /* at first: its number */
};

enum storeload_verb {
	STORELOAD_PUT,
	STORELOAD_PUT_MEMORY, /* acknowledged before it is on a disk */
	STORELOAD_GET,        /* what this node has */
	STORELOAD_GET_SYNC,   /* and nobody has anything newer */
	STORELOAD_WATCH,      /* all keys of the load */
};

struct storeload_request {
	enum storeload_verb verb;
	char key[STORELOAD_KEY_BYTES];
	const char *value;
	size_t value_len;
};

struct storeload_store {
	const char *name;
	/* Blocking; a place is a socket's path or HOST:PORT.  -E…. */
	int (*open)(const char *place);
	/* What is said first; NULL: nothing. */
	void (*greet)(struct storeload_conn *conn);
	/* False: there is no such request. */
	bool (*ask)(struct storeload_client *client,
	    const struct storeload_request *request);
	/* Takes the first record of in, from in_at: how long it was, 0 if it
	 * is not all there.  Calls storeload_answer and storeload_event. */
	size_t (*take)(struct storeload_conn *conn);
};

extern const struct storeload_store storeload_cfg;
extern const struct storeload_store storeload_etcd;

/* Appends to what is to be sent. */
void storeload_put(struct storeload_conn *conn, const void *bytes, size_t len);

/* Whose stream this is. */
struct storeload_client *storeload_find(
    const struct storeload_conn *conn, uint32_t stream);

/* What the client asked for was answered; or refused, for this reason. */
void storeload_answer(struct storeload_client *client, const char *refusal);

/* Somebody who watches was told of these bytes; values are among them. */
void storeload_event(const char *bytes, size_t len);

RK_NORETURN void storeload_die(const char *what, const char *why);

#endif
