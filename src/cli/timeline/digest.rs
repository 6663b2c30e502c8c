//! `xyn timeline digest`: the hash by which two timelines are compared.

use crate::cli::Context;
use crate::cli::table::text;
use crate::client::Need;
use crate::failure::{Exit, Failure};

pub(super) async fn run(context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Read).await?;
    let answer = client.get("/timeline/digest").await?;
    context.out.answer(&answer, |_| text(&answer, "digest"))?;
    if let Some(count) = answer["left_out"].as_u64().filter(|count| *count > 0) {
        context.out.note(&format!(
            "{count} changes to boards show nowhere: what they build on is not here, or they make no sense"
        ));
    }
    Ok(Exit::Done)
}
