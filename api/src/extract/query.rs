//! Query parameters that a route does not take.
//!
//! Owns the refusal of them for every route of the document at once: one that is mistyped would else be
//! answered as if nothing had been said. Where a program asks that nobody here wrote, a sender of webhooks or a
//! scraper, it may add some of its own. Invariant: what a route takes is what the document says of it.

use std::collections::HashMap;
use std::sync::LazyLock;

use http::Method;
use serde_json::Value;
use xyn_actors::wording;

use crate::error::ApiError;

/// The names of the parameters that each operation takes, by path and method.
static TAKEN: LazyLock<HashMap<(String, String), Vec<String>>> = LazyLock::new(|| {
    let document = crate::routes::described();
    let paths = document["paths"].as_object().into_iter().flatten();
    let operations = paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| ((path.clone(), method.to_uppercase()), names(operation)))
    });
    operations.collect()
});

fn names(operation: &Value) -> Vec<String> {
    let all = operation["parameters"].as_array().into_iter().flatten();
    let in_query = all.filter(|parameter| parameter["in"] == "query");
    in_query.filter_map(|parameter| parameter["name"].as_str().map(str::to_owned)).collect()
}

/// Whether the route at `path` is asked by programs that bring parameters of their own.
fn is_lenient(path: &str) -> bool {
    !path.starts_with("/api/") || path == "/api/v1/hooks/{hook}"
}

/// Whether the route at `path`, with its places as the document has them, takes every parameter of `query`.
pub(crate) fn takes(method: &Method, path: &str, query: &str) -> Result<(), ApiError> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let Some(known) = TAKEN.get(&(path.to_owned(), method.to_string())).filter(|_| !is_lenient(path)) else {
        return Ok(());
    };
    let mut asked = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
    match asked.find(|name| !known.iter().any(|known| known == name)) {
        Some(name) => {
            let message = wording::unknown(&name, known.iter().map(String::as_str));
            Err(ApiError::invalid(name, message).hint("correct the parameter, or leave it out"))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(method: Method, path: &str, query: &str) -> Option<(String, String)> {
        let error = takes(&method, path, query).err()?;
        let path = error.fault().details["path"].as_str().unwrap_or_default().to_owned();
        Some((path, error.fault().message.clone()))
    }

    #[test]
    fn what_no_route_knows_is_refused_by_name_beside_what_it_knows() {
        assert_eq!(fault(Method::GET, "/api/v1/runs/{run_id}/steps", "limit=1&cursor=00"), None);
        let listed =
            fault(Method::HEAD, "/api/v1/runs/{run_id}/steps", "limit=1&l%69mits=1").expect("unknown");
        let message = "`limits` is not known here; what may be said: `limit`, `cursor`";
        assert_eq!(listed, ("limits".into(), message.into()));
        let none = fault(Method::POST, "/api/v1/timeline/note", "title=x").expect("unknown");
        assert_eq!(none.1, "`title` is not known here: nothing is taken");
        for (method, path) in
            [(Method::GET, "/ui/events"), (Method::GET, "/metrics"), (Method::POST, "/api/v1/hooks/{hook}")]
        {
            assert_eq!(fault(method, path, "anything=1"), None, "{path}");
        }
    }
}
