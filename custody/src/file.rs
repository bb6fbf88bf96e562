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
