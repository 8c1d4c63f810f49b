/* SPDX-License-Identifier: BSD-3-Clause */
/* What the disk does not take now: it waits here, in its order. */
#ifndef RK_CFGSTORED_BACKLOG_H
#define RK_CFGSTORED_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/base/bytering.h"

#include "bin/cfgstored/kv_rules.h"

struct cfgstored_disk;

enum cfgstored_backlog_kind {
	CFGSTORED_BACKLOG_FOUND,
	CFGSTORED_BACKLOG_APPEND,
	CFGSTORED_BACKLOG_BEGIN,
	CFGSTORED_BACKLOG_END,
	CFGSTORED_BACKLOG_ABORT,
};

struct cfgstored_backlog_item {
	enum cfgstored_backlog_kind kind;
	bool is_on_snapshot; /* BEGIN */
	struct kv_tip tip;   /* APPEND, BEGIN */
	uint64_t acked;      /* APPEND, END */
	const void *bytes;   /* APPEND; borrowed */
	size_t len;
};

struct cfgstored_backlog {
	struct bytering ring;
	uint8_t *flat; /* one record that lies around the ring's end */
	size_t flat_bytes;
	uint64_t waited; /* items that had to, ever */
};

/* Memory of ring_bytes, and flat_bytes for the longest record. */
struct cfgstored_backlog_memory {
	void *ring;
	size_t ring_bytes;
	void *flat;
	size_t flat_bytes;
};
void cfgstored_backlog_init(struct cfgstored_backlog *backlog,
    const struct cfgstored_backlog_memory *memory);

/*
 * Gives it to the disk, behind all that waits: 0; -ENOSPC when even here is no
 * room; or what the disk says when it has failed.
 */
RK_MUST_CHECK int cfgstored_backlog_give(struct cfgstored_backlog *backlog,
    struct cfgstored_disk *disk, const struct cfgstored_backlog_item *item);

/* Gives the disk what it will take of what waits: 0 or -E… as above. */
RK_MUST_CHECK int cfgstored_backlog_run(
    struct cfgstored_backlog *backlog, struct cfgstored_disk *disk);

#endif
