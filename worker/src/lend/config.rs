//! The file in which an owner says what to lend.

use std::{
	fmt,
	path::{Path, PathBuf},
	str::FromStr,
	time::Duration,
};

use serde::{de, Deserialize, Deserializer};

use super::observe::Machine;
use crate::execute::OVERHEAD_MIB;

/// The defaults as a file, with comments.
pub const DEFAULT_CONFIG: &str = include_str!("../../default.toml");

/// The most bytes that a config file may have.
const MAX_FILE: u64 = 64 << 10;
/// Most slots that a worker may offer: the chain's bound.
const MAX_SLOTS: u64 = 256;
const MINUTES_A_DAY: u16 = 24 * 60;

/// What an owner lends. [`DEFAULT_CONFIG`] says what each value means, and its default.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
	/// Memory of one slot, in MiB.
	pub slot_memory_mib: u32,
	/// Disk for everything, in GiB.
	pub disk_gib: u32,
	/// Niceness of the threads that compute: 0 to 19.
	pub nice: i32,
	/// For how many hours results are kept after the vote on them, if their room is not needed.
	pub keep_results_hours: u32,
	/// Limits while nobody else uses the machine.
	pub idle: Limits,
	/// Limits while somebody does.
	pub busy: Limits,
	/// When somebody does.
	#[serde(rename = "use")]
	pub in_use: Use,
	/// Days, hours, battery.
	pub when: When,
}

/// Limits on everything that runs at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
	/// Cores.
	pub cores: Share,
	/// Memory, in MiB if it is an amount.
	pub memory: Share,
}

/// A part of what the machine has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Share {
	/// So much.
	Amount(u64),
	/// So many percent of all, 0 to 100.
	Percent(u8),
}

/// When the machine counts as used by somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Use {
	/// From this share of its processor time on, in percent.
	pub busy_above: u8,
	/// For so many seconds.
	pub busy_after: u32,
	/// No more below this share, in percent.
	pub idle_below: u8,
	/// For so many seconds.
	pub idle_after: u32,
	/// Memory for others in any case, in MiB.
	pub keep_free_mib: u64,
}

/// When anything may run.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct When {
	/// Days, by the first three letters of their English names.
	pub days: Vec<String>,
	/// Hours, as `HH:MM-HH:MM`, in local time.
	pub hours: Vec<String>,
	/// Whether it may on battery.
	pub on_battery: bool,
}

/// Why a config can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
	/// The file can't be read.
	#[error("the config {path} can't be read: {source}; check its name and permissions")]
	Read {
		/// Which file.
		path: PathBuf,
		/// What the system says.
		source: std::io::Error,
	},
	/// The file is no config.
	#[error("the config {path} is larger than {MAX_FILE} bytes; name another file")]
	TooLarge {
		/// Which file.
		path: PathBuf,
	},
	/// The file is not TOML, or has fields or values that there aren't.
	#[error("the config can't be understood: {0}")]
	Parse(#[from] toml::de::Error),
	/// A value that makes no sense.
	#[error("{field} = {value}: {rule}")]
	Value {
		/// Which field.
		field: &'static str,
		/// Its value.
		value: String,
		/// What it must keep to.
		rule: String,
	},
}

/// What the config means on one machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
	/// Slots while nobody else uses the machine: what the worker registers with.
	pub idle_slots: u16,
	/// Slots while somebody does.
	pub busy_slots: u16,
	/// Memory of a slot, in MiB.
	pub slot_memory_mib: u32,
	/// When somebody does.
	pub in_use: Use,
	/// Bit `i`: day `i` of the week, Monday being 0.
	pub days: u8,
	/// Minutes of the day: from, and until, which is excluded.
	pub hours: Vec<(u16, u16)>,
	/// Whether anything may run on battery.
	pub on_battery: bool,
}

/// The disk that is lent, by what may take it. In bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
	/// Compiled programs.
	pub programs: u64,
	/// The inputs of what runs, as far as they are large.
	pub inputs: u64,
	/// Results that are not shown yet.
	pub results: u64,
	/// Everybody's blocks, with the results that are shown.
	pub blocks: u64,
}

/// Tenths of the disk.
const PROGRAM_TENTHS: u64 = 1;
const INPUT_TENTHS: u64 = 3;
const RESULT_TENTHS: u64 = 3;

impl Disk {
	/// So many GiB, divided.
	pub fn of(gib: u32) -> Self {
		let all = u64::from(gib) << 30;
		// At most 2⁶² bytes, so a few times as many can be counted.
		let [programs, inputs, results] =
			[PROGRAM_TENTHS, INPUT_TENTHS, RESULT_TENTHS].map(|tenths| all * tenths / 10);
		Disk { programs, inputs, results, blocks: all - programs - inputs - results }
	}

	/// How many GiB there must be for inputs to have `bytes` of them.
	pub fn gib_for_inputs(bytes: u64) -> u64 {
		let tenth = u128::from(INPUT_TENTHS) << 30;
		let gib = (u128::from(bytes) * 10).div_ceil(tenth);
		u64::try_from(gib).unwrap_or(u64::MAX)
	}
}

impl Default for Config {
	fn default() -> Self {
		Config {
			slot_memory_mib: 1152,
			disk_gib: 20,
			nice: 19,
			keep_results_hours: 24,
			idle: Limits { cores: Share::Percent(100), memory: Share::Percent(75) },
			busy: Limits { cores: Share::Amount(0), memory: Share::Percent(25) },
			in_use: Use::default(),
			when: When::default(),
		}
	}
}

impl Default for Use {
	fn default() -> Self {
		Use { busy_above: 25, busy_after: 10, idle_below: 15, idle_after: 180, keep_free_mib: 512 }
	}
}

impl Default for When {
	fn default() -> Self {
		When {
			days: DAYS.map(String::from).to_vec(),
			hours: vec!["00:00-24:00".into()],
			on_battery: false,
		}
	}
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Config {
	/// The config in a file.
	pub fn read(path: &Path) -> Result<Self, ConfigError> {
		let failed = |source| ConfigError::Read { path: path.into(), source };
		if std::fs::metadata(path).map_err(failed)?.len() > MAX_FILE {
			return Err(ConfigError::TooLarge { path: path.into() });
		}
		std::fs::read_to_string(path).map_err(failed)?.parse()
	}

	/// A machine that has nothing else to do: what is lent while it is idle is lent whoever uses it,
	/// on any day and at any hour.
	#[must_use]
	pub fn dedicated(mut self) -> Self {
		self.busy = self.idle;
		self.when = When { on_battery: true, ..When::default() };
		self
	}

	/// What this means on `machine`.
	///
	/// # Errors
	///
	/// When a value makes no sense, or no slot fits what is lent.
	pub fn terms(&self, machine: &Machine) -> Result<Terms, ConfigError> {
		let wrong =
			|field, value: String, rule: String| Err(ConfigError::Value { field, value, rule });
		if !(0..=19).contains(&self.nice) {
			return wrong("nice", self.nice.to_string(), "must be 0 to 19".into());
		}
		if self.slot_memory_mib <= OVERHEAD_MIB {
			let value = self.slot_memory_mib.to_string();
			return wrong("slot_memory_mib", value, format!("must be more than {OVERHEAD_MIB}"));
		}
		if self.disk_gib == 0 {
			return wrong("disk_gib", "0".into(), "must be 1 or more".into());
		}
		let Use { busy_above, idle_below, .. } = self.in_use;
		if busy_above > 100 {
			return wrong("use.busy_above", busy_above.to_string(), "must be 0 to 100".into());
		}
		if idle_below > busy_above {
			let rule = format!("must not be above use.busy_above, which is {busy_above}");
			return wrong("use.idle_below", idle_below.to_string(), rule);
		}
		let days = self.when.days.iter().try_fold(0u8, |days, day| {
			let number = DAYS.iter().position(|known| known == day).ok_or(ConfigError::Value {
				field: "when.days",
				value: format!("{day:?}"),
				rule: format!("must be of {}", DAYS.join(", ")),
			})?;
			Ok::<u8, ConfigError>(days | 1 << number)
		})?;
		let hours = self.when.hours.iter().map(|hours| span(hours)).collect::<Result<_, _>>()?;
		let slots = |limits: &Limits, fields: [&'static str; 2]| {
			let cores = limits.cores.of(machine.cores.into(), fields[0])?;
			let memory = limits.memory.of(machine.memory_mib, fields[1])?;
			let slots = cores.min(memory / u64::from(self.slot_memory_mib)).min(MAX_SLOTS);
			Ok::<u16, ConfigError>(u16::try_from(slots).unwrap_or(MAX_SLOTS as u16))
		};
		let idle_slots = slots(&self.idle, ["idle.cores", "idle.memory"])?;
		let busy_slots = slots(&self.busy, ["busy.cores", "busy.memory"])?;
		if idle_slots == 0 {
			let rule = format!(
				"there is no room for one slot of {} MiB; lend a core and more memory, or make slots smaller",
				self.slot_memory_mib
			);
			let value = format!("{} cores, {} of memory", self.idle.cores, self.idle.memory);
			return wrong("idle", value, rule);
		}
		if busy_slots > idle_slots {
			let rule = format!("{busy_slots} slots fit it, more than the {idle_slots} of idle");
			let value = format!("{} cores, {} of memory", self.busy.cores, self.busy.memory);
			return wrong("busy", value, rule);
		}
		Ok(Terms {
			idle_slots,
			busy_slots,
			slot_memory_mib: self.slot_memory_mib,
			in_use: self.in_use,
			days,
			hours,
			on_battery: self.when.on_battery,
		})
	}
}

impl FromStr for Config {
	type Err = ConfigError;

	fn from_str(text: &str) -> Result<Self, ConfigError> {
		Ok(toml::from_str(text)?)
	}
}

impl Use {
	/// For how long others must use the machine until it counts as busy.
	pub fn busy_after(&self) -> Duration {
		Duration::from_secs(self.busy_after.into())
	}

	/// For how long they must not until it counts as idle.
	pub fn idle_after(&self) -> Duration {
		Duration::from_secs(self.idle_after.into())
	}
}

impl Share {
	/// This part of `all`, rounded to the nearest, and at least 1 of any percent above 0.
	fn of(self, all: u64, field: &'static str) -> Result<u64, ConfigError> {
		match self {
			Share::Amount(amount) if amount > all => Err(ConfigError::Value {
				field,
				value: amount.to_string(),
				rule: format!("this machine has {all}"),
			}),
			Share::Amount(amount) => Ok(amount),
			Share::Percent(0) => Ok(0),
			Share::Percent(percent) => Ok(((all * u64::from(percent) + 50) / 100).max(1)),
		}
	}
}

impl fmt::Display for Share {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Share::Amount(amount) => amount.fmt(f),
			Share::Percent(percent) => write!(f, "{percent}%"),
		}
	}
}

impl<'de> Deserialize<'de> for Share {
	fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
		struct Visitor;
		impl de::Visitor<'_> for Visitor {
			type Value = Share;

			fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
				f.write_str("an amount (4) or a share of all (\"50%\")")
			}

			fn visit_i64<E: de::Error>(self, amount: i64) -> Result<Share, E> {
				let wrong = |_| E::invalid_value(de::Unexpected::Signed(amount), &self);
				u64::try_from(amount).map(Share::Amount).map_err(wrong)
			}

			fn visit_str<E: de::Error>(self, text: &str) -> Result<Share, E> {
				let percent = text.strip_suffix('%').and_then(|number| number.parse().ok());
				percent
					.filter(|percent| *percent <= 100)
					.map(Share::Percent)
					.ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
			}
		}
		deserializer.deserialize_any(Visitor)
	}
}

/// `HH:MM-HH:MM` in minutes of the day.
fn span(text: &str) -> Result<(u16, u16), ConfigError> {
	let minute = |time: &str| {
		let (hours, minutes) = time.split_once(':')?;
		let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
		let minute = hours.checked_mul(60)?.checked_add(minutes)?;
		(minutes < 60 && minute <= MINUTES_A_DAY).then_some(minute)
	};
	text.split_once('-')
		.and_then(|(from, until)| Some((minute(from)?, minute(until)?)))
		.filter(|(from, until)| from != until)
		.ok_or_else(|| ConfigError::Value {
			field: "when.hours",
			value: format!("{text:?}"),
			rule: "must be HH:MM-HH:MM, from 00:00 to 24:00".into(),
		})
}

#[cfg(test)]
mod tests {
	use super::*;

	const MACHINE: Machine = Machine { cores: 8, memory_mib: 16_384 };

	#[test]
	fn the_commented_file_has_the_defaults() {
		assert_eq!(DEFAULT_CONFIG.parse::<Config>().expect("ours"), Config::default());
		assert_eq!("".parse::<Config>().expect("nothing is all defaults"), Config::default());
	}

	#[test]
	fn terms_follow_from_config_and_machine() {
		type Case = (&'static str, u16, u16);
		let cases: &[Case] = &[
			("", 8, 0),
			("slot_memory_mib = 2048", 6, 0),
			("idle = { cores = 2, memory = \"75%\" }", 2, 0),
			("idle = { cores = \"50%\", memory = 16384 }", 4, 0),
			("idle = { cores = \"1%\", memory = \"100%\" }", 1, 0),
			("busy = { cores = 1, memory = \"25%\" }", 8, 1),
			("busy = { cores = 8, memory = \"25%\" }", 8, 3),
			("busy = { cores = 8, memory = 0 }", 8, 0),
		];
		for (text, idle, busy) in cases {
			let config: Config = text.parse().expect(text);
			let terms = config.terms(&MACHINE).expect(text);
			assert_eq!((terms.idle_slots, terms.busy_slots), (*idle, *busy), "{text}");
			let dedicated = config.dedicated().terms(&MACHINE).expect(text);
			assert_eq!(dedicated.busy_slots, *idle, "{text}");
		}
	}

	#[test]
	fn all_of_the_disk_is_divided() {
		for gib in [1, 2, 20, u32::MAX] {
			let Disk { programs, inputs, results, blocks } = Disk::of(gib);
			assert_eq!(programs + inputs + results + blocks, u64::from(gib) << 30);
			assert!(programs > 0 && inputs > 0 && results > 0 && blocks > 0, "{gib} GiB");
			assert_eq!(Disk::gib_for_inputs(inputs), u64::from(gib));
			assert_eq!(Disk::gib_for_inputs(inputs + 1), u64::from(gib) + 1);
		}
	}

	#[test]
	fn hours_and_days_are_understood() {
		let text = "[when]\ndays = [\"mon\", \"sun\"]\nhours = [\"22:30-06:00\", \"12:00-24:00\"]";
		let terms = text.parse::<Config>().expect("good").terms(&MACHINE).expect("good");
		assert_eq!(terms.days, 0b100_0001);
		assert_eq!(terms.hours, [(1350, 360), (720, 1440)]);
	}

	#[test]
	fn wrong_values_are_named_with_their_field() {
		let cases = [
			("nice = 20", "nice = 20"),
			("nice = -1", "nice = -1"),
			("slot_memory_mib = 128", "slot_memory_mib = 128"),
			("disk_gib = 0", "disk_gib = 0"),
			("use = { busy_above = 101 }", "use.busy_above = 101"),
			("use = { busy_above = 20, idle_below = 21 }", "use.idle_below = 21"),
			("idle = { cores = 9, memory = 2048 }", "idle.cores = 9"),
			("idle = { cores = 1, memory = 16385 }", "idle.memory = 16385"),
			("idle = { cores = 1, memory = 1151 }", "idle = 1 cores, 1151 of memory"),
			("idle = { cores = 0, memory = 2048 }", "idle = 0 cores"),
			(
				"idle = { cores = 1, memory = 4096 }\nbusy = { cores = 2, memory = 4096 }",
				"busy = 2 cores",
			),
			("when = { days = [\"monday\"] }", "when.days = \"monday\""),
			("when = { hours = [\"8-17\"] }", "when.hours = \"8-17\""),
			("when = { hours = [\"08:00-24:01\"] }", "when.hours = \"08:00-24:01\""),
			("when = { hours = [\"08:60-09:00\"] }", "when.hours = \"08:60-09:00\""),
			("when = { hours = [\"08:00-08:00\"] }", "when.hours = \"08:00-08:00\""),
		];
		for (text, expected) in cases {
			let config: Config = text.parse().expect(text);
			let error = config.terms(&MACHINE).expect_err(text).to_string();
			assert!(error.starts_with(expected), "{text}: {error}");
		}
	}

	#[test]
	fn fields_and_forms_that_there_are_not_are_refused() {
		for text in [
			"slots = 3",
			"idle = { cores = 1 }",
			"idle = { cores = \"101%\", memory = 1 }",
			"idle = { cores = -1, memory = 1 }",
			"idle = { cores = \"four\", memory = 1 }",
			"use = { busy_above = 256 }",
			"nice = \"19\"",
			"[when",
		] {
			let error = text.parse::<Config>().expect_err(text);
			assert!(matches!(error, ConfigError::Parse(_)), "{text}: {error}");
		}
		let missing = Config::read(Path::new("/nowhere/worker.toml")).expect_err("no such file");
		assert!(missing.to_string().contains("/nowhere/worker.toml"));
	}
}
