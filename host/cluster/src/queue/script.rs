//! The script of an array: it finds the action of its task and turns into `pipeline exec`.

use std::fmt::Write as _;

use super::Wave;
use crate::sites::Site;

/// Variables that a job needs as this process has them, wherever its queue takes variables from: where libraries,
/// plugins, datasets, credentials and the user's trust are.
const PASSED: [&str; 5] = [
    "LD_LIBRARY_PATH",
    "ASSAY_DATA_DIR",
    "HOME",
    "XDG_CONFIG_HOME",
    "SSL_CERT_FILE",
];

/// The script of a wave for this site. `task` and `attempt` are words of the shell: the number of the task, and
/// what tells this execution of it from others.
pub(crate) fn script(site: &Site, wave: &Wave<'_>, task: &str, attempt: &str) -> String {
    let mut text = String::from("#!/bin/sh\nexec 2>&1\n");
    // Whoever submitted it trusted the plugin, whose hash the action names; here no folder is trusted.
    text.push_str("unset ASSAY_TRUSTED_ONLY\n");
    for name in PASSED {
        if let Ok(value) = std::env::var(name) {
            let _ = writeln!(text, "export {name}={}", quoted(&value));
        }
    }
    for line in &site.setup {
        let _ = writeln!(text, "{line}");
    }
    let _ = write!(
        text,
        "store=\"{}\"\n\
         mkdir -p -m 700 \"$store\" && [ -O \"$store\" ] || {{ echo \"$store is not ours\" >&2; exit 75; }}\n\
         key=$(sed -n \"$(({task} + 1))p\" <<'ACTIONS'\n",
        site.local_store
    );
    for action in wave.actions {
        let _ = writeln!(text, "{action}");
    }
    let _ = write!(
        text,
        "ACTIONS\n)\n\
         exec {} exec \"$key\" --store \"$store\" --hub {} --attempt \"{}-{attempt}\"",
        quoted(&wave.program.display().to_string()),
        quoted(&site.hub.to_string()),
        wave.name,
    );
    let resources = wave.needs.resources;
    if let Some(cpus) = resources.cpus {
        let _ = write!(text, " --threads {cpus}");
    }
    if let Some(memory) = wave.needs.limit_memory {
        let _ = write!(text, " --memory '{memory} B'");
    }
    if let Some(time) = wave.needs.limit_time_ms {
        let _ = write!(text, " --time {time}ms");
    }
    text.push('\n');
    text
}

/// The text as one word of the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_breaks_out_of_its_word() {
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's; rm"), r"'it'\''s; rm'");
    }
}
