/* SPDX-License-Identifier: BSD-3-Clause */
/* What can be seen of the child: its page, and what the kernel tells of it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "libcommon/os/fd.h"

#include "bin/ringd/supervisor.h"

enum { FILE_BYTES = 1024 };

/* A file of the child's in /proc; false when there is none. */
static bool
read_proc(const struct supervisor *s, const char *name, char bytes[FILE_BYTES])
{
	char path[64];
	long len;

	snprintf(path, sizeof path, "/proc/%ld/%s", (long)s->child, name);
	len = fd_read_file(path, bytes, FILE_BYTES - 1);
	if (len <= 0)
		return false;
	bytes[len] = '\0';
	return true;
}

void
supervisor_look(const struct supervisor *s, struct supervisor_look *out)
{
	char bytes[FILE_BYTES];
	const char *name_end;

	*out = (struct supervisor_look){
		.turns = atomic_load(&s->page->turns),
	};
	/* Ending may have to wait for the disk. */
	if (atomic_load(&s->page->is_ending))
		out->turns = 0;
	if (!read_proc(s, "schedstat", bytes) ||
	    sscanf(bytes, "%" SCNu64, &out->cpu_ns) != 1 ||
	    !read_proc(s, "stat", bytes))
		return;
	name_end = strrchr(bytes, ')');
	out->is_runnable = name_end != NULL && strncmp(name_end, ") R", 3) == 0;
}
