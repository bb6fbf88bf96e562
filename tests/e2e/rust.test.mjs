// The tests in Rust that need a node, or a Kubo daemon: each a process that starts its own. At the same
// time, since they mostly wait for blocks as well.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { describe, it } from 'node:test';

import { binary } from './lib/network.mjs';
import { noteSkip } from './lib/skipped.mjs';
import { deadline, MINUTE } from './lib/time.mjs';

/** How long one may take, which is longer than all of its own waits. */
const LONGEST = 20 * MINUTE;

/** Compiled tests, as scripts/executables.mjs finds them. */
const tests = JSON.parse(process.env.DGCS_RUST_TESTS ?? '[]');
const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

describe('rust', { concurrency: true }, () => {
	it('has tests', () => assert.ok(tests.length > 0, 'DGCS_RUST_TESTS is empty: scripts/test.sh work sets it'));

	for (const { crate, name, filter, executable } of tests) {
		it(name, async () => {
			const env = { ...process.env, DGCS_NODE: binary() };
			const args = ['--nocapture', ...(filter ? [filter] : [])];
			const child = spawn(executable, args, { cwd: crate, env, stdio: ['ignore', 'pipe', 'pipe'] });
			running.add(child);
			let said = '';
			for (const stream of [child.stdout, child.stderr]) {
				stream.setEncoding('utf8').on('data', (text) => (said += text));
			}
			const closed = new Promise((resolve) => child.once('close', resolve));
			const code = await deadline(closed, LONGEST, () => `the end of ${name}, which has said:\n${said}`).catch((late) => {
				child.kill('SIGKILL');
				throw late;
			}).finally(() => running.delete(child));
			assert.equal(code, 0, said);
			assert.match(said, /test result: ok\. [1-9]/, said);
			// Some of it may be beyond this machine, which has to be seen. That there is no node is not.
			const skipped = said.split('\n').filter((line) => line.includes('SKIPPED'));
			skipped.forEach((line) => noteSkip(`${name}: ${line.replace(/^.*SKIPPED: /, '')}`));
			assert.ok(!skipped.some((line) => line.includes('DGCS_NODE')), said);
		});
	}
});
