//! Fetches the one script that Studio's pages take from elsewhere, as the lock file pins it.
//!
//! Where npm or its registry cannot be reached the build says so and goes on: Studio's pages read and all
//! their forms work, and nothing on them changes by itself.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

const SCRIPT: &str = "node_modules/htmx.org/dist/htmx.min.js";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=package-lock.json");
    println!("cargo::rerun-if-changed=templates");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    let script = fetch(&out.join("npm"));
    if let Err(reason) = &script {
        println!("cargo::warning=Studio is built without live updates: {reason}");
        println!("cargo::warning=with npm at hand, `cargo clean -p xyn-api` and another build bring them");
    }
    fs::write(out.join("htmx.js"), script.unwrap_or_default())
}

/// The script's bytes, after `npm ci` in `place`.
fn fetch(place: &Path) -> Result<Vec<u8>, String> {
    fs::create_dir_all(place).map_err(|error| error.to_string())?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(name, place.join(name)).map_err(|error| format!("{name}: {error}"))?;
    }
    let npm = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(place)
        .output()
        .map_err(|error| format!("npm does not run: {error}"))?;
    if !npm.status.success() {
        let said = String::from_utf8_lossy(&npm.stderr);
        let said = said.lines().find(|line| line.contains("error")).unwrap_or("no reason given");
        return Err(format!("npm ci: {said}"));
    }
    fs::read(place.join(SCRIPT)).map_err(|error| format!("{SCRIPT}: {error}"))
}
