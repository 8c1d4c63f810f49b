/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages are published as connection 0, at the end of a turn, when the core
 * has nothing to say.
 */
#include "bin/ringd/ringd_change.h"

#include <stdio.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/text.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/log.h"

#include "bin/ringd/ringd.h"
#include "bin/ringd/ringd_client.h"
#include "bin/ringd/ringd_reload.h"

enum { TEXT_BYTES = CHANGE_TEXT_BYTES_MAX + 1, LINE_BYTES = 1024 };

#define CHANGE_NS (40 * CLOCK_S_NS) /* then it is cancelled */

struct ringd_change *
ringd_change_create(struct arena *arena, struct ringd *r)
{
	struct ringd_change *c = arena_take(arena, sizeof *c);
	struct change *core = change_create(
	    arena, r->conf->nodes[r->conf->self].id, r->disk.incarnation);

	if (c == NULL)
		return NULL;
	*c = (struct ringd_change){ .core = core };
	return c;
}

/* ---- votes ------------------------------------------------------------- */

static bool
is_reload(uint8_t kind)
{
	return kind == RINGD_CHANGE_RELOAD || kind == RINGD_CHANGE_TRY;
}

void
ringd_change_vote(
    struct ringd *r, const struct change_id *id, bool is_for, const char *text)
{
	if (!is_for)
		log_line(LOG_LEVEL_WARNING, "change-refused", "%s", text);
	change_vote(r->change->core, id, is_for, text);
}

void
ringd_change_refuse(
    struct ringd *r, const struct change_id *id, const char *why)
{
	char bytes[TEXT_BYTES];
	struct text text;

	text_init(&text, bytes, sizeof bytes);
	text_put(&text, "msg=");
	text_put_value(&text, why, strlen(why));
	ringd_change_vote(r, id, false, bytes);
}

/* ---- what comes of it -------------------------------------------------- */

static void
answer(struct ringd *r, enum change_outcome outcome)
{
	struct ringd_change *c = r->change;
	const uint64_t cookie = c->cookie;

	c->outcome = outcome;
	c->cookie = 0;
	c->deadline_ns = 0;
	if (is_reload(c->asked))
		ringd_reload_result(r, outcome);
	if (cookie != 0)
		ringd_client_done(r, cookie, &(struct group_pos){ 0 });
}

static void
prepare(struct ringd *r, const struct change_effect *effect)
{
	if (is_reload(effect->change))
		ringd_reload_prepare(r, effect);
	else
		ringd_keys_prepare(r, effect);
}

static void
commit(struct ringd *r, const struct change_effect *effect,
    const struct group_pos *pos)
{
	if (is_reload(effect->change))
		ringd_reload_commit(r, effect, pos);
	else
		ringd_keys_commit(r);
}

static void
cancel(struct ringd *r, const struct change_effect *effect)
{
	if (is_reload(effect->change))
		ringd_reload_abort(r);
	else
		ringd_keys_abort(r);
}

/* pos is NULL when a view is the cause: then nothing is committed. */
static void
pull(struct ringd *r, const struct group_pos *pos)
{
	struct change_effect effect;

	while (change_next(r->change->core, &effect)) {
		switch (effect.kind) {
		case CHANGE_OUT_PREPARE:
			prepare(r, &effect);
			break;
		case CHANGE_OUT_COMMIT:
			commit(r, &effect, pos);
			break;
		case CHANGE_OUT_ABORT:
			cancel(r, &effect);
			break;
		case CHANGE_OUT_RESULT:
			answer(r, effect.outcome);
			break;
		}
	}
}

void
ringd_change_view(struct ringd *r, const struct totem_view *view)
{
	change_view(r->change->core, view);
	pull(r, NULL);
}

bool
ringd_change_message(struct ringd *r, const struct group_message *message)
{
	static const char group[] = CHANGE_GROUP;

	if (message->conn != 0 || message->group.len != sizeof group - 1 ||
	    memcmp(message->group.bytes, group, sizeof group - 1) != 0)
		return false;
	change_hear(r->change->core, message);
	pull(r, &message->pos);
	return true;
}

/* ---- sending ----------------------------------------------------------- */

static void
send_messages(struct ringd *r)
{
	static const char group[] = CHANGE_GROUP;
	struct ringd_change *c = r->change;
	struct group_input in = { .kind = GROUP_IN_PUBLISH };

	in.publish.group =
	    (struct group_name){ (const uint8_t *)group, sizeof group - 1 };
	in.publish.service = TOTEM_SAFE;
	while (change_message(c->core, &in.publish.bytes, &in.publish.len)) {
		in.publish.room_bytes =
		    totem_room_bytes(r->totem, TOTEM_CLASS_CLIENT);
		if (in.publish.room_bytes <
		    in.publish.len + GROUP_HEAD_BYTES_MAX)
			return;
		c->is_unsent = false;
		ringd_group_step(r, &in);
		if (c->is_unsent)
			return;
		change_sent(c->core);
	}
}

void
ringd_change_turn(struct ringd *r)
{
	struct ringd_change *c = r->change;

	if (c->deadline_ns != 0 && r->now_ns >= c->deadline_ns &&
	    !c->is_cancelled) {
		c->is_cancelled = true;
		change_cancel(c->core);
	}
	send_messages(r);
}

/* ---- proposing --------------------------------------------------------- */

const char *
ringd_change_obstacle(const struct ringd *r, const char **words)
{
	if (r->leave_deadline_ns != 0) {
		*words = "it is leaving";
		return "leaving";
	}
	if (r->change->cookie != 0 || ringd_reload_is_busy(r) ||
	    change_is_current(r->change->core)) {
		*words = "another change is under way";
		return "busy";
	}
	return NULL;
}

void
ringd_change_fail(
    struct ringd *r, uint64_t cookie, const char *code, const char *words)
{
	struct ringd_change *c = r->change;

	c->code = code;
	snprintf(c->words, sizeof c->words, "%s", words);
	if (cookie != 0)
		ringd_client_done(r, cookie, &(struct group_pos){ 0 });
}

void
ringd_change_propose(struct ringd *r, const struct ringd_change_proposal *p)
{
	struct ringd_change *c = r->change;

	switch (change_propose(c->core, p->kind, p->body, p->len)) {
	case CHANGE_E_BUSY:
		ringd_change_fail(
		    r, p->cookie, "busy", "another change is under way");
		return;
	case CHANGE_E_VIEW:
		ringd_change_fail(
		    r, p->cookie, "reformed", "the ring is forming");
		return;
	default:
		break;
	}
	c->asked = p->kind;
	c->code = NULL;
	c->cookie = p->cookie;
	c->deadline_ns =
	    r->now_ns + (p->patience_ns != 0 ? p->patience_ns : CHANGE_NS);
	c->is_cancelled = false;
}

/* ---- the answer -------------------------------------------------------- */

const char *
ringd_change_name(const struct ringd *r, uint32_t node)
{
	for (uint32_t i = 0; i < r->conf->node_count; i++)
		if (r->conf->nodes[i].id == node)
			return r->conf->nodes[i].name;
	return "";
}

static void
put_member(struct ringd *r, struct svc_client *client, const char *tag,
    const struct change_member *member)
{
	static const char *const results[] = { "none", "ok", "no" };
	char bytes[LINE_BYTES];
	struct text out;

	text_init(&out, bytes, sizeof bytes);
	svc_put_tag(&out, tag);
	text_put(&out, "item ");
	if (is_reload(r->change->asked))
		ringd_reload_put(r, &out);
	else
		ringd_keys_put(r, &out);
	text_put(&out, " node=");
	text_put_u64(&out, member->node);
	text_put(&out, " name=");
	text_put(&out, ringd_change_name(r, member->node));
	text_put(&out, " result=");
	text_put(&out, results[member->ballot]);
	if (member->text[0] != '\0')
		text_put_char(&out, ' ');
	text_put(&out, member->text);
	text_put_char(&out, '\n');
	svc_put(client, out.bytes, out.len);
}

void
ringd_change_answer(struct ringd *r, struct svc_client *client, const char *tag)
{
	static const struct {
		const char *code, *msg;
	} failures[CHANGE_OUTCOMES] = {
		[CHANGE_REFUSED] = { "refused", "a node would not" },
		[CHANGE_BUSY] = { "busy", "another change is under way" },
		[CHANGE_VIEW] = { "reformed", "the ring formed anew" },
		[CHANGE_CANCELLED] = { "late", "a node did not answer" },
	};
	const enum change_outcome outcome = r->change->outcome;
	struct change_member member;
	uint32_t items = 0;

	if (r->change->code != NULL) {
		svc_err(client, tag, r->change->code, "%s", r->change->words);
		return;
	}
	if (change_is_own(r->change->core))
		for (; change_member(r->change->core, items, &member); items++)
			put_member(r, client, tag, &member);
	if (outcome != CHANGE_COMMITTED)
		svc_err(client, tag, failures[outcome].code, "%s",
		    failures[outcome].msg);
	else if (is_reload(r->change->asked))
		ringd_reload_done(r, client, tag, items);
	else
		svc_ok(client, tag, "n=%u", items);
}
