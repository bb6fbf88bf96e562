//! Files that are there whole or not at all, whenever the machine stops.

use std::{
	fs,
	io::{self, Write},
	path::Path,
};

/// Writes a file in place of what is there, in a folder that is made if it does not exist.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
	let folder = path.parent().unwrap_or(Path::new("."));
	fs::create_dir_all(folder)?;
	let mut file = tempfile::NamedTempFile::new_in(folder)?;
	file.write_all(bytes)?;
	file.as_file().sync_all()?;
	file.persist(path)?;
	Ok(())
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_file_is_written_whole_with_nothing_beside_it() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let new = folder.path().join("new");
		let file = new.join("file");
		for text in ["the first, which is longer", "the second"] {
			write_whole(&file, text.as_bytes()).expect("room");
			assert_eq!(fs::read_to_string(&file).expect("just written"), text);
		}
		let taken = new.join("taken");
		fs::create_dir_all(taken.join("below")).expect("room");
		write_whole(&taken, b"text").expect_err("a folder is in its place");
		assert!(taken.join("below").is_dir());
		assert_eq!(fs::read_dir(&new).expect("made").count(), 2);
	}
}
