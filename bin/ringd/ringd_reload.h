/* SPDX-License-Identifier: BSD-3-Clause */
/* Taking another configuration while the ring turns: all nodes, or none.
 *
 * The node that is asked reads its file and proposes its digest; every node of
 * the view reads its own and votes; with the last vote all take it, at one
 * place of the order.  What reads and checks the file is the writer process, so
 * that the ring never waits for a disk: it leaves what it read in memory that
 * is shared with it, and with the supervisor.
 */
#ifndef RK_RINGD_RELOAD_H
#define RK_RINGD_RELOAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/os/cluster.h"
#include "libcommon/os/svc.h"

#include "bin/ringd/change.h"

struct ringd;
struct text;

/* ---- what three processes see ------------------------------------------- */

struct ringd_confs {
	/* How often another was taken: conf[at % 2] is in force; 0: the one
	 * that the process began with. */
	_Atomic uint32_t at;
	struct cluster_conf conf[2];
};

/* Before any process is forked; NULL: there is too little memory. */
struct ringd_confs *ringd_confs_map(void);

/* The one in force; otherwise, if that is the first one. */
const struct cluster_conf *ringd_confs_get(
    const struct ringd_confs *confs, const struct cluster_conf *otherwise);

/* ---- in the writer ------------------------------------------------------ */

/* kind: RINGD_JOB_RELOAD, of both. */
struct ringd_reload_job {
	uint32_t kind;
	uint32_t slot; /* of ringd_confs */
	uint64_t number;
};

struct ringd_reload_answer {
	uint32_t kind;
	bool is_read;
	uint64_t number;
	uint64_t digest;
	char text[CHANGE_TEXT_BYTES_MAX + 1]; /* not read: why */
};

struct ringd_reload_file {
	const char *path;          /* borrowed, as long as the writer lives */
	uint32_t node;             /* this one's id */
	struct ringd_confs *confs; /* where it goes */
};

/* A ringd_disk_fn for jobs of kind RINGD_JOB_RELOAD. */
size_t ringd_reload_work(void *arg, void *bytes, size_t len);

/* ---- in ringd ----------------------------------------------------------- */

struct ringd_reload {
	struct ringd_confs *confs;
	/* Of all there will be; what points to it may outlive any of them. */
	char cluster[CLUSTER_NAME_BYTES];
	/* This node was asked, and reads its file to propose it. */
	uint8_t asked;      /* the kind; 0: it does not */
	uint64_t asked_job; /* number of the job that reads it */
	uint64_t cookie;    /* who asked; 0: a signal */
	/* A proposal is prepared here. */
	bool is_prepared, is_try;
	struct change_id id;
	uint64_t digest; /* proposed */
	uint64_t job;
	uint64_t number; /* of the last job */
	/* Taken, but not yet everywhere in this process. */
	bool is_net_due, is_table_due;
	uint64_t config; /* digest of what is in force */
	uint64_t taken_ns;
	uint64_t count; /* how often */
};

/* confs may be NULL: then nothing can be reloaded. */
void ringd_reload_begin(struct ringd *r, struct ringd_confs *confs);

/* A signal asks for it; what comes of it is logged. */
void ringd_reload_ask(struct ringd *r, uint64_t now_ns);

/* The verb reload. */
enum svc_result ringd_reload_verb(void *arg, struct svc_request *req);

bool ringd_reload_is_busy(const struct ringd *r);

/* What happens, in its order (ringd_change.c). */
void ringd_reload_prepare(struct ringd *r, const struct change_effect *effect);
void ringd_reload_commit(struct ringd *r, const struct change_effect *effect,
    const struct group_pos *pos);
void ringd_reload_abort(struct ringd *r);
void ringd_reload_result(struct ringd *r, enum change_outcome outcome);

/* The writer did what it was asked (r->disk.answer). */
void ringd_reload_read(struct ringd *r);

/* At the end of a turn, when nothing is being received or delivered. */
void ringd_reload_turn(struct ringd *r);

/* 16 hexadecimal digits. */
void ringd_reload_put_digest(struct text *out, uint64_t digest);

/* The first words of an item of the answer, and its last line. */
void ringd_reload_put(const struct ringd *r, struct text *out);
void ringd_reload_done(struct ringd *r, struct svc_client *client,
    const char *tag, uint32_t items);

#endif
