//! The program that jobs run: a copy of this one in the hub.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use assay_core::ObjectHash;
use assay_files::replace;

use crate::error::ClusterError;

/// The mode of a program, less the user's mask.
const EXECUTABLE: u32 = 0o755;
/// A program is not larger.
const LARGEST_PROGRAM: u64 = 4 << 30;

/// Copies this program into the hub, so that a build on this machine changes no job that waits.
pub(super) fn install_program(hub: &Path) -> Result<PathBuf, ClusterError> {
    let own = Path::new("/proc/self/exe");
    let failed = |what, path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| ClusterError::File { what, path, source }
    };
    let bytes = assay_files::read(own, LARGEST_PROGRAM).map_err(failed("read", own))?;
    let folder = hub
        .join("cluster/bin")
        .join(ObjectHash::of(&bytes).to_string());
    let program = folder.join("pipeline");
    if program
        .metadata()
        .is_ok_and(|found| found.len() == bytes.len() as u64)
    {
        return Ok(program);
    }
    let written = fs::create_dir_all(&folder).and_then(|()| replace(&program, &bytes, EXECUTABLE));
    written.map_err(failed("write", &program))?;
    Ok(program)
}
