/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/ringlock/ringlock_stuck.h"

#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/watchdog.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/tool.h"

/* Its clock ticks in seconds: rather too early than too late. */
static int
seconds_until(uint64_t until_ns)
{
	uint64_t left_ns = num_sub(until_ns, clock_boot_ns());

	return (int)num_clamp(left_ns / CLOCK_S_NS, 1, INT_MAX);
}

static bool
is_device(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode);
}

/* Setting the time also feeds it. */
static int
set_time(int fd, uint64_t until_ns)
{
	int wanted_s = seconds_until(until_ns), set_s = wanted_s;

	if (!is_device(fd))
		return write(fd, "fed\n", 4) == 4 ? 0 : -errno;
	if (ioctl(fd, WDIOC_SETTIMEOUT, &set_s) < 0)
		return -errno;
	/* It may know only few times: a longer one is of no use. */
	return set_s <= wanted_s ? 0 : -ERANGE;
}

int
ringlock_stuck_arm(int *fd, const char *path, uint64_t until_ns)
{
	int rc;

	*fd = open(path, O_WRONLY | O_CLOEXEC | O_APPEND);
	if (*fd < 0)
		return -errno;
	if (!is_device(*fd))
		tool_warn("%s: no device: it will reset nothing", path);
	rc = set_time(*fd, until_ns);
	if (rc != 0)
		ringlock_stuck_disarm(fd);
	return rc;
}

void
ringlock_stuck_feed(int fd, uint64_t until_ns)
{
	if (fd < 0)
		return;
	/* Not fed, it resets the machine at the time it was told before. */
	if (set_time(fd, until_ns) != 0)
		tool_warn("the watchdog cannot be fed");
}

void
ringlock_stuck_disarm(int *fd)
{
	if (*fd < 0)
		return;
	if (write(*fd, "V", 1) != 1)
		tool_warn("the watchdog cannot be disarmed");
	fd_close(fd);
}

void
ringlock_stuck_reboot(void)
{
	tool_warn("resetting the machine");
	(void)reboot(RB_AUTOBOOT);
	tool_warn("cannot reset the machine: %s", strerror(errno));
}
