//! `pipeline plugin new`: writes the crate of a new plugin, to be built and changed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::error::CliError;
use crate::scaffold::{PluginName, Scaffold, ScaffoldError, Sdk, Template, find_libtorch, write};
use crate::ui;

const EXAMPLES: &str = "\
Examples:
  pipeline plugin new my-rule
  pipeline plugin new my-rule --template cpp
  pipeline plugin new my-rule --dir ~/rules/my-rule
  pipeline plugin new my-rule --sdk-git https://example.org/assay.git --rev 4f2c9a1

The crate is complete: `cargo build --release --target-dir target` in it gives
target/release/libassay_my_rule.so, whose rule, direct random target projection, is there to be
changed. docs/plugin-guide.md goes on from here, and docs/plugins-in-cpp.md for `--template cpp`.

Exit codes: 0 written, 2 nothing was written.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct NewArguments {
    /// The name of the plugin, its crate and its algorithm
    name: PluginName,

    /// The language of the rule
    #[arg(long, value_name = "LANGUAGE", value_enum, default_value_t = Template::Rust)]
    template: Template,

    /// The folder to write, new or empty [default: NAME]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// The SDK's folder, plugins/sdk [default: of the sources that this program was built from]
    #[arg(long, value_name = "PATH", conflicts_with = "sdk_git")]
    sdk: Option<PathBuf>,

    /// Take the SDK from a git repository
    #[arg(long, value_name = "URL", requires = "rev")]
    sdk_git: Option<String>,

    /// The commit of that repository
    #[arg(long, value_name = "COMMIT", requires = "sdk_git")]
    rev: Option<String>,

    /// The folder of libtorch, with `lib` and `include` [default: the one that the sources of this
    /// program use]
    #[arg(long, value_name = "DIR", env = "LIBTORCH")]
    libtorch: Option<PathBuf>,
}

impl NewArguments {
    /// The crate to write.
    ///
    /// # Errors
    /// There is no SDK or no libtorch where they were said to be.
    fn scaffold(&self) -> Result<Scaffold, ScaffoldError> {
        let sdk = match (&self.sdk_git, &self.rev) {
            (Some(url), Some(rev)) => Sdk::at_commit(url, rev)?,
            _ => Sdk::in_folder(self.sdk.as_deref())?,
        };
        Ok(Scaffold {
            name: self.name.clone(),
            template: self.template,
            sdk,
            libtorch: find_libtorch(self.libtorch.as_deref())?,
        })
    }

    /// Where to write it.
    fn folder(&self) -> &Path {
        match &self.dir {
            Some(folder) => folder,
            None => Path::new(self.name.as_str()),
        }
    }
}

pub(crate) fn new(arguments: &NewArguments) -> Result<ExitCode, CliError> {
    let files = arguments.scaffold()?.files()?;
    write(arguments.folder(), &files)?;
    ui::print(&text(arguments, &files))?;
    Ok(ExitCode::SUCCESS)
}

/// The files that an author works with, each with its purpose.
const fn explained(template: Template) -> [(&'static str, &'static str); 3] {
    let rule = match template {
        Template::Rust => "src/lib.rs",
        Template::Cpp => "src/rule.cpp",
    };
    [
        (rule, "the rule"),
        ("src/tests.rs", "its equations, once more in plain loops"),
        ("pipeline.toml", "trains it beside backpropagation"),
    ]
}

fn text(arguments: &NewArguments, files: &[(&str, String)]) -> String {
    let folder = crate::ui::words::path(arguments.folder());
    let mut text = format!("wrote {folder}, {} files, among them\n", files.len());
    for (name, what) in explained(arguments.template) {
        let _ = writeln!(text, "  {name:<15}{what}");
    }
    let _ = write!(
        text,
        "\nnext:\n  cd {folder}\n  cargo build --release --target-dir target\n  pipeline run pipeline.toml\n"
    );
    text
}
