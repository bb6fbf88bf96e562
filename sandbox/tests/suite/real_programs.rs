//! Programs that compilers made, in C with a whole C library: those of `examples/`, and one that tries
//! what a program may expect of a system.

use std::{fs, path::Path, process::Command, sync::LazyLock};

use dgcs_sandbox::{Cancel, Outcome, Program, Report, Sandbox, TrapKind};
use tempfile::TempDir;

use crate::subtask;

/// Compiles C for the sandbox. `scripts/setup.sh` installs what that takes.
fn compile(source: &str) -> Vec<u8> {
	let dir = tempfile::tempdir().unwrap();
	let (from, to) = (dir.path().join("program.c"), dir.path().join("program.wasm"));
	fs::write(&from, source).unwrap();
	let clang = std::env::var("CLANG").unwrap_or_else(|_| "clang".into());
	let status = Command::new(clang)
		.args(["--target=wasm32-wasi", "-O2", "-o"])
		.args([&to, &from])
		.status()
		.expect("clang is there: run scripts/setup.sh");
	assert!(status.success(), "clang has a WASI library: run scripts/setup.sh");
	fs::read(to).unwrap()
}

/// Prepares one of `examples/`, all of which `scripts/build-examples.sh` builds.
fn example(name: &str) -> (Sandbox, Program) {
	static BUILT: LazyLock<TempDir> = LazyLock::new(|| {
		let dir = tempfile::tempdir().unwrap();
		let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/build-examples.sh");
		let status = Command::new(script).arg(dir.path()).status().unwrap();
		assert!(status.success(), "the examples can be built: run scripts/setup.sh");
		dir
	});
	let sandbox = Sandbox::new(None).unwrap();
	let bytes = fs::read(BUILT.path().join(name).with_extension("wasm")).unwrap();
	let program = sandbox.prepare(&bytes).unwrap();
	(sandbox, program)
}

fn run_with((sandbox, program): &(Sandbox, Program), args: &[&str], stdin: &[u8]) -> Report {
	let mut subtask = subtask(stdin);
	subtask.args = args.iter().map(|arg| (*arg).to_owned()).collect();
	sandbox.run(program, subtask, &Cancel::new()).unwrap()
}

#[test]
fn wordcount_counts_and_merges() {
	let wordcount = example("wordcount");
	let text = "To be, or not to be: that is the question. \u{c9}t\u{e9}!";
	let one = run_with(&wordcount, &[], text.as_bytes());
	assert_eq!(one.outcome, Outcome::Ok);
	let expected = "2 be\n2 to\n1 is\n1 not\n1 or\n1 question\n1 that\n1 the\n1 \u{c9}t\u{e9}\n";
	assert_eq!(String::from_utf8(one.output.clone()).unwrap(), expected);

	let other = run_with(&wordcount, &[], b"not the question");
	let both = [one.output, other.output].concat();
	let merged = run_with(&wordcount, &["merge"], &both);
	let expected = "2 be\n2 not\n2 question\n2 the\n2 to\n1 is\n1 or\n1 that\n1 \u{c9}t\u{e9}\n";
	assert_eq!(String::from_utf8(merged.output).unwrap(), expected);

	let wrong = run_with(&wordcount, &["merge"], b"one two");
	assert_eq!(wrong.outcome, Outcome::Exit(2));
	assert!(String::from_utf8(wrong.stderr).unwrap().contains("not a line of a count and a word"));
}

#[test]
fn pathtracer_renders_and_joins() {
	let pathtracer = example("pathtracer");
	let frame = |n: &str| run_with(&pathtracer, &[n, "3", "32", "18", "4"], b"");
	let frames = ["0", "1", "2"].map(|n| frame(n).output);
	assert!(frames.iter().all(|frame| frame.len() == b"P6\n32 18\n255\n".len() + 32 * 18 * 3));
	assert_ne!(frames[0], frames[1]);
	assert_eq!(frames[1], frame("1").output);

	let film = run_with(&pathtracer, &["join"], &frames.concat());
	assert_eq!(film.outcome, Outcome::Ok, "{}", String::from_utf8_lossy(&film.stderr));
	assert!(film.output.starts_with(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x20\0\0\0\x12"));
	let count = |name: &[u8]| film.output.windows(4).filter(|four| *four == name).count();
	assert_eq!([&b"acTL"[..], b"fcTL", b"IDAT", b"fdAT"].map(count), [1, 3, 1, 2]);

	let cut = run_with(&pathtracer, &["join"], &frames[0][..100]);
	assert_eq!(cut.outcome, Outcome::Exit(2));
	let unknown = run_with(&pathtracer, &["3", "3"], b"");
	assert_eq!(unknown.outcome, Outcome::Exit(2));
}

#[test]
fn pathtracer_takes_its_frame_from_the_environment() {
	let (sandbox, program) = example("pathtracer");
	let mut by_environment = subtask(b"");
	by_environment.args = ["16", "9", "1"].map(String::from).to_vec();
	by_environment.env =
		vec![("DGCS_SUBTASK".into(), "2".into()), ("DGCS_SUBTASKS".into(), "5".into())];
	let report = sandbox.run(&program, by_environment, &Cancel::new()).unwrap();
	let given = run_with(&(sandbox, program), &["2", "5", "16", "9", "1"], b"");
	assert_eq!((report.outcome, report.output), (Outcome::Ok, given.output));
}

#[test]
fn pi_throws_and_merges() {
	let pi = example("pi");
	let throw = |seed: u8| {
		let mut subtask = subtask(b"");
		subtask.args = vec!["1000000".into()];
		subtask.seed = [seed; 32];
		let report = pi.0.run(&pi.1, subtask, &Cancel::new()).unwrap();
		assert_eq!(report.outcome, Outcome::Ok);
		String::from_utf8(report.output).unwrap()
	};
	let (one, two) = (throw(1), throw(2));
	assert_ne!(one, two);
	assert_eq!(one, throw(1));
	let inside =
		|line: &str| line.trim_end().strip_suffix(" 1000000").unwrap().parse::<u64>().unwrap();
	let sum = inside(&one) + inside(&two);
	let merged = run_with(&pi, &["merge"], format!("{one}{two}").as_bytes());
	let estimate = sum * 2000;
	let expected = format!("{sum} 2000000 3.{:09}\n", estimate - 3_000_000_000);
	assert_eq!(String::from_utf8(merged.output).unwrap(), expected);
	assert!((3_135_000_000..3_148_000_000).contains(&estimate), "{estimate}");

	for wrong in ["x", "0", "-1"] {
		assert_eq!(run_with(&pi, &[wrong], b"").outcome, Outcome::Exit(2));
	}
	assert_eq!(run_with(&pi, &["merge"], b"").outcome, Outcome::Exit(2));
	assert_eq!(run_with(&pi, &["merge"], b"1 2;").outcome, Outcome::Exit(2));
}

/// A C library's own view of the sandbox.
#[test]
fn a_c_program_finds_its_way() {
	let program = compile(
		r#"
		#include <errno.h>
		#include <stdio.h>
		#include <stdlib.h>
		#include <string.h>
		#include <time.h>
		#include <unistd.h>
		int main(int argc, char **argv) {
			char line[100];
			while (fgets(line, sizeof line, stdin)) printf("<%s>", strtok(line, "\n"));
			printf("%d %s %s\n", argc, argv[1], getenv("HOME"));
			printf("%d %d\n", fopen("/etc/passwd", "r") == NULL, isatty(1));
			time_t day = time(NULL);
			printf("%s", asctime(gmtime(&day)));
			struct timespec hour = {3600, 0};
			printf("%d %ld\n", nanosleep(&hour, NULL), (long)(time(NULL) - day));
			printf("%d %d\n", lseek(0, 0, SEEK_SET) == -1, errno == ESPIPE);
			char *most = malloc(40 << 20);
			memset(most, 1, 40 << 20);
			printf("%d\n", most[39 << 20]);
			fprintf(stderr, "done\n");
			return 7;
		}
		"#,
	);
	let sandbox = Sandbox::new(None).unwrap();
	let prepared = sandbox.prepare(&program).unwrap();
	let mut subtask = subtask(b"one\ntwo\n");
	subtask.args = vec!["an argument".into()];
	subtask.env = vec![("HOME".into(), "nowhere".into())];
	let report = sandbox.run(&prepared, subtask, &Cancel::new()).unwrap();
	assert_eq!(
		String::from_utf8(report.output).unwrap(),
		"<one><two>2 an argument nowhere\n1 0\nThu Jan  1 00:00:00 2026\n0 3600\n1 1\n1\n"
	);
	assert_eq!((report.outcome, report.stderr), (Outcome::Exit(7), b"done\n".to_vec()));
}

/// C's `abort` and a bad pointer are traps, told apart.
#[test]
fn a_c_program_that_crashes_says_how() {
	for (body, kind) in [
		("abort();", TrapKind::Unreachable),
		("*(volatile int *)-4 = 1;", TrapKind::MemoryOutOfBounds),
		("volatile int zero = 0; return 7 / zero;", TrapKind::IntegerDivisionByZero),
	] {
		let program = compile(&format!("#include <stdlib.h>\nint main(void) {{ {body} }}"));
		let report = crate::run(&program, subtask(b"")).unwrap();
		assert_eq!(report.outcome, Outcome::Trap(kind), "{body}");
	}
}
