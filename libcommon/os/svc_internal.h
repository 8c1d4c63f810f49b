/* SPDX-License-Identifier: BSD-3-Clause */
/* The state of the text service, for svc*.c only. */
#ifndef RK_SVC_INTERNAL_H
#define RK_SVC_INTERNAL_H

#include "libcommon/base/limits.h"
#include "libcommon/base/word.h"
#include "libcommon/os/svc.h"
#include "libcommon/os/svc_in.h"
#include "libcommon/os/svc_out.h"
#include "libcommon/os/unixsock.h"

enum { SVC_GATHERS_MAX = 8, SVC_NO_GATHER = -1 };

struct svc_client {
	struct svc *svc;
	uint32_t id; /* 0: free */
	int fd;
	int slot;
	uint32_t rights_max; /* of the listener it came by */
	uint32_t rights;
	struct unixsock_peer peer;
	struct svc_in in;
	struct svc_queue queue;
	void *user;
	int holds;
	int gather;           /* which memory its data is gathered in */
	size_t refused_bytes; /* queued when an offer was refused */
	uint64_t linger_ns;   /* closing: when to give up writing */
	bool is_waiting;      /* a verb answered SVC_WAIT */
	bool is_backlogged;   /* there may be requests in its buffer */
	bool is_eof;          /* it will send nothing more */
	bool is_closing; /* nothing more is read; what is queued goes out */
	bool is_gone;    /* nothing can be written */
	bool is_refused; /* an offer was refused, drained not yet called */
	bool is_blocked; /* the socket is full */
};

/* Memory for one long request. */
struct svc_gather {
	char *bytes;
	struct svc_client *client; /* NULL: free */
	uint64_t progress_ns;      /* when bytes came last */
	bool is_late;              /* it would be over but for one more turn */
};

struct svc {
	struct svc_config cfg;
	struct loop *loop;
	struct svc_out *out;
	struct svc_client *clients; /* clients_max */
	uint32_t client_count;      /* in use */
	uint32_t client_top;        /* all in use are below */
	uint32_t last_id;
	uint32_t turn; /* who is served first */
	size_t client_bytes_max;
	struct {
		int fd;
		uint32_t rights;
		struct svc *svc;
	} listeners[2];
	uint32_t listener_count;
	struct svc_gather gathers[SVC_GATHERS_MAX];
	bool is_gather_wanted; /* somebody waits for one */
	struct word word;
	char line[LIMIT_REQUEST_BYTES + 1]; /* the request being served */
	struct svc_stats stats;
};

/* ---- svc_client.c ------------------------------------------------------ */

/* Writes until the queue is empty or the socket full. */
void svc_client_write(struct svc_client *client);

/* Closes a client that does not read, and says so in the log. */
void svc_client_close_slow(struct svc_client *client, const char *why);

/* ---- svc_serve.c ------------------------------------------------------- */

/* The loop's callback for a client. */
void svc_serve_ready(
    struct loop *loop, void *arg, uint32_t ready, uint64_t now_ns);

/* Its requests may be served now. */
bool svc_serve_is_open(const struct svc_client *client);

/* Serves what is whole in the client's buffer. */
void svc_serve_client(struct svc_client *client, uint64_t now_ns);

/* The client no longer needs memory for long data. */
void svc_serve_gathered(struct svc_client *client);

/* When the memory of a client that sends nothing falls to those who wait. */
uint64_t svc_serve_deadline_ns(const struct svc *svc);
void svc_serve_expire(struct svc *svc, uint64_t now_ns);

/* ---- svc_verb.c -------------------------------------------------------- */

/* Runs the request that stands first in the client's buffer. */
enum svc_result svc_verb_run(
    struct svc_client *client, const struct svc_frame *frame, uint64_t now_ns);

/* Lost its way in what the client sends: says so, and closes. */
void svc_verb_refuse(struct svc_client *client, enum svc_in_result why);

#endif
