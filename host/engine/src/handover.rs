//! The actions that a supervisor hands to a worker, over a socket that is the worker's standard input: one message for
//! each, with the descriptors that the worker has for it.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use assay_core::{ActionKey, ArtifactHash};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socketpair,
};
use serde::{Deserialize, Serialize};

/// An action for a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Assignment {
    /// The action, which lies in the store.
    pub(crate) key: ActionKey,
    /// The artifact of the same training with fewer epochs, to go on from.
    pub(crate) continue_from: Option<ArtifactHash>,
}

/// An action as a worker gets it.
#[derive(Debug)]
pub(crate) struct Assigned {
    pub(crate) assignment: Assignment,
    /// The action's lock, held as long as this lives: killing the supervisor alone must not free it.
    pub(crate) lock: OwnedFd,
    /// The pipe of its reports.
    pub(crate) reports: File,
    /// The action's own log.
    pub(crate) log: File,
}

/// Descriptors of a message.
const DESCRIPTORS: usize = 3;
/// No message is longer.
const LONGEST: usize = 4096;

/// A socket for messages, and its other end for a worker.
pub(crate) fn sockets() -> io::Result<(OwnedFd, OwnedFd)> {
    // Messages keep their bounds.
    let (kind, flags) = (SocketType::SEQPACKET, SocketFlags::CLOEXEC);
    Ok(socketpair(AddressFamily::UNIX, kind, flags, None)?)
}

/// Hands an action over.
///
/// # Errors
/// There is nobody at the other end.
pub(crate) fn send(
    socket: &OwnedFd,
    assignment: &Assignment,
    [lock, reports, log]: [BorrowedFd<'_>; DESCRIPTORS],
) -> io::Result<()> {
    let text = serde_json::to_vec(assignment)?;
    let descriptors = [lock, reports, log];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(
        socket,
        &[IoSlice::new(&text)],
        &mut control,
        SendFlags::NOSIGNAL,
    )?;
    Ok(())
}

/// All actions that are handed over, up to the end of the messages.
///
/// # Errors
/// It is no such socket, or a message is not what it must be.
pub(crate) fn receive_all(socket: impl AsFd) -> io::Result<Vec<Assigned>> {
    let mut all = Vec::new();
    loop {
        let mut text = [0; LONGEST];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(
            socket.as_fd(),
            &mut [IoSliceMut::new(&mut text)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        )?;
        let mut descriptors = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = message {
                descriptors.extend(received);
            }
        }
        if received.bytes == 0 {
            return Ok(all);
        }
        let is_cut = received
            .flags
            .intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC);
        let descriptors = <[OwnedFd; DESCRIPTORS]>::try_from(descriptors);
        let (Ok([lock, reports, log]), false) = (descriptors, is_cut) else {
            return Err(io::Error::other(
                "a message lacks descriptors or is cut off",
            ));
        };
        all.push(Assigned {
            assignment: serde_json::from_slice(&text[..received.bytes])?,
            lock,
            reports: reports.into(),
            log: log.into(),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn actions_arrive_with_their_descriptors() {
        let (ours, theirs) = sockets().unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        let file = tempfile::tempfile().unwrap();
        let assignments = [1, 2].map(|byte| Assignment {
            key: ActionKey::from_bytes([byte; 32]),
            continue_from: (byte == 2).then(|| ArtifactHash::from_bytes([3; 32])),
        });
        for assignment in &assignments {
            send(
                &ours,
                assignment,
                [file.as_fd(), writer.as_fd(), file.as_fd()],
            )
            .unwrap();
        }
        drop((ours, writer));
        let received = receive_all(&theirs).unwrap();
        let texts: Vec<_> = received.iter().map(|it| it.assignment.clone()).collect();
        assert_eq!(texts, assignments);
        for Assigned { mut reports, .. } in received {
            reports.write_all(b"report ").unwrap();
        }
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!(read, "report report ");
    }

    #[test]
    fn what_is_no_handover_is_an_error() {
        assert!(receive_all(File::open("/dev/null").unwrap()).is_err());
        let (ours, theirs) = sockets().unwrap();
        rustix::io::write(&ours, b"{}").unwrap();
        drop(ours);
        assert!(receive_all(&theirs).is_err());
    }
}
