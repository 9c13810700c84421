/**
 * The command line: defaults, what is handed on, and mistakes named by their option.
 */
import {expect, test} from 'vitest';
import {helpText, parseArguments} from '../src/arguments.ts';

test('there are defaults, and what was said is handed on', () => {
  expect(parseArguments([])).toMatchObject({
    seconds: 10,
    warmUpSeconds: 5,
    repeat: 3,
    only: ['redis', 'postgres', 'sqlite'],
    outstanding: null,
    install: false,
    json: null,
  });
  const args = [
    '--',
    '--seconds',
    '0.5',
    '--only',
    'sqlite',
    '--only',
    'redis',
    '--outstanding',
    '1,64',
    '--dir',
    '/x',
    '--install',
  ];
  expect(parseArguments(args)).toMatchObject({
    seconds: 0.5,
    only: ['sqlite', 'redis'],
    outstanding: [1, 64],
    dir: '/x',
    install: true,
  });
});

test.each([
  [['--seconds', '0'], /--seconds must be a number from/],
  [['--warm-up', ''], /--warm-up must be a number from/],
  [['--repeat', '1.5'], /--repeat must be a whole number/],
  [['--only', 'mysql'], /--only is one of redis, postgres, sqlite, got mysql/],
  [['--outstanding', '64,x'], /--outstanding must be a number from/],
  [['--nonsense'], /--nonsense/],
])('%j is refused', (args, message) => {
  expect(() => parseArguments(args)).toThrow(message);
});

test('the help names every option', () => {
  for (const option of ['seconds', 'warm-up', 'repeat', 'only', 'outstanding', 'install', 'dir', 'json']) {
    expect(helpText()).toContain(`--${option} `);
  }
});
