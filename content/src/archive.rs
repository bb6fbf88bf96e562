//! Folders as one stream: a tar archive (ustar with GNU's long names), written and read with no
//! more than files and folders in it, so that it can neither leave its folder nor grow beyond what
//! its owner put in.

use std::{
	fs::{self, File, Metadata},
	io::{self, Read, Write},
	path::{Component, Path, PathBuf},
	time::UNIX_EPOCH,
};

use tar::{Builder, EntryType, Header};
use walkdir::WalkDir;

use crate::{
	error::{Error, Result},
	steady::Steady,
};

/// The most entries that are unpacked from one archive.
pub const MAX_ENTRIES: u64 = 16 << 20;
/// The most bytes in an entry's name: more than any system takes.
const MAX_NAME: u64 = 64 << 10;

/// A file or folder below the one that is packed.
#[derive(Clone, Debug)]
pub(crate) struct Found {
	/// Where it is.
	pub path: PathBuf,
	/// Its path below the folder, with slashes.
	pub name: String,
	pub metadata: Metadata,
}

/// Everything below `folder`, parents before children, in the order of names: the same folder
/// always gives the same list. A link or a device is an error, not a surprise later on.
pub(crate) fn list(folder: &Path) -> impl Iterator<Item = Result<Found>> + '_ {
	let walk = WalkDir::new(folder).min_depth(1).follow_links(false).sort_by_file_name();
	walk.into_iter().map(move |entry| {
		let entry = entry.map_err(|error| Error::Read {
			path: error.path().unwrap_or(folder).to_owned(),
			source: error.into(),
		})?;
		let path = entry.path().to_owned();
		let metadata = entry
			.metadata()
			.map_err(|error| Error::Read { path: path.clone(), source: error.into() })?;
		let what = match metadata.file_type() {
			kind if kind.is_symlink() => Some("a symbolic link"),
			kind if !kind.is_file() && !kind.is_dir() => Some("a device, pipe or socket"),
			_ => None,
		};
		if let Some(what) = what {
			return Err(Error::NotAFile { path, what });
		}
		let below = path.strip_prefix(folder).unwrap_or(&path);
		let parts: Option<Vec<&str>> = below.iter().map(|part| part.to_str()).collect();
		match parts {
			Some(parts) => Ok(Found { name: parts.join("/"), path, metadata }),
			None => Err(Error::Name { path }),
		}
	})
}

/// How many files there are below `folder`, and how many bytes they have. Opens each, and fails where
/// packing it, or cutting it by files, would fail without having been begun.
pub fn measure(folder: &Path) -> Result<(u64, u64)> {
	list(folder).try_fold((0, 0u64), |(files, bytes), found| {
		let Found { path, metadata, .. } = found?;
		Ok(match metadata.is_dir() {
			true => (files, bytes),
			false => (files + 1, bytes.saturating_add(Steady::open(&path)?.len())),
		})
	})
}

/// Packs everything below `folder` into `out`. Owners, groups and all rights but that of execution
/// stay out: they mean nothing elsewhere.
pub fn pack(folder: &Path, out: &mut dyn Write) -> Result<()> {
	let broken = |error| Error::from_io(error, Error::Stream);
	let mut archive = Builder::new(out);
	for found in list(folder) {
		let Found { path, name, metadata } = found?;
		let mut header = Header::new_gnu();
		let modified =
			metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
		header.set_mtime(modified.map_or(0, |time| time.as_secs()));
		if metadata.is_dir() {
			header.set_entry_type(EntryType::Directory);
			header.set_mode(0o755);
			header.set_size(0);
			archive.append_data(&mut header, name, io::empty()).map_err(broken)?;
			continue;
		}
		let modified =
			metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
		header.set_mtime(modified.map_or(0, |time| time.as_secs()));
		let file = Steady::open(&path)?;
		header.set_entry_type(EntryType::Regular);
		header.set_mode(if is_executable(&metadata) { 0o755 } else { 0o644 });
		header.set_size(file.len());
		let appended = archive.append_data(&mut header, name, file.reader());
		appended.map_err(|error| file.failed(error))?;
	}
	archive.finish().map_err(broken)
}

/// Unpacks an archive of at most `limit` bytes of content below `folder`, which must be empty or
/// not exist. An entry that is no file or folder, or whose name leads elsewhere, is refused.
pub fn unpack(archive: &mut dyn Read, folder: &Path, limit: u64) -> Result<()> {
	claim(folder)?;
	let broken = |error| Error::from_io(error, Error::Stream);
	let (mut entries, mut bytes) = (0, 0u64);
	let mut long_name = None;
	let mut archive = tar::Archive::new(archive);
	// Raw: the library would read a name of any length into memory.
	for entry in archive.entries().map_err(broken)?.raw(true) {
		let mut entry = entry.map_err(broken)?;
		if entry.header().entry_type() == EntryType::GNULongName {
			long_name = Some(read_name(&mut entry)?);
			continue;
		}
		entries += 1;
		bytes = bytes.saturating_add(entry.size());
		for (what, found, limit) in [("entries", entries, MAX_ENTRIES), ("bytes", bytes, limit)] {
			if found > limit {
				return Err(Error::Bomb { what, limit });
			}
		}
		let name = match long_name.take() {
			Some(name) => name,
			None => entry.path().map_err(broken)?.into_owned(),
		};
		let path = below(folder, &name)?;
		let header = entry.header();
		let executable = header.mode().is_ok_and(|mode| mode & 0o111 != 0);
		let modified = header.mtime().unwrap_or_default();
		match header.entry_type() {
			EntryType::Directory => {
				fs::create_dir_all(&path).map_err(|source| Error::Write { path, source })?;
			},
			EntryType::Regular => {
				write_file(&path, executable, Some(modified), |file| io::copy(&mut entry, file))?
			},
			_ => return Err(Error::NotAFile { path: name, what: "neither a file nor a folder" }),
		}
	}
	Ok(())
}

/// Reads the name that GNU's format puts before an entry whose header has no room for it.
fn read_name(entry: &mut tar::Entry<'_, impl Read>) -> Result<PathBuf> {
	if entry.size() > MAX_NAME {
		return Err(Error::Bomb { what: "bytes in a name", limit: MAX_NAME });
	}
	let mut name = String::new();
	entry.read_to_string(&mut name).map_err(|error| Error::from_io(error, Error::Stream))?;
	Ok(PathBuf::from(name.trim_end_matches('\0')))
}

/// Makes sure that `folder` exists and is empty, so that there is no link in it to be led astray by.
pub(crate) fn claim(folder: &Path) -> Result<()> {
	let failed = |source| Error::Write { path: folder.to_owned(), source };
	fs::create_dir_all(folder).map_err(failed)?;
	match fs::read_dir(folder).map_err(failed)?.next() {
		None => Ok(()),
		Some(_) => Err(Error::NotEmpty { path: folder.to_owned() }),
	}
}

/// The path of entry `name` in `folder`, if it is one: nothing absolute, no `..`, no prefix.
pub(crate) fn below(folder: &Path, name: &Path) -> Result<PathBuf> {
	let mut parts = name.components().filter(|part| *part != Component::CurDir).peekable();
	let escapes = || Error::Escapes { path: name.to_owned() };
	parts.peek().ok_or_else(escapes)?;
	parts.try_fold(folder.to_owned(), |path, part| match part {
		Component::Normal(part) => Ok(path.join(part)),
		_ => Err(escapes()),
	})
}

/// Writes a new file, with the folders above it.
pub(crate) fn write_file(
	path: &Path,
	executable: bool,
	modified: Option<u64>,
	fill: impl FnOnce(&mut File) -> io::Result<u64>,
) -> Result<()> {
	let failed =
		|source| Error::from_io(source, |source| Error::Write { path: path.to_owned(), source });
	if let Some(parent) = path.parent() {
		fs::create_dir_all(parent).map_err(failed)?;
	}
	let mut file = File::create_new(path).map_err(failed)?;
	fill(&mut file).map_err(failed)?;
	if executable {
		make_executable(&file).map_err(failed)?;
	}
	match modified
		.and_then(|seconds| UNIX_EPOCH.checked_add(std::time::Duration::from_secs(seconds)))
	{
		Some(time) => file.set_modified(time).map_err(failed),
		None => Ok(()),
	}
}

#[cfg(unix)]
pub(crate) fn is_executable(metadata: &Metadata) -> bool {
	use std::os::unix::fs::PermissionsExt;
	metadata.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
pub(crate) fn is_executable(_: &Metadata) -> bool {
	false
}

#[cfg(unix)]
fn make_executable(file: &File) -> io::Result<()> {
	use std::os::unix::fs::PermissionsExt;
	let mut rights = file.metadata()?.permissions();
	// Whoever may read it may run it.
	rights.set_mode(rights.mode() | (rights.mode() & 0o444) >> 2);
	file.set_permissions(rights)
}

#[cfg(not(unix))]
fn make_executable(_: &File) -> io::Result<()> {
	Ok(())
}

#[cfg(all(test, unix))]
mod tests {
	use super::*;
	use std::{
		ffi::OsStr,
		os::unix::{
			ffi::OsStrExt,
			fs::{symlink, PermissionsExt},
			net::UnixListener,
		},
	};

	fn packed(folder: &Path) -> Vec<u8> {
		let mut bytes = Vec::new();
		pack(folder, &mut bytes).expect("a plain folder");
		bytes
	}

	fn entry(kind: EntryType, name: &[u8], size: u64, link: Option<&str>) -> Vec<u8> {
		let mut header = Header::new_gnu();
		header.as_gnu_mut().expect("gnu").name[..name.len()].copy_from_slice(name);
		header.set_entry_type(kind);
		header.set_size(size);
		header.set_mode(0o644);
		if let Some(link) = link {
			header.set_link_name(link).expect("short");
		}
		header.set_cksum();
		let mut bytes = header.as_bytes().to_vec();
		bytes.resize(512 + size.min(4096).next_multiple_of(512) as usize + 1024, b'x');
		let content = 512 + size.min(4096).next_multiple_of(512) as usize;
		bytes[content..].fill(0);
		bytes
	}

	#[test]
	fn folders_come_back() {
		let temporary = tempfile::tempdir().expect("a temporary folder");
		let (from, to) = (temporary.path().join("from"), temporary.path().join("to"));
		let deep = format!("{}/{}", "long".repeat(40), "name".repeat(30));
		fs::create_dir_all(from.join("empty folder")).expect("possible");
		fs::create_dir_all(from.join(&deep)).expect("possible");
		let files = [("empty", 0usize), ("ä ß", 10), ("deep", 100_000)];
		for (name, len) in files {
			fs::write(from.join(&deep).join(name), vec![7u8; len]).expect("possible");
		}
		fs::write(from.join("run"), "#!/bin/sh").expect("possible");
		fs::set_permissions(from.join("run"), PermissionsExt::from_mode(0o755)).expect("mine");

		let bytes = packed(&from);
		assert_eq!(bytes, packed(&from));
		unpack(&mut &bytes[..], &to, 100_019).expect("just packed");
		assert!(to.join("empty folder").is_dir());
		for (name, len) in files {
			assert_eq!(fs::read(to.join(&deep).join(name)).expect("unpacked").len(), len);
		}
		let metadata = |path: &Path| fs::metadata(path.join("run")).expect("unpacked");
		assert!(is_executable(&metadata(&to)));
		assert!(!is_executable(&fs::metadata(to.join(&deep).join("deep")).expect("unpacked")));
		assert_eq!(bytes, packed(&to), "times and all");

		let again = unpack(&mut &bytes[..], &to, 100_019).expect_err("in use");
		assert!(matches!(again, Error::NotEmpty { .. }));
		let small = unpack(&mut &bytes[..], &temporary.path().join("small"), 100_018);
		assert!(matches!(small, Err(Error::Bomb { what: "bytes", limit: 100_018 })));
	}

	#[test]
	fn unpack_fails_when_an_entry_would_leave_its_folder() {
		let temporary = tempfile::tempdir().expect("a temporary folder");
		let outside = temporary.path().join("outside");
		let absolute = outside.to_str().expect("UTF-8").as_bytes().to_vec();
		for name in [&b"../outside"[..], b"a/../../outside", b"/outside", b"..", &absolute] {
			let to = temporary.path().join("to");
			let bytes = entry(EntryType::Regular, name, 3, None);
			let error = unpack(&mut &bytes[..], &to, 1000).expect_err("refused");
			assert!(matches!(error, Error::Escapes { .. }), "{error}");
			assert!(!outside.exists());
		}
	}

	#[test]
	fn unpack_fails_when_an_entry_is_no_file() {
		let temporary = tempfile::tempdir().expect("a temporary folder");
		for kind in [
			EntryType::Symlink,
			EntryType::Link,
			EntryType::Char,
			EntryType::Block,
			EntryType::Fifo,
			EntryType::GNUSparse,
			EntryType::GNULongLink,
			EntryType::XHeader,
			EntryType::XGlobalHeader,
		] {
			let link = matches!(kind, EntryType::Symlink | EntryType::Link).then_some("/etc");
			let bytes = entry(kind, b"entry", 0, link);
			let to = temporary.path().join("to");
			let error = unpack(&mut &bytes[..], &to, 1000).expect_err("refused");
			assert!(matches!(error, Error::NotAFile { .. }), "{kind:?}: {error}");
			assert!(fs::symlink_metadata(to.join("entry")).is_err());
		}
	}

	#[test]
	fn unpack_fails_when_cut_or_larger_than_said() {
		let temporary = tempfile::tempdir().expect("a temporary folder");
		let bomb = entry(EntryType::Regular, b"bomb", 1 << 40, None);
		let error = unpack(&mut &bomb[..], &temporary.path().join("a"), 1 << 30);
		assert!(matches!(error, Err(Error::Bomb { what: "bytes", .. })));
		let name = entry(EntryType::GNULongName, b"././@LongLink", 1 << 30, None);
		let error = unpack(&mut &name[..], &temporary.path().join("c"), 1 << 40);
		assert!(matches!(error, Err(Error::Bomb { what: "bytes in a name", .. })));
		let good = entry(EntryType::Regular, b"file", 3000, None);
		assert!(unpack(&mut &good[..1000], &temporary.path().join("b"), 3000).is_err());
	}

	#[test]
	fn pack_fails_when_there_is_a_link_or_no_folder() {
		let temporary = tempfile::tempdir().expect("a temporary folder");
		symlink("/etc", temporary.path().join("link")).expect("possible");
		let error = pack(temporary.path(), &mut io::sink()).expect_err("refused");
		assert!(matches!(error, Error::NotAFile { what: "a symbolic link", .. }), "{error}");
		let error = pack(&temporary.path().join("nowhere"), &mut io::sink()).expect_err("refused");
		assert!(matches!(error, Error::Read { .. }), "{error}");
	}

	/// Takes an archive, and does something once its first entry has been begun: the file of that is open
	/// then, and nothing of it is read.
	struct Meanwhile<F> {
		archive: Vec<u8>,
		change: Option<F>,
	}

	impl<F: FnOnce()> Write for Meanwhile<F> {
		fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
			if let Some(change) = self.change.take() {
				change();
			}
			self.archive.write(bytes)
		}

		fn flush(&mut self) -> io::Result<()> {
			Ok(())
		}
	}

	/// Packs a folder with the files `a`, `b` and `below/c`, of 100,000 bytes each, to which `change` is done
	/// while `a` is packed; and gives what comes out of the archive.
	fn pack_while(change: impl FnOnce(&Path)) -> Result<Vec<(String, Vec<u8>)>> {
		let temporary = tempfile::tempdir().expect("a temporary folder");
		let (from, to) = (temporary.path().join("from"), temporary.path().join("to"));
		fs::create_dir_all(from.join("below")).expect("possible");
		for name in ["a", "b", "below/c"] {
			fs::write(from.join(name), [b'x'; 100_000]).expect("possible");
		}
		let mut out = Meanwhile { archive: Vec::new(), change: Some(|| change(&from)) };
		pack(&from, &mut out)?;
		assert!(out.change.is_none());
		unpack(&mut &out.archive[..], &to, 1_000_000).expect("just packed");
		let files = list(&to).map(|found| found.expect("plain")).filter(|it| it.metadata.is_file());
		Ok(files.map(|it| (it.name, fs::read(it.path).expect("plain"))).collect())
	}

	#[test]
	fn pack_fails_when_a_file_changes_under_it() {
		let append = |path: &Path| {
			let file = File::options().append(true).open(path);
			file.and_then(|mut file| file.write_all(b"more")).expect("possible");
		};
		let cut = |path: &Path| {
			let file = File::options().write(true).open(path);
			file.and_then(|file| file.set_len(99)).expect("possible");
		};
		let error = pack_while(|folder| append(&folder.join("a"))).expect_err("it grew");
		let grown = matches!(&error, Error::Changed { expected: 100_000, found: 100_001, .. });
		assert!(grown && error.to_string().contains("from/a"), "{error}");
		let error = pack_while(|folder| cut(&folder.join("a"))).expect_err("it shrank");
		assert!(matches!(error, Error::Changed { expected: 100_000, found: 99, .. }), "{error}");
		let remove = |folder: &Path| fs::remove_file(folder.join("b")).expect("there");
		let error = pack_while(remove).expect_err("it was listed, and is gone");
		assert!(matches!(&error, Error::Read { path, .. } if path.ends_with("from/b")), "{error}");
		let error = pack_while(|folder| {
			remove(folder);
			symlink("/etc/passwd", folder.join("b")).expect("possible");
		});
		let error = error.expect_err("a link in the place of a file");
		assert!(matches!(error, Error::NotAFile { what: "a symbolic link", .. }), "{error}");
		let error = pack_while(|folder| {
			fs::remove_dir_all(folder.join("below")).expect("there");
		});
		assert!(matches!(error, Err(Error::Read { .. })), "a folder that was listed is gone");
	}

	#[test]
	fn an_archive_has_each_file_as_it_was_at_one_time() {
		let old = || vec![b'x'; 100_000];
		let names = |files: &[(String, Vec<u8>)]| {
			files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>()
		};
		// What is open is there to its end, whatever becomes of its name.
		let gone = pack_while(|folder| fs::remove_file(folder.join("a")).expect("there"));
		assert_eq!(gone.expect("it was open")[0], ("a".into(), old()));
		let replaced = pack_while(|folder| {
			for name in ["a", "b"] {
				fs::write(folder.join("new"), "new").expect("possible");
				fs::rename(folder.join("new"), folder.join(name)).expect("possible");
			}
		});
		let replaced = replaced.expect("each is whole");
		assert_eq!(names(&replaced), ["a", "b", "below/c"]);
		assert_eq!((&replaced[0].1, &replaced[1].1), (&old(), &b"new".to_vec()));
		// A file that comes is packed where its folder has not been looked at.
		let added = pack_while(|folder| {
			fs::write(folder.join("aa"), "1").expect("possible");
			fs::write(folder.join("below/d"), "1").expect("possible");
		});
		assert_eq!(names(&added.expect("plain")), ["a", "b", "below/c", "below/d"]);
	}

	#[test]
	fn what_comes_after_a_folder_was_measured_is_packed() {
		let temporary = tempfile::tempdir().expect("a temporary folder");
		let (from, to) = (temporary.path().join("from"), temporary.path().join("to"));
		fs::create_dir(&from).expect("possible");
		fs::write(from.join("a"), "12").expect("possible");
		assert_eq!(measure(&from).expect("one file"), (1, 2));
		fs::write(from.join("b"), "345").expect("possible");
		unpack(&mut &packed(&from)[..], &to, 5).expect("just packed");
		assert_eq!(measure(&to).expect("two files"), (2, 5));
	}

	#[test]
	fn what_is_no_file_and_names_that_are_no_text_are_refused_and_named() {
		let temporary = tempfile::tempdir().expect("a temporary folder");
		let refused = |name: &[u8], make: &dyn Fn(&Path), is_right: &dyn Fn(&Error) -> bool| {
			let path = temporary.path().join(OsStr::from_bytes(name));
			make(&path);
			let errors = [
				measure(temporary.path()).expect_err("refused"),
				pack(temporary.path(), &mut io::sink()).expect_err("refused"),
			];
			for error in errors {
				assert!(is_right(&error), "{error}");
				let (Error::NotAFile { path: named, .. } | Error::Name { path: named }) = &error
				else {
					panic!("{error}")
				};
				assert_eq!(named, &path);
			}
			fs::remove_file(path).expect("there");
		};
		let no_file = |error: &Error| {
			matches!(error, Error::NotAFile { what: "a device, pipe or socket", .. })
		};
		refused(b"socket", &|path| drop(UnixListener::bind(path).expect("possible")), &no_file);
		// Opening it would wait for somebody who writes to it.
		let pipe = |path: &Path| {
			let made = std::process::Command::new("mkfifo").arg(path).status();
			assert!(made.expect("every system has it").success());
		};
		refused(b"pipe", &pipe, &no_file);
		let file = |path: &Path| fs::write(path, "text").expect("possible");
		refused(b"no \xff text", &file, &|error| matches!(error, Error::Name { .. }));
		fs::write(temporary.path().join("text"), "").expect("possible");
		assert_eq!(measure(temporary.path()).expect("plain"), (1, 0));
	}

	#[test]
	fn measure_fails_when_a_file_may_not_be_read() {
		let temporary = tempfile::tempdir().expect("a temporary folder");
		let path = temporary.path().join("secret");
		fs::write(&path, "1").expect("possible");
		fs::set_permissions(&path, PermissionsExt::from_mode(0o000)).expect("mine");
		match (File::open(&path), measure(temporary.path())) {
			// Root reads everything.
			(Ok(_), found) => assert_eq!(found.expect("readable"), (1, 1)),
			(Err(_), Err(Error::Read { path: named, .. })) => assert_eq!(named, path),
			(Err(_), other) => panic!("{other:?}"),
		}
	}

	#[test]
	fn folders_are_measured_and_refused_before_anything_is_read() {
		let temporary = tempfile::tempdir().expect("a temporary folder");
		let folder = temporary.path();
		assert_eq!(measure(folder).expect("empty"), (0, 0));
		fs::create_dir(folder.join("below")).expect("possible");
		fs::write(folder.join("below/file"), "12").expect("possible");
		fs::write(folder.join("empty"), "").expect("possible");
		assert_eq!(measure(folder).expect("two files"), (2, 2));
		symlink("nowhere", folder.join("below/link")).expect("possible");
		let error = measure(folder).expect_err("a link");
		assert!(matches!(error, Error::NotAFile { .. }), "{error}");
		assert!(measure(&folder.join("nowhere")).is_err());
	}
}
