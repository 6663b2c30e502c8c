//! `xyn peer show`: a member, its certificate and its connection.

use clap::Args;
use serde_json::Value;

use super::list::{ping, seen};
use crate::cli::Context;
use crate::cli::output::Paint;
use crate::cli::table::{facts, instant, text};
use crate::client::Need;
use crate::failure::{Exit, Failure};

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The member's key, the beginning of it, or its principal
    peer: String,
}

pub(super) async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Read).await?;
    let peer = super::named(&client, &arguments.peer).await?;
    context.out.answer(&peer, |paint| render(&peer, paint))?;
    Ok(Exit::Done)
}

fn render(peer: &Value, paint: Paint) -> String {
    let connection = &peer["connection"];
    let expires = instant(peer, "expires_at");
    let pairs = [
        ("peer", text(peer, "node")),
        ("fingerprint", text(peer, "fingerprint")),
        ("who", text(peer, "principal")),
        ("role", text(peer, "role")),
        ("standing", paint.status(&text(peer, "standing"))),
        ("certified by", text(peer, "issuer")),
        ("certified at", instant(peer, "issued_at")),
        ("expires", if expires.is_empty() { "never".to_owned() } else { expires }),
        ("records here", text(peer, "records")),
        ("seen", seen(peer)),
        ("address", text(connection, "address")),
        ("ping", ping(connection)),
        ("lag", connection["lag_records"].as_u64().map(|lag| format!("{lag} records")).unwrap_or_default()),
    ];
    facts(&pairs, paint)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_member_shows_who_vouches_for_it() {
        let peer = json!({
            "node": "ab12", "fingerprint": "0a1b-2c3d", "is_self": false, "principal": "ada@lab",
            "role": "operator", "standing": "active", "rank": 1, "issuer": "cd34",
            "issued_at": "2026-01-31T12:00:00.000042Z", "expires_at": null, "records": 40,
            "last_seen_at": null, "connection": null,
        });
        insta::assert_snapshot!(render(&peer, Paint::PLAIN), @r"
        peer          ab12
        fingerprint   0a1b-2c3d
        who           ada@lab
        role          operator
        standing      active
        certified by  cd34
        certified at  2026-01-31 12:00:00
        expires       never
        records here  40
        seen          not seen since this node started
        ");
    }
}
