/* Makes calls fail or wait. The file that FAULTS names, while it exists, says which:
 *
 *   write|sync|open  ERRNO|-MILLISECONDS  PATH  [once]
 *
 * where PATH is a part of the path of the file that the call is for. A write waits as long as its
 * bytes take, where it says
 *
 *   pace  BYTES_A_SECOND  PATH */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static int real_open(const char *path) {
    REAL(open);
    return real(path, O_RDONLY | O_CLOEXEC);
}

static int fault(const char *call, const char *path) {
    const char *file = getenv("FAULTS");
    if (!file) return 0;
    int saved = errno, found = 0;
    char text[256] = {0}, name[16], part[128], once[8] = "";
    int fd = real_open(file);
    if (fd >= 0) {
        if (read(fd, text, sizeof text - 1) > 0
            && sscanf(text, "%15s %d %127s %7s", name, &found, part, once) >= 3
            && !strcmp(name, call) && strstr(path, part)) {
            if (*once) unlink(file);
        } else {
            found = 0;
        }
        close(fd);
    }
    if (found < 0) {
        struct timespec wait = {0, 10 * 1000000L};
        for (int passed = 0; passed < -found && !access(file, F_OK); passed += 10)
            nanosleep(&wait, NULL);
        found = 0;
    }
    errno = saved;
    return found;
}

static int fault_of(const char *call, int fd) {
    char link[64], path[512] = {0};
    if (!getenv("FAULTS")) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return readlink(link, path, sizeof path - 1) > 0 ? fault(call, path) : 0;
}

/* Waits as long as so many bytes take on a slow disk. */
static void pace(int fd, size_t len) {
    int rate = fault_of("pace", fd);
    if (rate <= 0) return;
    unsigned long long nanoseconds = len * 1000000000ULL / rate;
    struct timespec wait = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    nanosleep(&wait, NULL);
}

#define FAIL_IF(expression) \
    do { int failed = (expression); if (failed) { errno = failed; return -1; } } while (0)

ssize_t write(int fd, const void *bytes, size_t len) {
    REAL(write);
    FAIL_IF(fault_of("write", fd));
    pace(fd, len);
    return real(fd, bytes, len);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at) {
    REAL(pwrite64);
    FAIL_IF(fault_of("write", fd));
    pace(fd, len);
    return real(fd, bytes, len, at);
}

int fsync(int fd) {
    REAL(fsync);
    FAIL_IF(fault_of("sync", fd));
    return real(fd);
}

int fdatasync(int fd) {
    REAL(fdatasync);
    FAIL_IF(fault_of("sync", fd));
    return real(fd);
}

static mode_t mode_of(int flags, va_list more) {
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
}

int open64(const char *path, int flags, ...) {
    REAL(open64);
    va_list more;
    va_start(more, flags);
    mode_t mode = mode_of(flags, more);
    va_end(more);
    FAIL_IF(flags & O_CREAT ? fault("open", path) : 0);
    return real(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    REAL(open);
    va_list more;
    va_start(more, flags);
    mode_t mode = mode_of(flags, more);
    va_end(more);
    FAIL_IF(flags & O_CREAT ? fault("open", path) : 0);
    return real(path, flags, mode);
}
