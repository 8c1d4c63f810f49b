/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Invariants: what is current, and what was voted of it, is a function of the
 * regular view and of the messages delivered in it, alike at all its members.
 * `asked` is this node's own business: its proposal until the end of that.
 */
#include "bin/ringd/change.h"

#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/ringd/change_wire.h"

enum { CHANGE_QUEUE = 4 }; /* effects of one input */

struct change_voter {
	uint32_t node;
	uint64_t incarnation;
	enum change_ballot ballot;
	char text[CHANGE_TEXT_BYTES_MAX + 1];
};

struct change_out {
	size_t len;
	uint8_t bytes[CHANGE_WIRE_BYTES_MAX];
};

struct change {
	uint32_t self;
	uint64_t incarnation;
	uint64_t number; /* of this node's last proposal */

	bool has_view; /* in a regular one, not behind it */
	struct totem_view view;

	bool is_current;
	struct change_id id;
	uint8_t kind;
	uint8_t body[CHANGE_BODY_BYTES_MAX];
	size_t len;
	uint32_t voter_count; /* of the latest change */
	struct change_voter voters[LIMIT_NODES];

	bool is_asked;
	struct change_id asked;

	struct change_out outbox[CHANGE_WIRE_KINDS]; /* len 0: none */
	struct change_effect queue[CHANGE_QUEUE];
	uint32_t queue_at, queue_count;
	uint64_t malformed;
};

struct change *
change_create(struct arena *arena, uint32_t self, uint64_t incarnation)
{
	struct change *c = arena_take(arena, sizeof *c);

	if (c == NULL)
		return NULL;
	memset(c, 0, sizeof *c);
	c->self = self;
	c->incarnation = incarnation;
	return c;
}

const char *
change_outcome_name(enum change_outcome outcome)
{
	static const char *const names[] = { "committed", "refused", "busy",
		"view", "cancelled" };

	ENSURE(outcome < CHANGE_OUTCOMES);
	return names[outcome];
}

static bool
change_same(const struct change_id *a, const struct change_id *b)
{
	return a->node == b->node && a->incarnation == b->incarnation &&
	    a->number == b->number;
}

/* ---- what comes of it -------------------------------------------------- */

static void
change_emit(
    struct change *c, enum change_effect_kind kind, enum change_outcome outcome)
{
	ENSURE(c->queue_count < CHANGE_QUEUE);
	c->queue[c->queue_count++] = (struct change_effect){
		.kind = kind,
		.id = kind == CHANGE_OUT_RESULT ? c->asked : c->id,
		.outcome = outcome,
		.change = c->kind,
		.body = c->body,
		.len = c->len,
	};
}

static void
change_begin(struct change *c)
{
	ENSURE(c->queue_at == c->queue_count);
	c->queue_at = c->queue_count = 0;
}

bool
change_next(struct change *c, struct change_effect *out)
{
	if (c->queue_at == c->queue_count)
		return false;
	*out = c->queue[c->queue_at++];
	return true;
}

/* This node's own proposal came to an end. */
static void
change_answer(struct change *c, enum change_outcome outcome)
{
	c->is_asked = false;
	change_emit(c, CHANGE_OUT_RESULT, outcome);
}

static void
change_end(struct change *c, enum change_outcome outcome)
{
	c->is_current = false;
	change_emit(c,
	    outcome == CHANGE_COMMITTED ? CHANGE_OUT_COMMIT : CHANGE_OUT_ABORT,
	    outcome);
	if (c->is_asked && change_same(&c->id, &c->asked))
		change_answer(c, outcome);
}

/* ---- messages ---------------------------------------------------------- */

/*
 * One of a kind waits: a second VOTE, or CANCEL, is of a later change, and the
 * first of one that is over.
 */
static void
change_put(struct change *c, const struct change_wire *wire)
{
	struct change_out *out = &c->outbox[wire->kind];
	struct wrbuf wr;

	wrbuf_init(&wr, out->bytes, sizeof out->bytes);
	change_wire_encode(wire, &wr);
	out->len = wr.len;
}

static struct change_out *
change_waiting(struct change *c)
{
	for (int kind = CHANGE_WIRE_PROPOSE; kind < CHANGE_WIRE_KINDS; kind++)
		if (c->outbox[kind].len > 0)
			return &c->outbox[kind];
	return NULL;
}

bool
change_message(struct change *c, const uint8_t **bytes, size_t *len)
{
	const struct change_out *out = change_waiting(c);

	if (out == NULL)
		return false;
	*bytes = out->bytes;
	*len = out->len;
	return true;
}

void
change_sent(struct change *c)
{
	struct change_out *out = change_waiting(c);

	ENSURE(out != NULL);
	out->len = 0;
}

/* ---- views ------------------------------------------------------------- */

/*
 * Votes that are delivered in the transitional phase still count; what was not
 * complete by its end never will be.
 */
void
change_view(struct change *c, const struct totem_view *view)
{
	const bool is_regular = view->phase == TOTEM_PHASE_REGULAR;

	change_begin(c);
	c->has_view = is_regular;
	/* All of it was for the view before. */
	while (change_waiting(c) != NULL)
		change_sent(c);
	if (is_regular) {
		c->view = *view;
		if (c->is_current)
			change_end(c, CHANGE_VIEW);
	}
	if (c->is_asked && !(c->is_current && change_same(&c->id, &c->asked)))
		change_answer(c, CHANGE_VIEW);
}

/* ---- this node --------------------------------------------------------- */

int
change_propose(struct change *c, uint8_t kind, const void *body, size_t len)
{
	struct change_wire wire = { .kind = CHANGE_WIRE_PROPOSE,
		.ring = c->view.ring,
		.change = kind,
		.bytes = body,
		.len = len };

	ENSURE(kind > 0 && len <= CHANGE_BODY_BYTES_MAX);
	change_begin(c);
	if (!c->has_view)
		return CHANGE_E_VIEW;
	if (c->is_current || c->is_asked)
		return CHANGE_E_BUSY;
	c->is_asked = true;
	c->asked = wire.id =
	    (struct change_id){ c->self, c->incarnation, ++c->number };
	change_put(c, &wire);
	return 0;
}

void
change_vote(
    struct change *c, const struct change_id *id, bool is_for, const char *text)
{
	struct change_wire wire = { .kind = CHANGE_WIRE_VOTE,
		.id = *id,
		.is_for = is_for,
		.bytes = (const uint8_t *)text,
		.len = num_min(strlen(text), CHANGE_TEXT_BYTES_MAX) };

	change_begin(c);
	if (c->is_current && c->has_view && change_same(id, &c->id))
		change_put(c, &wire);
}

void
change_cancel(struct change *c)
{
	struct change_wire wire = { .kind = CHANGE_WIRE_CANCEL,
		.id = c->asked };

	change_begin(c);
	if (c->is_asked && c->has_view)
		change_put(c, &wire);
}

/* ---- all nodes --------------------------------------------------------- */

static struct change_voter *
change_voter(struct change *c, const struct group_message *message)
{
	for (uint32_t i = 0; i < c->voter_count; i++)
		if (c->voters[i].node == message->node &&
		    c->voters[i].incarnation == message->incarnation)
			return &c->voters[i];
	return NULL;
}

static bool
change_is_of(const struct change_id *id, const struct group_message *message)
{
	return id->node == message->node &&
	    id->incarnation == message->incarnation;
}

static bool
change_is_here(const struct change *c, const struct change_wire *wire)
{
	return c->has_view && wire->ring.seq == c->view.ring.seq &&
	    wire->ring.rep == c->view.ring.rep &&
	    wire->ring.nonce == c->view.ring.nonce;
}

/* One of another view, or of none, is nobody's: its proposer knows. */
static void
change_hear_propose(struct change *c, const struct change_wire *wire)
{
	if (!change_is_here(c, wire))
		return;
	if (c->is_current) {
		if (c->is_asked && change_same(&wire->id, &c->asked))
			change_answer(c, CHANGE_BUSY);
		return;
	}
	c->is_current = true;
	c->id = wire->id;
	c->kind = wire->change;
	c->len = wire->len;
	memcpy(c->body, wire->bytes, wire->len);
	c->voter_count = c->view.members.count;
	for (uint32_t i = 0; i < c->voter_count; i++)
		c->voters[i] = (struct change_voter){
			.node = c->view.members.id[i],
			.incarnation = c->view.incarnation[i],
		};
	change_emit(c, CHANGE_OUT_PREPARE, CHANGE_COMMITTED);
}

static void
change_count(struct change *c)
{
	enum change_outcome outcome = CHANGE_COMMITTED;

	for (uint32_t i = 0; i < c->voter_count; i++) {
		if (c->voters[i].ballot == CHANGE_NO_VOTE)
			return;
		if (c->voters[i].ballot == CHANGE_AGAINST)
			outcome = CHANGE_REFUSED;
	}
	change_end(c, outcome);
}

static void
change_hear_vote(struct change *c, const struct change_wire *wire,
    const struct group_message *message)
{
	struct change_voter *voter = change_voter(c, message);

	if (!c->is_current || !change_same(&wire->id, &c->id) ||
	    voter == NULL || voter->ballot != CHANGE_NO_VOTE)
		return;
	voter->ballot = wire->is_for ? CHANGE_FOR : CHANGE_AGAINST;
	memcpy(voter->text, wire->bytes, wire->len);
	voter->text[wire->len] = '\0';
	change_count(c);
}

void
change_hear(struct change *c, const struct group_message *message)
{
	struct change_wire wire;

	change_begin(c);
	if (!change_wire_decode(message->bytes, message->len, &wire) ||
	    (wire.kind != CHANGE_WIRE_VOTE &&
		!change_is_of(&wire.id, message))) {
		c->malformed++;
		return;
	}
	if (wire.kind == CHANGE_WIRE_PROPOSE)
		change_hear_propose(c, &wire);
	else if (wire.kind == CHANGE_WIRE_VOTE)
		change_hear_vote(c, &wire, message);
	else if (c->is_current && change_same(&wire.id, &c->id))
		change_end(c, CHANGE_CANCELLED);
}

/* ---- what can be asked ------------------------------------------------- */

bool
change_member(const struct change *c, uint32_t i, struct change_member *out)
{
	if (i >= c->voter_count)
		return false;
	*out = (struct change_member){ c->voters[i].node, c->voters[i].ballot,
		c->voters[i].text };
	return true;
}

bool
change_is_own(const struct change *c)
{
	return change_same(&c->id, &c->asked);
}

bool
change_is_current(const struct change *c)
{
	return c->is_current;
}

uint64_t
change_malformed(const struct change *c)
{
	return c->malformed;
}
