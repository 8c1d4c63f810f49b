/* SPDX-License-Identifier: BSD-3-Clause */
/* Stories of a configuration that is edited while quorumds run, or are down. */
#ifndef RK_STORY_RELOAD_H
#define RK_STORY_RELOAD_H

#include "tests/unit/story.h"

/* So many nodes, together, whose disks keep what was agreed on. */
void story_begin_with_records(uint32_t count);

/* The file as it is now; story_edit begins it. */
extern struct quorum_config story_next;

/* The file as it was, with so many nodes; new ones have one vote. */
void story_edit(uint32_t count);

/* These nodes read it. */
void story_reread(const char *set);

/* The core of one that is up. */
const struct quorum *story_core(uint32_t node);

/* What it says of the file, were it to be taken. */
enum quorum_answer story_would(uint32_t node);

/* Has `why` these words of the files? */
bool story_says(uint32_t node, const char *words);

enum quorum_answer story_ask_reload(uint32_t node, bool is_forced);

#endif
