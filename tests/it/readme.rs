//! README's tour of the mesh, typed as it stands there, by somebody who types a line again when it came too early.
//!
//! Owns the reading of commands out of README. Changes of them only what would meet others on this machine: the
//! folders and the ports. Invariant: every line up to the simulator's is typed, in order.

use std::path::Path;
use std::process::{Child, Command};
use std::sync::Mutex;

use crate::node::{Folder, Said, eventually};

const PROGRAM: &str = env!("CARGO_BIN_EXE_xyn");
/// What the lines of one block begin with: commands alone, and commands with their answers.
const FENCES: [(&str, &str); 2] = [("```sh", ""), ("```console", "$ ")];

#[tokio::test]
async fn the_tour_of_the_mesh_works_as_typed() {
    let (mut desk, mut compared) = (Desk { folder: Folder::new(), nodes: Vec::new() }, Vec::new());
    let readme = include_str!("../../README.md");
    let commands = commands(section(readme, "## The mesh"));
    let tour: Vec<&str> = commands.into_iter().take_while(|line| !line.starts_with("xyn sim")).collect();
    assert!(tour.len() > 10, "the tour is here: {tour:?}");
    for line in tour {
        let out = desk.types(line).await;
        if line.starts_with("for who in ") {
            compared.push(out.lines().count());
        }
    }
    assert_eq!(compared, [3, 3], "digests and logs of three nodes");
    let log = desk.types("xyn timeline log --data /tmp/cy").await;
    for told in ["works on the train", "Say hello: started, completed", "merged `try-out` into `main`"] {
        assert!(log.contains(told), "{told}: {log}");
    }
}

/// Who types.
struct Desk {
    folder: Folder,
    nodes: Vec<Child>,
}

impl Desk {
    /// Types a line until it does what it is to do, and answers what it says.
    async fn types(&mut self, line: &str) -> String {
        let mut here = line.replace("/tmp/", &format!("{}/", self.folder.data().display()));
        for port in 1..=3 {
            here = here.replace(&format!(":432{port}"), ":0").replace(&format!("/tcp/433{port}"), "/tcp/0");
        }
        match here.strip_suffix('&') {
            Some(here) => self.starts(here).await,
            None => eventually(line, async || done(line, &Said::of(&mut self.shell(&here)))).await,
        }
    }

    /// Types a line that goes on behind the others, until its node answers.
    async fn starts(&mut self, line: &str) -> String {
        let data = line.split_once("--data ").and_then(|(_, rest)| rest.split(' ').next());
        let status = format!("xyn status --data {}", data.expect("a node has a folder"));
        loop {
            let node = Mutex::new(self.shell(line).spawn().expect("bash starts"));
            let came = eventually(line, async || {
                let ended = node.lock().expect("nobody panics with it").try_wait().expect("it is ours");
                let said = Said::of(&mut self.shell(&status));
                (said.code == 0).then_some(Some(said.out)).or(ended.map(|_| None))
            });
            let came = came.await;
            self.nodes.push(node.into_inner().expect("nobody panics with it"));
            if let Some(status) = came {
                return status;
            }
        }
    }

    fn shell(&self, line: &str) -> Command {
        let mut shell = self.folder.program_by(["bash", "-c", line]);
        let programs = Path::new(PROGRAM).parent().expect("it is in a folder").display();
        shell.env("PATH", format!("{programs}:{}", std::env::var("PATH").unwrap_or_default()));
        shell
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            // One that was ended by the tour is gone.
            let _ = node.kill();
            let _ = node.wait();
        }
    }
}

/// What a line answers when it did what the tour says it does.
fn done(line: &str, said: &Said) -> Option<String> {
    let is_done = said.code == 0
        && match line {
            // One answer of each node.
            line if line.starts_with("for who in ") => {
                let mut answers = said.out.lines();
                let first = answers.next();
                answers.all(|answer| Some(answer) == first)
            }
            line if line.contains("peer list") => said.out.matches("connected since").count() == 2,
            _ => true,
        };
    is_done.then(|| said.out.clone())
}

fn section<'a>(text: &'a str, title: &str) -> &'a str {
    let (_, rest) = text.split_once(title).expect("README has it");
    rest.split_once("\n## ").map_or(rest, |(section, _)| section)
}

/// The commands of the blocks of `text`.
fn commands(text: &str) -> Vec<&str> {
    let (mut commands, mut prompt) = (Vec::new(), None);
    for line in text.lines() {
        if line.starts_with("```") {
            prompt = FENCES.iter().find(|(fence, _)| line == *fence).map(|(_, prompt)| *prompt);
        } else if let Some(command) = prompt.and_then(|prompt| line.strip_prefix(prompt)) {
            commands.push(command);
        }
    }
    commands
}
