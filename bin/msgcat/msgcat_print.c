/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/msgcat/msgcat_print.h"

#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"
#include "libcommon/os/ask.h"
#include "libcommon/os/record.h"

void
msgcat_print_time(struct msgcat_printer *printer, uint64_t real_ns)
{
	clock_stamp(real_ns, printer->stamp);
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
print_record(struct msgcat_printer *printer, const struct ask_line *line)
{
	record_put(&printer->out, "msg", line->word);
	out_put_string(&printer->out, " data=");
	out_put_value(&printer->out, line->data, line->len);
	end_record(printer);
}

/* ---- JSON -------------------------------------------------------------- */

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
	record_put_json(&printer->out, "event", "msg", line->word);
	record_put_json_bytes(&printer->out, "data", line->data, line->len);
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
		record_put(&printer->out, event, word);
		end_record(printer);
		return true;
	case MSGCAT_JSON:
		record_put_json(&printer->out, "event", event, word);
		end_json(printer);
		return true;
	case MSGCAT_FRAMED:
		record_put(&printer->out, event, word);
		out_put(&printer->out, "\n", 1);
		out_end(&printer->out);
		return true;
	case MSGCAT_PAYLOAD:
	case MSGCAT_CUSTOM:
		break;
	}
	return false;
}
