/*
 * Makes calls of the file system fail, for tests (tests/suite/faults). Preloaded into the program:
 *
 *     cc -shared -fPIC -O2 -o faults.so faults.c
 *     LD_PRELOAD=./faults.so FAULTS_BELOW=/folder FAULTS_AT=17 FAULTS_MODE=eio FAULTS_LOG=/calls tidegate ...
 *
 * FAULTS_BELOW  only calls on what lies in this folder count (absolute, no links in it)
 * FAULTS_AT     the number of the call that fails, from 1; 0 or absent: none, the calls are only told
 * FAULTS_MODE   eio     the call fails with EIO, later ones do not
 *               enospc  the disk is full from this call on
 *               short   this call writes a part, then the disk is full
 *               kill    SIGKILL before the call
 * FAULTS_READ_ONLY  the file system is read-only: calls that would change it fail with EROFS
 * FAULTS_FULL   the disk is full while this file exists
 * FAULTS_CHMOD  permissions cannot be set: this errno (1 is EPERM), always
 * FAULTS_FOLDER_SYNC  folders cannot be synced: this errno (22 is EINVAL), always
 * FAULTS_LOG    a line for each call goes there: number, name, path below the folder, and "failed" for the
 *               ones that did
 *
 * The calls are caught in the kernel's door and not at the functions of the C library: Rust crates (rustix,
 * and through it tempfile, which renames our files) call the kernel without the library, and a hook at
 * `rename` would not see them. A seccomp filter turns each call of interest into SIGSYS; the handler counts
 * it, and fails it or makes it from `door`, the one place that the filter lets through. The handler runs on
 * the thread that calls, makes nothing but calls of the kernel, and allocates nothing.
 *
 * Not seen: writes through a shared mapping (SQLite's -shm, which is no data), and io_uring.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

long door(long nr, long a, long b, long c, long d, long e, long f);
extern const char door_end[];

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#define REG(c, n) ((c)->uc_mcontext.gregs[n])
#define RESULT(c) REG(c, REG_RAX)
#define ARGS(c)                                                                                        \
    { REG(c, REG_RDI), REG(c, REG_RSI), REG(c, REG_RDX), REG(c, REG_R10), REG(c, REG_R8), REG(c, REG_R9) }
__asm__(".text\n.globl door\n.hidden door\n.type door,@function\ndoor:\n"
        "mov %rdi,%rax\nmov %rsi,%rdi\nmov %rdx,%rsi\nmov %rcx,%rdx\nmov %r8,%r10\nmov %r9,%r8\n"
        "mov 8(%rsp),%r9\nsyscall\n.globl door_end\n.hidden door_end\ndoor_end:\nret\n");
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#define REG(c, n) ((c)->uc_mcontext.regs[n])
#define RESULT(c) REG(c, 0)
#define ARGS(c) { REG(c, 0), REG(c, 1), REG(c, 2), REG(c, 3), REG(c, 4), REG(c, 5) }
__asm__(".text\n.globl door\n.hidden door\n.type door,%function\ndoor:\n"
        "mov x8,x0\nmov x0,x1\nmov x1,x2\nmov x2,x3\nmov x3,x4\nmov x4,x5\nmov x5,x6\nsvc #0\n"
        ".globl door_end\n.hidden door_end\ndoor_end:\nret\n");
#else
#error "only for x86_64 and aarch64"
#endif

/* What a call is given to name its file. */
enum names { FD, PATH, AT, FD_OUT_1ST, FD_OUT_2, PATHS, ATS };

/* Whether it needs space, and whether it can be cut short. */
enum needs { NOTHING, SPACE, BYTES, VECTOR, COPY, OPENS };

static const struct call {
    long nr;
    const char *name;
    enum names names;
    enum needs needs;
} calls[] = {
    { SYS_openat, "openat", AT, OPENS },
    { SYS_write, "write", FD, BYTES },
    { SYS_pwrite64, "pwrite64", FD, BYTES },
    { SYS_writev, "writev", FD, VECTOR },
    { SYS_pwritev, "pwritev", FD, VECTOR },
    { SYS_pwritev2, "pwritev2", FD, VECTOR },
    { SYS_copy_file_range, "copy_file_range", FD_OUT_2, COPY },
    { SYS_splice, "splice", FD_OUT_2, COPY },
    { SYS_sendfile, "sendfile", FD_OUT_1ST, COPY },
    { SYS_fsync, "fsync", FD, NOTHING },
    { SYS_fdatasync, "fdatasync", FD, NOTHING },
    { SYS_ftruncate, "ftruncate", FD, NOTHING },
    { SYS_truncate, "truncate", PATH, NOTHING },
    { SYS_fallocate, "fallocate", FD, SPACE },
    { SYS_renameat2, "renameat2", ATS, NOTHING },
    { SYS_linkat, "linkat", ATS, SPACE },
    { SYS_unlinkat, "unlinkat", AT, NOTHING },
    { SYS_mkdirat, "mkdirat", AT, SPACE },
    { SYS_fchmod, "fchmod", FD, NOTHING },
    { SYS_fchmodat, "fchmodat", AT, NOTHING },
#ifdef SYS_renameat
    { SYS_renameat, "renameat", ATS, NOTHING },
#endif
#ifdef SYS_open
    { SYS_open, "open", PATH, OPENS },
    { SYS_creat, "creat", PATH, SPACE },
    { SYS_rename, "rename", PATHS, NOTHING },
    { SYS_link, "link", PATHS, SPACE },
    { SYS_unlink, "unlink", PATH, NOTHING },
    { SYS_rmdir, "rmdir", PATH, NOTHING },
    { SYS_mkdir, "mkdir", PATH, SPACE },
    { SYS_chmod, "chmod", PATH, NOTHING },
#endif
};
#define CALLS (sizeof calls / sizeof calls[0])

static char below[PATH_MAX];
static size_t below_len;
static enum { EIO_ONCE, FULL, SHORT, KILL } mode;
static long fail_at;
static long counted;
static int full;
static int read_only;
static const char *full_while;
static long chmod_errno, folder_sync_errno;
static int log_fd = -1;

/* Where a file lies: of a descriptor, or of a path seen from one. */
static int locate(char *to, long dirfd, const char *path)
{
    char link[40] = "/proc/self/cwd";
    size_t at = 0;
    if (path == NULL || path[0] != '/') {
        if ((int)dirfd != AT_FDCWD) {
            char digits[12];
            int n = 0;
            unsigned long fd = (unsigned int)dirfd;
            memcpy(link, "/proc/self/fd/", 15);
            do {
                digits[n++] = (char)('0' + fd % 10);
                fd /= 10;
            } while (fd);
            for (at = 14; n > 0;)
                link[at++] = digits[--n];
            link[at] = 0;
        }
        long got = door(SYS_readlinkat, AT_FDCWD, (long)link, (long)to, PATH_MAX - 1, 0, 0);
        if (got < 0)
            return 0;
        at = (size_t)got;
        to[at] = 0;
        if (path == NULL)
            return 1;
        if (at + 1 < PATH_MAX)
            to[at++] = '/';
    }
    size_t len = strlen(path);
    if (at + len >= PATH_MAX)
        return 0;
    memcpy(to + at, path, len + 1);
    return 1;
}

static int is_below(const char *path)
{
    return strncmp(path, below, below_len) == 0 && (path[below_len] == '/' || path[below_len] == 0);
}

/* Whether a call is on what lies in the folder; `to` is then the path, of two the new one. */
static int concerns(const struct call *call, const long *a, char *to)
{
    char from[PATH_MAX];
    switch (call->names) {
    case FD:
    case FD_OUT_1ST:
        return locate(to, a[0], NULL) && is_below(to);
    case FD_OUT_2:
        return locate(to, a[2], NULL) && is_below(to);
    case PATH:
        return locate(to, AT_FDCWD, (const char *)a[0]) && is_below(to);
    case AT:
        return locate(to, a[0], (const char *)a[1]) && is_below(to);
    case PATHS:
        return (locate(to, AT_FDCWD, (const char *)a[1]) && is_below(to))
            || (locate(from, AT_FDCWD, (const char *)a[0]) && is_below(from));
    default:
        return (locate(to, a[2], (const char *)a[3]) && is_below(to))
            || (locate(from, a[0], (const char *)a[1]) && is_below(from));
    }
}

static long open_flags(const struct call *call, const long *a)
{
    return call->names == AT ? a[2] : a[1];
}

/* Whether a full disk refuses it. A file that is there is opened without new space. */
static int needs_space(const struct call *call, const long *a, const char *path)
{
    int is_there = door(SYS_faccessat, AT_FDCWD, (long)path, F_OK, 0, 0, 0) == 0;
    /* The kernel says that it is there before it says that there is no space. */
    if (is_there && !strncmp(call->name, "mkdir", 5))
        return 0;
    if (call->needs != OPENS)
        return call->needs != NOTHING;
    long flags = open_flags(call, a);
    if ((flags & O_TMPFILE) == O_TMPFILE)
        return 1;
    return (flags & O_CREAT) && !is_there;
}

/* Writes a part of what it was given. */
static long cut_short(const struct call *call, const long *a)
{
    if (call->needs == BYTES && a[2] > 1)
        return door(call->nr, a[0], a[1], a[2] / 2, a[3], 0, 0);
    if (call->needs == VECTOR && a[2] > 0) {
        struct iovec first = *(const struct iovec *)a[1];
        first.iov_len = (first.iov_len + 1) / 2;
        return door(call->nr, a[0], (long)&first, 1, a[3], a[4], a[5]);
    }
    return -ENOSPC;
}

static void tell(long number, const struct call *call, const char *path, int failed, int space)
{
    char line[PATH_MAX + 64], digits[24];
    size_t at = 0;
    int n = 0;
    if (log_fd < 0)
        return;
    do {
        digits[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    while (n > 0)
        line[at++] = digits[--n];
    line[at++] = ' ';
    size_t len = strlen(call->name);
    memcpy(line + at, call->name, len);
    at += len;
    len = space ? 7 : 3;
    memcpy(line + at, space ? " space " : " - ", len);
    at += len;
    len = failed ? 7 : 5;
    memcpy(line + at, failed ? "failed " : "done ", len);
    at += len;
    path += is_below(path) ? below_len : 0;
    path += *path == '/';
    len = strnlen(path, PATH_MAX);
    memcpy(line + at, path, len);
    at += len;
    line[at++] = '\n';
    door(SYS_write, log_fd, (long)line, (long)at, 0, 0, 0);
}

/* Whether a file system that is read-only refuses it. Nothing is open for writing there. */
static int changes(const struct call *call, const long *a, const char *path)
{
    int is_there = door(SYS_faccessat, AT_FDCWD, (long)path, F_OK, 0, 0, 0) == 0;
    if (call->needs == OPENS)
        return (open_flags(call, a) & (O_WRONLY | O_RDWR)) || !is_there;
    if (!strncmp(call->name, "mkdir", 5))
        return !is_there;
    return call->names >= PATHS || !strcmp(call->name, "fchmod")
        || ((call->names == PATH || call->names == AT) && call->needs != OPENS);
}

static int is_folder(const char *path)
{
    long fd = door(SYS_openat, AT_FDCWD, (long)path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0, 0, 0);
    return fd >= 0 && door(SYS_close, fd, 0, 0, 0, 0, 0) == 0;
}

/* What a file system refuses that is made for less than Linux; 0 if nothing. */
static long refused(const struct call *call, const char *path)
{
    if (chmod_errno && strstr(call->name, "chmod"))
        return -chmod_errno;
    if (folder_sync_errno && strstr(call->name, "sync") && is_folder(path))
        return -folder_sync_errno;
    return 0;
}

static long answer(const struct call *call, const long *a)
{
    char path[PATH_MAX];
    if (!concerns(call, a, path))
        return door(call->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (read_only)
        return changes(call, a, path) ? -EROFS : door(call->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
    long errno_of_it = refused(call, path);
    if (errno_of_it)
        return errno_of_it;
    long number = __atomic_add_fetch(&counted, 1, __ATOMIC_SEQ_CST);
    int space = needs_space(call, a, path);
    int here = number == fail_at;
    if (here && mode == KILL) {
        tell(number, call, path, 1, space);
        door(SYS_kill, getpid(), SIGKILL, 0, 0, 0, 0);
    }
    if (here && (mode == FULL || mode == SHORT))
        __atomic_store_n(&full, 1, __ATOMIC_SEQ_CST);
    if (here && mode == EIO_ONCE) {
        tell(number, call, path, 1, space);
        return -EIO;
    }
    int fails = space
        && (__atomic_load_n(&full, __ATOMIC_SEQ_CST)
            || (full_while && door(SYS_faccessat, AT_FDCWD, (long)full_while, F_OK, 0, 0, 0) == 0));
    tell(number, call, path, fails, space);
    if (!fails)
        return door(call->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
    return here && mode == SHORT ? cut_short(call, a) : -ENOSPC;
}

static void caught(int signal, siginfo_t *info, void *raw)
{
    ucontext_t *context = raw;
    const long a[] = ARGS(context);
    int kept = errno;
    long result = -ENOSYS;
    (void)signal;
    for (size_t i = 0; i < CALLS; i++)
        if (calls[i].nr == info->si_syscall)
            result = answer(&calls[i], a);
    RESULT(context) = result;
    errno = kept;
}

static void install(void)
{
    static struct sock_filter filter[16 + 8 * CALLS];
    unsigned short n = 0;
    uint64_t end = (uint64_t)(uintptr_t)door_end;
    const struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    const struct sock_filter trap = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
#define ADD(...) filter[n++] = (struct sock_filter)__VA_ARGS__
#define LOAD(field) ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(field)))
#define PASS_UNLESS(k) ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), 1, 0)); filter[n++] = allow
    LOAD(offsetof(struct seccomp_data, arch));
    PASS_UNLESS(ARCH);
    LOAD(offsetof(struct seccomp_data, instruction_pointer));
    ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)end, 0, 3));
    LOAD(offsetof(struct seccomp_data, instruction_pointer) + 4);
    ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(end >> 32), 0, 1));
    filter[n++] = allow;
    LOAD(offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < CALLS; i++) {
        size_t flags = offsetof(struct seccomp_data, args) + 8 * (calls[i].names == AT ? 2 : 1);
        if (calls[i].needs != OPENS) {
            ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i].nr, 0, 1));
            filter[n++] = trap;
            continue;
        }
        /* What is opened for reading only does not matter. */
        ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i].nr, 0, 4));
        LOAD(flags);
        ADD(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_WRONLY | O_RDWR | O_CREAT, 0, 1));
        filter[n++] = trap;
        filter[n++] = allow;
    }
    filter[n++] = allow;
    struct sock_fprog program = { n, filter };
    struct sigaction action = { .sa_sigaction = caught, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART };
    static const char cannot[] = "faults.c: seccomp is not possible here\n";
    if (sigaction(SIGSYS, &action, NULL) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
        door(SYS_write, 2, (long)cannot, sizeof cannot - 1, 0, 0, 0);
        _exit(97);
    }
}

__attribute__((constructor)) static void begin(void)
{
    const char *folder = getenv("FAULTS_BELOW"), *at = getenv("FAULTS_AT");
    const char *how = getenv("FAULTS_MODE"), *log = getenv("FAULTS_LOG");
    if (folder == NULL || strlen(folder) >= PATH_MAX)
        return;
    strcpy(below, folder);
    below_len = strlen(below);
    fail_at = at ? atol(at) : 0;
    read_only = getenv("FAULTS_READ_ONLY") != NULL;
    full_while = getenv("FAULTS_FULL");
    const char *chmod_fails = getenv("FAULTS_CHMOD"), *folder_sync_fails = getenv("FAULTS_FOLDER_SYNC");
    chmod_errno = chmod_fails ? atol(chmod_fails) : 0;
    folder_sync_errno = folder_sync_fails ? atol(folder_sync_fails) : 0;
    if (how && !strcmp(how, "enospc"))
        mode = FULL;
    else if (how && !strcmp(how, "short"))
        mode = SHORT;
    else if (how && !strcmp(how, "kill"))
        mode = KILL;
    if (log)
        log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    install();
}
