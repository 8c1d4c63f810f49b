/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/quorum_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "tests/unit/quorum_world_internal.h"

/* ---- the world --------------------------------------------------------- */

struct quorum_world *
quorum_world_open(const struct quorum_config *cfg)
{
	struct quorum_world *w = calloc(1, sizeof *w);
	struct arena measure;

	ENSURE(w != NULL);
	w->cfg = *cfg;
	w->now_ns = UINT64_C(1000000000);
	w->view_seq = 100;
	arena_init(&measure, NULL, 0);
	w->cfg.self = cfg->node[0].id;
	(void)quorum_create(&measure, &w->cfg, NULL, 0);
	w->core_bytes = num_round_up(measure.used_bytes + 64, 64);
	w->node = calloc(cfg->node_count, sizeof w->node[0]);
	ENSURE(w->node != NULL);
	for (size_t i = 0; i < cfg->node_count; i++) {
		w->node[i].memory = aligned_alloc(64, w->core_bytes);
		ENSURE(w->node[i].memory != NULL);
	}
	return w;
}

static void
empty(struct node *node)
{
	while (node->out_count > 0) {
		free(node->outbox[node->out_first].bytes);
		node->out_first = (node->out_first + 1) % OUTBOX_MAX;
		node->out_count--;
	}
	node->in_first = node->in_count = 0;
}

void
quorum_world_close(struct quorum_world *w)
{
	for (size_t i = 0; i < w->cfg.node_count; i++) {
		empty(&w->node[i]);
		free(w->node[i].memory);
	}
	for (size_t i = 0; i < w->view_count; i++) {
		for (size_t k = 0; k < w->views[i]->count; k++)
			free(w->views[i]->log[k].bytes);
		free(w->views[i]);
	}
	free(w->node);
	free(w);
}

static struct view *
add_view(struct quorum_world *w, uint64_t members)
{
	struct view *view = calloc(1, sizeof *view);

	ENSURE(view != NULL && w->view_count < VIEWS_MAX && members != 0);
	view->id.rep = w->cfg.node[__builtin_ctzll(members)].id;
	view->id.seq = ++w->view_seq;
	view->members = members;
	w->views[w->view_count++] = view;
	return view;
}

static void
append(struct view *view, struct entry entry)
{
	ENSURE(view->count < LOG_MAX);
	view->log[view->count++] = entry;
}

/* A node that puts something in order has all that was before it. */
static void
append_by(struct node *node, struct entry entry)
{
	append(node->view, entry);
	node->received = node->view->count;
}

/* ---- to the core ------------------------------------------------------- */

static void
push(struct node *node, const struct inbox *input)
{
	if (node->core == NULL)
		return;
	ENSURE(node->in_count < INBOX_MAX);
	node->inbox[(node->in_first + node->in_count++) % INBOX_MAX] = *input;
}

static void
push_view(struct node *node, uint64_t along, uint64_t leavers)
{
	struct inbox input = { .kind = QUORUM_IN_VIEW,
		.view = node->view->id,
		.members = node->view->members,
		.along = along,
		.leavers = leavers };

	push(node, &input);
}

static void
push_group(struct node *node, size_t at)
{
	struct inbox input = { .kind = QUORUM_IN_GROUP,
		.group = node->group,
		.pos = { .view = node->view->id, .seq = at } };

	push(node, &input);
}

/* ---- from the core ----------------------------------------------------- */

static void
go(struct quorum_world *w, size_t i)
{
	struct node *node = &w->node[i];

	empty(node);
	node->core = NULL;
	node->is_on = node->is_leaving = false;
}

static void
carry_out(struct quorum_world *w, size_t i, const struct quorum_effect *effect)
{
	struct node *node = &w->node[i];
	struct outbox *out;

	switch (effect->kind) {
	case QUORUM_OUT_PUBLISH:
		ENSURE(node->out_count < OUTBOX_MAX);
		out = &node->outbox[(node->out_first + node->out_count++) %
		    OUTBOX_MAX];
		out->view = effect->publish.if_view;
		out->len = effect->publish.len;
		out->bytes = malloc(out->len + 1);
		ENSURE(out->bytes != NULL);
		memcpy(out->bytes, effect->publish.bytes, out->len);
		break;
	case QUORUM_OUT_KEEP:
		memcpy(node->kept, effect->keep.bytes, effect->keep.len);
		node->kept_len = effect->keep.len;
		node->kept_inc = node->inc;
		break;
	case QUORUM_OUT_TRACK:
		node->tracked = effect->track;
		break;
	case QUORUM_OUT_ANSWER:
		node->answer = effect->answer.code;
		break;
	case QUORUM_OUT_RECORD: /* its file stays as it is */
	case QUORUM_OUT_VERDICT:
	case QUORUM_EFFECTS:
		break;
	}
}

static void
step(struct quorum_world *w, size_t i, struct quorum_input *in)
{
	struct node *node = &w->node[i];
	struct quorum_effect effect;

	in->now_ns = w->now_ns;
	quorum_step(node->core, in);
	while (quorum_next(node->core, &effect))
		carry_out(w, i, &effect);
	quorum_check(node->core);
	if (node->is_leaving && node->answer != QUORUM_ANSWERS) {
		node->has_left = true;
		go(w, i);
	}
}

void
quorum_world_ask(struct quorum_world *w, size_t i, struct quorum_input *in)
{
	if (w->node[i].core == NULL)
		return;
	w->node[i].answer = QUORUM_ANSWERS;
	in->cookie = ++w->cookies;
	step(w, i, in);
}

/* ---- machines and daemons ---------------------------------------------- */

static void
start_core(struct quorum_world *w, size_t i)
{
	struct node *node = &w->node[i];
	bool has_kept = node->kept_len > 0 && node->kept_inc == node->inc;
	struct quorum_config cfg = w->cfg;
	struct arena arena;

	cfg.self = cfg.node[i].id;
	cfg.tracked = node->tracked;
	arena_init(&arena, node->memory, w->core_bytes);
	node->core = quorum_create(&arena, &cfg, has_kept ? node->kept : NULL,
	    has_kept ? node->kept_len : 0);
	ENSURE(node->core != NULL);
	node->answer = QUORUM_ANSWERS;
	push_view(node, 0, 0);
	push_group(node, node->delivered);
	append_by(node, (struct entry){ .kind = ENTRY_JOIN, .sender = i });
}

void
quorum_world_start(struct quorum_world *w, size_t i)
{
	struct node *node = &w->node[i];

	ENSURE(!node->is_on);
	node->is_on = true;
	node->has_left = false;
	node->inc = ++w->incs;
	node->view = add_view(w, BIT(i));
	node->received = node->delivered = 0;
	node->group = 0;
	start_core(w, i);
}

void
quorum_world_crash(struct quorum_world *w, size_t i)
{
	go(w, i);
}

void
quorum_world_leave(struct quorum_world *w, size_t i)
{
	struct quorum_input in = { .kind = QUORUM_IN_LEAVE };

	if (w->node[i].core == NULL)
		return;
	w->node[i].is_leaving = true;
	quorum_world_ask(w, i, &in);
}

void
quorum_world_kill(struct quorum_world *w, size_t i)
{
	struct node *node = &w->node[i];

	if (node->core == NULL)
		return;
	empty(node);
	node->core = NULL;
	node->is_leaving = false;
	append_by(node, (struct entry){ .kind = ENTRY_LEAVE, .sender = i });
}

void
quorum_world_restart(struct quorum_world *w, size_t i)
{
	quorum_world_kill(w, i);
	start_core(w, i);
}

bool
quorum_world_is_on(const struct quorum_world *w, size_t i)
{
	return w->node[i].is_on;
}

bool
quorum_world_has_core(const struct quorum_world *w, size_t i)
{
	return w->node[i].core != NULL;
}

/* ---- order and delivery ------------------------------------------------ */

bool
quorum_world_order(struct quorum_world *w, size_t i)
{
	struct node *node = &w->node[i];
	struct outbox *out = &node->outbox[node->out_first];

	if (!node->is_on || node->out_count == 0)
		return false;
	node->out_first = (node->out_first + 1) % OUTBOX_MAX;
	node->out_count--;
	if (out->view.seq != node->view->id.seq)
		free(out->bytes);
	else
		append_by(node,
		    (struct entry){ .kind = ENTRY_MESSAGE,
			.sender = i,
			.bytes = out->bytes,
			.len = out->len });
	return true;
}

bool
quorum_world_receive(struct quorum_world *w, size_t i)
{
	struct node *node = &w->node[i];

	if (!node->is_on || node->received == node->view->count)
		return false;
	node->received++;
	return true;
}

static void
deliver_entry(struct node *node, bool is_transitional)
{
	size_t at = node->delivered++;
	const struct entry *entry = &node->view->log[at];
	struct inbox input = { .kind = QUORUM_IN_MESSAGE,
		.sender = entry->sender,
		.is_transitional = is_transitional,
		.pos = { .view = node->view->id, .seq = at + 1 },
		.bytes = entry->bytes,
		.len = entry->len };
	uint64_t group = node->group;

	switch (entry->kind) {
	case ENTRY_MESSAGE:
		push(node, &input);
		return;
	case ENTRY_JOIN:
		group |= BIT(entry->sender);
		break;
	case ENTRY_LEAVE:
		group &= ~BIT(entry->sender);
		break;
	case ENTRY_ANNOUNCE:
		group |= entry->set;
		break;
	}
	if (group == node->group)
		return;
	node->group = group;
	if (is_transitional)
		node->is_group_due = true;
	else
		push_group(node, at + 1);
}

/* Whoever does not answer any more holds safe messages up. */
static bool
is_safe(const struct quorum_world *w, const struct view *view, size_t at)
{
	for (size_t i = 0; i < w->cfg.node_count; i++)
		if ((view->members & BIT(i)) &&
		    (!w->node[i].is_on || w->node[i].view != view ||
			w->node[i].received <= at))
			return false;
	return true;
}

bool
quorum_world_deliver(struct quorum_world *w, size_t i)
{
	struct node *node = &w->node[i];

	if (!node->is_on || node->delivered == node->received)
		return false;
	if (node->view->log[node->delivered].kind == ENTRY_MESSAGE &&
	    !is_safe(w, node->view, node->delivered))
		return false;
	deliver_entry(node, false);
	return true;
}

bool
quorum_world_read(struct quorum_world *w, size_t i)
{
	struct node *node = &w->node[i];
	uint32_t ids[3][LIMIT_NODES];
	struct quorum_input in = { 0 };
	struct inbox input;
	size_t *counts[3] = { &in.view.member_count, &in.view.along_count,
		&in.view.leaver_count };

	if (node->core == NULL || node->in_count == 0)
		return false;
	input = node->inbox[node->in_first];
	node->in_first = (node->in_first + 1) % INBOX_MAX;
	node->in_count--;
	in.kind = input.kind;
	if (input.kind == QUORUM_IN_MESSAGE) {
		in.message.sender = w->cfg.node[input.sender].id;
		in.message.pos = input.pos;
		in.message.is_transitional = input.is_transitional;
		in.message.bytes = input.bytes;
		in.message.len = input.len;
	} else if (input.kind == QUORUM_IN_GROUP) {
		in.group.pos = input.pos;
		in.group.node = ids[0];
		for (size_t k = 0; k < w->cfg.node_count; k++)
			if (input.group & BIT(k))
				ids[0][in.group.node_count++] =
				    w->cfg.node[k].id;
	} else {
		uint64_t sets[3] = { input.members, input.along,
			input.leavers };
		in.view.id = input.view;
		in.view.member = ids[0];
		in.view.along = ids[1];
		in.view.leaver = ids[2];
		for (size_t s = 0; s < 3; s++)
			for (size_t k = 0; k < w->cfg.node_count; k++)
				if (sets[s] & BIT(k))
					ids[s][(*counts[s])++] =
					    w->cfg.node[k].id;
	}
	step(w, i, &in);
	return true;
}

bool
quorum_world_time(struct quorum_world *w, size_t i)
{
	struct quorum_input in = { .kind = QUORUM_IN_TIME };

	if (w->node[i].core == NULL ||
	    quorum_deadline_ns(w->node[i].core) > w->now_ns)
		return false;
	step(w, i, &in);
	return true;
}

/* ---- views ------------------------------------------------------------- */

/* Those of one ring that go on together deliver what any of them has. */
static void
end_view(struct quorum_world *w, uint64_t set)
{
	size_t received = 0, regular = 0;

	for (size_t i = 0; i < w->cfg.node_count; i++)
		if (set & BIT(i)) {
			received = num_max(received, w->node[i].received);
			regular = num_max(regular, w->node[i].delivered);
		}
	for (size_t i = 0; i < w->cfg.node_count; i++)
		if (set & BIT(i))
			while (w->node[i].delivered < received)
				deliver_entry(&w->node[i],
				    w->node[i].delivered >= regular);
}

static uint64_t
gone_cleanly(const struct quorum_world *w, uint64_t members)
{
	uint64_t set = 0;

	for (size_t i = 0; i < w->cfg.node_count; i++)
		if ((members & BIT(i)) && !w->node[i].is_on &&
		    w->node[i].has_left)
			set |= BIT(i);
	return set;
}

/* Its ring is made of whom it says. */
static bool
is_current(const struct quorum_world *w, const struct view *view)
{
	for (size_t i = 0; i < w->cfg.node_count; i++)
		if ((view->members & BIT(i)) &&
		    (!w->node[i].is_on || w->node[i].view != view))
			return false;
	return true;
}

static bool
has_announced(const struct quorum_world *w, uint64_t set)
{
	const struct node *node = &w->node[__builtin_ctzll(set)];

	return node->delivered >= node->view->announced;
}

/* Each for itself: it knows its own quorumd. */
static void
announce(const struct quorum_world *w, struct view *view, uint64_t set)
{
	for (size_t i = 0; i < w->cfg.node_count; i++)
		if (set & w->node[i].group & BIT(i))
			append(view,
			    (struct entry){
				.kind = ENTRY_ANNOUNCE, .set = BIT(i) });
}

static void
enter(struct quorum_world *w, size_t i, struct view *view, uint64_t along)
{
	struct node *node = &w->node[i];
	uint64_t leavers = gone_cleanly(w, node->view->members);

	node->view = view;
	node->received = node->delivered = 0;
	node->group &= along;
	push_view(node, along, leavers);
	if (node->is_group_due)
		push_group(node, 0);
	node->is_group_due = false;
}

/* One new ring, of nodes that come from several. */
static void
form(struct quorum_world *w, uint64_t members)
{
	struct view *view = add_view(w, members);
	uint64_t left = members;

	while (left != 0) {
		struct view *old = w->node[__builtin_ctzll(left)].view;
		uint64_t set = 0;

		for (size_t i = 0; i < w->cfg.node_count; i++)
			if ((members & BIT(i)) && w->node[i].view == old)
				set |= BIT(i);
		left &= ~set;
		end_view(w, set);
		if (set != members || !has_announced(w, set))
			announce(w, view, set);
		for (size_t i = 0; i < w->cfg.node_count; i++)
			if (set & BIT(i))
				enter(w, i, view, set);
	}
	view->announced = view->count;
}

void
quorum_world_part(struct quorum_world *w, const unsigned *side)
{
	uint64_t done = 0;

	for (size_t i = 0; i < w->cfg.node_count; i++) {
		uint64_t members = 0;

		if (!w->node[i].is_on || (done & BIT(i)))
			continue;
		for (size_t k = i; k < w->cfg.node_count; k++)
			if (w->node[k].is_on && side[k] == side[i])
				members |= BIT(k);
		done |= members;
		if (members != w->node[i].view->members ||
		    !is_current(w, w->node[i].view))
			form(w, members);
	}
}

void
quorum_world_sides(struct quorum_world *w, const char *sides)
{
	unsigned side[LIMIT_NODES], number = 0;

	for (size_t i = 0; i < LIMIT_NODES; i++)
		side[i] = 1000 + (unsigned)i;
	for (const char *at = sides; *at != '\0'; at++)
		if (*at == '|')
			number++;
		else
			side[*at - '1'] = number;
	quorum_world_part(w, side);
}

/* ---- time -------------------------------------------------------------- */

void
quorum_world_sleep(struct quorum_world *w, uint64_t ns)
{
	w->now_ns += ns;
}

void
quorum_world_settle(struct quorum_world *w, uint64_t nodes)
{
	for (bool is_busy = true; is_busy;) {
		is_busy = false;
		for (size_t i = 0; i < w->cfg.node_count; i++) {
			if (!(nodes & BIT(i)))
				continue;
			while (quorum_world_receive(w, i) ||
			    quorum_world_deliver(w, i) ||
			    quorum_world_read(w, i) ||
			    quorum_world_order(w, i) || quorum_world_time(w, i))
				is_busy = true;
		}
	}
}

void
quorum_world_run(struct quorum_world *w, uint64_t ns)
{
	for (uint64_t end_ns = w->now_ns + ns; w->now_ns < end_ns;) {
		quorum_world_settle(w, UINT64_MAX);
		w->now_ns = num_min(end_ns, w->now_ns + 50000000);
	}
	quorum_world_settle(w, UINT64_MAX);
}

/* ---- what is so -------------------------------------------------------- */

enum quorum_answer
quorum_world_answer(const struct quorum_world *w, size_t i)
{
	return w->node[i].answer;
}

struct parse_view
quorum_world_view(const struct quorum_world *w, size_t i)
{
	return w->node[i].view->id;
}

uint64_t
quorum_world_members(const struct quorum_world *w, size_t i)
{
	return w->node[i].is_on ? w->node[i].view->members : 0;
}

bool
quorum_world_is_settled(const struct quorum_world *w, size_t i)
{
	return quorum_is_settled(w->node[i].core, w->now_ns);
}

struct quorum *
quorum_world_core(struct quorum_world *w, size_t i)
{
	return w->node[i].core;
}

bool
quorum_world_is_quorate(const struct quorum_world *w, size_t i)
{
	struct quorum_verdict verdict;

	if (w->node[i].core == NULL)
		return false;
	quorum_verdict_now(w->node[i].core, &verdict);
	return verdict.is_known && verdict.is_quorate;
}

/* It says yes, of all that it could know. */
static bool
is_counted(const struct quorum_world *w, size_t i)
{
	return quorum_world_is_quorate(w, i) && w->node[i].in_count == 0 &&
	    is_current(w, w->node[i].view);
}

bool
quorum_world_is_split(const struct quorum_world *w, char *why, size_t why_size)
{
	for (size_t a = 0; a < w->cfg.node_count; a++)
		for (size_t b = 0; b < a; b++) {
			const struct view *one, *other;

			if (!is_counted(w, a) || !is_counted(w, b))
				continue;
			one = w->node[a].view;
			other = w->node[b].view;
			if (one->members & other->members)
				continue;
			snprintf(why, why_size,
			    "nodes %zu (of %#llx) and %zu (of %#llx)", a + 1,
			    (unsigned long long)one->members, b + 1,
			    (unsigned long long)other->members);
			return true;
		}
	return false;
}
