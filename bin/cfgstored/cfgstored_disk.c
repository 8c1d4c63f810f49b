/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstored/cfgstored_disk.h"

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/os/fd.h"

#include "bin/cfgstored/cfgstored_disk_internal.h"
#include "bin/cfgstored/cfgstored_proc.h"
#include "bin/cfgstored/cfgstored_snap.h"

/* ---- frames ------------------------------------------------------------ */

static int
put(struct cfgstored_disk *disk, const struct kv_log_frame *frame)
{
	uint8_t head[KV_LOG_FRAME_HEAD_BYTES];
	size_t len;

	if (disk->error < 0)
		return disk->error;
	if (frame->len > disk->record_bytes_max)
		return -EINVAL;
	len = kv_log_frame_head(frame, head);
	if (len + frame->len > cfgstored_ring_room(&disk->ring))
		return -EAGAIN;
	if (!kv_log_follow(&disk->state, frame))
		return -EINVAL;
	cfgstored_ring_put(&disk->ring, head, len);
	cfgstored_ring_put(&disk->ring, frame->bytes, frame->len);
	return 0;
}

/* A log that begins here, beside what is bad. */
static int
put_first(struct cfgstored_disk *disk, bool is_verified)
{
	const struct kv_log_frame link = { .kind = KV_LOG_LINK,
		.is_first = true,
		.state.is_verified = is_verified };
	int rc = put(disk, &link);

	if (rc == 0)
		disk->is_begun = true;
	return rc;
}

int
cfgstored_disk_found_empty(struct cfgstored_disk *disk)
{
	return disk->is_begun ? -EINVAL : put_first(disk, true);
}

int
cfgstored_disk_append(struct cfgstored_disk *disk, const struct kv_tip *tip,
    uint64_t acked, const void *bytes, size_t len)
{
	return put(disk,
	    &(struct kv_log_frame){ .kind = KV_LOG_RECORD,
		.tip = *tip,
		.acked = acked,
		.bytes = bytes,
		.len = len });
}

int
cfgstored_disk_begin(struct cfgstored_disk *disk, const struct kv_tip *after,
    bool is_on_snapshot)
{
	if (!disk->is_begun) {
		int rc = put_first(disk, false);

		if (rc < 0)
			return rc;
	}
	return put(disk,
	    &(struct kv_log_frame){ .kind = KV_LOG_BEGIN,
		.tip = *after,
		.is_on_snapshot = is_on_snapshot });
}

int
cfgstored_disk_end(struct cfgstored_disk *disk, uint64_t acked)
{
	int rc;

	if (disk->state.is_on_snapshot && disk->taken != disk->state.base.index)
		return -EINVAL;
	rc = put(
	    disk, &(struct kv_log_frame){ .kind = KV_LOG_END, .acked = acked });
	/* The snapshot has its name from now on. */
	if (rc == 0)
		disk->taken = 0;
	return rc;
}

int
cfgstored_disk_abort(struct cfgstored_disk *disk)
{
	return put(disk, &(struct kv_log_frame){ .kind = KV_LOG_ABORT });
}

size_t
cfgstored_disk_room(const struct cfgstored_disk *disk)
{
	if (disk->error < 0)
		return 0;
	/* Half is for the heads of small ones. */
	return (size_t)num_sub(
	    cfgstored_ring_room(&disk->ring) / 2, KV_LOG_FRAME_HEAD_BYTES);
}

/* Earlier log may go. */
static void
put_trim(struct cfgstored_disk *disk)
{
	uint8_t bytes[CFGSTORED_WRITER_TRIM_BYTES];

	if (disk->error < 0 || disk->trim == 0 ||
	    cfgstored_ring_room(&disk->ring) < sizeof bytes)
		return;
	cfgstored_writer_put_trim(disk->trim, bytes);
	cfgstored_ring_put(&disk->ring, bytes, sizeof bytes);
	disk->trim = 0;
}

void
cfgstored_disk_flush(struct cfgstored_disk *disk)
{
	put_trim(disk);
	/* If this does not fit, others wait there already. */
	if (cfgstored_ring_publish(&disk->ring))
		(void)!send(disk->fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* ---- snapshots --------------------------------------------------------- */

static int
watch(const struct cfgstored_disk *disk, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(disk->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno
									: 0;
}

RK_NORETURN static void
be_saver(const struct cfgstored_disk *disk,
    const struct cfgstored_disk_save *save, int fd)
{
	const int keep[] = { fd, disk->folder.fd, disk->lock_fd };
	int rc;

	cfgstored_proc_become("cfg-saver", keep, ARRAY_COUNT(keep));
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Of takeovers that came to nothing; what is synced has its name. */
	if (save->purpose == CFGSTORED_DISK_TAKEN &&
	    kv_tip_compare(&disk->synced, &disk->state.tip) == 0)
		(void)!cfgstored_folder_remove_all(&disk->folder, ".in");
	rc = cfgstored_snap_write(&disk->folder, save);
	(void)!write(fd, &rc, sizeof rc);
	_exit(0);
}

int
cfgstored_disk_save(
    struct cfgstored_disk *disk, const struct cfgstored_disk_save *save)
{
	int ends[2];
	int rc;

	if (disk->error < 0)
		return disk->error;
	if (save->len > CFGSTORED_DISK_WORDS_BYTES_MAX || save->tip.index == 0)
		return -EINVAL;
	if (disk->child_fd >= 0 ||
	    (save->purpose == CFGSTORED_DISK_OWN &&
		kv_tip_compare(&save->tip, &disk->synced) > 0))
		return -EBUSY;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	rc = watch(disk, ends[0]);
	if (rc == 0) {
		disk->child = fork();
		if (disk->child == 0)
			be_saver(disk, save, ends[1]);
		rc = disk->child < 0 ? -errno : 0;
	}
	fd_close(&ends[1]);
	if (rc < 0) {
		fd_close(&ends[0]);
		return rc;
	}
	disk->child_fd = ends[0];
	disk->has_answered = false;
	disk->purpose = save->purpose;
	disk->saving = save->tip;
	if (save->purpose == CFGSTORED_DISK_TAKEN)
		disk->taken = 0;
	return 0;
}

/* The pipe ends when the child has. */
static bool
next_of_child(struct cfgstored_disk *disk, struct cfgstored_disk_event *out)
{
	int answer;
	ssize_t n;

	if (disk->child_fd < 0)
		return false;
	while ((n = read(disk->child_fd, &answer, sizeof answer)) > 0) {
		disk->has_answered = n == sizeof answer;
		disk->answer = answer;
	}
	if (n < 0)
		return false;
	/* Another child may have it still. */
	(void)epoll_ctl(disk->epoll_fd, EPOLL_CTL_DEL, disk->child_fd, NULL);
	fd_close(&disk->child_fd);
	(void)waitpid(disk->child, NULL, 0);
	*out = (struct cfgstored_disk_event){ .kind = CFGSTORED_DISK_SAVED,
		.tip = disk->saving,
		.what = "saving a snapshot" };
	out->error = disk->has_answered ? disk->answer : -EPIPE;
	if (out->error < 0)
		out->kind = CFGSTORED_DISK_UNSAVED;
	else if (disk->purpose == CFGSTORED_DISK_TAKEN)
		disk->taken = disk->saving.index;
	else {
		disk->trim = disk->saving.index;
		cfgstored_disk_flush(disk);
	}
	return true;
}

/* ---- what comes back --------------------------------------------------- */

int
cfgstored_disk_fd(const struct cfgstored_disk *disk)
{
	return disk->epoll_fd;
}

static const char *
call_name(enum cfgstored_file_call call)
{
	static const char *const names[CFGSTORED_FILE_CALLS] = {
		[CFGSTORED_FILE_CREATE] = "creating a segment",
		[CFGSTORED_FILE_OPEN] = "opening a segment",
		[CFGSTORED_FILE_ALLOCATE] = "preparing a segment",
		[CFGSTORED_FILE_WRITE] = "writing",
		[CFGSTORED_FILE_SYNC] = "fsync",
		[CFGSTORED_FILE_RENAME] = "renaming a snapshot",
		[CFGSTORED_FILE_REMOVE] = "removing",
		[CFGSTORED_FILE_SYNC_FOLDER] = "fsync of the folder",
	};

	return call < CFGSTORED_FILE_CALLS && names[call] != NULL
	    ? names[call]
	    : "the writer ended";
}

static void
take_word(struct cfgstored_disk *disk, const struct cfgstored_writer_word *word,
    struct cfgstored_disk_event *out)
{
	*out = (struct cfgstored_disk_event){ .kind = word->kind,
		.tip = word->tip,
		.error = word->error,
		.what = call_name(word->call) };
	if (word->kind == CFGSTORED_DISK_SYNCED)
		disk->synced = word->tip;
	if (word->kind == CFGSTORED_DISK_FAILED) {
		disk->error = word->error;
		disk->is_told = true;
	}
}

static bool
next_of_writer(struct cfgstored_disk *disk, struct cfgstored_disk_event *out)
{
	struct cfgstored_writer_word word;
	ssize_t n;

	if (disk->fd < 0)
		return false;
	n = recv(disk->fd, &word, sizeof word, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n == sizeof word) {
		take_word(disk, &word, out);
		return true;
	}
	(void)epoll_ctl(disk->epoll_fd, EPOLL_CTL_DEL, disk->fd, NULL);
	fd_close(&disk->fd);
	if (disk->is_told)
		return false;
	word = (struct cfgstored_writer_word){ .kind = CFGSTORED_DISK_FAILED,
		.error = -EPIPE };
	take_word(disk, &word, out);
	return true;
}

int
cfgstored_disk_next(
    struct cfgstored_disk *disk, struct cfgstored_disk_event *out)
{
	return next_of_writer(disk, out) || next_of_child(disk, out);
}
