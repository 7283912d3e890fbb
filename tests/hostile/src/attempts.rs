//! Attempts of a plugin while it trains. Each returns how it was refused, or nothing where it
//! succeeded; some never return.

#![allow(clippy::unnecessary_wraps, reason = "all attempts have one signature")]

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Error, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

pub(crate) type Attempt = Result<(), String>;

fn refused<T>(what: &str, result: Result<T, Error>) -> Attempt {
    match result {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{what}: {error}")),
    }
}

/// As [`refused`], for a call that returns -1 where it fails.
fn call(what: &str, returned: libc::c_long) -> Attempt {
    if returned < 0 {
        return Err(format!("{what}: {}", Error::last_os_error()));
    }
    Ok(())
}

pub(crate) fn panic(_: &str) -> Attempt {
    panic!("this plugin panics")
}

pub(crate) fn abort(_: &str) -> Attempt {
    std::process::abort()
}

pub(crate) fn exit(_: &str) -> Attempt {
    std::process::exit(0)
}

pub(crate) fn segfault(_: &str) -> Attempt {
    // SAFETY: there is none: this is the access that ends the process.
    unsafe { std::ptr::without_provenance_mut::<u8>(8).write_volatile(1) };
    Ok(())
}

pub(crate) fn run_for_ever(_: &str) -> Attempt {
    loop {
        std::thread::sleep(Duration::from_mins(1));
    }
}

/// Closes what its supervisor listens to, and goes on.
pub(crate) fn detach(_: &str) -> Attempt {
    for descriptor in 0..256 {
        // SAFETY: whoever uses the descriptor in this process is meant to suffer.
        unsafe { libc::close(descriptor) };
    }
    run_for_ever("")
}

pub(crate) fn allocate(_: &str) -> Attempt {
    let mut hoard = Vec::new();
    loop {
        hoard.push(vec![1_u8; 16 << 20]);
    }
}

pub(crate) fn fork(target: &str) -> Attempt {
    // SAFETY: the child calls nothing but `write` and `_exit`.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let _ = File::create(Path::new(target).join("forked"));
        // SAFETY: it ends the child and touches nothing.
        unsafe { libc::_exit(0) };
    }
    call("fork", child.into())
}

pub(crate) fn execute(target: &str) -> Attempt {
    let file = Path::new(target).join("executed");
    refused("execute", Command::new("/bin/touch").arg(file).status())
}

pub(crate) fn write(target: &str) -> Attempt {
    let file = Path::new(target).join("written");
    refused("write", fs::write(file, "written by a plugin"))
}

pub(crate) fn truncate(target: &str) -> Attempt {
    let file = Path::new(target).join("secret");
    refused(
        "truncate",
        OpenOptions::new()
            .read(true)
            .write(true)
            .truncate(true)
            .open(file),
    )
}

pub(crate) fn change_mode(target: &str) -> Attempt {
    let mode = Permissions::from_mode(0o777);
    refused(
        "change mode",
        fs::set_permissions(Path::new(target).join("secret"), mode),
    )
}

/// Reads a secret and says it aloud, so that it would end up in the log.
pub(crate) fn read(target: &str) -> Attempt {
    let mut secret = String::new();
    let file = File::open(Path::new(target).join("secret"));
    let read = file.and_then(|mut file| file.read_to_string(&mut secret));
    eprintln!("{secret}");
    refused("read", read)
}

/// Has the supervisor collect a secret in its place.
pub(crate) fn redirect(target: &str) -> Attempt {
    let temporary = std::env::var_os("TMPDIR").unwrap_or_default();
    let scratch = Path::new(&temporary).parent().unwrap_or(Path::new("/"));
    let out = scratch.join("out");
    let moved = fs::rename(&out, scratch.join("moved"));
    refused("redirect", moved.and_then(|()| symlink(target, &out)))
}

pub(crate) fn tcp(_: &str) -> Attempt {
    if TcpListener::bind("127.0.0.1:0").is_ok() {
        return Ok(());
    }
    refused("tcp", TcpStream::connect("127.0.0.1:1"))
}

pub(crate) fn udp(_: &str) -> Attempt {
    refused("udp", UdpSocket::bind("127.0.0.1:0"))
}

pub(crate) fn unix(_: &str) -> Attempt {
    let place = Path::new(&std::env::var_os("TMPDIR").unwrap_or_default()).join("socket");
    refused("unix socket", UnixListener::bind(place))
}

pub(crate) fn kill_parent(_: &str) -> Attempt {
    // SAFETY: signalling touches no memory.
    call(
        "kill parent",
        unsafe { libc::kill(libc::getppid(), libc::SIGKILL) }.into(),
    )
}

pub(crate) fn trace_parent(_: &str) -> Attempt {
    // SAFETY: attaching touches no memory of this process.
    call("trace parent", unsafe {
        libc::ptrace(libc::PTRACE_SEIZE, libc::getppid(), 0, 0)
    })
}

pub(crate) fn raise_limit(_: &str) -> Attempt {
    let limit = libc::rlimit {
        rlim_cur: 1 << 20,
        rlim_max: 1 << 20,
    };
    // SAFETY: `limit` lives as long as the call.
    call(
        "raise limit",
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }.into(),
    )
}

/// Leaves the group of processes that its supervisor would end.
pub(crate) fn change_group(_: &str) -> Attempt {
    // SAFETY: it touches no memory.
    call(
        "change group",
        unsafe { libc::setpgid(0, libc::getppid()) }.into(),
    )
}

/// Lets another worker of the same action start: its standard input is the action's lock.
pub(crate) fn unlock(_: &str) -> Attempt {
    // SAFETY: unlocking touches no memory.
    call("unlock", unsafe { libc::flock(0, libc::LOCK_UN) }.into())
}

/// The same calls under the numbers of another interface of the kernel.
pub(crate) fn old_calls(_: &str) -> Attempt {
    const X32: libc::c_long = 0x4000_0000;
    // SAFETY: a socket touches no memory.
    let made = unsafe { libc::syscall(X32 | libc::SYS_socket, libc::AF_INET, libc::SOCK_DGRAM, 0) };
    call("x32 socket", made)
}

/// Looks for a password in its environment.
pub(crate) fn environment(_: &str) -> Attempt {
    match std::env::var("PASSWORD_OF_A_USER") {
        Ok(password) => {
            eprintln!("{password}");
            Ok(())
        }
        Err(error) => Err(format!("environment: {error}")),
    }
}

/// Looks for a thread of this process that is free: it could be made to work for the plugin.
pub(crate) fn threads(_: &str) -> Attempt {
    let tasks = fs::read_dir("/proc/self/task").map_err(|error| error.to_string())?;
    let mut contained = 0;
    for task in tasks.flatten() {
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        let filtered = status.lines().any(|line| line == "Seccomp:\t2");
        let powerless = status.lines().any(|line| line == "NoNewPrivs:\t1");
        if !filtered || !powerless {
            return Ok(());
        }
        contained += 1;
    }
    Err(format!("all of {contained} threads are contained"))
}

/// Writes to everything that is open: the lock, the log, and the pipe to the supervisor.
pub(crate) fn junk(_: &str) -> Attempt {
    for descriptor in 0..64 {
        let junk = b"{\"event\":\"nonsense\"}\n\0\xff{{{\n";
        // SAFETY: `junk` lives as long as the call.
        unsafe { libc::write(descriptor, junk.as_ptr().cast(), junk.len()) };
    }
    Ok(())
}

/// Sends commands to the user's terminal in its error.
pub(crate) fn escape_codes(_: &str) -> Attempt {
    let _ = std::io::stderr().write_all(b"\x1b]0;hijacked log\x07\n");
    Err("\x1b]0;hijacked error\x07".to_owned())
}
