/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstored/cfgstored_prepare.h"

#include <sys/socket.h>

#include <errno.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/os/box.h"
#include "libcommon/os/fd.h"

#include "bin/cfgstored/cfgstored_proc.h"

static int
fill(struct cfgstored_file *file, const struct kv_log_segment *segment)
{
	static uint8_t zeroes[CFGSTORED_FILE_SLOW_BYTES];
	uint8_t header[KV_LOG_HEADER_BYTES];
	struct iovec piece;
	int rc = cfgstored_file_allocate(file, segment->bytes);

	for (uint64_t at = 0; rc == 0 && at < segment->bytes;
	     at += sizeof zeroes) {
		piece.iov_base = zeroes;
		piece.iov_len = num_min(sizeof zeroes, segment->bytes - at);
		rc = cfgstored_file_write(file, at, &piece, 1);
		if (rc == 0 && at + sizeof zeroes < segment->bytes)
			rc = cfgstored_file_sync_slowly(file);
	}
	kv_log_header(segment, header);
	piece.iov_base = header;
	piece.iov_len = sizeof header;
	if (rc == 0)
		rc = cfgstored_file_write(file, 0, &piece, 1);
	return rc == 0 ? cfgstored_file_sync(file) : rc;
}

static int
make(
    const struct cfgstored_folder *folder, const struct kv_log_segment *segment)
{
	char name[CFGSTORED_FILE_NAME_BYTES], new[CFGSTORED_FILE_NAME_BYTES];
	struct cfgstored_file file;
	int rc;

	cfgstored_file_name(name, "log-", segment->serial, "");
	cfgstored_file_name(new, "log-", segment->serial, ".new");
	rc = cfgstored_file_create(&file, folder, new);
	if (rc < 0)
		return rc;
	rc = fill(&file, segment);
	cfgstored_file_close(&file);
	if (rc == 0)
		rc = cfgstored_folder_rename(folder, new, name);
	/* A disk that is full needs the space back; more cannot be done. */
	if (rc < 0)
		(void)cfgstored_folder_remove(folder, new);
	return rc == 0 ? cfgstored_folder_sync(folder) : rc;
}

RK_NORETURN static void
be_preparer(const struct cfgstored_folder *folder, int fd)
{
	struct cfgstored_prepare_answer answer;

	while (recv(fd, &answer.segment, sizeof answer.segment, 0) ==
	    sizeof answer.segment) {
		answer.segment.salt = box_random_u64();
		answer.rc = make(folder, &answer.segment);
		if (send(fd, &answer, sizeof answer, MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}

int
cfgstored_prepare_start(struct cfgstored_prepare *prepare,
    const struct cfgstored_folder *folder, int keep_fd)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	prepare->pid = fork();
	if (prepare->pid == 0) {
		const int keep[] = { ends[1], folder->fd, keep_fd };

		cfgstored_proc_become("cfg-preparer", keep, ARRAY_COUNT(keep));
		be_preparer(folder, ends[1]);
	}
	if (prepare->pid < 0) {
		int rc = -errno;

		fd_close(&ends[0]);
		fd_close(&ends[1]);
		return rc;
	}
	fd_close(&ends[1]);
	prepare->fd = ends[0];
	return 0;
}

int
cfgstored_prepare_ask(
    struct cfgstored_prepare *prepare, const struct kv_log_segment *wanted)
{
	ssize_t n = send(prepare->fd, wanted, sizeof *wanted, MSG_NOSIGNAL);

	return n < 0 ? -errno : 0;
}

int
cfgstored_prepare_answer(
    struct cfgstored_prepare *prepare, struct cfgstored_prepare_answer *out)
{
	ssize_t n;

	do
		n = recv(prepare->fd, out, sizeof *out, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n == sizeof *out ? 0 : -EPIPE;
}
