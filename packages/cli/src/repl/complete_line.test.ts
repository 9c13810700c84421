import {expect, test} from 'vitest';
import type {CommandTree} from '../completion/tree.ts';
import {completeLine, SeenIds} from './complete_line.ts';

const any = {kind: 'any'} as const;
const TREE: CommandTree = {
  name: '',
  flags: [{flag: '--json', description: '', value: null}],
  commands: [
    {
      name: 'reserve',
      description: '',
      flags: [
        {flag: '--holder', description: '', value: any},
        {flag: '--hold', description: '', value: any},
      ],
      argument: any,
    },
    {
      name: 'list',
      description: '',
      flags: [{flag: '--state', description: '', value: {kind: 'choice', choices: ['reserved', 'revoked']}}],
      argument: null,
    },
    {name: 'help', description: '', flags: [], argument: {kind: 'choice', choices: ['reserve', 'list']}},
  ],
};

const LEASE = '000000000000000000000000000001a3';
const SEAT = 'ff80dc9b9ed2790f4681afa020eb8e4c';

test('commands, flags, choices, and ids that were seen, the newest first', () => {
  const seen = new SeenIds();
  seen.note(`reserve name:seat-12 --holder name:order/4711`);
  seen.note(`reserved  lease=${LEASE} epoch=1 resources=${SEAT}`);
  const complete = (line: string): [string[], string] => completeLine(line, TREE, seen);
  expect(complete('')).toEqual([['reserve', 'list', 'help', '--json'], '']);
  expect(complete('re')).toEqual([['reserve'], 're']);
  expect(complete('--json l')).toEqual([['list'], 'l']);
  expect(complete('reserve --ho')).toEqual([['--holder', '--hold'], '--ho']);
  expect(complete('reserve x --')).toEqual([['--holder', '--hold', '--json'], '--']);
  expect(complete('list --state rev')).toEqual([['revoked'], 'rev']);
  expect(complete('help li')).toEqual([['list'], 'li']);
  expect(complete('reserve ')).toEqual([['name:order/4711', 'name:seat-12', SEAT, LEASE].sort(byNewest(seen)), '']);
  expect(complete('reserve --holder name:o')).toEqual([['name:order/4711'], 'name:o']);
  expect(complete('reserve 0000')).toEqual([[LEASE], '0000']);
});

function byNewest(seen: SeenIds): (a: string, b: string) => number {
  return (a, b) => seen.all.indexOf(a) - seen.all.indexOf(b);
}

test('so many are kept, and one that is seen again is the newest', () => {
  const seen = new SeenIds();
  const id = (n: number): string => n.toString(16).padStart(32, '0');
  for (let n = 0; n < 1500; n++) seen.note(id(n));
  seen.note(id(700));
  expect([seen.all.length, seen.all[0], seen.all[1], seen.all.includes(id(499))]).toEqual([
    1000,
    id(700),
    id(1499),
    false,
  ]);
});
