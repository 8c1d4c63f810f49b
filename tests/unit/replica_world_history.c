/* SPDX-License-Identifier: BSD-3-Clause */
/* What clients of the world of replicas saw, as a history for lincheck. */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/num.h"

#include "tests/check/lincheck.h"
#include "tests/unit/replica_world_internal.h"

#define w replica_w

uint64_t
replica_world_stamp(void)
{
	w.stamp = num_max(w.stamp + 1, w.now_ns);
	return w.stamp;
}

static struct lincheck *
book(void)
{
	if (w.history == NULL)
		w.history = lincheck_create();
	return w.history;
}

/* ---- words ------------------------------------------------------------- */

uint32_t
replica_world_note_key(uint8_t key)
{
	char name[8];
	int len = snprintf(name, sizeof name, "k%u", (unsigned)key);

	return lincheck_word(book(), name, (size_t)len);
}

uint32_t
replica_world_note_value(uint32_t op)
{
	char name[16];
	int len = snprintf(name, sizeof name, "op%u", (unsigned)op);

	return lincheck_word(book(), name, (size_t)len);
}

bool
replica_world_read(const struct kv *kv, const struct kv_version *version,
    uint8_t *key, uint32_t *op)
{
	struct kv_about about;
	uint8_t bytes[KV_KEY_BYTES_MAX];

	kv_about(version, &about);
	kv_key(kv, version, bytes);
	if (about.key_len != 2 || bytes[0] != 'k')
		return false;
	*key = bytes[1];
	*op = 0;
	if (!about.is_deletion)
		kv_value(kv, version, 0, sizeof *op, op);
	return true;
}

/* ---- operations -------------------------------------------------------- */

static struct lincheck_op *
begin(struct world_op *op, enum lincheck_outcome outcome)
{
	struct lincheck_op *to = lincheck_begin(book());
	char name[8];
	int len = snprintf(name, sizeof name, "n%u", (unsigned)op->node);

	op->is_told = true;
	op->said = lincheck_count(book());
	to->client = lincheck_word(book(), name, (size_t)len);
	to->path = "op";
	to->line = (uint64_t)(op - w.op) + 1;
	to->begin_ns = op->begin_stamp;
	to->outcome = outcome;
	return to;
}

static void
fact(enum lincheck_fact_kind kind, uint32_t key, uint64_t rev, uint32_t value)
{
	lincheck_fact(book(),
	    (struct lincheck_fact){
		.kind = kind, .key = key, .rev = rev, .value = value });
}

static void
add_condition(const struct world_wish *wish, enum lincheck_when when)
{
	struct lincheck_fact next = { .when = when, .is_condition = true };

	if (wish->condition == WORLD_IF_NOTHING)
		return;
	next.key = replica_world_note_key(wish->if_key);
	if (wish->condition == WORLD_IF_VALUE) {
		next.kind = LINCHECK_VALUE;
		next.value = replica_world_note_value(wish->if_value);
	} else {
		next.kind = wish->if_rev == 0 ? LINCHECK_ABSENT : LINCHECK_REV;
		next.rev = wish->if_rev;
	}
	lincheck_fact(book(), next);
}

static void
add_change(enum lincheck_change_kind kind, uint8_t key, uint32_t op)
{
	lincheck_change(book(),
	    (struct lincheck_change){ .kind = kind,
		.key = replica_world_note_key(key),
		.value = replica_world_note_value(op) });
}

static void
add_changes(const struct world_op *op)
{
	const struct world_wish *wish = &op->wish;
	uint32_t number = (uint32_t)(op - w.op) + 1;

	if (wish->is_deletion) {
		add_change(LINCHECK_DEL, wish->key, number);
		return;
	}
	add_change(LINCHECK_PUT, wish->key, number);
	if (wish->other != wish->key)
		add_change(LINCHECK_PUT, wish->other, number);
}

static void
note_write(struct world_op *op, enum lincheck_outcome outcome,
    const struct replica_effect *effect)
{
	struct lincheck_op *to = begin(op, outcome);
	const struct world_wish *wish = &op->wish;
	bool is_conflict = outcome == LINCHECK_CONFLICT;
	bool is_void = outcome == LINCHECK_DONE && effect->answer.changed == 0;

	if (wish->token != 0) {
		to->lock = replica_world_note_key(WORLD_KEY_LOCK);
		to->token = wish->token;
	}
	if (effect != NULL) {
		to->end_ns = replica_world_stamp();
		if (outcome != LINCHECK_REFUSED)
			to->rev = effect->answer.rev;
	}
	add_condition(
	    wish, is_conflict || is_void ? LINCHECK_AT : LINCHECK_BEFORE);
	if (is_void) {
		fact(LINCHECK_ABSENT, replica_world_note_key(wish->key), 0, 0);
		return;
	}
	add_changes(op);
	if (is_conflict && effect->answer.key_rev == 0)
		fact(LINCHECK_ABSENT, replica_world_note_key(wish->if_key), 0,
		    0);
	else if (is_conflict)
		fact(LINCHECK_REV, replica_world_note_key(wish->if_key),
		    effect->answer.key_rev, 0);
}

/* All keys, as they are here when the answer comes. */
static void
note_read(struct world_op *op, const struct world_node *n)
{
	const struct kv *kv = replica_kv(n->replica);
	struct lincheck_op *to;
	struct kv_about about;
	uint32_t value;
	uint8_t key;

	if (kv == NULL)
		return;
	to = begin(op, LINCHECK_DONE);
	to->end_ns = replica_world_stamp();
	to->rev = kv_rev(kv);
	fact(LINCHECK_ONLY, lincheck_word(book(), "k", 1), 0, 0);
	for (const struct kv_version *v = kv_seek(kv, "k", 1); v != NULL;
	     v = kv_after(kv, v)) {
		if (!replica_world_read(kv, v, &key, &value))
			continue;
		kv_about(v, &about);
		fact(LINCHECK_REV, replica_world_note_key(key), about.rev, 0);
		fact(LINCHECK_VALUE, replica_world_note_key(key), 0,
		    replica_world_note_value(value));
	}
}

void
replica_world_note_op(struct world_op *op, const struct world_node *n,
    const struct replica_effect *effect)
{
	enum replica_code code = effect->answer.code;

	/* It may be, or not, as one that was never answered. */
	if (replica_world_is_lost(&op->seen))
		return;
	if (op->kind == WORLD_READ && code == REPLICA_OK) {
		note_read(op, n);
		return;
	}
	if (op->kind != WORLD_WRITE && op->kind != WORLD_RENEW)
		return;
	if (code == REPLICA_OK)
		note_write(op, LINCHECK_DONE, effect);
	else if (code == REPLICA_CONFLICT)
		note_write(op, LINCHECK_CONFLICT, effect);
	else if (code != REPLICA_UNKNOWN)
		note_write(op, LINCHECK_REFUSED, effect);
}

/* ---- what the store does itself ---------------------------------------- */

static void
note_deletion(const struct kv *kv, const struct kv_version *v)
{
	struct kv_about about;
	struct lincheck_op *to;
	uint32_t value;
	uint8_t key;

	kv_about(v, &about);
	if (!about.is_deletion || about.why == KV_WHY_DEL ||
	    !replica_world_read(kv, v, &key, &value))
		return;
	to = lincheck_begin(book());
	to->client = lincheck_word(book(), "store", 5);
	to->path = "revision";
	to->line = to->rev = about.rev;
	to->begin_ns = to->end_ns = replica_world_stamp();
	to->outcome = LINCHECK_ORDAINED;
	to->is_local = true;
	add_change(LINCHECK_DEL, key, 0);
}

void
replica_world_note_applied(const struct kv *kv)
{
	if (kv_rev(kv) <= w.scanned)
		return;
	w.is_blind |= kv_compacted(kv) > w.scanned;
	for (const struct kv_version *v = kv_since(kv, w.scanned); v != NULL;
	     v = kv_newer(kv, v))
		note_deletion(kv, v);
	w.scanned = kv_rev(kv);
}

/* ---- the verdict ------------------------------------------------------- */

void
replica_world_judge(void)
{
	static struct lincheck_breach breach;
	struct lincheck_tally tally;

	if (w.history == NULL)
		return;
	for (size_t i = 0; i < w.op_count; i++)
		if (!w.op[i].is_told &&
		    (w.op[i].kind == WORLD_WRITE ||
			w.op[i].kind == WORLD_RENEW))
			note_write(&w.op[i], LINCHECK_UNKNOWN, NULL);
	replica_world_lock_end();
	if (!w.is_blind) {
		lincheck_judge(w.history, &breach, &tally);
		w.tally->judged++;
		w.tally->found += tally.found;
		w.tally->events += tally.events;
		w.tally->holds += tally.holds;
		if (breach.rule != NULL &&
		    strcmp(breach.rule, "undecided") == 0)
			w.tally->undecided++;
		else if (breach.rule != NULL)
			replica_world_fail("%s %llu: %s: %s", breach.path,
			    (unsigned long long)breach.line, breach.rule,
			    breach.text);
	}
	lincheck_destroy(w.history);
	w.history = NULL;
}
