/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a change of keys looks like on the wire, and what it makes of the keys.
 * Frames are sealed anyway; that a new key is sealed once more keeps it from
 * whoever can follow the frames' contents only: traces, dumps, listeners.
 */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/rdbuf.h"
#include "libcommon/base/wrbuf.h"
#include "libcommon/os/cluster.h"

#include "bin/ringd/ringd.h"
#include "bin/ringd/ringd_keys_internal.h"

enum {
	/* No datagram's: its key is of no node. */
	NOBODY = 0,
	HEAD_BYTES = 1 + 1 + 8 + 4, /* under which, which, session, salt */
	SEALED_BYTES = BOX_KEY_BYTES + BOX_TAG_BYTES,
};

/* ---- the keyring ------------------------------------------------------- */

bool
ringd_keys_is_same(const struct box_keyring *ring, uint8_t id,
    const uint8_t key[BOX_KEY_BYTES])
{
	for (uint32_t i = 0; i < ring->count; i++)
		if (ring->id[i] == id)
			return sodium_memcmp(
				   ring->key[i], key, BOX_KEY_BYTES) == 0;
	return false;
}

static void
put_key(struct box_keyring *ring, uint8_t id, const uint8_t *key)
{
	ENSURE(ring->count < BOX_KEYS_MAX);
	ring->id[ring->count] = id;
	memcpy(ring->key[ring->count++], key, BOX_KEY_BYTES);
}

/* The last one is the active. */
void
ringd_keys_apply(struct box_keyring *ring, const struct ringd_keyfile_job *job)
{
	struct box_keyring before = *ring;
	const uint8_t active = box_keyring_active(ring);
	const bool has = box_keyring_has(ring, job->id);

	box_keyring_fini(ring);
	for (uint32_t i = 0; i < before.count; i++) {
		const uint8_t id = before.id[i];

		if (job->change == RINGD_KEYS_INSTALL && id == active && !has)
			put_key(ring, job->id, job->key);
		if (job->change == RINGD_KEYS_INSTALL ||
		    (id == job->id) == (job->change == RINGD_KEYS_RETIRE))
			put_key(ring, id, before.key[i]);
	}
	for (uint32_t i = 0; i < before.count; i++)
		if (job->change == RINGD_KEYS_SWITCH && before.id[i] == job->id)
			put_key(ring, job->id, before.key[i]);
	box_keyring_fini(&before);
	ENSURE(ring->count > 0);
}

/* ---- the body ---------------------------------------------------------- */

static struct box_frame
make_frame(const uint8_t head[HEAD_BYTES], uint32_t salt)
{
	return (struct box_frame){ .cipher = BOX_CHACHA20,
		.counter = 1, /* a key of its own each time */
		.salt = salt,
		.ad = head,
		.ad_len = HEAD_BYTES };
}

static void
seal(const struct ringd *r, const struct ringd_keyfile_job *job,
    struct wrbuf *wr)
{
	const uint8_t under = box_keyring_active(r->keys->ring);
	struct box_owner owner = { r->conf->cluster, NOBODY, box_random_u64() };
	uint32_t salt = (uint32_t)box_random_u64();
	uint8_t sealed[SEALED_BYTES];
	struct box_frame frame;
	struct box_key key;

	wrbuf_u8(wr, under);
	wrbuf_u8(wr, job->id);
	wrbuf_u64(wr, owner.session);
	wrbuf_u32(wr, salt);
	frame = make_frame(wr->bytes, salt);
	box_key_init(&key, r->keys->ring, under, &owner);
	box_seal(&key, &frame, job->key, BOX_KEY_BYTES, sealed);
	box_key_fini(&key);
	wrbuf_bytes(wr, sealed, sizeof sealed);
}

size_t
ringd_keys_close_body(const struct ringd *r,
    const struct ringd_keyfile_job *job, uint8_t out[CHANGE_BODY_BYTES_MAX])
{
	struct wrbuf wr;

	wrbuf_init(&wr, out, CHANGE_BODY_BYTES_MAX);
	if (job->change == RINGD_KEYS_INSTALL)
		seal(r, job, &wr);
	else
		wrbuf_u8(&wr, job->id);
	ENSURE(!wr.is_full);
	return wr.len;
}

static const char *
open_sealed(const struct ringd *r, const struct change_effect *effect,
    struct ringd_keyfile_job *out)
{
	struct box_owner owner = { r->conf->cluster, NOBODY, 0 };
	struct box_frame frame;
	struct box_key key;
	struct rdbuf rd;
	uint8_t under;
	bool is_open;

	if (effect->len != HEAD_BYTES + SEALED_BYTES)
		return "it does not know this change";
	rdbuf_init(&rd, effect->body, effect->len);
	under = rdbuf_u8(&rd);
	out->id = rdbuf_u8(&rd);
	owner.session = rdbuf_u64(&rd);
	frame = make_frame(effect->body, rdbuf_u32(&rd));
	if (!box_keyring_has(r->keys->ring, under))
		return "it lacks the key that the new one is sealed under";
	box_key_init(&key, r->keys->ring, under, &owner);
	is_open = box_open(
	    &key, &frame, effect->body + HEAD_BYTES, SEALED_BYTES, out->key);
	box_key_fini(&key);
	return is_open ? NULL : "it cannot open the new key";
}

const char *
ringd_keys_open_body(const struct ringd *r, const struct change_effect *effect,
    struct ringd_keyfile_job *out)
{
	const char *wrong = NULL;

	*out = (struct ringd_keyfile_job){
		.change = (enum ringd_keys_change)effect->change
	};
	if (effect->change >= RINGD_KEYS_CHANGES)
		return "it does not know this change";
	if (out->change == RINGD_KEYS_INSTALL)
		wrong = open_sealed(r, effect, out);
	else if (effect->len == 1)
		out->id = effect->body[0];
	else
		wrong = "it does not know this change";
	if (wrong == NULL && out->id == 0 && out->change != RINGD_KEYS_SURVEY)
		wrong = "keys are numbered 1 to 255";
	return wrong;
}
