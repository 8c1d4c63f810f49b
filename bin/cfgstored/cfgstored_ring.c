/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstored/cfgstored_ring.h"

#include <sys/mman.h>

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/ensure.h"
#include "libcommon/os/fd.h"

/* Counts of bytes since the beginning. */
struct cfgstored_ring_marks {
	_Alignas(64) _Atomic uint64_t put;
	_Alignas(64) _Atomic uint64_t taken;
	_Atomic bool is_asleep;
};

/* Over the first half of twice its size, and again over the second. */
static int
map_twice(struct cfgstored_ring *ring, int fd)
{
	uint8_t *place = mmap(NULL, 2 * ring->size, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (place == MAP_FAILED)
		return -errno;
	for (size_t i = 0; i < 2; i++)
		if (mmap(place + i * ring->size, ring->size,
			PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
			0) == MAP_FAILED) {
			int rc = -errno;

			(void)munmap(place, 2 * ring->size);
			return rc;
		}
	ring->bytes = place;
	return 0;
}

static int
map_bytes(struct cfgstored_ring *ring)
{
	int fd = memfd_create("cfgstored-ring", MFD_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	rc =
	    ftruncate(fd, (off_t)ring->size) < 0 ? -errno : map_twice(ring, fd);
	fd_close(&fd);
	return rc;
}

int
cfgstored_ring_open(struct cfgstored_ring *ring, size_t size)
{
	int rc;

	*ring = (struct cfgstored_ring){ .size = size };
	ring->marks = mmap(NULL, sizeof *ring->marks, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ring->marks == MAP_FAILED)
		return -errno;
	rc = map_bytes(ring);
	if (rc < 0)
		(void)munmap(ring->marks, sizeof *ring->marks);
	return rc;
}

void
cfgstored_ring_close(struct cfgstored_ring *ring)
{
	(void)munmap(ring->bytes, 2 * ring->size);
	(void)munmap(ring->marks, sizeof *ring->marks);
}

size_t
cfgstored_ring_room(const struct cfgstored_ring *ring)
{
	return ring->size -
	    (size_t)(ring->put - atomic_load(&ring->marks->taken));
}

void
cfgstored_ring_put(struct cfgstored_ring *ring, const void *bytes, size_t len)
{
	ENSURE(len <= cfgstored_ring_room(ring));
	if (len > 0)
		memcpy(ring->bytes + ring->put % ring->size, bytes, len);
	ring->put += len;
}

bool
cfgstored_ring_publish(struct cfgstored_ring *ring)
{
	if (atomic_load(&ring->marks->put) == ring->put)
		return false;
	atomic_store(&ring->marks->put, ring->put);
	return atomic_exchange(&ring->marks->is_asleep, false);
}

size_t
cfgstored_ring_peek(const struct cfgstored_ring *ring, const uint8_t **bytes)
{
	uint64_t taken = atomic_load(&ring->marks->taken);

	*bytes = ring->bytes + taken % ring->size;
	return (size_t)(atomic_load(&ring->marks->put) - taken);
}

void
cfgstored_ring_drop(struct cfgstored_ring *ring, size_t len)
{
	atomic_fetch_add(&ring->marks->taken, len);
}

bool
cfgstored_ring_sleep(struct cfgstored_ring *ring)
{
	const uint8_t *bytes;

	atomic_store(&ring->marks->is_asleep, true);
	return cfgstored_ring_peek(ring, &bytes) == 0;
}

void
cfgstored_ring_wake(struct cfgstored_ring *ring)
{
	atomic_store(&ring->marks->is_asleep, false);
}
