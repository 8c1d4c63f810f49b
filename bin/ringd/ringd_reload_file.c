/* SPDX-License-Identifier: BSD-3-Clause */
/* The configuration file, read again in the writer process. */
#include <sys/mman.h>

#include <stdio.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/text.h"
#include "libcommon/os/conf.h"

#include "bin/ringd/ringd_conf.h"
#include "bin/ringd/ringd_disk.h"
#include "bin/ringd/ringd_reload.h"

enum { REPORT_BYTES = 65536 };

static_assert(sizeof(struct ringd_reload_answer) <= RINGD_DISK_JOB_BYTES,
    "it is an answer of the writer");

struct ringd_confs *
ringd_confs_map(void)
{
	void *confs = mmap(NULL, sizeof(struct ringd_confs),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return confs == MAP_FAILED ? NULL : confs;
}

const struct cluster_conf *
ringd_confs_get(
    const struct ringd_confs *confs, const struct cluster_conf *otherwise)
{
	uint32_t at = confs != NULL ? atomic_load(&confs->at) : 0;

	return at == 0 ? otherwise : &confs->conf[at % 2];
}

/* The first line that is no warning. */
static void
take_mistake(const char *report, struct text *out)
{
	while (*report != '\0') {
		size_t len = strcspn(report, "\n");
		const char *warning = strstr(report, ": warning: ");

		if (warning == NULL || warning >= report + len) {
			text_put_bytes(out, report, len);
			return;
		}
		report += len + (report[len] == '\n');
	}
}

static bool
read_file(const struct ringd_reload_file *file, struct cluster_conf *conf,
    struct text *why)
{
	static char bytes[REPORT_BYTES];
	char node[16];
	struct cluster_source source = { file->path, node, ringd_conf_check };
	struct text report;
	int rc;

	/* By its id: that never changes. */
	snprintf(node, sizeof node, "%u", file->node);
	text_init(&report, bytes, sizeof bytes);
	rc = cluster_read(conf, &source, &report);
	if (rc < 0) {
		text_put(why, file->path);
		text_put(why, ": ");
		text_put(why, strerror(-rc));
	} else if (rc > 0) {
		take_mistake(report.bytes, why);
	}
	return rc == 0;
}

size_t
ringd_reload_work(void *arg, void *bytes, size_t len)
{
	const struct ringd_reload_file *file = arg;
	struct ringd_reload_answer answer;
	struct ringd_reload_job job;
	struct cluster_conf *conf;
	struct text why;

	ENSURE(len == sizeof job);
	memcpy(&job, bytes, sizeof job);
	ENSURE(job.slot < 2);
	conf = &file->confs->conf[job.slot];
	memset(&answer, 0, sizeof answer);
	answer.kind = RINGD_JOB_RELOAD;
	answer.number = job.number;
	text_init(&why, answer.text, sizeof answer.text);
	answer.is_read = read_file(file, conf, &why);
	if (answer.is_read)
		answer.digest = cluster_digest(conf);
	memcpy(bytes, &answer, sizeof answer);
	return sizeof answer;
}
