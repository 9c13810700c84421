/**
 * What Linux says of itself in text files, read from their text: mounts, limits, memory, control groups. Each function
 * answers null for what is not there, because systems differ and a hint is not worth an error.
 */

/** A mounted file system. */
export interface Mount {
  readonly type: string;
  readonly source: string;
  readonly mountPoint: string;
  readonly isReadOnly: boolean;
}

/** The mount that holds an absolute path without links, from `/proc/self/mountinfo`. */
export function mountOf(mountinfo: string, path: string): Mount | null {
  let found: Mount | null = null;
  for (const line of mountinfo.split('\n')) {
    const [before = '', behind = ''] = line.split(' - ');
    const [, , , , point, options = ''] = before.split(' ');
    const [type, source = ''] = behind.split(' ');
    if (point === undefined || type === undefined) continue;
    const mountPoint = unescaped(point);
    const holds = path === mountPoint || path.startsWith(mountPoint.endsWith('/') ? mountPoint : `${mountPoint}/`);
    // Of two at one place the later one covers the earlier.
    if (!holds || (found !== null && mountPoint.length < found.mountPoint.length)) continue;
    found = {type, source: unescaped(source), mountPoint, isReadOnly: options.split(',').includes('ro')};
  }
  return found;
}

/** The soft limit of this name in `/proc/self/limits`; Infinity for an unlimited one. */
export function limitOf(limits: string, name: string): number | null {
  const line = limits.split('\n').find(each => each.startsWith(`${name} `));
  const soft = line?.slice(name.length).trim().split(/\s+/)[0];
  return soft === undefined ? null : soft === 'unlimited' ? Number.POSITIVE_INFINITY : numberOf(soft);
}

/** A line of `/proc/meminfo` in bytes. */
export function meminfoOf(meminfo: string, name: string): number | null {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(meminfo);
  return match === null ? null : 1024 * Number(match[1]);
}

/** The control group of a process under a controller, from `/proc/self/cgroup`; '' names the hierarchy of version 2. */
export function cgroupOf(cgroup: string, controller: string): string | null {
  for (const line of cgroup.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers?.split(',').includes(controller)) return path ?? null;
  }
  return null;
}

/** A path of control groups and all its parents, from itself to the root. */
export function withParents(path: string): string[] {
  const parts = path.split('/').filter(part => part !== '');
  return Array.from({length: parts.length + 1}, (_, i) => `/${parts.slice(0, parts.length - i).join('/')}`);
}

/** `memory.max` or `memory.limit_in_bytes`; null where there is no limit. Version 1 says "none" by an enormous number. */
export function memoryLimitOf(text: string): number | null {
  const bytes = numberOf(text.trim());
  return bytes === null || bytes > 2 ** 60 ? null : bytes;
}

/** `cpu.max` in cores; null where there is no limit. */
export function cpuMaxOf(text: string): number | null {
  const [quota, period] = text.trim().split(' ').map(numberOf);
  return quota == null || period == null || period === 0 ? null : quota / period;
}

/** `cpu.cfs_quota_us` and `cpu.cfs_period_us` in cores; null where there is no limit. */
export function cpuQuotaOf(quotaText: string, periodText: string): number | null {
  const [quota, period] = [numberOf(quotaText.trim()), numberOf(periodText.trim())];
  return quota === null || period === null || period === 0 ? null : quota / period;
}

/** The choice that stands in brackets, such as "madvise" in "always [madvise] never". */
export function chosenOf(text: string): string | null {
  return /\[(\w+)\]/.exec(text)?.[1] ?? null;
}

/** A whole number of at least 0; null for anything else. */
export function numberOf(text: string): number | null {
  return /^\d+$/.test(text) ? Number(text) : null;
}

/** Blanks in mount points are written as octal numbers. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
