/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/quorumd/quorumd_item.h"

#include <string.h>

#include "libcommon/base/text.h"
#include "libcommon/os/svc.h"

/* The first word of a line has no blank before it. */
void
quorumd_put(struct text *out, const char *key, const char *value)
{
	if (out->len > 0 && out->bytes[out->len - 1] != ' ')
		text_put_char(out, ' ');
	text_put(out, key);
	text_put_char(out, '=');
	text_put(out, value);
}

void
quorumd_put_number(struct text *out, const char *key, uint64_t number)
{
	quorumd_put(out, key, "");
	text_put_u64(out, number);
}

void
quorumd_put_value(struct text *out, const char *key, const char *value)
{
	quorumd_put(out, key, "");
	text_put_value(out, value, strlen(value));
}

void
quorumd_put_view(struct text *out, struct parse_view view)
{
	text_put_u64(out, view.rep);
	text_put_char(out, '.');
	text_put_u64(out, view.seq);
}

const char *
quorumd_yes_no(bool is_so)
{
	return is_so ? "yes" : "no";
}

void
quorumd_put_ids(
    struct text *out, const char *key, const uint32_t *id, size_t count)
{
	quorumd_put(out, key, "");
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			text_put_char(out, ',');
		text_put_u64(out, id[i]);
	}
}

/* ---- items ------------------------------------------------------------- */

void
quorumd_begin_item(const struct svc_request *req, struct text *out, char *bytes)
{
	text_init(out, bytes, QUORUMD_LINE_BYTES);
	svc_put_tag(out, req->tag);
	text_put(out, "item ");
}

void
quorumd_end_item(
    const struct svc_request *req, struct text *out, uint64_t *items)
{
	++*items;
	text_put_char(out, '\n');
	svc_put(req->client, out->bytes, out->len);
}

enum svc_result
quorumd_end_items(const struct svc_request *req, uint64_t items)
{
	svc_ok(req->client, req->tag, "n=%llu", (unsigned long long)items);
	return SVC_DONE;
}
