//! What is lent binds: measured by the processor time of this process, which is why this test has a
//! process of its own. Time is compared with time, and what is waited for are events.

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
	lend::{Allowance, Reason},
	machine::{Identity, Machine, SaltKey, Stop},
	Edges, Journal, Note, Slots, Store, Worker,
};
use rustix::time::{clock_gettime, ClockId};
use scene::{Manner, Scene, Setting, TASK};
use sp_core::H256;
use tokio::sync::{mpsc::unbounded_channel, watch};

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
			open: 0b11,
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

	fn release(&self, _: &ContentId) -> std::io::Result<()> {
		Ok(())
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
async fn no_more_cores_are_used_than_are_lent() {
	let mut scene = Scene::new(Setting {
		program: scene::program("(loop $again (br $again))"),
		input: Some(&b"line\n".repeat(64)),
		cut: Cut::Lines(1),
		range_size: 2,
		masternodes: 1,
	});
	// A tenth of a second each.
	scene.spec.limits.fuel = 100_000_000;
	let identity = Identity {
		genesis: H256::zero(),
		worker: H256::repeat_byte(1),
		salts: SaltKey::new(&[1; 32]),
	};
	let (journal, votes) =
		Journal::open(&scene.path("journal"), &identity.genesis, &identity.worker, 1 << 30)
			.unwrap();
	let (sender, mut notes) = unbounded_channel();
	let chain = Arc::new(Leases { spec: scene.spec.clone(), block: Mutex::new(0) });
	let edges = Edges {
		chain: chain.clone(),
		store: Arc::new(Folder(scene.content.clone())),
		executor: Arc::new(scene.worker(|_| Manner::Honest)),
		journal: Arc::new(journal),
		slots: Slots::new(2, 19),
		notes: Arc::new(move |note| drop(sender.send(note.clone()))),
	};
	let lend = |slots| Allowance { slots, reason: Reason::Idle };
	let (lent, allowance) = watch::channel(lend(2));
	let (stop, stopped) = unbounded_channel::<Stop>();
	let worker = Worker::new(Machine::new(identity, 10, votes), edges, allowance);
	let worker = tokio::spawn(worker.run(stopped));

	// Two slots: two runs begin before any ends.
	let mut begun = 0;
	while begun < 2 {
		match notes.recv().await.unwrap() {
			Note::Started { .. } => begun += 1,
			Note::Computed { .. } => panic!("the second slot is not used"),
			_ => {},
		}
	}
	// One slot of the two: once the other run has ended, no more than one core is used.
	lent.send(lend(1)).unwrap();
	wait_until_running(&mut notes, 1).await;
	let before = now();
	let mut done = 0;
	while done < 12 {
		if let Note::Computed { outcome, .. } = notes.recv().await.unwrap() {
			assert_eq!(outcome, "out of fuel");
			done += 1;
		}
	}
	let used = cores_since(before);
	assert!(used < 1.25, "{used} cores of the one that is lent");

	// Nothing: all runs end, and the worker itself takes next to nothing.
	lent.send(lend(0)).unwrap();
	wait_until_running(&mut notes, 0).await;
	let (before, block) = (now(), *chain.block.lock().unwrap());
	while *chain.block.lock().unwrap() < block + 100 {
		tokio::time::sleep(Duration::from_millis(20)).await;
	}
	let used = cores_since(before);
	assert!(used < 0.2, "{used} cores of none that is lent");

	// And again.
	lent.send(lend(1)).unwrap();
	wait_until_running(&mut notes, 1).await;
	drop(stop);
	worker.await.unwrap();
}

async fn wait_until_running(notes: &mut tokio::sync::mpsc::UnboundedReceiver<Note>, count: usize) {
	loop {
		if let Note::Status { status, .. } = notes.recv().await.unwrap() {
			if status.running == count && usize::from(status.slots) == count {
				return;
			}
		}
	}
}
