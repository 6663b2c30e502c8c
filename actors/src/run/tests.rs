//! What a run means, as stories: given a blueprint, when something is told, then these facts follow.

mod attempts;
mod chains;
mod endings;
mod fans;
mod gates;
mod inputs;
mod legality;
mod phrases;
mod places;
mod policies;
mod properties;
mod snapshots;
mod stand_ins;
mod story;
mod surroundings;
mod undoing;
mod words;
mod work;
