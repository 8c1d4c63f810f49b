/* SPDX-License-Identifier: BSD-3-Clause */
/* Several group layers over a perfect ring, whose changes a test decides.
 *
 * Each ring has one log; a node orders its queued messages into it and
 * delivers from it at its own pace.  A new ring of any live nodes ends the
 * old ones as extended virtual synchrony prescribes: those who go together
 * deliver the same, in the same phases.  The world checks, always:
 *
 *  - P20: after SYNCED all members of a ring tell the same views and messages
 *    at the same places; those who go together tell the same throughout;
 *  - P21: SYNCED is at one place and with one state at all members, and no
 *    message of a client comes before it;
 *  - P22: a transitional view takes everybody away that it leaves behind;
 *  - each VIEW follows from the one before by its lists.
 */
#ifndef RK_GROUP_WORLD_H
#define RK_GROUP_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/rng.h"

#include "bin/ringd/group.h"

enum { GROUP_WORLD_NODES = 8 };

struct group_world;

/* How an old ring ends for those who go together; frames are messages. */
struct group_world_cut {
	size_t regular; /* further messages before the transitional view */
	size_t whole;   /* further ones before the gap; beyond it only those
			   of nodes that go along are delivered */
};

/* groups_max, members_max: 0 for the defaults. */
struct group_world *group_world_create(
    uint32_t groups_max, uint32_t members_max);
void group_world_destroy(struct group_world *w);

/* Nodes are 1 .. GROUP_WORLD_NODES; sets of them are written as digits:
 * "134".  A start is a new incarnation, without a ring. */
void group_world_start(struct group_world *w, const char *nodes);
void group_world_crash(struct group_world *w, const char *nodes);
bool group_world_is_live(const struct group_world *w, uint32_t node);
struct group_layer *group_world_layer(struct group_world *w, uint32_t node);
uint64_t group_world_incarnation(const struct group_world *w, uint32_t node);

/*
 * These nodes form a ring.  cut NULL: everything is delivered, before the
 * transitional views; else it is told for each old ring alike.
 */
void group_world_install(struct group_world *w, const char *nodes,
    const struct group_world_cut *cut);
/* All 0 before its first. */
struct totem_ring_id group_world_ring(
    const struct group_world *w, uint32_t node);

/* One message from a node's queue into its ring's log; false when there is
 * none that may go. */
bool group_world_order(struct group_world *w, uint32_t node);
/* One message out of the log; false when there is none. */
bool group_world_deliver(struct group_world *w, uint32_t node);
/* Orders and delivers until nothing moves. */
void group_world_settle(struct group_world *w);
/* Puts any bytes into the log as if node had sent them. */
void group_world_inject(struct group_world *w, uint32_t node,
    enum totem_class class, const void *bytes, size_t len);
/* How much a node's core accepts from now on; SIZE_MAX at first. */
void group_world_room(struct group_world *w, uint32_t node, size_t bytes);

/* Clients.  A connection has pid 1000 + conn, uid 7, name "n". */
void group_world_open(struct group_world *w, uint32_t node, uint32_t conn);
void group_world_close(struct group_world *w, uint32_t node, uint32_t conn);
void group_world_join(
    struct group_world *w, uint32_t node, uint32_t conn, const char *group);
void group_world_leave(
    struct group_world *w, uint32_t node, uint32_t conn, const char *group);
void group_world_publish(struct group_world *w, uint32_t node, uint32_t conn,
    const char *group, const char *bytes);
/* To group "a", in that view only. */
void group_world_publish_if(struct group_world *w, uint32_t node, uint32_t conn,
    const char *bytes, struct totem_ring_id view);
/* msg_no of the last message the node submitted. */
uint64_t group_world_msg_no(const struct group_world *w, uint32_t node);

/*
 * What a node told since the last call, one line an effect:
 *	a = 1.1 2.1 +2.1:join -3.1:nodedown
 *	a < 1.1 hello
 *	done 1.1
 *	failed 1.1 full
 *	synced
 * '~' ends a line told in a transitional phase.
 */
const char *group_world_story(struct group_world *w, uint32_t node);

/* "a:1.1,2.1 b:1.1" as the layer has it. */
const char *group_world_groups(struct group_world *w, uint32_t node);

#define STORY(w, node, want)  CHECK_STR(group_world_story((w), (node)), (want))
#define GROUPS(w, node, want) CHECK_STR(group_world_groups((w), (node)), (want))

/* Nodes in one ring that has exchanged; connection 1 is open at each. */
struct group_world *group_world_ring_of(const char *nodes);
/* Connection 1 of each joins the group, and all is told. */
void group_world_join_all(
    struct group_world *w, const char *nodes, const char *group);

/* Called for each effect as it is told, after the world's checks. */
typedef void (*group_world_watch_fn)(
    void *arg, uint32_t node, const struct group_effect *effect);
void group_world_watch(
    struct group_world *w, group_world_watch_fn watch, void *arg);
/* Called before a node is told a view or a delivery. */
typedef void (*group_world_input_fn)(
    void *arg, uint32_t node, const struct totem_effect *effect);
void group_world_inputs(
    struct group_world *w, group_world_input_fn input, void *arg);

#endif
