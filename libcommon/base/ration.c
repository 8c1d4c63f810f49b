/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/base/ration.h"

#include "libcommon/base/num.h"

#define SECOND_NS UINT64_C(1000000000)
#define EVERY_NS  (60 * SECOND_NS)

/* The one that has been silent for longest, of those with nothing to tell. */
static struct ration_place *
ration_oldest(struct ration *ration)
{
	struct ration_place *oldest = NULL;

	for (uint32_t i = 0; i < ration->count; i++) {
		struct ration_place *place = &ration->places[i];

		if (place->held == 0 &&
		    (oldest == NULL || place->heard_ns < oldest->heard_ns))
			oldest = place;
	}
	return oldest;
}

static struct ration_place *
ration_find(struct ration *ration, uint64_t name)
{
	struct ration_place *place;

	for (uint32_t i = 0; i < ration->count; i++)
		if (ration->places[i].name == name)
			return &ration->places[i];
	if (ration->count < RATION_PLACES)
		place = &ration->places[ration->count++];
	else
		place = ration_oldest(ration);
	/* Nobody is silent: then they share the last one. */
	if (place == NULL)
		return &ration->places[RATION_PLACES - 1];
	place->name = name;
	return place;
}

/* When its next line may be told. */
static uint64_t
ration_open_ns(const struct ration_place *place, uint64_t now_ns)
{
	uint64_t open_ns =
	    num_sub(place->full_ns, (RATION_STORE - 1) * EVERY_NS);

	if (place->second == now_ns / SECOND_NS && place->used >= RATION_SECOND)
		open_ns = num_max(open_ns, (place->second + 1) * SECOND_NS);
	return open_ns;
}

static void
ration_tell(struct ration *ration, struct ration_place *place, uint64_t now_ns,
    struct ration_line *out)
{
	if (place->second != now_ns / SECOND_NS)
		place->used = 0;
	place->second = now_ns / SECOND_NS;
	place->used++;
	place->full_ns = num_max(place->full_ns, now_ns) + EVERY_NS;
	ration->held -= place->held > 0;
	out->omitted = place->held;
	place->held = 0;
}

bool
ration_take(struct ration *ration, uint64_t name, uint64_t now_ns,
    struct ration_line *out)
{
	struct ration_place *place = ration_find(ration, name);
	uint64_t open_ns = ration_open_ns(place, now_ns);

	place->heard_ns = now_ns;
	out->place = (uint32_t)(place - ration->places);
	out->omitted = place->held;
	if (open_ns <= now_ns) {
		ration_tell(ration, place, now_ns, out);
		return true;
	}
	ration->due_ns =
	    ration->held == 0 ? open_ns : num_min(ration->due_ns, open_ns);
	ration->held += place->held == 0;
	place->held++;
	return false;
}

bool
ration_next(struct ration *ration, uint64_t now_ns, struct ration_line *out)
{
	uint64_t due_ns = UINT64_MAX;

	if (now_ns < ration_due_ns(ration))
		return false;
	for (uint32_t i = 0; i < ration->count; i++) {
		struct ration_place *place = &ration->places[i];
		uint64_t open_ns = ration_open_ns(place, now_ns);

		if (place->held == 0)
			continue;
		if (open_ns <= now_ns) {
			ration_tell(ration, place, now_ns, out);
			out->place = i;
			out->omitted--; /* but for the one that is held */
			return true;
		}
		due_ns = num_min(due_ns, open_ns);
	}
	ration->due_ns = due_ns;
	return false;
}

bool
ration_rest(struct ration *ration, struct ration_line *out)
{
	for (uint32_t i = 0; i < ration->count; i++) {
		struct ration_place *place = &ration->places[i];

		if (place->held == 0)
			continue;
		out->place = i;
		out->omitted = place->held - 1;
		place->held = 0;
		ration->held--;
		return true;
	}
	return false;
}

uint64_t
ration_due_ns(const struct ration *ration)
{
	return ration->held > 0 ? ration->due_ns : UINT64_MAX;
}
