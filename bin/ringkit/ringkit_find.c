/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/ringkit/ringkit_find.h"

#include <sys/stat.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* DIR/NAME is a program: its path is in out. */
static bool
is_program(const char *dir, const char *name, char out[RINGKIT_PATH_BYTES])
{
	struct stat st;
	int n = snprintf(out, RINGKIT_PATH_BYTES, "%s/%s", dir, name);

	return n < RINGKIT_PATH_BYTES && stat(out, &st) == 0 &&
	    S_ISREG(st.st_mode) && access(out, X_OK) == 0;
}

/* The directory of the running program, without links; false: unknown. */
static bool
own_dir(char out[RINGKIT_PATH_BYTES])
{
	ssize_t n = readlink("/proc/self/exe", out, RINGKIT_PATH_BYTES - 1);
	char *slash;

	if (n <= 0 || n == RINGKIT_PATH_BYTES - 1)
		return false;
	out[n] = '\0';
	slash = strrchr(out, '/');
	if (slash == NULL)
		return false;
	*slash = '\0';
	return true;
}

/* dir was installed together with the running program. */
static bool
is_home(const char *dir)
{
	char path[RINGKIT_PATH_BYTES];
	struct stat there, here;

	return is_program(dir, "ringkit", path) && stat(path, &there) == 0 &&
	    stat("/proc/self/exe", &here) == 0 && there.st_dev == here.st_dev &&
	    there.st_ino == here.st_ino;
}

/* The directory of all programs. */
static bool
find_home(char out[RINGKIT_PATH_BYTES])
{
	static const char beside[] = "/../libexec/ringkit";
	size_t len;

	if (is_home(RINGKIT_LIBEXECDIR)) {
		strcpy(out, RINGKIT_LIBEXECDIR);
		return true;
	}
	if (!own_dir(out))
		return false;
	/* Installed, but moved since. */
	len = strlen(out);
	if (len + sizeof beside > RINGKIT_PATH_BYTES)
		return true;
	strcpy(out + len, beside);
	if (!is_home(out))
		out[len] = '\0';
	return true;
}

static bool
find_in_path(const char *name, char out[RINGKIT_PATH_BYTES])
{
	char prefixed[64];
	const char *path = getenv("PATH");
	char *copy, *dir, *rest = NULL;
	bool is_found = false;

	if (path == NULL || (copy = strdup(path)) == NULL)
		return false;
	snprintf(prefixed, sizeof prefixed, "ringkit-%s", name);
	for (dir = strtok_r(copy, ":", &rest); dir != NULL && !is_found;
	     dir = strtok_r(NULL, ":", &rest))
		is_found = is_program(dir, prefixed, out);
	free(copy);
	return is_found;
}

int
ringkit_find(const char *name, char out[RINGKIT_PATH_BYTES])
{
	char home[RINGKIT_PATH_BYTES];

	if (strchr(name, '/') != NULL || strlen(name) > 40)
		return -ENOENT;
	if (find_home(home) && is_program(home, name, out))
		return 0;
	return find_in_path(name, out) ? 0 : -ENOENT;
}

void
ringkit_find_extend_path(void)
{
	const char *path = getenv("PATH");
	char home[RINGKIT_PATH_BYTES];
	char *longer;

	if (!find_home(home))
		return;
	if (path == NULL || *path == '\0')
		path = "/usr/bin:/bin";
	if (asprintf(&longer, "%s:%s", home, path) < 0)
		return;
	setenv("PATH", longer, 1);
	free(longer);
}
