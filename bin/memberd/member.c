/* SPDX-License-Identifier: BSD-3-Clause */
/* The membership's inputs, requests, and what others may ask of it.  What a
 * view changes is in member_view.c, what nodes tell each other in
 * member_fact.c, tags in member_tag.c.
 */
#include "bin/memberd/member.h"

#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/memberd/member_internal.h"

static_assert(MEMBER_NODE_BYTES >
	MEMBER_TAGS * (MEMBER_TAG_NAME_MAX + 2 + 5 * MEMBER_TAG_VALUE_MAX) +
	    1024,
    "a record about a node holds all of its tags");
static_assert(MEMBER_NODE_BYTES < LIMIT_SERVER_LINE_BYTES - 512,
    "it fits a line of a daemon");
static_assert(MEMBER_EVENT_BYTES > 2 * MEMBER_LINE_BYTES + 256,
    "an update holds the old value and the new one");

const char *
member_state_name(enum member_state state)
{
	static const char *const name[MEMBER_STATES] = {
		[MEMBER_ABSENT] = "absent",
		[MEMBER_LOST] = "lost",
		[MEMBER_PARTITION] = "partition",
		[MEMBER_RESTARTED] = "restarted",
		[MEMBER_LEFT] = "left",
		[MEMBER_FENCED] = "fenced",
		[MEMBER_PRESENT] = "member",
	};

	ENSURE(state < MEMBER_STATES);
	return name[state];
}

const char *
member_counter_name(enum member_counter counter)
{
	static const char *const name[MEMBER_COUNTERS] = {
		[MEMBER_COUNT_VIEWS] = "views",
		[MEMBER_COUNT_JOINS] = "joins",
		[MEMBER_COUNT_LEAVES] = "leaves",
		[MEMBER_COUNT_PAUSES] = "pauses",
		[MEMBER_COUNT_MESSAGES] = "messages",
		[MEMBER_COUNT_FACTS] = "facts",
		[MEMBER_COUNT_REFUSED] = "facts_refused",
		[MEMBER_COUNT_UNKNOWN] = "nodes_unknown",
	};

	ENSURE(counter < MEMBER_COUNTERS);
	return name[counter];
}

/* ---- creation ---------------------------------------------------------- */

static void
init(struct member *m, const struct member_config *cfg)
{
	size_t version_len = strlen(cfg->version);

	ENSURE(version_len < sizeof m->version);
	memset(m, 0, offsetof(struct member, entries));
	memset(m->changes, 0, sizeof m->changes);
	memset(m->counters, 0, sizeof m->counters);
	m->is_publishing = false;
	m->sink = cfg->sink;
	m->message_max = num_min(cfg->message_max, MEMBER_MESSAGE_BYTES);
	memcpy(m->version, cfg->version, version_len + 1);
	m->count = cfg->node_count;
	for (uint32_t i = 0; i < m->count; i++) {
		struct member_entry *entry = &m->entries[i];

		/* Its tags stay untouched memory until there are any. */
		memset(entry, 0, offsetof(struct member_entry, tags));
		entry->node = cfg->nodes[i];
		if (entry->node.id == cfg->self)
			m->self = i;
		ENSURE(i == 0 || entry->node.id > m->entries[i - 1].node.id);
	}
	ENSURE(m->entries[m->self].node.id == cfg->self);
	memcpy(m->entries[m->self].version, m->version, version_len + 1);
}

struct member *
member_create(struct arena *arena, const struct member_config *cfg)
{
	struct member *m = arena_take(arena, sizeof *m);

	ENSURE(cfg->node_count > 0 && cfg->node_count <= LIMIT_NODES);
	if (m != NULL)
		init(m, cfg);
	return m;
}

void
member_first_tag(struct member *m, uint32_t node, const char *name,
    const void *value, size_t len)
{
	struct member_entry *entry = member_entry(m, node);
	struct member_tag *tag;
	size_t name_len = strlen(name);

	if (entry == NULL || entry->tag_count == MEMBER_TAGS ||
	    !member_tag_is_name(name, name_len) || len > MEMBER_TAG_VALUE_MAX)
		return;
	ENSURE(!m->had_view);
	tag = &entry->tags[entry->tag_count++];
	*tag = (struct member_tag){ .is_set = true,
		.name_len = (uint8_t)name_len,
		.value_len = (uint8_t)len };
	memcpy(tag->name, name, name_len);
	memcpy(tag->value, value, len);
}

/* ---- nodes ------------------------------------------------------------- */

struct member_entry *
member_entry(struct member *m, uint32_t id)
{
	for (uint32_t i = 0; i < m->count; i++)
		if (m->entries[i].node.id == id)
			return &m->entries[i];
	return NULL;
}

struct member_entry *
member_self(struct member *m)
{
	return &m->entries[m->self];
}

void
member_set_state(
    struct member *m, struct member_entry *entry, enum member_state state)
{
	entry->state = state;
	entry->since_ns = m->now_ns;
}

int
member_find(const struct member *m, const char *name_or_id)
{
	uint32_t id;
	bool is_id = parse_node_id(name_or_id, strlen(name_or_id), &id) == 0;

	for (uint32_t i = 0; i < m->count; i++)
		if (strcmp(m->entries[i].node.name, name_or_id) == 0)
			return (int)i;
	for (uint32_t i = 0; is_id && i < m->count; i++)
		if (m->entries[i].node.id == id)
			return (int)i;
	return -1;
}

uint32_t
member_node_count(const struct member *m)
{
	return m->count;
}

uint32_t
member_node_id(const struct member *m, uint32_t idx)
{
	ENSURE(idx < m->count);
	return m->entries[idx].node.id;
}

enum member_state
member_node_state(const struct member *m, uint32_t idx)
{
	ENSURE(idx < m->count);
	return m->entries[idx].state;
}

uint64_t
member_node_inc(const struct member *m, uint32_t idx)
{
	ENSURE(idx < m->count);
	return m->entries[idx].inc;
}

bool
member_is_ready(const struct member *m)
{
	return m->is_ready;
}

uint64_t
member_count(const struct member *m, enum member_counter counter)
{
	ENSURE(counter < MEMBER_COUNTERS);
	return m->counters[counter];
}

/* ---- inputs ------------------------------------------------------------ */

static void
hear(struct member *m, uint32_t node, uint64_t inc)
{
	struct member_entry *entry = member_entry(m, node);

	/* Of those whom it has seen itself, it knows better. */
	if (entry != NULL && entry->state == MEMBER_ABSENT &&
	    inc > entry->inc && inc > entry->forgot_inc)
		entry->inc = inc;
}

/* When all of a node stood still, memberd and ringd find it out by themselves:
 * it is told once. */
static void
pause(struct member *m, uint64_t ms, bool is_ring)
{
	struct member_entry *self = member_self(m);
	struct text record;

	if (is_ring)
		m->ring_pause_ns = m->now_ns;
	if (is_ring && m->told_pause_ns != 0 &&
	    m->now_ns - m->told_pause_ns <= MEMBER_PAUSE_FRESH_NS)
		return;
	m->told_pause_ns = m->now_ns;
	m->counters[MEMBER_COUNT_PAUSES]++;
	self->pauses++;
	self->paused_ms = ms;
	member_begin(m, &record, "pause");
	member_put_number(&record, "ms", ms);
	member_tell(m, &record);
	member_fact_publish(m);
}

static void
lose_ring(struct member *m)
{
	m->is_ready = m->has_trans = m->is_publishing = false;
	m->conn = 0;
}

void
member_step(struct member *m, const struct member_input *in)
{
	ENSURE(in->now_ns >= m->now_ns);
	m->now_ns = in->now_ns;
	switch (in->kind) {
	case MEMBER_IN_CONN:
		m->conn = in->conn;
		break;
	case MEMBER_IN_HEARD:
		hear(m, in->node, in->inc);
		break;
	case MEMBER_IN_READY:
		member_view_ready(m, in->view);
		break;
	case MEMBER_IN_VIEW:
		member_view_change(m, in->view);
		break;
	case MEMBER_IN_GROUP:
		member_fact_publish(m);
		break;
	case MEMBER_IN_MESSAGE:
		m->counters[MEMBER_COUNT_MESSAGES]++;
		member_fact_message(m, in->message);
		break;
	case MEMBER_IN_PAUSE:
		pause(m, in->ms, in->is_ring);
		break;
	case MEMBER_IN_LOST:
		lose_ring(m);
		break;
	case MEMBER_IN_TABLE:
		member_reload(m, in->table);
		break;
	}
}

/* ---- requests ---------------------------------------------------------- */

static int
request_tag(
    struct member *m, const struct member_request *request, struct text *out)
{
	const struct member_entry *entry = member_entry(m, request->node);
	size_t name_len = strlen(request->name);
	const struct member_tag *tag;

	if (!member_tag_is_name(request->name, name_len))
		return MEMBER_E_NAME;
	if (request->value_len > MEMBER_TAG_VALUE_MAX)
		return MEMBER_E_LONG;
	tag = member_tag_find(entry, request->name, name_len);
	if (request->value != NULL && (tag == NULL || !tag->is_set) &&
	    member_tag_set_count(entry) == MEMBER_TAGS)
		return MEMBER_E_FULL;
	text_put(out, "tag");
	member_put_number(out, "req", request->req);
	member_put_number(out, "node", request->node);
	member_put_word(out, "name", request->name);
	if (request->value == NULL) {
		member_put_word(out, "unset", "yes");
		return MEMBER_DONE;
	}
	member_put_key(out, "value");
	text_put_value(out, request->value, request->value_len);
	return MEMBER_DONE;
}

static int
request_fence(
    struct member *m, const struct member_request *request, struct text *out)
{
	const struct member_entry *entry = member_entry(m, request->node);

	if (member_entry(m, request->by) == NULL)
		return MEMBER_E_NODE;
	if (strlen(request->method) >= MEMBER_METHOD_BYTES)
		return MEMBER_E_LONG;
	if (entry->state == MEMBER_PRESENT || entry->inc == 0 ||
	    entry->inc != request->inc)
		return MEMBER_E_STALE;
	text_put(out, "fenced");
	member_put_number(out, "req", request->req);
	member_put_number(out, "node", request->node);
	member_put_number(out, "inc", request->inc);
	member_put_number(out, "by", request->by);
	member_put_word(out, "method", request->method);
	return MEMBER_DONE;
}

static int
request_forget(
    struct member *m, const struct member_request *request, struct text *out)
{
	const struct member_entry *entry = member_entry(m, request->node);

	if (entry->state == MEMBER_PRESENT)
		return MEMBER_E_MEMBER;
	text_put(out, "forgot");
	member_put_number(out, "req", request->req);
	member_put_number(out, "node", request->node);
	member_put_number(out, "inc", num_max(entry->inc, entry->forgot_inc));
	return MEMBER_DONE;
}

int
member_request(
    struct member *m, const struct member_request *request, struct text *out)
{
	int rc = MEMBER_E_NODE;

	ENSURE(request->req != 0);
	ENSURE(out->len == 0);
	if (member_entry(m, request->node) == NULL)
		return rc;
	switch (request->kind) {
	case MEMBER_TAG:
		rc = request_tag(m, request, out);
		break;
	case MEMBER_FENCE:
		rc = request_fence(m, request, out);
		break;
	case MEMBER_FORGET:
		rc = request_forget(m, request, out);
		break;
	}
	if (rc == MEMBER_DONE && (out->is_full || out->len > m->message_max))
		rc = MEMBER_E_LONG;
	return rc;
}

/* ---- invariants -------------------------------------------------------- */

static void
check_entry(const struct member *m, const struct member_entry *entry)
{
	ENSURE(entry->state < MEMBER_STATES);
	ENSURE(entry->tag_count <= MEMBER_ENTRIES);
	ENSURE(member_tag_set_count(entry) <= MEMBER_TAGS);
	if (entry->state == MEMBER_PRESENT) {
		ENSURE(m->had_view);
		ENSURE(entry->inc != 0);
		ENSURE(entry->fence.inc == 0);
	}
	if (entry->state == MEMBER_FENCED)
		ENSURE(entry->fence.inc == entry->inc && entry->inc != 0);
	for (uint32_t i = 0; i < entry->tag_count; i++) {
		const struct member_tag *tag = &entry->tags[i];

		ENSURE(member_tag_is_name(tag->name, tag->name_len));
		ENSURE(tag->is_set || tag->value_len == 0);
		ENSURE(member_tag_find(entry, tag->name, tag->name_len) == tag);
	}
}

void
member_check(const struct member *m)
{
	ENSURE(!m->is_ready || m->had_view);
	ENSURE(!m->has_trans || m->is_ready);
	if (m->had_view)
		ENSURE(m->entries[m->self].state == MEMBER_PRESENT);
	for (uint32_t i = 0; i < m->count; i++)
		check_entry(m, &m->entries[i]);
}
