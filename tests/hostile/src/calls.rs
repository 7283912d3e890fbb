//! System calls that a plugin may try, each of which must be refused as not permitted: not fail
//! because what it asks for happens not to be there.

use std::io::Error;

use libc::c_long;

use crate::attempts::Attempt;

/// A call by its name, number and arguments.
type Call = (&'static str, c_long, [c_long; 5]);

fn all_refused(what: &str, calls: &[Call]) -> Attempt {
    for (name, number, [a, b, c, d, e]) in calls {
        // SAFETY: pointers among the arguments are null, or lead to what outlives the call and is
        // large enough.
        let returned = unsafe { libc::syscall(*number, *a, *b, *c, *d, *e) };
        let error = Error::last_os_error();
        if returned >= 0 {
            return Err(format!("{what}: `{name}` succeeded"));
        }
        if error.raw_os_error() != Some(libc::EPERM) {
            return Err(format!("{what}: `{name}` was tried: {error}"));
        }
    }
    Err(format!("{what}: all of {} calls are refused", calls.len()))
}

/// Segments, semaphores and queues, which other processes of the user share by number.
pub(crate) fn system_v(_: &str) -> Attempt {
    const SHM_STAT: c_long = 13;
    const SHM_INFO: c_long = 14;
    const MSG_INFO: c_long = 12;
    const SEM_INFO: c_long = 19;
    let mut room = [0_u64; 64];
    let room = room.as_mut_ptr() as c_long;
    let calls: &[Call] = &[
        ("shmget", libc::SYS_shmget, [0, 4096, 0o1600, 0, 0]),
        ("shmctl", libc::SYS_shmctl, [0, SHM_INFO, room, 0, 0]),
        ("shmctl", libc::SYS_shmctl, [0, SHM_STAT, room, 0, 0]),
        ("shmat", libc::SYS_shmat, [0, 0, 0, 0, 0]),
        ("shmdt", libc::SYS_shmdt, [0, 0, 0, 0, 0]),
        ("semget", libc::SYS_semget, [0, 1, 0o1600, 0, 0]),
        ("semctl", libc::SYS_semctl, [0, 0, SEM_INFO, room, 0]),
        ("semop", libc::SYS_semop, [0, room, 1, 0, 0]),
        ("semtimedop", libc::SYS_semtimedop, [0, room, 1, 0, 0]),
        ("msgget", libc::SYS_msgget, [0, 0o1600, 0, 0, 0]),
        ("msgctl", libc::SYS_msgctl, [0, MSG_INFO, room, 0, 0]),
        ("msgsnd", libc::SYS_msgsnd, [0, room, 8, 0o4000, 0]),
        ("msgrcv", libc::SYS_msgrcv, [0, room, 8, 0, 0o4000]),
        ("mq_open", libc::SYS_mq_open, [room, 0, 0, 0, 0]),
        ("mq_unlink", libc::SYS_mq_unlink, [room, 0, 0, 0, 0]),
        ("mq_timedsend", libc::SYS_mq_timedsend, [0, room, 8, 0, 0]),
        ("mq_notify", libc::SYS_mq_notify, [0, 0, 0, 0, 0]),
    ];
    all_refused("System V", calls)
}

/// When, where and how long the supervisor runs, and what becomes of it.
pub(crate) fn schedule(_: &str) -> Attempt {
    const PR_SCHED_CORE: c_long = 62;
    // SAFETY: asking for a number touches no memory.
    let parent: c_long = unsafe { libc::getppid() }.into();
    let mut room = [0_u64; 128];
    // One processor, and a policy of background work without a priority.
    room[0] = 1;
    let mask = room.as_ptr() as c_long;
    let none = room[64..].as_ptr() as c_long;
    let batch: c_long = libc::SCHED_BATCH.into();
    let attributes = [48_u32, batch as u32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let attributes = attributes.as_ptr() as c_long;
    let affinity = libc::SYS_sched_setaffinity;
    let limit: c_long = libc::RLIMIT_CORE.into();
    let calls: &[Call] = &[
        ("sched_setaffinity", affinity, [parent, 128, mask, 0, 0]),
        (
            "sched_setscheduler",
            libc::SYS_sched_setscheduler,
            [parent, batch, none, 0, 0],
        ),
        (
            "sched_setscheduler",
            libc::SYS_sched_setscheduler,
            [0, batch, none, 0, 0],
        ),
        (
            "sched_setparam",
            libc::SYS_sched_setparam,
            [parent, none, 0, 0, 0],
        ),
        (
            "sched_setattr",
            libc::SYS_sched_setattr,
            [parent, attributes, 0, 0, 0],
        ),
        (
            "sched_getparam",
            libc::SYS_sched_getparam,
            [parent, none, 0, 0, 0],
        ),
        (
            "sched_getscheduler",
            libc::SYS_sched_getscheduler,
            [parent, 0, 0, 0, 0],
        ),
        ("setpriority", libc::SYS_setpriority, [0, parent, 10, 0, 0]),
        ("getpriority", libc::SYS_getpriority, [0, parent, 0, 0, 0]),
        (
            "ioprio_set",
            libc::SYS_ioprio_set,
            [1, parent, 0x4007, 0, 0],
        ),
        ("ioprio_get", libc::SYS_ioprio_get, [1, parent, 0, 0, 0]),
        (
            "prlimit64",
            libc::SYS_prlimit64,
            [parent, limit, none, 0, 0],
        ),
        (
            "prlimit64",
            libc::SYS_prlimit64,
            [parent, limit, 0, none, 0],
        ),
        ("prctl", libc::SYS_prctl, [PR_SCHED_CORE, 1, parent, 0, 0]),
        (
            "migrate_pages",
            libc::SYS_migrate_pages,
            [parent, 1, mask, mask, 0],
        ),
        ("move_pages", libc::SYS_move_pages, [parent, 0, 0, 0, 0]),
        (
            "get_robust_list",
            libc::SYS_get_robust_list,
            [parent, none, none, 0, 0],
        ),
        ("kill", libc::SYS_kill, [parent, 0, 0, 0, 0]),
        ("kill", libc::SYS_kill, [-1, 0, 0, 0, 0]),
        ("kill", libc::SYS_kill, [0, 0, 0, 0, 0]),
        ("tgkill", libc::SYS_tgkill, [parent, parent, 0, 0, 0]),
        ("tkill", libc::SYS_tkill, [parent, 0, 0, 0, 0]),
        ("getsid", libc::SYS_getsid, [parent, 0, 0, 0, 0]),
        ("pidfd_open", libc::SYS_pidfd_open, [parent, 0, 0, 0, 0]),
        ("kcmp", libc::SYS_kcmp, [parent, parent, 0, 0, 0]),
    ];
    all_refused("schedule", calls)
}

/// Calls that do no harm that we know of, and that nothing here needs.
pub(crate) fn needless(_: &str) -> Attempt {
    let mut room = [0_u64; 512];
    let room = room.as_mut_ptr() as c_long;
    let calls: &[Call] = &[
        ("chdir", libc::SYS_chdir, [room, 0, 0, 0, 0]),
        ("fchdir", libc::SYS_fchdir, [0, 0, 0, 0, 0]),
        ("umask", libc::SYS_umask, [0o22, 0, 0, 0, 0]),
        ("sync", libc::SYS_sync, [0, 0, 0, 0, 0]),
        ("syncfs", libc::SYS_syncfs, [0, 0, 0, 0, 0]),
        ("linkat", libc::SYS_linkat, [-100, room, -100, room, 0]),
        ("symlinkat", libc::SYS_symlinkat, [room, -100, room, 0, 0]),
        ("mknodat", libc::SYS_mknodat, [-100, room, 0o100_600, 0, 0]),
        ("splice", libc::SYS_splice, [0, 0, 0, 0, 0]),
        ("tee", libc::SYS_tee, [0, 0, 0, 0, 0]),
        ("vmsplice", libc::SYS_vmsplice, [0, 0, 0, 0, 0]),
        (
            "inotify_add_watch",
            libc::SYS_inotify_add_watch,
            [0, room, 1, 0, 0],
        ),
        ("fanotify_mark", libc::SYS_fanotify_mark, [0, 0, 0, 0, 0]),
        ("io_setup", libc::SYS_io_setup, [0, room, 0, 0, 0]),
        (
            "io_uring_setup",
            libc::SYS_io_uring_setup,
            [0, room, 0, 0, 0],
        ),
        ("memfd_create", libc::SYS_memfd_create, [room, 0, 0, 0, 0]),
        (
            "landlock_create_ruleset",
            libc::SYS_landlock_create_ruleset,
            [0, 0, 1, 0, 0],
        ),
        ("seccomp", libc::SYS_seccomp, [2, 0, 0, 0, 0]),
        ("capset", libc::SYS_capset, [room, room, 0, 0, 0]),
        ("setuid", libc::SYS_setuid, [-1, 0, 0, 0, 0]),
        ("setsid", libc::SYS_setsid, [0, 0, 0, 0, 0]),
        ("timer_create", libc::SYS_timer_create, [0, 0, room, 0, 0]),
        ("mlockall", libc::SYS_mlockall, [0, 0, 0, 0, 0]),
        (
            "process_madvise",
            libc::SYS_process_madvise,
            [0, 0, 0, 0, 0],
        ),
    ];
    all_refused("needless", calls)
}

/// Whatever makes or uses a socket.
pub(crate) fn sockets(_: &str) -> Attempt {
    let unix: c_long = libc::AF_UNIX.into();
    let mut room = [0_u64; 16];
    let room = room.as_mut_ptr() as c_long;
    let calls: &[Call] = &[
        ("socket", libc::SYS_socket, [unix, 5, 0, 0, 0]),
        ("socketpair", libc::SYS_socketpair, [unix, 5, 0, room, 0]),
        ("bind", libc::SYS_bind, [0, room, 2, 0, 0]),
        ("listen", libc::SYS_listen, [0, 1, 0, 0, 0]),
        ("accept", libc::SYS_accept, [0, 0, 0, 0, 0]),
        ("accept4", libc::SYS_accept4, [0, 0, 0, 0, 0]),
        ("connect", libc::SYS_connect, [0, room, 2, 0, 0]),
        ("sendto", libc::SYS_sendto, [0, room, 1, 0, 0]),
        ("sendmsg", libc::SYS_sendmsg, [0, room, 0, 0, 0]),
        ("recvfrom", libc::SYS_recvfrom, [0, room, 1, 0, 0]),
        ("recvmsg", libc::SYS_recvmsg, [0, room, 0, 0, 0]),
    ];
    all_refused("sockets", calls)
}

/// Commands of calls of which others are allowed.
pub(crate) fn commands(_: &str) -> Attempt {
    let clone = c_long::from(libc::SIGCHLD);
    let request = |request: libc::Ioctl| request as c_long;
    let command = |command: i32| c_long::from(command);
    let mut room = [0_u64; 16];
    let room = room.as_mut_ptr() as c_long;
    let calls: &[Call] = &[
        (
            "clone without CLONE_THREAD",
            libc::SYS_clone,
            [clone, 0, 0, 0, 0],
        ),
        (
            "fcntl F_SETLK",
            libc::SYS_fcntl,
            [0, command(libc::F_SETLK), room, 0, 0],
        ),
        (
            "fcntl F_SETLEASE",
            libc::SYS_fcntl,
            [0, command(libc::F_SETLEASE), 0, 0, 0],
        ),
        (
            "fcntl F_NOTIFY",
            libc::SYS_fcntl,
            [0, command(libc::F_NOTIFY), 0, 0, 0],
        ),
        (
            "fcntl F_SETOWN",
            libc::SYS_fcntl,
            [0, command(libc::F_SETOWN), 1, 0, 0],
        ),
        (
            "fcntl F_SETFL O_ASYNC",
            libc::SYS_fcntl,
            [0, command(libc::F_SETFL), 0o20000, 0, 0],
        ),
        (
            "ioctl TIOCSTI",
            libc::SYS_ioctl,
            [0, request(libc::TIOCSTI), room, 0, 0],
        ),
        (
            "ioctl FICLONE",
            libc::SYS_ioctl,
            [0, request(libc::FICLONE), 0, 0, 0],
        ),
        ("prctl PR_SET_DUMPABLE", libc::SYS_prctl, [4, 1, 0, 0, 0]),
        ("prctl PR_SET_PDEATHSIG", libc::SYS_prctl, [1, 0, 0, 0, 0]),
        (
            "prctl PR_SET_PTRACER",
            libc::SYS_prctl,
            [0x5961_6d61, 1, 0, 0, 0],
        ),
        ("prctl PR_SET_SECCOMP", libc::SYS_prctl, [22, 2, 0, 0, 0]),
    ];
    all_refused("commands", calls)
}
