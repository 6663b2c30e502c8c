//! Addresses of services: the part of them that must not be said even alone.

use crate::services::secrets::Secret;

/// The password in an address, which may be said alone: as it is written there, and as it is meant. PostgreSQL has
/// an address of its own, `host=… password=…`.
pub(super) fn passwords(secret: &Secret) -> impl Iterator<Item = Secret> + use<> {
    let url = url::Url::parse(secret.expose()).ok();
    let written = url.as_ref().and_then(url::Url::password).map(str::to_owned);
    let meant = written.as_deref().map(unescaped);
    let config: Option<tokio_postgres::Config> = secret.expose().parse().ok();
    let of_postgres =
        config.and_then(|config| Some(String::from_utf8_lossy(config.get_password()?).into_owned()));
    [written, meant, of_postgres].into_iter().flatten().map(Secret::new)
}

/// A part of an address without its escapes.
fn unescaped(part: &str) -> String {
    // As the value of a form, in which these two stand for something else.
    let value = format!("={}", part.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(value.as_bytes()).map(|(_, value)| value.into_owned()).collect()
}
