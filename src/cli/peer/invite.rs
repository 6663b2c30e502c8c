//! `xyn peer invite`: a ticket for one more node, as text and as a QR code.
//!
//! Invariant: nothing but the ticket reaches stdout, so that a script can pass it on.

use std::io::{self, IsTerminal};

use clap::{Args, ValueEnum};
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use serde_json::json;

use crate::cli::Context;
use crate::cli::table::{instant, text};
use crate::client::Need;
use crate::failure::{Exit, Failure};

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Whose device it lets in
    #[arg(value_name = "NAME@PLACE", default_value = "teammate@local")]
    principal: String,
    /// What that person may do with it
    #[arg(long, value_enum, default_value_t = Role::User)]
    role: Role,
    /// How long the ticket is good, such as 30m, 12h or 7d
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = seconds)]
    expires: u64,
    /// No QR code, also on a terminal
    #[arg(long)]
    no_qr: bool,
}

/// What may be done with a node.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Role {
    /// Day-to-day work
    User,
    /// Runs nodes, packs, replication and backups
    Operator,
    /// Owns the environment and its domains
    OwnerAdmin,
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    let Arguments { principal, role, expires, no_qr } = arguments;
    let role = match role {
        Role::User => "user",
        Role::Operator => "operator",
        Role::OwnerAdmin => "owner_admin",
    };
    let body = json!({ "principal": principal, "role": role, "lifetime_seconds": expires });
    let client = context.client(Need::Node).await?;
    let (invited, waits) = match client.post_or_wait("/peers/invitations", &body).await? {
        (invited, None) => (invited, None),
        // The ticket becomes good with the approval, and is shown only now.
        (mut refusal, waits) => (refusal["error"]["details"].take(), waits),
    };
    let ticket = text(&invited, "ticket");
    if !no_qr && !context.out.json && io::stdout().is_terminal() {
        context.out.note(&qr(&ticket)?);
    }
    context.out.answer(&invited, |_| ticket)?;
    if let Some(waits) = waits {
        return Err(waits);
    }
    let until = instant(&invited, "expires_at");
    context.out.hint(&format!("it lets one node of {principal} in, until {until} UTC; there, type:"));
    if !context.out.json {
        context.out.note("  xyn up --join TICKET");
    }
    Ok(Exit::Done)
}

/// The ticket as a QR code of half blocks. In capitals it is a smaller one, and means the same.
fn qr(ticket: &str) -> Result<String, Failure> {
    let code = QrCode::with_error_correction_level(ticket.to_ascii_uppercase(), EcLevel::L);
    let code = code.map_err(|error| {
        Failure::failed("qr", format!("the ticket fits no QR code: {error}")).hint("leave it out: --no-qr")
    })?;
    // Blocks shine where the code is light: terminals are dark, and scanners take either.
    let (dark, light) = (Dense1x2::Light, Dense1x2::Dark);
    Ok(code.render::<Dense1x2>().dark_color(dark).light_color(light).quiet_zone(true).build())
}

/// A time such as `30m`, in seconds.
fn seconds(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit_s = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err("a time is a number and `s`, `m`, `h` or `d`, such as `12h`".to_owned()),
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit_s));
    seconds.ok_or_else(|| format!("`{number}` is no number of that size"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_unit() {
        let table = [("90s", Some(90)), ("30m", Some(1800)), ("12h", Some(43_200)), ("7d", Some(604_800))];
        for (text, expected) in table {
            assert_eq!(seconds(text).ok(), expected, "{text}");
        }
        for text in ["", "h", "12", "1w", "-1h", "99999999999999999999d"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_ticket_of_usual_length_is_a_code_that_fits_on_a_screen() {
        let code = qr(&format!("xyn1{}", "a2".repeat(200))).expect("it fits");
        let lines: Vec<_> = code.lines().collect();
        assert!(lines.len() <= 45, "{} lines", lines.len());
        assert!(
            lines.iter().all(|line| line.chars().all(|c| " ▀▄█".contains(c)) && line.chars().count() <= 90)
        );
    }
}
