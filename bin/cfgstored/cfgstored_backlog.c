/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstored/cfgstored_backlog.h"

#include <errno.h>
#include <string.h>

#include "libcommon/base/ensure.h"

#include "bin/cfgstored/cfgstored_disk.h"

void
cfgstored_backlog_init(struct cfgstored_backlog *backlog,
    const struct cfgstored_backlog_memory *memory)
{
	*backlog = (struct cfgstored_backlog){ .flat = memory->flat,
		.flat_bytes = memory->flat_bytes };
	bytering_init(&backlog->ring, memory->ring, memory->ring_bytes);
}

static int
hand_over(
    struct cfgstored_disk *disk, const struct cfgstored_backlog_item *item)
{
	switch (item->kind) {
	case CFGSTORED_BACKLOG_FOUND:
		return cfgstored_disk_found_empty(disk);
	case CFGSTORED_BACKLOG_APPEND:
		return cfgstored_disk_append(
		    disk, &item->tip, item->acked, item->bytes, item->len);
	case CFGSTORED_BACKLOG_BEGIN:
		return cfgstored_disk_begin(
		    disk, &item->tip, item->is_on_snapshot);
	case CFGSTORED_BACKLOG_END:
		return cfgstored_disk_end(disk, item->acked);
	case CFGSTORED_BACKLOG_ABORT:
		return cfgstored_disk_abort(disk);
	}
	return -EINVAL;
}

static int
keep(struct cfgstored_backlog *backlog,
    const struct cfgstored_backlog_item *item)
{
	ENSURE(item->len <= backlog->flat_bytes);
	if (bytering_room(&backlog->ring) < sizeof *item + item->len)
		return -ENOSPC;
	backlog->waited++;
	ENSURE(bytering_put(&backlog->ring, item, sizeof *item));
	ENSURE(bytering_put(&backlog->ring, item->bytes, item->len));
	return 0;
}

int
cfgstored_backlog_give(struct cfgstored_backlog *backlog,
    struct cfgstored_disk *disk, const struct cfgstored_backlog_item *item)
{
	int rc = backlog->ring.len > 0 ? -EAGAIN : hand_over(disk, item);

	return rc == -EAGAIN ? keep(backlog, item) : rc;
}

/* Copies what lies at from in the ring. */
static void
copy_out(const struct bytering *ring, size_t from, void *out, size_t len)
{
	struct bytering_span span[2];
	uint8_t *to = out;

	(void)bytering_peek(ring, span);
	ENSURE(from + len <= ring->len);
	for (size_t i = 0; i < 2 && len > 0; i++) {
		size_t piece;

		if (from >= span[i].len) {
			from -= span[i].len;
			continue;
		}
		piece = span[i].len - from < len ? span[i].len - from : len;
		memcpy(to, span[i].bytes + from, piece);
		to += piece;
		len -= piece;
		from = 0;
	}
}

int
cfgstored_backlog_run(
    struct cfgstored_backlog *backlog, struct cfgstored_disk *disk)
{
	while (backlog->ring.len > 0) {
		struct cfgstored_backlog_item item = { 0 };
		int rc;

		copy_out(&backlog->ring, 0, &item, sizeof item);
		copy_out(&backlog->ring, sizeof item, backlog->flat, item.len);
		item.bytes = backlog->flat;
		rc = hand_over(disk, &item);
		if (rc == -EAGAIN)
			return 0;
		if (rc < 0)
			return rc;
		bytering_drop(&backlog->ring, sizeof item + item.len);
	}
	return 0;
}
