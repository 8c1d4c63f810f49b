/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ciphers, keys of sessions, randomness: thin over libsodium.  Both
 * ciphers take a nonce of 96 bits, here the session's packet counter and the
 * salt, and have a tag of 16 octets, so a caller need not know which it is.
 */
#include "libcommon/os/box.h"

#include <sys/random.h>

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/wrbuf.h"

enum { BOX_NONCE_BYTES = 12 };

/* The layout of a datagram does not depend on the cipher. */
static_assert(BOX_KEY_BYTES == crypto_aead_aes256gcm_KEYBYTES, "key");
static_assert(BOX_TAG_BYTES == crypto_aead_aes256gcm_ABYTES, "tag");
static_assert(BOX_NONCE_BYTES == crypto_aead_aes256gcm_NPUBBYTES, "nonce");
static_assert(
    BOX_KEY_BYTES == crypto_aead_chacha20poly1305_ietf_KEYBYTES, "key");
static_assert(BOX_TAG_BYTES == crypto_aead_chacha20poly1305_ietf_ABYTES, "tag");
static_assert(
    BOX_NONCE_BYTES == crypto_aead_chacha20poly1305_ietf_NPUBBYTES, "nonce");

int
box_init(void)
{
	return sodium_init() < 0 ? -ENOSYS : 0;
}

uint8_t
box_ciphers(void)
{
	if (crypto_aead_aes256gcm_is_available())
		return BOX_CHACHA20 | BOX_AES256;
	return BOX_CHACHA20;
}

void
box_random(void *bytes, size_t len)
{
	uint8_t *at = bytes;

	while (len > 0) {
		ssize_t n = getrandom(at, len, 0);

		ENSURE(n >= 0 || errno == EINTR);
		if (n <= 0)
			continue;
		at += n;
		len -= (size_t)n;
	}
}

uint64_t
box_random_u64(void)
{
	uint64_t value;

	box_random(&value, sizeof value);
	return value;
}

uint64_t
box_hash(const void *bytes, size_t len)
{
	uint8_t out[crypto_generichash_BYTES_MIN];
	uint64_t value = 0;

	(void)crypto_generichash(out, sizeof out, bytes, len, NULL, 0);
	for (size_t i = 0; i < sizeof value; i++)
		value = value << 8 | out[i];
	return value;
}

uint8_t
box_keyring_active(const struct box_keyring *keys)
{
	ENSURE(keys->count > 0 && keys->count <= BOX_KEYS_MAX);
	return keys->id[keys->count - 1];
}

/* The place of a key; count when it is not there. */
static uint32_t
box_keyring_find(const struct box_keyring *keys, uint8_t id)
{
	uint32_t i = 0;

	while (i < keys->count && keys->id[i] != id)
		i++;
	return i;
}

bool
box_keyring_has(const struct box_keyring *keys, uint8_t id)
{
	return box_keyring_find(keys, id) < keys->count;
}

void
box_keyring_fini(struct box_keyring *keys)
{
	sodium_memzero(keys, sizeof *keys);
}

/*
 * The label separates the ciphers: one key is never used with two.  The name
 * of the cluster comes last because only it has no fixed length.
 */
static void
box_derive(uint8_t out[BOX_KEY_BYTES], const uint8_t *cluster_key,
    const uint8_t *label, size_t label_len, const char *cluster)
{
	crypto_generichash_state state;

	(void)crypto_generichash_init(
	    &state, cluster_key, BOX_KEY_BYTES, BOX_KEY_BYTES);
	(void)crypto_generichash_update(&state, label, label_len);
	(void)crypto_generichash_update(
	    &state, (const uint8_t *)cluster, strlen(cluster));
	(void)crypto_generichash_final(&state, out, BOX_KEY_BYTES);
	sodium_memzero(&state, sizeof state);
}

void
box_key_init(struct box_key *key, const struct box_keyring *keys, uint8_t id,
    const struct box_owner *owner)
{
	uint32_t i = box_keyring_find(keys, id);
	uint8_t label[32], aes[BOX_KEY_BYTES];
	struct wrbuf wr;

	ENSURE(i < keys->count);
	wrbuf_init(&wr, label, sizeof label);
	wrbuf_bytes(&wr, "ringkit box 1", 13);
	wrbuf_u8(&wr, BOX_CHACHA20);
	wrbuf_u8(&wr, id);
	wrbuf_u32(&wr, owner->node);
	wrbuf_u64(&wr, owner->session);
	ENSURE(!wr.is_full);
	box_derive(key->chacha, keys->key[i], label, wr.len, owner->cluster);
	if (!(box_ciphers() & BOX_AES256))
		return;
	label[13] = BOX_AES256;
	box_derive(aes, keys->key[i], label, wr.len, owner->cluster);
	(void)crypto_aead_aes256gcm_beforenm(&key->aes, aes);
	sodium_memzero(aes, sizeof aes);
}

void
box_key_fini(struct box_key *key)
{
	sodium_memzero(key, sizeof *key);
}

static void
box_nonce(uint8_t out[BOX_NONCE_BYTES], const struct box_frame *frame)
{
	struct wrbuf wr;

	wrbuf_init(&wr, out, BOX_NONCE_BYTES);
	wrbuf_u64(&wr, frame->counter);
	wrbuf_u32(&wr, frame->salt);
	ENSURE(wr.len == BOX_NONCE_BYTES);
}

void
box_seal(const struct box_key *key, const struct box_frame *frame,
    const uint8_t *plain, size_t len, uint8_t *out)
{
	uint8_t nonce[BOX_NONCE_BYTES];

	ENSURE(frame->cipher & box_ciphers());
	box_nonce(nonce, frame);
	if (frame->cipher == BOX_AES256)
		(void)crypto_aead_aes256gcm_encrypt_afternm(out, NULL, plain,
		    len, frame->ad, frame->ad_len, NULL, nonce, &key->aes);
	else
		(void)crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL,
		    plain, len, frame->ad, frame->ad_len, NULL, nonce,
		    key->chacha);
}

bool
box_open(const struct box_key *key, const struct box_frame *frame,
    const uint8_t *sealed, size_t len, uint8_t *plain)
{
	uint8_t nonce[BOX_NONCE_BYTES];

	if (len < BOX_TAG_BYTES)
		return false;
	box_nonce(nonce, frame);
	if (frame->cipher == BOX_CHACHA20)
		return crypto_aead_chacha20poly1305_ietf_decrypt(plain, NULL,
			   NULL, sealed, len, frame->ad, frame->ad_len, nonce,
			   key->chacha) == 0;
	if (frame->cipher != BOX_AES256 || !(box_ciphers() & BOX_AES256))
		return false;
	return crypto_aead_aes256gcm_decrypt_afternm(plain, NULL, NULL, sealed,
		   len, frame->ad, frame->ad_len, nonce, &key->aes) == 0;
}
