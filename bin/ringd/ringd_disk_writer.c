/* SPDX-License-Identifier: BSD-3-Clause */
/* The process that waits for the disk, so that the ring need not. */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/os/fd.h"

#include "bin/ringd/ringd_disk.h"

enum { FDS = 1024 };

/* What was inherited would be held open after the parent's death. */
static void
close_others(const struct ringd_disk *disk, int fd)
{
	for (int i = STDERR_FILENO + 1; i < FDS; i++)
		if (i != fd && i != disk->dir_fd && i != disk->lock_fd)
			close(i);
}

/* What is 8 bytes long is a mark; 0 tells the parent that it failed. */
static void
keep_mark(struct ringd_disk *disk, uint8_t bytes[sizeof(uint64_t)])
{
	uint64_t ring_seq;
	int rc = 0;

	memcpy(&ring_seq, bytes, sizeof ring_seq);
	if (ring_seq > disk->reserved) {
		disk->reserved = ring_seq;
		rc = ringd_disk_write(disk);
	}
	ring_seq = rc < 0 ? 0 : disk->reserved;
	memcpy(bytes, &ring_seq, sizeof ring_seq);
}

/*
 * Lives until its parent closes the other end, not until somebody signals the
 * process group: the parent's last request must still be served.
 */
RK_NORETURN static void
be_writer(struct ringd_disk *disk, int fd)
{
	uint8_t bytes[RINGD_DISK_JOB_BYTES];
	ssize_t n;

	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	close_others(disk, fd);
	(void)prctl(PR_SET_NAME, "ringd-writer", 0, 0, 0);
	while ((n = recv(fd, bytes, sizeof bytes, 0)) >=
	    (ssize_t)sizeof(uint64_t)) {
		size_t len = (size_t)n;

		if (len == sizeof(uint64_t))
			keep_mark(disk, bytes);
		else if (disk->work != NULL)
			len = disk->work(disk->work_arg, bytes, len);
		if (send(fd, bytes, len, MSG_NOSIGNAL) < 0)
			break;
		sodium_memzero(bytes, sizeof bytes);
	}
	_exit(0);
}

int
ringd_disk_start(struct ringd_disk *disk)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	disk->writer = fork();
	if (disk->writer < 0) {
		int rc = -errno;

		fd_close(&ends[0]);
		fd_close(&ends[1]);
		return rc;
	}
	if (disk->writer == 0) {
		fd_close(&ends[0]);
		be_writer(disk, ends[1]);
	}
	fd_close(&ends[1]);
	disk->fd = ends[0];
	return fd_set_nonblock(disk->fd, true);
}

int
ringd_disk_ask(struct ringd_disk *disk, uint64_t ring_seq)
{
	ssize_t n = send(disk->fd, &ring_seq, sizeof ring_seq, MSG_NOSIGNAL);

	return n < 0 ? -errno : 0;
}

int
ringd_disk_ask_job(struct ringd_disk *disk, const void *bytes, size_t len)
{
	ENSURE(len > sizeof(uint64_t) && len <= RINGD_DISK_JOB_BYTES);
	return send(disk->fd, bytes, len, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int
ringd_disk_answer(struct ringd_disk *disk, uint64_t *ring_seq)
{
	ssize_t n = recv(disk->fd, disk->answer, sizeof disk->answer, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n < (ssize_t)sizeof *ring_seq)
		return -EPIPE; /* it died */
	disk->answer_len = (size_t)n;
	if (n > (ssize_t)sizeof *ring_seq)
		return RINGD_DISK_JOB;
	memcpy(ring_seq, disk->answer, sizeof *ring_seq);
	if (*ring_seq == 0)
		return -EIO;
	disk->reserved = *ring_seq;
	return RINGD_DISK_MARK;
}

static void
end_writer(struct ringd_disk *disk)
{
	fd_close(&disk->fd);
	if (disk->writer > 0)
		(void)waitpid(disk->writer, NULL, 0);
	disk->writer = 0;
}

/* The mark that was answered last is above every sequence that was used. */
int
ringd_disk_outlive(struct ringd_disk *disk, uint64_t incarnation)
{
	end_writer(disk);
	disk->incarnation = num_max(disk->incarnation, incarnation);
	return ringd_disk_write(disk);
}

void
ringd_disk_close(struct ringd_disk *disk)
{
	end_writer(disk);
	fd_close(&disk->lock_fd);
	fd_close(&disk->dir_fd);
}
