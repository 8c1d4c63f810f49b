/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstored/cfgstored_place.h"

#include <string.h>

void
cfgstored_place_begin(struct cfgstored_place *place,
    const struct cfgstored_place_state *of, uint64_t rev)
{
	place->of = *of;
	place->rev = rev;
	place->at = NULL;
	place->at_rev = 0;
	place->key_len = 0;
}

/* Its last revision was told in part. */
static bool
is_within(const struct cfgstored_place *place)
{
	return place->at != NULL && place->rev < place->at_rev;
}

static bool
is_still_there(const struct cfgstored_place *place, const struct kv *kv)
{
	struct kv_about about;
	uint8_t key[KV_KEY_BYTES_MAX];

	if (place->at == NULL || !kv_is_kept(place->at, place->at_rev))
		return false;
	kv_about(place->at, &about);
	kv_key(kv, place->at, key);
	return about.key_len == place->key_len &&
	    memcmp(key, place->key, place->key_len) == 0;
}

bool
cfgstored_place_next(const struct cfgstored_place *place, const struct kv *kv,
    const struct kv_version **out)
{
	/* What happened is there, even if not all that was replaced is. */
	if (place->rev < kv_compacted(kv))
		return false;
	if (is_still_there(place, kv)) {
		*out = kv_newer(kv, place->at);
		return true;
	}
	if (is_within(place))
		return false;
	*out = kv_since(kv, place->rev);
	return true;
}

void
cfgstored_place_pass(struct cfgstored_place *place, const struct kv *kv,
    const struct kv_version *version)
{
	const struct kv_version *next = kv_newer(kv, version);
	struct kv_about about, other;

	kv_about(version, &about);
	place->at = version;
	place->at_rev = about.rev;
	place->key_len = about.key_len;
	kv_key(kv, version, place->key);
	if (next != NULL)
		kv_about(next, &other);
	/* All of its revision has been told. */
	if (next == NULL || other.rev != about.rev)
		place->rev = about.rev;
}

/* Of a revision that changed no key there is no version. */
void
cfgstored_place_end(struct cfgstored_place *place, const struct kv *kv)
{
	place->rev = kv_rev(kv);
}

enum cfgstored_place_verdict
cfgstored_place_follow(
    struct cfgstored_place *place, const struct cfgstored_place_look *look)
{
	const bool is_behind = kv_rev(look->kv) < place->rev;
	bool is_lost;

	if (place->of.run == look->of.run &&
	    place->of.generation == look->of.generation)
		return CFGSTORED_PLACE_SAME;
	if (is_behind && !look->is_complete)
		return CFGSTORED_PLACE_WAITS;
	is_lost = is_behind || is_within(place) || place->rev > look->safe_rev;
	cfgstored_place_begin(place, &look->of, place->rev);
	return is_lost ? CFGSTORED_PLACE_LOST : CFGSTORED_PLACE_MOVED;
}
