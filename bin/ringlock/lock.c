/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/ringlock/lock.h"

#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"

#include "bin/ringlock/lock_internal.h"

enum {
	EX_UNAVAILABLE = 69,
	EX_LOST = 122,
	EX_TIMEOUT = 124,
	EX_SIGNAL = 128,
	EX_TERM = 128 + 15,
};

/* The daemon itself gives up after 30 s, and says so. */
#define FORGOTTEN_NS (35 * LOCK_S_NS)

const char *
lock_name_is_wrong(const char *name)
{
	size_t len = strlen(name);

	if (len == 0)
		return "a name is not empty";
	if (len > LOCK_NAME_BYTES_MAX)
		return "a name has at most 128 bytes";
	for (size_t i = 0; i < len; i++)
		if (name[i] == '/' &&
		    (i == 0 || i + 1 == len || name[i - 1] == '/'))
			return "a name's parts, between slashes, are not empty";
	return NULL;
}

struct lock *
lock_create(struct arena *arena, const struct lock_config *cfg, uint64_t now_ns)
{
	struct lock *lock = arena_take(arena, sizeof *lock);

	if (lock == NULL)
		return NULL;
	ENSURE(cfg->grace_ns >= LOCK_MARGIN_NS && cfg->grace_ns < cfg->ttl_ns);
	ENSURE(cfg->slots >= 1 && cfg->slots <= LOCK_SLOTS_MAX);
	ENSURE(cfg->prio <= LOCK_PRIO_MAX);
	memset(lock, 0, sizeof *lock);
	lock->cfg = *cfg;
	lock->now_ns = lock->start_ns = lock->heard_ns = now_ns;
	lock->renew_ns = UINT64_MAX;
	return lock;
}

/* ---- effects ----------------------------------------------------------- */

struct lock_effect *
lock_put(struct lock *lock, enum lock_effect_kind kind)
{
	struct lock_effect *effect;

	ENSURE(lock->effect_count < LOCK_EFFECTS);
	effect = &lock->effect[lock->effect_count++];
	*effect = (struct lock_effect){ .kind = kind,
		.view = lock->view,
		.token = lock->token,
		.slot = lock->slot,
		.stop_ns = lock_stop_ns(lock),
		.kill_ns = lock_kill_ns(lock) };
	return effect;
}

bool
lock_next(struct lock *lock, struct lock_effect *out)
{
	if (lock->effect_first == lock->effect_count)
		return false;
	*out = lock->effect[lock->effect_first++];
	return true;
}

uint64_t
lock_stop_ns(const struct lock *lock)
{
	return num_sub(lock->until_ns, lock->cfg.grace_ns);
}

uint64_t
lock_kill_ns(const struct lock *lock)
{
	return num_sub(lock->until_ns, LOCK_MARGIN_NS);
}

/* ---- the end ----------------------------------------------------------- */

void
lock_end(struct lock *lock)
{
	struct lock_effect *effect;

	if (lock->phase == LOCK_PHASE_OVER)
		return;
	lock->phase = LOCK_PHASE_OVER;
	effect = lock_put(lock, LOCK_END);
	effect->code = lock->code;
	effect->signo = lock->signo;
}

void
lock_leave(struct lock *lock, int code, const char *text)
{
	if (lock->phase >= LOCK_PHASE_LEAVE)
		return;
	if (text != NULL)
		lock_put(lock, LOCK_WARN)->text = text;
	lock->phase = LOCK_PHASE_LEAVE;
	lock->code = code;
	/* No renewal that is under way makes the lease last longer. */
	lock->leave_ns =
	    lock->now_ns + num_min(lock->cfg.answer_ns, lock->cfg.ttl_ns);
	if (!lock->is_open ||
	    (lock->lease == 0 && !lock_is_asked(lock, LOCK_ASKED_LEASE)))
		lock_end(lock);
	else if (lock->lease != 0)
		lock_ask_release(lock);
}

/*
 * The work ended as it should: by itself, though not of a signal; or, told to
 * end, well or of that.  Otherwise what it did is perhaps not undone.
 */
static bool
is_clean(const struct lock *lock)
{
	bool was_told = lock->told_signo != 0 || lock->is_lost;

	if (!lock->has_ended)
		return false;
	return (!was_told && lock->work_code <= EX_SIGNAL) ||
	    lock->work_code == 0 ||
	    (lock->told_signo != 0 &&
		lock->work_code == EX_SIGNAL + lock->told_signo) ||
	    (lock->is_lost && lock->work_code == EX_TERM);
}

/* Nothing of the work is left. */
static void
conclude(struct lock *lock)
{
	lock->code = lock->is_lost ? EX_LOST : lock->work_code;
	if (is_clean(lock)) {
		lock_leave(lock, lock->code, NULL);
		return;
	}
	if (!lock->is_stuck)
		lock_put(lock, LOCK_STUCK)->text = "it did not end well";
	lock->is_stuck = true;
	lock_end(lock);
}

/* ---- inputs ------------------------------------------------------------ */

static void
begin_input(struct lock *lock, uint64_t now_ns)
{
	ENSURE(lock->effect_first == lock->effect_count);
	lock->effect_first = lock->effect_count = 0;
	lock->out_len = 0;
	lock->now_ns = num_max(lock->now_ns, now_ns);
}

/* The daemon owes an answer, and says nothing at all. */
static uint64_t
silent_ns(const struct lock *lock)
{
	uint64_t asked_ns = lock_ask_oldest_ns(lock);

	if (!lock->has_joined && !lock->is_open)
		asked_ns = num_min(asked_ns, lock->start_ns);
	if (asked_ns == UINT64_MAX || lock->phase == LOCK_PHASE_OVER)
		return UINT64_MAX;
	return num_max(asked_ns, lock->heard_ns) + lock->cfg.answer_ns;
}

/* It speaks, so it lives, and does not know any more what it owes. */
static bool
is_forgotten(const struct lock *lock)
{
	uint64_t asked_ns = lock_ask_oldest_ns(lock);

	return asked_ns != UINT64_MAX &&
	    lock->heard_ns >= asked_ns + FORGOTTEN_NS;
}

static void
forget_answers(struct lock *lock)
{
	memset(lock->asked_ns, 0, sizeof lock->asked_ns);
}

static void
look_at_silence(struct lock *lock)
{
	if (lock->now_ns < silent_ns(lock) && !is_forgotten(lock))
		return;
	if (lock->phase == LOCK_PHASE_SEEK &&
	    (lock->cfg.is_try || !lock->has_joined)) {
		lock->is_open = false; /* there is nobody to release to */
		lock_leave(lock, EX_UNAVAILABLE, "the daemon does not answer");
		return;
	}
	forget_answers(lock);
	lock->heard_ns = lock->now_ns;
	if (lock->is_open)
		lock_put(lock, LOCK_RECONNECT)->text =
		    "the daemon does not answer";
}

static void
renew(struct lock *lock)
{
	if (!lock->is_open || lock->lease == 0 ||
	    lock->phase > LOCK_PHASE_STOP || lock->now_ns < lock->renew_ns)
		return;
	lock_ask_renewal(lock);
	lock->renew_ns =
	    lock->now_ns + (lock->cfg.ttl_ns - lock->cfg.grace_ns) / 3;
}

/* After every input: what follows from what is known, and from the time. */
static void
end_input(struct lock *lock)
{
	look_at_silence(lock);
	if (lock->phase == LOCK_PHASE_SEEK && lock->now_ns >= lock->cfg.wait_ns)
		lock_leave(lock, EX_TIMEOUT, "not in time");
	if (lock->phase == LOCK_PHASE_SEEK)
		lock_seek(lock);
	if (lock->phase == LOCK_PHASE_HOLD || lock->phase == LOCK_PHASE_STOP)
		lock_look(lock);
	renew(lock);
	if (lock->phase == LOCK_PHASE_LEAVE && lock->now_ns >= lock->leave_ns)
		lock_end(lock);
}

void
lock_opened(struct lock *lock, uint64_t now_ns)
{
	begin_input(lock, now_ns);
	lock->is_open = true;
	lock->stale_ns = lock->closed_ns = 0;
	lock->heard_ns = lock->now_ns;
	lock->retry_ns = 0;
	lock_keys_forget(&lock->keys);
	forget_answers(lock);
	lock_ask_all(lock);
	if (lock->lease != 0)
		lock->renew_ns = lock->now_ns;
	end_input(lock);
}

void
lock_closed(struct lock *lock, const char *why, uint64_t now_ns)
{
	begin_input(lock, now_ns);
	lock->is_open = false;
	forget_answers(lock);
	if (lock->phase == LOCK_PHASE_LEAVE)
		lock_end(lock); /* it lapses */
	else if (lock->phase == LOCK_PHASE_SEEK &&
	    (lock->cfg.is_try || !lock->has_joined))
		lock_leave(lock, EX_UNAVAILABLE, why);
	end_input(lock);
}

void
lock_unreachable(struct lock *lock, const char *why, uint64_t now_ns)
{
	begin_input(lock, now_ns);
	if (lock->phase == LOCK_PHASE_SEEK &&
	    (lock->cfg.is_try || !lock->has_joined))
		lock_leave(lock, EX_UNAVAILABLE, why);
	end_input(lock);
}

static void
take_event(struct lock *lock, const struct lock_line *line)
{
	const struct word_pair *state = word_get(line->word, "state");

	if (strcmp(line->event, "away") == 0) {
		bool is_closed =
		    state != NULL && strcmp(state->value, "closed") == 0;

		if (!is_closed)
			lock->closed_ns = 0;
		else if (lock->closed_ns == 0)
			lock->closed_ns = lock->now_ns;
	} else if (strcmp(line->event, "here") == 0) {
		lock->closed_ns = 0;
		lock->retry_ns = 0;
		lock_ask_view(lock);
	} else if (lock_keys_event(lock, line)) {
		lock->stale_ns = 0;
	}
}

void
lock_line(struct lock *lock, const struct lock_line *line, uint64_t now_ns)
{
	begin_input(lock, now_ns);
	lock->heard_ns = lock->now_ns;
	if (line->kind == LOCK_EV)
		take_event(lock, line);
	else if (line->kind != LOCK_ITEM)
		lock_answer(lock, line);
	end_input(lock);
}

void
lock_signal(
    struct lock *lock, enum lock_signal kind, int signo, uint64_t now_ns)
{
	bool is_end = kind == LOCK_SIGNAL_END;

	begin_input(lock, now_ns);
	if (lock->cfg.has_work && lock->has_started &&
	    lock->phase <= LOCK_PHASE_STOP) {
		if (is_end)
			lock->told_signo = signo;
		lock_put(lock, LOCK_SIGNAL)->signo = signo;
	} else if (is_end && lock->phase == LOCK_PHASE_LEAVE) {
		lock_end(lock);
	} else if (is_end) {
		lock->signo = signo;
		lock_leave(lock, EX_SIGNAL + signo, NULL);
	}
	end_input(lock);
}

void
lock_work_ended(struct lock *lock, int code, uint64_t now_ns)
{
	begin_input(lock, now_ns);
	/* If its time is over, too, the guard may have been faster than we. */
	if (lock->phase == LOCK_PHASE_HOLD && lock->has_started)
		lock_look(lock);
	lock->has_ended = true;
	lock->work_code = code;
	/* What it left behind is ended, too. */
	if (lock->phase == LOCK_PHASE_HOLD)
		lock_stop(lock, lock->cfg.grace_ns);
	end_input(lock);
}

void
lock_work_empty(struct lock *lock, bool is_guard_lost, uint64_t now_ns)
{
	begin_input(lock, now_ns);
	if (is_guard_lost && !lock->is_lost) {
		lock->is_lost = true;
		lock_put(lock, LOCK_LOST)->text = "the guard was killed";
	}
	if (lock->phase <= LOCK_PHASE_STOP)
		conclude(lock);
	end_input(lock);
}

void
lock_pass(struct lock *lock, uint64_t now_ns)
{
	begin_input(lock, now_ns);
	end_input(lock);
}

/* ---- time -------------------------------------------------------------- */

static uint64_t
when_later(const struct lock *lock, uint64_t ns)
{
	return ns > lock->now_ns ? ns : UINT64_MAX;
}

static uint64_t
phase_deadline_ns(const struct lock *lock)
{
	switch (lock->phase) {
	case LOCK_PHASE_SEEK:
		return num_min(lock->cfg.wait_ns,
		    num_min(when_later(lock, lock->retry_ns),
			when_later(lock, lock->stale_ns)));
	case LOCK_PHASE_HOLD:
		return lock_loss_ns(lock);
	case LOCK_PHASE_STOP:
		return lock_stuck_ns(lock);
	case LOCK_PHASE_LEAVE:
		return lock->leave_ns;
	case LOCK_PHASE_OVER:
		break;
	}
	return UINT64_MAX;
}

uint64_t
lock_deadline_ns(const struct lock *lock)
{
	uint64_t deadline_ns = phase_deadline_ns(lock);

	if (lock->phase == LOCK_PHASE_OVER)
		return UINT64_MAX;
	if (lock->is_open && lock->lease != 0 && lock->phase <= LOCK_PHASE_STOP)
		deadline_ns = num_min(deadline_ns, lock->renew_ns);
	return num_min(deadline_ns, silent_ns(lock));
}

void
lock_check(const struct lock *lock)
{
	ENSURE(lock->phase != LOCK_PHASE_SEEK || !lock->has_started);
	ENSURE(lock->phase != LOCK_PHASE_HOLD || lock->token != 0);
	ENSURE(lock->phase != LOCK_PHASE_STOP || lock->has_started);
	ENSURE(lock->cfg.has_work || lock->phase != LOCK_PHASE_STOP);
	ENSURE(lock->keys.waiter_count <= LOCK_WAITERS_MAX);
	ENSURE(!lock->has_started || lock->until_ns != 0);
}
