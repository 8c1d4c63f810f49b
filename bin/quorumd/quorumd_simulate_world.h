/* SPDX-License-Identifier: BSD-3-Clause */
/* Cores of a few nodes and the order between them, without a network. */
#ifndef RK_QUORUMD_SIMULATE_WORLD_H
#define RK_QUORUMD_SIMULATE_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/limits.h"

#include "bin/quorumd/quorum.h"

/* Nodes are places in the configuration; sets of them are bits. */
struct quorumd_simulate_world;

/* NULL: no memory.  cfg is copied; self in it does not matter. */
struct quorumd_simulate_world *quorumd_simulate_open(
    const struct quorum_config *cfg);
void quorumd_simulate_close(struct quorumd_simulate_world *w);
/* Machines that start again have their records; else they start as new. */
void quorumd_simulate_keep_records(struct quorumd_simulate_world *w);
/* The disks of these have not done what is recorded, until they are in it no
 * more. */
void quorumd_simulate_slow_disks(
    struct quorumd_simulate_world *w, uint64_t set);
/* What a node that is down will find. */
void quorumd_simulate_set_record(
    struct quorumd_simulate_world *w, size_t node, const char *record);

/* Nodes that were down come up, each alone. */
void quorumd_simulate_start(struct quorumd_simulate_world *w, uint64_t set);
/* Nodes end; is_clean: their leaving is announced before. */
void quorumd_simulate_stop(
    struct quorumd_simulate_world *w, uint64_t set, bool is_clean);
/* quorumd alone ends at node i and comes back with what it kept. */
void quorumd_simulate_respawn(struct quorumd_simulate_world *w, size_t i);
/* Who is up is cut into these sides; whoever is in none is alone. */
void quorumd_simulate_cut(
    struct quorumd_simulate_world *w, const uint64_t *side, size_t count);
/*
 * The file is another one, and these nodes read it now; others when they
 * start.  New nodes have the highest ids.  false: no memory.
 */
bool quorumd_simulate_reload(struct quorumd_simulate_world *w,
    const struct quorum_config *next, uint64_t set);
void quorumd_simulate_wait(struct quorumd_simulate_world *w, uint64_t ns);
/* A request at a node that is up; now_ns, cookie and a vote's view are filled
 * in. */
enum quorum_answer quorumd_simulate_ask(struct quorumd_simulate_world *w,
    size_t node, struct quorum_input *in, const char **text);

/* Who is up. */
uint64_t quorumd_simulate_up(const struct quorumd_simulate_world *w);
/* With whom it is, itself included. */
uint64_t quorumd_simulate_side(
    const struct quorumd_simulate_world *w, size_t node);
const struct quorum *quorumd_simulate_core(
    const struct quorumd_simulate_world *w, size_t node);

#endif
