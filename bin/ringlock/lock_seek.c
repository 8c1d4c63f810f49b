/* SPDX-License-Identifier: BSD-3-Clause */
/* On the way to the lock: a lease, a place in the queue, a slot.
 *
 * What decides is one thing alone: the transaction that puts the slot's key if
 * it is absent.  The queue is for fairness; what is known from the watch only
 * tells when to try.
 */
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"

#include "bin/ringlock/lock_internal.h"

enum { EX_FALSE = 1, EX_DATA = 65 };

/* False: there is another number of slots, and it is in use. */
static bool
is_agreed(struct lock *lock)
{
	const struct lock_keys *keys = &lock->keys;
	struct text text;

	if (keys->slots_rev == 0 || keys->slots == lock->cfg.slots ||
	    !lock_keys_are_used(lock))
		return true;
	text_init(&text, lock->why, sizeof lock->why);
	text_put(&text, "it is in use, with --slots ");
	text_put_u64(&text, keys->slots);
	lock_leave(lock, EX_DATA, lock->why);
	return false;
}

/* The slot that the keys say is ours, or slots: none. */
static uint64_t
find_own_slot(const struct lock *lock)
{
	uint64_t i = 0;

	if (lock->lease == 0 || !lock->keys.is_whole)
		return lock->cfg.slots;
	while (i < lock->cfg.slots &&
	    (lock->keys.slot[i].rev == 0 ||
		lock->keys.slot[i].lease != lock->lease))
		i++;
	return i;
}

/*
 * The answer that granted it never came.  What the watch tells may not be on
 * disk yet; a renewal is, when it is answered, and all that stands before it.
 */
static bool
found_own_slot(struct lock *lock)
{
	uint64_t slot = find_own_slot(lock);

	if (slot == lock->cfg.slots) {
		lock->seen_ns = 0;
		return false;
	}
	if (lock->seen_ns == 0)
		lock->seen_ns = lock->renew_ns = lock->now_ns;
	else if (lock->until_ns >= lock->seen_ns + lock->cfg.ttl_ns)
		lock_take(lock, slot, lock->keys.slot[slot].rev);
	return true;
}

/* Nobody is known to stand before us, yet we do not know of everybody. */
static void
ask_anew(struct lock *lock)
{
	if (!lock->keys.has_overflown ||
	    lock->keys.waiter_count > LOCK_WAITERS_MAX / 2)
		return;
	lock_put(lock, LOCK_RECONNECT)->text = "to read the queue anew";
}

/* The lease would have to be renewed before the work could begin. */
static bool
is_lease_fresh(struct lock *lock)
{
	if (lock->now_ns < lock_stop_ns(lock))
		return true;
	lock->renew_ns = num_min(lock->renew_ns, lock->now_ns);
	return false;
}

static void
try_slot(struct lock *lock)
{
	uint64_t slot = lock_keys_free(lock);

	if (lock_keys_is_first(lock) && slot < lock->cfg.slots) {
		if (!is_lease_fresh(lock))
			return;
		lock->slot = slot;
		lock_ask_slot(lock, slot);
	} else if (lock->cfg.is_try) {
		lock_leave(lock, EX_FALSE, NULL);
	} else if (lock->keys.my_rev == 0) {
		lock_ask_place(lock);
	} else {
		ask_anew(lock);
	}
}

void
lock_seek(struct lock *lock)
{
	bool is_waiting = lock_is_asked(lock, LOCK_ASKED_LEASE) ||
	    lock_is_asked(lock, LOCK_ASKED_PLACE) ||
	    lock_is_asked(lock, LOCK_ASKED_SLOT);

	if (!lock->is_open || is_waiting || found_own_slot(lock) ||
	    lock->now_ns < lock->retry_ns)
		return;
	if (lock->lease == 0) {
		lock_ask_lease(lock);
		lock->renew_ns =
		    lock->now_ns + (lock->cfg.ttl_ns - lock->cfg.grace_ns) / 3;
		return;
	}
	if (!lock->keys.is_whole || lock->keys.has_gone_on)
		return;
	lock->has_joined = true;
	if (lock->now_ns >= lock->stale_ns && is_agreed(lock))
		try_slot(lock);
}
