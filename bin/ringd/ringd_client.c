/* SPDX-License-Identifier: BSD-3-Clause */
/* Clients, and the replies that wait for the ring.
 *
 * Replies of a client go out in the order of its requests: each request that
 * waits has a place in its client's list, and only the first of the list is
 * ever answered.  The groups know a request by its cookie, its place in the
 * table plus one.  A client that goes leaves its requests behind as orphans,
 * for the groups still answer them.
 */
#include "bin/ringd/ringd_client.h"

#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/svc.h"
#include "libcommon/os/unixsock.h"

#include "bin/ringd/ringd.h"
#include "bin/ringd/ringd_change.h"
#include "bin/ringd/ringd_client_internal.h"

static_assert(
    (int)LIMIT_CLIENTS < (int)RINGD_CLIENT_ORPHAN, "a client fits a byte");

struct ringd_client_table *
ringd_client_create(struct arena *arena)
{
	struct ringd_client_table *table = arena_take(arena, sizeof *table);

	if (table == NULL)
		return NULL;
	for (uint32_t i = 0; i < RINGD_CLIENT_PENDING_ALL; i++)
		table->pending[i].next = i + 1 < RINGD_CLIENT_PENDING_ALL
		    ? i + 1
		    : RINGD_PENDING_NONE;
	return table;
}

/* ---- coming and going -------------------------------------------------- */

struct ringd_client *
ringd_client_of(const struct svc_client *client)
{
	return svc_client_user(client);
}

struct ringd_client *
ringd_client_find(struct ringd *r, uint32_t conn)
{
	for (uint32_t i = 0; i < LIMIT_CLIENTS; i++) {
		struct ringd_client *c = r->clients->clients[i];

		if (c != NULL && c->conn == conn)
			return c;
	}
	return NULL;
}

void
ringd_client_opened(struct ringd *r, struct svc_client *client)
{
	const struct unixsock_peer *peer = svc_client_peer(client);
	struct ringd_client *c = ringd_client_of(client);
	uint32_t i = 0;

	while (r->clients->clients[i] != NULL)
		ENSURE(++i < LIMIT_CLIENTS);
	r->clients->clients[i] = c;
	r->clients->clients_end =
	    (uint32_t)num_max(r->clients->clients_end, i + 1);
	memset(c, 0, sizeof *c);
	c->svc = client;
	c->index = i;
	c->conn = c->speaks_for = svc_client_id(client);
	c->pending_first = c->pending_last = RINGD_PENDING_NONE;
	ringd_group_step(r,
	    &(struct group_input){ .kind = GROUP_IN_OPEN,
		.conn = c->conn,
		.open = { .pid = (uint32_t)peer->pid, .uid = peer->uid } });
}

void
ringd_client_closed(struct ringd *r, struct svc_client *client)
{
	struct ringd_client *c = ringd_client_of(client);
	uint32_t i;

	for (i = c->pending_first; i != RINGD_PENDING_NONE;
	     i = r->clients->pending[i].next)
		r->clients->pending[i].client = RINGD_CLIENT_ORPHAN;
	for (i = 0; i < RINGD_CLIENT_SUBS; i++)
		r->tick_wants -= c->subs[i].has_tick;
	r->clients->clients[c->index] = NULL;
	while (r->clients->clients_end > 0 &&
	    r->clients->clients[r->clients->clients_end - 1] == NULL)
		r->clients->clients_end--;
	for (i = 0; i < LIMIT_CLIENTS; i++) {
		struct ringd_client *other = r->clients->clients[i];

		if (other != NULL && other->speaks_for == c->conn)
			svc_client_close(other->svc);
	}
	ringd_group_step(r,
	    &(struct group_input){ .kind = GROUP_IN_CLOSE, .conn = c->conn });
}

uint32_t
ringd_client_groups(struct ringd *r, const struct ringd_client *c)
{
	const uint32_t self = r->conf->nodes[r->conf->self].id;
	uint32_t count = 0;

	for (size_t i = 0; i < group_total(r->groups); i++)
		if (group_member_find(r->groups, i, self, c->conn) != NULL)
			count++;
	return count;
}

/* ---- replies under way ------------------------------------------------- */

bool
ringd_client_is_busy(const struct ringd_client *c)
{
	return c->pending_count > 0;
}

static void
free_pending(struct ringd_client_table *table, uint32_t i)
{
	table->pending[i].next = table->pending_free;
	table->pending_free = i;
}

uint64_t
ringd_client_pend(struct ringd *r, struct ringd_client *c, const char *tag,
    enum ringd_pending_kind kind)
{
	struct ringd_client_table *table = r->clients;
	uint32_t i = table->pending_free;
	struct ringd_pending *p;

	if (i == RINGD_PENDING_NONE || c->pending_count >= RINGD_CLIENT_PENDING)
		return 0;
	p = &table->pending[i];
	table->pending_free = p->next;
	p->next = RINGD_PENDING_NONE;
	p->client = (uint8_t)c->index;
	p->kind = (uint8_t)kind;
	p->state = RINGD_PENDING_WAITING;
	p->tag[0] = '\0';
	if (tag != NULL) {
		ENSURE(strlen(tag) < sizeof p->tag);
		memcpy(p->tag, tag, strlen(tag) + 1);
	}
	if (c->pending_last == RINGD_PENDING_NONE)
		c->pending_first = i;
	else
		table->pending[c->pending_last].next = i;
	c->pending_last = i;
	c->pending_count++;
	svc_client_hold(c->svc, 1);
	return (uint64_t)i + 1;
}

static struct ringd_pending *
get_pending(struct ringd *r, uint64_t cookie)
{
	ENSURE(cookie >= 1 && cookie <= RINGD_CLIENT_PENDING_ALL);
	return &r->clients->pending[cookie - 1];
}

/* Takes the first one off the client's list. */
static void
drop_first(struct ringd *r, struct ringd_client *c)
{
	uint32_t i = c->pending_first;

	c->pending_first = r->clients->pending[i].next;
	if (c->pending_first == RINGD_PENDING_NONE)
		c->pending_last = RINGD_PENDING_NONE;
	c->pending_count--;
	free_pending(r->clients, i);
	svc_client_hold(c->svc, -1);
	r->is_resumed = true;
}

void
ringd_client_unpend(struct ringd *r, uint64_t cookie)
{
	struct ringd_client *c =
	    r->clients->clients[get_pending(r, cookie)->client];
	uint32_t last = (uint32_t)(cookie - 1), i = c->pending_first;

	/* It is the last one, and the list is short: the ring is full. */
	ENSURE(c->pending_last == last);
	if (i == last) {
		drop_first(r, c);
		return;
	}
	while (r->clients->pending[i].next != last)
		i = r->clients->pending[i].next;
	r->clients->pending[i].next = RINGD_PENDING_NONE;
	c->pending_last = i;
	c->pending_count--;
	free_pending(r->clients, last);
	svc_client_hold(c->svc, -1);
}

static void
put_ok(struct ringd *r, struct ringd_client *c, const struct ringd_pending *p)
{
	char bytes[160];
	struct text out;
	const char *tag = p->tag[0] != '\0' ? p->tag : NULL;

	if (p->kind == RINGD_PENDING_NODES) {
		ringd_change_answer(r, c->svc, tag);
		return;
	}
	text_init(&out, bytes, sizeof bytes);
	svc_put_tag(&out, tag);
	text_put(&out, "ok");
	if (p->kind != RINGD_PENDING_PUB_NONE) {
		text_put(&out, " pos=");
		ringd_client_put_pos(&out, &p->pos);
	}
	if (p->kind == RINGD_PENDING_PUB) {
		text_put(&out, " phase=");
		text_put(&out, ringd_client_phase(p->pos.phase));
	}
	text_put_char(&out, '\n');
	ENSURE(!out.is_full);
	svc_put(c->svc, out.bytes, out.len);
}

/* Answers what can be answered without overtaking anything. */
static void
answer(struct ringd *r, struct ringd_client *c)
{
	while (c->pending_first != RINGD_PENDING_NONE) {
		struct ringd_pending *p =
		    &r->clients->pending[c->pending_first];
		const char *tag = p->tag[0] != '\0' ? p->tag : NULL;

		if (p->state == RINGD_PENDING_WAITING)
			return;
		if (p->state == RINGD_PENDING_DONE)
			put_ok(r, c, p);
		else
			ringd_client_refuse(
			    r, c, tag, (enum group_failure)p->failure);
		drop_first(r, c);
	}
}

static void
finish(struct ringd *r, uint64_t cookie, enum ringd_pending_state state)
{
	struct ringd_pending *p = get_pending(r, cookie);

	ENSURE(p->state == RINGD_PENDING_WAITING);
	p->state = (uint8_t)state;
	if (p->client == RINGD_CLIENT_ORPHAN)
		free_pending(r->clients, (uint32_t)(cookie - 1));
	else
		answer(r, r->clients->clients[p->client]);
}

void
ringd_client_accepted(struct ringd *r, uint64_t cookie)
{
	finish(r, cookie, RINGD_PENDING_DONE);
}

void
ringd_client_done(struct ringd *r, uint64_t cookie, const struct group_pos *pos)
{
	get_pending(r, cookie)->pos = *pos;
	finish(r, cookie, RINGD_PENDING_DONE);
}

void
ringd_client_failed(
    struct ringd *r, uint64_t cookie, enum group_failure failure)
{
	get_pending(r, cookie)->failure = (uint8_t)failure;
	finish(r, cookie, RINGD_PENDING_FAILED);
}

static void
refuse_view(struct ringd *r, struct ringd_client *c, const char *tag)
{
	char bytes[128];
	struct totem_status status;
	struct text out;

	totem_status(r->totem, r->now_ns, &status);
	text_init(&out, bytes, sizeof bytes);
	svc_put_tag(&out, tag);
	text_put(&out, "no code=view view=");
	totem_ring_text(status.ring, &out);
	text_put_char(&out, '\n');
	svc_put(c->svc, out.bytes, out.len);
}

void
ringd_client_refuse(struct ringd *r, struct ringd_client *c, const char *tag,
    enum group_failure failure)
{
	switch (failure) {
	case GROUP_FAIL_VIEW:
		refuse_view(r, c, tag);
		break;
	case GROUP_FAIL_AGAIN:
		svc_err(c->svc, tag, "full", "the ring is full or forming");
		break;
	case GROUP_FAIL_TOO_LONG:
		svc_err(c->svc, tag, "toolong", "message: too long");
		break;
	case GROUP_FAIL_NAME:
		svc_err(c->svc, tag, "usage", "group or name: too long");
		break;
	case GROUP_FAIL_MEMBER:
		svc_no(c->svc, tag, "member");
		break;
	case GROUP_FAIL_NOT_MEMBER:
		svc_no(c->svc, tag, "notmember");
		break;
	case GROUP_FAIL_LEAVING:
		svc_err(c->svc, tag, "busy", "its leave is under way");
		break;
	case GROUP_FAIL_FULL:
	case GROUP_FAILURES:
		svc_err(c->svc, tag, "busy", "too many groups or members");
		break;
	}
}

/* ---- subscriptions ----------------------------------------------------- */

static struct ringd_sub *
find_sub(struct ringd_client *c, uint32_t id)
{
	for (uint32_t i = 0; i < RINGD_CLIENT_SUBS; i++)
		if (c->subs[i].kind != RINGD_SUB_NONE && c->subs[i].id == id)
			return &c->subs[i];
	return NULL;
}

struct ringd_sub *
ringd_client_sub(struct ringd_client *c, uint32_t id)
{
	if (id != 0 && find_sub(c, id) != NULL)
		return NULL;
	for (uint32_t any = 1; id == 0; any++)
		if (find_sub(c, any) == NULL)
			id = any;
	for (uint32_t i = 0; i < RINGD_CLIENT_SUBS; i++) {
		if (c->subs[i].kind != RINGD_SUB_NONE)
			continue;
		c->subs[i] = (struct ringd_sub){ .id = id };
		return &c->subs[i];
	}
	return NULL;
}
