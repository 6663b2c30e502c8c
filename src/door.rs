//! How this program is started again, to be the first process in a workcell.

use std::io;

use xyn_capsules::workcell::Door;

/// The way to `xyn capsule enter`, which nobody types.
pub(crate) fn door() -> io::Result<Door> {
    let arguments = ["capsule", "enter", "--"].map(Into::into).to_vec();
    Ok(Door { program: std::env::current_exe()?, arguments })
}
