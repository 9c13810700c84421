/**
 * What the online commands answer, word by word: one conversation with a server on which nothing else happens, so that
 * every lsn is known. Each line is a command, its exit code and its stdout; stderr is empty but for what names became.
 * Slots are an hour long, so they are known too; the client's random id stands as #.
 */
import {holderIdFrom, resourceIdFrom} from '@allocdb/client';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {cleanUp, Server} from './command.ts';
import {runHere} from './in_process.ts';

const A = resourceIdFrom('seat-a');
const B = resourceIdFrom('seat-b');
const BOB = holderIdFrom('bob');
const ANN = holderIdFrom('ann');
const op = (n: number): string => n.toString(16).padStart(32, '0');
/** Of shard 0, a lease has the lsn of its reserve. */
const lease = op;

let server: Server;
beforeAll(async () => {
  server = await Server.start();
});
afterAll(cleanUp);

function known(text: string): string {
  return text.replace(/"client":"[0-9a-f]{32}"/g, '"client":"#"');
}

const CONVERSATION: readonly (readonly [string, number, string])[] = [
  [`create ${A} --operation ${op(1)}`, 0, `created  resource=${A} lsn=1 operation=${op(1)}`],
  [`create ${A} --operation ${op(1)}`, 0, `created  resource=${A} lsn=1 operation=${op(1)} fromRetryCache=true`],
  [`create name:seat-a --operation ${op(2)}`, 2, `already_exists  resource=${A} lsn=2 operation=${op(2)}`],
  [
    `create ${B} --operation ${op(1)}`,
    2,
    `operation_conflict  resource=${B} lsn=1 operation=${op(1)} fromRetryCache=true`,
  ],
  [
    `create ${B.toUpperCase()} --operation ${op(3)} --json`,
    0,
    `{"result":"created","resource":"${B}","lsn":"3","operation":"${op(3)}","fromRetryCache":false}`,
  ],
  [
    `reserve ${A} ${B} --holder ${BOB} --hold 1h --operation ${op(4)}`,
    0,
    `reserved  lease=${lease(4)} epoch=1 deadlineSlot=1 secondsLeft=3600 lsn=4 operation=${op(4)}`,
  ],
  [`reserve ${A} --holder ${ANN} --ttl-slots 9 --operation ${op(5)}`, 2, `resource_busy  lsn=5 operation=${op(5)}`],
  [
    `--json reserve name:seat-a --holder name:ann --ttl-slots 9 --operation ${op(6)}`,
    2,
    `{"result":"resource_busy","lease":null,"epoch":null,"deadlineSlot":null,"secondsLeft":null,"holder":"${ANN}","resources":["${A}"],"lsn":"6","operation":"${op(6)}","fromRetryCache":false}`,
  ],
  [
    `reserve ${op(9)} --holder ${ANN} --hold 9s --operation ${op(7)}`,
    2,
    `resource_not_found  lsn=7 operation=${op(7)}`,
  ],
  [
    'get name:seat-a',
    0,
    `found  resource=${A} state=reserved version=1 lease=${lease(4)} holder=${BOB} epoch=1 deadlineSlot=1 secondsLeft=3600 lsn=7`,
  ],
  [
    `get ${lease(4)} --reservation --json`,
    0,
    `{"result":"found","lease":"${lease(4)}","state":"reserved","resources":["${A}","${B}"],"holder":"${BOB}","epoch":"1","deadlineSlot":"1","secondsLeft":3600,"createdLsn":"4","releasedLsn":null,"lsn":"7"}`,
  ],
  [`get ${op(9)}`, 2, `resource_not_found  resource=${op(9)} lsn=7`],
  [`get ${op(9)} --reservation`, 2, `reservation_not_found  lease=${op(9)} lsn=7`],
  [`get ${A} --lsn 8`, 2, 'fence_not_applied  requiredLsn=8 lsn=7'],
  [`get ${A} --lsn 8 --json`, 2, '{"result":"fence_not_applied","requiredLsn":"8","lsn":"7"}'],
  [`confirm ${lease(4)} --holder ${ANN} --operation ${op(8)}`, 2, `holder_mismatch  lsn=8 operation=${op(8)}`],
  [`confirm ${lease(4)} --holder ${BOB} --epoch 2 --operation ${op(9)}`, 2, `stale_epoch  lsn=9 operation=${op(9)}`],
  [`confirm ${lease(4)} --holder name:bob --epoch 1 --operation ${op(10)}`, 0, `confirmed  lsn=10 operation=${op(10)}`],
  [
    `confirm ${lease(4)} --holder ${BOB} --epoch 1 --operation ${op(10)} --json`,
    0,
    `{"result":"confirmed","lease":"${lease(4)}","holder":"${BOB}","epoch":"1","lsn":"10","operation":"${op(10)}","fromRetryCache":true}`,
  ],
  [`get ${B}`, 0, `found  resource=${B} state=confirmed version=2 lease=${lease(4)} holder=${BOB} epoch=1 lsn=10`],
  [`reclaim ${lease(4)} --operation ${op(11)}`, 2, `invalid_state  lsn=11 operation=${op(11)}`],
  [`revoke ${lease(4)} --operation ${op(12)}`, 0, `revoking  lsn=12 operation=${op(12)}`],
  [`release ${lease(4)} --holder ${BOB} --epoch 1 --operation ${op(13)}`, 2, `stale_epoch  lsn=13 operation=${op(13)}`],
  [
    `revoke ${lease(4)} --operation ${op(14)} --json`,
    2,
    `{"result":"invalid_state","lease":"${lease(4)}","lsn":"14","operation":"${op(14)}","fromRetryCache":false}`,
  ],
  [
    `reclaim ${lease(4)} --operation ${op(15)} --json`,
    0,
    `{"result":"reclaimed","lease":"${lease(4)}","lsn":"15","operation":"${op(15)}","fromRetryCache":false}`,
  ],
  [
    `reserve ${A} --holder ${ANN} --ttl-slots 36000 --operation ${op(16)} --json`,
    0,
    `{"result":"reserved","lease":"${lease(16)}","epoch":"1","deadlineSlot":"36000","secondsLeft":129600000,"holder":"${ANN}","resources":["${A}"],"lsn":"16","operation":"${op(16)}","fromRetryCache":false}`,
  ],
  [`release ${lease(16)} --holder ${ANN} --operation ${op(17)}`, 0, `released  lsn=17 operation=${op(17)}`],
  [
    `release ${lease(16)} --holder ${ANN} --operation ${op(18)} --json`,
    2,
    `{"result":"reservation_retired","lease":"${lease(16)}","holder":"${ANN}","epoch":null,"lsn":"18","operation":"${op(18)}","fromRetryCache":false}`,
  ],
  ['list', 0, `${A}  state=available version=6 lsn=18\n${B}  state=available version=4 lsn=18`],
  ['list --state reserved', 0, ''],
  ['list --limit 1 --json', 0, `{"resource":"${A}","state":"available","version":"6","lease":null,"lsn":"18"}`],
  [
    'list --holder name:ann',
    0,
    `${lease(16)}  state=released resources=${A} holder=${ANN} epoch=2 createdLsn=16 releasedLsn=17 lsn=18`,
  ],
  [
    'list --reservations --state revoked --json',
    0,
    `{"lease":"${lease(4)}","state":"revoked","resources":["${A}","${B}"],"holder":"${BOB}","epoch":"2","deadlineSlot":null,"secondsLeft":null,"createdLsn":"4","releasedLsn":"15","lsn":"18"}`,
  ],
  [
    'watch --from 15 --limit 4',
    0,
    [
      `reclaim  lsn=15 slot=0 result=ok lease=${lease(4)} operation=${op(15)}`,
      `reserve  lsn=16 slot=0 result=ok lease=${lease(16)} deadlineSlot=36000 resources=${A} holder=${ANN} ttlSlots=36000 operation=${op(16)}`,
      `release  lsn=17 slot=0 result=ok lease=${lease(16)} holder=${ANN} operation=${op(17)}`,
      `release  lsn=18 slot=0 result=reservation_retired lease=${lease(16)} holder=${ANN} operation=${op(18)}`,
    ].join('\n'),
  ],
  [
    `watch --from 1 --limit 2 --resource ${B} --json`,
    0,
    [
      `{"kind":"create_resource","lsn":"3","slot":"0","result":"ok","resource":"${B}","operation":"${op(3)}","client":"#"}`,
      `{"kind":"reserve_bundle","lsn":"4","slot":"0","result":"ok","lease":"${lease(4)}","deadlineSlot":"1","resources":["${A}","${B}"],"holder":"${BOB}","ttlSlots":"1","operation":"${op(4)}","client":"#"}`,
    ].join('\n'),
  ],
];

test('every online command answers yes and no, to people and to programs', async () => {
  for (const [line, code, stdout] of CONVERSATION) {
    const result = await runHere([...line.split(' '), ...server.flags]);
    expect(`${line}: ${result.code} ${known(result.stdout)}`).toBe(
      `${line}: ${code} ${stdout === '' ? '' : `${stdout}\n`}`,
    );
    expect(result.stderr).toBe(saidBeside(line));
  }
});

/** What stands on stderr beside an answer. */
function saidBeside(line: string): string {
  const isJson = line.includes('--json');
  if (line.startsWith('watch')) {
    const next = line.includes('--from 15') ? 19 : 5;
    return isJson ? `{"next":"${next}"}\n` : `next is lsn ${next}\n`;
  }
  if (isJson) return '';
  const names = [...line.matchAll(/name:(\S+)/g)].map(([text, name]) => `${text} is ${resourceIdFrom(String(name))}\n`);
  const listed = /^list(?<empty> --state)?(?<one> --holder)?/.exec(line)?.groups;
  const count = listed?.['empty'] !== undefined ? 0 : listed?.['one'] !== undefined ? 1 : 2;
  return names.join('') + (line.startsWith('list') ? `${count} listed, the last at lsn 18\n` : '');
}
