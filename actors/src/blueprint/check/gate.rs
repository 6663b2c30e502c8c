//! Gates: what a run waits for.
//!
//! Owns which keys go with which mode.

use super::names::Names;
use super::{Checker, Code, Fields, source};
use crate::blueprint::plan::{Gate, GateTimeout, OnTimeout};
use crate::governance::{Approver, approvers};
use source::Mode;

/// Keys that only some modes have.
const MODE_KEYS: [(&str, &[Mode]); 9] = [
    ("approvers", &[Mode::Manual]),
    ("min", &[Mode::Manual]),
    ("allow_requester", &[Mode::Manual]),
    ("prompt", &[Mode::Manual]),
    ("delay", &[Mode::Timer]),
    ("event_type", &[Mode::Event]),
    ("match", &[Mode::Event]),
    ("timeout", &[Mode::Manual, Mode::Event]),
    ("on_timeout", &[Mode::Manual, Mode::Event]),
];

impl<'a> Checker<'_, 'a> {
    pub(super) fn gate(&mut self, fields: Fields<'a>, names: &Names<'_>) -> Option<Gate> {
        self.doc.required(fields, "a gate", "mode", "say what it waits for: `manual`, `timer` or `event`")?;
        let mode = self.doc.word::<Mode>(fields, "mode")?;
        for (name, modes) in MODE_KEYS {
            if let Some(key) = fields.key(name).filter(|_| !modes.contains(&mode)) {
                let of: Vec<_> = modes.iter().map(|mode| format!("`{}`", word(*mode))).collect();
                let message = format!("`{name}` is no key of a gate of mode `{}`", word(mode));
                self.doc.fault(
                    key,
                    Code::UnknownKey,
                    message,
                    format!("it goes with mode {}", of.join(" and ")),
                );
            }
        }
        match mode {
            Mode::Manual => Some(self.manual(fields, names)),
            Mode::Timer => {
                self.doc.required(fields, "a gate of mode `timer`", "delay", "say how long: `delay: 10m`")?;
                Some(Gate::Timer { delay: self.doc.time(fields, "delay", self.max_wait())? })
            }
            Mode::Event => {
                let event_type = self.event_type(fields, "a gate of mode `event`");
                let matches = fields.get("match").map(|node| self.condition(node, names));
                let matches = matches.flatten().map(|(matches, _)| matches);
                let timeout = self.gate_timeout(fields);
                Some(Gate::Event { event_type: event_type?, matches, timeout })
            }
        }
    }

    fn manual(&mut self, fields: Fields<'a>, names: &Names<'_>) -> Gate {
        let approvers = approvers(self.doc, fields, "approvers");
        let min = self.doc.whole(fields, "min", 1..=1000).unwrap_or(1);
        let people = approvers.iter().filter(|approver| matches!(approver, Approver::Principal(_))).count();
        if let Some(node) = fields.get("min")
            && !approvers.is_empty()
            && people == approvers.len()
            && people < min as usize
        {
            let message = format!("{min} approvals are asked for, and only {people} may approve");
            self.doc.fault(node, Code::Contradiction, message, "name more approvers, or ask for fewer");
        }
        Gate::Manual {
            approvers,
            min,
            allow_requester: self.doc.boolean(fields, "allow_requester"),
            prompt: fields.get("prompt").map(|node| self.template(node, names)),
            timeout: self.gate_timeout(fields),
        }
    }

    fn gate_timeout(&mut self, fields: Fields<'a>) -> Option<GateTimeout> {
        let then = self.doc.word::<OnTimeout>(fields, "on_timeout");
        if let Some(key) = fields.key("on_timeout").filter(|_| fields.get("timeout").is_none()) {
            let message = "`on_timeout` without `timeout` never happens";
            self.doc.fault(key, Code::Contradiction, message, "say when the wait ends: `timeout: 24h`");
        }
        let after = self.doc.time(fields, "timeout", self.max_wait())?;
        Some(GateTimeout { after, then: then.unwrap_or_default() })
    }
}

fn word(mode: Mode) -> &'static str {
    match mode {
        Mode::Manual => "manual",
        Mode::Timer => "timer",
        Mode::Event => "event",
    }
}
