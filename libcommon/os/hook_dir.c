/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/os/hook_dir.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A name, and the folder that it was found in first. */
struct file {
	char *path;
	const char *name; /* in path */
};

struct file_list {
	struct file file[2 * HOOK_DIR_FILES];
	size_t count;
};

static bool
is_ours(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

static const char *
complaint(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "not a regular file";
	if (!is_ours(&st))
		return "not owned by root or this user";
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return "others may write to it";
	if ((st.st_mode & (S_ISUID | S_ISGID)) != 0)
		return "set-uid or set-gid";
	return access(path, X_OK) == 0 ? NULL : "not executable";
}

static const char *
folder_complaint(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return strerror(errno);
	if (!is_ours(&st))
		return "not owned by root or this user";
	return (st.st_mode & (S_IWGRP | S_IWOTH)) != 0
	    ? "others may write to it"
	    : NULL;
}

/* No dots: what editors and package managers leave behind has some. */
static bool
is_name(const char *name)
{
	return *name != '\0' &&
	    name[strspn(name,
		"abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")] == '\0';
}

static bool
is_known(const struct file_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->file[i].name, name) == 0)
			return true;
	return false;
}

static void
add(struct file_list *list, const char *folder, const char *name)
{
	struct file *file = &list->file[list->count];

	if (asprintf(&file->path, "%s/%s", folder, name) < 0)
		return;
	file->name = file->path + strlen(folder) + 1;
	list->count++;
}

static void
read_names(struct file_list *list, DIR *dir, const char *folder, size_t max,
    hook_dir_refuse_fn *refuse)
{
	struct dirent *entry;

	while ((entry = readdir(dir)) != NULL) {
		if (!is_name(entry->d_name) || is_known(list, entry->d_name))
			continue;
		if (list->count < max)
			add(list, folder, entry->d_name);
		else
			refuse(entry->d_name, "too many files");
	}
}

static void
read_folder(struct file_list *list, const char *folder, size_t max,
    hook_dir_refuse_fn *refuse)
{
	DIR *dir = opendir(folder);
	const char *why;

	if (dir == NULL) {
		if (errno != ENOENT)
			refuse(folder, strerror(errno));
		return;
	}
	why = folder_complaint(folder);
	if (why != NULL)
		refuse(folder, why);
	else
		read_names(list, dir, folder, max, refuse);
	closedir(dir);
}

static int
compare(const void *a, const void *b)
{
	const struct file *left = a, *right = b;

	return strcmp(left->name, right->name);
}

static bool
is_mask(const char *path)
{
	char target[16];
	ssize_t n = readlink(path, target, sizeof target);

	return n == (ssize_t)strlen("/dev/null") &&
	    memcmp(target, "/dev/null", (size_t)n) == 0;
}

static bool
is_runnable(const char *path, hook_dir_refuse_fn *refuse)
{
	const char *why;

	if (is_mask(path))
		return false;
	why = complaint(path);
	if (why != NULL)
		refuse(path, why);
	return why == NULL;
}

size_t
hook_dir_list(const char *own, const char *other, const char *event,
    char *paths[HOOK_DIR_FILES], hook_dir_refuse_fn *refuse)
{
	const char *folders[2] = { own, other };
	struct file_list list = { .count = 0 };
	size_t count = 0;

	for (size_t i = 0; i < 2; i++) {
		char folder[4096];

		if (folders[i] == NULL ||
		    snprintf(folder, sizeof folder, "%s/%s.d", folders[i],
			event) >= (int)sizeof folder)
			continue;
		read_folder(&list, folder, (i + 1) * HOOK_DIR_FILES, refuse);
	}
	qsort(list.file, list.count, sizeof list.file[0], compare);
	for (size_t i = 0; i < list.count; i++)
		if (count < HOOK_DIR_FILES &&
		    is_runnable(list.file[i].path, refuse))
			paths[count++] = list.file[i].path;
		else
			free(list.file[i].path);
	return count;
}
