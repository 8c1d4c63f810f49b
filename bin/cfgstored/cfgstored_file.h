/* SPDX-License-Identifier: BSD-3-Clause */
/* What is done to the store's folder, so that a test can stand in between. */
#ifndef RK_CFGSTORED_FILE_H
#define RK_CFGSTORED_FILE_H

#include <sys/uio.h>

#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

enum cfgstored_file_call {
	CFGSTORED_FILE_CREATE = 1, /* for writing; what was there is gone */
	CFGSTORED_FILE_OPEN,       /* for reading and writing */
	CFGSTORED_FILE_ALLOCATE,
	CFGSTORED_FILE_WRITE,
	CFGSTORED_FILE_SYNC, /* of data, and of a size that changed */
	CFGSTORED_FILE_RENAME,
	CFGSTORED_FILE_REMOVE,
	CFGSTORED_FILE_SYNC_FOLDER,
	CFGSTORED_FILE_CALLS
};

/* What is about to be done; what of it counts depends on the call. */
struct cfgstored_file_act {
	enum cfgstored_file_call call;
	const char *name;
	const char *to; /* RENAME */
	const struct iovec *pieces;
	size_t count;
	uint64_t offset; /* WRITE */
	uint64_t len;    /* ALLOCATE */
};

enum { CFGSTORED_FILE_NAME_BYTES = 32 };

/* hook, for tests: 0, or the -E… that this fails with.  In each process. */
struct cfgstored_folder {
	int fd;
	int (*hook)(void *arg, const struct cfgstored_file_act *act);
	void *arg;
};

struct cfgstored_file {
	const struct cfgstored_folder *folder; /* borrowed */
	char name[CFGSTORED_FILE_NAME_BYTES];
	int fd; /* -1: not open */
};

/* All: 0 or -E….  After a failed create or open there is nothing to close. */
RK_MUST_CHECK int cfgstored_file_create(struct cfgstored_file *file,
    const struct cfgstored_folder *folder, const char *name);
RK_MUST_CHECK int cfgstored_file_open(struct cfgstored_file *file,
    const struct cfgstored_folder *folder, const char *name);
/* Takes space for len bytes, so that a full disk is known here. */
RK_MUST_CHECK int cfgstored_file_allocate(
    struct cfgstored_file *file, uint64_t len);
/* All of the pieces, which are changed. */
RK_MUST_CHECK int cfgstored_file_write(struct cfgstored_file *file,
    uint64_t offset, struct iovec *pieces, size_t count);
RK_MUST_CHECK int cfgstored_file_sync(struct cfgstored_file *file);
/*
 * Between pieces of what is long: others write to this disk, too, and wait for
 * all that was given to it before.  Waits as long again, 5 ms at most.  What
 * others wait for is about a piece: a longer one takes all less time, but they
 * would notice.
 */
enum { CFGSTORED_FILE_SLOW_BYTES = 256 << 10 };
RK_MUST_CHECK int cfgstored_file_sync_slowly(struct cfgstored_file *file);
void cfgstored_file_close(struct cfgstored_file *file);

RK_MUST_CHECK int cfgstored_folder_rename(
    const struct cfgstored_folder *folder, const char *from, const char *to);
/* That it is not there is no error. */
int cfgstored_folder_remove(
    const struct cfgstored_folder *folder, const char *name);
RK_MUST_CHECK int cfgstored_folder_sync(const struct cfgstored_folder *folder);

/* ---- names ------------------------------------------------------------- */

/* log-, snap-: PREFIX and 20 digits and suffix. */
void cfgstored_file_name(char out[CFGSTORED_FILE_NAME_BYTES],
    const char *prefix, uint64_t number, const char *suffix);

/* The numbers of the files of this name, rising: how many, or -E…. */
RK_MUST_CHECK long cfgstored_folder_list(const struct cfgstored_folder *folder,
    const char *prefix, const char *suffix, uint64_t *numbers, size_t max);

/* Removes all whose names end so: what was being made when all ended. */
RK_MUST_CHECK int cfgstored_folder_remove_all(
    const struct cfgstored_folder *folder, const char *suffix);

#endif
