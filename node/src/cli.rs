//! The command line: what can be typed, and what `--help` says about it.
//!
//! The flags of a running node are those of every Substrate node ([`RunCmd`]), so that what is
//! written about those holds here. Only the role is picked by a command, not by a flag.

use std::path::PathBuf;

use clap::Subcommand;
use dgcs_owner::cli::AccountCommand;
use sc_cli::{RunCmd, SubstrateCli};
use sp_core::H256;

use crate::{chain_spec, service::custody};

const ABOUT: &str =
	"DGCS, the decentralized computer: hand a task to strangers' machines and get a \
	result that nobody had to be trusted for.";

const EXAMPLES: &str = "\
Examples:
  dgcs masternode --dev                  a whole chain on your machine; nothing is kept
  dgcs masternode --chain local --alice  the first of four masternodes of a local network
  dgcs node --chain FILE                 follow a network without deciding anything in it
  dgcs account new NAME                  make an account
  dgcs task run PROGRAM.wasm --input FILE --split lines --out DIR
                                         have a program computed by strangers
  dgcs worker --account FILE --register  lend this machine's idle time

A running node answers JSON-RPC on http://127.0.0.1:9944 (and ws://), for wallets, for
https://polkadot.js.org/apps and for scripts.";

const KEYS: &str = "\
Which keys there are:
  Accounts sign for owners and workers, and have their money. new, import, list, show and export
  are the commands of `dgcs account`; an account is in a file that its password encrypts.

  A masternode signs blocks with session keys. The node makes them when its JSON-RPC is asked to
  (author_rotateKeysWithOwner); insert puts one into its keystore that was made elsewhere.

  A masternode's encryption key opens its shares of the keys of tasks: generate-encryption,
  show-encryption, backup-encryption and restore-encryption.

  A node is known to other nodes by its network identity: generate-node-key, inspect-node-key.";

const CHAIN_HELP: &str = "Which chain: `dev` (one masternode), `local` (four masternodes, the \
	default), or the path of a chain specification file";

/// The nodes of a state of 100,000 workers and as many tasks that are in use take less. The SDK's
/// gigabyte is more than a masternode's memory.
const TRIE_CACHE_BYTES: &str = "67108864";

/// Flags of [`RunCmd`] that make a node a masternode: they have no meaning for `dgcs node`.
const MASTERNODE_FLAGS: [&str; 11] = [
	"alice",
	"bob",
	"charlie",
	"dave",
	"dev",
	"eve",
	"ferdie",
	"force_authoring",
	"one",
	"two",
	"validator",
];

/// The `dgcs` command line.
#[derive(Debug, clap::Parser)]
#[command(after_long_help = EXAMPLES)]
pub struct Cli {
	/// What to do.
	#[command(subcommand)]
	pub command: Command,
}

/// What `dgcs` can do.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
	/// Run a masternode: it makes and finalises blocks, keeps what tasks need, and earns a share of
	/// every task
	#[command(mut_arg("validator", |arg| arg.hide(true)))]
	Masternode(Box<Masternode>),

	/// Run a full node: it checks every block and answers JSON-RPC, but decides nothing
	#[command(mut_args(hide_masternode_flag))]
	Node(Box<RunCmd>),

	/// Have tasks computed by strangers' machines
	#[command(subcommand)]
	Task(dgcs_owner::cli::TaskCommand),

	/// Make and keep the accounts that pay for tasks, and those that work
	#[command(subcommand)]
	Account(AccountCommand),

	/// Compute strangers' subtasks for pay
	Worker(Box<dgcs_worker::WorkerCommand>),

	/// Make, show and back up keys: of accounts, and of a masternode
	#[command(subcommand, after_help = KEYS)]
	Key(Key),

	/// Show which blocks this machine has, as JSON
	ChainInfo(sc_cli::ChainInfoCmd),

	/// Write the specification of a chain to a file, for others to join it
	ExportChainSpec(sc_cli::ExportChainSpecCmd),

	/// The older form of export-chain-spec, which also adds this machine as a boot node
	BuildSpec(sc_cli::BuildSpecCmd),

	/// Check one stored block again
	CheckBlock(sc_cli::CheckBlockCmd),

	/// Write stored blocks to a file
	ExportBlocks(sc_cli::ExportBlocksCmd),

	/// Write the state at a block as a new chain specification
	ExportState(sc_cli::ExportStateCmd),

	/// Read blocks from a file and check them
	ImportBlocks(sc_cli::ImportBlocksCmd),

	/// Take back blocks that are not final yet
	Revert(sc_cli::RevertCmd),

	/// Delete a chain from this machine
	PurgeChain(sc_cli::PurgeChainCmd),
}

/// How to run a masternode.
#[derive(Debug, clap::Args)]
pub struct Masternode {
	/// What every node can be told.
	#[command(flatten)]
	pub run: RunCmd,

	/// Where it keeps what tasks need.
	#[command(flatten)]
	pub custody: custody::Options,
}

/// What `dgcs key` can do.
#[derive(Debug, clap::Subcommand)]
pub enum Key {
	/// What `dgcs account` can do.
	#[command(flatten)]
	Account(AccountCommand),

	/// What the SDK brings.
	#[command(flatten)]
	Sdk(sc_cli::KeySubcommand),

	/// Make the key that owners seal a masternode's key shares to, and print its public half: what
	/// `masternodes.join` and `masternodes.update` take
	GenerateEncryption(NodeKeystore),

	/// Print the public half of a masternode's encryption key, one a line if there are several
	ShowEncryption(NodeKeystore),

	/// Print the secret of a masternode's encryption key as 24 words, for a backup
	BackupEncryption(BackupEncryption),

	/// Make a masternode's encryption key from its words again, which are asked for or read from
	/// standard input
	RestoreEncryption(NodeKeystore),
}

/// Where a node's keys are. Not all that the SDK asks for: the password of session keys protects no
/// encryption key.
#[derive(Debug, clap::Args)]
pub struct NodeKeystore {
	/// Which chain, and where its data is.
	#[command(flatten)]
	pub shared: sc_cli::SharedParams,

	/// The keystore's folder, if it is not in that of the chain
	#[arg(long, value_name = "PATH")]
	pub keystore_path: Option<PathBuf>,
}

/// Which encryption key to back up.
#[derive(Debug, clap::Args)]
pub struct BackupEncryption {
	/// The public half of the key [default: the only one there is]
	#[arg(value_name = "KEY")]
	pub key: Option<H256>,

	/// Where it is.
	#[command(flatten)]
	pub at: NodeKeystore,
}

fn hide_masternode_flag(arg: clap::Arg) -> clap::Arg {
	let hidden = MASTERNODE_FLAGS.contains(&arg.get_id().as_str());
	if hidden {
		arg.hide(true)
	} else {
		arg
	}
}

/// Commands that connect to a chain and are none of its nodes.
const CLIENTS: [&str; 3] = ["account", "task", "worker"];

/// Where this chain is another than the one that the SDK's flags were made for.
fn adapt(command: clap::Command) -> clap::Command {
	let name = command.get_name();
	// Those of `dgcs account` are in `dgcs key` as well, beside the SDK's.
	if CLIENTS.contains(&name) || AccountCommand::has_subcommand(name) {
		return command;
	}
	command.mut_args(adapt_argument).mut_subcommands(adapt)
}

fn adapt_argument(arg: clap::Arg) -> clap::Arg {
	match arg.get_id().as_str() {
		// The SDK's own help names chains that we do not have.
		"chain" => arg.help(CHAIN_HELP).long_help(CHAIN_HELP),
		"trie_cache_size" => arg.default_value(TRIE_CACHE_BYTES),
		_ => arg,
	}
}

impl SubstrateCli for Cli {
	fn impl_name() -> String {
		"DGCS".into()
	}

	fn impl_version() -> String {
		env!("CARGO_PKG_VERSION").into()
	}

	/// Also names the folder that data is kept in: it must not change when the file is renamed.
	fn executable_name() -> String {
		"dgcs".into()
	}

	fn description() -> String {
		ABOUT.into()
	}

	fn author() -> String {
		env!("CARGO_PKG_AUTHORS").into()
	}

	fn support_url() -> String {
		concat!(env!("CARGO_PKG_REPOSITORY"), "/issues").into()
	}

	fn copyright_start_year() -> i32 {
		2026
	}

	fn load_spec(&self, id: &str) -> Result<Box<dyn sc_service::ChainSpec>, String> {
		Ok(Box::new(chain_spec::load(id)?))
	}

	fn setup_command(command: clap::Command) -> clap::Command {
		command
			.name(Self::executable_name())
			.version(Self::impl_version())
			.author(Self::author())
			.about(Self::description())
			.after_help(
				"`dgcs --help` shows examples, `dgcs COMMAND --help` all flags of a command.",
			)
			.propagate_version(true)
			.mut_subcommands(adapt)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clap::{error::ErrorKind, CommandFactory};

	fn parse(line: &str) -> Result<Cli, clap::Error> {
		Cli::try_from_iter(line.split_whitespace())
	}

	#[test]
	fn command_line_is_consistent() {
		Cli::setup_command(Cli::command()).debug_assert();
	}

	#[test]
	fn no_command_prints_help() {
		let error = parse("dgcs").expect_err("a command is needed");
		assert_eq!(error.kind(), ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand);
		let help = error.to_string();
		for word in ["strangers' machines", "masternode", "node", "export-chain-spec"] {
			assert!(help.contains(word), "`{word}` is not in: {help}");
		}
	}

	#[test]
	fn each_command_has_one_line_of_help() {
		for command in Cli::setup_command(Cli::command()).get_subcommands() {
			let about = command.get_about().map(ToString::to_string).unwrap_or_default();
			let name = command.get_name();
			assert!(!about.is_empty() && !about.contains('\n'), "`{name}`: {about}");
		}
	}

	#[test]
	fn masternode_flags_are_shown_for_masternodes_alone() {
		let mut command = Cli::setup_command(Cli::command());
		let mut help = |name: &str| {
			let command = command.find_subcommand_mut(name).expect("the command exists");
			command.render_long_help().to_string()
		};
		assert!(help("masternode").contains("--alice"));
		assert!(!help("node").contains("--alice"));
		assert!(help("node").contains("four masternodes"));
	}

	#[test]
	fn accounts_are_keys() {
		for words in [
			"new me",
			"import me --file f",
			"restore me",
			"list",
			"show me --money --chain ws://a,ws://b",
			"export me --file f",
			"backup me --file f",
		] {
			let parsed = |command| parse(&format!("dgcs {command} {words}")).expect(words).command;
			let (Command::Account(account), Command::Key(Key::Account(key))) =
				(parsed("account"), parsed("key"))
			else {
				panic!("`{words}` is not the same command");
			};
			assert_eq!(format!("{account:?}"), format!("{key:?}"));
		}
	}

	#[test]
	fn key_help_tells_the_kinds_of_keys_apart() {
		let mut command = Cli::setup_command(Cli::command());
		let key = command.find_subcommand_mut("key").expect("the command exists");
		for help in [key.render_help().to_string(), key.render_long_help().to_string()] {
			for word in ["dgcs account", "session keys", "encryption key", "network identity"] {
				assert!(help.contains(word), "`{word}` is not in: {help}");
			}
		}
		// An account asks nodes of a chain; the SDK's commands, and ours for a node, are told which.
		for (name, own) in [("show", false), ("insert", true), ("show-encryption", true)] {
			let command = key.find_subcommand_mut(name).expect("the command exists");
			let help = command.render_long_help().to_string();
			assert!(help.contains("--chain"), "{name}: {help}");
			assert_eq!(help.contains("four masternodes"), own, "{name}: {help}");
		}
	}

	#[test]
	fn the_words_of_a_key_are_not_on_the_command_line() {
		let key = format!("0x{}", "8".repeat(64));
		let line = format!("dgcs key backup-encryption {key} --chain local");
		let Command::Key(Key::BackupEncryption(backup)) = parse(&line).expect("good").command
		else {
			panic!("another command");
		};
		assert_eq!(backup.key, Some(H256::repeat_byte(0x88)));
		for wrong in ["restore-encryption abandon", "show-encryption --password x"] {
			assert!(parse(&format!("dgcs key {wrong}")).is_err(), "{wrong}");
		}
	}

	/// The command lines in the fenced blocks of a document, without comments and what a shell reads.
	fn command_lines(document: &str) -> Vec<String> {
		let (joined, mut fenced) = (document.replace("\\\n", " "), false);
		let lines = joined.lines().map(str::trim).filter(|line| {
			fenced ^= line.starts_with("```");
			fenced && line.starts_with("dgcs ")
		});
		let words = |line: &str| {
			let words = line.split_whitespace();
			let words = words.take_while(|word| !["#", "|", ">", "&", "&&", ";"].contains(word));
			let filled = words.filter(|word| *word != "…").map(|word| match word {
				"N" => "1",
				"SIZE" => "1G",
				"TIME" => "1m",
				word => word,
			});
			filled.collect::<Vec<_>>().join(" ")
		};
		lines.map(words).collect()
	}

	#[test]
	fn command_lines_of_documents_are_found() {
		let document = "dgcs prose\n```\ndgcs a … N \\\n  --b # why\n cc x\n```\n\
			dgcs prose\n  ```\n  dgcs c > d\n";
		assert_eq!(command_lines(document), ["dgcs a 1 --b", "dgcs c"]);
	}

	#[test]
	fn what_the_documents_say_can_be_typed() {
		let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
		let docs = std::fs::read_dir(root.join("docs")).expect("there are documents");
		let docs = docs.map(|entry| entry.expect("readable").path());
		let mut files = vec![root.join("README.md"), root.join("examples/README.md")];
		files.extend(docs.filter(|path| path.extension().is_some_and(|end| end == "md")));
		let mut found = 0;
		for file in files {
			let text = std::fs::read_to_string(&file).expect("a document");
			for line in command_lines(&text) {
				found += 1;
				if let Err(error) = parse(&line) {
					panic!("{}: `{line}`: {error}", file.display());
				}
			}
		}
		assert!(found > 10, "only {found} lines");
	}

	#[test]
	fn parity_db_is_the_only_database() {
		assert!(!sc_cli::Database::variants().contains(&"rocksdb"));
	}
}
