//! The calls that a sealed worker can make: what the host's stages, the loader, the Rust and C
//! runtimes, libtorch and `OpenMP` were seen to need when every kind of stage was traced, what
//! other versions of them use for the same, and nothing that reaches another process or a file
//! that Landlock does not guard. Groups have one reason each.

use libc::{c_int, c_long};
use seccompiler::SeccompCmpArgLen::{Dword, Qword};
use seccompiler::SeccompCmpOp::{Eq, MaskedEq};
use seccompiler::{SeccompCondition, SeccompRule};

use super::Rules;
use crate::containment::cuda;

/// The memory of this process, and where in the machine it lies.
const MEMORY: &[c_long] = &[
    libc::SYS_brk,
    libc::SYS_get_mempolicy,
    libc::SYS_madvise,
    libc::SYS_mbind,
    libc::SYS_membarrier,
    libc::SYS_mincore,
    libc::SYS_mlock,
    libc::SYS_mlock2,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_mseal,
    libc::SYS_msync,
    libc::SYS_munlock,
    libc::SYS_munmap,
    libc::SYS_set_mempolicy,
];

/// Calls on descriptors that are open already. Landlock judges a file when it is opened, and the
/// descriptors that a worker is started with are its own pipe and log, and a lock that it cannot
/// write to.
const DESCRIPTORS: &[c_long] = &[
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_copy_file_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_fadvise64,
    libc::SYS_fallocate,
    libc::SYS_fdatasync,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_getdents64,
    libc::SYS_lseek,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_preadv2,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_pwritev2,
    libc::SYS_read,
    libc::SYS_readahead,
    libc::SYS_readv,
    libc::SYS_sendfile,
    libc::SYS_sync_file_range,
    libc::SYS_write,
    libc::SYS_writev,
];

/// Files by their names: what Landlock guards, and questions, which it does not.
const FILES: &[c_long] = &[
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_getcwd,
    libc::SYS_mkdirat,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_readlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_statfs,
    libc::SYS_statx,
    libc::SYS_unlinkat,
];

/// Threads and how they wait for each other. None of these takes the number of a process.
const THREADS: &[c_long] = &[
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    FUTEX_REQUEUE,
    FUTEX_WAIT,
    libc::SYS_futex_waitv,
    FUTEX_WAKE,
    libc::SYS_getcpu,
    libc::SYS_gettid,
    libc::SYS_rseq,
    libc::SYS_sched_get_priority_max,
    libc::SYS_sched_get_priority_min,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
];

/// Missing from the `libc` crate; of the same number everywhere.
const FUTEX_WAKE: c_long = 454;
const FUTEX_WAIT: c_long = 455;
const FUTEX_REQUEUE: c_long = 456;

/// Waiting for descriptors of this process, and waking its own threads by them.
const EVENTS: &[c_long] = &[
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
];

/// Setting and returning from handlers of signals.
const SIGNALS: &[c_long] = &[
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sigaltstack,
];

/// Time, and questions about this process and the machine. The only one that can be asked about
/// another process is on which processors it may run, since the C library asks it of a thread.
const QUESTIONS: &[c_long] = &[
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getgroups,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getrandom,
    libc::SYS_getresgid,
    libc::SYS_getresuid,
    libc::SYS_getrusage,
    libc::SYS_gettimeofday,
    libc::SYS_getuid,
    libc::SYS_nanosleep,
    libc::SYS_sched_getaffinity,
    libc::SYS_sysinfo,
    libc::SYS_times,
    libc::SYS_uname,
];

/// The same under names that only old architectures have.
#[cfg(target_arch = "x86_64")]
const OLD: &[c_long] = &[
    libc::SYS_access,
    libc::SYS_arch_prctl,
    libc::SYS_creat,
    libc::SYS_dup2,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd,
    libc::SYS_getdents,
    libc::SYS_getrlimit,
    libc::SYS_lstat,
    libc::SYS_mkdir,
    libc::SYS_open,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_rmdir,
    libc::SYS_select,
    libc::SYS_stat,
    libc::SYS_time,
    libc::SYS_unlink,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD: &[c_long] = &[];

/// Calls that fail in their own way, with their error. As on a kernel without `clone3`, whose flags
/// a filter cannot see, the C library uses `clone`.
pub(super) fn absent(cuda: bool) -> Vec<(c_long, c_int)> {
    let mut absent = vec![(libc::SYS_clone3, libc::ENOSYS)];
    if cuda {
        absent.push(cuda::CONNECT);
    }
    absent
}

/// Everything that a sealed worker can call.
pub(super) fn rules(cuda: bool) -> Result<Rules, seccompiler::Error> {
    let whole = [
        MEMORY,
        DESCRIPTORS,
        FILES,
        THREADS,
        EVENTS,
        SIGNALS,
        QUESTIONS,
        OLD,
    ];
    let whole = whole.into_iter().flatten();
    let mut rules: Rules = whole.map(|&call| (call, Vec::new())).collect();
    rules.extend(in_part()?);
    if cuda {
        cuda::allow(&mut rules)?;
    }
    Ok(rules)
}

/// Calls that can be made with some arguments only.
fn in_part() -> Result<Rules, seccompiler::Error> {
    let own = u64::from(std::process::id());
    let each = |argument, values: &[u64]| {
        let rules = values.iter().map(|&value| when(&[equal(argument, value)?]));
        rules.collect::<Result<Vec<_>, _>>()
    };
    Ok(Rules::from([
        // A thread, that is, which is as contained as the one that starts it.
        (
            libc::SYS_clone,
            vec![when(&[bits(0, THREAD_FLAGS, libc::CLONE_THREAD as u64)?])?],
        ),
        // Signals to itself, as `abort` sends them.
        (libc::SYS_kill, each(0, &[own])?),
        (libc::SYS_tgkill, each(0, &[own])?),
        // Where the calling thread runs.
        (libc::SYS_sched_setaffinity, each(0, &[0])?),
        // Asking for one's own limits.
        (
            libc::SYS_prlimit64,
            vec![when(&[equal(0, 0)?, nothing(2)?])?],
        ),
        // Not: locks, leases, owners, signals, seals.
        (libc::SYS_fcntl, descriptor_commands()?),
        (libc::SYS_ioctl, each(1, TERMINAL_QUESTIONS)?),
        (libc::SYS_prctl, each(0, PROCESS_OPTIONS)?),
    ]))
}

/// The flags of a new thread that matter: no process, no namespace.
const THREAD_FLAGS: u64 = (libc::CLONE_THREAD
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWUTS) as u64;

/// Whether a descriptor is a terminal, how much can be read, and what `F_SETFD` does otherwise.
const TERMINAL_QUESTIONS: &[u64] = &[
    libc::TCGETS,
    libc::TCGETS2,
    libc::TIOCGWINSZ,
    libc::FIONREAD,
    libc::FIOCLEX,
    libc::FIONCLEX,
    libc::FIONBIO,
];

/// Names of threads and of memory, and questions.
const PROCESS_OPTIONS: &[u64] = &[
    libc::PR_CAPBSET_READ as u64,
    libc::PR_GET_DUMPABLE as u64,
    libc::PR_GET_NAME as u64,
    libc::PR_GET_NO_NEW_PRIVS as u64,
    libc::PR_GET_SECCOMP as u64,
    libc::PR_GET_THP_DISABLE as u64,
    libc::PR_GET_TIMERSLACK as u64,
    libc::PR_SET_NAME as u64,
    libc::PR_SET_VMA as u64,
    PR_SVE_GET_VL,
    PR_SME_GET_VL,
];

/// The lengths of vectors of aarch64, under which nothing is known elsewhere.
const PR_SVE_GET_VL: u64 = 51;
const PR_SME_GET_VL: u64 = 64;

fn descriptor_commands() -> Result<Vec<SeccompRule>, seccompiler::Error> {
    let harmless = [
        libc::F_DUPFD,
        libc::F_DUPFD_CLOEXEC,
        libc::F_GETFD,
        libc::F_SETFD,
        libc::F_GETFL,
    ];
    let mut rules = Vec::new();
    for command in harmless {
        rules.push(when(&[equal(1, command as u64)?])?);
    }
    // Not: signals when something can be read, and what would hinder others who read the log.
    let flags = [libc::O_ASYNC, libc::O_DIRECT, libc::O_NOATIME];
    let flags = flags.iter().fold(0, |all, &flag| all | flag as u64);
    rules.push(when(&[
        equal(1, libc::F_SETFL as u64)?,
        bits(2, flags, 0)?,
    ])?);
    Ok(rules)
}

type Condition = Result<SeccompCondition, seccompiler::BackendError>;

/// A rule for arguments that meet all `conditions`.
pub(in crate::containment) fn when(
    conditions: &[SeccompCondition],
) -> Result<SeccompRule, seccompiler::Error> {
    Ok(SeccompRule::new(conditions.to_vec())?)
}

/// The argument, of 32 bits, is `value`.
pub(in crate::containment) fn equal(argument: u8, value: u64) -> Condition {
    SeccompCondition::new(argument, Dword, Eq, value)
}

/// The argument has, of the bits of `mask`, those of `value`.
pub(in crate::containment) fn bits(argument: u8, mask: u64, value: u64) -> Condition {
    SeccompCondition::new(argument, Qword, MaskedEq(mask), value)
}

/// The argument is a null pointer.
fn nothing(argument: u8) -> Condition {
    SeccompCondition::new(argument, Qword, Eq, 0)
}
