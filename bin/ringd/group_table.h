/* SPDX-License-Identifier: BSD-3-Clause */
/* The groups and their members, sorted, each with what is to become of it.
 *
 * An entry is LIVE (a member as of the last view told), STAGED (named by a
 * SYNC of the exchange under way), or both.  JOINING and LEAVING entries are
 * changes not yet told; telling a group's view settles them.  There is room
 * for as many staged entries as live ones, so an exchange cannot fail
 * half-way: what is over the limit is refused one by one, in order.
 */
#ifndef RK_GROUP_TABLE_H
#define RK_GROUP_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bin/ringd/group.h"

struct arena;

enum { GROUP_TABLE_NONE = UINT16_MAX };

enum group_entry_flag {
	GROUP_ENTRY_LIVE = 1,
	GROUP_ENTRY_STAGED = 2,
	GROUP_ENTRY_REFUSED = 4, /* a SYNC named it when all was full */
	GROUP_ENTRY_JOINING = 8,
	GROUP_ENTRY_LEAVING = 16,
};

struct group_entry {
	struct group_member member;
	uint8_t flags;
	uint8_t reason; /* enum group_reason of JOINING and LEAVING */
	uint16_t next;  /* in its group, ascending; or in the free list */
};

struct group_slot {
	uint8_t name[LIMIT_GROUP_NAME_BYTES];
	uint8_t name_len;
	uint16_t first;
	uint16_t live; /* entries that are LIVE */
	uint16_t staged;
	uint16_t changes; /* entries that are JOINING or LEAVING */
};

struct group_table {
	struct group_slot *slots;
	uint16_t *order; /* slots in use, ascending by name */
	uint16_t *free_slots;
	struct group_entry *entries;
	uint32_t groups_max;
	uint32_t members_max;
	uint32_t count;      /* slots in use */
	uint32_t free_count; /* slots given back */
	uint32_t fresh_slot; /* from here on none was ever used */
	uint32_t fresh_entry;
	uint16_t free_entry;  /* entries given back, a list */
	uint32_t live_groups; /* with LIVE entries */
	uint32_t live_members;
	uint32_t staged_groups;
	uint32_t staged_members;
};

/* false when the arena only measures. */
bool group_table_init(struct group_table *table, struct arena *arena,
    uint32_t groups_max, uint32_t members_max);

/* Groups are named by their place i in the order, which a put or a settle
 * of another group may shift. */
struct group_slot *group_table_slot(const struct group_table *table, size_t i);
struct group_name group_table_name(const struct group_slot *slot);

/* Where the group is, or would be. */
bool group_table_find(
    const struct group_table *table, const struct group_name *name, size_t *i);

/* Finds or makes the group; a new one must get an entry at once. */
size_t group_table_put(
    struct group_table *table, const struct group_name *name);

/* Walks a group: from NULL to the first, NULL after the last. */
struct group_entry *group_table_next(
    const struct group_table *table, size_t i, const struct group_entry *after);

struct group_entry *group_table_entry_find(
    const struct group_table *table, size_t i, uint32_t node, uint32_t conn);

/* Finds or makes the entry of member->node and conn, as a copy of member. */
struct group_entry *group_table_entry_put(
    struct group_table *table, size_t i, const struct group_member *member);

/* Would one more be over the limit? */
bool group_table_is_full(
    const struct group_table *table, const struct group_name *name);
bool group_table_is_staged_full(
    const struct group_table *table, const struct group_name *name);

void group_table_stage(
    struct group_table *table, size_t i, struct group_entry *entry);
void group_table_join(struct group_table *table, size_t i,
    struct group_entry *entry, enum group_reason reason);
void group_table_leave(struct group_table *table, size_t i,
    struct group_entry *entry, enum group_reason reason);

/* Forgets what is staged and refused. */
void group_table_unstage(struct group_table *table);

/* Makes the changes of group i; true when the group is gone from the order. */
bool group_table_settle(struct group_table *table, size_t i);

/* A member once all changes are told. */
bool group_table_is_member(const struct group_entry *entry);

void group_table_check(const struct group_table *table);

#endif
