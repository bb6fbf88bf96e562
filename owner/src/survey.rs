//! What an input comes to before it is touched: how long it is, and how many subtasks it makes.

use std::{
	fs::File,
	io::{self, Read, Write},
	path::Path,
};

use dgcs_content::{archive, Cut, CutError, Input};
use dgcs_primitives::MAX_SUBTASKS;

use crate::{
	error::{at, Error, Result},
	wish::{Split, Wish},
};

/// Into how many pieces an input is cut if nothing is said.
const GOOD_PIECES: u64 = 64;
/// The size of a piece if nothing is said: not so small that handing it over is the work, and not so
/// large that one worker takes long to fetch it.
const GOOD_SIZES: std::ops::RangeInclusive<u64> = 64 << 10..=16 << 20;

/// What an input comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Survey {
	/// How it is cut.
	pub cut: Cut,
	/// How many subtasks that makes.
	pub subtasks: u32,
	/// How many bytes it has. For a folder that all subtasks see, 0: nobody has looked.
	pub bytes: u64,
}

/// The input of a wish.
pub fn input(wish: &Wish) -> Result<Input> {
	Ok(match &wish.input {
		None => Input::Nothing,
		Some(path) => Input::at(path)?,
	})
}

/// Looks at a wish's input, without changing or keeping anything. Reads all of it where lines are to be
/// counted or a folder is cut by bytes.
pub fn survey(wish: &Wish) -> Result<Survey> {
	let input = input(wish)?;
	let (cut, pieces, bytes) = match (&input, wish.split) {
		(_, Split::Index(count)) => {
			let bytes = match &input {
				Input::File(path) => length(path)?,
				// How long its archive will be nobody knows; what can't be in it is refused now.
				Input::Folder(path) => archive::measure(path).map(|_| 0)?,
				Input::Nothing => 0,
			};
			(Cut::Index(count), count.into(), bytes)
		},
		(Input::Nothing, _) => {
			let reason =
				"there is no input to cut: give --input, or --split index:N for subtasks that \
				need nothing but their number";
			return Err(Error::Wish(reason.into()));
		},
		(Input::File(path), Split::Bytes(size)) => by_bytes(size, length(path)?),
		(Input::Folder(path), Split::Bytes(size)) => {
			let mut count = Count::default();
			archive::pack(path, &mut count)?;
			by_bytes(size, count.bytes)
		},
		(Input::File(path), Split::Lines(lines)) => {
			let mut count = Count::default();
			// No further than it is long now: who writes to it all the while would keep this going for ever.
			let len = length(path)?;
			let counted = File::open(path).and_then(|file| read(&mut file.take(len), &mut count));
			counted.map_err(at(path))?;
			by_lines(lines, &count)
		},
		(Input::Folder(_), Split::Lines(_)) => return cut_error(CutError::LinesOfFolder),
		(Input::File(_), Split::Files) => return cut_error(CutError::FilesOfFile),
		(Input::Folder(path), Split::Files) => {
			let (files, bytes) = archive::measure(path)?;
			(Cut::Files, files, bytes)
		},
	};
	match u32::try_from(pieces) {
		Ok(0) => cut_error(CutError::Empty),
		Ok(subtasks) if subtasks <= MAX_SUBTASKS => Ok(Survey { cut, subtasks, bytes }),
		_ => cut_error(CutError::TooMany { limit: MAX_SUBTASKS }),
	}
}

/// How long a file is. Opens it: that it may not be read is known before a price is asked for.
fn length(path: &Path) -> Result<u64> {
	let metadata = File::open(path).and_then(|file| file.metadata());
	Ok(metadata.map_err(at(path))?.len())
}

fn cut_error<T>(error: CutError) -> Result<T> {
	Err(dgcs_content::Error::from(error).into())
}

fn good_size(bytes: u64) -> u64 {
	bytes.div_ceil(GOOD_PIECES).clamp(*GOOD_SIZES.start(), *GOOD_SIZES.end())
}

fn by_bytes(size: Option<u64>, bytes: u64) -> (Cut, u64, u64) {
	let size = size.unwrap_or_else(|| good_size(bytes));
	(Cut::Bytes(size), bytes.div_ceil(size), bytes)
}

fn by_lines(lines: Option<u64>, count: &Count) -> (Cut, u64, u64) {
	let total = count.lines + u64::from(count.open);
	let good = || {
		let lines = u128::from(total) * u128::from(good_size(count.bytes));
		u64::try_from(lines / u128::from(count.bytes.max(1))).unwrap_or(u64::MAX).max(1)
	};
	let lines = lines.unwrap_or_else(good);
	(Cut::Lines(lines), total.div_ceil(lines), count.bytes)
}

/// Counts bytes and lines.
#[derive(Default)]
struct Count {
	bytes: u64,
	/// Line ends.
	lines: u64,
	/// Whether there is something after the last line end.
	open: bool,
}

impl Write for Count {
	fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
		self.bytes += bytes.len() as u64;
		self.lines += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
		self.open = bytes.last().map_or(self.open, |byte| *byte != b'\n');
		Ok(bytes.len())
	}

	fn flush(&mut self) -> io::Result<()> {
		Ok(())
	}
}

fn read(file: &mut dyn Read, count: &mut Count) -> io::Result<()> {
	io::copy(&mut io::BufReader::with_capacity(1 << 20, file), count).map(|_| ())
}

#[cfg(test)]
mod tests {
	use proptest::prelude::*;

	use super::*;
	use crate::wish::{JoinBy, Terms};

	fn wish(input: Option<&Path>, split: &str) -> Wish {
		Wish {
			program: "program.wasm".into(),
			input: input.map(Into::into),
			split: split.parse().expect("the test knows how"),
			join: JoinBy::Concat,
			arguments: vec![],
			environment: vec![],
			merge_arguments: vec![],
			terms: Terms::usual(),
		}
	}

	#[test]
	fn subtasks_are_counted_as_they_will_be_cut() {
		let folder = tempfile::tempdir().expect("a folder");
		let file = folder.path().join("text");
		std::fs::write(&file, "one\ntwo\n\nthree").expect("can be written");
		std::fs::create_dir(folder.path().join("below")).expect("can be made");
		std::fs::write(folder.path().join("below/empty"), "").expect("can be written");
		let found = |split: &str| {
			let survey = survey(&wish(Some(&file), split)).expect(split);
			(survey.subtasks, survey.cut)
		};
		assert_eq!(found("lines:1"), (4, Cut::Lines(1)));
		assert_eq!(found("lines:2"), (2, Cut::Lines(2)));
		assert_eq!(found("lines:5"), (1, Cut::Lines(5)));
		assert_eq!(found("lines").0, 1);
		assert_eq!(found("bytes:5"), (3, Cut::Bytes(5)));
		assert_eq!(found("bytes").0, 1);
		assert_eq!(found("index:9"), (9, Cut::Index(9)));
		let folder = survey(&wish(Some(folder.path()), "files")).expect("two files");
		assert_eq!((folder.subtasks, folder.bytes), (2, 14));
	}

	#[test]
	fn what_makes_no_task_is_refused() {
		let folder = tempfile::tempdir().expect("a folder");
		let empty = folder.path().join("empty");
		std::fs::write(&empty, "").expect("can be written");
		let nowhere = folder.path().join("nowhere");
		for (input, split, expected) in [
			(Some(&*empty), "lines", "empty"),
			(Some(&*empty), "bytes", "empty"),
			(Some(&*empty), "files", "only a folder"),
			(Some(folder.path()), "lines", "cannot be cut by lines"),
			(Some(&*nowhere), "lines", "cannot read"),
			(None, "lines", "--split index:N"),
			(None, "index:16777217", "more than 16777216"),
		] {
			let error = survey(&wish(input, split)).expect_err(expected).to_string();
			assert!(error.contains(expected), "{error}");
		}
		// A link in a folder is refused before a price is asked for, however the folder is cut.
		#[cfg(unix)]
		for split in ["files", "bytes", "index:2"] {
			let link = folder.path().join("link");
			let _ = std::os::unix::fs::symlink("nowhere", &link);
			let error = survey(&wish(Some(folder.path()), split)).expect_err("a link").to_string();
			assert!(error.contains("link") && error.contains("put a copy"), "{error}");
		}
	}

	proptest! {
		#![proptest_config(ProptestConfig {
			cases: 256,
			failure_persistence: None,
			..ProptestConfig::default()
		})]

		#[test]
		fn sizes_that_nobody_gave_are_sensible(bytes in 1u64..1 << 50) {
			let (Cut::Bytes(size), pieces, _) = by_bytes(None, bytes) else { panic!("by bytes") };
			prop_assert!(GOOD_SIZES.contains(&size));
			prop_assert_eq!(pieces, bytes.div_ceil(size));
			prop_assert!(pieces <= GOOD_PIECES || size == *GOOD_SIZES.end());
		}

		#[test]
		fn lines_are_counted_whatever_the_chunks(text in "[a\n]{0,60}", chunk in 1usize..9) {
			let mut count = Count::default();
			for part in text.as_bytes().chunks(chunk) {
				count.write_all(part).expect("it only counts");
			}
			let total = count.lines + u64::from(count.open);
			prop_assert_eq!(total, text.split_inclusive('\n').count() as u64);
			prop_assert_eq!(count.bytes, text.len() as u64);
		}
	}
}
