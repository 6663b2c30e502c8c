//! `xyn policy`: test, explain and activate policies.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use xyn_actors::actions::builtin;
use xyn_actors::document::Issue;
use xyn_actors::governance::{
    self, Context as Act, Evidence, Identity, NamedStage, Policy, PolicySet, Resource, Risk, Role,
    SessionFacts, Table as Cases,
};
use xyn_store::Clock;
use xyn_store::scope::Principal;

use super::faults::{self, Fault};
use super::table::{Column, Table, instant, text};
use super::{Context, input};
use crate::cli::input::at_least_one;
use crate::client::{Client, Need, route};
use crate::config;
use crate::failure::{Exit, Failure};

/// Most policies of a node that are looked at.
const MAX_POLICIES: usize = 1000;

/// What can be done with policies.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a table of cases and say which decide otherwise; needs no node
    Test(Test),
    /// Show which rules decide on an act, and why
    Explain(Box<Explain>),
    /// Put a policy into force
    Activate(Which),
    /// List policies
    List(List),
}

#[derive(Debug, Args)]
pub(super) struct Test {
    /// The table of cases
    file: PathBuf,
    /// A policy that the table may name; without any, those in force on the node
    #[arg(long = "policy", value_name = "FILE")]
    policies: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The action, such as http.call
    #[arg(long)]
    action: String,
    /// Stage of the target: dev, staging or prod; the environment's own when left out
    #[arg(long)]
    stage: Option<String>,
    /// Who acts; the operator of this node when left out
    #[arg(long, value_name = "PRINCIPAL")]
    actor: Option<String>,
    /// A role of who acts: Operator, OwnerAdmin or User
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// A team of who acts
    #[arg(long = "team", value_name = "TEAM")]
    teams: Vec<String>,
    /// What is acted on
    #[arg(long, value_name = "TYPE:ID")]
    resource: Option<String>,
    /// How much the act can break; without it, what the action says
    #[arg(long, value_parser = ["low", "medium", "high"])]
    risk: Option<String>,
    /// The session was opened with a second factor
    #[arg(long)]
    mfa: bool,
    /// The tests of what is acted on passed
    #[arg(long)]
    tests_passed: bool,
    /// A policy to ask; without any, those in force on the node
    #[arg(long = "policy", value_name = "FILE")]
    policies: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// The file; - is stdin
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// How many at most
    #[arg(long, default_value_t = 50, value_parser = at_least_one)]
    limit: usize,
}

pub(super) async fn run(command: Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::Test(arguments) => test(arguments, context).await,
        Command::Explain(arguments) => explain(*arguments, context).await,
        Command::Activate(Which { file }) => activate(&file, context).await,
        Command::List(arguments) => list(arguments, context).await,
    }
}

async fn test(arguments: Test, context: &Context) -> Result<Exit, Failure> {
    let source = input::text(&arguments.file)?;
    let known = if arguments.policies.is_empty() {
        match in_force(context).await {
            // A table that brings its policies along needs no node.
            Err(failure) if failure.exit == Exit::Unreachable => Vec::new(),
            known => known?,
        }
    } else {
        match read_all(&arguments.policies, context)? {
            Ok(known) => known,
            Err(exit) => return Ok(exit),
        }
    };
    let cases = match Cases::parse(source.as_bytes(), &known) {
        Ok(cases) => cases,
        Err(issues) => return show_faults(&arguments.file, &source, issues, context),
    };
    let results = cases.run();
    let failed = results.iter().filter(|result| !result.passed).count();
    let document = json!({ "passed": results.len() - failed, "failed": failed, "cases": results });
    context.out.answer(&document, |paint| {
        let lines = results.iter().map(|result| match result.passed {
            true => paint.good(&result.to_string()),
            false => paint.bad(&result.to_string()),
        });
        let total = format!("{} cases, {failed} failed", results.len());
        lines.chain([total]).collect::<Vec<_>>().join("\n")
    })?;
    Ok(if failed == 0 { Exit::Done } else { Exit::Failed })
}

async fn explain(arguments: Explain, context: &Context) -> Result<Exit, Failure> {
    let policies = if arguments.policies.is_empty() {
        in_force(context).await?
    } else {
        match read_all(&arguments.policies, context)? {
            Ok(policies) => policies,
            Err(exit) => return Ok(exit),
        }
    };
    let act = act(arguments, context)?;
    let explanation = governance::explain(&PolicySet::new(&policies), &act);
    let document =
        serde_json::to_value(&explanation).expect("explanations have string keys and finite numbers");
    context.out.answer(&document, |_| explanation.to_string())?;
    Ok(Exit::Done)
}

/// The act that is asked about.
fn act(arguments: Explain, context: &Context) -> Result<Act, Failure> {
    let settings = config::load(&context.flags(), &config::process_environment)?.settings;
    let mut actor = match arguments.actor {
        Some(name) => Identity::bare(Principal::new(name)),
        None => Identity::local_operator(),
    };
    if !arguments.roles.is_empty() {
        actor.roles = arguments.roles.iter().map(|role| parse_role(role)).collect::<Result<_, _>>()?;
    }
    actor.teams.extend(arguments.teams);
    let resource = arguments.resource.as_deref().map(|resource| {
        let (kind, id) = resource.split_once(':').unwrap_or((resource, ""));
        Resource { kind: kind.to_owned(), id: id.to_owned() }
    });
    let risk = match arguments.risk.as_deref() {
        Some("high") => Risk::High,
        Some("medium") => Risk::Medium,
        Some(_) => Risk::Low,
        None => builtin().get(&arguments.action).map_or(Risk::Low, |action| action.spec.risk),
    };
    let evidence = Evidence { artifact_id: None, tests_passed: Some(true) };
    Ok(Act {
        actor,
        pou_id: None,
        env_id: settings.env_id,
        action: arguments.action,
        stage: arguments.stage.map_or(NamedStage::Known(settings.stage), NamedStage::from),
        resource,
        risk,
        artifacts: if arguments.tests_passed { vec![evidence] } else { Vec::new() },
        session: Some(SessionFacts { id: None, mfa: Some(arguments.mfa) }),
        now: Clock::system().now(),
    })
}

fn parse_role(word: &str) -> Result<Role, Failure> {
    let known = Role::ALL.into_iter().find(|role| role.as_str().eq_ignore_ascii_case(word));
    known.ok_or_else(|| {
        Failure::usage(format!("`{word}` is no role")).at("--role").hint("roles: Operator, OwnerAdmin, User")
    })
}

/// The policies in force on the node, or in its folder.
pub(super) async fn in_force(context: &Context) -> Result<Vec<Policy>, Failure> {
    let client = context.client(Need::Read).await?;
    let mut policies = Vec::new();
    for (id, source) in sources_in_force(&client).await? {
        let policy = governance::parse(source.as_bytes()).map_err(|issues| {
            let first = issues.first().map(ToString::to_string).unwrap_or_default();
            Failure::failed("invalid_policy", format!("the policy `{id}` in force cannot be read: {first}"))
                .hint("ask with the program that the node runs, or put another into force: xyn policy activate FILE")
        })?;
        policies.push(policy);
    }
    Ok(policies)
}

/// Ids and texts of the policies in force.
pub(super) async fn sources_in_force(client: &Client) -> Result<Vec<(String, String)>, Failure> {
    let list = client.list("/policies", &[], MAX_POLICIES).await?;
    let mut sources = Vec::new();
    for policy in list["items"].as_array().into_iter().flatten().filter(|policy| policy["status"] == "active")
    {
        let id = text(policy, "policy_id");
        let whole = client.get(&route(&["policies", &id])?).await?;
        sources.push((id, text(&whole, "source")));
    }
    Ok(sources)
}

/// The policies in `files`. Faults are shown, and then there is nothing but how to end.
fn read_all(files: &[PathBuf], context: &Context) -> Result<Result<Vec<Policy>, Exit>, Failure> {
    let mut policies = Vec::new();
    for file in files {
        let source = input::text(file)?;
        match governance::parse(source.as_bytes()) {
            Ok(policy) => policies.push(policy),
            Err(issues) => return show_faults(file, &source, issues, context).map(Err),
        }
    }
    Ok(Ok(policies))
}

fn show_faults(file: &Path, source: &str, issues: Vec<Issue>, context: &Context) -> Result<Exit, Failure> {
    let faults: Vec<_> = issues.into_iter().map(Fault::from).collect();
    context.out.answer(&faults::report(&faults), |paint| faults::render(file, source, &faults, paint))?;
    Ok(Exit::Failed)
}

async fn activate(file: &Path, context: &Context) -> Result<Exit, Failure> {
    let source = input::text(file)?;
    // Checked here first: faults are then shown in their place.
    if let Err(issues) = governance::parse(source.as_bytes()) {
        return show_faults(file, &source, issues, context);
    }
    let client = context.client(Need::Node).await?;
    let answer = client.post("/policies", &json!({ "source": source })).await?;
    let (id, version) = (text(&answer, "policy_id"), text(&answer, "version"));
    context.out.answer(&answer, |paint| format!("{id} version {version} is {}", paint.good("in force")))?;
    context.out.hint("see what it decides with: xyn policy explain --action ACTION --stage STAGE");
    Ok(Exit::Done)
}

async fn list(arguments: List, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Read).await?;
    let policies = client.list("/policies", &[], arguments.limit).await?;
    let table = table(&policies);
    table.show(&policies, "no policies: each stage's default holds", &context.out)?;
    Ok(Exit::Done)
}

fn table(policies: &Value) -> Table {
    let mut table = Table::new(&[
        ("POLICY", Column::Text),
        ("VERSION", Column::Number),
        ("STATUS", Column::Status),
        ("NAME", Column::Text),
        ("SINCE", Column::Text),
    ]);
    for row in policies["items"].as_array().into_iter().flatten() {
        let [id, version, status, name] =
            ["policy_id", "version", "status", "name"].map(|key| text(row, key));
        table.row([id, version, status, name, instant(row, "activated_at")]);
    }
    table
}
