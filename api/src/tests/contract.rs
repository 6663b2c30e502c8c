//! The OpenAPI document against the rules that it and the API follow.

use super::*;

fn operations(document: &Value) -> impl Iterator<Item = (String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().expect("methods").iter();
        methods.map(move |(method, operation)| (format!("{method} {path}"), operation))
    })
}

#[tokio::test]
async fn the_document_is_openapi_3_1_and_every_error_in_it_has_one_shape() {
    let node = Node::start().await;
    let served = node.get("/api/openapi.json").await;
    let document = served.json();
    assert_eq!(document, crate::document(node.runtime.registry()));
    assert!(text(&document["openapi"]).starts_with("3.1"));
    let mut names = std::collections::BTreeSet::new();
    for (name, operation) in operations(&document) {
        assert!(names.insert(text(&operation["operationId"])), "{name} has the id of another");
        let responses = operation["responses"].as_object().expect("responses");
        for status in ["400", "403", "421", "500", "503"] {
            assert!(responses.contains_key(status), "{name} does not say {status}");
        }
        for (status, response) in responses.iter().filter(|(status, _)| status.starts_with(['4', '5'])) {
            let content = &response["content"];
            let shape = "#/components/schemas/ErrorBody";
            assert_eq!(content["application/json"]["schema"]["$ref"], shape, "{name} {status}");
            assert!(!text(&response["description"]).is_empty(), "{name} {status}");
        }
    }
    node.stop().await;
}

#[tokio::test]
async fn every_operation_says_what_it_is_for_and_every_parameter_what_it_means() {
    let document = crate::document(&actions::builtin());
    let listed = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let known: Vec<_> = listed(&document["tags"]).iter().map(|tag| tag["name"].clone()).collect();
    for (name, operation) in operations(&document) {
        assert!(operation["summary"].as_str().is_some_and(|summary| summary.len() > 5), "{name}");
        let tags = listed(&operation["tags"]);
        assert!(tags.len() == 1 && known.contains(&tags[0]), "{name}: {tags:?}");
        for parameter in listed(&operation["parameters"]) {
            let shown = format!("{name}: {}", parameter["name"]);
            assert!(parameter["description"].as_str().is_some_and(|text| text.len() > 3), "{shown}");
            assert!(parameter["schema"].is_object(), "{shown}");
            if parameter["name"] == "limit" {
                let bounds = ["minimum", "maximum"].map(|bound| parameter["schema"][bound].as_f64());
                assert_eq!(bounds, [Some(1.0), Some(200.0)], "{shown}");
            }
        }
    }
}

#[tokio::test]
async fn every_example_is_a_body_that_its_route_understands() {
    let node = Node::start().await;
    let document = crate::document(node.runtime.registry());
    let mut tried = 0;
    for (name, operation) in operations(&document) {
        let Some(path) = name.strip_prefix("post ").filter(|path| !path.contains("/hooks/")) else {
            continue;
        };
        let path = path.replace("{run_id}", "01a1fc90-60f8-7fec-9a7c-7419f45098b0").replace("{name}", "shop");
        for (kind, content) in operation["requestBody"]["content"].as_object().into_iter().flatten() {
            let Some(example) = content.get("example") else { continue };
            let body = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
            let answer =
                node.send(request(Method::POST, &path, &[("content-type", kind)], body.into())).await;
            let is_known = [StatusCode::NOT_FOUND, StatusCode::CONFLICT].contains(&answer.status);
            let understood = answer.status.is_success() || is_known;
            assert!(understood, "{name}: {:?}", answer.json());
            assert_ne!(answer.json()["is_valid"], false, "{name}");
            tried += 1;
        }
    }
    assert!(tried >= 10, "{tried}");
    node.stop().await;
}

#[tokio::test]
async fn every_reference_in_the_document_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = crate::document(&actions::builtin());
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("a reference within the document");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn the_input_of_an_act_is_the_registrys_without_what_the_path_says() {
    let document = crate::document(&actions::builtin());
    let fork = &document["paths"]["/api/v1/runs/{run_id}/fork"]["post"];
    let input = &fork["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(input["required"], json!(["from_step"]));
    assert!(input["properties"].get("run_id").is_none());
    assert_eq!(input["additionalProperties"], false);
}

#[tokio::test]
async fn pages_and_probes_answer_without_a_network() {
    let node = Node::start().await;
    for path in ["/api/v1/health", "/healthz", "/readyz"] {
        let health = node.get(path).await.json();
        assert_eq!(health["status"], "ok", "{path}");
        assert!(health["figures"]["journal_entries"].as_u64() > Some(0), "{path}: {health}");
    }
    let page = node.get("/api/docs/").await;
    assert!(String::from_utf8_lossy(&page.body).contains("swagger-ui"));
    for path in ["/schemas/blueprint.v1.json", "/schemas/policy.v1.json"] {
        assert!(node.get(path).await.json().get("properties").is_some(), "{path}");
    }
    let metrics = node.get("/metrics").await;
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    for name in
        ["xyn_http_request_duration_seconds_count", "xyn_journal_entries", "xyn_intents_accepted_total"]
    {
        assert!(metrics.contains(name), "{name}");
    }
    node.stop().await;
}
