//! Steps of NVIDIA's driver at its start, as a trace of its system calls shows them, taken by a
//! thread that is contained as a worker with a CUDA device is.

use std::fs::{self, OpenOptions};
use std::io::{Error, Write};
use std::os::unix::fs::symlink;
use std::thread;

use libc::c_long;

use super::*;
use crate::containment::{Places, Profile, calls, files, powers};

/// The outcome of `body` in a contained thread; none where this kernel cannot contain it.
fn contained<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let thread = thread::spawn(move || {
        let scratch = tempfile::tempdir().unwrap();
        let places = Places {
            scratch: vec![scratch.path().to_owned()],
            cuda: true,
            ..Places::default()
        };
        powers::give_up().unwrap();
        let landlock = files::restrict(Profile::Sealed, &places).unwrap();
        let seccomp = calls::filter(Profile::Sealed, true).unwrap();
        (landlock > 0 && seccomp).then(body)
    });
    let done = thread.join().unwrap();
    if done.is_none() {
        eprintln!("SKIPPED: this kernel has no Landlock or no seccomp");
    }
    done
}

/// The number of the error that a call fails with, 0 where it succeeds.
fn outcome(number: c_long, arguments: [c_long; 5]) -> i32 {
    // SAFETY: the pointers among the arguments lead to what outlives the call and is as large as
    // the call is told.
    let returned = unsafe {
        libc::syscall(
            number,
            arguments[0],
            arguments[1],
            arguments[2],
            arguments[3],
            arguments[4],
        )
    };
    if returned < 0 {
        Error::last_os_error().raw_os_error().unwrap_or(-1)
    } else {
        0
    }
}

fn unix_socket(kind: i32) -> c_long {
    // SAFETY: it touches no memory.
    unsafe { libc::socket(libc::AF_UNIX, kind | libc::SOCK_CLOEXEC, 0) }.into()
}

/// Names the calling thread as the driver does; the name that it has then.
fn name_thread(name: &str) -> std::io::Result<String> {
    // SAFETY: it touches no memory.
    let thread = unsafe { libc::gettid() };
    let path = format!("/proc/self/task/{thread}/comm");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path);
    file?.write_all(name.as_bytes())?;
    fs::read_to_string(path)
}

#[test]
fn threads_are_named_those_that_start_later_included() {
    let names = contained(|| {
        let first = name_thread("cuda-first").ok();
        let second = thread::spawn(|| name_thread("cuda-second").ok());
        let elsewhere = fs::write("/proc/self/oom_score_adj", "1000");
        (first, second.join().unwrap(), elsewhere.is_ok())
    });
    let Some((first, second, elsewhere)) = names else {
        return;
    };
    assert_eq!(first.as_deref(), Some("cuda-first\n"));
    assert_eq!(second.as_deref(), Some("cuda-second\n"));
    assert!(!elsewhere, "more than the folder of threads is open");
}

#[test]
fn a_unix_socket_is_bound_and_reaches_nobody() {
    let done = contained(|| {
        // A family and an abstract name, which begins with a zero byte.
        let mut address = (libc::AF_UNIX as u16).to_ne_bytes().to_vec();
        address.extend(format!("\0cuda-test-{}", std::process::id()).bytes());
        let (at, length) = (address.as_ptr() as c_long, address.len() as c_long);
        let yes = 1_i32;
        let yes = &raw const yes as c_long;
        let socket = unix_socket(libc::SOCK_SEQPACKET);
        let level = c_long::from(libc::SOL_SOCKET);
        let option = |name: i32| {
            let arguments = [socket, level, name.into(), yes, 4];
            outcome(libc::SYS_setsockopt, arguments)
        };
        let call = |number, arguments| outcome(number, arguments);
        let outcomes = [
            (
                "connect",
                call(libc::SYS_connect, [socket, at, length, 0, 0]),
            ),
            ("pass credentials", option(libc::SO_PASSCRED)),
            ("another option", option(libc::SO_SNDBUF)),
            ("bind", call(libc::SYS_bind, [socket, at, length, 0, 0])),
            ("listen", call(libc::SYS_listen, [socket, 16, 0, 0, 0])),
            ("accept", call(libc::SYS_accept4, [socket, 0, 0, 0, 0])),
            ("sendto", call(libc::SYS_sendto, [socket, at, 1, 0, 0])),
            ("sendmsg", call(libc::SYS_sendmsg, [socket, at, 0, 0, 0])),
            ("recvfrom", call(libc::SYS_recvfrom, [socket, at, 1, 0, 0])),
        ];
        let others = [libc::SOCK_STREAM, libc::SOCK_DGRAM].map(unix_socket);
        let inet = [libc::AF_INET.into(), libc::SOCK_SEQPACKET.into(), 0, 0, 0];
        let inet = outcome(libc::SYS_socket, inet);
        (socket, outcomes, others, inet)
    });
    let Some((socket, outcomes, others, inet)) = done else {
        return;
    };
    assert!(socket >= 0);
    let refused = libc::EPERM;
    let expected = [
        libc::ENOENT,
        0,
        refused,
        0,
        0,
        refused,
        refused,
        refused,
        refused,
    ];
    assert_eq!(
        outcomes.map(|(_, outcome)| outcome),
        expected,
        "{outcomes:?}"
    );
    assert_eq!(others, [-1, -1], "sockets of other types");
    assert_eq!(inet, refused);
}

#[test]
fn the_other_calls_of_the_driver_are_tried_and_no_more() {
    let requests = [
        // NV_ESC_CARD_INFO, UVM_INITIALIZE and UVM_REGISTER_GPU of NVIDIA's modules.
        0xc000_46c8,
        0x3000_0001,
        37,
        libc::TIOCSTI as c_long,
        libc::FICLONE as c_long,
    ];
    let done = contained(move || {
        let null = fs::File::open("/dev/null").unwrap();
        let null = c_long::from(std::os::fd::AsRawFd::as_raw_fd(&null));
        let mut room = [0_u64; 64];
        let room = room.as_mut_ptr() as c_long;
        let calls = [
            outcome(libc::SYS_eventfd2, [0, libc::EFD_CLOEXEC.into(), 0, 0, 0]),
            outcome(libc::SYS_pipe2, [room, libc::O_CLOEXEC.into(), 0, 0, 0]),
            outcome(libc::SYS_get_mempolicy, [room, 0, 0, 0, 0]),
            outcome(
                libc::SYS_prlimit64,
                [0, libc::RLIMIT_STACK.into(), 0, room, 0],
            ),
        ];
        let answers = requests.map(|request| outcome(libc::SYS_ioctl, [null, request, 0, 0, 0]));
        (calls, answers)
    });
    let Some((calls, answers)) = done else {
        return;
    };
    assert_eq!(calls, [0; 4]);
    // `/dev/null` has no such requests, and says so where it is asked.
    let asked = libc::ENOTTY;
    let refused = libc::EPERM;
    assert_eq!(answers, [asked, asked, asked, refused, refused]);
}

#[test]
fn the_folders_of_the_driver_are_those_of_the_loaders_cache() {
    let cache = b"glibc-ld.so.cache1.1\x02\0\0\0\xff\0\0libcuda.so.1\0/opt/driver/libcuda.so.1\0\
                  /opt/driver/libcuda.so\0libcuda.so.1\0/opt/32/libcuda.so.1\0/lib/libc.so.6\0";
    let folders = folders_in_cache(cache);
    assert_eq!(folders, ["/opt/driver", "/opt/32"].map(PathBuf::from));
    assert!(folders_in_cache(b"").is_empty());
}

#[test]
fn of_the_drivers_folder_its_own_libraries_are_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let library = std::env::current_exe().unwrap();
    symlink(library, path("libcuda.so.580.159")).unwrap();
    symlink("libcuda.so.580.159", path("libcuda.so.1")).unwrap();
    symlink("libcuda.so.580.159", path("libnvidia-ptxjitcompiler.so.1")).unwrap();
    symlink("libcuda.so.580.159", path("libuser.so")).unwrap();
    symlink("/", path("libnvidia-ml.so.1")).unwrap();
    fs::write(path("libnvidia-text.so"), "a text").unwrap();
    assert_eq!(libraries_of_driver(folder.path()).len(), 3);
}
