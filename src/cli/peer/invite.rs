//! `xyn peer invite`: a ticket for one more node, as text and as a QR code.
//!
//! Invariant: nothing but the ticket reaches stdout, so that a script can pass it on.

use std::io::{self, IsTerminal};

use clap::Args;
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use serde_json::json;
use xyn_store::trust;

use super::term::{Role, Term, seconds};
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
    #[arg(long, value_enum, default_value_t = Role(trust::Role::User))]
    role: Role,
    /// How long the ticket is good, such as 30m, 12h or 7d
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = seconds)]
    expires: u64,
    /// How long that node belongs, from when it joins, such as 30d, or `ever`
    #[arg(long, value_name = "TIME", default_value = "ever")]
    valid_for: Term,
    /// No QR code, also on a terminal
    #[arg(long)]
    no_qr: bool,
}

/// How the fields of an invitation are typed.
const TYPED: [(&str, &str); 3] =
    [("principal", "NAME@PLACE"), ("lifetime_seconds", "--expires"), ("valid_for_seconds", "--valid-for")];

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    let Arguments { principal, role, expires, valid_for, no_qr } = arguments;
    let mut body = json!({ "principal": principal, "role": role.0, "lifetime_seconds": expires });
    if let Some(seconds) = valid_for.seconds() {
        body["valid_for_seconds"] = json!(seconds);
    }
    let client = context.client(Need::Node).await?;
    let (invited, waits) = match client
        .post_or_wait("/peers/invitations", &body)
        .await
        .map_err(|failure| failure.typed(&TYPED))?
    {
        (invited, None) => (invited, None),
        // The ticket becomes good with the approval, and is shown only now.
        (refusal, waits) => (refusal["error"]["details"].clone(), waits),
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

#[cfg(test)]
mod tests {
    use xyn_store::Timestamp;
    use xyn_store::audit::key::NodeKey;
    use xyn_store::trust::{EnvId, Ticket, TicketId, TicketSecret};

    use super::*;

    #[test]
    fn a_ticket_of_usual_length_is_a_code_that_fits_on_a_screen() {
        let code = qr(&format!("xyn1{}", "a2".repeat(200))).expect("it fits");
        let lines: Vec<_> = code.lines().collect();
        assert!(lines.len() <= 45, "{} lines", lines.len());
        assert!(
            lines.iter().all(|line| line.chars().all(|c| " ▀▄█".contains(c)) && line.chars().count() <= 90)
        );
    }

    /// What a camera sees of a terminal: blocks that shine are light. A block is four pixels wide, as a scanner wants
    /// some of each.
    fn scanned(shown: &str) -> String {
        const SCALE: usize = 4;
        let halves = |line: &str| {
            let lit = |up: bool| {
                line.chars().map(move |block| block == '█' || block == if up { '▀' } else { '▄' })
            };
            [lit(true).collect::<Vec<_>>(), lit(false).collect()]
        };
        let rows: Vec<Vec<bool>> = shown.lines().flat_map(halves).collect();
        let light = |x: usize, y: usize| rows[y / SCALE].get(x / SCALE).copied().unwrap_or_default();
        let (width, height) = (rows[0].len() * SCALE, rows.len() * SCALE);
        let mut image =
            rqrr::PreparedImage::prepare_from_greyscale(
                width,
                height,
                |x, y| {
                    if light(x, y) { 255 } else { 0 }
                },
            );
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1, "one code is shown");
        grids[0].decode().expect("it reads").1
    }

    #[test]
    fn what_a_scanner_reads_from_the_screen_is_the_ticket() {
        let (key, now) = (NodeKey::from_secret([7; 32]), Timestamp::from_micros(1_767_225_600_000_000));
        for addresses in [0, 1, 4] {
            let ticket = Ticket {
                id: TicketId([7; 8]),
                env: EnvId::rooted_in(key.public()),
                issuer: key.public(),
                addresses: (0..addresses).map(|n| format!("/ip6/fd00::{n}/udp/4311/quic-v1")).collect(),
                secret: TicketSecret::from_bytes([5; 16]),
                expires: now,
            };
            let read = scanned(&qr(&ticket.to_string()).expect("it fits"));
            assert_eq!(read.parse::<Ticket>().expect("a ticket"), ticket);
        }
    }
}
