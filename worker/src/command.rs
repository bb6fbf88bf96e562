//! `dgcs worker`.

use std::{
	fs,
	io::{self, Write},
	path::{Path, PathBuf},
	sync::Arc,
	time::Duration,
};

use dgcs_client::{
	parse_address,
	user::{self, PASSWORD},
	Account, AccountError, AccountFile, Chain as ClientChain, Error, Keystore, KeystoreError,
	Options, Sender,
};
use dgcs_primitives::api::Capacity;
use dgcs_sandbox::{Cache, CacheError, RunError, Sandbox};
use dgcs_store::{Config as StoreConfig, Embedded, Kubo, Multiaddr};
use serde::Serialize;
use sp_core::H256;
use tokio::sync::{mpsc::unbounded_channel, watch};

use crate::{
	chain::{Chain, ChainError, Dgc},
	drive::{Edges, Note, Worker},
	execute::{Executor, OVERHEAD_MIB},
	journal::{Journal, JournalError},
	lend::{
		Allowance, Config, ConfigError, Disk, Lender, Machine as Host, Terms, ThisMachine,
		DEFAULT_CONFIG,
	},
	live::{LiveChain, LiveShares, LiveStore},
	machine::{Identity, Machine, SaltKey, Stop},
	registration::{Asked, RegistrationError},
	slots::Slots,
};

/// How often the machine is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How long what is under way at the end may take.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Compute strangers' subtasks for pay.
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct WorkerCommand {
	/// The worker's account: a file, as `dgcs account` or polkadot.js writes it, or a name or address in
	/// `dgcs account list`.
	#[arg(long, value_name = "ACCOUNT", required_unless_present_any = ["uri", "print_config"])]
	account: Option<String>,

	/// A file with the account's password in its first line. Without it the password is that in the
	/// variable DGCS_PASSWORD, or asked for.
	#[arg(long, value_name = "FILE", conflicts_with = "uri")]
	password_file: Option<PathBuf>,

	/// The secret URI of a development account, such as `//Eve`. Everybody knows its secret.
	#[arg(long, value_name = "URI", conflicts_with = "account")]
	uri: Option<String>,

	/// Nodes of the chain: masternodes' or one's own. The next one is taken when one fails.
	#[arg(long, value_name = "URL", value_delimiter = ',', default_value = "ws://127.0.0.1:9944")]
	chain: Vec<String>,

	/// The genesis hash of the chain. Without it, that of the first node that answers.
	#[arg(long, value_name = "HASH")]
	genesis: Option<H256>,

	/// What to lend: a file, of which `--print-config` shows the defaults.
	#[arg(long, value_name = "FILE")]
	config: Option<PathBuf>,

	/// Print the default config, with comments, and end.
	#[arg(long)]
	print_config: bool,

	/// This machine has nothing else to do: lend what is lent while it is idle, always.
	#[arg(long)]
	dedicated: bool,

	/// Where the worker keeps its journal, its store, and compiled programs [default:
	/// dgcs/workers/ADDRESS/CHAIN in the user's data folder]
	#[arg(long, value_name = "FOLDER")]
	data: Option<PathBuf>,

	/// Use the Kubo daemon with this RPC as the store, in place of the one inside.
	#[arg(long, value_name = "URL")]
	kubo: Option<String>,

	/// Where the store inside listens. Without it, at any free port.
	#[arg(long, value_name = "MULTIADDR", conflicts_with = "kubo")]
	listen: Vec<Multiaddr>,

	/// Where others reach the store inside, if that is elsewhere.
	#[arg(long, value_name = "MULTIADDR", conflicts_with = "kubo")]
	external: Vec<Multiaddr>,

	/// A peer of the store inside, beside the masternodes'.
	#[arg(long, value_name = "MULTIADDR", conflicts_with = "kubo")]
	peer: Vec<Multiaddr>,

	/// Register this worker, or change what it is registered with, if need be. Its bond is held.
	#[arg(long)]
	register: bool,

	/// Who runs the worker, and where its rewards go. Without it, the worker's own account.
	#[arg(long, value_name = "ADDRESS", requires = "register")]
	operator: Option<String>,

	/// The most that may be held as the bond, in DGC. Without it, whatever the chain asks for.
	#[arg(long, value_name = "DGC", requires = "register")]
	max_bond: Option<u64>,

	/// How to say what happens.
	#[arg(long, value_enum, default_value = "text")]
	output: Format,
}

const HELP: &str = "\
The first Ctrl-C or SIGTERM ends the worker once it has finished and revealed what it has leases for; the second
abandons what it computes, and still reveals what it has committed to; the third ends it at once. What it
then owes, it finds again at its next start: start it within the minute that there is to reveal.

Examples:
  dgcs worker --account worker.json --register
  dgcs worker --account worker.json --chain ws://one:9944,ws://two:9944 --config worker.toml
  dgcs worker --print-config > worker.toml";

/// A format of what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
	/// For people.
	Text,
	/// One JSON object a line.
	Json,
}

/// Why a worker can't work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
	/// The config.
	#[error(transparent)]
	Config(#[from] ConfigError),
	/// The account file.
	#[error(transparent)]
	Keystore(#[from] KeystoreError),
	/// The secret URI, or an address.
	#[error(transparent)]
	Account(#[from] AccountError),
	/// A file or folder.
	#[error("{path} can't be used: {source}")]
	File {
		/// Which one.
		path: PathBuf,
		/// Why.
		source: io::Error,
	},
	/// There is no folder for what it keeps.
	#[error("there is no home folder to keep the worker's votes in; name a folder by --data")]
	NoFolder,
	/// The password.
	#[error("the password can't be read: {0}; give a --password-file, or {PASSWORD}")]
	Password(io::Error),
	/// The chain.
	#[error(transparent)]
	Client(#[from] Error),
	/// A call.
	#[error(transparent)]
	Chain(#[from] ChainError),
	/// The journal.
	#[error(transparent)]
	Journal(#[from] JournalError),
	/// The sandbox.
	#[error(transparent)]
	Sandbox(#[from] RunError),
	/// The cache of compiled programs.
	#[error(transparent)]
	Cache(#[from] CacheError),
	/// The store.
	#[error(transparent)]
	Store(#[from] dgcs_store::Error),
	/// What the worker is registered with.
	#[error(transparent)]
	Registration(#[from] RegistrationError),
	/// The threads.
	#[error("no threads can be started: {0}")]
	Threads(io::Error),
}

impl WorkerCommand {
	/// Works until it is told to stop. Makes its own runtime, so it must not be called on one.
	///
	/// # Errors
	///
	/// When there is something that the worker's owner has to see to before it can work.
	pub fn run(&self) -> Result<(), WorkerError> {
		if self.print_config {
			// Whoever reads it may have gone.
			let _ = io::stdout().write_all(DEFAULT_CONFIG.as_bytes());
			return Ok(());
		}
		let (config, terms) = self.terms()?;
		let account = self.open_account()?;
		// What isn't computing is little: two threads, whatever the machine.
		let runtime = tokio::runtime::Builder::new_multi_thread()
			.worker_threads(2)
			.enable_all()
			.build()
			.map_err(WorkerError::Threads)?;
		let worked = runtime.block_on(self.work(account, config, terms));
		// What still waits for a store or a chain is taken up by the next start.
		runtime.shutdown_timeout(LAST_WORDS);
		worked
	}

	/// What is lent, by the config and this machine.
	fn terms(&self) -> Result<(Config, Terms), WorkerError> {
		let mut config = match &self.config {
			Some(path) => Config::read(path)?,
			None => Config::default(),
		};
		if self.dedicated {
			config = config.dedicated();
		}
		let terms = config.terms(&Host::this())?;
		Ok((config, terms))
	}

	fn open_account(&self) -> Result<Account, WorkerError> {
		if let Some(uri) = &self.uri {
			return Ok(Account::from_uri(uri)?);
		}
		let file = account_file(self.account.as_deref().unwrap_or_default(), keystore().as_ref())?;
		Ok(file.open(&self.password(user::password_set())?)?)
	}

	/// The account's password, which is `set` in the environment unless there is a file with it.
	fn password(&self, set: Option<String>) -> Result<String, WorkerError> {
		if let Some(path) = &self.password_file {
			return user::password_in(path)
				.map_err(|source| WorkerError::File { path: path.clone(), source });
		}
		match set {
			Some(password) => Ok(password),
			None => rpassword::prompt_password("Password: ").map_err(WorkerError::Password),
		}
	}

	async fn work(
		&self,
		account: Account,
		config: Config,
		terms: Terms,
	) -> Result<(), WorkerError> {
		let options = Options { genesis: self.genesis, ..Options::default() };
		let chain = ClientChain::connect(self.chain.clone(), options).await?;
		let data = self
			.data(&account.address(), &chain.genesis(), user::data_folder())
			.ok_or(WorkerError::NoFolder)?;
		let sender = Sender::new(chain.clone(), account.clone());
		let live = Arc::new(LiveChain::new(sender));
		let printer = Printer { format: self.output };
		printer.note(&Started {
			event: "worker",
			account: account.address(),
			genesis: chain.genesis(),
			idle_slots: terms.idle_slots,
			busy_slots: terms.busy_slots,
			memory_mib: program_memory(&terms),
			data: data.clone(),
		});

		let worker = H256(account.id().into());
		let secret = account.encryption_secret();
		let salts = SaltKey::new(&secret.to_bytes());
		let identity = Identity { genesis: chain.genesis(), worker, salts };
		let disk = Disk::of(config.disk_gib);
		let folder = data.join("journal");
		let (journal, votes) = Journal::open(&folder, &identity.genesis, &worker, disk.results)?;
		let cache = Cache::open(data.join("programs"), disk.programs)?;
		let scratch = data.join("scratch");
		empty(&scratch).map_err(|source| WorkerError::File { path: scratch.clone(), source })?;
		let store =
			Arc::new(LiveStore::open(&self.store(&data, disk.blocks), chain.clone()).await?);
		let runtime = tokio::runtime::Handle::current();
		let shares = LiveShares::new(chain.clone(), account.id(), runtime);
		let executor = Executor::new(
			store.clone(),
			Arc::new(shares),
			secret,
			Sandbox::new(Some(cache))?,
			scratch,
			terms.slot_memory_mib.into(),
		)
		.lend_inputs(disk.inputs);
		let retention = results_kept(&chain, config.keep_results_hours).await?;
		// The bond is held once there is nothing left that keeps the worker from working.
		self.register(&chain, &*live, &account, &terms).await?;
		let edges = Edges {
			chain: live,
			store: store.clone(),
			executor: Arc::new(executor),
			journal: Arc::new(journal),
			slots: Slots::new(terms.idle_slots, config.nice),
			notes: Arc::new(move |note| printer.note(note)),
		};
		let lent = watch_machine(terms).await;
		let machine = Machine::new(identity, retention, votes);
		Worker::new(machine, edges, lent).run(signals()).await;
		Ok(store.close().await?)
	}

	/// Where the worker with this address keeps what it has on a chain, `user` being the folder of all that the
	/// user has. Always the same one: a worker that is started elsewhere has to find its votes.
	fn data(&self, address: &str, genesis: &H256, user: Option<PathBuf>) -> Option<PathBuf> {
		let own = |user: PathBuf| {
			// As much of the hash as tells a user's chains apart.
			let chain = format!("{genesis:?}").chars().skip(2).take(8).collect::<String>();
			user.join("workers").join(address).join(chain)
		};
		self.data.clone().or_else(|| user.map(own))
	}

	/// The store in `data`, with room for `capacity` bytes.
	fn store(&self, data: &Path, capacity: u64) -> StoreConfig {
		if let Some(url) = &self.kubo {
			return StoreConfig::Kubo(Kubo { url: url.clone() });
		}
		let defaults = Embedded::new(data.join("store"));
		let listen = if self.listen.is_empty() { defaults.listen } else { self.listen.clone() };
		let (external, peers) = (self.external.clone(), self.peer.clone());
		StoreConfig::Embedded(Embedded { listen, external, peers, capacity, ..defaults })
	}

	/// Sees to it that the chain has this worker as it is now.
	async fn register(
		&self,
		client: &ClientChain,
		chain: &dyn Chain,
		account: &Account,
		terms: &Terms,
	) -> Result<(), WorkerError> {
		let at = client.at_best().await?;
		let capacity = Capacity { slots: terms.idle_slots, memory_mib: program_memory(terms) };
		let asked = Asked {
			register: self.register,
			operator: self.operator.as_deref().map(parse_address).transpose()?,
			max_bond: self.max_bond.map(Dgc::whole),
			account: account.id(),
			key: account.encryption_secret().public(),
			capacity,
			bond: Dgc(at.bond_required(capacity).await?),
			spendable: Dgc(at.funds(&account.id()).await?.spendable),
		};
		match asked.call(at.worker(&account.id()).await?.as_ref())? {
			Some(call) => Ok(chain.send(call).await?),
			None => Ok(()),
		}
	}
}

/// Where `dgcs account` keeps accounts, unless it is told otherwise. `None`: there is no home folder.
fn keystore() -> Option<Keystore> {
	Some(user::accounts(&user::data_folder()?))
}

/// The file that `account` is the path of; if there is none, that of the account with this name or address.
fn account_file(account: &str, keystore: Option<&Keystore>) -> Result<AccountFile, KeystoreError> {
	let path = Path::new(account);
	match keystore {
		Some(keystore) if path.is_dir() || !path.exists() => keystore.get(account),
		_ => AccountFile::read(path),
	}
}

/// Memory that a program may have, in MiB.
fn program_memory(terms: &Terms) -> u32 {
	terms.slot_memory_mib.saturating_sub(OVERHEAD_MIB)
}

/// Makes the folder for inputs, and removes what a crash has left in it: nothing counts that.
fn empty(folder: &Path) -> io::Result<()> {
	fs::create_dir_all(folder)?;
	for entry in fs::read_dir(folder)? {
		let entry = entry?;
		// We make no others.
		if entry.file_type()?.is_file() {
			fs::remove_file(entry.path())?;
		}
	}
	Ok(())
}

/// The blocks for which results are kept.
async fn results_kept(chain: &ClientChain, hours: u32) -> Result<u32, WorkerError> {
	let block_ms = chain.at_best().await?.block_time()?.max(1);
	let blocks = u64::from(hours) * 3_600_000 / block_ms;
	Ok(u32::try_from(blocks).unwrap_or(u32::MAX))
}

/// Looks at the machine time and again, and says how much may run.
async fn watch_machine(terms: Terms) -> watch::Receiver<Allowance> {
	let mut lender = Lender::new(terms, ThisMachine::new());
	// The first load there is, is that of a while.
	tokio::time::sleep(LOOK).await;
	let (sender, receiver) = watch::channel(lender.look());
	tokio::spawn(async move {
		let mut ticks = tokio::time::interval(LOOK);
		ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
		while !sender.is_closed() {
			ticks.tick().await;
			let allowance = lender.look();
			sender.send_if_modified(|last| std::mem::replace(last, allowance) != allowance);
		}
	});
	receiver
}

/// What the worker is told by signals. Closed after the third.
fn signals() -> tokio::sync::mpsc::UnboundedReceiver<Stop> {
	let (sender, receiver) = unbounded_channel();
	tokio::spawn(async move {
		for stop in [Some(Stop::Drain), Some(Stop::Abandon), None] {
			if let Err(error) = signal().await {
				log::warn!("signals can't be waited for ({error}): the worker ends when killed");
				return std::future::pending().await;
			}
			if let Some(stop) = stop {
				// A worker that has ended needs no telling.
				let _ = sender.send(stop);
			}
		}
	});
	receiver
}

#[cfg(unix)]
async fn signal() -> io::Result<()> {
	use tokio::signal::unix::{signal, SignalKind};
	let mut terminate = signal(SignalKind::terminate())?;
	tokio::select! {
		ended = tokio::signal::ctrl_c() => ended,
		_ = terminate.recv() => Ok(()),
	}
}

#[cfg(not(unix))]
async fn signal() -> io::Result<()> {
	tokio::signal::ctrl_c().await
}

/// What is said first.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Started {
	event: &'static str,
	account: String,
	genesis: H256,
	idle_slots: u16,
	busy_slots: u16,
	memory_mib: u32,
	data: PathBuf,
}

impl std::fmt::Display for Started {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		let Started { account, genesis, idle_slots, busy_slots, memory_mib, data, .. } = self;
		write!(
			f,
			"{account} on the chain {genesis:?}: {idle_slots} slots of {memory_mib} MiB a program, \
			 {busy_slots} while somebody uses the machine; its votes are in {}",
			data.display()
		)
	}
}

/// Prints what happens.
#[derive(Clone, Copy, Debug)]
struct Printer {
	format: Format,
}

impl Printer {
	fn note(&self, note: &(impl Serialize + std::fmt::Display)) {
		let line = match self.format {
			Format::Text => note.to_string(),
			Format::Json => match serde_json::to_string(note) {
				Ok(line) => line,
				Err(error) => return log::error!("{note}: it can't be written as JSON: {error}"),
			},
		};
		// Whoever reads it may have gone; the worker works on.
		let _ = writeln!(io::stdout(), "{line}");
	}
}

impl std::fmt::Display for Note {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		match self {
			Note::Status { status, message, .. } => {
				write!(
					f,
					"block {}: {} of {} slots run, {} ranges wait, {} votes are open, {} results are kept",
					status.block,
					status.running,
					status.slots,
					status.waiting,
					status.voting,
					status.kept
				)?;
				message.iter().try_for_each(|message| write!(f, "; no more work: {message}"))
			},
			Note::Started { task, range, round, subtasks } => {
				write!(f, "task {task} range {range} round {round}: computes {subtasks} subtasks")
			},
			Note::Computed { task, subtask, outcome, cpu_ms, .. } => {
				write!(f, "task {task} subtask {subtask}: {outcome}, after {cpu_ms} ms")
			},
			Note::Committed { task, range, round } => {
				write!(f, "task {task} range {range} round {round}: committed")
			},
			Note::Revealed { task, range, round } => {
				write!(f, "task {task} range {range} round {round}: revealed")
			},
			Note::Decided { task, range, round, agreed: 0, dissented: 0, paid } => {
				write!(
					f,
					"task {task} range {range} round {round}: {paid} paid for earlier results"
				)
			},
			Note::Decided { task, range, round, agreed, dissented, paid } => {
				let all = agreed + dissented;
				write!(
					f,
					"task {task} range {range} round {round}: {agreed} of {all} results are those of the \
					 majority; {paid} paid"
				)
			},
			Note::Lapsed { task, range, round } => {
				write!(
					f,
					"task {task} range {range} round {round}: the lease is over, and others may have it"
				)
			},
			Note::Slashed { amount, fault } => write!(f, "{amount} of the bond are lost: {fault}"),
			Note::Trouble { message } => f.write_str(message),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::chain::{Fault, News, Place};
	use clap::Parser;
	use dgcs_primitives::{RangeIndex, Round, TaskId};

	#[derive(Debug, Parser)]
	struct Cli {
		#[command(flatten)]
		worker: WorkerCommand,
	}

	fn parse(line: &str) -> Result<WorkerCommand, clap::Error> {
		Cli::try_parse_from(std::iter::once("worker").chain(line.split_whitespace()))
			.map(|cli| cli.worker)
	}

	#[test]
	fn flags_are_understood() {
		let command = parse("--account a.json --chain ws://a,ws://b --chain ws://c").expect("good");
		assert_eq!(command.chain, ["ws://a", "ws://b", "ws://c"]);
		assert_eq!(command.output, Format::Text);
		assert!(parse("--print-config").expect("good").print_config);
		for wrong in [
			"",
			"--uri //Eve --account a.json",
			"--account a.json --operator X",
			"--account a.json --max-bond 5",
			"--uri //Eve --password-file p",
			"--uri //Eve --output xml",
		] {
			assert!(parse(wrong).is_err(), "{wrong}");
		}
	}

	#[test]
	fn a_worker_finds_its_votes_wherever_it_is_started() {
		let user = Some(PathBuf::from("/home/me/.local/share/dgcs"));
		let without = parse("--uri //Eve").expect("good");
		let genesis = H256::repeat_byte(0xab);
		let found = without.data("5Eve", &genesis, user.clone());
		assert_eq!(found, Some("/home/me/.local/share/dgcs/workers/5Eve/abababab".into()));
		assert_eq!(without.data("5Eve", &genesis, None), None);
		let with = parse("--uri //Eve --data here").expect("good");
		assert_eq!(with.data("5Eve", &genesis, user), Some("here".into()));
	}

	#[test]
	fn an_account_is_a_file_or_a_name() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let address = |uri| Account::from_uri(uri).expect("known").address();
		// Nobody opens it here.
		let file = |uri| {
			let text = format!(
				r#"{{"encoded": "", "address": "{}", "encoding": {{"content": ["pkcs8", "sr25519"],
				"type": ["scrypt", "xsalsa20-poly1305"], "version": "3"}}}}"#,
				address(uri)
			);
			AccountFile::parse(&text).expect("it has the form of one")
		};
		let keystore = Keystore::new(folder.path().join("accounts"));
		keystore.import("eve", &file("//Eve")).expect("a new name");
		let path = folder.path().join("worker.json");
		file("//Dave").create(&path).expect("a new file");
		let path = path.to_str().expect("plain");
		let found = |account: &str, keystore| {
			let file = account_file(account, keystore)?;
			file.account().map(|account| account.to_string())
		};
		let (eve, dave) = (address("//Eve"), address("//Dave"));
		for (account, expected) in [("eve", &eve), (eve.as_str(), &eve), (path, &dave)] {
			assert_eq!(&found(account, Some(&keystore)).expect("there is one"), expected);
		}
		assert_eq!(found(path, None).expect("there is one"), dave);
		let unknown = found("mallory", Some(&keystore)).expect_err("there is none").to_string();
		assert!(unknown.contains("no account `mallory`") && unknown.contains("eve"), "{unknown}");
		assert!(matches!(found("eve", None), Err(KeystoreError::Missing { .. })));
	}

	#[test]
	fn a_password_is_that_of_the_file_or_of_the_environment() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let path = folder.path().join("password");
		fs::write(&path, "of the file\nnot this\n").expect("writable");
		let without = parse("--account a.json").expect("good");
		let with = WorkerCommand { password_file: Some(path), ..without.clone() };
		let password = |command: &WorkerCommand, set: &str| command.password(Some(set.into()));
		assert_eq!(password(&without, "set").expect("there is one"), "set");
		assert_eq!(password(&without, "").expect("there is one"), "");
		assert_eq!(password(&with, "set").expect("there is one"), "of the file");
		let nowhere = WorkerCommand { password_file: Some(folder.path().join("none")), ..with };
		assert!(matches!(password(&nowhere, "set"), Err(WorkerError::File { .. })));
	}

	#[test]
	fn what_a_crash_left_of_inputs_is_removed() {
		let data = tempfile::tempdir().expect("a temporary folder");
		let folder = data.path().join("scratch");
		empty(&folder).expect("it is made");
		fs::write(folder.join("left"), "of an input").expect("writable");
		empty(&folder).expect("it is there");
		assert_eq!(folder.read_dir().expect("exists").count(), 0);
	}

	#[test]
	fn notes_are_lines_of_json() {
		let note = Note::Computed { task: 1, subtask: 2, outcome: "ok".into(), fuel: 3, cpu_ms: 4 };
		let json = serde_json::to_string(&note).expect("plain data");
		let expected =
			r#"{"event":"computed","task":1,"subtask":2,"outcome":"ok","fuel":3,"cpuMs":4}"#;
		assert_eq!(json, expected);
		assert_eq!(note.to_string(), "task 1 subtask 2: ok, after 4 ms");
	}

	#[test]
	fn what_a_verdict_brings_is_told() {
		let note = |agreed, dissented, paid| {
			let (place, round) = (Place { task: TaskId(1), range: RangeIndex(2) }, Round(0));
			Note::from(&News::Decided { place, round, agreed, dissented, paid })
		};
		let amount = 1_500_000_000_000;
		let cases = [
			(
				note(3, 0, amount),
				"task 1 range 2 round 0: 3 of 3 results are those of the majority; 1.5 DGC paid",
			),
			(
				note(0, 3, 0),
				"task 1 range 2 round 0: 0 of 3 results are those of the majority; 0 DGC paid",
			),
			(note(0, 0, amount), "task 1 range 2 round 0: 1.5 DGC paid for earlier results"),
			(
				Note::from(&News::Slashed { amount, fault: Fault::Dissented }),
				"1.5 DGC of the bond are lost: a result is not that of the majority",
			),
		];
		for (note, text) in &cases {
			assert_eq!(note.to_string(), *text);
		}
		let json = |at: usize| serde_json::to_string(&cases[at].0).expect("plain data");
		assert_eq!(
			json(0),
			r#"{"event":"decided","task":1,"range":2,"round":0,"agreed":3,"dissented":0,"paid":"1500000000000"}"#
		);
		assert_eq!(json(3), r#"{"event":"slashed","amount":"1500000000000","fault":"dissented"}"#);
	}
}
