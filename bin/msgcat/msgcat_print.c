/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/msgcat/msgcat_print.h"

#include <string.h>

#include "libcommon/base/escape.h"
#include "libcommon/base/json.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"
#include "libcommon/os/ask.h"

enum { ITEM_BYTES = 1024 };

void
msgcat_print_time(struct msgcat_printer *printer, uint64_t real_ns)
{
	clock_stamp(real_ns, printer->stamp);
}

static void
put_pair(struct out *out, const char *key, const struct word_pair *pair)
{
	out_put_string(out, key);
	if (pair->is_raw)
		out_put(out, pair->value, pair->len);
	else
		out_put_value(out, pair->value, pair->len);
}

/* ---- records ----------------------------------------------------------- */

/* seq and ts, which end every record. */
static void
end_record(struct msgcat_printer *printer)
{
	struct out *out = &printer->out;

	out_put_string(out, " seq=");
	out_put_u64(out, ++printer->seq);
	out_put_string(out, " ts=");
	out_put_string(out, printer->stamp);
	out_put(out, "\n", 1);
	out_end(out);
}

static void
begin_record(
    struct msgcat_printer *printer, const char *event, struct word *word)
{
	struct out *out = &printer->out;

	out_put_string(out, event);
	for (size_t i = 0; i < word->pair_count; i++) {
		out_put(out, " ", 1);
		out_put_string(out, word->pair[i].key);
		put_pair(out, "=", &word->pair[i]);
	}
}

static void
print_record(struct msgcat_printer *printer, const struct ask_line *line)
{
	begin_record(printer, "msg", line->word);
	out_put_string(&printer->out, " data=");
	out_put_value(&printer->out, line->data, line->len);
	end_record(printer);
}

/* ---- JSON -------------------------------------------------------------- */

static bool
is_one_of(const char *key, const char *const *keys, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

static bool
is_number(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] < '0' || bytes[i] > '9')
			return false;
	/* No more digits than a reader's integers have. */
	return len > 0 && len < 20;
}

/* ,"KEY": or ,"KEY_b64": and the bytes as they can be shown. */
static void
put_json_bytes(struct out *out, const char *key, const void *bytes, size_t len)
{
	bool is_utf8 = text_is_utf8(bytes, len);
	struct text text;

	out_put_string(out, ",\"");
	out_put_string(out, key);
	out_put_string(out, is_utf8 ? "\":" : "_b64\":");
	out_begin_text(out, &text, JSON_STRING_GROWTH * len + 8);
	(is_utf8 ? json_put_string : json_put_base64)(&text, bytes, len);
	out_end_text(out, &text);
}

/* An item of a list: a number, or its text; what is no text, escaped. */
static void
put_json_item(struct out *out, char *item, size_t len)
{
	char quoted[ITEM_BYTES];
	struct text text, quote;

	if (is_number(item, len)) {
		out_put(out, item, len);
		return;
	}
	if (escape_is_valid(item, len))
		len = escape_undo(item, len);
	text_init(&quote, quoted, sizeof quoted);
	if (!text_is_utf8(item, len)) {
		text_put_value(&quote, item, len);
		item = quoted;
		len = quote.len;
	}
	out_begin_text(out, &text, JSON_STRING_GROWTH * len + 2);
	json_put_string(&text, item, len);
	out_end_text(out, &text);
}

static void
put_json_list(struct out *out, const struct word_pair *pair)
{
	char *list = pair->value, *item;
	size_t left = pair->len, len;
	const char *between = "";

	out_put_string(out, ",\"");
	out_put_string(out, pair->key);
	out_put_string(out, "\":[");
	while (word_take_item(&list, &left, &item, &len)) {
		out_put_string(out, between);
		put_json_item(out, item, len);
		between = ",";
	}
	out_put_string(out, "]");
}

static void
put_json_pair(struct out *out, struct word *word, size_t idx)
{
	static const char *const numbers[] = { "node", "inc", "conn", "mid",
		"len", "lost", "ms", "pid", "uid", "seq" };
	static const char *const lists[] = { "members", "joined", "left" };
	const struct word_pair *pair = &word->pair[idx];
	/* inc is one number of a node, or those of all members. */
	bool is_list = is_one_of(pair->key, lists, ARRAY_COUNT(lists)) ||
	    (strcmp(pair->key, "inc") == 0 && idx > 0 &&
		strcmp(word->pair[idx - 1].key, "members") == 0);

	if (is_list && pair->is_raw) {
		put_json_list(out, pair);
	} else if (is_one_of(pair->key, numbers, ARRAY_COUNT(numbers)) &&
	    is_number(pair->value, pair->len)) {
		out_put_string(out, ",\"");
		out_put_string(out, pair->key);
		out_put_string(out, "\":");
		out_put(out, pair->value, pair->len);
	} else {
		pair = word_at(word, idx);
		put_json_bytes(out, pair->key, pair->value, pair->len);
	}
}

static void
begin_json(struct msgcat_printer *printer, const char *event, struct word *word)
{
	struct out *out = &printer->out;

	out_put_string(out, "{\"v\":1,\"event\":\"");
	out_put_string(out, event);
	out_put_string(out, "\"");
	for (size_t i = 0; i < word->pair_count; i++)
		put_json_pair(out, word, i);
}

static void
end_json(struct msgcat_printer *printer)
{
	struct out *out = &printer->out;

	out_put_string(out, ",\"seq\":");
	out_put_u64(out, ++printer->seq);
	out_put_string(out, ",\"ts\":\"");
	out_put_string(out, printer->stamp);
	out_put_string(out, "\"}\n");
	out_end(out);
}

static void
print_json(struct msgcat_printer *printer, const struct ask_line *line)
{
	begin_json(printer, "msg", line->word);
	put_json_bytes(&printer->out, "data", line->data, line->len);
	end_json(printer);
}

/* ---- payloads ---------------------------------------------------------- */

/* A byte that a terminal might obey, as cat -v shows it. */
static void
put_visible_byte(struct out *out, uint8_t byte)
{
	char shown[5];
	size_t len = 0;

	if (byte >= 0x80) {
		shown[len++] = 'M';
		shown[len++] = '-';
		byte &= 0x7F;
	}
	if (byte < ' ' || byte == 0x7F) {
		shown[len++] = '^';
		byte ^= 0x40;
	}
	shown[len++] = (char)byte;
	out_put(out, shown, len);
}

static void
put_visible(struct out *out, const uint8_t *bytes, size_t len)
{
	bool is_utf8 = text_is_utf8(bytes, len);

	for (size_t i = 0; i < len; i++) {
		uint8_t byte = bytes[i];
		/* U+0080 to U+009F are controls, too. */
		bool is_c1 = is_utf8 && byte == 0xC2 && bytes[i + 1] < 0xA0;

		if (is_c1)
			put_visible_byte(out, bytes[++i]);
		else if (byte == '\n' || byte == '\t' ||
		    (byte >= ' ' && byte < 0x7F) || (byte >= 0x80 && is_utf8))
			out_put(out, &byte, 1);
		else
			put_visible_byte(out, byte);
	}
}

static void
put_payload(struct msgcat_printer *printer, const struct ask_line *line)
{
	if (printer->is_terminal)
		put_visible(&printer->out, line->data, line->len);
	else
		out_put(&printer->out, line->data, line->len);
}

/* ---- custom ------------------------------------------------------------ */

static const struct {
	char letter;
	const char *key;
} custom_keys[] = {
	{ 't', "group" },
	{ 'f', "node" },
	{ 'P', "pos" },
	{ 'l', "len" },
	{ 'c', "conn" },
	{ 'i', "inc" },
	{ 'm', "mid" },
	{ 's', "svc" },
	{ 'v', "view" },
	{ 'I', "id" },
};

static const char *
find_key(char letter)
{
	for (size_t i = 0; i < ARRAY_COUNT(custom_keys); i++)
		if (custom_keys[i].letter == letter)
			return custom_keys[i].key;
	return NULL;
}

bool
msgcat_pattern_is_valid(const char *pattern)
{
	for (const char *at = strchr(pattern, '%'); at != NULL;
	     at = strchr(at + 2, '%'))
		if (at[1] == '\0' ||
		    (strchr("pTn0%", at[1]) == NULL && find_key(at[1]) == NULL))
			return false;
	return true;
}

static void
put_custom(struct msgcat_printer *printer, struct ask_line *line, char letter)
{
	struct out *out = &printer->out;
	const struct word_pair *pair;

	switch (letter) {
	case 'p':
		put_payload(printer, line);
		return;
	case 'T':
		out_put_string(out, printer->stamp);
		return;
	case 'n':
		out_put(out, "\n", 1);
		return;
	case '0':
		out_put(out, "", 1);
		return;
	case '%':
		out_put(out, "%", 1);
		return;
	default:
		break;
	}
	pair = word_get(line->word, find_key(letter));
	if (pair != NULL && printer->is_terminal)
		put_visible(out, (const uint8_t *)pair->value, pair->len);
	else if (pair != NULL)
		out_put(out, pair->value, pair->len);
}

static void
print_custom(struct msgcat_printer *printer, struct ask_line *line)
{
	const char *at = printer->pattern;

	while (*at != '\0') {
		size_t len = strcspn(at, "%");

		out_put(&printer->out, at, len);
		at += len;
		if (*at == '%') {
			put_custom(printer, line, at[1]);
			at += 2;
		}
	}
}

/* ---- all --------------------------------------------------------------- */

static void
print_frame(struct msgcat_printer *printer, const struct ask_line *line)
{
	struct out *out = &printer->out;

	out_put_string(out, "len=");
	out_put_u64(out, line->len);
	out_put(out, "\n", 1);
	out_put(out, line->data, line->len);
	out_put(out, "\n", 1);
	out_end(out);
}

void
msgcat_print_message(struct msgcat_printer *printer, struct ask_line *line)
{
	switch (printer->format) {
	case MSGCAT_RECORD:
		print_record(printer, line);
		return;
	case MSGCAT_JSON:
		print_json(printer, line);
		return;
	case MSGCAT_FRAMED:
		print_frame(printer, line);
		return;
	case MSGCAT_PAYLOAD:
		put_payload(printer, line);
		break;
	case MSGCAT_CUSTOM:
		print_custom(printer, line);
		break;
	}
	out_put(&printer->out, printer->end, printer->end_len);
	out_end(&printer->out);
}

bool
msgcat_print_event(
    struct msgcat_printer *printer, const char *event, struct word *word)
{
	switch (printer->format) {
	case MSGCAT_RECORD:
		begin_record(printer, event, word);
		end_record(printer);
		return true;
	case MSGCAT_JSON:
		begin_json(printer, event, word);
		end_json(printer);
		return true;
	case MSGCAT_FRAMED:
		begin_record(printer, event, word);
		out_put(&printer->out, "\n", 1);
		out_end(&printer->out);
		return true;
	case MSGCAT_PAYLOAD:
	case MSGCAT_CUSTOM:
		break;
	}
	return false;
}
