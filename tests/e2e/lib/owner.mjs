// The owner's commands while they run: what they say, and signals to them.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

import { binary } from './network.mjs';
import { firstNote } from './notes.mjs';
import { deadline, MINUTE } from './time.mjs';

/** All running commands of this process, so that none outlives it. */
const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** How long a command may take to say or do something that it has to. */
const SOON = 4 * MINUTE;

/** A command that was typed. */
export class Command {
	/**
	 * @param {string[]} args
	 * @param {object} where
	 * @param {string} where.chain the URL of a node
	 * @param {string} where.data where the owner keeps what it knows
	 * @param {string} where.account who signs
	 * @param {string[]} [where.through] a command that runs it, and its words
	 */
	constructor(args, { chain, data, account, through = [] }) {
		this.args = args;
		const [program, ...words] = [...through, binary(), ...args, '--output', 'json'];
		this.child = spawn(program, words, {
			stdio: ['ignore', 'pipe', 'pipe'],
			env: { ...process.env, DGCS_CHAIN: chain, DGCS_DATA: data, DGCS_ACCOUNT: account },
		});
		running.add(this.child);
		/** What it said, as JSON, and what it said beside that: nothing, unless it is broken. */
		this.said = [];
		this.noise = '';
		this.listeners = new Set();
		this.child.stderr.on('data', (bytes) => (this.noise += bytes));
		createInterface({ input: this.child.stdout }).on('line', (line) => {
			const note = JSON.parse(line);
			this.said.push(note);
			this.listeners.forEach((listener) => listener(note));
		});
		this.closed = new Promise((resolve) => this.child.once('close', resolve)).finally(() => {
			running.delete(this.child);
		});
	}

	/**
	 * The first thing that it says about `event` and that `check` likes, or null if it ends before.
	 * @param {string | string[]} event one, or any of several
	 * @param {(note: any) => boolean} [check]
	 */
	says(event, check = () => true) {
		// Its last words may come with its end.
		const wanted = (note) => [event].flat().includes(note.event) && check(note);
		const ended = this.closed.then(() => this.said.find(wanted) ?? null);
		return firstNote(this, event, check, ended, SOON);
	}

	/** As Ctrl-C. */
	interrupt() {
		this.child.kill('SIGINT');
	}

	/**
	 * Its end: the exit code, what it said, and of that the last.
	 * @returns {Promise<{ code: number, said: any[], last: any }>}
	 */
	async end() {
		const code = await deadline(this.closed, SOON, () => `the end of ${this}`);
		if (/panicked/.test(this.noise)) throw new Error(`${this}`);
		return { code, said: this.said, last: this.said.at(-1) };
	}

	toString() {
		const said = this.said.map((note) => JSON.stringify(note)).join('\n');
		return `dgcs ${this.args.join(' ')}\n${said}\n${this.noise}`;
	}
}
