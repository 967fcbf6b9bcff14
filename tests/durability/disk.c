/*
 * A disk under a test's hand, preloaded into a process that writes a store.
 *
 * Notes every write and sync of a file named data.mdb, in order, in the file that DISK_LOG names, and with them
 * whatever the process writes to standard output: its acknowledgements. From that, any state can be made that a power
 * cut could have left. disk_fail() makes calls fail.
 *
 * A note is an operation, an offset, a length (8 bytes each but the first), and the bytes: W a write, D that the range
 * just written is on the disk (the file was opened with O_DSYNC), S that all writes so far are, A an acknowledgement.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum fault {
    FAIL_PAGES = 1,      /* a write of data pages, not done */
    FAIL_SYNC = 2,       /* a sync, not done */
    FAIL_META = 3,       /* a write of a meta page through O_DSYNC, not done */
    FAIL_META_AFTER = 4, /* the same, done all the same */
    FAIL_META_BACK = 5,  /* the write that takes a failed one back, not through O_DSYNC and not done */
    N_FAULTS = 6,
};

enum { ACKNOWLEDGED = 1, MAX_NOTE_PARTS = 65, META_BYTES = 2 * 4096 };

static int fault_times[N_FAULTS];
static int fault_error[N_FAULTS];

/* Makes the next *times* calls of a kind fail with *error*; -1 means all of them. */
void disk_fail(int fault, int times, int error)
{
    fault_times[fault] = times;
    fault_error[fault] = error;
}

static int fails(enum fault fault)
{
    if (fault_times[fault] == 0)
        return 0;
    if (fault_times[fault] > 0)
        fault_times[fault]--;
    errno = fault_error[fault];
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void note(char operation, uint64_t offset, const struct iovec *parts, int n_parts)
{
    static int log = -1;
    struct iovec all[MAX_NOTE_PARTS];
    uint64_t length = 0;
    char head[17];

    if (getenv("DISK_LOG") == NULL)
        return;
    if (log < 0)
        log = open(getenv("DISK_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    for (int i = 0; i < n_parts; i++) {
        all[i + 1] = parts[i];
        length += parts[i].iov_len;
    }
    head[0] = operation;
    memcpy(head + 1, &offset, 8);
    memcpy(head + 9, &length, 8);
    all[0].iov_base = head;
    all[0].iov_len = sizeof head;
    if (log < 0 || REAL(writev)(log, all, n_parts + 1) != (ssize_t)(sizeof head + length))
        abort();
}

static int is_data_file(int fd)
{
    static const char name[] = "/data.mdb";
    char link[64], path[4096];
    ssize_t length;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof path);
    return length >= (ssize_t)sizeof name - 1
        && memcmp(path + length - (sizeof name - 1), name, sizeof name - 1) == 0;
}

static int is_synchronous(int fd)
{
    return (fcntl(fd, F_GETFL) & O_DSYNC) != 0;
}

static ssize_t write_data(int fd, const struct iovec *parts, int n_parts, off_t offset)
{
    int synchronous = is_synchronous(fd);
    ssize_t written;

    if (fails(synchronous ? FAIL_META : offset < META_BYTES ? FAIL_META_BACK : FAIL_PAGES))
        return -1;
    written = REAL(pwritev)(fd, parts, n_parts, offset);
    if (written < 0)
        return written;
    note('W', (uint64_t)offset, parts, n_parts);
    if (synchronous) {
        note('D', (uint64_t)offset, NULL, 0);
        if (fails(FAIL_META_AFTER))
            return -1;
    }
    return written;
}

ssize_t pwrite(int fd, const void *buffer, size_t count, off_t offset)
{
    struct iovec part = {(void *)buffer, count};

    return is_data_file(fd) ? write_data(fd, &part, 1, offset) : REAL(pwrite)(fd, buffer, count, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int n_parts)
{
    off_t offset;
    ssize_t written;

    if (!is_data_file(fd))
        return REAL(writev)(fd, parts, n_parts);
    offset = lseek(fd, 0, SEEK_CUR);
    written = write_data(fd, parts, n_parts, offset);
    if (written > 0)
        lseek(fd, offset + written, SEEK_SET);
    return written;
}

ssize_t write(int fd, const void *buffer, size_t count)
{
    struct iovec part = {(void *)buffer, count};

    if (fd == ACKNOWLEDGED)
        note('A', 0, &part, 1);
    return is_data_file(fd) ? writev(fd, &part, 1) : REAL(write)(fd, buffer, count);
}

int fdatasync(int fd)
{
    int result;

    if (!is_data_file(fd))
        return REAL(fdatasync)(fd);
    if (fails(FAIL_SYNC))
        return -1;
    result = REAL(fdatasync)(fd);
    if (result == 0)
        note('S', 0, NULL, 0);
    return result;
}
