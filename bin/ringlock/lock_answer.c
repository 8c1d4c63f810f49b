/* SPDX-License-Identifier: BSD-3-Clause */
/* What the store answers: granted, refused, not known, or not now. */
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"

#include "bin/ringlock/lock_internal.h"

/* Not now: again soon, or when the store says that it is open. */
#define RETRY_NS (250 * LOCK_MS_NS)
/* For an event that does not come, as it came before the answer. */
#define STALE_NS LOCK_S_NS
/* Its view ended under way. */
#define AGAIN_NS (20 * LOCK_MS_NS)

enum { EX_AGAIN = 75, EX_PROTOCOL = 76 };

static uint64_t
number(const struct lock_line *line, const char *key)
{
	const struct word_pair *pair = word_get(line->word, key);
	uint64_t value;

	if (pair == NULL ||
	    parse_u64(pair->value, pair->len, 0, UINT64_MAX, &value) != 0)
		return 0;
	return value;
}

static bool
has_code(const struct lock_line *line, const char *code)
{
	const struct word_pair *pair = word_get(line->word, "code");

	return pair != NULL && strcmp(pair->value, code) == 0;
}

/* What the daemon says about it, or its code. */
static const char *
reason(struct lock *lock, const struct lock_line *line)
{
	const struct word_pair *pair = word_get(line->word, "msg");
	struct text text;

	if (pair == NULL || pair->len == 0)
		pair = word_get(line->word, "code");
	text_init(&text, lock->why, sizeof lock->why);
	text_put(&text, "the store: ");
	if (pair != NULL)
		text_put_bytes(&text, pair->value, pair->len);
	return lock->why;
}

/* ---- refusals ---------------------------------------------------------- */

static void
retry(struct lock *lock, uint64_t span_ns)
{
	lock->retry_ns = num_max(lock->retry_ns, lock->now_ns + span_ns);
}

/* What changed will be told by the watch, or was just told. */
static void
be_stale(struct lock *lock)
{
	lock->stale_ns = lock->now_ns + STALE_NS;
}

/* What was asked to get the lock was not done. */
static void
refuse(struct lock *lock, const struct lock_line *line)
{
	uint64_t code = number(line, "n");

	if (lock->phase != LOCK_PHASE_SEEK)
		return;
	if (has_code(line, "conflict")) {
		be_stale(lock);
	} else if (has_code(line, "nolease")) {
		lock_lapse(lock);
	} else if (has_code(line, "unknown")) {
		retry(lock, AGAIN_NS);
	} else if (code == EX_AGAIN) {
		retry(lock, RETRY_NS);
		if (lock->cfg.is_try)
			lock_leave(lock, EX_AGAIN, reason(lock, line));
	} else {
		lock_leave(lock, code != 0 ? (int)code : EX_PROTOCOL,
		    reason(lock, line));
	}
}

/* ---- by what was asked ------------------------------------------------- */

static void
on_lease(struct lock *lock, const struct lock_line *line, uint64_t sent_ns)
{
	if (line->kind != LOCK_OK) {
		refuse(lock, line);
		if (lock->phase == LOCK_PHASE_LEAVE)
			lock_end(lock);
		return;
	}
	lock->lease = number(line, "lease");
	lock->until_ns = sent_ns + lock->cfg.ttl_ns;
	if (lock->lease == 0)
		lock_leave(lock, EX_PROTOCOL, "the store granted no lease");
	else if (lock->phase == LOCK_PHASE_LEAVE)
		lock_ask_release(lock);
}

static void
on_renewal(struct lock *lock, const struct lock_line *line, uint64_t sent_ns)
{
	uint64_t interval_ns = (lock->cfg.ttl_ns - lock->cfg.grace_ns) / 3;

	if (line->kind == LOCK_OK) {
		lock->until_ns =
		    num_max(lock->until_ns, sent_ns + lock->cfg.ttl_ns);
		if (lock->has_started && lock->phase < LOCK_PHASE_LEAVE)
			lock_put(lock, LOCK_UNTIL);
	} else if (has_code(line, "nolease")) {
		lock_lapse(lock);
	} else {
		lock->renew_ns = num_min(lock->renew_ns,
		    lock->now_ns +
			num_clamp(interval_ns / 4, AGAIN_NS, RETRY_NS));
	}
}

static void
on_view(struct lock *lock, const struct lock_line *line)
{
	const struct word_pair *pair = word_get(line->word, "view");
	struct text text;

	if (pair == NULL)
		return;
	text_init(&text, lock->view, sizeof lock->view);
	text_put_bytes(&text, pair->value, pair->len);
}

/* When it was asked; now it is not any more. */
static uint64_t
take_asked(struct lock *lock, enum lock_asked what)
{
	uint64_t sent_ns = lock->asked_ns[what];

	lock->asked_ns[what] = 0;
	return sent_ns;
}

static void
on_slot(struct lock *lock, const struct lock_line *line)
{
	uint64_t rev = number(line, "rev");

	if (line->kind != LOCK_OK)
		refuse(lock, line);
	else if (lock->phase == LOCK_PHASE_SEEK && rev != 0)
		lock_take(lock, lock->slot, rev);
}

void
lock_answer(struct lock *lock, const struct lock_line *line)
{
	const char *tag = line->tag != NULL ? line->tag : "";
	uint64_t sent_ns;

	switch (tag[0]) {
	case 'w':
		(void)take_asked(lock, LOCK_ASKED_WATCH);
		if (line->kind != LOCK_OK)
			refuse(lock, line);
		break;
	case 'l':
		sent_ns = take_asked(lock, LOCK_ASKED_LEASE);
		on_lease(lock, line, sent_ns);
		break;
	case 'q':
		(void)take_asked(lock, LOCK_ASKED_PLACE);
		if (line->kind != LOCK_OK)
			refuse(lock, line);
		else if (lock->keys.my_rev == 0)
			be_stale(lock);
		break;
	case 't':
		(void)take_asked(lock, LOCK_ASKED_SLOT);
		on_slot(lock, line);
		break;
	case 'r':
		if (tag[1] < '0' || tag[1] >= '0' + LOCK_RENEWALS)
			return;
		sent_ns = take_asked(
		    lock, (enum lock_asked)(LOCK_ASKED_RENEWAL + tag[1] - '0'));
		if (sent_ns != 0)
			on_renewal(lock, line, sent_ns);
		break;
	case 'x':
		(void)take_asked(lock, LOCK_ASKED_RELEASE);
		lock_end(lock);
		break;
	case 's':
		on_view(lock, line);
		break;
	default:
		break;
	}
}
