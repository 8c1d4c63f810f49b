/* SPDX-License-Identifier: BSD-3-Clause */
/* A few cores in one process, on a perfect network that a test may bend.
 *
 * Time is virtual and every datagram takes latency_ns.  After the datagrams of
 * one moment a node gets IDLE, then what is due of its deadline.  Everything a
 * node tells is kept as notes, in order; totem_check runs after every step.
 * Node i of the table has the id i + 1, and so bit i in the sets of notes.
 */
#ifndef RK_RINGLET_H
#define RK_RINGLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bin/ringd/totem.h"

#define RINGLET_MS UINT64_C(1000000)

/* One DELIVER, VIEW, DROPPED, PERSIST, PAUSED, WRITABLE or LEFT. */
struct ringlet_note {
	enum totem_effect_kind kind;
	uint64_t at_ns;
	uint64_t value;                /* DROPPED, PERSIST, PAUSED */
	struct totem_delivery deliver; /* without its bytes */
	uint64_t sum;                  /* ... but a hash of them */
	enum totem_phase phase;        /* from here on: of a VIEW */
	struct totem_ring_id ring, next;
	uint64_t members, joined, left; /* sets */
	enum totem_reason reason;
	enum totem_reason left_reason; /* of the last that left */
};

struct ringlet_node {
	struct totem *core; /* NULL: not running */
	void *memory;
	uint64_t incarnation;
	uint64_t ring_seq; /* as on its disk */
	struct ringlet_note *notes;
	size_t note_count, note_size;
	uint64_t sent[TOTEM_PACKETS];
	uint64_t persist_due; /* 0: none */
	bool is_idle_due;
	uint64_t paused_until_ns; /* not run until then; set by the test */
};

struct ringlet_packet {
	struct ringlet_packet *next;
	uint64_t at_ns;
	uint32_t from, to; /* indexes */
	uint64_t incarnation;
	size_t len;
	uint8_t bytes[];
};

struct ringlet;
/* May change *at_ns; false: the datagram is lost. */
typedef bool ringlet_filter_fn(
    struct ringlet *r, struct ringlet_packet *packet);

struct ringlet {
	struct totem_config config;
	uint64_t now_ns;
	uint64_t latency_ns;
	uint32_t count;
	struct ringlet_node node[LIMIT_NODES];
	struct ringlet_packet *first, *last;
	ringlet_filter_fn *filter; /* NULL: nothing is lost */
	uint64_t filter_arg;
	uint64_t seed;
	bool is_gate_manual;    /* else every regular view opens the gate */
	bool is_persist_manual; /* else done at once */
	bool is_unchecked;      /* no totem_check */
};

/* Everything but self and nodes; small queues and messages up to 1 MiB. */
void ringlet_config(struct totem_config *config);

/* Makes count nodes, none of them running.  Ended by ringlet_close. */
void ringlet_open(
    struct ringlet *r, uint32_t count, const struct totem_config *config);
void ringlet_close(struct ringlet *r);

/* A new incarnation of that node; it ends without a word. */
void ringlet_start(struct ringlet *r, uint32_t idx);
void ringlet_kill(struct ringlet *r, uint32_t idx);
void ringlet_start_all(struct ringlet *r);

/* One input at the present, then all its effects. */
void ringlet_step(struct ringlet *r, uint32_t idx, struct totem_input *in);
void ringlet_submit(struct ringlet *r, uint32_t idx, enum totem_service service,
    const void *bytes, size_t len);
void ringlet_submit_as(struct ringlet *r, uint32_t idx, enum totem_class class,
    enum totem_service service, const char *word);
/* bytes come to idx as if from that node. */
void ringlet_inject(struct ringlet *r, uint32_t from, uint32_t to,
    const void *bytes, size_t len);

/* Goes on to the next moment at which something happens; false: never. */
bool ringlet_turn(struct ringlet *r);
void ringlet_run(struct ringlet *r, uint64_t span_ns);
/* Until it holds; false when it still does not after max_ns. */
bool ringlet_run_until(
    struct ringlet *r, bool (*holds)(struct ringlet *r), uint64_t max_ns);

/* All that run are Operational in one ring of exactly them. */
bool ringlet_is_whole(struct ringlet *r);
/* Starts all and runs until whole; a check fails when they do not get there. */
bool ringlet_form(struct ringlet *r);
/* Forgets what was noted so far, everywhere. */
void ringlet_forget(struct ringlet *r);

/* The n-th note of a kind at a node, or NULL. */
const struct ringlet_note *ringlet_find(const struct ringlet *r, uint32_t idx,
    enum totem_effect_kind kind, size_t nth);
size_t ringlet_tally(
    const struct ringlet *r, uint32_t idx, enum totem_effect_kind kind);
/* Both were told the same messages and views, in the same order. */
bool ringlet_agree(const struct ringlet *r, uint32_t a, uint32_t b);
uint64_t ringlet_sum(const void *bytes, size_t len);

#endif
