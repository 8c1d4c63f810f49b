/* SPDX-License-Identifier: BSD-3-Clause */
/* Watches a run of a cluster and says which promise of the ring was broken.
 *
 * The simulator tells it every event of every node as it happens; the offline
 * checker tells it what msgcat recorded.  It knows nothing of the protocol:
 * only what applications may rely on, the predicates P1 to P22 of
 * tests/sim/oracle.c.  A predicate is checked at the first event that can
 * show its breach; what only the end can show, oracle_end checks.
 *
 * A node (node, incarnation) is one life of a process.  Events of one life
 * come in the order they happened there; between lives the order matters
 * only for SUBMIT, which must precede every DELIVER of its message, and for
 * predicates about time.  Memory is kept from run to run.
 */
#ifndef RK_ORACLE_H
#define RK_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/limits.h"

#include "bin/ringd/totem.h"

struct oracle;

enum oracle_kind {
	/* Lives.  Every one but START names a life that START began. */
	ORACLE_START,
	ORACLE_CRASH,
	ORACLE_LEAVE,  /* a clean leave is complete, TOTEM_OUT_LEFT */
	ORACLE_PAUSE,  /* the process stops running */
	ORACLE_RESUME, /* and runs again */

	/* The ring. */
	ORACLE_SUBMIT,  /* accepted, told before the effects of that step; a
			   refused message is no event */
	ORACLE_DROPPED, /* TOTEM_OUT_DROPPED: will never be delivered */
	ORACLE_DELIVER,
	ORACLE_VIEW,
	ORACLE_GAP, /* the record lacks deliveries of this life here */

	/* What went over the wire; makes P6 and P7 stronger. */
	ORACLE_ASSIGNED,

	/* Groups.  See ORACLE_GROUPS. */
	ORACLE_GROUP_OP,      /* what a submitted message will mean */
	ORACLE_GROUP_VIEW,    /* a group's members, all of them */
	ORACLE_GROUP_MESSAGE, /* the last delivered message, in a group */
	ORACLE_SYNCED,        /* the gate of the installed ring opens */

	/* Amounts. */
	ORACLE_JOIN, /* the life sent a JOIN (to all: one event) */
	ORACLE_SIZE, /* something with a bound was measured */

	/* The world.  node and incarnation are ignored. */
	ORACLE_FAULT, /* faults begin, or change: nothing is promised */
	ORACLE_HEAL,  /* no faults from here on, but lives may end and begin */
	ORACLE_CALM,  /* all is installed: from here on no view may come
			 before the next FAULT, or change of a life */
	ORACLE_GRAPH, /* who hears whom is static from here on */
	ORACLE_KINDS
};

/* What the watcher is told; what it is not told it does not check. */
enum oracle_option {
	ORACLE_SUBMITS = 1, /* every SUBMIT: P1, P8, P9, P11 */
	ORACLE_GROUPS = 2,  /* a group layer: P20, P21, P22 */
	ORACLE_LATE = 4,    /* a life's first view may be any: it was
			       recorded from then on only */
};

enum oracle_op {
	ORACLE_OP_JOIN,
	ORACLE_OP_LEAVE,
	ORACLE_OP_EXIT,   /* leaves every group */
	ORACLE_OP_SILENT, /* msg_no is the life's word in an exchange, and
			     leaves out conn, which is gone but whose exit
			     is not delivered: it leaves when in step */
};

struct oracle_member {
	uint32_t node;
	uint64_t incarnation;
	uint64_t conn;
};

/* Spans from the last change of the world; 0: not checked. */
struct oracle_bounds {
	uint64_t views_ns;  /* P14: to the last view */
	uint64_t agreed_ns; /* P15: submit, or the ring's last installation,
			       to delivery at the last member */
	uint64_t safe_ns;
	uint32_t joins; /* P18: of one life between two installed rings */
};

/* An undirected graph; bit j of linked[i]: node[i] and node[j] are linked. */
struct oracle_graph {
	uint32_t count;
	uint32_t node[LIMIT_NODES];
	uint64_t linked[LIMIT_NODES];
};

/* All pointers are borrowed during the call only. */
struct oracle_event {
	enum oracle_kind kind;
	uint32_t node; /* whose event it is */
	uint64_t incarnation;
	uint64_t now_ns; /* never decreases, or always 0 */
	union {
		/* Its disk was lost: ring.seq may fall back. */
		struct {
			bool is_amnesic;
		} start;
		/* P17: every survivor is rid of it by then; 0: no bound. */
		struct {
			uint64_t detect_ns;
		} crash;
		/* hash 0: not compared.  msg_no ascends in a life. */
		struct {
			uint64_t msg_no;
			enum totem_service service;
			enum totem_class class;
			size_t len;
			uint64_t hash;
			bool has_if_view; /* as in struct totem_input */
			struct totem_ring_id if_view;
		} submit;
		uint64_t dropped_msg_no;
		/* bytes are not looked at: hash stands for them. */
		struct {
			const struct totem_delivery *is;
			uint64_t hash;
		} deliver;
		const struct totem_view *view;
		/*
		 * A frame on the wire completes a message at (seq, idx); told
		 * once for each message, repeats do no harm.  Frames that
		 * carry only parts, or frames of an older ring, are not told.
		 * node is the originator.
		 */
		struct {
			struct totem_ring_id ring;
			uint64_t seq;
			uint32_t idx;
		} assigned;
		/* Comes before the message is delivered anywhere. */
		struct {
			uint64_t msg_no;
			enum oracle_op op;
			uint64_t group; /* any number that stands for a name */
			uint64_t conn;
		} group_op;
		/* Comes before the next DELIVER or VIEW of that life. */
		struct {
			uint64_t group;
			uint32_t count;
			const struct oracle_member *members; /* any order */
		} group_view;
		struct {
			uint64_t group;
			uint32_t node; /* the message's sender */
			uint64_t incarnation;
			uint64_t msg_no;
		} group_message;
		struct totem_ring_id synced;
		struct {
			const char *what;
			uint64_t value;
			uint64_t limit;
		} size;
		struct oracle_bounds heal;
		const struct oracle_graph *graph; /* NULL: not static */
	};
};

struct oracle_failure {
	/* "P10"; "if_view": ordered elsewhere; "input": events make no sense */
	const char *predicate;
	uint64_t now_ns;
	uint64_t event_no; /* the event to look at, counted from 1 */
	char text[240];
};

/* Allocates; exits the process when there is no memory. */
struct oracle *oracle_create(unsigned options);
void oracle_destroy(struct oracle *oracle);

/* Forgets the run and keeps the memory. */
void oracle_reset(struct oracle *oracle, unsigned options);

/*
 * NULL while every promise was kept; else the first breach, which every
 * later call repeats.  It belongs to the oracle until the next reset.
 */
const struct oracle_failure *oracle_event(
    struct oracle *oracle, const struct oracle_event *event);

/*
 * The run is over.  After a HEAL, the harness says that the cluster came to
 * rest: what must happen in the end has happened by now.
 */
const struct oracle_failure *oracle_end(struct oracle *oracle, uint64_t now_ns);

/* For a summary: deliveries and views seen, over all lives. */
uint64_t oracle_deliveries(const struct oracle *oracle);
uint64_t oracle_views(const struct oracle *oracle);

/* A hash of bytes fed in pieces; the split into pieces does not matter. */
struct oracle_hash {
	uint64_t state;
	uint64_t tail;
	size_t len;
};
void oracle_hash_init(struct oracle_hash *hash);
void oracle_hash_add(struct oracle_hash *hash, const void *bytes, size_t len);
uint64_t oracle_hash_end(const struct oracle_hash *hash); /* never 0 */

#endif
