/* A preloaded library that records what a process does to the files under one folder, and lets calls fail.
 *
 * SHIM_DIR   the folder (an absolute path without links); nothing outside is touched or recorded
 * SHIM_LOG   where the operations go, in their order; replay.py makes the folder as a power loss would leave it
 * SHIM_FULL  while this file exists, writes fail with ENOSPC once as many octets were written as the number in it
 * SHIM_EIO   while this file exists, fdatasync and fsync fail with EIO
 * SHIM_MATCH SHIM_FULL and SHIM_EIO concern only paths that contain this text
 *
 * A record is written after its call succeeded, under a lock that keeps the order of calls, so a kill leaves at most
 * the last call unrecorded: it was then not acknowledged to anybody either. A sync is recorded with the number of
 * records that existed when it began: what came later may not be durable. sync_file_range makes nothing durable. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS 65536
#define REAL(result, name, ...)                              \
    static result (*real)(__VA_ARGS__);                      \
    if (!real) real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

enum { CREATE = 1, WRITE, TRUNCATE, RENAME, UNLINK, MKDIR, RMDIR, SYNC, FAILED };

struct record { /* little-endian, followed by path, second path, data */
    uint32_t magic, kind;
    uint64_t inode, offset, length;
    uint32_t path, other, data, pad;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *folder, *full_file, *eio_file, *match;
static size_t folder_length;
static int log_fd = -1;
static uint64_t records, written;
static char tracked[FDS], matched[FDS];

static ssize_t real_write(int fd, const void *data, size_t length) {
    REAL(ssize_t, "write", int, const void *, size_t);
    return real(fd, data, length);
}

static int real_openat(int at, const char *path, int flags, mode_t mode) {
    REAL(int, "openat", int, const char *, int, ...);
    return real(at, path, flags, mode);
}

__attribute__((constructor)) static void start(void) {
    folder = getenv("SHIM_DIR");
    if (!folder) return;
    folder_length = strlen(folder);
    full_file = getenv("SHIM_FULL");
    eio_file = getenv("SHIM_EIO");
    match = getenv("SHIM_MATCH");
    const char *log = getenv("SHIM_LOG");
    if (log) {
        int fd = real_openat(AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        log_fd = fcntl(fd, F_DUPFD_CLOEXEC, 900); /* out of the way of the process's own numbers */
        REAL(int, "close", int);
        real(fd);
        if (log_fd < 0) abort();
    }
}

static void fail(const char *what) {
    dprintf(2, "shim: %s is not supported on a recorded file\n", what);
    abort();
}

/* The absolute path of (at, path) if it is under the folder, else NULL. */
static const char *inside(int at, const char *path, char *out) {
    if (!folder || !path) return NULL;
    if (path[0] == '/') {
        if (strlen(path) >= PATH_MAX) return NULL;
        strcpy(out, path);
    } else {
        char base[PATH_MAX], link[64];
        ssize_t n;
        if (at == AT_FDCWD) {
            if (!getcwd(base, sizeof base)) return NULL;
            n = strlen(base);
        } else {
            snprintf(link, sizeof link, "/proc/self/fd/%d", at);
            n = readlink(link, base, sizeof base - 1);
            if (n < 0) return NULL;
            base[n] = 0;
        }
        if (snprintf(out, PATH_MAX, "%s/%s", base, path) >= PATH_MAX) return NULL;
    }
    if (strncmp(out, folder, folder_length) || (out[folder_length] && out[folder_length] != '/')) return NULL;
    return out;
}

static int concerns(const char *path) { return !match || strstr(path, match) != NULL; }
static int is_tracked(int fd) { return folder && fd >= 0 && fd < FDS && tracked[fd]; }

static void record(uint32_t kind, uint64_t inode, uint64_t offset, uint64_t length, const char *path, const char *other,
                   const void *data, size_t size) {
    if (log_fd < 0) return;
    struct record head = {0x50524d31, kind, inode, offset, length, path ? strlen(path) : 0, other ? strlen(other) : 0, size, 0};
    struct iovec parts[] = {{&head, sizeof head}, {(void *)path, head.path}, {(void *)other, head.other}, {(void *)data, size}};
    size_t total = sizeof head + head.path + head.other + size;
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    if (real(log_fd, parts, 4) != (ssize_t)total) {
        dprintf(2, "shim: the log cannot be written: %s\n", strerror(errno));
        abort();
    }
    records++;
}

static uint64_t inode_of(int fd) {
    struct stat info;
    return fstat(fd, &info) ? 0 : info.st_ino;
}

static int on_open(int at, const char *path, int flags, mode_t mode) {
    char full[PATH_MAX];
    const char *where = inside(at, path, full);
    if (!where) {
        int fd = real_openat(at, path, flags, mode);
        if (fd >= 0 && fd < FDS) tracked[fd] = 0;
        return fd;
    }
    if (flags & O_TMPFILE & ~O_DIRECTORY) fail("O_TMPFILE");
    pthread_mutex_lock(&lock);
    int existed = !faccessat(at, path, F_OK, AT_SYMLINK_NOFOLLOW);
    int fd = real_openat(at, path, flags, mode);
    int error = errno;
    if (fd >= FDS) fail("such a high descriptor");
    if (fd >= 0) {
        tracked[fd] = 1;
        matched[fd] = concerns(where);
        if ((flags & O_CREAT) && !existed) record(CREATE, inode_of(fd), 0, 0, where, NULL, NULL, 0);
        else if (flags & O_TRUNC) record(TRUNCATE, inode_of(fd), 0, 0, where, NULL, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return fd;
}

#define MODE(flags, last) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) { va_list rest; va_start(rest, last); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *path, int flags, ...) { MODE(flags, flags) return on_open(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags, flags) return on_open(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags, flags) return on_open(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags, flags) return on_open(at, path, flags, mode); }
int creat(const char *path, mode_t mode) { return on_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

int close(int fd) {
    REAL(int, "close", int);
    if (fd == log_fd && fd >= 0) return 0;
    if (fd >= 0 && fd < FDS) tracked[fd] = 0;
    return real(fd);
}

static int also(int from, int to) {
    if (to >= 0 && to < FDS && from >= 0 && from < FDS) tracked[to] = tracked[from], matched[to] = matched[from];
    return to;
}
int dup(int fd) { REAL(int, "dup", int); return also(fd, real(fd)); }
int dup2(int fd, int to) { REAL(int, "dup2", int, int); return also(fd, real(fd, to)); }
int dup3(int fd, int to, int flags) { REAL(int, "dup3", int, int, int); return also(fd, real(fd, to, flags)); }
static int on_fcntl(int fd, int what, void *argument) {
    REAL(int, "fcntl", int, int, ...);
    int result = real(fd, what, argument);
    return what == F_DUPFD || what == F_DUPFD_CLOEXEC ? also(fd, result) : result;
}
#define ARGUMENT va_list rest; va_start(rest, what); void *argument = va_arg(rest, void *); va_end(rest);
int fcntl(int fd, int what, ...) { ARGUMENT return on_fcntl(fd, what, argument); }
int fcntl64(int fd, int what, ...) { ARGUMENT return on_fcntl(fd, what, argument); }

/* How many of `length` octets may still be written; the file at SHIM_FULL holds the limit. */
static size_t allowed(int fd, size_t length) {
    if (!full_file || !matched[fd]) return length;
    int limit = real_openat(AT_FDCWD, full_file, O_RDONLY | O_CLOEXEC, 0);
    if (limit < 0) {
        written = 0;
        return length;
    }
    char text[32] = {0};
    ssize_t n = read(limit, text, sizeof text - 1);
    close(limit);
    uint64_t most = n > 0 ? strtoull(text, NULL, 10) : 0, room = most > written ? most - written : 0;
    size_t now = length < room ? length : room;
    written += now;
    return now;
}

/* `offset` < 0: at the file's own position. */
static ssize_t on_write(int fd, const void *data, size_t length, off_t offset) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off_t);
    pthread_mutex_lock(&lock);
    ssize_t done;
    size_t now = allowed(fd, length);
    if (now == 0 && length > 0) {
        record(FAILED, inode_of(fd), 0, length, NULL, NULL, NULL, 0);
        pthread_mutex_unlock(&lock);
        errno = ENOSPC;
        return -1;
    }
    off_t at = offset;
    if (offset < 0) {
        done = real_write(fd, data, now);
        at = done > 0 ? lseek(fd, 0, SEEK_CUR) - done : 0;
    } else {
        if (fcntl(fd, F_GETFL) & O_APPEND) fail("pwrite with O_APPEND");
        done = real(fd, data, now, offset);
    }
    int error = errno;
    if (done > 0) record(WRITE, inode_of(fd), at, done, NULL, NULL, data, done);
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

ssize_t write(int fd, const void *data, size_t length) {
    return is_tracked(fd) ? on_write(fd, data, length, -1) : real_write(fd, data, length);
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    return is_tracked(fd) ? on_write(fd, data, length, offset) : real(fd, data, length, offset);
}
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    return is_tracked(fd) ? on_write(fd, data, length, offset) : real(fd, data, length, offset);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    if (!is_tracked(fd)) return real(fd, parts, count);
    size_t total = 0;
    for (int i = 0; i < count; i++) total += parts[i].iov_len;
    char *joined = malloc(total ? total : 1), *to = joined;
    for (int i = 0; i < count; i++) to = mempcpy(to, parts[i].iov_base, parts[i].iov_len);
    ssize_t done = on_write(fd, joined, total, -1);
    int error = errno;
    free(joined);
    errno = error;
    return done;
}

static int on_truncate(int fd, off_t length) {
    REAL(int, "ftruncate64", int, off_t);
    if (!is_tracked(fd)) return real(fd, length);
    pthread_mutex_lock(&lock);
    int result = real(fd, length), error = errno;
    if (!result) record(TRUNCATE, inode_of(fd), 0, length, NULL, NULL, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}
int ftruncate(int fd, off_t length) { return on_truncate(fd, length); }
int ftruncate64(int fd, off64_t length) { return on_truncate(fd, length); }

/* Room set aside changes no content; with a longer size it does, so that is recorded. */
static int on_allocate(int fd, int mode, off_t offset, off_t length) {
    REAL(int, "fallocate64", int, int, off_t, off_t);
    if (!is_tracked(fd)) return real(fd, mode, offset, length);
    if (mode & ~FALLOC_FL_KEEP_SIZE) fail("this mode of fallocate");
    if (allowed(fd, 1) == 0) { errno = ENOSPC; return -1; }
    pthread_mutex_lock(&lock);
    struct stat info;
    int result = fstat(fd, &info) ? -1 : real(fd, mode, offset, length), error = errno;
    if (!result && !mode && offset + length > info.st_size) record(TRUNCATE, info.st_ino, 0, offset + length, NULL, NULL, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}
int fallocate(int fd, int mode, off_t offset, off_t length) { return on_allocate(fd, mode, offset, length); }
int fallocate64(int fd, int mode, off64_t offset, off64_t length) { return on_allocate(fd, mode, offset, length); }
int posix_fallocate(int fd, off_t offset, off_t length) { return on_allocate(fd, 0, offset, length) ? errno : 0; }
int posix_fallocate64(int fd, off64_t offset, off64_t length) { return on_allocate(fd, 0, offset, length) ? errno : 0; }

static int on_sync(int fd, int (*real)(int)) {
    if (!is_tracked(fd)) return real(fd);
    if (eio_file && matched[fd] && !access(eio_file, F_OK)) {
        pthread_mutex_lock(&lock);
        record(FAILED, inode_of(fd), 0, 0, NULL, NULL, NULL, 0);
        pthread_mutex_unlock(&lock);
        errno = EIO;
        return -1;
    }
    pthread_mutex_lock(&lock);
    uint64_t begun = records, inode = inode_of(fd);
    pthread_mutex_unlock(&lock);
    int result = real(fd), error = errno;
    if (!result) {
        pthread_mutex_lock(&lock);
        record(SYNC, inode, begun, 0, NULL, NULL, NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    errno = error;
    return result;
}
int fsync(int fd) { REAL(int, "fsync", int); return on_sync(fd, real); }
int fdatasync(int fd) { REAL(int, "fdatasync", int); return on_sync(fd, real); }

static int on_rename(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    REAL(int, "renameat2", int, const char *, int, const char *, unsigned);
    char one[PATH_MAX], two[PATH_MAX];
    const char *source = inside(from_at, from, one), *target = inside(to_at, to, two);
    if (!source && !target) return real(from_at, from, to_at, to, flags);
    if (!source || !target || (flags & ~RENAME_NOREPLACE)) fail("a rename out of or into the folder");
    pthread_mutex_lock(&lock);
    int result = real(from_at, from, to_at, to, flags), error = errno;
    if (!result) record(RENAME, 0, 0, 0, source, target, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}
int rename(const char *from, const char *to) { return on_rename(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int a, const char *from, int b, const char *to) { return on_rename(a, from, b, to, 0); }
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) { return on_rename(a, from, b, to, flags); }

static int on_unlink(int at, const char *path, int flags) {
    REAL(int, "unlinkat", int, const char *, int);
    char full[PATH_MAX];
    const char *where = inside(at, path, full);
    if (!where) return real(at, path, flags);
    pthread_mutex_lock(&lock);
    int result = real(at, path, flags), error = errno;
    if (!result) record(flags & AT_REMOVEDIR ? RMDIR : UNLINK, 0, 0, 0, where, NULL, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}
int unlink(const char *path) { return on_unlink(AT_FDCWD, path, 0); }
int unlinkat(int at, const char *path, int flags) { return on_unlink(at, path, flags); }
int rmdir(const char *path) { return on_unlink(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) { int result = unlink(path); return result && errno == EISDIR ? rmdir(path) : result; }

static int on_mkdir(int at, const char *path, mode_t mode) {
    REAL(int, "mkdirat", int, const char *, mode_t);
    char full[PATH_MAX];
    const char *where = inside(at, path, full);
    if (!where) return real(at, path, mode);
    pthread_mutex_lock(&lock);
    int result = real(at, path, mode), error = errno;
    struct stat info;
    if (!result) record(MKDIR, stat(where, &info) ? 0 : info.st_ino, 0, 0, where, NULL, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}
int mkdir(const char *path, mode_t mode) { return on_mkdir(AT_FDCWD, path, mode); }
int mkdirat(int at, const char *path, mode_t mode) { return on_mkdir(at, path, mode); }

/* Ways to change a file that are not recorded must not be used on one. */
static void refuse(int at, const char *path, const char *what) {
    char full[PATH_MAX];
    if (inside(at, path, full)) fail(what);
}
int link(const char *from, const char *to) { REAL(int, "link", const char *, const char *); refuse(AT_FDCWD, to, "link"); return real(from, to); }
int linkat(int a, const char *from, int b, const char *to, int flags) {
    REAL(int, "linkat", int, const char *, int, const char *, int);
    refuse(b, to, "linkat");
    return real(a, from, b, to, flags);
}
int symlink(const char *from, const char *to) { REAL(int, "symlink", const char *, const char *); refuse(AT_FDCWD, to, "symlink"); return real(from, to); }
int truncate(const char *path, off_t length) { REAL(int, "truncate", const char *, off_t); refuse(AT_FDCWD, path, "truncate"); return real(path, length); }
int truncate64(const char *path, off64_t length) { REAL(int, "truncate64", const char *, off64_t); refuse(AT_FDCWD, path, "truncate"); return real(path, length); }
void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset) {
    REAL(void *, "mmap", void *, size_t, int, int, int, off_t);
    if (is_tracked(fd) && (flags & MAP_SHARED) && (protection & PROT_WRITE)) fail("a writable shared mapping");
    return real(address, length, protection, flags, fd, offset);
}
void *mmap64(void *address, size_t length, int protection, int flags, int fd, off64_t offset) { return mmap(address, length, protection, flags, fd, offset); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    REAL(ssize_t, "pwritev", int, const struct iovec *, int, off_t);
    if (is_tracked(fd)) fail("pwritev");
    return real(fd, parts, count, offset);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) { return pwritev(fd, parts, count, offset); }
/* "Not supported" makes the caller fall back to read and write. */
ssize_t copy_file_range(int from, off64_t *a, int to, off64_t *b, size_t length, unsigned flags) {
    REAL(ssize_t, "copy_file_range", int, off64_t *, int, off64_t *, size_t, unsigned);
    if (is_tracked(to)) { errno = ENOSYS; return -1; }
    return real(from, a, to, b, length, flags);
}
static ssize_t on_sendfile(int to, int from, off_t *offset, size_t length) {
    REAL(ssize_t, "sendfile64", int, int, off_t *, size_t);
    if (is_tracked(to)) { errno = ENOSYS; return -1; }
    return real(to, from, offset, length);
}
ssize_t sendfile(int to, int from, off_t *offset, size_t length) { return on_sendfile(to, from, offset, length); }
ssize_t sendfile64(int to, int from, off64_t *offset, size_t length) { return on_sendfile(to, from, offset, length); }
/* Not durable, and not in need of a disk here. */
int sync_file_range(int fd, off64_t offset, off64_t length, unsigned flags) {
    REAL(int, "sync_file_range", int, off64_t, off64_t, unsigned);
    return is_tracked(fd) ? 0 : real(fd, offset, length, flags);
}
