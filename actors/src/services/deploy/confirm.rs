//! The word that production needs: whoever asks says it again, knowing what is about to happen.
//!
//! Pure. Owns what is restated, and the token that stands for it. The token is no secret: it proves that what is
//! confirmed is what was shown. Invariant: a token confirms one restatement and is used up by what it lets happen; a
//! restatement that came to say anything else needs a new one.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use xyn_store::ids::EntryId;
use xyn_store::projection::Target;
use xyn_store::scope::{Principal, Stage};
use xyn_store::{Digest, Timestamp};

use crate::runtime::Refusal;

/// Characters of a token.
const TOKEN_CHARS: usize = 16;

/// What is about to happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Restatement {
    /// `deploy` or `roll back`.
    pub verb: &'static str,
    /// Who asks.
    pub principal: Principal,
    /// Which app in which version, as a URN.
    pub id: String,
    /// What the app is called.
    pub name: String,
    /// Its generation.
    pub generation: u64,
    /// The capsule.
    pub capsule: Digest,
    /// Its content.
    pub tree: Digest,
    /// Who packed it, as its manifest says.
    pub packed_by: String,
    /// The branch and the moment that offer it, where there is one.
    pub moment: Option<(String, EntryId)>,
    /// The commands that built it.
    pub build: Vec<String>,
    /// The environment.
    pub env: String,
    /// The stage.
    pub stage: Stage,
    /// The target.
    pub target: Target,
    /// What serves there now.
    pub replaces: Option<String>,
    /// Since when it does: the same version in the same place, later on, is asked about again.
    pub replaces_since: Option<Timestamp>,
    /// Which secret is the address of which service.
    pub services: BTreeMap<String, String>,
    /// Seeds that are applied again, over what is there.
    pub seeds: Vec<String>,
}

impl Restatement {
    /// What confirms it.
    pub fn token(&self) -> String {
        let bytes = serde_json::to_vec(self).expect("it has string keys and finite numbers");
        Digest::of(&bytes).to_string().chars().take(TOKEN_CHARS).collect()
    }

    /// Lets it happen when `given` confirms this very thing; asks for a word otherwise.
    pub(super) fn confirmed(self, given: Option<&str>) -> Result<((), String), Refusal> {
        match given {
            Some(token) if token == self.token() => Ok(((), format!("confirmed by {}", self.principal))),
            given => Err(Refusal::Unconfirmed { restatement: Box::new(self), is_outdated: given.is_some() }),
        }
    }
}

impl fmt::Display for Restatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, id, generation, capsule, tree, packed_by, env, stage, target, .. } = self;
        write!(f, "{verb} `{id}`, generation {generation}, capsule {capsule}, content {tree}, ")?;
        write!(f, "packed by {packed_by}")?;
        if let Some((branch, entry_id)) = &self.moment {
            write!(f, " on branch `{branch}` (moment {entry_id})")?;
        }
        match self.build.as_slice() {
            [] => f.write_str(", no build steps")?,
            steps => write!(f, ", built by `{}`", steps.join("`, `"))?,
        }
        write!(f, ", to {} of environment `{env}` as {target}", stage.as_str())?;
        for (service, secret) in &self.services {
            write!(f, ", its service `{service}` at the address in the secret `{secret}`")?;
        }
        if !self.seeds.is_empty() {
            let seeds = self.seeds.join("`, `");
            write!(f, ", with its seeds `{seeds}` applied again over the data that is there")?;
        }
        match &self.replaces {
            Some(id) => write!(f, ", in place of `{id}`"),
            None => f.write_str(", where nothing serves yet"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restatement() -> Restatement {
        Restatement {
            verb: "deploy",
            principal: Principal::local_operator(),
            id: "urn:xyn:app:shop@1.4.2".to_owned(),
            name: "The shop".to_owned(),
            generation: 3,
            capsule: Digest::of(b"capsule"),
            tree: Digest::of(b"tree"),
            packed_by: "ada@lab".to_owned(),
            moment: None,
            build: vec!["npm ci".to_owned(), "npm run build".to_owned()],
            env: "local".to_owned(),
            stage: Stage::Prod,
            target: Target::Static,
            replaces: Some("urn:xyn:app:shop@1.4.1".to_owned()),
            replaces_since: Some(Timestamp::from_micros(1)),
            services: BTreeMap::from([("db".to_owned(), "app/shop/db".to_owned())]),
            seeds: vec!["goods".to_owned()],
        }
    }

    #[test]
    fn only_the_token_of_what_is_shown_confirms_it() {
        let token = restatement().token();
        assert!(restatement().confirmed(Some(&token)).is_ok());
        let changes: [fn(&mut Restatement); 8] = [
            |it| it.principal = Principal::new("eve@lab"),
            |it| it.replaces_since = Some(Timestamp::from_micros(2)),
            |it| it.capsule = Digest::of(b"another"),
            |it| it.replaces = None,
            |it| it.stage = Stage::Staging,
            |it| it.build.clear(),
            |it| it.services.clear(),
            |it| it.seeds.clear(),
        ];
        for change in changes {
            let mut other = restatement();
            change(&mut other);
            assert_ne!(other.token(), token, "{other}");
            assert!(matches!(
                other.confirmed(Some(&token)),
                Err(Refusal::Unconfirmed { is_outdated: true, .. })
            ));
        }
        assert!(matches!(
            restatement().confirmed(None),
            Err(Refusal::Unconfirmed { is_outdated: false, .. })
        ));
    }

    #[test]
    fn what_is_about_to_happen_is_said_whole() {
        let said = restatement().to_string();
        for part in [
            "deploy `urn:xyn:app:shop@1.4.2`",
            "generation 3",
            "ada@lab",
            "`npm ci`",
            "to prod",
            "1.4.1`",
            "`db`",
            "`app/shop/db`",
            "seeds `goods` applied again",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}
