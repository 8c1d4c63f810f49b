/* SPDX-License-Identifier: BSD-3-Clause */
/* Transactions as text: every line there can be, and every mistake. */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/num.h"

#include "bin/cfgstored/kv_txn.h"
#include "tests/unit/check.h"

static struct kv_txn txn;
static char told[512];

/* Reads all of it; told says what it was, part by part. */
static const char *
read_all(const char *text, size_t len)
{
	enum kv_txn_result result;
	struct kv_part part;
	size_t at = 0;

	told[0] = '\0';
	kv_txn_init(&txn, text, len);
	while ((result = kv_txn_next(&txn, &part)) == KV_TXN_PART)
		at += (size_t)snprintf(told + at, sizeof told - at,
		    "%u:%d %.*s %.*s %lld %llu;", txn.line, part.kind,
		    (int)part.key_len,
		    part.key_len > 0 ? (const char *)part.key : "",
		    (int)part.value_len,
		    part.value_len > 0 ? (const char *)part.value : "",
		    (long long)part.lease, (unsigned long long)part.number);
	if (result == KV_TXN_MISTAKE)
		snprintf(told + at, sizeof told - at, "%u: %s", txn.line,
		    txn.mistake);
	return told;
}

static void
test_kv_txn_reads_every_line(void)
{
	static const char text[] = "if key=a rev=7\n"
				   "if key=b absent=yes\n"
				   "if key=c exists=yes\n"
				   "if key=d\\0040e len=3\nx\ny\n"
				   "grant ttl=2s\n"
				   "put key=f lease=new len=0\n\n"
				   "put key=g lease=12 len=1\n\n\n"
				   "put key=h len=2\nhi\n"
				   "del key=i\n"
				   "del prefix=j/\n";

	CHECK_STR(read_all(text, sizeof text - 1),
	    "1:1 a  0 7;2:1 b  0 0;3:3 c  0 0;4:2 d e x\ny 0 0;"
	    "5:7   0 2000000000;6:4 f  -1 0;7:4 g \n 12 0;8:4 h hi 0 0;"
	    "9:5 i  0 0;10:6 j/  0 0;");
	CHECK_STR(read_all("", 0), "");
	/* The last line may lack its end. */
	CHECK_STR(read_all("del key=a", 9), "1:5 a  0 0;");
}

static void
test_kv_txn_tells_every_mistake(void)
{
	static const struct {
		const char *text;
		const char *want;
	} cases[] = {
		{ "\n", "1: expected if, put, del or grant, then key=value" },
		{ "set key=a len=0\n\n", "1: expected if, put, del or grant" },
		{ "del key=a key=b\n",
		    "1: expected if, put, del or grant, then key=value" },
		{ "#t del key=a\n", "1: expected key=value" },
		{ "del a\n", "1: expected key=value" },
		{ "del\n", "1: expected key= or prefix=" },
		{ "del key=a prefix=b\n", "1: expected key= or prefix=" },
		{ "del key=\n", "1: expected key= or prefix=" },
		{ "put key=a\n", "1: expected len=" },
		{ "put len=0\n\n", "1: key: expected 1 to 512 bytes" },
		{ "put key=a lease=x len=0\n\n",
		    "1: lease: expected a number or new" },
		{ "put key=a lease=0 len=0\n\n",
		    "1: lease: expected a number or new" },
		{ "put key=a what=x len=0\n\n",
		    "1: expected key=, lease= and len=" },
		{ "put key=a len=2\nx\n", "1: no line end behind the data" },
		{ "put key=a len=2\nxyz\n", "1: no line end behind the data" },
		{ "put key=a len=2", "1: no line end behind the data" },
		{ "put key=a len=x\n", "1: len: expected a number" },
		{ "grant\n", "1: expected ttl=, 100ms to a year" },
		{ "grant ttl=1ms\n", "1: expected ttl=, 100ms to a year" },
		{ "if key=a\n",
		    "1: expected one of rev=, absent=yes, exists=yes or "
		    "len=" },
		{ "if key=a rev=1 exists=yes\n",
		    "1: expected one of rev=, absent=yes, exists=yes or "
		    "len=" },
		{ "if key=a rev=-1\n",
		    "1: expected one of rev=N, absent=yes, exists=yes or "
		    "len=N" },
		{ "if key=a exists=no\n",
		    "1: expected one of rev=N, absent=yes, exists=yes or "
		    "len=N" },
		{ "if rev=1\n", "1: key: expected 1 to 512 bytes" },
		{ "del key=a\nif key=b rev=1\n",
		    "1:5 a  0 0;2: if: expected before the changes" },
	};
	char line[600];

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		check_case(cases[i].text);
		CHECK_STR(read_all(cases[i].text, strlen(cases[i].text)),
		    cases[i].want);
	}
	check_case(NULL);
	memset(line, 'k', sizeof line);
	memcpy(line, "del key=", 8);
	CHECK_STR(read_all(line, 8 + KV_KEY_BYTES_MAX + 1),
	    "1: expected key= or prefix=");
}

static void
test_kv_txn_bounds_its_lines(void)
{
	static char line[LIMIT_REQUEST_BYTES + 8];

	memset(line, 'x', sizeof line);
	CHECK_STR(read_all(line, sizeof line), "0: longer than 8191 bytes");
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_kv_txn_reads_every_line),
		CHECK_TEST(test_kv_txn_tells_every_mistake),
		CHECK_TEST(test_kv_txn_bounds_its_lines),
	};

	return CHECK_MAIN(argc, argv, tests);
}
