//! Which system calls a worker can make: what Landlock does not cover. A call that is refused
//! fails as if it were not permitted, so that a library that only tries finds another way.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter, sock_filter,
};

use super::Profile;

/// Calls that reach into other processes or deep into the kernel: no worker needs them.
const DEEP: &[c_long] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_adjtimex,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_lookup_dcookie,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_personality,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
];

/// Calls that a plugin has no use for: the network, other processes, what they share, and what
/// Landlock lets through about files, such as their modes.
const SEALED: &[c_long] = &[
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_msgget,
    libc::SYS_semget,
    libc::SYS_shmget,
    libc::SYS_setpgid,
    libc::SYS_setsid,
    libc::SYS_setpriority,
    libc::SYS_ioprio_set,
    libc::SYS_setrlimit,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
    libc::SYS_inotify_init1,
    libc::SYS_flock,
    libc::SYS_truncate,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchmodat2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
];

/// The same under names that only old architectures have.
#[cfg(target_arch = "x86_64")]
const SEALED_OLD: &[c_long] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
    libc::SYS_inotify_init,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_kexec_file_load,
];
#[cfg(not(target_arch = "x86_64"))]
const SEALED_OLD: &[c_long] = &[];

/// The first number that was given to no call when these lists were made. Calls from there on do
/// not exist for a worker, as on an older kernel; those of the x32 interface are among them.
const FIRST_UNKNOWN: u32 = 463;

/// Filters the calls of this thread. Whether the kernel can is returned.
pub(super) fn filter(profile: Profile) -> Result<bool, seccompiler::Error> {
    let Ok(architecture) = TargetArch::try_from(std::env::consts::ARCH) else {
        return Ok(false);
    };
    let refusals = SeccompFilter::new(
        rules(profile)?,
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM as u32),
        architecture,
    )?;
    let mut program = absences(profile);
    program.extend(BpfProgram::try_from(refusals)?);
    match apply_filter(&program) {
        Ok(()) => Ok(true),
        // The kernel was built without it.
        Err(seccompiler::Error::Seccomp(error))
            if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL)) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn rules(profile: Profile) -> Result<Rules, seccompiler::Error> {
    let mut rules: Rules = DEEP.iter().map(|&call| (call, Vec::new())).collect();
    if profile == Profile::Sealed {
        let whole = SEALED.iter().chain(SEALED_OLD);
        rules.extend(whole.map(|&call| (call, Vec::new())));
        rules.extend(sealed_in_part()?);
    }
    Ok(rules)
}

/// Calls that are refused with some arguments only.
fn sealed_in_part() -> Result<Rules, seccompiler::Error> {
    use SeccompCmpArgLen::{Dword, Qword};
    use SeccompCmpOp::{Eq, MaskedEq, Ne};
    let own = u64::from(std::process::id());
    let thread = libc::CLONE_THREAD as u64;
    let refuse = |argument, length, operator, value| {
        let condition = SeccompCondition::new(argument, length, operator, value)?;
        SeccompRule::new(vec![condition])
    };
    let commands = [libc::F_SETOWN, F_SETSIG, F_SETOWN_EX];
    let owners = commands.map(|command| refuse(1, Dword, Eq, command as u64));
    Ok(Rules::from([
        // A new process, that is; a thread is as contained as the one that starts it.
        (
            libc::SYS_clone,
            vec![refuse(0, Qword, MaskedEq(thread), 0)?],
        ),
        // Signals to itself, as `abort` sends them, go through.
        (libc::SYS_kill, vec![refuse(0, Dword, Ne, own)?]),
        (libc::SYS_tgkill, vec![refuse(0, Dword, Ne, own)?]),
        // Setting limits; asking for one's own is harmless.
        (
            libc::SYS_prlimit64,
            vec![refuse(0, Dword, Ne, 0)?, refuse(2, Qword, Ne, 0)?],
        ),
        // Signals that arrive when something becomes readable are signals to others, too.
        (
            libc::SYS_fcntl,
            owners.into_iter().collect::<Result<_, _>>()?,
        ),
        // A worker dies with its supervisor.
        (
            libc::SYS_prctl,
            vec![refuse(0, Dword, Eq, libc::PR_SET_PDEATHSIG as u64)?],
        ),
    ]))
}

/// Of `fcntl`, and missing from the `libc` crate.
const F_SETSIG: libc::c_int = 10;
const F_SETOWN_EX: libc::c_int = 15;

/// What comes before the refusals: calls that fail as if the kernel did not have them, so that
/// glibc uses the older ones. `clone3` is one, since a filter cannot see its flags.
fn absences(profile: Profile) -> BpfProgram {
    const LOAD_NUMBER: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    const AT_LEAST: u32 = libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K;
    const EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
    let instruction = |code: u32, jt, jf, k| sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let absent = match profile {
        Profile::Sealed => libc::SYS_clone3 as u32,
        // The same number twice: programs that are fetched with may start processes.
        Profile::Fetching => FIRST_UNKNOWN,
    };
    vec![
        instruction(LOAD_NUMBER, 0, 0, 0),
        instruction(AT_LEAST, 1, 0, FIRST_UNKNOWN),
        instruction(EQUAL, 0, 1, absent),
        instruction(
            RETURN,
            0,
            0,
            u32::from(SeccompAction::Errno(libc::ENOSYS as u32)),
        ),
    ]
}
