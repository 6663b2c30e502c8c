//! `xyn timeline`: what the team did, and going back to any moment of it.

mod branch;
mod diff;
mod digest;
mod log;
mod scrub;
mod show;
mod talk;
mod words;

use clap::Subcommand;

use super::Context;
use crate::failure::{Exit, Failure};

/// What can be done with the timeline.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List moments, oldest first; with --json one a line, equal on every node in sync
    Log(log::Arguments),
    /// Show a moment and its state
    Show(show::Arguments),
    /// Go along the timeline, state by state: with the arrow keys on a terminal, else as a list
    Scrub(scrub::Arguments),
    /// Show what two moments differ in, and what happened between them
    Diff(diff::Arguments),
    /// Show the hash of the whole timeline: equal on nodes that show the same. Reads all of it
    Digest,
    /// Begin a branch at a moment, put one away, or list the branches
    Branch(branch::Arguments),
    /// Join a branch into another
    Merge(words::Merge),
    /// Give a moment a name, take a name away, or list the names
    Label(words::Label),
    /// Keep a moment in sight, or list those that are
    Pin(words::Pin),
    /// Put a note on the timeline
    Note(words::Note),
    /// Comment on a moment, or list what was said of it
    Comment(talk::Comment),
    /// Ask for a review of a moment, talk in it, settle it; or list reviews
    Review(talk::Review),
}

pub(super) async fn run(command: Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::Log(arguments) => log::run(arguments, context).await,
        Command::Show(arguments) => show::run(arguments, context).await,
        Command::Scrub(arguments) => scrub::run(arguments, context).await,
        Command::Diff(arguments) => diff::run(arguments, context).await,
        Command::Digest => digest::run(context).await,
        Command::Branch(arguments) => branch::run(arguments, context).await,
        Command::Merge(merge) => words::merge(merge, context).await,
        Command::Label(label) => words::label(label, context).await,
        Command::Pin(pin) => words::pin(pin, context).await,
        Command::Note(note) => words::note(note, context).await,
        Command::Comment(comment) => talk::comment(comment, context).await,
        Command::Review(review) => talk::review(review, context).await,
    }
}
