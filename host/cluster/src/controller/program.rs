//! The program that jobs run: a copy of this one in the hub.

use std::fs;
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use assay_core::ObjectHash;
use assay_engine::host_name;

use crate::error::ClusterError;

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
    let unfinished = folder.join(format!("unfinished-{}-{}", host_name(), std::process::id()));
    let write = || {
        fs::create_dir_all(&folder)?;
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o755)
            .open(&unfinished)?;
        io::Write::write_all(&mut file, &bytes)?;
        file.set_permissions(fs::Permissions::from_mode(0o755))?;
        file.sync_all()?;
        drop(file);
        fs::rename(&unfinished, &program)
    };
    write().map_err(failed("write", &program))?;
    Ok(program)
}
