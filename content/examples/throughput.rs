//! How fast a file becomes CIDs, and comes back, against what the machine can do at all:
//! AES-256-GCM-SIV, SHA-256 and Blake2b-256 of the same bytes on all cores, measured in the same
//! run, in turns.
//!
//! ```text
//! cargo run --release --example throughput -- [--mib 1024] [--rounds 3] [--shard-mib 8] [--file FILE] [FOLDER]
//! ```
//!
//! The file is FILE, or new random bytes. Without FOLDER blocks are named and dropped: hashing and sealing alone. With it they are written
//! to FOLDER/blocks, and read back, opened and checked. Prints one line of JSON.

#![allow(missing_docs)]

use std::{
	fs::File,
	io::{self, Write},
	path::{Path, PathBuf},
	sync::Mutex,
	time::Instant,
};

use aws_lc_rs::digest::{digest, SHA256};
use dgcs_content::{
	keys::{Place, Use},
	prepare, put_blob, read_all, BlockSink, Cut, Directory, Input, Join, OwnerSecret, Plan, Scope,
	TaskNonce,
};
use dgcs_primitives::ContentId;
use rayon::prelude::*;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const MIB: usize = 1 << 20;

/// Names alone count.
struct Discard;

impl BlockSink for Discard {
	fn put(&self, _: &ContentId, _: &[u8]) -> io::Result<()> {
		Ok(())
	}
}

struct Options {
	mib: usize,
	rounds: usize,
	shard_mib: u32,
	file: Option<PathBuf>,
	folder: Option<PathBuf>,
}

fn options() -> Result<Options, Failure> {
	let mut options = Options { mib: 1024, rounds: 3, shard_mib: 8, file: None, folder: None };
	let mut arguments = std::env::args().skip(1);
	while let Some(argument) = arguments.next() {
		let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
		match argument.as_str() {
			"--mib" => options.mib = value()?.parse()?,
			"--rounds" => options.rounds = value()?.parse()?,
			"--shard-mib" => options.shard_mib = value()?.parse()?,
			"--file" => options.file = Some(value()?.into()),
			_ => options.folder = Some(argument.into()),
		}
	}
	Ok(options)
}

/// Seconds for all three of the same `mib` MiB, spread over all cores, from memory.
fn machine_limit(mib: usize) -> f64 {
	let cipher = OwnerSecret::from_bytes([7; 32])
		.task(&TaskNonce([0; 32]))
		.scope(Scope::Task)
		.cipher(Use::Input);
	let threads = rayon::current_num_threads();
	let start = Instant::now();
	(0..threads).into_par_iter().for_each(|thread| {
		// As large as a block, so that caches serve this no better and no worse than the task.
		let mut buffer = vec![thread as u8; MIB / 4];
		for _ in 0..4 * mib / threads {
			std::hint::black_box(cipher.seal(Place::only(0), &mut buffer));
			std::hint::black_box(digest(&SHA256, &buffer));
			std::hint::black_box(blake2b_simd::Params::new().hash_length(32).hash(&buffer));
		}
	});
	start.elapsed().as_secs_f64()
}

fn write_input(path: &Path, mib: usize) -> io::Result<()> {
	let mut file = File::create(path)?;
	let mut chunk = vec![0u8; MIB];
	getrandom::fill(&mut chunk).map_err(io::Error::other)?;
	for number in 0..mib as u64 {
		chunk[..8].copy_from_slice(&number.to_le_bytes());
		file.write_all(&chunk)?;
	}
	file.sync_all()
}

/// Reads the file once, so that all rounds find it where the first one does.
fn warm(path: &Path) -> io::Result<u64> {
	io::copy(&mut File::open(path)?, &mut io::sink())
}

/// The most memory that this process ever held, in MiB.
fn peak_mib() -> Option<u64> {
	let status = std::fs::read_to_string("/proc/self/status").ok()?;
	let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
	Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}

fn median(mut values: Vec<f64>) -> f64 {
	values.sort_by(f64::total_cmp);
	values[values.len() / 2]
}

fn main() -> Result<(), Failure> {
	let mut options = options()?;
	let temporary = tempfile::tempdir()?;
	let base = options.folder.as_deref().unwrap_or(temporary.path());
	std::fs::create_dir_all(base)?;
	let path = options.file.take().unwrap_or_else(|| base.join("input"));
	if !path.exists() {
		write_input(&path, options.mib)?;
	}
	let len = warm(&path)?;
	options.mib = usize::try_from(len)?.div_ceil(MIB);
	let owner = OwnerSecret::from_bytes([1; 32]);

	let (mut limits, mut writes, mut reads) = (Vec::new(), Vec::new(), Vec::new());
	for round in 0..options.rounds {
		limits.push(machine_limit(options.mib));
		let blocks;
		let sink: &dyn BlockSink = match &options.folder {
			Some(folder) => {
				blocks = Directory::open(folder.join(format!("blocks{round}")))?;
				&blocks
			},
			None => {
				blocks = Directory::open(base.join("none"))?;
				&Discard
			},
		};
		let plan = Plan {
			cut: Cut::Bytes(64 * MIB as u64),
			join: Join::Concatenate,
			range_size: 1,
			shard_size: options.shard_mib << 20,
			program: put_blob(sink, b"program")?,
			arguments: Vec::new(),
			environment: Vec::new(),
			masternodes: Vec::new(),
		};
		let nonce = TaskNonce::random();
		let start = Instant::now();
		let input = Input::at(&path)?;
		let prepared = prepare(&input, &plan, &owner, nonce, sink, &mut |_| {})?;
		writes.push(start.elapsed().as_secs_f64());
		if options.folder.is_some() {
			let total = Mutex::new(0);
			let start = Instant::now();
			read_all(&blocks, &prepared.manifest, &owner.task(&nonce), &mut |_, bytes| {
				*total.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) += bytes.len();
				Ok(())
			})?;
			reads.push(start.elapsed().as_secs_f64());
			assert_eq!(total.into_inner()? as u64, len, "every byte came back");
			std::fs::remove_dir_all(blocks.path())?;
		}
	}
	let mib_s = |seconds: f64| (options.mib as f64 / seconds).round();
	let ratio = |times: &[f64]| {
		let pairs = limits.iter().zip(times).map(|(limit, time)| limit / time);
		(1000.0 * median(pairs.collect())).round() / 1000.0
	};
	let mut report = serde_json::json!({
		"mib": options.mib,
		"shardMib": options.shard_mib,
		"cores": rayon::current_num_threads(),
		"limitMibPerSecond": mib_s(median(limits.clone())),
		"fileToCidsMibPerSecond": mib_s(median(writes.clone())),
		"fileToCidsOfLimit": ratio(&writes),
		"peakMemoryMib": peak_mib(),
	});
	if !reads.is_empty() {
		report["blocksToPlaintextMibPerSecond"] = mib_s(median(reads.clone())).into();
		report["blocksToPlaintextOfLimit"] = ratio(&reads).into();
	}
	println!("{report}");
	Ok(())
}
