//! The command line: what can be typed, and what `--help` says about it.

use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand, ValueEnum};
use dgcs_client::Balance;
use dgcs_primitives::{Payout, Selection, SubtaskLimits, Visibility};
use sp_core::H256;

use super::exit::EXIT_CODES;
use crate::{
	money,
	wish::{size, JoinBy, Split, Terms, Wish, FUEL_PER_MS, MERGE},
};

const RUN_HELP: &str = "\
Examples:
  dgcs task run wordcount.wasm --input book.txt --split lines --out counts
  dgcs task run pathtracer.wasm --count 48 --join merge --merge-arg join --out film
  dgcs task run wordcount.wasm --input book.txt --split lines --join merge --out total --yes --output json

A subtask's program gets its piece on standard input, writes its result to standard output, and finds its
number in DGCS_SUBTASK and how many there are in DGCS_SUBTASKS. Ctrl-C at any time loses nothing.";

/// Tasks: what strangers' machines compute for you.
#[derive(Debug, Subcommand)]
pub enum TaskCommand {
	/// Compute a task on this machine, to see what it does and takes: needs no network and costs nothing
	#[command(after_help = EXIT_CODES)]
	Try(Box<TryArgs>),
	/// Have a program computed on an input: prepare, submit, watch and fetch in one
	#[command(after_long_help = RUN_HELP, after_help = EXIT_CODES)]
	Run(Box<RunArgs>),
	/// Encrypt an input into the store, and show the call that submits the task
	#[command(after_help = EXIT_CODES)]
	Prepare(Box<PrepareArgs>),
	/// Submit a task that is prepared, and wait until the masternodes hold it
	#[command(after_help = EXIT_CODES)]
	Submit(SubmitArgs),
	/// List the tasks that this machine knows
	List(ListArgs),
	/// Show a task: who computed what, who agreed, who was paid
	#[command(after_help = EXIT_CODES)]
	Show(ShowArgs),
	/// Follow a task until it ends
	///
	/// Exit code 0 says that there is a verdict on each subtask, also where the program ended with an error:
	/// of those `dgcs task fetch` tells.
	#[command(after_help = EXIT_CODES)]
	Watch(WatchArgs),
	/// Fetch the results of a task that has ended
	#[command(after_help = EXIT_CODES)]
	Fetch(FetchArgs),
	/// End a task: what was not begun comes back as money. One that was never submitted is forgotten, with
	/// its content
	#[command(after_help = EXIT_CODES)]
	Cancel(CancelArgs),
	/// Say what a task would cost, and sign nothing
	#[command(after_help = EXIT_CODES)]
	Estimate(Box<EstimateArgs>),
}

/// Accounts: the keys that sign, in encrypted files.
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
	/// Make an account, and show its secret words once
	New(NewArgs),
	/// Take in an account: from its words, or from a file of polkadot.js
	#[command(visible_alias = "restore")]
	Import(ImportArgs),
	/// List the accounts on this machine
	List(AccountListArgs),
	/// Show an account's address, keys and money
	Show(AccountShowArgs),
	/// Write an account's encrypted file elsewhere: a backup, which polkadot.js opens as well
	#[command(visible_alias = "backup")]
	Export(ExportArgs),
}

/// How to say what happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
	/// For people.
	#[default]
	Text,
	/// One JSON object a line.
	Json,
}

/// The node that is asked unless others are named.
pub(super) const NODE: &str = "ws://127.0.0.1:9944";
/// Where the store listens unless something else is said.
pub(super) const LISTEN: &str = "/ip4/0.0.0.0/tcp/0";
/// How much of the disk it may take unless something else is said.
pub(super) const CAPACITY: &str = "64G";

/// What every command has.
#[derive(Clone, Debug, Args)]
pub struct Common {
	/// Where accounts, tasks and their blocks are kept [default: dgcs in the user's data folder]
	#[arg(long, value_name = "FOLDER", env = "DGCS_DATA")]
	pub data: Option<PathBuf>,

	/// How to say what happens
	#[arg(long, value_enum, default_value = "text")]
	pub output: Format,
}

/// Which chain.
#[derive(Clone, Debug, Args)]
pub struct ChainArgs {
	/// Nodes of the chain; the next one is taken when one fails
	#[arg(
		long,
		value_name = "URL",
		value_delimiter = ',',
		env = "DGCS_CHAIN",
		default_value = NODE
	)]
	pub chain: Vec<String>,

	/// The chain's genesis hash: a node of another chain is refused
	#[arg(long, value_name = "HASH")]
	pub genesis: Option<H256>,
}

/// Who signs.
#[derive(Clone, Debug, Args)]
pub struct SignerArgs {
	/// The account: its name or address in `dgcs account list`, a file, or a development account such as
	/// //Alice [default: the only one there is; //Alice on a local network where there is none]
	#[arg(long, value_name = "ACCOUNT", env = "DGCS_ACCOUNT")]
	pub account: Option<String>,

	/// A file with the account's password in its first line; without it the password is that in
	/// DGCS_PASSWORD, or asked for
	#[arg(long, value_name = "FILE")]
	pub password_file: Option<PathBuf>,
}

/// Where blocks are.
#[derive(Clone, Debug, Args)]
pub struct StoreArgs {
	/// The URL of a Kubo daemon's RPC, to keep blocks there and not in dgcs itself
	#[arg(long, value_name = "URL")]
	pub kubo: Option<String>,

	/// Where the store listens for other peers
	#[arg(long, value_name = "MULTIADDR", default_value = LISTEN)]
	pub listen: String,

	/// How much of the disk the store may take, as 500M or 64G
	#[arg(long, value_name = "SIZE", value_parser = size, default_value = CAPACITY)]
	pub store_capacity: u64,
}

/// How results are joined, as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum JoinArg {
	/// In one file, in the order of the subtasks
	Concat,
	/// Each as a file
	Files,
	/// By the program itself, which gets all results on standard input: a second task of one subtask
	Merge,
}

/// How a reward is shared, as an argument: `pps`, or `pplns:WINDOW`.
fn payout(text: &str) -> Result<Payout, String> {
	match text.split_once(':') {
		None if text == "pps" => Ok(Payout::Pps),
		Some(("pplns", window)) => match window.parse() {
			Ok(window) => Ok(Payout::Pplns { window }),
			Err(_) => Err(format!("`{window}` is no number of results")),
		},
		_ => Err("expected pps or pplns:WINDOW".into()),
	}
}

fn amount(text: &str) -> Result<Balance, String> {
	money::parse(text).map_err(|error| error.to_string())
}

/// Reads a time as `90`, `90s`, `5m`, `2h` or `1d`, in seconds.
pub fn seconds(text: &str) -> Result<u64, String> {
	let (digits, factor) = match text.char_indices().last() {
		Some((place, 's')) => (&text[..place], 1),
		Some((place, 'm')) => (&text[..place], 60),
		Some((place, 'h')) => (&text[..place], 60 * 60),
		Some((place, 'd')) => (&text[..place], 24 * 60 * 60),
		_ => (text, 1),
	};
	let number: u64 =
		digits.parse().map_err(|_| format!("`{text}` is no time such as 90s or 2h"))?;
	number.checked_mul(factor).filter(|time| *time > 0).ok_or("a time is above 0".into())
}

fn memory(text: &str) -> Result<u32, String> {
	let bytes = if text.bytes().all(|byte| byte.is_ascii_digit()) {
		size(&format!("{text}M"))?
	} else {
		size(text)?
	};
	u32::try_from(bytes.div_ceil(1 << 20)).map_err(|_| format!("{text} is too much"))
}

fn variable(text: &str) -> Result<(String, String), String> {
	match text.split_once('=') {
		Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
		_ => Err(format!("`{text}` is no NAME=VALUE")),
	}
}

/// A time limit in milliseconds.
fn milliseconds(seconds: u64) -> Result<u32, String> {
	u32::try_from(seconds.saturating_mul(1000))
		.map_err(|_| format!("{seconds} s is too long for a subtask or a merge step"))
}

/// How a program merges results.
#[derive(Clone, Debug, Default, Args)]
pub struct MergeArgs {
	/// What the program is told when it merges [default: merge, or what the last merge step was told]
	#[arg(long = "merge-arg", value_name = "ARGUMENT", allow_hyphen_values = true)]
	pub merge_arguments: Vec<String>,

	/// How long the merge step may run [default: as long as a subtask, or as the last merge step]
	#[arg(long, value_name = "TIME", value_parser = seconds)]
	pub merge_time: Option<u64>,

	/// How much memory the merge step may have [default: that of a subtask, or of the last merge step]
	#[arg(long, value_name = "SIZE", value_parser = memory)]
	pub merge_memory: Option<u32>,

	/// How much fuel the merge step may burn [default: what an older machine burns in --merge-time; without
	/// that, the fuel of a subtask, or of the last merge step]
	#[arg(long, value_name = "UNITS")]
	pub merge_fuel: Option<u64>,
}

impl MergeArgs {
	/// Whether nothing is said.
	pub fn is_empty(&self) -> bool {
		self.merge_arguments.is_empty() && !self.has_limits()
	}

	fn has_limits(&self) -> bool {
		self.merge_time.is_some() || self.merge_memory.is_some() || self.merge_fuel.is_some()
	}

	/// The limits of a merge step that has `limits` where nothing is said.
	fn limits(&self, mut limits: SubtaskLimits) -> Result<SubtaskLimits, String> {
		if let Some(time) = self.merge_time {
			limits.time_ms = milliseconds(time)?;
			limits.fuel = u64::from(limits.time_ms) * FUEL_PER_MS;
		}
		limits.memory_mib = self.merge_memory.unwrap_or(limits.memory_mib);
		limits.fuel = self.merge_fuel.unwrap_or(limits.fuel);
		Ok(limits)
	}

	/// Makes the wish for a merge step one for what is said here.
	pub fn change(&self, step: &mut Wish) -> Result<(), String> {
		step.terms.limits = self.limits(step.terms.limits)?;
		if !self.merge_arguments.is_empty() {
			step.arguments = self.merge_arguments.clone();
		}
		Ok(())
	}
}

/// What is to be computed, and on which terms.
#[derive(Clone, Debug, Args)]
pub struct WishArgs {
	/// The program: a WASI module
	#[arg(value_name = "PROGRAM.wasm")]
	pub program: PathBuf,

	/// The file or folder that it computes on
	#[arg(long, value_name = "PATH")]
	pub input: Option<PathBuf>,

	/// How the input becomes subtasks: bytes, bytes:SIZE, lines, lines:N, files, or index:N for N subtasks
	/// that each see the whole input [default: files for a folder, bytes for a file, index with --count]
	#[arg(long, value_name = "HOW")]
	pub split: Option<String>,

	/// How many subtasks `--split index` makes
	#[arg(long, value_name = "N")]
	pub count: Option<u32>,

	/// How the results become a solution
	#[arg(long, value_enum, default_value = "concat")]
	pub join: JoinArg,

	/// How the program merges them, with `--join merge`.
	#[command(flatten)]
	pub merge: MergeArgs,

	/// A variable of the program's environment
	#[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
	pub environment: Vec<(String, String)>,

	/// How many workers compute each range: odd, at least 3
	#[arg(long, value_name = "N", default_value = "3")]
	pub replicas: u8,

	/// How many may at the most, if they don't agree [default: two more than --replicas]
	#[arg(long, value_name = "N")]
	pub max_replicas: Option<u8>,

	/// What a worker gets for each result that agrees with the verdict, in DGC
	#[arg(long, value_name = "DGC", value_parser = amount, default_value = "0.001")]
	pub reward: Balance,

	/// How long a subtask may run
	#[arg(long, value_name = "TIME", value_parser = seconds, default_value = "60s")]
	pub time: u64,

	/// How much memory a subtask may have, in MiB or as 512M or 2G
	#[arg(long, value_name = "SIZE", value_parser = memory, default_value = "256")]
	pub memory: u32,

	/// How much fuel a subtask may burn [default: what an older machine burns in its time]
	#[arg(long, value_name = "UNITS")]
	pub fuel: Option<u64>,

	/// How many subtasks are leased together, 1 to 64 [default: by their number]
	#[arg(long, value_name = "N")]
	pub range: Option<u32>,

	/// How long the task may wait for its first worker
	#[arg(long, value_name = "TIME", value_parser = seconds, default_value = "1d")]
	pub wait: u64,

	/// How long it may take from then on
	#[arg(long, value_name = "TIME", value_parser = seconds, default_value = "1d")]
	pub deadline: u64,

	/// Take workers with a long run of good results alone
	#[arg(long)]
	pub proven: bool,

	/// How rewards are shared: pps, or pplns:WINDOW
	#[arg(long, value_name = "HOW", value_parser = payout, default_value = "pps")]
	pub payout: Payout,

	/// Anybody may add money to the task, which then comes first
	#[arg(long, conflicts_with = "private")]
	pub public: bool,

	/// Nobody else may add money [default]
	#[arg(long)]
	pub private: bool,

	/// Whether the chain keeps the record of the task's end, by which its solution can be proven
	#[arg(
		long,
		value_name = "true|false",
		action = ArgAction::Set,
		num_args = 0..=1,
		default_value = "true",
		default_missing_value = "true"
	)]
	pub keep: bool,

	/// The program's arguments
	#[arg(last = true, value_name = "ARGUMENTS")]
	pub arguments: Vec<String>,
}

impl WishArgs {
	/// The wish, with paths made absolute so that it can be taken up from elsewhere.
	pub fn wish(&self) -> Result<Wish, String> {
		let absolute = |path: &PathBuf| {
			std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))
		};
		let split = match (self.split.as_deref(), self.count) {
			(None | Some("index"), Some(count)) => format!("index:{count}").parse()?,
			(Some(text), None) => text.parse()?,
			(Some(_), Some(_)) => return Err("--count is for --split index alone".into()),
			(None, None) => match &self.input {
				Some(path) if path.is_dir() => Split::Files,
				Some(_) => Split::Bytes(None),
				None => return Err("give an --input, or --count N for subtasks without one".into()),
			},
		};
		let time_ms = milliseconds(self.time)?;
		let limits = SubtaskLimits {
			time_ms,
			memory_mib: self.memory,
			fuel: self.fuel.unwrap_or(u64::from(time_ms) * FUEL_PER_MS),
		};
		let merge_limits = match self.merge.has_limits() {
			true if self.join != JoinArg::Merge => {
				let reason =
					"--merge-time, --merge-memory and --merge-fuel are for --join merge alone";
				return Err(reason.into());
			},
			true => Some(self.merge.limits(limits)?),
			false => None,
		};
		let most = dgcs_primitives::MAX_REPLICAS.max(self.replicas);
		Ok(Wish {
			program: absolute(&self.program)?,
			input: self.input.as_ref().map(absolute).transpose()?,
			split,
			join: match self.join {
				JoinArg::Concat => JoinBy::Concat,
				JoinArg::Files => JoinBy::Files,
				JoinArg::Merge => JoinBy::Merge,
			},
			arguments: self.arguments.clone(),
			environment: self.environment.clone(),
			merge_arguments: match self.merge.merge_arguments.as_slice() {
				[] => vec![MERGE.into()],
				arguments => arguments.to_vec(),
			},
			terms: Terms {
				replicas: self.replicas,
				max_replicas: self
					.max_replicas
					.unwrap_or_else(|| self.replicas.saturating_add(2).min(most)),
				reward: self.reward,
				limits,
				merge_limits,
				range_size: self.range,
				wait: self.wait,
				deadline: self.deadline,
				selection: if self.proven { Selection::Proven } else { Selection::Any },
				payout: self.payout,
				visibility: if self.public { Visibility::Public } else { Visibility::Private },
				keep: self.keep,
			},
		})
	}
}

/// `dgcs task try`.
#[derive(Debug, Args)]
pub struct TryArgs {
	/// What would be computed.
	#[command(flatten)]
	pub wish: WishArgs,
	/// Compute this subtask alone, counted from 0
	#[arg(long, value_name = "N")]
	pub subtask: Option<u32>,
	/// The folder for the solution, which must be empty or not exist [default: it is not kept]
	#[arg(long, value_name = "FOLDER")]
	pub out: Option<PathBuf>,
	/// The rest.
	#[command(flatten)]
	pub common: Common,
}

/// `dgcs task run`.
#[derive(Debug, Args)]
pub struct RunArgs {
	/// What is to be computed.
	#[command(flatten)]
	pub wish: WishArgs,
	/// The folder for the solution, which must be empty or not exist
	#[arg(long, value_name = "FOLDER")]
	pub out: PathBuf,
	/// Sign without asking
	#[arg(long, short)]
	pub yes: bool,
	/// End when the masternodes hold the task; fetch later
	#[arg(long)]
	pub detach: bool,
	/// Who signs.
	#[command(flatten)]
	pub signer: SignerArgs,
	/// Which chain.
	#[command(flatten)]
	pub chain: ChainArgs,
	/// Where blocks are.
	#[command(flatten)]
	pub store: StoreArgs,
	/// The rest.
	#[command(flatten)]
	pub common: Common,
}

/// `dgcs task prepare`.
#[derive(Debug, Args)]
pub struct PrepareArgs {
	/// What is to be computed.
	#[command(flatten)]
	pub wish: WishArgs,
	/// Who will own the task: its keys are made of this account's secret.
	#[command(flatten)]
	pub signer: SignerArgs,
	/// Which chain.
	#[command(flatten)]
	pub chain: ChainArgs,
	/// Where blocks are.
	#[command(flatten)]
	pub store: StoreArgs,
	/// The rest.
	#[command(flatten)]
	pub common: Common,
}

/// `dgcs task submit`.
#[derive(Debug, Args)]
pub struct SubmitArgs {
	/// The name that `prepare` gave the task
	#[arg(value_name = "NAME")]
	pub task: String,
	/// Sign without asking
	#[arg(long, short)]
	pub yes: bool,
	/// Who signs.
	#[command(flatten)]
	pub signer: SignerArgs,
	/// Which chain.
	#[command(flatten)]
	pub chain: ChainArgs,
	/// Where blocks are.
	#[command(flatten)]
	pub store: StoreArgs,
	/// The rest.
	#[command(flatten)]
	pub common: Common,
}

/// `dgcs task list`.
#[derive(Debug, Args)]
pub struct ListArgs {
	/// The rest.
	#[command(flatten)]
	pub common: Common,
}

/// `dgcs task show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
	/// The task's number, or the name that `prepare` gave it
	#[arg(value_name = "TASK")]
	pub task: String,
	/// Show every range, however many there are
	#[arg(long)]
	pub all: bool,
	/// Which chain.
	#[command(flatten)]
	pub chain: ChainArgs,
	/// The rest.
	#[command(flatten)]
	pub common: Common,
}

/// `dgcs task watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
	/// The task's number, or the name that `prepare` gave it
	#[arg(value_name = "TASK")]
	pub task: String,
	/// Whose task it is, where this machine does not know it.
	#[command(flatten)]
	pub signer: SignerArgs,
	/// Which chain.
	#[command(flatten)]
	pub chain: ChainArgs,
	/// Where blocks are.
	#[command(flatten)]
	pub store: StoreArgs,
	/// The rest.
	#[command(flatten)]
	pub common: Common,
}

/// `dgcs task fetch`.
#[derive(Debug, Args)]
pub struct FetchArgs {
	/// The task's number, or the name that `prepare` gave it
	#[arg(value_name = "TASK")]
	pub task: String,
	/// The folder for the solution [default: that of `dgcs task run`]
	#[arg(long, value_name = "FOLDER")]
	pub out: Option<PathBuf>,
	/// Sign the merge step, if there is one to do, without asking
	#[arg(long, short)]
	pub yes: bool,
	/// How to merge: where the merge step has ended without a result it is done again with what is said
	/// here.
	#[command(flatten)]
	pub merge: MergeArgs,
	/// Whose task it is.
	#[command(flatten)]
	pub signer: SignerArgs,
	/// Which chain.
	#[command(flatten)]
	pub chain: ChainArgs,
	/// Where blocks are.
	#[command(flatten)]
	pub store: StoreArgs,
	/// The rest.
	#[command(flatten)]
	pub common: Common,
}

/// `dgcs task cancel`.
#[derive(Debug, Args)]
pub struct CancelArgs {
	/// The task's number, or the name of one that was never submitted
	#[arg(value_name = "TASK")]
	pub task: String,
	/// Sign without asking
	#[arg(long, short)]
	pub yes: bool,
	/// Who signs.
	#[command(flatten)]
	pub signer: SignerArgs,
	/// Which chain.
	#[command(flatten)]
	pub chain: ChainArgs,
	/// Where blocks are.
	#[command(flatten)]
	pub store: StoreArgs,
	/// The rest.
	#[command(flatten)]
	pub common: Common,
}

/// `dgcs task estimate`.
#[derive(Debug, Args)]
pub struct EstimateArgs {
	/// What would be computed.
	#[command(flatten)]
	pub wish: WishArgs,
	/// Who would sign.
	#[command(flatten)]
	pub signer: SignerArgs,
	/// Which chain.
	#[command(flatten)]
	pub chain: ChainArgs,
	/// The rest.
	#[command(flatten)]
	pub common: Common,
}

/// `dgcs account new`.
#[derive(Debug, Args)]
pub struct NewArgs {
	/// What to call it
	#[arg(value_name = "NAME")]
	pub name: String,
	/// A file with the new password in its first line; without it the password is that in
	/// DGCS_PASSWORD, or asked for
	#[arg(long, value_name = "FILE")]
	pub password_file: Option<PathBuf>,
	/// The rest.
	#[command(flatten)]
	pub common: Common,
}

/// `dgcs account import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
	/// What to call it
	#[arg(value_name = "NAME")]
	pub name: String,
	/// An account file of polkadot.js, which keeps its password; without it the words are asked for, or
	/// read from standard input
	#[arg(long, value_name = "FILE")]
	pub file: Option<PathBuf>,
	/// A file with the password in its first line; without it the password is that in
	/// DGCS_PASSWORD, or asked for
	#[arg(long, value_name = "FILE", conflicts_with = "file")]
	pub password_file: Option<PathBuf>,
	/// The rest.
	#[command(flatten)]
	pub common: Common,
}

/// `dgcs account list`.
#[derive(Debug, Args)]
pub struct AccountListArgs {
	/// The rest.
	#[command(flatten)]
	pub common: Common,
}

/// `dgcs account show`.
#[derive(Debug, Args)]
pub struct AccountShowArgs {
	/// The account's name or address
	#[arg(value_name = "ACCOUNT")]
	pub name: String,
	/// Ask the chain how much money it has
	#[arg(long)]
	pub money: bool,
	/// Which chain.
	#[command(flatten)]
	pub chain: ChainArgs,
	/// The rest.
	#[command(flatten)]
	pub common: Common,
}

/// `dgcs account export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
	/// The account's name or address
	#[arg(value_name = "ACCOUNT")]
	pub name: String,
	/// The file to write, which must not exist [default: standard output]
	#[arg(long, value_name = "FILE")]
	pub file: Option<PathBuf>,
	/// The rest.
	#[command(flatten)]
	pub common: Common,
}

#[cfg(test)]
mod tests {
	use clap::{CommandFactory, Parser};

	use super::*;

	#[derive(Debug, Parser)]
	enum Dgcs {
		#[command(subcommand)]
		Task(TaskCommand),
		#[command(subcommand)]
		Account(AccountCommand),
	}

	fn parse(line: &str) -> Result<Dgcs, clap::Error> {
		Dgcs::try_parse_from(format!("dgcs {line}").split_whitespace())
	}

	fn wish(line: &str) -> Result<Wish, String> {
		match parse(&format!("task run p.wasm --out o {line}")) {
			Ok(Dgcs::Task(TaskCommand::Run(args))) => args.wish.wish(),
			Ok(other) => panic!("{other:?}"),
			Err(error) => Err(error.to_string()),
		}
	}

	#[test]
	fn an_account_is_backed_up_and_restored() {
		let Ok(Dgcs::Account(AccountCommand::Export(args))) = parse("account backup me --file f")
		else {
			panic!("`backup` is another word for `export`");
		};
		assert_eq!((args.name.as_str(), args.file), ("me", Some("f".into())));
		let Ok(Dgcs::Account(AccountCommand::Import(args))) = parse("account restore me") else {
			panic!("`restore` is another word for `import`");
		};
		assert_eq!((args.name.as_str(), args.file), ("me", None));
	}

	#[test]
	fn the_command_line_is_sound() {
		Dgcs::command().debug_assert();
	}

	#[test]
	fn one_line_is_enough() {
		let wish = wish("--input book.txt --split lines").expect("the whole line");
		assert_eq!((wish.split, wish.join), (Split::Lines(None), JoinBy::Concat));
		assert_eq!(wish.terms, Terms::usual());
		assert!(wish.program.is_absolute() && wish.input.is_some_and(|input| input.is_absolute()));
	}

	#[test]
	fn every_option_says_what_it_should() {
		type Check = fn(&Wish) -> bool;
		let cases: &[(&str, Check)] = &[
			("--split index:5", |w| w.split == Split::Index(5)),
			("--split index --count 5", |w| w.split == Split::Index(5)),
			("--count 7", |w| w.split == Split::Index(7)),
			("--input x", |w| w.split == Split::Bytes(None)),
			("--input /", |w| w.split == Split::Files),
			("--input x --split bytes:1M", |w| w.split == Split::Bytes(Some(1 << 20))),
			("--count 1 --join files", |w| w.join == JoinBy::Files),
			("--count 1 --join merge", |w| w.join == JoinBy::Merge),
			("--count 1 --join merge", |w| w.merge_arguments == ["merge"]),
			("--count 1 --merge-arg join --merge-arg -v", |w| w.merge_arguments == ["join", "-v"]),
			("--count 1 --join merge", |w| w.terms.merge_limits.is_none()),
			("--count 1 --join merge --merge-memory 1G --time 2m", |w| {
				let limits = SubtaskLimits { memory_mib: 1024, ..w.terms.limits };
				limits.time_ms == 120_000 && w.terms.merge_limits == Some(limits)
			}),
			("--count 1 --join merge --merge-time 5m --fuel 9", |w| {
				let (time_ms, fuel) = (300_000, 150_000_000_000);
				let limits = SubtaskLimits { time_ms, fuel, ..w.terms.limits };
				w.terms.limits.fuel == 9 && w.terms.merge_limits == Some(limits)
			}),
			("--count 1 --join merge --merge-time 5m --merge-fuel 7", |w| {
				let limits = w.terms.merge_limits;
				limits.is_some_and(|limits| (limits.time_ms, limits.fuel) == (300_000, 7))
			}),
			("--count 1 --replicas 5", |w| (w.terms.replicas, w.terms.max_replicas) == (5, 7)),
			("--count 1 --replicas 15", |w| w.terms.max_replicas == 15),
			("--count 1 --max-replicas 9", |w| w.terms.max_replicas == 9),
			("--count 1 --reward 2.5", |w| w.terms.reward == money::DGC * 5 / 2),
			("--count 1 --time 2m", |w| {
				(w.terms.limits.time_ms, w.terms.limits.fuel) == (120_000, 60_000_000_000)
			}),
			("--count 1 --fuel 9", |w| w.terms.limits.fuel == 9),
			("--count 1 --memory 512", |w| w.terms.limits.memory_mib == 512),
			("--count 1 --memory 2G", |w| w.terms.limits.memory_mib == 2048),
			("--count 1 --wait 2h --deadline 90", |w| {
				(w.terms.wait, w.terms.deadline) == (7200, 90)
			}),
			("--count 1 --keep false", |w| !w.terms.keep),
			("--count 1 --keep --public", |w| {
				w.terms.keep && w.terms.visibility == Visibility::Public
			}),
			("--count 1 --private", |w| w.terms.visibility == Visibility::Private),
			("--count 1 --proven", |w| w.terms.selection == Selection::Proven),
			("--count 1 --payout pplns:8", |w| w.terms.payout == Payout::Pplns { window: 8 }),
			("--count 1 --env A=1=2", |w| w.environment == [("A".into(), "1=2".into())]),
			("--count 1 -- --out -v", |w| w.arguments == ["--out", "-v"]),
		];
		for (line, check) in cases {
			let wish = wish(line).unwrap_or_else(|error| panic!("{line}: {error}"));
			assert!(check(&wish), "{line}: {wish:?}");
		}
	}

	#[test]
	fn a_merge_step_is_done_again_with_what_is_said() {
		let again = |line: &str| {
			let Ok(Dgcs::Task(TaskCommand::Fetch(args))) = parse(&format!("task fetch 7 {line}"))
			else {
				panic!("{line}")
			};
			args.merge
		};
		let wish = wish("--count 3 --join merge --merge-memory 512 --merge-arg join");
		let step = wish.expect("the whole line").merge("results".into());
		let changed = |line: &str| {
			let mut step = step.clone();
			again(line).change(&mut step).expect(line);
			step
		};
		assert!(again("--out o --yes").is_empty());
		assert_eq!(changed("--yes"), step);
		assert!(!again("--merge-fuel 1").is_empty() && !again("--merge-arg -v").is_empty());
		let more = changed("--merge-memory 1G");
		assert_eq!(more.terms.limits, SubtaskLimits { memory_mib: 1024, ..step.terms.limits });
		assert_eq!(more.arguments, ["join"]);
		let more = changed("--merge-time 2m").terms.limits;
		let (time_ms, fuel) = (120_000, 60_000_000_000);
		assert_eq!(more, SubtaskLimits { time_ms, fuel, ..step.terms.limits });
		assert_eq!(changed("--merge-arg sum --merge-arg -v").arguments, ["sum", "-v"]);
		assert!(again("--merge-time 60d").change(&mut step.clone()).is_err());
	}

	#[test]
	fn what_makes_no_sense_is_refused() {
		for line in [
			"",
			"--split index",
			"--split lines --count 3",
			"--count 0",
			"--count 1 --reward 1e3",
			"--count 1 --time 0",
			"--count 1 --time 60d",
			"--count 1 --time é",
			"--count 1 --memory lots",
			"--count 1 --merge-memory 512",
			"--count 1 --join concat --merge-time 5m",
			"--count 1 --join merge --merge-memory lots",
			"--count 1 --join merge --merge-time 60d",
			"--count 1 --payout all",
			"--count 1 --payout pplns:x",
			"--count 1 --public --private",
			"--count 1 --env =1",
			"--count 1 --genesis 0x12",
			"--count 1 --output xml",
			"--count 1 --store-capacity 0",
		] {
			assert!(wish(line).is_err(), "{line}");
		}
		for line in
			["task run", "task run p.wasm", "task show", "account new", "task", "task submit"]
		{
			assert!(parse(line).is_err(), "{line}");
		}
	}

	#[test]
	fn the_other_commands_parse() {
		for line in [
			"task try p.wasm --input i --split lines --subtask 3 --out o",
			"task prepare p.wasm --count 3 --account //Bob",
			"task submit 0a1b2c3d --yes --password-file p",
			"task list --output json",
			"task show 7 --all --chain ws://one:1,ws://two:2",
			"task watch 7 --kubo http://127.0.0.1:5001",
			"task fetch 7 --out o --store-capacity 500M",
			"task fetch 7 --out o -y",
			"task fetch 7 --merge-memory 1G --merge-time 5m --merge-fuel 9 --merge-arg join --yes",
			"task cancel 7 --yes",
			"task cancel 0a1b2c3d --kubo http://127.0.0.1:5001",
			"task estimate p.wasm --input i --split lines:100",
			"account new me --password-file p",
			"account import me --file f",
			"account list",
			"account show me --money",
			"account export me --file f --data d",
		] {
			parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
		}
	}
}
