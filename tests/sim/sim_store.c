/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/sim_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/cfgstored/replica.h"
#include "bin/ringd/group.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_draw.h"
#include "tests/unit/replica_disk.h"
#include "tests/unit/replica_world_internal.h"

#define MS UINT64_C(1000000)

enum {
	TICK_MS = 5,
	QUIET_TICK_MS = 40,
	ASK_IN = 3,
	CONTEND_IN = 8,
	WATCH_IN = 4,
	FULL_IN = 300, /* ticks */
	FULL_TICKS = 200,
	KILL_IN = 1500,
	FAIL_IN = 3000,
	FAIL_TICKS = 100,
};

/* What of a node the world of replicas has no place for. */
static struct store {
	uint64_t life;
	bool is_changing, is_group_due;
	bool is_forbidden;         /* by quorumd */
	unsigned full, failed;     /* so many ticks yet */
	uint64_t off[LIMIT_NODES]; /* incarnations it was told are fenced */
	struct kv_nodes group;
	struct parse_pos group_pos;
	struct parse_view view;
	uint8_t *taken; /* the bytes of the last message */
} stores[LIMIT_NODES];

static struct sim *current;
static uint64_t fenced[LIMIT_NODES]; /* the last incarnation that is off */
static struct replica_world_tally tally;
static bool is_void; /* of what must hold */

static struct world_node *
node_of(const struct sim_node *node)
{
	return &replica_w.node[node->idx];
}

static struct store *
store_of(const struct sim_node *node)
{
	return &stores[node->idx];
}

/* ---- effects ----------------------------------------------------------- */

static void
on_publish(struct world_node *n, const struct replica_effect *effect)
{
	struct world_message *m = calloc(1, sizeof *m);

	ENSURE(m != NULL);
	m->bytes = malloc(effect->publish.len);
	ENSURE(m->bytes != NULL);
	memcpy(m->bytes, effect->publish.bytes, effect->publish.len);
	m->len = effect->publish.len;
	m->view = effect->publish.if_view;
	if (n->out_last != NULL)
		n->out_last->next = m;
	else
		n->out_first = m;
	n->out_last = m;
}

static void
tell(struct sim_node *node, const struct replica_effect *effect)
{
	if (effect->kind == REPLICA_OUT_LOG)
		sim_tell(current, node, "store: %s", effect->log);
	else if (effect->kind == REPLICA_OUT_STATE)
		sim_tell(current, node, "store is %s",
		    replica_state_name(effect->state));
}

static void
check(struct sim_node *node)
{
	replica_world_look(node_of(node));
	if (sim_is_check_due(current))
		replica_check(node_of(node)->replica);
	if (replica_w.failure[0] != '\0' && !is_void)
		sim_fail(current, "S1 %s", replica_w.failure);
}

static void
step(struct world_node *n, struct replica_input *in)
{
	struct sim_node *node = &current->node[n - replica_w.node];
	struct replica_effect effect;
	struct replica_input due = *in;

	replica_w.now_ns = current->now_ns;
	do {
		due.now_ns = sim_node_clock_ns(current, node);
		due.is_more = rng_below(&replica_w.rng, 3) == 0;
		replica_step(n->replica, &due);
		while (replica_next(n->replica, &effect)) {
			if (effect.kind == REPLICA_OUT_PUBLISH)
				on_publish(n, &effect);
			else
				replica_world_effect(n, &effect);
			tell(node, &effect);
		}
		check(node);
	} while (!n->is_reload_due && replica_world_due(n, &due));
}

/* ---- the beginning ----------------------------------------------------- */

/* Half of those whose clients want memory only; the others have leases. */
static bool
may_lose(const struct sim *sim)
{
	return sim->opt.is_in_memory && sim->opt.seed % 2 == 0;
}

void
sim_store_reset(struct sim *sim)
{
	struct replica_world_state *w = &replica_w;

	for (size_t i = 0; i < REPLICA_WORLD_NODES; i++) {
		if (w->node[i].disk == NULL)
			continue;
		replica_world_drop_out(&w->node[i]);
		replica_disk_close(w->node[i].disk);
		free(w->node[i].lent);
		free(w->node[i].memory);
	}
	replica_world_forget();
	memset(w, 0, sizeof *w);
	for (size_t i = 0; i < LIMIT_NODES; i++)
		free(stores[i].taken);
	memset(stores, 0, sizeof stores);
	memset(fenced, 0, sizeof fenced);
	current = sim;
	is_void = false;
	if (!sim->opt.has_store)
		return;
	w->rules.node_count = sim->opt.node_count;
	w->rules.ops = 100;
	w->rules.has_elections = sim->opt.has_elections;
	w->rules.tie = (enum kv_tie)sim->opt.store_tie;
	w->rules.is_in_memory = sim->opt.is_in_memory;
	w->rules.may_lose = may_lose(sim);
	w->rules.has_falling_views = sim->opt.disk_lost_ppm > 0;
	w->tally = &tally;
	w->tally_begin = tally.oks;
	w->step = step;
	w->window_bytes = 32768;
	rng_init(&w->rng, sim->opt.seed);
	for (uint32_t i = 0; i < sim->opt.node_count; i++) {
		w->votes[i] = sim->opt.rules.votes[i];
		w->id[i] = sim->node[i].id;
		w->node[i].id = sim->node[i].id;
		w->node[i].disk = replica_disk_open(
		    sim->opt.is_in_memory ? UINT32_MAX : 8192);
		w->node[i].lent = malloc(LENT_BYTES);
		ENSURE(w->node[i].lent != NULL);
	}
}

static void
push_tick(struct sim *sim, struct sim_node *node)
{
	bool is_busy =
	    sim->is_load_on || replica_disk_waiting(node_of(node)->disk) > 0;

	sim_push(sim,
	    (struct sim_event){ .time_ns = sim->now_ns + 1 +
		    sim_draw_exp(
			&sim->rng, (is_busy ? TICK_MS : QUIET_TICK_MS) * MS),
		.kind = SIM_EVENT_STORE,
		.node = (uint16_t)node->idx,
		.a = store_of(node)->life });
}

/* What was not durable is gone, all or some of it. */
static void
crash_disk(struct sim *sim, struct world_node *n)
{
	size_t waiting = replica_disk_waiting(n->disk);

	replica_disk_crash(n->disk,
	    sim->opt.is_in_memory && !may_lose(sim)
		? SIZE_MAX
		: (size_t)rng_below(&sim->rng, waiting + 1));
}

void
sim_store_start(struct sim *sim, struct sim_node *node, bool is_lost)
{
	struct world_node *n = node_of(node);

	replica_w.now_ns = sim->now_ns;
	replica_world_lost(n);
	replica_world_drop_out(n);
	crash_disk(sim, n);
	if (is_lost) {
		/* Nothing is promised when too many are. */
		is_void |= !replica_world_may_lose(n);
		sim_tell(sim, node, "store's disk is lost");
		n->is_sick = true;
		replica_disk_lose(n->disk, rng_below(&sim->rng, 2) == 0);
	}
	n->is_up = true;
	free(store_of(node)->taken);
	memset(store_of(node), 0, sizeof(struct store));
	store_of(node)->life = node->life;
	replica_world_make(n);
	push_tick(sim, node);
}

void
sim_store_on_down(struct sim *sim, struct sim_node *node)
{
	struct world_node *n = node_of(node);

	n->is_up = false;
	replica_w.now_ns = sim->now_ns;
	replica_world_lost(n);
	if (sim->opt.store_tie == KV_TIE_FENCE && rng_below(&sim->rng, 2) == 0)
		fenced[node->idx] = node->incarnation;
}

/* ---- ringd's stream ---------------------------------------------------- */

static void
tell_group(struct sim_node *node)
{
	struct store *store = store_of(node);
	struct replica_input in = { .kind = REPLICA_IN_GROUP };

	store->is_group_due = store->is_changing;
	if (store->is_changing)
		return;
	in.group.node = store->group.id;
	in.group.node_count = store->group.count;
	in.group.pos = store->group_pos;
	step(node_of(node), &in);
}

void
sim_store_on_view(
    struct sim *sim, struct sim_node *node, const struct totem_view *view)
{
	struct store *store = store_of(node);
	struct replica_input in = { .kind = REPLICA_IN_TRANSITIONAL };

	(void)sim;
	if (view->phase == TOTEM_PHASE_TRANSITIONAL) {
		store->is_changing = true;
		step(node_of(node), &in);
		return;
	}
	store->view =
	    (struct parse_view){ .rep = view->ring.rep, .seq = view->ring.seq };
	in.kind = REPLICA_IN_VIEW;
	in.view.id = store->view;
	in.view.member = view->members.id;
	in.view.inc = view->incarnation;
	in.view.member_count = view->members.count;
	step(node_of(node), &in);
	store->is_changing = false;
	if (store->is_group_due)
		tell_group(node);
}

void
sim_store_on_group(
    struct sim *sim, struct sim_node *node, const struct group_view *view)
{
	struct store *store = store_of(node);

	(void)sim;
	store->group.count = 0;
	for (size_t i = 0; i < view->member_count; i++) {
		uint32_t id = view->members[i]->node;

		if (store->group.count == 0 ||
		    store->group.id[store->group.count - 1] != id)
			store->group.id[store->group.count++] = id;
	}
	store->group_pos =
	    (struct parse_pos){ .view = { .rep = view->pos.ring.rep,
				    .seq = view->pos.ring.seq },
		    .seq = view->pos.seq,
		    .idx = view->pos.idx };
	tell_group(node);
}

void
sim_store_on_message(
    struct sim *sim, struct sim_node *node, const struct group_message *message)
{
	struct replica_input in = { .kind = REPLICA_IN_MESSAGE };

	(void)sim;
	in.message.sender = message->node;
	in.message.pos =
	    (struct parse_pos){ .view = { .rep = message->pos.ring.rep,
				    .seq = message->pos.ring.seq },
		    .seq = message->pos.seq,
		    .idx = message->pos.idx };
	in.message.is_transitional =
	    message->pos.phase == TOTEM_PHASE_TRANSITIONAL;
	in.message.bytes = message->bytes;
	in.message.len = message->len;
	step(node_of(node), &in);
}

/* ---- time -------------------------------------------------------------- */

uint64_t
sim_store_deadline_ns(const struct sim_node *node)
{
	return replica_deadline_ns(node_of(node)->replica);
}

void
sim_store_on_time(struct sim *sim, struct sim_node *node)
{
	struct replica_input in = { .kind = REPLICA_IN_TIME };

	if (sim_store_deadline_ns(node) <= sim_node_clock_ns(sim, node))
		step(node_of(node), &in);
}

void
sim_store_on_quorum(struct sim *sim, struct sim_node *node, bool is_permitted)
{
	struct store *store = store_of(node);
	struct replica_input in = { .kind = REPLICA_IN_QUORUM };

	if (!sim->opt.has_veto || store->is_forbidden == !is_permitted)
		return;
	store->is_forbidden = !is_permitted;
	in.is_permitted = is_permitted;
	step(node_of(node), &in);
}

/* memberd tells who was fenced. */
static void
hear_fences(struct sim *sim, struct sim_node *node)
{
	struct store *store = store_of(node);
	struct replica_input in = { .kind = REPLICA_IN_FENCED };

	for (uint32_t i = 0; i < sim->opt.node_count; i++) {
		if (store->off[i] >= fenced[i])
			continue;
		store->off[i] = fenced[i];
		in.fenced.node = sim->node[i].id;
		in.fenced.inc = fenced[i];
		sim_tell(sim, node, "store hears that %u is fenced",
		    (unsigned)in.fenced.node);
		step(node_of(node), &in);
	}
}

/* No space: what was given waits.  false: that is so now. */
static bool
has_space(struct sim *sim, struct sim_node *node)
{
	struct store *store = store_of(node);
	struct replica_input in = { .kind = REPLICA_IN_FULL };

	if (store->full == 0) {
		if (!sim->opt.has_full || !sim->is_load_on ||
		    rng_below(&sim->rng, FULL_IN) != 0)
			return true;
		store->full = 1 + (unsigned)rng_below(&sim->rng, FULL_TICKS);
		step(node_of(node), &in);
		return false;
	}
	if (--store->full > 0 && sim->is_load_on)
		return false;
	store->full = 0;
	in.kind = REPLICA_IN_SPACE;
	step(node_of(node), &in);
	return true;
}

static void
work_disk(struct sim *sim, struct sim_node *node)
{
	struct world_node *n = node_of(node);
	struct replica_input in = { .kind = REPLICA_IN_SYNCED };

	if (!has_space(sim, node) || store_of(node)->failed > 0)
		return;
	replica_disk_sync(n->disk, (size_t)rng_below(&sim->rng, 24));
	if (replica_disk_synced(n->disk, &in.tip))
		step(n, &in);
	in.kind = REPLICA_IN_SAVED;
	if (rng_below(&sim->rng, 4) == 0 && replica_disk_save(n->disk, &in.tip))
		step(n, &in);
	in.kind = REPLICA_IN_ROOM;
	in.room = replica_disk_room(n->disk);
	step(n, &in);
}

/* Another replica, of what is on disk, comes into the group anew. */
static void
reload(struct sim *sim, struct sim_node *node)
{
	struct world_node *n = node_of(node);
	struct store *store = store_of(node);
	struct replica_input in = { .kind = REPLICA_IN_VIEW };
	struct replica_input quorum = { .kind = REPLICA_IN_QUORUM };
	uint32_t members[LIMIT_NODES];
	uint64_t inc[LIMIT_NODES];

	tally.reloads++;
	sim_tell(sim, node, "store reloads");
	replica_world_drop_out(n);
	replica_world_make(n);
	memset(store->off, 0, sizeof store->off);
	store->full = store->failed = 0;
	store->group.count = 0;
	if (store->is_forbidden)
		step(n, &quorum);
	in.view.id = store->view;
	for (uint32_t i = 0; i < sim->opt.node_count; i++) {
		if (!(node->app.stack.members >> i & 1))
			continue;
		members[in.view.member_count] = sim->node[i].id;
		inc[in.view.member_count++] = sim->node[i].incarnation;
	}
	in.view.member = members;
	in.view.inc = inc;
	step(n, &in);
	sim_group_restart_store(sim, node);
}

/* cfgstored ends here and begins anew, for one reason or another. */
static void
end_and_begin(struct sim *sim, struct sim_node *node)
{
	struct world_node *n = node_of(node);

	if (n->is_reload_due) {
		replica_disk_crash(n->disk, SIZE_MAX);
	} else {
		sim_tell(sim, node, "store ends");
		replica_world_lost(n);
		crash_disk(sim, n);
	}
	reload(sim, node);
}

/* true: its files fail, or it is killed. */
static bool
is_ending(struct sim *sim, struct sim_node *node)
{
	struct store *store = store_of(node);
	struct replica_input in = { .kind = REPLICA_IN_FAILED };

	if (node_of(node)->is_reload_due)
		return true;
	if (store->failed > 0)
		return --store->failed == 0;
	if (!sim->opt.has_broken || !sim->is_load_on)
		return false;
	if (rng_below(&sim->rng, KILL_IN) == 0)
		return true;
	if (sim->opt.is_in_memory || rng_below(&sim->rng, FAIL_IN) != 0)
		return false;
	store->failed = 1 + (unsigned)rng_below(&sim->rng, FAIL_TICKS);
	step(node_of(node), &in);
	return false;
}

/* Clients at this node, and watchers anywhere, do something. */
static void
run_clients(struct sim *sim, struct sim_node *node)
{
	struct world_node *n = node_of(node);

	replica_w.now_ns = sim->now_ns;
	for (uint32_t i = 0; i < sim->opt.node_count; i++)
		if (sim->node[i].power != SIM_OFF)
			replica_w.node[i].skew_ns =
			    sim_node_clock_ns(sim, &sim->node[i]) - sim->now_ns;
	replica_world_lock_look();
	if (rng_below(&sim->rng, WATCH_IN) == 0)
		replica_world_watch();
	if (!sim->is_load_on || node->is_leaving)
		return;
	if (rng_below(&sim->rng, ASK_IN) == 0)
		replica_world_ask(n);
	if (rng_below(&sim->rng, CONTEND_IN) == 0)
		replica_world_contend(n);
}

void
sim_store_on_tick(struct sim *sim, struct sim_node *node, uint64_t life)
{
	struct world_node *n = node_of(node);

	if (node->power == SIM_OFF || store_of(node)->life != life ||
	    node->life != life)
		return;
	push_tick(sim, node);
	if (node->power != SIM_ON)
		return;
	if (!store_of(node)->is_changing && is_ending(sim, node)) {
		end_and_begin(sim, node);
		return;
	}
	if (!n->is_reload_due) {
		hear_fences(sim, node);
		work_disk(sim, node);
	}
	run_clients(sim, node);
	if (node->life == life)
		sim_node_settle(sim, node);
	if (node->life == life)
		sim_node_idle(sim, node);
}

/* ---- publishing -------------------------------------------------------- */

bool
sim_store_next(struct sim *sim, struct sim_node *node, struct group_input *out)
{
	struct world_node *n = node_of(node);
	const struct world_message *m;

	(void)sim;
	/* What it wanted to say in an earlier view would be refused. */
	while (n->out_first != NULL &&
	    n->out_first->view.seq != store_of(node)->view.seq)
		sim_store_taken(node);
	m = n->out_first;
	if (m == NULL || node->is_leaving)
		return false;
	*out = (struct group_input){ .kind = GROUP_IN_PUBLISH };
	out->publish.service = TOTEM_AGREED;
	out->publish.has_if_view = true;
	out->publish.if_view.rep = m->view.rep;
	out->publish.if_view.seq = m->view.seq;
	out->publish.bytes = m->bytes;
	out->publish.len = m->len;
	return true;
}

void
sim_store_taken(struct sim_node *node)
{
	struct world_node *n = node_of(node);
	struct world_message *m = n->out_first;

	ENSURE(m != NULL);
	n->out_first = m->next;
	if (n->out_first == NULL)
		n->out_last = NULL;
	/* Its bytes are still read by who took it. */
	free(store_of(node)->taken);
	store_of(node)->taken = m->bytes;
	free(m);
}

void
sim_store_end(struct sim *sim)
{
	bool is_forbidden = false;

	for (uint32_t i = 0; i < sim->opt.node_count; i++) {
		struct world_node *n = node_of(&sim->node[i]);

		is_forbidden |= store_of(&sim->node[i])->is_forbidden;
		n->is_up = sim->node[i].power == SIM_ON;
		if (!n->is_up)
			replica_world_lost(n);
	}
	if (is_void)
		return;
	if (!is_forbidden)
		replica_world_end();
	if (replica_w.failure[0] == '\0')
		replica_world_judge();
	if (replica_w.failure[0] != '\0')
		sim_fail(sim, "S2 %s", replica_w.failure);
}

void
sim_store_print(void)
{
	printf("store: opens %llu oks %llu reads %llu refused %llu unknown "
	       "%llu fills %llu reloads %llu expired %llu cuts %llu gaps %llu "
	       "judged %llu undecided %llu found %llu events %llu holds "
	       "%llu\n",
	    (unsigned long long)tally.opens, (unsigned long long)tally.oks,
	    (unsigned long long)tally.reads, (unsigned long long)tally.refused,
	    (unsigned long long)tally.unknown, (unsigned long long)tally.fills,
	    (unsigned long long)tally.reloads,
	    (unsigned long long)tally.expired, (unsigned long long)tally.cuts,
	    (unsigned long long)tally.gaps, (unsigned long long)tally.judged,
	    (unsigned long long)tally.undecided,
	    (unsigned long long)tally.found, (unsigned long long)tally.events,
	    (unsigned long long)tally.holds);
}
