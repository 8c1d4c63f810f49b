/* SPDX-License-Identifier: BSD-3-Clause */
/* The state of the store at each revision, as far as it is known. */
#include <string.h>

#include "libcommon/base/ensure.h"

#include "tests/check/lincheck_internal.h"

/* How many versions have a revision of at most rev. */
static size_t
upto(const struct lincheck_list *versions, uint64_t rev)
{
	const struct lincheck_version *version = versions->at;
	size_t low = 0, high = versions->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (version[middle].rev <= rev)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct lincheck_version *
lincheck_version(const struct lincheck *check, uint32_t key, uint64_t rev)
{
	const struct lincheck_list *versions =
	    &lincheck_name_at(check, key)->versions;
	size_t count = upto(versions, rev);
	return count == 0
	    ? NULL
	    : (const struct lincheck_version *)versions->at + count - 1;
}

/* ---- making changes ---------------------------------------------------- */

static void
add_version(struct lincheck *check, uint32_t key, struct lincheck_version next)
{
	struct lincheck_list *versions =
	    &lincheck_name_at(check, key)->versions;
	size_t at = upto(versions, next.rev);
	lincheck_list_add(versions, sizeof(next));
	struct lincheck_version *version = versions->at;
	memmove(&version[at + 1], &version[at],
	    (versions->count - 1 - at) * sizeof(*version));
	version[at] = next;
}

static void
drop_version(struct lincheck *check, uint32_t key, size_t op)
{
	struct lincheck_list *versions =
	    &lincheck_name_at(check, key)->versions;
	struct lincheck_version *version = versions->at;
	size_t kept = 0;
	for (size_t i = 0; i < versions->count; i++)
		if (version[i].op != op)
			version[kept++] = version[i];
	versions->count = kept;
}

/* How many revisions of at most rev have a maker. */
static size_t
made_upto(const struct lincheck *check, uint64_t rev)
{
	const struct lincheck_made *made = check->made.at;
	size_t low = 0, high = check->made.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (made[middle].rev <= rev)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t
lincheck_made_before(const struct lincheck *check, uint64_t rev)
{
	return rev == 0 ? 0 : made_upto(check, rev - 1);
}

size_t
lincheck_maker(const struct lincheck *check, uint64_t rev)
{
	const struct lincheck_made *made = check->made.at;
	size_t count = made_upto(check, rev);
	return count == 0 || made[count - 1].rev != rev ? LINCHECK_NO_OP
							: made[count - 1].op;
}

static void
add_made(struct lincheck *check, size_t op, uint64_t rev)
{
	size_t at = made_upto(check, rev);
	lincheck_list_add(&check->made, sizeof(struct lincheck_made));
	struct lincheck_made *made = check->made.at;
	memmove(&made[at + 1], &made[at],
	    (check->made.count - 1 - at) * sizeof(*made));
	made[at] = (struct lincheck_made){ rev, op };
}

void
lincheck_make(struct lincheck *check, size_t op, uint64_t rev)
{
	const struct lincheck_op *it = lincheck_op_at(check, op);
	const uint32_t *keys = check->keys.at;
	add_made(check, op, rev);
	check->place[op].rev = rev;
	for (size_t i = 0; i < it->change_count; i++) {
		const struct lincheck_change *change =
		    lincheck_change_at(check, it, i);
		struct lincheck_version version = { rev, LINCHECK_NO_WORD, op };
		if (change->kind == LINCHECK_PUT)
			version.value = change->value;
		if (change->kind != LINCHECK_DEL_PREFIX) {
			add_version(check, change->key, version);
			continue;
		}
		for (size_t k = 0; k < check->keys.count; k++)
			if (lincheck_has_prefix(check, keys[k], change->key))
				add_version(check, keys[k], version);
	}
}

void
lincheck_unmake(struct lincheck *check, size_t op)
{
	const struct lincheck_op *it = lincheck_op_at(check, op);
	const uint32_t *keys = check->keys.at;
	struct lincheck_made *made = check->made.at;
	size_t at = made_upto(check, check->place[op].rev);
	ENSURE(at > 0 && made[at - 1].op == op);
	memmove(
	    &made[at - 1], &made[at], (check->made.count - at) * sizeof(*made));
	check->made.count--;
	check->place[op].rev = LINCHECK_NONE;
	for (size_t i = 0; i < it->change_count; i++) {
		const struct lincheck_change *change =
		    lincheck_change_at(check, it, i);
		if (change->kind != LINCHECK_DEL_PREFIX) {
			drop_version(check, change->key, op);
			continue;
		}
		for (size_t k = 0; k < check->keys.count; k++)
			drop_version(check, keys[k], op);
	}
}

bool
lincheck_puts(const struct lincheck *check, const struct lincheck_op *op,
    uint32_t key, uint32_t value)
{
	for (size_t i = 0; i < op->change_count; i++) {
		const struct lincheck_change *change =
		    lincheck_change_at(check, op, i);
		if (change->kind == LINCHECK_PUT && change->key == key &&
		    (value == LINCHECK_NO_WORD || change->value == value))
			return true;
	}
	return false;
}

bool
lincheck_deletes(
    const struct lincheck *check, const struct lincheck_op *op, uint32_t key)
{
	for (size_t i = 0; i < op->change_count; i++) {
		const struct lincheck_change *change =
		    lincheck_change_at(check, op, i);
		if (change->kind == LINCHECK_DEL && change->key == key)
			return true;
		if (change->kind == LINCHECK_DEL_PREFIX &&
		    lincheck_has_prefix(check, key, change->key))
			return true;
	}
	return false;
}

/* ---- asking for facts -------------------------------------------------- */

static bool
is_there(const struct lincheck_version *version)
{
	return version != NULL && version->value != LINCHECK_NO_WORD;
}

static bool
is_told(
    const struct lincheck *check, const struct lincheck_op *op, uint32_t key)
{
	for (size_t i = 0; i < op->fact_count; i++) {
		const struct lincheck_fact *fact =
		    lincheck_fact_at(check, op, i);
		if (fact->kind != LINCHECK_ONLY && fact->key == key)
			return true;
	}
	return false;
}

static bool
is_only(const struct lincheck *check, const struct lincheck_op *op,
    const struct lincheck_fact *fact, uint64_t rev, uint32_t *key)
{
	const uint32_t *keys = check->keys.at;
	for (size_t k = 0; k < check->keys.count; k++) {
		if (!lincheck_has_prefix(check, keys[k], fact->key) ||
		    !is_there(lincheck_version(check, keys[k], rev)) ||
		    is_told(check, op, keys[k]))
			continue;
		*key = keys[k];
		return false;
	}
	return true;
}

bool
lincheck_holds(const struct lincheck *check, const struct lincheck_op *op,
    const struct lincheck_fact *fact, uint64_t rev, uint32_t *key)
{
	*key = fact->key;
	if (fact->kind == LINCHECK_ONLY)
		return is_only(check, op, fact, rev, key);
	const struct lincheck_version *version =
	    lincheck_version(check, fact->key, rev);
	switch (fact->kind) {
	case LINCHECK_REV:
		return is_there(version) && version->rev == fact->rev;
	case LINCHECK_VALUE:
		return is_there(version) && version->value == fact->value;
	case LINCHECK_EXISTS:
		return is_there(version);
	case LINCHECK_ABSENT:
		return !is_there(version);
	case LINCHECK_ONLY:
		break;
	}
	return false;
}

bool
lincheck_conditions_hold(
    const struct lincheck *check, const struct lincheck_op *op, uint64_t rev)
{
	uint32_t key;
	for (size_t i = 0; i < op->fact_count; i++) {
		const struct lincheck_fact *fact =
		    lincheck_fact_at(check, op, i);
		if (fact->is_condition &&
		    !lincheck_holds(check, op, fact, rev, &key))
			return false;
	}
	return true;
}

bool
lincheck_answers_hold(
    const struct lincheck *check, const struct lincheck_op *op, uint64_t rev)
{
	uint32_t key;
	for (size_t i = 0; i < op->fact_count; i++) {
		const struct lincheck_fact *fact =
		    lincheck_fact_at(check, op, i);
		if (!fact->is_condition &&
		    !lincheck_holds(check, op, fact, rev, &key))
			return false;
	}
	return true;
}
