// Runs the tests: those of a stage, or the files given. Several files at a time, each with its own network, since a
// test mostly waits for blocks. What `node --test` does not yet take as an option in Node.js 18.
//
//   node run.mjs            all about the chain and its nodes
//   node run.mjs work       all about real work, which needs programs and more: scripts/test.sh work
//   node run.mjs FILE...    these files

import { readdirSync } from 'node:fs';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const given = process.argv.slice(2);
// The longest first, so that no single one is left at the end.
const CHAIN = [
	'network', 'tasks', 'bad-input', 'handover', 'finality', 'lending', 'upgrade', 'interface', 'votes',
];
const WORK = ['work', 'rust', 'demo', 'commands', 'kubo', 'forgetful'];
const order = [...CHAIN, ...WORK].map((name) => `${name}.test.mjs`);
const all = readdirSync(here)
	.filter((file) => file.endsWith('.test.mjs'))
	.sort((a, b) => order.indexOf(a) - order.indexOf(b));
const isWork = (file) => WORK.some((name) => file === `${name}.test.mjs`);

let names = given;
let concurrency = 2;
if (given.length === 0) {
	names = all.filter((file) => !isWork(file));
} else if (given[0] === 'work') {
	names = all.filter(isWork);
	concurrency = names.length;
}
const files = names.map((file) => fileURLToPath(new URL(file, `file://${here}`)));

run({ files, concurrency })
	.on('test:fail', () => (process.exitCode = 1))
	.compose(new spec())
	.pipe(process.stdout);
