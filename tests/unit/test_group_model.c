/* SPDX-License-Identifier: BSD-3-Clause */
/* The layer against a model that knows no protocol.
 *
 * The model sees what clients ask for and what each node is told by its ring,
 * and works out anew, from sets and from the node's whole history, what the
 * node's clients must be told.  It shares no code with the layer: no bytes,
 * no flags on members, and who is known is looked up in the past each time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/text.h"

#include "tests/unit/check.h"
#include "tests/unit/group_churn.h"

enum { STEPS = 2000, SET_MAX = 256, RINGS_MAX = 512, OPS_MAX = 8192 };
enum { NODES = GROUP_CHURN_NODES };

struct entry {
	int group;
	uint32_t node;
	uint32_t conn;
};

/* Ascending. */
struct set {
	size_t count;
	struct entry at[SET_MAX];
};

struct past_ring {
	uint64_t seq;
	uint64_t incarnation[NODES + 1]; /* of members, else 0 */
	bool is_along[NODES + 1];        /* while not left behind */
	bool has_ended;
	bool is_complete;
};

struct life {
	uint64_t incarnation;
	struct set now;
	struct past_ring rings[RINGS_MAX];
	size_t ring_count;
	struct set staged; /* in the order it came, in staged_order */
	struct set refused;
	bool has_said[NODES + 1];
	char want[8192];
	char got[8192];
	struct text wanted;
	struct text told;
};

/* What a submitted message means. */
struct op {
	uint32_t node;
	uint64_t incarnation;
	uint64_t msg_no;
	bool is_sync;
	struct group_churn_ask ask;
	struct set own; /* SYNC: what its node is in, without the closed */
	uint64_t ring_seq;
};

struct model {
	struct group_churn churn;
	uint32_t groups_max;
	uint32_t members_max;
	struct life lives[NODES + 1];
	struct op *ops;
	size_t op_count;
	uint64_t views; /* compared */
};

/* ---- sets -------------------------------------------------------------- */

static int
order_of(const struct entry *a, const struct entry *b)
{
	if (a->group != b->group)
		return a->group < b->group ? -1 : 1;
	if (a->node != b->node)
		return a->node < b->node ? -1 : 1;
	if (a->conn != b->conn)
		return a->conn < b->conn ? -1 : 1;
	return 0;
}

static bool
set_has(const struct set *set, const struct entry *entry)
{
	for (size_t i = 0; i < set->count; i++) {
		if (order_of(&set->at[i], entry) == 0)
			return true;
	}
	return false;
}

static void
set_add(struct set *set, const struct entry *entry)
{
	size_t i = set->count;

	ENSURE(set->count < SET_MAX);
	for (; i > 0 && order_of(&set->at[i - 1], entry) > 0; i--)
		set->at[i] = set->at[i - 1];
	set->at[i] = *entry;
	set->count++;
}

static void
set_remove(struct set *set, const struct entry *entry)
{
	struct set kept = { 0 };

	for (size_t i = 0; i < set->count; i++) {
		if (order_of(&set->at[i], entry) != 0)
			set_add(&kept, &set->at[i]);
	}
	*set = kept;
}

/* Would a member of that group be one too many? */
static bool
set_is_full(const struct model *m, const struct set *set, int group)
{
	uint32_t groups = 0;

	for (int g = 0; g < GROUP_CHURN_GROUPS; g++) {
		bool is_there = false;
		for (size_t i = 0; i < set->count; i++)
			is_there |= set->at[i].group == g;
		if (is_there && g == group)
			return set->count >= m->members_max;
		groups += is_there;
	}
	return set->count >= m->members_max || groups >= m->groups_max;
}

/* ---- what must be told ------------------------------------------------- */

typedef const char *(*why_fn)(
    const struct life *life, uint32_t self, const struct entry *entry);

struct why {
	why_fn joined;
	why_fn left;
};

static void
put_entry(struct text *out, const char *before, uint32_t node, uint32_t conn)
{
	text_put(out, before);
	text_put_u64(out, node);
	text_put_char(out, '.');
	text_put_u64(out, conn);
}

/* One side of a change: who is in one set and not in the other. */
struct side {
	const char *sign;
	const struct set *in;
	const struct set *out_of;
	why_fn why;
};

static bool
put_side(struct text *out, const struct life *life, uint32_t self, int group,
    const struct side *side)
{
	bool is_empty = true;

	for (size_t i = 0; i < side->in->count; i++) {
		const struct entry *entry = &side->in->at[i];
		if (entry->group != group || set_has(side->out_of, entry))
			continue;
		put_entry(out, side->sign, entry->node, entry->conn);
		text_put_char(out, ':');
		text_put(out, side->why(life, self, entry));
		is_empty = false;
	}
	return !is_empty;
}

static void
put_group(struct text *out, const struct set *set, int group)
{
	text_put_u64(out, (uint64_t)group);
	text_put(out, " =");
	for (size_t i = 0; i < set->count; i++) {
		if (set->at[i].group == group)
			put_entry(out, " ", set->at[i].node, set->at[i].conn);
	}
}

/* Writes the views that lead from life->now to after, and goes there. */
static void
change(struct life *life, uint32_t self, const struct set *after,
    const struct why *why)
{
	const struct side come = { " +", after, &life->now, why->joined };
	const struct side gone = { " -", &life->now, after, why->left };

	for (int group = 0; group < GROUP_CHURN_GROUPS; group++) {
		struct text before = life->wanted;
		put_group(&life->wanted, after, group);
		bool is_told =
		    put_side(&life->wanted, life, self, group, &come);
		is_told |= put_side(&life->wanted, life, self, group, &gone);
		if (is_told) {
			text_put_char(&life->wanted, '\n');
			continue;
		}
		life->wanted = before;
		life->wanted.bytes[before.len] = '\0';
	}
	life->now = *after;
}

/* ---- who is known ------------------------------------------------------ */

/* Node, in the life it has in the newest ring, has completed an exchange
 * together with this one and has come along ever since. */
static bool
is_known(const struct life *life, uint32_t self, uint32_t node)
{
	uint64_t incarnation =
	    life->rings[life->ring_count - 1].incarnation[node];

	if (node == self)
		return true;
	for (size_t i = life->ring_count; i-- > 0;) {
		const struct past_ring *ring = &life->rings[i];
		if (incarnation == 0 || ring->incarnation[node] != incarnation)
			return false;
		if (ring->has_ended && !ring->is_along[node])
			return false;
		if (ring->is_complete)
			return true;
	}
	return false;
}

static const char *
why_join(const struct life *life, uint32_t self, const struct entry *entry)
{
	(void)life, (void)self, (void)entry; /* a constant among functions */
	return "join";
}

static const char *
why_leave(const struct life *life, uint32_t self, const struct entry *entry)
{
	(void)life, (void)self, (void)entry; /* as above */
	return "leave";
}

static const char *
why_procdown(const struct life *life, uint32_t self, const struct entry *entry)
{
	(void)life, (void)self, (void)entry; /* as above */
	return "procdown";
}

static const char *
why_nodedown(const struct life *life, uint32_t self, const struct entry *entry)
{
	(void)life, (void)self, (void)entry; /* as above */
	return "nodedown";
}

static const char *
why_merged(const struct life *life, uint32_t self, const struct entry *entry)
{
	return is_known(life, self, entry->node) ? "join" : "nodeup";
}

static const char *
why_unsaid(const struct life *life, uint32_t self, const struct entry *entry)
{
	(void)self; /* one of several judges */
	return set_has(&life->refused, entry) ? "full" : "procdown";
}

/* ---- what a node is told ----------------------------------------------- */

static struct past_ring *
newest(struct life *life)
{
	return life->ring_count == 0 ? NULL
				     : &life->rings[life->ring_count - 1];
}

static void
on_transitional(struct life *life, uint32_t self, const struct totem_view *view)
{
	static const struct why why = { why_join, why_nodedown };
	struct past_ring *ring = newest(life);
	struct set after = { 0 };

	memset(ring->is_along, 0, sizeof(ring->is_along));
	for (uint32_t i = 0; i < view->members.count; i++)
		ring->is_along[view->members.id[i]] = true;
	ring->has_ended = true;
	for (size_t i = 0; i < life->now.count; i++) {
		if (ring->is_along[life->now.at[i].node])
			set_add(&after, &life->now.at[i]);
	}
	change(life, self, &after, &why);
}

static void
on_regular(struct life *life, uint32_t self, const struct totem_view *view)
{
	struct past_ring *ring = &life->rings[life->ring_count++];
	bool is_all_known = true;

	ENSURE(life->ring_count < RINGS_MAX);
	*ring = (struct past_ring){ .seq = view->ring.seq };
	for (uint32_t i = 0; i < view->members.count; i++) {
		uint32_t node = view->members.id[i];
		ring->incarnation[node] = view->incarnation[i];
		ring->is_along[node] = true;
	}
	for (uint32_t i = 0; i < view->members.count; i++)
		is_all_known &= is_known(life, self, view->members.id[i]);
	life->staged = (struct set){ 0 };
	life->refused = (struct set){ 0 };
	memset(life->has_said, 0, sizeof(life->has_said));
	ring->is_complete = is_all_known;
	if (is_all_known)
		text_put(&life->wanted, "synced\n");
}

static void
on_sync(struct model *m, struct life *life, uint32_t self, const struct op *op)
{
	static const struct why why = { why_merged, why_unsaid };
	struct past_ring *ring = newest(life);
	struct set after = { 0 };

	if (op->ring_seq != ring->seq || ring->is_complete)
		return;
	for (size_t i = 0; i < op->own.count; i++) {
		const struct entry *entry = &op->own.at[i];
		bool is_full = set_is_full(m, &life->staged, entry->group);
		set_add(is_full ? &life->refused : &life->staged, entry);
	}
	life->has_said[op->node] = true;
	for (uint32_t node = 1; node <= NODES; node++) {
		if (ring->incarnation[node] != 0 && !life->has_said[node])
			return;
	}
	for (size_t i = 0; i < life->staged.count; i++) {
		if (ring->is_along[life->staged.at[i].node])
			set_add(&after, &life->staged.at[i]);
	}
	change(life, self, &after, &why);
	ring->is_complete = true;
	text_put(&life->wanted, "synced\n");
}

static void
on_exit_of(struct life *life, uint32_t self, const struct entry *entry)
{
	static const struct why why = { why_join, why_procdown };
	struct set after = { 0 };

	for (size_t i = 0; i < life->now.count; i++) {
		const struct entry *at = &life->now.at[i];
		if (at->node != entry->node || at->conn != entry->conn)
			set_add(&after, at);
	}
	change(life, self, &after, &why);
}

static void
on_ask(struct model *m, struct life *life, uint32_t self, const struct op *op)
{
	static const struct why why = { why_join, why_leave };
	struct entry entry = { op->ask.group, op->node, op->ask.conn };
	struct set after = life->now;

	CHECK(newest(life)->is_complete); /* P21 */
	if (op->ask.kind == GROUP_WIRE_PUB) {
		text_put_u64(&life->wanted, op->msg_no);
		put_entry(&life->wanted, " < ", op->node, op->ask.conn);
		text_put_char(&life->wanted, '\n');
		return;
	}
	if (!newest(life)->is_along[op->node])
		return;
	if (op->ask.kind == GROUP_WIRE_EXIT) {
		on_exit_of(life, self, &entry);
		return;
	}
	if (op->ask.kind == GROUP_WIRE_LEAVE)
		set_remove(&after, &entry);
	else if (!set_has(&after, &entry) &&
	    !set_is_full(m, &after, entry.group))
		set_add(&after, &entry);
	change(life, self, &after, &why);
}

static void
compare(struct model *m, struct life *life)
{
	m->views += life->told.len > 0;
	CHECK(!life->told.is_full && !life->wanted.is_full);
	CHECK_STR(life->got, life->want);
	text_init(&life->wanted, life->want, sizeof(life->want));
	text_init(&life->told, life->got, sizeof(life->got));
}

static const struct op *
op_of(const struct model *m, const struct totem_delivery *delivery)
{
	for (size_t i = m->op_count; i-- > 0;) {
		const struct op *op = &m->ops[i];
		if (op->node == delivery->node &&
		    op->incarnation == delivery->incarnation &&
		    op->msg_no == delivery->msg_no)
			return op;
	}
	ENSURE(false);
}

static void
on_input(void *arg, uint32_t node, const struct totem_effect *effect)
{
	struct model *m = arg;
	struct life *life = &m->lives[node];
	uint64_t incarnation = group_world_incarnation(m->churn.world, node);

	compare(m, life);
	if (life->incarnation != incarnation) {
		life->incarnation = incarnation;
		life->ring_count = 0;
		life->now = (struct set){ 0 };
	}
	if (effect->kind == TOTEM_OUT_VIEW &&
	    effect->view->phase == TOTEM_PHASE_TRANSITIONAL)
		on_transitional(life, node, effect->view);
	else if (effect->kind == TOTEM_OUT_VIEW)
		on_regular(life, node, effect->view);
	if (effect->kind != TOTEM_OUT_DELIVER)
		return;
	const struct op *op = op_of(m, &effect->deliver);
	if (op->is_sync)
		on_sync(m, life, node, op);
	else
		on_ask(m, life, node, op);
}

/* ---- what the layer does ----------------------------------------------- */

static bool
is_open(const struct model *m, uint32_t node, uint32_t conn)
{
	for (size_t slot = 0; slot < GROUP_CHURN_CONNS; slot++) {
		if (m->churn.conns[node][slot] == conn)
			return true;
	}
	return false;
}

static void
on_submit(struct model *m, uint32_t node, const struct group_effect *effect)
{
	struct life *life = &m->lives[node];

	ENSURE(m->op_count < OPS_MAX);
	struct op *op = &m->ops[m->op_count++];
	*op = (struct op){
		.node = node,
		.incarnation = group_world_incarnation(m->churn.world, node),
		.msg_no = group_world_msg_no(m->churn.world, node),
		.is_sync = effect->core.submit.class == TOTEM_CLASS_SYSTEM,
		.ask = m->churn.ask,
	};
	if (!op->is_sync) {
		CHECK_EQ(op->ask.node, node);
		return;
	}
	op->ring_seq = newest(life)->seq;
	for (size_t i = 0; i < life->now.count; i++) {
		const struct entry *entry = &life->now.at[i];
		if (entry->node == node && is_open(m, node, entry->conn))
			set_add(&op->own, entry);
	}
}

static void
put_changes(struct text *out, const char *sign, const struct group_change *at,
    size_t count)
{
	for (size_t i = 0; i < count; i++) {
		put_entry(out, sign, at[i].member->node, at[i].member->conn);
		text_put_char(out, ':');
		text_put(out, group_reason_name(at[i].reason));
	}
}

static void
put_view(struct text *out, const struct group_view *view)
{
	for (int group = 0; group < GROUP_CHURN_GROUPS; group++) {
		const char *name = group_churn_name(group);
		if (strlen(name) == view->group.len &&
		    memcmp(name, view->group.bytes, view->group.len) == 0)
			text_put_u64(out, (uint64_t)group);
	}
	text_put(out, " =");
	for (size_t i = 0; i < view->member_count; i++)
		put_entry(
		    out, " ", view->members[i]->node, view->members[i]->conn);
	put_changes(out, " +", view->joined, view->joined_count);
	put_changes(out, " -", view->left, view->left_count);
	text_put_char(out, '\n');
}

static void
on_effect(void *arg, uint32_t node, const struct group_effect *effect)
{
	struct model *m = arg;
	struct life *life = &m->lives[node];

	if (effect->kind == GROUP_OUT_VIEW) {
		put_view(&life->told, &effect->view);
	} else if (effect->kind == GROUP_OUT_SYNCED) {
		text_put(&life->told, "synced\n");
	} else if (effect->kind == GROUP_OUT_SUBMIT) {
		on_submit(m, node, effect);
	} else if (effect->kind == GROUP_OUT_MESSAGE) {
		text_put_u64(&life->told, effect->message.msg_no);
		put_entry(&life->told, " < ", effect->message.node,
		    effect->message.conn);
		text_put_char(&life->told, '\n');
	} else if (effect->kind == GROUP_OUT_FAILED) {
		m->churn.failures++;
	}
}

/* ---- tests ------------------------------------------------------------- */

static uint64_t
run(uint64_t seed, uint32_t groups_max, uint32_t members_max)
{
	struct model *m = calloc(1, sizeof(*m));
	char about[32];

	ENSURE(m != NULL);
	m->ops = calloc(OPS_MAX, sizeof(*m->ops));
	ENSURE(m->ops != NULL);
	snprintf(about, sizeof(about), "seed %llu", (unsigned long long)seed);
	check_case(about);
	m->groups_max = groups_max;
	m->members_max = members_max;
	for (uint32_t node = 1; node <= NODES; node++) {
		struct life *life = &m->lives[node];
		text_init(&life->wanted, life->want, sizeof(life->want));
		text_init(&life->told, life->got, sizeof(life->got));
	}
	group_churn_begin(&m->churn, seed, groups_max, members_max);
	group_world_watch(m->churn.world, on_effect, m);
	group_world_inputs(m->churn.world, on_input, m);
	for (int i = 0; i < STEPS; i++)
		group_churn_step(&m->churn);
	group_churn_heal(&m->churn);
	for (uint32_t node = 1; node <= NODES; node++)
		compare(m, &m->lives[node]);
	uint64_t views = m->views;
	check_case(NULL);
	group_world_destroy(m->churn.world);
	free(m->ops);
	free(m);
	return views;
}

static void
test_group_model_tells_the_same(void)
{
	uint64_t views = 0;

	for (uint64_t seed = 1; seed <= 60; seed++)
		views += run(seed, LIMIT_GROUPS, LIMIT_GROUP_MEMBERS);
	CHECK(views > 60 * 100);
}

static void
test_group_model_refuses_the_same(void)
{
	for (uint64_t seed = 1001; seed <= 1060; seed++)
		run(seed, (uint32_t)(1 + seed % 5), (uint32_t)(1 + seed % 7));
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_group_model_tells_the_same),
		CHECK_TEST(test_group_model_refuses_the_same),
	};
	return CHECK_MAIN(argc, argv, tests);
}
