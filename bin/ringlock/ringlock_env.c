/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/ringlock/ringlock_env.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/attr.h"

#define PREFIX "RINGKIT_LOCK_"

enum { VARIABLES = 5 };

static char *RK_PRINTF(1, 2) make(const char *format, ...)
{
	char *text;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	return n >= 0 ? text : NULL;
}

char **
ringlock_env_make(const struct lock_config *cfg, const struct lock_effect *held)
{
	unsigned long long ttl_ms = cfg->ttl_ns / LOCK_MS_NS;
	size_t count = 0, kept = 0;
	char **env;

	while (environ[count] != NULL)
		count++;
	env = calloc(count + VARIABLES + 1, sizeof *env);
	if (env == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (strncmp(environ[i], PREFIX, strlen(PREFIX)) != 0)
			env[kept++] = environ[i];
	env[kept++] = make(PREFIX "NAME=%s", cfg->name);
	env[kept++] =
	    make(PREFIX "TOKEN=%llu", (unsigned long long)held->token);
	env[kept++] = make(PREFIX "SLOT=%llu", (unsigned long long)held->slot);
	/* In seconds, with decimals only where they are needed. */
	env[kept++] = ttl_ms % 1000 == 0
	    ? make(PREFIX "TTL=%llu", ttl_ms / 1000)
	    : make(PREFIX "TTL=%llu.%03llu", ttl_ms / 1000, ttl_ms % 1000);
	env[kept] = make(PREFIX "VIEW=%s", held->view);
	return env;
}
