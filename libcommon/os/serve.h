/* SPDX-License-Identifier: BSD-3-Clause */
/* What surrounds a daemon's loop: options, the file, the log, its socket.
 *
 * In main, in this order: serve_options, serve_configure, what needs
 * privileges (keys, say), serve_listen, serve_become, the daemon's memory and
 * loop, serve_run.  Every step but the last ends the process with a reason
 * when it fails: a daemon that cannot start says why and is gone.
 */
#ifndef RK_SERVE_H
#define RK_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/unixsock.h"

struct cluster_conf;
struct conf;
struct loop;
struct opt;
struct serve_handler;

struct serve_program {
	const char *name;      /* "quorumd" */
	const char *socket;    /* "quorum": RUNDIR/quorum.sock */
	const char *summary;   /* one line, for --help */
	const struct opt *own; /* options beside the common ones */
	size_t own_count;
	/* Mistakes of the file that only this daemon knows, by conf_fail_at;
	 * NULL: none. */
	void (*check)(struct conf *file, const struct cluster_conf *conf);
};

struct serve {
	const struct serve_program *program;
	/* As given, or the defaults. */
	const char *config;        /* /etc/ringkit/ringkit.conf */
	const char *rundir;        /* $RINGKIT_RUNDIR, /run/ringkit */
	const char *statedir;      /* /var/lib/ringkit */
	const char *node;          /* NULL: found by its addresses */
	const char *user;          /* NULL: stay */
	struct cluster_conf *conf; /* lives as long as the process */
	struct unixsock sock;
	/* The rest is for serve.c. */
	const char *level; /* --log-level */
	int ready_fd;
	bool is_check;
	bool is_leaving;
	struct loop *loop;
	const struct serve_handler *handler;
};

/*
 * Fills serve from the options: --config --rundir --statedir --node --user
 * --log-level --ready-fd --check, the common ones, and the daemon's own.
 * true: go on; false: exit with *code.  At most once in a process.
 */
RK_MUST_CHECK bool serve_options(struct serve *serve,
    const struct serve_program *program, int argc, char **argv, int *code);

/*
 * Reads the file (under --check says what is wrong with it, and exits), opens
 * the log, hardens the process.  A mode of the daemon that needs none of this
 * has ended before.
 */
void serve_configure(struct serve *serve);

/* RUNDIR/SOCKET.sock, or the one inherited by LISTEN_FDS; makes RUNDIR. */
void serve_listen(struct serve *serve);

/* Another socket of this daemon, or of the one it listens to. */
void serve_path(
    const struct serve *serve, const char *socket, char *path, size_t size);

/* Becomes --user, if it was given. */
void serve_become(const struct serve *serve);

struct serve_handler {
	void *arg;
	/* TERM or INT came: loop_stop, now or soon.  serve_run stops the loop
	 * itself when it comes twice.  NULL: at once. */
	void (*leave)(void *arg, uint64_t now_ns);
	/* USR1 came: log the state.  NULL: nothing. */
	void (*dump)(void *arg, uint64_t now_ns);
	/* The loop has ended: say so to clients, and close what is open, also
	 * serve->sock.  NULL: that is closed here. */
	void (*close)(void *arg);
	/* HUP came: read the file again.  NULL: that is not done by HUP. */
	void (*reload)(void *arg, uint64_t now_ns);
};

/*
 * Watches TERM, INT, HUP and USR1, says "started" with these words in the log
 * and on --ready-fd, runs the loop, closes, says "ended", and answers the
 * exit code.
 */
RK_MUST_CHECK int serve_run(struct serve *serve, struct loop *loop,
    const struct serve_handler *handler, const char *started);

#endif
