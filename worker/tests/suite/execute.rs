//! From a lease to digests.

use std::{
	cell::{Cell, RefCell},
	collections::BTreeSet,
	panic::{catch_unwind, AssertUnwindSafe},
	sync::{mpsc::channel, Arc},
};

use dgcs_content::{Cut, Directory, EncryptionSecret, Ending, Error as ContentError, Scope};
use dgcs_primitives::{Digests, RangeIndex, ResultDigest, Round, SubtaskLimits};
use dgcs_worker::execute::{seed, Abandon, Done, ExecuteError, Executor, Work, MAX_OUTPUT};

use crate::scene::{Manner, Scene, Setting, ECHO, ENVIRONMENT};

fn lines(program: &str, input: &[u8]) -> Scene {
	Scene::new(Setting {
		program: crate::scene::program(program),
		input: Some(input),
		cut: Cut::Lines(1),
		range_size: 2,
		masternodes: 4,
	})
}

fn run(
	worker: &Executor,
	work: &Work<'_>,
	results: &Directory,
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
			let (echoed, random) = output.split_at(input.len());
			assert_eq!(&echoed, input);
			// The first 8 bytes of the key stream that follows from the seed are not 0.
			assert!(random.len() == 8 && random != [0; 8]);
			number += 1;
		}
		let subtasks: Vec<u32> = notes.iter().map(|done| done.subtask).collect();
		assert_eq!(subtasks, if range == 0 { vec![0, 1] } else { vec![2] });
		assert!(notes.iter().all(|done| done.ending == Ending::Ok && done.fuel > 0));
	}
	assert_ne!(seed(&scene.nonce, 0), seed(&scene.nonce, 1));
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

/// Whatever a program's end, it is voted on.
#[test]
fn every_end_is_a_result() {
	let grow = "(drop (memory.grow (i32.const 1000)))";
	let flood = "(loop $again (call $write (i32.const 0) (i32.const 65536)) (br $again))";
	let cases = [
		("(call $proc_exit (i32.const 0))", Ending::Ok),
		("(call $proc_exit (i32.const 7))", Ending::Exit(7)),
		("unreachable", Ending::Trap),
		("(loop $again (br $again))", Ending::OutOfFuel),
		(grow, Ending::OutOfMemory),
		(flood, Ending::TooMuchOutput),
	];
	for (then, expected) in cases {
		let mut scene = lines(then, b"line\n");
		scene.spec.limits.fuel = 50_000_000;
		let results = scene.results("results");
		let (digests, notes) =
			run(&scene.worker(|_| Manner::Honest), &scene.work(0), &results).unwrap();
		let (ending, output) = scene.open(&results, &digests[0], (0, 0, 0));
		assert_eq!((ending, notes[0].ending), (expected, expected), "{then}");
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
	// Each block in turn is missing, then damaged; once all are there, it goes on.
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
