/* SPDX-License-Identifier: BSD-3-Clause */
/* Another table of nodes while they run: who comes, who goes, who has another
 * name, address, or tags.  What is known of a node that stays, stays.
 */
#include <string.h>

#include "libcommon/base/ensure.h"

#include "bin/memberd/member_internal.h"

static const struct member_node *
find_node(const struct member_table *table, uint32_t id)
{
	for (uint32_t i = 0; i < table->node_count; i++)
		if (table->nodes[i].id == id)
			return &table->nodes[i];
	return NULL;
}

/* ---- who goes ---------------------------------------------------------- */

static void
remove_at(struct member *m, uint32_t idx)
{
	struct text record;

	member_begin(m, &record, "remove");
	member_put_who(&record, &m->entries[idx], false);
	member_tell(m, &record);
	m->count--;
	memmove(&m->entries[idx], &m->entries[idx + 1],
	    (m->count - idx) * sizeof m->entries[0]);
	if (m->self > idx)
		m->self--;
}

/* A member stays until it is none: ringd takes out nobody who is here. */
static void
remove_nodes(struct member *m, const struct member_table *table)
{
	for (uint32_t i = m->count; i-- > 0;)
		if (find_node(table, m->entries[i].node.id) == NULL &&
		    m->entries[i].state != MEMBER_PRESENT && i != m->self)
			remove_at(m, i);
}

/* ---- who comes --------------------------------------------------------- */

static bool
add_node(struct member *m, const struct member_node *node)
{
	uint32_t at = m->count;

	if (m->count == LIMIT_NODES)
		return false;
	while (at > 0 && m->entries[at - 1].node.id > node->id)
		at--;
	memmove(&m->entries[at + 1], &m->entries[at],
	    (m->count - at) * sizeof m->entries[0]);
	m->count++;
	if (m->self >= at)
		m->self++;
	/* As at the start: tags stay untouched until there are any. */
	memset(&m->entries[at], 0, offsetof(struct member_entry, tags));
	m->entries[at].node = *node;
	member_set_state(m, &m->entries[at], MEMBER_ABSENT);
	return true;
}

static void
tell_added(struct member *m, uint32_t id)
{
	const struct member_entry *entry = member_entry(m, id);
	struct text record;

	ENSURE(entry != NULL);
	member_begin(m, &record, "add");
	member_put_node(m, (uint32_t)(entry - m->entries), m->now_ns, &record);
	member_tell(m, &record);
}

static void
tell_changed(struct member *m, struct member_entry *entry, const char *key,
    const char *old, const char *new)
{
	if (strcmp(old, new) != 0)
		member_tell_update(m, entry, key, old, new);
}

/* One that is here already has the name and the address of the table. */
static void
change_node(
    struct member *m, struct member_entry *entry, const struct member_node *to)
{
	const struct member_node old = entry->node;

	entry->node = *to;
	tell_changed(m, entry, "name", old.name, to->name);
	tell_changed(m, entry, "addr", old.addr, to->addr);
}

static void
take_node(struct member *m, const struct member_table *table,
    const struct member_node *node)
{
	struct member_entry *entry = member_entry(m, node->id);

	if (entry != NULL) {
		change_node(m, entry, node);
		member_tag_configure(m, entry, table, true);
	} else if (add_node(m, node)) {
		member_tag_configure(
		    m, member_entry(m, node->id), table, false);
		tell_added(m, node->id);
	}
}

void
member_reload(struct member *m, const struct member_table *table)
{
	ENSURE(find_node(table, member_self(m)->node.id) != NULL);
	remove_nodes(m, table);
	for (uint32_t i = 0; i < table->node_count; i++)
		take_node(m, table, &table->nodes[i]);
	/* The places of facts changed; and so did what we say of ourselves. */
	member_fact_publish(m);
	/* Who is new may have come to the ring before we had read of it. */
	member_view_again(m);
}
