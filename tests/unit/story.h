/* SPDX-License-Identifier: BSD-3-Clause */
/* Stories of quorum: nodes named by digits, in sides like "12|3". */
#ifndef RK_STORY_H
#define RK_STORY_H

#include <stdbool.h>
#include <stdint.h>

#include "bin/quorumd/quorum.h"
#include "bin/quorumd/quorumd_simulate_world.h"

#define STORY_SECOND UINT64_C(1000000000)

extern struct quorum_config story_cfg;
extern struct quorumd_simulate_world *story_world;

/* A configuration of count nodes, a, b, ..., with one vote each. */
void story_nodes(uint32_t count);
/* A world with that configuration, in which nobody is up; and its end. */
void story_begin(void);
void story_finish(void);

void story_cut(const char *sides);
void story_start(const char *set);
void story_stop(const char *set, bool is_clean);
/* All of two to five nodes start and are together. */
void story_whole(void);

struct quorum_verdict story_at(uint32_t node);
bool story_is_yes(uint32_t node);

/* Requests, asked at node. */
enum quorum_answer story_set_expected(
    uint32_t node, uint32_t expected, bool is_forced);
enum quorum_answer story_set_votes(
    uint32_t node, uint32_t whose, uint32_t votes, bool is_forced);
enum quorum_answer story_cast(uint32_t node, bool is_yes_vote, uint64_t ttl_ns);

#endif
