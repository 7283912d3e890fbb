//! Which values of two JSON documents differ, by path.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;

use assay_core::Difference;
use serde_json::Value;

/// A document of more bytes is not looked into.
const LARGEST: u64 = 64 << 20;

pub(super) fn compare(before: &Path, now: &Path) -> Result<Vec<Difference>, String> {
    let mut differences = Vec::new();
    differ(
        String::new(),
        Some(read(before)?),
        Some(read(now)?),
        &mut differences,
    );
    Ok(differences)
}

fn read(path: &Path) -> Result<Value, String> {
    let size = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > LARGEST {
        return Err(format!("it has more than {} MiB", LARGEST >> 20));
    }
    let mut bytes = Vec::new();
    let file = assay_files::open(path).map_err(|error| error.to_string())?;
    file.take(LARGEST)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| format!("it is no JSON: {error}"))
}

/// Adds the differences at `path` and below to `differences`. Values nest at most as deep as the
/// parser allows, 128 levels.
fn differ(
    path: String,
    before: Option<Value>,
    now: Option<Value>,
    differences: &mut Vec<Difference>,
) {
    match (before, now) {
        (before, now) if before == now => {}
        (Some(Value::Object(mut before)), Some(Value::Object(mut now))) => {
            let keys: BTreeSet<_> = before.keys().chain(now.keys()).cloned().collect();
            for key in keys {
                let below = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                differ(below, before.remove(&key), now.remove(&key), differences);
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(now))) => {
            let (mut before, mut now) = (before.into_iter(), now.into_iter());
            for at in 0_u64.. {
                let (before, now) = (before.next(), now.next());
                if before.is_none() && now.is_none() {
                    break;
                }
                differ(format!("{path}[{at}]"), before, now, differences);
            }
        }
        (before, now) => differences.push(Difference {
            field: path,
            before,
            now,
        }),
    }
}
