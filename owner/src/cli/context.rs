//! What commands work with: folders, accounts, the chain, the store.

use std::{
	io::{BufRead, IsTerminal},
	path::{Path, PathBuf},
	time::Duration,
};

use dgcs_client::{
	user::{self, PASSWORD},
	Account, AccountFile, AccountId, Chain, Keystore, Options,
};
use dgcs_store::{Config, Embedded, Kubo, Store};

use super::{
	args::{ChainArgs, Common, SignerArgs, StoreArgs},
	exit::{CommandError, Result},
	output::Output,
};
use crate::{error::at, record::Tasks};

/// Where everything of a user is.
#[derive(Clone, Debug)]
pub(super) struct Folders {
	data: PathBuf,
}

impl Folders {
	/// As asked for, or in the user's data folder.
	pub fn of(common: &Common) -> Result<Self> {
		let data = common.data.clone().or_else(user::data_folder).ok_or_else(|| {
			CommandError::Usage(
				"there is no home folder: say where to keep things by --data".into(),
			)
		})?;
		Ok(Folders { data })
	}

	pub fn keystore(&self) -> Keystore {
		user::accounts(&self.data)
	}

	pub fn tasks(&self) -> Tasks {
		Tasks::new(self.data.join("tasks"))
	}

	fn blocks(&self) -> PathBuf {
		self.data.join("blocks")
	}
}

/// After how long it is said that no node answers yet. It is tried for longer.
const QUIET: Duration = Duration::from_secs(3);

/// Connects to the chain.
pub(super) async fn connect(args: &ChainArgs, output: &Output) -> Result<Chain> {
	let options = Options { genesis: args.genesis, ..Options::default() };
	let patience = options.patience;
	let connecting = Chain::connect(args.chain.clone(), options);
	tokio::pin!(connecting);
	if let Ok(connected) = tokio::time::timeout(QUIET, &mut connecting).await {
		return Ok(connected?);
	}
	output.warn(&format!(
		"no answer yet from {}: trying for {patience:?}. Check that a node runs there (--chain)",
		args.chain.join(", ")
	));
	Ok(connecting.await?)
}

/// Opens the store.
pub(super) async fn open_store(args: &StoreArgs, folders: &Folders) -> Result<Store> {
	let config = match &args.kubo {
		Some(url) => Config::Kubo(Kubo { url: url.clone() }),
		None => {
			let listen = args.listen.parse().map_err(|error| {
				CommandError::Usage(format!("`{}` is no multiaddress: {error}", args.listen))
			})?;
			let dir = folders.blocks();
			std::fs::create_dir_all(&dir).map_err(at(&dir))?;
			let capacity = args.store_capacity;
			Config::Embedded(Embedded { listen: vec![listen], capacity, ..Embedded::new(dir) })
		},
	};
	Ok(Store::open(&config).await?)
}

/// Whether all nodes are on this machine.
fn is_local(chain: &ChainArgs) -> bool {
	let local = |url: &String| {
		let host = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
		["127.0.0.1", "localhost", "[::1]"].iter().any(|name| {
			host.strip_prefix(name)
				.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
		})
	};
	chain.chain.iter().all(local)
}

/// An account that was found.
#[derive(Debug)]
enum Found {
	/// A development account, whose secret everybody knows.
	Known(Account),
	/// A file, and what it was found by.
	File(String, AccountFile),
}

/// Which account is meant.
fn find(args: &SignerArgs, chain: &ChainArgs, keystore: &Keystore) -> Result<Found> {
	match args.account.as_deref() {
		Some(uri) if uri.starts_with("//") => return Ok(Found::Known(Account::from_uri(uri)?)),
		Some(path) if Path::new(path).is_file() => {
			return Ok(Found::File(path.to_owned(), AccountFile::read(Path::new(path))?));
		},
		Some(name) => return Ok(Found::File(name.to_owned(), keystore.get(name)?)),
		None => {},
	}
	let mut all = keystore.list()?;
	match (all.pop(), all.len()) {
		(Some((name, file)), 0) => Ok(Found::File(name, file)),
		(None, _) if is_local(chain) => Ok(Found::Known(Account::from_uri("//Alice")?)),
		(None, _) => Err(CommandError::Usage(
			"there is no account on this machine: make one by `dgcs account new NAME`, or give --account"
				.into(),
		)),
		(Some((last, _)), _) => {
			let names = all.into_iter().map(|(name, _)| name).chain([last]);
			let names = names.collect::<Vec<_>>().join(", ");
			Err(CommandError::Usage(format!("which account? Give --account one of: {names}")))
		},
	}
}

/// The account that is meant, with its secret. Asks for its password if it has one.
pub(super) fn account(
	args: &SignerArgs,
	chain: &ChainArgs,
	folders: &Folders,
	output: &Output,
) -> Result<Account> {
	match find(args, chain, &folders.keystore())? {
		Found::Known(account) => {
			if args.account.is_none() {
				output.note("No account here: signing as //Alice, whose secret everybody knows");
			}
			Ok(account)
		},
		Found::File(name, file) => {
			let password =
				password(args.password_file.as_deref(), &format!("Password of {name}: "))?;
			Ok(file.open(&password)?)
		},
	}
}

/// Whose account is meant. Its password is not needed: nothing is signed.
pub(super) fn address(
	args: &SignerArgs,
	chain: &ChainArgs,
	folders: &Folders,
) -> Result<AccountId> {
	match find(args, chain, &folders.keystore())? {
		Found::Known(account) => Ok(account.id()),
		Found::File(_, file) => Ok(file.account()?),
	}
}

/// A password: from a file's first line, from the environment, or asked for.
pub(super) fn password(file: Option<&Path>, prompt: &str) -> Result<String> {
	if let Some(path) = file {
		return Ok(user::password_in(path).map_err(at(path))?);
	}
	if let Some(password) = user::password_set() {
		return Ok(password);
	}
	rpassword::prompt_password(prompt).map_err(|error| {
		CommandError::Usage(format!(
			"the password can't be asked for ({error}): give --password-file, or {PASSWORD}"
		))
	})
}

/// A new password, asked for twice where it is asked for.
pub(super) fn new_password(file: Option<&Path>) -> Result<String> {
	let new = password(file, "New password: ")?;
	if file.is_none() && user::password_set().is_none() {
		let again = password(None, "The same again: ")?;
		if again != new {
			return Err(CommandError::Usage("these were two different passwords".into()));
		}
	}
	Ok(new)
}

/// Asks for a yes. Where nobody can answer it must be given before.
pub(super) async fn confirm(question: &str, yes: bool, output: &Output) -> Result<()> {
	if yes {
		return Ok(());
	}
	if !output.is_interactive() {
		let advice =
			"nobody is there to confirm the price: give --yes, or look first with `dgcs task \
			estimate`";
		return Err(CommandError::Usage(advice.into()));
	}
	output.clear();
	eprint!("{question} [y/N] ");
	match typed().await.as_deref().map(str::trim) {
		Some("y" | "Y" | "yes") => Ok(()),
		_ => Err(CommandError::Declined),
	}
}

/// A line that somebody types. On a thread of its own, which nobody waits for: Ctrl-C ends the command.
async fn typed() -> Option<String> {
	let (sender, line) = tokio::sync::oneshot::channel();
	let read = move || {
		let mut text = String::new();
		if std::io::stdin().read_line(&mut text).is_ok() {
			// Nobody listens after Ctrl-C.
			let _ = sender.send(text);
		}
	};
	std::thread::Builder::new().spawn(read).ok()?;
	line.await.ok()
}

/// The words of a secret: asked for without showing them, or a line of standard input.
pub fn secret(prompt: &str) -> Result<String> {
	if std::io::stdin().is_terminal() {
		return rpassword::prompt_password(prompt).map_err(|error| {
			CommandError::Usage(format!("the words can't be asked for: {error}"))
		});
	}
	let mut line = String::new();
	std::io::stdin()
		.lock()
		.read_line(&mut line)
		.map_err(|error| CommandError::Usage(format!("standard input can't be read: {error}")))?;
	Ok(line.trim().to_owned())
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::cli::args::Format;

	fn chain(urls: &[&str]) -> ChainArgs {
		ChainArgs { chain: urls.iter().map(|url| url.to_string()).collect(), genesis: None }
	}

	#[test]
	fn local_networks_are_known() {
		for (urls, local) in [
			(&["ws://127.0.0.1:9944"][..], true),
			(&["ws://localhost", "ws://[::1]:1/path"], true),
			(&["ws://127.0.0.1.example.org"], false),
			(&["ws://127.0.0.1:9944", "wss://example.org"], false),
		] {
			assert_eq!(is_local(&chain(urls)), local, "{urls:?}");
		}
	}

	/// A file in which an account could be. Nobody opens it here.
	fn file(address: &str) -> AccountFile {
		let text = format!(
			r#"{{"encoded": "", "address": "{address}", "encoding": {{"content": ["pkcs8", "sr25519"],
			"type": ["scrypt", "xsalsa20-poly1305"], "version": "3"}}}}"#
		);
		AccountFile::parse(&text).expect("it has the form of one")
	}

	#[test]
	fn accounts_are_found_however_they_are_named() {
		let folder = tempfile::tempdir().expect("a folder");
		let keystore = Keystore::new(folder.path().join("accounts"));
		let (local, public) = ("ws://127.0.0.1:9944", "wss://example.org");
		let found = |account: Option<&str>, url| {
			let args = SignerArgs { account: account.map(Into::into), password_file: None };
			Ok(match find(&args, &chain(&[url]), &keystore)? {
				Found::Known(account) => account.address(),
				Found::File(_, file) => file.account()?.to_string(),
			})
		};
		let address = |uri| Account::from_uri(uri).expect("known").address();
		let refused = |result: Result<String>| result.expect_err("none is meant").to_string();
		assert_eq!(found(None, local).expect("a local network"), address("//Alice"));
		assert!(refused(found(None, public)).contains("dgcs account new"));
		assert_eq!(found(Some("//Bob"), public).expect("known"), address("//Bob"));

		let bob = address("//Bob");
		let path = keystore.import("bob", &file(&bob)).expect("a new name");
		let path = path.to_str().expect("plain");
		for name in [None, Some("bob"), Some(bob.as_str()), Some(path)] {
			assert_eq!(found(name, public).expect("there is one"), bob, "{name:?}");
		}
		keystore.import("other", &file(&address("//Charlie"))).expect("a new name");
		assert!(refused(found(None, local)).contains("bob, other"));
		assert!(refused(found(Some("nobody"), local)).contains("nobody"));
	}

	#[test]
	fn a_password_is_a_files_first_line() {
		let folder = tempfile::tempdir().expect("a folder");
		let path = folder.path().join("password");
		for (text, expected) in [("a b \r\nnot this\n", "a b "), ("x", "x"), ("", "")] {
			std::fs::write(&path, text).expect("writable");
			assert_eq!(new_password(Some(&path)).expect("readable"), expected);
		}
		assert!(new_password(Some(&folder.path().join("none"))).is_err());
	}

	#[tokio::test]
	async fn nobody_confirms_for_a_script() {
		let output = Output::new(Format::Json);
		assert!(confirm("Sign?", true, &output).await.is_ok());
		let error = confirm("Sign?", false, &output).await.expect_err("nobody is there");
		assert!(error.to_string().contains("--yes"), "{error}");
	}
}
