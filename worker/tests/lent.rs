//! What is lent binds: from a config, and what is seen of the machine, to what runs. Measured by what the
//! system says of this process, which is why these tests have one of their own and run one after the other.
//! The machine and its clock are as a test says; time is compared with time, and what is waited for are
//! events.

#![allow(clippy::unwrap_used)] // A test that panics is a test that fails.

#[allow(dead_code)] // Other tests use the rest.
#[path = "suite/scene.rs"]
mod scene;

use std::{
	sync::{Arc, Mutex},
	time::{Duration, Instant},
};

use async_trait::async_trait;
use dgcs_content::{BlockSink, BlockSource, Cut, Directory};
use dgcs_primitives::{
	api::{Capacity, Standing},
	ContentId, EncryptionKey, Kinds, RangeIndex, Round, TaskId, TaskSpec,
};
use dgcs_worker::{
	chain::{Balance, Call, Chain, ChainError, Phase, Place, Record, Seat, SeatState, View},
	lend::{Allowance, Config, Lender, Machine as Host, Reading, Reason, Senses},
	machine::{Identity, Machine, SaltKey, Stop},
	Edges, Journal, Note, Slots, Store, Worker,
};
use rustix::time::{clock_gettime, ClockId};
use scene::{Scene, Setting, TASK};
use sp_core::H256;
use tokio::{
	sync::{
		mpsc::{unbounded_channel, UnboundedReceiver, UnboundedSender},
		watch,
	},
	task::JoinHandle,
};

/// Who holds it has the process to itself.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// What the configs below are for.
const HOST: Host = Host { cores: 4, memory_mib: 8192 };

/// Two slots of the machine that is idle, one of that which is in use.
const TWO_OR_ONE: &str = r#"
	slot_memory_mib = 160
	idle = { cores = 2, memory = "50%" }
	busy = { cores = 1, memory = "50%" }
	use = { busy_above = 25, busy_after = 10, idle_below = 15, idle_after = 180, keep_free_mib = 512 }
"#;

/// A chain on which one worker has leases on all ranges of a task, for ever.
struct Leases {
	spec: TaskSpec<Balance>,
	block: Mutex<u32>,
}

#[async_trait]
impl Chain for Leases {
	async fn next(&self, watch: &[Place], _: bool) -> Result<View, ChainError> {
		tokio::time::sleep(Duration::from_millis(20)).await;
		let mut block = self.block.lock().unwrap();
		*block += 1;
		let all = (0..self.spec.ranges()).map(|r| Place { task: TASK, range: RangeIndex(r) });
		let seat = Seat {
			round: Round(0),
			open: u64::MAX >> (64 - self.spec.range_size),
			phase: Phase::Commit,
			state: SeatState::Leased { since: 0, until: 1 << 30 },
		};
		let places: Vec<Place> = if *block == 1 { all.collect() } else { watch.to_vec() };
		let worker = Record {
			capacity: Capacity { slots: self.spec.ranges() as u16, memory_mib: 32 },
			key: EncryptionKey::default(),
			kinds: Kinds(1),
			busy: self.spec.ranges() as u16,
			standing: Standing::Good,
			leaving: false,
		};
		Ok(View {
			block: *block,
			finalised: *block,
			worker: Some(worker),
			seats: places.into_iter().map(|place| (place, Some(seat))).collect(),
			..View::default()
		})
	}

	async fn task(&self, _: TaskId) -> Result<Option<TaskSpec<Balance>>, ChainError> {
		Ok(Some(self.spec.clone()))
	}

	async fn send(&self, _: Call) -> Result<(), ChainError> {
		Ok(())
	}
}

struct Folder(Arc<Directory>);

impl BlockSink for Folder {
	fn put(&self, id: &ContentId, bytes: &[u8]) -> std::io::Result<()> {
		self.0.put(id, bytes)
	}
}

impl BlockSource for Folder {
	fn get(&self, id: &ContentId, limit: usize) -> std::io::Result<Option<Vec<u8>>> {
		self.0.get(id, limit)
	}
}

impl Store for Folder {
	fn provide(&self, _: &ContentId) -> std::io::Result<()> {
		Ok(())
	}

	fn check(&self) -> std::io::Result<()> {
		Ok(())
	}

	fn release(&self, _: &ContentId) -> std::io::Result<()> {
		Ok(())
	}
}

/// A machine that is as a test says.
#[derive(Clone)]
struct Told(Arc<Mutex<Reading>>);

impl Senses for Told {
	fn read(&mut self) -> Reading {
		*self.0.lock().unwrap()
	}
}

/// A worker at work on all of a scene's task, on a machine that nobody else uses, on Monday at 23:00.
struct Bench {
	chain: Arc<Leases>,
	told: Told,
	lender: Lender<Told>,
	lent: watch::Sender<Allowance>,
	notes: UnboundedReceiver<Note>,
	stop: UnboundedSender<Stop>,
	worker: JoinHandle<()>,
	/// Its folder goes last.
	_scene: Scene,
}

impl Bench {
	/// Lends what `config` says, and `inputs` bytes of disk for inputs. `see` is told of what happens on
	/// the very thread on which it does.
	fn start(
		scene: Scene,
		config: &str,
		inputs: u64,
		see: impl Fn(&Note) + Send + Sync + 'static,
	) -> Self {
		let terms = config.parse::<Config>().unwrap().terms(&HOST).unwrap();
		let identity = Identity {
			genesis: H256::zero(),
			worker: H256::repeat_byte(1),
			salts: SaltKey::new(&[1; 32]),
		};
		let (genesis, worker) = (identity.genesis, identity.worker);
		let (journal, votes) =
			Journal::open(&scene.path("journal"), &genesis, &worker, 1 << 30).unwrap();
		let (sender, notes) = unbounded_channel();
		let chain = Arc::new(Leases { spec: scene.spec.clone(), block: Mutex::new(0) });
		let edges = Edges {
			chain: chain.clone(),
			store: Arc::new(Folder(scene.content.clone())),
			executor: Arc::new(scene.lending(terms.slot_memory_mib.into(), inputs)),
			journal: Arc::new(journal),
			slots: Slots::new(terms.idle_slots, 19),
			notes: Arc::new(move |note: &Note| {
				see(note);
				drop(sender.send(note.clone()));
			}),
		};
		let told = Told(Arc::new(Mutex::new(Reading {
			at: Duration::ZERO,
			load: 0.0,
			cores: HOST.cores.into(),
			own_cpu: Duration::ZERO,
			available_mib: HOST.memory_mib,
			own_mib: 100,
			day: 0,
			minute: 23 * 60,
			on_battery: false,
		})));
		let mut lender = Lender::new(terms, told.clone());
		let (lent, allowance) = watch::channel(lender.look());
		let (stop, stopped) = unbounded_channel();
		let worker = Worker::new(Machine::new(identity, 10, votes), edges, allowance);
		let worker = tokio::spawn(worker.run(stopped));
		Bench { chain, told, lender, lent, notes, stop, worker, _scene: scene }
	}

	/// So many seconds later the machine is as `change` makes it: lends what follows.
	fn after(&mut self, seconds: u64, change: impl FnOnce(&mut Reading)) -> Allowance {
		{
			let mut reading = self.told.0.lock().unwrap();
			reading.at += Duration::from_secs(seconds);
			change(&mut reading);
		}
		let allowance = self.lender.look();
		self.lent.send(allowance).unwrap();
		allowance
	}

	/// The same where others have taken so many percent of the machine, and tasks one of its cores.
	fn used(&mut self, seconds: u64, others: f64) -> Allowance {
		self.after(seconds, |seen| {
			seen.own_cpu += Duration::from_secs(seconds);
			seen.load = others + 100.0 / f64::from(HOST.cores);
		})
	}

	async fn next(&mut self) -> Note {
		self.notes.recv().await.unwrap()
	}

	/// Waits until just as much runs as is allowed, and its owner was told why.
	async fn obeys(&mut self, allowance: Allowance) {
		let Allowance { slots, reason } = allowance;
		loop {
			if let Note::Status { status, lent, .. } = self.next().await {
				let told = (status.slots, status.running, lent.unwrap_or(Reason::Idle));
				if told == (slots, usize::from(slots), reason) {
					return;
				}
			}
		}
	}

	/// Waits until so many subtasks more were computed, which ended as `expected`.
	async fn computes(&mut self, count: usize, expected: &str) {
		let mut done = 0;
		while done < count {
			if let Note::Computed { outcome, .. } = self.next().await {
				assert_eq!(outcome, expected);
				done += 1;
			}
		}
	}

	/// Waits for so many blocks.
	async fn blocks(&self, count: u32) {
		let block = || *self.chain.block.lock().unwrap();
		let last = block() + count;
		while block() < last {
			tokio::time::sleep(Duration::from_millis(20)).await;
		}
	}

	async fn end(self) {
		drop(self.stop);
		self.worker.await.unwrap();
	}
}

fn cpu_time() -> Duration {
	clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap()
}

/// Processor time and time on the wall.
fn now() -> (Duration, Instant) {
	(cpu_time(), Instant::now())
}

/// How many cores were used since then.
fn cores_since((cpu, wall): (Duration, Instant)) -> f64 {
	cpu_time().saturating_sub(cpu).as_secs_f64() / wall.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_follows_load_hours_battery_and_memory() {
	let _alone = ALONE.lock().await;
	let mut scene = Scene::new(Setting {
		program: scene::program("(loop $again (br $again))"),
		input: Some(&b"line\n".repeat(64)),
		cut: Cut::Lines(1),
		range_size: 2,
		masternodes: 1,
	});
	// A tenth of a second each.
	scene.spec.limits.fuel = 100_000_000;
	let lend = |slots, reason| Allowance { slots, reason };
	let on_mondays = "when = { days = [\"mon\"], hours = [\"22:00-06:00\"] }";
	let mut bench = Bench::start(scene, &format!("{TWO_OR_ONE}{on_mondays}"), 0, |_| ());

	// Two slots: two runs begin before any ends.
	let mut begun = 0;
	while begun < 2 {
		match bench.next().await {
			Note::Started { .. } => begun += 1,
			Note::Computed { .. } => panic!("the second slot is not used"),
			_ => {},
		}
	}

	// Others take more than a quarter for as long as it takes to count: one slot of the two. Once the
	// other run has ended, no more than one core is used.
	assert_eq!(bench.used(2, 60.0), lend(2, Reason::Idle));
	assert_eq!(bench.used(9, 60.0), lend(2, Reason::Idle));
	assert_eq!(bench.used(1, 60.0), lend(1, Reason::InUse));
	bench.obeys(lend(1, Reason::InUse)).await;
	let before = now();
	bench.computes(12, "out of fuel").await;
	let used = cores_since(before);
	assert!(used < 1.25, "{used} cores of the one that is lent");

	// They leave it for as long as it takes to count: both slots. The quarter of the machine that tasks take
	// themselves is no matter.
	assert_eq!(bench.used(10, 10.0), lend(1, Reason::InUse));
	assert_eq!(bench.used(179, 10.0), lend(1, Reason::InUse));
	assert_eq!(bench.used(1, 10.0), lend(2, Reason::Idle));
	bench.obeys(lend(2, Reason::Idle)).await;

	// Tuesday, 06:00: nothing. All runs end, and the worker itself takes next to nothing.
	let morning = |seen: &mut Reading| {
		(seen.load, seen.day, seen.minute) = (0.0, 1, 6 * 60);
	};
	assert_eq!(bench.after(1, morning), lend(0, Reason::OffHours));
	bench.obeys(lend(0, Reason::OffHours)).await;
	let before = now();
	bench.blocks(50).await;
	let used = cores_since(before);
	assert!(used < 0.2, "{used} cores of none that is lent");
	assert_eq!(bench.after(1, |seen| seen.minute -= 1), lend(2, Reason::Idle));
	bench.obeys(lend(2, Reason::Idle)).await;

	// Unplugged, and plugged in again, when there is memory for one slot and what is to be left free.
	assert_eq!(bench.after(1, |seen| seen.on_battery = true), lend(0, Reason::OnBattery));
	bench.obeys(lend(0, Reason::OnBattery)).await;
	let little = |seen: &mut Reading| {
		(seen.on_battery, seen.available_mib) = (false, 512 + 160 - seen.own_mib);
	};
	assert_eq!(bench.after(1, little), lend(2, Reason::Idle));
	bench.obeys(lend(2, Reason::Idle)).await;
	assert_eq!(bench.after(9, |_| ()), lend(2, Reason::Idle));
	assert_eq!(bench.after(1, |_| ()), lend(1, Reason::LowMemory));
	bench.obeys(lend(1, Reason::LowMemory)).await;
	bench.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn content_is_opened_on_no_more_cores_than_are_lent() {
	let _alone = ALONE.lock().await;
	// All ranges see the same input of many shards, and their programs end at once: what takes time is to
	// open it.
	let scene = Scene::new(Setting {
		program: scene::program(""),
		input: Some(&b"x".repeat(128 << 20)),
		cut: Cut::Index(16),
		range_size: 1,
		masternodes: 1,
	});
	assert!(scene.manifest().shards.len() >= 16);
	let lend = |slots, reason| Allowance { slots, reason };
	let mut bench = Bench::start(scene, TWO_OR_ONE, 1 << 30, |_| ());

	// One slot of two, which has the machine's other cores beside it.
	assert_eq!(bench.used(1, 60.0), lend(2, Reason::Idle));
	assert_eq!(bench.used(10, 60.0), lend(1, Reason::InUse));
	bench.obeys(lend(1, Reason::InUse)).await;
	let before = now();
	bench.computes(6, "ok").await;
	let used = cores_since(before);
	assert!(used < 1.25, "{used} cores of the one that is lent");

	// None: the run that opens its input ends as well.
	assert_eq!(bench.after(1, |seen| seen.on_battery = true), lend(0, Reason::OnBattery));
	bench.obeys(lend(0, Reason::OnBattery)).await;
	let before = now();
	bench.blocks(50).await;
	let used = cores_since(before);
	assert!(used < 0.2, "{used} cores of none that is lent");
	bench.end().await;
}

/// What only Linux tells.
#[cfg(target_os = "linux")]
mod measured {
	use std::{
		collections::BTreeMap,
		fs,
		os::unix::fs::MetadataExt,
		path::Path,
		process::{Child, Command},
		sync::atomic::{AtomicU64, Ordering},
	};

	use dgcs_worker::lend::{Observer, ThisMachine};

	use super::*;

	/// The most memory that this process had, in MiB.
	fn peak_mib() -> u64 {
		let status = fs::read_to_string("/proc/self/status").unwrap();
		let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
		let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
		kib >> 10
	}

	/// Takes memory and fills it, until it is stopped.
	const HOARD: &str = "(loop $again
		(memory.fill
			(i32.mul (memory.grow (i32.const 1)) (i32.const 65536))
			(i32.const 1)
			(i32.const 65536))
		(br $again))";

	#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
	async fn no_more_memory_is_used_than_is_lent() {
		let _alone = ALONE.lock().await;
		let mut scene = Scene::new(Setting {
			program: scene::program(HOARD),
			input: Some(&b"line\n".repeat(8)),
			cut: Cut::Lines(1),
			range_size: 1,
			masternodes: 1,
		});
		// All that is left of a slot.
		scene.spec.limits.memory_mib = 192 - 128;
		// What the tests before have had is no matter any more.
		fs::write("/proc/self/clear_refs", "5").unwrap();
		let before = peak_mib();
		// Two slots fit, though there are four cores.
		let lent = "slot_memory_mib = 192\nidle = { cores = 4, memory = 400 }";
		let mut bench = Bench::start(scene, lent, 0, |_| ());
		bench.computes(8, "out of memory").await;
		bench.end().await;
		let used = peak_mib().saturating_sub(before);
		assert!(used > 60, "{used} MiB are not what a program filled");
		assert!(used < 400, "{used} MiB of the 400 that are lent");
	}

	/// Bytes of an input that is not kept in memory.
	const LARGE: u64 = 5 << 20;

	/// A task of six ranges, all of which see the same large input.
	fn large() -> Scene {
		let mut scene = Scene::new(Setting {
			program: scene::program("(loop $again (br $again))"),
			input: Some(&b"x".repeat(LARGE as usize)),
			cut: Cut::Index(6),
			range_size: 1,
			masternodes: 1,
		});
		scene.spec.limits.fuel = 100_000_000;
		scene
	}

	/// Three slots.
	const THREE: &str = "slot_memory_mib = 160\nidle = { cores = 3, memory = \"50%\" }";

	/// Files without a name in `folder` that are open here, and their lengths.
	fn nameless(folder: &Path) -> BTreeMap<(u64, u64), u64> {
		let open = fs::read_dir("/proc/self/fd").unwrap();
		let file = |entry: std::io::Result<fs::DirEntry>| {
			// Others close theirs meanwhile.
			let path = entry.ok()?.path();
			let name = fs::read_link(&path).ok()?;
			let file = fs::metadata(&path).ok()?;
			let ours = name.starts_with(folder) && file.nlink() == 0;
			ours.then(|| ((file.dev(), file.ino()), file.len()))
		};
		open.filter_map(file).collect()
	}

	/// Bytes of those that are there at the same time.
	fn taken(folder: &Path) -> u64 {
		let (first, second) = (nameless(folder), nameless(folder));
		first.iter().filter(|(file, _)| second.contains_key(*file)).map(|(_, len)| len).sum()
	}

	#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
	async fn no_more_disk_is_used_for_inputs_than_is_lent() {
		let _alone = ALONE.lock().await;
		let scene = large();
		let folder = scene.folder.path().canonicalize().unwrap();
		let most = Arc::new(AtomicU64::new(0));
		let seen = most.clone();
		// Two of three inputs fit. Who has one tells of its end while it still has it.
		let mut bench = Bench::start(scene, THREE, 3 * LARGE - 1, move |note| {
			if let Note::Computed { .. } = note {
				seen.fetch_max(taken(&folder), Ordering::Relaxed);
			}
		});
		// Those that find no room are tried again.
		bench.computes(6, "out of fuel").await;
		bench.end().await;
		let most = most.load(Ordering::Relaxed);
		assert!((LARGE..3 * LARGE).contains(&most), "{most} bytes");
	}

	#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
	async fn a_range_that_needs_more_disk_than_is_lent_is_left_to_others() {
		let _alone = ALONE.lock().await;
		let mut bench = Bench::start(large(), THREE, LARGE - 1, |_| ());
		let mut refused = 0;
		while refused < 6 {
			if let Note::Trouble { message } = bench.next().await {
				assert!(message.contains("set disk_gib to 1 or more"), "{message}");
				refused += 1;
			}
		}
		// Longer than the first pause after what may pass.
		bench.blocks(20).await;
		while let Ok(note) = bench.notes.try_recv() {
			assert!(!matches!(note, Note::Started { .. }), "{note:?}");
		}
		bench.end().await;
	}

	/// Another process, which does nothing but use a core. It ends with this one at the latest.
	struct Other(Child);

	impl Other {
		fn start() -> Self {
			let spin = "while kill -0 $PPID; do :; done";
			Other(Command::new("sh").args(["-c", spin]).spawn().unwrap())
		}

		/// The processor time that it had.
		fn cpu_time(&self) -> Duration {
			let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
			// The name, which may be anything, is in brackets. Behind it, fields are known by their place.
			let (_, fields) = stat.rsplit_once(')').unwrap();
			let times = fields.split_whitespace().skip(11).take(2);
			// Linux tells them in hundredths of a second, whatever it counts in itself.
			let hundredths: u64 = times.map(|time| time.parse::<u64>().unwrap()).sum();
			Duration::from_millis(10 * hundredths)
		}
	}

	impl Drop for Other {
		fn drop(&mut self) {
			self.0.kill().unwrap();
			self.0.wait().unwrap();
		}
	}

	#[test]
	fn what_another_process_takes_is_seen() {
		let _alone = ALONE.blocking_lock();
		let other = Other::start();
		let cores = f64::from(ThisMachine::new().read().cores);
		let mut observer = Observer::new(ThisMachine::new());
		let (began, before) = (Instant::now(), other.cpu_time());
		// However little of a core is left to it.
		while other.cpu_time() - before < Duration::from_millis(300) {
			std::thread::sleep(Duration::from_millis(20));
		}
		let taken = (other.cpu_time() - before).as_secs_f64();
		let (_, seen) = observer.look();
		let others = seen.others / 100.0 * cores * began.elapsed().as_secs_f64();
		assert!(others > taken / 2.0, "{others} s of the {taken} s that another process took");
	}
}
