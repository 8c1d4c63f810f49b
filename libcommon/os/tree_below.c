/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is below us is read from /proc: the one place that knows of processes
 * which left group and session.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/parse.h"
#include "libcommon/os/child.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/tree_internal.h"

struct process {
	pid_t pid, parent;
	bool is_below;
};

struct process_list {
	struct process *at;
	size_t count, size;
};

/* The parent of a process that is no zombie; 0: there is none. */
static pid_t
parent_of(pid_t pid)
{
	char path[40], stat[512], *at;
	int fd;
	ssize_t len;

	(void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	len = read(fd, stat, sizeof stat - 1);
	fd_close(&fd);
	if (len <= 0)
		return 0;
	stat[len] = '\0';
	/* PID (NAME) STATE PARENT: the name may hold anything. */
	at = strrchr(stat, ')');
	if (at == NULL || strlen(at) < 5 || at[2] == 'Z' || at[2] == 'X')
		return 0;
	return (pid_t)strtol(at + 4, NULL, 10);
}

static void
add(struct process_list *list, pid_t pid, pid_t parent)
{
	if (list->count == list->size) {
		size_t size = 2 * list->size + 256;
		struct process *grown = realloc(list->at, size * sizeof *grown);

		if (grown == NULL)
			return; /* those we have must do for this round */
		list->at = grown;
		list->size = size;
	}
	list->at[list->count++] =
	    (struct process){ .pid = pid, .parent = parent };
}

static void
read_processes(struct process_list *list)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	uint64_t pid;

	if (proc == NULL)
		return;
	while ((entry = readdir(proc)) != NULL) {
		pid_t parent;

		if (parse_u64(entry->d_name, strlen(entry->d_name), 1,
			INT32_MAX, &pid) != 0)
			continue;
		parent = parent_of((pid_t)pid);
		if (parent > 0)
			add(list, (pid_t)pid, parent);
	}
	closedir(proc);
}

static int
compare(const void *a, const void *b)
{
	const struct process *left = a, *right = b;

	return (left->pid > right->pid) - (left->pid < right->pid);
}

static bool
is_root_or_below(const struct process_list *list, pid_t root, pid_t pid)
{
	struct process key = { .pid = pid };
	const struct process *found;

	if (pid == root)
		return true;
	found = bsearch(&key, list->at, list->count, sizeof key, compare);
	return found != NULL && found->is_below;
}

/* Marks all below root. */
static void
mark(struct process_list *list, pid_t root)
{
	bool has_changed = list->count > 0;

	while (has_changed) {
		has_changed = false;
		for (size_t i = 0; i < list->count; i++) {
			struct process *p = &list->at[i];

			if (p->is_below ||
			    !is_root_or_below(list, root, p->parent))
				continue;
			p->is_below = true;
			has_changed = true;
		}
	}
}

/* Not somebody else's, whose number is the same by now. */
static void
signal_surely(const struct process *process, pid_t root, int signo)
{
	int pidfd = child_open(process->pid);
	pid_t parent;

	if (pidfd < 0)
		return;
	/* Its parent may have died: then it is ours now. */
	parent = parent_of(process->pid);
	if (parent == process->parent || parent == root)
		child_signal(pidfd, signo);
	fd_close(&pidfd);
}

unsigned
tree_signal_below(int signo)
{
	struct process_list list = { 0 };
	pid_t root = getpid();
	unsigned count = 0;

	read_processes(&list);
	if (list.count > 0)
		qsort(list.at, list.count, sizeof *list.at, compare);
	mark(&list, root);
	for (size_t i = 0; i < list.count; i++) {
		if (!list.at[i].is_below)
			continue;
		signal_surely(&list.at[i], root, signo);
		count++;
	}
	free(list.at);
	return count;
}
