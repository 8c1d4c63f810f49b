/* SPDX-License-Identifier: BSD-3-Clause */
/* Events: the ring's order, told to whoever subscribed.
 *
 * A record is built once, with room in front of it; for each subscription
 * "ev ID" is then written before it.  What a client cannot take is counted,
 * and told as a gap when its queue has room again.
 */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/glob.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/svc.h"
#include "libcommon/os/svc_out.h"

#include "bin/ringd/ringd.h"
#include "bin/ringd/ringd_client_internal.h"

enum { PREFIX_BYTES = 16 }; /* "ev 4294967295" */

/* ---- words ------------------------------------------------------------- */

void
ringd_client_put_pos(struct text *out, const struct group_pos *pos)
{
	totem_ring_text(pos->ring, out);
	text_put_char(out, ':');
	text_put_u64(out, pos->seq);
	text_put_char(out, '.');
	text_put_u64(out, pos->idx);
}

void
ringd_client_put_nodes(struct text *out, const struct totem_nodes *nodes)
{
	for (uint32_t i = 0; i < nodes->count; i++) {
		if (i > 0)
			text_put_char(out, ',');
		text_put_u64(out, nodes->id[i]);
	}
}

/* A name in a list: its commas and colons are escaped, too. */
static void
put_name(struct text *out, const char *name, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		n = 0;
		while (i + n < len && name[i + n] != ',' && name[i + n] != ':')
			n++;
		text_put_value(out, name + i, n);
		if (i + n < len)
			text_put(
			    out, name[i + n++] == ',' ? "\\0054" : "\\0072");
	}
}

void
ringd_client_put_member(
    struct text *out, const struct group_member *member, const char *reason)
{
	text_put_u64(out, member->node);
	text_put_char(out, '.');
	text_put_u64(out, member->conn);
	if (reason != NULL) {
		text_put_char(out, ':');
		text_put(out, reason);
	}
	text_put_char(out, ':');
	text_put_u64(out, member->pid);
	text_put_char(out, ':');
	text_put_u64(out, member->uid);
	text_put_char(out, ':');
	put_name(out, member->name, member->name_len);
}

const char *
ringd_client_phase(enum totem_phase phase)
{
	return phase == TOTEM_PHASE_REGULAR ? "regular" : "transitional";
}

bool
ringd_client_matches(
    const char *globs, size_t len, const struct group_name *group)
{
	if (len == 0)
		return true;
	while (len > 0) {
		const char *comma = memchr(globs, ',', len);
		size_t n = comma != NULL ? (size_t)(comma - globs) : len;

		if (glob_match(globs, n, group->bytes, group->len))
			return true;
		if (comma == NULL)
			return false;
		globs += n + 1;
		len -= n + 1;
	}
	return false;
}

/* ---- records ----------------------------------------------------------- */

/* Begins a record, with room for its prefix. */
static void
begin(struct ringd *r, struct text *out)
{
	text_init(out, r->clients->line + PREFIX_BYTES,
	    sizeof r->clients->line - PREFIX_BYTES);
}

static void
begin_kind(struct ringd *r, struct text *out, const char *kind)
{
	begin(r, out);
	text_put_char(out, ' ');
	text_put(out, kind);
}

static void
put_key(struct text *out, const char *key)
{
	text_put_char(out, ' ');
	text_put(out, key);
	text_put_char(out, '=');
}

static void
put_number(struct text *out, const char *key, uint64_t number)
{
	put_key(out, key);
	text_put_u64(out, number);
}

static void
put_view(struct text *out, const char *key, struct totem_ring_id ring)
{
	put_key(out, key);
	totem_ring_text(ring, out);
}

/* Writes "ev ID" right before the record: the line's start, and its length. */
static const char *
set_prefix(const struct text *record, uint32_t id, size_t *len)
{
	char bytes[PREFIX_BYTES + 1];
	struct text prefix;

	text_init(&prefix, bytes, sizeof bytes);
	text_put(&prefix, "ev ");
	text_put_u64(&prefix, id);
	ENSURE(!prefix.is_full && !record->is_full);
	memcpy(record->bytes - prefix.len, prefix.bytes, prefix.len);
	*len = prefix.len + record->len;
	return record->bytes - prefix.len;
}

/* What the subscription could not take. */
static void
lose(struct ringd_client *c, struct ringd_sub *sub)
{
	sub->lost++;
	sub->lost_total++;
	if (!sub->is_lossless || sub->lost > 1)
		return;
	svc_err(c->svc, NULL, "slow", "events of subscription %u were lost",
	    sub->id);
	svc_client_close(c->svc);
}

static bool
offer(struct ringd_client *c, struct ringd_sub *sub, const struct text *record)
{
	size_t len;
	const char *line = set_prefix(record, sub->id, &len);

	if (sub->lost == 0 && svc_offer(c->svc, line, len))
		return true;
	lose(c, sub);
	return false;
}

/* The subscriptions of a kind, one after the other; false behind the last. */
struct walk {
	struct ringd *r;
	uint32_t client, sub;
	struct ringd_client *c;
	struct ringd_sub *at;
};

static bool
walk_next(struct walk *walk, enum ringd_sub_kind kind)
{
	for (; walk->client < walk->r->clients->clients_end;
	     walk->client++, walk->sub = 0) {
		walk->c = walk->r->clients->clients[walk->client];
		while (walk->c != NULL && walk->sub < RINGD_CLIENT_SUBS) {
			walk->at = &walk->c->subs[walk->sub++];
			if (walk->at->kind == kind)
				return true;
		}
	}
	return false;
}

/* ---- messages ---------------------------------------------------------- */

static bool
is_stem_of(const struct ringd_stem *stem, const struct group_message *m)
{
	return stem->node == m->node && stem->conn == m->conn &&
	    stem->incarnation == m->incarnation &&
	    stem->service == m->service && stem->phase == m->pos.phase &&
	    totem_ring_equal(stem->ring, m->pos.ring) &&
	    stem->group_len == m->group.len &&
	    memcmp(stem->group, m->group.bytes, m->group.len) == 0;
}

static void
build_stem(struct ringd_stem *stem, const struct group_message *m)
{
	struct text out;

	text_init(&out, stem->bytes, sizeof stem->bytes);
	text_put(&out, " msg group=");
	text_put_value(&out, m->group.bytes, m->group.len);
	put_number(&out, "node", m->node);
	put_number(&out, "inc", m->incarnation);
	put_number(&out, "conn", m->conn);
	text_put(&out, " mid=");
	stem->head_len = (uint32_t)out.len;
	text_put(&out, " svc=");
	text_put(&out, m->service == TOTEM_SAFE ? "safe" : "agreed");
	put_view(&out, "view", m->pos.ring);
	put_key(&out, "phase");
	text_put(&out, ringd_client_phase(m->pos.phase));
	put_view(&out, "pos", m->pos.ring);
	text_put_char(&out, ':');
	ENSURE(!out.is_full);
	stem->tail_len = (uint32_t)out.len - stem->head_len;
	stem->ring = m->pos.ring;
	stem->incarnation = m->incarnation;
	stem->node = m->node;
	stem->conn = m->conn;
	stem->service = m->service;
	stem->phase = m->pos.phase;
	ENSURE(m->group.len <= sizeof stem->group);
	stem->group_len = (uint32_t)m->group.len;
	memcpy(stem->group, m->group.bytes, m->group.len);
}

static const struct ringd_stem *
get_stem(struct ringd *r, const struct group_message *m)
{
	struct ringd_stem *stem =
	    &r->clients->stems[(m->node + 5 * m->conn) % RINGD_STEMS];

	if (!is_stem_of(stem, m))
		build_stem(stem, m);
	return stem;
}

static void
build_message(struct ringd *r, struct text *out, const struct group_message *m)
{
	const struct ringd_stem *stem = get_stem(r, m);

	begin(r, out);
	text_put_bytes(out, stem->bytes, stem->head_len);
	text_put_u64(out, m->msg_no);
	text_put_bytes(out, stem->bytes + stem->head_len, stem->tail_len);
	text_put_u64(out, m->pos.seq);
	text_put_char(out, '.');
	text_put_u64(out, m->pos.idx);
	if (m->id.len > 0) {
		put_key(out, "id");
		text_put_value(out, m->id.bytes, m->id.len);
	}
	put_number(out, "len", m->len);
	text_put_char(out, '\n');
}

void
ringd_client_message(struct ringd *r, const struct group_message *message)
{
	struct walk walk = { .r = r };
	struct svc_payload payload;
	struct text record = { .len = 0 };

	svc_payload_init(&payload, message->bytes, message->len);
	while (walk_next(&walk, RINGD_SUB_LISTEN)) {
		const char *line;
		size_t len;

		if (!ringd_client_matches(
			walk.at->globs, walk.at->glob_len, &message->group))
			continue;
		if (record.len == 0)
			build_message(r, &record, message);
		line = set_prefix(&record, walk.at->id, &len);
		if (walk.at->lost > 0 ||
		    !svc_offer_data(walk.c->svc, line, len, &payload))
			lose(walk.c, walk.at);
	}
	svc_release(r->svc, &payload);
}

/* ---- changes of groups ------------------------------------------------- */

/* Where a record that is cut into parts has come to. */
struct change_part {
	size_t members, joined, left;
};

static bool
has_list_room(const struct text *out)
{
	return out->len < RINGD_CLIENT_LIST_BYTES;
}

static size_t
put_members(struct text *out, const struct group_view *view, size_t from)
{
	for (size_t i = from; i < view->member_count; i++) {
		if (!has_list_room(out))
			return i;
		if (i > from)
			text_put_char(out, ',');
		ringd_client_put_member(out, view->members[i], NULL);
	}
	return view->member_count;
}

static size_t
put_changes(struct text *out, const struct group_change *changes, size_t count,
    size_t from)
{
	for (size_t i = from; i < count; i++) {
		if (!has_list_room(out))
			return i;
		if (i > from)
			text_put_char(out, ',');
		ringd_client_put_member(out, changes[i].member,
		    group_reason_name(changes[i].reason));
	}
	return count;
}

/* Builds one part; false when nothing is left after it. */
static bool
build_change(struct ringd *r, struct text *out, const struct group_view *view,
    struct change_part *part)
{
	begin_kind(r, out, "group group=");
	text_put_value(out, view->group.bytes, view->group.len);
	put_view(out, "view", view->pos.ring);
	put_key(out, "pos");
	ringd_client_put_pos(out, &view->pos);
	put_key(out, "members");
	part->members = put_members(out, view, part->members);
	put_key(out, "joined");
	part->joined =
	    put_changes(out, view->joined, view->joined_count, part->joined);
	put_key(out, "left");
	part->left = put_changes(out, view->left, view->left_count, part->left);
	bool has_more = part->members < view->member_count ||
	    part->joined < view->joined_count || part->left < view->left_count;
	if (has_more)
		text_put(out, " more=yes");
	text_put_char(out, '\n');
	return has_more;
}

static void
offer_change(
    struct ringd *r, const struct text *record, const struct group_name *group)
{
	struct walk walk = { .r = r };

	while (walk_next(&walk, RINGD_SUB_LISTEN))
		if (walk.at->has_members &&
		    ringd_client_matches(
			walk.at->globs, walk.at->glob_len, group))
			offer(walk.c, walk.at, record);
}

void
ringd_client_change(struct ringd *r, const struct group_view *view)
{
	struct change_part part = { 0 };
	struct text record;
	bool has_more;

	do {
		has_more = build_change(r, &record, view, &part);
		offer_change(r, &record, &view->group);
	} while (has_more);
}

/* ---- configurations ---------------------------------------------------- */

/* When it was now_ns, on the clock that all processes here share. */
static void
put_at(struct text *out, uint64_t now_ns)
{
	uint64_t boot_ns = clock_boot_ns(), mono_ns = clock_now_ns();

	put_number(out, "at_ms",
	    num_sub(boot_ns, num_sub(mono_ns, now_ns)) / CLOCK_MS_NS);
}

static void
put_incarnations(struct text *out, const struct totem_view *view)
{
	put_key(out, "inc");
	for (uint32_t i = 0; i < view->members.count; i++) {
		if (i > 0)
			text_put_char(out, ',');
		text_put_u64(out, view->incarnation[i]);
	}
}

static void
build_view(struct ringd *r, struct text *out, const struct totem_view *view,
    uint64_t now_ns)
{
	begin_kind(r, out, "view");
	put_view(out, "view", view->ring);
	put_key(out, "phase");
	text_put(out, ringd_client_phase(view->phase));
	if (view->phase == TOTEM_PHASE_TRANSITIONAL)
		put_view(out, "next", view->next);
	put_key(out, "members");
	ringd_client_put_nodes(out, &view->members);
	put_incarnations(out, view);
	put_key(out, "joined");
	if (view->phase == TOTEM_PHASE_REGULAR)
		ringd_client_put_nodes(out, &view->joined);
	put_key(out, "left");
	for (uint32_t i = 0;
	     view->phase == TOTEM_PHASE_TRANSITIONAL && i < view->left.count;
	     i++) {
		if (i > 0)
			text_put_char(out, ',');
		text_put_u64(out, view->left.id[i]);
		text_put_char(out, ':');
		text_put(out, totem_reason_name(view->left_reason[i]));
	}
	put_key(out, "reason");
	text_put(out, totem_reason_name(view->reason));
	put_number(out, "ms", num_sub(now_ns, view->began_ns) / CLOCK_MS_NS);
	put_at(out, now_ns);
	text_put_char(out, '\n');
}

void
ringd_client_view(
    struct ringd *r, const struct totem_view *view, uint64_t now_ns)
{
	struct walk walk = { .r = r };
	struct text record;

	if (view->phase == TOTEM_PHASE_REGULAR) {
		r->clients->view = *view;
		r->clients->has_view = true;
	}
	build_view(r, &record, view, now_ns);
	while (walk_next(&walk, RINGD_SUB_VIEWS))
		offer(walk.c, walk.at, &record);
}

void
ringd_client_reloaded(struct ringd *r, const struct ringd_client_config *config)
{
	struct walk walk = { .r = r };
	struct text record;

	begin_kind(r, &record, "config");
	put_view(&record, "view", config->pos.ring);
	put_key(&record, "phase");
	text_put(&record, ringd_client_phase(config->pos.phase));
	put_key(&record, "pos");
	ringd_client_put_pos(&record, &config->pos);
	put_number(&record, "by", config->by);
	put_key(&record, "digest");
	ringd_reload_put_digest(&record, config->digest);
	put_key(&record, "nodes");
	for (uint32_t i = 0; i < r->conf->node_count; i++) {
		if (i > 0)
			text_put_char(&record, ',');
		text_put_u64(&record, r->conf->nodes[i].id);
	}
	text_put_char(&record, '\n');
	while (walk_next(&walk, RINGD_SUB_VIEWS))
		offer(walk.c, walk.at, &record);
}

/*
 * The age was taken when this turn began; at_ms is that moment, or earlier
 * when we were stopped here.
 */
static void
build_tick(struct ringd *r, struct text *record)
{
	uint64_t boot_ns = clock_boot_ns(), mono_ns = clock_now_ns();
	struct totem_status status;

	totem_status(r->totem, r->now_ns, &status);
	begin_kind(r, record, "tick");
	put_view(record, "view", status.ring);
	put_key(record, "state");
	text_put(record, totem_state_name(status.state));
	put_number(record, "token_age_ms",
	    ringd_age_whole_ns(&r->age, r->now_ns, status.token_age_ns,
		num_sub(boot_ns, mono_ns)) /
		CLOCK_MS_NS);
	put_at(record, r->now_ns);
	text_put_char(record, '\n');
}

void
ringd_client_tick(struct ringd *r)
{
	struct walk walk = { .r = r };
	struct text record = { .len = 0 };

	while (walk_next(&walk, RINGD_SUB_VIEWS)) {
		if (!walk.at->has_tick)
			continue;
		if (record.len == 0)
			build_tick(r, &record);
		offer(walk.c, walk.at, &record);
	}
}

/* ---- snapshots --------------------------------------------------------- */

static void
snapshot_groups(struct ringd *r, struct ringd_client *c, struct ringd_sub *sub)
{
	for (size_t i = 0; i < group_total(r->groups); i++) {
		const struct group_member *m = NULL;
		struct group_name group;

		group_at(r->groups, i, &group);
		if (!ringd_client_matches(sub->globs, sub->glob_len, &group))
			continue;
		while ((m = group_member_next(r->groups, i, m)) != NULL) {
			struct text record;

			begin_kind(r, &record, "exists group=");
			text_put_value(&record, group.bytes, group.len);
			put_number(&record, "node", m->node);
			put_number(&record, "conn", m->conn);
			put_number(&record, "inc", m->incarnation);
			put_number(&record, "pid", m->pid);
			put_number(&record, "uid", m->uid);
			put_key(&record, "name");
			text_put_value(&record, m->name, m->name_len);
			text_put_char(&record, '\n');
			offer(c, sub, &record);
		}
	}
}

/* 0: never heard. */
static uint64_t
get_incarnation(struct ringd *r, uint32_t node)
{
	const struct totem_view *view = &r->clients->view;
	struct totem_peer_status peer;

	for (uint32_t i = 0; i < view->members.count; i++)
		if (view->members.id[i] == node)
			return view->incarnation[i];
	if (node == r->conf->nodes[r->conf->self].id)
		return r->disk.incarnation;
	if (totem_peer_status(r->totem, node, r->now_ns, &peer))
		return peer.incarnation;
	return 0;
}

static bool
is_member(const struct totem_nodes *nodes, uint32_t node)
{
	for (uint32_t i = 0; i < nodes->count; i++)
		if (nodes->id[i] == node)
			return true;
	return false;
}

static void
snapshot_nodes(struct ringd *r, struct ringd_client *c, struct ringd_sub *sub,
    const struct totem_nodes *members)
{
	for (uint32_t i = 0; i < r->conf->node_count; i++) {
		const struct cluster_node *node = &r->conf->nodes[i];
		struct text record;

		begin_kind(r, &record, "exists");
		put_number(&record, "node", node->id);
		put_key(&record, "name");
		text_put(&record, node->name);
		put_key(&record, "state");
		text_put(&record,
		    is_member(members, node->id) ? "member" : "absent");
		put_number(&record, "inc", get_incarnation(r, node->id));
		put_key(&record, "local");
		text_put(&record, i == r->conf->self ? "yes" : "no");
		text_put_char(&record, '\n');
		offer(c, sub, &record);
	}
}

void
ringd_client_snapshot(
    struct ringd *r, struct ringd_client *c, struct ringd_sub *sub)
{
	struct totem_status status;
	struct text record;

	totem_status(r->totem, r->now_ns, &status);
	if (sub->kind == RINGD_SUB_VIEWS)
		snapshot_nodes(r, c, sub, &status.members);
	else if (sub->has_members)
		snapshot_groups(r, c, sub);
	begin_kind(r, &record, "ready");
	put_view(&record, "view", status.ring);
	if (sub->kind == RINGD_SUB_VIEWS) {
		put_key(&record, "members");
		ringd_client_put_nodes(&record, &status.members);
		put_key(&record, "inc");
		for (uint32_t i = 0; i < status.members.count; i++) {
			if (i > 0)
				text_put_char(&record, ',');
			text_put_u64(
			    &record, get_incarnation(r, status.members.id[i]));
		}
		put_key(&record, "config");
		ringd_reload_put_digest(&record, r->reload.config);
	}
	text_put_char(&record, '\n');
	offer(c, sub, &record);
}

void
ringd_client_drained(struct ringd *r, struct ringd_client *c)
{
	for (uint32_t i = 0; i < RINGD_CLIENT_SUBS; i++) {
		struct ringd_sub *sub = &c->subs[i];
		struct totem_status status;
		struct text record;
		uint64_t lost = sub->lost;

		if (sub->kind == RINGD_SUB_NONE || lost == 0)
			continue;
		totem_status(r->totem, r->now_ns, &status);
		begin_kind(r, &record, "gap");
		put_number(&record, "lost", lost);
		put_view(&record, "view", status.ring);
		text_put_char(&record, '\n');
		sub->lost = 0;
		if (!offer(c, sub, &record)) {
			sub->lost = lost; /* there will be another time */
			continue;
		}
		if (sub->kind == RINGD_SUB_VIEWS || sub->has_members)
			ringd_client_snapshot(r, c, sub);
	}
}
