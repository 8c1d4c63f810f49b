/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/os/vital.h"

#include <sys/mman.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* More is a sanitizer's, and nothing that could be had at once. */
enum { SMALL_PAGES = 16384 };

static bool
is_small(void)
{
	char bytes[64] = "";
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	(void)!read(fd, bytes, sizeof bytes - 1);
	(void)close(fd);
	return bytes[0] != '\0' && strtoull(bytes, NULL, 10) <= SMALL_PAGES;
}

void
vital_become(void)
{
	static const char never[] = "-1000";
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		(void)!write(fd, never, strlen(never));
		(void)close(fd);
	}
	(void)mlockall(is_small() ? MCL_CURRENT : MCL_CURRENT | MCL_ONFAULT);
}
