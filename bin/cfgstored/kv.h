/* SPDX-License-Identifier: BSD-3-Clause */
/* The store's state as a value: keys, versions, leases, one revision.
 *
 * Pure: no system call, no clock, no allocation after kv_create.  Whoever
 * applies the same commands to the same state gets the same state; commands
 * are applied when they are acknowledged, so nothing is ever taken back.
 *
 * Nothing tells of changes: the versions of a revision are what it changed,
 * and a watcher is somebody who reads on from the last revision he saw.
 */
#ifndef RK_KV_H
#define RK_KV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

#include "bin/cfgstored/kv_command.h"

struct arena;
struct kv;
struct siphash_key;

enum { KV_AUTHORS_MAX = 256, KV_FRAME_BYTES_MAX = 33 << 10 };

/* What there is room for; LIMITS may ask for that much. */
struct kv_config {
	struct kv_limits room;
	/* Versions that are no longer current, at most; local. */
	uint32_t history_versions;
	uint64_t history_bytes;
};

/* Empty, revision 0, limits as there is room.  cfg is copied. */
struct kv *kv_create(struct arena *arena, const struct kv_config *cfg);
/*
 * As long as it is empty: how fast keys are found hangs on nobody's knowing
 * this.  What there is does not.
 */
void kv_set_secret(struct kv *kv, const struct siphash_key *secret);

/* ---- commands ---------------------------------------------------------- */

/* Numbers rise in each run, and each replica of a node has a higher run. */
struct kv_author {
	uint32_t node;
	uint64_t run;
	uint64_t number;
};

enum kv_code {
	KV_DONE,
	KV_CONFLICT, /* condition number at does not hold; rev: of its key */
	KV_NO_LEASE,
	KV_FULL,  /* a limit of keys, bytes or leases */
	KV_ROOM,  /* LIMITS: below what is used */
	KV_LACK,  /* LIMITS: this node has less memory; its state can follow
		     no more, and must be neither used nor saved */
	KV_BAD,   /* no command */
	KV_AGAIN, /* was applied before */
	KV_CODES
};

enum kv_limit {
	KV_LIMIT_NONE,
	KV_LIMIT_KEYS,
	KV_LIMIT_BYTES,
	KV_LIMIT_VALUE,
	KV_LIMIT_LEASES,
};

struct kv_result {
	enum kv_code code;
	enum kv_limit limit; /* FULL: which */
	uint64_t wanted;     /* and how much there would have been */
	uint64_t rev;        /* of the store afterwards */
	uint64_t key_rev;
	size_t at;      /* the condition, or the change, that it failed for */
	size_t changed; /* keys */
};

/* All of the command or nothing; in either case the author is remembered. */
void kv_apply(struct kv *kv, const struct kv_author *author, const void *bytes,
    size_t len, struct kv_result *out);

/* ---- reading ----------------------------------------------------------- */

/*
 * A version of a key.  Borrowed until the next apply.  Its bytes lie in
 * pieces: kv_key and kv_value copy them out.
 */
struct kv_version;

/* Why a key is no longer there. */
enum kv_why { KV_WHY_DEL, KV_WHY_EXPIRED, KV_WHY_RELEASED };

/* What of it is no bytes. */
struct kv_about {
	size_t key_len;
	size_t value_len;
	uint64_t rev;
	uint64_t created; /* revision; of a deletion: 0 */
	uint64_t lease;   /* 0: none */
	uint64_t prev;    /* revision of the one it replaced; 0: none */
	uint32_t node;    /* of the author */
	enum kv_why why;  /* of a deletion */
	bool is_deletion;
	bool is_current;
};
void kv_about(const struct kv_version *version, struct kv_about *out);

/* All of the key: out has KV_KEY_BYTES_MAX.  Part of the value: within it. */
void kv_key(const struct kv *kv, const struct kv_version *version, void *out);
void kv_value(const struct kv *kv, const struct kv_version *version,
    size_t from, size_t len, void *out);

/* NULL: there is no such key. */
const struct kv_version *kv_get(
    const struct kv *kv, const void *key, size_t key_len);

/* The first current key that is not before this one, and the one behind. */
const struct kv_version *kv_seek(
    const struct kv *kv, const void *key, size_t key_len);
const struct kv_version *kv_after(
    const struct kv *kv, const struct kv_version *version);

/*
 * History, from the version that follows rev on; NULL: there is none.  All
 * that happened behind rev is there if rev is at least kv_compacted.
 */
const struct kv_version *kv_since(const struct kv *kv, uint64_t rev);
const struct kv_version *kv_newer(
    const struct kv *kv, const struct kv_version *version);
const struct kv_version *kv_older(
    const struct kv *kv, const struct kv_version *version);

/*
 * The version that this one replaced: there as long as this is in the history,
 * but for what one change replaced beyond all room.  NULL: none is known.
 */
const struct kv_version *kv_before(
    const struct kv *kv, const struct kv_version *version);

/* It is still what it was: in the history, of that revision. */
bool kv_is_kept(const struct kv_version *version, uint64_t rev);

/* The newest in the history of this key that is below rev; takes its time. */
const struct kv_version *kv_last_below(
    const struct kv *kv, const void *key, size_t key_len, uint64_t rev);

/* How often it was emptied: versions of an earlier generation are gone. */
uint64_t kv_generation(const struct kv *kv);
uint64_t kv_rev(const struct kv *kv);
uint64_t kv_compacted(const struct kv *kv);
/* The lowest revision at which every key is known as it was then. */
uint64_t kv_past_from(const struct kv *kv);
size_t kv_key_count(const struct kv *kv);
uint64_t kv_bytes_used(const struct kv *kv);
void kv_limits_now(const struct kv *kv, struct kv_limits *out);
size_t kv_lease_count(const struct kv *kv);
/* Of versions that are no longer current. */
size_t kv_past_versions(const struct kv *kv);
uint64_t kv_past_bytes(const struct kv *kv);

/* Forgets versions up to rev that are not current. */
void kv_compact(struct kv *kv, uint64_t rev);

struct kv_lease {
	uint64_t id; /* the revision of its grant */
	uint64_t ttl_ns;
	uint64_t renewals;
	uint32_t node; /* who was granted it */
	uint32_t uid;  /* and for which user */
	uint64_t run;
	uint32_t first; /* internal */
};
/* By rising id; NULL behind the last. */
const struct kv_lease *kv_lease_at(const struct kv *kv, size_t idx);
const struct kv_lease *kv_lease_find(const struct kv *kv, uint64_t id);
/* Its keys, in no particular order; NULL: none, or behind the last. */
const struct kv_version *kv_lease_key(const struct kv *kv, uint64_t id);
const struct kv_version *kv_lease_key_after(
    const struct kv *kv, const struct kv_version *version);

/* The last of this node that was applied; zero: none is known. */
struct kv_author kv_author_last(const struct kv *kv, uint32_t node);

/* A sum over all that must be equal on all nodes; takes its time. */
uint32_t kv_digest(const struct kv *kv);

/* Every invariant of the whole state (ENSURE); for tests. */
void kv_check(const struct kv *kv);

/* ---- snapshots --------------------------------------------------------- */

/*
 * The state, with history, as frames.  next writes as many whole ones as fit
 * into size, at least KV_FRAME_BYTES_MAX, and answers how many bytes that
 * are; 0: that was all.  The state must not change in between.
 */
struct kv_writer {
	const struct kv *kv;
	const struct kv_version *version;
	size_t at; /* within the stage, or its version's value */
	uint64_t frames;
	uint32_t crc;
	uint8_t stage;
};
void kv_writer_init(struct kv_writer *writer, const struct kv *kv);
size_t kv_writer_next(struct kv_writer *writer, void *bytes, size_t size);

/*
 * Frames into an empty state; a buffer must end where a frame does.  Not
 * before is_done there is a state; after an error kv has to be cleared.
 */
enum kv_reader_error {
	KV_READER_E_FRAME = 1, /* cut, or its sum is wrong */
	KV_READER_E_STATE,     /* what it says cannot be */
	KV_READER_E_ROOM,      /* more than there is room for */
	KV_READER_E_VERSION,   /* another version of this program wrote it */
};
struct kv_reader {
	struct kv *kv;
	uint32_t version; /* whose value is coming */
	size_t missing;
	uint64_t frames;
	uint64_t rev;
	size_t last_count; /* versions that are current in the end */
	uint32_t crc;
	bool has_head;
	bool is_done;
};
void kv_clear(struct kv *kv);
void kv_reader_init(struct kv_reader *reader, struct kv *kv);
RK_MUST_CHECK int kv_reader_take(
    struct kv_reader *reader, const void *bytes, size_t len);

#endif
