//! How fast a file becomes a task's content in its owner's store, and results a file, against what the
//! machine can do at all, measured in the same run, in turns: the same ciphers and hashes of as many bytes
//! on all cores. With a Kubo, also against `ipfs add` of the same file.
//!
//! ```text
//! cargo run --release --example owner -- [--mib 1024] [--rounds 3] [--result-mib 4] [--kubo IPFS] [FOLDER]
//! ```
//!
//! All files are in FOLDER, or in the temporary folder of the system. Prints one line of JSON.

#![allow(missing_docs)]

use std::{
	fs::{self, File},
	io::{self, BufWriter, Read, Write},
	path::{Path, PathBuf},
	process::{Command, Stdio},
	sync::atomic::{AtomicUsize, Ordering::Relaxed},
	time::Instant,
};

use dgcs_content::{
	keys::{Cipher, Place, Use, TAG_SIZE},
	prepare, put_blob, seal_result, BlockSink, Cut, Ending, Input, Join, Manifest, OwnerSecret,
	Plan, Results, Scope, TaskKeys, TaskNonce, Verdict, BLOCK_SIZE, DEFAULT_SHARD_SIZE,
};
use dgcs_owner::{roots, Writeback};
use dgcs_primitives::{ContentId, RangeIndex, Round};
use dgcs_store::{Config, Embedded, Store};
use rayon::prelude::*;
use serde_json::{json, Map, Value};
use tokio::{runtime::Handle, task::spawn_blocking};

/// That of `dgcs`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const MIB: usize = 1 << 20;

const CACHE_LINE: usize = 64;

/// What the bytes of a segment are.
const PLAIN: usize = BLOCK_SIZE - TAG_SIZE;

struct Options {
	mib: usize,
	rounds: usize,
	result_mib: usize,
	kubo: Option<PathBuf>,
	folder: PathBuf,
}

fn options() -> Result<Options, Failure> {
	let folder = std::env::temp_dir();
	let mut options = Options { mib: 1024, rounds: 3, result_mib: 4, kubo: None, folder };
	let mut arguments = std::env::args().skip(1);
	while let Some(argument) = arguments.next() {
		let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
		match argument.as_str() {
			"--mib" => options.mib = value()?.parse()?,
			"--rounds" => options.rounds = value()?.parse()?,
			"--result-mib" => options.result_mib = value()?.parse()?,
			"--kubo" => options.kubo = Some(value()?.into()),
			_ => options.folder = argument.into(),
		}
	}
	Ok(options)
}

/// Seconds that something takes, and what comes of it.
fn timed<R>(work: impl FnOnce() -> Result<R, Failure>) -> Result<(f64, R), Failure> {
	let start = Instant::now();
	let result = work()?;
	Ok((start.elapsed().as_secs_f64(), result))
}

// The machine ----------------------------------------------------------------------------------

fn cipher() -> Cipher {
	OwnerSecret::from_bytes([7; 32]).task(&TaskNonce([0; 32])).scope(Scope::Task).cipher(Use::Input)
}

/// Does `work` on `mib` MiB in blocks, each in a buffer of its thread's, spread over all cores. As large
/// as a block, so that caches serve this no better and no worse than the real thing.
fn on_all_cores(mib: usize, buffer: &[u8], work: impl Fn(&mut Vec<u8>) + Sync) {
	let (begun, all) = (AtomicUsize::new(0), mib * MIB / BLOCK_SIZE);
	rayon::broadcast(|_| {
		let mut buffer = buffer.to_vec();
		while begun.fetch_add(1, Relaxed) < all {
			work(&mut buffer);
		}
	});
}

/// Encrypting, and what else is done with each block, as for new content.
fn seal(mib: usize, hash: fn(&[u8])) -> Result<(), Failure> {
	let cipher = cipher();
	on_all_cores(mib, &[0; BLOCK_SIZE], |buffer| {
		std::hint::black_box(cipher.seal(Place::only(0), buffer));
		hash(buffer);
	});
	Ok(())
}

/// What else is done with each block, and decrypting, as of a result's blocks.
fn unseal(mib: usize, hash: fn(&[u8])) -> Result<(), Failure> {
	let cipher = cipher();
	let mut sealed = vec![0; PLAIN];
	let tag = cipher.seal(Place::only(0), &mut sealed);
	sealed.extend_from_slice(&tag);
	on_all_cores(mib, &sealed, |buffer| {
		hash(buffer);
		// It is opened in place, so it is copied first, as it is when it is read.
		buffer.copy_from_slice(&sealed);
		assert!(cipher.open(Place::only(0), buffer).is_some());
	});
	Ok(())
}

fn by_blake3(bytes: &[u8]) {
	std::hint::black_box(blake3::hash(bytes));
}

fn not_at_all(_: &[u8]) {}

/// Copies a file out of the system's cache, a block at a time, to a place that is `skew` bytes behind one where
/// a line of a processor's cache begins.
fn copy_out(path: &Path, skew: usize) -> Result<(), Failure> {
	let mut buffer = vec![0; BLOCK_SIZE + 2 * CACHE_LINE];
	let start = buffer.as_ptr().align_offset(CACHE_LINE) + skew;
	let mut file = File::open(path)?;
	while file.read(&mut buffer[start..start + BLOCK_SIZE])? > 0 {}
	Ok(())
}

fn write_file(path: &Path, mib: usize) -> Result<(), Failure> {
	let mut file = File::create(path)?;
	let mut chunk = vec![0u8; MIB];
	// Bytes that nothing between here and the disk can make fewer of.
	let mut state = 0x9e37_79b9_7f4a_7c15u64;
	for word in chunk.chunks_exact_mut(8) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		word.copy_from_slice(&state.to_le_bytes());
	}
	for number in 0..mib as u64 {
		// No two blocks alike, whatever their size.
		for block in chunk.chunks_exact_mut(BLOCK_SIZE) {
			block[..8].copy_from_slice(&number.to_le_bytes());
		}
		file.write_all(&chunk)?;
	}
	Ok(file.sync_all()?)
}

/// Brings all to the disk, so that what is measured next is not measured beside the kernel's writing.
fn settle() -> io::Result<()> {
	Command::new("sync").status().map(drop)
}

/// Lets the system forget the most memory that this process held until now.
fn forget_peak() -> io::Result<()> {
	fs::write("/proc/self/clear_refs", "5")
}

/// The most memory that this process held since then, in MiB.
fn peak_mib() -> Option<u64> {
	let status = fs::read_to_string("/proc/self/status").ok()?;
	let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
	Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}

/// Seconds of `ipfs add` into a new repository; of the same with nothing kept, so that names alone count;
/// and of both with the very names that ours has.
fn ipfs_add(ipfs: &Path, repository: &Path, file: &Path) -> Result<[f64; 4], Failure> {
	let run = |arguments: &[&str]| -> Result<f64, Failure> {
		let mut command = Command::new(ipfs);
		command.env("IPFS_PATH", repository).env("IPFS_TELEMETRY", "off").args(arguments);
		let (seconds, output) = timed(|| Ok(command.stdin(Stdio::null()).output()?))?;
		if output.status.success() {
			return Ok(seconds);
		}
		Err(format!("ipfs {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
	};
	run(&["init"])?;
	run(&["config", "--json", "AutoConf.Enabled", "false"])?;
	let path = file.to_str().ok_or("the folder's name is no text")?;
	let add = ["add", "--offline", "--cid-version=1", "--raw-leaves", "--quieter"];
	let ways: [&[&str]; 4] =
		[&[], &["--only-hash"], &["--hash=blake3"], &["--hash=blake3", "--only-hash"]];
	let mut seconds = [0.0; 4];
	for (seconds, way) in seconds.iter_mut().zip(ways) {
		*seconds = run(&[&add[..], way, &[path]].concat())?;
		settle()?;
	}
	fs::remove_dir_all(repository)?;
	settle()?;
	Ok(seconds)
}

// The owner ------------------------------------------------------------------------------------

/// Names alone count.
struct Discard;

impl BlockSink for Discard {
	fn put(&self, _: &ContentId, _: &[u8]) -> io::Result<()> {
		Ok(())
	}
}

/// The content of a task, without keys of masternodes: those cost nothing that grows with the input.
fn content(
	file: &Path,
	keys: (&OwnerSecret, TaskNonce),
	piece: u64,
	sink: &dyn BlockSink,
) -> Result<(ContentId, Manifest), Failure> {
	let plan = Plan {
		cut: Cut::Bytes(piece),
		join: Join::Concatenate,
		merge: None,
		range_size: 1,
		shard_size: DEFAULT_SHARD_SIZE,
		program: put_blob(sink, b"program")?,
		arguments: Vec::new(),
		environment: Vec::new(),
		masternodes: Vec::new(),
	};
	let prepared = prepare(&Input::at(file)?, &plan, keys.0, keys.1, sink, &mut |_| {})?;
	Ok((prepared.id, prepared.manifest))
}

/// Puts all of a task's content into the store, and keeps it there, on the disk.
fn put(
	file: &Path,
	keys: (&OwnerSecret, TaskNonce),
	piece: u64,
	store: &Store,
	runtime: &Handle,
) -> Result<Manifest, Failure> {
	let (id, manifest) = content(file, keys, piece, store)?;
	runtime.block_on(store.pin_all(&roots(&id, &manifest)))?;
	Ok(manifest)
}

/// What workers made of it: as many bytes in each subtask's result as in its piece.
fn compute(
	manifest: &Manifest,
	keys: &TaskKeys,
	piece: usize,
	store: &Store,
	runtime: &Handle,
) -> Result<Vec<Verdict>, Failure> {
	let output = vec![7; piece];
	let seal = |subtask| {
		let key = keys.scope(Scope::Range(RangeIndex(subtask)));
		seal_result(store, &key, Round(0), subtask, Ending::Ok, &mut output.as_slice())
	};
	let verdicts: Result<Vec<_>, _> = (0..manifest.subtasks)
		.into_par_iter()
		.map(|subtask| Ok(Verdict { subtask, result: Some((seal(subtask)?, Round(0))) }))
		.collect();
	runtime.block_on(store.usage())?;
	settle()?;
	verdicts.map_err(|error: dgcs_content::Error| error.into())
}

/// Reads, checks and opens all results, and hands them to `each`.
fn read(
	store: &Store,
	manifest: &Manifest,
	keys: &TaskKeys,
	verdicts: &[Verdict],
	each: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), Failure> {
	let results = Results::new(store, manifest, keys, u64::MAX);
	let mut bytes = 0;
	let joined = results.each(verdicts.iter().copied(), &mut |_, part| {
		bytes += part.len() as u64;
		each(part).map_err(dgcs_content::Error::Stream)
	})?;
	assert!(joined.gaps.is_empty() && joined.bytes == bytes, "every result is there");
	Ok(())
}

/// The same, into a file on the disk.
fn fetch(
	store: &Store,
	manifest: &Manifest,
	keys: &TaskKeys,
	verdicts: &[Verdict],
	out: &Path,
) -> Result<(), Failure> {
	let file = Writeback::new(File::create(out)?);
	let mut file = BufWriter::with_capacity(128 << 10, file);
	read(store, manifest, keys, verdicts, &mut |part| file.write_all(part))?;
	Ok(file.into_inner().map_err(io::IntoInnerError::into_error)?.sync()?)
}

// Both -----------------------------------------------------------------------------------------

/// Seconds of each round, by what was done.
#[derive(Default)]
struct Times(Vec<(&'static str, Vec<f64>)>);

impl Times {
	fn add(&mut self, what: &'static str, seconds: f64) {
		match self.0.iter_mut().find(|(name, _)| *name == what) {
			Some((_, list)) => list.push(seconds),
			None => self.0.push((what, vec![seconds])),
		}
	}

	fn of(&self, what: &str) -> &[f64] {
		self.0.iter().find(|(name, _)| *name == what).map_or(&[], |(_, list)| list)
	}

	/// How fast `ours` is in parts of `other`: the median of the rounds, each with its own.
	fn speed(&self, ours: &str, other: &str) -> Value {
		let pairs = self.of(other).iter().zip(self.of(ours));
		((1000.0 * median(pairs.map(|(other, ours)| other / ours).collect())).round() / 1000.0)
			.into()
	}
}

fn median(mut values: Vec<f64>) -> f64 {
	values.sort_by(f64::total_cmp);
	values[values.len() / 2]
}

async fn open(folder: &Path) -> Result<Store, Failure> {
	let listen = vec!["/ip4/127.0.0.1/tcp/0".parse()?];
	Ok(Store::open(&Config::Embedded(Embedded { listen, ..Embedded::new(folder) })).await?)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
	let Options { mib, rounds, result_mib, kubo, folder } = options()?;
	let base = tempfile::tempdir_in(&folder)?;
	let (file, out) = (base.path().join("input"), base.path().join("result"));
	write_file(&file, mib)?;
	let piece = result_mib * MIB;
	let owner = OwnerSecret::from_bytes([1; 32]);
	let (mut times, mut memory) = (Times::default(), [0; 2]);
	for round in 0..rounds {
		// Read once, so that all find it where the others do.
		io::copy(&mut File::open(&file)?, &mut io::sink())?;
		let blocks = base.path().join(format!("blocks{round}"));
		let store = open(&blocks).await?;
		let (used, runtime, nonce) = (store.clone(), Handle::current(), TaskNonce::random());
		let (kubo, base, file, out) =
			(kubo.clone(), base.path().to_owned(), file.clone(), out.clone());
		let owner = owner.clone();
		let measured = spawn_blocking(move || -> Result<_, Failure> {
			let (store, keys, piece64) = (used, (&owner, nonce), piece as u64);
			let mut times = Vec::new();
			let mut add = |what, seconds| times.push((what, seconds));
			let copy = base.join("copy");
			add("disk", timed(|| write_file(&copy, mib))?.0);
			fs::remove_file(copy)?;
			if let Some(kubo) = &kubo {
				let names = ["kubo", "kuboName", "kuboBlake3", "kuboBlake3Name"];
				let seconds = ipfs_add(kubo, &base.join("kubo"), &file)?;
				names.into_iter().zip(seconds).for_each(|(name, seconds)| add(name, seconds));
			}
			add("seal", timed(|| seal(mib, by_blake3))?.0);
			add("sealAlone", timed(|| seal(mib, not_at_all))?.0);
			add("copy", timed(|| copy_out(&file, 0))?.0);
			add("copyAskew", timed(|| copy_out(&file, 1))?.0);
			add("name", timed(|| content(&file, keys, piece64, &Discard))?.0);
			forget_peak()?;
			let (seconds, manifest) = timed(|| put(&file, keys, piece64, &store, &runtime))?;
			add("put", seconds);
			let most = peak_mib();
			let keys = owner.task(&nonce);
			let verdicts = compute(&manifest, &keys, piece, &store, &runtime)?;
			add("open", timed(|| unseal(mib, by_blake3))?.0);
			add("openAlone", timed(|| unseal(mib, not_at_all))?.0);
			forget_peak()?;
			add("read", timed(|| read(&store, &manifest, &keys, &verdicts, &mut |_| Ok(())))?.0);
			add("fetch", timed(|| fetch(&store, &manifest, &keys, &verdicts, &out))?.0);
			fs::remove_file(out)?;
			Ok((times, [most, peak_mib()]))
		});
		let (seconds, most) = measured.await??;
		seconds.into_iter().for_each(|(what, seconds)| times.add(what, seconds));
		for (all, most) in memory.iter_mut().zip(most) {
			*all = most.unwrap_or_default().max(*all);
		}
		store.shutdown().await?;
		fs::remove_dir_all(blocks)?;
	}
	let rate = |list: &[f64]| (mib as f64 / median(list.to_vec())).round();
	let rates =
		times.0.iter().map(|(what, list)| (format!("{what}MibPerSecond"), rate(list).into()));
	let mut report: Map<String, Value> = rates.collect();
	report.insert("mib".into(), mib.into());
	report.insert("cores".into(), rayon::current_num_threads().into());
	report.insert("nameOfLimit".into(), times.speed("name", "seal"));
	report.insert("putOfLimit".into(), times.speed("put", "seal"));
	report.insert("putOfDisk".into(), times.speed("put", "disk"));
	report.insert("readOfLimit".into(), times.speed("read", "open"));
	report.insert("fetchOfLimit".into(), times.speed("fetch", "open"));
	report.insert("fetchOfDisk".into(), times.speed("fetch", "disk"));
	if kubo.is_some() {
		report.insert("nameOfKubo".into(), times.speed("name", "kubo"));
		report.insert("sealOfKubo".into(), times.speed("seal", "kubo"));
		report.insert("nameOfKuboName".into(), times.speed("name", "kuboName"));
		report.insert("nameOfKuboBlake3".into(), times.speed("name", "kuboBlake3"));
		report.insert("nameOfKuboBlake3Name".into(), times.speed("name", "kuboBlake3Name"));
		report.insert("putOfKubo".into(), times.speed("put", "kubo"));
	}
	report.insert("putPeakMib".into(), json!(memory[0]));
	report.insert("fetchPeakMib".into(), json!(memory[1]));
	println!("{}", Value::Object(report));
	Ok(())
}
