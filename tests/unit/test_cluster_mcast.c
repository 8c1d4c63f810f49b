/* SPDX-License-Identifier: BSD-3-Clause */
/* [ring] transport, linkN_mcast and linkN_ttl. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/text.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/conf.h"
#include "libcommon/os/fd.h"

#include "tests/unit/check.h"

static char path[] = "/tmp/test_cluster_mcast.XXXXXX";
static struct cluster_conf conf;
static char report[8192];

#define HEAD                                        \
	"[cluster]\nname = prod\nkey_file = /k\n"   \
	"[node alpha]\nid = 7\nlink0 = 192.0.2.1\n" \
	"link1 = 2001:db8::1\n"                     \
	"[node beta]\nid = 2\nlink0 = 192.0.2.2\n"  \
	"link1 = 2001:db8::2\n"                     \
	"[ring]\ntransport = multicast\n"

static int
read_conf(const char *text)
{
	static char full[8192];
	FILE *file = fopen(path, "w");
	struct text out;
	int rc;

	CHECK_EQ(fputs(text, file) >= 0, true);
	fclose(file);
	text_init(&out, full, sizeof full);
	rc = cluster_read(
	    &conf, &(struct cluster_source){ path, "", NULL }, &out);
	report[0] = '\0';
	for (char *line = strtok(full, "\n"); line != NULL;
	     line = strtok(NULL, "\n"))
		strcat(strcat(report, line + strlen(path)), "\n");
	return rc;
}

static const char *
group_text(uint32_t link)
{
	static char bytes[UDP_ADDR_TEXT_BYTES];
	struct text out;

	text_init(&out, bytes, sizeof bytes);
	udp_addr_text(&conf.ring.link_mcast[link], &out);
	return bytes;
}

static void
test_cluster_mcast_is_not_the_default(void)
{
	CHECK_EQ(read_conf("[cluster]\nname = prod\nkey_file = /k\n"
			   "[node alpha]\nid = 7\nlink0 = 192.0.2.1\n"),
	    0);
	CHECK_EQ(conf.ring.transport, CLUSTER_UNICAST);
}

/* All nodes find the same, and other clusters others. */
static void
test_cluster_mcast_chooses_groups_by_the_name(void)
{
	CHECK_EQ(read_conf(HEAD), 0);
	CHECK_STR(report, "");
	CHECK_EQ(conf.ring.transport, CLUSTER_MULTICAST);
	CHECK_STR(group_text(0), "239.192.190.20:5410");
	CHECK_STR(group_text(1), "[ff15::8572:9c0e:3537:be14]:5411");
	CHECK_EQ(conf.ring.link_ttl[0], 1);
	CHECK_EQ(conf.ring.link_ttl[7], 1);
}

static void
test_cluster_mcast_takes_groups_with_and_without_port(void)
{
	CHECK_EQ(read_conf(HEAD "link0_mcast = 239.1.2.3:99\nlink0_ttl = 4\n"
				"link1_mcast = ff18::7\nport = 6000\n"),
	    0);
	CHECK_STR(report, "");
	CHECK_STR(group_text(0), "239.1.2.3:99");
	CHECK_STR(group_text(1), "[ff18::7]:6001");
	CHECK_EQ(conf.ring.link_ttl[0], 4);
	CHECK_EQ(read_conf(HEAD "link1_mcast = [ff18::7]:100\n"), 0);
	CHECK_STR(group_text(1), "[ff18::7]:100");
}

#define EXPECTED                                                      \
	": expected a group of multicast, above 224.0.0.255 or of a " \
	"scope above ff02::, GROUP:PORT or [V6]:PORT\n"

static void
test_cluster_mcast_tells_every_mistake(void)
{
	CHECK_EQ(read_conf(HEAD "link0_mcast = 192.0.2.9\n"
				"link0_mcast = 239.1.1.1\n"
				"link1_mcast = 239.1.1.1\n"
				"link2_mcast = 239.1.1.1\n"
				"link8_mcast = 239.1.1.1\n"
				"link_mcast = 239.1.1.1\n"
				"link0_ttl = 0\n"
				"link1_ttl = 256\n"),
	    CONF_E_INVALID);
	CHECK_STR(report,
	    ":14: link0_mcast = 192.0.2.9" EXPECTED
	    ":15: link0_mcast: given twice, expected once\n"
	    ":18: link8_mcast: expected link0_mcast to link7_mcast\n"
	    ":19: link_mcast: expected link0_mcast to link7_mcast\n"
	    ":20: link0_ttl = 0: expected a number from 1 to 255\n"
	    ":21: link1_ttl = 256: expected a number from 1 to 255\n"
	    ":16: link1_mcast: expected a group of IPv6, as link1 of the "
	    "nodes\n"
	    ":17: link2_mcast: expected a link that the nodes have, link0 to "
	    "link1\n");
}

static void
test_cluster_mcast_refuses_what_is_no_group_to_join(void)
{
	static const char *const cases[] = { "224.0.0.1", "223.255.255.255",
		"240.0.0.1", "ff01::5", "ff02::5", "fe80::1", "nonsense",
		"239.1.1.1:0", "239.1.1.1:65536", "[ff15::1" };
	char text[1024], want[256];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_case(cases[i]);
		snprintf(
		    text, sizeof text, HEAD "link0_mcast = %s\n", cases[i]);
		CHECK_EQ(read_conf(text), CONF_E_INVALID);
		snprintf(want, sizeof want, ":14: link0_mcast = %s" EXPECTED,
		    cases[i]);
		CHECK_STR(report, want);
	}
	check_case(NULL);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_cluster_mcast_is_not_the_default),
		CHECK_TEST(test_cluster_mcast_chooses_groups_by_the_name),
		CHECK_TEST(
		    test_cluster_mcast_takes_groups_with_and_without_port),
		CHECK_TEST(test_cluster_mcast_tells_every_mistake),
		CHECK_TEST(test_cluster_mcast_refuses_what_is_no_group_to_join),
	};
	int fd = mkstemp(path), rc;

	if (fd < 0)
		return 1;
	fd_close(&fd);
	rc = CHECK_MAIN(argc, argv, tests);
	unlink(path);
	return rc;
}
