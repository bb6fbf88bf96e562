//! What all commands of a user agree on: where the user's accounts are, and how a password is given to a
//! command that would ask for it otherwise.

use std::{
	env,
	ffi::OsString,
	fs::File,
	io::{self, BufRead, BufReader},
	path::{Path, PathBuf},
};

use crate::Keystore;

/// The variable with an account's password.
pub const PASSWORD: &str = "DGCS_PASSWORD";

/// Where everything of a user is, unless it is said to be elsewhere: `dgcs` in the user's data folder (the
/// XDG base directory specification). `None`: there is no home folder.
pub fn data_folder() -> Option<PathBuf> {
	folder_of(env::var_os("XDG_DATA_HOME"), env::home_dir)
}

fn folder_of(xdg: Option<OsString>, home: impl FnOnce() -> Option<PathBuf>) -> Option<PathBuf> {
	// A relative one is invalid by the specification, and ignored.
	let xdg = xdg.map(PathBuf::from).filter(|path| path.is_absolute());
	let data = xdg.or_else(|| Some(home()?.join(".local/share")))?;
	Some(data.join("dgcs"))
}

/// The accounts in a data folder.
pub fn accounts(data: &Path) -> Keystore {
	Keystore::new(data.join("accounts"))
}

/// The password in a file, which is its first line.
pub fn password_in(file: &Path) -> io::Result<String> {
	let mut line = String::new();
	BufReader::new(File::open(file)?).read_line(&mut line)?;
	Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// The password in the environment, if there is one.
pub fn password_set() -> Option<String> {
	env::var(PASSWORD).ok()
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn the_data_folder_is_that_of_the_specification() {
		let folder = |xdg: Option<&str>, home: Option<&str>| {
			let folder = folder_of(xdg.map(Into::into), || home.map(Into::into));
			folder.map(|folder| folder.display().to_string())
		};
		let at_home = Some("/home/me/.local/share/dgcs".to_owned());
		assert_eq!(folder(Some("/data"), Some("/home/me")), Some("/data/dgcs".into()));
		assert_eq!(folder(Some("/data"), None), Some("/data/dgcs".into()));
		for unusable in [None, Some(""), Some("data")] {
			assert_eq!(folder(unusable, Some("/home/me")), at_home, "{unusable:?}");
			assert_eq!(folder(unusable, None), None, "{unusable:?}");
		}
		assert_eq!(accounts(Path::new("/data/dgcs")).folder(), Path::new("/data/dgcs/accounts"));
	}

	#[test]
	fn a_password_is_a_files_first_line() {
		let folder = tempfile::tempdir().expect("a folder");
		let path = folder.path().join("password");
		for (text, expected) in [("a b \r\nnot this\n", "a b "), ("x", "x"), ("", ""), ("\ny", "")]
		{
			std::fs::write(&path, text).expect("writable");
			assert_eq!(password_in(&path).expect("readable"), expected);
		}
		assert!(password_in(&folder.path().join("none")).is_err());
	}
}
