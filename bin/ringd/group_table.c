/* SPDX-License-Identifier: BSD-3-Clause */
/* Slots and entries of fixed number, found by binary search and short walks.
 *
 * Nothing is hashed: the order in which groups and members are told is the
 * order in which they lie here, the same on every node.
 */
#include "bin/ringd/group_table.h"

#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"

#include "bin/ringd/group_wire.h"

static_assert(2 * LIMIT_GROUP_MEMBERS < GROUP_TABLE_NONE,
    "entries, live and staged, are named by 16 bits");
static_assert(2 * LIMIT_GROUPS < GROUP_TABLE_NONE, "so are groups");

bool
group_table_init(struct group_table *table, struct arena *arena,
    uint32_t groups_max, uint32_t members_max)
{
	size_t slots = (size_t)2 * groups_max;
	size_t entries = (size_t)2 * members_max;

	ENSURE(groups_max >= 1 && groups_max <= LIMIT_GROUPS);
	ENSURE(members_max >= 1 && members_max <= LIMIT_GROUP_MEMBERS);
	*table = (struct group_table){
		.slots = arena_take(arena, slots * sizeof(*table->slots)),
		.order = arena_take(arena, slots * sizeof(*table->order)),
		.free_slots =
		    arena_take(arena, slots * sizeof(*table->free_slots)),
		.entries = arena_take(arena, entries * sizeof(*table->entries)),
		.groups_max = groups_max,
		.members_max = members_max,
		.free_entry = GROUP_TABLE_NONE,
	};
	return table->entries != NULL;
}

/* Memory that was never used is taken last, so that a ring with few groups
 * never touches most of it. */
static uint16_t
take_slot(struct group_table *table)
{
	if (table->free_count > 0)
		return table->free_slots[--table->free_count];
	ENSURE(table->fresh_slot < 2 * table->groups_max);
	return (uint16_t)table->fresh_slot++;
}

static uint16_t
take_entry(struct group_table *table)
{
	uint16_t at = table->free_entry;

	if (at != GROUP_TABLE_NONE) {
		table->free_entry = table->entries[at].next;
		return at;
	}
	ENSURE(table->fresh_entry < 2 * table->members_max);
	return (uint16_t)table->fresh_entry++;
}

struct group_slot *
group_table_slot(const struct group_table *table, size_t i)
{
	ENSURE(i < table->count);
	return &table->slots[table->order[i]];
}

struct group_name
group_table_name(const struct group_slot *slot)
{
	return (struct group_name){ slot->name, slot->name_len };
}

bool
group_table_find(
    const struct group_table *table, const struct group_name *name, size_t *i)
{
	size_t low = 0;
	size_t high = table->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct group_name at =
		    group_table_name(group_table_slot(table, middle));
		int order = group_wire_order(&at, name);
		if (order == 0) {
			*i = middle;
			return true;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*i = low;
	return false;
}

size_t
group_table_put(struct group_table *table, const struct group_name *name)
{
	size_t i;

	ENSURE(name->len >= 1 && name->len <= LIMIT_GROUP_NAME_BYTES);
	if (group_table_find(table, name, &i))
		return i;

	uint16_t at = take_slot(table);
	struct group_slot *slot = &table->slots[at];
	*slot = (struct group_slot){ .first = GROUP_TABLE_NONE };
	memcpy(slot->name, name->bytes, name->len);
	slot->name_len = (uint8_t)name->len;
	memmove(&table->order[i + 1], &table->order[i],
	    (table->count - i) * sizeof(table->order[0]));
	table->order[i] = at;
	table->count++;
	return i;
}

static struct group_entry *
entry_at(const struct group_table *table, uint16_t at)
{
	ENSURE(table->entries != NULL);
	if (at == GROUP_TABLE_NONE)
		return NULL;
	ENSURE(at < 2 * table->members_max);
	return &table->entries[at];
}

struct group_entry *
group_table_next(
    const struct group_table *table, size_t i, const struct group_entry *after)
{
	if (after != NULL)
		return entry_at(table, after->next);
	return entry_at(table, group_table_slot(table, i)->first);
}

/* Is the entry before (node, conn)? */
static bool
is_before(const struct group_entry *entry, uint32_t node, uint32_t conn)
{
	if (entry->member.node != node)
		return entry->member.node < node;
	return entry->member.conn < conn;
}

static bool
is_same(const struct group_entry *entry, uint32_t node, uint32_t conn)
{
	return entry->member.node == node && entry->member.conn == conn;
}

/* The link that names the first entry not before (node, conn). */
static uint16_t *
link_to(const struct group_table *table, size_t i, uint32_t node, uint32_t conn)
{
	uint16_t *link = &group_table_slot(table, i)->first;

	while (*link != GROUP_TABLE_NONE &&
	    is_before(&table->entries[*link], node, conn))
		link = &table->entries[*link].next;
	return link;
}

struct group_entry *
group_table_entry_find(
    const struct group_table *table, size_t i, uint32_t node, uint32_t conn)
{
	struct group_entry *entry =
	    entry_at(table, *link_to(table, i, node, conn));

	return entry != NULL && is_same(entry, node, conn) ? entry : NULL;
}

struct group_entry *
group_table_entry_put(
    struct group_table *table, size_t i, const struct group_member *member)
{
	uint16_t *link = link_to(table, i, member->node, member->conn);
	struct group_entry *entry = entry_at(table, *link);

	ENSURE(member->name_len <= LIMIT_CLIENT_NAME_BYTES);
	if (entry != NULL && is_same(entry, member->node, member->conn)) {
		entry->member = *member;
		return entry;
	}
	uint16_t at = take_entry(table);
	entry = &table->entries[at];
	*entry = (struct group_entry){ .member = *member, .next = *link };
	*link = at;
	return entry;
}

bool
group_table_is_full(
    const struct group_table *table, const struct group_name *name)
{
	size_t i;

	if (table->live_members >= table->members_max)
		return true;
	if (group_table_find(table, name, &i) &&
	    group_table_slot(table, i)->live > 0)
		return false;
	return table->live_groups >= table->groups_max;
}

bool
group_table_is_staged_full(
    const struct group_table *table, const struct group_name *name)
{
	size_t i;

	if (table->staged_members >= table->members_max)
		return true;
	if (group_table_find(table, name, &i) &&
	    group_table_slot(table, i)->staged > 0)
		return false;
	return table->staged_groups >= table->groups_max;
}

void
group_table_stage(
    struct group_table *table, size_t i, struct group_entry *entry)
{
	struct group_slot *slot = group_table_slot(table, i);

	ENSURE((entry->flags & GROUP_ENTRY_STAGED) == 0);
	ENSURE(table->staged_members < table->members_max);
	entry->flags |= GROUP_ENTRY_STAGED;
	table->staged_members++;
	if (slot->staged++ == 0)
		table->staged_groups++;
}

void
group_table_join(struct group_table *table, size_t i, struct group_entry *entry,
    enum group_reason reason)
{
	ENSURE((entry->flags & (GROUP_ENTRY_LIVE | GROUP_ENTRY_JOINING)) == 0);
	entry->flags |= GROUP_ENTRY_JOINING;
	entry->reason = (uint8_t)reason;
	group_table_slot(table, i)->changes++;
}

void
group_table_leave(struct group_table *table, size_t i,
    struct group_entry *entry, enum group_reason reason)
{
	ENSURE((entry->flags & GROUP_ENTRY_LIVE) != 0);
	ENSURE((entry->flags & GROUP_ENTRY_LEAVING) == 0);
	entry->flags |= GROUP_ENTRY_LEAVING;
	entry->reason = (uint8_t)reason;
	group_table_slot(table, i)->changes++;
}

bool
group_table_is_member(const struct group_entry *entry)
{
	return (entry->flags & (GROUP_ENTRY_LIVE | GROUP_ENTRY_JOINING)) != 0 &&
	    (entry->flags & GROUP_ENTRY_LEAVING) == 0;
}

static void
settle_entry(struct group_table *table, struct group_slot *slot,
    struct group_entry *entry)
{
	if ((entry->flags & GROUP_ENTRY_JOINING) != 0) {
		entry->flags |= GROUP_ENTRY_LIVE;
		table->live_members++;
		slot->live++;
	}
	if ((entry->flags & GROUP_ENTRY_LEAVING) != 0) {
		entry->flags &= (uint8_t)~GROUP_ENTRY_LIVE;
		ENSURE(slot->live > 0);
		table->live_members--;
		slot->live--;
	}
	entry->flags &= (uint8_t) ~(GROUP_ENTRY_JOINING | GROUP_ENTRY_LEAVING);
}

/* Frees what nobody needs; true when that was the whole group. */
static bool
sweep(struct group_table *table, size_t i)
{
	struct group_slot *slot = group_table_slot(table, i);

	for (uint16_t *link = &slot->first; *link != GROUP_TABLE_NONE;) {
		uint16_t at = *link;
		struct group_entry *entry = &table->entries[at];
		if (entry->flags != 0) {
			link = &entry->next;
			continue;
		}
		*link = entry->next;
		entry->next = table->free_entry;
		table->free_entry = at;
	}
	if (slot->first != GROUP_TABLE_NONE)
		return false;
	ENSURE(slot->live == 0 && slot->staged == 0);
	table->free_slots[table->free_count++] = table->order[i];
	table->count--;
	memmove(&table->order[i], &table->order[i + 1],
	    (table->count - i) * sizeof(table->order[0]));
	return true;
}

bool
group_table_settle(struct group_table *table, size_t i)
{
	struct group_slot *slot = group_table_slot(table, i);
	bool was_live = slot->live > 0;

	for (struct group_entry *entry = group_table_next(table, i, NULL);
	     entry != NULL; entry = group_table_next(table, i, entry))
		settle_entry(table, slot, entry);
	slot->changes = 0;
	if (!was_live && slot->live > 0)
		table->live_groups++;
	if (was_live && slot->live == 0)
		table->live_groups--;
	return sweep(table, i);
}

void
group_table_unstage(struct group_table *table)
{
	const unsigned kept =
	    GROUP_ENTRY_LIVE | GROUP_ENTRY_JOINING | GROUP_ENTRY_LEAVING;

	for (size_t i = 0; i < table->count;) {
		for (struct group_entry *entry =
			 group_table_next(table, i, NULL);
		     entry != NULL; entry = group_table_next(table, i, entry))
			entry->flags &= (uint8_t)kept;
		group_table_slot(table, i)->staged = 0;
		if (!sweep(table, i))
			i++;
	}
	table->staged_groups = 0;
	table->staged_members = 0;
}

static void
check_slot(const struct group_table *table, size_t i)
{
	const struct group_slot *slot = group_table_slot(table, i);
	const struct group_entry *before = NULL;
	size_t live = 0, staged = 0, changes = 0;

	ENSURE(slot->name_len >= 1);
	ENSURE(slot->first != GROUP_TABLE_NONE);
	for (const struct group_entry *entry = group_table_next(table, i, NULL);
	     entry != NULL; entry = group_table_next(table, i, entry)) {
		ENSURE(entry->flags != 0);
		if (before != NULL)
			ENSURE(is_before(
			    before, entry->member.node, entry->member.conn));
		live += (entry->flags & GROUP_ENTRY_LIVE) != 0;
		staged += (entry->flags & GROUP_ENTRY_STAGED) != 0;
		changes +=
		    (entry->flags &
			(GROUP_ENTRY_JOINING | GROUP_ENTRY_LEAVING)) != 0;
		before = entry;
	}
	ENSURE(live == slot->live);
	ENSURE(staged == slot->staged);
	ENSURE(changes == slot->changes);
}

void
group_table_check(const struct group_table *table)
{
	size_t live = 0, staged = 0, live_groups = 0, staged_groups = 0;

	ENSURE(table->count + table->free_count == table->fresh_slot);
	for (size_t i = 0; i < table->count; i++) {
		const struct group_slot *slot = group_table_slot(table, i);
		struct group_name name = group_table_name(slot);
		size_t found;
		check_slot(table, i);
		ENSURE(group_table_find(table, &name, &found));
		ENSURE(found == i);
		live += slot->live;
		staged += slot->staged;
		live_groups += slot->live > 0;
		staged_groups += slot->staged > 0;
	}
	ENSURE(live == table->live_members);
	ENSURE(live_groups == table->live_groups);
	ENSURE(staged == table->staged_members);
	ENSURE(staged_groups == table->staged_groups);
	ENSURE(staged <= table->members_max);
	ENSURE(staged_groups <= table->groups_max);
}
