/**
 * How findings are made, in one place so that none lacks a part: ok says what is so, the others also what to do about it.
 */
import type {DoctorFinding} from './doctor.ts';

export function ok(check: string, sentence: string): DoctorFinding {
  return {check, level: 'ok', sentence, advice: null};
}

export function warning(check: string, sentence: string, advice: string): DoctorFinding {
  return {check, level: 'warning', sentence, advice};
}

export function problem(check: string, sentence: string, advice: string): DoctorFinding {
  return {check, level: 'problem', sentence, advice};
}
