/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is below us is read from /proc: the one place that knows of processes
 * which left group and session.
 */
#include "libcommon/os/tree_below.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/parse.h"
#include "libcommon/os/child.h"
#include "libcommon/os/fd.h"

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

/* Of this very process, not of another whose number is the same by now. */
static int
open_surely(const struct process *process, pid_t root)
{
	int pidfd = child_open(process->pid);
	pid_t parent;

	if (pidfd < 0)
		return -1;
	/* Its parent may have died: then it is the reaper's now. */
	parent = parent_of(process->pid);
	if (parent != process->parent && parent != root)
		fd_close(&pidfd);
	return pidfd;
}

/* All below root, marked; the caller frees list->at. */
static void
find_below(struct process_list *list, pid_t root)
{
	read_processes(list);
	if (list->count > 0)
		qsort(list->at, list->count, sizeof *list->at, compare);
	mark(list, root);
}

unsigned
tree_signal_below(int signo)
{
	struct process_list list = { 0 };
	pid_t root = getpid();
	unsigned count = 0;

	find_below(&list, root);
	for (size_t i = 0; i < list.count; i++) {
		int pidfd;

		if (!list.at[i].is_below)
			continue;
		count++;
		pidfd = open_surely(&list.at[i], root);
		if (pidfd < 0)
			continue;
		child_signal(pidfd, signo);
		fd_close(&pidfd);
	}
	free(list.at);
	return count;
}

/* ---- strangers --------------------------------------------------------- */

static bool
is_known(const struct tree_strangers *strangers, pid_t pid)
{
	for (size_t i = 0; i < strangers->count; i++)
		if (strangers->below[i].pid == pid)
			return true;
	return pid == getpid() || pid == getppid();
}

static void
look_below(struct tree_strangers *strangers)
{
	struct process_list list = { 0 };

	find_below(&list, strangers->root);
	for (size_t i = 0; i < list.count; i++) {
		const struct process *process = &list.at[i];
		int fd;

		if (!process->is_below || is_known(strangers, process->pid) ||
		    strangers->count == TREE_STRANGERS_MAX)
			continue;
		fd = open_surely(process, strangers->root);
		if (fd < 0)
			continue;
		strangers->below[strangers->count].pid = process->pid;
		strangers->below[strangers->count++].fd = fd;
	}
	free(list.at);
}

void
tree_strangers_signal(struct tree_strangers *strangers, int signo)
{
	if (strangers->root > 0) {
		look_below(strangers);
		child_signal(strangers->root_fd, signo);
	}
	for (size_t i = 0; i < strangers->count; i++)
		child_signal(strangers->below[i].fd, signo);
}

bool
tree_strangers_are_left(struct tree_strangers *strangers)
{
	size_t kept = 0;

	if (strangers->root > 0 && child_ends_by(strangers->root_fd, 0)) {
		strangers->root = 0;
		fd_close(&strangers->root_fd);
	}
	for (size_t i = 0; i < strangers->count; i++) {
		if (child_ends_by(strangers->below[i].fd, 0))
			fd_close(&strangers->below[i].fd);
		else
			strangers->below[kept++] = strangers->below[i];
	}
	strangers->count = kept;
	return strangers->root > 0 || kept > 0;
}
