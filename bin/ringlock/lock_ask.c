/* SPDX-License-Identifier: BSD-3-Clause */
/* What is asked of the store, in its words.
 *
 * Each request stands in what is sent as a whole or not at all; when there is
 * no room it is as if it had been sent and not answered.  What changes anything
 * is asked for on disk, whatever the store's own way is: who loses power must
 * not come back and grant again what is held.
 */
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"

#include "bin/ringlock/lock_internal.h"

#define ON_DISK " durability=disk"

/* ---- sending ----------------------------------------------------------- */

static void
begin(struct lock *lock, struct text *text)
{
	text_init(
	    text, lock->out + lock->out_len, sizeof lock->out - lock->out_len);
}

static void
end(struct lock *lock, const struct text *text)
{
	struct lock_effect *effect;

	if (text->is_full)
		return;
	effect = lock_put(lock, LOCK_SEND);
	effect->bytes = lock->out + lock->out_len;
	effect->len = text->len;
	lock->out_len += text->len;
}

static void
put_number(struct text *text, const char *before, uint64_t number)
{
	text_put(text, before);
	text_put_u64(text, number);
}

/* key=lock/NAME/REST, and what follows. */
static void
put_key(const struct lock *lock, struct text *text, const char *verb,
    const char *rest)
{
	text_put(text, verb);
	text_put(text, "lock/");
	text_put_value(text, lock->cfg.name, strlen(lock->cfg.name));
	text_put_char(text, '/');
	text_put(text, rest);
}

/* The body as a transaction with that tag. */
static void
end_txn(struct lock *lock, const struct text *body, const char *tag)
{
	struct text text;

	begin(lock, &text);
	text_put(&text, tag);
	put_number(&text, " txn" ON_DISK " len=", body->len);
	text_put_char(&text, '\n');
	text_put_bytes(&text, body->bytes, body->len);
	text_put_char(&text, '\n');
	if (!body->is_full)
		end(lock, &text);
}

static void
put_value(const struct lock *lock, struct text *body)
{
	put_number(body, " lease=", lock->lease);
	put_number(body, " len=", lock->cfg.value_len);
	text_put_char(body, '\n');
	text_put_bytes(body, lock->cfg.value, lock->cfg.value_len);
	text_put_char(body, '\n');
}

/* ---- simple ones ------------------------------------------------------- */

void
lock_ask_view(struct lock *lock)
{
	struct text text;

	begin(lock, &text);
	text_put(&text, "#s status\n");
	end(lock, &text);
}

void
lock_ask_all(struct lock *lock)
{
	struct text text;

	begin(lock, &text);
	put_key(lock, &text, "#w watch id=1 snapshot=yes prefix=", "\n");
	end(lock, &text);
	lock->asked_ns[LOCK_ASKED_WATCH] = lock->now_ns;
	lock_ask_view(lock);
}

void
lock_ask_lease(struct lock *lock)
{
	struct text text;

	begin(lock, &text);
	put_number(&text, "#l lease ttl=", lock->cfg.ttl_ns / LOCK_MS_NS);
	text_put(&text, "ms" ON_DISK "\n");
	end(lock, &text);
	lock->asked_ns[LOCK_ASKED_LEASE] = lock->now_ns;
}

void
lock_ask_renewal(struct lock *lock)
{
	struct text text;
	size_t i = 0;

	while (i < LOCK_RENEWALS && lock->asked_ns[LOCK_ASKED_RENEWAL + i] != 0)
		i++;
	if (i == LOCK_RENEWALS)
		return;
	begin(lock, &text);
	put_number(&text, "#r", i);
	put_number(&text, " renew lease=", lock->lease);
	text_put(&text, ON_DISK "\n");
	end(lock, &text);
	lock->asked_ns[LOCK_ASKED_RENEWAL + i] = lock->now_ns;
}

void
lock_ask_release(struct lock *lock)
{
	struct text text;

	begin(lock, &text);
	put_number(&text, "#x release lease=", lock->lease);
	text_put(&text, ON_DISK "\n");
	end(lock, &text);
	lock->asked_ns[LOCK_ASKED_RELEASE] = lock->now_ns;
}

/* ---- transactions ------------------------------------------------------ */

static void
put_slot_key(
    const struct lock *lock, struct text *body, const char *verb, uint64_t slot)
{
	put_key(lock, body, verb, "slot/");
	text_put_u64(body, slot);
}

static void
put_if_free(const struct lock *lock, struct text *body, uint64_t slot)
{
	put_slot_key(lock, body, "if key=", slot);
	text_put(body, " absent=yes\n");
}

/* There are as many slots as we were told, or will be. */
static void
put_slots(const struct lock *lock, struct text *body)
{
	const struct lock_keys *keys = &lock->keys;
	char digits[8];
	struct text number;

	put_key(lock, body, "if key=", "slots");
	if (keys->slots_rev == 0)
		text_put(body, " absent=yes\n");
	else
		put_number(body, " rev=", keys->slots_rev);
	if (keys->slots_rev != 0)
		text_put_char(body, '\n');
	if (keys->slots == lock->cfg.slots)
		return;
	text_init(&number, digits, sizeof digits);
	text_put_u64(&number, lock->cfg.slots);
	put_key(lock, body, "put key=", "slots");
	put_number(body, " len=", number.len);
	text_put_char(body, '\n');
	text_put(body, digits);
	text_put_char(body, '\n');
}

static void
put_place_key(const struct lock *lock, struct text *body, const char *verb)
{
	put_key(lock, body, verb, "wait/");
	text_put_u64(body, lock->cfg.prio);
	text_put_char(body, '/');
	text_put_u64(body, lock->lease);
}

/* Put again, a place would have a revision that only some know of. */
static void
put_if_no_place(const struct lock *lock, struct text *body)
{
	put_place_key(lock, body, "if key=");
	text_put(body, " absent=yes\n");
}

/* Where put_slots is going to change their number. */
static void
put_none_held(const struct lock *lock, struct text *body)
{
	uint64_t count = num_max(lock->keys.slots, lock->cfg.slots);

	if (lock->keys.slots == lock->cfg.slots)
		return;
	for (uint64_t i = 0; i < count; i++)
		put_if_free(lock, body, i);
}

void
lock_ask_place(struct lock *lock)
{
	struct text body;

	text_init(&body, lock->body, sizeof lock->body);
	put_if_no_place(lock, &body);
	put_none_held(lock, &body);
	put_slots(lock, &body);
	put_place_key(lock, &body, "put key=");
	put_value(lock, &body);
	end_txn(lock, &body, "#q");
	lock->asked_ns[LOCK_ASKED_PLACE] = lock->now_ns;
}

void
lock_ask_slot(struct lock *lock, uint64_t slot)
{
	struct text body;

	text_init(&body, lock->body, sizeof lock->body);
	if (lock->keys.slots == lock->cfg.slots)
		put_if_free(lock, &body, slot);
	put_none_held(lock, &body);
	put_slots(lock, &body);
	put_slot_key(lock, &body, "put key=", slot);
	put_value(lock, &body);
	if (lock->keys.my_rev != 0) {
		put_place_key(lock, &body, "del key=");
		text_put_char(&body, '\n');
	}
	end_txn(lock, &body, "#t");
	lock->asked_ns[LOCK_ASKED_SLOT] = lock->now_ns;
}

bool
lock_is_asked(const struct lock *lock, enum lock_asked what)
{
	return lock->asked_ns[what] != 0;
}

uint64_t
lock_ask_oldest_ns(const struct lock *lock)
{
	uint64_t oldest_ns = UINT64_MAX;

	for (size_t i = 0; i < LOCK_ASKED_COUNT; i++)
		if (lock->asked_ns[i] != 0)
			oldest_ns = num_min(oldest_ns, lock->asked_ns[i]);
	return oldest_ns;
}
