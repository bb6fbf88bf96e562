// The owner's commands and real workers: processes of the program under test.

import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';

import { binary } from './network.mjs';
import { firstNote } from './notes.mjs';
import { deadline, MINUTE } from './time.mjs';

/** How long a command may take that waits for strangers to work, on a machine that does much else. */
const LONGEST = 15 * MINUTE;

/** All running processes of this one, so that none outlives it. */
const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** A worker that computes. It can be killed and started again; its folder stays. */
export class RealWorker {
	/**
	 * @param {import('./network.mjs').Network} network
	 * @param {string} name of its folder and its log
	 * @param {string} uri its account's
	 * @param {string} config what it lends, a file
	 * @param {{ url: string }} [kubo] the daemon that is its store; by default the store is inside
	 * @param {string} [chain] the URL of the node that it asks; by default any of the network's
	 * @param {object} [options]
	 * @param {boolean} [options.dedicated] whether its machine is for nothing else
	 * @param {string[]} [options.account] flags that say who it is, in place of its URI
	 */
	constructor(network, name, uri, config, kubo, chain, { dedicated = true, account } = {}) {
		const store = kubo ? ['--kubo', kubo.url] : ['--listen', '/ip4/127.0.0.1/tcp/0'];
		this.flags = [
			...(account ?? ['--uri', uri]), ...(dedicated ? ['--dedicated'] : []), '--config', config, ...store,
		];
		Object.assign(this, { name, uri });
		this.chain = chain ?? [...network.nodes.values()].map((node) => node.url).join(',');
		this.data = path.join(network.folder, name);
		this.log = path.join(network.logs, `${name}.log`);
		/** What it said, as JSON. */
		this.said = [];
		this.listeners = new Set();
	}

	start() {
		this.child = spawn(binary(), [
			'worker', '--register', '--output', 'json',
			'--chain', this.chain, '--data', this.data, ...this.flags,
		], { stdio: ['ignore', 'pipe', 'pipe'] });
		running.add(this.child);
		const file = createWriteStream(this.log, { flags: 'a' });
		this.child.stdout.pipe(file);
		this.child.stderr.pipe(file);
		createInterface({ input: this.child.stdout }).on('line', (line) => {
			// A kill may cut the last one short.
			if (!line.startsWith('{') || !line.endsWith('}')) return;
			const note = JSON.parse(line);
			this.said.push(note);
			this.listeners.forEach((listener) => listener(note));
		});
		// And all that it said has come.
		this.ended = new Promise((resolve) => this.child.once('close', resolve));
	}

	/**
	 * The first thing that it says about `event` and that `check` likes.
	 * @param {string} event
	 * @param {(note: any) => boolean} [check]
	 */
	says(event, check = () => true) {
		const ended = this.ended.then(() => {
			throw new Error(`${this.name} has ended; its log is ${this.log}`);
		});
		return firstNote(this, event, check, ended, 5 * MINUTE);
	}

	toString() {
		return this.name;
	}

	/** Ends it at once, as a crash does. */
	async kill() {
		if (!this.child) return;
		running.delete(this.child);
		this.child.kill('SIGKILL');
		await this.ended;
	}
}

/**
 * Types a command, as a script does: nobody is there to answer.
 * @param {string[]} args
 * @param {{ input?: string, env?: object }} [options] what it reads on standard input
 * @returns {Promise<{ code: number, out: string, err: string }>} its exit code and what it said
 */
export async function type(args, { input = '', env = {} } = {}) {
	const child = spawn(binary(), args, {
		stdio: ['pipe', 'pipe', 'pipe'],
		env: { ...process.env, ...env },
	});
	running.add(child);
	const said = { out: '', err: '' };
	child.stdout.setEncoding('utf8').on('data', (text) => (said.out += text));
	child.stderr.setEncoding('utf8').on('data', (text) => (said.err += text));
	// It may end without having read anything.
	child.stdin.on('error', () => {}).end(input);
	const closed = new Promise((resolve) => child.once('close', resolve));
	const what = () => `the end of dgcs ${args.join(' ')}, which has said:\n${said.out}${said.err}`;
	const code = await deadline(closed, LONGEST, what).catch((late) => {
		child.kill('SIGKILL');
		throw late;
	}).finally(() => running.delete(child));
	return { code, ...said };
}

/**
 * Types a command at a terminal, where it asks and shows how far it is, and answers the one question that it asks.
 * @param {string[]} args
 * @param {RegExp} question
 * @param {string} answer
 * @returns {Promise<{ code: number, shown: string }>} its exit code, and all that was on the screen
 */
export async function answer(args, question, answer) {
	const quoted = [binary(), ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`);
	// A terminal of its own has no size at first.
	const line = `stty rows 24 cols 100 && exec ${quoted.join(' ')}`;
	const env = { ...process.env, SHELL: '/bin/sh', TERM: 'xterm' };
	const child = spawn('script', ['--quiet', '--return', '--command', line, '/dev/null'], {
		stdio: ['pipe', 'pipe', 'inherit'],
		env,
	});
	running.add(child);
	let shown = '';
	let asked = false;
	child.stdout.setEncoding('utf8').on('data', (text) => {
		shown += text;
		if (asked || !question.test(shown)) return;
		asked = true;
		child.stdin.write(`${answer}\n`);
	});
	child.stdin.on('error', () => {});
	// There may be no `script`.
	const closed = new Promise((resolve, reject) => child.once('close', resolve).once('error', reject));
	const what = () => `the end of dgcs ${args.join(' ')}, which has shown:\n${shown}`;
	const code = await deadline(closed, LONGEST, what).catch((late) => {
		child.kill('SIGKILL');
		throw late;
	}).finally(() => running.delete(child));
	return { code, shown };
}

/**
 * Types a command of the owner's, for its answer in JSON.
 * @param {string} chain the URL of a node
 * @param {string} data where the owner keeps what it knows
 * @param {string[]} args
 * @param {object} [options] those of `type`
 * @returns {Promise<{ code: number, said: any[], event: (name: string) => any }>} its exit code, what
 * it said, and the last thing of a kind that it said
 */
export async function dgcs(chain, data, args, options) {
	const own = ['--output', 'json', '--data', data];
	// Not all commands ask a chain.
	const env = { DGCS_CHAIN: chain, ...options?.env };
	const at = args.indexOf('--');
	const [before, program] = at < 0 ? [args, []] : [args.slice(0, at), args.slice(at)];
	const { code, out, err } = await type([...before, ...own, ...program], { ...options, env });
	const said = out.split('\n').filter(Boolean).map((line) => JSON.parse(line));
	// In JSON nothing is said to people but what goes wrong outside of the command.
	if (err) console.error(err);
	const event = (name) => said.filter((each) => each.event === name).at(-1);
	return { code, said, event };
}
