/* Preloaded into a test's child: makes fsync fail, or makes a disk that keeps only what was synced.
 *
 * INTERMISSION_TEST_SYNC_FAILS: while this file exists, fsync and fdatasync give EIO.
 * INTERMISSION_TEST_DISK: a directory; each synced file is copied to it as it is at that moment. It is
 *   what a power cut leaves in the worst case that the system allows: nothing that was not synced.
 *   A synced directory takes the names away that it no longer has.
 * INTERMISSION_TEST_DISK_SKIPS: syncs of files whose name ends so are not copied, as if the store
 *   had not asked for them.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fails(void) {
    const char *file = getenv("INTERMISSION_TEST_SYNC_FAILS");
    return file && access(file, F_OK) == 0;
}

static void forget_names(const char *disk, int directory) {
    DIR *names = opendir(disk);
    if (!names) abort();
    for (struct dirent *name; (name = readdir(names));)
        if (name->d_name[0] != '.' && faccessat(directory, name->d_name, F_OK, 0))
            unlinkat(dirfd(names), name->d_name, 0);
    closedir(names);
}

static void copy_to_disk(int fd) {
    const char *disk = getenv("INTERMISSION_TEST_DISK");
    const char *skips = getenv("INTERMISSION_TEST_DISK_SKIPS");
    char link[64], path[4096], part[8192], whole[8192], bytes[65536];
    struct stat found;
    if (!disk || fstat(fd, &found)) return;
    if (S_ISDIR(found.st_mode)) forget_names(disk, fd);
    if (!S_ISREG(found.st_mode)) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return;
    path[length] = 0;
    const char *name = strrchr(path, '/') + 1;
    size_t end = skips ? strlen(skips) : 0;
    if (end && strlen(name) >= end && !strcmp(name + strlen(name) - end, skips)) return;
    snprintf(part, sizeof part, "%s/%s.part", disk, name);
    snprintf(whole, sizeof whole, "%s/%s", disk, name);
    int to = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (to < 0) abort();
    ssize_t got;
    for (off_t at = 0; (got = pread(fd, bytes, sizeof bytes, at)) > 0; at += got)
        if (write(to, bytes, got) != got) abort();
    close(to);
    /* At one instant, so that a kill in between leaves no torn copy that no disk would have. */
    if (got < 0 || rename(part, whole)) abort();
}

static int faulty(const char *name, int fd) {
    if (fails()) {
        errno = EIO;
        return -1;
    }
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    int answer = real(fd);
    if (answer == 0) copy_to_disk(fd);
    return answer;
}

int fsync(int fd) { return faulty("fsync", fd); }
int fdatasync(int fd) { return faulty("fdatasync", fd); }
