/* SPDX-License-Identifier: BSD-3-Clause */
/* The loop's side of the disk, for cfgstored_disk*.c alone. */
#ifndef RK_CFGSTORED_DISK_INTERNAL_H
#define RK_CFGSTORED_DISK_INTERNAL_H

#include <sys/types.h>

#include "bin/cfgstored/cfgstored_disk.h"
#include "bin/cfgstored/cfgstored_file.h"
#include "bin/cfgstored/cfgstored_ring.h"
#include "bin/cfgstored/cfgstored_writer.h"

struct cfgstored_disk {
	struct cfgstored_folder folder;
	int lock_fd;
	int epoll_fd;
	struct cfgstored_ring ring;
	/* The writer. */
	int fd;
	pid_t writer;
	pid_t preparer;
	struct kv_log_state state; /* as given to it */
	bool is_begun;             /* there is a log that frames follow */
	uint64_t record_bytes_max;
	struct kv_tip synced;
	int error; /* of a disk that has failed */
	bool is_told;
	/* The child that saves; fd -1: there is none. */
	int child_fd;
	pid_t child;
	bool has_answered;
	int answer;
	enum cfgstored_disk_purpose purpose;
	struct kv_tip saving;
	uint64_t trim;  /* index: the writer is still to be told; 0: it was */
	uint64_t taken; /* index of the last that was TAKEN; 0: none */
};

/*
 * Reads and repairs the folder, tells reader, and sets writer's state,
 * segments and serials.  0 or -E…, with the reason in why.
 */
RK_MUST_CHECK int cfgstored_disk_recover(struct cfgstored_writer *writer,
    const struct cfgstored_disk_reader *reader,
    struct cfgstored_disk_found *found, struct text *why);

#endif
