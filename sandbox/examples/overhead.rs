//! Measures what the sandbox costs: processor time against the same program compiled natively, and
//! the time until a program from the cache runs. Fails if a program writes other bytes in the sandbox.
//!
//! ```text
//! cargo run --release --example overhead [ROUNDS]
//! ```
//!
//! Needs clang and scripts/build-examples.sh. The least of all rounds counts: what else the machine does can only add.

use std::{
	env,
	error::Error,
	fs,
	io::Cursor,
	path::Path,
	process::{Command, Stdio},
	time::{Duration, Instant},
};

use dgcs_sandbox::{Cache, Cancel, Limits, Program, Sandbox, Subtask};
use rand_chacha::{
	rand_core::{RngCore, SeedableRng},
	ChaCha20Rng,
};

const LIMITS: Limits =
	Limits { fuel: u64::MAX, memory: 1 << 32, output: 1 << 30, time: Duration::from_secs(600) };

/// Times the native program's processor time that the sandbox may take.
const MOST_TIMES: f64 = 1.5;

/// Milliseconds that a program in the cache may take to start.
const MOST_MS: f64 = 10.0;

/// What every run gets its random numbers from.
const SEED: [u8; 32] = [7; 32];

/// One of examples/, and what it is to do.
struct Example {
	name: &'static str,
	args: &'static [&'static str],
	/// The least that it can do.
	idle: &'static [&'static str],
	/// Of how many different words the text is that it reads, if any, as a power of two.
	words: Option<u32>,
}

const EXAMPLES: [Example; 4] = [
	Example {
		name: "pathtracer",
		args: &["3", "24", "640", "360", "32"],
		idle: &["0", "1", "1", "1", "1"],
		words: None,
	},
	Example { name: "wordcount", args: &[], idle: &[], words: Some(17) },
	// So few that memory is no matter, and each instruction is.
	Example { name: "wordcount", args: &[], idle: &[], words: Some(10) },
	Example { name: "pi", args: &["400000000"], idle: &["1"], words: None },
];

fn main() -> Result<(), Box<dyn Error>> {
	let rounds: u32 = env::args().nth(1).map_or(Ok(5), |rounds| rounds.parse())?;
	let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
	let dir = tempfile::tempdir()?;
	let dir = dir.path();
	let built = Command::new(root.join("scripts/build-examples.sh"))
		.arg(dir)
		.stdout(Stdio::null())
		.status()?;
	if !built.success() {
		return Err(
			"scripts/build-examples.sh failed; scripts/setup.sh installs what it needs".into()
		);
	}
	let sandbox = Sandbox::new(Some(Cache::open(dir.join("cache"), 1 << 30)?))?;
	let mut random = [0; 32];
	ChaCha20Rng::from_seed(SEED).fill_bytes(&mut random);
	fs::write(dir.join("random"), random)?;

	println!(
		"{:<24}{:>12}{:>12}{:>8}{:>12}{:>16}",
		"program", "native s", "sandbox s", "ratio", "of the bar", "fuel a second"
	);
	for Example { name, args, words, .. } in EXAMPLES {
		let native = dir.join(name);
		compile(&root.join("examples").join(name), name, &native)?;
		let input = dir.join("input");
		let stdin = words.map(|words| text(64 << 20, words)).unwrap_or_default();
		fs::write(&input, &stdin)?;

		let program = sandbox.prepare(&fs::read(dir.join(format!("{name}.wasm")))?)?;
		let (mut alone, mut inside, mut fuel) = (Duration::MAX, Duration::MAX, 0);
		for _ in 0..rounds {
			let before = children_cpu_time()?;
			let output = Command::new(&native)
				.args(args)
				.env("PI_RANDOM", dir.join("random"))
				.stdin(fs::File::open(&input)?)
				.output()?;
			alone = alone.min(children_cpu_time()? - before);
			if !output.status.success() {
				return Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr)).into());
			}

			let report = run(&sandbox, &program, args, stdin.clone())?;
			if report.output != output.stdout {
				return Err(format!("{name}: the sandbox has another output").into());
			}
			inside = inside.min(report.cpu_time);
			fuel = report.fuel;
		}
		let (alone, inside) = (alone.as_secs_f64(), inside.as_secs_f64());
		let ratio = inside / alone;
		let shown = match words {
			Some(words) => format!("{name}, {} words", 1 << words),
			None => name.into(),
		};
		println!(
			"{shown:<24}{alone:>12.3}{inside:>12.3}{ratio:>8.2}{:>12.2}{:>16.2e}",
			ratio / MOST_TIMES,
			fuel as f64 / inside
		);
	}

	println!(
		"\n{:<12}{:>12}{:>12}{:>12}{:>12}",
		"start-up", "compiled ms", "cached ms", "of the bar", "ready ms"
	);
	for Example { name, idle, .. } in EXAMPLES.iter().filter(|example| example.words != Some(10)) {
		let code = fs::read(dir.join(format!("{name}.wasm")))?;
		let uncached = Sandbox::new(None)?;
		let (mut cold, mut warm, mut hot) = (Duration::MAX, Duration::MAX, Duration::MAX);
		sandbox.prepare(&code)?;
		for _ in 0..rounds {
			let start = Instant::now();
			run(&uncached, &uncached.prepare(&code)?, idle, Vec::new())?;
			cold = cold.min(start.elapsed());

			let start = Instant::now();
			let program = sandbox.prepare(&code)?;
			run(&sandbox, &program, idle, Vec::new())?;
			warm = warm.min(start.elapsed());
			assert!(program.from_cache());

			let start = Instant::now();
			run(&sandbox, &program, idle, Vec::new())?;
			hot = hot.min(start.elapsed());
		}
		let ms = |time: Duration| time.as_secs_f64() * 1e3;
		println!(
			"{name:<12}{:>12.2}{:>12.2}{:>12.2}{:>12.2}",
			ms(cold),
			ms(warm),
			ms(warm) / MOST_MS,
			ms(hot)
		);
	}
	Ok(())
}

/// Compiles an example for this machine, optimised as for the sandbox.
fn compile(dir: &Path, name: &str, to: &Path) -> Result<(), Box<dyn Error>> {
	let c = dir.join(name).with_extension("c");
	let mut compiler = if c.exists() {
		let mut clang = Command::new("clang");
		clang.args(["-std=c11", "-O2", "-o"]).args([to, &c]).arg("-lm");
		clang
	} else {
		let mut rustc = Command::new("rustc");
		rustc.args(["--edition", "2021", "-C", "opt-level=3", "-o"]);
		rustc.args([to, &dir.join(name).with_extension("rs")]);
		rustc
	};
	if !compiler.status()?.success() {
		return Err(format!("{name} can't be compiled for this machine").into());
	}
	Ok(())
}

fn run(
	sandbox: &Sandbox,
	program: &Program,
	args: &[&str],
	stdin: Vec<u8>,
) -> Result<dgcs_sandbox::Report, Box<dyn Error>> {
	let subtask = Subtask {
		stdin: Box::new(Cursor::new(stdin)),
		args: args.iter().map(|arg| (*arg).to_owned()).collect(),
		env: Vec::new(),
		seed: SEED,
		limits: LIMITS,
	};
	let report = sandbox.run(program, subtask, &Cancel::new())?;
	if !report.outcome.is_ok() {
		let stderr = String::from_utf8_lossy(&report.stderr);
		return Err(format!("{}: {stderr}", report.outcome).into());
	}
	Ok(report)
}

/// Text like a language's: 2 to the power of `octaves` words, the n-th of them about 1/n as frequent as the
/// first, the frequent ones short.
fn text(bytes: usize, octaves: u32) -> Vec<u8> {
	let mut text = Vec::with_capacity(bytes + 32);
	let mut state = 1u64;
	while text.len() < bytes {
		state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
		// Uniform in the exponent.
		let octave = (u64::from(octaves) * (state >> 32)) >> 32;
		let mut word = (1 << octave) + (state >> 8 & ((1 << octave) - 1));
		while word > 0 {
			text.extend([b"etaoinshrdlu"[(word % 12) as usize], b"aeiou"[(word % 5) as usize]]);
			word /= 60;
		}
		text.push(if state >> 60 == 0 { b'\n' } else { b' ' });
	}
	text
}

/// Processor time of all children that were waited for.
fn children_cpu_time() -> Result<Duration, Box<dyn Error>> {
	let stat = fs::read_to_string("/proc/self/stat")?;
	// Behind the name, which may hold anything: user and system time of the children are the 14th
	// and 15th field, in hundredths of a second on every Linux.
	let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
	let ticks: u64 = fields.skip(13).take(2).map(str::parse::<u64>).sum::<Result<_, _>>()?;
	Ok(Duration::from_millis(ticks * 10))
}
