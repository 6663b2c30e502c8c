//! Apps that run: real processes behind the node's port, switched, crashed, left behind and starved of what they need.

use std::path::Path;

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{Bench, Load};
use crate::node::{Node, eventually};

/// A server in the language that every Debian has: a process for each request, and an answer that says who gave it.
pub(super) const SERVER: &str = r#"
use strict; use warnings; use IO::Socket::INET;
$SIG{CHLD} = 'IGNORE'; $| = 1;
my $main = $$;
my $door = IO::Socket::INET->new(LocalAddr => $ENV{HOST}, LocalPort => $ENV{PORT}, Listen => 64) or die "no door: $!";
print "open at $ENV{PORT}\n";
while (1) {
    my $guest = $door->accept or next;
    if (fork) { close $guest; next }
    close $door;
    my ($head, $length) = ('', 0);
    while (my $line = <$guest>) { $head .= $line; $length = $1 if $line =~ /^content-length: (\d+)/i; last if $line eq "\r\n" }
    my ($path) = $head =~ m{^\S+ (\S+)};
    read($guest, my $body, $length) if $length;
    if ($path eq '/crash') { print "\e[2Jcrashing\r\n"; kill 'KILL', $main; exit }
    sleep 2 if $path eq '/slow';
    if ($path eq '/keep') { open(my $file, '>', 'kept') or die $!; print $file 'kept' }
    my $answer = $path eq '/kept' ? (-e 'kept' ? 'kept' : 'none') : $path eq '/pid' ? $main : $path eq '/env' ? join(' ', sort keys %ENV)
        : $path eq '/head' ? $head : $path eq '/echo' ? $body : "$ENV{SAYS} $path";
    my $status = $path eq '/ill' ? '500 Ill' : '200 OK';
    print $guest "HTTP/1.1 $status\r\nContent-Length: " . length($answer) . "\r\nConnection: close\r\n\r\n$answer";
    exit;
}
"#;

pub(super) fn app(says: &str) -> Value {
    json!({ "app": { "framework": "process", "command": ["perl", "server.pl"], "env": { "SAYS": says } } })
}

fn is_running(pid: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat")).unwrap_or_default();
    // One that ended and was not fetched by its parent yet is gone as well.
    stat.rsplit_once(')').is_some_and(|(_, behind)| !behind.starts_with(" Z"))
}

async fn gone(pid: &str) {
    eventually("the process is gone", async || (!is_running(pid)).then_some(())).await;
}

#[tokio::test]
async fn a_process_is_switched_and_rolled_back_while_it_is_asked_and_old_ones_end() {
    let bench = Bench::new().await;
    bench.write("server.pl", SERVER);
    bench.pack("1.0.0", &app("one"));
    let url = bench.deploy("staging");
    let first = bench.read(&format!("{url}pid")).await.1;
    assert_eq!(bench.read(&url).await, (StatusCode::OK, "one /".to_owned()));
    bench.pack("2.0.0", &app("two"));
    // A request that takes its time is answered by who took it.
    let slow = tokio::spawn(bench.http.get(format!("{url}slow")).send());
    let load = Load::on(&url);
    assert_eq!(bench.deploy("staging"), url);
    bench.node.post("/api/v1/deployments/shop.staging/rollback", &json!({})).await.ok();
    bench.node.post("/api/v1/deployments/shop.staging/rollback", &json!({})).await.ok();
    let pages = load.end().await;
    assert!(pages.iter().all(|page| page == "one /" || page == "two /"), "{pages:?}");
    let slow = slow.await.expect("asked").expect("answered").text().await.expect("text");
    assert!(slow == "one /slow" || slow == "two /slow", "{slow}");
    assert_eq!(bench.read(&url).await.1, "two /");
    gone(&first).await;

    let last = bench.read(&format!("{url}pid")).await.1;
    let headers = bench.http.get(format!("{url}head")).header("connection", "x-mine").header("x-mine", "1");
    let headers = headers.send().await.expect("answered").text().await.expect("text").to_lowercase();
    assert!(headers.contains("x-forwarded-for: 127.0.0.1") && !headers.contains("x-mine"), "{headers}");
    let echo =
        bench.http.post(format!("{url}echo")).body("a".repeat(100_000)).send().await.expect("answered");
    assert_eq!(echo.text().await.expect("text").len(), 100_000);
    let names = bench.read(&format!("{url}env")).await.1;
    assert_eq!(names, "HOME HOST LANG PATH PORT SAYS XYN_APP_DATA");
    assert!(bench.node_folder(&["deploy", "logs", "shop.staging"]).ok().contains("open at "));
    assert!(bench.node.stop().await.success());
    gone(&last).await;
}

#[tokio::test]
async fn what_crashes_is_started_again_and_what_a_kill_left_behind_is_ended() {
    let mut bench = Bench::new().await;
    bench.write("server.pl", SERVER);
    bench.pack("1.0.0", &app("one"));
    let url = bench.deploy("dev");
    let first = bench.read(&format!("{url}pid")).await.1;
    assert_eq!(bench.read(&format!("{url}crash")).await.0, StatusCode::BAD_GATEWAY);
    // Who asks meanwhile waits for the next one.
    // The first may still take in a request while it is being ended.
    let second = eventually("the next one answers", async || {
        let answer = bench.read(&format!("{url}pid")).await;
        (answer.0 == StatusCode::OK && answer.1 != first).then_some(answer)
    })
    .await;
    let said = bench.node_folder(&["deploy", "logs", "shop.dev"]).ok();
    assert!(said.contains("\\u{1b}[2Jcrashing\n") && said.contains("it is started again"), "{said}");

    bench.node.kill_9();
    assert!(is_running(&second.1), "nobody ended it");
    bench.node = Node::start(&bench.folder).await;
    gone(&second.1).await;
    assert_eq!(bench.read(&url).await, (StatusCode::OK, "one /".to_owned()));
}

#[tokio::test]
async fn a_process_that_is_not_well_does_not_take_over_and_says_why() {
    let bench = Bench::new().await;
    bench.write("server.pl", SERVER);
    let refused = |also: Value, more: &[&str], words: &[&str]| {
        bench.pack(&format!("1.0.{}", also.to_string().len()), &also);
        let deploy = ["capsule", "deploy", "shop", "--stage", "dev"];
        let said = bench.node_folder(&[&deploy[..], more].concat());
        assert_eq!(said.code, 6, "{said:?}");
        words.iter().for_each(|word| assert!(said.err.contains(word), "{word}: {}", said.err));
    };
    let run = |command: Value| json!({ "app": { "framework": "process", "command": command } });
    refused(run(json!([])), &[], &["`/app/command` names no program"]);
    refused(run(json!(["./nowhere"])), &[], &["`./nowhere` cannot be started"]);
    refused(run(json!(["sh", "-c", "echo no room left; exit 3"])), &[], &["exit status: 3", "no room left"]);
    let unset = json!({ "app": { "framework": "process", "command": ["x"], "env": { "DB_URL": null } } });
    refused(unset, &[], &["`DB_URL` have no value", "xyn secret put app/shop/DB_URL"]);
    assert!(bench.node.all("/api/v1/deployments").await.is_empty());
    bench.pack("2.0.0", &app("two"));
    let url = bench.deploy("dev");
    let well = bench.read(&format!("{url}pid")).await.1;
    refused(run(json!(["sh", "-c", "exit 1 # again"])), &[], &["exit status: 1"]);
    assert_eq!(bench.read(&format!("{url}pid")).await.1, well, "what served still does");
}

#[tokio::test]
async fn seeds_are_laid_out_once_and_what_the_app_made_of_them_stays() {
    let bench = Bench::new().await;
    bench.write("server.pl", SERVER);
    bench.write("seeds/first/users.csv", "ada");
    let seeded = |says: &str, kind: &str| {
        let mut app = app(says);
        app["seeds"] = json!([{ "name": "first", "type": kind, "path": "seeds/first" }]);
        app
    };
    bench.pack("1.0.0", &seeded("one", "files"));
    let url = bench.deploy("dev");
    let data = bench.folder.data().join("deployments/shop.dev.process/data");
    let users = data.join("first/users.csv");
    assert_eq!(std::fs::read_to_string(&users).expect("laid out"), "ada");
    std::fs::write(&users, "ada, bob").expect("the app's own");
    bench.pack("2.0.0", &seeded("two", "files"));
    bench.deploy("dev");
    bench.node_folder(&["capsule", "rollback", "shop", "--stage", "dev"]).ok();
    assert_eq!(std::fs::read_to_string(&users).expect("there"), "ada, bob");
    // Another seed under the name would push out what the app made of the first.
    bench.write("seeds/first/users.csv", "eve");
    bench.pack("3.0.0", &seeded("three", "files"));
    let refused = bench.node_folder(&["capsule", "deploy", "shop", "--stage", "dev"]);
    assert!(refused.code == 6 && refused.err.contains("give the seed `first` another name"), "{refused:?}");
    assert_eq!(bench.read(&url).await.1, "one /");
    bench.pack("4.0.0", &seeded("four", "crdt"));
    let refused = bench.node_folder(&["capsule", "deploy", "shop", "--stage", "dev"]);
    assert!(refused.code == 6 && refused.err.contains("is not one file"), "{refused:?}");
}

#[tokio::test]
async fn what_was_swapped_between_the_proof_and_the_run_does_not_run() {
    let mut bench = Bench::new().await;
    bench.write("server.pl", SERVER);
    bench.pack("1.0.0", &app("one"));
    let url = bench.deploy("dev");
    bench.pack("2.0.0", &app("two"));
    bench.deploy("dev");
    let place = bench.folder.data().join("deployments/shop.dev.process");
    let laid_out = |name: &str| {
        let folders = std::fs::read_dir(&place).expect("a folder").flatten().map(|entry| entry.path());
        folders.map(|folder| folder.join(name)).filter(|path| path.exists()).collect::<Vec<_>>()
    };
    let evil = SERVER.replace("$ENV{SAYS} $path", "evil");
    let swap = || {
        let servers = laid_out("server.pl");
        assert_eq!(servers.len(), 2, "of what serves, and of what served before: {servers:?}");
        servers.iter().for_each(|path| {
            std::fs::write(path, &evil).expect("swapped");
            // What the app's own rules would leave out of a tree is beside it all the same.
            let beside = [".gitignore", "added.pm"].map(|name| path.with_file_name(name));
            beside.iter().for_each(|path| std::fs::write(path, "*.pm").expect("added"));
        });
    };
    swap();
    bench.node_folder(&["capsule", "rollback", "shop", "--stage", "dev"]).ok();
    assert_eq!(bench.read(&url).await.1, "one /");
    assert_eq!(laid_out("added.pm").len(), 1, "beside what does not serve now alone");
    swap();
    bench.deploy("dev");
    assert_eq!(bench.read(&url).await.1, "two /");
    bench.node.kill_9();
    swap();
    bench.node = Node::start(&bench.folder).await;
    assert_eq!(bench.read(&url).await.1, "two /");
    assert_eq!(laid_out("added.pm").len(), 1, "beside what does not serve now alone");
}

#[tokio::test]
async fn what_serves_keeps_the_folder_that_it_writes_into_while_the_same_is_deployed_again() {
    let bench = Bench::new().await;
    bench.write("server.pl", SERVER);
    bench.pack("1.0.0", &app("one"));
    let url = bench.deploy("dev");
    let read = async |path: &str| bench.read(&format!("{url}{path}")).await.1;
    let first = read("pid").await;
    read("keep").await;
    // The folder is not what was proved any more, and the new process, in one that is, ends.
    let ended = bench.node_folder(&["capsule", "deploy", "shop", "--stage", "dev", "--health", "/crash"]);
    assert_eq!(ended.code, 6, "{ended:?}");
    assert_eq!((read("pid").await, read("kept").await), (first.clone(), "kept".to_owned()));
    assert_eq!(bench.deploy("dev"), url);
    assert_eq!(read("kept").await, "none");
    gone(&first).await;
    // Nobody is in the old folder any more.
    bench.deploy("dev");
    let place = bench.folder.data().join("deployments/shop.dev.process");
    let folders = std::fs::read_dir(&place).expect("a folder").flatten().map(|entry| entry.path());
    assert_eq!(folders.filter(|folder| folder.join("server.pl").exists()).count(), 1);
}
