/* Preloaded into a proxy: notes in a file what it asks of the disk for one directory, in order.
 *
 * INTERMISSION_TEST_DISK_OF: the directory, as an absolute path without links.
 * INTERMISSION_TEST_DISK_NOTES: the file of notes; see `disk.py`, which reads it.
 *
 * A note is one write, made after the call it is of has succeeded, and for a sync before and after:
 * what was written while a sync ran is not taken for synced.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t noting = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

struct __attribute__((packed)) head {
    char what;
    uint32_t path, data;
    uint64_t at;
};

static void note(char what, const char *path, uint64_t at, const void *data, size_t length) {
    static int notes = -1;
    struct head head = {what, strlen(path), length, at};
    struct iovec parts[3] = {{&head, sizeof head}, {(void *)path, head.path}, {(void *)data, length}};
    size_t whole = sizeof head + head.path + length;
    pthread_mutex_lock(&noting);
    if (notes < 0)
        notes = syscall(SYS_openat, AT_FDCWD, getenv("INTERMISSION_TEST_DISK_NOTES"),
                        O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (notes < 0 || syscall(SYS_writev, notes, parts, 3) != (long)whole) abort();
    pthread_mutex_unlock(&noting);
}

/* Whether a path is in the directory, or is the directory. */
static int ours(const char *path) {
    const char *of = getenv("INTERMISSION_TEST_DISK_OF");
    size_t length = of ? strlen(of) : 0;
    return length && !strncmp(path, of, length) && (!path[length] || path[length] == '/');
}

/* The path of an open file or directory that is ours. */
static int ours_fd(int fd, char *path) {
    char link[64];
    struct stat found;
    if (fstat(fd, &found) || !(S_ISREG(found.st_mode) || S_ISDIR(found.st_mode))) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, 4095);
    path[length < 0 ? 0 : length] = 0;
    return length > 0 && ours(path);
}

static int opened(int fd, int flags) {
    char path[4096];
    if (fd >= 0 && flags & (O_CREAT | O_TRUNC) && ours_fd(fd, path))
        note('O', path, flags & O_TRUNC ? 1 : 0, "", 0);
    return fd;
}

#define OPENS(name)                                            \
    int name(const char *path, int flags, ...) {               \
        va_list more;                                          \
        va_start(more, flags);                                 \
        mode_t mode = va_arg(more, mode_t);                    \
        va_end(more);                                          \
        return opened(REAL(name)(path, flags, mode), flags);   \
    }
OPENS(open)
OPENS(open64)

#define OPENS_AT(name)                                             \
    int name(int from, const char *path, int flags, ...) {         \
        va_list more;                                              \
        va_start(more, flags);                                     \
        mode_t mode = va_arg(more, mode_t);                        \
        va_end(more);                                              \
        return opened(REAL(name)(from, path, flags, mode), flags); \
    }
OPENS_AT(openat)
OPENS_AT(openat64)

static void wrote(int fd, off_t at, const void *data, ssize_t length) {
    char path[4096];
    if (length > 0 && ours_fd(fd, path)) note('W', path, at, data, length);
}

ssize_t write(int fd, const void *data, size_t length) {
    ssize_t done = REAL(write)(fd, data, length);
    if (done > 0) {
        off_t end = lseek(fd, 0, SEEK_CUR);
        if (end >= 0) wrote(fd, end - done, data, done);
    }
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t at) {
    ssize_t done = REAL(pwrite)(fd, data, length, at);
    wrote(fd, at, data, done);
    return done;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off_t at) {
    ssize_t done = REAL(pwrite64)(fd, data, length, at);
    wrote(fd, at, data, done);
    return done;
}

static int cut(int answer, int fd, off_t length) {
    char path[4096];
    if (!answer && ours_fd(fd, path)) note('T', path, length, "", 0);
    return answer;
}

int ftruncate(int fd, off_t length) { return cut(REAL(ftruncate)(fd, length), fd, length); }
int ftruncate64(int fd, off_t length) { return cut(REAL(ftruncate64)(fd, length), fd, length); }

int rename(const char *from, const char *to) {
    int answer = REAL(rename)(from, to);
    if (!answer && ours(from)) note('R', from, 0, to, strlen(to));
    return answer;
}

int unlink(const char *path) {
    int answer = REAL(unlink)(path);
    if (!answer && ours(path)) note('U', path, 0, "", 0);
    return answer;
}

static int synced(int (*real)(int), int fd) {
    char path[4096];
    int ours = ours_fd(fd, path);
    if (ours) note('B', path, 0, "", 0);
    int answer = real(fd);
    if (ours && !answer) note('E', path, 0, "", 0);
    return answer;
}

int fsync(int fd) { return synced(REAL(fsync), fd); }
int fdatasync(int fd) { return synced(REAL(fdatasync), fd); }
