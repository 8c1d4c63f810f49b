/* SPDX-License-Identifier: BSD-3-Clause */
/* While a slot is ours: the work begins, and ends in time. */
#include <string.h>

#include "libcommon/base/num.h"

#include "bin/ringlock/lock_internal.h"

enum { EX_LOST = 122 };

/* A view that forms is without quorum for a moment, and nothing is lost. */
#define CLOSED_NS (250 * LOCK_MS_NS)
/* What was sent KILL needs a moment, too. */
#define DYING_NS (500 * LOCK_MS_NS)

void
lock_take(struct lock *lock, uint64_t slot, uint64_t token)
{
	lock->phase = LOCK_PHASE_HOLD;
	lock->slot = slot;
	lock->token = token;
}

/* The work begins only with all of its grace before it. */
static void
start(struct lock *lock)
{
	if (lock->now_ns >= lock_stop_ns(lock)) {
		lock->renew_ns = num_min(lock->renew_ns, lock->now_ns);
		return;
	}
	lock->has_started = true;
	lock_put(lock, LOCK_HELD);
}

void
lock_stop(struct lock *lock, uint64_t grace_ns)
{
	if (lock->phase == LOCK_PHASE_HOLD)
		lock->ending_ns = lock->now_ns;
	lock->phase = LOCK_PHASE_STOP;
	lock_put(lock, LOCK_STOP)->grace_ns = grace_ns;
}

/* ---- losing ------------------------------------------------------------ */

static void
lose(struct lock *lock, const char *why, uint64_t grace_ns)
{
	if (!lock->is_lost) {
		lock->is_lost = true;
		lock_put(lock, LOCK_LOST)->text = why;
	}
	if (!lock->cfg.has_work) {
		lock->code = EX_LOST;
		lock_end(lock);
	} else if (!lock->cfg.ignores_loss) {
		lock_stop(lock, grace_ns);
	}
}

/* The key of our slot is gone, or another's: nothing protects us any more. */
static bool
is_taken_away(const struct lock *lock)
{
	const struct lock_keys *keys = &lock->keys;

	/* A replica that is behind does not know of us yet. */
	return lock->is_open && keys->is_whole && !keys->has_gone_on &&
	    keys->rev >= lock->token &&
	    keys->slot[lock->slot].rev != lock->token;
}

/* Only a daemon that says so; that it is silent shows by our deadline. */
static uint64_t
quorum_loss_ns(const struct lock *lock)
{
	if (!lock->is_open || lock->closed_ns == 0 || lock->cfg.ignores_loss)
		return UINT64_MAX;
	return lock->closed_ns + CLOSED_NS;
}

/* By time. */
static uint64_t
late_ns(const struct lock *lock)
{
	return lock->cfg.ignores_loss ? lock->until_ns : lock_stop_ns(lock);
}

uint64_t
lock_loss_ns(const struct lock *lock)
{
	if (!lock->has_started || lock->is_lost)
		return UINT64_MAX;
	return num_min(quorum_loss_ns(lock), late_ns(lock));
}

static void
look_at_loss(struct lock *lock)
{
	if (lock->is_lost)
		return;
	if (is_taken_away(lock))
		lose(lock, "it was taken away", 0);
	else if (lock->now_ns >= late_ns(lock))
		lose(lock, "it could not be renewed in time",
		    lock->cfg.grace_ns);
	else if (lock->now_ns >= quorum_loss_ns(lock))
		lose(lock, "the quorum was lost", lock->cfg.grace_ns);
}

/* ---- ending ------------------------------------------------------------ */

/* Once: no grace is left. */
static void
hurry(struct lock *lock)
{
	if (lock->is_hurried)
		return;
	lock->is_hurried = true;
	lock_stop(lock, 0);
}

/* Whoever was stopped itself had no time to end anything. */
uint64_t
lock_stuck_ns(const struct lock *lock)
{
	if (lock->is_stuck)
		return UINT64_MAX;
	return num_max(lock_kill_ns(lock), lock->ending_ns) + DYING_NS;
}

static void
look_at_end(struct lock *lock)
{
	if (is_taken_away(lock))
		hurry(lock);
	if (lock->now_ns < lock_stuck_ns(lock))
		return;
	lock->is_stuck = true;
	lock_put(lock, LOCK_STUCK)->text = "something of it cannot be ended";
}

void
lock_look(struct lock *lock)
{
	if (lock->phase == LOCK_PHASE_STOP)
		look_at_end(lock);
	else if (!lock->has_started)
		start(lock);
	else
		look_at_loss(lock);
}

void
lock_lapse(struct lock *lock)
{
	bool was_held = lock->phase == LOCK_PHASE_HOLD && lock->has_started;

	lock->lease = 0;
	lock->keys.my_rev = 0;
	for (size_t i = 0; i < LOCK_RENEWALS; i++)
		lock->asked_ns[LOCK_ASKED_RENEWAL + i] = 0;
	if (was_held && !lock->is_lost)
		lose(lock, "its lease is gone", 0);
	else if (lock->phase == LOCK_PHASE_HOLD && !lock->has_started)
		lock->phase = LOCK_PHASE_SEEK; /* once more, from the start */
	else if (lock->phase == LOCK_PHASE_STOP)
		hurry(lock);
}
