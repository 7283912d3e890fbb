//! `pipeline plugin pack`: a library with the files that belong to it, written to one file.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use assay_bundle::{Pack, PackText, Packed, write_pack};
use assay_core::{Advice, CanonicalError, ObjectHash, PluginHash, canonical_json};
use assay_engine::{
    Cancel, LibraryFile, PluginDescription, SignatureError, SigningKey, TrustedKey, read_library,
    read_signature, signature_path,
};
use clap::Args;
use serde::Serialize;

use super::install::{described, is_file_name, located};
use super::sign::signer;
use crate::arguments::search::TrustArguments;
use crate::arguments::user::signing_key_file;
use crate::error::CliError;
use crate::export::failed;
use crate::signing::{VerifyError, trusted_keys};
use crate::ui;
use crate::ui::words::{ShownPath, plain, size};

const EXAMPLES: &str = "\
Examples:
  pipeline plugin pack ./libassay_mine.so
  pipeline plugin pack .                       # the crate's target/release/libassay_*.so, and its licence
  pipeline plugin pack . --licence LICENSE-MIT --pipeline pipeline.toml -o mine.tar.zst

Writes one file for others, who install it with `pipeline plugin install PACK`: the library, its signature
LIBRARY.minisig if one lies beside it, the plugin's description with the schema of its hyper-parameters, a
licence, and a pipeline file, which should name the plugin by its name alone. It is a tar archive under zstd:
`tar -xOf PACK description.json` prints the description. The same files give the same bytes.

Exit codes: 0 done, 1 the signature is not one of the library, 2 there is no such library, it cannot say what it
offers, or the file cannot be written, 130 stopped by Ctrl-C.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PackArguments {
    /// The library, or a folder that holds one, itself or in target/release
    #[arg(value_name = "FILE|DIR")]
    library: PathBuf,

    /// The file to write [default: NAME-VERSION.tar.zst]
    #[arg(long, short, value_name = "PACK")]
    output: Option<PathBuf>,

    /// The licence [default: LICENCE, LICENSE or COPYING in the folder, if it is there]
    #[arg(long, value_name = "FILE")]
    licence: Option<PathBuf>,

    /// A pipeline file that uses the plugin
    #[arg(long, value_name = "FILE")]
    pipeline: Option<PathBuf>,

    /// Write over the file if it is there
    #[arg(long)]
    force: bool,

    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    trust: TrustArguments,
}

/// Files that hold a licence, the first of which is taken.
const LICENCES: [&str; 7] = [
    "LICENCE",
    "LICENCE.md",
    "LICENCE.txt",
    "LICENSE",
    "LICENSE.md",
    "LICENSE.txt",
    "COPYING",
];

/// The reason for which there is no pack.
#[derive(Debug, thiserror::Error)]
enum NotPacked {
    /// The plugin's name or version makes no file name.
    #[error("the plugin's name and version, {name:?} and {version:?}, make no file name")]
    Unnamed {
        /// The name.
        name: String,
        /// The version.
        version: String,
    },
    /// The description has no canonical form.
    #[error("the description of the plugin cannot be written as JSON")]
    Description(#[source] CanonicalError),
}

impl Advice for NotPacked {
    fn help(&self) -> Cow<'_, str> {
        match self {
            Self::Unnamed { .. } => "name the file with --output".into(),
            Self::Description(_) => "".into(),
        }
    }
}

pub(crate) fn pack(arguments: &PackArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    let library = located(&arguments.library)?;
    let LibraryFile { bytes, hash, .. } = read_library(&library)?;
    let signature = signature(&library, &bytes)?;
    let described = described(&arguments.trust, (&library, hash), cancel)?;
    let description = canonical_json(&described).map_err(NotPacked::Description)?;
    let licence = arguments
        .licence
        .clone()
        .or_else(|| arguments.found_licence());
    let pack = Pack {
        description: String::from_utf8_lossy(&description).into_owned(),
        library: bytes,
        signature,
        licence: text_of(licence.as_deref(), PackText::Licence)?,
        pipeline: text_of(arguments.pipeline.as_deref(), PackText::Pipeline)?,
    };
    let file = match &arguments.output {
        Some(file) => file.clone(),
        None => default_file(&described)?,
    };
    let Packed {
        size,
        hash: pack_hash,
    } = write_pack(&file, &pack, arguments.force)?;
    let view = PackedView {
        name: &described.name,
        version: &described.version,
        file: ShownPath(&file),
        files: pack.files().collect(),
        size,
        hash: pack_hash,
        library: hash,
    };
    ui::print_view(&view, arguments.json, text)?;
    Ok(ExitCode::SUCCESS)
}

impl PackArguments {
    /// A licence in the folder that is packed, or beside the library.
    fn found_licence(&self) -> Option<PathBuf> {
        let folder = if self.library.is_dir() {
            Some(self.library.as_path())
        } else {
            self.library.parent()
        };
        let files = LICENCES.iter().map(|name| folder.map(|it| it.join(name)));
        files.flatten().find(|file| file.is_file())
    }
}

/// The signature beside the library, if there is one. That of another build is refused where its key is known:
/// the user's own, or one that is trusted.
fn signature(library: &Path, bytes: &[u8]) -> Result<Option<String>, CliError> {
    if !signature_path(library).exists() {
        return Ok(None);
    }
    let mut keys = trusted_keys()?;
    let own = signing_key_file().map(|file| file.with_extension("pub"));
    let own = own.and_then(|file| SigningKey::read(&file.to_string_lossy()).ok());
    keys.extend(own.map(|key| TrustedKey {
        key,
        comment: String::new(),
    }));
    if let Err(error) = signer(library, bytes, keys) {
        let verify = error.advised::<VerifyError>();
        let is_unknown = matches!(
            verify,
            Some(VerifyError::NoKey | VerifyError::Signature(SignatureError::OtherKey { .. }))
        );
        if !is_unknown {
            return Err(error);
        }
    }
    Ok(Some(read_signature(library)?))
}

fn text_of(file: Option<&Path>, text: PackText) -> Result<Option<String>, CliError> {
    let Some(file) = file else {
        return Ok(None);
    };
    let read = assay_files::read_text(file, text.limit());
    Ok(Some(read.map_err(failed("read", file))?))
}

fn default_file(description: &PluginDescription) -> Result<PathBuf, NotPacked> {
    let PluginDescription { name, version, .. } = description;
    if !is_file_name(name) || !is_file_name(version) {
        return Err(NotPacked::Unnamed {
            name: name.clone(),
            version: version.clone(),
        });
    }
    Ok(format!("{name}-{version}.tar.zst").into())
}

/// A pack that was written.
#[derive(Serialize)]
struct PackedView<'a> {
    name: &'a str,
    version: &'a str,
    file: ShownPath<'a>,
    files: Vec<&'static str>,
    size: u64,
    hash: ObjectHash,
    library: PluginHash,
}

fn text(view: &PackedView<'_>) -> String {
    let mut text = format!(
        "packed {} {} into {}, {}\n",
        plain(view.name),
        plain(view.version),
        view.file,
        size(view.size)
    );
    let _ = writeln!(text, "  files    {}", view.files.join(", "));
    let _ = writeln!(text, "  library  {}", view.library);
    let _ = writeln!(text, "  blake3   {}", view.hash);
    let _ = writeln!(
        text,
        "\nwho receives it: pipeline plugin install {}",
        view.file
    );
    text
}
