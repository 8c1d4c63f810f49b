/* SPDX-License-Identifier: BSD-3-Clause */
/* The configuration, read again while a daemon runs.
 *
 * ringd tells by its digest which configuration is in force; the daemon has a
 * process of its own read the file again, so that no disk and no directory of
 * users holds its loop up, and takes what was read if it has that digest.  If
 * not, or if the daemon cannot take it, all stays as it was, and is called
 * stale.
 */
#ifndef RK_REREAD_H
#define RK_REREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/cluster.h"

struct feed_line;
struct loop;
struct serve;
struct text;

enum { REREAD_WHY_BYTES = 480 };

struct reread_page; /* what the reader fills */

enum reread_state {
	REREAD_CURRENT, /* as far as is known, what is in force */
	REREAD_READING,
	REREAD_STALE, /* the file is another one, or cannot be read */
	REREAD_REFUSED,
	REREAD_STATES
};

/* What was read, by somebody's asking; conf is NULL when it could not be. */
typedef void reread_asked_fn(void *arg, const struct cluster_conf *conf,
    const char *why, uint64_t now_ns);

struct reread_config {
	struct serve *serve; /* its conf is replaced */
	struct loop *loop;
	void *arg; /* of all functions */
	/* Writes why it cannot be taken while this process lives, a sentence
	 * for a person; false: it can. */
	bool (*refuses)(
	    void *arg, const struct cluster_conf *conf, struct text *why);
	/* It counts from now on: serve->conf is it, and old is what was. */
	void (*taken)(
	    void *arg, const struct cluster_conf *old, uint64_t now_ns);
	reread_asked_fn *asked; /* NULL: reread_ask is not used */
};

struct reread {
	struct reread_config cfg;
	enum reread_state state;
	uint64_t digest; /* of serve->conf */
	uint64_t wanted; /* that ringd told last; 0: none */
	uint64_t taken;  /* how often */
	char why[REREAD_WHY_BYTES];
	/* The rest is for reread.c. */
	struct reread_page *page[2];
	uint32_t next; /* the page that serve->conf is not in */
	bool is_asked, is_asking, is_due;
	bool is_busy, is_read; /* the reader; what it was told to read last */
	int fd, slot;
	uint64_t deadline_ns;
};

/*
 * Starts the reader, which lives as long as the process; what it does takes
 * memory, so before ours is sealed, and as who we are: 0 or -E….
 */
RK_MUST_CHECK int reread_start(
    struct reread *reread, const struct serve *serve);

/* Takes a descriptor and a timer of the loop: 0 or -E….  cfg is copied. */
RK_MUST_CHECK int reread_open(
    struct reread *reread, const struct reread_config *cfg);
void reread_close(struct reread *reread);

/* That one is in force; 0 is ignored.  Reads the file if it is news. */
void reread_tell(struct reread *reread, uint64_t digest, uint64_t now_ns);

/* The same, by ringd's records `config` and `ready`; the latter is news only
 * if it names another one than ours. */
void reread_on_config(
    struct reread *reread, const struct feed_line *line, uint64_t now_ns);
void reread_on_ready(
    struct reread *reread, const struct feed_line *line, uint64_t now_ns);

/* Reads the file for cfg.asked, and takes nothing; false: one at a time. */
bool reread_ask(struct reread *reread, uint64_t now_ns);

/* Nothing else is known to be in force, nor being read. */
bool reread_is_current(const struct reread *reread);

/* kind=config state=… digest=… [wanted=… why=…] */
void reread_put(const struct reread *reread, struct text *out);

#endif
