/* SPDX-License-Identifier: BSD-3-Clause */
/* The store's files: one log, snapshots, and the processes that write them.
 *
 * The loop puts frames into a ring of shared memory and goes on; the writer
 * process writes and fsyncs what has gathered there, again and again, and says
 * how far the log is durable.  Nothing here waits, but open and close: these
 * for the writer, the disk, and whoever has the lock yet.
 *
 * A failed fsync is never tried again: what the kernel still believes is
 * written may be gone.  After it all is refused until a new start has looked
 * at what is there.  A full disk is no failure: the log waits for space.
 */
#ifndef RK_CFGSTORED_DISK_H
#define RK_CFGSTORED_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

#include "bin/cfgstored/kv_log.h"

struct cfgstored_disk;
struct cfgstored_file_act;
struct kv;
struct text;

enum { CFGSTORED_DISK_WORDS_BYTES_MAX = 64 << 10 };

/* ---- start ------------------------------------------------------------- */

struct cfgstored_disk_config {
	const char *folder;     /* statedir: cfg/ is made in it */
	uint64_t segment_bytes; /* 0: KV_LOG_SEGMENT_BYTES */
	uint64_t keep_bytes;    /* of log, kept though a snapshot has it */
	/*
	 * With so many, and no snapshot that lets some go, it is full.  0:
	 * CFGSTORED_WRITER_SEGMENTS, which is the most.  A start that finds
	 * them has a few more.
	 */
	size_t segments_max;
	size_t ring_bytes; /* 0: 8 MiB */
	uint64_t retry_ns; /* of a full disk; 0: 1 s */
	/*
	 * The state's memory: the writer has no use for a copy, which would
	 * grow as the state changes.
	 */
	void *memory;
	size_t memory_bytes;
	/* For tests, see cfgstored_file.h. */
	int (*hook)(void *arg, const struct cfgstored_file_act *act);
	void *hook_arg;
};

enum cfgstored_disk_health {
	CFGSTORED_DISK_GOOD,  /* whole; perhaps founded and still empty */
	CFGSTORED_DISK_BLANK, /* there is nothing */
	CFGSTORED_DISK_BAD,   /* short, damaged or only half taken over */
};

/*
 * Who is told what was found, in order: the snapshot, if there is one, and its
 * state in pieces; then records, whose indexes rise by one from the snapshot's
 * or from 1.  cut says that those from index on are replaced by what follows.
 * Of a takeover that was never finished nothing is told.  Non-zero ends it,
 * and what was found is BAD; but for -EPROTONOSUPPORT: another version of this
 * program wrote it, and the folder cannot be used.
 */
struct cfgstored_disk_reader {
	void *arg;
	/* words: what save was given */
	int (*snapshot)(
	    void *arg, const struct kv_tip *tip, const void *words, size_t len);
	int (*state)(void *arg, const void *bytes, size_t len); /* kv_reader */
	int (*record)(void *arg, const struct kv_log_frame *record);
	void (*cut)(void *arg, uint64_t index);
};

struct cfgstored_disk_found {
	enum cfgstored_disk_health health;
	bool is_torn;      /* a write was cut short by a crash, and cut off */
	struct kv_tip tip; /* GOOD: the end of the log; it is durable */
	uint64_t acked;    /* GOOD: this index is acknowledged, or more */
	uint64_t snapshot; /* GOOD: index; 0: there is none */
};

/*
 * Opens the folder (waiting for the writer of an owner that just died), reads,
 * repairs and forks the writer.  -E… with the reason in why when the folder
 * cannot be used; what is only BAD is no error, but why says how.
 */
RK_MUST_CHECK int cfgstored_disk_open(struct cfgstored_disk **out,
    const struct cfgstored_disk_config *config,
    const struct cfgstored_disk_reader *reader,
    struct cfgstored_disk_found *found, struct text *why);

/* Ends the writer, after all that it was given. */
void cfgstored_disk_close(struct cfgstored_disk *disk);

/* ---- the log ----------------------------------------------------------- */

/*
 * All of these: 0; -EAGAIN: too much is under way, or the disk is full;
 * -EINVAL: it cannot come here (its tip does not follow, it is too long); or
 * another -E… of a failed disk, for good.  Then nothing was taken.  Taken in
 * this order and durable in this order, some time after flush.
 */

/* BLANK or BAD: the log is whole, and empty.  At a first start, or by init. */
RK_MUST_CHECK int cfgstored_disk_found_empty(struct cfgstored_disk *disk);

/*
 * The record behind the last: tip is its own, acked what is known to be
 * acknowledged.  Of a takeover that has begun: of that.
 */
RK_MUST_CHECK int cfgstored_disk_append(struct cfgstored_disk *disk,
    const struct kv_tip *tip, uint64_t acked, const void *bytes, size_t len);

/*
 * A takeover: records behind after will replace what is there, all at once,
 * when end is durable.  after is the end of what stays; with is_on_snapshot
 * nothing stays, and a snapshot of the state at after has to be saved
 * (CFGSTORED_DISK_SAVED) before end.  Begins anew when one is under way.
 * A log that is BLANK or BAD is taken over from index 0 or on a snapshot.
 */
RK_MUST_CHECK int cfgstored_disk_begin(struct cfgstored_disk *disk,
    const struct kv_tip *after, bool is_on_snapshot);
RK_MUST_CHECK int cfgstored_disk_end(
    struct cfgstored_disk *disk, uint64_t acked);
RK_MUST_CHECK int cfgstored_disk_abort(struct cfgstored_disk *disk);

/* Bytes of records that append would take now, unless they are tiny. */
size_t cfgstored_disk_room(const struct cfgstored_disk *disk);

/* Wakes the writer; at the end of each turn of the loop. */
void cfgstored_disk_flush(struct cfgstored_disk *disk);

/* ---- snapshots --------------------------------------------------------- */

enum cfgstored_disk_purpose {
	CFGSTORED_DISK_OWN,   /* of a log that has it: earlier log may go */
	CFGSTORED_DISK_TAKEN, /* for a takeover on it; the last one counts */
};

/*
 * Forks a child that writes kv as the state after tip, with words; kv may
 * change at once.  -EBUSY: the last one is still under way.
 */
struct cfgstored_disk_save {
	enum cfgstored_disk_purpose purpose;
	const struct kv *kv;
	struct kv_tip tip;
	const void *words; /* CFGSTORED_DISK_WORDS_BYTES_MAX at most */
	size_t len;
};
RK_MUST_CHECK int cfgstored_disk_save(
    struct cfgstored_disk *disk, const struct cfgstored_disk_save *save);

/* ---- what comes back --------------------------------------------------- */

/* For the loop: readable when next has something. */
int cfgstored_disk_fd(const struct cfgstored_disk *disk);

enum cfgstored_disk_kind {
	/* All of the log up to tip would survive.  It may be a new log's. */
	CFGSTORED_DISK_SYNCED = 1,
	CFGSTORED_DISK_WRITTEN, /* of a takeover: there is room again */
	CFGSTORED_DISK_SAVED,   /* the snapshot of tip */
	CFGSTORED_DISK_UNSAVED, /* it failed: error; ask again later */
	CFGSTORED_DISK_FULL,  /* no space for more log, or too much; it waits */
	CFGSTORED_DISK_SPACE, /* there is again */
	CFGSTORED_DISK_FAILED, /* for good: error, in what */
};
struct cfgstored_disk_event {
	enum cfgstored_disk_kind kind;
	struct kv_tip tip;
	int error; /* -E… */
	const char *what;
};
/* 1 and an event, 0 when there is none. */
RK_MUST_CHECK int cfgstored_disk_next(
    struct cfgstored_disk *disk, struct cfgstored_disk_event *out);

#endif
