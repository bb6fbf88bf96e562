//! Measures what the sandbox costs: processor time against the same program compiled natively, and
//! the time until a program from the cache runs.
//!
//! ```text
//! cargo run --release -p dgcs-sandbox --example overhead [ROUNDS]
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

const LIMITS: Limits =
	Limits { fuel: u64::MAX, memory: 1 << 32, output: 1 << 30, time: Duration::from_secs(600) };

fn main() -> Result<(), Box<dyn Error>> {
	let rounds: u32 = env::args().nth(1).map_or(Ok(5), |rounds| rounds.parse())?;
	let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
	let dir = tempfile::tempdir()?;
	let built = Command::new(root.join("scripts/build-examples.sh"))
		.arg(dir.path())
		.stdout(Stdio::null())
		.status()?;
	if !built.success() {
		return Err(
			"scripts/build-examples.sh failed; scripts/setup.sh installs what it needs".into()
		);
	}
	let sandbox = Sandbox::new(Some(Cache::open(dir.path().join("cache"), 1 << 30)?))?;

	let text = text(64 << 20);
	let render: &[&str] = &["3", "24", "640", "360", "32"];
	println!(
		"{:<12}{:>12}{:>12}{:>8}{:>16}",
		"program", "native s", "sandbox s", "ratio", "fuel a second"
	);
	for (name, args, stdin) in [("pathtracer", render, &[][..]), ("wordcount", &[], &text)] {
		let source = root.join(format!("examples/{name}/{name}.c"));
		let native = dir.path().join(name);
		let compiled = Command::new("clang")
			.args(["-std=c11", "-O2", "-o"])
			.args([&native, &source])
			.arg("-lm")
			.status()?;
		if !compiled.success() {
			return Err(format!("clang can't compile {}", source.display()).into());
		}
		let input = dir.path().join("input");
		fs::write(&input, stdin)?;

		let program = sandbox.prepare(&fs::read(dir.path().join(format!("{name}.wasm")))?)?;
		let (mut alone, mut inside, mut fuel) = (Duration::MAX, Duration::MAX, 0);
		for _ in 0..rounds {
			let before = children_cpu_time()?;
			let output =
				Command::new(&native).args(args).stdin(fs::File::open(&input)?).output()?;
			alone = alone.min(children_cpu_time()? - before);

			let report = run(&sandbox, &program, args, stdin.to_vec())?;
			if report.output != output.stdout {
				return Err(format!("{name}: the sandbox has another output").into());
			}
			inside = inside.min(report.cpu_time);
			fuel = report.fuel;
		}
		let (alone, inside) = (alone.as_secs_f64(), inside.as_secs_f64());
		println!(
			"{name:<12}{alone:>12.3}{inside:>12.3}{:>8.2}{:>16.2e}",
			inside / alone,
			fuel as f64 / inside
		);
	}

	println!("\n{:<12}{:>12}{:>12}{:>12}", "start-up", "compiled ms", "cached ms", "ready ms");
	for name in ["pathtracer", "wordcount", "pi"] {
		let args: &[&str] = match name {
			"pathtracer" => &["0", "1", "1", "1", "1"],
			"pi" => &["1"],
			_ => &[],
		};
		let code = fs::read(dir.path().join(format!("{name}.wasm")))?;
		let uncached = Sandbox::new(None)?;
		let (mut cold, mut warm, mut hot) = (Duration::MAX, Duration::MAX, Duration::MAX);
		sandbox.prepare(&code)?;
		for _ in 0..rounds {
			let start = Instant::now();
			run(&uncached, &uncached.prepare(&code)?, args, Vec::new())?;
			cold = cold.min(start.elapsed());

			let start = Instant::now();
			let program = sandbox.prepare(&code)?;
			run(&sandbox, &program, args, Vec::new())?;
			warm = warm.min(start.elapsed());
			assert!(program.from_cache());

			let start = Instant::now();
			run(&sandbox, &program, args, Vec::new())?;
			hot = hot.min(start.elapsed());
		}
		let ms = |time: Duration| time.as_secs_f64() * 1e3;
		println!("{name:<12}{:>12.2}{:>12.2}{:>12.2}", ms(cold), ms(warm), ms(hot));
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
		seed: [7; 32],
		limits: LIMITS,
	};
	let report = sandbox.run(program, subtask, &Cancel::new())?;
	if !report.outcome.is_ok() {
		let stderr = String::from_utf8_lossy(&report.stderr);
		return Err(format!("{}: {stderr}", report.outcome).into());
	}
	Ok(report)
}

/// Text like a language's: a hundred thousand words, the n-th of them about 1/n as frequent as the
/// first, the frequent ones short.
fn text(bytes: usize) -> Vec<u8> {
	let mut text = Vec::with_capacity(bytes + 32);
	let mut state = 1u64;
	while text.len() < bytes {
		state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
		// Uniform in the exponent.
		let octave = (17 * (state >> 32)) >> 32;
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
