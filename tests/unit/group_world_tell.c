/* SPDX-License-Identifier: BSD-3-Clause */
/* What the layers tell, in words; and whether it agrees. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/ensure.h"

#include "tests/unit/check.h"
#include "tests/unit/group_world_internal.h"

/* ---- memory and text --------------------------------------------------- */

void *
group_world_need(void *memory)
{
	if (memory == NULL)
		abort();
	return memory;
}

void
group_world_append(struct string *s, const void *bytes, size_t len)
{
	if (s->len + len + 1 > s->size) {
		s->size = 2 * (s->len + len + 1);
		s->bytes = group_world_need(realloc(s->bytes, s->size));
	}
	if (len > 0)
		memcpy(s->bytes + s->len, bytes, len);
	s->len += len;
	s->bytes[s->len] = '\0';
}

static void
append_text(struct string *s, const char *text)
{
	group_world_append(s, text, strlen(text));
}

static void
append_name(struct string *s, const struct group_name *name)
{
	group_world_append(s, name->bytes, name->len);
}

static void
append_member(
    struct string *s, const char *before, uint32_t node, uint32_t conn)
{
	char text[64];

	snprintf(text, sizeof(text), "%s%u.%u", before, node, conn);
	append_text(s, text);
}

void
group_world_cut(struct string *s)
{
	s->len = 0;
	group_world_append(s, "", 0);
}

/* ---- the world's own idea of the groups -------------------------------- */

static struct shadow *
shadow_find(struct node *n, const struct group_name *group, uint32_t node,
    uint32_t conn)
{
	for (size_t i = 0; i < n->shadow_count; i++) {
		struct shadow *at = &n->shadows[i];
		if (at->node == node && at->conn == conn &&
		    at->group.len == group->len &&
		    memcmp(at->group.bytes, group->bytes, group->len) == 0)
			return at;
	}
	return NULL;
}

static void
shadow_add(struct node *n, const struct group_name *group, uint32_t node,
    uint32_t conn)
{
	uint8_t *bytes = group_world_need(malloc(group->len));

	memcpy(bytes, group->bytes, group->len);
	n->shadows = group_world_need(
	    realloc(n->shadows, (n->shadow_count + 1) * sizeof(n->shadows[0])));
	n->shadows[n->shadow_count++] =
	    (struct shadow){ { bytes, group->len }, node, conn };
}

void
group_world_shadow_free(struct shadow *shadow)
{
	free((void *)(uintptr_t)shadow->group.bytes);
}

static void
shadow_remove(struct node *n, struct shadow *shadow)
{
	group_world_shadow_free(shadow);
	*shadow = n->shadows[--n->shadow_count];
}

static size_t
shadow_count(const struct node *n, const struct group_name *group)
{
	size_t count = 0;

	for (size_t i = 0; i < n->shadow_count; i++)
		count += n->shadows[i].group.len == group->len &&
		    memcmp(n->shadows[i].group.bytes, group->bytes,
			group->len) == 0;
	return count;
}

void
group_world_check_view(struct node *n, const struct group_view *view)
{
	for (size_t i = 0; i < view->left_count; i++) {
		const struct group_member *left = view->left[i].member;
		struct shadow *at =
		    shadow_find(n, &view->group, left->node, left->conn);
		if (CHECK(at != NULL))
			shadow_remove(n, at);
	}
	for (size_t i = 0; i < view->joined_count; i++) {
		const struct group_member *joined = view->joined[i].member;
		if (CHECK(shadow_find(n, &view->group, joined->node,
			      joined->conn) == NULL))
			shadow_add(n, &view->group, joined->node, joined->conn);
	}
	CHECK_EQ(shadow_count(n, &view->group), view->member_count);
	for (size_t i = 0; i < view->member_count; i++) {
		const struct group_member *at = view->members[i];
		CHECK(shadow_find(n, &view->group, at->node, at->conn) != NULL);
		if (i == 0)
			continue;
		const struct group_member *before = view->members[i - 1];
		CHECK(before->node < at->node ||
		    (before->node == at->node && before->conn < at->conn));
	}
	CHECK(view->left_count + view->joined_count > 0);
}

/* ---- telling ----------------------------------------------------------- */

static void
put_view(struct string *s, const struct group_view *view)
{
	append_name(s, &view->group);
	append_text(s, " =");
	for (size_t i = 0; i < view->member_count; i++)
		append_member(
		    s, " ", view->members[i]->node, view->members[i]->conn);
	for (size_t i = 0; i < view->joined_count; i++) {
		const struct group_change *change = &view->joined[i];
		append_member(
		    s, " +", change->member->node, change->member->conn);
		append_text(s, ":");
		append_text(s, group_reason_name(change->reason));
	}
	for (size_t i = 0; i < view->left_count; i++) {
		const struct group_change *change = &view->left[i];
		append_member(
		    s, " -", change->member->node, change->member->conn);
		append_text(s, ":");
		append_text(s, group_reason_name(change->reason));
	}
}

/* The effect in words; its place; false: it is the node's own affair. */
static bool
put_effect(
    struct string *s, const struct group_effect *effect, struct group_pos *pos)
{
	switch (effect->kind) {
	case GROUP_OUT_MESSAGE:
		*pos = effect->message.pos;
		append_name(s, &effect->message.group);
		append_member(
		    s, " < ", effect->message.node, effect->message.conn);
		append_text(s, " ");
		group_world_append(
		    s, effect->message.bytes, effect->message.len);
		return true;
	case GROUP_OUT_VIEW:
		*pos = effect->view.pos;
		put_view(s, &effect->view);
		return true;
	case GROUP_OUT_SYNCED:
		*pos = effect->synced;
		append_text(s, "synced");
		return true;
	case GROUP_OUT_DONE:
		*pos = effect->done.pos;
		append_text(s, "done ");
		break;
	case GROUP_OUT_FAILED:
		*pos = (struct group_pos){ .phase = TOTEM_PHASE_REGULAR };
		append_text(s, "failed ");
		break;
	case GROUP_OUT_SUBMIT:
	case GROUP_OUT_OPEN_GATE:
	case GROUP_EFFECTS:
		ENSURE(false);
	}
	return false;
}

static void
put_own(struct string *s, uint32_t node, const struct group_effect *effect)
{
	if (effect->kind == GROUP_OUT_DONE) {
		append_member(s, "", node, effect->done.conn);
		return;
	}
	append_member(s, "", node, effect->failed.conn);
	append_text(s, " ");
	append_text(s, group_failure_name(effect->failed.reason));
}

/* P20 and P21 among all members, in the regular phase. */
static void
compare(struct node *n, const struct string *line, bool is_synced)
{
	struct ring *ring = n->ring;

	if (is_synced) {
		if (!ring->has_synced)
			group_world_append(
			    &ring->state, line->bytes, line->len);
		ring->has_synced = true;
		CHECK_STR(line->bytes, ring->state.bytes);
		n->has_synced = true;
		n->lines_at = 0;
		return;
	}
	if (!n->has_synced)
		return;
	if (n->lines_at == ring->lines.len)
		group_world_append(&ring->lines, line->bytes, line->len);
	if (CHECK(n->lines_at + line->len <= ring->lines.len))
		CHECK_MEM(ring->lines.bytes + n->lines_at, line->len,
		    line->bytes, line->len);
	n->lines_at += line->len;
}

void
group_world_tell(
    struct group_world *w, uint32_t node, const struct group_effect *effect)
{
	struct node *n = &w->nodes[node];
	struct string *line = &w->scratch;
	struct group_pos pos = { 0 };
	char place[96];

	group_world_cut(line);
	bool is_common = put_effect(line, effect, &pos);
	if (!is_common)
		put_own(line, node, effect);
	group_world_append(&n->story, line->bytes, line->len);
	append_text(
	    &n->story, pos.phase == TOTEM_PHASE_TRANSITIONAL ? " ~\n" : "\n");
	if (effect->kind == GROUP_OUT_MESSAGE)
		CHECK(n->has_synced);
	if (!is_common)
		return;
	snprintf(place, sizeof(place), " @%u.%llu:%llu.%u/%d\n", pos.ring.rep,
	    (unsigned long long)pos.ring.seq, (unsigned long long)pos.seq,
	    pos.idx, pos.phase);
	append_text(line, place);
	group_world_append(&n->told, line->bytes, line->len);
	CHECK(pos.phase == n->phase);
	CHECK_EQ(pos.ring.seq, n->ring->id.seq);
	if (effect->kind == GROUP_OUT_SYNCED)
		append_text(line, group_world_groups(w, node));
	if (pos.phase == TOTEM_PHASE_REGULAR)
		compare(n, line, effect->kind == GROUP_OUT_SYNCED);
	if (effect->kind == GROUP_OUT_SYNCED) {
		n->has_synced = true;
		group_world_cut(&n->told);
	}
}

/* ---- asking ------------------------------------------------------------ */

const char *
group_world_story(struct group_world *w, uint32_t node)
{
	static struct string last;

	group_world_cut(&last);
	group_world_append(
	    &last, w->nodes[node].story.bytes, w->nodes[node].story.len);
	group_world_cut(&w->nodes[node].story);
	return last.bytes;
}

const char *
group_world_groups(struct group_world *w, uint32_t node)
{
	const struct group_layer *g = w->nodes[node].layer;
	struct string *out = &w->listing;

	group_world_cut(out);
	for (size_t i = 0; i < group_total(g); i++) {
		struct group_name name;
		const struct group_member *member = NULL;
		const char *before = ":";
		group_at(g, i, &name);
		if (i > 0)
			append_text(out, " ");
		append_name(out, &name);
		while ((member = group_member_next(g, i, member)) != NULL) {
			append_member(out, before, member->node, member->conn);
			before = ",";
		}
	}
	return out->bytes;
}
