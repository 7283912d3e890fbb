//! Which system calls a worker can make: what Landlock does not cover.
//!
//! A sealed worker can make the calls of a list, so that a call that nobody thought of is refused.
//! A fetching one starts programs that nobody here has written, so it can make all but the calls
//! of another list. A call that is refused fails as if it were not permitted, so that a library
//! that only tries finds another way.

mod allowed;
mod refused;

pub(super) use self::allowed::{bits, equal, when};

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompFilter, SeccompRule, TargetArch, apply_filter, sock_filter,
};

use super::Profile;

/// The first number that was given to no call when these lists were made. Calls from there on do
/// not exist for a worker, as on an older kernel; those of the x32 interface are among them.
const FIRST_UNKNOWN: u32 = 463;

/// The calls by their number; of each, the arguments that the rule is for, or none for all.
pub(super) type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Filters the calls of this thread. Whether the kernel can is returned.
pub(super) fn filter(profile: Profile, cuda: bool) -> Result<bool, seccompiler::Error> {
    let Ok(architecture) = TargetArch::try_from(std::env::consts::ARCH) else {
        return Ok(false);
    };
    let refuse = SeccompAction::Errno(libc::EPERM as u32);
    let (rules, else_, then) = match profile {
        Profile::Sealed => (allowed::rules(cuda)?, refuse, SeccompAction::Allow),
        Profile::Fetching => (refused::rules(), SeccompAction::Allow, refuse),
    };
    let filter = SeccompFilter::new(rules, else_, then, architecture)?;
    let mut program = absences(profile, cuda);
    program.extend(BpfProgram::try_from(filter)?);
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

/// The part of the filter that comes before the list: calls that fail with another error than the
/// rest, so that the caller finds another way.
fn absences(profile: Profile, cuda: bool) -> BpfProgram {
    const LOAD_NUMBER: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    const AT_LEAST: u32 = libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K;
    const EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
    let instruction = |code: u32, jf, k| sock_filter {
        code: code as u16,
        jt: 0,
        jf,
        k,
    };
    let fail = |error: i32| instruction(RETURN, 0, SeccompAction::Errno(error as u32).into());
    let mut program = vec![
        instruction(LOAD_NUMBER, 0, 0),
        instruction(AT_LEAST, 1, FIRST_UNKNOWN),
        fail(libc::ENOSYS),
    ];
    let absent = match profile {
        Profile::Sealed => allowed::absent(cuda),
        Profile::Fetching => Vec::new(),
    };
    for (call, error) in absent {
        program.extend([instruction(EQUAL, 1, call as u32), fail(error)]);
    }
    program
}
