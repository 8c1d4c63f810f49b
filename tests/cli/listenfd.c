/* SPDX-License-Identifier: BSD-3-Clause */
/* listenfd PATH COMMAND...: what a service manager does.  Listens at PATH and
 * runs COMMAND with the socket as descriptor 3 and LISTEN_FDS=1.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FIRST = 3 };

int
main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char pid[16];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (argc < 3)
		return 64;
	snprintf(addr.sun_path, sizeof addr.sun_path, "%s", argv[1]);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0 ||
	    listen(fd, 16) < 0 || (fd != FIRST && dup2(fd, FIRST) < 0)) {
		perror(argv[1]);
		return 71;
	}
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_FDNAMES", "ring", 1);
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 127;
}
