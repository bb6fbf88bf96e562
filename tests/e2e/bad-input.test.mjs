// What goes wrong for an owner that does nothing wrong on purpose: files, programs, stores, nodes and money
// that are not as they should be, and Ctrl-C; and for a worker, whose node is gone or another chain's. Each is
// said with what to do, nothing is paid twice or stays on hold, and no worker is punished. On a chain of one
// masternode, with the commands themselves.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
	chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync,
	writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { account, balance, EventLog, rpc, send, SOON, until } from './lib/chain.mjs';
import { RealWorker, type } from './lib/dgcs.mjs';
import { Line } from './lib/line.mjs';
import { startDevelopment } from './lib/network.mjs';
import { Command } from './lib/owner.mjs';
import { noteSkip } from './lib/skipped.mjs';
import { deadline } from './lib/time.mjs';
import { calls, echoes, exits, floods, grows, loops, traps } from './lib/wasm.mjs';

const DGC = 10n ** 12n;
const MIB = 1 << 20;
const WORKERS = ['//Alice//stash', '//Bob//stash', '//Charlie//stash'];
/** One more, with the least memory that a task is drawn for, which reaches the chain by a line of its own. */
const DISTANT = '//distant';
/** More memory than any of them offers. */
const TOO_MUCH = ['--memory', '4096'];
const OTHER_CHAIN = `0x${'11'.repeat(32)}`;
/** Runs a command as root without root's right to read every file. */
const CONFINED = [
	'setpriv', '--bounding-set=-dac_override,-dac_read_search', '--inh-caps=-dac_override,-dac_read_search',
];
const TEXT = Array.from({ length: 60 }, (_, i) => `line ${i}\n`).join('');
/** Less memory than a program may write, and little of all else. */
const LIMITS = ['--memory', '16', '--fuel', '500000000', '--time', '30s'];
/** How bad programs end: by their results, and as their workers say it where that is more. */
const ENDINGS = {
	grow: ['out of memory'],
	loop: ['out of fuel'],
	flood: ['too much output'],
	exit: ['exit code 7'],
	trap: ['trap', 'trap: unreachable code reached (an abort or a panic)'],
};

describe('bad input', () => {
	/** @type {import('./lib/network.mjs').Network} */
	let network;
	let api, log, folder, url;
	/** @type {RealWorker[]} */
	const workers = [];
	/** Settles when workers are registered, and the distant one's line is cut. */
	let ready, register;
	/** That line. */
	let far;
	const owners = new Set();
	const lines = [];
	/** What ends those that change files. */
	const meddlers = new Set();

	before(async () => {
		folder = mkdtempSync(path.join(tmpdir(), 'dgcs-bad-input-'));
		network = await startDevelopment('bad-input');
		api = network.api('alice');
		({ url } = network.node('alice'));
		log = await EventLog.follow(api);
		// Where owners and workers reach it: the chain's first state names another port.
		const [{ key }] = await rpc(api, 'dgcs_masternodes');
		const bond = api.tx.balances.transferKeepAlive(account(DISTANT).address, 100n * DGC);
		const update = api.tx.masternodes.update(key, url);
		await Promise.all([update, bond].map((tx) => send(api, tx, account('//Alice'))));
		for (const [name, bytes] of Object.entries({
			echo: echoes(), grow: grows(), loop: loops(), flood: floods(), exit: exits(7), trap: traps(),
			foreign: calls('env', 'fetch'), empty: Buffer.alloc(0), script: Buffer.from('#!/bin/sh\necho hello\n'),
		})) writeFileSync(file(`${name}.wasm`), bytes);
		writeFileSync(file('text'), TEXT);
		ready = new Promise((resolve) => (register = resolve)).then(startWorkers);
		ready.catch(() => {}); // Whoever waits for it sees why.
	});

	after(async () => {
		log?.stop();
		await Promise.all([...meddlers].map((stop) => stop()));
		lines.forEach((line) => line.close());
		await Promise.all(workers.map((worker) => worker.kill()));
		await network?.stop();
		if (folder) rmSync(folder, { recursive: true, force: true });
	});

	describe('on its way', { concurrency: true }, () => {
		it('waits for workers that there are not, says so, and gives the money back', async () => {
			const task = ['run', file('echo.wasm'), '--count', '1', '--wait', '30s', '--out', file('nobody')];
			const run = dgcs('//Ferdie', ['task', ...task, ...TOO_MUCH, '--yes']);
			const about = ({ message }) => message.includes('worker');
			const first = Promise.all([run.says('estimate'), run.says('warning', about), run.says('queued')]);
			// From then on the others get theirs, of which none has enough memory for this one.
			const [estimate, warning, queued] = await first.finally(register);
			assert.match(estimate.warnings.join(), /no worker is registered.*needs 3 .*30 s \(--wait\).*comes back/);
			assert.equal(estimate.operators, 0);
			assert.match(warning.message, /no worker is registered.*until block #\d+.*comes back.*task cancel \d+/);
			assert.ok(warning.message.includes(`#${queued.due}`), `${warning.message}, and not #${queued.due}`);
			const { code, last } = await run.end();
			assert.equal(code, 3, `${run}`);
			const ended = run.said.find(({ event }) => event === 'ended');
			assert.deepEqual([ended.end, ended.paid, ended.refunded], ['expired', '0', held(run)]);
			assert.deepEqual(last.gaps, [{ subtask: 0, reason: 'no verdict' }]);
		});

		it('refuses what is no program and no input before anything is paid', async () => {
			execFileSync('mkfifo', [file('pipe')]);
			symlinkSync('nothing', file('dangling'));
			writeFileSync(file('nothing-in-it'), '');
			mkdirSync(file('folder'));
			mkdirSync(file('links'));
			symlinkSync('/etc/hostname', file('links/link'));
			writeFileSync(file('huge.wasm'), '');
			truncateSync(file('huge.wasm'), 33 * MIB);
			const program = (name, says) => [[file(name), '--input', file('text')], name, says];
			const input = (name, says, ...how) => {
				return [[file('echo.wasm'), '--input', file(name), ...how], name, says];
			};
			const cases = [
				program('missing.wasm', /No such file.*check its path/),
				program('dangling', /No such file.*link/),
				program('folder', /is a folder: give the file/),
				program('pipe', /is a device, pipe or socket/),
				program('empty.wasm', /the file is empty; compile the program for wasm32-wasip1/),
				program('script.wasm', /it is a script; compile/),
				program('foreign.wasm', /needs env\.fetch.*compile it for wasm32-wasip1/),
				program('huge.wasm', /34603008 bytes|33554433 bytes.*may have 33554432/),
				input('missing', /No such file.*check its path/),
				input('dangling', /No such file.*link on the way leads to nothing/),
				input('pipe', /is a device, pipe or socket/),
				input('nothing-in-it', /the input is empty/),
				input('nothing-in-it', /the input is empty/, '--split', 'lines'),
				input('folder', /the input is empty/, '--split', 'files'),
				input('folder', /cannot be cut by lines; give a file/, '--split', 'lines'),
				input('text', /only a folder can be cut by files/, '--split', 'files'),
				...['files', 'bytes', 'index:2'].map((split) => {
					return input('links', /links\/link is a symbolic link.*put a copy in its place/, '--split', split);
				}),
			];
			await Promise.all(cases.map(async ([args, name, says], i) => {
				const out = ['--out', file(`refused-${i}`), '--yes'];
				const run = dgcs('//Bob', ['task', 'run', ...args, ...out], { data: `refused-${i}` });
				const { code, said, last } = await run.end();
				assert.equal(code, 1, `${run}`);
				assert.match(last.message, says);
				// What is wrong with the whole input need not name a file: there is one.
				assert.ok(last.message.includes(name) || /input|folder/.test(last.message), last.message);
				assert.ok(!said.some(({ event }) => event === 'prepared' || event === 'sent'), `${run}`);
				assert.ok(!existsSync(file(`refused-${i}`)), 'no folder is left behind');
			}));
			assert.equal((await api.rpc.system.accountNextIndex(account('//Bob').address)).toNumber(), 0);
		});

		it('names what it may not read before anything is paid, and goes on when it may', async (t) => {
			const through = process.getuid() === 0 ? CONFINED : [];
			try {
				const [probe, ...words] = [...through, 'true'];
				execFileSync(probe, words, { stdio: 'pipe' });
			} catch (error) {
				const why = `root can't be kept from reading files: ${error.message.trim()}`;
				noteSkip(`bad-input: ${why}`);
				return t.skip(why);
			}
			const inside = (...names) => path.join(file('unreadable'), ...names);
			const [program, input, hidden, closed] = [
				inside('echo.wasm'), inside('text'), inside('folder', 'text'), inside('with-a-folder', 'folder'),
			];
			[path.dirname(hidden), closed].forEach((folder) => mkdirSync(folder, { recursive: true }));
			writeFileSync(program, echoes());
			[input, hidden, path.join(closed, 'text')].forEach((name) => writeFileSync(name, TEXT));
			const unreadable = [program, input, hidden, closed];
			unreadable.forEach((name) => chmodSync(name, 0));
			const cases = [
				[program, program, '--input', file('text')],
				[input, file('echo.wasm'), '--input', input],
				[input, file('echo.wasm'), '--input', input, '--split', 'lines'],
				...[hidden, closed].flatMap((name) => ['files', 'bytes'].map((split) => {
					return [name, file('echo.wasm'), '--input', path.dirname(name), '--split', split];
				})),
			];
			const where = (i) => ({ data: `unreadable-${i}`, through });
			await Promise.all(cases.map(async ([name, ...wish], i) => {
				const out = ['--out', file(`unreadable-${i}`), '--yes'];
				const run = dgcs('//Bob', ['task', 'run', ...wish, ...out], where(i));
				const { code, said, last } = await run.end();
				assert.equal(code, 1, `${run}`);
				assert.ok(last.message.includes(name), `${run}`);
				assert.match(last.message, /Permission denied.*check that .*you may (use|read) it/);
				assert.ok(!said.some(({ event }) => event === 'prepared' || event === 'sent'), `${run}`);
				assert.ok(!existsSync(file(`unreadable-${i}`)), 'no folder is left behind');
			}));
			assert.equal((await api.rpc.system.accountNextIndex(account('//Bob').address)).toNumber(), 0);
			unreadable.forEach((name) => chmodSync(name, 0o700));
			await Promise.all(cases.map(async ([, ...wish], i) => {
				const prepare = dgcs('//Bob', ['task', 'prepare', ...wish], where(i));
				assert.equal((await prepare.end()).code, 0, `${prepare}`);
			}));
		});

		it('says how bad programs end when they are tried at home, and refuses what is none', async () => {
			const attempt = (name, ...more) => dgcs('//Bob', ['task', 'try', file(name), '--count', '1', ...more]);
			const refused = {
				'missing.wasm': /No such file.*check its path/,
				'empty.wasm': /the file is empty; compile the program for wasm32-wasip1/,
				'script.wasm': /it is a script; compile/,
				'foreign.wasm': /needs env\.fetch.*compile it for wasm32-wasip1/,
			};
			await Promise.all([
				...Object.entries(ENDINGS).map(async ([name, [reason]]) => {
					const tried = attempt(`${name}.wasm`, ...LIMITS);
					const { code, last } = await tried.end();
					assert.equal(code, 3, `${tried}`);
					assert.deepEqual([last.event, last.gaps], ['tried', [{ subtask: 0, reason }]], `${tried}`);
				}),
				...Object.entries(refused).map(async ([name, says]) => {
					const tried = attempt(name);
					const { code, last } = await tried.end();
					assert.equal(code, 1, `${tried}`);
					assert.match(last.message, says);
				}),
			]);
		});

		it('refuses a file that grows or shrinks while it is read, and takes it when it is at rest', async () => {
			const line = `${'x'.repeat(1023)}\n`;
			const grows = 'printf "%01023d\\n" 0 >> "$1"';
			const cases = [
				{ how: 'grows', split: 'bytes:1M', change: grows },
				{ how: 'shrinks', split: 'bytes:1M', change: 'truncate --size 5M "$1"' },
				{ how: 'grows-by-lines', split: 'lines:1000', change: grows },
				{ how: 'grows-in-a-folder', split: 'files', change: grows, within: 'inner/growing' },
			];
			for (const { how, split, change, within = '' } of cases) {
				const name = path.join(file(how), within);
				mkdirSync(path.dirname(name), { recursive: true });
				writeFileSync(name, Buffer.alloc(128 * MIB, line));
				if (within) writeFileSync(path.join(file(how), 'at-rest'), line);
				const task = ['task', 'prepare', file('echo.wasm'), '--input', file(how), '--split', split];
				const prepare = dgcs('//Bob', task, { data: how });
				const stop = changing(name, change, file(`data-${how}`));
				const { code, last } = await prepare.end();
				await stop();
				assert.equal(code, 1, `${prepare}`);
				assert.match(last.message, /try again when nothing writes to it/);
				const again = await dgcs('//Bob', task, { data: how }).end();
				assert.equal(again.code, 0, JSON.stringify(again.last));
			}
		});

		it('names an input that vanishes half-way, and goes on when it is back', async () => {
			const name = file('vanishing');
			writeFileSync(name, '');
			// Reading it takes longer than interrupting that.
			truncateSync(name, 4096 * MIB);
			const prepare = () => {
				const task = ['task', 'prepare', file('echo.wasm'), '--input', name];
				return dgcs('//Bob', task, { data: 'vanishing' });
			};
			const first = prepare();
			await first.says('reading');
			first.interrupt();
			assert.equal((await first.end()).code, 130, `${first}`);
			rmSync(name);
			const gone = prepare();
			const { code, last } = await gone.end();
			assert.equal(code, 1, `${gone}`);
			assert.ok(last.message.includes(name) && /check that it exists/.test(last.message), last.message);
			writeFileSync(name, TEXT);
			const back = prepare();
			assert.equal((await back.end()).code, 0, `${back}`);
		});

		it('says what is missing of the money, and holds none', async () => {
			const task = ['task', 'run', file('echo.wasm'), '--count', '1', '--reward', '1', '--yes'];
			const poor = dgcs('//poor', [...task, '--out', file('poor')]);
			assert.equal((await poor.end()).code, 4, `${poor}`);
			assert.match(poor.said.at(-1).message, /can spend 0 DGC.*are missing.*--reward/);
			// It had enough when it was asked for the price, and has not when it pays.
			await send(api, api.tx.balances.transferKeepAlive(account('//late').address, 10n * DGC), account('//Alice'));
			const line = await lineTo(url);
			const late = dgcs('//late', [...task, '--out', file('late')], { chain: line.url });
			const spend = api.tx.balances.transferKeepAlive(account('//poor').address, 8n * DGC);
			const spent = late.says('sent').then(() => send(api, spend, account('//late')));
			line.before = (method) => method === 'author_submitExtrinsic' ? spent : undefined;
			const { code, last } = await late.end();
			assert.equal(code, 4, `${late}`);
			assert.match(last.message, /are missing/);
			assert.equal((await balance(api, account('//late').address)).reserved, 0n);
			assert.equal(last.resume.startsWith('dgcs task submit'), true, `${late}`);
		});

		it('says that a store is down, hangs, lies or is full, and goes on when it is not', async () => {
			const big = file('big');
			writeFileSync(big, '');
			truncateSync(big, 48 * MIB);
			const prepare = (data, ...more) => {
				return dgcs('//Bob', ['task', 'prepare', file('echo.wasm'), '--input', big, ...more], { data });
			};
			const fails = async (command, code, says) => {
				const end = await command.end();
				assert.equal(end.code, code, `${command}`);
				assert.match(end.last.message, says);
			};
			const other = 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy';
			await Promise.all([
				fails(prepare('no-kubo', '--kubo', 'http://127.0.0.1:1'), 5, /Kubo daemon at http:\/\/127\.0\.0\.1:1.*`ipfs daemon` runs there/),
				withKubo(() => [200, { Key: other }], (kubo) => {
					return fails(prepare('lying-kubo', '--kubo', kubo), 5, /it stored bafkreigh2ak.* where baf.* was put/);
				}),
				withKubo(() => null, (kubo) => {
					return fails(prepare('stuck-kubo', '--kubo', kubo), 5, /Kubo's \S+ took longer than 30s.*try again/);
				}),
				withKubo(() => [500, { Message: 'no space left on device' }], (kubo) => {
					return fails(prepare('full-kubo', '--kubo', kubo), 1, /refuses: no space left on device.*disk has room/);
				}),
				(async () => {
					const full = /the store is full.*more room \(--store-capacity.*end tasks that are no longer needed/;
					await fails(prepare('small', '--store-capacity', '20M'), 1, full);
					const room = ['--store-capacity', '80M'];
					const again = prepare('small', ...room);
					assert.equal((await again.end()).code, 0, `${again}`);
					await knowsOne('small');
					// Another one is too much, until the first is let go of.
					const { name } = await again.says('prepared');
					const another = () => prepare('small', ...room, '--split', 'bytes:2M');
					await fails(another(), 1, full);
					const cancel = dgcs('//Bob', ['task', 'cancel', name, '--yes'], { data: 'small' });
					assert.equal((await cancel.end()).code, 0, `${cancel}`);
					const last = another();
					assert.equal((await last.end()).code, 0, `${last}`);
					await knowsOne('small');
				})(),
			]);
		});

		it('says that a disk is full, and goes on when there is room', async (t) => {
			const disk = file('data-disk');
			mkdirSync(disk);
			try {
				execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'none', disk], { stdio: 'pipe' });
			} catch (error) {
				const why = `no disk can be made to fill up: ${error.message.trim()}`;
				noteSkip(`bad-input: ${why}`);
				return t.skip(why);
			}
			try {
				const big = file('larger-than-the-disk');
				writeFileSync(big, '');
				truncateSync(big, 48 * MIB);
				const task = ['task', 'prepare', file('echo.wasm'), '--input', big];
				const full = dgcs('//Bob', task, { data: 'disk' });
				assert.equal((await full.end()).code, 1, `${full}`);
				assert.match(full.said.at(-1).message, /No space left on device.*check the disk|No space left.*make room/);
				execFileSync('mount', ['-o', 'remount,size=400m', disk]);
				const again = dgcs('//Bob', task, { data: 'disk' });
				assert.equal((await again.end()).code, 0, `${again}`);
				await knowsOne('disk');
			} finally {
				execFileSync('umount', [disk]);
			}
		});

		it('refuses a node that is of another chain, behind or not there', async () => {
			const estimate = (chain, ...more) => {
				const task = ['task', 'estimate', file('echo.wasm'), '--count', '1', ...more];
				return dgcs('//Bob', task, { chain, data: 'estimates' });
			};
			const other = estimate(url, '--genesis', OTHER_CHAIN);
			assert.equal((await other.end()).code, 5, `${other}`);
			assert.match(other.said.at(-1).message, /is a node of another chain.*expected 0x1111.*URL of a node of the right/);
			const late = await lineTo(url);
			late.change = (method, result) => {
				return method === 'system_syncState' ? { ...result, currentBlock: 7, highestBlock: 5007 } : result;
			};
			const chosen = estimate(`${late.url},${url}`);
			assert.equal((await chosen.end()).code, 0, `${chosen}`);
			const [behind, nobody] = [estimate(late.url), estimate('ws://127.0.0.1:1')];
			const ends = await Promise.all([behind.end(), nobody.end()]);
			assert.deepEqual(ends.map(({ code }) => code), [5, 5], `${behind}\n${nobody}`);
			for (const { said } of ends) assert.match(said[0].message, /no answer yet from ws.*--chain/);
			assert.match(ends[0].last.message, /5000 blocks behind its peers: wait until it has caught up/);
			assert.match(ends[1].last.message, /no node answers.*127\.0\.0\.1:1.*Check that one of them runs/);
		});

		it('ends a worker whose node is of another chain', async () => {
			const flags = ['--uri', '//Eve', '--chain', url, '--genesis', OTHER_CHAIN, '--data', file('other-chain')];
			const { code, err } = await type(['worker', ...flags]);
			assert.equal(code, 1, err);
			assert.match(err, /is a node of another chain.*expected 0x1111.*URL of a node of the right/);
		});

		it('works on for pay when its node is back, and says meanwhile that there is none', async () => {
			await ready;
			const distant = workers.at(-1);
			const grant = api.tx.balances.transferKeepAlive(account('//nearby').address, 10n * DGC);
			const unreached = distant.says('trouble', ({ message }) => message.includes("the chain can't be reached"));
			const [{ message }] = await Promise.all([unreached, send(api, grant, account('//Alice'))]);
			assert.match(message, /it is tried again\. If that lasts, see that a node of --chain runs/);
			const followed = new Promise((resolve) => {
				far.before = (method) => method === 'chain_subscribeFinalizedHeads' && resolve();
			});
			far.mend();
			await deadline(followed, SOON, 'the distant worker to follow the chain again');
			// Each of six ranges is for three of the four workers, more than the slots of the others.
			const task = ['run', file('echo.wasm'), '--input', file('text'), '--split', 'lines:10', '--range', '1'];
			const run = dgcs('//nearby', ['task', ...task, '--memory', '64', '--out', file('by-all'), '--yes']);
			assert.equal((await run.end()).code, 0, `${run}`);
			assert.equal(readFileSync(path.join(file('by-all'), 'result'), 'utf8'), TEXT);
			const { task: number } = await run.says('submitted');
			await distant.says('revealed', (note) => note.task === number);
			await log.wait('escrow.Paid', { task: number, payee: account(DISTANT).address });
		});

		it('goes on when a node drops its connections', async () => {
			await ready;
			const line = await lineTo(url);
			const out = file('dropped');
			const task = ['run', file('echo.wasm'), '--input', file('text'), '--split', 'lines:20', '--out', out];
			const run = dgcs('//Charlie', ['task', ...task, '--yes'], { chain: line.url });
			for (const event of ['sent', 'holding', 'running', 'fetching']) {
				if (!(await run.says(event))) break;
				line.cut();
				await Promise.race([line.tried(2), run.closed]);
				line.mend();
			}
			assert.equal((await run.end()).code, 0, `${run}`);
			assert.equal(readFileSync(path.join(out, 'result'), 'utf8'), TEXT);
			assert.equal(log.all('tasks.Submitted', { owner: account('//Charlie').address }).length, 1);
		});

		it('ends when no node is left, and the money of a task that nobody can compute comes back', async () => {
			await ready;
			const line = await lineTo(url);
			const task = ['run', file('echo.wasm'), '--count', '1', '--out', file('gone'), '--yes', ...TOO_MUCH];
			const run = dgcs('//Dave', ['task', ...task], { chain: line.url });
			const lacks = /only 0 operators have workers.*4 with too little memory \(a subtask needs 4096 MiB.*--memory/;
			assert.match((await run.says('estimate')).warnings.join(), lacks);
			const { task: number } = await run.says('submitted');
			const { message } = await run.says('warning', ({ message }) => message.includes('operators'));
			assert.match(message, lacks);
			await run.says('queued');
			line.cut();
			const quiet = await run.says('warning', ({ message }) => message.startsWith('no new block'));
			assert.match(quiet.message, /to end it loses nothing/);
			const { code, last } = await run.end();
			assert.equal(code, 5, `${run}`);
			assert.match(last.message, /no node answers.*Check that one of them runs/);
			assert.equal(last.resume, `dgcs task watch ${number}`);
			const cancel = dgcs('//Dave', ['task', 'cancel', String(number), '--yes']);
			assert.equal((await cancel.end()).code, 0, `${cancel}`);
			const watch = dgcs('//Dave', last.resume.split(' ').slice(1));
			assert.equal((await watch.end()).code, 3, `${watch}`);
			const ended = watch.said.find(({ event }) => event === 'ended');
			assert.deepEqual([ended.end, ended.refunded], ['cancelled', held(run)]);
		});

		it('reports how programs end that grow, loop, flood, fail or trap, and pays who ran them', async () => {
			await ready;
			await endow('//exits', '//traps');
			await Promise.all(Object.entries(ENDINGS).map(async ([name, [reason, outcome = reason]], i) => {
				const owner = ['//Eve', '//Dave//stash', '//Eve//stash', '//exits', '//traps'][i];
				const out = file(`${name}-out`);
				const run = dgcs(owner, [
					'task', 'run', file(`${name}.wasm`), '--count', '1', ...LIMITS, '--out', out, '--yes',
				], { data: name });
				const { code, last } = await run.end();
				assert.equal(code, 3, `${run}`);
				assert.deepEqual(last.gaps, [{ subtask: 0, reason }], `${run}`);
				const ended = run.said.find(({ event }) => event === 'ended');
				const reward = DGC / 1000n;
				assert.deepEqual([ended.end, ended.agreed, ended.paid], ['completed', 1, String(3n * reward)]);
				// Its workers say so as well.
				const { task } = run.said.find(({ event }) => event === 'submitted');
				const notes = workers.flatMap(({ said }) => said.filter((note) => note.event === 'computed' && note.task === task));
				const same = notes.filter((note) => note.subtask === 0 && note.outcome === outcome);
				assert.ok(same.length >= 3, JSON.stringify(notes));
			}));
		});

		it('submits what was prepared, whatever became of the input since', async () => {
			await ready;
			await endow('//removes');
			const cases = {
				'//Ferdie//stash': (name) => writeFileSync(name, 'something else\n'.repeat(100)),
				'//removes': (name) => rmSync(name),
			};
			await Promise.all(Object.entries(cases).map(async ([owner, change], i) => {
				const name = file(`changing-${i}`);
				writeFileSync(name, TEXT);
				const task = [file('echo.wasm'), '--input', name, '--split', 'lines:30'];
				const prepare = dgcs(owner, ['task', 'prepare', ...task]);
				assert.equal((await prepare.end()).code, 0, `${prepare}`);
				const prepared = await prepare.says('prepared');
				change(name);
				const submit = dgcs(owner, ['task', 'submit', prepared.name, '--yes']);
				assert.equal((await submit.end()).code, 0, `${submit}`);
				rmSync(name, { force: true });
				const { task: number } = await submit.says('submitted');
				const watch = dgcs(owner, ['task', 'watch', String(number)]);
				assert.equal((await watch.end()).code, 0, `${watch}`);
				const out = file(`unchanged-${i}`);
				const fetch = dgcs(owner, ['task', 'fetch', String(number), '--out', out]);
				assert.equal((await fetch.end()).code, 0, `${fetch}`);
				assert.equal(readFileSync(path.join(out, 'result'), 'utf8'), TEXT);
			}));
		});

		it('goes on after Ctrl-C at any point, and pays once', async () => {
			await ready;
			const out = file('interrupted');
			const input = ['--input', file('text'), '--split', 'lines:10', '--range', '1'];
			const task = ['task', 'run', file('echo.wasm'), ...input, '--out', out, '--yes'];
			const type = (args) => dgcs('//interrupted', args);
			await send(api, api.tx.balances.transferKeepAlive(account('//interrupted').address, 10n * DGC), account('//Alice'));
			const points = [
				'estimate', 'reading', 'prepared', 'sent', 'submitted', 'holding', 'held', 'running', 'ended', 'fetching',
			];
			const met = [];
			let resume = task;
			while (points.length > 0) {
				const run = type(task);
				// It may have gone past some of them when it was interrupted before.
				const point = await run.says(points);
				if (!point) {
					const { code } = await run.end();
					assert.equal(code, 0, `${run}`);
					break;
				}
				run.interrupt();
				const { code, last } = await run.end();
				if (code === 0) break;
				assert.equal(code, 130, `${run}`);
				assert.equal(last.message, 'interrupted');
				met.push(point.event);
				points.splice(0, points.indexOf(point.event) + 1);
				// It was all but over: then the same command would be for another task.
				if (existsSync(path.join(out, 'result'))) break;
				resume = last.resume === 'the same command' || last.resume === '' ? task : last.resume.split(' ').slice(1);
			}
			assert.ok(met.length >= 6, `interrupted at ${met}`);
			if (!existsSync(path.join(out, 'result'))) {
				// What the last one said that it goes on with.
				const rest = type(resume);
				assert.equal((await rest.end()).code, 0, `${rest}`);
			}
			assert.equal(readFileSync(path.join(out, 'result'), 'utf8'), TEXT);
			assert.equal(log.all('tasks.Submitted', { owner: account('//interrupted').address }).length, 1);
		});

		it('goes on with a merge step after there was no money, and Ctrl-C at any point, and pays once', async () => {
			await ready;
			await endow('//merges');
			const owner = account('//merges');
			const type = (args) => dgcs('//merges', ['task', ...args]);
			const input = ['--input', file('text'), '--split', 'lines:20', '--join', 'merge'];
			const out = ['--out', file('merged')];
			const run = type(['run', file('echo.wasm'), ...input, ...out, '--detach', '--yes']);
			assert.equal((await run.end()).code, 0, `${run}`);
			const { task } = await run.says('submitted');
			const watch = type(['watch', String(task)]);
			assert.equal((await watch.end()).code, 0, `${watch}`);
			await send(api, api.tx.balances.transferAll(account('//Alice').address, true), owner);

			const fetch = ['fetch', String(task), ...out, '--yes'];
			const poor = type(fetch);
			const { code, last } = await poor.end();
			assert.equal(code, 4, `${poor}`);
			assert.match(last.message, /are missing/);
			assert.ok(last.resume.startsWith(`dgcs task fetch ${task} --out `), `${poor}`);
			await endow('//merges');

			const points = ['estimate', 'reading', 'prepared', 'sent', 'submitted', 'holding', 'running', 'ended', 'fetching'];
			const met = [];
			let end;
			do {
				const next = type(fetch);
				const point = await next.says(points);
				if (point) next.interrupt();
				end = await next.end();
				if (end.code !== 0) {
					assert.equal(end.code, 130, `${next}`);
					met.push(point.event);
					points.splice(0, points.indexOf(point.event) + 1);
				}
			} while (end.code !== 0);
			assert.ok(met.length >= 5, `interrupted at ${met}`);
			assert.equal(readFileSync(path.join(file('merged'), 'result'), 'utf8'), TEXT);
			await log.wait('tasks.Settled', { task: end.last.task });
			assert.equal(log.all('tasks.Submitted', { owner: owner.address }).length, 2, 'the subtasks, and one merge step');
		});
	});

	it('leaves nothing on hold, and no worker punished', async () => {
		for (const owner of owners) {
			const { reserved } = await balance(api, account(owner).address);
			assert.equal(reserved, 0n, `${owner} has ${reserved} on hold`);
		}
		assert.deepEqual(log.all('workers.Faulted'), []);
		assert.deepEqual(log.all('workers.Slashed'), []);
		assert.equal((await api.query.workers.workers.keys()).length, workers.length);
	});

	function file(name) {
		return path.join(folder, name);
	}

	/**
	 * Has a file changed again and again from when there is the record of a task in `data`, so when the command has
	 * looked at it, and not read it yet. By a process of its own: this one has others to attend to.
	 * @returns what ends that
	 */
	function changing(name, change, data) {
		const script = `until ls "$2"/tasks/*/record.json; do sleep 0.01; done; while :; do ${change}; sleep 0.01; done`;
		const child = spawn('sh', ['-c', script, 'sh', name, data], { stdio: 'ignore', detached: true });
		const ended = new Promise((resolve) => child.once('close', resolve));
		const stop = () => {
			// With whatever it has just begun.
			process.kill(-child.pid);
			return ended;
		};
		meddlers.add(stop);
		return () => {
			meddlers.delete(stop);
			return stop();
		};
	}

	/** Types a command as `owner`, who keeps what it knows under its name or in `data`. */
	function dgcs(owner, args, { chain = url, data = owner.replaceAll('/', ''), through } = {}) {
		owners.add(owner);
		return new Command(args, { chain, data: file(`data-${data}`), account: owner, through });
	}

	/** Gives some owners money. */
	async function endow(...names) {
		const gifts = names.map((name) => api.tx.balances.transferKeepAlive(account(name).address, 10n * DGC));
		await send(api, api.tx.utility.batchAll(gifts), account('//Alice'));
	}

	async function lineTo(target) {
		const line = await Line.to(target);
		lines.push(line);
		return line;
	}

	/** What a command said that is held for its task. */
	function held(command) {
		return command.said.find(({ event }) => event === 'submitted').price;
	}

	/** An interrupted preparation is gone on with: it leaves no second task. */
	async function knowsOne(data) {
		const list = dgcs('//Bob', ['task', 'list'], { data });
		const { last } = await list.end();
		assert.deepEqual(last.tasks.map(({ state }) => state), ['prepared'], `${list}`);
	}

	async function startWorkers() {
		const [config, small] = [file('worker.toml'), file('small.toml')];
		// As many slots as there are cores.
		writeFileSync(config, 'nice = 5\n[idle]\ncores = "100%"\nmemory = 4096\n');
		writeFileSync(small, 'nice = 5\nslot_memory_mib = 192\n[idle]\ncores = 1\nmemory = 192\n');
		for (const [i, uri] of WORKERS.entries()) {
			workers.push(new RealWorker(network, `worker-${i + 1}`, uri, config));
		}
		far = await lineTo(url);
		const distant = new RealWorker(network, 'distant', DISTANT, small, undefined, far.url);
		workers.push(distant);
		workers.forEach((worker) => worker.start());
		await until(api, 'the workers are registered', async () => {
			const ended = workers.find(({ child }) => child.exitCode !== null);
			if (ended) throw new Error(`${ended.name} has ended; its log is ${ended.log}`);
			return (await api.query.workers.workers.keys()).length === workers.length;
		});
		// While it waits for work, of which there is none for it yet: a lease would lapse.
		await distant.says('status', ({ idle }) => ['noTasks', 'unsuited'].includes(idle?.why));
		far.cut();
	}
});

/** Something that answers as a Kubo daemon does, until it is given a block. */
async function withKubo(answer, use) {
	const server = createServer((request, response) => {
		request.resume().once('end', () => {
			const command = new URL(request.url, 'http://host').pathname;
			const given = command === '/api/v0/id' ? [200, { Addresses: [] }] : answer(command);
			if (!given) return;
			const [status, body] = given;
			response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
		});
	});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	try {
		return await use(`http://127.0.0.1:${server.address().port}`);
	} finally {
		server.close();
		server.closeAllConnections();
	}
}
