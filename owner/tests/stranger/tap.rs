//! Lines that keep what is said over them.

use std::{
	collections::HashMap,
	io::{Read, Write},
	net::{Shutdown, TcpListener, TcpStream},
	sync::{Arc, Mutex},
	thread,
};

use serde_json::Value;

/// Listens where others connect, carries everything on to a port, and keeps it.
pub struct Tap {
	pub port: u16,
	talks: Arc<Mutex<Vec<Arc<Talk>>>>,
}

/// One connection: what came from who opened it, and what was answered.
#[derive(Default)]
struct Talk {
	asked: Mutex<Vec<u8>>,
	answered: Mutex<Vec<u8>>,
}

/// A share of a key that a masternode gave.
pub struct Release {
	/// The worker's address.
	pub worker: String,
	pub position: u32,
	pub holder: u8,
	pub sealed: Vec<u8>,
}

impl Tap {
	pub fn to(port: u16) -> Self {
		let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
		let tap =
			Tap { port: listener.local_addr().expect("it is bound").port(), talks: Arc::default() };
		let talks = tap.talks.clone();
		thread::spawn(move || {
			for near in listener.incoming().flatten() {
				// Nobody there yet: whoever connected tries again.
				let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else { continue };
				let talk = Arc::new(Talk::default());
				talks.lock().expect("not poisoned").push(talk.clone());
				let pair = |stream: &TcpStream| stream.try_clone().expect("one more handle");
				let (from, to, kept) = (pair(&near), pair(&far), talk.clone());
				thread::spawn(move || carry(from, to, &kept.asked));
				thread::spawn(move || carry(far, near, &talk.answered));
			}
		});
		tap
	}

	pub fn url(&self) -> String {
		format!("ws://127.0.0.1:{}", self.port)
	}

	/// All bytes, and all messages of WebSockets in clear: what clients send is masked.
	pub fn everything(&self) -> Vec<Vec<u8>> {
		let mut all = Vec::new();
		for (asked, answered) in self.directions() {
			all.extend(messages(&asked));
			all.extend(messages(&answered));
			all.extend([asked, answered]);
		}
		all
	}

	/// All shares of a task's keys that were given over this line.
	pub fn releases(&self, task: u64) -> Vec<Release> {
		let mut releases = Vec::new();
		for (asked, answered) in self.directions() {
			let mut open: HashMap<String, (u32, String)> = HashMap::new();
			for request in objects(&asked) {
				let params = &request["params"];
				if request["method"] != "dgcs_keyShare" || params[0] != task {
					continue;
				}
				let position = params[1].as_u64().and_then(|number| number.try_into().ok());
				let worker = params[2].as_str().expect("an address").to_owned();
				open.insert(request["id"].to_string(), (position.expect("a number"), worker));
			}
			for answer in objects(&answered) {
				let Some((position, worker)) = open.get(&answer["id"].to_string()) else {
					continue;
				};
				for share in answer["result"].as_array().into_iter().flatten() {
					let sealed = share["sealed"].as_str().expect("hexadecimal digits");
					releases.push(Release {
						worker: worker.clone(),
						position: *position,
						holder: share["holder"].as_u64().expect("a number") as u8,
						sealed: hex::decode(&sealed[2..]).expect("hexadecimal digits"),
					});
				}
			}
		}
		releases
	}

	fn directions(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
		let talks = self.talks.lock().expect("not poisoned");
		let copy = |bytes: &Mutex<Vec<u8>>| bytes.lock().expect("not poisoned").clone();
		talks.iter().map(|talk| (copy(&talk.asked), copy(&talk.answered))).collect()
	}
}

fn carry(mut from: TcpStream, mut to: TcpStream, kept: &Mutex<Vec<u8>>) {
	let mut part = [0; 1 << 16];
	while let Ok(len @ 1..) = from.read(&mut part) {
		kept.lock().expect("not poisoned").extend_from_slice(&part[..len]);
		if to.write_all(&part[..len]).is_err() {
			break;
		}
	}
	let _ = to.shutdown(Shutdown::Write);
}

fn objects(stream: &[u8]) -> impl Iterator<Item = Value> {
	let text = messages(stream);
	text.into_iter().filter_map(|message| serde_json::from_slice(&message).ok())
}

/// The messages of one direction of a WebSocket (RFC 6455, section 5.2), unmasked and put together.
fn messages(stream: &[u8]) -> Vec<Vec<u8>> {
	const HEAD_END: &[u8] = b"\r\n\r\n";
	let mut messages = Vec::new();
	let Some(head) = stream.windows(HEAD_END.len()).position(|bytes| bytes == HEAD_END) else {
		return messages;
	};
	let mut rest = &stream[head + HEAD_END.len()..];
	let mut message = Vec::new();
	while let Some((last, payload, after)) = frame(rest) {
		message.extend(payload);
		if last {
			messages.push(std::mem::take(&mut message));
		}
		rest = after;
	}
	messages
}

/// The first frame: whether it is the last of its message, what it carries, and what comes after it.
fn frame(bytes: &[u8]) -> Option<(bool, Vec<u8>, &[u8])> {
	let (head, rest) = bytes.split_first_chunk::<2>()?;
	let (len, rest) = match head[1] & 0x7f {
		126 => {
			let (len, rest) = rest.split_first_chunk()?;
			(u16::from_be_bytes(*len).into(), rest)
		},
		127 => {
			let (len, rest) = rest.split_first_chunk()?;
			(u64::from_be_bytes(*len), rest)
		},
		len => (len.into(), rest),
	};
	let (mask, rest) = match head[1] & 0x80 {
		0 => ([0; 4], rest),
		_ => {
			let (mask, rest) = rest.split_first_chunk()?;
			(*mask, rest)
		},
	};
	let (payload, after) = rest.split_at_checked(usize::try_from(len).ok()?)?;
	let clear = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
	Some((head[0] & 0x80 != 0, clear.collect(), after))
}

#[test]
fn messages_are_read_as_they_were_meant() {
	// The examples of RFC 6455, section 5.7: unmasked, masked, in two frames; and one of 256 bytes.
	let mut stream = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n".to_vec();
	stream.extend(b"\x81\x05Hello");
	stream.extend([0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
	stream.extend(b"\x01\x03Hel\x80\x02lo");
	stream.extend([0x82, 0x7e, 0x01, 0x00]);
	stream.extend([7; 256]);
	stream.extend(b"\x81\x05Hel");
	let expected = [&b"Hello"[..], b"Hello", b"Hello", &[7; 256]];
	assert_eq!(messages(&stream), expected);
}
