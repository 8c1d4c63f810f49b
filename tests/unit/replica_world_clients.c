/* SPDX-License-Identifier: BSD-3-Clause */
/* Clients of the world of replicas, and what they may expect. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/crc32c.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/cfgstored/replica_internal.h"
#include "tests/unit/replica_disk.h"
#include "tests/unit/replica_world_internal.h"

#define MS_NS UINT64_C(1000000)

#define w replica_w

enum { NOTE_INDEX = 2 };

static unsigned
draw(unsigned bound)
{
	return replica_world_draw(bound);
}

/* ---- asking ------------------------------------------------------------ */

struct world_op *
replica_world_op(struct world_node *n, enum world_op_kind kind)
{
	struct world_op *op;

	if (w.op == NULL)
		w.op = calloc(OPS_MAX, sizeof *w.op);
	if (w.op_count == OPS_MAX)
		return NULL;
	op = &w.op[w.op_count++];
	*op = (struct world_op){ .kind = kind,
		.node = n->id,
		.is_open = true,
		.is_in_memory = w.rules.is_in_memory && draw(4) != 0,
		.begin_ns = w.now_ns,
		.begin_clock_ns = w.now_ns + n->skew_ns,
		.begin_stamp = replica_world_stamp(),
		.rev_before = w.rev_told };
	return op;
}

static void
send(struct world_node *n, struct replica_input *in)
{
	in->cookie = w.op_count;
	in->deadline_ns = w.now_ns + n->skew_ns + (20 + draw(2000)) * MS_NS;
	w.step(n, in);
}

static void
put_part(struct wrbuf *wr, uint8_t key, uint64_t lease)
{
	static uint8_t value[LARGE_BYTES];
	uint8_t bytes[2] = { 'k', key };
	struct kv_part part = { .kind = KV_PUT,
		.key = bytes,
		.key_len = 2,
		.value = value,
		.value_len = 4,
		.lease = lease };

	memcpy(value, &(uint32_t){ (uint32_t)w.op_count }, 4);
	if (w.rules.has_large && draw(4) == 0)
		part.value_len = 4 + draw(LARGE_BYTES - 4);
	kv_command_add(wr, &part);
}

static void
put_condition(struct wrbuf *wr, const struct world_wish *wish)
{
	uint8_t bytes[2] = { 'k', wish->if_key };
	uint8_t value[4];
	struct kv_part part = { .kind = KV_IF_REV,
		.key = bytes,
		.key_len = 2,
		.number = wish->if_rev };

	if (wish->condition == WORLD_IF_NOTHING)
		return;
	memcpy(value, &wish->if_value, 4);
	if (wish->condition == WORLD_IF_VALUE) {
		part.kind = KV_IF_VALUE;
		part.value = value;
		part.value_len = 4;
	}
	kv_command_add(wr, &part);
}

static void
put_change(struct wrbuf *wr, const struct world_op *op)
{
	const struct world_wish *wish = &op->wish;
	bool is_grant = op->kind == WORLD_WRITE && op->ttl_ns > 0;
	uint8_t bytes[2] = { 'k', wish->key };
	struct kv_part del = { .kind = KV_DEL, .key = bytes, .key_len = 2 };

	if (wish->is_deletion) {
		kv_command_add(wr, &del);
		return;
	}
	put_part(wr, wish->key, is_grant ? KV_LEASE_GRANTED : 0);
	if (wish->other != wish->key)
		put_part(wr, wish->other, 0);
}

void
replica_world_propose(struct world_node *n, struct world_op *op)
{
	static uint8_t bytes[2 * LARGE_BYTES + 256];
	struct replica_input in = { .kind = REPLICA_IN_PROPOSE };
	struct kv_part lease = {
		.kind = KV_GRANT, .lease = op->lease, .number = op->ttl_ns
	};
	bool has_lease = op->ttl_ns > 0 || op->lease != 0;
	bool is_release = op->kind == WORLD_RELEASE;
	size_t puts = is_release ? 0 : 1 + (op->wish.other != op->wish.key);
	struct wrbuf wr;

	if (op->kind != WORLD_WRITE)
		lease.kind = is_release ? KV_RELEASE : KV_RENEW;
	wrbuf_init(&wr, bytes, sizeof bytes);
	kv_command_begin(
	    &wr, op->wish.condition != WORLD_IF_NOTHING, has_lease + puts);
	put_condition(&wr, &op->wish);
	if (has_lease)
		kv_command_add(&wr, &lease);
	if (!is_release)
		put_change(&wr, op);
	in.propose.bytes = bytes;
	in.propose.len = wr.len;
	in.propose.durability =
	    op->is_in_memory ? REPLICA_IN_MEMORY : REPLICA_ON_DISK;
	if (draw(4) == 0)
		in.propose.id.word[0] = w.op_count;
	send(n, &in);
}

/* As the key is here now. */
static void
wish_for_that(struct world_node *n, struct world_wish *wish)
{
	uint8_t bytes[2] = { 'k', wish->key };
	const struct kv *kv = replica_kv(n->replica);
	struct kv_about about = { 0 };
	const struct kv_version *version =
	    kv == NULL ? NULL : kv_get(kv, bytes, 2);

	wish->condition = WORLD_IF_REV;
	wish->if_key = wish->key;
	if (version == NULL)
		return;
	kv_about(version, &about);
	wish->if_rev = about.rev;
	if (draw(3) != 0)
		return;
	wish->condition = WORLD_IF_VALUE;
	kv_value(kv, version, 0, 4, &wish->if_value);
}

static void
ask_write(struct world_node *n)
{
	struct world_op *op = replica_world_op(n, WORLD_WRITE);
	struct world_wish *wish;

	if (op == NULL)
		return;
	wish = &op->wish;
	wish->key = wish->other = (uint8_t)draw(WORLD_KEYS);
	if (draw(3) == 0)
		wish_for_that(n, wish);
	else if (!w.rules.may_lose && draw(8) == 0)
		op->ttl_ns = (100 + draw(400)) * MS_NS;
	else if (draw(4) == 0)
		wish->other = (uint8_t)draw(WORLD_KEYS);
	/* What has another value in memory only is asked by its first bytes. */
	if (wish->condition == WORLD_IF_VALUE && w.rules.has_large)
		wish->condition = WORLD_IF_REV;
	wish->is_deletion =
	    op->ttl_ns == 0 && wish->other == wish->key && draw(5) == 0;
	replica_world_propose(n, op);
}

static void
ask_renew(struct world_node *n)
{
	struct world_op *op;
	const struct world_lease *lease;

	if (w.lease_count == 0)
		return;
	lease = &w.lease[draw((unsigned)w.lease_count)];
	op = replica_world_op(n, WORLD_RENEW);
	if (op == NULL)
		return;
	op->lease = lease->id;
	op->ttl_ns = lease->ttl_ns;
	op->wish.key = op->wish.other = WORLD_KEY_RENEWED;
	replica_world_propose(n, op);
}

static void
ask_read(struct world_node *n)
{
	struct replica_input in = { .kind = REPLICA_IN_READ };

	if (replica_world_op(n, WORLD_READ) != NULL)
		send(n, &in);
}

static void
ask_admin(struct world_node *n)
{
	struct replica_input in = { .kind = REPLICA_IN_ADMIN };
	static const enum replica_admin whats[] = { REPLICA_ADMIN_SHRINK,
		REPLICA_ADMIN_FORGET, REPLICA_ADMIN_LEAVE,
		REPLICA_ADMIN_VOTES };

	if (replica_world_op(n, WORLD_ADMIN) == NULL)
		return;
	in.admin.what = whats[draw(4)];
	in.admin.votes = 1 + draw(3);
	in.admin.node = w.id[draw(w.rules.node_count)];
	send(n, &in);
}

void
replica_world_ask(struct world_node *n)
{
	unsigned choice = draw(100);

	if (draw(100) >= w.rules.ops)
		return;
	if (choice < 3 && w.rules.has_elections)
		ask_admin(n);
	else if (choice < 25)
		ask_read(n);
	else if (choice < 35)
		ask_renew(n);
	else
		ask_write(n);
}

/* ---- being answered ---------------------------------------------------- */

static void
note_lease(const struct world_op *op, uint64_t rev)
{
	uint64_t id = op->kind == WORLD_RENEW ? op->lease : rev;

	for (size_t i = 0; i < w.lease_count; i++) {
		if (w.lease[i].id == id) {
			w.lease[i].until_ns = num_max(
			    w.lease[i].until_ns, op->begin_ns + op->ttl_ns);
			return;
		}
	}
	if (w.lease_count < LEASES_MAX)
		w.lease[w.lease_count++] = (struct world_lease){ .id = id,
			.ttl_ns = op->ttl_ns,
			.until_ns = op->begin_ns + op->ttl_ns };
}

/* Rule 6: no disk that is lost from now on can pass for a start. */
static void
check_note(const struct world_node *n)
{
	const struct replica_era *era = &n->replica->era;
	uint64_t least = era->is_virgin ? NOTE_INDEX : NOTE_INDEX - 1;

	for (unsigned i = 0; i < w.rules.node_count; i++) {
		const struct kv_electorate *e = &era->e.now;
		size_t k = 0;

		while (k < e->count && e->voter[k].id != w.id[i])
			k++;
		if (k < e->count &&
		    replica_disk_tip(w.node[i].disk).index < least)
			replica_world_fail("something is acknowledged, and the "
					   "disk of node %u knows nothing",
			    (unsigned)w.id[i]);
	}
}

static void
end_lease(uint64_t id)
{
	for (size_t i = 0; i < w.lease_count; i++)
		if (w.lease[i].id == id)
			w.lease[i].until_ns = 0;
}

static void
on_ok(const struct world_node *n, struct world_op *op, uint64_t rev)
{
	bool is_change = op->kind != WORLD_READ && !op->wish.is_deletion;
	bool is_late = rev < op->rev_before + is_change;

	if (op->kind == WORLD_ADMIN)
		return;
	if (is_late)
		replica_world_fail("op %u at node %u: revision %llu, but %llu "
				   "had been told before it was asked",
		    (unsigned)(op - w.op) + 1, (unsigned)op->node,
		    (unsigned long long)rev,
		    (unsigned long long)op->rev_before);
	if (replica_world_is_lost(&op->seen))
		return;
	w.rev_told = num_max(w.rev_told, rev);
	if (op->kind != WORLD_READ && w.tally->oks == w.tally_begin &&
	    !w.rules.is_in_memory)
		check_note(n);
	if (op->ttl_ns > 0)
		note_lease(op, rev);
	if (op->kind == WORLD_RELEASE)
		end_lease(op->lease);
	if (op->kind == WORLD_READ)
		w.tally->reads++;
	else
		w.tally->oks++;
}

void
replica_world_answered(
    struct world_node *n, const struct replica_effect *effect)
{
	uint64_t cookie = effect->answer.cookie;
	enum replica_code code = effect->answer.code;
	struct world_op *op;

	ENSURE(cookie > 0 && cookie <= w.op_count);
	op = &w.op[cookie - 1];
	if (!op->is_open || op->node != n->id)
		replica_world_fail("op %u is answered twice", (unsigned)cookie);
	op->is_open = false;
	replica_world_tell("n%u: op %u: %s rev %llu", (unsigned)n->id,
	    (unsigned)cookie, replica_code_name(code),
	    (unsigned long long)effect->answer.rev);
	if (code == REPLICA_OK || code == REPLICA_CONFLICT)
		replica_world_lost_answered(
		    op, n, code == REPLICA_OK ? effect->answer.rev : 0);
	replica_world_note_op(op, n, effect);
	if (code == REPLICA_OK) {
		on_ok(n, op, effect->answer.rev);
	} else if (code == REPLICA_UNKNOWN) {
		w.tally->unknown++;
	} else if (code >= REPLICA_CLOSED) {
		op->is_refused = true;
		w.tally->refused++;
	}
	if (op->is_refused && op->is_done)
		replica_world_fail(
		    "op %u was done and is refused", (unsigned)cookie);
	replica_world_lock_answered(op, code, effect->answer.rev);
}

void
replica_world_lost(struct world_node *n)
{
	for (size_t i = 0; i < w.op_count; i++)
		if (w.op[i].node == n->id)
			w.op[i].is_open = false;
	replica_world_lock_lost(n);
}

/* ---- what is applied --------------------------------------------------- */

static void
look_at_expiry(const struct world_node *n, uint64_t id)
{
	for (size_t i = 0; i < w.lease_count; i++) {
		struct world_lease *lease = &w.lease[i];

		if (lease->id != id ||
		    kv_lease_find(n->replica->kv, id) != NULL)
			continue;
		w.tally->expired++;
		if (w.now_ns < lease->until_ns && w.rules.tie != KV_TIE_FENCE)
			replica_world_fail(
			    "lease %llu is over too soon at node %u",
			    (unsigned long long)id, (unsigned)n->id);
		lease->until_ns = 0;
	}
}

static void
look_at_command(struct world_node *n, const struct kv_tip *tip,
    const struct replica_command *c)
{
	struct kv_command command;
	struct kv_part part;
	uint32_t op;

	if (kv_command_open(&command, c->bytes, c->len) != 0)
		return;
	for (size_t i = 0; i < command.change_count; i++) {
		kv_command_next(&command.changes, &part);
		/* Whoever released it knows, and does not count on it. */
		if (part.kind == KV_RELEASE &&
		    kv_lease_find(n->replica->kv, part.lease) == NULL)
			end_lease(part.lease);
		if (part.kind == KV_EXPIRE)
			look_at_expiry(n, part.lease);
		if (part.kind != KV_PUT)
			continue;
		memcpy(&op, part.value, 4);
		ENSURE(op > 0 && op <= w.op_count);
		w.op[op - 1].is_done = true;
		w.op[op - 1].tip = *tip;
		if (w.op[op - 1].is_refused)
			replica_world_fail(
			    "op %u was refused and is done", (unsigned)op);
	}
}

static void
look_at_record(struct world_node *n, const struct replica_record *record)
{
	struct world_index *index = &w.index[record->tip.index];
	uint32_t sum = crc32c_more(0, record->bytes, record->len);
	struct replica_commands commands;
	struct replica_command command;

	if (replica_world_is_lost(&record->tip))
		return;
	if (index->is_known) {
		if (kv_tip_compare(&index->tip, &record->tip) != 0 ||
		    index->sum != sum)
			replica_world_fail("node %u applies another record "
					   "%llu than somebody before",
			    (unsigned)n->id,
			    (unsigned long long)record->tip.index);
		return;
	}
	*index = (struct world_index){
		.is_known = true, .tip = record->tip, .sum = sum
	};
	if (replica_wire_record_kind(record->bytes, record->len) ==
	    REPLICA_RECORD_OPEN)
		w.tally->opens++;
	if (replica_wire_record_kind(record->bytes, record->len) ==
	    REPLICA_RECORD_CUT)
		w.tally->cuts++;
	if (!replica_wire_get_commands(record->bytes, record->len, &commands))
		return;
	for (size_t i = 0; i < commands.count; i++) {
		replica_wire_next_command(&commands.items, &command);
		look_at_command(n, &record->tip, &command);
	}
}

static void
look_at_state(struct world_node *n)
{
	const struct kv *kv = replica_kv(n->replica);
	struct world_index *index = &w.index[n->applied];

	struct kv_tip tip;

	if (kv == NULL || n->applied == 0)
		return;
	tip = replica_log_tip_at(n->replica, n->applied);
	if (replica_world_is_lost(&tip))
		return;
	if (index->rev == 0)
		index->rev = kv_rev(kv) + 1;
	if (index->rev != kv_rev(kv) + 1)
		replica_world_fail("node %u has another revision after %llu",
		    (unsigned)n->id, (unsigned long long)n->applied);
	if (draw(16) != 0)
		return;
	if (!index->has_digest)
		index->digest = kv_digest(kv);
	index->has_digest = true;
	if (index->digest != kv_digest(kv))
		replica_world_fail("node %u has another state after %llu",
		    (unsigned)n->id, (unsigned long long)n->applied);
}

/* What the others are told of it is what a restart would find. */
static void
look_at_log(const struct world_node *n)
{
	const struct replica *r = n->replica;
	struct kv_tip end = replica_disk_end(n->disk), tip;

	if (!r->is_verified || r->is_dead || r->is_reload_due || r->is_failed ||
	    r->is_abort_due || r->fill.has_begun || r->fill.is_begin_due ||
	    r->fill.is_spoilt)
		return;
	if (r->given < r->win.end)
		tip = replica_log_tip_at(r, r->given);
	if (r->given >= r->win.end || kv_tip_compare(&end, &tip) != 0)
		replica_world_fail("node %u has given its disk %llu records, "
				   "and there are %llu",
		    (unsigned)n->id, (unsigned long long)r->given,
		    (unsigned long long)end.index);
}

void
replica_world_look(struct world_node *n)
{
	struct replica *r = n->replica;
	struct replica_record record;

	if (w.index == NULL)
		w.index = calloc(INDEXES_MAX, sizeof *w.index);
	ENSURE(w.index != NULL && r->applied < INDEXES_MAX);
	if (r->era.is_complete && r->era.acked >= r->era.open_index &&
	    r->era.synced >= r->era.open_index)
		n->is_sick = false;
	replica_world_lost_look(n);
	look_at_log(n);
	replica_world_look_at_cut(n);
	if (r->is_kv_void || r->is_dead)
		return;
	if (r->applied == n->applied)
		return;
	for (uint64_t i = n->applied + 1; i <= r->applied; i++)
		if (replica_window_get(&r->win, i, &record))
			look_at_record(n, &record);
	n->applied = r->applied;
	look_at_state(n);
	if (replica_kv(r) != NULL)
		replica_world_note_applied(replica_kv(r));
}

/* ---- the end ----------------------------------------------------------- */

static void
check_one(const struct world_node *n, const struct world_node *other)
{
	if (replica_state_now(n->replica) != REPLICA_OPEN)
		replica_world_fail("node %u is %s in the end", (unsigned)n->id,
		    replica_state_name(replica_state_now(n->replica)));
	else if (n->applied != other->applied)
		replica_world_fail("nodes %u and %u end at %llu and %llu",
		    (unsigned)n->id, (unsigned)other->id,
		    (unsigned long long)n->applied,
		    (unsigned long long)other->applied);
	else if (kv_digest(n->replica->kv) != kv_digest(other->replica->kv))
		replica_world_fail("nodes %u and %u end in different states",
		    (unsigned)n->id, (unsigned)other->id);
}

bool
replica_world_is_even(void)
{
	for (unsigned i = 1; i < w.rules.node_count; i++)
		if (w.node[i].applied != w.node[0].applied)
			return false;
	return true;
}

/* Rule 2: ringd's numbers are behind a log that is here. */
static bool
is_below_its_log(void)
{
	const char *why = w.node[0].replica->era.why;

	return why != NULL && strcmp(why, "epoch") == 0;
}

void
replica_world_end(void)
{
	const struct world_node *open = NULL;

	for (unsigned i = 0; i < w.rules.node_count; i++)
		if (w.node[i].is_up &&
		    replica_state_now(w.node[i].replica) == REPLICA_OPEN)
			open = &w.node[i];
	/* Not all need to be there for less. */
	for (unsigned i = 0; i < w.rules.node_count; i++)
		if (open == NULL && !w.node[i].is_up)
			return;
	if (open == NULL && w.rules.has_falling_views && is_below_its_log())
		return;
	if (open == NULL) {
		replica_world_fail("nobody is open in the end: %s",
		    w.node[0].replica->era.why != NULL
			? w.node[0].replica->era.why
			: "-");
		return;
	}
	for (unsigned i = 0; i < w.rules.node_count; i++)
		if (w.node[i].is_up)
			check_one(&w.node[i], open);
	for (size_t i = 0; i < w.op_count; i++)
		if (w.op[i].is_open)
			replica_world_fail(
			    "op %u is never answered", (unsigned)i + 1);
	replica_world_lost_end();
	replica_world_watch_all();
}

void
replica_world_forget(void)
{
	free(w.index);
	free(w.op);
	free(w.epoch);
	if (w.history != NULL)
		lincheck_destroy(w.history);
	w.history = NULL;
	w.index = NULL;
	w.op = NULL;
	w.epoch = NULL;
}
