//! How fast blocks go into the store, come back, and travel between two peers, against what the machine
//! can do at all, measured in the same run, in turns: writing the same bytes to one file, reading them
//! from it, and sending them over the loopback interface.
//!
//! ```text
//! cargo run --release --example throughput -- [--mib 512] [--rounds 3] [FOLDER]
//! ```
//!
//! Blocks are 256 KiB, as the content's. All files are in FOLDER, or in the temporary folder of the
//! system. Prints one line of JSON.

#![allow(missing_docs)]

use std::{
	fs::File,
	io::{Read, Write},
	net::{TcpListener, TcpStream},
	path::{Path, PathBuf},
	time::Instant,
};

use dgcs_content::{content_id::raw, BlockSink, BlockSource, BLOCK_SIZE, MAX_BLOCK};
use dgcs_primitives::ContentId;
use dgcs_store::{Config, Embedded, Store};
use tokio::task::spawn_blocking;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const MIB: usize = 1 << 20;

struct Options {
	mib: usize,
	rounds: usize,
	folder: PathBuf,
}

fn options() -> Result<Options, Failure> {
	let mut options = Options { mib: 512, rounds: 3, folder: std::env::temp_dir() };
	let mut arguments = std::env::args().skip(1);
	while let Some(argument) = arguments.next() {
		let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
		match argument.as_str() {
			"--mib" => options.mib = value()?.parse()?,
			"--rounds" => options.rounds = value()?.parse()?,
			_ => options.folder = argument.into(),
		}
	}
	Ok(options)
}

/// Blocks like no others in any round, by their names.
fn blocks(round: usize, mib: usize) -> Vec<(ContentId, Vec<u8>)> {
	let count = mib * MIB / BLOCK_SIZE;
	let block = |n: usize| {
		let mut state = (round * count + n) as u64 ^ 0x9e37_79b9_7f4a_7c15;
		let words = (0..BLOCK_SIZE / 8).flat_map(|_| {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			state.to_le_bytes()
		});
		let bytes: Vec<u8> = words.collect();
		(raw(&bytes), bytes)
	};
	(0..count).map(block).collect()
}

fn seconds<R>(work: impl FnOnce() -> Result<R, Failure>) -> Result<f64, Failure> {
	let start = Instant::now();
	std::hint::black_box(work()?);
	Ok(start.elapsed().as_secs_f64())
}

fn write_file(path: &Path, blocks: &[(ContentId, Vec<u8>)]) -> Result<(), Failure> {
	let mut file = File::create(path)?;
	for (_, block) in blocks {
		file.write_all(block)?;
	}
	// The store's blocks are on the disk when `pin` or `usage` returns.
	Ok(file.sync_all()?)
}

fn read_file(path: &Path) -> Result<(), Failure> {
	let mut file = File::open(path)?;
	let mut buffer = vec![0; BLOCK_SIZE];
	while file.read(&mut buffer)? > 0 {}
	Ok(())
}

fn send(blocks: &[(ContentId, Vec<u8>)]) -> Result<(), Failure> {
	let listener = TcpListener::bind("127.0.0.1:0")?;
	let address = listener.local_addr()?;
	std::thread::scope(|scope| {
		let sender = scope.spawn(move || -> std::io::Result<()> {
			let mut stream = TcpStream::connect(address)?;
			blocks.iter().try_for_each(|(_, block)| stream.write_all(block))
		});
		let mut stream = listener.accept()?.0;
		let mut buffer = vec![0; BLOCK_SIZE];
		while stream.read(&mut buffer)? > 0 {}
		sender.join().map_err(|_| "the sender panicked")??;
		Ok(())
	})
}

async fn open(folder: &Path) -> Result<Store, Failure> {
	let listen = vec!["/ip4/127.0.0.1/tcp/0".parse()?];
	Ok(Store::open(&Config::Embedded(Embedded { listen, ..Embedded::new(folder) })).await?)
}

/// Gets all blocks, in order, wishing for those ahead as a reader of content does.
fn get_all(store: &Store, ids: &[ContentId]) -> Result<(), Failure> {
	for (n, id) in ids.iter().enumerate() {
		if n % 32 == 0 {
			store.want(&ids[n..ids.len().min(n + 128)]);
		}
		store.get(id, MAX_BLOCK)?.ok_or("a block is missing")?;
	}
	Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
	values.sort_by(f64::total_cmp);
	values[values.len() / 2]
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
	let Options { mib, rounds, folder } = options()?;
	let names = ["write", "put", "read", "get", "send", "fetch"];
	let mut times: [Vec<f64>; 6] = Default::default();
	for round in 0..rounds {
		let base = tempfile::tempdir_in(&folder)?;
		let (one, two) =
			(open(&base.path().join("one")).await?, open(&base.path().join("two")).await?);
		two.connect(&one.addresses().await?).await?;
		let path = base.path().join("file");
		let runtime = tokio::runtime::Handle::current();
		let measured = spawn_blocking(move || -> Result<[f64; 6], Failure> {
			let blocks = blocks(round, mib);
			let ids: Vec<_> = blocks.iter().map(|(id, _)| *id).collect();
			Ok([
				seconds(|| write_file(&path, &blocks))?,
				seconds(|| {
					blocks.iter().try_for_each(|(id, block)| one.put(id, block))?;
					// Brings them to the disk.
					Ok(runtime.block_on(one.usage())?)
				})?,
				seconds(|| read_file(&path))?,
				seconds(|| get_all(&one, &ids))?,
				seconds(|| send(&blocks))?,
				seconds(|| get_all(&two, &ids))?,
			])
		});
		for (list, time) in times.iter_mut().zip(measured.await??) {
			list.push(time);
		}
	}
	let rate = |list: &[f64]| (mib as f64 / median(list.to_vec())).round();
	let ratio = |ours: &[f64], limit: &[f64]| {
		let ratios = limit.iter().zip(ours).map(|(limit, ours)| limit / ours);
		(1000.0 * median(ratios.collect())).round() / 1000.0
	};
	let rates = names
		.iter()
		.zip(&times)
		.map(|(name, list)| (format!("{name}MibPerSecond"), rate(list).into()));
	let mut report: serde_json::Map<String, serde_json::Value> = rates.collect();
	report.insert("mib".into(), mib.into());
	report.insert("putOfLimit".into(), ratio(&times[1], &times[0]).into());
	report.insert("getOfLimit".into(), ratio(&times[3], &times[2]).into());
	report.insert("fetchOfLimit".into(), ratio(&times[5], &times[4]).into());
	println!("{}", serde_json::Value::Object(report));
	Ok(())
}
