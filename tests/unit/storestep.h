/* SPDX-License-Identifier: BSD-3-Clause */
/* Replicas in lockstep: no faults but those that a test asks for, and a clock
 * that is the test's.
 *
 * A message is delivered to all members at once, what is given to a disk is
 * durable at once, views change when the test says so.  One game at a time.
 */
#ifndef RK_STORESTEP_H
#define RK_STORESTEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bin/cfgstored/replica.h"

enum {
	STORESTEP_NODES = 3,
	STORESTEP_SNAPSHOT_BYTES = 16 << 10,
	STORESTEP_VALUE_BYTES_MAX = 128 << 10,
	STORESTEP_MESSAGE_BYTES_MAX = 60 << 10,
};

/* count nodes, ids from 1, one vote each, all in one view; silence 1 s. */
void storestep_begin(unsigned count);
/* Only the first so many have a vote. */
void storestep_begin_with_voters(unsigned count, unsigned voters);
void storestep_begin_with_tie(unsigned count, enum kv_tie tie);
void storestep_end(void);

/* Everybody's view ends; who is in the set (bit id - 1) is in the next one. */
void storestep_view(unsigned set);
/* The process ends, and begins anew with what is on disk; not in the view. */
void storestep_restart(uint32_t node);
/* Its power fails: the same, without what was not durable; comes back in its
 * next incarnation (from 1). */
void storestep_crash(uint32_t node);
/* It hears that another is off in this incarnation. */
void storestep_fence(uint32_t node, uint32_t about, uint64_t inc);
/* All disks take nothing from now on, and then all again. */
void storestep_hold_disks(bool is_held);
void storestep_hold_disk(uint32_t node, bool is_held);

/* Snapshots fail from now on, and then no longer. */
void storestep_fail_saves(bool is_failing);
/* They take their time from now on, and then all come to their end. */
void storestep_hold_saves(bool is_holding);
/* How many were asked for, failed or not. */
unsigned storestep_saves(uint32_t node);
/* Its disk says that there is no space, and then that there is. */
void storestep_fill_disk(uint32_t node, bool is_full);

void storestep_pass_ms(unsigned ms);
/* How many messages the view has had. */
uint64_t storestep_messages(void);
uint64_t storestep_now_ms(void);

/* What a client is told.  A code: REPLICA_CODES, while there is none yet. */
struct storestep_answer {
	enum replica_code code;
	uint64_t rev;
	uint64_t key_rev;
	size_t at;
	size_t changed;
};

/* Asks for something, and lets happen what happens at once. */
struct storestep_answer storestep_propose(
    uint32_t node, const void *bytes, size_t len);
/* A key with no more than this value; durability as asked for. */
struct storestep_answer storestep_put(uint32_t node, const char *key,
    const char *value, enum replica_durability durability);
/* How many were asked for anything, and what the n-th (from 1) was told. */
uint64_t storestep_asked(void);
struct storestep_answer storestep_answer(uint64_t n);
struct storestep_answer storestep_admin(
    uint32_t node, enum replica_admin what, uint32_t about, uint32_t votes);

struct storestep_answer storestep_grant(uint32_t node, unsigned ttl_ms);
struct storestep_answer storestep_renew(uint32_t node, uint64_t lease);

/* The replica; NULL: none runs. */
struct replica *storestep_replica(uint32_t node);
bool storestep_has_lease(uint32_t node, uint64_t lease);
bool storestep_has_key(uint32_t node, const char *key);

#endif
