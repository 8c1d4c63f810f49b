/* SPDX-License-Identifier: BSD-3-Clause */
/* Leases by this node's clock: for how long the store was open here since
 * their last renewal was applied. */
#include "libcommon/base/arena.h"
#include "libcommon/base/num.h"

#include "bin/cfgstored/replica_internal.h"

/* What is new is looked for so often: that much longer may a lease live. */
#define SWEEP_NS UINT64_C(100000000)

void
replica_lease_create(struct replica_leases *l, const struct replica_config *cfg,
    struct arena *arena)
{
	l->lease = arena_take(arena,
	    (size_t)num_max(cfg->kv.room.leases, 1) *
		sizeof(struct replica_lease));
}

void
replica_lease_forget(struct replica *r)
{
	r->leases.count = 0;
}

/* ---- the clock that counts open time only ------------------------------ */

/* Whoever has a lease could renew it, as far as it is up to this node. */
static bool
is_open(const struct replica *r)
{
	return replica_state_now(r) == REPLICA_OPEN && !r->is_lacking &&
	    r->is_permitted && r->era.acked >= r->era.open_index;
}

static uint64_t
open_ns_at(const struct replica_leases *l, uint64_t now_ns)
{
	return l->open_ns + (l->is_open ? num_sub(now_ns, l->at_ns) : 0);
}

/* What happened since the last step happened as things were then. */
static void
count(struct replica *r)
{
	struct replica_leases *l = &r->leases;

	l->open_ns = open_ns_at(l, r->now_ns);
	l->at_ns = r->now_ns;
	l->is_open = is_open(r);
}

static uint64_t
due_ns(const struct replica *r, const struct kv_lease *lease)
{
	uint64_t slack_ns = lease->ttl_ns / 16;

	if (lease->ttl_ns > UINT64_MAX / 2)
		return REPLICA_NEVER;
	return r->leases.open_ns + lease->ttl_ns + slack_ns;
}

/* ---- their ends -------------------------------------------------------- */

/* What the state has now: new or renewed ones begin. */
static void
note(struct replica *r)
{
	struct replica_leases *l = &r->leases;
	size_t old = 0, count = 0;
	const struct kv_lease *lease;

	while ((lease = kv_lease_at(r->kv, count)) != NULL) {
		struct replica_lease *to = &l->lease[count++];

		while (old < l->count && l->lease[old].id < lease->id)
			old++;
		if (old < l->count && l->lease[old].id == lease->id &&
		    l->lease[old].renewals == lease->renewals) {
			*to = l->lease[old++];
			continue;
		}
		if (old < l->count && l->lease[old].id == lease->id)
			old++;
		*to = (struct replica_lease){ .id = lease->id,
			.renewals = lease->renewals,
			.due_ns = due_ns(r, lease) };
	}
	l->count = count;
}

/* Everything that was ever granted it is off. */
static bool
is_fenced(const struct replica *r, const struct kv_lease *lease)
{
	const struct replica_run *off =
	    replica_find_run(&r->fenced, lease->node);
	const struct replica_run *met =
	    replica_find_run(&r->meta.runs, lease->node);

	return off != NULL && met != NULL && off->inc >= met->inc &&
	    lease->run <= met->run &&
	    !replica_has_node(&r->era.members, lease->node);
}

/* One after the other, that not all propose the same. */
static uint64_t
turn_ns(const struct replica *r)
{
	return r->era.self * r->cfg.silence_ns;
}

static uint64_t
expire(struct replica *r, const struct replica_lease *lease)
{
	struct kv_part part = {
		.kind = KV_EXPIRE, .lease = lease->id, .number = lease->renewals
	};
	uint8_t bytes[64];
	struct wrbuf wr;

	wrbuf_init(&wr, bytes, sizeof bytes);
	kv_command_begin(&wr, 0, 1);
	kv_command_add(&wr, &part);
	replica_log_numbers(
	    r, "lease ", lease->id, " is over, renewals: ", lease->renewals);
	return replica_client_add(r, bytes, wr.len);
}

void
replica_lease_on_time(struct replica *r)
{
	struct replica_leases *l = &r->leases;

	count(r);
	if (!l->is_open || l->sweep_ns > r->now_ns)
		return;
	note(r);
	l->sweep_ns = r->now_ns + SWEEP_NS;
	for (size_t i = 0; i < l->count; i++) {
		struct replica_lease *lease = &l->lease[i];
		uint64_t due = lease->due_ns;

		if (replica_client_has(r, lease->asked))
			continue;
		if (is_fenced(r, kv_lease_find(r->kv, lease->id)))
			due = 0;
		if (due <= num_sub(l->open_ns, turn_ns(r)))
			lease->asked = expire(r, lease);
	}
}

uint64_t
replica_lease_deadline_ns(const struct replica *r)
{
	if (!r->leases.is_open || kv_lease_at(r->kv, 0) == NULL)
		return REPLICA_NEVER;
	return r->leases.sweep_ns;
}

uint64_t
replica_lease_left_ns(const struct replica *r, uint64_t id, uint64_t now_ns)
{
	const struct replica_leases *l = &r->leases;

	for (size_t i = 0; i < l->count; i++)
		if (l->lease[i].id == id)
			return num_sub(
			    l->lease[i].due_ns, open_ns_at(l, now_ns));
	return REPLICA_NEVER;
}
