/* SPDX-License-Identifier: BSD-3-Clause */
/* The process that writes the log: takes frames from the ring, says how far
 * they would survive.
 */
#ifndef RK_CFGSTORED_WRITER_H
#define RK_CFGSTORED_WRITER_H

#include "bin/cfgstored/cfgstored_disk.h"
#include "bin/cfgstored/cfgstored_file.h"
#include "bin/cfgstored/cfgstored_prepare.h"
#include "bin/cfgstored/cfgstored_ring.h"
#include "bin/cfgstored/kv_log.h"

enum {
	CFGSTORED_WRITER_SEGMENTS = 1024, /* on disk at once, as a rule */
	/* A start may find that many, with what is not used. */
	CFGSTORED_WRITER_FILES = CFGSTORED_WRITER_SEGMENTS + 256,
	/* More than there were at a start: enough to make a snapshot. */
	CFGSTORED_WRITER_SPARES = 16,
	CFGSTORED_WRITER_ROWS =
	    CFGSTORED_WRITER_FILES + CFGSTORED_WRITER_SPARES,
	/* In the ring beside frames, like a frame; its body is an index 8. */
	CFGSTORED_WRITER_TRIM = 128,
	CFGSTORED_WRITER_TRIM_BYTES = 13,
};

/* What is known of a segment that was used: how the log stood before it. */
struct cfgstored_writer_row {
	uint64_t serial;
	uint64_t index;
	bool is_taking;
};

/* To the parent. */
struct cfgstored_writer_word {
	enum cfgstored_disk_kind kind; /* not SAVED, UNSAVED */
	struct kv_tip tip;
	int error;
	enum cfgstored_file_call call; /* FAILED: in what */
};

/* Filled in by whoever recovers; then the process has its own copy. */
struct cfgstored_writer {
	struct cfgstored_folder folder;
	struct cfgstored_ring ring;
	struct cfgstored_prepare prepare;
	int fd; /* the parent */
	int lock_fd;
	uint64_t segment_bytes;
	uint64_t keep_bytes;
	uint64_t retry_ns;
	struct kv_log_state state;
	/* Segments that were used, the active one last. */
	struct cfgstored_writer_row rows[CFGSTORED_WRITER_ROWS];
	size_t count;
	size_t count_max; /* then it waits for a snapshot, as for space */
	struct kv_log_segment active; /* serial 0: there is none */
	uint64_t offset;
	/* The next, if it is there (serial 0: not), and the one after all. */
	struct kv_log_segment spare;
	uint64_t next_serial;
	uint64_t chain_serial; /* where the log began */
	uint64_t begin_serial; /* where the last takeover began */
	/* Of its own. */
	struct cfgstored_file file;
	bool is_preparing;
	bool is_full;
	bool is_stuck;    /* the ring has what cannot be written now */
	bool is_marked;   /* the last batch says that it has been fsynced */
	bool is_orphan;   /* the parent has gone: finish and end */
	uint64_t mark_ns; /* when to */
	uint64_t look_ns; /* when to look for space again */
};

/* For the ring: a snapshot at index is there, earlier log may go. */
void cfgstored_writer_put_trim(
    uint64_t index, uint8_t out[CFGSTORED_WRITER_TRIM_BYTES]);

/* Never returns.  In a process of its own, all else closed. */
RK_NORETURN void cfgstored_writer_run(struct cfgstored_writer *writer);

#endif
