//! What to type next: a command with the flags of the one before, so that it runs as it is printed.

use std::{borrow::Cow, path::Path};

use super::args::{ChainArgs, Common, SignerArgs, StoreArgs, CAPACITY, LISTEN, NODE};
use crate::wish::size;

/// The accounts of every development chain: their secrets are known to everybody.
const DEVELOPMENT: [&str; 6] = ["//Alice", "//Bob", "//Charlie", "//Dave", "//Eve", "//Ferdie"];
/// The fewest words that are an account's secret.
const PHRASE: usize = 12;

/// The flags of a command that the next one needs as well, as a shell reads them. One that the next command
/// would take from the environment, or by default, is none of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Flags {
	/// Those of commands that ask the chain.
	asking: String,
	/// Those of commands that sign or have a store, beside them.
	rest: String,
}

/// Looks up a variable of the environment.
pub(super) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Flags {
	/// Those that every command has.
	pub fn of(common: &Common, env: Variables<'_>) -> Self {
		let mut flags = Flags::default();
		let data = common.data.as_deref().map(Path::to_string_lossy);
		add(&mut flags.asking, "data", data.as_deref(), env("DGCS_DATA").as_deref());
		flags
	}

	/// With those that say which chain.
	pub fn chain(mut self, args: &ChainArgs, env: Variables<'_>) -> Self {
		let usual = env("DGCS_CHAIN").unwrap_or_else(|| NODE.into());
		add(&mut self.asking, "chain", Some(&args.chain.join(",")), Some(&usual));
		let genesis = args.genesis.map(|hash| format!("{hash:?}"));
		add(&mut self.asking, "genesis", genesis.as_deref(), None);
		self
	}

	/// With those that say who signs, and where blocks are.
	pub fn rest(mut self, signer: &SignerArgs, store: &StoreArgs, env: Variables<'_>) -> Self {
		let rest = &mut self.rest;
		let account = signer.account.as_deref();
		match env("DGCS_ACCOUNT") {
			Some(usual) if account == Some(usual.as_str()) => {},
			_ => add(rest, "account", account.map(without_secret), None),
		}
		let password = signer.password_file.as_deref().map(Path::to_string_lossy);
		add(rest, "password-file", password.as_deref(), None);
		add(rest, "kubo", store.kubo.as_deref(), None);
		add(rest, "listen", Some(&store.listen), Some(LISTEN));
		if size(CAPACITY) != Ok(store.store_capacity) {
			add(rest, "store-capacity", Some(&store.store_capacity.to_string()), None);
		}
		self
	}

	/// `command`, which asks the chain and nobody else, as it is to be typed.
	pub fn asking(&self, command: &str) -> String {
		format!("{command}{}", self.asking)
	}

	/// `command`, which signs or has a store, as it is to be typed.
	pub fn working(&self, command: &str) -> String {
		format!("{}{}", self.asking(command), self.rest)
	}
}

/// Adds a flag, unless it says what would hold without it.
fn add(flags: &mut String, name: &str, value: Option<&str>, usual: Option<&str>) {
	if let Some(value) = value.filter(|_| value != usual) {
		*flags += &format!(" --{name} {}", quoted(value));
	}
}

/// A word as a shell reads it.
pub(super) fn quoted(word: &str) -> Cow<'_, str> {
	// It refuses zero bytes alone, which no argument has.
	shlex::try_quote(word).unwrap_or(Cow::Borrowed(word))
}

/// How an account was named; a word for it where that is a secret, which nobody else should read in a log or
/// on a screen: a path of derivation may be one, and words that were typed in the wrong place are.
fn without_secret(account: &str) -> &str {
	let derived = account.starts_with("//") && !DEVELOPMENT.contains(&account);
	let phrase = account.split_whitespace().count() >= PHRASE || account.starts_with("0x");
	if derived || phrase {
		"ACCOUNT"
	} else {
		account
	}
}

#[cfg(test)]
mod tests {
	use clap::Parser;

	use super::*;

	#[derive(Debug, Parser)]
	struct Line {
		#[command(flatten)]
		common: Common,
		#[command(flatten)]
		chain: ChainArgs,
		#[command(flatten)]
		signer: SignerArgs,
		#[command(flatten)]
		store: StoreArgs,
	}

	/// The flags of a command line in an environment with these variables.
	fn flags(line: &[&str], variables: &[(&str, &str)]) -> Flags {
		let line = Line::parse_from([&["dgcs"][..], line].concat());
		let env = |name: &str| {
			let found = variables.iter().find(|(known, _)| *known == name);
			found.map(|(_, value)| value.to_string())
		};
		Flags::of(&line.common, &env).chain(&line.chain, &env).rest(&line.signer, &line.store, &env)
	}

	#[test]
	fn what_was_given_is_given_again() {
		let hash = format!("0x{}", "1f".repeat(32));
		let line = [
			"--data",
			"my folder",
			"--chain",
			"ws://one:1",
			"--genesis",
			hash.as_str(),
			"--account",
			"me",
			"--password-file",
			"it's",
			"--kubo",
			"http://127.0.0.1:5001",
			"--listen",
			"/ip4/0.0.0.0/tcp/1",
			"--store-capacity",
			"1M",
			"--output",
			"json",
		];
		let flags = flags(&line, &[]);
		let asking =
			format!("dgcs task show 7 --data 'my folder' --chain ws://one:1 --genesis {hash}");
		assert_eq!(flags.asking("dgcs task show 7"), asking);
		let working = flags.working("dgcs task watch 7");
		let rest = working.strip_prefix(&asking.replace("show", "watch")).expect("those as well");
		assert_eq!(
			rest,
			" --account me --password-file \"it's\" --kubo http://127.0.0.1:5001 --listen \
			 /ip4/0.0.0.0/tcp/1 --store-capacity 1048576"
		);
		// A shell reads what was typed, and the parser what was meant.
		let words = shlex::split(&working).expect("balanced");
		let again =
			Line::parse_from(["dgcs"].into_iter().chain(words[4..].iter().map(String::as_str)));
		assert_eq!(again.common.data.as_deref(), Some(Path::new("my folder")));
		assert_eq!(again.signer.password_file.as_deref(), Some(Path::new("it's")));
		assert_eq!(again.store.store_capacity, 1 << 20);
	}

	#[test]
	fn what_holds_anyway_is_left_out() {
		assert_eq!(flags(&[], &[]).working("dgcs"), "dgcs");
		let usual = [
			"--chain",
			"ws://127.0.0.1:9944",
			"--listen",
			"/ip4/0.0.0.0/tcp/0",
			"--store-capacity",
			"64G",
		];
		assert_eq!(flags(&usual, &[]).working("dgcs"), "dgcs");
		let variables =
			[("DGCS_DATA", "d"), ("DGCS_CHAIN", "ws://a,ws://b"), ("DGCS_ACCOUNT", "//secret")];
		let line = ["--data", "d", "--chain", "ws://a,ws://b", "--account", "//secret"];
		assert_eq!(flags(&line, &variables).working("dgcs"), "dgcs");
		let line = ["--data", "e", "--chain", "ws://127.0.0.1:9944", "--account", "me"];
		let expected = "dgcs --data e --chain ws://127.0.0.1:9944 --account me";
		assert_eq!(flags(&line, &variables).working("dgcs"), expected, "other than there");
	}

	#[test]
	fn secrets_are_not_shown() {
		let phrase = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";
		let derived = format!("{phrase}//Eve");
		for account in ["//secret", "//Eve//more", "//alice", "0x1234", phrase, derived.as_str()] {
			let shown = flags(&["--account", account], &[]).working("dgcs");
			assert_eq!(shown, "dgcs --account ACCOUNT", "{account}");
		}
		for account in
			["//Eve", "me", "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY", "/my/keys/me.json"]
		{
			let shown = flags(&["--account", account], &[]).working("dgcs");
			assert_eq!(shown, format!("dgcs --account {account}"));
		}
	}
}
