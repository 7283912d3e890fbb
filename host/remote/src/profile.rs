//! Credentials and settings of a profile in the files of Amazon's own tools (`~/.aws/credentials`, `~/.aws/config`),
//! for whoever has none in the environment. Nothing of them is kept or printed.

use std::path::PathBuf;

use ini::Ini;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};

/// Hundreds of profiles fit in it.
const LARGEST: u64 = 1 << 20;

/// Variables that say where credentials come from; they count before any file.
const CREDENTIALS: [&str; 4] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

/// The builder with what the user's profile says and the environment does not.
pub(crate) fn with_profile(builder: AmazonS3Builder) -> AmazonS3Builder {
    let profile = variable("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
    let credentials = file("AWS_SHARED_CREDENTIALS_FILE", "credentials");
    let config = file("AWS_CONFIG_FILE", "config");
    // The second file calls all profiles but the first one `profile NAME`.
    let sections = [
        (credentials.as_ref(), profile.clone()),
        (config.as_ref(), profile.clone()),
        (config.as_ref(), format!("profile {profile}")),
    ];
    let value = |key: &str| {
        let mut found = sections.iter().filter_map(|(file, section)| {
            let value = file.as_ref()?.get_from(Some(section.as_str()), key)?;
            Some(value.to_owned())
        });
        found.next()
    };
    let mut settings = Vec::new();
    if CREDENTIALS.iter().all(|name| variable(name).is_none())
        && let (Some(id), Some(secret)) =
            (value("aws_access_key_id"), value("aws_secret_access_key"))
    {
        settings.push((AmazonS3ConfigKey::AccessKeyId, id));
        settings.push((AmazonS3ConfigKey::SecretAccessKey, secret));
        let token = value("aws_session_token");
        settings.extend(token.map(|token| (AmazonS3ConfigKey::Token, token)));
    }
    if variable("AWS_REGION")
        .or_else(|| variable("AWS_DEFAULT_REGION"))
        .is_none()
    {
        settings.extend(value("region").map(|region| (AmazonS3ConfigKey::Region, region)));
    }
    if variable("AWS_ENDPOINT_URL")
        .or_else(|| variable("AWS_ENDPOINT"))
        .is_none()
    {
        settings.extend(value("endpoint_url").map(|url| (AmazonS3ConfigKey::Endpoint, url)));
    }
    settings.into_iter().fold(builder, |builder, (key, value)| {
        builder.with_config(key, value)
    })
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The file that the variable names, or that of this name in the user's folder. One that cannot be read, or is no
/// such file, counts as none: the server then says what it lacks.
fn file(name: &str, default: &str) -> Option<Ini> {
    let path = match variable(name) {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(variable("HOME")?).join(".aws").join(default),
    };
    let bytes = assay_files::read(&path, LARGEST).ok()?;
    Ini::load_from_str(std::str::from_utf8(&bytes).ok()?).ok()
}
