//! From a lease to digests.

use std::{
	cell::{Cell, RefCell},
	collections::BTreeSet,
	io,
	panic::{catch_unwind, AssertUnwindSafe},
	sync::{
		atomic::{AtomicUsize, Ordering},
		mpsc::channel,
		Arc,
	},
};

use dgcs_content::{
	get_blob, put_blob, Blob, BlockSink, Cut, Directory, EncryptionSecret, Ending,
	Error as ContentError, Scope, TaskNonce, BLOCK_SIZE, DEFAULT_SHARD_SIZE, MAX_BLOCK,
	MAX_MANIFEST,
};
use dgcs_primitives::{ContentId, Digests, RangeIndex, ResultDigest, Round, SubtaskLimits};
use dgcs_sandbox::{Cancel, Sandbox, Subtask};
use dgcs_worker::execute::{limits, seed, Abandon, Done, ExecuteError, Executor, Work, MAX_OUTPUT};

use crate::scene::{Manner, Scene, Setting, ECHO, ENVIRONMENT};

fn lines(program: &str, input: &[u8]) -> Scene {
	Scene::new(by_lines(program, input))
}

fn by_lines<'a>(program: &str, input: &'a [u8]) -> Setting<'a> {
	Setting {
		program: crate::scene::program(program),
		input: Some(input),
		cut: Cut::Lines(1),
		range_size: 2,
		masternodes: 4,
	}
}

/// The 8 bytes that [`ECHO`] is given by the sandbox where they come from `seed`.
fn random(scene: &Scene, seed: [u8; 32]) -> Vec<u8> {
	let sandbox = Sandbox::new(None).unwrap();
	let program = sandbox.prepare(&crate::scene::program(ECHO)).unwrap();
	let run = Subtask {
		stdin: Box::new(io::empty()),
		args: Vec::new(),
		env: Vec::new(),
		seed,
		limits: limits(&scene.spec.limits),
	};
	sandbox.run(&program, run, &Cancel::new()).unwrap().output
}

fn run(
	worker: &Executor,
	work: &Work<'_>,
	results: &dyn BlockSink,
) -> Result<(Digests, Vec<Done>), ExecuteError> {
	let notes = RefCell::new(Vec::new());
	let note = |done: &Done| notes.borrow_mut().push(done.clone());
	let digests = worker.run(work, results, &Abandon::default(), &note)?;
	Ok((digests, notes.into_inner()))
}

#[test]
fn results_are_what_the_program_makes_of_the_input() {
	let scene = lines(ECHO, b"one\ntwo\nthree\n");
	let results = scene.results("results");
	let worker = scene.worker(|_| Manner::Honest);
	let mut number = 0;
	for (range, inputs) in [(0, &[b"one\n" as &[u8], b"two\n"][..]), (1, &[b"three\n"])] {
		let (digests, notes) = run(&worker, &scene.work(range), &results).unwrap();
		assert_eq!(digests.len(), inputs.len());
		assert_eq!(notes.len(), inputs.len());
		for (digest, input) in digests.iter().zip(inputs) {
			let (ending, output) = scene.open(&results, digest, (range, 0, number));
			assert_eq!(ending, Ending::Ok);
			let (echoed, rest) = output.split_at(input.len());
			assert_eq!(&echoed, input);
			assert_eq!(rest, random(&scene, seed(&scene.nonce, number)));
			number += 1;
		}
		let subtasks: Vec<u32> = notes.iter().map(|done| done.subtask).collect();
		assert_eq!(subtasks, if range == 0 { vec![0, 1] } else { vec![2] });
		assert!(notes.iter().all(|done| done.ending == Ending::Ok && done.fuel > 0));
	}
}

#[test]
fn random_numbers_follow_from_task_and_subtask() {
	let input = b"one\ntwo\nthree\nfour\n";
	let scenes = [6, 7].map(|nonce| Scene::of(by_lines(ECHO, input), TaskNonce([nonce; 32])));
	let numbers = |scene: &Scene, name: &str| -> Vec<Vec<u8>> {
		let (worker, results) = (scene.worker(|_| Manner::Honest), scene.results(name));
		let range = |range: u32| {
			let (digests, _) = run(&worker, &scene.work(range), &results).unwrap();
			let number = |(digest, subtask): (&ResultDigest, u32)| {
				let (_, output) = scene.open(&results, digest, (range, 0, subtask));
				output[output.len() - 8..].to_vec()
			};
			digests.iter().zip(2 * range..).map(number).collect::<Vec<_>>()
		};
		(0..2).flat_map(range).collect()
	};
	let all: Vec<_> = scenes.iter().flat_map(|scene| numbers(scene, "one")).collect();
	let again: Vec<_> = scenes.iter().flat_map(|scene| numbers(scene, "two")).collect();
	assert_eq!(all, again, "another worker finds the same");
	assert_eq!(BTreeSet::from_iter(all).len(), 8, "no two subtasks of the two tasks do");
}

#[test]
fn honest_workers_agree_and_rounds_differ() {
	let scene = lines(ECHO, b"one\ntwo\nthree\n");
	let digests = |name: &str, work: &Work<'_>| {
		run(&scene.worker(|_| Manner::Honest), work, &scene.results(name)).unwrap().0
	};
	let blocks = |name: &str| -> BTreeSet<_> {
		let entries = scene.path(name).read_dir().unwrap();
		entries.map(|entry| entry.unwrap().file_name()).collect()
	};
	let first = digests("one", &scene.work(0));
	assert_eq!(first, digests("two", &scene.work(0)));
	assert_eq!(blocks("one"), blocks("two"));
	// A later round, for what is open in it alone, under another key.
	let later = digests("later", &Work { round: Round(1), open: 0b10, ..scene.work(0) });
	assert_eq!(later.len(), 1);
	assert_ne!(later[0], first[1]);
	let (ending, output) = scene.open(&scene.results("later"), &later[0], (0, 1, 1));
	assert_eq!((ending, &output[..4]), (Ending::Ok, &b"two\n"[..]));
}

#[test]
fn a_task_cut_by_index_sees_all_of_its_input_and_its_number() {
	let setting = |program: &str, input| Setting {
		program: crate::scene::program(program),
		input,
		cut: Cut::Index(3),
		range_size: 2,
		masternodes: 1,
	};
	let scene = Scene::new(setting(ENVIRONMENT, None));
	let results = scene.results("results");
	let worker = scene.worker(|_| Manner::Honest);
	let (digests, _) = run(&worker, &scene.work(1), &results).unwrap();
	let (_, output) = scene.open(&results, &digests[0], (1, 0, 2));
	assert_eq!(output, b"NAME=value\0DGCS_SUBTASK=2\0DGCS_SUBTASKS=3\0");

	let scene = Scene::new(setting(ECHO, Some(b"shared")));
	let results = scene.results("results");
	let worker = scene.worker(|_| Manner::Honest);
	let (digests, _) = run(&worker, &scene.work(0), &results).unwrap();
	for (digest, subtask) in digests.iter().zip(0..) {
		let (_, output) = scene.open(&results, digest, (0, 0, subtask));
		assert_eq!(&output[..6], b"shared");
	}
}

/// Tries again for as long as others leave it too little of a processor, which says nothing of a program.
fn run_undisturbed(
	worker: &Executor,
	work: &Work<'_>,
	results: &Directory,
) -> Result<(Digests, Vec<Done>), ExecuteError> {
	let mut tries = 0;
	loop {
		tries += 1;
		match run(worker, work, results) {
			Err(ExecuteError::Starved { .. }) if tries < 300 => {},
			ended => return ended,
		}
	}
}

/// Whatever a program's end, it is voted on, and the worker's owner is told.
#[test]
fn every_end_is_a_result() {
	let grow = "(drop (memory.grow (i32.const 1000)))";
	let flood = "(loop $again (call $write (i32.const 0) (i32.const 65536)) (br $again))";
	let again = "(call $write (i32.const 1024) (local.get $len)) (loop $again (br $again))";
	let (few, all, hour) = (50_000_000, u64::MAX, 3_600_000);
	let trapped = "trap: unreachable code reached (an abort or a panic)";
	let cases = [
		("(call $proc_exit (i32.const 0))", few, hour, Ending::Ok, "ok"),
		("(call $proc_exit (i32.const 7))", few, hour, Ending::Exit(7), "exit code 7"),
		("unreachable", few, hour, Ending::Trap, trapped),
		("(loop $again (br $again))", few, hour, Ending::OutOfFuel, "out of fuel"),
		(grow, few, hour, Ending::OutOfMemory, "out of memory"),
		(flood, few, hour, Ending::TooMuchOutput, "too much output"),
		// What it wrote before depends on how fast the machine is.
		(again, all, 100, Ending::TimedOut, "timed out"),
	];
	for (then, fuel, time_ms, expected, outcome) in cases {
		let mut scene = lines(then, b"line\n");
		scene.spec.limits = SubtaskLimits { fuel, time_ms, ..scene.spec.limits };
		let results = scene.results("results");
		let worker = scene.worker(|_| Manner::Honest);
		let (digests, notes) = run_undisturbed(&worker, &scene.work(0), &results).unwrap();
		let (ending, output) = scene.open(&results, &digests[0], (0, 0, 0));
		assert_eq!((ending, notes[0].ending), (expected, expected), "{then}");
		assert_eq!(notes[0].outcome, outcome, "{then}");
		let most = if ending == Ending::TooMuchOutput { MAX_OUTPUT } else { 0 };
		assert_eq!(output.len() as u64, most, "{then}");
	}
}

/// Nobody is punished for a program that nobody can start: all vote the same.
#[test]
fn a_program_that_is_none_has_a_result_as_well() {
	let unknown = wat::parse_str(
		r#"(module (import "other" "thing" (func)) (memory (export "memory") 1)
			(func (export "_start")))"#,
	);
	for bytes in [b"no program".to_vec(), unknown.unwrap(), vec![0; 100_000]] {
		let scene = Scene::new(Setting {
			program: bytes,
			input: Some(b"line\n"),
			cut: Cut::Lines(1),
			range_size: 1,
			masternodes: 1,
		});
		let results = scene.results("results");
		let worker = scene.worker(|_| Manner::Honest);
		let (digests, _) = run(&worker, &scene.work(0), &results).unwrap();
		assert_eq!(scene.open(&results, &digests[0], (0, 0, 0)), (Ending::Trap, Vec::new()));
		let again = run(&scene.worker(|_| Manner::Honest), &scene.work(0), &results).unwrap();
		assert_eq!(again.0, digests);
	}
}

#[test]
fn one_masternode_that_lies_or_is_silent_does_no_harm() {
	let scene = lines(ECHO, b"one\ntwo\n");
	for manner in [
		|number| if number == 1 { Manner::Wrong } else { Manner::Honest },
		|number| if number == 0 { Manner::Garbage } else { Manner::Honest },
		|number| if number == 3 { Manner::Refuses } else { Manner::Honest },
	] as [fn(u8) -> Manner; 3]
	{
		run(&scene.worker(manner), &scene.work(0), &scene.results("results")).unwrap();
	}
}

#[test]
fn too_few_right_shares_are_an_error_that_names_who_gave_none() {
	let scene = lines(ECHO, b"one\ntwo\n");
	let manner = |number| match number {
		0 => Manner::Wrong,
		1 => Manner::Refuses,
		_ => Manner::Honest,
	};
	let error = run(&scene.worker(manner), &scene.work(0), &scene.results("results"));
	let error = error.unwrap_err();
	let ExecuteError::Key { scope: Scope::Task, source, .. } = &error else { panic!("{error}") };
	assert!(matches!(source, ContentError::TooFewShares { have: 2, need: 3, .. }));
	let text = error.to_string();
	assert!(text.contains("masternode 0: ") && text.contains("masternode 1: no lease"), "{text}");
}

#[test]
fn content_that_cannot_be_had_may_come_later() {
	let scene = lines(ECHO, b"one\ntwo\n");
	let secret = EncryptionSecret::random();
	let shares = scene.shares(secret.public(), |_| Manner::Honest);
	let elsewhere = Arc::new(Directory::open(scene.path("elsewhere")).unwrap());
	let worker = scene.worker_with(shares, secret, elsewhere.clone());
	let results = scene.results("results");
	// Each block in turn is missing, damaged, and too large; once all are there, it goes on.
	let missing = |worker: &Executor| {
		let error = run(worker, &scene.work(0), &results).unwrap_err();
		let ExecuteError::Content { source, .. } = error else { panic!("{error}") };
		source
	};
	loop {
		let id = match missing(&worker) {
			ContentError::Missing(id) => id,
			error => panic!("{error}"),
		};
		let good = std::fs::read(scene.content.path_of(&id)).unwrap();
		std::fs::write(elsewhere.path_of(&id), b"damaged").unwrap();
		assert!(matches!(missing(&worker), ContentError::WrongBlock { .. }));
		// Nobody knows whose block this is.
		std::fs::write(elsewhere.path_of(&id), vec![0; 2 * MAX_BLOCK]).unwrap();
		assert!(matches!(missing(&worker), ContentError::TooLarge { .. }));
		std::fs::write(elsewhere.path_of(&id), good).unwrap();
		if run(&worker, &scene.work(0), &results).is_ok() {
			break;
		}
	}
}

#[test]
fn content_of_another_task_is_refused() {
	let mut scene = lines(ECHO, b"one\ntwo\nthree\n");
	let results = scene.results("results");
	let worker = scene.worker(|_| Manner::Honest);
	scene.spec.subtasks = 4;
	let error = run(&worker, &scene.work(0), &results).unwrap_err();
	assert!(matches!(error, ExecuteError::Unfit { .. }), "{error}");
	// The manifest of nothing.
	scene.spec.manifest = scene.manifest().program.id;
	let error = run(&worker, &scene.work(0), &results).unwrap_err();
	assert!(matches!(error, ExecuteError::Unfit { .. }), "{error}");
}

/// All of a blob of a scene's.
fn bytes_of(scene: &Scene, blob: Blob) -> Vec<u8> {
	get_blob(&*scene.content, &blob.id, blob.len).unwrap()
}

/// The first shard.
fn shard_of(scene: &Scene) -> Vec<u8> {
	let id = scene.manifest().shards[0].id();
	bytes_of(scene, Blob { id, len: DEFAULT_SHARD_SIZE.into() })
}

fn put_manifest(scene: &mut Scene, bytes: &[u8]) {
	scene.spec.manifest = put_blob(&*scene.content, bytes).unwrap().id;
}

/// Other bytes than the index, as long as it was by the manifest.
fn put_index(scene: &mut Scene, bytes: &[u8]) {
	let id = put_blob(&*scene.content, bytes).unwrap().id;
	scene.forge(|manifest| manifest.index = manifest.index.map(|index| Blob { id, ..index }));
}

/// Other bytes than the program, as long as it was by the manifest.
fn put_program(scene: &mut Scene, bytes: &[u8]) {
	let id = put_blob(&*scene.content, bytes).unwrap().id;
	scene.forge(|manifest| manifest.program.id = id);
}

/// Other bytes than the first shard, with the Merkle root that it had.
fn put_shard(scene: &mut Scene, bytes: &[u8]) {
	let id = put_blob(&*scene.content, bytes).unwrap().id;
	scene.forge(|manifest| manifest.shards[0].digest = id.digest);
}

/// The parts of `bytes` with the first two in each other's place.
fn swapped(bytes: &[u8], part: usize) -> Vec<u8> {
	let (first, rest) = bytes.split_at(part);
	let (second, rest) = rest.split_at(part);
	[second, first, rest].concat()
}

/// All that there is has the name that somebody gave it, and is something else than promised: whoever
/// computes it comes to the same, be it a result or none.
#[test]
fn content_that_breaks_its_promise_is_the_owners_fault() {
	/// Changes a task, beside which there is another one.
	type Change = fn(&mut Scene, &Scene);
	let other = Scene::of(by_lines(ENVIRONMENT, b"four\nfive\nsix\n"), TaskNonce([7; 32]));
	let no_result: [(Change, &str); 8] = [
		(
			|scene, _| {
				let bytes = scene.manifest().to_bytes();
				put_manifest(scene, &bytes[..bytes.len() - 1]);
			},
			"it is cut short",
		),
		(
			|scene, _| scene.spec.manifest = scene.manifest().program.id,
			"does not start with the mark",
		),
		(|scene, other| put_manifest(scene, &other.manifest().to_bytes()), "it is another task's"),
		(
			|scene, _| put_manifest(scene, &vec![0; 10 * MAX_MANIFEST as usize]),
			"has 335544320 bytes where at most 33554432",
		),
		(
			|scene, _| {
				let index = bytes_of(scene, scene.manifest().index.unwrap());
				put_index(scene, &index[..index.len() - 1]);
			},
			"has 79 bytes, its owner promised 80",
		),
		(
			|scene, _| {
				let index = bytes_of(scene, scene.manifest().index.unwrap());
				put_index(scene, &swapped(&index, index.len() / 2));
			},
			"does not open",
		),
		(
			|scene, other| put_index(scene, &bytes_of(other, other.manifest().index.unwrap())),
			"does not open",
		),
		(
			|scene, _| {
				let index = bytes_of(scene, scene.manifest().index.unwrap());
				put_index(scene, &index.repeat(10));
			},
			"has 800 bytes, its owner promised 80",
		),
	];
	let trap: [(Change, &str); 8] = [
		(
			|scene, _| {
				let program = bytes_of(scene, scene.manifest().program);
				put_program(scene, &program[..program.len() - 1]);
			},
			"the program can't be started",
		),
		(
			|scene, _| scene.forge(|manifest| manifest.program = manifest.index.unwrap()),
			"the program can't be started",
		),
		(
			|scene, other| {
				assert_ne!(other.manifest().program.len, scene.manifest().program.len);
				put_program(scene, &bytes_of(other, other.manifest().program));
			},
			"the program can't be started",
		),
		(
			|scene, _| {
				let program = bytes_of(scene, scene.manifest().program);
				put_program(scene, &program.repeat(10));
			},
			"the program can't be started",
		),
		(
			|scene, _| {
				let shard = shard_of(scene);
				put_shard(scene, &shard[..shard.len() - BLOCK_SIZE]);
			},
			"has 8126464 bytes, its owner promised 8388608",
		),
		(|scene, _| put_shard(scene, &swapped(&shard_of(scene), BLOCK_SIZE)), "does not open"),
		(|scene, other| put_shard(scene, &shard_of(other)), "does not open"),
		(
			|scene, _| put_shard(scene, &shard_of(scene).repeat(10)),
			"has 83886080 bytes, its owner promised 8388608",
		),
	];
	let forged = |change: Change| {
		let mut scene = lines(ECHO, b"one\ntwo\nthree\n");
		change(&mut scene, &other);
		scene
	};
	for (number, (change, words)) in no_result.into_iter().enumerate() {
		let scene = forged(change);
		let [one, two] = ["one", "two"].map(|name| {
			let worker = scene.worker(|_| Manner::Honest);
			run(&worker, &scene.work(0), &scene.results(name)).unwrap_err()
		});
		assert!(matches!(one, ExecuteError::Unfit { .. }), "case {number}: {one:?}");
		assert!(one.to_string().contains(words), "case {number}: {one}");
		assert_eq!(one.to_string(), two.to_string(), "case {number}");
	}
	for (number, (change, words)) in trap.into_iter().enumerate() {
		let scene = forged(change);
		let [one, two] = ["one", "two"].map(|name| {
			let (worker, results) = (scene.worker(|_| Manner::Honest), scene.results(name));
			let (digests, notes) = run(&worker, &scene.work(0), &results).unwrap();
			for (digest, subtask) in digests.iter().zip(0..) {
				let result = scene.open(&results, digest, (0, 0, subtask));
				assert_eq!(result, (Ending::Trap, Vec::new()), "case {number}");
			}
			for Done { outcome, .. } in notes {
				assert!(outcome.contains(words), "case {number}: {outcome}");
			}
			digests
		});
		assert_eq!((one.len(), &one), (2, &two), "case {number}");
	}
}

/// A folder for results, with room for so many blocks more.
struct Full {
	folder: Directory,
	room: AtomicUsize,
}

impl BlockSink for Full {
	fn put(&self, id: &ContentId, bytes: &[u8]) -> io::Result<()> {
		let less = |room: usize| room.checked_sub(1);
		match self.room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less) {
			Ok(_) => self.folder.put(id, bytes),
			Err(_) => Err(io::Error::other("it is full")),
		}
	}
}

#[test]
fn results_without_room_are_this_machines_failure_and_wait_for_it() {
	let scene = lines(ECHO, b"one\ntwo\n");
	let worker = scene.worker(|_| Manner::Honest);
	let results = Full { folder: scene.results("results"), room: AtomicUsize::new(1) };
	let error = run(&worker, &scene.work(0), &results).unwrap_err();
	assert!(matches!(error, ExecuteError::Machine(_)), "{error:?}");
	let text = error.to_string();
	for words in ["this machine failed", "subtask 1 of task 7", "it is full", "raise disk_gib"] {
		assert!(text.contains(words), "{text}");
	}
	results.room.store(1, Ordering::Relaxed);
	let (digests, notes) = run(&worker, &scene.work(0), &results).unwrap();
	assert_eq!(notes.iter().map(|done| done.subtask).collect::<Vec<_>>(), [1]);
	for (digest, line) in digests.iter().zip(["one\n", "two\n"]) {
		let subtask = u32::from(line == "two\n");
		let (_, output) = scene.open(&results.folder, digest, (0, 0, subtask));
		assert!(output.starts_with(line.as_bytes()));
	}
}

#[test]
fn a_task_that_needs_more_memory_than_a_slot_has_is_refused() {
	let mut scene = lines(ECHO, b"one\n");
	scene.spec.limits = SubtaskLimits { memory_mib: 33, ..scene.spec.limits };
	let worker = scene.worker(|_| Manner::Honest);
	let error = run(&worker, &scene.work(0), &scene.results("results")).unwrap_err();
	assert!(matches!(error, ExecuteError::Memory { needed: 161, slot: 160, .. }), "{error}");
}

/// Bytes of an input that is not kept in memory.
const LARGE: usize = 5 << 20;

/// A task whose four subtasks, two in a range, all see the same large input.
fn large() -> Scene {
	Scene::new(Setting {
		program: crate::scene::program(ECHO),
		input: Some(&b"x".repeat(LARGE)),
		cut: Cut::Index(4),
		range_size: 2,
		masternodes: 1,
	})
}

#[test]
fn runs_share_the_disk_that_is_lent_to_inputs() {
	let scene = large();
	let (results, others) = (scene.results("results"), scene.results("others"));
	let worker = scene.lending(160, LARGE as u64);
	let abandon = Abandon::default();
	// What one run has no other gets, until it ends: well, with a panic, or abandoned.
	let ends: [(&dyn Fn(), Option<bool>); 3] = [
		(&|| (), Some(true)),
		(&|| panic!("a run panics"), None),
		(&|| abandon.abandon(), Some(false)),
	];
	for (end, expected) in ends {
		let second = || run(&worker, &scene.work(1), &others);
		let note = |_: &Done| {
			let error = second().unwrap_err();
			assert!(matches!(error, ExecuteError::DiskBusy { free: 0, .. }), "{error}");
			let text = error.to_string();
			assert!(text.contains("needs 5 MiB") && text.contains("raise disk_gib"), "{text}");
			end();
		};
		let first = || worker.run(&scene.work(0), &results, &abandon, &note).is_ok();
		assert_eq!(catch_unwind(AssertUnwindSafe(first)).ok(), expected);
		let (digests, _) = second().unwrap();
		let (ending, output) = scene.open(&others, &digests[0], (1, 0, 2));
		assert!(ending == Ending::Ok && output.starts_with(b"xxx"));
	}
}

#[test]
fn an_input_larger_than_the_disk_that_is_lent_is_refused() {
	let scene = large();
	let results = scene.results("results");
	let error = run(&scene.lending(160, LARGE as u64 - 1), &scene.work(0), &results).unwrap_err();
	assert!(matches!(error, ExecuteError::Disk { needed: 0x50_0000, lent: 0x4f_ffff, .. }));
	let text = error.to_string();
	assert!(text.contains("needs 5 MiB") && text.contains("4 MiB are lent"), "{text}");
	assert!(text.contains("set disk_gib to 1 or more"), "{text}");

	// Before anything is computed, if one of several pieces is too large; unless it is decided already.
	let mut input = b"short\n".to_vec();
	input.resize(LARGE, b'x');
	input.extend_from_slice(b"\nlast\n");
	let scene = lines(ECHO, &input);
	let results = scene.results("results");
	let all = scene.lending(160, LARGE as u64);
	assert_eq!(run(&all, &scene.work(0), &results).unwrap().1.len(), 2);
	let none = scene.lending(160, 0);
	let told = |_: &Done| panic!("it is refused first");
	let error = none.run(&scene.work(0), &results, &Abandon::default(), &told).unwrap_err();
	assert!(matches!(error, ExecuteError::Disk { lent: 0, .. }), "{error}");
	let short = Work { open: 0b01, ..scene.work(0) };
	assert_eq!(run(&none, &short, &results).unwrap().1.len(), 1);
	assert_eq!(run(&none, &scene.work(1), &results).unwrap().1.len(), 1);
}

/// Ends at once for all inputs but those that begin with an L.
const LOOP_FOR_L: &str = "(call $write (i32.const 1024) (local.get $len))
	(if (i32.eq (local.get $first) (i32.const 76)) (then (loop $again (br $again))))";

#[test]
fn abandoned_runs_end_and_go_on_where_they_were() {
	let mut scene = lines(LOOP_FOR_L, b"one\nLoop\n");
	scene.spec.limits.fuel = u64::MAX;
	let results = scene.results("results");
	let worker = scene.worker(|_| Manner::Honest);
	let abandon = Abandon::default();
	let (sender, receiver) = channel();
	// Ended from another thread, while its program loops.
	let ended = std::thread::scope(|threads| {
		let handle = abandon.clone();
		threads.spawn(move || {
			let first: u32 = receiver.recv().unwrap();
			handle.abandon();
			first
		});
		worker.run(&scene.work(0), &results, &abandon, &|done| sender.send(done.subtask).unwrap())
	});
	assert!(matches!(ended, Err(ExecuteError::Abandoned)), "{ended:?}");
	// Its first subtask is not computed again; the second is stopped by its fuel this time.
	let mut spec = scene.spec.clone();
	spec.limits.fuel = 50_000_000;
	let work = Work { spec: &spec, ..scene.work(0) };
	let (digests, notes) = run(&worker, &work, &results).unwrap();
	assert_eq!(notes.iter().map(|done| done.subtask).collect::<Vec<_>>(), [1]);
	assert_eq!(scene.open(&results, &digests[0], (0, 0, 0)).0, Ending::Ok);
	assert_eq!(scene.open(&results, &digests[1], (0, 0, 1)).0, Ending::OutOfFuel);

	// Before its next subtask, if it is not in a program.
	let scene = lines(ECHO, b"one\ntwo\n");
	let worker = scene.worker(|_| Manner::Honest);
	let (abandon, notes) = (Abandon::default(), Cell::new(0));
	let note = |_: &Done| {
		notes.set(notes.get() + 1);
		abandon.abandon();
	};
	let ended = worker.run(&scene.work(0), &scene.results("results"), &abandon, &note);
	assert!(matches!(ended, Err(ExecuteError::Abandoned)), "{ended:?}");
	assert_eq!(notes.get(), 1);
	// What was finished is forgotten with the results.
	worker.forget(scene.work(0).place, Round(0));
	let (digests, notes) = run(&worker, &scene.work(0), &scene.results("results")).unwrap();
	assert_eq!((digests.len(), notes.len()), (2, 2));
}

#[test]
fn a_worker_asks_for_the_keys_of_its_range_and_no_other() {
	let scene = lines(ECHO, b"one\ntwo\nthree\n");
	let secret = EncryptionSecret::random();
	let shares = scene.shares(secret.public(), |_| Manner::Honest);
	let worker = scene.worker_with(shares.clone(), secret, scene.content.clone());
	run(&worker, &scene.work(1), &scene.results("results")).unwrap();
	let asked = shares.asked.lock().unwrap().clone();
	assert_eq!(asked, [Scope::Task, Scope::Range(RangeIndex(1))]);
	// The program and the task's key are kept for its next range.
	run(&worker, &scene.work(0), &scene.results("results")).unwrap();
	let asked = shares.asked.lock().unwrap().clone();
	assert_eq!(asked[2..], [Scope::Range(RangeIndex(0))]);
	assert_ne!(
		ResultDigest::default(),
		run(&worker, &scene.work(1), &scene.results("r")).unwrap().0[0]
	);
}
