/* SPDX-License-Identifier: BSD-3-Clause */
/* What the clients of a world's nodes may ask for. */
#include <string.h>

#include "tests/unit/group_world_internal.h"

static struct group_name
name_of(const char *text)
{
	return (struct group_name){ (const uint8_t *)text, strlen(text) };
}

void
group_world_open(struct group_world *w, uint32_t node, uint32_t conn)
{
	struct group_input in = { .kind = GROUP_IN_OPEN, .conn = conn };

	in.open.pid = 1000 + conn;
	in.open.uid = 7;
	group_world_ask(w, node, &in);
}

void
group_world_close(struct group_world *w, uint32_t node, uint32_t conn)
{
	struct group_input in = { .kind = GROUP_IN_CLOSE, .conn = conn };

	group_world_ask(w, node, &in);
}

void
group_world_join(
    struct group_world *w, uint32_t node, uint32_t conn, const char *group)
{
	struct group_input in = { .kind = GROUP_IN_JOIN, .conn = conn };

	in.join.group = name_of(group);
	in.join.name = name_of("n");
	in.join.cookie = 1;
	group_world_ask(w, node, &in);
}

void
group_world_leave(
    struct group_world *w, uint32_t node, uint32_t conn, const char *group)
{
	struct group_input in = { .kind = GROUP_IN_LEAVE, .conn = conn };

	in.leave.group = name_of(group);
	in.leave.cookie = 2;
	group_world_ask(w, node, &in);
}

static struct group_input
publish(struct group_world *w, uint32_t node, uint32_t conn, const char *group,
    const char *bytes)
{
	struct group_input in = { .kind = GROUP_IN_PUBLISH, .conn = conn };

	in.publish.group = name_of(group);
	in.publish.cookie = 3;
	in.publish.service = TOTEM_SAFE;
	in.publish.bytes = name_of(bytes).bytes;
	in.publish.len = strlen(bytes);
	in.publish.room_bytes = w->nodes[node].room;
	return in;
}

void
group_world_publish(struct group_world *w, uint32_t node, uint32_t conn,
    const char *group, const char *bytes)
{
	struct group_input in = publish(w, node, conn, group, bytes);

	group_world_ask(w, node, &in);
}

void
group_world_publish_if(struct group_world *w, uint32_t node, uint32_t conn,
    const char *bytes, struct totem_ring_id view)
{
	struct group_input in = publish(w, node, conn, "a", bytes);

	in.publish.has_if_view = true;
	in.publish.if_view = view;
	group_world_ask(w, node, &in);
}
struct group_world *
group_world_ring_of(const char *nodes)
{
	struct group_world *w = group_world_create(0, 0);

	group_world_start(w, nodes);
	group_world_install(w, nodes, NULL);
	group_world_settle(w);
	for (const char *at = nodes; *at != '\0'; at++) {
		uint32_t node = (uint32_t)(*at - '0');
		group_world_story(w, node);
		group_world_open(w, node, 1);
	}
	return w;
}

void
group_world_join_all(
    struct group_world *w, const char *nodes, const char *group)
{
	for (const char *at = nodes; *at != '\0'; at++)
		group_world_join(w, (uint32_t)(*at - '0'), 1, group);
	group_world_settle(w);
	for (const char *at = nodes; *at != '\0'; at++)
		group_world_story(w, (uint32_t)(*at - '0'));
}
