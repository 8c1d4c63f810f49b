/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "libcommon/os/cluster_internal.h"

bool
cluster_is_tag_name(const char *name)
{
	static const char allowed[] = "0123456789._-"
				      "abcdefghijklmnopqrstuvwxyz";
	size_t len = strlen(name);

	return len > 0 && len < CLUSTER_NAME_BYTES &&
	    strspn(name, allowed) == len;
}

static bool
is_given(const struct cluster_conf *conf, unsigned line, const char *name)
{
	for (uint32_t i = 0; i < conf->tag_count; i++)
		if (conf->tags[i].node == line &&
		    strcmp(conf->tags[i].name, name) == 0)
			return true;
	return false;
}

/* A copy that lives as long as conf; NULL when there is no room. */
static const char *
keep(struct cluster_conf *conf, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = conf->tag_text + conf->tag_text_len;

	if (size > sizeof conf->tag_text - conf->tag_text_len)
		return NULL;
	memcpy(copy, text, size);
	conf->tag_text_len += size;
	return copy;
}

void
cluster_tag_add(struct conf *file, struct cluster_reading *reading,
    const char *key, const char *value)
{
	struct cluster_conf *conf = reading->conf;
	const char *name = key + strlen("tag.");
	struct cluster_tag *tag = &conf->tags[conf->tag_count];

	if (!cluster_is_tag_name(name)) {
		conf_fail(file,
		    "%s: expected tag. and 1 to %d of a-z 0-9 . _ -", key,
		    CLUSTER_NAME_BYTES - 1);
		return;
	}
	if (*value == '\0') {
		conf_fail(file, "%s: no value, expected text", key);
		return;
	}
	if (is_given(conf, reading->at->line, name)) {
		conf_fail(file, "%s: given twice, expected once", key);
		return;
	}
	if (reading->at->tag_count == CLUSTER_TAGS) {
		conf_fail(file, "%s: expected at most %d tags of a node", key,
		    CLUSTER_TAGS);
		return;
	}
	tag->node = reading->at->line;
	tag->name = keep(conf, name);
	tag->value = keep(conf, value);
	if (tag->name == NULL || tag->value == NULL) {
		conf_fail(file, "%s: expected at most %d bytes of tags", key,
		    CLUSTER_TAG_TEXT_BYTES);
		return;
	}
	reading->at->tag_count++;
	conf->tag_count++;
}
