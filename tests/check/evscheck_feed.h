/* SPDX-License-Identifier: BSD-3-Clause */
/* Tells the oracle what one record says. */
#ifndef RK_EVSCHECK_FEED_H
#define RK_EVSCHECK_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/check/evscheck_read.h"
#include "tests/check/evscheck_sent.h"
#include "tests/sim/oracle.h"

struct evscheck_place {
	const char *path;
	uint64_t line;
};

struct evscheck_feed {
	struct oracle *oracle;
	struct evscheck_sent *sent;
	const struct oracle_failure *failure;
	struct evscheck_breach breach;
	struct evscheck_place here;   /* the current record */
	struct evscheck_place *place; /* of each event told */
	uint64_t place_room;
	uint64_t event_count;
	uint32_t node; /* the life whose records come now */
	uint64_t inc;
	bool has_view;
	struct totem_ring_id ring;
};

void evscheck_feed_init(struct evscheck_feed *feed, struct evscheck_sent *sent);
void evscheck_feed_fini(struct evscheck_feed *feed);

/* START, CRASH, GAP of the current life, or HEAL. */
void evscheck_feed_plain(struct evscheck_feed *feed, enum oracle_kind kind);

/* NULL, or what is missing or malformed in the record. */
const char *evscheck_feed_record(
    struct evscheck_feed *feed, struct evscheck_record *record);

/* Does the record say whose recording this is? */
bool evscheck_feed_whose(
    const struct evscheck_record *record, uint32_t *node, uint64_t *inc);

/* Has a predicate been broken? */
bool evscheck_feed_has_failed(const struct evscheck_feed *feed);

#endif
