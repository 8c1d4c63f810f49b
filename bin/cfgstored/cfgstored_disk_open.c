/* SPDX-License-Identifier: BSD-3-Clause */
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/fd.h"

#include "bin/cfgstored/cfgstored_disk_internal.h"
#include "bin/cfgstored/cfgstored_lock.h"
#include "bin/cfgstored/cfgstored_proc.h"

enum { RING_BYTES = 8 << 20 };

/* Of the process that forks the writer, and then of the writer. */
static struct cfgstored_writer writer;

/* ---- the processes ----------------------------------------------------- */

RK_NORETURN static void
be_writer(void)
{
	const int keep[] = { writer.fd, writer.lock_fd, writer.folder.fd,
		writer.prepare.fd };

	cfgstored_proc_become("cfg-writer", keep, ARRAY_COUNT(keep));
	cfgstored_writer_run(&writer);
}

static int
start_writer(struct cfgstored_disk *disk)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	writer.fd = ends[1];
	writer.lock_fd = disk->lock_fd;
	writer.ring = disk->ring;
	disk->writer = fork();
	if (disk->writer == 0)
		be_writer();
	disk->fd = ends[0];
	fd_close(&ends[1]);
	return disk->writer < 0 ? -errno : 0;
}

/* A takeover that was under way will never end. */
static int
set_state(struct cfgstored_disk *disk, const struct cfgstored_disk_found *found)
{
	disk->state = writer.state;
	disk->is_begun = found->health == CFGSTORED_DISK_GOOD;
	disk->synced = found->tip;
	disk->record_bytes_max = num_min(KV_LOG_RECORD_BYTES_MAX,
	    writer.segment_bytes - KV_LOG_HEADER_BYTES -
		KV_LOG_BATCH_HEAD_BYTES - 2 * KV_LOG_FRAME_HEAD_BYTES);
	if (!disk->state.is_taking)
		return 0;
	return cfgstored_disk_abort(disk);
}

static int
fork_both(struct cfgstored_disk *disk)
{
	int rc = cfgstored_prepare_start(
	    &writer.prepare, &disk->folder, disk->lock_fd);

	if (rc < 0)
		return rc;
	disk->preparer = writer.prepare.pid;
	rc = start_writer(disk);
	fd_close(&writer.prepare.fd);
	return rc;
}

/* Whole pages of it; a kernel that cannot costs memory, no more. */
static void
advise(const struct cfgstored_disk_config *config, int advice)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t skip = num_round_up((uintptr_t)config->memory, page) -
	    (uintptr_t)config->memory;

	if (config->memory_bytes > skip + page)
		(void)madvise((char *)config->memory + skip,
		    (config->memory_bytes - skip) / page * page, advice);
}

static int
start(struct cfgstored_disk *disk, const struct cfgstored_disk_config *config,
    const struct cfgstored_disk_found *found)
{
	struct epoll_event event = { .events = EPOLLIN };
	int rc;

	advise(config, MADV_DONTFORK);
	rc = fork_both(disk);
	advise(config, MADV_DOFORK);
	if (rc < 0)
		return rc;
	disk->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (disk->epoll_fd < 0 ||
	    epoll_ctl(disk->epoll_fd, EPOLL_CTL_ADD, disk->fd, &event) < 0)
		return -errno;
	rc = set_state(disk, found);
	cfgstored_disk_flush(disk);
	return rc;
}

/* ---- open and close ---------------------------------------------------- */

static size_t
get_count_max(const struct cfgstored_disk_config *config)
{
	size_t usual = CFGSTORED_WRITER_SEGMENTS;

	if (config->segments_max > 0)
		usual = (size_t)num_min(usual, config->segments_max);
	return (size_t)num_max(usual, writer.count + CFGSTORED_WRITER_SPARES);
}

static int
fill_in(struct cfgstored_disk *disk, const struct cfgstored_disk_config *config,
    const struct cfgstored_disk_reader *reader,
    struct cfgstored_disk_found *found, struct text *why)
{
	size_t ring_bytes = config->ring_bytes;
	int rc;

	disk->folder = (struct cfgstored_folder){
		.fd = -1, .hook = config->hook, .arg = config->hook_arg
	};
	rc = cfgstored_lock_folder(
	    config->folder, &disk->folder.fd, &disk->lock_fd);
	if (rc < 0) {
		text_put(why, config->folder);
		text_put(why, "/cfg: ");
		text_put(
		    why, rc == -EBUSY ? "another one uses it" : strerror(-rc));
		return rc;
	}
	memset(&writer, 0, sizeof writer);
	writer.folder = disk->folder;
	writer.keep_bytes = config->keep_bytes;
	writer.retry_ns = config->retry_ns;
	writer.segment_bytes = config->segment_bytes > 0 ? config->segment_bytes
							 : KV_LOG_SEGMENT_BYTES;
	rc = cfgstored_disk_recover(&writer, reader, found, why);
	if (rc < 0)
		return rc;
	writer.count_max = get_count_max(config);
	rc = cfgstored_ring_open(
	    &disk->ring, ring_bytes > 0 ? ring_bytes : RING_BYTES);
	if (rc == 0)
		rc = start(disk, config, found);
	if (rc < 0)
		text_put(why, strerror(-rc));
	return rc;
}

int
cfgstored_disk_open(struct cfgstored_disk **out,
    const struct cfgstored_disk_config *config,
    const struct cfgstored_disk_reader *reader,
    struct cfgstored_disk_found *found, struct text *why)
{
	struct cfgstored_disk *disk = mmap(NULL, sizeof *disk,
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int rc;

	*found = (struct cfgstored_disk_found){ 0 };
	if (disk == MAP_FAILED)
		return -errno;
	*disk = (struct cfgstored_disk){
		.lock_fd = -1, .epoll_fd = -1, .fd = -1, .child_fd = -1
	};
	rc = fill_in(disk, config, reader, found, why);
	if (rc < 0)
		cfgstored_disk_close(disk);
	else
		*out = disk;
	return rc;
}

void
cfgstored_disk_close(struct cfgstored_disk *disk)
{
	if (disk->child_fd >= 0) {
		kill(disk->child, SIGKILL);
		fd_close(&disk->child_fd);
		(void)waitpid(disk->child, NULL, 0);
	}
	if (disk->ring.bytes != NULL)
		(void)cfgstored_ring_publish(&disk->ring);
	fd_close(&disk->fd);
	if (disk->writer > 0)
		(void)waitpid(disk->writer, NULL, 0);
	if (disk->preparer > 0)
		(void)waitpid(disk->preparer, NULL, 0);
	if (disk->ring.bytes != NULL)
		cfgstored_ring_close(&disk->ring);
	fd_close(&disk->epoll_fd);
	fd_close(&disk->lock_fd);
	fd_close(&disk->folder.fd);
	(void)munmap(disk, sizeof *disk);
}
