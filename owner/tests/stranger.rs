//! What others learn of a task on a real network: nothing of its input, its output and its names.
//!
//! All that is said to and by masternodes is recorded, the disk of one, the whole chain and all blobs are
//! read, and searched for what is the owner's, however it is written down. Then whoever has some keys
//! tries all of them: a masternode, and a worker on the ranges of others. Each search and each key is
//! shown to work on what it may find and open. Runs if `DGCS_NODE` names the binary of a node.

#[path = "stranger/needles.rs"]
mod needles;
#[path = "stranger/network.rs"]
mod network;
#[path = "stranger/tap.rs"]
mod tap;

use std::{
	collections::{BTreeMap, BTreeSet, HashMap},
	fs::File,
	io::{self, BufRead, BufReader, Read, Write},
	net::TcpStream,
	path::{Path, PathBuf},
	process::{Child, ChildStderr, Command, Stdio},
	time::{Duration, Instant},
};

use codec::Encode;
use dgcs_client::{event, masternode::Patience, Account, Chain, Head, Masternode, Verdict};
use dgcs_content::{
	content_id::display,
	get_blob,
	keys::{open_release, HolderShares, KeyRing, Place, Share, Sharing, Use},
	read_all, result_id, BlockSink, BlockSource, Directory, EncryptionSecret, Error, Manifest,
	Output, Private, RangeInput, Scope, ScopeKey,
};
use dgcs_primitives::{api::TaskInfo, ContentId, Outcome, RangeIndex, TaskId, TaskSpec};
use dgcs_store::{Config, Embedded, Store};
use futures::StreamExt;
use needles::Needles;
use network::{text, Network, LONG};
use serde_json::Value;
use sp_core::H256;
use sp_runtime::traits::{BlakeTwo256, Hash};
use subxt::rpcs::rpc_params;
use tap::Release;

/// Turns small letters into capitals, by one bit of each byte.
const CAPITALS: &str = r#"(module
	(import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
	(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
	(memory (export "memory") 2)
	(data (i32.const 64) "No secret: small letters become capitals.")
	(func (export "_start") (local $at i32)
		(loop $again
			(i32.store (i32.const 0) (i32.const 1024))
			(i32.store (i32.const 4) (i32.const 65536))
			(drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
			(local.set $at (i32.load (i32.const 8)))
			(if (local.get $at) (then
				(loop $each
					(local.set $at (i32.sub (local.get $at) (i32.const 1)))
					(i32.store8 offset=1024 (local.get $at)
						(i32.xor (i32.load8_u offset=1024 (local.get $at)) (i32.const 32)))
					(br_if $each (local.get $at)))
				(i32.store (i32.const 4) (i32.load (i32.const 8)))
				(drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))
				(br $again))))))"#;
/// What is in that program, and no secret.
const PROGRAM: &str = "No secret: small letters become capitals.";

const OWNER: &str = "//Eve";
/// More than there are seats on a range, so that none of them has a seat on all.
const WORKERS: [&str; 5] =
	["//Ferdie", "//Alice//stash", "//Bob//stash", "//Charlie//stash", "//Dave//stash"];
const RANGE_SIZE: u32 = 2;
/// Larger than anything here.
const LIMIT: u64 = 1 << 30;

/// What is the owner's.
struct Secrets {
	/// Paths and contents of the files, in the order of the subtasks.
	files: Vec<(String, Vec<u8>)>,
	folder: String,
	argument: String,
	variable: String,
}

impl Secrets {
	fn new() -> Self {
		let word = |seed| String::from_utf8(noise(seed, 30)).expect("letters and digits");
		let file = |number: u64| {
			let path = format!("{number}-{}/{}.txt", word(100 + number), word(200 + number));
			// One of them and its result are of several blocks.
			let lines = if number == 3 { 12_000 } else { 40 };
			// Of other seeds than the words.
			let line = |line: u64| [&noise(((number + 1) << 32) | line, 48)[..], b"\n"].concat();
			(path, (0..lines).flat_map(line).collect())
		};
		Secrets {
			files: (0..10).map(file).collect(),
			folder: word(1),
			argument: word(2),
			variable: word(3),
		}
	}

	/// What is looked for of some files, and of the rest if `job`.
	fn needles(&self, subtasks: impl Iterator<Item = usize>, job: bool) -> Needles {
		let mut needles = Needles::default();
		for subtask in subtasks {
			let (_, input) = &self.files[subtask];
			let mut add = |name: String, bytes: &[u8]| match bytes.len() {
				..10_000 => needles.add(&name, bytes),
				_ => needles.add_pieces(&name, bytes, 12),
			};
			add(format!("the input of subtask {subtask}"), input);
			add(format!("the output of subtask {subtask}"), &capitals(input));
		}
		for (path, _) in &self.files {
			needles.add("a file's name", path.as_bytes());
		}
		needles.add("the folder's name", self.folder.as_bytes());
		if job {
			needles.add("the argument", self.argument.as_bytes());
			needles.add("the variable", self.variable.as_bytes());
		}
		needles
	}

	fn write_to(&self, folder: &Path) {
		for (path, content) in &self.files {
			let path = folder.join(path);
			std::fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
			std::fs::write(path, content).expect("writable");
		}
	}
}

/// Letters and digits that repeat nothing, from a simple generator (Knuth's MMIX).
fn noise(seed: u64, len: usize) -> Vec<u8> {
	let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
	let mut next = || {
		state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
		b"abcdefghijklmnopqrstuvwxyz234567"[(state >> 59) as usize]
	};
	(0..len).map(|_| next()).collect()
}

fn capitals(input: &[u8]) -> Vec<u8> {
	input.iter().map(|byte| byte ^ 32).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_learns_nothing_of_a_task() {
	let Ok(binary) = std::env::var("DGCS_NODE") else {
		eprintln!("SKIPPED: DGCS_NODE names no binary, so that no task is spied on");
		return;
	};
	let secrets = Secrets::new();
	let (mut network, chain) = Network::start(binary).await;
	let capture = Capture::start(&network);
	WORKERS.iter().for_each(|uri| network.start_worker(uri));
	registered(&chain).await;
	// While the task lives: masternodes drop its input at its end.
	let overheard = tokio::spawn(Content::overhear(
		chain.clone(),
		network.masternodes[0].rpc.url(),
		network.path("stranger"),
	));
	let task = have_it_computed(&network, &secrets);
	let content = overheard.await.expect("all is there");
	assert_eq!(content.task, task);

	let evidence = Evidence::gather(&chain, content).await;
	nothing_is_readable(&network, &chain, &secrets, &evidence, capture).await;
	a_masternode_opens_its_shares_and_no_more(&network, &evidence);
	a_worker_opens_its_ranges_and_no_more(&network, &secrets, &evidence);
	its_owner_opens_all(&secrets, &evidence);
}

/// Returns when the chain has all workers.
async fn registered(chain: &Chain) {
	let accounts = WORKERS.map(|uri| Account::from_uri(uri).expect("known").id());
	let wait = async {
		let mut heads = chain.finalized_heads(None);
		loop {
			let at = chain.at_finalized().await.expect("a chain");
			let mut missing = 0;
			for account in &accounts {
				missing += usize::from(at.worker(account).await.expect("a chain").is_none());
			}
			if missing == 0 {
				return;
			}
			heads.next().await.expect("no end").expect("a chain");
		}
	};
	tokio::time::timeout(LONG, wait).await.expect("all workers register");
}

/// The task, from the first command to its solution.
fn have_it_computed(network: &Network, secrets: &Secrets) -> TaskId {
	let (program, folder) = (network.path("program.wasm"), network.path(&secrets.folder));
	std::fs::write(&program, wat::parse_str(CAPITALS).expect("it is WAT")).expect("writable");
	secrets.write_to(&folder);
	let out = network.path("out");
	let (variable, range) = (format!("SECRET={}", secrets.variable), RANGE_SIZE.to_string());
	let run = [
		"task",
		"run",
		text(&program),
		"--input",
		text(&folder),
		"--split",
		"files",
		"--join",
		"files",
		"--out",
		text(&out),
		"--range",
		&range,
		"--memory",
		"64",
		"--env",
		&variable,
		"--account",
		OWNER,
		"--yes",
	];
	let said = network.dgcs(&run, &["--", &secrets.argument]);
	for (path, input) in &secrets.files {
		assert!(std::fs::read(out.join(path)).expect("fetched") == capitals(input), "{path}");
	}
	let task = said.iter().find_map(|line| line["task"].as_u64());
	TaskId(task.expect("it has a number"))
}

/// Everything that is said to and by the masternodes, at all of their ports, if this machine lets that be
/// heard.
struct Capture(Option<Listening>);

/// A tcpdump that runs.
struct Listening {
	process: Child,
	said: BufReader<ChildStderr>,
	/// What it has heard.
	path: PathBuf,
	ports: Vec<u16>,
}

impl Capture {
	fn start(network: &Network) -> Self {
		let path = network.path("masternodes.pcap");
		let ports = network.masternodes.iter().flat_map(|each| each.ports()).collect();
		let listening = Listening::start(ports, path);
		if let Err(reason) = &listening {
			eprintln!("SKIPPED: masternodes' traffic is not searched, for tcpdump says: {reason}");
		}
		Capture(listening.ok())
	}

	/// What was heard: all that there was, as what is said now at each port shows.
	fn end(mut self) -> Option<Vec<u8>> {
		self.0.as_ref()?.wait_until_heard();
		let Listening { mut process, mut said, path, .. } = self.0.take()?;
		let id = process.id().to_string();
		let told = Command::new("kill").args(["-INT", &id]).status().expect("it is ours");
		let mut last = String::new();
		said.read_to_string(&mut last).expect("it says how much it heard");
		assert!(told.success() && process.wait().expect("it ends").success(), "{last}");
		let missed = last.lines().find(|line| line.ends_with("dropped by kernel"));
		assert!(missed.is_some_and(|line| line.starts_with("0 ")), "it missed some: {last}");
		Some(std::fs::read(path).expect("it was written"))
	}
}

impl Listening {
	fn start(ports: Vec<u16>, path: PathBuf) -> io::Result<Self> {
		let filter: Vec<_> = ports.iter().map(|port| format!("tcp port {port}")).collect();
		let filter = filter.join(" or ");
		let mut process = Command::new("tcpdump")
			// It may have to wait for a processor: there is room for 64 MiB meanwhile.
			.args(["-i", "lo", "-s", "0", "-B", "65536", "-U", "-w", "-", &filter])
			.stdin(Stdio::null())
			.stdout(File::create(&path)?)
			.stderr(Stdio::piped())
			.spawn()?;
		let mut said = BufReader::new(process.stderr.take().expect("is piped"));
		let mut line = String::new();
		while !line.contains("listening on") {
			let before = std::mem::take(&mut line);
			if said.read_line(&mut line)? == 0 {
				process.wait()?;
				return Err(io::Error::other(before));
			}
		}
		Ok(Listening { process, said, path, ports })
	}

	/// Says something at each port, and returns when all of it is in the record: and all before it as well.
	fn wait_until_heard(&self) {
		let marker = |port: u16| format!("This is heard at port {port}.").into_bytes();
		let before = self.path.metadata().expect("it is written").len() as usize;
		for port in &self.ports {
			let mut line = TcpStream::connect(("127.0.0.1", *port)).expect("a masternode listens");
			line.write_all(&marker(*port)).expect("it takes anything");
		}
		let began = Instant::now();
		loop {
			let heard = std::fs::read(&self.path).expect("it is written");
			let is_there = |text: &[u8]| heard[before..].windows(text.len()).any(|at| at == text);
			let missing = self.ports.iter().filter(|port| !is_there(&marker(**port)));
			let missing: Vec<_> = missing.collect();
			if missing.is_empty() {
				return;
			}
			assert!(began.elapsed() < LONG, "nothing is heard of what was said at {missing:?}");
			std::thread::sleep(Duration::from_millis(100));
		}
	}
}

impl Drop for Capture {
	fn drop(&mut self) {
		if let Some(Listening { process, .. }) = &mut self.0 {
			let _ = process.kill();
			let _ = process.wait();
		}
	}
}

/// The content of a task, by somebody who has nothing to do with it.
struct Content {
	task: TaskId,
	spec: TaskSpec<u128>,
	manifest: Manifest,
	masternode: Masternode,
	/// A peer of that masternode's store.
	store: Store,
	blobs: Directory,
}

impl Content {
	/// Waits for the first task of the chain, and gets from the masternode at `url` and its peers all that
	/// its manifest names. `folder` is for that.
	async fn overhear(chain: Chain, url: String, folder: PathBuf) -> Self {
		let (task, spec) = first_task(&chain).await;
		let masternode = Masternode::new(&url, Patience::default()).expect("an URL");
		let embedded = Embedded {
			listen: vec!["/ip4/127.0.0.1/tcp/0".parse().expect("an address")],
			..Embedded::new(folder.join("store"))
		};
		let store = Store::open(&Config::Embedded(embedded)).await.expect("a new store");
		let addresses = masternode.store_addresses().await.expect("it says where its store is");
		let addresses: Vec<_> =
			addresses.iter().map(|address| address.parse().expect("an address")).collect();
		store.connect(&addresses).await.expect("it is there");

		let blobs = Directory::open(folder.join("blobs")).expect("writable");
		let (id, fetching) = (spec.manifest, store.clone());
		let fetch = move || {
			let copy = Copying { from: &fetching, to: &blobs };
			let manifest = Manifest::get(&copy, &id).expect("it keeps that");
			let named = [manifest.program, manifest.private].into_iter().chain(manifest.index);
			let named = named.chain(manifest.holders.iter().map(|holder| holder.shares));
			let named = named.map(|blob| (blob.id, blob.len));
			let shards =
				manifest.shards.iter().map(|shard| (shard.id(), manifest.shard_size.into()));
			named.chain(shards).for_each(|(id, len)| copy.blob(&id, len));
			(manifest, blobs)
		};
		let (manifest, blobs) = tokio::task::spawn_blocking(fetch).await.expect("all is there");
		manifest.check(&spec).expect("it is that of the task");
		Content { task, spec, manifest, masternode, store, blobs }
	}
}

/// What anybody can get: the task's content and results from a masternode's store, and the chain's word.
struct Evidence {
	task: TaskId,
	spec: TaskSpec<u128>,
	manifest: Manifest,
	verdicts: Vec<Verdict>,
	/// All blocks of all blobs.
	blobs: Directory,
}

impl Evidence {
	/// The rest of it, after the task's end.
	async fn gather(chain: &Chain, content: Content) -> Self {
		let Content { task, spec, manifest, masternode, store, blobs } = content;
		let info = chain.at_finalized().await.expect("a chain").task(task).await;
		let settlement = match info {
			Ok(Some(TaskInfo::Settled(settlement))) => settlement,
			other => panic!("{other:?}"),
		};
		let work = masternode.work_chain(task, &settlement.chain).await.expect("it keeps that");
		let verdicts: Vec<_> = work.verdicts(&spec).collect();
		let (digests, fetching) = (digests(&verdicts), store.clone());
		let fetch = move || {
			let copy = Copying { from: &fetching, to: &blobs };
			digests.iter().for_each(|digest| copy.blob(&result_id(digest), LIMIT));
			blobs
		};
		let blobs = tokio::task::spawn_blocking(fetch).await.expect("all is there");
		store.shutdown().await.expect("it was open");
		Evidence { task, spec, manifest, verdicts, blobs }
	}

	/// Opens a subtask's input and result, as far as `key` does.
	fn open(&self, key: &ScopeKey, verdict: &Verdict) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
		let mut input = Vec::new();
		let pieces = RangeInput::open(&self.blobs, &self.manifest, verdict.range, key);
		let read = pieces.and_then(|pieces| {
			pieces.read(&self.blobs, &self.manifest, verdict.subtask, &mut |_, part| {
				input.extend_from_slice(part);
				Ok(())
			})
		});
		let input = opened(read).then_some(input);
		let Outcome::Agreed(digest) = &verdict.outcome else { panic!("{verdict:?}") };
		let place = (verdict.range, verdict.round, verdict.subtask);
		let mut output = Vec::new();
		let result = Output::open(&self.blobs, digest, key, place, LIMIT);
		let read = result.and_then(|result| {
			result.read(&mut |part| {
				output.extend_from_slice(part);
				Ok(())
			})
		});
		(input, opened(read).then_some(output))
	}

	/// Whether a key opens the first block of the private part.
	fn opens_private(&self, key: &ScopeKey) -> bool {
		let bytes = get_blob(&self.blobs, &self.manifest.private.id, LIMIT).expect("it is there");
		key.cipher(Use::Private).open(Place::only(0), &mut bytes.clone()).is_some()
	}

	fn ranges(&self) -> BTreeSet<RangeIndex> {
		self.verdicts.iter().map(|verdict| verdict.range).collect()
	}
}

/// Whether something opened. All other errors than that are not meant.
fn opened<T>(result: Result<T, Error>) -> bool {
	match result {
		Ok(_) => true,
		Err(Error::Sealed { .. }) => false,
		Err(other) => panic!("{other}"),
	}
}

fn digests(verdicts: &[Verdict]) -> Vec<dgcs_primitives::ResultDigest> {
	let agreed = verdicts.iter().map(|verdict| match verdict.outcome {
		Outcome::Agreed(digest) => digest,
		other => panic!("{other:?}"),
	});
	agreed.collect()
}

/// The first task that is submitted, as the chain was told of it.
async fn first_task(chain: &Chain) -> (TaskId, TaskSpec<u128>) {
	let mut all = chain.finalized_events(Some(1));
	loop {
		let events = all.next().await.expect("no end").expect("a chain");
		let submitted = events.find::<event::tasks::Submitted>().expect("readable");
		if let Some(event) = submitted.first() {
			let task = event.task.0;
			let at = chain.at(events.block()).await.expect("a chain");
			match at.task(task).await.expect("a chain") {
				Some(TaskInfo::Live(view)) => return (task, view.spec),
				other => panic!("{other:?}"),
			}
		}
	}
}

/// Gets from a store, and keeps what it gets in a folder.
struct Copying<'a> {
	from: &'a Store,
	to: &'a Directory,
}

impl Copying<'_> {
	fn blob(&self, id: &ContentId, limit: u64) {
		get_blob(self, id, limit).unwrap_or_else(|error| panic!("{}: {error}", display(id)));
	}
}

impl BlockSource for Copying<'_> {
	fn get(&self, id: &ContentId, limit: usize) -> io::Result<Option<Vec<u8>>> {
		let block = self.from.get(id, limit)?;
		block.iter().try_for_each(|bytes| self.to.put(id, bytes))?;
		Ok(block)
	}

	fn want(&self, ids: &[ContentId]) {
		self.from.want(ids);
	}
}

/// All that was stored and said in clear has no piece of a secret, and all that it should have.
async fn nothing_is_readable(
	network: &Network,
	chain: &Chain,
	secrets: &Secrets,
	evidence: &Evidence,
	capture: Capture,
) {
	// Before the whole chain is read, over one of the ports.
	let heard = capture.end();
	let needles = secrets.needles(0..secrets.files.len(), true);
	let mut known = Needles::default();
	known.add_pieces("the program", PROGRAM.as_bytes(), PROGRAM.len());
	known.add_pieces("the manifest's name", evidence.spec.manifest.digest.as_bytes(), 32);
	known.add_pieces("a manifest", b"dgcs/manifest/1", 15);
	known.add_pieces("a method", b"dgcs_keyShare", 13);
	known.add_pieces("a handshake", b"/multistream/1.0.0", 18);
	let mut searched = 0;
	let mut look = |what: &str, bytes: &[u8]| {
		searched += bytes.len();
		assert_eq!(needles.found(bytes), BTreeSet::new(), "in {what}");
		known.found(bytes)
	};

	let mut seen = BTreeMap::new();
	let mut note = |what: &'static str, found: BTreeSet<String>| {
		seen.entry(what).or_insert_with(BTreeSet::new).extend(found);
	};
	for part in whole_chain(chain).await {
		note("the chain", look("the chain", &part));
	}
	for said in network.masternodes.iter().flat_map(|each| each.rpc.everything()) {
		note("the masternodes' JSON-RPC", look("the masternodes' JSON-RPC", &said));
	}
	if let Some(heard) = &heard {
		note("the masternodes' traffic", look("the masternodes' traffic", heard));
	}
	let alice = &network.masternodes[0];
	let log = std::fs::read(network.log_of(alice.name)).expect("it has one");
	look("a masternode's log", &log);
	for (what, folder) in [
		("a masternode's disk", network.path(alice.name)),
		("all blobs", evidence.blobs.path().into()),
	] {
		let (found, bytes) = needles.found_below(&folder);
		assert_eq!(found, BTreeSet::new(), "in {bytes} bytes of {what}");
		note(what, known.found_below(&folder).0);
	}

	let has = |what: &str, name: &str| seen[what].contains(name);
	assert!(has("the chain", "the manifest's name") && !has("the chain", "the program"));
	assert!(has("the masternodes' JSON-RPC", "a method"));
	assert!(heard.is_none() || has("the masternodes' traffic", "a handshake"));
	// What is kept after the end.
	assert!(has("a masternode's disk", "a manifest"), "{seen:?}");
	assert!(has("all blobs", "the program"), "{seen:?}");
	// And the owner's own folder has what is looked for.
	let (found, _) = needles.found_below(&network.path(&secrets.folder));
	assert!(found.iter().any(|name| name.starts_with("the input of")), "{found:?}");
	let (found, _) = needles.found_below(&network.path("out"));
	assert!(found.iter().any(|name| name.starts_with("the output of")), "{found:?}");
	println!("searched {searched} bytes, the disk and the blobs");
}

/// Every block, and all that the state after it has.
async fn whole_chain(chain: &Chain) -> Vec<Vec<u8>> {
	let last = chain.heads().finalized.number;
	let mut parts = Vec::new();
	let mut heads = chain.finalized_heads(Some(0));
	// What has not changed since the block before need not be read again.
	let mut known: HashMap<String, Value> = HashMap::new();
	loop {
		let Head { number, hash } = heads.next().await.expect("no end").expect("a chain");
		let block: Value = chain.request("chain_getBlock", rpc_params![hash]).await.expect("kept");
		parts.push(bytes_of(&block));
		let mut start: Option<String> = None;
		loop {
			let page = rpc_params!["0x", 500, start.clone(), hash];
			let keys: Vec<String> = chain.request("state_getKeysPaged", page).await.expect("kept");
			let Some(end) = keys.last().cloned() else { break };
			let values: Value =
				chain.request("state_queryStorageAt", rpc_params![keys, hash]).await.expect("kept");
			for change in values[0]["changes"].as_array().into_iter().flatten() {
				let key = change[0].as_str().expect("a key").to_owned();
				if known.get(&key) != Some(&change[1]) {
					parts.push(bytes_of(change));
					known.insert(key, change[1].clone());
				}
			}
			start = Some(end);
		}
		if number >= last {
			return parts;
		}
	}
}

/// All that is written in hexadecimal digits somewhere in a value.
fn bytes_of(value: &Value) -> Vec<u8> {
	match value {
		Value::String(text) => {
			let digits = text.strip_prefix("0x").and_then(|digits| hex::decode(digits).ok());
			digits.unwrap_or_else(|| text.clone().into_bytes())
		},
		Value::Array(values) => values.iter().flat_map(bytes_of).collect(),
		Value::Object(fields) => fields.values().flat_map(bytes_of).collect(),
		_ => Vec::new(),
	}
}

/// One masternode with its secret and all that it has heard: less than a key.
fn a_masternode_opens_its_shares_and_no_more(network: &Network, evidence: &Evidence) {
	let Evidence { manifest, blobs, verdicts, .. } = evidence;
	let alice = &network.masternodes[0];
	let secret = EncryptionSecret::from_bytes(
		BlakeTwo256::hash(b"dgcs/dev/encryption//Alice").as_fixed_bytes(),
	);
	let held = |holder: &dgcs_content::Holder| {
		let number = manifest.holders.iter().position(|other| other == holder).expect("it is one");
		let blob = get_blob(blobs, &holder.shares.id, holder.shares.len).expect("it is there");
		let (keys, root) = (manifest.shared_keys(), &holder.shares_root);
		(
			number as u8,
			HolderShares::open(&blob, &secret, &manifest.nonce, number as u8, keys, root),
		)
	};
	let own = H256(alice.account.id().into());
	let (mut shares, mut refused) = (None, 0);
	for holder in &manifest.holders {
		match held(holder) {
			(number, Ok(opened)) => {
				assert_eq!((holder.account, holder.key), (own, secret.public()));
				shares = Some((number, opened));
			},
			(_, Err(_)) => refused += 1,
		}
	}
	let (number, shares) = shares.expect("its own shares open");
	assert_eq!((manifest.holders.len(), refused), (4, 3));

	// What it gave to workers is for them alone. Theirs are shown to open below.
	let mut heard = Vec::new();
	for masternode in &network.masternodes {
		heard.extend(masternode.rpc.releases(evidence.task.0));
	}
	let given = alice.rpc.releases(evidence.task.0);
	assert!(!given.is_empty() && heard.len() > given.len());
	for Release { holder, position, sealed, .. } in &heard {
		let opened = open_release(sealed, &secret, manifest, *holder, Scope::at(*position));
		assert!(opened.is_err(), "the share of {} of holder {holder}", Scope::at(*position));
	}

	// So one share of each key is what it has. It is not a key, whatever it is taken for.
	let few = |needed| Sharing::over_half_of(needed).expect("some");
	for position in 0..manifest.shared_keys() {
		let scope = Scope::at(position);
		let (share, _): (Share, _) = shares.share(scope).expect("it has one of each");
		let rebuilt = manifest.sharing().expect("sound").combine(scope, &[(number, share.clone())]);
		assert!(
			matches!(rebuilt, Err(Error::TooFewShares { have: 1, need: 3, .. })),
			"{rebuilt:?}"
		);
		let alone = few(1).combine(scope, &[(0, share.clone())]).expect("one is enough for one");
		let twice = [(0, share.clone()), (1, share)];
		let twice = few(2).combine(scope, &twice).expect("two are enough for two");
		for key in [alone, twice] {
			assert!(manifest.open_job(&key).is_err() && !evidence.opens_private(&key));
			for verdict in verdicts {
				assert_eq!(evidence.open(&key, verdict), (None, None), "{scope}");
			}
		}
	}
}

/// A worker with its secret and all that anybody has heard: its own ranges.
fn a_worker_opens_its_ranges_and_no_more(
	network: &Network,
	secrets: &Secrets,
	evidence: &Evidence,
) {
	let manifest = &evidence.manifest;
	let given: Vec<Release> =
		network.masternodes.iter().flat_map(|each| each.rpc.releases(evidence.task.0)).collect();
	let all = evidence.ranges();
	let mut tried = 0;
	for uri in WORKERS {
		let account = Account::from_uri(uri).expect("known");
		let secret = account.encryption_secret();
		let mut rings: BTreeMap<Scope, KeyRing> = BTreeMap::new();
		for Release { worker, position, holder, sealed } in &given {
			let scope = Scope::at(*position);
			let ring = rings.entry(scope).or_insert_with(|| KeyRing::new(manifest, scope));
			let opened = ring.add(*holder, sealed, &secret);
			assert_eq!(opened.is_ok(), *worker == account.address(), "{uri}, {scope}: {opened:?}");
		}
		let keys: BTreeMap<Scope, ScopeKey> =
			rings.iter().filter_map(|(scope, ring)| Some((*scope, ring.key().ok()?))).collect();
		let has = |range: &RangeIndex| keys.contains_key(&Scope::Range(*range));
		let (own, others): (BTreeSet<_>, BTreeSet<_>) = all.iter().copied().partition(has);
		if own.is_empty() {
			continue;
		}
		// It reads what it was asked to compute: job, input and results.
		let job = manifest.open_job(&keys[&Scope::Task]).expect("it has the task's key");
		assert_eq!(job.arguments, std::slice::from_ref(&secrets.argument));
		let mut readable = Vec::new();
		for verdict in evidence.verdicts.iter().filter(|verdict| own.contains(&verdict.range)) {
			let (_, input) = &secrets.files[verdict.subtask as usize];
			let opened = evidence.open(&keys[&Scope::Range(verdict.range)], verdict);
			assert!(opened == (Some(input.clone()), Some(capitals(input))), "{uri}: {verdict:?}");
			readable.extend([opened.0, opened.1].into_iter().flatten());
		}
		readable.push(job.encode());
		// None of its keys opens what is of another range, or the owner's alone.
		for (scope, key) in &keys {
			assert!(!evidence.opens_private(key), "{uri}, {scope}");
			for verdict in &evidence.verdicts {
				if *scope != Scope::Range(verdict.range) {
					assert_eq!(
						evidence.open(key, verdict),
						(None, None),
						"{uri}, {scope}: {verdict:?}"
					);
				}
			}
		}
		let theirs = evidence.verdicts.iter().filter(|verdict| others.contains(&verdict.range));
		let needles = secrets.needles(theirs.map(|verdict| verdict.subtask as usize), false);
		for bytes in &readable {
			assert_eq!(needles.found(bytes), BTreeSet::new(), "what {uri} reads");
		}
		tried += others.len();
	}
	assert!(tried > 0, "no worker has a seat on all of {} ranges", all.len());
	println!("workers tried their keys on {tried} ranges of others");
}

/// The same content with the owner's keys.
fn its_owner_opens_all(secrets: &Secrets, evidence: &Evidence) {
	let Evidence { manifest, blobs, verdicts, .. } = evidence;
	let keys = Account::from_uri(OWNER).expect("known").owner_secret().task(&manifest.nonce);
	let private = Private::get(blobs, manifest, &keys).expect("its own");
	assert_eq!(private.header.name, secrets.folder);
	let paths: Vec<_> = private.files.iter().map(|file| &file.path).collect();
	assert_eq!(paths, secrets.files.iter().map(|(path, _)| path).collect::<Vec<_>>());
	assert!(evidence.opens_private(&keys.scope(Scope::Owner)));
	let mut clear = Vec::new();
	read_all(blobs, manifest, &keys, &mut |_, part| {
		clear.extend_from_slice(part);
		Ok(())
	})
	.expect("its own");
	assert!(clear == secrets.files.iter().flat_map(|(_, input)| input.clone()).collect::<Vec<_>>());
	for verdict in verdicts {
		let (_, input) = &secrets.files[verdict.subtask as usize];
		let key = keys.scope(Scope::Range(verdict.range));
		assert!(evidence.open(&key, verdict) == (Some(input.clone()), Some(capitals(input))));
	}
}
