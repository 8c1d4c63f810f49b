/* SPDX-License-Identifier: BSD-3-Clause */
/* Secret-key boxes: the key file, a session's key, sealing and opening.
 *
 * The cluster key never seals anything itself.  Each session of each node has
 * a key of its own, derived from it, with its own packet counter; so a nonce
 * made of that counter never repeats under one key.  The salt beside it makes
 * a second line of defence for a machine that was rolled back to a snapshot.
 *
 * After box_init nothing here allocates, blocks or fails.
 */
#ifndef RK_BOX_H
#define RK_BOX_H

#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

struct text;

enum {
	BOX_KEY_BYTES = 32,
	BOX_TAG_BYTES = 16, /* a sealed text is so much longer */
	BOX_KEYS_MAX = 16,  /* in one key file */
	BOX_KEY_ID_MAX = 255,
};

/* Bits, so that a node can announce a set of them. */
enum box_cipher {
	BOX_CHACHA20 = 1, /* ChaCha20-Poly1305-IETF: everywhere */
	BOX_AES256 = 2,   /* AES-256-GCM: where the processor has it */
};

/* The key file: ids are 1 .. 255 and unique; the last line is the active. */
struct box_keyring {
	uint32_t count;
	uint8_t id[BOX_KEYS_MAX];
	uint8_t key[BOX_KEYS_MAX][BOX_KEY_BYTES];
};

/* One session's key, prepared for every cipher of this machine. */
struct box_key {
	crypto_aead_aes256gcm_state aes;
	uint8_t chacha[BOX_KEY_BYTES];
};

/* Whose key: what a session's key is derived from, beside the cluster key. */
struct box_owner {
	const char *cluster; /* the cluster's name, borrowed */
	uint32_t node;
	uint64_t session;
};

/* What is authenticated with, but not part of, a sealed text. */
struct box_frame {
	enum box_cipher cipher;
	uint64_t counter; /* never twice under one key */
	uint32_t salt;
	const uint8_t *ad; /* borrowed */
	size_t ad_len;
};

/* Call first, once.  -ENOSYS when the library cannot start. */
RK_MUST_CHECK int box_init(void);

/* The ciphers of this machine, as bits of enum box_cipher. */
uint8_t box_ciphers(void);

/* From the kernel, on every call (never from a buffered generator). */
void box_random(void *bytes, size_t len);
uint64_t box_random_u64(void);

/* A short public fingerprint (BLAKE2b), the same on every machine. */
uint64_t box_hash(const void *bytes, size_t len);

enum { BOX_E_KEYS = 1 }; /* why says what is wrong, with file:line */

/*
 * Reads a key file: one `ID HEX64` a line, blank lines and lines that begin
 * with # apart.  It must be a regular file of root or of this process's
 * effective user and at most mode 0440.  BOX_E_KEYS: keys holds nothing and
 * why "FILE:LINE: what, expected what" (one line, no key material).
 */
RK_MUST_CHECK int box_keyring_read(
    struct box_keyring *keys, const char *path, struct text *why);

/* The id that seals. */
uint8_t box_keyring_active(const struct box_keyring *keys);
bool box_keyring_has(const struct box_keyring *keys, uint8_t id);

/* Overwrites the keys. */
void box_keyring_fini(struct box_keyring *keys);

/* The key of a session.  id must be in keys (ENSURE). */
void box_key_init(struct box_key *key, const struct box_keyring *keys,
    uint8_t id, const struct box_owner *owner);

/* Overwrites the key. */
void box_key_fini(struct box_key *key);

/*
 * Seals len bytes of plain into out, which takes len + BOX_TAG_BYTES and does
 * not overlap plain.  The cipher must be one of box_ciphers (ENSURE).
 */
void box_seal(const struct box_key *key, const struct box_frame *frame,
    const uint8_t *plain, size_t len, uint8_t *out);

/*
 * Opens len sealed bytes into plain, which takes len - BOX_TAG_BYTES and is
 * written only when the answer is true.  false: too short, a cipher this
 * machine does not have, or not authentic.
 */
RK_MUST_CHECK bool box_open(const struct box_key *key,
    const struct box_frame *frame, const uint8_t *sealed, size_t len,
    uint8_t *plain);

#endif
