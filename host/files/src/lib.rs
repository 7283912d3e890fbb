//! Files and folders that a stranger may have prepared: opening nothing but regular files, and
//! walking and removing folders of any depth. Everything that the host opens and did not just make
//! is opened here, so a pipe holds nobody up and a device is never read.
//! Files that must appear whole or not at all are written here too.

mod folder;
mod open;
mod replace;
mod room;
mod temporary;
mod walk;

pub use folder::{Content, measure, remove};
pub use open::{
    Kind, NotRegular, TooLarge, append, holds, open, open_itself, open_or_create, read,
    read_itself, read_open, read_text,
};
pub use replace::{NewFile, PRIVATE, READABLE, create, replace};
pub use room::room_advice;
pub use temporary::TemporaryFolder;
