/* Which system calls are let through: a list of what programs need that compute, keep files and,
 * where it is granted, use the network. Ways to another process, another program or another right
 * end the child or are refused; what is not named here does not exist (ENOSYS), which the C library
 * knows to handle. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "modhost/modhost.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "system calls of this architecture are not known: add them"
#endif

static const int allowed[] = {
    /* memory */
    SYS_brk,
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_mprotect,
    SYS_madvise,
    SYS_msync,
    SYS_mincore,
    SYS_mlock,
    SYS_munlock,
    SYS_membarrier,
    /* files */
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_pread64,
    SYS_pwrite64,
    SYS_preadv,
    SYS_pwritev,
    SYS_openat,
    SYS_close,
    SYS_close_range,
    SYS_lseek,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_statfs,
    SYS_fstatfs,
    SYS_getdents64,
    SYS_readlinkat,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_mkdirat,
    SYS_unlinkat,
    SYS_renameat,
    SYS_renameat2,
    SYS_linkat,
    SYS_symlinkat,
    SYS_ftruncate,
    SYS_truncate,
    SYS_fallocate,
    SYS_fsync,
    SYS_fdatasync,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_utimensat,
    SYS_flock,
    SYS_fadvise64,
    SYS_sync_file_range,
    SYS_copy_file_range,
    SYS_sendfile,
    SYS_dup,
    SYS_dup3,
    SYS_pipe2,
    SYS_getcwd,
    SYS_umask,
    /* waiting */
    SYS_ppoll,
    SYS_pselect6,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_eventfd2,
    SYS_timerfd_create,
    SYS_timerfd_settime,
    SYS_timerfd_gettime,
    SYS_nanosleep,
    SYS_clock_nanosleep,
    SYS_futex,
    SYS_sched_yield,
    SYS_restart_syscall,
    /* time and place */
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_gettimeofday,
    SYS_times,
    SYS_getitimer,
    SYS_setitimer,
    SYS_getrusage,
    SYS_getrlimit,
    SYS_sysinfo,
    SYS_uname,
    SYS_getrandom,
    SYS_getcpu,
    /* who am I */
    SYS_getpid,
    SYS_getppid,
    SYS_gettid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_getgroups,
    SYS_getresuid,
    SYS_getresgid,
    SYS_getpgid,
    SYS_getsid,
    SYS_getpriority,
    SYS_sched_getaffinity,
    SYS_sched_getparam,
    SYS_sched_getscheduler,
    /* threads and signals of its own */
    SYS_set_robust_list,
    SYS_get_robust_list,
    SYS_set_tid_address,
    SYS_rseq,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_rt_sigpending,
    SYS_rt_sigtimedwait,
    SYS_rt_sigsuspend,
    SYS_sigaltstack,
    SYS_exit,
    SYS_exit_group,
    /* sockets it has */
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_sendto,
    SYS_sendmsg,
    SYS_shutdown,
    SYS_getsockopt,
#ifdef __x86_64__
    SYS_open,
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_readlink,
    SYS_mkdir,
    SYS_rmdir,
    SYS_unlink,
    SYS_rename,
    SYS_link,
    SYS_symlink,
    SYS_chmod,
    SYS_dup2,
    SYS_pipe,
    SYS_poll,
    SYS_select,
    SYS_epoll_create,
    SYS_epoll_wait,
    SYS_eventfd,
    SYS_getdents,
    SYS_time,
    SYS_arch_prctl,
    SYS_alarm,
    SYS_pause,
    SYS_getpgrp,
    SYS_utimes,
#endif
};

static const int network_calls[] = {
    SYS_connect,     SYS_bind,       SYS_listen,   SYS_accept4,  SYS_getsockname,
    SYS_getpeername, SYS_setsockopt, SYS_recvmmsg, SYS_sendmmsg,
};

/* Nobody asks for these by accident. */
static const int fatal[] = {
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kexec_load,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_reboot,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_open_by_handle_at,
    SYS_swapon,
    SYS_swapoff,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_adjtimex,
    SYS_acct,
    SYS_quotactl,
    SYS_sethostname,
    SYS_unshare,
    SYS_setns,
};

/* These some libraries try; they are told no. */
static const int refused[] = {
    SYS_execve,
    SYS_execveat,
    SYS_socket,
    SYS_connect,
    SYS_bind,
    SYS_setuid,
    SYS_setgid,
    SYS_setreuid,
    SYS_setregid,
    SYS_setresuid,
    SYS_setresgid,
    SYS_setgroups,
    SYS_capset,
    SYS_setsid,
    SYS_setpgid,
    SYS_chdir,
    SYS_fchdir,
    SYS_mknodat,
    SYS_fchown,
    SYS_fchownat,
    SYS_setpriority,
    SYS_sched_setscheduler,
    SYS_sched_setaffinity,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_shmget,
    SYS_semget,
    SYS_msgget,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_tkill,
#ifdef __x86_64__
    SYS_fork,
    SYS_vfork,
    SYS_mknod,
    SYS_chown,
    SYS_lchown,
#endif
};

enum { ROOM = 1024 };
struct program {
    struct sock_filter code[ROOM];
    unsigned short n;
};

static void add(struct program *p, unsigned code, uint32_t k, unsigned yes, unsigned no)
{
    if (p->n < ROOM)
        p->code[p->n++] = (struct sock_filter){(uint16_t)code, (uint8_t)yes, (uint8_t)no, k};
}

static void answer(struct program *p, uint32_t with)
{
    add(p, BPF_RET | BPF_K, with, 0, 0);
}

static void load(struct program *p, size_t offset)
{
    add(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void each(struct program *p, const int *call, size_t n, uint32_t with)
{
    for (size_t i = 0; i < n; i++) {
        add(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call[i], 0, 1);
        answer(p, with);
    }
}

/* One call by its argument: a value of the list gets `listed`, any other `else_`. */
static void by_argument(struct program *p, int call, int argument, const uint32_t *value, size_t n,
                        uint32_t listed, uint32_t else_)
{
    add(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, (unsigned)(2 * n + 2));
    load(p, offsetof(struct seccomp_data, args) + 8 * (size_t)argument); /* its low half */
    for (size_t i = 0; i < n; i++) {
        add(p, BPF_JMP | BPF_JEQ | BPF_K, value[i], 0, 1);
        answer(p, listed);
    }
    answer(p, else_);
}

/* A new thread, and no new process: clone3 hides its flags in memory, so the C library has to do
 * with clone. */
static void threads_only(struct program *p, uint32_t no)
{
    enum { AS_THREAD = 0x00010000 };
    add(p, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4);
    load(p, offsetof(struct seccomp_data, args));
    add(p, BPF_JMP | BPF_JSET | BPF_K, AS_THREAD, 0, 1);
    answer(p, SECCOMP_RET_ALLOW);
    answer(p, no);
}

static void arguments(struct program *p, bool network)
{
    const uint32_t yes = SECCOMP_RET_ALLOW, no = SECCOMP_RET_ERRNO | EPERM;
    const uint32_t self[] = {(uint32_t)getpid()}, self_or_0[] = {0, (uint32_t)getpid()};
    /* PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_CAPBSET_READ, PR_SET_VMA */
    static const uint32_t prctls[] = {15, 16, 3, 23, 0x53564d41};
    /* TCGETS, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX */
    static const uint32_t ioctls[] = {0x5401, 0x541b, 0x5421, 0x5450, 0x5451};
    static const uint32_t owners[] = {8, 10, 15}; /* F_SETOWN, F_SETSIG, F_SETOWN_EX */
    /* SOCK_STREAM, SOCK_CLOEXEC, SOCK_NONBLOCK: a datagram goes to whom its sender names */
    static const uint32_t pairs[] = {1, 1 | 02000000, 1 | 04000, 1 | 02004000};
    static const uint32_t families[] = {2, 10, 16}; /* AF_INET, AF_INET6, AF_NETLINK */
    by_argument(p, SYS_kill, 0, self, 1, yes, no);
    by_argument(p, SYS_tgkill, 0, self, 1, yes, no);
    by_argument(p, SYS_prlimit64, 0, self_or_0, 2, yes, no);
    by_argument(p, SYS_prctl, 0, prctls, CHY_ARRAY_LEN(prctls), yes, no);
    by_argument(p, SYS_ioctl, 1, ioctls, CHY_ARRAY_LEN(ioctls), yes, SECCOMP_RET_ERRNO | ENOTTY);
    by_argument(p, SYS_fcntl, 1, owners, CHY_ARRAY_LEN(owners), no, yes);
    by_argument(p, SYS_socketpair, 1, pairs, CHY_ARRAY_LEN(pairs), yes, no);
    if (network) by_argument(p, SYS_socket, 0, families, CHY_ARRAY_LEN(families), yes, no);
    threads_only(p, no);
}

bool filter_system_calls(bool network)
{
    struct program p = {.n = 0};
    load(&p, offsetof(struct seccomp_data, arch));
    add(&p, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
    answer(&p, SECCOMP_RET_KILL_PROCESS);
    load(&p, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
    add(&p, BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1); /* x32 */
    answer(&p, SECCOMP_RET_KILL_PROCESS);
#endif
    each(&p, allowed, CHY_ARRAY_LEN(allowed), SECCOMP_RET_ALLOW);
    if (network) each(&p, network_calls, CHY_ARRAY_LEN(network_calls), SECCOMP_RET_ALLOW);
    arguments(&p, network);
    each(&p, fatal, CHY_ARRAY_LEN(fatal), SECCOMP_RET_KILL_PROCESS);
    each(&p, refused, CHY_ARRAY_LEN(refused), SECCOMP_RET_ERRNO | EPERM);
    answer(&p, SECCOMP_RET_ERRNO | ENOSYS);
    struct sock_fprog program = {p.n, p.code};
    return p.n < ROOM && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}
