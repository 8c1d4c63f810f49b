/* SPDX-License-Identifier: BSD-3-Clause */
/* The keys of a lock: lock/NAME/slots, …/slot/I, …/wait/PRIO/LEASE.
 *
 * Only what stands before us in the queue must be remembered.  As long as we
 * have no place ourselves, that is everybody of our priority or a higher one.
 */
#include <string.h>

#include "libcommon/base/parse.h"
#include "libcommon/base/word.h"

#include "bin/ringlock/lock_internal.h"

enum key_kind { KEY_OTHER, KEY_SLOTS, KEY_SLOT, KEY_WAIT };

struct key {
	enum key_kind kind;
	uint64_t slot;
	struct lock_waiter waiter; /* without rev */
};

void
lock_keys_forget(struct lock_keys *keys)
{
	keys->is_whole = keys->has_overflown = keys->has_gone_on = false;
	keys->rev = keys->slots_rev = keys->slots = keys->my_rev = 0;
	keys->waiter_count = 0;
	memset(keys->slot, 0, sizeof keys->slot);
}

/* ---- names ------------------------------------------------------------- */

/* Takes word off the front. */
static bool
take(const char **at, size_t *left, const char *word)
{
	size_t len = strlen(word);

	if (*left < len || memcmp(*at, word, len) != 0)
		return false;
	*at += len;
	*left -= len;
	return true;
}

/* PRIO/LEASE */
static bool
read_place(const char *at, size_t left, struct lock_waiter *out)
{
	const char *slash = memchr(at, '/', left);
	size_t len = slash != NULL ? (size_t)(slash - at) : 0;

	return slash != NULL &&
	    parse_u64(at, len, 0, LOCK_PRIO_MAX, &out->prio) == 0 &&
	    parse_u64(slash + 1, left - len - 1, 1, UINT64_MAX, &out->id) == 0;
}

/* A longer name may begin with ours: then it is another lock's. */
static struct key
read_key(const struct lock *lock, const struct word_pair *pair)
{
	struct key key = { .kind = KEY_OTHER };
	const char *at = pair != NULL ? pair->value : "";
	size_t left = pair != NULL ? pair->len : 0;

	if (!take(&at, &left, "lock/") || !take(&at, &left, lock->cfg.name) ||
	    !take(&at, &left, "/"))
		return key;
	if (left == strlen("slots") && memcmp(at, "slots", left) == 0) {
		key.kind = KEY_SLOTS;
	} else if (take(&at, &left, "slot/")) {
		if (parse_u64(at, left, 0, LOCK_SLOTS_MAX - 1, &key.slot) == 0)
			key.kind = KEY_SLOT;
	} else if (take(&at, &left, "wait/")) {
		if (read_place(at, left, &key.waiter))
			key.kind = KEY_WAIT;
	}
	return key;
}

/* ---- the queue --------------------------------------------------------- */

static bool
is_before_us(const struct lock *lock, const struct lock_waiter *waiter)
{
	if (waiter->prio != lock->cfg.prio)
		return waiter->prio > lock->cfg.prio;
	return lock->keys.my_rev == 0 || waiter->rev < lock->keys.my_rev;
}

static void
remove_waiter(struct lock_keys *keys, const struct lock_waiter *waiter)
{
	for (size_t i = 0; i < keys->waiter_count; i++) {
		if (keys->waiter[i].id != waiter->id ||
		    keys->waiter[i].prio != waiter->prio)
			continue;
		keys->waiter[i] = keys->waiter[--keys->waiter_count];
		return;
	}
}

static void
add_waiter(struct lock *lock, const struct lock_waiter *waiter)
{
	struct lock_keys *keys = &lock->keys;

	remove_waiter(keys, waiter);
	if (keys->waiter_count == LOCK_WAITERS_MAX)
		keys->has_overflown = true;
	else
		keys->waiter[keys->waiter_count++] = *waiter;
}

/* Who stands behind us does not matter any more. */
static void
forget_those_behind(struct lock *lock)
{
	struct lock_keys *keys = &lock->keys;
	size_t kept = 0;

	if (keys->my_rev == 0)
		return;
	for (size_t i = 0; i < keys->waiter_count; i++)
		if (is_before_us(lock, &keys->waiter[i]))
			keys->waiter[kept++] = keys->waiter[i];
	keys->waiter_count = kept;
}

bool
lock_keys_is_first(const struct lock *lock)
{
	const struct lock_keys *keys = &lock->keys;

	for (size_t i = 0; i < keys->waiter_count; i++)
		if (is_before_us(lock, &keys->waiter[i]))
			return false;
	return !keys->has_overflown;
}

uint64_t
lock_keys_free(const struct lock *lock)
{
	uint64_t slot = 0;

	while (slot < lock->cfg.slots && lock->keys.slot[slot].rev != 0)
		slot++;
	return slot;
}

bool
lock_keys_are_used(const struct lock *lock)
{
	for (size_t i = 0; i < LOCK_SLOTS_MAX; i++)
		if (lock->keys.slot[i].rev != 0)
			return true;
	return lock->keys.waiter_count > 0 || lock->keys.has_overflown ||
	    lock->keys.my_rev != 0;
}

/* ---- events ------------------------------------------------------------ */

static uint64_t
number(struct word *word, const char *key)
{
	const struct word_pair *pair = word_get(word, key);
	uint64_t value;

	if (pair == NULL ||
	    parse_u64(pair->value, pair->len, 0, UINT64_MAX, &value) != 0)
		return 0;
	return value;
}

/* Behind the new value there may be the old one. */
static uint64_t
read_slots(const struct lock_line *line)
{
	uint64_t old_len = number(line->word, "old_len"), slots;

	if (old_len > line->len ||
	    parse_u64((const char *)line->data, line->len - (size_t)old_len, 1,
		LOCK_SLOTS_MAX, &slots) != 0)
		return 0;
	return slots;
}

static void
put(struct lock *lock, const struct lock_line *line, uint64_t rev)
{
	struct key key = read_key(lock, word_get(line->word, "key"));
	struct lock_keys *keys = &lock->keys;
	uint64_t created = number(line->word, "created");

	switch (key.kind) {
	case KEY_SLOTS:
		keys->slots_rev = rev;
		keys->slots = read_slots(line);
		break;
	case KEY_SLOT:
		keys->slot[key.slot].rev = rev;
		keys->slot[key.slot].lease = number(line->word, "lease");
		break;
	case KEY_WAIT:
		key.waiter.rev = created != 0 ? created : rev;
		if (key.waiter.id == lock->lease)
			keys->my_rev = key.waiter.rev;
		else if (keys->my_rev == 0 || is_before_us(lock, &key.waiter))
			add_waiter(lock, &key.waiter);
		forget_those_behind(lock);
		break;
	case KEY_OTHER:
		break;
	}
}

static void delete (struct lock *lock, const struct lock_line *line)
{
	struct key key = read_key(lock, word_get(line->word, "key"));
	struct lock_keys *keys = &lock->keys;

	switch (key.kind) {
	case KEY_SLOTS:
		keys->slots_rev = keys->slots = 0;
		break;
	case KEY_SLOT:
		keys->slot[key.slot].rev = keys->slot[key.slot].lease = 0;
		break;
	case KEY_WAIT:
		if (key.waiter.id == lock->lease)
			keys->my_rev = 0;
		remove_waiter(keys, &key.waiter);
		break;
	case KEY_OTHER:
		break;
	}
}

bool
lock_keys_event(struct lock *lock, const struct lock_line *line)
{
	const struct word_pair *more = word_get(line->word, "more");
	struct lock_keys *keys = &lock->keys;
	uint64_t rev = number(line->word, "rev");
	bool is_put = strcmp(line->event, "put") == 0;

	if (is_put || strcmp(line->event, "exists") == 0)
		put(lock, line, rev);
	else if (strcmp(line->event, "del") == 0)
		delete (lock, line);
	else if (strcmp(line->event, "ready") == 0)
		keys->is_whole = true;
	else if (strcmp(line->event, "gap") == 0)
		lock_keys_forget(keys);
	if (rev > keys->rev)
		keys->rev = rev;
	keys->has_gone_on = more != NULL && strcmp(more->value, "yes") == 0;
	return keys->is_whole && !keys->has_gone_on;
}
