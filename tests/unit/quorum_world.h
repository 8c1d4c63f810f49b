/* SPDX-License-Identifier: BSD-3-Clause */
/* Quorum cores on a modelled ring, one event at a time.
 *
 * Of the ring only its promises are modelled: one order a view; a safe message
 * is delivered in its view when all members have received it; who goes on
 * together delivers the same, and from the same place on as transitional.
 * Each core reads what its ringd delivered when it is told to, so that it can
 * be late, and die with things unread.  Nodes are counted from 0.
 */
#ifndef RK_QUORUM_WORLD_H
#define RK_QUORUM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bin/quorumd/quorum.h"

struct quorum_world;

/* Every node off; cfg's node ids must be 1, 2, 3 ... */
struct quorum_world *quorum_world_open(const struct quorum_config *cfg);
void quorum_world_close(struct quorum_world *w);

/* ---- machines and daemons ---------------------------------------------- */

/* A machine starts, alone in a view, its quorumd with it. */
void quorum_world_start(struct quorum_world *w, size_t i);
/* It is gone, and what it knew; the others see that in their next view. */
void quorum_world_crash(struct quorum_world *w, size_t i);
/* It asks to leave and goes when it has the answer. */
void quorum_world_leave(struct quorum_world *w, size_t i);
/* quorumd alone: what it had not read is lost, what it kept is not. */
void quorum_world_kill(struct quorum_world *w, size_t i);
void quorum_world_restart(struct quorum_world *w, size_t i);

bool quorum_world_is_on(const struct quorum_world *w, size_t i);
bool quorum_world_has_core(const struct quorum_world *w, size_t i);

/*
 * The machines that are on form these rings: side[i] is a number; those with
 * equal ones are together.
 */
void quorum_world_part(struct quorum_world *w, const unsigned *side);
/* The same as text: "12|345", machines by id, all that are on. */
void quorum_world_sides(struct quorum_world *w, const char *sides);

/* ---- one small thing --------------------------------------------------- */

/* Each answers whether there was something to do. */
bool quorum_world_order(struct quorum_world *w, size_t i);
bool quorum_world_receive(struct quorum_world *w, size_t i);
bool quorum_world_deliver(struct quorum_world *w, size_t i);
bool quorum_world_read(struct quorum_world *w, size_t i);
bool quorum_world_time(struct quorum_world *w, size_t i);

void quorum_world_sleep(struct quorum_world *w, uint64_t ns);
/* All there is to do on these nodes, without time passing. */
void quorum_world_settle(struct quorum_world *w, uint64_t nodes);
/* The same for all, again and again while time passes. */
void quorum_world_run(struct quorum_world *w, uint64_t ns);

/* ---- requests ---------------------------------------------------------- */

/* Cookie and now are the world's. */
void quorum_world_ask(
    struct quorum_world *w, size_t i, struct quorum_input *in);
/* The last answer at that node; QUORUM_ANSWERS: none since it was asked. */
enum quorum_answer quorum_world_answer(const struct quorum_world *w, size_t i);
struct parse_view quorum_world_view(const struct quorum_world *w, size_t i);
uint64_t quorum_world_members(const struct quorum_world *w, size_t i);

/* ---- what must be ------------------------------------------------------ */

bool quorum_world_is_settled(const struct quorum_world *w, size_t i);
struct quorum *quorum_world_core(struct quorum_world *w, size_t i);
bool quorum_world_is_quorate(const struct quorum_world *w, size_t i);

/*
 * Two nodes that have read all that their ringds delivered say yes in views
 * that have no member in common: true, and a sentence.
 */
bool quorum_world_is_split(
    const struct quorum_world *w, char *why, size_t why_size);

#endif
