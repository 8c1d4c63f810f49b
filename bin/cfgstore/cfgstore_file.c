/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstore/cfgstore_file.h"

#include <stdio.h>
#include <string.h>

#include "libcommon/base/word.h"
#include "libcommon/os/tool.h"

#include "bin/cfgstore/cfgstore_bytes.h"
#include "bin/cfgstore/cfgstore_write.h"

/* More is no configuration. */
enum { FILE_BYTES_MAX = 1 << 30 };

void
cfgstore_file_open(
    struct cfgstore_file *file, const char *path, struct cfgstore_bytes *bytes)
{
	cfgstore_bytes_read(bytes, path, FILE_BYTES_MAX);
	*file = (struct cfgstore_file){
		.name = strcmp(path, "-") == 0 ? "standard input" : path,
		.at = bytes->at,
		.left = bytes->len,
	};
}

void
cfgstore_file_fail(const struct cfgstore_file *file, const char *what)
{
	tool_fail(EXITCODE_DATA, "%s:%zu: %s", file->name, file->line, what);
}

bool
cfgstore_file_next(struct cfgstore_file *file, struct word *word)
{
	while (file->left > 0) {
		char *line = file->at;
		char *end = memchr(line, '\n', file->left);
		size_t len = end != NULL ? (size_t)(end - line) : file->left;
		size_t used = len + (end != NULL);
		int rc;

		file->at += used;
		file->left -= used;
		file->line++;
		if (len == 0)
			continue;
		rc = word_parse(word, line, len);
		if (rc != 0)
			cfgstore_file_fail(file, word_error_text(rc));
		if (word->tag != NULL || word->verb_count != 1)
			cfgstore_file_fail(file, "not a record");
		return true;
	}
	return false;
}

void
cfgstore_file_value(const struct cfgstore_file *file, struct word *word,
    const char *key, struct cfgstore_bytes *out)
{
	const struct word_pair *pair = word_get(word, key);
	char what[64] = "without ";

	if (pair == NULL)
		cfgstore_file_fail(file, strcat(strncat(what, key, 32), "="));
	*out = (struct cfgstore_bytes){ .at = pair->value, .len = pair->len };
}

void
cfgstore_file_key(const struct cfgstore_file *file, struct word *word,
    const char *key, struct cfgstore_bytes *out)
{
	char what[64];

	cfgstore_file_value(file, word, key, out);
	if (out->len > 0 && out->len <= CFGSTORE_KEY_BYTES_MAX)
		return;
	snprintf(what, sizeof what, "a %s of %zu bytes, expected 1 to %d", key,
	    out->len, CFGSTORE_KEY_BYTES_MAX);
	cfgstore_file_fail(file, what);
}
