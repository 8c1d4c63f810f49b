/* SPDX-License-Identifier: BSD-3-Clause */
/* What senders say they sent, against what recordings say was delivered.
 *
 * A log is a file of lines, each the payload of one message that somebody at
 * one node sent, in that order; no payload occurs twice at a node.  The lines
 * of an accepted log were all answered `ok`; those of a submitted log may
 * have been, or not.
 */
#ifndef RK_EVSCHECK_SENT_H
#define RK_EVSCHECK_SENT_H

#include <stdbool.h>
#include <stdint.h>

struct evscheck_sent;

struct evscheck_breach {
	const char *predicate; /* NULL: none */
	const char *path;      /* of a log, or NULL: the current record */
	uint64_t line;
	char text[160];
};

/* A delivered message: who sent it, where it is in the order. */
struct evscheck_message {
	uint32_t node;
	uint64_t inc;
	uint64_t mid;
	uint64_t data_hash;
	uint64_t ring_seq;
	uint64_t seq;
	uint32_t idx;
	uint32_t receiver; /* the node that recorded it */
};

struct evscheck_sent *evscheck_sent_create(void);
void evscheck_sent_destroy(struct evscheck_sent *sent);

/* NULL, or what is wrong with the log; *line says where.  Keeps path. */
const char *evscheck_sent_load(struct evscheck_sent *sent, uint32_t node,
    const char *path, bool is_accepted, uint64_t *line);

/* P1.  Without any log nothing is checked. */
void evscheck_sent_message(struct evscheck_sent *sent,
    const struct evscheck_message *message, struct evscheck_breach *breach);

/* This node's recordings lack something: P11 cannot be asked of it. */
void evscheck_sent_excuse(struct evscheck_sent *sent, uint32_t node);

/* P8, and when the run came to rest, P11. */
void evscheck_sent_end(struct evscheck_sent *sent, bool is_settled,
    struct evscheck_breach *breach);

#endif
