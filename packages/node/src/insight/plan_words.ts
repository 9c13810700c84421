/**
 * A plan as a page for people and as JSON for programs. The page says what was assumed beside what follows from it, so
 * that whoever reads it can see which figure to doubt.
 */
import {configToJson} from '../config.ts';
import {frameBytes, reserveRecordBytes} from './file_sizes.ts';
import {FRAMES_PER_SECOND, REPLAYED_RECORDS_PER_SECOND} from './measured.ts';
import type {Plan} from './plan.ts';
import {countText, durationText, sizeText} from './words.ts';

/** The page, line by line. */
export function planLines(plan: Plan): string[] {
  const {input, config, log, snapshot, recovery, warnings} = plan;
  const {core} = config;
  const {slotMs, bundleSize, grantShare, readShare, disk} = input;
  const rows = (count: number, what: string): string => `${countText(count)} ${what}`;
  const lines = [
    `load        ${countText(input.ratePerSecond)} requests/s, ${percent(readShare)} of them reads: ${countText(plan.commandsPerSecond)} commands/s, ${percent(grantShare)} of them reserves that win`,
    `            holds of up to ${durationText(input.holdMs)} on ${rows(input.resources, 'resources')}, ${bundleSize === 1 ? 'one each' : `${bundleSize} each`}; retries get the first answer for ${durationText(input.retryWindowMs)}`,
    `slots       ${durationText(slotMs)}: a hold has at most ${countText(core.maxTtlSlots)}, an operation is remembered for ${countText(core.operationWindowSlots ?? 0n)}`,
    `tables      ${rows(core.maxOperations, 'operations')}, ${rows(core.maxReservations, 'reservations')} (live, and over for up to ${durationText(Number(core.reservationHistoryWindowSlots) * slotMs)})`,
    `memory      ${sizeText(plan.memoryBytes)} for the tables, all of it from the start`,
    `log         ${sizeText(log.bytesPerSecond)}/s, ${sizeText(log.bytesPerDay)} a day, with ${groupText(log)} as ${countText(FRAMES_PER_SECOND)} syncs/s give`,
    `            by commands in a frame: ${plan.logByGroupSize.map(each => `${countText(each.groupSize)}: ${Math.ceil(each.bytesPerCommand)} B`).join(', ')}; a record has ${reserveRecordBytes(bundleSize)} B, a frame at least ${frameBytes(1)}`,
    `retained    ${sizeText(disk.retainLogBytes)} of log go back ${durationText(log.retainedMs)}`,
    `snapshot    ${sizeText(snapshot.bytes)} with full tables, written in ${durationText(snapshot.writeMs)}, under load ${durationText(snapshot.writeUnderLoadMs)}`,
    `checkpoint  every ${durationText(plan.checkpointEveryMs)}, after ${sizeText(disk.checkpointEveryBytes)} of log`,
    `start       up to ${durationText(recovery.ms)} after a crash: the snapshot, and ${countText(recovery.records)} records at ${countText(REPLAYED_RECORDS_PER_SECOND)} a second`,
    `disk        ${sizeText(plan.diskNeed.totalBytes)} at most`,
    'Speeds are those of docs/performance.md, measured on two cores and a disk that syncs in 0.15 ms; allocdb doctor measures this disk.',
  ];
  return [...lines, ...warnings.map(({code, message}) => `warning     ${code}: ${message}`)];
}

/** The JSON form: plain numbers, and the configuration in the form that files have. */
export function planToJson(plan: Plan): object {
  return {...plan, config: configToJson(plan.config)};
}

function groupText({groupSize}: Plan['log']): string {
  return groupSize === 1 ? 'one command in a frame' : `${countText(groupSize)} commands in a frame`;
}

function percent(share: number): string {
  return `${Math.round(1000 * share) / 10} %`;
}
