/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changes over a modelled ring: each view has one log of SAFE messages, of
 * which every member has received a prefix.  In the regular phase a node may
 * deliver what all have received; when the view ends, those who go on together
 * deliver the same in it, then, in the transitional phase, all that any of
 * them received.  Nodes die, and views split, at any point.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"

#include "bin/ringd/change.h"
#include "tests/unit/check.h"

enum {
	NODES = 4,
	LOG = 512,
	CHANGES = 256, /* that one node prepares in a run */
	RINGS = 160,
	QUEUE = 8, /* messages given to the ring, and not ordered yet */
};

struct message {
	uint32_t node;
	uint64_t incarnation;
	size_t len;
	uint8_t bytes[256];
};

/* A ring, and those who are in it. */
struct ring {
	struct totem_ring_id id;
	uint32_t members; /* bits */
	uint64_t incarnation[NODES];
	uint32_t len;
	struct message log[LOG];
};

/* What a node did with a change. */
struct deed {
	struct change_id id;
	bool is_prepared, is_committed, is_aborted;
	uint32_t ring;   /* in which it was prepared */
	uint32_t group;  /* with whom it left that ring; 0: not yet */
	bool is_regular; /* committed before its ring ended */
};

struct node {
	struct change *c;
	uint8_t *memory;
	bool is_dead;
	uint64_t incarnation;
	uint32_t ring;
	uint32_t received, delivered;
	bool is_in_ring; /* not in its transitional phase */
	bool has_prepare;
	struct change_id prepare;
	bool is_asked;
	uint64_t asked, answered; /* how many */
	uint32_t queued;
	struct message queue[QUEUE]; /* goes on into the next ring */
	uint32_t deed_count;
	struct deed deeds[CHANGES];
};

static struct world {
	struct rng rng;
	struct node nodes[NODES];
	struct ring rings[RINGS];
	uint32_t ring_count;
	uint32_t group_count;   /* of those who left a ring together */
	uint32_t refuse_one_in; /* 0: never */
	uint64_t outcomes[CHANGE_OUTCOMES];
	uint64_t transitional; /* commits of that phase */
} w;

/* ---- effects ----------------------------------------------------------- */

static struct deed *
deed_of(struct node *n, const struct change_id *id)
{
	for (uint32_t i = n->deed_count; i-- > 0;)
		if (n->deeds[i].id.node == id->node &&
		    n->deeds[i].id.incarnation == id->incarnation &&
		    n->deeds[i].id.number == id->number)
			return &n->deeds[i];
	return NULL;
}

static void
on_prepare(struct node *n, const struct change_effect *effect)
{
	CHECK(deed_of(n, &effect->id) == NULL);
	/* Whoever was told that it came to nothing was told the truth. */
	if (effect->id.node == n - w.nodes + 1)
		CHECK(n->is_asked);
	CHECK_MEM(effect->body, effect->len, "body", 4);
	CHECK(n->deed_count == 0 || n->deeds[n->deed_count - 1].is_committed ||
	    n->deeds[n->deed_count - 1].is_aborted);
	if (n->deed_count == CHANGES)
		abort();
	n->deeds[n->deed_count++] =
	    (struct deed){ .id = effect->id, .ring = n->ring };
	n->has_prepare = true;
	n->prepare = effect->id;
}

static void
on_end(struct node *n, const struct change_effect *effect)
{
	struct deed *deed = deed_of(n, &effect->id);

	if (!CHECK(deed != NULL))
		return;
	CHECK(!deed->is_committed && !deed->is_aborted);
	if (effect->kind == CHANGE_OUT_ABORT) {
		CHECK(effect->outcome != CHANGE_COMMITTED);
		deed->is_aborted = true;
		return;
	}
	CHECK(deed->is_prepared);
	deed->is_committed = true;
	deed->is_regular = n->is_in_ring;
	w.transitional += !n->is_in_ring;
}

static void
on_result(struct node *n, const struct change_effect *effect)
{
	struct deed *deed = deed_of(n, &effect->id);
	struct change_member member;
	bool is_committed = effect->outcome == CHANGE_COMMITTED;

	CHECK(n->is_asked);
	n->is_asked = false;
	n->answered++;
	w.outcomes[effect->outcome]++;
	CHECK_EQ(deed != NULL && deed->is_committed, is_committed);
	/* What members say is of this proposal, or is not shown. */
	CHECK_EQ(change_is_own(n->c), deed != NULL);
	for (uint32_t i = 0; change_member(n->c, i, &member); i++) {
		if (is_committed)
			CHECK_EQ(member.ballot, CHANGE_FOR);
		if (member.ballot == CHANGE_AGAINST)
			CHECK_STR(member.text, "no");
	}
}

static void
pull(struct node *n)
{
	struct change_effect effect;

	while (change_next(n->c, &effect)) {
		if (effect.kind == CHANGE_OUT_PREPARE)
			on_prepare(n, &effect);
		else if (effect.kind == CHANGE_OUT_RESULT)
			on_result(n, &effect);
		else
			on_end(n, &effect);
	}
}

/* ---- what nodes do ----------------------------------------------------- */

static void
born(uint32_t i)
{
	struct node *n = &w.nodes[i];
	struct arena arena;

	arena_init(&arena, NULL, 0);
	(void)change_create(&arena, i + 1, 1);
	if (n->memory == NULL)
		n->memory = malloc(arena.used_bytes);
	arena_init(&arena, n->memory, arena.used_bytes);
	n->c = change_create(&arena, i + 1, n->incarnation + 1);
	*n = (struct node){ .c = n->c,
		.memory = n->memory,
		.incarnation = n->incarnation + 1,
		.ring = UINT32_MAX };
}

static void
propose(struct node *n)
{
	int rc = change_propose(n->c, 1, "body", 4);

	pull(n);
	if (rc != 0)
		return;
	CHECK(!n->is_asked);
	n->is_asked = true;
	n->asked++;
}

static void
prepared(struct node *n)
{
	struct deed *deed;
	bool is_for =
	    w.refuse_one_in == 0 || rng_below(&w.rng, w.refuse_one_in) != 0;

	if (!n->has_prepare)
		return;
	n->has_prepare = false;
	deed = deed_of(n, &n->prepare);
	deed->is_prepared = is_for;
	change_vote(n->c, &n->prepare, is_for, is_for ? "yes" : "no");
	pull(n);
}

static void
submit(struct node *n)
{
	struct message *message = &n->queue[n->queued];
	const uint8_t *bytes;
	size_t len;

	if (n->queued == QUEUE || !change_message(n->c, &bytes, &len) ||
	    !CHECK(len <= sizeof message->bytes))
		return;
	*message = (struct message){ .node = (uint32_t)(n - w.nodes) + 1,
		.incarnation = n->incarnation,
		.len = len };
	memcpy(message->bytes, bytes, len);
	change_sent(n->c);
	n->queued++;
}

static void
order(struct node *n)
{
	struct ring *ring = &w.rings[n->ring];

	submit(n);
	if (rng_below(&w.rng, 2) == 0 || n->queued == 0 || !n->is_in_ring ||
	    ring->len == LOG)
		return;
	ring->log[ring->len++] = n->queue[0];
	memmove(n->queue, n->queue + 1, --n->queued * sizeof n->queue[0]);
}

static void
deliver(struct node *n)
{
	const struct message *at = &w.rings[n->ring].log[n->delivered++];

	change_hear(n->c,
	    &(struct group_message){ .node = at->node,
		.incarnation = at->incarnation,
		.bytes = at->bytes,
		.len = at->len });
	pull(n);
}

/* What all members of a ring have received. */
static uint32_t
stable(const struct ring *ring)
{
	uint32_t low = ring->len;

	for (uint32_t i = 0; i < NODES; i++) {
		const struct node *n = &w.nodes[i];

		if (!(ring->members >> i & 1))
			continue;
		if (n->is_dead || &w.rings[n->ring] != ring ||
		    n->incarnation != ring->incarnation[i])
			return 0; /* nothing more becomes so */
		low = (uint32_t)num_min(low, n->received);
	}
	return low;
}

static void
receive(struct node *n)
{
	if (n->ring == UINT32_MAX)
		return;
	if (rng_below(&w.rng, 2) == 0 && n->received < w.rings[n->ring].len)
		n->received++;
	else if (n->delivered < stable(&w.rings[n->ring]))
		deliver(n);
}

/* ---- views ------------------------------------------------------------- */

static void
tell_view(uint32_t i, enum totem_phase phase, uint32_t members)
{
	const struct node *n = &w.nodes[i];
	struct totem_view view = { .phase = phase,
		.ring = w.rings[n->ring].id };

	for (uint32_t k = 0; k < NODES; k++) {
		if (!(members >> k & 1))
			continue;
		view.incarnation[view.members.count] = w.nodes[k].incarnation;
		view.members.id[view.members.count++] = k + 1;
	}
	change_view(n->c, &view);
	pull(&w.nodes[i]);
}

/* Those of the bits who come from one ring leave it, together. */
static void
leave_ring(uint32_t ring, uint32_t bits)
{
	uint32_t cut = 0, all = 0, group = ++w.group_count;

	for (uint32_t i = 0; i < NODES; i++) {
		if (!(bits >> i & 1))
			continue;
		cut = (uint32_t)num_max(cut, w.nodes[i].delivered);
		all = (uint32_t)num_max(all, w.nodes[i].received);
	}
	for (uint32_t i = 0; i < NODES; i++) {
		struct node *n = &w.nodes[i];

		if (!(bits >> i & 1))
			continue;
		while (n->delivered < cut)
			deliver(n);
		tell_view(i, TOTEM_PHASE_TRANSITIONAL, bits);
		n->is_in_ring = false;
		while (n->delivered < all)
			deliver(n);
		for (uint32_t k = n->deed_count; k-- > 0;)
			if (n->deeds[k].ring == ring && n->deeds[k].group == 0)
				n->deeds[k].group = group;
	}
}

static void
form(uint32_t bits)
{
	uint32_t number = w.ring_count++;
	struct ring *ring = &w.rings[number];

	if (number == RINGS)
		abort();
	for (uint32_t i = 0; i < NODES; i++) {
		uint32_t same = 0, from = w.nodes[i].ring;

		if (!(bits >> i & 1) || !w.nodes[i].is_in_ring)
			continue;
		for (uint32_t k = i; k < NODES; k++)
			if (bits >> k & 1 && w.nodes[k].is_in_ring &&
			    w.nodes[k].ring == from)
				same |= 1u << k;
		leave_ring(from, same);
	}
	ring->id = (struct totem_ring_id){ .seq = number + 1, .rep = 1 };
	ring->members = bits;
	ring->len = 0;
	for (uint32_t i = 0; i < NODES; i++) {
		if (!(bits >> i & 1))
			continue;
		ring->incarnation[i] = w.nodes[i].incarnation;
		w.nodes[i].ring = number;
		w.nodes[i].received = w.nodes[i].delivered = 0;
		w.nodes[i].is_in_ring = true;
		tell_view(i, TOTEM_PHASE_REGULAR, bits);
		CHECK(!change_is_current(w.nodes[i].c));
	}
}

static uint32_t
alive(void)
{
	uint32_t bits = 0;

	for (uint32_t i = 0; i < NODES; i++)
		bits |= w.nodes[i].is_dead ? 0 : 1u << i;
	return bits;
}

/* A new view of all, or of two parts. */
static void
reform(bool is_split)
{
	uint32_t bits = alive();
	uint32_t part = is_split ? bits & (uint32_t)rng_below(&w.rng, 16) : 0;

	if (part != 0)
		form(part);
	if ((bits & ~part) != 0)
		form(bits & ~part);
}

/* ---- what must hold ---------------------------------------------------- */

/* Of one change, at two nodes that went on together, or anywhere. */
static void
compare(const struct deed *a, struct node *other)
{
	const struct deed *b = deed_of(other, &a->id);

	if (b != NULL && a->group == b->group && a->group != 0)
		CHECK_EQ(a->is_committed, b->is_committed);
	/* Whoever delivered all votes in the regular phase knows that all
	 * have them: nobody who lived on can have aborted. */
	if (a->is_regular && b != NULL)
		CHECK(b->is_committed || !b->is_aborted);
	if (a->is_committed && b != NULL)
		CHECK(b->is_prepared);
}

static void
compare_all(void)
{
	for (uint32_t i = 0; i < NODES; i++)
		for (uint32_t d = 0; d < w.nodes[i].deed_count; d++)
			for (uint32_t k = 0; k < NODES; k++)
				compare(&w.nodes[i].deeds[d], &w.nodes[k]);
}

static void
begin(uint64_t seed)
{
	rng_init(&w.rng, seed);
	w.ring_count = w.group_count = w.refuse_one_in = 0;
	w.transitional = 0;
	memset(w.outcomes, 0, sizeof w.outcomes);
	for (uint32_t i = 0; i < NODES; i++) {
		w.nodes[i].incarnation = 0;
		born(i);
	}
	form(alive());
}

/* Whatever was begun has an end once all are together and quiet. */
static void
settle(void)
{
	form(alive());
	for (uint32_t i = 0; i < NODES; i++) {
		if (w.nodes[i].is_dead)
			continue;
		CHECK(!w.nodes[i].is_asked);
		CHECK_EQ(w.nodes[i].asked, w.nodes[i].answered);
	}
	compare_all();
}

/* Everything that can happen without anybody failing. */
static void
step_ring(uint32_t i)
{
	struct node *n = &w.nodes[i];
	uint64_t dice = rng_below(&w.rng, 8);

	if (n->is_dead)
		return;
	if (dice == 0)
		prepared(n);
	else if (dice <= 2)
		order(n);
	else
		receive(n);
}

static void
run_ring(uint32_t steps)
{
	for (uint32_t i = 0; i < steps; i++)
		step_ring((uint32_t)rng_below(&w.rng, NODES));
}

/* Nobody votes before. */
static void
run_until_prepare(uint32_t i)
{
	while (!w.nodes[i].has_prepare)
		for (uint32_t k = 0; k < NODES; k++) {
			order(&w.nodes[k]);
			receive(&w.nodes[k]);
		}
}

/* ---- tests ------------------------------------------------------------- */

static void
test_change_is_committed_by_all(void)
{
	begin(1);
	propose(&w.nodes[0]);
	run_ring(2000);
	CHECK_EQ(w.outcomes[CHANGE_COMMITTED], 1);
	for (uint32_t i = 0; i < NODES; i++)
		CHECK(w.nodes[i].deed_count == 1 &&
		    w.nodes[i].deeds[0].is_committed);
	settle();
}

static void
test_change_is_refused_by_one(void)
{
	struct change_member member;

	begin(2);
	propose(&w.nodes[2]);
	run_until_prepare(1);
	w.nodes[1].has_prepare = false;
	change_vote(w.nodes[1].c, &w.nodes[1].prepare, false, "no");
	pull(&w.nodes[1]);
	run_ring(2000);
	CHECK_EQ(w.outcomes[CHANGE_REFUSED], 1);
	for (uint32_t i = 0; i < NODES; i++) {
		CHECK(w.nodes[i].deeds[0].is_aborted);
		/* All of them were heard: every mistake at once. */
		CHECK(change_member(w.nodes[2].c, i, &member));
		CHECK_EQ(member.node, i + 1);
		CHECK_EQ(member.ballot, i == 1 ? CHANGE_AGAINST : CHANGE_FOR);
		CHECK_STR(member.text, i == 1 ? "no" : "yes");
	}
	settle();
}

/* Two at once: the first that is ordered wins, at all. */
static void
test_change_comes_alone(void)
{
	begin(3);
	propose(&w.nodes[0]);
	propose(&w.nodes[3]);
	CHECK_EQ(change_propose(w.nodes[0].c, 1, "body", 4), CHANGE_E_BUSY);
	run_ring(2000);
	CHECK_EQ(w.outcomes[CHANGE_COMMITTED], 1);
	CHECK_EQ(w.outcomes[CHANGE_BUSY], 1);
	propose(&w.nodes[1]);
	run_ring(2000);
	CHECK_EQ(w.outcomes[CHANGE_COMMITTED], 2);
	settle();
}

static void
test_change_is_cancelled(void)
{
	begin(4);
	propose(&w.nodes[0]);
	while (w.nodes[1].deed_count == 0)
		receive(&w.nodes[rng_below(&w.rng, NODES)]), order(&w.nodes[0]);
	w.nodes[1].has_prepare = false; /* it takes for ever */
	run_ring(1000);
	change_cancel(w.nodes[0].c);
	run_ring(1000);
	CHECK_EQ(w.outcomes[CHANGE_CANCELLED], 1);
	for (uint32_t i = 0; i < NODES; i++)
		CHECK(w.nodes[i].deeds[0].is_aborted);
	/* Its late vote is nobody's. */
	change_vote(w.nodes[1].c, &w.nodes[1].prepare, true, "yes");
	propose(&w.nodes[3]);
	run_ring(2000);
	CHECK_EQ(w.outcomes[CHANGE_COMMITTED], 1);
	settle();
}

static void
test_change_needs_a_view(void)
{
	begin(5);
	born(0);
	CHECK_EQ(change_propose(w.nodes[0].c, 1, "body", 4), CHANGE_E_VIEW);
	CHECK(!change_is_current(w.nodes[0].c));
}

/*
 * One change, and one node dies, or is cut off, after every possible step;
 * with many schedules, so that it dies at every point of each.
 */
static void
test_change_survives_a_death_at_every_point(void)
{
	uint64_t committed = 0, aborted = 0, transitional = 0;

	for (uint64_t at = 0; at < 240; at++)
		for (uint64_t seed = 0; seed < 24; seed++) {
			uint32_t victim = (uint32_t)seed % NODES;

			begin(100 * at + seed);
			propose(&w.nodes[0]);
			run_ring((uint32_t)at);
			if (seed % 8 < NODES)
				w.nodes[victim].is_dead = true;
			else
				form(1u << victim);
			form(alive() & ~(1u << victim));
			compare_all();
			committed += w.outcomes[CHANGE_COMMITTED];
			aborted += w.outcomes[CHANGE_VIEW];
			transitional += w.transitional;
		}
	/* It happened before, amidst and behind all of it. */
	CHECK(committed > 100);
	CHECK(aborted > 100);
	CHECK(transitional > 100);
}

static void
misfortune(void)
{
	uint32_t i = (uint32_t)rng_below(&w.rng, NODES);
	uint64_t dice = rng_below(&w.rng, 6);

	if (dice == 3)
		change_cancel(w.nodes[i].c);
	if (dice > 2 || w.nodes[i].is_dead != (dice == 1))
		return;
	if (dice == 0)
		w.nodes[i].is_dead = true;
	else if (dice == 1)
		born(i);
	reform(dice == 2);
}

static void
test_change_survives_everything(void)
{
	uint64_t outcomes[CHANGE_OUTCOMES] = { 0 };

	for (uint64_t seed = 0; seed < 300; seed++) {
		begin(seed);
		w.refuse_one_in = 12;
		for (int k = 0; k < 60; k++) {
			uint32_t i = (uint32_t)rng_below(&w.rng, NODES);

			run_ring((uint32_t)rng_below(&w.rng, 120));
			if (!w.nodes[i].is_dead && rng_below(&w.rng, 2) == 0)
				propose(&w.nodes[i]);
			if (rng_below(&w.rng, 4) == 0)
				misfortune();
		}
		settle();
		for (int i = 0; i < CHANGE_OUTCOMES; i++)
			outcomes[i] += w.outcomes[i];
	}
	for (int i = 0; i < CHANGE_OUTCOMES; i++)
		CHECK(outcomes[i] > 20);
}

/* Nonsense, lies about others, and the versions of tomorrow. */
static void
test_change_ignores_nonsense(void)
{
	struct group_message message = { .node = 2, .incarnation = 1 };
	uint8_t bytes[256];
	const uint8_t *out;
	size_t len;

	begin(7);
	propose(&w.nodes[0]);
	CHECK(change_message(w.nodes[0].c, &out, &len));
	memcpy(bytes, out, len);
	message.bytes = bytes;
	message.len = len;
	change_hear(w.nodes[1].c, &message); /* by whom it is not */
	message.node = 1;
	for (message.len = 0; message.len + 4 < len; message.len++)
		change_hear(w.nodes[1].c, &message);
	message.len = len;
	bytes[0] = 2;
	change_hear(w.nodes[1].c, &message);
	bytes[0] = 1;
	bytes[1] = 9;
	change_hear(w.nodes[1].c, &message);
	CHECK(change_malformed(w.nodes[1].c) >= 40);
	bytes[1] = 1;
	change_hear(w.nodes[1].c, &message);
	pull(&w.nodes[1]);
	bytes[1] = 3; /* CANCEL, of somebody else's */
	message.node = 3;
	message.len = 22;
	change_hear(w.nodes[1].c, &message);
	CHECK(change_is_current(w.nodes[1].c));
}

static const struct check_test tests[] = {
	CHECK_TEST(test_change_is_committed_by_all),
	CHECK_TEST(test_change_is_refused_by_one),
	CHECK_TEST(test_change_comes_alone),
	CHECK_TEST(test_change_is_cancelled),
	CHECK_TEST(test_change_needs_a_view),
	CHECK_TEST(test_change_survives_a_death_at_every_point),
	CHECK_TEST(test_change_survives_everything),
	CHECK_TEST(test_change_ignores_nonsense),
};

int
main(int argc, char **argv)
{
	return CHECK_MAIN(argc, argv, tests);
}
