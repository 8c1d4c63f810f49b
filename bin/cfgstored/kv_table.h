/* SPDX-License-Identifier: BSD-3-Clause */
/* What the store's state is made of, for kv*.c only.
 *
 * A version is current (in the ordered list of keys), kept (in the history),
 * held (by the kept one that replaced it), or some of these; when it is none,
 * it is free.  So what the history tells can always be undone.  Its key and
 * value lie in a chain of cells, so nothing ever has to be moved or gets into
 * pieces.
 */
#ifndef RK_KV_TABLE_H
#define RK_KV_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/siphash.h"

#include "bin/cfgstored/kv.h"

enum {
	KV_CELL_BYTES = 256,
	KV_LEVELS = 12, /* of the list of keys: a skip list */
};
#define KV_NIL UINT32_MAX

struct kv_version {
	uint64_t rev;
	uint64_t created;
	uint64_t lease;
	uint64_t prev_rev; /* of the one that this replaced; 0: none */
	uint32_t before;   /* that one, while this is kept; or KV_NIL */
	uint32_t node;
	uint32_t cell; /* the first; of no bytes there is one, too */
	uint32_t value_len;
	uint16_t key_len;
	bool is_deletion;
	bool is_current;
	bool is_kept;
	bool is_held;
	bool is_last; /* of its key, in a snapshot that is being read */
	uint8_t why;  /* enum kv_why */
	uint32_t older, newer;           /* in the history, while kept */
	uint32_t lease_prev, lease_next; /* keys of a lease, while current */
	uint32_t next[KV_LEVELS];        /* keys, while current; or free */
	uint32_t prev;                   /* key, while current */
	uint32_t same; /* current ones whose keys have the same sum */
};

/* Where the last search came to: those of one key follow each other. */
struct kv_trail {
	uint32_t before[KV_LEVELS]; /* the last one there that is before it */
	uint32_t next;              /* the first that is not */
	size_t key_len;             /* 0: nothing is known */
	uint8_t key[KV_KEY_BYTES_MAX];
};

struct kv_author_row {
	struct kv_author last;
	uint64_t turn; /* when it was used; the lowest makes room */
};

struct kv {
	struct kv_config cfg;
	struct kv_limits limits;
	uint64_t generation;
	uint64_t rev;
	uint64_t compacted;
	uint64_t floor; /* below it something replaced was not held */
	uint64_t turn;

	uint32_t *cell_next;
	uint8_t *cells;
	uint32_t cell_count;
	uint32_t cell_free;  /* given back; KV_NIL: none */
	uint32_t cell_fresh; /* from here on none has ever been used */
	uint32_t cells_free;

	struct kv_version *versions;
	uint32_t version_count;
	uint32_t version_free;
	uint32_t version_fresh;
	uint32_t versions_free;
	uint32_t first[KV_LEVELS];
	struct kv_trail *trail;
	struct siphash_key secret; /* of the sums of keys */
	uint32_t *sums; /* current ones, by the low bits of their keys' sums */
	uint32_t sums_mask;
	uint32_t oldest, newest;

	size_t key_count;
	uint64_t bytes;    /* of keys that are current */
	size_t past_count; /* kept or held, and not current */
	uint64_t past_bytes;

	struct kv_lease *leases; /* ids ascend */
	size_t lease_count;
	struct kv_author_row *authors; /* nodes ascend */
	size_t author_count;
};

uint32_t kv_table_idx(const struct kv *kv, const struct kv_version *version);

/* A power of two. */
uint32_t kv_table_sums_wanted(uint64_t keys);
/* Gives all memory back, and knows no key. */
void kv_table_init(struct kv *kv);

/*
 * A version that is neither current nor kept, with room for its value; old
 * history makes room for it, and there is always enough of that if limits are
 * kept (ENSURE).
 */
uint32_t kv_table_add(
    struct kv *kv, const uint8_t *key, size_t key_len, size_t value_len);
bool kv_table_has_room(const struct kv *kv, size_t key_len, size_t value_len);
void kv_table_free(struct kv *kv, uint32_t idx);

void kv_table_write(
    struct kv *kv, uint32_t idx, size_t from, const uint8_t *bytes, size_t len);
void kv_table_read(const struct kv *kv, const struct kv_version *version,
    size_t from, size_t len, uint8_t *out);
/* As memcmp of the key and these bytes, the shorter being the less. */
int kv_table_compare(const struct kv *kv, const struct kv_version *version,
    const uint8_t *key, size_t key_len);
bool kv_table_has_value(const struct kv *kv, const struct kv_version *version,
    const uint8_t *value, size_t len);

/* The current version of a key, or KV_NIL. */
uint32_t kv_table_find(const struct kv *kv, const uint8_t *key, size_t len);
/* The first current one not before the key, or KV_NIL. */
uint32_t kv_table_seek(const struct kv *kv, const uint8_t *key, size_t len);

/* Makes it current; its key has no current version. */
void kv_table_link(struct kv *kv, uint32_t idx);
/*
 * old is current no longer: by, of the same key and not yet kept, replaced it.
 * It is held if the budget of history allows.
 */
void kv_table_replace(struct kv *kv, uint32_t old, uint32_t by);
/* The same, and it is gone. */
void kv_table_drop(struct kv *kv, uint32_t old);

/* Puts it at the end of the history. */
void kv_table_keep(struct kv *kv, uint32_t idx);
/* Forgets the oldest one; false: it is of revision last_rev or above. */
bool kv_table_forget(struct kv *kv, uint64_t last_rev);
/* Forgets what is beyond the budget, but nothing of the last revision. */
void kv_table_trim(struct kv *kv);

#endif
