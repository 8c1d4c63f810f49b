/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a command does.  Everything that may speak against it is looked at
 * first; then nothing can fail.
 */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/cfgstored/kv.h"
#include "bin/cfgstored/kv_table.h"

/* ---- authors ----------------------------------------------------------- */

static struct kv_author_row *
author_row(struct kv *kv, uint32_t node)
{
	size_t at = 0;

	while (at < kv->author_count && kv->authors[at].last.node < node)
		at++;
	if (at < kv->author_count && kv->authors[at].last.node == node)
		return &kv->authors[at];
	if (kv->author_count == KV_AUTHORS_MAX) {
		size_t out = 0;

		for (size_t i = 1; i < kv->author_count; i++)
			if (kv->authors[i].turn < kv->authors[out].turn)
				out = i;
		memmove(&kv->authors[out], &kv->authors[out + 1],
		    (--kv->author_count - out) * sizeof *kv->authors);
		at -= out < at;
	}
	memmove(&kv->authors[at + 1], &kv->authors[at],
	    (kv->author_count++ - at) * sizeof *kv->authors);
	kv->authors[at] = (struct kv_author_row){ .last = { .node = node } };
	return &kv->authors[at];
}

/* false: this one, or a later one, was applied before. */
static bool
author_goes_on(struct kv *kv, const struct kv_author *author)
{
	struct kv_author_row *row = author_row(kv, author->node);

	if (author->run < row->last.run ||
	    (author->run == row->last.run &&
		author->number <= row->last.number))
		return false;
	row->last = *author;
	row->turn = ++kv->turn;
	return true;
}

/* ---- may it be? -------------------------------------------------------- */

static bool
holds(const struct kv *kv, const struct kv_part *part, struct kv_result *out)
{
	uint32_t idx = kv_table_find(kv, part->key, part->key_len);
	const struct kv_version *v = idx == KV_NIL ? NULL : &kv->versions[idx];

	out->key_rev = v == NULL ? 0 : v->rev;
	if (part->kind == KV_IF_REV)
		return out->key_rev == part->number;
	if (v == NULL || part->kind == KV_IF_EXISTS)
		return v != NULL;
	return kv_table_has_value(kv, v, part->value, part->value_len);
}

/* What there will be. */
struct sum {
	uint64_t keys;
	uint64_t bytes;
};

static enum kv_code
weigh_key(const struct kv *kv, const struct kv_part *part, struct sum *sum)
{
	uint32_t idx = kv_table_find(kv, part->key, part->key_len);

	if (idx != KV_NIL) {
		sum->keys--;
		sum->bytes -= part->key_len + kv->versions[idx].value_len;
	}
	if (part->kind == KV_DEL)
		return KV_DONE;
	sum->keys++;
	sum->bytes += part->key_len + part->value_len;
	if (part->value_len > kv->limits.value_bytes)
		return KV_FULL;
	if (part->lease != 0 && part->lease != KV_LEASE_GRANTED &&
	    kv_lease_find(kv, part->lease) == NULL)
		return KV_NO_LEASE;
	return KV_DONE;
}

static enum kv_code
weigh_limits(const struct kv *kv, const struct kv_limits *limits)
{
	const struct kv_limits *room = &kv->cfg.room;

	if (limits->keys < kv->key_count || limits->bytes < kv->bytes ||
	    limits->leases < kv->lease_count)
		return KV_ROOM;
	if (limits->keys > room->keys || limits->bytes > room->bytes ||
	    limits->leases > room->leases)
		return KV_LACK;
	return KV_DONE;
}

static enum kv_code
weigh(const struct kv *kv, const struct kv_part *part, struct sum *sum)
{
	const struct kv_lease *lease;

	switch (part->kind) {
	case KV_PUT:
	case KV_DEL:
		return weigh_key(kv, part, sum);
	case KV_DEL_PREFIX:
		return KV_DONE;
	case KV_GRANT:
		return kv->lease_count < kv->limits.leases ? KV_DONE : KV_FULL;
	case KV_RENEW:
	case KV_RELEASE:
		lease = kv_lease_find(kv, part->lease);
		return lease != NULL ? KV_DONE : KV_NO_LEASE;
	case KV_EXPIRE:
		lease = kv_lease_find(kv, part->lease);
		return lease != NULL && lease->renewals == part->number
		    ? KV_DONE
		    : KV_NO_LEASE;
	case KV_LIMITS:
		return weigh_limits(kv, &part->limits);
	case KV_IF_REV:
	case KV_IF_VALUE:
	case KV_IF_EXISTS:
	case KV_PART_KINDS:
		break;
	}
	return KV_BAD;
}

static enum kv_code
fill(struct kv_result *out, enum kv_limit limit, uint64_t wanted)
{
	out->limit = limit;
	out->wanted = wanted;
	return KV_FULL;
}

static enum kv_code
may_be(const struct kv *kv, const struct kv_command *command,
    struct kv_result *out)
{
	struct rdbuf conditions = command->conditions;
	struct rdbuf changes = command->changes;
	struct sum sum = { kv->key_count, kv->bytes };
	struct kv_part part;

	for (out->at = 0; out->at < command->condition_count; out->at++) {
		kv_command_next(&conditions, &part);
		if (!holds(kv, &part, out))
			return KV_CONFLICT;
	}
	out->key_rev = 0;
	for (out->at = 0; out->at < command->change_count; out->at++) {
		enum kv_code code;

		kv_command_next(&changes, &part);
		code = weigh(kv, &part, &sum);
		if (code == KV_FULL && part.kind == KV_GRANT)
			return fill(out, KV_LIMIT_LEASES, kv->lease_count + 1);
		if (code == KV_FULL)
			return fill(out, KV_LIMIT_VALUE, part.value_len);
		if (code != KV_DONE)
			return code;
	}
	/* Who has less than before is let, whatever the limits are. */
	if (sum.keys > kv->limits.keys && sum.keys > kv->key_count)
		return fill(out, KV_LIMIT_KEYS, sum.keys);
	if (sum.bytes > kv->limits.bytes && sum.bytes > kv->bytes)
		return fill(out, KV_LIMIT_BYTES, sum.bytes);
	return KV_DONE;
}

/* ---- leases ------------------------------------------------------------ */

static struct kv_lease *
lease_of(struct kv *kv, uint64_t id)
{
	const struct kv_lease *lease = kv_lease_find(kv, id);

	ENSURE(lease != NULL);
	return &kv->leases[lease - kv->leases];
}

static void
lease_attach(struct kv *kv, uint32_t idx)
{
	struct kv_version *v = &kv->versions[idx];
	struct kv_lease *lease = lease_of(kv, v->lease);

	v->lease_prev = KV_NIL;
	v->lease_next = lease->first;
	if (lease->first != KV_NIL)
		kv->versions[lease->first].lease_prev = idx;
	lease->first = idx;
}

static void
lease_detach(struct kv *kv, uint32_t idx)
{
	struct kv_version *v = &kv->versions[idx];

	if (v->lease_prev == KV_NIL)
		lease_of(kv, v->lease)->first = v->lease_next;
	else
		kv->versions[v->lease_prev].lease_next = v->lease_next;
	if (v->lease_next != KV_NIL)
		kv->versions[v->lease_next].lease_prev = v->lease_prev;
}

static void
lease_grant(
    struct kv *kv, const struct kv_author *author, const struct kv_part *part)
{
	ENSURE(kv->lease_count < kv->cfg.room.leases);
	kv->leases[kv->lease_count++] = (struct kv_lease){ .id = kv->rev + 1,
		.ttl_ns = part->number,
		.node = author->node,
		.uid = (uint32_t)part->uid,
		.run = author->run,
		.first = KV_NIL };
}

/* ---- changes ----------------------------------------------------------- */

/* Versions of a command have the revision that it will have made. */
struct doing {
	struct kv *kv;
	const struct kv_author *author;
	size_t changed;
	bool has_changed; /* something that makes a revision */
};

static void
replace_version(struct kv *kv, uint32_t old, uint32_t by)
{
	if (kv->versions[old].lease != 0)
		lease_detach(kv, old);
	kv_table_replace(kv, old, by);
}

static void
delete_version(struct doing *doing, uint32_t idx, enum kv_why why)
{
	struct kv *kv = doing->kv;
	uint8_t key[KV_KEY_BYTES_MAX];
	size_t key_len = kv->versions[idx].key_len;
	uint32_t deletion;

	kv_table_read(kv, &kv->versions[idx], 0, key_len, key);
	deletion = kv_table_add(kv, key, key_len, 0);
	kv->versions[deletion].rev = kv->rev + 1;
	kv->versions[deletion].node = doing->author->node;
	kv->versions[deletion].is_deletion = true;
	kv->versions[deletion].why = (uint8_t)why;
	replace_version(kv, idx, deletion);
	kv_table_keep(kv, deletion);
	doing->changed++;
}

static void
do_put(struct doing *doing, const struct kv_part *part)
{
	struct kv *kv = doing->kv;
	uint32_t old = kv_table_find(kv, part->key, part->key_len);
	uint32_t idx =
	    kv_table_add(kv, part->key, part->key_len, part->value_len);
	struct kv_version *v = &kv->versions[idx];

	kv_table_write(kv, idx, part->key_len, part->value, part->value_len);
	v->rev = kv->rev + 1;
	v->created = old == KV_NIL ? v->rev : kv->versions[old].created;
	v->node = doing->author->node;
	v->lease = part->lease == KV_LEASE_GRANTED ? v->rev : part->lease;
	if (old != KV_NIL)
		replace_version(kv, old, idx);
	kv_table_link(kv, idx);
	kv_table_keep(kv, idx);
	if (v->lease != 0)
		lease_attach(kv, idx);
	doing->changed++;
}

static void
do_del(struct doing *doing, const struct kv_part *part)
{
	uint32_t idx = kv_table_find(doing->kv, part->key, part->key_len);

	if (idx != KV_NIL)
		delete_version(doing, idx, KV_WHY_DEL);
}

static bool
begins_with(const struct kv *kv, uint32_t idx, const struct kv_part *part)
{
	const struct kv_version *v = &kv->versions[idx];
	uint8_t key[KV_KEY_BYTES_MAX];

	if (v->key_len < part->key_len)
		return false;
	kv_table_read(kv, v, 0, part->key_len, key);
	return memcmp(key, part->key, part->key_len) == 0;
}

static void
do_del_prefix(struct doing *doing, const struct kv_part *part)
{
	struct kv *kv = doing->kv;
	uint32_t idx = kv_table_seek(kv, part->key, part->key_len);

	while (idx != KV_NIL && begins_with(kv, idx, part)) {
		uint32_t next = kv->versions[idx].next[0];

		delete_version(doing, idx, KV_WHY_DEL);
		idx = next;
	}
}

/* In which order its keys die within the revision is nobody's business. */
static void
do_end_lease(struct doing *doing, uint64_t id, enum kv_why why)
{
	struct kv *kv = doing->kv;
	struct kv_lease *lease = lease_of(kv, id);
	size_t at = (size_t)(lease - kv->leases);

	while (lease->first != KV_NIL)
		delete_version(doing, lease->first, why);
	memmove(lease, lease + 1, (--kv->lease_count - at) * sizeof *lease);
	doing->has_changed = true;
}

static void
do_change(struct doing *doing, const struct kv_part *part)
{
	switch (part->kind) {
	case KV_PUT:
		do_put(doing, part);
		return;
	case KV_DEL:
		do_del(doing, part);
		return;
	case KV_DEL_PREFIX:
		do_del_prefix(doing, part);
		return;
	case KV_GRANT:
		lease_grant(doing->kv, doing->author, part);
		doing->has_changed = true;
		return;
	case KV_RENEW:
		lease_of(doing->kv, part->lease)->renewals++;
		return;
	case KV_RELEASE:
		do_end_lease(doing, part->lease, KV_WHY_RELEASED);
		return;
	case KV_EXPIRE:
		do_end_lease(doing, part->lease, KV_WHY_EXPIRED);
		return;
	case KV_LIMITS:
		doing->kv->limits = part->limits;
		doing->has_changed = true;
		return;
	case KV_IF_REV:
	case KV_IF_VALUE:
	case KV_IF_EXISTS:
	case KV_PART_KINDS:
		break;
	}
	ENSURE(false);
}

static void
do_all(struct doing *doing, const struct kv_command *command)
{
	struct rdbuf changes = command->changes;

	for (size_t i = 0; i < command->change_count; i++) {
		struct kv_part part;

		kv_command_next(&changes, &part);
		do_change(doing, &part);
	}
	if (doing->has_changed || doing->changed > 0)
		doing->kv->rev++;
	kv_table_trim(doing->kv);
}

void
kv_apply(struct kv *kv, const struct kv_author *author, const void *bytes,
    size_t len, struct kv_result *out)
{
	struct kv_command command;
	struct doing doing = { .kv = kv, .author = author };

	*out = (struct kv_result){ 0 };
	if (!author_goes_on(kv, author))
		out->code = KV_AGAIN;
	else if (kv_command_open(&command, bytes, len) != 0)
		out->code = KV_BAD;
	else
		out->code = may_be(kv, &command, out);
	if (out->code == KV_DONE) {
		out->at = 0;
		do_all(&doing, &command);
	}
	out->changed = doing.changed;
	out->rev = kv->rev;
}
