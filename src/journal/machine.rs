//! Which system user on which host it is.

use std::{env, fs};

/// Who does something here, as far as the system knows.
pub(super) struct Machine {
    pub(super) user: String,
    pub(super) sudo_user: Option<String>,
    pub(super) host: String,
}

impl Machine {
    pub(super) fn here() -> Self {
        Self {
            user: user(),
            sudo_user: env::var("SUDO_USER").ok().filter(|name| !name.is_empty()),
            host: host(),
        }
    }
}

/// The name that the system has for the user of this process, else the number.
#[cfg(unix)]
fn user() -> String {
    let uid = rustix::process::geteuid().as_raw().to_string();
    let known = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = known.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    });
    name.unwrap_or(uid)
}

#[cfg(not(unix))]
fn user() -> String {
    env::var("USERNAME").unwrap_or_else(|_| "unknown".to_owned())
}

fn host() -> String {
    let of_system = ["/proc/sys/kernel/hostname", "/etc/hostname"];
    let names = of_system.iter().filter_map(|path| fs::read_to_string(path).ok());
    let names = names.chain(env::var("COMPUTERNAME"));
    let mut names = names.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    names.next().unwrap_or_else(|| "unknown".to_owned())
}
