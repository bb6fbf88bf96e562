// Small programs, put together byte by byte.

const bytes = (...parts) => parts.flat(Infinity);
const leb = (number) => number < 128 ? [number] : [(number & 127) | 128, ...leb(number >> 7)];
const name = (text) => [leb(text.length), ...Buffer.from(text)];
const list = (items) => [leb(items.length), items];
const section = (id, content) => {
	const flat = bytes(content);
	return [id, leb(flat.length), flat];
};
const i32 = (number) => [0x41, sleb(number)];

function sleb(number) {
	const last = number >= -64 && number < 64;
	return last ? [number & 127] : [(number & 127) | 128, ...sleb(number >> 7)];
}

/** Instructions again and again. */
const forever = (...body) => [0x03, 0x40, body, 0x0c, 0x00, 0x0b];
const drop = 0x1a;

const WASI = 'wasi_snapshot_preview1';

/** The types of imports: they take so many numbers, and `ONE` returns none. That of `_start` is 0. */
const FOUR = 1;
const TWO = 2;
const ONE = 3;

/**
 * A module whose function `_start` is `body`. Its imports take four numbers and return one, unless another
 * type is named.
 * @param {any} body
 * @param {{ imports?: [string, string, number?][], pages?: number, data?: number[] }} [options]
 */
function program(body, { imports = [], pages = 1, data = [] } = {}) {
	const functions = imports.map(([module, function_, type = FOUR]) => [name(module), name(function_), 0x00, type]);
	const code = bytes(0x00, body, 0x0b);
	return Buffer.from(bytes(
		[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
		section(1, list([
			[0x60, 0x00, 0x00],
			[0x60, 0x04, 0x7f, 0x7f, 0x7f, 0x7f, 0x01, 0x7f],
			[0x60, 0x02, 0x7f, 0x7f, 0x01, 0x7f],
			[0x60, 0x01, 0x7f, 0x00],
		])),
		section(2, list(functions)),
		section(3, list([[0x00]])),
		section(5, list([[0x00, leb(pages)]])),
		section(7, list([
			[name('memory'), 0x02, 0x00],
			[name('_start'), 0x00, leb(imports.length)],
		])),
		section(10, list([[leb(code.length), code]])),
		section(11, list([[0x00, i32(0), 0x0b, list(data)]])),
	));
}

/** Asks for memory without end. */
export const grows = () => program(forever(i32(1), 0x40, 0x00, drop));

/** Ends never. */
export const loops = () => program(forever());

/** One buffer of 64 KiB, from 1024 on. */
const BUFFER = [0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00];
const call = (function_, ...args) => [args.map(i32), 0x10, function_];

/** Writes without end. */
export const floods = () => program(forever(call(0, 1, 0, 1, 8), drop), {
	imports: [[WASI, 'fd_write']], pages: 2, data: BUFFER,
});

/** Ends with an exit code. @param {number} code */
export const exits = (code) => program(call(0, code), { imports: [[WASI, 'proc_exit', ONE]] });

/** Reaches what it says cannot be reached, as an abort does. */
export const traps = () => program([0x00]);

/** Needs something that no sandbox has. */
export const calls = (module, function_) => program([], { imports: [[module, function_]] });

/** Until nothing comes: reads up to 64 KiB, and writes as much as came. */
const ECHO = [
	0x02, 0x40,
	forever(
		i32(4), i32(0x10000), 0x36, 0x02, 0x00,
		call(0, 0, 0, 1, 8), drop,
		i32(8), 0x28, 0x02, 0x00, 0x45, 0x0d, 0x01,
		i32(4), i32(8), 0x28, 0x02, 0x00, 0x36, 0x02, 0x00,
		call(1, 1, 0, 1, 12), drop,
	),
	0x0b,
];
const ECHOING = [[WASI, 'fd_read'], [WASI, 'fd_write']];

/** Writes what it reads. */
export const echoes = () => program(ECHO, { imports: ECHOING, pages: 2, data: BUFFER });

/** Writes what it reads; with an argument it asks for 64 MiB before that. */
export const hoards = () => program([
	call(2, 16, 20), drop,
	i32(16), 0x28, 0x02, 0x00, i32(1), 0x4b,
	0x04, 0x40, i32(1024), 0x40, 0x00, drop, 0x0b,
	ECHO,
], { imports: [...ECHOING, [WASI, 'args_sizes_get', TWO]], pages: 2, data: BUFFER });
